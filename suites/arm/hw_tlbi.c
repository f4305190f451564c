// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each TLB invalidation of an SMMUv3 owes (IHI 0070 4.4), on bare hardware: every command,
 * every way to name an entry, granules, block sizes, both stages. Entries are broken before they
 * are made anew (SMMU-10), and seen to be used in between.
 */
#include "bench.h"

FIXTURE(tlbi) {
	struct bench b;
	struct bench_stream s;
	uint64_t old, new;	/* regions of 2^shift bytes, as stage 1 names them */
};

/** @s2: granule of stage 2, 0: none; @flags: MAP_*; @small, @flat: freedoms */
FIXTURE_VARIANT(tlbi) {
	unsigned int granule;
	unsigned int shift;
	unsigned int s2;
	unsigned int flags;
	bool small;
	bool flat;
};

#define TLBI(_name, ...) FIXTURE_VARIANT_ADD(tlbi, _name) { __VA_ARGS__ }

TLBI(s1_4k, 12, 12);
TLBI(s1_4k_global, 12, 12, 0, MAP_GLOBAL);
TLBI(s1_4k_contiguous, 12, 16);
TLBI(s1_2m, 12, 21);
TLBI(s1_2m_in_pieces, 12, 21, 0, 0, true);
TLBI(s1_16k, 14, 14);
TLBI(s1_16k_contiguous, 14, 21);
TLBI(s1_64k, 16, 16);
TLBI(s1_64k_contiguous, 16, 21);
TLBI(s1_no_walk_cache, 12, 12, 0, 0, false, true);
TLBI(nested_4k, 12, 12, 12);
TLBI(nested_4k_global, 12, 12, 12, MAP_GLOBAL);
TLBI(nested_2m_on_4k, 12, 21, 12);
TLBI(nested_2m_on_64k, 12, 21, 16);
TLBI(nested_16k_on_4k, 14, 14, 12);
TLBI(nested_64k_on_4k, 16, 16, 12);
TLBI(nested_4k_on_16k, 12, 12, 14);
TLBI(nested_no_walk_cache, 12, 12, 12, 0, false, true);

static uint64_t region(struct bench *b, unsigned int shift)
{
	uint64_t pa = pages_alloc(&b->pages, 1ull << (shift > 16 ? shift : 16));

	bench_store(b, pa, pa);
	return pa;
}

FIXTURE_SETUP(tlbi)
{
	struct bench *b = &self->b;

	bench_setup(b, NULL);
	b->smmu->freedom.small_pages = variant->small;
	b->smmu->freedom.no_walk_cache = variant->flat;
	self->s = (struct bench_stream){
		.config = STE_CONFIG_S1, .s1 = &b->s1, .asid = ASID, .vmid = VMID,
	};
	b->s1 = bench_table(b, variant->granule, 48, false, variant->s2);
	if (variant->s2) {
		b->s2 = bench_s2(b, variant->s2);
		self->s.config = STE_CONFIG_NESTED;
		self->s.s2 = &b->s2;
	}
	self->old = region(b, variant->shift);
	self->new = region(b, variant->shift);
	bench_stream(b, SID, &self->s);
}

FIXTURE_TEARDOWN(tlbi)
{
	bench_teardown(&self->b);
}

static void map(FIXTURE_DATA(tlbi) *self, const FIXTURE_VARIANT(tlbi) *variant, uint64_t out)
{
	bench_map(&self->b.s1, VA, out + (variant->s2 ? BENCH_IPA : 0), variant->shift,
		  variant->flags | (out ? 0 : MAP_NONE));
}

/* Fill the caches, break the mapping, and see that the caches are real. */
static void make_stale(struct __test_metadata *_metadata, FIXTURE_DATA(tlbi) *self,
		       const FIXTURE_VARIANT(tlbi) *variant)
{
	map(self, variant, self->old);
	EXPECT_EQ(self->old, bench_dma(self->b.dev, VA));
	map(self, variant, 0);
	EXPECT_EQ(self->old, bench_dma(self->b.dev, VA));
}

/* The invalidation is complete: the old translation is gone, the new one is found. */
static void expect_gone(struct __test_metadata *_metadata, FIXTURE_DATA(tlbi) *self,
			const FIXTURE_VARIANT(tlbi) *variant)
{
	EXPECT_EQ(BENCH_FAULT, bench_dma(self->b.dev, VA));
	map(self, variant, self->new);
	EXPECT_EQ(self->new, bench_dma(self->b.dev, VA));
}

TEST_F(tlbi, wholesale_forms)
{
	static const enum smmu_opcode forms[] = {
		CMD_TLBI_NH_ALL, CMD_TLBI_S12_VMALL, CMD_TLBI_NSNH_ALL, CMD_TLBI_NH_ASID,
	};
	uint64_t c[2], none[2];

	RULE("SMMU-02");
	smmuv3_cmd_tlbi_nsnh_all(none);
	for (unsigned int i = 0; i < 4; i++) {
		bool asid = forms[i] == CMD_TLBI_NH_ASID;

		if (asid && variant->flags & MAP_GLOBAL)
			continue;
		EXPECT_TRUE(bench_do(&self->b, none));
		make_stale(_metadata, self, variant);
		smmuv3_cmd_tlbi(c, forms[i], forms[i] == CMD_TLBI_NSNH_ALL ? 0 : VMID,
				asid ? ASID : 0, 0, false);
		EXPECT_TRUE(bench_do(&self->b, c));
		expect_gone(_metadata, self, variant);
	}
}

TEST_F(tlbi, by_address)
{
	uint64_t c[2], none[2], last = VA + (1ull << variant->shift) - 4096;

	RULE("SMMU-02");
	smmuv3_cmd_tlbi_nsnh_all(none);
	for (unsigned int i = 0; i < 8; i++) {
		bool any_asid = i & 1, leaf = i & 2;
		uint64_t addr = i & 4 && variant->shift == 21 && variant->granule == 12 ? last : VA;

		EXPECT_TRUE(bench_do(&self->b, none));
		make_stale(_metadata, self, variant);
		if (any_asid)
			smmuv3_cmd_tlbi_nh_vaa(c, VMID, addr, leaf);
		else
			smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, addr, leaf);
		EXPECT_TRUE(bench_do(&self->b, c));
		expect_gone(_metadata, self, variant);
	}
}

/** struct range - (@num + 1) << @scale granules, that begin @before granules in front of VA */
static const struct range {
	unsigned int before, num, scale;
} ranges[] = {
	{ 0, 0, 1 }, { 0, 1, 0 }, { 0, 31, 0 }, { 1, 1, 0 }, { 31, 31, 0 }, { 7, 0, 3 },
	{ 0, 31, 20 }, { 12, 12, 0 }, { 1023, 31, 5 }, { 47, 2, 4 },
};

TEST_F(tlbi, ranges_cover_to_their_last_granule)
{
	unsigned int tg = (variant->granule - 10) / 2;
	uint64_t c[2], none[2];

	RULE("SMMU-06");
	smmuv3_cmd_tlbi_nsnh_all(none);
	for (unsigned int i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		const struct range *r = &ranges[i];

		EXPECT_TRUE(bench_do(&self->b, none));
		make_stale(_metadata, self, variant);
		smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA - ((uint64_t)r->before << variant->granule),
				      true);
		smmuv3_cmd_tlbi_range(c, r->num, r->scale, tg, 0);
		EXPECT_TRUE(bench_do(&self->b, c));
		expect_gone(_metadata, self, variant);
	}
}

TEST_F(tlbi, the_level_hint_of_the_leaf)
{
	unsigned int tg = (variant->granule - 10) / 2, level = 3;
	uint64_t c[2];

	RULE("SMMU-06");
	if (variant->shift - variant->granule >= variant->granule - 3)
		level = 2;
	make_stale(_metadata, self, variant);
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, true);
	smmuv3_cmd_tlbi_range(c, 0, 0, tg, level);
	EXPECT_TRUE(bench_do(&self->b, c));
	expect_gone(_metadata, self, variant);
}

/* ---- Stage 2 ---- */

#define IPA	0x7000000000ull

/* What stage 2 alone translated goes by IPA (4.4.3.1). */
TEST(stage_2_by_ipa)
{
	static const struct { uint64_t ipa; unsigned int num, scale, tg, ttl; } forms[] = {
		{ IPA, 0, 0, 0, 0 }, { IPA, 0, 0, CMD_TLBI_TG_4K, 3 },
		{ IPA - 0x3000, 3, 0, CMD_TLBI_TG_4K, 0 },
		{ IPA - 0x10000, 16, 0, CMD_TLBI_TG_4K, 0 },
		{ 0, 31, 24, CMD_TLBI_TG_4K, 0 },
	};
	uint64_t c[2], page;
	struct bench b;

	RULE("SMMU-06");
	bench_setup(&b, NULL);
	struct bench_stream s = bench_stream_s2(&b);

	page = bench_page(&b);
	bench_stream(&b, SID, &s);
	for (unsigned int i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		bench_map(&b.s2, IPA, page, 12, 0);
		EXPECT_EQ(page, bench_dma(b.dev, IPA));
		bench_map(&b.s2, IPA, 0, 12, MAP_NONE);
		EXPECT_EQ(page, bench_dma(b.dev, IPA));
		smmuv3_cmd_tlbi_s2_ipa(c, VMID, forms[i].ipa, i & 1);
		smmuv3_cmd_tlbi_range(c, forms[i].num, forms[i].scale, forms[i].tg, forms[i].ttl);
		EXPECT_TRUE(bench_do(&b, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b.dev, IPA));
	}
	bench_teardown(&b);
}

/* Everything of a VMID: stage 2 too, that tables and CDs were found through (4.4.3.2). */
TEST(all_of_a_vmid_of_a_stage_2_stream)
{
	uint64_t c[2][2], page;
	struct bench b;

	RULE("SMMU-07");
	bench_setup(&b, NULL);
	struct bench_stream s = bench_stream_s2(&b);

	page = bench_page(&b);
	bench_stream(&b, SID, &s);
	smmuv3_cmd_tlbi_s12_vmall(c[0], VMID);
	smmuv3_cmd_tlbi_nsnh_all(c[1]);
	for (unsigned int i = 0; i < 2; i++) {
		bench_map(&b.s2, IPA, page, 12, 0);
		EXPECT_EQ(page, bench_dma(b.dev, IPA));
		bench_map(&b.s2, IPA, 0, 12, MAP_NONE);
		EXPECT_EQ(page, bench_dma(b.dev, IPA));
		EXPECT_TRUE(bench_do(&b, c[i]));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b.dev, IPA));
	}
	bench_teardown(&b);
}

/* Combined entries need both: S2_IPA, and afterwards stage 1 of the VMID. */
TEST(a_stage_2_change_under_nesting)
{
	uint64_t ipa[2], nh[2], page;
	struct bench b;

	RULE("SMMU-07");
	bench_setup(&b, NULL);
	struct bench_stream s = bench_stream_nested(&b);

	page = bench_page(&b);
	bench_map(&b.s1, VA, IPA, 12, 0);
	bench_stream(&b, SID, &s);
	smmuv3_cmd_tlbi_s2_ipa(ipa, VMID, IPA, true);
	for (unsigned int by_va = 0; by_va < 2; by_va++) {
		bench_map(&b.s2, IPA, page, 12, 0);
		EXPECT_EQ(page, bench_dma(b.dev, VA));
		bench_map(&b.s2, IPA, 0, 12, MAP_NONE);
		EXPECT_EQ(page, bench_dma(b.dev, VA));
		EXPECT_TRUE(bench_do(&b, ipa));
		if (by_va)
			smmuv3_cmd_tlbi_nh_vaa(nh, VMID, VA, true);
		else
			smmuv3_cmd_tlbi_nh_all(nh, VMID);
		EXPECT_TRUE(bench_do(&b, nh));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b.dev, VA));
	}
	bench_teardown(&b);
}

/* A stage-1 table moves in stage 2: what was cached of it goes the same way. */
TEST(a_stage_2_change_under_a_stage_1_table)
{
	uint64_t c[2], page, table, copy;
	struct bench b;

	RULE("SMMU-07");
	bench_setup(&b, NULL);
	struct bench_stream s = bench_stream_nested(&b);

	page = bench_page(&b);
	bench_map(&b.s1, VA, BENCH_IPA + page, 12, 0);
	table = bench_entry(&b.s1, VA, 3) & ~0xfffull;
	bench_store(&b, bench_entry(&b.s1, VA, 2), IPA | LPAE_VALID | LPAE_TABLE);
	bench_map(&b.s2, IPA, table, 12, 0);
	bench_stream(&b, SID, &s);
	EXPECT_EQ(page, bench_dma(b.dev, VA));
	copy = pages_alloc(&b.pages, 4096);
	bench_map(&b.s2, IPA, copy, 12, 0);
	EXPECT_EQ(page, bench_dma(b.dev, VA));
	smmuv3_cmd_tlbi_s2_ipa(c, VMID, IPA, true);
	EXPECT_TRUE(bench_do(&b, c));
	smmuv3_cmd_tlbi_nh_all(c, VMID);
	EXPECT_TRUE(bench_do(&b, c));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b.dev, VA));
	bench_teardown(&b);
}

/* Global entries go with NH_VA of any ASID (4.4.2.4). */
TEST(global_entries_by_address_of_another_asid)
{
	uint64_t c[2], page;
	struct bench b;

	RULE("SMMU-02");
	for (unsigned int nested = 0; nested < 2; nested++) {
		bench_setup(&b, NULL);
		struct bench_stream s = nested ? bench_stream_nested(&b) : bench_stream_s1(&b);

		page = bench_page(&b);
		bench_map(&b.s1, VA, page + (nested ? BENCH_IPA : 0), 12, MAP_GLOBAL);
		bench_stream(&b, SID, &s);
		EXPECT_EQ(page, bench_dma(b.dev, VA));
		bench_map(&b.s1, VA, 0, 12, MAP_NONE);
		EXPECT_EQ(page, bench_dma(b.dev, VA));
		smmuv3_cmd_tlbi_nh_va(c, VMID, OTHER_ASID, VA, true);
		EXPECT_TRUE(bench_do(&b, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b.dev, VA));
		bench_teardown(&b);
	}
}

/* A stage-1 table that is no longer linked may not be walked: TLBI without leaf. */
TEST(a_table_is_unlinked)
{
	uint64_t c[2], page;
	struct bench b;

	RULE("SMMU-02");
	bench_setup(&b, NULL);
	struct bench_stream s = bench_stream_s1(&b);

	page = bench_page(&b);
	bench_map(&b.s1, VA, page, 12, 0);
	bench_map(&b.s1, VA + 0x1000, page + 0x1000, 12, 0);
	bench_stream(&b, SID, &s);
	EXPECT_EQ(page, bench_dma(b.dev, VA));
	bench_store(&b, bench_entry(&b.s1, VA, 2), 0);
	EXPECT_EQ(page + 0x1000, bench_dma(b.dev, VA + 0x1000));
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA + 0x1000, false);
	EXPECT_TRUE(bench_do(&b, c));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b.dev, VA + 0x1000));
	bench_teardown(&b);
}

/* ---- EL2, 4.4.2.7 to 4.4.2.10 ---- */

FIXTURE(el2) {
	struct bench b;
	uint64_t page;
};

FIXTURE_VARIANT(el2) {
	bool e2h;
};

FIXTURE_VARIANT_ADD(el2, plain) { false };
FIXTURE_VARIANT_ADD(el2, host) { true };

FIXTURE_SETUP(el2)
{
	struct bench *b = &self->b;
	struct bench_stream s;

	bench_setup(b, NULL);
	s = bench_stream_s1(b);
	s.ste1 = smmu_put(STE1_STRW, STE_STRW_EL2);
	bench_write(b, SMMU_CR2, 4, variant->e2h ? SMMU_CR2_E2H : 0);
	self->page = bench_page(b);
	bench_stream(b, SID, &s);
}

FIXTURE_TEARDOWN(el2)
{
	bench_teardown(&self->b);
}

TEST_F(el2, every_form)
{
	struct bench *b = &self->b;
	uint64_t c[4][2];

	RULE("SMMU-09");
	smmuv3_cmd_tlbi_el2_all(c[0]);
	smmuv3_cmd_tlbi_el2_va(c[1], ASID, VA, true);
	smmuv3_cmd_tlbi_el2_vaa(c[2], VA, true);
	smmuv3_cmd_tlbi_el2_asid(c[3], ASID);
	for (unsigned int i = 0; i < (variant->e2h ? 4 : 3); i++) {
		bench_map(&b->s1, VA, self->page, 12, 0);
		EXPECT_EQ(self->page, bench_dma(b->dev, VA));
		bench_map(&b->s1, VA, 0, 12, MAP_NONE);
		EXPECT_EQ(self->page, bench_dma(b->dev, VA));
		EXPECT_TRUE(bench_do(b, c[i]));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	}
}

NIT_TEST_MAIN
