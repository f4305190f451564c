/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The asserting forms of the calls: f() is __f() that must succeed, and returns what was made.
 * For use where a struct __test_metadata *_metadata is in scope, that is, in tests and in the
 * set-up functions that take one. A failure names the line of the caller.
 */
#ifndef NIT_IOMMUFD_ASSERT_H
#define NIT_IOMMUFD_ASSERT_H

#include "core/test.h"
#include "iommufd.h"
#include "mock.h"

/* _call is an expression that stores into a uint32_t named id. */
#define ASSERT_NEW_ID(_call) ({ \
	uint32_t id = 0; \
	ASSERT_EQ(0, _call); \
	id; \
})

#define ioas_alloc(_iommufd) ASSERT_NEW_ID(__ioas_alloc(_iommufd, &id))

#define hwpt_alloc(_iommufd, _dev_id, _pt_id, _flags) \
	ASSERT_NEW_ID(__hwpt_alloc(_iommufd, _dev_id, _pt_id, _flags, &id))

/* A nested mock page table whose IOTLB words all hold _iotlb; _pt_id: nest parent or vIOMMU */
#define mock_hwpt_alloc_nested(_iommufd, _dev_id, _pt_id, _flags, _fault_id, _iotlb) ({ \
	struct iommu_hwpt_selftest data = { .iotlb = (_iotlb) }; \
	ASSERT_NEW_ID(__hwpt_alloc_data(_iommufd, _dev_id, _pt_id, _flags, _fault_id, \
					IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data), &id)); \
})

#define mock_viommu_alloc(_iommufd, _dev_id, _hwpt_id) \
	ASSERT_NEW_ID(__viommu_alloc(_iommufd, _dev_id, _hwpt_id, IOMMU_VIOMMU_TYPE_SELFTEST, \
				     NULL, 0, &id))

#define vdevice_alloc(_iommufd, _viommu_id, _dev_id, _virt_id) \
	ASSERT_NEW_ID(__vdevice_alloc(_iommufd, _viommu_id, _dev_id, _virt_id, &id))

/* The two event queues; the open file goes to *_fd */
#define fault_queue_alloc(_iommufd, _fd) \
	ASSERT_NEW_ID(__fault_queue_alloc(_iommufd, &id, _fd))

#define veventq_alloc(_iommufd, _viommu_id, _type, _depth, _fd) \
	ASSERT_NEW_ID(__veventq_alloc(_iommufd, _viommu_id, _type, _depth, &id, _fd))

#define iommufd_destroy(_iommufd, _id) ASSERT_EQ(0, __iommufd_destroy(_iommufd, _id))

#define mock_device_create(_iommufd, _pt_id, _flags) ({ \
	struct mock_device device = {}; \
	ASSERT_EQ(0, __mock_device_create(_iommufd, _pt_id, _flags, &device)); \
	device; \
})

#define mock_device_replace(_iommufd, _stdev_id, _pt_id) \
	ASSERT_EQ(0, __mock_device_replace(_iommufd, _stdev_id, _pt_id))

#endif
