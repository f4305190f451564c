/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page requests of a DMA engine on the reference: it asks for what a DMA did not find, and sees
 * that each request is answered once, in time, and as the guest answered it (struct ledger).
 */
#ifndef NIT_ORACLE_STRESS_REQUEST_H
#define NIT_ORACLE_STRESS_REQUEST_H

#include "world.h"

#define STRESS_REQUESTS 4	/* of an engine at the same time */

/**
 * struct stress_request - one that waits for its answer
 * @begin: the clock; @round, @resets: of the ledger, when it was sent
 */
struct stress_request {
	bool waits;
	uint8_t group;
	uint64_t begin;
	unsigned int round;
	unsigned int resets;
};

/**
 * struct stress_requests
 * @device: that asks, with groups from @first_group on
 * @asked: requests; @served, @refused: by the guest; @ended: by whoever ends an attachment, or has
 *	none; @forgotten: by a reset
 * @wrong: what was wrong with one
 */
struct stress_requests {
	struct world *world;
	unsigned int device;
	unsigned int first_group;
	unsigned int next_group;
	unsigned int next;
	struct stress_request requests[STRESS_REQUESTS];
	unsigned long asked;
	unsigned long served;
	unsigned long refused;
	unsigned long ended;
	unsigned long forgotten;
	char wrong[160];
};

/** stress_request_init() - For engine number @engine of the world */
void stress_request_init(struct stress_requests *of, struct world *world, unsigned int engine);

/** stress_request_ask() - For a page that a DMA did not find. False: too many wait already */
bool stress_request_ask(struct stress_requests *of, unsigned int place, unsigned int slot,
			bool write);

/**
 * stress_request_look() - At one of those that wait
 * Return: NULL, or the group that was answered, with the code in *@code. @of->wrong says if it was
 * wrong, or if there should have been an answer.
 */
const struct ledger_group *stress_request_look(struct stress_requests *of, unsigned int *code);

/** stress_request_end() - All must be answered now */
void stress_request_end(struct stress_requests *of);

#endif
