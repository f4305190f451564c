// SPDX-License-Identifier: GPL-2.0-only
/* Event log, 2.5, and page request log, 2.6: the host's, and those of guests. */
#include "amdvi_model.h"

/* Set an RW1C bit; the interrupt is sent when it was clear before. */
static void raise_status(struct amdvi_unit *unit, uint64_t bit, bool interrupt)
{
	bool was_clear = !(unit->status & bit) ||
			 FAULT("amdvi.interrupt-storm", "Every entry of a log is an interrupt");

	unit->status |= bit;
	if (was_clear && interrupt)
		amdvi_msi(unit->amdvi);
}

static bool interrupt_on(struct amdvi_unit *unit, unsigned int guest_queue, uint64_t host_bit)
{
	return unit->guest ? unit->control[guest_queue] & AMDVI_VQUEUE_INT :
	       unit->amdvi->control & host_bit;
}

/* Put an entry at the tail; false: no room, or nothing where the log should be. */
static bool append(struct amdvi_unit *unit, struct amdvi_ring *ring, uint64_t word0,
		   uint64_t word1)
{
	struct hw_mem *mem = unit->amdvi->hw.mem;
	uint32_t next = amdvi_ring_next(ring, ring->tail);
	uint64_t pa;

	if (next == ring->head &&
	    !FAULT("amdvi.log-overwrites", "A full log is written over from its head"))
		return false;
	if (amdvi_unit_pa(unit, (ring->base & AMDVI_BASE_ADDR) + ring->tail, HW_WRITE, &pa))
		return false;
	/* The code is in the first word: it comes last, for software that looks at memory alone. */
	if (hw_write64(mem, pa + 8, word1) || hw_write64(mem, pa, word0))
		return false;
	ring->tail = next;
	return true;
}

/* 3.4.3: on overflow the log stops until software starts it again. */
static void overflow(struct amdvi_unit *unit, uint64_t overflow_bit, uint64_t run_bit,
		     bool interrupt)
{
	amdvi_trace(unit->amdvi, "log overflow, status bit %#llx guest %lld", overflow_bit,
		    unit->guest ? unit->guest_id : -1LL);
	if (!FAULT("amdvi.overflow-untold", "A log that overflows does not say so"))
		raise_status(unit, overflow_bit, interrupt);
	unit->status &= ~run_bit;
}

void amdvi_log_event(struct amdvi_unit *unit, uint64_t word0, uint64_t word1)
{
	struct amdvi *amdvi = unit->amdvi;
	bool interrupt = interrupt_on(unit, 1, AMDVI_CONTROL_EVT_INT_EN);
	uint64_t code = amdvi_get(word0, AMDVI_EVENT0_CODE);

	if (unit->guest)
		amdvi_trace(amdvi, "guest %llu: event %#llx: %#llx %#llx", unit->guest_id, code,
			    word0, word1);
	else
		amdvi_trace(amdvi, "event %#llx: %#llx %#llx", code, word0, word1);
	if (!(unit->status & AMDVI_STATUS_EVT_RUN))
		return;
	if (append(unit, &unit->evt, word0, word1))
		raise_status(unit, AMDVI_STATUS_EVT_INT, interrupt);
	else
		overflow(unit, AMDVI_STATUS_EVT_OVERFLOW, AMDVI_STATUS_EVT_RUN, interrupt);
}

/* The guest that a device belongs to, if its events are to go there (DTE.vImuEn). */
static struct amdvi_unit *guest_of(struct amdvi *amdvi, const uint64_t *dte)
{
	if (!dte || !(dte[3] & AMDVI_DTE3_VIMU_EN) ||
	    !(amdvi_control(amdvi) & AMDVI_CONTROL_VIOMMU_EN))
		return NULL;
	return amdvi_guest(amdvi, amdvi_get(dte[3], AMDVI_DTE3_GUEST_ID), false);
}

static uint64_t as_guest(const uint64_t *dte, uint64_t word0)
{
	if (FAULT("amdvi.guest-event-host-id", "A guest's event names the host's DeviceID"))
		return word0;
	return (word0 & ~AMDVI_EVENT0_DEVICE_ID) |
	       amdvi_put(amdvi_get(dte[3], AMDVI_DTE3_GDEVICE_ID), AMDVI_EVENT0_DEVICE_ID);
}

void amdvi_fault(struct amdvi *amdvi, const uint64_t *dte, bool to_guest, uint64_t word0,
		 uint64_t word1)
{
	struct amdvi_unit *guest;

	amdvi_lock(amdvi);
	guest = to_guest ? guest_of(amdvi, dte) : NULL;
	if (!guest)
		amdvi_log_event(&amdvi->host, word0, word1);
	else if (guest->status & AMDVI_STATUS_EVT_RUN)
		amdvi_log_event(guest, as_guest(dte, word0), word1);
	else
		amdvi_log_event(&amdvi->host,
				(word0 & ~AMDVI_EVENT0_CODE) | AMDVI_EVENT0_VEVENT |
				amdvi_put(AMDVI_GUEST_EVENT_FAULT, AMDVI_EVENT0_CODE), word1);
	amdvi_unlock(amdvi);
}

/* ---- Page requests ---- */

static uint64_t ppr_entry(const struct hw_page_request *request)
{
	return amdvi_put(request->rid, AMDVI_PPRLOG0_DEVICE_ID) |
	       amdvi_put(request->has_pasid ? request->pasid : 0, AMDVI_PPRLOG0_PASID_15_0) |
	       amdvi_put(request->has_pasid ? request->pasid >> 16 : 0,
			 AMDVI_PPRLOG0_PASID_19_16) |
	       amdvi_put(request->index, AMDVI_PPRLOG0_TAG) |
	       (request->last && !FAULT("amdvi.ppr-last", "The PPR log loses the L bit") ?
		AMDVI_PPRLOG0_LAST : 0) |
	       (request->access & HW_EXEC ? AMDVI_PPRLOG0_EXEC : 0) |
	       (request->access & HW_READ ? AMDVI_PPRLOG0_READ : 0) |
	       (request->access & HW_WRITE ? AMDVI_PPRLOG0_WRITE : 0) |
	       (request->access & HW_PRIV ? 0 : AMDVI_PPRLOG0_US) |
	       (request->has_pasid ? AMDVI_PPRLOG0_GN : 0) |
	       amdvi_put(AMDVI_PAGE_SERVICE_REQUEST, AMDVI_PPRLOG0_CODE);
}

/* A device must not ask, or nobody would hear it: refused, and the group answered (2.6). */
static void refuse(struct amdvi *amdvi, const struct hw_page_request *request)
{
	hw_count(amdvi->hw.counts.faults, 1);
	amdvi_log_event(&amdvi->host,
			(ppr_entry(request) & ~AMDVI_PPRLOG0_CODE) |
			amdvi_put(AMDVI_INVALID_PPR_REQUEST, AMDVI_EVENT0_CODE),
			request->addr & ~0xfffULL);
	if (request->last &&
	    !FAULT("amdvi.ppr-refused-silently", "A page request that is refused gets no answer"))
		amdvi_send(amdvi, &(struct amdvi_message){
			.rid = request->rid, .prg = true, .has_pasid = request->has_pasid,
			.pasid = request->pasid, .index = request->index,
			.code = AMDVI_PPR_FAILURE,
		});
}

void amdvi_page_request(struct hw_iommu *iommu, const struct hw_page_request *request)
{
	struct amdvi *amdvi = amdvi_of(iommu);
	struct amdvi_unit *unit, *guest;
	bool known, interrupt;
	uint64_t dte[4], word0 = ppr_entry(request);

	known = amdvi_dte(amdvi, request->rid, dte) == DTE_OK;
	amdvi_lock(amdvi);
	if (!known || !(dte[0] & AMDVI_DTE0_V) || !(dte[0] & AMDVI_DTE0_PPR) ||
	    !(amdvi->control & AMDVI_CONTROL_PPR_EN)) {
		refuse(amdvi, request);
		amdvi_unlock(amdvi);	/* the answer leaves with the next step */
		return;
	}
	guest = guest_of(amdvi, dte);
	unit = guest && guest->status & AMDVI_STATUS_PPR_RUN ? guest : &amdvi->host;
	if (unit->guest)
		word0 = (word0 & ~AMDVI_PPRLOG0_DEVICE_ID) |
			amdvi_put(amdvi_get(dte[3], AMDVI_DTE3_GDEVICE_ID),
				  AMDVI_PPRLOG0_DEVICE_ID);
	interrupt = interrupt_on(unit, 2, AMDVI_CONTROL_PPR_INT_EN);
	amdvi_trace(amdvi, "PAGE_SERVICE_REQUEST device %#llx addr %#llx tag %#llx", request->rid,
		    request->addr, request->index);
	if (!(unit->status & AMDVI_STATUS_PPR_RUN))
		;	/* dropped, as after an overflow (2.6.1) */
	else if (append(unit, &unit->ppr, word0, request->addr & ~0xfffULL))
		raise_status(unit, AMDVI_STATUS_PPR_INT, interrupt);
	else
		overflow(unit, AMDVI_STATUS_PPR_OVERFLOW, AMDVI_STATUS_PPR_RUN, interrupt);
	amdvi_unlock(amdvi);
}
