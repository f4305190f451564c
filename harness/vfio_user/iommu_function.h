/* SPDX-License-Identifier: GPL-2.0-only */
/* An IOMMU of harness/hw as a PCI function: its registers are BAR 0. */
#ifndef NIT_VFIO_USER_IOMMU_FUNCTION_H
#define NIT_VFIO_USER_IOMMU_FUNCTION_H

#include "hw/iommu.h"

#include "function.h"

/* Larger than any BAR of an endpoint, so that firmware gives it the first addresses */
#define IOMMU_FUNCTION_BAR 0x100000u

/**
 * struct iommu_function
 * @base: where ACPI says that the registers are; @misplaced: firmware has put the BAR elsewhere
 */
struct iommu_function {
	struct function function;
	struct hw_iommu *iommu;
	uint64_t base;
	bool misplaced;
};

/** iommu_function_init() - Configuration space and BAR of a @class function; capabilities follow */
void iommu_function_init(struct iommu_function *served, const char *name, struct hw_iommu *iommu,
			 uint32_t class, uint64_t base, uint32_t bar,
			 pthread_rwlock_t *lock);

#endif
