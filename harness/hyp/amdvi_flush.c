// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which commands a change asks for (48882, 2.4.3 and 2.4.4).
 *
 * An ATC is filled from the caches of the IOMMU, so those are clean before the ATC is told.
 * Hardware keeps that order by itself (2.4): device table entries, pages, ATCs, whatever stands in
 * the buffer between two COMPLETION_WAITs. So one wait at the end is enough.
 */
#include <errno.h>

#include "amdvi.h"
#include "core/fault.h"

#define PASIDS_OF_LEVEL 512
#define ATC_BATCH 32	/* what a device takes at once, at most */

uint64_t amd_inv_range(uint64_t first, uint64_t last)
{
	uint64_t differ = (first ^ last) >> 12;
	unsigned int shift = 12 + (differ ? 64 - __builtin_clzll(differ) : 0);

	if (FAULT("hyp.amdvi-range-too-small", "a range becomes a block of half the size") &&
	    shift > 12)
		shift--;
	if (FAULT("hyp.amdvi-range-straddles",
		  "a range that straddles a boundary of its size is rounded to its first block") &&
	    shift > 12 && last - first + 1 <= 1ULL << (shift - 1))
		shift--;
	return amdvi_inv_address(first, shift);
}

void amd_queue_pages(struct amd_iommu *iommu, uint16_t domid, uint32_t pasid, uint64_t first,
		       uint64_t last)
{
	bool guest = pasid != HYP_NO_PASID;
	uint64_t flags = AMDVI_PAGES1_PDE | (guest ? AMDVI_PAGES1_GN : 0), cmd[2];

	if (FAULT("hyp.amdvi-no-pde", "only last-level entries are invalidated"))
		flags &= ~AMDVI_PAGES1_PDE;
	amdvi_cmd_invalidate_iommu_pages(cmd, domid, guest ? pasid : 0,
					 amd_inv_range(first, last), flags);
	amd_queue(iommu, cmd);
}

void amd_queue_atc(struct amd_device *device, uint32_t pasid, uint64_t first, uint64_t last)
{
	bool guest = pasid != HYP_NO_PASID;
	uint64_t cmd[2];

	if (!device->ats)
		return;
	amdvi_cmd_invalidate_iotlb_pages(cmd, amd_rid(device), amd_rid(device),
					 device->device->pdev->ats_queue_depth, guest ? pasid : 0,
					 amd_inv_range(first, last),
					 guest ? AMDVI_PAGES1_GN : 0);
	amd_queue(amd_iommu_of(device), cmd);
}

int amd_flush_dte(struct amd_iommu *iommu, uint16_t rid)
{
	uint64_t cmd[2];

	if (FAULT("hyp.amdvi-no-devtab-flush", "a changed device table entry is not invalidated"))
		return 0;
	amdvi_cmd_invalidate_devtab_entry(cmd, rid);
	amd_queue(iommu, cmd);
	return amd_sync(iommu);
}

uint16_t amd_domid_get(struct amd *amd)
{
	for (unsigned int i = 0; i < AMD_DOMIDS / 64; i++) {
		unsigned int bit = __builtin_ctzll(~amd->domids[i]);

		if (!~amd->domids[i])
			continue;
		amd->domids[i] |= 1ULL << bit;
		return i * 64 + bit;
	}
	return 0;
}

static void flush_domid(struct amd *amd, uint16_t domid, bool guest_tables)
{
	uint64_t cmd[2];

	amdvi_cmd_invalidate_iommu_all(cmd);
	amd_each_iommu(amd, iommu) {
		if (guest_tables)
			amd_queue(iommu, cmd);
		else
			amd_queue_pages(iommu, domid, HYP_NO_PASID, AMD_ALL_ADDRESSES);
	}
	amd_sync_all(amd);
}

/*
 * GN = 0 removes what was combined with the host's table. What is cached of a guest's own tables
 * goes by PASID only, and a guest has too many of them: where that tagged something, all goes.
 */
void amd_domid_put(struct amd *amd, uint16_t domid, bool guest_tables)
{
	if (guest_tables && !(amd->iommus[0].efr & AMDVI_EFR_IA_SUP))
		return;		/* never to be used again */
	if (!FAULT("hyp.amdvi-domid-reuse", "a DomainID is given out again without a flush"))
		flush_domid(amd, domid, guest_tables);
	amd->domids[domid / 64] &= ~(1ULL << domid % 64);
}

/*
 * The command has no form for all PASIDs of a guest, and one that the guest took out of its table
 * may still be in the ATC. A table of one level holds 512 of them: each is told. With more, ATS
 * goes off and on, which forgets them, before an invalidation drains what was under way.
 */
static int queue_guest_pasids(struct amd_device *device)
{
	struct platform *platform = device->device->hyp->platform;
	int rc = 0;

	if (FAULT("hyp.amdvi-atc-no-pasids", "only ATC entries without PASID are invalidated"))
		return 0;
	if (!amdvi_get(device->domain->dte[0], AMDVI_DTE0_GLX)) {
		for (uint32_t pasid = 0; pasid < PASIDS_OF_LEVEL; pasid++) {
			amd_queue_atc(device, pasid, AMD_ALL_ADDRESSES);
			if (pasid % ATC_BATCH == ATC_BATCH - 1)
				rc = amd_sync(amd_iommu_of(device)) ?: rc;
		}
		return rc;
	}
	/* The ATC must not fill again before the IOMMU is clean. */
	rc = amd_sync(amd_iommu_of(device));
	platform->ops->ats_enable(platform, amd_rid(device), false);
	if (device->ats)
		platform->ops->ats_enable(platform, amd_rid(device), true);
	return rc;
}

static int queue_whole_atc(struct amd_device *device)
{
	int rc = 0;

	if (!device->ats)
		return 0;
	if (device->pasid && device->domain && device->domain->kind == AMD_NESTED)
		rc = queue_guest_pasids(device);
	for (unsigned int i = 0; i < device->pasid_count; i++)
		if (device->pasids[i].pasid)
			amd_queue_atc(device, device->pasids[i].pasid, AMD_ALL_ADDRESSES);
	amd_queue_atc(device, HYP_NO_PASID, AMD_ALL_ADDRESSES);
	return rc;
}

/* For a device that is about to lose ATS, which forgets the rest: its requests drain. */
int amd_drain_atc(struct amd_device *device)
{
	amd_queue_atc(device, HYP_NO_PASID, AMD_ALL_ADDRESSES);
	return amd_sync(amd_iommu_of(device));
}

/* What IOMMUs cache of a v1 table: its own entries, and what guests' tables were combined with. */
static void queue_host(struct amd_domain *domain, uint64_t first, uint64_t last)
{
	struct amd *amd = amd_of(domain->base.hyp);

	amd_each_iommu(amd, iommu)
		amd_queue_pages(iommu, domain->domid, HYP_NO_PASID, first, last);
	for (struct amd_viommu *viommu = amd->viommus; viommu; viommu = viommu->next) {
		struct amd_iommu *iommu = &amd->iommus[viommu->viommu->iommu];

		if (viommu->viommu->parent != &domain->base ||
		    FAULT("hyp.amdvi-unmap-forgets-nested",
			  "unmapping stage 2 leaves what nested domains cached"))
			continue;
		for (struct amd_vdomain *v = viommu->vdomains; v; v = v->next)
			amd_queue_pages(iommu, v->host, HYP_NO_PASID, first, last);
	}
}

static int queue_host_atcs(struct amd_domain *domain, uint64_t first, uint64_t last)
{
	int rc = 0;

	if (FAULT("hyp.amdvi-unmap-forgets-atc", "unmapping stage 2 leaves the ATCs alone"))
		return 0;
	amd_each_device(amd_of(domain->base.hyp), device) {
		bool nested = device->domain && device->domain->base.parent == &domain->base;

		if (device->domain == domain)
			amd_queue_atc(device, HYP_NO_PASID, first, last);
		else if (nested)
			rc = queue_whole_atc(device) ?: rc;
		if (nested && FAULT("hyp.amdvi-unmap-first-device-only",
				    "unmapping stage 2 reaches the ATC of one device"))
			break;
	}
	return rc;
}

/* A v2 table of the hypervisor's: each device has its own tag for it. */
static void queue_guest(struct amd_domain *domain, uint64_t first, uint64_t last)
{
	amd_each_device(amd_of(domain->base.hyp), device) {
		for (unsigned int i = 0; i < device->pasid_count; i++) {
			uint32_t pasid = device->pasids[i].pasid;

			if (device->pasids[i].domain != domain)
				continue;
			amd_queue_pages(amd_iommu_of(device), device->gcr3_domid, pasid, first,
					last);
			amd_queue_atc(device, pasid ?: HYP_NO_PASID, first, last);
		}
	}
}

int amd_flush_domain(struct amd_domain *domain, uint64_t first, uint64_t last)
{
	struct amd *amd = amd_of(domain->base.hyp);
	bool wrong = FAULT("hyp.amdvi-unmap-atc-first",
			   "unmapping stage 2 tells the ATCs before the IOTLB is clean");
	int rc = 0;

	if (domain->kind == AMD_GUEST) {
		queue_guest(domain, first, last);
		return amd_sync_all(amd);
	}
	if (wrong) {
		queue_host_atcs(domain, first, last);
		amd_sync_all(amd);
	}
	queue_host(domain, first, last);
	if (!wrong)
		rc = queue_host_atcs(domain, first, last);
	return amd_sync_all(amd) ?: rc;
}

int amd_flush_pasid(struct amd_device *device, uint32_t pasid)
{
	amd_queue_pages(amd_iommu_of(device), device->gcr3_domid, pasid, AMD_ALL_ADDRESSES);
	amd_queue_atc(device, pasid ?: HYP_NO_PASID, AMD_ALL_ADDRESSES);
	return amd_sync(amd_iommu_of(device));
}
