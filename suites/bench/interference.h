/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA and invalidations at the same time: what DMA loses, and how long an invalidation takes under
 * DMA. One engine reads without a pause on a thread of its own, each page checked; the test's
 * thread invalidates pages at a given rate. Included by bench.h.
 */
#ifndef NIT_SUITES_BENCH_INTERFERENCE_H
#define NIT_SUITES_BENCH_INTERFERENCE_H

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define WINDOW_NS 10000000	/* of one load */
#define WINDOWS 4
#define LATENCIES 100		/* of a window that are kept */
#define SLEEP_NS 200000		/* to a time that is less away than this one cannot sleep */
#define YIELD 64		/* who loses the CPU in the middle of a DMA has everybody wait */

/** struct dma_thread - an engine of device 0; @wrong: DMAs that reached no page, or another one */
struct dma_thread {
	struct bench *bench;
	_Atomic bool stop;
	_Atomic uint64_t dmas;
	_Atomic uint64_t wrong;
};

/** struct load - @rate: invalidations a second; 0: none, UINT_MAX: one after the other */
struct load {
	const char *name;
	unsigned int rate;
};

static const struct load loads[] = {
	{ "idle", 0 }, { "at_1000", 1000 }, { "at_4000", 4000 }, { "at_16000", 16000 },
	{ "storm", UINT_MAX },
};

#define LOADS (sizeof(loads) / sizeof(loads[0]))

/** struct window - what one window of a load saw; rates are per second */
struct window {
	double dmas;
	double invalidations;
	unsigned int count;
	double latency[LATENCIES];
};

static void *dma_main(void *arg)
{
	struct dma_thread *thread = arg;
	struct bench *bench = thread->bench;

	for (uint64_t n = 0; !atomic_load_explicit(&thread->stop, memory_order_relaxed); n++) {
		unsigned int page = n % WARM_PAGES;

		if (vm_read(&bench->vm.devices[0], &bench->spaces[0], IOVA + page * PAGE) !=
		    bench->page[page])
			atomic_fetch_add(&thread->wrong, 1);
		atomic_store_explicit(&thread->dmas, n + 1, memory_order_relaxed);
		if (n % YIELD == 0)
			sched_yield();
	}
	return NULL;
}

/* The pace of a load; nothing is waited for. The engine may have to share this CPU. */
static void pace(uint64_t until)
{
	struct timespec at = { .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };

	if (until > figure_now() + SLEEP_NS)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	while (figure_now() < until)
		sched_yield();
}

static int invalidate_for(struct bench *bench, unsigned int rate, uint64_t until,
			  struct window *window)
{
	uint64_t period = 1000000000 / rate, began, next = figure_now();
	unsigned int done = 0;
	int rc = 0;

	for (; next < until && figure_now() < until && !rc; next += period) {
		pace(next);
		began = figure_now();
		rc = vm_invalidate(&bench->spaces[0], IOVA + done % WARM_PAGES * PAGE, PAGE,
				   VM_LEAF_ONLY);
		if (done < LATENCIES)
			window->latency[window->count++] = figure_now() - began;
		done++;
	}
	pace(until);
	window->invalidations = done;
	return rc;
}

static int run_window(struct dma_thread *thread, const struct load *load, struct window *window)
{
	uint64_t began = figure_now(), dmas = atomic_load(&thread->dmas);
	double seconds;
	int rc = 0;

	*window = (struct window){};
	if (load->rate)
		rc = invalidate_for(thread->bench, load->rate, began + WINDOW_NS, window);
	else
		pace(began + WINDOW_NS);
	seconds = (figure_now() - began) / 1e9;
	window->dmas = (atomic_load(&thread->dmas) - dmas) / seconds;
	window->invalidations /= seconds;
	return rc;
}

static void print_window(const struct load *load, const struct window *window)
{
	char name[40];

	snprintf(name, sizeof(name), "dma_%s", load->name);
	figure_time(name, window->dmas, "DMA/s");
	if (!load->rate)
		return;
	snprintf(name, sizeof(name), "rate_%s", load->name);
	figure_time(name, window->invalidations, "1/s");
	snprintf(name, sizeof(name), "latency_%s", load->name);
	figure_times(name, window->latency, window->count, "ns");
}

/* Loads in turn, so that what disturbs the machine disturbs all of them */
static int run_loads(struct dma_thread *thread)
{
	struct window window;
	double idle = 0;
	int rc = 0;

	for (unsigned int i = 0; i < WINDOWS * LOADS && !rc; i++) {
		const struct load *load = &loads[i % LOADS];

		rc = run_window(thread, load, &window);
		print_window(load, &window);
		if (!load->rate)
			idle = window.dmas;
		else if (load->rate == UINT_MAX && window.invalidations > 0)
			figure_time("lost_per_1000",
				    1000 * (idle - window.dmas) / window.invalidations, "DMAs");
	}
	return rc;
}

TEST_F(bench, interference)
{
	struct dma_thread thread = { .bench = &self->bench };
	pthread_t id;
	int rc;

	if (target_lacks(&self->bench.target, TARGET_REFERENCE))
		SKIP(return, "interference is measured in one process only");
	ASSERT_TRUE(warm_up(&self->bench, WARM_PAGES));
	ASSERT_EQ(0, pthread_create(&id, NULL, dma_main, &thread));
	rc = run_loads(&thread);
	atomic_store(&thread.stop, true);
	pthread_join(id, NULL);
	EXPECT_EQ(0, rc);
	EXPECT_EQ(0, thread.wrong);
	EXPECT_LT(0, thread.dmas);
}

#endif
