/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Seeded pseudo-random numbers. Every random choice of nit comes from here, so that a seed
 * replays a run. The generator is splitmix64: one 64-bit word of state, any seed is good.
 */
#ifndef NIT_CORE_PRNG_H
#define NIT_CORE_PRNG_H

#include <stdint.h>

/* What every draw adds to the state */
#define PRNG_STEP 0x9e3779b97f4a7c15ULL

struct prng {
	uint64_t state;
};

/**
 * prng_seed() - The seed of this run
 *
 * Return: $NIT_SEED (decimal or 0x hexadecimal) if it is set, else a fixed default.
 */
uint64_t prng_seed(void);

/**
 * prng_init() - Start a generator
 * @prng: the generator
 * @seed: usually prng_seed()
 * @stream: a number of the caller's choice; equal seeds with different streams are independent
 */
void prng_init(struct prng *prng, uint64_t seed, uint64_t stream);

/** prng_next() - The next 64 random bits */
uint64_t prng_next(struct prng *prng);

/** prng_below() - A number in [0, @limit); @limit must not be 0 */
uint64_t prng_below(struct prng *prng, uint64_t limit);

#endif
