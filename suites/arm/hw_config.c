// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each configuration invalidation of an SMMUv3 owes (IHI 0070 4.3), on bare hardware: stream
 * table entries, context descriptors and what leads to them.
 */
#include "bench.h"

FIXTURE(config) {
	struct bench b;
	struct bench_stream s;
	struct bench_table next;	/* maps VA to @new */
	uint64_t old, new;
	uint64_t cds;			/* in memory */
};

/** @cds: log2 of the CDs; @ssid: the one that is used, DMA_NO_PASID: the only one */
FIXTURE_VARIANT(config) {
	bool nested;
	uint8_t cdmax;
	uint32_t ssid;
};

FIXTURE_VARIANT_ADD(config, stage_1) { false, 0, DMA_NO_PASID };
FIXTURE_VARIANT_ADD(config, nested) { true, 0, DMA_NO_PASID };
FIXTURE_VARIANT_ADD(config, stage_1_substream) { false, 6, 5 };
FIXTURE_VARIANT_ADD(config, nested_last_substream) { true, 6, 63 };

FIXTURE_SETUP(config)
{
	struct bench *b = &self->b;
	uint64_t base = variant->nested ? BENCH_IPA : 0;

	bench_setup(b, NULL);
	self->s = variant->nested ? bench_stream_nested(b) : bench_stream_s1(b);
	self->s.cdmax = variant->cdmax;
	self->next = bench_table(b, 12, 48, false, variant->nested);
	self->old = bench_page(b);
	self->new = bench_page(b);
	bench_map(&b->s1, VA, base + self->old, 12, 0);
	bench_map(&self->next, VA, base + self->new, 12, 0);
	self->cds = bench_stream(b, SID, &self->s) - base;
	if (variant->ssid != DMA_NO_PASID)
		bench_cd(b, self->cds + variant->ssid * SMMU_CD_SIZE, &self->s);
}

FIXTURE_TEARDOWN(config)
{
	bench_teardown(&self->b);
}

static uint64_t dma(FIXTURE_DATA(config) *self, const FIXTURE_VARIANT(config) *variant)
{
	return bench_dma_as(self->b.dev, variant->ssid, DMA_PLAIN, VA);
}

/* The CD points to another table, with an ASID that nothing is cached for. */
static void change_cd(struct __test_metadata *_metadata, FIXTURE_DATA(config) *self,
		      const FIXTURE_VARIANT(config) *variant, bool to_next)
{
	uint32_t index = variant->ssid == DMA_NO_PASID ? 0 : variant->ssid;
	struct bench_stream s = self->s;

	s.s1 = to_next ? &self->next : &self->b.s1;
	s.asid = to_next ? OTHER_ASID : ASID;
	bench_cd(&self->b, self->cds + index * SMMU_CD_SIZE, &s);
}

TEST_F(config, a_cd_change_is_seen_after_each_form)
{
	uint32_t ssid = variant->ssid == DMA_NO_PASID ? 0 : variant->ssid;
	uint64_t c[7][2];

	RULE("SMMU-08");
	smmuv3_cmd_cfgi_cd(c[0], SID, ssid, true);
	smmuv3_cmd_cfgi_cd(c[1], SID, ssid, false);
	smmuv3_cmd_cfgi_cd_all(c[2], SID);
	smmuv3_cmd_cfgi_ste(c[3], SID, true);
	smmuv3_cmd_cfgi_ste_range(c[4], SID | 7, 2);
	smmuv3_cmd_cfgi_ste_range(c[5], 0, 8);
	smmuv3_cmd_cfgi_all(c[6]);
	for (unsigned int i = 0; i < 7; i++) {
		bool to_next = !(i & 1);

		EXPECT_EQ(to_next ? self->old : self->new, dma(self, variant));
		change_cd(_metadata, self, variant, to_next);
		EXPECT_EQ(to_next ? self->old : self->new, dma(self, variant));
		EXPECT_TRUE(bench_do(&self->b, c[i]));
		EXPECT_EQ(to_next ? self->new : self->old, dma(self, variant));
	}
}

/* CFGI does not stand for TLBI: with the ASID kept, translations go by ASID (4.3.4). */
TEST_F(config, a_cd_change_that_keeps_the_asid)
{
	struct bench_stream s = self->s;
	uint64_t c[2];

	RULE("SMMU-08");
	EXPECT_EQ(self->old, dma(self, variant));
	s.s1 = &self->next;
	bench_cd(&self->b, self->cds + (variant->ssid == DMA_NO_PASID ? 0 : variant->ssid) *
		 SMMU_CD_SIZE, &s);
	smmuv3_cmd_cfgi_cd_all(c, SID);
	EXPECT_TRUE(bench_do(&self->b, c));
	smmuv3_cmd_tlbi_nh_asid(c, VMID, ASID);
	EXPECT_TRUE(bench_do(&self->b, c));
	EXPECT_EQ(self->new, dma(self, variant));
}

TEST_F(config, an_ste_is_taken_away)
{
	struct bench *b = &self->b;
	uint64_t c[4][2], v = bench_load(b, bench_ste(b, SID));

	RULE("SMMU-08");
	smmuv3_cmd_cfgi_ste(c[0], SID, true);
	smmuv3_cmd_cfgi_ste(c[1], SID, false);
	smmuv3_cmd_cfgi_ste_range(c[2], SID & ~1u, 0);
	smmuv3_cmd_cfgi_all(c[3]);
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT_EQ(self->old, dma(self, variant));
		bench_store(b, bench_ste(b, SID), v & ~STE0_V);
		EXPECT_EQ(self->old, dma(self, variant));
		EXPECT_TRUE(bench_do(b, c[i]));
		EXPECT_EQ(BENCH_FAULT, dma(self, variant));
		EXPECT_EQ(EVENT_C_BAD_STE, bench_event_id(b));
		/* That it is invalid may be cached too. */
		bench_store(b, bench_ste(b, SID), v);
		EXPECT_TRUE(bench_do(b, c[i]));
	}
}

/* A shared CD table is cached for each StreamID that found it (4.3.3). */
TEST_F(config, a_cd_shared_by_two_streams)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-08");
	self->s.cds = self->cds + (variant->nested ? BENCH_IPA : 0);
	bench_stream(b, OTHER_SID, &self->s);
	EXPECT_EQ(self->old, dma(self, variant));
	EXPECT_EQ(self->old, bench_dma_as(b->other, variant->ssid, DMA_PLAIN, VA));
	change_cd(_metadata, self, variant, true);
	for (unsigned int i = 0; i < 2; i++) {
		smmuv3_cmd_cfgi_cd(c, i ? OTHER_SID : SID,
				   variant->ssid == DMA_NO_PASID ? 0 : variant->ssid, true);
		EXPECT_TRUE(bench_do(b, c));
	}
	EXPECT_EQ(self->new, dma(self, variant));
	EXPECT_EQ(self->new, bench_dma_as(b->other, variant->ssid, DMA_PLAIN, VA));
}

TEST(a_level_1_stream_table_descriptor_is_cleared)
{
	uint64_t c[2], page, l1std;
	struct bench b;

	RULE("SMMU-08");
	bench_setup(&b, NULL);
	struct bench_stream s = bench_stream_s1(&b);

	page = bench_page(&b);
	bench_map(&b.s1, VA, page, 12, 0);
	bench_stream(&b, SID, &s);
	EXPECT_EQ(page, bench_dma(b.dev, VA));
	l1std = bench_load(&b, b.strtab);
	bench_store(&b, b.strtab, 0);
	EXPECT_EQ(page, bench_dma(b.dev, VA));
	smmuv3_cmd_cfgi_ste(c, SID, false);
	EXPECT_TRUE(bench_do(&b, c));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b.dev, VA));
	EXPECT_EQ(EVENT_C_BAD_STREAMID, bench_event_id(&b));
	bench_store(&b, b.strtab, l1std);
	EXPECT_TRUE(bench_do(&b, c));
	EXPECT_EQ(page, bench_dma(b.dev, VA));
	bench_teardown(&b);
}

TEST(a_level_1_cd_table_descriptor_is_cleared)
{
	uint64_t c[2], page, l1, l1cd;
	struct bench b;

	RULE("SMMU-08");
	bench_setup(&b, NULL);
	struct bench_stream s = bench_stream_s1(&b);

	page = bench_page(&b);
	l1 = pages_alloc(&b.pages, 4096);
	s.cds = l1;
	s.cdmax = 12;
	s.s1fmt = STE_S1FMT_4K;
	bench_map(&b.s1, VA, page, 12, 0);
	bench_store(&b, l1 + 8, pages_alloc(&b.pages, 4096) | SMMU_L1CD_V);
	bench_cd(&b, bench_load(&b, l1 + 8) & SMMU_L1CD_L2PTR, &s);
	bench_stream(&b, SID, &s);
	EXPECT_EQ(page, bench_dma_as(b.dev, 64, DMA_PLAIN, VA));
	l1cd = bench_load(&b, l1 + 8);
	for (unsigned int all = 0; all < 2; all++) {
		bench_store(&b, l1 + 8, 0);
		EXPECT_EQ(page, bench_dma_as(b.dev, 64, DMA_PLAIN, VA));
		if (all)
			smmuv3_cmd_cfgi_cd_all(c, SID);
		else
			smmuv3_cmd_cfgi_cd(c, SID, 64, false);
		EXPECT_TRUE(bench_do(&b, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma_as(b.dev, 64, DMA_PLAIN, VA));
		EXPECT_EQ(EVENT_C_BAD_SUBSTREAMID, bench_event_id(&b));
		bench_store(&b, l1 + 8, l1cd);
		EXPECT_TRUE(bench_do(&b, c));
		EXPECT_EQ(page, bench_dma_as(b.dev, 64, DMA_PLAIN, VA));
	}
	bench_teardown(&b);
}

NIT_TEST_MAIN
