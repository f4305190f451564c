/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which translations a DMA may legally use, given the history so far.
 *
 * A history is kept for one thing that translates: a page of a stage-1 table, a guest page in
 * stage 2, what a (device, PASID) is attached to. It is a list of versions, each with the interval
 * of time in which hardware may use it: from the write that made it valid to the completion of the
 * first invalidation that began after it was removed. A DMA may use every version whose interval
 * meets its own (design, "The oracle is history"): the old or the new one before completion, never
 * a third; only the new one after.
 *
 * One thread changes histories, any number of threads look at them at the same time.
 */
#ifndef NIT_ORACLE_HISTORY_H
#define NIT_ORACLE_HISTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HISTORY_VERSIONS 32
#define HISTORY_NONE UINT64_MAX		/* value of a version: translates to nothing */
#define HISTORY_FOREVER UINT64_MAX
#define HISTORY_FLAGS 16		/* bits of flags; values have the others */

/**
 * struct version - @value: what it translates to; @flags: the user's (permissions)
 * @from: when it became valid; @removed: when the table changed; @until: when its use had to end
 */
struct version {
	_Atomic uint64_t value;
	_Atomic uint32_t flags;
	_Atomic uint64_t from;
	_Atomic uint64_t removed;
	_Atomic uint64_t until;
};

/**
 * struct history - @count: versions so far; the last HISTORY_VERSIONS of them are kept
 * @forgotten: the latest end of use of those that are not
 * @newest: what the last version says, in one word: history_newest()
 */
struct history {
	struct version versions[HISTORY_VERSIONS];
	_Atomic unsigned int count;
	_Atomic uint64_t forgotten;
	_Atomic uint64_t newest;
};

/** struct history_view - the versions that may be used in an interval, newest first */
struct history_view {
	unsigned int count;
	uint64_t values[HISTORY_VERSIONS];
	uint32_t flags[HISTORY_VERSIONS];
	bool current[HISTORY_VERSIONS];	/* not removed when the interval ended */
	bool newest[HISTORY_VERSIONS];	/* none came after it before the interval began */
};

/** history_init() - Translates to @value from time 0 on */
void history_init(struct history *history, uint64_t value, uint32_t flags);

/**
 * history_change() - The table says @value now; the version before is removed
 * @now: taken before the table was written
 *
 * What translates to nothing is not cached, so its use ends at once (but see VTD-11, AMD-07: where
 * the hardware caches it, the change is not complete before its own invalidation).
 */
void history_change(struct history *history, uint64_t value, uint32_t flags, uint64_t now);

/** history_changed() - The table has been written at @now: what was removed is removed from here */
void history_changed(struct history *history, uint64_t now);

/**
 * history_relinked() - The same, where a table was unlinked: hardware may have cached where it is,
 * and so find nothing in it, too, until an invalidation
 */
void history_relinked(struct history *history, uint64_t now);

/**
 * history_invalidated() - An invalidation of this page that began at @began completed at @now
 * Return: true if that ended the use of a version
 */
bool history_invalidated(struct history *history, uint64_t began, uint64_t now);

/**
 * history_view() - What may be used by a DMA that ran within [@begin, @end]
 * Return: false if versions of that time are forgotten already: nothing can be said
 */
bool history_view(const struct history *history, uint64_t begin, uint64_t end,
		  struct history_view *view);

/**
 * history_newest() - What the table says now, for those who need no more
 * Return: the value, or HISTORY_NONE; its flags are in *@flags
 */
static inline uint64_t history_newest(const struct history *history, uint32_t *flags)
{
	uint64_t newest = atomic_load_explicit(&history->newest, memory_order_acquire);

	*flags = newest & ((1 << HISTORY_FLAGS) - 1);
	return newest == HISTORY_NONE ? HISTORY_NONE : newest >> HISTORY_FLAGS;
}

#endif
