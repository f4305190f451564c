/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stress test of a vendor. Its stress.c defines STRESS_VENDOR and STRESS_VM (its name, and its
 * struct vm_vendor) and includes this.
 *
 * NIT_STRESS_SECONDS in the environment says how long; `run.sh --stress --duration` sets it.
 */
#ifndef NIT_ORACLE_STRESS_TESTS_H
#define NIT_ORACLE_STRESS_TESTS_H

#include <stdlib.h>

#define NIT_TEST_TIMEOUT 1000000	/* NIT_TEST_TIMEOUT in the environment is the bound */

#include "core/figure.h"
#include "core/test.h"
#include "ref_world.h"
#include "stress.h"
#include "target/assert.h"

#define STRESS_SECONDS 10
#define EVENTS 16	/* of each actor that a failure prints */

FIXTURE(stress)
{
	struct ref_world ref;
	struct world_config config;
};

FIXTURE_VARIANT(stress)
{
	bool ats;
	unsigned int pasids;
	bool free;
	bool plain;
	unsigned int iommus;
	unsigned int engines;
};

/* The adversary that keeps everything, and hardware that uses its freedoms; stage 2 alone */
FIXTURE_VARIANT_ADD(stress, rid) { .iommus = 1, .engines = 2 };
FIXTURE_VARIANT_ADD(stress, rid_ats) { .iommus = 1, .engines = 2, .ats = true };
FIXTURE_VARIANT_ADD(stress, pasids) { .iommus = 1, .engines = 2, .pasids = 2 };
FIXTURE_VARIANT_ADD(stress, pasids_ats) { .iommus = 1, .engines = 2, .pasids = 2, .ats = true };
FIXTURE_VARIANT_ADD(stress, pasids_ats_free)
{
	.iommus = 1, .engines = 2, .pasids = 2, .ats = true, .free = true,
};
FIXTURE_VARIANT_ADD(stress, two_iommus_four_engines)
{
	.iommus = 2, .engines = 4, .pasids = 2, .ats = true, .free = true,
};
FIXTURE_VARIANT_ADD(stress, stage2) { .iommus = 1, .engines = 2, .plain = true };
FIXTURE_VARIANT_ADD(stress, stage2_ats) { .iommus = 1, .engines = 2, .plain = true, .ats = true };

FIXTURE_SETUP(stress)
{
	struct target target;

	self->ref = (struct ref_world){
		.vendor = STRESS_VENDOR, .free = variant->free, .seed = prng_seed(),
		.config = {
			.iommus = variant->iommus, .devices = WORLD_DEVICES,
			.needs = (variant->ats ? TARGET_ATS : 0) |
				(variant->pasids ? TARGET_PASID : 0) |
				(variant->plain ? 0 : TARGET_NEST) |
				(variant->free ? TARGET_KNOBS : 0),
		},
	};
	TARGET_OPEN(&target, STRESS_VENDOR, &self->ref.config);
	target.ops->close(&target);
	self->config = (struct world_config){
		.open = ref_world_open, .arg = &self->ref,
		.vendor = variant->plain ? &vm_plain : &STRESS_VM, .plain = variant->plain,
		.ats = variant->ats, .pasids = variant->pasids,
	};
}

FIXTURE_TEARDOWN(stress)
{
}

static void figures(const struct stress *stress)
{
	figure_time("operations", stress->operations, "1");
	figure_time("invalidations", stress->invalidations, "1");
	figure_time("dmas", stress->dmas, "1");
	figure_time("stale_before_completion", stress->stale, "1");
	figure_time("reached_during_change", stress->leaving, "1");
	figure_time("violations", stress->violations, "1");
	figure_time("not_judged", stress->unknown, "1");
	figure_time("windows", stress->windows, "1");
	figure_time("windows_without_stale", stress->blind, "1");
	figure_time("duration", stress->wall_s, "s");
	figure_time("dmas_per_wall_s", stress->wall_s > 0 ? stress->dmas / stress->wall_s : 0,
		    "1/s");
	figure_time("dmas_per_cpu_s", stress->dmas_per_s, "1/s");
	figure_time("operations_per_cpu_s",
		    stress->mutator_s > 0 ? stress->operations / stress->mutator_s : 0, "1/s");
	figure_time("oracle_share", 100 * stress->oracle_share, "%");
}

TEST_F(stress, no_dma_is_late_astray_or_lost)
{
	const char *seconds = getenv("NIT_STRESS_SECONDS");
	static struct execution execution;
	static struct stress stress;

	RULE("NEST-01");
	RULE("NEST-02");
	stress = (struct stress){
		.execution = &execution, .engine_count = variant->engines, .seed = prng_seed(),
		.seconds = seconds && atof(seconds) > 0 ? atof(seconds) : STRESS_SECONDS,
	};
	ASSERT_EQ(0, execution_open(&execution, &self->config));
	EXPECT_EQ(0, stress_run(&stress));
	EXPECT_FALSE(stress.failed) {
		check_note("%s", stress.what);
		stress_explain(&stress, EVENTS);
	}
	figures(&stress);
	/*
	 * Where nothing old was seen, no window was open, and nothing was tested. The reference
	 * shows it; other hardware, or a guest with one processor, need not.
	 */
	if (!stress.failed && !(execution.world.target.has & TARGET_REFERENCE) && stress.blind) {
		SKIP(, "the IOMMU here does not show an old translation");
	} else if (!stress.failed) {
		EXPECT_LT(0UL, variant->plain ? stress.leaving : stress.stale);
		EXPECT_EQ(0U, stress.blind);
		EXPECT_LT(100 * stress.unknown, stress.dmas);
	}
	world_close(&execution.world);
}

#endif
