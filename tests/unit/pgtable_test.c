// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables of every format against a plain list of pages: what was mapped is found, nothing
 * else is, runs are whole, and no table leaks.
 */
#include <sys/mman.h>

#include "core/test.h"
#include "pgtable/pgtable.h"

enum { WINDOW = 32 << 20, SPACE = 1 << 14 };

FIXTURE(pgtable) {
	void *window;
	struct pages pages;
	struct pgtable pt;
};

FIXTURE_VARIANT(pgtable) {
	const struct pgtable_format *format;
	unsigned int levels;
	unsigned int root_bits;
};

#define TREE(_name, _format, _levels, _root_bits) \
	FIXTURE_VARIANT_ADD(pgtable, _name) { \
		.format = &pgtable_##_format, .levels = _levels, .root_bits = _root_bits, \
	}

TREE(x86_64_4, x86_64, 4, 0);
TREE(x86_64_5, x86_64, 5, 0);
TREE(vtdss_3, vtdss, 3, 0);
TREE(vtdss_4, vtdss, 4, 0);
TREE(amdv1_3, amdv1, 3, 0);
TREE(amdv1_6, amdv1, 6, 0);
TREE(lpae_s1_4k, lpae_s1_4k, 4, 0);
TREE(lpae_s1_16k, lpae_s1_16k, 4, 0);
TREE(lpae_s1_64k, lpae_s1_64k, 3, 0);
TREE(lpae_s2_4k, lpae_s2_4k, 3, 4);
TREE(lpae_s2_16k, lpae_s2_16k, 3, 2);
TREE(lpae_s2_64k, lpae_s2_64k, 2, 4);

FIXTURE_SETUP(pgtable)
{
	self->window = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->window);
	pages_init(&self->pages, self->window, 0x80000000, WINDOW);
	ASSERT_EQ(0, pgtable_init(&self->pt, variant->format, variant->levels,
				  variant->root_bits, &self->pages));
}

FIXTURE_TEARDOWN(pgtable)
{
	pgtable_fini(&self->pt);
	EXPECT_EQ(0u, self->pages.used);
	pages_fini(&self->pages);
	munmap(self->window, WINDOW);
}

#define PAGE_OF(_self) (1ULL << (_self)->pt.format->page_shift)

TEST_F(pgtable, empty_tree_maps_nothing)
{
	struct pgtable_leaf leaf;

	EXPECT_FALSE(pgtable_walk(&self->pt, 0, &leaf));
	EXPECT_FALSE(pgtable_walk(&self->pt, UINT64_MAX, &leaf));
	pgtable_unmap(&self->pt, 0, PAGE_OF(self), false);
}

TEST_F(pgtable, page_is_found_with_its_permissions)
{
	uint64_t page = PAGE_OF(self), iova = 0x40000000 + 3 * page, out = 0x123 * page;
	struct pgtable_leaf leaf;

	ASSERT_EQ(0, pgtable_map(&self->pt, iova, out, page, PGTABLE_READ | PGTABLE_WRITE, 0));
	ASSERT_TRUE(pgtable_walk(&self->pt, iova + 0x18, &leaf));
	EXPECT_EQ(out + 0x18, leaf.out);
	EXPECT_EQ(0u, leaf.level);
	EXPECT_EQ(self->pt.format->page_shift, leaf.shift);
	EXPECT_EQ(PGTABLE_READ | PGTABLE_WRITE, leaf.prot & (PGTABLE_READ | PGTABLE_WRITE));
	EXPECT_FALSE(pgtable_walk(&self->pt, iova - 1, &leaf));
	EXPECT_FALSE(pgtable_walk(&self->pt, iova + page, &leaf));
	ASSERT_EQ(0, pgtable_map(&self->pt, iova, out, page, PGTABLE_READ, 0));
	ASSERT_TRUE(pgtable_walk(&self->pt, iova, &leaf));
	EXPECT_EQ(PGTABLE_READ, leaf.prot & (PGTABLE_READ | PGTABLE_WRITE));
}

/* Every size of leaf that the format and the depth of the tree have, at every size limit. */
TEST_F(pgtable, largest_leaf_that_fits_is_used)
{
	const struct pgtable_format *format = self->pt.format;
	unsigned int top = format->page_shift + variant->levels * format->index_bits +
			   variant->root_bits;

	for (unsigned int shift = format->page_shift; shift < top && shift < 48; shift++) {
		uint64_t iova = 1ULL << shift, out = 3ULL << shift;
		struct pgtable_leaf leaf;

		if (!(format->leaf_shifts >> shift & 1))
			continue;
		ASSERT_EQ(0, pgtable_map(&self->pt, iova, out, iova, PGTABLE_READ, shift));
		for (unsigned int i = 0; i < 4; i++) {
			uint64_t at = iova + i * (iova / 4);

			ASSERT_TRUE(pgtable_walk(&self->pt, at, &leaf));
			EXPECT_EQ(shift, leaf.shift);
			EXPECT_EQ(out + (at - iova), leaf.out);
		}
		EXPECT_FALSE(pgtable_walk(&self->pt, iova - 1, &leaf));
		/* A leaf that only partly lies in what is unmapped goes whole. */
		pgtable_unmap(&self->pt, iova + iova / 2, PAGE_OF(self), false);
		EXPECT_FALSE(pgtable_walk(&self->pt, iova, &leaf));
		EXPECT_FALSE(pgtable_walk(&self->pt, 2 * iova - 1, &leaf));
	}
}

/* A page over part of a run, and a table in its place: no other entry of the run remains. */
TEST_F(pgtable, leaf_overwritten_in_part_goes_whole)
{
	const struct pgtable_format *format = self->pt.format;

	for (unsigned int shift = format->page_shift + 1; shift < 36; shift++) {
		uint64_t page = PAGE_OF(self), iova = 1ULL << shift;
		struct pgtable_leaf leaf;

		if (!(format->leaf_shifts >> shift & 1) ||
		    pgtable_map(&self->pt, iova, iova, iova, PGTABLE_READ, 0))
			continue;
		ASSERT_TRUE(pgtable_walk(&self->pt, iova, &leaf));
		ASSERT_EQ(shift, leaf.shift);
		ASSERT_EQ(0, pgtable_map(&self->pt, iova + page, 7 * page, page, PGTABLE_READ, 0));
		EXPECT_FALSE(pgtable_walk(&self->pt, iova, &leaf));
		EXPECT_FALSE(pgtable_walk(&self->pt, iova + 2 * page, &leaf) &&
			     shift > format->page_shift + 1);
		EXPECT_FALSE(pgtable_walk(&self->pt, 2 * iova - 1, &leaf) &&
			     shift > format->page_shift + 1);
		ASSERT_TRUE(pgtable_walk(&self->pt, iova + page, &leaf));
		EXPECT_EQ(7 * page, leaf.out);
		/* And back: the table in the way of the leaf is freed. */
		ASSERT_EQ(0, pgtable_map(&self->pt, iova, iova, iova, PGTABLE_READ, 0));
		ASSERT_TRUE(pgtable_walk(&self->pt, iova, &leaf));
		EXPECT_EQ(shift, leaf.shift);
		pgtable_unmap(&self->pt, iova, iova, false);
	}
}

TEST_F(pgtable, bad_ranges_are_refused)
{
	const struct pgtable_format *format = self->pt.format;
	unsigned int top = format->page_shift + variant->levels * format->index_bits +
			   variant->root_bits;
	uint64_t page = PAGE_OF(self);

	EXPECT_EQ(-EINVAL, pgtable_map(&self->pt, 0, 0, 0, PGTABLE_READ, 0));
	EXPECT_EQ(-EINVAL, pgtable_map(&self->pt, page / 2, 0, page, PGTABLE_READ, 0));
	EXPECT_EQ(-EINVAL, pgtable_map(&self->pt, 0, page / 2, page, PGTABLE_READ, 0));
	EXPECT_EQ(-EINVAL, pgtable_map(&self->pt, 0, 0, page / 2, PGTABLE_READ, 0));
	EXPECT_EQ(-EINVAL, pgtable_map(&self->pt, -page, 0, 2 * page, PGTABLE_READ, 0));
	EXPECT_EQ(-EINVAL, pgtable_map(&self->pt, 0, 0, page, PGTABLE_READ, 11));
	if (top < 64) {
		EXPECT_EQ(-EINVAL, pgtable_map(&self->pt, 1ULL << top, 0, page, PGTABLE_READ, 0));
		EXPECT_EQ(0, pgtable_map(&self->pt, (1ULL << top) - page, 0, page, PGTABLE_READ,
					 0));
		EXPECT_EQ(-EINVAL, pgtable_map(&self->pt, (1ULL << top) - page, 0, 2 * page,
					       PGTABLE_READ, 0));
	}
	EXPECT_EQ(-EINVAL, pgtable_init(&(struct pgtable){}, format, format->max_levels + 1, 0,
					&self->pages));
	EXPECT_EQ(-EINVAL, pgtable_init(&(struct pgtable){}, format, 0, 0, &self->pages));
}

TEST_F(pgtable, entry_of_each_level_is_found)
{
	uint64_t page = PAGE_OF(self);
	unsigned int levels = variant->levels;

	ASSERT_EQ(0, pgtable_map(&self->pt, page, page, page, PGTABLE_READ, 0));
	for (unsigned int level = 0; level < levels; level++) {
		uint64_t *entry = pgtable_entry(&self->pt, page, level);

		ASSERT_NE(NULL, entry);
		EXPECT_EQ(level ? PGTABLE_TABLE : PGTABLE_LEAF,
			  self->pt.format->kind(&self->pt, level, *entry));
	}
	EXPECT_EQ(NULL, pgtable_entry(&self->pt, page, levels));
	EXPECT_EQ(NULL, pgtable_entry(&self->pt, 1ULL << 38, 0));
}

TEST_F(pgtable, unmap_keeps_or_frees_tables)
{
	uint64_t page = PAGE_OF(self), empty = self->pages.used, full;

	ASSERT_EQ(0, pgtable_map(&self->pt, page, page, page, PGTABLE_READ, 0));
	full = self->pages.used;
	EXPECT_GT(full, empty);
	pgtable_unmap(&self->pt, page, page, true);
	EXPECT_EQ(full, self->pages.used);
	EXPECT_NE(NULL, pgtable_entry(&self->pt, page, 0));
	ASSERT_EQ(0, pgtable_map(&self->pt, page, page, page, PGTABLE_READ, 0));
	EXPECT_EQ(full, self->pages.used);
	pgtable_unmap(&self->pt, page, page, false);
	EXPECT_EQ(empty, self->pages.used);
	EXPECT_EQ(NULL, pgtable_entry(&self->pt, page, 0));
}

TEST_F(pgtable, no_memory_is_said)
{
	while (pages_alloc(&self->pages, 4096))
		;
	EXPECT_EQ(-ENOMEM, pgtable_map(&self->pt, 0, 0, PAGE_OF(self), PGTABLE_READ, 0));
	EXPECT_EQ(-ENOMEM, pgtable_init(&(struct pgtable){}, variant->format, 1, 0, &self->pages));
	self->pages.used = 0;
	pgtable_fini(&self->pt);
	self->pages.used = 0;
}

/* A test may point an entry to anywhere: no walk of ours follows it out of the window. */
TEST_F(pgtable, entry_that_points_outside_is_survived)
{
	uint64_t page = PAGE_OF(self), *entry, before;
	struct pgtable_leaf leaf;

	ASSERT_EQ(0, pgtable_map(&self->pt, page, page, page, PGTABLE_READ, 0));
	entry = pgtable_entry(&self->pt, page, 1);
	before = *entry;
	*entry = self->pt.format->table(&self->pt, 1, 0x40000000);
	EXPECT_FALSE(pgtable_walk(&self->pt, page, &leaf));
	EXPECT_EQ(NULL, pgtable_entry(&self->pt, page, 0));
	EXPECT_EQ(-EFAULT, pgtable_map(&self->pt, page, page, page, PGTABLE_READ, 0));
	pgtable_unmap(&self->pt, page, page, false);
	*entry = before;
}

/* ---- Random operations against a list of pages ---- */

struct truth {
	bool mapped[SPACE];
	uint64_t out[SPACE];
	uint64_t leaf[SPACE];	/* first page of its leaf */
	uint64_t pages[SPACE];	/* pages of its leaf */
};

static struct truth truth;

/* Whatever leaf has one of the pages [first, +count) goes whole. */
static void forget(uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++)
		if (truth.mapped[i])
			memset(&truth.mapped[truth.leaf[i]], 0, truth.pages[i]);
}

static void remember(const struct pgtable *pt, uint64_t iova, uint64_t out, uint64_t len)
{
	unsigned int page_shift = pt->format->page_shift;

	while (len) {
		struct pgtable_leaf leaf;
		uint64_t first = iova >> page_shift, pages;

		if (!pgtable_walk(pt, iova, &leaf))
			return;
		pages = 1ULL << (leaf.shift - page_shift);
		for (uint64_t i = 0; i < pages; i++) {
			truth.mapped[first + i] = true;
			truth.out[first + i] = out + (i << page_shift);
			truth.leaf[first + i] = first;
			truth.pages[first + i] = pages;
		}
		iova += pages << page_shift;
		out += pages << page_shift;
		len -= pages << page_shift;
	}
}

static uint64_t differences(const struct pgtable *pt)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < SPACE; i++) {
		struct pgtable_leaf leaf;
		bool mapped = pgtable_walk(pt, i << pt->format->page_shift, &leaf);

		if (mapped != truth.mapped[i] || (mapped && leaf.out != truth.out[i]))
			count++;
	}
	return count;
}

TEST_F(pgtable, random_maps_and_unmaps)
{
	unsigned int page_shift = self->pt.format->page_shift;
	uint64_t empty = self->pages.used;
	struct prng prng;

	prng_init(&prng, prng_seed(), variant->levels);
	memset(&truth, 0, sizeof(truth));
	for (unsigned int step = 0; step < 100; step++) {
		uint64_t count = 1 + prng_below(&prng, 1 << prng_below(&prng, 12));
		uint64_t first = prng_below(&prng, SPACE - count);
		uint64_t align = -1ULL << prng_below(&prng, 12);
		uint64_t out = (prng_next(&prng) & 0xfffff & align) + (first & ~align);
		unsigned int max = prng_below(&prng, 3) ? 0 : page_shift + prng_below(&prng, 10);
		uint64_t iova = first << page_shift, len = count << page_shift;

		forget(first, count);
		if (prng_below(&prng, 3)) {
			ASSERT_EQ(0, pgtable_map(&self->pt, iova, out << page_shift, len,
						 PGTABLE_READ, max));
			remember(&self->pt, iova, out << page_shift, len);
		} else {
			pgtable_unmap(&self->pt, iova, len, prng_below(&prng, 2));
		}
		if (step % 20 == 0)
			ASSERT_EQ(0u, differences(&self->pt));
	}
	EXPECT_EQ(0u, differences(&self->pt));
	/* Empty tables that were kept go with the last page that is mapped and unmapped there. */
	ASSERT_EQ(0, pgtable_map(&self->pt, 0, 0, (uint64_t)SPACE << page_shift, PGTABLE_READ,
				 page_shift));
	pgtable_unmap(&self->pt, 0, (uint64_t)SPACE << page_shift, false);
	EXPECT_EQ(empty, self->pages.used);
}

/* ---- What hardware reads, byte for byte ---- */

struct golden {
	const struct pgtable_format *format;
	unsigned int shift;
	uint64_t out;
	unsigned int prot;
	uint64_t entry;
};

static const struct golden goldens[] = {
	/* SDM vol. 3 table 5-20: P, R/W, U/S, A, D */
	{ &pgtable_x86_64, 12, 0x12345000,
	  PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER, 0x12345067 },
	/* ... table 5-18: PS */
	{ &pgtable_x86_64, 21, 0x12200000,
	  PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER, 0x122000e7 },
	/* 48882 2.2.3: PR, next level 0, IR, IW, FC; A and D left to hardware */
	{ &pgtable_amdv1, 12, 0x12345000,
	  PGTABLE_READ | PGTABLE_WRITE | PGTABLE_NO_ACCESSED | PGTABLE_NO_DIRTY,
	  0x7000000012345001 },
	/* ... 32 KiB: next level 7, ones in address bits 12 and 13 */
	{ &pgtable_amdv1, 15, 0x12348000,
	  PGTABLE_READ | PGTABLE_NO_ACCESSED | PGTABLE_NO_DIRTY, 0x300000001234be01 },
};

TEST(entries_are_what_the_specifications_say)
{
	for (unsigned int i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
		const struct golden *golden = &goldens[i];
		static uint8_t window[1 << 16] __attribute__((aligned(4096)));
		uint64_t len = 1ULL << golden->shift;
		struct pages pages;
		struct pgtable pt;

		memset(window, 0, sizeof(window));
		pages_init(&pages, window, 0x100000, sizeof(window));
		ASSERT_EQ(0, pgtable_init(&pt, golden->format, 4, 0, &pages));
		ASSERT_EQ(0, pgtable_map(&pt, 0, golden->out, len, golden->prot, 0));
		EXPECT_EQ(golden->entry, *pgtable_entry(&pt, 0, golden->shift / 21));
		pgtable_fini(&pt);
		pages_fini(&pages);
	}
}

NIT_TEST_MAIN
