// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks: first stage (3.6, 9.7), second stage (3.7, 9.8), and the first on top of the second
 * (3.8), with their paging-structure caches (6.2.4, 6.2.5) and accessed and dirty flags (3.6.2,
 * 3.7.2).
 *
 * The paging-structure caches hold, for a level, the address of the table that serves a range:
 * for the first stage tagged with DID and PASID, for the second with the DID alone. A first-stage
 * table is kept as its host address (@out) and, under nested translation, guest address (@aux).
 */
#include "vtd_internal.h"

#define RETRIES 16

/* A position in a tree: the table of @level, and what the entries above it allow. */
struct position {
	unsigned int level;
	uint64_t table;		/* host physical */
	uint64_t guest;		/* first stage, nested: guest physical */
	uint8_t perm;
};

static unsigned int level_shift(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

static uint64_t entry_offset(uint64_t addr, unsigned int level)
{
	return (addr >> level_shift(level) & 511) * 8;
}

/* ---- Paging-structure caches ---- */

/* Start at the lowest table that is cached. */
static void skip_levels(struct vtd_walk *walk, unsigned int first_kind, uint32_t pasid,
			uint64_t addr, struct position *at)
{
	struct vtd *vtd = walk->vtd;
	struct tlb_entry entry;

	if (vtd->iommu.freedom.no_walk_cache)
		return;
	for (unsigned int level = 1; level < at->level; level++) {
		if (!tlb_lookup(vtd->paging, walk->space->did, pasid, first_kind + level, addr,
				&entry))
			continue;
		at->level = level;
		at->table = entry.out;
		at->guest = entry.aux;
		at->perm = entry.perm;
		return;
	}
}

static void insert_level(struct vtd_walk *walk, unsigned int first_kind, uint32_t pasid,
			 uint64_t addr, const struct position *at)
{
	unsigned int shift = level_shift(at->level + 1);
	struct tlb_entry entry = {
		.domain = walk->space->did, .space = pasid, .kind = first_kind + at->level,
		.addr = addr >> shift << shift, .shift = shift, .perm = at->perm,
		.out = at->table, .aux = at->guest,
	};

	tlb_insert(walk->vtd->paging, &entry, walk->generation);
}

static inline void keep_level(struct vtd_walk *walk, unsigned int first_kind, uint32_t pasid,
			      uint64_t addr, const struct position *at)
{
	if (!walk->vtd->iommu.freedom.no_walk_cache)
		insert_level(walk, first_kind, pasid, addr, at);
}

/* ---- Flags ---- */

/* Set @flags in the entry at @pa, which still reads @entry; the walk starts over if it does not. */
static bool set_flags(struct vtd_walk *walk, uint64_t pa, uint64_t entry, uint64_t flags)
{
	uint64_t old;

	if ((entry & flags) == flags ||
	    FAULT("vtd.accessed-dirty-lost", "Accessed and dirty flags are not written back"))
		return true;
	if (walk->speculative || hw_cas64(walk->vtd->iommu.mem, pa, entry, entry | flags, &old))
		return false;
	walk->again = old != entry;
	return !walk->again;
}

/* ---- Second stage ---- */

static bool second_leaf(const struct vtd *vtd, uint64_t entry, unsigned int level)
{
	return level == 1 || (entry & VTD_SS_PS && ((level == 2 && vtd->config.large_2m) ||
						    (level == 3 && vtd->config.large_1g)));
}

static bool second_reserved(const struct vtd *vtd, uint64_t entry, unsigned int level)
{
	if (entry & (vtd->beyond_host & VTD_BITS(51, 12)))
		return true;
	if (level == 1)
		return false;
	if (second_leaf(vtd, entry, level))
		return entry & VTD_BITS(level_shift(level) - 1, 12);
	return entry & (VTD_SS_PS | VTD_SS_SNP);
}

/* The names of the same faults in both modes. */
static enum vtd_fault second_fault(const struct vtd_walk *walk, enum vtd_fault legacy,
				   enum vtd_fault scalable)
{
	return walk->space->legacy ? legacy : scalable;
}

/*
 * Translate @addr for @access by the second stage.
 * @leaf: perm has R and W; its pa is of the byte asked for
 */
static enum vtd_fault second_stage(struct vtd_walk *walk, uint64_t addr, uint8_t access,
				   struct vtd_leaf *leaf)
{
	const struct vtd_space *space = walk->space;
	struct vtd *vtd = walk->vtd;
	struct position at = {
		space->second_levels, space->second_root, 0, VTD_PERM_R | VTD_PERM_W,
	};
	uint64_t entry, pa;

	if (addr >> level_shift(space->second_levels + 1) || addr >> vtd->config.mgaw)
		return second_fault(walk, VTD_FAULT_LGN_1_BEYOND_WIDTH,
				    VTD_FAULT_SGN_5_BEYOND_WIDTH);
	skip_levels(walk, VTD_SECOND_TABLE(0), 0, addr, &at);
	for (;;) {
		pa = at.table + entry_offset(addr, at.level);
		walk->reads++;
		if (hw_read64(vtd->iommu.mem, pa, &entry))
			return second_fault(walk, VTD_FAULT_LSS_1_ACCESS,
					    at.level == space->second_levels ?
					    VTD_FAULT_SSS_4_ROOT_ACCESS : VTD_FAULT_SSS_1_ACCESS);
		at.perm &= entry & 3;
		walk->absent = !(entry & (VTD_SS_R | VTD_SS_W));
		if (walk->absent)
			return second_fault(walk, access & HW_WRITE ? VTD_FAULT_LGN_2_WRITE :
					    VTD_FAULT_LGN_3_READ, VTD_FAULT_SSS_2_NOT_PRESENT);
		if (second_reserved(vtd, entry, at.level))
			return second_fault(walk, VTD_FAULT_LSS_2_RESERVED,
					    VTD_FAULT_SSS_3_RESERVED);
		if (second_leaf(vtd, entry, at.level))
			break;
		if (space->ssade && !set_flags(walk, pa, entry, VTD_SS_A))
			return VTD_FAULT_SSS_1_ACCESS;
		at.level--;
		at.table = entry & VTD_SS_ADDR;
		keep_level(walk, VTD_SECOND_TABLE(0), 0, addr, &at);
	}
	if (access & HW_WRITE && !(at.perm & VTD_PERM_W))
		return second_fault(walk, VTD_FAULT_LGN_2_WRITE, VTD_FAULT_SGN_6_WRITE);
	if (access & HW_READ && !(at.perm & VTD_PERM_R))
		return second_fault(walk, VTD_FAULT_LGN_3_READ, VTD_FAULT_SGN_7_READ);
	if (space->ssade) {
		uint64_t flags = VTD_SS_A | (access & HW_WRITE ? VTD_SS_D : 0);

		if (!set_flags(walk, pa, entry, flags))
			return VTD_FAULT_SSS_1_ACCESS;
		entry |= flags;
	}
	leaf->shift = level_shift(at.level);
	leaf->pa = (entry & VTD_SS_ADDR & ~((1ull << leaf->shift) - 1)) |
		   (addr & ((1ull << leaf->shift) - 1));
	leaf->perm = at.perm;
	leaf->flags = !space->ssade || entry & VTD_SS_D ? VTD_LEAF_DIRTY : 0;
	return 0;
}

/* ---- First stage ---- */

static bool first_leaf(const struct vtd *vtd, uint64_t entry, unsigned int level)
{
	return level == 1 || (entry & VTD_FS_PS &&
			      (level == 2 || (level == 3 && vtd->config.first_1g)));
}

static bool first_reserved(const struct vtd *vtd, const struct vtd_space *space, uint64_t entry,
			   unsigned int level)
{
	if (space->pgtt == VTD_PGTT_FIRST_STAGE && entry & (vtd->beyond_host & VTD_BITS(51, 12)))
		return true;
	if (level == 1)
		return false;
	if (first_leaf(vtd, entry, level))	/* bit 12 is PAT */
		return entry & VTD_BITS(level_shift(level) - 1, 13);
	return entry & VTD_FS_PS;
}

/* Where the entry at guest address @guest is in host memory. */
static enum vtd_fault nested_access(struct vtd_walk *walk, uint64_t guest, uint8_t access, bool top,
				    uint64_t *host)
{
	struct vtd_leaf leaf;
	enum vtd_fault reason = second_stage(walk, guest, access, &leaf);

	*host = leaf.pa;
	switch (reason) {
	case VTD_FAULT_SGN_5_BEYOND_WIDTH:
		return VTD_FAULT_SFS_5_BEYOND_WIDTH;
	case VTD_FAULT_SGN_6_WRITE:
		return VTD_FAULT_SFS_8_WRITE;
	case VTD_FAULT_SGN_7_READ:
		return top ? VTD_FAULT_SFS_6_ROOT_READ : VTD_FAULT_SFS_7_READ;
	default:
		return reason;
	}
}

/* Set A, EA and D of a first-stage entry: under nested translation a write to guest memory. */
static enum vtd_fault set_first_flags(struct vtd_walk *walk, const struct position *at,
				      uint64_t pa, uint64_t entry, bool dirty)
{
	const struct vtd_space *space = walk->space;
	uint64_t flags = VTD_FS_A | (space->eafe ? VTD_FS_EA : 0) | (dirty ? VTD_FS_D : 0);
	enum vtd_fault reason;

	if ((entry & flags) == flags)
		return 0;
	if (space->pgtt == VTD_PGTT_NESTED) {
		reason = nested_access(walk, at->guest + entry_offset(walk->addr, at->level),
				       HW_READ | HW_WRITE, false, &pa);
		if (reason)
			return reason;
	}
	return set_flags(walk, pa, entry, flags) ? 0 : VTD_FAULT_SFS_1_ACCESS;
}

static bool canonical(const struct vtd_space *space, uint64_t addr)
{
	unsigned int unused = 64 - (12 + 9 * space->first_levels);

	return (uint64_t)((int64_t)(addr << unused) >> unused) == addr;
}

/* Down to the leaf: its entry is left in @entry, at @pa in the table of @at. */
static enum vtd_fault first_descend(struct vtd_walk *walk, struct position *at, uint64_t *entry,
				    uint64_t *pa)
{
	const struct vtd_space *space = walk->space;
	struct vtd *vtd = walk->vtd;
	bool nested = space->pgtt == VTD_PGTT_NESTED;
	enum vtd_fault reason;

	for (;;) {
		uint64_t offset = entry_offset(walk->addr, at->level);
		bool top = at->level == space->first_levels;

		*pa = at->table + offset;
		if (nested && !at->table) {
			reason = nested_access(walk, at->guest + offset, HW_READ, top, pa);
			if (reason)
				return reason;
			at->table = *pa - offset;
		}
		walk->reads++;
		if (hw_read64(vtd->iommu.mem, *pa, entry))
			return top ? VTD_FAULT_SFS_4_ROOT_ACCESS : VTD_FAULT_SFS_1_ACCESS;
		if (!(*entry & VTD_FS_P))
			return VTD_FAULT_SFS_2_NOT_PRESENT;
		if (first_reserved(vtd, space, *entry, at->level))
			return VTD_FAULT_SFS_3_RESERVED;
		at->perm &= VTD_PERM_R | VTD_PERM_W | (*entry & VTD_FS_RW ? VTD_PERM_RW : 0) |
			    (*entry & VTD_FS_US ? VTD_PERM_USER : 0) |
			    (*entry & VTD_FS_XD ? 0 : VTD_PERM_X);
		if (first_leaf(vtd, *entry, at->level))
			return 0;
		reason = set_first_flags(walk, at, *pa, *entry, false);
		if (reason)
			return reason;
		at->level--;
		at->guest = *entry & VTD_FS_ADDR;
		at->table = at->guest;
		if (nested) {
			reason = nested_access(walk, at->guest, HW_READ, false, &at->table);
			if (reason)
				return reason;
		}
		keep_level(walk, VTD_FIRST_TABLE(0), space->pasid, walk->addr, at);
	}
}

static enum vtd_fault first_stage(struct vtd_walk *walk, struct vtd_leaf *leaf)
{
	const struct vtd_space *space = walk->space;
	bool nested = space->pgtt == VTD_PGTT_NESTED, write = walk->access & HW_WRITE;
	struct position at = {
		space->first_levels, nested ? 0 : space->first_root, space->first_root,
		VTD_PERM_ALL,
	};
	struct vtd_leaf second = { .shift = 63, .perm = VTD_PERM_R | VTD_PERM_W,
				   .flags = VTD_LEAF_DIRTY };
	uint64_t entry, pa, offset;
	enum vtd_fault reason;

	if (!canonical(space, walk->addr))
		return VTD_FAULT_SGN_1_CANONICAL;
	skip_levels(walk, VTD_FIRST_TABLE(0), space->pasid, walk->addr, &at);
	reason = first_descend(walk, &at, &entry, &pa);
	if (reason)
		return reason;
	reason = vtd_allowed(space, at.perm, walk->access, walk->priv);
	if (reason)
		return reason;
	leaf->shift = level_shift(at.level);
	offset = walk->addr & ((1ull << leaf->shift) - 1);
	leaf->pa = (entry & VTD_FS_ADDR & ~((1ull << leaf->shift) - 1)) | offset;
	if (nested) {
		reason = second_stage(walk, leaf->pa, walk->access & (HW_READ | HW_WRITE),
				      &second);
		if (reason)
			return reason;
		leaf->pa = second.pa;
	}
	reason = set_first_flags(walk, &at, pa, entry, write);
	if (reason)
		return reason;
	if (second.shift < leaf->shift &&
	    !FAULT("vtd.nested-size-of-first", "A nested entry has the first stage's size"))
		leaf->shift = second.shift;
	leaf->perm = (at.perm & ~(VTD_PERM_R | VTD_PERM_W)) | second.perm;
	leaf->flags = write || entry & VTD_FS_D ? second.flags : 0;
	return 0;
}

/* ---- All types ---- */

static enum vtd_fault pass_through(struct vtd_walk *walk, struct vtd_leaf *leaf)
{
	const struct vtd *vtd = walk->vtd;

	if (walk->addr >> vtd->config.haw)
		return second_fault(walk, VTD_FAULT_LGN_1_BEYOND_WIDTH,
				    VTD_FAULT_SGN_4_BEYOND_HOST);
	*leaf = (struct vtd_leaf){
		.pa = walk->addr, .shift = 12, .perm = VTD_PERM_ALL, .flags = VTD_LEAF_DIRTY,
	};
	return 0;
}

enum vtd_fault vtd_walk(struct vtd_walk *walk, struct vtd_leaf *leaf)
{
	struct hw_counts *counts = &walk->vtd->iommu.counts;
	enum vtd_fault reason;
	int tries = 0;

	do {
		walk->again = false;
		switch (walk->space->pgtt) {
		case VTD_PGTT_FIRST_STAGE:
		case VTD_PGTT_NESTED:
			reason = first_stage(walk, leaf);
			break;
		case VTD_PGTT_SECOND_STAGE:
			reason = second_stage(walk, walk->addr, walk->access, leaf);
			break;
		default:
			reason = pass_through(walk, leaf);
		}
	} while (walk->again && !walk->speculative && ++tries < RETRIES);
	hw_count(counts->walks, 1);
	hw_count(counts->table_reads, walk->reads);
	return reason;
}
