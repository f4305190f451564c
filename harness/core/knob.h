/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test can make hardware do that others only may do: freedoms (hw/freedom.h) of IOMMUs and
 * devices, behaviours (hw/endpoint.h) of devices alone. All are 0 at first.
 */
#ifndef NIT_CORE_KNOB_H
#define NIT_CORE_KNOB_H

enum knob {
	KNOB_EVICT,
	KNOB_PREFETCH,
	KNOB_EARLY,
	KNOB_REORDER,
	KNOB_OVER,
	KNOB_DELAY,
	KNOB_DELAY_STEPS,
	KNOB_NO_WALK_CACHE,
	KNOB_SMALL_PAGES,
	KNOB_DRAWS,		/* struct freedom.state: what is drawn from here on */
	KNOB_NEVER_COMPLETE,
	KNOB_DROP_INVALIDATES,
	KNOB_LOSE_INVALIDATES,
	KNOB_WRONG_ITAG,
	KNOB_COMPLETE_TWICE,
	KNOB_SHORT_COUNT,
	KNOB_NO_DRAIN,
	KNOB_COMPLETE_FIRST,
	KNOB_LATE_STEPS,
	KNOBS,
};

#endif
