// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's commands become calls, in its order.
 *
 * Commands between two COMPLETION_WAITs go to a vIOMMU in one call, as they are: the hypervisor
 * translates their ids. A guest may have devices behind several physical IOMMUs, with a vIOMMU on
 * each: what is about a domain goes to all of them, what is about a device to its own.
 */
#include <errno.h>

#include "amdvi.h"
#include "core/fault.h"
#include "iommufd/amd_nested.h"

/**
 * struct run - commands that go out together
 * @mask: to which vIOMMUs; @hwpt_id: or to this nested page table
 * @done: commands of the list before this run: their effect is complete
 */
struct run {
	struct vmm_amdvi *vmm;
	unsigned int mask;
	uint32_t hwpt_id;
	unsigned int done;
	unsigned int count;
	uint64_t cmds[VMM_AMDVI_ENTRIES][2];
};

static int call(struct run *run, uint32_t target, uint32_t *handled)
{
	uint32_t num = run->count;
	int rc = __hwpt_invalidate(&run->vmm->vm->iommufd, target,
				   IOMMU_VIOMMU_INVALIDATE_DATA_AMD, run->cmds,
				   sizeof(run->cmds[0]), &num);

	if (num < *handled)
		*handled = num;
	return rc;
}

static int flush(struct run *run)
{
	uint32_t handled = run->count;
	int rc = 0;

	if (!run->count)
		return 0;
	if (run->hwpt_id) {
		rc = call(run, run->hwpt_id, &handled);
	} else {
		for (unsigned int i = 0; i < VMM_AMDVI_IOMMUS; i++) {
			if (!(run->mask & 1u << i))
				continue;
			rc = call(run, run->vmm->iommus[i].viommu_id, &handled) ?: rc;
			if (FAULT("vmm.amdvi-first-iommu-only",
				  "commands about a domain go to one of the guest's vIOMMUs"))
				break;
		}
	}
	if (FAULT("vmm.amdvi-ignores-entry-num", "a failed call counts as all done"))
		handled = run->count;
	run->done += handled;
	run->count = 0;
	return rc;
}

static int add(struct run *run, const uint64_t cmd[2], unsigned int mask, uint32_t hwpt_id)
{
	int rc = 0;

	if (run->count == VMM_AMDVI_ENTRIES || run->mask != mask || run->hwpt_id != hwpt_id)
		rc = flush(run);
	run->mask = mask;
	run->hwpt_id = hwpt_id;
	run->cmds[run->count][0] = cmd[0];
	run->cmds[run->count][1] = cmd[1];
	run->count += !rc;
	return rc;
}

static unsigned int every_iommu(const struct run *run)
{
	unsigned int mask = 0;

	for (unsigned int i = 0; i < VMM_AMDVI_IOMMUS; i++)
		mask |= run->vmm->iommus[i].viommu_id ? 1u << i : 0;
	return mask;
}

/* ---- Commands ---- */

static struct vmm_amdvi_device *device_of(struct run *run, const uint64_t cmd[2])
{
	return vmm_amdvi_device(run->vmm, amdvi_get(cmd[0], AMDVI_CMD0_DEVICE_ID));
}

/* A device that the VM does not have has nothing cached. */
static int to_device(struct run *run, const uint64_t cmd[2])
{
	struct vmm_amdvi_device *device = device_of(run, cmd);
	int rc;

	if (device)
		return add(run, cmd, 1u << device->iommu, 0);
	rc = flush(run);
	run->done += !rc;
	return rc;
}

static int iotlb(struct run *run, const uint64_t cmd[2])
{
	int rc;

	if (!FAULT("vmm.amdvi-drops-iotlb", "ATC invalidations are dropped, as they are for VT-d"))
		return to_device(run, cmd);
	rc = flush(run);
	run->done += !rc;
	return rc;
}

/* Any nested page table with the DomainID stands for all of them. */
static int pages_by_domain(struct run *run, const uint64_t cmd[2])
{
	uint16_t domain = amdvi_get(cmd[0], AMDVI_PAGES0_DOMAIN_ID);
	struct vmm_amdvi *vmm = run->vmm;
	int rc;

	for (unsigned int i = 0; i < VM_DEVICES; i++)
		if (vmm->devices[i].device &&
		    amdvi_get(vmm->devices[i].dte[1], AMDVI_DTE1_DOMAIN_ID) == domain)
			return add(run, cmd, 0, vmm->devices[i].hwpt_id);
	rc = flush(run);
	run->done += !rc;
	return rc;
}

static int pages(struct run *run, const uint64_t cmd[2])
{
	if (run->vmm->config.by_domain)
		return pages_by_domain(run, cmd);
	return add(run, cmd, every_iommu(run), 0);
}

/* The guest says that an entry has changed: this is when the VMM looks at it. */
static int devtab(struct run *run, const uint64_t cmd[2])
{
	struct vmm_amdvi_device *device = device_of(run, cmd);
	int rc;

	if (device && !FAULT("vmm.amdvi-devtab-ignored",
			     "changes of the guest's device table are not looked at")) {
		rc = flush(run);
		rc = rc ?: vmm_amdvi_sync(run->vmm, device, false);
		if (rc)
			return rc;
	}
	return to_device(run, cmd);
}

static int all(struct run *run, const uint64_t cmd[2])
{
	int rc = flush(run);

	for (unsigned int i = 0; !rc && i < VM_DEVICES; i++)
		if (run->vmm->devices[i].device)
			rc = vmm_amdvi_sync(run->vmm, &run->vmm->devices[i], false);
	return rc ?: add(run, cmd, every_iommu(run), 0);
}

/* What is before it is complete when the calls have returned: then its store may be seen. */
static int wait(struct run *run, const uint64_t cmd[2])
{
	uint64_t *at = pages_ptr(&run->vmm->vm->mem, cmd[0] & AMDVI_WAIT0_ADDR);
	bool early = FAULT("vmm.amdvi-wait-early",
			   "COMPLETION_WAIT stores, then what is before it is carried out");
	int rc = early ? 0 : flush(run);

	if (rc)
		return rc;
	if (cmd[0] & AMDVI_WAIT0_S) {
		if (!at)
			return -EFAULT;
		__atomic_store_n(at, cmd[1], __ATOMIC_RELEASE);
	}
	rc = early ? flush(run) : 0;
	run->done += !rc;
	return rc;
}

static int respond(struct run *run, const uint64_t cmd[2])
{
	int rc = flush(run);

	rc = rc ?: vmm_amdvi_respond(run->vmm, cmd);
	run->done += !rc;
	return rc;
}

/* Nothing of the kind is virtual: no interrupt remapping, and prefetching is a hint. */
static int nothing(struct run *run, const uint64_t cmd[2])
{
	int rc = flush(run);

	run->done += !rc;
	return rc;
}

static int (*const commands[16])(struct run *run, const uint64_t cmd[2]) = {
	[AMDVI_COMPLETION_WAIT] = wait,
	[AMDVI_INVALIDATE_DEVTAB_ENTRY] = devtab,
	[AMDVI_INVALIDATE_IOMMU_PAGES] = pages,
	[AMDVI_INVALIDATE_IOTLB_PAGES] = iotlb,
	[AMDVI_INVALIDATE_INTERRUPT_TABLE] = nothing,
	[AMDVI_PREFETCH_IOMMU_PAGES] = nothing,
	[AMDVI_COMPLETE_PPR_REQUEST] = respond,
	[AMDVI_INVALIDATE_IOMMU_ALL] = all,
};

int vmm_amdvi_execute(struct vm *vm, const uint64_t (*cmds)[2], unsigned int count,
		      unsigned int *done)
{
	struct run run = { .vmm = vmm_amdvi(vm) };
	int rc = 0, last;

	for (unsigned int i = 0; i < count && !rc; i++) {
		unsigned int opcode = amdvi_get(cmds[i][0], AMDVI_CMD0_OPCODE);

		if (FAULT("vmm.amdvi-loses-after-wait",
			  "what follows a COMPLETION_WAIT in the same list is not carried out") &&
		    i && amdvi_get(cmds[i - 1][0], AMDVI_CMD0_OPCODE) == AMDVI_COMPLETION_WAIT)
			break;
		rc = commands[opcode] ? commands[opcode](&run, cmds[i]) : -EINVAL;
	}
	last = flush(&run);
	if (done)
		*done = run.done;
	return rc ?: last;
}
