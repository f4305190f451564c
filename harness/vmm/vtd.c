// SPDX-License-Identifier: GPL-2.0-only
/* VT-d as the vendor of a VM: the guest's driver, and the virtual IOMMU that it drives. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/fault.h"
#include "vtd.h"

static uint32_t guest_pasid(const struct vm_space *space)
{
	return space->pasid == DMA_NO_PASID ? 0 : space->pasid;
}

/* The guest rings its doorbell, and waits until its wait descriptor has stored. */
static int run(struct vm *vm, struct guest_vtd_list *list)
{
	struct vmm_vtd *vmm = vmm_vtd(vm);
	int rc;

	guest_vtd_wait(&vmm->guest, list);
	rc = vmm_vtd_execute(vm, list, NULL);
	return rc || guest_vtd_waited(&vmm->guest) ? rc : -ETIMEDOUT;
}

static int intel_guest_init(struct vm *vm)
{
	struct vmm_vtd *vmm = calloc(1, sizeof(*vmm));
	int rc;

	if (!vmm)
		return -ENOMEM;
	vm->priv = vmm;
	vmm->vm = vm;
	vmm->fault_fd = -1;
	rc = guest_vtd_init(&vmm->guest, &vm->mem);
	vmm->root = vmm->guest.root;
	return rc;
}

static void intel_guest_fini(struct vm *vm)
{
	struct vmm_vtd *vmm = vmm_vtd(vm);

	if (!vmm)
		return;
	if (vmm->fault_fd >= 0)
		close(vmm->fault_fd);
	guest_vtd_fini(&vmm->guest);
	free(vmm);
	vm->priv = NULL;
}

/* With its context entry, and no PASID entry yet, a device is blocked. */
static int intel_device_add(struct vm_device *device)
{
	struct vmm_vtd *vmm = vmm_vtd(device->vm);
	const struct target_device *real = &device->vm->target->devices[device->number];
	struct guest_vtd_list list = {};
	int rc = guest_vtd_add_device(&vmm->guest, device->rid, device->ats, real->pri);

	vtd_inv_context(guest_vtd_next(&list), VTD_DEVICE, 0, device->rid, 0);
	return rc ?: run(device->vm, &list);
}

static void intel_device_remove(struct vm_device *device)
{
	vmm_vtd_unbind(vmm_vtd(device->vm), device);
}

static int intel_space_init(struct vm_space *space)
{
	struct guest_vtd *guest = &vmm_vtd(space->vm)->guest;

	space->domain = guest->next_did++;
	return pgtable_init(&space->stage1, &pgtable_x86_64, guest->levels, 0, &space->vm->mem);
}

static void intel_space_fini(struct vm_space *space)
{
	pgtable_fini(&space->stage1);
}

static void invalidate_atc(struct guest_vtd_list *list, const struct vm_device *device,
			   uint32_t pasid)
{
	if (device->ats)
		guest_vtd_invalidate_atc(list, device->rid, pasid, 0, UINT64_MAX);
}

static int intel_detach(struct vm_device *device, struct vm_space *space)
{
	struct vmm_vtd *vmm = vmm_vtd(device->vm);
	uint32_t pasid = guest_pasid(space);
	uint64_t *entry = guest_vtd_pasid_entry(&vmm->guest, device->rid, pasid);
	struct guest_vtd_list list = {};

	if (!entry)
		return -ENOMEM;
	guest_vtd_pasid_clear(entry);
	guest_vtd_invalidate_entry(&list, space->domain, pasid);
	invalidate_atc(&list, device, pasid);
	return run(device->vm, &list);
}

static uint32_t hwpt_of(const struct vmm_vtd *vmm, const struct vm_device *device, uint32_t pasid)
{
	for (const struct vmm_vtd_binding *b = vmm->bindings; b; b = b->next)
		if (b->device == device && b->pasid == pasid && b->nested)
			return b->nested->hwpt_id;
	return 0;
}

/* A present entry changes only by way of absent (6.5.3.3): what it said is invalidated first. */
static int intel_attach(struct vm_device *device, struct vm_space *space, struct vm_space *old)
{
	struct vmm_vtd *vmm = vmm_vtd(device->vm);
	uint32_t pasid = guest_pasid(space);
	uint64_t *entry = guest_vtd_pasid_entry(&vmm->guest, device->rid, pasid);
	struct guest_vtd_list list = {};
	int rc = old ? intel_detach(device, old) : 0;

	if (!entry)
		return -ENOMEM;
	if (rc)
		return rc;
	guest_vtd_pasid_set(&vmm->guest, entry, VTD_PGTT_FIRST_STAGE, space->domain,
			    space->stage1.root);
	/* Caching mode; under an entry that was absent there is nothing in the IOTLB. */
	vtd_inv_pasid_cache(guest_vtd_next(&list), VTD_PC_PASID, space->domain, pasid);
	rc = run(device->vm, &list);
	space->hwpt_id = hwpt_of(vmm, device, pasid);
	return rc ?: space->hwpt_id ? 0 : -EIO;
}

static void invalidate_atcs(struct guest_vtd_list *list, const struct vm_space *space,
			    uint64_t iova, uint64_t len)
{
	for (unsigned int i = 0; i < space->device_count; i++)
		if (space->devices[i]->ats)
			guest_vtd_invalidate_atc(list, space->devices[i]->rid, guest_pasid(space),
						 iova, len);
}

static void list_ranges(struct guest_vtd_list *list, const struct vm_range *ranges,
			unsigned int count, unsigned int change)
{
	for (const struct vm_range *r = ranges; r < ranges + count; r++)
		guest_vtd_invalidate(list, r->space->domain, guest_pasid(r->space), r->iova,
				     r->len, change & VM_LEAF_ONLY);
	for (const struct vm_range *r = ranges; r < ranges + count; r++)
		invalidate_atcs(list, r->space, r->iova, r->len);
}

static int intel_invalidate_batch(struct vm *vm, const struct vm_range *ranges,
				  unsigned int count, unsigned int change)
{
	struct guest_vtd_list list = {};

	list_ranges(&list, ranges, count, change);
	return run(vm, &list);
}

static int intel_invalidate(struct vm_space *space, uint64_t iova, uint64_t len,
			    unsigned int change)
{
	return intel_invalidate_batch(space->vm, &(struct vm_range){ space, iova, len }, 1,
				      change);
}

static int intel_invalidate_space(struct vm_space *space)
{
	return intel_invalidate(space, 0, UINT64_MAX, 0);
}

/* A global IOTLB invalidation hits first-stage entries too (6.5.2.3). */
static int intel_invalidate_all(struct vm *vm, struct vm_space * const *spaces,
				unsigned int count)
{
	struct guest_vtd_list list = {};

	vtd_inv_iotlb(guest_vtd_next(&list), VTD_GLOBAL, 0, 0, 0, false);
	for (unsigned int i = 0; i < count; i++)
		invalidate_atcs(&list, spaces[i], 0, UINT64_MAX);
	return run(vm, &list);
}

static int intel_next_fault(struct vm *vm, struct vm_fault *fault)
{
	uint64_t d[4];
	int rc = vmm_vtd_next_request(vm, d);

	if (rc)
		return rc;
	*fault = (struct vm_fault){
		.device = vm_device_of(vm, VTD_GET(VTD_PRQ_RID, d[0])),
		.pasid = d[0] & VTD_PRQ_PP ? VTD_GET(VTD_PRQ_PASID, d[0]) : DMA_NO_PASID,
		.iova = d[1] & VTD_PRQ_ADDR, .group = VTD_GET(VTD_PRQ_PRGI, d[1]),
		.write = d[1] & VTD_PRQ_W,
	};
	return 0;
}

static int intel_answer(struct vm *vm, const struct vm_fault *fault, bool served,
			const struct vm_range *also)
{
	bool has_pasid = fault->pasid != DMA_NO_PASID;
	struct guest_vtd_list list = {};

	if (also)
		list_ranges(&list, also, 1, 0);
	vtd_inv_page_response(guest_vtd_next(&list), fault->device->rid, has_pasid,
			      has_pasid ? fault->pasid : 0, fault->group,
			      served ? VTD_RESPONSE_SUCCESS : VTD_RESPONSE_INVALID);
	return run(vm, &list);
}

const struct vm_vendor vm_intel = {
	.name = "intel",
	.pasid_flags = IOMMU_HWPT_ALLOC_PASID,
	.guest_init = intel_guest_init,
	.guest_fini = intel_guest_fini,
	.device_add = intel_device_add,
	.device_remove = intel_device_remove,
	.space_init = intel_space_init,
	.space_fini = intel_space_fini,
	.attach = intel_attach,
	.detach = intel_detach,
	.invalidate = intel_invalidate,
	.invalidate_space = intel_invalidate_space,
	.invalidate_batch = intel_invalidate_batch,
	.invalidate_all = intel_invalidate_all,
	.page_requests = vmm_vtd_page_requests,
	.next_fault = intel_next_fault,
	.answer = intel_answer,
};
