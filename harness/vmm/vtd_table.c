// SPDX-License-Identifier: GPL-2.0-only
/* The guest's PASID entries become nested page tables; attachments follow them. */
#include <errno.h>
#include <stdlib.h>

#include "core/fault.h"
#include "vtd.h"

#define DIR_ENTRIES 128		/* of a PASID directory with PDTS = 0 */

/** struct entry - a guest's PASID entry, decoded; not @present: requests are blocked */
struct entry {
	bool present;
	enum vtd_pgtt pgtt;
	uint16_t did;
	uint64_t root;
	unsigned int levels;
	uint32_t flags;
};

struct vm_device *vmm_vtd_device(struct vmm_vtd *vmm, uint16_t rid)
{
	for (unsigned int i = 0; i < VM_DEVICES; i++) {
		struct vm_device *device = &vmm->vm->devices[i];

		if (device->vm && device->rid == rid)
			return device;
	}
	return NULL;
}

static const uint64_t *guest_ptr(const struct vmm_vtd *vmm, uint64_t entry)
{
	return entry & 1 ? pages_ptr(&vmm->vm->mem, entry & VTD_ADDR_4K) : NULL;
}

static const uint64_t *directory(const struct vmm_vtd *vmm, uint16_t rid)
{
	const uint64_t *root = pages_ptr(&vmm->vm->mem, vmm->root), *contexts;

	contexts = root ? guest_ptr(vmm, root[(rid >> 8) * 2 + (rid >> 7 & 1)]) : NULL;
	return contexts ? guest_ptr(vmm, contexts[(rid & 0x7f) * 4]) : NULL;
}

static void read_entry(const struct vmm_vtd *vmm, uint16_t rid, uint32_t pasid,
		       struct entry *entry)
{
	const uint64_t *dir = directory(vmm, rid), *table;
	const uint64_t *d;

	*entry = (struct entry){};
	table = dir && pasid / 64 < DIR_ENTRIES ? guest_ptr(vmm, dir[pasid / 64]) : NULL;
	if (!table)
		return;
	d = &table[pasid % 64 * 8];
	entry->pgtt = VTD_GET(VTD_PASID_PGTT, d[0]);
	entry->present = d[0] & VTD_PASID_P && (entry->pgtt == VTD_PGTT_FIRST_STAGE ||
						entry->pgtt == VTD_PGTT_PASS_THROUGH);
	entry->did = VTD_GET(VTD_PASID_DID, d[1]);
	entry->root = d[2] & VTD_PASID_FSPTPTR;
	entry->levels = 4 + VTD_GET(VTD_PASID_FSPM, d[2]);
	entry->flags |= d[2] & VTD_PASID_SRE ? IOMMU_VTD_S1_SRE : 0;
	entry->flags |= d[2] & VTD_PASID_WPE ? IOMMU_VTD_S1_WPE : 0;
	entry->flags |= d[2] & VTD_PASID_EAFE ? IOMMU_VTD_S1_EAFE : 0;
}

static bool describes(const struct entry *entry, uint32_t pasid,
		      const struct vmm_vtd_nested *nested)
{
	if (entry->did != nested->did || pasid != nested->pasid)
		return false;
	if (FAULT("vmm.vtd-keyed-by-did-only",
		  "a PASID entry with another page table but the same ids counts as unchanged"))
		return true;
	return entry->root == nested->root && entry->levels == nested->levels &&
	       entry->flags == nested->flags;
}

static void nested_put(struct vmm_vtd *vmm, struct vmm_vtd_nested *nested)
{
	struct vmm_vtd_nested **link;

	if (!nested || --nested->users)
		return;
	for (link = &vmm->nested; *link != nested; link = &(*link)->next)
		;
	*link = nested->next;
	__iommufd_destroy(&vmm->vm->iommufd, nested->hwpt_id);
	free(nested);
}

/* The nested page table for an entry: one that devices share already, or a new one */
static int nested_get(struct vmm_vtd *vmm, struct vm_device *device, uint32_t pasid,
		      const struct entry *entry, struct vmm_vtd_nested **out)
{
	struct iommu_hwpt_vtd_s1 data = {
		.flags = entry->flags, .pgtbl_addr = entry->root,
		.addr_width = entry->levels == 5 ? 57 : 48,
	};
	uint32_t flags = IOMMU_HWPT_ALLOC_PASID | (vmm->fault_id ? IOMMU_HWPT_FAULT_ID_VALID : 0);
	struct vmm_vtd_nested *nested;
	int rc;

	for (nested = vmm->nested; nested; nested = nested->next) {
		if (describes(entry, pasid, nested)) {
			nested->users++;
			*out = nested;
			return 0;
		}
	}
	nested = calloc(1, sizeof(*nested));
	if (!nested)
		return -ENOMEM;
	*nested = (struct vmm_vtd_nested){
		.did = entry->did, .pasid = pasid, .root = entry->root, .levels = entry->levels,
		.flags = entry->flags, .users = 1, .next = vmm->nested,
	};
	rc = __hwpt_alloc_data(&vmm->vm->iommufd, device->dev_id, vmm->vm->parent, flags,
			       vmm->fault_id, IOMMU_HWPT_DATA_VTD_S1, &data, sizeof(data),
			       &nested->hwpt_id);
	if (rc) {
		free(nested);
		return rc;
	}
	vmm->nested = nested;
	*out = nested;
	return 0;
}

static struct vmm_vtd_binding *binding_find(struct vmm_vtd *vmm, const struct vm_device *device,
					    uint32_t pasid)
{
	struct vmm_vtd_binding *binding = vmm->bindings;

	while (binding && (binding->device != device || binding->pasid != pasid))
		binding = binding->next;
	return binding;
}

static void binding_end(struct vmm_vtd *vmm, struct vmm_vtd_binding *binding)
{
	struct vmm_vtd_binding **link;

	for (link = &vmm->bindings; *link != binding; link = &(*link)->next)
		;
	*link = binding->next;
	nested_put(vmm, binding->nested);
	free(binding);
}

/* The guest's PASID 0 is its RID_PASID: requests without PASID */
static uint32_t host_pasid(uint32_t pasid)
{
	return pasid ? pasid : DMA_NO_PASID;
}

static int detach(struct vmm_vtd *vmm, struct vm_device *device, uint32_t pasid)
{
	const struct target_ops *ops = vmm->vm->target->ops;
	struct vmm_vtd_binding *binding = binding_find(vmm, device, pasid);
	int rc = ops->detach(vmm->vm->target, &vmm->vm->iommufd, device->dev_id,
			     host_pasid(pasid));

	if (!rc && binding)
		binding_end(vmm, binding);
	return rc;
}

static int attach(struct vmm_vtd *vmm, struct vm_device *device, uint32_t pasid,
		  const struct entry *entry)
{
	struct vmm_vtd_binding *binding = binding_find(vmm, device, pasid);
	struct vmm_vtd_nested *nested = NULL;
	struct vm *vm = vmm->vm;
	int rc = 0;

	if (entry->pgtt == VTD_PGTT_FIRST_STAGE)
		rc = nested_get(vmm, device, pasid, entry, &nested);
	rc = rc ?: vm->target->ops->attach(vm->target, &vm->iommufd, device->dev_id,
					   host_pasid(pasid),
					   nested ? nested->hwpt_id : vm->parent);
	if (!rc && !binding) {
		binding = calloc(1, sizeof(*binding));
		rc = binding ? 0 : -ENOMEM;
		if (binding) {
			*binding = (struct vmm_vtd_binding){ device, pasid, NULL, vmm->bindings };
			vmm->bindings = binding;
		}
	}
	if (rc) {
		nested_put(vmm, nested);
		return rc;
	}
	nested_put(vmm, binding->nested);
	binding->nested = nested;
	return 0;
}

int vmm_vtd_sync(struct vmm_vtd *vmm, struct vm_device *device, uint32_t pasid)
{
	struct vmm_vtd_binding *binding = binding_find(vmm, device, pasid);
	struct entry entry;

	read_entry(vmm, device->rid, pasid, &entry);
	if (!entry.present)
		return !binding && pasid ? 0 : detach(vmm, device, pasid);
	if (binding && binding->nested && entry.pgtt == VTD_PGTT_FIRST_STAGE &&
	    describes(&entry, pasid, binding->nested))
		return 0;
	return attach(vmm, device, pasid, &entry);
}

int vmm_vtd_sync_all(struct vmm_vtd *vmm, struct vm_device *device)
{
	struct vmm_vtd_binding *binding, *next;
	int rc = vmm_vtd_sync(vmm, device, 0);

	for (binding = vmm->bindings; binding && !rc; binding = next) {
		next = binding->next;
		if (binding->device == device && binding->pasid)
			rc = vmm_vtd_sync(vmm, device, binding->pasid);
	}
	for (uint32_t pasid = 1; pasid < GUEST_VTD_PASIDS && !rc; pasid++) {
		const uint64_t *dir = directory(vmm, device->rid);

		if (!dir || !guest_ptr(vmm, dir[pasid / 64]))
			pasid |= 63;	/* nothing there, nor for the rest of its table */
		else if (!binding_find(vmm, device, pasid))
			rc = vmm_vtd_sync(vmm, device, pasid);
	}
	return rc;
}

void vmm_vtd_unbind(struct vmm_vtd *vmm, struct vm_device *device)
{
	struct vmm_vtd_binding *binding, *next;

	for (binding = vmm->bindings; binding; binding = next) {
		next = binding->next;
		if (binding->device == device)
			detach(vmm, device, binding->pasid);
	}
}
