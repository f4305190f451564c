// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iommufd_test.h"
#include "mock.h"
#include "object.h"

#define WORDS MOCK_NESTED_DOMAIN_IOTLB_NUM
#define IOPF_LAST true

/** struct mock_area - a mapping of a mock page table */
struct mock_area {
	uint64_t iova;
	uint64_t len;
	uint64_t pa;
	struct mock_area *next;
};

struct mock_domain {
	struct hyp_domain base;
	struct mock_area *areas;
	uint32_t iotlb[WORDS];
};

/** struct mock_device - @cache: words that invalidations through a vIOMMU set to 0 */
struct mock_device {
	struct hyp_device device;
	struct platform_device pdev;
	uint32_t flags;
	uint32_t cache[MOCK_DEV_CACHE_NUM];
};

/** struct mock_stdev - the object that the tests attach and destroy the device with */
struct mock_stdev {
	struct hyp_object object;
	struct mock_device *device;
};

static struct mock_domain *domain_of(struct hyp_domain *domain)
{
	return hyp_container(domain, struct mock_domain, base);
}

static struct mock_device *device_of(struct hyp_device *device)
{
	return hyp_container(device, struct mock_device, device);
}

static int mock_start(struct hyp *hyp)
{
	return 0;
}

static void mock_stop(struct hyp *hyp)
{
}

static int mock_hw_info(struct hyp_device *device, void *data, uint32_t *len)
{
	const struct iommu_test_hw_info info = { .test_reg = IOMMU_HW_INFO_SELFTEST_REGVAL };

	memcpy(data, &info, sizeof(info));
	*len = sizeof(info);
	return 0;
}

static int domain_new(struct hyp_domain **domain)
{
	struct mock_domain *mock = calloc(1, sizeof(*mock));

	if (!mock)
		return -ENOMEM;
	*domain = &mock->base;
	return 0;
}

static int mock_paging_alloc(struct hyp_device *device, uint32_t flags, struct hyp_domain **domain)
{
	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING &&
	    device_of(device)->flags & MOCK_FLAGS_DEVICE_NO_DIRTY)
		return -EOPNOTSUPP;
	return domain_new(domain);
}

static int mock_paging_data(uint32_t type, const void *data, uint32_t len)
{
	if (type != IOMMU_HWPT_DATA_SELFTEST)
		return -EOPNOTSUPP;
	return len < sizeof(uint32_t) || len > sizeof(struct iommu_hwpt_selftest) ? -EINVAL : 0;
}

static int mock_nested_alloc(struct hyp_device *device, struct hyp_domain *parent,
			     struct hyp_viommu *viommu, uint32_t flags, uint32_t type,
			     const void *data, uint32_t len, struct hyp_domain **domain)
{
	const struct iommu_hwpt_selftest *config = data;
	int rc = mock_paging_data(type, data, len);

	rc = rc ?: domain_new(domain);
	for (int i = 0; !rc && i < WORDS; i++)
		domain_of(*domain)->iotlb[i] = config->iotlb;
	return rc;
}

static void mock_domain_free(struct hyp_domain *domain)
{
	struct mock_domain *mock = domain_of(domain);

	while (mock->areas) {
		struct mock_area *area = mock->areas;

		mock->areas = area->next;
		free(area);
	}
	free(mock);
}

static int mock_map(struct hyp_domain *domain, uint64_t iova, uint64_t pa, uint64_t len,
		    uint32_t prot)
{
	struct mock_area *area;
	uint8_t byte;

	if (iova < MOCK_APERTURE_START || iova + len - 1 > MOCK_APERTURE_LAST)
		return -EINVAL;
	for (uint64_t at = 0; at < len; at += 4096)
		if (hyp_copy_from_user(&byte, pa + at, 1))
			return -EFAULT;
	area = malloc(sizeof(*area));
	if (!area)
		return -ENOMEM;
	*area = (struct mock_area){ iova, len, pa, domain_of(domain)->areas };
	domain_of(domain)->areas = area;
	return 0;
}

static int mock_unmap(struct hyp_domain *domain, uint64_t iova, uint64_t len)
{
	struct mock_area **link = &domain_of(domain)->areas;

	while (*link && (*link)->iova != iova)
		link = &(*link)->next;
	if (*link) {
		struct mock_area *area = *link;

		*link = area->next;
		free(area);
	}
	return 0;
}

/* struct iommu_vdevice_alloc: a vIOMMU's page table needs to know the device by a virtual id. */
static int mock_attach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain,
		       struct hyp_domain *old)
{
	if (domain->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING &&
	    device_of(device)->flags & MOCK_FLAGS_DEVICE_NO_DIRTY)
		return -EINVAL;
	if (domain->viommu && (!device->vdevice || device->vdevice->viommu != domain->viommu))
		return -ENOENT;
	return 0;
}

static void mock_detach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *old)
{
}

/* Sets one word, or all of them, to 0 as an entry says */
static int drop_words(uint32_t *words, uint32_t flags, uint32_t index)
{
	if (flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (index >= WORDS)
		return -EINVAL;
	if (flags & IOMMU_TEST_INVALIDATE_FLAG_ALL)
		memset(words, 0, WORDS * sizeof(*words));
	else
		words[index] = 0;
	return 0;
}

static int nested_entry(struct hyp_domain *domain, uint64_t at)
{
	struct iommu_hwpt_invalidate_selftest entry;

	if (hyp_copy_from_user(&entry, at, sizeof(entry)))
		return -EFAULT;
	return drop_words(domain_of(domain)->iotlb, entry.flags, entry.iotlb_id);
}

static int viommu_entry(struct hyp_viommu *viommu, uint64_t at)
{
	struct iommu_viommu_invalidate_selftest entry;
	struct hyp_vdevice *vdevice;

	if (hyp_copy_from_user(&entry, at, sizeof(entry)))
		return -EFAULT;
	vdevice = hyp_vdevice_find(viommu, entry.vdev_id);
	if (!vdevice)
		return entry.flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL ? -EOPNOTSUPP : -EINVAL;
	return drop_words(device_of(vdevice->device)->cache, entry.flags, entry.cache_id);
}

static int mock_invalidate(struct hyp_domain *domain, struct hyp_viommu *viommu, uint32_t type,
			   uint64_t entries, uint32_t entry_len, uint32_t *num)
{
	uint32_t size = domain ? sizeof(struct iommu_hwpt_invalidate_selftest) :
			sizeof(struct iommu_viommu_invalidate_selftest);
	uint32_t count = *num;
	int rc = 0;

	*num = 0;
	if (type != IOMMU_HWPT_INVALIDATE_DATA_SELFTEST)
		return -EOPNOTSUPP;
	if (!count)
		return 0;
	if (entry_len != size)
		return -EINVAL;
	while (*num < count) {
		uint64_t at = entries + (uint64_t)*num * entry_len;

		rc = domain ? nested_entry(domain, at) : viommu_entry(viommu, at);
		if (rc)
			return rc;
		++*num;
	}
	return 0;
}

/* Loops the data back; there is nothing to map, so no offset and no length are given. */
static int mock_viommu_alloc(struct hyp_viommu *viommu, struct hyp_device *device, void *data,
			     uint32_t len)
{
	struct iommu_viommu_selftest *loop = data;

	if (viommu->type != IOMMU_VIOMMU_TYPE_SELFTEST)
		return -EOPNOTSUPP;
	if (len && len != sizeof(*loop))
		return -EINVAL;
	loop->out_data = loop->in_data;
	return 0;
}

static int mock_page_response(struct hyp_device *device, uint32_t pasid, uint32_t group,
			      uint32_t code)
{
	return 0;
}

static int mock_set_dirty(struct hyp_domain *domain, bool on)
{
	return 0;
}

/* Nothing here writes by itself: no page is ever dirty. */
static int mock_read_dirty(struct hyp_domain *domain, uint64_t iova, uint64_t len, uint32_t flags,
			   struct hyp_dirty *dirty)
{
	return 0;
}

/* ---- IOMMU_TEST_CMD */

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

static int test_pasid_attach(struct hyp_context *context, struct iommu_test_cmd *cmd, bool replace)
{
	struct hyp_device *device = stdev_device(context, cmd->id);
	bool attached;

	if (!device)
		return -ENOENT;
	attached = hyp_attachment(device, cmd->pasid_attach.pasid);
	if (attached != replace)
		return replace ? -EINVAL : -EBUSY;
	return hyp_device_attach_locked(context, device, cmd->pasid_attach.pasid,
					cmd->pasid_attach.pt_id);
}

static int test_pasid_check(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_device *device = stdev_device(context, cmd->id);
	struct hyp_attachment *attachment;

	if (!device)
		return -ENOENT;
	attachment = hyp_attachment(device, cmd->pasid_check.pasid);
	return (attachment ? attachment->hwpt_id : 0) == cmd->pasid_check.hwpt_id ? 0 : -EINVAL;
}

static int test_check_map(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_hwpt *hwpt = hyp_object_get(context, cmd->id, HYP_HWPT_PAGING);
	uint64_t iova = cmd->check_map.iova, last = iova + cmd->check_map.length - 1;

	if (!hwpt)
		return -EINVAL;
	while (iova - 1 != last) {
		struct mock_area *area = domain_of(hwpt->domain)->areas;

		while (area && iova - area->iova >= area->len)
			area = area->next;
		if (!area || area->pa + (iova - area->iova) !=
			     cmd->check_map.uptr + (iova - cmd->check_map.iova))
			return -EINVAL;
		iova = area->iova + area->len - 1 < last ? area->iova + area->len : last + 1;
	}
	return 0;
}

static int test_check_iotlb(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_hwpt *hwpt = hyp_object_get(context, cmd->id, HYP_HWPT_NESTED);

	if (!hwpt || cmd->check_iotlb.id >= WORDS)
		return -EINVAL;
	return domain_of(hwpt->domain)->iotlb[cmd->check_iotlb.id] == cmd->check_iotlb.iotlb ?
	       0 : -EINVAL;
}

static int test_check_cache(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_device_object *object = hyp_object_get(context, cmd->id, HYP_DEVICE);

	if (!object)
		return -ENOENT;
	if (cmd->check_dev_cache.id >= MOCK_DEV_CACHE_NUM)
		return -EINVAL;
	return device_of(object->device)->cache[cmd->check_dev_cache.id] ==
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
	hyp_report_fault(object->device, cmd->trigger_iopf.pasid ?: HYP_NO_PASID,
			 cmd->trigger_iopf.addr, cmd->trigger_iopf.perm,
			 cmd->trigger_iopf.grpid, IOPF_LAST);
	return 0;
}

static int test_pasid_detach(struct hyp_context *context, const struct iommu_test_cmd *cmd)
{
	struct hyp_device *device = stdev_device(context, cmd->id);

	return device ? hyp_device_detach_locked(device, cmd->pasid_detach.pasid) : -ENOENT;
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
	default:
		return -EOPNOTSUPP;
	}
}

static int mock_ioctl(struct hyp_context *context, unsigned long request, uint64_t arg)
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

static const struct hyp_vendor_ops mock_ops = {
	.name = "mock",
	.hw_info_type = IOMMU_HW_INFO_TYPE_SELFTEST,
	.start = mock_start,
	.stop = mock_stop,
	.hw_info = mock_hw_info,
	.paging_alloc = mock_paging_alloc,
	.paging_data = mock_paging_data,
	.nested_alloc = mock_nested_alloc,
	.domain_free = mock_domain_free,
	.map = mock_map,
	.unmap = mock_unmap,
	.attach = mock_attach,
	.detach = mock_detach,
	.invalidate = mock_invalidate,
	.viommu_alloc = mock_viommu_alloc,
	.set_dirty = mock_set_dirty,
	.read_dirty = mock_read_dirty,
	.page_response = mock_page_response,
	.ioctl = mock_ioctl,
};

/** struct mock_hyp - a hypervisor, and the ops of its one context with a close of our own */
struct mock_hyp {
	struct platform platform;
	struct iommufd_ops ops;
	void (*close)(struct iommufd *iommufd);
	struct hyp *hyp;
};

static void mock_close(struct iommufd *iommufd)
{
	struct mock_hyp *mock = hyp_container(iommufd->ops, struct mock_hyp, ops);

	mock->close(iommufd);
	hyp_destroy(mock->hyp);
	free(mock);
	iommufd->ops = NULL;
}

int mock_iommufd_open(struct iommufd *iommufd)
{
	struct mock_hyp *mock = calloc(1, sizeof(*mock));
	int rc;

	if (!mock)
		return -ENOMEM;
	mock->hyp = hyp_create(&mock->platform, &mock_ops);
	if (!mock->hyp) {
		free(mock);
		return -ENOMEM;
	}
	/* Physical addresses are user addresses: all of them. */
	mock->hyp->user = (struct pages){ .size = UINT64_MAX };
	rc = hyp_iommufd_open(mock->hyp, iommufd);
	if (rc) {
		hyp_destroy(mock->hyp);
		free(mock);
		return rc;
	}
	mock->ops = *iommufd->ops;
	mock->close = mock->ops.close;
	mock->ops.close = mock_close;
	iommufd->ops = &mock->ops;
	return 0;
}
