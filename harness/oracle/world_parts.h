/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of a world share: world.c (what there is, DMA), world_change.c (what changes). */
#ifndef NIT_ORACLE_WORLD_PARTS_H
#define NIT_ORACLE_WORLD_PARTS_H

#include <stdatomic.h>

#include "world.h"

#define WORLD_BLOCK (2ULL << 20)

extern const uint64_t world_windows[WORLD_WINDOWS];	/* guest physical, outside of RAM */
extern const uint64_t world_blocks[WORLD_BLOCKS];	/* IOVAs */

static inline uint64_t world_tick(struct world *world)
{
	return atomic_fetch_add(&world->clock, 1) + 1;
}

static inline uint8_t *world_spare(const struct world *world, unsigned int spare)
{
	return world->vm.spare + spare * VM_PAGE;
}

/** world_target() - Guest physical address of target number @target, a probe of an area included */
uint64_t world_target(const struct world *world, unsigned int target);

#endif
