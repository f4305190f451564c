// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accessed and dirty bits: of the hypervisor's second stage, that say what was written since the
 * last time, by nested users too; and of the guest's first stage.
 */
#include "intel.h"

#define IOVA 0x7f1200000000ull
#define PAGES 8

FIXTURE(dirty)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t base;		/* guest physical, of PAGES pages of stage 2 */
};

FIXTURE_VARIANT(dirty)
{
	uint32_t pasid;
	bool ats;
};

FIXTURE_VARIANT_ADD(dirty, rid) { .pasid = DMA_NO_PASID };
FIXTURE_VARIANT_ADD(dirty, rid_ats) { .pasid = DMA_NO_PASID, .ats = true };
FIXTURE_VARIANT_ADD(dirty, pasid) { .pasid = 0x1005 };
FIXTURE_VARIANT_ADD(dirty, pasid_ats) { .pasid = 0x1005, .ats = true };

FIXTURE_SETUP(dirty)
{
	TARGET_OPEN(&self->target, "intel", NULL);
	VM_OPEN(&self->vm, &self->target, &vm_intel, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, variant->ats, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->base = 0x80000000;
	for (unsigned int i = 0; i < PAGES; i++)
		ASSERT_EQ(0, vm_s2_map(&self->vm, self->base + i * PAGE, self->vm.spare + i * PAGE,
				       PAGE, S2_RW));
	MAP(IOVA, self->base, PAGES * PAGE);
}

FIXTURE_TEARDOWN(dirty)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define TRACK(_on) \
	ASSERT_EQ(0, __hwpt_set_dirty_tracking(&self->vm.iommufd, self->vm.parent, _on))
#define WRITE(_n) \
	ASSERT_TRUE(vm_write(self->device, &self->space, IOVA + (_n) * PAGE, 1))

/* One bit a page of what was written since the last time */
static uint64_t dirty_pages(struct __test_metadata *_metadata, FIXTURE_DATA(dirty) *self,
			    uint32_t flags)
{
	uint64_t bitmap = 0;

	EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&self->vm.iommufd, self->vm.parent, flags, self->base,
					     PAGES * PAGE, PAGE, &bitmap));
	return bitmap;
}

#define DIRTY() dirty_pages(_metadata, self, 0)

TEST_F(dirty, what_is_written_is_dirty)
{
	RULE("VTD-47");
	TRACK(true);
	EXPECT_EQ(0, DIRTY());
	WRITE(1);
	WRITE(5);
	EXPECT_EQ(1 << 1 | 1 << 5, DIRTY());
	EXPECT_EQ(0, DIRTY());
}

TEST_F(dirty, what_is_read_is_not)
{
	RULE("VTD-47");
	TRACK(true);
	EXPECT_DMA(self->device, &self->space, IOVA, (uintptr_t)self->vm.spare);
	EXPECT_EQ(0, DIRTY());
}

/* The second write comes through caches that know that the page is dirty: not any more. */
TEST_F(dirty, written_again_after_each_look)
{
	RULE("VTD-47");
	TRACK(true);
	for (unsigned int i = 0; i < 4; i++) {
		WRITE(3);
		EXPECT_EQ(1 << 3, DIRTY());
	}
}

/* Translations that were cached before tracking began must not escape it. */
TEST_F(dirty, written_before_and_after_tracking_begins)
{
	RULE("VTD-47");
	WRITE(2);
	TRACK(true);
	EXPECT_EQ(0, DIRTY());
	WRITE(2);
	EXPECT_EQ(1 << 2, DIRTY());
}

TEST_F(dirty, tracking_off_and_on)
{
	RULE("VTD-47");
	TRACK(true);
	WRITE(2);
	TRACK(false);
	WRITE(3);
	TRACK(true);
	EXPECT_EQ(0, DIRTY());
	WRITE(4);
	EXPECT_EQ(1 << 4, DIRTY());
}

TEST_F(dirty, look_without_clearing)
{
	RULE("VTD-47");
	TRACK(true);
	WRITE(6);
	EXPECT_EQ(1 << 6, dirty_pages(_metadata, self, IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR));
	EXPECT_EQ(1 << 6, DIRTY());
}

/* Whoever is attached while tracking is on is tracked. */
TEST_F(dirty, attached_while_tracking)
{
	struct vm_space other;

	RULE("VTD-47");
	TRACK(true);
	ASSERT_EQ(0, vm_space_init(&self->vm, &other, variant->pasid));
	ASSERT_EQ(0, vm_map(&other, IOVA, self->base, PAGES * PAGE, RW));
	ASSERT_EQ(0, vm_replace(self->device, &other, &self->space));
	ASSERT_TRUE(vm_write(self->device, &other, IOVA + 7 * PAGE, 1));
	EXPECT_EQ(1 << 7, DIRTY());
	ASSERT_EQ(0, vm_detach(self->device, &other));
	vm_space_fini(&other);
}

/* ---- The guest's own bits ---- */

TEST_F(dirty, bits_of_the_first_stage)
{
	uint64_t *entry;

	RULE("VTD-57");
	ASSERT_EQ(0, vm_map(&self->space, IOVA, self->base, PAGE,
			    RW | PGTABLE_NO_ACCESSED | PGTABLE_NO_DIRTY));
	entry = pgtable_entry(&self->space.stage1, IOVA, 0);
	EXPECT_EQ(0, *entry & (VTD_FS_A | VTD_FS_D));
	EXPECT_DMA(self->device, &self->space, IOVA, (uintptr_t)self->vm.spare);
	EXPECT_EQ(VTD_FS_A, *entry & (VTD_FS_A | VTD_FS_D));
	WRITE(0);
	EXPECT_EQ(VTD_FS_A | VTD_FS_D, *entry & (VTD_FS_A | VTD_FS_D));
}

/* The guest clears D and invalidates: the next write must set it again. */
TEST_F(dirty, first_stage_bit_cleared)
{
	uint64_t *entry = pgtable_entry(&self->space.stage1, IOVA, 0);

	RULE("VTD-57");
	WRITE(0);
	*entry &= ~VTD_FS_D;
	WRITE(0);
	EXPECT_FALSE(*entry & VTD_FS_D);	/* control: the cache knew that it was dirty */
	INVALIDATE(IOVA, PAGE, VM_LEAF_ONLY);
	WRITE(0);
	EXPECT_TRUE(*entry & VTD_FS_D);
}

/* A D bit that is set in the guest's table is a write of the hypervisor's second stage. */
TEST_F(dirty, table_of_the_first_stage_is_written)
{
	uint64_t gpa = 0x90000000, *table = (uint64_t *)(self->vm.spare + PAGES * PAGE), *entry;
	uint64_t bitmap = 0;

	RULE("VTD-57");
	ASSERT_EQ(0, vm_s2_map(&self->vm, gpa, table, PAGE, S2_RW));
	memset(table, 0, PAGE);
	table[0] = *pgtable_entry(&self->space.stage1, IOVA, 0) & ~(VTD_FS_A | VTD_FS_D);
	entry = pgtable_entry(&self->space.stage1, IOVA, 1);
	*entry = (*entry & (PAGE - 1)) | gpa;
	TRACK(true);
	WRITE(0);
	EXPECT_TRUE(table[0] & VTD_FS_D);
	EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&self->vm.iommufd, self->vm.parent, 0, gpa, PAGE, PAGE,
					     &bitmap));
	EXPECT_EQ(1, bitmap);
}

NIT_TEST_MAIN
