// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "prng.h"

#define DEFAULT_SEED 0x5eed1234

uint64_t prng_seed(void)
{
	const char *seed = getenv("NIT_SEED");

	return seed && *seed ? strtoull(seed, NULL, 0) : DEFAULT_SEED;
}

uint64_t prng_next(struct prng *prng)
{
	uint64_t z = prng->state += PRNG_STEP;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

void prng_init(struct prng *prng, uint64_t seed, uint64_t stream)
{
	prng->state = seed;
	prng->state = prng_next(prng) ^ (stream * 0xd1342543de82ef95ULL);
}

uint64_t prng_below(struct prng *prng, uint64_t limit)
{
	/* The bias of the modulo is below 2^-32 for every limit that a test uses. */
	return prng_next(prng) % limit;
}
