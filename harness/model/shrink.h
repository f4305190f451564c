/* SPDX-License-Identifier: GPL-2.0-only */
/* Making a sequence that fails short: delta debugging, with a bound on the number of runs. */
#ifndef NIT_MODEL_SHRINK_H
#define NIT_MODEL_SHRINK_H

#include "sequence.h"

/**
 * shrink() - Take calls and details out of @sequence as long as it fails in the same way
 * @sequence: in: fails; out: fails
 * @target: what it runs against
 * @run: in: the run that failed; out: the run of the shrunk sequence
 * @budget: how many runs to spend at most
 *
 * The same way is the same kind of mismatch after the same op.
 *
 * Return: how many runs it took.
 */
unsigned int shrink(struct sequence *sequence, const struct sequence_target *target,
		    struct run *run, unsigned int budget);

#endif
