/* SPDX-License-Identifier: GPL-2.0-only */
/* What an endpoint consists of: for endpoint.c, engine.c, ats_queue.c and page_request.c only. */
#ifndef NIT_HW_ENDPOINT_STATE_H
#define NIT_HW_ENDPOINT_STATE_H

#include <pthread.h>

#include "atc.h"
#include "ats_queue.h"
#include "endpoint.h"
#include "engine.h"
#include "machine.h"

#define PRG_INDEXES 512
#define RESUMES 16

/** struct prefetch - a translation completion held on its way; @stale: to be discarded */
struct prefetch {
	bool pending;
	bool stale;
	struct hw_request request;
	struct hw_translation translation;
	struct inflight_slot *walk;
};

/** struct prg - a page request group; @code: its response, -EAGAIN while it waits */
struct prg {
	bool waiting;
	bool has_pasid;
	uint32_t pasid;
	int code;
};

/** struct resume - the answer to a stalled request that came before its engine knew the token */
struct resume {
	uint64_t token;
	bool retry;
};

/**
 * struct endpoint
 * @lock: of everything that messages of the IOMMU change: @queue, @prefetch, @prgs,
 *	@prg_unexpected, @resumes and the states of engines. Never held while the IOMMU is called.
 * @bus_master, @ats, @pasid, @pri: enables; atomic, engines read them when they are in flight
 */
struct endpoint {
	struct machine *machine;
	struct hw_iommu *iommu;
	struct endpoint_config config;
	struct endpoint_behaviour behaviour;
	struct freedom freedom;
	char unit[16];
	bool bus_master;
	bool ats;
	bool pasid;
	bool pri;
	bool pri_failed;
	struct atc atc;
	pthread_mutex_t lock;
	struct engine engines[ENDPOINT_ENGINES];
	struct ats_queue queue;
	struct prefetch prefetch;
	struct prg prgs[PRG_INDEXES];
	unsigned long prg_unexpected;
	struct resume resumes[RESUMES];
	unsigned int resume_count;
};

static inline bool endpoint_is_on(const bool *enable)
{
	return __atomic_load_n(enable, __ATOMIC_SEQ_CST);
}

static inline void endpoint_turn(bool *enable, bool on)
{
	__atomic_store_n(enable, on, __ATOMIC_SEQ_CST);
}

#endif
