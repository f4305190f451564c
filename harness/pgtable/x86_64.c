// SPDX-License-Identifier: GPL-2.0-only
/*
 * The four- and five-level tables of x86-64: VT-d first stage (D51397, 9.7), AMD v2 (48882, 2.2.6).
 *
 * Level 0 is the PTE, 1 the PDE, 2 the PDPTE, 3 the PML4E, 4 the PML5E. Readable is present; who
 * may write may read. A VT-d guest has no way to set NXE, without which XD is reserved: entries are
 * executable unless PGTABLE_NO_EXEC says otherwise.
 */
#include "pgtable.h"

enum {
	X86_P = 1 << 0,
	X86_RW = 1 << 1,
	X86_US = 1 << 2,
	X86_A = 1 << 5,
	X86_D = 1 << 6,
	X86_PS = 1 << 7,
	X86_G = 1 << 8,
};

#define X86_XD		(1ull << 63)
#define X86_ADDR	0x000ffffffffff000ull

static uint64_t x86_table(const struct pgtable *pt, unsigned int level, uint64_t addr)
{
	return (addr & X86_ADDR) | X86_P | X86_RW | X86_US | X86_A;
}

static uint64_t x86_leaf(const struct pgtable *pt, unsigned int level, unsigned int shift,
			 uint64_t addr, unsigned int prot)
{
	uint64_t entry = addr & X86_ADDR;

	if (!(prot & (PGTABLE_READ | PGTABLE_WRITE | PGTABLE_EXEC)))
		return 0;
	entry |= X86_P;
	entry |= prot & PGTABLE_WRITE ? X86_RW : 0;
	entry |= prot & PGTABLE_USER ? X86_US : 0;
	entry |= prot & PGTABLE_GLOBAL ? X86_G : 0;
	entry |= prot & PGTABLE_NO_EXEC ? X86_XD : 0;
	entry |= prot & PGTABLE_NO_ACCESSED ? 0 : X86_A;
	entry |= prot & PGTABLE_WRITE && !(prot & PGTABLE_NO_DIRTY) ? X86_D : 0;
	return entry | (level ? X86_PS : 0);
}

static enum pgtable_kind x86_kind(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	if (!(entry & X86_P))
		return PGTABLE_NONE;
	return !level || entry & X86_PS ? PGTABLE_LEAF : PGTABLE_TABLE;
}

static uint64_t x86_next(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return entry & X86_ADDR;
}

static unsigned int x86_shift(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return 12 + 9 * level;
}

static uint64_t x86_out(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return entry & X86_ADDR & (~0ull << x86_shift(pt, level, entry));
}

static unsigned int x86_prot(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	unsigned int prot = PGTABLE_READ;

	prot |= entry & X86_RW ? PGTABLE_WRITE : 0;
	prot |= entry & X86_US ? PGTABLE_USER : 0;
	prot |= entry & X86_G ? PGTABLE_GLOBAL : 0;
	prot |= entry & X86_XD ? PGTABLE_NO_EXEC : PGTABLE_EXEC;
	prot |= entry & X86_A ? 0 : PGTABLE_NO_ACCESSED;
	prot |= entry & X86_D ? 0 : PGTABLE_NO_DIRTY;
	return prot;
}

const struct pgtable_format pgtable_x86_64 = {
	.name = "x86_64",
	.page_shift = 12,
	.index_bits = 9,
	.max_levels = 5,
	.leaf_shifts = 1ull << 12 | 1ull << 21 | 1ull << 30,
	.table = x86_table,
	.leaf = x86_leaf,
	.kind = x86_kind,
	.next = x86_next,
	.out = x86_out,
	.shift = x86_shift,
	.prot = x86_prot,
};
