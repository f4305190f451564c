// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM without a virtual IOMMU: the VMM attaches its devices to the nest parent itself, and nothing
 * but stage 2 translates. Its address spaces are names only.
 */
#include "vm.h"

static int plain_guest_init(struct vm *vm)
{
	return 0;
}

static void plain_guest_fini(struct vm *vm)
{
}

/* Blocked until it is attached, as with a virtual IOMMU */
static int plain_device_add(struct vm_device *device)
{
	return device->vm->target->ops->detach(device->vm->target, &device->vm->iommufd,
					       device->dev_id, DMA_NO_PASID);
}

static void plain_device_remove(struct vm_device *device)
{
}

static int plain_space_init(struct vm_space *space)
{
	return 0;
}

static void plain_space_fini(struct vm_space *space)
{
}

static int plain_attach(struct vm_device *device, struct vm_space *space, struct vm_space *old)
{
	return device->vm->target->ops->attach(device->vm->target, &device->vm->iommufd,
					       device->dev_id, space->pasid, device->vm->parent);
}

static int plain_detach(struct vm_device *device, struct vm_space *space)
{
	return device->vm->target->ops->detach(device->vm->target, &device->vm->iommufd,
					       device->dev_id, space->pasid);
}

const struct vm_vendor vm_plain = {
	.name = "plain",
	.guest_init = plain_guest_init,
	.guest_fini = plain_guest_fini,
	.device_add = plain_device_add,
	.device_remove = plain_device_remove,
	.space_init = plain_space_init,
	.space_fini = plain_space_fini,
	.attach = plain_attach,
	.detach = plain_detach,
};
