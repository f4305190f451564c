// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several of everything: address spaces, devices, IOMMUs, VMs. Ids are chosen so that they collide;
 * each command must reach those that it names.
 */
#include "intel.h"

#define IOVA 0x7f1200000000ull
#define PASID 7
#define VMS 2
#define SPACES 2

/*
 * Two VMs with a device each; a VM has an address space by RID and one by PASID. The guests number
 * their domains alike, and both have the same PASID.
 */
FIXTURE(vms)
{
	struct target target;
	struct vm vm[VMS];
	struct vm_device *device[VMS];
	struct vm_space space[VMS][SPACES];
	uint64_t page[VMS][SPACES][2];
};

FIXTURE_VARIANT(vms)
{
	bool ats;
	unsigned int iommus;
	bool same_domain;	/* of the two address spaces of a VM */
};

FIXTURE_VARIANT_ADD(vms, one_iommu) { .iommus = 1 };
FIXTURE_VARIANT_ADD(vms, one_iommu_ats) { .iommus = 1, .ats = true };
FIXTURE_VARIANT_ADD(vms, one_iommu_same_domain) { .iommus = 1, .same_domain = true };
FIXTURE_VARIANT_ADD(vms, two_iommus_ats_same_domain) {
	.iommus = 2, .ats = true, .same_domain = true,
};

static void open_vm(struct __test_metadata *_metadata, FIXTURE_DATA(vms) *self, unsigned int n,
		    bool ats, bool same_domain)
{
	static const uint32_t pasids[SPACES] = { DMA_NO_PASID, PASID };
	struct vm *vm = &self->vm[n];

	VM_OPEN(vm, &self->target, &vm_intel, 0);
	ASSERT_EQ(0, vm_add_device(vm, n, ats, &self->device[n]));
	for (unsigned int i = 0; i < SPACES; i++) {
		struct vm_space *space = &self->space[n][i];

		ASSERT_EQ(0, vm_space_init(vm, space, pasids[i]));
		if (same_domain)
			space->domain = self->space[n][0].domain;
		ASSERT_EQ(0, vm_attach(self->device[n], space));
		for (unsigned int k = 0; k < 2; k++)
			self->page[n][i][k] = vm_page(vm);
	}
}

FIXTURE_SETUP(vms)
{
	const struct target_config config = { .iommus = variant->iommus, .devices = VMS };

	TARGET_OPEN(&self->target, "intel", &config);
	for (unsigned int n = 0; n < VMS; n++)
		open_vm(_metadata, self, n, variant->ats, variant->same_domain);
}

FIXTURE_TEARDOWN(vms)
{
	for (unsigned int n = 0; n < VMS; n++) {
		for (unsigned int i = 0; i < SPACES; i++)
			vm_space_fini(&self->space[n][i]);
		vm_close(&self->vm[n]);
	}
	self->target.ops->close(&self->target);
}

/* For each address space of all VMs */
#define EACH(_n, _i) \
	for (unsigned int _n = 0; _n < VMS; _n++) \
		for (unsigned int _i = 0; _i < SPACES; _i++)

#define EXPECT_PAGE(_n, _i, _k) \
	EXPECT_DMA(self->device[_n], &self->space[_n][_i], IOVA, self->page[_n][_i][_k])

#define MAP_PAGE(_n, _i, _k) \
	ASSERT_EQ(0, vm_map(&self->space[_n][_i], IOVA, self->page[_n][_i][_k], PAGE, RW))

/* Guest physical addresses of the VMs are the same, too: pages are told apart by what they hold. */
static void name_pages(FIXTURE_DATA(vms) *self)
{
	EACH(n, i)
		for (unsigned int k = 0; k < 2; k++) {
			uint64_t gpa = self->page[n][i][k], name = gpa | (uint64_t)(n + 1) << 40;

			vm_stamp(pages_ptr(&self->vm[n].mem, gpa), PAGE, name);
		}
}

#define EXPECT_OWN_PAGE(_n, _i, _k) \
	EXPECT_DMA(self->device[_n], &self->space[_n][_i], IOVA, \
		   self->page[_n][_i][_k] | (uint64_t)((_n) + 1) << 40)

TEST_F(vms, each_reaches_its_own)
{
	RULE("NEST-10");
	name_pages(self);
	EACH(n, i)
		MAP_PAGE(n, i, 0);
	EACH(n, i)
		EXPECT_OWN_PAGE(n, i, 0);
	EACH(n, i)
		EXPECT_OWN_PAGE(n, i, 0);
}

/* All change, each is invalidated in turn: each then has its new page, not before its turn. */
TEST_F(vms, each_is_invalidated_by_its_own_command)
{
	RULE("NEST-10");
	name_pages(self);
	EACH(n, i)
		MAP_PAGE(n, i, 0);
	EACH(n, i)
		EXPECT_OWN_PAGE(n, i, 0);
	EACH(n, i) {
		MAP_PAGE(n, i, 1);
		EXPECT_OWN_PAGE(n, i, 0);	/* control */
		ASSERT_EQ(0, vm_invalidate(&self->space[n][i], IOVA, PAGE, VM_LEAF_ONLY));
		EXPECT_OWN_PAGE(n, i, 1);
	}
}

/* The commands for both address spaces of a VM in one list, in either order */
TEST_F(vms, list_for_two_address_spaces)
{
	RULE("VTD-41");
	name_pages(self);
	for (unsigned int first = 0; first < SPACES; first++) {
		struct guest_vtd_list list = {};

		for (unsigned int i = 0; i < SPACES; i++) {
			const struct vm_space *space = &self->space[0][first ^ i];

			MAP_PAGE(0, first ^ i, first);
			EXPECT_OWN_PAGE(0, first ^ i, 0);
			guest_vtd_invalidate(&list, space->domain, guest_pasid(space), IOVA, PAGE,
					     true);
		}
		ASSERT_EQ(0, vmm_vtd_execute(&self->vm[0], &list, NULL));
		for (unsigned int i = 0; i < SPACES; i++)
			EXPECT_OWN_PAGE(0, i, first);
	}
}

/* A VM that is gone leaves nothing behind for the one that gets its device and ids. */
TEST_F(vms, device_given_to_another_vm)
{
	RULE("NEST-09");
	name_pages(self);
	MAP_PAGE(0, 0, 0);
	MAP_PAGE(0, 1, 0);
	EXPECT_OWN_PAGE(0, 0, 0);
	EXPECT_OWN_PAGE(0, 1, 0);
	for (unsigned int i = 0; i < SPACES; i++)
		vm_space_fini(&self->space[0][i]);
	vm_close(&self->vm[0]);
	open_vm(_metadata, self, 0, variant->ats, variant->same_domain);
	for (unsigned int i = 0; i < SPACES; i++)
		EXPECT_NO_DMA(self->device[0], &self->space[0][i], IOVA);
}

/* An IOTLB invalidation by domain is for every PASID that the domain has. */
TEST_F(vms, domain_with_two_page_tables)
{
	struct guest_vtd_list list = {};

	RULE("VTD-53");
	name_pages(self);
	for (unsigned int i = 0; i < SPACES; i++) {
		MAP_PAGE(0, i, 0);
		EXPECT_OWN_PAGE(0, i, 0);
		MAP_PAGE(0, i, 1);
		EXPECT_OWN_PAGE(0, i, 0);	/* control */
		if (!variant->same_domain || !i)
			vtd_inv_iotlb(guest_vtd_next(&list), VTD_DOMAIN, self->space[0][i].domain,
				      0, 0, false);
	}
	ASSERT_EQ(0, vmm_vtd_execute(&self->vm[0], &list, NULL));
	for (unsigned int i = 0; i < SPACES; i++)
		EXPECT_OWN_PAGE(0, i, 1);
}

/* ---- One VM: a device that the guest passes through, two with address spaces of their own ---- */

FIXTURE(mixed)
{
	struct target target;
	struct vm vm;
	struct vm_device *through;
	struct vm_device *device[2];
	struct vm_space space[2];
	uint64_t page[2][2];
};

FIXTURE_VARIANT(mixed)
{
	bool ats;
};

FIXTURE_VARIANT_ADD(mixed, plain) {};
FIXTURE_VARIANT_ADD(mixed, ats) { .ats = true };

/* A guest address is a guest physical address: the nest parent alone. */
static int pass_through(FIXTURE_DATA(mixed) *self)
{
	struct guest_vtd *guest = &vmm_vtd(&self->vm)->guest;
	struct guest_vtd_list list = {};

	guest_vtd_pasid_set(guest, guest_vtd_pasid_entry(guest, self->through->rid, 0),
			    VTD_PGTT_PASS_THROUGH, 0x77, 0);
	guest_vtd_invalidate_entry(&list, 0x77, 0);
	return vmm_vtd_execute(&self->vm, &list, NULL);
}

FIXTURE_SETUP(mixed)
{
	const struct target_config config = { .devices = 3 };

	TARGET_OPEN(&self->target, "intel", &config);
	VM_OPEN(&self->vm, &self->target, &vm_intel, 0);
	ASSERT_EQ(0, vm_add_device(&self->vm, 2, variant->ats, &self->through));
	ASSERT_EQ(0, pass_through(self));
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_EQ(0, vm_add_device(&self->vm, i, variant->ats, &self->device[i]));
		ASSERT_EQ(0, vm_space_init(&self->vm, &self->space[i], DMA_NO_PASID));
		ASSERT_EQ(0, vm_attach(self->device[i], &self->space[i]));
		self->page[i][0] = vm_page(&self->vm);
		self->page[i][1] = vm_page(&self->vm);
		ASSERT_EQ(0, vm_map(&self->space[i], IOVA, self->page[i][0], PAGE, RW));
	}
}

FIXTURE_TEARDOWN(mixed)
{
	for (unsigned int i = 0; i < 2; i++)
		vm_space_fini(&self->space[i]);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define EXPECT_BOTH(_first, _second) do { \
	EXPECT_DMA(self->device[0], &self->space[0], IOVA, self->page[0][_first]); \
	EXPECT_DMA(self->device[1], &self->space[1], IOVA, self->page[1][_second]); \
} while (0)

TEST_F(mixed, each_reaches_its_own)
{
	RULE("VTD-43");
	EXPECT_BOTH(0, 0);
	EXPECT_DMA(self->through, &self->space[0], self->page[0][1], self->page[0][1]);
	EXPECT_NO_DMA(self->through, &self->space[0], IOVA);
	EXPECT_BOTH(0, 0);
}

/* Both RIDs have PASID 0; what tells them apart is the guest's domain id. */
TEST_F(mixed, each_is_invalidated_by_its_own_command)
{
	RULE("NEST-10");
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT_BOTH(i, 0);
		ASSERT_EQ(0, vm_map(&self->space[i], IOVA, self->page[i][1], PAGE, RW));
		EXPECT_BOTH(i, 0);	/* control */
		ASSERT_EQ(0, vm_invalidate(&self->space[i], IOVA, PAGE, VM_LEAF_ONLY));
		EXPECT_BOTH(1, i);
	}
}

/* Stage 2 changes for whoever uses it by itself, and for those that use it under a first stage. */
TEST_F(mixed, unmap_reaches_all)
{
	const uint64_t hot = 0x80000000;

	RULE("VTD-46");
	ASSERT_EQ(0, vm_s2_map(&self->vm, hot, self->vm.spare, PAGE, S2_RW));
	ASSERT_EQ(0, vm_map(&self->space[0], IOVA + PAGE, hot, PAGE, RW));
	EXPECT_DMA(self->through, &self->space[0], hot, (uintptr_t)self->vm.spare);
	EXPECT_DMA(self->device[0], &self->space[0], IOVA + PAGE, (uintptr_t)self->vm.spare);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, hot, PAGE));
	EXPECT_NO_DMA(self->through, &self->space[0], hot);
	EXPECT_NO_DMA(self->device[0], &self->space[0], IOVA + PAGE);
}

/* ---- One address space, several devices ---- */

FIXTURE(devices)
{
	struct target target;
	struct vm vm;
	unsigned int count;
	struct vm_device *device[VM_DEVICES];
	struct vm_space space;
	uint64_t page[2];
};

FIXTURE_VARIANT(devices)
{
	uint32_t pasid;
	bool ats;
	unsigned int iommus;
};

FIXTURE_VARIANT_ADD(devices, rid) { .pasid = DMA_NO_PASID, .iommus = 1 };
FIXTURE_VARIANT_ADD(devices, pasid_ats) { .pasid = PASID, .iommus = 1, .ats = true };
FIXTURE_VARIANT_ADD(devices, rid_two_iommus) { .pasid = DMA_NO_PASID, .iommus = 2 };
FIXTURE_VARIANT_ADD(devices, pasid_ats_two_iommus) { .pasid = PASID, .iommus = 2, .ats = true };

FIXTURE_SETUP(devices)
{
	const struct target_config config = { .iommus = variant->iommus, .devices = VM_DEVICES };

	TARGET_OPEN(&self->target, "intel", &config);
	VM_OPEN(&self->vm, &self->target, &vm_intel, 0);
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	for (unsigned int n = 0; n < VM_DEVICES; n++) {
		ASSERT_EQ(0, vm_add_device(&self->vm, n, variant->ats, &self->device[n]));
		ASSERT_EQ(0, vm_attach(self->device[n], &self->space));
	}
	self->page[0] = vm_page(&self->vm);
	self->page[1] = vm_page(&self->vm);
	ASSERT_EQ(0, vm_map(&self->space, IOVA, self->page[0], PAGE, RW));
}

FIXTURE_TEARDOWN(devices)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define EXPECT_ALL_REACH(_page) do { \
	for (unsigned int n = 0; n < VM_DEVICES; n++) \
		EXPECT_DMA(self->device[n], &self->space, IOVA, _page); \
} while (0)

TEST_F(devices, all_see_the_new_page)
{
	RULE("VTD-51");
	EXPECT_ALL_REACH(self->page[0]);
	ASSERT_EQ(0, vm_map(&self->space, IOVA, self->page[1], PAGE, RW));
	EXPECT_ALL_REACH(self->page[0]);	/* control */
	ASSERT_EQ(0, vm_invalidate(&self->space, IOVA, PAGE, VM_LEAF_ONLY));
	EXPECT_ALL_REACH(self->page[1]);
}

TEST_F(devices, all_lose_what_stage_2_unmaps)
{
	const uint64_t hot = 0x80000000;

	RULE("VTD-46");
	ASSERT_EQ(0, vm_s2_map(&self->vm, hot, self->vm.spare, PAGE, S2_RW));
	ASSERT_EQ(0, vm_map(&self->space, IOVA, hot, PAGE, RW));
	EXPECT_ALL_REACH((uintptr_t)self->vm.spare);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, hot, PAGE));
	EXPECT_ALL_REACH(VM_NOWHERE);
}

/* One leaves; the id that it shared stays with the others, and still works for them. */
TEST_F(devices, one_detached)
{
	RULE("VTD-50");
	EXPECT_ALL_REACH(self->page[0]);
	ASSERT_EQ(0, vm_detach(self->device[1], &self->space));
	EXPECT_NO_DMA(self->device[1], &self->space, IOVA);
	ASSERT_EQ(0, vm_map(&self->space, IOVA, self->page[1], PAGE, RW));
	ASSERT_EQ(0, vm_invalidate(&self->space, IOVA, PAGE, VM_LEAF_ONLY));
	for (unsigned int n = 0; n < VM_DEVICES; n++)
		if (n != 1)
			EXPECT_DMA(self->device[n], &self->space, IOVA, self->page[1]);
	ASSERT_EQ(0, vm_attach(self->device[1], &self->space));
	EXPECT_ALL_REACH(self->page[1]);
}

/* The PASID-cache invalidation of a PASID is for every device that has it. */
TEST_F(devices, entries_of_all_devices_gone_by_one_command)
{
	struct guest_vtd *guest = &vmm_vtd(&self->vm)->guest;
	struct guest_vtd_list list = {};

	RULE("VTD-52");
	EXPECT_ALL_REACH(self->page[0]);
	for (unsigned int n = 0; n < VM_DEVICES; n++)
		guest_vtd_pasid_clear(guest_vtd_pasid_entry(guest, self->device[n]->rid,
							    guest_pasid(&self->space)));
	EXPECT_ALL_REACH(self->page[0]);	/* control */
	guest_vtd_invalidate_entry(&list, self->space.domain, guest_pasid(&self->space));
	ASSERT_EQ(0, vmm_vtd_execute(&self->vm, &list, NULL));
	EXPECT_ALL_REACH(VM_NOWHERE);
}

NIT_TEST_MAIN
