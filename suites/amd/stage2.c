// SPDX-License-Identifier: GPL-2.0-only
/* Changes of the hypervisor's v1 table under a guest's tables: no command of the guest's helps. */
#include "vm_fixture.h"

NESTED_VARIANTS_ALL;

TEST_F(nested, unmapped)
{
	RULE("AMD-03");
	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, WINDOW, PAGE);
	REACHES(self->iova, spare_name(&self->vm, 0));
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	REFUSED(self->iova);
}

TEST_F(nested, remapped)
{
	RULE("AMD-03");
	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, WINDOW, PAGE);
	for (unsigned int i = 0; i < 4; i++) {
		REACHES(self->iova, spare_name(&self->vm, i));
		EXPECT_EQ(0, window_unmap(&self->vm, 0));
		REFUSED(self->iova);
		ASSERT_EQ(0, window_map(&self->vm, 0, i + 1));
	}
}

/* Two ranges that go in one call, far apart: first, last, and what lies between stays right. */
TEST_F(nested, unmapped_ranges)
{
	RULE("AMD-03");
	static const unsigned int at[] = { 0, 1, 5, 8, 511, 512 };

	for (unsigned int i = 0; i < 6; i++) {
		ASSERT_EQ(0, window_map(&self->vm, at[i], i));
		MAP(self->iova + at[i] * PAGE, WINDOW + at[i] * PAGE, PAGE);
		REACHES(self->iova + at[i] * PAGE, spare_name(&self->vm, i));
	}
	EXPECT_EQ(0, vm_s2_unmap(&self->vm, WINDOW + PAGE, 8 * PAGE));
	REACHES(self->iova, spare_name(&self->vm, 0));
	for (unsigned int i = 1; i < 4; i++)
		REFUSED(self->iova + at[i] * PAGE);
	EXPECT_EQ(0, vm_s2_unmap(&self->vm, WINDOW + 511 * PAGE, 2 * PAGE));
	for (unsigned int i = 4; i < 6; i++)
		REFUSED(self->iova + at[i] * PAGE);
	REACHES(self->iova, spare_name(&self->vm, 0));
}

/* One mapping of two pages, on both sides of a boundary that is higher each time */
TEST_F(nested, unmapped_across_a_boundary)
{
	RULE("AMD-66");
	for (unsigned int shift = 13; shift < 24; shift++) {
		uint64_t gpa = WINDOW + (1ULL << shift) - PAGE;

		ASSERT_EQ(0, vm_s2_map(&self->vm, gpa, spare(&self->vm, 3), 2 * PAGE, S2_RW));
		MAP(self->iova, gpa, PAGE);
		MAP(self->iova + PAGE, gpa + PAGE, PAGE);
		REACHES(self->iova, spare_name(&self->vm, 3));
		REACHES(self->iova + PAGE, spare_name(&self->vm, 4));
		EXPECT_EQ(0, vm_s2_unmap(&self->vm, gpa, 2 * PAGE));
		REFUSED(self->iova);
		REFUSED(self->iova + PAGE);
		INVALIDATE(self->iova, 2 * PAGE, VM_LEAF_ONLY);
	}
}

/* Every power of two is a page size of v1 tables: 16 KiB in one entry, four times. */
TEST_F(nested, unmapped_large)
{
	RULE("AMD-03");
	uint8_t *spares = (uint8_t *)(((uintptr_t)self->vm.spare + 4 * PAGE - 1) & ~(4 * PAGE - 1));

	ASSERT_EQ(0, vm_s2_map(&self->vm, WINDOW, spares, 4 * PAGE, S2_RW));
	for (unsigned int i = 0; i < 4; i++) {
		MAP(self->iova + i * PAGE, WINDOW + i * PAGE, PAGE);
		REACHES(self->iova + i * PAGE, vm_name((uintptr_t)spares + i * PAGE));
	}
	EXPECT_EQ(0, vm_s2_unmap(&self->vm, WINDOW, 4 * PAGE));
	for (unsigned int i = 0; i < 4; i++)
		REFUSED(self->iova + i * PAGE);
	for (unsigned int i = 0; i < 4; i++) {
		ASSERT_EQ(0, window_map(&self->vm, i, 20 + i));
		REACHES(self->iova + i * PAGE, spare_name(&self->vm, 20 + i));
	}
}

TEST_F(nested, mapped_needs_no_invalidation)
{
	RULE("AMD-07");
	MAP(self->iova, WINDOW, PAGE);
	REFUSED(self->iova);
	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	REACHES(self->iova, spare_name(&self->vm, 0));
}

TEST_F(nested, read_only)
{
	RULE("AMD-03");
	ASSERT_EQ(0, vm_s2_map(&self->vm, WINDOW, spare(&self->vm, 0), PAGE,
			       IOMMU_IOAS_MAP_READABLE));
	MAP(self->iova, WINDOW, PAGE);
	REACHES(self->iova, spare_name(&self->vm, 0));
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 1));
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 1));
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	ASSERT_EQ(0, vm_s2_map(&self->vm, WINDOW, spare(&self->vm, 0), PAGE,
			       IOMMU_IOAS_MAP_READABLE));
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 2));
}

/* The guest's own page table lies in the page that goes: what was walked through it goes, too. */
TEST_F(nested, page_table_of_the_guest_moves)
{
	RULE("AMD-03");
	uint64_t *pde, *table, *old = (uint64_t *)spare(&self->vm, 0);
	uint64_t *new = (uint64_t *)spare(&self->vm, 1);

	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, self->page[0], PAGE);
	pde = pgtable_entry(&self->space.stage1, self->iova, 1);
	table = pgtable_entry(&self->space.stage1, self->iova & ~(SIZE_2M - 1), 0);
	for (unsigned int i = 0; i < 512; i++)
		old[i] = new[i] = table[i];
	MAP(self->iova, self->page[1], PAGE);
	new[(self->iova >> 12) & 511] = table[(self->iova >> 12) & 511];
	__atomic_store_n(pde, (*pde & ~AMDVI_GPTE_ADDR) | WINDOW, __ATOMIC_RELEASE);
	REACHES(self->iova, self->page[0]);
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	REFUSED(self->iova);
	ASSERT_EQ(0, window_map(&self->vm, 0, 1));
	REACHES(self->iova, self->page[1]);
	__atomic_store_n(pde, 0, __ATOMIC_RELEASE);
}

/* A reset is over: what stage 2 owes to the device is what it was before. */
TEST_F(nested, unmapped_after_a_reset)
{
	RULE("NEST-08");
	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, WINDOW, PAGE);
	ASSERT_EQ(0, self->target.ops->reset(&self->target, &self->vm.iommufd,
					     self->device->dev_id));
	REACHES(self->iova, spare_name(&self->vm, 0));
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	REFUSED(self->iova);
}

/* Devices share a second stage; each has what was combined with it, in caches of its own. */
TEST_F(nested, every_device_of_the_vm)
{
	RULE("NEST-08");
	struct vm_device *second;
	struct vm_space space;

	ADD_DEVICE(&self->vm, 1, variant->ats, &second);
	ASSERT_EQ(0, vm_space_init(&self->vm, &space, variant->pasid));
	ASSERT_EQ(0, vm_attach(second, &space));
	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, WINDOW, PAGE);
	ASSERT_EQ(0, vm_map(&space, self->iova + PAGE, WINDOW, PAGE, RW));
	REACHES(self->iova, spare_name(&self->vm, 0));
	EXPECT_DMA(second, &space, self->iova + PAGE, spare_name(&self->vm, 0));
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	REFUSED(self->iova);
	EXPECT_NO_DMA(second, &space, self->iova + PAGE);
	EXPECT_EQ(0, vm_detach(second, &space));
	vm_space_fini(&space);
}

/* And every PASID of a device, besides the RID */
TEST_F(nested, every_pasid_of_the_device)
{
	RULE("NEST-08");
	NEEDS(&self->target, TARGET_PASID);
	static const uint32_t pasids[] = { 1, 0xff, 0x1ff, DMA_NO_PASID };
	struct vm_space spaces[4];

	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	for (unsigned int i = 0; i < 4; i++) {
		if (pasids[i] == variant->pasid)
			continue;
		ASSERT_EQ(0, vm_space_init(&self->vm, &spaces[i], pasids[i]));
		ASSERT_EQ(0, vm_attach(self->device, &spaces[i]));
		ASSERT_EQ(0, vm_map(&spaces[i], self->iova, WINDOW, PAGE, RW));
		EXPECT_DMA(self->device, &spaces[i], self->iova, spare_name(&self->vm, 0));
	}
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	for (unsigned int i = 0; i < 4; i++) {
		if (pasids[i] == variant->pasid)
			continue;
		EXPECT_NO_DMA(self->device, &spaces[i], self->iova);
		EXPECT_EQ(0, vm_detach(self->device, &spaces[i]));
		vm_space_fini(&spaces[i]);
	}
}

/* A PASID that the guest took out of its table, and told nobody: its ATC entries are there yet. */
TEST_F(nested, a_pasid_that_the_guest_forgot)
{
	RULE("AMD-62");
	NEEDS(&self->target, TARGET_PASID);
	struct vm_space lost;
	uint64_t *entry;

	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	ASSERT_EQ(0, vm_space_init(&self->vm, &lost, 0x42));
	ASSERT_EQ(0, vm_attach(self->device, &lost));
	ASSERT_EQ(0, vm_map(&lost, self->iova, WINDOW, PAGE, RW));
	EXPECT_DMA(self->device, &lost, self->iova, spare_name(&self->vm, 0));
	entry = guest_amdvi_gcr3_entry(guest_of(&self->vm), self->device->rid, 0x42);
	__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	EXPECT_STALE(self->device, &lost, self->iova, spare_name(&self->vm, 0));
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	EXPECT_NO_DMA(self->device, &lost, self->iova);
	EXPECT_EQ(0, vm_detach(self->device, &lost));
	vm_space_fini(&lost);
}

struct held {
	struct vm_device *device;
	uint64_t seen;
};

static void finish_held(void *arg)
{
	struct held *held = arg;

	held->seen = vm_read_finish(held->device);
}

/* A DMA that has its old address: unmapping does not return before it is over. */
TEST_F(nested, waits_for_dma_in_flight)
{
	RULE("AMD-05");
	NEEDS(&self->target, TARGET_HELD | TARGET_WAITING);
	struct held held = { self->device, 0 };

	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, WINDOW, PAGE);
	ASSERT_TRUE(vm_read_start(self->device, &self->space, self->iova));
	self->target.ops->waiting(&self->target, finish_held, &held);
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	EXPECT_EQ(spare_name(&self->vm, 0), held.seen);
	REFUSED(self->iova);
}

static bool is_dirty(struct vm *vm, uint64_t gpa)
{
	uint64_t bitmap = 0;

	if (__hwpt_get_dirty_bitmap(&vm->iommufd, vm->parent, 0, gpa, PAGE, PAGE, &bitmap))
		return false;
	return bitmap & 1;
}

/* Hardware sets D in the v1 table; software that clears it must make hardware look again. */
TEST_F(nested, dirty_pages)
{
	RULE("AMD-60");
	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, WINDOW, PAGE);
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 1));
	ASSERT_EQ(0, __hwpt_set_dirty_tracking(&self->vm.iommufd, self->vm.parent,
					       IOMMU_HWPT_DIRTY_TRACKING_ENABLE));
	EXPECT_FALSE(is_dirty(&self->vm, WINDOW));
	for (unsigned int i = 0; i < 4; i++) {
		REACHES(self->iova, spare_name(&self->vm, 0));
		EXPECT_FALSE(is_dirty(&self->vm, WINDOW));
		EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, i));
		EXPECT_TRUE(is_dirty(&self->vm, WINDOW));
	}
	EXPECT_EQ(0, __hwpt_set_dirty_tracking(&self->vm.iommufd, self->vm.parent, 0));
}

static void read_page(void *arg)
{
	FIXTURE_DATA(nested) *self = arg;

	self->page[3] = vm_read(self->device, &self->space, self->iova);
}

/* A running guest does not notice when dirty tracking begins. */
TEST_F(nested, dirty_tracking_begins_under_dma)
{
	RULE("AMD-60");
	NEEDS(&self->target, TARGET_KNOBS | TARGET_WAITING);

	TURN_IOMMU(&self->target, self->device->number, KNOB_DELAY, 1000);	/* every wait */
	TURN_IOMMU(&self->target, self->device->number, KNOB_DELAY_STEPS, 3);
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	for (unsigned int on = 0; on < 2; on++) {
		self->page[3] = 0;
		self->target.ops->waiting(&self->target, read_page, self);
		EXPECT_EQ(0, __hwpt_set_dirty_tracking(&self->vm.iommufd, self->vm.parent, !on));
		EXPECT_EQ(self->page[0], self->page[3]);
	}
}

TEST_F(nested, dirty_only_what_was_written)
{
	RULE("AMD-60");
	uint64_t bitmap = 0;

	ASSERT_EQ(0, __hwpt_set_dirty_tracking(&self->vm.iommufd, self->vm.parent,
					       IOMMU_HWPT_DIRTY_TRACKING_ENABLE));
	for (unsigned int i = 0; i < 8; i++) {
		ASSERT_EQ(0, window_map(&self->vm, i, i));
		MAP(self->iova + i * PAGE, WINDOW + i * PAGE, PAGE);
		REACHES(self->iova + i * PAGE, spare_name(&self->vm, i));
	}
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 2 * PAGE, 1));
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 7 * PAGE, 1));
	EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&self->vm.iommufd, self->vm.parent,
					     IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR, WINDOW,
					     8 * PAGE, PAGE, &bitmap));
	EXPECT_EQ(0x84, bitmap);
	EXPECT_TRUE(is_dirty(&self->vm, WINDOW + 2 * PAGE));
	EXPECT_FALSE(is_dirty(&self->vm, WINDOW + 2 * PAGE));
	EXPECT_TRUE(is_dirty(&self->vm, WINDOW + 7 * PAGE));
}

NIT_TEST_MAIN
