/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VT-d side of the reference hypervisor; for its own files only.
 *
 *	vtd.c		IOMMUs: bring-up, capabilities, interrupts
 *	vtd_queue.c	invalidation queue: submission, sync, errors, fencing
 *	vtd_table.c	root, context and PASID tables
 *	vtd_domain.c	paging domains: map, unmap, dirty tracking
 *	vtd_nested.c	nested domains: allocation, the user's invalidations
 *	vtd_attach.c	who uses what under which domain id
 *	vtd_flush.c	what a change must invalidate, in which order
 *	vtd_prq.c	page requests and responses
 *
 * Scalable mode where the hardware has it; a device's requests without PASID use PASID 0 there
 * (RID_PASID). Paging domains are second-stage tables, or first-stage ones where scalable mode has
 * no second stage.
 */
#ifndef NIT_HYP_VTD_H
#define NIT_HYP_VTD_H

#include "hyp.h"
#include "pgtable/pgtable.h"
#include "spec/vtd.h"

#define VTD_IOMMUS	8
#define VTD_RID_PASID	0
#define VTD_BATCH	64	/* descriptors between two syncs, at most */
#define VTD_WAIT_BOUND	2000000	/* steps of hardware; its own time-outs are far shorter */

/**
 * struct vtd_queue - an invalidation queue
 * @words: of a descriptor: 4, in legacy mode 2
 * @status: where wait descriptors store @sequence
 */
struct vtd_queue {
	uint64_t pa;
	uint64_t *ring;
	unsigned int words;
	unsigned int entries;
	unsigned int tail;
	uint64_t status_pa;
	uint32_t *status;
	uint32_t sequence;
};

/**
 * struct vtd_iommu - one remapping unit
 * @legacy: without scalable mode: a context entry is all that a device has
 * @dids: bit map of domain ids that are in use, or may still have something cached
 * @prq_pending: page requests arrived while they had to wait: a submission or another request is
 *	under way (@submitting, @servicing)
 * @dead: the queue runs and does not answer
 */
struct vtd_iommu {
	struct vtd *vtd;
	unsigned int index;
	bool legacy;
	uint64_t cap;
	uint64_t ecap;
	uint64_t root;
	struct vtd_queue queue;
	uint64_t prq;
	bool prq_pending;
	bool submitting;
	bool servicing;
	bool dead;
	uint64_t *dids;
	unsigned int did_count;
};

/**
 * struct vtd_device - the vendor's part of a device
 * @pasid_dir: of 2^14 entries: all PASIDs
 * @ats, @pri, @pasid: in use
 * @fenced: it did not answer an invalidation: blocked, ATS off, until nothing is attached
 */
struct vtd_device {
	struct hyp_device *base;
	struct vtd_iommu *iommu;
	uint64_t pasid_dir;
	bool ats;
	bool pri;
	bool pasid;
	bool fenced;
	struct vtd_use *uses;
};

/** struct vtd_use - one (device, PASID) that uses a domain; @pasid is VTD_RID_PASID for the RID */
struct vtd_use {
	struct vtd_device *device;
	struct vtd_domain *domain;
	uint32_t pasid;
	uint16_t did;
	struct vtd_use *next_of_domain;
	struct vtd_use *next_of_device;
};

/**
 * struct vtd_domain
 * @table: a paging domain's own; a nested one's is its parent's. @is_first: a first-stage table
 * @first_stage, @levels, @flags: of a nested domain: what the guest's PASID entry says
 * @nested: the nested domains of a parent, linked by @sibling
 * @did, @did_users: its id in each IOMMU, while it has users there
 */
struct vtd_domain {
	struct hyp_domain base;
	struct pgtable table;
	bool is_first;
	unsigned int max_shift;
	uint64_t first_stage;
	unsigned int levels;
	uint32_t flags;
	struct vtd_domain *nested;
	struct vtd_domain *sibling;
	struct vtd_use *uses;
	uint16_t did[VTD_IOMMUS];
	unsigned int did_users[VTD_IOMMUS];
};

struct vtd {
	struct hyp *hyp;
	struct vtd_iommu iommus[VTD_IOMMUS];
	struct vtd_device devices[PLATFORM_DEVICES];
};

static inline struct vtd_domain *vtd_domain(struct hyp_domain *domain)
{
	return (struct vtd_domain *)domain;
}

static inline struct vtd_domain *vtd_parent(const struct vtd_domain *domain)
{
	return vtd_domain(domain->base.parent);
}

/* Whose table it is: a nested domain's second stage is its parent's */
static inline struct vtd_domain *vtd_paging(struct vtd_domain *domain)
{
	return domain->base.parent ? vtd_parent(domain) : domain;
}

static inline struct vtd_device *vtd_device(const struct hyp_device *device)
{
	return device->priv;
}

static inline uint64_t vtd_read(struct vtd_iommu *iommu, enum vtd_reg reg, unsigned int size)
{
	return mmio_read(iommu->vtd->hyp->platform, iommu->index, reg, size);
}

static inline void vtd_write(struct vtd_iommu *iommu, enum vtd_reg reg, unsigned int size,
			     uint64_t value)
{
	mmio_write(iommu->vtd->hyp->platform, iommu->index, reg, size, value);
}

/* vtd_queue.c */

int vtd_queue_init(struct vtd_iommu *iommu);
void vtd_queue_fini(struct vtd_iommu *iommu);
/**
 * vtd_submit() - Execute @count descriptors (VTD_BATCH at most) and wait until they are complete
 * @wait_flags: for the wait descriptor, besides SW
 * Return: 0; -ETIMEDOUT: a device did not answer, and is fenced now; -EIO: refused, or the
 * queue itself does not answer
 */
int vtd_submit(struct vtd_iommu *iommu, const uint64_t (*descriptors)[4], unsigned int count,
	       uint64_t wait_flags);

/* vtd_table.c */

/** vtd_table_init() - Room for the PASID directory, if there is one; the device stays blocked */
int vtd_table_init(struct vtd_device *device);
/**
 * vtd_context_write() - Point the device to its PASID tables, or block it altogether
 *
 * In legacy mode its context entry is what vtd_entry_write() writes: here there is room for it.
 */
int vtd_context_write(struct vtd_device *device, bool present);
/** vtd_entry_room() - Tables on the way to the entry of @pasid; 0 or -ENOMEM */
int vtd_entry_room(struct vtd_device *device, uint32_t pasid);
/** vtd_entry_write() - Make the entry of @use valid, its P bit last; @track_dirty: SSADE */
void vtd_entry_write(const struct vtd_use *use, bool track_dirty);
/** vtd_entry_clear() - Not present; caches do not know of it yet */
void vtd_entry_clear(const struct vtd_use *use);

/* vtd_attach.c */

int vtd_attach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain,
	       struct hyp_domain *old);
void vtd_detach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *old);
/** vtd_fence() - Block a device that does not answer: nothing of it gets through any more */
void vtd_fence(struct vtd_device *device);

/* vtd_flush.c; ranges are [@first, @last] in bytes. 0 or as vtd_submit(). */

/** struct vtd_range - @leaf: no paging-structure entry changed */
struct vtd_range {
	uint64_t first;
	uint64_t last;
	bool leaf;
};

/** vtd_flush_nested() - After changes of the first stage of @domain */
int vtd_flush_nested(struct vtd_domain *domain, const struct vtd_range *ranges, unsigned int count);
/** vtd_flush_paging() - After changes of the second stage of @domain: its users, nested ones too */
int vtd_flush_paging(struct vtd_domain *domain, uint64_t first, uint64_t last);
/** vtd_flush_absent() - What was absent is there now; for hardware with caching mode */
int vtd_flush_absent(struct vtd_domain *domain, uint64_t first, uint64_t last);
/** vtd_flush_entry() - After the PASID entry of @use was changed or made invalid */
int vtd_flush_entry(const struct vtd_use *use);

/* vtd_domain.c, vtd_nested.c, vtd_prq.c: operations, see hyp.h */

int vtd_paging_alloc(struct hyp_device *device, uint32_t flags, struct hyp_domain **domain);
void vtd_domain_free(struct hyp_domain *domain);
int vtd_map(struct hyp_domain *domain, uint64_t iova, uint64_t pa, uint64_t len, uint32_t prot);
int vtd_unmap(struct hyp_domain *domain, uint64_t iova, uint64_t len);
int vtd_set_dirty(struct hyp_domain *domain, bool on);
int vtd_read_dirty(struct hyp_domain *domain, uint64_t iova, uint64_t len, uint32_t flags,
		   struct hyp_dirty *dirty);

int vtd_nested_alloc(struct hyp_device *device, struct hyp_domain *parent,
		     struct hyp_viommu *viommu, uint32_t flags, uint32_t type, const void *data,
		     uint32_t len, struct hyp_domain **domain);
/** vtd_nested_check() - Can @iommu do what @domain asks for? 0 or -EINVAL */
int vtd_nested_check(const struct vtd_iommu *iommu, const struct vtd_domain *domain);
int vtd_user_invalidate(struct hyp_domain *domain, struct hyp_viommu *viommu, uint32_t type,
		   uint64_t entries, uint32_t entry_len, uint32_t *num);

int vtd_prq_init(struct vtd_iommu *iommu);
/** vtd_prq_service() - Hand on what is in the page request queue, unless it must wait */
void vtd_prq_service(struct vtd_iommu *iommu);
/** vtd_prq_drain() - Until nothing of before this call is under way; then service */
void vtd_prq_drain(struct vtd_iommu *iommu);
int vtd_page_response(struct hyp_device *device, uint32_t pasid, uint32_t group, uint32_t code);

#endif
