// SPDX-License-Identifier: GPL-2.0-only
#include "ledger.h"

bool ledger_ask(struct ledger_group *group, unsigned int place, unsigned int slot, bool write)
{
	if (atomic_load(&group->asked) || atomic_load(&group->read))
		return false;
	group->place = place;
	group->slot = slot;
	group->write = write;
	atomic_store(&group->given, LEDGER_NONE);
	atomic_store(&group->asked, true);
	return true;
}

const char *ledger_wrong(const struct ledger_group *group, unsigned int code, bool moved)
{
	int given = atomic_load(&((struct ledger_group *)group)->given);

	if (code == LEDGER_SUCCESS)
		return given == LEDGER_SERVED ? NULL : "served, which the guest did not say";
	if (code == LEDGER_INVALID && given == LEDGER_REFUSED)
		return NULL;
	/* Who is not attached any more is answered by the hypervisor, or by the hardware. */
	return moved ? NULL : "refused, which nobody had reason to";
}
