// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who uses what under which domain id.
 *
 * A domain has one id in each IOMMU, from its first user there to its last: attaching the same
 * nested domain to a second device or PASID finds the id (and, for the same PASID, the very same
 * tags) that it has already. An id is free again when nothing is cached under it.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/fault.h"
#include "vtd.h"

static int did_get(struct vtd_domain *domain, struct vtd_iommu *iommu, uint16_t *did)
{
	unsigned int index = iommu->index, free = 1;

	if (domain->base.parent && vtd_parent(domain)->did_users[index] &&
	    FAULT("hyp.vtd-shares-parent-did", "nested domains take the id of their parent")) {
		*did = vtd_parent(domain)->did[index];
		domain->did_users[index]++;
		return 0;
	}
	if (!domain->did_users[index]) {
		while (free < iommu->did_count && iommu->dids[free / 64] & 1ull << free % 64)
			free++;
		if (free == iommu->did_count)
			return -ENOSPC;
		iommu->dids[free / 64] |= 1ull << free % 64;
		domain->did[index] = free;
	}
	domain->did_users[index]++;
	*did = domain->did[index];
	return 0;
}

/* What could not be invalidated under an id may still be there: such an id is never used again. */
static void did_put(struct vtd_domain *domain, struct vtd_iommu *iommu, bool clean)
{
	uint16_t did = domain->did[iommu->index];

	if (--domain->did_users[iommu->index] || !clean ||
	    FAULT("hyp.vtd-leaks-did", "domain ids never come back"))
		return;
	iommu->dids[did / 64] &= ~(1ull << did % 64);
}

static struct vtd_use *use_find(struct vtd_device *device, uint32_t pasid)
{
	struct vtd_use *use = device->uses;

	while (use && use->pasid != pasid)
		use = use->next_of_device;
	return use;
}

static void use_link(struct vtd_use *use)
{
	use->next_of_domain = use->domain->uses;
	use->domain->uses = use;
	use->next_of_device = use->device->uses;
	use->device->uses = use;
}

static void use_unlink(struct vtd_use *use)
{
	struct vtd_use **link;

	for (link = &use->domain->uses; *link != use; link = &(*link)->next_of_domain)
		;
	*link = use->next_of_domain;
	for (link = &use->device->uses; *link != use; link = &(*link)->next_of_device)
		;
	*link = use->next_of_device;
}

/* Not present first, invalidate then: the other way round hardware could read the entry again. */
static void use_end(struct vtd_use *use)
{
	int rc;

	if (FAULT("hyp.vtd-invalidates-before-clear",
		  "caches are invalidated while the PASID entry is still present")) {
		rc = vtd_flush_entry(use);
		vtd_entry_clear(use);
	} else {
		vtd_entry_clear(use);
		rc = vtd_flush_entry(use);
	}
	use_unlink(use);
	did_put(use->domain, use->device->iommu, !rc);
	if (use->device->pri && !use->device->fenced)
		vtd_prq_drain(use->device->iommu);
	free(use);
}

/* PCI capabilities: PASID before ATS, ATS before PRI. After a reset they are off again. */
static int device_open(struct vtd_device *device)
{
	const struct platform_device *pdev = device->base->pdev;
	struct platform *platform = device->iommu->vtd->hyp->platform;
	uint64_t ecap = device->iommu->ecap, d[1][4];
	int rc;

	device->pasid = pdev->pasid && ecap & VTD_ECAP_PASID && !device->iommu->legacy &&
			!platform->ops->pasid_enable(platform, pdev->rid, true);
	device->ats = pdev->ats && ecap & VTD_ECAP_DT &&
		      !platform->ops->ats_enable(platform, pdev->rid, true);
	device->pri = device->ats && pdev->pri && ecap & VTD_ECAP_PRS &&
		      !platform->ops->pri_enable(platform, pdev->rid, true);
	if (!device->fenced)
		return 0;
	device->fenced = false;
	rc = vtd_context_write(device, true);
	if (rc || !(device->iommu->cap & VTD_CAP_CM))
		return rc;
	vtd_inv_context(d[0], VTD_DEVICE, 0, pdev->rid, 0);
	return vtd_submit(device->iommu, d, 1, 0);
}

void vtd_fence(struct vtd_device *device)
{
	struct platform *platform = device->iommu->vtd->hyp->platform;
	uint16_t rid = device->base->pdev->rid;
	unsigned int n = 0;
	uint64_t d[3][4];

	if (device->fenced ||
	    FAULT("hyp.vtd-no-fence", "a device that does not answer keeps its access"))
		return;
	device->fenced = true;
	if (device->pri)
		platform->ops->pri_enable(platform, rid, false);
	platform->ops->ats_enable(platform, rid, false);
	device->ats = device->pri = false;
	for (struct vtd_use *use = device->uses; use; use = use->next_of_device)
		vtd_entry_clear(use);
	vtd_context_write(device, false);
	vtd_inv_context(d[n++], VTD_DEVICE, 0, rid, 0);
	if (!device->iommu->legacy)
		vtd_inv_pasid_cache(d[n++], VTD_PC_GLOBAL, 0, 0);
	vtd_inv_iotlb(d[n++], VTD_GLOBAL, 0, 0, 0, false);
	vtd_submit(device->iommu, d, n, 0);
}

/* Can @iommu walk it? Where there is a second stage, all tables are such. */
static bool walks(const struct vtd_iommu *iommu, const struct vtd_domain *paging)
{
	uint64_t cap = iommu->cap;

	if (paging->is_first)
		return iommu->ecap & VTD_ECAP_FSTS &&
		       (paging->max_shift <= 21 || cap & VTD_CAP_FS1GP);
	if (!iommu->legacy && !(iommu->ecap & VTD_ECAP_SSTS))
		return false;
	return cap & VTD_CAP_SAGAW_39 << (paging->table.levels - 3) &&
	       (paging->max_shift <= 12 || cap & VTD_CAP_SSLPS_2M) &&
	       (paging->max_shift <= 21 || cap & VTD_CAP_SSLPS_1G);
}

static int compatible(const struct vtd_device *device, struct vtd_domain *domain)
{
	const struct vtd_domain *paging = vtd_paging(domain);

	if (!walks(device->iommu, paging))
		return -EINVAL;
	if (domain->base.faults && !device->pri)
		return -ENODEV;
	return paging != domain ? vtd_nested_check(device->iommu, domain) : 0;
}

int vtd_attach(struct hyp_device *base, uint32_t pasid, struct hyp_domain *domain,
	       struct hyp_domain *old)
{
	struct vtd_device *device = vtd_device(base);
	struct vtd_use *use, *before;
	int rc = 0;

	if (pasid == VTD_RID_PASID &&
	    !FAULT("hyp.vtd-pasid-0-allowed", "a PASID attach takes the entry of the RID"))
		return -EINVAL;		/* belongs to the requests without PASID */
	if (!device->uses)
		rc = device_open(device);
	else if (device->fenced)
		rc = -EIO;
	if (!rc && pasid != HYP_NO_PASID && !device->pasid)
		rc = -EOPNOTSUPP;
	rc = rc ?: compatible(device, vtd_domain(domain));
	if (rc)
		return rc;
	use = calloc(1, sizeof(*use));
	if (!use)
		return -ENOMEM;
	use->device = device;
	use->domain = vtd_domain(domain);
	use->pasid = pasid == HYP_NO_PASID ? VTD_RID_PASID : pasid;
	rc = vtd_entry_room(device, use->pasid);
	rc = rc ?: did_get(use->domain, device->iommu, &use->did);
	if (rc) {
		free(use);
		return rc;
	}
	before = use_find(device, use->pasid);
	if (before)
		use_end(before);
	if (device->fenced &&
	    !FAULT("hyp.vtd-attach-hides-time-out", "a device that is fenced counts as attached")) {
		/* While the old one was taken away: there is none now, the device is blocked. */
		did_put(use->domain, device->iommu, true);
		free(use);
		return -ETIMEDOUT;
	}
	use_link(use);
	vtd_entry_write(use, vtd_paging(use->domain)->base.dirty_tracking &&
			!FAULT("hyp.vtd-attach-untracked",
			       "what is attached while dirty tracking is on is not tracked"));
	if (device->iommu->cap & VTD_CAP_CM)
		vtd_flush_entry(use);
	return 0;
}

void vtd_detach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *old)
{
	struct vtd_use *use = use_find(vtd_device(device),
				       pasid == HYP_NO_PASID ? VTD_RID_PASID : pasid);

	if (use)
		use_end(use);
}
