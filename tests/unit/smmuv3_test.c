// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference SMMUv3 by itself: every table mode, granule and block size; what each CFGI removes.
 * Each staleness test sees the old entry used before it invalidates.
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

/* ---- Registers ---- */

TEST_F(smmu, id_registers_say_the_configuration)
{
	uint64_t idr0 = bench_read(&self->b, SMMU_IDR0, 4);
	uint64_t idr1 = bench_read(&self->b, SMMU_IDR1, 4);
	uint64_t idr5 = bench_read(&self->b, SMMU_IDR5, 4);

	EXPECT_EQ(SMMU_IDR0_S1P | SMMU_IDR0_S2P, idr0 & (SMMU_IDR0_S1P | SMMU_IDR0_S2P));
	EXPECT_EQ(2, smmu_get(SMMU_IDR0_HTTU, idr0));
	EXPECT_NE(0, idr0 & SMMU_IDR0_NS1ATS);
	EXPECT_EQ(16, smmu_get(SMMU_IDR1_SIDSIZE, idr1));
	EXPECT_EQ(20, smmu_get(SMMU_IDR1_SSIDSIZE, idr1));
	EXPECT_EQ(5, smmu_get(SMMU_IDR5_OAS, idr5));
	EXPECT_EQ(bench_read(&self->b, SMMU_CR0, 4), bench_read(&self->b, SMMU_CR0ACK, 4));
}

TEST_F(smmu, wide_registers_take_halves)
{
	bench_write(&self->b, SMMU_GERROR_IRQ_CFG0, 4, 0x12345678);
	bench_write(&self->b, SMMU_GERROR_IRQ_CFG0 + 4, 4, 0x9a);
	EXPECT_EQ(0x9a12345678ull, bench_read(&self->b, SMMU_GERROR_IRQ_CFG0, 8));
	EXPECT_EQ(0x9a, bench_read(&self->b, SMMU_GERROR_IRQ_CFG0 + 4, 4));
}

TEST_F(smmu, off_bypasses_or_aborts_as_gbpa_says)
{
	struct bench *b = &self->b;
	uint64_t page = bench_page(b);

	bench_write(b, SMMU_CR0, 4, 0);
	EXPECT_EQ(page, bench_dma(b->dev, page));
	bench_write(b, SMMU_GBPA, 4, SMMU_GBPA_UPDATE | SMMU_GBPA_ABORT);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, page));
}

TEST_F(smmu, reset_forgets_everything)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);

	bench_map(&b->s1, VA, bench_page(b), 12, 0);
	bench_stream(b, SID, &s);
	EXPECT_NE(BENCH_FAULT, bench_dma(b->dev, VA));
	b->smmu->ops->reset(b->smmu);
	EXPECT_EQ(0, bench_read(b, SMMU_CR0, 4));
	EXPECT_EQ(0, bench_read(b, SMMU_STRTAB_BASE, 8));
	b->prod = 0;
	bench_start(b);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_C_BAD_STE, bench_event_id(b));
}

/* ---- Translation: modes, granules, sizes ---- */

FIXTURE(walk) {
	struct bench b;
};

FIXTURE_VARIANT(walk) {
	unsigned int page_shift;
	unsigned int shift;
	unsigned int s2_page_shift;	/* 0: stage 1 alone */
	bool small;			/* cached in pieces */
	bool no_walk_cache;
};

#define WALK(_name, ...) FIXTURE_VARIANT_ADD(walk, _name) { __VA_ARGS__ }

WALK(s1_4k, 12, 12, 0);
WALK(s1_4k_contiguous, 12, 16, 0);
WALK(s1_2m, 12, 21, 0);
WALK(s1_32m_contiguous, 12, 25, 0);
WALK(s1_1g, 12, 30, 0);
WALK(s1_16k, 14, 14, 0);
WALK(s1_16k_contiguous, 14, 21, 0);
WALK(s1_16k_32m, 14, 25, 0);
WALK(s1_64k, 16, 16, 0);
WALK(s1_64k_contiguous, 16, 21, 0);
WALK(s1_64k_512m, 16, 29, 0);
WALK(s1_2m_small, 12, 21, 0, true);
WALK(s1_no_walk_cache, 12, 12, 0, false, true);
WALK(nested_4k_on_4k, 12, 12, 12);
WALK(nested_2m_on_4k, 12, 21, 12);
WALK(nested_16k_on_4k, 14, 14, 12);
WALK(nested_64k_on_4k, 16, 16, 12);
WALK(nested_4k_on_16k, 12, 12, 14);
WALK(nested_4k_on_64k, 12, 12, 16);
WALK(nested_64k_on_64k, 16, 16, 16);
WALK(nested_no_walk_cache, 12, 12, 12, false, true);
WALK(nested_small, 12, 21, 12, true);

FIXTURE_SETUP(walk)
{
	bench_setup(&self->b, NULL);
	self->b.smmu->freedom.small_pages = variant->small;
	self->b.smmu->freedom.no_walk_cache = variant->no_walk_cache;
}

FIXTURE_TEARDOWN(walk)
{
	bench_teardown(&self->b);
}

/* A stream as the variant says, with one leaf: all of memory if the leaf is that large */
static void walk_stream(struct bench *b, const FIXTURE_VARIANT(walk) *variant)
{
	struct bench_stream s = {
		.config = STE_CONFIG_S1, .s1 = &b->s1, .asid = ASID, .vmid = VMID,
	};
	bool nested = variant->s2_page_shift;

	b->s1 = bench_table(b, variant->page_shift, 48, false, nested);
	if (nested) {
		b->s2 = bench_s2(b, variant->s2_page_shift);
		s.config = STE_CONFIG_NESTED;
		s.s2 = &b->s2;
	}
	bench_stream(b, SID, &s);
}

/* Where the leaf begins, so that @page lies @page % size inside of it */
static uint64_t leaf_out(const FIXTURE_VARIANT(walk) *variant, uint64_t page)
{
	uint64_t base = variant->s2_page_shift ? BENCH_IPA : 0;

	return (page + base) & ~((1ull << variant->shift) - 1);
}

TEST_F(walk, reaches_the_page_and_forgets_it_when_told)
{
	uint64_t c[2], page, out, high = 1ull << 33;
	struct bench *b = &self->b;

	walk_stream(b, variant);
	page = bench_page(b);
	out = leaf_out(variant, page);
	page -= page & 0xfff;
	bench_map(&b->s1, high, out, variant->shift, 0);
	high += (page + (variant->s2_page_shift ? BENCH_IPA : 0)) & ((1ull << variant->shift) - 1);
	EXPECT_EQ(page, bench_dma(b->dev, high));
	EXPECT_EQ(0, bench_event_id(b));

	bench_map(&b->s1, high & ~((1ull << variant->shift) - 1), 0, variant->shift, MAP_NONE);
	EXPECT_EQ(page, bench_dma(b->dev, high));
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, high, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, high));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
}

/* Any address in a block names all of it, however it is cached. */
TEST_F(walk, any_address_of_the_leaf_will_do)
{
	uint64_t c[2], page, va = 1ull << 33, in, size = 1ull << variant->shift;
	struct bench *b = &self->b;

	walk_stream(b, variant);
	page = bench_page(b);
	bench_map(&b->s1, va, leaf_out(variant, page), variant->shift, 0);
	in = va + ((page + (variant->s2_page_shift ? BENCH_IPA : 0)) & (size - 1));
	EXPECT_EQ(page, bench_dma(b->dev, in));
	bench_map(&b->s1, va, 0, variant->shift, MAP_NONE);
	EXPECT_EQ(page, bench_dma(b->dev, in));
	/* Contiguous runs are entries each of its own: name the one that the page is in. */
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, variant->shift == 21 && variant->page_shift == 12 ?
			      va + size - 4096 : in, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, in));
}

TEST_F(smmu, both_halves_of_the_address_space)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	struct bench_table high = bench_table(b, 16, 48, false, false);
	uint64_t page = bench_page(b), other = bench_page(b);

	s.high = &high;
	s.cd0 = CD0_TBI1;
	bench_map(&b->s1, VA, page, 12, 0);
	bench_map(&high, HIGH_VA & SMMU_BITS(47, 0), other, 16, 0);
	bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	EXPECT_EQ(other, bench_dma(b->dev, HIGH_VA));
	EXPECT_EQ(other, bench_dma(b->dev, HIGH_VA & ~SMMU_BITS(63, 60)));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA | SMMU_BIT(60)));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
}

TEST(input_addresses_of_52_bits)
{
	struct smmuv3_config config = smmuv3_config_full();
	uint64_t c[2], page, cds, va = (1ull << 51) + VA;
	struct bench b;

	config.oas = 6;
	config.vax = config.ds = true;
	bench_setup(&b, &config);
	page = bench_page(&b);
	for (unsigned int granule = 12; granule <= 16; granule += 2) {
		struct bench_table t = bench_table(&b, granule, 52, false, false);
		struct bench_stream s = {
			.config = STE_CONFIG_S1, .s1 = &t, .asid = granule, .vmid = VMID,
		};

		bench_map(&t, va, page, granule, 0);
		cds = bench_stream(&b, SID, &s);
		bench_store(&b, cds + 2 * 8, CD2_DS);
		smmuv3_cmd_cfgi_ste(c, SID, true);
		EXPECT_TRUE(bench_do(&b, c));
		EXPECT_EQ(page, bench_dma(b.dev, va));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b.dev, va | 1ull << 52));
	}
	bench_teardown(&b);
}

TEST_F(smmu, stage_2_alone_with_concatenated_tables)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s2(b);
	struct bench_table wide;
	uint64_t page = bench_page(b);

	bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, BENCH_IPA + page));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, page));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));

	wide = bench_table(b, 12, 39, true, false);
	wide.bits = 42;		/* 8 tables of level 1 in a row */
	wide.root = pages_alloc(&b->pages, 0x8000);
	bench_map(&wide, 5ull << 39, page & ~0x1fffffull, 21, 0);
	s.s2 = &wide;
	s.vmid = OTHER_VMID;
	bench_stream(b, OTHER_SID, &s);
	EXPECT_EQ(page, bench_dma(b->other, (5ull << 39) + (page & 0x1fffff)));
}

TEST_F(smmu, permissions_of_both_stages)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_nested(b);
	uint64_t page = bench_page(b), words[4];

	bench_map(&b->s1, VA, BENCH_IPA + page, 12, MAP_RO);
	bench_map(&b->s1, VA + 0x1000, 0x7000000000, 12, 0);
	bench_map(&b->s2, 0x7000000000, page, 12, MAP_RO);
	bench_map(&b->s1, VA + 0x2000, BENCH_IPA + page, 12, MAP_PRIV_ONLY);
	bench_stream(b, SID, &s);
	for (int cached = 0; cached < 2; cached++) {
		EXPECT_EQ(page, bench_dma(b->dev, VA));
		EXPECT_FALSE(bench_dma_writes(b->dev, VA));
		EXPECT_EQ(EVENT_F_PERMISSION, bench_event(b, words));
		EXPECT_EQ(0, words[1] & (EVENT1_S2 | EVENT1_RNW));
		EXPECT_EQ(VA + 0x100, words[2]);
		EXPECT_EQ(page, bench_dma(b->dev, VA + 0x1000));
		EXPECT_FALSE(bench_dma_writes(b->dev, VA + 0x1000));
		EXPECT_EQ(EVENT_F_PERMISSION, bench_event(b, words));
		EXPECT_NE(0, words[1] & EVENT1_S2);
		EXPECT_EQ(EVENT_CLASS_IN, smmu_get(EVENT1_CLASS, words[1]));
		EXPECT_EQ(0x7000000000, words[3]);
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA + 0x2000));
		EXPECT_EQ(EVENT_F_PERMISSION, bench_event_id(b));
	}
}

TEST_F(smmu, faults_name_stage_class_and_address)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_nested(b);
	uint64_t words[4], entry;

	bench_map(&b->s1, VA, 0x7000000000, 12, 0);
	bench_map(&b->s1, VA + 0x1000, BENCH_IPA + bench_page(b), 12, MAP_NO_AF);
	bench_stream(b, SID, &s);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event(b, words));
	EXPECT_EQ(SID, smmu_get(EVENT0_SID, words[0]));
	EXPECT_EQ(EVENT1_S2 | EVENT1_RNW | smmu_put(EVENT1_CLASS, EVENT_CLASS_IN), words[1]);
	EXPECT_EQ(VA, words[2]);
	EXPECT_EQ(0x7000000000, words[3]);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA + 0x1000));
	EXPECT_EQ(EVENT_F_ACCESS, bench_event_id(b));

	/* A stage-1 table that stage 2 does not map */
	entry = bench_entry(&b->s1, 1ull << 40, 1);
	bench_store(b, entry, 0x7100000000 | LPAE_VALID | LPAE_TABLE);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, (1ull << 40) + 0x3000));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event(b, words));
	EXPECT_EQ(EVENT1_S2 | EVENT1_RNW | smmu_put(EVENT1_CLASS, EVENT_CLASS_TTD), words[1]);
	EXPECT_EQ(0x7100000000, words[3]);

	/* Memory that is not there; an output address that is too large */
	bench_store(b, entry, (BENCH_IPA + BENCH_RAM) | LPAE_VALID | LPAE_TABLE);
	bench_store(b, bench_entry(&b->s1, 2ull << 40, 0), SMMU_BITS(47, 40) | 3);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, 2ull << 40));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
}

TEST_F(smmu, table_fetch_aborts_and_output_too_large)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	uint64_t words[4];

	bench_store(b, bench_entry(&b->s1, 1ull << 40, 0), 0x1000000000 | 3);
	bench_store(b, bench_entry(&b->s1, VA, 3), bench_leaf(&b->s1, 3, 1ull << 41, 0));
	s.cd0 = 0;
	b->config.oas = 2;	/* CD.IPS: 40 bits */
	bench_stream(b, SID, &s);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, 1ull << 40));
	EXPECT_EQ(EVENT_F_WALK_EABT, bench_event(b, words));
	EXPECT_EQ(EVENT_CLASS_TTD, smmu_get(EVENT1_CLASS, words[1]));
	EXPECT_EQ(0x1000000000 + 0, words[3] & ~0xfffull);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_F_ADDR_SIZE, bench_event_id(b));
}

/* ---- Hardware update of flags, 3.13 ---- */

TEST_F(smmu, access_and_dirty_state_of_stage_1)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	uint64_t page = bench_page(b), entry;

	s.cd0 = CD0_HA | CD0_HD;
	bench_map(&b->s1, VA, page, 12, MAP_NO_AF | MAP_DBM);
	entry = bench_entry(&b->s1, VA, 3);
	bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	EXPECT_EQ(LPAE_AF | LPAE_AP_RO, bench_load(b, entry) & (LPAE_AF | LPAE_AP_RO));
	EXPECT_TRUE(bench_dma_writes(b->dev, VA));
	EXPECT_EQ(LPAE_AF, bench_load(b, entry) & (LPAE_AF | LPAE_AP_RO));
	/* Once dirty, the cache need not look again. */
	bench_map(&b->s1, VA, page, 12, MAP_DBM);
	EXPECT_TRUE(bench_dma_writes(b->dev, VA));
	EXPECT_NE(0, bench_load(b, entry) & LPAE_AP_RO);
}

TEST_F(smmu, access_and_dirty_state_of_stage_2)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_nested(b);
	uint64_t page = bench_page(b), entry;

	s.ste2 = STE2_S2HA | STE2_S2HD;
	bench_map(&b->s1, VA, 0x7000000000, 12, 0);
	bench_map(&b->s2, 0x7000000000, page, 12, MAP_NO_AF | MAP_DBM);
	entry = bench_entry(&b->s2, 0x7000000000, 3);
	bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	EXPECT_EQ(LPAE_AF, bench_load(b, entry) & (LPAE_AF | LPAE_S2AP_W));
	EXPECT_TRUE(bench_dma_writes(b->dev, VA));
	EXPECT_EQ(LPAE_AF | LPAE_S2AP_W, bench_load(b, entry) & (LPAE_AF | LPAE_S2AP_W));
}

TEST_F(smmu, stage_1_update_needs_stage_2_to_allow_it)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_nested(b);
	uint64_t entry, words[4], ipa;

	s.cd0 = CD0_HA;
	bench_map(&b->s1, VA, BENCH_IPA + bench_page(b), 12, MAP_NO_AF);
	entry = bench_entry(&b->s1, VA, 3);
	ipa = (BENCH_IPA + entry) & ~0x1fffffull;
	bench_map(&b->s2, ipa, ipa - BENCH_IPA, 21, MAP_RO);
	bench_stream(b, SID, &s);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_F_PERMISSION, bench_event(b, words));
	EXPECT_EQ(EVENT_CLASS_TTD, smmu_get(EVENT1_CLASS, words[1]));
	EXPECT_EQ(0, words[1] & EVENT1_TTRNW);
	EXPECT_EQ((BENCH_IPA + entry) & ~0xfffull, words[3]);
}

/* ---- Configuration ---- */

TEST_F(smmu, streams_that_are_not_there)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	struct endpoint *far = bench_endpoint(b, 1 << STRTAB_LOG2);

	EXPECT_EQ(BENCH_FAULT, bench_dma(far, VA));
	EXPECT_EQ(EVENT_C_BAD_STREAMID, bench_event_id(b));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_C_BAD_STE, bench_event_id(b));
	s.config = STE_CONFIG_ABORT;
	bench_stream(b, OTHER_SID, &s);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->other, VA));
	EXPECT_EQ(0, bench_event_id(b));
}

TEST_F(smmu, illegal_ste_and_cd)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	uint64_t c[2], cds = bench_stream(b, SID, &s), ste = bench_ste(b, SID), good;
	const struct { unsigned int word; uint64_t flip; } bad_ste[] = {
		{ 0, STE0_V }, { 0, smmu_put(STE0_S1CDMAX, 21) }, { 1, smmu_put(STE1_STRW, 1) },
		{ 1, smmu_put(STE1_EATS, STE_EATS_SPLIT) }, { 0, smmu_put(STE0_CONFIG, 2) },
	}, bad_cd[] = {
		{ 0, CD0_V }, { 0, CD0_AA64 }, { 0, CD0_A }, { 0, CD0_ENDI },
		{ 0, smmu_put(CD0_T0SZ, 60) }, { 0, smmu_put(CD0_TG0, 3) },
	};

	smmuv3_cmd_cfgi_ste(c, SID, true);
	for (unsigned int i = 0; i < sizeof(bad_ste) / sizeof(*bad_ste); i++) {
		good = bench_load(b, ste + bad_ste[i].word * 8);
		bench_store(b, ste + bad_ste[i].word * 8, good ^ bad_ste[i].flip);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
		EXPECT_EQ(EVENT_C_BAD_STE, bench_event_id(b));
		bench_store(b, ste + bad_ste[i].word * 8, good);
	}
	for (unsigned int i = 0; i < sizeof(bad_cd) / sizeof(*bad_cd); i++) {
		good = bench_load(b, cds);
		bench_store(b, cds, bad_cd[i].flip & (CD0_T0SZ | CD0_TG0) ? good | bad_cd[i].flip :
						      good ^ bad_cd[i].flip);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
		EXPECT_EQ(EVENT_C_BAD_CD, bench_event_id(b));
		bench_store(b, cds, good);
	}
}

/* What is not valid is cached like what is (3.21.3). */
TEST_F(smmu, invalid_structures_are_cached)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	uint64_t c[2], page = bench_page(b);

	bench_map(&b->s1, VA, page, 12, 0);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	bench_stream(b, SID, &s);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	smmuv3_cmd_cfgi_ste(c, SID, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page, bench_dma(b->dev, VA));
}

TEST_F(smmu, substreams_and_the_default_substream)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	uint64_t c[2], page = bench_page(b), ste = bench_ste(b, SID);

	s.cdmax = 4;
	bench_map(&b->s1, VA, page, 12, 0);
	bench_cd(b, bench_stream(b, SID, &s) + 3 * SMMU_CD_SIZE, &s);
	EXPECT_EQ(page, bench_dma_as(b->dev, 3, DMA_PLAIN, VA));
	EXPECT_EQ(BENCH_FAULT, bench_dma_as(b->dev, 4, DMA_PLAIN, VA));
	EXPECT_EQ(EVENT_C_BAD_CD, bench_event_id(b));
	EXPECT_EQ(BENCH_FAULT, bench_dma_as(b->dev, 16, DMA_PLAIN, VA));
	EXPECT_EQ(EVENT_C_BAD_SUBSTREAMID, bench_event_id(b));
	EXPECT_EQ(page, bench_dma_as(b->dev, 0, DMA_PLAIN, VA));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_F_STREAM_DISABLED, bench_event_id(b));

	smmuv3_cmd_cfgi_ste(c, SID, true);
	bench_store(b, ste + 8, STE_S1DSS_SSID0);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	EXPECT_EQ(BENCH_FAULT, bench_dma_as(b->dev, 0, DMA_PLAIN, VA));
	EXPECT_EQ(EVENT_F_STREAM_DISABLED, bench_event_id(b));
	bench_store(b, ste + 8, STE_S1DSS_BYPASS);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page, bench_dma(b->dev, page));
}

static const struct { uint8_t format; unsigned int shift; } cd_formats[] = {
	{ STE_S1FMT_4K, 6 }, { STE_S1FMT_64K, 10 },
};

TEST_F(smmu, cd_tables_of_two_levels_through_stage_2)
{
	struct bench *b = &self->b;

	for (unsigned int i = 0; i < 2; i++) {
		struct bench_stream s = bench_stream_nested(b);
		uint64_t page = bench_page(b), l1 = pages_alloc(&b->pages, 0x10000);
		uint64_t l2 = pages_alloc(&b->pages, 0x10000), c[2], other;
		uint32_t ssid = (2u << cd_formats[i].shift) + 5;

		s.cdmax = 14;
		s.s1fmt = cd_formats[i].format;
		s.cds = BENCH_IPA + l1;
		bench_map(&b->s1, VA, BENCH_IPA + page, 12, 0);
		bench_stream(b, SID, &s);
		smmuv3_cmd_cfgi_ste(c, SID, false);
		EXPECT_TRUE(bench_do(b, c));
		smmuv3_cmd_tlbi_nsnh_all(c);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma_as(b->dev, ssid, DMA_PLAIN, VA));
		EXPECT_EQ(EVENT_C_BAD_SUBSTREAMID, bench_event_id(b));

		/* The level-1 descriptor is cached: a leaf invalidation leaves it. */
		bench_cd(b, l2 + 5 * SMMU_CD_SIZE, &s);
		bench_store(b, l1 + 2 * 8, (BENCH_IPA + l2) | SMMU_L1CD_V);
		smmuv3_cmd_cfgi_cd(c, SID, ssid, true);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma_as(b->dev, ssid, DMA_PLAIN, VA));
		EXPECT_EQ(EVENT_C_BAD_SUBSTREAMID, bench_event_id(b));
		smmuv3_cmd_cfgi_cd(c, SID, ssid, false);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(page, bench_dma_as(b->dev, ssid, DMA_PLAIN, VA));

		/* All CDs of the stream, and what leads to them */
		other = pages_alloc(&b->pages, 0x10000);
		bench_store(b, l1 + 2 * 8, (BENCH_IPA + other) | SMMU_L1CD_V);
		smmuv3_cmd_cfgi_cd_all(c, SID);
		EXPECT_EQ(page, bench_dma_as(b->dev, ssid, DMA_PLAIN, VA));
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma_as(b->dev, ssid, DMA_PLAIN, VA));
		EXPECT_EQ(EVENT_C_BAD_CD, bench_event_id(b));
	}
}

TEST_F(smmu, linear_stream_table)
{
	struct smmuv3_config config = smmuv3_config_full();
	struct bench b;
	uint64_t page;

	config.two_level = false;
	bench_setup(&b, &config);
	struct bench_stream s = bench_stream_s1(&b);
	page = bench_page(&b);
	bench_map(&b.s1, VA, page, 12, 0);
	bench_stream(&b, SID, &s);
	EXPECT_EQ(page, bench_dma(b.dev, VA));
	bench_teardown(&b);
}

/* ---- CFGI ---- */

/* Makes what the stream's table says now visible in the stream's CD of another ASID. */
static void point_cd_to(struct bench *b, uint64_t cds, const struct bench_table *s1, uint16_t asid)
{
	struct bench_stream s = { .s1 = s1, .asid = asid };

	bench_cd(b, cds, &s);
}

TEST_F(smmu, cfgi_cd_hits_its_substream_and_stream)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	struct bench_table next = bench_table(b, 12, 48, false, false);
	uint64_t c[2], page = bench_page(b), other = bench_page(b), cds;

	bench_map(&b->s1, VA, page, 12, 0);
	bench_map(&next, VA, other, 12, 0);
	s.cdmax = 4;
	cds = bench_stream(b, SID, &s);
	bench_cd(b, cds + 2 * SMMU_CD_SIZE, &s);
	EXPECT_EQ(page, bench_dma_as(b->dev, 2, DMA_PLAIN, VA));
	point_cd_to(b, cds + 2 * SMMU_CD_SIZE, &next, OTHER_ASID);
	EXPECT_EQ(page, bench_dma_as(b->dev, 2, DMA_PLAIN, VA));
	smmuv3_cmd_cfgi_cd(c, SID, 0, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page, bench_dma_as(b->dev, 2, DMA_PLAIN, VA));
	smmuv3_cmd_cfgi_cd(c, OTHER_SID, 2, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page, bench_dma_as(b->dev, 2, DMA_PLAIN, VA));
	smmuv3_cmd_cfgi_cd(c, SID, 2, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(other, bench_dma_as(b->dev, 2, DMA_PLAIN, VA));
}

TEST_F(smmu, cfgi_cd_all_hits_every_substream_but_no_translation)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	struct bench_table next = bench_table(b, 12, 48, false, false);
	uint64_t c[2], page = bench_page(b), other = bench_page(b), cds;

	bench_map(&b->s1, VA, page, 12, 0);
	bench_map(&next, VA, other, 12, 0);
	s.cdmax = 4;
	cds = bench_stream(b, SID, &s);
	bench_cd(b, cds + 7 * SMMU_CD_SIZE, &s);
	EXPECT_EQ(page, bench_dma_as(b->dev, 7, DMA_PLAIN, VA));
	point_cd_to(b, cds + 7 * SMMU_CD_SIZE, &next, ASID);
	smmuv3_cmd_cfgi_cd_all(c, SID);
	EXPECT_TRUE(bench_do(b, c));
	/* The same ASID: its translations are still there (4.3.4). */
	EXPECT_EQ(page, bench_dma_as(b->dev, 7, DMA_PLAIN, VA));
	smmuv3_cmd_tlbi_nh_asid(c, VMID, ASID);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(other, bench_dma_as(b->dev, 7, DMA_PLAIN, VA));
}

TEST_F(smmu, cfgi_ste_takes_the_cds_along)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	struct bench_table next = bench_table(b, 12, 48, false, false);
	uint64_t c[2], page = bench_page(b), other = bench_page(b), cds;

	bench_map(&b->s1, VA, page, 12, 0);
	bench_map(&next, VA, other, 12, 0);
	cds = bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	point_cd_to(b, cds, &next, OTHER_ASID);
	smmuv3_cmd_cfgi_ste(c, OTHER_SID, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	smmuv3_cmd_cfgi_ste(c, SID, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(other, bench_dma(b->dev, VA));
}

TEST_F(smmu, cfgi_ste_without_leaf_takes_the_level_1_descriptor)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	uint64_t c[2], page = bench_page(b), l1 = b->l1[0], span = smmu_put(SMMU_L1STD_SPAN, 9);

	bench_map(&b->s1, VA, page, 12, 0);
	bench_stream(b, SID, &s);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	bench_store(b, b->strtab, pages_alloc(&b->pages, SMMU_STE_SIZE << 8) | span);
	smmuv3_cmd_cfgi_ste(c, SID, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	smmuv3_cmd_cfgi_ste(c, SID, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_C_BAD_STE, bench_event_id(b));
	bench_store(b, b->strtab, l1 | span);
	smmuv3_cmd_cfgi_all(c);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(page, bench_dma(b->dev, VA));
}

TEST_F(smmu, cfgi_ste_range_covers_an_aligned_power_of_two)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_s1(b);
	uint64_t c[2], page = bench_page(b);
	static const struct { uint32_t sid; unsigned int range; bool hit; } cases[] = {
		{ 0x10, 2, false }, { 0x10, 3, true }, { 0x1c, 1, false }, { 0x19, 0, true },
		{ 0x1f, 2, true }, { 0x20, 4, false }, { 0x20, 5, true }, { 0, 31, true },
	};

	bench_map(&b->s1, VA, page, 12, 0);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bench_stream(b, SID, &s);
		smmuv3_cmd_cfgi_ste(c, SID, true);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(page, bench_dma(b->dev, VA));
		bench_store(b, bench_ste(b, SID), 0);
		smmuv3_cmd_cfgi_ste_range(c, cases[i].sid, cases[i].range);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(cases[i].hit ? BENCH_FAULT : page, bench_dma(b->dev, VA));
	}
}

NIT_TEST_MAIN
