// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d second-stage tables of three, four and five levels (D51397, 9.8).
 *
 * Level 0 is the SS-PTE, 1 the SS-PDE, 2 the SS-PDPTE, 3 the SS-PML4E, 4 the SS-PML5E. An entry is
 * present if it can be read or written. A and D mean something only with SSADE in the PASID entry;
 * without, hardware ignores them.
 */
#include "pgtable.h"

enum {
	VTDSS_R = 1 << 0,
	VTDSS_W = 1 << 1,
	VTDSS_PS = 1 << 7,
	VTDSS_A = 1 << 8,
	VTDSS_D = 1 << 9,
};

#define VTDSS_ADDR 0x000ffffffffff000ull

static uint64_t vtdss_table(const struct pgtable *pt, unsigned int level, uint64_t addr)
{
	return (addr & VTDSS_ADDR) | VTDSS_R | VTDSS_W;
}

static uint64_t vtdss_leaf(const struct pgtable *pt, unsigned int level, unsigned int shift,
			   uint64_t addr, unsigned int prot)
{
	uint64_t entry = 0;

	entry |= prot & PGTABLE_READ ? VTDSS_R : 0;
	entry |= prot & PGTABLE_WRITE ? VTDSS_W : 0;
	if (!entry)
		return 0;
	entry |= prot & PGTABLE_NO_ACCESSED ? 0 : VTDSS_A;
	entry |= prot & PGTABLE_WRITE && !(prot & PGTABLE_NO_DIRTY) ? VTDSS_D : 0;
	return entry | (addr & VTDSS_ADDR) | (level ? VTDSS_PS : 0);
}

static enum pgtable_kind vtdss_kind(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	if (!(entry & (VTDSS_R | VTDSS_W)))
		return PGTABLE_NONE;
	return !level || entry & VTDSS_PS ? PGTABLE_LEAF : PGTABLE_TABLE;
}

static uint64_t vtdss_next(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return entry & VTDSS_ADDR;
}

static unsigned int vtdss_shift(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return 12 + 9 * level;
}

static uint64_t vtdss_out(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return entry & VTDSS_ADDR & (~0ull << vtdss_shift(pt, level, entry));
}

static unsigned int vtdss_prot(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	unsigned int prot = 0;

	prot |= entry & VTDSS_R ? PGTABLE_READ : 0;
	prot |= entry & VTDSS_W ? PGTABLE_WRITE : 0;
	prot |= entry & VTDSS_A ? 0 : PGTABLE_NO_ACCESSED;
	prot |= entry & VTDSS_D ? 0 : PGTABLE_NO_DIRTY;
	return prot;
}

const struct pgtable_format pgtable_vtdss = {
	.name = "vtdss",
	.page_shift = 12,
	.index_bits = 9,
	.max_levels = 5,
	.leaf_shifts = 1ull << 12 | 1ull << 21 | 1ull << 30,
	.table = vtdss_table,
	.leaf = vtdss_leaf,
	.kind = vtdss_kind,
	.next = vtdss_next,
	.out = vtdss_out,
	.shift = vtdss_shift,
	.prot = vtdss_prot,
};
