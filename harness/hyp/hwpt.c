// SPDX-License-Identifier: GPL-2.0-only
/* Page table objects: paging ones of an IOAS, nested ones on a parent or a vIOMMU; invalidation. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "object.h"

#define PAGING_FLAGS (IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING | \
		      IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID)
#define NESTED_FLAGS (IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID)
#define ENTRIES_MAX (1u << 19)
#define ENTRY_LEN_MAX 4096

struct hyp_geometry hyp_geometry(struct hyp_domain *domain)
{
	if (domain->hyp->vendor->geometry)
		return domain->hyp->vendor->geometry(domain);
	return (struct hyp_geometry){ 0, UINT64_MAX, 4096 };
}

static void hwpt_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct hyp_hwpt *hwpt = hyp_container(object, struct hyp_hwpt, object);

	if (hwpt->ioas)
		hyp_ioas_remove(hwpt->ioas, hwpt);
	if (hwpt->holds)
		hwpt->holds->users--;
	if (hwpt->fault)
		hwpt->fault->users--;
	context->hyp->vendor->domain_free(hwpt->domain);
	free(hwpt);
}

static struct hyp_hwpt *hwpt_new(struct hyp_context *context, enum hyp_type type)
{
	struct hyp_hwpt *hwpt = hyp_object_new(context, sizeof(*hwpt), type);

	if (hwpt)
		hwpt->object.destroy = hwpt_destroy;
	return hwpt;
}

static int paging_alloc(struct hyp_context *context, struct hyp_device *device,
			struct hyp_ioas *ioas, uint32_t flags, struct hyp_hwpt **out)
{
	const struct hyp_vendor_ops *vendor = context->hyp->vendor;
	struct hyp_hwpt *hwpt;
	int rc;

	if (flags & ~PAGING_FLAGS || (flags & IOMMU_HWPT_ALLOC_NEST_PARENT &&
				      flags & IOMMU_HWPT_FAULT_ID_VALID))
		return -EOPNOTSUPP;
	hwpt = hwpt_new(context, HYP_HWPT_PAGING);
	if (!hwpt)
		return -ENOMEM;
	rc = vendor->paging_alloc(device, flags & ~IOMMU_HWPT_FAULT_ID_VALID, &hwpt->domain);
	if (rc) {
		hyp_object_drop(context, hwpt);
		return rc;
	}
	hwpt->domain->hyp = context->hyp;
	hwpt->domain->flags = flags;
	rc = hyp_ioas_fill(ioas, hwpt);
	if (rc) {
		vendor->domain_free(hwpt->domain);
		hyp_object_drop(context, hwpt);
		return rc;
	}
	*out = hwpt;
	return 0;
}

static void *copy_user_data(const struct iommu_hwpt_alloc *cmd)
{
	/* Vendors read their struct whole: what user space did not give reads as 0. */
	void *data = calloc(1, cmd->data_len > 256 ? cmd->data_len : 256);

	if (data && hyp_copy_from_user(data, cmd->data_uptr, cmd->data_len)) {
		free(data);
		return NULL;
	}
	return data;
}

static int nested_alloc(struct hyp_context *context, struct hyp_device *device,
			struct hyp_object *on, const struct iommu_hwpt_alloc *cmd,
			struct hyp_hwpt **out)
{
	const struct hyp_vendor_ops *vendor = context->hyp->vendor;
	struct hyp_viommu *viommu = NULL;
	struct hyp_domain *parent;
	struct hyp_hwpt *hwpt;
	void *data;
	int rc;

	if (cmd->flags & ~NESTED_FLAGS || !cmd->data_len || !vendor->nested_alloc)
		return -EOPNOTSUPP;
	if (on->type == HYP_VIOMMU) {
		viommu = &hyp_container(on, struct hyp_viommu_object, object)->viommu;
		parent = viommu->parent;
		if (viommu->iommu != device->pdev->iommu)
			return -EINVAL;
	} else {
		parent = hyp_container(on, struct hyp_hwpt, object)->domain;
	}
	if (!(parent->flags & IOMMU_HWPT_ALLOC_NEST_PARENT) &&
	    !FAULT("hyp.nested-on-any-table", "a nested page table is made on what is no parent"))
		return -EINVAL;
	if (cmd->data_len > ENTRY_LEN_MAX)
		return -EINVAL;
	data = copy_user_data(cmd);
	if (!data)
		return -EFAULT;
	hwpt = hwpt_new(context, HYP_HWPT_NESTED);
	rc = hwpt ? vendor->nested_alloc(device, parent, viommu, cmd->flags, cmd->data_type, data,
					 cmd->data_len, &hwpt->domain) : -ENOMEM;
	free(data);
	if (rc) {
		if (hwpt)
			hyp_object_drop(context, hwpt);
		return rc;
	}
	hwpt->domain->hyp = context->hyp;
	hwpt->domain->parent = parent;
	hwpt->domain->viommu = viommu;
	hwpt->domain->flags = cmd->flags;
	hwpt->holds = on;
	on->users++;
	*out = hwpt;
	return 0;
}

static int check_paging_data(const struct hyp_vendor_ops *vendor,
			     const struct iommu_hwpt_alloc *cmd)
{
	void *data;
	int rc;

	if (cmd->data_type == IOMMU_HWPT_DATA_NONE)
		return 0;
	if (!vendor->paging_data)
		return -EOPNOTSUPP;
	data = copy_user_data(cmd);
	if (!data)
		return -EFAULT;
	rc = vendor->paging_data(cmd->data_type, data, cmd->data_len);
	free(data);
	return rc;
}

static int hwpt_alloc_on(struct hyp_context *context, struct hyp_device *device,
			 const struct iommu_hwpt_alloc *cmd, struct hyp_hwpt **hwpt)
{
	struct hyp_object *on = hyp_object_get(context, cmd->pt_id, HYP_ANY);
	int rc;

	if (!on)
		return -ENOENT;
	switch (on->type) {
	case HYP_IOAS:
		rc = check_paging_data(context->hyp->vendor, cmd);
		if (rc)
			return rc;
		return paging_alloc(context, device,
				    hyp_container(on, struct hyp_ioas, object), cmd->flags, hwpt);
	case HYP_HWPT_PAGING:
	case HYP_VIOMMU:
		return nested_alloc(context, device, on, cmd, hwpt);
	default:
		return -EINVAL;
	}
}

int hyp_hwpt_alloc(struct hyp_context *context, void *arg)
{
	struct iommu_hwpt_alloc *cmd = arg;
	struct hyp_device_object *device;
	struct hyp_object *fault = NULL;
	struct hyp_hwpt *hwpt;
	int rc;

	if ((cmd->__reserved || cmd->__reserved2) &&
	    !FAULT("hyp.reserved-fields-ignored", "reserved fields may hold anything"))
		return -EOPNOTSUPP;
	if ((cmd->data_type == IOMMU_HWPT_DATA_NONE) != !cmd->data_len)
		return -EINVAL;
	device = hyp_object_get(context, cmd->dev_id, HYP_DEVICE);
	if (!device)
		return -ENOENT;
	if (cmd->flags & IOMMU_HWPT_FAULT_ID_VALID)
		fault = hyp_object_get(context, cmd->fault_id, HYP_FAULT);
	rc = hwpt_alloc_on(context, device->device, cmd, &hwpt);
	if (rc)
		return rc;
	if (cmd->flags & IOMMU_HWPT_FAULT_ID_VALID && !fault) {
		hyp_object_destroy(context, hwpt->object.id);
		return -ENOENT;
	}
	if (fault) {
		hwpt->fault = fault;
		fault->users++;
		hyp_faults_domain(hwpt->domain, fault);
	}
	cmd->out_hwpt_id = hwpt->object.id;
	return 0;
}

/* An automatic page table of the IOAS that this device can use, or a new one */
static int automatic_hwpt(struct hyp_context *context, struct hyp_device *device,
			  struct hyp_ioas *ioas, struct hyp_hwpt **out)
{
	int rc;

	for (struct hyp_hwpt *hwpt = ioas->hwpts; hwpt; hwpt = hwpt->next) {
		if (hwpt->automatic) {
			*out = hwpt;
			return 0;
		}
	}
	rc = paging_alloc(context, device, ioas, 0, out);
	if (!rc)
		(*out)->automatic = true;
	return rc;
}

int hyp_hwpt_for(struct hyp_context *context, struct hyp_device *device, uint32_t pt_id,
		 struct hyp_hwpt **hwpt)
{
	struct hyp_object *object = hyp_object_get(context, pt_id, HYP_ANY);

	if (!object)
		return -ENOENT;
	switch (object->type) {
	case HYP_IOAS:
		return automatic_hwpt(context, device,
				      hyp_container(object, struct hyp_ioas, object), hwpt);
	case HYP_HWPT_PAGING:
	case HYP_HWPT_NESTED:
		*hwpt = hyp_container(object, struct hyp_hwpt, object);
		return 0;
	default:
		return -EINVAL;
	}
}

void hyp_hwpt_put(struct hyp_context *context, struct hyp_hwpt *hwpt)
{
	hwpt->object.users--;
	if (hwpt->automatic && !hwpt->object.users &&
	    !FAULT("hyp.automatic-hwpt-stays", "it stays after its last device"))
		hyp_object_destroy(context, hwpt->object.id);
}

static int invalidate_object(struct hyp_context *context, const struct iommu_hwpt_invalidate *cmd,
			     uint32_t *num)
{
	const struct hyp_vendor_ops *vendor = context->hyp->vendor;
	struct hyp_object *target = hyp_object_get(context, cmd->hwpt_id, HYP_ANY);
	struct hyp_domain *domain = NULL;
	struct hyp_viommu *viommu = NULL;

	if (!target)
		return -ENOENT;
	if (target->type == HYP_HWPT_NESTED)
		domain = hyp_container(target, struct hyp_hwpt, object)->domain;
	else if (target->type == HYP_VIOMMU)
		viommu = &hyp_container(target, struct hyp_viommu_object, object)->viommu;
	else
		return -EINVAL;
	if (!vendor->invalidate)
		return -EOPNOTSUPP;
	*num = cmd->entry_num;
	return vendor->invalidate(domain, viommu, cmd->data_type, cmd->data_uptr, cmd->entry_len,
				  num);
}

int hyp_hwpt_invalidate(struct hyp_context *context, void *arg)
{
	struct iommu_hwpt_invalidate *cmd = arg;
	uint32_t num = 0;
	int rc;

	if (cmd->__reserved)
		rc = -EOPNOTSUPP;
	else if (cmd->entry_num &&
		 (!cmd->data_uptr || !cmd->entry_len || cmd->entry_len > ENTRY_LEN_MAX ||
		  cmd->entry_num > ENTRIES_MAX))
		rc = -EINVAL;
	else
		rc = invalidate_object(context, cmd, &num);
	if (FAULT("hyp.invalidate-counts-all-entries", "entry_num is not updated on an error"))
		num = cmd->entry_num;
	if (rc && FAULT("hyp.invalidate-hides-errors", "a failed invalidation returns 0"))
		rc = 0;
	cmd->entry_num = num;
	return rc;
}
