// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/prng.h"
#include "program.h"

/*
 * What a guest that follows its architecture knows while the program runs: which slots of a space
 * it has changed since it last invalidated them. It invalidates before it maps a slot anew more
 * than a few times, and tables that it took away before it uses them again.
 */
struct execution {
	struct world world;
	uint8_t changes[WORLD_SPACES][WORLD_SLOTS];
	bool mapped[WORLD_SPACES][WORLD_SLOTS];
	bool window[WORLD_WINDOWS];
};

#define CHANGES_MAX 8	/* far below HISTORY_VERSIONS */

enum operand { NOTHING, SPACE, SLOT, TARGET, FLAG, DEVICE, WHICH, WINDOW, SPARE };

static const struct {
	const char *name;
	unsigned int limit;
} operands[] = {
	[SPACE] = { "space", WORLD_SPACES },
	[SLOT] = { "slot", WORLD_SLOTS },
	[TARGET] = { "target", WORLD_TARGETS },
	[FLAG] = { "flag", 2 },
	[DEVICE] = { "device", WORLD_DEVICES },
	[WHICH] = { "which", 2 },
	[WINDOW] = { "window", WORLD_WINDOWS },
	[SPARE] = { "spare", WORLD_SPARES },
};

typedef int (*step_fn)(struct execution *execution, const uint8_t *operand);

static bool no_such_space(struct execution *execution, unsigned int space)
{
	return space >= 2 && !execution->world.config->pasid;
}

static int step_map(struct execution *execution, const uint8_t *operand)
{
	unsigned int space = operand[0], slot = operand[1];
	int rc;

	if (no_such_space(execution, space) || execution->changes[space][slot] == CHANGES_MAX)
		return 0;
	rc = world_map(&execution->world, space, slot, operand[2], operand[3]);
	execution->changes[space][slot] += execution->mapped[space][slot];
	execution->mapped[space][slot] = true;
	return rc;
}

static int step_unmap(struct execution *execution, const uint8_t *operand)
{
	unsigned int space = operand[0], slot = operand[1];

	if (no_such_space(execution, space) || !execution->mapped[space][slot] ||
	    execution->changes[space][slot] == CHANGES_MAX)
		return 0;
	execution->changes[space][slot]++;
	execution->mapped[space][slot] = false;
	return world_unmap(&execution->world, space, slot);
}

static int step_invalidate(struct execution *execution, const uint8_t *operand)
{
	unsigned int space = operand[0], slot = operand[1];

	if (no_such_space(execution, space))
		return 0;
	execution->changes[space][slot] = 0;
	return world_invalidate(&execution->world, space, slot, operand[2]);
}

static int step_invalidate_space(struct execution *execution, const uint8_t *operand)
{
	if (no_such_space(execution, operand[0]))
		return 0;
	memset(execution->changes[operand[0]], 0, sizeof(execution->changes[0]));
	return world_invalidate_space(&execution->world, operand[0]);
}

static int step_s2_map(struct execution *execution, const uint8_t *operand)
{
	if (execution->window[operand[0]])
		return 0;
	execution->window[operand[0]] = true;
	return world_s2_map(&execution->world, operand[0], operand[1]);
}

static int step_s2_unmap(struct execution *execution, const uint8_t *operand)
{
	if (!execution->window[operand[0]])
		return 0;
	execution->window[operand[0]] = false;
	return world_s2_unmap(&execution->world, operand[0]);
}

static int step_attach(struct execution *execution, const uint8_t *operand)
{
	int rc;

	if (no_such_space(execution, operand[1]))
		return 0;
	rc = world_attach(&execution->world, operand[0], operand[1]);
	return rc == -EALREADY ? 0 : rc;
}

static int step_detach(struct execution *execution, const uint8_t *operand)
{
	int rc = execution->world.config->pasid ?
		 world_detach(&execution->world, operand[0], WORLD_BY_PASID) : -EALREADY;

	return rc == -EALREADY ? 0 : rc;
}

static int step_reset(struct execution *execution, const uint8_t *operand)
{
	int rc;

	/* A reset ends what the device was doing; nobody could judge a held DMA then. */
	if (!world_finish(&execution->world, operand[0]))
		return -EBADMSG;
	rc = world_reset(&execution->world, operand[0]);
	return rc == -EALREADY ? 0 : rc;
}

typedef bool (*dma_fn)(struct world *world, unsigned int device, unsigned int which,
		       unsigned int slot);

static int dma(struct execution *execution, const uint8_t *operand, dma_fn fn)
{
	if (operand[1] == WORLD_BY_PASID && !execution->world.config->pasid)
		return 0;
	return fn(&execution->world, operand[0], operand[1], operand[2]) ? 0 : -EBADMSG;
}

static int step_read(struct execution *execution, const uint8_t *operand)
{
	return dma(execution, operand, world_read);
}

static int step_write(struct execution *execution, const uint8_t *operand)
{
	return dma(execution, operand, world_write);
}

static int step_hold(struct execution *execution, const uint8_t *operand)
{
	return dma(execution, operand, world_hold);
}

static int step_finish(struct execution *execution, const uint8_t *operand)
{
	return world_finish(&execution->world, operand[0]) ? 0 : -EBADMSG;
}

/* The hot half of the slots is where things meet. */
static const struct {
	const char *name;
	unsigned int weight;
	step_fn run;
	enum operand operands[4];
} ops[] = {
	{ "map", 20, step_map, { SPACE, SLOT, TARGET, FLAG } },
	{ "unmap", 6, step_unmap, { SPACE, SLOT } },
	{ "invalidate", 12, step_invalidate, { SPACE, SLOT, FLAG } },
	{ "invalidate-space", 3, step_invalidate_space, { SPACE } },
	{ "stage2-map", 6, step_s2_map, { WINDOW, SPARE } },
	{ "stage2-unmap", 6, step_s2_unmap, { WINDOW } },
	{ "attach", 3, step_attach, { DEVICE, SPACE } },
	{ "detach-pasid", 1, step_detach, { DEVICE } },
	{ "reset", 1, step_reset, { DEVICE } },
	{ "read", 30, step_read, { DEVICE, WHICH, SLOT } },
	{ "write", 8, step_write, { DEVICE, WHICH, SLOT } },
	{ "hold", 4, step_hold, { DEVICE, WHICH, SLOT } },
	{ "finish", 2, step_finish, { DEVICE } },
};

#define OPS (sizeof(ops) / sizeof(ops[0]))

static unsigned int draw_op(struct prng *prng)
{
	unsigned int total = 0, op = 0, ticket;

	for (unsigned int i = 0; i < OPS; i++)
		total += ops[i].weight;
	for (ticket = prng_below(prng, total); ticket >= ops[op].weight; op++)
		ticket -= ops[op].weight;
	return op;
}

void program_generate(struct program *program, uint64_t seed, uint64_t number, unsigned int count)
{
	struct prng prng;

	prng_init(&prng, seed, number);
	*program = (struct program){ .count = count < PROGRAM_STEPS ? count : PROGRAM_STEPS };
	for (unsigned int i = 0; i < program->count; i++) {
		struct program_step *step = &program->steps[i];

		step->op = draw_op(&prng);
		for (unsigned int j = 0; j < 4 && ops[step->op].operands[j]; j++) {
			enum operand operand = ops[step->op].operands[j];
			unsigned int limit = operands[operand].limit;

			if (operand == SLOT && prng_below(&prng, 2))
				limit = 3;
			step->operand[j] = prng_below(&prng, limit);
		}
	}
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

	memset(&execution, 0, sizeof(execution));
	*result = (struct program_result){};
	rc = world_open(world, config);
	if (rc) {
		fail(result, &execution, 0, rc);
		return rc;
	}
	memset(execution.window, 1, sizeof(execution.window));
	for (unsigned int i = 0; !rc && i < program->count; i++) {
		const struct program_step *step = &program->steps[i];

		rc = ops[step->op].run(&execution, step->operand);
		if (rc)
			fail(result, &execution, i, rc);
	}
	result->dmas = world->dmas;
	result->stale = world->stale;
	world_close(world);
	return rc;
}

void program_line(const struct program_step *step, char *line, size_t size)
{
	int at = snprintf(line, size, "%s", ops[step->op].name);

	for (unsigned int j = 0; j < 4 && ops[step->op].operands[j] && at < (int)size; j++)
		at += snprintf(line + at, size - at, " %s %u",
			       operands[ops[step->op].operands[j]].name, step->operand[j]);
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
