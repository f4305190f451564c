// SPDX-License-Identifier: GPL-2.0-only
/* VT-d root, context and PASID tables (D51397, 9.1 to 9.6). */
#include <errno.h>

#include "core/fault.h"
#include "vtd.h"

#define PASID_DIR_BYTES	(1u << 17)	/* 2^14 entries of 8 bytes: PDTS = 7 */
#define PASID_DIR_PDTS	7
#define CONTEXT_QWORDS	4
#define LEGACY_CONTEXT_QWORDS 2
#define PASID_QWORDS	8

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* The device's quadwords; in scalable mode in the half of its bus that its devfn selects */
static uint64_t *context_entry(struct vtd_device *device)
{
	struct pages *pages = &device->iommu->vtd->hyp->pages;
	uint64_t *root = pages_ptr(pages, device->iommu->root), *half, *table;
	uint16_t rid = device->base->pdev->rid;
	bool legacy = device->iommu->legacy;

	half = &root[(rid >> 8) * 2 + (legacy ? 0 : rid >> 7 & 1)];
	if (!*half) {
		uint64_t pa = pages_alloc(pages, 4096);

		if (!pa)
			return NULL;
		store(half, pa | VTD_ROOT_P);
	}
	table = pages_ptr(pages, *half & VTD_ROOT_CTP);
	return legacy ? &table[(rid & 0xff) * LEGACY_CONTEXT_QWORDS] :
			&table[(rid & 0x7f) * CONTEXT_QWORDS];
}

int vtd_context_write(struct vtd_device *device, bool present)
{
	uint64_t *context = context_entry(device);

	if (!context)
		return -ENOMEM;
	if (device->iommu->legacy) {
		if (!present)
			store(&context[0], 0);
		return 0;
	}
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
	if (device->iommu->legacy)
		return 0;
	device->pasid_dir = pages_alloc(&device->iommu->vtd->hyp->pages, PASID_DIR_BYTES);
	return device->pasid_dir ? 0 : -ENOMEM;
}

/* The 8 quadwords of @pasid; NULL: no memory */
static uint64_t *pasid_entry(struct vtd_device *device, uint32_t pasid)
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

int vtd_entry_room(struct vtd_device *device, uint32_t pasid)
{
	void *entry = device->iommu->legacy ? context_entry(device) : pasid_entry(device, pasid);

	return entry ? 0 : -ENOMEM;
}

static uint64_t first_stage_word(const struct vtd_domain *domain)
{
	if (domain->is_first)
		return domain->table.root | VTD_PUT(VTD_PASID_FSPM, domain->table.levels - 4);
	return domain->first_stage | VTD_PUT(VTD_PASID_FSPM, domain->levels - 4) |
	       (domain->flags & IOMMU_VTD_S1_SRE ? VTD_PASID_SRE : 0) |
	       (domain->flags & IOMMU_VTD_S1_WPE ? VTD_PASID_WPE : 0) |
	       (domain->flags & IOMMU_VTD_S1_EAFE ? VTD_PASID_EAFE : 0);
}

static void pasid_write(const struct vtd_use *use, bool track_dirty)
{
	struct vtd_domain *domain = use->domain;
	struct vtd_domain *paging = vtd_paging(domain);
	uint64_t *entry = pasid_entry(use->device, use->pasid), word = VTD_PASID_P;
	bool nested = paging != domain;

	/* AW is of the second stage (9.6); QEMU 11.1 takes it as the first stage's width, too. */
	word |= VTD_PUT(VTD_PASID_AW, paging->table.levels - 2);
	if (!paging->is_first)
		word |= paging->table.root | (track_dirty ? VTD_PASID_SSADE : 0);
	store(&entry[1], VTD_PUT(VTD_PASID_DID, use->did));
	store(&entry[2], nested || paging->is_first ? first_stage_word(domain) : 0);
	store(&entry[0], word | VTD_PUT(VTD_PASID_PGTT, nested ? VTD_PGTT_NESTED :
					paging->is_first ? VTD_PGTT_FIRST_STAGE :
					VTD_PGTT_SECOND_STAGE));
}

/* Legacy mode: the context entry has the second stage itself; TT 1 where there is ATS (9.3). */
static void context_write(const struct vtd_use *use)
{
	const struct pgtable *table = &use->domain->table;
	uint64_t *context = context_entry(use->device);

	store(&context[1], VTD_PUT(VTD_CONTEXT_AW, table->levels - 2) |
	      VTD_PUT(VTD_CONTEXT_DID, use->did));
	store(&context[0], VTD_CONTEXT_P | table->root |
	      VTD_PUT(VTD_CONTEXT_TT, use->device->ats ? VTD_TT_ALL : VTD_TT_UNTRANSLATED));
}

void vtd_entry_write(const struct vtd_use *use, bool track_dirty)
{
	if (use->device->iommu->legacy)
		context_write(use);
	else
		pasid_write(use, track_dirty);
}

void vtd_entry_clear(const struct vtd_use *use)
{
	store(use->device->iommu->legacy ? context_entry(use->device) :
	      pasid_entry(use->device, use->pasid), 0);
}
