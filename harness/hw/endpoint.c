// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "core/fault.h"

#include "endpoint_state.h"

#define STREAM 256	/* of the machine's seed; IOMMUs have the numbers below */

/* ---- Life ---- */

struct endpoint *endpoint_create(struct machine *machine, struct hw_iommu *iommu,
				 const struct endpoint_config *config)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (!endpoint)
		return NULL;
	endpoint->machine = machine;
	endpoint->iommu = iommu;
	endpoint->config = *config;
	endpoint->bus_master = true;
	freedom_seed(&endpoint->freedom, machine->seed, STREAM + config->rid);
	snprintf(endpoint->unit, sizeof(endpoint->unit), "dev %02x:%02x.%x", config->rid >> 8,
		 config->rid >> 3 & 0x1f, config->rid & 7);
	ats_queue_init(&endpoint->queue, config->ats_queue_depth);
	pthread_mutex_init(&endpoint->lock, NULL);
	if (atc_init(&endpoint->atc, config->atc_entries, config->global_invalidate,
		     machine->seed + config->rid, &endpoint->freedom) ||
	    machine_add_endpoint(machine, endpoint)) {
		endpoint_destroy(endpoint);
		return NULL;
	}
	return endpoint;
}

void endpoint_destroy(struct endpoint *endpoint)
{
	if (!endpoint)
		return;
	machine_remove_endpoint(endpoint->machine, endpoint);
	for (unsigned int i = 0; i < ENDPOINT_ENGINES; i++) {
		if (endpoint->engines[i].state == ENGINE_HELD)
			inflight_leave(endpoint->engines[i].access);
		inflight_slot_put(endpoint->engines[i].access);
		inflight_slot_put(endpoint->engines[i].walk);
	}
	inflight_slot_put(endpoint->prefetch.walk);
	atc_fini(&endpoint->atc);
	pthread_mutex_destroy(&endpoint->lock);
	free(endpoint);
}

uint16_t endpoint_rid(const struct endpoint *endpoint)
{
	return endpoint->config.rid;
}

struct hw_iommu *endpoint_iommu(const struct endpoint *endpoint)
{
	return endpoint->iommu;
}

const struct endpoint_config *endpoint_config(const struct endpoint *endpoint)
{
	return &endpoint->config;
}

struct endpoint_behaviour *endpoint_behaviour(struct endpoint *endpoint)
{
	return &endpoint->behaviour;
}

struct freedom *endpoint_freedom(struct endpoint *endpoint)
{
	return &endpoint->freedom;
}

size_t endpoint_atc_count(const struct endpoint *endpoint)
{
	return tlb_count(endpoint->atc.tlb);
}

/* ---- Config space ---- */

/* With ATS off. What is on its way comes too late: nothing may fill the ATC once it is cleared. */
static void forget_translations(struct endpoint *endpoint)
{
	engines_wait(endpoint);
	atc_clear(&endpoint->atc);
	pthread_mutex_lock(&endpoint->lock);
	endpoint->prefetch.stale = true;
	pthread_mutex_unlock(&endpoint->lock);
}

int endpoint_ats_enable(struct endpoint *endpoint, bool on)
{
	if (!endpoint->config.ats)
		return -EINVAL;
	endpoint_turn(&endpoint->ats, on);
	hw_trace(endpoint->machine->trace, endpoint->unit, "ats %llu", on);
	if (!on && !FAULT("endpoint.ats-off-keeps-atc", "the ATC survives that ATS is disabled"))
		forget_translations(endpoint);
	return 0;
}

int endpoint_pasid_enable(struct endpoint *endpoint, bool on)
{
	if (!endpoint->config.pasid)
		return -EINVAL;
	endpoint_turn(&endpoint->pasid, on);
	return 0;
}

void endpoint_bus_master(struct endpoint *endpoint, bool on)
{
	endpoint_turn(&endpoint->bus_master, on);
}

void endpoint_flr(struct endpoint *endpoint)
{
	hw_trace(endpoint->machine->trace, endpoint->unit, "function level reset");
	endpoint_turn(&endpoint->bus_master, false);
	endpoint_turn(&endpoint->ats, false);
	endpoint_turn(&endpoint->pasid, false);
	endpoint_turn(&endpoint->pri, false);
	engines_wait(endpoint);
	engines_abort(endpoint);
	if (!FAULT("endpoint.flr-keeps-atc", "the ATC survives a function level reset"))
		forget_translations(endpoint);
	pthread_mutex_lock(&endpoint->lock);
	if (!FAULT("endpoint.flr-keeps-invalidations",
		   "invalidate requests of before a reset are answered after it"))
		endpoint->queue.count = 0;
	memset(endpoint->prgs, 0, sizeof(endpoint->prgs));
	endpoint->pri_failed = false;
	pthread_mutex_unlock(&endpoint->lock);
}

/* ---- Translations asked for in advance ---- */

static bool prefetch_begin(struct endpoint *endpoint)
{
	struct prefetch *prefetch = &endpoint->prefetch;
	bool free;

	pthread_mutex_lock(&endpoint->lock);
	free = !prefetch->pending;
	if (free && !prefetch->walk)
		prefetch->walk = inflight_slot_get(&endpoint->machine->inflight);
	if (free && prefetch->walk)
		prefetch->stale = false;
	free = free && prefetch->walk;
	pthread_mutex_unlock(&endpoint->lock);
	return free;
}

int endpoint_prefetch_start(struct endpoint *endpoint, uint32_t pasid, uint64_t addr,
			    uint8_t access)
{
	struct prefetch *prefetch = &endpoint->prefetch;
	struct hw_request request = {
		.type = HW_TRANSLATION_REQUEST, .rid = endpoint->config.rid,
		.has_pasid = pasid != DMA_NO_PASID, .pasid = pasid == DMA_NO_PASID ? 0 : pasid,
		.addr = addr, .access = access,
	};
	struct hw_translation translation = {};
	uint64_t generation = atc_generation(&endpoint->atc);

	if (!endpoint_is_on(&endpoint->ats) || !endpoint_is_on(&endpoint->bus_master) ||
	    (request.has_pasid && !endpoint_is_on(&endpoint->pasid)))
		return -EINVAL;
	if (!prefetch_begin(endpoint))
		return -EBUSY;
	if (engine_translate(endpoint, prefetch->walk, &request, &translation) != HW_OK)
		return -EIO;
	if (translation.untranslated_only ||
	    access & (HW_READ | HW_WRITE | HW_EXEC) & ~translation.perm)
		return -EACCES;
	pthread_mutex_lock(&endpoint->lock);
	prefetch->pending = true;
	/* An invalidation while the IOMMU was walking: whether it named this nobody can say. */
	if (atc_generation(&endpoint->atc) != generation)
		prefetch->stale = true;
	prefetch->request = request;
	prefetch->translation = translation;
	pthread_mutex_unlock(&endpoint->lock);
	return 0;
}

int endpoint_prefetch_finish(struct endpoint *endpoint)
{
	struct prefetch *prefetch = &endpoint->prefetch;
	int rc = 0;

	pthread_mutex_lock(&endpoint->lock);
	if (!prefetch->pending)
		rc = -ENOENT;
	else if (prefetch->stale && !atc_keeps_overtaken())
		rc = -ECANCELED;
	else
		atc_fill(&endpoint->atc, &prefetch->request, &prefetch->translation,
			 atc_generation(&endpoint->atc));
	prefetch->pending = false;
	pthread_mutex_unlock(&endpoint->lock);
	return rc;
}

int endpoint_prefetch(struct endpoint *endpoint, uint32_t pasid, uint64_t addr, uint8_t access)
{
	int rc = endpoint_prefetch_start(endpoint, pasid, addr, access);

	return rc ? rc : endpoint_prefetch_finish(endpoint);
}

/* ---- Invalidation ---- */

void endpoint_ats_invalidate(struct endpoint *endpoint, const struct hw_ats_invalidate *request)
{
	bool taken, lost;

	hw_trace(endpoint->machine->trace, endpoint->unit,
		 "ats invalidate itag %llu pasid %#llx global %llu [%#llx, %#llx]", request->itag,
		 request->has_pasid ? request->pasid : DMA_NO_PASID, request->global,
		 request->first, request->last);
	if (endpoint->behaviour.drop_invalidates ||
	    !(endpoint_is_on(&endpoint->ats) || endpoint->config.answers_while_off))
		return;
	pthread_mutex_lock(&endpoint->lock);
	lost = endpoint->behaviour.lose_invalidates;
	endpoint->behaviour.lose_invalidates -= lost;
	taken = !lost &&
		ats_queue_put(&endpoint->queue, request, endpoint->behaviour.delay_steps);
	if (taken && freedom_take(&endpoint->freedom, endpoint->freedom.early))
		atc_invalidate(&endpoint->atc, request);
	pthread_mutex_unlock(&endpoint->lock);
	if (!taken)
		hw_trace(endpoint->machine->trace, endpoint->unit, lost ?
			 "ats invalidate itag %llu lost" :
			 "ats invalidate itag %llu lost: queue full", request->itag);
}

bool endpoint_step(struct endpoint *endpoint)
{
	struct hw_iommu *iommu = endpoint->iommu;
	struct ats_answer answers[ATS_QUEUE_ROOM];
	unsigned int count;
	bool any;

	pthread_mutex_lock(&endpoint->lock);
	any = ats_queue_step(&endpoint->queue, endpoint, answers, &count);
	pthread_mutex_unlock(&endpoint->lock);
	for (unsigned int i = 0; i < count; i++)
		for (unsigned int n = 0; n < answers[i].times; n++)
			iommu->ops->ats_complete(iommu, endpoint->config.rid, answers[i].itags,
						 answers[i].cc);
	return any;
}
