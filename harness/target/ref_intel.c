// SPDX-License-Identifier: GPL-2.0-only
#include "hw/vtd.h"
#include "ref.h"

static struct hw_iommu *iommu_create(struct machine *machine, unsigned int index,
				     const void *config)
{
	return vtd_create(machine, config ? config : &vtd_config_full);
}

const struct ref_vendor ref_intel = {
	.name = "intel",
	.iommu_create = iommu_create,
	.hyp = &hyp_vtd_ops,
};
