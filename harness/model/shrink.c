// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "shrink.h"

/**
 * struct shrinker - a sequence on its way down
 * @best: the shortest so far that fails
 * @best_run: its run
 * @trial: what is tried
 * @trial_run: its run
 * @left: runs that may still be spent
 */
struct shrinker {
	const struct sequence_target *target;
	struct sequence *best;
	struct run *best_run;
	struct sequence trial;
	struct run trial_run;
	unsigned int left;
};

/* The struct is big, most sequences are not. */
static void copy_calls(struct sequence *to, const struct sequence *from)
{
	to->count = from->count;
	memcpy(to->call, from->call, from->count * sizeof(from->call[0]));
}

/* Run the trial; if it fails like the best, it is the best. */
static bool try(struct shrinker *shrinker)
{
	struct run *run = &shrinker->trial_run;
	const struct run *best = shrinker->best_run;

	if (!shrinker->left)
		return false;
	shrinker->left--;
	run->fault = best->fault;
	if (sequence_run(&shrinker->trial, shrinker->target, run) || run->kind != best->kind ||
	    shrinker->trial.call[run->step].op != shrinker->best->call[best->step].op)
		return false;
	shrinker->trial.count = run->step + 1;
	copy_calls(shrinker->best, &shrinker->trial);
	*shrinker->best_run = *run;
	return true;
}

static bool try_without(struct shrinker *shrinker, unsigned int start, unsigned int length)
{
	struct sequence *trial = &shrinker->trial;

	copy_calls(trial, shrinker->best);
	memmove(&trial->call[start], &trial->call[start + length],
		(trial->count - start - length) * sizeof(trial->call[0]));
	trial->count -= length;
	return try(shrinker);
}

/* From the end, where calls have the fewest users. The last call, the one that fails, stays. */
static bool take_out_calls(struct shrinker *shrinker, unsigned int length)
{
	bool progress = false;
	unsigned int end = shrinker->best->count - 1;

	while (end >= length && shrinker->left) {
		if (try_without(shrinker, end - length, length))
			progress = true;
		end -= length;
		if (end > shrinker->best->count - 1)
			end = shrinker->best->count - 1;
	}
	return progress;
}

static bool take_out_entries(struct shrinker *shrinker, unsigned int step)
{
	bool progress = false;

	for (int n = CALL_ENTRIES - 1; n >= 0; n--) {
		struct call *call = &shrinker->trial.call[step];

		copy_calls(&shrinker->trial, shrinker->best);
		if (call->entry_num > CALL_ENTRIES || n >= call->entry_num)
			continue;
		memmove(call->entry[n], call->entry[n + 1],
			(CALL_ENTRIES - 1 - n) * sizeof(call->entry[0]));
		call->entry_num--;
		progress |= try(shrinker);
	}
	return progress;
}

/* Flags that do not matter go; what they need (a fault queue) can then go, too. */
static bool take_out_flags(struct shrinker *shrinker, unsigned int step)
{
	bool progress = false;

	for (uint32_t bit = 1; bit; bit <<= 1) {
		if (!(shrinker->best->call[step].flags & bit))
			continue;
		copy_calls(&shrinker->trial, shrinker->best);
		shrinker->trial.call[step].flags &= ~bit;
		progress |= try(shrinker);
	}
	if (shrinker->best->call[step].fault.kind != REF_ZERO) {
		copy_calls(&shrinker->trial, shrinker->best);
		shrinker->trial.call[step].fault = (struct call_ref){ REF_ZERO };
		progress |= try(shrinker);
	}
	return progress;
}

static const struct call *find_call(const struct sequence *sequence, uint16_t tag)
{
	for (unsigned int step = 0; step < sequence->count; step++)
		if (sequence->call[step].tag == tag)
			return &sequence->call[step];
	return NULL;
}

static bool try_ref(struct shrinker *shrinker, unsigned int step, size_t offset,
		    struct call_ref ref)
{
	copy_calls(&shrinker->trial, shrinker->best);
	*(struct call_ref *)((char *)&shrinker->trial.call[step] + offset) = ref;
	return try(shrinker);
}

/*
 * In place of an object, what it was built on, or the first of its kind: then calls that made
 * the other one can go.
 */
static bool shorten_ref(struct shrinker *shrinker, unsigned int step, size_t offset)
{
	const struct call_ref *ref = (void *)((char *)&shrinker->best->call[step] + offset);
	const struct call *made_by = find_call(shrinker->best, ref->tag), *call;

	if (ref->kind != REF_TAG || !made_by)
		return false;
	if (made_by->pt.kind == REF_TAG && try_ref(shrinker, step, offset, made_by->pt))
		return true;
	for (call = shrinker->best->call; call < made_by; call++)
		if (call->op == made_by->op &&
		    try_ref(shrinker, step, offset,
			    (struct call_ref){ REF_TAG, call->tag, ref->member }))
			return true;
	return false;
}

static bool shorten_refs(struct shrinker *shrinker, unsigned int step)
{
	bool progress = shorten_ref(shrinker, step, offsetof(struct call, dev));

	return shorten_ref(shrinker, step, offsetof(struct call, pt)) || progress;
}

static bool take_out_details(struct shrinker *shrinker)
{
	bool progress = false;

	for (unsigned int step = 0; step < shrinker->best->count; step++) {
		if (shrinker->best->call[step].op == OP_HWPT_INVALIDATE)
			progress |= take_out_entries(shrinker, step);
		else
			progress |= take_out_flags(shrinker, step);
		progress |= shorten_refs(shrinker, step);
	}
	return progress;
}

unsigned int shrink(struct sequence *sequence, const struct sequence_target *target,
		    struct run *run, unsigned int budget)
{
	struct shrinker *shrinker = calloc(1, sizeof(*shrinker));
	unsigned int spent;
	bool progress;

	if (!shrinker)
		abort();
	shrinker->target = target;
	shrinker->best = sequence;
	shrinker->best_run = run;
	shrinker->left = budget;
	sequence->count = run->step + 1;
	do {
		progress = false;
		for (unsigned int length = sequence->count / 2; length; length /= 2)
			progress |= take_out_calls(shrinker, length);
		progress |= take_out_details(shrinker);
	} while (progress && shrinker->left);
	spent = budget - shrinker->left;
	free(shrinker);
	return spent;
}
