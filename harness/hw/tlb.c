// SPDX-License-Identifier: GPL-2.0-only
/* The simplest cache that keeps every promise of tlb.h but speed: a list under a lock. */
#include <pthread.h>
#include <stdlib.h>

#include "core/prng.h"

#include "tlb.h"

struct tlb {
	pthread_mutex_t lock;
	struct prng prng;
	uint64_t generation;
	size_t capacity;
	size_t count;
	struct tlb_entry entries[];
};

struct tlb *tlb_create(size_t capacity, uint64_t seed)
{
	struct tlb *tlb = calloc(1, sizeof(*tlb) + capacity * sizeof(tlb->entries[0]));

	if (!tlb)
		return NULL;
	pthread_mutex_init(&tlb->lock, NULL);
	prng_init(&tlb->prng, seed, 0);
	tlb->capacity = capacity;
	return tlb;
}

void tlb_destroy(struct tlb *tlb)
{
	if (tlb)
		pthread_mutex_destroy(&tlb->lock);
	free(tlb);
}

static uint64_t last_of(const struct tlb_entry *entry)
{
	return entry->addr | ((1ULL << entry->shift) - 1);
}

bool tlb_lookup(struct tlb *tlb, uint32_t domain, uint32_t space, uint8_t kind, uint64_t addr,
		struct tlb_entry *entry)
{
	const struct tlb_entry *best = NULL;

	pthread_mutex_lock(&tlb->lock);
	for (struct tlb_entry *e = tlb->entries; e < tlb->entries + tlb->count; e++)
		if (e->domain == domain && e->kind == kind && addr >= e->addr &&
		    addr <= last_of(e) && (e->space == space || e->space == TLB_ANY_SPACE) &&
		    (!best || e->shift > best->shift))
			best = e;
	if (best)
		*entry = *best;
	pthread_mutex_unlock(&tlb->lock);
	return best;
}

uint64_t tlb_generation(const struct tlb *tlb)
{
	return __atomic_load_n(&tlb->generation, __ATOMIC_SEQ_CST);
}

static bool same_place(const struct tlb_entry *a, const struct tlb_entry *b)
{
	return a->domain == b->domain && a->space == b->space && a->kind == b->kind &&
	       a->addr == b->addr && a->shift == b->shift;
}

/* Where @entry goes: over its like, at the end, or in place of one that is evicted. */
static size_t place_for(struct tlb *tlb, const struct tlb_entry *entry)
{
	for (size_t i = 0; i < tlb->count; i++)
		if (same_place(tlb->entries + i, entry))
			return i;
	if (tlb->count < tlb->capacity)
		return tlb->count++;
	return prng_below(&tlb->prng, tlb->count);
}

bool tlb_insert(struct tlb *tlb, const struct tlb_entry *entry, uint64_t generation)
{
	bool current;

	pthread_mutex_lock(&tlb->lock);
	current = tlb->generation == generation;
	if (current)
		tlb->entries[place_for(tlb, entry)] = *entry;
	pthread_mutex_unlock(&tlb->lock);
	return current;
}

static bool matches(const struct tlb_entry *entry, const struct tlb_match *match)
{
	if (match->kinds && !(match->kinds >> entry->kind & 1))
		return false;
	if (match->by & TLB_BY_DOMAIN && entry->domain != match->domain)
		return false;
	if (match->by & TLB_BY_SPACE && entry->space != match->space &&
	    !(match->by & TLB_AND_GLOBAL && entry->space == TLB_ANY_SPACE))
		return false;
	if (match->by & TLB_BY_ADDR &&
	    (entry->addr > match->last || last_of(entry) < match->first))
		return false;
	return !match->keep || !match->keep(entry, match->arg);
}

size_t tlb_remove(struct tlb *tlb, const struct tlb_match *match)
{
	size_t removed = 0;

	pthread_mutex_lock(&tlb->lock);
	__atomic_fetch_add(&tlb->generation, 1, __ATOMIC_SEQ_CST);
	for (size_t i = 0; i < tlb->count; ) {
		if (matches(tlb->entries + i, match)) {
			tlb->entries[i] = tlb->entries[--tlb->count];
			removed++;
		} else {
			i++;
		}
	}
	pthread_mutex_unlock(&tlb->lock);
	return removed;
}

size_t tlb_count(const struct tlb *tlb)
{
	struct tlb *locked = (struct tlb *)tlb;
	size_t count;

	pthread_mutex_lock(&locked->lock);
	count = tlb->count;
	pthread_mutex_unlock(&locked->lock);
	return count;
}

void tlb_each(struct tlb *tlb, void (*fn)(const struct tlb_entry *entry, void *arg), void *arg)
{
	pthread_mutex_lock(&tlb->lock);
	for (size_t i = 0; i < tlb->count; i++)
		fn(tlb->entries + i, arg);
	pthread_mutex_unlock(&tlb->lock);
}
