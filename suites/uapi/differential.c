// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same random calls to the kernel's mock and to the reference hypervisor: they succeed or fail
 * together, with the same ids and counts. Which errno a refused call may have is the model's to say
 * (model.c), for both of them: where a call is wrong in several ways, each may name another.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hyp/mock.h"
#include "iommufd/assert.h"
#include "iommufd/reference.h"
#include "model/generator.h"

enum { SEQUENCES = 40, STEPS = 100, ENOUGH = NIT_TEST_TIMEOUT / 4 };

static int open_kernel(struct iommufd *iommufd, void *context)
{
	return __iommufd_open(iommufd);
}

static int open_reference(struct iommufd *iommufd, void *context)
{
	return mock_iommufd_open(iommufd);
}

static const struct sequence_target kernel = { .open = open_kernel };
static const struct sequence_target reference = { .open = open_reference };

FIXTURE(differential)
{
	struct sequence *sequence;
	struct run *kernel;
	struct run *reference;
};

FIXTURE_SETUP(differential)
{
	struct iommufd iommufd;
	int pair[2];

	NEEDS_KERNEL(return, "a kernel to compare it with");
	if (__iommufd_open(&iommufd))
		SKIP(return, "needs /dev/iommu (CONFIG_IOMMUFD)");
	if (__mock_present(&iommufd)) {
		iommufd_close(&iommufd);
		SKIP(return, "needs the mock driver (CONFIG_IOMMUFD_TEST)");
	}
	iommufd_close(&iommufd);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		SKIP(return, "the reference needs local sockets (CONFIG_UNIX)");
	close(pair[0]);
	close(pair[1]);
	self->sequence = calloc(1, sizeof(*self->sequence));
	self->kernel = calloc(1, sizeof(*self->kernel));
	self->reference = calloc(1, sizeof(*self->reference));
	ASSERT_NE(NULL, self->sequence);
	ASSERT_NE(NULL, self->kernel);
	ASSERT_NE(NULL, self->reference);
}

FIXTURE_TEARDOWN(differential)
{
	free(self->sequence);
	free(self->kernel);
	free(self->reference);
}

static bool same_reply(const struct reply *a, const struct reply *b)
{
	if (!a->rc != !b->rc || a->entry_num != b->entry_num)
		return false;
	for (int i = 0; i < REPLY_IDS; i++)
		if (a->id[i] != b->id[i])
			return false;
	return true;
}

static void expect_same(struct __test_metadata *_metadata, FIXTURE_DATA(differential) *self)
{
	char line[512];

	for (unsigned int step = 0; step < self->sequence->count; step++) {
		EXPECT_TRUE(same_reply(&self->kernel->reply[step], &self->reference->reply[step])) {
			run_line(self->sequence, self->kernel, step, line, sizeof(line));
			check_note("kernel:    %s", line);
			run_line(self->sequence, self->reference, step, line, sizeof(line));
			check_note("reference: %s", line);
		}
	}
}

TEST_F(differential, kernel_and_reference_answer_alike)
{
	time_t start = time(NULL);

	RULE("UAPI-97");
	RULE("UAPI-98");
	for (unsigned int i = 0; i < SEQUENCES && time(NULL) < start + ENOUGH; i++) {
		sequence_generate(self->sequence, prng_seed(), 1000 + i, STEPS);
		ASSERT_TRUE(sequence_run(self->sequence, &kernel, self->kernel))
			check_note("sequence %u, kernel: %s", 1000 + i, self->kernel->why);
		ASSERT_TRUE(sequence_run(self->sequence, &reference, self->reference))
			check_note("sequence %u, reference: %s", 1000 + i, self->reference->why);
		expect_same(_metadata, self);
	}
}

NIT_TEST_MAIN
