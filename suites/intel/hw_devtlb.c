// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d hardware: invalidation of device TLBs (6.5.2.5, 6.5.2.6), its completion, order, throttling
 * and time-outs (6.5.2.11, 6.5.2.12; PCIe ATS 10.3).
 */
#include "hw_space.h"

FIXTURE(devtlb) {
	struct space s;
};

/* Requests with a PASID take the PASID form of the descriptor, those without the other. */
FIXTURE_VARIANT(devtlb) {
	enum space_type type;
	uint32_t pasid;
};

FIXTURE_VARIANT_ADD(devtlb, legacy) { SPACE_LEGACY, DMA_NO_PASID };
FIXTURE_VARIANT_ADD(devtlb, second) { SPACE_SECOND, 9 };
FIXTURE_VARIANT_ADD(devtlb, nested) { SPACE_NESTED, 0xabcde };
FIXTURE_VARIANT_ADD(devtlb, nested_rid) { SPACE_NESTED, DMA_NO_PASID };

FIXTURE_SETUP(devtlb)
{
	space_on(&self->s, &vtd_config_full, variant->type, 0x1234, variant->pasid);
	for (unsigned int i = 0; i < BENCH_DEVICES; i++)
		endpoint_ats_enable(self->s.b->dev[i], true);
}

FIXTURE_TEARDOWN(devtlb)
{
	bench_off(self->s.b);
}

static uint64_t through_atc(struct space *s, uint64_t offset)
{
	return reach_how(s->b, s->dev, s->pasid, IOVA + offset, DMA_ATS);
}

#define EXPECT_ATC_OLD(_s, _offset) EXPECT_EQ((_s)->before + (_offset), through_atc(_s, _offset))
#define EXPECT_ATC_NEW(_s, _offset) EXPECT_EQ((_s)->after + (_offset), through_atc(_s, _offset))

/* 2^@order pages of the device's TLB, by the form that this space needs. */
static void push_devtlb(struct space *s, unsigned int dev, unsigned int mip, uint64_t addr,
			unsigned int order)
{
	uint64_t d[4];

	if (s->pasid == DMA_NO_PASID)
		vtd_inv_devtlb(d, bench_rids[dev], bench_rids[dev], mip, addr, order);
	else
		vtd_inv_pdevtlb(d, bench_rids[dev], bench_rids[dev], mip, s->pasid, false, addr,
				order);
	push(s->b, d);
}

static void push_iotlb(struct space *s)
{
	uint64_t d[4];

	vtd_inv_iotlb(d, VTD_DOMAIN, s->did, 0, 0, false);
	push(s->b, d);
}

static uint32_t status(struct bench *b)
{
	return reg(b, VTD_FSTS_REG, 4);
}

static struct endpoint_behaviour *behaviour(struct space *s)
{
	return endpoint_behaviour(s->b->dev[0]);
}

static uint64_t sent(struct bench *b)
{
	return atomic_load(&b->iommu->counts.ats_invalidates);
}

/* ---- What goes ---- */

TEST_F(devtlb, page)
{
	struct space *s = &self->s;

	RULE("VTD-09");
	EXPECT_ATC_OLD(s, 0x3000);
	space_change(s, 0x3000);
	push_iotlb(s);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_ATC_OLD(s, 0x3000);	/* the IOTLB is clean, the device's TLB is not */
	push_devtlb(s, 0, 0, IOVA + 0x3000, 0);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_ATC_NEW(s, 0x3000);
}

/* First and last page of every size that covers the window, and everything. */
TEST_F(devtlb, every_size)
{
	static const unsigned int orders[] = { 1, 2, 3, 4, 9, 18, 27, 40, 51, 52 };
	struct space *s = &self->s;

	RULE("VTD-13");
	for (unsigned int i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		uint64_t last = orders[i] < 4 ? (4096ull << orders[i]) - 4096 : 0xf000;

		check_note("2^%u pages", orders[i]);
		EXPECT_ATC_OLD(s, 0);
		EXPECT_ATC_OLD(s, last);
		space_change(s, 0);
		space_change(s, last);
		push_iotlb(s);
		EXPECT_TRUE(sync_all(s->b));
		EXPECT_ATC_OLD(s, last);
		push_devtlb(s, 0, 0, IOVA, orders[i]);
		EXPECT_TRUE(sync_all(s->b));
		EXPECT_ATC_NEW(s, 0);
		EXPECT_ATC_NEW(s, last);
		space_map(s);
		push_iotlb(s);
		push_devtlb(s, 0, 0, 0, 52);
		EXPECT_TRUE(sync_all(s->b));
	}
}

/* Each device has its own TLB, found by its source-id. */
TEST_F(devtlb, device_by_source_id)
{
	struct space *s = &self->s;

	RULE("VTD-13");
	for (s->dev = 1; s->dev < BENCH_DEVICES; s->dev++) {
		space_attach(s, s->dev, s->pasid);
		EXPECT_ATC_OLD(s, 0);
		space_change(s, 0);
		push_iotlb(s);
		EXPECT_TRUE(sync_all(s->b));
		EXPECT_ATC_OLD(s, 0);
		push_devtlb(s, s->dev, 0, IOVA, 0);
		EXPECT_TRUE(sync_all(s->b));
		EXPECT_ATC_NEW(s, 0);
		space_map(s);
		push_iotlb(s);
		push_devtlb(s, s->dev, 0, IOVA, 0);
		EXPECT_TRUE(sync_all(s->b));
	}
}

/* ---- Order ---- */

/*
 * The device fetches again as soon as its TLB is clean: by then the IOTLB must be, even though
 * nothing has waited in between (6.5.2.12).
 */
TEST_F(devtlb, comes_after_iotlb)
{
	struct space *s = &self->s;

	RULE("VTD-08");
	for (int i = 0; i < 8; i++) {
		uint64_t before = sent(s->b);

		s->b->iommu->freedom.reorder = i * 100;
		EXPECT_ATC_OLD(s, 0);
		space_change(s, 0);
		push_iotlb(s);
		push_devtlb(s, 0, 0, IOVA, 0);
		push_wait(s->b, 0, 1);
		ring(s->b);
		for (int step = 0; step < 40 && sent(s->b) == before; step++)
			machine_step(s->b->machine);
		endpoint_step(s->b->dev[0]);
		EXPECT_ATC_NEW(s, 0);
		EXPECT_TRUE(sync_all(s->b));
		EXPECT_ATC_NEW(s, 0);
		space_map(s);
		push_iotlb(s);
		push_devtlb(s, 0, 0, IOVA, 0);
		EXPECT_TRUE(sync_all(s->b));
	}
}

/* ---- Completion ---- */

TEST_F(devtlb, wait_holds_for_completion)
{
	struct space *s = &self->s;
	uint32_t number;

	RULE("VTD-07");
	EXPECT_ATC_OLD(s, 0);
	behaviour(s)->delay_steps = 50;
	push_devtlb(s, 0, 0, IOVA, 0);
	number = push_wait(s->b, 0, 1);
	ring(s->b);
	for (int step = 0; step < 45; step++) {
		machine_step(s->b->machine);
		EXPECT_FALSE(written(s->b, 1, number));
	}
	EXPECT_TRUE(settle(s->b));
	EXPECT_TRUE(written(s->b, 1, number));
	EXPECT_EQ(0, status(s->b));
}

/* A translated request in flight is drained by the device before it answers. */
TEST_F(devtlb, wait_holds_for_translated_request)
{
	struct space *s = &self->s;
	uint64_t data;
	struct dma dma = { .op = DMA_WRITE, .address = DMA_ATS, .pasid = s->pasid,
			   .addr = IOVA + 8, .len = 8, .data = &data };
	uint32_t number;

	RULE("VTD-14");
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(s->b->dev[0], 1, &dma));
	space_change(s, 0);
	push_iotlb(s);
	push_devtlb(s, 0, 0, IOVA, 0);
	number = push_wait(s->b, 0, 1);
	ring(s->b);
	for (int step = 0; step < 100; step++)
		machine_step(s->b->machine);
	EXPECT_FALSE(written(s->b, 1, number));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(s->b->dev[0], 1));
	EXPECT_TRUE(settle(s->b));
	EXPECT_TRUE(written(s->b, 1, number));
}

/* One answer for each Traffic Class, as many as the answers say; 8 are written as 0. */
TEST(wait_holds_for_all_completions)
{
	RULE("VTD-13");
	for (unsigned int classes = 1; classes <= 8; classes++) {
		struct bench *b = bench_on_classes(&vtd_config_full, true, classes);
		uint32_t number;
		uint64_t d[4];

		scalable_context(b, bench_rids[0]);
		endpoint_ats_enable(b->dev[0], true);
		endpoint_behaviour(b->dev[0])->never_complete = true;
		vtd_inv_devtlb(d, bench_rids[0], 0, 0, 0, 52);
		push(b, d);
		number = push_wait(b, 0, 1);
		ring(b);
		for (unsigned int i = 0; i < classes; i++) {
			EXPECT_FALSE(written(b, 1, number));
			b->iommu->ops->ats_complete(b->iommu, bench_rids[0], 1, classes & 7);
			for (int step = 0; step < 4; step++)
				machine_step(b->machine);
		}
		EXPECT_TRUE(written(b, 1, number));
		EXPECT_EQ(0, status(b));
		bench_off(b);
	}
}

/* What another function answers does not count, and is an error. */
TEST_F(devtlb, completion_of_another_function)
{
	struct space *s = &self->s;
	uint32_t number;

	RULE("VTD-12");
	behaviour(s)->delay_steps = 50;
	push_devtlb(s, 0, 0, IOVA, 0);
	number = push_wait(s->b, 0, 1);
	ring(s->b);
	s->b->iommu->ops->ats_complete(s->b->iommu, bench_rids[1], ~0u, 1);
	for (int step = 0; step < 20; step++)
		machine_step(s->b->machine);
	EXPECT_FALSE(written(s->b, 1, number));
	EXPECT_EQ(VTD_FSTS_ICE, status(s->b));
	EXPECT_EQ(bench_rids[1], VTD_GET(VTD_IQERCD_ICESID, reg(s->b, VTD_IQERCD_REG, 8)));
	set_reg(s->b, VTD_FSTS_REG, 4, VTD_FSTS_ICE);
	EXPECT_EQ(0, status(s->b));
	EXPECT_TRUE(settle(s->b));
	EXPECT_TRUE(written(s->b, 1, number));
}

TEST_F(devtlb, second_answer_is_an_error)
{
	struct space *s = &self->s;

	RULE("VTD-12");
	behaviour(s)->complete_twice = true;
	push_devtlb(s, 0, 0, IOVA, 0);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_TRUE(settle(s->b));
	EXPECT_EQ(VTD_FSTS_ICE, status(s->b));
	EXPECT_EQ(bench_rids[0], VTD_GET(VTD_IQERCD_ICESID, reg(s->b, VTD_IQERCD_REG, 8)));
}

/* ---- Throttling ---- */

TEST_F(devtlb, not_more_than_max_invalidations_pending)
{
	struct space *s = &self->s;

	RULE("VTD-13");
	for (unsigned int mip = 1; mip <= 4; mip++) {
		uint64_t before = sent(s->b);

		behaviour(s)->delay_steps = 5;
		for (int i = 0; i < 10; i++)
			push_devtlb(s, 0, mip, IOVA + i * 4096, 0);
		push_wait(s->b, 0, 1);
		ring(s->b);
		EXPECT_EQ(mip, sent(s->b) - before);
		EXPECT_TRUE(settle(s->b));
		EXPECT_EQ(10, sent(s->b) - before);
		EXPECT_EQ(0, status(s->b));
	}
}

/* 0 means 32, which is how many ITags there are. */
TEST_F(devtlb, thirty_two_pending)
{
	struct space *s = &self->s;

	RULE("VTD-13");
	behaviour(s)->delay_steps = 5;
	for (int i = 0; i < 40; i++)
		push_devtlb(s, 0, 0, IOVA + i * 4096, 0);
	push_wait(s->b, 0, 1);
	ring(s->b);
	EXPECT_EQ(32, sent(s->b));
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_EQ(40, sent(s->b));
	EXPECT_EQ(0, status(s->b));
}

/* Virtual functions share the queue of the physical function that PFSID names. */
TEST_F(devtlb, functions_of_one_queue)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-13");
	behaviour(s)->delay_steps = 5;
	for (unsigned int dev = 0; dev < BENCH_DEVICES; dev++) {
		vtd_inv_devtlb(d, bench_rids[dev], 0xfff8, 1, IOVA, 0);
		push(s->b, d);
	}
	push_wait(s->b, 0, 1);
	ring(s->b);
	EXPECT_EQ(1, sent(s->b));
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_EQ(3, sent(s->b));
}

/* ---- Time-out ---- */

static void let_time_out(struct __test_metadata *_metadata, struct space *s, uint32_t *number)
{
	push_devtlb(s, 0, 0, IOVA, 0);
	*number = push_wait(s->b, VTD_INV_WAIT_IF, 1);
	ring(s->b);
	EXPECT_TRUE(settle(s->b));
	EXPECT_EQ(VTD_FSTS_ITE, status(s->b) & VTD_FSTS_ITE);
	EXPECT_FALSE(written(s->b, 1, *number));
	EXPECT_EQ(0, reg(s->b, VTD_ICS_REG, 4));
}

TEST_F(devtlb, time_out_completes_no_wait)
{
	struct space *s = &self->s;
	uint32_t number, next;

	RULE("VTD-12");
	behaviour(s)->never_complete = true;
	let_time_out(_metadata, s, &number);
	EXPECT_EQ(bench_rids[0], VTD_GET(VTD_IQERCD_ITESID, reg(s->b, VTD_IQERCD_REG, 8)));
	next = push_wait(s->b, 0, 2);
	ring(s->b);
	EXPECT_TRUE(settle(s->b));
	EXPECT_FALSE(written(s->b, 2, next));	/* nothing is fetched while ITE is set */
	set_reg(s->b, VTD_FSTS_REG, 4, VTD_FSTS_ITE);
	EXPECT_TRUE(settle(s->b));
	EXPECT_TRUE(written(s->b, 2, next));
	EXPECT_FALSE(written(s->b, 1, number));	/* that one was aborted for good */
}

/* Both waits behind it are aborted, fenced or not. */
TEST_F(devtlb, time_out_aborts_every_pending_wait)
{
	struct space *s = &self->s;
	uint32_t first, second;

	RULE("VTD-12");
	behaviour(s)->never_complete = true;
	push_devtlb(s, 0, 0, IOVA, 0);
	first = push_wait(s->b, 0, 1);
	second = push_wait(s->b, 0, 2);
	ring(s->b);
	EXPECT_TRUE(settle(s->b));
	EXPECT_EQ(VTD_FSTS_ITE, status(s->b));
	set_reg(s->b, VTD_FSTS_REG, 4, VTD_FSTS_ITE);
	EXPECT_TRUE(settle(s->b));
	EXPECT_FALSE(written(s->b, 1, first));
	EXPECT_FALSE(written(s->b, 2, second));
	EXPECT_EQ(reg(s->b, VTD_IQT_REG, 8), reg(s->b, VTD_IQH_REG, 8));
}

TEST_F(devtlb, time_out_frees_itags)
{
	struct space *s = &self->s;

	RULE("VTD-12");
	behaviour(s)->never_complete = true;
	for (int i = 0; i < 32; i++)
		push_devtlb(s, 0, 0, IOVA, 0);
	push_wait(s->b, 0, 1);
	ring(s->b);
	EXPECT_TRUE(settle(s->b));
	EXPECT_EQ(VTD_FSTS_ITE, status(s->b));
	behaviour(s)->never_complete = false;
	set_reg(s->b, VTD_FSTS_REG, 4, VTD_FSTS_ITE);
	push_devtlb(s, 0, 0, IOVA, 0);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_EQ(33, sent(s->b));
}

/* An answer after the time-out is for an ITag that is free: unexpected. */
TEST_F(devtlb, late_answer_is_an_error)
{
	struct space *s = &self->s;
	uint32_t number;

	RULE("VTD-12");
	behaviour(s)->never_complete = true;
	let_time_out(_metadata, s, &number);
	set_reg(s->b, VTD_FSTS_REG, 4, VTD_FSTS_ITE);
	s->b->iommu->ops->ats_complete(s->b->iommu, bench_rids[0], 1, 1);
	EXPECT_TRUE(settle(s->b));
	EXPECT_EQ(VTD_FSTS_ICE, status(s->b));
	EXPECT_FALSE(written(s->b, 1, number));
}

TEST_F(devtlb, wrong_itag_times_out)
{
	struct space *s = &self->s;
	uint32_t number;

	RULE("VTD-12");
	behaviour(s)->wrong_itag = true;
	let_time_out(_metadata, s, &number);
	EXPECT_EQ(VTD_FSTS_ITE | VTD_FSTS_ICE, status(s->b));
}

TEST_F(devtlb, missing_completion_times_out)
{
	struct space *s = &self->s;
	uint32_t number;

	RULE("VTD-12");
	behaviour(s)->short_count = true;
	let_time_out(_metadata, s, &number);
}

TEST_F(devtlb, reset_device_times_out)
{
	struct space *s = &self->s;
	uint32_t number;

	RULE("VTD-12");
	behaviour(s)->delay_steps = 30;
	push_devtlb(s, 0, 0, IOVA, 0);
	number = push_wait(s->b, 0, 1);
	ring(s->b);
	machine_step(s->b->machine);
	endpoint_flr(s->b->dev[0]);
	EXPECT_TRUE(settle(s->b));
	EXPECT_EQ(VTD_FSTS_ITE, status(s->b));
	EXPECT_FALSE(written(s->b, 1, number));
}

TEST_F(devtlb, nobody_there_times_out)
{
	struct bench *b = self->s.b;
	uint64_t d[4];

	RULE("VTD-12");
	vtd_inv_devtlb(d, 0x7777, 0, 0, IOVA, 0);
	EXPECT_FALSE(issue(b, d));
	EXPECT_EQ(VTD_FSTS_ITE, status(b));
	EXPECT_EQ(0x7777, VTD_GET(VTD_IQERCD_ITESID, reg(b, VTD_IQERCD_REG, 8)));
}

TEST_F(devtlb, time_out_raises_fault_event)
{
	struct space *s = &self->s;
	uint32_t number;

	RULE("VTD-12");
	unmask(s->b, VTD_FECTL_REG, 0x71);
	behaviour(s)->drop_invalidates = true;
	let_time_out(_metadata, s, &number);
	EXPECT_EQ(1, s->b->msis);
	EXPECT_EQ(0x71, s->b->msi_data);
}

/* With translation disabled nothing is sent, and nothing is waited for. */
TEST_F(devtlb, not_sent_without_translation)
{
	struct space *s = &self->s;

	RULE("VTD-12");
	command(s->b, 0, VTD_GCMD_TE);
	push_devtlb(s, 0, 0, IOVA, 0);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_EQ(0, sent(s->b));
}

/* ---- PASIDs ---- */

/* The PASID is in the message: entries of this PASID go, whatever is at the same address in 0. */
TEST(pasid_of_the_message)
{
	struct space s;

	RULE("VTD-13");
	space_on(&s, &vtd_config_full, SPACE_FIRST, 0x1234, 0xfffff);
	endpoint_ats_enable(s.b->dev[0], true);
	EXPECT_ATC_OLD(&s, 0);
	space_change(&s, 0);
	push_iotlb(&s);
	EXPECT_TRUE(sync_all(s.b));
	EXPECT_ATC_OLD(&s, 0);
	push_devtlb(&s, 0, 0, IOVA, 0);
	EXPECT_TRUE(sync_all(s.b));
	EXPECT_ATC_NEW(&s, 0);
	bench_off(s.b);
}

/* The Global bit of the descriptor arrives in the message. */
TEST(global_bit_of_the_message)
{
	struct bench *b = bench_on(&vtd_config_full, true);
	uint64_t mark = hw_trace_number(b->machine->trace), d[4];
	bool found = false;
	char line[200];

	RULE("VTD-13");
	endpoint_ats_enable(b->dev[0], true);
	vtd_inv_pdevtlb(d, bench_rids[0], 0, 0, 5, true, IOVA, 0);
	EXPECT_TRUE(issue(b, d));
	while ((mark = hw_trace_read(b->machine->trace, mark, line, sizeof(line))) != UINT64_MAX) {
		found |= strstr(line, "dev 00:11.0") && strstr(line, "global 1");
		mark++;
	}
	EXPECT_TRUE(found);
	bench_off(b);
}

NIT_TEST_MAIN
