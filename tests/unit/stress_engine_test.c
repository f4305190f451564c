// SPDX-License-Identifier: GPL-2.0-only
/* Pauses of a DMA engine, on the reference: each is answered, however soon the next one comes. */
#include <sched.h>
#include <stdatomic.h>

#define NIT_TEST_TIMEOUT 60	/* this waits for ever if one is not */

#include "core/test.h"
#include "oracle/ref_world.h"
#include "oracle/step.h"
#include "oracle/stress_engine.h"

#define PAUSES 2000

static struct execution execution;
static struct stress_engine engine;
static _Atomic bool stop;

TEST(each_pause_is_answered)
{
	struct ref_world ref = {
		.vendor = "amd", .seed = prng_seed(),
		.config = { .iommus = 1, .needs = TARGET_NEST },
	};
	const struct world_config config = {
		.open = ref_world_open, .arg = &ref, .vendor = &vm_amd, .devices = 2,
	};

	RULE("NEST-02");
	ASSERT_EQ(0, execution_open(&execution, &config));
	engine = (struct stress_engine){ .world = &execution.world, .stop = &stop };
	ASSERT_EQ(0, stress_engine_start(&engine, prng_seed()));
	for (unsigned int i = 0; i < PAUSES; i++) {
		unsigned long dmas;

		stress_engine_pause(&engine);
		dmas = atomic_load(&engine.dmas);
		sched_yield();
		EXPECT_EQ(dmas, atomic_load(&engine.dmas));
		stress_engine_go_on(&engine);
	}
	atomic_store(&stop, true);
	pthread_join(engine.thread, NULL);
	EXPECT_LT(0, atomic_load(&engine.dmas));
	EXPECT_FALSE(engine.failed);
	world_close(&execution.world);
}

NIT_TEST_MAIN
