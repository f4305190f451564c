// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two VMs on one SMMU, that chose the same numbers for everything. What one says reaches nothing of
 * the other; a VMID that is used again brings nothing along.
 */
#include "arm.h"

FIXTURE(two_vms)
{
	struct target target;
	struct vm vm;			/* the one that speaks */
	struct vm_device *device;
	struct vm_space space;
	struct vm other;
	struct vm_device *other_device;
	struct vm_space other_space;
	uint64_t iova;
	uint64_t granule;
	uint64_t page[4];
	uint64_t other_page[2];
};

FIXTURE_VARIANT(two_vms)
{
	uint32_t pasid;
	bool ats;
};

FIXTURE_VARIANT_ADD(two_vms, rid) { .pasid = DMA_NO_PASID };
FIXTURE_VARIANT_ADD(two_vms, rid_ats) { .pasid = DMA_NO_PASID, .ats = true };
FIXTURE_VARIANT_ADD(two_vms, pasid_ats) { .pasid = 5, .ats = true };

/* Both have the same ASID and addresses, and each other's real StreamID as its own. */
FIXTURE_SETUP(two_vms)
{
	const struct target_config config = {
		.needs = target_needs(variant->ats, variant->pasid), .devices = 2,
	};

	TARGET_OPEN(&self->target, "arm", &config);
	VM_OPEN(&self->vm, &self->target, &vm_arm, 0);
	VM_OPEN(&self->other, &self->target, &vm_arm, 0);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, variant->ats, &self->device));
	ASSERT_EQ(0, vm_add_device(&self->other, 1, variant->ats, &self->other_device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_space_init(&self->other, &self->other_space, variant->pasid));
	ASSERT_EQ(self->space.domain, self->other_space.domain);
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	ASSERT_EQ(0, vm_attach(self->other_device, &self->other_space));
	self->iova = 0x7f1000000000;
	self->granule = VM_PAGE;
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_page(&self->vm);
	for (unsigned int i = 0; i < 2; i++) {
		self->other_page[i] = vm_page(&self->other);
		/* Names that tell whose page it is: guest physical addresses do not. */
		vm_stamp(pages_ptr(&self->other.mem, self->other_page[i]), VM_PAGE,
			 0x1000 * (i + 1));
	}
}

FIXTURE_TEARDOWN(two_vms)
{
	vm_space_fini(&self->space);
	vm_space_fini(&self->other_space);
	vm_close(&self->other);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define LIST() struct guest_smmuv3_list list = {}
#define OTHER_REACHES(_i) \
	EXPECT_DMA(self->other_device, &self->other_space, self->iova, 0x1000ull * ((_i) + 1))
#define OTHER_MAP(_i) \
	ASSERT_EQ(0, vm_map(&self->other_space, self->iova, self->other_page[_i], VM_PAGE, RW))

/* In both VMs the device has seen page 0 at the address, and the table says page 1. */
#define BOTH_STALE() do { \
	ASSERT_EQ(0, vm_invalidate_space(&self->space)); \
	ASSERT_EQ(0, vm_invalidate_space(&self->other_space)); \
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]); \
	OTHER_MAP(0); \
	OTHER_REACHES(0); \
	OTHER_MAP(1); \
	OTHER_REACHES(0); \
} while (0)

/*
 * That the other VM's entry stays is no obligation; that it does here, on hardware that keeps what
 * it may, says that the command went to nobody but its own VM.
 */
#define EXPECT_OWN_ONLY() do { \
	guest_smmuv3_sync(&list); \
	EXECUTE(&list); \
	FLUSH_ATC(); \
	REACHES(self->iova, self->page[1]); \
	OTHER_REACHES(0); \
	ASSERT_EQ(0, vm_invalidate_space(&self->other_space)); \
	OTHER_REACHES(1); \
} while (0)

TEST_F(two_vms, same_address_different_memory)
{
	RULE("NEST-10");
	MAP(self->iova, self->page[0], VM_PAGE);
	OTHER_MAP(0);
	REACHES(self->iova, self->page[0]);
	OTHER_REACHES(0);
	REACHES(self->iova, self->page[0]);
}

TEST_F(two_vms, nh_va)
{
	LIST();

	RULE("SMMU-75");
	BOTH_STALE();
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, self->space.domain, self->iova, true);
	EXPECT_OWN_ONLY();
}

/* The guest guesses: VMIDs are small numbers. */
TEST_F(two_vms, every_vmid_that_a_guest_may_write)
{
	LIST();

	RULE("SMMU-75");
	for (unsigned int vmid = 0; vmid < 8; vmid++) {
		BOTH_STALE();
		smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), vmid, self->space.domain);
		EXPECT_OWN_ONLY();
	}
}

TEST_F(two_vms, nh_all)
{
	LIST();

	RULE("SMMU-75");
	BOTH_STALE();
	smmuv3_cmd_tlbi_nh_all(guest_smmuv3_next(&list), 0);
	EXPECT_OWN_ONLY();
}

TEST_F(two_vms, nsnh_all)
{
	LIST();

	RULE("SMMU-45");
	BOTH_STALE();
	smmuv3_cmd_tlbi_nsnh_all(guest_smmuv3_next(&list));
	EXPECT_OWN_ONLY();
}

TEST_F(two_vms, cfgi_cd)
{
	uint64_t *cd = guest_smmuv3_cd(&vmm_smmuv3(&self->other)->guest, self->other_device->rid,
				       self->space.pasid == DMA_NO_PASID ? 0 : self->space.pasid);
	LIST();

	RULE("SMMU-75");
	OTHER_MAP(0);
	OTHER_REACHES(0);
	cd[0] &= ~CD0_V;
	smmuv3_cmd_cfgi_cd_all(guest_smmuv3_next(&list), self->device->rid);
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	OTHER_REACHES(0);
	cd[0] |= CD0_V;
}

/* A command that a guest may not send is its own trouble. */
TEST_F(two_vms, illegal_command)
{
	struct guest_smmuv3_list bad = {};
	LIST();

	RULE("NEST-06");
	BOTH_STALE();
	smmuv3_cmd_tlbi_el2_all(guest_smmuv3_next(&bad));
	guest_smmuv3_sync(&bad);
	EXPECT_EQ(-EIO, vmm_smmuv3_execute(&self->vm, &bad, NULL));
	ASSERT_EQ(0, vm_invalidate_space(&self->other_space));
	OTHER_REACHES(1);
	smmuv3_cmd_tlbi_nh_all(guest_smmuv3_next(&list), 0);
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	FLUSH_ATC();
	REACHES(self->iova, self->page[1]);
}

/* One VM's device does not answer: it alone is fenced, and the other VM's list is complete. */
TEST_F(two_vms, device_that_does_not_answer)
{
	RULE("NEST-06");
	NEEDS(&self->target, TARGET_KNOBS);
	BOTH_STALE();
	TURN(&self->target, 0, KNOB_DROP_INVALIDATES, true);
	EXPECT_EQ(self->device->ats ? -ETIMEDOUT : 0, vm_invalidate_space(&self->space));
	EXPECT_DMA(self->device, &self->space, self->iova,
		   self->device->ats ? VM_NOWHERE : self->page[1]);
	OTHER_REACHES(0);
	ASSERT_EQ(0, vm_invalidate_space(&self->other_space));
	OTHER_REACHES(1);
}

/* A change of one VM's stage 2 is none of the other's. */
TEST_F(two_vms, stage2_unmap)
{
	const uint64_t hot = 0x80000000;

	RULE("NEST-10");
	ASSERT_EQ(0, vm_s2_map(&self->vm, hot, self->vm.spare, VM_PAGE, S2_RW));
	ASSERT_EQ(0, vm_s2_map(&self->other, hot, self->other.spare, VM_PAGE, S2_RW));
	MAP(self->iova, hot, VM_PAGE);
	ASSERT_EQ(0, vm_map(&self->other_space, self->iova, hot, VM_PAGE, RW));
	REACHES(self->iova, (uintptr_t)self->vm.spare);
	EXPECT_DMA(self->other_device, &self->other_space, self->iova,
		   (uintptr_t)self->other.spare);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, hot, VM_PAGE));
	REFUSED(self->iova);
	EXPECT_DMA(self->other_device, &self->other_space, self->iova,
		   (uintptr_t)self->other.spare);
}

/* The VMID of a VM that has ended is given to the next: nothing of the old one is left under it. */
TEST_F(two_vms, vmid_used_again)
{
	RULE("NEST-09");
	OTHER_MAP(0);
	OTHER_REACHES(0);
	vm_space_fini(&self->other_space);
	vm_close(&self->other);
	VM_OPEN(&self->other, &self->target, &vm_arm, 0);
	ASSERT_EQ(0, vm_add_device(&self->other, 1, self->device->ats, &self->other_device));
	ASSERT_EQ(0, vm_space_init(&self->other, &self->other_space, self->space.pasid));
	ASSERT_EQ(0, vm_attach(self->other_device, &self->other_space));
	EXPECT_NO_DMA(self->other_device, &self->other_space, self->iova);
	self->other_page[1] = vm_page(&self->other);
	ASSERT_EQ(0, vm_map(&self->other_space, self->iova, self->other_page[1], VM_PAGE, RW));
	EXPECT_DMA(self->other_device, &self->other_space, self->iova, self->other_page[1]);
}

/* A device that moves from one VM to the other takes nothing with it. */
TEST_F(two_vms, device_that_changes_hands)
{
	struct vm_device *moved;

	RULE("NEST-09");
	MAP(self->iova, self->page[0], VM_PAGE);
	REACHES(self->iova, self->page[0]);
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	ASSERT_EQ(0, vm_add_device(&self->other, 0, self->other_device->ats, &moved));
	EXPECT_NO_DMA(moved, &self->other_space, self->iova);
	ASSERT_EQ(0, vm_attach(moved, &self->other_space));
	EXPECT_NO_DMA(moved, &self->other_space, self->iova);
	OTHER_MAP(0);
	EXPECT_DMA(moved, &self->other_space, self->iova, 0x1000);
}

/* The vDEVICE is gone: the guest's name for the device means nothing any more. */
TEST_F(two_vms, vdevice_destroyed)
{
	LIST();

	RULE("SMMU-64");
	MAP(self->iova, self->page[0], VM_PAGE);
	REACHES(self->iova, self->page[0]);
	ASSERT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->device->vdevice_id));
	smmuv3_cmd_cfgi_cd_all(guest_smmuv3_next(&list), self->device->rid);
	guest_smmuv3_sync(&list);
	EXPECT_EQ(-EIO, vmm_smmuv3_execute(&self->vm, &list, NULL));
	list.count = 0;
	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), self->device->rid, true);
	EXPECT_EQ(-ENOENT, vmm_smmuv3_execute(&self->vm, &list, NULL));
	REACHES(self->iova, self->page[0]);
}

NIT_TEST_MAIN
