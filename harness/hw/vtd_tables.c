// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a request to its address space: root, context, PASID directory and PASID table (9.1 to
 * 9.6), the context cache and the PASID cache (6.2.1, 6.2.2).
 *
 * Both caches are one, by RID and PASID; a third, of what they add up to, makes hits cheap and
 * forgets everything when either changes.
 */
#include "vtd_internal.h"

/* A walk through the tables for one request. @fpd: any FPD flag met on the way */
struct lookup {
	struct vtd *vtd;
	const struct hw_request *request;
	uint64_t generation;
	unsigned int reads;
	bool fpd;
};

static bool read_word(struct lookup *lookup, uint64_t pa, uint64_t *word)
{
	lookup->reads++;
	return !hw_read64(lookup->vtd->iommu.mem, pa, word);
}

/* ---- The cache ---- */

static bool cached(struct lookup *lookup, uint32_t space, uint8_t kind, struct tlb_entry *entry)
{
	struct vtd *vtd = lookup->vtd;
	uint16_t rid = lookup->request->rid;

	if (freedom_take(&vtd->iommu.freedom, vtd->iommu.freedom.evict))
		return false;
	return tlb_lookup(vtd->configs, rid, space, kind, (uint64_t)rid << 12, entry);
}

/*
 * @reason: 0, or why the entry is no good; such are cached with CM=1 only, tagged with DID 0 (6.1).
 */
static void cache(struct lookup *lookup, uint32_t space, uint8_t kind, uint16_t did,
		  enum vtd_fault reason, const uint64_t words[2])
{
	struct vtd *vtd = lookup->vtd;
	uint16_t rid = lookup->request->rid;
	struct tlb_entry entry = {
		.domain = rid, .space = space, .kind = kind, .addr = (uint64_t)rid << 12,
		.shift = 12, .tag = reason ? 0 : did, .flags = reason, .out = words[0],
		.aux = words[1],
	};

	if (!reason || vtd->config.caching_mode ||
	    FAULT("vtd.caches-not-present", "Entries that are not present are cached with CM=0"))
		tlb_insert(vtd->configs, &entry, lookup->generation);
}

/* ---- Legacy mode ---- */

static enum vtd_fault read_legacy_context(struct lookup *lookup, uint64_t words[2])
{
	struct vtd *vtd = lookup->vtd;
	uint16_t rid = lookup->request->rid;
	uint64_t root = atomic_load(&vtd->root) & VTD_ADDR_4K, entry, table;

	if (!read_word(lookup, root + (rid >> 8) * 16, &entry))
		return VTD_FAULT_LRT_1_ACCESS;
	if (!(entry & VTD_ROOT_P))
		return VTD_FAULT_LRT_2_NOT_PRESENT;
	if (entry & (VTD_BITS(11, 1) | vtd->beyond_host))
		return VTD_FAULT_LRT_3_RESERVED;
	table = (entry & VTD_ROOT_CTP) + (rid & 0xff) * 16;
	if (!read_word(lookup, table, &words[0]) || !read_word(lookup, table + 8, &words[1]))
		return VTD_FAULT_LCT_1_ACCESS;
	lookup->fpd |= words[0] & VTD_CONTEXT_FPD;
	if (!(words[0] & VTD_CONTEXT_P))
		return VTD_FAULT_LCT_2_NOT_PRESENT;
	if (words[0] & (VTD_BITS(11, 4) | vtd->beyond_host) ||
	    words[1] & (VTD_BIT(7) | VTD_BITS(63, 24)))
		return VTD_FAULT_LCT_3_RESERVED;
	return 0;
}

/* Levels of a second stage by its AW field; 0 if this width is not offered. */
static uint8_t second_levels(const struct vtd *vtd, unsigned int aw)
{
	uint8_t levels = aw + 2;

	return levels >= 3 && levels <= (vtd->config.five_level ? 5 : 4) ? levels : 0;
}

static enum vtd_fault legacy_space(struct lookup *lookup, const uint64_t words[2],
				   struct vtd_space *space)
{
	struct vtd *vtd = lookup->vtd;
	unsigned int tt = VTD_GET(VTD_CONTEXT_TT, words[0]);

	space->legacy = true;
	space->did = VTD_GET(VTD_CONTEXT_DID, words[1]);
	space->ats = tt == VTD_TT_ALL;
	space->pgtt = tt == VTD_TT_PASS_THROUGH ? VTD_PGTT_PASS_THROUGH : VTD_PGTT_SECOND_STAGE;
	space->second_root = words[0] & VTD_CONTEXT_SSPTPTR;
	space->second_levels = second_levels(vtd, VTD_GET(VTD_CONTEXT_AW, words[1]));
	if (!space->second_levels || tt > VTD_TT_PASS_THROUGH ||
	    (tt == VTD_TT_ALL && !vtd->config.ats) ||
	    (tt == VTD_TT_PASS_THROUGH && !vtd->config.pass_through) ||
	    space->did >> vtd->config.domain_bits)
		return VTD_FAULT_LCT_4_INVALID;
	return 0;
}

static enum vtd_fault find_legacy(struct lookup *lookup, struct vtd_space *space)
{
	struct tlb_entry entry;
	enum vtd_fault reason;
	uint64_t words[2] = { 0, 0 };

	if (lookup->request->has_pasid)
		return VTD_FAULT_RTA_2_PASID;
	if (cached(lookup, 0, VTD_CONTEXT_LEGACY, &entry)) {
		words[0] = entry.out;
		words[1] = entry.aux;
		lookup->fpd |= words[0] & VTD_CONTEXT_FPD;
		return entry.flags ?: legacy_space(lookup, words, space);
	}
	reason = read_legacy_context(lookup, words);
	if (!reason)
		reason = legacy_space(lookup, words, space);
	cache(lookup, 0, VTD_CONTEXT_LEGACY, space->did, reason, words);
	return reason;
}

/* ---- Scalable mode ---- */

static enum vtd_fault read_scalable_context(struct lookup *lookup, uint64_t words[2])
{
	struct vtd *vtd = lookup->vtd;
	uint16_t rid = lookup->request->rid;
	uint64_t root = atomic_load(&vtd->root) & VTD_ADDR_4K, entry, table;

	if (!read_word(lookup, root + (rid >> 8) * 16 + (rid & 0x80 ? 8 : 0), &entry))
		return VTD_FAULT_SRT_1_ACCESS;
	if (!(entry & VTD_ROOT_P))
		return VTD_FAULT_SRT_2_NOT_PRESENT;
	if (entry & (VTD_BITS(11, 1) | vtd->beyond_host))
		return VTD_FAULT_SRT_3_RESERVED;
	table = (entry & VTD_ROOT_CTP) + (rid & 0x7f) * 32;
	if (!read_word(lookup, table, &words[0]) || !read_word(lookup, table + 8, &words[1]))
		return VTD_FAULT_SCT_1_ACCESS;
	lookup->fpd |= words[0] & VTD_SM_CONTEXT_FPD;
	if (!(words[0] & VTD_SM_CONTEXT_P))
		return VTD_FAULT_SCT_2_NOT_PRESENT;
	if (words[0] & (VTD_BITS(8, 5) | vtd->beyond_host) || words[1] & VTD_BITS(63, 21))
		return VTD_FAULT_SCT_3_RESERVED;
	if ((words[0] & VTD_SM_CONTEXT_DTE && !vtd->config.ats) ||
	    (words[0] & VTD_SM_CONTEXT_PRE && !vtd->config.prs))
		return VTD_FAULT_SCT_4_INVALID;
	return 0;
}

static enum vtd_fault scalable_context(struct lookup *lookup, uint64_t words[2])
{
	enum vtd_fault reason;
	struct tlb_entry entry;

	if (cached(lookup, 0, VTD_CONTEXT_SCALABLE, &entry)) {
		words[0] = entry.out;
		words[1] = entry.aux;
		lookup->fpd |= words[0] & VTD_SM_CONTEXT_FPD;
		return entry.flags;
	}
	reason = read_scalable_context(lookup, words);
	cache(lookup, 0, VTD_CONTEXT_SCALABLE, 0, reason, words);
	return reason;
}

/* @pasid: of the request, or the RID_PASID of the context. */
static enum vtd_fault pasid_of(struct lookup *lookup, const uint64_t context[2], uint32_t *pasid)
{
	const struct vtd_config *config = &lookup->vtd->config;
	unsigned int bits = VTD_GET(VTD_SM_CONTEXT_PDTS, context[0]) + 13;

	if (!lookup->request->has_pasid) {
		*pasid = config->rps ? VTD_GET(VTD_SM_CONTEXT_RID_PASID, context[1]) : 0;
		return *pasid >> bits ? VTD_FAULT_SCT_9_RID_PASID : 0;
	}
	*pasid = lookup->request->pasid;
	if (!(context[0] & VTD_SM_CONTEXT_PASIDE))
		return VTD_FAULT_SCT_6_PASIDE;
	return *pasid >> bits || *pasid >> config->pasid_bits ? VTD_FAULT_SCT_7_PASID_SIZE : 0;
}

/* What is kept of a PASID entry: words 0 and 2 as they are, and the DID of word 1. */
static enum vtd_fault read_pasid_entry(struct lookup *lookup, uint64_t directory, uint32_t pasid,
				       uint64_t words[2], uint16_t *did)
{
	uint64_t entry, table, word1;

	if (!read_word(lookup, directory + (pasid >> 6) * 8, &entry))
		return VTD_FAULT_SPD_1_ACCESS;
	lookup->fpd |= entry & VTD_PASIDDIR_FPD;
	if (!(entry & VTD_PASIDDIR_P))
		return VTD_FAULT_SPD_2_NOT_PRESENT;
	if (entry & (VTD_BITS(11, 2) | lookup->vtd->beyond_host))
		return VTD_FAULT_SPD_3_RESERVED;
	table = (entry & VTD_PASIDDIR_SMPTBLPTR) + (pasid & 63) * 64;
	if (!read_word(lookup, table, &words[0]) || !read_word(lookup, table + 8, &word1) ||
	    !read_word(lookup, table + 16, &words[1]))
		return VTD_FAULT_SPT_1_ACCESS;
	if (entry & VTD_PASIDDIR_FPD)
		words[0] |= VTD_PASID_FPD;	/* cached with the entry */
	lookup->fpd |= words[0] & VTD_PASID_FPD;
	*did = VTD_GET(VTD_PASID_DID, word1);
	if (!(words[0] & VTD_PASID_P))
		return VTD_FAULT_SPT_2_NOT_PRESENT;
	if (words[0] & (VTD_BITS(11, 10) | lookup->vtd->beyond_host) ||
	    words[1] & (VTD_BITS(11, 8) | lookup->vtd->beyond_host))
		return VTD_FAULT_SPT_3_RESERVED;
	return 0;
}

/* Does the hardware have what a PASID entry asks for? (9.6, fault SPT.4) */
static bool pasid_entry_valid(const struct vtd_config *config, const struct vtd_space *space)
{
	bool first = space->pgtt == VTD_PGTT_FIRST_STAGE || space->pgtt == VTD_PGTT_NESTED;
	bool second = space->pgtt == VTD_PGTT_SECOND_STAGE || space->pgtt == VTD_PGTT_NESTED;

	if (!first && !second && !(space->pgtt == VTD_PGTT_PASS_THROUGH && config->pass_through))
		return false;
	if (first && (!config->first_stage || !space->first_levels ||
		      (space->sre && !config->srs) || (space->eafe && !config->eafs)))
		return false;
	if (second && (!config->second_stage || !space->second_levels ||
		       (space->ssade && !config->ssads)))
		return false;
	if (first && second && !config->nested)
		return false;
	return !(space->did >> config->domain_bits);
}

static enum vtd_fault scalable_space(struct lookup *lookup, const uint64_t words[2],
				     struct vtd_space *space)
{
	const struct vtd_config *config = &lookup->vtd->config;
	unsigned int levels = VTD_GET(VTD_PASID_FSPM, words[1]) + 4;

	space->pgtt = VTD_GET(VTD_PASID_PGTT, words[0]);
	space->second_root = words[0] & VTD_PASID_SSPTPTR;
	space->second_levels = second_levels(lookup->vtd, VTD_GET(VTD_PASID_AW, words[0]));
	space->first_root = words[1] & VTD_PASID_FSPTPTR;
	space->first_levels = levels <= (config->five_level ? 5u : 4u) ? levels : 0;
	space->ssade = !!(words[0] & VTD_PASID_SSADE);
	space->sre = !!(words[1] & VTD_PASID_SRE);
	space->ere = !!(words[1] & VTD_PASID_ERE);
	space->wpe = !!(words[1] & VTD_PASID_WPE);
	space->nxe = !!(words[1] & VTD_PASID_NXE);
	space->eafe = !!(words[1] & VTD_PASID_EAFE);
	return pasid_entry_valid(config, space) ? 0 : VTD_FAULT_SPT_4_INVALID;
}

static enum vtd_fault find_scalable(struct lookup *lookup, struct vtd_space *space)
{
	uint64_t context[2] = { 0, 0 }, words[2] = { 0, 0 };
	struct tlb_entry entry;
	enum vtd_fault reason;
	uint16_t did = 0;
	uint32_t pasid;

	reason = scalable_context(lookup, context);
	if (reason)
		return reason;
	space->ats = !!(context[0] & VTD_SM_CONTEXT_DTE);
	if (lookup->request->type == HW_TRANSLATED)	/* 4.2.4: needs no address space */
		return 0;
	reason = pasid_of(lookup, context, &pasid);
	if (reason)
		return reason;
	space->pasid = pasid;
	space->pre = !!(context[0] & VTD_SM_CONTEXT_PRE);
	space->priv = context[1] & VTD_SM_CONTEXT_RID_PRIV && lookup->vtd->config.rps;
	if (cached(lookup, pasid, VTD_PASID_ENTRY, &entry)) {
		words[0] = entry.out;
		words[1] = entry.aux;
		space->did = entry.tag;
		lookup->fpd |= words[0] & VTD_PASID_FPD;
		return entry.flags ?: scalable_space(lookup, words, space);
	}
	reason = read_pasid_entry(lookup, context[0] & VTD_SM_CONTEXT_PASIDDIRPTR, pasid, words,
				  &did);
	space->did = did;
	if (!reason)
		reason = scalable_space(lookup, words, space);
	cache(lookup, pasid, VTD_PASID_ENTRY, did, reason, words);
	return reason;
}

/* ---- Both ---- */

static enum vtd_fault space_read(struct vtd *vtd, const struct hw_request *request,
				 struct vtd_space *space)
{
	struct lookup lookup = { vtd, request, .generation = tlb_generation(vtd->configs) };
	enum vtd_fault reason;

	memset(space, 0, sizeof(*space));
	switch (vtd_ttm(vtd)) {
	case VTD_TTM_LEGACY:
		reason = find_legacy(&lookup, space);
		break;
	case VTD_TTM_SCALABLE:
		reason = vtd->config.scalable ? find_scalable(&lookup, space) :
						VTD_FAULT_RTA_1_TTM;
		break;
	default:
		reason = VTD_FAULT_RTA_1_TTM;
	}
	space->fpd = lookup.fpd;
	hw_count(vtd->iommu.counts.table_reads, lookup.reads);
	return reason;
}

static void remember(struct vtd_resolved *slot, uint64_t key, uint64_t now,
		     const struct vtd_space *space)
{
	uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);

	if (sequence & 1 ||
	    !atomic_compare_exchange_strong(&slot->sequence, &sequence, sequence + 1))
		return;
	atomic_store_explicit(&slot->key, key, memory_order_release);
	atomic_store_explicit(&slot->stamp, now, memory_order_release);
	for (int i = 0; i < 4; i++)
		atomic_store_explicit(&slot->words[i], space->words[i], memory_order_release);
	atomic_store_explicit(&slot->sequence, sequence + 2, memory_order_release);
}

enum vtd_fault vtd_space_slow(struct vtd *vtd, const struct hw_request *request, uint64_t key,
			      struct vtd_space *space)
{
	uint64_t now = atomic_load(&vtd->epoch);
	enum vtd_fault reason = space_read(vtd, request, space);

	if (!reason)
		remember(vtd_space_slot(vtd, key), key, now, space);
	return reason;
}
