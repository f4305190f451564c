// SPDX-License-Identifier: GPL-2.0-only
/* Allocation failures (operation.h): attaching, of RIDs and PASIDs, queries and dirty tracking */

#include "operation.h"

/* ---- devices ---- */

static int create_device(struct world *w, uint32_t pt_id)
{
	struct mock_device device = {};
	int rc = __mock_device_create(&w->vm.iommufd, pt_id, MOCK_FLAGS_DEVICE_PASID, &device);

	w->made = device.stdev_id;
	return rc;
}

static int call_device_on_ioas(struct world *w)
{
	return create_device(w, w->vm.ioas);
}

static int call_device_on_parent(struct world *w)
{
	return create_device(w, w->vm.parent);
}

static void prepare_ioas2(struct __test_metadata *_metadata, struct world *w)
{
	w->target = ioas_alloc(&w->vm.iommufd);
	ASSERT_EQ(0, __ioas_map(&w->vm.iommufd, w->target, w->buf, buf_size(), IOVA,
				IOMMU_IOAS_MAP_READABLE));
}

/* Makes the IOAS's own page table, fills it, and attaches. */
static int call_device_on_ioas2(struct world *w)
{
	return create_device(w, w->target);
}

static void undo_device_on_ioas2(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->vm.iommufd, w->made);
	iommufd_destroy(&w->vm.iommufd, w->target);
}

static int call_unbind(struct world *w)
{
	return __iommufd_destroy(&w->vm.iommufd, w->bare.stdev_id);
}

static void is_unbound(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&w->vm.iommufd, w->bare.idev_id));
}

static void undo_unbind(struct __test_metadata *_metadata, struct world *w)
{
	w->bare = mock_device_create(&w->vm.iommufd, w->vm.ioas, MOCK_FLAGS_DEVICE_PASID);
}

/* Attachment of the RID is that of PASID 0, iommu.c:iommu_attach_group_handle(). */
static void expect_attached(struct __test_metadata *_metadata, struct world *w, uint32_t pasid,
			    uint32_t hwpt)
{
	EXPECT_EQ(0, __mock_pasid_check(&w->vm.iommufd, w->vm.dev.stdev_id, pasid, hwpt));
}

static int call_replace_by_nested(struct world *w)
{
	return replace(w, w->nested2);
}

static int call_replace_by_fault(struct world *w)
{
	return replace(w, w->faulting);
}

static int call_replace_by_paging(struct world *w)
{
	return replace(w, w->paging);
}

/* Detaching is replacing by the IOAS on the mock, whose page table @bare uses already. */
static int call_replace_by_ioas(struct world *w)
{
	return replace(w, w->vm.ioas);
}

static int call_replace_by_ioas2(struct world *w)
{
	return replace(w, w->target);
}

static void is_on_nested(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, 0, w->vm.nested);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&w->vm.iommufd, w->vm.nested));
}

static void is_on_nested2(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, 0, w->nested2);
}

static void is_on_fault(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, 0, w->faulting);
}

static void is_on_paging(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, 0, w->paging);
}

static void is_on_ioas(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, 0, w->vm.dev.hwpt_id);
}

static void undo_replace_by_ioas2(struct __test_metadata *_metadata, struct world *w)
{
	undo_replace(_metadata, w);
	iommufd_destroy(&w->vm.iommufd, w->target);
}

/* ---- PASIDs ---- */

static int attach_pasid(struct world *w, uint32_t hwpt)
{
	return __mock_pasid_attach(&w->vm.iommufd, w->vm.dev.stdev_id, PASID, hwpt);
}

static int replace_pasid(struct world *w, uint32_t hwpt)
{
	return __mock_pasid_replace(&w->vm.iommufd, w->vm.dev.stdev_id, PASID, hwpt);
}

static int call_pasid_attach(struct world *w)
{
	return attach_pasid(w, w->paging);
}

static int call_pasid_attach_fault(struct world *w)
{
	return attach_pasid(w, w->faulting);
}

static int call_pasid_replace(struct world *w)
{
	return replace_pasid(w, w->paging2);
}

static int call_pasid_replace_fault(struct world *w)
{
	return replace_pasid(w, w->faulting);
}

static int call_pasid_detach(struct world *w)
{
	return __mock_pasid_detach(&w->vm.iommufd, w->vm.dev.stdev_id, PASID);
}

static void prepare_pasid(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_pasid_attach(w));
}

static void pasid_is_on_nothing(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, PASID, 0);
}

static void pasid_is_on_paging(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, PASID, w->paging);
}

static void pasid_is_on_paging2(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, PASID, w->paging2);
}

static void pasid_is_on_fault(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, PASID, w->faulting);
}

static void undo_pasid(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_pasid_detach(w));
}

/* ---- queries and invalidation ---- */

static int call_hw_info(struct world *w)
{
	struct iommu_test_hw_info info = {};
	uint32_t type, len = sizeof(info);
	uint64_t capabilities;
	uint8_t width;
	int rc = __get_hw_info(&w->vm.iommufd, w->vm.dev.idev_id, &type, &info, &len,
			       &capabilities, &width);

	w->info = info.test_reg;
	return rc;
}

static void has_hw_info(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(IOMMU_HW_INFO_SELFTEST_REGVAL, w->info);
}

static void has_no_hw_info(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, w->info);
}

static int set_dirty_page(struct world *w)
{
	unsigned long bitmap[8] = { 1 };
	uint64_t dirty = 0;

	return __mock_set_dirty(&w->vm.iommufd, w->vm.parent, IOVA, buf_size(), page_size(),
				bitmap, &dirty);
}

static int call_start_tracking(struct world *w)
{
	return __hwpt_set_dirty_tracking(&w->vm.iommufd, w->vm.parent,
					 IOMMU_HWPT_DIRTY_TRACKING_ENABLE);
}

static int call_stop_tracking(struct world *w)
{
	return __hwpt_set_dirty_tracking(&w->vm.iommufd, w->vm.parent, 0);
}

/* The mock takes dirty pages only while it tracks. */
static void is_tracking(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, set_dirty_page(w));
}

static void is_not_tracking(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(-EINVAL, set_dirty_page(w));
}

static void prepare_tracking(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_start_tracking(w));
	ASSERT_EQ(0, set_dirty_page(w));
}

static int call_read_dirty(struct world *w)
{
	unsigned long bitmap[8] = {};
	int rc = __hwpt_get_dirty_bitmap(&w->vm.iommufd, w->vm.parent, 0, IOVA, buf_size(),
					 page_size(), bitmap);

	w->info = bitmap[0];
	return rc;
}

/* Also after a failure before: it must not have cleared what it did not report. */
static void has_dirty_page(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(1, w->info);
}

OPERATION(device_on_ioas, .call = call_device_on_ioas);
OPERATION(device_on_parent, .call = call_device_on_parent);
OPERATION(device_on_new_ioas, .prepare = prepare_ioas2, .call = call_device_on_ioas2,
	  .undo = undo_device_on_ioas2);
OPERATION(unbind, .call = call_unbind, .done = is_unbound, .undo = undo_unbind,
	  .rule = "UAPI-87", .cannot_fail = true);

#define REPLACE(_by) .call = call_replace_by_##_by, .not_done = is_on_nested, \
	.done = is_on_##_by, .undo = undo_replace

OPERATION(replace_by_nested, .call = call_replace_by_nested, .not_done = is_on_nested,
	  .done = is_on_nested2, .undo = undo_replace);
OPERATION(replace_by_fault, REPLACE(fault));
OPERATION(replace_by_paging, REPLACE(paging));
OPERATION(replace_by_ioas, REPLACE(ioas));
OPERATION(replace_by_new_ioas, .prepare = prepare_ioas2, .call = call_replace_by_ioas2,
	  .not_done = is_on_nested, .undo = undo_replace_by_ioas2);
OPERATION(replace_fault, .prepare = prepare_on_fault, .call = call_replace_by_nested,
	  .not_done = is_on_fault, .done = is_on_nested2, .undo = undo_replace);

OPERATION(pasid_attach, .call = call_pasid_attach, .not_done = pasid_is_on_nothing,
	  .done = pasid_is_on_paging, .undo = undo_pasid);
OPERATION(pasid_attach_fault, .call = call_pasid_attach_fault, .not_done = pasid_is_on_nothing,
	  .done = pasid_is_on_fault, .undo = undo_pasid);
OPERATION(pasid_replace, .prepare = prepare_pasid, .call = call_pasid_replace,
	  .not_done = pasid_is_on_paging, .done = pasid_is_on_paging2, .undo = undo_pasid);
OPERATION(pasid_replace_fault, .prepare = prepare_pasid, .call = call_pasid_replace_fault,
	  .not_done = pasid_is_on_paging, .done = pasid_is_on_fault, .undo = undo_pasid);
OPERATION(pasid_detach, .prepare = prepare_pasid, .call = call_pasid_detach,
	  .not_done = pasid_is_on_paging, .done = pasid_is_on_nothing, .undo = undo_nothing);

OPERATION(hw_info, .call = call_hw_info, .not_done = has_no_hw_info, .done = has_hw_info,
	  .undo = undo_nothing);
OPERATION(start_dirty_tracking, .call = call_start_tracking, .not_done = is_not_tracking,
	  .done = is_tracking, .undo = undo_nothing);
OPERATION(stop_dirty_tracking, .prepare = prepare_tracking, .call = call_stop_tracking,
	  .not_done = is_tracking, .done = is_not_tracking, .undo = undo_nothing);
OPERATION(read_dirty_bitmap, .prepare = prepare_tracking, .call = call_read_dirty,
	  .done = has_dirty_page, .undo = undo_nothing);

NIT_TEST_MAIN
