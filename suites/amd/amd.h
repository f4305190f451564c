/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words of the AMD tests. Where a test has `self` with a device and a space, most of what it says
 * is about those two.
 */
#ifndef NIT_SUITES_AMD_AMD_H
#define NIT_SUITES_AMD_AMD_H

#include "core/test.h"
#include "hw/endpoint.h"
#include "iommufd/amd_nested.h"
#include "target/ref.h"
#include "vmm/amdvi.h"
#include "vmm/expect.h"

#define PAGE	VM_PAGE
#define SIZE_2M	(2ULL << 20)
#define SIZE_1G	(1ULL << 30)
#define RO	(PGTABLE_READ | PGTABLE_USER)
#define RW	(RO | PGTABLE_WRITE)

/* Guest physical pages outside of RAM, which tests give stage-2 mappings of their own */
#define WINDOW	0x80000000ULL
#define S2_RW	(IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

#define MAP(_iova, _gpa, _len) ASSERT_EQ(0, vm_map(&self->space, _iova, _gpa, _len, RW))
#define UNMAP(_iova, _len) vm_unmap(&self->space, _iova, _len)
#define REACHES(_iova, _page) EXPECT_DMA(self->device, &self->space, _iova, _page)
#define STILL_REACHES(_iova, _page) EXPECT_STALE(self->device, &self->space, _iova, _page)
#define REFUSED(_iova) EXPECT_NO_DMA(self->device, &self->space, _iova)
#define INVALIDATE(_iova, _len, _change) \
	EXPECT_EQ(0, vm_invalidate(&self->space, _iova, _len, _change))

/*
 * Whether a kernel has nested page tables for AMD-Vi is seen by making them; a reference always
 * has them.
 */
#define ADD_DEVICE(_vm, _number, _ats, _device) do { \
	NEEDS_DEVICES((_vm)->target, (_number) + 1); \
	int add_rc = vm_add_device(_vm, _number, _ats, _device); \
	if (add_rc == -EOPNOTSUPP && !((_vm)->target->has & TARGET_REFERENCE)) \
		SKIP(return, "no nested page tables for AMD-Vi in this kernel"); \
	ASSERT_EQ(0, add_rc); \
} while (0)

/* Fill every cache with one page, put another in its place, and see that the caches are real. */
#define MAP_THEN_REMAP(_iova, _before, _after) do { \
	MAP(_iova, _before, PAGE); \
	REACHES(_iova, _before); \
	MAP(_iova, _after, PAGE); \
	STILL_REACHES(_iova, _before); \
} while (0)

/* A guest's own list of commands, with a COMPLETION_WAIT at its end */
#define ISSUE(_vm, _list) EXPECT_EQ(0, vm_amd_run(_vm, _list))

/** atc() - INVALIDATE_IOTLB_PAGES for a device that has ATS on */
static inline void atc(struct guest_amdvi_list *list, const struct vm_device *device,
		       uint32_t pasid, uint64_t iova, uint64_t len)
{
	if (device->ats)
		guest_amdvi_iotlb(list, device->rid, pasid, iova, len);
}

static inline struct guest_amdvi *guest_of(struct vm *vm)
{
	return &vmm_amdvi(vm)->guest;
}

/** pasid_of() - As commands have it: 0 for requests without PASID */
static inline uint32_t pasid_of(const struct vm_space *space)
{
	return space->pasid == DMA_NO_PASID ? 0 : space->pasid;
}

static inline uint8_t *spare(struct vm *vm, unsigned int n)
{
	return vm->spare + n * PAGE;
}

/** spare_name() - What a DMA that reaches spare page @n brings back */
static inline uint64_t spare_name(struct vm *vm, unsigned int n)
{
	return (uintptr_t)spare(vm, n) & ~(0xffULL << 56);
}

/** window_map() - Stage 2: guest page @n of the window becomes spare page @to */
static inline int window_map(struct vm *vm, unsigned int n, unsigned int to)
{
	return vm_s2_map(vm, WINDOW + n * PAGE, spare(vm, to), PAGE, S2_RW);
}

static inline int window_unmap(struct vm *vm, unsigned int n)
{
	return vm_s2_unmap(vm, WINDOW + n * PAGE, PAGE);
}

#endif
