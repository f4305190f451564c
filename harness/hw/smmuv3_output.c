// SPDX-License-Identifier: GPL-2.0-only
/*
 * What software reads: the event queue and the PRI queue (IHI 0070 chapters 7 and 8), GERROR (7.5),
 * and interrupts (3.18).
 */
#include "smmuv3_impl.h"

/* ---- Interrupts and global errors ---- */

/** smmuv3_msi() - Write 32 bits, to the interrupt controller or to memory that software polls */
void smmuv3_msi(struct smmuv3 *smmu, uint64_t addr, uint32_t data)
{
	if (!addr)
		return;
	smmu_trace(smmu, "msi %#llx to %#llx", data, addr);
	if (hw_ram(smmu->iommu.mem, addr, 4))
		hw_write32(smmu->iommu.mem, addr, data);
	else
		hw_msi(smmu->iommu.mem, addr, data);
}

static void interrupt(struct smmuv3 *smmu, uint32_t source, const struct smmuv3_msi *msi)
{
	if (reg_get(smmu->irq_ctrl) & source && smmu->config.msi)
		smmuv3_msi(smmu, msi->addr, msi->data);
}

/* Under @output_lock. An error that is already active is not activated again (7.5). */
static void gerror_locked(struct smmuv3 *smmu, uint32_t error)
{
	if ((smmu->gerror ^ smmu->gerrorn) & error)
		return;
	reg_set(smmu->gerror, smmu->gerror ^ error);
	smmu_trace(smmu, "gerror %#llx", error);
	if (!FAULT("smmuv3.gerror-interrupt-lost", "a global error is no interrupt"))
		interrupt(smmu, SMMU_IRQ_CTRL_GERROR, &smmu->gerror_msi);
}

void smmuv3_gerror(struct smmuv3 *smmu, uint32_t error)
{
	pthread_mutex_lock(&smmu->output_lock);
	gerror_locked(smmu, error);
	pthread_mutex_unlock(&smmu->output_lock);
}

/* ---- Queues, 3.5: all under @output_lock ---- */

static bool queue_full(const struct smmuv3_queue *queue)
{
	return smmu_queue_full(queue->prod, queue->cons, queue->log2size);
}

static void queue_overflow(struct smmuv3_queue *queue)
{
	if (!((queue->prod ^ queue->cons) & SMMU_Q_OVFLG))
		queue->prod ^= SMMU_Q_OVFLG;
}

static bool queue_write(struct smmuv3 *smmu, struct smmuv3_queue *queue, const uint64_t *words,
			unsigned int count)
{
	uint64_t pa = queue->base +
		      (uint64_t)smmu_queue_index(queue->prod, queue->log2size) * count * 8;

	for (unsigned int i = 0; i < count; i++)
		if (hw_write64(smmu->iommu.mem, pa + i * 8, words[i]))
			return false;
	queue->prod = smmu_queue_next(queue->prod, queue->log2size) | (queue->prod & SMMU_Q_OVFLG);
	return true;
}

/* ---- Events ---- */

bool smmuv3_eventq_writable(const struct smmuv3 *smmu)
{
	return smmu->cr0 & SMMU_CR0_EVENTQEN && !queue_full(&smmu->eventq) &&
	       !((smmu->gerror ^ smmu->gerrorn) & SMMU_GERROR_EVENTQ_ABT_ERR);
}

/** smmuv3_event_write() - Write one record; false: the queue cannot take it */
bool smmuv3_event_write(struct smmuv3 *smmu, const uint64_t words[4])
{
	bool was_empty = smmu_queue_empty(smmu->eventq.prod, smmu->eventq.cons,
					  smmu->eventq.log2size);

	if (!smmuv3_eventq_writable(smmu))
		return false;
	if (!queue_write(smmu, &smmu->eventq, words, 4)) {
		gerror_locked(smmu, SMMU_GERROR_EVENTQ_ABT_ERR);
		return false;
	}
	memcpy(smmu->last_event, words, sizeof(smmu->last_event));
	smmu_trace(smmu, "event %#llx %#llx %#llx %#llx", words[0], words[1], words[2], words[3]);
	if (was_empty)
		interrupt(smmu, SMMU_IRQ_CTRL_EVENTQ, &smmu->eventq_msi);
	return true;
}

/* The record before is the same but for the address within the page (7.3.1), and still unread. */
static bool mergeable(const struct smmuv3 *smmu, const uint64_t words[4])
{
	const uint64_t *last = smmu->last_event;

	return !smmu_queue_empty(smmu->eventq.prod, smmu->eventq.cons, smmu->eventq.log2size) &&
	       last[0] == words[0] && last[1] == words[1] && last[3] == words[3] &&
	       last[2] >> 12 == words[2] >> 12;
}

static void event_locked(struct smmuv3 *smmu, const uint64_t words[4], bool merge)
{
	if (!(smmu->cr0 & SMMU_CR0_EVENTQEN))
		return;
	if (merge && mergeable(smmu, words))
		return;
	if (!smmuv3_event_write(smmu, words) && queue_full(&smmu->eventq) &&
	    !FAULT("smmuv3.event-overflow-silent", "a lost event does not flag an overflow"))
		queue_overflow(&smmu->eventq);
}

/** smmuv3_event() - A fault of a request that was terminated; may become visible later (4.7.3) */
void smmuv3_event(struct smmuv3 *smmu, const uint64_t words[4], bool merge)
{
	struct freedom *freedom = &smmu->iommu.freedom;
	unsigned int steps = 0;

	if (freedom_take(freedom, freedom->delay) && freedom->delay_steps)
		steps = freedom_draw(freedom) % freedom->delay_steps + 1;
	if (FAULT("smmuv3.event-after-sync", "CMD_SYNC does not wait for event records"))
		steps = 3;
	if (FAULT("smmuv3.mev-ignored", "events merge although STE.MEV is 0"))
		merge = true;
	pthread_mutex_lock(&smmu->output_lock);
	if (steps && smmu->late_count < LATE_EVENTS) {
		memcpy(smmu->late[smmu->late_count].words, words, sizeof(uint64_t[4]));
		smmu->late[smmu->late_count++].delay = steps;
	} else {
		event_locked(smmu, words, merge);
	}
	pthread_mutex_unlock(&smmu->output_lock);
}

static bool late_events(struct smmuv3 *smmu, bool all)
{
	unsigned int kept = 0, count = smmu->late_count;

	for (unsigned int i = 0; i < count; i++) {
		if (all || !--smmu->late[i].delay)
			event_locked(smmu, smmu->late[i].words, false);
		else
			smmu->late[kept++] = smmu->late[i];
	}
	smmu->late_count = kept;
	return count;
}

/** smmuv3_event_flush() - Whatever was to be recorded is, or never will be */
void smmuv3_event_flush(struct smmuv3 *smmu)
{
	pthread_mutex_lock(&smmu->output_lock);
	late_events(smmu, true);
	pthread_mutex_unlock(&smmu->output_lock);
}

/* ---- Page requests ---- */

static bool is_stop_marker(const struct hw_page_request *request)
{
	return request->has_pasid && request->last && !(request->access & (HW_READ | HW_WRITE));
}

/* To be sent with the next step: who sends us a message is not called back at once. */
static void respond_later(struct smmuv3 *smmu, const struct hw_page_request *request,
			  bool overflow)
{
	if (is_stop_marker(request) || smmu->response_count == AUTO_RESPONSES)
		return;
	if (FAULT("smmuv3.pri-no-auto-response", "a page request that is dropped gets no answer"))
		return;
	smmu->responses[smmu->response_count].request = *request;
	smmu->responses[smmu->response_count++].overflow = overflow;
}

static bool priq_enabled(const struct smmuv3 *smmu)
{
	return (smmu->cr0 & (SMMU_CR0_PRIQEN | SMMU_CR0_SMMUEN)) ==
		       (SMMU_CR0_PRIQEN | SMMU_CR0_SMMUEN) &&
	       !((smmu->gerror ^ smmu->gerrorn) & SMMU_GERROR_PRIQ_ABT_ERR);
}

static void page_request_locked(struct smmuv3 *smmu, const struct hw_page_request *request)
{
	bool was_empty = smmu_queue_empty(smmu->priq.prod, smmu->priq.cons, smmu->priq.log2size);
	uint64_t words[2] = {
		smmu_put(PRI0_SID, request->rid) | (request->last ? PRI0_LAST : 0) |
		(request->access & HW_READ ? PRI0_READ : 0) |
		(request->access & HW_WRITE ? PRI0_WRITE : 0),
		smmu_put(PRI1_PRGINDEX, request->index) | (request->addr & PRI1_ADDR),
	};

	if (request->has_pasid)
		words[0] |= PRI0_SSV | smmu_put(PRI0_SSID, request->pasid) |
			    (request->access & HW_EXEC ? PRI0_EXEC : 0) |
			    (request->access & HW_PRIV ? PRI0_PRIV : 0);
	if (!smmu->config.pri || !priq_enabled(smmu)) {
		respond_later(smmu, request, false);
		return;
	}
	if (queue_full(&smmu->priq))
		queue_overflow(&smmu->priq);
	/* While the overflow stands, nothing is written, even if there is room again (8.1). */
	if ((smmu->priq.prod ^ smmu->priq.cons) & SMMU_Q_OVFLG) {
		if (request->last)
			respond_later(smmu, request, true);
		return;
	}
	if (!queue_write(smmu, &smmu->priq, words, 2)) {
		gerror_locked(smmu, SMMU_GERROR_PRIQ_ABT_ERR);
		respond_later(smmu, request, false);
		return;
	}
	if (smmu->priq_msi.attributes & SMMU_PRIQ_IRQ_CFG2_LO ? request->last : was_empty)
		interrupt(smmu, SMMU_IRQ_CTRL_PRIQ, &smmu->priq_msi);
}

/** smmuv3_page_request() - A PRI message */
void smmuv3_page_request(struct hw_iommu *iommu, const struct hw_page_request *request)
{
	struct smmuv3 *smmu = to_smmuv3(iommu);

	pthread_mutex_lock(&smmu->output_lock);
	smmu_trace(smmu, "page request rid %#llx group %llu addr %#llx last %llu", request->rid,
		   request->index, request->addr, request->last);
	page_request_locked(smmu, request);
	pthread_mutex_unlock(&smmu->output_lock);
}

/*
 * PASID and code of an automatic response: Failure without PASID while the queue is off; after an
 * overflow Success, with the PASID if IDR3.PPS or STE.PPAR says so (8.1, 8.2).
 */
static void auto_response(struct smmuv3 *smmu, const struct hw_page_request *request,
			  bool overflow)
{
	struct endpoint *endpoint = machine_endpoint(smmu->iommu.machine, request->rid);
	struct hw_request lookup = { .rid = request->rid };
	bool pasid = overflow && request->has_pasid;
	uint8_t code = overflow ? 0 : 0xf;
	struct smmuv3_walk walk;

	if (!endpoint)
		return;
	if (pasid && !smmu->config.pps) {
		smmuv3_walk_init(&walk, smmu);
		if (!(smmu->cr0 & SMMU_CR0_SMMUEN) ||
		    smmuv3_config_lookup(&walk, &lookup, LOOKUP_STE_ONLY)) {
			code = 0xf;
			pasid = false;
		} else {
			pasid = walk.context.flags & CONTEXT_PPAR;
		}
	}
	smmu_trace(smmu, "auto response rid %#llx group %llu code %llu", request->rid,
		   request->index, code);
	endpoint_prg_response(endpoint, pasid, pasid ? request->pasid : 0, request->index, code);
}

/** smmuv3_output_step() - Records that waited, responses; true if there were any */
bool smmuv3_output_step(struct smmuv3 *smmu)
{
	unsigned int count;
	bool any;

	pthread_mutex_lock(&smmu->output_lock);
	any = late_events(smmu, false);
	count = smmu->response_count;
	pthread_mutex_unlock(&smmu->output_lock);
	for (unsigned int i = 0; i < count; i++)
		auto_response(smmu, &smmu->responses[i].request, smmu->responses[i].overflow);
	if (count) {
		pthread_mutex_lock(&smmu->output_lock);
		smmu->response_count -= count;
		memmove(&smmu->responses[0], &smmu->responses[count],
			smmu->response_count * sizeof(smmu->responses[0]));
		pthread_mutex_unlock(&smmu->output_lock);
	}
	return any || count;
}
