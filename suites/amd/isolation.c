// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two VMs on one machine that use the same ids for everything: each guest's vRID of its device is
 * the other's real one, DomainIDs and PASIDs are equal, and small as the hypervisor's own.
 */
#include "amd.h"

FIXTURE(two_vms)
{
	struct target target;
	struct vm_vendor vendor;
	struct vm vms[2];
	struct vm_device *devices[2];
	struct vm_space spaces[2];
	uint64_t iova;
	uint64_t pages[2][3];
};

FIXTURE_VARIANT(two_vms)
{
	uint32_t pasid;
	bool ats;
	unsigned int iommus;
	struct vm_amd_config config;
};

FIXTURE_VARIANT_ADD(two_vms, rid) { .pasid = DMA_NO_PASID };
FIXTURE_VARIANT_ADD(two_vms, rid_ats) { .pasid = DMA_NO_PASID, .ats = true };
FIXTURE_VARIANT_ADD(two_vms, pasid_ats) { .pasid = 5, .ats = true };
FIXTURE_VARIANT_ADD(two_vms, rid_ats_two_iommus) {
	.pasid = DMA_NO_PASID, .ats = true, .iommus = 2,
};
FIXTURE_VARIANT_ADD(two_vms, hw_rid_ats) { .pasid = DMA_NO_PASID, .ats = true, .config.hw = true };
FIXTURE_VARIANT_ADD(two_vms, hw_pasid) { .pasid = 5, .config.hw = true };

FIXTURE_SETUP(two_vms)
{
	struct target_config config = {
		.iommus = variant->iommus, .needs = target_needs(variant->ats, variant->pasid),
		.devices = 2,
	};

	self->vendor = vm_amd;
	self->vendor.config = &variant->config;
	self->iova = 0x7f1200000000;
	TARGET_OPEN(&self->target, "amd", &config);
	for (unsigned int i = 0; i < 2; i++) {
		VM_OPEN(&self->vms[i], &self->target, &self->vendor, 0);
		ADD_DEVICE(&self->vms[i], i, variant->ats, &self->devices[i]);
		ASSERT_EQ(0, vm_space_init(&self->vms[i], &self->spaces[i], variant->pasid));
		ASSERT_EQ(0, vm_attach(self->devices[i], &self->spaces[i]));
		for (unsigned int n = 0; n < 3; n++)
			self->pages[i][n] = vm_page(&self->vms[i]);
		/* Stamps tell guest physical addresses, which are the same in both. */
		vm_stamp(pages_ptr(&self->vms[i].mem, self->pages[i][0]), 3 * PAGE,
			 self->pages[i][0] + ((i + 1ULL) << 40));
	}
}

FIXTURE_TEARDOWN(two_vms)
{
	for (unsigned int i = 0; i < 2; i++) {
		vm_space_fini(&self->spaces[i]);
		vm_close(&self->vms[i]);
	}
	self->target.ops->close(&self->target);
}

#define NAME(_vm, _n) (self->pages[_vm][_n] + ((_vm + 1ULL) << 40))
#define VM_MAP(_vm, _n) \
	ASSERT_EQ(0, vm_map(&self->spaces[_vm], self->iova, self->pages[_vm][_n], PAGE, RW))
#define VM_REACHES(_vm, _n) \
	EXPECT_DMA(self->devices[_vm], &self->spaces[_vm], self->iova, NAME(_vm, _n))

static int invalidate(FIXTURE_DATA(two_vms) *self, unsigned int vm)
{
	return vm_invalidate(&self->spaces[vm], self->iova, PAGE, VM_LEAF_ONLY);
}

TEST_F(two_vms, each_sees_its_own)
{
	RULE("NEST-10");
	for (unsigned int i = 0; i < 2; i++)
		VM_MAP(i, i);
	for (unsigned int i = 0; i < 2; i++)
		VM_REACHES(i, i);
	for (unsigned int i = 0; i < 2; i++)
		VM_REACHES(i, i);
}

/* What one of them invalidates is its own; what the other one invalidated is not. */
TEST_F(two_vms, invalidation_is_for_the_own_device)
{
	RULE("NEST-10");
	for (unsigned int i = 0; i < 2; i++) {
		VM_MAP(i, 0);
		VM_REACHES(i, 0);
	}
	for (unsigned int i = 0; i < 2; i++)
		VM_MAP(i, 1);
	for (unsigned int i = 0; i < 2; i++) {
		VM_REACHES(i, 0);	/* stale, until its own guest says so */
		EXPECT_EQ(0, invalidate(self, i));
		VM_REACHES(i, 1);
	}
}

TEST_F(two_vms, the_other_ones_commands_do_not_help)
{
	RULE("NEST-10");
	for (unsigned int i = 0; i < 2; i++) {
		VM_MAP(i, 0);
		VM_REACHES(i, 0);
		VM_MAP(i, 1);
	}
	for (unsigned int n = 0; n < 3; n++)
		EXPECT_EQ(0, invalidate(self, 1));
	VM_REACHES(1, 1);
	EXPECT_EQ(0, invalidate(self, 0));
	VM_REACHES(0, 1);
}

TEST_F(two_vms, second_stage_of_one)
{
	RULE("NEST-10");
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_EQ(0, window_map(&self->vms[i], 0, i));
		ASSERT_EQ(0, vm_map(&self->spaces[i], self->iova, WINDOW, PAGE, RW));
		EXPECT_DMA(self->devices[i], &self->spaces[i], self->iova,
			   spare_name(&self->vms[i], i));
	}
	EXPECT_EQ(0, window_unmap(&self->vms[0], 0));
	EXPECT_NO_DMA(self->devices[0], &self->spaces[0], self->iova);
	EXPECT_DMA(self->devices[1], &self->spaces[1], self->iova, spare_name(&self->vms[1], 1));
}

/* One guest's errors stop nobody else, and are not counted as done. */
TEST_F(two_vms, bad_commands_of_one)
{
	RULE("NEST-06");
	struct guest_amdvi_list bad = {};

	for (unsigned int i = 0; i < 2; i++) {
		VM_MAP(i, 0);
		VM_REACHES(i, 0);
		VM_MAP(i, 1);
	}
	guest_amdvi_next(&bad)[0] = amdvi_put(12, AMDVI_CMD0_OPCODE);
	EXPECT_NE(0, vm_amd_run(&self->vms[0], &bad));
	EXPECT_FALSE(guest_amdvi_waited(guest_of(&self->vms[0])));
	EXPECT_EQ(0, invalidate(self, 1));
	VM_REACHES(1, 1);
	VM_REACHES(0, 0);
}

/* A device that does not answer is a matter of its own VM; one without ATS is never asked. */
TEST_F(two_vms, silent_device_of_one)
{
	RULE("NEST-06");
	NEEDS(&self->target, TARGET_REFERENCE);
	for (unsigned int i = 0; i < 2; i++) {
		VM_MAP(i, 0);
		VM_REACHES(i, 0);
		VM_MAP(i, 1);
	}
	endpoint_behaviour(ref_endpoint(&self->target, 0))->drop_invalidates = true;
	EXPECT_EQ(variant->ats, invalidate(self, 0) != 0);
	EXPECT_DMA(self->devices[0], &self->spaces[0], self->iova,
		   variant->ats ? VM_NOWHERE : NAME(0, 1));
	EXPECT_EQ(0, invalidate(self, 1));
	VM_REACHES(1, 1);
}

/* What ended leaves the other one as it was. */
TEST_F(two_vms, one_ends)
{
	RULE("NEST-10");
	for (unsigned int i = 0; i < 2; i++) {
		VM_MAP(i, 0);
		VM_REACHES(i, 0);
	}
	vm_space_fini(&self->spaces[0]);
	vm_close(&self->vms[0]);
	VM_REACHES(1, 0);
	VM_MAP(1, 1);
	VM_REACHES(1, 0);
	EXPECT_EQ(0, invalidate(self, 1));
	VM_REACHES(1, 1);
}

/* IOMMU_ALL of one guest may cost the other one time, and nothing else. */
TEST_F(two_vms, everything_of_one)
{
	RULE("NEST-10");
	struct guest_amdvi_list list = {};

	for (unsigned int i = 0; i < 2; i++) {
		VM_MAP(i, 0);
		VM_REACHES(i, 0);
	}
	VM_MAP(0, 1);
	amdvi_cmd_invalidate_iommu_all(guest_amdvi_next(&list));
	atc(&list, self->devices[0], pasid_of(&self->spaces[0]), self->iova, PAGE);
	EXPECT_EQ(0, vm_amd_run(&self->vms[0], &list));
	VM_REACHES(0, 1);
	VM_REACHES(1, 0);
}

NIT_TEST_MAIN
