// SPDX-License-Identifier: GPL-2.0-only
#include "hw_info.h"
#include "iommufd/iommufd.h"
#include "spec/amdvi.h"
#include "spec/smmuv3.h"
#include "spec/vtd.h"

/* D51397, 11.4.3: nested translation; accessed and dirty bits of the second stage */
static unsigned int of_intel(const struct iommu_hw_info_vtd *info)
{
	return (info->ecap_reg & VTD_ECAP_NEST ? TARGET_NEST : 0) |
	       (info->ecap_reg & VTD_ECAP_SSADS ? TARGET_DIRTY : 0);
}

/*
 * 48882, 3.4.8: guest translation, and GCR3 tables at guest physical addresses, without which a
 * guest's table cannot be used as it is; D bits of the host's tables.
 */
static unsigned int of_amd(const struct iommu_hw_info_amd *info)
{
	bool nest = info->efr & AMDVI_EFR_GT_SUP && info->efr2 & AMDVI_EFR2_GCR3TRP_MODE;

	return (nest ? TARGET_NEST : 0) | (info->efr & AMDVI_EFR_HD_SUP ? TARGET_DIRTY : 0);
}

/* IHI 0070, 6.3.1: both stages; dirty state; a STALL_MODEL that stalls */
static unsigned int of_arm(const struct iommu_hw_info_arm_smmuv3 *info)
{
	uint32_t idr0 = info->idr[0];
	bool nest = idr0 & SMMU_IDR0_S1P && idr0 & SMMU_IDR0_S2P;

	return (nest ? TARGET_NEST : 0) |
	       (smmu_get(SMMU_IDR0_HTTU, idr0) == SMMU_HTTU_DIRTY ? TARGET_DIRTY : 0) |
	       (smmu_get(SMMU_IDR0_STALL_MODEL, idr0) == SMMU_STALL_NEVER ? 0 : TARGET_STALL);
}

unsigned int hw_info_has(uint32_t type, const void *info)
{
	switch (type) {
	case IOMMU_HW_INFO_TYPE_INTEL_VTD:
		return of_intel(info);
	case IOMMU_HW_INFO_TYPE_AMD:
		return of_amd(info);
	case IOMMU_HW_INFO_TYPE_ARM_SMMUV3:
		return of_arm(info);
	default:
		return 0;
	}
}
