// SPDX-License-Identifier: GPL-2.0-only
/* Changes of the guest's first-stage table, and the invalidation after which they must be seen. */
#include "vm_fixture.h"

TEST_F(nested, remapped_page)
{
	RULE("VTD-02");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

TEST_F(nested, remapped_page_again_and_again)
{
	RULE("VTD-02");
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
	RULE("VTD-10");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	UNMAP(self->iova, PAGE);
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REFUSED(self->iova);
}

/* First-stage entries that are not present are never cached, caching mode or not (6.1). */
TEST_F(nested, mapped_page_needs_no_invalidation)
{
	RULE("VTD-11");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	REFUSED(self->iova + PAGE);
	MAP(self->iova + PAGE, self->page[1], PAGE);
	REACHES(self->iova + PAGE, self->page[1]);
	UNMAP(self->iova + PAGE, PAGE);
	INVALIDATE(self->iova + PAGE, PAGE, VM_LEAF_ONLY);
	REFUSED(self->iova + PAGE);
	MAP(self->iova + PAGE, self->page[2], PAGE);
	REACHES(self->iova + PAGE, self->page[2]);
}

TEST_F(nested, write_permission_taken_away)
{
	RULE("VTD-10");
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
	RULE("VTD-10");
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], PAGE, RO));
	REACHES(self->iova, self->page[0]);
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 1));
	MAP(self->iova, self->page[0], PAGE);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 2));
}

/* A range that is no power of two, and crosses the alignment of the next larger one */
TEST_F(nested, range_that_straddles)
{
	const unsigned int first = 3, count = 3;

	RULE("VTD-45");
	for (unsigned int i = 0; i < count; i++)
		MAP_THEN_REMAP(self->iova + (first + i) * PAGE, self->page[0], self->page[1 + i]);
	INVALIDATE(self->iova + first * PAGE, count * PAGE, VM_LEAF_ONLY);
	for (unsigned int i = 0; i < count; i++)
		REACHES(self->iova + (first + i) * PAGE, self->page[1 + i]);
}

TEST_F(nested, range_over_a_gigabyte_boundary)
{
	uint64_t iova = self->iova + SIZE_1G - PAGE;

	RULE("VTD-45");
	MAP_THEN_REMAP(iova, self->page[0], self->page[1]);
	MAP_THEN_REMAP(iova + PAGE, self->page[2], self->page[3]);
	INVALIDATE(iova, 2 * PAGE, VM_LEAF_ONLY);
	REACHES(iova, self->page[1]);
	REACHES(iova + PAGE, self->page[3]);
}

TEST_F(nested, lowest_and_highest_page)
{
	uint64_t top = (1ull << (self->space.stage1.levels * 9 + 11)) - PAGE;

	RULE("VTD-02");
	MAP_THEN_REMAP(0, self->page[0], self->page[1]);
	MAP_THEN_REMAP(top, self->page[2], self->page[3]);
	INVALIDATE(0, PAGE, VM_LEAF_ONLY);
	INVALIDATE(top, PAGE, VM_LEAF_ONLY);
	REACHES(0, self->page[1]);
	REACHES(top, self->page[3]);
}

TEST_F(nested, whole_address_space)
{
	RULE("VTD-44");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	MAP_THEN_REMAP(self->iova + 5 * SIZE_1G, self->page[2], self->page[3]);
	ASSERT_EQ(0, vm_invalidate_space(&self->space));
	REACHES(self->iova, self->page[1]);
	REACHES(self->iova + 5 * SIZE_1G, self->page[3]);
}

/* Writes that were translated by the old entry have landed when the guest hears of the end. */
TEST_F(nested, invalidation_waits_for_a_write_in_flight)
{
	struct late_write late = { self->device, 10 };
	uint64_t *word = (uint64_t *)pages_ptr(&self->vm.mem, self->page[0]) + 1;

	RULE("VTD-14");
	MAP(self->iova, self->page[0], PAGE);
	HOLD_WRITE(&late, self->iova + 8, 0x1234);
	MAP(self->iova, self->page[1], PAGE);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	EXPECT_EQ(0x1234, *word);
	REACHES(self->iova, self->page[1]);
}

/* ---- Large pages ---- */

TEST_F(nested, remapped_2m_page)
{
	uint64_t old = vm_pages(&self->vm, SIZE_2M), new = vm_pages(&self->vm, SIZE_2M);

	RULE("VTD-04");
	MAP(self->iova, old, SIZE_2M);
	for (uint64_t at = 0; at < SIZE_2M; at += SIZE_2M / 4)
		REACHES(self->iova + at, old + at);
	MAP(self->iova, new, SIZE_2M);
	STILL_REACHES(self->iova + SIZE_2M / 2, old + SIZE_2M / 2);
	INVALIDATE(self->iova, SIZE_2M, VM_LEAF_ONLY);
	for (uint64_t at = 0; at < SIZE_2M; at += SIZE_2M / 4)
		REACHES(self->iova + at, new + at);
}

/* Guest RAM is smaller than the page: what lies in it is reached, the rest is not. */
TEST_F(nested, remapped_1g_page)
{
	uint64_t offset = self->page[0] - VM_RAM_BASE;

	RULE("VTD-04");
	MAP(self->iova, VM_RAM_BASE, SIZE_1G);
	REACHES(self->iova + offset, self->page[0]);
	REFUSED(self->iova + SIZE_1G - PAGE);
	MAP(self->iova, VM_RAM_BASE + SIZE_1G, SIZE_1G);
	STILL_REACHES(self->iova + offset, self->page[0]);
	INVALIDATE(self->iova, SIZE_1G, VM_LEAF_ONLY);
	REFUSED(self->iova + offset);
}

TEST_F(nested, large_page_becomes_a_table)
{
	uint64_t large = vm_pages(&self->vm, SIZE_2M);

	RULE("VTD-05");
	MAP(self->iova, large, SIZE_2M);
	REACHES(self->iova + 7 * PAGE, large + 7 * PAGE);
	UNMAP(self->iova, SIZE_2M);
	MAP(self->iova + 7 * PAGE, self->page[0], PAGE);
	STILL_REACHES(self->iova + 7 * PAGE, large + 7 * PAGE);
	INVALIDATE(self->iova, SIZE_2M, 0);
	REACHES(self->iova + 7 * PAGE, self->page[0]);
	REFUSED(self->iova + 8 * PAGE);
}

TEST_F(nested, table_becomes_a_large_page)
{
	uint64_t large = vm_pages(&self->vm, SIZE_2M);

	RULE("VTD-05");
	MAP(self->iova + 7 * PAGE, self->page[0], PAGE);
	REACHES(self->iova + 7 * PAGE, self->page[0]);
	MAP(self->iova, large, SIZE_2M);
	STILL_REACHES(self->iova + 7 * PAGE, self->page[0]);
	INVALIDATE(self->iova, SIZE_2M, 0);
	REACHES(self->iova + 7 * PAGE, large + 7 * PAGE);
	REACHES(self->iova + 9 * PAGE, large + 9 * PAGE);
}

/*
 * A page of one table, reached by way of another: hardware may keep the old table however often the
 * leaf is invalidated with IH set, and must forget it when IH is clear.
 */
TEST_F(nested, table_replaced)
{
	uint64_t *directory, table = vm_page(&self->vm), *entries = pages_ptr(&self->vm.mem, table);

	RULE("VTD-05");
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	memset(entries, 0, PAGE);
	entries[0] = *pgtable_entry(&self->space.stage1, self->iova, 0);
	entries[0] += self->page[1] - self->page[0];
	directory = pgtable_entry(&self->space.stage1, self->iova, 1);
	*directory = (*directory & (PAGE - 1)) | table;
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	STILL_REACHES(self->iova, self->page[0]);	/* control: by way of the old table */
	INVALIDATE(self->iova, PAGE, 0);
	REACHES(self->iova, self->page[1]);
}

/* The same one level up: all of 1 GiB hangs on the entry. */
TEST_F(nested, directory_replaced)
{
	uint64_t *pointer, directory = vm_page(&self->vm);
	uint64_t far = self->iova + 300 * SIZE_2M;

	RULE("VTD-05");
	MAP(self->iova, self->page[0], PAGE);
	MAP(far, self->page[1], PAGE);
	REACHES(self->iova, self->page[0]);
	REACHES(far, self->page[1]);
	memset(pages_ptr(&self->vm.mem, directory), 0, PAGE);
	pointer = pgtable_entry(&self->space.stage1, self->iova, 2);
	*pointer = (*pointer & (PAGE - 1)) | directory;
	MAP(self->iova, self->page[2], PAGE);
	MAP(far, self->page[3], PAGE);
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, SIZE_1G, 0);
	REACHES(self->iova, self->page[2]);
	REACHES(far, self->page[3]);
}

NIT_TEST_MAIN
