// SPDX-License-Identifier: GPL-2.0-only
/* The reference hypervisor against the model of the uAPI: random sequences on the mock vendor. */
#include <stdlib.h>

#include "core/test.h"
#include "hyp/mock.h"
#include "model/generator.h"
#include "model/shrink.h"

enum { SEQUENCES = 60, STEPS = 80, SHRINK_RUNS = 200 };

static int open_reference(struct iommufd *iommufd, void *context)
{
	return mock_iommufd_open(iommufd);
}

static const struct sequence_target reference = { .open = open_reference };

static void note_program(const struct sequence *sequence, const struct run *run)
{
	char line[512];

	for (unsigned int step = 0; step <= run->step && step < sequence->count; step++) {
		run_line(sequence, run, step, line, sizeof(line));
		check_note("%s", line);
	}
	check_note("%s", run->why);
}

TEST(random_sequences_agree_with_the_model)
{
	RULE("UAPI-97");
	RULE("UAPI-98");
	RULE("UAPI-99");
	struct sequence *sequence = calloc(1, sizeof(*sequence));
	struct run *run = calloc(1, sizeof(*run));

	ASSERT_NE(NULL, sequence);
	ASSERT_NE(NULL, run);
	for (unsigned int i = 0; i < SEQUENCES; i++) {
		sequence_generate(sequence, prng_seed(), i, STEPS);
		ASSERT_TRUE(sequence_run(sequence, &reference, run)) {
			shrink(sequence, &reference, run, SHRINK_RUNS);
			note_program(sequence, run);
		}
	}
	free(run);
	free(sequence);
}

NIT_TEST_MAIN
