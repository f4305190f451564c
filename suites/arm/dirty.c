// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking (3.13): what was written is reported once it was, and again only if it is written
 * again; whatever caches say that the page is writable.
 */
#define HOST_VENDOR "arm"
#include "arm.h"
#include "vmm/host.h"

#define TRACKED IOMMU_HWPT_ALLOC_DIRTY_TRACKING
#define PAGES 64

/* Read the pages written among the first PAGES; cleared unless @_flags say otherwise */
#define DIRTY(_hwpt, _flags) ({ \
	uint64_t bitmap = 0; \
	ASSERT_EQ(0, __hwpt_get_dirty_bitmap(&self->iommufd, _hwpt, _flags, IOVA, \
					     PAGES * VM_PAGE, VM_PAGE, &bitmap)); \
	bitmap; \
})

#define START(_hwpt) \
	ASSERT_EQ(0, __hwpt_set_dirty_tracking(&self->iommufd, _hwpt, \
					       IOMMU_HWPT_DIRTY_TRACKING_ENABLE))

/* A kernel may refuse to track what a guest's tables are under: seen by asking for it. */
#define NEEDS_TRACKED_PARENT(_target, _is_tracked) do { \
	if (!(_is_tracked) && !((_target)->has & TARGET_REFERENCE)) \
		SKIP(return, "a nest parent is not tracked in this kernel"); \
} while (0)

/* Two areas of single pages, so that stage 2 has no larger ones */
#define MAP_PAGES() do { \
	for (unsigned int i = 0; i < PAGES; i++) \
		IOAS_MAP(self->ioas, IOVA + i * VM_PAGE, 2 * i, 1); \
} while (0)

TEST_F(host, stage1_reports_what_was_written)
{
	uint32_t hwpt;

	RULE("UAPI-83");
	NEEDS(&self->target, TARGET_DIRTY);
	MAP_PAGES();
	hwpt = HWPT(self->ioas, TRACKED);
	ATTACH(0, NO_PASID, hwpt);
	START(hwpt);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	EXPECT_EQ(0, DIRTY(hwpt, 0));
	WRITE(0, NO_PASID, IOVA + 3 * VM_PAGE);
	WRITE(0, NO_PASID, IOVA + 63 * VM_PAGE);
	EXPECT_EQ(1ull << 3 | 1ull << 63, DIRTY(hwpt, IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR));
	EXPECT_EQ(1ull << 3 | 1ull << 63, DIRTY(hwpt, 0));
	EXPECT_EQ(0, DIRTY(hwpt, 0));
}

/* The translation that wrote is cached as writable: it must write into the tables once more. */
TEST_F(host, written_again)
{
	uint32_t hwpt;

	RULE("SMMU-65");
	NEEDS(&self->target, TARGET_DIRTY);
	MAP_PAGES();
	hwpt = HWPT(self->ioas, TRACKED);
	ATTACH(0, NO_PASID, hwpt);
	START(hwpt);
	for (unsigned int i = 0; i < 4; i++) {
		WRITE(0, NO_PASID, IOVA + 5 * VM_PAGE);
		EXPECT_EQ(1ull << 5, DIRTY(hwpt, 0));
	}
	EXPECT_EQ(0, DIRTY(hwpt, 0));
}

TEST_F(host, written_again_by_pasid)
{
	uint32_t hwpt;

	RULE("SMMU-65");
	NEEDS(&self->target, TARGET_DIRTY);
	MAP_PAGES();
	hwpt = HWPT(self->ioas, TRACKED | IOMMU_HWPT_ALLOC_PASID);
	ATTACH(0, 4, hwpt);
	START(hwpt);
	for (unsigned int i = 0; i < 3; i++) {
		WRITE(0, 4, IOVA + 6 * VM_PAGE);
		EXPECT_EQ(1ull << 6, DIRTY(hwpt, 0));
	}
	EXPECT_EQ(0, DIRTY(hwpt, 0));
}

TEST_F(host, stage2_reports_what_was_written)
{
	uint32_t hwpt;
	int rc;

	RULE("UAPI-83");
	NEEDS(&self->target, TARGET_DIRTY);
	MAP_PAGES();
	rc = __hwpt_alloc(&self->iommufd, self->dev[0], self->ioas,
			  TRACKED | IOMMU_HWPT_ALLOC_NEST_PARENT, &hwpt);
	NEEDS_TRACKED_PARENT(&self->target, rc != -EOPNOTSUPP);
	ASSERT_EQ(0, rc);
	ATTACH(0, NO_PASID, hwpt);
	START(hwpt);
	for (unsigned int i = 0; i < 3; i++) {
		WRITE(0, NO_PASID, IOVA + 7 * VM_PAGE);
		EXPECT_EQ(1ull << 7, DIRTY(hwpt, 0));
	}
	EXPECT_EQ(0, DIRTY(hwpt, 0));
}

/* What was written before tracking began is not reported. */
TEST_F(host, tracking_begins_clean)
{
	uint32_t hwpt;

	RULE("UAPI-82");
	NEEDS(&self->target, TARGET_DIRTY);
	MAP_PAGES();
	hwpt = HWPT(self->ioas, TRACKED);
	ATTACH(0, NO_PASID, hwpt);
	WRITE(0, NO_PASID, IOVA + 5 * VM_PAGE);
	START(hwpt);
	EXPECT_EQ(0, DIRTY(hwpt, 0));
	WRITE(0, NO_PASID, IOVA + 5 * VM_PAGE);
	EXPECT_EQ(1ull << 5, DIRTY(hwpt, 0));
}

/* A block is dirty as a whole; a kernel may have mapped the same as pages. */
TEST_F(host, block_is_dirty_as_a_whole)
{
	uint64_t bitmap[512 / 64] = {};
	uint32_t hwpt;

	RULE("UAPI-83");
	NEEDS(&self->target, TARGET_DIRTY);
	IOAS_MAP(self->ioas, IOVA, 512, 512);
	hwpt = HWPT(self->ioas, TRACKED);
	ATTACH(0, NO_PASID, hwpt);
	START(hwpt);
	WRITE(0, NO_PASID, IOVA + 300 * VM_PAGE);
	ASSERT_EQ(0, __hwpt_get_dirty_bitmap(&self->iommufd, hwpt, 0, IOVA, 512 * VM_PAGE, VM_PAGE,
					     bitmap));
	EXPECT_EQ(1, bitmap[300 / 64] >> 300 % 64 & 1);
	if (self->target.has & TARGET_REFERENCE)
		EXPECT_EQ(UINT64_MAX, bitmap[0]);
	EXPECT_EQ(0, DIRTY(hwpt, 0));
}

/* ---- Under a guest: what the device writes by way of the guest's stage 1 ---- */

FIXTURE(guest)
{
	struct target target;
	struct vm vm;
	struct iommufd iommufd;
	struct vm_device *device;
	struct vm_space space;
	uint64_t iova;
	uint64_t granule;
	uint64_t page[2];
};

FIXTURE_VARIANT(guest)
{
	uint32_t pasid;
	bool ats;
};

FIXTURE_VARIANT_ADD(guest, rid) { .pasid = DMA_NO_PASID };
FIXTURE_VARIANT_ADD(guest, pasid_ats) { .pasid = 5, .ats = true };

FIXTURE_SETUP(guest)
{
	const struct target_config config = {
		.needs = target_needs(variant->ats, variant->pasid) | TARGET_DIRTY,
	};
	int rc;

	TARGET_OPEN(&self->target, "arm", &config);
	VM_OPEN(&self->vm, &self->target, &vm_arm, TRACKED);
	vmm_smmuv3(&self->vm)->guest.cd_flags = CD0_HA | CD0_HD;
	rc = vm_add_device(&self->vm, 0, variant->ats, &self->device);
	if (rc == -EOPNOTSUPP) {
		self->vm.parent_flags &= ~TRACKED;
		rc = vm_add_device(&self->vm, 0, variant->ats, &self->device);
	}
	ASSERT_EQ(0, rc);
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->iommufd = self->vm.iommufd;
	self->iova = 0x7f1000000000;
	self->granule = VM_PAGE;
	for (unsigned int i = 0; i < 2; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(guest)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

TEST_F(guest, write_by_way_of_stage1)
{
	RULE("SMMU-65");
	NEEDS_TRACKED_PARENT(&self->target, self->vm.parent_flags & TRACKED);
	for (unsigned int i = 0; i < PAGES; i++)
		ASSERT_EQ(0, vm_s2_map(&self->vm, IOVA - (1ull << 29) + i * VM_PAGE,
				       self->vm.spare + (i ^ 1) * VM_PAGE, VM_PAGE, S2_RW));
	MAP(self->iova, IOVA - (1ull << 29), PAGES * VM_PAGE);
	START(self->vm.parent);
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t bitmap = 0;

		EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 9 * VM_PAGE, 1));
		ASSERT_EQ(0, __hwpt_get_dirty_bitmap(&self->iommufd, self->vm.parent, 0,
						     IOVA - (1ull << 29), PAGES * VM_PAGE, VM_PAGE,
						     &bitmap));
		EXPECT_EQ(1ull << 9, bitmap);
	}
}

#define ENTRY() pgtable_entry(&self->space.stage1, self->iova, 0)

/* The guest's own tracking: its entry is marked by the SMMU, again after each TLBI. */
TEST_F(guest, marks_the_guests_entry)
{
	RULE("SMMU-66");
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], VM_PAGE,
			    RW | PGTABLE_NO_DIRTY | PGTABLE_NO_ACCESSED));
	REACHES(self->iova, self->page[0]);
	EXPECT_EQ(LPAE_AP_RO | LPAE_AF, *ENTRY() & (LPAE_AP_RO | LPAE_AF));
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 1));
	EXPECT_EQ(LPAE_AF, *ENTRY() & (LPAE_AP_RO | LPAE_AF));
	*ENTRY() |= LPAE_AP_RO;
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 2));
	EXPECT_EQ(LPAE_AP_RO, *ENTRY() & LPAE_AP_RO);	/* control: the cache is real */
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 3));
	EXPECT_EQ(0, *ENTRY() & LPAE_AP_RO);
}

/* The access flag, cleared, is set again after a TLBI. */
TEST_F(guest, sets_the_access_flag)
{
	RULE("SMMU-66");
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], VM_PAGE,
			    RW | PGTABLE_NO_ACCESSED));
	REACHES(self->iova, self->page[0]);
	EXPECT_EQ(LPAE_AF, *ENTRY() & LPAE_AF);
	*ENTRY() &= ~LPAE_AF;
	STILL_REACHES(self->iova, self->page[0]);
	EXPECT_EQ(0, *ENTRY() & LPAE_AF);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[0]);
	EXPECT_EQ(LPAE_AF, *ENTRY() & LPAE_AF);
}

NIT_TEST_MAIN
