// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translation tables of one stage (DDI 0487 D8.2 to D8.6, IHI 0070 3.4, 3.13), as the SMMU walks
 * them, with caches of their intermediate levels. Levels as the architecture numbers them: -1 to 3.
 */
#include "smmuv3_impl.h"

#define S1_LEAF_KIND	0
#define WALK_KIND(_level)	((_level) + 1)

/* What table descriptors above have taken away; kept with cached tables */
#define HIER_RO		1
#define HIER_NO_USER	2
#define HIER_PXN	4
#define HIER_UXN	8

void smmuv3_walk_init(struct smmuv3_walk *walk, struct smmuv3 *smmu)
{
	walk->smmu = smmu;
	walk->reads = 0;
	walk->lenient = false;
	walk->silent = false;
	walk->caches = !smmu->iommu.freedom.no_walk_cache;
	for (unsigned int i = 0; i < CACHES; i++)
		walk->generation[i] = tlb_generation(smmu->caches[i]);
}

/** smmuv3_walk_fails() - Note the fault; always true, so that walkers can return on it */
bool smmuv3_walk_fails(struct smmuv3_walk *walk, uint8_t event, bool s2, uint8_t class,
		       uint64_t ipa)
{
	walk->fault = (struct smmuv3_fault){
		.event = event, .s2 = s2, .class = class, .ipa = ipa,
	};
	return true;
}

static unsigned int level_shift(const struct smmuv3_half *half, int level)
{
	return half->page_shift + (half->page_shift - 3) * (3 - level);
}

static inline bool read_descriptor(struct smmuv3_walk *walk, uint64_t pa, uint64_t *descriptor)
{
	walk->reads++;
	return !hw_read64(walk->smmu->iommu.mem, pa, descriptor);
}

/* Output address of a descriptor: where 52 bits do not fit, the top ones sit elsewhere (D8.3.1). */
static inline uint64_t descriptor_addr(const struct smmuv3_half *half, uint64_t descriptor,
				       unsigned int shift)
{
	uint64_t addr = descriptor & LPAE_ADDR;

	if (__builtin_expect(half->wide && half->page_shift != 16, 0))
		addr = (descriptor & SMMU_BITS(49, 12)) |
		       smmu_get(SMMU_BITS(9, 8), descriptor) << 50;
	else if (__builtin_expect(half->wide, 0))
		addr |= smmu_get(SMMU_BITS(15, 12), descriptor) << 48;
	return addr & ~((1ull << shift) - 1);
}

static bool block_allowed(const struct smmuv3_half *half, int level)
{
	switch (half->page_shift) {
	case 12:
		return level >= (half->wide ? 0 : 1);
	case 14:
		return level >= (half->wide ? 1 : 2);
	default:
		return level >= (half->wide ? 1 : 2);
	}
}

static inline bool addr_too_big(const struct smmuv3_half *half, uint64_t addr)
{
	return addr >> half->out_bits;
}

/** struct place - of a walk: a table of @level, whose entries map 2^@shift bytes */
struct place {
	uint64_t table;
	uint64_t mask;		/* of the index */
	unsigned int shift;
	int level;
};

static struct place place_at(const struct smmuv3_half *half, int level, uint64_t table)
{
	unsigned int shift = level_shift(half, level);
	unsigned int bits = level == half->level ? half->bits - shift : half->page_shift - 3u;

	return (struct place){
		.table = table, .mask = (1ull << bits) - 1, .shift = shift, .level = level,
	};
}

static inline void place_descend(const struct smmuv3_half *half, struct place *place,
				 uint64_t table)
{
	unsigned int stride = half->page_shift - 3u;

	place->table = table;
	place->mask = (1ull << stride) - 1;
	place->shift -= stride;
	place->level++;
}

/* Where in its table the entry for @addr is */
static inline uint64_t entry_offset(const struct place *place, uint64_t addr)
{
	return ((addr >> place->shift) & place->mask) * 8;
}

static inline bool is_table(const struct place *place, uint64_t descriptor)
{
	return place->level < 3 && (descriptor & (LPAE_VALID | LPAE_TABLE)) ==
					   (LPAE_VALID | LPAE_TABLE);
}

/* Neither a table nor a leaf that may be at this level */
static bool is_invalid(const struct smmuv3_half *half, const struct place *place,
		       uint64_t descriptor)
{
	if (!(descriptor & LPAE_VALID))
		return true;
	return place->level == 3 ? !(descriptor & LPAE_TABLE) : !block_allowed(half, place->level);
}

static uint32_t entry_tag(const struct smmuv3_half *half, int level, unsigned int shift)
{
	return smmu_put(TAG_TG, half->tg) | smmu_put(TAG_LEVEL, level + 1) |
	       smmu_put(TAG_SHIFT, shift);
}

void smmuv3_cache(struct smmuv3_walk *walk, enum smmuv3_cache cache, struct tlb_entry *entry,
		  uint64_t addr)
{
	struct smmuv3 *smmu = walk->smmu;
	struct freedom *freedom = &smmu->iommu.freedom;
	unsigned int whole = smmu_get(TAG_SHIFT, entry->tag);
	uint64_t below = addr & ((1ull << entry->shift) - 1);

	if (freedom->small_pages && entry->shift > 12) {
		entry->out += below & ~0xfffull;
		entry->aux += below & ~0xfffull;
		entry->shift = 12;
	}
	entry->addr = addr & ~((1ull << entry->shift) - 1);
	if (entry->shift < whole)
		__atomic_fetch_or(&smmu->split[cache == CACHE_S2], 1ull << whole, __ATOMIC_RELAXED);
	if (reg_get(smmu->cr0) & SMMU_CR0_SMMUEN)
		tlb_insert(smmu->caches[cache], entry, walk->generation[cache]);
}

/* Begin as deep as a cached table allows. Kind and perm of the entry say where and what it took. */
static bool find_table(struct smmuv3_walk *walk, enum smmuv3_cache cache,
		       const struct smmuv3_half *half, uint64_t addr, struct tlb_entry *entry)
{
	uint32_t domain = context_domain(&walk->context);
	uint32_t space = cache == CACHE_S1_WALK ? context_asid(&walk->context) : TLB_ANY_SPACE;

	if (!walk->caches)
		return false;
	for (int level = 2; level >= half->level; level--)
		if (tlb_lookup(walk->smmu->caches[cache], domain, space, WALK_KIND(level), addr,
			       entry) &&
		    (entry->tag & TAG_TG) == half->tg)
			return true;
	return false;
}

static void cache_table(struct smmuv3_walk *walk, enum smmuv3_cache cache,
			const struct smmuv3_half *half, int level, uint64_t addr, uint64_t table,
			uint64_t table_ipa, uint8_t hier)
{
	unsigned int shift = level_shift(half, level);

	struct tlb_entry entry = {
		.domain = context_domain(&walk->context),
		.space = cache == CACHE_S1_WALK ? context_asid(&walk->context) : TLB_ANY_SPACE,
		.addr = addr & ~((1ull << shift) - 1),
		.shift = shift,
		.kind = WALK_KIND(level),
		.perm = hier,
		.tag = entry_tag(half, level, shift),
		.out = table,
		.aux = table_ipa,
	};

	if (reg_get(walk->smmu->cr0) & SMMU_CR0_SMMUEN)
		tlb_insert(walk->smmu->caches[cache], &entry, walk->generation[cache]);
}

static void set_leaf(const struct smmuv3_half *half, const struct place *place,
		     uint64_t descriptor, uint64_t addr, struct smmuv3_result *result)
{
	result->out += addr & ((1ull << place->shift) - 1);
	result->entry_shift = place->shift;
	result->shift = place->shift;
	if (descriptor & LPAE_CONTIGUOUS)
		result->shift += lpae_contiguous(half->page_shift, place->level);
	result->level = place->level;
	result->tg = half->tg;
}

/* ---- Stage 2 ---- */

static bool s2_fails(struct smmuv3_walk *walk, uint8_t event, unsigned int class, uint64_t ipa)
{
	return smmuv3_walk_fails(walk, event, true, class, ipa);
}

static bool s2_denied(struct smmuv3_walk *walk, const struct smmuv3_result *result,
		      unsigned int access, unsigned int class, uint64_t ipa)
{
	if (!(access & ~result->perm & PERM_ALL) || (walk->lenient && class == EVENT_CLASS_IN))
		return false;
	s2_fails(walk, EVENT_F_PERMISSION, class, ipa);
	walk->fault.ttrnw = !(access & HW_WRITE);
	return true;
}

static bool s2_cached(struct smmuv3_walk *walk, uint64_t ipa, unsigned int access,
		      unsigned int class, struct smmuv3_result *result)
{
	struct tlb_entry entry;

	if (!walk->caches && class != EVENT_CLASS_IN)
		return false;
	if (!walk->caches && walk->context.s1.on)
		return false;
	if (!tlb_lookup(walk->smmu->caches[CACHE_S2], context_domain(&walk->context),
			TLB_ANY_SPACE, S1_LEAF_KIND, ipa, &entry))
		return false;
	if (access & HW_WRITE && entry.flags & ENTRY_S2_CLEAN)
		return false;
	*result = (struct smmuv3_result){
		.out = entry.out + (ipa - entry.addr), .shift = entry.shift,
		.entry_shift = smmu_get(TAG_SHIFT, entry.tag), .perm = entry.perm,
		.level = (int)smmu_get(TAG_LEVEL, entry.tag) - 1, .tg = entry.tag & TAG_TG,
		.clean = entry.flags & ENTRY_S2_CLEAN,
	};
	return true;
}

static void s2_cache(struct smmuv3_walk *walk, uint64_t ipa, unsigned int class,
		     const struct smmuv3_half *half, const struct smmuv3_result *result)
{
	struct tlb_entry entry = {
		.domain = context_domain(&walk->context),
		.space = TLB_ANY_SPACE,
		.shift = result->shift,
		.kind = S1_LEAF_KIND,
		.perm = result->perm,
		.flags = result->clean ? ENTRY_S2_CLEAN : 0,
		.tag = entry_tag(half, result->level, result->entry_shift),
		.out = result->out & ~((1ull << result->shift) - 1),
	};

	if (walk->caches || (class == EVENT_CLASS_IN && !walk->context.s1.on))
		smmuv3_cache(walk, CACHE_S2, &entry, ipa);
}

/*
 * The leaf: access flag, permissions, dirty state (3.13). Returns 1 if the descriptor has changed
 * under us and has to be read again.
 */
static int s2_leaf(struct smmuv3_walk *walk, uint64_t pa, uint64_t descriptor, uint64_t ipa,
		   unsigned int access, unsigned int class, struct smmuv3_result *result)
{
	const struct smmuv3_stage *stage = &walk->context.s2;
	uint64_t updated = descriptor, found;
	bool clean = stage->set_dirty && descriptor & LPAE_DBM && !(descriptor & LPAE_S2AP_W);

	if (!(descriptor & LPAE_AF)) {
		if (stage->set_access)
			updated |= LPAE_AF;
		else if (!stage->ignore_access)
			return -s2_fails(walk, EVENT_F_ACCESS, class, ipa);
	}
	result->perm = (descriptor & LPAE_S2AP_R ? HW_READ : 0) |
		       (descriptor & LPAE_S2AP_W || clean ? HW_WRITE : 0) |
		       (descriptor & SMMU_BIT(54) ? 0 : HW_EXEC);
	if (s2_denied(walk, result, access, class, ipa))
		return -1;
	/* S2PTW: tables do not lie in device memory (5.2 S2PTW). */
	if (walk->context.s2_protect_walk && class == EVENT_CLASS_TTD &&
	    !(descriptor & SMMU_BITS(5, 4))) {
		s2_fails(walk, EVENT_F_PERMISSION, class, ipa);
		walk->fault.ttrnw = !(access & HW_WRITE);
		return -1;
	}
	if (clean && access & HW_WRITE & result->perm && !walk->silent &&
	    !FAULT("smmuv3.s2-dirty-not-set", "stage 2 forgets to mark a page dirty")) {
		updated |= LPAE_S2AP_W;
		clean = false;
	}
	result->clean = clean;
	if (updated == descriptor)
		return 0;
	if (hw_cas64(walk->smmu->iommu.mem, pa, descriptor, updated, &found))
		return -s2_fails(walk, EVENT_F_WALK_EABT, class, pa);
	return found != descriptor;
}

int smmuv3_walk_s2(struct smmuv3_walk *walk, uint64_t ipa, unsigned int access,
		   unsigned int class, struct smmuv3_result *result)
{
	const struct smmuv3_half *half = &walk->context.s2_half;
	struct place place = { 0 };
	struct tlb_entry start;
	uint64_t descriptor, next, pa;
	int again;

	if (s2_cached(walk, ipa, access, class, result))
		return -s2_denied(walk, result, access, class, ipa);
	if (half->bits < 64 && ipa >> half->bits)
		return -s2_fails(walk, EVENT_F_TRANSLATION, class, ipa);
	if (find_table(walk, CACHE_S2_WALK, half, ipa, &start))
		place = place_at(half, start.kind, start.out);
	else
		place = place_at(half, half->level, half->table);
	for (;;) {
		pa = place.table + entry_offset(&place, ipa);
		if (!read_descriptor(walk, pa, &descriptor))
			return -s2_fails(walk, EVENT_F_WALK_EABT, class, pa);
		if (is_table(&place, descriptor)) {
			next = descriptor_addr(half, descriptor, half->page_shift);
			if (addr_too_big(half, next))
				return -s2_fails(walk, EVENT_F_ADDR_SIZE, class, ipa);
			if (walk->caches)
				cache_table(walk, CACHE_S2_WALK, half, place.level, ipa, next,
					    0, 0);
			place_descend(half, &place, next);
			continue;
		}
		if (is_invalid(half, &place, descriptor))
			return -s2_fails(walk, EVENT_F_TRANSLATION, class, ipa);
		result->out = descriptor_addr(half, descriptor, place.shift);
		if (addr_too_big(half, result->out))
			return -s2_fails(walk, EVENT_F_ADDR_SIZE, class, ipa);
		again = s2_leaf(walk, pa, descriptor, ipa, access, class, result);
		if (again <= 0)
			break;
	}
	if (again < 0)
		return -1;
	set_leaf(half, &place, descriptor, ipa, result);
	s2_cache(walk, ipa, class, half, result);
	return 0;
}

/* ---- Stage 1 ---- */

static bool s1_fails(struct smmuv3_walk *walk, uint8_t event)
{
	return smmuv3_walk_fails(walk, event, false, EVENT_CLASS_IN, 0);
}

/*
 * A stage-1 table can be larger than a stage-2 page: each part of it is somewhere else then, and
 * descriptors are translated one by one.
 */
static bool table_in_pieces(const struct smmuv3_walk *walk, const struct smmuv3_half *half)
{
	return walk->context.s2.on && half->page_shift > walk->context.s2_half.page_shift;
}

/* Where a stage-1 table or descriptor at @ipa really is */
static int table_pa(struct smmuv3_walk *walk, uint64_t ipa, unsigned int access, uint64_t *pa)
{
	struct smmuv3_result result;

	*pa = ipa;
	if (!walk->context.s2.on)
		return 0;
	if (smmuv3_walk_s2(walk, ipa, access, EVENT_CLASS_TTD, &result))
		return -1;
	*pa = result.out;
	return 0;
}

static uint8_t s1_perm(const struct smmuv3_walk *walk, uint64_t descriptor, uint8_t hier,
		       bool clean)
{
	bool el2 = context_domain(&walk->context) == DOMAIN_EL2;
	bool user = (descriptor & LPAE_AP_USER && !(hier & HIER_NO_USER)) || el2;
	bool write = (!(descriptor & LPAE_AP_RO) || clean) && !(hier & HIER_RO);
	bool uxn = descriptor & LPAE_UXN || hier & HIER_UXN;
	bool pxn = el2 ? uxn : descriptor & LPAE_PXN || hier & HIER_PXN || (user && write);
	uint8_t perm = HW_READ << PERM_PRIV;

	if (walk->context.wxn && write)
		pxn = uxn = true;
	if (write)
		perm |= HW_WRITE << PERM_PRIV;
	if (!pxn)
		perm |= HW_EXEC << PERM_PRIV;
	if (user)
		perm |= HW_READ | (write ? HW_WRITE : 0);
	if (!uxn)
		perm |= HW_EXEC;
	return perm;
}

static int s1_leaf(struct smmuv3_walk *walk, uint64_t ipa, uint64_t pa, uint64_t descriptor,
		   uint8_t hier, bool write, bool priv, struct smmuv3_result *result)
{
	const struct smmuv3_stage *stage = &walk->context.s1;
	uint64_t updated = descriptor, found;
	bool clean = stage->set_dirty && descriptor & LPAE_DBM && descriptor & LPAE_AP_RO &&
		     !(hier & HIER_RO);

	if (!(descriptor & LPAE_AF)) {
		if (stage->set_access)
			updated |= LPAE_AF;
		else if (!stage->ignore_access)
			return -s1_fails(walk, EVENT_F_ACCESS);
	}
	result->perm = s1_perm(walk, descriptor, hier, clean);
	if (clean && write && result->perm >> (priv ? PERM_PRIV : 0) & HW_WRITE && !walk->silent &&
	    !FAULT("smmuv3.s1-dirty-not-set", "stage 1 forgets to mark a page dirty")) {
		updated &= ~LPAE_AP_RO;
		clean = false;
	}
	result->clean = clean;
	result->global = !(descriptor & LPAE_NG);
	if (updated == descriptor)
		return 0;
	/* The update is a write through stage 2, that has to allow it (7.3.16 TTRnW). */
	if (table_pa(walk, ipa, HW_READ | HW_WRITE, &pa))
		return -1;
	if (hw_cas64(walk->smmu->iommu.mem, pa, descriptor, updated, &found))
		return -smmuv3_walk_fails(walk, EVENT_F_WALK_EABT, false, EVENT_CLASS_TTD, pa);
	return found != descriptor;
}

static uint8_t s1_hier(const struct smmuv3_half *half, uint64_t descriptor, uint8_t hier)
{
	if (half->no_hierarchy)
		return hier;
	if (descriptor & LPAE_APTABLE_RO)
		hier |= HIER_RO;
	if (descriptor & LPAE_APTABLE_NO_USER)
		hier |= HIER_NO_USER;
	if (descriptor & LPAE_PXNTABLE)
		hier |= HIER_PXN;
	if (descriptor & LPAE_UXNTABLE)
		hier |= HIER_UXN;
	return hier;
}

/*
 * The next table, as stage 1 names it: where it is in memory. If stage 2 has no place for it, the
 * descriptor that was wanted is what the fault reports (7.3.13).
 */
static int s1_table(struct smmuv3_walk *walk, const struct smmuv3_half *half,
		    const struct place *place, uint64_t addr, uint64_t ipa, uint64_t *table)
{
	if (table_in_pieces(walk, half))
		return 0;
	if (!table_pa(walk, ipa, HW_READ, table))
		return 0;
	walk->fault.ipa = ipa + entry_offset(place, addr);
	return -1;
}

/* Where the walk begins; @ipa: the table as stage 1 names it */
static int s1_begin(struct smmuv3_walk *walk, const struct smmuv3_half *half, uint64_t addr,
		    struct place *place, uint64_t *ipa, uint8_t *hier)
{
	struct tlb_entry start;

	if (find_table(walk, CACHE_S1_WALK, half, addr, &start)) {
		*place = place_at(half, start.kind, start.out);
		*ipa = start.aux;
		*hier = start.perm;
		return 0;
	}
	*place = place_at(half, half->level, 0);
	*ipa = half->table;
	*hier = 0;
	return s1_table(walk, half, place, addr, *ipa, &place->table);
}

int smmuv3_walk_s1(struct smmuv3_walk *walk, uint64_t addr, bool write, bool priv,
		   struct smmuv3_result *result)
{
	const struct smmuv3_half *half = &walk->context.s1_half[addr >> 55 & 1];
	uint64_t top = addr >> 55 & 1 ? ~0ull : 0, table_ipa, ipa, pa, descriptor, next;
	struct place place;
	uint8_t hier;
	int again;

	if (half->disabled || (addr ^ top) >> half->bits)
		return -s1_fails(walk, EVENT_F_TRANSLATION);
	if (s1_begin(walk, half, addr, &place, &table_ipa, &hier))
		return -1;
	for (;;) {
		ipa = table_ipa + entry_offset(&place, addr);
		pa = place.table + (ipa - table_ipa);
		if (table_in_pieces(walk, half) && table_pa(walk, ipa, HW_READ, &pa))
			return -1;
		if (!read_descriptor(walk, pa, &descriptor))
			return -smmuv3_walk_fails(walk, EVENT_F_WALK_EABT, false,
						  EVENT_CLASS_TTD, pa);
		if (is_table(&place, descriptor)) {
			table_ipa = descriptor_addr(half, descriptor, half->page_shift);
			if (addr_too_big(half, table_ipa))
				return -s1_fails(walk, EVENT_F_ADDR_SIZE);
			hier = s1_hier(half, descriptor, hier);
			next = 0;
			place_descend(half, &place, 0);
			if (s1_table(walk, half, &place, addr, table_ipa, &next))
				return -1;
			place.table = next;
			if (walk->caches)
				cache_table(walk, CACHE_S1_WALK, half, place.level - 1, addr, next,
					    table_ipa, hier);
			continue;
		}
		if (is_invalid(half, &place, descriptor))
			return -s1_fails(walk, EVENT_F_TRANSLATION);
		result->out = descriptor_addr(half, descriptor, place.shift);
		if (addr_too_big(half, result->out))
			return -s1_fails(walk, EVENT_F_ADDR_SIZE);
		again = s1_leaf(walk, ipa, pa, descriptor, hier, write, priv, result);
		if (again <= 0)
			break;
	}
	if (again < 0)
		return -1;
	set_leaf(half, &place, descriptor, addr, result);
	return 0;
}
