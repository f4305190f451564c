/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a mock device is attached to, asked from the kernel, and the attach calls as a driver such
 * as VFIO offers them. PASID 0 stands for the device itself (IOMMU_NO_PASID).
 */
#ifndef NIT_SUITES_UAPI_ATTACHED_H
#define NIT_SUITES_UAPI_ATTACHED_H

#include "state.h"
#include "vm.h"

#define RID 0
#define UNKNOWN_HWPT UINT32_MAX

/* The HWPT that @pasid of the device translates with; 0: none */
static inline uint32_t attached_hwpt(struct iommufd *iommufd, uint32_t stdev_id, uint32_t pasid)
{
	if (!__mock_pasid_check(iommufd, stdev_id, pasid, 0))
		return 0;
	for (uint32_t id = 1; id < STATE_IDS; id++)
		if (!__mock_pasid_check(iommufd, stdev_id, pasid, id))
			return id;
	return UNKNOWN_HWPT;
}

/**
 * attach_call() - One attach or replace
 * @op: IOMMU_TEST_OP_PASID_ATTACH or IOMMU_TEST_OP_PASID_REPLACE
 * @pt_id: in: the IOAS or HWPT to use; out: the HWPT in use. Stays as it was on failure.
 */
static inline int attach_call(struct iommufd *iommufd, uint32_t op, uint32_t stdev_id,
			      uint32_t pasid, uint32_t *pt_id)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = op,
		.id = stdev_id,
		.pasid_attach = { .pasid = pasid, .pt_id = *pt_id },
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_TEST_CMD, &cmd);

	*pt_id = cmd.pasid_attach.pt_id;
	return rc;
}

static inline const char *attach_op_name(uint32_t op)
{
	return op == IOMMU_TEST_OP_PASID_ATTACH ? "attach" : "replace";
}

#endif
