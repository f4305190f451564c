// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "core/prng.h"
#include "ref_world.h"

static void draw_freedom(struct freedom *freedom, struct prng *prng, uint64_t seed,
			 uint64_t stream)
{
	static const uint16_t chances[] = { 0, 0, 20, 100, 500 };
	enum { N = sizeof(chances) / sizeof(chances[0]) };

	freedom->evict = chances[prng_below(prng, N)];
	freedom->prefetch = chances[prng_below(prng, N)];
	freedom->early = chances[prng_below(prng, N)];
	freedom->reorder = chances[prng_below(prng, N)];
	freedom->over = chances[prng_below(prng, N)];
	freedom->delay = chances[prng_below(prng, N)];
	freedom->delay_steps = 1 + prng_below(prng, 16);
	freedom->no_walk_cache = !prng_below(prng, 4);
	freedom->small_pages = !prng_below(prng, 4);
	freedom_seed(freedom, seed, stream);
}

int ref_world_open(struct target *target, const void *arg)
{
	const struct ref_world *ref = arg;
	struct machine *machine;
	struct prng prng;
	int rc = target_open(target, ref->vendor, &ref->config);

	if (rc || !ref->free)
		return rc;
	machine = ref_machine(target);
	prng_init(&prng, ref->seed, 1);
	for (unsigned int i = 0; i < machine->iommu_count; i++)
		draw_freedom(&machine->iommus[i]->freedom, &prng, ref->seed, 100 + i);
	for (unsigned int i = 0; i < machine->endpoint_count; i++)
		draw_freedom(endpoint_freedom(machine->endpoints[i]), &prng, ref->seed, 200 + i);
	return 0;
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoul(value, NULL, 0) : otherwise;
}

bool random_programs(const struct world_config *config, struct ref_world *ref,
		     struct random_run *run)
{
	uint64_t seed = prng_seed();

	run->first = setting("NIT_PROGRAM_FIRST", run->first);
	run->count = setting("NIT_PROGRAMS", run->count);
	run->steps = setting("NIT_PROGRAM_STEPS", run->steps);
	run->shrink_budget = setting("NIT_PROGRAM_SHRINK", run->shrink_budget);
	for (run->number = run->first; run->number < run->first + run->count; run->number++) {
		ref->seed = seed + run->number;
		program_generate(&run->program, seed, run->number, run->steps);
		if (program_run(&run->program, config, &run->result)) {
			program_shrink(&run->program, config, &run->result, run->shrink_budget);
			return false;
		}
		run->dmas += run->result.dmas;
		run->stale += run->result.stale;
	}
	return true;
}
