// SPDX-License-Identifier: GPL-2.0-only
/* Knobs by their numbers: each turns one field, and takes what fits there. */
#include "core/test.h"
#include "hw/knob.h"
#include "hw/machine.h"
#include "hw/vtd.h"

FIXTURE(knob) {
	struct machine *machine;
	struct hw_iommu *iommu;
	struct endpoint *endpoint;
};

FIXTURE_SETUP(knob)
{
	const struct endpoint_config config = { .rid = 8, .ats = true };

	self->machine = machine_create(0, 4096, 1);
	ASSERT_NE(NULL, self->machine);
	self->iommu = vtd_create(self->machine, &vtd_config_full);
	ASSERT_NE(NULL, self->iommu);
	self->endpoint = endpoint_create(self->machine, self->iommu, &config);
	ASSERT_NE(NULL, self->endpoint);
}

FIXTURE_TEARDOWN(knob)
{
	machine_destroy(self->machine);
}

TEST_F(knob, belongs_to_a_device_or_to_its_iommu)
{
	EXPECT_EQ(0, hw_turn(self->endpoint, false, KNOB_EVICT, 7));
	EXPECT_EQ(0, hw_turn(self->endpoint, true, KNOB_EVICT, 9));
	EXPECT_EQ(7, endpoint_freedom(self->endpoint)->evict);
	EXPECT_EQ(9, self->iommu->freedom.evict);
	EXPECT_EQ(0, self->iommu->freedom.prefetch);
}

TEST_F(knob, of_devices_only)
{
	EXPECT_EQ(0, hw_turn(self->endpoint, false, KNOB_LATE_STEPS, 5000));
	EXPECT_EQ(5000U, endpoint_behaviour(self->endpoint)->delay_steps);
	EXPECT_EQ(-EINVAL, hw_turn(self->endpoint, true, KNOB_LATE_STEPS, 1));
}

TEST_F(knob, takes_what_fits)
{
	EXPECT_EQ(0, hw_turn(self->endpoint, false, KNOB_REORDER, 0x7fff));
	EXPECT_EQ(-EINVAL, hw_turn(self->endpoint, false, KNOB_REORDER, 0x10000));
	EXPECT_EQ(0x7fff, endpoint_freedom(self->endpoint)->reorder);
	EXPECT_EQ(0, hw_turn(self->endpoint, false, KNOB_SMALL_PAGES, 1));
	EXPECT_EQ(-EINVAL, hw_turn(self->endpoint, false, KNOB_SMALL_PAGES, 2));
	EXPECT_EQ(0, hw_turn(self->endpoint, false, KNOB_DRAWS, UINT64_MAX));
	EXPECT_EQ(UINT64_MAX, endpoint_freedom(self->endpoint)->state);
	EXPECT_EQ(-EINVAL, hw_turn(self->endpoint, false, KNOBS, 0));
}

TEST_F(knob, calm_is_as_at_first)
{
	const struct endpoint_behaviour none = {};

	for (unsigned int knob = 0; knob < KNOBS; knob++)
		EXPECT_EQ(0, hw_turn(self->endpoint, false, knob, 1));
	ASSERT_EQ(0, hw_turn(self->endpoint, true, KNOB_DELAY, 1));
	hw_calm(self->endpoint, false);
	EXPECT_EQ(0, memcmp(&none, endpoint_behaviour(self->endpoint), sizeof(none)));
	EXPECT_EQ(0, endpoint_freedom(self->endpoint)->delay);
	EXPECT_EQ(1, self->iommu->freedom.delay);
	hw_calm(self->endpoint, true);
	EXPECT_EQ(0, self->iommu->freedom.delay);
}

NIT_TEST_MAIN
