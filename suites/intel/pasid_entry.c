// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device is attached to: PASID entries of the guest that come, change and go, and the nested
 * page tables that the VMM attaches for them. Nothing of before may be reached after.
 */
#include "vm_fixture.h"

/* A second address space for the same RID or PASID, that maps @_page at the fixture's iova */
#define OTHER_SPACE(_other, _page) do { \
	ASSERT_EQ(0, vm_space_init(&self->vm, _other, variant->pasid)); \
	ASSERT_EQ(0, vm_map(_other, self->iova, _page, PAGE, RW)); \
} while (0)

TEST_F(nested, detached)
{
	RULE("VTD-10");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	REFUSED(self->iova);
}

TEST_F(nested, detached_and_attached_again)
{
	RULE("VTD-10");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	MAP(self->iova, self->page[1], PAGE);
	REFUSED(self->iova);
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	REACHES(self->iova, self->page[1]);
}

TEST_F(nested, replaced)
{
	struct vm_space other;

	RULE("VTD-10");
	OTHER_SPACE(&other, self->page[1]);
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	ASSERT_EQ(0, vm_replace(self->device, &other, &self->space));
	EXPECT_DMA(self->device, &other, self->iova, self->page[1]);
	ASSERT_EQ(0, vm_replace(self->device, &self->space, &other));
	REACHES(self->iova, self->page[0]);
	vm_space_fini(&other);
}

/* The guest gives the ids of what it took away to something else: only the page table differs. */
TEST_F(nested, domain_id_reused_by_the_guest)
{
	struct vm_space other;

	RULE("NEST-09");
	OTHER_SPACE(&other, self->page[1]);
	other.domain = self->space.domain;
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	ASSERT_EQ(0, vm_replace(self->device, &other, &self->space));
	EXPECT_DMA(self->device, &other, self->iova, self->page[1]);
	vm_space_fini(&other);
}

/* The hypervisor has few domain ids, and hands them out again and again. */
TEST_F(nested, domain_ids_reused_by_the_hypervisor)
{
	struct vm_space other[2];

	RULE("VTD-43");
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	OTHER_SPACE(&other[0], self->page[0]);
	OTHER_SPACE(&other[1], self->page[1]);
	for (unsigned int i = 0; i < 6; i++) {
		ASSERT_EQ(0, vm_attach(self->device, &other[i % 2]));
		EXPECT_DMA(self->device, &other[i % 2], self->iova, self->page[i % 2]);
		ASSERT_EQ(0, vm_detach(self->device, &other[i % 2]));
	}
	vm_space_fini(&other[0]);
	vm_space_fini(&other[1]);
}

/* DMA at the worst moment: the entry is gone, its caches are being invalidated. */
struct moment {
	struct vm_device *device;
	struct vm_space *space;
	uint64_t iova;
	uint64_t reached;
};

static void read_now(void *arg)
{
	struct moment *moment = arg;

	moment->reached = vm_read(moment->device, moment->space, moment->iova);
}

TEST_F(nested, detached_while_used)
{
	struct moment moment = { self->device, &self->space, self->iova };

	RULE("VTD-10");
	NEEDS(&self->target, TARGET_WAITING);
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	self->target.ops->waiting(&self->target, read_now, &moment);
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	REFUSED(self->iova);
}

TEST_F(nested, detach_waits_for_a_write_in_flight)
{
	struct late_write late = { self->device, 10 };
	uint64_t *word = (uint64_t *)pages_ptr(&self->vm.mem, self->page[0]) + 1;

	RULE(variant->ats ? "ATS-03" : "VTD-14");
	MAP(self->iova, self->page[0], PAGE);
	HOLD_WRITE(&late, self->iova + 8, 0x1234);
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	EXPECT_EQ(0x1234, *word);
}

/* A reset takes ATC and enables away; what was attached is attached again, as it is now. */
TEST_F(nested, reset)
{
	RULE("ATS-08");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	MAP(self->iova, self->page[1], PAGE);
	RESET();
	REACHES(self->iova, self->page[1]);
	MAP(self->iova, self->page[2], PAGE);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[2]);
}

/*
 * The guest changes its table without the detour over "not present", and says so: the virtual IOMMU
 * takes what the entry says when its PASID cache is invalidated.
 */
TEST_F(nested, entry_rewritten_in_place)
{
	struct guest_vtd *guest = &vmm_vtd(&self->vm)->guest;
	struct guest_vtd_list list = {};
	struct vm_space other;
	uint64_t *entry;

	RULE("VTD-52");
	OTHER_SPACE(&other, self->page[1]);
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	entry = guest_vtd_pasid_entry(guest, self->device->rid, guest_pasid(&self->space));
	guest_vtd_pasid_set(guest, entry, VTD_PGTT_FIRST_STAGE, self->space.domain,
			    other.stage1.root);
	STILL_REACHES(self->iova, self->page[0]);
	guest_vtd_invalidate_entry(&list, self->space.domain, guest_pasid(&self->space));
	EXECUTE(&list);
	REACHES(self->iova, self->page[1]);
	vm_space_fini(&other);
}

/* By domain, or all of it: PASID-cache invalidations that do not name the PASID */
TEST_F(nested, entry_gone_and_pasid_cache_invalidated_by_domain)
{
	struct guest_vtd *guest = &vmm_vtd(&self->vm)->guest;
	struct guest_vtd_list list = {};

	RULE("VTD-52");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	guest_vtd_pasid_clear(guest_vtd_pasid_entry(guest, self->device->rid,
						    guest_pasid(&self->space)));
	STILL_REACHES(self->iova, self->page[0]);
	vtd_inv_pasid_cache(guest_vtd_next(&list), VTD_PC_DOMAIN, self->space.domain, 0);
	EXECUTE(&list);
	REFUSED(self->iova);
}

TEST_F(nested, context_gone)
{
	struct guest_vtd *guest = &vmm_vtd(&self->vm)->guest;
	struct guest_vtd_list list = {};

	RULE("VTD-52");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	guest_vtd_context(guest, self->device->rid)[0] &= ~VTD_SM_CONTEXT_P;
	STILL_REACHES(self->iova, self->page[0]);
	vtd_inv_context(guest_vtd_next(&list), VTD_DEVICE, 0, self->device->rid, 0);
	EXECUTE(&list);
	REFUSED(self->iova);
}

NIT_TEST_MAIN
