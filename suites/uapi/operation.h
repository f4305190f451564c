/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every allocation of every nesting call fails once.
 *
 * Each operation is called in a fresh world with n = 1, 2, 3, ... until a call passes fewer than
 * n points that can fail. Whatever point failed, the call must either do all of its work or fail
 * and leave everything as it was, and every object must be destroyable afterwards: an object that
 * cannot be is a reference that leaked.
 *
 * One failure by itself does not reach all of the code: an xarray that gets no node asks again. So
 * each operation is also called with the n-th point and every later allocation of the thread
 * failing: memory runs out, and stays short.
 *
 * For a program that names its operations with OPERATION() and includes this once.
 */
#ifndef NIT_UAPI_OPERATION_H
#define NIT_UAPI_OPERATION_H

#include <stdlib.h>
#include <unistd.h>

#include "injection.h"
#include "world.h"

#define MAX_POINTS 4000		/* a runaway guard only; fork() passes the most, some hundred */

/**
 * struct operation - one call and how to judge it
 * @prepare: what must be there first; optional
 * @call: the call under test; 0 or -errno
 * @done: what the call is for has happened; optional
 * @not_done: nothing has happened; optional
 * @undo: back to before the call, so that every object can be destroyed; NULL destroys @made
 * @rule: the rule it stands for
 * @cannot_fail: succeeds whatever fails, and may need nothing that can fail
 */
struct operation {
	void (*prepare)(struct __test_metadata *_metadata, struct world *w);
	int (*call)(struct world *w);
	void (*done)(struct __test_metadata *_metadata, struct world *w);
	void (*not_done)(struct __test_metadata *_metadata, struct world *w);
	void (*undo)(struct __test_metadata *_metadata, struct world *w);
	const char *rule;
	bool cannot_fail;
};

static inline void undo_nothing(struct __test_metadata *_metadata, struct world *w)
{
}

static inline int replace(struct world *w, uint32_t pt_id)
{
	return __mock_device_replace(&w->vm.iommufd, w->vm.dev.stdev_id, pt_id);
}

static inline void prepare_on_fault(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, replace(w, w->faulting));
}

static inline void undo_replace(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, replace(w, w->vm.nested));
}

FIXTURE(operation)
{
	struct injection injection;
	bool ready;
};

FIXTURE_VARIANT(operation)
{
	struct operation op;
};

#define OPERATION(_name, ...) \
	FIXTURE_VARIANT_ADD(operation, _name) { .op = { __VA_ARGS__ } }

/* False, and the test skipped, where the kernel has no mock or cannot inject failures. */
static bool setup(struct __test_metadata *_metadata, struct injection *injection)
{
	struct world w;

	NEEDS_KERNEL(return false, "allocations that fail");
	if (!world_make(_metadata, &w))
		return false;
	world_destroy(_metadata, &w);
	if (!injection_start(injection)) {
		injection_stop(injection);
		SKIP(return false, "needs fault injection (failslab, fail_page_alloc in debugfs)");
	}
	return true;
}

FIXTURE_SETUP(operation)
{
	self->ready = setup(_metadata, &self->injection);
}

FIXTURE_TEARDOWN(operation)
{
	injection_stop(&self->injection);
}

static void undo(struct __test_metadata *_metadata, const struct operation *op, struct world *w)
{
	if (op->undo) {
		op->undo(_metadata, w);
		return;
	}
	if (w->made_fd >= 0) {
		ASSERT_EQ(0, close(w->made_fd));
	}
	w->made_fd = -1;
	if (w->made) {
		iommufd_destroy(&w->vm.iommufd, w->made);
	}
	w->made = 0;
}

/* The call failed: nothing is made, nothing has changed, and it can be done now. */
static void check_refused(struct __test_metadata *_metadata, const struct operation *op,
			  struct world *w)
{
	EXPECT_EQ(0, w->made);
	EXPECT_EQ(-1, w->made_fd);
	if (w->ids_are_reused) {
		EXPECT_EQ(w->next_id, next_free_id(_metadata, w));
	}
	if (op->not_done)
		op->not_done(_metadata, w);
	ASSERT_EQ(0, op->call(w));
}

/* One call with its nth point failing. Returns false if it has fewer points. */
static bool fail_once(struct __test_metadata *_metadata, struct injection *injection,
		      const struct operation *op, unsigned int nth)
{
	enum injector who;
	struct world w;
	int rc;

	if (!world_make(_metadata, &w))
		return false;
	if (op->prepare)
		op->prepare(_metadata, &w);
	w.next_id = next_free_id(_metadata, &w);
	w.ids_are_reused = next_free_id(_metadata, &w) == w.next_id;

	injection_arm(_metadata, injection, nth);
	rc = op->call(&w);
	who = injection_disarm(_metadata, injection);
	if (who == OTHER) {
		world_abandon(&w);
		return true;
	}
	if (who == NOBODY) {
		EXPECT_EQ(0, rc);
	} else {
		injection->fired[who]++;
		injection->refused += !!rc;
	}
	if (rc) {
		EXPECT_EQ(false, op->cannot_fail);
		expect_injected_errno(_metadata, who, rc);
		check_refused(_metadata, op, &w);
	}
	if (op->done)
		op->done(_metadata, &w);
	undo(_metadata, op, &w);
	world_destroy(_metadata, &w);
	if (_metadata->exit_code == KSFT_FAIL)
		check_note("that was point %u, injector %s, call returned %d", nth,
			   who < NR_INJECTORS ? injectors[who].name : "none", rc);
	return who != NOBODY && _metadata->exit_code != KSFT_FAIL;
}

/* One sweep over all points of the call */
static void fail_each(struct __test_metadata *_metadata, struct injection *injection,
		      const struct operation *op)
{
	unsigned int nth = 1;

	while (fail_once(_metadata, injection, op, nth)) {
		ASSERT_GT(MAX_POINTS, nth++);
	}
	/* The control: without a single injected failure the sweep would prove nothing. */
	EXPECT_EQ(true, nth > 1 || op->cannot_fail);
	printf("# injected %u: %u slab, %u page, %u iommufd; %u refused\n", nth - 1,
	       injection->fired[SLAB], injection->fired[PAGE_ALLOC], injection->fired[IOMMUFD],
	       injection->refused);
}

TEST_F(operation, each_failure_changes_nothing)
{
	RULE(variant->op.rule ?: "UAPI-85");
	if (self->ready)
		fail_each(_metadata, &self->injection, &variant->op);
}

TEST_F(operation, memory_that_stays_short_changes_nothing)
{
	RULE(variant->op.rule ?: "UAPI-85");
	self->injection.stays = true;
	if (self->ready)
		fail_each(_metadata, &self->injection, &variant->op);
}

#endif /* NIT_UAPI_OPERATION_H */
