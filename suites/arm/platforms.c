// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same promises on SMMUs of other makes: address sizes that give stage 2 other shapes, one
 * granule only, no ranges, no SubstreamIDs, few tags, a queue of two entries.
 */
#include "arm.h"

FIXTURE(platform)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t iova;
	uint64_t granule;
	uint64_t page[2];
	uint64_t high;		/* a guest physical address at the end of stage 2 */
	uint8_t *backing;	/* what the VMM puts there: two pages of 64 KiB */
};

FIXTURE_VARIANT(platform)
{
	uint8_t oas;		/* IDR5.OAS; 0: full */
	uint8_t granules;
	unsigned int page_shift;
	bool no_ril;
	bool no_ssid;
	bool few_tags;
	bool linear_tables;
	bool no_msi;
	uint8_t cmdq_log2;
	bool no_httu;
};

FIXTURE_VARIANT_ADD(platform, oas_36) { .oas = 1, .page_shift = 12 };
FIXTURE_VARIANT_ADD(platform, oas_40_concatenated) { .oas = 2, .page_shift = 12 };
FIXTURE_VARIANT_ADD(platform, oas_42_concatenated) { .oas = 3, .page_shift = 12 };
FIXTURE_VARIANT_ADD(platform, oas_44) { .oas = 4, .page_shift = 12 };
FIXTURE_VARIANT_ADD(platform, only_16k) { .granules = SMMUV3_16K, .page_shift = 14 };
FIXTURE_VARIANT_ADD(platform, only_16k_oas_40) {
	.granules = SMMUV3_16K, .page_shift = 14, .oas = 2,
};
FIXTURE_VARIANT_ADD(platform, only_64k) { .granules = SMMUV3_64K, .page_shift = 16 };
FIXTURE_VARIANT_ADD(platform, only_64k_oas_44) {
	.granules = SMMUV3_64K, .page_shift = 16, .oas = 4,
};
FIXTURE_VARIANT_ADD(platform, no_ranges) { .page_shift = 12, .no_ril = true };
FIXTURE_VARIANT_ADD(platform, no_substreams) { .page_shift = 12, .no_ssid = true };
FIXTURE_VARIANT_ADD(platform, few_tags) { .page_shift = 12, .few_tags = true };
FIXTURE_VARIANT_ADD(platform, linear_tables) { .page_shift = 12, .linear_tables = true };
FIXTURE_VARIANT_ADD(platform, queue_of_two) { .page_shift = 12, .cmdq_log2 = 1 };
FIXTURE_VARIANT_ADD(platform, no_dirty_state) { .page_shift = 14, .no_httu = true };

FIXTURE_SETUP(platform)
{
	struct smmuv3_config smmu = smmuv3_config_full();
	const struct target_config config = { .iommu = &smmu };

	smmu.oas = variant->oas ?: smmu.oas;
	smmu.granules = variant->granules ?: smmu.granules;
	smmu.ril = !variant->no_ril;
	smmu.ssid_bits = variant->no_ssid ? 0 : smmu.ssid_bits;
	smmu.asid16 = smmu.vmid16 = !variant->few_tags;
	smmu.two_level = smmu.cd_two_level = !variant->linear_tables;
	smmu.cmdq_log2 = variant->cmdq_log2 ?: smmu.cmdq_log2;
	smmu.httu = variant->no_httu ? SMMU_HTTU_NONE : smmu.httu;
	TARGET_OPEN(&self->target, "arm", &config);
	VM_OPEN(&self->vm, &self->target, &vm_arm, 0);
	vmm_smmuv3(&self->vm)->guest.page_shift = variant->page_shift;
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, true, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->iova = 0x7f1000000000;
	self->granule = 1ull << variant->page_shift;
	for (unsigned int i = 0; i < 2; i++)
		self->page[i] = vm_pages(&self->vm, self->granule);
	self->high = (1ull << smmu_address_bits[smmu.oas]) - 0x10000;
	self->backing = self->target.ops->memory(&self->target, 0x20000);
	ASSERT_NE(NULL, self->backing);
	vm_stamp(self->backing, 0x20000, (uintptr_t)self->backing);
}

FIXTURE_TEARDOWN(platform)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define PLUG(_gpa, _n) \
	ASSERT_EQ(0, vm_s2_map(&self->vm, _gpa, self->backing + (_n) * 0x10000, 0x10000, S2_RW))
#define UNPLUG(_gpa) ASSERT_EQ(0, vm_s2_unmap(&self->vm, _gpa, 0x10000))
#define BACKING(_n) ((uintptr_t)self->backing + (_n) * 0x10000)

TEST_F(platform, stage1_change)
{
	RULE("SMMU-02");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	INVALIDATE(self->iova, self->granule, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

TEST_F(platform, range_of_pages)
{
	RULE("SMMU-06");
	for (unsigned int i = 0; i < 70; i += 23)
		MAP_THEN_REMAP(self->iova + i * self->granule, self->page[0], self->page[1]);
	INVALIDATE(self->iova, 70 * self->granule, VM_LEAF_ONLY);
	for (unsigned int i = 0; i < 70; i += 23)
		REACHES(self->iova + i * self->granule, self->page[1]);
}

/* From the lowest to the highest address of stage 2: every table of its top is reached. */
TEST_F(platform, stage2_change_anywhere)
{
	const uint64_t step = (self->high + 0x10000) / 16;

	RULE("SMMU-74");
	for (unsigned int i = 1; i <= 16; i++) {
		uint64_t gpa = i * step - 0x10000;

		PLUG(gpa, i % 2);
		MAP(self->iova + i * SIZE_1G, gpa, self->granule);
		REACHES(self->iova + i * SIZE_1G, BACKING(i % 2));
		UNPLUG(gpa);
		REFUSED(self->iova + i * SIZE_1G);
		PLUG(gpa, 1 - i % 2);
		REACHES(self->iova + i * SIZE_1G, BACKING(1 - i % 2));
	}
}

TEST_F(platform, beyond_the_end_of_stage2)
{
	RULE("SMMU-74");
	EXPECT_EQ(-ERANGE,
		  vm_s2_map(&self->vm, self->high + 0x10000, self->backing, 0x10000, S2_RW));
	PLUG(self->high, 0);
	MAP(self->iova, self->high, self->granule);
	REACHES(self->iova, BACKING(0));
}

/* Dozens of VMs one after the other, more than there are tags */
TEST_F(platform, tags_come_round)
{
	RULE("NEST-09");
	for (unsigned int i = 0; i < 300; i++) {
		uint32_t hwpt, ioas = ioas_alloc(&self->vm.iommufd);

		hwpt = hwpt_alloc(&self->vm.iommufd, self->device->dev_id, ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT);
		iommufd_destroy(&self->vm.iommufd, hwpt);
		iommufd_destroy(&self->vm.iommufd, ioas);
	}
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	INVALIDATE(self->iova, self->granule, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

/* ---- Several SMMUs ---- */

FIXTURE(machines)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_device *second;
	struct vm_space space;
	uint64_t iova;
	uint64_t granule;
	uint64_t page[4];
};

FIXTURE_VARIANT(machines)
{
	bool ats;
	uint32_t pasid;
};

FIXTURE_VARIANT_ADD(machines, rid) { .pasid = DMA_NO_PASID };
FIXTURE_VARIANT_ADD(machines, rid_ats) { .pasid = DMA_NO_PASID, .ats = true };
FIXTURE_VARIANT_ADD(machines, pasid_ats) { .pasid = 3, .ats = true };

/* One VM with a device behind each of two SMMUs, and an address space that both use */
FIXTURE_SETUP(machines)
{
	const struct target_config config = {
		.iommus = 2, .needs = target_needs(variant->ats, variant->pasid),
	};

	TARGET_OPEN(&self->target, "arm", &config);
	VM_OPEN(&self->vm, &self->target, &vm_arm, 0);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, variant->ats, &self->device));
	ASSERT_EQ(0, vm_add_device(&self->vm, 1, variant->ats, &self->second));
	ASSERT_NE(self->device->viommu_id, self->second->viommu_id);
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	ASSERT_EQ(0, vm_attach(self->second, &self->space));
	self->iova = 0x7f1000000000;
	self->granule = VM_PAGE;
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(machines)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define BOTH_REACH(_iova, _page) do { \
	REACHES(_iova, _page); \
	EXPECT_DMA(self->second, &self->space, _iova, _page); \
} while (0)

TEST_F(machines, stage1_change)
{
	RULE("SMMU-58");
	MAP(self->iova, self->page[0], VM_PAGE);
	BOTH_REACH(self->iova, self->page[0]);
	MAP(self->iova, self->page[1], VM_PAGE);
	BOTH_REACH(self->iova, self->page[0]);	/* control: still */
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	BOTH_REACH(self->iova, self->page[1]);
}

TEST_F(machines, whole_address_space)
{
	RULE("SMMU-58");
	MAP(self->iova, self->page[0], VM_PAGE);
	BOTH_REACH(self->iova, self->page[0]);
	MAP(self->iova, self->page[1], VM_PAGE);
	BOTH_REACH(self->iova, self->page[0]);
	ASSERT_EQ(0, vm_invalidate_space(&self->space));
	BOTH_REACH(self->iova, self->page[1]);
}

TEST_F(machines, stage2_change)
{
	const uint64_t hot = 0x80000000;

	RULE("NEST-08");
	ASSERT_EQ(0, vm_s2_map(&self->vm, hot, self->vm.spare, VM_PAGE, S2_RW));
	MAP(self->iova, hot, VM_PAGE);
	BOTH_REACH(self->iova, (uintptr_t)self->vm.spare);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, hot, VM_PAGE));
	BOTH_REACH(self->iova, VM_NOWHERE);
}

/* An error on one of the two is an error, and the other is not counted beyond it. */
TEST_F(machines, error_on_one)
{
	struct guest_smmuv3_list list = {};
	unsigned int done;

	RULE("NEST-05");
	smmuv3_cmd_tlbi_nh_all(guest_smmuv3_next(&list), 0);
	smmuv3_cmd_cfgi_cd_all(guest_smmuv3_next(&list), 0x3ff);
	smmuv3_cmd_tlbi_nh_all(guest_smmuv3_next(&list), 0);
	guest_smmuv3_sync(&list);
	EXPECT_EQ(-EIO, vmm_smmuv3_execute(&self->vm, &list, &done));
	EXPECT_EQ(1, done);
}

/* The device of one SMMU does not answer: the other SMMU's is served. */
TEST_F(machines, device_that_does_not_answer)
{
	RULE("SMMU-04");
	NEEDS(&self->target, TARGET_KNOBS);
	MAP(self->iova, self->page[0], VM_PAGE);
	BOTH_REACH(self->iova, self->page[0]);
	MAP(self->iova, self->page[1], VM_PAGE);
	TURN(&self->target, 0, KNOB_DROP_INVALIDATES, true);
	EXPECT_EQ(self->device->ats ? -ETIMEDOUT : 0,
		  vm_invalidate(&self->space, self->iova, VM_PAGE, VM_LEAF_ONLY));
	REACHES(self->iova, self->device->ats ? VM_NOWHERE : self->page[1]);
	EXPECT_DMA(self->second, &self->space, self->iova, self->page[1]);
}

NIT_TEST_MAIN
