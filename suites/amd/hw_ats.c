// SPDX-License-Identifier: GPL-2.0-only
/* INVALIDATE_IOTLB_PAGES and the devices' own caches: decoding, order, flow control, time-outs. */
#include "bench_guest.h"

#define IOVA 0x0000712345678000ULL

/* Device 0 in a guest, device 1 on a host table; both with an ATC. */
FIXTURE(ats) {
	struct bench b;
	struct bench_guest guest;
	struct pgtable table;		/* guest table of PASID1 */
	struct pgtable host;
};

FIXTURE_SETUP(ats)
{
	ASSERT_EQ(0, bench_open(&self->b, NULL));
	ASSERT_EQ(0, guest_open(&self->guest, &self->b, 0, 3, 12));
	guest_attach(&self->guest, 0, DOMAIN0, 4);
	ASSERT_EQ(0, guest_process(&self->guest, &self->table, 4, PASID1));
	ASSERT_EQ(0, bench_host(&self->b, &self->host, 6, 1, DOMAIN1));
}

FIXTURE_TEARDOWN(ats)
{
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	guest_close(&self->guest);
	bench_close(&self->b);
}

/* In the ATC as number 1, in the table number 2; the IOMMU's own entries are gone. */
#define FILL_AND_CHANGE(_pasid, _iova) do { \
	bench_map(&self->table, _iova, guest_page(&self->guest, 1), 12); \
	EXPECT_EQ(1, bench_read_ats(&self->b, 0, _pasid, _iova)); \
	bench_map(&self->table, _iova, guest_page(&self->guest, 2), 12); \
	bench_inv_pages(&self->b, DOMAIN0, _pasid, amdvi_inv_address(_iova, 12), \
			AMDVI_PAGES1_GN); \
	EXPECT_TRUE(bench_wait(&self->b)); \
	EXPECT_EQ(1, bench_read_ats(&self->b, 0, _pasid, _iova)); \
} while (0)

#define FILL_AND_CHANGE_HOST(_iova) do { \
	bench_map(&self->host, _iova, bench_page(&self->b, 1), 12); \
	EXPECT_EQ(1, bench_read_ats(&self->b, 1, DMA_NO_PASID, _iova)); \
	bench_map(&self->host, _iova, bench_page(&self->b, 2), 12); \
	bench_inv_pages(&self->b, DOMAIN1, 0, amdvi_inv_address(_iova, 12), 0); \
	EXPECT_TRUE(bench_wait(&self->b)); \
	EXPECT_EQ(1, bench_read_ats(&self->b, 1, DMA_NO_PASID, _iova)); \
} while (0)

TEST_F(ats, page_is_removed_from_the_device)
{
	RULE("AMD-04");
	FILL_AND_CHANGE_HOST(IOVA);
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read_ats(&self->b, 1, DMA_NO_PASID, IOVA));
}

TEST_F(ats, every_size_reaches_both_ends)
{
	RULE("AMD-04");
	for (unsigned int shift = 13; shift <= 52; shift += 3) {
		uint64_t first = (0x15ULL << shift) & (UINT64_MAX >> 1);
		uint64_t last = first + (1ULL << shift) - 0x1000;

		FILL_AND_CHANGE_HOST(first);
		FILL_AND_CHANGE_HOST(last);
		bench_inv_iotlb(&self->b, BENCH_RID1, 0, amdvi_inv_address(first, shift), 0);
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(2, bench_read_ats(&self->b, 1, DMA_NO_PASID, first))
			TH_LOG("first page of 2^%u bytes", shift);
		EXPECT_EQ(2, bench_read_ats(&self->b, 1, DMA_NO_PASID, last))
			TH_LOG("last page of 2^%u bytes", shift);
	}
}

TEST_F(ats, whole_space_has_no_end)
{
	static const uint64_t iovas[] = { 0x1000, IOVA, 0x7ffffffffffff000ULL,
					  0xfffffffffffff000ULL };
	RULE("AMD-04");
	for (unsigned int i = 0; i < ARRAY_SIZE(iovas); i++)
		FILL_AND_CHANGE_HOST(iovas[i]);
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, AMDVI_INV_ALL_PAGES, 0);
	EXPECT_TRUE(bench_wait(&self->b));
	for (unsigned int i = 0; i < ARRAY_SIZE(iovas); i++) {
		EXPECT_EQ(2, bench_read_ats(&self->b, 1, DMA_NO_PASID, iovas[i]))
			TH_LOG("address %#llx", (unsigned long long)iovas[i]);
	}
}

/* The PASID stands in three pieces of the command; each of these has bits in one of them only. */
TEST_F(ats, every_piece_of_the_pasid)
{
	static const uint32_t pasids[] = { 0x00012, 0x03400, 0x50000, PASID1, 0xfffff };
	struct pgtable table = self->table;

	RULE("AMD-04");
	for (unsigned int i = 0; i < ARRAY_SIZE(pasids); i++) {
		ASSERT_EQ(0, guest_process(&self->guest, &self->table, 4, pasids[i]));
		FILL_AND_CHANGE(pasids[i], IOVA);
		bench_inv_iotlb(&self->b, BENCH_RID0, pasids[i], amdvi_inv_address(IOVA, 12),
				AMDVI_PAGES1_GN);
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(2, bench_read_ats(&self->b, 0, pasids[i], IOVA))
			TH_LOG("PASID %#x", pasids[i]);
	}
	self->table = table;
}

/* QueueID is for flow control alone: the request goes to DeviceID. */
TEST_F(ats, request_goes_to_device_id)
{
	uint64_t command[2];

	RULE("AMD-04");
	FILL_AND_CHANGE_HOST(IOVA);
	amdvi_cmd_invalidate_iotlb_pages(command, BENCH_RID1, BENCH_RID0, 8, 0,
					 amdvi_inv_address(IOVA, 12), 0);
	bench_command(&self->b, command);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read_ats(&self->b, 1, DMA_NO_PASID, IOVA));
}

/* A burst of more commands than the device's queue holds: no more than MaxPend are on their way. */
TEST_F(ats, max_pend_bounds_what_is_on_its_way)
{
	uint64_t command[2];

	RULE("AMD-42");
	endpoint_behaviour(self->b.dev[1])->never_complete = true;
	for (unsigned int i = 0; i < 20; i++) {
		amdvi_cmd_invalidate_iotlb_pages(command, BENCH_RID1, BENCH_RID1, 8, 0,
						 amdvi_inv_address(IOVA + i * 0x1000, 12), 0);
		bench_put(&self->b, command);
	}
	EXPECT_FALSE(bench_wait(&self->b));
	EXPECT_EQ(8, self->b.iommu->counts.ats_invalidates);
	for (unsigned int sent = 16; sent <= 24; sent += 8) {
		EXPECT_FALSE(bench_waited(&self->b));
		self->b.iommu->ops->ats_complete(self->b.iommu, BENCH_RID1, UINT32_MAX, 1);
		bench_settle(&self->b);
		EXPECT_EQ(sent < 20 ? sent : 20, self->b.iommu->counts.ats_invalidates);
	}
	self->b.iommu->ops->ats_complete(self->b.iommu, BENCH_RID1, UINT32_MAX, 1);
	bench_settle(&self->b);
	EXPECT_TRUE(bench_waited(&self->b));
}

/* MaxPend counts per QueueID: two devices that share a queue share the allowance. */
TEST_F(ats, max_pend_is_per_queue)
{
	uint64_t command[2];

	RULE("AMD-42");
	endpoint_behaviour(self->b.dev[0])->never_complete = true;
	endpoint_behaviour(self->b.dev[1])->never_complete = true;
	for (unsigned int i = 0; i < 8; i++) {
		amdvi_cmd_invalidate_iotlb_pages(command, i & 1 ? BENCH_RID1 : BENCH_RID0,
						 BENCH_RID0, 4, 0, AMDVI_INV_ALL_PAGES, 0);
		bench_put(&self->b, command);
	}
	EXPECT_FALSE(bench_wait(&self->b));
	EXPECT_EQ(4, self->b.iommu->counts.ats_invalidates);
}

/* ---- Order ---- */

/*
 * One COMPLETION_WAIT behind both: had the device been told first, it could have fetched the old
 * translation again from the IOMMU, which still had it.
 */
TEST_F(ats, pages_before_iotlbs)
{
	uint64_t command[2];

	RULE("AMD-08");
	bench_map(&self->host, IOVA, bench_page(&self->b, 1), 12);
	EXPECT_EQ(1, bench_read_ats(&self->b, 1, DMA_NO_PASID, IOVA));
	bench_map(&self->host, IOVA, bench_page(&self->b, 2), 12);
	EXPECT_EQ(1, bench_read(&self->b, 1, DMA_NO_PASID, IOVA));
	bench_inv_pages(&self->b, DOMAIN1, 0, amdvi_inv_address(IOVA, 12), 0);
	amdvi_cmd_invalidate_iotlb_pages(command, BENCH_RID1, BENCH_RID1, 8, 0,
					 amdvi_inv_address(IOVA, 12), 0);
	bench_command(&self->b, command);
	/* Time passes, and the device asks again, before the wait comes. */
	bench_settle(&self->b);
	bench_read_ats(&self->b, 1, DMA_NO_PASID, IOVA);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read_ats(&self->b, 1, DMA_NO_PASID, IOVA));
}

TEST_F(ats, device_table_before_iotlbs)
{
	struct pgtable other;

	RULE("AMD-08");
	bench_map(&self->host, IOVA, bench_page(&self->b, 1), 12);
	EXPECT_EQ(1, bench_read_ats(&self->b, 1, DMA_NO_PASID, IOVA));
	ASSERT_EQ(0, bench_host(&self->b, &other, 6, 1, DOMAIN2));
	bench_map(&other, IOVA, bench_page(&self->b, 2), 12);
	bench_inv_dte(&self->b, BENCH_RID1);
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, AMDVI_INV_ALL_PAGES, 0);
	bench_settle(&self->b);
	bench_read_ats(&self->b, 1, DMA_NO_PASID, IOVA);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read_ats(&self->b, 1, DMA_NO_PASID, IOVA));
}

/* ---- Completion ---- */

TEST_F(ats, wait_is_not_over_before_the_device_answers)
{
	RULE("AMD-05");
	FILL_AND_CHANGE_HOST(IOVA);
	endpoint_behaviour(self->b.dev[1])->never_complete = true;
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_FALSE(bench_wait(&self->b));
}

TEST_F(ats, answer_with_another_itag_is_none)
{
	RULE("AMD-05");
	FILL_AND_CHANGE_HOST(IOVA);
	endpoint_behaviour(self->b.dev[1])->wrong_itag = true;
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_FALSE(bench_wait(&self->b));
}

/* CC says how many completions there will be: all of them count. */
TEST_F(ats, answer_one_short_is_none)
{
	RULE("AMD-05");
	FILL_AND_CHANGE_HOST(IOVA);
	endpoint_behaviour(self->b.dev[1])->short_count = true;
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_FALSE(bench_wait(&self->b));
}

TEST_F(ats, several_completions_make_an_answer)
{
	RULE("AMD-05");
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, amdvi_inv_address(IOVA, 12), 0);
	endpoint_behaviour(self->b.dev[1])->never_complete = true;
	EXPECT_FALSE(bench_wait(&self->b));
	for (unsigned int i = 0; i < 8; i++) {
		EXPECT_FALSE(bench_waited(&self->b));
		self->b.iommu->ops->ats_complete(self->b.iommu, BENCH_RID1, UINT32_MAX, 0);
		bench_settle(&self->b);
	}
	EXPECT_TRUE(bench_waited(&self->b));
}

TEST_F(ats, answer_of_another_device_is_none)
{
	RULE("AMD-05");
	endpoint_behaviour(self->b.dev[1])->never_complete = true;
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_FALSE(bench_wait(&self->b));
	self->b.iommu->ops->ats_complete(self->b.iommu, BENCH_RID0, UINT32_MAX, 1);
	EXPECT_FALSE(bench_waited(&self->b));
	self->b.iommu->ops->ats_complete(self->b.iommu, BENCH_RID1, UINT32_MAX, 1);
	bench_settle(&self->b);
	EXPECT_TRUE(bench_waited(&self->b));
}

/* ---- Time-outs ---- */

static uint64_t command_addr(struct bench *b, unsigned int commands_ago)
{
	return b->cmdbuf + b->tail - 16 * commands_ago;
}

TEST_F(ats, timeout_is_logged_with_its_command)
{
	uint64_t event[2];

	RULE("AMD-43");
	bench_control(&self->b, AMDVI_CONTROL_INV_TIMEOUT,
		      amdvi_put(AMDVI_INV_TIMEOUT_100MS, AMDVI_CONTROL_INV_TIMEOUT));
	FILL_AND_CHANGE_HOST(IOVA);
	endpoint_behaviour(self->b.dev[1])->never_complete = true;
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, amdvi_inv_address(IOVA, 12), 0);
	bench_wait(&self->b);
	EXPECT_EQ(AMDVI_IOTLB_INV_TIMEOUT, bench_fault(&self->b, 1, event));
	EXPECT_EQ(command_addr(&self->b, 2), event[1]);
	EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_EVT_OVERFLOW);
}

/* The event is there before a wait says that it is over: who looks after the wait knows. */
TEST_F(ats, timeout_is_logged_before_the_wait_ends)
{
	uint64_t event[2];

	RULE("AMD-43");
	bench_control(&self->b, AMDVI_CONTROL_INV_TIMEOUT,
		      amdvi_put(AMDVI_INV_TIMEOUT_1MS, AMDVI_CONTROL_INV_TIMEOUT));
	endpoint_behaviour(self->b.dev[1])->drop_invalidates = true;
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, amdvi_inv_address(IOVA, 12), 0);
	bench_start_wait(&self->b);
	for (unsigned int i = 0; i < 100 && !bench_waited(&self->b); i++)
		machine_step(self->b.machine);
	if (bench_waited(&self->b)) {
		EXPECT_EQ(AMDVI_IOTLB_INV_TIMEOUT, bench_fault(&self->b, 1, event));
	}
}

static const struct amdvi_config halting = { AMDVI_CONFIG, .timeout_halts = true };

BENCH(halting, &halting)

TEST_F(halting, no_wait_ends_after_a_timeout)
{
	uint64_t event[2];

	RULE("AMD-43");
	bench_control(&self->b, AMDVI_CONTROL_INV_TIMEOUT,
		      amdvi_put(AMDVI_INV_TIMEOUT_1MS, AMDVI_CONTROL_INV_TIMEOUT));
	endpoint_behaviour(self->b.dev[1])->drop_invalidates = true;
	bench_inv_iotlb(&self->b, BENCH_RID1, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_FALSE(bench_wait(&self->b));
	EXPECT_EQ(AMDVI_IOTLB_INV_TIMEOUT, bench_fault(&self->b, 1, event));
	EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_CMDBUF_RUN);
}

/* ---- DTE.I ---- */

TEST_F(ats, translated_request_needs_dte_i)
{
	uint64_t dte[4], event[2], data = 0, page = bench_page(&self->b, 1);

	RULE("AMD-44");
	EXPECT_EQ(DMA_DONE, bench_dma(&self->b, 1, DMA_READ, DMA_RAW, DMA_NO_PASID, page, &data));
	EXPECT_EQ(1, data);
	bench_host_dte(dte, DOMAIN1, self->host.root, 6);
	dte[1] &= ~AMDVI_DTE1_I;
	bench_dte(&self->b, BENCH_RID1, dte);
	bench_inv_dte(&self->b, BENCH_RID1);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(DMA_ABORTED,
		  bench_dma(&self->b, 1, DMA_READ, DMA_RAW, DMA_NO_PASID, page, &data));
	EXPECT_EQ(AMDVI_INVALID_DEVICE_REQUEST, bench_fault(&self->b, 1, event));
	EXPECT_EQ(AMDVI_TYPE_PRETRANSLATED, amdvi_get(event[0], AMDVI_EVENT0_TYPE));
}

TEST_F(ats, translation_request_needs_dte_i)
{
	uint64_t dte[4], event[2];

	RULE("AMD-44");
	bench_map(&self->host, IOVA, bench_page(&self->b, 1), 12);
	bench_host_dte(dte, DOMAIN1, self->host.root, 6);
	dte[1] &= ~AMDVI_DTE1_I;
	bench_dte(&self->b, BENCH_RID1, dte);
	EXPECT_EQ(1, bench_read(&self->b, 1, DMA_NO_PASID, IOVA));
	EXPECT_EQ(-EIO, endpoint_prefetch(self->b.dev[1], DMA_NO_PASID, IOVA, HW_READ));
	EXPECT_EQ(AMDVI_INVALID_DEVICE_REQUEST, bench_fault(&self->b, 1, event));
	EXPECT_NE(0, event[0] & AMDVI_EVENT0_TR);
}

/* What is not mapped is an answer without permissions, and no event. */
TEST_F(ats, translation_request_for_nothing)
{
	uint64_t event[2];

	RULE("AMD-44");
	EXPECT_EQ(-EACCES, endpoint_prefetch(self->b.dev[1], DMA_NO_PASID, IOVA, HW_READ));
	EXPECT_EQ(0, bench_event(&self->b, event));
}

NIT_TEST_MAIN
