/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One call of the nesting uAPI with its real ids, and the reply to it.
 *
 * The same two structs serve everybody: the executor makes ioctls of a request, the model
 * judges the reply, and the twin (twin.h) turns ioctls back into requests.
 */
#ifndef NIT_MODEL_REQUEST_H
#define NIT_MODEL_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "iommufd/iommufd.h"

enum request_op {
	OP_IOAS_ALLOC,
	OP_DEVICE_CREATE,	/* mock: bind a new device and attach it to pt_id */
	OP_DEVICE_ATTACH,	/* mock: attach the device to pt_id in place of what it has */
	OP_HWPT_ALLOC,
	OP_HWPT_INVALIDATE,
	OP_VIOMMU_ALLOC,
	OP_VDEVICE_ALLOC,
	OP_VEVENTQ_ALLOC,
	OP_FAULT_QUEUE_ALLOC,
	OP_CLOSE,		/* close the file of an event queue */
	OP_DESTROY,
	OP_COUNT,
};

/**
 * struct request - one call; each op uses some of the fields
 * @dev_id: the device; for OP_DEVICE_ATTACH its mock object
 * @pt_id: the object that the call builds on, attaches to, invalidates or destroys
 * @fault_id: of OP_HWPT_ALLOC
 * @flags: of the call's struct
 * @type: data_type, vIOMMU type or vEVENTQ type
 * @data_len: of OP_HWPT_ALLOC
 * @value: the first IOTLB content of a nested HWPT; the depth of a vEVENTQ
 * @virt_id: of OP_VDEVICE_ALLOC
 * @entry_num: of OP_HWPT_INVALIDATE
 * @entry_len: of OP_HWPT_INVALIDATE
 * @data: the entries of OP_HWPT_INVALIDATE, or NULL
 * @data_size: bytes of @data that can be read
 * @fd: of OP_CLOSE; -1 closes nothing
 */
struct request {
	enum request_op op;
	uint32_t dev_id;
	uint32_t pt_id;
	uint32_t fault_id;
	uint32_t flags;
	uint32_t type;
	uint32_t data_len;
	uint32_t value;
	uint64_t virt_id;
	uint32_t entry_num;
	uint32_t entry_len;
	const uint8_t *data;
	size_t data_size;
	int fd;
};

enum { REPLY_IDS = 3 };

/**
 * struct reply - what came back
 * @rc: 0 or -errno
 * @id: of the new object. OP_DEVICE_CREATE: of the mock object, the device, and the HWPT it is
 *	attached to. OP_DEVICE_ATTACH: of the HWPT
 * @fd: the file of a new event queue, else -1
 * @entry_num: of OP_HWPT_INVALIDATE, also on failure
 */
struct reply {
	int rc;
	uint32_t id[REPLY_IDS];
	int fd;
	uint32_t entry_num;
};

/** request_execute() - Make the call on @iommufd */
void request_execute(struct iommufd *iommufd, const struct request *request, struct reply *reply);

/** request_op_name() - "hwpt_alloc" for OP_HWPT_ALLOC */
const char *request_op_name(enum request_op op);

#endif
