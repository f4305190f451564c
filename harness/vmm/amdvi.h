/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMM's side of AMD-Vi: a virtual IOMMU made of iommufd calls (iommufd/amd_nested.h).
 *
 *	amdvi.c		the vendor of a VM (vmm/vm.h), over the guest's tables and commands
 *	amdvi_table.c	vIOMMUs and vDEVICEs; guests' device table entries become nested page tables
 *	amdvi_command.c	the guest's commands become calls, in its order
 *	amdvi_event.c	events and page requests, to the guest's logs and back
 *
 * In software mode the guest's tail register is the VMM's, which reads the command buffer. In
 * hardware mode the queues are the hardware's, and the register page is mapped into the guest; the
 * VMM only sees writes to the device table, which it keeps write-protected.
 */
#ifndef NIT_VMM_AMDVI_H
#define NIT_VMM_AMDVI_H

#include "guest/amdvi.h"
#include "vm.h"

#define VMM_AMDVI_ENTRIES	256	/* of one invalidation call */
#define VMM_AMDVI_IOMMUS	4
#define VMM_AMDVI_GROUPS	32

/**
 * struct vm_amd_config - of a VM; vm_vendor.config of vm_amd, NULL: all 0
 * @glx: levels of the guest's GCR3 tables, minus one; @five_levels: of its page tables
 * @hw: hardware vIOMMU
 * @by_domain: IOMMU_PAGES go to a nested page table of their DomainID, one call each; else to the
 *	vIOMMU with what is around them
 * @events: the VMM takes events, and page requests
 * @np_cache: the virtual IOMMU says NpCache: the guest invalidates for what it adds, too
 */
struct vm_amd_config {
	unsigned int glx;
	bool five_levels;
	bool hw;
	bool by_domain;
	bool events;
	bool np_cache;
};

/**
 * struct vmm_amdvi_iommu - a vIOMMU: on one physical IOMMU
 * @doorbells: mmap offset of its register page; @queues: hardware queue objects
 * @eventq, @event_fd: its event queue, 0 and -1 without
 */
struct vmm_amdvi_iommu {
	uint32_t viommu_id;
	uint64_t doorbells;
	uint32_t queues[3];
	uint32_t eventq;
	int event_fd;
};

/**
 * struct vmm_amdvi_device
 * @pasid: the guest has PASIDs on
 * @dte: the guest's entry as it was attached, made into @hwpt_id
 */
struct vmm_amdvi_device {
	struct vm_device *device;
	unsigned int iommu;
	bool pasid;
	uint64_t dte[4];
	uint32_t hwpt_id;
};

/** struct vmm_amdvi_group - a page request group that the guest has not answered */
struct vmm_amdvi_group {
	bool used;
	uint16_t rid;
	uint16_t index;
	uint32_t cookie;
};

/**
 * struct vmm_amdvi - the virtual IOMMU
 * @guest: the guest's half, for vm_amd; the VMM itself reads guest memory
 * @head: of the guest's command buffer; @stopped: at a command that it cannot run
 * @evt_tail, @ppr_tail: of the guest's logs
 */
struct vmm_amdvi {
	struct guest_amdvi guest;
	struct vm *vm;
	struct vm_amd_config config;
	uint32_t head;
	bool stopped;
	uint32_t evt_tail;
	uint32_t ppr_tail;
	struct vmm_amdvi_iommu iommus[VMM_AMDVI_IOMMUS];
	struct vmm_amdvi_device devices[VM_DEVICES];
	uint32_t fault_id;
	int fault_fd;
	struct vmm_amdvi_group groups[VMM_AMDVI_GROUPS];
};

static inline struct vmm_amdvi *vmm_amdvi(const struct vm *vm)
{
	return vm->priv;
}

/** vm_amd_run() - The guest issues @list: doorbells, full buffers and all, until it is taken */
int vm_amd_run(struct vm *vm, struct guest_amdvi_list *list);
/** vm_amd_ring() - The guest stores its tail. 0, or (software mode) what went wrong */
int vm_amd_ring(struct vm *vm);
/** vm_amd_head() - What the guest's head register says */
uint32_t vm_amd_head(struct vm *vm);
/** vm_amd_dte_written() - The guest has changed the entry of @device: trapped in hardware mode */
int vm_amd_dte_written(struct vm_device *device);
/** vm_amd_pasid_enable() - The guest turns the PASID capability of @device on */
int vm_amd_pasid_enable(struct vm_device *device);

/**
 * vmm_amdvi_execute() - Carry out commands of the guest
 * @done: those whose effect is complete, also on failure: where the head stands
 * Return: 0; -EINVAL: a command that the virtual hardware refuses; what a call returned
 */
int vmm_amdvi_execute(struct vm *vm, const uint64_t (*cmds)[2], unsigned int count,
		      unsigned int *done);

/** vmm_amdvi_next_event() - The next entry of the guest's event log, -EAGAIN: there is none */
int vmm_amdvi_next_event(struct vm *vm, uint64_t event[2]);
/** vmm_amdvi_next_request() - The next entry of the guest's PPR log, -EAGAIN: there is none */
int vmm_amdvi_next_request(struct vm *vm, uint64_t request[2]);

/* For the parts of the VMM */

int vmm_amdvi_add(struct vmm_amdvi *vmm, struct vm_device *device);
void vmm_amdvi_remove(struct vmm_amdvi *vmm, struct vm_device *device);
void vmm_amdvi_close(struct vmm_amdvi *vmm);
/**
 * vmm_amdvi_sync() - Attach the device to what the guest's entry for it says now
 * @force: even if it says the same as before
 */
int vmm_amdvi_sync(struct vmm_amdvi *vmm, struct vmm_amdvi_device *device, bool force);
struct vmm_amdvi_device *vmm_amdvi_device(struct vmm_amdvi *vmm, uint16_t rid);
int vmm_amdvi_respond(struct vmm_amdvi *vmm, const uint64_t cmd[2]);
/** vmm_amdvi_log() - The virtual IOMMU has an event for the guest */
void vmm_amdvi_log(struct vmm_amdvi *vmm, uint64_t word0, uint64_t word1);

#endif
