// SPDX-License-Identifier: GPL-2.0-only
/* The guest's stream table, as the VMM reads it: an STE becomes a nested page table. */
#include <errno.h>
#include <string.h>

#include "core/fault.h"
#include "smmuv3.h"

struct vm_device *vmm_smmuv3_device(struct vm *vm, uint32_t sid)
{
	if (FAULT("vmm.smmuv3-first-device", "whatever StreamID a guest names, device 0 is meant"))
		return &vm->devices[0];
	for (unsigned int i = 0; i < VM_DEVICES; i++)
		if (vm->devices[i].viommu_id && vm->devices[i].rid == sid)
			return &vm->devices[i];
	return NULL;
}

struct vmm_smmuv3_viommu *vmm_smmuv3_viommu_of(struct vm_device *device)
{
	struct vmm_smmuv3 *vmm = vmm_smmuv3(device->vm);

	for (unsigned int i = 0; i < vmm->viommu_count; i++)
		if (vmm->viommus[i].id == device->viommu_id)
			return &vmm->viommus[i];
	return NULL;
}

static struct vmm_smmuv3_stream *stream_of(struct vm_device *device)
{
	return &vmm_smmuv3(device->vm)->streams[device - device->vm->devices];
}

/* Words 0 and 1 with what the virtual SMMU knows of; the rest of an STE is not the guest's. */
static int read_ste(struct vm_device *device, uint64_t ste[2])
{
	const struct vmm_smmuv3 *vmm = vmm_smmuv3(device->vm);
	const uint64_t *words = pages_ptr(&device->vm->mem, vmm->strtab +
					  (uint64_t)device->rid * SMMU_STE_SIZE);

	if (!words)
		return -EFAULT;
	ste[0] = __atomic_load_n(&words[0], __ATOMIC_ACQUIRE);
	ste[1] = __atomic_load_n(&words[1], __ATOMIC_ACQUIRE);
	return 0;
}

/*
 * A new page table for each attachment: attaching to the one that is attached does nothing, and
 * CFGI_STE also means the CDs that were cached through the STE (4.3.1).
 */
int vmm_smmuv3_attach(struct vm_device *device)
{
	struct vmm_smmuv3_stream *stream = stream_of(device);
	struct vmm_smmuv3 *vmm = vmm_smmuv3(device->vm);
	struct iommufd *iommufd = &device->vm->iommufd;
	struct iommu_hwpt_arm_smmuv3 data = {};
	uint32_t flags = vmm->fault_id ? IOMMU_HWPT_FAULT_ID_VALID : 0, hwpt_id;
	uint64_t ste[2];
	int rc = read_ste(device, ste);

	if (rc)
		return rc;
	memcpy(data.ste, ste, sizeof(ste));
	rc = __hwpt_alloc_data(iommufd, device->dev_id, device->viommu_id, flags, vmm->fault_id,
			       IOMMU_HWPT_DATA_ARM_SMMUV3, &data, sizeof(data), &hwpt_id);
	if (rc)
		return rc;
	rc = device->vm->target->ops->attach(device->vm->target, iommufd, device->dev_id,
					     DMA_NO_PASID, hwpt_id);
	if (rc) {
		__iommufd_destroy(iommufd, hwpt_id);
		return rc;
	}
	if (stream->hwpt_id)
		__iommufd_destroy(iommufd, stream->hwpt_id);
	stream->hwpt_id = hwpt_id;
	memcpy(stream->ste, ste, sizeof(ste));
	return 0;
}

void vmm_smmuv3_remove(struct vm_device *device)
{
	struct vmm_smmuv3_stream *stream = stream_of(device);
	struct target *target = device->vm->target;

	if (!device->viommu_id)
		return;
	target->ops->detach(target, &device->vm->iommufd, device->dev_id, DMA_NO_PASID);
	if (stream->hwpt_id)
		__iommufd_destroy(&device->vm->iommufd, stream->hwpt_id);
	__iommufd_destroy(&device->vm->iommufd, device->vdevice_id);
	*stream = (struct vmm_smmuv3_stream){};
	device->viommu_id = 0;
}
