/* SPDX-License-Identifier: GPL-2.0-only */
/* VFIO's part of struct target_ops, where the reference hypervisor is the kernel: ref and bare. */
#ifndef NIT_TARGET_HYPERVISED_H
#define NIT_TARGET_HYPERVISED_H

#include "target.h"

int hypervised_bind(struct target *target, struct iommufd *iommufd, unsigned int device,
		    uint32_t *dev_id);
void hypervised_unbind(struct target *target, struct iommufd *iommufd, unsigned int device,
		       uint32_t dev_id);
int hypervised_attach(struct target *target, struct iommufd *iommufd, uint32_t dev_id,
		      uint32_t pasid, uint32_t pt_id);
int hypervised_detach(struct target *target, struct iommufd *iommufd, uint32_t dev_id,
		      uint32_t pasid);
int hypervised_reset(struct target *target, struct iommufd *iommufd, uint32_t dev_id);
int hypervised_viommu_mmio(struct target *target, struct iommufd *iommufd, uint64_t mmap_offset,
			   uint64_t offset, unsigned int size, bool write, uint64_t *value);

#endif
