/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What specifications leave to hardware, as knobs with a seed.
 *
 * All 0 is the adversary that keeps everything: caches every level, never evicts, and lets an
 * invalidation take effect only when a sync obliges it to. The knobs make it do early, late, out
 * of order or in excess what it may.
 */
#ifndef NIT_HW_FREEDOM_H
#define NIT_HW_FREEDOM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/prng.h"

/**
 * struct freedom - the knobs of one piece of hardware; permille: of 1000 chances
 * @evict: an entry looked up is dropped first
 * @prefetch: a translation also caches its neighbour
 * @early: a command takes effect at once, not at the next sync
 * @reorder: commands without order between them take effect in another one
 * @over: an invalidation removes more than it names
 * @delay: a completion waits for up to @delay_steps steps
 * @delay_steps: steps of machine_step()
 * @no_walk_cache: intermediate levels are not cached
 * @small_pages: a large page is cached in 4 KiB pieces
 */
struct freedom {
	uint16_t evict;
	uint16_t prefetch;
	uint16_t early;
	uint16_t reorder;
	uint16_t over;
	uint16_t delay;
	uint16_t delay_steps;
	bool no_walk_cache;
	bool small_pages;
	uint64_t state;		/* of the generator; atomic, any thread draws */
};

/** freedom_seed() - Start the draws over; equal seeds draw equally (in one thread) */
void freedom_seed(struct freedom *freedom, uint64_t seed, uint64_t stream);

/** freedom_draw() - The next 64 random bits; any thread */
uint64_t freedom_draw(struct freedom *freedom);

/** freedom_take() - Take one chance of @permille? 0 never draws. */
static inline bool freedom_take(struct freedom *freedom, uint16_t permille)
{
	return permille && freedom_draw(freedom) % 1000 < permille;
}

#endif
