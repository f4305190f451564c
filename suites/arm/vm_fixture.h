/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixture `nested`: a VM with one device whose DMA is translated by the guest's stage 1 on top of
 * the hypervisor's stage 2, with four pages to map, in every form that a device can take: by
 * StreamID alone or with a SubstreamID, with its ATC or without, with each granule.
 */
#ifndef NIT_SUITES_ARM_VM_FIXTURE_H
#define NIT_SUITES_ARM_VM_FIXTURE_H

#include "arm.h"

FIXTURE(nested)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t iova;		/* aligned to 64 GiB */
	uint64_t granule;
	uint64_t page[4];	/* guest physical, of a granule each */
};

FIXTURE_VARIANT(nested)
{
	uint32_t pasid;
	bool ats;
	unsigned int page_shift;
	bool cd_two_level;
};

FIXTURE_VARIANT_ADD(nested, rid) { .pasid = DMA_NO_PASID, .page_shift = 12 };
FIXTURE_VARIANT_ADD(nested, rid_ats) { .pasid = DMA_NO_PASID, .page_shift = 12, .ats = true };
FIXTURE_VARIANT_ADD(nested, pasid) { .pasid = 0x105, .page_shift = 12 };
FIXTURE_VARIANT_ADD(nested, pasid_ats) {
	.pasid = 0x105, .page_shift = 12, .ats = true, .cd_two_level = true,
};
FIXTURE_VARIANT_ADD(nested, rid_16k) {
	.pasid = DMA_NO_PASID, .page_shift = 14, .cd_two_level = true,
};
FIXTURE_VARIANT_ADD(nested, pasid_ats_16k) { .pasid = 7, .page_shift = 14, .ats = true };
FIXTURE_VARIANT_ADD(nested, rid_ats_64k) { .pasid = DMA_NO_PASID, .page_shift = 16, .ats = true };

/* The guest has the machine to itself, and its device is not attached yet. */
static inline void nested_open(struct __test_metadata *_metadata,
			       struct _test_data_nested *self, const struct target_config *config,
			       const struct _fixture_variant_nested *variant)
{
	struct target_config wanted = config ? *config : (struct target_config){};
	struct guest_smmuv3 *guest;

	wanted.needs |= target_needs(variant->ats, variant->pasid);
	TARGET_OPEN(&self->target, "arm", &wanted);
	VM_OPEN(&self->vm, &self->target, &vm_arm, 0);
	guest = &vmm_smmuv3(&self->vm)->guest;
	guest->page_shift = variant->page_shift;
	guest->cd_two_level = variant->cd_two_level;
	self->granule = 1ull << variant->page_shift;
	self->iova = 0x7f1000000000;
}

FIXTURE_SETUP(nested)
{
	nested_open(_metadata, self, NULL, variant);
	if (self->target.lacks)
		return;
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, variant->ats, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_pages(&self->vm, self->granule);
}

FIXTURE_TEARDOWN(nested)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#endif
