// SPDX-License-Identifier: GPL-2.0-only
/* Time of a served machine stops while software waits for an IOMMU, and never for long. */
#include "core/test.h"
#include "vfio_user/moment.h"

#define BOUND 100

/* An IOMMU that software waits for as long as there are steps left; @now: in ns */
FIXTURE(moment) {
	struct hw_iommu iommu;
	struct machine *machine;
	struct moment moment;
	uint64_t now;
};

static unsigned int steps_left;

static bool step(struct hw_iommu *iommu)
{
	steps_left -= !!steps_left;
	return steps_left;
}

static bool awaited(struct hw_iommu *iommu)
{
	return steps_left;
}

static void destroy(struct hw_iommu *iommu)
{
}

static const struct hw_iommu_ops ops = {
	.name = "clock", .step = step, .awaited = awaited, .destroy = destroy,
};

FIXTURE_SETUP(moment)
{
	self->iommu.ops = &ops;
	self->machine = machine_create(0, 4096, 1);
	ASSERT_NE(NULL, self->machine);
	ASSERT_EQ(0, machine_add_iommu(self->machine, &self->iommu));
	steps_left = 10;
}

FIXTURE_TEARDOWN(moment)
{
	machine_destroy(self->machine);
}

static bool settle(FIXTURE_DATA(moment) *self)
{
	return moment_settle(&self->moment, self->machine, BOUND, self->now);
}

TEST_F(moment, that_nobody_wants_is_none)
{
	EXPECT_TRUE(settle(self));
	EXPECT_EQ(0U, steps_left);
	EXPECT_FALSE(moment_is_now(&self->moment));
}

TEST_F(moment, stops_time_until_it_is_let_go)
{
	moment_want(&self->moment, true);
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_FALSE(settle(self));
		EXPECT_TRUE(moment_is_now(&self->moment));
		EXPECT_EQ(10U, steps_left);
	}
	moment_want(&self->moment, false);
	EXPECT_FALSE(moment_is_now(&self->moment));
	EXPECT_TRUE(settle(self));
	EXPECT_EQ(0U, steps_left);
}

/* Each that is wanted after another is one step later, for as long as software waits. */
TEST_F(moment, after_moment)
{
	moment_want(&self->moment, true);
	for (unsigned int left = 10; left; left--) {
		EXPECT_FALSE(settle(self));
		EXPECT_EQ(left, steps_left);
		moment_want(&self->moment, true);
	}
	EXPECT_TRUE(settle(self));
	EXPECT_FALSE(moment_is_now(&self->moment));
	steps_left = 1;		/* still wanted */
	EXPECT_FALSE(settle(self));
	EXPECT_TRUE(moment_is_now(&self->moment));
}

TEST_F(moment, nobody_waits_for_a_machine_at_rest)
{
	steps_left = 0;
	moment_want(&self->moment, true);
	EXPECT_TRUE(settle(self));
	EXPECT_FALSE(moment_is_now(&self->moment));
}

TEST_F(moment, ends_by_itself)
{
	moment_want(&self->moment, true);
	EXPECT_FALSE(settle(self));
	self->now += MOMENT_MS * 1000000ull - 1;
	EXPECT_FALSE(settle(self));
	self->now += 1;
	EXPECT_TRUE(settle(self));
	EXPECT_EQ(0U, steps_left);
}

NIT_TEST_MAIN
