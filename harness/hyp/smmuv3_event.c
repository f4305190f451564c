// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the SMMU tells: events, page requests, stalled transactions, queue errors (chapters 7, 8).
 */
#include <errno.h>

#include "core/fault.h"
#include "smmuv3.h"

#define STALL_GROUP 0x10000u	/* in a fault's group: it is a STAG, no PRG index */

/* The events of struct iommu_vevent_arm_smmuv3; everything else is the hypervisor's business. */
static bool is_guests_event(const uint64_t event[4])
{
	if (event[1] & EVENT1_S2 &&
	    !FAULT("hyp.smmuv3-s2-event-to-guest", "a stage-2 fault is reported to the guest"))
		return false;
	switch (smmu_get(EVENT0_ID, event[0])) {
	case EVENT_C_BAD_STE:
	case EVENT_F_STREAM_DISABLED:
	case EVENT_C_BAD_SUBSTREAMID:
	case EVENT_C_BAD_CD:
		return !FAULT("hyp.smmuv3-drops-config-events", "events of CDs are not reported");
	case EVENT_F_TRANSLATION:
	case EVENT_F_ADDR_SIZE:
	case EVENT_F_ACCESS:
	case EVENT_F_PERMISSION:
		return true;
	default:
		return false;
	}
}

static void report_event(struct smmu_device *device, const uint64_t event[4])
{
	struct hyp_vdevice *vdevice = device->hyp->vdevice;
	struct iommu_vevent_arm_smmuv3 vevent;

	if (!device->domain || device->domain->stage != SMMU_NESTED || !vdevice ||
	    !is_guests_event(event))
		return;
	for (unsigned int i = 0; i < 4; i++)
		vevent.evt[i] = event[i];
	if (!FAULT("hyp.smmuv3-event-with-real-sid", "an event names the StreamID of the host"))
		vevent.evt[0] = (event[0] & ~EVENT0_SID) | smmu_put(EVENT0_SID, vdevice->virt_id);
	hyp_report_event(vdevice->viommu, IOMMU_VEVENTQ_TYPE_ARM_SMMUV3, &vevent, sizeof(vevent));
}

static int resume(struct smmu_device *device, uint16_t stag, bool retry)
{
	uint64_t cmd[2];

	if (FAULT("hyp.smmuv3-resume-mixed-up", "retry and terminate are mixed up"))
		retry = !retry;
	smmuv3_cmd_resume(cmd, device->sid, stag, retry, true);
	return smmu_issue_one(device->smmu, cmd);
}

static void stalled(struct smmu_device *device, const uint64_t event[4])
{
	struct smmu_stall *stalls = smmuv3_of(device->hyp->hyp)->stalls;
	uint32_t pasid = event[0] & EVENT0_SSV ? smmu_get(EVENT0_SSID, event[0]) : HYP_NO_PASID;
	uint32_t perm = event[1] & EVENT1_RNW ? IOMMU_PGFAULT_PERM_READ : IOMMU_PGFAULT_PERM_WRITE;
	uint16_t stag = smmu_get(EVENT1_STAG, event[1]);

	perm |= event[1] & EVENT1_IND ? IOMMU_PGFAULT_PERM_EXEC : 0;
	perm |= event[1] & EVENT1_PNU ? IOMMU_PGFAULT_PERM_PRIV : 0;
	for (unsigned int i = 0; i < SMMU_STALLS; i++) {
		if (stalls[i].device)
			continue;
		stalls[i] = (struct smmu_stall){ device->hyp, stag };
		if (!hyp_report_fault(device->hyp, pasid, event[2], perm, STALL_GROUP | stag, true))
			return;
		stalls[i].device = NULL;
		break;
	}
	resume(device, stag, false);
	report_event(device, event);
}

static void handle_event(struct smmu *smmu, const uint64_t event[4])
{
	struct hyp_device *device = hyp_device_by_rid(smmu->hyp, smmu_get(EVENT0_SID, event[0]));

	if (!device || !smmu_device(device))
		return;
	if (event[1] & EVENT1_STALL)
		stalled(smmu_device(device), event);
	else
		report_event(smmu_device(device), event);
}

static int respond(struct smmu_device *device, uint32_t pasid, uint16_t index, unsigned int resp)
{
	uint64_t cmd[2];

	smmuv3_cmd_pri_resp(cmd, device->sid, index, resp);
	if (pasid != HYP_NO_PASID)
		smmuv3_cmd_ssid(cmd, pasid);
	return smmu_issue_one(device->smmu, cmd);
}

/* A request for nothing that ends a group is a stop marker, and wants no answer (PCIe 10.4.1). */
static void handle_page_request(struct smmu *smmu, const uint64_t record[2])
{
	struct hyp_device *device = hyp_device_by_rid(smmu->hyp, smmu_get(PRI0_SID, record[0]));
	uint32_t pasid = record[0] & PRI0_SSV ? smmu_get(PRI0_SSID, record[0]) : HYP_NO_PASID;
	uint16_t index = smmu_get(PRI1_PRGINDEX, record[1]);
	bool last = record[0] & PRI0_LAST;
	uint32_t perm = (record[0] & PRI0_READ ? IOMMU_PGFAULT_PERM_READ : 0) |
			(record[0] & PRI0_WRITE ? IOMMU_PGFAULT_PERM_WRITE : 0) |
			(record[0] & PRI0_EXEC ? IOMMU_PGFAULT_PERM_EXEC : 0) |
			(record[0] & PRI0_PRIV ? IOMMU_PGFAULT_PERM_PRIV : 0);

	if (!device || !smmu_device(device) ||
	    (last && !(perm & (IOMMU_PGFAULT_PERM_READ | IOMMU_PGFAULT_PERM_WRITE))))
		return;
	if (hyp_report_fault(device, pasid, record[1] & PRI1_ADDR, perm, index, last) && last)
		respond(smmu_device(device), pasid, index, CMD_PRI_RESP_INVALID);
}

/* Take one record out of an output queue (3.5.2); an overflow is acknowledged with it (7.4). */
static bool take(struct smmu *smmu, struct smmu_queue *queue, uint64_t prod_register,
		 uint64_t cons_register, uint64_t *record, unsigned int words)
{
	uint32_t prod = smmu_read(smmu, prod_register);
	const uint64_t *entry;

	if (smmu_queue_empty(prod, queue->cons, queue->log2size)) {
		if ((prod ^ queue->cons) & SMMU_Q_OVFLG) {
			queue->cons ^= SMMU_Q_OVFLG;
			smmu_write(smmu, cons_register, queue->cons);
		}
		return false;
	}
	entry = pages_ptr(&smmu->hyp->pages, queue->base +
			  8 * words * smmu_queue_index(queue->cons, queue->log2size));
	for (unsigned int i = 0; i < words; i++)
		record[i] = smmu_load(&entry[i]);
	queue->cons = smmu_queue_next(queue->cons, queue->log2size) | (prod & SMMU_Q_OVFLG);
	smmu_write(smmu, cons_register, queue->cons);
	return true;
}

void smmu_events(struct smmu *smmu)
{
	uint64_t record[4];

	while (take(smmu, &smmu->eventq, SMMU_EVENTQ_PROD, SMMU_EVENTQ_CONS, record, 4))
		handle_event(smmu, record);
	while (smmu->idr[0] & SMMU_IDR0_PRI &&
	       take(smmu, &smmu->priq, SMMU_PRIQ_PROD, SMMU_PRIQ_CONS, record, 2))
		handle_page_request(smmu, record);
	if (smmu->cmdqv_error) {
		smmu->cmdqv_error = false;
		smmu_cmdqv_errors(smmu);
	}
}

int smmu_page_response(struct hyp_device *hyp_device, uint32_t pasid, uint32_t group, uint32_t code)
{
	static const uint8_t resp[] = { CMD_PRI_RESP_SUCCESS, CMD_PRI_RESP_INVALID };
	struct smmu_device *device = smmu_device(hyp_device);
	struct smmu_stall *stalls = smmuv3_of(hyp_device->hyp)->stalls;

	if (!(group & STALL_GROUP) &&
	    FAULT("hyp.smmuv3-response-as-pcie-has-it", "the SMMU codes responses in its own way"))
		return respond(device, pasid, group, code & 1);
	if (!(group & STALL_GROUP))
		return respond(device, pasid, group, code < 2 ? resp[code] : CMD_PRI_RESP_FAILURE);
	for (unsigned int i = 0; i < SMMU_STALLS; i++) {
		if (stalls[i].device != hyp_device || stalls[i].stag != (group & 0xffff))
			continue;
		stalls[i].device = NULL;
		return resume(device, group, code == IOMMUFD_PAGE_RESP_SUCCESS);
	}
	return 0;
}

void smmu_stalls_end(struct hyp_device *hyp_device)
{
	struct smmu_device *device = smmu_device(hyp_device);
	struct smmu_stall *stalls = smmuv3_of(hyp_device->hyp)->stalls;
	bool any = false;
	uint64_t cmd[2];

	for (unsigned int i = 0; i < SMMU_STALLS; i++) {
		if (stalls[i].device != hyp_device)
			continue;
		stalls[i].device = NULL;
		any = true;
	}
	smmuv3_cmd_stall_term(cmd, device->sid);
	if (any && !FAULT("hyp.smmuv3-detach-forgets-stalls", "stalled transactions wait for ever"))
		smmu_issue_one(device->smmu, cmd);
}
