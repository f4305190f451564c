// SPDX-License-Identifier: GPL-2.0-only
/*
 * The uAPI of VT-d nesting: struct iommu_hwpt_vtd_s1 and struct iommu_hwpt_vtd_s1_invalidate, what
 * they refuse, and how far an array got.
 */
#include "intel.h"

#define IOVA 0x7f1200000000ull

/* A VM whose RID is attached; what it is attached to is self->space.hwpt_id. */
FIXTURE(hwpt)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t page[2];
};

FIXTURE_SETUP(hwpt)
{
	TARGET_OPEN(&self->target, "intel", &(struct target_config){ .dma_optional = true });
	VM_OPEN(&self->vm, &self->target, &vm_intel, 0);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, true, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->page[0] = vm_page(&self->vm);
	self->page[1] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(hwpt)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

/* ---- Allocation ---- */

static int alloc(FIXTURE_DATA(hwpt) *self, const struct iommu_hwpt_vtd_s1 *data, uint32_t len,
		 uint32_t type)
{
	uint32_t id;
	int rc = __hwpt_alloc_data(&self->vm.iommufd, self->device->dev_id, self->vm.parent, 0, 0,
				   type, data, len, &id);

	return rc ?: __iommufd_destroy(&self->vm.iommufd, id);
}

#define EXPECT_ALLOC(_rc, ...) do { \
	struct iommu_hwpt_vtd_s1 data = { __VA_ARGS__ }; \
	EXPECT_EQ(_rc, alloc(self, &data, sizeof(data), IOMMU_HWPT_DATA_VTD_S1)); \
} while (0)

TEST_F(hwpt, what_a_first_stage_may_be)
{
	RULE("VTD-55");
	EXPECT_ALLOC(0, .addr_width = 48, .pgtbl_addr = self->page[0]);
	EXPECT_ALLOC(0, .addr_width = 57);
	EXPECT_ALLOC(0, .addr_width = 48,
		     .flags = IOMMU_VTD_S1_SRE | IOMMU_VTD_S1_EAFE | IOMMU_VTD_S1_WPE);
}

/* What makes no sense is refused, when it is attached at the latest. */
static int alloc_and_attach(FIXTURE_DATA(hwpt) *self, const struct iommu_hwpt_vtd_s1 *data)
{
	struct target *target = &self->target;
	uint32_t id;
	int rc = __hwpt_alloc_data(&self->vm.iommufd, self->device->dev_id, self->vm.parent, 0, 0,
				   IOMMU_HWPT_DATA_VTD_S1, data, sizeof(*data), &id);

	if (rc)
		return rc;
	rc = target->ops->attach(target, &self->vm.iommufd, self->device->dev_id, DMA_NO_PASID,
				 id);
	if (!rc)
		target->ops->attach(target, &self->vm.iommufd, self->device->dev_id, DMA_NO_PASID,
				    self->space.hwpt_id);
	return __iommufd_destroy(&self->vm.iommufd, id) ?: rc;
}

#define EXPECT_NO_FIRST_STAGE(_rc, ...) do { \
	struct iommu_hwpt_vtd_s1 data = { __VA_ARGS__ }; \
	EXPECT_EQ(_rc, alloc_and_attach(self, &data)); \
} while (0)

TEST_F(hwpt, widths_that_there_are_not)
{
	RULE("VTD-55");
	EXPECT_NO_FIRST_STAGE(-EINVAL, .addr_width = 39);
	EXPECT_NO_FIRST_STAGE(-EINVAL, .addr_width = 0);
}

TEST_F(hwpt, replace_that_fails_changes_nothing)
{
	struct iommu_hwpt_vtd_s1 data = { .addr_width = 39 };

	RULE("UAPI-76");
	MAP(IOVA, self->page[0], PAGE);
	REACHES(IOVA, self->page[0]);
	EXPECT_GT(0, alloc_and_attach(self, &data));
	REACHES(IOVA, self->page[0]);
}

TEST_F(hwpt, root_that_is_no_page)
{
	RULE("VTD-55");
	EXPECT_NO_FIRST_STAGE(-EINVAL, .addr_width = 48, .pgtbl_addr = self->page[0] + 8);
	EXPECT_NO_FIRST_STAGE(-EINVAL, .addr_width = 48, .pgtbl_addr = 1ull << 52);
}

TEST_F(hwpt, flags_that_nobody_knows)
{
	RULE("VTD-55");
	EXPECT_ALLOC(-EOPNOTSUPP, .addr_width = 48, .flags = 8);
	EXPECT_ALLOC(-EOPNOTSUPP, .addr_width = 48, .flags = 1ull << 63);
}

TEST_F(hwpt, reserved_is_zero)
{
	RULE("VTD-55");
	EXPECT_ALLOC(-EOPNOTSUPP, .addr_width = 48, .__reserved = 1);
}

TEST_F(hwpt, user_data_of_another_size_or_type)
{
	struct iommu_hwpt_vtd_s1 data = { .addr_width = 48 };

	RULE("VTD-55");
	EXPECT_EQ(-EINVAL, alloc(self, &data, 8, IOMMU_HWPT_DATA_VTD_S1));
	EXPECT_EQ(-EOPNOTSUPP, alloc(self, &data, sizeof(data), IOMMU_HWPT_DATA_ARM_SMMUV3));
}

/* Of a header that is newer than the kernel */
struct longer_data {
	struct iommu_hwpt_vtd_s1 known;
	uint64_t unknown;
};

TEST_F(hwpt, longer_user_data)
{
	struct longer_data data = { .known = { .addr_width = 48 } };

	RULE("VTD-55");
	EXPECT_EQ(0, alloc(self, &data.known, sizeof(data), IOMMU_HWPT_DATA_VTD_S1));
}

TEST_F(hwpt, longer_user_data_that_says_something)
{
	struct longer_data data = { .known = { .addr_width = 48 }, .unknown = 1 };

	RULE("VTD-55");
	EXPECT_EQ(-E2BIG, alloc(self, &data.known, sizeof(data), IOMMU_HWPT_DATA_VTD_S1));
}

TEST_F(hwpt, hardware_without_nesting)
{
	struct vtd_config config = vtd_config_full;
	const struct target_config machine = { .iommu = &config };
	struct iommufd iommufd;
	struct target target;
	uint32_t dev_id, ioas, id;

	RULE("VTD-55");
	config.nested = false;
	TARGET_OPEN(&target, "intel", &machine);
	ASSERT_EQ(0, target.ops->iommufd_open(&target, &iommufd));
	ASSERT_EQ(0, target.ops->bind(&target, &iommufd, 0, &dev_id));
	ASSERT_EQ(0, __ioas_alloc(&iommufd, &ioas));
	EXPECT_EQ(-EOPNOTSUPP, __hwpt_alloc(&iommufd, dev_id, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT,
					    &id));
	EXPECT_EQ(0, __hwpt_alloc(&iommufd, dev_id, ioas, 0, &id));
	iommufd_close(&iommufd);
	target.ops->close(&target);
}

TEST_F(hwpt, capabilities_as_the_registers_have_them)
{
	struct iommu_hw_info_vtd info;
	struct hw_iommu *hardware;
	uint32_t type, len = sizeof(info);
	uint64_t capabilities;
	uint8_t pasid_log2;

	RULE("VTD-54");
	NEEDS(&self->target, TARGET_REFERENCE);
	hardware = ref_machine(&self->target)->iommus[0];
	ASSERT_EQ(0, __get_hw_info(&self->vm.iommufd, self->device->dev_id, &type, &info, &len,
				   &capabilities, &pasid_log2));
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_INTEL_VTD, type);
	EXPECT_EQ(sizeof(info), len);
	EXPECT_EQ(hardware->ops->mmio_read(hardware, VTD_CAP_REG, 8), info.cap_reg);
	EXPECT_EQ(hardware->ops->mmio_read(hardware, VTD_ECAP_REG, 8), info.ecap_reg);
	EXPECT_EQ(0, info.__reserved);
}

/* PASID 0 belongs to the RID. */
TEST_F(hwpt, pasid_0_is_taken)
{
	RULE("VTD-55");
	EXPECT_GT(0, self->target.ops->attach(&self->target, &self->vm.iommufd,
					      self->device->dev_id, 0, self->space.hwpt_id));
}

/* ---- Invalidation ---- */

#define PAGE_ENTRY(_addr) { .addr = _addr, .npages = 1, .flags = IOMMU_VTD_INV_FLAGS_LEAF }

static int invalidate(FIXTURE_DATA(hwpt) *self, const void *entries, uint32_t len, uint32_t *num)
{
	return __hwpt_invalidate(&self->vm.iommufd, self->space.hwpt_id,
				 IOMMU_HWPT_INVALIDATE_DATA_VTD_S1, entries, len, num);
}

#define EXPECT_REFUSED(_rc, ...) do { \
	struct iommu_hwpt_vtd_s1_invalidate entry = { __VA_ARGS__ }; \
	uint32_t num = 1; \
	EXPECT_EQ(_rc, invalidate(self, &entry, sizeof(entry), &num)); \
	EXPECT_EQ(0U, num); \
} while (0)

TEST_F(hwpt, entries_that_are_refused)
{
	RULE("VTD-56");
	EXPECT_REFUSED(-EOPNOTSUPP, .npages = 1, .flags = 2);
	EXPECT_REFUSED(-EOPNOTSUPP, .npages = 1, .flags = 1u << 31);
	EXPECT_REFUSED(-EOPNOTSUPP, .npages = 1, .__reserved = 1);
	EXPECT_REFUSED(-EINVAL, .npages = 1, .addr = 0x800);
	EXPECT_REFUSED(-EINVAL, .npages = UINT64_MAX, .addr = PAGE);
}

/* A bad entry anywhere: those before it are done and counted, it and those behind it are not. */
TEST_F(hwpt, bad_entry_in_the_middle)
{
	enum { COUNT = 50 };
	struct iommu_hwpt_vtd_s1_invalidate entries[COUNT];

	RULE("VTD-41");
	for (unsigned int bad = 0; bad < COUNT; bad += 7) {
		uint32_t num = COUNT;

		for (unsigned int i = 0; i < COUNT; i++)
			entries[i] = (struct iommu_hwpt_vtd_s1_invalidate)
				PAGE_ENTRY(IOVA + i * PAGE);
		for (unsigned int i = 0; i < bad; i++)
			MAP_THEN_REMAP(IOVA + i * PAGE, self->page[0], self->page[1]);
		entries[bad].flags |= 0x80;
		EXPECT_EQ(-EOPNOTSUPP, invalidate(self, entries, sizeof(entries[0]), &num));
		EXPECT_EQ(bad, num);
		for (unsigned int i = 0; i < bad; i++)
			REACHES(IOVA + i * PAGE, self->page[1]);
		num = bad;
		EXPECT_EQ(0, invalidate(self, entries, sizeof(entries[0]), &num));
		EXPECT_EQ(bad, num);
	}
}

TEST_F(hwpt, array_that_ends_in_bad_memory)
{
	uint8_t *memory = self->target.ops->memory(&self->target, 4096);
	struct iommu_hwpt_vtd_s1_invalidate *entries = (void *)(memory + 4096);
	uint32_t num = 3;

	RULE("VTD-41");
	ASSERT_NE(NULL, memory);
	MAP_THEN_REMAP(IOVA, self->page[0], self->page[1]);
	entries -= 2;
	entries[0] = (struct iommu_hwpt_vtd_s1_invalidate)PAGE_ENTRY(IOVA);
	entries[1] = (struct iommu_hwpt_vtd_s1_invalidate)PAGE_ENTRY(IOVA + PAGE);
	EXPECT_EQ(0, __hwpt_invalidate(&self->vm.iommufd, self->space.hwpt_id,
				       IOMMU_HWPT_INVALIDATE_DATA_VTD_S1, entries,
				       sizeof(*entries), &(uint32_t){ 2 }));
	EXPECT_EQ(-EFAULT, invalidate(self, (void *)8, sizeof(*entries), &num));
	EXPECT_EQ(0U, num);
	REACHES(IOVA, self->page[1]);
}

/* Nothing to do is a question: is the type supported? */
TEST_F(hwpt, empty_array)
{
	uint32_t num = 0;

	RULE("VTD-56");
	EXPECT_EQ(0, invalidate(self, NULL, 0, &num));
	EXPECT_NE(0, __hwpt_invalidate(&self->vm.iommufd, self->space.hwpt_id,
				       IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3, NULL, 0, &num));
}

/* Entries may be longer than we know, and lie that far apart, if the rest is 0. */
struct longer_entry {
	struct iommu_hwpt_vtd_s1_invalidate known;
	uint64_t unknown[2];
};

TEST_F(hwpt, longer_entries)
{
	struct longer_entry entries[2] = {
		{ .known = PAGE_ENTRY(IOVA) }, { .known = PAGE_ENTRY(IOVA + PAGE) },
	};
	uint32_t num = 2;

	RULE("VTD-56");
	MAP_THEN_REMAP(IOVA, self->page[0], self->page[1]);
	MAP_THEN_REMAP(IOVA + PAGE, self->page[0], self->page[1]);
	EXPECT_EQ(0, invalidate(self, entries, sizeof(entries[0]), &num));
	EXPECT_EQ(2U, num);
	REACHES(IOVA, self->page[1]);
	REACHES(IOVA + PAGE, self->page[1]);
}

TEST_F(hwpt, longer_entries_that_say_something)
{
	struct longer_entry entries[2] = {
		{ .known = PAGE_ENTRY(IOVA) },
		{ .known = PAGE_ENTRY(IOVA + PAGE), .unknown = { 0, 1 } },
	};
	uint32_t num = 2;

	RULE("VTD-56");
	EXPECT_EQ(-E2BIG, invalidate(self, entries, sizeof(entries[0]), &num));
	EXPECT_EQ(1U, num);
}

TEST_F(hwpt, shorter_entries)
{
	struct iommu_hwpt_vtd_s1_invalidate entries[2] = { PAGE_ENTRY(IOVA) };
	uint32_t num = 2;

	RULE("VTD-56");
	EXPECT_EQ(-EINVAL, invalidate(self, entries, 8, &num));
	EXPECT_EQ(0U, num);
}

/* Ranges as the uAPI has them: any number of pages, to the end of the address space */
TEST_F(hwpt, ranges)
{
	static const uint64_t counts[] = { 1, 2, 3, 5, 511, 513, 0x40001, 1ull << 35, UINT64_MAX };

	RULE("VTD-45");
	for (unsigned int i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct iommu_hwpt_vtd_s1_invalidate entry = { .npages = counts[i] };
		uint64_t last = (counts[i] == UINT64_MAX ? 0x12345 : counts[i] - 1) * PAGE;
		uint32_t num = 1;

		MAP_THEN_REMAP(last, self->page[0], self->page[1]);
		EXPECT_EQ(0, invalidate(self, &entry, sizeof(entry), &num));
		EXPECT_EQ(1U, num);
		REACHES(last, self->page[1]);
	}
}

/* Neither a power of two, nor aligned to one: every page of the range, wherever it begins */
TEST_F(hwpt, ranges_without_alignment)
{
	RULE("VTD-45");
	for (uint64_t first = 1; first < 8; first++) {
		for (uint64_t count = 2; count < 7; count++) {
			struct iommu_hwpt_vtd_s1_invalidate entry = {
				.addr = IOVA + first * PAGE, .npages = count,
			};
			uint64_t old = self->page[count % 2], new = self->page[!(count % 2)];
			uint32_t num = 1;

			for (uint64_t i = first; i < first + count; i++)
				MAP(IOVA + i * PAGE, old, PAGE);
			ASSERT_EQ(0, vm_invalidate_space(&self->space));
			for (uint64_t i = first; i < first + count; i++)
				MAP_THEN_REMAP(IOVA + i * PAGE, old, new);
			EXPECT_EQ(0, invalidate(self, &entry, sizeof(entry), &num));
			for (uint64_t i = first; i < first + count; i++)
				REACHES(IOVA + i * PAGE, new);
		}
	}
}

TEST_F(hwpt, not_attached_anywhere)
{
	struct iommu_hwpt_vtd_s1_invalidate entry = PAGE_ENTRY(IOVA);
	struct iommu_hwpt_vtd_s1 data = { .pgtbl_addr = self->space.stage1.root, .addr_width = 48 };
	uint32_t id, num = 1;

	RULE("VTD-41");
	ASSERT_EQ(0, __hwpt_alloc_data(&self->vm.iommufd, self->device->dev_id, self->vm.parent, 0,
				       0, IOMMU_HWPT_DATA_VTD_S1, &data, sizeof(data), &id));
	EXPECT_EQ(0, __hwpt_invalidate(&self->vm.iommufd, id, IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
				       &entry, sizeof(entry), &num));
	EXPECT_EQ(1U, num);
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, id));
}

NIT_TEST_MAIN
