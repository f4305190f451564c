/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The set-up that the uAPI tests share: what a VMM has open for one VM on the mock driver.
 * Built in steps; a fixture goes as far as its tests need. Closing the iommufd destroys it all.
 */
#ifndef NIT_SUITES_UAPI_VM_H
#define NIT_SUITES_UAPI_VM_H

#include "iommufd/assert.h"
#include "iommufd/reference.h"

#define VM_VIRT_ID 0x10		/* the guest's id of vm->dev */
#define VM_IOTLB IOMMU_TEST_IOTLB_DEFAULT

/**
 * struct vm - one VM
 * @dev: a device; attached to the IOAS until a test attaches it elsewhere
 * @parent: nesting parent HWPT of @ioas
 * @nested: nested HWPT, of @viommu if the set-up went that far, else of @parent
 */
struct vm {
	struct iommufd iommufd;
	uint32_t ioas;
	struct mock_device dev;
	uint32_t parent;
	uint32_t viommu;
	uint32_t vdevice;
	uint32_t nested;
};

/* Open and make the IOAS. Skips the test (and returns false) on a kernel without the mock. */
static inline bool vm_open(struct __test_metadata *_metadata, struct vm *vm)
{
	if (__iommufd_open(&vm->iommufd))
		SKIP(return false, "needs /dev/iommu (CONFIG_IOMMUFD)");
	if (__mock_present(&vm->iommufd)) {
		iommufd_close(&vm->iommufd);
		SKIP(return false, "needs the mock driver (CONFIG_IOMMUFD_TEST)");
	}
	vm->ioas = ioas_alloc(&vm->iommufd);
	return true;
}

/* One device, attached to the IOAS; @flags: MOCK_FLAGS_DEVICE_* */
static inline void vm_add_device(struct __test_metadata *_metadata, struct vm *vm, uint32_t flags)
{
	vm->dev = mock_device_create(&vm->iommufd, vm->ioas, flags);
}

/* Up to the nesting parent */
static inline bool vm_setup_parent(struct __test_metadata *_metadata, struct vm *vm)
{
	if (!vm_open(_metadata, vm))
		return false;
	vm_add_device(_metadata, vm, 0);
	vm->parent = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas,
				IOMMU_HWPT_ALLOC_NEST_PARENT);
	return true;
}

/* Up to a nested HWPT straight on the parent, as a VT-d VMM has it */
static inline bool vm_setup_nested(struct __test_metadata *_metadata, struct vm *vm)
{
	if (!vm_setup_parent(_metadata, vm))
		return false;
	vm->nested = mock_hwpt_alloc_nested(&vm->iommufd, vm->dev.idev_id, vm->parent, 0, 0,
					    VM_IOTLB);
	return true;
}

/* Up to a vIOMMU with the device in it as VM_VIRT_ID, and a nested HWPT, as an SMMU VMM has it */
static inline bool vm_setup_viommu(struct __test_metadata *_metadata, struct vm *vm)
{
	if (!vm_setup_parent(_metadata, vm))
		return false;
	vm->viommu = mock_viommu_alloc(&vm->iommufd, vm->dev.idev_id, vm->parent);
	vm->vdevice = vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, VM_VIRT_ID);
	vm->nested = mock_hwpt_alloc_nested(&vm->iommufd, vm->dev.idev_id, vm->viommu, 0, 0,
					    VM_IOTLB);
	return true;
}

static inline void vm_close(struct vm *vm)
{
	if (vm->iommufd.ops)
		iommufd_close(&vm->iommufd);
}

#endif
