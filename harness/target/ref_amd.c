// SPDX-License-Identifier: GPL-2.0-only
#include "hw/amdvi.h"
#include "ref.h"
#include "spec/amdvi.h"

/* What ACPI IVRS would tell, the IOMMU's own DeviceID, is fixed in the reference machine. */
static struct hw_iommu *iommu_create(struct machine *machine, unsigned int index,
				     const void *config)
{
	static const struct amdvi_config full = { AMDVI_CONFIG };
	struct amdvi_config own = config ? *(const struct amdvi_config *)config : full;

	own.device_id = AMDVI_IOMMU_DEVICE_ID(index);
	return amdvi_create(machine, &own);
}

const struct ref_vendor ref_amd = {
	.name = "amd",
	.iommu_create = iommu_create,
	.hyp = &hyp_amdvi_ops,
};
