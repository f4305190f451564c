/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMM's side of VT-d: a virtual IOMMU in scalable mode, made of iommufd calls.
 *
 *	vtd.c		the vendor of a VM (vmm/vm.h), over the guest's tables and these commands
 *	vtd_table.c	the guest's PASID entries become nested page tables, per (vRID, PASID)
 *	vtd_command.c	the guest's list of descriptors becomes calls, in its order
 *
 * Each (vDomainID, PASID) is a nested page table of its own. IOTLB invalidations go to those that
 * they name; device-TLB invalidations are dropped, because the hypervisor makes its own; ids in
 * commands mean the guest's and reach no hardware.
 */
#ifndef NIT_VMM_VTD_H
#define NIT_VMM_VTD_H

#include "guest/vtd.h"
#include "vm.h"

#define VMM_VTD_ENTRIES	64	/* of one invalidation call */
#define VMM_VTD_GROUPS	32

/**
 * struct vmm_vtd_nested - a nested page table
 * @did, @pasid: the guest's; @root, @levels, @flags: what its PASID entry says
 * @users: bindings that use it
 */
struct vmm_vtd_nested {
	uint16_t did;
	uint32_t pasid;
	uint64_t root;
	unsigned int levels;
	uint32_t flags;
	uint32_t hwpt_id;
	unsigned int users;
	struct vmm_vtd_nested *next;
};

/** struct vmm_vtd_binding - what (@device, @pasid) is attached to; @nested NULL: the parent */
struct vmm_vtd_binding {
	struct vm_device *device;
	uint32_t pasid;
	struct vmm_vtd_nested *nested;
	struct vmm_vtd_binding *next;
};

/** struct vmm_vtd_group - a page request group that the guest has not answered */
struct vmm_vtd_group {
	bool used;
	uint16_t rid;
	uint32_t pasid;
	uint16_t index;
	uint32_t cookie;
};

/**
 * struct vmm_vtd - the virtual IOMMU
 * @guest: the guest's half, for vm_intel; the VMM itself reads only @root and guest memory
 * @root: guest physical address of the root table, as the guest's RTADDR_REG has it
 * @fault_id, @fault_fd: the fault queue of nested page tables, or 0 and -1
 */
struct vmm_vtd {
	struct guest_vtd guest;
	struct vm *vm;
	uint64_t root;
	struct vmm_vtd_nested *nested;
	struct vmm_vtd_binding *bindings;
	uint32_t fault_id;
	int fault_fd;
	struct vmm_vtd_group groups[VMM_VTD_GROUPS];
};

static inline struct vmm_vtd *vmm_vtd(const struct vm *vm)
{
	return vm->priv;
}

/**
 * vmm_vtd_execute() - Carry out the guest's descriptors
 * @done: descriptors whose effect is complete, also on failure: where the queue's head stands
 * Return: 0; -EINVAL: a descriptor that the virtual hardware refuses; what a call returned
 */
int vmm_vtd_execute(struct vm *vm, const struct guest_vtd_list *list, unsigned int *done);

/** vmm_vtd_page_requests() - Nested page tables made from now on report page requests */
int vmm_vtd_page_requests(struct vm *vm);
/**
 * vmm_vtd_next_request() - The next page request for the guest, as its queue would hold it
 * @d: the 4 quadwords of a page request descriptor, with the guest's RID
 * Return: 0, -EAGAIN: there is none
 */
int vmm_vtd_next_request(struct vm *vm, uint64_t d[4]);

/* For vtd_command.c */

/** vmm_vtd_sync() - Attach (@device, @pasid) to what the guest's PASID entry says now */
int vmm_vtd_sync(struct vmm_vtd *vmm, struct vm_device *device, uint32_t pasid);
/** vmm_vtd_sync_all() - The same for all PASIDs that the guest's tables or bindings know */
int vmm_vtd_sync_all(struct vmm_vtd *vmm, struct vm_device *device);
/** vmm_vtd_unbind() - Detach all of a device that goes away */
void vmm_vtd_unbind(struct vmm_vtd *vmm, struct vm_device *device);
/** vmm_vtd_respond() - A page group response descriptor of the guest */
int vmm_vtd_respond(struct vmm_vtd *vmm, const uint64_t d[4]);

struct vm_device *vmm_vtd_device(struct vmm_vtd *vmm, uint16_t rid);

#endif
