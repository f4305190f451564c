/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last things that each of several actors did, by a clock that they share. An actor writes its
 * own trail; when all have ended, the trails are printed as one, in order.
 */
#ifndef NIT_ORACLE_TRAIL_H
#define NIT_ORACLE_TRAIL_H

#include <stddef.h>
#include <stdint.h>

#define TRAIL_EVENTS 64

/** struct trail_event - @begin, @end: by the clock; @word: the actor's own */
struct trail_event {
	uint64_t begin;
	uint64_t end;
	uint64_t word[2];
};

/** struct trail - @count: events ever; the last TRAIL_EVENTS are kept */
struct trail {
	unsigned long count;
	struct trail_event events[TRAIL_EVENTS];
};

static inline void trail_add(struct trail *trail, uint64_t begin, uint64_t end, uint64_t word0,
			     uint64_t word1)
{
	trail->events[trail->count++ % TRAIL_EVENTS] =
		(struct trail_event){ begin, end, { word0, word1 } };
}

/** struct trail_actor - @line: an event as a person reads it */
struct trail_actor {
	char name[16];
	const struct trail *trail;
	void (*line)(const void *arg, const struct trail_event *event, char *line, size_t size);
	const void *arg;
};

/** trail_print() - As notes of the test, the last @events of each actor */
void trail_print(const struct trail_actor *actors, unsigned int count, unsigned int events);

#endif
