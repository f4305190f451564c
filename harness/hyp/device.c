// SPDX-License-Identifier: GPL-2.0-only
/* Devices: bound to a context, attached to page tables by RID and by PASID. VFIO's part. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "iommufd/iommufd.h"
#include "object.h"

#define MAX_PASID_LOG2 20

struct hyp_device *hyp_device_by_rid(struct hyp *hyp, uint16_t rid)
{
	for (unsigned int i = 0; i < hyp->platform->device_count; i++)
		if (hyp->devices[i].pdev->rid == rid)
			return &hyp->devices[i];
	return NULL;
}

struct hyp_attachment *hyp_attachment(struct hyp_device *device, uint32_t pasid)
{
	for (unsigned int i = 0; i < device->attachment_count; i++)
		if (device->attachments[i].pasid == pasid)
			return &device->attachments[i];
	return NULL;
}

static struct hyp_hwpt *attached_hwpt(struct hyp_context *context,
				      const struct hyp_attachment *attachment)
{
	return hyp_container(hyp_object_get(context, attachment->hwpt_id, HYP_ANY),
			     struct hyp_hwpt, object);
}

int hyp_device_detach_locked(struct hyp_device *device, uint32_t pasid)
{
	struct hyp_attachment *attachment = hyp_attachment(device, pasid);
	struct hyp_domain *domain;
	struct hyp_hwpt *hwpt;

	if (!attachment)
		return 0;
	domain = attachment->domain;
	hwpt = attached_hwpt(device->context, attachment);
	*attachment = device->attachments[--device->attachment_count];
	device->hyp->vendor->detach(device, pasid, domain);
	hyp_faults_flush(device, pasid, domain);
	domain->attached--;
	hyp_hwpt_put(device->context, hwpt);
	return 0;
}

static void detach_all(struct hyp_device *device)
{
	while (device->attachment_count)
		hyp_device_detach_locked(device,
					 device->attachments[device->attachment_count - 1].pasid);
}

static bool pasid_possible(const struct hyp_device *device, uint32_t pasid)
{
	return pasid == HYP_NO_PASID || (device->pdev->pasid && !(pasid >> MAX_PASID_LOG2));
}

/* IOMMU_HWPT_ALLOC_PASID: PASIDs, and a RID beside them, need page tables made for that. */
static int pasid_allowed(struct hyp_device *device, uint32_t pasid, const struct hyp_domain *domain)
{
	struct hyp_attachment *rid = hyp_attachment(device, HYP_NO_PASID);
	bool flagged = domain->flags & IOMMU_HWPT_ALLOC_PASID;

	if (pasid == HYP_NO_PASID) {
		bool others = device->attachment_count > (rid ? 1u : 0u);

		return others && !flagged ? -EINVAL : 0;
	}
	if (!pasid_possible(device, pasid) ||
	    (!flagged && !FAULT("hyp.pasid-on-any-table", "a PASID gets a table not made for it")))
		return -EINVAL;
	return rid && !(rid->domain->flags & IOMMU_HWPT_ALLOC_PASID) ? -EINVAL : 0;
}

static int attach_hwpt(struct hyp_device *device, uint32_t pasid, struct hyp_hwpt *hwpt)
{
	struct hyp_attachment *attachment = hyp_attachment(device, pasid);
	struct hyp_domain *old = attachment ? attachment->domain : NULL;
	struct hyp_hwpt *old_hwpt = attachment ? attached_hwpt(device->context, attachment) : NULL;
	int rc;

	rc = pasid_allowed(device, pasid, hwpt->domain);
	if (rc)
		return rc;
	if (old == hwpt->domain)
		return 0;
	if (!attachment && device->attachment_count == HYP_ATTACHMENTS)
		return -ENOSPC;
	rc = device->hyp->vendor->attach(device, pasid, hwpt->domain, old);
	if (rc)
		return rc;
	if (!attachment)
		attachment = &device->attachments[device->attachment_count++];
	*attachment = (struct hyp_attachment){ pasid, hwpt->object.id, hwpt->domain };
	hwpt->domain->attached++;
	hwpt->object.users++;
	if (old) {
		hyp_faults_flush(device, pasid, old);
		old->attached--;
		hyp_hwpt_put(device->context, old_hwpt);
	}
	return 0;
}

int hyp_device_attach_locked(struct hyp_context *context, struct hyp_device *device,
			     uint32_t pasid, uint32_t pt_id)
{
	struct hyp_hwpt *hwpt;
	int rc = hyp_hwpt_for(context, device, pt_id, &hwpt);

	if (rc)
		return rc;
	hwpt->object.users++;
	rc = attach_hwpt(device, pasid, hwpt);
	hyp_hwpt_put(context, hwpt);
	return rc;
}

int hyp_device_change_locked(struct hyp_context *context, struct hyp_device *device,
			     uint32_t pasid, uint32_t pt_id, bool replace)
{
	struct hyp_hwpt *hwpt;
	int rc = hyp_hwpt_for(context, device, pt_id, &hwpt);

	if (rc)
		return rc;
	hwpt->object.users++;
	if (!!hyp_attachment(device, pasid) != replace && pasid_possible(device, pasid) &&
	    !FAULT("hyp.attach-replaces", "attaching what is attached replaces it"))
		rc = replace ? -EINVAL : -EBUSY;
	rc = rc ?: attach_hwpt(device, pasid, hwpt);
	hyp_hwpt_put(context, hwpt);
	return rc;
}

static void device_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct hyp_device_object *device = hyp_container(object, struct hyp_device_object, object);

	detach_all(device->device);
	hyp_vdevice_end(device->device);
	device->device->context = NULL;
	device->device->id = 0;
	free(device);
}

int hyp_device_adopt(struct hyp_context *context, struct hyp_device *device)
{
	struct hyp_device_object *object;

	if (device->context)
		return -EBUSY;
	object = hyp_object_new(context, sizeof(*object), HYP_DEVICE);
	if (!object)
		return -ENOMEM;
	object->object.destroy = device_destroy;
	object->device = device;
	device->context = context;
	device->id = object->object.id;
	return 0;
}

void hyp_device_release(struct hyp_device *device)
{
	struct hyp_context *context = device->context;
	struct hyp_object *object = NULL;

	if (context)
		object = hyp_object_get(context, device->id, HYP_DEVICE);
	if (!object)
		return;
	context->objects[object->id] = NULL;
	object->destroy(context, object);
}

int hyp_device_bind(struct iommufd *iommufd, uint16_t rid, uint32_t *dev_id)
{
	struct hyp_context *context = iommufd->priv;
	struct hyp_device *device = hyp_device_by_rid(context->hyp, rid);
	int rc;

	if (!device)
		return -ENODEV;
	pthread_mutex_lock(&context->hyp->lock);
	rc = hyp_device_adopt(context, device);
	if (!rc)
		*dev_id = device->id;
	pthread_mutex_unlock(&context->hyp->lock);
	return rc;
}

/* @fn for a bound device, under the lock */
#define WITH_DEVICE(_iommufd, _dev_id, _device, _call) ({ \
	struct hyp_context *context = (_iommufd)->priv; \
	struct hyp_device_object *object; \
	int rc = -ENOENT; \
	pthread_mutex_lock(&context->hyp->lock); \
	object = hyp_object_get(context, _dev_id, HYP_DEVICE); \
	if (object) { \
		struct hyp_device *_device = object->device; \
		rc = (_call); \
	} \
	pthread_mutex_unlock(&context->hyp->lock); \
	rc; \
})

void hyp_device_unbind(struct iommufd *iommufd, uint32_t dev_id)
{
	WITH_DEVICE(iommufd, dev_id, device, (hyp_device_release(device), 0));
}

int hyp_device_attach(struct iommufd *iommufd, uint32_t dev_id, uint32_t pasid, uint32_t pt_id)
{
	return WITH_DEVICE(iommufd, dev_id, device,
			   hyp_device_attach_locked(context, device, pasid, pt_id));
}

int hyp_device_detach(struct iommufd *iommufd, uint32_t dev_id, uint32_t pasid)
{
	return WITH_DEVICE(iommufd, dev_id, device, hyp_device_detach_locked(device, pasid));
}

/*
 * Around a reset the device is blocked and ATS is off, so that nothing depends on a function that
 * cannot answer (PCIe 10.3: a function in reset drops invalidate requests).
 */
static int reset(struct hyp_device *device)
{
	const struct hyp_vendor_ops *vendor = device->hyp->vendor;
	struct platform *platform = device->hyp->platform;
	unsigned int i;
	int rc;

	if (FAULT("hyp.reset-under-attachments", "a device is reset with ATS and translation on"))
		return platform->ops->flr(platform, device->pdev->rid);
	for (i = device->attachment_count; i--;)
		vendor->detach(device, device->attachments[i].pasid,
			       device->attachments[i].domain);
	rc = platform->ops->flr(platform, device->pdev->rid);
	for (i = 0; i < device->attachment_count; i++)
		rc = vendor->attach(device, device->attachments[i].pasid,
				    device->attachments[i].domain, NULL) ?: rc;
	return rc;
}

int hyp_device_reset(struct iommufd *iommufd, uint32_t dev_id)
{
	return WITH_DEVICE(iommufd, dev_id, device, reset(device));
}

static int check_hw_info(const struct iommu_hw_info *cmd)
{
	if (cmd->flags & ~IOMMU_HW_INFO_FLAG_INPUT_TYPE || cmd->__reserved[0] ||
	    cmd->__reserved[1] || cmd->__reserved[2])
		return -EOPNOTSUPP;
	return 0;
}

/* A program that names a type wants that one or none. */
static bool type_matches(const struct hyp_vendor_ops *vendor, const struct iommu_hw_info *cmd)
{
	return !(cmd->flags & IOMMU_HW_INFO_FLAG_INPUT_TYPE) ||
	       cmd->in_data_type == IOMMU_HW_INFO_TYPE_DEFAULT ||
	       cmd->in_data_type == vendor->hw_info_type;
}

static uint64_t capabilities(struct hyp_device *device)
{
	const struct hyp_vendor_ops *vendor = device->hyp->vendor;
	bool dirty = vendor->set_dirty && !device->pdev->no_dirty;

	return (dirty ? IOMMU_HW_CAP_DIRTY_TRACKING : 0) |
	       (device->pdev->ats ? 0 : IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED);
}

static int copy_info(const struct iommu_hw_info *cmd, const void *data, uint32_t len)
{
	uint8_t zero = 0;

	if (hyp_copy_to_user(cmd->data_uptr, data, cmd->data_len < len ? cmd->data_len : len))
		return -EFAULT;
	if (FAULT("hyp.hw-info-tail-left", "what user space has room for beyond is left as it was"))
		return 0;
	for (uint64_t i = len; i < cmd->data_len; i++)
		if (hyp_copy_to_user(cmd->data_uptr + i, &zero, 1))
			return -EFAULT;
	return 0;
}

int hyp_get_hw_info(struct hyp_context *context, void *arg)
{
	struct iommu_hw_info *cmd = arg;
	const struct hyp_vendor_ops *vendor = context->hyp->vendor;
	struct hyp_device_object *object;
	uint8_t data[256] = {};
	uint32_t len = 0;
	int rc;

	rc = check_hw_info(cmd);
	if (rc)
		return rc;
	object = hyp_object_get(context, cmd->dev_id, HYP_DEVICE);
	if (!object)
		return -ENOENT;
	if (!type_matches(vendor, cmd))
		return -EOPNOTSUPP;
	rc = vendor->hw_info ? vendor->hw_info(object->device, data, &len) : 0;
	rc = rc ?: copy_info(cmd, data, len);
	if (rc)
		return rc;
	cmd->data_len = len;
	cmd->out_data_type = len ? vendor->hw_info_type : IOMMU_HW_INFO_TYPE_NONE;
	cmd->out_max_pasid_log2 = object->device->pdev->pasid ? MAX_PASID_LOG2 : 0;
	cmd->out_capabilities = capabilities(object->device);
	return 0;
}
