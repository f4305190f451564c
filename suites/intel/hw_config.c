// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d hardware: changes of root, context, PASID directory and PASID table entries, and the
 * invalidations that they need (6.5.2.1, 6.5.2.2, 6.5.3.3); caching mode (6.1).
 */
#include "hw_space.h"

/* Another tree, which leads from IOVA to @page; of the first stage, or of the second. */
static struct tree other_tree(struct bench *b, bool second, uint64_t page)
{
	struct tree tree = new_tree(b, second, 4, NULL);

	map_page(&tree, IOVA, page);
	return tree;
}

static void push_iotlb(struct bench *b)
{
	uint64_t d[4];

	vtd_inv_iotlb(d, VTD_GLOBAL, 0, 0, 0, false);
	push(b, d);
}

/* ---- Context cache, legacy mode ---- */

FIXTURE(legacy) {
	struct space s;
	struct tree other;
};

/* @dev: whose entry changes; @sid, @fm: how the descriptor names it */
FIXTURE_VARIANT(legacy) {
	unsigned int granularity;
	unsigned int dev;
	uint16_t sid;
	unsigned int fm;
};

#define CONTEXT(_name, _granularity, _dev, _sid, _fm) \
	FIXTURE_VARIANT_ADD(legacy, _name) { \
		.granularity = _granularity, .dev = _dev, .sid = _sid, .fm = _fm, \
	}

CONTEXT(global, VTD_GLOBAL, 0, 0, 0);
CONTEXT(domain, VTD_DOMAIN, 0, 0, 0);
CONTEXT(domain_other_bus, VTD_DOMAIN, 2, 0, 0);
CONTEXT(device, VTD_DEVICE, 0, 0x0088, 0);
CONTEXT(device_function_1, VTD_DEVICE, 1, 0x0089, 0);
CONTEXT(device_other_bus, VTD_DEVICE, 2, 0x0100, 0);
CONTEXT(device_fm_low_bit, VTD_DEVICE, 1, 0x008d, 1);	/* bit 2 of the function is masked */
CONTEXT(device_fm_two_bits, VTD_DEVICE, 1, 0x008f, 2);	/* bits 2:1 */
CONTEXT(device_fm_all, VTD_DEVICE, 1, 0x008e, 3);

FIXTURE_SETUP(legacy)
{
	space_on(&self->s, &vtd_config_full, SPACE_LEGACY, 0x0234, DMA_NO_PASID);
	space_attach(&self->s, variant->dev, DMA_NO_PASID);
	self->s.dev = variant->dev;
	self->other = other_tree(self->s.b, true, self->s.after);
}

FIXTURE_TEARDOWN(legacy)
{
	bench_off(self->s.b);
}

static void push_context(struct bench *b, const FIXTURE_VARIANT(legacy) *v, uint16_t did)
{
	uint64_t d[4];

	vtd_inv_context(d, v->granularity, did, v->sid, v->fm);
	push(b, d);
}

TEST_F(legacy, context_changes_table)
{
	struct space *s = &self->s;

	RULE("VTD-10");
	EXPECT_OLD(s, 0);
	legacy_attach(s->b, bench_rids[variant->dev], VTD_TT_ALL, s->did, &self->other);
	EXPECT_OLD(s, 0);
	push_context(s->b, variant, s->did);
	push_iotlb(s->b);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_NEW(s, 0);
}

TEST_F(legacy, context_is_gone)
{
	struct space *s = &self->s;

	RULE("VTD-10");
	EXPECT_OLD(s, 0);
	put(s->b, legacy_context(s->b, bench_rids[variant->dev]), 0);
	EXPECT_OLD(s, 0);
	push_context(s->b, variant, s->did);
	push_iotlb(s->b);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_EQ(NOWHERE, space_reach(s, 0));
	EXPECT_EQ(VTD_FAULT_LCT_2_NOT_PRESENT, last_fault(s->b));
}

TEST_F(legacy, root_entry_is_gone)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-10");
	EXPECT_OLD(s, 0);
	put(s->b, s->b->root + (bench_rids[variant->dev] >> 8) * 16, 0);
	EXPECT_OLD(s, 0);
	vtd_inv_context(d, VTD_GLOBAL, 0, 0, 0);
	push(s->b, d);
	push_iotlb(s->b);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_EQ(NOWHERE, space_reach(s, 0));
	EXPECT_EQ(VTD_FAULT_LRT_2_NOT_PRESENT, last_fault(s->b));
}

/* ---- Context and PASID cache, scalable mode ---- */

FIXTURE(scalable) {
	struct space s;
	struct tree other;
};

FIXTURE_VARIANT(scalable) {
	enum space_type type;
	uint32_t pasid;
};

FIXTURE_VARIANT_ADD(scalable, second) { SPACE_SECOND, 9 };
FIXTURE_VARIANT_ADD(scalable, second_rid) { SPACE_SECOND, DMA_NO_PASID };
FIXTURE_VARIANT_ADD(scalable, first) { SPACE_FIRST, 9 };
FIXTURE_VARIANT_ADD(scalable, first_pasid_abcde) { SPACE_FIRST, 0xabcde };

FIXTURE_SETUP(scalable)
{
	space_on(&self->s, &vtd_config_full, variant->type, 0x0234, variant->pasid);
	self->other = other_tree(self->s.b, variant->type == SPACE_SECOND, self->s.after);
}

FIXTURE_TEARDOWN(scalable)
{
	bench_off(self->s.b);
}

static uint32_t tag(const struct space *s)
{
	return s->pasid == DMA_NO_PASID ? 0 : s->pasid;
}

/* Fill the caches, then point the PASID entry to the other tree, under the same DID. */
static void change_pasid_entry(struct __test_metadata *_metadata, struct space *s,
			       const struct tree *other)
{
	EXPECT_OLD(s, 0);
	*changing(s) = *other;
	space_attach(s, 0, s->pasid);
	EXPECT_OLD(s, 0);
}

TEST_F(scalable, pasid_cache_forms)
{
	static const unsigned int forms[] = { VTD_PC_DOMAIN, VTD_PC_PASID, VTD_PC_GLOBAL };
	uint64_t d[4];

	RULE("VTD-10");
	for (int i = 0; i < 3; i++) {
		change_pasid_entry(_metadata, &self->s, &self->other);
		vtd_inv_pasid_cache(d, forms[i], forms[i] == VTD_PC_GLOBAL ? 0 : self->s.did,
				    tag(&self->s));
		push(self->s.b, d);
		push_iotlb(self->s.b);
		EXPECT_TRUE(sync_all(self->s.b));
		EXPECT_NEW(&self->s, 0);
		bench_off(self->s.b);
		scalable_setup(_metadata, self, variant);
	}
}

/* The PASID entry is gone, and what was made of it. */
TEST_F(scalable, pasid_entry_is_gone)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-10");
	EXPECT_OLD(s, 0);
	put(s->b, pasid_entry(s->b, bench_rids[0], tag(s)), 0);
	EXPECT_OLD(s, 0);
	vtd_inv_pasid_cache(d, VTD_PC_PASID, s->did, tag(s));
	push(s->b, d);
	vtd_inv_piotlb(d, VTD_PASID, s->did, tag(s), 0, 0, false);
	push(s->b, d);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_EQ(NOWHERE, space_reach(s, 0));
	EXPECT_EQ(VTD_FAULT_SPT_2_NOT_PRESENT, last_fault(s->b));
}

TEST_F(scalable, directory_entry_is_gone)
{
	struct space *s = &self->s;
	uint64_t d[4], directory;

	RULE("VTD-10");
	EXPECT_OLD(s, 0);
	directory = *at(s->b, scalable_context(s->b, bench_rids[0])) & VTD_ADDR_4K;
	put(s->b, directory + (tag(s) >> 6) * 8, 0);
	EXPECT_OLD(s, 0);
	vtd_inv_pasid_cache(d, VTD_PC_DOMAIN, s->did, 0);
	push(s->b, d);
	push_iotlb(s->b);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_EQ(NOWHERE, space_reach(s, 0));
	EXPECT_EQ(VTD_FAULT_SPD_2_NOT_PRESENT, last_fault(s->b));
}

/* The context points to another PASID directory: context cache first, then the PASID cache. */
TEST_F(scalable, context_forms)
{
	static const unsigned int forms[] = { VTD_GLOBAL, VTD_DOMAIN, VTD_DEVICE };
	struct space *s = &self->s;
	uint64_t d[4], context;

	RULE("VTD-10");
	for (int i = 0; i < 3; i++) {
		EXPECT_OLD(s, 0);
		context = scalable_context(s->b, bench_rids[0]);
		put(s->b, context, 0);
		EXPECT_OLD(s, 0);
		*changing(s) = self->other;
		space_attach(s, 0, s->pasid);	/* with a new directory */
		EXPECT_OLD(s, 0);
		vtd_inv_context(d, forms[i], s->did, bench_rids[0], 0);
		push(s->b, d);
		vtd_inv_pasid_cache(d, VTD_PC_DOMAIN, s->did, 0);
		push(s->b, d);
		vtd_inv_iotlb(d, VTD_DOMAIN, s->did, 0, 0, false);
		push(s->b, d);
		EXPECT_TRUE(sync_all(s->b));
		EXPECT_NEW(s, 0);
		bench_off(s->b);
		scalable_setup(_metadata, self, variant);
	}
}

/* In scalable mode a context has no DID: the source-id alone finds it, with any function mask. */
TEST_F(scalable, context_of_device_by_function_mask)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-10");
	EXPECT_OLD(s, 0);
	put(s->b, scalable_context(s->b, bench_rids[0]), 0);
	EXPECT_OLD(s, 0);
	vtd_inv_context(d, VTD_DEVICE, 0, bench_rids[0] | 7, 3);
	push(s->b, d);
	push_iotlb(s->b);
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_EQ(NOWHERE, space_reach(s, 0));
	EXPECT_EQ(VTD_FAULT_SCT_2_NOT_PRESENT, last_fault(s->b));
}

/* Device TLBs are switched off for a function: translated requests must stop after that. */
TEST_F(scalable, context_disables_translated_requests)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-10");
	EXPECT_EQ(s->before, reach_how(s->b, 0, DMA_NO_PASID, s->before, DMA_RAW));
	*at(s->b, scalable_context(s->b, bench_rids[0])) &= ~VTD_SM_CONTEXT_DTE;
	EXPECT_EQ(s->before, reach_how(s->b, 0, DMA_NO_PASID, s->before, DMA_RAW));
	vtd_inv_context(d, VTD_DEVICE, 0, bench_rids[0], 0);
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_EQ(NOWHERE, reach_how(s->b, 0, DMA_NO_PASID, s->before, DMA_RAW));
	EXPECT_EQ(VTD_FAULT_SCT_5_DTE, last_fault(s->b));
}

/* Another type of translation, another DID: the old DID's entries need nothing to go. */
TEST_F(scalable, pasid_entry_changes_domain)
{
	struct space *s = &self->s;
	uint64_t d[4];
	uint16_t old = s->did;

	RULE("VTD-10");
	EXPECT_OLD(s, 0);
	*changing(s) = self->other;
	s->did = 0x4321;
	space_attach(s, 0, s->pasid);
	EXPECT_OLD(s, 0);
	vtd_inv_pasid_cache(d, VTD_PC_PASID, old, tag(s));
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_NEW(s, 0);
}

/* ---- Caching mode ---- */

FIXTURE(caching) {
	struct space s;
};

FIXTURE_VARIANT(caching) {
	enum space_type type;
	bool caching_mode;
};

FIXTURE_VARIANT_ADD(caching, legacy) { SPACE_LEGACY, false };
FIXTURE_VARIANT_ADD(caching, second) { SPACE_SECOND, false };
FIXTURE_VARIANT_ADD(caching, first) { SPACE_FIRST, false };
FIXTURE_VARIANT_ADD(caching, legacy_cm) { SPACE_LEGACY, true };
FIXTURE_VARIANT_ADD(caching, second_cm) { SPACE_SECOND, true };
FIXTURE_VARIANT_ADD(caching, first_cm) { SPACE_FIRST, true };

FIXTURE_SETUP(caching)
{
	struct vtd_config config = vtd_config_full;

	config.caching_mode = variant->caching_mode;
	space_on(&self->s, &config, variant->type, 0x0234, DMA_NO_PASID);
}

FIXTURE_TEARDOWN(caching)
{
	bench_off(self->s.b);
}

/* A page appears. With CM=1, of a second stage, the invalidation is needed; else nothing is. */
TEST_F(caching, page_becomes_present)
{
	struct space *s = &self->s;
	bool cached = variant->caching_mode && variant->type != SPACE_FIRST;
	uint64_t d[4];

	RULE("VTD-11");
	*entry(changing(s), IOVA, 1) = 0;
	EXPECT_EQ(NOWHERE, space_reach(s, 0));
	space_change(s, 0);
	if (cached) {
		EXPECT_EQ(NOWHERE, space_reach(s, 0));
		vtd_inv_iotlb(d, VTD_PAGE, s->did, IOVA, 0, true);
		EXPECT_TRUE(issue(s->b, d));
	}
	EXPECT_NEW(s, 0);
}

/* A context, or PASID entry, appears. Absent ones are tagged with DID 0. */
TEST_F(caching, device_becomes_present)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-11");
	s->dev = 2;
	EXPECT_EQ(NOWHERE, space_reach(s, 0));
	space_attach(s, 2, DMA_NO_PASID);
	if (variant->caching_mode) {
		EXPECT_EQ(NOWHERE, space_reach(s, 0));
		vtd_inv_context(d, VTD_DEVICE, 0, bench_rids[2], 0);
		EXPECT_TRUE(issue(s->b, d));
	}
	EXPECT_OLD(s, 0);
}

FIXTURE(caching_pasid) {
	struct space s;
};

FIXTURE_VARIANT(caching_pasid) {
	enum space_type type;
	bool caching_mode;
};

FIXTURE_VARIANT_ADD(caching_pasid, second) { SPACE_SECOND, false };
FIXTURE_VARIANT_ADD(caching_pasid, nested) { SPACE_NESTED, false };
FIXTURE_VARIANT_ADD(caching_pasid, second_cm) { SPACE_SECOND, true };
FIXTURE_VARIANT_ADD(caching_pasid, nested_cm) { SPACE_NESTED, true };

FIXTURE_SETUP(caching_pasid)
{
	struct vtd_config config = vtd_config_full;

	config.caching_mode = variant->caching_mode;
	space_on(&self->s, &config, variant->type, 0x0234, DMA_NO_PASID);
}

FIXTURE_TEARDOWN(caching_pasid)
{
	bench_off(self->s.b);
}

TEST_F(caching_pasid, entry_becomes_present)
{
	struct space *s = &self->s;
	uint64_t d[4];

	RULE("VTD-11");
	s->pasid = 17;
	EXPECT_EQ(NOWHERE, space_reach(s, 0));
	space_attach(s, 0, 17);
	if (variant->caching_mode) {
		EXPECT_EQ(NOWHERE, space_reach(s, 0));
		vtd_inv_pasid_cache(d, VTD_PC_PASID, s->did, 17);
		EXPECT_TRUE(issue(s->b, d));
	}
	EXPECT_OLD(s, 0);
}

NIT_TEST_MAIN
