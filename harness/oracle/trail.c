// SPDX-License-Identifier: GPL-2.0-only
#include "core/check.h"
#include "trail.h"

#define ACTORS 16

static const struct trail_event *at(const struct trail *trail, unsigned long number)
{
	return number < trail->count ? &trail->events[number % TRAIL_EVENTS] : NULL;
}

static unsigned long first_of(const struct trail *trail, unsigned int events)
{
	if (events > TRAIL_EVENTS)
		events = TRAIL_EVENTS;
	return trail->count > events ? trail->count - events : 0;
}

void trail_print(const struct trail_actor *actors, unsigned int count, unsigned int events)
{
	unsigned long next[ACTORS];
	char line[160];

	for (unsigned int i = 0; i < count; i++)
		next[i] = first_of(actors[i].trail, events);
	for (;;) {
		const struct trail_event *first = NULL;
		unsigned int who = 0;

		for (unsigned int i = 0; i < count; i++) {
			const struct trail_event *event = at(actors[i].trail, next[i]);

			if (!event || (first && event->begin >= first->begin))
				continue;
			first = event;
			who = i;
		}
		if (!first)
			return;
		next[who]++;
		actors[who].line(actors[who].arg, first, line, sizeof(line));
		check_note("clock %llu-%llu %s: %s", (unsigned long long)first->begin,
			   (unsigned long long)first->end, actors[who].name, line);
	}
}
