/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The moment in which software waits for an IOMMU: time stops there if somebody wants it to, so
 * that a device can do what only matters just then. Of a machine whose time one thread counts.
 */
#ifndef NIT_VFIO_USER_MOMENT_H
#define NIT_VFIO_USER_MOMENT_H

#include <stdatomic.h>

#include "hw/machine.h"

#define MOMENT_MS 500	/* then time goes on by itself: an SMMU's driver waits for 1 s */

/**
 * struct moment
 * @state: enum moment_state
 * @until_ns: when it ends by itself; of the thread that counts
 */
struct moment {
	_Atomic unsigned int state;
	uint64_t until_ns;
};

/** moment_want() - Stop time in the next one? Ends one that time is stopped in. Any thread. */
void moment_want(struct moment *moment, bool wanted);

/** moment_is_now() - Is time stopped? Any thread */
bool moment_is_now(const struct moment *moment);

/**
 * moment_settle() - machine_settle() up to a moment that is wanted
 * @now_ns: of a clock that no moment stops
 * Return: true if the machine came to rest
 */
bool moment_settle(struct moment *moment, struct machine *machine, unsigned int bound,
		   uint64_t now_ns);

#endif
