// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor's own page tables: attached, replaced, unmapped, by RID and by PASID. */
#define HOST_VENDOR "arm"
#include "arm.h"
#include "vmm/host.h"

TEST_F(host, unmap)
{
	RULE("NEST-01");
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	ATTACH(0, NO_PASID, self->ioas);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	IOAS_UNMAP(self->ioas, IOVA, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
	IOAS_MAP(self->ioas, IOVA, 1, 1);
	EXPECT_PAGE(0, NO_PASID, IOVA, 1);
}

TEST_F(host, unmap_of_a_range)
{
	RULE("SMMU-06");
	IOAS_MAP(self->ioas, IOVA + VM_PAGE, 1, 600);
	ATTACH(0, NO_PASID, self->ioas);
	for (unsigned int page = 1; page <= 600; page += 37)
		EXPECT_PAGE(0, NO_PASID, IOVA + page * VM_PAGE, page);
	IOAS_UNMAP(self->ioas, IOVA + VM_PAGE, 600);
	for (unsigned int page = 1; page <= 600; page += 37)
		EXPECT_NONE(0, NO_PASID, IOVA + page * VM_PAGE);
}

/* Pages, then a block, then pages: whatever tables there were in between */
TEST_F(host, pages_become_a_block)
{
	RULE("SMMU-43");
	IOAS_MAP(self->ioas, IOVA, 3, 1);
	ATTACH(0, NO_PASID, self->ioas);
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

TEST_F(host, unmap_reaches_both_devices)
{
	RULE("NEST-01");
	NEEDS_DEVICES(&self->target, 2);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	ATTACH(0, NO_PASID, self->ioas);
	ATTACH(1, NO_PASID, self->ioas);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	EXPECT_PAGE(1, NO_PASID, IOVA, 0);
	IOAS_UNMAP(self->ioas, IOVA, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
	EXPECT_NONE(1, NO_PASID, IOVA);
}

TEST_F(host, replace)
{
	uint32_t other = ioas_alloc(&self->iommufd);

	RULE("UAPI-75");
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	IOAS_MAP(other, IOVA, 1, 1);
	for (unsigned int i = 0; i < 4; i++) {
		ATTACH(0, NO_PASID, i % 2 ? other : self->ioas);
		EXPECT_PAGE(0, NO_PASID, IOVA, i % 2);
	}
}

/* From stage 1 to stage 2 and back: a nest parent without a guest is a page table like others. */
TEST_F(host, replace_by_a_nest_parent)
{
	uint32_t other = ioas_alloc(&self->iommufd), parent;

	RULE("UAPI-75");
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	IOAS_MAP(other, IOVA, 1, 1);
	parent = HWPT(other, IOMMU_HWPT_ALLOC_NEST_PARENT);
	ATTACH(0, NO_PASID, self->ioas);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	ATTACH(0, NO_PASID, parent);
	EXPECT_PAGE(0, NO_PASID, IOVA, 1);
	IOAS_UNMAP(other, IOVA, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
	ATTACH(0, NO_PASID, self->ioas);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
}

TEST_F(host, detach)
{
	RULE("UAPI-75");
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
	ATTACH(0, NO_PASID, self->ioas);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	DETACH(0, NO_PASID);
	EXPECT_NONE(0, NO_PASID, IOVA);
	ATTACH(0, NO_PASID, self->ioas);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
}

/* The ASID goes to the next page table, without what was cached under it. */
TEST_F(host, tag_used_again)
{
	RULE("NEST-09");
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t ioas = ioas_alloc(&self->iommufd);

		IOAS_MAP(ioas, IOVA, i, 1);
		ATTACH(0, NO_PASID, ioas);
		EXPECT_PAGE(0, NO_PASID, IOVA, i);
		DETACH(0, NO_PASID);
		iommufd_destroy(&self->iommufd, ioas);
	}
}

/* The same for VMIDs */
TEST_F(host, vmid_used_again)
{
	RULE("NEST-09");
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t ioas = ioas_alloc(&self->iommufd), parent;

		IOAS_MAP(ioas, IOVA, i, 1);
		parent = HWPT(ioas, IOMMU_HWPT_ALLOC_NEST_PARENT);
		ATTACH(0, NO_PASID, parent);
		EXPECT_PAGE(0, NO_PASID, IOVA, i);
		DETACH(0, NO_PASID);
		iommufd_destroy(&self->iommufd, parent);
		iommufd_destroy(&self->iommufd, ioas);
	}
}

/* One of two users leaves; the other's mapping is unmapped afterwards. */
TEST_F(host, one_of_two_leaves)
{
	RULE("NEST-01");
	NEEDS_DEVICES(&self->target, 2);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	ATTACH(0, NO_PASID, self->ioas);
	ATTACH(1, NO_PASID, self->ioas);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	EXPECT_PAGE(1, NO_PASID, IOVA, 0);
	DETACH(1, NO_PASID);
	EXPECT_NONE(1, NO_PASID, IOVA);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	IOAS_UNMAP(self->ioas, IOVA, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
}

/* ---- PASIDs ---- */

#define PASID_HWPT(_ioas) HWPT(_ioas, IOMMU_HWPT_ALLOC_PASID)

TEST_F(host, pasids_are_apart)
{
	uint32_t other = ioas_alloc(&self->iommufd), rid, pasid;

	RULE("UAPI-79");
	NEEDS(&self->target, TARGET_PASID);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	IOAS_MAP(other, IOVA, 1, 1);
	rid = PASID_HWPT(self->ioas);
	pasid = PASID_HWPT(other);
	ATTACH(0, NO_PASID, rid);
	EXPECT_NONE(0, 1, IOVA);
	ATTACH(0, 1, pasid);
	ATTACH(0, 0xfffff, rid);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	EXPECT_PAGE(0, 1, IOVA, 1);
	EXPECT_PAGE(0, 0xfffff, IOVA, 0);
	EXPECT_NONE(0, 2, IOVA);
	IOAS_UNMAP(other, IOVA, 1);
	EXPECT_NONE(0, 1, IOVA);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	IOAS_UNMAP(self->ioas, IOVA, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
	EXPECT_NONE(0, 0xfffff, IOVA);
}

TEST_F(host, pasid_replaced_and_detached)
{
	uint32_t other = ioas_alloc(&self->iommufd), first, second;

	RULE("UAPI-79");
	NEEDS(&self->target, TARGET_PASID);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	IOAS_MAP(other, IOVA, 1, 1);
	first = PASID_HWPT(self->ioas);
	second = PASID_HWPT(other);
	ATTACH(0, 7, first);
	EXPECT_PAGE(0, 7, IOVA, 0);
	EXPECT_NONE(0, NO_PASID, IOVA);
	ATTACH(0, 7, second);
	EXPECT_PAGE(0, 7, IOVA, 1);
	DETACH(0, 7);
	EXPECT_NONE(0, 7, IOVA);
	ATTACH(0, 7, first);
	EXPECT_PAGE(0, 7, IOVA, 0);
}

/* The RID comes and goes beside an attached PASID. */
TEST_F(host, rid_detached_beside_a_pasid)
{
	uint32_t hwpt;

	RULE("UAPI-79");
	NEEDS(&self->target, TARGET_PASID);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	hwpt = PASID_HWPT(self->ioas);
	ATTACH(0, NO_PASID, hwpt);
	ATTACH(0, 7, hwpt);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	DETACH(0, NO_PASID);
	EXPECT_NONE(0, NO_PASID, IOVA);
	EXPECT_PAGE(0, 7, IOVA, 0);
	ATTACH(0, NO_PASID, hwpt);
	DETACH(0, 7);
	EXPECT_NONE(0, 7, IOVA);
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
}

/* An ASID that only a PASID has used */
TEST_F(host, tag_of_a_pasid_used_again)
{
	RULE("NEST-09");
	NEEDS(&self->target, TARGET_PASID);
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t ioas = ioas_alloc(&self->iommufd), hwpt;

		IOAS_MAP(ioas, IOVA, i, 1);
		hwpt = PASID_HWPT(ioas);
		ATTACH(0, 9, hwpt);
		EXPECT_PAGE(0, 9, IOVA, i);
		DETACH(0, 9);
		iommufd_destroy(&self->iommufd, hwpt);
		iommufd_destroy(&self->iommufd, ioas);
	}
}

TEST_F(host, reset_keeps_attachments)
{
	uint32_t hwpt;

	RULE("ATS-08");
	NEEDS(&self->target, TARGET_PASID);
	IOAS_MAP(self->ioas, IOVA, 0, 1);
	hwpt = PASID_HWPT(self->ioas);
	ATTACH(0, NO_PASID, hwpt);
	ATTACH(0, 7, hwpt);
	EXPECT_PAGE(0, 7, IOVA, 0);
	ASSERT_EQ(0, self->target.ops->reset(&self->target, &self->iommufd, self->dev[0]));
	EXPECT_PAGE(0, NO_PASID, IOVA, 0);
	EXPECT_PAGE(0, 7, IOVA, 0);
	IOAS_UNMAP(self->ioas, IOVA, 1);
	EXPECT_NONE(0, NO_PASID, IOVA);
	EXPECT_NONE(0, 7, IOVA);
}

NIT_TEST_MAIN
