// SPDX-License-Identifier: GPL-2.0-only
/*
 * ATS invalidation by an SMMUv3 (IHI 0070 3.9.1, 4.5.1), on bare hardware: forms of CMD_ATC_INV,
 * its order with TLB invalidation, time-outs.
 */
#include "bench.h"

FIXTURE(ats) {
	struct bench b;
	struct bench_stream s;
	uint64_t old, new;
};

FIXTURE_VARIANT(ats) {
	bool nested;
	uint32_t ssid;
};

FIXTURE_VARIANT_ADD(ats, stage_1) { false, DMA_NO_PASID };
FIXTURE_VARIANT_ADD(ats, nested) { true, DMA_NO_PASID };
FIXTURE_VARIANT_ADD(ats, stage_1_pasid) { false, 3 };
FIXTURE_VARIANT_ADD(ats, nested_pasid) { true, 3 };

FIXTURE_SETUP(ats)
{
	struct smmuv3_config config = smmuv3_config_full();
	struct bench *b = &self->b;
	uint64_t cds;

	config.atc_timeout = 60;
	bench_setup(b, &config);
	self->s = variant->nested ? bench_stream_nested(b) : bench_stream_s1(b);
	self->s.ste1 = smmu_put(STE1_EATS, STE_EATS_FULL);
	self->s.cdmax = variant->ssid == DMA_NO_PASID ? 0 : 4;
	self->old = bench_page(b);
	self->new = bench_page(b);
	cds = bench_stream(b, SID, &self->s) - (variant->nested ? BENCH_IPA : 0);
	bench_cd(b, cds + (self->s.cdmax ? variant->ssid : 0) * SMMU_CD_SIZE, &self->s);
	endpoint_ats_enable(b->dev, true);
}

FIXTURE_TEARDOWN(ats)
{
	bench_teardown(&self->b);
}

static uint64_t ats_dma(FIXTURE_DATA(ats) *self, const FIXTURE_VARIANT(ats) *variant)
{
	return bench_dma_as(self->b.dev, variant->ssid, DMA_ATS, VA);
}

static void map(FIXTURE_DATA(ats) *self, const FIXTURE_VARIANT(ats) *variant, uint64_t page)
{
	bench_map(&self->b.s1, VA, page + (variant->nested ? BENCH_IPA : 0), 12,
		  page ? 0 : MAP_NONE);
}

static void atc_inv(const FIXTURE_VARIANT(ats) *variant, uint64_t c[2], uint64_t addr,
		    unsigned int size)
{
	if (variant->ssid == DMA_NO_PASID)
		smmuv3_cmd_atc_inv(c, SID, addr, size);
	else
		smmuv3_cmd_atc_inv_ssid(c, SID, variant->ssid, false, addr, size);
}

/* Unmapped, the SMMU's caches clean, the ATC not: as far as the first CMD_SYNC of SMMU-03 */
static void make_stale(struct __test_metadata *_metadata, FIXTURE_DATA(ats) *self,
		       const FIXTURE_VARIANT(ats) *variant)
{
	uint64_t c[2];

	map(self, variant, self->old);
	EXPECT_EQ(self->old, ats_dma(self, variant));
	map(self, variant, 0);
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, true);
	EXPECT_TRUE(bench_do(&self->b, c));
	EXPECT_EQ(self->old, ats_dma(self, variant));
}

TEST_F(ats, tlbi_sync_atc_inv_sync)
{
	uint64_t c[2];

	RULE("SMMU-03");
	make_stale(_metadata, self, variant);
	atc_inv(variant, c, VA, 0);
	EXPECT_TRUE(bench_do(&self->b, c));
	EXPECT_EQ(BENCH_FAULT, ats_dma(self, variant));
	map(self, variant, self->new);
	EXPECT_EQ(self->new, ats_dma(self, variant));
}

/* Why there are two CMD_SYNCs: until the first, old entries answer translation requests. */
TEST_F(ats, a_translation_request_before_the_sync)
{
	uint64_t c[2];

	RULE("SMMU-03");
	map(self, variant, self->old);
	EXPECT_EQ(self->old, ats_dma(self, variant));
	map(self, variant, 0);
	atc_inv(variant, c, VA, 0);
	EXPECT_TRUE(bench_do(&self->b, c));	/* too early, and alone */
	EXPECT_EQ(self->old, ats_dma(self, variant));
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, true);
	EXPECT_TRUE(bench_do(&self->b, c));
	atc_inv(variant, c, VA, 0);
	EXPECT_TRUE(bench_do(&self->b, c));
	EXPECT_EQ(BENCH_FAULT, ats_dma(self, variant));
}

TEST_F(ats, every_size_that_covers_the_page)
{
	static const struct { uint64_t addr; unsigned int size; } spans[] = {
		{ VA, 0 }, { VA + 0x1000, 1 }, { VA + 0x7000, 3 }, { VA + 0x1ff000, 9 },
		{ VA, 18 }, { 0, 19 }, { 0, 51 }, { 0, 52 }, { ~0ull, 52 },
	};
	uint64_t c[2];

	RULE("SMMU-05");
	for (unsigned int i = 0; i < sizeof(spans) / sizeof(*spans); i++) {
		make_stale(_metadata, self, variant);
		atc_inv(variant, c, spans[i].addr, spans[i].size);
		EXPECT_TRUE(bench_do(&self->b, c));
		EXPECT_EQ(BENCH_FAULT, ats_dma(self, variant)) {
			TH_LOG("size %u", spans[i].size);
		}
	}
}

/* Did the function see a request that reads like @text? */
static bool sent(struct machine *machine, const char *text)
{
	uint64_t number = 0;
	char line[200];

	while ((number = hw_trace_read(machine->trace, number, line, sizeof(line))) != UINT64_MAX) {
		if (strstr(line, text))
			return true;
		number++;
	}
	return false;
}

/* The global form covers every PASID of what the function holds as global: no more is owed. */
TEST_F(ats, the_global_form_is_taken)
{
	uint64_t c[2];

	RULE("SMMU-05");
	make_stale(_metadata, self, variant);
	smmuv3_cmd_atc_inv_ssid(c, SID, 3, true, VA, 0);
	EXPECT_TRUE(bench_do(&self->b, c));
	atc_inv(variant, c, VA, 0);
	EXPECT_TRUE(bench_do(&self->b, c));
	EXPECT_EQ(BENCH_FAULT, ats_dma(self, variant));
	EXPECT_TRUE(sent(self->b.machine, "ats invalidate itag 0 pasid 0x3 global 1"));
}

/* Translated requests that used the entry are at memory before the CMD_SYNC completes. */
TEST_F(ats, sync_waits_for_translated_requests)
{
	uint64_t c[2], data = 0;
	struct dma dma = {
		.op = DMA_READ, .address = DMA_ATS, .pasid = variant->ssid, .addr = VA, .len = 8,
		.data = &data,
	};

	RULE("SMMU-02");
	make_stale(_metadata, self, variant);
	EXPECT_EQ(DMA_HELD, endpoint_dma_start(self->b.dev, 1, &dma));
	atc_inv(variant, c, VA, 0);
	bench_put(&self->b, c);
	bench_put_sync(&self->b);
	bench_ring(&self->b);
	for (unsigned int i = 0; i < 30; i++)
		machine_step(self->b.machine);
	EXPECT_FALSE(bench_consumed(&self->b));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->b.dev, 1));
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(self->old, data);
}

/* As many completions as their CC field says, not fewer. */
TEST_F(ats, every_completion_counts)
{
	struct hw_iommu *smmu = self->b.smmu;
	uint64_t c[2];

	RULE("SMMU-02");
	endpoint_behaviour(self->b.dev)->drop_invalidates = true;
	atc_inv(variant, c, VA, 0);
	bench_put(&self->b, c);
	bench_put_sync(&self->b);
	bench_ring(&self->b);
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_FALSE(bench_consumed(&self->b));
		smmu->ops->ats_complete(smmu, SID, 1, 3);
		machine_settle(self->b.machine, 5);
	}
	EXPECT_TRUE(bench_wait(&self->b));
}

static void silent(struct endpoint_behaviour *behaviour) { behaviour->never_complete = true; }
static void deaf(struct endpoint_behaviour *behaviour) { behaviour->drop_invalidates = true; }
static void wrong(struct endpoint_behaviour *behaviour) { behaviour->wrong_itag = true; }
static void slow(struct endpoint_behaviour *behaviour) { behaviour->delay_steps = 500; }

/* CERROR_ATC_INV_SYNC at the CMD_SYNC itself, no signal; another CMD_SYNC goes on from there. */
TEST_F(ats, a_time_out_is_never_a_completion)
{
	void (*const misbehave[])(struct endpoint_behaviour *) = { silent, deaf, wrong, slow };
	struct endpoint_behaviour *behaviour = endpoint_behaviour(self->b.dev);
	struct bench *b = &self->b;
	uint64_t c[2], at, word = pages_alloc(&b->pages, 4096);

	RULE("SMMU-04");
	for (unsigned int i = 0; i < 4; i++) {
		memset(behaviour, 0, sizeof(*behaviour));
		misbehave[i](behaviour);
		bench_store(b, word, 0);
		atc_inv(variant, c, VA, 0);
		bench_put(b, c);
		at = b->prod;
		smmuv3_cmd_sync(c, CMD_SYNC_CS_IRQ, word, 1);
		bench_put(b, c);
		bench_ring(b);
		EXPECT_FALSE(bench_wait(b));
		EXPECT_EQ(SMMU_CERROR_ATC_INV_SYNC, bench_error(b));
		EXPECT_EQ(at, bench_read(b, SMMU_CMDQ_CONS, 4) & 0xfffff);
		EXPECT_EQ(0, bench_load(b, word));
		bench_write(b, SMMU_GERRORN, 4, bench_read(b, SMMU_GERROR, 4));
		EXPECT_TRUE(bench_wait(b));
		EXPECT_EQ(1, bench_load(b, word));
	}
}

/* What else the failed CMD_SYNC was to complete is completed by the next one (4.7.3). */
TEST_F(ats, a_time_out_loses_no_other_command)
{
	struct bench *b = &self->b;
	uint64_t c[2], base = variant->nested ? BENCH_IPA : 0;

	RULE("SMMU-04");
	bench_map(&b->s1, VA + 0x1000, base + self->old, 12, 0);
	EXPECT_EQ(self->old, bench_dma_as(b->dev, variant->ssid, DMA_PLAIN, VA + 0x1000));
	bench_map(&b->s1, VA + 0x1000, base + self->old, 12, MAP_NONE);
	EXPECT_EQ(self->old, bench_dma_as(b->dev, variant->ssid, DMA_PLAIN, VA + 0x1000));
	endpoint_behaviour(b->dev)->never_complete = true;
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA + 0x1000, true);
	bench_put(b, c);
	atc_inv(variant, c, VA, 0);
	EXPECT_FALSE(bench_do(b, c));
	EXPECT_EQ(SMMU_CERROR_ATC_INV_SYNC, bench_error(b));
	bench_write(b, SMMU_GERRORN, 4, bench_read(b, SMMU_GERROR, 4));
	EXPECT_TRUE(bench_wait(b));
	EXPECT_EQ(BENCH_FAULT, bench_dma_as(b->dev, variant->ssid, DMA_PLAIN, VA + 0x1000));
}

TEST_F(ats, ignored_while_translation_is_off)
{
	uint64_t c[2];

	RULE("SMMU-05");
	endpoint_behaviour(self->b.dev)->never_complete = true;
	bench_write(&self->b, SMMU_CR0, 4, SMMU_CR0_CMDQEN);
	atc_inv(variant, c, VA, 0);
	EXPECT_TRUE(bench_do(&self->b, c));
}

TEST_F(ats, without_eats_nothing_is_translated)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-03");
	map(self, variant, self->old);
	self->s.ste1 = 0;
	bench_stream(b, SID, &self->s);
	smmuv3_cmd_cfgi_ste(c, SID, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(-EIO, endpoint_prefetch(b->dev, variant->ssid, VA, HW_READ));
	EXPECT_EQ(EVENT_F_BAD_ATS_TREQ, bench_event_id(b));
	EXPECT_EQ(BENCH_FAULT, bench_dma_as(b->dev, variant->ssid, DMA_RAW, self->old));
	EXPECT_EQ(EVENT_F_TRANSL_FORBIDDEN, bench_event_id(b));
}

NIT_TEST_MAIN
