// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's descriptors become calls.
 *
 * Invalidations for the same nested page table that follow each other share a call. Everything else
 * first sends what was collected: order is kept, and a wait stores its status only when everything
 * before it is complete.
 */
#include <errno.h>
#include <string.h>

#include "core/fault.h"
#include "vtd.h"

#define PAGE 4096ull

/**
 * struct execution - of one list
 * @target, @entries, @command: collected entries, all for @target, and which command each is from
 * @at: the command being carried out; @done: all before it are complete
 */
struct execution {
	struct vmm_vtd *vmm;
	struct vmm_vtd_nested *target;
	unsigned int count;
	struct iommu_hwpt_vtd_s1_invalidate entries[VMM_VTD_ENTRIES];
	unsigned int command[VMM_VTD_ENTRIES];
	unsigned int at;
	unsigned int done;
};

/* Send what was collected. What did not get done is where the guest's queue stops. */
static int send(struct execution *ex)
{
	uint32_t num = ex->count;
	int rc = 0;

	if (ex->count)
		rc = __hwpt_invalidate(&ex->vmm->vm->iommufd, ex->target->hwpt_id,
				       IOMMU_HWPT_INVALIDATE_DATA_VTD_S1, ex->entries,
				       sizeof(ex->entries[0]), &num);
	if (rc && FAULT("vmm.vtd-ignores-errors", "a failed call counts as done"))
		rc = 0;
	if (rc)
		ex->done = ex->command[num < ex->count ? num : ex->count - 1];
	ex->count = 0;
	return rc;
}

static int collect(struct execution *ex, struct vmm_vtd_nested *target, uint64_t addr,
		   uint64_t npages, bool leaf)
{
	int rc = 0;

	if (ex->target != target && ex->count &&
	    FAULT("vmm.vtd-merges-targets", "entries for several page tables go to the first one"))
		target = ex->target;
	if (ex->target != target || ex->count == VMM_VTD_ENTRIES)
		rc = send(ex);
	if (rc)
		return rc;
	ex->target = target;
	ex->command[ex->count] = ex->at;
	ex->entries[ex->count++] = (struct iommu_hwpt_vtd_s1_invalidate){
		.addr = addr, .npages = npages, .flags = leaf ? IOMMU_VTD_INV_FLAGS_LEAF : 0,
	};
	return 0;
}

/* The first page table at or after @nested that a PASID-based invalidation names */
static struct vmm_vtd_nested *named(struct vmm_vtd_nested *nested, uint16_t did, uint32_t pasid)
{
	bool any_pasid = FAULT("vmm.vtd-ignores-pasid",
			       "a domain is taken to have one page table");
	bool any_did = FAULT("vmm.vtd-ignores-did",
			     "a PASID is taken to have one page table");

	while (nested && !((any_did || nested->did == did) &&
			   (any_pasid || nested->pasid == pasid)))
		nested = nested->next;
	return nested;
}

/* AM is log2 of pages; the lower address bits that it covers are ignored (6.5.2.4). */
static int piotlb(struct execution *ex, const uint64_t *d)
{
	uint16_t did = VTD_GET(VTD_INV_DID, d[0]);
	uint32_t pasid = VTD_GET(VTD_INV_PASID, d[0]);
	unsigned int am = VTD_GET(VTD_INV_AM, d[1]);
	bool page = VTD_GET(VTD_INV_G, d[0]) == VTD_PAGE, leaf = d[1] & VTD_INV_IH;
	uint64_t pages = 1ull << (am < 52 ? am : 52), addr = d[1] & VTD_INV_ADDR & -(pages * PAGE);
	struct vmm_vtd_nested *nested = named(ex->vmm->nested, did, pasid);

	if (!page && VTD_GET(VTD_INV_G, d[0]) != VTD_PASID)
		return -EINVAL;
	if (FAULT("vmm.vtd-address-mask-is-count", "AM is taken as a number of pages"))
		pages = am ?: 1;
	if (FAULT("vmm.vtd-hint-always-set", "the hint of one descriptor is given for all"))
		leaf = true;
	if (!nested)
		return 0;	/* ids that mean nothing: nothing is cached under them */
	if (page && am < 52)
		return collect(ex, nested, addr, pages, leaf);
	return collect(ex, nested, 0, UINT64_MAX, false);
}

/* First-stage entries are hit by domain id, whole, whatever the granularity (6.5.2.3). */
static int iotlb(struct execution *ex, const uint64_t *d)
{
	bool all = VTD_GET(VTD_INV_G, d[0]) == VTD_GLOBAL;
	struct vmm_vtd_nested *nested;
	int rc = 0;

	if (!VTD_GET(VTD_INV_G, d[0]))
		return -EINVAL;
	if (FAULT("vmm.vtd-drops-iotlb", "IOTLB invalidations are taken to be about second stages"))
		return 0;
	for (nested = ex->vmm->nested; nested && !rc; nested = nested->next) {
		if (!all && nested->did != VTD_GET(VTD_INV_DID, d[0]))
			continue;
		rc = collect(ex, nested, 0, UINT64_MAX, false);
		if (FAULT("vmm.vtd-domain-has-one-table",
			  "an IOTLB invalidation goes to one page table of its domain"))
			break;
	}
	return rc;
}

static int sync_devices(struct execution *ex, bool one, uint32_t pasid)
{
	struct vm *vm = ex->vmm->vm;
	int rc = send(ex);

	for (unsigned int i = 0; i < VM_DEVICES && !rc; i++) {
		struct vm_device *device = &vm->devices[i];

		if (device->vm)
			rc = one ? vmm_vtd_sync(ex->vmm, device, pasid) :
				   vmm_vtd_sync_all(ex->vmm, device);
		if (device->vm && FAULT("vmm.vtd-syncs-first-device",
					"a PASID entry that devices share is read for one of them"))
			break;
	}
	return rc;
}

/* The virtual IOMMU has caching mode: this is also how the guest tells of new entries. */
static int pasid_cache(struct execution *ex, const uint64_t *d)
{
	bool one = VTD_GET(VTD_INV_G, d[0]) == VTD_PC_PASID;

	if (VTD_GET(VTD_INV_G, d[0]) == 2)
		return -EINVAL;
	if (FAULT("vmm.vtd-drops-pasid-cache", "PASID entries are read once only") &&
	    ex->vmm->bindings)
		return send(ex);
	return sync_devices(ex, one, VTD_GET(VTD_INV_PASID, d[0]));
}

static int context(struct execution *ex, const uint64_t *d)
{
	struct vm_device *device = vmm_vtd_device(ex->vmm, VTD_GET(VTD_INV_CONTEXT_SID, d[0]));
	int rc;

	switch (VTD_GET(VTD_INV_G, d[0])) {
	case VTD_DEVICE:
		rc = send(ex);
		return rc || !device ? rc : vmm_vtd_sync_all(ex->vmm, device);
	case VTD_DOMAIN:
	case VTD_GLOBAL:
		return sync_devices(ex, false, 0);
	default:
		return -EINVAL;
	}
}

static int wait(struct execution *ex, const uint64_t *d)
{
	uint32_t *status = pages_ptr(&ex->vmm->vm->mem, d[1] & VTD_INV_WAIT_ADDR);
	bool early = FAULT("vmm.vtd-wait-first", "a wait stores its status before calls are made");
	int rc = early ? 0 : send(ex);

	if (!rc && d[0] & VTD_INV_WAIT_SW && status)
		__atomic_store_n(status, VTD_GET(VTD_INV_WAIT_DATA, d[0]), __ATOMIC_RELEASE);
	return early ? send(ex) : rc;
}

static int page_response(struct execution *ex, const uint64_t *d)
{
	return send(ex) ?: vmm_vtd_respond(ex->vmm, d);
}

static int nothing(struct execution *ex, const uint64_t *d)
{
	return 0;
}

typedef int (*handler)(struct execution *ex, const uint64_t *d);

static handler const handlers[] = {
	[VTD_INV_CONTEXT] = context,
	[VTD_INV_IOTLB] = iotlb,
	[VTD_INV_DEVTLB] = nothing,
	[VTD_INV_IEC] = nothing,
	[VTD_INV_WAIT] = wait,
	[VTD_INV_PIOTLB] = piotlb,
	[VTD_INV_PASID_CACHE] = pasid_cache,
	[VTD_INV_PDEVTLB] = nothing,
	[VTD_INV_PAGE_RESPONSE] = page_response,
};

int vmm_vtd_execute(struct vm *vm, const struct guest_vtd_list *list, unsigned int *done)
{
	struct execution ex = { .vmm = vmm_vtd(vm) };
	int rc = 0, send_rc;

	for (ex.at = 0; ex.at < list->count; ex.at++) {
		const uint64_t *d = list->d[ex.at];
		unsigned int type = VTD_INV_TYPE(d[0]);
		bool known = type < sizeof(handlers) / sizeof(*handlers) && handlers[type];

		ex.done = ex.at;
		if (!known && FAULT("vmm.vtd-skips-unknown", "unknown descriptors are passed over"))
			continue;
		rc = known ? handlers[type](&ex, d) : -EINVAL;
		if (rc)
			break;
		ex.done = ex.at + 1;
	}
	/* What was refused comes after what was collected: that is carried out all the same. */
	if (!FAULT("vmm.vtd-forgets-rest", "what follows the last wait of a list is never sent")) {
		send_rc = send(&ex);
		rc = send_rc ?: rc;
	}
	if (done)
		*done = ex.done;
	return rc;
}
