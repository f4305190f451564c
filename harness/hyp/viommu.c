// SPDX-License-Identifier: GPL-2.0-only
/* vIOMMUs, and the vDEVICEs and hardware queues in them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "iommufd/iommufd.h"
#include "object.h"

#define VIOMMU_DATA_MAX 256
#define PAGE_SIZE 4096ULL

/* A nest parent does not go while a vIOMMU is on it. */
static void hold_parent(struct hyp_hwpt *parent, int users)
{
	if (!FAULT("hyp.viommu-leaves-parent-free", "a nest parent goes while a vIOMMU is on it"))
		parent->object.users += users;
}

static void viommu_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct hyp_viommu_object *viommu = hyp_container(object, struct hyp_viommu_object, object);

	if (context->hyp->vendor->viommu_free)
		context->hyp->vendor->viommu_free(&viommu->viommu);
	hold_parent(viommu->parent, -1);
	free(viommu);
}

static bool viommu_busy(struct hyp_object *object)
{
	return hyp_pages_mapped(&hyp_container(object, struct hyp_viommu_object, object)->viommu);
}

static int viommu_make(struct hyp_context *context, struct hyp_device *device,
		       struct hyp_hwpt *parent, struct iommu_viommu_alloc *cmd,
		       struct hyp_viommu_object **out)
{
	uint8_t data[VIOMMU_DATA_MAX] = {};
	struct hyp_viommu_object *object;
	int rc;

	if (cmd->data_len > sizeof(data))
		return -EINVAL;
	if (hyp_copy_from_user(data, cmd->data_uptr, cmd->data_len))
		return -EFAULT;
	object = hyp_object_new(context, sizeof(*object), HYP_VIOMMU);
	if (!object)
		return -ENOMEM;
	object->object.destroy = viommu_destroy;
	object->object.busy = viommu_busy;
	object->object.is_held = true;
	object->parent = parent;
	object->viommu = (struct hyp_viommu){
		.hyp = context->hyp, .context = context, .parent = parent->domain,
		.id = object->object.id, .type = cmd->type, .iommu = device->pdev->iommu,
		.mmio_offset = object->object.id * (1ULL << 20),
	};
	rc = context->hyp->vendor->viommu_alloc(&object->viommu, device, data, cmd->data_len);
	if (rc) {
		hyp_object_drop(context, object);
		return rc;
	}
	hold_parent(parent, 1);
	if (hyp_copy_to_user(cmd->data_uptr, data, cmd->data_len)) {
		hyp_object_destroy(context, object->object.id);
		return -EFAULT;
	}
	*out = object;
	return 0;
}

int hyp_viommu_alloc(struct hyp_context *context, void *arg)
{
	struct iommu_viommu_alloc *cmd = arg;
	struct hyp_viommu_object *object;
	struct hyp_device_object *device;
	struct hyp_hwpt *parent;
	int rc;

	if (cmd->flags || cmd->__reserved || cmd->type == IOMMU_VIOMMU_TYPE_DEFAULT ||
	    !context->hyp->vendor->viommu_alloc)
		return -EOPNOTSUPP;
	device = hyp_object_get(context, cmd->dev_id, HYP_DEVICE);
	parent = hyp_object_get(context, cmd->hwpt_id, HYP_HWPT_PAGING);
	if (!device || !parent)
		return -ENOENT;
	if (!(parent->domain->flags & IOMMU_HWPT_ALLOC_NEST_PARENT) &&
	    !FAULT("hyp.viommu-on-any-parent", "a vIOMMU is made on what is no nest parent"))
		return -EINVAL;
	rc = viommu_make(context, device->device, parent, cmd, &object);
	if (!rc)
		cmd->out_viommu_id = object->object.id;
	return rc;
}

struct hyp_vdevice *hyp_vdevice_find(struct hyp_viommu *viommu, uint64_t virt_id)
{
	struct hyp_vdevice *vdevice = viommu->vdevices;

	while (vdevice && vdevice->virt_id != virt_id)
		vdevice = vdevice->next;
	return vdevice;
}

static void vdevice_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct hyp_vdevice_object *vdevice =
		hyp_container(object, struct hyp_vdevice_object, object);
	struct hyp_viommu *viommu = vdevice->vdevice.viommu;
	struct hyp_vdevice **link = &viommu->vdevices;

	if (context->hyp->vendor->vdevice_remove)
		context->hyp->vendor->vdevice_remove(&vdevice->vdevice);
	while (*link != &vdevice->vdevice)
		link = &(*link)->next;
	*link = vdevice->vdevice.next;
	vdevice->vdevice.device->vdevice = NULL;
	hyp_container(viommu, struct hyp_viommu_object, viommu)->object.users--;
	free(vdevice);
}

int hyp_vdevice_alloc(struct hyp_context *context, void *arg)
{
	struct iommu_vdevice_alloc *cmd = arg;
	struct hyp_viommu_object *viommu = hyp_object_get(context, cmd->viommu_id, HYP_VIOMMU);
	struct hyp_device_object *device = hyp_object_get(context, cmd->dev_id, HYP_DEVICE);
	const struct hyp_vendor_ops *vendor = context->hyp->vendor;
	struct hyp_vdevice_object *object;
	int rc;

	if (!viommu || !device)
		return -ENOENT;
	if (viommu->viommu.iommu != device->device->pdev->iommu)
		return -EINVAL;
	if (device->device->vdevice)
		return -EEXIST;
	if (hyp_vdevice_find(&viommu->viommu, cmd->virt_id) &&
	    !FAULT("hyp.virt-id-given-twice", "two devices of a vIOMMU have one virtual id"))
		return -EEXIST;
	object = hyp_object_new(context, sizeof(*object), HYP_VDEVICE);
	if (!object)
		return -ENOMEM;
	object->object.destroy = vdevice_destroy;
	object->vdevice = (struct hyp_vdevice){
		.viommu = &viommu->viommu, .device = device->device, .virt_id = cmd->virt_id,
		.id = object->object.id, .next = viommu->viommu.vdevices,
	};
	rc = vendor->vdevice_add ? vendor->vdevice_add(&object->vdevice) : 0;
	if (rc) {
		hyp_object_drop(context, object);
		return rc;
	}
	viommu->viommu.vdevices = &object->vdevice;
	device->device->vdevice = &object->vdevice;
	viommu->object.users++;
	cmd->out_vdevice_id = object->object.id;
	return 0;
}

void hyp_vdevice_end(struct hyp_device *device)
{
	if (device->vdevice)
		hyp_object_bury(device->context, device->vdevice->id);
}

struct hyp_hw_queue_object {
	struct hyp_object object;
	struct hyp_hw_queue queue;
	struct hyp_ioas *ioas;
};

static void hw_queue_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct hyp_hw_queue_object *queue =
		hyp_container(object, struct hyp_hw_queue_object, object);

	context->hyp->vendor->hw_queue_free(&queue->queue);
	hyp_ioas_unlock(queue->ioas, queue->queue.iova, queue->queue.length);
	queue->ioas->object.users--;
	hyp_container(queue->queue.viommu, struct hyp_viommu_object, viommu)->object.users--;
	free(queue);
}

/* A queue goes after the one that was made on top of it (uapi: descending order of destroy). */
static bool hw_queue_busy(struct hyp_object *object)
{
	const struct hyp_hw_queue *queue =
		&hyp_container(object, struct hyp_hw_queue_object, object)->queue;
	struct hyp_context *context = queue->viommu->context;

	for (uint32_t id = 1; id < context->room; id++) {
		struct hyp_hw_queue_object *other = hyp_object_get(context, id, HYP_HW_QUEUE);

		if (other && other->queue.viommu == queue->viommu &&
		    other->queue.type == queue->type && other->queue.index == queue->index + 1)
			return true;
	}
	return false;
}

static int hw_queue_make(struct hyp_context *context, struct hyp_viommu_object *viommu,
			 const struct iommu_hw_queue_alloc *cmd, uint32_t *id)
{
	struct hyp_ioas *ioas = viommu->parent->ioas;
	struct hyp_hw_queue_object *object;
	uint64_t pa;
	int rc;

	rc = hyp_ioas_lock(viommu->parent, cmd->nesting_parent_iova, cmd->length, &pa);
	if (rc)
		return rc;
	object = hyp_object_new(context, sizeof(*object), HYP_HW_QUEUE);
	if (!object) {
		hyp_ioas_unlock(ioas, cmd->nesting_parent_iova, cmd->length);
		return -ENOMEM;
	}
	object->object.destroy = hw_queue_destroy;
	object->object.busy = hw_queue_busy;
	object->ioas = ioas;
	object->queue = (struct hyp_hw_queue){
		.viommu = &viommu->viommu, .id = object->object.id, .type = cmd->type,
		.index = cmd->index, .iova = cmd->nesting_parent_iova, .pa = pa,
		.length = cmd->length,
	};
	rc = context->hyp->vendor->hw_queue_alloc(&object->queue);
	if (rc) {
		hyp_ioas_unlock(ioas, cmd->nesting_parent_iova, cmd->length);
		hyp_object_drop(context, object);
		return rc;
	}
	ioas->object.users++;
	viommu->object.users++;
	*id = object->object.id;
	return 0;
}

int hyp_hw_queue_alloc(struct hyp_context *context, void *arg)
{
	struct iommu_hw_queue_alloc *cmd = arg;
	struct hyp_viommu_object *viommu;

	if (cmd->flags || cmd->type == IOMMU_HW_QUEUE_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!cmd->length)
		return -EINVAL;
	if (cmd->nesting_parent_iova + cmd->length - 1 < cmd->nesting_parent_iova ||
	    cmd->length > -PAGE_SIZE - (cmd->nesting_parent_iova & (PAGE_SIZE - 1)))
		return -EOVERFLOW;
	viommu = hyp_object_get(context, cmd->viommu_id, HYP_VIOMMU);
	if (!viommu)
		return -ENOENT;
	if (!context->hyp->vendor->hw_queue_alloc)
		return -EOPNOTSUPP;
	return hw_queue_make(context, viommu, cmd, &cmd->out_hw_queue_id);
}

int hyp_viommu_mmio(struct iommufd *iommufd, uint64_t mmap_offset, uint64_t offset,
		    unsigned int size, bool write, uint64_t *value)
{
	struct hyp_context *context = iommufd->priv;
	int rc = -ENXIO;

	pthread_mutex_lock(&context->hyp->lock);
	for (uint32_t id = 1; id < context->room; id++) {
		struct hyp_viommu_object *object = hyp_object_get(context, id, HYP_VIOMMU);

		if (!object || object->viommu.mmio_offset != mmap_offset ||
		    offset + size > object->viommu.mmio_length)
			continue;
		rc = context->hyp->vendor->viommu_mmio(&object->viommu, offset, size, write, value);
		break;
	}
	pthread_mutex_unlock(&context->hyp->lock);
	return rc;
}
