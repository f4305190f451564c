/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCIe function that does DMA: engines, an address translation cache, page requests.
 *
 * An engine does one DMA at a time; engines of one endpoint are independent and may run on threads
 * of their own. With ATS on and asked for, an engine looks into the ATC, sends translation requests
 * for what is not there, and does translated accesses; else its requests are untranslated.
 *
 * A DMA can be held between translation and memory access: that is the moment that a completed
 * invalidation must have waited for.
 */
#ifndef NIT_HW_ENDPOINT_H
#define NIT_HW_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dma.h"

#include "iommu.h"

#define ENDPOINT_ENGINES 9
#define ENDPOINT_MSI_ENGINE 8	/* whoever sends MSIs needs one for them */

/**
 * struct endpoint_config - what the function can do
 * @ats_queue_depth: Invalidate Queue Depth field; 0 means 32. Requests beyond it wait outside,
 *	up to 32 more; beyond those they are lost
 * @global_invalidate: Global Invalidate Supported
 * @atc_entries: power of two; 0 means 64
 * @answers_while_off: invalidate requests are answered while ATS is off, too; else they are lost
 * @completions: Traffic Classes in use, for each of which an invalidate is answered once: 1..8;
 *	0 means 1
 */
struct endpoint_config {
	uint16_t rid;
	bool ats;
	bool pri;
	bool pasid;
	uint8_t ats_queue_depth;
	bool global_invalidate;
	bool answers_while_off;
	size_t atc_entries;
	uint8_t completions;
};

/**
 * struct endpoint_behaviour - what a device may get wrong, or be made to do
 * Each is a fact about this device, not a fault of nit: the IOMMU and the software above must cope.
 * @never_complete: invalidate requests are carried out but never answered
 * @drop_invalidates: neither carried out nor answered
 * @lose_invalidates: the same of the next ones, as many as this says
 * @wrong_itag: answers name another ITag
 * @complete_twice: every answer is sent twice
 * @short_count: one completion less is sent than the CC field of those that are says
 * @no_drain: completes without waiting for its own translated requests
 * @complete_first: answers before it removes the entries (removes them at the next step), and
 *	without waiting
 * @delay_steps: steps before an invalidate request is looked at
 */
struct endpoint_behaviour {
	bool never_complete;
	bool drop_invalidates;
	unsigned int lose_invalidates;
	bool wrong_itag;
	bool complete_twice;
	bool short_count;
	bool no_drain;
	bool complete_first;
	unsigned int delay_steps;
};

struct endpoint;

/** endpoint_create() - Bus mastering is on, everything else off; NULL: no memory, RID in use */
struct endpoint *endpoint_create(struct machine *machine, struct hw_iommu *iommu,
				 const struct endpoint_config *config);
void endpoint_destroy(struct endpoint *endpoint);

uint16_t endpoint_rid(const struct endpoint *endpoint);
struct hw_iommu *endpoint_iommu(const struct endpoint *endpoint);
const struct endpoint_config *endpoint_config(const struct endpoint *endpoint);
struct endpoint_behaviour *endpoint_behaviour(struct endpoint *endpoint);
struct freedom *endpoint_freedom(struct endpoint *endpoint);

/* Config space, the parts that matter here. -EINVAL for what the function does not have. */
int endpoint_ats_enable(struct endpoint *endpoint, bool on);	/* off forgets the ATC */
int endpoint_pasid_enable(struct endpoint *endpoint, bool on);
int endpoint_pri_enable(struct endpoint *endpoint, bool on);
void endpoint_bus_master(struct endpoint *endpoint, bool on);
/**
 * endpoint_flr() - Function level reset: caches, requests and pending invalidations are gone
 * Everything is off afterwards, bus mastering too; engines that were held or stalled are aborted.
 */
void endpoint_flr(struct endpoint *endpoint);

/**
 * endpoint_dma() - Do one DMA on @engine from beginning to end
 * @dma: while it is stalled it must live until endpoint_dma_finish() says something else
 * Return: DMA_DONE, DMA_ABORTED (also: the engine is held or stalled), DMA_STALLED
 */
enum dma_status endpoint_dma(struct endpoint *endpoint, unsigned int engine, struct dma *dma);

/**
 * endpoint_dma_start() - Translate the first page of @dma and hold there
 * @dma: must live until endpoint_dma_finish(); len within one page
 * Return: DMA_HELD, or DMA_ABORTED, DMA_STALLED
 */
enum dma_status endpoint_dma_start(struct endpoint *endpoint, unsigned int engine,
				   struct dma *dma);
/**
 * endpoint_dma_finish() - Go on with a DMA that is held or stalled
 * Held: access memory at the address that start() got. Stalled: retry from there, or abort, as
 * endpoint_resume() said; DMA_STALLED while it has said nothing.
 */
enum dma_status endpoint_dma_finish(struct endpoint *endpoint, unsigned int engine);

/**
 * endpoint_prefetch() - Ask the IOMMU for a translation now, use it later: fills the ATC
 * @pasid: DMA_NO_PASID for none; @access: HW_READ | ... as in struct hw_request
 * Return: 0; -EINVAL while ATS is off; -EACCES: the IOMMU grants less than @access, or only
 * untranslated requests; -EIO: it refused the request
 */
int endpoint_prefetch(struct endpoint *endpoint, uint32_t pasid, uint64_t addr, uint8_t access);

/**
 * endpoint_prefetch_start(), _finish() - The same, with the answer of the IOMMU held on its way:
 * a translation completion that an invalidation can overtake
 * Return: as endpoint_prefetch(); -EBUSY: another one is on its way. _finish(): -ENOENT: none is;
 * -ECANCELED: an invalidation overtook it, and it was discarded
 */
int endpoint_prefetch_start(struct endpoint *endpoint, uint32_t pasid, uint64_t addr,
			    uint8_t access);
int endpoint_prefetch_finish(struct endpoint *endpoint);

/**
 * endpoint_page_request() - Send a PRI page request; @request->rid is filled in
 * Return: 0; -EINVAL while PRI is off; -EIO since a Response Failure, until PRI is enabled again
 */
int endpoint_page_request(struct endpoint *endpoint, const struct hw_page_request *request);
/**
 * endpoint_prg_answer() - The response code for group @index, once; -EAGAIN while there is none
 * A response to a group that waits for none, or of another PASID, is unexpected and not seen here.
 */
int endpoint_prg_answer(struct endpoint *endpoint, uint16_t index);
/** endpoint_prg_unexpected() - How many of those have come */
unsigned long endpoint_prg_unexpected(struct endpoint *endpoint);

/** endpoint_atc_count() - Entries in the ATC; evidence for traces, no test depends on it */
size_t endpoint_atc_count(const struct endpoint *endpoint);

/* What the IOMMU sends. Never call back into the IOMMU. A function whose ATS is off (or that was
 * just reset) drops invalidate requests, unless @answers_while_off; those that it took before it
 * answers. */
void endpoint_ats_invalidate(struct endpoint *endpoint, const struct hw_ats_invalidate *request);
void endpoint_prg_response(struct endpoint *endpoint, bool has_pasid, uint32_t pasid,
			   uint16_t index, uint8_t code);
/** endpoint_resume() - The stalled request @token (of its hw_translation) is retried or aborted */
void endpoint_resume(struct endpoint *endpoint, uint64_t token, bool retry);

/** endpoint_step() - Work on invalidate requests; true if anything happened or still may */
bool endpoint_step(struct endpoint *endpoint);

#endif
