/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's mock IOMMU driver (CONFIG_IOMMUFD_TEST), driven by IOMMU_TEST_CMD.
 *
 * A mock device has four cache words, a nested page table four IOTLB words. Invalidations set
 * words to 0; the CHECK operations compare a word with a value. That makes visible what an
 * invalidation really did. Structs come from drivers/iommu/iommufd/iommufd_test.h of the kernel
 * in use. All calls return 0 or -errno.
 */
#ifndef NIT_IOMMUFD_MOCK_H
#define NIT_IOMMUFD_MOCK_H

#include <stdbool.h>

#include "iommufd.h"
#include "iommufd_test.h"

/**
 * struct mock_device - a mock device bound to an iommufd and attached
 * @stdev_id: the test object; destroy it to detach and unbind; attach calls take it
 * @idev_id: the ordinary iommufd device id, for every dev_id of the uAPI
 * @hwpt_id: what the first attach made or used
 */
struct mock_device {
	uint32_t stdev_id;
	uint32_t idev_id;
	uint32_t hwpt_id;
};

/** __mock_present() - 0 if this kernel has the mock driver, else -errno */
int __mock_present(struct iommufd *iommufd);

/** __mock_device_create() - Bind a new device, attach it to @pt_id; @flags: MOCK_FLAGS_DEVICE_* */
int __mock_device_create(struct iommufd *iommufd, uint32_t pt_id, uint32_t flags,
			 struct mock_device *device);

/** __mock_device_replace() - Attach the device to @pt_id (IOAS or HWPT) in place of what it has */
int __mock_device_replace(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pt_id);

/** __mock_device_attach() - The same; the HWPT that the device has now goes to *@hwpt_id */
int __mock_device_attach(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pt_id,
			 uint32_t *hwpt_id);

int __mock_pasid_attach(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pasid,
			uint32_t pt_id);
int __mock_pasid_replace(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pasid,
			 uint32_t pt_id);
int __mock_pasid_detach(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pasid);

/** __mock_pasid_check() - 0 if @pasid is attached to @hwpt_id (0: to nothing), else -EINVAL */
int __mock_pasid_check(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pasid,
		       uint32_t hwpt_id);

/** __mock_check_iotlb() - 0 if word @index of nested @hwpt_id holds @value, else -EINVAL */
int __mock_check_iotlb(struct iommufd *iommufd, uint32_t hwpt_id, uint32_t index,
		       uint32_t value);

/** __mock_check_cache() - 0 if cache word @index of @idev_id holds @value, else -EINVAL */
int __mock_check_cache(struct iommufd *iommufd, uint32_t idev_id, uint32_t index,
		       uint32_t value);

/** __mock_check_map() - 0 if @hwpt_id translates [@iova, +@length) to the pages at @va */
int __mock_check_map(struct iommufd *iommufd, uint32_t hwpt_id, uint64_t iova, uint64_t length,
		     const void *va);

/** __mock_check_refs() - 0 if every page of [@va, +@length) is pinned @refs times, else -EIO */
int __mock_check_refs(struct iommufd *iommufd, const void *va, uint64_t length, uint32_t refs);

/** __mock_trigger_fault() - One page fault of the device; 0 even if nobody takes it */
int __mock_trigger_fault(struct iommufd *iommufd, uint32_t idev_id, uint32_t pasid,
			 uint32_t grpid, uint32_t perm, uint64_t addr);

/** __mock_trigger_vevent() - One virtual event of the device */
int __mock_trigger_vevent(struct iommufd *iommufd, uint32_t idev_id);

/** __mock_set_dirty() - Mark pages dirty in @hwpt_id as a DMA would; @bitmap: bit a @page_size */
int __mock_set_dirty(struct iommufd *iommufd, uint32_t hwpt_id, uint64_t iova, uint64_t length,
		     uint64_t page_size, const void *bitmap, uint64_t *nr_dirty);

/** __mock_add_reserved() - Reserve [@start, +@length) of IOAS @ioas_id */
int __mock_add_reserved(struct iommufd *iommufd, uint32_t ioas_id, uint64_t start,
			uint64_t length);

#endif
