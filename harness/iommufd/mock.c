// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "mock.h"

static int mock_op(struct iommufd *iommufd, uint32_t op, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->op = op;
	return __iommufd_ioctl(iommufd, IOMMU_TEST_CMD, cmd);
}

int __mock_present(struct iommufd *iommufd)
{
	struct iommu_test_cmd cmd = {};
	int rc = mock_op(iommufd, 0, &cmd);

	/* Operation 0 is none; a kernel with the driver says so, one without knows no ioctl. */
	return rc == -EOPNOTSUPP ? 0 : -ENOTTY;
}

int __mock_device_create(struct iommufd *iommufd, uint32_t pt_id, uint32_t flags,
			 struct mock_device *device)
{
	struct iommu_test_cmd cmd = {
		.id = pt_id,
		.mock_domain_flags.dev_flags = flags,
	};
	int rc = mock_op(iommufd, IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS, &cmd);

	if (rc)
		return rc;
	device->stdev_id = cmd.mock_domain_flags.out_stdev_id;
	device->hwpt_id = cmd.mock_domain_flags.out_hwpt_id;
	device->idev_id = cmd.mock_domain_flags.out_idev_id;
	return 0;
}

int __mock_device_attach(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pt_id,
			 uint32_t *hwpt_id)
{
	struct iommu_test_cmd cmd = { .id = stdev_id, .mock_domain_replace.pt_id = pt_id };
	int rc = mock_op(iommufd, IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, &cmd);

	if (!rc)
		*hwpt_id = cmd.mock_domain_replace.pt_id;
	return rc;
}

int __mock_device_replace(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pt_id)
{
	uint32_t hwpt_id;

	return __mock_device_attach(iommufd, stdev_id, pt_id, &hwpt_id);
}

int __mock_pasid_attach(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pasid,
			uint32_t pt_id)
{
	struct iommu_test_cmd cmd = { .id = stdev_id, .pasid_attach = { pasid, pt_id } };

	return mock_op(iommufd, IOMMU_TEST_OP_PASID_ATTACH, &cmd);
}

int __mock_pasid_replace(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pasid,
			 uint32_t pt_id)
{
	struct iommu_test_cmd cmd = { .id = stdev_id, .pasid_replace = { pasid, pt_id } };

	return mock_op(iommufd, IOMMU_TEST_OP_PASID_REPLACE, &cmd);
}

int __mock_pasid_detach(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pasid)
{
	struct iommu_test_cmd cmd = { .id = stdev_id, .pasid_detach.pasid = pasid };

	return mock_op(iommufd, IOMMU_TEST_OP_PASID_DETACH, &cmd);
}

int __mock_pasid_check(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pasid,
		       uint32_t hwpt_id)
{
	struct iommu_test_cmd cmd = { .id = stdev_id, .pasid_check = { pasid, hwpt_id } };

	return mock_op(iommufd, IOMMU_TEST_OP_PASID_CHECK_HWPT, &cmd);
}

int __mock_check_iotlb(struct iommufd *iommufd, uint32_t hwpt_id, uint32_t index, uint32_t value)
{
	struct iommu_test_cmd cmd = { .id = hwpt_id, .check_iotlb = { index, value } };

	return mock_op(iommufd, IOMMU_TEST_OP_MD_CHECK_IOTLB, &cmd);
}

int __mock_check_cache(struct iommufd *iommufd, uint32_t idev_id, uint32_t index, uint32_t value)
{
	struct iommu_test_cmd cmd = { .id = idev_id, .check_dev_cache = { index, value } };

	return mock_op(iommufd, IOMMU_TEST_OP_DEV_CHECK_CACHE, &cmd);
}

int __mock_check_map(struct iommufd *iommufd, uint32_t hwpt_id, uint64_t iova, uint64_t length,
		     const void *va)
{
	struct iommu_test_cmd cmd = {
		.id = hwpt_id,
		.check_map = { .iova = iova, .length = length, .uptr = (uintptr_t)va },
	};

	return mock_op(iommufd, IOMMU_TEST_OP_MD_CHECK_MAP, &cmd);
}

int __mock_check_refs(struct iommufd *iommufd, const void *va, uint64_t length, uint32_t refs)
{
	struct iommu_test_cmd cmd = {
		.check_refs = { .length = length, .uptr = (uintptr_t)va, .refs = refs },
	};

	return mock_op(iommufd, IOMMU_TEST_OP_MD_CHECK_REFS, &cmd);
}

int __mock_trigger_fault(struct iommufd *iommufd, uint32_t idev_id, uint32_t pasid,
			 uint32_t grpid, uint32_t perm, uint64_t addr)
{
	struct iommu_test_cmd cmd = {
		.trigger_iopf = {
			.dev_id = idev_id,
			.pasid = pasid,
			.grpid = grpid,
			.perm = perm,
			.addr = addr,
		},
	};

	return mock_op(iommufd, IOMMU_TEST_OP_TRIGGER_IOPF, &cmd);
}

int __mock_trigger_vevent(struct iommufd *iommufd, uint32_t idev_id)
{
	struct iommu_test_cmd cmd = { .trigger_vevent.dev_id = idev_id };

	return mock_op(iommufd, IOMMU_TEST_OP_TRIGGER_VEVENT, &cmd);
}

int __mock_set_dirty(struct iommufd *iommufd, uint32_t hwpt_id, uint64_t iova, uint64_t length,
		     uint64_t page_size, const void *bitmap, uint64_t *nr_dirty)
{
	struct iommu_test_cmd cmd = {
		.id = hwpt_id,
		.dirty = {
			.iova = iova,
			.length = length,
			.page_size = page_size,
			.uptr = (uintptr_t)bitmap,
		},
	};
	int rc = mock_op(iommufd, IOMMU_TEST_OP_DIRTY, &cmd);

	if (!rc)
		*nr_dirty = cmd.dirty.out_nr_dirty;
	return rc;
}

int __mock_add_reserved(struct iommufd *iommufd, uint32_t ioas_id, uint64_t start,
			uint64_t length)
{
	struct iommu_test_cmd cmd = {
		.id = ioas_id,
		.add_reserved = { .start = start, .length = length },
	};

	return mock_op(iommufd, IOMMU_TEST_OP_ADD_RESERVED, &cmd);
}
