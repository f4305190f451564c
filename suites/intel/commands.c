// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's lists of commands on their way through VMM and iommufd: who is meant, in which order,
 * how far it got.
 */
#include "vm_fixture.h"

/* ---- Forms ---- */

/* What @_form says must be enough for both pages of the address space */
#define EXPECT_LIST_COVERS(_list) do { \
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]); \
	MAP_THEN_REMAP(self->iova + SIZE_1G, self->page[2], self->page[3]); \
	EXECUTE(_list); \
	REACHES(self->iova, self->page[1]); \
	REACHES(self->iova + SIZE_1G, self->page[3]); \
} while (0)

TEST_F(nested, piotlb_by_pasid)
{
	struct guest_vtd_list list = {};

	RULE("VTD-02");
	vtd_inv_piotlb(guest_vtd_next(&list), VTD_PASID, self->space.domain,
		       guest_pasid(&self->space), 0, 0, false);
	EXPECT_LIST_COVERS(&list);
}

TEST_F(nested, piotlb_by_page_of_everything)
{
	struct guest_vtd_list list = {};

	RULE("VTD-04");
	vtd_inv_piotlb(guest_vtd_next(&list), VTD_PAGE, self->space.domain,
		       guest_pasid(&self->space), 0, 52, false);
	EXPECT_LIST_COVERS(&list);
}

TEST_F(nested, iotlb_of_everything)
{
	struct guest_vtd_list list = {};

	RULE("VTD-53");
	vtd_inv_iotlb(guest_vtd_next(&list), VTD_GLOBAL, 0, 0, 0, false);
	EXPECT_LIST_COVERS(&list);
}

TEST_F(nested, iotlb_by_domain)
{
	struct guest_vtd_list list = {};

	RULE("VTD-53");
	vtd_inv_iotlb(guest_vtd_next(&list), VTD_DOMAIN, self->space.domain, 0, 0, false);
	EXPECT_LIST_COVERS(&list);
}

/* By page means the second stage, which this guest does not have: entries go by domain, whole. */
TEST_F(nested, iotlb_by_page)
{
	struct guest_vtd_list list = {};

	RULE("VTD-01");
	vtd_inv_iotlb(guest_vtd_next(&list), VTD_PAGE, self->space.domain, 0x5000, 0, false);
	EXPECT_LIST_COVERS(&list);
}

/* The address need not be the beginning of the range: AM says how many of its bits count. */
TEST_F(nested, address_anywhere_in_the_range)
{
	struct guest_vtd_list list = {};

	RULE("VTD-02");
	for (unsigned int i = 0; i < 4; i++)
		MAP_THEN_REMAP(self->iova + i * PAGE, self->page[0], self->page[i ?: 1]);
	vtd_inv_piotlb(guest_vtd_next(&list), VTD_PAGE, self->space.domain,
		       guest_pasid(&self->space), self->iova + 2 * PAGE, 2, true);
	EXECUTE(&list);
	for (unsigned int i = 0; i < 4; i++)
		REACHES(self->iova + i * PAGE, self->page[i ?: 1]);
}

/* Every AM from one page to all of them, around a page in the middle */
TEST_F(nested, every_address_mask)
{
	const uint64_t iova = self->iova + 0x123456000;

	RULE("VTD-04");
	MAP(iova, self->page[0], PAGE);
	for (unsigned int am = 0; am <= 52; am++) {
		struct guest_vtd_list list = {};

		REACHES(iova, self->page[am % 4]);
		MAP(iova, self->page[(am + 1) % 4], PAGE);
		STILL_REACHES(iova, self->page[am % 4]);
		vtd_inv_piotlb(guest_vtd_next(&list), VTD_PAGE, self->space.domain,
			       guest_pasid(&self->space), iova, am, false);
		EXECUTE(&list);
	}
	REACHES(iova, self->page[53 % 4]);
}

/* IH belongs to each descriptor; the one beside it may say the opposite. */
TEST_F(nested, hints_of_neighbours)
{
	uint64_t table = vm_page(&self->vm), *entries = pages_ptr(&self->vm.mem, table), *directory;
	struct guest_vtd_list list = {};

	RULE("VTD-05");
	MAP_THEN_REMAP(self->iova + SIZE_1G, self->page[2], self->page[3]);
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	memset(entries, 0, PAGE);
	entries[0] = *pgtable_entry(&self->space.stage1, self->iova, 0);
	entries[0] += self->page[1] - self->page[0];
	directory = pgtable_entry(&self->space.stage1, self->iova, 1);
	*directory = (*directory & (PAGE - 1)) | table;
	STILL_REACHES(self->iova, self->page[0]);
	guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space),
			     self->iova + SIZE_1G, PAGE, true);
	guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space), self->iova,
			     PAGE, false);
	EXECUTE(&list);
	REACHES(self->iova, self->page[1]);
	REACHES(self->iova + SIZE_1G, self->page[3]);
}

/* ---- Lists ---- */

/* More commands than the hypervisor's queue has room for, and than one call takes */
TEST_F(nested, list_longer_than_any_queue)
{
	const unsigned int pages = 400;
	struct guest_vtd_list list = {};

	RULE("VTD-41");
	for (unsigned int i = 0; i < pages; i++) {
		MAP(self->iova + i * PAGE, self->page[0], PAGE);
		REACHES(self->iova + i * PAGE, self->page[0]);
		MAP(self->iova + i * PAGE, self->page[1], PAGE);
		guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space),
				     self->iova + i * PAGE, PAGE, true);
	}
	STILL_REACHES(self->iova + (pages - 1) * PAGE, self->page[0]);
	EXECUTE(&list);
	for (unsigned int i = 0; i < pages; i++)
		REACHES(self->iova + i * PAGE, self->page[1]);
}

/* The device-TLB commands of the guest are dropped, wherever they stand; nothing is lost by it. */
TEST_F(nested, device_tlb_commands_in_between)
{
	struct guest_vtd_list list = {};

	RULE("VTD-40");
	for (unsigned int i = 0; i < 3; i++)
		MAP_THEN_REMAP(self->iova + i * PAGE, self->page[0], self->page[1 + i]);
	for (unsigned int i = 0; i < 3; i++) {
		guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space),
				     self->iova + i * PAGE, PAGE, true);
		guest_vtd_invalidate_atc(&list, self->device->rid, guest_pasid(&self->space),
					 self->iova + i * PAGE, PAGE);
	}
	EXECUTE(&list);
	for (unsigned int i = 0; i < 3; i++)
		REACHES(self->iova + i * PAGE, self->page[1 + i]);
}

/* A guest whose driver sends none at all relies on the uAPI's promise. */
TEST_F(nested, no_device_tlb_command_at_all)
{
	struct guest_vtd_list list = {};

	RULE("VTD-40");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space), self->iova, PAGE,
			     true);
	EXECUTE(&list);
	REACHES(self->iova, self->page[1]);
}

/* Commands behind the last wait are no less commands. */
TEST_F(nested, commands_after_the_last_wait)
{
	struct guest_vtd *guest = &vmm_vtd(&self->vm)->guest;
	struct guest_vtd_list list = {};

	RULE("VTD-41");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	guest_vtd_wait(guest, &list);
	guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space), self->iova, PAGE,
			     true);
	EXECUTE(&list);
	EXPECT_TRUE(guest_vtd_waited(guest));
	REACHES(self->iova, self->page[1]);
}

/* ---- Waits ---- */

struct look {
	const struct guest_vtd *guest;
	bool looked;
	bool waited;
};

static void look(void *arg)
{
	struct look *look = arg;

	look->looked = true;
	look->waited = guest_vtd_waited(look->guest);
}

TEST_F(nested, wait_is_not_early)
{
	struct guest_vtd *guest = &vmm_vtd(&self->vm)->guest;
	struct look seen = { guest };
	struct guest_vtd_list list = {};

	RULE("VTD-07");
	NEEDS(&self->target, TARGET_WAITING);
	guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space), self->iova, PAGE,
			     true);
	guest_vtd_wait(guest, &list);
	self->target.ops->waiting(&self->target, look, &seen);
	EXECUTE(&list);
	EXPECT_TRUE(seen.looked);	/* control: the hypervisor did wait for hardware */
	EXPECT_FALSE(seen.waited);
	EXPECT_TRUE(guest_vtd_waited(guest));
}

/* ---- Errors ---- */

/* A descriptor that the virtual hardware refuses: what is before it is done, the rest not. */
TEST_F(nested, refused_descriptor_in_the_middle)
{
	struct guest_vtd *guest = &vmm_vtd(&self->vm)->guest;
	struct guest_vtd_list list = {};
	unsigned int done;

	RULE("VTD-06");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space), self->iova, PAGE,
			     true);
	vtd_inv_piotlb(guest_vtd_next(&list), 1, self->space.domain, 0, 0, 0, false);
	guest_vtd_wait(guest, &list);
	EXPECT_EQ(-EINVAL, vmm_vtd_execute(&self->vm, &list, &done));
	EXPECT_EQ(1U, done);
	EXPECT_FALSE(guest_vtd_waited(guest));
	REACHES(self->iova, self->page[1]);
}

TEST_F(nested, unknown_descriptor_type)
{
	struct guest_vtd_list list = {};
	unsigned int done;

	RULE("VTD-06");
	vtd_inv_set(guest_vtd_next(&list), 0xf | 0x200, 0);
	EXPECT_EQ(-EINVAL, vmm_vtd_execute(&self->vm, &list, &done));
	EXPECT_EQ(0U, done);
}

/* Ids that mean nothing are no error: there is nothing cached under them. */
TEST_F(nested, ids_that_mean_nothing)
{
	struct guest_vtd_list list = {};
	unsigned int done;

	RULE("VTD-02");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	guest_vtd_invalidate(&list, 0xbad, 0xbad, self->iova, PAGE, true);
	guest_vtd_invalidate_atc(&list, 0xbad8, 0, self->iova, PAGE);
	guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space), self->iova, PAGE,
			     true);
	EXPECT_EQ(0, vmm_vtd_execute(&self->vm, &list, &done));
	EXPECT_EQ(3U, done);
	REACHES(self->iova, self->page[1]);
}

NIT_TEST_MAIN
