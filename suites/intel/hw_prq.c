// SPDX-License-Identifier: GPL-2.0-only
/* VT-d hardware: page requests and their answers (7.3 to 7.5, 6.5.4 table 27, 11.4.11). */
#include "hw_space.h"

FIXTURE(prq) {
	struct space s;
	uint64_t queue;
};

FIXTURE_VARIANT(prq) {
	enum space_type type;
};

FIXTURE_VARIANT_ADD(prq, first) { SPACE_FIRST };
FIXTURE_VARIANT_ADD(prq, nested) { SPACE_NESTED };

FIXTURE_SETUP(prq)
{
	struct bench *b;

	space_on(&self->s, &vtd_config_full, variant->type, 0x1234, 0xabcde);
	b = self->s.b;
	self->queue = new_table(b, 4096);
	set_reg(b, VTD_PQA_REG, 8, self->queue);
	for (unsigned int i = 0; i < BENCH_DEVICES; i++) {
		endpoint_ats_enable(b->dev[i], true);
		endpoint_pri_enable(b->dev[i], true);
	}
}

FIXTURE_TEARDOWN(prq)
{
	bench_off(self->s.b);
}

static void ask(struct space *s, uint64_t addr, unsigned int index, bool last, uint8_t access)
{
	struct hw_page_request request = {
		.has_pasid = true, .pasid = s->pasid, .addr = addr, .index = index, .last = last,
		.access = access,
	};

	endpoint_page_request(s->b->dev[s->dev], &request);
}

static int answer(struct space *s, unsigned int index)
{
	return endpoint_prg_answer(s->b->dev[s->dev], index);
}

static void respond(struct __test_metadata *_metadata, struct space *s, unsigned int index,
		    unsigned int code)
{
	uint64_t d[4];

	vtd_inv_page_response(d, bench_rids[s->dev], true, s->pasid, index, code);
	EXPECT_TRUE(issue(s->b, d));
}

TEST_F(prq, request_is_queued)
{
	struct space *s = &self->s;
	uint64_t *d = at(s->b, self->queue);

	RULE("VTD-18");
	ask(s, IOVA + 0x123, 0x155, true, HW_READ | HW_WRITE | HW_PRIV);
	EXPECT_EQ(32, reg(s->b, VTD_PQT_REG, 8));
	EXPECT_EQ(VTD_PRS_PPR, reg(s->b, VTD_PRS_REG, 4));
	EXPECT_EQ(VTD_PRQ_TYPE_PAGE, VTD_GET(VTD_PRQ_TYPE, d[0]));
	EXPECT_EQ(bench_rids[0], VTD_GET(VTD_PRQ_RID, d[0]));
	EXPECT_EQ(VTD_PRQ_PP | VTD_PRQ_PRIV, d[0] & (VTD_PRQ_PP | VTD_PRQ_PRIV | VTD_PRQ_EXE));
	EXPECT_EQ(s->pasid, VTD_GET(VTD_PRQ_PASID, d[0]));
	EXPECT_EQ(IOVA, d[1] & VTD_PRQ_ADDR);
	EXPECT_EQ(0x155, VTD_GET(VTD_PRQ_PRGI, d[1]));
	EXPECT_EQ(VTD_PRQ_R | VTD_PRQ_W | VTD_PRQ_LPIG, d[1] & 7);
}

TEST_F(prq, response_reaches_the_device)
{
	static const unsigned int codes[] = {
		VTD_RESPONSE_SUCCESS, VTD_RESPONSE_INVALID, VTD_RESPONSE_FAILURE,
	};

	RULE("VTD-18");
	for (unsigned int i = 0; i < 3; i++) {
		ask(&self->s, IOVA, i, true, HW_READ);
		EXPECT_EQ(-EAGAIN, answer(&self->s, i));
		respond(_metadata, &self->s, i, codes[i]);
		settle(self->s.b);
		EXPECT_EQ(codes[i], answer(&self->s, i));
	}
}

/* A response needs no wait behind it: the device must not starve. */
TEST_F(prq, response_without_a_wait)
{
	uint64_t d[4];

	RULE("VTD-18");
	ask(&self->s, IOVA, 3, true, HW_READ);
	vtd_inv_page_response(d, bench_rids[0], true, self->s.pasid, 3, VTD_RESPONSE_SUCCESS);
	push(self->s.b, d);
	ring(self->s.b);
	settle(self->s.b);
	EXPECT_EQ(VTD_RESPONSE_SUCCESS, answer(&self->s, 3));
}

TEST_F(prq, event)
{
	struct bench *b = self->s.b;

	RULE("VTD-18");
	unmask(b, VTD_PECTL_REG, 0x91);
	ask(&self->s, IOVA, 0, false, HW_READ);
	ask(&self->s, IOVA, 0, true, HW_READ);
	settle(b);
	EXPECT_EQ(1, b->msis);
	EXPECT_EQ(0x91, b->msi_data);
	set_reg(b, VTD_PRS_REG, 4, VTD_PRS_PPR);
	ask(&self->s, IOVA, 1, true, HW_READ);
	settle(b);
	EXPECT_EQ(2, b->msis);
}

/*
 * A full queue: PRO is set, the request is dropped; the last of a group is answered with success,
 * so that the device tries again.
 */
TEST_F(prq, overflow)
{
	struct bench *b = self->s.b;

	RULE("VTD-18");
	for (unsigned int i = 0; i < 127; i++)
		ask(&self->s, IOVA, i, true, HW_READ);
	EXPECT_EQ(0, reg(b, VTD_PRS_REG, 4) & VTD_PRS_PRO);
	ask(&self->s, IOVA, 200, true, HW_READ);
	EXPECT_EQ(VTD_PRS_PRO, reg(b, VTD_PRS_REG, 4) & VTD_PRS_PRO);
	EXPECT_EQ(127 * 32, reg(b, VTD_PQT_REG, 8));
	settle(b);
	EXPECT_EQ(VTD_RESPONSE_SUCCESS, answer(&self->s, 200));
	EXPECT_EQ(-EAGAIN, answer(&self->s, 5));
	/* Dropped as well while PRO is set, even with room. */
	set_reg(b, VTD_PQH_REG, 8, 64 * 32);
	ask(&self->s, IOVA, 201, true, HW_READ);
	EXPECT_EQ(127 * 32, reg(b, VTD_PQT_REG, 8));
	set_reg(b, VTD_PRS_REG, 4, VTD_PRS_PRO);
	ask(&self->s, IOVA, 202, true, HW_READ);
	EXPECT_EQ(0, reg(b, VTD_PQT_REG, 8));	/* and round the end */
}

/* Not allowed for this function: a fault, and an invalid request for the device. */
TEST_F(prq, page_requests_disabled)
{
	struct bench *b = self->s.b;

	RULE("VTD-18");
	*at(b, scalable_context(b, bench_rids[0])) &= ~VTD_SM_CONTEXT_PRE;
	ask(&self->s, IOVA, 7, true, HW_READ);
	settle(b);
	EXPECT_EQ(VTD_RESPONSE_INVALID, answer(&self->s, 7));
	EXPECT_EQ(VTD_FAULT_SCT_8_PRE, last_fault(b));
	EXPECT_EQ(0, reg(b, VTD_PQT_REG, 8));
}

/*
 * Page mapped read only, entry cached; software widens the permission and answers. The device's
 * page request has removed the old entry by itself: no invalidation is needed.
 */
TEST_F(prq, request_invalidates_its_page)
{
	struct space *s = &self->s;

	RULE("VTD-15");
	*entry(&s->first, IOVA, 1) &= ~VTD_FS_RW;
	EXPECT_OLD(s, 0);
	*entry(&s->first, IOVA, 1) |= VTD_FS_RW;
	EXPECT_FALSE(store(s->b, 0, s->pasid, IOVA, s->before));
	last_fault(s->b);
	ask(s, IOVA, 1, true, HW_READ | HW_WRITE);
	respond(_metadata, s, 1, VTD_RESPONSE_SUCCESS);
	EXPECT_TRUE(store(s->b, 0, s->pasid, IOVA, s->before));
	EXPECT_EQ(0, last_fault(s->b));
}

/* The same for a table above it: paging-structure entries go with the page. */
TEST_F(prq, request_invalidates_tables)
{
	struct space *s = &self->s;

	RULE("VTD-15");
	*entry(&s->first, IOVA, 2) &= ~VTD_FS_RW;
	EXPECT_OLD(s, 0);
	*entry(&s->first, IOVA, 2) |= VTD_FS_RW;
	EXPECT_FALSE(store(s->b, 0, s->pasid, IOVA + 0x1000, s->before + 0x1000));
	ask(s, IOVA + 0x1000, 1, true, HW_READ | HW_WRITE);
	EXPECT_TRUE(store(s->b, 0, s->pasid, IOVA + 0x1000, s->before + 0x1000));
}

/* Drain: a wait with PD completes when requests and hardware's own answers are out. */
TEST_F(prq, wait_drains_page_requests)
{
	struct bench *b = self->s.b;
	uint32_t number;

	RULE("VTD-07");
	*at(b, scalable_context(b, bench_rids[0])) &= ~VTD_SM_CONTEXT_PRE;
	ask(&self->s, IOVA, 7, true, HW_READ);
	number = push_wait(b, VTD_INV_WAIT_PD | VTD_INV_WAIT_FN, 1);
	ring(b);
	for (int step = 0; step < BENCH_STEPS && !written(b, 1, number); step++) {
		EXPECT_EQ(-EAGAIN, answer(&self->s, 7));
		machine_step(b->machine);
	}
	EXPECT_TRUE(written(b, 1, number));
	EXPECT_EQ(VTD_RESPONSE_INVALID, answer(&self->s, 7));
}

/* Legacy mode has no page requests. */
TEST(legacy_mode_refuses_page_requests)
{
	struct space s;

	RULE("VTD-18");
	space_on(&s, &vtd_config_full, SPACE_LEGACY, 0x1234, DMA_NO_PASID);
	endpoint_pri_enable(s.b->dev[0], true);
	endpoint_page_request(s.b->dev[0], &(struct hw_page_request){
		.addr = IOVA, .index = 9, .last = true, .access = HW_READ });
	settle(s.b);
	EXPECT_EQ(VTD_RESPONSE_INVALID, answer(&s, 9));
	EXPECT_EQ(VTD_FAULT_RTA_3_PAGE_GROUP, last_fault(s.b));
	bench_off(s.b);
}

NIT_TEST_MAIN
