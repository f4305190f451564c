/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside the reference VT-d: one struct, and what its files do for each other.
 *
 * Locks, in this order: @lock for registers and the queue, held while devices are called;
 * @fault_lock for the fault and page request registers and @ats_lock for the ITags, which devices
 * reach from translate(), page_request() and ats_complete(). Translation itself takes none.
 */
#ifndef NIT_HW_VTD_INTERNAL_H
#define NIT_HW_VTD_INTERNAL_H

#include <pthread.h>

#include "core/fault.h"
#include "spec/vtd.h"

#include "endpoint.h"
#include "iommu.h"
#include "machine.h"
#include "tlb.h"
#include "vtd.h"

#define VTD_MMIO_SIZE	0x1000
#define VTD_HELD	128	/* descriptors fetched and not yet executed */
#define VTD_ITAGS	32
#define VTD_RESPONSES	64	/* page responses that hardware itself sends */
#define VTD_RESOLVED	256

/* Kinds of entries in the IOTLB ... */
enum { VTD_LEAF_FIRST = 1, VTD_LEAF_SECOND = 2 };
/* ... in the paging-structure caches: the table of a level, 1 is the lowest ... */
#define VTD_FIRST_TABLE(_level)		(_level)
#define VTD_SECOND_TABLE(_level)	(8 + (_level))
#define VTD_FIRST_TABLES		0x00fe
#define VTD_SECOND_TABLES		0xfe00
/* ... and in the cache of contexts and PASID entries */
enum { VTD_CONTEXT_LEGACY = 1, VTD_CONTEXT_SCALABLE = 2, VTD_PASID_ENTRY = 3 };

/* Permissions of cached entries; VTD_PERM_R and _W are what the second stage says where it is */
enum {
	VTD_PERM_R = 1,
	VTD_PERM_W = 2,
	VTD_PERM_X = 4,		/* first stage only, as the others */
	VTD_PERM_USER = 8,
	VTD_PERM_RW = 16,	/* the R/W flag */
	VTD_PERM_ALL = 31,
};

/* Flags of cached leaves */
enum {
	VTD_LEAF_DIRTY = 1,	/* writes need not set a D flag any more */
	VTD_LEAF_ABSENT = 2,	/* CM=1: a cached fault, @aux is its reason */
};

/**
 * struct vtd_space - what context and PASID entry say about a request: its address space
 * Four words, so that it can be copied without a lock.
 */
struct vtd_space {
	union {
		struct {
			uint64_t first_root;
			uint64_t second_root;
			uint32_t pasid;
			uint16_t did;
			uint8_t pgtt;		/* legacy mode: second stage or pass-through */
			uint8_t first_levels;
			uint8_t second_levels;
			uint8_t legacy : 1;
			uint8_t ats : 1;
			uint8_t pre : 1;
			uint8_t priv : 1;	/* RID_PRIV */
			uint8_t fpd : 1;
			uint16_t sre : 1;
			uint16_t ere : 1;
			uint16_t wpe : 1;
			uint16_t nxe : 1;
			uint16_t eafe : 1;
			uint16_t ssade : 1;
			uint32_t unused;
		};
		uint64_t words[4];
	};
};

/** struct vtd_resolved - a derived cache of both; @stamp: of the configuration it was made of */
struct vtd_resolved {
	_Atomic uint64_t sequence;
	_Atomic uint64_t key;
	_Atomic uint64_t stamp;
	_Atomic uint64_t words[4];
};

/** struct vtd_op - a descriptor that was fetched */
struct vtd_op {
	uint64_t d[2];
	uint64_t sequence;
	uint8_t type;
	bool eager;		/* freedom: takes effect without a wait */
	bool armed;		/* waits: the snapshot was taken */
	unsigned int delay;
	uint64_t drains;	/* waits: what their snapshot drains */
};

/** struct vtd_itag - an invalidate request that a device has not completed */
struct vtd_itag {
	bool busy;
	uint16_t sid;
	uint16_t throttle;	/* whose queue depth counts: SID or PFSID */
	unsigned int received;
	unsigned int age;
	uint64_t sequence;
};

struct vtd_owed {
	uint16_t rid;
	bool has_pasid;
	uint32_t pasid;
	uint16_t index;
	uint8_t code;
};

struct vtd_register;

struct vtd {
	struct hw_iommu iommu;
	struct vtd_config config;
	pthread_mutex_t lock;
	pthread_mutex_t fault_lock;
	pthread_mutex_t ats_lock;

	/* Registers as software sees them, 32 bits each */
	_Atomic uint32_t file[VTD_MMIO_SIZE / 4];
	uint8_t map[VTD_MMIO_SIZE / 4];		/* register table index plus 1 */

	/* Latched by GCMD_REG; @epoch counts everything that changes what configuration is valid */
	_Atomic bool translating;
	_Atomic uint64_t root;
	_Atomic uint64_t epoch;
	uint64_t beyond_host;			/* address bits of entries that are reserved */

	struct tlb *iotlb;
	struct tlb *paging;
	struct tlb *configs;
	struct vtd_resolved resolved[VTD_RESOLVED];

	/* The invalidation queue */
	bool queue_on;
	bool stopped;			/* IQE or ITE until software clears it */
	uint64_t sequence;
	uint64_t drain_wanted;		/* sequence of the last drain asked for, and done */
	uint64_t drain_done;
	unsigned int held;
	unsigned int held_responses;	/* page group responses among them */
	uint8_t order[VTD_HELD];	/* held descriptors, oldest first */
	uint8_t unused[VTD_HELD];
	struct vtd_op ops[VTD_HELD];
	struct inflight_snapshot *snapshots;	/* of those that are waits, by their slot */
	unsigned int fences;		/* held waits with FN */

	/* Register-based invalidation that has yet to drain */
	bool iotlb_busy;
	struct inflight_snapshot iotlb_snapshot;

	struct vtd_itag itags[VTD_ITAGS];
	_Atomic unsigned int itags_busy;

	unsigned int fault_next;
	unsigned int response_count;
	struct vtd_owed responses[VTD_RESPONSES];
};

static inline struct vtd *to_vtd(struct hw_iommu *iommu)
{
	return (struct vtd *)iommu;
}

#define vtd_trace(_vtd, ...) hw_trace((_vtd)->iommu.trace, (_vtd)->iommu.unit, __VA_ARGS__)

/* ---- Registers: vtd_registers.c ---- */

static inline uint32_t vtd_get32(struct vtd *vtd, unsigned int offset)
{
	return atomic_load_explicit(&vtd->file[offset / 4], memory_order_relaxed);
}

static inline void vtd_set32(struct vtd *vtd, unsigned int offset, uint32_t value)
{
	atomic_store_explicit(&vtd->file[offset / 4], value, memory_order_relaxed);
}

static inline uint64_t vtd_get64(struct vtd *vtd, unsigned int offset)
{
	return vtd_get32(vtd, offset) | (uint64_t)vtd_get32(vtd, offset + 4) << 32;
}

static inline void vtd_set64(struct vtd *vtd, unsigned int offset, uint64_t value)
{
	vtd_set32(vtd, offset, value);
	vtd_set32(vtd, offset + 4, value >> 32);
}

void vtd_registers_reset(struct vtd *vtd);
/** vtd_registers_step() - Is an invalidation by register drained? Then it is done. */
void vtd_registers_step(struct vtd *vtd);
uint64_t vtd_mmio_read(struct hw_iommu *iommu, uint64_t offset, unsigned int size);
void vtd_mmio_write(struct hw_iommu *iommu, uint64_t offset, unsigned int size, uint64_t value);

/** vtd_event() - Send the interrupt of the control register at @control, or note it as pending */
void vtd_event(struct vtd *vtd, unsigned int control);

static inline unsigned int vtd_ttm(struct vtd *vtd)
{
	return VTD_GET(VTD_RTADDR_TTM, atomic_load_explicit(&vtd->root, memory_order_relaxed));
}

/* ---- Configuration: vtd_tables.c ---- */

static inline uint64_t vtd_space_key(const struct hw_request *request)
{
	return request->rid | (uint64_t)request->has_pasid << 40 | 1ull << 63 |
	       (uint64_t)(request->type == HW_TRANSLATED) << 41 |
	       (request->has_pasid ? (uint64_t)request->pasid << 16 : 0);
}

static inline struct vtd_resolved *vtd_space_slot(struct vtd *vtd, uint64_t key)
{
	return &vtd->resolved[(key * 0x9e3779b97f4a7c15ull) >> 56];
}

/** vtd_space_slow() - From the caches of contexts and PASID entries, or the tables */
enum vtd_fault vtd_space_slow(struct vtd *vtd, const struct hw_request *request, uint64_t key,
			      struct vtd_space *space);

/**
 * vtd_space_find() - The address space of @request
 * Return: 0, or the reason of a fault; @space->fpd is valid in either case
 */
static inline enum vtd_fault vtd_space_find(struct vtd *vtd, const struct hw_request *request,
					    struct vtd_space *space)
{
	uint64_t key = vtd_space_key(request);
	struct vtd_resolved *slot = vtd_space_slot(vtd, key);
	uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);

	if (sequence & 1 || vtd->iommu.freedom.evict ||
	    atomic_load_explicit(&slot->key, memory_order_acquire) != key ||
	    atomic_load_explicit(&slot->stamp, memory_order_acquire) !=
	    atomic_load_explicit(&vtd->epoch, memory_order_acquire))
		return vtd_space_slow(vtd, request, key, space);
	for (int i = 0; i < 4; i++)
		space->words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
	if (atomic_load_explicit(&slot->sequence, memory_order_relaxed) != sequence)
		return vtd_space_slow(vtd, request, key, space);
	return 0;
}

/* ---- Walks: vtd_walk.c ---- */

/**
 * struct vtd_walk - one walk
 * @space, @addr, @access (without HW_PRIV), @priv: the request
 * @speculative: sets no A or D flags, and fails where it would have to
 * @again: an entry changed under our hands
 * @absent: the request's own page has neither R nor W in the second stage
 * @reads: of paging entries, so far
 */
struct vtd_walk {
	struct vtd *vtd;
	const struct vtd_space *space;
	uint64_t addr;
	uint8_t access;
	bool priv;
	bool speculative;
	bool again;
	bool absent;
	unsigned int reads;
	uint64_t generation;	/* of the paging-structure caches */
};

/** struct vtd_leaf - where it led to; @perm, @flags: as in cached entries */
struct vtd_leaf {
	uint64_t pa;
	uint8_t shift;
	uint8_t perm;
	uint8_t flags;
};

/** vtd_walk() - Walk the tables of @walk->space, whatever their type; 0 or a fault */
enum vtd_fault vtd_walk(struct vtd_walk *walk, struct vtd_leaf *leaf);

static inline bool vtd_has_first(const struct vtd_space *space)
{
	return space->pgtt == VTD_PGTT_FIRST_STAGE || space->pgtt == VTD_PGTT_NESTED;
}

/** vtd_allowed() - Do the permissions of a leaf allow this access? 0 or the fault */
static inline enum vtd_fault vtd_allowed(const struct vtd_space *space, uint8_t perm,
					 uint8_t access, bool priv)
{
	if (vtd_has_first(space)) {
		if (!priv && !(perm & VTD_PERM_USER) &&
		    !FAULT("vtd.user-ignored", "U/S is not looked at"))
			return VTD_FAULT_SGN_2_USER;
		if (access & HW_EXEC && space->nxe && !(perm & VTD_PERM_X) &&
		    !FAULT("vtd.execute-disable-ignored", "XD is not looked at"))
			return VTD_FAULT_SGN_3_EXECUTE;
		if (access & HW_WRITE && !(perm & VTD_PERM_RW) &&
		    (!priv || (space->wpe &&
			       !FAULT("vtd.wpe-ignored", "Privileged writes ignore WPE"))) &&
		    !FAULT("vtd.read-only-ignored", "R/W is not looked at"))
			return VTD_FAULT_SGN_6_WRITE;
	}
	if (access & HW_WRITE && !(perm & VTD_PERM_W))
		return space->legacy ? VTD_FAULT_LGN_2_WRITE : VTD_FAULT_SGN_6_WRITE;
	if (access & HW_READ && !(perm & VTD_PERM_R))
		return space->legacy ? VTD_FAULT_LGN_3_READ : VTD_FAULT_SGN_7_READ;
	return 0;
}

/* ---- Translation: vtd_translate.c ---- */

enum hw_status vtd_translate(struct hw_iommu *iommu, const struct hw_request *request,
			     struct hw_translation *translation);

/* ---- Invalidation: vtd_invalidate.c ---- */

/** vtd_invalidate() - What context, PASID-cache, IOTLB, PASID-IOTLB and IEC descriptors do */
void vtd_invalidate(struct vtd *vtd, uint64_t d0, uint64_t d1);
/** vtd_invalidate_page() - Implicit invalidation by a page request, 6.5.4 table 27 */
void vtd_invalidate_page(struct vtd *vtd, const struct vtd_space *space, uint64_t addr);
void vtd_invalidate_everything(struct vtd *vtd);

/* ---- Queue: vtd_queue.c ---- */

/** vtd_queue_run() - Fetch and execute what can be now; did anything happen? */
bool vtd_queue_run(struct vtd *vtd);
/** vtd_queue_busy() - Is there anything left that will happen by itself? */
bool vtd_queue_busy(struct vtd *vtd);
/** vtd_queue_awaited() - Is there a wait that has not been completed? */
bool vtd_queue_awaited(struct vtd *vtd);
void vtd_queue_step(struct vtd *vtd);
void vtd_queue_enable(struct vtd *vtd, bool on);
void vtd_queue_reset(struct vtd *vtd);
/** vtd_queue_abort_waits() - ITE: no wait that was fetched completes any more */
void vtd_queue_abort_waits(struct vtd *vtd);
/** vtd_queue_tail() - Software moved the tail, or changed the queue */
void vtd_queue_tail(struct vtd *vtd);

/* ---- ATS: vtd_ats.c ---- */

/** vtd_ats_send() - Send what a device-TLB descriptor says; false: no ITag or no room there */
bool vtd_ats_send(struct vtd *vtd, const struct vtd_op *op);
/** vtd_ats_pending() - Are there requests older than @sequence without completion? */
bool vtd_ats_pending(struct vtd *vtd, uint64_t sequence);
/** vtd_ats_step() - Time passes; true if an invalidation timed out */
bool vtd_ats_step(struct vtd *vtd);
void vtd_ats_complete(struct hw_iommu *iommu, uint16_t rid, uint32_t itags, unsigned int count);
void vtd_ats_reset(struct vtd *vtd);

/* ---- Faults and page requests: vtd_fault.c, vtd_prq.c ---- */

/** vtd_fault_record() - Log a fault of @request, unless @fpd and it is a qualified one */
void vtd_fault_record(struct vtd *vtd, const struct hw_request *request, enum vtd_fault reason,
		      bool fpd);
/** vtd_fault_status() - Set bits of FSTS_REG and raise the event; takes the lock */
void vtd_fault_status(struct vtd *vtd, uint32_t bits);
/** vtd_fault_cleared() - Software cleared F of some record: PPF and FRI follow */
void vtd_fault_cleared(struct vtd *vtd);

void vtd_page_request(struct hw_iommu *iommu, const struct hw_page_request *request);
/** vtd_prq_step() - Send the responses that hardware owes; true if there were any */
bool vtd_prq_step(struct vtd *vtd);
bool vtd_prq_owes(struct vtd *vtd);
void vtd_prq_respond(struct vtd *vtd, uint64_t d0, uint64_t d1);

#endif
