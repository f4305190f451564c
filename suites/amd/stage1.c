// SPDX-License-Identifier: GPL-2.0-only
/* Changes of the guest's v2 table, and the invalidation after which they must be seen. */
#include "vm_fixture.h"

NESTED_VARIANTS_ALL;

TEST_F(nested, remapped_page)
{
	RULE("AMD-01");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

TEST_F(nested, remapped_page_again_and_again)
{
	RULE("AMD-01");
	MAP(self->iova, self->page[0], PAGE);
	for (unsigned int i = 0; i < 8; i++) {
		REACHES(self->iova, self->page[i % 4]);
		MAP(self->iova, self->page[(i + 1) % 4], PAGE);
		STILL_REACHES(self->iova, self->page[i % 4]);
		INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	}
}

TEST_F(nested, unmapped_page)
{
	RULE("AMD-01");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	UNMAP(self->iova, PAGE);
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REFUSED(self->iova);
}

/* Without NpCache what is not present is not cached. */
TEST_F(nested, mapped_page_needs_no_invalidation)
{
	RULE("AMD-07");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	REFUSED(self->iova + PAGE);
	MAP(self->iova + PAGE, self->page[1], PAGE);
	REACHES(self->iova + PAGE, self->page[1]);
}

TEST_F(nested, write_permission_taken_away)
{
	RULE("AMD-01");
	MAP(self->iova, self->page[0], PAGE);
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 1));
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], PAGE, RO));
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 2));	/* control */
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 3));
	REACHES(self->iova, self->page[0]);
}

TEST_F(nested, write_permission_given)
{
	RULE("AMD-01");
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], PAGE, RO));
	REACHES(self->iova, self->page[0]);
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 1));
	MAP(self->iova, self->page[0], PAGE);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 2));
}

/* The directory entry that led to the pages is cached as well: PDE = 1. */
TEST_F(nested, pages_become_a_large_page)
{
	RULE("AMD-02");
	uint64_t large = vm_pages(&self->vm, SIZE_2M);

	ASSERT_NE(0, large);
	MAP(self->iova, self->page[0], PAGE);
	MAP(self->iova + SIZE_2M - PAGE, self->page[1], PAGE);
	REACHES(self->iova, self->page[0]);
	REACHES(self->iova + SIZE_2M - PAGE, self->page[1]);
	MAP(self->iova, large, SIZE_2M);
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, SIZE_2M, 0);
	REACHES(self->iova, large);
	REACHES(self->iova + 5 * PAGE, large + 5 * PAGE);
	REACHES(self->iova + SIZE_2M - PAGE, large + SIZE_2M - PAGE);
}

TEST_F(nested, a_large_page_becomes_pages)
{
	RULE("AMD-02");
	uint64_t large = vm_pages(&self->vm, SIZE_2M);

	ASSERT_NE(0, large);
	MAP(self->iova, large, SIZE_2M);
	REACHES(self->iova + 7 * PAGE, large + 7 * PAGE);
	MAP(self->iova + 7 * PAGE, self->page[0], PAGE);
	STILL_REACHES(self->iova + 7 * PAGE, large + 7 * PAGE);
	INVALIDATE(self->iova, SIZE_2M, 0);
	REACHES(self->iova + 7 * PAGE, self->page[0]);
	REFUSED(self->iova + 8 * PAGE);
}

TEST_F(nested, remapped_1g_page)
{
	RULE("AMD-01");
	MAP(self->iova, VM_RAM_BASE, SIZE_1G);
	REACHES(self->iova + (self->page[0] - VM_RAM_BASE), self->page[0]);
	MAP(self->iova, WINDOW, SIZE_1G);
	ASSERT_EQ(0, window_map(&self->vm, 3, 0));
	STILL_REACHES(self->iova + (self->page[0] - VM_RAM_BASE), self->page[0]);
	INVALIDATE(self->iova, SIZE_1G, VM_LEAF_ONLY);
	REACHES(self->iova + 3 * PAGE, spare_name(&self->vm, 0));
	REFUSED(self->iova + (self->page[0] - VM_RAM_BASE));
}

/* A directory entry that points to another table, the first one untouched */
TEST_F(nested, another_table)
{
	RULE("AMD-02");
	uint64_t other = self->iova + 16 * SIZE_2M, *entry;

	MAP(self->iova, self->page[0], PAGE);
	MAP(other, self->page[1], PAGE);
	REACHES(self->iova, self->page[0]);
	entry = pgtable_entry(&self->space.stage1, self->iova, 1);
	__atomic_store_n(entry, *pgtable_entry(&self->space.stage1, other, 1), __ATOMIC_RELEASE);
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, PAGE, 0);
	REACHES(self->iova, self->page[1]);
	__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	INVALIDATE(self->iova, PAGE, 0);
	REFUSED(self->iova);
}

/* 2.4.3, table 14: every size that S and the address can say, its first page and its last */
TEST_F(nested, every_size_of_range)
{
	RULE("AMD-01");
	for (unsigned int shift = 13; shift < 39; shift++) {
		uint64_t first = self->iova & ~((1ULL << shift) - 1);
		uint64_t last = first + (1ULL << shift) - PAGE;

		MAP(first, self->page[0], PAGE);
		MAP(last, self->page[1], PAGE);
		REACHES(first, self->page[0]);
		REACHES(last, self->page[1]);
		MAP(first, self->page[2], PAGE);
		MAP(last, self->page[3], PAGE);
		STILL_REACHES(first, self->page[0]);
		STILL_REACHES(last, self->page[1]);
		INVALIDATE(first, 1ULL << shift, VM_LEAF_ONLY);
		REACHES(first, self->page[2]);
		REACHES(last, self->page[3]);
		UNMAP(first, PAGE);
		UNMAP(last, PAGE);
		INVALIDATE(first, 1ULL << shift, VM_LEAF_ONLY);
	}
}

TEST_F(nested, two_pages_that_straddle_a_boundary)
{
	RULE("AMD-01");
	for (unsigned int shift = 13; shift < 36; shift += 3) {
		uint64_t second = self->iova + (1ULL << shift), first = second - PAGE;

		MAP(first, self->page[0], PAGE);
		MAP(second, self->page[1], PAGE);
		REACHES(first, self->page[0]);
		REACHES(second, self->page[1]);
		MAP(first, self->page[2], PAGE);
		MAP(second, self->page[3], PAGE);
		STILL_REACHES(second, self->page[1]);
		INVALIDATE(first, 2 * PAGE, VM_LEAF_ONLY);
		REACHES(first, self->page[2]);
		REACHES(second, self->page[3]);
	}
}

TEST_F(nested, everything)
{
	RULE("AMD-01");
	static const uint64_t offsets[] = { 0, SIZE_2M, SIZE_1G, 64 * SIZE_1G };

	for (unsigned int i = 0; i < 4; i++) {
		MAP(self->iova + offsets[i], self->page[i], PAGE);
		REACHES(self->iova + offsets[i], self->page[i]);
	}
	MAP(0x5000, self->page[0], PAGE);
	REACHES(0x5000, self->page[0]);
	for (unsigned int i = 0; i < 4; i++)
		UNMAP(self->iova + offsets[i], PAGE);
	UNMAP(0x5000, PAGE);
	STILL_REACHES(self->iova, self->page[0]);
	EXPECT_EQ(0, vm_invalidate_space(&self->space));
	for (unsigned int i = 0; i < 4; i++)
		REFUSED(self->iova + offsets[i]);
	REFUSED(0x5000);
}

/* A page is named by its own address, in a crowd that is not */
TEST_F(nested, one_page_of_many)
{
	RULE("AMD-01");
	for (unsigned int i = 0; i < 64; i++) {
		MAP(self->iova + i * PAGE, self->page[0], PAGE);
		REACHES(self->iova + i * PAGE, self->page[0]);
	}
	for (unsigned int i = 0; i < 64; i += 7) {
		MAP(self->iova + i * PAGE, self->page[1], PAGE);
		STILL_REACHES(self->iova + i * PAGE, self->page[0]);
		INVALIDATE(self->iova + i * PAGE, PAGE, VM_LEAF_ONLY);
		REACHES(self->iova + i * PAGE, self->page[1]);
	}
}

/* Hardware sets A and D in the guest's table; what the guest clears it invalidates. */
TEST_F(nested, accessed_and_dirty_bits)
{
	RULE("AMD-50");
	uint64_t *pte;

	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], PAGE,
			    RW | PGTABLE_NO_ACCESSED | PGTABLE_NO_DIRTY));
	pte = pgtable_entry(&self->space.stage1, self->iova, 0);
	for (unsigned int i = 0; i < 3; i++) {
		REACHES(self->iova, self->page[0]);
		EXPECT_EQ(AMDVI_GPTE_A, *pte & (AMDVI_GPTE_A | AMDVI_GPTE_D));
		EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, i));
		EXPECT_EQ(AMDVI_GPTE_A | AMDVI_GPTE_D, *pte & (AMDVI_GPTE_A | AMDVI_GPTE_D));
		__atomic_fetch_and(pte, ~(AMDVI_GPTE_A | AMDVI_GPTE_D), __ATOMIC_RELAXED);
		INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	}
}

/* Other ids and other addresses before, beside and after the right one do not do its work. */
TEST_F(nested, the_right_one_among_wrong_ones)
{
	RULE("AMD-01");
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space);
	uint16_t domain = self->space.domain;

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	guest_amdvi_pages(&list, domain + 1, pasid, self->iova, PAGE, true);
	guest_amdvi_pages(&list, domain, pasid ^ 0x80, self->iova, PAGE, true);
	guest_amdvi_pages(&list, domain, pasid, self->iova + PAGE, PAGE, true);
	if (!vmm_amdvi(&self->vm)->config.hw)	/* an id that a table has not is an error there */
		ISSUE(&self->vm, &list);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

/* Stage 1 in 2 MiB on stage 2 in 4 KiB: what is cached is the smaller of the two. */
TEST_F(nested, a_large_page_on_small_ones)
{
	RULE("AMD-03");
	for (unsigned int i = 0; i < 3; i++)
		ASSERT_EQ(0, window_map(&self->vm, 100 * i, i));
	MAP(self->iova, WINDOW, SIZE_2M);
	for (unsigned int i = 0; i < 3; i++)
		REACHES(self->iova + 100 * i * PAGE, spare_name(&self->vm, i));
	REFUSED(self->iova + PAGE);
	UNMAP(self->iova, SIZE_2M);
	STILL_REACHES(self->iova + 100 * PAGE, spare_name(&self->vm, 1));
	INVALIDATE(self->iova, SIZE_2M, VM_LEAF_ONLY);
	for (unsigned int i = 0; i < 3; i++)
		REFUSED(self->iova + 100 * i * PAGE);
}

NIT_TEST_MAIN
