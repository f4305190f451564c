/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA engines on threads against one thread that changes everything: the window between a change
 * and its invalidation is open for real, and the oracle says which DMA came too late.
 */
#ifndef NIT_ORACLE_STRESS_H
#define NIT_ORACLE_STRESS_H

#include "world.h"

#define STRESS_ENGINES 4

/**
 * struct stress - one run
 * @engines: DMA threads, 1..STRESS_ENGINES; @mutations: what the mutator does before it ends,
 *	and more as long as no engine saw an old translation: the positive control
 * @seed: of all choices; how the threads interleave is the machine's
 * @dmas, @stale, @operations: what happened
 * @failed: a DMA or an operation did what it must not: @what
 */
struct stress {
	unsigned int engines;
	unsigned long mutations;
	uint64_t seed;
	unsigned long dmas;
	unsigned long stale;
	unsigned long operations;
	bool failed;
	char what[256];
};

/** stress_run() - In @world, which is open; 0 or -errno */
int stress_run(struct world *world, struct stress *stress);

#endif
