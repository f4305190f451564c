// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/mman.h>

#include "iommufd.h"

void iommufd_close(struct iommufd *iommufd)
{
	iommufd->ops->close(iommufd);
}

int __iommufd_ioctl(struct iommufd *iommufd, unsigned long request, void *arg)
{
	return iommufd->ops->ioctl(iommufd, request, arg);
}

int __iommufd_mmap(struct iommufd *iommufd, size_t length, off_t offset, void **addr)
{
	void *map = iommufd->ops->mmap(iommufd, NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED,
				       offset);

	if (map == MAP_FAILED)
		return -errno;
	*addr = map;
	return 0;
}

int __iommufd_destroy(struct iommufd *iommufd, uint32_t id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return __iommufd_ioctl(iommufd, IOMMU_DESTROY, &cmd);
}

int __ioas_alloc(struct iommufd *iommufd, uint32_t *ioas_id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int rc = __iommufd_ioctl(iommufd, IOMMU_IOAS_ALLOC, &cmd);

	if (!rc)
		*ioas_id = cmd.out_ioas_id;
	return rc;
}

int __ioas_map(struct iommufd *iommufd, uint32_t ioas_id, void *va, uint64_t length,
	       uint64_t iova, uint32_t flags)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = flags | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = ioas_id,
		.user_va = (uintptr_t)va,
		.length = length,
		.iova = iova,
	};

	return __iommufd_ioctl(iommufd, IOMMU_IOAS_MAP, &cmd);
}

int __ioas_unmap(struct iommufd *iommufd, uint32_t ioas_id, uint64_t iova, uint64_t length,
		 uint64_t *unmapped)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id,
		.iova = iova,
		.length = length,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_IOAS_UNMAP, &cmd);

	if (!rc && unmapped)
		*unmapped = cmd.length;
	return rc;
}

int __hwpt_alloc_data(struct iommufd *iommufd, uint32_t dev_id, uint32_t pt_id, uint32_t flags,
		      uint32_t fault_id, uint32_t data_type, const void *data, uint32_t data_len,
		      uint32_t *hwpt_id)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = dev_id,
		.pt_id = pt_id,
		.data_type = data_type,
		.data_len = data_len,
		.data_uptr = (uintptr_t)data,
		.fault_id = fault_id,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_HWPT_ALLOC, &cmd);

	if (!rc)
		*hwpt_id = cmd.out_hwpt_id;
	return rc;
}

int __hwpt_alloc(struct iommufd *iommufd, uint32_t dev_id, uint32_t pt_id, uint32_t flags,
		 uint32_t *hwpt_id)
{
	return __hwpt_alloc_data(iommufd, dev_id, pt_id, flags, 0, IOMMU_HWPT_DATA_NONE, NULL, 0,
				 hwpt_id);
}

int __hwpt_invalidate(struct iommufd *iommufd, uint32_t target_id, uint32_t data_type,
		      const void *entries, uint32_t entry_len, uint32_t *entry_num)
{
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = target_id,
		.data_uptr = (uintptr_t)entries,
		.data_type = data_type,
		.entry_len = entry_len,
		.entry_num = *entry_num,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_HWPT_INVALIDATE, &cmd);

	*entry_num = cmd.entry_num;
	return rc;
}

int __get_hw_info(struct iommufd *iommufd, uint32_t dev_id, uint32_t *data_type, void *data,
		  uint32_t *data_len, uint64_t *capabilities, uint8_t *max_pasid_log2)
{
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = dev_id,
		.data_len = *data_len,
		.data_uptr = (uintptr_t)data,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_GET_HW_INFO, &cmd);

	if (rc)
		return rc;
	*data_type = cmd.out_data_type;
	*data_len = cmd.data_len;
	*capabilities = cmd.out_capabilities;
	*max_pasid_log2 = cmd.out_max_pasid_log2;
	return 0;
}

int __hwpt_set_dirty_tracking(struct iommufd *iommufd, uint32_t hwpt_id, uint32_t flags)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.hwpt_id = hwpt_id,
	};

	return __iommufd_ioctl(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd);
}

int __hwpt_get_dirty_bitmap(struct iommufd *iommufd, uint32_t hwpt_id, uint32_t flags,
			    uint64_t iova, uint64_t length, uint64_t page_size, void *bitmap)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt_id,
		.flags = flags,
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.data = (uintptr_t)bitmap,
	};

	return __iommufd_ioctl(iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

int __fault_queue_alloc(struct iommufd *iommufd, uint32_t *fault_id, int *fd)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	int rc = __iommufd_ioctl(iommufd, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	if (rc)
		return rc;
	*fault_id = cmd.out_fault_id;
	*fd = (int)cmd.out_fault_fd;
	return 0;
}

int __viommu_alloc(struct iommufd *iommufd, uint32_t dev_id, uint32_t hwpt_id, uint32_t type,
		   void *data, uint32_t data_len, uint32_t *viommu_id)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = type,
		.dev_id = dev_id,
		.hwpt_id = hwpt_id,
		.data_len = data_len,
		.data_uptr = (uintptr_t)data,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_VIOMMU_ALLOC, &cmd);

	if (!rc)
		*viommu_id = cmd.out_viommu_id;
	return rc;
}

int __vdevice_alloc(struct iommufd *iommufd, uint32_t viommu_id, uint32_t dev_id,
		    uint64_t virt_id, uint32_t *vdevice_id)
{
	struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = viommu_id,
		.dev_id = dev_id,
		.virt_id = virt_id,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_VDEVICE_ALLOC, &cmd);

	if (!rc)
		*vdevice_id = cmd.out_vdevice_id;
	return rc;
}

int __veventq_alloc(struct iommufd *iommufd, uint32_t viommu_id, uint32_t type, uint32_t depth,
		    uint32_t *veventq_id, int *fd)
{
	struct iommu_veventq_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = viommu_id,
		.type = type,
		.veventq_depth = depth,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_VEVENTQ_ALLOC, &cmd);

	if (rc)
		return rc;
	*veventq_id = cmd.out_veventq_id;
	*fd = (int)cmd.out_veventq_fd;
	return 0;
}

int __hw_queue_alloc(struct iommufd *iommufd, uint32_t viommu_id, uint32_t type, uint32_t index,
		     uint64_t iova, uint64_t length, uint32_t *hw_queue_id)
{
	struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = viommu_id,
		.type = type,
		.index = index,
		.nesting_parent_iova = iova,
		.length = length,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_HW_QUEUE_ALLOC, &cmd);

	if (!rc)
		*hw_queue_id = cmd.out_hw_queue_id;
	return rc;
}
