// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paging domains: their tables, and what has to go from which cache when these change (4.4, 4.5).
 *
 * A nest parent is a stage 2 with a VMID, which its nested domains share; any other domain is a
 * stage 1 with an ASID of VMID 0. Nothing is ever mapped over something mapped, so that a new
 * mapping needs no invalidation: absent entries are not cached (3.21.1).
 */
#include <errno.h>
#include <stdlib.h>

#include "core/fault.h"
#include "smmuv3.h"

#define COMMANDS_MAX 512	/* longer lists by address than this become one by tag */
#define RANGE_MAX (1ull << 31)	/* granules: SCALE has 5 bits without IDR5.DS */
#define LIST_MAX (COMMANDS_MAX + PLATFORM_DEVICES * (HYP_ATTACHMENTS + 2))

int smmu_id_get(struct smmu_ids *ids)
{
	for (uint32_t id = 1; id < ids->limit; id++) {
		if (ids->used[id / 64] >> id % 64 & 1)
			continue;
		ids->used[id / 64] |= 1ull << id % 64;
		return id;
	}
	return -ENOSPC;
}

void smmu_id_put(struct smmu_ids *ids, unsigned int id)
{
	ids->used[id / 64] &= ~(1ull << id % 64);
}

static const struct pgtable_format *format(const struct smmu *smmu, enum smmu_stage stage)
{
	if (smmu->idr[5] & SMMU_IDR5_GRAN4K)
		return stage == SMMU_S1 ? &pgtable_lpae_s1_4k : &pgtable_lpae_s2_4k;
	if (smmu->idr[5] & SMMU_IDR5_GRAN16K)
		return stage == SMMU_S1 ? &pgtable_lpae_s1_16k : &pgtable_lpae_s2_16k;
	return stage == SMMU_S1 ? &pgtable_lpae_s1_64k : &pgtable_lpae_s2_64k;
}

/*
 * Input addresses of a stage 2 are as wide as outputs (3.4.1). Up to 16 tables may stand side by
 * side at the top; a walk of one level less must use them, where it can (S2T0SZ and S2SL0, 5.2).
 */
static void shape(struct smmu_domain *domain, const struct smmu *smmu,
		  const struct pgtable_format *format)
{
	unsigned int bits = smmu_address_bits[smmu_get(SMMU_IDR5_OAS, smmu->idr[5])];
	unsigned int levels = 1, root_bits = 0;

	domain->ias = bits > 48 || domain->stage == SMMU_S1 ? 48 : bits;
	while (format->page_shift + levels * format->index_bits < domain->ias)
		levels++;
	if (domain->stage == SMMU_S2) {
		unsigned int below = format->page_shift + (levels - 1) * format->index_bits;

		if (domain->ias - below <= 4) {
			root_bits = domain->ias - below;
			levels--;
		}
	}
	domain->pt.levels = levels;
	domain->pt.root_bits = root_bits;
}

int smmu_paging_alloc(struct hyp_device *device, uint32_t flags, struct hyp_domain **out)
{
	struct smmuv3 *smmuv3 = smmuv3_of(device->hyp);
	struct smmu *smmu = smmu_device(device)->smmu;
	uint32_t known = IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
			 IOMMU_HWPT_ALLOC_PASID;
	bool parent = flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
	struct smmu_domain *domain;
	int tag, rc;

	/* The PASIDs of a device with a nest parent are in the guest's CD table. */
	if (flags & ~known || (parent && flags & IOMMU_HWPT_ALLOC_PASID))
		return -EOPNOTSUPP;
	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING &&
	    smmu_get(SMMU_IDR0_HTTU, smmu->idr[0]) < SMMU_HTTU_DIRTY)
		return -EOPNOTSUPP;
	if (!(smmu->idr[0] & SMMU_IDR0_S1P) || (parent && !(smmu->idr[0] & SMMU_IDR0_S2P)))
		return -EOPNOTSUPP;
	domain = calloc(1, sizeof(*domain));
	if (!domain)
		return -ENOMEM;
	domain->hyp.hyp = device->hyp;
	domain->hyp.flags = flags;
	domain->stage = parent ? SMMU_S2 : SMMU_S1;
	shape(domain, smmu, format(smmu, domain->stage));
	tag = smmu_id_get(parent ? &smmuv3->vmids : &smmuv3->asids);
	rc = tag < 0 ? tag : pgtable_init(&domain->pt, format(smmu, domain->stage),
					  domain->pt.levels, domain->pt.root_bits,
					  &device->hyp->pages);
	if (rc) {
		if (tag >= 0)
			smmu_id_put(parent ? &smmuv3->vmids : &smmuv3->asids, tag);
		free(domain);
		return rc;
	}
	domain->tag = tag;
	*out = &domain->hyp;
	return 0;
}

void smmu_domain_free(struct hyp_domain *hyp_domain)
{
	struct smmu_domain *domain = smmu_domain(hyp_domain);
	struct smmuv3 *smmuv3 = smmuv3_of(hyp_domain->hyp);

	if (domain->stage != SMMU_NESTED) {
		pgtable_fini(&domain->pt);
		smmu_id_put(domain->stage == SMMU_S2 ? &smmuv3->vmids : &smmuv3->asids,
			    domain->tag);
	}
	free(domain);
}

int smmu_map(struct hyp_domain *hyp_domain, uint64_t iova, uint64_t pa, uint64_t len,
	     uint32_t prot)
{
	struct smmu_domain *domain = smmu_domain(hyp_domain);
	unsigned int flags = PGTABLE_USER |
		(prot & IOMMU_IOAS_MAP_READABLE ? PGTABLE_READ : 0) |
		(prot & IOMMU_IOAS_MAP_WRITEABLE ? PGTABLE_WRITE : 0);

	if ((iova >> domain->ias || (iova + len - 1) >> domain->ias) &&
	    !FAULT("hyp.smmuv3-maps-beyond-the-end", "an IOVA that no walk reaches is mapped"))
		return -ERANGE;
	if (hyp_domain->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING)
		flags |= PGTABLE_NO_DIRTY;
	return pgtable_map(&domain->pt, iova, pa, len, flags, 0);
}

/* Invalidation */

int smmu_flush_tag(struct smmu_domain *domain, struct smmu *smmu)
{
	uint64_t cmd[2];

	if (domain->stage == SMMU_S1)
		smmuv3_cmd_tlbi_nh_asid(cmd, 0, domain->tag);
	else
		smmuv3_cmd_tlbi_s12_vmall(cmd, domain->tag);
	return smmu_issue_one(smmu, cmd);
}

/* Entries without a PASID, and those of every PASID: one invalidate request does not take both. */
static unsigned int atc_all(const struct smmu_device *device, uint64_t (*cmds)[2])
{
	smmuv3_cmd_atc_inv(cmds[0], device->sid, 0, CMD_ATC_SIZE_ALL);
	if (!device->pasid_on ||
	    FAULT("hyp.smmuv3-atc-forgets-pasids", "an ATC keeps what it has for PASIDs"))
		return 1;
	smmuv3_cmd_atc_inv_ssid(cmds[1], device->sid, 0, true, 0, CMD_ATC_SIZE_ALL);
	return 2;
}

int smmu_flush_atc(struct smmu_device *device)
{
	uint64_t cmds[2][2];
	unsigned int n = atc_all(device, cmds);

	return smmu_issue(device->smmu, (const uint64_t (*)[2])cmds, n, NULL);
}

/** struct list - commands for one SMMU, until there is a CMD_SYNC to wait for */
struct list {
	unsigned int n;
	uint64_t cmds[LIST_MAX][2];
};

static void add(struct list *list, const uint64_t cmd[2])
{
	list->cmds[list->n][0] = cmd[0];
	list->cmds[list->n][1] = cmd[1];
	list->n++;
}

static int flush_list(struct smmu *smmu, struct list *list)
{
	int rc = list->n ? smmu_issue(smmu, (const uint64_t (*)[2])list->cmds, list->n, NULL) : 0;

	list->n = 0;
	return rc;
}

static void tlbi(const struct smmu_domain *domain, uint64_t addr, uint64_t cmd[2])
{
	bool leaf = FAULT("hyp.smmuv3-unmap-keeps-tables",
			  "cached table entries outlive the tables that they point to");

	if (domain->stage == SMMU_S1 && FAULT("hyp.smmuv3-unmap-wrong-asid", "TLBI names ASID 0"))
		smmuv3_cmd_tlbi_nh_va(cmd, 0, 0, addr, leaf);
	else if (domain->stage == SMMU_S1)
		smmuv3_cmd_tlbi_nh_va(cmd, 0, domain->tag, addr, leaf);
	else
		smmuv3_cmd_tlbi_s2_ipa(cmd, domain->tag, addr, leaf);
}

/* Ranges of (num + 1) * 2^scale granules (4.4.1.1), from the smallest part on */
static void add_ranges(const struct smmu_domain *domain, struct list *list, uint64_t addr,
		       uint64_t pages)
{
	unsigned int shift = domain->pt.format->page_shift;

	while (pages && list->n < COMMANDS_MAX) {
		unsigned int scale = __builtin_ctzll(pages), num = (pages >> scale) & 31;
		uint64_t cmd[2];

		tlbi(domain, addr, cmd);
		if (num > 1 || scale)
			smmuv3_cmd_tlbi_range(cmd, num - 1, scale, 1 + (shift - 12) / 2, 0);
		add(list, cmd);
		addr += (uint64_t)num << scale << shift;
		pages -= (uint64_t)num << scale;
		if (FAULT("hyp.smmuv3-one-range-only", "a range that takes two TLBI gets one"))
			return;
	}
}

static void add_tlbi(const struct smmu_domain *domain, const struct smmu *smmu, struct list *list,
		     uint64_t iova, uint64_t len)
{
	unsigned int shift = domain->pt.format->page_shift;
	uint64_t first = iova >> shift, pages = ((iova + len - 1) >> shift) - first + 1, cmd[2];

	if (FAULT("hyp.smmuv3-unmap-flushes-one-page", "only the first page of a range is flushed"))
		pages = 1;
	if (pages > (smmu->idr[3] & SMMU_IDR3_RIL ? RANGE_MAX : COMMANDS_MAX)) {
		if (domain->stage == SMMU_S1)
			smmuv3_cmd_tlbi_nh_asid(cmd, 0, domain->tag);
		else
			smmuv3_cmd_tlbi_s12_vmall(cmd, domain->tag);
		add(list, cmd);
		return;
	}
	if (smmu->idr[3] & SMMU_IDR3_RIL) {
		add_ranges(domain, list, first << shift, pages);
		return;
	}
	for (uint64_t page = first; page < first + pages; page++) {
		tlbi(domain, page << shift, cmd);
		add(list, cmd);
	}
}

/* The smallest aligned power of two of 4 KiB pages that covers a range (4.5.1) */
static void add_atc_range(const struct smmu_device *device, uint32_t pasid, struct list *list,
			  uint64_t iova, uint64_t len)
{
	uint64_t first = iova >> 12, last = (iova + len - 1) >> 12, cmd[2];
	unsigned int size = first == last ? 0 : 64 - __builtin_clzll(first ^ last);

	if (pasid == HYP_NO_PASID)
		smmuv3_cmd_atc_inv(cmd, device->sid, first >> size << size << 12, size);
	else
		smmuv3_cmd_atc_inv_ssid(cmd, device->sid, pasid, false,
					first >> size << size << 12, size);
	add(list, cmd);
}

/* What an ATC caches is by the guest's addresses under a nested domain: all of it goes. */
static void add_atc(const struct smmu_domain *domain, const struct smmu *smmu, struct list *list,
		    uint64_t iova, uint64_t len)
{
	struct hyp *hyp = smmu->hyp;

	for (unsigned int i = 0; i < hyp->platform->device_count; i++) {
		struct smmu_device *device = smmu_device(&hyp->devices[i]);

		if (device->smmu != smmu || !device->ats)
			continue;
		if (device->domain == domain)
			add_atc_range(device, HYP_NO_PASID, list, iova, len);
		else if (device->domain && smmu_stage2(device->domain) == domain &&
			 !FAULT("hyp.smmuv3-s2-unmap-forgets-nested-atc",
				"unmapping a nest parent leaves the ATCs of its nested users"))
			list->n += atc_all(device, &list->cmds[list->n]);
		for (unsigned int j = 0; j < device->hyp->attachment_count; j++) {
			const struct hyp_attachment *a = &device->hyp->attachments[j];

			if (a->pasid != HYP_NO_PASID && a->domain == &domain->hyp)
				add_atc_range(device, a->pasid, list, iova, len);
		}
		if (FAULT("hyp.smmuv3-first-atc-only", "of several devices, one ATC is flushed"))
			break;
	}
}

/*
 * Nothing uses [@iova, +@len) of @domain on @smmu any more: first what the SMMU has of this stage;
 * then what it has combined with a guest's stage 1, which it might have filled again from the
 * former; at last the ATCs, which ask the SMMU (4.4.3.1, 4.5.1). Each with a CMD_SYNC, for
 * commands have no order of their own (4.8).
 */
static int flush_on(struct smmu_domain *domain, struct smmu *smmu, struct list *list,
		    uint64_t iova, uint64_t len)
{
	uint64_t cmd[2];
	int rc = 0;

	if (FAULT("hyp.smmuv3-atc-before-tlb", "ATCs are invalidated before the SMMU's own TLB")) {
		add_atc(domain, smmu, list, iova, len);
		rc = flush_list(smmu, list);
	}
	add_tlbi(domain, smmu, list, iova, len);
	if (!FAULT("hyp.smmuv3-no-sync-between", "TLBI and ATC_INV share one CMD_SYNC"))
		rc = flush_list(smmu, list) ?: rc;
	if (domain->nested[smmu->number] &&
	    !FAULT("hyp.smmuv3-s2-unmap-forgets-nested", "combined entries outlive TLBI_S2_IPA")) {
		smmuv3_cmd_tlbi_nh_all(cmd, domain->tag);
		add(list, cmd);
		rc = flush_list(smmu, list) ?: rc;
	}
	if (!FAULT("hyp.smmuv3-atc-before-tlb", "ATCs are invalidated before the SMMU's own TLB"))
		add_atc(domain, smmu, list, iova, len);
	return flush_list(smmu, list) ?: rc;
}

/* An error does not end it: what else there is to flush is flushed. */
static int flush(struct smmu_domain *domain, uint64_t iova, uint64_t len)
{
	struct smmuv3 *smmuv3 = smmuv3_of(domain->hyp.hyp);
	struct list *list = malloc(sizeof(*list));
	int rc = 0;

	if (!list)
		return -ENOMEM;
	list->n = 0;
	for (unsigned int i = 0; i < smmuv3->count; i++) {
		if (!domain->users[i])
			continue;
		rc = flush_on(domain, &smmuv3->units[i], list, iova, len) ?: rc;
		if (FAULT("hyp.smmuv3-first-smmu-only", "of several SMMUs, one is flushed"))
			break;
	}
	free(list);
	return rc;
}

/* Tables that become empty are freed: table entries go from the caches too (Leaf == 0). */
int smmu_unmap(struct hyp_domain *hyp_domain, uint64_t iova, uint64_t len)
{
	struct smmu_domain *domain = smmu_domain(hyp_domain);

	pgtable_unmap(&domain->pt, iova, len, false);
	return flush(domain, iova, len);
}

/* Dirty tracking: hardware makes writable-clean entries writable (3.13) */

static uint64_t dirty_bit(const struct smmu_domain *domain)
{
	return domain->stage == SMMU_S1 ? LPAE_AP_RO : LPAE_S2AP_W;
}

static bool is_dirty(const struct smmu_domain *domain, uint64_t entry)
{
	bool set = entry & dirty_bit(domain);

	return entry & LPAE_DBM && (domain->stage == SMMU_S1 ? !set : set);
}

static void make_clean(const struct smmu_domain *domain, uint64_t *entry)
{
	if (domain->stage == SMMU_S1)
		__atomic_fetch_or(entry, LPAE_AP_RO, __ATOMIC_ACQ_REL);
	else
		__atomic_fetch_and(entry, ~LPAE_S2AP_W, __ATOMIC_ACQ_REL);
}

/* The leaf that @iova lies in, NULL: none; and in *@shift the size that this is true of */
static uint64_t *deciding_entry(struct smmu_domain *domain, uint64_t iova, unsigned int *shift)
{
	const struct pgtable_format *format = domain->pt.format;

	*shift = format->page_shift;
	for (unsigned int level = domain->pt.levels; level--;) {
		uint64_t *entry = pgtable_entry(&domain->pt, iova, level);
		enum pgtable_kind kind = entry ?
			format->kind(&domain->pt, level, smmu_load(entry)) : PGTABLE_NONE;

		*shift = format->page_shift + level * format->index_bits;
		if (kind != PGTABLE_TABLE)
			return kind == PGTABLE_LEAF ? entry : NULL;
	}
	return NULL;
}

/* Calls @dirty, unless NULL, for what was written in the range, and cleans it if @clean */
static bool sweep(struct smmu_domain *domain, uint64_t iova, uint64_t len, bool clean,
		  struct hyp_dirty *dirty)
{
	uint64_t at = iova, end = iova + len, next;
	bool any = false;

	for (; at < end; at = next) {
		unsigned int shift;
		uint64_t *entry = deciding_entry(domain, at, &shift);

		next = ((at >> shift) + 1) << shift;
		if (!entry || !is_dirty(domain, smmu_load(entry)))
			continue;
		any = true;
		if (dirty)
			dirty->page(dirty, at, (next < end ? next : end) - at);
		if (clean)
			make_clean(domain, entry);
	}
	return any;
}

/*
 * A cached writable translation, of the SMMU or of an ATC, writes without setting dirty state
 * again: what was cleaned is flushed before the answer goes out.
 */
int smmu_read_dirty(struct hyp_domain *hyp_domain, uint64_t iova, uint64_t len, uint32_t flags,
		    struct hyp_dirty *dirty)
{
	struct smmu_domain *domain = smmu_domain(hyp_domain);
	bool clean = !(flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
	bool any = sweep(domain, iova, len, clean, dirty);

	if (!any || !clean ||
	    FAULT("hyp.smmuv3-dirty-without-flush", "dirty state is cleared under the caches"))
		return 0;
	return flush(domain, iova, len);
}

int smmu_set_dirty(struct hyp_domain *hyp_domain, bool on)
{
	struct smmu_domain *domain = smmu_domain(hyp_domain);
	uint64_t len = 1ull << domain->ias;

	if (!on || !sweep(domain, 0, len, true, NULL))
		return 0;
	return flush(domain, 0, len);
}
