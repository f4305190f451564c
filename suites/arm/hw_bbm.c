// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of translation size without break-before-make (IHI 0070 3.21.1.3), on bare hardware with
 * IDR3.BBML == 2: never a fault, never an address that neither the old nor the new tables have.
 */
#include "bench.h"

FIXTURE(bbm) {
	struct bench b;
	uint64_t block;
};

FIXTURE_VARIANT(bbm) {
	bool nested;
};

FIXTURE_VARIANT_ADD(bbm, stage_1) { false };
FIXTURE_VARIANT_ADD(bbm, nested) { true };

FIXTURE_SETUP(bbm)
{
	struct bench *b = &self->b;
	struct bench_stream s;

	bench_setup(b, NULL);
	s = variant->nested ? bench_stream_nested(b) : bench_stream_s1(b);
	self->block = pages_alloc(&b->pages, 0x200000);
	for (uint64_t i = 0; i < 0x200000; i += 0x1000)
		bench_store(b, self->block + i, self->block + i);
	bench_stream(b, SID, &s);
}

FIXTURE_TEARDOWN(bbm)
{
	bench_teardown(&self->b);
}

static void expect_all(struct __test_metadata *_metadata, FIXTURE_DATA(bbm) *self)
{
	for (uint64_t i = 0; i < 0x200000; i += 0x7000)
		EXPECT_EQ(self->block + (i & ~0xfffull), bench_dma(self->b.dev, VA + i));
	EXPECT_EQ(0, bench_event_id(&self->b));
}

/* A level-3 table with the same mapping as the block; its address as stage 1 names it */
static uint64_t same_as_table(FIXTURE_DATA(bbm) *self, uint64_t base)
{
	struct bench *b = &self->b;
	uint64_t table = pages_alloc(&b->pages, 4096);

	for (unsigned int i = 0; i < 512; i++)
		bench_store(b, table + i * 8,
			    bench_leaf(&b->s1, 3, base + self->block + i * 0x1000ull, 0));
	return table + base;
}

TEST_F(bbm, a_block_becomes_pages_and_a_block_again)
{
	struct bench *b = &self->b;
	uint64_t base = variant->nested ? BENCH_IPA : 0, c[2], entry, block, table;

	RULE("SMMU-10");
	bench_map(&b->s1, VA, base + self->block, 21, 0);
	entry = bench_entry(&b->s1, VA, 2);
	block = bench_load(b, entry);
	table = same_as_table(self, base);
	expect_all(_metadata, self);
	bench_store(b, entry, table | LPAE_VALID | LPAE_TABLE);
	expect_all(_metadata, self);
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, false);
	smmuv3_cmd_tlbi_range(c, 0, 9, CMD_TLBI_TG_4K, 0);
	EXPECT_TRUE(bench_do(b, c));
	expect_all(_metadata, self);
	bench_store(b, entry, block);
	expect_all(_metadata, self);
	EXPECT_TRUE(bench_do(b, c));
	expect_all(_metadata, self);
}

TEST_F(bbm, the_contiguous_bit_comes_and_goes)
{
	struct bench *b = &self->b;
	uint64_t base = variant->nested ? BENCH_IPA : 0, c[2];

	RULE("SMMU-10");
	for (unsigned int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 0x200000; i += 0x10000) {
			for (uint64_t p = i; !(round & 1) && p < i + 0x10000; p += 0x1000)
				bench_map(&b->s1, VA + p, base + self->block + p, 12, 0);
			if (round & 1)
				bench_map(&b->s1, VA + i, base + self->block + i, 16, 0);
		}
		expect_all(_metadata, self);
		smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, true);
		smmuv3_cmd_tlbi_range(c, 0, 9, CMD_TLBI_TG_4K, 3);
		EXPECT_TRUE(bench_do(b, c));
		expect_all(_metadata, self);
	}
}

/* One address of a block removes it, if it is cached whole or in pieces. */
TEST_F(bbm, unmapping_after_a_split)
{
	struct bench *b = &self->b;
	uint64_t base = variant->nested ? BENCH_IPA : 0, c[2], table, entry;

	RULE("SMMU-10");
	bench_map(&b->s1, VA, base + self->block, 21, 0);
	expect_all(_metadata, self);
	entry = bench_entry(&b->s1, VA, 2);
	table = same_as_table(self, base);
	bench_store(b, entry, table | LPAE_VALID | LPAE_TABLE);
	bench_store(b, table - base + 7 * 8, 0);
	EXPECT_EQ(self->block + 0x7000, bench_dma(b->dev, VA + 0x7000));
	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA + 0x7000, false);
	EXPECT_TRUE(bench_do(b, c));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA + 0x7000));
	EXPECT_EQ(self->block + 0x8000, bench_dma(b->dev, VA + 0x8000));
}

NIT_TEST_MAIN
