// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event log and PPR log (48882, 2.5 and 2.6): what concerns a guest goes to it under its own names,
 * the rest is the hypervisor's.
 */
#include <errno.h>

#include "amdvi.h"
#include "core/fault.h"
#include "iommufd/amd_nested.h"

#define LOG_BYTES ((1u << AMD_LOG_LEN) * AMDVI_LOG_ENTRY_SIZE)

static struct hyp_device *device_of(struct amd_iommu *iommu, const uint64_t entry[2])
{
	return hyp_device_by_rid(iommu->hyp, amdvi_get(entry[0], AMDVI_EVENT0_DEVICE_ID));
}

static const struct amd_vdomain *vdomain_of(const struct amd_viommu *viommu, uint16_t host)
{
	const struct amd_vdomain *v = viommu->vdomains;

	while (v && v->host != host)
		v = v->next;
	return v;
}

/*
 * A fault of the guest's own tables (GN). One of the tables below is none of its business: it would
 * learn guest physical addresses that it cannot be blamed for.
 */
static void to_guest(struct hyp_device *device, const uint64_t event[2])
{
	struct amd_device *of = amd_device_of(device);
	struct hyp_viommu *viommu = device->vdevice ? device->vdevice->viommu : NULL;
	struct iommu_vevent_amd copy = { .event = { event[0], event[1] } };
	const struct amd_vdomain *v;

	if (!viommu || !of->domain || of->domain->kind != AMD_NESTED)
		return;
	if (!(event[0] & AMDVI_EVENT0_GN)) {
		v = vdomain_of(viommu->priv, amdvi_get(event[0], AMDVI_EVENT0_PASID));
		if (amdvi_event_code(event) == AMDVI_IO_PAGE_FAULT || !v)
			return;
		copy.event[0] &= ~AMDVI_EVENT0_PASID;
		copy.event[0] |= amdvi_put(v->guest, AMDVI_EVENT0_PASID);
	}
	if (!FAULT("hyp.amdvi-event-host-rid", "events reach the guest with the host's DeviceID")) {
		copy.event[0] &= ~AMDVI_EVENT0_DEVICE_ID;
		copy.event[0] |= amdvi_put(device->vdevice->virt_id, AMDVI_EVENT0_DEVICE_ID);
	}
	hyp_report_event(viommu, IOMMU_VEVENTQ_TYPE_AMD, &copy, sizeof(copy));
}

static void event(struct amd_iommu *iommu, const uint64_t entry[2])
{
	struct hyp_device *device = device_of(iommu, entry);

	if (!device)
		return;
	switch (amdvi_event_code(entry)) {
	case AMDVI_IOTLB_INV_TIMEOUT:
		/* Guests may ask devices that have no ATS: nothing was to be invalidated there. */
		amd_device_of(device)->timed_out = amd_device_of(device)->ats;
		break;
	case AMDVI_IO_PAGE_FAULT:
		to_guest(device, entry);
		break;
	default:
		break;
	}
}

static void answer(struct amd_iommu *iommu, uint16_t rid, uint32_t pasid, uint32_t group,
		   uint32_t code)
{
	bool gn = pasid != HYP_NO_PASID;
	uint64_t cmd[2];

	amdvi_cmd_complete_ppr_request(cmd, rid, gn, gn ? pasid : 0, group, code);
	amd_queue(iommu, cmd);
	/* A response is no state that anybody waits for; the next sync may find it done. */
	amd_queue_ring(iommu);
}

static void request(struct amd_iommu *iommu, const uint64_t entry[2])
{
	uint32_t pasid = amdvi_get(entry[0], AMDVI_PPRLOG0_PASID_15_0) |
			 amdvi_get(entry[0], AMDVI_PPRLOG0_PASID_19_16) << 16;
	uint32_t group = amdvi_get(entry[0], AMDVI_PPRLOG0_TAG), perm = 0;
	struct hyp_device *device = device_of(iommu, entry);
	bool last = entry[0] & AMDVI_PPRLOG0_LAST;
	int rc;

	perm |= entry[0] & AMDVI_PPRLOG0_READ ? IOMMU_PGFAULT_PERM_READ : 0;
	perm |= entry[0] & AMDVI_PPRLOG0_WRITE ? IOMMU_PGFAULT_PERM_WRITE : 0;
	perm |= entry[0] & AMDVI_PPRLOG0_EXEC ? IOMMU_PGFAULT_PERM_EXEC : 0;
	if (FAULT("hyp.amdvi-request-truncates-pasid", "PASID[19:16] of a page request is lost"))
		pasid &= 0xffff;
	pasid = entry[0] & AMDVI_PPRLOG0_GN ? pasid : HYP_NO_PASID;
	rc = device ? hyp_report_fault(device, pasid, entry[1] & ~0xfffULL, perm, group, last) :
		      -EINVAL;
	if (rc && last && !FAULT("hyp.amdvi-orphan-request-unanswered",
				 "a page request that nobody takes is never answered"))
		answer(iommu, amdvi_get(entry[0], AMDVI_PPRLOG0_DEVICE_ID), pasid, group,
		       AMDVI_PPR_INVALID);
}

static void drain(struct amd_iommu *iommu, struct amd_log *log,
		  void (*take)(struct amd_iommu *iommu, const uint64_t entry[2]))
{
	struct platform *platform = iommu->hyp->platform;
	uint32_t tail = mmio_read(platform, iommu->number, log->head_reg + 8, 8) & AMDVI_HEAD_TAIL;

	while (log->head != tail) {
		uint64_t *slot = pages_ptr(&iommu->hyp->pages, log->base + log->head);
		uint64_t entry[2] = {
			__atomic_load_n(&slot[0], __ATOMIC_ACQUIRE),
			__atomic_load_n(&slot[1], __ATOMIC_ACQUIRE),
		};

		log->head = (log->head + AMDVI_LOG_ENTRY_SIZE) % LOG_BYTES;
		mmio_write(platform, iommu->number, log->head_reg, 8, log->head);
		take(iommu, entry);
	}
}

/* A log that overflowed has stopped; it starts anew when its enable bit is set again (2.5, 2.6). */
static void restart_overflown(struct amd_iommu *iommu)
{
	static const struct { uint64_t status, enable; unsigned int tail; } logs[] = {
		{ AMDVI_STATUS_EVT_OVERFLOW, AMDVI_CONTROL_EVT_LOG_EN, AMDVI_EVTLOG_TAIL },
		{ AMDVI_STATUS_PPR_OVERFLOW, AMDVI_CONTROL_PPR_LOG_EN, AMDVI_PPRLOG_TAIL },
	};
	struct platform *platform = iommu->hyp->platform;
	uint64_t status = mmio_read(platform, iommu->number, AMDVI_STATUS, 8);

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t control = mmio_read(platform, iommu->number, AMDVI_CONTROL, 8);

		if (!(status & logs[i].status))
			continue;
		mmio_write(platform, iommu->number, AMDVI_CONTROL, 8, control & ~logs[i].enable);
		mmio_write(platform, iommu->number, AMDVI_STATUS, 8, logs[i].status);
		mmio_write(platform, iommu->number, AMDVI_CONTROL, 8, control);
	}
}

void amd_logs_read(struct amd_iommu *iommu)
{
	mmio_write(iommu->hyp->platform, iommu->number, AMDVI_STATUS, 8,
		   AMDVI_STATUS_EVT_INT | AMDVI_STATUS_PPR_INT);
	drain(iommu, &iommu->events, event);
	drain(iommu, &iommu->requests, request);
	restart_overflown(iommu);
}

static int log_start(struct amd_iommu *iommu, struct amd_log *log, unsigned int base_reg,
		     unsigned int head_reg)
{
	struct platform *platform = iommu->hyp->platform;

	log->base = pages_alloc(&iommu->hyp->pages, LOG_BYTES);
	if (!log->base)
		return -ENOMEM;
	log->head_reg = head_reg;
	log->head = 0;
	mmio_write(platform, iommu->number, base_reg, 8,
		   log->base | amdvi_put(AMD_LOG_LEN, AMDVI_BASE_LEN));
	mmio_write(platform, iommu->number, head_reg, 8, 0);
	mmio_write(platform, iommu->number, head_reg + 8, 8, 0);
	return 0;
}

int amd_logs_start(struct amd_iommu *iommu)
{
	struct platform *platform = iommu->hyp->platform;
	int rc;

	rc = log_start(iommu, &iommu->events, AMDVI_EVTLOG_BASE, AMDVI_EVTLOG_HEAD);
	rc = rc ?: log_start(iommu, &iommu->requests, AMDVI_PPRLOG_BASE, AMDVI_PPRLOG_HEAD);
	mmio_write(platform, iommu->number, AMDVI_MSI_ADDR_LO, 4, 0xfee00000);
	mmio_write(platform, iommu->number, AMDVI_MSI_ADDR_HI, 4, 0);
	mmio_write(platform, iommu->number, AMDVI_MSI_DATA, 4, iommu->number);
	return rc;
}

/* During a sync the logs wait for its end: entries may make commands, and this is between some. */
void amd_interrupt(struct hyp *hyp, uint64_t addr, uint32_t data)
{
	struct amd *amd = amd_of(hyp);

	amd_each_iommu(amd, iommu) {
		if (iommu->waiting || (addr != PLATFORM_WIRED && data != iommu->number))
			continue;
		amd_logs_read(iommu);
		amd_fence_silent(iommu);
	}
}

int amd_page_response(struct hyp_device *device, uint32_t pasid, uint32_t group, uint32_t code)
{
	struct amd_iommu *iommu = amd_iommu_of(amd_device_of(device));

	answer(iommu, device->pdev->rid, pasid, group, code);
	return 0;
}
