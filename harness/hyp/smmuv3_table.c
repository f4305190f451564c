// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stream table and context descriptors: what a device is attached to (5.2, 5.4), changed in the
 * order that 3.21.3.1 asks for, with ATS switched around it (3.9.2).
 */
#include <errno.h>
#include <string.h>

#include "core/fault.h"
#include "smmuv3.h"

#define SPLIT 8				/* a level-2 stream table for each bus */
#define STES (1u << SPLIT)
#define L2_CDS 64			/* CDs of a level-2 table, STE_S1FMT_4K */
#define SSID_BITS 20

static void *table(struct hyp *hyp, uint64_t addr)
{
	return pages_ptr(&hyp->pages, addr);
}

static bool two_level(const struct smmu *smmu)
{
	return smmu_get(SMMU_IDR0_ST_LEVEL, smmu->idr[0]) &&
	       smmu_get(SMMU_IDR1_SIDSIZE, smmu->idr[1]) > SPLIT;
}

static uint64_t *ste_of(struct smmu *smmu, uint32_t sid)
{
	uint64_t *l1 = table(smmu->hyp, smmu->strtab), *l2;

	if (!two_level(smmu))
		return l1 + sid * SMMU_STE_WORDS;
	l2 = table(smmu->hyp, l1[sid >> SPLIT] & SMMU_L1STD_L2PTR);
	return l2 + (sid & (STES - 1)) * SMMU_STE_WORDS;
}

/* One table up to the last device, where there are no levels */
static int linear_init(struct smmu *smmu)
{
	const struct platform *platform = smmu->hyp->platform;
	unsigned int bits = 6;

	for (unsigned int i = 0; i < platform->device_count; i++)
		while (platform->devices[i].iommu == smmu->number &&
		       platform->devices[i].rid >> bits)
			bits++;
	smmu->strtab = pages_alloc(&smmu->hyp->pages, (uint64_t)SMMU_STE_SIZE << bits);
	smmu_write64(smmu, SMMU_STRTAB_BASE, SMMU_STRTAB_BASE_RA | smmu->strtab);
	smmu_write(smmu, SMMU_STRTAB_BASE_CFG, smmu_put(SMMU_STRTAB_CFG_LOG2SIZE, bits));
	return smmu->strtab ? 0 : -ENOMEM;
}

/* A level-2 table for each bus with a device on it; the rest of the StreamIDs lead nowhere. */
int smmu_tables_init(struct smmu *smmu)
{
	struct hyp *hyp = smmu->hyp;
	unsigned int sid_bits = smmu_get(SMMU_IDR1_SIDSIZE, smmu->idr[1]);
	uint64_t *l1;

	if (!two_level(smmu))
		return linear_init(smmu);
	smmu->strtab = pages_alloc(&hyp->pages, 4096);
	if (!smmu->strtab)
		return -ENOMEM;
	l1 = table(hyp, smmu->strtab);
	for (unsigned int i = 0; i < hyp->platform->device_count; i++) {
		const struct platform_device *pdev = &hyp->platform->devices[i];
		uint64_t l2;

		if (pdev->iommu != smmu->number || l1[pdev->rid >> SPLIT])
			continue;
		l2 = pages_alloc(&hyp->pages, STES * SMMU_STE_SIZE);
		if (!l2)
			return -ENOMEM;
		l1[pdev->rid >> SPLIT] = l2 | smmu_put(SMMU_L1STD_SPAN, SPLIT + 1);
	}
	smmu_write64(smmu, SMMU_STRTAB_BASE, SMMU_STRTAB_BASE_RA | smmu->strtab);
	smmu_write(smmu, SMMU_STRTAB_BASE_CFG,
		   smmu_put(SMMU_STRTAB_CFG_FMT, SMMU_STRTAB_2LEVEL) |
		   smmu_put(SMMU_STRTAB_CFG_SPLIT, SPLIT) |
		   smmu_put(SMMU_STRTAB_CFG_LOG2SIZE, sid_bits < 16 ? sid_bits : 16));
	return 0;
}

static int sync_ste(struct smmu_device *device)
{
	uint64_t cmd[2];

	if (FAULT("hyp.smmuv3-ste-without-cfgi", "an STE is written, its cached copy stays"))
		return 0;
	smmuv3_cmd_cfgi_ste(cmd, device->sid, true);
	return smmu_issue_one(device->smmu, cmd);
}

/*
 * Hardware reads the words of an entry in no order: one word may be changed in place; more go
 * through a state in which the others are ignored, here an abort that records no event. CFGI_STE
 * also takes the CDs that were cached through the STE (4.3.1), which a guest that issued it means.
 */
static int write_ste(struct smmu_device *device, const uint64_t ste[SMMU_STE_WORDS])
{
	uint64_t *now = ste_of(device->smmu, device->sid);
	unsigned int differ = 0;
	int rc;

	for (unsigned int i = 0; i < SMMU_STE_WORDS; i++)
		differ += now[i] != ste[i];
	if (!differ && FAULT("hyp.smmuv3-same-ste-skips-cfgi",
			     "attaching anew what looks the same keeps the CDs that are cached"))
		return 0;
	if (differ > 1) {
		smmu_store(&now[0], STE0_V | smmu_put(STE0_CONFIG, STE_CONFIG_ABORT));
		rc = sync_ste(device);
		for (unsigned int i = 1; i < SMMU_STE_WORDS; i++)
			smmu_store(&now[i], ste[i]);
		rc = rc ?: sync_ste(device);
		if (rc)
			return rc;
		smmu_store(&now[0], ste[0]);
		return sync_ste(device);
	}
	for (unsigned int i = 0; i < SMMU_STE_WORDS; i++)
		smmu_store(&now[i], ste[i]);
	return sync_ste(device);
}

static uint64_t granule(const struct pgtable *pt)
{
	return pt->format->page_shift == 12 ? SMMU_TG0_4K :
	       pt->format->page_shift == 14 ? SMMU_TG0_16K : SMMU_TG0_64K;
}

/* S2SL0 says at which level the walk starts, in a way of its own for each granule (5.2). */
static uint64_t start_level(const struct pgtable *pt)
{
	unsigned int levels = pt->levels;

	if (FAULT("hyp.smmuv3-concatenation-forgotten", "S2SL0 counts the level that is not there"))
		levels += pt->root_bits != 0;
	return pt->format->page_shift == 12 ? levels - 2 : levels - 1;
}

static uint64_t oas(const struct smmu *smmu)
{
	return smmu_get(SMMU_IDR5_OAS, smmu->idr[5]);
}

static void stage2_words(const struct smmu *smmu, const struct smmu_domain *s2, uint64_t *ste)
{
	bool dirty = s2->hyp.flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	uint16_t vmid = FAULT("hyp.smmuv3-one-vmid-for-all", "all VMs share a VMID") ? 1 : s2->tag;

	ste[2] = smmu_put(STE2_S2VMID, vmid) | smmu_put(STE2_S2T0SZ, 64 - s2->ias) |
		 smmu_put(STE2_S2SL0, start_level(&s2->pt)) | smmu_put(STE2_S2IR0, 1) |
		 smmu_put(STE2_S2OR0, 1) | smmu_put(STE2_S2SH0, 3) |
		 smmu_put(STE2_S2TG, granule(&s2->pt)) | smmu_put(STE2_S2PS, oas(smmu)) |
		 STE2_S2AA64 | STE2_S2AFFD | STE2_S2R | (dirty ? STE2_S2HD | STE2_S2HA : 0);
	ste[3] = s2->pt.root & STE3_S2TTB;
}

static bool can_ats(const struct smmu_device *device)
{
	return device->hyp->pdev->ats && device->smmu->idr[0] & SMMU_IDR0_ATS;
}

/* The STE for @domain; its EATS says whether ATS is to be on. */
static void make_ste(const struct smmu_device *device, struct smmu_domain *domain,
		     uint64_t ste[SMMU_STE_WORDS])
{
	uint64_t eats = can_ats(device) ? smmu_put(STE1_EATS, STE_EATS_FULL) : 0;
	uint64_t config = domain && domain->stage == SMMU_NESTED ?
		smmu_get(STE0_CONFIG, domain->ste[0]) : 0;

	memset(ste, 0, SMMU_STE_SIZE);
	ste[0] = STE0_V;
	if (domain && domain->stage == SMMU_NESTED && config == STE_CONFIG_ABORT) {
		if (FAULT("hyp.smmuv3-abort-is-recorded", "a guest's abort is an STE with V == 0"))
			ste[0] = 0;
		return;
	}
	if (device->fenced || (!domain && !device->pasids))
		return;
	ste[1] = smmu_put(STE1_SHCFG, STE_SHCFG_INCOMING) | eats;
	if (!domain || domain->stage == SMMU_S1) {
		ste[0] |= smmu_put(STE0_CONFIG, STE_CONFIG_S1) | device->cds |
			  smmu_put(STE0_S1CDMAX, device->cd_bits) |
			  smmu_put(STE0_S1FMT, device->cd_bits ? STE_S1FMT_4K : STE_S1FMT_LINEAR);
		ste[1] |= smmu_put(STE1_S1DSS, domain ? STE_S1DSS_SSID0 : STE_S1DSS_TERMINATE) |
			  smmu_put(STE1_S1CIR, 1) | smmu_put(STE1_S1COR, 1) |
			  smmu_put(STE1_S1CSH, 3);
		return;
	}
	stage2_words(device->smmu, smmu_stage2(domain), ste);
	if (domain->stage == SMMU_S2 || config == STE_CONFIG_BYPASS) {
		ste[0] |= smmu_put(STE0_CONFIG, STE_CONFIG_S2);
		return;
	}
	ste[0] |= smmu_put(STE0_CONFIG, STE_CONFIG_NESTED) |
		  (domain->ste[0] & (STE0_S1FMT | STE0_S1CONTEXTPTR | STE0_S1CDMAX));
	ste[1] |= domain->ste[1] & ~STE1_EATS;
	if (!(domain->ste[1] & STE1_EATS) &&
	    !FAULT("hyp.smmuv3-eats-ignored", "a guest that takes EATS away is not listened to"))
		ste[1] &= ~STE1_EATS;
}

/* Does anybody answer the page requests of @device, once it is attached to @domain? */
static bool wants_pri(const struct smmu_device *device, const struct smmu_domain *domain)
{
	const struct hyp_device *hyp = device->hyp;

	if (!hyp->pdev->pri || !(device->smmu->idr[0] & SMMU_IDR0_PRI))
		return false;
	for (unsigned int i = 0; i < hyp->attachment_count; i++)
		if (hyp->attachments[i].pasid != HYP_NO_PASID && hyp->attachments[i].domain->faults)
			return true;
	return domain && domain->hyp.faults;
}

static int set_ats(struct smmu_device *device, bool on)
{
	const struct platform_ops *ops = device->hyp->hyp->platform->ops;

	device->ats = on;
	return ops->ats_enable(device->hyp->hyp->platform, device->sid, on);
}

static int set_pri(struct smmu_device *device, bool on)
{
	const struct platform_ops *ops = device->hyp->hyp->platform->ops;

	if (device->pri == on)
		return 0;
	device->pri = on;
	return ops->pri_enable(device->hyp->hyp->platform, device->sid, on);
}

/*
 * ATS goes off in the device before the STE forbids it; it goes on after the STE allows it and the
 * ATC holds nothing. Where it stays on, the ATC may hold what the old configuration gave.
 */
static int update_ste(struct smmu_device *device, struct smmu_domain *domain)
{
	uint64_t ste[SMMU_STE_WORDS];
	bool want, had = device->ats;
	int rc;

	make_ste(device, domain, ste);
	want = ste[1] & STE1_EATS;
	if (!want)
		set_pri(device, false);
	if (had && !want)
		set_ats(device, false);
	rc = write_ste(device, ste);
	if (!rc && want && !had)
		rc = set_ats(device, true);
	if (!rc && want && had && !FAULT("hyp.smmuv3-attach-keeps-atc",
					 "a replaced attachment stays in the ATC"))
		rc = smmu_flush_atc(device);
	if (!rc && want)
		rc = set_pri(device, wants_pri(device, domain));
	return rc == -ETIMEDOUT && device->fenced ? -EIO : rc;
}

int smmu_block(struct smmu_device *device)
{
	const struct platform_ops *ops = device->hyp->hyp->platform->ops;
	uint64_t ste[SMMU_STE_WORDS] = { STE0_V };

	set_pri(device, false);
	if (device->ats)
		set_ats(device, false);
	if (device->pasid_on)
		ops->pasid_enable(device->hyp->hyp->platform, device->sid, false);
	device->pasid_on = false;
	return write_ste(device, ste);
}

void smmu_fence(struct smmu_device *device)
{
	device->fenced = true;
	if (!FAULT("hyp.smmuv3-no-fence", "a device that does not answer keeps its attachment"))
		smmu_block(device);
}

/* Context descriptors of the hypervisor's own stage 1 */

static int cds_init(struct smmu_device *device)
{
	unsigned int hw_bits = smmu_get(SMMU_IDR1_SSIDSIZE, device->smmu->idr[1]);
	unsigned int bits = hw_bits < SSID_BITS ? hw_bits : SSID_BITS;
	uint64_t size = 4096;

	if (device->cds)
		return 0;
	device->cd_bits = device->hyp->pdev->pasid && bits > 6 ? bits : 0;
	if (device->cd_bits && (8ull << device->cd_bits) / L2_CDS > size)
		size = (8ull << device->cd_bits) / L2_CDS;
	device->cds = pages_alloc(&device->hyp->hyp->pages, size);
	return device->cds ? 0 : -ENOMEM;
}

static uint64_t *cd_of(struct smmu_device *device, uint32_t ssid)
{
	struct hyp *hyp = device->hyp->hyp;
	uint64_t *l1 = table(hyp, device->cds), l2;

	if (!device->cd_bits)
		return ssid ? NULL : l1;
	if (ssid >> device->cd_bits)
		return NULL;
	l1 += ssid / L2_CDS;
	if (!*l1) {
		l2 = pages_alloc(&hyp->pages, L2_CDS * SMMU_CD_SIZE);
		if (!l2)
			return NULL;
		smmu_store(l1, l2 | SMMU_L1CD_V);
	}
	l2 = *l1 & SMMU_L1CD_L2PTR;
	return (uint64_t *)table(hyp, l2) + ssid % L2_CDS * SMMU_CD_WORDS;
}

static int sync_cd(struct smmu_device *device, uint32_t ssid)
{
	uint64_t cmd[2];

	if (FAULT("hyp.smmuv3-cd-without-cfgi", "a CD is written, its cached copy stays"))
		return 0;
	/* Leaf == 0: the level-1 entry may be new, and may have been read as invalid. */
	smmuv3_cmd_cfgi_cd(cmd, device->sid, ssid, false);
	return smmu_issue_one(device->smmu, cmd);
}

static void make_cd(const struct smmu_device *device, const struct smmu_domain *domain,
		    uint64_t cd[SMMU_CD_WORDS])
{
	bool dirty = domain->hyp.flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;

	memset(cd, 0, SMMU_CD_SIZE);
	cd[0] = CD0_V | CD0_AA64 | CD0_R | CD0_A | CD0_ASET | CD0_AFFD | CD0_EPD1 |
		smmu_put(CD0_T0SZ, 64 - domain->ias) | smmu_put(CD0_TG0, granule(&domain->pt)) |
		smmu_put(CD0_IR0, 1) | smmu_put(CD0_OR0, 1) | smmu_put(CD0_SH0, 3) |
		smmu_put(CD0_IPS, oas(device->smmu)) | smmu_put(CD0_ASID, domain->tag) |
		(dirty ? CD0_HD | CD0_HA : 0);
	cd[1] = domain->pt.root & CD1_TTB0;
	cd[3] = 0xff;			/* index 0: normal memory, write-back */
}

/* @domain NULL: no translation for this SubstreamID */
static int write_cd(struct smmu_device *device, uint32_t ssid, struct smmu_domain *domain)
{
	uint64_t *now = cd_of(device, ssid), cd[SMMU_CD_WORDS] = {};
	int rc = 0;

	if (!now)
		return -ENOMEM;
	if (domain)
		make_cd(device, domain, cd);
	if (now[0] & CD0_V) {
		smmu_store(&now[0], 0);
		rc = sync_cd(device, ssid);
	}
	for (unsigned int i = 1; i < SMMU_CD_WORDS; i++)
		smmu_store(&now[i], cd[i]);
	if (!rc && domain) {
		rc = sync_cd(device, ssid);
		smmu_store(&now[0], cd[0]);
		rc = rc ?: sync_cd(device, ssid);
	}
	return rc;
}

/* Attach and detach */

static void count_user(struct smmu_device *device, struct smmu_domain *domain, int by)
{
	struct smmu_domain *s2 = smmu_stage2(domain);

	domain->users[device->smmu->number] += by;
	if (domain->stage == SMMU_NESTED) {
		s2->users[device->smmu->number] += by;
		s2->nested[device->smmu->number] += by;
	}
}

/* Whoever was the last to use a tag on this SMMU leaves nothing behind: it may be given away. */
static void leave(struct smmu_device *device, struct smmu_domain *domain)
{
	struct smmu_domain *tagged = smmu_stage2(domain) ?: domain;

	count_user(device, domain, -1);
	if (!tagged->users[device->smmu->number] &&
	    !FAULT("hyp.smmuv3-tag-reuse-unflushed", "a tag is given away with its entries"))
		smmu_flush_tag(tagged, device->smmu);
}

static bool in_host_table(const struct smmu_domain *domain)
{
	return domain && domain->stage == SMMU_S1;
}

static int attach_rid(struct smmu_device *device, struct smmu_domain *domain)
{
	struct smmu_domain *old = device->domain;
	int rc = 0;

	if (domain->stage != SMMU_S1 && device->pasids)
		return -EBUSY;
	if (in_host_table(domain))
		rc = cds_init(device) ?: write_cd(device, 0, domain);
	if (rc)
		return rc;
	device->domain = domain;
	rc = update_ste(device, domain);
	if (rc) {
		device->domain = device->fenced ? NULL : old;
		if (!device->fenced && in_host_table(old))
			write_cd(device, 0, old);
		if (!device->fenced)
			update_ste(device, old);
	} else if (in_host_table(old) && !in_host_table(domain)) {
		rc = write_cd(device, 0, NULL);
	}
	return rc;
}

static int attach_pasid(struct smmu_device *device, uint32_t pasid, struct smmu_domain *domain,
			bool replace)
{
	uint64_t cmd[2];
	int rc;

	if (domain->stage != SMMU_S1)
		return -EOPNOTSUPP;
	if (device->domain && device->domain->stage != SMMU_S1)
		return -EINVAL;
	rc = cds_init(device) ?: write_cd(device, pasid, domain);
	if (rc)
		return rc;
	device->pasids += !replace;
	if (device->ats && replace) {
		smmuv3_cmd_atc_inv_ssid(cmd, device->sid, pasid, false, 0, CMD_ATC_SIZE_ALL);
		return smmu_issue_one(device->smmu, cmd);
	}
	return update_ste(device, device->domain);
}

/* Before ATS: PCIe forbids to change it while ATS is on. */
static int enable_pasid(struct smmu_device *device)
{
	struct platform *platform = device->hyp->hyp->platform;

	if (!device->hyp->pdev->pasid || device->pasid_on)
		return 0;
	device->pasid_on = true;
	return platform->ops->pasid_enable(platform, device->sid, true);
}

int smmu_attach(struct hyp_device *hyp_device, uint32_t pasid, struct hyp_domain *hyp_domain,
		struct hyp_domain *old)
{
	struct smmu_device *device = smmu_device(hyp_device);
	struct smmu_domain *domain = smmu_domain(hyp_domain);
	int rc;

	if (device->fenced)
		return -EIO;
	if (domain->stage == SMMU_NESTED && !hyp_device->vdevice &&
	    smmu_get(STE0_CONFIG, domain->ste[0]) == STE_CONFIG_S1)
		return -ENOENT;
	if (domain->stage == SMMU_NESTED && domain->hyp.viommu->iommu != hyp_device->pdev->iommu)
		return -EINVAL;
	rc = enable_pasid(device);
	if (rc)
		return rc;
	count_user(device, domain, 1);
	rc = pasid == HYP_NO_PASID ? attach_rid(device, domain) :
				     attach_pasid(device, pasid, domain, old);
	if (rc) {
		leave(device, domain);
		return rc;
	}
	if (old)
		leave(device, smmu_domain(old));
	return 0;
}

void smmu_detach(struct hyp_device *hyp_device, uint32_t pasid, struct hyp_domain *old)
{
	struct smmu_device *device = smmu_device(hyp_device);
	struct smmu_domain *domain = smmu_domain(old);
	bool stays = FAULT("hyp.smmuv3-detach-keeps-tables", "a detached device still translates");
	uint64_t cmd[2];

	device->fenced = false;
	if (pasid != HYP_NO_PASID) {
		write_cd(device, pasid, NULL);
		smmuv3_cmd_atc_inv_ssid(cmd, device->sid, pasid, false, 0, CMD_ATC_SIZE_ALL);
		if (device->ats)
			smmu_issue_one(device->smmu, cmd);
		device->pasids--;
	} else {
		if (in_host_table(domain) && !stays)
			write_cd(device, 0, NULL);
		device->domain = NULL;
	}
	if (pasid == HYP_NO_PASID && device->pasids)
		update_ste(device, NULL);
	else if (!device->domain && !device->pasids && !stays)
		smmu_block(device);
	if (pasid == HYP_NO_PASID)
		smmu_stalls_end(hyp_device);
	leave(device, domain);
}
