// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel drivers that use an IOAS without DMA (mdev; here the mock driver's accesses): they pin
 * the pages behind an IOVA, or read and write them. What they hold must be what the IOAS maps, and
 * gone once the mapping is.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access.h"
#include "vm.h"

#define IOVA MOCK_APERTURE_START
#define PAGES 4
#define READ_WRITE (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)
#define FILL 0x5a

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* ---- the set-up: PAGES pages at IOVA, in two mappings that touch ---- */

FIXTURE(access) {
	struct vm vm;
	uint8_t *buf;
	int fd;
	uint32_t pin;
};

FIXTURE_VARIANT(access) {
	bool beside_dma;	/* a device has the IOAS, too: the pages are in its page table */
};

FIXTURE_VARIANT_ADD(access, alone) {
	.beside_dma = false,
};

FIXTURE_VARIANT_ADD(access, beside_dma) {
	.beside_dma = true,
};

FIXTURE_SETUP(access)
{
	struct vm *vm = &self->vm;
	size_t half = PAGES / 2 * page_size();

	NEEDS_KERNEL(return, "pins of kernel drivers");
	if (!vm_open(_metadata, vm))
		return;
	self->buf = mmap(NULL, PAGES * page_size(), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->buf);
	if (variant->beside_dma)
		vm_add_device(_metadata, vm, 0);
	ASSERT_EQ(0, __ioas_map(&vm->iommufd, vm->ioas, self->buf, half, IOVA, READ_WRITE));
	ASSERT_EQ(0, __ioas_map(&vm->iommufd, vm->ioas, self->buf + half, half, IOVA + half,
				READ_WRITE));
	ASSERT_EQ(0, __access_create(&vm->iommufd, vm->ioas, TAKES_PINS, &self->fd));
}

FIXTURE_TEARDOWN(access)
{
	if (!self->buf)
		return;
	if (self->fd)
		close(self->fd);
	ASSERT_EQ(0, __ioas_unmap(&self->vm.iommufd, self->vm.ioas, 0, UINT64_MAX, NULL));
	EXPECT_EQ(0, __mock_check_refs(&self->vm.iommufd, self->buf, PAGES * page_size(), 0));
	vm_close(&self->vm);
}

/* 0 if each of the @pages at @va is pinned @refs times */
static int pinned(struct iommufd *iommufd, const void *va, uint32_t pages, uint32_t refs)
{
	return __mock_check_refs(iommufd, va, pages * page_size(), refs);
}

/* A device has its pages pinned already; an access shares that pin. */
TEST_F(access, pins_the_pages_behind_the_iova)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	size_t length = PAGES * page_size();
	uint32_t at_rest = variant->beside_dma;

	RULE("UAPI-100");
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES, at_rest));
	EXPECT_EQ(-EBADE, __access_pin(iommufd, self->fd, IOVA, page_size(),
				       self->buf + page_size(), 0, &self->pin));
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES, at_rest));
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA, length, self->buf,
				  MOCK_FLAGS_ACCESS_WRITE, &self->pin));
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES, 1));
	ASSERT_EQ(0, __access_unpin(iommufd, self->fd, self->pin));
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES, at_rest));
}

TEST_F(access, pins_take_a_page_to_start_at)
{
	struct iommufd *iommufd = &self->vm.iommufd;

	RULE("UAPI-100");
	EXPECT_EQ(-EINVAL, __access_pin(iommufd, self->fd, IOVA + 1, page_size() - 1, self->buf + 1,
					 0, &self->pin));
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA + page_size(), 1, self->buf + page_size(),
				  0, &self->pin));
	EXPECT_EQ(0, pinned(iommufd, self->buf + page_size(), 1, 1));
	EXPECT_EQ(0, pinned(iommufd, self->buf, 1, variant->beside_dma));
	EXPECT_EQ(0, __access_unpin(iommufd, self->fd, self->pin));
}

/* The hole comes after good pages: they must be let go of. */
TEST_F(access, hole_is_enoent_and_pins_nothing)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	size_t half = PAGES / 2 * page_size();
	uint64_t holes[] = { IOVA + PAGES * page_size(), IOVA - page_size() };

	RULE("UAPI-100");
	EXPECT_EQ(-ENOENT, __access_pin(iommufd, self->fd, IOVA, (PAGES + 1) * page_size(), NULL, 0,
					&self->pin));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(-ENOENT, __access_pin(iommufd, self->fd, holes[i], page_size(), NULL, 0,
						&self->pin));
	}
	ASSERT_EQ(0, __ioas_unmap(iommufd, self->vm.ioas, IOVA + half, half, NULL));
	EXPECT_EQ(-ENOENT, __access_pin(iommufd, self->fd, IOVA, 2 * half, NULL, 0, &self->pin));
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES / 2, variant->beside_dma));
}

TEST_F(access, range_that_is_none_is_refused)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	uint64_t last_page = -page_size();
	char byte;

	RULE("UAPI-100");
	EXPECT_EQ(-EINVAL, __access_pin(iommufd, self->fd, IOVA, 0, NULL, 0, &self->pin));
	EXPECT_EQ(-EOVERFLOW, __access_pin(iommufd, self->fd, last_page, 2 * page_size(), NULL, 0,
					   &self->pin));
	EXPECT_EQ(-EINVAL, __access_rw(iommufd, self->fd, IOVA, &byte, 0, 0));
	EXPECT_EQ(-EOVERFLOW, __access_rw(iommufd, self->fd, last_page, self->buf, 2 * page_size(),
					  0));
}

/* To read takes a readable mapping, to write a writable one; good pages before are let go of. */
TEST_F(access, protection_is_kept)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	uint64_t iova = IOVA + PAGES * page_size();
	uint32_t write = MOCK_FLAGS_ACCESS_WRITE;
	uint8_t data[2] = {};

	RULE("UAPI-100");
	ASSERT_EQ(0, __ioas_map(iommufd, self->vm.ioas, self->buf, page_size(), iova,
				IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(-EPERM, __access_pin(iommufd, self->fd, iova, page_size(), NULL, write,
				       &self->pin));
	EXPECT_EQ(-EPERM, __access_pin(iommufd, self->fd, iova - page_size(), 2 * page_size(), NULL,
				       write, &self->pin));
	EXPECT_EQ(-EPERM, __access_rw(iommufd, self->fd, iova - 1, data, 2, MOCK_ACCESS_RW_WRITE));
	EXPECT_EQ(0, __access_rw(iommufd, self->fd, iova - 1, data, 2, 0));
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, iova, page_size(), self->buf, 0, &self->pin));
	ASSERT_EQ(0, __access_unpin(iommufd, self->fd, self->pin));
	EXPECT_EQ(0, pinned(iommufd, self->buf + page_size(), PAGES - 1,
			    variant->beside_dma));
}

TEST_F(access, write_only_mapping_is_not_read)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	uint64_t iova = IOVA + PAGES * page_size();
	uint8_t byte = FILL;

	RULE("UAPI-100");
	ASSERT_EQ(0, __ioas_map(iommufd, self->vm.ioas, self->buf, page_size(), iova,
				IOMMU_IOAS_MAP_WRITEABLE));
	EXPECT_EQ(-EPERM, __access_pin(iommufd, self->fd, iova, page_size(), NULL, 0, &self->pin));
	EXPECT_EQ(-EPERM, __access_rw(iommufd, self->fd, iova, &byte, 1, 0));
	EXPECT_EQ(0, __access_rw(iommufd, self->fd, iova, &byte, 1, MOCK_ACCESS_RW_WRITE));
	EXPECT_EQ(FILL, self->buf[0]);
}

/* Good pages come first again. A device keeps its pages; who has none asks the process for them. */
TEST_F(access, memory_that_is_gone_is_efault_and_pins_nothing)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	size_t half = PAGES / 2 * page_size();

	RULE("UAPI-100");
	if (variant->beside_dma)
		SKIP(return, "the pages of a device are pinned");
	ASSERT_EQ(0, munmap(self->buf + half, half));
	EXPECT_EQ(-EFAULT, __access_pin(iommufd, self->fd, IOVA, 2 * half, NULL, 0, &self->pin));
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES / 2, 0));
	ASSERT_NE(MAP_FAILED, mmap(self->buf + half, half, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE | MAP_FIXED, -1, 0));
}

/* ---- bytes ---- */

FIXTURE(bytes) {
	struct vm vm;
	uint8_t *buf, *data;
	int fd;
};

FIXTURE_VARIANT(bytes) {
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(bytes, fast) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(bytes, slow) {
	.flags = MOCK_ACCESS_RW_SLOW_PATH,
};

FIXTURE_SETUP(bytes)
{
	struct vm *vm = &self->vm;
	size_t length = PAGES * page_size();

	if (!vm_open(_metadata, vm))
		return;
	self->buf = mmap(NULL, 2 * length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			 0);
	ASSERT_NE(MAP_FAILED, (void *)self->buf);
	self->data = self->buf + length;
	for (size_t i = 0; i < length; i++)
		self->buf[i] = i * 7 + i / page_size();
	for (size_t page = 0; page < PAGES; page++)
		ASSERT_EQ(0, __ioas_map(&vm->iommufd, vm->ioas, self->buf + page * page_size(),
					page_size(), IOVA + page * page_size(), READ_WRITE));
	ASSERT_EQ(0, __access_create(&vm->iommufd, vm->ioas, 0, &self->fd));
}

FIXTURE_TEARDOWN(bytes)
{
	if (self->fd)
		close(self->fd);
	vm_close(&self->vm);
}

/* Where a range may begin and end: in a page, at its edges, across mappings */
static const struct {
	size_t offset, length;
} ranges[] = {
	{ 0, 1 }, { 1, 1 }, { 2047, 2 }, { 4095, 1 }, { 4095, 2 }, { 4096, 4096 },
	{ 17, 4096 }, { 4095, 8194 }, { 0, 16384 },
};

TEST_F(bytes, are_read_exactly)
{
	RULE("UAPI-100");
	if (!self->buf)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		size_t offset = ranges[i].offset, length = ranges[i].length;

		memset(self->data, FILL, length + 1);
		EXPECT_EQ(0, __access_rw(&self->vm.iommufd, self->fd, IOVA + offset, self->data,
					 length, variant->flags));
		EXPECT_EQ(0, memcmp(self->data, self->buf + offset, length)) {
			check_note("%zu bytes at %zu", length, offset);
		}
	}
}

TEST_F(bytes, are_written_exactly)
{
	size_t all = PAGES * page_size();
	uint8_t *expected;

	RULE("UAPI-100");
	if (!self->buf)
		return;
	expected = malloc(all);
	ASSERT_NE(NULL, expected);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		size_t offset = ranges[i].offset, length = ranges[i].length;

		memcpy(expected, self->buf, all);
		memset(expected + offset, FILL + i, length);
		memset(self->data, FILL + i, length);
		EXPECT_EQ(0, __access_rw(&self->vm.iommufd, self->fd, IOVA + offset, self->data,
					 length, variant->flags | MOCK_ACCESS_RW_WRITE));
		EXPECT_EQ(0, memcmp(expected, self->buf, all)) {
			check_note("%zu bytes at %zu", length, offset);
		}
	}
	free(expected);
}

TEST_F(bytes, hole_is_enoent)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	uint64_t end = IOVA + PAGES * page_size();

	RULE("UAPI-100");
	if (!self->buf)
		return;
	EXPECT_EQ(-ENOENT, __access_rw(iommufd, self->fd, end, self->data, 1, variant->flags));
	EXPECT_EQ(-ENOENT, __access_rw(iommufd, self->fd, end - 1, self->data, 2, variant->flags));
	EXPECT_EQ(-ENOENT, __access_rw(iommufd, self->fd, IOVA - 1, self->data, 2, variant->flags));
	ASSERT_EQ(0, __ioas_unmap(iommufd, self->vm.ioas, IOVA + page_size(), page_size(), NULL));
	EXPECT_EQ(-ENOENT, __access_rw(iommufd, self->fd, IOVA, self->data, 3 * page_size(),
				       variant->flags));
	EXPECT_EQ(0, __access_rw(iommufd, self->fd, IOVA, self->data, page_size(), variant->flags));
}

/* The mapping outlives the memory of the process, which is all that there is behind it. */
TEST_F(bytes, of_memory_that_is_gone_are_efault)
{
	RULE("UAPI-100");
	if (!self->buf)
		return;
	ASSERT_EQ(0, munmap(self->buf, page_size()));
	EXPECT_EQ(-EFAULT, __access_rw(&self->vm.iommufd, self->fd, IOVA, self->data, page_size(),
				       variant->flags));
	EXPECT_EQ(-EFAULT, __access_rw(&self->vm.iommufd, self->fd, IOVA, self->data, page_size(),
				       variant->flags | MOCK_ACCESS_RW_WRITE));
	EXPECT_EQ(0, __access_rw(&self->vm.iommufd, self->fd, IOVA + page_size(), self->data,
				 page_size(), variant->flags));
}

/* An access that said that it pins nothing may be on mappings smaller than a page. */
TEST_F(bytes, of_an_access_that_cannot_pin)
{
	uint32_t pin;

	RULE("UAPI-100");
	if (!self->buf)
		return;
	EXPECT_EQ(-EOPNOTSUPP, __access_pin(&self->vm.iommufd, self->fd, IOVA, page_size(), NULL, 0,
					    &pin));
}

/* ---- what an unmap takes away ---- */

TEST_F(access, unmap_takes_back_what_it_covers)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	size_t half = PAGES / 2 * page_size();
	uint32_t both, second;
	uint64_t unmapped;

	RULE("UAPI-101");
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA, half, self->buf, 0, &self->pin));
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA, 2 * half, self->buf, 0, &both));
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA + half, half, self->buf + half, 0,
				  &second));
	EXPECT_EQ(0, __ioas_unmap(iommufd, self->vm.ioas, IOVA, half, &unmapped));
	EXPECT_EQ(half, unmapped);
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES / 2, 0));
	EXPECT_EQ(0, pinned(iommufd, self->buf + half, PAGES / 2, 1));
	EXPECT_EQ(-ENOENT, __access_unpin(iommufd, self->fd, self->pin));
	EXPECT_EQ(-ENOENT, __access_unpin(iommufd, self->fd, both));
	EXPECT_EQ(0, __access_unpin(iommufd, self->fd, second));
}

TEST_F(access, unmap_of_all_takes_back_all_of_every_access)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	size_t length = PAGES * page_size();
	uint32_t other_pin;
	int other;

	RULE("UAPI-101");
	ASSERT_EQ(0, __access_create(iommufd, self->vm.ioas, TAKES_PINS, &other));
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA, length, self->buf, 0, &self->pin));
	ASSERT_EQ(0, __access_pin(iommufd, other, IOVA, length, self->buf, 0, &other_pin));
	EXPECT_EQ(0, __ioas_unmap(iommufd, self->vm.ioas, 0, UINT64_MAX, NULL));
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES, 0));
	EXPECT_EQ(-ENOENT, __access_unpin(iommufd, other, other_pin));
	EXPECT_EQ(-ENOENT, __access_pin(iommufd, self->fd, IOVA, length, self->buf, 0, &self->pin));
	close(other);
}

TEST_F(access, close_takes_back_what_it_pinned)
{
	struct iommufd *iommufd = &self->vm.iommufd;

	RULE("UAPI-101");
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA, PAGES * page_size(), self->buf, 0,
				  &self->pin));
	ASSERT_EQ(0, close(self->fd));
	self->fd = 0;
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES, variant->beside_dma));
	EXPECT_EQ(variant->beside_dma ? -EBUSY : 0, __iommufd_destroy(iommufd, self->vm.ioas));
	if (!variant->beside_dma)
		self->vm.ioas = ioas_alloc(iommufd);
}

/* The last reference to the pages may be the access's own. */
TEST_F(access, pins_outlive_the_device_that_shared_them)
{
	struct iommufd *iommufd = &self->vm.iommufd;

	RULE("UAPI-101");
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA, PAGES * page_size(), self->buf, 0,
				  &self->pin));
	if (variant->beside_dma)
		iommufd_destroy(iommufd, self->vm.dev.stdev_id);
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES, 1));
	EXPECT_EQ(0, __access_unpin(iommufd, self->fd, self->pin));
	EXPECT_EQ(0, pinned(iommufd, self->buf, PAGES, 0));
}

/* ---- another IOAS ---- */

TEST_F(access, replace_goes_to_the_new_ioas_with_nothing_of_the_old)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	uint32_t other = ioas_alloc(iommufd);
	uint8_t byte = FILL;

	RULE("UAPI-102");
	ASSERT_EQ(0, __ioas_map(iommufd, other, self->buf + page_size(), page_size(), IOVA,
				READ_WRITE));
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA, page_size(), self->buf, 0, &self->pin));
	EXPECT_EQ(0, __access_replace(iommufd, self->fd, other));
	EXPECT_EQ(-ENOENT, __access_unpin(iommufd, self->fd, self->pin));
	EXPECT_EQ(0, pinned(iommufd, self->buf, 1, variant->beside_dma));
	EXPECT_EQ(0, __access_rw(iommufd, self->fd, IOVA, &byte, 1, MOCK_ACCESS_RW_WRITE));
	EXPECT_EQ(FILL, self->buf[page_size()]);
	EXPECT_EQ(0, self->buf[0]);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, other));
	EXPECT_EQ(0, __access_replace(iommufd, self->fd, self->vm.ioas));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, other));
}

TEST_F(access, replace_by_itself_changes_nothing)
{
	struct iommufd *iommufd = &self->vm.iommufd;

	RULE("UAPI-102");
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA, page_size(), self->buf, 0, &self->pin));
	EXPECT_EQ(0, __access_replace(iommufd, self->fd, self->vm.ioas));
	EXPECT_EQ(0, __access_unpin(iommufd, self->fd, self->pin));
}

/* An IOAS that has mappings smaller than the pages that the access takes is none for it. */
TEST_F(access, replace_that_fails_changes_nothing)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	uint32_t odd = ioas_alloc(iommufd), gone = ioas_alloc(iommufd);
	uint8_t byte = 0;
	int fd;

	RULE("UAPI-102");
	iommufd_destroy(iommufd, gone);
	ASSERT_EQ(0, __ioas_map(iommufd, odd, self->buf, page_size() / 2, IOVA + 512, READ_WRITE));
	self->buf[0] = FILL;
	ASSERT_EQ(0, __access_pin(iommufd, self->fd, IOVA, page_size(), self->buf, 0, &self->pin));
	EXPECT_EQ(-EADDRINUSE, __access_replace(iommufd, self->fd, odd));
	EXPECT_EQ(-ENOENT, __access_replace(iommufd, self->fd, gone));
	EXPECT_EQ(-EADDRINUSE, __access_create(iommufd, odd, TAKES_PINS, &fd));
	EXPECT_EQ(-ENOENT, __access_create(iommufd, gone, TAKES_PINS, &fd));
	EXPECT_EQ(0, __access_rw(iommufd, self->fd, IOVA, &byte, 1, 0));
	EXPECT_EQ(FILL, byte);
	EXPECT_EQ(0, __access_unpin(iommufd, self->fd, self->pin));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, odd));
}

NIT_TEST_MAIN
