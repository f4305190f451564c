/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all tests of the suite say: sizes, permissions, and what a guest does to the address space
 * of its fixture (self->vm, ->device, ->space, ->granule), and what must then be true.
 */
#ifndef NIT_SUITES_ARM_ARM_H
#define NIT_SUITES_ARM_ARM_H

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
