// SPDX-License-Identifier: GPL-2.0-only
#include "hw/vtd.h"
#include "ref.h"

/*
 * Steps pass fast while a DMA engine on a thread has lost its CPU in the middle of a request: that
 * must not look like a device that does not answer.
 */
#define PATIENCE 300000

static struct hw_iommu *iommu_create(struct machine *machine, unsigned int index,
				     const void *config)
{
	struct vtd_config patient = vtd_config_full;

	patient.ats_timeout = PATIENCE;
	return vtd_create(machine, config ? config : &patient);
}

const struct ref_vendor ref_intel = {
	.name = "intel",
	.iommu_create = iommu_create,
	.hyp = &hyp_vtd_ops,
};
