// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>

#include "inflight.h"

struct inflight_slot *inflight_slot_get(struct inflight *inflight)
{
	for (unsigned int i = 0; i < INFLIGHT_SLOTS; i++) {
		unsigned int used = atomic_load(&inflight->used);

		if (atomic_exchange(&inflight->slots[i].taken, true))
			continue;
		while (used < i + 1 &&
		       !atomic_compare_exchange_weak(&inflight->used, &used, i + 1))
			;
		return &inflight->slots[i];
	}
	return NULL;
}

void inflight_slot_put(struct inflight_slot *slot)
{
	if (slot)
		atomic_store(&slot->taken, false);
}

void inflight_take(struct inflight *inflight, unsigned int classes,
		   struct inflight_snapshot *snapshot)
{
	/* The other half of the pair is in inflight_enter(): caches first, then the slots. */
	inflight_fence();
	snapshot->used = 0;
	for (unsigned int i = 0; i < atomic_load(&inflight->used); i++) {
		uint64_t state = atomic_load(&inflight->slots[i].state);

		snapshot->state[i] = state & classes ? state : 0;
		snapshot->used = i + 1;
	}
}

bool inflight_drained(struct inflight *inflight, struct inflight_snapshot *snapshot)
{
	bool drained = true;

	for (unsigned int i = 0; i < snapshot->used; i++) {
		if (!snapshot->state[i])
			continue;
		if (atomic_load(&inflight->slots[i].state) == snapshot->state[i])
			drained = false;
		else
			snapshot->state[i] = 0;
	}
	return drained;
}
