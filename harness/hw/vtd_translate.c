// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request of a device: untranslated, translation request, translated (3.2 to 3.8, 4).
 * Lookup, walk, and what is kept of it in the IOTLB.
 */
#include "vtd_internal.h"

static bool interrupt_range(uint64_t addr)
{
	return addr >= VTD_INTERRUPT_FIRST && addr <= VTD_INTERRUPT_LAST;
}

/* ---- The IOTLB: 6.2.3 ---- */

static inline bool lookup(struct vtd *vtd, const struct vtd_space *space, uint64_t addr,
		   struct tlb_entry *entry)
{
	bool first = vtd_has_first(space);

	if (freedom_take(&vtd->iommu.freedom, vtd->iommu.freedom.evict))
		return false;
	return tlb_lookup(vtd->iotlb, space->did, first ? space->pasid : 0,
			  first ? VTD_LEAF_FIRST : VTD_LEAF_SECOND, addr, entry);
}

static void insert(struct vtd *vtd, const struct vtd_space *space, uint64_t addr,
		   const struct vtd_leaf *leaf, uint64_t generation)
{
	bool first = vtd_has_first(space), small = vtd->iommu.freedom.small_pages;
	uint8_t shift = small ? 12 : leaf->shift;
	uint64_t mask = (1ull << shift) - 1;
	struct tlb_entry entry = {
		.domain = space->did,
		.space = first ? space->pasid : 0,
		.kind = first ? VTD_LEAF_FIRST : VTD_LEAF_SECOND,
		.tag = space->pasid,
		.addr = addr & ~mask,
		.shift = shift,
		.perm = leaf->perm,
		.flags = leaf->flags,
		.out = leaf->pa & ~mask,
	};

	tlb_insert(vtd->iotlb, &entry, generation);
}

/* CM=1: that there is no second-stage mapping may be remembered, too (6.1). */
static void insert_absent(struct vtd *vtd, const struct vtd_space *space, uint64_t addr,
			  enum vtd_fault reason, uint64_t generation)
{
	struct tlb_entry entry = {
		.domain = space->did, .kind = VTD_LEAF_SECOND, .tag = space->pasid,
		.addr = addr & VTD_ADDR_4K, .shift = 12, .flags = VTD_LEAF_ABSENT, .aux = reason,
	};

	if (vtd_has_first(space) &&
	    FAULT("vtd.first-caches-not-present", "Missing first-stage pages are cached")) {
		entry.kind = VTD_LEAF_FIRST;
		entry.space = space->pasid;
		tlb_insert(vtd->iotlb, &entry, generation);
	}
	if (space->pgtt == VTD_PGTT_SECOND_STAGE &&
	    (vtd->config.caching_mode ||
	     FAULT("vtd.iotlb-caches-not-present", "The IOTLB caches missing pages with CM=0")))
		tlb_insert(vtd->iotlb, &entry, generation);
}

/* ---- Misses ---- */

static void prefetch(struct vtd *vtd, const struct vtd_walk *walk, uint64_t generation)
{
	struct vtd_walk next = *walk;
	struct vtd_leaf leaf;

	next.addr = (walk->addr | 0xfff) + 1;
	next.access = HW_READ;
	next.speculative = true;
	next.reads = 0;
	if (next.addr && !vtd_walk(&next, &leaf))
		insert(vtd, walk->space, next.addr, &leaf, generation);
}

/*
 * Generations are taken before anything is read, the IOTLB's first: what a walk finds is cached
 * only if nothing was invalidated since.
 */
static enum vtd_fault miss(struct vtd *vtd, const struct hw_request *request,
			   struct vtd_space *space, uint8_t access, struct vtd_leaf *leaf)
{
	uint64_t generation = tlb_generation(vtd->iotlb);
	struct vtd_walk walk = {
		.vtd = vtd, .space = space, .addr = request->addr, .access = access,
		.generation = tlb_generation(vtd->paging),
	};
	enum vtd_fault reason = vtd_space_find(vtd, request, space);

	if (reason)
		return reason;
	walk.priv = request->has_pasid ? request->access & HW_PRIV : space->priv;
	reason = vtd_walk(&walk, leaf);
	if (reason) {
		if (walk.absent || reason == VTD_FAULT_SFS_2_NOT_PRESENT)
			insert_absent(vtd, space, request->addr, reason, generation);
		return reason;
	}
	insert(vtd, space, request->addr, leaf, generation);
	if (freedom_take(&vtd->iommu.freedom, vtd->iommu.freedom.prefetch))
		prefetch(vtd, &walk, generation);
	return 0;
}

/* The leaf for @access, from the IOTLB where that allows it or says no. */
static inline enum vtd_fault find_leaf(struct vtd *vtd, const struct hw_request *request,
				struct vtd_space *space, uint8_t access, struct vtd_leaf *leaf)
{
	struct tlb_entry entry;
	enum vtd_fault reason;
	bool priv;

	if (!lookup(vtd, space, request->addr, &entry))
		return miss(vtd, request, space, access, leaf);
	if (entry.flags & VTD_LEAF_ABSENT)
		return entry.aux;
	priv = request->has_pasid ? request->access & HW_PRIV : space->priv;
	reason = vtd_allowed(space, entry.perm, access, priv);
	if (reason)
		return reason;
	if (access & HW_WRITE && !(entry.flags & VTD_LEAF_DIRTY) &&
	    !FAULT("vtd.dirty-not-set-on-hit", "A write that hits a clean entry sets no D flag"))
		return miss(vtd, request, space, access, leaf);
	leaf->shift = entry.shift;
	leaf->pa = entry.out | (request->addr & ((1ull << entry.shift) - 1));
	leaf->perm = entry.perm;
	leaf->flags = entry.flags;
	return 0;
}

/* ---- Types of requests ---- */

/* Is @request one that this address space takes at all? (SRE, ERE: 9.6) */
static inline enum vtd_fault admitted(const struct vtd_space *space,
				      const struct hw_request *request)
{
	if (!request->has_pasid || !vtd_has_first(space))
		return 0;
	if (request->access & HW_PRIV && !space->sre &&
	    !FAULT("vtd.sre-ignored", "Privileged requests pass with SRE clear"))
		return VTD_FAULT_SPT_6_SRE;
	if (request->access & HW_EXEC && !space->ere &&
	    !FAULT("vtd.ere-ignored", "Execute requests pass with ERE clear"))
		return VTD_FAULT_SPT_5_ERE;
	return 0;
}

static enum hw_status refuse(struct vtd *vtd, const struct hw_request *request,
			     enum vtd_fault reason, bool fpd)
{
	vtd_fault_record(vtd, request, reason, fpd);
	return request->type == HW_TRANSLATION_REQUEST ? HW_UNSUPPORTED : HW_FAULT;
}

static enum hw_status untranslated(struct vtd *vtd, const struct hw_request *request,
				   struct vtd_space *space, struct hw_translation *translation)
{
	uint8_t access = request->access & (HW_READ | HW_WRITE | HW_EXEC);
	struct vtd_leaf leaf;
	enum vtd_fault reason = admitted(space, request);

	if (!reason)
		reason = find_leaf(vtd, request, space, access, &leaf);
	if (!reason && interrupt_range(leaf.pa))
		reason = space->legacy ? VTD_FAULT_LGN_4_INTERRUPT : VTD_FAULT_SGN_8_INTERRUPT;
	if (reason)
		return refuse(vtd, request, reason, space->fpd);
	translation->pa = leaf.pa;
	translation->shift = leaf.shift;
	translation->perm = HW_READ | HW_WRITE;
	translation->global = false;
	translation->untranslated_only = false;
	return HW_OK;
}

/* Faults that are answered to a translation request with a completion without permissions (4.2). */
static bool completes_empty(enum vtd_fault reason)
{
	switch (reason) {
	case VTD_FAULT_LGN_1_BEYOND_WIDTH:
	case VTD_FAULT_LGN_2_WRITE:
	case VTD_FAULT_LGN_3_READ:
	case VTD_FAULT_SFS_2_NOT_PRESENT:
	case VTD_FAULT_SSS_2_NOT_PRESENT:
	case VTD_FAULT_SFS_5_BEYOND_WIDTH:
	case VTD_FAULT_SFS_6_ROOT_READ:
	case VTD_FAULT_SFS_7_READ:
	case VTD_FAULT_SFS_8_WRITE:
	case VTD_FAULT_SGN_1_CANONICAL:
	case VTD_FAULT_SGN_2_USER:
	case VTD_FAULT_SGN_3_EXECUTE:
	case VTD_FAULT_SGN_5_BEYOND_WIDTH:
	case VTD_FAULT_SGN_6_WRITE:
	case VTD_FAULT_SGN_7_READ:
		return true;
	default:
		return false;
	}
}

/* Which of R and W a completion carries: what was asked for and is granted. */
static enum vtd_fault grant(struct vtd *vtd, const struct hw_request *request,
			    struct vtd_space *space, struct vtd_leaf *leaf, uint8_t *perm)
{
	uint8_t exec = request->access & HW_EXEC;
	enum vtd_fault reason = VTD_FAULT_SGN_6_WRITE;

	if (request->access & HW_WRITE) {
		reason = find_leaf(vtd, request, space, HW_READ | HW_WRITE | exec, leaf);
		*perm = HW_READ | HW_WRITE | exec;
	}
	if (reason && completes_empty(reason)) {
		reason = find_leaf(vtd, request, space, HW_READ | exec, leaf);
		*perm = HW_READ | exec;
	}
	if (reason && completes_empty(reason) && exec) {
		reason = find_leaf(vtd, request, space, HW_READ, leaf);
		*perm = HW_READ;
	}
	return reason;
}

static enum hw_status translation_request(struct vtd *vtd, const struct hw_request *request,
					  struct vtd_space *space,
					  struct hw_translation *translation)
{
	enum vtd_fault reason = admitted(space, request);
	struct vtd_leaf leaf;

	if (!space->ats)
		return refuse(vtd, request, space->legacy ? VTD_FAULT_LCT_5_BLOCKED :
			      VTD_FAULT_SCT_5_DTE, space->fpd);
	*translation = (struct hw_translation){ .pa = request->addr, .shift = 12 };
	if (!reason && interrupt_range(request->addr) && !request->has_pasid) {
		translation->untranslated_only = true;
		translation->perm = HW_WRITE;
		return HW_OK;
	}
	if (!reason)
		reason = grant(vtd, request, space, &leaf, &translation->perm);
	if (!reason && interrupt_range(leaf.pa))
		reason = space->legacy ? VTD_FAULT_LGN_4_INTERRUPT : VTD_FAULT_SGN_8_INTERRUPT;
	if (reason) {
		translation->perm = 0;
		return completes_empty(reason) ? HW_OK :
		       refuse(vtd, request, reason, space->fpd);
	}
	translation->pa = leaf.pa;
	translation->shift = leaf.shift;
	return HW_OK;
}

/* 4.2.4: a translated request passes if device TLBs are enabled for the function. */
static enum hw_status translated(struct vtd *vtd, const struct hw_request *request,
				 const struct vtd_space *space, struct hw_translation *translation)
{
	if (!space->ats &&
	    !FAULT("vtd.translated-unchecked", "Translated requests pass with DTE or TT clear"))
		return refuse(vtd, request, space->legacy ? VTD_FAULT_LCT_5_BLOCKED :
			      VTD_FAULT_SCT_5_DTE, space->fpd);
	if (interrupt_range(request->addr))
		return refuse(vtd, request, space->legacy ? VTD_FAULT_LGN_4_INTERRUPT :
			      VTD_FAULT_SGN_8_INTERRUPT, space->fpd);
	*translation = (struct hw_translation){
		.pa = request->addr, .shift = 12, .perm = HW_READ | HW_WRITE,
	};
	return HW_OK;
}

/* 3.14: untranslated writes without PASID to the interrupt range are messages, reads are faults. */
static enum hw_status interrupt_message(struct vtd *vtd, const struct hw_request *request,
					struct hw_translation *translation)
{
	if (request->access & HW_READ)
		return HW_FAULT;
	*translation = (struct hw_translation){
		.pa = request->addr, .shift = 12, .perm = HW_WRITE,
	};
	return HW_OK;
}

static enum hw_status not_translating(const struct hw_request *request,
				      struct hw_translation *translation)
{
	if (request->type != HW_UNTRANSLATED)
		return request->type == HW_TRANSLATED ? HW_FAULT : HW_UNSUPPORTED;
	*translation = (struct hw_translation){
		.pa = request->addr, .shift = 12, .perm = HW_READ | HW_WRITE,
	};
	return HW_OK;
}

static enum hw_status translate(struct vtd *vtd, const struct hw_request *request,
				struct hw_translation *translation)
{
	struct vtd_space space;
	enum vtd_fault reason;

	if (!atomic_load_explicit(&vtd->translating, memory_order_acquire))
		return not_translating(request, translation);
	if (request->type == HW_UNTRANSLATED && !request->has_pasid &&
	    interrupt_range(request->addr))
		return interrupt_message(vtd, request, translation);
	reason = vtd_space_find(vtd, request, &space);
	if (reason)
		return refuse(vtd, request, reason, space.fpd);
	switch (request->type) {
	case HW_UNTRANSLATED:
		return untranslated(vtd, request, &space, translation);
	case HW_TRANSLATION_REQUEST:
		return translation_request(vtd, request, &space, translation);
	default:
		return translated(vtd, request, &space, translation);
	}
}

enum hw_status vtd_translate(struct hw_iommu *iommu, const struct hw_request *request,
			     struct hw_translation *translation)
{
	struct vtd *vtd = to_vtd(iommu);
	enum hw_status status = translate(vtd, request, translation);

	if (hw_trace_wants_dma(iommu->trace))
		vtd_trace(vtd, "translate rid %#llx pasid %#llx addr %#llx type %llu: %llu, %#llx",
			  request->rid, request->has_pasid ? request->pasid : -1ull, request->addr,
			  request->type, status, status == HW_OK ? translation->pa : 0);
	return status;
}
