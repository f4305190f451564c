// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues of the reference SMMUv3: commands and their errors, what CMD_SYNC waits for, events,
 * stalls.
 */
#include "../../suites/arm/bench.h"

FIXTURE(queue) {
	struct bench b;
	struct bench_stream s;
	uint64_t page;
};

FIXTURE_SETUP(queue)
{
	struct bench *b = &self->b;

	bench_setup(b, NULL);
	self->s = bench_stream_s1(b);
	self->page = bench_page(b);
	bench_map(&b->s1, VA, self->page, 12, 0);
	bench_stream(b, SID, &self->s);
}

FIXTURE_TEARDOWN(queue)
{
	bench_teardown(&self->b);
}

/* ---- Errors ---- */

enum feature { ANY, NO_S1, NO_S2, NO_HYP, NO_ATS, NO_PRI, NO_STALL, NO_RIL };

static const struct {
	const char *name;
	enum feature feature;
	uint64_t c[2];
	unsigned int error;
} refused[] = {
	{ "opcode 0", ANY, { 0x00 }, SMMU_CERROR_ILL },
	{ "opcode 0x08", ANY, { 0x08 }, SMMU_CERROR_ILL },
	{ "opcode 0xff", ANY, { 0xff }, SMMU_CERROR_ILL },
	{ "CFGI_VMS_PIDM without MPAM", ANY, { CMD_CFGI_VMS_PIDM }, SMMU_CERROR_ILL },
	{ "EL3 commands", ANY, { CMD_TLBI_EL3_ALL }, SMMU_CERROR_ILL },
	{ "secure StreamID", ANY, { CMD_CFGI_STE | CMD0_SSEC }, SMMU_CERROR_ILL },
	{ "reserved bits", ANY, { CMD_TLBI_NH_ALL, 2 }, SMMU_CERROR_ILL },
	{ "CS 3", ANY, { CMD_SYNC | CMD0_SYNC_CS }, SMMU_CERROR_ILL },
	{ "PRI response 3", ANY, { CMD_PRI_RESP, CMD1_PRI_RESP }, SMMU_CERROR_ILL },
	{ "ATC size 53", ANY, { CMD_ATC_INV, 53 }, SMMU_CERROR_ILL },
	{ "ATC size 52", ANY, { CMD_ATC_INV, 52 }, 0 },
	{ "range without anything", ANY, { CMD_TLBI_NH_VA, 1 << 10 }, SMMU_CERROR_ILL },
	{ "16K, level 1, no DS", ANY, { CMD_TLBI_NH_VA, 2 << 10 | 1 << 8 }, SMMU_CERROR_ILL },
	{ "range of NUM 0 with a level", ANY, { CMD_TLBI_NH_VA, 1 << 10 | 3 << 8 }, 0 },
	{ "scale 32 without DS", ANY, { CMD_TLBI_NH_VA | 32 << 20, 1 << 10 }, SMMU_CERROR_ILL },
	{ "NUM without granule", ANY, { CMD_TLBI_S2_IPA | 1 << 12 }, SMMU_CERROR_ILL },
	{ "range without RIL", NO_RIL, { CMD_TLBI_NH_VA | 1 << 12, 1 << 10 }, SMMU_CERROR_ILL },
	{ "EL2 without Hyp", NO_HYP, { CMD_TLBI_EL2_ALL }, SMMU_CERROR_ILL },
	{ "EL2_VA without Hyp", NO_HYP, { CMD_TLBI_EL2_VA }, SMMU_CERROR_ILL },
	{ "EL2 with Hyp", ANY, { CMD_TLBI_EL2_ALL }, 0 },
	{ "ATC_INV without ATS", NO_ATS, { CMD_ATC_INV }, SMMU_CERROR_ILL },
	{ "PRI_RESP without PRI", NO_PRI, { CMD_PRI_RESP }, SMMU_CERROR_ILL },
	{ "RESUME without stall", NO_STALL, { CMD_RESUME }, SMMU_CERROR_ILL },
	{ "STALL_TERM without stall", NO_STALL, { CMD_STALL_TERM }, SMMU_CERROR_ILL },
	{ "S2_IPA without stage 2", NO_S2, { CMD_TLBI_S2_IPA }, SMMU_CERROR_ILL },
	{ "S12_VMALL without stage 2", NO_S2, { CMD_TLBI_S12_VMALL }, SMMU_CERROR_ILL },
	{ "NSNH_ALL without stage 2", NO_S2, { CMD_TLBI_NSNH_ALL }, 0 },
	{ "NH_ALL without stage 1", NO_S1, { CMD_TLBI_NH_ALL }, SMMU_CERROR_ILL },
	{ "CFGI_CD without stage 1", NO_S1, { CMD_CFGI_CD }, SMMU_CERROR_ILL },
	{ "CFGI_STE without stage 1", NO_S1, { CMD_CFGI_STE }, 0 },
};

static struct smmuv3_config without(enum feature feature)
{
	struct smmuv3_config config = smmuv3_config_full();

	config.s1p = feature != NO_S1;
	config.s2p = feature != NO_S2;
	config.hyp = feature != NO_HYP;
	config.ats = feature != NO_ATS;
	config.pri = feature != NO_PRI;
	config.ril = feature != NO_RIL;
	if (feature == NO_STALL)
		config.stall_model = SMMU_STALL_NEVER;
	return config;
}

TEST(illegal_commands_are_refused_where_they_stand)
{
	struct smmuv3_config config;
	struct bench b;

	for (unsigned int i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		config = without(refused[i].feature);
		bench_setup(&b, &config);
		EXPECT_EQ(refused[i].error, bench_refuses(&b, refused[i].c)) {
			TH_LOG("%s", refused[i].name);
		}
		EXPECT_TRUE(bench_sync(&b));
		bench_teardown(&b);
	}
}

TEST(lenient_hardware_ignores_reserved_bits)
{
	struct smmuv3_config config = smmuv3_config_full();
	struct bench b;

	config.lenient = true;
	bench_setup(&b, &config);
	EXPECT_EQ(0, bench_refuses(&b, (uint64_t[2]){ CMD_TLBI_NH_ALL, 2 }));
	EXPECT_TRUE(bench_sync(&b));
	bench_teardown(&b);
}

TEST_F(queue, an_error_stops_there_and_goes_on_after_the_acknowledgement)
{
	struct bench *b = &self->b;
	uint64_t bad[2] = { 0xff }, c[2], at;

	bench_write(b, SMMU_GERROR_IRQ_CFG0, 8, BENCH_MSI);
	bench_write(b, SMMU_GERROR_IRQ_CFG1, 4, 77);
	bench_write(b, SMMU_IRQ_CTRL, 4, SMMU_IRQ_CTRL_GERROR);
	EXPECT_EQ(self->page, bench_dma(b->dev, VA));
	bench_map(&b->s1, VA, 0, 12, MAP_NONE);
	at = b->prod;
	bench_put(b, bad);
	smmuv3_cmd_tlbi_nh_asid(c, VMID, ASID);
	bench_put(b, c);
	EXPECT_FALSE(bench_sync(b));
	EXPECT_EQ(SMMU_CERROR_ILL, bench_error(b));
	EXPECT_EQ(at, bench_read(b, SMMU_CMDQ_CONS, 4) & 0xfffff);
	EXPECT_EQ(self->page, bench_dma(b->dev, VA));
	machine_settle(b->machine, 10);
	EXPECT_EQ(77, b->msi_data);
	/* Neither ringing again nor a second error activates anything. */
	bench_ring(b);
	EXPECT_EQ(at, bench_read(b, SMMU_CMDQ_CONS, 4) & 0xfffff);
	EXPECT_EQ(1, b->msis);
	/* The failed command is fetched again, as it is now (7.1). */
	bench_store(b, b->cmdq + at * SMMU_CMD_SIZE, CMD_TLBI_NSNH_ALL);
	bench_write(b, SMMU_GERRORN, 4, bench_read(b, SMMU_GERROR, 4));
	EXPECT_TRUE(bench_wait(b));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
}

TEST_F(queue, a_command_that_cannot_be_read_aborts)
{
	struct bench *b = &self->b;

	bench_write(b, SMMU_CR0, 4, SMMU_CR0_SMMUEN);
	bench_write(b, SMMU_CMDQ_BASE, 8, 0x1000000000 | CMDQ_LOG2);
	bench_write(b, SMMU_CR0, 4, SMMU_CR0_SMMUEN | SMMU_CR0_CMDQEN);
	bench_write(b, SMMU_CMDQ_PROD, 4, 1);
	EXPECT_EQ(SMMU_CERROR_ABT, bench_error(b));
	EXPECT_EQ(0, bench_read(b, SMMU_CMDQ_CONS, 4) & 0xfffff);
}

TEST_F(queue, indices_wrap)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	smmuv3_cmd_tlbi_nh_asid(c, VMID, ASID);
	for (unsigned int i = 0; i < 5; i++) {
		for (unsigned int n = 0; n < 200; n++)
			bench_put(b, c);
		ASSERT_TRUE(bench_sync(b));
	}
	/* A full queue */
	for (unsigned int n = 0; n < 1 << CMDQ_LOG2; n++)
		bench_put(b, c);
	bench_ring(b);
	EXPECT_TRUE(bench_wait(b));
	EXPECT_EQ(b->prod, bench_read(b, SMMU_CMDQ_CONS, 4));
	EXPECT_EQ(5u, __atomic_load_n(&b->smmu->counts.syncs, __ATOMIC_RELAXED));
}

/* ---- CMD_SYNC ---- */

TEST_F(queue, effects_come_with_the_sync_or_early)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	for (unsigned int early = 0; early < 2; early++) {
		b->smmu->freedom.early = early * 1000;
		bench_map(&b->s1, VA, self->page, 12, 0);
		EXPECT_EQ(self->page, bench_dma(b->dev, VA));
		bench_map(&b->s1, VA, 0, 12, MAP_NONE);
		smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, true);
		bench_issue(b, c);
		EXPECT_TRUE(bench_consumed(b));
		EXPECT_EQ(early ? BENCH_FAULT : self->page, bench_dma(b->dev, VA));
		EXPECT_TRUE(bench_sync(b));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	}
}

TEST_F(queue, freedoms_change_when_but_not_what)
{
	struct bench *b = &self->b;
	struct freedom *freedom = &b->smmu->freedom;
	uint64_t c[2], page;

	freedom->evict = freedom->prefetch = freedom->early = freedom->reorder = 300;
	freedom->over = freedom->delay = 300;
	freedom->delay_steps = 7;
	for (unsigned int i = 0; i < 300; i++) {
		page = self->page + (i % 16) * 0x1000;
		bench_map(&b->s1, VA, page, 12, 0);
		smmuv3_cmd_cfgi_ste(c, SID, true);
		bench_put(b, c);
		smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, false);
		bench_put(b, c);
		ASSERT_TRUE(bench_sync(b));
		ASSERT_EQ(page, bench_dma(b->dev, VA));
	}
}

/* More commands than are remembered: the oldest take effect by themselves. */
TEST_F(queue, many_commands_without_a_sync)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	EXPECT_EQ(self->page, bench_dma(b->dev, VA));
	bench_map(&b->s1, VA, 0, 12, MAP_NONE);
	for (unsigned int i = 0; i < 1000; i++) {
		smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA + i * 0x1000, true);
		bench_issue(b, c);
	}
	EXPECT_TRUE(bench_sync(b));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
}

TEST_F(queue, sync_waits_for_requests_in_flight)
{
	struct bench *b = &self->b;
	uint64_t data = 0, c[2];
	struct dma dma = {
		.op = DMA_READ, .pasid = DMA_NO_PASID, .addr = VA, .len = 8, .data = &data,
	};

	EXPECT_EQ(DMA_HELD, endpoint_dma_start(b->dev, 1, &dma));
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, true);
	bench_put(b, c);
	bench_put_sync(b);
	bench_ring(b);
	EXPECT_FALSE(bench_consumed(b));
	machine_settle(b->machine, 20);
	EXPECT_FALSE(bench_consumed(b));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->dev, 1));
	EXPECT_TRUE(bench_wait(b));
	EXPECT_EQ(self->page, data);
}

/* Nothing was invalidated: who relies on it to wait is mistaken. */
TEST_F(queue, sync_alone_waits_for_nobody)
{
	struct bench *b = &self->b;
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .pasid = DMA_NO_PASID, .addr = VA, .len = 8, .data = &data,
	};

	EXPECT_EQ(DMA_HELD, endpoint_dma_start(b->dev, 1, &dma));
	EXPECT_TRUE(bench_sync(b));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->dev, 1));
}

TEST_F(queue, sync_signals_where_it_is_told)
{
	struct bench *b = &self->b;
	uint64_t c[2], word = pages_alloc(&b->pages, 4096);

	smmuv3_cmd_sync(c, CMD_SYNC_CS_IRQ, BENCH_MSI, 5);
	bench_issue(b, c);
	machine_settle(b->machine, 10);
	EXPECT_EQ(1, b->msis);
	EXPECT_EQ(BENCH_MSI, b->msi_addr);
	EXPECT_EQ(5, b->msi_data);
	smmuv3_cmd_sync(c, CMD_SYNC_CS_IRQ, word + 8, 6);
	bench_issue(b, c);
	EXPECT_EQ(6, bench_load(b, word + 8));
	smmuv3_cmd_sync(c, CMD_SYNC_CS_SEV, BENCH_MSI, 7);
	bench_issue(b, c);
	smmuv3_cmd_sync(c, CMD_SYNC_CS_IRQ, 0, 8);
	bench_issue(b, c);
	machine_settle(b->machine, 10);
	EXPECT_EQ(1, b->msis);
	EXPECT_TRUE(bench_consumed(b));
}

/* Without a CMD_SYNC in between, CFGI may come after TLBI: the gap that software must close. */
TEST_F(queue, nothing_orders_commands_but_sync)
{
	struct bench *b = &self->b;
	struct bench_table next = bench_table(b, 12, 48, false, false);
	uint64_t c[2], cds = bench_stream(b, SID, &self->s), other = bench_page(b);
	struct bench_stream after = self->s;

	smmuv3_cmd_cfgi_ste(c, SID, true);
	EXPECT_TRUE(bench_do(b, c));
	bench_map(&next, VA, other, 12, 0);
	EXPECT_EQ(self->page, bench_dma(b->dev, VA));
	after.s1 = &next;
	bench_cd(b, cds, &after);
	smmuv3_cmd_cfgi_cd(c, SID, 0, true);
	bench_put(b, c);
	smmuv3_cmd_tlbi_nh_asid(c, VMID, ASID);
	bench_put(b, c);
	bench_put_sync(b);
	bench_ring(b);
	EXPECT_EQ(self->page, bench_dma(b->dev, VA));	/* from the old CD, after the TLBI */
	EXPECT_TRUE(bench_wait(b));
	EXPECT_EQ(self->page, bench_dma(b->dev, VA));
	smmuv3_cmd_tlbi_nh_asid(c, VMID, ASID);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(other, bench_dma(b->dev, VA));
}

TEST_F(queue, prefetch_commands_fill_and_never_fault)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	smmuv3_cmd_prefetch_config(c, SID);
	EXPECT_TRUE(bench_do(b, c));
	smmuv3_cmd_prefetch_addr(c, SID, VA, 2, 0);
	EXPECT_TRUE(bench_do(b, c));
	smmuv3_cmd_prefetch_addr(c, 0xffff, VA, 0, 0);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(0, bench_event_id(b));
	bench_map(&b->s1, VA, 0, 12, MAP_NONE);
	EXPECT_EQ(self->page, bench_dma(b->dev, VA));
}

/* ---- Events ---- */

TEST_F(queue, events_overflow_and_recover)
{
	struct bench *b = &self->b;
	unsigned int count = 0;

	bench_write(b, SMMU_EVENTQ_IRQ_CFG0, 8, BENCH_MSI);
	bench_write(b, SMMU_IRQ_CTRL, 4, SMMU_IRQ_CTRL_EVENTQ);
	for (unsigned int i = 0; i < (1 << EVENTQ_LOG2); i++)
		bench_dma(b->dev, VA + 0x100000 + i * 0x1000);
	EXPECT_EQ(0, bench_read(b, SMMU_EVENTQ_PROD, 4) & SMMU_Q_OVFLG);
	bench_dma(b->dev, VA + 0x200000);
	EXPECT_NE(0, bench_read(b, SMMU_EVENTQ_PROD, 4) & SMMU_Q_OVFLG);
	bench_dma(b->dev, VA + 0x200000);
	EXPECT_NE(0, bench_read(b, SMMU_EVENTQ_PROD, 4) & SMMU_Q_OVFLG);
	machine_settle(b->machine, 10);
	EXPECT_EQ(1, b->msis);
	while (bench_event_id(b) == EVENT_F_TRANSLATION)
		count++;
	EXPECT_EQ(1u << EVENTQ_LOG2, count);
	bench_dma(b->dev, VA + 0x200000);
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
}

TEST_F(queue, events_merge_only_where_allowed)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	for (unsigned int mev = 0; mev < 2; mev++) {
		self->s.ste1 = mev ? STE1_MEV : 0;
		bench_stream(b, SID, &self->s);
		smmuv3_cmd_cfgi_ste(c, SID, true);
		EXPECT_TRUE(bench_do(b, c));
		bench_dma(b->dev, VA + 0x100000);
		bench_dma(b->dev, VA + 0x100008);
		bench_dma(b->dev, VA + 0x101000);
		EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
		EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
		EXPECT_EQ(mev ? 0 : EVENT_F_TRANSLATION, bench_event_id(b));
	}
}

TEST_F(queue, events_are_visible_after_a_sync_at_the_latest)
{
	struct bench *b = &self->b;

	b->smmu->freedom.delay = 1000;
	b->smmu->freedom.delay_steps = 100;
	bench_dma(b->dev, VA + 0x100000);
	EXPECT_EQ(0, bench_event_id(b));
	b->smmu->freedom.delay = 0;
	EXPECT_TRUE(bench_sync(b));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
	machine_settle(b->machine, 200);
	EXPECT_EQ(0, bench_event_id(b));
}

TEST_F(queue, events_that_cannot_be_written_are_a_global_error)
{
	struct bench *b = &self->b;

	bench_write(b, SMMU_EVENTQ_BASE, 8, 0x1000000000 | EVENTQ_LOG2);
	bench_dma(b->dev, VA + 0x100000);
	EXPECT_EQ(SMMU_GERROR_EVENTQ_ABT_ERR, bench_read(b, SMMU_GERROR, 4));
	bench_write(b, SMMU_EVENTQ_BASE, 8, b->eventq | EVENTQ_LOG2);
	bench_dma(b->dev, VA + 0x100000);
	EXPECT_EQ(0, bench_event_id(b));
	bench_write(b, SMMU_GERRORN, 4, SMMU_GERROR_EVENTQ_ABT_ERR);
	bench_dma(b->dev, VA + 0x100000);
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
}

/* ---- Stalls ---- */

static struct dma read_of(uint64_t addr, uint64_t *data)
{
	return (struct dma){
		.op = DMA_READ, .pasid = DMA_NO_PASID, .addr = addr, .len = 8, .data = data,
	};
}

FIXTURE(stall) {
	struct bench b;
	struct bench_stream s;
	uint64_t page;
};

FIXTURE_SETUP(stall)
{
	struct bench *b = &self->b;

	bench_setup(b, NULL);
	self->s = bench_stream_s1(b);
	self->s.cd0 = CD0_S;
	self->page = bench_page(b);
	bench_stream(b, SID, &self->s);
}

FIXTURE_TEARDOWN(stall)
{
	bench_teardown(&self->b);
}

TEST_F(stall, stalls_until_it_is_resumed)
{
	struct bench *b = &self->b;
	uint64_t words[4], c[2], data = 0;
	struct dma dma = read_of(VA, &data);
	unsigned int stag;

	EXPECT_EQ(DMA_STALLED, endpoint_dma(b->dev, 0, &dma));
	ASSERT_EQ(EVENT_F_TRANSLATION, bench_event(b, words));
	EXPECT_NE(0, words[1] & EVENT1_STALL);
	stag = smmu_get(EVENT1_STAG, words[1]);
	bench_map(&b->s1, VA, self->page, 12, 0);
	EXPECT_TRUE(bench_sync(b));
	EXPECT_EQ(DMA_STALLED, endpoint_dma_finish(b->dev, 0));
	smmuv3_cmd_resume(c, OTHER_SID, stag, true, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(DMA_STALLED, endpoint_dma_finish(b->dev, 0));
	smmuv3_cmd_resume(c, SID, stag + 1, true, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(DMA_STALLED, endpoint_dma_finish(b->dev, 0));
	smmuv3_cmd_resume(c, SID, stag, true, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->dev, 0));
	EXPECT_EQ(self->page, data);
}

TEST_F(stall, terminated_one_by_one_by_stream_and_by_smmuen)
{
	struct bench *b = &self->b;
	uint64_t words[4], c[2], data;
	struct dma dma = read_of(VA, &data);

	EXPECT_EQ(DMA_STALLED, endpoint_dma(b->dev, 0, &dma));
	ASSERT_EQ(EVENT_F_TRANSLATION, bench_event(b, words));
	smmuv3_cmd_resume(c, SID, smmu_get(EVENT1_STAG, words[1]), false, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(DMA_ABORTED, endpoint_dma_finish(b->dev, 0));

	EXPECT_EQ(DMA_STALLED, endpoint_dma(b->dev, 0, &dma));
	smmuv3_cmd_stall_term(c, OTHER_SID);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(DMA_STALLED, endpoint_dma_finish(b->dev, 0));
	smmuv3_cmd_stall_term(c, SID);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(DMA_ABORTED, endpoint_dma_finish(b->dev, 0));

	EXPECT_EQ(DMA_STALLED, endpoint_dma(b->dev, 0, &dma));
	bench_write(b, SMMU_CR0, 4, 0);
	EXPECT_EQ(DMA_ABORTED, endpoint_dma_finish(b->dev, 0));
}

TEST_F(stall, a_full_event_queue_delays_the_record_and_loses_nothing)
{
	struct bench *b = &self->b;
	uint64_t words[4], data;
	struct bench_stream s = self->s;
	struct dma dma = read_of(VA, &data);
	unsigned int i;

	s.cd0 = 0;
	bench_stream(b, OTHER_SID, &s);
	for (i = 0; i < 1 << EVENTQ_LOG2; i++)
		bench_dma(b->other, VA + i * 0x1000);
	EXPECT_EQ(DMA_STALLED, endpoint_dma(b->dev, 0, &dma));
	EXPECT_EQ(0, bench_read(b, SMMU_EVENTQ_PROD, 4) & SMMU_Q_OVFLG);
	for (i = 0; i < 1 << EVENTQ_LOG2; i++)
		EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event(b, words));
	EXPECT_NE(0, words[1] & EVENT1_STALL);
}

TEST_F(stall, a_second_one_for_the_page_is_suppressed_and_retried)
{
	struct bench *b = &self->b;
	uint64_t words[4], c[2], data[2] = { 0 };
	struct dma first = read_of(VA, &data[0]), second = read_of(VA + 8, &data[1]);

	EXPECT_EQ(DMA_STALLED, endpoint_dma(b->dev, 0, &first));
	EXPECT_EQ(DMA_STALLED, endpoint_dma(b->dev, 1, &second));
	ASSERT_EQ(EVENT_F_TRANSLATION, bench_event(b, words));
	EXPECT_EQ(0, bench_event_id(b));
	bench_map(&b->s1, VA, self->page, 12, 0);
	smmuv3_cmd_resume(c, SID, smmu_get(EVENT1_STAG, words[1]), true, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->dev, 0));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->dev, 1));
}

TEST_F(stall, only_where_it_is_configured)
{
	struct bench *b = &self->b;
	uint64_t c[2], cds;

	self->s.ste1 = STE1_S1STALLD;
	cds = bench_stream(b, SID, &self->s);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_C_BAD_CD, bench_event_id(b));
	self->s.cd0 = 0;
	bench_cd(b, cds, &self->s);
	smmuv3_cmd_cfgi_cd(c, SID, 0, true);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	EXPECT_EQ(EVENT_F_TRANSLATION, bench_event_id(b));
}

TEST_F(stall, stage_2_stalls_by_itself)
{
	struct bench *b = &self->b;
	struct bench_stream s = bench_stream_nested(b);
	uint64_t words[4], c[2], data;
	struct dma dma = read_of(VA, &data);

	s.ste2 = STE2_S2S;
	bench_map(&b->s1, VA, 0x7000000000, 12, 0);
	bench_stream(b, OTHER_SID, &s);
	EXPECT_EQ(DMA_STALLED, endpoint_dma(b->other, 0, &dma));
	ASSERT_EQ(EVENT_F_TRANSLATION, bench_event(b, words));
	EXPECT_EQ(EVENT1_STALL | EVENT1_S2, words[1] & (EVENT1_STALL | EVENT1_S2));
	bench_map(&b->s2, 0x7000000000, self->page, 12, 0);
	smmuv3_cmd_resume(c, OTHER_SID, smmu_get(EVENT1_STAG, words[1]), true, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(b->other, 0));
	EXPECT_EQ(self->page, data);
}

NIT_TEST_MAIN
