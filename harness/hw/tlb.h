/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tagged translation cache: what IOTLBs, paging-structure caches and ATCs are made of.
 *
 * Entries are kept until removed or evicted for want of room. Removal by tag or by address costs
 * in proportion to what it removes (and the sizes and kinds in use), never to the cache's size.
 * All calls are thread-safe; lookups of different threads do not slow each other.
 *
 * Against the race "walk reads the old table, invalidation, walk fills the cache": a walker takes
 * tlb_generation() before its first read and hands it to tlb_insert(), which refuses the entry if
 * anything was removed since. The walker may still use the translation for its own request, which
 * is in flight (hw/inflight.h). Where entries of one cache are derived from entries of another, the
 * other one is to be invalidated first.
 */
#ifndef NIT_HW_TLB_H
#define NIT_HW_TLB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLB_ANY_SPACE UINT32_MAX	/* tag of an entry that serves every space of its domain */

/**
 * struct tlb_entry - one translation
 * @domain: DID, DomainID, VMID
 * @space: PASID, ASID; TLB_ANY_SPACE: a global entry, found from every space of the domain
 * @addr: the input address, aligned to its size
 * @shift: log2 of the bytes it covers: 12..63
 * @kind: which cache of its owner it belongs to: 0..31 (leaf or level; stage; ...)
 * @perm, @flags, @out, @aux: the owner's; @out is usually the output address
 */
struct tlb_entry {
	uint32_t domain;
	uint32_t space;
	uint64_t addr;
	uint8_t shift;
	uint8_t kind;
	uint8_t perm;
	uint8_t flags;
	uint32_t tag;
	uint64_t out;
	uint64_t aux;
};

/**
 * struct tlb_match - which entries to remove
 * @domain, @space, @first and @last: compared where @by has the bit. A @space compares with the
 *	tag as it is: global entries match only TLB_ANY_SPACE, or TLB_BY_SPACE clear, or
 *	TLB_AND_GLOBAL set.
 * @first, @last: entries that overlap these addresses, both inclusive
 * @kinds: bit mask of kinds; 0: all
 * @keep: if not NULL, entries for which it says true stay
 */
struct tlb_match {
	enum {
		TLB_BY_DOMAIN = 1,
		TLB_BY_SPACE = 2,
		TLB_BY_ADDR = 4,
		TLB_AND_GLOBAL = 8,
	} by;
	uint32_t domain;
	uint32_t space;
	uint64_t first;
	uint64_t last;
	uint32_t kinds;
	bool (*keep)(const struct tlb_entry *entry, const void *arg);
	const void *arg;
};

struct tlb;

/** tlb_create() - A cache of @capacity entries (a power of two); NULL: no memory */
struct tlb *tlb_create(size_t capacity, uint64_t seed);
void tlb_destroy(struct tlb *tlb);

/**
 * tlb_lookup() - Find the entry of @kind that covers @addr; the largest size first
 * A lookup during a change may miss an entry that is there; it never finds one that was removed
 * before it began.
 * Return: true with a copy in *@entry
 */
bool tlb_lookup(struct tlb *tlb, uint32_t domain, uint32_t space, uint8_t kind, uint64_t addr,
		struct tlb_entry *entry);

/** tlb_generation() - Changes with every tlb_remove(), whatever it removed, once that is gone */
uint64_t tlb_generation(const struct tlb *tlb);

/**
 * tlb_insert() - Cache @entry, in place of one with the same tags, address, size and kind
 * @generation: of before the tables were read
 * Return: false if something was removed since then: not cached
 */
bool tlb_insert(struct tlb *tlb, const struct tlb_entry *entry, uint64_t generation);

/** tlb_remove() - Remove what matches; returns how many entries that were */
size_t tlb_remove(struct tlb *tlb, const struct tlb_match *match);

/** tlb_count() - Entries now in the cache */
size_t tlb_count(const struct tlb *tlb);

/** tlb_each() - Call @fn for a copy of every entry; for tests and traces, not for speed */
void tlb_each(struct tlb *tlb, void (*fn)(const struct tlb_entry *entry, void *arg), void *arg);

#endif
