// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an SMMUv3 tells software, and what software answers (IHI 0070 3.12, 3.13, chapters 7 and 8),
 * on bare hardware: events, stalled requests, page requests, access and dirty state.
 */
#include "bench.h"

FIXTURE(told) {
	struct bench b;
	struct bench_stream s;
	uint64_t page;
	uint64_t data;
	struct dma dma;
};

FIXTURE_SETUP(told)
{
	struct bench *b = &self->b;

	bench_setup(b, NULL);
	self->s = bench_stream_s1(b);
	self->page = bench_page(b);
	self->dma = (struct dma){
		.op = DMA_READ, .pasid = DMA_NO_PASID, .addr = VA, .len = 8, .data = &self->data,
	};
}

FIXTURE_TEARDOWN(told)
{
	bench_teardown(&self->b);
}

/* ---- Events ---- */

TEST_F(told, an_event_that_is_lost_flags_the_overflow)
{
	struct bench *b = &self->b;

	RULE("SMMU-13");
	bench_stream(b, SID, &self->s);
	for (unsigned int i = 0; i < 1 << EVENTQ_LOG2; i++)
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA + i * 0x1000));
	EXPECT_EQ(0, bench_read(b, SMMU_EVENTQ_PROD, 4) & SMMU_Q_OVFLG);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_NE(0, bench_read(b, SMMU_EVENTQ_PROD, 4) & SMMU_Q_OVFLG);
	for (unsigned int i = 0; i < 1 << EVENTQ_LOG2; i++)
		EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
}

TEST_F(told, events_do_not_merge_unless_allowed)
{
	struct bench *b = &self->b;

	RULE("SMMU-13");
	bench_stream(b, SID, &self->s);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
}

/* ---- Stalls ---- */

/* A DMA that stalls; returns its STAG */
static unsigned int stalled(struct __test_metadata *_metadata, FIXTURE_DATA(told) *self)
{
	uint64_t words[4] = { 0 };

	self->s.cd0 = CD0_S;
	bench_stream(&self->b, SID, &self->s);
	EXPECT_EQ(DMA_STALLED, endpoint_dma(self->b.dev, 0, &self->dma));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event(&self->b, words));
	EXPECT_NE(0, words[1] & EVENT1_STALL);
	return smmu_get(EVENT1_STAG, words[1]);
}

TEST_F(told, a_stalled_request_is_retried_when_resumed)
{
	struct bench *b = &self->b;
	unsigned int stag = stalled(_metadata, self);
	uint64_t c[2];

	RULE("SMMU-14");
	bench_map(&b->s1, VA, self->page, 12, 0);
	smmuv3_cmd_resume(c, OTHER_SID, stag, true, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(DMA_STALLED, endpoint_dma_finish(b->dev, 0));
	smmuv3_cmd_resume(c, SID, stag, true, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->dev, 0));
	EXPECT_EQ(self->page, self->data);
}

TEST_F(told, a_stalled_request_is_terminated_when_told)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-14");
	for (unsigned int all = 0; all < 2; all++) {
		unsigned int stag = stalled(_metadata, self);

		if (all)
			smmuv3_cmd_stall_term(c, SID);
		else
			smmuv3_cmd_resume(c, SID, stag, false, true);
		EXPECT_TRUE(bench_do(b, c));
		EXPECT_EQ(DMA_ABORTED, endpoint_dma_finish(b->dev, 0));
	}
}

/* ---- Page requests ---- */

static void page_request(struct __test_metadata *_metadata, struct bench *b, uint16_t index)
{
	struct hw_page_request request = {
		.addr = VA, .index = index, .last = true, .access = HW_READ,
	};

	EXPECT_EQ(0, endpoint_page_request(b->dev, &request));
}

TEST_F(told, a_page_request_is_answered)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-15");
	bench_stream(b, SID, &self->s);
	endpoint_ats_enable(b->dev, true);
	endpoint_pri_enable(b->dev, true);
	page_request(_metadata, b, 3);
	EXPECT_EQ(VA | 3, bench_load(b, b->priq + 8));
	smmuv3_cmd_pri_resp(c, SID, 3, CMD_PRI_RESP_INVALID);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(1, endpoint_prg_answer(b->dev, 3));
}

TEST_F(told, a_page_request_that_finds_no_room_is_answered_by_hardware)
{
	struct bench *b = &self->b;

	RULE("SMMU-15");
	bench_stream(b, SID, &self->s);
	endpoint_ats_enable(b->dev, true);
	endpoint_pri_enable(b->dev, true);
	for (unsigned int i = 0; i <= 1 << PRIQ_LOG2; i++)
		page_request(_metadata, b, i);
	EXPECT_NE(0, bench_read(b, SMMU_PRIQ_PROD, 4) & SMMU_Q_OVFLG);
	machine_settle(b->machine, 20);
	EXPECT_EQ(0, endpoint_prg_answer(b->dev, 1 << PRIQ_LOG2));
}

/* ---- Access and dirty state ---- */

TEST_F(told, flags_of_stage_1_are_set)
{
	struct bench *b = &self->b;
	uint64_t entry;

	RULE("SMMU-16");
	self->s.cd0 = CD0_HA | CD0_HD;
	bench_map(&b->s1, VA, self->page, 12, MAP_NO_AF | MAP_DBM);
	entry = bench_entry(&b->s1, VA, 3);
	bench_stream(b, SID, &self->s);
	EXPECT_EQ(self->page, bench_dma(b->dev, VA));
	EXPECT_NE(0, bench_load(b, entry) & LPAE_AF);
	EXPECT_NE(0, bench_load(b, entry) & LPAE_AP_RO);
	EXPECT_TRUE(bench_dma_writes(b->dev, VA));
	EXPECT_EQ(0, bench_load(b, entry) & LPAE_AP_RO);
}

/* Software makes the page clean again: after the invalidation a write is seen again. */
TEST_F(told, flags_of_stage_2_are_set_again_after_an_invalidation)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_nested(b);
	uint64_t entry, c[2], ipa = 0x7000000000;

	RULE("SMMU-16");
	s.ste2 = STE2_S2HA | STE2_S2HD;
	bench_map(&b->s1, VA, ipa, 12, 0);
	bench_map(&b->s2, ipa, self->page, 12, MAP_DBM);
	entry = bench_entry(&b->s2, ipa, 3);
	bench_stream(b, SID, &s);
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_TRUE(bench_dma_writes(b->dev, VA));
		EXPECT_NE(0, bench_load(b, entry) & LPAE_S2AP_W);
		bench_map(&b->s2, ipa, self->page, 12, MAP_DBM);
		smmuv3_cmd_tlbi_s2_ipa(c, VMID, ipa, true);
		EXPECT_TRUE(bench_do(b, c));
		smmuv3_cmd_tlbi_nh_all(c, VMID);
		EXPECT_TRUE(bench_do(b, c));
	}
}

NIT_TEST_MAIN
