// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "stress_request.h"
#include "target/ref.h"

#define GROUPS 16	/* of an engine */

void stress_request_init(struct stress_requests *of, struct world *world, unsigned int engine)
{
	*of = (struct stress_requests){
		.world = world, .device = engine % world->config->devices,
		.first_group = engine / world->config->devices * GROUPS,
	};
}

static struct ledger_group *group_of(const struct stress_requests *of, unsigned int number)
{
	return &of->world->ledger.groups[of->device][number];
}

static bool find_group(struct stress_requests *of, unsigned int place, unsigned int slot,
		       bool write, uint8_t *number)
{
	for (unsigned int i = 0; i < GROUPS; i++) {
		*number = of->first_group + of->next_group++ % GROUPS;
		if (ledger_ask(group_of(of, *number), place, slot, write))
			return true;
	}
	return false;
}

static int send(struct stress_requests *of, unsigned int number)
{
	const struct ledger_group *group = group_of(of, number);
	uint32_t pasid = world_pasid(group->place);
	struct hw_page_request message = {
		.has_pasid = pasid != DMA_NO_PASID, .pasid = pasid != DMA_NO_PASID ? pasid : 0,
		.addr = of->world->iovas[group->slot], .index = number, .last = true,
		.access = group->write ? HW_READ | HW_WRITE : HW_READ,
	};

	return endpoint_page_request(ref_endpoint(&of->world->target, of->device), &message);
}

bool stress_request_ask(struct stress_requests *of, unsigned int place, unsigned int slot,
			bool write)
{
	struct ledger *ledger = &of->world->ledger;
	struct stress_request *request = of->requests;

	while (request < of->requests + STRESS_REQUESTS && request->waits)
		request++;
	if (request == of->requests + STRESS_REQUESTS)
		return false;
	request->begin = atomic_load(&of->world->clock);
	request->resets = atomic_load(&ledger->resets[of->device]);
	if (!find_group(of, place, slot, write, &request->group))
		return false;
	/* While a device is blocked it must not ask, and after a Response Failure neither. */
	if (send(of, request->group)) {
		atomic_store(&group_of(of, request->group)->asked, false);
		return false;
	}
	request->round = atomic_load(&ledger->rounds);
	request->waits = true;
	of->asked++;
	return true;
}

static void done(struct stress_requests *of, struct stress_request *request, unsigned long *count)
{
	request->waits = false;
	++*count;
	atomic_store(&group_of(of, request->group)->asked, false);
}

/* Was there another attachment, or none, at any time of it? */
static bool moved(const struct stress_requests *of, const struct stress_request *request)
{
	const struct ledger_group *group = group_of(of, request->group);
	struct history_view view;

	if (!history_view(&of->world->attached[of->device][group->place], request->begin,
			  atomic_load(&of->world->clock), &view))
		return true;
	return view.count != 1 || view.values[0] == HISTORY_NONE;
}

static void blame(struct stress_requests *of, const struct stress_request *request,
		  const char *what)
{
	const struct ledger_group *group = group_of(of, request->group);

	snprintf(of->wrong, sizeof(of->wrong),
		 "page request of device %u %s at %#llx, group %u, of clock %llu: %s", of->device,
		 world_place(group->place), (unsigned long long)of->world->iovas[group->slot],
		 request->group, (unsigned long long)request->begin, what);
}

static void answered(struct stress_requests *of, struct stress_request *request, unsigned int code)
{
	const struct ledger_group *group = group_of(of, request->group);
	const char *wrong = ledger_wrong(group, code, moved(of, request));
	int given = atomic_load(&group_of(of, request->group)->given);

	if (wrong)
		blame(of, request, wrong);
	done(of, request, code == LEDGER_SUCCESS ? &of->served :
	     given == LEDGER_REFUSED ? &of->refused : &of->ended);
}

const struct ledger_group *stress_request_look(struct stress_requests *of, unsigned int *code)
{
	struct stress_request *request = &of->requests[of->next++ % STRESS_REQUESTS];
	struct ledger *ledger = &of->world->ledger;
	unsigned int rounds = atomic_load(&ledger->rounds);
	int answer;

	if (!request->waits)
		return NULL;
	answer = endpoint_prg_answer(ref_endpoint(&of->world->target, of->device), request->group);
	if (answer >= 0) {
		answered(of, request, answer);
		*code = answer;
		return group_of(of, request->group);
	}
	if (request->resets != atomic_load(&ledger->resets[of->device]))
		done(of, request, &of->forgotten);
	else if (rounds - request->round >= LEDGER_ROUNDS)
		blame(of, request, "LOST: no answer came");
	return NULL;
}

void stress_request_end(struct stress_requests *of)
{
	unsigned int code;

	for (unsigned int i = 0; i < STRESS_REQUESTS && !of->wrong[0]; i++)
		stress_request_look(of, &code);
	for (unsigned int i = 0; i < STRESS_REQUESTS && !of->wrong[0]; i++)
		if (of->requests[i].waits)
			blame(of, &of->requests[i], "LOST: no answer came");
}
