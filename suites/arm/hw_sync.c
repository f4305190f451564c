// SPDX-License-Identifier: GPL-2.0-only
/*
 * What CMD_SYNC of an SMMUv3 waits for (IHI 0070 4.7.3), on bare hardware: the commands before it,
 * requests in flight, events. And that nothing but CMD_SYNC orders commands.
 */
#include "bench.h"

FIXTURE(sync) {
	struct bench b;
	struct bench_stream s;
	uint64_t page;
	uint64_t data;
	struct dma dma;
};

FIXTURE_VARIANT(sync) {
	bool nested;
	uint16_t early;
	uint16_t reorder;
	uint16_t delay;
};

FIXTURE_VARIANT_ADD(sync, stage_1) { false };
FIXTURE_VARIANT_ADD(sync, nested) { true };
FIXTURE_VARIANT_ADD(sync, early) { false, .early = 500 };
FIXTURE_VARIANT_ADD(sync, reorder) { false, .reorder = 1000 };
FIXTURE_VARIANT_ADD(sync, delay) { true, .delay = 500 };

FIXTURE_SETUP(sync)
{
	struct bench *b = &self->b;

	bench_setup(b, NULL);
	b->smmu->freedom.early = variant->early;
	b->smmu->freedom.reorder = variant->reorder;
	b->smmu->freedom.delay = variant->delay;
	b->smmu->freedom.delay_steps = 9;
	self->s = variant->nested ? bench_stream_nested(b) : bench_stream_s1(b);
	self->page = bench_page(b);
	bench_map(&b->s1, VA, self->page + (variant->nested ? BENCH_IPA : 0), 12, 0);
	bench_stream(b, SID, &self->s);
	self->dma = (struct dma){
		.op = DMA_READ, .pasid = DMA_NO_PASID, .addr = VA, .len = 8, .data = &self->data,
	};
}

FIXTURE_TEARDOWN(sync)
{
	bench_teardown(&self->b);
}

static void tlbi(FIXTURE_DATA(sync) *self, uint64_t c[2])
{
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, true);
}

static void cfgi(FIXTURE_DATA(sync) *self, uint64_t c[2])
{
	smmuv3_cmd_cfgi_ste(c, SID, true);
}

/* A request that used what is invalidated has reached memory before the CMD_SYNC completes. */
TEST_F(sync, waits_for_requests_in_flight)
{
	void (*const encode[])(FIXTURE_DATA(sync) *self, uint64_t c[2]) = { tlbi, cfgi };
	uint64_t c[2];

	RULE("SMMU-02");
	for (unsigned int i = 0; i < 2; i++) {
		self->data = 0;
		EXPECT_EQ(DMA_HELD, endpoint_dma_start(self->b.dev, 1, &self->dma));
		encode[i](self, c);
		bench_put(&self->b, c);
		bench_put_sync(&self->b);
		bench_ring(&self->b);
		machine_settle(self->b.machine, 100);
		EXPECT_FALSE(bench_consumed(&self->b));
		EXPECT_EQ(0, self->data);
		EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->b.dev, 1));
		EXPECT_TRUE(bench_wait(&self->b));
		EXPECT_EQ(self->page, self->data);
	}
}

/* Requests that come later do not hold it up. */
TEST_F(sync, later_requests_do_not_delay_it)
{
	struct bench *b = &self->b;
	uint64_t c[2];
	struct dma later = self->dma;

	RULE("SMMU-02");
	EXPECT_EQ(DMA_HELD, endpoint_dma_start(b->dev, 1, &self->dma));
	tlbi(self, c);
	bench_put(b, c);
	bench_put_sync(b);
	bench_ring(b);
	machine_settle(b->machine, 20);
	EXPECT_EQ(DMA_HELD, endpoint_dma_start(b->dev, 2, &later));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->dev, 1));
	EXPECT_TRUE(bench_wait(b));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->dev, 2));
}

/* Commands after a CMD_SYNC do not begin before it completes. */
TEST_F(sync, later_commands_wait)
{
	struct bench *b = &self->b;
	uint64_t c[2], at;

	RULE("SMMU-01");
	EXPECT_EQ(DMA_HELD, endpoint_dma_start(b->dev, 1, &self->dma));
	tlbi(self, c);
	bench_put(b, c);
	at = b->prod;
	bench_put_sync(b);
	bench_put(b, (uint64_t[2]){ 0xff });
	bench_ring(b);
	machine_settle(b->machine, 50);
	EXPECT_EQ(at, bench_read(b, SMMU_CMDQ_CONS, 4) & 0xfffff);
	EXPECT_EQ(0, bench_error(b));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->dev, 1));
	EXPECT_FALSE(bench_wait(b));
	EXPECT_EQ(SMMU_CERROR_ILL, bench_error(b));
}

/* However many commands, in whatever order they happen, one CMD_SYNC completes them all. */
TEST_F(sync, completes_everything_before_it)
{
	struct bench *b = &self->b;
	uint64_t c[2], base = variant->nested ? BENCH_IPA : 0;

	RULE("SMMU-01");
	for (unsigned int i = 0; i < 16; i++) {
		bench_map(&b->s1, VA + i * 0x1000, base + self->page + i * 0x1000, 12, 0);
		EXPECT_EQ(self->page + i * 0x1000, bench_dma(b->dev, VA + i * 0x1000));
	}
	for (unsigned int i = 0; i < 16; i++) {
		bench_map(&b->s1, VA + i * 0x1000, 0, 12, MAP_NONE);
		smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA + i * 0x1000, i & 1);
		bench_put(b, c);
		smmuv3_cmd_cfgi_cd(c, i & 2 ? SID : OTHER_SID, 0, true);
		bench_put(b, c);
	}
	EXPECT_TRUE(bench_sync(b));
	for (unsigned int i = 0; i < 16; i++)
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA + i * 0x1000));
}

/* The completion signal comes after the guarantees, and once. */
TEST_F(sync, signals_after_it_is_complete)
{
	struct bench *b = &self->b;
	uint64_t c[2], word = pages_alloc(&b->pages, 4096);

	RULE("SMMU-02");
	EXPECT_EQ(DMA_HELD, endpoint_dma_start(b->dev, 1, &self->dma));
	tlbi(self, c);
	bench_put(b, c);
	smmuv3_cmd_sync(c, CMD_SYNC_CS_IRQ, word, 0x77);
	bench_put(b, c);
	smmuv3_cmd_sync(c, CMD_SYNC_CS_IRQ, BENCH_MSI, 0x78);
	bench_put(b, c);
	bench_ring(b);
	machine_settle(b->machine, 50);
	EXPECT_EQ(0, bench_load(b, word));
	EXPECT_EQ(0, b->msis);
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->dev, 1));
	EXPECT_TRUE(bench_wait(b));
	machine_settle(b->machine, 10);
	EXPECT_EQ(0x77, bench_load(b, word));
	EXPECT_EQ(1, b->msis);
	EXPECT_EQ(0x78, b->msi_data);
}

/* No record of the old configuration becomes visible after the CMD_SYNC. */
TEST_F(sync, old_events_come_before_it_or_never)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-02");
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA + 0x200000));
	cfgi(self, c);
	EXPECT_TRUE(bench_do(b, c));
	while (bench_event_id(b))
		;
	machine_settle(b->machine, 50);
	EXPECT_EQ(0, bench_event_id(b));
}

NIT_TEST_MAIN
