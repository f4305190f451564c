// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d hardware: requests in flight (6.5.4). A request that was translated before an invalidation
 * reaches memory before the wait behind the invalidation completes.
 */
#include "hw_space.h"

FIXTURE(drain) {
	struct space s;
	uint64_t data;
	struct dma dma;
};

FIXTURE_VARIANT(drain) {
	enum space_type type;
	bool piotlb;
	unsigned int granularity;
	enum dma_op op;
};

#define DRAIN(_name, _type, _piotlb, _granularity, _op) \
	FIXTURE_VARIANT_ADD(drain, _name) { \
		.type = SPACE_##_type, .piotlb = _piotlb, .granularity = VTD_##_granularity, \
		.op = DMA_##_op, \
	}

DRAIN(iotlb_global, SECOND, false, GLOBAL, WRITE);
DRAIN(iotlb_domain, SECOND, false, DOMAIN, READ);
DRAIN(iotlb_page, SECOND, false, PAGE, WRITE);
DRAIN(iotlb_page_legacy, LEGACY, false, PAGE, READ);
DRAIN(iotlb_page_nested_host, NESTED_HOST, false, PAGE, WRITE);
DRAIN(piotlb_pasid, NESTED, true, PASID, WRITE);
DRAIN(piotlb_page, NESTED, true, PAGE, WRITE);
DRAIN(piotlb_page_first, FIRST, true, PAGE, READ);

FIXTURE_SETUP(drain)
{
	space_on(&self->s, &vtd_config_full, variant->type, 0x1234,
		 variant->type == SPACE_LEGACY ? DMA_NO_PASID : 9);
	self->dma = (struct dma){
		.op = variant->op, .pasid = self->s.pasid, .addr = IOVA + 8, .len = 8,
		.data = &self->data,
	};
}

FIXTURE_TEARDOWN(drain)
{
	bench_off(self->s.b);
}

static uint32_t push_invalidation(struct space *s, const FIXTURE_VARIANT(drain) *v)
{
	uint64_t d[4];

	if (v->piotlb)
		vtd_inv_piotlb(d, v->granularity, s->did, s->pasid, IOVA, 0, true);
	else
		vtd_inv_iotlb(d, v->granularity, s->did, place(s), 0, true);
	push(s->b, d);
	return push_wait(s->b, 0, 1);
}

TEST_F(drain, wait_holds_for_request_in_flight)
{
	struct space *s = &self->s;
	uint32_t number;

	RULE("VTD-14");
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(s->b->dev[0], 1, &self->dma));
	space_change(s, 0);
	number = push_invalidation(s, variant);
	ring(s->b);
	EXPECT_FALSE(settle(s->b));
	EXPECT_FALSE(written(s->b, 1, number));
	EXPECT_NEW(s, 0);	/* what begins now finds nothing old */
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(s->b->dev[0], 1));
	EXPECT_TRUE(settle(s->b));
	EXPECT_TRUE(written(s->b, 1, number));
}

/* Two in flight: both are waited for. */
TEST_F(drain, wait_holds_for_every_request)
{
	struct space *s = &self->s;
	struct dma other = self->dma;
	uint64_t data;
	uint32_t number;

	RULE("VTD-14");
	other.data = &data;
	space_attach(s, 2, s->pasid);
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(s->b->dev[0], 1, &self->dma));
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(s->b->dev[2], 0, &other));
	number = push_invalidation(s, variant);
	ring(s->b);
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(s->b->dev[0], 1));
	EXPECT_FALSE(settle(s->b));
	EXPECT_FALSE(written(s->b, 1, number));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(s->b->dev[2], 0));
	EXPECT_TRUE(settle(s->b));
	EXPECT_TRUE(written(s->b, 1, number));
}

/* Requests that begin after the invalidation do not hold it up: it is bounded. */
TEST_F(drain, later_requests_are_not_waited_for)
{
	struct space *s = &self->s;
	struct dma later = self->dma;
	uint64_t data = 0;
	uint32_t number;

	RULE("VTD-14");
	later.data = &data;
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(s->b->dev[0], 1, &self->dma));
	number = push_invalidation(s, variant);
	ring(s->b);
	EXPECT_FALSE(settle(s->b));
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(s->b->dev[0], 2, &later));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(s->b->dev[0], 1));
	EXPECT_TRUE(settle(s->b));
	EXPECT_TRUE(written(s->b, 1, number));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(s->b->dev[0], 2));
}

/* The second wait stands behind the same invalidation. */
TEST_F(drain, every_later_wait_holds_as_well)
{
	struct space *s = &self->s;
	uint32_t second;

	RULE("VTD-14");
	s->b->iommu->freedom.reorder = 500;
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(s->b->dev[0], 1, &self->dma));
	push_invalidation(s, variant);
	second = push_wait(s->b, 0, 2);
	ring(s->b);
	EXPECT_FALSE(settle(s->b));
	EXPECT_FALSE(written(s->b, 2, second));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(s->b->dev[0], 1));
	EXPECT_TRUE(settle(s->b));
	EXPECT_TRUE(written(s->b, 2, second));
}

NIT_TEST_MAIN
