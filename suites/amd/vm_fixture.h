/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixture `nested`: a VM with a device (or two) whose DMA is translated by the guest's v2 table on
 * top of the hypervisor's v1 table, and four pages to map. A program says with NESTED_VARIANTS_*
 * in which forms its tests run.
 */
#ifndef NIT_SUITES_AMD_VM_FIXTURE_H
#define NIT_SUITES_AMD_VM_FIXTURE_H

#include "amd.h"

FIXTURE(nested)
{
	struct target target;
	struct vm_vendor vendor;
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
	struct vm_amd_config config;
};

#define NESTED(_name, _pasid, _ats, ...) \
	FIXTURE_VARIANT_ADD(nested, _name) { \
		.pasid = _pasid, .ats = _ats, .config = { __VA_ARGS__ }, \
	}

#define NESTED_VARIANTS_ATS \
	NESTED(rid_ats, DMA_NO_PASID, true); \
	NESTED(pasid_ats, 0x1a5, true); \
	NESTED(hw_rid_ats, DMA_NO_PASID, true, .hw = true)

#define NESTED_VARIANTS \
	NESTED_VARIANTS_ATS; \
	NESTED(rid, DMA_NO_PASID, false); \
	NESTED(pasid, 0x1a5, false); \
	NESTED(hw_pasid, 0x1a5, false, .hw = true)

#define NESTED_VARIANTS_ALL \
	NESTED_VARIANTS; \
	NESTED(rid_5_levels, DMA_NO_PASID, false, .five_levels = true); \
	NESTED(pasid_ats_gcr3_2_levels, 0x2c3a5, true, .glx = 1); \
	NESTED(pasid_gcr3_3_levels, 0xf1a5c, false, .glx = 2); \
	NESTED(rid_ats_by_domain, DMA_NO_PASID, true, .by_domain = true); \
	NESTED(hw_pasid_ats, 0x1a5, true, .hw = true)

FIXTURE_SETUP(nested)
{
	const struct target_config config = {
		.needs = target_needs(variant->ats, variant->pasid),
	};

	self->vendor = vm_amd;
	self->vendor.config = &variant->config;
	TARGET_OPEN(&self->target, "amd", &config);
	VM_OPEN(&self->vm, &self->target, &self->vendor, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	ADD_DEVICE(&self->vm, 0, variant->ats, &self->device);
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->iova = variant->config.five_levels ? 0x00f1120000000000 : 0x7f1200000000;
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
