// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "core/prng.h"
#include "ref_world.h"

/** struct draw - what is drawn for the knobs of one piece of hardware */
struct draw {
	struct target *target;
	unsigned int device;
	bool of_iommu;
	struct prng *prng;
	int rc;
};

static void turn(struct draw *draw, enum knob knob, uint64_t value)
{
	draw->rc = draw->rc ?: draw->target->ops->turn(draw->target, draw->device, draw->of_iommu,
						       knob, value);
}

static void draw_freedom(struct draw *draw, uint64_t seed, uint64_t stream)
{
	static const uint16_t chances[] = { 0, 0, 20, 100, 500 };
	enum { N = sizeof(chances) / sizeof(chances[0]) };
	static const enum knob freedoms[] = {
		KNOB_EVICT, KNOB_PREFETCH, KNOB_EARLY, KNOB_REORDER, KNOB_OVER, KNOB_DELAY,
	};
	struct prng draws;

	for (unsigned int i = 0; i < sizeof(freedoms) / sizeof(freedoms[0]); i++)
		turn(draw, freedoms[i], chances[prng_below(draw->prng, N)]);
	turn(draw, KNOB_DELAY_STEPS, 1 + prng_below(draw->prng, 16));
	turn(draw, KNOB_NO_WALK_CACHE, !prng_below(draw->prng, 4));
	turn(draw, KNOB_SMALL_PAGES, !prng_below(draw->prng, 4));
	prng_init(&draws, seed, stream);
	turn(draw, KNOB_DRAWS, draws.state);
}

int ref_world_open(struct target *target, const void *arg)
{
	const struct ref_world *ref = arg;
	struct prng prng;
	struct draw draw = { .target = target, .prng = &prng };
	int rc = target_open(target, ref->vendor, &ref->config);

	if (rc || !ref->free)
		return rc;
	prng_init(&prng, ref->seed, 1);
	draw.of_iommu = true;	/* that of number n is behind IOMMU number n */
	for (draw.device = 0; draw.device < (ref->config.iommus ?: 1); draw.device++)
		draw_freedom(&draw, ref->seed, 100 + draw.device);
	draw.of_iommu = false;
	for (draw.device = 0; draw.device < target->device_count; draw.device++)
		draw_freedom(&draw, ref->seed, 200 + draw.device);
	return draw.rc;
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
