// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "knob.h"

/** struct field - where a knob is: @behaviour: in struct endpoint_behaviour, else struct freedom */
struct field {
	bool behaviour;
	uint8_t size;
	size_t offset;
};

#define FREEDOM(_field) \
	{ false, sizeof(((struct freedom *)0)->_field), offsetof(struct freedom, _field) }
#define BEHAVIOUR(_field) { true, sizeof(((struct endpoint_behaviour *)0)->_field), \
			    offsetof(struct endpoint_behaviour, _field) }

static const struct field fields[KNOBS] = {
	[KNOB_EVICT] = FREEDOM(evict),
	[KNOB_PREFETCH] = FREEDOM(prefetch),
	[KNOB_EARLY] = FREEDOM(early),
	[KNOB_REORDER] = FREEDOM(reorder),
	[KNOB_OVER] = FREEDOM(over),
	[KNOB_DELAY] = FREEDOM(delay),
	[KNOB_DELAY_STEPS] = FREEDOM(delay_steps),
	[KNOB_NO_WALK_CACHE] = FREEDOM(no_walk_cache),
	[KNOB_SMALL_PAGES] = FREEDOM(small_pages),
	[KNOB_DRAWS] = FREEDOM(state),
	[KNOB_NEVER_COMPLETE] = BEHAVIOUR(never_complete),
	[KNOB_DROP_INVALIDATES] = BEHAVIOUR(drop_invalidates),
	[KNOB_LOSE_INVALIDATES] = BEHAVIOUR(lose_invalidates),
	[KNOB_WRONG_ITAG] = BEHAVIOUR(wrong_itag),
	[KNOB_COMPLETE_TWICE] = BEHAVIOUR(complete_twice),
	[KNOB_SHORT_COUNT] = BEHAVIOUR(short_count),
	[KNOB_NO_DRAIN] = BEHAVIOUR(no_drain),
	[KNOB_COMPLETE_FIRST] = BEHAVIOUR(complete_first),
	[KNOB_LATE_STEPS] = BEHAVIOUR(delay_steps),
};

static void *owner_of(struct endpoint *endpoint, bool of_iommu, const struct field *field)
{
	if (field->behaviour)
		return of_iommu ? NULL : endpoint_behaviour(endpoint);
	return of_iommu ? &endpoint_iommu(endpoint)->freedom : endpoint_freedom(endpoint);
}

static bool fits(const struct field *field, uint64_t value)
{
	return field->size == sizeof(value) || !(value >> (8 * field->size - 1));
}

int hw_turn(struct endpoint *endpoint, bool of_iommu, enum knob knob, uint64_t value)
{
	const struct field *field = knob < KNOBS ? &fields[knob] : NULL;
	uint8_t *owner = field ? owner_of(endpoint, of_iommu, field) : NULL;

	if (!owner || !fits(field, value) || (field->size == sizeof(bool) && value > 1))
		return -EINVAL;
	memcpy(owner + field->offset, &value, field->size);
	return 0;
}

void hw_calm(struct endpoint *endpoint, bool of_iommu)
{
	for (unsigned int knob = 0; knob < KNOBS; knob++)
		if (knob != KNOB_DRAWS)
			hw_turn(endpoint, of_iommu, knob, 0);
}
