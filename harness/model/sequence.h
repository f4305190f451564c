/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sequences of calls: written and read as text, and run against a kernel (or whatever is behind
 * an iommufd) and the model side by side. After every call the run compares the reply, which ids
 * exist, and the content of all caches that the mock shows.
 */
#ifndef NIT_MODEL_SEQUENCE_H
#define NIT_MODEL_SEQUENCE_H

#include <stdbool.h>
#include <stdio.h>

#include "call.h"
#include "model.h"

struct sequence {
	unsigned int count;
	struct call call[CALL_TAGS];
};

/** sequence_print() - One line a call */
void sequence_print(const struct sequence *sequence, FILE *out);

/**
 * sequence_read() - The opposite; also reads the notes of a failed run
 *
 * Return: 0, or the number of the first line that is no call.
 */
unsigned int sequence_read(struct sequence *sequence, FILE *in);

/** struct sequence_target - opens what a sequence runs against; every run opens it anew */
struct sequence_target {
	int (*open)(struct iommufd *iommufd, void *context);
	void *context;
};

enum mismatch_kind {
	MISMATCH_NONE,
	MISMATCH_RC,		/* the errno */
	MISMATCH_OUTPUT,	/* ids, entry_num */
	MISMATCH_OBJECTS,	/* an id exists that should not, or the opposite */
	MISMATCH_CACHE,		/* a cache word that the mock shows */
	MISMATCH_OPEN,		/* no run at all: the target did not open */
};

/**
 * struct run - what a run gave
 * @kind: MISMATCH_NONE if model and target agree
 * @step: the call after which they did not
 * @why: expected and observed, one line
 * @fault: in: the bug of the model to compare with, normally MODEL_FAULT_NONE
 * @reply: the replies so far, by step
 * @comparisons: how many comparisons were made
 * @done: calls that succeeded, by op
 * @refused: calls that failed
 */
struct run {
	enum mismatch_kind kind;
	unsigned int step;
	char why[160];
	enum model_fault fault;
	struct reply reply[CALL_TAGS];
	unsigned long comparisons;
	unsigned long done[OP_COUNT];
	unsigned long refused[OP_COUNT];
};

/** sequence_run() - Run up to the first mismatch. Return: true if there is none */
bool sequence_run(const struct sequence *sequence, const struct sequence_target *target,
		  struct run *run);

/** run_line() - The call of @step with its reply as a comment */
void run_line(const struct sequence *sequence, const struct run *run, unsigned int step,
	      char *line, size_t size);

#endif
