/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The invalidate requests that a function has taken and not yet answered.
 *
 * Each goes through the same stages: seen, entries removed, translated requests drained, answered.
 */
#ifndef NIT_HW_ATS_QUEUE_H
#define NIT_HW_ATS_QUEUE_H

#include "engine.h"
#include "iommu.h"

#define ATS_QUEUE_ROOM 64

/** struct ats_invalidation - a request on its way through the stages */
struct ats_invalidation {
	struct hw_ats_invalidate request;
	enum ats_stage {
		ATS_WAITING,	/* @steps to go before it is looked at */
		ATS_DRAINING,	/* entries are gone; @drain: whom it waits for */
		ATS_DELAYED,	/* @steps to go before it is answered */
		ATS_ANSWERED,	/* before its time: entries are still there */
		ATS_FINISHED,
	} stage;
	unsigned int steps;
	struct engine_drain drain;
};

/** struct ats_queue - in the order of arrival; only the first @depth are worked on */
struct ats_queue {
	struct ats_invalidation items[ATS_QUEUE_ROOM];
	unsigned int count;
	unsigned int depth;
};

/** struct ats_answer - completions to send: @times messages with this vector and CC */
struct ats_answer {
	uint32_t itags;
	unsigned int cc;
	unsigned int times;
};

/** ats_queue_init() - @depth as in the ATS capability; 0 means 32 */
void ats_queue_init(struct ats_queue *queue, unsigned int depth);

/** ats_queue_put() - Take @request; false: no room, it is lost */
bool ats_queue_put(struct ats_queue *queue, const struct hw_ats_invalidate *request,
		   unsigned int steps);

/**
 * ats_queue_step() - Work on what is there
 * @answers: ATS_QUEUE_ROOM of them, filled with what is to be sent now; *@count says how many
 * Return: true if anything happened or still may
 */
bool ats_queue_step(struct ats_queue *queue, struct endpoint *endpoint, struct ats_answer *answers,
		    unsigned int *count);

#endif
