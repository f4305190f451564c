// SPDX-License-Identifier: GPL-2.0-only
/* COMPLETION_WAIT and the command buffer: what a wait promises, and how commands get to it. */
#include "bench.h"

#define IOVA 0x123456789000ULL

/* Device 0 on a host table. */
FIXTURE(wait) {
	struct bench b;
	struct pgtable table;
};

FIXTURE_SETUP(wait)
{
	ASSERT_EQ(0, bench_open(&self->b, NULL));
	ASSERT_EQ(0, bench_host(&self->b, &self->table, 4, 0, DOMAIN0));
}

FIXTURE_TEARDOWN(wait)
{
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	bench_close(&self->b);
}

static void wait_command(struct bench *b, uint64_t flags, uint64_t addr, uint64_t data)
{
	uint64_t command[2];

	amdvi_cmd_completion_wait(command, flags, addr, data);
	bench_command(b, command);
}

TEST_F(wait, stores_its_data_and_nothing_else)
{
	uint64_t place = bench_alloc(&self->b, 4096) + 0x7f8;

	RULE("AMD-05");
	wait_command(&self->b, AMDVI_WAIT0_S, place, 0x0123456789abcdefULL);
	EXPECT_EQ(0x0123456789abcdefULL, *bench_word(&self->b, place));
	EXPECT_EQ(0, *bench_word(&self->b, place - 8));
	EXPECT_EQ(0, *bench_word(&self->b, place + 8));
	EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_COMWAIT_INT);
}

TEST_F(wait, without_s_stores_nothing)
{
	uint64_t place = bench_alloc(&self->b, 4096);

	RULE("AMD-05");
	wait_command(&self->b, 0, place, 1);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(0, *bench_word(&self->b, place));
}

TEST_F(wait, i_sets_status_and_interrupts)
{
	RULE("AMD-05");
	wait_command(&self->b, AMDVI_WAIT0_I, 0, 0);
	bench_settle(&self->b);
	EXPECT_NE(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_COMWAIT_INT);
	EXPECT_EQ(1, self->b.interrupts);
	bench_set(&self->b, AMDVI_STATUS, AMDVI_STATUS_COMWAIT_INT);
	EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_COMWAIT_INT);
	wait_command(&self->b, AMDVI_WAIT0_I | AMDVI_WAIT0_S, self->b.store, 5);
	bench_settle(&self->b);
	EXPECT_EQ(2, self->b.interrupts);
}

TEST_F(wait, interrupt_only_if_enabled)
{
	RULE("AMD-05");
	bench_control(&self->b, AMDVI_CONTROL_COMWAIT_INT_EN, 0);
	wait_command(&self->b, AMDVI_WAIT0_I, 0, 0);
	bench_settle(&self->b);
	EXPECT_NE(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_COMWAIT_INT);
	EXPECT_EQ(0, self->b.interrupts);
}

/* ---- DMA in flight ---- */

/* A request that was translated before the invalidation has not reached memory yet. */
TEST_F(wait, drains_dma_in_flight)
{
	uint64_t old = bench_page(&self->b, 1), data = 7;
	struct dma dma = {
		.op = DMA_WRITE, .pasid = DMA_NO_PASID, .addr = IOVA, .len = 8, .data = &data,
	};

	RULE("AMD-05");
	bench_map(&self->table, IOVA, old, 12);
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->b.dev[0], 1, &dma));
	bench_unmap(&self->table, IOVA, 12);
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_FALSE(bench_wait(&self->b));
	EXPECT_EQ(1, *bench_word(&self->b, old));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->b.dev[0], 1));
	bench_settle(&self->b);
	EXPECT_TRUE(bench_waited(&self->b));
	EXPECT_EQ(7, *bench_word(&self->b, old));
}

/* Who comes after the invalidation does not hold up the wait. */
TEST_F(wait, does_not_drain_later_dma)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .pasid = DMA_NO_PASID, .addr = IOVA, .len = 8, .data = &data,
	}, later = dma;

	RULE("AMD-05");
	bench_map(&self->table, IOVA, bench_page(&self->b, 1), 12);
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->b.dev[0], 1, &dma));
	EXPECT_FALSE(bench_wait(&self->b));
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->b.dev[0], 2, &later));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->b.dev[0], 1));
	bench_settle(&self->b);
	EXPECT_TRUE(bench_waited(&self->b));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->b.dev[0], 2));
}

/* ---- Commands before and behind it ---- */

TEST_F(wait, covers_every_older_command)
{
	RULE("AMD-05");
	for (uint64_t i = 0; i < 100; i++)
		bench_map(&self->table, IOVA + i * 0x1000, bench_page(&self->b, 1), 12);
	for (uint64_t i = 0; i < 100; i++)
		EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA + i * 0x1000));
	for (uint64_t i = 0; i < 100; i++) {
		bench_map(&self->table, IOVA + i * 0x1000, bench_page(&self->b, 2), 12);
		bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA + i * 0x1000, 12), 0);
	}
	EXPECT_TRUE(bench_wait(&self->b));
	for (uint64_t i = 0; i < 100; i++)
		EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA + i * 0x1000));
}

/* More commands than the buffer holds, through its end again and again. */
TEST_F(wait, command_buffer_wraps)
{
	RULE("AMD-45");
	for (uint64_t i = 0; i < 3 * BENCH_RING / 16; i++) {
		bench_map(&self->table, IOVA, bench_page(&self->b, i), 12);
		bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
		ASSERT_TRUE(bench_wait(&self->b));
		ASSERT_EQ(i, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
		ASSERT_EQ(self->b.tail, bench_mmio(&self->b, AMDVI_CMDBUF_HEAD));
	}
}

/* Filled to the last entry that may be used, then rung once. */
TEST_F(wait, full_buffer_in_one_go)
{
	uint64_t command[2];

	RULE("AMD-45");
	for (unsigned int i = 0; i < BENCH_RING / 16 - 2; i++) {
		amdvi_cmd_invalidate_iommu_pages(command, DOMAIN0, 0,
						 amdvi_inv_address(IOVA + i * 0x1000, 12), 0);
		bench_put(&self->b, command);
	}
	bench_map(&self->table, IOVA + 0x7000, bench_page(&self->b, 1), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA + 0x7000));
	bench_map(&self->table, IOVA + 0x7000, bench_page(&self->b, 2), 12);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA + 0x7000));
}

/* Several waits in a row end in their order: a store is never older than what is there. */
/*
 * F: what stands behind the wait starts when it is over. Here the wait hangs on a DMA in flight,
 * and hardware is free to do anything early and in any order that it may.
 */
TEST_F(wait, f_holds_back_later_commands)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .pasid = DMA_NO_PASID, .addr = IOVA, .len = 8, .data = &data,
	};

	RULE("AMD-05");
	self->b.iommu->freedom.early = 1000;
	self->b.iommu->freedom.reorder = 1000;
	bench_map(&self->table, IOVA, bench_page(&self->b, 1), 12);
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->b.dev[0], 1, &dma));
	wait_command(&self->b, AMDVI_WAIT0_S | AMDVI_WAIT0_F, self->b.store, ++self->b.stored);
	bench_map(&self->table, IOVA, bench_page(&self->b, 2), 12);
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	bench_settle(&self->b);
	EXPECT_FALSE(bench_waited(&self->b));
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->b.dev[0], 1));
	bench_settle(&self->b);
	EXPECT_TRUE(bench_waited(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

/* A command buffer that is switched off and on again still owes what it fetched. */
TEST_F(wait, buffer_is_restarted)
{
	RULE("AMD-46");
	bench_map(&self->table, IOVA, bench_page(&self->b, 1), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_map(&self->table, IOVA, bench_page(&self->b, 2), 12);
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	bench_control(&self->b, AMDVI_CONTROL_CMDBUF_EN, 0);
	EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_CMDBUF_RUN);
	bench_start_wait(&self->b);
	bench_settle(&self->b);
	EXPECT_FALSE(bench_waited(&self->b));
	bench_control(&self->b, 0, AMDVI_CONTROL_CMDBUF_EN);
	EXPECT_TRUE(bench_waited(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

NIT_TEST_MAIN
