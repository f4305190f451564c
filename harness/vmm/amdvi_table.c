// SPDX-License-Identifier: GPL-2.0-only
/* vIOMMUs and vDEVICEs; a guest's device table entries become nested page tables. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "amdvi.h"
#include "core/fault.h"
#include "iommufd/amd_nested.h"

#define EVENTQ_DEPTH 256

struct vmm_amdvi_device *vmm_amdvi_device(struct vmm_amdvi *vmm, uint16_t rid)
{
	for (unsigned int i = 0; i < VM_DEVICES; i++)
		if (vmm->devices[i].device && vmm->devices[i].device->rid == rid)
			return &vmm->devices[i];
	return NULL;
}

/* The hardware's queues are where the guest's driver said that its own are. */
static int take_queues(struct vmm_amdvi *vmm, struct vmm_amdvi_iommu *iommu)
{
	const uint64_t base[] = { vmm->guest.cmdbuf, vmm->guest.evtlog, vmm->guest.pprlog };
	int rc = 0;

	for (unsigned int i = 0; !rc && i < 3; i++)
		rc = __hw_queue_alloc(&vmm->vm->iommufd, iommu->viommu_id,
				      IOMMU_HW_QUEUE_TYPE_AMD_CMD + i, 0, base[i],
				      GUEST_AMDVI_QUEUE_BYTES, &iommu->queues[i]);
	return rc;
}

static int open_iommu(struct vmm_amdvi *vmm, struct vm_device *device,
		      struct vmm_amdvi_iommu *iommu)
{
	struct iommufd *iommufd = &vmm->vm->iommufd;
	struct iommu_viommu_amd data = { .flags = vmm->config.hw ? IOMMU_VIOMMU_AMD_HW : 0 };
	int rc;

	iommu->event_fd = -1;
	rc = __viommu_alloc(iommufd, device->dev_id, device->parent, IOMMU_VIOMMU_TYPE_AMD, &data,
			    sizeof(data), &iommu->viommu_id);
	if (rc)
		return rc;
	iommu->doorbells = data.out_mmap_offset;
	if (vmm->config.hw)
		return take_queues(vmm, iommu);
	if (!vmm->config.events)
		return 0;
	return __veventq_alloc(iommufd, iommu->viommu_id, IOMMU_VEVENTQ_TYPE_AMD, EVENTQ_DEPTH,
			       &iommu->eventq, &iommu->event_fd);
}

static int name_device(struct vmm_amdvi *vmm, struct vm_device *device, uint32_t viommu_id)
{
	uint16_t name = device->rid;

	if (FAULT("vmm.amdvi-vrid-is-number", "vDEVICEs are named by their number, not by vRID"))
		name = device->number;
	device->viommu_id = viommu_id;
	return __vdevice_alloc(&vmm->vm->iommufd, viommu_id, device->dev_id, name,
			       &device->vdevice_id);
}

int vmm_amdvi_add(struct vmm_amdvi *vmm, struct vm_device *device)
{
	unsigned int number = device->vm->target->devices[device->number].iommu;
	struct vmm_amdvi_iommu *iommu = &vmm->iommus[number];
	struct vmm_amdvi_device *slot = vmm->devices;
	int rc;

	while (slot->device)
		slot++;
	rc = iommu->viommu_id ? 0 : open_iommu(vmm, device, iommu);
	if (!rc && vmm->config.events && !vmm->config.hw && !vmm->fault_id)
		rc = __fault_queue_alloc(&vmm->vm->iommufd, &vmm->fault_id, &vmm->fault_fd);
	rc = rc ?: name_device(vmm, device, iommu->viommu_id);
	if (rc)
		return rc;
	*slot = (struct vmm_amdvi_device){ .device = device, .iommu = number };
	return vmm_amdvi_sync(vmm, slot, false);
}

void vmm_amdvi_remove(struct vmm_amdvi *vmm, struct vm_device *device)
{
	struct iommufd *iommufd = &vmm->vm->iommufd;
	const struct target_ops *ops = vmm->vm->target->ops;

	for (unsigned int i = 0; i < VM_DEVICES; i++) {
		struct vmm_amdvi_device *slot = &vmm->devices[i];

		if (slot->device != device)
			continue;
		ops->detach(vmm->vm->target, iommufd, device->dev_id, DMA_NO_PASID);
		if (slot->hwpt_id)
			__iommufd_destroy(iommufd, slot->hwpt_id);
		*slot = (struct vmm_amdvi_device){};
	}
	if (device->vdevice_id)
		__iommufd_destroy(iommufd, device->vdevice_id);
}

void vmm_amdvi_close(struct vmm_amdvi *vmm)
{
	struct iommufd *iommufd = &vmm->vm->iommufd;

	for (unsigned int n = 0; n < VMM_AMDVI_IOMMUS; n++) {
		struct vmm_amdvi_iommu *iommu = &vmm->iommus[n];

		for (unsigned int i = 0; i < 3; i++)
			if (iommu->queues[i])
				__iommufd_destroy(iommufd, iommu->queues[i]);
		if (iommu->eventq)
			close(iommu->event_fd);
	}
	if (vmm->fault_id)
		close(vmm->fault_fd);
}

/* What iommu_hwpt_amd_guest takes; the guest's host tables and interrupts are the VMM's matter. */
static void copy_dte(const struct vmm_amdvi *vmm, struct vmm_amdvi_device *slot, uint64_t dte[4])
{
	uint64_t offset = (uint64_t)slot->device->rid * AMDVI_DTE_SIZE;
	const uint64_t *guest = pages_ptr(&vmm->vm->mem, vmm->guest.devtab + offset);

	for (unsigned int i = 0; i < 4; i++)
		dte[i] = __atomic_load_n(&guest[i], __ATOMIC_RELAXED);
	if (FAULT("vmm.amdvi-drops-ats", "the I bit of a guest's device table entry is lost"))
		dte[1] &= ~AMDVI_DTE1_I;
	if (FAULT("vmm.amdvi-drops-glx", "GCR3 tables are taken for one level"))
		dte[0] &= ~AMDVI_DTE0_GLX;
	if (FAULT("vmm.amdvi-one-domain", "every device gets the same DomainID"))
		dte[1] &= ~AMDVI_DTE1_DOMAIN_ID;
	dte[3] = 0;
}

int vmm_amdvi_sync(struct vmm_amdvi *vmm, struct vmm_amdvi_device *slot, bool force)
{
	struct iommufd *iommufd = &vmm->vm->iommufd;
	struct vm_device *device = slot->device;
	uint32_t flags = (slot->pasid ? IOMMU_HWPT_ALLOC_PASID : 0) |
			 (vmm->fault_id ? IOMMU_HWPT_FAULT_ID_VALID : 0), hwpt_id;
	struct iommu_hwpt_amd_guest data;
	int rc;

	copy_dte(vmm, slot, (uint64_t *)data.dte);
	if (slot->hwpt_id && !force && !memcmp(slot->dte, data.dte, sizeof(slot->dte)))
		return 0;
	rc = __hwpt_alloc_data(iommufd, device->dev_id, device->viommu_id, flags, vmm->fault_id,
			       IOMMU_HWPT_DATA_AMD_GUEST, &data, sizeof(data), &hwpt_id);
	if (rc)
		return rc;
	rc = vmm->vm->target->ops->attach(vmm->vm->target, iommufd, device->dev_id, DMA_NO_PASID,
					  hwpt_id);
	if (rc) {
		__iommufd_destroy(iommufd, hwpt_id);
		return rc;
	}
	/* After the new one: a DomainID that both have stays what it is. */
	if (slot->hwpt_id)
		__iommufd_destroy(iommufd, slot->hwpt_id);
	slot->hwpt_id = hwpt_id;
	memcpy(slot->dte, data.dte, sizeof(slot->dte));
	return 0;
}
