/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of this suite say: what a guest does to its address space, and what must then be
 * true of its device. The short forms are for fixtures with target, vm, device, space and page.
 */
#ifndef NIT_SUITES_INTEL_INTEL_H
#define NIT_SUITES_INTEL_INTEL_H

#include "core/test.h"
#include "hw/endpoint.h"
#include "hw/vtd.h"
#include "target/ref.h"
#include "vmm/expect.h"
#include "vmm/vtd.h"

#define PAGE VM_PAGE
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
	MAP(_iova, _old, PAGE); \
	REACHES(_iova, _old); \
	MAP(_iova, _new, PAGE); \
	STILL_REACHES(_iova, _old); \
} while (0)

#define RESET() \
	ASSERT_EQ(0, self->target.ops->reset(&self->target, &self->vm.iommufd, \
					     self->device->dev_id))

/* One of the guest's own command lists, executed by the VMM */
#define EXECUTE(_list) ASSERT_EQ(0, vmm_vtd_execute(&self->vm, _list, NULL))

static inline uint32_t guest_pasid(const struct vm_space *space)
{
	return space->pasid == DMA_NO_PASID ? 0 : space->pasid;
}

/** struct late_write - a DMA write in flight that lands when software has waited for @moments */
struct late_write {
	struct vm_device *device;
	unsigned int moments;
};

static inline void late_write(void *arg)
{
	struct late_write *late = arg;
	struct target *target = late->device->vm->target;

	if (late->moments--)
		target->ops->waiting(target, late_write, late);
	else
		vm_write_finish(late->device);
}

/* Hold a write of @_value to @_iova in flight, to land while software waits; @_late: a variable */
#define HOLD_WRITE(_late, _iova, _value) do { \
	NEEDS(&self->target, TARGET_HELD | TARGET_WAITING); \
	ASSERT_TRUE(vm_write_start((_late)->device, &self->space, _iova, _value)); \
	self->target.ops->waiting(&self->target, late_write, _late); \
} while (0)

#endif
