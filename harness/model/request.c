// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "iommufd/mock.h"
#include "request.h"

static const char * const op_names[OP_COUNT] = {
	[OP_IOAS_ALLOC] = "ioas_alloc",
	[OP_DEVICE_CREATE] = "mock_device_create",
	[OP_DEVICE_ATTACH] = "mock_device_attach",
	[OP_HWPT_ALLOC] = "hwpt_alloc",
	[OP_HWPT_INVALIDATE] = "hwpt_invalidate",
	[OP_VIOMMU_ALLOC] = "viommu_alloc",
	[OP_VDEVICE_ALLOC] = "vdevice_alloc",
	[OP_VEVENTQ_ALLOC] = "veventq_alloc",
	[OP_FAULT_QUEUE_ALLOC] = "fault_queue_alloc",
	[OP_CLOSE] = "close",
	[OP_DESTROY] = "destroy",
};

const char *request_op_name(enum request_op op)
{
	return op_names[op];
}

static int hwpt_alloc(struct iommufd *iommufd, const struct request *request, uint32_t *id)
{
	struct iommu_hwpt_selftest data = { .iotlb = request->value };

	return __hwpt_alloc_data(iommufd, request->dev_id, request->pt_id, request->flags,
				 request->fault_id, request->type,
				 request->data_len ? &data : NULL, request->data_len, id);
}

static int device_create(struct iommufd *iommufd, const struct request *request, uint32_t *id)
{
	struct mock_device device;
	int rc = __mock_device_create(iommufd, request->pt_id, request->flags, &device);

	if (rc)
		return rc;
	id[0] = device.stdev_id;
	id[1] = device.idev_id;
	id[2] = device.hwpt_id;
	return 0;
}

void request_execute(struct iommufd *iommufd, const struct request *request, struct reply *reply)
{
	*reply = (struct reply){ .fd = -1 };

	switch (request->op) {
	case OP_IOAS_ALLOC:
		reply->rc = __ioas_alloc(iommufd, reply->id);
		break;
	case OP_DEVICE_CREATE:
		reply->rc = device_create(iommufd, request, reply->id);
		break;
	case OP_DEVICE_ATTACH:
		reply->rc = __mock_device_attach(iommufd, request->dev_id, request->pt_id,
						 reply->id);
		break;
	case OP_HWPT_ALLOC:
		reply->rc = hwpt_alloc(iommufd, request, reply->id);
		break;
	case OP_HWPT_INVALIDATE:
		reply->entry_num = request->entry_num;
		reply->rc = __hwpt_invalidate(iommufd, request->pt_id, request->type,
					      request->data, request->entry_len,
					      &reply->entry_num);
		break;
	case OP_VIOMMU_ALLOC:
		reply->rc = __viommu_alloc(iommufd, request->dev_id, request->pt_id,
					   request->type, NULL, 0, reply->id);
		break;
	case OP_VDEVICE_ALLOC:
		reply->rc = __vdevice_alloc(iommufd, request->pt_id, request->dev_id,
					    request->virt_id, reply->id);
		break;
	case OP_VEVENTQ_ALLOC:
		reply->rc = __veventq_alloc(iommufd, request->pt_id, request->type,
					    request->value, reply->id, &reply->fd);
		break;
	case OP_FAULT_QUEUE_ALLOC:
		reply->rc = __fault_queue_alloc(iommufd, reply->id, &reply->fd);
		break;
	case OP_CLOSE:
		if (request->fd >= 0)
			close(request->fd);
		break;
	case OP_DESTROY:
		reply->rc = __iommufd_destroy(iommufd, request->pt_id);
		break;
	case OP_COUNT:
		break;
	}
}
