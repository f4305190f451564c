/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of the reference SMMUv3. One file a noun:
 *
 *	smmuv3.c		creation, registers
 *	smmuv3_config.c		stream table, CDs and what is cached of them
 *	smmuv3_walk.c		translation tables of one stage, and walk caches
 *	smmuv3_translate.c	a request from arrival to answer
 *	smmuv3_command.c	what each command means
 *	smmuv3_cmdq.c		queues of commands, CMD_SYNC
 *	smmuv3_ats.c		ATS invalidations on their way
 *	smmuv3_output.c		event and PRI queues, GERROR, interrupts
 *	smmuv3_stall.c		stalled requests
 *	smmuv3_cmdqv.c		Tegra241 command queue virtualisation
 *
 * Locks, in this order: @lock (registers and commands: MMIO and step), @config_lock (structure
 * caches), @output_lock (what is written for software to read). A translation that hits takes none.
 */
#ifndef NIT_HW_SMMUV3_IMPL_H
#define NIT_HW_SMMUV3_IMPL_H

#include <pthread.h>

#include "core/fault.h"
#include "spec/smmuv3.h"

#include "iommu.h"
#include "machine.h"
#include "smmuv3.h"
#include "tlb.h"

/* ---- Translation caches ---- */

enum smmuv3_cache {
	CACHE_S1,	/* VA to PA, of stage 1 alone or of both stages: what CMD_TLBI_NH_* names */
	CACHE_S1_WALK,	/* VA to the next stage-1 table; kind is its descriptor's level + 1 */
	CACHE_S2,	/* IPA to PA: of streams, stage-1 tables, CDs */
	CACHE_S2_WALK,
	CACHES,
};

/* Tag "domain": the VMID, or one of the regimes without VMID (3.17) */
#define DOMAIN_EL2	0x10000u
#define DOMAIN_EL2_E2H	0x20000u

/* tlb_entry.perm of CACHE_S1: HW_READ | HW_WRITE | HW_EXEC of user, shifted by 3 of privileged */
#define PERM_PRIV	3
#define PERM_ALL	7

/* tlb_entry.flags: the other stage's permissions in the low bits, and */
#define ENTRY_S1_CLEAN	0x08	/* a write has to mark the descriptor dirty first */
#define ENTRY_S2_CLEAN	0x10
#define ENTRY_ASET	0x20
#define ENTRY_GLOBAL	0x40

/* tlb_entry.tag: the translation table entry it stands for */
#define TAG_TG		SMMU_BITS(1, 0)		/* CMD_TLBI_TG_* */
#define TAG_LEVEL	SMMU_BITS(4, 2)		/* level + 1 */
#define TAG_SHIFT	SMMU_BITS(11, 5)	/* log2 of its size; what is cached may be less */

/* ---- Configuration ---- */

/** struct smmuv3_half - one address range of stage 1, or stage 2 */
struct smmuv3_half {
	uint64_t table;
	uint8_t bits;		/* of the input address */
	uint8_t out_bits;
	uint8_t page_shift;
	int8_t level;		/* of the first table */
	uint8_t tg;		/* CMD_TLBI_TG_* */
	bool disabled;
	bool tbi;
	bool wide;		/* 52-bit descriptors (DS) */
	bool no_hierarchy;	/* HAD */
};

/** struct smmuv3_stage - how a stage treats faults and flags */
struct smmuv3_stage {
	bool on;
	bool stall;
	bool record;
	bool ignore_access;	/* AFFD */
	bool set_access;	/* HA */
	bool set_dirty;		/* HD */
};

/**
 * struct smmuv3_context - what an STE and its CD say of a request
 * @tags: domain in the low, ASID in the high half
 * @flags: CONTEXT_*
 */
struct smmuv3_context {
	uint64_t tags;
	uint64_t flags;
	struct smmuv3_half s1_half[2];
	struct smmuv3_half s2_half;
	struct smmuv3_stage s1;
	struct smmuv3_stage s2;
	bool wxn;
	bool s2_protect_walk;	/* S2PTW */
	uint8_t ste_config;
	uint8_t eats;		/* effective */
	uint32_t ssid;
};

#define CONTEXT_S1	0x01
#define CONTEXT_S2	0x02
#define CONTEXT_TBI0	0x04
#define CONTEXT_TBI1	0x08
#define CONTEXT_ASET	0x10
#define CONTEXT_MERGE	0x20	/* MEV */
#define CONTEXT_PPAR	0x40
#define CONTEXT_PRIV	SMMU_BITS(9, 8)		/* STE.PRIVCFG */
#define CONTEXT_INST	SMMU_BITS(11, 10)	/* STE.INSTCFG */

static inline uint32_t context_domain(const struct smmuv3_context *context)
{
	return (uint32_t)context->tags;
}

static inline uint32_t context_asid(const struct smmuv3_context *context)
{
	return context->tags >> 32;
}

#define CONTEXT_WORDS	(sizeof(struct smmuv3_context) / 8)

/** struct smmuv3_slot - a context ready for use; valid while @seq is even and @version current */
struct smmuv3_slot {
	uint64_t seq;
	uint64_t key;
	uint64_t version;
	uint64_t words[CONTEXT_WORDS];
} __attribute__((aligned(64)));

#define CONTEXT_SLOTS	1024
#define CD_SLOTS	1024

/** struct smmuv3_cached - a structure as it was fetched; @index: which one, or SLOT_EMPTY */
struct smmuv3_cached {
	uint32_t index;
	uint64_t words[8];
};

#define SLOT_EMPTY	UINT32_MAX

/** struct smmuv3_stream - what is cached for a StreamID */
struct smmuv3_stream {
	uint32_t sid;
	bool ste_cached;
	bool atschk;			/* as it was when the STE was fetched (3.9.2) */
	uint64_t ste[SMMU_STE_WORDS];
	uint32_t cd_mask;
	struct smmuv3_cached *cds;	/* by SubstreamID */
	struct smmuv3_cached *l1cds;	/* by index in the level-1 table */
	struct smmuv3_stream *next;
};

/* ---- Faults ---- */

/**
 * struct smmuv3_fault - why a request cannot go on
 * @event: EVENT_*; 0: refused without a record
 * @ipa: IPA for stage 2, or the address of the fetch that failed
 */
struct smmuv3_fault {
	uint8_t event;
	uint8_t class;
	bool s2;
	bool ttrnw;
	uint64_t ipa;
};

/** struct smmuv3_walk - one request's way through the tables */
struct smmuv3_walk {
	struct smmuv3 *smmu;
	struct smmuv3_context context;
	uint64_t generation[CACHES];
	struct smmuv3_fault fault;
	unsigned int reads;
	bool caches;		/* intermediate levels may be cached */
	bool lenient;		/* ATS: permissions are returned, not enforced */
	bool silent;		/* a prefetch: no fault is recorded, nothing is marked dirty */
};

/**
 * struct smmuv3_result - of one stage
 * @shift: log2 of what can be cached as one; @entry_shift: of the translation table entry
 * @perm: as in the CACHE_*
 */
struct smmuv3_result {
	uint64_t out;
	uint8_t shift;
	uint8_t entry_shift;
	uint8_t perm;
	uint8_t tg;
	int8_t level;
	bool clean;
	bool global;
};

/* ---- Command queues ---- */

enum smmuv3_class { CLASS_ATS, CLASS_S1, CLASS_S2, CLASS_CONFIG, CLASSES, CLASS_NOW };

#define PENDING_COMMANDS 256

enum smmuv3_sync { SYNC_NONE, SYNC_EFFECTS, SYNC_DRAIN, SYNC_DELAY };

/**
 * struct smmuv3_cmdq - a command queue
 * @vintf: its virtual interface, -1 for the SMMU's own
 * @pending: commands consumed whose effect nobody is owed yet
 * @order: of the classes, for the CMD_SYNC in progress
 * @drain: something was invalidated since the last one: requests in flight are waited for
 * @ats_timed_out: for the next CMD_SYNC to say so
 */
struct smmuv3_cmdq {
	uint64_t base;
	uint32_t prod;
	uint32_t cons;
	uint8_t log2size;
	uint8_t error;
	bool enabled;
	int vintf;
	unsigned int index;
	unsigned int pending_count;
	uint64_t pending[PENDING_COMMANDS][2];
	uint8_t pending_class[PENDING_COMMANDS];
	unsigned int class_count[CLASSES];
	enum smmuv3_sync sync;
	uint8_t order[CLASSES];
	unsigned int phase;
	bool drain;
	unsigned int delay;
	struct inflight_snapshot snapshot;
	unsigned int ats_outstanding;
	bool ats_timed_out;
};

#define ATS_SLOTS	256
#define ATS_ITAGS	32

/** struct smmuv3_ats - an ATS invalidation that waits for its ITag or for its completions */
struct smmuv3_ats {
	bool used;
	bool sent;
	uint16_t rid;
	uint8_t itag;
	unsigned int got;
	unsigned int age;
	struct smmuv3_cmdq *cmdq;	/* NULL: nobody waits any more */
	struct hw_ats_invalidate request;
};

/* ---- Stalls, output queues ---- */

#define STALLS		256
#define LATE_EVENTS	64
#define AUTO_RESPONSES	256

/** struct smmuv3_stall - a stalled request; its STAG is its place in the table */
struct smmuv3_stall {
	bool used;
	bool recorded;		/* its event is in the queue */
	bool suppressed;	/* waits for the first of its kind (3.12.2.1) */
	uint16_t sid;
	uint64_t event[4];
};

/** struct smmuv3_queue - an output queue */
struct smmuv3_queue {
	uint64_t base;
	uint32_t prod;
	uint32_t cons;
	uint8_t log2size;
};

struct smmuv3_msi {
	uint64_t addr;
	uint32_t data;
	uint32_t attributes;
};

struct smmuv3_cmdqv;

/** struct smmuv3 - the whole; registers are kept as software wrote them */
struct smmuv3 {
	struct hw_iommu iommu;
	struct smmuv3_config config;
	pthread_mutex_t lock;
	pthread_mutex_t config_lock;
	pthread_mutex_t output_lock;

	uint32_t idr[6];
	uint32_t cr0;
	uint32_t cr1;
	uint32_t cr2;
	uint32_t gbpa;
	uint32_t irq_ctrl;
	uint64_t strtab_base;
	uint32_t strtab_cfg;
	uint32_t gerror;
	uint32_t gerrorn;
	struct smmuv3_msi gerror_msi;
	struct smmuv3_msi eventq_msi;
	struct smmuv3_msi priq_msi;

	struct tlb *caches[CACHES];
	uint64_t split[2];	/* entry sizes cached in smaller pieces; by stage, bit n: 2^n */
	struct smmuv3_slot *slots;	/* aligned, in slot_array */
	void *slot_array;
	uint32_t *versions;	/* by StreamID */
	struct smmuv3_stream **streams;
	struct smmuv3_stream *stream_list;
	struct smmuv3_cached l1stds[1024];

	struct smmuv3_cmdq cmdq;
	uint64_t cmdq_base;
	struct smmuv3_ats ats[ATS_SLOTS];
	uint32_t itags[1 << 16];	/* in use, by RID */

	struct smmuv3_queue eventq;
	struct smmuv3_queue priq;
	uint64_t eventq_base;
	uint64_t priq_base;
	uint64_t last_event[4];
	struct { uint64_t words[4]; unsigned int delay; } late[LATE_EVENTS];
	unsigned int late_count;
	struct { struct hw_page_request request; bool overflow; } responses[AUTO_RESPONSES];
	unsigned int response_count;

	struct smmuv3_stall stalls[STALLS];
	unsigned int stall_count;
	struct smmuv3_cmdqv *cmdqv;
};

static inline struct smmuv3 *to_smmuv3(struct hw_iommu *iommu)
{
	return (struct smmuv3 *)iommu;
}

#define smmu_trace(_smmu, ...) hw_trace((_smmu)->iommu.trace, (_smmu)->iommu.unit, __VA_ARGS__)

/** reg_get(), reg_set() - A register that translations read while software writes */
#define reg_get(_reg)		__atomic_load_n(&(_reg), __ATOMIC_ACQUIRE)
#define reg_set(_reg, _value)	__atomic_store_n(&(_reg), _value, __ATOMIC_RELEASE)

/* smmuv3_config.c */
enum smmuv3_lookup { LOOKUP_TRANSLATE, LOOKUP_STE_ONLY };

static inline uint64_t smmuv3_key(uint16_t sid, bool ssv, uint32_t ssid, enum smmuv3_lookup lookup)
{
	return 1ull << 63 | (uint64_t)lookup << 40 | (uint64_t)sid << 21 | (uint64_t)ssv << 20 |
	       ssid;
}

static inline struct smmuv3_slot *smmuv3_slot(struct smmuv3 *smmu, uint64_t key)
{
	return &smmu->slots[(key * 0x9e3779b97f4a7c15ull) >> 54];
}

/**
 * smmuv3_config_lookup() - The context of a request, into @walk
 * Return: 0, or -1 with the fault in @walk. The context has what is known so far then.
 */
int smmuv3_config_lookup(struct smmuv3_walk *walk, const struct hw_request *request,
			 enum smmuv3_lookup lookup);
void smmuv3_config_forget_ste(struct smmuv3 *smmu, uint32_t sid, uint32_t mask, bool leaf);
void smmuv3_config_forget_cd(struct smmuv3 *smmu, uint32_t sid, uint32_t ssid, bool leaf);
void smmuv3_config_forget_cds(struct smmuv3 *smmu, uint32_t sid);
void smmuv3_config_reset(struct smmuv3 *smmu);

/* smmuv3_walk.c */
void smmuv3_walk_init(struct smmuv3_walk *walk, struct smmuv3 *smmu);
/** smmuv3_walk_s1() - @addr through stage 1; @write: to be marked dirty. 0, or -1 with the fault */
int smmuv3_walk_s1(struct smmuv3_walk *walk, uint64_t addr, bool write, bool priv,
		   struct smmuv3_result *result);
/** smmuv3_walk_s2() - @ipa through stage 2 for @access (HW_*) of @class (EVENT_CLASS_*) */
int smmuv3_walk_s2(struct smmuv3_walk *walk, uint64_t ipa, unsigned int access,
		   unsigned int class, struct smmuv3_result *result);
/** smmuv3_walk_fails() - Note a fault; always true, so that -smmuv3_walk_fails() is the error -1 */
bool smmuv3_walk_fails(struct smmuv3_walk *walk, uint8_t event, bool s2, uint8_t class,
		       uint64_t ipa);
/** smmuv3_cache() - Insert into a cache, as a whole or in pieces */
void smmuv3_cache(struct smmuv3_walk *walk, enum smmuv3_cache cache, struct tlb_entry *entry,
		  uint64_t addr);

/* smmuv3_translate.c */
enum hw_status smmuv3_translate(struct hw_iommu *iommu, const struct hw_request *request,
				struct hw_translation *translation);
void smmuv3_prefetch(struct smmuv3 *smmu, const struct hw_request *request);

/* smmuv3_command.c */
/**
 * smmuv3_command_check() - May @c be executed in this queue? Makes a guest's command physical.
 * Return: CERROR_*
 */
unsigned int smmuv3_command_check(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, uint64_t c[2]);
enum smmuv3_class smmuv3_command_class(const uint64_t c[2]);
void smmuv3_command_trace(struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq, const uint64_t c[2]);
/** smmuv3_command_do() - Let it take effect */
void smmuv3_command_do(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2]);

/* smmuv3_cmdq.c; all under @lock */
void smmuv3_cmdq_run(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq);
bool smmuv3_cmdq_step(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq);
void smmuv3_cmdq_enable(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, bool enabled);
void smmuv3_cmdq_flush(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq);
bool smmuv3_cmdq_failed(const struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq);
/** smmuv3_cmdq_cons() - The CONS register, error code included */
uint32_t smmuv3_cmdq_cons(const struct smmuv3_cmdq *cmdq);

/* smmuv3_ats.c; all under @lock */
void smmuv3_ats_invalidate(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2]);
void smmuv3_ats_complete(struct hw_iommu *iommu, uint16_t rid, uint32_t itags, unsigned int count);
bool smmuv3_ats_step(struct smmuv3 *smmu);
void smmuv3_ats_orphan(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq);
void smmuv3_ats_abandon(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq);

/* smmuv3_output.c */
void smmuv3_event(struct smmuv3 *smmu, const uint64_t words[4], bool merge);
void smmuv3_event_flush(struct smmuv3 *smmu);
bool smmuv3_eventq_writable(const struct smmuv3 *smmu);	/* under @output_lock */
bool smmuv3_event_write(struct smmuv3 *smmu, const uint64_t words[4]);	/* under @output_lock */
void smmuv3_gerror(struct smmuv3 *smmu, uint32_t error);	/* takes @output_lock */
void smmuv3_msi(struct smmuv3 *smmu, uint64_t addr, uint32_t data);
void smmuv3_page_request(struct hw_iommu *iommu, const struct hw_page_request *request);
bool smmuv3_output_step(struct smmuv3 *smmu);

/* smmuv3_stall.c */
/** smmuv3_stall() - Hold a request; its token, or -1: no place */
int smmuv3_stall(struct smmuv3 *smmu, uint16_t sid, const uint64_t words[4]);
void smmuv3_resume(struct smmuv3 *smmu, const uint64_t c[2]);
void smmuv3_stall_term(struct smmuv3 *smmu, uint32_t sid, bool all);
/** smmuv3_stall_record() - The event queue may have become writable again */
void smmuv3_stall_record(struct smmuv3 *smmu);
/** smmuv3_stall_retry() - What nobody heard of tries again: a sync has changed the tables */
void smmuv3_stall_retry(struct smmuv3 *smmu);

/* smmuv3_cmdqv.c; all under @lock */
int smmuv3_cmdqv_create(struct smmuv3 *smmu);
void smmuv3_cmdqv_destroy(struct smmuv3 *smmu);
void smmuv3_cmdqv_reset(struct smmuv3 *smmu);
size_t smmuv3_cmdqv_size(const struct smmuv3_config *config);
uint64_t smmuv3_cmdqv_read(struct smmuv3 *smmu, uint64_t offset, unsigned int size);
void smmuv3_cmdqv_write(struct smmuv3 *smmu, uint64_t offset, unsigned int size, uint64_t value);
bool smmuv3_cmdqv_step(struct smmuv3 *smmu);
bool smmuv3_cmdqv_awaited(const struct smmuv3 *smmu);
void smmuv3_cmdqv_flush(struct smmuv3 *smmu);
bool smmuv3_cmdqv_outstanding(const struct smmuv3 *smmu);
void smmuv3_cmdqv_error(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq);
bool smmuv3_cmdqv_failed(const struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq);
/** smmuv3_cmdqv_guest() - Is it a guest's, its commands limited? With the VMID to force */
bool smmuv3_cmdqv_guest(const struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq, uint16_t *vmid);
/** smmuv3_cmdqv_sid() - The physical StreamID; -1: none matches */
int64_t smmuv3_cmdqv_sid(const struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq, uint32_t vsid);

#endif
