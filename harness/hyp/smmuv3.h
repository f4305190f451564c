/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's SMMUv3 driver; for its own files (hyp/smmuv3*.c) only.
 *
 * Sections are those of the architecture specification, IHI 0070.
 */
#ifndef NIT_HYP_SMMUV3_H
#define NIT_HYP_SMMUV3_H

#include <stdatomic.h>

#include "hyp.h"
#include "pgtable/pgtable.h"
#include "spec/smmuv3.h"

#define SMMU_UNITS 4
#define SMMU_IDS 65536			/* VMIDs, and ASIDs */
#define SMMU_STALLS 32
#define SMMU_WAIT_BOUND 200000		/* steps that hardware gets for anything */

/** struct smmu_queue - a queue in memory; @prod, @cons: index and wrap bit */
struct smmu_queue {
	uint64_t base;
	unsigned int log2size;
	uint32_t prod;
	uint32_t cons;
};

/**
 * struct smmu - one SMMU
 * @pushed: commands written to the queue since the beginning
 * @illegal: number of the last command that the SMMU refused, counted from 1; 0: none
 * @aborts: command fetches that failed in a row
 * @lost: number of the last CMD_SYNC that could not complete an ATC invalidation
 * @busy: nesting of command submissions; @pending: an interrupt came meanwhile
 * @cmdqv_error: the interrupt of the CMDQV came
 * @strtab: level 1 of the stream table
 */
struct smmu {
	struct hyp *hyp;
	unsigned int number;
	uint32_t idr[6];
	uint32_t iidr;
	uint32_t aidr;
	struct smmu_queue cmdq;
	uint64_t pushed;
	uint64_t illegal;
	uint64_t lost;
	unsigned int aborts;
	unsigned int busy;
	bool pending;
	bool cmdqv_error;
	struct smmu_queue eventq;
	struct smmu_queue priq;
	uint64_t strtab;
	struct smmu_cmdqv *cmdqv;
};

/** struct smmu_ids - numbers that are in use */
struct smmu_ids {
	uint64_t used[SMMU_IDS / 64];
	uint32_t limit;
};

/** struct smmu_stall - a transaction that waits for CMD_RESUME */
struct smmu_stall {
	struct hyp_device *device;
	uint16_t stag;
};

/** struct smmuv3 - the vendor's part of a hypervisor */
struct smmuv3 {
	unsigned int count;
	struct smmu units[SMMU_UNITS];
	struct smmu_ids vmids;
	struct smmu_ids asids;
	struct smmu_stall stalls[SMMU_STALLS];
};

enum smmu_stage { SMMU_S1, SMMU_S2, SMMU_NESTED };

/**
 * struct smmu_domain - a page table, or a guest's CD table
 * @tag: ASID (stage 1) or VMID (stage 2); a nested one has its parent's
 * @users: (device, PASID) attached on each SMMU, those of nested domains on it included
 * @nested: those of nested domains
 * @ste: words 0 and 1 that the guest gave
 */
struct smmu_domain {
	struct hyp_domain hyp;
	enum smmu_stage stage;
	uint16_t tag;
	struct pgtable pt;
	unsigned int ias;
	unsigned int users[SMMU_UNITS];
	unsigned int nested[SMMU_UNITS];
	uint64_t ste[2];
};

/**
 * struct smmu_device - one StreamID
 * @ats: on, in the STE and in the device
 * @pri, @pasid_on: on in the device
 * @fenced: it did not answer an invalidation: blocked until it is detached
 * @domain: of the RID, or NULL
 * @pasids: how many are attached
 * @cds: level 1 of the CD table that the hypervisor has for it, 0: none yet
 * @cd_bits: of SubstreamIDs in it; 0: one CD, at @cds
 */
struct smmu_device {
	struct smmu *smmu;
	struct hyp_device *hyp;
	uint32_t sid;
	bool ats;
	bool pri;
	bool pasid_on;
	bool fenced;
	struct smmu_domain *domain;
	unsigned int pasids;
	uint64_t cds;
	unsigned int cd_bits;
};

static inline struct smmuv3 *smmuv3_of(struct hyp *hyp)
{
	return hyp->priv;
}

static inline struct smmu_device *smmu_device(struct hyp_device *device)
{
	return device->priv;
}

static inline struct smmu_domain *smmu_domain(struct hyp_domain *domain)
{
	return (struct smmu_domain *)domain;
}

/** smmu_stage2() - Whose stage 2 @domain uses: its own, its parent's, or NULL: none */
static inline struct smmu_domain *smmu_stage2(struct smmu_domain *domain)
{
	return domain->stage == SMMU_S2 ? domain :
	       domain->stage == SMMU_NESTED ? smmu_domain(domain->hyp.parent) : NULL;
}

static inline uint32_t smmu_read(struct smmu *smmu, uint64_t offset)
{
	return mmio_read(smmu->hyp->platform, smmu->number, offset, 4);
}

static inline void smmu_write(struct smmu *smmu, uint64_t offset, uint32_t value)
{
	mmio_write(smmu->hyp->platform, smmu->number, offset, 4, value);
}

static inline void smmu_write64(struct smmu *smmu, uint64_t offset, uint64_t value)
{
	mmio_write(smmu->hyp->platform, smmu->number, offset, 8, value);
}

/* Tables and queues are read by hardware at any moment: word by word, in program order */
static inline void smmu_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint64_t smmu_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* smmuv3_queue.c */

int smmu_queue_init(struct smmu *smmu, struct smmu_queue *queue, uint64_t base_register,
		    unsigned int log2size, unsigned int entry_size);
/** smmu_poll() - Wait until bits @mask of a register are @value; 0 or -ETIMEDOUT */
int smmu_poll(struct smmu *smmu, uint64_t offset, uint32_t mask, uint32_t value);

/**
 * smmu_issue() - Submit @n commands and a CMD_SYNC, wait for its completion
 * @done: how many of them, from the first on, are complete; NULL: the caller does not ask
 *
 * Return: 0; -EIO: command @done is not one for this SMMU, or the queue is out of order;
 * -ETIMEDOUT: command @done is a CMD_ATC_INV that its device did not answer. That device is fenced
 * by then, so that nothing it has cached can be used.
 */
int smmu_issue(struct smmu *smmu, const uint64_t (*cmds)[2], unsigned int n, unsigned int *done);
int smmu_issue_one(struct smmu *smmu, const uint64_t cmd[2]);

/* smmuv3_table.c */

int smmu_tables_init(struct smmu *smmu);
/** smmu_block() - Abort everything of @device, silently; its ATS is off */
int smmu_block(struct smmu_device *device);
/** smmu_fence() - Block a device that does not answer, and remember that */
void smmu_fence(struct smmu_device *device);
int smmu_attach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain,
		struct hyp_domain *old);
void smmu_detach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *old);

/* smmuv3_domain.c */

int smmu_id_get(struct smmu_ids *ids);
void smmu_id_put(struct smmu_ids *ids, unsigned int id);
int smmu_paging_alloc(struct hyp_device *device, uint32_t flags, struct hyp_domain **domain);
void smmu_domain_free(struct hyp_domain *domain);
int smmu_map(struct hyp_domain *domain, uint64_t iova, uint64_t pa, uint64_t len, uint32_t prot);
int smmu_unmap(struct hyp_domain *domain, uint64_t iova, uint64_t len);
int smmu_set_dirty(struct hyp_domain *domain, bool on);
int smmu_read_dirty(struct hyp_domain *domain, uint64_t iova, uint64_t len, uint32_t flags,
		    struct hyp_dirty *dirty);
/** smmu_flush_tag() - Everything of the domain's ASID or VMID on one SMMU */
int smmu_flush_tag(struct smmu_domain *domain, struct smmu *smmu);
/** smmu_flush_atc() - Everything that @device has cached, of all PASIDs */
int smmu_flush_atc(struct smmu_device *device);

/* smmuv3_nested.c */

int smmu_nested_alloc(struct hyp_device *device, struct hyp_domain *parent,
		      struct hyp_viommu *viommu, uint32_t flags, uint32_t type, const void *data,
		      uint32_t len, struct hyp_domain **domain);
int smmu_invalidate(struct hyp_domain *domain, struct hyp_viommu *viommu, uint32_t type,
		    uint64_t entries, uint32_t entry_len, uint32_t *num);

/* smmuv3_event.c */

void smmu_events(struct smmu *smmu);
int smmu_page_response(struct hyp_device *device, uint32_t pasid, uint32_t group, uint32_t code);
/** smmu_stalls_end() - The transactions of @device that wait for an answer get none any more */
void smmu_stalls_end(struct hyp_device *device);

/* smmuv3_cmdqv.c */

int smmu_cmdqv_init(struct smmu *smmu);
void smmu_cmdqv_fini(struct smmu *smmu);
int smmu_viommu_alloc(struct hyp_viommu *viommu, struct hyp_device *device, void *data,
		      uint32_t len);
void smmu_viommu_free(struct hyp_viommu *viommu);
int smmu_vdevice_add(struct hyp_vdevice *vdevice);
void smmu_vdevice_remove(struct hyp_vdevice *vdevice);
int smmu_hw_queue_alloc(struct hyp_hw_queue *queue);
void smmu_hw_queue_free(struct hyp_hw_queue *queue);
int smmu_viommu_mmio(struct hyp_viommu *viommu, uint64_t offset, unsigned int size, bool write,
		     uint64_t *value);
/** smmu_cmdqv_errors() - Report the errors of guests' queues to their vIOMMUs */
void smmu_cmdqv_errors(struct smmu *smmu);

#endif
