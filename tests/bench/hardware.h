/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What reference hardware costs, driven by registers, tables, queue and sync: nanoseconds of
 * processor time, the least of many short rounds (others may use the machine meanwhile: a round
 * that nobody disturbed is what counts). Nested, 4-level on 4-level, 4 KiB pages in both stages,
 * the trace of translations off (hw_trace_dma()).
 *
 *	hit		a translation that is cached, configuration look-up included
 *	walk		one that is not, without walk caches
 *	walk-cached	the same with walk caches
 *	page		invalidation of one page that is cached: its share of BATCH and a sync,
 *			encoding and writing it included
 *	page+sync+walk	one of them, the sync, and the translation again, with walk caches
 *	tag		invalidation of a space of SPACE pages by its tag, and the sync
 *	two threads	hits of two threads, as times one thread's rate, by the wall clock
 *
 * How many entries the caches have is the first column; half of them are in use. What removes by
 * address or tag must not cost more in a larger cache: but memory does, beyond the CPU's caches.
 */
#ifndef NIT_TESTS_BENCH_HARDWARE_H
#define NIT_TESTS_BENCH_HARDWARE_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/prng.h"
#include "hw/machine.h"

enum { BATCH = 64, BATCHES = 16, SPACE = 16, ROUNDS = 300, HITS = 4096, WALKS = 512, ONES = 64 };

#define IOVA		0x4000000000ULL
#define IOVA_SPACE	0x5000000000ULL	/* of the other space */
#define DISTINCT	4096		/* pages that are mapped to, again and again */

/**
 * struct hardware - one vendor's, set up
 * @rid: of a device whose space has all pages; @other: of one whose space has SPACE pages
 * @put_page, @put_tag: one command into the queue: invalidate a page of the first space, or all of
 *	the other; @sync: doorbell and wait
 */
struct hardware {
	struct machine *machine;
	struct hw_iommu *iommu;
	uint16_t rid;
	uint16_t other;
	uint64_t pages;
	void *bench;
	void (*put_page)(void *bench, uint64_t iova);
	void (*put_tag)(void *bench);
	void (*put_all)(void *bench);
	void (*sync)(void *bench);
};

/** hardware_make() - The vendor's: caches of @entries, @pages at IOVA, SPACE at IOVA_SPACE */
static void hardware_make(struct hardware *hw, uint64_t entries, uint64_t pages);
static void hardware_free(struct hardware *hw);

static void bench_must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench: %s failed\n", what);
	exit(1);
}

static double bench_now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* ---- What is measured ---- */

static inline void one_translation(const struct hardware *hw, uint16_t rid, uint64_t iova)
{
	const struct hw_request request = {
		.type = HW_UNTRANSLATED, .rid = rid, .addr = iova, .access = HW_READ,
	};
	struct hw_translation translation;

	if (__builtin_expect(hw->iommu->ops->translate(hw->iommu, &request, &translation) != HW_OK,
			     0))
		bench_must(false, "translate");
}

static inline uint64_t page_at(uint64_t n)
{
	return IOVA + n * 4096;
}

/* Pages from @first on, as many as there are or as @count says */
static void fill(const struct hardware *hw, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		one_translation(hw, hw->rid, page_at((first + i) & (hw->pages - 1)));
}

/* Random pages: no prefetcher of the CPU helps. */
static void hits(const struct hardware *hw, uint64_t seed)
{
	struct prng prng;

	prng_init(&prng, 1, seed);
	for (unsigned int i = 0; i < HITS; i++)
		one_translation(hw, hw->rid, page_at(prng_next(&prng) & (hw->pages - 1)));
}

static double hit(const struct hardware *hw, unsigned int round)
{
	double start = bench_now(CLOCK_THREAD_CPUTIME_ID);

	hits(hw, round);
	return (bench_now(CLOCK_THREAD_CPUTIME_ID) - start) / HITS;
}

/* Pages that a domain-wide invalidation has just removed, with the walk caches it also empties */
static double walk(const struct hardware *hw, unsigned int round)
{
	uint64_t count = hw->pages < WALKS ? hw->pages : WALKS;
	double start;

	hw->put_all(hw->bench);
	hw->sync(hw->bench);
	one_translation(hw, hw->rid, page_at(hw->pages - 1));
	start = bench_now(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t i = 0; i < count - 1; i++)
		one_translation(hw, hw->rid, page_at(i));
	return (bench_now(CLOCK_THREAD_CPUTIME_ID) - start) / (count - 1);
}

static double page(const struct hardware *hw, unsigned int round)
{
	uint64_t batches = hw->pages / BATCH < BATCHES ? hw->pages / BATCH : BATCHES;
	uint64_t first = round * BATCHES * BATCH;
	double start;

	fill(hw, first, batches * BATCH);
	start = bench_now(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t batch = 0; batch < batches; batch++) {
		for (uint64_t i = 0; i < BATCH; i++)
			hw->put_page(hw->bench,
				     page_at((first + batch * BATCH + i) & (hw->pages - 1)));
		hw->sync(hw->bench);
	}
	start = bench_now(CLOCK_THREAD_CPUTIME_ID) - start;
	fill(hw, first, batches * BATCH);
	return start / (batches * BATCH);
}

static double page_sync_walk(const struct hardware *hw, unsigned int round)
{
	double start;

	fill(hw, round * ONES, ONES);
	start = bench_now(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t i = 0; i < ONES; i++) {
		uint64_t iova = page_at((round * ONES + i) & (hw->pages - 1));

		hw->put_page(hw->bench, iova);
		hw->sync(hw->bench);
		one_translation(hw, hw->rid, iova);
	}
	return (bench_now(CLOCK_THREAD_CPUTIME_ID) - start) / ONES;
}

static double tag(const struct hardware *hw, unsigned int round)
{
	double start;

	for (uint64_t i = 0; i < SPACE; i++)
		one_translation(hw, hw->other, IOVA_SPACE + i * 4096);
	start = bench_now(CLOCK_THREAD_CPUTIME_ID);
	hw->put_tag(hw->bench);
	hw->sync(hw->bench);
	return bench_now(CLOCK_THREAD_CPUTIME_ID) - start;
}

static double least(const struct hardware *hw,
		    double (*measure)(const struct hardware *hw, unsigned int round))
{
	double best = 1e18;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		double ns = measure(hw, round);

		best = ns < best ? ns : best;
	}
	return best;
}

/* ---- Two threads ---- */

struct pair {
	const struct hardware *hw;
	unsigned int here;	/* threads that have come to the start of @round */
	unsigned int round;
	unsigned int done;
};

enum { PAIR_ROUNDS = 1000 };

static void meet(unsigned int *count, unsigned int enough)
{
	__atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(count, __ATOMIC_SEQ_CST) < enough)
		sched_yield();
}

static void *second_thread(void *arg)
{
	struct pair *pair = arg;

	for (unsigned int round = 1; round <= PAIR_ROUNDS; round++) {
		meet(&pair->here, 2 * round);
		hits(pair->hw, 1000 + round);
		meet(&pair->done, 2 * round);
	}
	return NULL;
}

/*
 * One thread and two in turn, the best round of each: in which nobody else used their CPUs. A rate
 * of more than twice says that there was no such round for one of them.
 */
static double scaling(const struct hardware *hw)
{
	struct pair pair = { hw };
	double one = 1e18, two = 1e18, start;
	pthread_t thread;

	bench_must(!pthread_create(&thread, NULL, second_thread, &pair), "pthread_create");
	for (unsigned int round = 1; round <= PAIR_ROUNDS; round++) {
		start = bench_now(CLOCK_MONOTONIC);
		hits(hw, round);
		start = bench_now(CLOCK_MONOTONIC) - start;
		one = start < one ? start : one;
		meet(&pair.here, 2 * round);
		start = bench_now(CLOCK_MONOTONIC);
		hits(hw, round);
		meet(&pair.done, 2 * round);
		start = bench_now(CLOCK_MONOTONIC) - start;
		two = start < two ? start : two;
	}
	pthread_join(thread, NULL);
	return 2 * one / two;
}

/* ---- The table ---- */

/** struct wanted - what is wanted of a number; with caches of 4096 entries */
static const struct wanted {
	const char *name;
	double most;		/* 0: no target */
	double least;
} wanted[] = {
	{ "hit", 25 }, { "walk", 300 }, { "walk-cached", 0 }, { "page", 40 },
	{ "page+sync+walk", 350 }, { "tag", 0 }, { "two threads", 0, 1.7 },
};

#define MOST_SCALING 2.2		/* of two threads */

enum { NUMBERS = sizeof(wanted) / sizeof(wanted[0]) };

static void measure(uint64_t entries, double numbers[NUMBERS])
{
	struct hardware hw;

	hardware_make(&hw, entries, entries / 2);
	hw_trace_dma(hw.machine->trace, false);
	hw.iommu->freedom.no_walk_cache = true;
	numbers[1] = least(&hw, walk);
	hw.iommu->freedom.no_walk_cache = false;
	numbers[2] = least(&hw, walk);
	fill(&hw, 0, hw.pages);
	numbers[0] = least(&hw, hit);
	numbers[6] = scaling(&hw);
	numbers[3] = least(&hw, page);
	numbers[4] = least(&hw, page_sync_walk);
	numbers[5] = least(&hw, tag);
	hardware_free(&hw);
}

static const char *verdict(const struct wanted *wanted, double number)
{
	if (wanted->most)
		return number <= wanted->most ? "met" : "MISSED";
	if (number > MOST_SCALING)
		return "others use the CPUs, no verdict";
	return number >= wanted->least ? "met" : "MISSED";
}

static void verdicts(const double numbers[NUMBERS])
{
	for (unsigned int i = 0; i < NUMBERS; i++)
		if (wanted[i].most || wanted[i].least)
			printf("  %-14s %8.2f, wanted %s %g: %s\n", wanted[i].name, numbers[i],
			       wanted[i].most ? "at most" : "at least",
			       wanted[i].most ?: wanted[i].least, verdict(&wanted[i], numbers[i]));
}

/* With an argument: that many entries, and nothing else */
int main(int argc, char **argv)
{
	static const uint64_t sizes[] = { 256, 4096, 65536, 1 << 20 };
	double numbers[NUMBERS];

	(void)test_harness_run;		/* comes with the suites' benches */

	printf("%8s", "entries");
	for (unsigned int i = 0; i < NUMBERS; i++)
		printf(" %14s", wanted[i].name);
	printf("\n");
	for (unsigned int size = 0; size < 4; size++) {
		if (argc == 2 && sizes[size] != strtoull(argv[1], NULL, 0))
			continue;
		measure(sizes[size], numbers);
		printf("%8lu", (unsigned long)sizes[size]);
		for (unsigned int i = 0; i < NUMBERS; i++)
			printf(" %14.2f", numbers[i]);
		printf("\n");
		if (sizes[size] == 4096)
			verdicts(numbers);
		fflush(stdout);
	}
	return 0;
}

#endif
