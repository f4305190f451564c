// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dispatcher: sizes, and which function answers (DOC: General ioctl format of the uapi header).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/fault.h"
#include "object.h"

union hyp_arg {
	uint8_t bytes[64];
	struct iommu_destroy destroy;
	struct iommu_ioas_alloc ioas_alloc;
	struct iommu_ioas_map ioas_map;
	struct iommu_ioas_map_file ioas_map_file;
	struct iommu_ioas_copy ioas_copy;
	struct iommu_ioas_unmap ioas_unmap;
	struct iommu_ioas_iova_ranges iova_ranges;
	struct iommu_ioas_allow_iovas allow_iovas;
	struct iommu_ioas_change_process change_process;
	struct iommu_option option;
	struct iommu_vfio_ioas vfio_ioas;
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

/**
 * struct hyp_call - one ioctl
 * @min: bytes that the struct had when it was introduced
 * @reply: whether the struct goes back to user space: on success, or always
 * @new_id, @new_fd: where in the struct a new object and its file are; 0: it makes none
 */
struct hyp_call {
	unsigned int request;
	uint32_t size;
	uint32_t min;
	int (*call)(struct hyp_context *context, void *arg);
	enum { NO_REPLY, REPLY, ALWAYS } reply;
	uint32_t new_id;
	uint32_t new_fd;
};

#define CALL(_request, _struct, _last, _call, ...) \
	{ _request, sizeof(struct _struct), \
	  offsetof(struct _struct, _last) + sizeof(((struct _struct *)0)->_last), _call, \
	  ##__VA_ARGS__ }

/* Makes an object, whose id goes to _id */
#define MAKES(_struct, _id) REPLY, offsetof(struct _struct, _id)
/* ... and opens a file */
#define OPENS(_struct, _id, _fd) MAKES(_struct, _id), offsetof(struct _struct, _fd)

static const struct hyp_call calls[] = {
	CALL(IOMMU_DESTROY, iommu_destroy, id, hyp_destroy_ioctl),
	CALL(IOMMU_IOAS_ALLOC, iommu_ioas_alloc, out_ioas_id, hyp_ioas_alloc,
	     MAKES(iommu_ioas_alloc, out_ioas_id)),
	CALL(IOMMU_IOAS_IOVA_RANGES, iommu_ioas_iova_ranges, out_iova_alignment,
	     hyp_ioas_iova_ranges, ALWAYS),
	CALL(IOMMU_IOAS_ALLOW_IOVAS, iommu_ioas_allow_iovas, allowed_iovas, hyp_ioas_allow_iovas),
	CALL(IOMMU_IOAS_MAP, iommu_ioas_map, iova, hyp_ioas_map, REPLY),
	CALL(IOMMU_IOAS_MAP_FILE, iommu_ioas_map_file, iova, hyp_ioas_map_file, REPLY),
	CALL(IOMMU_IOAS_COPY, iommu_ioas_copy, src_iova, hyp_ioas_copy, REPLY),
	CALL(IOMMU_IOAS_UNMAP, iommu_ioas_unmap, length, hyp_ioas_unmap, ALWAYS),
	CALL(IOMMU_IOAS_CHANGE_PROCESS, iommu_ioas_change_process, __reserved,
	     hyp_ioas_change_process),
	CALL(IOMMU_OPTION, iommu_option, val64, hyp_option, REPLY),
	CALL(IOMMU_VFIO_IOAS, iommu_vfio_ioas, __reserved, hyp_vfio_ioas, REPLY),
	CALL(IOMMU_HWPT_ALLOC, iommu_hwpt_alloc, __reserved, hyp_hwpt_alloc,
	     MAKES(iommu_hwpt_alloc, out_hwpt_id)),
	CALL(IOMMU_GET_HW_INFO, iommu_hw_info, __reserved, hyp_get_hw_info, REPLY),
	CALL(IOMMU_HWPT_SET_DIRTY_TRACKING, iommu_hwpt_set_dirty_tracking, __reserved,
	     hyp_hwpt_set_dirty),
	CALL(IOMMU_HWPT_GET_DIRTY_BITMAP, iommu_hwpt_get_dirty_bitmap, data, hyp_hwpt_get_dirty),
	CALL(IOMMU_HWPT_INVALIDATE, iommu_hwpt_invalidate, __reserved, hyp_hwpt_invalidate,
	     ALWAYS),
	CALL(IOMMU_FAULT_QUEUE_ALLOC, iommu_fault_alloc, out_fault_fd, hyp_fault_queue_alloc,
	     OPENS(iommu_fault_alloc, out_fault_id, out_fault_fd)),
	CALL(IOMMU_VIOMMU_ALLOC, iommu_viommu_alloc, out_viommu_id, hyp_viommu_alloc,
	     MAKES(iommu_viommu_alloc, out_viommu_id)),
	CALL(IOMMU_VDEVICE_ALLOC, iommu_vdevice_alloc, virt_id, hyp_vdevice_alloc,
	     MAKES(iommu_vdevice_alloc, out_vdevice_id)),
	CALL(IOMMU_VEVENTQ_ALLOC, iommu_veventq_alloc, out_veventq_fd, hyp_veventq_alloc,
	     OPENS(iommu_veventq_alloc, out_veventq_id, out_veventq_fd)),
	CALL(IOMMU_HW_QUEUE_ALLOC, iommu_hw_queue_alloc, length, hyp_hw_queue_alloc,
	     MAKES(iommu_hw_queue_alloc, out_hw_queue_id)),
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

/* User space never learns of the object that the call made: it goes again. */
static void undo(struct hyp_context *context, const struct hyp_call *call, union hyp_arg *arg)
{
	uint32_t id, fd;

	if (!call->new_id || FAULT("hyp.unanswered-call-leaves-its-object",
				   "an object stays whose id could not be told"))
		return;
	memcpy(&id, arg->bytes + call->new_id, sizeof(id));
	memcpy(&fd, arg->bytes + call->new_fd, sizeof(fd));
	if (call->new_fd)
		close((int)fd);
	hyp_object_destroy(context, id);
}

static int answer(struct hyp_context *context, const struct hyp_call *call, union hyp_arg *arg,
		  uint64_t at, uint32_t size, int rc)
{
	if (call->reply != ALWAYS && (rc || call->reply == NO_REPLY))
		return rc;
	if (call->call == hyp_vfio_ioas && arg->vfio_ioas.op != IOMMU_VFIO_IOAS_GET)
		return rc;
	if (!hyp_copy_to_user(at, arg, size))
		return rc;
	if (!rc)
		undo(context, call, arg);
	return -EFAULT;
}

static void service(struct hyp_context *context)
{
	hyp_contexts_reap(context->hyp, false);
	if (context->hyp->vendor->service)
		context->hyp->vendor->service(context);
}

static int call_with_struct(struct hyp_context *context, const struct hyp_call *call, uint64_t at)
{
	union hyp_arg arg = {};
	uint32_t size, used;
	int rc;

	if (hyp_copy_from_user(&size, at, sizeof(size)))
		return -EFAULT;
	if (size < call->min &&
	    !FAULT("hyp.short-struct", "a struct shorter than the first there was is accepted"))
		return -EINVAL;
	used = size < call->size ? size : call->size;
	/* Memory that is not there comes before bytes that should not be. */
	if (hyp_copy_from_user(&arg, at, used))
		return -EFAULT;
	rc = size > call->size ? tail_is_zero(at + call->size, size - call->size) : 0;
	if (rc && !(rc == -E2BIG && FAULT("hyp.long-struct-tail-ignored",
					  "what a newer program asks for is ignored")))
		return rc;
	pthread_mutex_lock(&context->hyp->lock);
	service(context);
	rc = call->call(context, &arg);
	rc = answer(context, call, &arg, at, used, rc);
	pthread_mutex_unlock(&context->hyp->lock);
	return rc;
}

static int call_vendor(struct hyp_context *context, unsigned long request, uint64_t arg)
{
	int rc;

	pthread_mutex_lock(&context->hyp->lock);
	service(context);
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
