// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking guest translations, 2.2.6: GCR3 table, guest (v2) page tables, and the host table for
 * every address in them. What is cached of a guest's tables is guest physical: the host's part of
 * the way has host entries of its own.
 */
#include "amdvi_model.h"

#define RESTARTS 64

/* 9 bits of PASID a level; bits above the table's levels are ignored (2.2.6.3). */
static enum walk_status read_gcr3(struct amdvi_walk *walk, uint64_t *gcr3)
{
	unsigned int levels = amdvi_get(walk->dte[0], AMDVI_DTE0_GLX) + 1;
	bool gpa = amdvi_control(walk->amdvi) & AMDVI_CONTROL_GCR3TRP_MODE ||
		   FAULT("amdvi.gcr3-always-gpa", "GCR3TRPMode has no effect");
	uint64_t table = amdvi_dte_gcr3(walk->dte), entry, pa;
	struct amdvi_page page;
	enum walk_status status;

	for (unsigned int level = levels; level; level--) {
		pa = table + (walk->pasid >> 9 * (level - 1) & 0x1ff) * 8;
		if (gpa && !FAULT("amdvi.gcr3-physical", "A GCR3 table's GPA is used as an SPA")) {
			status = amdvi_host_page(walk, pa, HW_READ, false, &page);
			if (status)
				return status;
			pa = page.pa;
		}
		walk->reads++;
		if (hw_read64(walk->amdvi->hw.mem, pa, &entry))
			return WALK_UNREADABLE;
		if (!(entry & AMDVI_GCR3_V))
			return WALK_ABSENT;
		table = entry & AMDVI_GCR3_ADDR;
	}
	*gcr3 = table;
	return WALK_OK;
}

static enum walk_status find_gcr3(struct amdvi_walk *walk, uint64_t *gcr3)
{
	bool cache = !walk->amdvi->hw.freedom.no_walk_cache;
	struct tlb_entry entry = {
		.domain = walk->domain, .space = walk->pasid, .kind = KIND_GCR3, .shift = 63,
	};
	enum walk_status status;

	if (cache && tlb_lookup(walk->amdvi->walks, walk->domain, walk->pasid, KIND_GCR3, 0,
				&entry)) {
		*gcr3 = entry.out;
		return WALK_OK;
	}
	status = read_gcr3(walk, gcr3);
	if (!status && cache) {
		entry.out = *gcr3;
		tlb_insert(walk->amdvi->walks, &entry, walk->walk_generation);
	}
	return status;
}

/* Where the walk stands: at the table of @level at guest physical @table. */
struct position {
	uint64_t table;
	unsigned int level;
	uint8_t perm;
};

static enum walk_status start(struct amdvi_walk *walk, uint64_t gva, unsigned int levels,
			      struct position *at)
{
	struct tlb_entry dir;

	for (unsigned int level = 2; level <= levels; level++) {
		if (walk->amdvi->hw.freedom.no_walk_cache)
			break;
		if (!tlb_lookup(walk->amdvi->walks, walk->domain, walk->pasid,
				KIND_GUEST_DIR(level), gva, &dir))
			continue;
		*at = (struct position){ dir.out, level - 1, dir.perm };
		return WALK_OK;
	}
	at->level = levels;
	at->perm = HW_READ | HW_WRITE | HW_EXEC;
	return find_gcr3(walk, &at->table);
}

static void keep_directory(struct amdvi_walk *walk, uint64_t gva, unsigned int level,
			   uint64_t table, uint8_t perm)
{
	unsigned int shift = AMDVI_LEVEL_SHIFT(level);
	struct tlb_entry entry = {
		.domain = walk->domain, .space = walk->pasid, .kind = KIND_GUEST_DIR(level),
		.addr = gva & ~((1ULL << shift) - 1), .shift = shift, .perm = perm,
		.out = table,
	};

	tlb_insert(walk->amdvi->walks, &entry, walk->walk_generation);
}

static uint8_t restrict_to(uint8_t perm, uint64_t entry)
{
	if (!(entry & AMDVI_GPTE_RW))
		perm &= ~HW_WRITE;
	if (entry & AMDVI_GPTE_NX)
		perm &= ~HW_EXEC;
	if (!(entry & AMDVI_GPTE_US))
		perm |= HW_PRIV;
	return perm;
}

static bool reserved_bits(struct amdvi_walk *walk, uint64_t entry, unsigned int level)
{
	uint64_t size = (1ULL << AMDVI_LEVEL_SHIFT(level)) - 1;

	if (entry & AMDVI_GPTE_NX && !walk->amdvi->config.nx)
		return true;
	if (level == 1 || !(entry & AMDVI_GPTE_PS))
		return false;
	/* Bit 12 is PAT in large pages. */
	return level > 3 || entry & AMDVI_GPTE_ADDR & size & ~0x1fffULL;
}

/*
 * Set A or D of a guest's entry, which lies on @page: a write to guest memory, which the host table
 * must allow, and take note of.
 */
static enum walk_status mark(struct amdvi_walk *walk, uint64_t gpa, const struct amdvi_page *page,
			     uint64_t *entry, uint64_t bits)
{
	bool writable = page->perm & HW_WRITE && !(page->flags & ENTRY_CLEAN);
	struct amdvi_page again = *page;
	enum walk_status status = WALK_OK;

	if ((*entry & bits) == bits)
		return WALK_OK;
	if (walk->quiet)
		return WALK_DENIED;
	if (!writable)
		status = amdvi_host_page(walk, gpa, HW_READ | HW_WRITE, false, &again);
	return status ? status : amdvi_set_bits(walk, again.pa, entry, bits);
}

static bool denied(uint8_t access, uint8_t perm)
{
	if (access & HW_WRITE & ~perm || access & HW_EXEC & ~perm)
		return true;
	return access && perm & HW_PRIV && !(access & HW_PRIV) &&
	       !FAULT("amdvi.user-unchecked", "A user request may use supervisor pages");
}

/* The leaf is found, in the table on @page: permissions, the host's part of the way, D. */
static enum walk_status finish(struct amdvi_walk *walk, uint64_t gva, uint64_t entry_gpa,
			       uint64_t entry, const struct position *at, struct amdvi_page *page)
{
	const struct amdvi_page table = *page;
	uint64_t control = amdvi_control(walk->amdvi);
	unsigned int shift = AMDVI_LEVEL_SHIFT(at->level);
	uint64_t mask = (1ULL << shift) - 1;
	uint64_t gpa = (entry & AMDVI_GPTE_ADDR & ~mask) | (gva & mask);
	uint8_t access = walk->access & (HW_READ | HW_WRITE);
	bool dirty = !(control & AMDVI_CONTROL_GD_UPDATE_DIS);
	enum walk_status status;

	if (walk->ats)
		access &= denied(walk->access & ~HW_WRITE, at->perm) ? 0 : at->perm;
	else if (denied(walk->access, at->perm))
		return WALK_DENIED;
	status = amdvi_host_page(walk, gpa, access, walk->ats, page);
	if (status)
		return status;
	if (!FAULT("amdvi.nested-size", "A nested translation is cached in the guest page's size")
	    || page->shift > shift)
		shift = page->shift < shift ? page->shift : shift;
	page->shift = shift;
	page->perm &= at->perm | HW_EXEC | HW_PRIV;
	page->perm |= at->perm & (HW_EXEC | HW_PRIV);
	if (access & page->perm & HW_WRITE && dirty) {
		status = mark(walk, entry_gpa, &table, &entry, AMDVI_GPTE_D);
		if (status)
			return status;
	}
	if (page->perm & HW_WRITE && dirty && !(entry & AMDVI_GPTE_D))
		page->flags |= ENTRY_CLEAN;
	return WALK_OK;
}

static enum walk_status guest_walk(struct amdvi_walk *walk, uint64_t gva, unsigned int levels,
				   struct amdvi_page *page)
{
	bool accessed = !(amdvi_control(walk->amdvi) & AMDVI_CONTROL_GA_UPDATE_DIS);
	enum walk_status status;
	struct position at;
	uint64_t entry, gpa;

	status = start(walk, gva, levels, &at);
	if (status)
		return status;
	for (; ; at.level--, at.table = entry & AMDVI_GPTE_ADDR) {
		gpa = at.table + (gva >> AMDVI_LEVEL_SHIFT(at.level) & 0x1ff) * 8;
		status = amdvi_host_page(walk, gpa, HW_READ, false, page);
		if (status)
			return status;
		walk->reads++;
		if (hw_read64(walk->amdvi->hw.mem, page->pa, &entry))
			return WALK_UNREADABLE;
		if (!(entry & AMDVI_GPTE_P))
			return WALK_ABSENT;
		if (reserved_bits(walk, entry, at.level))
			return WALK_RESERVED;
		status = accessed ? mark(walk, gpa, page, &entry, AMDVI_GPTE_A) : WALK_OK;
		if (status)
			return status;
		at.perm = restrict_to(at.perm, entry);
		if (at.level == 1 || entry & AMDVI_GPTE_PS)
			return finish(walk, gva, gpa, entry, &at, page);
		if (!walk->amdvi->hw.freedom.no_walk_cache)
			keep_directory(walk, gva, at.level, entry & AMDVI_GPTE_ADDR, at.perm);
	}
}

static bool canonical(uint64_t gva, unsigned int levels)
{
	unsigned int unused = 64 - AMDVI_LEVEL_SHIFT(levels + 1);

	return (uint64_t)((int64_t)(gva << unused) >> unused) == gva;
}

enum walk_status amdvi_walk_guest(struct amdvi_walk *walk, uint64_t gva, struct amdvi_page *page)
{
	unsigned int levels = 4 + amdvi_get(walk->dte[2], AMDVI_DTE2_GPM);
	enum walk_status status = WALK_CHANGED;

	if (FAULT("amdvi.gpm-ignored", "Guest tables have 4 levels whatever GuestPagingMode says"))
		levels = 4;
	walk->fault_addr = gva;
	if (!canonical(gva, levels) &&
	    !FAULT("amdvi.canonical-unchecked", "Upper bits of guest addresses are ignored"))
		return WALK_ABSENT;
	for (unsigned int i = 0; status == WALK_CHANGED && i < RESTARTS; i++)
		status = guest_walk(walk, gva, levels, page);
	return status;
}
