// SPDX-License-Identifier: GPL-2.0-only
/* VT-d hardware: fault recording and the fault event (7.2, 11.4.7). */
#include "hw_space.h"

FIXTURE(fault) {
	struct space s;
};

FIXTURE_SETUP(fault)
{
	space_on(&self->s, &vtd_config_full, SPACE_FIRST, 0x1234, 0xabcde);
}

FIXTURE_TEARDOWN(fault)
{
	bench_off(self->s.b);
}

#define MISSING (IOVA + WINDOW)	/* the first page that is not mapped */

static uint64_t record(struct bench *b, unsigned int n, unsigned int half)
{
	return reg(b, VTD_FRCD_OFFSET + 16 * n + 8 * half, 8);
}

static uint32_t status(struct bench *b)
{
	return reg(b, VTD_FSTS_REG, 4);
}

static void cause_faults(struct space *s, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		reach(s->b, s->dev, s->pasid, MISSING + i * 4096);
}

TEST_F(fault, record_says_what_it_was)
{
	struct bench *b = self->s.b;
	uint64_t high;

	RULE("VTD-17");
	reach(b, 0, self->s.pasid, MISSING + 0x128);
	high = record(b, 0, 1);
	EXPECT_EQ(VTD_FRCD_F, high & VTD_FRCD_F);
	EXPECT_EQ(MISSING, record(b, 0, 0));
	EXPECT_EQ(VTD_FAULT_SFS_2_NOT_PRESENT, VTD_GET(VTD_FRCD_FR, high));
	EXPECT_EQ(bench_rids[0], VTD_GET(VTD_FRCD_SID, high));
	EXPECT_EQ(VTD_FRCD_PP, high & VTD_FRCD_PP);
	EXPECT_EQ(self->s.pasid, VTD_GET(VTD_FRCD_PV, high));
	EXPECT_EQ(VTD_FRCD_T, high & VTD_FRCD_T);
	EXPECT_FALSE(store(b, 0, self->s.pasid, MISSING, 0));
	EXPECT_EQ(0, record(b, 1, 1) & VTD_FRCD_T);
	EXPECT_EQ(VTD_FSTS_PPF, status(b));
}

TEST_F(fault, request_without_pasid)
{
	struct bench *b = self->s.b;

	RULE("VTD-17");
	reach(b, 2, DMA_NO_PASID, IOVA);
	EXPECT_EQ(0, record(b, 0, 1) & (VTD_FRCD_PP | VTD_FRCD_PV));
	EXPECT_EQ(bench_rids[2], VTD_GET(VTD_FRCD_SID, record(b, 0, 1)));
	EXPECT_EQ(VTD_FAULT_SRT_2_NOT_PRESENT, VTD_GET(VTD_FRCD_FR, record(b, 0, 1)));
}

/* One after the other; FRI names the first; PPF is there until the last is cleared. */
TEST_F(fault, records_are_a_ring)
{
	struct bench *b = self->s.b;

	RULE("VTD-17");
	for (int round = 0; round < 3; round++) {
		unsigned int first = VTD_GET(VTD_FSTS_FRI, status(b));

		cause_faults(&self->s, 3);
		first = VTD_GET(VTD_FSTS_FRI, status(b));
		for (unsigned int i = 0; i < 3; i++) {
			EXPECT_EQ(VTD_FSTS_PPF, status(b) & VTD_FSTS_PPF);
			EXPECT_EQ(MISSING + i * 4096, record(b, (first + i) % 8, 0));
			EXPECT_EQ(VTD_FAULT_SFS_2_NOT_PRESENT, fault_reason(b, (first + i) % 8));
		}
		EXPECT_EQ(0, status(b) & VTD_FSTS_PPF);
	}
}

/* With all records in use faults are lost, and PFO says so; what is recorded stays. */
TEST_F(fault, overflow)
{
	struct bench *b = self->s.b;

	RULE("VTD-17");
	cause_faults(&self->s, 8);
	EXPECT_EQ(VTD_FSTS_PPF, status(b) & 0xff);
	cause_faults(&self->s, 1);
	EXPECT_EQ(VTD_FSTS_PPF | VTD_FSTS_PFO, status(b) & 0xff);
	for (unsigned int i = 0; i < 8; i++) {
		EXPECT_EQ(MISSING + i * 4096, record(b, i, 0));
		fault_reason(b, i);
	}
	cause_faults(&self->s, 1);	/* none is recorded while PFO is set */
	EXPECT_EQ(0, record(b, 0, 1) & VTD_FRCD_F);
	set_reg(b, VTD_FSTS_REG, 4, VTD_FSTS_PFO);
	EXPECT_EQ(0, status(b) & 0xff);
	cause_faults(&self->s, 1);
	EXPECT_EQ(VTD_FSTS_PPF, status(b) & 0xff);
}

TEST_F(fault, event_comes_once)
{
	struct bench *b = self->s.b;

	RULE("VTD-17");
	unmask(b, VTD_FECTL_REG, 0x81);
	cause_faults(&self->s, 3);
	settle(b);
	EXPECT_EQ(1, b->msis);
	EXPECT_EQ(0x81, b->msi_data);
	last_fault(b);
	cause_faults(&self->s, 1);
	settle(b);
	EXPECT_EQ(2, b->msis);
}

TEST_F(fault, event_masked)
{
	struct bench *b = self->s.b;

	RULE("VTD-17");
	cause_faults(&self->s, 1);
	settle(b);
	EXPECT_EQ(0, b->msis);
	EXPECT_EQ(VTD_ECTL_IM | VTD_ECTL_IP, reg(b, VTD_FECTL_REG, 4));
	unmask(b, VTD_FECTL_REG, 0x82);
	settle(b);
	EXPECT_EQ(1, b->msis);
	EXPECT_EQ(0, reg(b, VTD_FECTL_REG, 4));
}

/* FPD in the PASID entry, its directory entry or the context: aborted, but not recorded. */
TEST_F(fault, fault_processing_disabled)
{
	struct bench *b = self->s.b;
	uint64_t context = scalable_context(b, bench_rids[0]);
	uint64_t directory = (*at(b, context) & VTD_ADDR_4K) + (self->s.pasid >> 6) * 8;
	uint64_t places[] = { pasid_entry(b, bench_rids[0], self->s.pasid), directory, context };

	RULE("VTD-17");
	for (unsigned int i = 0; i < 3; i++) {
		*at(b, places[i]) |= VTD_BIT(1);
		EXPECT_TRUE(invalidate_all(b));
		EXPECT_EQ(NOWHERE, reach(b, 0, self->s.pasid, MISSING));
		EXPECT_EQ(0, status(b) & 0xff);
		*at(b, places[i]) &= ~VTD_BIT(1);
		EXPECT_TRUE(invalidate_all(b));
		EXPECT_EQ(NOWHERE, reach(b, 0, self->s.pasid, MISSING));
		EXPECT_EQ(VTD_FAULT_SFS_2_NOT_PRESENT, last_fault(b));
	}
}

NIT_TEST_MAIN
