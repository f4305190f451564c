// SPDX-License-Identifier: GPL-2.0-only
#include "core/fault.h"

#include "endpoint_state.h"

#define DEFAULT_DEPTH 32
#define ITAGS 32

void ats_queue_init(struct ats_queue *queue, unsigned int depth)
{
	queue->count = 0;
	queue->depth = depth ? depth : DEFAULT_DEPTH;
}

bool ats_queue_put(struct ats_queue *queue, const struct hw_ats_invalidate *request,
		   unsigned int steps)
{
	unsigned int room = ATS_QUEUE_ROOM;

	if (FAULT("endpoint.queue-one-short", "the queue has room for one request less"))
		room = queue->depth - 1;
	if (queue->count >= room)
		return false;
	queue->items[queue->count++] = (struct ats_invalidation){
		.request = *request, .stage = ATS_WAITING, .steps = steps,
	};
	return true;
}

/* Entries, and a translation completion that is on its way with what they would have said. */
static void carry_out(struct endpoint *endpoint, struct ats_invalidation *item)
{
	struct prefetch *prefetch = &endpoint->prefetch;

	atc_invalidate(&endpoint->atc, &item->request);
	if (prefetch->pending &&
	    !FAULT("endpoint.keeps-pending-completion",
		   "a translation completion that an invalidation overtook is not discarded") &&
	    atc_names(&endpoint->atc, &item->request, &prefetch->request, &prefetch->translation))
		prefetch->stale = true;
	engines_take(endpoint, INFLIGHT_TRANSLATED, &item->drain);
}

static void answer(struct endpoint *endpoint, struct ats_invalidation *item,
		   struct ats_answer *answer)
{
	const struct endpoint_behaviour *behaviour = &endpoint->behaviour;
	unsigned int completions = endpoint->config.completions ?: 1;
	unsigned int itag = item->request.itag;

	*answer = (struct ats_answer){ .cc = completions, .times = completions };
	if (behaviour->never_complete)
		answer->times = 0;
	if (behaviour->wrong_itag ||
	    FAULT("endpoint.wrong-itag", "the answer names the next ITag"))
		itag = (itag + 1) % ITAGS;
	if (behaviour->short_count && completions == 1)
		answer->cc = 2;
	else if (behaviour->short_count && answer->times)
		answer->times--;
	if (answer->times && FAULT("endpoint.one-completion-short",
				   "one completion less is sent than there are Traffic Classes"))
		answer->times--;
	if (behaviour->complete_twice ||
	    FAULT("endpoint.completes-twice", "every completion is sent twice"))
		answer->times *= 2;
	/* The field has three bits: 0 stands for 8 (PCIe ATS 10.3.4). */
	answer->cc %= 8;
	answer->itags = 1U << itag;
	hw_trace(endpoint->machine->trace, endpoint->unit,
		 "ats completion itags %#llx cc %llu, sent %llu times", answer->itags, answer->cc,
		 answer->times);
}

static bool drained(struct endpoint *endpoint, struct ats_invalidation *item)
{
	if (endpoint->behaviour.no_drain ||
	    FAULT("endpoint.completes-before-drain",
		  "translated requests in flight are not waited for"))
		return true;
	return engines_drained(endpoint, &item->drain);
}

static unsigned int delay(struct freedom *freedom)
{
	if (!freedom->delay_steps || !freedom_take(freedom, freedom->delay))
		return 0;
	return 1 + freedom_draw(freedom) % freedom->delay_steps;
}

/* One request goes as far as it can; true: *@out is to be sent. */
static bool advance(struct endpoint *endpoint, struct ats_invalidation *item,
		    struct ats_answer *out)
{
	switch (item->stage) {
	case ATS_WAITING:
		if (item->steps) {
			item->steps--;
			return false;
		}
		if (endpoint->behaviour.complete_first ||
		    FAULT("endpoint.completes-before-removal",
			  "the answer is sent before entries are removed")) {
			item->stage = ATS_ANSWERED;
			answer(endpoint, item, out);
			return true;
		}
		carry_out(endpoint, item);
		item->stage = ATS_DRAINING;
		/* fallthrough */
	case ATS_DRAINING:
		if (!drained(endpoint, item))
			return false;
		item->steps = delay(&endpoint->freedom);
		item->stage = ATS_DELAYED;
		/* fallthrough */
	case ATS_DELAYED:
		if (item->steps) {
			item->steps--;
			return false;
		}
		item->stage = ATS_FINISHED;
		answer(endpoint, item, out);
		return true;
	default:
		carry_out(endpoint, item);
		item->stage = ATS_FINISHED;
		return false;
	}
}

/* The freedom to answer several requests with one message: the ITag field is a vector. */
static bool merge(struct endpoint *endpoint, struct ats_answer *answers, unsigned int count,
		  const struct ats_answer *answer)
{
	if (!count || !freedom_take(&endpoint->freedom, endpoint->freedom.reorder) ||
	    answers[count - 1].cc != answer->cc || answers[count - 1].times != answer->times)
		return false;
	answers[count - 1].itags |= answer->itags;
	return true;
}

static void forget_finished(struct ats_queue *queue)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < queue->count; i++)
		if (queue->items[i].stage != ATS_FINISHED)
			queue->items[kept++] = queue->items[i];
	queue->count = kept;
}

bool ats_queue_step(struct ats_queue *queue, struct endpoint *endpoint, struct ats_answer *answers,
		    unsigned int *count)
{
	unsigned int here = queue->count < queue->depth ? queue->count : queue->depth, first = 0;
	bool any = queue->count;

	*count = 0;
	/* Invalidations have no order among each other. */
	if (here && freedom_take(&endpoint->freedom, endpoint->freedom.reorder))
		first = freedom_draw(&endpoint->freedom) % here;
	for (unsigned int i = 0; i < here; i++) {
		struct ats_invalidation *item = &queue->items[(first + i) % here];

		if (advance(endpoint, item, &answers[*count]) &&
		    !merge(endpoint, answers, *count, &answers[*count]))
			(*count)++;
	}
	forget_finished(queue);
	return any;
}
