// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model-based random test, tested without a kernel: sequences run against a twin of the
 * model, clean or with one of the named bugs. Every bug must be found and shrunk to a program
 * that a person reads at once; the clean twin must agree with the model in everything.
 */
#include "core/test.h"
#include "model/generator.h"
#include "model/shrink.h"
#include "model/twin.h"

enum { SEQUENCES = 100, STEPS = 60, BUDGET = 400 };

static const uint64_t seed = 0x5eed;

static int open_twin(struct iommufd *iommufd, void *context)
{
	return __twin_open(iommufd, *(const enum model_fault *)context);
}

/* Sequences of the seed until one fails; false if none does. The failing one is in @sequence. */
static bool find_failure(const struct sequence_target *target, struct sequence *sequence,
			 struct run *run)
{
	for (unsigned int i = 0; i < SEQUENCES; i++) {
		sequence_generate(sequence, seed, i, STEPS);
		if (!sequence_run(sequence, target, run))
			return true;
	}
	return false;
}

static void note_program(const struct sequence *sequence, const struct run *run)
{
	char line[512];

	for (unsigned int step = 0; step < sequence->count; step++) {
		run_line(sequence, run, step, line, sizeof(line));
		check_note("%s", line);
	}
	check_note("  %s", run->why);
}

/* ---- Bugs of the twin are found ---- */

FIXTURE(faulty_twin) {
	struct sequence sequence;
	struct run run;
};

/*
 * @kind: how it shows; MISMATCH_NONE: in more than one way
 * @calls: how short the program must become; the comments say what a person would write
 */
FIXTURE_VARIANT(faulty_twin) {
	enum model_fault fault;
	enum mismatch_kind kind;
	unsigned int calls;
};

#define FAULT(_name, _fault, _kind, _calls) \
	FIXTURE_VARIANT_ADD(faulty_twin, _name) { \
		.fault = MODEL_FAULT_##_fault, .kind = MISMATCH_##_kind, .calls = _calls, \
	}

/* ioas, device, parent, nested, invalidate */
FAULT(invalidate_all_misses_last, INVALIDATE_ALL_MISSES_LAST, CACHE, 6);
FAULT(invalidate_hits_neighbour, INVALIDATE_HITS_NEIGHBOUR, CACHE, 6);
FAULT(bad_entry_skipped, BAD_ENTRY_SKIPPED, CACHE, 6);
FAULT(entry_num_off_by_one, ENTRY_NUM_OFF_BY_ONE, OUTPUT, 6);
/* ioas, two devices, parent, viommu, vdevice, invalidate */
FAULT(invalidate_hits_other_device, INVALIDATE_HITS_OTHER_DEVICE, CACHE, 7);
/* invalidate */
FAULT(entry_num_kept_on_error, ENTRY_NUM_KEPT_ON_ERROR, OUTPUT, 1);
/* ioas, device, destroy of ioas or automatic hwpt */
FAULT(destroy_ignores_users, DESTROY_IGNORES_USERS, RC, 3);
/* ioas, device, hwpt, its destroy, destroy of ioas after the device: or a viommu less */
FAULT(destroy_leaks, DESTROY_LEAKS, RC, 7);
/* ioas, device, fault queue, hwpt with it, close, destroy of the queue */
FAULT(fault_queue_not_held, FAULT_QUEUE_NOT_HELD, RC, 6);
/* ioas, two devices, parent, viommu, two vdevices */
FAULT(virt_id_shared, VIRT_ID_SHARED, RC, 7);
/* ioas, device, parent, viommu, two vdevices */
FAULT(vdevice_twice, VDEVICE_TWICE, RC, 7);
/* ioas, device, parent, viommu, two veventqs */
FAULT(veventq_twice, VEVENTQ_TWICE, RC, 6);
/* ioas, device, nested on the automatic hwpt */
FAULT(nested_on_plain, NESTED_ON_PLAIN, RC, 4);
/* ioas, device, parent, viommu, nested, attach */
FAULT(attach_needs_no_vdevice, ATTACH_NEEDS_NO_VDEVICE, RC, 6);
/* ioas, device, hwpt, attach, failed attach, destroy of hwpt: or of the automatic one */
FAULT(failed_attach_detaches, FAILED_ATTACH_DETACHES, NONE, 5);
/* hwpt_alloc */
FAULT(failed_alloc_leaks, FAILED_ALLOC_LEAKS, OBJECTS, 1);
/* ioas, device, parent, viommu, vdevice, destroy of mock, something new with that id */
FAULT(tombstone_reused, TOMBSTONE_REUSED, OUTPUT, 10);
FAULT(id_not_unique, ID_NOT_UNIQUE, OUTPUT, 6);
/* ioas, destroy */
FAULT(stale_id_lives, STALE_ID_LIVES, OBJECTS, 4);

FIXTURE_SETUP(faulty_twin)
{
}

FIXTURE_TEARDOWN(faulty_twin)
{
}

TEST_F(faulty_twin, is_found_and_shrunk)
{
	enum model_fault fault = variant->fault;
	struct sequence_target target = { open_twin, &fault };

	ASSERT_TRUE(find_failure(&target, &self->sequence, &self->run));
	shrink(&self->sequence, &target, &self->run, BUDGET);
	EXPECT_NE(MISMATCH_NONE, self->run.kind);
	if (variant->kind)
		EXPECT_EQ(variant->kind, self->run.kind);
	EXPECT_LE(self->sequence.count, variant->calls);
	note_program(&self->sequence, &self->run);
}

/* The shrunk program fails as text read back, and does not fail without the bug. */
TEST_F(faulty_twin, program_replays_from_text)
{
	enum model_fault fault = variant->fault;
	struct sequence_target target = { open_twin, &fault };
	char text[8192] = "";
	FILE *file = fmemopen(text, sizeof(text), "w+");

	ASSERT_NE(NULL, file);
	ASSERT_TRUE(find_failure(&target, &self->sequence, &self->run));
	shrink(&self->sequence, &target, &self->run, BUDGET);
	sequence_print(&self->sequence, file);
	rewind(file);
	ASSERT_EQ(0u, sequence_read(&self->sequence, file));
	fclose(file);
	EXPECT_FALSE(sequence_run(&self->sequence, &target, &self->run));
	fault = MODEL_FAULT_NONE;
	EXPECT_TRUE(sequence_run(&self->sequence, &target, &self->run));
}

/* The other way round: a bug of the model shows on a good kernel. */
TEST_F(faulty_twin, model_with_the_bug_is_found)
{
	enum model_fault clean = MODEL_FAULT_NONE;
	struct sequence_target target = { open_twin, &clean };
	/* Two bugs are in the choice of ids, which the model of a run leaves to the kernel. */
	bool shows = variant->fault != MODEL_FAULT_TOMBSTONE_REUSED &&
		     variant->fault != MODEL_FAULT_ID_NOT_UNIQUE;

	self->run.fault = variant->fault;
	EXPECT_EQ(shows, find_failure(&target, &self->sequence, &self->run));
}

/* ---- Everything else ---- */

FIXTURE(twin) {
	struct sequence sequence;
	struct sequence other;
	struct run run;
	enum model_fault fault;
	struct sequence_target target;
};

FIXTURE_SETUP(twin)
{
	self->fault = MODEL_FAULT_NONE;
	self->target = (struct sequence_target){ open_twin, &self->fault };
}

FIXTURE_TEARDOWN(twin)
{
}

TEST_F(twin, agrees_with_the_model)
{
	for (unsigned int i = 0; i < SEQUENCES; i++) {
		bool same;

		sequence_generate(&self->sequence, seed, i, STEPS);
		same = sequence_run(&self->sequence, &self->target, &self->run);
		if (!same)
			note_program(&self->sequence, &self->run);
		ASSERT_TRUE(same);
	}
}

/* Over so many steps objects pile up and ids come back. */
TEST_F(twin, agrees_with_the_model_for_long)
{
	for (unsigned int i = 0; i < 4; i++) {
		sequence_generate(&self->sequence, seed, i, CALL_TAGS);
		EXPECT_EQ(CALL_TAGS, self->sequence.count);
		ASSERT_TRUE(sequence_run(&self->sequence, &self->target, &self->run));
		EXPECT_EQ(CALL_TAGS, self->run.step);
	}
}

/* A generator that only makes mistakes tests nothing. */
TEST_F(twin, most_ops_succeed_and_all_are_refused_at_times)
{
	unsigned long done[OP_COUNT] = {}, refused[OP_COUNT] = {};

	for (unsigned int i = 0; i < SEQUENCES; i++) {
		sequence_generate(&self->sequence, seed, i, STEPS);
		ASSERT_TRUE(sequence_run(&self->sequence, &self->target, &self->run));
		for (int op = 0; op < OP_COUNT; op++) {
			done[op] += self->run.done[op];
			refused[op] += self->run.refused[op];
		}
	}
	for (int op = 0; op < OP_COUNT; op++) {
		TH_LOG("%-20s %6lu done %6lu refused", request_op_name(op), done[op],
		       refused[op]);
		EXPECT_GT(done[op], (done[op] + refused[op]) * 2 / 5);
		if (op != OP_IOAS_ALLOC && op != OP_FAULT_QUEUE_ALLOC && op != OP_CLOSE)
			EXPECT_GT(refused[op], (done[op] + refused[op]) / 10);
	}
}

TEST_F(twin, seed_and_stream_make_the_sequence)
{
	sequence_generate(&self->sequence, seed, 7, STEPS);
	sequence_generate(&self->other, seed, 7, STEPS);
	EXPECT_EQ(0, memcmp(&self->sequence, &self->other, sizeof(self->other)));
	sequence_generate(&self->other, seed, 8, STEPS);
	EXPECT_NE(0, memcmp(&self->sequence, &self->other, sizeof(self->other)));
	sequence_generate(&self->other, seed + 1, 7, STEPS);
	EXPECT_NE(0, memcmp(&self->sequence, &self->other, sizeof(self->other)));
}

/* Printing what was read gives the same text; not every unused field is in the text. */
TEST_F(twin, text_round_trip)
{
	char line[512], again[512];
	struct call call;

	for (unsigned int i = 0; i < SEQUENCES; i++) {
		sequence_generate(&self->sequence, seed, i, STEPS);
		for (unsigned int step = 0; step < STEPS; step++) {
			call_print(&self->sequence.call[step], line, sizeof(line));
			ASSERT_TRUE(call_parse(line, &call)) {
				check_note("%s", line);
			}
			call_print(&call, again, sizeof(again));
			ASSERT_STREQ(line, again);
		}
	}
}

TEST_F(twin, text_that_is_no_call_is_refused)
{
	static const char * const bad[] = {
		"", "t1", "t1 =", "t1 = ;", "t1 = foo();", "t1 = destroy", "t1 = destroy(",
		"t1 = destroy(.pt = t2)", "t1 = destroy(.pt = );", "t1 = destroy(.dev = t2);",
		"t1 = destroy(.pt = t2", "t1024 = ioas_alloc();", "x1 = ioas_alloc();",
		"t1 = destroy(.pt = t2000);", "t1 = destroyed(.pt = t2);", "t1 = dest(.pt = t2);",
		"t1 = mock_device_create(.pt = t0, .flags = -1);",
		"t1 = mock_device_create(.pt = t0, .flags = 0x100000000);",
		"t1 = hwpt_invalidate(.entries = what);",
		"t1 = hwpt_invalidate(.entries = hwpt {1});",
		"t1 = hwpt_invalidate(.entries = hwpt {1, 2, 3, 4});",
		"t1 = hwpt_invalidate(.entries = hwpt {1,1,1}{1,1,1}{1,1,1}{1,1,1}{1,1,1}{1,1,1}"
		"{1,1,1});",
	};
	struct call call;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_FALSE(call_parse(bad[i], &call)) {
			check_note("taken: %s", bad[i]);
		}
	}
}

/* What a failed run prints can be pasted into a file: "# note: " before, a comment after. */
TEST_F(twin, notes_of_a_failure_are_read)
{
	char text[] =
		"# note: model and kernel differ; shrunk from 60 calls to 2 in 40 runs:\n"
		"# note: t3 = ioas_alloc(); /* 0, id 1 */\n"
		"# note: t9 = destroy(.pt = t3); /* -EBUSY */\n"
		"# note:   expected 0, observed -EBUSY\n"
		"\n";
	FILE *file = fmemopen(text, strlen(text), "r");

	ASSERT_NE(NULL, file);
	EXPECT_EQ(0u, sequence_read(&self->sequence, file));
	fclose(file);
	ASSERT_EQ(2u, self->sequence.count);
	EXPECT_EQ(OP_DESTROY, self->sequence.call[1].op);
	EXPECT_EQ(3, self->sequence.call[1].pt.tag);
}

TEST_F(twin, bad_line_of_a_file_is_named)
{
	char text[] = "t0 = ioas_alloc();\nt1 = nothing();\n";
	FILE *file = fmemopen(text, strlen(text), "r");

	ASSERT_NE(NULL, file);
	EXPECT_EQ(2u, sequence_read(&self->sequence, file));
	fclose(file);
}

static int open_fails(struct iommufd *iommufd, void *context)
{
	return -EMFILE;
}

TEST_F(twin, target_that_does_not_open_is_a_mismatch)
{
	struct sequence_target target = { open_fails };

	sequence_generate(&self->sequence, seed, 0, STEPS);
	EXPECT_FALSE(sequence_run(&self->sequence, &target, &self->run));
	EXPECT_EQ(MISMATCH_OPEN, self->run.kind);
}

TEST_F(twin, shrinking_keeps_to_its_budget)
{
	self->fault = MODEL_FAULT_VIRT_ID_SHARED;
	ASSERT_TRUE(find_failure(&self->target, &self->sequence, &self->run));
	EXPECT_EQ(3u, shrink(&self->sequence, &self->target, &self->run, 3));
	EXPECT_FALSE(sequence_run(&self->sequence, &self->target, &self->run));
	EXPECT_EQ(0u, shrink(&self->sequence, &self->target, &self->run, 0));
}

/* No call of a shrunk program can be left out. */
TEST_F(twin, shrunk_program_is_minimal)
{
	self->fault = MODEL_FAULT_INVALIDATE_HITS_OTHER_DEVICE;
	ASSERT_TRUE(find_failure(&self->target, &self->sequence, &self->run));
	shrink(&self->sequence, &self->target, &self->run, BUDGET);
	for (unsigned int out = 0; out < self->sequence.count; out++) {
		self->other.count = 0;
		for (unsigned int i = 0; i < self->sequence.count; i++)
			if (i != out)
				self->other.call[self->other.count++] = self->sequence.call[i];
		EXPECT_TRUE(sequence_run(&self->other, &self->target, &self->run));
	}
}

TEST_F(twin, fault_names_are_names)
{
	for (int fault = 0; fault < MODEL_FAULT_COUNT; fault++) {
		ASSERT_NE(NULL, model_fault_name(fault));
		EXPECT_EQ(fault, model_fault_parse(model_fault_name(fault)));
	}
	EXPECT_EQ(NULL, model_fault_name(MODEL_FAULT_COUNT));
	EXPECT_EQ(MODEL_FAULT_NONE, model_fault_parse(NULL));
	EXPECT_EQ(MODEL_FAULT_NONE, model_fault_parse(""));
	EXPECT_EQ(MODEL_FAULT_COUNT, model_fault_parse("no-such-bug"));
}

NIT_TEST_MAIN
