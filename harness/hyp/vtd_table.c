// SPDX-License-Identifier: GPL-2.0-only
/* VT-d root, context and PASID tables of scalable mode (D51397, 9.1, 9.4, 9.5, 9.6). */
#include <errno.h>

#include "core/fault.h"
#include "vtd.h"

#define PASID_DIR_BYTES	(1u << 17)	/* 2^14 entries of 8 bytes: PDTS = 7 */
#define PASID_DIR_PDTS	7
#define CONTEXT_QWORDS	4
#define PASID_QWORDS	8

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* The 4 quadwords of the device, in the half of its bus that its devfn selects */
static uint64_t *context_entry(struct vtd_device *device)
{
	struct pages *pages = &device->iommu->vtd->hyp->pages;
	uint16_t rid = device->base->pdev->rid;
	uint64_t *root = pages_ptr(pages, device->iommu->root);
	uint64_t *half = &root[(rid >> 8) * 2 + (rid >> 7 & 1)], *table;

	if (!*half) {
		uint64_t pa = pages_alloc(pages, 4096);

		if (!pa)
			return NULL;
		store(half, pa | VTD_ROOT_P);
	}
	table = pages_ptr(pages, *half & VTD_ROOT_CTP);
	return &table[(rid & 0x7f) * CONTEXT_QWORDS];
}

int vtd_context_write(struct vtd_device *device, bool present)
{
	uint64_t *context = context_entry(device);

	if (!context)
		return -ENOMEM;
	store(&context[1], VTD_PUT(VTD_SM_CONTEXT_RID_PASID, VTD_RID_PASID));
	store(&context[0], !present ? 0 : device->pasid_dir | VTD_SM_CONTEXT_P |
	      (device->ats ? VTD_SM_CONTEXT_DTE : 0) |
	      (device->pasid ? VTD_SM_CONTEXT_PASIDE : 0) |
	      (device->pri ? VTD_SM_CONTEXT_PRE : 0) |
	      VTD_PUT(VTD_SM_CONTEXT_PDTS, PASID_DIR_PDTS));
	return 0;
}

int vtd_table_init(struct vtd_device *device)
{
	device->pasid_dir = pages_alloc(&device->iommu->vtd->hyp->pages, PASID_DIR_BYTES);
	return device->pasid_dir ? 0 : -ENOMEM;
}

uint64_t *vtd_pasid_entry(struct vtd_device *device, uint32_t pasid)
{
	struct pages *pages = &device->iommu->vtd->hyp->pages;
	uint64_t *dir = pages_ptr(pages, device->pasid_dir), *table;

	if (!dir[pasid >> 6]) {
		uint64_t pa = pages_alloc(pages, 4096);

		if (!pa)
			return NULL;
		store(&dir[pasid >> 6], pa | VTD_PASIDDIR_P);
	}
	table = pages_ptr(pages, dir[pasid >> 6] & VTD_PASIDDIR_SMPTBLPTR);
	return &table[(pasid & 63) * PASID_QWORDS];
}

static uint64_t first_stage_word(const struct vtd_domain *domain)
{
	return domain->first_stage | VTD_PUT(VTD_PASID_FSPM, domain->levels - 4) |
	       (domain->flags & IOMMU_VTD_S1_SRE ? VTD_PASID_SRE : 0) |
	       (domain->flags & IOMMU_VTD_S1_WPE ? VTD_PASID_WPE : 0) |
	       (domain->flags & IOMMU_VTD_S1_EAFE ? VTD_PASID_EAFE : 0);
}

void vtd_pasid_write(const struct vtd_use *use, bool track_dirty)
{
	struct vtd_domain *domain = use->domain;
	struct vtd_domain *paging = vtd_paging(domain);
	uint64_t *entry = vtd_pasid_entry(use->device, use->pasid);
	bool nested = paging != domain;

	store(&entry[1], VTD_PUT(VTD_PASID_DID, use->did));
	store(&entry[2], nested ? first_stage_word(domain) : 0);
	store(&entry[0], VTD_PASID_P | paging->second_stage.root |
	      VTD_PUT(VTD_PASID_AW, paging->second_stage.levels - 2) |
	      VTD_PUT(VTD_PASID_PGTT, nested ? VTD_PGTT_NESTED : VTD_PGTT_SECOND_STAGE) |
	      (track_dirty ? VTD_PASID_SSADE : 0));
}
