// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/prng.h"
#include "program.h"

void program_generate(struct program *program, uint64_t seed, uint64_t number, unsigned int count)
{
	struct prng prng;

	prng_init(&prng, seed, number);
	*program = (struct program){ .count = count < PROGRAM_STEPS ? count : PROGRAM_STEPS };
	for (unsigned int i = 0; i < program->count; i++)
		step_draw(&program->steps[i], &prng, STEP_PROGRAM, PROGRAM_DEVICES);
}

static void fail(struct program_result *result, struct execution *execution, unsigned int step,
		 int rc)
{
	result->failed = true;
	result->step = step;
	if (execution->world.what[0])
		snprintf(result->what, sizeof(result->what), "%s", execution->world.what);
	else
		snprintf(result->what, sizeof(result->what), "a call that must succeed: %s",
			 strerrorname_np(-rc));
}

int program_run(const struct program *program, const struct world_config *config,
		struct program_result *result)
{
	static struct execution execution;
	struct world *world = &execution.world;
	int rc;

	*result = (struct program_result){};
	rc = execution_open(&execution, config);
	if (rc) {
		fail(result, &execution, 0, rc);
		return rc;
	}
	for (unsigned int i = 0; !rc && i < program->count; i++) {
		rc = step_run(&execution, &program->steps[i]);
		if (rc)
			fail(result, &execution, i, rc);
	}
	result->dmas = world->dmas;
	result->stale = world->stale;
	world_close(world);
	return rc;
}

static bool still_fails(const struct program *trial, const struct world_config *config,
			struct program_result *result)
{
	struct program_result now;

	if (!program_run(trial, config, &now))
		return false;
	*result = now;
	return true;
}

unsigned int program_shrink(struct program *program, const struct world_config *config,
			    struct program_result *result, unsigned int budget)
{
	static struct program trial;
	unsigned int spent = 0, length;

	program->count = result->step + 1;
	for (length = program->count / 2; length; length = length > 1 ? length / 2 : 0) {
		for (unsigned int at = 0; at + length < program->count && spent < budget;) {
			trial = *program;
			memmove(&trial.steps[at], &trial.steps[at + length],
				(trial.count - at - length) * sizeof(trial.steps[0]));
			trial.count -= length;
			spent++;
			if (still_fails(&trial, config, result)) {
				*program = trial;
				program->count = result->step + 1;
			} else {
				at += length;
			}
		}
	}
	return spent;
}
