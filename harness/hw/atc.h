/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The address translation cache of a PCIe function: a cache of translation completions.
 *
 * Entries are tagged with the PASID that asked, or with none; an entry with the global bit serves
 * every PASID. What was granted to a privileged request serves privileged ones only, and the other
 * way round (PCIe ATS 10.2.3).
 */
#ifndef NIT_HW_ATC_H
#define NIT_HW_ATC_H

#include "freedom.h"
#include "iommu.h"
#include "tlb.h"

/** struct atc - @global: Global Invalidate Supported, without which no entry is global */
struct atc {
	struct tlb *tlb;
	bool global;
	struct freedom *freedom;
};

/** atc_init() - Room for @entries (a power of two; 0 means 64); 0 or -ENOMEM */
int atc_init(struct atc *atc, size_t entries, bool global, uint64_t seed, struct freedom *freedom);
void atc_fini(struct atc *atc);

/** atc_lookup() - Is there an entry that allows @request? */
bool atc_lookup(struct atc *atc, const struct hw_request *request,
		struct hw_translation *translation);

/** atc_keeps_overtaken() - A fault: what an invalidation overtook is cached all the same */
bool atc_keeps_overtaken(void);

/** atc_generation() - To be taken before a translation request is sent, for atc_fill() */
uint64_t atc_generation(const struct atc *atc);

/**
 * atc_fill() - Cache the completion @translation of @request
 * Return: false if an invalidation came in between: it might be stale, and was not cached
 */
bool atc_fill(struct atc *atc, const struct hw_request *request,
	      const struct hw_translation *translation, uint64_t generation);

/** atc_invalidate() - Remove what the message names */
void atc_invalidate(struct atc *atc, const struct hw_ats_invalidate *invalidate);

/** atc_clear() - Remove everything */
void atc_clear(struct atc *atc);

/**
 * atc_names() - Does @invalidate name the completion @translation of @request, on its way?
 * All of the range that was translated counts, not only the page asked for.
 */
bool atc_names(const struct atc *atc, const struct hw_ats_invalidate *invalidate,
	       const struct hw_request *request, const struct hw_translation *translation);

#endif
