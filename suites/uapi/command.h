/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every ioctl of iommufd with its sizes and one valid call, on a full VM: for the tests that go
 * through all ioctls.
 */
#ifndef NIT_SUITES_UAPI_COMMAND_H
#define NIT_SUITES_UAPI_COMMAND_H

#include <errno.h>

#include "full_vm.h"

#define SPARE_VIRT_ID (VM_VIRT_ID + 1)
#define SPARE_IOVA (FULL_VM_IOVA + 0x100000)
#define HOLE_IOVA (FULL_VM_IOVA + 0x800000)

union argument {
	uint32_t size;
	uint8_t bytes[64];
	uint32_t words[16];
	struct iommu_destroy destroy;
	struct iommu_fault_alloc fault;
	struct iommu_hw_info info;
	struct iommu_hw_queue_alloc hw_queue;
	struct iommu_hwpt_alloc hwpt;
	struct iommu_hwpt_get_dirty_bitmap get_dirty_bitmap;
	struct iommu_hwpt_invalidate invalidate;
	struct iommu_hwpt_set_dirty_tracking set_dirty_tracking;
	struct iommu_ioas_alloc ioas_alloc;
	struct iommu_ioas_allow_iovas allow_iovas;
	struct iommu_ioas_copy copy;
	struct iommu_ioas_noiommu_get_pa get_pa;
	struct iommu_ioas_iova_ranges iova_ranges;
	struct iommu_ioas_map map;
	struct iommu_ioas_map_file map_file;
	struct iommu_ioas_unmap unmap;
	struct iommu_ioas_change_process change_process;
	struct iommu_option option;
	struct iommu_vdevice_alloc vdevice;
	struct iommu_veventq_alloc veventq;
	struct iommu_vfio_ioas vfio_ioas;
	struct iommu_viommu_alloc viommu;
};

enum reply {
	REPLY_NONE,	/* no output field: the argument may be read-only */
	REPLY,
	REPLY_NEW_OBJECT,
};

/**
 * struct command - an ioctl and one valid call of it
 * @request: its number
 * @size: sizeof its struct
 * @min_size: size of the struct when the ioctl was introduced; fields after it read as 0 if left
 *	      out, and the valid call has them 0
 * @reply: what it writes back
 * @rc: what the valid call returns, 0 but for the odd one
 * @prepare: fill in the argument; may make what the call needs
 * @undo: undo the effect of a call that returned @rc, and of @prepare; NULL if there is nothing
 */
struct command {
	unsigned long request;
	uint32_t size;
	uint32_t min_size;
	enum reply reply;
	int rc;
	void (*prepare)(struct full_vm *full, union argument *arg);
	void (*undo)(struct full_vm *full, union argument *arg);
};

#define SIZES(_struct, _last) \
	.size = sizeof(struct _struct), .min_size = offsetof(struct _struct, _last) + \
						    sizeof(((struct _struct *)NULL)->_last)

static void undo_object(struct full_vm *full, uint32_t id)
{
	__iommufd_destroy(&full->vm.iommufd, id);
}

static void prepare_destroy(struct full_vm *full, union argument *arg)
{
	__ioas_alloc(&full->vm.iommufd, &arg->destroy.id);
}

static const struct command destroy_command = {
	.request = IOMMU_DESTROY, SIZES(iommu_destroy, id), .prepare = prepare_destroy,
};

static void prepare_ioas_alloc(struct full_vm *full, union argument *arg) { }

static void undo_ioas_alloc(struct full_vm *full, union argument *arg)
{
	undo_object(full, arg->ioas_alloc.out_ioas_id);
}

static const struct command ioas_alloc_command = {
	.request = IOMMU_IOAS_ALLOC, SIZES(iommu_ioas_alloc, out_ioas_id),
	.reply = REPLY_NEW_OBJECT, .prepare = prepare_ioas_alloc, .undo = undo_ioas_alloc,
};

static void prepare_allow_iovas(struct full_vm *full, union argument *arg)
{
	arg->allow_iovas.ioas_id = full->vm.ioas;
}

static const struct command ioas_allow_iovas_command = {
	.request = IOMMU_IOAS_ALLOW_IOVAS, SIZES(iommu_ioas_allow_iovas, allowed_iovas),
	.prepare = prepare_allow_iovas,
};

static void undo_unmap_spare(struct full_vm *full, union argument *arg)
{
	__ioas_unmap(&full->vm.iommufd, full->vm.ioas, SPARE_IOVA, full->length, NULL);
}

static void prepare_copy(struct full_vm *full, union argument *arg)
{
	arg->copy.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE;
	arg->copy.dst_ioas_id = full->vm.ioas;
	arg->copy.src_ioas_id = full->vm.ioas;
	arg->copy.length = full->length;
	arg->copy.dst_iova = SPARE_IOVA;
	arg->copy.src_iova = FULL_VM_IOVA;
}

static const struct command ioas_copy_command = {
	.request = IOMMU_IOAS_COPY, SIZES(iommu_ioas_copy, src_iova), .reply = REPLY,
	.prepare = prepare_copy, .undo = undo_unmap_spare,
};

static void prepare_iova_ranges(struct full_vm *full, union argument *arg)
{
	static struct iommu_iova_range ranges[8];

	arg->iova_ranges.ioas_id = full->vm.ioas;
	arg->iova_ranges.num_iovas = ARRAY_SIZE(ranges);
	arg->iova_ranges.allowed_iovas = (uintptr_t)ranges;
}

static const struct command ioas_iova_ranges_command = {
	.request = IOMMU_IOAS_IOVA_RANGES, SIZES(iommu_ioas_iova_ranges, out_iova_alignment),
	.reply = REPLY, .prepare = prepare_iova_ranges,
};

static void prepare_map(struct full_vm *full, union argument *arg)
{
	arg->map.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE;
	arg->map.ioas_id = full->vm.ioas;
	arg->map.user_va = (uintptr_t)full->memory;
	arg->map.length = full->length;
	arg->map.iova = SPARE_IOVA;
}

static const struct command ioas_map_command = {
	.request = IOMMU_IOAS_MAP, SIZES(iommu_ioas_map, iova), .reply = REPLY,
	.prepare = prepare_map, .undo = undo_unmap_spare,
};

static void prepare_map_file(struct full_vm *full, union argument *arg)
{
	arg->map_file.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE;
	arg->map_file.ioas_id = full->vm.ioas;
	arg->map_file.fd = full->memfd;
	arg->map_file.length = full->length;
	arg->map_file.iova = SPARE_IOVA;
}

static const struct command ioas_map_file_command = {
	.request = IOMMU_IOAS_MAP_FILE, SIZES(iommu_ioas_map_file, iova), .reply = REPLY,
	.prepare = prepare_map_file, .undo = undo_unmap_spare,
};

static void prepare_unmap(struct full_vm *full, union argument *arg)
{
	__ioas_map_file(&full->vm.iommufd, full->vm.ioas, full->memfd, full->length, SPARE_IOVA);
	arg->unmap.ioas_id = full->vm.ioas;
	arg->unmap.iova = SPARE_IOVA;
	arg->unmap.length = full->length;
}

static const struct command ioas_unmap_command = {
	.request = IOMMU_IOAS_UNMAP, SIZES(iommu_ioas_unmap, length), .reply = REPLY,
	.prepare = prepare_unmap,
};

static void prepare_change_process(struct full_vm *full, union argument *arg) { }

static const struct command ioas_change_process_command = {
	.request = IOMMU_IOAS_CHANGE_PROCESS, SIZES(iommu_ioas_change_process, __reserved),
	.prepare = prepare_change_process,
};

/* Works for devices without an IOMMU only; here the IOVA is looked up, and is not mapped. */
static void prepare_get_pa(struct full_vm *full, union argument *arg)
{
	arg->get_pa.ioas_id = full->vm.ioas;
	arg->get_pa.iova = HOLE_IOVA;
	arg->get_pa.length = 1;
}

static const struct command ioas_noiommu_get_pa_command = {
	.request = IOMMU_IOAS_NOIOMMU_GET_PA, SIZES(iommu_ioas_noiommu_get_pa, out_phys),
	.rc = -ENOENT, .prepare = prepare_get_pa,
};

static void prepare_option_get(struct full_vm *full, union argument *arg)
{
	arg->option.option_id = IOMMU_OPTION_HUGE_PAGES;
	arg->option.op = IOMMU_OPTION_OP_GET;
	arg->option.object_id = full->vm.ioas;
}

static const struct command option_get_command = {
	.request = IOMMU_OPTION, SIZES(iommu_option, val64), .reply = REPLY,
	.prepare = prepare_option_get,
};

static void prepare_option_set(struct full_vm *full, union argument *arg)
{
	prepare_option_get(full, arg);
	arg->option.op = IOMMU_OPTION_OP_SET;
	arg->option.val64 = 1;
}

static const struct command option_set_command = {
	.request = IOMMU_OPTION, SIZES(iommu_option, val64), .reply = REPLY,
	.prepare = prepare_option_set,
};

static void prepare_vfio_ioas_set(struct full_vm *full, union argument *arg)
{
	arg->vfio_ioas.op = IOMMU_VFIO_IOAS_SET;
	arg->vfio_ioas.ioas_id = full->vm.ioas;
}

static void clear_vfio_ioas(struct full_vm *full, union argument *arg)
{
	struct iommu_vfio_ioas cmd = { .size = sizeof(cmd), .op = IOMMU_VFIO_IOAS_CLEAR };

	__iommufd_ioctl(&full->vm.iommufd, IOMMU_VFIO_IOAS, &cmd);
}

static const struct command vfio_ioas_set_command = {
	.request = IOMMU_VFIO_IOAS, SIZES(iommu_vfio_ioas, __reserved),
	.prepare = prepare_vfio_ioas_set, .undo = clear_vfio_ioas,
};

static void prepare_vfio_ioas_get(struct full_vm *full, union argument *arg)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd), .op = IOMMU_VFIO_IOAS_SET, .ioas_id = full->vm.ioas,
	};

	__iommufd_ioctl(&full->vm.iommufd, IOMMU_VFIO_IOAS, &cmd);
	arg->vfio_ioas.op = IOMMU_VFIO_IOAS_GET;
}

static const struct command vfio_ioas_get_command = {
	.request = IOMMU_VFIO_IOAS, SIZES(iommu_vfio_ioas, __reserved), .reply = REPLY,
	.prepare = prepare_vfio_ioas_get, .undo = clear_vfio_ioas,
};

static void prepare_vfio_ioas_clear(struct full_vm *full, union argument *arg)
{
	arg->vfio_ioas.op = IOMMU_VFIO_IOAS_CLEAR;
}

static const struct command vfio_ioas_clear_command = {
	.request = IOMMU_VFIO_IOAS, SIZES(iommu_vfio_ioas, __reserved),
	.prepare = prepare_vfio_ioas_clear,
};

static void prepare_hwpt_alloc(struct full_vm *full, union argument *arg)
{
	arg->hwpt.dev_id = full->vm.dev.idev_id;
	arg->hwpt.pt_id = full->vm.ioas;
}

static void undo_hwpt_alloc(struct full_vm *full, union argument *arg)
{
	undo_object(full, arg->hwpt.out_hwpt_id);
}

static const struct command hwpt_alloc_command = {
	.request = IOMMU_HWPT_ALLOC, SIZES(iommu_hwpt_alloc, __reserved),
	.reply = REPLY_NEW_OBJECT, .prepare = prepare_hwpt_alloc, .undo = undo_hwpt_alloc,
};

static void prepare_hwpt_alloc_nested(struct full_vm *full, union argument *arg)
{
	static struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };

	arg->hwpt.dev_id = full->vm.dev.idev_id;
	arg->hwpt.pt_id = full->vm.viommu;
	arg->hwpt.flags = IOMMU_HWPT_FAULT_ID_VALID;
	arg->hwpt.fault_id = full->fault;
	arg->hwpt.data_type = IOMMU_HWPT_DATA_SELFTEST;
	arg->hwpt.data_len = sizeof(data);
	arg->hwpt.data_uptr = (uintptr_t)&data;
}

/* Needs all fields: only the full size is valid. */
static const struct command hwpt_alloc_nested_command = {
	.request = IOMMU_HWPT_ALLOC, .size = sizeof(struct iommu_hwpt_alloc),
	.min_size = sizeof(struct iommu_hwpt_alloc),
	.reply = REPLY_NEW_OBJECT, .prepare = prepare_hwpt_alloc_nested, .undo = undo_hwpt_alloc,
};

static void prepare_get_hw_info(struct full_vm *full, union argument *arg)
{
	arg->info.dev_id = full->vm.dev.idev_id;
}

static const struct command get_hw_info_command = {
	.request = IOMMU_GET_HW_INFO, SIZES(iommu_hw_info, __reserved), .reply = REPLY,
	.prepare = prepare_get_hw_info,
};

static void prepare_set_dirty_tracking(struct full_vm *full, union argument *arg)
{
	arg->set_dirty_tracking.hwpt_id = full->paging;
	arg->set_dirty_tracking.flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE;
}

static void undo_set_dirty_tracking(struct full_vm *full, union argument *arg)
{
	__hwpt_set_dirty_tracking(&full->vm.iommufd, full->paging, 0);
}

static const struct command hwpt_set_dirty_tracking_command = {
	.request = IOMMU_HWPT_SET_DIRTY_TRACKING,
	SIZES(iommu_hwpt_set_dirty_tracking, __reserved),
	.prepare = prepare_set_dirty_tracking, .undo = undo_set_dirty_tracking,
};

static void prepare_get_dirty_bitmap(struct full_vm *full, union argument *arg)
{
	static uint64_t bitmap;

	arg->get_dirty_bitmap.hwpt_id = full->paging;
	arg->get_dirty_bitmap.iova = FULL_VM_IOVA;
	arg->get_dirty_bitmap.length = full->length;
	arg->get_dirty_bitmap.page_size = sysconf(_SC_PAGESIZE);
	arg->get_dirty_bitmap.data = (uintptr_t)&bitmap;
}

static const struct command hwpt_get_dirty_bitmap_command = {
	.request = IOMMU_HWPT_GET_DIRTY_BITMAP, SIZES(iommu_hwpt_get_dirty_bitmap, data),
	.prepare = prepare_get_dirty_bitmap,
};

static void prepare_invalidate(struct full_vm *full, union argument *arg)
{
	static struct iommu_hwpt_invalidate_selftest entry;

	arg->invalidate.hwpt_id = full->vm.nested;
	arg->invalidate.data_uptr = (uintptr_t)&entry;
	arg->invalidate.data_type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST;
	arg->invalidate.entry_len = sizeof(entry);
	arg->invalidate.entry_num = 1;
}

static const struct command hwpt_invalidate_command = {
	.request = IOMMU_HWPT_INVALIDATE, SIZES(iommu_hwpt_invalidate, __reserved),
	.reply = REPLY, .prepare = prepare_invalidate,
};

static void prepare_fault_queue_alloc(struct full_vm *full, union argument *arg) { }

static void undo_fault_queue_alloc(struct full_vm *full, union argument *arg)
{
	close(arg->fault.out_fault_fd);
	undo_object(full, arg->fault.out_fault_id);
}

static const struct command fault_queue_alloc_command = {
	.request = IOMMU_FAULT_QUEUE_ALLOC, SIZES(iommu_fault_alloc, out_fault_fd),
	.reply = REPLY_NEW_OBJECT, .prepare = prepare_fault_queue_alloc,
	.undo = undo_fault_queue_alloc,
};

static void prepare_viommu_alloc(struct full_vm *full, union argument *arg)
{
	arg->viommu.type = IOMMU_VIOMMU_TYPE_SELFTEST;
	arg->viommu.dev_id = full->vm.dev.idev_id;
	arg->viommu.hwpt_id = full->vm.parent;
}

static void undo_viommu_alloc(struct full_vm *full, union argument *arg)
{
	undo_object(full, arg->viommu.out_viommu_id);
}

static const struct command viommu_alloc_command = {
	.request = IOMMU_VIOMMU_ALLOC, SIZES(iommu_viommu_alloc, out_viommu_id),
	.reply = REPLY_NEW_OBJECT, .prepare = prepare_viommu_alloc, .undo = undo_viommu_alloc,
};

static void prepare_vdevice_alloc(struct full_vm *full, union argument *arg)
{
	arg->vdevice.viommu_id = full->vm.viommu;
	arg->vdevice.dev_id = full->spare_dev.idev_id;
	arg->vdevice.virt_id = SPARE_VIRT_ID;
}

static void undo_vdevice_alloc(struct full_vm *full, union argument *arg)
{
	undo_object(full, arg->vdevice.out_vdevice_id);
}

static const struct command vdevice_alloc_command = {
	.request = IOMMU_VDEVICE_ALLOC, SIZES(iommu_vdevice_alloc, virt_id),
	.reply = REPLY_NEW_OBJECT, .prepare = prepare_vdevice_alloc, .undo = undo_vdevice_alloc,
};

static void prepare_veventq_alloc(struct full_vm *full, union argument *arg)
{
	arg->veventq.viommu_id = full->spare_viommu;
	arg->veventq.type = IOMMU_VEVENTQ_TYPE_SELFTEST;
	arg->veventq.veventq_depth = FULL_VM_VEVENTQ_DEPTH;
}

static void undo_veventq_alloc(struct full_vm *full, union argument *arg)
{
	close(arg->veventq.out_veventq_fd);
	undo_object(full, arg->veventq.out_veventq_id);
}

static const struct command veventq_alloc_command = {
	.request = IOMMU_VEVENTQ_ALLOC, SIZES(iommu_veventq_alloc, out_veventq_fd),
	.reply = REPLY_NEW_OBJECT, .prepare = prepare_veventq_alloc, .undo = undo_veventq_alloc,
};

static void prepare_hw_queue_alloc(struct full_vm *full, union argument *arg)
{
	arg->hw_queue.viommu_id = full->spare_viommu;
	arg->hw_queue.type = IOMMU_HW_QUEUE_TYPE_SELFTEST;
	arg->hw_queue.nesting_parent_iova = FULL_VM_IOVA;
	arg->hw_queue.length = sysconf(_SC_PAGESIZE);
}

static void undo_hw_queue_alloc(struct full_vm *full, union argument *arg)
{
	undo_object(full, arg->hw_queue.out_hw_queue_id);
}

static const struct command hw_queue_alloc_command = {
	.request = IOMMU_HW_QUEUE_ALLOC, SIZES(iommu_hw_queue_alloc, length),
	.reply = REPLY_NEW_OBJECT, .prepare = prepare_hw_queue_alloc,
	.undo = undo_hw_queue_alloc,
};
#endif
