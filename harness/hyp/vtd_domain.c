// SPDX-License-Identifier: GPL-2.0-only
/* VT-d paging domains: map, unmap, dirty tracking (D51397, 3.6, 3.7, 3.7.2). */
#include <errno.h>
#include <stdlib.h>

#include "core/fault.h"
#include "vtd.h"

#define FIRST_STAGE_LEVELS 4

static unsigned int levels_of(uint64_t cap)
{
	if (cap & VTD_CAP_SAGAW_48)
		return 4;
	return cap & VTD_CAP_SAGAW_57 ? 5 : 3;
}

/* A second stage; a first stage on hardware that has no second in scalable mode */
static int table_init(struct vtd_domain *domain, const struct vtd_iommu *iommu, struct pages *pages)
{
	domain->is_first = !iommu->legacy && !(iommu->ecap & VTD_ECAP_SSTS);
	if (domain->is_first) {
		domain->max_shift = iommu->cap & VTD_CAP_FS1GP ? 30 : 21;
		return pgtable_init(&domain->table, &pgtable_x86_64, FIRST_STAGE_LEVELS, 0, pages);
	}
	domain->max_shift = iommu->cap & VTD_CAP_SSLPS_1G ? 30 :
			    iommu->cap & VTD_CAP_SSLPS_2M ? 21 : 12;
	return pgtable_init(&domain->table, &pgtable_vtdss, levels_of(iommu->cap), 0, pages);
}

int vtd_paging_alloc(struct hyp_device *device, uint32_t flags, struct hyp_domain **out)
{
	const struct vtd_iommu *iommu = vtd_device(device)->iommu;
	struct vtd_domain *domain;
	int rc;

	if (flags & IOMMU_HWPT_ALLOC_NEST_PARENT && !(iommu->ecap & VTD_ECAP_NEST) &&
	    !FAULT("hyp.vtd-nest-unchecked", "nest parents are made for hardware without nesting"))
		return -EOPNOTSUPP;
	if (flags & IOMMU_HWPT_ALLOC_PASID && !(iommu->ecap & VTD_ECAP_PASID))
		return -EOPNOTSUPP;
	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING &&
	    (~iommu->ecap & (VTD_ECAP_SSADS | VTD_ECAP_SMPWCS)))
		return -EOPNOTSUPP;
	domain = calloc(1, sizeof(*domain));
	if (!domain)
		return -ENOMEM;
	domain->base.hyp = device->hyp;
	domain->base.flags = flags;
	rc = table_init(domain, iommu, &device->hyp->pages);
	if (rc) {
		free(domain);
		return rc;
	}
	*out = &domain->base;
	return 0;
}

void vtd_domain_free(struct hyp_domain *base)
{
	struct vtd_domain *domain = vtd_domain(base), **link;

	if (base->parent) {
		for (link = &vtd_parent(domain)->nested; *link != domain; link = &(*link)->sibling)
			;
		*link = domain->sibling;
	} else {
		pgtable_fini(&domain->table);
	}
	free(domain);
}

static uint64_t aperture_last(const struct vtd_domain *domain)
{
	/* Of a first stage, the canonical addresses that do not begin with ones (3.6) */
	return (1ull << (12 + 9 * domain->table.levels - domain->is_first)) - 1;
}

int vtd_map(struct hyp_domain *base, uint64_t iova, uint64_t pa, uint64_t len, uint32_t prot)
{
	struct vtd_domain *domain = vtd_domain(base);
	unsigned int bits = domain->is_first ? PGTABLE_USER : 0;
	int rc;

	if (domain->is_first && iova + len - 1 > aperture_last(domain))
		return -ERANGE;
	bits |= prot & IOMMU_IOAS_MAP_READABLE ? PGTABLE_READ : 0;
	bits |= prot & IOMMU_IOAS_MAP_WRITEABLE ? PGTABLE_WRITE : 0;
	if (base->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING)
		bits |= PGTABLE_NO_ACCESSED | PGTABLE_NO_DIRTY;
	rc = pgtable_map(&domain->table, iova, pa, len, bits, domain->max_shift);
	return rc ?: vtd_flush_absent(domain, iova, iova + len - 1);
}

/*
 * Tables that become empty are freed before caches forget them, but nobody can get their memory
 * until this returns (hyp.h: one lock), and until then they read as empty.
 */
int vtd_unmap(struct hyp_domain *base, uint64_t iova, uint64_t len)
{
	struct vtd_domain *domain = vtd_domain(base);

	pgtable_unmap(&domain->table, iova, len, false);
	if (FAULT("hyp.vtd-unmap-no-flush", "unmapping invalidates nothing"))
		return 0;
	return vtd_flush_paging(domain, iova, iova + len - 1);
}

/* The leaf entry that covers @iova, and log2 of what it, or the hole there, covers */
static uint64_t *leaf_entry(struct pgtable *pt, uint64_t iova, unsigned int *shift)
{
	for (unsigned int level = pt->levels; level--;) {
		uint64_t *entry = pgtable_entry(pt, iova, level);

		*shift = pt->format->page_shift + level * pt->format->index_bits;
		switch (pt->format->kind(pt, level, *entry)) {
		case PGTABLE_LEAF:
			return entry;
		case PGTABLE_NONE:
			return NULL;
		case PGTABLE_TABLE:
			break;
		}
	}
	return NULL;
}

/* Report, and unless @keep forget, what was written in [@iova, @last]. Was anything forgotten? */
static bool collect_dirty(struct vtd_domain *domain, uint64_t iova, uint64_t last, bool keep,
			  struct hyp_dirty *dirty)
{
	uint64_t written = VTD_SS_D;
	bool cleared = false;

	if (FAULT("hyp.vtd-accessed-is-dirty", "what was only read is reported as written"))
		written = VTD_SS_A;
	for (uint64_t size; iova <= last; iova = (iova & -size) + size) {
		unsigned int shift = 0;
		uint64_t *entry = leaf_entry(&domain->table, iova, &shift);

		size = 1ull << shift;
		if (entry && __atomic_load_n(entry, __ATOMIC_RELAXED) & written) {
			if (dirty)
				dirty->page(dirty, iova & -size, size);
			if (!keep) {
				__atomic_fetch_and(entry, ~written, __ATOMIC_ACQ_REL);
				cleared = true;
			}
		}
	}
	return cleared;
}

static int rewrite_entries(struct vtd_domain *domain)
{
	int rc = 0;

	for (struct vtd_use *use = domain->uses; use; use = use->next_of_domain) {
		if (use->device->fenced)
			continue;
		vtd_entry_write(use, vtd_paging(domain)->base.dirty_tracking);
		rc = vtd_flush_entry(use) ?: rc;
	}
	return rc;
}

/* SSADE lies in the PASID entries, of nested users too: their second stage is this one. */
int vtd_set_dirty(struct hyp_domain *base, bool on)
{
	struct vtd_domain *domain = vtd_domain(base);
	int rc;

	base->dirty_tracking = on;
	if (on)
		collect_dirty(domain, 0, aperture_last(domain), false, NULL);
	rc = rewrite_entries(domain);
	if (FAULT("hyp.vtd-dirty-forgets-nested", "nested users do not track dirty pages"))
		return rc;
	for (struct vtd_domain *nested = domain->nested; nested; nested = nested->sibling)
		rc = rewrite_entries(nested) ?: rc;
	return rc;
}

/* A cached entry with D set is written through without a word: it must go with the bit. */
int vtd_read_dirty(struct hyp_domain *base, uint64_t iova, uint64_t len, uint32_t flags,
		   struct hyp_dirty *dirty)
{
	struct vtd_domain *domain = vtd_domain(base);
	bool keep = flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR;
	uint64_t last = iova + len - 1;

	if (last < iova || last > aperture_last(domain))
		return -EINVAL;
	if (!collect_dirty(domain, iova, last, keep, dirty) ||
	    FAULT("hyp.vtd-dirty-no-flush", "dirty bits are cleared in memory, not in caches"))
		return 0;
	return vtd_flush_paging(domain, iova, last);
}
