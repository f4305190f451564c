/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's handler of page requests: it maps what is asked for and answers, or refuses; some are
 * left for the next round, some are answered in one submission with an invalidation.
 */
#ifndef NIT_ORACLE_PAGER_H
#define NIT_ORACLE_PAGER_H

#include "world.h"

#define PAGER_REQUESTS 32	/* that the guest has at the same time, at most */

struct execution;

/** struct pager_request - @device: number of the device that asks; @group: of the ledger */
struct pager_request {
	struct vm_fault fault;
	struct ledger_group *group;
	unsigned int device;
};

/**
 * struct pager
 * @left: read, and not answered
 * @served, @refused: answers; @with_invalidation: those in one submission with an invalidation
 */
struct pager {
	unsigned int count;
	struct pager_request left[PAGER_REQUESTS];
	unsigned long served;
	unsigned long refused;
	unsigned long with_invalidation;
};

/**
 * pager_round() - Answer what is left of the round before, read what there is, answer most of it
 * @choice: decides what becomes of each; @target: the page that is mapped
 * @also: what is invalidated with some of the answers, or NULL
 * Return: 0; -EBADMSG: a request that nobody sent (world->what); -errno of a call
 */
int pager_round(struct execution *execution, unsigned int choice, unsigned int target,
		const struct world_cover *also);

/** pager_drain() - Until nothing is left to answer */
int pager_drain(struct execution *execution);

#endif
