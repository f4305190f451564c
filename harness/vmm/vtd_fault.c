// SPDX-License-Identifier: GPL-2.0-only
/* Page requests on their way to the guest, and its responses on their way back. */
#include <errno.h>

#include "core/fault.h"
#include "iommufd/event.h"
#include "vtd.h"

int vmm_vtd_page_requests(struct vm *vm)
{
	struct vmm_vtd *vmm = vmm_vtd(vm);

	return __fault_queue_alloc(&vm->iommufd, &vmm->fault_id, &vmm->fault_fd);
}

static struct vm_device *by_dev_id(struct vm *vm, uint32_t dev_id)
{
	for (unsigned int i = 0; i < VM_DEVICES; i++)
		if (vm->devices[i].vm && vm->devices[i].dev_id == dev_id)
			return &vm->devices[i];
	return NULL;
}

static int remember(struct vmm_vtd *vmm, const struct iommu_hwpt_pgfault *fault, uint16_t rid,
		    uint32_t pasid)
{
	for (unsigned int i = 0; i < VMM_VTD_GROUPS; i++) {
		if (vmm->groups[i].used)
			continue;
		vmm->groups[i] = (struct vmm_vtd_group){
			true, rid, pasid, fault->grpid, fault->cookie,
		};
		return 0;
	}
	return -ENOSPC;
}

int vmm_vtd_next_request(struct vm *vm, uint64_t d[4])
{
	struct vmm_vtd *vmm = vmm_vtd(vm);
	struct iommu_hwpt_pgfault fault;
	struct vm_device *device;
	bool has_pasid, last;
	uint32_t pasid;

	if (vmm->fault_fd < 0 ||
	    iommufd_read(vmm->fault_fd, &fault, sizeof(fault)) != sizeof(fault))
		return -EAGAIN;
	device = by_dev_id(vm, fault.dev_id);
	if (!device)
		return -ENODEV;
	has_pasid = fault.flags & IOMMU_PGFAULT_FLAGS_PASID_VALID;
	last = fault.flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE;
	pasid = has_pasid ? fault.pasid : 0;
	d[0] = VTD_PRQ_TYPE_PAGE | VTD_PUT(VTD_PRQ_RID, device->rid) |
	       VTD_PUT(VTD_PRQ_PASID, pasid) | (has_pasid ? VTD_PRQ_PP : 0) |
	       (fault.perm & IOMMU_PGFAULT_PERM_EXEC ? VTD_PRQ_EXE : 0) |
	       (fault.perm & IOMMU_PGFAULT_PERM_PRIV ? VTD_PRQ_PRIV : 0);
	d[1] = (fault.addr & VTD_PRQ_ADDR) | VTD_PUT(VTD_PRQ_PRGI, fault.grpid) |
	       (last ? VTD_PRQ_LPIG : 0) |
	       (fault.perm & IOMMU_PGFAULT_PERM_READ ? VTD_PRQ_R : 0) |
	       (fault.perm & IOMMU_PGFAULT_PERM_WRITE ? VTD_PRQ_W : 0);
	d[2] = d[3] = 0;
	return last ? remember(vmm, &fault, device->rid, has_pasid ? pasid : DMA_NO_PASID) : 0;
}

static bool answers(const struct vmm_vtd_group *group, uint16_t rid, uint32_t pasid,
		    unsigned int index)
{
	if (!group->used || group->index != index)
		return false;
	if (FAULT("vmm.vtd-response-ignores-source", "a response goes to whoever has the group"))
		return true;
	return group->rid == rid && group->pasid == pasid;
}

int vmm_vtd_respond(struct vmm_vtd *vmm, const uint64_t d[4])
{
	uint32_t pasid = d[0] & VTD_INV_RESPONSE_PP ? VTD_GET(VTD_INV_PASID, d[0]) : DMA_NO_PASID;
	uint16_t rid = VTD_GET(VTD_INV_RESPONSE_RID, d[0]);
	struct iommu_hwpt_page_response response = {
		.code = VTD_GET(VTD_INV_RESPONSE_RC, d[0]) == VTD_RESPONSE_SUCCESS ?
			IOMMUFD_PAGE_RESP_SUCCESS : IOMMUFD_PAGE_RESP_INVALID,
	};
	ssize_t rc;

	for (unsigned int i = 0; i < VMM_VTD_GROUPS; i++) {
		struct vmm_vtd_group *group = &vmm->groups[i];

		if (!answers(group, rid, pasid, VTD_GET(VTD_INV_RESPONSE_PRGI, d[1])))
			continue;
		group->used = false;
		response.cookie = group->cookie;
		/* The group may be gone with its attachment: then it was answered already. */
		rc = iommufd_write(vmm->fault_fd, &response, sizeof(response));
		return rc < 0 && rc != -EINVAL ? rc : 0;
	}
	return 0;	/* nobody asked: hardware drops such a response */
}
