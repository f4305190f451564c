// SPDX-License-Identifier: GPL-2.0-only
/* A stress run in which somebody waits for ever says so, and is told to stop. */
#include <stdatomic.h>
#include <time.h>

#include "core/test.h"
#include "oracle/stress_watch.h"

#define BOUND_MS 20000

static struct stress stress;
static struct stress_watch watch;

/* Engine 0 and the mutator do something now and then, engine 1 only if it @goes_on. */
static void act(bool goes_on, unsigned int ms)
{
	for (unsigned int i = 0; i < ms && !atomic_load(&stress.stop); i++) {
		atomic_fetch_add(&stress.steps, 1);
		atomic_fetch_add(&stress.engines[0].dmas, 1);
		if (goes_on)
			atomic_fetch_add(&stress.engines[1].dmas, 1);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

TEST(who_waits_for_ever_is_seen)
{
	RULE("NEST-02");
	stress.engine_count = 2;
	ASSERT_EQ(0, stress_watch_start(&watch, &stress, 0.5));
	act(false, BOUND_MS);
	stress_watch_stop(&watch);
	EXPECT_TRUE(atomic_load(&stress.stop));
	EXPECT_TRUE(watch.stuck);
}

TEST(who_goes_on_is_left_alone)
{
	RULE("NEST-02");
	stress.engine_count = 2;
	ASSERT_EQ(0, stress_watch_start(&watch, &stress, BOUND_MS));
	act(true, 300);
	stress_watch_stop(&watch);
	EXPECT_FALSE(atomic_load(&stress.stop));
	EXPECT_FALSE(watch.stuck);
}

NIT_TEST_MAIN
