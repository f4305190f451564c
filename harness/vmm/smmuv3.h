/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMM's side of SMMUv3: a virtual SMMU, made of iommufd calls.
 *
 *	smmuv3.c		the vendor of a VM (vmm/vm.h), over the guest's tables and commands
 *	smmuv3_command.c	the guest's list of commands becomes calls, in its order
 *	smmuv3_table.c		the guest's STEs become nested page tables, attached by StreamID
 *	smmuv3_event.c		events and page requests on their way to the guest, and answers back
 *	smmuv3_vcmdq.c		command queues that the guest owns in hardware
 *
 * What a guest says of its TLB, CDs and ATCs goes to the vIOMMU as it is, up to each CMD_SYNC: the
 * guest's ids mean something there. What it says of STEs is for the VMM, which attaches anew.
 * Devices may be behind several SMMUs: each of them has a vIOMMU of the one virtual SMMU.
 */
#ifndef NIT_VMM_SMMUV3_H
#define NIT_VMM_SMMUV3_H

#include "guest/smmuv3.h"
#include "vm.h"

#define VMM_SMMUV3_VIOMMUS 4
#define VMM_SMMUV3_GROUPS 32

/** struct vmm_smmuv3_viommu - on physical SMMU @iommu; @mmio: mmap offset of the VINTF page */
struct vmm_smmuv3_viommu {
	uint32_t id;
	unsigned int iommu;
	uint64_t mmio;
	uint32_t events_id;
	int events;
};

/** struct vmm_smmuv3_stream - a device's nested page table, and the STE that it was made of */
struct vmm_smmuv3_stream {
	uint32_t hwpt_id;
	uint64_t ste[2];
};

/** struct vmm_smmuv3_group - faults that the guest has not answered; @stall: the group is a STAG */
struct vmm_smmuv3_group {
	bool used;
	uint16_t rid;
	uint32_t group;
	uint32_t cookie;
};

/**
 * struct vmm_smmuv3 - the virtual SMMU
 * @guest: the guest's half, for vm_arm; the VMM itself reads only @strtab and guest memory
 * @strtab: guest physical address of the stream table, as the guest's STRTAB_BASE has it
 * @type: IOMMU_VIOMMU_TYPE_* of the vIOMMUs that are made from now on
 * @fault_id, @fault_fd: the fault queue of nested page tables, or 0 and -1
 */
struct vmm_smmuv3 {
	struct guest_smmuv3 guest;
	struct vm *vm;
	uint64_t strtab;
	uint32_t type;
	unsigned int viommu_count;
	struct vmm_smmuv3_viommu viommus[VMM_SMMUV3_VIOMMUS];
	struct vmm_smmuv3_stream streams[VM_DEVICES];
	uint32_t fault_id;
	int fault_fd;
	struct vmm_smmuv3_group groups[VMM_SMMUV3_GROUPS];
};

static inline struct vmm_smmuv3 *vmm_smmuv3(const struct vm *vm)
{
	return vm->priv;
}

/**
 * vmm_smmuv3_execute() - Carry out the guest's commands
 * @done: commands whose effect is complete, also on failure: where CONS stands. NULL: not asked
 * Return: 0; -EIO: a command that the virtual SMMU refuses (CERROR_ILL to the guest); -ETIMEDOUT:
 * an ATC_INV that was not answered (CERROR_ATC_INV_SYNC); what else a call returned
 */
int vmm_smmuv3_execute(struct vm *vm, const struct guest_smmuv3_list *list, unsigned int *done);

/** vmm_smmuv3_events() - From now on there are event records of @device's vIOMMU to read */
int vmm_smmuv3_events(struct vm_device *device);
/** vmm_smmuv3_await_event() - The next record, within seconds: kernels report from a thread */
int vmm_smmuv3_await_event(struct vm_device *device, uint64_t event[4]);
/** vmm_smmuv3_next_event() - The next record, as the guest's event queue would hold it; -EAGAIN */
int vmm_smmuv3_next_event(struct vm_device *device, uint64_t event[4]);

/** vmm_smmuv3_faults() - Nested page tables made from now on report page requests and stalls */
int vmm_smmuv3_faults(struct vm *vm);
/**
 * vmm_smmuv3_next_request() - The next page request, as the guest's PRI queue would hold it
 * Return: 0, -EAGAIN: there is none
 */
int vmm_smmuv3_next_request(struct vm *vm, uint64_t record[2]);
/** vmm_smmuv3_next_stall() - The same for a stalled transaction: an event record with a STAG */
int vmm_smmuv3_next_stall(struct vm *vm, uint64_t event[4]);

/**
 * struct vmm_smmuv3_vcmdq - a command queue in hardware that the guest owns
 * @base: guest physical address; @prod: index and wrap bit
 */
struct vmm_smmuv3_vcmdq {
	struct vm *vm;
	struct vmm_smmuv3_viommu *viommu;
	unsigned int index;
	uint64_t base;
	unsigned int log2size;
	uint32_t id;
	uint32_t prod;
};

/** vmm_smmuv3_vcmdq_open() - Logical queue @index of 2^@log2size entries of @device's vIOMMU, on */
int vmm_smmuv3_vcmdq_open(struct vm_device *device, unsigned int index, unsigned int log2size,
			  struct vmm_smmuv3_vcmdq *queue);
int vmm_smmuv3_vcmdq_close(struct vmm_smmuv3_vcmdq *queue);
/** vmm_smmuv3_vcmdq_push() - Write @list into the queue (which has room) and ring the doorbell */
void vmm_smmuv3_vcmdq_push(struct vmm_smmuv3_vcmdq *queue, const struct guest_smmuv3_list *list);
/**
 * vmm_smmuv3_vcmdq_wait() - Until all is consumed
 * Return: 0; -EIO: the queue stopped, the code is in *@error (SMMU_CERROR_*); -ETIMEDOUT
 */
int vmm_smmuv3_vcmdq_wait(struct vmm_smmuv3_vcmdq *queue, unsigned int *error);
uint32_t vmm_smmuv3_vcmdq_read(struct vmm_smmuv3_vcmdq *queue, unsigned int reg);
void vmm_smmuv3_vcmdq_write(struct vmm_smmuv3_vcmdq *queue, unsigned int reg, uint32_t value);

/* Between the files */

struct vm_device *vmm_smmuv3_device(struct vm *vm, uint32_t sid);
struct vmm_smmuv3_viommu *vmm_smmuv3_viommu_of(struct vm_device *device);
/** vmm_smmuv3_attach() - Attach @device to what the guest's STE says now */
int vmm_smmuv3_attach(struct vm_device *device);
void vmm_smmuv3_remove(struct vm_device *device);
/** vmm_smmuv3_pri_resp(), vmm_smmuv3_resume() - CMD_PRI_RESP and CMD_RESUME of the guest */
int vmm_smmuv3_pri_resp(struct vmm_smmuv3 *vmm, const uint64_t cmd[2]);
int vmm_smmuv3_resume(struct vmm_smmuv3 *vmm, const uint64_t cmd[2]);

#endif
