// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of the second stage while nested users are attached. IOAS_UNMAP invalidates by itself:
 * what was unmapped is out of reach when it returns, by whatever first-stage address, cache or
 * table it was reached before.
 */
#include "vm_fixture.h"

/* Put a page of the VMM where guest RAM had another */
#define REPLACE_BACKING(_gpa, _va) do { \
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, _gpa, PAGE)); \
	ASSERT_EQ(0, vm_s2_map(&self->vm, _gpa, _va, PAGE, S2_RW)); \
} while (0)

/* A guest physical page outside of RAM, mapped to the VMM's spare page @_n */
#define HOT 0x80000000ull
#define PLUG(_n) ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, spare(self, _n), PAGE, S2_RW))
#define UNPLUG() ASSERT_EQ(0, vm_s2_unmap(&self->vm, HOT, PAGE))

static void *spare(FIXTURE_DATA(nested) *self, unsigned int n)
{
	return self->vm.spare + n * PAGE;
}

static uint64_t spare_name(FIXTURE_DATA(nested) *self, unsigned int n)
{
	return (uintptr_t)spare(self, n);
}

TEST_F(nested, unmap)
{
	RULE("VTD-46");
	PLUG(0);
	MAP(self->iova, HOT, PAGE);
	REACHES(self->iova, spare_name(self, 0));
	UNPLUG();
	REFUSED(self->iova);
}

TEST_F(nested, other_page_in_its_place)
{
	RULE("VTD-46");
	PLUG(0);
	MAP(self->iova, HOT, PAGE);
	REACHES(self->iova, spare_name(self, 0));
	REPLACE_BACKING(HOT, spare(self, 1));
	REACHES(self->iova, spare_name(self, 1));
}

/* One page of the guest under many of its addresses: all of them combine both stages. */
TEST_F(nested, unmap_of_a_page_with_aliases)
{
	RULE("VTD-46");
	PLUG(0);
	for (unsigned int i = 0; i < 8; i++) {
		MAP(self->iova + i * SIZE_1G, HOT, PAGE);
		REACHES(self->iova + i * SIZE_1G, spare_name(self, 0));
	}
	UNPLUG();
	for (unsigned int i = 0; i < 8; i++)
		REFUSED(self->iova + i * SIZE_1G);
}

/* The page is not reached by DMA itself: a first-stage table lies in it. */
TEST_F(nested, unmap_of_a_page_that_holds_a_table)
{
	uint64_t *entry, *moved = spare(self, 1);

	RULE("VTD-46");
	MAP(self->iova, self->page[0], PAGE);
	entry = pgtable_entry(&self->space.stage1, self->iova, 0);
	PLUG(1);
	memset(moved, 0, PAGE);
	moved[0] = *entry;
	entry = pgtable_entry(&self->space.stage1, self->iova, 1);
	*entry = (*entry & (PAGE - 1)) | HOT;
	REACHES(self->iova, self->page[0]);
	UNPLUG();
	REFUSED(self->iova);
	PLUG(1);
	REACHES(self->iova, self->page[0]);
}

/* A table's page is replaced by one with other contents: no walk cache may keep to the old one. */
TEST_F(nested, other_table_in_its_place)
{
	uint64_t *first = spare(self, 1), *second = spare(self, 2), *entry;

	RULE("VTD-46");
	MAP(self->iova, self->page[0], PAGE);
	entry = pgtable_entry(&self->space.stage1, self->iova, 0);
	memset(first, 0, 2 * PAGE);
	first[0] = *entry;
	second[0] = *entry + self->page[1] - self->page[0];
	second[1] = *entry + self->page[2] - self->page[0];
	PLUG(1);
	entry = pgtable_entry(&self->space.stage1, self->iova, 1);
	*entry = (*entry & (PAGE - 1)) | HOT;
	REACHES(self->iova, self->page[0]);
	REPLACE_BACKING(HOT, second);
	REACHES(self->iova, self->page[1]);
	REACHES(self->iova + PAGE, self->page[2]);
}

/* A 2 MiB page of the guest over 4 KiB ones of the hypervisor: cached in pieces or whole */
TEST_F(nested, unmap_under_a_large_page_of_the_guest)
{
	const uint64_t base = 0x100000000;

	RULE("VTD-46");
	for (unsigned int i = 0; i < 4; i++)
		ASSERT_EQ(0, vm_s2_map(&self->vm, base + i * PAGE, spare(self, 2 * i), PAGE,
				       S2_RW));
	MAP(self->iova, base, SIZE_2M);
	for (unsigned int i = 0; i < 4; i++)
		REACHES(self->iova + i * PAGE, spare_name(self, 2 * i));
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, base + 2 * PAGE, PAGE));
	REFUSED(self->iova + 2 * PAGE);
	REACHES(self->iova + 3 * PAGE, spare_name(self, 6));
}

/* And the reverse: 4 KiB pages of the guest inside a large one of the hypervisor */
TEST_F(nested, unmap_of_a_large_page_under_small_ones)
{
	const uint64_t base = 0x100000000;
	uint8_t *large = self->target.ops->memory(&self->target, 2 * SIZE_2M);
	uint64_t skip = -(uintptr_t)large % SIZE_2M;

	RULE("VTD-46");
	ASSERT_NE(NULL, large);
	vm_stamp(large + skip, SIZE_2M, base);
	ASSERT_EQ(0, vm_s2_map(&self->vm, base, large + skip, SIZE_2M, S2_RW));
	for (unsigned int i = 0; i < 4; i++) {
		MAP(self->iova + i * PAGE, base + i * 100 * PAGE, PAGE);
		REACHES(self->iova + i * PAGE, base + i * 100 * PAGE);
	}
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, base, SIZE_2M));
	for (unsigned int i = 0; i < 4; i++)
		REFUSED(self->iova + i * PAGE);
}

/* More pages than one page-selective invalidation may name (MAMV) */
TEST_F(nested, unmap_of_a_range_with_holes)
{
	const uint64_t base = 0x8000000000, step = 0x40000000;

	RULE("VTD-04");
	for (unsigned int i = 0; i < 4; i++) {
		ASSERT_EQ(0, vm_s2_map(&self->vm, base + i * step, spare(self, i), PAGE, S2_RW));
		MAP(self->iova + i * PAGE, base + i * step, PAGE);
		REACHES(self->iova + i * PAGE, spare_name(self, i));
	}
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, base, 4 * step));
	for (unsigned int i = 0; i < 4; i++)
		REFUSED(self->iova + i * PAGE);
}

static bool read_only_allowed(FIXTURE_DATA(nested) *self)
{
	struct iommu_hw_info_vtd info = {};
	uint32_t type, len = sizeof(info);
	uint64_t capabilities;
	uint8_t pasid;

	return !__get_hw_info(&self->vm.iommufd, self->device->dev_id, &type, &info, &len,
			      &capabilities, &pasid) &&
	       !(info.flags & IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17);
}

TEST_F(nested, permission_of_both_stages)
{
	RULE("VTD-46");
	if (!read_only_allowed(self))
		SKIP(return, "the kernel says that no page of a nest parent may be read-only");
	ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, spare(self, 0), PAGE, IOMMU_IOAS_MAP_READABLE));
	MAP(self->iova, HOT, PAGE);
	REACHES(self->iova, spare_name(self, 0));
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 1));
	UNPLUG();
	PLUG(0);
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 2));
	UNPLUG();
	ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, spare(self, 0), PAGE, IOMMU_IOAS_MAP_READABLE));
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 3));
}

/* A write that was translated before the unmap lands before the unmap returns, or never. */
TEST_F(nested, unmap_waits_for_a_write_in_flight)
{
	struct late_write late = { self->device, 10 };
	uint64_t *word = (uint64_t *)spare(self, 0) + 1;

	RULE(variant->ats ? "ATS-03" : "VTD-14");
	PLUG(0);
	MAP(self->iova, HOT, PAGE);
	HOLD_WRITE(&late, self->iova + 8, 0x1234);
	UNPLUG();
	EXPECT_EQ(0x1234, *word);	/* the unmap waited, and what it waited for is done */
}

NIT_TEST_MAIN
