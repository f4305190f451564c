// SPDX-License-Identifier: GPL-2.0-only
/* VT-d hardware: what an IOTLB invalidate descriptor must remove (6.5.2.3, table 23). */
#include "hw_space.h"

FIXTURE(iotlb) {
	struct space s;
};

FIXTURE_VARIANT(iotlb) {
	enum space_type type;
	uint16_t did;
	uint32_t pasid;
};

#define VARIANT(_name, _type, _did, _pasid) \
	FIXTURE_VARIANT_ADD(iotlb, _name) { .type = _type, .did = _did, .pasid = _pasid }

VARIANT(legacy, SPACE_LEGACY, 7, DMA_NO_PASID);
VARIANT(legacy_did_fffe, SPACE_LEGACY, 0xfffe, DMA_NO_PASID);
VARIANT(second, SPACE_SECOND, 0x1234, 9);
VARIANT(second_rid, SPACE_SECOND, 0x1234, DMA_NO_PASID);
VARIANT(first, SPACE_FIRST, 0x1234, 9);
VARIANT(nested, SPACE_NESTED, 0x1234, 0xabcde);
VARIANT(nested_rid, SPACE_NESTED, 0x0100, DMA_NO_PASID);
VARIANT(nested_host, SPACE_NESTED_HOST, 0x1234, 0xabcde);

FIXTURE_SETUP(iotlb)
{
	space_on(&self->s, &vtd_config_full, variant->type, variant->did, variant->pasid);
}

FIXTURE_TEARDOWN(iotlb)
{
	bench_off(self->s.b);
}

TEST_F(iotlb, global_removes_page)
{
	uint64_t d[4];

	RULE("VTD-01");
	EXPECT_OLD(&self->s, 0);
	space_change(&self->s, 0);
	EXPECT_OLD(&self->s, 0);
	vtd_inv_iotlb(d, VTD_GLOBAL, 0, 0, 0, false);
	EXPECT_TRUE(issue(self->s.b, d));
	EXPECT_NEW(&self->s, 0);
}

TEST_F(iotlb, domain_removes_page)
{
	uint64_t d[4];

	RULE("VTD-01");
	EXPECT_OLD(&self->s, 0);
	space_change(&self->s, 0);
	EXPECT_OLD(&self->s, 0);
	vtd_inv_iotlb(d, VTD_DOMAIN, self->s.did, 0, 0, false);
	EXPECT_TRUE(issue(self->s.b, d));
	EXPECT_NEW(&self->s, 0);
}

/* Second-stage entries go by address; first-stage and nested ones with the whole domain. */
TEST_F(iotlb, page_removes_page)
{
	uint64_t d[4];

	RULE("VTD-01");
	EXPECT_OLD(&self->s, 0);
	space_change(&self->s, 0);
	EXPECT_OLD(&self->s, 0);
	vtd_inv_iotlb(d, VTD_PAGE, self->s.did, is_first(&self->s) ? GPA : IOVA, 0, true);
	EXPECT_TRUE(issue(self->s.b, d));
	EXPECT_NEW(&self->s, 0);
}

TEST_F(iotlb, every_form_removes_tables)
{
	static const unsigned int granularities[] = { VTD_GLOBAL, VTD_DOMAIN, VTD_PAGE };
	uint64_t d[4];

	RULE("VTD-05");
	for (int g = 0; g < 3; g++)
		for (unsigned int level = 2; level <= 4; level++) {
			EXPECT_OLD(&self->s, 0);
			space_change_table(&self->s, level);
			EXPECT_OLD(&self->s, 0x3000);	/* through the cached table */
			vtd_inv_iotlb(d, granularities[g], self->s.did, place(&self->s), 9, false);
			EXPECT_TRUE(issue(self->s.b, d));
			EXPECT_NEW(&self->s, 0x3000);
			EXPECT_NEW(&self->s, 0x4000);
			bench_off(self->s.b);
			iotlb_setup(_metadata, self, variant);
		}
}

/* Two functions in one domain: an entry may have been made by either. */
TEST_F(iotlb, domain_is_of_all_devices)
{
	uint64_t d[4];

	RULE("VTD-01");
	space_attach(&self->s, 2, self->s.pasid);
	EXPECT_OLD(&self->s, 0);
	self->s.dev = 2;
	EXPECT_OLD(&self->s, 0);
	space_change(&self->s, 0);
	EXPECT_OLD(&self->s, 0);
	vtd_inv_iotlb(d, VTD_DOMAIN, self->s.did, 0, 0, true);
	EXPECT_TRUE(issue(self->s.b, d));
	EXPECT_NEW(&self->s, 0);
	self->s.dev = 0;
	EXPECT_NEW(&self->s, 0);
}

/* More may go than was asked for: then things are looked up again, and nothing else changes. */
TEST_F(iotlb, over_invalidation_is_harmless)
{
	uint64_t d[4];

	RULE("VTD-03");
	self->s.b->iommu->freedom.over = 1000;
	EXPECT_OLD(&self->s, 0);
	space_change_table(&self->s, 2);
	EXPECT_OLD(&self->s, 0x1000);
	vtd_inv_iotlb(d, VTD_DOMAIN, self->s.did, 0, 0, false);
	EXPECT_TRUE(issue(self->s.b, d));
	EXPECT_NEW(&self->s, 0);
	EXPECT_NEW(&self->s, 0x1000);
}

/* ---- Ranges ---- */

FIXTURE(range) {
	struct space s;
};

FIXTURE_VARIANT(range) {
	enum space_type type;
};

FIXTURE_VARIANT_ADD(range, legacy) { .type = SPACE_LEGACY };
FIXTURE_VARIANT_ADD(range, second) { .type = SPACE_SECOND };

FIXTURE_SETUP(range)
{
	space_on(&self->s, &vtd_config_full, variant->type, 0x1234, DMA_NO_PASID);
}

FIXTURE_TEARDOWN(range)
{
	bench_off(self->s.b);
}

/* First, last and a middle page of 2^AM pages, with the address given anywhere in the range. */
TEST_F(range, every_address_mask)
{
	const uint64_t base = 0x4000000000ull;
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-04");
	for (unsigned int am = 0; am <= vtd_config_full.mamv; am++) {
		uint64_t pages = 1ull << am, places[] = { 0, pages / 2, pages - 1 };

		for (int i = 0; i < 3; i++)
			map_page(&s->second, base + places[i] * 4096, s->before);
		for (int i = 0; i < 3; i++)
			EXPECT_EQ(s->before, reach(s->b, 0, s->pasid, base + places[i] * 4096));
		for (int i = 0; i < 3; i++)
			map_page(&s->second, base + places[i] * 4096, s->after);
		EXPECT_EQ(s->before, reach(s->b, 0, s->pasid, base + places[2] * 4096));
		vtd_inv_iotlb(d, VTD_PAGE, s->did, base + places[am & 1] * 4096, am, true);
		EXPECT_TRUE(issue(s->b, d));
		for (int i = 0; i < 3; i++)
			EXPECT_EQ(s->after, reach(s->b, 0, s->pasid, base + places[i] * 4096));
		vtd_inv_iotlb(d, VTD_GLOBAL, 0, 0, 0, true);
		EXPECT_TRUE(issue(s->b, d));
	}
}

/* A 2 MiB page goes with AM of 9 and more, a 1 GiB page with 18, wherever in it the address is. */
TEST_F(range, large_pages)
{
	const uint64_t page = self->s.before;
	uint64_t d[4];

	RULE("VTD-04");
	for (unsigned int level = 2; level <= 3; level++) {
		uint64_t base = (uint64_t)level << 36, mask = (1ull << (12 + 9 * (level - 1))) - 1;
		uint64_t iova = base | (page & mask);

		map(&self->s.second, base, page & ~mask, level, SS_LEAF);
		EXPECT_EQ(page, reach(self->s.b, 0, DMA_NO_PASID, iova));
		*entry(&self->s.second, base, level) = 0;
		EXPECT_EQ(page, reach(self->s.b, 0, DMA_NO_PASID, iova));
		vtd_inv_iotlb(d, VTD_PAGE, self->s.did, base, 9 * (level - 1), true);
		EXPECT_TRUE(issue(self->s.b, d));
		EXPECT_EQ(NOWHERE, reach(self->s.b, 0, DMA_NO_PASID, iova));
	}
}

/* Hardware may keep a large page in pieces: the mask must reach all of them, and does. */
TEST_F(range, large_page_kept_in_pieces)
{
	const uint64_t base = 0x4000000000ull, page = new_data(self->s.b, 2 << 20);
	uint64_t d[4];

	RULE("VTD-04");
	self->s.b->iommu->freedom.small_pages = true;
	map(&self->s.second, base, page, 2, SS_LEAF);
	for (uint64_t offset = 0; offset < 2 << 20; offset += 0x1f000)
		EXPECT_EQ(page + offset, reach(self->s.b, 0, DMA_NO_PASID, base + offset));
	*entry(&self->s.second, base, 2) = 0;
	EXPECT_EQ(page, reach(self->s.b, 0, DMA_NO_PASID, base));
	vtd_inv_iotlb(d, VTD_PAGE, self->s.did, base, 9, true);
	EXPECT_TRUE(issue(self->s.b, d));
	for (uint64_t offset = 0; offset < 2 << 20; offset += 0x1f000)
		EXPECT_EQ(NOWHERE, reach(self->s.b, 0, DMA_NO_PASID, base + offset));
}

/* A page gets another size: not present, invalidate, present again (6.5.3.3). */
TEST_F(range, page_becomes_table_and_back)
{
	const uint64_t base = 0x4000000000ull, page = new_data(self->s.b, 2 << 20);
	uint64_t d[4];

	RULE("VTD-10");
	vtd_inv_iotlb(d, VTD_PAGE, self->s.did, base, 9, false);
	map(&self->s.second, base, page, 2, SS_LEAF);
	EXPECT_EQ(page + 0x5000, reach(self->s.b, 0, DMA_NO_PASID, base + 0x5000));
	*entry(&self->s.second, base, 2) = 0;
	EXPECT_EQ(page + 0x5000, reach(self->s.b, 0, DMA_NO_PASID, base + 0x5000));
	EXPECT_TRUE(issue(self->s.b, d));
	map_page(&self->s.second, base + 0x5000, self->s.after);
	EXPECT_EQ(self->s.after, reach(self->s.b, 0, DMA_NO_PASID, base + 0x5000));
	*entry(&self->s.second, base, 2) = 0;
	EXPECT_TRUE(issue(self->s.b, d));
	map(&self->s.second, base, page, 2, SS_LEAF);
	EXPECT_EQ(page + 0x5000, reach(self->s.b, 0, DMA_NO_PASID, base + 0x5000));
}

/* Without page-selective invalidation (PSI=0) a page goes with its domain. */
TEST(page_without_psi)
{
	struct vtd_config config = vtd_config_full;
	struct space s;
	uint64_t d[4];

	RULE("VTD-01");
	config.psi = false;
	space_on(&s, &config, SPACE_SECOND, 0x1234, 3);
	EXPECT_OLD(&s, 0);
	space_change(&s, 0);
	EXPECT_OLD(&s, 0);
	vtd_inv_iotlb(d, VTD_PAGE, s.did, IOVA, 63, false);
	EXPECT_TRUE(issue(s.b, d));
	EXPECT_NEW(&s, 0);
	bench_off(s.b);
}

/* Before a domain-id is given to another table, all of the old one must be gone. */
TEST_F(range, reuse_of_domain_id)
{
	struct tree other = new_tree(self->s.b, true, 4, NULL);
	uint64_t d[4];

	RULE("VTD-10");
	map_page(&other, IOVA, self->s.after);
	EXPECT_OLD(&self->s, 0);
	self->s.second = other;
	space_attach(&self->s, 0, DMA_NO_PASID);
	vtd_inv_context(d, VTD_DEVICE, self->s.did, bench_rids[0], 0);
	push(self->s.b, d);
	if (self->s.b->scalable) {
		vtd_inv_pasid_cache(d, VTD_PC_PASID, self->s.did, 0);
		push(self->s.b, d);
	}
	EXPECT_TRUE(sync_all(self->s.b));
	EXPECT_OLD(&self->s, 0);	/* found by its tag, whatever the tables are */
	vtd_inv_iotlb(d, VTD_DOMAIN, self->s.did, 0, 0, false);
	EXPECT_TRUE(issue(self->s.b, d));
	EXPECT_NEW(&self->s, 0);
}

NIT_TEST_MAIN
