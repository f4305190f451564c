// SPDX-License-Identifier: GPL-2.0-only
/* VT-d nested domains (struct iommu_hwpt_vtd_s1) and the user's invalidations of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "vtd.h"

#define S1_FLAGS	(IOMMU_VTD_S1_SRE | IOMMU_VTD_S1_EAFE | IOMMU_VTD_S1_WPE)
#define PAGE		4096ull
#define CHUNK		16	/* entries between two syncs */

int vtd_nested_check(const struct vtd_iommu *iommu, const struct vtd_domain *domain)
{
	if (!(iommu->ecap & VTD_ECAP_NEST))
		return -EINVAL;
	if (domain->levels == 5 && !(iommu->cap & VTD_CAP_FS5LP))
		return -EINVAL;
	if (domain->flags & IOMMU_VTD_S1_SRE && !(iommu->ecap & VTD_ECAP_SRS))
		return -EINVAL;
	if (domain->flags & IOMMU_VTD_S1_EAFE && !(iommu->ecap & VTD_ECAP_EAFS))
		return -EINVAL;
	return 0;
}

/* "General ioctl format" of the uAPI: what is longer than we know must be 0 there. */
static int check_length(const void *data, uint32_t len, uint32_t known)
{
	const uint8_t *bytes = data;

	if (len < known)
		return -EINVAL;
	for (uint32_t i = known; i < len; i++)
		if (bytes[i] && !FAULT("hyp.vtd-ignores-tail",
				       "what a longer struct asks for is silently not done"))
			return -E2BIG;
	return 0;
}

int vtd_nested_alloc(struct hyp_device *device, struct hyp_domain *parent,
		     struct hyp_viommu *viommu, uint32_t flags, uint32_t type, const void *data,
		     uint32_t len, struct hyp_domain **out)
{
	const struct iommu_hwpt_vtd_s1 *user = data;
	struct vtd_domain *domain;
	int rc;

	if (type != IOMMU_HWPT_DATA_VTD_S1)
		return -EOPNOTSUPP;
	rc = check_length(data, len, sizeof(*user));
	if (rc)
		return rc;
	if ((user->flags & ~(uint64_t)S1_FLAGS || user->__reserved) &&
	    !FAULT("hyp.vtd-ignores-flags", "unknown flags of a first stage are silently dropped"))
		return -EOPNOTSUPP;
	if ((user->addr_width != 48 && user->addr_width != 57) || user->pgtbl_addr % PAGE ||
	    user->pgtbl_addr & ~VTD_FS_ADDR)
		return -EINVAL;
	domain = calloc(1, sizeof(*domain));
	if (!domain)
		return -ENOMEM;
	domain->base.hyp = device->hyp;
	domain->base.parent = parent;
	domain->first_stage = user->pgtbl_addr;
	domain->levels = user->addr_width == 57 ? 5 : 4;
	domain->flags = user->flags;
	rc = vtd_nested_check(vtd_device(device)->iommu, domain);
	if (rc) {
		free(domain);
		return rc;
	}
	domain->sibling = vtd_domain(parent)->nested;
	vtd_domain(parent)->nested = domain;
	*out = &domain->base;
	return 0;
}

static int copy_entry(uint64_t from, uint32_t len, struct iommu_hwpt_vtd_s1_invalidate *entry)
{
	uint8_t raw[PAGE];
	int rc = hyp_copy_from_user(raw, from, len) ?: check_length(raw, len, sizeof(*entry));

	if (!rc)
		memcpy(entry, raw, sizeof(*entry));
	return rc;
}

static int to_range(const struct iommu_hwpt_vtd_s1_invalidate *entry, struct vtd_range *range)
{
	bool whole = entry->npages == UINT64_MAX;
	uint64_t pages = entry->npages;

	if (entry->flags & ~IOMMU_VTD_INV_FLAGS_LEAF || entry->__reserved)
		return -EOPNOTSUPP;
	if (entry->addr % PAGE || (whole && entry->addr))
		return -EINVAL;
	if (!whole && (!pages || pages - 1 > (UINT64_MAX - entry->addr) / PAGE))
		return -EINVAL;
	if (!whole && pages > 1 &&
	    FAULT("hyp.vtd-one-page-less", "the last page of a range is left out"))
		pages--;
	*range = (struct vtd_range){
		.first = entry->addr,
		.last = whole ? UINT64_MAX : entry->addr + (pages - 1) * PAGE + PAGE - 1,
		.leaf = entry->flags & IOMMU_VTD_INV_FLAGS_LEAF,
	};
	if (whole && FAULT("hyp.vtd-whole-is-one-page", "npages of U64_MAX wraps to one page"))
		range->last = PAGE - 1;
	return 0;
}

/*
 * Entries are handled in order, in chunks that share their syncs. One counts when its chunk is
 * complete: a bad entry stops the call, those before it are done and counted.
 */
int vtd_user_invalidate(struct hyp_domain *base, struct hyp_viommu *viommu, uint32_t type,
		   uint64_t entries, uint32_t entry_len, uint32_t *num)
{
	struct iommu_hwpt_vtd_s1_invalidate entry;
	uint32_t total = *num, done = 0;
	struct vtd_range ranges[CHUNK];
	int rc = 0, flush_rc;

	*num = 0;
	if (!base)
		return -EOPNOTSUPP;
	if (type != IOMMU_HWPT_INVALIDATE_DATA_VTD_S1)
		return -EINVAL;
	if (!vtd_domain(base)->uses &&
	    FAULT("hyp.vtd-invalidate-needs-user", "only what is attached can be invalidated"))
		return -ENODEV;
	while (done < total && !rc) {
		unsigned int count = 0;

		while (count < CHUNK && done + count < total) {
			rc = copy_entry(entries + (uint64_t)(done + count) * entry_len, entry_len,
					&entry) ?: to_range(&entry, &ranges[count]);
			if (rc)
				break;
			count++;
		}
		flush_rc = vtd_flush_nested(vtd_domain(base), ranges, count);
		if (flush_rc)
			return flush_rc;
		done += count;
		*num = done;
		if (rc && FAULT("hyp.vtd-counts-bad-entry", "the entry that failed counts as done"))
			++*num;
		if (rc && FAULT("hyp.vtd-progress-by-chunk", "only whole chunks are counted"))
			*num = done / CHUNK * CHUNK;
	}
	return rc;
}
