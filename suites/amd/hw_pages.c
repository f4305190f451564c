// SPDX-License-Identifier: GPL-2.0-only
/* INVALIDATE_IOMMU_PAGES on host translations: address, size, DomainID, PDE, NpCache. */
#include "bench.h"

#define IOVA 0x123456789000ULL

/* Device 0 on a host table of six levels: every address bit is translated. */
FIXTURE(host_pages) {
	struct bench b;
	struct pgtable table;
};

FIXTURE_SETUP(host_pages)
{
	ASSERT_EQ(0, bench_open(&self->b, NULL));
	ASSERT_EQ(0, bench_host(&self->b, &self->table, 6, 0, DOMAIN0));
}

FIXTURE_TEARDOWN(host_pages)
{
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	bench_close(&self->b);
}

/* The page at @iova is mapped to number 1, used, and moved to number 2: a stale entry. */
#define FILL_AND_CHANGE(_iova) do { \
	bench_map(&self->table, _iova, bench_page(&self->b, 1), 12); \
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, _iova)); \
	bench_map(&self->table, _iova, bench_page(&self->b, 2), 12); \
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, _iova)); \
} while (0)

TEST_F(host_pages, page_is_removed_with_wait)
{
	RULE("AMD-05");
	FILL_AND_CHANGE(IOVA);
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

/* Each size: the first and the last page of the range, at an address where its low bits matter. */
TEST_F(host_pages, every_size_reaches_both_ends)
{
	RULE("AMD-01");
	for (unsigned int shift = 13; shift <= 52; shift++) {
		uint64_t first = (0x15ULL << shift) & (UINT64_MAX >> 1);
		uint64_t last = first + (1ULL << shift) - 0x1000;

		FILL_AND_CHANGE(first);
		FILL_AND_CHANGE(last);
		bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(first + 0x1000, shift), 0);
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, first))
			TH_LOG("first page of 2^%u bytes", shift);
		EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, last))
			TH_LOG("last page of 2^%u bytes", shift);
	}
}

TEST_F(host_pages, whole_space_has_no_end)
{
	static const uint64_t iovas[] = { 0x1000, 0x7fff000, IOVA, 0x00f0000000000000ULL,
					  0x7ffffffffffff000ULL, 0xfffffffffffff000ULL };
	RULE("AMD-01");
	for (unsigned int i = 0; i < ARRAY_SIZE(iovas); i++)
		FILL_AND_CHANGE(iovas[i]);
	bench_inv_pages(&self->b, DOMAIN0, 0, AMDVI_INV_ALL_PAGES, AMDVI_PAGES1_PDE);
	EXPECT_TRUE(bench_wait(&self->b));
	for (unsigned int i = 0; i < ARRAY_SIZE(iovas); i++) {
		EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, iovas[i]))
			TH_LOG("address %#llx", (unsigned long long)iovas[i]);
	}
}

/* One page named inside a large one: the entry that covers it goes. */
TEST_F(host_pages, page_inside_large_page)
{
	static const unsigned int shifts[] = { 13, 16, 21, 24, 30, 39 };

	RULE("AMD-01");
	for (unsigned int i = 0; i < ARRAY_SIZE(shifts); i++) {
		uint64_t iova = 0x3ULL << shifts[i], inside = iova + (1ULL << shifts[i]) - 0x1000;

		bench_map(&self->table, iova, BENCH_RAM & ~((1ULL << shifts[i]) - 1), shifts[i]);
		bench_read(&self->b, 0, DMA_NO_PASID, iova);
		bench_unmap(&self->table, iova, shifts[i]);
		bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(inside, 12), 0);
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, iova))
			TH_LOG("page of 2^%u bytes", shifts[i]);
	}
}

TEST_F(host_pages, permission_is_taken_away)
{
	uint64_t page = bench_page(&self->b, 1);

	RULE("AMD-01");
	bench_map(&self->table, IOVA, page, 12);
	EXPECT_TRUE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 7));
	pgtable_map(&self->table, IOVA, page, 4096, PGTABLE_READ, 12);
	EXPECT_TRUE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 8));
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_FALSE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 9));
	EXPECT_EQ(8, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

/* Two devices of one domain share its entries; one command serves both. */
TEST_F(host_pages, all_devices_of_the_domain)
{
	uint64_t dte[4];

	RULE("AMD-01");
	bench_host_dte(dte, DOMAIN0, self->table.root, 6);
	bench_dte(&self->b, BENCH_RID1, dte);
	FILL_AND_CHANGE(IOVA);
	EXPECT_EQ(1, bench_read(&self->b, 1, DMA_NO_PASID, IOVA));
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(2, bench_read(&self->b, 1, DMA_NO_PASID, IOVA));
}

/* ---- PDE ---- */

/* A new subtree under the entry of @level for IOVA, in which it is number 2 */
static uint64_t *replace_subtree(struct bench *b, struct pgtable *table, unsigned int level,
				 struct pgtable *other)
{
	uint64_t *entry = pgtable_entry(table, IOVA, level);

	if (pgtable_init(other, &pgtable_amdv1, 6, 0, &b->ram))
		return NULL;
	bench_map(other, IOVA, bench_page(b, 2), 12);
	*entry = *pgtable_entry(other, IOVA, level);
	return entry;
}

TEST_F(host_pages, directories_of_every_level_are_removed)
{
	struct pgtable other;

	RULE("AMD-02");
	bench_map(&self->table, IOVA, bench_page(&self->b, 1), 12);
	bench_map(&self->table, IOVA + 0x1000, bench_page(&self->b, 1), 12);
	for (unsigned int level = 1; level < 6; level++) {
		uint64_t *entry = pgtable_entry(&self->table, IOVA, level), old = *entry;

		EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
		ASSERT_NE(NULL, replace_subtree(&self->b, &self->table, level, &other));
		/* Control: without PDE the leaf is walked again from the old directory. */
		bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
		bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12),
				AMDVI_PAGES1_PDE);
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA))
			TH_LOG("level %u", level + 1);
		*entry = old;
		bench_inv_pages(&self->b, DOMAIN0, 0, AMDVI_INV_ALL_PAGES, AMDVI_PAGES1_PDE);
		EXPECT_TRUE(bench_wait(&self->b));
	}
}

TEST_F(host_pages, table_becomes_large_page)
{
	uint64_t iova = IOVA & ~0x1fffffULL, out = bench_alloc(&self->b, 0x200000);

	RULE("AMD-02");
	bench_map(&self->table, iova, bench_page(&self->b, 1), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, iova));
	*bench_word(&self->b, out) = 2;
	bench_map(&self->table, iova, out, 21);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, iova));
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(iova, 21), AMDVI_PAGES1_PDE);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, iova));
}

TEST_F(host_pages, large_page_becomes_table)
{
	uint64_t iova = IOVA & ~0x1fffffULL, out = bench_alloc(&self->b, 0x200000);

	RULE("AMD-02");
	*bench_word(&self->b, out) = 1;
	*bench_word(&self->b, out + 0x1000) = 1;
	bench_map(&self->table, iova, out, 21);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, iova));
	bench_unmap(&self->table, iova, 21);
	bench_map(&self->table, iova + 0x1000, bench_page(&self->b, 2), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, iova + 0x1000));
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(iova, 21), AMDVI_PAGES1_PDE);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, iova));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, iova + 0x1000));
}

/* ---- Not-present translations ---- */

TEST_F(host_pages, new_mapping_needs_nothing)
{
	RULE("AMD-07");
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_map(&self->table, IOVA, bench_page(&self->b, 1), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

static const struct amdvi_config np_cache = { AMDVI_CONFIG, .np_cache = true };

BENCH(np_cache, &np_cache)

TEST_F(np_cache, new_mapping_needs_invalidation)
{
	struct pgtable table;

	RULE("AMD-07");
	ASSERT_EQ(0, bench_host(&self->b, &table, 4, 0, DOMAIN0));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_map(&table, IOVA, bench_page(&self->b, 1), 12);
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

NIT_TEST_MAIN
