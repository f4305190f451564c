// SPDX-License-Identifier: GPL-2.0-only
/* Walking the host (v1) page tables, 2.2.3, with a cache for each directory level. */
#include "amdvi_model.h"

#define RESTARTS 64

void amdvi_walk_begin(struct amdvi_walk *walk, struct amdvi *amdvi)
{
	*walk = (struct amdvi_walk){
		.amdvi = amdvi,
		.iotlb_generation = tlb_generation(amdvi->iotlb),
		.walk_generation = tlb_generation(amdvi->walks),
	};
}

/* A and D of the host table: DTE.HAD says what, CONTROL[HADUpdate] whether. */
static void accessed_and_dirty(struct amdvi_walk *walk)
{
	const struct amdvi_config *config = &walk->amdvi->config;
	unsigned int had = amdvi_get(walk->dte[0], AMDVI_DTE0_HAD);

	if (!had || amdvi_get(amdvi_control(walk->amdvi), AMDVI_CONTROL_HAD_UPDATE) != 3)
		return;
	walk->accessed = config->ha ? AMDVI_PTE_A : 0;
	walk->dirty = had == 3 && config->hd ? AMDVI_PTE_D : 0;
}

void amdvi_walk_dte(struct amdvi_walk *walk, const uint64_t dte[4])
{
	walk->dte = dte;
	walk->domain = amdvi_get(dte[1], AMDVI_DTE1_DOMAIN_ID);
	accessed_and_dirty(walk);
}

void amdvi_walk_end(struct amdvi_walk *walk)
{
	hw_count(walk->amdvi->hw.counts.walks, 1);
	hw_count(walk->amdvi->hw.counts.table_reads, walk->reads);
}

void amdvi_keep(struct amdvi_walk *walk, unsigned int kind, uint64_t addr,
		const struct amdvi_page *page)
{
	struct amdvi *amdvi = walk->amdvi;
	unsigned int shift = amdvi->hw.freedom.small_pages ? 12 : page->shift;
	uint64_t mask = (1ULL << shift) - 1;
	struct tlb_entry entry = {
		.domain = walk->domain, .space = kind == KIND_HOST ? HOST_SPACE : walk->pasid,
		.addr = addr & ~mask, .shift = shift, .kind = kind, .perm = page->perm,
		.flags = page->flags, .out = page->pa - (addr & mask),
	};

	tlb_insert(amdvi->iotlb, &entry, walk->iotlb_generation);
}

enum walk_status amdvi_set_bits(struct amdvi_walk *walk, uint64_t pa, uint64_t *entry,
				uint64_t bits)
{
	uint64_t old;

	while ((*entry & bits) != bits) {
		if (hw_cas64(walk->amdvi->hw.mem, pa, *entry, *entry | bits, &old))
			return WALK_UNREADABLE;
		if (old == *entry) {
			*entry |= bits;
			return WALK_OK;
		}
		/* A and D may have been set by another walker; all else is another entry. */
		if ((old ^ *entry) & ~(uint64_t)(AMDVI_PTE_A | AMDVI_PTE_D))
			return WALK_CHANGED;
		*entry = old;
	}
	return WALK_OK;
}

/* IR and IW are side by side, as HW_READ and HW_WRITE are. */
static uint8_t permissions(uint64_t entry)
{
	return entry >> 61 & (HW_READ | HW_WRITE);
}

/* Where the walk stands: at the table of @level at @table, with the permissions so far. */
struct position {
	uint64_t table;
	unsigned int level;
	uint8_t perm;
};

/* Levels may be left out; the address bits that they would have translated must be 0. */
static bool skipped_bits_clear(uint64_t gpa, unsigned int level, unsigned int next)
{
	uint64_t skipped = (1ULL << AMDVI_LEVEL_SHIFT(level)) -
			   (1ULL << AMDVI_LEVEL_SHIFT(next + 1));

	if (FAULT("amdvi.level-skip-unchecked", "Address bits of skipped levels are ignored"))
		return true;
	return !(gpa & skipped);
}

/* From the directory entry nearest the leaf that is cached, or from the root. */
static void start(struct amdvi_walk *walk, uint64_t gpa, struct position *at)
{
	unsigned int mode = amdvi_get(walk->dte[0], AMDVI_DTE0_MODE), top = mode;
	struct tlb_entry dir;

	if (walk->amdvi->hw.freedom.no_walk_cache)
		top = 0;
	for (unsigned int level = 2; level <= top; level++) {
		if (!tlb_lookup(walk->amdvi->walks, walk->domain, HOST_SPACE,
				KIND_HOST_DIR(level), gpa, &dir) ||
		    !skipped_bits_clear(gpa, level, dir.aux))
			continue;
		*at = (struct position){ dir.out, dir.aux, dir.perm };
		return;
	}
	*at = (struct position){ walk->dte[0] & AMDVI_DTE0_HOST_ROOT, mode,
				 permissions(walk->dte[0]) };
}

static void keep_directory(struct amdvi_walk *walk, uint64_t gpa, unsigned int level,
			   const struct position *next)
{
	unsigned int shift = AMDVI_LEVEL_SHIFT(level);
	struct tlb_entry entry = {
		.domain = walk->domain, .space = HOST_SPACE, .kind = KIND_HOST_DIR(level),
		.addr = gpa & ~((1ULL << shift) - 1), .shift = shift, .perm = next->perm,
		.out = next->table, .aux = next->level,
	};

	tlb_insert(walk->amdvi->walks, &entry, walk->walk_generation);
}

/* log2 of the size that a PTE stands for; 0: no size that may stand at this level */
static unsigned int leaf_shift(uint64_t entry, unsigned int level)
{
	unsigned int shift = AMDVI_LEVEL_SHIFT(level);

	if (level == 6)
		return 0;
	if (!(entry & AMDVI_PTE_NEXT_LEVEL))
		return shift;
	shift = __builtin_ctzll(~(entry >> 12)) + 13;
	if (FAULT("amdvi.large-pte-size", "Next level 7: half the size that the address encodes"))
		shift--;
	return shift >= AMDVI_LEVEL_SHIFT(level) && shift < AMDVI_LEVEL_SHIFT(level + 1) &&
	       shift < 52 ? shift : 0;
}

static enum walk_status finish(struct amdvi_walk *walk, uint64_t gpa, uint64_t pa, uint64_t entry,
			       const struct position *at, uint8_t access, bool limit,
			       struct amdvi_page *page)
{
	unsigned int shift = leaf_shift(entry, at->level);
	uint64_t mask = (1ULL << shift) - 1, bits;
	enum walk_status status;

	if (!shift)
		return WALK_RESERVED;
	access &= HW_READ | HW_WRITE;
	if (limit)
		access &= at->perm;
	if (access & ~at->perm)
		return WALK_DENIED;
	bits = walk->accessed | (access & HW_WRITE ? walk->dirty : 0);
	if (walk->quiet && bits & ~entry)
		return WALK_DENIED;	/* not for a guess */
	if (bits & ~entry) {
		status = amdvi_set_bits(walk, pa, &entry, bits);
		if (status)
			return status;
	}
	*page = (struct amdvi_page){
		.pa = (entry & AMDVI_PTE_ADDR & ~mask) | (gpa & mask),
		.shift = shift, .perm = at->perm,
		.flags = entry & AMDVI_PTE_U ? ENTRY_UNTRANSLATED : 0,
	};
	if (at->perm & HW_WRITE && walk->dirty & ~entry)
		page->flags |= ENTRY_CLEAN;
	return WALK_OK;
}

static enum walk_status host_walk(struct amdvi_walk *walk, uint64_t gpa, uint8_t access,
				  bool limit, struct amdvi_page *page)
{
	struct position at, next;
	uint64_t entry, pa;

	for (start(walk, gpa, &at); ; at = next) {
		pa = at.table + (gpa >> AMDVI_LEVEL_SHIFT(at.level) & 0x1ff) * 8;
		walk->reads++;
		if (hw_read64(walk->amdvi->hw.mem, pa, &entry))
			return WALK_UNREADABLE;
		if (!(entry & AMDVI_PTE_PR))
			return WALK_ABSENT;
		if (!FAULT("amdvi.directory-permission", "Permissions of PDEs are ignored") ||
		    !amdvi_get(entry, AMDVI_PTE_NEXT_LEVEL))
			at.perm &= permissions(entry);
		next = (struct position){ entry & AMDVI_PTE_ADDR,
					  amdvi_get(entry, AMDVI_PTE_NEXT_LEVEL), at.perm };
		if (next.level == 0 || next.level == 7)
			return finish(walk, gpa, pa, entry, &at, access, limit, page);
		if (next.level >= at.level)
			return FAULT("amdvi.next-level-is-absent",
				     "A next level that leads up is reported as not present") ?
			       WALK_ABSENT : WALK_RESERVED;
		if (!walk->amdvi->hw.freedom.no_walk_cache)
			keep_directory(walk, gpa, at.level, &next);
		if (!skipped_bits_clear(gpa, at.level, next.level))
			return WALK_ABSENT;
	}
}

static enum walk_status walk_host(struct amdvi_walk *walk, uint64_t gpa, uint8_t access,
				  bool limit, struct amdvi_page *page)
{
	unsigned int mode = amdvi_get(walk->dte[0], AMDVI_DTE0_MODE);
	enum walk_status status = WALK_CHANGED;

	if (!mode) {
		*page = (struct amdvi_page){ .pa = gpa, .shift = 63,
					     .perm = permissions(walk->dte[0]) };
		if (FAULT("amdvi.mode-0-unchecked", "Without a host table IR and IW are ignored"))
			page->perm = HW_READ | HW_WRITE;
		return limit || !(access & (HW_READ | HW_WRITE) & ~page->perm) ?
		       WALK_OK : WALK_DENIED;
	}
	if (mode < 6 && gpa >> AMDVI_LEVEL_SHIFT(mode + 1) &&
	    !FAULT("amdvi.host-alias", "Address bits above the host table are ignored"))
		return WALK_ABSENT;
	for (unsigned int i = 0; status == WALK_CHANGED && i < RESTARTS; i++)
		status = host_walk(walk, gpa, access, limit, page);
	return status;
}

enum walk_status amdvi_walk_host(struct amdvi_walk *walk, uint64_t gpa, uint8_t access,
				 struct amdvi_page *page)
{
	walk->fault_addr = gpa;
	return walk_host(walk, gpa, access, walk->ats, page);
}

/* What a host entry in the cache says; WALK_CHANGED: the table has to be asked */
static enum walk_status cached_page(struct amdvi_walk *walk, uint64_t gpa, uint8_t access,
				    bool limit, struct amdvi_page *page)
{
	struct tlb_entry entry;

	if (walk->amdvi->hw.freedom.no_walk_cache ||
	    !tlb_lookup(walk->amdvi->iotlb, walk->domain, HOST_SPACE, KIND_HOST, gpa, &entry))
		return WALK_CHANGED;
	if (entry.flags & ENTRY_ABSENT)
		return WALK_ABSENT;
	access &= HW_READ | HW_WRITE;
	if (access & ~entry.perm && !limit)
		return WALK_DENIED;
	if (access & entry.perm & HW_WRITE && entry.flags & ENTRY_CLEAN)
		return WALK_CHANGED;
	*page = (struct amdvi_page){ .pa = entry.out + (gpa - entry.addr), .shift = entry.shift,
				     .perm = entry.perm, .flags = entry.flags };
	return WALK_OK;
}

enum walk_status amdvi_host_page(struct amdvi_walk *walk, uint64_t gpa, uint8_t access, bool limit,
				 struct amdvi_page *page)
{
	bool identity = !amdvi_get(walk->dte[0], AMDVI_DTE0_MODE);
	enum walk_status status = WALK_CHANGED;

	if (!identity)
		status = cached_page(walk, gpa, access, limit, page);
	if (status == WALK_CHANGED) {
		status = walk_host(walk, gpa, access, limit, page);
		if (status == WALK_OK && !identity && !walk->amdvi->hw.freedom.no_walk_cache)
			amdvi_keep(walk, KIND_HOST, gpa, page);
	}
	if (status != WALK_OK) {
		walk->in_host = true;
		walk->fault_addr = gpa;
	}
	return status;
}
