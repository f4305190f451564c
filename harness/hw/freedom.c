// SPDX-License-Identifier: GPL-2.0-only
#include "freedom.h"

void freedom_seed(struct freedom *freedom, uint64_t seed, uint64_t stream)
{
	struct prng prng;

	prng_init(&prng, seed, stream);
	__atomic_store_n(&freedom->state, prng.state, __ATOMIC_RELAXED);
}

/* The state only counts, so that threads can share it: each takes a number and scrambles it. */
uint64_t freedom_draw(struct freedom *freedom)
{
	struct prng prng = {
		__atomic_fetch_add(&freedom->state, PRNG_STEP, __ATOMIC_RELAXED)
	};

	return prng_next(&prng);
}
