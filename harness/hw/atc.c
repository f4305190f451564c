// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "core/fault.h"

#include "atc.h"

#define DEFAULT_ENTRIES 64
#define PAGE_SHIFT 12
#define PAGE_MASK ((1ULL << PAGE_SHIFT) - 1)

/* Requests without PASID are a name space of their own, which no global entry serves. */
enum { WITHOUT_PASID, WITH_PASID };

int atc_init(struct atc *atc, size_t entries, bool global, uint64_t seed, struct freedom *freedom)
{
	atc->tlb = tlb_create(entries ? entries : DEFAULT_ENTRIES, seed);
	atc->global = global;
	atc->freedom = freedom;
	return atc->tlb ? 0 : -ENOMEM;
}

void atc_fini(struct atc *atc)
{
	tlb_destroy(atc->tlb);
	atc->tlb = NULL;
}

static uint32_t domain_of(bool has_pasid)
{
	return has_pasid ? WITH_PASID : WITHOUT_PASID;
}

static uint32_t space_of(bool has_pasid, uint32_t pasid)
{
	if (FAULT("endpoint.atc-ignores-pasid", "all PASIDs share the entries of the ATC"))
		return 0;
	return has_pasid ? pasid : 0;
}

static uint8_t kind_of(const struct hw_request *request)
{
	if (FAULT("endpoint.atc-ignores-privilege",
		  "what a privileged request was granted serves unprivileged ones"))
		return 0;
	return request->access & HW_PRIV ? 1 : 0;
}

/* What of its access a request needs to have been granted */
static uint8_t needs(const struct hw_request *request)
{
	if (FAULT("endpoint.writes-through-read-entry",
		  "an entry that was granted for reading serves writes"))
		return request->access & HW_EXEC;
	return request->access & (HW_READ | HW_WRITE | HW_EXEC);
}

static uint64_t mask_of(unsigned int shift)
{
	return shift < 64 ? (1ULL << shift) - 1 : UINT64_MAX;
}

/* The freedom to lose an entry at any time. */
static void evict(struct atc *atc, const struct tlb_entry *entry)
{
	tlb_remove(atc->tlb, &(struct tlb_match){
		.by = TLB_BY_DOMAIN | TLB_BY_SPACE | TLB_BY_ADDR,
		.domain = entry->domain, .space = entry->space,
		.first = entry->addr, .last = entry->addr,
	});
}

bool atc_lookup(struct atc *atc, const struct hw_request *request,
		struct hw_translation *translation)
{
	uint64_t mask;
	struct tlb_entry entry;

	if (!tlb_lookup(atc->tlb, domain_of(request->has_pasid),
			space_of(request->has_pasid, request->pasid), kind_of(request),
			request->addr, &entry))
		return false;
	if (freedom_take(atc->freedom, atc->freedom->evict)) {
		evict(atc, &entry);
		return false;
	}
	/* Not enough permission is a miss: the tables may have granted more since then. */
	if (needs(request) & ~entry.perm)
		return false;
	mask = mask_of(entry.shift);
	if (FAULT("endpoint.atc-hit-at-4k", "a hit in a large page takes its first 4 KiB"))
		mask = PAGE_MASK;
	*translation = (struct hw_translation){
		.pa = entry.out | (request->addr & mask),
		.shift = entry.shift,
		.perm = entry.perm,
		.global = entry.space == TLB_ANY_SPACE,
	};
	return true;
}

uint64_t atc_generation(const struct atc *atc)
{
	return tlb_generation(atc->tlb);
}

static bool is_global(const struct atc *atc, const struct hw_request *request,
		      const struct hw_translation *translation)
{
	if (FAULT("endpoint.every-entry-global", "every entry with a PASID is taken for global"))
		return request->has_pasid;
	return request->has_pasid && translation->global && atc->global;
}

bool atc_keeps_overtaken(void)
{
	return FAULT("endpoint.fills-after-invalidate",
		     "a completion that an invalidation overtook is cached");
}

bool atc_fill(struct atc *atc, const struct hw_request *request,
	      const struct hw_translation *translation, uint64_t generation)
{
	unsigned int shift = translation->shift;
	struct tlb_entry entry;

	/* No permission and untranslated-only are answers, but nothing to translate with. */
	if (translation->untranslated_only || !(translation->perm & (HW_READ | HW_WRITE)))
		return true;
	if (atc->freedom->small_pages || shift < PAGE_SHIFT)
		shift = PAGE_SHIFT;
	if (FAULT("endpoint.atc-fills-too-large", "an entry is cached as twice its size"))
		shift++;
	if (shift > 63)
		shift = 63;
	entry = (struct tlb_entry){
		.domain = domain_of(request->has_pasid),
		.space = space_of(request->has_pasid, request->pasid),
		.addr = request->addr & ~mask_of(shift),
		.shift = shift,
		.kind = kind_of(request),
		.perm = translation->perm,
		.out = translation->pa & ~mask_of(shift),
	};
	if (is_global(atc, request, translation))
		entry.space = TLB_ANY_SPACE;
	if (atc_keeps_overtaken())
		generation = tlb_generation(atc->tlb);
	return tlb_insert(atc->tlb, &entry, generation);
}

/* The Global Invalidate bit means something with a PASID, in a function that knows it. */
static bool all_pasids(const struct atc *atc, const struct hw_ats_invalidate *invalidate)
{
	if (FAULT("endpoint.invalidate-ignores-global",
		  "Global Invalidate is taken for an invalidation of its PASID"))
		return false;
	return invalidate->has_pasid && invalidate->global && atc->global;
}

static bool begins_before(const struct tlb_entry *entry, const void *arg)
{
	return entry->addr < *(const uint64_t *)arg;
}

void atc_invalidate(struct atc *atc, const struct hw_ats_invalidate *invalidate)
{
	struct tlb_match match = {
		.by = TLB_BY_DOMAIN | TLB_BY_ADDR,
		.domain = domain_of(invalidate->has_pasid),
		.space = space_of(invalidate->has_pasid, invalidate->pasid),
		.first = invalidate->first,
		.last = invalidate->last,
	};

	/* A global entry serves the PASID that is named, so it goes too. */
	if (invalidate->has_pasid && !all_pasids(atc, invalidate))
		match.by |= TLB_BY_SPACE | TLB_AND_GLOBAL;
	if (FAULT("endpoint.invalidate-ignores-pasid",
		  "an invalidation with PASID removes entries without PASID"))
		match.domain = WITHOUT_PASID;
	if (FAULT("endpoint.invalidate-ignores-size", "S is ignored: only one page is removed"))
		match.last = match.first | PAGE_MASK;
	if (FAULT("endpoint.invalidate-misses-last-page", "the range ends a page too early") &&
	    match.last - match.first > PAGE_MASK)
		match.last -= PAGE_MASK + 1;
	if (FAULT("endpoint.invalidate-misses-first-page", "the range begins a page too late") &&
	    match.last - match.first > PAGE_MASK)
		match.first += PAGE_MASK + 1;
	if (FAULT("endpoint.whole-space-not-recognised",
		  "the address of an invalidation of everything is taken for a page") &&
	    match.first == 0 && match.last == UINT64_MAX)
		match.first = UINT64_MAX & ~PAGE_MASK;
	if (FAULT("endpoint.invalidate-misses-large-page",
		  "an entry that begins before the range is not removed")) {
		match.keep = begins_before;
		match.arg = &match.first;
	}
	if (freedom_take(atc->freedom, atc->freedom->over))
		match.by = 0;
	tlb_remove(atc->tlb, &match);
}

void atc_clear(struct atc *atc)
{
	tlb_remove(atc->tlb, &(struct tlb_match){});
}

bool atc_names(const struct atc *atc, const struct hw_ats_invalidate *invalidate,
	       const struct hw_request *request, const struct hw_translation *translation)
{
	uint64_t mask = mask_of(translation->shift);

	if (FAULT("endpoint.pending-by-page",
		  "of a large completion on its way only the page asked for is compared"))
		mask = PAGE_MASK;
	if (request->has_pasid != invalidate->has_pasid)
		return false;
	if (request->has_pasid && request->pasid != invalidate->pasid &&
	    !all_pasids(atc, invalidate) && !is_global(atc, request, translation))
		return false;
	return (request->addr & ~mask) <= invalidate->last &&
	       (request->addr | mask) >= invalidate->first;
}
