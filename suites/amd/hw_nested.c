// SPDX-License-Identifier: GPL-2.0-only
/* INVALIDATE_IOMMU_PAGES under nested translation: GN, PASID, DomainID, GCR3, host changes. */
#include "bench_guest.h"

#define GVA 0x0000712345678000ULL

/*
 * Device 0 belongs to guest 0, device 1 to guest 1, whose ids are the same but for the DomainID.
 * @table: of PASID1 in guest 0.
 */
FIXTURE(nested) {
	struct bench b;
	struct bench_guest guest[2];
	struct pgtable table;
};

FIXTURE_VARIANT(nested) {
	unsigned int levels;
	unsigned int gcr3_levels;
	unsigned int host_shift;
};

FIXTURE_VARIANT_ADD(nested, 4_level_4k) { .levels = 4, .gcr3_levels = 3, .host_shift = 12 };
FIXTURE_VARIANT_ADD(nested, 4_level_2m) { .levels = 4, .gcr3_levels = 3, .host_shift = 21 };
FIXTURE_VARIANT_ADD(nested, 5_level_64k) { .levels = 5, .gcr3_levels = 3, .host_shift = 16 };

FIXTURE_SETUP(nested)
{
	static const uint16_t domains[] = { DOMAIN0, DOMAIN1 };

	ASSERT_EQ(0, bench_open(&self->b, NULL));
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_EQ(0, guest_open(&self->guest[i], &self->b, i, variant->gcr3_levels,
					variant->host_shift));
		guest_attach(&self->guest[i], i, domains[i], variant->levels);
	}
	ASSERT_EQ(0, guest_process(&self->guest[0], &self->table, variant->levels, PASID1));
}

FIXTURE_TEARDOWN(nested)
{
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	guest_close(&self->guest[0]);
	guest_close(&self->guest[1]);
	bench_close(&self->b);
}

/* @_gva of @_table, in use as number 1, is changed to number 2: a stale entry. */
#define FILL_AND_CHANGE(_table, _pasid, _gva) do { \
	bench_map(_table, _gva, guest_page(&self->guest[0], 1), 12); \
	EXPECT_EQ(1, bench_read(&self->b, 0, _pasid, _gva)); \
	bench_map(_table, _gva, guest_page(&self->guest[0], 2), 12); \
	EXPECT_EQ(1, bench_read(&self->b, 0, _pasid, _gva)); \
} while (0)

TEST_F(nested, guest_page_is_removed)
{
	RULE("AMD-03");
	FILL_AND_CHANGE(&self->table, PASID1, GVA);
	bench_inv_pages(&self->b, DOMAIN0, PASID1, amdvi_inv_address(GVA, 12), AMDVI_PAGES1_GN);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, PASID1, GVA));
}

TEST_F(nested, every_size_reaches_both_ends)
{
	RULE("AMD-01");
	for (unsigned int shift = 13; shift <= 39; shift++) {
		uint64_t first = 0x5ULL << shift, last = first + (1ULL << shift) - 0x1000;

		FILL_AND_CHANGE(&self->table, PASID1, first);
		FILL_AND_CHANGE(&self->table, PASID1, last);
		bench_inv_pages(&self->b, DOMAIN0, PASID1, amdvi_inv_address(last, shift),
				AMDVI_PAGES1_GN);
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(2, bench_read(&self->b, 0, PASID1, first))
			TH_LOG("first page of 2^%u bytes", shift);
		EXPECT_EQ(2, bench_read(&self->b, 0, PASID1, last))
			TH_LOG("last page of 2^%u bytes", shift);
	}
}

/* All 20 bits of the PASID count: each of these differs from the others in some. */
TEST_F(nested, every_pasid_by_its_own_command)
{
	static const uint32_t pasids[] = { PASID0, PASID2, PASID3, 0xfffff, 0x10000, 0x00001 };
	struct pgtable table[ARRAY_SIZE(pasids)];

	RULE("AMD-03");
	for (unsigned int i = 0; i < ARRAY_SIZE(pasids); i++) {
		ASSERT_EQ(0, guest_process(&self->guest[0], &table[i], variant->levels, pasids[i]));
		FILL_AND_CHANGE(&table[i], pasids[i], GVA);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pasids); i++) {
		bench_inv_pages(&self->b, DOMAIN0, pasids[i], amdvi_inv_address(GVA, 12),
				AMDVI_PAGES1_GN);
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(2, bench_read(&self->b, 0, pasids[i], GVA))
			TH_LOG("PASID %#x", pasids[i]);
	}
}

/* With DTE.GIOV a request without PASID uses the table of PASID 0, and is cached so. */
TEST_F(nested, request_without_pasid_is_pasid_0)
{
	struct pgtable table;

	RULE("AMD-40");
	ASSERT_EQ(0, guest_process(&self->guest[0], &table, variant->levels, 0));
	FILL_AND_CHANGE(&table, DMA_NO_PASID, GVA);
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(GVA, 12), AMDVI_PAGES1_GN);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, GVA));
}

TEST_F(nested, guest_directories_of_every_level)
{
	struct pgtable other;

	RULE("AMD-02");
	bench_map(&self->table, GVA, guest_page(&self->guest[0], 1), 12);
	for (unsigned int level = 1; level < variant->levels; level++) {
		uint64_t *entry = pgtable_entry(&self->table, GVA, level), old = *entry;

		EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, GVA));
		ASSERT_EQ(0, pgtable_init(&other, &pgtable_x86_64, variant->levels, 0,
					  &self->guest[0].memory));
		bench_map(&other, GVA, guest_page(&self->guest[0], 2), 12);
		*entry = *pgtable_entry(&other, GVA, level);
		/* Control: without PDE the walk starts in the old directory. */
		bench_inv_pages(&self->b, DOMAIN0, PASID1, amdvi_inv_address(GVA, 12),
				AMDVI_PAGES1_GN);
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, GVA));
		bench_inv_pages(&self->b, DOMAIN0, PASID1, amdvi_inv_address(GVA, 12),
				AMDVI_PAGES1_GN | AMDVI_PAGES1_PDE);
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(2, bench_read(&self->b, 0, PASID1, GVA)) TH_LOG("level %u", level + 1);
		*entry = old;
		bench_inv_pages(&self->b, DOMAIN0, PASID1, AMDVI_INV_ALL_PAGES,
				AMDVI_PAGES1_GN | AMDVI_PAGES1_PDE);
		EXPECT_TRUE(bench_wait(&self->b));
	}
}

/* Another table for the PASID: everything below its GCR3 entry is another. */
TEST_F(nested, gcr3_entry_is_changed)
{
	struct pgtable other;

	RULE("AMD-03");
	bench_map(&self->table, GVA, guest_page(&self->guest[0], 1), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, GVA));
	ASSERT_EQ(0, guest_process(&self->guest[0], &other, variant->levels, PASID1));
	bench_map(&other, GVA, guest_page(&self->guest[0], 2), 12);
	bench_map(&other, GVA + (1ULL << 40), guest_page(&self->guest[0], 3), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, GVA));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, PASID1, GVA + (1ULL << 40)));
	bench_inv_pages(&self->b, DOMAIN0, PASID1, AMDVI_INV_ALL_PAGES,
			AMDVI_PAGES1_GN | AMDVI_PAGES1_PDE);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, PASID1, GVA));
	EXPECT_EQ(3, bench_read(&self->b, 0, PASID1, GVA + (1ULL << 40)));
}

TEST_F(nested, pasid_is_taken_away)
{
	RULE("AMD-03");
	bench_map(&self->table, GVA, guest_page(&self->guest[0], 1), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, GVA));
	guest_set_gcr3(&self->guest[0], PASID1, 0);
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, GVA));
	bench_inv_pages(&self->b, DOMAIN0, PASID1, AMDVI_INV_ALL_PAGES,
			AMDVI_PAGES1_GN | AMDVI_PAGES1_PDE);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, PASID1, GVA));
}

/* ---- The host's table changes below the guest's ---- */

/* GN = 0 with the GPA removes what has become of it under every PASID of the domain. */
TEST_F(nested, host_change_reaches_every_pasid)
{
	uint64_t size = 1ULL << variant->host_shift, place = bench_alloc(&self->b, size);
	uint64_t gpa = pages_alloc(&self->guest[0].memory, size), other_gva = GVA + (3ULL << 30);
	struct pgtable other;

	RULE("AMD-03");
	ASSERT_EQ(0, guest_process(&self->guest[0], &other, variant->levels, PASID2));
	*guest_word(&self->guest[0], gpa) = 1;
	bench_map(&self->table, GVA, gpa, 12);
	bench_map(&other, other_gva, gpa, 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, GVA));
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID2, other_gva));
	*bench_word(&self->b, place) = 2;
	bench_map(&self->guest[0].s2, gpa, place, variant->host_shift);
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, GVA));
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID2, other_gva));
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(gpa, variant->host_shift), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, PASID1, GVA));
	EXPECT_EQ(2, bench_read(&self->b, 0, PASID2, other_gva));
}

/* The pages with the guest's own tables move: walks must read them where they are now. */
TEST_F(nested, host_change_under_guest_tables)
{
	uint64_t gpa = pages_alloc(&self->guest[0].memory, 0x200000);
	struct pgtable table;
	struct pages tables;

	RULE("AMD-03");
	pages_init(&tables, guest_word(&self->guest[0], gpa), gpa, 0x200000);
	ASSERT_EQ(0, pgtable_init(&table, &pgtable_x86_64, variant->levels, 0, &tables));
	guest_set_gcr3(&self->guest[0], PASID2, table.root);
	bench_map(&table, GVA, guest_page(&self->guest[0], 1), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID2, GVA));
	/* The new place is empty: nothing is mapped there. */
	for (uint64_t page = 0; page < 0x200000; page += 1ULL << variant->host_shift)
		bench_map(&self->guest[0].s2, gpa + page,
			  bench_alloc(&self->b, 1ULL << variant->host_shift), variant->host_shift);
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID2, GVA));
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(gpa, 21), AMDVI_PAGES1_PDE);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, PASID2, GVA));
	pages_fini(&tables);
}

/* ---- Guests with the same addresses and PASIDs ---- */

TEST_F(nested, domains_keep_guests_apart)
{
	struct pgtable theirs;
	uint64_t page;

	RULE("AMD-41");
	ASSERT_EQ(0, guest_process(&self->guest[1], &theirs, variant->levels, PASID1));
	page = guest_page(&self->guest[1], 11);
	bench_map(&theirs, GVA, page, 12);
	bench_map(&self->table, GVA, guest_page(&self->guest[0], 1), 12);
	EXPECT_EQ(11, bench_read(&self->b, 1, PASID1, GVA));
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, GVA));
	bench_map(&theirs, GVA, guest_page(&self->guest[1], 12), 12);
	EXPECT_EQ(11, bench_read(&self->b, 1, PASID1, GVA));
	bench_inv_pages(&self->b, DOMAIN1, PASID1, amdvi_inv_address(GVA, 12), AMDVI_PAGES1_GN);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(12, bench_read(&self->b, 1, PASID1, GVA));
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, GVA));
}

/* ---- Sizes of both stages ---- */

/* The smaller page of the two stages bounds what one entry may answer for. */
TEST_F(nested, large_guest_page_on_smaller_host_pages)
{
	uint64_t size = 1ULL << variant->host_shift, offset = GUEST_RAM_SIZE - 2 * size;
	uint64_t gva = GVA & ~0x3fffffffULL, place = bench_alloc(&self->b, size);

	RULE("AMD-41");
	bench_map(&self->table, gva, GUEST_RAM, 30);
	*guest_word(&self->guest[0], GUEST_RAM + offset) = 6;
	*bench_word(&self->b, place) = 7;
	bench_map(&self->guest[0].s2, GUEST_RAM + offset + size, place, variant->host_shift);
	EXPECT_EQ(6, bench_read(&self->b, 0, PASID1, gva + offset));
	EXPECT_EQ(7, bench_read(&self->b, 0, PASID1, gva + offset + size));
}

/* A large guest page, one 4 KiB page of it named: the whole entry must go. */
TEST_F(nested, page_inside_large_guest_page)
{
	uint64_t gva = GVA & ~0x1fffffULL, gpa = GUEST_RAM + GUEST_RAM_SIZE - 0x200000;

	RULE("AMD-01");
	*guest_word(&self->guest[0], gpa) = 1;
	bench_map(&self->table, gva, gpa, 21);
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, gva));
	bench_unmap(&self->table, gva, 21);
	EXPECT_EQ(1, bench_read(&self->b, 0, PASID1, gva));
	bench_inv_pages(&self->b, DOMAIN0, PASID1, amdvi_inv_address(gva, 21), AMDVI_PAGES1_GN);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, PASID1, gva));
}

NIT_TEST_MAIN
