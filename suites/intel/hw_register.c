// SPDX-License-Identifier: GPL-2.0-only
/* VT-d hardware: register-based invalidation, in legacy mode without the queue (6.5.1, 11.4.6). */
#include "hw_space.h"

FIXTURE(registers) {
	struct space s;
};

FIXTURE_SETUP(registers)
{
	space_on(&self->s, &vtd_config_full, SPACE_LEGACY, 0x0234, DMA_NO_PASID);
	command(self->s.b, 0, VTD_GCMD_QIE);
}

FIXTURE_TEARDOWN(registers)
{
	bench_off(self->s.b);
}

/* The granularity that was carried out; ICC has cleared by then. */
static unsigned int context_command(struct bench *b, unsigned int granularity, uint16_t did,
				    uint16_t sid, unsigned int fm)
{
	uint64_t value;

	set_reg(b, VTD_CCMD_REG, 8, VTD_CCMD_ICC | VTD_PUT(VTD_CCMD_CIRG, granularity) |
		VTD_PUT(VTD_CCMD_DID, did) | VTD_PUT(VTD_CCMD_SID, sid) | VTD_PUT(VTD_CCMD_FM, fm));
	settle(b);
	value = reg(b, VTD_CCMD_REG, 8);
	return value & VTD_CCMD_ICC ? ~0u : VTD_GET(VTD_CCMD_CAIG, value);
}

static void start_iotlb(struct bench *b, unsigned int granularity, uint16_t did, uint64_t addr,
			unsigned int am, bool ih)
{
	set_reg(b, VTD_IVA_OFFSET, 8, addr | am | (ih ? VTD_IVA_IH : 0));
	set_reg(b, VTD_IOTLB_OFFSET, 8, VTD_IOTLB_IVT | VTD_IOTLB_DR | VTD_IOTLB_DW |
		VTD_PUT(VTD_IOTLB_IIRG, granularity) | VTD_PUT(VTD_IOTLB_DID, did));
}

/* The granularity that was carried out, or ~0: not complete */
static unsigned int iotlb_done(struct bench *b)
{
	uint64_t value = reg(b, VTD_IOTLB_OFFSET, 8);

	return value & VTD_IOTLB_IVT ? ~0u : VTD_GET(VTD_IOTLB_IAIG, value);
}

TEST_F(registers, iotlb_forms)
{
	struct space *s = &self->s;

	RULE("VTD-16");
	for (unsigned int form = VTD_GLOBAL; form <= VTD_PAGE; form++) {
		EXPECT_OLD(s, 0);
		space_change(s, 0);
		EXPECT_OLD(s, 0);
		start_iotlb(s->b, form, s->did, IOVA, 0, true);
		settle(s->b);
		EXPECT_EQ(form, iotlb_done(s->b));
		EXPECT_NEW(s, 0);
		space_map(s);
		start_iotlb(s->b, VTD_GLOBAL, 0, 0, 0, false);
		EXPECT_EQ(VTD_GLOBAL, iotlb_done(s->b));
	}
}

TEST_F(registers, iotlb_tables_and_ranges)
{
	struct space *s = &self->s;

	RULE("VTD-16");
	EXPECT_OLD(s, 0);
	space_change_table(s, 2);
	EXPECT_OLD(s, 0x4000);
	start_iotlb(s->b, VTD_PAGE, s->did, IOVA, 9, false);
	settle(s->b);
	EXPECT_EQ(VTD_PAGE, iotlb_done(s->b));
	EXPECT_NEW(s, 0x4000);
	EXPECT_NEW(s, 0x5000);
}

TEST_F(registers, iotlb_mask_beyond_mamv_does_nothing)
{
	RULE("VTD-16");
	start_iotlb(self->s.b, VTD_PAGE, self->s.did, IOVA, 19, false);
	settle(self->s.b);
	EXPECT_EQ(0, iotlb_done(self->s.b));
}

TEST_F(registers, context_forms)
{
	static const struct { unsigned int form, dev, sid, fm; } forms[] = {
		{ VTD_GLOBAL, 0, 0, 0 }, { VTD_DOMAIN, 0, 0, 0 }, { VTD_DEVICE, 0, 0x88, 0 },
		{ VTD_DEVICE, 2, 0x100, 0 }, { VTD_DEVICE, 1, 0x8f, 3 },
	};
	struct space *s = &self->s;

	RULE("VTD-16");
	for (unsigned int i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		s->dev = forms[i].dev;
		space_attach(s, s->dev, DMA_NO_PASID);
		EXPECT_OLD(s, 0);
		put(s->b, legacy_context(s->b, bench_rids[s->dev]), 0);
		EXPECT_OLD(s, 0);
		EXPECT_EQ(forms[i].form, context_command(s->b, forms[i].form, s->did, forms[i].sid,
							 forms[i].fm));
		start_iotlb(s->b, VTD_GLOBAL, 0, 0, 0, false);
		EXPECT_EQ(VTD_GLOBAL, iotlb_done(s->b));
		EXPECT_EQ(NOWHERE, space_reach(s, 0));
	}
}

/* In two halves, as 32-bit software does: the upper half starts it. */
TEST_F(registers, in_two_halves)
{
	struct space *s = &self->s;

	RULE("VTD-16");
	EXPECT_OLD(s, 0);
	space_change(s, 0);
	EXPECT_OLD(s, 0);
	set_reg(s->b, VTD_IOTLB_OFFSET, 4, 0);
	EXPECT_OLD(s, 0);
	set_reg(s->b, VTD_IOTLB_OFFSET + 4, 4,
		(VTD_IOTLB_IVT | VTD_PUT(VTD_IOTLB_IIRG, VTD_GLOBAL)) >> 32);
	settle(s->b);
	EXPECT_EQ(VTD_GLOBAL, iotlb_done(s->b));
	EXPECT_NEW(s, 0);
}

TEST_F(registers, done_only_when_drained)
{
	struct space *s = &self->s;
	uint64_t data;
	struct dma dma = { .op = DMA_WRITE, .pasid = DMA_NO_PASID, .addr = IOVA + 8, .len = 8,
			   .data = &data };

	RULE("VTD-14");
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(s->b->dev[0], 1, &dma));
	space_change(s, 0);
	start_iotlb(s->b, VTD_DOMAIN, s->did, 0, 0, false);
	for (int step = 0; step < 50; step++)
		machine_step(s->b->machine);
	EXPECT_EQ(~0u, iotlb_done(s->b));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(s->b->dev[0], 1));
	EXPECT_EQ(VTD_DOMAIN, iotlb_done(s->b));
	EXPECT_NEW(s, 0);
}

/* A new root table: set, and then invalidate all that was made of the old one. */
TEST_F(registers, new_root_table)
{
	struct space *s = &self->s;

	RULE("VTD-10");
	EXPECT_OLD(s, 0);
	s->b->root = new_table(s->b, 4096);
	s->second = new_tree(s->b, true, 4, NULL);
	map_page(&s->second, IOVA, s->after);
	space_attach(s, 0, DMA_NO_PASID);
	set_root(s->b, VTD_TTM_LEGACY);
	EXPECT_OLD(s, 0);
	context_command(s->b, VTD_GLOBAL, 0, 0, 0);
	start_iotlb(s->b, VTD_GLOBAL, 0, 0, 0, false);
	settle(s->b);
	EXPECT_EQ(VTD_GLOBAL, iotlb_done(s->b));
	EXPECT_NEW(s, 0);
}

NIT_TEST_MAIN
