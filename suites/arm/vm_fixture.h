/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixture `nested`: a VM with one device whose DMA is translated by the guest's stage 1 on top of
 * the hypervisor's stage 2, with four pages to map, in every form that a device can take: by
 * StreamID alone or with a SubstreamID, with its ATC or without, with each granule.
 */
#ifndef NIT_SUITES_ARM_VM_FIXTURE_H
#define NIT_SUITES_ARM_VM_FIXTURE_H

#include "core/test.h"
#include "hw/endpoint.h"
#include "hw/smmuv3.h"
#include "target/ref.h"
#include "vmm/expect.h"
#include "vmm/smmuv3.h"

#define SIZE_2M (1ull << 21)
#define SIZE_1G (1ull << 30)
#define RW (PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER)
#define RO (PGTABLE_READ | PGTABLE_USER)
#define S2_RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

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
FIXTURE_VARIANT_ADD(nested, pasid_ats) { .pasid = 0x105, .page_shift = 12, .ats = true, .cd_two_level = true };
FIXTURE_VARIANT_ADD(nested, rid_16k) { .pasid = DMA_NO_PASID, .page_shift = 14, .cd_two_level = true };
FIXTURE_VARIANT_ADD(nested, pasid_ats_16k) { .pasid = 7, .page_shift = 14, .ats = true };
FIXTURE_VARIANT_ADD(nested, rid_ats_64k) { .pasid = DMA_NO_PASID, .page_shift = 16, .ats = true };

/* The guest has the machine to itself, and its device is not attached yet. */
static inline void nested_open(struct __test_metadata *_metadata,
			       struct _test_data_nested *self, const struct ref_config *config,
			       const struct _fixture_variant_nested *variant)
{
	struct guest_smmuv3 *guest;

	ASSERT_EQ(0, ref_open(&self->target, &ref_arm, config));
	ASSERT_EQ(0, vm_open(&self->vm, &self->target, &vm_arm, 0));
	guest = &vmm_smmuv3(&self->vm)->guest;
	guest->page_shift = variant->page_shift;
	guest->cd_two_level = variant->cd_two_level;
	self->granule = 1ull << variant->page_shift;
	self->iova = 0x7f1000000000;
}

FIXTURE_SETUP(nested)
{
	nested_open(_metadata, self, NULL, variant);
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

/* What a guest does to the fixture's address space, and what must then be true of its device */

#define MAP(_iova, _gpa, _len) ASSERT_EQ(0, vm_map(&self->space, _iova, _gpa, _len, RW))
#define UNMAP(_iova, _len) vm_unmap(&self->space, _iova, _len)
#define INVALIDATE(_iova, _len, _change) \
	ASSERT_EQ(0, vm_invalidate(&self->space, _iova, _len, _change))

#define REACHES(_iova, _page) EXPECT_DMA(self->device, &self->space, _iova, _page)
#define STILL_REACHES(_iova, _page) EXPECT_STALE(self->device, &self->space, _iova, _page)
#define REFUSED(_iova) EXPECT_NO_DMA(self->device, &self->space, _iova)

/* A mapping that every cache on the way knows, and that is another one in the tables */
#define MAP_THEN_REMAP(_iova, _old, _new) do { \
	MAP(_iova, _old, self->granule); \
	REACHES(_iova, _old); \
	MAP(_iova, _new, self->granule); \
	STILL_REACHES(_iova, _old); \
} while (0)

/** EXECUTE() - One of the guest's own command lists, carried out by the VMM; empty afterwards */
#define EXECUTE(_list) do { \
	ASSERT_EQ(0, vmm_smmuv3_execute(&self->vm, _list, NULL)); \
	(_list)->count = 0; \
} while (0)

/** FLUSH_ATC() - The device's ATC forgets all; the guest says so, and waits */
#define FLUSH_ATC() do { \
	struct guest_smmuv3_list atc_list = {}; \
	if (self->device->ats) { \
		guest_smmuv3_atc_inv(&atc_list, self->device->rid, self->space.pasid, 0, \
				     UINT64_MAX); \
		guest_smmuv3_sync(&atc_list); \
		EXECUTE(&atc_list); \
	} \
} while (0)

static inline uint32_t guest_ssid(const struct vm_space *space)
{
	return space->pasid == DMA_NO_PASID ? 0 : space->pasid;
}

#endif
