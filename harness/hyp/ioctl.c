// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dispatcher: sizes, and which function answers (DOC: General ioctl format of the uapi header).
 */
#include <errno.h>
#include <string.h>

#include "object.h"

union hyp_arg {
	struct iommu_destroy destroy;
	struct iommu_ioas_alloc ioas_alloc;
	struct iommu_ioas_map ioas_map;
	struct iommu_ioas_unmap ioas_unmap;
	struct iommu_hwpt_alloc hwpt_alloc;
	struct iommu_hw_info hw_info;
	struct iommu_hwpt_set_dirty_tracking set_dirty;
	struct iommu_hwpt_get_dirty_bitmap get_dirty;
	struct iommu_hwpt_invalidate invalidate;
	struct iommu_fault_alloc fault_alloc;
	struct iommu_viommu_alloc viommu_alloc;
	struct iommu_vdevice_alloc vdevice_alloc;
	struct iommu_veventq_alloc veventq_alloc;
	struct iommu_hw_queue_alloc hw_queue_alloc;
};

static int hyp_destroy_ioctl(struct hyp_context *context, void *arg)
{
	struct iommu_destroy *cmd = arg;

	return hyp_object_destroy(context, cmd->id);
}

/** struct hyp_call - one ioctl; @min: bytes that the struct had when it was introduced */
struct hyp_call {
	unsigned int request;
	uint32_t size;
	uint32_t min;
	int (*call)(struct hyp_context *context, void *arg);
};

#define CALL(_request, _struct, _last, _call) \
	{ _request, sizeof(struct _struct), \
	  offsetof(struct _struct, _last) + sizeof(((struct _struct *)0)->_last), _call }

static const struct hyp_call calls[] = {
	CALL(IOMMU_DESTROY, iommu_destroy, id, hyp_destroy_ioctl),
	CALL(IOMMU_IOAS_ALLOC, iommu_ioas_alloc, out_ioas_id, hyp_ioas_alloc),
	CALL(IOMMU_IOAS_MAP, iommu_ioas_map, iova, hyp_ioas_map),
	CALL(IOMMU_IOAS_UNMAP, iommu_ioas_unmap, length, hyp_ioas_unmap),
	CALL(IOMMU_HWPT_ALLOC, iommu_hwpt_alloc, __reserved, hyp_hwpt_alloc),
	CALL(IOMMU_GET_HW_INFO, iommu_hw_info, __reserved, hyp_get_hw_info),
	CALL(IOMMU_HWPT_SET_DIRTY_TRACKING, iommu_hwpt_set_dirty_tracking, __reserved,
	     hyp_hwpt_set_dirty),
	CALL(IOMMU_HWPT_GET_DIRTY_BITMAP, iommu_hwpt_get_dirty_bitmap, data, hyp_hwpt_get_dirty),
	CALL(IOMMU_HWPT_INVALIDATE, iommu_hwpt_invalidate, __reserved, hyp_hwpt_invalidate),
	CALL(IOMMU_FAULT_QUEUE_ALLOC, iommu_fault_alloc, out_fault_fd, hyp_fault_queue_alloc),
	CALL(IOMMU_VIOMMU_ALLOC, iommu_viommu_alloc, out_viommu_id, hyp_viommu_alloc),
	CALL(IOMMU_VDEVICE_ALLOC, iommu_vdevice_alloc, virt_id, hyp_vdevice_alloc),
	CALL(IOMMU_VEVENTQ_ALLOC, iommu_veventq_alloc, out_veventq_fd, hyp_veventq_alloc),
	CALL(IOMMU_HW_QUEUE_ALLOC, iommu_hw_queue_alloc, length, hyp_hw_queue_alloc),
};

static int tail_is_zero(uint64_t at, uint64_t len)
{
	uint8_t bytes[64];

	while (len) {
		uint64_t n = len < sizeof(bytes) ? len : sizeof(bytes);

		if (hyp_copy_from_user(bytes, at, n))
			return -EFAULT;
		for (uint64_t i = 0; i < n; i++)
			if (bytes[i])
				return -E2BIG;
		at += n;
		len -= n;
	}
	return 0;
}

static int call_with_struct(struct hyp_context *context, const struct hyp_call *call, uint64_t at)
{
	union hyp_arg arg = {};
	uint32_t size;
	int rc;

	if (hyp_copy_from_user(&size, at, sizeof(size)))
		return -EFAULT;
	if (size < call->min)
		return -EINVAL;
	rc = size > call->size ? tail_is_zero(at + call->size, size - call->size) : 0;
	if (rc)
		return rc;
	size = size < call->size ? size : call->size;
	if (hyp_copy_from_user(&arg, at, size))
		return -EFAULT;
	pthread_mutex_lock(&context->hyp->lock);
	hyp_faults_service(context->hyp);
	rc = call->call(context, &arg);
	pthread_mutex_unlock(&context->hyp->lock);
	/* Outputs go back on errors too: HWPT_INVALIDATE says how far it got. */
	if ((!rc || call->request == IOMMU_HWPT_INVALIDATE) && hyp_copy_to_user(at, &arg, size))
		return -EFAULT;
	return rc;
}

static int call_vendor(struct hyp_context *context, unsigned long request, uint64_t arg)
{
	int rc;

	pthread_mutex_lock(&context->hyp->lock);
	hyp_faults_service(context->hyp);
	rc = context->hyp->vendor->ioctl(context, request, arg);
	pthread_mutex_unlock(&context->hyp->lock);
	return rc;
}

int hyp_ioctl(struct hyp_context *context, unsigned long request, void *arg)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].request == request)
			return call_with_struct(context, &calls[i], (uintptr_t)arg);
	if (!context->hyp->vendor->ioctl)
		return -ENOTTY;
	return call_vendor(context, request, (uintptr_t)arg);
}
