// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's commands (iommufd/amd_nested.h): checked one by one, ids translated, run in batches.
 *
 * Hardware keeps the order that matters, IOMMU caches before ATCs (2.4), so a guest's commands may
 * stand side by side. What counts as done are commands behind which a sync was.
 */
#include <errno.h>

#include "amdvi.h"
#include "core/fault.h"
#include "iommufd/amd_nested.h"

#define BATCH 32

/**
 * struct batch - commands that were begun
 * @done: entries of the user's whose effect is complete; @begun: entries before this are begun
 * @devices: for each of the batch, which ATC, or NULL
 */
struct batch {
	struct amd_iommu *iommu;
	struct amd_viommu *viommu;
	uint32_t done;
	uint32_t begun;
	struct amd_device *devices[BATCH];
};

/** struct form - which bits a command may have */
struct form {
	uint64_t word0;
	uint64_t word1;
	int (*begin)(struct batch *batch, const uint64_t cmd[2]);
};

/* Those before the first one that went to the silent device have had their effect. */
static uint32_t effective(const struct batch *batch)
{
	uint32_t n = batch->done;

	while (n < batch->begun && !(batch->devices[n - batch->done] &&
				     batch->devices[n - batch->done]->fenced))
		n++;
	return n;
}

static int finish(struct batch *batch)
{
	int rc;

	if (batch->begun == batch->done)
		return 0;
	rc = amd_sync(batch->iommu);
	if (rc == -ETIMEDOUT && !batch->iommu->halted)
		batch->done = effective(batch);
	if (!rc || FAULT("hyp.amdvi-counts-begun", "commands count as done when they are begun"))
		batch->done = batch->begun;
	batch->begun = batch->done;
	return rc;
}

static int begin_pages(struct batch *batch, const uint64_t cmd[2])
{
	uint16_t guest = amdvi_get(cmd[0], AMDVI_PAGES0_DOMAIN_ID);
	struct amd_vdomain *v = amd_vdomain_find(batch->viommu, guest);
	uint64_t copy[2] = { cmd[0] & ~AMDVI_PAGES0_DOMAIN_ID, cmd[1] };

	if (!(cmd[1] & AMDVI_PAGES1_GN)) {
		if (cmd[0] & AMDVI_PAGES0_PASID)
			return -EIO;
		copy[1] = AMDVI_INV_ALL_PAGES | AMDVI_PAGES1_PDE;
	}
	if (!v)
		return 0;
	if (FAULT("hyp.amdvi-drops-gn", "GN is lost on the way: host entries are invalidated"))
		copy[1] &= ~AMDVI_PAGES1_GN;
	if (FAULT("hyp.amdvi-drops-pasid", "the PASID is lost on the way: it becomes 0"))
		copy[0] &= ~AMDVI_PAGES0_PASID;
	if (FAULT("hyp.amdvi-drops-s", "S is lost on the way: one page is invalidated"))
		copy[1] &= ~AMDVI_PAGES1_S;
	if (FAULT("hyp.amdvi-drops-pde", "PDE is lost on the way: directory entries stay cached"))
		copy[1] &= ~AMDVI_PAGES1_PDE;
	copy[0] |= amdvi_put(v->host, AMDVI_PAGES0_DOMAIN_ID);
	if (FAULT("hyp.amdvi-vdomain-untranslated", "the guest's DomainID goes to hardware"))
		copy[0] = cmd[0];
	amd_queue(batch->iommu, copy);
	return 0;
}

static struct amd_device *device_of(struct batch *batch, const uint64_t cmd[2])
{
	uint16_t guest = amdvi_get(cmd[0], AMDVI_CMD0_DEVICE_ID);
	struct hyp_vdevice *vdevice = hyp_vdevice_find(batch->viommu->viommu, guest);

	if (FAULT("hyp.amdvi-vrid-untranslated", "the guest's DeviceID is used as it is")) {
		struct hyp_device *device = hyp_device_by_rid(batch->viommu->viommu->hyp, guest);

		return device ? amd_device_of(device) : NULL;
	}
	return vdevice ? amd_device_of(vdevice->device) : NULL;
}

/* Queue and depth are facts of the machine: the hypervisor's, not what the guest believes. */
static int begin_iotlb(struct batch *batch, const uint64_t cmd[2])
{
	struct amd_device *device = device_of(batch, cmd);
	uint64_t copy[2];

	if (!device)
		return -ENOENT;
	if (device->fenced)
		return -ETIMEDOUT;
	if (!device->ats || FAULT("hyp.amdvi-drops-atc",
				  "INVALIDATE_IOTLB_PAGES is taken for something synthesised"))
		return 0;
	amdvi_cmd_invalidate_iotlb_pages(copy, amd_rid(device), amd_rid(device),
					 device->device->pdev->ats_queue_depth,
					 amdvi_iotlb_pasid(cmd[0]), cmd[1] & AMDVI_PAGES1_ADDR,
					 cmd[1] & (AMDVI_PAGES1_S | AMDVI_PAGES1_GN));
	if (FAULT("hyp.amdvi-atc-drops-s", "S of INVALIDATE_IOTLB_PAGES is lost on the way"))
		copy[1] &= ~AMDVI_PAGES1_S;
	if (FAULT("hyp.amdvi-atc-drops-pasid",
		  "INVALIDATE_IOTLB_PAGES goes out without the guest's PASID"))
		amdvi_cmd_invalidate_iotlb_pages(copy, amd_rid(device), amd_rid(device),
						 device->device->pdev->ats_queue_depth, 0,
						 copy[1], 0);
	amd_queue(batch->iommu, copy);
	batch->devices[batch->begun - batch->done] = device;
	return 0;
}

static int begin_devtab(struct batch *batch, const uint64_t cmd[2])
{
	struct amd_device *device = device_of(batch, cmd);
	uint64_t copy[2];

	if (!device)
		return -ENOENT;
	amdvi_cmd_invalidate_devtab_entry(copy, amd_rid(device));
	amd_queue(batch->iommu, copy);
	return 0;
}

/*
 * What is cached of a guest's own tables goes by PASID only, and nobody knows all of a guest's:
 * its "all" has to be everybody's. That costs others time, and nothing else.
 */
static int begin_all(struct batch *batch, const uint64_t cmd[2])
{
	if (!(batch->iommu->efr & AMDVI_EFR_IA_SUP))
		return -EIO;
	if (!FAULT("hyp.amdvi-all-is-pages",
		   "INVALIDATE_IOMMU_ALL of a guest becomes GN = 0 page commands")) {
		amd_queue(batch->iommu, cmd);
		return 0;
	}
	for (struct amd_vdomain *v = batch->viommu->vdomains; v; v = v->next)
		amd_queue_pages(batch->iommu, v->host, HYP_NO_PASID, AMD_ALL_ADDRESSES);
	return 0;
}

static int begin_nothing(struct batch *batch, const uint64_t cmd[2])
{
	return 0;
}

static const struct form forms[16] = {
	[AMDVI_INVALIDATE_DEVTAB_ENTRY] = { AMDVI_CMD0_DEVICE_ID, 0, begin_devtab },
	[AMDVI_INVALIDATE_IOMMU_PAGES] = {
		AMDVI_PAGES0_PASID | AMDVI_PAGES0_DOMAIN_ID,
		AMDVI_PAGES1_ADDR | AMDVI_PAGES1_S | AMDVI_PAGES1_PDE | AMDVI_PAGES1_GN,
		begin_pages,
	},
	[AMDVI_INVALIDATE_IOTLB_PAGES] = {
		~AMDVI_CMD0_OPCODE, AMDVI_PAGES1_ADDR | AMDVI_PAGES1_S | AMDVI_PAGES1_GN,
		begin_iotlb,
	},
	[AMDVI_INVALIDATE_INTERRUPT_TABLE] = { AMDVI_CMD0_DEVICE_ID, 0, begin_nothing },
	[AMDVI_PREFETCH_IOMMU_PAGES] = {
		AMDVI_CMD0_DEVICE_ID | AMDVI_PREF0_COUNT | AMDVI_PREF0_PASID,
		AMDVI_PAGES1_ADDR | AMDVI_PAGES1_S | AMDVI_PAGES1_GN,
		begin_nothing,
	},
	[AMDVI_INVALIDATE_IOMMU_ALL] = { 0, 0, begin_all },
};

static int begin(struct batch *batch, const uint64_t cmd[2])
{
	unsigned int opcode = amdvi_get(cmd[0], AMDVI_CMD0_OPCODE);
	const struct form *form = &forms[opcode];
	int rc = 0;

	if (!form->begin || cmd[0] & ~(form->word0 | AMDVI_CMD0_OPCODE) || cmd[1] & ~form->word1)
		return -EIO;
	if (batch->begun - batch->done == BATCH)
		rc = finish(batch);
	if (rc)
		return rc;
	batch->devices[batch->begun - batch->done] = NULL;
	rc = form->begin(batch, cmd);
	if (!rc)
		batch->begun++;
	return rc;
}

/* On a nested domain: its own DomainID, and nothing that is not about it. */
static int check_domain(const struct amd_domain *domain, const uint64_t cmd[2])
{
	if (amdvi_get(cmd[0], AMDVI_CMD0_OPCODE) != AMDVI_INVALIDATE_IOMMU_PAGES ||
	    amdvi_get(cmd[0], AMDVI_PAGES0_DOMAIN_ID) != domain->vdomain->guest)
		return -EINVAL;
	return 0;
}

static int copy_command(uint64_t entries, uint32_t entry_len, uint32_t i,
			struct iommu_viommu_amd_invalidate *entry)
{
	uint64_t at = entries + (uint64_t)i * entry_len;
	uint8_t tail;

	if (hyp_copy_from_user(entry, at, sizeof(*entry)))
		return -EFAULT;
	for (uint32_t n = sizeof(*entry); n < entry_len; n++) {
		if (hyp_copy_from_user(&tail, at + n, 1))
			return -EFAULT;
		if (tail)
			return -E2BIG;
	}
	return 0;
}

int amd_invalidate(struct hyp_domain *domain, struct hyp_viommu *viommu, uint32_t type,
		     uint64_t entries, uint32_t entry_len, uint32_t *num)
{
	struct amd_domain *nested = domain ? amd_domain_of(domain) : NULL;
	struct amd_viommu *of = (domain ? domain->viommu : viommu)->priv;
	struct batch batch = {
		.iommu = &amd_of(of->viommu->hyp)->iommus[of->viommu->iommu], .viommu = of,
	};
	struct iommu_viommu_amd_invalidate entry;
	uint32_t count = *num;
	int rc = 0, finished;

	*num = 0;
	if (type != IOMMU_VIOMMU_INVALIDATE_DATA_AMD || (count && entry_len < sizeof(entry)))
		return -EINVAL;
	for (uint32_t i = 0; i < count && !rc; i++) {
		const uint64_t *cmd = (const uint64_t *)entry.cmd;

		rc = copy_command(entries, entry_len, i, &entry);
		if (!rc && nested)
			rc = check_domain(nested, cmd);
		if (!rc)
			rc = begin(&batch, cmd);
		if (rc && FAULT("hyp.amdvi-skips-bad", "a bad command counts as done")) {
			batch.begun++;
			rc = 0;
		}
	}
	finished = FAULT("hyp.amdvi-no-final-sync", "the last batch is begun and not waited for") ?
		   (batch.done = batch.begun, 0) : finish(&batch);
	*num = batch.done;
	return rc ?: finished;
}
