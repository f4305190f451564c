// SPDX-License-Identifier: GPL-2.0-only
/* Translation of a device's request: caches first, then tables, then what is reported. */
#include "amdvi_model.h"

/* What a request turns into, once its DTE is known (2.2.2, 2.2.6). */
enum path { PATH_THROUGH, PATH_HOST, PATH_GUEST, PATH_BLOCKED };

static enum path path_of(const uint64_t dte[4], const struct hw_request *request, uint32_t *pasid)
{
	*pasid = request->has_pasid ? request->pasid : 0;
	if (!(dte[0] & AMDVI_DTE0_V))
		return FAULT("amdvi.v-clear-blocks", "Without DTE.V nothing passes") ?
		       PATH_BLOCKED : PATH_THROUGH;
	if (!(dte[0] & AMDVI_DTE0_TV))
		return PATH_BLOCKED;
	if (request->has_pasid && !(dte[0] & AMDVI_DTE0_GV))
		return FAULT("amdvi.pasid-falls-to-host",
			     "Without guest translation a PASID is ignored") ?
		       PATH_HOST : PATH_BLOCKED;
	if (request->has_pasid)
		return PATH_GUEST;
	if (dte[0] & AMDVI_DTE0_GV &&
	    (dte[0] & AMDVI_DTE0_GIOV ||
	     FAULT("amdvi.giov-implied", "Guest translation is for requests without PASID too")) &&
	    !FAULT("amdvi.giov-ignored", "DTE.GIOV has no effect on requests without PASID"))
		return PATH_GUEST;
	return PATH_HOST;
}

static uint64_t fault_flags(const struct amdvi_walk *walk, const struct hw_request *request,
			    bool guest, enum walk_status status)
{
	bool gva = guest && !walk->in_host;
	uint64_t id = gva ? walk->pasid : walk->domain;

	return amdvi_put(request->rid, AMDVI_EVENT0_DEVICE_ID) |
	       amdvi_put(id, AMDVI_EVENT0_PASID) |
	       amdvi_put(id >> 16, AMDVI_EVENT0_PASID_19_16) |
	       (gva ? AMDVI_EVENT0_GN : 0) |
	       (request->access & HW_EXEC ? AMDVI_EVENT0_NX : 0) |
	       (gva && !(request->access & HW_PRIV) ? AMDVI_EVENT0_US : 0) |
	       (status == WALK_DENIED ? AMDVI_EVENT0_PR | AMDVI_EVENT0_PE : 0) |
	       (status == WALK_RESERVED ? AMDVI_EVENT0_PR | AMDVI_EVENT0_RZ : 0) |
	       (request->access & HW_WRITE &&
		!FAULT("amdvi.fault-rw-lost", "A page fault does not say that it was a write") ?
		AMDVI_EVENT0_RW : 0) |
	       (request->type == HW_TRANSLATION_REQUEST ? AMDVI_EVENT0_TR : 0);
}

static bool suppressed(struct amdvi *amdvi, const struct hw_request *request,
		       const uint64_t dte[4])
{
	if (FAULT("amdvi.suppression-ignored", "DTE.SE and DTE.SA have no effect"))
		return false;
	if (dte[1] & AMDVI_DTE1_SA)
		return true;
	return !amdvi_dte_report(amdvi, request->rid) && dte[1] & AMDVI_DTE1_SE;
}

static enum hw_status page_fault(struct amdvi_walk *walk, const struct hw_request *request,
				 bool guest, enum walk_status status)
{
	struct amdvi *amdvi = walk->amdvi;
	uint64_t word0 = fault_flags(walk, request, guest, status);
	bool to_guest = guest && (!walk->in_host ||
				  FAULT("amdvi.host-fault-to-guest",
					"Faults of the nest parent go to the guest's log"));

	hw_count(amdvi->hw.counts.faults, 1);
	if (status == WALK_UNREADABLE &&
	    !FAULT("amdvi.table-error-is-page-fault",
		   "A page table that cannot be read is reported as a page fault"))
		amdvi_fault(amdvi, walk->dte, to_guest,
			    word0 | amdvi_put(AMDVI_PAGE_TAB_HARDWARE_ERROR, AMDVI_EVENT0_CODE) |
			    amdvi_put(AMDVI_TYPE_MASTER_ABORT, AMDVI_EVENT0_TYPE),
			    walk->fault_addr);
	else if (!suppressed(amdvi, request, walk->dte))
		amdvi_fault(amdvi, walk->dte, to_guest,
			    word0 | amdvi_put(AMDVI_IO_PAGE_FAULT, AMDVI_EVENT0_CODE),
			    walk->fault_addr);
	return HW_FAULT;
}

static enum hw_status device_event(struct amdvi *amdvi, const struct hw_request *request,
				   enum amdvi_event event, unsigned int type)
{
	uint64_t flags = (request->has_pasid ? AMDVI_EVENT0_GN : 0) |
			 (request->access & HW_WRITE ? AMDVI_EVENT0_RW : 0) |
			 (request->type == HW_TRANSLATION_REQUEST ? AMDVI_EVENT0_TR : 0);
	uint32_t pasid = request->has_pasid ? request->pasid : 0;

	hw_count(amdvi->hw.counts.faults, 1);
	amdvi_fault(amdvi, NULL, false,
		    amdvi_put(request->rid, AMDVI_EVENT0_DEVICE_ID) | flags |
		    amdvi_put(pasid, AMDVI_EVENT0_PASID) |
		    amdvi_put(pasid >> 16, AMDVI_EVENT0_PASID_19_16) |
		    amdvi_put(type, AMDVI_EVENT0_TYPE) | amdvi_put(event, AMDVI_EVENT0_CODE),
		    request->addr);
	return request->type == HW_TRANSLATION_REQUEST ? HW_UNSUPPORTED : HW_FAULT;
}

static enum hw_status dte_fault(struct amdvi *amdvi, const struct hw_request *request,
				enum dte_status status)
{
	return status == DTE_UNREADABLE ?
	       device_event(amdvi, request, AMDVI_DEV_TAB_HARDWARE_ERROR,
			    AMDVI_TYPE_MASTER_ABORT) :
	       device_event(amdvi, request, AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 0);
}

static enum hw_status pass_through(const struct hw_request *request,
				   struct hw_translation *translation)
{
	*translation = (struct hw_translation){
		.pa = request->addr, .shift = 12, .perm = HW_READ | HW_WRITE,
	};
	return HW_OK;
}

/* A device says that its address is physical: only if ATS is enabled for it (2.2.2, DTE.I). */
static enum hw_status translated(struct amdvi *amdvi, const struct hw_request *request,
				 struct hw_translation *translation)
{
	uint64_t dte[4];
	enum dte_status status = amdvi_dte(amdvi, request->rid, dte);

	if (status)
		return dte_fault(amdvi, request, status);
	if (!(dte[0] & AMDVI_DTE0_V && dte[1] & AMDVI_DTE1_I) &&
	    !FAULT("amdvi.translated-unchecked", "Translated requests pass with DTE.I clear"))
		return device_event(amdvi, request, AMDVI_INVALID_DEVICE_REQUEST,
				    AMDVI_TYPE_PRETRANSLATED);
	return pass_through(request, translation);
}

/* ---- Answers ---- */

/* Later writes of a device with an ATC do not come by here: no W before D is set. */
static uint8_t permissions_for_atc(const struct hw_request *request, uint8_t perm, uint8_t flags)
{
	uint8_t granted = perm & (HW_READ | HW_WRITE);

	if (perm & HW_PRIV && !(request->access & HW_PRIV))
		granted = 0;
	if (request->access & HW_EXEC)
		granted |= perm & HW_EXEC;
	if (flags & ENTRY_CLEAN &&
	    !FAULT("amdvi.ats-clean-write", "W is granted though D is not set"))
		granted &= ~HW_WRITE;
	return granted;
}

static inline enum hw_status answer(struct amdvi *amdvi, const struct hw_request *request,
				    uint64_t pa, uint8_t shift, uint8_t perm, uint8_t flags,
				    struct hw_translation *translation)
{
	*translation = (struct hw_translation){
		.pa = pa, .shift = shift, .perm = perm & (HW_READ | HW_WRITE),
		.untranslated_only = flags & ENTRY_UNTRANSLATED,
	};
	if (__builtin_expect(request->type == HW_TRANSLATION_REQUEST, 0))
		translation->perm = permissions_for_atc(request, perm, flags);
	if (__builtin_expect(hw_trace_wants_dma(amdvi->hw.trace), 0))
		amdvi_trace(amdvi, "translation of %#llx for %#llx: %#llx size 2^%llu perm %llu",
			    request->addr, request->rid, pa, shift, translation->perm);
	return HW_OK;
}

static enum hw_status no_answer(struct amdvi_walk *walk, const struct hw_request *request,
				bool guest, enum walk_status status,
				struct hw_translation *translation)
{
	if (request->type != HW_TRANSLATION_REQUEST ||
	    FAULT("amdvi.ats-miss-is-fault", "A translation request for nothing is a page fault"))
		return page_fault(walk, request, guest, status);
	if (status == WALK_RESERVED || status == WALK_UNREADABLE) {
		page_fault(walk, request, guest, status);
		return HW_UNSUPPORTED;
	}
	/* ATS: a completion without R and W tells the device; nothing is logged. */
	*translation = (struct hw_translation){ .shift = 12 };
	return HW_OK;
}

/* ---- Caches ---- */

/* Does @entry answer it? Guest tables may be relaxed without invalidation: a no is asked again. */
static bool usable(const struct tlb_entry *entry, const struct hw_request *request)
{
	uint8_t access = request->access;

	if (entry->flags & ENTRY_ABSENT)
		return true;
	if (entry->flags & ENTRY_CLEAN && access & HW_WRITE &&
	    !FAULT("amdvi.dirty-lost", "A write that hits the cache does not set D"))
		return false;
	if (entry->kind == KIND_HOST)
		return true;
	if (entry->perm & HW_PRIV && !(access & HW_PRIV))
		return false;
	return !(access & (HW_READ | HW_WRITE | HW_EXEC) & ~entry->perm);
}

static void drop(struct amdvi *amdvi, const struct tlb_entry *entry)
{
	tlb_remove(amdvi->iotlb, &(struct tlb_match){
		.by = TLB_BY_DOMAIN | TLB_BY_SPACE | TLB_BY_ADDR, .domain = entry->domain,
		.space = entry->space, .first = entry->addr, .last = entry->addr,
		.kinds = 1U << entry->kind,
	});
}

static bool find(struct amdvi *amdvi, const uint64_t dte[4], bool guest, uint32_t pasid,
		 const struct hw_request *request, struct tlb_entry *entry)
{
	uint16_t domain = amdvi_get(dte[1], AMDVI_DTE1_DOMAIN_ID);

	if (!tlb_lookup(amdvi->iotlb, domain, guest ? pasid : HOST_SPACE,
			guest ? KIND_GUEST : KIND_HOST, request->addr, entry))
		return false;
	if (__builtin_expect(freedom_take(&amdvi->hw.freedom, amdvi->hw.freedom.evict), 0)) {
		drop(amdvi, entry);
		return false;
	}
	return usable(entry, request);
}

/* The neighbour of a page is likely to be asked for next; hardware may think so (2.4.6). */
static void prefetch_neighbour(struct amdvi_walk *walk, uint64_t addr, bool guest)
{
	struct amdvi_page page;
	enum walk_status status;

	walk->quiet = true;
	walk->access = 0;
	status = guest ? amdvi_walk_guest(walk, addr ^ 0x1000, &page) :
			 amdvi_walk_host(walk, addr ^ 0x1000, 0, &page);
	if (!status)
		amdvi_keep(walk, guest ? KIND_GUEST : KIND_HOST, addr ^ 0x1000, &page);
}

static void keep_absence(struct amdvi_walk *walk, uint64_t addr, bool guest)
{
	if (walk->amdvi->config.np_cache ||
	    FAULT("amdvi.absent-is-cached", "Absent pages are cached without NpCache"))
		amdvi_keep(walk, guest ? KIND_GUEST : KIND_HOST, addr,
			   &(struct amdvi_page){ .pa = addr, .shift = 12,
						 .flags = ENTRY_ABSENT });
}

static enum hw_status walk_and_answer(struct amdvi *amdvi, const struct hw_request *request,
				      struct hw_translation *translation)
{
	struct amdvi_walk walk;
	struct amdvi_page page;
	enum dte_status known;
	enum walk_status status;
	uint64_t dte[4];
	enum path path;
	bool guest;

	amdvi_walk_begin(&walk, amdvi);
	known = amdvi_dte(amdvi, request->rid, dte);
	if (known)
		return dte_fault(amdvi, request, known);
	amdvi_walk_dte(&walk, dte);
	walk.ats = request->type == HW_TRANSLATION_REQUEST;
	walk.access = request->access;
	path = path_of(dte, request, &walk.pasid);
	if (walk.ats && !(dte[0] & AMDVI_DTE0_V && dte[1] & AMDVI_DTE1_I) &&
	    !FAULT("amdvi.ats-ignores-i", "Translation requests are answered with DTE.I clear"))
		return device_event(amdvi, request, AMDVI_INVALID_DEVICE_REQUEST,
				    AMDVI_TYPE_TRANSLATION_REQUEST);
	if (path == PATH_THROUGH)
		return pass_through(request, translation);
	guest = path == PATH_GUEST;
	walk.fault_addr = request->addr;
	if (path == PATH_BLOCKED)
		return no_answer(&walk, request, request->has_pasid, WALK_ABSENT, translation);
	status = guest ? amdvi_walk_guest(&walk, request->addr, &page) :
			 amdvi_walk_host(&walk, request->addr, request->access, &page);
	if (status) {
		amdvi_walk_end(&walk);
		if (status == WALK_ABSENT)
			keep_absence(&walk, request->addr, guest);
		return no_answer(&walk, request, guest, status, translation);
	}
	if (guest || amdvi_get(dte[0], AMDVI_DTE0_MODE))
		amdvi_keep(&walk, guest ? KIND_GUEST : KIND_HOST, request->addr, &page);
	else
		page.shift = 12;
	if (freedom_take(&amdvi->hw.freedom, amdvi->hw.freedom.prefetch))
		prefetch_neighbour(&walk, request->addr, guest);
	amdvi_walk_end(&walk);
	return answer(amdvi, request, page.pa, page.shift, page.perm, page.flags, translation);
}

/* A refusal that an entry remembers is a fault like any other. */
static enum hw_status refuse_cached(struct amdvi *amdvi, const struct hw_request *request,
				    const struct tlb_entry *entry,
				    struct hw_translation *translation)
{
	bool absent = entry->flags & ENTRY_ABSENT;
	struct amdvi_walk walk;
	enum dte_status status;
	uint64_t dte[4];

	status = amdvi_dte(amdvi, request->rid, dte);
	if (status)
		return dte_fault(amdvi, request, status);
	amdvi_walk_begin(&walk, amdvi);
	amdvi_walk_dte(&walk, dte);
	walk.pasid = entry->space;
	walk.fault_addr = request->addr;
	return no_answer(&walk, request, entry->kind == KIND_GUEST,
			 absent ? WALK_ABSENT : WALK_DENIED, translation);
}

static bool refuses(const struct tlb_entry *entry, const struct hw_request *request)
{
	return entry->flags & ENTRY_ABSENT ||
	       (request->type != HW_TRANSLATION_REQUEST &&
		request->access & (HW_READ | HW_WRITE) & ~entry->perm);
}

static enum hw_status switched_off(const struct hw_request *request,
				   struct hw_translation *translation)
{
	if (request->type == HW_TRANSLATION_REQUEST)
		return HW_UNSUPPORTED;
	if (FAULT("amdvi.off-blocks", "Nothing passes while the IOMMU is off"))
		return HW_FAULT;
	return pass_through(request, translation);
}

/* Two words of the DTE are enough for a hit: path, DomainID and I are in them. */
enum hw_status amdvi_translate(struct hw_iommu *iommu, const struct hw_request *request,
			       struct hw_translation *translation)
{
	struct amdvi *amdvi = amdvi_of(iommu);
	struct tlb_entry entry;
	uint64_t dte[4];
	uint32_t pasid;
	enum path path;

	if (!(amdvi_control(amdvi) & AMDVI_CONTROL_IOMMU_EN))
		return switched_off(request, translation);
	if (request->type == HW_TRANSLATED)
		return translated(amdvi, request, translation);
	if (!amdvi_dte_cached(amdvi, request->rid, dte, 2) && amdvi_dte(amdvi, request->rid, dte))
		return walk_and_answer(amdvi, request, translation);
	path = path_of(dte, request, &pasid);
	if ((path != PATH_HOST && path != PATH_GUEST) ||
	    (request->type == HW_TRANSLATION_REQUEST && !(dte[1] & AMDVI_DTE1_I)) ||
	    !find(amdvi, dte, path == PATH_GUEST, pasid, request, &entry))
		return walk_and_answer(amdvi, request, translation);
	if (__builtin_expect(refuses(&entry, request), 0))
		return refuse_cached(amdvi, request, &entry, translation);
	return answer(amdvi, request, entry.out + (request->addr - entry.addr), entry.shift,
		      entry.perm, entry.flags, translation);
}

/* ---- What the IOMMU does for itself ---- */

bool amdvi_translate_internal(struct amdvi *amdvi, uint16_t device_id, uint64_t addr,
			      uint8_t access, uint64_t *pa)
{
	struct amdvi_walk walk;
	struct amdvi_page page;
	enum walk_status status;
	uint64_t dte[4];

	amdvi_walk_begin(&walk, amdvi);
	if (amdvi_dte(amdvi, device_id, dte) ||
	    (dte[0] & (AMDVI_DTE0_V | AMDVI_DTE0_TV)) != (AMDVI_DTE0_V | AMDVI_DTE0_TV))
		return false;
	amdvi_walk_dte(&walk, dte);
	status = amdvi_host_page(&walk, addr, access, false, &page);
	amdvi_walk_end(&walk);
	*pa = page.pa;
	return status == WALK_OK;
}

void amdvi_prefetch(struct amdvi *amdvi, uint16_t device_id, bool guest, uint32_t pasid,
		    uint64_t addr)
{
	struct amdvi_walk walk;
	uint64_t dte[4];

	amdvi_walk_begin(&walk, amdvi);
	if (amdvi_dte(amdvi, device_id, dte) ||
	    (dte[0] & (AMDVI_DTE0_V | AMDVI_DTE0_TV)) != (AMDVI_DTE0_V | AMDVI_DTE0_TV) ||
	    (guest && !(dte[0] & AMDVI_DTE0_GV)) || !amdvi_get(dte[0], AMDVI_DTE0_MODE))
		return;
	amdvi_walk_dte(&walk, dte);
	walk.pasid = pasid;
	prefetch_neighbour(&walk, addr ^ 0x1000, guest);
	amdvi_walk_end(&walk);
}
