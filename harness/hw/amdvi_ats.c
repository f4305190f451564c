// SPDX-License-Identifier: GPL-2.0-only
/*
 * INVALIDATE_IOTLB_PAGES, 2.4.4: invalidate requests to devices, their ITags, flow control by
 * QueueID and MaxPend, completions and time-outs.
 */
#include <string.h>

#include "amdvi_model.h"

/* How many more of the queue may be on their way */
static unsigned int limit_of(const struct amdvi_ats *ats)
{
	if (FAULT("amdvi.max-pend-ignored", "MaxPend is not looked at"))
		return AMDVI_ITAGS;
	return ats->max_pend && ats->max_pend < AMDVI_ITAGS ? ats->max_pend : AMDVI_ITAGS;
}

static unsigned int on_their_way(struct amdvi *amdvi, const struct amdvi_ats *like)
{
	bool by_device = FAULT("amdvi.max-pend-per-device", "MaxPend counts by device, not queue");
	unsigned int count = 0;

	for (size_t i = 0; i < amdvi->ats_count; i++)
		count += amdvi->ats[i].sent &&
			 (by_device ? amdvi->ats[i].rid == like->rid :
			  amdvi->ats[i].queue_id == like->queue_id);
	return count;
}

static int free_itag(struct amdvi *amdvi, uint16_t rid)
{
	uint32_t used = 0;

	for (size_t i = 0; i < amdvi->ats_count; i++)
		if (amdvi->ats[i].sent && amdvi->ats[i].rid == rid)
			used |= 1U << amdvi->ats[i].request.itag;
	if (used == UINT32_MAX)
		return -1;
	/* Not the one that was free last: an answer to it may still be on its way. */
	while (used >> amdvi->next_itag % AMDVI_ITAGS & 1)
		amdvi->next_itag++;
	return amdvi->next_itag++ % AMDVI_ITAGS;
}

static uint64_t deadline(struct amdvi *amdvi)
{
	unsigned int timeout = amdvi_get(amdvi->control, AMDVI_CONTROL_INV_TIMEOUT);

	return timeout ? amdvi->now + AMDVI_TIMEOUT_STEPS(timeout) : UINT64_MAX;
}

static void send_waiting(struct amdvi *amdvi)
{
	for (size_t i = 0; i < amdvi->ats_count; i++) {
		struct amdvi_ats *ats = amdvi->ats + i;
		int itag;

		if (ats->sent || on_their_way(amdvi, ats) >= limit_of(ats))
			continue;
		itag = free_itag(amdvi, ats->rid);
		if (itag < 0)
			continue;
		ats->sent = true;
		ats->request.itag = itag;
		ats->deadline = deadline(amdvi);
		hw_count_alone(amdvi->hw.counts.ats_invalidates, 1);
		amdvi_send(amdvi, &(struct amdvi_message){ .rid = ats->rid,
							   .invalidate = ats->request });
	}
}

static void decode_range(uint64_t word, struct hw_ats_invalidate *request)
{
	unsigned int shift = 12;

	if (word & AMDVI_PAGES1_S)
		shift = __builtin_ctzll(~(word >> 12)) + 13;
	if (shift > 12 &&
	    FAULT("amdvi.iotlb-size", "INVALIDATE_IOTLB_PAGES with S: half the size"))
		shift--;
	if (shift > 52) {
		request->first = 0;
		request->last = UINT64_MAX;
		return;
	}
	request->first = word & ~((1ULL << shift) - 1);
	request->last = request->first | ((1ULL << shift) - 1);
}

void amdvi_ats_invalidate(struct amdvi_unit *unit, const struct amdvi_command *command,
			  uint16_t device_id, uint16_t queue_id)
{
	struct amdvi *amdvi = unit->amdvi;
	bool gn = command->word[1] & AMDVI_PAGES1_GN &&
		  !FAULT("amdvi.iotlb-gn-ignored", "INVALIDATE_IOTLB_PAGES never carries a PASID");
	uint32_t pasid = amdvi_iotlb_pasid(command->word[0]);
	struct amdvi_ats ats = {
		.unit = unit, .order = command->order, .command_addr = command->addr,
		.rid = device_id, .queue_id = queue_id,
		.named = amdvi_get(command->word[0], AMDVI_CMD0_DEVICE_ID),
		.max_pend = amdvi_get(command->word[0], AMDVI_IOTLB0_MAX_PEND),
		.deadline = UINT64_MAX,
		.request = { .has_pasid = gn, .pasid = gn ? pasid : 0 },
	};

	if (FAULT("amdvi.iotlb-pasid-bits", "INVALIDATE_IOTLB_PAGES: PASID[15:8] is taken for 7:0"))
		ats.request.pasid = amdvi_get(command->word[0], AMDVI_IOTLB0_PASID_15_8);
	decode_range(command->word[1], &ats.request);
	amdvi->ats = amdvi_grow(amdvi->ats, amdvi->ats_count, &amdvi->ats_room, sizeof(ats));
	amdvi->ats[amdvi->ats_count++] = ats;
	send_waiting(amdvi);
}

bool amdvi_ats_busy(struct amdvi_unit *unit, uint64_t order)
{
	struct amdvi *amdvi = unit->amdvi;

	for (size_t i = 0; i < amdvi->ats_count; i++)
		if (amdvi->ats[i].unit == unit && amdvi->ats[i].order < order)
			return true;
	return false;
}

static void forget(struct amdvi *amdvi, size_t i)
{
	memmove(amdvi->ats + i, amdvi->ats + i + 1,
		(--amdvi->ats_count - i) * sizeof(amdvi->ats[0]));
}

/* Requests on their way keep their ITag until they are answered; those not sent never are. */
void amdvi_ats_forget(struct amdvi_unit *unit)
{
	struct amdvi *amdvi = unit->amdvi;

	for (size_t i = amdvi->ats_count; i--; ) {
		if (amdvi->ats[i].unit != unit)
			continue;
		amdvi->ats[i].unit = NULL;
		if (!amdvi->ats[i].sent)
			forget(amdvi, i);
	}
}

/* 2.5.7: the address is that of the command */
static void time_out(struct amdvi *amdvi, const struct amdvi_ats *ats)
{
	struct amdvi_unit *unit = ats->unit ?: &amdvi->host;
	uint64_t code = amdvi_put(AMDVI_IOTLB_INV_TIMEOUT, AMDVI_EVENT0_CODE);

	if (!FAULT("amdvi.timeout-untold", "An IOTLB invalidation time-out is not logged")) {
		/* The host has to deal with the culprit; the guest knows it by another name. */
		amdvi_log_event(&amdvi->host, code | ats->rid, ats->command_addr);
		if (unit->guest)
			amdvi_log_event(unit, code | ats->named, ats->command_addr);
	}
	hw_count(amdvi->hw.counts.faults, 1);
	if (amdvi->config.timeout_halts || unit->guest) {
		unit->status &= ~AMDVI_STATUS_CMDBUF_RUN;
		unit->wait.active = false;
	}
}

bool amdvi_ats_step(struct amdvi *amdvi, bool *waiting)
{
	bool any = false;

	*waiting = false;
	for (size_t i = amdvi->ats_count; i--; ) {
		struct amdvi_ats ats = amdvi->ats[i];

		*waiting |= ats.deadline != UINT64_MAX;
		if (amdvi->now < ats.deadline)
			continue;
		forget(amdvi, i);
		time_out(amdvi, &ats);
		any = true;
	}
	if (any)
		send_waiting(amdvi);
	return any;
}

static void received(struct amdvi *amdvi, uint16_t rid, unsigned int itag, unsigned int count)
{
	for (size_t i = 0; i < amdvi->ats_count; i++) {
		struct amdvi_ats *ats = amdvi->ats + i;

		if (!ats->sent || ats->request.itag != itag ||
		    (ats->rid != rid &&
		     !FAULT("amdvi.any-device-completes", "A completion of any device is taken")))
			continue;
		if (++ats->received < count &&
		    !FAULT("amdvi.first-completion", "The first of several completions is enough"))
			return;
		forget(amdvi, i);
		return;
	}
	amdvi_trace(amdvi, "unexpected invalidate completion of %#llx, itag %llu", rid, itag);
}

/* PCIe ATS 10.3.3: CC of 0 means 8 */
void amdvi_ats_complete(struct hw_iommu *iommu, uint16_t rid, uint32_t itags, unsigned int count)
{
	struct amdvi *amdvi = amdvi_of(iommu);

	amdvi_lock(amdvi);
	amdvi_trace(amdvi, "invalidate completion of %#llx, itags %#llx count %llu", rid, itags,
		    count);
	for (unsigned int itag = 0; itag < AMDVI_ITAGS; itag++)
		if (itags >> itag & 1)
			received(amdvi, rid, itag, count ? count : 8);
	send_waiting(amdvi);
	amdvi_unit_run(&amdvi->host);
	amdvi_guests_run(amdvi);
	amdvi_unlock(amdvi);
}
