// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sequence.h"

/* ---- Text ---- */

void sequence_print(const struct sequence *sequence, FILE *out)
{
	char line[512];

	for (unsigned int i = 0; i < sequence->count; i++) {
		call_print(&sequence->call[i], line, sizeof(line));
		fprintf(out, "%s\n", line);
	}
}

/* Lines of a failed run start so (core/check.c); what is no call in them is no error. */
static const char note[] = "# note: ";

unsigned int sequence_read(struct sequence *sequence, FILE *in)
{
	unsigned int number = 0;
	char line[512];

	sequence->count = 0;
	while (fgets(line, sizeof(line), in)) {
		bool noted = !strncmp(line, note, sizeof(note) - 1);
		const char *text = noted ? line + sizeof(note) - 1 : line;
		struct call *call = &sequence->call[sequence->count];

		number++;
		if (sequence->count < CALL_TAGS && call_parse(text, call))
			sequence->count++;
		else if (!noted && *text != '#' && *text != '\n')
			return number;
	}
	return 0;
}

void run_line(const struct sequence *sequence, const struct run *run, unsigned int step,
	      char *line, size_t size)
{
	const struct reply *reply = &run->reply[step];
	int at = call_print(&sequence->call[step], line, size);

	if (reply->rc)
		at += snprintf(line + at, size - at, " /* -%s",
			       strerrorname_np(-reply->rc) ?: "?");
	else
		at += snprintf(line + at, size - at, " /* 0");
	for (int i = 0; i < REPLY_IDS && reply->id[i] && at < size; i++)
		at += snprintf(line + at, size - at, ", id %u", reply->id[i]);
	if (sequence->call[step].op == OP_HWPT_INVALIDATE && at < size)
		at += snprintf(line + at, size - at, ", entry_num %u", reply->entry_num);
	if (at < size)
		snprintf(line + at, size - at, " */");
}

/* ---- Running ---- */

/**
 * struct runner - a run in progress
 * @last_id: the greatest id seen; ids a little above it are looked at too
 */
struct runner {
	struct iommufd iommufd;
	struct model model;
	struct call_ids ids;
	struct call_memory memory;
	uint32_t last_id;
};

enum { IDS_ABOVE = 3 };

static bool compare_objects(struct runner *runner, struct run *run)
{
	for (uint32_t id = 1; id <= runner->last_id + IDS_ABOVE; id++) {
		uint32_t none = 0;
		int expected = model_probe(&runner->model, id);
		int rc = __hwpt_invalidate(&runner->iommufd, id,
					   IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, NULL, 0, &none);

		run->comparisons++;
		if (rc == expected)
			continue;
		snprintf(run->why, sizeof(run->why),
			 "after it, empty hwpt_invalidate of id %u: expected %s%s, observed %s%s",
			 id, expected ? "-" : "", expected ? strerrorname_np(-expected) : "0",
			 rc ? "-" : "", rc ? strerrorname_np(-rc) ?: "?" : "0");
		return false;
	}
	return true;
}

static bool compare_words(struct runner *runner, const struct model_object *object,
			  struct run *run)
{
	bool nested = object->type == MODEL_NESTED;

	for (uint32_t i = 0; i < MODEL_WORDS; i++) {
		int rc = nested ? __mock_check_iotlb(&runner->iommufd, object->id, i,
						     object->word[i]) :
				  __mock_check_cache(&runner->iommufd, object->id, i,
						     object->word[i]);

		run->comparisons++;
		if (!rc)
			continue;
		snprintf(run->why, sizeof(run->why),
			 "after it, %s word %u of id %u: expected %#x, observed another (-%s)",
			 nested ? "IOTLB" : "cache", i, object->id, object->word[i],
			 strerrorname_np(-rc) ?: "?");
		return false;
	}
	return true;
}

static bool compare_caches(struct runner *runner, struct run *run)
{
	for (unsigned int i = 0; i < runner->model.end; i++) {
		const struct model_object *object = &runner->model.objects[i];

		if ((object->type == MODEL_NESTED || object->type == MODEL_DEVICE) &&
		    !compare_words(runner, object, run))
			return false;
	}
	return true;
}

static void step(struct runner *runner, const struct call *call, struct reply *reply,
		 struct run *run)
{
	static const enum mismatch_kind kinds[] = {
		[MODEL_RIGHT] = MISMATCH_NONE,
		[MODEL_WRONG_RC] = MISMATCH_RC,
		[MODEL_WRONG_OUTPUT] = MISMATCH_OUTPUT,
	};
	struct request request;

	call_request(call, &runner->ids, &runner->memory, &request);
	request_execute(&runner->iommufd, &request, reply);
	run->comparisons++;
	run->kind = kinds[model_apply(&runner->model, &request, reply, run->why,
				      sizeof(run->why))];
	call_ids_store(&runner->ids, call, reply);
	for (int i = 0; i < REPLY_IDS; i++)
		if (!reply->rc && reply->id[i] > runner->last_id)
			runner->last_id = reply->id[i];
	if (reply->rc)
		run->refused[call->op]++;
	else
		run->done[call->op]++;
	if (!run->kind && !compare_objects(runner, run))
		run->kind = MISMATCH_OBJECTS;
	if (!run->kind && !compare_caches(runner, run))
		run->kind = MISMATCH_CACHE;
}

static void runner_close(struct runner *runner)
{
	for (int tag = 0; tag < CALL_TAGS; tag++)
		if (runner->ids.fd[tag] >= 0)
			close(runner->ids.fd[tag]);
	iommufd_close(&runner->iommufd);
	call_memory_free(&runner->memory);
}

bool sequence_run(const struct sequence *sequence, const struct sequence_target *target,
		  struct run *run)
{
	struct runner *runner = calloc(1, sizeof(*runner));
	enum model_fault fault = run->fault;
	int rc;

	if (!runner || call_memory_init(&runner->memory))
		abort();
	memset(run, 0, sizeof(*run));
	run->fault = fault;
	model_init(&runner->model, fault);
	call_ids_init(&runner->ids);
	rc = target->open(&runner->iommufd, target->context);
	if (rc) {
		run->kind = MISMATCH_OPEN;
		snprintf(run->why, sizeof(run->why), "opening an iommufd: -%s",
			 strerrorname_np(-rc) ?: "?");
		call_memory_free(&runner->memory);
		free(runner);
		return false;
	}
	for (; run->step < sequence->count; run->step++) {
		if (model_room(&runner->model) < REPLY_IDS)
			break;
		step(runner, &sequence->call[run->step], &run->reply[run->step], run);
		if (run->kind)
			break;
	}
	runner_close(runner);
	free(runner);
	return !run->kind;
}
