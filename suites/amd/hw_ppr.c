// SPDX-License-Identifier: GPL-2.0-only
/* Peripheral page requests: the log, its overflow, and COMPLETE_PPR_REQUEST. */
#include "bench_guest.h"

#define IOVA 0x0000123456789000ULL

FIXTURE(ppr) {
	struct bench b;
	struct bench_guest guest;
};

FIXTURE_SETUP(ppr)
{
	ASSERT_EQ(0, bench_open(&self->b, NULL));
	ASSERT_EQ(0, guest_open(&self->guest, &self->b, 0, 3, 12));
	guest_attach(&self->guest, 0, DOMAIN0, 4);
}

FIXTURE_TEARDOWN(ppr)
{
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	guest_close(&self->guest);
	bench_close(&self->b);
}

static int request(struct bench *b, uint32_t pasid, uint64_t addr, uint16_t index, bool last)
{
	return endpoint_page_request(b->dev[0], &(struct hw_page_request){
		.has_pasid = pasid != DMA_NO_PASID, .pasid = pasid == DMA_NO_PASID ? 0 : pasid,
		.addr = addr, .index = index, .last = last, .access = HW_READ | HW_WRITE,
	});
}

static void complete(struct bench *b, uint32_t pasid, uint16_t index, enum amdvi_ppr_code code)
{
	uint64_t command[2];

	amdvi_cmd_complete_ppr_request(command, BENCH_RID0, pasid != DMA_NO_PASID,
				       pasid == DMA_NO_PASID ? 0 : pasid, index, code);
	bench_command(b, command);
	bench_settle(b);
}

TEST_F(ppr, request_is_logged_with_all_it_said)
{
	uint64_t entry[2];

	RULE("AMD-53");
	EXPECT_EQ(0, request(&self->b, PASID1, IOVA, 0x155, false));
	EXPECT_EQ(0, request(&self->b, PASID1, IOVA + 0x1000, 0x155, true));
	ASSERT_TRUE(bench_ppr(&self->b, entry));
	EXPECT_EQ(BENCH_RID0, amdvi_get(entry[0], AMDVI_PPRLOG0_DEVICE_ID));
	EXPECT_EQ(PASID1, amdvi_get(entry[0], AMDVI_PPRLOG0_PASID_15_0) |
		  amdvi_get(entry[0], AMDVI_PPRLOG0_PASID_19_16) << 16);
	EXPECT_EQ(0x155, amdvi_get(entry[0], AMDVI_PPRLOG0_TAG));
	EXPECT_EQ(0, entry[0] & AMDVI_PPRLOG0_LAST);
	EXPECT_EQ(AMDVI_PPRLOG0_READ | AMDVI_PPRLOG0_WRITE | AMDVI_PPRLOG0_GN,
		  entry[0] & (AMDVI_PPRLOG0_READ | AMDVI_PPRLOG0_WRITE | AMDVI_PPRLOG0_EXEC |
			      AMDVI_PPRLOG0_GN));
	EXPECT_EQ(IOVA, entry[1]);
	ASSERT_TRUE(bench_ppr(&self->b, entry));
	EXPECT_NE(0, entry[0] & AMDVI_PPRLOG0_LAST);
	EXPECT_EQ(IOVA + 0x1000, entry[1]);
	bench_settle(&self->b);
	EXPECT_EQ(1, self->b.interrupts);
	EXPECT_NE(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_PPR_INT);
}

TEST_F(ppr, completion_reaches_the_group)
{
	static const enum amdvi_ppr_code codes[] = {
		AMDVI_PPR_SUCCESS, AMDVI_PPR_INVALID, AMDVI_PPR_FAILURE,
	};

	RULE("AMD-53");
	for (unsigned int i = 0; i < ARRAY_SIZE(codes); i++) {
		EXPECT_EQ(0, request(&self->b, PASID1, IOVA, 7 + i, true));
		EXPECT_EQ(-EAGAIN, endpoint_prg_answer(self->b.dev[0], 7 + i));
		complete(&self->b, PASID1, 7 + i, codes[i]);
		EXPECT_EQ(codes[i], endpoint_prg_answer(self->b.dev[0], 7 + i))
			TH_LOG("code %u", codes[i]);
	}
}

/* GN = 0: no PASID in the response, whatever the field says. */
TEST_F(ppr, completion_without_pasid)
{
	RULE("AMD-53");
	EXPECT_EQ(0, request(&self->b, DMA_NO_PASID, IOVA, 3, true));
	complete(&self->b, DMA_NO_PASID, 3, AMDVI_PPR_SUCCESS);
	EXPECT_EQ(0, endpoint_prg_answer(self->b.dev[0], 3));
}

/* The response is not held back until somebody waits. */
TEST_F(ppr, completion_needs_no_wait)
{
	RULE("AMD-53");
	EXPECT_EQ(0, request(&self->b, PASID1, IOVA, 9, true));
	complete(&self->b, PASID1, 9, AMDVI_PPR_SUCCESS);
	EXPECT_EQ(0, endpoint_prg_answer(self->b.dev[0], 9));
}

TEST_F(ppr, log_overflows)
{
	const unsigned int room = BENCH_RING / 16 - 1;
	uint64_t entry[2];

	RULE("AMD-53");
	for (unsigned int i = 0; i < room + 5; i++)
		EXPECT_EQ(0, request(&self->b, PASID1, IOVA + i * 0x1000, i % 512, false));
	EXPECT_EQ(AMDVI_STATUS_PPR_OVERFLOW, bench_mmio(&self->b, AMDVI_STATUS) &
		  (AMDVI_STATUS_PPR_OVERFLOW | AMDVI_STATUS_PPR_RUN));
	for (unsigned int i = 0; i < room; i++) {
		EXPECT_TRUE(bench_ppr(&self->b, entry));
		EXPECT_EQ(IOVA + i * 0x1000, entry[1]);
	}
	EXPECT_FALSE(bench_ppr(&self->b, entry));
	bench_control(&self->b, AMDVI_CONTROL_PPR_LOG_EN, 0);
	bench_set(&self->b, AMDVI_STATUS, AMDVI_STATUS_PPR_OVERFLOW);
	bench_control(&self->b, 0, AMDVI_CONTROL_PPR_LOG_EN);
	EXPECT_EQ(0, request(&self->b, PASID1, IOVA, 1, true));
	EXPECT_TRUE(bench_ppr(&self->b, entry));
}

/* A device whose DTE does not allow page requests is refused, and gets its answer. */
TEST_F(ppr, device_that_must_not_ask)
{
	uint64_t dte[4], event[2];

	RULE("AMD-53");
	guest_dte(&self->guest, dte, DOMAIN0, 4);
	dte[0] &= ~AMDVI_DTE0_PPR;
	bench_dte(&self->b, BENCH_RID0, dte);
	EXPECT_EQ(0, request(&self->b, PASID1, IOVA, 5, true));
	EXPECT_EQ(AMDVI_INVALID_PPR_REQUEST, bench_fault(&self->b, 0, event));
	EXPECT_FALSE(bench_ppr(&self->b, event));
	bench_settle(&self->b);
	EXPECT_EQ(AMDVI_PPR_FAILURE, endpoint_prg_answer(self->b.dev[0], 5));
}

/* Fault, page request, mapping, completion, retry: as a driver does it. */
TEST_F(ppr, page_is_served)
{
	struct pgtable table;
	uint64_t entry[2];

	RULE("AMD-53");
	ASSERT_EQ(0, guest_process(&self->guest, &table, 4, PASID1));
	EXPECT_EQ(-EACCES, endpoint_prefetch(self->b.dev[0], PASID1, IOVA, HW_READ));
	EXPECT_EQ(0, request(&self->b, PASID1, IOVA, 2, true));
	ASSERT_TRUE(bench_ppr(&self->b, entry));
	bench_map(&table, entry[1], guest_page(&self->guest, 1), 12);
	complete(&self->b, PASID1, 2, AMDVI_PPR_SUCCESS);
	EXPECT_EQ(0, endpoint_prg_answer(self->b.dev[0], 2));
	EXPECT_EQ(1, bench_read_ats(&self->b, 0, PASID1, IOVA));
}

NIT_TEST_MAIN
