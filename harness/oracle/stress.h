/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA engines on threads against one thread that changes everything: the window between a change
 * and its invalidation is open for real, and the oracle says which DMA came too late.
 */
#ifndef NIT_ORACLE_STRESS_H
#define NIT_ORACLE_STRESS_H

#include "step.h"
#include "stress_engine.h"

#define STRESS_ENGINES 4
#define STRESS_WINDOW_S 10	/* in each of these an old translation must be seen */

/**
 * struct stress - one run, in @execution, which is open
 * @engine_count: DMA threads, 1..STRESS_ENGINES, dealt to the devices in turn
 * @mutations: steps of the mutator before it ends; 0: @seconds long. In either case it goes on as
 *	long as no engine saw an old translation, or page requests were not answered in each way,
 *	within bounds: the positive control
 * @patience_s: how long an engine or the mutator may take for one step (0: 60); @stuck: one did
 * @steps: of the mutator, as they go
 * @seed: of all choices; how the threads interleave is the machine's
 * @operations: the mutator's; @invalidations: commands of the guest among them
 * @dmas, @stale, @unknown: what the engines did; old translations that were allowed; DMAs that
 *	took so long that their history is forgotten
 * @leaving: those that reached what a call under way takes away. Where every change is a call that
 *	invalidates too (stage 2 alone), that is all of a control that there can be.
 * @unexpected: responses to page requests that nobody waited for
 * @violations: engines that saw what must not be
 * @windows, @blind: how many there were, and in how many of them nothing old was seen
 * @wall_s, @mutator_s: clock; processor time of the mutator. @dmas_per_s: by the processor time of
 *	each engine, as if each had a processor to itself. @oracle_share: of the engines' time
 * @failed: a DMA or an operation did what it must not: @what
 */
struct stress {
	struct execution *execution;
	unsigned int engine_count;
	unsigned long mutations;
	double seconds;
	double patience_s;
	uint64_t seed;
	unsigned long operations;
	unsigned long invalidations;
	unsigned long dmas;
	unsigned long stale;
	unsigned long leaving;
	unsigned long unknown;
	unsigned long unexpected;
	unsigned int violations;
	unsigned int windows;
	unsigned int blind;
	double wall_s;
	double mutator_s;
	double dmas_per_s;
	double oracle_share;
	bool failed;
	bool stuck;
	char what[256];
	struct stress_engine engines[STRESS_ENGINES];
	struct trail trail;
	_Atomic unsigned long steps;
	_Atomic bool stop;
};

/** stress_run() - 0 or -errno; engines and trails stay for whoever wants to look */
int stress_run(struct stress *stress);

/** stress_explain() - As notes of the test: the last @events of each actor, in order */
void stress_explain(const struct stress *stress, unsigned int events);

#endif
