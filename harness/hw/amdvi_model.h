/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the reference AMD-Vi share. Not for users of it: they see amdvi.h.
 *
 * Translation runs on any thread and takes no lock where it hits. Everything else happens under
 * amdvi->lock: registers, command processing, logs. Messages to endpoints wait in the outbox until
 * the lock is released, because an endpoint answers under a lock of its own.
 */
#ifndef NIT_HW_AMDVI_MODEL_H
#define NIT_HW_AMDVI_MODEL_H

#include <pthread.h>

#include "core/fault.h"
#include "spec/amdvi.h"

#include "amdvi.h"
#include "tlb.h"

#define AMDVI_DEVICES 65536
#define AMDVI_ITAGS 32

/* Kinds of cache entries: iotlb */
#define KIND_HOST	0	/* GPA, or an address without PASID, to SPA */
#define KIND_GUEST	1	/* GVA to SPA, whether a host table lay between or not */
/* walks */
#define KIND_HOST_DIR(_level)	(_level)	/* 2..6: the PDE that covers the address */
#define KIND_GCR3		7
#define KIND_GUEST_DIR(_level)	(8 + (_level))	/* 2..5 */
#define KINDS_HOST_DIR		0x7cU
#define KINDS_GUEST_DIR		0x3c00U
/* maps: space is the GuestID, address the guest's id << 12 */
#define KIND_DEVICE_MAP		0
#define KIND_DOMAIN_MAP		1

#define HOST_SPACE	0	/* the space of host entries: they have no PASID */

/* tlb_entry.flags */
#define ENTRY_CLEAN	1	/* a write has to set D first */
#define ENTRY_ABSENT	2	/* NpCache: known not to be there */
#define ENTRY_UNTRANSLATED 4	/* PTE.U */

struct amdvi;

/** struct amdvi_ring - command buffer or log; @base as in its register; offsets in bytes */
struct amdvi_ring {
	uint64_t base;
	uint32_t head;
	uint32_t tail;
};

struct amdvi_command {
	uint64_t word[2];
	uint64_t addr;		/* where it was fetched */
	uint64_t order;		/* number of the command in its buffer's history */
};

/** struct amdvi_wait - the COMPLETION_WAIT that is not finished yet */
struct amdvi_wait {
	bool active;
	bool ahead;		/* F is clear, and commands behind it are started */
	struct amdvi_command command;
	struct inflight_snapshot inflight;
	uint64_t ready;		/* step before which it does not complete */
};

/**
 * struct amdvi_unit - command buffer and logs: the host's, or those of a guest with a vIOMMU
 * @status: AMDVI_STATUS_*; RUN bits say what is running
 * @pending: fetched commands without effect so far
 * @translate_id: guest: DeviceID of the DTE that leads to its memory
 * @control: guest: CMDBUF, EVTLOG and PPRLOG of its VF control block as written
 */
struct amdvi_unit {
	struct amdvi *amdvi;
	bool guest;
	uint16_t guest_id;
	uint16_t translate_id;
	uint64_t control[3];
	uint64_t status;
	struct amdvi_ring cmd;
	struct amdvi_ring evt;
	struct amdvi_ring ppr;
	uint64_t fetched;
	struct amdvi_command *pending;
	size_t pending_count;
	size_t pending_room;
	struct amdvi_wait wait;
	struct amdvi_unit *next;
};

/** struct amdvi_ats - an INVALIDATE_IOTLB_PAGES between command and completion */
struct amdvi_ats {
	struct amdvi_unit *unit;	/* NULL: nobody waits any more */
	uint64_t order;
	uint64_t command_addr;
	uint16_t rid;
	uint16_t named;		/* the DeviceID in the command: a guest's own */
	uint16_t queue_id;
	uint8_t max_pend;
	bool sent;
	unsigned int received;
	uint64_t deadline;	/* step; UINT64_MAX: none */
	struct hw_ats_invalidate request;
};

/** struct amdvi_message - to an endpoint, when the lock is released */
struct amdvi_message {
	uint16_t rid;
	bool prg;
	struct hw_ats_invalidate invalidate;
	bool has_pasid;
	uint32_t pasid;
	uint16_t index;
	uint8_t code;
};

/** struct dte_slot - a cached device table entry; readers check @state before and after */
struct dte_slot {
	uint64_t state;		/* version << 2 | DTE_CACHED | DTE_CHANGING */
	uint64_t word[4];
	bool reported;		/* DTE.SE: the first fault was logged */
};

#define DTE_CHANGING	1
#define DTE_CACHED	2

struct amdvi {
	struct hw_iommu hw;
	struct amdvi_config config;
	uint64_t efr;
	uint64_t efr2;
	uint64_t control;	/* atomic: translation reads them without the lock */
	uint64_t devtab;
	uint32_t msi[3];
	uint64_t excl[2];

	pthread_mutex_t lock;
	uint64_t now;		/* steps */
	struct amdvi_unit host;
	struct amdvi_unit *guests;
	struct amdvi_ats *ats;
	size_t ats_count;
	size_t ats_room;
	unsigned int next_itag;
	struct amdvi_message *outbox;
	size_t outbox_count;
	size_t outbox_room;

	struct tlb *iotlb;
	struct tlb *walks;
	struct tlb *maps;
	pthread_mutex_t dte_lock;
	uint64_t dte_generation;
	uint32_t dtes_end;	/* no slot from here on */
	struct dte_slot *dtes[AMDVI_DEVICES];
};

#define amdvi_of(_iommu) ((struct amdvi *)(_iommu))
#define amdvi_trace(_amdvi, ...) hw_trace((_amdvi)->hw.trace, (_amdvi)->hw.unit, __VA_ARGS__)

static inline uint64_t amdvi_control(struct amdvi *amdvi)
{
	return __atomic_load_n(&amdvi->control, __ATOMIC_ACQUIRE);
}

static inline struct dte_slot *amdvi_dte_slot(struct amdvi *amdvi, uint16_t device_id)
{
	return __atomic_load_n(&amdvi->dtes[device_id], __ATOMIC_ACQUIRE);
}

/**
 * amdvi_dte_cached() - The hit path: the first @count words of an entry
 * Return: true if they are cached, and were not changed while they were copied
 */
static inline bool amdvi_dte_cached(struct amdvi *amdvi, uint16_t device_id, uint64_t *dte,
				    unsigned int count)
{
	struct dte_slot *slot = amdvi_dte_slot(amdvi, device_id);
	uint64_t state;

	if (__builtin_expect(!slot, 0))
		return false;
	state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
	if (__builtin_expect((state & (DTE_CACHED | DTE_CHANGING)) != DTE_CACHED, 0))
		return false;
	for (unsigned int i = 0; i < count; i++)
		dte[i] = __atomic_load_n(&slot->word[i], __ATOMIC_ACQUIRE);
	return __atomic_load_n(&slot->state, __ATOMIC_RELAXED) == state;
}

/* amdvi.c */
void amdvi_lock(struct amdvi *amdvi);
void amdvi_unlock(struct amdvi *amdvi);
/** amdvi_unlock_and_send() - From mmio_write and step only: endpoints are called */
void amdvi_unlock_and_send(struct amdvi *amdvi);
void amdvi_send(struct amdvi *amdvi, const struct amdvi_message *message);
void amdvi_msi(struct amdvi *amdvi);
/** amdvi_grow() - Room for one more in a vector; out of memory ends the program */
void *amdvi_grow(void *vector, size_t count, size_t *room, size_t size);

/* amdvi_mmio.c */
uint64_t amdvi_mmio_read(struct hw_iommu *iommu, uint64_t offset, unsigned int size);
void amdvi_mmio_write(struct hw_iommu *iommu, uint64_t offset, unsigned int size, uint64_t value);
void amdvi_registers_reset(struct amdvi *amdvi);

/* amdvi_dte.c */
enum dte_status { DTE_OK, DTE_ILLEGAL, DTE_UNREADABLE };
enum dte_status amdvi_dte(struct amdvi *amdvi, uint16_t device_id, uint64_t dte[4]);
size_t amdvi_dte_remove(struct amdvi *amdvi, uint16_t device_id);
size_t amdvi_dte_remove_all(struct amdvi *amdvi);
/** amdvi_dte_report() - DTE.SE: is this the first fault since the entry was cached? */
bool amdvi_dte_report(struct amdvi *amdvi, uint16_t device_id);

/* amdvi_walk.c */
enum walk_status {
	WALK_OK, WALK_ABSENT, WALK_DENIED, WALK_RESERVED, WALK_UNREADABLE, WALK_CHANGED,
};

/**
 * struct amdvi_walk - one walk, through one or both stages
 * @quiet: hardware's own idea (prefetch): changes no table
 * @access: HW_READ, HW_WRITE, HW_EXEC, HW_PRIV; 0: find out what is allowed
 * @in_host: a failed walk failed in the host table, at guest physical @fault_addr
 * @reads: table reads so far
 */
struct amdvi_walk {
	struct amdvi *amdvi;
	const uint64_t *dte;
	uint16_t domain;
	uint32_t pasid;
	bool quiet;
	bool ats;
	uint8_t access;
	uint64_t accessed;	/* bits that a walk sets in host PTEs */
	uint64_t dirty;
	uint64_t iotlb_generation;
	uint64_t walk_generation;
	bool in_host;
	uint64_t fault_addr;
	unsigned int reads;
};

/** struct amdvi_page - where a walk ended; @pa is of the address asked for */
struct amdvi_page {
	uint64_t pa;
	uint8_t shift;
	uint8_t perm;		/* HW_READ, HW_WRITE, HW_EXEC; HW_PRIV: supervisor only */
	uint8_t flags;		/* ENTRY_* */
};

/** amdvi_walk_begin() - Notes the caches' generations: before the DTE is looked up */
void amdvi_walk_begin(struct amdvi_walk *walk, struct amdvi *amdvi);
void amdvi_walk_dte(struct amdvi_walk *walk, const uint64_t dte[4]);
enum walk_status amdvi_walk_host(struct amdvi_walk *walk, uint64_t gpa, uint8_t access,
				 struct amdvi_page *page);
enum walk_status amdvi_walk_guest(struct amdvi_walk *walk, uint64_t gva, struct amdvi_page *page);
void amdvi_walk_end(struct amdvi_walk *walk);
/** amdvi_keep() - Cache where a walk ended */
void amdvi_keep(struct amdvi_walk *walk, unsigned int kind, uint64_t addr,
		const struct amdvi_page *page);
/** amdvi_set_bits() - Set A or D in a table entry; WALK_CHANGED: it is another entry by now */
enum walk_status amdvi_set_bits(struct amdvi_walk *walk, uint64_t pa, uint64_t *entry,
				uint64_t bits);
/** amdvi_host_page() - As amdvi_walk_host(), through the cache, for the walker's own accesses */
enum walk_status amdvi_host_page(struct amdvi_walk *walk, uint64_t gpa, uint8_t access, bool limit,
				 struct amdvi_page *page);

/* amdvi_translate.c */
enum hw_status amdvi_translate(struct hw_iommu *iommu, const struct hw_request *request,
			       struct hw_translation *translation);
/** amdvi_translate_internal() - The IOMMU's own access through a host table; false: impossible */
bool amdvi_translate_internal(struct amdvi *amdvi, uint16_t device_id, uint64_t addr,
			      uint8_t access, uint64_t *pa);
/** amdvi_prefetch() - PREFETCH_IOMMU_PAGES: cache what is there, report nothing */
void amdvi_prefetch(struct amdvi *amdvi, uint16_t device_id, bool guest, uint32_t pasid,
		    uint64_t addr);

/* amdvi_log.c; caller holds the lock, but for amdvi_fault() */
void amdvi_log_event(struct amdvi_unit *unit, uint64_t word0, uint64_t word1);
/** amdvi_fault() - Log an event about a device, in its guest's log if @to_guest and it has one */
void amdvi_fault(struct amdvi *amdvi, const uint64_t *dte, bool to_guest, uint64_t word0,
		 uint64_t word1);
void amdvi_page_request(struct hw_iommu *iommu, const struct hw_page_request *request);

/* amdvi_queue.c; caller holds the lock */
/** amdvi_unit_run() - Do what can be done now; true if anything was */
bool amdvi_unit_run(struct amdvi_unit *unit);
/** amdvi_unit_stop() - No further command of the unit; @finish: those fetched take effect */
void amdvi_unit_stop(struct amdvi_unit *unit, bool finish);
/** amdvi_unit_step() - The same, when time has passed; true also if more time would help */
bool amdvi_unit_step(struct amdvi_unit *unit);
void amdvi_unit_error(struct amdvi_unit *unit, enum amdvi_event event, uint64_t flags,
		      uint64_t addr);

/* amdvi_command.c; caller holds the lock */
enum command_status { COMMAND_OK, COMMAND_ILLEGAL, COMMAND_UNREADABLE };
/** amdvi_command_check() - May this command be in this unit's buffer? */
bool amdvi_command_legal(struct amdvi_unit *unit, const struct amdvi_command *command);
/** amdvi_command_at_once() - Does it take effect when it is fetched? */
bool amdvi_command_at_once(const struct amdvi_command *command);
/** amdvi_command_ordered() - Must @second take effect after @first, which is older? */
bool amdvi_command_ordered(const struct amdvi_command *first, const struct amdvi_command *second);
enum command_status amdvi_command_apply(struct amdvi_unit *unit,
					const struct amdvi_command *command);
void amdvi_command_trace(struct amdvi_unit *unit, const struct amdvi_command *command);
void amdvi_invalidate_all(struct amdvi *amdvi);

/* amdvi_ats.c; caller holds the lock, but for the completion */
void amdvi_ats_invalidate(struct amdvi_unit *unit, const struct amdvi_command *command,
			  uint16_t device_id, uint16_t queue_id);
/** amdvi_ats_busy() - Is one of the unit's, older than @order, still unanswered? */
bool amdvi_ats_busy(struct amdvi_unit *unit, uint64_t order);
void amdvi_ats_forget(struct amdvi_unit *unit);
/** amdvi_ats_step() - Time-outs; true if one happened, *@waiting if one still may */
bool amdvi_ats_step(struct amdvi *amdvi, bool *waiting);
void amdvi_ats_complete(struct hw_iommu *iommu, uint16_t rid, uint32_t itags, unsigned int count);

/* amdvi_viommu.c; caller holds the lock */
uint64_t amdvi_viommu_read(struct amdvi *amdvi, uint64_t offset);
void amdvi_viommu_write(struct amdvi *amdvi, uint64_t offset, uint64_t mask, uint64_t value);
struct amdvi_unit *amdvi_guest(struct amdvi *amdvi, uint16_t guest_id, bool create);
void amdvi_guests_destroy(struct amdvi *amdvi);
void amdvi_guests_run(struct amdvi *amdvi);
void amdvi_reset_vmmio(struct amdvi *amdvi, uint16_t guest_id, bool vcmd, bool all);
/** amdvi_map() - A guest's DeviceID or DomainID to the host's; 0, -ENOENT, -EFAULT */
int amdvi_map(struct amdvi_unit *unit, unsigned int kind, uint16_t guest, uint16_t *host);
/** amdvi_unit_pa() - Physical address of a place in the unit's ring or of a store; -EFAULT */
int amdvi_unit_pa(struct amdvi_unit *unit, uint64_t addr, uint8_t access, uint64_t *pa);

/* Registers that the host's page at 0x2000 and a guest's VF page have alike: amdvi_mmio.c */
uint64_t amdvi_unit_read(struct amdvi_unit *unit, uint64_t offset);
void amdvi_unit_write(struct amdvi_unit *unit, uint64_t offset, uint64_t mask, uint64_t value);

static inline uint32_t amdvi_ring_size(const struct amdvi_ring *ring)
{
	return 16U << amdvi_get(ring->base, AMDVI_BASE_LEN);
}

static inline uint32_t amdvi_ring_next(const struct amdvi_ring *ring, uint32_t offset)
{
	if (FAULT("amdvi.ring-wraps-late", "Ring offsets run to 512 KiB whatever the length says"))
		return (offset + 16) & 0x7ffff;
	return (offset + 16) & (amdvi_ring_size(ring) - 1);
}

#endif
