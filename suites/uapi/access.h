/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock driver's in-kernel users of an IOAS. A file stands for one; @fd is what names it in
 * every call. All return 0 or -errno.
 */
#ifndef NIT_SUITES_UAPI_ACCESS_H
#define NIT_SUITES_UAPI_ACCESS_H

#include "iommufd/assert.h"

#define TAKES_PINS MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES

static inline int __access_create(struct iommufd *iommufd, uint32_t ioas_id, uint32_t flags,
				  int *fd)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd), .op = IOMMU_TEST_OP_CREATE_ACCESS, .id = ioas_id,
		.create_access = { .flags = flags },
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_TEST_CMD, &cmd);

	if (!rc)
		*fd = cmd.create_access.out_access_fd;
	return rc;
}

/* Pin; -EBADE if the pages are not the ones at @va */
static inline int __access_pin(struct iommufd *iommufd, int fd, uint64_t iova,
			       uint64_t length, const void *va, uint32_t flags,
			       uint32_t *pin_id)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd), .op = IOMMU_TEST_OP_ACCESS_PAGES, .id = fd,
		.access_pages = {
			.flags = flags, .iova = iova, .length = length, .uptr = (uintptr_t)va,
		},
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_TEST_CMD, &cmd);

	if (!rc)
		*pin_id = cmd.access_pages.out_access_pages_id;
	return rc;
}

static inline int __access_unpin(struct iommufd *iommufd, int fd, uint32_t pin_id)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd), .op = IOMMU_TEST_OP_DESTROY_ACCESS_PAGES, .id = fd,
		.destroy_access_pages = { .access_pages_id = pin_id },
	};

	return __iommufd_ioctl(iommufd, IOMMU_TEST_CMD, &cmd);
}

/* Read [@iova, +@length) to @data; with MOCK_ACCESS_RW_WRITE, write it from there */
static inline int __access_rw(struct iommufd *iommufd, int fd, uint64_t iova, void *data,
			      uint64_t length, uint32_t flags)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd), .op = IOMMU_TEST_OP_ACCESS_RW, .id = fd,
		.access_rw = {
			.iova = iova, .length = length, .uptr = (uintptr_t)data, .flags = flags,
		},
	};

	return __iommufd_ioctl(iommufd, IOMMU_TEST_CMD, &cmd);
}

static inline int __access_replace(struct iommufd *iommufd, int fd, uint32_t ioas_id)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd), .op = IOMMU_TEST_OP_ACCESS_REPLACE_IOAS, .id = fd,
		.access_replace_ioas = { .ioas_id = ioas_id },
	};

	return __iommufd_ioctl(iommufd, IOMMU_TEST_CMD, &cmd);
}

#endif /* NIT_SUITES_UAPI_ACCESS_H */
