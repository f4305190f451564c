// SPDX-License-Identifier: GPL-2.0-only
/* VT-d: bringing IOMMUs up with every device blocked; capabilities; interrupts (D51397, 11.4). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "vtd.h"

#define MSI_ADDR	0xfee00000u

/* What an interrupt is about is in its data, with the number of the IOMMU */
enum vtd_vector { VECTOR_FAULT, VECTOR_PRQ, VECTORS };

struct wanted {
	struct vtd_iommu *iommu;
	uint64_t bit;
	bool set;
};

static bool status_is(void *arg)
{
	const struct wanted *wanted = arg;

	return !(vtd_read(wanted->iommu, VTD_GSTS_REG, 4) & wanted->bit) != wanted->set;
}

/* Commands are bits that stay; the one-shot ones (SRTP) are not written back. */
static int command(struct vtd_iommu *iommu, uint64_t bit, bool set)
{
	struct wanted wanted = { iommu, bit, set };
	uint64_t now = vtd_read(iommu, VTD_GSTS_REG, 4) & ~VTD_GCMD_SRTP & ~VTD_GCMD_SIRTP;

	vtd_write(iommu, VTD_GCMD_REG, 4, set ? now | bit : now & ~bit);
	return platform_wait(iommu->vtd->hyp->platform, status_is, &wanted, VTD_WAIT_BOUND);
}

static void interrupt_set(struct vtd_iommu *iommu, enum vtd_reg control, enum vtd_vector vector)
{
	/* Data, address and upper address follow the control register, 4 bytes each. */
	vtd_write(iommu, control + 4, 4, iommu->index * VECTORS + vector);
	vtd_write(iommu, control + 8, 4, MSI_ADDR);
	vtd_write(iommu, control + 12, 4, 0);
	vtd_write(iommu, control, 4, 0);
}

static int flush_all(struct vtd_iommu *iommu)
{
	unsigned int n = 0;
	uint64_t d[3][4];

	vtd_inv_context(d[n++], VTD_GLOBAL, 0, 0, 0);
	if (!iommu->legacy)
		vtd_inv_pasid_cache(d[n++], VTD_PC_GLOBAL, 0, 0);
	vtd_inv_iotlb(d[n++], VTD_GLOBAL, 0, 0, 0, false);
	return vtd_submit(iommu, d, n, 0);
}

/* Legacy mode has a second stage always (3.4), scalable mode one of the two at least. */
static bool is_usable(uint64_t ecap)
{
	return ecap & VTD_ECAP_QI &&
	       (!(ecap & VTD_ECAP_SMTS) || ecap & (VTD_ECAP_SSTS | VTD_ECAP_FSTS));
}

static int iommu_start(struct vtd_iommu *iommu)
{
	struct hyp *hyp = iommu->vtd->hyp;
	int rc;

	iommu->cap = vtd_read(iommu, VTD_CAP_REG, 8);
	iommu->ecap = vtd_read(iommu, VTD_ECAP_REG, 8);
	iommu->legacy = !(iommu->ecap & VTD_ECAP_SMTS);
	if (!is_usable(iommu->ecap))
		return -EOPNOTSUPP;
	iommu->did_count = 1u << (4 + 2 * VTD_GET(VTD_CAP_ND, iommu->cap));
	iommu->dids = calloc((iommu->did_count + 63) / 64, sizeof(*iommu->dids));
	iommu->root = pages_alloc(&hyp->pages, 4096);
	if (!iommu->dids || !iommu->root)
		return -ENOMEM;
	rc = vtd_queue_init(iommu) ?: vtd_prq_init(iommu);
	if (rc)
		return rc;
	for (unsigned int i = 0; i < hyp->platform->device_count; i++) {
		struct vtd_device *device = &iommu->vtd->devices[i];

		if (device->iommu == iommu)
			rc = rc ?: vtd_table_init(device);
	}
	interrupt_set(iommu, VTD_FECTL_REG, VECTOR_FAULT);
	if (iommu->prq)
		interrupt_set(iommu, VTD_PECTL_REG, VECTOR_PRQ);
	vtd_write(iommu, VTD_RTADDR_REG, 8,
		  iommu->root | VTD_PUT(VTD_RTADDR_TTM, iommu->legacy ? VTD_TTM_LEGACY :
					VTD_TTM_SCALABLE));
	return rc ?: command(iommu, VTD_GCMD_SRTP, true) ?: command(iommu, VTD_GCMD_QIE, true) ?:
	       flush_all(iommu) ?: command(iommu, VTD_GCMD_TE, true);
}

static void device_init(struct vtd *vtd, unsigned int i)
{
	struct vtd_device *device = &vtd->devices[i];

	device->base = &vtd->hyp->devices[i];
	device->base->priv = device;
	device->iommu = &vtd->iommus[device->base->pdev->iommu];
	device->fenced = true;	/* its context entry is made present by the first attach */
}

static void vtd_stop(struct hyp *hyp)
{
	struct vtd *vtd = hyp->priv;

	for (unsigned int i = 0; i < hyp->platform->iommu_count; i++) {
		struct vtd_iommu *iommu = &vtd->iommus[i];

		if (iommu->queue.pa) {
			command(iommu, VTD_GCMD_TE, false);
			command(iommu, VTD_GCMD_QIE, false);
		}
		vtd_queue_fini(iommu);
		free(iommu->dids);
	}
	free(vtd);
	hyp->priv = NULL;
}

static int vtd_start(struct hyp *hyp)
{
	struct vtd *vtd = calloc(1, sizeof(*vtd));
	int rc = 0;

	if (!vtd || hyp->platform->iommu_count > VTD_IOMMUS) {
		free(vtd);
		return -ENOMEM;
	}
	hyp->priv = vtd;
	vtd->hyp = hyp;
	for (unsigned int i = 0; i < hyp->platform->iommu_count; i++) {
		vtd->iommus[i].vtd = vtd;
		vtd->iommus[i].index = i;
	}
	for (unsigned int i = 0; i < hyp->platform->device_count; i++)
		device_init(vtd, i);
	for (unsigned int i = 0; i < hyp->platform->iommu_count && !rc; i++)
		rc = iommu_start(&vtd->iommus[i]);
	if (rc)
		vtd_stop(hyp);
	return rc;
}

static int vtd_hw_info(struct hyp_device *device, void *data, uint32_t *len)
{
	struct iommu_hw_info_vtd info = {
		.cap_reg = vtd_device(device)->iommu->cap,
		.ecap_reg = vtd_device(device)->iommu->ecap,
	};

	if (FAULT("hyp.vtd-hw-info-one-register", "ecap_reg reports CAP_REG"))
		info.ecap_reg = info.cap_reg;
	memcpy(data, &info, sizeof(info));
	*len = sizeof(info);
	return 0;
}

/* Unrecoverable faults were aborted already; their records only have to make room (7.2.2). */
static void clear_faults(struct vtd_iommu *iommu)
{
	uint64_t at = VTD_GET(VTD_CAP_FRO, iommu->cap) * 16;

	for (unsigned int i = 0; i <= VTD_GET(VTD_CAP_NFR, iommu->cap); i++)
		vtd_write(iommu, at + i * 16 + 8, 8, VTD_FRCD_F);
	vtd_write(iommu, VTD_FSTS_REG, 4, VTD_FSTS_PFO);
}

static void look_everywhere(struct vtd *vtd)
{
	for (unsigned int i = 0; i < vtd->hyp->platform->iommu_count; i++) {
		if (vtd_read(&vtd->iommus[i], VTD_FSTS_REG, 4) & (VTD_FSTS_PFO | VTD_FSTS_PPF))
			clear_faults(&vtd->iommus[i]);
		if (vtd->iommus[i].prq)
			vtd_prq_service(&vtd->iommus[i]);
	}
}

static void vtd_interrupt(struct hyp *hyp, uint64_t addr, uint32_t data)
{
	struct vtd *vtd = hyp->priv;
	unsigned int index = data / VECTORS;

	if (addr == PLATFORM_WIRED)
		look_everywhere(vtd);
	if ((addr & ~0xfffffull) != MSI_ADDR || index >= hyp->platform->iommu_count)
		return;
	if (data % VECTORS == VECTOR_PRQ)
		vtd_prq_service(&vtd->iommus[index]);
	else
		clear_faults(&vtd->iommus[index]);
}

const struct hyp_vendor_ops hyp_vtd_ops = {
	.name = "vtd",
	.hw_info_type = IOMMU_HW_INFO_TYPE_INTEL_VTD,
	.start = vtd_start,
	.stop = vtd_stop,
	.hw_info = vtd_hw_info,
	.paging_alloc = vtd_paging_alloc,
	.nested_alloc = vtd_nested_alloc,
	.domain_free = vtd_domain_free,
	.map = vtd_map,
	.unmap = vtd_unmap,
	.attach = vtd_attach,
	.detach = vtd_detach,
	.invalidate = vtd_user_invalidate,
	.set_dirty = vtd_set_dirty,
	.read_dirty = vtd_read_dirty,
	.interrupt = vtd_interrupt,
	.page_response = vtd_page_response,
};
