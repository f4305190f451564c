// SPDX-License-Identifier: GPL-2.0-only
/* Paging domains: v1 tables for RIDs and as nest parents, v2 tables for PASIDs; dirty tracking. */
#include <errno.h>
#include <stdlib.h>

#include "amdvi.h"
#include "core/fault.h"

#define GUEST_LEVELS 4
#define V2_FEATURES (AMDVI_EFR_GT_SUP | AMDVI_EFR_GIO_SUP)

static int supports(struct amd_iommu *iommu, uint32_t flags)
{
	if (flags & IOMMU_HWPT_ALLOC_NEST_PARENT &&
	    (flags & IOMMU_HWPT_ALLOC_PASID || ~iommu->efr & V2_FEATURES ||
	     !(iommu->efr2 & AMDVI_EFR2_GCR3TRP_MODE)))
		return -EOPNOTSUPP;
	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING &&
	    (flags & IOMMU_HWPT_ALLOC_PASID || !(iommu->efr & AMDVI_EFR_HD_SUP)))
		return -EOPNOTSUPP;
	/* Such a table is the RID's, too, beside PASIDs: that is GIOV (2.2.2). */
	if (flags & IOMMU_HWPT_ALLOC_PASID && ~iommu->efr & V2_FEATURES)
		return -EOPNOTSUPP;
	return 0;
}

static int init(struct hyp *hyp, struct amd_domain *domain)
{
	if (domain->kind == AMD_GUEST)
		return pgtable_init(&domain->pt, &pgtable_x86_64, GUEST_LEVELS, 0, &hyp->pages);
	domain->domid = amd_domid_get(amd_of(hyp));
	if (!domain->domid)
		return -ENOSPC;
	return pgtable_init(&domain->pt, &pgtable_amdv1, AMD_HOST_LEVELS, 0, &hyp->pages);
}

int amd_paging_alloc(struct hyp_device *device, uint32_t flags, struct hyp_domain **domain)
{
	struct amd_domain *new;
	int rc;

	rc = supports(amd_iommu_of(amd_device_of(device)), flags);
	if (rc)
		return rc;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->base.hyp = device->hyp;
	new->base.flags = flags;
	new->kind = flags & IOMMU_HWPT_ALLOC_PASID ? AMD_GUEST : AMD_HOST;
	rc = init(device->hyp, new);
	if (rc) {
		if (new->domid)
			amd_domid_put(amd_of(device->hyp), new->domid, false);
		free(new);
		return rc;
	}
	*domain = &new->base;
	return 0;
}

void amd_domain_free(struct hyp_domain *domain)
{
	struct amd_domain *gone = amd_domain_of(domain);

	if (gone->kind == AMD_NESTED) {
		amd_nested_free(gone);
		return;
	}
	if (gone->kind == AMD_HOST)
		amd_domid_put(amd_of(domain->hyp), gone->domid, false);
	pgtable_fini(&gone->pt);
	free(gone);
}

int amd_map(struct hyp_domain *domain, uint64_t iova, uint64_t pa, uint64_t len, uint32_t prot)
{
	struct amd_domain *to = amd_domain_of(domain);
	unsigned int bits = PGTABLE_USER;
	int rc;

	bits |= prot & IOMMU_IOAS_MAP_READABLE ? PGTABLE_READ : 0;
	bits |= prot & IOMMU_IOAS_MAP_WRITEABLE ? PGTABLE_WRITE : 0;
	if (domain->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING)
		bits |= PGTABLE_NO_ACCESSED | PGTABLE_NO_DIRTY;
	rc = pgtable_map(&to->pt, iova, pa, len, bits, 0);
	if (rc || !domain->hyp->platform->caches_absent ||
	    FAULT("hyp.amdvi-np-cache-ignored", "a new mapping is not invalidated for NpCache"))
		return rc;
	return amd_flush_domain(to, iova, iova + len - 1);
}

int amd_unmap(struct hyp_domain *domain, uint64_t iova, uint64_t len)
{
	struct amd_domain *from = amd_domain_of(domain);

	/* Freed tables are not used again before the flush: nothing allocates in between. */
	pgtable_unmap(&from->pt, iova, len, false);
	if (FAULT("hyp.amdvi-unmap-no-flush", "unmapping is not followed by an invalidation"))
		return 0;
	return amd_flush_domain(from, iova, iova + len - 1);
}

/* Hardware sets D only where the device table entry says so, once for a cached entry. */
int amd_set_dirty(struct hyp_domain *domain, bool on)
{
	struct amd_domain *tracked = amd_domain_of(domain);
	struct amd *amd = amd_of(domain->hyp);
	int rc = 0;

	if (!(domain->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING))
		return -EOPNOTSUPP;
	domain->dirty_tracking = on;
	amd_each_device(amd, device) {
		bool nested = device->domain && device->domain->base.parent == domain;

		if (device->domain != tracked &&
		    (!nested || FAULT("hyp.amdvi-dirty-forgets-nested",
				      "dirty tracking is not turned on for nested domains")))
			continue;
		rc = amd_table_refresh(device) ?: rc;
	}
	/* What hardware itself stores for a guest, COMPLETION_WAIT say, makes pages dirty, too. */
	for (struct amd_viommu *viommu = amd->viommus; viommu; viommu = viommu->next)
		if (viommu->viommu->parent == domain)
			rc = amd_vf_translate_write(viommu) ?: rc;
	return amd_flush_domain(tracked, AMD_ALL_ADDRESSES) ?: rc;
}

/* One leaf, of which large ones are a run of entries: D may be in any of them. */
static bool take_dirty(struct amd_domain *domain, uint64_t iova, const struct pgtable_leaf *leaf,
		       bool clear)
{
	uint64_t size = 1ULL << leaf->shift, step = 1ULL << (12 + 9 * leaf->level);
	uint64_t begin = iova & ~(size - 1);
	bool dirty = false;

	for (uint64_t at = begin; at - begin < size; at += step) {
		uint64_t *entry = pgtable_entry(&domain->pt, at, leaf->level);

		if (!entry || !(__atomic_load_n(entry, __ATOMIC_RELAXED) & AMDVI_PTE_D))
			continue;
		dirty = true;
		if (clear)
			__atomic_fetch_and(entry, ~AMDVI_PTE_D, __ATOMIC_RELAXED);
	}
	return dirty;
}

int amd_read_dirty(struct hyp_domain *domain, uint64_t iova, uint64_t len, uint32_t flags,
		     struct hyp_dirty *dirty)
{
	struct amd_domain *tracked = amd_domain_of(domain);
	bool clear = !(flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR), cleared = false;
	uint64_t at = iova, end = iova + len;

	while (at < end) {
		struct pgtable_leaf leaf;
		uint64_t next = at + 4096;

		if (pgtable_walk(&tracked->pt, at, &leaf)) {
			next = (at | ((1ULL << leaf.shift) - 1)) + 1;
			if (take_dirty(tracked, at, &leaf, clear)) {
				cleared = clear;
				dirty->page(dirty, at, (next < end ? next : end) - at);
			}
		}
		at = next;
	}
	/* A cached entry that is known to be dirty would never set D again. */
	if (!cleared || FAULT("hyp.amdvi-dirty-no-flush", "D bits are cleared, and stay cached"))
		return 0;
	return amd_flush_domain(tracked, iova, end - 1);
}
