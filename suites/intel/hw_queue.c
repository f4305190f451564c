// SPDX-License-Identifier: GPL-2.0-only
/* VT-d hardware: the invalidation queue itself, its waits and its errors (6.5.2, 11.4.9). */
#include "hw_space.h"

FIXTURE(queue) {
	struct space s;
};

/* 256-bit descriptors are for both modes, 128-bit ones for legacy mode. */
FIXTURE_VARIANT(queue) {
	enum space_type type;
	bool wide;
};

FIXTURE_VARIANT_ADD(queue, legacy_128) { SPACE_LEGACY, false };
FIXTURE_VARIANT_ADD(queue, legacy_256) { SPACE_LEGACY, true };
FIXTURE_VARIANT_ADD(queue, scalable_256) { SPACE_SECOND, true };

FIXTURE_SETUP(queue)
{
	space_on(&self->s, &vtd_config_full, variant->type, 0x1234, DMA_NO_PASID);
	command(self->s.b, 0, VTD_GCMD_QIE);
	queue_on(self->s.b, variant->wide);
}

FIXTURE_TEARDOWN(queue)
{
	bench_off(self->s.b);
}

static uint32_t status(struct bench *b)
{
	return reg(b, VTD_FSTS_REG, 4);
}

static void push_global(struct bench *b)
{
	uint64_t d[4];

	vtd_inv_iotlb(d, VTD_GLOBAL, 0, 0, 0, false);
	push(b, d);
}

/* ---- Running ---- */

TEST_F(queue, head_follows_tail_and_wraps)
{
	struct bench *b = self->s.b;

	RULE("VTD-06");
	for (int i = 0; i < 1100; i++) {
		push_global(b);
		ASSERT_TRUE(sync_all(b));
		ASSERT_EQ(b->tail, reg(b, VTD_IQH_REG, 8));
	}
	EXPECT_EQ(0, status(b));
}

/* More than any buffer takes, with one ring of the bell: all are carried out. */
TEST_F(queue, large_batch)
{
	unsigned int room = (4096 << QUEUE_PAGES) / (variant->wide ? 32 : 16) - 2;
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-07");
	EXPECT_OLD(s, 0);
	EXPECT_OLD(s, 0xf000);
	space_change(s, 0);
	space_change(s, 0xf000);
	for (unsigned int i = 0; i < room; i++) {
		uint64_t page = !i ? 0 : i == room - 1 ? 15 : 64 + i;

		vtd_inv_iotlb(d, VTD_PAGE, s->did, IOVA + page * 4096, 0, true);
		push(s->b, d);
	}
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_NEW(s, 0);
	EXPECT_NEW(s, 0xf000);
}

/* Nothing is read beyond the tail. */
TEST_F(queue, waits_for_the_bell)
{
	struct bench *b = self->s.b;
	uint32_t number = push_wait(b, 0, 1);

	RULE("VTD-06");
	EXPECT_TRUE(settle(b));
	EXPECT_FALSE(written(b, 1, number));
	ring(b);
	EXPECT_TRUE(settle(b));
	EXPECT_TRUE(written(b, 1, number));
}

TEST_F(queue, off_and_on_again)
{
	struct bench *b = self->s.b;

	RULE("VTD-06");
	EXPECT_TRUE(sync_all(b));
	command(b, 0, VTD_GCMD_QIE);
	EXPECT_EQ(0, reg(b, VTD_GSTS_REG, 4) & VTD_GCMD_QIE);
	EXPECT_EQ(0, reg(b, VTD_IQH_REG, 8));
	queue_on(b, variant->wide);
	EXPECT_EQ(VTD_GCMD_QIE, reg(b, VTD_GSTS_REG, 4) & VTD_GCMD_QIE);
	EXPECT_TRUE(sync_all(b));
}

/* ---- Waits ---- */

TEST_F(queue, wait_writes_all_of_its_data)
{
	struct bench *b = self->s.b;
	uint64_t d[4];

	RULE("VTD-07");
	*status_word(b, 4) = 0x11111111;
	*status_word(b, 6) = 0x33333333;
	vtd_inv_wait(d, VTD_INV_WAIT_SW, b->status + 5 * 4, 0xfedcba98);
	EXPECT_TRUE(issue(b, d));
	EXPECT_EQ(0x11111111, *status_word(b, 4));
	EXPECT_EQ(0xfedcba98, *status_word(b, 5));
	EXPECT_EQ(0x33333333, *status_word(b, 6));
}

TEST_F(queue, wait_interrupts_once_until_acknowledged)
{
	struct bench *b = self->s.b;
	uint64_t d[4];

	RULE("VTD-07");
	unmask(b, VTD_IECTL_REG, 0x51);
	vtd_inv_wait(d, VTD_INV_WAIT_IF, b->status + 4, 1);
	for (int i = 0; i < 2; i++) {
		EXPECT_TRUE(issue(b, d));
		EXPECT_TRUE(settle(b));
		EXPECT_EQ(1, b->msis);
	}
	EXPECT_EQ(0x51, b->msi_data);
	EXPECT_EQ(0xfee01000, b->msi_addr);
	EXPECT_EQ(0, *status_word(b, 1));	/* no SW, no write */
	EXPECT_EQ(VTD_ICS_IWC, reg(b, VTD_ICS_REG, 4));
	set_reg(b, VTD_ICS_REG, 4, VTD_ICS_IWC);
	EXPECT_EQ(0, reg(b, VTD_ICS_REG, 4));
	EXPECT_TRUE(issue(b, d));
	EXPECT_TRUE(settle(b));
	EXPECT_EQ(2, b->msis);
}

/* Masked, it is pending, and comes with unmasking unless it was acknowledged before. */
TEST_F(queue, wait_interrupt_masked)
{
	struct bench *b = self->s.b;
	uint64_t d[4];

	RULE("VTD-07");
	vtd_inv_wait(d, VTD_INV_WAIT_IF, 0, 0);
	EXPECT_TRUE(issue(b, d));
	EXPECT_TRUE(settle(b));
	EXPECT_EQ(0, b->msis);
	EXPECT_EQ(VTD_ECTL_IM | VTD_ECTL_IP, reg(b, VTD_IECTL_REG, 4));
	unmask(b, VTD_IECTL_REG, 0x52);
	EXPECT_TRUE(settle(b));
	EXPECT_EQ(1, b->msis);
	EXPECT_EQ(0, reg(b, VTD_IECTL_REG, 4));
}

/* FN: what is behind it does not begin before it is complete, whatever it waits for. */
TEST_F(queue, fence_holds_later_descriptors)
{
	struct bench *b = self->s.b;
	uint32_t first, second;

	RULE("VTD-07");
	b->iommu->freedom.delay = 1000;
	b->iommu->freedom.delay_steps = 20;
	for (int i = 0; i < 50; i++) {
		b->iommu->freedom.reorder = i & 1 ? 700 : 0;
		push_global(b);
		first = push_wait(b, VTD_INV_WAIT_FN, 1);
		push_global(b);
		second = push_wait(b, 0, 2);
		ring(b);
		EXPECT_FALSE(written(b, 2, second) && !written(b, 1, first));
		for (int step = 0; step < BENCH_STEPS && !written(b, 2, second); step++) {
			machine_step(b->machine);
			EXPECT_FALSE(written(b, 2, second) && !written(b, 1, first));
		}
		EXPECT_TRUE(written(b, 1, first));
		EXPECT_TRUE(written(b, 2, second));
	}
}

/* Without FN later descriptors may run ahead; all complete nevertheless. */
TEST_F(queue, waits_complete_in_any_freedom)
{
	struct bench *b = self->s.b;
	uint32_t numbers[8];

	RULE("VTD-07");
	b->iommu->freedom.delay = 500;
	b->iommu->freedom.delay_steps = 9;
	b->iommu->freedom.reorder = 500;
	b->iommu->freedom.early = 300;
	for (int i = 0; i < 20; i++) {
		for (int n = 0; n < 8; n++) {
			push_global(b);
			numbers[n] = push_wait(b, 0, n + 1);
		}
		EXPECT_TRUE(sync_all(b));
		EXPECT_TRUE(settle(b));
		for (int n = 0; n < 8; n++)
			EXPECT_TRUE(written(b, n + 1, numbers[n]));
	}
}

/* What has no wait behind it need not happen; what has one must, in every order that is free. */
TEST_F(queue, wait_covers_all_earlier_descriptors)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-08");
	for (int i = 0; i < 40; i++) {
		s->b->iommu->freedom.reorder = i % 3 * 400;
		space_map(s);
		vtd_inv_context(d, VTD_GLOBAL, 0, 0, 0);
		push(s->b, d);
		push_global(s->b);
		EXPECT_TRUE(sync_all(s->b));
		EXPECT_OLD(s, 0);
		EXPECT_OLD(s, 0x1000);
		space_change(s, 0);
		space_change(s, 0x1000);
		EXPECT_OLD(s, 0x1000);
		vtd_inv_iotlb(d, VTD_PAGE, s->did, IOVA, 0, true);
		push(s->b, d);
		vtd_inv_context(d, VTD_DEVICE, s->did, bench_rids[0], 0);
		push(s->b, d);
		vtd_inv_iec(d, false, 0, 0);
		push(s->b, d);
		vtd_inv_iotlb(d, VTD_PAGE, s->did, IOVA + 0x1000, 0, true);
		EXPECT_TRUE(issue(s->b, d));
		EXPECT_NEW(s, 0);
		EXPECT_NEW(s, 0x1000);
	}
}

/* ---- Errors ---- */

struct bad {
	const char *what;
	uint64_t d[4];
	enum vtd_iqei iqei;
	bool legacy_only;
};

#define TYPE(_type) VTD_INV_##_type
#define G(_granularity) VTD_PUT(VTD_INV_G, _granularity)

static const struct bad bad[] = {
	{ "type 0", { 0 }, VTD_IQEI_TYPE },
	{ "type 10", { 10 }, VTD_IQEI_TYPE },
	{ "type with upper bits", { TYPE(WAIT) | VTD_BIT(9) }, VTD_IQEI_TYPE },
	{ "context granularity 0", { TYPE(CONTEXT) }, VTD_IQEI_RESERVED },
	{ "context reserved bit", { TYPE(CONTEXT) | G(1) | VTD_BIT(50) }, VTD_IQEI_RESERVED },
	{ "context second quadword", { TYPE(CONTEXT) | G(1), 1 }, VTD_IQEI_RESERVED },
	{ "iotlb granularity 0", { TYPE(IOTLB) }, VTD_IQEI_RESERVED },
	{ "iotlb reserved bit", { TYPE(IOTLB) | G(1) | VTD_BIT(40) }, VTD_IQEI_RESERVED },
	{ "iotlb address bit 8", { TYPE(IOTLB) | G(3), VTD_BIT(8) }, VTD_IQEI_RESERVED },
	{ "iotlb mask beyond MAMV", { TYPE(IOTLB) | G(3), 19 }, VTD_IQEI_RESERVED },
	{ "device TLB reserved bit", { TYPE(DEVTLB) | VTD_BIT(5) }, VTD_IQEI_RESERVED },
	{ "device TLB address bit 3", { TYPE(DEVTLB), 8 }, VTD_IQEI_RESERVED },
	{ "iec reserved bit", { TYPE(IEC) | VTD_BIT(5) }, VTD_IQEI_RESERVED },
	{ "wait reserved bit", { TYPE(WAIT) | VTD_BIT(8) }, VTD_IQEI_RESERVED },
	{ "wait address bit 1", { TYPE(WAIT), 2 }, VTD_IQEI_RESERVED },
	{ "piotlb in legacy mode", { TYPE(PIOTLB) | G(2) }, VTD_IQEI_TYPE, true },
	{ "pasid cache in legacy mode", { TYPE(PASID_CACHE) }, VTD_IQEI_TYPE, true },
	{ "pasid device TLB in legacy mode", { TYPE(PDEVTLB) }, VTD_IQEI_TYPE, true },
};

static const struct bad bad_scalable[] = {
	{ "piotlb granularity 0", { TYPE(PIOTLB) }, VTD_IQEI_RESERVED },
	{ "piotlb granularity 1", { TYPE(PIOTLB) | G(1) }, VTD_IQEI_RESERVED },
	{ "piotlb reserved bit", { TYPE(PIOTLB) | G(2) | VTD_BIT(60) }, VTD_IQEI_RESERVED },
	{ "pasid cache granularity 2", { TYPE(PASID_CACHE) | G(2) }, VTD_IQEI_RESERVED },
	{ "pasid cache second quadword", { TYPE(PASID_CACHE), 4 }, VTD_IQEI_RESERVED },
	{ "pasid device TLB address bit 4", { TYPE(PDEVTLB), 16 }, VTD_IQEI_RESERVED },
	{ "response reserved bit", { TYPE(PAGE_RESPONSE) | VTD_BIT(5) }, VTD_IQEI_RESERVED },
	{ "third quadword", { TYPE(PASID_CACHE), 0, 1 }, VTD_IQEI_RESERVED },
	{ "fourth quadword", { TYPE(WAIT), 0, 0, 1 }, VTD_IQEI_RESERVED },
};

/*
 * A bad descriptor between two waits: the first completes, the head stays, the second waits until
 * software has put something good in its place and cleared the error.
 */
static void expect_error(struct __test_metadata *_metadata, struct bench *b, const struct bad *bad)
{
	uint64_t where, d[4];
	uint32_t first, second;

	check_note("%s", bad->what);
	first = push_wait(b, 0, 1);
	where = b->tail;
	push(b, bad->d);
	second = push_wait(b, 0, 2);
	ring(b);
	EXPECT_TRUE(settle(b));
	EXPECT_EQ(VTD_FSTS_IQE, status(b));
	EXPECT_EQ(bad->iqei, VTD_GET(VTD_IQERCD_IQEI, reg(b, VTD_IQERCD_REG, 8)));
	EXPECT_EQ(where, reg(b, VTD_IQH_REG, 8));
	EXPECT_TRUE(written(b, 1, first));
	EXPECT_FALSE(written(b, 2, second));
	vtd_inv_wait(d, 0, 0, 0);
	memcpy(at(b, b->queue + where), d, b->wide ? 32 : 16);
	EXPECT_TRUE(settle(b));
	EXPECT_FALSE(written(b, 2, second));
	set_reg(b, VTD_FSTS_REG, 4, VTD_FSTS_IQE);
	EXPECT_TRUE(settle(b));
	EXPECT_TRUE(written(b, 2, second));
	EXPECT_EQ(0, status(b));
}

TEST_F(queue, bad_descriptors)
{
	RULE("VTD-06");
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (variant->type == SPACE_LEGACY || !bad[i].legacy_only)
			expect_error(_metadata, self->s.b, &bad[i]);
	if (variant->type == SPACE_SECOND)
		for (unsigned int i = 0; i < sizeof(bad_scalable) / sizeof(bad_scalable[0]); i++)
			expect_error(_metadata, self->s.b, &bad_scalable[i]);
}

/* Put back as it was, it is an error again. */
TEST_F(queue, error_comes_again)
{
	struct bench *b = self->s.b;

	RULE("VTD-06");
	push(b, bad[0].d);
	ring(b);
	EXPECT_EQ(VTD_FSTS_IQE, status(b));
	set_reg(b, VTD_FSTS_REG, 4, VTD_FSTS_IQE);
	EXPECT_EQ(VTD_FSTS_IQE, status(b));
	EXPECT_EQ(0, reg(b, VTD_IQH_REG, 8));
}

TEST_F(queue, error_raises_fault_event)
{
	struct bench *b = self->s.b;

	RULE("VTD-06");
	unmask(b, VTD_FECTL_REG, 0x61);
	push(b, bad[0].d);
	ring(b);
	EXPECT_TRUE(settle(b));
	EXPECT_EQ(1, b->msis);
	EXPECT_EQ(0x61, b->msi_data);
}

TEST_F(queue, tail_beyond_the_queue)
{
	struct bench *b = self->s.b;

	RULE("VTD-06");
	set_reg(b, VTD_IQT_REG, 8, 4096 << QUEUE_PAGES);
	EXPECT_EQ(VTD_FSTS_IQE, status(b));
	EXPECT_EQ(VTD_IQEI_TAIL, VTD_GET(VTD_IQERCD_IQEI, reg(b, VTD_IQERCD_REG, 8)));
	set_reg(b, VTD_IQT_REG, 8, 0);
	set_reg(b, VTD_FSTS_REG, 4, VTD_FSTS_IQE);
	EXPECT_EQ(0, status(b));
	EXPECT_TRUE(sync_all(b));
}

TEST(tail_not_aligned)
{
	struct bench *b = bench_on(&vtd_config_full, true);

	RULE("VTD-06");
	set_reg(b, VTD_IQT_REG, 8, 16);
	EXPECT_EQ(VTD_FSTS_IQE, status(b));
	EXPECT_EQ(VTD_IQEI_ALIGN, VTD_GET(VTD_IQERCD_IQEI, reg(b, VTD_IQERCD_REG, 8)));
	bench_off(b);
}

TEST_F(queue, queue_nowhere)
{
	struct bench *b = self->s.b;

	RULE("VTD-06");
	command(b, 0, VTD_GCMD_QIE);
	b->queue = 1ull << 45;
	queue_on(b, variant->wide);
	set_reg(b, VTD_IQT_REG, 8, 32);
	EXPECT_EQ(VTD_FSTS_IQE, status(b));
	EXPECT_EQ(VTD_IQEI_FETCH, VTD_GET(VTD_IQERCD_IQEI, reg(b, VTD_IQERCD_REG, 8)));
}

/* 128-bit descriptors in scalable mode, and 256-bit ones on a unit that has no scalable mode. */
TEST(descriptor_width)
{
	struct vtd_config config = vtd_config_full;
	struct bench *b = bench_on(&config, true);

	RULE("VTD-06");
	command(b, 0, VTD_GCMD_QIE);
	queue_on(b, false);
	EXPECT_FALSE(sync_all(b));
	EXPECT_EQ(VTD_IQEI_TYPE, VTD_GET(VTD_IQERCD_IQEI, reg(b, VTD_IQERCD_REG, 8)));
	bench_off(b);
	config.scalable = config.nested = false;
	config.pasid_bits = 0;
	b = bench_on(&config, false);
	EXPECT_TRUE(sync_all(b));
	command(b, 0, VTD_GCMD_QIE);
	queue_on(b, true);
	EXPECT_FALSE(sync_all(b));
	EXPECT_EQ(VTD_IQEI_WIDTH, VTD_GET(VTD_IQERCD_IQEI, reg(b, VTD_IQERCD_REG, 8)));
	bench_off(b);
}

NIT_TEST_MAIN
