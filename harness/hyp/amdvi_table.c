// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device table entries (48882, 2.2.2), and what is attached to a device.
 *
 * Four words cannot change at once under hardware that reads them at any time. An entry that is in
 * use becomes "blocked" by a store to its first word, and that is what hardware knows, before the
 * others change. One word alone changes at once. A blocked entry is valid and allows nothing; an
 * invalid one would let all through.
 */
#include <errno.h>

#include "amdvi.h"
#include "core/fault.h"

#define DTE_BLOCKED (AMDVI_DTE0_V | AMDVI_DTE0_TV)
#define GCR3_ENTRIES 512
#define GCR3_BYTES 4096
#define TRANS_IDS 64

static uint64_t *entry_of(struct hyp *hyp, uint16_t rid)
{
	return pages_ptr(&hyp->pages, amd_of(hyp)->devtab + rid * AMDVI_DTE_SIZE);
}

static void put_word(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

int amd_table_start(struct hyp *hyp)
{
	struct amd *amd = amd_of(hyp);
	uint32_t ids = AMDVI_IOMMU_DEVICE_ID(amd->iommu_count - 1) + 1;

	amd_each_device(amd, device)
		ids = amd_rid(device) >= ids ? amd_rid(device) + 1 : ids;
	amd->first_trans_id = ids;
	ids += TRANS_IDS;
	amd->devtab_size = 4096;
	while (amd->devtab_size < ids * AMDVI_DTE_SIZE)
		amd->devtab_size *= 2;
	amd->devtab_ids = amd->devtab_size / AMDVI_DTE_SIZE;
	amd->devtab = pages_alloc(&hyp->pages, amd->devtab_size);
	if (!amd->devtab)
		return -ENOMEM;
	for (uint32_t id = 0; id < amd->devtab_ids; id++)
		if (!FAULT("hyp.amdvi-unattached-passes",
			   "entries of devices that nobody attached are not valid: all pass"))
			put_word(entry_of(hyp, id), DTE_BLOCKED);
	return 0;
}

void amd_table_block(struct amd_iommu *iommu, uint16_t rid)
{
	put_word(entry_of(iommu->hyp, rid), DTE_BLOCKED);
}

int amd_table_write(struct amd_iommu *iommu, uint16_t rid, const uint64_t dte[4])
{
	uint64_t *entry = entry_of(iommu->hyp, rid);
	unsigned int changed = 0;
	int rc = 0;

	for (unsigned int i = 0; i < 4; i++)
		changed += entry[i] != dte[i];
	if (entry[0] != DTE_BLOCKED &&
	    (changed > 1 || FAULT("hyp.amdvi-dte-breaks", "a change of a word blocks devices"))) {
		put_word(&entry[0], DTE_BLOCKED);
		rc = amd_flush_dte(iommu, rid);
	}
	for (unsigned int i = 4; i--;)
		put_word(&entry[i], dte[i]);
	return amd_flush_dte(iommu, rid) ?: rc;
}

/*
 * IOTLB entries are found by DomainID alone: a blocked entry that kept it would be served by what
 * other devices of the domain have cached.
 */
static int table_clear(struct amd_iommu *iommu, uint16_t rid)
{
	if (FAULT("hyp.amdvi-blocked-keeps-domain",
		  "the entry of a detached device keeps its DomainID"))
		return 0;
	return amd_table_write(iommu, rid, (uint64_t[4]){ DTE_BLOCKED });
}

void amd_host_dte(const struct amd_domain *domain, uint16_t domid, uint64_t dte[4])
{
	dte[0] = AMDVI_DTE0_V | AMDVI_DTE0_TV | amdvi_put(domain->pt.levels, AMDVI_DTE0_MODE) |
		 (domain->pt.root & AMDVI_DTE0_HOST_ROOT) | AMDVI_DTE0_IR | AMDVI_DTE0_IW |
		 (domain->base.dirty_tracking ? AMDVI_DTE0_HAD : 0);
	dte[1] = amdvi_put(domid, AMDVI_DTE1_DOMAIN_ID);
	dte[2] = 0;
	dte[3] = 0;
}

/* What the guest's entry says goes on top of what leads to its memory. */
static void nested_dte(struct amd_device *device, const struct amd_domain *domain,
		       uint64_t dte[4])
{
	struct hyp_vdevice *vdevice = device->device->vdevice;
	struct amd_viommu *viommu = domain->base.viommu->priv;
	const uint64_t *guest = domain->dte;

	amd_host_dte(amd_domain_of(domain->base.parent), domain->vdomain->host, dte);
	if (guest[0] & AMDVI_DTE0_V) {
		dte[0] &= ~(AMDVI_DTE0_IR | AMDVI_DTE0_IW);
		dte[0] |= guest[0] & (AMDVI_DTE0_IR | AMDVI_DTE0_IW);
	}
	if (guest[0] & AMDVI_DTE0_V && guest[0] & AMDVI_DTE0_GV) {
		dte[0] |= guest[0] & (AMDVI_DTE0_GV | AMDVI_DTE0_GIOV | AMDVI_DTE0_GLX |
				      AMDVI_DTE0_GPRP);
		dte[2] |= guest[2] & AMDVI_DTE2_GPM;
		amdvi_dte_set_gcr3(dte, amdvi_dte_gcr3(guest));
	}
	dte[1] |= guest[1] & (AMDVI_DTE1_SE | AMDVI_DTE1_SA);
	if (viommu->gid && vdevice)
		dte[3] |= AMDVI_DTE3_VIMU_EN | amdvi_put(viommu->gid, AMDVI_DTE3_GUEST_ID) |
			  amdvi_put(vdevice->virt_id, AMDVI_DTE3_GDEVICE_ID);
}

/* Requests without PASID use PASID 0 of the table (GIOV): the RID's page table, or nothing. */
static void gcr3_dte(const struct amd_device *device, uint64_t dte[4])
{
	dte[0] = AMDVI_DTE0_V | AMDVI_DTE0_TV | AMDVI_DTE0_IR | AMDVI_DTE0_IW | AMDVI_DTE0_GV |
		 AMDVI_DTE0_GIOV | AMDVI_DTE0_GPRP | amdvi_put(1, AMDVI_DTE0_GLX);
	dte[1] = amdvi_put(device->gcr3_domid, AMDVI_DTE1_DOMAIN_ID);
	dte[2] = 0;
	dte[3] = 0;
	amdvi_dte_set_gcr3(dte, device->gcr3);
}

static bool wants_pasid(const struct amd_device *device)
{
	if (!device->device->pdev->pasid)
		return false;
	return device->gcr3 || device->domain->base.flags & IOMMU_HWPT_ALLOC_PASID;
}

static bool wants_ats(const struct amd_device *device)
{
	const struct amd_domain *domain = device->domain;

	if (!device->device->pdev->ats)
		return false;
	return !domain || domain->kind != AMD_NESTED || domain->dte[1] & AMDVI_DTE1_I;
}

static bool wants_pri(const struct amd_device *device)
{
	const struct amd_domain *domain = device->domain;

	if (!device->device->pdev->pri || !wants_ats(device))
		return false;
	if (domain && domain->kind == AMD_NESTED)
		return domain->dte[0] & AMDVI_DTE0_PPR;
	if (domain && domain->base.faults)
		return true;
	for (unsigned int i = 0; i < device->pasid_count; i++)
		if (device->pasids[i].domain->base.faults)
			return true;
	return false;
}

static void build(struct amd_device *device, uint64_t dte[4])
{
	if (device->gcr3)
		gcr3_dte(device, dte);
	else if (device->domain->kind == AMD_NESTED)
		nested_dte(device, device->domain, dte);
	else
		amd_host_dte(device->domain, device->domain->domid, dte);
	if (wants_ats(device))
		dte[1] |= AMDVI_DTE1_I;
	if (wants_pri(device))
		dte[0] |= AMDVI_DTE0_PPR;
}

/* PASIDs before ATS (PCIe: PASID must not change while ATS is on), page requests last. */
static void capabilities_on(struct amd_device *device)
{
	struct platform *platform = device->device->hyp->platform;
	uint16_t rid = amd_rid(device);

	if (wants_pasid(device))
		device->pasid = !platform->ops->pasid_enable(platform, rid, true);
	if (wants_ats(device))
		device->ats = !platform->ops->ats_enable(platform, rid, true);
	if (wants_pri(device))
		device->pri = !platform->ops->pri_enable(platform, rid, true);
}

static void capabilities_off(struct amd_device *device)
{
	struct platform *platform = device->device->hyp->platform;
	uint16_t rid = amd_rid(device);

	if (device->pri)
		platform->ops->pri_enable(platform, rid, false);
	if (device->ats && !FAULT("hyp.amdvi-ats-stays-on", "ATS is left on at detach"))
		platform->ops->ats_enable(platform, rid, false);
	if (device->pasid)
		platform->ops->pasid_enable(platform, rid, false);
	device->pri = device->ats = device->pasid = false;
}

/* The DomainID in the entry of a device that is not blocked */
static uint16_t tag_of(const struct amd_device *device)
{
	if (device->gcr3)
		return device->gcr3_domid;
	return device->domain->kind == AMD_NESTED ? device->domain->vdomain->host :
						    device->domain->domid;
}

/*
 * Nothing new is translated, what was is out of the ATC and its requests have drained, ATS is off.
 * device->domain still says what that was.
 */
static int quiesce(struct amd_device *device)
{
	struct amd_iommu *iommu = amd_iommu_of(device);
	int rc;

	amd_table_block(iommu, amd_rid(device));
	rc = amd_flush_dte(iommu, amd_rid(device));
	/* Directories are cached with the permissions of the entry that led to them. */
	if (!FAULT("hyp.amdvi-dte-no-pages",
		   "what was walked from a device table entry stays when that changes"))
		amd_queue_pages(iommu, tag_of(device), HYP_NO_PASID, AMD_ALL_ADDRESSES);
	if (!FAULT("hyp.amdvi-detach-no-drain", "ATS goes off without an invalidation before"))
		rc = amd_drain_atc(device) ?: rc;
	capabilities_off(device);
	return rc;
}

static int unquiesce(struct amd_device *device)
{
	uint64_t dte[4];
	int rc;

	if (!device->gcr3 && !device->domain)
		return 0;
	build(device, dte);
	rc = amd_table_write(amd_iommu_of(device), amd_rid(device), dte);
	if (rc)
		return rc;
	device->fenced = false;
	capabilities_on(device);
	return 0;
}

int amd_table_refresh(struct amd_device *device)
{
	uint64_t dte[4];

	if (device->fenced)
		return 0;
	build(device, dte);
	return amd_table_write(amd_iommu_of(device), amd_rid(device), dte);
}

void amd_fence(struct amd_device *device)
{
	struct amd_iommu *iommu = amd_iommu_of(device);

	device->fenced = true;
	amd_table_block(iommu, amd_rid(device));
	capabilities_off(device);
	amd_flush_dte(iommu, amd_rid(device));
	table_clear(iommu, amd_rid(device));
}

/* GCR3 tables of two levels: 2^18 PASIDs. The second level is made as it is needed. */
static uint64_t *gcr3_slot(struct amd_device *device, uint32_t pasid)
{
	struct pages *pages = &device->device->hyp->pages;
	uint64_t *top = pages_ptr(pages, device->gcr3), *entry = &top[pasid >> 9], table;

	if (!(*entry & AMDVI_GCR3_V)) {
		table = pages_alloc(pages, GCR3_BYTES);
		if (!table)
			return NULL;
		put_word(entry, table | AMDVI_GCR3_V);
	}
	return (uint64_t *)pages_ptr(pages, *entry & AMDVI_GCR3_ADDR) + (pasid & 511);
}

static void gcr3_free(struct amd_device *device)
{
	struct pages *pages = &device->device->hyp->pages;
	uint64_t *top = pages_ptr(pages, device->gcr3);

	for (unsigned int i = 0; i < GCR3_ENTRIES; i++)
		if (top[i] & AMDVI_GCR3_V)
			pages_free(pages, top[i] & AMDVI_GCR3_ADDR, GCR3_BYTES);
	pages_free(pages, device->gcr3, GCR3_BYTES);
	amd_domid_put(amd_of(device->device->hyp), device->gcr3_domid, false);
	device->gcr3 = 0;
	device->gcr3_domid = 0;
}

static int gcr3_make(struct amd_device *device)
{
	struct amd *amd = amd_of(device->device->hyp);

	device->gcr3_domid = amd_domid_get(amd);
	if (!device->gcr3_domid)
		return -ENOSPC;
	device->gcr3 = pages_alloc(&device->device->hyp->pages, GCR3_BYTES);
	if (device->gcr3)
		return 0;
	amd_domid_put(amd, device->gcr3_domid, false);
	return -ENOMEM;
}

static struct amd_pasid *pasid_of(struct amd_device *device, uint32_t pasid)
{
	for (unsigned int i = 0; i < device->pasid_count; i++)
		if (device->pasids[i].pasid == pasid)
			return &device->pasids[i];
	return NULL;
}

static void pasid_set(struct amd_device *device, uint32_t pasid, struct amd_domain *domain)
{
	struct amd_pasid *slot = pasid_of(device, pasid);

	if (!domain) {
		if (slot)
			*slot = device->pasids[--device->pasid_count];
		return;
	}
	if (!slot)
		slot = &device->pasids[device->pasid_count++];
	*slot = (struct amd_pasid){ pasid, domain };
}

/* PASID 0 is what the RID uses. What changes is flushed; what appears was not cached. */
static int attach_guest(struct amd_device *device, uint32_t pasid, struct amd_domain *domain)
{
	bool absent = device->device->hyp->platform->caches_absent;
	bool fresh = !device->gcr3, change = pasid_of(device, pasid) || absent;
	uint64_t *slot;
	int rc;

	if (pasid >> 18 || device->pasid_count == HYP_ATTACHMENTS)
		return -EINVAL;
	rc = fresh ? gcr3_make(device) : 0;
	if (rc)
		return rc;
	slot = gcr3_slot(device, pasid);
	if (!slot) {
		if (fresh)
			gcr3_free(device);
		return -ENOMEM;
	}
	put_word(slot, domain->pt.root | AMDVI_GCR3_V);
	pasid_set(device, pasid, domain);
	if (fresh)
		rc = unquiesce(device);
	else if (change)
		rc = amd_flush_pasid(device, pasid);
	return rc;
}

static void detach_guest(struct amd_device *device, uint32_t pasid)
{
	uint64_t *slot = gcr3_slot(device, pasid);

	if (slot)
		put_word(slot, 0);
	if (device->pasid_count == 1) {
		quiesce(device);
		amd_flush_pasid(device, pasid);
		pasid_set(device, pasid, NULL);
		gcr3_free(device);
		return;
	}
	if (!FAULT("hyp.amdvi-pasid-detach-no-flush", "a detached PASID is not invalidated"))
		amd_flush_pasid(device, pasid);
	pasid_set(device, pasid, NULL);
}

static int check(struct hyp_device *device, uint32_t pasid, const struct amd_domain *domain)
{
	struct amd_device *of = amd_device_of(device);

	if (pasid != HYP_NO_PASID && (!pasid || domain->kind != AMD_GUEST))
		return -EINVAL;
	/* PASIDs of other page tables cannot stay beside a table that is the guest's. */
	if (domain->kind != AMD_GUEST && of->pasid_count > (pasid_of(of, 0) ? 1u : 0u))
		return -EBUSY;
	if (domain->kind != AMD_NESTED)
		return 0;
	if (domain->base.viommu->iommu != device->pdev->iommu)
		return -EINVAL;
	/* Commands and events about the device need its name in the guest. */
	if ((!device->vdevice || device->vdevice->viommu != domain->base.viommu) &&
	    !FAULT("hyp.amdvi-unnamed-device", "a device without vDEVICE is attached"))
		return -ENOENT;
	return 0;
}

static void forget_rid(struct amd_device *device)
{
	if (pasid_of(device, 0)) {
		detach_guest(device, 0);
		return;
	}
	quiesce(device);
	table_clear(amd_iommu_of(device), amd_rid(device));
	device->domain = NULL;
}

static int attach_rid(struct amd_device *device, struct amd_domain *domain)
{
	int rc = 0;

	if (domain->kind == AMD_GUEST && !device->domain)
		return attach_guest(device, 0, domain);
	if (pasid_of(device, 0))
		detach_guest(device, 0);
	else if (device->domain)
		rc = quiesce(device);
	/* A device that does not answer is fenced now, and stays so with what it had. */
	if (device->fenced && rc)
		return rc;
	device->domain = NULL;
	if (domain->kind == AMD_GUEST)
		return attach_guest(device, 0, domain);
	device->domain = domain;
	return unquiesce(device);
}

int amd_attach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain,
		 struct hyp_domain *old)
{
	struct amd_domain *to = amd_domain_of(domain);
	int rc = check(device, pasid, to);

	if (rc)
		return rc;
	if (pasid == HYP_NO_PASID)
		return attach_rid(amd_device_of(device), to);
	return attach_guest(amd_device_of(device), pasid, to);
}

void amd_detach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *old)
{
	if (pasid == HYP_NO_PASID)
		forget_rid(amd_device_of(device));
	else
		detach_guest(amd_device_of(device), pasid);
}
