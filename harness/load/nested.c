// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/figure.h"
#include "nested.h"

#define RW (PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER)
#define STEADY_NS 1000000	/* from the start of a round to the next */

static int invalidate(struct nested *nested)
{
	uint64_t began = figure_now(), took;
	int rc = vm_invalidate(nested->space, nested->iova, VM_PAGE, VM_LEAF_ONLY);

	took = figure_now() - began;
	if (nested->invalidations < NESTED_SAMPLES)
		nested->latency[nested->invalidations] = took > UINT32_MAX ? UINT32_MAX : took;
	nested->invalidations++;
	return rc;
}

/* Break before make (Arm DDI 0487, D8.17.1): the page goes, is forgotten, and another one comes. */
static int one_round(struct nested *nested)
{
	uint64_t old = nested->page[nested->rounds % 2];
	uint64_t new = nested->page[(nested->rounds + 1) % 2];
	uint64_t seen;
	int rc = 0;

	vm_unmap(nested->space, nested->iova, VM_PAGE);
	nested->stale += vm_read(nested->device, nested->space, nested->iova) == old;
	for (unsigned int i = 0; i < nested->batch && !rc; i++)
		rc = invalidate(nested);
	rc = rc ?: vm_map(nested->space, nested->iova, new, VM_PAGE, RW);
	if (rc)
		return rc;
	seen = vm_read(nested->device, nested->space, nested->iova);
	if (seen != new) {
		if (!nested->violations++)
			snprintf(nested->what, sizeof(nested->what),
				 "round %llu: expected page %#llx, observed %#llx (old page %#llx)",
				 (unsigned long long)nested->rounds, (unsigned long long)new,
				 (unsigned long long)seen, (unsigned long long)old);
	}
	nested->rounds++;
	return 0;
}

static void *rounds(void *arg)
{
	struct nested *nested = arg;
	uint64_t began = figure_now();
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!atomic_load(&nested->stop) && !nested->error) {
		nested->error = one_round(nested);
		if (nested->pace != NESTED_STEADY)
			continue;
		next.tv_nsec += STEADY_NS;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	nested->seconds = (figure_now() - began) / 1e9;
	return NULL;
}

int nested_start(struct nested *nested)
{
	int rc = vm_map(nested->space, nested->iova, nested->page[0], VM_PAGE, RW);

	if (rc || nested->pace == NESTED_IDLE)
		return rc;
	rc = -pthread_create(&nested->thread, NULL, rounds, nested);
	nested->running = !rc;
	return rc;
}

static int shorter(const void *a, const void *b)
{
	const uint32_t *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

static uint64_t samples(const struct nested *nested)
{
	return nested->invalidations < NESTED_SAMPLES ? nested->invalidations : NESTED_SAMPLES;
}

void nested_stop(struct nested *nested)
{
	if (!nested->running)
		return;
	atomic_store(&nested->stop, true);
	pthread_join(nested->thread, NULL);
	nested->running = false;
	qsort(nested->latency, samples(nested), sizeof(nested->latency[0]), shorter);
}

uint32_t nested_percentile(const struct nested *nested, double of)
{
	uint64_t count = samples(nested);

	return count ? nested->latency[(uint64_t)((count - 1) * of)] : 0;
}
