// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference VT-d is minimal and adversarial: it removes what the specification obliges it to
 * and nothing else, it keeps everything else, and it does nothing that no wait obliges it to.
 * A contract of this model, not of hardware: no test of the suites asserts any of this.
 */
#include "../../suites/intel/hw_space.h"

FIXTURE(minimal) {
	struct space s;
};

FIXTURE_VARIANT(minimal) {
	enum space_type type;
	uint32_t pasid;
};

FIXTURE_VARIANT_ADD(minimal, legacy) { SPACE_LEGACY, DMA_NO_PASID };
FIXTURE_VARIANT_ADD(minimal, second) { SPACE_SECOND, 9 };
FIXTURE_VARIANT_ADD(minimal, first) { SPACE_FIRST, 9 };
FIXTURE_VARIANT_ADD(minimal, nested) { SPACE_NESTED, 9 };

FIXTURE_SETUP(minimal)
{
	space_on(&self->s, &vtd_config_full, variant->type, 0x0234, variant->pasid);
}

FIXTURE_TEARDOWN(minimal)
{
	bench_off(self->s.b);
}

/* Cached, changed in memory, and still found after @d. */
static void expect_kept(struct __test_metadata *_metadata, struct space *s, const uint64_t d[4],
			const char *what)
{
	check_note("%s", what);
	EXPECT_OLD(s, 0);
	space_change(s, 0);
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_OLD(s, 0);
}

TEST_F(minimal, iotlb_keeps_what_is_not_named)
{
	struct space *s = &self->s;
	uint64_t d[4];

	vtd_inv_iotlb(d, VTD_DOMAIN, s->did ^ 1, 0, 0, false);
	expect_kept(_metadata, s, d, "another domain");
	vtd_inv_iotlb(d, VTD_DOMAIN, s->did ^ 0x100, 0, 0, false);
	expect_kept(_metadata, s, d, "another domain, upper byte");
	vtd_inv_iotlb(d, VTD_PAGE, s->did ^ 1, IOVA, 9, false);
	expect_kept(_metadata, s, d, "the page in another domain");
	if (is_first(s))
		return;
	vtd_inv_iotlb(d, VTD_PAGE, s->did, IOVA + 0x1000, 0, false);
	expect_kept(_metadata, s, d, "the next page");
	vtd_inv_iotlb(d, VTD_PAGE, s->did, IOVA - 0x1000, 0, false);
	expect_kept(_metadata, s, d, "the page before");
	vtd_inv_iotlb(d, VTD_PAGE, s->did, IOVA + (16 << 12), 4, false);
	expect_kept(_metadata, s, d, "the next 16 pages");
}

TEST_F(minimal, piotlb_keeps_what_is_not_named)
{
	struct space *s = &self->s;
	uint64_t d[4];

	if (s->type == SPACE_LEGACY)
		return;
	vtd_inv_piotlb(d, VTD_PASID, s->did ^ 1, s->pasid, 0, 0, false);
	expect_kept(_metadata, s, d, "another domain");
	vtd_inv_piotlb(d, VTD_PASID, s->did, s->pasid ^ 1, 0, 0, false);
	expect_kept(_metadata, s, d, "another PASID");
	vtd_inv_piotlb(d, VTD_PASID, s->did, s->pasid | 0x10000, 0, 0, false);
	expect_kept(_metadata, s, d, "another PASID, upper bits");
	vtd_inv_piotlb(d, VTD_PAGE, s->did, s->pasid, IOVA + 0x1000, 0, false);
	expect_kept(_metadata, s, d, "the next page");
	if (s->type != SPACE_SECOND)
		return;
	vtd_inv_piotlb(d, VTD_PAGE, s->did, s->pasid, IOVA, 9, false);
	expect_kept(_metadata, s, d, "a page, of the second stage");
}

TEST_F(minimal, configuration_commands_keep_translations)
{
	struct space *s = &self->s;
	uint64_t d[4];

	vtd_inv_context(d, VTD_GLOBAL, 0, 0, 0);
	expect_kept(_metadata, s, d, "context cache");
	vtd_inv_iec(d, false, 0, 0);
	expect_kept(_metadata, s, d, "interrupt entry cache");
	if (s->type == SPACE_LEGACY)
		return;
	vtd_inv_pasid_cache(d, VTD_PC_GLOBAL, 0, 0);
	expect_kept(_metadata, s, d, "PASID cache");
}

/* IH=1: the leaf goes, the table above it stays and leads to what it led to. */
TEST_F(minimal, hint_keeps_tables)
{
	struct space *s = &self->s;
	uint64_t d[4];

	EXPECT_OLD(s, 0);
	space_change_table(s, 2);
	if (is_first(s))
		vtd_inv_piotlb(d, VTD_PAGE, s->did, s->pasid, IOVA, 9, true);
	else
		vtd_inv_iotlb(d, VTD_PAGE, s->did, IOVA, 9, true);
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_OLD(s, 0);
	EXPECT_OLD(s, 0x1000);
}

/* AM too small for a large page obliges to nothing. */
TEST_F(minimal, small_mask_keeps_large_page)
{
	struct space *s = &self->s;
	const uint64_t iova = 1ull << 36, page = s->before & ~0x1fffffull;
	uint64_t where = iova + (s->before - page), d[4];

	if (is_nested(s))
		return;
	map(changing(s), iova, page, 2, is_first(s) ? FS_LEAF : SS_LEAF);
	EXPECT_EQ(s->before, reach(s->b, 0, s->pasid, where));
	*entry(changing(s), iova, 2) = 0;
	if (is_first(s))
		vtd_inv_piotlb(d, VTD_PAGE, s->did, s->pasid, where, 8, false);
	else
		vtd_inv_iotlb(d, VTD_PAGE, s->did, where, 8, false);
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_EQ(s->before, reach(s->b, 0, s->pasid, where));
}

/* Without a wait behind it nothing happens, however long it takes; with "early" at once. */
TEST_F(minimal, nothing_without_a_wait)
{
	struct space *s = &self->s;
	uint64_t d[4];

	EXPECT_OLD(s, 0);
	space_change(s, 0);
	vtd_inv_iotlb(d, VTD_GLOBAL, 0, 0, 0, false);
	push(s->b, d);
	ring(s->b);
	EXPECT_TRUE(settle(s->b));
	EXPECT_EQ(s->b->tail, reg(s->b, VTD_IQH_REG, 8));
	EXPECT_OLD(s, 0);
	s->b->iommu->freedom.early = 1000;
	push(s->b, d);
	ring(s->b);
	EXPECT_NEW(s, 0);
}

/* What is removed is counted, what is removed in excess apart. */
TEST_F(minimal, counts_are_exact)
{
	struct hw_counts *counts = &self->s.b->iommu->counts;
	uint64_t commands = atomic_load(&counts->commands), syncs = atomic_load(&counts->syncs);
	struct space *s = &self->s;
	uint64_t d[4];

	s->b->iommu->freedom.no_walk_cache = true;
	for (uint64_t offset = 0; offset < WINDOW; offset += 4096)
		EXPECT_OLD(s, offset);
	if (is_first(s))
		vtd_inv_piotlb(d, VTD_PAGE, s->did, s->pasid, IOVA, 2, false);
	else
		vtd_inv_iotlb(d, VTD_PAGE, s->did, IOVA, 2, false);
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_EQ(4, atomic_load(&counts->removed));
	EXPECT_EQ(0, atomic_load(&counts->over_removed));
	EXPECT_EQ(commands + 2, atomic_load(&counts->commands));
	EXPECT_EQ(syncs + 1, atomic_load(&counts->syncs));
	s->b->iommu->freedom.over = 1000;
	EXPECT_TRUE(issue(s->b, d));
	EXPECT_EQ(4, atomic_load(&counts->removed));
	EXPECT_EQ(12, atomic_load(&counts->over_removed));
}

/* Software that invalidates in the wrong order is seen: IOTLB after the device's TLB (VTD-09). */
TEST_F(minimal, wrong_order_shows)
{
	struct space *s = &self->s;
	uint64_t d[4];

	endpoint_ats_enable(s->b->dev[0], true);
	EXPECT_EQ(s->before, reach_how(s->b, 0, s->pasid, IOVA, DMA_ATS));
	space_change(s, 0);
	if (s->pasid == DMA_NO_PASID)
		vtd_inv_devtlb(d, bench_rids[0], 0, 0, IOVA, 0);
	else
		vtd_inv_pdevtlb(d, bench_rids[0], 0, 0, s->pasid, false, IOVA, 0);
	push(s->b, d);
	vtd_inv_iotlb(d, VTD_DOMAIN, s->did, 0, 0, false);
	push(s->b, d);
	push_wait(s->b, 0, 1);
	ring(s->b);
	endpoint_step(s->b->dev[0]);
	EXPECT_EQ(s->before, reach_how(s->b, 0, s->pasid, IOVA, DMA_ATS));
	EXPECT_TRUE(sync_all(s->b));
	EXPECT_EQ(s->before, reach_how(s->b, 0, s->pasid, IOVA, DMA_ATS));
}

/* ---- Garbage ---- */

#define GARBAGE (512 * 4096ull)

static void scribble(struct bench *b, struct prng *prng, uint64_t pa, uint64_t size)
{
	for (uint64_t offset = 0; offset < size; offset += 8) {
		uint64_t value = prng_next(prng);

		if (prng_below(prng, 2))	/* often a pointer into RAM */
			value = BENCH_RAM + value % GARBAGE;
		put(b, pa + offset, value | prng_below(prng, 2));
	}
}

/* From power-on again, with tables of its own. */
static void expect_works(struct __test_metadata *_metadata, struct bench *b)
{
	struct tree tree;
	uint64_t page;

	b->iommu->ops->reset(b->iommu);
	memset(b->machine->mem.ram, 0, GARBAGE + 4096);
	pages_fini(&b->pages);
	pages_init(&b->pages, b->machine->mem.ram, BENCH_RAM, BENCH_RAM_SIZE);
	b->scalable = false;
	b->root = new_table(b, 4096);
	b->queue = new_table(b, 4096 << QUEUE_PAGES);
	b->status = new_table(b, 4096);
	set_root(b, VTD_TTM_LEGACY);
	queue_on(b, false);
	command(b, VTD_GCMD_TE, 0);
	tree = new_tree(b, true, 4, NULL);
	page = new_data(b, 4096);
	map_page(&tree, IOVA, page);
	legacy_attach(b, bench_rids[0], VTD_TT_ALL, 1, &tree);
	EXPECT_TRUE(invalidate_all(b));
	EXPECT_EQ(page, reach(b, 0, DMA_NO_PASID, IOVA));
}

/* Random tables, descriptors and registers: all accesses end, and a reset ends all of it. */
TEST(garbage_does_no_harm)
{
	struct prng prng;

	prng_init(&prng, prng_seed(), 77);
	for (int round = 0; round < 40; round++) {
		struct bench *b = bench_on(&vtd_config_full, round & 1);
		struct hw_translation answer;

		scribble(b, &prng, BENCH_RAM + 4096, GARBAGE);
		for (int i = 0; i < 300; i++) {
			struct hw_request request = {
				.type = prng_below(&prng, 3), .rid = prng_below(&prng, 512),
				.has_pasid = prng_below(&prng, 2),
				.pasid = prng_below(&prng, 1 << 20),
				.addr = prng_next(&prng) >> prng_below(&prng, 50),
				.access = 1 + prng_below(&prng, 15),
			};

			b->iommu->ops->translate(b->iommu, &request, &answer);
			set_reg(b, VTD_FSTS_REG, 4, ~0u);
			set_reg(b, VTD_IQT_REG, 8, prng_below(&prng, 4096 << QUEUE_PAGES) & ~31ull);
			if (prng_below(&prng, 8) == 0)
				set_reg(b, prng_below(&prng, 1024) * 4, 4, prng_next(&prng));
			machine_step(b->machine);
		}
		expect_works(_metadata, b);
		bench_off(b);
	}
}

NIT_TEST_MAIN
