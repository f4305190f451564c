// SPDX-License-Identifier: GPL-2.0-only
/*
 * Invalidation of device TLBs: 6.5.2.5, 6.5.2.6, 6.5.2.11, and PCIe ATS 10.3.
 *
 * An invalidate request has an ITag until as many completions have come as their CC field says.
 */
#include "vtd_internal.h"

/* The request of a descriptor, and whose queue it goes through. */
struct message {
	struct hw_ats_invalidate invalidate;
	uint16_t sid;
	uint16_t throttle;
	unsigned int depth;
};

/* If S is set, the lowest clear bit of @addr above bit 11 says how large it is (ATS 10.3.2). */
static void decode_range(uint64_t addr, bool s, struct hw_ats_invalidate *invalidate)
{
	uint64_t page = addr & VTD_INV_ADDR, below = 0xfff;

	if (s && !FAULT("vtd.devtlb-size-lost", "Device-TLB invalidations lose their S bit"))
		below = (page | 0xfff) ^ ((page | 0xfff) + 1);
	invalidate->first = page & ~below;
	invalidate->last = page | below;
}

static struct message decode(struct vtd *vtd, const struct vtd_op *op)
{
	uint64_t d0 = op->d[0], d1 = op->d[1];
	uint16_t pfsid = VTD_GET(VTD_INV_PFSID_LOW, d0) | VTD_GET(VTD_INV_PFSID_HIGH, d0) << 4;
	struct message message = { 0 };

	if (op->type == VTD_INV_PDEVTLB) {
		message.sid = VTD_GET(VTD_INV_PDEVTLB_SID, d0);
		message.depth = VTD_GET(VTD_INV_PDEVTLB_MIP, d0);
		message.invalidate.has_pasid =
			!FAULT("vtd.devtlb-pasid-lost", "PASID device-TLB requests have no prefix");
		message.invalidate.pasid = VTD_GET(VTD_INV_PASID, d0);
		message.invalidate.global = d1 & VTD_INV_PDEVTLB_G &&
			!FAULT("vtd.devtlb-global-lost", "The G bit is not copied to the message");
		decode_range(d1, d1 & VTD_INV_PDEVTLB_S, &message.invalidate);
	} else {
		message.sid = VTD_GET(VTD_INV_DEVTLB_SID, d0);
		message.depth = VTD_GET(VTD_INV_DEVTLB_MIP, d0);
		decode_range(d1, d1 & VTD_INV_DEVTLB_S, &message.invalidate);
	}
	if (FAULT("vtd.devtlb-wrong-sid", "Device-TLB requests go to function 0 of the device"))
		message.sid &= ~7;
	message.throttle = vtd->config.dit ? pfsid : message.sid;
	message.depth = message.depth ?: 32;
	return message;
}

/* A free ITag, if the device may have one more request pending; -1: none. */
static int take_itag(struct vtd *vtd, const struct message *message, uint64_t sequence)
{
	unsigned int pending = 0;
	int found = -1;

	pthread_mutex_lock(&vtd->ats_lock);
	for (int i = 0; i < VTD_ITAGS; i++) {
		if (!vtd->itags[i].busy && found < 0)
			found = i;
		if (vtd->itags[i].busy && vtd->itags[i].throttle == message->throttle)
			pending++;
	}
	if (pending >= message->depth &&
	    !FAULT("vtd.devtlb-depth-ignored", "More requests are sent than the device takes"))
		found = -1;
	if (found >= 0) {
		vtd->itags[found] = (struct vtd_itag){
			.busy = true, .sid = message->sid, .throttle = message->throttle,
			.sequence = sequence,
		};
		atomic_fetch_add(&vtd->itags_busy, 1);
	}
	pthread_mutex_unlock(&vtd->ats_lock);
	return found;
}

bool vtd_ats_send(struct vtd *vtd, const struct vtd_op *op)
{
	struct message message = decode(vtd, op);
	struct endpoint *endpoint;
	int itag;

	/* With translation off there is nothing in device TLBs: not sent (6.5.2.5). */
	if (!atomic_load(&vtd->translating) &&
	    !FAULT("vtd.devtlb-without-translation", "Devices are asked with translation off"))
		return true;
	itag = take_itag(vtd, &message, op->sequence);
	if (itag < 0)
		return false;
	message.invalidate.itag = itag;
	hw_count(vtd->iommu.counts.ats_invalidates, 1);
	vtd_trace(vtd, message.invalidate.has_pasid ?
		  "dev-tlb sid %#llx itag %llu first %#llx last %#llx global %llu pasid %llu" :
		  "dev-tlb sid %#llx itag %llu first %#llx last %#llx", message.sid, itag,
		  message.invalidate.first, message.invalidate.last, message.invalidate.global,
		  message.invalidate.pasid);
	endpoint = machine_endpoint(vtd->iommu.machine, message.sid);
	if (endpoint)
		endpoint_ats_invalidate(endpoint, &message.invalidate);
	return true;
}

bool vtd_ats_pending(struct vtd *vtd, uint64_t sequence)
{
	bool pending = false;

	if (!atomic_load(&vtd->itags_busy))
		return false;
	pthread_mutex_lock(&vtd->ats_lock);
	for (int i = 0; i < VTD_ITAGS; i++)
		pending |= vtd->itags[i].busy && vtd->itags[i].sequence < sequence;
	pthread_mutex_unlock(&vtd->ats_lock);
	return pending;
}

static void free_itag(struct vtd *vtd, struct vtd_itag *itag)
{
	itag->busy = false;
	atomic_fetch_sub(&vtd->itags_busy, 1);
}

/* 6.5.2.11: the ITag is free again, ITE is set; what comes for it later is unexpected. */
static bool time_out(struct vtd *vtd, uint16_t *sid)
{
	bool any = false;

	if (!atomic_load(&vtd->itags_busy))
		return false;
	pthread_mutex_lock(&vtd->ats_lock);
	for (int i = 0; i < VTD_ITAGS; i++) {
		if (!vtd->itags[i].busy || vtd->itags[i].age++ < vtd->config.ats_timeout)
			continue;
		if (!any)
			*sid = vtd->itags[i].sid;
		any = true;
		vtd->itags[i].sequence = UINT64_MAX;
		vtd->itags[i].age = 0;
		if (!FAULT("vtd.itag-lost", "The ITag of a request that timed out stays taken"))
			free_itag(vtd, &vtd->itags[i]);
		vtd_trace(vtd, "dev-tlb sid %#llx itag %llu timed out", vtd->itags[i].sid, i);
	}
	pthread_mutex_unlock(&vtd->ats_lock);
	return any;
}

bool vtd_ats_step(struct vtd *vtd)
{
	uint16_t sid;
	uint64_t error;

	if (!time_out(vtd, &sid))
		return false;
	error = vtd_get64(vtd, VTD_IQERCD_REG) & ~VTD_IQERCD_ITESID;
	vtd_set64(vtd, VTD_IQERCD_REG, error | VTD_PUT(VTD_IQERCD_ITESID, sid));
	vtd->stopped = true;
	vtd_fault_status(vtd, VTD_FSTS_ITE);
	return true;
}

static void unexpected(struct vtd *vtd, uint16_t rid)
{
	uint64_t error = vtd_get64(vtd, VTD_IQERCD_REG) & ~VTD_IQERCD_ICESID;

	vtd_set64(vtd, VTD_IQERCD_REG, error | VTD_PUT(VTD_IQERCD_ICESID, rid));
	vtd_fault_status(vtd, VTD_FSTS_ICE);
}

void vtd_ats_complete(struct hw_iommu *iommu, uint16_t rid, uint32_t itags, unsigned int count)
{
	struct vtd *vtd = to_vtd(iommu);
	bool bad = false;

	vtd_trace(vtd, "dev-tlb complete sid %#llx itags %#llx cc %llu", rid, itags, count);
	count = (count & 7) ?: 8;
	if (FAULT("vtd.completion-count-ignored", "The first completion of several is enough"))
		count = 1;
	pthread_mutex_lock(&vtd->ats_lock);
	for (int i = 0; i < VTD_ITAGS; i++) {
		struct vtd_itag *itag = &vtd->itags[i];

		if (!(itags >> i & 1))
			continue;
		if (!itag->busy ||
		    (itag->sid != rid &&
		     !FAULT("vtd.completion-of-anyone", "A completion counts whoever sends it")))
			bad = true;
		else if (++itag->received >= count)
			free_itag(vtd, itag);
	}
	pthread_mutex_unlock(&vtd->ats_lock);
	if (bad && !FAULT("vtd.no-completion-error", "Unexpected completions do not set ICE"))
		unexpected(vtd, rid);
}

void vtd_ats_reset(struct vtd *vtd)
{
	pthread_mutex_lock(&vtd->ats_lock);
	memset(vtd->itags, 0, sizeof(vtd->itags));
	atomic_store(&vtd->itags_busy, 0);
	pthread_mutex_unlock(&vtd->ats_lock);
}
