// SPDX-License-Identifier: GPL-2.0-only
#include "history.h"

static struct version *version_at(struct history *history, unsigned int number)
{
	return &history->versions[number % HISTORY_VERSIONS];
}

/* Readers may look at the slot that is being filled: it is unusable until it is whole. */
static void add(struct history *history, uint64_t value, uint32_t flags, uint64_t from)
{
	unsigned int count = atomic_load_explicit(&history->count, memory_order_relaxed);
	struct version *version = version_at(history, count);

	if (count >= HISTORY_VERSIONS &&
	    atomic_load(&version->until) > atomic_load(&history->forgotten))
		atomic_store(&history->forgotten, atomic_load(&version->until));
	atomic_store(&version->from, HISTORY_FOREVER);
	atomic_store(&version->value, value);
	atomic_store(&version->flags, flags);
	atomic_store(&version->removed, HISTORY_FOREVER);
	atomic_store(&version->until, HISTORY_FOREVER);
	atomic_store(&version->from, from);
	atomic_store(&history->newest, value == HISTORY_NONE ? HISTORY_NONE :
		     value << HISTORY_FLAGS | flags);
	atomic_store(&history->count, count + 1);
}

void history_init(struct history *history, uint64_t value, uint32_t flags)
{
	atomic_store(&history->count, 0);
	atomic_store(&history->forgotten, 0);
	add(history, value, flags, 0);
}

void history_change(struct history *history, uint64_t value, uint32_t flags, uint64_t now)
{
	add(history, value, flags, now);
}

static void remove_old(struct history *history, uint64_t now, bool nothing_stays)
{
	unsigned int number = atomic_load(&history->count) - 1;

	while (number--) {
		struct version *version = version_at(history, number);

		if (atomic_load(&version->removed) != HISTORY_FOREVER)
			return;
		atomic_store(&version->removed, now);
		if (!nothing_stays && atomic_load(&version->value) == HISTORY_NONE)
			atomic_store(&version->until, now);
	}
}

void history_changed(struct history *history, uint64_t now)
{
	remove_old(history, now, false);
}

void history_relinked(struct history *history, uint64_t now)
{
	remove_old(history, now, true);
}

bool history_invalidated(struct history *history, uint64_t began, uint64_t now)
{
	unsigned int count = atomic_load(&history->count);
	unsigned int kept = count < HISTORY_VERSIONS ? count : HISTORY_VERSIONS;
	bool ended = false;

	for (unsigned int i = 1; i <= kept; i++) {
		struct version *version = version_at(history, count - i);

		if (atomic_load(&version->until) != HISTORY_FOREVER ||
		    atomic_load(&version->removed) > began)
			continue;
		atomic_store(&version->until, now);
		ended = true;
	}
	return ended;
}

bool history_view(const struct history *history, uint64_t begin, uint64_t end,
		  struct history_view *view)
{
	struct history *mutable = (struct history *)history;
	unsigned int count = atomic_load(&mutable->count), number = count;
	bool newest = true;

	view->count = 0;
	while (number && count - number < HISTORY_VERSIONS) {
		struct version *version = version_at(mutable, --number);
		uint64_t from = atomic_load(&version->from), until = atomic_load(&version->until);
		uint64_t value = atomic_load(&version->value);

		if (from <= end && until > begin) {
			view->values[view->count] = value;
			view->flags[view->count] = atomic_load(&version->flags);
			view->newest[view->count] = newest;
			view->current[view->count++] = atomic_load(&version->removed) > end;
		}
		newest &= from > begin;
		/* What is older was removed earlier, so its use has ended too. */
		if (until <= begin && value != HISTORY_NONE)
			break;
	}
	/* A slot that was filled anew while we read it counts as forgotten, too. */
	return atomic_load(&mutable->forgotten) <= begin;
}
