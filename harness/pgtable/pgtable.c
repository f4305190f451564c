// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "pgtable.h"

static unsigned int level_shift(const struct pgtable *pt, unsigned int level)
{
	return pt->format->page_shift + level * pt->format->index_bits;
}

static unsigned int level_bits(const struct pgtable *pt, unsigned int level)
{
	return pt->format->index_bits + (level == pt->levels - 1 ? pt->root_bits : 0);
}

static uint64_t table_size(const struct pgtable *pt, unsigned int level)
{
	uint64_t size = 8ULL << level_bits(pt, level);

	return size < 4096 ? 4096 : size;
}

static unsigned int top_shift(const struct pgtable *pt)
{
	return level_shift(pt, pt->levels - 1) + level_bits(pt, pt->levels - 1);
}

static uint64_t *slot(const struct pgtable *pt, uint64_t table, unsigned int level, uint64_t iova)
{
	uint64_t *entries = pages_ptr(pt->pages, table);
	uint64_t index = iova >> level_shift(pt, level) & ((1ULL << level_bits(pt, level)) - 1);

	return entries ? &entries[index] : NULL;
}

static uint64_t load(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

int pgtable_init(struct pgtable *pt, const struct pgtable_format *format, unsigned int levels,
		 unsigned int root_bits, struct pages *pages)
{
	*pt = (struct pgtable){ .format = format, .pages = pages, .levels = levels,
				.root_bits = root_bits };
	if (!levels || levels > format->max_levels)
		return -EINVAL;
	pt->root = pages_alloc(pages, table_size(pt, levels - 1));
	return pt->root ? 0 : -ENOMEM;
}

/* Frees the tables below @entry of @level, not what leaves point to */
static void free_below(struct pgtable *pt, unsigned int level, uint64_t entry)
{
	uint64_t table, *entries;

	if (!level || pt->format->kind(pt, level, entry) != PGTABLE_TABLE)
		return;
	table = pt->format->next(pt, level, entry);
	entries = pages_ptr(pt->pages, table);
	/* A test may have pointed an entry somewhere else. */
	if (!entries)
		return;
	for (uint64_t i = 0; i < 1ULL << level_bits(pt, level - 1); i++)
		free_below(pt, level - 1, load(&entries[i]));
	pages_free(pt->pages, table, table_size(pt, level - 1));
}

void pgtable_fini(struct pgtable *pt)
{
	uint64_t *entries;

	if (!pt->root)
		return;
	entries = pages_ptr(pt->pages, pt->root);
	for (uint64_t i = 0; i < 1ULL << level_bits(pt, pt->levels - 1); i++)
		free_below(pt, pt->levels - 1, load(&entries[i]));
	pages_free(pt->pages, pt->root, table_size(pt, pt->levels - 1));
	pt->root = 0;
}

uint64_t *pgtable_entry(struct pgtable *pt, uint64_t iova, unsigned int level)
{
	unsigned int at = pt->levels - 1;
	uint64_t *entry = slot(pt, pt->root, at, iova);

	if (level >= pt->levels)
		return NULL;
	while (entry && at > level) {
		uint64_t value = load(entry);

		if (pt->format->kind(pt, at, value) != PGTABLE_TABLE)
			return NULL;
		entry = slot(pt, pt->format->next(pt, at, value), at - 1, iova);
		at--;
	}
	return entry;
}

static unsigned int run_length(const struct pgtable *pt, unsigned int level, unsigned int shift)
{
	return 1U << (shift - level_shift(pt, level));
}

/* The leaf goes whole that @entry, of @iova at @level, is a part of; what it is otherwise stays. */
static void clear_leaf(struct pgtable *pt, uint64_t *entry, unsigned int level, uint64_t iova)
{
	uint64_t value = load(entry);
	unsigned int run;

	if (pt->format->kind(pt, level, value) != PGTABLE_LEAF)
		return;
	run = run_length(pt, level, pt->format->shift(pt, level, value));
	entry -= (iova >> level_shift(pt, level)) & (run - 1);
	for (unsigned int i = 0; i < run; i++)
		store(&entry[i], 0);
}

/* A leaf that is one entry is replaced with one store; only a run has to go first. */
static int make_table(struct pgtable *pt, uint64_t *entry, unsigned int level, uint64_t iova)
{
	uint64_t value = load(entry), table = pages_alloc(pt->pages, table_size(pt, level - 1));

	if (!table)
		return -ENOMEM;
	if (pt->format->kind(pt, level, value) == PGTABLE_LEAF &&
	    pt->format->shift(pt, level, value) != level_shift(pt, level))
		clear_leaf(pt, entry, level, iova);
	store(entry, pt->format->table(pt, level, table));
	return 0;
}

/* The entry for @iova at @level, with the tables above it made; what was a leaf there goes */
static int make_entry(struct pgtable *pt, uint64_t iova, unsigned int level, uint64_t **out)
{
	unsigned int at = pt->levels - 1;
	uint64_t *entry = slot(pt, pt->root, at, iova);

	for (; entry && at > level; at--) {
		if (pt->format->kind(pt, at, load(entry)) != PGTABLE_TABLE) {
			int rc = make_table(pt, entry, at, iova);

			if (rc)
				return rc;
		}
		entry = slot(pt, pt->format->next(pt, at, load(entry)), at - 1, iova);
	}
	*out = entry;
	return entry ? 0 : -EFAULT;
}

/* The largest leaf that fits: log2 of its size */
static unsigned int leaf_shift(const struct pgtable *pt, uint64_t iova, uint64_t out, uint64_t len,
			       unsigned int max_shift)
{
	unsigned int shift = max_shift ? max_shift : 63;

	for (; shift >= pt->format->page_shift; shift--) {
		uint64_t size = 1ULL << shift;

		if (pt->format->leaf_shifts & size && shift < top_shift(pt) && len >= size &&
		    !((iova | out) & (size - 1)))
			return shift;
	}
	return 0;
}

/* The top level has more entries than others where tables are concatenated, and longer runs. */
static unsigned int leaf_level(const struct pgtable *pt, unsigned int shift)
{
	unsigned int level = (shift - pt->format->page_shift) / pt->format->index_bits;

	return level < pt->levels ? level : pt->levels - 1;
}

/* A larger run that the leaf would cut goes whole: its other entries would claim what is no more */
static void clear_larger(struct pgtable *pt, uint64_t *entry, unsigned int level,
			 unsigned int shift, uint64_t iova)
{
	uint64_t value = load(entry);

	if (pt->format->kind(pt, level, value) == PGTABLE_LEAF &&
	    pt->format->shift(pt, level, value) > shift)
		clear_leaf(pt, entry, level, iova);
}

static int map_leaf(struct pgtable *pt, uint64_t iova, uint64_t out, unsigned int shift,
		    unsigned int prot)
{
	unsigned int level = leaf_level(pt, shift), run = run_length(pt, level, shift);
	uint64_t step = pt->format->run_advances ? 1ULL << level_shift(pt, level) : 0, *entry;
	int rc = make_entry(pt, iova, level, &entry);

	if (rc)
		return rc;
	clear_larger(pt, entry, level, shift, iova);
	for (unsigned int i = 0; i < run; i++) {
		uint64_t before = load(&entry[i]);

		store(&entry[i], pt->format->leaf(pt, level, shift, out + i * step, prot));
		free_below(pt, level, before);
	}
	return 0;
}

int pgtable_map(struct pgtable *pt, uint64_t iova, uint64_t out, uint64_t len, unsigned int prot,
		unsigned int max_shift)
{
	uint64_t page = 1ULL << pt->format->page_shift;

	if (!len || (iova | out | len) & (page - 1) ||
	    (top_shift(pt) < 64 && (iova + len - 1) >> top_shift(pt)) || iova + len - 1 < iova)
		return -EINVAL;
	while (len) {
		unsigned int shift = leaf_shift(pt, iova, out, len, max_shift);
		int rc = shift ? map_leaf(pt, iova, out, shift, prot) : -EINVAL;

		if (rc)
			return rc;
		iova += 1ULL << shift;
		out += 1ULL << shift;
		len -= 1ULL << shift;
	}
	return 0;
}

/* From the end: a range is unmapped from its beginning, and what is left of it comes later. */
static bool all_empty(const struct pgtable *pt, uint64_t table, unsigned int level)
{
	const uint64_t *entries = pages_ptr(pt->pages, table);

	for (uint64_t i = 1ULL << level_bits(pt, level); i--; )
		if (load(&entries[i]))
			return false;
	return true;
}

static void unlink_empty(struct pgtable *pt, uint64_t iova)
{
	for (unsigned int level = 1; level < pt->levels; level++) {
		uint64_t *entry = pgtable_entry(pt, iova, level), value = entry ? load(entry) : 0;
		uint64_t table;

		if (!entry || pt->format->kind(pt, level, value) != PGTABLE_TABLE)
			continue;
		table = pt->format->next(pt, level, value);
		if (!all_empty(pt, table, level - 1))
			return;
		store(entry, 0);
		pages_free(pt->pages, table, table_size(pt, level - 1));
	}
}

/* Clears the leaf that holds @iova, a run whole; returns log2 of what it, or the hole, covers */
static unsigned int unmap_one(struct pgtable *pt, uint64_t iova, bool keep_tables)
{
	unsigned int level = pt->levels - 1, shift;
	uint64_t *entry = slot(pt, pt->root, level, iova), value = load(entry);

	while (pt->format->kind(pt, level, value) == PGTABLE_TABLE) {
		entry = slot(pt, pt->format->next(pt, level, value), level - 1, iova);
		if (!entry)
			return level_shift(pt, level);
		value = load(entry);
		level--;
	}
	if (pt->format->kind(pt, level, value) == PGTABLE_NONE)
		return level_shift(pt, level);
	shift = pt->format->shift(pt, level, value);
	clear_leaf(pt, entry, level, iova);
	if (!keep_tables)
		unlink_empty(pt, iova);
	return shift;
}

void pgtable_unmap(struct pgtable *pt, uint64_t iova, uint64_t len, bool keep_tables)
{
	uint64_t last = iova + len - 1;

	if (!len || last < iova || (top_shift(pt) < 64 && last >> top_shift(pt)))
		return;
	for (;;) {
		uint64_t end = iova | ((1ULL << unmap_one(pt, iova, keep_tables)) - 1);

		if (end >= last)
			return;
		iova = end + 1;
	}
}

bool pgtable_walk(const struct pgtable *pt, uint64_t iova, struct pgtable_leaf *leaf)
{
	uint64_t table = pt->root;

	if (top_shift(pt) < 64 && iova >> top_shift(pt))
		return false;
	for (unsigned int level = pt->levels; level--;) {
		const uint64_t *entry = slot(pt, table, level, iova);
		uint64_t value = entry ? load(entry) : 0;

		switch (pt->format->kind(pt, level, value)) {
		case PGTABLE_NONE:
			return false;
		case PGTABLE_TABLE:
			table = pt->format->next(pt, level, value);
			break;
		case PGTABLE_LEAF:
			leaf->level = level;
			leaf->shift = pt->format->shift(pt, level, value);
			leaf->prot = pt->format->prot(pt, level, value);
			leaf->out = pt->format->out(pt, level, value) +
				    (iova & ((1ULL << leaf->shift) - 1));
			return true;
		}
	}
	return false;
}
