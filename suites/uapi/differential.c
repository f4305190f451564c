// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same random calls to the kernel's mock and to the reference hypervisor: they answer with the
 * same errno, ids and counts. Where the kernel's errno is a known deviation from what is
 * documented, which the reference follows, the table says so.
 */
#include <errno.h>
#include <stdlib.h>
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

	NEEDS_KERNEL(return, "a kernel to compare it with");
	if (__iommufd_open(&iommufd))
		SKIP(return, "needs /dev/iommu (CONFIG_IOMMUFD)");
	if (__mock_present(&iommufd)) {
		iommufd_close(&iommufd);
		SKIP(return, "needs the mock driver (CONFIG_IOMMUFD_TEST)");
	}
	iommufd_close(&iommufd);
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

static const struct {
	enum request_op op;
	int kernel;
	int reference;
} deviations[] = {
	{ OP_HWPT_ALLOC, -EINVAL, -ENOENT },		/* UAPI-12: pt_id of nothing */
	{ OP_HWPT_INVALIDATE, -EINVAL, -EOPNOTSUPP },	/* UAPI-31: unsupported data_type */
};

static bool same_errno(enum request_op op, int kernel, int reference)
{
	for (size_t i = 0; i < ARRAY_SIZE(deviations); i++)
		if (deviations[i].op == op && deviations[i].kernel == kernel &&
		    deviations[i].reference == reference)
			return true;
	return kernel == reference;
}

static bool same_reply(enum request_op op, const struct reply *a, const struct reply *b)
{
	if (!same_errno(op, a->rc, b->rc) || a->entry_num != b->entry_num)
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
		EXPECT_TRUE(same_reply(self->sequence->call[step].op, &self->kernel->reply[step],
				       &self->reference->reply[step])) {
			run_line(self->sequence, self->kernel, step, line, sizeof(line));
			check_note("kernel:    %s", line);
			run_line(self->sequence, self->reference, step, line, sizeof(line));
			check_note("reference: %s", line);
		}
	}
}

/*
 * What the kernel does against its documentation is a deviation (deviations.tsv), and the reference
 * does not share it: a vEVENTQ of a type that nobody defined (UAPI-60) is not asked for here.
 */
static void leave_out_deviations(struct sequence *sequence)
{
	for (unsigned int i = 0; i < sequence->count; i++) {
		struct call *call = &sequence->call[i];

		if (call->op == OP_VEVENTQ_ALLOC && call->type != IOMMU_VEVENTQ_TYPE_SELFTEST)
			call->type = IOMMU_VEVENTQ_TYPE_DEFAULT;
	}
}

TEST_F(differential, kernel_and_reference_answer_alike)
{
	time_t start = time(NULL);

	RULE("UAPI-97");
	RULE("UAPI-98");
	for (unsigned int i = 0; i < SEQUENCES && time(NULL) < start + ENOUGH; i++) {
		sequence_generate(self->sequence, prng_seed(), 1000 + i, STEPS);
		leave_out_deviations(self->sequence);
		ASSERT_TRUE(sequence_run(self->sequence, &kernel, self->kernel))
			check_note("sequence %u, kernel: %s", 1000 + i, self->kernel->why);
		ASSERT_TRUE(sequence_run(self->sequence, &reference, self->reference))
			check_note("sequence %u, reference: %s", 1000 + i, self->reference->why);
		expect_same(_metadata, self);
	}
}

NIT_TEST_MAIN
