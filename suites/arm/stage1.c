// SPDX-License-Identifier: GPL-2.0-only
/* Changes of the guest's stage-1 table, and the invalidation after which they must be seen. */
#include "vm_fixture.h"

TEST_F(nested, remapped_page)
{
	RULE("SMMU-02");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	INVALIDATE(self->iova, self->granule, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

TEST_F(nested, remapped_page_again_and_again)
{
	RULE("SMMU-02");
	MAP(self->iova, self->page[0], self->granule);
	for (unsigned int i = 0; i < 8; i++) {
		REACHES(self->iova, self->page[i % 4]);
		MAP(self->iova, self->page[(i + 1) % 4], self->granule);
		STILL_REACHES(self->iova, self->page[i % 4]);
		INVALIDATE(self->iova, self->granule, VM_LEAF_ONLY);
	}
}

TEST_F(nested, unmapped_page)
{
	RULE("SMMU-02");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	UNMAP(self->iova, self->granule);
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, self->granule, VM_LEAF_ONLY);
	REFUSED(self->iova);
}

/* Entries that are not valid are not cached, in a TLB or in an ATC. */
TEST_F(nested, mapped_page_needs_no_invalidation)
{
	RULE("SMMU-40");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	REFUSED(self->iova + self->granule);
	MAP(self->iova + self->granule, self->page[1], self->granule);
	REACHES(self->iova + self->granule, self->page[1]);
}

TEST_F(nested, write_permission_taken_away)
{
	RULE("SMMU-02");
	NEEDS(&self->target, TARGET_READ);
	MAP(self->iova, self->page[0], self->granule);
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 1));
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], self->granule, RO));
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 2));	/* control */
	INVALIDATE(self->iova, self->granule, VM_LEAF_ONLY);
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 3));
	REACHES(self->iova, self->page[0]);
}

TEST_F(nested, write_permission_given)
{
	RULE("SMMU-02");
	NEEDS(&self->target, TARGET_READ);
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], self->granule, RO));
	REACHES(self->iova, self->page[0]);
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 1));
	MAP(self->iova, self->page[0], self->granule);
	INVALIDATE(self->iova, self->granule, VM_LEAF_ONLY);
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 2));
}

TEST_F(nested, user_permission_taken_away)
{
	RULE("SMMU-02");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], self->granule,
			    PGTABLE_READ | PGTABLE_WRITE));
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, self->granule, VM_LEAF_ONLY);
	REFUSED(self->iova);
}

/* A range that is no power of two, and crosses the alignment of the next larger one */
TEST_F(nested, range_that_straddles)
{
	const unsigned int first = 3, count = 3;

	RULE("SMMU-06");
	for (unsigned int i = 0; i < count; i++)
		MAP_THEN_REMAP(self->iova + (first + i) * self->granule, self->page[0],
			       self->page[1 + i]);
	INVALIDATE(self->iova + first * self->granule, count * self->granule, VM_LEAF_ONLY);
	for (unsigned int i = 0; i < count; i++)
		REACHES(self->iova + (first + i) * self->granule, self->page[1 + i]);
}

TEST_F(nested, range_over_a_table_boundary)
{
	uint64_t iova = self->iova + 16 * SIZE_1G - self->granule;

	RULE("SMMU-06");
	MAP_THEN_REMAP(iova, self->page[0], self->page[1]);
	MAP_THEN_REMAP(iova + self->granule, self->page[2], self->page[3]);
	INVALIDATE(iova, 2 * self->granule, VM_LEAF_ONLY);
	REACHES(iova, self->page[1]);
	REACHES(iova + self->granule, self->page[3]);
}

/* A number of granules that takes several commands: 1 + 2 * 31 + 4 * 5 */
TEST_F(nested, range_of_several_commands)
{
	uint64_t last = self->iova + 82 * self->granule;

	RULE("SMMU-06");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	MAP_THEN_REMAP(last, self->page[2], self->page[3]);
	INVALIDATE(self->iova, 83 * self->granule, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
	REACHES(last, self->page[3]);
}

TEST_F(nested, lowest_and_highest_page)
{
	uint64_t top = (1ull << 48) - self->granule;

	RULE("SMMU-02");
	MAP_THEN_REMAP(0, self->page[0], self->page[1]);
	MAP_THEN_REMAP(top, self->page[2], self->page[3]);
	INVALIDATE(0, self->granule, VM_LEAF_ONLY);
	INVALIDATE(top, self->granule, VM_LEAF_ONLY);
	REACHES(0, self->page[1]);
	REACHES(top, self->page[3]);
}

TEST_F(nested, whole_address_space)
{
	RULE("SMMU-41");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	MAP_THEN_REMAP(self->iova + 5 * SIZE_1G, self->page[2], self->page[3]);
	ASSERT_EQ(0, vm_invalidate_space(&self->space));
	REACHES(self->iova, self->page[1]);
	REACHES(self->iova + 5 * SIZE_1G, self->page[3]);
}

/* Without ranges (IDR3.RIL == 0) a guest says it page by page. */
TEST_F(nested, page_by_page)
{
	RULE("SMMU-02");
	vmm_smmuv3(&self->vm)->guest.one_by_one = true;
	for (unsigned int i = 0; i < 3; i++)
		MAP_THEN_REMAP(self->iova + i * self->granule, self->page[0], self->page[1 + i]);
	INVALIDATE(self->iova, 3 * self->granule, VM_LEAF_ONLY);
	for (unsigned int i = 0; i < 3; i++)
		REACHES(self->iova + i * self->granule, self->page[1 + i]);
}

/* ---- Blocks and contiguous runs ---- */

static uint64_t block_size(uint64_t granule)
{
	return granule * granule / 8;	/* 2 MiB, 32 MiB, 512 MiB */
}

static uint64_t run_size(uint64_t granule)
{
	return granule == 4096 ? 16 * granule : SIZE_2M;	/* 64 KiB, 2 MiB, 2 MiB */
}

/* A block may be larger than guest RAM: what lies in RAM is reached, the rest is not. */
TEST_F(nested, remapped_block)
{
	uint64_t size = block_size(self->granule), base = self->page[0] & ~(size - 1);

	RULE("SMMU-42");
	MAP(self->iova, base, size);
	REACHES(self->iova + (self->page[0] - base), self->page[0]);
	REACHES(self->iova + (self->page[0] - base) + self->granule - 4096,
		self->page[0] + self->granule - 4096);
	MAP(self->iova, VM_RAM_BASE + SIZE_1G, size);
	STILL_REACHES(self->iova + (self->page[0] - base), self->page[0]);
	INVALIDATE(self->iova, size, VM_LEAF_ONLY);
	REFUSED(self->iova + (self->page[0] - base));
}

/* Any address in it names a block; the whole of it goes, whatever piece an invalidation names. */
TEST_F(nested, block_by_its_last_page)
{
	uint64_t size = block_size(self->granule), base = self->page[0] & ~(size - 1);

	RULE("SMMU-42");
	MAP(self->iova, base, size);
	REACHES(self->iova + (self->page[0] - base), self->page[0]);
	UNMAP(self->iova, size);
	STILL_REACHES(self->iova + (self->page[0] - base), self->page[0]);
	INVALIDATE(self->iova + size - self->granule, self->granule, VM_LEAF_ONLY);
	FLUSH_ATC();	/* an ATC may hold it in smaller pieces (PCIe 10.3.3) */
	REFUSED(self->iova + (self->page[0] - base));
}

TEST_F(nested, remapped_contiguous_run)
{
	uint64_t size = run_size(self->granule);
	uint64_t old = vm_pages(&self->vm, size), new = vm_pages(&self->vm, size);

	RULE("SMMU-42");
	MAP(self->iova, old, size);
	for (uint64_t at = 0; at < size; at += size / 4)
		REACHES(self->iova + at, old + at);
	MAP(self->iova, new, size);
	STILL_REACHES(self->iova + size / 2, old + size / 2);
	INVALIDATE(self->iova, size, VM_LEAF_ONLY);
	for (uint64_t at = 0; at < size; at += size / 4)
		REACHES(self->iova + at, new + at);
}

/* One entry of a run is changed by invalidating the run, not that entry (DDI 0487 D8.6.1). */
TEST_F(nested, contiguous_run_broken_up)
{
	uint64_t size = run_size(self->granule), old = vm_pages(&self->vm, size);

	RULE("SMMU-10");
	MAP(self->iova, old, size);
	REACHES(self->iova + size / 2, old + size / 2);
	UNMAP(self->iova, size);
	INVALIDATE(self->iova, size, VM_LEAF_ONLY);
	ASSERT_EQ(0, pgtable_map(&self->space.stage1, self->iova, self->page[0], self->granule, RW,
				 0));
	REACHES(self->iova, self->page[0]);
	REFUSED(self->iova + size / 2);
}

TEST_F(nested, block_becomes_a_table)
{
	uint64_t size = block_size(self->granule), base = self->page[0] & ~(size - 1);
	uint64_t at = self->iova + (self->page[0] - base);

	RULE("SMMU-10");
	MAP(self->iova, base, size);
	REACHES(at, self->page[0]);
	UNMAP(self->iova, size);
	MAP(at, self->page[1], self->granule);
	STILL_REACHES(at, self->page[0]);
	INVALIDATE(self->iova, size, 0);
	REACHES(at, self->page[1]);
	REFUSED(at + 16 * self->granule);
}

TEST_F(nested, table_becomes_a_block)
{
	uint64_t size = block_size(self->granule), base = self->page[0] & ~(size - 1);
	uint64_t at = self->iova + (self->page[0] - base);

	RULE("SMMU-43");
	MAP(at, self->page[1], self->granule);
	REACHES(at, self->page[1]);
	MAP(self->iova, base, size);
	STILL_REACHES(at, self->page[1]);
	INVALIDATE(self->iova, size, 0);
	REACHES(at, self->page[0]);
	REACHES(at + (self->page[2] - self->page[0]), self->page[2]);
}

/*
 * A page of one table, reached by way of another: hardware may keep the old table however often
 * the last level is invalidated (Leaf == 1), and must forget it with Leaf == 0.
 */
TEST_F(nested, table_replaced)
{
	uint64_t *above, table = vm_pages(&self->vm, self->granule);
	uint64_t *entries = pages_ptr(&self->vm.mem, table);

	RULE("SMMU-43");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	memset(entries, 0, self->granule);
	entries[0] = *pgtable_entry(&self->space.stage1, self->iova, 0);
	entries[0] += self->page[1] - self->page[0];
	above = pgtable_entry(&self->space.stage1, self->iova, 1);
	*above = (*above & ~LPAE_ADDR) | table;
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, self->granule, VM_LEAF_ONLY);
	STILL_REACHES(self->iova, self->page[0]);	/* control: by way of the old table */
	INVALIDATE(self->iova, self->granule, 0);
	REACHES(self->iova, self->page[1]);
}

/* The same at the top: everything below it hangs on the entry. */
TEST_F(nested, top_table_entry_removed)
{
	uint64_t *top;

	RULE("SMMU-43");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	top = pgtable_entry(&self->space.stage1, self->iova, self->space.stage1.levels - 1);
	*top = 0;
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, self->granule, 0);
	REFUSED(self->iova);
}

NIT_TEST_MAIN
