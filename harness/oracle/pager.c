// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "step.h"

#define CHOICES 8

enum choice { REFUSE, LEAVE, WITH_INVALIDATION, SERVE };

static enum choice choose(unsigned int number)
{
	static const enum choice choices[CHOICES] = {
		SERVE, REFUSE, WITH_INVALIDATION, SERVE, LEAVE, SERVE, WITH_INVALIDATION, SERVE,
	};

	return choices[number % CHOICES];
}

static unsigned int slot_of(const struct world *world, uint64_t iova)
{
	unsigned int slot = 0;

	while (slot < WORLD_SLOTS && world->iovas[slot] != iova)
		slot++;
	return slot;
}

static unsigned int place_of(const struct world *world, uint32_t pasid)
{
	unsigned int place = 0;

	while (place <= world->config->pasids && world_pasid(place) != pasid)
		place++;
	return place;
}

static int device_of(const struct world *world, const struct vm_device *device)
{
	for (unsigned int i = 0; i < world->config->devices; i++)
		if (world->devices[i] == device)
			return i;
	return -ENODEV;
}

static int nobodys(struct world *world, const struct vm_fault *fault)
{
	snprintf(world->what, sizeof(world->what),
		 "the guest reads a page request that nobody sent: "
		 "device %#x PASID %#x %#llx group %u",
		 fault->device ? fault->device->rid : 0xffff, fault->pasid,
		 (unsigned long long)fault->iova, fault->group);
	return -EBADMSG;
}

/* As it was sent, and not read before */
static int recognise(struct world *world, const struct vm_fault *fault, struct pager_request *out)
{
	int device = device_of(world, fault->device);
	struct ledger_group *group;

	if (device < 0 || fault->group >= LEDGER_GROUPS)
		return nobodys(world, fault);
	group = &world->ledger.groups[device][fault->group];
	if (!atomic_load(&group->asked) || atomic_load(&group->read) ||
	    group->place != place_of(world, fault->pasid) ||
	    group->slot != slot_of(world, fault->iova) || group->write != fault->write)
		return nobodys(world, fault);
	atomic_store(&group->read, true);
	*out = (struct pager_request){ .fault = *fault, .group = group, .device = device };
	return 0;
}

/*
 * Is there a page, now, for what was asked? @fresh: there was none before, so that nothing has to
 * be invalidated.
 */
static bool provide(struct execution *execution, const struct pager_request *request,
		    unsigned int target, struct world_cover *page, bool *fresh)
{
	struct world *world = &execution->world;
	const struct ledger_group *group = request->group;
	uint64_t space, reached;
	uint32_t flags;

	space = history_newest(&world->attached[request->device][group->place], &flags);
	if (space == HISTORY_NONE)
		return false;
	*page = (struct world_cover){ space, world->iovas[group->slot], VM_PAGE };
	reached = history_newest(&world->stage1[space][group->slot], &flags);
	*fresh = reached == HISTORY_NONE;
	if (!*fresh && (!group->write || flags & PGTABLE_WRITE))
		return true;
	if (step_provide(execution, space, group->slot, target))
		return false;
	reached = history_newest(&world->stage1[space][group->slot], &flags);
	return reached != HISTORY_NONE && (!group->write || flags & PGTABLE_WRITE);
}

static int answer(struct execution *execution, const struct pager_request *request, bool served,
		  const struct world_cover *also)
{
	struct world *world = &execution->world;
	int rc;

	atomic_store(&request->group->given, served ? LEDGER_SERVED : LEDGER_REFUSED);
	rc = world_answer(world, &request->fault, served, also);
	atomic_store(&request->group->read, false);
	execution->pager.served += served;
	execution->pager.refused += !served;
	execution->pager.with_invalidation += !!also;
	return rc;
}

static int serve(struct execution *execution, const struct pager_request *request,
		 enum choice choice, unsigned int target, const struct world_cover *also)
{
	struct world_cover page;
	bool fresh, served;

	if (choice == REFUSE)
		return answer(execution, request, false, NULL);
	served = provide(execution, request, target, &page, &fresh);
	if (served && !fresh)
		return answer(execution, request, true, &page);
	return answer(execution, request, served, choice == WITH_INVALIDATION ? also : NULL);
}

static int serve_left(struct execution *execution, unsigned int choice, unsigned int target,
		      const struct world_cover *also)
{
	struct pager *pager = &execution->pager;
	int rc = 0;

	for (unsigned int i = 0; i < pager->count && !rc; i++) {
		enum choice now = choose(choice + i);

		rc = serve(execution, &pager->left[i], now == LEAVE ? SERVE : now,
			   (target + i) % WORLD_TARGETS, also);
	}
	pager->count = 0;
	return rc;
}

/*
 * All that there is, before anything is answered: who waits asks nothing new, so this ends. What
 * stayed unread in the guest's log would be answered by the hypervisor when its attachment ends,
 * and read by the guest all the same.
 */
static int read_new(struct world *world, struct pager_request *requests, unsigned int *count)
{
	struct vm_fault fault;
	int rc = 0;

	while (*count < PAGER_REQUESTS && !rc) {
		rc = world_next_fault(world, &fault);
		if (rc)
			return rc == -EAGAIN ? 0 : rc;
		rc = recognise(world, &fault, &requests[(*count)++]);
	}
	return rc;
}

static int serve_new(struct execution *execution, unsigned int choice, unsigned int target,
		     const struct world_cover *also)
{
	struct pager_request requests[PAGER_REQUESTS];
	struct pager *pager = &execution->pager;
	unsigned int count = 0;
	int rc = read_new(&execution->world, requests, &count);

	for (unsigned int i = 0; i < count && !rc; i++) {
		if (choose(choice + i) == LEAVE)
			pager->left[pager->count++] = requests[i];
		else
			rc = serve(execution, &requests[i], choose(choice + i),
				   (target + i) % WORLD_TARGETS, also);
	}
	return rc;
}

int pager_round(struct execution *execution, unsigned int choice, unsigned int target,
		const struct world_cover *also)
{
	int rc = serve_left(execution, choice, target, also);

	rc = rc ?: world_service(&execution->world);
	rc = rc ?: serve_new(execution, choice, target, also);
	atomic_fetch_add(&execution->world.ledger.rounds, !rc);
	return rc;
}

int pager_drain(struct execution *execution)
{
	int rc = 0;

	for (unsigned int i = 0; i < LEDGER_ROUNDS && !rc; i++)
		rc = pager_round(execution, 0, 0, NULL);
	return rc ?: world_service(&execution->world);
}
