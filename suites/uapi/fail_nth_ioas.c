// SPDX-License-Identifier: GPL-2.0-only
/* Allocation failures (operation.h): mappings, and in-kernel users of an IOAS */

#include "access.h"
#include "operation.h"

/* ---- mappings ---- */

static int call_map(struct world *w)
{
	return __ioas_map(&w->vm.iommufd, w->vm.ioas, w->buf, buf_size(), IOVA_FREE,
			  IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE);
}

static int call_map_file(struct world *w)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.ioas_id = w->vm.ioas,
		.fd = w->mem_fd,
		.length = buf_size(),
		.iova = IOVA_FREE,
	};

	return __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_MAP_FILE, &cmd);
}

static int call_copy(struct world *w)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.dst_ioas_id = w->vm.ioas,
		.src_ioas_id = w->vm.ioas,
		.length = buf_size(),
		.dst_iova = IOVA_FREE,
		.src_iova = IOVA,
	};

	return __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_COPY, &cmd);
}

static int call_unmap(struct world *w)
{
	return __ioas_unmap(&w->vm.iommufd, w->vm.ioas, IOVA_FREE, buf_size(), NULL);
}

static void is_mapped(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, __mock_check_map(&w->vm.iommufd, w->vm.parent, IOVA_FREE, buf_size(),
				      w->buf));
}

/* The mock's look at an IOVA without translation; 0 would mean that it has one. */
static void is_not_mapped(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_NE(0, __mock_check_map(&w->vm.iommufd, w->vm.parent, IOVA_FREE, page_size(),
				      w->buf));
	EXPECT_EQ(0, __mock_check_refs(&w->vm.iommufd, w->buf, buf_size(), 1));
}

static void undo_map(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_unmap(w));
	is_not_mapped(_metadata, w);
}

static void prepare_map(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_map(w));
	is_mapped(_metadata, w);
}

/* IOVAs that the kernel may choose; the first one that it would is not among them. */
static int call_allow_iovas(struct world *w)
{
	struct iommu_iova_range range = { IOVA_FREE, IOVA_FREE + buf_size() - 1 };
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd), .ioas_id = w->vm.ioas, .num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};

	return __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

/* Where the kernel puts a mapping, which goes again */
static uint64_t chosen_iova(struct __test_metadata *_metadata, struct world *w)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd), .flags = IOMMU_IOAS_MAP_READABLE, .ioas_id = w->vm.ioas,
		.user_va = (uintptr_t)w->buf, .length = buf_size(),
	};

	ASSERT_EQ(0, __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_MAP, &cmd));
	ASSERT_EQ(0, __ioas_unmap(&w->vm.iommufd, w->vm.ioas, cmd.iova, buf_size(), NULL));
	return cmd.iova;
}

static void iovas_are_allowed(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(IOVA_FREE, chosen_iova(_metadata, w));
}

static void iovas_are_free(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_NE(IOVA_FREE, chosen_iova(_metadata, w));
}

static void undo_allow_iovas(struct __test_metadata *_metadata, struct world *w)
{
	struct iommu_ioas_allow_iovas cmd = { .size = sizeof(cmd), .ioas_id = w->vm.ioas };

	ASSERT_EQ(0, __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_ALLOW_IOVAS, &cmd));
}

/* ---- an IOAS as such: @target has no device, and nothing mapped ---- */

static void prepare_ioas(struct __test_metadata *_metadata, struct world *w)
{
	w->target = ioas_alloc(&w->vm.iommufd);
}

static void undo_ioas(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->vm.iommufd, w->target);
}

static int call_iova_ranges(struct world *w)
{
	struct iommu_iova_range range = {};
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd), .ioas_id = w->target, .num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};
	int rc = __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_IOVA_RANGES, &cmd);

	w->info = range.last == UINT64_MAX;
	return rc;
}

/* Whether pages are combined: 1 is what an IOAS begins with. */
static int huge_pages(struct world *w, uint16_t op, uint64_t *value)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd), .option_id = IOMMU_OPTION_HUGE_PAGES, .op = op,
		.object_id = w->target, .val64 = *value,
	};
	int rc = __iommufd_ioctl(&w->vm.iommufd, IOMMU_OPTION, &cmd);

	*value = cmd.val64;
	return rc;
}

static int call_option_set(struct world *w)
{
	uint64_t value = 0;

	return huge_pages(w, IOMMU_OPTION_OP_SET, &value);
}

static int call_option_get(struct world *w)
{
	uint64_t value = 0;
	int rc = huge_pages(w, IOMMU_OPTION_OP_GET, &value);

	w->info = value;
	return rc;
}

static void info_is_1(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(1, w->info);
}

static void info_is_0(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, w->info);
}

static void pages_are_combined(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_option_get(w));
	info_is_1(_metadata, w);
}

static void pages_are_single(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_option_get(w));
	info_is_0(_metadata, w);
}

/* The IOAS of VFIO's older ioctls; -ENODEV if there is none */
static int vfio_ioas(struct world *w, uint16_t op, uint32_t *ioas)
{
	struct iommu_vfio_ioas cmd = { .size = sizeof(cmd), .op = op, .ioas_id = *ioas };
	int rc = __iommufd_ioctl(&w->vm.iommufd, IOMMU_VFIO_IOAS, &cmd);

	*ioas = cmd.ioas_id;
	return rc;
}

static int call_vfio_ioas(struct world *w)
{
	return vfio_ioas(w, IOMMU_VFIO_IOAS_SET, &w->target);
}

static void is_vfio_ioas(struct __test_metadata *_metadata, struct world *w)
{
	uint32_t ioas = 0;

	EXPECT_EQ(0, vfio_ioas(w, IOMMU_VFIO_IOAS_GET, &ioas));
	EXPECT_EQ(w->target, ioas);
}

static void is_no_vfio_ioas(struct __test_metadata *_metadata, struct world *w)
{
	uint32_t ioas = 0;

	EXPECT_EQ(-ENODEV, vfio_ioas(w, IOMMU_VFIO_IOAS_GET, &ioas));
}

/* A process takes over what is mapped, which must be files: here the one of @buf. */
static int call_change_process(struct world *w)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	return __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_CHANGE_PROCESS, &cmd);
}

static void prepare_files(struct __test_metadata *_metadata, struct world *w)
{
	prepare_ioas(_metadata, w);
	ASSERT_EQ(0, __ioas_unmap(&w->vm.iommufd, w->vm.ioas, IOVA, buf_size(), NULL));
	ASSERT_EQ(0, call_map_file(w));
}

static void undo_files(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_unmap(w));
	EXPECT_EQ(0, __mock_check_refs(&w->vm.iommufd, w->buf, buf_size(), 0));
	undo_ioas(_metadata, w);
}

/* ---- in-kernel users of the IOAS ---- */

static int call_access(struct world *w)
{
	return __access_create(&w->vm.iommufd, w->vm.ioas, TAKES_PINS, &w->access);
}

static void prepare_access(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_access(w));
}

static void prepare_access_and_ioas(struct __test_metadata *_metadata, struct world *w)
{
	prepare_access(_metadata, w);
	w->target = ioas_alloc(&w->vm.iommufd);
}

static int call_access_pin(struct world *w)
{
	return __access_pin(&w->vm.iommufd, w->access, IOVA, buf_size(), w->buf, 0, &w->pin);
}

static int call_access_read(struct world *w)
{
	uint8_t byte;

	return __access_rw(&w->vm.iommufd, w->access, IOVA, &byte, 1, 0);
}

static int call_access_replace(struct world *w)
{
	return __access_replace(&w->vm.iommufd, w->access, w->target);
}

static void pin_works(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, __access_unpin(&w->vm.iommufd, w->access, w->pin));
}

static void access_is_on_ioas(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, call_access_read(w));
}

static void access_is_on_target(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(-ENOENT, call_access_read(w));
}

static void undo_access(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, close(w->access));
	if (w->target) {
		iommufd_destroy(&w->vm.iommufd, w->target);
	}
}

OPERATION(ioas_map, .call = call_map, .done = is_mapped, .not_done = is_not_mapped,
	  .undo = undo_map);
OPERATION(ioas_map_file, .call = call_map_file, .done = is_mapped,
	  .not_done = is_not_mapped, .undo = undo_map);
OPERATION(ioas_copy, .call = call_copy, .done = is_mapped, .not_done = is_not_mapped,
	  .undo = undo_map);
OPERATION(ioas_unmap, .prepare = prepare_map, .call = call_unmap, .done = is_not_mapped,
	  .not_done = is_mapped, .undo = undo_nothing);

OPERATION(ioas_allow_iovas, .call = call_allow_iovas, .done = iovas_are_allowed,
	  .not_done = iovas_are_free, .undo = undo_allow_iovas);

OPERATION(ioas_change_process, .prepare = prepare_files, .call = call_change_process,
	  .done = is_mapped, .not_done = is_mapped, .undo = undo_files);

OPERATION(ioas_iova_ranges, .prepare = prepare_ioas, .call = call_iova_ranges,
	  .done = info_is_1, .not_done = info_is_0, .undo = undo_ioas);
OPERATION(option_set, .prepare = prepare_ioas, .call = call_option_set,
	  .done = pages_are_single, .not_done = pages_are_combined, .undo = undo_ioas);
OPERATION(option_get, .prepare = prepare_ioas, .call = call_option_get,
	  .done = info_is_1, .not_done = info_is_0, .undo = undo_ioas);
OPERATION(vfio_ioas, .prepare = prepare_ioas, .call = call_vfio_ioas,
	  .done = is_vfio_ioas, .not_done = is_no_vfio_ioas, .undo = undo_ioas);

OPERATION(access_create, .call = call_access, .done = access_is_on_ioas, .undo = undo_access);
OPERATION(access_pin, .prepare = prepare_access, .call = call_access_pin, .done = pin_works,
	  .undo = undo_access);
OPERATION(access_read, .prepare = prepare_access, .call = call_access_read,
	  .undo = undo_access);
OPERATION(access_replace, .prepare = prepare_access_and_ioas, .call = call_access_replace,
	  .done = access_is_on_target, .not_done = access_is_on_ioas, .undo = undo_access);

NIT_TEST_MAIN
