// SPDX-License-Identifier: GPL-2.0-only
/* Primary fault logging, 7.2: a ring of recording registers, and the fault event. */
#include "vtd_internal.h"

#define FRCD(_n) (VTD_FRCD_OFFSET + 16 * (_n))

/* 7.1.3: unqualified are faults found before there is an entry whose FPD could be looked at. */
static bool qualified(enum vtd_fault reason)
{
	switch (reason) {
	case VTD_FAULT_LRT_1_ACCESS:
	case VTD_FAULT_LRT_2_NOT_PRESENT:
	case VTD_FAULT_LRT_3_RESERVED:
	case VTD_FAULT_LCT_1_ACCESS:
	case VTD_FAULT_RTA_1_TTM:
	case VTD_FAULT_RTA_2_PASID:
	case VTD_FAULT_RTA_3_PAGE_GROUP:
	case VTD_FAULT_SRT_1_ACCESS:
	case VTD_FAULT_SRT_2_NOT_PRESENT:
	case VTD_FAULT_SRT_3_RESERVED:
	case VTD_FAULT_SCT_1_ACCESS:
		return false;
	default:
		return true;
	}
}

static bool record_used(struct vtd *vtd, unsigned int n)
{
	return vtd_get64(vtd, FRCD(n) + 8) & VTD_FRCD_F;
}

/* Raises the event only if nothing was pending before (11.4.7.2: IP). */
static void set_status(struct vtd *vtd, uint32_t bits)
{
	const uint32_t events = VTD_FSTS_PFO | VTD_FSTS_PPF | VTD_FSTS_IQE | VTD_FSTS_ICE |
				VTD_FSTS_ITE;
	uint32_t before = vtd_get32(vtd, VTD_FSTS_REG);

	vtd_set32(vtd, VTD_FSTS_REG, before | bits);
	if (!(before & events))
		vtd_event(vtd, VTD_FECTL_REG);
}

void vtd_fault_status(struct vtd *vtd, uint32_t bits)
{
	pthread_mutex_lock(&vtd->fault_lock);
	set_status(vtd, bits);
	pthread_mutex_unlock(&vtd->fault_lock);
}

void vtd_fault_cleared(struct vtd *vtd)
{
	uint32_t status = vtd_get32(vtd, VTD_FSTS_REG);

	for (unsigned int n = 0; n < vtd->config.fault_records; n++)
		if (record_used(vtd, n))
			return;
	vtd_set32(vtd, VTD_FSTS_REG, status & ~(uint32_t)VTD_FSTS_PPF);
}

static uint64_t record_high(const struct hw_request *request, enum vtd_fault reason)
{
	bool write = request->access & HW_WRITE && !(request->access & HW_READ);
	uint32_t pasid = request->has_pasid ? request->pasid : 0;
	uint16_t rid = request->rid;

	if (FAULT("vtd.fault-sid-8-bits", "Faults are recorded for bus 0"))
		rid &= 0xff;
	if (FAULT("vtd.fault-pasid-lost", "Faults are recorded without their PASID"))
		pasid = 0;
	return VTD_FRCD_F | VTD_PUT(VTD_FRCD_T, !write) | VTD_PUT(VTD_FRCD_FR, reason) |
	       VTD_PUT(VTD_FRCD_SID, rid) | VTD_PUT(VTD_FRCD_PP, request->has_pasid) |
	       VTD_PUT(VTD_FRCD_PV, pasid) |
	       VTD_PUT(VTD_FRCD_EXE, request->has_pasid && request->access & HW_EXEC) |
	       VTD_PUT(VTD_FRCD_PRIV, request->has_pasid && request->access & HW_PRIV) |
	       VTD_PUT(VTD_FRCD_AT, request->type);
}

void vtd_fault_record(struct vtd *vtd, const struct hw_request *request, enum vtd_fault reason,
		      bool fpd)
{
	unsigned int n;

	hw_count(vtd->iommu.counts.faults, 1);
	vtd_trace(vtd, "fault %#llx rid %#llx pasid %#llx addr %#llx access %llu", reason,
		  request->rid, request->has_pasid ? request->pasid : -1ull, request->addr,
		  request->access);
	if (fpd && qualified(reason) &&
	    !FAULT("vtd.fpd-ignored", "Faults are logged although the entry has FPD set"))
		return;
	pthread_mutex_lock(&vtd->fault_lock);
	n = vtd->fault_next;
	/* 7.2.1: with no free register, or PFO set already, the fault is lost. */
	if (record_used(vtd, n) &&
	    !FAULT("vtd.fault-record-overwritten", "A fault overwrites a record not yet read")) {
		if (!FAULT("vtd.no-fault-overflow", "Lost faults do not set PFO"))
			set_status(vtd, VTD_FSTS_PFO);
	} else if (!(vtd_get32(vtd, VTD_FSTS_REG) & VTD_FSTS_PFO)) {
		uint32_t status = vtd_get32(vtd, VTD_FSTS_REG);

		vtd_set64(vtd, FRCD(n), request->addr & VTD_ADDR_4K);
		vtd_set64(vtd, FRCD(n) + 8, record_high(request, reason));
		vtd->fault_next = (n + 1) % vtd->config.fault_records;
		if (!(status & VTD_FSTS_PPF) &&
		    !FAULT("vtd.fault-index-stuck", "FRI always names the first record"))
			vtd_set32(vtd, VTD_FSTS_REG, (status & ~(uint32_t)VTD_FSTS_FRI) |
				  VTD_PUT(VTD_FSTS_FRI, n));
		set_status(vtd, VTD_FSTS_PPF);
	}
	pthread_mutex_unlock(&vtd->fault_lock);
}
