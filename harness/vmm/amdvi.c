// SPDX-License-Identifier: GPL-2.0-only
/* AMD-Vi as the vendor of a VM: the guest's driver, and the virtual IOMMU that it drives. */
#include <errno.h>
#include <stdlib.h>

#include "amdvi.h"
#include "core/fault.h"

static uint32_t guest_pasid(const struct vm_space *space)
{
	return space->pasid == DMA_NO_PASID ? 0 : space->pasid;
}

/* ---- Doorbells ---- */

static int hw_register(struct vm *vm, uint32_t reg, bool write, uint64_t *value)
{
	return vm->target->ops->viommu_mmio(vm->target, &vm->iommufd,
					    vmm_amdvi(vm)->iommus[0].doorbells,
					    AMDVI_VF_REGISTER(reg), 8, write, value);
}

/* Software mode: what the guest has put between head and tail, as the VMM reads it from memory */
static int process(struct vm *vm)
{
	struct vmm_amdvi *vmm = vmm_amdvi(vm);
	static const uint32_t entries = GUEST_AMDVI_QUEUE_BYTES / AMDVI_LOG_ENTRY_SIZE;
	uint64_t cmds[GUEST_AMDVI_QUEUE_BYTES / AMDVI_LOG_ENTRY_SIZE][2];
	const uint64_t *ring = pages_ptr(&vm->mem, vmm->guest.cmdbuf);
	uint32_t head = vmm->head / AMDVI_LOG_ENTRY_SIZE, count = 0;
	unsigned int done;
	int rc;

	if (vmm->stopped)
		return -EIO;
	for (uint32_t at = head; at != vmm->guest.tail / AMDVI_LOG_ENTRY_SIZE; count++) {
		cmds[count][0] = __atomic_load_n(&ring[2 * at], __ATOMIC_ACQUIRE);
		cmds[count][1] = __atomic_load_n(&ring[2 * at + 1], __ATOMIC_ACQUIRE);
		at = (at + 1) % entries;
		if (!at && FAULT("vmm.amdvi-ring-ends", "a command buffer ends at its end"))
			break;
	}
	rc = vmm_amdvi_execute(vm, cmds, count, &done);
	vmm->head = (head + done) % entries * AMDVI_LOG_ENTRY_SIZE;
	if (!rc)
		return 0;
	vmm->stopped = true;
	vmm_amdvi_log(vmm, amdvi_put(AMDVI_ILLEGAL_COMMAND_ERROR, AMDVI_EVENT0_CODE),
		      vmm->guest.cmdbuf + vmm->head);
	return rc;
}

int vm_amd_ring(struct vm *vm)
{
	struct vmm_amdvi *vmm = vmm_amdvi(vm);
	uint64_t tail = vmm->guest.tail;
	int rc;

	if (!vmm->config.hw)
		return process(vm);
	rc = hw_register(vm, AMDVI_CMDBUF_TAIL, true, &tail);
	return rc ?: vm->target->ops->service(vm->target);
}

uint32_t vm_amd_head(struct vm *vm)
{
	uint64_t head = vmm_amdvi(vm)->head;

	if (vmm_amdvi(vm)->config.hw)
		hw_register(vm, AMDVI_CMDBUF_HEAD, false, &head);
	return head & AMDVI_HEAD_TAIL;
}

int vm_amd_run(struct vm *vm, struct guest_amdvi_list *list)
{
	struct guest_amdvi *guest = &vmm_amdvi(vm)->guest;
	unsigned int first = 0, n;
	int rc;

	guest_amdvi_wait(guest, list);
	while (first < list->count) {
		n = guest_amdvi_write(guest, list, first, vm_amd_head(vm));
		if (!n)
			return -ETIMEDOUT;
		first += n;
		rc = vm_amd_ring(vm);
		if (rc)
			return rc;
	}
	return guest_amdvi_waited(guest) ? 0 : -ETIMEDOUT;
}

/* ---- The guest ---- */

static int amd_guest_init(struct vm *vm)
{
	struct vmm_amdvi *vmm = calloc(1, sizeof(*vmm));

	if (!vmm)
		return -ENOMEM;
	vm->priv = vmm;
	vmm->vm = vm;
	vmm->fault_fd = -1;
	/* PASIDs are the guest's own, in its nested page table: the parent knows of none. */
	vm->parent_flags &= ~IOMMU_HWPT_ALLOC_PASID;
	if (vm->vendor->config)
		vmm->config = *(const struct vm_amd_config *)vm->vendor->config;
	return guest_amdvi_init(&vmm->guest, &vm->mem, vmm->config.glx,
				vmm->config.five_levels ? 5 : 4);
}

static void amd_guest_fini(struct vm *vm)
{
	if (!vmm_amdvi(vm))
		return;
	vmm_amdvi_close(vmm_amdvi(vm));
	free(vmm_amdvi(vm));
	vm->priv = NULL;
}

static int amd_device_add(struct vm_device *device)
{
	struct vmm_amdvi *vmm = vmm_amdvi(device->vm);
	const struct target_device *real = &device->vm->target->devices[device->number];
	int rc = guest_amdvi_add_device(&vmm->guest, device->rid, device->ats,
					device->ats && real->pri && vmm->config.events);

	return rc ?: vmm_amdvi_add(vmm, device);
}

static void amd_device_remove(struct vm_device *device)
{
	vmm_amdvi_remove(vmm_amdvi(device->vm), device);
}

/* The parent again, and what was nested on it: then its changes wait for this device, too. */
static int amd_reset_done(struct vm_device *device)
{
	struct vmm_amdvi *vmm = vmm_amdvi(device->vm);
	struct target *target = device->vm->target;
	int rc = target->ops->attach(target, &device->vm->iommufd, device->dev_id, DMA_NO_PASID,
				     device->parent);

	return rc ?: vmm_amdvi_sync(vmm, vmm_amdvi_device(vmm, device->rid), true);
}

static int amd_space_init(struct vm_space *space)
{
	return pgtable_init(&space->stage1, &pgtable_x86_64, vmm_amdvi(space->vm)->guest.levels, 0,
			    &space->vm->mem);
}

static void amd_space_fini(struct vm_space *space)
{
	pgtable_fini(&space->stage1);
}

int vm_amd_dte_written(struct vm_device *device)
{
	struct vmm_amdvi *vmm = vmm_amdvi(device->vm);

	if (!vmm->config.hw)
		return 0;
	return vmm_amdvi_sync(vmm, vmm_amdvi_device(vmm, device->rid), false);
}

int vm_amd_pasid_enable(struct vm_device *device)
{
	struct vmm_amdvi *vmm = vmm_amdvi(device->vm);
	struct vmm_amdvi_device *slot = vmm_amdvi_device(vmm, device->rid);

	if (slot->pasid)
		return 0;
	slot->pasid = true;
	return vmm_amdvi_sync(vmm, slot, true);
}

static int issue_dte_change(struct vm_device *device)
{
	struct guest_amdvi_list list = {};
	int rc = vm_amd_dte_written(device);

	guest_amdvi_devtab(&list, device->rid);
	return rc ?: vm_amd_run(device->vm, &list);
}

/* After a change of a GCR3 entry: everything of that PASID, tables and pages (2.2.6.3) */
static int issue_pasid_change(struct vm_device *device, uint32_t pasid)
{
	struct guest_amdvi *guest = &vmm_amdvi(device->vm)->guest;
	struct guest_amdvi_list list = {};

	guest_amdvi_pages(&list, guest_amdvi_device(guest, device->rid)->domain, pasid, 0,
			  UINT64_MAX, false);
	if (device->ats)
		guest_amdvi_iotlb(&list, device->rid, pasid, 0, UINT64_MAX);
	return vm_amd_run(device->vm, &list);
}

static int amd_attach(struct vm_device *device, struct vm_space *space, struct vm_space *old)
{
	struct vmm_amdvi *vmm = vmm_amdvi(device->vm);
	struct guest_amdvi_device *of = guest_amdvi_device(&vmm->guest, device->rid);
	uint64_t *entry = guest_amdvi_gcr3_entry(&vmm->guest, device->rid, guest_pasid(space));
	int rc;

	if (!entry)
		return -EINVAL;
	rc = space->pasid == DMA_NO_PASID ? 0 : vm_amd_pasid_enable(device);
	if (rc)
		return rc;
	space->domain = of->domain;
	__atomic_store_n(entry, space->stage1.root | AMDVI_GCR3_V, __ATOMIC_RELEASE);
	if (!old && !of->spaces++) {
		guest_amdvi_dte_set(&vmm->guest, device->rid);
		rc = issue_dte_change(device);
	} else if (old || vmm->config.np_cache) {
		rc = issue_pasid_change(device, guest_pasid(space));
	}
	space->hwpt_id = vmm_amdvi_device(vmm, device->rid)->hwpt_id;
	return rc;
}

static int amd_detach(struct vm_device *device, struct vm_space *space)
{
	struct vmm_amdvi *vmm = vmm_amdvi(device->vm);
	struct guest_amdvi_device *of = guest_amdvi_device(&vmm->guest, device->rid);
	uint64_t *entry = guest_amdvi_gcr3_entry(&vmm->guest, device->rid, guest_pasid(space));
	int rc;

	__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	rc = issue_pasid_change(device, guest_pasid(space));
	if (rc || --of->spaces)
		return rc;
	guest_amdvi_dte_block(&vmm->guest, device->rid);
	return issue_dte_change(device);
}

/* Devices that share a DomainID share what is cached for it; each has its own ATC. */
static void invalidate_pages(struct guest_amdvi_list *list, const struct vm_range *range,
			     unsigned int change)
{
	struct guest_amdvi *guest = &vmm_amdvi(range->space->vm)->guest;
	struct vm_space *space = range->space;

	for (unsigned int i = 0; i < space->device_count; i++) {
		uint16_t domain = guest_amdvi_device(guest, space->devices[i]->rid)->domain;

		guest_amdvi_pages(list, domain, guest_pasid(space), range->iova, range->len,
				  change & VM_LEAF_ONLY);
	}
}

static void invalidate_atcs(struct guest_amdvi_list *list, const struct vm_space *space,
			    uint64_t iova, uint64_t len)
{
	for (unsigned int i = 0; i < space->device_count; i++)
		if (space->devices[i]->ats)
			guest_amdvi_iotlb(list, space->devices[i]->rid, guest_pasid(space), iova,
					  len);
}

static void list_ranges(struct guest_amdvi_list *list, const struct vm_range *ranges,
			unsigned int count, unsigned int change)
{
	for (unsigned int i = 0; i < count; i++)
		invalidate_pages(list, &ranges[i], change);
	for (unsigned int i = 0; i < count; i++)
		invalidate_atcs(list, ranges[i].space, ranges[i].iova, ranges[i].len);
}

static int amd_invalidate_batch(struct vm *vm, const struct vm_range *ranges, unsigned int count,
				unsigned int change)
{
	struct guest_amdvi_list list = {};

	list_ranges(&list, ranges, count, change);
	return vm_amd_run(vm, &list);
}

static int amd_invalidate(struct vm_space *space, uint64_t iova, uint64_t len, unsigned int change)
{
	return amd_invalidate_batch(space->vm, &(struct vm_range){ space, iova, len }, 1, change);
}

static int amd_invalidate_all(struct vm *vm, struct vm_space * const *spaces, unsigned int count)
{
	struct guest_amdvi_list list = {};

	amdvi_cmd_invalidate_iommu_all(guest_amdvi_next(&list));
	for (unsigned int i = 0; i < count; i++)
		invalidate_atcs(&list, spaces[i], 0, UINT64_MAX);
	return vm_amd_run(vm, &list);
}

static int amd_invalidate_space(struct vm_space *space)
{
	return amd_invalidate(space, 0, UINT64_MAX, 0);
}

/* Without faults in the event log, which would keep the hypervisor from its page requests. */
static int amd_page_requests(struct vm *vm)
{
	vmm_amdvi(vm)->config.events = true;
	vmm_amdvi(vm)->guest.quiet = true;
	return 0;
}

static int amd_next_fault(struct vm *vm, struct vm_fault *fault)
{
	uint64_t entry[2];
	uint32_t pasid;
	int rc = vmm_amdvi_next_request(vm, entry);

	if (rc)
		return rc;
	pasid = amdvi_get(entry[0], AMDVI_PPRLOG0_PASID_15_0) |
		amdvi_get(entry[0], AMDVI_PPRLOG0_PASID_19_16) << 16;
	*fault = (struct vm_fault){
		.device = vm_device_of(vm, amdvi_get(entry[0], AMDVI_PPRLOG0_DEVICE_ID)),
		.pasid = entry[0] & AMDVI_PPRLOG0_GN ? pasid : DMA_NO_PASID,
		.iova = entry[1], .group = amdvi_get(entry[0], AMDVI_PPRLOG0_TAG),
		.write = entry[0] & AMDVI_PPRLOG0_WRITE,
	};
	return 0;
}

static int amd_answer(struct vm *vm, const struct vm_fault *fault, bool served,
		      const struct vm_range *also)
{
	bool has_pasid = fault->pasid != DMA_NO_PASID;
	struct guest_amdvi_list list = {};

	if (also)
		list_ranges(&list, also, 1, 0);
	amdvi_cmd_complete_ppr_request(guest_amdvi_next(&list), fault->device->rid, has_pasid,
				       has_pasid ? fault->pasid : 0, fault->group,
				       served ? AMDVI_PPR_SUCCESS : AMDVI_PPR_INVALID);
	return vm_amd_run(vm, &list);
}

const struct vm_vendor vm_amd = {
	.name = "amd",
	.guest_init = amd_guest_init,
	.guest_fini = amd_guest_fini,
	.device_add = amd_device_add,
	.device_remove = amd_device_remove,
	.space_init = amd_space_init,
	.space_fini = amd_space_fini,
	.attach = amd_attach,
	.detach = amd_detach,
	.invalidate = amd_invalidate,
	.invalidate_space = amd_invalidate_space,
	.invalidate_batch = amd_invalidate_batch,
	.invalidate_all = amd_invalidate_all,
	.page_requests = amd_page_requests,
	.next_fault = amd_next_fault,
	.answer = amd_answer,
	.reset_done = amd_reset_done,
};
