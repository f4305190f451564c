// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lookups take no lock: a hash of chained entries, each guarded by a sequence number, and per kind
 * a bit mask of the sizes in use, largest first. A lookup that races with a change may miss what is
 * there (its caller walks the tables), never find what was removed before it began.
 *
 * Changes are under one lock, and keep lists of entries by tags (tlb_groups.h).
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "core/prng.h"

#include "tlb.h"
#include "tlb_groups.h"

#define KINDS 32
#define WORDS 5
#define NO_KIND 0xff
#define CHAIN_LIMIT 64		/* of a lookup that changes led astray */
#define FEW_PROBES 16
#define NEIGHBOURS 16

_Static_assert(sizeof(struct tlb_entry) == WORDS * sizeof(uint64_t), "an entry is its words");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "struct key is made for it");

/** struct node - an entry; @seq is odd while it changes; @next: of the hash chain, or free */
struct node {
	uint32_t seq;
	uint32_t next;
	uint64_t word[WORDS];
	struct tlb_link link;
} __attribute__((aligned(64)));

/** struct sizes - bit n: entries of 2^n bytes are there; how many. Index 1: global ones. */
struct sizes {
	uint64_t mask[2];
	uint32_t count[2][64];
};

struct tlb {
	uint64_t generation;
	size_t count;
	unsigned int hash_bits;
	uint64_t hash_mask;
	uint32_t kinds;
	uint32_t *hash;			/* aligned, in hash_array */
	void *hash_array;
	struct node *nodes;		/* from 1; aligned, in node_array */
	void *node_array;
	struct sizes sizes[KINDS];
	/* Of those who change something */
	int lock __attribute__((aligned(64)));
	uint32_t capacity;
	uint32_t fresh;			/* nodes that were in use at some time */
	uint32_t free;
	struct prng prng;
	struct tlb_groups groups;
};

/*
 * What an entry is found by: its first words. Made of numbers and not by way of a struct tlb_entry
 * in memory: to load at once what was stored in pieces takes as long as a lookup.
 */
struct key {
	uint64_t tags;			/* word 0: domain, space */
	uint64_t addr;			/* word 1 */
	uint16_t size_kind;		/* low quarter of word 2: shift, kind */
};

static inline struct key key_of(uint32_t domain, uint32_t space, uint8_t kind, uint64_t addr,
			 unsigned int shift)
{
	return (struct key){
		domain | (uint64_t)space << 32, addr >> shift << shift, shift | kind << 8,
	};
}

/* ---- Life ---- */

/* A node is one line of the CPU's cache, neighbours' chains are too; arrays have one to spare. */
static void *aligned(void *array)
{
	uintptr_t mask = sizeof(struct node) - 1;

	return (void *)(((uintptr_t)array + mask) & ~mask);
}

struct tlb *tlb_create(size_t capacity, uint64_t seed)
{
	struct tlb *tlb = aligned_alloc(64, sizeof(*tlb));
	unsigned int bits = __builtin_ctzll(capacity);

	if (!tlb)
		return NULL;
	memset(tlb, 0, sizeof(*tlb));
	tlb->capacity = capacity;
	tlb->hash_bits = bits + 1;
	tlb->hash_mask = (2ULL << bits) - 1;
	tlb->hash_array = tlb_array(((size_t)1 << tlb->hash_bits) + NEIGHBOURS,
				    sizeof(tlb->hash[0]));
	tlb->hash = aligned(tlb->hash_array);
	tlb->node_array = tlb_array(capacity + 2, sizeof(tlb->nodes[0]));
	tlb->nodes = aligned(tlb->node_array);
	prng_init(&tlb->prng, seed, 0);
	if (!tlb_groups_init(&tlb->groups, bits) || !tlb->hash_array || !tlb->node_array) {
		tlb_destroy(tlb);
		return NULL;
	}
	return tlb;
}

void tlb_destroy(struct tlb *tlb)
{
	if (!tlb)
		return;
	tlb_groups_fini(&tlb->groups);
	free(tlb->node_array);
	free(tlb->hash_array);
	free(tlb);
}

static void lock(struct tlb *tlb)
{
	while (__atomic_exchange_n(&tlb->lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(struct tlb *tlb)
{
	__atomic_store_n(&tlb->lock, 0, __ATOMIC_RELEASE);
}

/* ---- Words ---- */

/* Acquire and release on every word, so that the sequence number needs no fences around them. */
static uint64_t load64(const uint64_t *from)
{
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static uint32_t load32(const uint32_t *from)
{
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static void store64(uint64_t *to, uint64_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

static void store32(uint32_t *to, uint32_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

/* The chains of NEIGHBOURS adjacent pages lie side by side, in one line of the CPU's cache. */
static inline uint32_t *chain_of(const struct tlb *tlb, const struct key *key)
{
	uint64_t page = key->addr >> (key->size_kind & 0xff);
	uint64_t h = key->tags * 0x9e3779b97f4a7c15ULL +
		     page / NEIGHBOURS * 0xc2b2ae3d27d4eb4fULL + key->size_kind;

	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ULL;
	return &tlb->hash[(h >> (64 - tlb->hash_bits) ^ page % NEIGHBOURS) & tlb->hash_mask];
}

static inline bool has_key(const struct node *node, const struct key *key)
{
	return load64(&node->word[0]) == key->tags && load64(&node->word[1]) == key->addr &&
	       (uint16_t)load64(&node->word[2]) == key->size_kind;
}

/* ---- Lookup ---- */

/*
 * The first words, of which a key is made, are looked at and copied at once.
 * A node that changes meanwhile is none: it becomes another entry, or another one of this key.
 */
enum found { OTHER, CHANGING, FOUND };

static inline __attribute__((always_inline))
enum found copy(const struct node *node, const struct key *key, struct tlb_entry *entry)
{
	uint32_t seq = load32(&node->seq);
	uint64_t words[WORDS];

	words[0] = load64(&node->word[0]);
	words[1] = load64(&node->word[1]);
	words[2] = load64(&node->word[2]);
	if (words[0] != key->tags || words[1] != key->addr ||
	    (uint16_t)words[2] != key->size_kind)
		return OTHER;
	words[3] = load64(&node->word[3]);
	words[4] = load64(&node->word[4]);
	if (load32(&node->seq) != seq || seq & 1)
		return CHANGING;
	memcpy(entry, words, sizeof(words));
	return FOUND;
}

static inline __attribute__((always_inline))
bool find(const struct tlb *tlb, const struct key *key, struct tlb_entry *entry)
{
	uint32_t at = load32(chain_of(tlb, key));

	for (unsigned int i = 0; at && i < CHAIN_LIMIT; i++) {
		const struct node *node = &tlb->nodes[at];
		enum found found = copy(node, key, entry);

		if (__builtin_expect(found, FOUND))
			return found == FOUND;
		at = load32(&node->next);
	}
	return false;
}

static bool lookup_sizes(struct tlb *tlb, uint32_t domain, uint32_t space, uint8_t kind,
			 uint64_t addr, uint64_t own, uint64_t global, struct tlb_entry *entry)
{
	for (uint64_t left = own | global; left; ) {
		unsigned int shift = 63 - __builtin_clzll(left);
		uint64_t bit = 1ULL << shift;
		struct key key = key_of(domain, space, kind, addr, shift);

		if (own & bit && find(tlb, &key, entry))
			return true;
		if (__builtin_expect(global & bit, 0)) {
			key = key_of(domain, TLB_ANY_SPACE, kind, addr, shift);
			if (find(tlb, &key, entry))
				return true;
		}
		left ^= bit;
	}
	return false;
}

bool tlb_lookup(struct tlb *tlb, uint32_t domain, uint32_t space, uint8_t kind, uint64_t addr,
		struct tlb_entry *entry)
{
	uint64_t own = load64(&tlb->sizes[kind].mask[0]);
	uint64_t global = load64(&tlb->sizes[kind].mask[1]);

	/* One size and nothing global is what there mostly is. */
	if (own && !(own & (own - 1)) && !global) {
		struct key key = key_of(domain, space, kind, addr, __builtin_ctzll(own));

		return find(tlb, &key, entry);
	}
	return lookup_sizes(tlb, domain, space, kind, addr, own, global, entry);
}

uint64_t tlb_generation(const struct tlb *tlb)
{
	return load64(&tlb->generation);
}

size_t tlb_count(const struct tlb *tlb)
{
	return __atomic_load_n(&tlb->count, __ATOMIC_RELAXED);
}

/* ---- Change, under the lock ---- */

static void count_sizes(struct tlb *tlb, const struct key *key, int change)
{
	unsigned int kind = key->size_kind >> 8, shift = key->size_kind & 0xff;
	unsigned int global = key->tags >> 32 == TLB_ANY_SPACE;
	struct sizes *sizes = &tlb->sizes[kind];
	uint64_t bit = 1ULL << shift, mask = sizes->mask[global];

	sizes->count[global][shift] += change;
	mask = sizes->count[global][shift] ? mask | bit : mask & ~bit;
	if (mask != sizes->mask[global])
		store64(&sizes->mask[global], mask);
	if (change > 0)
		tlb->kinds |= 1U << kind;
	__atomic_store_n(&tlb->count, tlb->count + change, __ATOMIC_RELAXED);
}

static void write_node(struct node *node, const struct tlb_entry *entry)
{
	store32(&node->seq, node->seq + 1);
	for (unsigned int i = 0; i < WORDS; i++) {
		uint64_t word;

		memcpy(&word, (const char *)entry + i * sizeof(word), sizeof(word));
		store64(&node->word[i], word);
	}
	store32(&node->seq, node->seq + 1);
}

/* No entry any more: no key has this kind. What else is in it nobody looks at. */
static void erase_node(struct node *node)
{
	store32(&node->seq, node->seq + 1);
	store64(&node->word[2], NO_KIND << 8);
	store32(&node->seq, node->seq + 1);
}

static struct tlb_entry read_node(const struct node *node)
{
	struct tlb_entry entry;

	memcpy(&entry, node->word, sizeof(entry));
	return entry;
}

static struct key key_of_entry(const struct tlb_entry *entry)
{
	return key_of(entry->domain, entry->space, entry->kind, entry->addr, entry->shift);
}

/* The link that leads to the node with @key: in the hash, or in the node before it; or to 0 */
static uint32_t *find_link(const struct tlb *tlb, const struct key *key)
{
	uint32_t *link = chain_of(tlb, key);

	while (*link && !has_key(&tlb->nodes[*link], key))
		link = &tlb->nodes[*link].next;
	return link;
}

/* The node keeps its way on for those who are at it now, until it is used again. */
static void remove_at(struct tlb *tlb, uint32_t *link, const struct key *key)
{
	uint32_t at = *link;
	struct node *node = &tlb->nodes[at];

	store32(link, node->next);
	erase_node(node);
	count_sizes(tlb, key, -1);
	tlb_groups_del(&tlb->groups, &tlb->nodes->link, sizeof(*node), at);
	store32(&node->next, tlb->free);
	tlb->free = at;
}

static void remove_node(struct tlb *tlb, uint32_t at)
{
	struct tlb_entry entry = read_node(&tlb->nodes[at]);
	struct key key = key_of_entry(&entry);

	remove_at(tlb, find_link(tlb, &key), &key);
}

static uint32_t new_node(struct tlb *tlb)
{
	uint32_t at;

	if (!tlb->free && tlb->fresh == tlb->capacity)
		remove_node(tlb, 1 + prng_below(&tlb->prng, tlb->capacity));
	at = tlb->free;
	if (!at)
		return ++tlb->fresh;
	tlb->free = tlb->nodes[at].next;
	return at;
}

static void add(struct tlb *tlb, const struct tlb_entry *entry, const struct key *key)
{
	uint32_t at = new_node(tlb), *chain = chain_of(tlb, key);
	struct node *node = &tlb->nodes[at];

	write_node(node, entry);
	tlb_groups_add(&tlb->groups, &tlb->nodes->link, sizeof(*node), at, entry->domain,
		       entry->space, entry->kind, entry->shift);
	count_sizes(tlb, key, 1);
	store32(&node->next, *chain);
	store32(chain, at);
}

bool tlb_insert(struct tlb *tlb, const struct tlb_entry *entry, uint64_t generation)
{
	struct key key = key_of_entry(entry);
	bool current;

	lock(tlb);
	current = tlb->generation == generation;
	if (current) {
		uint32_t at = *find_link(tlb, &key);

		if (at)
			write_node(&tlb->nodes[at], entry);
		else
			add(tlb, entry, &key);
	}
	unlock(tlb);
	return current;
}

/* ---- Removal ---- */

static bool kept(const struct tlb_match *match, const struct tlb_entry *entry)
{
	return match->keep && match->keep(entry, match->arg);
}

static size_t probe(struct tlb *tlb, const struct tlb_match *match, const struct key *key)
{
	uint32_t *link = find_link(tlb, key);

	if (!*link)
		return 0;
	if (match->keep) {
		struct tlb_entry entry = read_node(&tlb->nodes[*link]);

		if (kept(match, &entry))
			return 0;
	}
	remove_at(tlb, link, key);
	return 1;
}

/* How many entries of these sizes the range may have: what it takes to try them all */
static uint64_t probes(const struct tlb_match *match, uint64_t shifts)
{
	uint64_t count = 0;

	for (; shifts; shifts &= shifts - 1) {
		unsigned int shift = __builtin_ctzll(shifts);

		count += (match->last >> shift) - (match->first >> shift) + 1;
	}
	return count;
}

static size_t probe_all(struct tlb *tlb, const struct tlb_match *match, uint32_t domain,
			uint32_t space, uint8_t kind, uint64_t shifts)
{
	size_t removed = 0;

	for (; shifts; shifts &= shifts - 1) {
		unsigned int shift = __builtin_ctzll(shifts);
		uint64_t page = match->first >> shift, last = match->last >> shift;

		for (;; page++) {
			struct key key = key_of(domain, space, kind, page << shift, shift);

			removed += probe(tlb, match, &key);
			if (page == last)
				break;
		}
	}
	return removed;
}

static bool overlaps(const struct tlb_entry *entry, const struct tlb_match *match)
{
	uint64_t last = entry->addr | ((1ULL << entry->shift) - 1);

	return !(match->by & TLB_BY_ADDR) || (entry->addr <= match->last && last >= match->first);
}

/* All of a group, or those of the range: by trying each, or by looking at all, what is less. */
static size_t remove_group(struct tlb *tlb, const struct tlb_match *match, uint32_t at)
{
	const struct tlb_group *group = &tlb->groups.group[at];
	size_t removed = 0;

	if (match->kinds && !(match->kinds >> group->kind & 1))
		return 0;
	if (match->by & TLB_BY_ADDR && probes(match, group->shifts) < group->count)
		return probe_all(tlb, match, tlb->groups.domain[group->domain].id, group->space,
				 group->kind, group->shifts);
	for (uint32_t node = group->first, next; node; node = next) {
		struct tlb_entry entry = read_node(&tlb->nodes[node]);

		next = tlb->nodes[node].link.next;
		if (!overlaps(&entry, match) || kept(match, &entry))
			continue;
		remove_node(tlb, node);
		removed++;
	}
	return removed;
}

static bool space_matches(const struct tlb_match *match, uint32_t space)
{
	return !(match->by & TLB_BY_SPACE) || space == match->space ||
	       (match->by & TLB_AND_GLOBAL && space == TLB_ANY_SPACE);
}

static size_t remove_domain(struct tlb *tlb, const struct tlb_match *match, uint32_t at)
{
	size_t removed = 0;

	for (uint32_t group = at ? tlb->groups.domain[at].first : 0, next; group; group = next) {
		next = tlb->groups.group[group].next;
		if (space_matches(match, tlb->groups.group[group].space))
			removed += remove_group(tlb, match, group);
	}
	return removed;
}

/* One space, by its groups; a small range needs not even those. */
static size_t remove_space(struct tlb *tlb, const struct tlb_match *match, uint32_t space)
{
	uint32_t kinds = match->kinds ? match->kinds & tlb->kinds : tlb->kinds;
	unsigned int global = space == TLB_ANY_SPACE;
	size_t removed = 0;

	for (; kinds; kinds &= kinds - 1) {
		unsigned int kind = __builtin_ctz(kinds);
		uint64_t shifts = tlb->sizes[kind].mask[global];
		uint32_t group;

		if (match->by & TLB_BY_ADDR && probes(match, shifts) <= FEW_PROBES) {
			removed += probe_all(tlb, match, match->domain, space, kind, shifts);
			continue;
		}
		group = tlb_groups_find(&tlb->groups, match->domain, space, kind);
		if (group)
			removed += remove_group(tlb, match, group);
	}
	return removed;
}

static size_t remove_all(struct tlb *tlb, const struct tlb_match *match)
{
	size_t removed = 0;

	for (uint32_t at = tlb->groups.first_domain, next; at; at = next) {
		next = tlb->groups.domain[at].next;
		removed += remove_domain(tlb, match, at);
	}
	return removed;
}

static size_t remove_matching(struct tlb *tlb, const struct tlb_match *match)
{
	size_t removed;

	if (match->by & TLB_BY_ADDR && match->first > match->last)
		return 0;
	if (!(match->by & TLB_BY_DOMAIN))
		return remove_all(tlb, match);
	if (!(match->by & TLB_BY_SPACE))
		return remove_domain(tlb, match, tlb_groups_domain(&tlb->groups, match->domain));
	removed = remove_space(tlb, match, match->space);
	if (match->by & TLB_AND_GLOBAL && match->space != TLB_ANY_SPACE)
		removed += remove_space(tlb, match, TLB_ANY_SPACE);
	return removed;
}

/*
 * The generation changes after the entries are gone: what a walker derives from an entry that it
 * found before must not be inserted after.
 */
size_t tlb_remove(struct tlb *tlb, const struct tlb_match *match)
{
	size_t removed;

	lock(tlb);
	removed = remove_matching(tlb, match);
	store64(&tlb->generation, tlb->generation + 1);
	unlock(tlb);
	return removed;
}

void tlb_each(struct tlb *tlb, void (*fn)(const struct tlb_entry *entry, void *arg), void *arg)
{
	lock(tlb);
	for (uint32_t at = 1; at <= tlb->fresh; at++) {
		struct tlb_entry entry = read_node(&tlb->nodes[at]);

		if (entry.kind != NO_KIND)
			fn(&entry, arg);
	}
	unlock(tlb);
}
