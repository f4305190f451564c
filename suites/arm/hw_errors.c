// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command errors of an SMMUv3 and the way back (IHI 0070 4.1.3, 7.1, 7.5), on bare hardware.
 */
#include "bench.h"

FIXTURE(errors) {
	struct bench b;
	uint64_t page;
};

FIXTURE_SETUP(errors)
{
	struct bench *b = &self->b;
	struct bench_stream s;

	bench_setup(b, NULL);
	s = bench_stream_s1(b);
	self->page = bench_page(b);
	bench_map(&b->s1, VA, self->page, 12, 0);
	bench_stream(b, SID, &s);
}

FIXTURE_TEARDOWN(errors)
{
	bench_teardown(&self->b);
}

static void stale(struct __test_metadata *_metadata, struct bench *b, uint64_t page)
{
	bench_map(&b->s1, VA, page, 12, 0);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
	bench_map(&b->s1, VA, 0, 12, MAP_NONE);
	EXPECT_EQ(page, bench_dma(b->dev, VA));
}

/* CONS is the number of commands whose fate is settled: it stops at the one that failed. */
TEST_F(errors, consumption_stops_at_the_illegal_command)
{
	struct bench *b = &self->b;
	uint64_t c[2], at;

	RULE("SMMU-12");
	stale(_metadata, b, self->page);
	smmuv3_cmd_tlbi_nh_asid(c, VMID, ASID);
	bench_put(b, c);
	bench_put_sync(b);
	at = b->prod;
	bench_put(b, (uint64_t[2]){ 0xff });
	bench_put_sync(b);
	bench_ring(b);
	EXPECT_FALSE(bench_wait(b));
	EXPECT_EQ(SMMU_CERROR_ILL, bench_error(b));
	EXPECT_EQ(at, bench_read(b, SMMU_CMDQ_CONS, 4) & 0xfffff);
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));	/* what came before is done */
}

TEST_F(errors, nothing_goes_on_before_the_acknowledgement)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-12");
	stale(_metadata, b, self->page);
	bench_put(b, (uint64_t[2]){ 0xff });
	smmuv3_cmd_tlbi_nh_asid(c, VMID, ASID);
	bench_put(b, c);
	bench_put_sync(b);
	bench_ring(b);
	machine_settle(b->machine, 50);
	EXPECT_EQ(self->page, bench_dma(b->dev, VA));
	EXPECT_FALSE(bench_consumed(b));
	/* The failing command is read again, as software has repaired it. */
	bench_store(b, b->cmdq, CMD_TLBI_NSNH_ALL);
	bench_write(b, SMMU_GERRORN, 4, bench_read(b, SMMU_GERROR, 4));
	EXPECT_TRUE(bench_wait(b));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
}

TEST_F(errors, prod_may_be_taken_back_while_the_error_stands)
{
	struct bench *b = &self->b;

	RULE("SMMU-12");
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQ(SMMU_CERROR_ILL, bench_refuses(b, (uint64_t[2]){ 0xfe }));
		EXPECT_TRUE(bench_sync(b));
	}
}

/* The error is signalled once, by a toggled bit and an interrupt. */
TEST_F(errors, gerror_toggles_and_interrupts)
{
	struct bench *b = &self->b;

	RULE("SMMU-12");
	bench_write(b, SMMU_GERROR_IRQ_CFG0, 8, BENCH_MSI);
	bench_write(b, SMMU_GERROR_IRQ_CFG1, 4, 0x33);
	bench_write(b, SMMU_IRQ_CTRL, 4, SMMU_IRQ_CTRL_GERROR);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t before = bench_read(b, SMMU_GERROR, 4);

		bench_issue(b, (uint64_t[2]){ 0xfe });
		EXPECT_EQ(SMMU_GERROR_CMDQ_ERR, before ^ bench_read(b, SMMU_GERROR, 4));
		machine_settle(b->machine, 20);
		EXPECT_EQ(i + 1, b->msis);
		EXPECT_EQ(0x33, b->msi_data);
		bench_ack(b);
	}
}

TEST_F(errors, the_wrap_bit_tells_full_from_empty)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-12");
	smmuv3_cmd_tlbi_nh_all(c, VMID);
	for (unsigned int round = 0; round < 4; round++) {
		for (unsigned int i = 0; i < 1 << CMDQ_LOG2; i++)
			bench_put(b, c);
		bench_ring(b);
		EXPECT_TRUE(bench_wait(b));
		EXPECT_EQ(b->prod, bench_read(b, SMMU_CMDQ_CONS, 4) & 0xfffff);
	}
}

TEST_F(errors, a_queue_in_no_memory)
{
	struct bench *b = &self->b;

	RULE("SMMU-12");
	bench_write(b, SMMU_CR0, 4, SMMU_CR0_SMMUEN);
	bench_write(b, SMMU_CMDQ_BASE, 8, 0x1000000000 | CMDQ_LOG2);
	bench_write(b, SMMU_CR0, 4, SMMU_CR0_SMMUEN | SMMU_CR0_CMDQEN);
	b->prod = 1;
	bench_ring(b);
	EXPECT_EQ(SMMU_CERROR_ABT, bench_error(b));
}

/* ---- What is illegal ---- */

#define TG(_tg)		((uint64_t)(_tg) << 10)
#define TTL(_ttl)	((uint64_t)(_ttl) << 8)

TEST_F(errors, reserved_ranges)
{
	static const enum smmu_opcode ranged[] = {
		CMD_TLBI_NH_VA, CMD_TLBI_NH_VAA, CMD_TLBI_S2_IPA, CMD_TLBI_EL2_VA, CMD_TLBI_EL2_VAA,
	};
	struct bench *b = &self->b;

	RULE("SMMU-06");
	for (unsigned int i = 0; i < sizeof(ranged) / sizeof(*ranged); i++) {
		for (unsigned int tg = 1; tg <= 3; tg++) {
			EXPECT_EQ(SMMU_CERROR_ILL,
				  bench_refuses(b, (uint64_t[2]){ ranged[i], TG(tg) }));
			EXPECT_EQ(0, bench_refuses(b, (uint64_t[2]){ ranged[i], TG(tg) | TTL(3) }));
		}
		EXPECT_EQ(SMMU_CERROR_ILL, bench_refuses(b, (uint64_t[2]){
			ranged[i], TG(CMD_TLBI_TG_16K) | TTL(1) }));
	}
}

TEST_F(errors, an_atc_size_over_52)
{
	RULE("SMMU-05");
	for (uint64_t size = 53; size < 64; size++)
		EXPECT_EQ(SMMU_CERROR_ILL,
			  bench_refuses(&self->b, (uint64_t[2]){ CMD_ATC_INV, size }));
}

TEST_F(errors, completion_signal_3)
{
	RULE("SMMU-09");
	EXPECT_EQ(SMMU_CERROR_ILL, bench_refuses(&self->b, (uint64_t[2]){
		CMD_SYNC | smmu_put(CMD0_SYNC_CS, 3) }));
}

TEST(commands_of_what_is_not_implemented)
{
	static const struct {
		enum smmu_opcode opcode;
		size_t knob;
		const char *rule;
	} cases[] = {
		{ CMD_TLBI_EL2_ALL, offsetof(struct smmuv3_config, hyp), "SMMU-09" },
		{ CMD_TLBI_EL2_ASID, offsetof(struct smmuv3_config, hyp), "SMMU-09" },
		{ CMD_TLBI_EL2_VA, offsetof(struct smmuv3_config, hyp), "SMMU-09" },
		{ CMD_TLBI_EL2_VAA, offsetof(struct smmuv3_config, hyp), "SMMU-09" },
		{ CMD_ATC_INV, offsetof(struct smmuv3_config, ats), "SMMU-05" },
		{ CMD_TLBI_S12_VMALL, offsetof(struct smmuv3_config, s2p), "SMMU-07" },
		{ CMD_TLBI_S2_IPA, offsetof(struct smmuv3_config, s2p), "SMMU-07" },
		{ CMD_CFGI_CD, offsetof(struct smmuv3_config, s1p), "SMMU-08" },
		{ CMD_CFGI_CD_ALL, offsetof(struct smmuv3_config, s1p), "SMMU-08" },
	};
	struct smmuv3_config config;
	struct bench b;

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		RULE(cases[i].rule);
		config = smmuv3_config_full();
		*(bool *)((char *)&config + cases[i].knob) = false;
		bench_setup(&b, &config);
		EXPECT_EQ(SMMU_CERROR_ILL, bench_refuses(&b, (uint64_t[2]){ cases[i].opcode }));
		EXPECT_TRUE(bench_sync(&b));
		bench_teardown(&b);
	}
}

NIT_TEST_MAIN
