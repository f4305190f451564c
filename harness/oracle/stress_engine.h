/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A DMA engine of a stress run: a thread that does one DMA after the other and asks the oracle of
 * each. It takes no lock: a DMA that reached what the tables say is settled by three loads.
 */
#ifndef NIT_ORACLE_STRESS_ENGINE_H
#define NIT_ORACLE_STRESS_ENGINE_H

#include <pthread.h>

#include "core/prng.h"
#include "stress_request.h"
#include "trail.h"
#include "world.h"

/**
 * struct stress_engine - a DMA thread of device @number % @world->config->devices
 * @stop: of the run: end; also set by an engine that saw what must not be
 * @pause: not 0: wait, and say so in @paused
 * @ready: it has done its first DMA
 * @dmas, @stale, @leaving, @unknown: what it did, by verdict; written by the engine alone
 * @cpu_s: processor time of its thread, at the end
 * @dma_ns, @oracle_ns: of every SAMPLE-th DMA and its judgement, without what looking at the
 *	clock costs, @clock_ns
 * @requests: its page requests, where the world has them; @paged: DMAs that reached what was served
 * @failed: a DMA did what it must not: @what
 */
struct stress_engine {
	struct world *world;
	unsigned int number;
	_Atomic bool *stop;
	_Atomic unsigned int pause;
	_Atomic unsigned int paused;
	_Atomic bool ready;
	struct prng prng;
	pthread_t thread;
	uint64_t token;
	struct trail trail;
	_Atomic unsigned long dmas;
	_Atomic unsigned long stale;
	_Atomic unsigned long leaving;
	_Atomic unsigned long unknown;
	double cpu_s;
	uint64_t dma_ns;
	uint64_t oracle_ns;
	uint64_t clock_ns;
	struct stress_requests requests;
	_Atomic unsigned long paged;
	_Atomic bool failed;
	char what[256];
} __attribute__((aligned(128)));

/** stress_engine_start() - @engine has world, number and stop; 0 or -errno */
int stress_engine_start(struct stress_engine *engine, uint64_t seed);

/** stress_engine_pause() - Returns when it waits; _go_on(): let it */
void stress_engine_pause(struct stress_engine *engine);
void stress_engine_go_on(struct stress_engine *engine);

/** stress_engine_line() - An event of its trail, for struct trail_actor; @arg: the engine */
void stress_engine_line(const void *arg, const struct trail_event *event, char *line, size_t size);

#endif
