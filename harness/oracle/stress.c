// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/prng.h"
#include "stress.h"

#define FIRST_ENGINE 2	/* the first two are the VM's own */
#define INVALIDATE_EVERY 4
#define OPEN_EVERY 4		/* changes after which engines get time to use the old entries */
#define OPEN_DMAS 8
#define CONTROL_MORE 100	/* times the mutations, at most, until a stale hit was seen */

/** struct engine - a DMA thread of device @number % WORLD_DEVICES */
struct engine {
	struct world *world;
	unsigned int number;
	struct prng prng;
	pthread_t thread;
	_Atomic bool *stop;
	_Atomic unsigned int *ready;	/* engines that have done their first DMA */
	_Atomic unsigned long dmas;
	_Atomic unsigned long stale;
	_Atomic bool failed;
	char what[256];
};

/* The name in a stamp, as vm_read() has it */
static uint64_t read_once(struct engine *engine, unsigned int which, unsigned int slot)
{
	struct world *world = engine->world;
	unsigned int device = engine->number % WORLD_DEVICES;
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .address = world->config->ats ? DMA_ATS : DMA_PLAIN,
		.pasid = which == WORLD_RID ? DMA_NO_PASID : WORLD_PASID,
		.addr = world_iova(slot), .len = sizeof(data), .data = &data,
	};

	if (world->target.ops->dma(&world->target, device, FIRST_ENGINE + engine->number, &dma) !=
	    DMA_DONE)
		return VM_NOWHERE;
	return vm_name(data);
}

static void one_dma(struct engine *engine)
{
	struct world *world = engine->world;
	unsigned int device = engine->number % WORLD_DEVICES;
	unsigned int slot = prng_below(&engine->prng, WORLD_SLOTS);
	unsigned int which = world->config->pasid ? prng_below(&engine->prng, 2) : WORLD_RID;
	uint64_t begin = atomic_load(&world->clock);
	uint64_t seen = read_once(engine, which, slot);
	bool stale;

	engine->dmas++;
	if (!world_allowed(world, device, which, slot, false, begin, atomic_load(&world->clock),
			   seen, &stale)) {
		snprintf(engine->what, sizeof(engine->what),
			 "engine %u: read of device %u by %s at %#llx reached %#llx too late",
			 engine->number, device, which == WORLD_RID ? "RID" : "PASID",
			 (unsigned long long)world_iova(slot), (unsigned long long)seen);
		engine->failed = true;
	}
	engine->stale += stale;
}

static void *engine_main(void *arg)
{
	struct engine *engine = arg;

	one_dma(engine);
	atomic_fetch_add(engine->ready, 1);
	while (!atomic_load(engine->stop) && !engine->failed)
		one_dma(engine);
	return NULL;
}

/* One change and, now and then, the invalidation that it needs; a slot's history never overflows */
static int mutate(struct world *world, struct prng *prng, uint8_t *changes)
{
	unsigned int space = prng_below(prng, world->config->pasid ? WORLD_SPACES : 2);
	unsigned int slot = prng_below(prng, WORLD_SLOTS);
	unsigned int window = prng_below(prng, WORLD_WINDOWS);
	int rc;

	switch (prng_below(prng, 16)) {
	case 0:
		rc = world_s2_unmap(world, window);
		return rc ?: world_s2_map(world, window, prng_below(prng, WORLD_SPARES));
	case 1:
		rc = world_attach(world, prng_below(prng, WORLD_DEVICES), space);
		return rc == -EALREADY ? 0 : rc;
	case 2:
		rc = world_unmap(world, space, slot);
		break;
	default:
		rc = world_map(world, space, slot, prng_below(prng, WORLD_TARGETS),
			       prng_below(prng, 2));
		break;
	}
	if (!rc && ++changes[space * WORLD_SLOTS + slot] >= INVALIDATE_EVERY) {
		changes[space * WORLD_SLOTS + slot] = 0;
		rc = world_invalidate(world, space, slot, prng_below(prng, 2));
	}
	return rc;
}

/* The window between a change and its invalidation is open only if engines run in it. */
static void let_engines_run(struct engine *engines, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		unsigned long until = engines[i].dmas + OPEN_DMAS;

		while (engines[i].dmas < until && !engines[i].failed)
			sched_yield();
	}
}

static bool saw_stale(const struct engine *engines, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (engines[i].stale)
			return true;
	return false;
}

/* How the threads interleave is the machine's: until an engine came into an open window, go on. */
static bool has_enough(const struct stress *stress, const struct engine *engines)
{
	return stress->operations >= stress->mutations &&
	       (saw_stale(engines, stress->engines) ||
		stress->operations >= stress->mutations * CONTROL_MORE);
}

static int mutate_all(struct world *world, struct stress *stress, struct engine *engines)
{
	uint8_t changes[WORLD_SPACES * WORLD_SLOTS] = {};
	struct prng prng;
	int rc = 0;

	prng_init(&prng, stress->seed, 1);
	while (!rc && !has_enough(stress, engines)) {
		rc = mutate(world, &prng, changes);
		if (!(stress->operations++ % OPEN_EVERY))
			let_engines_run(engines, stress->engines);
		for (unsigned int i = 0; i < stress->engines; i++)
			if (engines[i].failed)
				return 0;
	}
	return rc;
}

static void collect(struct stress *stress, const struct engine *engine)
{
	stress->dmas += engine->dmas;
	stress->stale += engine->stale;
	if (engine->failed && !stress->failed) {
		stress->failed = true;
		memcpy(stress->what, engine->what, sizeof(stress->what));
	}
}

int stress_run(struct world *world, struct stress *stress)
{
	struct engine engines[STRESS_ENGINES] = {};
	_Atomic bool stop = false;
	_Atomic unsigned int ready = 0;
	unsigned int started;
	int rc = 0;

	if (!stress->engines || stress->engines > STRESS_ENGINES)
		return -EINVAL;
	for (started = 0; started < stress->engines && !rc; started++) {
		engines[started].world = world;
		engines[started].number = started;
		engines[started].stop = &stop;
		engines[started].ready = &ready;
		prng_init(&engines[started].prng, stress->seed, 100 + started);
		rc = -pthread_create(&engines[started].thread, NULL, engine_main,
				     &engines[started]);
		if (rc)
			break;
	}
	if (!rc) {
		while (atomic_load(&ready) < started)
			sched_yield();
		rc = mutate_all(world, stress, engines);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < started; i++) {
		pthread_join(engines[i].thread, NULL);
		collect(stress, &engines[i]);
	}
	if (rc && !stress->failed) {
		stress->failed = true;
		snprintf(stress->what, sizeof(stress->what), "a call that must succeed: %s",
			 strerrorname_np(-rc));
	}
	return rc;
}
