// SPDX-License-Identifier: GPL-2.0-only
/* VT-d hardware: what a PASID-based IOTLB invalidate descriptor must remove (6.5.2.4, table 24). */
#include "hw_space.h"

FIXTURE(piotlb) {
	struct space s;
};

FIXTURE_VARIANT(piotlb) {
	enum space_type type;
	uint16_t did;
	uint32_t pasid;
};

#define VARIANT(_name, _type, _did, _pasid) \
	FIXTURE_VARIANT_ADD(piotlb, _name) { .type = _type, .did = _did, .pasid = _pasid }

VARIANT(first, SPACE_FIRST, 0x1234, 9);
VARIANT(first_rid, SPACE_FIRST, 0x1234, DMA_NO_PASID);
VARIANT(first_pasid_fffff, SPACE_FIRST, 0x1234, 0xfffff);
VARIANT(nested, SPACE_NESTED, 0x1234, 0xabcde);
VARIANT(nested_did_fffe, SPACE_NESTED, 0xfffe, 1);
VARIANT(nested_rid, SPACE_NESTED, 0x0100, DMA_NO_PASID);

FIXTURE_SETUP(piotlb)
{
	space_on(&self->s, &vtd_config_full, variant->type, variant->did, variant->pasid);
}

FIXTURE_TEARDOWN(piotlb)
{
	bench_off(self->s.b);
}

/* Requests without PASID have the one of the context entry, which is 0 here. */
static uint32_t tag(const struct space *s)
{
	return s->pasid == DMA_NO_PASID ? 0 : s->pasid;
}

TEST_F(piotlb, pasid_removes_page)
{
	uint64_t d[4];

	RULE("VTD-02");
	EXPECT_OLD(&self->s, 0);
	space_change(&self->s, 0);
	EXPECT_OLD(&self->s, 0);
	vtd_inv_piotlb(d, VTD_PASID, self->s.did, tag(&self->s), 0, 0, false);
	EXPECT_TRUE(issue(self->s.b, d));
	EXPECT_NEW(&self->s, 0);
}

TEST_F(piotlb, page_removes_page)
{
	uint64_t d[4];

	RULE("VTD-02");
	EXPECT_OLD(&self->s, 0x2000);
	space_change(&self->s, 0x2000);
	EXPECT_OLD(&self->s, 0x2000);
	vtd_inv_piotlb(d, VTD_PAGE, self->s.did, tag(&self->s), IOVA + 0x2000, 0, true);
	EXPECT_TRUE(issue(self->s.b, d));
	EXPECT_NEW(&self->s, 0x2000);
}

/* With IH=0 a changed table is seen as well, also by pages that were never cached. */
TEST_F(piotlb, both_forms_remove_tables)
{
	uint64_t d[4];

	RULE("VTD-05");
	for (unsigned int form = VTD_PASID; form <= VTD_PAGE; form++)
		for (unsigned int level = 2; level <= 4; level++) {
			EXPECT_OLD(&self->s, 0);
			space_change_table(&self->s, level);
			EXPECT_OLD(&self->s, 0x3000);
			vtd_inv_piotlb(d, form, self->s.did, tag(&self->s), IOVA, 9, false);
			EXPECT_TRUE(issue(self->s.b, d));
			EXPECT_NEW(&self->s, 0x3000);
			EXPECT_NEW(&self->s, 0x4000);
			bench_off(self->s.b);
			piotlb_setup(_metadata, self, variant);
		}
}

/* Two devices with the same (DID, PASID) share entries: one invalidation is for both. */
TEST_F(piotlb, is_for_all_devices)
{
	uint64_t d[4];

	RULE("VTD-02");
	space_attach(&self->s, 2, self->s.pasid);
	EXPECT_OLD(&self->s, 0);
	self->s.dev = 2;
	EXPECT_OLD(&self->s, 0);
	space_change(&self->s, 0);
	EXPECT_OLD(&self->s, 0);
	vtd_inv_piotlb(d, VTD_PAGE, self->s.did, tag(&self->s), IOVA, 0, true);
	EXPECT_TRUE(issue(self->s.b, d));
	EXPECT_NEW(&self->s, 0);
	self->s.dev = 0;
	EXPECT_NEW(&self->s, 0);
}

/* Any AM is good here, whatever MAMV says; the address may be anywhere in the range. */
TEST_F(piotlb, every_address_mask)
{
	const uint64_t base = 0x4000000000ull;
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-04");
	for (unsigned int am = 0; am <= 24; am++) {
		uint64_t pages = 1ull << am, places[] = { 0, pages / 2, pages - 1 };

		for (int i = 0; i < 3; i++)
			map_page(&s->first, base + places[i] * 4096, named(s, s->before));
		for (int i = 0; i < 3; i++)
			EXPECT_EQ(s->before, reach(s->b, 0, s->pasid, base + places[i] * 4096));
		for (int i = 0; i < 3; i++)
			map_page(&s->first, base + places[i] * 4096, named(s, s->after));
		EXPECT_EQ(s->before, reach(s->b, 0, s->pasid, base + places[2] * 4096));
		vtd_inv_piotlb(d, VTD_PAGE, s->did, tag(s), base + places[am & 1] * 4096, am, true);
		EXPECT_TRUE(issue(s->b, d));
		for (int i = 0; i < 3; i++)
			EXPECT_EQ(s->after, reach(s->b, 0, s->pasid, base + places[i] * 4096));
		vtd_inv_piotlb(d, VTD_PASID, s->did, tag(s), 0, 0, true);
		EXPECT_TRUE(issue(s->b, d));
	}
}

/* The largest masks: 2^64 bytes and what would be more. */
TEST_F(piotlb, whole_address_space)
{
	uint64_t d[4];

	RULE("VTD-04");
	for (unsigned int am = 51; am <= 63; am += 3) {
		EXPECT_OLD(&self->s, 0x5000);
		space_change(&self->s, 0x5000);
		EXPECT_OLD(&self->s, 0x5000);
		vtd_inv_piotlb(d, VTD_PAGE, self->s.did, tag(&self->s), 0, am, false);
		EXPECT_TRUE(issue(self->s.b, d));
		EXPECT_NEW(&self->s, 0x5000);
		space_map(&self->s);
		EXPECT_TRUE(issue(self->s.b, d));
	}
}

/* In the upper half of canonical addresses. */
TEST_F(piotlb, upper_half)
{
	const uint64_t iova = 0xffff800000123000ull;
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-02");
	map_page(&s->first, iova, named(s, s->before));
	EXPECT_EQ(s->before, reach(s->b, 0, s->pasid, iova));
	map_page(&s->first, iova, named(s, s->after));
	EXPECT_EQ(s->before, reach(s->b, 0, s->pasid, iova));
	vtd_inv_piotlb(d, VTD_PAGE, s->did, tag(s), iova, 0, true);
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_EQ(s->after, reach(s->b, 0, s->pasid, iova));
}

/* A large page of the first stage, whole or in the pieces that the second stage makes of it. */
TEST_F(piotlb, large_page)
{
	const uint64_t iova = 0x4000000000ull, page = new_data(self->s.b, 2 << 20);
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-04");
	for (uint64_t offset = 0; is_nested(s) && offset < 2 << 20; offset += 4096)
		map_page(&s->second, named(s, page + offset), page + offset);
	map(&s->first, iova, named(s, page), 2, FS_LEAF);
	for (uint64_t offset = 0; offset < 2 << 20; offset += 0x1f000)
		EXPECT_EQ(page + offset, reach(s->b, 0, s->pasid, iova + offset));
	*entry(&s->first, iova, 2) = 0;
	EXPECT_EQ(page, reach(s->b, 0, s->pasid, iova));
	vtd_inv_piotlb(d, VTD_PAGE, s->did, tag(s), iova, 9, true);
	EXPECT_TRUE(issue(s->b, d));
	for (uint64_t offset = 0; offset < 2 << 20; offset += 0x1f000)
		EXPECT_EQ(NOWHERE, reach(s->b, 0, s->pasid, iova + offset));
}

/* A permission that is taken away. */
TEST_F(piotlb, write_permission)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-10");
	EXPECT_TRUE(store(s->b, 0, s->pasid, IOVA, s->before));
	*entry(&s->first, IOVA, 1) &= ~VTD_FS_RW;
	EXPECT_TRUE(store(s->b, 0, s->pasid, IOVA, s->before));
	vtd_inv_piotlb(d, VTD_PAGE, s->did, tag(s), IOVA, 0, true);
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_FALSE(store(s->b, 0, s->pasid, IOVA, s->before));
	EXPECT_OLD(s, 0);
}

/* Software clears D: writes tell again only after the invalidation. */
TEST_F(piotlb, dirty_flag)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-10");
	EXPECT_TRUE(store(s->b, 0, s->pasid, IOVA, s->before));
	*entry(&s->first, IOVA, 1) &= ~VTD_FS_D;
	EXPECT_TRUE(store(s->b, 0, s->pasid, IOVA, s->before));
	EXPECT_EQ(0, *entry(&s->first, IOVA, 1) & VTD_FS_D);
	vtd_inv_piotlb(d, VTD_PAGE, s->did, tag(s), IOVA, 0, true);
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_TRUE(store(s->b, 0, s->pasid, IOVA, s->before));
	EXPECT_EQ(VTD_FS_D, *entry(&s->first, IOVA, 1) & VTD_FS_D);
}

/* Pass-through is changed to a translation: entries of the PASID go, whatever type they are of. */
TEST(pasid_removes_pass_through)
{
	struct bench *b = bench_on(&vtd_config_full, true);
	struct tree first = new_tree(b, false, 4, NULL);
	uint64_t before = new_data(b, 4096), after = new_data(b, 4096), d[4];

	RULE("VTD-02");
	map_page(&first, before, after);
	attach(b, bench_rids[0], 7, VTD_PGTT_PASS_THROUGH, 0x55, NULL, NULL);
	EXPECT_EQ(before, reach(b, 0, 7, before));
	attach(b, bench_rids[0], 7, VTD_PGTT_SECOND_STAGE, 0x55, NULL, &first);
	vtd_inv_pasid_cache(d, VTD_PC_PASID, 0x55, 7);
	EXPECT_TRUE(issue(b, d));
	EXPECT_EQ(before, reach(b, 0, 7, before));
	vtd_inv_piotlb(d, VTD_PASID, 0x55, 7, 0, 0, false);
	EXPECT_TRUE(issue(b, d));
	EXPECT_EQ(after, reach(b, 0, 7, before));
	bench_off(b);
}

NIT_TEST_MAIN
