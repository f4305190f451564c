// SPDX-License-Identifier: GPL-2.0-only
/* Tables: host tables of every level and page size, GCR3 and guest tables, permissions, A and D. */
#include "bench_guest.h"

#define IOVA 0x0000123456789000ULL

FIXTURE(tables) {
	struct bench b;
	struct bench_guest guest;
};

FIXTURE_SETUP(tables)
{
	ASSERT_EQ(0, bench_open(&self->b, NULL));
	ASSERT_EQ(0, guest_open(&self->guest, &self->b, 0, 3, 12));
}

FIXTURE_TEARDOWN(tables)
{
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	guest_close(&self->guest);
	bench_close(&self->b);
}

static bool forget(struct bench *b)
{
	bench_inv_all(b);
	return bench_wait(b);
}

/* ---- Host tables ---- */

TEST_F(tables, host_table_of_every_height)
{
	static const uint64_t highest[] = { 0, 0x1ff000, 0x3ffff000, 0x7ffffff000,
					    0xfffffffff000, 0x1fffffffffff000, 0xfffffffffffff000 };
	struct pgtable table;

	RULE("AMD-49");
	for (unsigned int levels = 1; levels <= 6; levels++) {
		ASSERT_EQ(0, bench_host(&self->b, &table, levels, 0, DOMAIN0));
		bench_map(&table, 0x5000, bench_page(&self->b, levels), 12);
		bench_map(&table, highest[levels], bench_page(&self->b, 10 + levels), 12);
		EXPECT_TRUE(forget(&self->b));
		EXPECT_EQ(levels, bench_read(&self->b, 0, DMA_NO_PASID, 0x5000));
		EXPECT_EQ(10 + levels, bench_read(&self->b, 0, DMA_NO_PASID, highest[levels]));
		EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, 0x6000));
		if (levels == 6)
			continue;
		/* One bit above what the table translates: not an alias */
		EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID,
						    highest[levels] + 0x1000 + 0x5000));
	}
}

TEST_F(tables, host_page_of_every_size)
{
	struct pgtable table;

	RULE("AMD-49");
	ASSERT_EQ(0, bench_host(&self->b, &table, 6, 0, DOMAIN0));
	for (unsigned int shift = 12; shift <= 51; shift++) {
		uint64_t iova = 0x5ULL << shift, size = 1ULL << shift, inside = size - 8;

		if (shift <= 24) {
			uint64_t out = bench_alloc(&self->b, size);

			bench_map(&table, iova, out, shift);
			*bench_word(&self->b, out) = shift;
			*bench_word(&self->b, out + inside) = 100 + shift;
		} else {
			/* Larger than memory: only the beginning of memory is looked at. */
			bench_map(&table, iova, BENCH_RAM & ~(size - 1), shift);
			inside = self->b.store & (size - 1);
		}
		EXPECT_TRUE(bench_wait(&self->b));
		if (shift <= 24) {
			EXPECT_EQ(shift, bench_read(&self->b, 0, DMA_NO_PASID, iova));
			EXPECT_EQ(100 + shift, bench_read(&self->b, 0, DMA_NO_PASID, iova + inside))
				TH_LOG("page of 2^%u bytes", shift);
		} else {
			EXPECT_EQ(self->b.stored,
				  bench_read(&self->b, 0, DMA_NO_PASID, iova + inside))
				TH_LOG("page of 2^%u bytes", shift);
		}
		EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, iova + size))
			TH_LOG("behind a page of 2^%u bytes", shift);
		bench_unmap(&table, iova, shift);
		EXPECT_TRUE(forget(&self->b));
	}
}

/* A directory entry may lead down several levels at once; the bits left out must be 0. */
TEST_F(tables, host_levels_may_be_skipped)
{
	uint64_t leaf = bench_alloc(&self->b, 4096), root, dte[4], event[2];
	struct pgtable table;

	RULE("AMD-49");
	ASSERT_EQ(0, bench_host(&self->b, &table, 4, 0, DOMAIN0));
	root = table.root;
	/* Level 4 points to a table of level 1: address bits 38:21 are not translated. */
	bench_word(&self->b, root)[3] = leaf | AMDVI_PTE_PR | AMDVI_PTE_IR | AMDVI_PTE_IW |
					amdvi_put(1, AMDVI_PTE_NEXT_LEVEL);
	bench_word(&self->b, leaf)[5] = bench_page(&self->b, 1) | AMDVI_PTE_PR | AMDVI_PTE_IR |
					AMDVI_PTE_IW;
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, (3ULL << 39) + 0x5000));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID,
					    (3ULL << 39) + (1ULL << 30) + 0x5000));
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_fault(&self->b, 0, event));
	bench_host_dte(dte, DOMAIN1, leaf, 1);
	bench_dte(&self->b, BENCH_RID0, dte);
	EXPECT_TRUE(forget(&self->b));
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, 0x5000));
}

TEST_F(tables, invalid_next_level)
{
	struct pgtable table;
	uint64_t event[2], *entry;

	RULE("AMD-49");
	ASSERT_EQ(0, bench_host(&self->b, &table, 4, 0, DOMAIN0));
	bench_map(&table, IOVA, bench_page(&self->b, 1), 12);
	/* At level 2, a next level of 2 or more leads up or in circles. */
	entry = pgtable_entry(&table, IOVA, 1);
	for (unsigned int next = 2; next <= 6; next++) {
		*entry = (*entry & ~AMDVI_PTE_NEXT_LEVEL) | amdvi_put(next, AMDVI_PTE_NEXT_LEVEL);
		EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
		EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_fault(&self->b, 0, event));
		EXPECT_NE(0, event[0] & AMDVI_EVENT0_RZ) TH_LOG("next level %u", next);
	}
}

/* The permissions of all entries and of the DTE are ANDed. */
TEST_F(tables, host_permissions_of_every_level)
{
	struct pgtable table;
	uint64_t dte[4];

	RULE("AMD-49");
	ASSERT_EQ(0, bench_host(&self->b, &table, 4, 0, DOMAIN0));
	bench_map(&table, IOVA, bench_page(&self->b, 1), 12);
	EXPECT_TRUE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 1));
	for (unsigned int level = 0; level < 4; level++) {
		uint64_t *entry = pgtable_entry(&table, IOVA, level), old = *entry;

		*entry = old & ~AMDVI_PTE_IW;
		EXPECT_TRUE(forget(&self->b));
		EXPECT_FALSE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 2)) TH_LOG("%u", level);
		EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
		*entry = old & ~AMDVI_PTE_IR;
		EXPECT_TRUE(forget(&self->b));
		EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
		EXPECT_TRUE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 1));
		*entry = old;
	}
	bench_host_dte(dte, DOMAIN0, table.root, 4);
	dte[0] &= ~AMDVI_DTE0_IW;
	bench_dte(&self->b, BENCH_RID0, dte);
	EXPECT_TRUE(forget(&self->b));
	EXPECT_FALSE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 2));
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

/* ---- GCR3 tables ---- */

/* Each height of the table, with the highest PASID that it holds */
TEST_F(tables, gcr3_table_of_every_height)
{
	static const uint32_t highest[] = { 0, 0x1ff, 0x3ffff, 0xfffff };
	struct bench_guest *g = &self->guest;
	struct pgtable low, high;

	RULE("AMD-40");
	for (unsigned int levels = 1; levels <= 3; levels++) {
		g->gcr3_levels = levels;
		g->gcr3 = pages_alloc(&g->memory, 4096);
		ASSERT_EQ(0, guest_process(g, &low, 4, 3));
		ASSERT_EQ(0, guest_process(g, &high, 4, highest[levels]));
		bench_map(&low, IOVA, guest_page(g, levels), 12);
		bench_map(&high, IOVA, guest_page(g, 10 + levels), 12);
		guest_attach(g, 0, DOMAIN0, 4);
		EXPECT_TRUE(forget(&self->b));
		EXPECT_EQ(levels, bench_read(&self->b, 0, 3, IOVA));
		EXPECT_EQ(10 + levels, bench_read(&self->b, 0, highest[levels], IOVA));
		EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, 4, IOVA));
	}
}

TEST_F(tables, gcr3_table_in_system_memory)
{
	struct bench_guest *g = &self->guest;
	uint64_t table = bench_alloc(&self->b, 4096), dte[4];
	struct pgtable s1;

	RULE("AMD-40");
	bench_control(&self->b, AMDVI_CONTROL_GCR3TRP_MODE, 0);
	ASSERT_EQ(0, pgtable_init(&s1, &pgtable_x86_64, 4, 0, &g->memory));
	bench_map(&s1, IOVA, guest_page(g, 1), 12);
	bench_word(&self->b, table)[7] = s1.root | AMDVI_GCR3_V;
	g->gcr3_levels = 1;
	guest_dte(g, dte, DOMAIN0, 4);
	amdvi_dte_set_gcr3(dte, table);
	bench_dte(&self->b, BENCH_RID0, dte);
	EXPECT_EQ(1, bench_read(&self->b, 0, 7, IOVA));
}

/* Guest translation alone: Mode 0, where a GPA is an SPA. */
TEST_F(tables, guest_translation_without_host_table)
{
	uint64_t table = bench_alloc(&self->b, 4096), dte[4];
	struct pgtable s1;

	RULE("AMD-40");
	ASSERT_EQ(0, pgtable_init(&s1, &pgtable_x86_64, 5, 0, &self->b.ram));
	bench_map(&s1, IOVA, bench_page(&self->b, 1), 12);
	bench_map(&s1, IOVA + (1ULL << 50), bench_page(&self->b, 2), 12);
	bench_word(&self->b, table)[7] = s1.root | AMDVI_GCR3_V;
	bench_host_dte(dte, DOMAIN0, 0, 0);
	dte[0] |= AMDVI_DTE0_GV;
	dte[2] |= amdvi_put(1, AMDVI_DTE2_GPM);
	amdvi_dte_set_gcr3(dte, table);
	bench_dte(&self->b, BENCH_RID0, dte);
	EXPECT_EQ(1, bench_read(&self->b, 0, 7, IOVA));
	EXPECT_EQ(2, bench_read(&self->b, 0, 7, IOVA + (1ULL << 50)));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, 8, IOVA));
}

/* ---- Guest tables ---- */

#define GUEST(_table) \
	guest_attach(&self->guest, 0, DOMAIN0, 4); \
	ASSERT_EQ(0, guest_process(&self->guest, _table, 4, PASID1)); \
	bench_map(_table, IOVA, guest_page(&self->guest, 1), 12)

TEST_F(tables, guest_permissions_of_every_level)
{
	struct pgtable table;

	RULE("AMD-40");
	GUEST(&table);
	EXPECT_TRUE(bench_write(&self->b, 0, PASID1, IOVA, 1));
	for (unsigned int level = 0; level < 4; level++) {
		uint64_t *entry = pgtable_entry(&table, IOVA, level), old = *entry;

		*entry = old & ~AMDVI_GPTE_RW;
		EXPECT_TRUE(forget(&self->b));
		EXPECT_FALSE(bench_write(&self->b, 0, PASID1, IOVA, 2)) TH_LOG("%u", level);
		EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, IOVA));
		*entry = old & ~AMDVI_GPTE_US;
		EXPECT_TRUE(forget(&self->b));
		EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, PASID1, IOVA));
		*entry = old;
	}
}

TEST_F(tables, addresses_that_are_not_canonical)
{
	struct pgtable table;

	RULE("AMD-40");
	GUEST(&table);
	bench_map(&table, 0x7fffff000 | 0x0000800000000000ULL, guest_page(&self->guest, 2), 12);
	EXPECT_EQ(2, bench_read(&self->b, 0, PASID1, 0xffff8007fffff000ULL));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, PASID1, 0x00008007fffff000ULL));
}

/* What the guest's tables allow, the host's may forbid: pages, and the tables themselves. */
TEST_F(tables, host_permissions_bound_the_guest)
{
	uint64_t gpa, event[2], spa = bench_page(&self->b, 5);
	struct pgtable table;

	RULE("AMD-41");
	GUEST(&table);
	gpa = guest_page(&self->guest, 0);
	bench_map(&table, IOVA, gpa, 12);
	pgtable_map(&self->guest.s2, gpa, spa, 4096, PGTABLE_READ, 12);
	EXPECT_EQ(5, bench_read(&self->b, 0, PASID1, IOVA));
	EXPECT_FALSE(bench_write(&self->b, 0, PASID1, IOVA, 6));
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_fault(&self->b, 0, event));
	EXPECT_EQ(gpa, event[1]);
	EXPECT_EQ(0, event[0] & AMDVI_EVENT0_GN);
	gpa = *pgtable_entry(&table, IOVA, 1) & AMDVI_GPTE_ADDR;
	bench_unmap(&self->guest.s2, gpa, 12);
	EXPECT_TRUE(forget(&self->b));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, PASID1, IOVA));
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_fault(&self->b, 0, event));
	EXPECT_EQ(gpa, event[1] & ~0xfffULL);
}

/* ---- Accessed and dirty ---- */

TEST_F(tables, guest_accessed_and_dirty)
{
	struct pgtable table;
	uint64_t *entry;

	RULE("AMD-50");
	GUEST(&table);
	entry = pgtable_entry(&table, IOVA, 0);
	EXPECT_EQ(0, *entry & (AMDVI_GPTE_A | AMDVI_GPTE_D));
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, IOVA));
	EXPECT_EQ(AMDVI_GPTE_A, *entry & (AMDVI_GPTE_A | AMDVI_GPTE_D));
	/* The entry is cached now: the write has to set D all the same. */
	EXPECT_TRUE(bench_write(&self->b, 0, PASID1, IOVA, 2));
	EXPECT_EQ(AMDVI_GPTE_A | AMDVI_GPTE_D, *entry & (AMDVI_GPTE_A | AMDVI_GPTE_D));
}

static void dirty_host(struct bench *b, struct pgtable *table)
{
	uint64_t dte[4];

	bench_host(b, table, 4, 0, DOMAIN0);
	bench_host_dte(dte, DOMAIN0, table->root, 4);
	dte[0] |= amdvi_put(3, AMDVI_DTE0_HAD);
	bench_dte(b, BENCH_RID0, dte);
	bench_map(table, IOVA, bench_page(b, 1), 12);
}

TEST_F(tables, host_accessed_and_dirty)
{
	struct pgtable table;
	uint64_t *entry;

	RULE("AMD-50");
	dirty_host(&self->b, &table);
	entry = pgtable_entry(&table, IOVA, 0);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(AMDVI_PTE_A, *entry & (AMDVI_PTE_A | AMDVI_PTE_D));
	EXPECT_TRUE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 2));
	EXPECT_EQ(AMDVI_PTE_A | AMDVI_PTE_D, *entry & (AMDVI_PTE_A | AMDVI_PTE_D));
}

/* After D is cleared and the page invalidated, the next write sets it again. */
TEST_F(tables, dirty_is_found_again_after_invalidation)
{
	struct pgtable table;
	uint64_t *entry;

	RULE("AMD-50");
	dirty_host(&self->b, &table);
	entry = pgtable_entry(&table, IOVA, 0);
	EXPECT_TRUE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 1));
	*entry &= ~AMDVI_PTE_D;
	EXPECT_TRUE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 2));
	EXPECT_EQ(0, *entry & AMDVI_PTE_D);
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_TRUE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 3));
	EXPECT_EQ(AMDVI_PTE_D, *entry & AMDVI_PTE_D);
}

/* A device with an ATC writes without asking again: it gets no W before D is set. */
TEST_F(tables, dirty_before_ats_write)
{
	struct pgtable table;
	uint64_t *entry, data = 2;

	RULE("AMD-50");
	dirty_host(&self->b, &table);
	entry = pgtable_entry(&table, IOVA, 0);
	EXPECT_EQ(1, bench_read_ats(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(0, *entry & AMDVI_PTE_D);
	EXPECT_EQ(DMA_DONE, bench_dma(&self->b, 0, DMA_WRITE, DMA_ATS, DMA_NO_PASID, IOVA, &data));
	EXPECT_EQ(AMDVI_PTE_D, *entry & AMDVI_PTE_D);
}

NIT_TEST_MAIN
