// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a function owes, whatever its IOMMU does: an ATC that ends with a reset and with ATS off,
 * completions on their way, U, answers to page requests (PCIe ATS 10.2 to 10.5). VT-d translates.
 */
#include <errno.h>

#include "hw_space.h"

#define MSI	0xfee00000ull

FIXTURE(atc) {
	struct space s;
	struct endpoint *dev;
};

FIXTURE_VARIANT(atc) {
	enum space_type type;
	uint32_t pasid;
};

FIXTURE_VARIANT_ADD(atc, legacy) { SPACE_LEGACY, DMA_NO_PASID };
FIXTURE_VARIANT_ADD(atc, first) { SPACE_FIRST, 9 };
FIXTURE_VARIANT_ADD(atc, nested) { SPACE_NESTED, 0xabcde };

static void devices_on(struct endpoint *dev)
{
	endpoint_bus_master(dev, true);
	endpoint_pasid_enable(dev, true);
	endpoint_ats_enable(dev, true);
	endpoint_pri_enable(dev, true);
}

FIXTURE_SETUP(atc)
{
	space_on(&self->s, &vtd_config_full, variant->type, 0x1234, variant->pasid);
	self->dev = self->s.b->dev[0];
	devices_on(self->dev);
	set_reg(self->s.b, VTD_PQA_REG, 8, new_table(self->s.b, 4096));
}

FIXTURE_TEARDOWN(atc)
{
	bench_off(self->s.b);
}

static uint64_t through_atc(struct space *s, uint64_t offset)
{
	return reach_how(s->b, s->dev, s->pasid, IOVA + offset, DMA_ATS);
}

/* The page of the device's TLB goes, and before it what the IOMMU has of the domain. */
static bool invalidate_page(struct space *s, uint64_t offset)
{
	uint64_t d[4];

	vtd_inv_iotlb(d, VTD_DOMAIN, s->did, 0, 0, false);
	push(s->b, d);
	if (s->pasid == DMA_NO_PASID)
		vtd_inv_devtlb(d, bench_rids[0], bench_rids[0], 0, IOVA + offset, 0);
	else
		vtd_inv_pdevtlb(d, bench_rids[0], bench_rids[0], 0, s->pasid, false,
				IOVA + offset, 0);
	return issue(s->b, d);
}

static uint32_t status(struct bench *b)
{
	return reg(b, VTD_FSTS_REG, 4);
}

/* ---- Reset, ATS off ---- */

TEST_F(atc, reset_ends_the_atc)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("ATS-08");
	EXPECT_EQ(s->before, through_atc(s, 0));
	space_change(s, 0);
	vtd_inv_iotlb(d, VTD_DOMAIN, s->did, 0, 0, false);
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_EQ(s->before, through_atc(s, 0));
	endpoint_flr(self->dev);
	devices_on(self->dev);
	EXPECT_EQ(s->after, through_atc(s, 0));
}

/* A write that was translated before the reset and held over it does not land after it. */
TEST_F(atc, reset_ends_requests)
{
	struct space *s = &self->s;
	uint64_t value = 0x5eed;
	struct dma dma = {
		.op = DMA_WRITE, .address = DMA_ATS, .pasid = s->pasid, .addr = IOVA, .len = 8,
		.data = &value,
	};

	RULE("ATS-08");
	EXPECT_EQ(DMA_HELD, endpoint_dma_start(self->dev, 1, &dma));
	endpoint_flr(self->dev);
	devices_on(self->dev);
	EXPECT_EQ(DMA_ABORTED, endpoint_dma_finish(self->dev, 1));
	EXPECT_EQ(s->before, *at(s->b, s->before));
}

TEST_F(atc, off_sends_no_translated_requests)
{
	struct space *s = &self->s;

	RULE("ATS-09");
	EXPECT_EQ(s->before, through_atc(s, 0));
	endpoint_ats_enable(self->dev, false);
	EXPECT_EQ(NOWHERE, through_atc(s, 0));
	EXPECT_EQ(s->before, space_reach(s, 0));
}

/* ---- Privilege ---- */

/* What a privileged request was granted is for privileged requests. */
TEST(privileged_entry_serves_no_user)
{
	struct space s;
	uint64_t data = 0;
	struct dma dma = { .op = DMA_READ, .address = DMA_ATS, .pasid = 9, .addr = IOVA, .len = 8,
			   .data = &data, .priv = true };

	RULE("VTD-19");
	space_on(&s, &vtd_config_full, SPACE_FIRST, 0x1234, 9);
	map(&s.first, IOVA, s.before, 1, VTD_FS_P | VTD_FS_A | VTD_FS_D | VTD_FS_RW);
	attach_flags(s.b, bench_rids[0], 9, VTD_PGTT_FIRST_STAGE, s.did, &s.first, &s.second, 0,
		     VTD_PASID_SRE);
	devices_on(s.b->dev[0]);
	EXPECT_EQ(DMA_DONE, endpoint_dma(s.b->dev[0], 0, &dma));
	EXPECT_EQ(s.before, data);
	EXPECT_EQ(NOWHERE, through_atc(&s, 0));
	bench_off(s.b);
}

/* ---- Completions ---- */

/* 2 MiB of memory, which the second stage maps in one */
static uint64_t new_large(struct space *s)
{
	uint64_t page = (new_data(s->b, 4ull << 20) + 0x1fffff) & ~0x1fffffull;

	if (is_nested(s))
		map(&s->second, named(s, page), page, 2, SS_LEAF);
	return page;
}

/* The completion on its way is for 2 MiB; the page that is invalidated is not the one asked for. */
TEST_F(atc, invalidation_overtakes_a_large_completion)
{
	struct space *s = &self->s;
	uint64_t before = new_large(s), after = new_large(s);

	RULE("ATS-02");
	map(changing(s), IOVA, named(s, before), 2, changing(s)->second ? SS_LEAF : FS_LEAF);
	EXPECT_TRUE(invalidate_page(s, 0));
	EXPECT_EQ(0, endpoint_prefetch_start(self->dev, s->pasid, IOVA, HW_READ));
	map(changing(s), IOVA, named(s, after), 2, changing(s)->second ? SS_LEAF : FS_LEAF);
	EXPECT_TRUE(invalidate_page(s, 0x5000));
	EXPECT_EQ(-ECANCELED, endpoint_prefetch_finish(self->dev));
	EXPECT_EQ(after + 0x5000, through_atc(s, 0x5000));
}

/* It began before the page, and serves it no more (PCIe ATS 10.3.1: all that overlaps goes). */
TEST_F(atc, invalidation_of_a_page_ends_a_large_entry)
{
	struct space *s = &self->s;
	uint64_t before = new_large(s), after = new_large(s);

	RULE("ATS-02");
	map(changing(s), IOVA, named(s, before), 2, changing(s)->second ? SS_LEAF : FS_LEAF);
	EXPECT_TRUE(invalidate_page(s, 0));
	EXPECT_EQ(before, through_atc(s, 0));
	map(changing(s), IOVA, named(s, after), 2, changing(s)->second ? SS_LEAF : FS_LEAF);
	EXPECT_EQ(before + 0x5000, through_atc(s, 0x5000));
	EXPECT_TRUE(invalidate_page(s, 0x5000));
	EXPECT_EQ(after + 0x5000, through_atc(s, 0x5000));
}

/*
 * The interrupt range is for untranslated requests only (4.2.3): a translated one would be a fault.
 * That nothing is there in this machine, and the write goes nowhere, is another matter.
 */
TEST_F(atc, untranslated_only)
{
	struct bench *b = self->s.b;
	uint64_t value = 0x41;
	struct dma dma = {
		.op = DMA_WRITE, .address = DMA_ATS, .pasid = DMA_NO_PASID, .addr = MSI, .len = 4,
		.data = &value,
	};

	RULE("ATS-11");
	if (variant->pasid != DMA_NO_PASID)
		attach(b, bench_rids[0], 0, VTD_PGTT_SECOND_STAGE, 7, NULL, &self->s.second);
	EXPECT_EQ(-EACCES, endpoint_prefetch(self->dev, DMA_NO_PASID, MSI, HW_WRITE));
	EXPECT_EQ(DMA_ABORTED, endpoint_dma(self->dev, 0, &dma));
	EXPECT_EQ(0, status(b));
}

/* ---- Page requests ---- */

FIXTURE(pri) {
	struct space s;
	struct endpoint *dev;
};

FIXTURE_SETUP(pri)
{
	space_on(&self->s, &vtd_config_full, SPACE_FIRST, 0x1234, 9);
	self->dev = self->s.b->dev[0];
	devices_on(self->dev);
	set_reg(self->s.b, VTD_PQA_REG, 8, new_table(self->s.b, 4096));
}

FIXTURE_TEARDOWN(pri)
{
	bench_off(self->s.b);
}

static int ask(struct space *s, unsigned int index)
{
	return endpoint_page_request(s->b->dev[0], &(struct hw_page_request){
		.has_pasid = true, .pasid = s->pasid, .addr = IOVA, .index = index, .last = true,
		.access = HW_READ,
	});
}

static bool respond(struct space *s, uint32_t pasid, unsigned int index, unsigned int code)
{
	uint64_t d[4];

	vtd_inv_page_response(d, bench_rids[0], true, pasid, index, code);
	return issue(s->b, d);
}

TEST_F(pri, response_for_another_pasid_is_none)
{
	RULE("ATS-12");
	EXPECT_EQ(0, ask(&self->s, 3));
	EXPECT_TRUE(respond(&self->s, self->s.pasid + 1, 3, 1));
	EXPECT_EQ(-EAGAIN, endpoint_prg_answer(self->dev, 3));
	EXPECT_TRUE(respond(&self->s, self->s.pasid, 3, 0));
	EXPECT_EQ(0, endpoint_prg_answer(self->dev, 3));
}

TEST_F(pri, response_failure_ends_requests)
{
	RULE("ATS-12");
	EXPECT_EQ(0, ask(&self->s, 3));
	EXPECT_TRUE(respond(&self->s, self->s.pasid, 3, 0xf));
	EXPECT_EQ(0xf, endpoint_prg_answer(self->dev, 3));
	EXPECT_EQ(-EIO, ask(&self->s, 4));
	endpoint_pri_enable(self->dev, false);
	endpoint_pri_enable(self->dev, true);
	EXPECT_EQ(0, ask(&self->s, 4));
}

NIT_TEST_MAIN
