/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random programs: guest operations, DMA, invalidations and hypervisor operations in any order,
 * judged by the oracle after every step. A program that fails is shrunk to few steps.
 *
 * A step that makes no sense where it stands is skipped, so every part of a program is a program.
 */
#ifndef NIT_ORACLE_PROGRAM_H
#define NIT_ORACLE_PROGRAM_H

#include "step.h"

#define PROGRAM_STEPS 400
#define PROGRAM_DEVICES 2

struct program {
	unsigned int count;
	struct step steps[PROGRAM_STEPS];
};

/**
 * struct program_result
 * @failed: something was wrong at @step: @what
 * @dmas, @stale: DMAs judged; those that were allowed old translations
 */
struct program_result {
	bool failed;
	unsigned int step;
	char what[256];
	unsigned long dmas;
	unsigned long stale;
};

/** program_generate() - @count random steps, decided by @seed and @number alone */
void program_generate(struct program *program, uint64_t seed, uint64_t number,
		      unsigned int count);

/** program_run() - In a fresh world; 0 if it passed, else -errno and *@result says why */
int program_run(const struct program *program, const struct world_config *config,
		struct program_result *result);

/**
 * program_shrink() - Take steps out as long as it fails
 * @budget: runs to spend at most. Return: runs spent.
 */
unsigned int program_shrink(struct program *program, const struct world_config *config,
			    struct program_result *result, unsigned int budget);

#endif
