// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD host page tables, "v1" (48882 section 2.2.3, table entries).
 *
 * The specification's level n is our level n - 1. Next Level says what an entry is: 0 a page of the
 * size that the level implies, 7 a page whose size is in the address: as many ones from bit 12 up
 * as make twice that many pages; else a table of that level. So every power of two is a page size;
 * what is larger than one entry of its level is a run of equal entries.
 */
#include "pgtable.h"

#define AMDV1_PR	(1ULL << 0)
#define AMDV1_A		(1ULL << 5)
#define AMDV1_D		(1ULL << 6)
#define AMDV1_NL	(7ULL << 9)
#define AMDV1_NL_SHIFT	9
#define AMDV1_NL_SIZED	7
#define AMDV1_ADDR	0x000ffffffffff000ULL
#define AMDV1_FC	(1ULL << 60)
#define AMDV1_IR	(1ULL << 61)
#define AMDV1_IW	(1ULL << 62)

static unsigned int level_shift(unsigned int level)
{
	return 12 + 9 * level;
}

static unsigned int next_level(uint64_t entry)
{
	return (entry & AMDV1_NL) >> AMDV1_NL_SHIFT;
}

/* The permissions of a page are the AND of all entries on the way: tables allow everything. */
static uint64_t table(const struct pgtable *pt, unsigned int level, uint64_t addr)
{
	return AMDV1_PR | AMDV1_IR | AMDV1_IW | (uint64_t)level << AMDV1_NL_SHIFT | addr;
}

static uint64_t leaf(const struct pgtable *pt, unsigned int level, unsigned int shift,
		     uint64_t addr, unsigned int prot)
{
	uint64_t entry = AMDV1_PR | AMDV1_FC | addr;

	if (shift != level_shift(level))
		entry |= AMDV1_NL | (((1ULL << (shift - 1)) - 1) & AMDV1_ADDR);
	if (prot & PGTABLE_READ)
		entry |= AMDV1_IR;
	if (prot & PGTABLE_WRITE)
		entry |= AMDV1_IW;
	if (!(prot & PGTABLE_NO_ACCESSED))
		entry |= AMDV1_A;
	if (!(prot & PGTABLE_NO_DIRTY))
		entry |= AMDV1_D;
	return entry;
}

static enum pgtable_kind kind(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	unsigned int next = next_level(entry);

	if (!(entry & AMDV1_PR))
		return PGTABLE_NONE;
	return !next || next == AMDV1_NL_SIZED ? PGTABLE_LEAF : PGTABLE_TABLE;
}

static uint64_t next(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return entry & AMDV1_ADDR;
}

static unsigned int shift(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	if (next_level(entry) != AMDV1_NL_SIZED)
		return level_shift(level);
	return 12 + 1 + __builtin_ctzll(~(entry | ~AMDV1_ADDR) >> 12);
}

static uint64_t out(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return entry & AMDV1_ADDR & ~((1ULL << shift(pt, level, entry)) - 1);
}

static unsigned int prot(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return (entry & AMDV1_IR ? PGTABLE_READ : 0) | (entry & AMDV1_IW ? PGTABLE_WRITE : 0);
}

const struct pgtable_format pgtable_amdv1 = {
	.name = "amdv1",
	.page_shift = 12,
	.index_bits = 9,
	.max_levels = 6,
	.leaf_shifts = 0x000ffffffffff000ULL,
	.table = table,
	.leaf = leaf,
	.kind = kind,
	.next = next,
	.out = out,
	.shift = shift,
	.prot = prot,
};
