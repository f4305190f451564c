/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One step in a world: an operation of a table, and its operands. Random programs draw DMA and what
 * changes translations; the mutator of a stress run draws what changes them alone.
 *
 * A step that makes no sense where it stands does nothing.
 */
#ifndef NIT_ORACLE_STEP_H
#define NIT_ORACLE_STEP_H

#include <stddef.h>

#include "core/prng.h"
#include "pager.h"
#include "world.h"

enum step_mix { STEP_PROGRAM, STEP_STRESS, STEP_PAGING, STEP_MIXES };

/** struct step - an operation of step.c's table, and its operands */
struct step {
	uint8_t op;
	uint8_t operand[4];
};

/*
 * What a guest that follows its architecture knows while steps run: which slots of a space
 * it has changed since it last invalidated them. It invalidates before it maps a slot anew more
 * than a few times, and tables that it took away before it uses them again. @pager: page requests.
 */
struct execution {
	struct world world;
	uint8_t changes[WORLD_SPACES][WORLD_SLOTS];
	bool mapped[WORLD_SPACES][WORLD_SLOTS];
	bool window[WORLD_WINDOWS];
	struct pager pager;
};

/** execution_open() - A fresh world, as world_open() */
int execution_open(struct execution *execution, const struct world_config *config);

/** step_draw() - In a world of @devices */
void step_draw(struct step *step, struct prng *prng, enum step_mix mix, unsigned int devices);

/** step_run() - 0; -EBADMSG: a DMA of it reached what it must not; -errno of a call */
int step_run(struct execution *execution, const struct step *step);

/** step_resets() - Does it reset a device? That is *@device then. */
bool step_resets(const struct step *step, unsigned int *device);

/** step_invalidates() - Is it a guest's invalidation command? */
bool step_invalidates(const struct step *step);

/** step_provide() - Map @slot of @space, writable, if a guest could now; 0 or -errno */
int step_provide(struct execution *execution, unsigned int space, unsigned int slot,
		 unsigned int target);

/** step_line() - A step as a person reads it */
void step_line(const struct step *step, char *line, size_t size);

#endif
