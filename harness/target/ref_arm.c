// SPDX-License-Identifier: GPL-2.0-only
#include "hw/smmuv3.h"
#include "ref.h"

static struct hw_iommu *iommu_create(struct machine *machine, unsigned int index,
				     const void *config)
{
	struct smmuv3_config full = smmuv3_config_full();

	return smmuv3_create(machine, config ?: &full);
}

const struct ref_vendor ref_arm = {
	.name = "arm",
	.iommu_create = iommu_create,
	.hyp = &hyp_smmuv3_ops,
};
