/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests between translation and memory access, and how a sync waits for them.
 *
 * Each DMA engine has a slot for its requests, and one for translation requests of its ATC: the
 * IOMMU's walk for those is untranslated work too. Before it translates it enters, after its memory
 * access (or fault) it leaves. A sync takes a snapshot of the slots after it has removed cache
 * entries, and is not complete until every request in the snapshot has left: whoever enters later
 * finds the caches without the old entries. An IOMMU waits for untranslated requests, an ATC for
 * translated ones (VT-d 6.5.4, PCIe ATS 10.3.3).
 */
#ifndef NIT_HW_INFLIGHT_H
#define NIT_HW_INFLIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define INFLIGHT_SLOTS 256

enum inflight_class {
	INFLIGHT_UNTRANSLATED = 1,
	INFLIGHT_TRANSLATED = 2,
};

/** struct inflight_slot - one engine's; @state is 0 when idle, else counts up with each request */
struct inflight_slot {
	_Atomic uint64_t state;
	uint64_t count;
	_Atomic bool taken;
} __attribute__((aligned(64)));

/** struct inflight - all slots of a machine; @used: those before it were taken at some time */
struct inflight {
	struct inflight_slot slots[INFLIGHT_SLOTS];
	_Atomic unsigned int used;
};

struct inflight_snapshot {
	uint64_t state[INFLIGHT_SLOTS];
	unsigned int used;
};

/** inflight_slot_get() - A slot of one's own; NULL if all are taken */
struct inflight_slot *inflight_slot_get(struct inflight *inflight);

/** inflight_slot_put() - Give a slot back, which is idle; NULL is none */
void inflight_slot_put(struct inflight_slot *slot);

/*
 * Who enters writes its slot, then reads caches; who syncs writes caches, then reads slots. One of
 * the two must see the other, which takes a full barrier on both sides. ThreadSanitizer knows no
 * fences; on the machines it runs on, a sequentially consistent store is one.
 */
#if defined(__SANITIZE_THREAD__)
#define INFLIGHT_ORDER memory_order_seq_cst
#define inflight_fence() ((void)0)
#else
#define INFLIGHT_ORDER memory_order_relaxed
#define inflight_fence() atomic_thread_fence(memory_order_seq_cst)
#endif

/** inflight_enter() - Before looking at any cache; orders the caches' loads after itself */
static inline void inflight_enter(struct inflight_slot *slot, enum inflight_class class)
{
	slot->count++;
	atomic_store_explicit(&slot->state, slot->count << 2 | class, INFLIGHT_ORDER);
	inflight_fence();
}

/** inflight_leave() - After the memory access */
static inline void inflight_leave(struct inflight_slot *slot)
{
	atomic_store_explicit(&slot->state, 0, memory_order_release);
}

/** inflight_take() - Note who is in flight now, of the classes in the mask @classes */
void inflight_take(struct inflight *inflight, unsigned int classes,
		   struct inflight_snapshot *snapshot);

/** inflight_drained() - Have all of them left? Forgets those that have. */
bool inflight_drained(struct inflight *inflight, struct inflight_snapshot *snapshot);

#endif
