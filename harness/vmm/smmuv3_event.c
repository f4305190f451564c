// SPDX-License-Identifier: GPL-2.0-only
/* Events, page requests and stalls on their way to the guest, and its answers on their way back. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "core/fault.h"
#include "iommufd/event.h"
#include "smmuv3.h"

#define STALL_GROUP 0x10000u	/* what the hypervisor marks a STAG with */
#define EVENTS_DEPTH 64
#define AWAIT_MS 5000

int vmm_smmuv3_events(struct vm_device *device)
{
	struct vmm_smmuv3_viommu *viommu = vmm_smmuv3_viommu_of(device);

	if (viommu->events >= 0)
		return 0;
	return __veventq_alloc(&device->vm->iommufd, viommu->id, IOMMU_VEVENTQ_TYPE_ARM_SMMUV3,
			       EVENTS_DEPTH, &viommu->events_id, &viommu->events);
}

int vmm_smmuv3_next_event(struct vm_device *device, uint64_t event[4])
{
	struct vmm_smmuv3_viommu *viommu = vmm_smmuv3_viommu_of(device);
	struct {
		struct iommufd_vevent_header header;
		struct iommu_vevent_arm_smmuv3 data;
	} record;

	if (viommu->events < 0 ||
	    iommufd_read(viommu->events, &record, sizeof(record)) != sizeof(record))
		return -EAGAIN;
	memcpy(event, record.data.evt, sizeof(record.data.evt));
	return 0;
}

int vmm_smmuv3_await_event(struct vm_device *device, uint64_t event[4])
{
	struct pollfd pollfd = { vmm_smmuv3_viommu_of(device)->events, POLLIN };

	if (pollfd.fd >= 0)
		poll(&pollfd, 1, AWAIT_MS);
	return vmm_smmuv3_next_event(device, event);
}

int vmm_smmuv3_faults(struct vm *vm)
{
	struct vmm_smmuv3 *vmm = vmm_smmuv3(vm);

	return __fault_queue_alloc(&vm->iommufd, &vmm->fault_id, &vmm->fault_fd);
}

static struct vm_device *by_dev_id(struct vm *vm, uint32_t dev_id)
{
	for (unsigned int i = 0; i < VM_DEVICES; i++)
		if (vm->devices[i].viommu_id && vm->devices[i].dev_id == dev_id)
			return &vm->devices[i];
	return NULL;
}

/* The next fault and whose it is; its group waits for the guest's answer. */
static int next_fault(struct vm *vm, struct iommu_hwpt_pgfault *fault, struct vm_device **device)
{
	struct vmm_smmuv3 *vmm = vmm_smmuv3(vm);

	if (vmm->fault_fd < 0 ||
	    iommufd_read(vmm->fault_fd, fault, sizeof(*fault)) != sizeof(*fault))
		return -EAGAIN;
	*device = by_dev_id(vm, fault->dev_id);
	if (!*device)
		return -ENODEV;
	for (unsigned int i = 0; i < VMM_SMMUV3_GROUPS; i++) {
		if (vmm->groups[i].used)
			continue;
		vmm->groups[i] = (struct vmm_smmuv3_group){
			true, (*device)->rid, fault->grpid, fault->cookie,
		};
		return 0;
	}
	return -ENOSPC;
}

static uint64_t ssid_bits(const struct iommu_hwpt_pgfault *fault, uint64_t valid, uint64_t mask)
{
	return fault->flags & IOMMU_PGFAULT_FLAGS_PASID_VALID ?
	       valid | smmu_put(mask, fault->pasid) : 0;
}

int vmm_smmuv3_next_request(struct vm *vm, uint64_t record[2])
{
	struct iommu_hwpt_pgfault fault;
	struct vm_device *device;
	int rc = next_fault(vm, &fault, &device);

	if (rc)
		return rc;
	record[0] = smmu_put(PRI0_SID, device->rid) | ssid_bits(&fault, PRI0_SSV, PRI0_SSID) |
		    (fault.perm & IOMMU_PGFAULT_PERM_READ ? PRI0_READ : 0) |
		    (fault.perm & IOMMU_PGFAULT_PERM_WRITE ? PRI0_WRITE : 0) |
		    (fault.perm & IOMMU_PGFAULT_PERM_EXEC ? PRI0_EXEC : 0) |
		    (fault.perm & IOMMU_PGFAULT_PERM_PRIV ? PRI0_PRIV : 0) |
		    (fault.flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE ? PRI0_LAST : 0);
	record[1] = (fault.addr & PRI1_ADDR) | smmu_put(PRI1_PRGINDEX, fault.grpid);
	return 0;
}

int vmm_smmuv3_next_stall(struct vm *vm, uint64_t event[4])
{
	struct iommu_hwpt_pgfault fault;
	struct vm_device *device;
	int rc = next_fault(vm, &fault, &device);

	if (rc)
		return rc;
	event[0] = EVENT_F_TRANSLATION | smmu_put(EVENT0_SID, device->rid) |
		   ssid_bits(&fault, EVENT0_SSV, EVENT0_SSID);
	event[1] = EVENT1_STALL | smmu_put(EVENT1_STAG, fault.grpid) |
		   smmu_put(EVENT1_CLASS, EVENT_CLASS_IN) |
		   (fault.perm & IOMMU_PGFAULT_PERM_READ ? EVENT1_RNW : 0);
	event[2] = fault.addr;
	event[3] = 0;
	return 0;
}

static int answer(struct vmm_smmuv3 *vmm, uint32_t rid, uint32_t group, uint32_t code)
{
	struct iommu_hwpt_page_response response = { .code = code };
	ssize_t rc;

	if (FAULT("vmm.smmuv3-response-is-success", "whatever the guest answers, it is success"))
		response.code = IOMMUFD_PAGE_RESP_SUCCESS;
	for (unsigned int i = 0; i < VMM_SMMUV3_GROUPS; i++) {
		struct vmm_smmuv3_group *g = &vmm->groups[i];

		if (!g->used || g->group != group)
			continue;
		if (g->rid != rid && !FAULT("vmm.smmuv3-response-ignores-sid",
					    "a response goes to whichever device has the group"))
			continue;
		g->used = false;
		response.cookie = g->cookie;
		rc = iommufd_write(vmm->fault_fd, &response, sizeof(response));
		/* The group may be gone with its attachment: then it was answered already. */
		return rc < 0 && rc != -EINVAL ? rc : 0;
	}
	return 0;	/* for nothing that waits: no effect (4.5.2, 4.7.1) */
}

int vmm_smmuv3_pri_resp(struct vmm_smmuv3 *vmm, const uint64_t cmd[2])
{
	unsigned int resp = smmu_get(CMD1_PRI_RESP, cmd[1]);

	if (resp > CMD_PRI_RESP_SUCCESS)
		return -EIO;
	return answer(vmm, smmu_get(CMD0_SID, cmd[0]), smmu_get(CMD1_PRI_PRGINDEX, cmd[1]),
		      resp == CMD_PRI_RESP_SUCCESS ? IOMMUFD_PAGE_RESP_SUCCESS :
						     IOMMUFD_PAGE_RESP_INVALID);
}

int vmm_smmuv3_resume(struct vmm_smmuv3 *vmm, const uint64_t cmd[2])
{
	return answer(vmm, smmu_get(CMD0_SID, cmd[0]),
		      STALL_GROUP | smmu_get(CMD1_RESUME_STAG, cmd[1]),
		      cmd[0] & CMD0_RESUME_RETRY ? IOMMUFD_PAGE_RESP_SUCCESS :
						   IOMMUFD_PAGE_RESP_INVALID);
}
