// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d hardware: what a translation is, before any invalidation (3.6 to 3.8, 4.2, 9.6 to 9.8):
 * permissions, the size of what is cached, accessed and dirty flags, translated requests.
 */
#include "hw_space.h"

/* ---- Permissions of the first stage ---- */

FIXTURE(permission) {
	struct space s;
};

/* @leaf: of the entry, beside P, A and D; @pasid: of quadword 2; @reason: 0 where it is allowed */
FIXTURE_VARIANT(permission) {
	uint64_t leaf;
	uint64_t pasid;
	enum dma_op op;
	bool priv, exec;
	unsigned int reason;
};

#define PERMISSION(_name, _leaf, _pasid, _op, _priv, _exec, _reason) \
	FIXTURE_VARIANT_ADD(permission, _name) { \
		.leaf = _leaf, .pasid = _pasid, .op = DMA_##_op, .priv = _priv, .exec = _exec, \
		.reason = _reason, \
	}

PERMISSION(write_read_only, VTD_FS_US, 0, WRITE, 0, 0, VTD_FAULT_SGN_6_WRITE);
PERMISSION(atomic_read_only, VTD_FS_US, 0, SWAP, 0, 0, VTD_FAULT_SGN_6_WRITE);
PERMISSION(user_of_supervisor_page, VTD_FS_RW, 0, READ, 0, 0, VTD_FAULT_SGN_2_USER);
PERMISSION(privileged_without_sre, VTD_FS_RW, 0, READ, 1, 0, VTD_FAULT_SPT_6_SRE);
PERMISSION(privileged_write_with_wpe, 0, VTD_PASID_SRE | VTD_PASID_WPE, WRITE, 1, 0,
	   VTD_FAULT_SGN_6_WRITE);
PERMISSION(execute_without_ere, VTD_FS_US, 0, READ, 0, 1, VTD_FAULT_SPT_5_ERE);
PERMISSION(execute_disabled, VTD_FS_US | VTD_FS_XD, VTD_PASID_ERE | VTD_PASID_NXE, READ, 0, 1,
	   VTD_FAULT_SGN_3_EXECUTE);

FIXTURE_SETUP(permission)
{
	struct space *s = &self->s;

	space_on(s, &vtd_config_full, SPACE_NESTED, 0x1234, 9);
	map(&s->first, IOVA, named(s, s->before), 1,
	    variant->leaf | VTD_FS_P | VTD_FS_A | VTD_FS_D);
	attach_flags(s->b, bench_rids[0], 9, VTD_PGTT_NESTED, s->did, &s->first, &s->second, 0,
		     variant->pasid);
}

FIXTURE_TEARDOWN(permission)
{
	bench_off(self->s.b);
}

static enum dma_status access_page(struct space *s, enum dma_op op, bool priv, bool exec)
{
	uint64_t data = 0;
	struct dma dma = { .op = op, .pasid = s->pasid, .addr = IOVA, .len = 8, .data = &data,
			   .priv = priv, .exec = exec };

	return endpoint_dma(s->b->dev[0], 0, &dma);
}

/* From the tables, and from what a read that was allowed has cached. */
TEST_F(permission, is_kept)
{
	struct space *s = &self->s;

	RULE("VTD-19");
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(DMA_ABORTED, access_page(s, variant->op, variant->priv, variant->exec));
		EXPECT_EQ(variant->reason, last_fault(s->b));
		access_page(s, DMA_READ, !(variant->leaf & VTD_FS_US), false);
		last_fault(s->b);
	}
}

/* ---- Sizes ---- */

FIXTURE(size) {
	struct space s;
};

FIXTURE_VARIANT(size) {
	unsigned int first_leaf, second_leaf;
};

FIXTURE_VARIANT_ADD(size, first_2m_on_4k) { 2, 1 };
FIXTURE_VARIANT_ADD(size, first_1g_on_2m) { 3, 2 };
FIXTURE_VARIANT_ADD(size, first_1g_on_4k) { 3, 1 };

FIXTURE_SETUP(size)
{
	space_on(&self->s, &vtd_config_full, SPACE_NESTED, 0x1234, 9);
}

FIXTURE_TEARDOWN(size)
{
	bench_off(self->s.b);
}

/* Under a large page of the guest, host pages lie anywhere: what is cached ends with the host's. */
TEST_F(size, nested_entry_ends_with_the_smaller_page)
{
	uint64_t size = 1ull << (12 + 9 * (variant->second_leaf - 1)), iova = 5ull << 36;
	struct space *s = &self->s;
	uint64_t guest = 3ull << 40, one = new_data(s->b, size), two = new_data(s->b, size);

	RULE("VTD-19");
	map(&s->first, iova, guest, variant->first_leaf, FS_LEAF);
	map(&s->second, guest, two, variant->second_leaf, SS_LEAF);
	map(&s->second, guest + size, one, variant->second_leaf, SS_LEAF);
	EXPECT_EQ(two, reach(s->b, 0, s->pasid, iova));
	EXPECT_EQ(one, reach(s->b, 0, s->pasid, iova + size));
	EXPECT_EQ(NOWHERE, reach(s->b, 0, s->pasid, iova + 2 * size));
}

/* ---- Accessed and dirty flags ---- */

FIXTURE(flags) {
	struct space s;
};

FIXTURE_SETUP(flags)
{
	struct space *s = &self->s;

	space_on(s, &vtd_config_full, SPACE_NESTED, 0x1234, 9);
	attach_flags(s->b, bench_rids[0], 9, VTD_PGTT_NESTED, s->did, &s->first, &s->second,
		     VTD_PASID_SSADE, VTD_PASID_EAFE);
	*entry(&s->first, IOVA, 1) &= ~(VTD_FS_A | VTD_FS_D);
	for (unsigned int level = 2; level <= 4; level++)
		*entry(&s->first, IOVA, level) &= ~VTD_FS_A;
}

FIXTURE_TEARDOWN(flags)
{
	bench_off(self->s.b);
}

TEST_F(flags, read_sets_accessed)
{
	struct space *s = &self->s;

	RULE("VTD-57");
	EXPECT_OLD(s, 0);
	for (unsigned int level = 1; level <= 4; level++)
		EXPECT_EQ(VTD_FS_A | VTD_FS_EA,
			  *entry(&s->first, IOVA, level) & (VTD_FS_A | VTD_FS_EA));
	EXPECT_EQ(0, *entry(&s->first, IOVA, 1) & VTD_FS_D);
	EXPECT_EQ(VTD_SS_A, *entry(&s->second, named(s, s->before), 1) & (VTD_SS_A | VTD_SS_D));
}

/* The flags of the guest's tables are writes to guest memory: dirty pages of the second stage. */
TEST_F(flags, accessed_makes_tables_dirty)
{
	struct space *s = &self->s;

	RULE("VTD-57");
	EXPECT_OLD(s, 0);
	EXPECT_EQ(VTD_SS_D, *entry(&s->second, s->first.root, 1) & VTD_SS_D);
}

TEST_F(flags, write_after_read_sets_dirty)
{
	struct space *s = &self->s;

	RULE("VTD-57");
	EXPECT_OLD(s, 0);
	EXPECT_TRUE(store(s->b, 0, s->pasid, IOVA, s->before));
	EXPECT_EQ(VTD_FS_D, *entry(&s->first, IOVA, 1) & VTD_FS_D);
	EXPECT_EQ(VTD_SS_D, *entry(&s->second, named(s, s->before), 1) & VTD_SS_D);
}

/* ---- Translated requests ---- */

TEST(translated_request_needs_device_tlbs_enabled)
{
	struct space s;

	RULE("VTD-19");
	space_on(&s, &vtd_config_full, SPACE_LEGACY, 0x1234, DMA_NO_PASID);
	legacy_attach(s.b, bench_rids[0], VTD_TT_UNTRANSLATED, s.did, &s.second);
	EXPECT_EQ(NOWHERE, reach_how(s.b, 0, DMA_NO_PASID, s.before, DMA_RAW));
	EXPECT_EQ(VTD_FAULT_LCT_5_BLOCKED, last_fault(s.b));
	bench_off(s.b);
}

NIT_TEST_MAIN
