// SPDX-License-Identifier: GPL-2.0-only
#include "hyp/hyp.h"
#include "hypervised.h"

int hypervised_bind(struct target *target, struct iommufd *iommufd, unsigned int device,
		    uint32_t *dev_id)
{
	return hyp_device_bind(iommufd, target->devices[device].rid, dev_id);
}

void hypervised_unbind(struct target *target, struct iommufd *iommufd, unsigned int device,
		       uint32_t dev_id)
{
	hyp_device_unbind(iommufd, dev_id);
}

int hypervised_attach(struct target *target, struct iommufd *iommufd, uint32_t dev_id,
		      uint32_t pasid, uint32_t pt_id)
{
	return hyp_device_attach(iommufd, dev_id, pasid, pt_id);
}

int hypervised_detach(struct target *target, struct iommufd *iommufd, uint32_t dev_id,
		      uint32_t pasid)
{
	return hyp_device_detach(iommufd, dev_id, pasid);
}

int hypervised_reset(struct target *target, struct iommufd *iommufd, uint32_t dev_id)
{
	return hyp_device_reset(iommufd, dev_id);
}

int hypervised_viommu_mmio(struct target *target, struct iommufd *iommufd, uint64_t mmap_offset,
			   uint64_t offset, unsigned int size, bool write, uint64_t *value)
{
	return hyp_viommu_mmio(iommufd, mmap_offset, offset, size, write, value);
}
