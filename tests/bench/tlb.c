// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the translation cache costs, by the number of entries in it: ns of processor time per
 * operation. For reading, not for judging: build with -O2.
 *
 *	hit		lookup that finds, addresses at random
 *	miss		lookup that does not
 *	insert		into a cache with room
 *	evict		into a full cache
 *	page		removal of one page by domain, space and address, which is there
 *	space		removal of a space of 16 pages, per removal
 *	domain		removal of a domain of 16 pages, per removal
 *	range		removal of a range of 1 MiB with 16 pages, per removal
 *	hit x2		lookups of two threads, as times one thread's rate
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/prng.h"
#include "hw/tlb.h"

enum { OPERATIONS = 1 << 20, SPACE_PAGES = 16 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Entry number i: 16 pages to a space; a domain has one space. */
static struct tlb_entry entry_of(uint64_t i)
{
	uint32_t space = i / SPACE_PAGES;

	return (struct tlb_entry){
		.domain = 1 + space, .space = space, .addr = (i % SPACE_PAGES) << 12, .shift = 12,
		.perm = 3, .out = i << 12,
	};
}

static void fill(struct tlb *tlb, uint64_t entries)
{
	for (uint64_t i = 0; i < entries; i++) {
		struct tlb_entry entry = entry_of(i);

		tlb_insert(tlb, &entry, tlb_generation(tlb));
	}
}

struct looker {
	struct tlb *tlb;
	uint64_t entries;
	uint64_t offset;
	uint64_t found;
	double ns;
};

static void *look(void *arg)
{
	struct looker *looker = arg;
	struct tlb_entry found;
	struct prng prng;
	double start = now();

	prng_init(&prng, 1, looker->offset);
	for (unsigned int i = 0; i < OPERATIONS; i++) {
		uint64_t n = prng_next(&prng) & (looker->entries - 1);

		n += looker->offset;
		looker->found += tlb_lookup(looker->tlb, 1 + n / SPACE_PAGES, n / SPACE_PAGES, 0,
					    (n % SPACE_PAGES) << 12, &found);
	}
	looker->ns = (now() - start) / OPERATIONS;
	return NULL;
}

static double lookups(struct tlb *tlb, uint64_t entries, uint64_t offset)
{
	struct looker looker = { tlb, entries, offset };

	look(&looker);
	if (looker.found != (offset ? 0 : OPERATIONS))
		abort();
	return looker.ns;
}

static double two_threads(struct tlb *tlb, uint64_t entries, double one)
{
	struct looker lookers[2] = { { tlb, entries }, { tlb, entries } };
	pthread_t threads[2];

	for (unsigned int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, look, &lookers[i]))
			abort();
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return one / lookers[0].ns + one / lookers[1].ns;
}

static double inserts(struct tlb *tlb, uint64_t entries, uint64_t first)
{
	uint64_t count = entries < OPERATIONS ? entries : OPERATIONS;
	double start = now();

	for (uint64_t i = 0; i < count; i++) {
		struct tlb_entry entry = entry_of(first + i);

		tlb_insert(tlb, &entry, tlb_generation(tlb));
	}
	return (now() - start) / count;
}

/* Every removal removes @pages; all entries go, in a scattered order. */
static double removals(struct tlb *tlb, uint64_t entries, unsigned int pages,
		       struct tlb_match match)
{
	uint64_t count = entries / pages;
	double start;

	tlb_remove(tlb, &(struct tlb_match){});
	fill(tlb, entries);
	start = now();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t n = (i * 0x9e3779b1 & (count - 1)) * pages;
		struct tlb_entry entry = entry_of(n);

		match.domain = entry.domain;
		match.space = entry.space;
		if (pages == 1) {
			match.first = entry.addr;
			match.last = entry.addr | 4095;
		}
		if (tlb_remove(tlb, &match) != pages)
			abort();
	}
	return (now() - start) / count;
}

static void bench(uint64_t entries)
{
	struct tlb *tlb = tlb_create(entries, 1);
	double insert, hit, two;

	if (!tlb)
		abort();
	insert = inserts(tlb, entries, 0);
	hit = lookups(tlb, entries, 0);
	two = two_threads(tlb, entries, hit);
	printf("%8lu %7.1f %7.1f %7.1f ", (unsigned long)entries, hit,
	       lookups(tlb, entries, entries), insert);
	printf("%7.1f ", inserts(tlb, entries, entries));
	printf("%7.1f ", removals(tlb, entries, 1, (struct tlb_match){
		.by = TLB_BY_DOMAIN | TLB_BY_SPACE | TLB_BY_ADDR,
	}));
	printf("%7.1f ", removals(tlb, entries, SPACE_PAGES, (struct tlb_match){
		.by = TLB_BY_DOMAIN | TLB_BY_SPACE,
	}));
	printf("%7.1f ", removals(tlb, entries, SPACE_PAGES, (struct tlb_match){
		.by = TLB_BY_DOMAIN,
	}));
	printf("%7.1f ", removals(tlb, entries, SPACE_PAGES, (struct tlb_match){
		.by = TLB_BY_DOMAIN | TLB_BY_SPACE | TLB_BY_ADDR, .last = (1 << 20) - 1,
	}));
	printf("%7.2f\n", two);
	tlb_destroy(tlb);
}

int main(void)
{
	printf("%8s %7s %7s %7s %7s %7s %7s %7s %7s %7s\n", "entries", "hit", "miss", "insert",
	       "evict", "page", "space", "domain", "range", "hit x2");
	for (uint64_t entries = 256; entries <= 1 << 20; entries *= 16)
		bench(entries);
	return 0;
}
