// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each TLBI of the reference SMMUv3 removes, and that it removes nothing else. Each test sees
 * the old entry used before it invalidates.
 */
#include "../../suites/arm/bench.h"

FIXTURE(smmu) {
	struct bench b;
};

FIXTURE_SETUP(smmu)
{
	bench_setup(&self->b, NULL);
}

FIXTURE_TEARDOWN(smmu)
{
	bench_teardown(&self->b);
}

/* ---- TLBI: which entries ---- */

/** struct tlbi - a command; @hits: the entry of the variant below */
struct tlbi {
	const char *name;
	enum smmu_opcode opcode;
	uint16_t vmid;
	uint16_t asid;
	uint64_t addr;
	bool leaf;
	uint8_t num, scale, tg, ttl;
	bool hits_page;		/* VA, ASID, VMID: a 4 KiB page, not global */
	bool hits_global;	/* the same, global */
	bool hits_block;	/* a block of 2 MiB at VA */
};

#define NH_VA	CMD_TLBI_NH_VA
#define NH_VAA	CMD_TLBI_NH_VAA
#define TG4	CMD_TLBI_TG_4K

static const struct tlbi tlbis[] = {
	{ "all", CMD_TLBI_NH_ALL, VMID, .hits_page = 1, .hits_global = 1, .hits_block = 1 },
	{ "all-vmid", CMD_TLBI_NH_ALL, OTHER_VMID },
	{ "nsnh-all", CMD_TLBI_NSNH_ALL, .hits_page = 1, .hits_global = 1, .hits_block = 1 },
	{ "s12-vmall", CMD_TLBI_S12_VMALL, VMID, .hits_page = 1, .hits_global = 1,
	  .hits_block = 1 },
	{ "s12-vmall-vmid", CMD_TLBI_S12_VMALL, OTHER_VMID },
	{ "el2-all", CMD_TLBI_EL2_ALL },
	{ "asid", CMD_TLBI_NH_ASID, VMID, ASID, .hits_page = 1, .hits_block = 1 },
	{ "asid-vmid", CMD_TLBI_NH_ASID, OTHER_VMID, ASID },
	{ "asid-asid", CMD_TLBI_NH_ASID, VMID, OTHER_ASID },
	{ "va", NH_VA, VMID, ASID, VA, .hits_page = 1, .hits_global = 1, .hits_block = 1 },
	{ "va-leaf", NH_VA, VMID, ASID, VA, true, .hits_page = 1, .hits_global = 1,
	  .hits_block = 1 },
	{ "va-vmid", NH_VA, OTHER_VMID, ASID, VA },
	{ "va-asid", NH_VA, VMID, OTHER_ASID, VA, .hits_global = 1 },
	{ "va-addr", NH_VA, VMID, ASID, VA + 0x1000, .hits_block = 1 },
	{ "va-far", NH_VA, VMID, ASID, VA + 0x200000 },
	{ "vaa", NH_VAA, VMID, 0, VA, .hits_page = 1, .hits_global = 1, .hits_block = 1 },
	{ "vaa-vmid", NH_VAA, OTHER_VMID, 0, VA },
	{ "vaa-addr", NH_VAA, VMID, 0, VA - 0x1000 },
	{ "range", NH_VA, VMID, ASID, VA - 0x3000, true, 3, 0, TG4, 0, 1, 1, 1 },
	{ "range-short", NH_VA, VMID, ASID, VA - 0x3000, true, 2, 0, TG4, 0 },
	{ "range-scale", NH_VA, VMID, ASID, VA - 0xf000, true, 1, 3, TG4, 0, 1, 1, 1 },
	{ "range-scale-short", NH_VA, VMID, ASID, VA - 0x10000, true, 1, 3, TG4, 0 },
	{ "range-after", NH_VA, VMID, ASID, VA + 0x200000, true, 31, 10, TG4, 0 },
	{ "range-vaa", NH_VAA, VMID, 0, VA - 0x100000, true, 31, 4, TG4, 0, 1, 1, 1 },
	{ "range-16k", NH_VA, VMID, ASID, VA, true, 1, 0, CMD_TLBI_TG_16K, 0 },
	{ "range-top", NH_VA, VMID, ASID, ~0xfffull, true, 31, 31, TG4, 0 },
	{ "ttl-3", NH_VA, VMID, ASID, VA, true, 0, 0, TG4, 3, 1, 1, 0 },
	{ "ttl-2", NH_VA, VMID, ASID, VA, true, 0, 0, TG4, 2, 0, 0, 1 },
	{ "ttl-1", NH_VA, VMID, ASID, VA, true, 0, 0, TG4, 1 },
	{ "ttl-2-range", NH_VA, VMID, ASID, VA, true, 0, 9, TG4, 2, 0, 0, 1 },
};

static void tlbi_encode(uint64_t c[2], const struct tlbi *t)
{
	smmuv3_cmd_tlbi(c, t->opcode, t->vmid, t->asid, t->addr, t->leaf);
	smmuv3_cmd_tlbi_range(c, t->num, t->scale, t->tg, t->ttl);
}

static void expect_tlbis(struct __test_metadata *_metadata, struct bench *b, unsigned int shift,
			 unsigned int flags, uint64_t page)
{
	uint64_t all[2], c[2], va = VA + (page & ((1ull << shift) - 1));

	smmuv3_cmd_tlbi_nsnh_all(all);
	for (unsigned int i = 0; i < sizeof(tlbis) / sizeof(*tlbis); i++) {
		const struct tlbi *t = &tlbis[i];
		bool hit = shift == 21 ? t->hits_block :
			   flags & MAP_GLOBAL ? t->hits_global : t->hits_page;

		EXPECT_TRUE(bench_do(b, all));
		bench_map(&b->s1, VA, (page + (b->s1.ipa ? BENCH_IPA : 0)) &
			  ~((1ull << shift) - 1), shift, flags);
		EXPECT_EQ(page, bench_dma(b->dev, va));
		bench_map(&b->s1, VA, 0, shift, MAP_NONE);
		EXPECT_EQ(page, bench_dma(b->dev, va));
		tlbi_encode(c, t);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(hit ? BENCH_FAULT : page, bench_dma(b->dev, va)) {
			TH_LOG("%s shift %u flags %#x", t->name, shift, flags);
		}
	}
}

TEST_F(smmu, tlbi_hits_exactly_what_it_names_stage_1)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	uint64_t page = bench_page(b);

	bench_stream(b, SID, &s);
	expect_tlbis(_metadata, b, 12, 0, page);
	expect_tlbis(_metadata, b, 12, MAP_GLOBAL, page);
	bench_store(b, bench_entry(&b->s1, VA, 2), 0);
	expect_tlbis(_metadata, b, 21, 0, page);
}

TEST_F(smmu, tlbi_hits_exactly_what_it_names_nested)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_nested(b);
	uint64_t page = bench_page(b);

	bench_stream(b, SID, &s);
	expect_tlbis(_metadata, b, 12, 0, page);
	expect_tlbis(_metadata, b, 12, MAP_GLOBAL, page);
}

/* A range counts in the granule that it names. */
TEST_F(smmu, ranges_of_larger_granules)
{
	struct bench *b = &self->b;
	uint64_t c[2], page = bench_page(b);

	for (unsigned int granule = 14; granule <= 16; granule += 2) {
		struct bench_stream s = { .config = STE_CONFIG_S1, .asid = granule, .vmid = VMID };
		struct bench_table t = bench_table(b, granule, 48, false, false);
		uint64_t size = 1ull << granule;

		s.s1 = &t;
		bench_stream(b, SID, &s);
		smmuv3_cmd_cfgi_ste(c, SID, true);
		EXPECT_TRUE(bench_do(b, c));
		bench_map(&t, VA + 2 * size, page, granule, 0);
		EXPECT_EQ(page, bench_dma(b->dev, VA + 2 * size));
		bench_map(&t, VA + 2 * size, 0, granule, MAP_NONE);
		smmuv3_cmd_tlbi_nh_va(c, VMID, granule, VA, true);
		smmuv3_cmd_tlbi_range(c, 1, 0, (granule - 10) / 2, 0);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(page, bench_dma(b->dev, VA + 2 * size));
		smmuv3_cmd_tlbi_range(c, 2, 0, (granule - 10) / 2, 0);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA + 2 * size));
	}
}

/* Global entries serve every ASID of the VMID and the ASET, no other. */
TEST_F(smmu, global_entries_cross_asids)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	struct bench_table empty = bench_table(b, 12, 48, false, false);
	uint64_t page = bench_page(b);

	bench_map(&b->s1, VA, page, 12, MAP_GLOBAL);
	bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	s.s1 = &empty;
	s.asid = OTHER_ASID;
	bench_stream(b, OTHER_SID, &s);
	EXPECT_EQ(page, bench_dma(b->other, VA));
	s.cd0 = CD0_ASET;
	bench_stream(b, 0x30, &s);
	EXPECT_EQ(BENCH_FAULT, bench_dma(bench_endpoint(b, 0x30), VA));
}

/* ---- Walk caches ---- */

TEST_F(smmu, tables_are_cached_and_go_without_leaf)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	struct bench_table next = bench_table(b, 12, 48, false, false);
	uint64_t c[2], page = bench_page(b), other = bench_page(b);

	bench_map(&b->s1, VA, page, 12, 0);
	bench_map(&b->s1, VA + 0x1000, page + 0x1000, 12, 0);
	bench_map(&next, VA + 0x1000, other, 12, 0);
	bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	bench_store(b, bench_entry(&b->s1, VA, 2), bench_load(b, bench_entry(&next, VA, 2)));
	EXPECT_EQ(page + 0x1000, bench_dma(b->dev, VA + 0x1000));
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA + 0x1000, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page + 0x1000, bench_dma(b->dev, VA + 0x1000));
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA + 0x1000, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(other, bench_dma(b->dev, VA + 0x1000));
}

/* ---- Stage 2 ---- */

TEST_F(smmu, s2_ipa_of_a_stage_2_stream)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s2(b);
	uint64_t c[2], page = bench_page(b), ipa = 0x7000000000;
	static const struct {
		uint16_t vmid;
		uint64_t ipa;
		uint8_t num, tg, ttl;
		bool hits;
	} cases[] = {
		{ OTHER_VMID, 0x7000000000, 0, 0, 0, false },
		{ VMID, 0x7000001000, 0, 0, 0, false },
		{ VMID, 0x7000000000, 0, 0, 0, true },
		{ VMID, 0x6fffffe000, 1, TG4, 0, false },
		{ VMID, 0x6fffffe000, 2, TG4, 0, true },
		{ VMID, 0x7000000000, 0, TG4, 2, false },
		{ VMID, 0x7000000000, 0, TG4, 3, true },
	};

	bench_stream(b, SID, &s);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bench_map(&b->s2, ipa, page, 12, 0);
		EXPECT_EQ(page, bench_dma(b->dev, ipa));
		bench_map(&b->s2, ipa, 0, 12, MAP_NONE);
		EXPECT_EQ(page, bench_dma(b->dev, ipa));
		smmuv3_cmd_tlbi_s2_ipa(c, cases[i].vmid, cases[i].ipa, true);
		smmuv3_cmd_tlbi_range(c, cases[i].num, 0, cases[i].tg, cases[i].ttl);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(cases[i].hits ? BENCH_FAULT : page, bench_dma(b->dev, ipa));
		smmuv3_cmd_tlbi_s12_vmall(c, VMID);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, ipa));
	}
}

/* A block of stage 2 that is cached in pieces goes by any of its addresses. */
TEST_F(smmu, s2_ipa_of_a_block_in_pieces)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s2(b);
	uint64_t c[2], page = bench_page(b), ipa = (BENCH_IPA + page) & ~0x1fffffull;

	b->smmu->freedom.small_pages = true;
	bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, BENCH_IPA + page));
	bench_map(&b->s2, ipa, 0, 21, MAP_NONE);
	EXPECT_EQ(page, bench_dma(b->dev, BENCH_IPA + page));
	smmuv3_cmd_tlbi_s2_ipa(c, VMID, ipa + 0x1ff000, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, BENCH_IPA + page));
}

/* The rule of nesting: stage 2 by IPA, then stage 1 of the VMID, in two steps (4.4.3.1). */
TEST_F(smmu, s2_ipa_keeps_combined_entries_until_nh_all)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_nested(b);
	uint64_t c[2], page = bench_page(b), other = bench_page(b), ipa = 0x7000000000;

	bench_map(&b->s1, VA, ipa, 12, 0);
	bench_map(&b->s2, ipa, page, 12, 0);
	bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	bench_map(&b->s2, ipa, other, 12, 0);
	smmuv3_cmd_tlbi_nh_all(c, VMID);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	smmuv3_cmd_tlbi_s2_ipa(c, VMID, ipa, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	smmuv3_cmd_tlbi_nh_all(c, VMID);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(other, bench_dma(b->dev, VA));
}

/* Stage 2 of a stage-1 table: cached apart, and in the walk cache of stage 1. */
TEST_F(smmu, stage_2_of_tables_is_cached)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_nested(b);
	uint64_t c[2], page = bench_page(b), table, copy, ipa = 0x7000000000;

	bench_map(&b->s1, VA, BENCH_IPA + page, 12, 0);
	bench_map(&b->s1, VA + 0x1000, BENCH_IPA + page + 0x1000, 12, 0);
	table = bench_entry(&b->s1, VA, 3) & ~0xfffull;
	bench_store(b, bench_entry(&b->s1, VA, 2), ipa | LPAE_VALID | LPAE_TABLE);
	bench_map(&b->s2, ipa, table, 12, 0);
	bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	copy = pages_alloc(&b->pages, 4096);
	bench_map(&b->s2, ipa, copy, 12, 0);
	smmuv3_cmd_tlbi_s2_ipa(c, VMID, ipa, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page + 0x1000, bench_dma(b->dev, VA + 0x1000));
	smmuv3_cmd_tlbi_nh_all(c, VMID);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA + 0x1000));
}

/* The CD of a nested stream is fetched through stage 2. */
TEST_F(smmu, stage_2_faults_of_a_cd_fetch)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_nested(b);
	uint64_t words[4];

	s.cds = 0x7000000000;
	bench_stream(b, SID, &s);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event(b, words));
	EXPECT_EQ(EVENT1_S2 | EVENT1_RNW | smmu_put(EVENT1_CLASS, EVENT_CLASS_CD), words[1]);
	EXPECT_EQ(0x7000000000, words[3]);
}

/* ---- EL2 ---- */

TEST_F(smmu, el2_regimes)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	uint64_t c[2], page = bench_page(b);
	static const struct { bool e2h; enum smmu_opcode op; uint16_t asid; bool hits; } cases[] = {
		{ false, CMD_TLBI_EL2_ALL, 0, true }, { true, CMD_TLBI_EL2_ALL, 0, true },
		{ false, CMD_TLBI_EL2_VA, OTHER_ASID, true },
		{ true, CMD_TLBI_EL2_VA, OTHER_ASID, false },
		{ true, CMD_TLBI_EL2_VA, ASID, true },
		{ true, CMD_TLBI_EL2_ASID, ASID, true },
		{ true, CMD_TLBI_EL2_ASID, OTHER_ASID, false },
		{ false, CMD_TLBI_EL2_VAA, 0, true }, { true, CMD_TLBI_EL2_VAA, 0, true },
		{ false, CMD_TLBI_NSNH_ALL, 0, false }, { false, CMD_TLBI_NH_ALL, 0, false },
	};

	s.ste1 = smmu_put(STE1_STRW, STE_STRW_EL2);
	bench_stream(b, SID, &s);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bench_write(b, SMMU_CR2, 4, cases[i].e2h ? SMMU_CR2_E2H : 0);
		smmuv3_cmd_cfgi_all(c);
		EXPECT_TRUE(bench_do(b, c));
		bench_map(&b->s1, VA, page, 12, 0);
		EXPECT_EQ(page, bench_dma(b->dev, VA));
		bench_map(&b->s1, VA, 0, 12, MAP_NONE);
		EXPECT_EQ(page, bench_dma(b->dev, VA));
		smmuv3_cmd_tlbi(c, cases[i].op, 0, cases[i].asid, cases[i].op == CMD_TLBI_EL2_VA ||
				cases[i].op == CMD_TLBI_EL2_VAA ? VA : 0, false);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(cases[i].hits ? BENCH_FAULT : page, bench_dma(b->dev, VA));
		smmuv3_cmd_tlbi_el2_all(c);
		EXPECT_TRUE(bench_do(b, c));
	}
}

NIT_TEST_MAIN
