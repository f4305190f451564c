// SPDX-License-Identifier: GPL-2.0-only
/*
 * The invalidation queue, 6.5.2: descriptors are fetched, checked, held, and executed.
 *
 * With no freedom, a descriptor that was fetched is held until a wait behind it obliges the
 * hardware to execute it, and all are executed one after the other: an IOTLB invalidation behind a
 * device-TLB one only when the device has answered. What the order must be is in must_precede()
 * (6.5.2.12); the rest is left to the freedom "reorder".
 */
#include "vtd_internal.h"

static struct vtd_op *held(struct vtd *vtd, unsigned int i)
{
	return &vtd->ops[vtd->order[i]];
}

static void forget(struct vtd *vtd, unsigned int i)
{
	uint8_t slot = vtd->order[i];

	vtd->held_responses -= vtd->ops[slot].type == VTD_INV_PAGE_RESPONSE;
	vtd->held--;
	memmove(&vtd->order[i], &vtd->order[i + 1], vtd->held - i);
	vtd->unused[vtd->held] = slot;
}

static bool is_wait(const struct vtd_op *op)
{
	return op->type == VTD_INV_WAIT;
}

static bool is_devtlb(const struct vtd_op *op)
{
	return op->type == VTD_INV_DEVTLB || op->type == VTD_INV_PDEVTLB;
}

/* ---- Checks: 6.5.2.10, table 21 ---- */

/* Which bits a descriptor may have, in which mode it is legal, and what must be there for it. */
struct rule {
	bool scalable;		/* scalable mode only */
	uint64_t d0;
	uint64_t d1;
};

#define TYPE_BITS	(VTD_BITS(3, 0) | VTD_BITS(11, 9))
#define IOTLB_ADDR_BITS	(VTD_INV_ADDR | VTD_INV_AM | VTD_INV_IH)
#define PFSID_BITS	(VTD_INV_PFSID_LOW | VTD_INV_PFSID_HIGH)

static const struct rule rules[] = {
	[VTD_INV_CONTEXT] = { false, VTD_INV_G | VTD_INV_DID | VTD_INV_CONTEXT_SID |
			      VTD_INV_CONTEXT_FM, 0 },
	[VTD_INV_IOTLB] = { false, VTD_INV_G | VTD_INV_DID | VTD_INV_IOTLB_DW | VTD_INV_IOTLB_DR,
			    IOTLB_ADDR_BITS },
	[VTD_INV_DEVTLB] = { false, VTD_INV_DEVTLB_MIP | VTD_INV_DEVTLB_SID | PFSID_BITS,
			     VTD_INV_ADDR | VTD_INV_DEVTLB_S },
	[VTD_INV_IEC] = { false, VTD_INV_IEC_G | VTD_INV_IEC_IM | VTD_INV_IEC_IIDX, 0 },
	[VTD_INV_WAIT] = { false, VTD_INV_WAIT_IF | VTD_INV_WAIT_SW | VTD_INV_WAIT_FN |
			   VTD_INV_WAIT_PD | VTD_INV_WAIT_DATA, VTD_INV_WAIT_ADDR },
	[VTD_INV_PIOTLB] = { true, VTD_INV_G | VTD_INV_DID | VTD_INV_PASID, IOTLB_ADDR_BITS },
	[VTD_INV_PASID_CACHE] = { true, VTD_INV_G | VTD_INV_DID | VTD_INV_PASID, 0 },
	[VTD_INV_PDEVTLB] = { true, VTD_INV_PDEVTLB_MIP | VTD_INV_PDEVTLB_SID | VTD_INV_PASID |
			      PFSID_BITS, VTD_INV_ADDR | VTD_INV_PDEVTLB_S | VTD_INV_PDEVTLB_G },
	[VTD_INV_PAGE_RESPONSE] = { true, VTD_INV_RESPONSE_PP | VTD_INV_RESPONSE_RC |
				    VTD_INV_RESPONSE_RID | VTD_INV_PASID, VTD_INV_RESPONSE_PRGI },
};

static bool granularity_ok(const struct vtd *vtd, const uint64_t d[4])
{
	unsigned int granularity = VTD_GET(VTD_INV_G, d[0]);

	switch (VTD_INV_TYPE(d[0])) {
	case VTD_INV_CONTEXT:
		return granularity;
	case VTD_INV_IOTLB:
		return granularity && (granularity != VTD_PAGE || !vtd->config.psi ||
				       VTD_GET(VTD_INV_AM, d[1]) <= vtd->config.mamv);
	case VTD_INV_PIOTLB:
		return granularity == VTD_PASID || granularity == VTD_PAGE;
	case VTD_INV_PASID_CACHE:
		return granularity != 2;
	case VTD_INV_WAIT:
		return vtd->config.pds || !(d[0] & VTD_INV_WAIT_PD);
	case VTD_INV_DEVTLB:
	case VTD_INV_PDEVTLB:
		return vtd->config.dit || !(d[0] & PFSID_BITS);
	}
	return true;
}

static enum vtd_iqei check(struct vtd *vtd, const uint64_t d[4])
{
	unsigned int type = VTD_INV_TYPE(d[0]), ttm = vtd_ttm(vtd);
	bool wide = vtd_get64(vtd, VTD_IQA_REG) & VTD_IQA_DW;

	if (ttm == 2)
		return VTD_IQEI_TTM;
	if (type >= sizeof(rules) / sizeof(rules[0]) || !type ||
	    (ttm == VTD_TTM_SCALABLE && !wide) ||
	    (ttm == VTD_TTM_LEGACY && rules[type].scalable) ||
	    ((type == VTD_INV_DEVTLB || type == VTD_INV_PDEVTLB) && !vtd->config.ats) ||
	    (type == VTD_INV_PAGE_RESPONSE && !vtd->config.prs))
		return VTD_IQEI_TYPE;
	if (d[0] & ~(rules[type].d0 | TYPE_BITS) || d[1] & ~rules[type].d1 || d[2] || d[3])
		return VTD_IQEI_RESERVED;
	return granularity_ok(vtd, d) ? 0 : VTD_IQEI_RESERVED;
}

/* ---- Fetching ---- */

/* The queue stops at this descriptor until software clears IQE (6.5.2.10). */
static void queue_error(struct vtd *vtd, enum vtd_iqei iqei)
{
	uint64_t error = vtd_get64(vtd, VTD_IQERCD_REG) & ~VTD_IQERCD_IQEI;

	if (!FAULT("vtd.error-info-lost", "IQERCD_REG does not say what is wrong"))
		vtd_set64(vtd, VTD_IQERCD_REG, error | iqei);
	vtd_trace(vtd, "queue error %llu at %#llx", iqei, vtd_get64(vtd, VTD_IQH_REG));
	vtd->stopped = true;
	vtd_fault_status(vtd, VTD_FSTS_IQE);
}

static void hold(struct vtd *vtd, const uint64_t d[4])
{
	struct freedom *freedom = &vtd->iommu.freedom;
	uint8_t slot = vtd->unused[vtd->held];
	struct vtd_op *op = &vtd->ops[slot];

	vtd->order[vtd->held++] = slot;
	op->d[0] = d[0];
	op->d[1] = d[1];
	op->type = VTD_INV_TYPE(d[0]);
	vtd->held_responses += op->type == VTD_INV_PAGE_RESPONSE;
	op->sequence = ++vtd->sequence;
	op->armed = false;
	op->delay = 0;
	op->eager = freedom_take(freedom, freedom->early);
	if (!is_wait(op))
		return;
	if (op->d[0] & VTD_INV_WAIT_FN &&
	    !FAULT("vtd.fence-ignored", "Descriptors behind a fence run ahead of it"))
		vtd->fences++;
	if (freedom->delay_steps && freedom_take(freedom, freedom->delay))
		op->delay = 1 + freedom_draw(freedom) % freedom->delay_steps;
}

/* Fetch the descriptor at the head, if there is one and it is any good. */
static bool fetch_one(struct vtd *vtd)
{
	uint64_t iqa = vtd_get64(vtd, VTD_IQA_REG), head = vtd_get64(vtd, VTD_IQH_REG);
	uint64_t size = 4096ull << VTD_GET(VTD_IQA_QS, iqa), d[4] = { 0 };
	unsigned int width = iqa & VTD_IQA_DW ? 32 : 16;
	enum vtd_iqei error = 0;

	if (!vtd->queue_on || vtd->stopped || vtd->fences || vtd->held == VTD_HELD ||
	    (head == vtd_get64(vtd, VTD_IQT_REG) &&
	     !FAULT("vtd.fetches-beyond-tail", "Descriptors are fetched before the tail moves")))
		return false;
	for (unsigned int i = 0; i < width / 8; i++)
		if (hw_read64(vtd->iommu.mem, (iqa & VTD_ADDR_4K) + head + i * 8, &d[i]))
			error = VTD_IQEI_FETCH;
	if (!error)
		error = check(vtd, d);
	if (error) {
		queue_error(vtd, error);
		if (!FAULT("vtd.iqe-skips-descriptor", "The head moves past an invalid descriptor"))
			return false;
	}
	head += width;
	if (head == size && !FAULT("vtd.head-not-wrapped", "The head runs on past the queue's end"))
		head = 0;
	vtd_set64(vtd, VTD_IQH_REG, head);
	if (error)
		return false;
	hw_count_alone(vtd->iommu.counts.commands, 1);
	hold(vtd, d);
	return true;
}

void vtd_queue_tail(struct vtd *vtd)
{
	uint64_t iqa = vtd_get64(vtd, VTD_IQA_REG), tail = vtd_get64(vtd, VTD_IQT_REG);

	if (!vtd->queue_on)
		return;
	if (iqa & VTD_IQA_DW && !vtd->config.scalable)
		queue_error(vtd, VTD_IQEI_WIDTH);
	else if (iqa & VTD_IQA_DW && tail & 16)
		queue_error(vtd, VTD_IQEI_ALIGN);
	else if (tail >= 4096ull << VTD_GET(VTD_IQA_QS, iqa))
		queue_error(vtd, VTD_IQEI_TAIL);
	else
		vtd_queue_run(vtd);
}

/* ---- Executing ---- */

/* 6.5.2.12: must @later, fetched after @earlier, be executed after it? */
static bool must_precede(const struct vtd_op *earlier, const struct vtd_op *later)
{
	switch (later->type) {
	case VTD_INV_PASID_CACHE:
		return earlier->type == VTD_INV_CONTEXT;
	case VTD_INV_IOTLB:
	case VTD_INV_PIOTLB:
		return earlier->type == VTD_INV_CONTEXT || earlier->type == VTD_INV_PASID_CACHE;
	case VTD_INV_DEVTLB:
	case VTD_INV_PDEVTLB:
		return earlier->type == VTD_INV_IOTLB || earlier->type == VTD_INV_PIOTLB ||
		       earlier->type == VTD_INV_IEC;
	case VTD_INV_WAIT:
		return !is_wait(earlier);
	default:
		return false;
	}
}

static bool blocked(struct vtd *vtd, unsigned int i)
{
	for (unsigned int j = 0; j < i; j++)
		if (must_precede(held(vtd, j), held(vtd, i)))
			return true;
	return false;
}

static bool drains(const struct vtd_op *op)
{
	return op->type == VTD_INV_PIOTLB ||
	       (op->type == VTD_INV_IOTLB && op->d[0] & (VTD_INV_IOTLB_DR | VTD_INV_IOTLB_DW));
}

static void status_write(struct vtd *vtd, const struct vtd_op *op)
{
	uint32_t data = VTD_GET(VTD_INV_WAIT_DATA, op->d[0]);

	if (FAULT("vtd.wait-data-16-bits", "A status write has 16 bits of its data"))
		data &= 0xffff;
	if (op->d[0] & VTD_INV_WAIT_SW)
		hw_write32(vtd->iommu.mem, op->d[1] & VTD_INV_WAIT_ADDR, data);
}

/* 11.4.9.5: the event is raised when IWC goes from 0 to 1. */
static void wait_interrupt(struct vtd *vtd, const struct vtd_op *op)
{
	uint32_t status = vtd_get32(vtd, VTD_ICS_REG);

	if (!(op->d[0] & VTD_INV_WAIT_IF) || status & VTD_ICS_IWC ||
	    FAULT("vtd.wait-interrupt-lost", "IF raises no invalidation event"))
		return;
	vtd_set32(vtd, VTD_ICS_REG, status | VTD_ICS_IWC);
	vtd_event(vtd, VTD_IECTL_REG);
}

/* After all earlier descriptors: are their requests in flight and their devices done as well? */
static bool wait_ready(struct vtd *vtd, struct vtd_op *op)
{
	struct inflight_snapshot *snapshot = &vtd->snapshots[op - vtd->ops];

	if (!op->armed) {
		op->armed = true;
		op->drains = vtd->drain_wanted;
		snapshot->used = 0;
		if (vtd->drain_wanted != vtd->drain_done)
			inflight_take(vtd->iommu.inflight, INFLIGHT_UNTRANSLATED, snapshot);
	}
	if (vtd_ats_pending(vtd, op->sequence) &&
	    !FAULT("vtd.wait-before-devices", "A wait completes before devices have answered"))
		return false;
	if (!inflight_drained(vtd->iommu.inflight, snapshot) &&
	    !FAULT("vtd.wait-no-drain", "A wait completes before requests in flight are drained"))
		return false;
	if (op->d[0] & VTD_INV_WAIT_PD && vtd_prq_owes(vtd))
		return false;
	return !op->delay;
}

static bool complete_wait(struct vtd *vtd, struct vtd_op *op)
{
	if (!wait_ready(vtd, op))
		return false;
	vtd->drain_done = op->drains;
	hw_count_alone(vtd->iommu.counts.syncs, 1);
	vtd_trace(vtd, "wait done data %#llx addr %#llx", VTD_GET(VTD_INV_WAIT_DATA, op->d[0]),
		  op->d[1]);
	if (op->d[0] & VTD_INV_WAIT_FN && vtd->fences)
		vtd->fences--;
	status_write(vtd, op);
	wait_interrupt(vtd, op);
	return true;
}

/*
 * Execute one; false: it has to wait for something.
 * @lazy: behind device-TLB invalidations, only when they are done
 */
static bool execute(struct vtd *vtd, struct vtd_op *op, bool lazy)
{
	if (is_wait(op))
		return complete_wait(vtd, op);
	if (is_devtlb(op))
		return vtd_ats_send(vtd, op);
	if (lazy && vtd_ats_pending(vtd, op->sequence))
		return false;
	vtd_invalidate(vtd, op->d[0], op->d[1]);
	if (drains(op))
		vtd->drain_wanted = op->sequence;
	return true;
}

/* How many of the held descriptors must be executed now: all before the last wait. */
static unsigned int obliged(struct vtd *vtd)
{
	for (unsigned int n = vtd->held; n; n--)
		if (is_wait(held(vtd, n - 1)) || held(vtd, n - 1)->eager)
			return n;
	return vtd->held == VTD_HELD ? 1 : 0;
}

/* Execute the first that can be; out of order only where that is free. */
static bool execute_one(struct vtd *vtd)
{
	struct freedom *freedom = &vtd->iommu.freedom;
	unsigned int n = obliged(vtd);

	for (unsigned int i = 0; i < n; i++) {
		struct vtd_op *op = held(vtd, i);
		bool skip = i + 1 < n && freedom_take(freedom, freedom->reorder);

		if (!skip && !blocked(vtd, i) && execute(vtd, op, !freedom->reorder)) {
			forget(vtd, i);
			return true;
		}
		if (!skip && !freedom->reorder &&
		    !FAULT("vtd.fence-ignored", "Descriptors behind a fence run ahead of it"))
			break;
	}
	return false;
}

/* Page group responses are no invalidations: they need no wait, and overtake all (6.5.2.12). */
static bool respond_one(struct vtd *vtd)
{
	for (unsigned int i = 0; vtd->held_responses && i < vtd->held; i++) {
		struct vtd_op *op = held(vtd, i);

		if (op->type != VTD_INV_PAGE_RESPONSE)
			continue;
		vtd_prq_respond(vtd, op->d[0], op->d[1]);
		forget(vtd, i);
		return true;
	}
	return false;
}

static bool devtlb_first(struct vtd *vtd)
{
	for (unsigned int i = 0; i < obliged(vtd); i++) {
		if (!is_devtlb(held(vtd, i)) || !vtd_ats_send(vtd, held(vtd, i)))
			continue;
		forget(vtd, i);
		return true;
	}
	return false;
}

static void early_status(struct vtd *vtd)
{
	for (unsigned int i = 0; i < vtd->held; i++)
		if (is_wait(held(vtd, i)))
			status_write(vtd, held(vtd, i));
}

bool vtd_queue_run(struct vtd *vtd)
{
	bool any = false;

	for (;;) {
		bool more = fetch_one(vtd);

		if (more) {
			any = true;
			continue;
		}
		if (FAULT("vtd.wait-status-early", "A wait's status is written when it is fetched"))
			early_status(vtd);
		if (FAULT("vtd.devtlb-before-iotlb", "Device-TLB requests overtake IOTLB ones"))
			more = devtlb_first(vtd);
		if (!more && !respond_one(vtd) && !execute_one(vtd))
			return any;
		any = true;
	}
}

bool vtd_queue_busy(struct vtd *vtd)
{
	return obliged(vtd) || vtd_ats_pending(vtd, UINT64_MAX) || vtd->iotlb_busy;
}

bool vtd_queue_awaited(struct vtd *vtd)
{
	for (unsigned int i = 0; i < vtd->held; i++)
		if (is_wait(held(vtd, i)))
			return true;
	return false;
}

void vtd_queue_step(struct vtd *vtd)
{
	for (unsigned int i = 0; i < vtd->held; i++)
		if (held(vtd, i)->armed && held(vtd, i)->delay)
			held(vtd, i)->delay--;
}

void vtd_queue_abort_waits(struct vtd *vtd)
{
	for (unsigned int i = 0; i < vtd->held; ) {
		if (!is_wait(held(vtd, i))) {
			i++;
			continue;
		}
		if (FAULT("vtd.ite-completes-wait", "A time-out completes the waits it aborts"))
			status_write(vtd, held(vtd, i));
		vtd_trace(vtd, "wait aborted data %#llx",
			  VTD_GET(VTD_INV_WAIT_DATA, held(vtd, i)->d[0]));
		forget(vtd, i);
	}
	vtd->fences = 0;
}

void vtd_queue_reset(struct vtd *vtd)
{
	vtd->queue_on = false;
	vtd->stopped = false;
	vtd->held = 0;
	vtd->held_responses = 0;
	vtd->fences = 0;
	for (unsigned int i = 0; i < VTD_HELD; i++)
		vtd->unused[i] = i;
}

/* 6.5.2: what was fetched is executed before QIES clears; the head starts at 0 again. */
void vtd_queue_enable(struct vtd *vtd, bool on)
{
	vtd_trace(vtd, "queue enable %llu", on);
	if (!on)
		while (vtd->held) {
			if (!is_wait(held(vtd, 0)))
				execute(vtd, held(vtd, 0), false);
			forget(vtd, 0);
		}
	vtd_queue_reset(vtd);
	if (!FAULT("vtd.head-kept", "The head stays where it was when the queue is disabled"))
		vtd_set64(vtd, VTD_IQH_REG, 0);
	vtd->queue_on = on;
	if (on)
		vtd_queue_tail(vtd);
}
