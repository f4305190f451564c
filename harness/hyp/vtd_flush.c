// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a change must invalidate (D51397, 6.5.3.3 and its table of required invalidations).
 *
 * Always in two steps: the IOMMUs' caches, and when that is complete, the devices'. Else an ATC
 * could fetch the old translation again from an IOTLB that still has it. The guest does not know
 * which devices cache, so both are done here for everybody who uses the domain.
 */
#include "core/fault.h"
#include "vtd.h"

#define WHOLE_ORDER	52	/* 2^52 pages are all */
#define PAGE		4096ull

struct batch {
	struct vtd_iommu *iommu;
	unsigned int count;
	int rc;
	uint64_t descriptors[VTD_BATCH][4];
};

static void batch_end(struct batch *batch)
{
	int rc = 0;

	if (batch->count)
		rc = vtd_submit(batch->iommu, batch->descriptors, batch->count, 0);
	if (batch->count &&
	    FAULT("cost.vtd-syncs-twice", "every batch is followed by a second wait"))
		rc = vtd_submit(batch->iommu, batch->descriptors, 0, 0) ?: rc;
	batch->rc = batch->rc ?: rc;
	batch->count = 0;
}

/* The next descriptor of the batch, for @iommu */
static uint64_t *batch_next(struct batch *batch, struct vtd_iommu *iommu)
{
	if (batch->iommu != iommu || batch->count == VTD_BATCH)
		batch_end(batch);
	batch->iommu = iommu;
	return batch->descriptors[batch->count++];
}

/* log2 of the pages of the smallest aligned range that covers [@first, @last] */
static unsigned int covering_order(uint64_t first, uint64_t last)
{
	uint64_t differ = (first ^ last) / PAGE;

	if (FAULT("hyp.vtd-order-too-small", "a range that crosses its alignment is cut off"))
		differ = (last - first) / PAGE;
	return differ ? 64 - __builtin_clzll(differ) : 0;
}

/* Did an earlier use of the same domain already stand for the same tags of the same IOMMU? */
static bool tags_done(const struct vtd_use *use)
{
	for (const struct vtd_use *other = use->domain->uses; other != use;
	     other = other->next_of_domain)
		if (other->device->iommu == use->device->iommu && other->pasid == use->pasid)
			return true;
	return false;
}

static bool skip_iommu(const struct vtd_use *use)
{
	return use->device->iommu->index &&
	       FAULT("hyp.vtd-first-iommu-only", "only the first IOMMU of a domain is invalidated");
}

/* @max: ranges of a higher order go with the whole PASID */
static void add_piotlb(struct batch *batch, const struct vtd_use *use,
		       const struct vtd_range *range, unsigned int max)
{
	unsigned int order = covering_order(range->first, range->last);
	bool whole = order > max;
	uint32_t pasid = use->pasid;
	bool leaf = range->leaf;

	if (FAULT("hyp.vtd-always-leaf", "paging-structure caches are never invalidated"))
		leaf = true;
	if (FAULT("hyp.vtd-piotlb-for-rid", "the PASID of an attachment is taken as RID_PASID"))
		pasid = VTD_RID_PASID;
	vtd_inv_piotlb(batch_next(batch, use->device->iommu), whole ? VTD_PASID : VTD_PAGE,
		       use->did, pasid, whole ? 0 : range->first, whole ? 0 : order,
		       whole ? false : leaf);
}

static void add_iotlb(struct batch *batch, const struct vtd_use *use, uint64_t first,
		      uint64_t last)
{
	struct vtd_iommu *iommu = use->device->iommu;
	unsigned int order = covering_order(first, last);
	uint16_t did = use->did;
	bool page = iommu->cap & VTD_CAP_PSI && order <= VTD_GET(VTD_CAP_MAMV, iommu->cap);

	if (use->domain->base.parent &&
	    FAULT("hyp.vtd-parent-did", "nested users are invalidated under their parent's id"))
		did = vtd_parent(use->domain)->did[iommu->index];
	vtd_inv_iotlb(batch_next(batch, iommu), page ? VTD_PAGE : VTD_DOMAIN, did,
		      page ? first & (~0ull << order) : 0, page ? order : 0, false);
}

static void add_devtlb(struct batch *batch, const struct vtd_use *use, uint64_t first,
		       uint64_t last)
{
	const struct platform_device *pdev = use->device->base->pdev;
	unsigned int order = covering_order(first, last), mip = pdev->ats_queue_depth & 31;
	uint16_t pfsid = use->device->iommu->ecap & VTD_ECAP_DIT ? pdev->rid : 0;
	uint64_t *d;

	if (!use->device->ats)
		return;
	d = batch_next(batch, use->device->iommu);
	if (use->pasid == VTD_RID_PASID &&
	    !FAULT("hyp.vtd-devtlb-pasid-0", "the ATC of a RID is invalidated with a PASID prefix"))
		vtd_inv_devtlb(d, pdev->rid, pfsid, mip, first, order);
	else
		vtd_inv_pdevtlb(d, pdev->rid, pfsid, mip, use->pasid, false, first, order);
}

static void nested_iotlb(const struct vtd_domain *domain, const struct vtd_range *ranges,
			 unsigned int count, struct batch *batch)
{
	for (const struct vtd_use *use = domain->uses; use; use = use->next_of_domain)
		for (unsigned int i = 0; i < count && !tags_done(use) && !skip_iommu(use); i++)
			add_piotlb(batch, use, &ranges[i], WHOLE_ORDER - 1);
	batch_end(batch);
}

static void nested_devtlb(const struct vtd_domain *domain, const struct vtd_range *ranges,
			  unsigned int count, struct batch *batch)
{
	if (FAULT("hyp.vtd-no-devtlb", "devices' caches are left to the guest"))
		return;
	for (const struct vtd_use *use = domain->uses; use; use = use->next_of_domain) {
		for (unsigned int i = 0; i < count; i++)
			add_devtlb(batch, use, ranges[i].first, ranges[i].last);
		if (FAULT("hyp.vtd-first-device-only", "only one ATC of a domain is invalidated"))
			break;
	}
	batch_end(batch);
}

int vtd_flush_nested(struct vtd_domain *domain, const struct vtd_range *ranges, unsigned int count)
{
	struct batch batch = {};

	if (FAULT("hyp.vtd-devtlb-first", "devices' caches are invalidated before the IOTLB")) {
		nested_devtlb(domain, ranges, count, &batch);
		nested_iotlb(domain, ranges, count, &batch);
		return batch.rc;
	}
	nested_iotlb(domain, ranges, count, &batch);
	nested_devtlb(domain, ranges, count, &batch);
	return batch.rc;
}

/* What a user of a paging domain has cached: by PASID for a first stage, else by domain */
static void paging_use(const struct vtd_use *use, uint64_t first, uint64_t last,
		       struct batch *batch)
{
	const struct vtd_range range = { first, last, false };

	if (use->domain->is_first)
		add_piotlb(batch, use, &range, VTD_GET(VTD_CAP_MAMV, use->device->iommu->cap));
	else
		add_iotlb(batch, use, first, last);
}

/*
 * Entries of nested users combine both stages; IOTLB invalidation by page removes them whatever
 * their address (their tag is the guest's), and second-stage paging-structure entries by theirs.
 * First-stage entries that are absent are never cached, caching mode or not (6.1).
 */
static void paging_iotlb(const struct vtd_domain *domain, uint64_t first, uint64_t last,
			 bool absent, struct batch *batch)
{
	for (const struct vtd_use *use = domain->uses; use; use = use->next_of_domain)
		if (!tags_done(use) && !skip_iommu(use) &&
		    (!absent || (use->device->iommu->cap & VTD_CAP_CM && !domain->is_first)))
			paging_use(use, first, last, batch);
	if (domain->base.parent ||
	    FAULT("hyp.vtd-forgets-nested", "a second-stage unmap leaves nested users alone"))
		return;
	for (const struct vtd_domain *nested = domain->nested; nested; nested = nested->sibling)
		paging_iotlb(nested, first, last, absent, batch);
}

/* What a nested user's ATC holds is tagged with the guest's addresses: all of it must go. */
static void paging_devtlb(const struct vtd_domain *domain, uint64_t first, uint64_t last,
			  struct batch *batch)
{
	for (const struct vtd_use *use = domain->uses; use; use = use->next_of_domain)
		add_devtlb(batch, use, first, last);
	for (const struct vtd_domain *nested = domain->nested; nested; nested = nested->sibling) {
		for (const struct vtd_use *use = nested->uses; use; use = use->next_of_domain) {
			if (FAULT("hyp.vtd-nested-devtlb-range",
				  "a nested user's ATC is invalidated by guest physical address"))
				add_devtlb(batch, use, first, last);
			else if (!FAULT("hyp.vtd-nested-no-devtlb",
					"a second-stage unmap forgets nested users' ATCs"))
				add_devtlb(batch, use, 0, UINT64_MAX);
		}
	}
	batch_end(batch);
}

int vtd_flush_paging(struct vtd_domain *domain, uint64_t first, uint64_t last)
{
	struct batch batch = {};

	paging_iotlb(domain, first, last, false, &batch);
	batch_end(&batch);
	paging_devtlb(domain, first, last, &batch);
	return batch.rc;
}

int vtd_flush_absent(struct vtd_domain *domain, uint64_t first, uint64_t last)
{
	struct batch batch = {};

	if (FAULT("hyp.vtd-ignores-caching-mode", "absent entries are taken as never cached"))
		return 0;
	paging_iotlb(domain, first, last, true, &batch);
	batch_end(&batch);
	return batch.rc;
}

/*
 * Context cache (legacy mode) or PASID cache, then everything under the domain id: for second-stage
 * and nested entries that is the IOTLB invalidation by domain, which takes the paging-structure
 * caches along; for first-stage ones the PASID under that domain id.
 */
int vtd_flush_entry(const struct vtd_use *use)
{
	struct vtd_iommu *iommu = use->device->iommu;
	struct batch batch = {};

	if (iommu->legacy)
		vtd_inv_context(batch_next(&batch, iommu), VTD_DEVICE, use->did,
				use->device->base->pdev->rid, 0);
	else if (!FAULT("hyp.vtd-no-pasid-cache",
			"a changed PASID entry stays in the PASID cache"))
		vtd_inv_pasid_cache(batch_next(&batch, iommu), VTD_PC_PASID, use->did, use->pasid);
	if (use->domain->is_first)
		vtd_inv_piotlb(batch_next(&batch, iommu), VTD_PASID, use->did, use->pasid, 0, 0,
			       false);
	else if (!FAULT("hyp.vtd-entry-no-iotlb",
			"what a PASID entry that is gone translated stays"))
		vtd_inv_iotlb(batch_next(&batch, iommu), VTD_DOMAIN, use->did, 0, 0, false);
	batch_end(&batch);
	if (!FAULT("hyp.vtd-entry-no-devtlb", "the ATC of what is detached stays as it is"))
		add_devtlb(&batch, use, 0, UINT64_MAX);
	batch_end(&batch);
	return batch.rc;
}
