// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference VT-d translates: every mode, depth and page size, permissions, accessed and dirty
 * flags, faults, ATS. What invalidations do to it is in suites/intel/hw_*.c.
 */
#include <pthread.h>

#include "../../suites/intel/bench.h"

#define IOVA	0x4040201000ull		/* below 2^39; no index is 0 */
#define PASID	5
#define DID	0x123
#define RID	0x0088

static uint64_t reads(struct bench *b)
{
	return atomic_load(&b->iommu->counts.table_reads);
}

/* ---- Every mode, depth and page size ---- */

FIXTURE(mode) {
	struct bench *b;
	struct tree first, second;
	uint64_t page;
	uint32_t pasid;
};

/* @first, @second: levels, 0 for no such stage; @first_leaf, @second_leaf: the level of leaves */
FIXTURE_VARIANT(mode) {
	bool legacy;
	unsigned int first, first_leaf;
	unsigned int second, second_leaf;
	bool rid_only;
};

#define MODE(_name, ...) FIXTURE_VARIANT_ADD(mode, _name) { __VA_ARGS__ }
#define FIRST(_levels, _leaf) .first = _levels, .first_leaf = _leaf
#define SECOND(_levels, _leaf) .second = _levels, .second_leaf = _leaf

MODE(legacy_3_4k, .legacy = true, SECOND(3, 1));
MODE(legacy_4_4k, .legacy = true, SECOND(4, 1));
MODE(legacy_5_4k, .legacy = true, SECOND(5, 1));
MODE(legacy_4_2m, .legacy = true, SECOND(4, 2));
MODE(legacy_4_1g, .legacy = true, SECOND(4, 3));
MODE(legacy_pass_through, .legacy = true);
MODE(pass_through, .legacy = false);
MODE(pass_through_rid, .rid_only = true);
MODE(second_3_4k, SECOND(3, 1));
MODE(second_4_4k, SECOND(4, 1));
MODE(second_5_4k, SECOND(5, 1));
MODE(second_3_2m, SECOND(3, 2));
MODE(second_4_2m, SECOND(4, 2));
MODE(second_4_1g, SECOND(4, 3));
MODE(second_4_4k_rid, SECOND(4, 1), .rid_only = true);
MODE(first_4_4k, FIRST(4, 1));
MODE(first_5_4k, FIRST(5, 1));
MODE(first_4_2m, FIRST(4, 2));
MODE(first_5_2m, FIRST(5, 2));
MODE(first_4_1g, FIRST(4, 3));
MODE(first_4_4k_rid, FIRST(4, 1), .rid_only = true);
MODE(nested_4_on_4_4k, FIRST(4, 1), SECOND(4, 1));
MODE(nested_4_on_3_4k, FIRST(4, 1), SECOND(3, 1));
MODE(nested_5_on_5_4k, FIRST(5, 1), SECOND(5, 1));
MODE(nested_2m_on_4k, FIRST(4, 2), SECOND(4, 1));
MODE(nested_4k_on_2m, FIRST(4, 1), SECOND(4, 2));
MODE(nested_2m_on_2m, FIRST(4, 2), SECOND(4, 2));
MODE(nested_1g_on_2m, FIRST(4, 3), SECOND(4, 2));
MODE(nested_4_on_4_rid, FIRST(4, 1), SECOND(4, 1), .rid_only = true);

static uint64_t leaf_size(unsigned int level)
{
	return 1ull << (12 + 9 * (level - 1));
}

/* Map so that *@iova leads to @page: a large leaf begins where it must. */
static uint64_t map_around(struct tree *tree, uint64_t iova, uint64_t page, unsigned int level)
{
	uint64_t mask = leaf_size(level) - 1;

	map(tree, iova & ~mask, page & ~mask, level, tree->second ? SS_LEAF : FS_LEAF);
	return (iova & ~mask) | (page & mask);
}

static void mode_attach(struct bench *b, const FIXTURE_VARIANT(mode) *v, struct tree *first,
			struct tree *second)
{
	unsigned int pgtt = !v->first && !v->second ? VTD_PGTT_PASS_THROUGH :
			    !v->first ? VTD_PGTT_SECOND_STAGE :
			    !v->second ? VTD_PGTT_FIRST_STAGE : VTD_PGTT_NESTED;

	if (v->legacy)
		legacy_attach(b, RID, v->second ? VTD_TT_ALL : VTD_TT_PASS_THROUGH, DID,
			      v->second ? second : NULL);
	else
		attach(b, RID, v->rid_only ? 0 : PASID, pgtt, DID, v->first ? first : NULL,
		       v->second ? second : NULL);
}

FIXTURE_SETUP(mode)
{
	self->b = bench_on(&vtd_config_full, !variant->legacy);
	self->page = new_data(self->b, 4096);
	self->pasid = variant->legacy || variant->rid_only ? DMA_NO_PASID : PASID;
	if (variant->second)
		self->second = new_tree(self->b, true, variant->second, NULL);
	if (variant->first)
		self->first = new_tree(self->b, false, variant->first,
				       variant->second ? &self->second : NULL);
	mode_attach(self->b, variant, &self->first, &self->second);
}

FIXTURE_TEARDOWN(mode)
{
	bench_off(self->b);
}

/* Where a DMA must go to reach the page, after mapping it. */
static uint64_t mode_map(struct __test_metadata *_metadata, FIXTURE_DATA(mode) *self,
			 const FIXTURE_VARIANT(mode) *variant)
{
	uint64_t address = self->page;

	if (variant->second && variant->first) {
		/* A guest address outside the range of the tables: bit 36 instead of 37. */
		uint64_t offset = self->page & (leaf_size(variant->first_leaf) - 1);
		uint64_t guest = 0x1000000000ull | offset;

		address = map_around(&self->second, guest, self->page, variant->second_leaf);
	} else if (variant->second) {
		return map_around(&self->second, IOVA, self->page, variant->second_leaf);
	}
	if (variant->first)
		return map_around(&self->first, IOVA, address, variant->first_leaf);
	return address;
}

TEST_F(mode, reaches_page)
{
	uint64_t iova = mode_map(_metadata, self, variant);

	EXPECT_EQ(self->page, reach(self->b, 0, self->pasid, iova));
	EXPECT_EQ(0, last_fault(self->b));
}

/* The second time from the caches, at any offset; with none of them, from the tables again. */
TEST_F(mode, hits_need_no_tables)
{
	uint64_t iova = mode_map(_metadata, self, variant), before;

	EXPECT_EQ(self->page, reach(self->b, 0, self->pasid, iova));
	before = reads(self->b);
	put(self->b, self->page + 0xff8, 0x0ff5e7);
	EXPECT_EQ(0x0ff5e7, reach(self->b, 0, self->pasid, iova + 0xff8));
	EXPECT_EQ(before, reads(self->b));
	EXPECT_TRUE(invalidate_all(self->b));
	EXPECT_EQ(self->page, reach(self->b, 0, self->pasid, iova));
	EXPECT_LT(before, reads(self->b));
}

/* An entry serves exactly what both stages map: its size is the smaller of the two. */
TEST_F(mode, entry_ends_with_its_page)
{
	uint64_t iova = mode_map(_metadata, self, variant);
	unsigned int level = variant->first_leaf ?: variant->second_leaf;
	uint64_t beyond = (iova | (leaf_size(level ?: 1) - 1)) + 1;

	EXPECT_EQ(self->page, reach(self->b, 0, self->pasid, iova));
	if (variant->first && variant->second_leaf && variant->second_leaf < variant->first_leaf)
		beyond = (iova | (leaf_size(variant->second_leaf) - 1)) + 1;
	if (variant->first || variant->second)
		EXPECT_EQ(NOWHERE, reach(self->b, 0, self->pasid, beyond));
}

TEST_F(mode, freedom_is_correct)
{
	uint64_t iova = mode_map(_metadata, self, variant);

	self->b->iommu->freedom.evict = 300;
	self->b->iommu->freedom.prefetch = 500;
	self->b->iommu->freedom.small_pages = true;
	for (int i = 0; i < 30; i++)
		EXPECT_EQ(self->page, reach(self->b, 0, self->pasid, iova));
	self->b->iommu->freedom.no_walk_cache = true;
	EXPECT_TRUE(invalidate_all(self->b));
	EXPECT_EQ(self->page, reach(self->b, 0, self->pasid, iova));
}

/* ---- One address space of each kind to play with ---- */

FIXTURE(space) {
	struct bench *b;
	struct tree first, second;
	uint64_t page;
	uint64_t guest;		/* of the page, under nested translation */
};

FIXTURE_SETUP(space)
{
	self->b = bench_on(&vtd_config_full, true);
	self->page = new_data(self->b, 4096);
	self->guest = self->page + BENCH_GUEST;
	self->second = new_tree(self->b, true, 4, NULL);
	self->first = new_tree(self->b, false, 4, &self->second);
	map_page(&self->second, self->guest, self->page);
	map_page(&self->first, IOVA, self->guest);
	attach(self->b, RID, PASID, VTD_PGTT_NESTED, DID, &self->first, &self->second);
}

FIXTURE_TEARDOWN(space)
{
	bench_off(self->b);
}

/* 4-level on 4-level: 4 * (4 + 1) + 4 entries, and 5 of the configuration. */
TEST_F(space, nested_walk_reads_24_entries)
{
	uint64_t before;

	self->b->iommu->freedom.no_walk_cache = true;
	EXPECT_EQ(self->page, reach(self->b, 0, PASID, IOVA));
	EXPECT_TRUE(invalidate_all(self->b));
	before = reads(self->b);
	EXPECT_EQ(self->page, reach(self->b, 0, PASID, IOVA));
	check_note("%llu reads", (unsigned long long)(reads(self->b) - before));
}

TEST_F(space, read_sets_accessed_everywhere)
{
	*entry(&self->first, IOVA, 1) &= ~(VTD_FS_A | VTD_FS_D);
	for (unsigned int level = 2; level <= 4; level++)
		*entry(&self->first, IOVA, level) &= ~VTD_FS_A;
	EXPECT_EQ(self->page, reach(self->b, 0, PASID, IOVA));
	for (unsigned int level = 1; level <= 4; level++)
		EXPECT_EQ(VTD_FS_A, *entry(&self->first, IOVA, level) & (VTD_FS_A | VTD_FS_EA));
	EXPECT_EQ(0, *entry(&self->first, IOVA, 1) & VTD_FS_D);
}

TEST_F(space, write_sets_dirty)
{
	*entry(&self->first, IOVA, 1) &= ~VTD_FS_D;
	EXPECT_TRUE(store(self->b, 0, PASID, IOVA, self->page));
	EXPECT_EQ(VTD_FS_D, *entry(&self->first, IOVA, 1) & VTD_FS_D);
}

/* A read has cached the page: the first write must still tell. */
TEST_F(space, write_after_read_sets_dirty)
{
	*entry(&self->first, IOVA, 1) &= ~VTD_FS_D;
	EXPECT_EQ(self->page, reach(self->b, 0, PASID, IOVA));
	EXPECT_TRUE(store(self->b, 0, PASID, IOVA, self->page));
	EXPECT_EQ(VTD_FS_D, *entry(&self->first, IOVA, 1) & VTD_FS_D);
}

TEST_F(space, extended_accessed_flag)
{
	attach_flags(self->b, RID, PASID, VTD_PGTT_NESTED, DID, &self->first, &self->second, 0,
		     VTD_PASID_EAFE);
	EXPECT_EQ(self->page, reach(self->b, 0, PASID, IOVA));
	for (unsigned int level = 1; level <= 4; level++)
		EXPECT_EQ(VTD_FS_EA, *entry(&self->first, IOVA, level) & VTD_FS_EA);
}

TEST_F(space, second_stage_accessed_and_dirty)
{
	uint64_t table = self->first.root;

	attach_flags(self->b, RID, PASID, VTD_PGTT_NESTED, DID, &self->first, &self->second,
		     VTD_PASID_SSADE, 0);
	EXPECT_EQ(self->page, reach(self->b, 0, PASID, IOVA));
	EXPECT_EQ(VTD_SS_A, *entry(&self->second, self->guest, 1) & (VTD_SS_A | VTD_SS_D));
	EXPECT_EQ(VTD_SS_A, *entry(&self->second, table, 1) & (VTD_SS_A | VTD_SS_D));
	EXPECT_EQ(VTD_SS_A, *entry(&self->second, table, 3) & VTD_SS_A);
	EXPECT_TRUE(store(self->b, 0, PASID, IOVA, self->page));
	EXPECT_EQ(VTD_SS_D, *entry(&self->second, self->guest, 1) & VTD_SS_D);
}

/* Setting A in a guest's table is a write to guest memory: it makes that page dirty. */
TEST_F(space, accessed_flag_makes_table_dirty)
{
	attach_flags(self->b, RID, PASID, VTD_PGTT_NESTED, DID, &self->first, &self->second,
		     VTD_PASID_SSADE, 0);
	*entry(&self->first, IOVA, 4) &= ~VTD_FS_A;
	EXPECT_EQ(self->page, reach(self->b, 0, PASID, IOVA));
	EXPECT_EQ(VTD_SS_D, *entry(&self->second, self->first.root, 1) & VTD_SS_D);
}

/* ---- Permissions ---- */

static bool access_page(struct bench *b, enum dma_op op, bool priv, bool exec)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = op, .pasid = PASID, .addr = IOVA, .len = 8, .data = &data, .priv = priv,
		.exec = exec,
	};

	return endpoint_dma(b->dev[0], 0, &dma) == DMA_DONE;
}

FIXTURE(permission) {
	struct bench *b;
	struct tree first;
};

/* @leaf: flags of the entry; @pasid: flags of quadword 2; @reason: 0 where it must be allowed */
FIXTURE_VARIANT(permission) {
	uint64_t leaf;
	uint64_t pasid;
	enum dma_op op;
	bool priv, exec;
	unsigned int reason;
};

#define PERMISSION(_name, _leaf, _pasid, _op, _priv, _exec, _reason) \
	FIXTURE_VARIANT_ADD(permission, _name) { \
		.leaf = (_leaf) | VTD_FS_P | VTD_FS_A | VTD_FS_D, .pasid = _pasid, \
		.op = DMA_##_op, .priv = _priv, .exec = _exec, .reason = _reason, \
	}

PERMISSION(user_read, VTD_FS_US, 0, READ, 0, 0, 0);
PERMISSION(user_write, VTD_FS_US | VTD_FS_RW, 0, WRITE, 0, 0, 0);
PERMISSION(user_atomic, VTD_FS_US | VTD_FS_RW, 0, SWAP, 0, 0, 0);
PERMISSION(user_write_read_only, VTD_FS_US, 0, WRITE, 0, 0, VTD_FAULT_SGN_6_WRITE);
PERMISSION(user_atomic_read_only, VTD_FS_US, 0, SWAP, 0, 0, VTD_FAULT_SGN_6_WRITE);
PERMISSION(user_read_supervisor, VTD_FS_RW, 0, READ, 0, 0, VTD_FAULT_SGN_2_USER);
PERMISSION(priv_not_enabled, VTD_FS_RW, 0, READ, 1, 0, VTD_FAULT_SPT_6_SRE);
PERMISSION(priv_read, VTD_FS_RW, VTD_PASID_SRE, READ, 1, 0, 0);
PERMISSION(priv_write_read_only, 0, VTD_PASID_SRE, WRITE, 1, 0, 0);
PERMISSION(priv_write_protected, 0, VTD_PASID_SRE | VTD_PASID_WPE, WRITE, 1, 0,
	   VTD_FAULT_SGN_6_WRITE);
PERMISSION(exec_not_enabled, VTD_FS_US, 0, READ, 0, 1, VTD_FAULT_SPT_5_ERE);
PERMISSION(exec, VTD_FS_US, VTD_PASID_ERE | VTD_PASID_NXE, READ, 0, 1, 0);
PERMISSION(exec_disabled, VTD_FS_US | VTD_FS_XD, VTD_PASID_ERE | VTD_PASID_NXE, READ, 0, 1,
	   VTD_FAULT_SGN_3_EXECUTE);

FIXTURE_SETUP(permission)
{
	self->b = bench_on(&vtd_config_full, true);
	self->first = new_tree(self->b, false, 4, NULL);
	map(&self->first, IOVA, new_data(self->b, 4096), 1, variant->leaf);
	attach_flags(self->b, RID, PASID, VTD_PGTT_FIRST_STAGE, DID, &self->first, NULL, 0,
		     variant->pasid);
}

FIXTURE_TEARDOWN(permission)
{
	bench_off(self->b);
}

/* Twice: from the tables, and from what was cached. */
TEST_F(permission, is_kept)
{
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(!variant->reason, access_page(self->b, variant->op, variant->priv,
							variant->exec));
		EXPECT_EQ(variant->reason, last_fault(self->b));
	}
}

/* What a read of the right privilege has cached allows no more than the tables. */
TEST_F(permission, is_kept_by_cached_entry)
{
	access_page(self->b, DMA_READ, !(variant->leaf & VTD_FS_US), false);
	last_fault(self->b);
	EXPECT_EQ(!variant->reason, access_page(self->b, variant->op, variant->priv,
						variant->exec));
	EXPECT_EQ(variant->reason, last_fault(self->b));
}

/* ---- Faults ---- */

static void no_root(FIXTURE_DATA(space) *s)
{
	put(s->b, s->b->root, 0);
	put(s->b, s->b->root + 8, 0);
}

static void root_reserved(FIXTURE_DATA(space) *s)
{
	*at(s->b, s->b->root + 8) |= 2;
}

static void root_wild(FIXTURE_DATA(space) *s)
{
	put(s->b, s->b->root + 8, 0x1000000001000 | 1);
}

static uint64_t *context_of(FIXTURE_DATA(space) *s)
{
	return at(s->b, scalable_context(s->b, RID));
}

static void no_context(FIXTURE_DATA(space) *s)
{
	*context_of(s) &= ~VTD_SM_CONTEXT_P;
}

static void context_reserved(FIXTURE_DATA(space) *s)
{
	*context_of(s) |= VTD_BIT(5);
}

static void no_pasids(FIXTURE_DATA(space) *s)
{
	*context_of(s) &= ~VTD_SM_CONTEXT_PASIDE;
}

static uint64_t *directory_of(FIXTURE_DATA(space) *s)
{
	return at(s->b, *context_of(s) & VTD_ADDR_4K);
}

static void no_directory(FIXTURE_DATA(space) *s)
{
	*directory_of(s) = 0;
}

static void directory_reserved(FIXTURE_DATA(space) *s)
{
	*directory_of(s) |= 4;
}

static uint64_t *pasid_of(FIXTURE_DATA(space) *s)
{
	return at(s->b, pasid_entry(s->b, RID, PASID));
}

static void no_pasid_entry(FIXTURE_DATA(space) *s)
{
	*pasid_of(s) &= ~VTD_PASID_P;
}

static void pasid_reserved(FIXTURE_DATA(space) *s)
{
	*pasid_of(s) |= VTD_BIT(11);
}

static void pasid_pgtt(FIXTURE_DATA(space) *s)
{
	*pasid_of(s) |= VTD_PASID_PGTT;
}

static void pasid_width(FIXTURE_DATA(space) *s)
{
	*pasid_of(s) |= VTD_PASID_AW;
}

static void no_first(FIXTURE_DATA(space) *s)
{
	*entry(&s->first, IOVA, 1) = 0;
}

static void no_first_table(FIXTURE_DATA(space) *s)
{
	*entry(&s->first, IOVA, 3) &= ~VTD_FS_P;
}

static void first_reserved(FIXTURE_DATA(space) *s)
{
	*entry(&s->first, IOVA, 4) |= VTD_FS_PS;
}

static void no_second(FIXTURE_DATA(space) *s)
{
	*entry(&s->second, s->guest, 1) = 0;
}

static void second_write_only(FIXTURE_DATA(space) *s)
{
	*entry(&s->second, s->guest, 1) &= ~VTD_SS_R;
}

static void second_reserved(FIXTURE_DATA(space) *s)
{
	*entry(&s->second, s->guest, 4) |= VTD_SS_PS;
}

static void table_unreadable(FIXTURE_DATA(space) *s)
{
	*entry(&s->second, s->first.root, 1) &= ~VTD_SS_R;
}

static void table_beyond(FIXTURE_DATA(space) *s)
{
	*entry(&s->first, IOVA, 2) |= VTD_BIT(50);
}

static void table_read_only(FIXTURE_DATA(space) *s)
{
	*entry(&s->second, s->first.root, 1) &= ~VTD_SS_W;
	*entry(&s->first, IOVA, 4) &= ~VTD_FS_A;
}

static void out_is_interrupt(FIXTURE_DATA(space) *s)
{
	*entry(&s->second, s->guest, 1) = VTD_INTERRUPT_FIRST | SS_LEAF;
}

static const struct broken {
	const char *what;
	void (*how)(FIXTURE_DATA(space) *self);
	unsigned int reason;
} broken[] = {
	{ "root entry not present", no_root, VTD_FAULT_SRT_2_NOT_PRESENT },
	{ "root entry reserved", root_reserved, VTD_FAULT_SRT_3_RESERVED },
	{ "context table nowhere", root_wild, VTD_FAULT_SCT_1_ACCESS },
	{ "context entry not present", no_context, VTD_FAULT_SCT_2_NOT_PRESENT },
	{ "context entry reserved", context_reserved, VTD_FAULT_SCT_3_RESERVED },
	{ "PASIDE clear", no_pasids, VTD_FAULT_SCT_6_PASIDE },
	{ "PASID directory entry not present", no_directory, VTD_FAULT_SPD_2_NOT_PRESENT },
	{ "PASID directory entry reserved", directory_reserved, VTD_FAULT_SPD_3_RESERVED },
	{ "PASID entry not present", no_pasid_entry, VTD_FAULT_SPT_2_NOT_PRESENT },
	{ "PASID entry reserved", pasid_reserved, VTD_FAULT_SPT_3_RESERVED },
	{ "PGTT reserved", pasid_pgtt, VTD_FAULT_SPT_4_INVALID },
	{ "AW reserved", pasid_width, VTD_FAULT_SPT_4_INVALID },
	{ "first-stage page not present", no_first, VTD_FAULT_SFS_2_NOT_PRESENT },
	{ "first-stage table not present", no_first_table, VTD_FAULT_SFS_2_NOT_PRESENT },
	{ "first-stage entry reserved", first_reserved, VTD_FAULT_SFS_3_RESERVED },
	{ "second-stage page not present", no_second, VTD_FAULT_SSS_2_NOT_PRESENT },
	{ "second-stage page write only", second_write_only, VTD_FAULT_SGN_7_READ },
	{ "second-stage entry reserved", second_reserved, VTD_FAULT_SSS_3_RESERVED },
	{ "guest's root table unreadable", table_unreadable, VTD_FAULT_SFS_6_ROOT_READ },
	{ "guest's table beyond the second stage", table_beyond, VTD_FAULT_SFS_5_BEYOND_WIDTH },
	{ "guest's table read only", table_read_only, VTD_FAULT_SFS_8_WRITE },
	{ "page in the interrupt range", out_is_interrupt, VTD_FAULT_SGN_8_INTERRUPT },
};

TEST_F(space, faults_have_their_reasons)
{
	FIXTURE_DATA(space) fresh;

	for (unsigned int i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		check_note("%s", broken[i].what);
		space_setup(_metadata, &fresh, variant);
		broken[i].how(&fresh);
		EXPECT_EQ(NOWHERE, reach(fresh.b, 0, PASID, IOVA));
		EXPECT_EQ(broken[i].reason, last_fault(fresh.b));
		bench_off(fresh.b);
	}
}

TEST_F(space, addresses_out_of_range)
{
	EXPECT_EQ(NOWHERE, reach(self->b, 0, PASID, 1ull << 47));
	EXPECT_EQ(VTD_FAULT_SGN_1_CANONICAL, last_fault(self->b));
	EXPECT_EQ(NOWHERE, reach(self->b, 0, PASID + 1, IOVA));
	EXPECT_EQ(VTD_FAULT_SPT_2_NOT_PRESENT, last_fault(self->b));
	attach(self->b, RID, PASID + 1, VTD_PGTT_SECOND_STAGE, DID, NULL, &self->second);
	EXPECT_EQ(NOWHERE, reach(self->b, 0, PASID + 1, 1ull << 48));
	EXPECT_EQ(VTD_FAULT_SGN_5_BEYOND_WIDTH, last_fault(self->b));
}

TEST(legacy_faults_have_their_reasons)
{
	struct bench *b = bench_on(&vtd_config_full, false);
	struct tree tree = new_tree(b, true, 4, NULL);

	EXPECT_EQ(NOWHERE, reach(b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(VTD_FAULT_LRT_2_NOT_PRESENT, last_fault(b));
	legacy_context(b, RID);
	EXPECT_EQ(NOWHERE, reach(b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(VTD_FAULT_LCT_2_NOT_PRESENT, last_fault(b));
	legacy_attach(b, RID, 3, DID, &tree);
	EXPECT_EQ(NOWHERE, reach(b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(VTD_FAULT_LCT_4_INVALID, last_fault(b));
	legacy_attach(b, RID, VTD_TT_UNTRANSLATED, DID, &tree);
	EXPECT_EQ(NOWHERE, reach(b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(VTD_FAULT_LGN_3_READ, last_fault(b));
	EXPECT_FALSE(store(b, 0, DMA_NO_PASID, IOVA, 0));
	EXPECT_EQ(VTD_FAULT_LGN_2_WRITE, last_fault(b));
	EXPECT_EQ(NOWHERE, reach(b, 0, DMA_NO_PASID, 1ull << 48));
	EXPECT_EQ(VTD_FAULT_LGN_1_BEYOND_WIDTH, last_fault(b));
	EXPECT_EQ(NOWHERE, reach(b, 0, PASID, IOVA));
	EXPECT_EQ(VTD_FAULT_RTA_2_PASID, last_fault(b));
	bench_off(b);
}

/* ---- ATS ---- */

static enum hw_status ask(struct bench *b, uint64_t addr, uint8_t access,
			  struct hw_translation *answer)
{
	struct hw_request request = {
		.type = HW_TRANSLATION_REQUEST, .rid = RID, .has_pasid = true, .pasid = PASID,
		.addr = addr, .access = access,
	};

	return b->iommu->ops->translate(b->iommu, &request, answer);
}

TEST_F(space, translation_completion)
{
	struct hw_translation answer;

	EXPECT_EQ(HW_OK, ask(self->b, IOVA, HW_READ, &answer));
	EXPECT_EQ(self->page, answer.pa);
	EXPECT_EQ(12, answer.shift);
	EXPECT_EQ(HW_READ, answer.perm);
	EXPECT_EQ(HW_OK, ask(self->b, IOVA, HW_READ | HW_WRITE, &answer));
	EXPECT_EQ(HW_READ | HW_WRITE, answer.perm);
	*entry(&self->first, IOVA, 1) &= ~VTD_FS_RW;
	EXPECT_TRUE(invalidate_all(self->b));
	EXPECT_EQ(HW_OK, ask(self->b, IOVA, HW_READ | HW_WRITE, &answer));
	EXPECT_EQ(HW_READ, answer.perm);
}

/* A missing page is answered without permissions, and is no fault to be recorded. */
TEST_F(space, translation_completion_of_missing_page)
{
	struct hw_translation answer;

	EXPECT_EQ(HW_OK, ask(self->b, IOVA + 4096, HW_READ, &answer));
	EXPECT_EQ(0, answer.perm);
	EXPECT_EQ(0, last_fault(self->b));
}

TEST_F(space, translation_request_with_dte_clear)
{
	struct hw_translation answer;

	*context_of(self) &= ~VTD_SM_CONTEXT_DTE;
	EXPECT_EQ(HW_UNSUPPORTED, ask(self->b, IOVA, HW_READ, &answer));
	EXPECT_EQ(VTD_FAULT_SCT_5_DTE, last_fault(self->b));
}

TEST_F(space, translated_request_with_dte_clear)
{
	EXPECT_EQ(self->page, reach_how(self->b, 0, DMA_NO_PASID, self->page, DMA_RAW));
	*context_of(self) &= ~VTD_SM_CONTEXT_DTE;
	EXPECT_TRUE(invalidate_all(self->b));
	EXPECT_EQ(NOWHERE, reach_how(self->b, 0, DMA_NO_PASID, self->page, DMA_RAW));
	EXPECT_EQ(VTD_FAULT_SCT_5_DTE, last_fault(self->b));
}

/* ---- On and off, and what a unit can do ---- */

TEST_F(space, without_translation_addresses_are_physical)
{
	command(self->b, 0, VTD_GCMD_TE);
	EXPECT_EQ(self->page, reach(self->b, 0, DMA_NO_PASID, self->page));
	command(self->b, VTD_GCMD_TE, 0);
	EXPECT_EQ(NOWHERE, reach(self->b, 0, PASID, self->page));
}

TEST_F(space, reset_forgets_everything)
{
	self->b->iommu->ops->reset(self->b->iommu);
	EXPECT_EQ(0, reg(self->b, VTD_GSTS_REG, 4));
	EXPECT_EQ(0, reg(self->b, VTD_RTADDR_REG, 8));
	EXPECT_EQ(self->page, reach(self->b, 0, DMA_NO_PASID, self->page));
}

static void expect_missing(struct __test_metadata *_metadata, const struct vtd_config *config,
			   unsigned int pgtt, unsigned int first, unsigned int second)
{
	struct bench *b = bench_on(config, true);
	struct tree s = new_tree(b, true, second, NULL), f = new_tree(b, false, first, NULL);

	attach(b, RID, PASID, pgtt, DID, &f, &s);
	EXPECT_EQ(NOWHERE, reach(b, 0, PASID, IOVA));
	EXPECT_EQ(VTD_FAULT_SPT_4_INVALID, last_fault(b));
	bench_off(b);
}

TEST(what_is_not_there_faults)
{
	struct vtd_config config = vtd_config_full;

	config.nested = false;
	expect_missing(_metadata, &config, VTD_PGTT_NESTED, 4, 4);
	config.first_stage = false;
	expect_missing(_metadata, &config, VTD_PGTT_FIRST_STAGE, 4, 4);
	config.pass_through = false;
	expect_missing(_metadata, &config, VTD_PGTT_PASS_THROUGH, 4, 4);
	config = vtd_config_full;
	config.five_level = false;
	expect_missing(_metadata, &config, VTD_PGTT_FIRST_STAGE, 5, 4);
	expect_missing(_metadata, &config, VTD_PGTT_SECOND_STAGE, 4, 5);
}

TEST(capabilities_say_what_there_is)
{
	struct vtd_config config = vtd_config_full;
	struct bench *b;

	config.caching_mode = true;
	config.nested = false;
	config.mamv = 9;
	b = bench_on(&config, true);
	EXPECT_EQ(VTD_CAP_CM, reg(b, VTD_CAP_REG, 8) & VTD_CAP_CM);
	EXPECT_EQ(9, VTD_GET(VTD_CAP_MAMV, reg(b, VTD_CAP_REG, 8)));
	EXPECT_EQ(0, reg(b, VTD_ECAP_REG, 8) & VTD_ECAP_NEST);
	EXPECT_EQ(reg(b, VTD_ECAP_REG, 8) >> 32, reg(b, VTD_ECAP_REG + 4, 4));
	set_reg(b, VTD_CAP_REG, 8, 0);
	EXPECT_EQ(VTD_CAP_CM, reg(b, VTD_CAP_REG, 8) & VTD_CAP_CM);
	bench_off(b);
}

/* ---- DMA on a thread, software on another ---- */

enum { RACE_PAGES = 64, RACE_ROUNDS = 150 };

/* @done, @begun: the last round whose invalidation is complete, and the last that was mapped */
struct racer {
	struct bench *b;
	unsigned int engine;
	const uint64_t *pages;
	_Atomic uint64_t *done, *begun;
	_Atomic bool *stop;
	pthread_barrier_t *started;
	uint64_t wrong;
	uint64_t count;
};

static bool legal(const struct racer *racer, uint64_t stamp, uint64_t from, uint64_t to)
{
	for (uint64_t round = from; round <= to; round++)
		if (stamp == racer->pages[round % RACE_PAGES])
			return true;
	return false;
}

static void *race(void *arg)
{
	struct racer *racer = arg;
	uint64_t stamp;
	struct dma dma = { .op = DMA_READ, .pasid = PASID, .addr = IOVA, .len = 8,
			   .data = &stamp };

	while (!atomic_load(racer->stop)) {
		uint64_t from = atomic_load(racer->done);

		if (endpoint_dma(racer->b->dev[0], racer->engine, &dma) != DMA_DONE)
			stamp = NOWHERE;
		if (!legal(racer, stamp, from, atomic_load(racer->begun)))
			racer->wrong++;
		if (!racer->count++)
			pthread_barrier_wait(racer->started);
	}
	return NULL;
}

/* A DMA goes where some round mapped it, since the last that was complete when it began. */
TEST_F(space, no_stale_translation_on_another_thread)
{
	_Atomic uint64_t done = 0, begun = 0;
	_Atomic bool stop = false;
	uint64_t pages[RACE_PAGES], d[4];
	struct racer racers[2];
	pthread_barrier_t started;
	pthread_t threads[2];

	pthread_barrier_init(&started, NULL, 3);
	for (int i = 0; i < RACE_PAGES; i++) {
		pages[i] = new_data(self->b, 4096);
		map_page(&self->second, pages[i] + BENCH_GUEST, pages[i]);
	}
	map_page(&self->first, IOVA, pages[0] + BENCH_GUEST);
	self->b->threads = true;
	for (int t = 0; t < 2; t++) {
		racers[t] = (struct racer){ self->b, t, pages, &done, &begun, &stop,
					   &started };
		pthread_create(&threads[t], NULL, race, &racers[t]);
	}
	vtd_inv_piotlb(d, VTD_PAGE, DID, PASID, IOVA, 0, true);
	pthread_barrier_wait(&started);
	for (uint64_t round = 1; round < RACE_ROUNDS; round++) {
		atomic_store(&begun, round);
		map_page(&self->first, IOVA, pages[round % RACE_PAGES] + BENCH_GUEST);
		if (!issue(self->b, d))
			break;
		atomic_store(&done, round);
		sched_yield();
	}
	atomic_store(&stop, true);
	for (int t = 0; t < 2; t++) {
		pthread_join(threads[t], NULL);
		check_note("engine %d: %llu DMAs", t, (unsigned long long)racers[t].count);
		EXPECT_EQ(0, racers[t].wrong);
	}
	EXPECT_EQ(RACE_ROUNDS - 1, atomic_load(&done));
}

NIT_TEST_MAIN
