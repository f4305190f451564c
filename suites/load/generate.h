/* SPDX-License-Identifier: GPL-2.0-only */
/* A load by the generator on liburing, as the tests of this suite want it */
#ifndef NIT_SUITES_LOAD_GENERATE_H
#define NIT_SUITES_LOAD_GENERATE_H

#include "load.h"
#include "load/uring.h"

#define DEPTH 16

/* Each slot writes and reads several times, however slow the machine is. */
static inline void generate(struct __test_metadata *_metadata, struct uring_load *load)
{
	load->depth = DEPTH;
	load->seconds = load_seconds();
	load->least = 8 * DEPTH;
	load->seed = prng_seed();
	EXPECT_EQ(0, uring_load(load))
		check_note("%s", load->what);
	EXPECT_LE(load->least, load->requests);
	figure_time("requests", load->requests, "1");
	figure_time("requests_per_s", load->requests / load->took_s, "1/s");
	figure_time("bytes_per_s", load->bytes / load->took_s, "B/s");
}

#endif
