// SPDX-License-Identifier: GPL-2.0-only
#include "moment.h"

/* MOMENT_NEXT: one has ended, and a step passes before time stops in another one */
enum moment_state { MOMENT_NEVER, MOMENT_NEXT, MOMENT_WANTED, MOMENT_NOW };

static bool becomes(struct moment *moment, unsigned int from, unsigned int to)
{
	return atomic_compare_exchange_strong(&moment->state, &from, to);
}

void moment_want(struct moment *moment, bool wanted)
{
	if (!wanted)
		atomic_store(&moment->state, MOMENT_NEVER);
	else if (!becomes(moment, MOMENT_NOW, MOMENT_NEXT))
		becomes(moment, MOMENT_NEVER, MOMENT_WANTED);
}

bool moment_is_now(const struct moment *moment)
{
	return atomic_load(&moment->state) == MOMENT_NOW;
}

static bool awaited(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->iommu_count; i++)
		if (machine->iommus[i]->ops->awaited(machine->iommus[i]))
			return true;
	return false;
}

static bool stopped(struct moment *moment, struct machine *machine, uint64_t now_ns)
{
	switch (atomic_load(&moment->state)) {
	case MOMENT_NEXT:
		becomes(moment, MOMENT_NEXT, MOMENT_WANTED);
		return false;
	case MOMENT_WANTED:
		moment->until_ns = now_ns + MOMENT_MS * 1000000ull;
		return awaited(machine) && becomes(moment, MOMENT_WANTED, MOMENT_NOW);
	case MOMENT_NOW:
		if (now_ns < moment->until_ns || !becomes(moment, MOMENT_NOW, MOMENT_NEVER))
			return true;
		hw_trace(machine->trace, "nit-hw", "time goes on by itself");
		return false;
	}
	return false;
}

bool moment_settle(struct moment *moment, struct machine *machine, unsigned int bound,
		   uint64_t now_ns)
{
	while (bound--) {
		if (stopped(moment, machine, now_ns))
			return false;
		if (!machine_step(machine))
			return true;
	}
	return false;
}
