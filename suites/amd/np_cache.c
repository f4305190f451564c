// SPDX-License-Identifier: GPL-2.0-only
/* An IOMMU that caches what is not there (NpCache): new mappings are invalidated as well. */
#include "amd.h"
#include "hw/amdvi.h"

FIXTURE(np_cache)
{
	struct target target;
	struct vm_vendor vendor;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t iova;
	uint64_t page[2];
};

FIXTURE_VARIANT(np_cache)
{
	uint32_t pasid;
	bool ats;
	struct vm_amd_config config;
};

FIXTURE_VARIANT_ADD(np_cache, rid) { .pasid = DMA_NO_PASID, .config.np_cache = true };
FIXTURE_VARIANT_ADD(np_cache, pasid_ats) {
	.pasid = 0x11, .ats = true, .config.np_cache = true,
};
FIXTURE_VARIANT_ADD(np_cache, hw_rid) {
	.pasid = DMA_NO_PASID, .config = { .np_cache = true, .hw = true },
};

FIXTURE_SETUP(np_cache)
{
	struct amdvi_config amdvi = { AMDVI_CONFIG };
	struct target_config config = { .iommu = &amdvi };

	amdvi.np_cache = true;
	self->vendor = vm_amd;
	self->vendor.config = &variant->config;
	self->iova = 0x7f1200000000;
	TARGET_OPEN(&self->target, "amd", &config);
	VM_OPEN(&self->vm, &self->target, &self->vendor, 0);
	ADD_DEVICE(&self->vm, 0, variant->ats, &self->device);
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	for (unsigned int i = 0; i < 2; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(np_cache)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

TEST_F(np_cache, new_page_of_the_guest)
{
	RULE("AMD-07");
	REFUSED(self->iova);
	MAP(self->iova, self->page[0], PAGE);
	REFUSED(self->iova);	/* the control: that there is nothing was cached */
	INVALIDATE(self->iova, PAGE, 0);
	REACHES(self->iova, self->page[0]);
}

TEST_F(np_cache, new_pages_of_a_range)
{
	RULE("AMD-07");
	for (unsigned int i = 0; i < 16; i++)
		REFUSED(self->iova + (3 + i) * PAGE);
	for (unsigned int i = 0; i < 16; i++)
		MAP(self->iova + (3 + i) * PAGE, self->page[i % 2], PAGE);
	INVALIDATE(self->iova + 3 * PAGE, 16 * PAGE, 0);
	for (unsigned int i = 0; i < 16; i++)
		REACHES(self->iova + (3 + i) * PAGE, self->page[i % 2]);
}

/* Stage 2 is the hypervisor's to invalidate. */
TEST_F(np_cache, new_page_of_the_hypervisor)
{
	RULE("AMD-07");
	for (unsigned int i = 0; i < 3; i++) {
		MAP(self->iova + i * PAGE, WINDOW + i * PAGE, PAGE);
		INVALIDATE(self->iova + i * PAGE, PAGE, 0);
		REFUSED(self->iova + i * PAGE);
		ASSERT_EQ(0, window_map(&self->vm, i, i));
		REACHES(self->iova + i * PAGE, spare_name(&self->vm, i));
	}
}

/* A PASID that was not in the table */
TEST_F(np_cache, new_pasid)
{
	RULE("AMD-07");
	struct vm_space other;

	ASSERT_EQ(0, vm_space_init(&self->vm, &other, 0x33));
	ASSERT_EQ(0, vm_map(&other, self->iova, self->page[1], PAGE, RW));
	ASSERT_EQ(0, vm_amd_pasid_enable(self->device));
	EXPECT_NO_DMA(self->device, &other, self->iova);
	ASSERT_EQ(0, vm_attach(self->device, &other));
	EXPECT_DMA(self->device, &other, self->iova, self->page[1]);
	EXPECT_EQ(0, vm_detach(self->device, &other));
	vm_space_fini(&other);
}

NIT_TEST_MAIN
