// SPDX-License-Identifier: GPL-2.0-only
/* Changes of a guest's device table and GCR3 tables; DomainIDs shared, moved, used again. */
#include "vm_fixture.h"

NESTED_VARIANTS_ALL;

#define SPACE(_space, _pasid, _page) do { \
	ASSERT_EQ(0, vm_space_init(&self->vm, _space, _pasid)); \
	ASSERT_EQ(0, vm_map(_space, self->iova, _page, PAGE, RW)); \
} while (0)

/* A GCR3 entry that changes: all that was cached of the PASID, directories included */
TEST_F(nested, another_space_in_the_gcr3_table)
{
	RULE("AMD-61");
	struct vm_space other;

	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	SPACE(&other, variant->pasid, self->page[1]);
	EXPECT_EQ(0, vm_replace(self->device, &other, &self->space));
	REACHES(self->iova, self->page[1]);
	EXPECT_EQ(0, vm_replace(self->device, &self->space, &other));
	REACHES(self->iova, self->page[0]);
	vm_space_fini(&other);
}

/* The same by hand, so that the control can be seen */
TEST_F(nested, gcr3_entry_until_its_invalidation)
{
	RULE("AMD-61");
	struct guest_amdvi *guest = guest_of(&self->vm);
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space);
	struct vm_space other;
	uint64_t *entry;

	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	SPACE(&other, variant->pasid, self->page[1]);
	entry = guest_amdvi_gcr3_entry(guest, self->device->rid, pasid);
	__atomic_store_n(entry, other.stage1.root | AMDVI_GCR3_V, __ATOMIC_RELEASE);
	STILL_REACHES(self->iova, self->page[0]);
	guest_amdvi_pages(&list, self->space.domain, pasid, 0, UINT64_MAX, false);
	atc(&list, self->device, pasid, 0, UINT64_MAX);
	ISSUE(&self->vm, &list);
	REACHES(self->iova, self->page[1]);
	vm_space_fini(&other);
}

TEST_F(nested, detached)
{
	RULE("AMD-61");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	EXPECT_EQ(0, vm_detach(self->device, &self->space));
	REFUSED(self->iova);
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	REACHES(self->iova, self->page[0]);
}

TEST_F(nested, table_changed_while_detached)
{
	RULE("NEST-09");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	EXPECT_EQ(0, vm_detach(self->device, &self->space));
	MAP(self->iova, self->page[1], PAGE);
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	REACHES(self->iova, self->page[1]);
}

/* Attached to the nest parent, where IOVAs are guest physical, and back to the nested page table */
TEST_F(nested, parent_and_back)
{
	RULE("NEST-09");
	const struct target_ops *ops = self->target.ops;
	struct vm_space physical = { .vm = &self->vm, .pasid = DMA_NO_PASID };

	MAP(self->page[3], self->page[0], PAGE);
	REACHES(self->page[3], self->page[0]);
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_EQ(0, ops->attach(&self->target, &self->vm.iommufd, self->device->dev_id,
					 DMA_NO_PASID, self->vm.parent));
		EXPECT_DMA(self->device, &physical, self->page[3], self->page[3]);
		ASSERT_EQ(0, ops->attach(&self->target, &self->vm.iommufd, self->device->dev_id,
					 DMA_NO_PASID, self->space.hwpt_id));
		REACHES(self->page[3], self->page[0]);
	}
}

/* RID and PASIDs beside each other: what happens to one is nothing to the other. */
TEST_F(nested, two_pasids)
{
	RULE("AMD-01");
	NEEDS(&self->target, TARGET_PASID);
	struct vm_space other;

	SPACE(&other, variant->pasid == 0x1a5 ? 0xa5 : 0x1a5, self->page[1]);
	ASSERT_EQ(0, vm_attach(self->device, &other));
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	EXPECT_DMA(self->device, &other, self->iova, self->page[1]);
	ASSERT_EQ(0, vm_map(&other, self->iova, self->page[2], PAGE, RW));
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	EXPECT_EQ(0, vm_invalidate(&other, self->iova, PAGE, VM_LEAF_ONLY));
	REACHES(self->iova, self->page[0]);
	EXPECT_DMA(self->device, &other, self->iova, self->page[2]);
	EXPECT_EQ(0, vm_detach(self->device, &other));
	EXPECT_NO_DMA(self->device, &other, self->iova);
	REACHES(self->iova, self->page[0]);
	vm_space_fini(&other);
}

/* The device table entry points to another GCR3 table, DomainID as before. */
TEST_F(nested, another_gcr3_table)
{
	RULE("AMD-06");
	struct guest_amdvi *guest = guest_of(&self->vm);
	struct guest_amdvi_device *of = guest_amdvi_device(guest, self->device->rid);
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space);
	uint64_t before = of->gcr3;
	struct vm_space other;

	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	SPACE(&other, variant->pasid, self->page[1]);
	of->gcr3 = pages_alloc(&self->vm.mem, PAGE);
	*guest_amdvi_gcr3_entry(guest, self->device->rid, pasid) =
		other.stage1.root | AMDVI_GCR3_V;
	guest_amdvi_dte_set(guest, self->device->rid);
	STILL_REACHES(self->iova, self->page[0]);
	EXPECT_EQ(0, vm_amd_dte_written(self->device));
	guest_amdvi_devtab(&list, self->device->rid);
	guest_amdvi_pages(&list, of->domain, pasid, 0, UINT64_MAX, false);
	atc(&list, self->device, pasid, 0, UINT64_MAX);
	ISSUE(&self->vm, &list);
	REACHES(self->iova, self->page[1]);
	of->gcr3 = before;
	vm_space_fini(&other);
}

/* Without invalidation of its pages: a new DomainID has nothing cached. */
TEST_F(nested, another_domain)
{
	RULE("AMD-06");
	struct guest_amdvi *guest = guest_of(&self->vm);
	struct guest_amdvi_device *of = guest_amdvi_device(guest, self->device->rid);
	struct guest_amdvi_list list = {};

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	of->domain = 0x777;
	guest_amdvi_dte_set(guest, self->device->rid);
	EXPECT_EQ(0, vm_amd_dte_written(self->device));
	guest_amdvi_devtab(&list, self->device->rid);
	atc(&list, self->device, pasid_of(&self->space), 0, UINT64_MAX);
	ISSUE(&self->vm, &list);
	self->space.domain = of->domain;
	REACHES(self->iova, self->page[1]);
	MAP(self->iova, self->page[2], PAGE);
	STILL_REACHES(self->iova, self->page[1]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[2]);
}

/* Entries that are not about translation: blocked, and let through to guest physical memory */
TEST_F(nested, blocked_and_passed_through)
{
	RULE("AMD-06");
	struct guest_amdvi *guest = guest_of(&self->vm);
	struct guest_amdvi_list list = {}, again = {};
	struct vm_space through = { .vm = &self->vm, .pasid = DMA_NO_PASID };
	struct vm_device plain = *self->device;

	plain.ats = false;
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	guest_amdvi_dte_block(guest, self->device->rid);
	EXPECT_EQ(0, vm_amd_dte_written(self->device));
	guest_amdvi_devtab(&list, self->device->rid);
	ISSUE(&self->vm, &list);
	REFUSED(self->iova);
	EXPECT_NO_DMA(&plain, &through, self->page[0]);
	guest_amdvi_dte(guest, self->device->rid)[0] = 0;	/* V = 0 */
	EXPECT_EQ(0, vm_amd_dte_written(self->device));
	guest_amdvi_devtab(&again, self->device->rid);
	ISSUE(&self->vm, &again);
	EXPECT_DMA(&plain, &through, self->page[0], self->page[0]);
	EXPECT_NO_DMA(&plain, &through, WINDOW);
}

/* One DomainID and one GCR3 table for two devices: one command for the IOMMU, one for each ATC */
TEST_F(nested, two_devices_in_one_domain)
{
	RULE("AMD-63");
	struct guest_amdvi *guest = guest_of(&self->vm);
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space);
	struct vm_device *second;

	ADD_DEVICE(&self->vm, 1, variant->ats, &second);
	guest_amdvi_share(guest, second->rid, self->device->rid);
	ASSERT_EQ(0, vm_attach(second, &self->space));
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	EXPECT_DMA(second, &self->space, self->iova, self->page[0]);
	MAP(self->iova, self->page[1], PAGE);
	STILL_REACHES(self->iova, self->page[0]);
	EXPECT_STALE(second, &self->space, self->iova, self->page[0]);
	guest_amdvi_pages(&list, self->space.domain, pasid, self->iova, PAGE, true);
	atc(&list, self->device, pasid, self->iova, PAGE);
	atc(&list, second, pasid, self->iova, PAGE);
	ISSUE(&self->vm, &list);
	REACHES(self->iova, self->page[1]);
	EXPECT_DMA(second, &self->space, self->iova, self->page[1]);
}

/* A DomainID that no device has any more is given to another one, with other tables. */
TEST_F(nested, domain_of_a_device_that_left)
{
	RULE("NEST-09");
	struct guest_amdvi *guest = guest_of(&self->vm);
	struct vm_device *second;
	struct vm_space other;

	ADD_DEVICE(&self->vm, 1, variant->ats, &second);
	SPACE(&other, variant->pasid, self->page[1]);
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	EXPECT_EQ(0, vm_detach(self->device, &self->space));
	guest_amdvi_device(guest, second->rid)->domain = self->space.domain;
	ASSERT_EQ(0, vm_attach(second, &other));
	EXPECT_DMA(second, &other, self->iova, self->page[1]);
	EXPECT_EQ(0, vm_detach(second, &other));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	REACHES(self->iova, self->page[0]);
	vm_space_fini(&other);
}

/*
 * The next VM gets the DomainIDs of the one that ended. In its memory lies, where the first one had
 * its page table, something that looks like one and is none.
 */
TEST_F(nested, domain_of_a_vm_that_ended)
{
	RULE("NEST-09");
	uint64_t iova = self->iova + 0x1a3 * PAGE, table, entry;

	MAP(iova, self->page[0], PAGE);
	REACHES(iova, self->page[0]);
	table = *pgtable_entry(&self->space.stage1, iova, 1) & AMDVI_GPTE_ADDR;
	entry = *pgtable_entry(&self->space.stage1, iova, 0);
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	VM_OPEN(&self->vm, &self->target, &self->vendor, 0);
	ADD_DEVICE(&self->vm, 0, variant->ats, &self->device);
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	((uint64_t *)pages_ptr(&self->vm.mem, table))[0x1a3] = entry;
	REFUSED(iova);
	((uint64_t *)pages_ptr(&self->vm.mem, table))[0x1a3] = 0;
}

/* INVALIDATE_IOMMU_ALL is all of this guest's: pages, directories, GCR3 entries; no ATC. */
TEST_F(nested, invalidate_iommu_all)
{
	RULE("AMD-06");
	struct guest_amdvi_list list = {};
	struct vm_space other;
	uint64_t *entry;

	SPACE(&other, variant->pasid, self->page[1]);
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	entry = guest_amdvi_gcr3_entry(guest_of(&self->vm), self->device->rid,
				       pasid_of(&self->space));
	*entry = other.stage1.root | AMDVI_GCR3_V;
	STILL_REACHES(self->iova, self->page[0]);
	amdvi_cmd_invalidate_iommu_all(guest_amdvi_next(&list));
	atc(&list, self->device, pasid_of(&self->space), 0, UINT64_MAX);
	ISSUE(&self->vm, &list);
	REACHES(self->iova, self->page[1]);
	vm_space_fini(&other);
}

/* The same for every domain of the guest */
TEST_F(nested, invalidate_iommu_all_of_two_domains)
{
	RULE("AMD-06");
	struct guest_amdvi_list list = {};
	struct vm_device *second;
	struct vm_space other;

	ADD_DEVICE(&self->vm, 1, false, &second);
	SPACE(&other, DMA_NO_PASID, self->page[1]);
	ASSERT_EQ(0, vm_attach(second, &other));
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[2]);
	EXPECT_DMA(second, &other, self->iova, self->page[1]);
	ASSERT_EQ(0, vm_map(&other, self->iova, self->page[3], PAGE, RW));
	EXPECT_STALE(second, &other, self->iova, self->page[1]);
	amdvi_cmd_invalidate_iommu_all(guest_amdvi_next(&list));
	atc(&list, self->device, pasid_of(&self->space), 0, UINT64_MAX);
	ISSUE(&self->vm, &list);
	REACHES(self->iova, self->page[2]);
	EXPECT_DMA(second, &other, self->iova, self->page[3]);
	EXPECT_EQ(0, vm_detach(second, &other));
	vm_space_fini(&other);
}

/* GN = 0: what a virtual IOMMU has for the guest's own host tables is nested here. */
TEST_F(nested, without_gn)
{
	RULE("AMD-03");
	struct guest_amdvi_list list = {};

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	amdvi_cmd_invalidate_iommu_pages(guest_amdvi_next(&list), self->space.domain, 0,
					 AMDVI_INV_ALL_PAGES, AMDVI_PAGES1_PDE);
	atc(&list, self->device, pasid_of(&self->space), 0, UINT64_MAX);
	ISSUE(&self->vm, &list);
	REACHES(self->iova, self->page[1]);
}

NIT_TEST_MAIN
