// SPDX-License-Identifier: GPL-2.0-only
/*
 * What hardware or its driver cannot do is refused, by the errors that the uAPI documents, and what
 * it can do goes on. For machines that lack something; hwpt.c has the reference without nesting.
 */
#include "intel.h"
#include "spec/vtd.h"

FIXTURE(machine)
{
	struct target target;
	struct iommufd iommufd;
	struct iommu_hw_info_vtd info;
	uint32_t dev_id;
	uint32_t ioas;
};

FIXTURE_SETUP(machine)
{
	uint32_t type, len = sizeof(self->info);
	uint64_t capabilities;
	uint8_t pasid_log2;

	TARGET_OPEN(&self->target, "intel", NULL);
	ASSERT_EQ(0, self->target.ops->iommufd_open(&self->target, &self->iommufd));
	ASSERT_EQ(0, self->target.ops->bind(&self->target, &self->iommufd, 0, &self->dev_id));
	ASSERT_EQ(0, __ioas_alloc(&self->iommufd, &self->ioas));
	ASSERT_EQ(0, __get_hw_info(&self->iommufd, self->dev_id, &type, &self->info, &len,
				   &capabilities, &pasid_log2));
}

FIXTURE_TEARDOWN(machine)
{
	iommufd_close(&self->iommufd);
	self->target.ops->close(&self->target);
}

static bool good_or_not_supported(int rc)
{
	return !rc || rc == -EOPNOTSUPP;
}

TEST_F(machine, nest_parent)
{
	uint32_t parent, plain;
	int rc = __hwpt_alloc(&self->iommufd, self->dev_id, self->ioas,
			      IOMMU_HWPT_ALLOC_NEST_PARENT, &parent);

	RULE("UAPI-17");
	EXPECT_TRUE(good_or_not_supported(rc));
	if (!(self->info.ecap_reg & VTD_ECAP_NEST)) {
		EXPECT_EQ(-EOPNOTSUPP, rc);
	} else if (self->target.has & TARGET_REFERENCE) {
		EXPECT_EQ(0, rc);
	}
	EXPECT_EQ(0, __hwpt_alloc(&self->iommufd, self->dev_id, self->ioas, 0, &plain));
}

/* On a parent that is none: refused, and the page table is as it was. */
TEST_F(machine, nested_on_a_plain_table)
{
	struct iommu_hwpt_vtd_s1 data = { .addr_width = 48 };
	uint32_t plain, nested;

	RULE("UAPI-18");
	ASSERT_EQ(0, __hwpt_alloc(&self->iommufd, self->dev_id, self->ioas, 0, &plain));
	EXPECT_GT(0, __hwpt_alloc_data(&self->iommufd, self->dev_id, plain, 0, 0,
				       IOMMU_HWPT_DATA_VTD_S1, &data, sizeof(data), &nested));
	EXPECT_EQ(0, self->target.ops->attach(&self->target, &self->iommufd, self->dev_id,
					      DMA_NO_PASID, plain));
}

NIT_TEST_MAIN
