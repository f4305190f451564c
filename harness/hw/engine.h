/* SPDX-License-Identifier: GPL-2.0-only */
/* A DMA engine of an endpoint, and how an invalidation waits for all of them. */
#ifndef NIT_HW_ENGINE_H
#define NIT_HW_ENGINE_H

#include "core/dma.h"

#include "endpoint.h"
#include "inflight.h"

/**
 * struct engine - one engine; it does one DMA at a time, for one thread
 * @access: in flight from before it looks into the ATC until memory was accessed
 * @walk: in flight while a translation request is with the IOMMU
 * @state: atomic; while held or stalled it and @resume belong to the lock of the endpoint
 * @done: bytes of @dma that are through
 * @pa: held: where the access goes
 * @token: stalled: what the IOMMU calls the request
 */
struct engine {
	struct inflight_slot *access;
	struct inflight_slot *walk;
	enum engine_state {
		ENGINE_IDLE,
		ENGINE_RUNNING,
		ENGINE_HELD,
		ENGINE_STALLED,
		ENGINE_RESET,	/* was held or stalled when the function was reset */
	} state;
	enum { RESUME_NOT_YET, RESUME_RETRY, RESUME_ABORT } resume;
	struct dma *dma;
	size_t done;
	uint64_t pa;
	uint64_t token;
};

/** struct engine_drain - who was in flight when it was taken; 0: nobody, or no longer */
struct engine_drain {
	uint64_t state[ENDPOINT_ENGINES];
};

/** engines_take() - Note which engines have a request in flight of the mask @classes */
void engines_take(struct endpoint *endpoint, unsigned int classes, struct engine_drain *drain);

/** engines_drained() - Have they all left? */
bool engines_drained(struct endpoint *endpoint, struct engine_drain *drain);

/**
 * engines_wait() - Wait until nobody runs with enables of before the call; who is held has used
 * them. Not with the lock: who runs may be in the IOMMU, which may be waiting for it.
 */
void engines_wait(struct endpoint *endpoint);

/** engines_abort() - Abort who is held or stalled */
void engines_abort(struct endpoint *endpoint);

/** engine_translate() - Send a translation request of the ATC; the answer is in *@translation */
enum hw_status engine_translate(struct endpoint *endpoint, struct inflight_slot *walk,
				const struct hw_request *request,
				struct hw_translation *translation);

#endif
