// SPDX-License-Identifier: GPL-2.0-only
/* AMD-Vi: bring-up of the IOMMUs, and the ops table. */
#include <errno.h>
#include <stdlib.h>

#include "amdvi.h"
#include "core/fault.h"
#include "iommufd/amd_nested.h"

static uint64_t control_bits(const struct amd_iommu *iommu)
{
	uint64_t control = AMDVI_CONTROL_IOMMU_EN | AMDVI_CONTROL_EVT_LOG_EN |
			   AMDVI_CONTROL_EVT_INT_EN | AMDVI_CONTROL_CMDBUF_EN |
			   AMDVI_CONTROL_COHERENT;

	/* Without a time-out a device that does not answer stops everybody for ever. */
	control |= amdvi_put(AMDVI_INV_TIMEOUT_100MS, AMDVI_CONTROL_INV_TIMEOUT);
	if (iommu->efr & AMDVI_EFR_PPR_SUP)
		control |= AMDVI_CONTROL_PPR_LOG_EN | AMDVI_CONTROL_PPR_INT_EN |
			   AMDVI_CONTROL_PPR_EN;
	if (iommu->efr & AMDVI_EFR_GT_SUP)
		control |= AMDVI_CONTROL_GT_EN;
	if (iommu->efr & AMDVI_EFR_HD_SUP)
		control |= AMDVI_CONTROL_HAD_UPDATE;
	if (iommu->efr2 & AMDVI_EFR2_GCR3TRP_MODE)
		control |= AMDVI_CONTROL_GCR3TRP_MODE;
	if (iommu->efr & AMDVI_EFR_VIOMMU_SUP)
		control |= AMDVI_CONTROL_VIOMMU_EN | AMDVI_CONTROL_VCMD_EN |
			   AMDVI_CONTROL_GSTBUF_TRP_MODE;
	return control;
}

/* What the IOMMU may still have cached of a life before this one. */
static int flush_everything(struct amd_iommu *iommu)
{
	uint64_t cmd[2];

	if (!(iommu->efr & AMDVI_EFR_IA_SUP))
		return 0;
	amdvi_cmd_invalidate_iommu_all(cmd);
	amd_queue(iommu, cmd);
	return amd_sync(iommu);
}

static int iommu_start(struct amd_iommu *iommu)
{
	struct platform *platform = iommu->hyp->platform;
	struct amd *amd = amd_of(iommu->hyp);
	int rc;

	mmio_write(platform, iommu->number, AMDVI_CONTROL, 8, 0);
	iommu->efr = mmio_read(platform, iommu->number, AMDVI_EFR, 8);
	iommu->efr2 = mmio_read(platform, iommu->number, AMDVI_EFR2, 8);
	mmio_write(platform, iommu->number, AMDVI_DEVTAB_BASE, 8,
		   amd->devtab | amdvi_put(amd->devtab_size / 4096 - 1, AMDVI_DEVTAB_BASE_SIZE));
	rc = amd_queue_start(iommu);
	rc = rc ?: amd_logs_start(iommu);
	if (rc)
		return rc;
	mmio_write(platform, iommu->number, AMDVI_CONTROL, 8, control_bits(iommu));
	return flush_everything(iommu);
}

static int start(struct hyp *hyp)
{
	struct amd *amd = calloc(1, sizeof(*amd));
	int rc;

	if (!amd)
		return -ENOMEM;
	hyp->priv = amd;
	amd->domids[0] = 1;	/* DomainID 0 is that of blocked devices */
	amd->iommu_count = hyp->platform->iommu_count;
	for (unsigned int i = 0; i < hyp->platform->device_count; i++) {
		amd->devices[i].device = &hyp->devices[i];
		hyp->devices[i].priv = &amd->devices[i];
	}
	rc = amd_table_start(hyp);
	for (unsigned int i = 0; !rc && i < amd->iommu_count; i++) {
		amd->iommus[i].hyp = hyp;
		amd->iommus[i].number = i;
		rc = iommu_start(&amd->iommus[i]);
	}
	return rc;
}

static void stop(struct hyp *hyp)
{
	struct amd *amd = amd_of(hyp);

	if (!amd)
		return;
	amd_each_iommu(amd, iommu)
		mmio_write(hyp->platform, iommu->number, AMDVI_CONTROL, 8, 0);
	free(amd);
	hyp->priv = NULL;
}

static int hw_info(struct hyp_device *device, void *data, uint32_t *len)
{
	struct amd_iommu *iommu = amd_iommu_of(amd_device_of(device));
	struct iommu_hw_info_amd *info = data;

	*info = (struct iommu_hw_info_amd){ .efr = iommu->efr, .efr2 = iommu->efr2 };
	if (FAULT("hyp.amdvi-hw-info-no-efr2", "EFR2 is not told to user space"))
		info->efr2 = 0;
	*len = sizeof(*info);
	return 0;
}

const struct hyp_vendor_ops hyp_amdvi_ops = {
	.name = "amdvi",
	.hw_info_type = IOMMU_HW_INFO_TYPE_AMD,
	.veventq_type = IOMMU_VEVENTQ_TYPE_AMD,
	.start = start,
	.stop = stop,
	.hw_info = hw_info,
	.paging_alloc = amd_paging_alloc,
	.nested_alloc = amd_nested_alloc,
	.domain_free = amd_domain_free,
	.map = amd_map,
	.unmap = amd_unmap,
	.attach = amd_attach,
	.detach = amd_detach,
	.invalidate = amd_invalidate,
	.viommu_alloc = amd_viommu_alloc,
	.viommu_free = amd_viommu_free,
	.vdevice_add = amd_vdevice_add,
	.vdevice_remove = amd_vdevice_remove,
	.hw_queue_alloc = amd_hw_queue_alloc,
	.hw_queue_free = amd_hw_queue_free,
	.viommu_mmio = amd_viommu_mmio,
	.set_dirty = amd_set_dirty,
	.read_dirty = amd_read_dirty,
	.interrupt = amd_interrupt,
	.page_response = amd_page_response,
};
