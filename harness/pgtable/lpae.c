// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arm VMSAv8-64 translation tables, stage 1 and stage 2, with 4, 16 and 64 KiB granules
 * (DDI 0487 D8.3; as SMMUv3 walks them: IHI 0070 section 3.4).
 *
 * The architecture's level n is our level 3 - n. Blocks exist at level 2 with every granule, at
 * level 1 with 4 KiB only (larger ones take 52-bit addresses). A contiguous run is a set of
 * adjacent entries that all have the Contiguous bit and each map their own part.
 */
#include "pgtable.h"
#include "spec/smmuv3.h"

#define SH_INNER	smmu_put(LPAE_SH, 3)
#define MEMATTR_WB	smmu_put(LPAE_MEMATTR, 0xf)

static unsigned int entry_shift(const struct pgtable *pt, unsigned int level)
{
	return pt->format->page_shift + pt->format->index_bits * level;
}

static unsigned int shift(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	unsigned int run = entry & LPAE_CONTIGUOUS ?
		lpae_contiguous(pt->format->page_shift, 3 - level) : 0;

	return entry_shift(pt, level) + run;
}

/* What a table descriptor may forbid for all below it, ours allows. */
static uint64_t table(const struct pgtable *pt, unsigned int level, uint64_t addr)
{
	return LPAE_VALID | LPAE_TABLE | addr;
}

static uint64_t leaf(const struct pgtable *pt, unsigned int level, unsigned int shift,
		     uint64_t addr, unsigned int prot)
{
	uint64_t entry = LPAE_VALID | SH_INNER | addr;

	if (!level)
		entry |= LPAE_TABLE;
	if (shift != entry_shift(pt, level))
		entry |= LPAE_CONTIGUOUS;
	if (!(prot & PGTABLE_NO_ACCESSED))
		entry |= LPAE_AF;
	/* Writable but clean: hardware that manages dirty state clears AP[2], sets S2AP[1]. */
	if (prot & PGTABLE_WRITE && prot & PGTABLE_NO_DIRTY)
		entry |= LPAE_DBM;
	return entry;
}

static uint64_t leaf_s1(const struct pgtable *pt, unsigned int level, unsigned int shift,
			uint64_t addr, unsigned int prot)
{
	uint64_t entry = leaf(pt, level, shift, addr, prot);

	if (!(prot & PGTABLE_WRITE) || entry & LPAE_DBM)
		entry |= LPAE_AP_RO;
	if (prot & PGTABLE_USER)
		entry |= LPAE_AP_USER;
	if (!(prot & PGTABLE_EXEC))
		entry |= LPAE_PXN | LPAE_UXN;
	if (!(prot & PGTABLE_GLOBAL))
		entry |= LPAE_NG;
	return entry;
}

static uint64_t leaf_s2(const struct pgtable *pt, unsigned int level, unsigned int shift,
			uint64_t addr, unsigned int prot)
{
	uint64_t entry = leaf(pt, level, shift, addr, prot) | MEMATTR_WB;

	if (prot & PGTABLE_READ)
		entry |= LPAE_S2AP_R;
	if (prot & PGTABLE_WRITE && !(entry & LPAE_DBM))
		entry |= LPAE_S2AP_W;
	return entry;
}

static enum pgtable_kind kind(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	if (!(entry & LPAE_VALID))
		return PGTABLE_NONE;
	if (!level)
		return entry & LPAE_TABLE ? PGTABLE_LEAF : PGTABLE_NONE;
	if (entry & LPAE_TABLE)
		return PGTABLE_TABLE;
	return pt->format->leaf_shifts >> entry_shift(pt, level) & 1 ? PGTABLE_LEAF : PGTABLE_NONE;
}

static uint64_t next(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return entry & LPAE_ADDR;
}

static uint64_t out(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return entry & LPAE_ADDR & ~((1ULL << shift(pt, level, entry)) - 1);
}

static unsigned int prot_s1(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return PGTABLE_READ |
	       (entry & LPAE_DBM || !(entry & LPAE_AP_RO) ? PGTABLE_WRITE : 0) |
	       (entry & LPAE_AP_USER ? PGTABLE_USER : 0) |
	       (entry & LPAE_UXN ? 0 : PGTABLE_EXEC) |
	       (entry & LPAE_NG ? 0 : PGTABLE_GLOBAL);
}

static unsigned int prot_s2(const struct pgtable *pt, unsigned int level, uint64_t entry)
{
	return (entry & LPAE_S2AP_R ? PGTABLE_READ : 0) |
	       (entry & (LPAE_S2AP_W | LPAE_DBM) ? PGTABLE_WRITE : 0);
}

/* Pages and blocks of each granule, with their contiguous runs (D8.6.1) */
#define LEAVES_4K	(1ULL << 12 | 1ULL << 16 | 1ULL << 21 | 1ULL << 25 | 1ULL << 30 | \
			 1ULL << 34)
#define LEAVES_16K	(1ULL << 14 | 1ULL << 21 | 1ULL << 25 | 1ULL << 30)
#define LEAVES_64K	(1ULL << 16 | 1ULL << 21 | 1ULL << 29 | 1ULL << 34)

#define LPAE_FORMAT(_stage, _granule, _page_shift, _levels) \
const struct pgtable_format pgtable_lpae_##_stage##_##_granule##k = { \
	.name = "lpae_" #_stage "_" #_granule "k", \
	.page_shift = _page_shift, \
	.index_bits = _page_shift - 3, \
	.max_levels = _levels, \
	.leaf_shifts = LEAVES_##_granule##K, \
	.run_advances = true, \
	.table = table, \
	.leaf = leaf_##_stage, \
	.kind = kind, \
	.next = next, \
	.out = out, \
	.shift = shift, \
	.prot = prot_##_stage, \
}

LPAE_FORMAT(s1, 4, 12, 4);
LPAE_FORMAT(s1, 16, 14, 4);
LPAE_FORMAT(s1, 64, 16, 3);
LPAE_FORMAT(s2, 4, 12, 4);
LPAE_FORMAT(s2, 16, 14, 4);
LPAE_FORMAT(s2, 64, 16, 3);
