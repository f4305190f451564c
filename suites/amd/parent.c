// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel has of AMD-Vi nesting before it has nested page tables: what the IOMMU can do, a
 * nest parent that translates, a virtual IOMMU on it.
 */
#include "amd.h"

#define IOVA 0x40000000ULL
#define EFR_GT (1ULL << 4)
#define EFR2_GCR3_TRP (1ULL << 3)

FIXTURE(parent)
{
	struct target target;
	struct iommufd iommufd;
	uint32_t dev_id;
	uint32_t ioas;
	uint32_t parent;
	uint64_t *memory;
};

FIXTURE_VARIANT(parent) { bool ats; };
FIXTURE_VARIANT_ADD(parent, plain) { .ats = false };
FIXTURE_VARIANT_ADD(parent, ats) { .ats = true };

FIXTURE_SETUP(parent)
{
	const struct target_config config = {
		.needs = TARGET_NEST | (variant->ats ? TARGET_ATS : 0), .dma_optional = true,
	};
	struct target *target = &self->target;

	TARGET_OPEN(target, "amd", &config);
	ASSERT_EQ(0, target->ops->iommufd_open(target, &self->iommufd));
	ASSERT_EQ(0, target->ops->bind(target, &self->iommufd, 0, &self->dev_id));
	ASSERT_EQ(0, __ioas_alloc(&self->iommufd, &self->ioas));
	ASSERT_EQ(0, __hwpt_alloc(&self->iommufd, self->dev_id, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &self->parent));
	ASSERT_EQ(0, target->ops->attach(target, &self->iommufd, self->dev_id, DMA_NO_PASID,
					 self->parent));
	self->memory = target->ops->memory(target, 2 * PAGE);
	ASSERT_NE(NULL, self->memory);
	self->memory[0] = 0x1111;
	self->memory[PAGE / 8] = 0x2222;
}

FIXTURE_TEARDOWN(parent)
{
	self->target.ops->unbind(&self->target, &self->iommufd, 0, self->dev_id);
	iommufd_close(&self->iommufd);
	self->target.ops->close(&self->target);
}

static uint64_t read_iova(FIXTURE_DATA(parent) *self, bool ats)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .address = ats ? DMA_ATS : DMA_PLAIN, .pasid = DMA_NO_PASID,
		.addr = IOVA, .len = 8, .data = &data,
	};

	return self->target.ops->dma(&self->target, 0, 0, &dma) == DMA_DONE ? data : VM_NOWHERE;
}

TEST_F(parent, capabilities_that_nesting_needs)
{
	struct iommu_hw_info_amd info = {};
	uint32_t type, len = sizeof(info);
	uint64_t capabilities;
	uint8_t pasid_log2;

	RULE("AMD-66");
	ASSERT_EQ(0, __get_hw_info(&self->iommufd, self->dev_id, &type, &info, &len,
				   &capabilities, &pasid_log2));
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_AMD, type);
	EXPECT_EQ(EFR_GT, info.efr & EFR_GT);
	EXPECT_EQ(EFR2_GCR3_TRP, info.efr2 & EFR2_GCR3_TRP);
}

TEST_F(parent, translates_and_forgets)
{
	uint8_t *memory = (uint8_t *)self->memory;

	RULE("AMD-66");
	NEEDS(&self->target, TARGET_DMA);
	ASSERT_EQ(0, __ioas_map(&self->iommufd, self->ioas, memory, PAGE, IOVA, S2_RW));
	EXPECT_EQ(0x1111, read_iova(self, variant->ats));
	ASSERT_EQ(0, __ioas_unmap(&self->iommufd, self->ioas, IOVA, PAGE, NULL));
	EXPECT_EQ(VM_NOWHERE, read_iova(self, variant->ats));
	ASSERT_EQ(0, __ioas_map(&self->iommufd, self->ioas, memory + PAGE, PAGE, IOVA, S2_RW));
	EXPECT_EQ(0x2222, read_iova(self, variant->ats));
}

/* The parent is of no device, so nothing but the vIOMMU can hold it. */
TEST_F(parent, carries_a_virtual_iommu)
{
	struct iommu_viommu_amd data = {};
	uint32_t parent, id;

	RULE("AMD-66");
	ASSERT_EQ(0, __hwpt_alloc(&self->iommufd, self->dev_id, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &parent));
	ASSERT_EQ(0, __viommu_alloc(&self->iommufd, self->dev_id, parent,
				    IOMMU_VIOMMU_TYPE_AMD, &data, sizeof(data), &id));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->iommufd, parent));
	EXPECT_EQ(0, __iommufd_destroy(&self->iommufd, id));
	EXPECT_EQ(0, __iommufd_destroy(&self->iommufd, parent));
}

NIT_TEST_MAIN
