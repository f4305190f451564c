// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "step.h"

#define CHANGES_MAX 8	/* far below HISTORY_VERSIONS */

enum operand {
	NOTHING, SPACE, SLOT, TARGET, FLAG, DEVICE, PLACE, WINDOW, SPARE, RANGE, COUNT, BLOCK, AREA,
};

/* How many there are to draw from, in a program and in a stress run */
static const struct {
	const char *name;
	unsigned int program;
	unsigned int stress;
} operands[] = {
	[SPACE] = { "space", 4, WORLD_SPACES },
	[SLOT] = { "slot", WORLD_PAGES, WORLD_SLOTS },
	[TARGET] = { "target", WORLD_TARGETS, WORLD_TARGETS },
	[FLAG] = { "flag", 2, 2 },
	[DEVICE] = { "device", 0, 0 },	/* as many as there are */
	[PLACE] = { "place", 2, WORLD_PLACES },
	[WINDOW] = { "window", WORLD_WINDOWS, WORLD_WINDOWS },
	[SPARE] = { "spare", WORLD_SPARES, WORLD_SPARES },
	[RANGE] = { "range", WORLD_RANGES, WORLD_RANGES },
	[COUNT] = { "count", VM_BATCH, VM_BATCH },
	[BLOCK] = { "block", WORLD_BLOCKS, WORLD_BLOCKS },
	[AREA] = { "area", WORLD_AREAS, WORLD_AREAS },
};

typedef int (*step_fn)(struct execution *execution, const uint8_t *operand);

static bool no_such_space(struct execution *execution, unsigned int space)
{
	return space >= world_spaces(&execution->world) || execution->world.config->plain;
}

static bool no_such_place(struct execution *execution, unsigned int place)
{
	return place > execution->world.config->pasids;
}

/* A page of a block can be mapped by itself only where the block is split. */
static bool not_a_page(struct execution *execution, unsigned int space, unsigned int slot)
{
	return slot >= WORLD_PAGES &&
	       execution->world.block[space][(slot - WORLD_PAGES) / WORLD_PROBES] != WORLD_SPLIT;
}

static int step_map(struct execution *execution, const uint8_t *operand)
{
	unsigned int space = operand[0], slot = operand[1];
	int rc;

	if (no_such_space(execution, space) || execution->changes[space][slot] == CHANGES_MAX ||
	    not_a_page(execution, space, slot))
		return 0;
	rc = world_map(&execution->world, space, slot, operand[2], operand[3]);
	execution->changes[space][slot] += execution->mapped[space][slot];
	execution->mapped[space][slot] = true;
	return rc;
}

int step_provide(struct execution *execution, unsigned int space, unsigned int slot,
		 unsigned int target)
{
	return step_map(execution, (uint8_t[]){ space, slot, target, true });
}

/* The guest's handler of page requests */
static int step_serve(struct execution *execution, const uint8_t *operand)
{
	struct world_cover also;

	if (!execution->world.config->pri)
		return 0;
	also = world_range(operand[2] % world_spaces(&execution->world), operand[3]);
	return pager_round(execution, operand[0], operand[1], &also);
}

static int step_unmap(struct execution *execution, const uint8_t *operand)
{
	unsigned int space = operand[0], slot = operand[1];

	if (no_such_space(execution, space) || !execution->mapped[space][slot] ||
	    execution->changes[space][slot] == CHANGES_MAX || not_a_page(execution, space, slot))
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

static int step_invalidate_range(struct execution *execution, const uint8_t *operand)
{
	if (no_such_space(execution, operand[0]))
		return 0;
	return world_invalidate_range(&execution->world, operand[0], operand[1], operand[2]);
}

/* Neighbours in slots and spaces */
static int step_invalidate_batch(struct execution *execution, const uint8_t *operand)
{
	unsigned int spaces = world_spaces(&execution->world), count = 1 + operand[2];
	struct world_cover covers[VM_BATCH];

	if (execution->world.config->plain)
		return 0;
	for (unsigned int i = 0; i < count; i++) {
		unsigned int space = (operand[0] + i / 3) % spaces;
		unsigned int slot = (operand[1] + i) % WORLD_SLOTS;

		covers[i] = world_slot(&execution->world, space, slot);
		execution->changes[space][slot] = 0;
	}
	return world_invalidate_batch(&execution->world, covers, count);
}

/* The same range, or its neighbours, of several spaces */
static int step_invalidate_ranges(struct execution *execution, const uint8_t *operand)
{
	unsigned int spaces = world_spaces(&execution->world), count = 1 + operand[2];
	struct world_cover covers[VM_BATCH];

	if (execution->world.config->plain)
		return 0;
	for (unsigned int i = 0; i < count; i++)
		covers[i] = world_range((operand[0] + i) % spaces,
					(operand[1] + i * operand[3]) % WORLD_RANGES);
	return world_invalidate_batch(&execution->world, covers, count);
}

static int step_invalidate_all(struct execution *execution, const uint8_t *operand)
{
	if (execution->world.config->plain)
		return 0;
	memset(execution->changes, 0, sizeof(execution->changes));
	return world_invalidate_all(&execution->world);
}

static int block(struct execution *execution, const uint8_t *operand, bool whole)
{
	unsigned int space = operand[0], first = WORLD_PAGES + operand[1] * WORLD_PROBES;

	if (no_such_space(execution, space))
		return 0;
	memset(&execution->changes[space][first], 0, WORLD_PROBES);
	memset(&execution->mapped[space][first], true, WORLD_PROBES);
	return world_block(&execution->world, space, operand[1], operand[2], whole);
}

static int step_merge(struct execution *execution, const uint8_t *operand)
{
	return block(execution, operand, true);
}

static int step_split(struct execution *execution, const uint8_t *operand)
{
	return block(execution, operand, false);
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

	if (operand[1] >= world_spaces(&execution->world))
		return 0;
	rc = world_attach(&execution->world, operand[0], operand[1]);
	return rc == -EALREADY ? 0 : rc;
}

static int step_detach(struct execution *execution, const uint8_t *operand)
{
	int rc;

	if (no_such_place(execution, operand[1]))
		return 0;
	rc = world_detach(&execution->world, operand[0], operand[1]);
	return rc == -EALREADY ? 0 : rc;
}

static int step_detach_pasid(struct execution *execution, const uint8_t *operand)
{
	return step_detach(execution, (uint8_t[]){ operand[0], WORLD_BY_PASID });
}

static int step_reset(struct execution *execution, const uint8_t *operand)
{
	unsigned int device = operand[0];
	int rc = 0;

	/* A reset ends what the device was doing; nobody could judge a held DMA then. */
	if (!world_finish(&execution->world, device))
		return -EBADMSG;
	/* A guest that resets a device has it stop to ask, and answers what it asked for. */
	if (execution->world.config->pri)
		rc = pager_drain(execution);
	rc = rc ?: world_reset(&execution->world, device);
	atomic_fetch_add(&execution->world.ledger.resets[device], 1);
	return rc == -EALREADY ? 0 : rc;
}

typedef bool (*dma_fn)(struct world *world, unsigned int device, unsigned int place,
		       unsigned int slot);

static int dma(struct execution *execution, const uint8_t *operand, dma_fn fn)
{
	if (no_such_place(execution, operand[1]))
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

/* @weight: how often it is drawn, by enum step_mix */
static const struct {
	const char *name;
	unsigned int weight[STEP_MIXES];
	step_fn run;
	enum operand operands[4];
} ops[] = {
	{ "map", { 20, 24, 24 }, step_map, { SPACE, SLOT, TARGET, FLAG } },
	{ "unmap", { 6, 6, 6 }, step_unmap, { SPACE, SLOT } },
	{ "invalidate", { 12, 12, 12 }, step_invalidate, { SPACE, SLOT, FLAG } },
	{ "invalidate-space", { 3, 3, 3 }, step_invalidate_space, { SPACE } },
	{ "stage2-map", { 6, 6, 6 }, step_s2_map, { WINDOW, SPARE } },
	{ "stage2-unmap", { 6, 6, 6 }, step_s2_unmap, { WINDOW } },
	{ "attach", { 3, 4, 4 }, step_attach, { DEVICE, SPACE } },
	{ "detach-pasid", { 1, 0, 0 }, step_detach_pasid, { DEVICE } },
	{ "reset", { 1, 1, 1 }, step_reset, { DEVICE } },
	{ "read", { 30, 0, 0 }, step_read, { DEVICE, PLACE, SLOT } },
	{ "write", { 8, 0, 0 }, step_write, { DEVICE, PLACE, SLOT } },
	{ "hold", { 4, 0, 0 }, step_hold, { DEVICE, PLACE, SLOT } },
	{ "finish", { 2, 0, 0 }, step_finish, { DEVICE } },
	{ "detach", { 0, 2, 2 }, step_detach, { DEVICE, PLACE } },
	{ "invalidate-range", { 0, 4, 4 }, step_invalidate_range, { SPACE, RANGE, FLAG } },
	{ "invalidate-batch", { 0, 4, 4 }, step_invalidate_batch, { SPACE, SLOT, COUNT } },
	{ "invalidate-ranges", { 0, 2, 2 }, step_invalidate_ranges, { SPACE, RANGE, COUNT, FLAG } },
	{ "invalidate-all", { 0, 1, 1 }, step_invalidate_all },
	{ "merge", { 0, 2, 2 }, step_merge, { SPACE, BLOCK, AREA } },
	{ "split", { 0, 2, 2 }, step_split, { SPACE, BLOCK, AREA } },
	{ "serve", { 0, 0, 20 }, step_serve, { COUNT, TARGET, SPACE, RANGE } },
};

#define OPS (sizeof(ops) / sizeof(ops[0]))

static unsigned int draw_op(struct prng *prng, enum step_mix mix)
{
	unsigned int total = 0, op = 0, ticket;

	for (unsigned int i = 0; i < OPS; i++)
		total += ops[i].weight[mix];
	for (ticket = prng_below(prng, total); ticket >= ops[op].weight[mix]; op++)
		ticket -= ops[op].weight[mix];
	return op;
}

/* The hot half of the slots is where things meet. */
void step_draw(struct step *step, struct prng *prng, enum step_mix mix, unsigned int devices)
{
	*step = (struct step){ .op = draw_op(prng, mix) };
	for (unsigned int j = 0; j < 4 && ops[step->op].operands[j]; j++) {
		enum operand operand = ops[step->op].operands[j];
		unsigned int limit = operand == DEVICE ? devices :
				     mix == STEP_PROGRAM ? operands[operand].program :
				     operands[operand].stress;

		if (operand == SLOT && prng_below(prng, 2))
			limit = 3;
		step->operand[j] = prng_below(prng, limit);
	}
}

int step_run(struct execution *execution, const struct step *step)
{
	return ops[step->op].run(execution, step->operand);
}

bool step_resets(const struct step *step, unsigned int *device)
{
	*device = step->operand[0];
	return ops[step->op].run == step_reset;
}

bool step_invalidates(const struct step *step)
{
	return !strncmp(ops[step->op].name, "invalidate", strlen("invalidate"));
}

void step_line(const struct step *step, char *line, size_t size)
{
	int at = snprintf(line, size, "%s", ops[step->op].name);

	for (unsigned int j = 0; j < 4 && ops[step->op].operands[j] && at < (int)size; j++)
		at += snprintf(line + at, size - at, " %s %u",
			       operands[ops[step->op].operands[j]].name, step->operand[j]);
}

int execution_open(struct execution *execution, const struct world_config *config)
{
	memset(execution, 0, sizeof(*execution));
	memset(execution->window, 1, sizeof(execution->window));
	return world_open(&execution->world, config);
}
