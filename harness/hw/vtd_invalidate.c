// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an invalidation removes: tables 23 (IOTLB), 24 (PASID-based IOTLB) and 27 (page request) of
 * 6.5.2 and 6.5.4, and 6.5.2.1, 6.5.2.2 for context and PASID cache. Exactly that; with the
 * freedom "over" also more, which is counted apart.
 *
 * Walkers read the paging-structure caches and fill the IOTLB, so those are cleaned first: what is
 * filled from a stale entry is refused by the IOTLB's generation, which changes after.
 */
#include "vtd_internal.h"

/* The range of 2^@am pages at @addr. */
struct range {
	uint64_t first;
	uint64_t last;
	unsigned int order;	/* log2 of bytes */
};

static struct range range_of(uint64_t addr, unsigned int am)
{
	unsigned int order = 12 + am;
	uint64_t below = order < 64 ? (1ull << order) - 1 : ~0ull;

	if (order >= 64 && FAULT("vtd.range-overflow", "2^64 bytes overflow: only a page goes"))
		below = 0xfff;
	return (struct range){ addr & ~below, addr | below, order };
}

/* Page requests come from any thread, commands from under the lock: one addition for all of one. */
static void drop(struct vtd *vtd, struct tlb *tlb, const struct tlb_match *match)
{
	size_t removed = tlb_remove(tlb, match);

	if (removed)
		hw_count(vtd->iommu.counts.removed, removed);
}

/* The derived cache of configuration goes after what it is derived from. */
static void drop_config(struct vtd *vtd, const struct tlb_match *match)
{
	drop(vtd, vtd->configs, match);
	atomic_fetch_add(&vtd->epoch, 1);
}

/* ---- Filters ---- */

/* A larger page needs a larger mask: AM >= 9 for 2 MiB, >= 18 for 1 GiB (11.4.6.2). */
static bool larger(const struct tlb_entry *entry, const void *arg)
{
	const struct range *range = arg;

	if (entry->shift > 12 &&
	    FAULT("vtd.superpage-missed", "Invalidation of pages looks at 4 KiB entries only"))
		return true;
	if (entry->flags & VTD_LEAF_ABSENT &&
	    FAULT("vtd.cm-page-keeps-absent", "Invalidation of a page leaves its absence cached"))
		return true;
	return entry->shift > range->order;
}

static bool other_tag(const struct tlb_entry *entry, const void *arg)
{
	return entry->tag != *(const uint32_t *)arg;
}

/* ---- IOTLB: table 23 ---- */

static void iotlb_all(struct vtd *vtd)
{
	struct tlb_match all = { 0 };

	drop(vtd, vtd->paging, &all);
	if (FAULT("vtd.iotlb-global-spares-first", "Global spares first-stage entries"))
		all.kinds = 1u << VTD_LEAF_SECOND;
	drop(vtd, vtd->iotlb, &all);
}

static void iotlb_domain(struct vtd *vtd, uint16_t did)
{
	struct tlb_match domain = { .by = TLB_BY_DOMAIN, .domain = did };

	if (FAULT("vtd.iotlb-did-8-bits", "IOTLB invalidation compares 8 bits of the DID"))
		domain.domain &= 0xff;
	if (FAULT("vtd.iotlb-domain-keeps-tables",
		  "Domain-selective invalidation leaves the first-stage paging-structure caches"))
		domain.kinds = VTD_SECOND_TABLES;
	drop(vtd, vtd->paging, &domain);
	domain.kinds = 0;
	if (FAULT("vtd.iotlb-domain-leaves-nested",
		  "Domain-selective invalidation leaves nested entries"))
		domain.kinds = 1u << VTD_LEAF_SECOND;
	if (FAULT("vtd.iotlb-domain-spares-second", "Domains spare second-stage entries"))
		domain.kinds = 1u << VTD_LEAF_FIRST;
	drop(vtd, vtd->iotlb, &domain);
}

static void iotlb_page(struct vtd *vtd, uint16_t did, struct range range, bool leaf_only)
{
	struct tlb_match match = { .by = TLB_BY_DOMAIN, .domain = did,
				   .kinds = VTD_FIRST_TABLES };
	struct tlb_match page = { .by = TLB_BY_DOMAIN | TLB_BY_ADDR, .domain = did,
				  .first = range.first, .last = range.last,
				  .kinds = VTD_SECOND_TABLES };

	drop(vtd, vtd->paging, &match);
	if (!leaf_only &&
	    !FAULT("vtd.iotlb-ih-ignored", "IH=0 leaves second-stage paging-structure entries"))
		drop(vtd, vtd->paging, &page);
	match.kinds = 1u << VTD_LEAF_FIRST;
	if (!FAULT("vtd.iotlb-page-leaves-nested", "A second-stage page leaves nested entries"))
		drop(vtd, vtd->iotlb, &match);
	page.kinds = 1u << VTD_LEAF_SECOND;
	page.keep = larger;
	page.arg = &range;
	if (FAULT("vtd.iotlb-page-misses-last", "The last page of a range is not invalidated") &&
	    range.order > 12)
		page.last -= 4096;
	drop(vtd, vtd->iotlb, &page);
}

static void iotlb(struct vtd *vtd, uint64_t d0, uint64_t d1)
{
	unsigned int granularity = VTD_GET(VTD_INV_G, d0), am = VTD_GET(VTD_INV_AM, d1);
	uint16_t did = VTD_GET(VTD_INV_DID, d0);

	vtd_trace(vtd, granularity == VTD_GLOBAL ? "iotlb global" : granularity == VTD_DOMAIN ?
		  "iotlb domain did %llu" : "iotlb page did %llu addr %#llx am %llu ih %llu", did,
		  d1 & VTD_INV_ADDR, am, !!(d1 & VTD_INV_IH));
	if (granularity == VTD_PAGE && !vtd->config.psi)
		granularity = VTD_DOMAIN;
	if (am && FAULT("vtd.iotlb-am-off-by-one", "AM of an IOTLB descriptor counts one too few"))
		am--;
	if (granularity == VTD_GLOBAL &&
	    FAULT("vtd.iotlb-global-by-domain", "Global invalidation compares the DID")) {
		iotlb_domain(vtd, did);
		return;
	}
	if (granularity == VTD_PAGE &&
	    FAULT("vtd.iotlb-page-did-lost", "Page-selective invalidation takes the DID for 0"))
		did = 0;
	if (granularity == VTD_GLOBAL)
		iotlb_all(vtd);
	else if (granularity == VTD_DOMAIN)
		iotlb_domain(vtd, did);
	else
		iotlb_page(vtd, did, range_of(d1 & VTD_INV_ADDR, am), d1 & VTD_INV_IH);
}

/* ---- PASID-based IOTLB: table 24 ---- */

static void piotlb_pasid(struct vtd *vtd, uint16_t did, uint32_t pasid)
{
	struct tlb_match match = { .by = TLB_BY_DOMAIN | TLB_BY_SPACE, .domain = did,
				   .space = pasid, .kinds = VTD_FIRST_TABLES };
	struct tlb_match second = { .by = TLB_BY_DOMAIN, .domain = did,
				    .kinds = 1u << VTD_LEAF_SECOND, .keep = other_tag,
				    .arg = &pasid };

	if (!FAULT("vtd.piotlb-pasid-keeps-tables",
		   "Invalidation of a PASID leaves its paging-structure entries"))
		drop(vtd, vtd->paging, &match);
	match.kinds = 1u << VTD_LEAF_FIRST;
	drop(vtd, vtd->iotlb, &match);
	if (!FAULT("vtd.piotlb-pasid-first-only",
		   "Invalidation of a PASID leaves its pass-through and second-stage entries"))
		drop(vtd, vtd->iotlb, &second);
}

static void piotlb_page(struct vtd *vtd, uint16_t did, uint32_t pasid, struct range range,
			bool leaf_only)
{
	struct tlb_match match = { .by = TLB_BY_DOMAIN | TLB_BY_SPACE | TLB_BY_ADDR,
				   .domain = did, .space = pasid, .first = range.first,
				   .last = range.last, .kinds = VTD_FIRST_TABLES };

	if (!leaf_only &&
	    !FAULT("vtd.piotlb-ih-ignored", "IH=0 leaves first-stage paging-structure entries"))
		drop(vtd, vtd->paging, &match);
	match.kinds = 1u << VTD_LEAF_FIRST;
	match.keep = larger;
	match.arg = &range;
	if (FAULT("vtd.piotlb-page-misses-last", "The last page of a range is not invalidated") &&
	    range.order > 12)
		match.last -= 4096;
	drop(vtd, vtd->iotlb, &match);
}

static void piotlb(struct vtd *vtd, uint64_t d0, uint64_t d1)
{
	unsigned int granularity = VTD_GET(VTD_INV_G, d0), am = VTD_GET(VTD_INV_AM, d1);
	uint16_t did = VTD_GET(VTD_INV_DID, d0);
	uint32_t pasid = VTD_GET(VTD_INV_PASID, d0);

	vtd_trace(vtd, granularity == VTD_PASID ? "piotlb pasid did %llu pasid %llu" :
		  "piotlb page did %llu pasid %llu addr %#llx am %llu ih %llu", did, pasid,
		  d1 & VTD_INV_ADDR, am, !!(d1 & VTD_INV_IH));
	if (FAULT("vtd.piotlb-ignores-pasid", "The PASID of the descriptor is taken for 0"))
		pasid = 0;
	if (FAULT("vtd.piotlb-pasid-16-bits", "PASIDs are compared with 16 bits of the descriptor"))
		pasid &= 0xffff;
	if (FAULT("vtd.piotlb-did-of-iotlb", "PASID-based invalidation takes the DID for 0"))
		did = 0;
	if (am && FAULT("vtd.piotlb-am-off-by-one", "AM of a PIOTLB descriptor counts one too few"))
		am--;
	if (granularity == VTD_PASID)
		piotlb_pasid(vtd, did, pasid);
	else
		piotlb_page(vtd, did, pasid, range_of(d1 & VTD_INV_ADDR, am), d1 & VTD_INV_IH);
}

/* ---- PASID cache: 6.5.2.2 ---- */

/* Entries that are not present have no DID: any one finds them (6.1). */
static bool other_pasid_entry(const struct tlb_entry *entry, const void *arg)
{
	if (entry->flags && FAULT("vtd.cm-pasid-keeps-absent",
				  "PASID-cache invalidation leaves absent entries"))
		return true;
	return !entry->flags && entry->tag != *(const uint32_t *)arg;
}

static void pasid_cache(struct vtd *vtd, uint64_t d0)
{
	unsigned int granularity = VTD_GET(VTD_INV_G, d0);
	uint32_t did = VTD_GET(VTD_INV_DID, d0), pasid = VTD_GET(VTD_INV_PASID, d0);
	struct tlb_match match = { .kinds = 1u << VTD_PASID_ENTRY, .keep = other_pasid_entry,
				   .arg = &did };

	vtd_trace(vtd, granularity == VTD_PC_GLOBAL ? "pasid-cache global" :
		  granularity == VTD_PC_DOMAIN ? "pasid-cache domain did %llu" :
		  "pasid-cache pasid did %llu pasid %llu", did, pasid);
	if (FAULT("vtd.pasid-cache-wrong-did", "PASID-cache invalidation takes another DID"))
		did ^= 1;
	if (granularity == VTD_PC_GLOBAL)
		match.keep = NULL;
	if (granularity == VTD_PC_GLOBAL &&
	    FAULT("vtd.pasid-cache-global-ignored", "Global PASID-cache invalidation does nothing"))
		return;
	if (granularity == VTD_PC_PASID) {
		match.by = TLB_BY_SPACE;
		match.space = pasid;
		if (FAULT("vtd.pasid-cache-pasid-6-bits", "Only the table index of a PASID counts"))
			match.space &= 63;
	}
	drop_config(vtd, &match);
}

/* ---- Context cache: 6.5.2.1 ---- */

struct devices {
	uint16_t did;
	uint16_t sid;
	uint16_t mask;
};

/* In scalable mode contexts have no DID, and are found by their source-id alone. */
static bool other_context(const struct tlb_entry *entry, const void *arg)
{
	const struct devices *devices = arg;

	if (entry->flags && FAULT("vtd.cm-context-keeps-absent",
				  "Context-cache invalidation leaves absent entries"))
		return true;
	if ((entry->domain ^ devices->sid) & ~devices->mask & 0xffff)
		return true;
	return entry->kind == VTD_CONTEXT_LEGACY && entry->tag != devices->did;
}

static void context(struct vtd *vtd, uint64_t d0)
{
	static const uint16_t masks[] = { 0, 4, 6, 7 };	/* function bits that FM leaves out */
	unsigned int granularity = VTD_GET(VTD_INV_G, d0);
	struct devices devices = {
		.did = VTD_GET(VTD_INV_DID, d0),
		.sid = VTD_GET(VTD_INV_CONTEXT_SID, d0),
		.mask = masks[VTD_GET(VTD_INV_CONTEXT_FM, d0)],
	};
	struct tlb_match match = {
		.kinds = 1u << VTD_CONTEXT_LEGACY | 1u << VTD_CONTEXT_SCALABLE,
		.keep = other_context, .arg = &devices,
	};

	vtd_trace(vtd, granularity == VTD_GLOBAL ? "context-cache global" :
		  granularity == VTD_DOMAIN ? "context-cache domain did %llu" :
		  "context-cache device did %llu sid %#llx fm mask %llu", devices.did, devices.sid,
		  devices.mask);
	if (granularity == VTD_DEVICE &&
	    FAULT("vtd.context-fm-ignored", "FM is taken for 0: one function only"))
		devices.mask = 0;
	if (granularity == VTD_DEVICE &&
	    FAULT("vtd.context-devfn-only", "The source-id's bus is taken for 0"))
		devices.sid &= 0xff;
	if (granularity == VTD_DEVICE &&
	    FAULT("vtd.context-device-ignored", "Device-selective context command does nothing"))
		return;
	if (granularity == VTD_GLOBAL &&
	    FAULT("vtd.context-global-ignored", "Global context command does nothing"))
		return;
	if (granularity == VTD_DOMAIN)
		devices.mask = 0xffff;
	if (granularity == VTD_DOMAIN &&
	    FAULT("vtd.context-domain-ignored", "Domain-selective context command does nothing"))
		return;
	if (granularity == VTD_GLOBAL)
		match.keep = NULL;
	drop_config(vtd, &match);
}

/* ---- All ---- */

void vtd_invalidate_everything(struct vtd *vtd)
{
	struct tlb_match all = { 0 };

	tlb_remove(vtd->configs, &all);
	atomic_fetch_add(&vtd->epoch, 1);
	tlb_remove(vtd->paging, &all);
	tlb_remove(vtd->iotlb, &all);
}

/* More than was asked for: everything of the same cache. */
static void excess(struct vtd *vtd, unsigned int type)
{
	struct tlb_match all = { 0 };
	size_t removed = 0;

	if (!freedom_take(&vtd->iommu.freedom, vtd->iommu.freedom.over))
		return;
	if (type == VTD_INV_CONTEXT || type == VTD_INV_PASID_CACHE) {
		removed = tlb_remove(vtd->configs, &all);
		atomic_fetch_add(&vtd->epoch, 1);
	} else if (type == VTD_INV_IOTLB || type == VTD_INV_PIOTLB) {
		removed = tlb_remove(vtd->paging, &all);
		removed += tlb_remove(vtd->iotlb, &all);
	}
	hw_count(vtd->iommu.counts.over_removed, removed);
}

void vtd_invalidate(struct vtd *vtd, uint64_t d0, uint64_t d1)
{
	struct tlb_match all = { 0 };

	if (vtd->iommu.freedom.over && VTD_INV_TYPE(d0) == VTD_INV_IOTLB &&
	    FAULT("vtd.coarse-leaves-tables", "At a coarser granularity only leaves are removed")) {
		tlb_remove(vtd->iotlb, &all);
		return;
	}
	switch (VTD_INV_TYPE(d0)) {
	case VTD_INV_CONTEXT:
		context(vtd, d0);
		break;
	case VTD_INV_PASID_CACHE:
		pasid_cache(vtd, d0);
		break;
	case VTD_INV_IOTLB:
		iotlb(vtd, d0, d1);
		break;
	case VTD_INV_PIOTLB:
		piotlb(vtd, d0, d1);
		break;
	case VTD_INV_IEC:
		vtd_trace(vtd, "iec");
		break;
	}
	excess(vtd, VTD_INV_TYPE(d0));
}

void vtd_invalidate_page(struct vtd *vtd, const struct vtd_space *space, uint64_t addr)
{
	bool first = space->pgtt == VTD_PGTT_FIRST_STAGE || space->pgtt == VTD_PGTT_NESTED;
	struct tlb_match match = {
		.by = TLB_BY_DOMAIN | TLB_BY_SPACE | TLB_BY_ADDR, .domain = space->did,
		.space = space->pasid, .first = addr & VTD_ADDR_4K, .last = addr | 0xfff,
		.kinds = VTD_FIRST_TABLES,
	};

	if (FAULT("vtd.page-request-keeps-page", "Page requests do not invalidate their page"))
		return;
	drop(vtd, vtd->paging, &match);
	if (!first) {
		match.kinds = 1u << VTD_LEAF_SECOND;
		match.space = 0;
	} else {
		match.kinds = 1u << VTD_LEAF_FIRST;
	}
	drop(vtd, vtd->iotlb, &match);
}
