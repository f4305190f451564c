// SPDX-License-Identifier: GPL-2.0-only
/* ATS and PRI of the reference SMMUv3 */
#include "../../suites/arm/bench.h"

static struct dma read_of(uint64_t addr, uint64_t *data)
{
	return (struct dma){
		.op = DMA_READ, .pasid = DMA_NO_PASID, .addr = addr, .len = 8, .data = data,
	};
}

/* ---- ATS ---- */

FIXTURE(ats) {
	struct bench b;
	struct bench_stream s;
	uint64_t page, other;
};

FIXTURE_VARIANT(ats) {
	bool nested;
};

FIXTURE_VARIANT_ADD(ats, stage_1) { false };
FIXTURE_VARIANT_ADD(ats, nested) { true };

FIXTURE_SETUP(ats)
{
	struct smmuv3_config config = smmuv3_config_full();
	struct bench *b = &self->b;

	config.atc_timeout = 50;
	bench_setup(b, &config);
	self->s = variant->nested ? bench_stream_nested(b) : bench_stream_s1(b);
	self->s.ste1 = smmu_put(STE1_EATS, STE_EATS_FULL);
	self->page = bench_page(b);
	self->other = bench_page(b);
	bench_map(&b->s1, VA, self->page + (variant->nested ? BENCH_IPA : 0), 12, 0);
	bench_stream(b, SID, &self->s);
	endpoint_ats_enable(b->dev, true);
	endpoint_ats_enable(b->other, true);
}

FIXTURE_TEARDOWN(ats)
{
	bench_teardown(&self->b);
}

/* The IOTLB is clean of VA, the ATC is not */
static void remap(struct bench *b, uint64_t page)
{
	uint64_t c[2];

	bench_map(&b->s1, VA, page + (b->s1.ipa ? BENCH_IPA : 0), 12, 0);
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, true);
	bench_do(b, c);
}

TEST_F(ats, invalidations_reach_the_atc)
{
	struct bench *b = &self->b;
	uint64_t c[2];
	static const struct { uint64_t addr; unsigned int size; bool hits; } cases[] = {
		{ VA, 0, true }, { VA + 0x1000, 0, false }, { VA + 0x1000, 1, true },
		{ VA + 0x4000, 2, false }, { VA + 0x7000, 3, true }, { 0, 52, true },
		{ 0, 18, false }, { 0, 19, true },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		remap(b, self->page);
		smmuv3_cmd_atc_inv(c, SID, 0, CMD_ATC_SIZE_ALL);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(self->page, bench_ats(b->dev, VA));
		remap(b, self->other);
		EXPECT_EQ(self->page, bench_ats(b->dev, VA));
		smmuv3_cmd_atc_inv(c, OTHER_SID, cases[i].addr, cases[i].size);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(self->page, bench_ats(b->dev, VA));
		smmuv3_cmd_atc_inv(c, SID, cases[i].addr, cases[i].size);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(cases[i].hits ? self->other : self->page, bench_ats(b->dev, VA));
	}
}

/* An ATS request is answered from the IOTLB: first TLBI, SYNC, then ATC_INV (3.9.1). */
TEST_F(ats, a_stale_iotlb_refills_the_atc)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	EXPECT_EQ(self->page, bench_ats(b->dev, VA));
	bench_map(&b->s1, VA, self->other + (variant->nested ? BENCH_IPA : 0), 12, 0);
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, true);
	bench_put(b, c);
	smmuv3_cmd_atc_inv(c, SID, VA, 0);
	bench_put(b, c);
	bench_put_sync(b);
	bench_ring(b);
	while (endpoint_atc_count(b->dev))
		endpoint_step(b->dev);
	EXPECT_EQ(self->page, bench_ats(b->dev, VA));
	EXPECT_TRUE(bench_wait(b));
	EXPECT_EQ(self->page, bench_ats(b->dev, VA));
	smmuv3_cmd_atc_inv(c, SID, VA, 0);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(self->other, bench_ats(b->dev, VA));
}

TEST_F(ats, sync_waits_for_the_completion)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	EXPECT_EQ(self->page, bench_ats(b->dev, VA));
	endpoint_behaviour(b->dev)->delay_steps = 20;
	smmuv3_cmd_atc_inv(c, SID, VA, 0);
	bench_put(b, c);
	bench_put_sync(b);
	bench_ring(b);
	for (unsigned int i = 0; i < 10; i++) {
		EXPECT_FALSE(bench_consumed(b));
		machine_step(b->machine);
	}
	EXPECT_EQ(1, endpoint_atc_count(b->dev));
	EXPECT_TRUE(bench_wait(b));
	EXPECT_EQ(0, endpoint_atc_count(b->dev));
}

TEST_F(ats, more_invalidations_than_itags)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	EXPECT_EQ(self->page, bench_ats(b->dev, VA));
	endpoint_behaviour(b->dev)->delay_steps = 3;
	for (unsigned int i = 0; i < 100; i++) {
		smmuv3_cmd_atc_inv(c, SID, VA + (99 - i) * 0x1000, 0);
		bench_put(b, c);
	}
	EXPECT_TRUE(bench_sync(b));
	EXPECT_EQ(0, endpoint_atc_count(b->dev));
}

static void set_silent(struct endpoint_behaviour *behaviour) { behaviour->never_complete = true; }
static void set_deaf(struct endpoint_behaviour *behaviour) { behaviour->drop_invalidates = true; }
static void set_wrong(struct endpoint_behaviour *behaviour) { behaviour->wrong_itag = true; }
static void set_short(struct endpoint_behaviour *behaviour) { behaviour->short_count = true; }

/* Nothing is reported done, and the next CMD_SYNC is a new one (4.7.3). */
TEST_F(ats, a_time_out_fails_the_sync)
{
	void (*const misbehave[])(struct endpoint_behaviour *) = {
		set_silent, set_deaf, set_wrong, set_short,
	};
	struct bench *b = &self->b;
	uint64_t c[2], at;

	for (unsigned int i = 0; i < 4; i++) {
		struct endpoint_behaviour *behaviour = endpoint_behaviour(b->dev);

		memset(behaviour, 0, sizeof(*behaviour));
		misbehave[i](behaviour);
		b->msis = 0;
		smmuv3_cmd_atc_inv(c, SID, VA, 0);
		bench_put(b, c);
		at = b->prod;
		smmuv3_cmd_sync(c, CMD_SYNC_CS_IRQ, BENCH_MSI, 1);
		bench_put(b, c);
		smmuv3_cmd_sync(c, CMD_SYNC_CS_IRQ, BENCH_MSI, 2);
		bench_put(b, c);
		bench_ring(b);
		EXPECT_FALSE(bench_wait(b));
		EXPECT_EQ(SMMU_CERROR_ATC_INV_SYNC, bench_error(b)) {
			TH_LOG("misbehaviour %u", i);
		}
		EXPECT_EQ(at, bench_read(b, SMMU_CMDQ_CONS, 4) & 0xfffff);
		EXPECT_EQ(0, b->msis);
		bench_write(b, SMMU_GERRORN, 4, bench_read(b, SMMU_GERROR, 4));
		EXPECT_TRUE(bench_wait(b));
		machine_settle(b->machine, 10);
		EXPECT_EQ(2, b->msis);
	}
}

TEST_F(ats, the_pasid_and_global_forms)
{
	struct bench *b = &self->b;
	struct bench_stream s = self->s;
	uint64_t c[2], cds;

	s.cdmax = 4;
	cds = bench_stream(b, SID, &s);
	bench_cd(b, cds - (variant->nested ? BENCH_IPA : 0) + 2 * SMMU_CD_SIZE, &s);
	smmuv3_cmd_cfgi_ste(c, SID, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(self->page, bench_dma_as(b->dev, 2, DMA_ATS, VA));
	remap(b, self->other);
	EXPECT_EQ(self->page, bench_dma_as(b->dev, 2, DMA_ATS, VA));
	smmuv3_cmd_atc_inv_ssid(c, SID, 3, false, VA, 0);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(self->page, bench_dma_as(b->dev, 2, DMA_ATS, VA));
	smmuv3_cmd_atc_inv_ssid(c, SID, 2, false, VA, 0);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(self->other, bench_dma_as(b->dev, 2, DMA_ATS, VA));
	remap(b, self->page);
	smmuv3_cmd_atc_inv_ssid(c, SID, 3, true, VA, 0);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(self->page, bench_dma_as(b->dev, 2, DMA_ATS, VA));
}

TEST_F(ats, requests_are_answered_only_where_eats_allows)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	EXPECT_EQ(0, endpoint_prefetch(b->dev, DMA_NO_PASID, VA, HW_READ));
	EXPECT_EQ(-EACCES, endpoint_prefetch(b->dev, DMA_NO_PASID, VA + 0x100000, HW_READ));
	EXPECT_EQ(0, bench_event_id(b));
	self->s.ste1 = 0;
	bench_stream(b, SID, &self->s);
	smmuv3_cmd_cfgi_ste(c, SID, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(-EIO, endpoint_prefetch(b->dev, DMA_NO_PASID, VA + 0x1000, HW_READ));
	EXPECT_EQ(EVENT_F_BAD_ATS_TREQ, bench_event_id(b));
	/* Translated requests are checked too. */
	EXPECT_EQ(BENCH_FAULT, bench_dma_as(b->dev, DMA_NO_PASID, DMA_RAW, self->page));
	EXPECT_EQ(EVENT_F_TRANSL_FORBIDDEN, bench_event_id(b));
	bench_write(b, SMMU_CR0, 4, bench_read(b, SMMU_CR0, 4) & ~SMMU_CR0_ATSCHK);
	EXPECT_EQ(self->page, bench_dma_as(b->dev, DMA_NO_PASID, DMA_RAW, self->page));
	bench_write(b, SMMU_CR0, 4, 0);
	EXPECT_EQ(BENCH_FAULT, bench_dma_as(b->dev, DMA_NO_PASID, DMA_RAW, self->page));
}

TEST_F(ats, a_missing_function_completes)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	smmuv3_cmd_atc_inv(c, 0x99, VA, 0);
	EXPECT_TRUE(bench_do(b, c));
	endpoint_behaviour(b->dev)->never_complete = true;
	bench_write(b, SMMU_CR0, 4, SMMU_CR0_CMDQEN);
	smmuv3_cmd_atc_inv(c, SID, VA, 0);
	EXPECT_TRUE(bench_do(b, c));	/* ignored while SMMUEN == 0 */
}

TEST(ats_completions_are_counted)
{
	struct endpoint_config config = { .rid = 0x40, .ats = true, .completions = 3 };
	struct bench b;
	uint64_t c[2];

	bench_setup(&b, NULL);
	struct bench_stream s = bench_stream_s1(&b);
	struct endpoint *dev = endpoint_create(b.machine, b.smmu, &config);

	s.ste1 = smmu_put(STE1_EATS, STE_EATS_FULL);
	bench_stream(&b, 0x40, &s);
	endpoint_ats_enable(dev, true);
	smmuv3_cmd_atc_inv(c, 0x40, VA, 0);
	EXPECT_TRUE(bench_do(&b, c));
	/* One of three is none. */
	b.smmu->ops->ats_complete(b.smmu, 0x40, 1, 3);
	endpoint_behaviour(dev)->drop_invalidates = true;
	bench_put(&b, c);
	bench_put_sync(&b);
	bench_ring(&b);
	b.smmu->ops->ats_complete(b.smmu, 0x40, 1, 3);
	b.smmu->ops->ats_complete(b.smmu, 0x40, 2, 3);
	machine_settle(b.machine, 10);
	EXPECT_FALSE(bench_consumed(&b));
	b.smmu->ops->ats_complete(b.smmu, 0x40, 1, 3);
	machine_settle(b.machine, 10);
	EXPECT_FALSE(bench_consumed(&b));
	b.smmu->ops->ats_complete(b.smmu, 0x40, 1, 3);
	EXPECT_TRUE(bench_wait(&b));
	bench_teardown(&b);
}

TEST(split_stage_ats_caches_ipas)
{
	struct smmuv3_config config = smmuv3_config_full();
	struct bench b;
	uint64_t c[2], page, other, ipa = 0x7000000000;

	config.split_ats = true;
	bench_setup(&b, &config);
	struct bench_stream s = bench_stream_nested(&b);

	s.ste1 = smmu_put(STE1_EATS, STE_EATS_SPLIT);
	bench_stream(&b, SID, &s);
	endpoint_ats_enable(b.dev, true);
	page = bench_page(&b);
	other = bench_page(&b);
	bench_map(&b.s1, VA, ipa, 12, 0);
	bench_map(&b.s2, ipa, page, 12, 0);
	EXPECT_EQ(page, bench_ats(b.dev, VA));
	bench_map(&b.s2, ipa, other, 12, 0);
	EXPECT_EQ(page, bench_ats(b.dev, VA));
	smmuv3_cmd_tlbi_s2_ipa(c, VMID, ipa, true);
	EXPECT_TRUE(bench_do(&b, c));
	EXPECT_EQ(other, bench_ats(b.dev, VA));
	EXPECT_EQ(BENCH_FAULT, bench_dma_as(b.dev, DMA_NO_PASID, DMA_RAW, page));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(&b));
	bench_teardown(&b);
}

TEST_F(ats, a_clean_page_is_granted_for_writing_only_if_asked)
{
	struct bench *b = &self->b;
	uint64_t entry, c[2], data = 1;
	struct dma dma = read_of(VA + 0x1000, &data);

	self->s.cd0 = CD0_HA | CD0_HD;
	bench_map(&b->s1, VA + 0x1000, self->page + (variant->nested ? BENCH_IPA : 0), 12,
		  MAP_NO_AF | MAP_DBM);
	entry = bench_entry(&b->s1, VA + 0x1000, 3);
	bench_stream(b, SID, &self->s);
	smmuv3_cmd_cfgi_ste(c, SID, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(self->page, bench_ats(b->dev, VA + 0x1000));
	EXPECT_EQ(LPAE_AF | LPAE_AP_RO, bench_load(b, entry) & (LPAE_AF | LPAE_AP_RO));
	dma.op = DMA_WRITE;
	dma.address = DMA_ATS;
	EXPECT_EQ(DMA_DONE, endpoint_dma(b->dev, 0, &dma));
	EXPECT_EQ(LPAE_AF, bench_load(b, entry) & (LPAE_AF | LPAE_AP_RO));
}

/* ---- PRI ---- */

FIXTURE(pri) {
	struct bench b;
};

FIXTURE_SETUP(pri)
{
	struct bench *b = &self->b;
	struct bench_stream s;

	bench_setup(b, NULL);
	s = bench_stream_s1(b);
	bench_stream(b, SID, &s);
	endpoint_ats_enable(b->dev, true);
	endpoint_pri_enable(b->dev, true);
}

FIXTURE_TEARDOWN(pri)
{
	bench_teardown(&self->b);
}

static struct hw_page_request page_request(uint16_t index, uint32_t pasid)
{
	return (struct hw_page_request){
		.has_pasid = pasid != DMA_NO_PASID, .pasid = pasid == DMA_NO_PASID ? 0 : pasid,
		.addr = VA, .index = index, .last = true, .access = HW_READ | HW_WRITE,
	};
}

TEST_F(pri, requests_are_recorded_and_answered)
{
	struct bench *b = &self->b;
	struct hw_page_request request = page_request(9, 2);
	static const struct { unsigned int resp; int code; } answers[] = {
		{ CMD_PRI_RESP_SUCCESS, 0 }, { CMD_PRI_RESP_INVALID, 1 },
		{ CMD_PRI_RESP_FAILURE, 0xf },
	};
	uint64_t c[2];

	bench_write(b, SMMU_PRIQ_IRQ_CFG0, 8, BENCH_MSI);
	bench_write(b, SMMU_IRQ_CTRL, 4, SMMU_IRQ_CTRL_PRIQ);
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQ(0, endpoint_page_request(b->dev, &request));
		EXPECT_EQ(SID | smmu_put(PRI0_SSID, 2) | PRI0_SSV | PRI0_READ | PRI0_WRITE |
			  PRI0_LAST, bench_load(b, b->priq + i * 16));
		EXPECT_EQ(VA | 9, bench_load(b, b->priq + i * 16 + 8));
		EXPECT_EQ(i + 1, bench_read(b, SMMU_PRIQ_PROD, 4));
		bench_write(b, SMMU_PRIQ_CONS, 4, i + 1);
		smmuv3_cmd_pri_resp(c, SID, 9, answers[i].resp);
		smmuv3_cmd_ssid(c, 2);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(answers[i].code, endpoint_prg_answer(b->dev, 9));
	}
	machine_settle(b->machine, 10);
	EXPECT_EQ(3, b->msis);
}

TEST_F(pri, an_overflow_is_flagged_and_answered_with_success)
{
	struct bench *b = &self->b;
	struct hw_page_request request;
	unsigned int i;

	for (i = 0; i < 1 << PRIQ_LOG2; i++) {
		request = page_request(i, DMA_NO_PASID);
		EXPECT_EQ(0, endpoint_page_request(b->dev, &request));
	}
	EXPECT_EQ(0, bench_read(b, SMMU_PRIQ_PROD, 4) & SMMU_Q_OVFLG);
	request = page_request(i, DMA_NO_PASID);
	EXPECT_EQ(0, endpoint_page_request(b->dev, &request));
	EXPECT_NE(0, bench_read(b, SMMU_PRIQ_PROD, 4) & SMMU_Q_OVFLG);
	machine_settle(b->machine, 10);
	EXPECT_EQ(0, endpoint_prg_answer(b->dev, i));
	EXPECT_EQ(-EAGAIN, endpoint_prg_answer(b->dev, 0));
	/* Room alone does not end it, the acknowledgement does. */
	bench_write(b, SMMU_PRIQ_CONS, 4, 1 << PRIQ_LOG2);
	EXPECT_EQ(0, endpoint_page_request(b->dev, &request));
	machine_settle(b->machine, 10);
	EXPECT_EQ(0, endpoint_prg_answer(b->dev, i));
	bench_write(b, SMMU_PRIQ_CONS, 4, 1 << PRIQ_LOG2 | SMMU_Q_OVFLG);
	EXPECT_EQ(0, endpoint_page_request(b->dev, &request));
	machine_settle(b->machine, 10);
	EXPECT_EQ(-EAGAIN, endpoint_prg_answer(b->dev, i));
}

TEST_F(pri, off_answers_with_failure)
{
	struct bench *b = &self->b;
	struct hw_page_request request = page_request(1, DMA_NO_PASID);

	bench_write(b, SMMU_CR0, 4, SMMU_CR0_SMMUEN | SMMU_CR0_CMDQEN);
	EXPECT_EQ(0, endpoint_page_request(b->dev, &request));
	machine_settle(b->machine, 10);
	EXPECT_EQ(0xf, endpoint_prg_answer(b->dev, 1));
	EXPECT_EQ(0, bench_read(b, SMMU_PRIQ_PROD, 4));
}

NIT_TEST_MAIN
