// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "core/check.h"
#include "vm.h"

/* A stamp is the address that a word has in the page it belongs to, under a mark. */
#define STAMP (0x5aULL << 56)
#define STAMP_MASK (0xffULL << 56)

#define ENGINE_PLAIN 0
#define ENGINE_HELD 1

static int vm_init(struct vm *vm)
{
	uint8_t *memory;
	int rc;

	rc = __ioas_alloc(&vm->iommufd, &vm->ioas);
	if (rc)
		return rc;
	memory = vm->target->ops->memory(vm->target, VM_RAM_SIZE);
	vm->spare = vm->target->ops->memory(vm->target, VM_SPARE_PAGES * VM_PAGE);
	if (!memory || !vm->spare)
		return -ENOMEM;
	pages_init(&vm->mem, memory, VM_RAM_BASE, VM_RAM_SIZE);
	vm_stamp(vm->spare, VM_SPARE_PAGES * VM_PAGE, (uintptr_t)vm->spare);
	return vm_s2_map(vm, VM_RAM_BASE, memory, VM_RAM_SIZE,
			 IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE);
}

int vm_open(struct vm *vm, struct target *target, const struct vm_vendor *vendor,
	    uint32_t parent_flags)
{
	int rc;

	*vm = (struct vm){
		.vendor = vendor, .target = target,
		.parent_flags = parent_flags | IOMMU_HWPT_ALLOC_NEST_PARENT,
	};
	rc = target->ops->iommufd_open(target, &vm->iommufd);
	if (rc)
		return rc;
	rc = vm_init(vm);
	rc = rc ?: vendor->guest_init(vm);
	if (rc)
		vm_close(vm);
	return rc;
}

void vm_close(struct vm *vm)
{
	if (!vm->iommufd.ops)
		return;
	for (unsigned int i = vm->device_count; i--;) {
		struct vm_device *device = &vm->devices[i];

		vm->vendor->device_remove(device);
		vm->target->ops->unbind(vm->target, &vm->iommufd, device->number, device->dev_id);
	}
	vm->vendor->guest_fini(vm);
	iommufd_close(&vm->iommufd);
	pages_fini(&vm->mem);
	*vm = (struct vm){};
}

/*
 * The guest's ids of its devices are those that other devices really have, so that a VMM or
 * hypervisor that forgets to translate one reaches a device, and the wrong one.
 */
static uint16_t virtual_rid(struct vm *vm, unsigned int number)
{
	unsigned int other = number ^ 1;

	return other < vm->target->device_count ? vm->target->devices[other].rid :
	       vm->target->devices[number].rid ^ 0x100;
}

static int attach_parent(struct vm_device *device, uint32_t parent)
{
	struct vm *vm = device->vm;

	device->parent = parent;
	return vm->target->ops->attach(vm->target, &vm->iommufd, device->dev_id, DMA_NO_PASID,
				       parent);
}

/*
 * A page table may be one IOMMU's own: "EINVAL: domain and device are incompatible"
 * (iommu_attach_device). Whoever cannot share another's parent gets one, of the same IOAS.
 */
static int give_parent(struct vm *vm, struct vm_device *device)
{
	uint32_t own;
	int rc = -EINVAL;

	for (unsigned int i = 0; i < vm->device_count && rc == -EINVAL; i++)
		rc = attach_parent(device, vm->devices[i].parent);
	if (rc != -EINVAL)
		return rc;
	rc = __hwpt_alloc(&vm->iommufd, device->dev_id, vm->ioas, vm->parent_flags, &own);
	if (rc)
		return rc;
	if (!vm->parent)
		vm->parent = own;
	return attach_parent(device, own);
}

static int give_device(struct vm *vm, struct vm_device *device)
{
	int rc = give_parent(vm, device);

	return rc ?: vm->vendor->device_add(device);
}

int vm_add_device(struct vm *vm, unsigned int number, bool ats, struct vm_device **out)
{
	struct vm_device *device = &vm->devices[vm->device_count];
	int rc;

	if (vm->device_count == VM_DEVICES)
		return -ENOSPC;
	if (number >= vm->target->device_count)
		return -ENODEV;
	*device = (struct vm_device){
		.vm = vm, .number = number, .rid = virtual_rid(vm, number),
		.ats = ats && vm->target->devices[number].ats,
	};
	rc = vm->target->ops->bind(vm->target, &vm->iommufd, number, &device->dev_id);
	if (rc)
		return rc;
	rc = give_device(vm, device);
	if (rc) {
		vm->target->ops->unbind(vm->target, &vm->iommufd, number, device->dev_id);
		return rc;
	}
	vm->device_count++;
	*out = device;
	return 0;
}

int vm_space_init(struct vm *vm, struct vm_space *space, uint32_t pasid)
{
	*space = (struct vm_space){ .vm = vm, .pasid = pasid };
	return vm->vendor->space_init(space);
}

void vm_space_fini(struct vm_space *space)
{
	if (!space->vm)
		return;
	space->vm->vendor->space_fini(space);
	*space = (struct vm_space){};
}

/* Tables change: what a control saw before says nothing of what comes. */
static void forget_controls(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->device_count; i++)
		vm->devices[i].control.space = NULL;
}

int vm_replace(struct vm_device *device, struct vm_space *space, struct vm_space *old)
{
	int rc;

	forget_controls(device->vm);
	rc = device->vm->vendor->attach(device, space, old);
	if (rc)
		return rc;
	space->devices[space->device_count++] = device;
	for (unsigned int i = 0; old && i < old->device_count; i++) {
		if (old->devices[i] == device) {
			old->devices[i] = old->devices[--old->device_count];
			break;
		}
	}
	return 0;
}

int vm_attach(struct vm_device *device, struct vm_space *space)
{
	return vm_replace(device, space, NULL);
}

int vm_detach(struct vm_device *device, struct vm_space *space)
{
	int rc;

	forget_controls(device->vm);
	rc = device->vm->vendor->detach(device, space);
	for (unsigned int i = 0; !rc && i < space->device_count; i++) {
		if (space->devices[i] == device) {
			space->devices[i] = space->devices[--space->device_count];
			break;
		}
	}
	return rc;
}

void vm_stamp(void *va, uint64_t len, uint64_t name)
{
	uint64_t *words = va;

	for (uint64_t i = 0; i < len / 8; i++)
		__atomic_store_n(&words[i], STAMP | (name + 8 * i), __ATOMIC_RELAXED);
}

uint64_t vm_pages(struct vm *vm, uint64_t len)
{
	uint64_t gpa = pages_alloc(&vm->mem, len);

	if (gpa)
		vm_stamp(pages_ptr(&vm->mem, gpa), len, gpa);
	return gpa;
}

uint64_t vm_page(struct vm *vm)
{
	return vm_pages(vm, VM_PAGE);
}

int vm_map(struct vm_space *space, uint64_t iova, uint64_t gpa, uint64_t len, unsigned int prot)
{
	forget_controls(space->vm);
	return pgtable_map(&space->stage1, iova, gpa, len, prot, 0);
}

int vm_map_leaves(struct vm_space *space, uint64_t iova, uint64_t gpa, uint64_t len,
		  unsigned int prot, uint64_t size)
{
	forget_controls(space->vm);
	return pgtable_map(&space->stage1, iova, gpa, len, prot, __builtin_ctzll(size));
}

void vm_unmap(struct vm_space *space, uint64_t iova, uint64_t len)
{
	forget_controls(space->vm);
	pgtable_unmap(&space->stage1, iova, len, true);
}

void vm_unmap_tables(struct vm_space *space, uint64_t iova, uint64_t len)
{
	forget_controls(space->vm);
	pgtable_unmap(&space->stage1, iova, len, false);
}

int vm_s2_map(struct vm *vm, uint64_t gpa, void *va, uint64_t len, uint32_t flags)
{
	forget_controls(vm);
	return __ioas_map(&vm->iommufd, vm->ioas, va, len, gpa, flags);
}

int vm_s2_unmap(struct vm *vm, uint64_t gpa, uint64_t len)
{
	forget_controls(vm);
	return __ioas_unmap(&vm->iommufd, vm->ioas, gpa, len, NULL);
}

static struct dma dma_of(struct vm_device *device, struct vm_space *space, enum dma_op op,
			 uint64_t iova, uint64_t *data)
{
	return (struct dma){
		.op = op, .address = device->ats ? DMA_ATS : DMA_PLAIN, .pasid = space->pasid,
		.addr = iova, .len = sizeof(*data), .data = data,
	};
}

uint64_t vm_name(uint64_t data)
{
	return (data & STAMP_MASK) == STAMP ? data & ~STAMP_MASK : data;
}

uint64_t vm_read(struct vm_device *device, struct vm_space *space, uint64_t iova)
{
	struct target *target = device->vm->target;
	uint64_t data = 0;
	struct dma dma = dma_of(device, space, DMA_READ, iova, &data);

	return target->ops->dma(target, device->number, ENGINE_PLAIN, &dma) == DMA_DONE ?
	       vm_name(data) : VM_NOWHERE;
}

bool vm_write(struct vm_device *device, struct vm_space *space, uint64_t iova, uint64_t value)
{
	struct target *target = device->vm->target;
	struct dma dma = dma_of(device, space, DMA_WRITE, iova, &value);

	return target->ops->dma(target, device->number, ENGINE_PLAIN, &dma) == DMA_DONE;
}

static bool start(struct vm_device *device, struct vm_space *space, enum dma_op op, uint64_t iova)
{
	struct target *target = device->vm->target;

	device->held = dma_of(device, space, op, iova, &device->held_data);
	return target->ops->dma_start(target, device->number, ENGINE_HELD, &device->held) ==
	       DMA_HELD;
}

static bool finish(struct vm_device *device)
{
	struct target *target = device->vm->target;

	return target->ops->dma_finish(target, device->number, ENGINE_HELD) == DMA_DONE;
}

bool vm_read_start(struct vm_device *device, struct vm_space *space, uint64_t iova)
{
	return start(device, space, DMA_READ, iova);
}

uint64_t vm_read_finish(struct vm_device *device)
{
	return finish(device) ? vm_name(device->held_data) : VM_NOWHERE;
}

bool vm_write_start(struct vm_device *device, struct vm_space *space, uint64_t iova,
		    uint64_t value)
{
	device->held_data = value;
	return start(device, space, DMA_WRITE, iova);
}

bool vm_write_finish(struct vm_device *device)
{
	return finish(device);
}

int vm_invalidate(struct vm_space *space, uint64_t iova, uint64_t len, unsigned int change)
{
	return space->vm->vendor->invalidate(space, iova, len, change);
}

int vm_invalidate_space(struct vm_space *space)
{
	return space->vm->vendor->invalidate_space(space);
}

int vm_invalidate_batch(struct vm *vm, const struct vm_range *ranges, unsigned int count,
			unsigned int change)
{
	return vm->vendor->invalidate_batch(vm, ranges, count, change);
}

int vm_invalidate_all(struct vm *vm, struct vm_space * const *spaces, unsigned int count)
{
	return vm->vendor->invalidate_all(vm, spaces, count);
}

void vm_control(struct vm_device *device, const struct vm_space *space, uint64_t iova,
		uint64_t seen)
{
	device->control = (struct vm_control){ space, iova, seen };
}

uint64_t vm_control_saw(const struct vm_device *device, const struct vm_space *space,
			uint64_t iova, uint64_t otherwise)
{
	const struct vm_control *control = &device->control;

	return control->space == space && control->iova == iova ? control->seen : otherwise;
}

struct vm_device *vm_device_of(struct vm *vm, uint16_t rid)
{
	for (unsigned int i = 0; i < vm->device_count; i++)
		if (vm->devices[i].rid == rid)
			return &vm->devices[i];
	return NULL;
}

void vm_evidence(struct vm *vm, uint64_t mark, unsigned int lines)
{
	const struct target_ops *ops = vm->target->ops;
	uint64_t end = ops->mark(vm->target), number = mark;
	char line[256];

	if (end > lines && number < end - lines)
		number = end - lines;
	for (;;) {
		number = ops->event(vm->target, number, line, sizeof(line));
		if (number == UINT64_MAX)
			return;
		check_note("hardware: %s", line);
		number++;
	}
}
