// SPDX-License-Identifier: GPL-2.0-only
/* Commands in error, events, and the event log. */
#include "bench.h"

#define IOVA 0x123456789000ULL

FIXTURE(errors) {
	struct bench b;
	struct pgtable table;
};

FIXTURE_SETUP(errors)
{
	ASSERT_EQ(0, bench_open(&self->b, NULL));
	ASSERT_EQ(0, bench_host(&self->b, &self->table, 4, 0, DOMAIN0));
}

FIXTURE_TEARDOWN(errors)
{
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	bench_close(&self->b);
}

/* ---- Illegal commands ---- */

/* struct illegal - a command that must not be there */
static const struct illegal {
	const char *what;
	uint64_t command[2];
} illegal[] = {
	{ "opcode 0", { 0, 0 } },
	{ "opcode 15", { 0xfULL << 60, 0 } },
	{ "COMPLETION_WAIT, bit 52", { 0x1010000000000000ULL, 0 } },
	{ "INVALIDATE_DEVTAB_ENTRY, bit 16", { 0x2000000000010000ULL, 0 } },
	{ "INVALIDATE_DEVTAB_ENTRY, bit 64", { 0x2000000000000000ULL, 1 } },
	{ "INVALIDATE_IOMMU_PAGES, bit 20", { 0x3000000000100000ULL, 0 } },
	{ "INVALIDATE_IOMMU_PAGES, bit 48", { 0x3001000000000000ULL, 0 } },
	{ "INVALIDATE_IOMMU_PAGES, bit 67", { 0x3000000000000000ULL, 8 } },
	{ "INVALIDATE_IOTLB_PAGES, bit 65", { 0x4000000000000000ULL, 2 } },
	{ "INVALIDATE_INTERRUPT_TABLE, bit 16", { 0x5000000000010000ULL, 0 } },
	{ "PREFETCH_IOMMU_PAGES, bit 16", { 0x6000000000010000ULL, 0 } },
	{ "COMPLETE_PPR_REQUEST, tag bit 9", { 0x7000000000000000ULL, 1ULL << 41 } },
	{ "INVALIDATE_IOMMU_ALL, bit 0", { 0x8000000000000001ULL, 0 } },
};

TEST_F(errors, illegal_command_halts_the_buffer)
{
	uint64_t event[2], at;

	RULE("AMD-46");
	for (unsigned int i = 0; i < ARRAY_SIZE(illegal); i++) {
		at = self->b.cmdbuf + self->b.tail;
		bench_command(&self->b, illegal[i].command);
		EXPECT_FALSE(bench_wait(&self->b)) TH_LOG("%s", illegal[i].what);
		EXPECT_EQ(AMDVI_ILLEGAL_COMMAND_ERROR, bench_event(&self->b, event))
			TH_LOG("%s", illegal[i].what);
		EXPECT_EQ(at, event[1]);
		EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_CMDBUF_RUN);
		/* The restart of 2.4: off, everything correct, on. */
		bench_control(&self->b, AMDVI_CONTROL_CMDBUF_EN, 0);
		bench_set(&self->b, AMDVI_CMDBUF_HEAD, self->b.tail);
		bench_control(&self->b, 0, AMDVI_CONTROL_CMDBUF_EN);
		EXPECT_TRUE(bench_wait(&self->b)) TH_LOG("%s", illegal[i].what);
	}
}

/* Translation goes on while the command buffer is halted. */
TEST_F(errors, translation_goes_on)
{
	RULE("AMD-46");
	bench_map(&self->table, IOVA, bench_page(&self->b, 1), 12);
	bench_command(&self->b, illegal[0].command);
	EXPECT_FALSE(bench_wait(&self->b));
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

/* What stood before the illegal command is not lost: a wait after the restart covers it. */
TEST_F(errors, commands_before_the_error_count)
{
	RULE("AMD-46");
	bench_map(&self->table, IOVA, bench_page(&self->b, 1), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_map(&self->table, IOVA, bench_page(&self->b, 2), 12);
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	bench_command(&self->b, illegal[0].command);
	bench_control(&self->b, AMDVI_CONTROL_CMDBUF_EN, 0);
	bench_set(&self->b, AMDVI_CMDBUF_HEAD, self->b.tail);
	bench_control(&self->b, 0, AMDVI_CONTROL_CMDBUF_EN);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

static const struct amdvi_config plain = { .host_levels = 4, .guest_levels = 4, .gcr3_levels = 1,
					   .pasid_bits = 9 };

BENCH(plain, &plain)

/* Commands of features that are not there are illegal. */
TEST_F(plain, command_without_its_feature)
{
	static const uint64_t opcodes[] = {
		AMDVI_PREFETCH_IOMMU_PAGES, AMDVI_COMPLETE_PPR_REQUEST,
		AMDVI_INVALIDATE_IOMMU_ALL, AMDVI_RESET_VMMIO,
	};
	uint64_t event[2];

	RULE("AMD-46");
	for (unsigned int i = 0; i < ARRAY_SIZE(opcodes); i++) {
		bench_command(&self->b, (uint64_t[]){ opcodes[i] << 60, 0 });
		EXPECT_FALSE(bench_wait(&self->b));
		EXPECT_EQ(AMDVI_ILLEGAL_COMMAND_ERROR, bench_event(&self->b, event))
			TH_LOG("opcode %u", (unsigned int)opcodes[i]);
		bench_control(&self->b, AMDVI_CONTROL_CMDBUF_EN, 0);
		bench_set(&self->b, AMDVI_CMDBUF_HEAD, self->b.tail);
		bench_control(&self->b, 0, AMDVI_CONTROL_CMDBUF_EN);
	}
}

TEST_F(errors, command_buffer_out_of_reach)
{
	uint64_t event[2];

	RULE("AMD-46");
	bench_control(&self->b, AMDVI_CONTROL_CMDBUF_EN, 0);
	bench_set(&self->b, AMDVI_CMDBUF_BASE, 0x1000000000ULL | amdvi_put(8, AMDVI_BASE_LEN));
	bench_control(&self->b, 0, AMDVI_CONTROL_CMDBUF_EN);
	bench_set(&self->b, AMDVI_CMDBUF_TAIL, 16);
	EXPECT_EQ(AMDVI_COMMAND_HARDWARE_ERROR, bench_event(&self->b, event));
	EXPECT_EQ(0x1000000000ULL, event[1]);
	EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_CMDBUF_RUN);
}

TEST_F(errors, store_out_of_reach)
{
	uint64_t command[2], event[2];

	RULE("AMD-46");
	amdvi_cmd_completion_wait(command, AMDVI_WAIT0_S, 0x1000000000ULL, 1);
	bench_command(&self->b, command);
	EXPECT_EQ(AMDVI_COMMAND_HARDWARE_ERROR, bench_event(&self->b, event));
	EXPECT_EQ(self->b.cmdbuf + self->b.tail - 16, event[1]);
	EXPECT_FALSE(bench_wait(&self->b));
}

/* ---- Events of devices ---- */

TEST_F(errors, page_fault_says_what_was_tried)
{
	uint64_t event[2];

	RULE("AMD-47");
	EXPECT_FALSE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA + 0x123, 1));
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_fault(&self->b, 0, event));
	EXPECT_EQ(IOVA + 0x123, event[1]);
	EXPECT_EQ(DOMAIN0, amdvi_get(event[0], AMDVI_EVENT0_PASID));
	EXPECT_EQ(AMDVI_EVENT0_RW, event[0] & (AMDVI_EVENT0_RW | AMDVI_EVENT0_PR |
					       AMDVI_EVENT0_GN | AMDVI_EVENT0_TR));
	pgtable_map(&self->table, IOVA, bench_page(&self->b, 1), 4096, PGTABLE_READ, 12);
	EXPECT_FALSE(bench_write(&self->b, 0, DMA_NO_PASID, IOVA, 1));
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_fault(&self->b, 0, event));
	EXPECT_EQ(AMDVI_EVENT0_RW | AMDVI_EVENT0_PR | AMDVI_EVENT0_PE,
		  event[0] & (AMDVI_EVENT0_RW | AMDVI_EVENT0_PR | AMDVI_EVENT0_PE));
}

TEST_F(errors, suppressed_faults)
{
	uint64_t dte[4], event[2];

	RULE("AMD-47");
	bench_host_dte(dte, DOMAIN0, self->table.root, 4);
	dte[1] |= AMDVI_DTE1_SE;
	bench_dte(&self->b, BENCH_RID0, dte);
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_event(&self->b, event));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(0, bench_event(&self->b, event));
	dte[1] |= AMDVI_DTE1_SA;
	bench_dte(&self->b, BENCH_RID0, dte);
	bench_inv_dte(&self->b, BENCH_RID0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(0, bench_event(&self->b, event));
}

TEST_F(errors, table_out_of_reach)
{
	uint64_t dte[4], event[2];

	RULE("AMD-47");
	bench_host_dte(dte, DOMAIN0, 0x1000000000ULL, 4);
	bench_dte(&self->b, BENCH_RID0, dte);
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(AMDVI_PAGE_TAB_HARDWARE_ERROR, bench_fault(&self->b, 0, event));
}

/* ---- The log itself ---- */

TEST_F(errors, one_interrupt_until_it_is_acknowledged)
{
	RULE("AMD-48");
	bench_read(&self->b, 0, DMA_NO_PASID, IOVA);
	bench_read(&self->b, 0, DMA_NO_PASID, IOVA);
	bench_settle(&self->b);
	EXPECT_EQ(1, self->b.interrupts);
	EXPECT_NE(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_EVT_INT);
	bench_set(&self->b, AMDVI_STATUS, AMDVI_STATUS_EVT_INT);
	bench_read(&self->b, 0, DMA_NO_PASID, IOVA);
	bench_settle(&self->b);
	EXPECT_EQ(2, self->b.interrupts);
}

/* The oldest events are kept, the newest lost, and software is told. */
TEST_F(errors, log_overflows)
{
	const unsigned int room = BENCH_RING / 16 - 1;
	uint64_t event[2];

	RULE("AMD-48");
	for (unsigned int i = 0; i < room + 5; i++)
		bench_read(&self->b, 0, DMA_NO_PASID, IOVA + i * 0x1000);
	EXPECT_EQ(AMDVI_STATUS_EVT_OVERFLOW, bench_mmio(&self->b, AMDVI_STATUS) &
		  (AMDVI_STATUS_EVT_OVERFLOW | AMDVI_STATUS_EVT_RUN));
	for (unsigned int i = 0; i < room; i++) {
		EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_event(&self->b, event));
		EXPECT_EQ(IOVA + i * 0x1000, event[1]);
	}
	EXPECT_EQ(0, bench_event(&self->b, event));
	bench_control(&self->b, AMDVI_CONTROL_EVT_LOG_EN, 0);
	bench_set(&self->b, AMDVI_STATUS, AMDVI_STATUS_EVT_OVERFLOW);
	bench_control(&self->b, 0, AMDVI_CONTROL_EVT_LOG_EN);
	bench_read(&self->b, 0, DMA_NO_PASID, IOVA);
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_event(&self->b, event));
}

TEST_F(errors, log_wraps)
{
	uint64_t event[2];

	RULE("AMD-48");
	for (uint64_t i = 0; i < 3 * BENCH_RING / 16; i++) {
		bench_read(&self->b, 0, DMA_NO_PASID, IOVA + i * 0x1000);
		ASSERT_EQ(AMDVI_IO_PAGE_FAULT, bench_fault(&self->b, 0, event));
		ASSERT_EQ(IOVA + i * 0x1000, event[1]);
	}
	EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_STATUS) & AMDVI_STATUS_EVT_OVERFLOW);
}

NIT_TEST_MAIN
