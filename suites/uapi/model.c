// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random sequences of calls against a small model of the uAPI (harness/model).
 *
 * After every call the errno, the outputs, which ids exist, and all caches that the mock shows
 * are compared with the model. A sequence that goes wrong is shrunk to a short program, printed
 * with the command that replays it. From the environment:
 *
 *	NIT_SEED		the seed
 *	NIT_MODEL_SEQUENCES	how many sequences
 *	NIT_MODEL_STEPS		calls in each, at most 1024
 *	NIT_MODEL_FIRST		number of the first; with NIT_MODEL_SEQUENCES=1 only that one
 *	NIT_MODEL_FILE		runs the sequence in this file instead; notes of a failure are such
 *	NIT_MODEL_DUMP		writes the sequences, before they run, to this file; with
 *				/dev/stderr the last one in the results is what a crash was in
 *	NIT_MODEL_FAULT		plants a bug in the model, to see that it is found (model.h)
 */
#include <time.h>

#include "iommufd/assert.h"
#include "model/generator.h"
#include "model/shrink.h"

enum { SHRINK_RUNS = 400 };

/*
 * Seconds after which no new sequence starts: a busy machine runs fewer of them. What a sequence
 * is does not depend on it.
 */
enum { ENOUGH = NIT_TEST_TIMEOUT / 4 };

static const char * const rules[] = {
	[MISMATCH_RC] = "UAPI-97",
	[MISMATCH_OUTPUT] = "UAPI-98",
	[MISMATCH_OBJECTS] = "UAPI-99",
	[MISMATCH_CACHE] = "UAPI-99",
	[MISMATCH_OPEN] = "UAPI-97",
};

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoul(value, NULL, 0) : otherwise;
}

static int open_kernel(struct iommufd *iommufd, void *context)
{
	return __iommufd_open(iommufd);
}

static const struct sequence_target kernel = { .open = open_kernel };

static void note_program(const struct sequence *sequence, const struct run *run)
{
	char line[512];

	for (unsigned int step = 0; step <= run->step && step < sequence->count; step++) {
		run_line(sequence, run, step, line, sizeof(line));
		check_note("%s", line);
	}
	check_note("  %s", run->why);
}

FIXTURE(model) {
	struct sequence *sequence;
	struct run *run;
	FILE *dump;
	unsigned long done[OP_COUNT];
	unsigned long refused[OP_COUNT];
};

/* Many short ones see many starts; long ones see ids come back and objects pile up. */
FIXTURE_VARIANT(model) {
	unsigned long sequences;
	unsigned long steps;
	unsigned long stream;	/* of the first sequence */
};

FIXTURE_VARIANT_ADD(model, short) { .sequences = 160, .steps = 60, .stream = 0 };
FIXTURE_VARIANT_ADD(model, long) { .sequences = 6, .steps = 600, .stream = 1000000 };

FIXTURE_SETUP(model)
{
	struct iommufd iommufd;

	if (__iommufd_open(&iommufd))
		SKIP(return, "needs /dev/iommu (CONFIG_IOMMUFD)");
	if (__mock_present(&iommufd)) {
		iommufd_close(&iommufd);
		SKIP(return, "needs the mock driver (CONFIG_IOMMUFD_TEST)");
	}
	iommufd_close(&iommufd);
	self->sequence = calloc(1, sizeof(*self->sequence));
	self->run = calloc(1, sizeof(*self->run));
	ASSERT_NE(NULL, self->sequence);
	ASSERT_NE(NULL, self->run);
	self->run->fault = model_fault_parse(getenv("NIT_MODEL_FAULT"));
	ASSERT_NE(MODEL_FAULT_COUNT, self->run->fault);
	if (getenv("NIT_MODEL_DUMP"))
		self->dump = fopen(getenv("NIT_MODEL_DUMP"), "a");
}

FIXTURE_TEARDOWN(model)
{
	if (self->dump)
		fclose(self->dump);
	free(self->sequence);
	free(self->run);
}

/* Run it, and count what was compared. Return: true if kernel and model agree */
static bool agree(FIXTURE_DATA(model) *self)
{
	bool same;

	/* Before: a call may be the kernel's last. */
	if (self->dump) {
		sequence_print(self->sequence, self->dump);
		fflush(self->dump);
	}
	same = sequence_run(self->sequence, &kernel, self->run);
	for (unsigned long i = 0; i < self->run->comparisons; i++)
		check_count();
	for (int op = 0; op < OP_COUNT; op++) {
		self->done[op] += self->run->done[op];
		self->refused[op] += self->run->refused[op];
	}
	return same;
}

/* Sequence @stream of the seed, or the one of NIT_MODEL_FILE */
static bool get_sequence(FIXTURE_DATA(model) *self, unsigned long stream, unsigned long steps)
{
	const char *name = getenv("NIT_MODEL_FILE");
	unsigned int bad_line;
	FILE *in;

	if (!name) {
		sequence_generate(self->sequence, prng_seed(), stream, steps);
		return true;
	}
	in = fopen(name, "r");
	if (!in) {
		check_note("%s: %s", name, strerror(errno));
		return false;
	}
	bad_line = sequence_read(self->sequence, in);
	if (bad_line)
		check_note("%s:%u: no call", name, bad_line);
	fclose(in);
	return !bad_line;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void note_mix(FIXTURE_DATA(model) *self, unsigned long sequences)
{
	check_note("%lu sequences:", sequences);
	for (int op = 0; op < OP_COUNT; op++)
		check_note("%-18s %6lu done %6lu refused", request_op_name(op), self->done[op],
			   self->refused[op]);
}

/* A sequence went wrong: say how, in how few calls. */
static void note_failure(FIXTURE_DATA(model) *self)
{
	unsigned int calls = self->run->step + 1;
	unsigned int runs = shrink(self->sequence, &kernel, self->run, SHRINK_RUNS);

	check_note("model and kernel differ; shrunk from %u calls to %u in %u runs:", calls,
		   self->sequence->count, runs);
	note_program(self->sequence, self->run);
}

TEST_F(model, random_sequences)
{
	unsigned long first = setting("NIT_MODEL_FIRST", variant->stream);
	unsigned long count = setting("NIT_MODEL_SEQUENCES", variant->sequences);
	unsigned long steps = setting("NIT_MODEL_STEPS", variant->steps);
	double start = seconds();
	unsigned long i;

	RULE("UAPI-97");
	RULE("UAPI-98");
	RULE("UAPI-99");
	if (getenv("NIT_MODEL_FILE"))
		count = 1;
	for (i = first; i < first + count && (i == first || seconds() < start + ENOUGH); i++) {
		ASSERT_TRUE(get_sequence(self, i, steps));
		if (agree(self))
			continue;
		RULE(rules[self->run->kind]);
		note_failure(self);
		check_note("replay: NIT_SEED=%#llx NIT_MODEL_STEPS=%lu NIT_MODEL_FIRST=%lu %s",
			   (unsigned long long)prng_seed(), steps, i, "NIT_MODEL_SEQUENCES=1");
		ASSERT_EQ(MISMATCH_NONE, self->run->kind);
	}
	note_mix(self, i - first);
}

NIT_TEST_MAIN
