// SPDX-License-Identifier: GPL-2.0-only
/* VT-d page requests and responses (D51397, 7.3 to 7.6). */
#include <errno.h>

#include "core/fault.h"
#include "vtd.h"

#define PRQ_BYTES	4096	/* PQS = 0: 128 requests */
#define PRQ_ENTRY	32

int vtd_prq_init(struct vtd_iommu *iommu)
{
	if (!(iommu->ecap & VTD_ECAP_PRS))
		return 0;
	iommu->prq = pages_alloc(&iommu->vtd->hyp->pages, PRQ_BYTES);
	if (!iommu->prq)
		return -ENOMEM;
	vtd_write(iommu, VTD_PQH_REG, 8, 0);
	vtd_write(iommu, VTD_PQT_REG, 8, 0);
	vtd_write(iommu, VTD_PQA_REG, 8, iommu->prq);
	return 0;
}

static void respond(struct vtd_iommu *iommu, uint16_t rid, bool has_pasid, uint32_t pasid,
		    unsigned int group, unsigned int code)
{
	uint64_t d[1][4];

	vtd_inv_page_response(d[0], rid, has_pasid, pasid, group, code);
	vtd_submit(iommu, d, 1, 0);
}

static void request(struct vtd_iommu *iommu, const uint64_t *d)
{
	uint16_t rid = VTD_GET(VTD_PRQ_RID, d[0]);
	struct hyp_device *device = hyp_device_by_rid(iommu->vtd->hyp, rid);
	uint32_t pasid = d[0] & VTD_PRQ_PP ? VTD_GET(VTD_PRQ_PASID, d[0]) : HYP_NO_PASID;
	unsigned int group = VTD_GET(VTD_PRQ_PRGI, d[1]);
	bool last = d[1] & VTD_PRQ_LPIG;
	uint32_t perm = 0;

	perm |= d[1] & VTD_PRQ_R ? IOMMU_PGFAULT_PERM_READ : 0;
	perm |= d[1] & VTD_PRQ_W ? IOMMU_PGFAULT_PERM_WRITE : 0;
	perm |= d[0] & VTD_PRQ_EXE ? IOMMU_PGFAULT_PERM_EXEC : 0;
	perm |= d[0] & VTD_PRQ_PRIV ? IOMMU_PGFAULT_PERM_PRIV : 0;
	if (device && !hyp_report_fault(device, pasid, d[1] & VTD_PRQ_ADDR, perm, group, last))
		return;
	if (last && !FAULT("hyp.vtd-prq-unanswered", "a request that nobody takes is dropped"))
		respond(iommu, rid, d[0] & VTD_PRQ_PP, pasid, group, VTD_RESPONSE_INVALID);
}

/* Room first: an answer to a request may bring the next one. */
static void take_all(struct vtd_iommu *iommu)
{
	const uint8_t *queue = pages_ptr(&iommu->vtd->hyp->pages, iommu->prq);
	uint64_t head = vtd_read(iommu, VTD_PQH_REG, 8);

	vtd_write(iommu, VTD_PRS_REG, 4, VTD_PRS_PPR);
	for (unsigned int bound = 4 * PRQ_BYTES / PRQ_ENTRY;
	     bound && head != vtd_read(iommu, VTD_PQT_REG, 8); bound--) {
		uint64_t d[4];

		for (unsigned int i = 0; i < 4; i++)
			d[i] = ((const uint64_t *)(queue + head))[i];
		head = (head + PRQ_ENTRY) % PRQ_BYTES;
		vtd_write(iommu, VTD_PQH_REG, 8, head);
		request(iommu, d);
	}
	vtd_write(iommu, VTD_PRS_REG, 4, VTD_PRS_PRO);
}

void vtd_prq_service(struct vtd_iommu *iommu)
{
	iommu->prq_pending = iommu->prq;
	if (iommu->submitting || iommu->servicing)
		return;
	iommu->servicing = true;
	while (iommu->prq_pending) {
		iommu->prq_pending = false;
		take_all(iommu);
	}
	iommu->servicing = false;
}

/* A wait with PD completes when all page requests of before are in the queue (6.5.2.9). */
void vtd_prq_drain(struct vtd_iommu *iommu)
{
	if (!iommu->prq)
		return;
	if (iommu->ecap & VTD_ECAP_PDS)
		vtd_submit(iommu, NULL, 0, VTD_INV_WAIT_FN | VTD_INV_WAIT_PD);
	vtd_prq_service(iommu);
}

int vtd_page_response(struct hyp_device *base, uint32_t pasid, uint32_t group, uint32_t code)
{
	struct vtd_device *device = vtd_device(base);
	bool has_pasid = pasid != HYP_NO_PASID;

	if (device->fenced)
		return 0;	/* with PRI off there is nobody to answer */
	if (FAULT("hyp.vtd-response-always-success", "a refused request is answered as served"))
		code = VTD_RESPONSE_SUCCESS;
	respond(device->iommu, base->pdev->rid, has_pasid, has_pasid ? pasid : 0, group, code);
	return 0;
}
