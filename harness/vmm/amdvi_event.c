// SPDX-License-Identifier: GPL-2.0-only
/* What the hypervisor reports, to the guest's logs; and the guest's answers to page requests. */
#include <errno.h>

#include "amdvi.h"
#include "core/fault.h"
#include "iommufd/amd_nested.h"
#include "iommufd/event.h"

static bool put(struct vmm_amdvi *vmm, uint64_t base, uint32_t head, uint32_t *tail,
		const uint64_t entry[2])
{
	uint32_t after = (*tail + AMDVI_LOG_ENTRY_SIZE) % GUEST_AMDVI_QUEUE_BYTES;
	uint64_t *slot = pages_ptr(&vmm->vm->mem, base + *tail);

	if (after == head)
		return false;
	__atomic_store_n(&slot[1], entry[1], __ATOMIC_RELAXED);
	__atomic_store_n(&slot[0], entry[0], __ATOMIC_RELEASE);
	*tail = after;
	return true;
}

void vmm_amdvi_log(struct vmm_amdvi *vmm, uint64_t word0, uint64_t word1)
{
	put(vmm, vmm->guest.evtlog, vmm->guest.evt_head, &vmm->evt_tail,
	    (const uint64_t[]){ word0, word1 });
}

static void take_events(struct vmm_amdvi *vmm, int fd)
{
	struct {
		struct iommufd_vevent_header header;
		struct iommu_vevent_amd event;
	} packet;

	/* A header alone says that some were lost: hardware would set EvtOverflow. */
	while (iommufd_read(fd, &packet, sizeof(packet)) == sizeof(packet))
		vmm_amdvi_log(vmm, packet.event.event[0], packet.event.event[1]);
}

static uint16_t rid_of(const struct vmm_amdvi *vmm, uint32_t dev_id)
{
	for (unsigned int i = 0; i < VM_DEVICES; i++)
		if (vmm->devices[i].device && vmm->devices[i].device->dev_id == dev_id)
			return vmm->devices[i].device->rid;
	return 0;
}

static void remember(struct vmm_amdvi *vmm, uint16_t rid, const struct iommu_hwpt_pgfault *fault)
{
	for (unsigned int i = 0; i < VMM_AMDVI_GROUPS; i++) {
		if (vmm->groups[i].used)
			continue;
		vmm->groups[i] = (struct vmm_amdvi_group){ true, rid, fault->grpid,
							   fault->cookie };
		return;
	}
}

static void take_request(struct vmm_amdvi *vmm, const struct iommu_hwpt_pgfault *fault)
{
	uint16_t rid = rid_of(vmm, fault->dev_id);
	bool pasid = fault->flags & IOMMU_PGFAULT_FLAGS_PASID_VALID;
	bool last = fault->flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE;
	uint64_t entry[2] = {
		amdvi_put(rid, AMDVI_PPRLOG0_DEVICE_ID) |
		amdvi_put(fault->pasid, AMDVI_PPRLOG0_PASID_15_0) |
		amdvi_put(fault->pasid >> 16, AMDVI_PPRLOG0_PASID_19_16) |
		amdvi_put(fault->grpid, AMDVI_PPRLOG0_TAG) | (last ? AMDVI_PPRLOG0_LAST : 0) |
		(fault->perm & IOMMU_PGFAULT_PERM_READ ? AMDVI_PPRLOG0_READ : 0) |
		(fault->perm & IOMMU_PGFAULT_PERM_WRITE ? AMDVI_PPRLOG0_WRITE : 0) |
		(fault->perm & IOMMU_PGFAULT_PERM_EXEC ? AMDVI_PPRLOG0_EXEC : 0) |
		(pasid ? AMDVI_PPRLOG0_GN : 0) |
		amdvi_put(AMDVI_PAGE_SERVICE_REQUEST, AMDVI_PPRLOG0_CODE),
		fault->addr,
	};

	if (last)
		remember(vmm, rid, fault);
	put(vmm, vmm->guest.pprlog, vmm->guest.ppr_head, &vmm->ppr_tail, entry);
}

static void take_requests(struct vmm_amdvi *vmm)
{
	struct iommu_hwpt_pgfault faults[16];
	ssize_t len;

	while ((len = iommufd_read(vmm->fault_fd, faults, sizeof(faults))) > 0)
		for (size_t i = 0; i < len / sizeof(faults[0]); i++)
			take_request(vmm, &faults[i]);
}

static uint32_t hw_tail(struct vmm_amdvi *vmm, uint32_t reg)
{
	struct vm *vm = vmm->vm;
	uint64_t value = 0;

	vm->target->ops->viommu_mmio(vm->target, &vm->iommufd, vmm->iommus[0].doorbells,
				     AMDVI_VF_REGISTER(reg), 8, false, &value);
	return value & AMDVI_HEAD_TAIL;
}

static void hw_head(struct vmm_amdvi *vmm, uint32_t reg, uint64_t value)
{
	struct vm *vm = vmm->vm;

	vm->target->ops->viommu_mmio(vm->target, &vm->iommufd, vmm->iommus[0].doorbells,
				     AMDVI_VF_REGISTER(reg), 8, true, &value);
}

int vmm_amdvi_next_event(struct vm *vm, uint64_t event[2])
{
	struct vmm_amdvi *vmm = vmm_amdvi(vm);
	struct guest_amdvi *guest = &vmm->guest;
	bool any;

	vm->target->ops->service(vm->target);
	for (unsigned int i = 0; i < VMM_AMDVI_IOMMUS; i++)
		if (vmm->iommus[i].eventq)
			take_events(vmm, vmm->iommus[i].event_fd);
	if (vmm->config.hw)
		vmm->evt_tail = hw_tail(vmm, AMDVI_EVTLOG_TAIL);
	any = guest_amdvi_read_log(guest, guest->evtlog, &guest->evt_head, vmm->evt_tail, event);
	if (vmm->config.hw)
		hw_head(vmm, AMDVI_EVTLOG_HEAD, guest->evt_head);
	return any ? 0 : -EAGAIN;
}

int vmm_amdvi_next_request(struct vm *vm, uint64_t request[2])
{
	struct vmm_amdvi *vmm = vmm_amdvi(vm);
	struct guest_amdvi *guest = &vmm->guest;
	bool any;

	vm->target->ops->service(vm->target);
	if (vmm->fault_id)
		take_requests(vmm);
	if (vmm->config.hw)
		vmm->ppr_tail = hw_tail(vmm, AMDVI_PPRLOG_TAIL);
	any = guest_amdvi_read_log(guest, guest->pprlog, &guest->ppr_head, vmm->ppr_tail, request);
	if (vmm->config.hw)
		hw_head(vmm, AMDVI_PPRLOG_HEAD, guest->ppr_head);
	return any ? 0 : -EAGAIN;
}

/* COMPLETE_PPR_REQUEST names device and group; the hypervisor knows the group by a cookie. */
int vmm_amdvi_respond(struct vmm_amdvi *vmm, const uint64_t cmd[2])
{
	uint16_t rid = amdvi_get(cmd[0], AMDVI_CMD0_DEVICE_ID);
	uint16_t index = amdvi_get(cmd[1], AMDVI_PPR1_TAG);
	unsigned int code = amdvi_get(cmd[1], AMDVI_PPR1_CODE);

	for (unsigned int i = 0; i < VMM_AMDVI_GROUPS; i++) {
		struct vmm_amdvi_group *group = &vmm->groups[i];
		struct iommu_hwpt_page_response response = {
			.cookie = group->cookie,
			.code = code == AMDVI_PPR_SUCCESS ? IOMMUFD_PAGE_RESP_SUCCESS :
							    IOMMUFD_PAGE_RESP_INVALID,
		};
		ssize_t rc;

		if (!group->used || group->rid != rid || group->index != index)
			continue;
		group->used = false;
		if (FAULT("vmm.amdvi-response-inverted", "a failed page request is called served"))
			response.code = IOMMUFD_PAGE_RESP_SUCCESS;
		rc = iommufd_write(vmm->fault_fd, &response, sizeof(response));
		/* The group may be gone with its attachment: then it was answered already. */
		if (rc < 0 && rc != -EINVAL)
			return rc;
		return vmm->vm->target->ops->service(vmm->vm->target);
	}
	return 0;	/* nobody waits for it: the tag is not checked (2.4.7) */
}
