// SPDX-License-Identifier: GPL-2.0-only
/* The translation cache against a plain list, and against threads. */
#include <pthread.h>

#include "core/test.h"
#include "hw/tlb.h"

enum { ROOM = 4096 };

static struct tlb_entry page_entry(uint32_t domain, uint32_t space, uint64_t addr, uint8_t shift,
				   uint8_t kind)
{
	return (struct tlb_entry){
		.domain = domain, .space = space, .addr = addr >> shift << shift, .shift = shift,
		.kind = kind, .perm = 3, .flags = 5, .tag = 7, .out = ~addr, .aux = addr + domain,
	};
}

static bool same(const struct tlb_entry *a, const struct tlb_entry *b)
{
	return !memcmp(a, b, sizeof(*a));
}

FIXTURE(tlb) {
	struct tlb *tlb;
};

FIXTURE_SETUP(tlb)
{
	self->tlb = tlb_create(ROOM, 1);
	ASSERT_NE(NULL, self->tlb);
}

FIXTURE_TEARDOWN(tlb)
{
	tlb_destroy(self->tlb);
}

static bool insert(struct tlb *tlb, struct tlb_entry entry)
{
	return tlb_insert(tlb, &entry, tlb_generation(tlb));
}

TEST_F(tlb, entry_is_found_by_all_its_tags)
{
	struct tlb_entry entry = page_entry(1, 2, 0x5000, 12, 3), found;

	EXPECT_FALSE(tlb_lookup(self->tlb, 1, 2, 3, 0x5000, &found));
	EXPECT_TRUE(insert(self->tlb, entry));
	ASSERT_TRUE(tlb_lookup(self->tlb, 1, 2, 3, 0x5fff, &found));
	EXPECT_TRUE(same(&entry, &found));
	EXPECT_FALSE(tlb_lookup(self->tlb, 0, 2, 3, 0x5000, &found));
	EXPECT_FALSE(tlb_lookup(self->tlb, 1, 1, 3, 0x5000, &found));
	EXPECT_FALSE(tlb_lookup(self->tlb, 1, TLB_ANY_SPACE, 3, 0x5000, &found));
	EXPECT_FALSE(tlb_lookup(self->tlb, 1, 2, 2, 0x5000, &found));
	EXPECT_FALSE(tlb_lookup(self->tlb, 1, 2, 3, 0x4fff, &found));
	EXPECT_FALSE(tlb_lookup(self->tlb, 1, 2, 3, 0x6000, &found));
	EXPECT_FALSE(tlb_lookup(self->tlb, 1, 2, 3, 0x5000 + (1ULL << 63), &found));
}

TEST_F(tlb, insert_replaces_its_like)
{
	struct tlb_entry entry = page_entry(1, 2, 0x5000, 12, 0), found;

	insert(self->tlb, entry);
	entry.out = 0x1234;
	insert(self->tlb, entry);
	EXPECT_EQ(1u, tlb_count(self->tlb));
	ASSERT_TRUE(tlb_lookup(self->tlb, 1, 2, 0, 0x5000, &found));
	EXPECT_EQ(0x1234u, found.out);
}

TEST_F(tlb, largest_size_is_found_first)
{
	struct tlb_entry found;

	insert(self->tlb, page_entry(1, 2, 0x200000, 12, 0));
	insert(self->tlb, page_entry(1, TLB_ANY_SPACE, 0x200000, 21, 0));
	insert(self->tlb, page_entry(1, 2, 0, 63, 1));
	ASSERT_TRUE(tlb_lookup(self->tlb, 1, 2, 0, 0x200000, &found));
	EXPECT_EQ(21u, found.shift);
	ASSERT_TRUE(tlb_lookup(self->tlb, 1, 2, 1, INT64_MAX, &found));
	EXPECT_EQ(63u, found.shift);
	EXPECT_FALSE(tlb_lookup(self->tlb, 1, 2, 1, UINT64_MAX, &found));
	EXPECT_EQ(1u, tlb_remove(self->tlb, &(struct tlb_match){
		.by = TLB_BY_ADDR, .first = 0x3ff000, .last = 0x3ff000, .kinds = 1,
	}));
	ASSERT_TRUE(tlb_lookup(self->tlb, 1, 2, 0, 0x200000, &found));
	EXPECT_EQ(12u, found.shift);
}

TEST_F(tlb, global_entry_serves_every_space_of_its_domain)
{
	struct tlb_entry found;
	struct tlb_match match = { .by = TLB_BY_DOMAIN | TLB_BY_SPACE, .domain = 1, .space = 9 };

	insert(self->tlb, page_entry(1, TLB_ANY_SPACE, 0x5000, 12, 0));
	EXPECT_TRUE(tlb_lookup(self->tlb, 1, 2, 0, 0x5000, &found));
	EXPECT_TRUE(tlb_lookup(self->tlb, 1, 9, 0, 0x5000, &found));
	EXPECT_TRUE(tlb_lookup(self->tlb, 1, TLB_ANY_SPACE, 0, 0x5000, &found));
	EXPECT_FALSE(tlb_lookup(self->tlb, 2, 9, 0, 0x5000, &found));
	EXPECT_EQ(0u, tlb_remove(self->tlb, &match));
	match.by |= TLB_AND_GLOBAL;
	EXPECT_EQ(1u, tlb_remove(self->tlb, &match));
	EXPECT_FALSE(tlb_lookup(self->tlb, 1, 9, 0, 0x5000, &found));
}

TEST_F(tlb, what_was_read_before_a_removal_is_not_cached_after)
{
	uint64_t generation = tlb_generation(self->tlb);
	struct tlb_entry entry = page_entry(1, 2, 0x5000, 12, 0);

	/* Even one that removes nothing: the entry might have been named. */
	EXPECT_EQ(0u, tlb_remove(self->tlb, &(struct tlb_match){ .by = TLB_BY_DOMAIN }));
	EXPECT_FALSE(tlb_insert(self->tlb, &entry, generation));
	EXPECT_EQ(0u, tlb_count(self->tlb));
	EXPECT_TRUE(tlb_insert(self->tlb, &entry, tlb_generation(self->tlb)));
}

TEST_F(tlb, holds_its_capacity_and_evicts_beyond)
{
	struct tlb_entry found;
	unsigned int hits = 0;

	for (uint64_t i = 0; i < ROOM; i++)
		insert(self->tlb, page_entry(1, 0, i << 12, 12, 0));
	EXPECT_EQ(ROOM, tlb_count(self->tlb));
	for (uint64_t i = 0; i < ROOM; i++)
		ASSERT_TRUE(tlb_lookup(self->tlb, 1, 0, 0, i << 12, &found));
	for (uint64_t i = ROOM; i < 2 * ROOM; i++) {
		insert(self->tlb, page_entry(2, i, i << 12, 12, 0));
		ASSERT_TRUE(tlb_lookup(self->tlb, 2, i, 0, i << 12, &found));
	}
	EXPECT_EQ(ROOM, tlb_count(self->tlb));
	for (uint64_t i = 0; i < ROOM; i++)
		hits += tlb_lookup(self->tlb, 1, 0, 0, i << 12, &found);
	EXPECT_GT(hits, ROOM / 4);
	EXPECT_LT(hits, ROOM / 2);
	EXPECT_EQ(hits, tlb_remove(self->tlb, &(struct tlb_match){
		.by = TLB_BY_DOMAIN, .domain = 1,
	}));
	EXPECT_EQ(ROOM - hits, tlb_remove(self->tlb, &(struct tlb_match){}));
	EXPECT_EQ(0u, tlb_count(self->tlb));
}

TEST(tlb_of_one_entry)
{
	struct tlb *tlb = tlb_create(1, 1);
	struct tlb_entry found;

	ASSERT_NE(NULL, tlb);
	insert(tlb, page_entry(1, 0, 0, 12, 0));
	insert(tlb, page_entry(2, 0, 0, 12, 0));
	EXPECT_FALSE(tlb_lookup(tlb, 1, 0, 0, 0, &found));
	EXPECT_TRUE(tlb_lookup(tlb, 2, 0, 0, 0, &found));
	EXPECT_EQ(1u, tlb_count(tlb));
	tlb_destroy(tlb);
	tlb_destroy(NULL);
}

/* ---- Against a list ---- */

struct list {
	unsigned int count;
	struct tlb_entry entry[1024];
};

static uint64_t last_of(const struct tlb_entry *entry)
{
	return entry->addr | ((1ULL << entry->shift) - 1);
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
	if (match->by & TLB_BY_ADDR && (entry->addr > match->last || last_of(entry) < match->first))
		return false;
	return !match->keep || !match->keep(entry, match->arg);
}

static void list_insert(struct list *list, const struct tlb_entry *entry)
{
	for (unsigned int i = 0; i < list->count; i++) {
		struct tlb_entry *e = &list->entry[i];

		if (e->domain == entry->domain && e->space == entry->space &&
		    e->kind == entry->kind && e->addr == entry->addr && e->shift == entry->shift) {
			*e = *entry;
			return;
		}
	}
	list->entry[list->count++] = *entry;
}

static size_t list_remove(struct list *list, const struct tlb_match *match)
{
	unsigned int kept = 0, before = list->count;

	for (unsigned int i = 0; i < before; i++)
		if (!matches(&list->entry[i], match))
			list->entry[kept++] = list->entry[i];
	list->count = kept;
	return before - kept;
}

static const struct tlb_entry *list_lookup(const struct list *list, uint32_t domain,
					   uint32_t space, uint8_t kind, uint64_t addr)
{
	const struct tlb_entry *best = NULL;

	for (const struct tlb_entry *e = list->entry; e < list->entry + list->count; e++)
		if (e->domain == domain && e->kind == kind && addr >= e->addr &&
		    addr <= last_of(e) && (e->space == space || e->space == TLB_ANY_SPACE) &&
		    (!best || e->shift > best->shift ||
		     (e->shift == best->shift && e->space == space)))
			best = e;
	return best;
}

static bool tagged(const struct tlb_entry *entry, const void *arg)
{
	return entry->tag == *(const uint32_t *)arg;
}

static uint32_t some_space(struct prng *prng)
{
	return prng_below(prng, 4) ? prng_below(prng, 3) : TLB_ANY_SPACE;
}

static uint64_t some_addr(struct prng *prng)
{
	static const uint64_t base[] = { 0, 1ULL << 30, -(1ULL << 25) };

	return base[prng_below(prng, 3)] + (prng_next(prng) & 0x1ffffff);
}

static struct tlb_entry some_entry(struct prng *prng)
{
	static const uint8_t shifts[] = { 12, 12, 12, 13, 16, 21, 24, 30, 63 };
	struct tlb_entry entry = page_entry(prng_below(prng, 3), some_space(prng),
					    some_addr(prng), shifts[prng_below(prng, 9)],
					    prng_below(prng, 3) * 15);

	entry.tag = prng_below(prng, 3);
	return entry;
}

static struct tlb_match some_match(struct prng *prng)
{
	static const uint32_t tag = 1;
	struct tlb_match match = {
		.by = prng_below(prng, 16), .domain = prng_below(prng, 3),
		.space = some_space(prng), .first = some_addr(prng),
		.kinds = prng_below(prng, 3) ? 0 : 1 << prng_below(prng, 31),
		.keep = prng_below(prng, 4) ? NULL : tagged, .arg = &tag,
	};

	match.last = match.first + (1ULL << prng_below(prng, 30)) - 1;
	if (!prng_below(prng, 20))
		match.first = 0;
	if (!prng_below(prng, 20) || match.last < match.first)
		match.last = UINT64_MAX;
	return match;
}

static void strike_off(const struct tlb_entry *entry, void *arg)
{
	struct list *list = arg;

	for (unsigned int i = 0; i < list->count; i++) {
		if (!same(&list->entry[i], entry))
			continue;
		list->entry[i] = list->entry[--list->count];
		return;
	}
	list->count = 100000;	/* not there, or twice */
}

TEST_F(tlb, does_as_a_list_does)
{
	static struct list list, copy;
	struct tlb_entry found;
	struct prng prng;

	prng_init(&prng, prng_seed(), 0);
	list.count = 0;
	for (unsigned int step = 0; step < 3000; step++) {
		for (unsigned int i = prng_below(&prng, 60); i-- && list.count < 1000; ) {
			struct tlb_entry entry = some_entry(&prng);

			list_insert(&list, &entry);
			ASSERT_TRUE(insert(self->tlb, entry));
		}
		for (unsigned int i = 0; i < 10; i++) {
			struct tlb_entry like = some_entry(&prng);
			const struct tlb_entry *expected =
				list_lookup(&list, like.domain, like.space, like.kind, like.addr);

			ASSERT_EQ(!!expected, tlb_lookup(self->tlb, like.domain, like.space,
							 like.kind, like.addr, &found));
			if (expected)
				ASSERT_TRUE(same(expected, &found));
		}
		if (prng_below(&prng, 3)) {
			struct tlb_match match = some_match(&prng);

			ASSERT_EQ(list_remove(&list, &match), tlb_remove(self->tlb, &match));
		}
		ASSERT_EQ(list.count, tlb_count(self->tlb));
	}
	copy = list;
	tlb_each(self->tlb, strike_off, &copy);
	EXPECT_EQ(0u, copy.count);
}

/* ---- Threads ---- */

/*
 * Walkers look up a page, or walk and insert what the "table" says; the mutator changes the table
 * and removes the entry. Whoever looks up after the removal sees the table as it is now or later.
 */
enum { PAGES = 64, SPACES = 4 };

struct shared {
	struct tlb *tlb;
	uint64_t table[PAGES];		/* counts up */
	uint64_t removed[PAGES];	/* table as of the last completed removal */
	bool stop;
	unsigned long stale;
	unsigned long torn;
	unsigned int walkers;
};

static void walk(struct shared *shared, struct prng *prng)
{
	uint64_t page = prng_below(prng, PAGES), space = prng_below(prng, SPACES);
	uint64_t oldest = __atomic_load_n(&shared->removed[page], __ATOMIC_SEQ_CST);
	uint64_t generation;
	struct tlb_entry entry;

	if (tlb_lookup(shared->tlb, 1, space, 0, page << 12, &entry)) {
		if (entry.out < oldest)
			__atomic_fetch_add(&shared->stale, 1, __ATOMIC_RELAXED);
		if (entry.aux != entry.out * 3 || entry.addr != page << 12)
			__atomic_fetch_add(&shared->torn, 1, __ATOMIC_RELAXED);
		return;
	}
	generation = tlb_generation(shared->tlb);
	entry = page_entry(1, space, page << 12, 12, 0);
	entry.out = __atomic_load_n(&shared->table[page], __ATOMIC_ACQUIRE);
	entry.aux = entry.out * 3;
	tlb_insert(shared->tlb, &entry, generation);
}

static void *walker(void *arg)
{
	struct shared *shared = arg;
	struct prng prng;

	prng_init(&prng, prng_seed(), __atomic_add_fetch(&shared->walkers, 1, __ATOMIC_RELAXED));
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED))
		walk(shared, &prng);
	return NULL;
}

static void change(struct shared *shared, struct prng *prng, unsigned int round)
{
	uint64_t page = prng_below(prng, PAGES);
	uint64_t value = __atomic_add_fetch(&shared->table[page], 1, __ATOMIC_RELEASE);
	struct tlb_match match = {
		.by = TLB_BY_DOMAIN, .domain = 1, .first = page << 12, .last = (page << 12) + 4095,
	};

	/* By each of the ways that removal goes */
	if (round % 4)
		match.by |= TLB_BY_ADDR;
	if (round % 4 == 3)
		match.by &= ~TLB_BY_DOMAIN;
	if (round % 4 == 2) {
		match.by |= TLB_BY_SPACE;
		for (match.space = 0; match.space < SPACES; match.space++)
			tlb_remove(shared->tlb, &match);
	} else {
		tlb_remove(shared->tlb, &match);
	}
	__atomic_store_n(&shared->removed[page], value, __ATOMIC_SEQ_CST);
}

/* Small, so that eviction takes part; large, so that it does not. */
TEST(removed_is_removed_for_every_thread)
{
	for (unsigned int capacity = 32; capacity <= 1024; capacity *= 32) {
		static struct shared shared;
		pthread_t threads[2];
		struct prng prng;

		memset(&shared, 0, sizeof(shared));
		shared.tlb = tlb_create(capacity, 1);
		prng_init(&prng, prng_seed(), 1);
		for (unsigned int i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, walker, &shared));
		for (unsigned int round = 0; round < 3000; round++)
			change(&shared, &prng, round);
		__atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
		for (unsigned int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		EXPECT_EQ(0u, shared.stale);
		EXPECT_EQ(0u, shared.torn);
		EXPECT_LE(tlb_count(shared.tlb), capacity);
		EXPECT_EQ(tlb_count(shared.tlb),
			  tlb_remove(shared.tlb, &(struct tlb_match){ .by = TLB_BY_DOMAIN,
								      .domain = 1 }));
		tlb_destroy(shared.tlb);
	}
}

/* An entry that is replaced while it is looked up is the old or the new one, or not there. */
static void *replacer(void *arg)
{
	struct shared *shared = arg;
	struct tlb_entry entry = page_entry(1, 0, 0, 12, 0);

	for (entry.out = 0; !__atomic_load_n(&shared->stop, __ATOMIC_RELAXED); entry.out++) {
		entry.aux = entry.out * 3;
		insert(shared->tlb, entry);
	}
	return NULL;
}

TEST(entry_is_never_torn)
{
	static struct shared shared;
	struct tlb_entry entry;
	uint64_t changes = 0, last = 0;
	pthread_t thread;

	shared.tlb = tlb_create(16, 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, replacer, &shared));
	/* Many if there is a processor for each thread, a few if they take turns */
	for (time_t end = time(NULL) + 3; changes < 30000 && time(NULL) < end; ) {
		for (unsigned int i = 0; i < 1000; i++) {
			if (!tlb_lookup(shared.tlb, 1, 0, 0, 0, &entry))
				continue;
			changes += entry.out != last;
			last = entry.out;
			shared.torn += entry.aux != entry.out * 3;
		}
	}
	__atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_GT(changes, 0u);
	EXPECT_EQ(0u, shared.torn);
	tlb_destroy(shared.tlb);
}

NIT_TEST_MAIN
