// SPDX-License-Identifier: GPL-2.0-only
/* The device table and what forgets it: INVALIDATE_DEVTAB_ENTRY, _INTERRUPT_TABLE, _IOMMU_ALL. */
#include "bench_guest.h"

#define IOVA 0x0000123456789000ULL

/* Both devices on host tables of their own. */
FIXTURE(devtab) {
	struct bench b;
	struct pgtable table[2];
};

FIXTURE_SETUP(devtab)
{
	ASSERT_EQ(0, bench_open(&self->b, NULL));
	ASSERT_EQ(0, bench_host(&self->b, &self->table[0], 4, 0, DOMAIN0));
	ASSERT_EQ(0, bench_host(&self->b, &self->table[1], 4, 1, DOMAIN1));
	bench_map(&self->table[0], IOVA, bench_page(&self->b, 1), 12);
	bench_map(&self->table[1], IOVA, bench_page(&self->b, 2), 12);
}

FIXTURE_TEARDOWN(devtab)
{
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	bench_close(&self->b);
}

/* Device 0 moves to the domain of device 1. */
static void move(struct bench *b, struct pgtable *table)
{
	uint64_t dte[4];

	bench_host_dte(dte, DOMAIN1, table->root, 4);
	bench_dte(b, BENCH_RID0, dte);
}

TEST_F(devtab, entry_is_read_again)
{
	RULE("AMD-06");
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	move(&self->b, &self->table[1]);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_inv_dte(&self->b, BENCH_RID0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

TEST_F(devtab, device_is_blocked)
{
	static const uint64_t blocked[4] = { AMDVI_DTE0_V };

	RULE("AMD-06");
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_dte(&self->b, BENCH_RID0, blocked);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_inv_dte(&self->b, BENCH_RID0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

/*
 * The translations of the old entry are not the command's business: whoever gets the DomainID next
 * finds them, unless INVALIDATE_IOMMU_PAGES removed them, too.
 */
TEST_F(devtab, domain_id_is_reused)
{
	struct pgtable fresh;

	RULE("AMD-06");
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	ASSERT_EQ(0, bench_host(&self->b, &fresh, 4, 0, DOMAIN0));
	bench_map(&fresh, IOVA, bench_page(&self->b, 3), 12);
	bench_inv_dte(&self->b, BENCH_RID0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_inv_pages(&self->b, DOMAIN0, 0, AMDVI_INV_ALL_PAGES, AMDVI_PAGES1_PDE);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(3, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

/* Everything at once: entries of all kinds are stale, and none is used any more. */
TEST_F(devtab, all_forgets_everything)
{
	struct pgtable guest_table;
	struct bench_guest guest;
	uint64_t blocked[4] = { AMDVI_DTE0_V };

	RULE("AMD-06");
	ASSERT_EQ(0, guest_open(&guest, &self->b, 0, 2, 12));
	guest_attach(&guest, 1, DOMAIN2, 4);
	ASSERT_EQ(0, guest_process(&guest, &guest_table, 4, 0x345));
	bench_map(&guest_table, IOVA, guest_page(&guest, 5), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(5, bench_read(&self->b, 1, 0x345, IOVA));
	move(&self->b, &self->table[1]);
	*pgtable_entry(&guest_table, IOVA, 3) = 0;
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(5, bench_read(&self->b, 1, 0x345, IOVA));
	bench_inv_all(&self->b);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 1, 0x345, IOVA));
	bench_dte(&self->b, BENCH_RID1, blocked);
	guest_close(&guest);
}

TEST_F(devtab, interrupt_table_command_is_taken)
{
	uint64_t command[2], event[2];

	RULE("AMD-06");
	amdvi_cmd_invalidate_interrupt_table(command, BENCH_RID0);
	bench_command(&self->b, command);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(0, bench_event(&self->b, event));
}

/* ---- What an entry says ---- */

TEST_F(devtab, invalid_entry_passes_everything)
{
	static const uint64_t nothing[4];
	uint64_t page = bench_page(&self->b, 7), event[2];

	RULE("AMD-51");
	bench_dte(&self->b, BENCH_RID0, nothing);
	EXPECT_EQ(7, bench_read(&self->b, 0, DMA_NO_PASID, page));
	EXPECT_EQ(-EIO, endpoint_prefetch(self->b.dev[0], DMA_NO_PASID, page, HW_READ));
	EXPECT_EQ(AMDVI_INVALID_DEVICE_REQUEST, bench_event(&self->b, event));
}

TEST_F(devtab, mode_0_is_identity)
{
	uint64_t page = bench_page(&self->b, 7), dte[4];

	RULE("AMD-51");
	bench_host_dte(dte, DOMAIN0, 0, 0);
	dte[0] &= ~AMDVI_DTE0_IW;
	bench_dte(&self->b, BENCH_RID0, dte);
	EXPECT_EQ(7, bench_read(&self->b, 0, DMA_NO_PASID, page));
	EXPECT_FALSE(bench_write(&self->b, 0, DMA_NO_PASID, page, 8));
}

/* struct illegal_dte - @set bits make an entry illegal that was legal without them */
static const struct illegal_dte {
	const char *what;
	unsigned int word;
	uint64_t set;
} illegal[] = {
	{ "reserved bit 2", 0, 1 << 2 },
	{ "reserved bit 63", 0, 1ULL << 63 },
	{ "HAD 2", 0, 2ULL << 7 },
	{ "mode 7", 0, 7ULL << 9 },
	{ "GLX 3", 0, AMDVI_DTE0_GV | 3ULL << 56 },
	{ "guest paging mode 2", 2, 2ULL << 54 },
};

TEST_F(devtab, illegal_entries)
{
	uint64_t dte[4], event[2];

	RULE("AMD-51");
	for (unsigned int i = 0; i < ARRAY_SIZE(illegal); i++) {
		bench_host_dte(dte, DOMAIN0, self->table[0].root, 4);
		dte[0] |= illegal[i].word == 2 ? AMDVI_DTE0_GV : 0;
		dte[illegal[i].word] |= illegal[i].set;
		bench_dte(&self->b, BENCH_RID0, dte);
		EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA))
			TH_LOG("%s", illegal[i].what);
		EXPECT_EQ(AMDVI_ILLEGAL_DEV_TABLE_ENTRY, bench_fault(&self->b, 0, event))
			TH_LOG("%s", illegal[i].what);
		EXPECT_EQ(IOVA, event[1]);
	}
}

TEST_F(devtab, device_beyond_the_table)
{
	uint64_t event[2];

	RULE("AMD-51");
	bench_set(&self->b, AMDVI_DEVTAB_BASE,
		  self->b.devtab | (BENCH_RID0 * AMDVI_DTE_SIZE >> 12));
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 1, DMA_NO_PASID, IOVA));
	EXPECT_EQ(AMDVI_ILLEGAL_DEV_TABLE_ENTRY, bench_fault(&self->b, 1, event));
}

/* A PASID where there is no guest translation, and none where guest translation asks for one. */
TEST_F(devtab, pasid_without_guest_translation)
{
	uint64_t event[2];

	RULE("AMD-51");
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, 3, IOVA));
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_fault(&self->b, 0, event));
}

TEST_F(devtab, without_giov_no_pasid_means_host)
{
	struct bench_guest guest;
	uint64_t dte[4], gpa;

	RULE("AMD-40");
	ASSERT_EQ(0, guest_open(&guest, &self->b, 0, 1, 12));
	gpa = guest_page(&guest, 9);
	guest_dte(&guest, dte, DOMAIN2, 4);
	dte[0] &= ~AMDVI_DTE0_GIOV;
	bench_dte(&self->b, BENCH_RID0, dte);
	EXPECT_EQ(9, bench_read(&self->b, 0, DMA_NO_PASID, gpa));
	guest_close(&guest);
}

/* The IOMMU off: nothing is translated, whatever the tables say. */
TEST_F(devtab, iommu_off)
{
	uint64_t page = bench_page(&self->b, 7);

	RULE("AMD-51");
	bench_control(&self->b, AMDVI_CONTROL_IOMMU_EN, 0);
	EXPECT_EQ(7, bench_read(&self->b, 0, DMA_NO_PASID, page));
}

/* ---- Prefetch ---- */

TEST_F(devtab, prefetch_invalidates_first)
{
	uint64_t command[2];

	RULE("AMD-52");
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_unmap(&self->table[0], IOVA, 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	amdvi_cmd_prefetch_iommu_pages(command, BENCH_RID0, 1, 0, amdvi_inv_address(IOVA, 12),
				       AMDVI_PREF1_INVAL);
	bench_command(&self->b, command);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

/* What a prefetch cached is as stale as anything else when the table changes. */
TEST_F(devtab, prefetched_page_is_invalidated_like_others)
{
	uint64_t command[2];

	RULE("AMD-52");
	amdvi_cmd_prefetch_iommu_pages(command, BENCH_RID0, 1, 0, amdvi_inv_address(IOVA, 12), 0);
	bench_command(&self->b, command);
	EXPECT_TRUE(bench_wait(&self->b));
	bench_map(&self->table[0], IOVA, bench_page(&self->b, 2), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

NIT_TEST_MAIN
