/* SPDX-License-Identifier: GPL-2.0-only */
/* What an IOMMU can do, as its ID registers say: those that GET_HW_INFO hands to user space. */
#ifndef NIT_TARGET_HW_INFO_H
#define NIT_TARGET_HW_INFO_H

#include "target.h"

#define HW_INFO_NEEDS (TARGET_NEST | TARGET_STALL | TARGET_DIRTY)

/**
 * hw_info_has() - Which of HW_INFO_NEEDS the hardware has
 * @type: enum iommu_hw_info_type; @info: its struct, whole. Of another type: nothing
 */
unsigned int hw_info_has(uint32_t type, const void *info);

#endif
