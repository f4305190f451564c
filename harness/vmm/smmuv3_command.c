// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's commands: gathered up to each CMD_SYNC, carried out by one call to each vIOMMU.
 *
 * A call may do what it is given in any order, as the guest's SMMU might between two CMD_SYNCs. It
 * returns when all is complete, which is what the CMD_SYNC asks for.
 */
#include <errno.h>

#include "core/fault.h"
#include "smmuv3.h"

/** struct gathered - commands of the list from @first on, not yet carried out */
struct gathered {
	struct vmm_smmuv3 *vmm;
	const struct guest_smmuv3_list *list;
	unsigned int first;
};

static unsigned int opcode_of(const uint64_t cmd[2])
{
	return smmu_get(CMD0_OPCODE, cmd[0]);
}

static bool names_stream(unsigned int opcode)
{
	return opcode == CMD_CFGI_CD || opcode == CMD_CFGI_CD_ALL || opcode == CMD_ATC_INV;
}

/* Is @cmd for this vIOMMU? What names no stream, or one that nobody knows, is for every one. */
static bool is_for(struct vmm_smmuv3 *vmm, const struct vmm_smmuv3_viommu *viommu,
		   const uint64_t cmd[2])
{
	struct vm_device *device;

	if (!names_stream(opcode_of(cmd)))
		return viommu == vmm->viommus ||
		       !FAULT("vmm.smmuv3-tlbi-to-first-smmu", "of several vIOMMUs one gets TLBIs");
	device = vmm_smmuv3_device(vmm->vm, smmu_get(CMD0_SID, cmd[0]));
	return !device || vmm_smmuv3_viommu_of(device) == viommu;
}

static bool is_dropped(const uint64_t cmd[2])
{
	return (opcode_of(cmd) == CMD_ATC_INV &&
		FAULT("vmm.smmuv3-drops-atc-inv", "the guest's ATC_INV is not forwarded")) ||
	       (opcode_of(cmd) == CMD_CFGI_CD &&
		FAULT("vmm.smmuv3-drops-cfgi-cd", "the guest's CFGI_CD is not forwarded")) ||
	       opcode_of(cmd) == CMD_SYNC;	/* the call itself is one */
}

/* How many commands of [gathered->first, @end) are complete on this vIOMMU goes to *@done. */
static int call(const struct gathered *gathered, const struct vmm_smmuv3_viommu *viommu,
		unsigned int end, unsigned int *done)
{
	struct iommu_viommu_arm_smmuv3_invalidate entries[GUEST_SMMUV3_LIST];
	unsigned int origin[GUEST_SMMUV3_LIST], n = 0;
	uint32_t count;
	int rc;

	for (unsigned int i = gathered->first; i < end; i++) {
		const uint64_t *cmd = gathered->list->c[i];

		if (!is_for(gathered->vmm, viommu, cmd) || is_dropped(cmd))
			continue;
		entries[n].cmd[0] = cmd[0];
		entries[n].cmd[1] = cmd[1];
		if (FAULT("vmm.smmuv3-clears-leaf-range", "a TLBI loses its range on the way") &&
		    cmd[1] & CMD1_TLBI_TG && opcode_of(cmd) == CMD_TLBI_NH_VA) {
			entries[n].cmd[0] &= ~(CMD0_TLBI_NUM | CMD0_TLBI_SCALE);
			entries[n].cmd[1] &= ~(CMD1_TLBI_TG | CMD1_TLBI_TTL);
		}
		origin[n++] = i;
	}
	*done = end - gathered->first;
	if (!n)
		return 0;
	count = n;
	rc = __hwpt_invalidate(&gathered->vmm->vm->iommufd, viommu->id,
			       IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3, entries, sizeof(entries[0]),
			       &count);
	if (count < n)
		*done = origin[count] - gathered->first;
	return rc;
}

/* Carry out what is gathered before @end; what is complete everywhere is added to *@done. */
static int flush(struct gathered *gathered, unsigned int end, unsigned int *done)
{
	unsigned int least = end - gathered->first;
	int rc = 0;

	for (unsigned int i = 0; i < gathered->vmm->viommu_count; i++) {
		unsigned int here;
		int error = call(gathered, &gathered->vmm->viommus[i], end, &here);

		rc = rc ?: error;
		least = here < least ? here : least;
	}
	if (rc && FAULT("vmm.smmuv3-error-is-done", "a call that failed counts as done")) {
		least = end - gathered->first;
		rc = 0;
	}
	*done += least;
	gathered->first = end;
	return rc;
}

/* STEs changed: the devices in the range attach to what their STEs say now. */
static int sync_stes(struct vmm_smmuv3 *vmm, const uint64_t cmd[2])
{
	unsigned int bits = opcode_of(cmd) == CMD_CFGI_STE ? 0 :
			    smmu_get(CMD1_CFGI_RANGE, cmd[1]) + 1;
	uint64_t sid = smmu_get(CMD0_SID, cmd[0]);
	int rc = 0;

	if (FAULT("vmm.smmuv3-ignores-cfgi-ste", "an STE of the guest is read once, never again"))
		return 0;
	for (unsigned int i = 0; i < VM_DEVICES && !rc; i++) {
		struct vm_device *device = &vmm->vm->devices[i];

		if (device->viommu_id && (uint64_t)device->rid >> bits == sid >> bits)
			rc = vmm_smmuv3_attach(device);
	}
	return rc;
}

/* What is the VMM's own to do; true: done, or failed with *@rc */
static bool is_ours(struct vmm_smmuv3 *vmm, const uint64_t cmd[2], int *rc)
{
	switch (opcode_of(cmd)) {
	case CMD_SYNC:
	case CMD_PREFETCH_CONFIG:
	case CMD_PREFETCH_ADDR:
		*rc = 0;
		return true;
	case CMD_CFGI_STE:
	case CMD_CFGI_STE_RANGE:
		*rc = sync_stes(vmm, cmd);
		return true;
	case CMD_PRI_RESP:
		*rc = vmm_smmuv3_pri_resp(vmm, cmd);
		return true;
	case CMD_RESUME:
		*rc = vmm_smmuv3_resume(vmm, cmd);
		return true;
	default:
		return false;
	}
}

static bool ends_part(const uint64_t cmd[2])
{
	switch (opcode_of(cmd)) {
	case CMD_SYNC:
		return !FAULT("vmm.smmuv3-merges-across-sync",
			      "commands on both sides of a CMD_SYNC share a call");
	case CMD_PREFETCH_CONFIG:
	case CMD_PREFETCH_ADDR:
	case CMD_CFGI_STE:
	case CMD_CFGI_STE_RANGE:
	case CMD_PRI_RESP:
	case CMD_RESUME:
		return true;
	default:
		return false;
	}
}

int vmm_smmuv3_execute(struct vm *vm, const struct guest_smmuv3_list *list, unsigned int *done)
{
	struct gathered gathered = { .vmm = vmm_smmuv3(vm), .list = list };
	unsigned int ignored;
	int rc = 0;

	if (!done)
		done = &ignored;
	*done = 0;
	for (unsigned int i = 0; i < list->count && !rc; i++) {
		const uint64_t *cmd = list->c[i];

		if (!ends_part(cmd))
			continue;
		rc = flush(&gathered, i, done);
		if (!rc && is_ours(gathered.vmm, cmd, &rc) && !rc)
			++*done;
		gathered.first = i + 1;
	}
	return rc ?: flush(&gathered, list->count, done);
}
