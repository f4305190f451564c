/* SPDX-License-Identifier: GPL-2.0-only */
/* Making a sequence of calls from a seed. */
#ifndef NIT_MODEL_GENERATOR_H
#define NIT_MODEL_GENERATOR_H

#include "sequence.h"

/**
 * sequence_generate() - Make @steps calls (at most CALL_TAGS) from a seed
 * @stream: the number of the sequence; equal seeds and streams give equal sequences
 *
 * Looks at no kernel: what is alive when is taken from a model of its own. Most calls make sense,
 * some have a wrong id or a wrong value.
 */
void sequence_generate(struct sequence *sequence, uint64_t seed, uint64_t stream,
		       unsigned int steps);

#endif
