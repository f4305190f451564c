// SPDX-License-Identifier: GPL-2.0-only
/* IOMMU_TEST_CMD: what the tests do to the mock's devices, and look at */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "mock_vendor.h"

#define IOPF_LAST true

/** struct mock_stdev - the object that the tests attach and destroy the device with */
struct mock_stdev {
	struct hyp_object object;
	struct mock_device *device;
};

static void stdev_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct mock_stdev *stdev = hyp_container(object, struct mock_stdev, object);

	hyp_device_release(&stdev->device->device);
	free(stdev->device);
	free(stdev);
}

/* The ids come in the order in which the kernel hands them out: test object, device, page table. */
static int test_device(struct hyp_context *context, struct iommu_test_cmd *cmd, uint32_t flags)
{
	struct mock_stdev *stdev;
	struct mock_device *device;
	int rc;

	if (flags & ~(MOCK_FLAGS_DEVICE_NO_DIRTY | MOCK_FLAGS_DEVICE_PASID))
		return -EINVAL;
	stdev = hyp_object_new(context, sizeof(*stdev), HYP_SELFTEST);
	device = calloc(1, sizeof(*device));
	if (!stdev || !device) {
		free(device);
		if (stdev)
			hyp_object_drop(context, stdev);
		return -ENOMEM;
	}
	stdev->object.destroy = stdev_destroy;
	stdev->device = device;
	device->flags = flags;
	device->pdev.pasid = flags & MOCK_FLAGS_DEVICE_PASID;
	device->pdev.no_dirty = flags & MOCK_FLAGS_DEVICE_NO_DIRTY;
	device->device.hyp = context->hyp;
	device->device.pdev = &device->pdev;
	for (int i = 0; i < MOCK_DEV_CACHE_NUM; i++)
		device->cache[i] = IOMMU_TEST_DEV_CACHE_DEFAULT;
	rc = hyp_device_adopt(context, &device->device);
	rc = rc ?: hyp_device_attach_locked(context, &device->device, HYP_NO_PASID, cmd->id);
	if (rc) {
		hyp_object_destroy(context, stdev->object.id);
		return rc;
	}
	cmd->mock_domain_flags.out_stdev_id = stdev->object.id;
	cmd->mock_domain_flags.out_idev_id = device->device.id;
	cmd->mock_domain_flags.out_hwpt_id = hyp_attachment(&device->device, HYP_NO_PASID)->hwpt_id;
	return 0;
}

static struct hyp_device *stdev_device(struct hyp_context *context, uint32_t id)
{
	struct mock_stdev *stdev = hyp_object_get(context, id, HYP_SELFTEST);

	return stdev ? &stdev->device->device : NULL;
}

static int test_replace(struct hyp_context *context, struct iommu_test_cmd *cmd)
{
	struct hyp_device *device = stdev_device(context, cmd->id);
	int rc;

	if (!device)
		return -ENOENT;
	rc = hyp_device_attach_locked(context, device, HYP_NO_PASID,
				      cmd->mock_domain_replace.pt_id);
	if (!rc)
		cmd->mock_domain_replace.pt_id = hyp_attachment(device, HYP_NO_PASID)->hwpt_id;
	return rc;
}

/* IOMMU_NO_PASID is the device itself; too high a number stays one. */
static uint32_t pasid_of(uint32_t pasid)
{
	return pasid == HYP_NO_PASID ? HYP_NO_PASID - 1 : pasid ?: HYP_NO_PASID;
}

static int test_pasid_attach(struct hyp_context *context, struct iommu_test_cmd *cmd, bool replace)
{
	struct hyp_device *device = stdev_device(context, cmd->id);
	uint32_t pasid = pasid_of(cmd->pasid_attach.pasid);
	int rc;

	if (!device)
		return -ENOENT;
	rc = hyp_device_change_locked(context, device, pasid, cmd->pasid_attach.pt_id, replace);
	if (!rc)
		cmd->pasid_attach.pt_id = hyp_attachment(device, pasid)->hwpt_id;
	return rc;
}

static int test_pasid_check(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_device *device = stdev_device(context, cmd->id);
	struct hyp_attachment *attachment;

	if (!device)
		return -ENOENT;
	attachment = hyp_attachment(device, pasid_of(cmd->pasid_check.pasid));
	return (attachment ? attachment->hwpt_id : 0) == cmd->pasid_check.hwpt_id ? 0 : -EINVAL;
}

/* A device that can reserve no IOVAs is as good as one that does. */
static int test_add_reserved(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_ioas *ioas = hyp_object_get(context, cmd->id, HYP_IOAS);
	uint64_t start = cmd->add_reserved.start;

	return ioas ? hyp_iova_reserve(ioas, start, start + cmd->add_reserved.length - 1, NULL) :
		      -ENOENT;
}

static int test_check_map(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_hwpt *hwpt = hyp_object_get(context, cmd->id, HYP_HWPT_PAGING);
	uint64_t iova = cmd->check_map.iova, va = cmd->check_map.uptr;

	if (!hwpt || !cmd->check_map.length || (iova | va | cmd->check_map.length) %
					       MOCK_GRANULE)
		return -EINVAL;
	for (uint64_t done = 0; done < cmd->check_map.length; done += MOCK_GRANULE) {
		const struct mock_area *area =
			mock_area_at(mock_domain_of(hwpt->domain), iova + done);
		struct mock_page page;
		uint64_t at;

		if (!area || mock_page_find(va + done, &page))
			return -EINVAL;
		at = area->pa + (iova + done - area->iova);
		if ((at ^ (va + done)) % MOCK_PAGE ||
		    !mock_page_same(&area->pages[at / MOCK_PAGE - area->pa / MOCK_PAGE], &page))
			return -EINVAL;
	}
	return 0;
}

/* Whether an area of an IOAS with a page table has the page */
static bool area_pins(struct hyp_ioas *ioas, const struct hyp_area *area,
		      const struct mock_page *page)
{
	const struct mock_area *mapped =
		mock_area_at(mock_domain_of(ioas->hwpts->domain), area->iova);
	uint64_t count = (mapped->pa + mapped->len - 1) / MOCK_PAGE - mapped->pa / MOCK_PAGE + 1;

	for (uint64_t i = 0; i < count; i++)
		if (mock_page_same(&mapped->pages[i], page))
			return true;
	return false;
}

enum { BACKINGS = 16 };

/** struct pins - mappings of user space that have a page: it is pinned once for each of them */
struct pins {
	const struct hyp_backing *backing[BACKINGS];
	uint32_t count;
};

static void count_pin(struct pins *pins, const struct hyp_backing *backing)
{
	for (uint32_t i = 0; i < pins->count; i++)
		if (pins->backing[i] == backing)
			return;
	if (pins->count < BACKINGS)
		pins->backing[pins->count++] = backing;
}

static uint32_t pins_of(struct hyp *hyp, const struct mock_page *page)
{
	struct pins pins = {};

	for (struct hyp_context *context = hyp->contexts; context; context = context->next) {
		for (uint32_t id = 1; id < context->room; id++) {
			struct hyp_ioas *ioas = hyp_object_get(context, id, HYP_IOAS);

			if (!ioas || !ioas->hwpts)
				continue;
			for (struct hyp_area *area = ioas->areas; area; area = area->next)
				if (area_pins(ioas, area, page))
					count_pin(&pins, area->backing);
		}
	}
	return pins.count;
}

static int test_check_refs(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct mock_page page;

	if ((cmd->check_refs.uptr | cmd->check_refs.length) % MOCK_PAGE)
		return -EINVAL;
	for (uint64_t done = 0; done < cmd->check_refs.length; done += MOCK_PAGE) {
		if (mock_page_find(cmd->check_refs.uptr + done, &page))
			return -EFAULT;
		if (pins_of(context->hyp, &page) != cmd->check_refs.refs)
			return -EIO;
	}
	return 0;
}

static int mark_dirty(struct mock_domain *domain, uint64_t iova, uint64_t len)
{
	for (uint64_t at = iova; at - iova < len; at += MOCK_GRANULE) {
		struct mock_area *area = mock_area_at(domain, at);

		if (area)
			area->dirty[(at - area->iova) / MOCK_GRANULE] = 1;
	}
	return 0;
}

/* Pages written as a DMA would: those whose bit is set in the user's bitmap */
static int test_dirty(struct hyp_context *context, struct iommu_test_cmd *cmd)
{
	struct hyp_hwpt *hwpt = hyp_object_get(context, cmd->id, HYP_HWPT_PAGING);
	uint64_t size = cmd->dirty.page_size, iova = cmd->dirty.iova, count = 0;
	uint8_t byte = 0;

	if (!size || !cmd->dirty.length || iova % size || cmd->dirty.length % size ||
	    !cmd->dirty.uptr || !hwpt || !hwpt->domain->dirty_tracking)
		return -EINVAL;
	for (uint64_t i = 0; i < cmd->dirty.length / size; i++) {
		if (hyp_copy_from_user(&byte, cmd->dirty.uptr + i / 8, 1))
			return -EFAULT;
		if (!(byte & 1 << i % 8))
			continue;
		mark_dirty(mock_domain_of(hwpt->domain), iova + i * size, size);
		count++;
	}
	cmd->dirty.out_nr_dirty = count;
	return 0;
}

/** struct mock_access - what a driver of the kernel would hold on an IOAS; goes with its file */
struct mock_access {
	struct hyp_object object;
	struct hyp_ioas *ioas;
	struct hyp_file file;
};

static void access_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct mock_access *access = hyp_container(object, struct mock_access, object);

	access->ioas->object.users--;
	hyp_file_fini(&access->file);
	free(access);
}

/* It is its driver's to destroy, while that has it open. */
static bool access_busy(struct hyp_object *object)
{
	return hyp_file_is_open(&hyp_container(object, struct mock_access, object)->file);
}

static ssize_t access_read(struct hyp_file *file, uint64_t buf, size_t count)
{
	return -EINVAL;
}

static const struct hyp_file_ops access_ops = { .read = access_read };

static int test_create_access(struct hyp_context *context, struct iommu_test_cmd *cmd)
{
	struct hyp_ioas *ioas = hyp_object_get(context, cmd->id, HYP_IOAS);
	struct mock_access *access;
	int users, rc;

	if (cmd->create_access.flags)
		return -EOPNOTSUPP;
	if (!ioas)
		return -ENOENT;
	access = hyp_object_new(context, sizeof(*access), HYP_SELFTEST_ACCESS);
	if (!access)
		return -ENOMEM;
	rc = hyp_file_init(&access->file, context->hyp, &access_ops, &users);
	if (rc) {
		hyp_object_drop(context, access);
		return rc;
	}
	access->object.destroy = access_destroy;
	access->object.busy = access_busy;
	access->object.is_held = true;
	access->ioas = ioas;
	ioas->object.users++;
	cmd->create_access.out_access_fd = users;
	return 0;
}

/* The access that user space has open as @fd */
static struct mock_access *find_access(struct hyp_context *context, int fd)
{
	for (uint32_t id = 1; id < context->room; id++) {
		struct mock_access *access = hyp_object_get(context, id, HYP_SELFTEST_ACCESS);

		if (access && access->file.users == fd && hyp_file_is_open(&access->file))
			return access;
	}
	return NULL;
}

static int copy_bytes(uint64_t to, uint64_t from, uint64_t len)
{
	uint8_t bytes[256];
	int rc = 0;

	for (uint64_t done = 0, part; done < len && !rc; done += part) {
		part = len - done < sizeof(bytes) ? len - done : sizeof(bytes);
		rc = hyp_copy_from_user(bytes, from + done, part) ?:
		     hyp_copy_to_user(to + done, bytes, part);
	}
	return rc;
}

/* As iommufd_access_rw(): area by area, and what comes before one that fails is done. */
static int test_access_rw(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	const struct mock_access *access = find_access(context, cmd->id);
	uint64_t iova = cmd->access_rw.iova, left = cmd->access_rw.length;
	uint64_t data = cmd->access_rw.uptr;
	bool write = cmd->access_rw.flags & MOCK_ACCESS_RW_WRITE;
	int rc = 0;

	if (!access)
		return -ENOENT;
	if (!left)
		return -EINVAL;
	if (iova + left - 1 < iova)
		return -EOVERFLOW;
	while (left && !rc) {
		const struct hyp_area *area = hyp_ioas_area(access->ioas, iova);
		uint64_t skip, part;

		if (!area)
			return -ENOENT;
		if (!(area->prot & (write ? IOMMU_IOAS_MAP_WRITEABLE : IOMMU_IOAS_MAP_READABLE)))
			return -EPERM;
		skip = iova - area->iova;
		part = area->len - skip < left ? area->len - skip : left;
		rc = write ? copy_bytes(area->pa + skip, data, part) :
			     copy_bytes(data, area->pa + skip, part);
		iova += part;
		data += part;
		left -= part;
	}
	return rc;
}

void mock_service(struct hyp_context *context)
{
	for (uint32_t id = 1; id < context->room; id++)
		if (hyp_object_get(context, id, HYP_SELFTEST_ACCESS))
			hyp_object_destroy(context, id);
}

static int test_check_iotlb(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_hwpt *hwpt = hyp_object_get(context, cmd->id, HYP_HWPT_NESTED);

	if (!hwpt)
		return -ENOENT;
	if (cmd->check_iotlb.id >= MOCK_WORDS)
		return -EINVAL;
	return mock_domain_of(hwpt->domain)->iotlb[cmd->check_iotlb.id] == cmd->check_iotlb.iotlb ?
	       0 : -EINVAL;
}

static int test_check_cache(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_device_object *object = hyp_object_get(context, cmd->id, HYP_DEVICE);

	if (!object)
		return -ENOENT;
	if (cmd->check_dev_cache.id >= MOCK_DEV_CACHE_NUM)
		return -EINVAL;
	return mock_device_of(object->device)->cache[cmd->check_dev_cache.id] ==
	       cmd->check_dev_cache.cache ? 0 : -EINVAL;
}

static int test_vevent(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_device_object *object =
		hyp_object_get(context, cmd->trigger_vevent.dev_id, HYP_DEVICE);
	struct hyp_attachment *attachment;
	struct iommu_viommu_event_selftest event;

	if (!object)
		return -ENOENT;
	attachment = hyp_attachment(object->device, HYP_NO_PASID);
	if (!attachment || !attachment->domain->viommu || !object->device->vdevice)
		return -ENOENT;
	event.virt_id = object->device->vdevice->virt_id;
	return hyp_report_event(attachment->domain->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, &event,
				sizeof(event));
}

static int test_iopf(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_device_object *object =
		hyp_object_get(context, cmd->trigger_iopf.dev_id, HYP_DEVICE);

	if (!object)
		return -ENOENT;
	hyp_report_fault(object->device, pasid_of(cmd->trigger_iopf.pasid),
			 cmd->trigger_iopf.addr, cmd->trigger_iopf.perm,
			 cmd->trigger_iopf.grpid, IOPF_LAST);
	return 0;
}

static int test_pasid_detach(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_device *device = stdev_device(context, cmd->id);

	if (!device)
		return -ENOENT;
	return hyp_device_detach_locked(device, pasid_of(cmd->pasid_detach.pasid));
}

static int mock_test(struct hyp_context *context, struct iommu_test_cmd *cmd)
{
	switch (cmd->op) {
	case IOMMU_TEST_OP_MOCK_DOMAIN:
		return test_device(context, cmd, 0);
	case IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS:
		return test_device(context, cmd, cmd->mock_domain_flags.dev_flags);
	case IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE:
		return test_replace(context, cmd);
	case IOMMU_TEST_OP_PASID_ATTACH:
		return test_pasid_attach(context, cmd, false);
	case IOMMU_TEST_OP_PASID_REPLACE:
		return test_pasid_attach(context, cmd, true);
	case IOMMU_TEST_OP_PASID_DETACH:
		return test_pasid_detach(context, cmd);
	case IOMMU_TEST_OP_PASID_CHECK_HWPT:
		return test_pasid_check(context, cmd);
	case IOMMU_TEST_OP_MD_CHECK_MAP:
		return test_check_map(context, cmd);
	case IOMMU_TEST_OP_MD_CHECK_IOTLB:
		return test_check_iotlb(context, cmd);
	case IOMMU_TEST_OP_DEV_CHECK_CACHE:
		return test_check_cache(context, cmd);
	case IOMMU_TEST_OP_TRIGGER_VEVENT:
		return test_vevent(context, cmd);
	case IOMMU_TEST_OP_TRIGGER_IOPF:
		return test_iopf(context, cmd);
	case IOMMU_TEST_OP_ADD_RESERVED:
		return test_add_reserved(context, cmd);
	case IOMMU_TEST_OP_MD_CHECK_REFS:
		return test_check_refs(context, cmd);
	case IOMMU_TEST_OP_DIRTY:
		return test_dirty(context, cmd);
	case IOMMU_TEST_OP_CREATE_ACCESS:
		return test_create_access(context, cmd);
	case IOMMU_TEST_OP_ACCESS_RW:
		return test_access_rw(context, cmd);
	default:
		return -EOPNOTSUPP;
	}
}

int mock_ioctl(struct hyp_context *context, unsigned long request, uint64_t arg)
{
	struct iommu_test_cmd cmd;
	int rc;

	if (request != IOMMU_TEST_CMD)
		return -ENOTTY;
	if (hyp_copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	rc = mock_test(context, &cmd);
	return rc ?: hyp_copy_to_user(arg, &cmd, sizeof(cmd));
}

