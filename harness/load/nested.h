/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nested invalidations at a pace, on a thread of their own: a guest that remaps a page over and
 * over, checks by DMA that the device follows, and says how long each invalidation took.
 */
#ifndef NIT_LOAD_NESTED_H
#define NIT_LOAD_NESTED_H

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/vm.h"

#define NESTED_SAMPLES 65536

/** enum nested_pace - no rounds, one a millisecond, or one after the other */
enum nested_pace { NESTED_IDLE, NESTED_STEADY, NESTED_STORM };

/**
 * struct nested
 * @device, @space: attached; nothing else uses them while it runs
 * @batch: invalidations of a round; the last is of the page that a DMA then uses
 * @running: its thread is there
 * @rounds, @invalidations: completed
 * @stale: rounds whose DMA before the invalidation still saw the old page: the caches are real
 * @violations: rounds whose DMA after it did not see the new one; @what: of the first
 * @error: of a call that failed, -errno; ends it
 * @latency: ns, of the first NESTED_SAMPLES invalidations
 */
struct nested {
	struct vm_device *device;
	struct vm_space *space;
	enum nested_pace pace;
	unsigned int batch;
	uint64_t iova;
	uint64_t page[2];
	atomic_bool stop;
	pthread_t thread;
	bool running;
	_Atomic uint64_t rounds;
	uint64_t invalidations;
	uint64_t stale;
	uint64_t violations;
	char what[128];
	int error;
	double seconds;
	uint32_t latency[NESTED_SAMPLES];
};

/** nested_start() - Return: 0 or -errno */
int nested_start(struct nested *nested);

/** nested_stop() - Ends it, if it runs, and waits for it; @nested->latency is sorted then */
void nested_stop(struct nested *nested);

/** nested_percentile() - In ns; @of: 0 to 1 */
uint32_t nested_percentile(const struct nested *nested, double of);

#endif
