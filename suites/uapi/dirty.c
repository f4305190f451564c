// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty page tracking of a page table, alone and as the nesting parent of page tables in use.
 *
 * IOMMU_TEST_OP_DIRTY marks pages as a DMA write would; it is refused (EINVAL) while tracking is
 * off, which is how a test sees whether tracking is on. The IOAS has huge pages switched off, so
 * that every page has a dirty bit of its own.
 */
#include <errno.h>
#include <sys/mman.h>

#include "attached.h"

#define IOVA ((uint64_t)MOCK_APERTURE_START)
#define PAGES 64		/* a bit each in one uint64_t */
#define MAP_FLAGS (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)
#define ENABLE IOMMU_HWPT_DIRTY_TRACKING_ENABLE
#define NO_CLEAR IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR
#define SOME_PAGES 0x8000000180000005ull

/**
 * struct dirty_vm - a VM whose memory can be tracked
 * @tracked: the HWPT with dirty tracking, a nesting parent
 * @sibling: another one of the same IOAS, so with the same mappings
 * @nested: on @tracked, straight and through the vIOMMU
 * @plain: a HWPT without dirty tracking
 * @memory: PAGES pages at IOVA
 * @page: page size of the system
 */
struct dirty_vm {
	struct vm vm;
	uint32_t tracked;
	uint32_t sibling;
	uint32_t nested[2];
	uint32_t plain;
	uint8_t *memory;
	uint64_t page;
	uint64_t length;
};

static int set_huge_pages(struct iommufd *iommufd, uint32_t ioas_id, uint64_t value)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = ioas_id,
		.val64 = value,
	};

	return __iommufd_ioctl(iommufd, IOMMU_OPTION, &cmd);
}

static void *map_memory(struct __test_metadata *_metadata, struct vm *vm, uint64_t iova,
			uint64_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			    0);

	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(0, __ioas_map(&vm->iommufd, vm->ioas, memory, length, iova, MAP_FLAGS));
	return memory;
}

static bool dirty_vm_setup(struct __test_metadata *_metadata, struct dirty_vm *d)
{
	const uint32_t flags = IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	struct iommufd *iommufd = &d->vm.iommufd;
	uint32_t dev;

	if (!vm_open(_metadata, &d->vm))
		return false;
	ASSERT_EQ(0, set_huge_pages(iommufd, d->vm.ioas, 0));
	vm_add_device(_metadata, &d->vm, 0);
	dev = d->vm.dev.idev_id;
	d->page = sysconf(_SC_PAGESIZE);
	d->length = PAGES * d->page;
	d->memory = map_memory(_metadata, &d->vm, IOVA, d->length);
	d->tracked = hwpt_alloc(iommufd, dev, d->vm.ioas, flags);
	d->sibling = hwpt_alloc(iommufd, dev, d->vm.ioas, flags);
	d->plain = hwpt_alloc(iommufd, dev, d->vm.ioas, IOMMU_HWPT_ALLOC_NEST_PARENT);
	d->vm.viommu = mock_viommu_alloc(iommufd, dev, d->tracked);
	d->vm.vdevice = vdevice_alloc(iommufd, d->vm.viommu, dev, VM_VIRT_ID);
	d->nested[0] = mock_hwpt_alloc_nested(iommufd, dev, d->tracked, 0, 0, VM_IOTLB);
	d->nested[1] = mock_hwpt_alloc_nested(iommufd, dev, d->vm.viommu, 0, 0, VM_IOTLB);
	return true;
}

/* Everything must be free once nothing is attached: a leaked reference keeps it busy. */
static void dirty_vm_teardown(struct __test_metadata *_metadata, struct dirty_vm *d)
{
	const uint32_t users_first[] = {
		d->vm.dev.stdev_id, d->nested[0], d->nested[1], d->vm.viommu, d->tracked,
		d->sibling, d->plain,
	};

	for (size_t i = 0; d->nested[1] && !_metadata->exit_code && i < ARRAY_SIZE(users_first);
	     i++) {
		int rc = __iommufd_destroy(&d->vm.iommufd, users_first[i]);

		/* -ENOENT: the test has destroyed it itself */
		EXPECT_TRUE(rc == 0 || rc == -ENOENT)
			check_note("destroying object %u at the end gives %d", users_first[i], rc);
	}
	vm_close(&d->vm);
}

/* A device writes to the pages whose bit is set in @pages */
static int write_pages(struct dirty_vm *d, uint32_t hwpt, uint64_t pages)
{
	uint64_t count;

	return __mock_set_dirty(&d->vm.iommufd, hwpt, IOVA, d->length, d->page, &pages, &count);
}

static bool is_tracking(struct dirty_vm *d, uint32_t hwpt)
{
	return !write_pages(d, hwpt, 0);
}

/* Which pages are dirty; with NO_CLEAR in @flags they stay so */
static uint64_t dirty_pages(struct __test_metadata *_metadata, struct dirty_vm *d, uint32_t hwpt,
			    uint32_t flags)
{
	uint64_t bitmap = 0;

	EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&d->vm.iommufd, hwpt, flags, IOVA, d->length, d->page,
					     &bitmap));
	return bitmap;
}

static int track(struct dirty_vm *d, uint32_t hwpt, uint32_t flags)
{
	return __hwpt_set_dirty_tracking(&d->vm.iommufd, hwpt, flags);
}

/* What uses the tracked page table meanwhile */
enum user {
	NOBODY,
	DEVICE,
	ON_NESTED,
	ON_VIOMMU_NESTED,
};

FIXTURE(tracking) {
	struct dirty_vm d;
};

FIXTURE_VARIANT(tracking) {
	enum user user;
};

FIXTURE_VARIANT_ADD(tracking, unused) { .user = NOBODY };
FIXTURE_VARIANT_ADD(tracking, attached) { .user = DEVICE };
FIXTURE_VARIANT_ADD(tracking, nested) { .user = ON_NESTED };
FIXTURE_VARIANT_ADD(tracking, viommu_nested) { .user = ON_VIOMMU_NESTED };

FIXTURE_SETUP(tracking)
{
	struct dirty_vm *d = &self->d;

	if (!dirty_vm_setup(_metadata, d) || variant->user == NOBODY)
		return;
	mock_device_replace(&d->vm.iommufd, d->vm.dev.stdev_id,
			    variant->user == DEVICE ? d->tracked :
			    variant->user == ON_NESTED ? d->nested[0] : d->nested[1]);
}

FIXTURE_TEARDOWN(tracking)
{
	dirty_vm_teardown(_metadata, &self->d);
}

TEST_F(tracking, is_off_until_switched_on_and_after_off)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-82");
	EXPECT_FALSE(is_tracking(d, d->tracked));
	EXPECT_EQ(0, track(d, d->tracked, ENABLE));
	EXPECT_TRUE(is_tracking(d, d->tracked));
	EXPECT_FALSE(is_tracking(d, d->sibling));
	EXPECT_EQ(0, track(d, d->tracked, 0));
	EXPECT_FALSE(is_tracking(d, d->tracked));
}

TEST_F(tracking, switch_on_and_off_repeatedly)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-82");
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, track(d, d->tracked, 0));
		EXPECT_EQ(0, track(d, d->tracked, 0));
		EXPECT_FALSE(is_tracking(d, d->tracked));
		EXPECT_EQ(0, track(d, d->tracked, ENABLE));
		EXPECT_EQ(0, track(d, d->tracked, ENABLE));
		EXPECT_TRUE(is_tracking(d, d->tracked));
	}
}

TEST_F(tracking, every_page_has_its_bit)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-83");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	EXPECT_EQ(0ull, dirty_pages(_metadata, d, d->tracked, 0));
	for (int i = 0; i < PAGES; i++) {
		ASSERT_EQ(0, write_pages(d, d->tracked, 1ull << i));
		EXPECT_EQ(1ull << i, dirty_pages(_metadata, d, d->tracked, 0));
	}
}

TEST_F(tracking, reading_clears)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-83");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
	EXPECT_EQ(0ull, dirty_pages(_metadata, d, d->tracked, 0));
	ASSERT_EQ(0, write_pages(d, d->tracked, ~SOME_PAGES));
	EXPECT_EQ(~SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
}

TEST_F(tracking, reading_with_no_clear_does_not)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-83");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, NO_CLEAR));
	}
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
	EXPECT_EQ(0ull, dirty_pages(_metadata, d, d->tracked, NO_CLEAR));
}

/* "bitmap where to set the dirty bits": they are added to what the bitmap has. */
TEST_F(tracking, bits_are_added)
{
	const uint64_t before = 0x00ff00ff00ff00ffull;
	struct dirty_vm *d = &self->d;
	uint64_t bitmap = before;

	RULE("UAPI-83");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&d->vm.iommufd, d->tracked, 0, IOVA, d->length,
					     d->page, &bitmap));
	EXPECT_EQ(before | SOME_PAGES, bitmap);
}

TEST_F(tracking, clears_only_what_was_read)
{
	struct dirty_vm *d = &self->d;
	uint64_t bitmap = 0;

	RULE("UAPI-83");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, UINT64_MAX));
	EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&d->vm.iommufd, d->tracked, 0, IOVA + 3 * d->page,
					     5 * d->page, d->page, &bitmap));
	EXPECT_EQ(0x1full, bitmap);
	EXPECT_EQ(~(0x1full << 3), dirty_pages(_metadata, d, d->tracked, 0));
}

/* Each page table has its own dirty bits, though the mappings are the same. */
TEST_F(tracking, siblings_are_apart)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-83");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, track(d, d->sibling, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	EXPECT_EQ(0ull, dirty_pages(_metadata, d, d->sibling, 0));
	ASSERT_EQ(0, write_pages(d, d->sibling, ~SOME_PAGES));
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
	EXPECT_EQ(0, track(d, d->sibling, 0));
	EXPECT_TRUE(is_tracking(d, d->tracked));
}

TEST_F(tracking, new_and_remapped_pages_are_tracked)
{
	struct dirty_vm *d = &self->d;
	uint64_t pages = 0;

	RULE("UAPI-83");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, UINT64_MAX));
	ASSERT_EQ(0, __ioas_unmap(&d->vm.iommufd, d->vm.ioas, IOVA, d->length, NULL));
	ASSERT_EQ(0, __ioas_map(&d->vm.iommufd, d->vm.ioas, d->memory, d->length, IOVA, MAP_FLAGS));
	EXPECT_TRUE(is_tracking(d, d->tracked));
	dirty_pages(_metadata, d, d->tracked, 0);	/* a new mapping may start dirty */
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	pages = dirty_pages(_metadata, d, d->tracked, 0);
	EXPECT_EQ(SOME_PAGES, pages);
}

/* A pre-copy migration reads the last state with NO_CLEAR and unmaps. */
TEST_F(tracking, last_read_before_unmap)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-83");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, NO_CLEAR));
	EXPECT_EQ(0, __ioas_unmap(&d->vm.iommufd, d->vm.ioas, IOVA, d->length, NULL));
	EXPECT_EQ(0, track(d, d->tracked, 0));
}

/* Switching it on starts from a clean state: io_pagetable.c:iopt_set_dirty_tracking */
TEST_F(tracking, starts_clean)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-82");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, NO_CLEAR));
	ASSERT_EQ(0, track(d, d->tracked, 0));
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	EXPECT_EQ(0ull, dirty_pages(_metadata, d, d->tracked, 0));
}

/* What uses the page table changes all the time; the dirty state is its own. */
TEST_F(tracking, survives_attach_replace_detach_of_users)
{
	struct dirty_vm *d = &self->d;
	const uint32_t users[] = {
		d->nested[0], d->nested[1], d->tracked, d->plain, d->vm.ioas, d->nested[1],
		d->sibling, d->nested[0],
	};

	RULE("UAPI-82");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
		mock_device_replace(&d->vm.iommufd, d->vm.dev.stdev_id, users[i]);
		EXPECT_TRUE(is_tracking(d, d->tracked));
		EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0))
			check_note("replace %zu", i);
	}
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	ASSERT_EQ(0, __mock_pasid_detach(&d->vm.iommufd, d->vm.dev.stdev_id, RID));
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
	EXPECT_TRUE(is_tracking(d, d->tracked));
}

TEST_F(tracking, survives_invalidation_and_destruction_of_nested)
{
	struct iommu_hwpt_invalidate_selftest all = { .flags = IOMMU_TEST_INVALIDATE_FLAG_ALL };
	struct dirty_vm *d = &self->d;
	struct iommufd *iommufd = &d->vm.iommufd;
	uint32_t one = 1;

	RULE("UAPI-82");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	ASSERT_EQ(0, __hwpt_invalidate(iommufd, d->nested[0], IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
				       &all, sizeof(all), &one));
	EXPECT_EQ(0, __mock_check_iotlb(iommufd, d->nested[0], 0, 0));
	EXPECT_EQ(0, __mock_check_iotlb(iommufd, d->nested[1], 0, VM_IOTLB));
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, NO_CLEAR));
	ASSERT_EQ(0, __mock_pasid_detach(iommufd, d->vm.dev.stdev_id, RID));
	iommufd_destroy(iommufd, d->nested[0]);
	iommufd_destroy(iommufd, d->nested[1]);
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
	EXPECT_TRUE(is_tracking(d, d->tracked));
}

/* Tracking is about the parent's page table; what the nested ones cache stays. */
TEST_F(tracking, leaves_the_caches_of_nested_alone)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-82");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	dirty_pages(_metadata, d, d->tracked, 0);
	ASSERT_EQ(0, track(d, d->tracked, 0));
	for (int i = 0; i < MOCK_NESTED_DOMAIN_IOTLB_NUM; i++) {
		EXPECT_EQ(0, __mock_check_iotlb(&d->vm.iommufd, d->nested[0], i, VM_IOTLB));
		EXPECT_EQ(0, __mock_check_iotlb(&d->vm.iommufd, d->nested[1], i, VM_IOTLB));
	}
	for (int i = 0; i < MOCK_DEV_CACHE_NUM; i++) {
		EXPECT_EQ(0, __mock_check_cache(&d->vm.iommufd, d->vm.dev.idev_id, i,
						IOMMU_TEST_DEV_CACHE_DEFAULT));
	}
}

/* Where tracking is not possible */
FIXTURE(refused) {
	struct dirty_vm d;
};

FIXTURE_SETUP(refused)
{
	if (dirty_vm_setup(_metadata, &self->d))
		mock_device_replace(&self->d.vm.iommufd, self->d.vm.dev.stdev_id,
				    self->d.nested[0]);
}

FIXTURE_TEARDOWN(refused)
{
	dirty_vm_teardown(_metadata, &self->d);
}

static int get(struct dirty_vm *d, uint32_t hwpt, uint64_t *bitmap)
{
	return __hwpt_get_dirty_bitmap(&d->vm.iommufd, hwpt, 0, IOVA, d->length, d->page, bitmap);
}

TEST_F(refused, page_table_without_dirty_tracking)
{
	struct dirty_vm *d = &self->d;
	uint32_t device_hwpt = d->vm.dev.hwpt_id;
	uint64_t bitmap = SOME_PAGES;

	RULE("UAPI-82");
	mock_device_replace(&d->vm.iommufd, d->vm.dev.stdev_id, d->vm.ioas);
	device_hwpt = attached_hwpt(&d->vm.iommufd, d->vm.dev.stdev_id, RID);
	const uint32_t without[] = { d->plain, device_hwpt };

	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		EXPECT_EQ(-EOPNOTSUPP, track(d, without[i], ENABLE));
		EXPECT_EQ(-EOPNOTSUPP, track(d, without[i], 0));
		EXPECT_EQ(-EOPNOTSUPP, get(d, without[i], &bitmap));
		EXPECT_FALSE(is_tracking(d, without[i]));
	}
	EXPECT_EQ(SOME_PAGES, bitmap);
}

/* Tracking is of IOVAs of an IOAS, which a nested page table does not have. */
TEST_F(refused, objects_that_are_no_paging_hwpt)
{
	struct dirty_vm *d = &self->d;
	const struct {
		const char *name;
		uint32_t id;
	} targets[] = {
		{ "nested on the parent, attached", d->nested[0] },
		{ "nested on the vIOMMU", d->nested[1] },
		{ "the IOAS", d->vm.ioas },
		{ "the vIOMMU", d->vm.viommu },
		{ "the vDEVICE", d->vm.vdevice },
		{ "the device", d->vm.dev.idev_id },
		{ "0", 0 },
		{ "an id never given", 100000 },
		{ "the highest id", UINT32_MAX },
	};
	uint64_t bitmap = 0;

	RULE("UAPI-82");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		EXPECT_EQ(-ENOENT, track(d, targets[i].id, ENABLE))
			check_note("on: %s", targets[i].name);
		EXPECT_EQ(-ENOENT, track(d, targets[i].id, 0))
			check_note("off: %s", targets[i].name);
		EXPECT_EQ(-ENOENT, get(d, targets[i].id, &bitmap))
			check_note("get: %s", targets[i].name);
	}
	EXPECT_EQ(0ull, bitmap);
	EXPECT_TRUE(is_tracking(d, d->tracked));
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
}

TEST_F(refused, unknown_flags_change_nothing)
{
	struct dirty_vm *d = &self->d;
	uint64_t bitmap = 0;

	RULE("UAPI-82");
	EXPECT_EQ(-EOPNOTSUPP, track(d, d->tracked, ENABLE | 2));
	EXPECT_FALSE(is_tracking(d, d->tracked));
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	for (int bit = 1; bit < 32; bit++) {
		EXPECT_EQ(-EOPNOTSUPP, track(d, d->tracked, 1u << bit));
		EXPECT_EQ(-EOPNOTSUPP, __hwpt_get_dirty_bitmap(&d->vm.iommufd, d->tracked,
							       1u << bit, IOVA, d->length,
							       d->page, &bitmap));
	}
	EXPECT_TRUE(is_tracking(d, d->tracked));
	EXPECT_EQ(0ull, bitmap);
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
}

/* "Dirty tracking support for device IOMMU is enforced on device attachment" */
TEST_F(refused, device_without_dirty_tracking)
{
	struct dirty_vm *d = &self->d;
	struct iommufd *iommufd = &d->vm.iommufd;
	struct mock_device weak = mock_device_create(iommufd, d->plain, MOCK_FLAGS_DEVICE_NO_DIRTY);
	struct mock_device none;
	uint32_t pt_id = d->tracked;

	RULE("UAPI-82");
	ASSERT_EQ(0, track(d, d->tracked, ENABLE));
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	EXPECT_EQ(-EINVAL, attach_call(iommufd, IOMMU_TEST_OP_PASID_REPLACE, weak.stdev_id, RID,
				       &pt_id));
	EXPECT_EQ(d->plain, attached_hwpt(iommufd, weak.stdev_id, RID));
	ASSERT_EQ(0, __mock_pasid_detach(iommufd, weak.stdev_id, RID));
	EXPECT_EQ(-EINVAL, attach_call(iommufd, IOMMU_TEST_OP_PASID_ATTACH, weak.stdev_id, RID,
				       &pt_id));
	EXPECT_EQ(0u, attached_hwpt(iommufd, weak.stdev_id, RID));
	EXPECT_EQ(-EINVAL, __mock_device_create(iommufd, d->tracked, MOCK_FLAGS_DEVICE_NO_DIRTY,
						&none));
	EXPECT_EQ(-EOPNOTSUPP, __hwpt_alloc(iommufd, weak.idev_id, d->vm.ioas,
					    IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &pt_id));
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
	EXPECT_TRUE(is_tracking(d, d->tracked));
}

/*
 * GET_DIRTY_BITMAP: range, page_size and bitmap. Everything is tracked and starts with SOME_PAGES
 * dirty.
 */
FIXTURE(bitmap) {
	struct dirty_vm d;
	uint8_t *end;		/* of a writable page: what follows cannot be accessed */
	uint8_t *buffer;	/* BUFFER bytes before it */
};

#define BUFFER 2048

FIXTURE_SETUP(bitmap)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (!dirty_vm_setup(_metadata, &self->d))
		return;
	self->end = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->end);
	self->end += 2 * page;
	ASSERT_EQ(0, mprotect(self->end, page, PROT_NONE));
	self->buffer = self->end - BUFFER;
	mock_device_replace(&self->d.vm.iommufd, self->d.vm.dev.stdev_id, self->d.nested[1]);
	ASSERT_EQ(0, track(&self->d, self->d.tracked, ENABLE));
	ASSERT_EQ(0, write_pages(&self->d, self->d.tracked, SOME_PAGES));
}

FIXTURE_TEARDOWN(bitmap)
{
	dirty_vm_teardown(_metadata, &self->d);
}

static int get_range(struct dirty_vm *d, uint64_t iova, uint64_t length, uint64_t page_size,
		     void *bitmap)
{
	return __hwpt_get_dirty_bitmap(&d->vm.iommufd, d->tracked, NO_CLEAR, iova, length,
				       page_size, bitmap);
}

TEST_F(bitmap, bad_range_is_refused)
{
	struct dirty_vm *d = &self->d;
	uint64_t page = d->page;
	const struct {
		const char *name;
		uint64_t iova, length, page_size;
		int error;
	} bad[] = {
		{ "length 0", IOVA, 0, page, -EINVAL },
		{ "length 0 at 0", 0, 0, page, -EINVAL },
		{ "page size 0", IOVA, page, 0, -EINVAL },
		{ "IOVA not of page size", IOVA + page / 2, page, page, -EINVAL },
		{ "IOVA and end not of page size", IOVA + page / 2, page, page, -EINVAL },
		{ "length not of page size", IOVA, page + page / 2, page, -EINVAL },
		{ "length 1", IOVA, 1, page, -EINVAL },
		{ "IOVA not of a large page size", IOVA + page, 2 * page, 2 * page, -EINVAL },
		{ "length not of a large page size", IOVA, 3 * page, 2 * page, -EINVAL },
		{ "page size larger than range", IOVA, page, 4 * page, -EINVAL },
		{ "finer than the mappings, IOVA", IOVA + 512, page, 512, -EINVAL },
		{ "finer than the mappings, length", IOVA, 512, 512, -EINVAL },
		{ "overflow by 1", UINT64_MAX, 2, 1, -EOVERFLOW },
		{ "overflow by a page", -page, 2 * page, page, -EOVERFLOW },
		{ "overflow far", IOVA, UINT64_MAX, page, -EOVERFLOW },
		{ "overflow from the middle", 1ull << 63, (1ull << 63) + page, page, -EOVERFLOW },
	};
	uint64_t bitmap = 0;

	RULE("UAPI-84");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(bad[i].error, __hwpt_get_dirty_bitmap(&d->vm.iommufd, d->tracked, 0,
								bad[i].iova, bad[i].length,
								bad[i].page_size, &bitmap))
			check_note("%s", bad[i].name);
	}
	EXPECT_EQ(0ull, bitmap);
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
}

/* Bit @bit of a bitmap of @page_size bytes a bit, when @pages of d->page bytes are dirty */
static bool expected_bit(struct dirty_vm *d, uint64_t pages, uint64_t page_size, uint64_t bit)
{
	uint64_t first = bit * page_size / d->page;
	uint64_t last = (bit * page_size + page_size - 1) / d->page;

	for (uint64_t page = first; page <= last && page < PAGES; page++)
		if (pages >> page & 1)
			return true;
	return false;
}

/* The whole buffer is as a bitmap of SOME_PAGES at byte @offset must be; other bits untouched */
static int wrong_bits(FIXTURE_DATA(bitmap) *self, uint64_t page_size, size_t offset)
{
	struct dirty_vm *d = &self->d;
	int wrong = 0;

	for (uint64_t bit = 0; bit < BUFFER * 8; bit++) {
		uint64_t n = bit - offset * 8;
		bool inside = bit >= offset * 8 && n < d->length / page_size;
		bool expected = inside && expected_bit(d, SOME_PAGES, page_size, n);
		bool seen = self->buffer[bit / 8] >> bit % 8 & 1;

		if (seen == expected)
			continue;
		if (!wrong++)
			check_note("page size %#llx, offset %zu: bit %lld is %d",
				   (unsigned long long)page_size, offset, (long long)n, seen);
	}
	return wrong;
}

/* From bits finer than any page to one bit for everything */
TEST_F(bitmap, each_bit_is_a_page_of_page_size)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-83");
	for (uint64_t page_size = d->length / (BUFFER * 8); page_size <= d->length;
	     page_size *= 2) {
		memset(self->buffer, 0, BUFFER);
		EXPECT_EQ(0, get_range(d, IOVA, d->length, page_size, self->buffer));
		EXPECT_EQ(0, wrong_bits(self, page_size, 0));
	}
}

TEST_F(bitmap, may_start_at_any_byte)
{
	struct dirty_vm *d = &self->d;
	const size_t bytes = PAGES / 8;

	RULE("UAPI-83");
	for (size_t offset = 0; offset < 17; offset++) {
		memset(self->buffer, 0, BUFFER);
		EXPECT_EQ(0, get_range(d, IOVA, d->length, d->page, self->buffer + offset));
		EXPECT_EQ(0, wrong_bits(self, d->page, offset));
	}
	/* Nothing is needed beyond the last byte with a bit. */
	memset(self->buffer, 0, BUFFER);
	EXPECT_EQ(0, get_range(d, IOVA, d->length, d->page, self->end - bytes));
	EXPECT_EQ(0, wrong_bits(self, d->page, BUFFER - bytes));
}

TEST_F(bitmap, may_lie_across_pages)
{
	struct dirty_vm *d = &self->d;
	uint8_t *edge = self->end - d->page;

	RULE("UAPI-83");
	for (size_t before = 0; before <= PAGES / 8; before++) {
		uint64_t bitmap = 0;

		memset(edge - 16, 0, 32);
		EXPECT_EQ(0, get_range(d, IOVA, d->length, d->page, edge - before));
		memcpy(&bitmap, edge - before, sizeof(bitmap));
		EXPECT_EQ(SOME_PAGES, bitmap)
			check_note("%zu bytes on the first page", before);
	}
}

/* Ranges of every start and length: no bit of a page outside of the range */
TEST_F(bitmap, part_of_the_mappings)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-83");
	for (uint64_t first = 0; first < PAGES; first += 7) {
		for (uint64_t count = 1; first + count <= PAGES; count += 3) {
			uint64_t mask = count == 64 ? UINT64_MAX : (1ull << count) - 1;
			uint64_t bitmap = 0;

			EXPECT_EQ(0, get_range(d, IOVA + first * d->page, count * d->page, d->page,
					       &bitmap));
			EXPECT_EQ(SOME_PAGES >> first & mask, bitmap)
				check_note("%llu pages from page %llu", (unsigned long long)count,
					   (unsigned long long)first);
		}
	}
}

/* A range over several mappings that follow each other */
TEST_F(bitmap, several_mappings_in_a_row)
{
	struct dirty_vm *d = &self->d;
	struct iommufd *iommufd = &d->vm.iommufd;
	uint64_t bitmap = 0;

	RULE("UAPI-83");
	ASSERT_EQ(0, __ioas_unmap(iommufd, d->vm.ioas, IOVA, d->length, NULL));
	for (int i = 0; i < PAGES; i++) {
		ASSERT_EQ(0, __ioas_map(iommufd, d->vm.ioas, d->memory + i * d->page, d->page,
					IOVA + i * d->page, MAP_FLAGS));
	}
	dirty_pages(_metadata, d, d->tracked, 0);
	ASSERT_EQ(0, write_pages(d, d->tracked, SOME_PAGES));
	EXPECT_EQ(0, get_range(d, IOVA, d->length, d->page, &bitmap));
	EXPECT_EQ(SOME_PAGES, bitmap);
}

/*
 * Promises that deserve a test of their own
 */

/* "ENOENT: An ID or IOVA provided does not exist" */
TEST_F(bitmap, unmapped_range_is_refused)
{
	struct dirty_vm *d = &self->d;
	uint64_t bitmap = 0;

	RULE("UAPI-84");
	EXPECT_NE(0, get_range(d, IOVA + d->length, d->length, d->page, &bitmap));
	EXPECT_EQ(0ull, bitmap);
}

/* Either refuse the range, or tell of every dirty page in it: silence loses guest memory. */
TEST_F(bitmap, dirty_page_behind_a_hole_is_not_lost)
{
	struct dirty_vm *d = &self->d;
	struct iommufd *iommufd = &d->vm.iommufd;
	uint64_t next = IOVA + d->length + d->page;	/* after a hole of one page */
	uint64_t bitmap[2] = {}, one = 1, count;
	int rc;

	RULE("UAPI-83");
	ASSERT_EQ(0, __ioas_map(iommufd, d->vm.ioas, d->memory, d->page, next, MAP_FLAGS));
	ASSERT_EQ(0, get_range(d, next, d->page, d->page, bitmap));
	ASSERT_EQ(0, __mock_set_dirty(iommufd, d->tracked, next, d->page, d->page, &one, &count));
	ASSERT_EQ(0, get_range(d, next, d->page, d->page, bitmap));
	EXPECT_EQ(1ull, bitmap[0]);	/* control: it is dirty */
	bitmap[0] = 0;
	rc = get_range(d, IOVA, d->length + 2 * d->page, d->page, bitmap);
	EXPECT_TRUE(rc || bitmap[1] == 2)
		check_note("returned %d, words %#llx %#llx", rc, (unsigned long long)bitmap[0],
			   (unsigned long long)bitmap[1]);
}

TEST_F(bitmap, unwritable_bitmap_is_refused)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-84");
	EXPECT_NE(0, get_range(d, IOVA, d->length, d->page, self->end));
	EXPECT_NE(0, get_range(d, IOVA, d->length, d->page, NULL));
}

/* Pages 31, 32 and 63 are dirty; there is room for the bits of 32 pages. */
TEST_F(bitmap, too_short_a_bitmap_is_refused)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-84");
	EXPECT_NE(0, get_range(d, IOVA, d->length, d->page, self->end - 4));
}

TEST_F(bitmap, dirty_state_is_not_lost_to_an_unwritable_bitmap)
{
	struct dirty_vm *d = &self->d;

	RULE("UAPI-84");
	__hwpt_get_dirty_bitmap(&d->vm.iommufd, d->tracked, 0, IOVA, d->length, d->page, self->end);
	EXPECT_EQ(SOME_PAGES, dirty_pages(_metadata, d, d->tracked, 0));
}

TEST_F(bitmap, page_size_that_is_no_power_of_two)
{
	struct dirty_vm *d = &self->d;
	uint64_t bitmap = 0, second = 2;
	int rc;

	RULE("UAPI-84");
	dirty_pages(_metadata, d, d->tracked, 0);
	ASSERT_EQ(0, write_pages(d, d->tracked, second));
	EXPECT_EQ(second, dirty_pages(_metadata, d, d->tracked, NO_CLEAR));
	rc = get_range(d, IOVA, 12 * d->page, 3 * d->page, &bitmap);
	/* Refused, or bit 0 (the first three pages) and no other */
	EXPECT_TRUE(rc == -EINVAL || rc == -EOPNOTSUPP || (!rc && bitmap == 1))
		check_note("page 1 dirty, 3 pages a bit: returned %d, bitmap %#llx", rc,
			   (unsigned long long)bitmap);
}

/*
 * Bitmaps of several windows: the kernel pins PAGE_SIZE / sizeof(void *) pages of the bitmap at
 * once (iova_bitmap.c:iova_bitmap_get), 2 MiB with 4 KiB pages, and moves on as it needs. With
 * one bit a byte 36 MiB of IOVA are more than two windows. The same memory is mapped many times.
 */
#define CHUNK 0x100000ull
#define CHUNKS 36
#define WINDOW (16 * CHUNK)

FIXTURE(windows) {
	struct vm vm;
	uint32_t hwpt;
	uint64_t page;
	uint8_t *map;
	uint8_t *bitmap;
	size_t size;
};

FIXTURE_VARIANT(windows) {
	size_t offset;	/* of the bitmap in its first page */
};

FIXTURE_VARIANT_ADD(windows, aligned) { .offset = 0 };
FIXTURE_VARIANT_ADD(windows, odd) { .offset = 1 };
FIXTURE_VARIANT_ADD(windows, end_of_page) { .offset = 4095 };

FIXTURE_SETUP(windows)
{
	struct vm *vm = &self->vm;
	void *memory;

	if (!vm_open(_metadata, vm))
		return;
	ASSERT_EQ(0, set_huge_pages(&vm->iommufd, vm->ioas, 0));
	vm_add_device(_metadata, vm, 0);
	self->page = sysconf(_SC_PAGESIZE);
	self->hwpt = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas,
				IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	memory = map_memory(_metadata, vm, IOVA, CHUNK);
	for (int i = 1; i < CHUNKS; i++) {
		ASSERT_EQ(0, __ioas_map(&vm->iommufd, vm->ioas, memory, CHUNK, IOVA + i * CHUNK,
					MAP_FLAGS));
	}
	self->size = CHUNKS * CHUNK / 8;
	self->map = mmap(NULL, self->size + self->page, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->map);
	self->bitmap = self->map + variant->offset;
	ASSERT_EQ(0, __hwpt_set_dirty_tracking(&vm->iommufd, self->hwpt, ENABLE));
}

FIXTURE_TEARDOWN(windows)
{
	vm_close(&self->vm);
}

static int write_page(FIXTURE_DATA(windows) *self, uint64_t offset)
{
	uint64_t bit = 1, count;

	return __mock_set_dirty(&self->vm.iommufd, self->hwpt, IOVA + offset, self->page,
				self->page, &bit, &count);
}

/* Bytes of the bitmap, and of what surrounds it, that are not 0 */
static size_t bytes_set(FIXTURE_DATA(windows) *self)
{
	size_t count = 0;

	for (size_t i = 0; i < self->size + self->page; i++)
		count += self->map[i] != 0;
	return count;
}

TEST_F(windows, every_dirty_page_is_reported_where_it_belongs)
{
	const uint64_t dirty[] = {
		0, WINDOW - self->page, WINDOW, WINDOW + self->page, 2 * WINDOW - self->page,
		2 * WINDOW, CHUNKS * CHUNK - self->page,
	};
	const size_t bytes = self->page / 8;

	RULE("UAPI-83");
	for (size_t i = 0; i < ARRAY_SIZE(dirty); i++)
		ASSERT_EQ(0, write_page(self, dirty[i]));
	EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&self->vm.iommufd, self->hwpt, 0, IOVA,
					     CHUNKS * CHUNK, 1, self->bitmap));
	for (size_t i = 0; i < ARRAY_SIZE(dirty); i++) {
		EXPECT_EQ(0xff, self->bitmap[dirty[i] / 8])
			check_note("first bits of the page at %#llx", (unsigned long long)dirty[i]);
		EXPECT_EQ(0xff, self->bitmap[dirty[i] / 8 + bytes - 1])
			check_note("last bits of the page at %#llx", (unsigned long long)dirty[i]);
	}
	EXPECT_EQ(ARRAY_SIZE(dirty) * bytes, bytes_set(self));
	/* Read, so clean */
	memset(self->map, 0, self->size + self->page);
	EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&self->vm.iommufd, self->hwpt, 0, IOVA,
					     CHUNKS * CHUNK, 1, self->bitmap));
	EXPECT_EQ(0u, bytes_set(self));
}

TEST_F(windows, only_page_is_in_the_last_window)
{
	const uint64_t last = CHUNKS * CHUNK - self->page;

	RULE("UAPI-83");
	ASSERT_EQ(0, write_page(self, last));
	EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&self->vm.iommufd, self->hwpt, NO_CLEAR, IOVA,
					     CHUNKS * CHUNK, 1, self->bitmap));
	EXPECT_EQ(0xff, self->bitmap[last / 8]);
	EXPECT_EQ(self->page / 8, bytes_set(self));
}

/*
 * With huge pages one dirty bit may stand for more than was written. What was written must be
 * reported all the same.
 */
FIXTURE(huge) {
	struct vm vm;
	uint32_t hwpt;
	uint64_t length;
};

FIXTURE_VARIANT(huge) {
	uint32_t pagetable_type;
};

FIXTURE_VARIANT_ADD(huge, all_sizes) { .pagetable_type = MOCK_IOMMUPT_DEFAULT };
FIXTURE_VARIANT_ADD(huge, one_size) { .pagetable_type = MOCK_IOMMUPT_HUGE };

FIXTURE_SETUP(huge)
{
	const struct iommu_hwpt_selftest data = { .pagetable_type = variant->pagetable_type };
	struct vm *vm = &self->vm;

	if (!vm_open(_metadata, vm))
		return;
	vm_add_device(_metadata, vm, 0);
	self->length = 4 * MOCK_HUGE_PAGE_SIZE;
	map_memory(_metadata, vm, IOVA, self->length);
	self->hwpt = ASSERT_NEW_ID(__hwpt_alloc_data(&vm->iommufd, vm->dev.idev_id, vm->ioas,
						     IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0,
						     IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data),
						     &id));
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, self->hwpt);
	ASSERT_EQ(0, __hwpt_set_dirty_tracking(&vm->iommufd, self->hwpt, ENABLE));
}

FIXTURE_TEARDOWN(huge)
{
	vm_close(&self->vm);
}

TEST_F(huge, what_was_written_is_reported)
{
	const uint64_t page = MOCK_PAGE_SIZE;
	uint64_t bitmap[4 * MOCK_HUGE_PAGE_SIZE / MOCK_PAGE_SIZE / 64];

	RULE("UAPI-83");
	for (uint64_t at = 0; at < self->length; at += 37 * page) {
		uint64_t n = at / page, bit = 1, count;

		ASSERT_EQ(0, __mock_set_dirty(&self->vm.iommufd, self->hwpt, IOVA + at, page, page,
					      &bit, &count));
		memset(bitmap, 0, sizeof(bitmap));
		EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&self->vm.iommufd, self->hwpt, 0, IOVA,
						     self->length, page, bitmap));
		EXPECT_EQ(1ull, bitmap[n / 64] >> n % 64 & 1)
			check_note("page %llu", (unsigned long long)n);
		EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&self->vm.iommufd, self->hwpt, 0, IOVA,
						     self->length, page, bitmap));
	}
	memset(bitmap, 0, sizeof(bitmap));
	EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&self->vm.iommufd, self->hwpt, 0, IOVA, self->length,
					     page, bitmap));
	for (size_t i = 0; i < ARRAY_SIZE(bitmap); i++) {
		EXPECT_EQ(0ull, bitmap[i]);
	}
}

NIT_TEST_MAIN
