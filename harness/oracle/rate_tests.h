/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fast a target goes: rounds of a stage-1 change, its invalidation, a DMA and a look at what it
 * reached. A vendor's rate.c defines RATE_VENDOR and RATE_VM (its name, and its struct vm_vendor)
 * and includes this. NIT_RATE_ROUNDS in the environment says how many.
 */
#ifndef NIT_ORACLE_RATE_TESTS_H
#define NIT_ORACLE_RATE_TESTS_H

#include <stdlib.h>

#include "core/figure.h"
#include "core/test.h"
#include "target/assert.h"
#include "vmm/expect.h"

#define RATE_IOVA 0x10000000
#define RATE_ROUNDS 1000

FIXTURE(rate)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t page[2];
	unsigned int rounds;
};

FIXTURE_VARIANT(rate)
{
	uint32_t pasid;
	bool ats;
};

FIXTURE_VARIANT_ADD(rate, rid) { .pasid = DMA_NO_PASID };
FIXTURE_VARIANT_ADD(rate, rid_ats) { .pasid = DMA_NO_PASID, .ats = true };
FIXTURE_VARIANT_ADD(rate, pasid_ats) { .pasid = 0x105, .ats = true };

FIXTURE_SETUP(rate)
{
	const struct target_config config = {
		.needs = target_needs(variant->ats, variant->pasid), .devices = 1,
	};
	const char *rounds = getenv("NIT_RATE_ROUNDS");
	int rc;

	TARGET_OPEN(&self->target, RATE_VENDOR, &config);
	VM_OPEN(&self->vm, &self->target, &RATE_VM,
		variant->pasid != DMA_NO_PASID ? RATE_VM.pasid_flags : 0);
	rc = vm_add_device(&self->vm, 0, variant->ats, &self->device);
	rc = rc ?: vm_space_init(&self->vm, &self->space, variant->pasid);
	rc = rc ?: vm_attach(self->device, &self->space);
	if (rc == -EOPNOTSUPP && !(self->target.has & TARGET_REFERENCE))
		SKIP(return, "no nested page tables in this kernel");
	ASSERT_EQ(0, rc);
	self->page[0] = vm_page(&self->vm);
	self->page[1] = vm_page(&self->vm);
	self->rounds = rounds && atoi(rounds) > 0 ? atoi(rounds) : RATE_ROUNDS;
}

FIXTURE_TEARDOWN(rate)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

static int rate_change(FIXTURE_DATA(rate) *self, unsigned int n)
{
	return vm_map(&self->space, RATE_IOVA, self->page[n % 2], VM_PAGE,
		      PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER);
}

static int rate_invalidate(FIXTURE_DATA(rate) *self)
{
	return vm_invalidate(&self->space, RATE_IOVA, VM_PAGE, VM_LEAF_ONLY);
}

static bool rate_reaches(FIXTURE_DATA(rate) *self, unsigned int n)
{
	return vm_read(self->device, &self->space, RATE_IOVA) == self->page[n % 2];
}

static void rate_figure(const char *name, unsigned int times, uint64_t begin)
{
	uint64_t ns = figure_now() - begin;

	figure_time(name, times * 1e9 / (ns ?: 1), "1/s");
}

/* What the parts of a round cost by themselves says which of them bounds it. */
TEST_F(rate, rounds)
{
	unsigned int wrong = 0, n;
	uint64_t begin;
	int rc = 0;

	RULE("NEST-01");
	ASSERT_EQ(0, rate_change(self, 0));
	ASSERT_TRUE(rate_reaches(self, 0));
	begin = figure_now();
	for (n = 1; n <= self->rounds && !rc; n++) {
		rc = rate_change(self, n) ?: rate_invalidate(self);
		wrong += !rate_reaches(self, n);
	}
	rate_figure("rounds_per_s", self->rounds, begin);
	EXPECT_EQ(0, rc);
	EXPECT_EQ(0U, wrong);
	begin = figure_now();
	for (n = 0; n < self->rounds && !rc; n++)
		rc = rate_invalidate(self);
	rate_figure("invalidations_per_s", self->rounds, begin);
	EXPECT_EQ(0, rc);
	begin = figure_now();
	for (n = 0; n < self->rounds; n++)
		wrong += !rate_reaches(self, self->rounds);
	rate_figure("dmas_per_s", self->rounds, begin);
	EXPECT_EQ(0U, wrong);
}

#endif
