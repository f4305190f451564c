// SPDX-License-Identifier: GPL-2.0-only
/* Allocation failures (operation.h): calls that make an object, and that destroy one */

#include "operation.h"

#define BARE_VIRT_ID 0x12345	/* far from the other, so that it needs nodes of its own */

/* ---- calls that make an object ---- */

static int call_ioas_alloc(struct world *w)
{
	return __ioas_alloc(&w->vm.iommufd, &w->made);
}

static int call_open(struct world *w)
{
	struct iommufd other;
	int rc = __iommufd_open(&other);

	if (!rc)
		iommufd_close(&other);
	return rc;
}

static int alloc_hwpt(struct world *w, uint32_t flags)
{
	return __hwpt_alloc_data(&w->vm.iommufd, w->vm.dev.idev_id, w->vm.ioas, flags, w->fault,
				 IOMMU_HWPT_DATA_NONE, NULL, 0, &w->made);
}

static int call_hwpt_paging(struct world *w)
{
	return alloc_hwpt(w, 0);
}

static int call_hwpt_parent(struct world *w)
{
	return alloc_hwpt(w, IOMMU_HWPT_ALLOC_NEST_PARENT);
}

static int call_hwpt_dirty(struct world *w)
{
	return alloc_hwpt(w, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
}

static int call_hwpt_paging_fault(struct world *w)
{
	return alloc_hwpt(w, IOMMU_HWPT_FAULT_ID_VALID);
}

static int alloc_nested(struct world *w, uint32_t pt_id, uint32_t flags)
{
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };

	return __hwpt_alloc_data(&w->vm.iommufd, w->vm.dev.idev_id, pt_id, flags, w->fault,
				 IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data), &w->made);
}

static int call_nested_of_parent(struct world *w)
{
	return alloc_nested(w, w->vm.parent, 0);
}

static int call_nested_of_parent_fault(struct world *w)
{
	return alloc_nested(w, w->vm.parent, IOMMU_HWPT_FAULT_ID_VALID);
}

static int call_nested_of_viommu(struct world *w)
{
	return alloc_nested(w, w->vm.viommu, 0);
}

static int call_nested_of_viommu_fault(struct world *w)
{
	return alloc_nested(w, w->vm.viommu, IOMMU_HWPT_FAULT_ID_VALID);
}

/* The new page table works: it has the mappings of the IOAS, or its own IOTLB. */
static void paging_works(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, __mock_check_map(&w->vm.iommufd, w->made, IOVA, buf_size(), w->buf));
}

static void nested_works(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, __mock_check_iotlb(&w->vm.iommufd, w->made, 0, VM_IOTLB));
}

static int call_viommu(struct world *w)
{
	return __viommu_alloc(&w->vm.iommufd, w->vm.dev.idev_id, w->vm.parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &w->made);
}

static int call_viommu_with_data(struct world *w)
{
	struct iommu_viommu_selftest data = { .in_data = 1 };

	return __viommu_alloc(&w->vm.iommufd, w->vm.dev.idev_id, w->vm.parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, &data, sizeof(data), &w->made);
}

static int call_vdevice(struct world *w)
{
	return __vdevice_alloc(&w->vm.iommufd, w->vm.viommu, w->bare.idev_id, BARE_VIRT_ID,
			       &w->made);
}

static int call_veventq(struct world *w)
{
	return __veventq_alloc(&w->vm.iommufd, w->vm.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST + 1,
			       EVENT_DEPTH, &w->made, &w->made_fd);
}

static int call_fault_queue(struct world *w)
{
	return __fault_queue_alloc(&w->vm.iommufd, &w->made, &w->made_fd);
}

static int call_hw_queue(struct world *w)
{
	return __hw_queue_alloc(&w->vm.iommufd, w->vm.viommu, IOMMU_HW_QUEUE_TYPE_SELFTEST, 0,
				IOVA, page_size(), &w->made);
}

static int call_hw_queue_next(struct world *w)
{
	return __hw_queue_alloc(&w->vm.iommufd, w->vm.viommu, IOMMU_HW_QUEUE_TYPE_SELFTEST, 1,
				IOVA + page_size(), page_size(), &w->made);
}

static void prepare_hw_queue(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_hw_queue(w));
	w->target = w->made;
	w->made = 0;
}

static void undo_hw_queue_next(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->vm.iommufd, w->made);
	iommufd_destroy(&w->vm.iommufd, w->target);
}

/* The first of its kind in a context: nothing there has room for it yet. */

static void prepare_other(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, __iommufd_open(&w->other.iommufd));
}

static int call_first_ioas(struct world *w)
{
	return __ioas_alloc(&w->other.iommufd, &w->other.ioas);
}

static void undo_first_ioas(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->other.iommufd, w->other.ioas);
	iommufd_close(&w->other.iommufd);
}

static void prepare_first_device(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(true, vm_open(_metadata, &w->other));
}

static int call_first_device(struct world *w)
{
	return __mock_device_create(&w->other.iommufd, w->other.ioas, 0, &w->other.dev);
}

static void undo_first_device(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->other.iommufd, w->other.dev.stdev_id);
	undo_first_ioas(_metadata, w);
}

static void prepare_first_viommu(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(true, vm_setup_parent(_metadata, &w->other));
}

static int call_first_viommu(struct world *w)
{
	struct iommu_viommu_selftest data = { .in_data = 1 };

	return __viommu_alloc(&w->other.iommufd, w->other.dev.idev_id, w->other.parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, &data, sizeof(data), &w->other.viommu);
}

static void undo_first_viommu(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->other.iommufd, w->other.viommu);
	iommufd_destroy(&w->other.iommufd, w->other.parent);
	undo_first_device(_metadata, w);
}

/* ---- calls that destroy @target ---- */

static int call_destroy(struct world *w)
{
	return __iommufd_destroy(&w->vm.iommufd, w->target);
}

static void is_destroyed(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&w->vm.iommufd, w->target));
}

/* The object that @call makes is what is destroyed. */
static void prepare_target(struct __test_metadata *_metadata, struct world *w,
			   int (*call)(struct world *w))
{
	ASSERT_EQ(0, call(w));
	if (w->made_fd >= 0) {
		ASSERT_EQ(0, close(w->made_fd));
	}
	w->target = w->made;
	w->made = 0;
	w->made_fd = -1;
}

static void prepare_nested_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_nested_of_viommu_fault);
}

static void prepare_parent_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_hwpt_parent);
}

static void prepare_viommu_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_viommu_with_data);
}

static void prepare_vdevice_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_vdevice);
}

static void prepare_veventq_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_veventq);
}

static void prepare_fault_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_fault_queue);
}

OPERATION(open, .call = call_open);
OPERATION(ioas_alloc, .call = call_ioas_alloc);
OPERATION(hwpt_paging, .call = call_hwpt_paging, .done = paging_works);
OPERATION(hwpt_parent, .call = call_hwpt_parent, .done = paging_works);
OPERATION(hwpt_dirty, .call = call_hwpt_dirty, .done = paging_works);
OPERATION(hwpt_paging_fault, .call = call_hwpt_paging_fault, .done = paging_works);
OPERATION(nested_of_parent, .call = call_nested_of_parent, .done = nested_works);
OPERATION(nested_of_parent_fault, .call = call_nested_of_parent_fault, .done = nested_works);
OPERATION(nested_of_viommu, .call = call_nested_of_viommu, .done = nested_works);
OPERATION(nested_of_viommu_fault, .call = call_nested_of_viommu_fault, .done = nested_works);
OPERATION(viommu, .call = call_viommu);
OPERATION(viommu_with_data, .call = call_viommu_with_data);
OPERATION(vdevice, .call = call_vdevice);
OPERATION(veventq, .call = call_veventq);
OPERATION(fault_queue, .call = call_fault_queue);
OPERATION(hw_queue, .call = call_hw_queue);
OPERATION(hw_queue_next, .prepare = prepare_hw_queue, .call = call_hw_queue_next,
	  .undo = undo_hw_queue_next);

OPERATION(first_ioas, .prepare = prepare_other, .call = call_first_ioas,
	  .undo = undo_first_ioas);
OPERATION(first_device, .prepare = prepare_first_device, .call = call_first_device,
	  .undo = undo_first_device);
OPERATION(first_viommu, .prepare = prepare_first_viommu, .call = call_first_viommu,
	  .undo = undo_first_viommu);

#define DESTROY(_prepare) .prepare = _prepare, .call = call_destroy, .done = is_destroyed, \
	.undo = undo_nothing, .rule = "UAPI-87", .cannot_fail = true

OPERATION(destroy_nested, DESTROY(prepare_nested_target));
OPERATION(destroy_parent, DESTROY(prepare_parent_target));
OPERATION(destroy_viommu, DESTROY(prepare_viommu_target));
OPERATION(destroy_vdevice, DESTROY(prepare_vdevice_target));
OPERATION(destroy_veventq, DESTROY(prepare_veventq_target));
OPERATION(destroy_fault_queue, DESTROY(prepare_fault_target));
OPERATION(destroy_hw_queue, DESTROY(prepare_hw_queue));

NIT_TEST_MAIN
