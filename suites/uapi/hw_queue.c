// SPDX-License-Identifier: GPL-2.0-only
/*
 * HW_QUEUE_ALLOC: a queue in guest memory that hardware reads at physical addresses.
 *
 * So the memory must be mapped, readable and physically contiguous, and nobody may unmap it while
 * the queue lives. Contiguity is no matter of luck here: a test takes pages with known page frame
 * numbers (/proc/self/pagemap) out of a file and maps them in the order that it wants.
 *
 * A page mapped in an IOAS with a page table is pinned once, with or without a queue. What a queue
 * adds is a lock on the mapping; what a leaked lock, access or pin leaves behind is an area that
 * cannot be unmapped, a coarser IOVA alignment, or a page still pinned after IOAS_UNMAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "cache.h"

#define IOVA ((uint64_t)MOCK_APERTURE_START)
#define RUN 6			/* pages with consecutive frames that every test has */
#define PAGES 4			/* of guest memory */
#define POOL_PAGES 512		/* among which a run is searched */
#define CHILD_SECONDS 60
#define READ IOMMU_IOAS_MAP_READABLE
#define WRITE IOMMU_IOAS_MAP_WRITEABLE

/**
 * struct bench - a VM, and pages to give it
 * @fd: a file of POOL_PAGES pages
 * @pool: all of it
 * @run: numbers of the file's pages that are physically consecutive, ascending
 */
struct bench {
	struct vm vm;
	size_t page;
	int fd;
	uint8_t *pool;
	int run[RUN];
};

/**
 * struct span - a range of bytes at IOVA
 * @first, @skip: where it begins: pages, and bytes more
 * @pages, @extra: how long it is: pages, and bytes more or less
 */
struct span {
	int first;
	int skip;
	int pages;
	int extra;
};

static uint64_t span_iova(const struct bench *bench, const struct span *span)
{
	return IOVA + span->first * (int64_t)bench->page + span->skip;
}

static uint64_t span_length(const struct bench *bench, const struct span *span)
{
	return span->pages * (int64_t)bench->page + span->extra;
}

static bool span_has_page(const struct bench *bench, const struct span *span, int page)
{
	uint64_t first = span_iova(bench, span), start = IOVA + page * bench->page;

	return first < start + bench->page && start < first + span_length(bench, span);
}

/* What /proc/self/pagemap says of @count pages from @va on; 0 if it says nothing */
static void read_pagemap(const void *va, size_t page, uint64_t *entries, size_t count)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t size = count * sizeof(*entries);

	if (pread(pagemap, entries, size, (uintptr_t)va / page * sizeof(*entries)) != size)
		memset(entries, 0, size);
	close(pagemap);
}

/* The page frame in an entry of pagemap, 0 if it is not told */
static uint64_t pagemap_frame(uint64_t entry)
{
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

struct frame {
	uint64_t frame;
	int page;
};

static int frame_compare(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* Length of the run of consecutive frames that begins at @frames */
static int run_length(const struct frame *frames, int count)
{
	int length = 1;

	while (length < count && frames[length].frame == frames[length - 1].frame + 1)
		length++;
	return length;
}

static bool find_run(struct bench *bench)
{
	static struct frame frames[POOL_PAGES];
	static uint64_t entries[POOL_PAGES];

	/* There the pages of a file are consecutive. */
	for (int i = 0; i < RUN; i++)
		bench->run[i] = i;
	if (iommufd_is_reference())
		return true;
	read_pagemap(bench->pool, bench->page, entries, POOL_PAGES);
	for (int i = 0; i < POOL_PAGES; i++)
		frames[i] = (struct frame){ .frame = pagemap_frame(entries[i]), .page = i };
	qsort(frames, POOL_PAGES, sizeof(frames[0]), frame_compare);
	for (int i = 0; i + RUN <= POOL_PAGES; i++) {
		if (!frames[i].frame || run_length(frames + i, RUN) < RUN)
			continue;
		for (int j = 0; j < RUN; j++)
			bench->run[j] = frames[i + j].page;
		return true;
	}
	return false;
}

static bool bench_setup(struct __test_metadata *_metadata, struct bench *bench)
{
	if (!vm_setup_viommu(_metadata, &bench->vm))
		return false;
	bench->page = sysconf(_SC_PAGESIZE);
	bench->fd = memfd_create("pool", MFD_CLOEXEC);
	ASSERT_LE(0, bench->fd);
	ASSERT_EQ(0, ftruncate(bench->fd, POOL_PAGES * bench->page));
	bench->pool = mmap(NULL, POOL_PAGES * bench->page, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, bench->fd, 0);
	ASSERT_NE(MAP_FAILED, bench->pool);
	if (!find_run(bench))
		SKIP(return false, "needs consecutive page frames, and to know them");
	return true;
}

/* Page @i of the run, wherever else it may be mapped */
static void *run_page(struct bench *bench, int i)
{
	return bench->pool + bench->run[i] * bench->page;
}

/* Virtually contiguous memory made of the given pages of the run */
static void *arrange(struct __test_metadata *_metadata, struct bench *bench, const int *order,
		     int count)
{
	uint8_t *va = mmap(NULL, count * bench->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);

	ASSERT_NE(MAP_FAILED, va);
	for (int i = 0; i < count; i++) {
		ASSERT_EQ(va + i * bench->page,
			  mmap(va + i * bench->page, bench->page, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_FIXED | MAP_POPULATE, bench->fd,
			       bench->run[order[i]] * bench->page));
	}
	return va;
}

/* Map @count pages at @va to @iova of the VM's IOAS, in areas of @pages_per_area */
static void map_areas(struct __test_metadata *_metadata, struct bench *bench, uint8_t *va,
		      uint64_t iova, int count, int pages_per_area)
{
	for (int i = 0; i < count; i += pages_per_area)
		ASSERT_EQ(0, __ioas_map(&bench->vm.iommufd, bench->vm.ioas, va + i * bench->page,
					pages_per_area * bench->page, iova + i * bench->page,
					READ | WRITE));
}

/* Guest memory: the first PAGES pages of the run, in order, at IOVA */
static void *map_run(struct __test_metadata *_metadata, struct bench *bench, int pages_per_area)
{
	const int in_order[] = { 0, 1, 2, 3 };
	void *va = arrange(_metadata, bench, in_order, PAGES);

	map_areas(_metadata, bench, va, IOVA, PAGES, pages_per_area);
	return va;
}

static int __queue_alloc(struct bench *bench, uint32_t viommu, uint32_t index, uint64_t iova,
			 uint64_t length, uint32_t *id)
{
	return __hw_queue_alloc(&bench->vm.iommufd, viommu, IOMMU_HW_QUEUE_TYPE_SELFTEST, index,
				iova, length, id);
}

#define queue_alloc(_bench, _viommu, _index, _iova, _length) \
	ASSERT_NEW_ID(__queue_alloc(_bench, _viommu, _index, _iova, _length, &id))

/* Index 0 of the VM's vIOMMU: 0 or -errno; destroyed at once if there is one after all */
static int try_queue(struct bench *bench, uint64_t iova, uint64_t length)
{
	uint32_t id;
	int rc = __queue_alloc(bench, bench->vm.viommu, 0, iova, length, &id);

	return rc ?: __iommufd_destroy(&bench->vm.iommufd, id);
}

#define another_viommu(_bench) \
	mock_viommu_alloc(&(_bench)->vm.iommufd, (_bench)->vm.dev.idev_id, (_bench)->vm.parent)

static int unmap(struct bench *bench, int first, int pages)
{
	return __ioas_unmap(&bench->vm.iommufd, bench->vm.ioas, IOVA + first * bench->page,
			    pages * bench->page, NULL);
}

/* How often page @i of the run is pinned: 0 to 3, or -1 */
static int pins(struct bench *bench, struct iommufd *iommufd, int i)
{
	for (int refs = 0; refs <= 3; refs++)
		if (!__mock_check_refs(iommufd, run_page(bench, i), bench->page, refs))
			return refs;
	return -1;
}

static void expect_pins(struct __test_metadata *_metadata, struct bench *bench, int expected)
{
	for (int i = 0; i < PAGES; i++) {
		EXPECT_EQ(expected, pins(bench, &bench->vm.iommufd, i))
			check_note("page %d", i);
	}
}

/* The "out_iova_alignment" of an IOAS; grows while somebody needs whole pages */
static uint64_t alignment(struct bench *bench)
{
	struct iommu_iova_range ranges[16];
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd), .ioas_id = bench->vm.ioas, .num_iovas = ARRAY_SIZE(ranges),
		.allowed_iovas = (uintptr_t)ranges,
	};

	return __iommufd_ioctl(&bench->vm.iommufd, IOMMU_IOAS_IOVA_RANGES, &cmd) ? 0 :
	       cmd.out_iova_alignment;
}

/* Memory is locked: unmapping fails as often as one tries, and takes nothing away. */
static void expect_locked(struct __test_metadata *_metadata, struct bench *bench)
{
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-EBUSY, unmap(bench, 0, PAGES));
	expect_pins(_metadata, bench, 1);
}

/* No queue is left: everything can be unmapped and is then unpinned. */
static void expect_released(struct __test_metadata *_metadata, struct bench *bench)
{
	EXPECT_EQ(0, unmap(bench, 0, PAGES));
	expect_pins(_metadata, bench, 0);
}

/* A range of bytes in contiguous memory */

FIXTURE(range) {
	struct bench bench;
};

FIXTURE_VARIANT(range) {
	struct span span;
	int pages_per_area;
};

#define RANGE_VARIANT(_name, _pages_per_area, ...) \
	FIXTURE_VARIANT_ADD(range, _name) { \
		.span = { __VA_ARGS__ }, .pages_per_area = _pages_per_area \
	}

RANGE_VARIANT(whole_area, PAGES, .pages = PAGES);
RANGE_VARIANT(first_page, 1, .pages = 1);
RANGE_VARIANT(middle_pages, 1, .first = 1, .pages = 2);
RANGE_VARIANT(last_page, 1, .first = 3, .pages = 1);
RANGE_VARIANT(page_within_an_area, PAGES, .first = 2, .pages = 1);
RANGE_VARIANT(two_areas, 2, .pages = PAGES);
RANGE_VARIANT(end_of_one_and_start_of_another, 2, .first = 1, .pages = 2);
RANGE_VARIANT(four_areas, 1, .pages = PAGES);
RANGE_VARIANT(one_byte, 1, .first = 1, .extra = 1);
RANGE_VARIANT(last_byte_of_a_page, 1, .first = 1, .pages = 1, .skip = -1, .extra = 1 - 4096);
RANGE_VARIANT(inside_a_page, 1, .first = 1, .skip = 0x240, .extra = 64);
RANGE_VARIANT(to_the_end_of_a_page, 1, .first = 2, .skip = 32, .pages = 1, .extra = -32);
RANGE_VARIANT(one_byte_into_the_next_page, 1, .pages = 1, .extra = 1);
RANGE_VARIANT(one_byte_from_the_page_before, 1, .first = 2, .skip = -1, .pages = 1, .extra = 1);
RANGE_VARIANT(two_bytes_in_two_pages, 1, .first = 2, .skip = -1, .extra = 2);
RANGE_VARIANT(page_length_in_two_pages, 1, .first = 1, .skip = 16, .pages = 1);
RANGE_VARIANT(odd_bytes_in_all_pages, 1, .skip = 3, .pages = PAGES, .extra = -7);

FIXTURE_SETUP(range)
{
	if (bench_setup(_metadata, &self->bench))
		map_run(_metadata, &self->bench, variant->pages_per_area);
}

FIXTURE_TEARDOWN(range)
{
	vm_close(&self->bench.vm);
}

/* The mock compares the physical address of the queue with what its page table says. */
TEST_F(range, is_accepted_more_than_once)
{
	RULE("UAPI-53");
	struct bench *bench = &self->bench;

	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, try_queue(bench, span_iova(bench, &variant->span),
				       span_length(bench, &variant->span)));
	expect_released(_metadata, bench);
}

TEST_F(range, locks_the_areas_that_it_touches_and_no_other)
{
	RULE("UAPI-57");
	struct bench *bench = &self->bench;
	const struct span *span = &variant->span;
	int step = variant->pages_per_area;
	uint32_t queue = queue_alloc(bench, bench->vm.viommu, 0, span_iova(bench, span),
				     span_length(bench, span));

	for (int area = 0; area < PAGES; area += step) {
		bool locked = false;

		for (int page = area; page < area + step; page++)
			locked |= span_has_page(bench, span, page);
		EXPECT_EQ(locked ? -EBUSY : 0, unmap(bench, area, step))
			check_note("area at page %d", area);
		for (int page = area; page < area + step; page++)
			EXPECT_EQ(locked, pins(bench, &bench->vm.iommufd, page));
	}
	iommufd_destroy(&bench->vm.iommufd, queue);
	expect_released(_metadata, bench);
}

/* A range with something unmapped in it. Pages 0, 1 and 3 are mapped, 2 is not. */

FIXTURE(bad_range) {
	struct bench bench;
};

FIXTURE_VARIANT(bad_range) {
	struct span span;
};

#define BAD_RANGE_VARIANT(_name, ...) \
	FIXTURE_VARIANT_ADD(bad_range, _name) { .span = { __VA_ARGS__ } }

BAD_RANGE_VARIANT(nothing_mapped, .first = 4, .pages = 1);
BAD_RANGE_VARIANT(just_the_hole, .first = 2, .pages = 1);
BAD_RANGE_VARIANT(one_byte_in_the_hole, .first = 2, .skip = 8, .extra = 1);
BAD_RANGE_VARIANT(start_in_a_hole, .first = -1, .pages = 2);
BAD_RANGE_VARIANT(first_byte_in_a_hole, .skip = -1, .pages = 1);
BAD_RANGE_VARIANT(end_in_a_hole, .first = 1, .pages = 2);
BAD_RANGE_VARIANT(last_byte_in_a_hole, .pages = 2, .extra = 1);
BAD_RANGE_VARIANT(page_length_spills_into_a_hole, .first = 1, .skip = 1, .pages = 1);
BAD_RANGE_VARIANT(over_a_hole, .pages = 4);
BAD_RANGE_VARIANT(far_behind_the_memory, .pages = 1 << 16);
BAD_RANGE_VARIANT(below_the_aperture, .first = -0x1000, .pages = 1);
BAD_RANGE_VARIANT(behind_the_aperture, .first = 0x7fffffff, .pages = 1);

FIXTURE_SETUP(bad_range)
{
	struct bench *bench = &self->bench;
	const int in_order[] = { 0, 1, 2, 3 };
	uint8_t *va;

	if (!bench_setup(_metadata, bench))
		return;
	va = arrange(_metadata, bench, in_order, PAGES);
	map_areas(_metadata, bench, va, IOVA, 2, 2);
	map_areas(_metadata, bench, va + 3 * bench->page, IOVA + 3 * bench->page, 1, 1);
}

FIXTURE_TEARDOWN(bad_range)
{
	vm_close(&self->bench.vm);
}

TEST_F(bad_range, is_enoent_and_leaves_nothing)
{
	RULE("UAPI-55");
	struct bench *bench = &self->bench;
	uint64_t before = alignment(bench);

	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-ENOENT, try_queue(bench, span_iova(bench, &variant->span),
					     span_length(bench, &variant->span)));
	EXPECT_EQ(before, alignment(bench));
	EXPECT_EQ(0, try_queue(bench, IOVA, 2 * bench->page));
	EXPECT_EQ(0, try_queue(bench, IOVA + 3 * bench->page, bench->page));
	EXPECT_EQ(0, unmap(bench, 0, 2));
	EXPECT_EQ(0, unmap(bench, 3, 1));
	expect_pins(_metadata, bench, 0);
}

/* Memory that is not contiguous */

FIXTURE(order) {
	struct bench bench;
	uint8_t *va;
};

FIXTURE_VARIANT(order) {
	int order[PAGES];	/* of pages of the run */
	int good;		/* so many pages from the start are contiguous */
	int pages_per_area;
};

#define ORDER_VARIANT(_name, _good, _pages_per_area, ...) \
	FIXTURE_VARIANT_ADD(order, _name) { \
		.order = { __VA_ARGS__ }, .good = _good, .pages_per_area = _pages_per_area \
	}

ORDER_VARIANT(break_after_the_first, 1, PAGES, 0, 2, 3, 4);
ORDER_VARIANT(break_in_the_middle, 2, PAGES, 0, 1, 3, 4);
ORDER_VARIANT(break_before_the_last, 3, PAGES, 0, 1, 2, 4);
ORDER_VARIANT(large_break_before_the_last, 3, PAGES, 0, 1, 2, 5);
ORDER_VARIANT(descending, 1, PAGES, 3, 2, 1, 0);
ORDER_VARIANT(two_swapped, 1, PAGES, 0, 2, 1, 3);
ORDER_VARIANT(last_goes_back, 3, PAGES, 1, 2, 3, 0);
ORDER_VARIANT(first_page_twice, 1, PAGES, 0, 0, 1, 2);
ORDER_VARIANT(last_page_twice, 3, PAGES, 0, 1, 2, 2);
ORDER_VARIANT(break_between_areas, 2, 2, 0, 1, 3, 4);
ORDER_VARIANT(break_within_the_second_area, 3, 2, 0, 1, 2, 4);
ORDER_VARIANT(break_before_the_last_area, 3, 1, 0, 1, 2, 4);

FIXTURE_SETUP(order)
{
	struct bench *bench = &self->bench;

	if (!bench_setup(_metadata, bench))
		return;
	self->va = arrange(_metadata, bench, variant->order, PAGES);
	map_areas(_metadata, bench, self->va, IOVA, PAGES, variant->pages_per_area);
}

FIXTURE_TEARDOWN(order)
{
	vm_close(&self->bench.vm);
}

TEST_F(order, is_refused_from_the_first_byte_behind_the_break)
{
	RULE("UAPI-56");
	struct bench *bench = &self->bench;
	uint64_t good = variant->good * bench->page;

	EXPECT_EQ(0, try_queue(bench, IOVA, good));
	EXPECT_EQ(-EFAULT, try_queue(bench, IOVA, good + 1));
	EXPECT_EQ(-EFAULT, try_queue(bench, IOVA + 1, good));
	EXPECT_EQ(-EFAULT, try_queue(bench, IOVA + good - 1, 2));
	EXPECT_EQ(-EFAULT, try_queue(bench, IOVA, PAGES * bench->page));
	EXPECT_EQ(0, try_queue(bench, IOVA, good));
	EXPECT_EQ(0, try_queue(bench, IOVA + good, 1));
}

TEST_F(order, refused_leaves_nothing)
{
	RULE("UAPI-57");
	struct bench *bench = &self->bench;
	uint64_t before = alignment(bench);

	EXPECT_NE(0, pins(bench, &bench->vm.iommufd, variant->order[PAGES - 1]));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-EFAULT, try_queue(bench, IOVA, PAGES * bench->page));
	EXPECT_EQ(before, alignment(bench));
	EXPECT_EQ(0, unmap(bench, 0, PAGES));
	for (int i = 0; i < RUN; i++)
		EXPECT_EQ(0, pins(bench, &bench->vm.iommufd, i));
}

/* Two queues of two vIOMMUs in one area, and the order in which they go */

FIXTURE(two) {
	struct bench bench;
	uint32_t queue[2];
};

FIXTURE_VARIANT(two) {
	struct span span[2];
	int first_gone;
	int pages_per_area;
};

#define TWO_VARIANT(_name, _first_gone, _pages_per_area, ...) \
	FIXTURE_VARIANT_ADD(two, _name) { \
		.span = { __VA_ARGS__ }, .first_gone = _first_gone, \
		.pages_per_area = _pages_per_area \
	}

TWO_VARIANT(same_pages, 0, PAGES, { .pages = 4 }, { .pages = 4 });
TWO_VARIANT(same_pages_other_bytes, 1, PAGES, { .extra = 8 }, { .skip = 64, .extra = 8 });
TWO_VARIANT(outer_goes_first, 0, PAGES, { .pages = 4 }, { .first = 1, .pages = 1 });
TWO_VARIANT(inner_goes_first, 1, PAGES, { .pages = 4 }, { .first = 1, .pages = 1 });
TWO_VARIANT(overlapping, 0, PAGES, { .pages = 3 }, { .first = 2, .pages = 2 });
TWO_VARIANT(beside_each_other, 1, PAGES, { .pages = 2 }, { .first = 2, .pages = 2 });
TWO_VARIANT(over_two_areas, 0, 2, { .pages = 4 }, { .pages = 4 });
TWO_VARIANT(one_area_and_both, 1, 2, { .pages = 2 }, { .pages = 4 });

FIXTURE_SETUP(two)
{
	struct bench *bench = &self->bench;

	if (!bench_setup(_metadata, bench))
		return;
	map_run(_metadata, bench, variant->pages_per_area);
	for (int i = 0; i < 2; i++)
		self->queue[i] = queue_alloc(bench, i ? another_viommu(bench) : bench->vm.viommu,
					     0, span_iova(bench, &variant->span[i]),
					     span_length(bench, &variant->span[i]));
}

FIXTURE_TEARDOWN(two)
{
	vm_close(&self->bench.vm);
}

TEST_F(two, memory_is_locked_until_both_are_gone)
{
	RULE("UAPI-57");
	struct bench *bench = &self->bench;
	int first = variant->first_gone;

	expect_locked(_metadata, bench);
	iommufd_destroy(&bench->vm.iommufd, self->queue[first]);
	expect_locked(_metadata, bench);
	iommufd_destroy(&bench->vm.iommufd, self->queue[!first]);
	expect_released(_metadata, bench);
}

/* Contiguous memory, and one vIOMMU for each test */

FIXTURE(queue) {
	struct bench bench;
};

FIXTURE_SETUP(queue)
{
	bench_setup(_metadata, &self->bench);
}

FIXTURE_TEARDOWN(queue)
{
	vm_close(&self->bench.vm);
}

TEST_F(queue, length_0_is_einval)
{
	RULE("UAPI-55");
	struct bench *bench = &self->bench;

	map_run(_metadata, bench, PAGES);
	EXPECT_EQ(-EINVAL, try_queue(bench, IOVA, 0));
	EXPECT_EQ(-EINVAL, try_queue(bench, IOVA + 1, 0));
	EXPECT_EQ(-EINVAL, try_queue(bench, 0, 0));
	EXPECT_EQ(-EINVAL, try_queue(bench, UINT64_MAX, 0));
	EXPECT_EQ(0, try_queue(bench, IOVA, 1));
	expect_released(_metadata, bench);
}

TEST_F(queue, range_that_wraps_is_eoverflow)
{
	RULE("UAPI-55");
	struct bench *bench = &self->bench;
	uint64_t to_the_end = 0 - IOVA;

	map_run(_metadata, bench, PAGES);
	EXPECT_EQ(-EOVERFLOW, try_queue(bench, IOVA, to_the_end + 1));
	EXPECT_EQ(-EOVERFLOW, try_queue(bench, IOVA, to_the_end + bench->page));
	EXPECT_EQ(-EOVERFLOW, try_queue(bench, IOVA, UINT64_MAX));
	EXPECT_EQ(-EOVERFLOW, try_queue(bench, IOVA + bench->page, 0 - bench->page));
	EXPECT_EQ(-EOVERFLOW, try_queue(bench, UINT64_MAX, 2));
	EXPECT_EQ(-EOVERFLOW, try_queue(bench, UINT64_MAX, UINT64_MAX));
	EXPECT_EQ(0, try_queue(bench, IOVA, bench->page));
	expect_released(_metadata, bench);
}

/* Does not wrap itself, but does when the kernel rounds it up to pages */
TEST_F(queue, range_that_wraps_when_rounded_is_eoverflow)
{
	RULE("UAPI-55");
	struct bench *bench = &self->bench;

	map_run(_metadata, bench, PAGES);
	EXPECT_EQ(-EOVERFLOW, try_queue(bench, 0, UINT64_MAX));
	EXPECT_EQ(-EOVERFLOW, try_queue(bench, 1, UINT64_MAX - 1));
	EXPECT_EQ(-EOVERFLOW, try_queue(bench, 1, UINT64_MAX));
	EXPECT_EQ(0, try_queue(bench, IOVA, bench->page));
}

/* No such memory, or none to keep book of it: refused quietly, without a warning of the kernel */
TEST_F(queue, giant_length_is_refused)
{
	RULE("UAPI-55");
	struct bench *bench = &self->bench;

	map_run(_metadata, bench, PAGES);
	for (int bit = 43; bit < 64; bit++) {
		int rc = try_queue(bench, IOVA, 1ULL << bit);

		EXPECT_TRUE(rc == -ENOENT || rc == -ENOMEM)
			check_note("length 2^%d gives %d", bit, rc);
	}
	EXPECT_EQ(0, try_queue(bench, IOVA, PAGES * bench->page));
	expect_released(_metadata, bench);
}

TEST_F(queue, last_page_of_the_address_space_is_enoent)
{
	RULE("UAPI-55");
	struct bench *bench = &self->bench;

	map_run(_metadata, bench, PAGES);
	EXPECT_EQ(-ENOENT, try_queue(bench, 0 - bench->page, bench->page));
	EXPECT_EQ(-ENOENT, try_queue(bench, UINT64_MAX, 1));
	EXPECT_EQ(-ENOENT, try_queue(bench, 0, bench->page));
	EXPECT_EQ(0, try_queue(bench, IOVA, bench->page));
}

TEST_F(queue, unmapped_memory_is_enoent_again)
{
	RULE("UAPI-55");
	struct bench *bench = &self->bench;

	map_run(_metadata, bench, PAGES);
	EXPECT_EQ(0, try_queue(bench, IOVA, bench->page));
	EXPECT_EQ(0, unmap(bench, 0, PAGES));
	EXPECT_EQ(-ENOENT, try_queue(bench, IOVA, bench->page));
	map_run(_metadata, bench, 1);
	EXPECT_EQ(0, try_queue(bench, IOVA, bench->page));
}

static void map_page(struct __test_metadata *_metadata, struct bench *bench, int i, uint32_t prot)
{
	ASSERT_EQ(0, __ioas_map(&bench->vm.iommufd, bench->vm.ioas, run_page(bench, i),
				bench->page, IOVA + i * bench->page, prot));
}

TEST_F(queue, readable_memory_is_enough)
{
	RULE("UAPI-55");
	struct bench *bench = &self->bench;

	for (int i = 0; i < PAGES; i++)
		map_page(_metadata, bench, i, READ);
	EXPECT_EQ(0, try_queue(bench, IOVA, PAGES * bench->page));
	expect_released(_metadata, bench);
}

/* What was already locked of a range is unlocked when its end turns out to be unreadable. */
TEST_F(queue, unreadable_memory_is_refused)
{
	RULE("UAPI-55");
	struct bench *bench = &self->bench;

	for (int i = 0; i < PAGES; i++)
		map_page(_metadata, bench, i, i == 2 ? WRITE : READ | WRITE);
	EXPECT_EQ(-EPERM, try_queue(bench, IOVA, PAGES * bench->page));
	EXPECT_EQ(-EPERM, try_queue(bench, IOVA, 2 * bench->page + 1));
	EXPECT_EQ(-EPERM, try_queue(bench, IOVA + 2 * bench->page, 2 * bench->page));
	EXPECT_EQ(-EPERM, try_queue(bench, IOVA + 2 * bench->page, 1));
	EXPECT_EQ(0, try_queue(bench, IOVA, 2 * bench->page));
	EXPECT_EQ(0, try_queue(bench, IOVA + 3 * bench->page, bench->page));
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ(0, unmap(bench, i, 1));
	expect_pins(_metadata, bench, 0);
}

/* 512 pages, more than the kernel takes at a time */
TEST_F(queue, huge_page_is_one_queue)
{
	RULE("UAPI-53");
	struct bench *bench = &self->bench;
	const size_t huge = 2 << 20;
	uint8_t *va = mmap(NULL, 2 * huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);
	uint64_t first, last;

	ASSERT_NE(MAP_FAILED, va);
	va += -(uintptr_t)va % huge;
	madvise(va, huge, MADV_HUGEPAGE);
	memset(va, 1, huge);
	read_pagemap(va, bench->page, &first, 1);
	read_pagemap(va + huge - bench->page, bench->page, &last, 1);
	if (pagemap_frame(first) % (huge / bench->page) ||
	    pagemap_frame(last) != pagemap_frame(first) + huge / bench->page - 1)
		SKIP(return, "needs a transparent huge page");
	ASSERT_EQ(0, __ioas_map(&bench->vm.iommufd, bench->vm.ioas, va, huge, IOVA, READ | WRITE));
	EXPECT_EQ(0, try_queue(bench, IOVA, huge));
	EXPECT_EQ(0, try_queue(bench, IOVA + huge / 2 + 512, huge / 4));
	EXPECT_EQ(-ENOENT, try_queue(bench, IOVA, huge + 1));
	queue_alloc(bench, bench->vm.viommu, 0, IOVA, huge);
	EXPECT_EQ(-EBUSY, __ioas_unmap(&bench->vm.iommufd, bench->vm.ioas, IOVA, huge, NULL));
}

/* Indexes */

TEST_F(queue, index_1_needs_index_0)
{
	RULE("UAPI-54");
	struct bench *bench = &self->bench;
	uint32_t id, viommu = bench->vm.viommu;

	map_run(_metadata, bench, PAGES);
	EXPECT_EQ(-EIO, __queue_alloc(bench, viommu, 1, IOVA, bench->page, &id));
	queue_alloc(bench, another_viommu(bench), 0, IOVA, bench->page);
	EXPECT_EQ(-EIO, __queue_alloc(bench, viommu, 1, IOVA, bench->page, &id));
	queue_alloc(bench, viommu, 0, IOVA, bench->page);
	EXPECT_EQ(0, __queue_alloc(bench, viommu, 1, IOVA, bench->page, &id));
}

/* As 32 bits: none of these is 0 or 1 with its upper half cut off */
TEST_F(queue, index_beyond_the_last_is_einval)
{
	RULE("UAPI-54");
	const uint32_t beyond[] = {
		IOMMU_TEST_HW_QUEUE_MAX, IOMMU_TEST_HW_QUEUE_MAX + 1, 0xff, 0x100, 0xffff, 0x10000,
		0x10001, 0x80000000, 0x80000001, UINT32_MAX,
	};
	struct bench *bench = &self->bench;
	uint32_t id, viommu = bench->vm.viommu;

	map_run(_metadata, bench, PAGES);
	for (uint32_t index = 0; index <= IOMMU_TEST_HW_QUEUE_MAX; index++) {
		for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
			EXPECT_EQ(-EINVAL, __queue_alloc(bench, viommu, beyond[i], IOVA,
							 bench->page, &id))
				check_note("index %#x with %u queues", beyond[i], index);
		}
		if (index < IOMMU_TEST_HW_QUEUE_MAX)
			queue_alloc(bench, viommu, index, IOVA, bench->page);
	}
}

TEST_F(queue, index_in_use_is_eexist)
{
	RULE("UAPI-54");
	struct bench *bench = &self->bench;
	uint32_t id, queue[2], viommu = bench->vm.viommu;

	map_run(_metadata, bench, 1);
	for (int i = 0; i < 2; i++) {
		queue[i] = queue_alloc(bench, viommu, i, IOVA, bench->page);
		EXPECT_EQ(-EEXIST, __queue_alloc(bench, viommu, i, IOVA, bench->page, &id));
		EXPECT_EQ(-EEXIST, __queue_alloc(bench, viommu, i, IOVA + 2 * bench->page,
						 bench->page, &id));
	}
	EXPECT_EQ(-EEXIST, __queue_alloc(bench, viommu, 0, IOVA, bench->page, &id));
	EXPECT_EQ(-EBUSY, unmap(bench, 0, 1));
	EXPECT_EQ(0, unmap(bench, 2, 1));
	iommufd_destroy(&bench->vm.iommufd, queue[1]);
	iommufd_destroy(&bench->vm.iommufd, queue[0]);
	EXPECT_EQ(0, unmap(bench, 0, 1));
}

TEST_F(queue, indexes_count_for_each_viommu)
{
	RULE("UAPI-54");
	struct bench *bench = &self->bench;
	uint32_t queue[2][2], viommu[2] = { bench->vm.viommu, another_viommu(bench) };

	map_run(_metadata, bench, PAGES);
	for (int i = 0; i < 4; i++)
		queue[i % 2][i / 2] = queue_alloc(bench, viommu[i % 2], i / 2, IOVA, bench->page);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&bench->vm.iommufd, queue[0][0]));
	iommufd_destroy(&bench->vm.iommufd, queue[1][1]);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&bench->vm.iommufd, queue[0][0]));
	iommufd_destroy(&bench->vm.iommufd, queue[1][0]);
	iommufd_destroy(&bench->vm.iommufd, queue[0][1]);
	iommufd_destroy(&bench->vm.iommufd, queue[0][0]);
	expect_released(_metadata, bench);
}

TEST_F(queue, index_0_is_free_again_after_destroy)
{
	RULE("UAPI-54");
	struct bench *bench = &self->bench;
	uint32_t id, viommu = bench->vm.viommu;

	map_run(_metadata, bench, PAGES);
	for (int i = 0; i < 3; i++) {
		uint32_t queue = queue_alloc(bench, viommu, 0, IOVA, bench->page);

		EXPECT_EQ(-EEXIST, __queue_alloc(bench, viommu, 0, IOVA, bench->page, &id));
		iommufd_destroy(&bench->vm.iommufd, queue);
		EXPECT_EQ(-EIO, __queue_alloc(bench, viommu, 1, IOVA, bench->page, &id));
	}
}

TEST_F(queue, index_1_is_free_again_after_destroy)
{
	RULE("UAPI-54");
	struct bench *bench = &self->bench;
	uint32_t id, viommu = bench->vm.viommu;

	map_run(_metadata, bench, PAGES);
	queue_alloc(bench, viommu, 0, IOVA, bench->page);
	iommufd_destroy(&bench->vm.iommufd,
			queue_alloc(bench, viommu, 1, IOVA, bench->page));
	EXPECT_EQ(0, __queue_alloc(bench, viommu, 1, IOVA, bench->page, &id));
}

TEST_F(queue, destroy_of_index_1_leaves_index_0_in_use)
{
	RULE("UAPI-54");
	struct bench *bench = &self->bench;
	uint32_t id, viommu = bench->vm.viommu;

	map_run(_metadata, bench, PAGES);
	queue_alloc(bench, viommu, 0, IOVA, bench->page);
	iommufd_destroy(&bench->vm.iommufd,
			queue_alloc(bench, viommu, 1, IOVA, bench->page));
	EXPECT_EQ(-EEXIST, __queue_alloc(bench, viommu, 0, IOVA, bench->page, &id));
}

TEST_F(queue, refused_destroy_keeps_the_memory_locked)
{
	RULE("UAPI-57");
	struct bench *bench = &self->bench;
	uint32_t viommu = bench->vm.viommu, queue[2];

	map_run(_metadata, bench, 1);
	for (int i = 0; i < 2; i++)
		queue[i] = queue_alloc(bench, viommu, i, IOVA + i * bench->page, bench->page);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-EBUSY, __iommufd_destroy(&bench->vm.iommufd, queue[0]));
	EXPECT_EQ(-EBUSY, unmap(bench, 0, 1));
	EXPECT_EQ(-EBUSY, unmap(bench, 1, 1));
	iommufd_destroy(&bench->vm.iommufd, queue[1]);
	EXPECT_EQ(0, unmap(bench, 1, 1));
	EXPECT_EQ(-EBUSY, unmap(bench, 0, 1));
	iommufd_destroy(&bench->vm.iommufd, queue[0]);
	EXPECT_EQ(0, unmap(bench, 0, 1));
}

/* The driver refuses when the memory is locked already: it must be unlocked again. */
TEST_F(queue, refused_index_leaves_the_memory_unlocked)
{
	RULE("UAPI-57");
	struct bench *bench = &self->bench;
	uint64_t before = alignment(bench);
	uint32_t id;

	map_run(_metadata, bench, PAGES);
	for (uint32_t index = 1; index < 5; index++)
		EXPECT_GT(0, __queue_alloc(bench, bench->vm.viommu, index, IOVA, bench->page,
					   &id));
	EXPECT_EQ(before, alignment(bench));
	expect_released(_metadata, bench);
}

/* Locked memory */

TEST_F(queue, locked_memory_cannot_be_unmapped_in_any_way)
{
	RULE("UAPI-57");
	struct bench *bench = &self->bench;
	struct vm *vm = &bench->vm;
	uint32_t queue;

	map_run(_metadata, bench, PAGES);
	queue = queue_alloc(bench, vm->viommu, 0, IOVA + bench->page, bench->page);
	EXPECT_EQ(-EBUSY, unmap(bench, 0, PAGES));
	EXPECT_EQ(-EBUSY, unmap(bench, -1, PAGES + 2));
	EXPECT_EQ(-EBUSY, __ioas_unmap(&vm->iommufd, vm->ioas, 0, UINT64_MAX, NULL));
	EXPECT_EQ(-EBUSY, __ioas_unmap(&vm->iommufd, vm->ioas, 1, UINT64_MAX - 1, NULL));
	for (int first = 0; first < PAGES; first++)
		EXPECT_NE(0, unmap(bench, first, 1));
	expect_pins(_metadata, bench, 1);
	EXPECT_EQ(0, __mock_check_map(&vm->iommufd, vm->parent, IOVA, bench->page,
				      run_page(bench, 0)));
	iommufd_destroy(&vm->iommufd, queue);
	EXPECT_EQ(0, __ioas_unmap(&vm->iommufd, vm->ioas, 0, UINT64_MAX, NULL));
	expect_pins(_metadata, bench, 0);
}

/* The neighbour below goes before the kernel meets the queue: then it must be in the count. */
TEST_F(queue, refused_unmap_counts_what_it_unmapped)
{
	RULE("UAPI-57");
	struct bench *bench = &self->bench;
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd), .ioas_id = bench->vm.ioas, .iova = IOVA,
		.length = PAGES * bench->page,
	};
	uint64_t gone = 0;

	map_run(_metadata, bench, 1);
	queue_alloc(bench, bench->vm.viommu, 0, IOVA + 2 * bench->page, bench->page);
	EXPECT_EQ(-EBUSY, __iommufd_ioctl(&bench->vm.iommufd, IOMMU_IOAS_UNMAP, &cmd));
	for (int i = 0; i < PAGES; i++)
		gone += pins(bench, &bench->vm.iommufd, i) ? 0 : bench->page;
	if (gone)
		EXPECT_EQ(gone, cmd.length);
	EXPECT_EQ(1, pins(bench, &bench->vm.iommufd, 2));
}

TEST_F(queue, only_the_mapping_that_it_uses_is_locked)
{
	RULE("UAPI-57");
	struct bench *bench = &self->bench;
	struct vm *vm = &bench->vm;
	uint64_t copy_iova = IOVA + (1 << 20);
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy), .flags = IOMMU_IOAS_MAP_FIXED_IOVA | READ | WRITE,
		.dst_ioas_id = vm->ioas, .src_ioas_id = vm->ioas, .length = PAGES * bench->page,
		.dst_iova = copy_iova, .src_iova = IOVA,
	};
	uint32_t queue;

	map_run(_metadata, bench, PAGES);
	ASSERT_EQ(0, __iommufd_ioctl(&vm->iommufd, IOMMU_IOAS_COPY, &copy));
	queue = queue_alloc(bench, vm->viommu, 0, copy_iova + bench->page, 2 * bench->page);
	EXPECT_EQ(0, unmap(bench, 0, PAGES));
	expect_pins(_metadata, bench, 1);
	EXPECT_EQ(-EBUSY, __ioas_unmap(&vm->iommufd, vm->ioas, copy_iova, copy.length, NULL));
	iommufd_destroy(&vm->iommufd, queue);
	EXPECT_EQ(0, __ioas_unmap(&vm->iommufd, vm->ioas, copy_iova, copy.length, NULL));
	expect_pins(_metadata, bench, 0);
}

/* The kernel asks in-kernel users to let go of what is unmapped; a queue is never asked. */
TEST_F(queue, keeps_its_memory_when_an_in_kernel_user_lets_go)
{
	RULE("UAPI-101");
	struct bench *bench = &self->bench;
	struct iommufd *iommufd = &bench->vm.iommufd;
	uint32_t pin;
	int fd;

	NEEDS_KERNEL(return, "pins of kernel drivers");
	map_run(_metadata, bench, 1);
	queue_alloc(bench, bench->vm.viommu, 0, IOVA, bench->page);
	ASSERT_EQ(0, __access_create(iommufd, bench->vm.ioas, TAKES_PINS, &fd));
	ASSERT_EQ(0, __access_pin(iommufd, fd, IOVA + bench->page, bench->page,
				  run_page(bench, 1), 0, &pin));
	EXPECT_EQ(0, unmap(bench, 1, 1));
	EXPECT_EQ(0, pins(bench, iommufd, 1));
	EXPECT_EQ(-ENOENT, __access_unpin(iommufd, fd, pin));
	EXPECT_EQ(-EBUSY, unmap(bench, 0, 1));
	EXPECT_EQ(1, pins(bench, iommufd, 0));
	close(fd);
}

TEST_F(queue, many_lock_the_memory_until_the_last_is_gone)
{
	RULE("UAPI-57");
	struct bench *bench = &self->bench;
	uint32_t queue[32];

	map_run(_metadata, bench, PAGES);
	for (int i = 0; i < ARRAY_SIZE(queue); i += 2) {
		uint32_t viommu = another_viommu(bench);

		for (int j = 0; j < 2; j++)
			queue[i + j] = queue_alloc(bench, viommu, j, IOVA + j * bench->page,
						   (1 + i / 2 % 3) * bench->page);
	}
	for (int i = ARRAY_SIZE(queue) - 1; i >= 0; i--) {
		EXPECT_EQ(-EBUSY, unmap(bench, 0, PAGES));
		iommufd_destroy(&bench->vm.iommufd, queue[i]);
	}
	expect_released(_metadata, bench);
}

/* A queue needs whole pages of the whole IOAS, the mock's page table does not */
TEST_F(queue, alignment_that_it_needs_goes_with_it)
{
	RULE("UAPI-57");
	struct bench *bench = &self->bench;
	struct vm *vm = &bench->vm;
	uint64_t before = alignment(bench), half = IOVA + (1 << 20) + bench->page / 2;
	uint32_t queue;

	map_run(_metadata, bench, PAGES);
	EXPECT_EQ(MOCK_PAGE_SIZE, before);
	queue = queue_alloc(bench, vm->viommu, 0, IOVA, bench->page);
	EXPECT_EQ(bench->page, alignment(bench));
	EXPECT_EQ(-EINVAL, __ioas_map(&vm->iommufd, vm->ioas, bench->pool, bench->page, half,
				      READ | WRITE));
	iommufd_destroy(&vm->iommufd, queue);
	EXPECT_EQ(before, alignment(bench));
	EXPECT_EQ(0, __ioas_map(&vm->iommufd, vm->ioas, bench->pool, bench->page, half,
				READ | WRITE));
}

/* The vIOMMU it belongs to */

TEST_F(queue, memory_is_that_of_the_ioas_of_its_viommu)
{
	RULE("UAPI-59");
	struct bench *bench = &self->bench;
	struct vm *vm = &bench->vm;
	uint32_t ioas = ioas_alloc(&vm->iommufd), parent, viommu, queue, id;

	parent = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT);
	viommu = mock_viommu_alloc(&vm->iommufd, vm->dev.idev_id, parent);
	map_page(_metadata, bench, 0, READ | WRITE);
	EXPECT_EQ(-ENOENT, __queue_alloc(bench, viommu, 0, IOVA, bench->page, &id));
	ASSERT_EQ(0, __ioas_map(&vm->iommufd, ioas, run_page(bench, 1), bench->page, IOVA,
				READ | WRITE));
	queue = queue_alloc(bench, viommu, 0, IOVA, bench->page);
	EXPECT_EQ(-EBUSY, __ioas_unmap(&vm->iommufd, ioas, IOVA, bench->page, NULL));
	EXPECT_EQ(0, unmap(bench, 0, 1));
	EXPECT_EQ(0, pins(bench, &vm->iommufd, 0));
	EXPECT_EQ(1, pins(bench, &vm->iommufd, 1));
	EXPECT_EQ(-ENOENT, try_queue(bench, IOVA, bench->page));
	iommufd_destroy(&vm->iommufd, queue);
	EXPECT_EQ(0, __ioas_unmap(&vm->iommufd, ioas, IOVA, bench->page, NULL));
	EXPECT_EQ(0, pins(bench, &vm->iommufd, 1));
}

TEST_F(queue, invalidation_works_beside_it)
{
	RULE("UAPI-59");
	struct bench *bench = &self->bench;
	struct vm *vm = &bench->vm;
	uint32_t queue;

	map_run(_metadata, bench, PAGES);
	queue = queue_alloc(bench, vm->viommu, 0, IOVA, bench->page);
	EXPECT_EQ(CACHE_FULL, device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_EQ(CACHE_FULL, iotlb_words(&vm->iommufd, vm->nested));
	EXPECT_EQ(0, device_invalidate(&vm->iommufd, vm->viommu, 0, VM_VIRT_ID, 1));
	EXPECT_EQ(0, iotlb_invalidate(&vm->iommufd, vm->nested, 0, 2));
	iommufd_destroy(&vm->iommufd, queue);
	EXPECT_EQ(CACHE_FULL & ~(1u << 1), device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_EQ(CACHE_FULL & ~(1u << 2), iotlb_words(&vm->iommufd, vm->nested));
	EXPECT_EQ(0, device_invalidate(&vm->iommufd, vm->viommu, 0, VM_VIRT_ID, 3));
}

TEST_F(queue, outlives_the_vdevice_and_the_device)
{
	RULE("UAPI-59");
	struct bench *bench = &self->bench;
	struct vm *vm = &bench->vm;
	uint32_t queue;

	map_run(_metadata, bench, PAGES);
	queue = queue_alloc(bench, vm->viommu, 0, IOVA, bench->page);
	iommufd_destroy(&vm->iommufd, vm->nested);
	iommufd_destroy(&vm->iommufd, vm->vdevice);
	iommufd_destroy(&vm->iommufd, vm->dev.stdev_id);
	expect_locked(_metadata, bench);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&vm->iommufd, vm->viommu));
	iommufd_destroy(&vm->iommufd, queue);
	expect_released(_metadata, bench);
	iommufd_destroy(&vm->iommufd, vm->viommu);
	iommufd_destroy(&vm->iommufd, vm->parent);
	iommufd_destroy(&vm->iommufd, vm->ioas);
}

/* Processes and files */

/* Run @body in a child; its exit status, 0 for "as expected", or -1 */
static int in_child(struct bench *bench, void *shared, int (*body)(struct bench *, void *))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		alarm(CHILD_SECONDS);
		_exit(body(bench, shared));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(queue, munmap_leaves_its_memory_pinned)
{
	RULE("UAPI-58");
	struct bench *bench = &self->bench;
	void *va = map_run(_metadata, bench, PAGES);
	uint32_t queue = queue_alloc(bench, bench->vm.viommu, 0, IOVA, PAGES * bench->page);

	ASSERT_EQ(0, munmap(va, PAGES * bench->page));
	expect_locked(_metadata, bench);
	iommufd_destroy(&bench->vm.iommufd, queue);
	EXPECT_EQ(0, try_queue(bench, IOVA, PAGES * bench->page));
	expect_released(_metadata, bench);
}

/* Closing one of two contexts with the same pages takes away its pins only. */
TEST_F(queue, close_of_the_context_gives_the_memory_back)
{
	RULE("UAPI-58");
	struct bench *bench = &self->bench;
	uint32_t viommu = bench->vm.viommu;
	struct vm other = {};

	if (!vm_setup_parent(_metadata, &other))
		return;
	map_run(_metadata, bench, 2);
	for (uint32_t index = 0; index < 2; index++)
		queue_alloc(bench, viommu, index, IOVA, (1 + index) * bench->page);
	queue_alloc(bench, another_viommu(bench), 0, IOVA + 1, PAGES * bench->page - 1);
	ASSERT_EQ(0, __ioas_map(&other.iommufd, other.ioas, run_page(bench, 0), bench->page, IOVA,
				READ | WRITE));
	EXPECT_EQ(2, pins(bench, &other.iommufd, 0));
	EXPECT_EQ(1, pins(bench, &other.iommufd, 1));
	vm_close(&bench->vm);
	bench->vm.iommufd.ops = NULL;
	EXPECT_EQ(1, pins(bench, &other.iommufd, 0));
	for (int i = 1; i < PAGES; i++)
		EXPECT_EQ(0, pins(bench, &other.iommufd, i));
	vm_close(&other);
}

/* 0 if the child's page is another one than that of the queue, before and after it writes */
static int child_has_a_copy(struct bench *bench, void *memory)
{
	struct vm *vm = &bench->vm;

	if (!__mock_check_map(&vm->iommufd, vm->parent, IOVA, bench->page, memory))
		return 1;
	*(uint8_t *)memory = 0xcc;
	return !__mock_check_map(&vm->iommufd, vm->parent, IOVA, bench->page, memory);
}

/* Copy on write must not leave the queue with a page that its owner does not see any more. */
TEST_F(queue, memory_stays_that_of_the_parent_over_a_fork)
{
	RULE("UAPI-58");
	struct bench *bench = &self->bench;
	struct vm *vm = &bench->vm;
	uint8_t *memory = mmap(NULL, bench->page, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t queue;

	NEEDS_KERNEL(return, "more than one process");
	ASSERT_NE(MAP_FAILED, memory);
	memory[0] = 0xaa;
	ASSERT_EQ(0, __ioas_map(&vm->iommufd, vm->ioas, memory, bench->page, IOVA, READ | WRITE));
	queue = queue_alloc(bench, vm->viommu, 0, IOVA, bench->page);
	EXPECT_EQ(0, __mock_check_map(&vm->iommufd, vm->parent, IOVA, bench->page, memory));
	EXPECT_EQ(0, in_child(bench, memory, child_has_a_copy));
	EXPECT_EQ(0xaa, memory[0]);
	memory[0] = 0xbb;
	EXPECT_EQ(0, __mock_check_map(&vm->iommufd, vm->parent, IOVA, bench->page, memory));
	EXPECT_EQ(0, __mock_check_refs(&vm->iommufd, memory, bench->page, 1));
	EXPECT_EQ(-EBUSY, unmap(bench, 0, 1));
	iommufd_destroy(&vm->iommufd, queue);
	EXPECT_EQ(0, unmap(bench, 0, 1));
	EXPECT_EQ(0, __mock_check_refs(&vm->iommufd, memory, bench->page, 0));
}

static int child_makes_a_queue(struct bench *bench, void *shared)
{
	uint32_t *id = shared;
	uint8_t *va = mmap(NULL, bench->page, PROT_READ | PROT_WRITE, MAP_SHARED, bench->fd,
			   bench->run[0] * bench->page);

	if (va == MAP_FAILED)
		return 1;
	if (__ioas_map(&bench->vm.iommufd, bench->vm.ioas, va, bench->page, IOVA, READ | WRITE))
		return 2;
	return __queue_alloc(bench, bench->vm.viommu, 0, IOVA, bench->page, id) ? 3 : 0;
}

TEST_F(queue, outlives_the_process_that_made_it)
{
	RULE("UAPI-58");
	struct bench *bench = &self->bench;
	uint32_t *id = mmap(NULL, bench->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	NEEDS_KERNEL(return, "more than one process");
	ASSERT_NE(MAP_FAILED, id);
	ASSERT_EQ(0, in_child(bench, id, child_makes_a_queue));
	EXPECT_EQ(1, pins(bench, &bench->vm.iommufd, 0));
	EXPECT_EQ(-EBUSY, unmap(bench, 0, 1));
	EXPECT_EQ(-EEXIST, try_queue(bench, IOVA, bench->page));
	iommufd_destroy(&bench->vm.iommufd, *id);
	EXPECT_EQ(0, try_queue(bench, IOVA, bench->page));
	EXPECT_EQ(0, unmap(bench, 0, 1));
	EXPECT_EQ(0, pins(bench, &bench->vm.iommufd, 0));
}

static int child_does_nothing(struct bench *bench, void *queue)
{
	return 0;
}

static int child_destroys(struct bench *bench, void *queue)
{
	return __iommufd_destroy(&bench->vm.iommufd, *(uint32_t *)queue) ? 1 : 0;
}

TEST_F(queue, goes_when_a_child_destroys_it_not_when_one_exits)
{
	RULE("UAPI-58");
	struct bench *bench = &self->bench;
	uint32_t queue;

	NEEDS_KERNEL(return, "more than one process");
	map_run(_metadata, bench, PAGES);
	queue = queue_alloc(bench, bench->vm.viommu, 0, IOVA, bench->page);
	EXPECT_EQ(0, in_child(bench, &queue, child_does_nothing));
	expect_locked(_metadata, bench);
	EXPECT_EQ(0, in_child(bench, &queue, child_destroys));
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&bench->vm.iommufd, queue));
	EXPECT_EQ(0, try_queue(bench, IOVA, bench->page));
	expect_released(_metadata, bench);
}

NIT_TEST_MAIN
