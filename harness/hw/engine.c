// SPDX-License-Identifier: GPL-2.0-only
#include <sched.h>

#include "core/fault.h"

#include "endpoint_state.h"

#define PAGE_SIZE 4096ULL

/*
 * An engine's own thread makes it run and idle. Held and stalled are seen and changed by others
 * too, under the lock of the endpoint.
 */
static enum engine_state get_state(const struct engine *engine)
{
	return __atomic_load_n(&engine->state, __ATOMIC_ACQUIRE);
}

static void set_state(struct engine *engine, enum engine_state state)
{
	__atomic_store_n(&engine->state, state, __ATOMIC_RELEASE);
}

/* ---- Draining ---- */

void engines_take(struct endpoint *endpoint, unsigned int classes, struct engine_drain *drain)
{
	inflight_fence();
	for (unsigned int i = 0; i < ENDPOINT_ENGINES; i++) {
		struct inflight_slot *slot = __atomic_load_n(&endpoint->engines[i].access,
							     __ATOMIC_SEQ_CST);
		uint64_t state = slot ? atomic_load(&slot->state) : 0;

		drain->state[i] = state & classes ? state : 0;
	}
	if (FAULT("endpoint.drains-first-engine-only", "only engine 0 is waited for"))
		for (unsigned int i = 1; i < ENDPOINT_ENGINES; i++)
			drain->state[i] = 0;
}

bool engines_drained(struct endpoint *endpoint, struct engine_drain *drain)
{
	bool drained = true;

	for (unsigned int i = 0; i < ENDPOINT_ENGINES; i++) {
		if (!drain->state[i])
			continue;
		if (atomic_load(&endpoint->engines[i].access->state) == drain->state[i])
			drained = false;
		else
			drain->state[i] = 0;
	}
	return drained;
}

/* Only for what a thread is in the middle of: who is held or stalled waits for software himself. */
void engines_wait(struct endpoint *endpoint)
{
	struct engine_drain drain;

	engines_take(endpoint, INFLIGHT_UNTRANSLATED | INFLIGHT_TRANSLATED, &drain);
	for (;;) {
		for (unsigned int i = 0; i < ENDPOINT_ENGINES; i++)
			if (get_state(&endpoint->engines[i]) != ENGINE_RUNNING)
				drain.state[i] = 0;
		if (engines_drained(endpoint, &drain))
			return;
		sched_yield();
	}
}

static void abort_engine(struct engine *engine)
{
	enum engine_state state = get_state(engine);

	if (state != ENGINE_HELD && state != ENGINE_STALLED)
		return;
	if (FAULT("endpoint.flr-keeps-requests",
		  "a request that was held or stalled at a reset goes on after it"))
		return;
	if (state == ENGINE_HELD)
		inflight_leave(engine->access);
	set_state(engine, ENGINE_RESET);
}

void engines_abort(struct endpoint *endpoint)
{
	pthread_mutex_lock(&endpoint->lock);
	for (unsigned int i = 0; i < ENDPOINT_ENGINES; i++)
		abort_engine(&endpoint->engines[i]);
	endpoint->resume_count = 0;
	pthread_mutex_unlock(&endpoint->lock);
}

/* ---- Translation ---- */

static struct hw_request request_of(const struct dma *dma, uint64_t addr, enum hw_request_type type,
				    uint16_t rid)
{
	static const uint8_t access[] = {
		[DMA_READ] = HW_READ,
		[DMA_WRITE] = HW_WRITE,
		[DMA_SWAP] = HW_READ | HW_WRITE,
	};
	bool has_pasid = dma->pasid != DMA_NO_PASID && type != HW_TRANSLATED;

	return (struct hw_request){
		.type = type, .rid = rid, .has_pasid = has_pasid,
		.pasid = has_pasid ? dma->pasid : 0, .addr = addr,
		.access = access[dma->op] | (dma->exec ? HW_EXEC : 0) | (dma->priv ? HW_PRIV : 0),
	};
}

/*
 * Each of these enters, finds where @addr is in memory and stays in flight; or leaves again.
 * Enables are read in flight: whoever clears one and then waits for the engines is sure of them.
 */
typedef enum dma_status translate_fn(struct endpoint *endpoint, struct engine *engine,
				     const struct dma *dma, uint64_t addr, uint64_t *pa);

static enum dma_status leave(struct engine *engine, enum dma_status status)
{
	inflight_leave(engine->access);
	return status;
}

static enum dma_status ask(struct endpoint *endpoint, struct engine *engine,
			   const struct hw_request *request, uint64_t *pa)
{
	struct hw_iommu *iommu = endpoint->iommu;
	struct hw_translation translation = {};

	switch (iommu->ops->translate(iommu, request, &translation)) {
	case HW_OK:
		*pa = translation.pa;
		return DMA_HELD;
	case HW_STALLED:
		engine->token = translation.token;
		return leave(engine, DMA_STALLED);
	default:
		return leave(engine, DMA_ABORTED);
	}
}

static bool may_send(const struct endpoint *endpoint, const struct dma *dma)
{
	return endpoint_is_on(&endpoint->bus_master) &&
	       (dma->pasid == DMA_NO_PASID || endpoint_is_on(&endpoint->pasid));
}

static enum dma_status untranslated(struct endpoint *endpoint, struct engine *engine,
				    const struct dma *dma, uint64_t addr, uint64_t *pa)
{
	struct hw_request request = request_of(dma, addr, HW_UNTRANSLATED, endpoint->config.rid);

	inflight_enter(engine->access, INFLIGHT_UNTRANSLATED);
	if (!may_send(endpoint, dma))
		return leave(engine, DMA_ABORTED);
	return ask(endpoint, engine, &request, pa);
}

/* A translated request carries no PASID: its address needs none (PCIe ATS 10.1.1). */
static enum dma_status raw(struct endpoint *endpoint, struct engine *engine,
			   const struct dma *dma, uint64_t addr, uint64_t *pa)
{
	struct hw_request request = request_of(dma, addr, HW_TRANSLATED, endpoint->config.rid);

	inflight_enter(engine->access, INFLIGHT_TRANSLATED);
	if (!endpoint_is_on(&endpoint->bus_master))
		return leave(engine, DMA_ABORTED);
	return ask(endpoint, engine, &request, pa);
}

enum hw_status engine_translate(struct endpoint *endpoint, struct inflight_slot *walk,
				const struct hw_request *request,
				struct hw_translation *translation)
{
	struct hw_iommu *iommu = endpoint->iommu;
	enum hw_status status;

	inflight_enter(walk, INFLIGHT_UNTRANSLATED);
	status = iommu->ops->translate(iommu, request, translation);
	inflight_leave(walk);
	return status;
}

/* The freedom to know what lies next to what was asked for. */
static void fetch_neighbour(struct endpoint *endpoint, struct engine *engine,
			    const struct hw_request *request)
{
	struct hw_request neighbour = *request;
	struct hw_translation translation = {};
	uint64_t generation = atc_generation(&endpoint->atc);

	neighbour.addr ^= PAGE_SIZE;
	if (engine_translate(endpoint, engine->walk, &neighbour, &translation) == HW_OK)
		atc_fill(&endpoint->atc, &neighbour, &translation, generation);
}

/*
 * Ask for what the ATC does not have. A completion that an invalidation overtook is not cached,
 * but still used by this one request: it is in flight, and the invalidation waits for it.
 */
static bool fetch(struct endpoint *endpoint, struct engine *engine,
		  const struct hw_request *request, struct hw_translation *translation)
{
	uint64_t generation = atc_generation(&endpoint->atc);

	*translation = (struct hw_translation){};
	if (engine_translate(endpoint, engine->walk, request, translation) != HW_OK)
		return false;
	atc_fill(&endpoint->atc, request, translation, generation);
	if (freedom_take(&endpoint->freedom, endpoint->freedom.prefetch))
		fetch_neighbour(endpoint, engine, request);
	return true;
}

static bool grants(const struct hw_translation *translation, const struct hw_request *request)
{
	uint8_t needed = request->access & (HW_READ | HW_WRITE | HW_EXEC);

	if (FAULT("endpoint.ignores-permission", "a completion is used whatever it grants"))
		return true;
	return !(needed & ~translation->perm);
}

static enum dma_status through_atc(struct endpoint *endpoint, struct engine *engine,
				   const struct dma *dma, uint64_t addr, uint64_t *pa)
{
	struct hw_request request = request_of(dma, addr, HW_TRANSLATION_REQUEST,
					       endpoint->config.rid);
	struct hw_translation translation;
	bool hit;

	inflight_enter(engine->access, INFLIGHT_TRANSLATED);
	if (!may_send(endpoint, dma))
		return leave(engine, DMA_ABORTED);
	if (!endpoint_is_on(&endpoint->ats) &&
	    !FAULT("endpoint.uses-atc-while-off", "translated requests go out while ATS is off"))
		return leave(engine, DMA_ABORTED);
	hit = atc_lookup(&endpoint->atc, &request, &translation);
	if (!hit && !fetch(endpoint, engine, &request, &translation))
		return leave(engine, DMA_ABORTED);
	if (translation.untranslated_only &&
	    !FAULT("endpoint.ignores-untranslated-only", "the U bit of a completion is ignored")) {
		leave(engine, DMA_DONE);
		return untranslated(endpoint, engine, dma, addr, pa);
	}
	if (!hit && !grants(&translation, &request))
		return leave(engine, DMA_ABORTED);
	request = request_of(dma, translation.pa, HW_TRANSLATED, endpoint->config.rid);
	return ask(endpoint, engine, &request, pa);
}

static translate_fn * const translate[] = {
	[DMA_PLAIN] = untranslated,
	[DMA_ATS] = through_atc,
	[DMA_RAW] = raw,
};

/* ---- Memory ---- */

static int swap(struct hw_mem *mem, uint64_t pa, void *data)
{
	uint64_t old, found, new;
	int rc;

	memcpy(&new, data, sizeof(new));
	rc = hw_read64(mem, pa, &old);
	while (!rc) {
		rc = hw_cas64(mem, pa, old, new, &found);
		if (!rc && found == old)
			break;
		old = found;
	}
	if (!rc)
		memcpy(data, &old, sizeof(old));
	return rc;
}

static enum dma_status access_memory(struct endpoint *endpoint, struct engine *engine,
				     const struct dma *dma, uint64_t pa, size_t done, size_t len)
{
	struct hw_mem *mem = &endpoint->machine->mem;
	uint8_t *data = (uint8_t *)dma->data + done;
	int rc;

	if (dma->op == DMA_READ)
		rc = hw_read(mem, pa, data, len);
	else if (dma->op == DMA_WRITE)
		rc = hw_write(mem, pa, data, len);
	else
		rc = swap(mem, pa, data);
	if (hw_trace_wants_dma(endpoint->machine->trace))
		hw_trace(endpoint->machine->trace, endpoint->unit,
			 "dma op %llu addr %#llx pa %#llx len %llu status %llu", dma->op,
			 dma->addr + done, pa, len, !!rc);
	return leave(engine, rc ? DMA_ABORTED : DMA_DONE);
}

/* ---- One DMA ---- */

static bool has_slots(struct endpoint *endpoint, struct engine *engine)
{
	struct inflight *inflight = &endpoint->machine->inflight;

	if (!engine->walk)
		engine->walk = inflight_slot_get(inflight);
	if (!engine->access)
		__atomic_store_n(&engine->access, inflight_slot_get(inflight), __ATOMIC_SEQ_CST);
	return engine->access && engine->walk;
}

static bool well_formed(const struct dma *dma)
{
	if (dma->op == DMA_SWAP && (dma->len != 8 || dma->addr & 7))
		return false;
	return !dma->len || dma->addr + (dma->len - 1) >= dma->addr;
}

static struct engine *begin(struct endpoint *endpoint, unsigned int index, struct dma *dma)
{
	struct engine *engine = &endpoint->engines[index];

	if (index >= ENDPOINT_ENGINES || !well_formed(dma) || get_state(engine) != ENGINE_IDLE ||
	    !has_slots(endpoint, engine))
		return NULL;
	engine->dma = dma;
	engine->done = 0;
	set_state(engine, ENGINE_RUNNING);
	return engine;
}

static size_t piece(const struct dma *dma, size_t done)
{
	size_t room = PAGE_SIZE - ((dma->addr + done) & (PAGE_SIZE - 1));

	return dma->len - done < room ? dma->len - done : room;
}

/* The IOMMU may have answered a stalled request before its engine came to know of the stall. */
static void stall(struct endpoint *endpoint, struct engine *engine)
{
	pthread_mutex_lock(&endpoint->lock);
	set_state(engine, ENGINE_STALLED);
	engine->resume = RESUME_NOT_YET;
	for (unsigned int i = 0; i < endpoint->resume_count; i++) {
		if (endpoint->resumes[i].token != engine->token)
			continue;
		engine->resume = endpoint->resumes[i].retry ? RESUME_RETRY : RESUME_ABORT;
		endpoint->resumes[i] = endpoint->resumes[--endpoint->resume_count];
		break;
	}
	pthread_mutex_unlock(&endpoint->lock);
}

/* Translate the next piece; DMA_HELD: in flight, and memory is at engine->pa. */
static enum dma_status translate_piece(struct endpoint *endpoint, struct engine *engine)
{
	const struct dma *dma = engine->dma;

	return translate[dma->address](endpoint, engine, dma, dma->addr + engine->done,
				       &engine->pa);
}

static enum dma_status settle(struct endpoint *endpoint, struct engine *engine,
			      enum dma_status status)
{
	if (status == DMA_STALLED)
		stall(endpoint, engine);
	else
		set_state(engine, ENGINE_IDLE);
	return status;
}

static enum dma_status run(struct endpoint *endpoint, struct engine *engine)
{
	const struct dma *dma = engine->dma;
	enum dma_status status = DMA_DONE;

	while (status == DMA_DONE && engine->done < dma->len) {
		size_t len = piece(dma, engine->done);

		status = translate_piece(endpoint, engine);
		if (status == DMA_HELD) {
			if (dma->between)
				dma->between(dma->arg);
			status = access_memory(endpoint, engine, dma, engine->pa, engine->done,
					       len);
		}
		if (status == DMA_DONE)
			engine->done += len;
	}
	return settle(endpoint, engine, status);
}

enum dma_status endpoint_dma(struct endpoint *endpoint, unsigned int index, struct dma *dma)
{
	struct engine *engine = begin(endpoint, index, dma);

	return engine ? run(endpoint, engine) : DMA_ABORTED;
}

enum dma_status endpoint_dma_start(struct endpoint *endpoint, unsigned int index, struct dma *dma)
{
	struct engine *engine = begin(endpoint, index, dma);
	enum dma_status status;

	if (!engine)
		return DMA_ABORTED;
	status = piece(dma, 0) == dma->len ? translate_piece(endpoint, engine) : DMA_ABORTED;
	if (status != DMA_HELD)
		return settle(endpoint, engine, status);
	set_state(engine, ENGINE_HELD);
	return DMA_HELD;
}

enum dma_status endpoint_dma_finish(struct endpoint *endpoint, unsigned int index)
{
	struct engine *engine = &endpoint->engines[index];
	enum engine_state state;
	int resume;

	pthread_mutex_lock(&endpoint->lock);
	state = get_state(engine);
	resume = engine->resume;
	if (state == ENGINE_STALLED && resume == RESUME_NOT_YET) {
		pthread_mutex_unlock(&endpoint->lock);
		return DMA_STALLED;
	}
	set_state(engine, ENGINE_RUNNING);
	pthread_mutex_unlock(&endpoint->lock);

	if (state == ENGINE_HELD)
		return settle(endpoint, engine,
			      access_memory(endpoint, engine, engine->dma, engine->pa, 0,
					    engine->dma->len));
	if (state == ENGINE_STALLED &&
	    (resume == RESUME_RETRY ||
	     FAULT("endpoint.abort-retries", "a stalled request that is aborted is retried")))
		return run(endpoint, engine);
	return settle(endpoint, engine, DMA_ABORTED);
}

void endpoint_resume(struct endpoint *endpoint, uint64_t token, bool retry)
{
	bool found = false, running = false;

	pthread_mutex_lock(&endpoint->lock);
	for (unsigned int i = 0; i < ENDPOINT_ENGINES && !found; i++) {
		struct engine *engine = &endpoint->engines[i];
		enum engine_state state = get_state(engine);

		running |= state == ENGINE_RUNNING;
		found = state == ENGINE_STALLED && engine->token == token &&
			engine->resume == RESUME_NOT_YET;
		if (found)
			engine->resume = retry ? RESUME_RETRY : RESUME_ABORT;
	}
	if (!found && running && endpoint->resume_count < RESUMES)
		endpoint->resumes[endpoint->resume_count++] = (struct resume){ token, retry };
	pthread_mutex_unlock(&endpoint->lock);
}
