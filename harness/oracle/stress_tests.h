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
	bool pri;
	unsigned int iommus;
	unsigned int engines;
	unsigned int devices;	/* 0: 2 */
};

/*
 * The adversary that keeps everything, and hardware that uses its freedoms; page requests; stage 2
 * alone
 */
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
FIXTURE_VARIANT_ADD(stress, four_devices)
{
	.iommus = 2, .engines = 4, .devices = 4, .pasids = 2, .ats = true, .free = true,
};
FIXTURE_VARIANT_ADD(stress, rid_pri) { .iommus = 1, .engines = 2, .ats = true, .pri = true };
FIXTURE_VARIANT_ADD(stress, pasids_pri_free)
{
	.iommus = 2, .engines = 4, .devices = 4, .pasids = 2, .ats = true, .pri = true,
	.free = true,
};
FIXTURE_VARIANT_ADD(stress, stage2) { .iommus = 1, .engines = 2, .plain = true };
FIXTURE_VARIANT_ADD(stress, stage2_ats) { .iommus = 1, .engines = 2, .plain = true, .ats = true };

FIXTURE_SETUP(stress)
{
	unsigned int devices = variant->devices ?: 2;
	struct target target;

	self->ref = (struct ref_world){
		.vendor = STRESS_VENDOR, .free = variant->free, .seed = prng_seed(),
		.config = {
			.iommus = variant->iommus, .devices = devices,
			.needs = (variant->ats ? TARGET_ATS : 0) |
				(variant->pasids ? TARGET_PASID : 0) |
				(variant->plain ? 0 : TARGET_NEST) |
				(variant->pri ? TARGET_PRI | TARGET_REFERENCE : 0) |
				(variant->free ? TARGET_KNOBS : 0),
		},
	};
	TARGET_OPEN(&target, STRESS_VENDOR, &self->ref.config);
	target.ops->close(&target);
	if (target.device_count < devices)
		SKIP(return, TARGET_FEWER_DEVICES);
	self->config = (struct world_config){
		.open = ref_world_open, .arg = &self->ref,
		.vendor = variant->plain ? &vm_plain : &STRESS_VM, .plain = variant->plain,
		.devices = devices, .ats = variant->ats, .pasids = variant->pasids,
		.pri = variant->pri,
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

static void check_requests(struct __test_metadata *_metadata, const struct stress *stress)
{
	const struct pager *pager = &stress->execution->pager;
	unsigned long asked = 0, served = 0, refused = 0, ended = 0, paged = 0;

	for (unsigned int i = 0; i < stress->engine_count; i++) {
		const struct stress_engine *engine = &stress->engines[i];

		asked += engine->requests.asked;
		served += engine->requests.served;
		refused += engine->requests.refused;
		ended += engine->requests.ended;
		paged += engine->paged;
	}
	figure_time("page_requests", asked, "1");
	figure_time("page_requests_served", served, "1");
	figure_time("page_requests_refused", refused, "1");
	figure_time("page_requests_ended", ended, "1");
	figure_time("answers_with_invalidation", pager->with_invalidation, "1");
	figure_time("dmas_after_answer", paged, "1");
	figure_time("unexpected_responses", stress->unexpected, "1");
	/* What was not seen was not tested. */
	RULE("NEST-11");
	EXPECT_LT(0UL, served);
	EXPECT_LT(0UL, refused);
	EXPECT_LT(0UL, paged);
	EXPECT_LT(0UL, pager->with_invalidation);
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
	if (variant->pri && !stress.failed)
		check_requests(_metadata, &stress);
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
