// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor's own page tables: attached, replaced, unmapped, behind one IOMMU or two. */
#include "intel.h"

#define HOST_VENDOR "intel"
#include "vmm/host.h"

/* Scalable mode without a second stage: the tables are first-stage ones. */
static const void *no_second_stage(void)
{
	static struct vtd_config config;

	config = vtd_config_full;
	config.second_stage = config.nested = config.ssads = false;
	return &config;
}

/* No scalable mode: context entries have the second stage. */
static const void *legacy_mode(void)
{
	static struct vtd_config config;

	config = vtd_config_full;
	config.scalable = config.first_stage = config.nested = config.ssads = false;
	config.prs = config.pds = false;
	config.pasid_bits = 0;
	return &config;
}

FIXTURE_VARIANT_ADD(host, first_stage) { .iommus = 1, .iommu = no_second_stage };
FIXTURE_VARIANT_ADD(host, first_stage_two_iommus_ats) {
	.iommus = 2, .ats = true, .iommu = no_second_stage,
};
FIXTURE_VARIANT_ADD(host, legacy) { .iommus = 1, .iommu = legacy_mode };
FIXTURE_VARIANT_ADD(host, legacy_ats) { .iommus = 1, .ats = true, .iommu = legacy_mode };

TEST_F(host, unmap)
{
	RULE("VTD-10");
	ATTACH(0, NO_PASID, self->ioas);
	for (unsigned int n = 0; n < 3; n++) {
		IOAS_MAP(self->ioas, IOVA, n, 4);
		EXPECT_PAGE(0, NO_PASID, IOVA + 3 * VM_PAGE, n + 3);
		IOAS_UNMAP(self->ioas, IOVA, 4);
		EXPECT_NONE(0, NO_PASID, IOVA + 3 * VM_PAGE);
	}
}

TEST_F(host, unmap_of_a_range)
{
	RULE("VTD-04");
	ATTACH(0, NO_PASID, self->ioas);
	IOAS_MAP(self->ioas, IOVA + VM_PAGE, 1, 600);
	for (unsigned int page = 1; page <= 600; page += 37)
		EXPECT_PAGE(0, NO_PASID, IOVA + page * VM_PAGE, page);
	IOAS_UNMAP(self->ioas, IOVA + VM_PAGE, 600);
	for (unsigned int page = 1; page <= 600; page += 37)
		EXPECT_NONE(0, NO_PASID, IOVA + page * VM_PAGE);
}

/* Pages, then a large page, then pages: whatever tables there were in between */
TEST_F(host, pages_become_a_large_one)
{
	RULE("VTD-05");
	ATTACH(0, NO_PASID, self->ioas);
	IOAS_MAP(self->ioas, IOVA, 3, 1);
	EXPECT_PAGE(0, NO_PASID, IOVA, 3);
	IOAS_UNMAP(self->ioas, IOVA, 1);
	IOAS_MAP(self->ioas, IOVA, 512, 512);
	EXPECT_PAGE(0, NO_PASID, IOVA, 512);
	EXPECT_PAGE(0, NO_PASID, IOVA + 511 * VM_PAGE, 1023);
	IOAS_UNMAP(self->ioas, IOVA, 512);
	IOAS_MAP(self->ioas, IOVA + 5 * VM_PAGE, 4, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
	EXPECT_PAGE(0, NO_PASID, IOVA + 5 * VM_PAGE, 4);
}

TEST_F(host, both_devices)
{
	RULE("VTD-10");
	NEEDS_DEVICES(&self->target, 2);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	for (unsigned int i = 0; i < 2; i++) {
		ATTACH(i, NO_PASID, self->ioas);
		EXPECT_PAGE(i, NO_PASID, IOVA, 0);
	}
	IOAS_UNMAP(self->ioas, IOVA, 1);
	for (unsigned int i = 0; i < 2; i++)
		EXPECT_NONE(i, NO_PASID, IOVA);
}

/* One of two users leaves; the other's mapping is unmapped afterwards. */
TEST_F(host, one_of_two_leaves)
{
	RULE("VTD-43");
	NEEDS_DEVICES(&self->target, 2);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	for (unsigned int i = 0; i < 2; i++) {
		ATTACH(i, NO_PASID, self->ioas);
		EXPECT_PAGE(i, NO_PASID, IOVA, 0);
	}
	DETACH(1, NO_PASID);
	EXPECT_NONE(1, NO_PASID, IOVA);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	IOAS_UNMAP(self->ioas, IOVA, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
}

TEST_F(host, replaced)
{
	uint32_t other = ioas_alloc(&self->iommufd);

	RULE("VTD-10");
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	IOAS_MAP(other, IOVA, 1, 1);
	for (unsigned int i = 0; i < 4; i++) {
		ATTACH(0, NO_PASID, i % 2 ? other : self->ioas);
		EXPECT_PAGE(0, NO_PASID, IOVA, i % 2);
	}
	DETACH(0, NO_PASID);
	EXPECT_NONE(0, NO_PASID, IOVA);
}

/* The domain id goes to the next page table, without what was cached under it. */
TEST_F(host, domain_id_used_again)
{
	RULE("VTD-43");
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t ioas = ioas_alloc(&self->iommufd);

		IOAS_MAP(ioas, IOVA, i, 1);
		ATTACH(0, NO_PASID, ioas);
		EXPECT_PAGE(0, NO_PASID, IOVA, i);
		DETACH(0, NO_PASID);
		iommufd_destroy(&self->iommufd, ioas);
	}
}

/* Two devices with a page table each, and the same IOVA in both */
TEST_F(host, each_its_own)
{
	uint32_t other = ioas_alloc(&self->iommufd);

	RULE("VTD-43");
	NEEDS_DEVICES(&self->target, 2);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	IOAS_MAP(other, IOVA, 1, 1);
	ATTACH(0, NO_PASID, self->ioas);
	ATTACH(1, NO_PASID, other);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	EXPECT_PAGE(1, NO_PASID, IOVA, 1);
	IOAS_UNMAP(other, IOVA, 1);
	EXPECT_NONE(1, NO_PASID, IOVA);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
}

/* All areas of an IOAS go in one call. */
TEST_F(host, unmap_of_everything)
{
	RULE("VTD-10");
	ATTACH(0, NO_PASID, self->ioas);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	IOAS_MAP(self->ioas, IOVA * 3, 512, 512);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	EXPECT_PAGE(0, NO_PASID, IOVA * 3 + 5 * VM_PAGE, 517);
	ASSERT_EQ(0, __ioas_unmap(&self->iommufd, self->ioas, 0, UINT64_MAX, NULL));
	EXPECT_NONE(0, NO_PASID, IOVA);
	EXPECT_NONE(0, NO_PASID, IOVA * 3 + 5 * VM_PAGE);
}

/* A mapping that may only be read, then the same page with every permission */
TEST_F(host, write_where_only_reading_is_allowed)
{
	RULE("VTD-19");
	ATTACH(0, NO_PASID, self->ioas);
	ASSERT_EQ(0, __ioas_map(&self->iommufd, self->ioas, self->memory, VM_PAGE, IOVA,
				IOMMU_IOAS_MAP_READABLE));
	if (self->target.has & TARGET_READ)
		EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	EXPECT_EQ(VM_NOWHERE, host_dma(self, 0, NO_PASID, IOVA, DMA_WRITE, 1));
	IOAS_UNMAP(self->ioas, IOVA, 1);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	WRITE(0, NO_PASID, IOVA);
}

/* Faults are recorded as far as there is room, and keep nothing from working. */
TEST_F(host, more_faults_than_records)
{
	RULE("VTD-17");
	ATTACH(0, NO_PASID, self->ioas);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	for (unsigned int i = 1; i <= 40; i++)
		EXPECT_NONE(0, NO_PASID, IOVA + i * VM_PAGE);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	IOAS_UNMAP(self->ioas, IOVA, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
}

TEST_F(host, more_invalidations_than_the_queue_holds)
{
	RULE("VTD-10");
	ATTACH(0, NO_PASID, self->ioas);
	for (unsigned int i = 0; i < 300; i++) {
		IOAS_MAP(self->ioas, IOVA, i % 16, 1);
		EXPECT_PAGE(0, NO_PASID, IOVA, i % 16);
		IOAS_UNMAP(self->ioas, IOVA, 1);
		EXPECT_NONE(0, NO_PASID, IOVA);
	}
}

TEST_F(host, reset)
{
	int rc;

	RULE("ATS-08");
	ATTACH(0, NO_PASID, self->ioas);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	rc = self->target.ops->reset(&self->target, &self->iommufd, self->dev[0]);
	if (rc == -EOPNOTSUPP)
		SKIP(return, "the device cannot be reset");
	ASSERT_EQ(0, rc);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	IOAS_UNMAP(self->ioas, IOVA, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
}

NIT_TEST_MAIN
