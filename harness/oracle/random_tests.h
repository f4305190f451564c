/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The random and the concurrent tests of a vendor suite. Its random.c defines RANDOM_VENDOR and
 * RANDOM_VM (its name, and its struct vm_vendor) and includes this.
 *
 * A failed program is printed shrunk; NIT_PROGRAM_FIRST=N NIT_PROGRAMS=1 runs only number N of the
 * seed. NIT_STRESS_MUTATIONS makes the concurrent runs longer.
 */
#ifndef NIT_ORACLE_RANDOM_TESTS_H
#define NIT_ORACLE_RANDOM_TESTS_H

#include <stdlib.h>

#include "core/test.h"
#include "ref_world.h"
#include "stress.h"
#include "target/assert.h"

FIXTURE(random)
{
	struct ref_world ref;
	struct world_config config;
};

FIXTURE_VARIANT(random)
{
	bool ats;
	bool pasid;
	bool free;
	unsigned int iommus;
};

/* The adversary that keeps everything, and hardware that uses its freedoms */
FIXTURE_VARIANT_ADD(random, rid) { .iommus = 1 };
FIXTURE_VARIANT_ADD(random, rid_ats) { .iommus = 1, .ats = true };
FIXTURE_VARIANT_ADD(random, pasid) { .iommus = 1, .pasid = true };
FIXTURE_VARIANT_ADD(random, pasid_ats) { .iommus = 1, .pasid = true, .ats = true };
FIXTURE_VARIANT_ADD(random, pasid_free) { .iommus = 1, .pasid = true, .free = true };
FIXTURE_VARIANT_ADD(random, pasid_ats_free)
{
	.iommus = 1, .pasid = true, .ats = true, .free = true,
};
FIXTURE_VARIANT_ADD(random, two_iommus_ats_free)
{
	.iommus = 2, .pasid = true, .ats = true, .free = true,
};

/* Whether a kernel has nested page tables is seen by making them. */
static bool is_nested(const struct world_config *config)
{
	static struct world world;
	int rc = world_open(&world, config);

	if (!rc)
		world_close(&world);
	return rc != -EOPNOTSUPP;
}

FIXTURE_SETUP(random)
{
	struct target target;

	self->ref = (struct ref_world){
		.vendor = RANDOM_VENDOR, .free = variant->free, .seed = prng_seed(),
		.config = {
			.iommus = variant->iommus, .devices = PROGRAM_DEVICES,
			.needs = TARGET_NEST | (variant->ats ? TARGET_ATS : 0) |
				(variant->pasid ? TARGET_PASID : 0) |
				(variant->free ? TARGET_KNOBS : 0),
		},
	};
	TARGET_OPEN(&target, RANDOM_VENDOR, &self->ref.config);
	target.ops->close(&target);
	self->config = (struct world_config){
		.open = ref_world_open, .arg = &self->ref, .vendor = &RANDOM_VM,
		.devices = PROGRAM_DEVICES, .ats = variant->ats, .pasids = variant->pasid,
	};
	if (!(target.has & TARGET_REFERENCE) && !is_nested(&self->config))
		SKIP(return, "no nested page tables in this kernel");
}

FIXTURE_TEARDOWN(random)
{
}

TEST_F(random, programs_reach_only_what_their_history_allows)
{
	RULE("NEST-02");
	RULE("NEST-03");
	static struct random_run run = { .count = 25, .steps = 200, .shrink_budget = 300 };
	char line[128];

	EXPECT_TRUE(random_programs(&self->config, &self->ref, &run)) {
		check_note("program %lu of seed %#llx, %u steps: %s", run.number,
			   (unsigned long long)prng_seed(), run.program.count, run.result.what);
		for (unsigned int i = 0; i < run.program.count && i < 40; i++) {
			step_line(&run.program.steps[i], line, sizeof(line));
			check_note("  %u: %s", i, line);
		}
		return;
	}
	/* Without a single stale hit the caches were not there, and nothing was tested. */
	EXPECT_LT(0UL, run.stale);
	EXPECT_LT(run.stale, run.dmas);
}

TEST_F(random, engines_on_threads_never_come_too_late)
{
	RULE("NEST-02");
	const char *mutations = getenv("NIT_STRESS_MUTATIONS");
	static struct execution execution;
	static struct stress stress;

	stress = (struct stress){
		.execution = &execution, .engine_count = 2, .seed = prng_seed(),
		.mutations = mutations && *mutations ? strtoul(mutations, NULL, 0) : 60,
	};
	ASSERT_EQ(0, execution_open(&execution, &self->config));
	EXPECT_EQ(0, stress_run(&stress));
	EXPECT_FALSE(stress.failed)
		check_note("%s", stress.what);
	EXPECT_LT(0UL, stress.stale);	/* the window was open */
	check_note("%lu operations, %lu DMAs, %lu of them stale and allowed", stress.operations,
		   stress.dmas, stress.stale);
	world_close(&execution.world);
}

#endif
