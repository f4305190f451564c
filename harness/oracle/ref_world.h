/* SPDX-License-Identifier: GPL-2.0-only */
/* Worlds on the target ref, and the random and concurrent runs that suites make in them. */
#ifndef NIT_ORACLE_REF_WORLD_H
#define NIT_ORACLE_REF_WORLD_H

#include "program.h"
#include "target/ref.h"

/**
 * struct ref_world - a world's machine
 * @free: hardware uses its freedoms (hw/freedom.h), as @seed draws them; else it keeps everything
 */
struct ref_world {
	const char *vendor;
	struct target_config config;
	bool free;
	uint64_t seed;
};

/** ref_world_open() - The @open of a struct world_config; @arg: a struct ref_world */
int ref_world_open(struct target *target, const void *arg);

/**
 * struct random_run - random programs, one after the other
 * @first, @count: numbers of the programs; @steps: of each
 * @program, @result: of the first that failed, shrunk
 * @number: its number
 * @dmas, @stale: of all that ran
 */
struct random_run {
	unsigned long first;
	unsigned long count;
	unsigned int steps;
	unsigned int shrink_budget;
	struct program program;
	struct program_result result;
	unsigned long number;
	unsigned long dmas;
	unsigned long stale;
};

/**
 * random_programs() - Run them until one fails; NIT_PROGRAM_FIRST, NIT_PROGRAMS, NIT_PROGRAM_STEPS
 * and NIT_PROGRAM_SHRINK in the environment override what @run says
 * Return: true if none failed
 */
bool random_programs(const struct world_config *config, struct ref_world *ref,
		     struct random_run *run);

#endif
