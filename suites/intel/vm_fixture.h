/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixture `nested`: a VM with one device whose DMA is translated by the guest's first stage on top
 * of the hypervisor's second, with four pages to map, in every form that a device can take: by RID
 * or by PASID, with its ATC or without, four levels or five.
 */
#ifndef NIT_SUITES_INTEL_VM_FIXTURE_H
#define NIT_SUITES_INTEL_VM_FIXTURE_H

#include "intel.h"

FIXTURE(nested)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t iova;		/* canonical, aligned to 1 GiB */
	uint64_t page[4];	/* guest physical */
};

FIXTURE_VARIANT(nested)
{
	uint32_t pasid;
	bool ats;
	unsigned int levels;
};

FIXTURE_VARIANT_ADD(nested, rid) { .pasid = DMA_NO_PASID, .levels = 4 };
FIXTURE_VARIANT_ADD(nested, rid_ats) { .pasid = DMA_NO_PASID, .levels = 4, .ats = true };
FIXTURE_VARIANT_ADD(nested, pasid) { .pasid = 0x1005, .levels = 4 };
FIXTURE_VARIANT_ADD(nested, pasid_ats) { .pasid = 0x1005, .levels = 4, .ats = true };
FIXTURE_VARIANT_ADD(nested, rid_5_levels) { .pasid = DMA_NO_PASID, .levels = 5 };
FIXTURE_VARIANT_ADD(nested, pasid_ats_5_levels) { .pasid = 0x1005, .levels = 5, .ats = true };

FIXTURE_SETUP(nested)
{
	const struct target_config config = {
		.needs = target_needs(variant->ats, variant->pasid),
	};

	TARGET_OPEN(&self->target, "intel", &config);
	VM_OPEN(&self->vm, &self->target, &vm_intel, 0);
	vmm_vtd(&self->vm)->guest.levels = variant->levels;
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, variant->ats, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->iova = variant->levels == 5 ? 0x00f1120000000000 : 0x7f1200000000;
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(nested)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#endif
