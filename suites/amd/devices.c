// SPDX-License-Identifier: GPL-2.0-only
/* A VM with several devices, behind one IOMMU or two: each has its own caches, and all are told. */
#include "amd.h"

#define DEVICES 3

FIXTURE(devices)
{
	struct target target;
	struct vm_vendor vendor;
	struct vm vm;
	struct vm_device *devices[DEVICES];
	struct vm_space space;		/* of all of them */
	uint64_t iova;
	uint64_t page[2];
};

FIXTURE_VARIANT(devices)
{
	uint32_t pasid;
	bool ats;
	bool shared;			/* one DomainID, too */
	unsigned int iommus;
	struct vm_amd_config config;
};

FIXTURE_VARIANT_ADD(devices, rid) { .pasid = DMA_NO_PASID, .iommus = 1 };
FIXTURE_VARIANT_ADD(devices, rid_ats) { .pasid = DMA_NO_PASID, .ats = true, .iommus = 1 };
FIXTURE_VARIANT_ADD(devices, rid_two_iommus) { .pasid = DMA_NO_PASID, .iommus = 2 };
FIXTURE_VARIANT_ADD(devices, rid_ats_two_iommus) {
	.pasid = DMA_NO_PASID, .ats = true, .iommus = 2,
};
FIXTURE_VARIANT_ADD(devices, pasid_ats_two_iommus) { .pasid = 3, .ats = true, .iommus = 2 };
FIXTURE_VARIANT_ADD(devices, one_domain_two_iommus) {
	.pasid = DMA_NO_PASID, .ats = true, .iommus = 2, .shared = true,
};
FIXTURE_VARIANT_ADD(devices, hw_rid_ats) {
	.pasid = DMA_NO_PASID, .ats = true, .iommus = 1, .config.hw = true,
};

FIXTURE_SETUP(devices)
{
	struct target_config config = { .iommus = variant->iommus, .devices = 4 };

	self->vendor = vm_amd;
	self->vendor.config = &variant->config;
	self->iova = 0x7f1200000000;
	TARGET_OPEN(&self->target, "amd", &config);
	VM_OPEN(&self->vm, &self->target, &self->vendor, 0);
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	for (unsigned int i = 0; i < DEVICES; i++) {
		ADD_DEVICE(&self->vm, i, variant->ats, &self->devices[i]);
		if (variant->shared && i)
			guest_amdvi_share(guest_of(&self->vm), self->devices[i]->rid,
					  self->devices[0]->rid);
		ASSERT_EQ(0, vm_attach(self->devices[i], &self->space));
	}
	for (unsigned int i = 0; i < 2; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(devices)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define ALL_REACH(_page) do { \
	for (unsigned int each = 0; each < DEVICES; each++) \
		EXPECT_DMA(self->devices[each], &self->space, self->iova, _page); \
} while (0)

TEST_F(devices, remapped_page)
{
	RULE("AMD-63");
	MAP(self->iova, self->page[0], PAGE);
	ALL_REACH(self->page[0]);
	MAP(self->iova, self->page[1], PAGE);
	ALL_REACH(self->page[0]);	/* the control */
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	ALL_REACH(self->page[1]);
}

TEST_F(devices, unmapped_everything)
{
	RULE("AMD-63");
	MAP(self->iova, self->page[0], PAGE);
	ALL_REACH(self->page[0]);
	UNMAP(self->iova, PAGE);
	ALL_REACH(self->page[0]);
	EXPECT_EQ(0, vm_invalidate_space(&self->space));
	ALL_REACH(VM_NOWHERE);
}

TEST_F(devices, second_stage)
{
	RULE("NEST-08");
	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, WINDOW, PAGE);
	ALL_REACH(spare_name(&self->vm, 0));
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	ALL_REACH(VM_NOWHERE);
	ASSERT_EQ(0, window_map(&self->vm, 0, 1));
	ALL_REACH(spare_name(&self->vm, 1));
}

/* One leaves; the others keep what they have, and it comes back to what is there then. */
TEST_F(devices, one_leaves_and_comes_back)
{
	RULE("NEST-09");
	MAP(self->iova, self->page[0], PAGE);
	ALL_REACH(self->page[0]);
	EXPECT_EQ(0, vm_detach(self->devices[1], &self->space));
	if (variant->shared) {	/* the GCR3 entry was of all of them */
		ASSERT_EQ(0, vm_attach(self->devices[1], &self->space));
		ALL_REACH(self->page[0]);
	} else {
		EXPECT_NO_DMA(self->devices[1], &self->space, self->iova);
		EXPECT_DMA(self->devices[0], &self->space, self->iova, self->page[0]);
		EXPECT_DMA(self->devices[2], &self->space, self->iova, self->page[0]);
		MAP(self->iova, self->page[1], PAGE);
		INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
		ASSERT_EQ(0, vm_attach(self->devices[1], &self->space));
		ALL_REACH(self->page[1]);
	}
}

/* A native list with everything for everybody in it, device by device */
TEST_F(devices, one_list_for_all)
{
	RULE("AMD-63");
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space);

	MAP(self->iova, self->page[0], PAGE);
	ALL_REACH(self->page[0]);
	MAP(self->iova, self->page[1], PAGE);
	for (unsigned int i = 0; i < DEVICES; i++) {
		uint16_t rid = self->devices[i]->rid;

		guest_amdvi_devtab(&list, rid);
		guest_amdvi_pages(&list, guest_amdvi_device(guest_of(&self->vm), rid)->domain,
				  pasid, self->iova, PAGE, true);
		atc(&list, self->devices[i], pasid, self->iova, PAGE);
	}
	ISSUE(&self->vm, &list);
	ALL_REACH(self->page[1]);
}

NIT_TEST_MAIN
