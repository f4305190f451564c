// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor's own page tables: attached, replaced, unmapped, behind one IOMMU or two. */
#include "intel.h"

#define MEMORY_SIZE (4ull << 20)
#define BASE 0x40000000ull

FIXTURE(paging)
{
	struct target target;
	struct iommufd iommufd;
	uint32_t dev[2];
	uint32_t ioas;
	bool ats;
	uint8_t *memory;	/* stamped with its own addresses */
};

FIXTURE_VARIANT(paging)
{
	bool ats;
	unsigned int iommus;
};

FIXTURE_VARIANT_ADD(paging, plain) { .iommus = 1 };
FIXTURE_VARIANT_ADD(paging, ats) { .iommus = 1, .ats = true };
FIXTURE_VARIANT_ADD(paging, two_iommus_ats) { .iommus = 2, .ats = true };

FIXTURE_SETUP(paging)
{
	const struct target_config config = {
		.iommus = variant->iommus, .needs = variant->ats ? TARGET_ATS : 0,
	};
	struct target *target = &self->target;

	self->ats = variant->ats;
	TARGET_OPEN(target, "intel", &config);
	ASSERT_EQ(0, target->ops->iommufd_open(target, &self->iommufd));
	for (unsigned int i = 0; i < 2; i++)
		ASSERT_EQ(0, target->ops->bind(target, &self->iommufd, i, &self->dev[i]));
	self->ioas = ioas_alloc(&self->iommufd);
	self->memory = target->ops->memory(target, MEMORY_SIZE);
	ASSERT_NE(NULL, self->memory);
	vm_stamp(self->memory, MEMORY_SIZE, (uintptr_t)self->memory);
}

FIXTURE_TEARDOWN(paging)
{
	iommufd_close(&self->iommufd);
	self->target.ops->close(&self->target);
}

static uint64_t reached(FIXTURE_DATA(paging) *self, unsigned int device, uint64_t iova)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .address = self->ats ? DMA_ATS : DMA_PLAIN,
		.pasid = DMA_NO_PASID, .addr = iova, .len = 8, .data = &data,
	};

	return self->target.ops->dma(&self->target, device, 0, &dma) == DMA_DONE ? vm_name(data) :
										   VM_NOWHERE;
}

#define EXPECT_PAGE(_device, _iova, _page) \
	EXPECT_EQ((uintptr_t)self->memory + (_page) * VM_PAGE, reached(self, _device, _iova))
#define EXPECT_NONE(_device, _iova) EXPECT_EQ(VM_NOWHERE, reached(self, _device, _iova))
#define IOAS_MAP(_ioas, _iova, _page, _pages) \
	ASSERT_EQ(0, __ioas_map(&self->iommufd, _ioas, self->memory + (_page) * VM_PAGE, \
				(_pages) * VM_PAGE, _iova, \
				IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE))
#define IOAS_UNMAP(_ioas, _iova, _pages) \
	ASSERT_EQ(0, __ioas_unmap(&self->iommufd, _ioas, _iova, (_pages) * VM_PAGE, NULL))
#define ATTACH(_device, _pt_id) \
	ASSERT_EQ(0, self->target.ops->attach(&self->target, &self->iommufd, self->dev[_device], \
					      DMA_NO_PASID, _pt_id))
#define DETACH(_device) \
	ASSERT_EQ(0, self->target.ops->detach(&self->target, &self->iommufd, self->dev[_device], \
					      DMA_NO_PASID))

TEST_F(paging, unmap)
{
	RULE("VTD-10");
	ATTACH(0, self->ioas);
	for (unsigned int n = 0; n < 3; n++) {
		IOAS_MAP(self->ioas, BASE, n, 4);
		EXPECT_PAGE(0, BASE + 3 * VM_PAGE, n + 3);
		IOAS_UNMAP(self->ioas, BASE, 4);
		EXPECT_NONE(0, BASE + 3 * VM_PAGE);
	}
}

TEST_F(paging, unmap_of_a_range)
{
	RULE("VTD-04");
	ATTACH(0, self->ioas);
	IOAS_MAP(self->ioas, BASE + VM_PAGE, 1, 600);
	for (unsigned int page = 1; page <= 600; page += 37)
		EXPECT_PAGE(0, BASE + page * VM_PAGE, page);
	IOAS_UNMAP(self->ioas, BASE + VM_PAGE, 600);
	for (unsigned int page = 1; page <= 600; page += 37)
		EXPECT_NONE(0, BASE + page * VM_PAGE);
}

/* Pages, then a large page, then pages: whatever tables there were in between */
TEST_F(paging, pages_become_a_large_one)
{
	RULE("VTD-05");
	ATTACH(0, self->ioas);
	IOAS_MAP(self->ioas, BASE, 3, 1);
	EXPECT_PAGE(0, BASE, 3);
	IOAS_UNMAP(self->ioas, BASE, 1);
	IOAS_MAP(self->ioas, BASE, 512, 512);
	EXPECT_PAGE(0, BASE, 512);
	EXPECT_PAGE(0, BASE + 511 * VM_PAGE, 1023);
	IOAS_UNMAP(self->ioas, BASE, 512);
	IOAS_MAP(self->ioas, BASE + 5 * VM_PAGE, 4, 1);
	EXPECT_NONE(0, BASE);
	EXPECT_PAGE(0, BASE + 5 * VM_PAGE, 4);
}

TEST_F(paging, both_devices)
{
	RULE("VTD-10");
	IOAS_MAP(self->ioas, BASE, 0, 1);
	for (unsigned int i = 0; i < 2; i++) {
		ATTACH(i, self->ioas);
		EXPECT_PAGE(i, BASE, 0);
	}
	IOAS_UNMAP(self->ioas, BASE, 1);
	for (unsigned int i = 0; i < 2; i++)
		EXPECT_NONE(i, BASE);
}

/* One of two users leaves; the other's mapping is unmapped afterwards. */
TEST_F(paging, one_of_two_leaves)
{
	RULE("VTD-43");
	IOAS_MAP(self->ioas, BASE, 0, 1);
	for (unsigned int i = 0; i < 2; i++) {
		ATTACH(i, self->ioas);
		EXPECT_PAGE(i, BASE, 0);
	}
	DETACH(1);
	EXPECT_NONE(1, BASE);
	EXPECT_PAGE(0, BASE, 0);
	IOAS_UNMAP(self->ioas, BASE, 1);
	EXPECT_NONE(0, BASE);
}

TEST_F(paging, replaced)
{
	uint32_t other = ioas_alloc(&self->iommufd);

	RULE("VTD-10");
	IOAS_MAP(self->ioas, BASE, 0, 1);
	IOAS_MAP(other, BASE, 1, 1);
	for (unsigned int i = 0; i < 4; i++) {
		ATTACH(0, i % 2 ? other : self->ioas);
		EXPECT_PAGE(0, BASE, i % 2);
	}
	DETACH(0);
	EXPECT_NONE(0, BASE);
}

/* The domain id goes to the next page table, without what was cached under it. */
TEST_F(paging, domain_id_used_again)
{
	RULE("VTD-43");
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t ioas = ioas_alloc(&self->iommufd);

		IOAS_MAP(ioas, BASE, i, 1);
		ATTACH(0, ioas);
		EXPECT_PAGE(0, BASE, i);
		DETACH(0);
		iommufd_destroy(&self->iommufd, ioas);
	}
}

NIT_TEST_MAIN
