// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nobody waits: who adds an event takes a number and writes its slot, all words atomic. A reader
 * takes an event if its number stood there before and after; one that is being written is passed
 * over. (A writer that sleeps while the others go round the whole ring can spoil one event.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

/** struct hw_trace - @next: number of the next event; event n is in slot n % @room */
struct hw_trace {
	uint64_t next __attribute__((aligned(64)));
	bool dma __attribute__((aligned(64)));
	unsigned int room;
	struct hw_event *events;	/* whose number is one more here: 0 is no event */
};

struct hw_trace *hw_trace_create(unsigned int events)
{
	struct hw_trace *trace = aligned_alloc(64, sizeof(*trace));

	if (!trace)
		return NULL;
	*trace = (struct hw_trace){
		.dma = true, .room = events, .events = calloc(events, sizeof(*trace->events)),
	};
	if (trace->events)
		return trace;
	free(trace);
	return NULL;
}

void hw_trace_destroy(struct hw_trace *trace)
{
	if (trace)
		free(trace->events);
	free(trace);
}

void hw_trace_dma(struct hw_trace *trace, bool on)
{
	__atomic_store_n(&trace->dma, on, __ATOMIC_RELAXED);
}

bool hw_trace_wants_dma(const struct hw_trace *trace)
{
	return trace && __atomic_load_n(&trace->dma, __ATOMIC_RELAXED);
}

#define PUT(_to, _value)	__atomic_store_n(&(_to), _value, __ATOMIC_RELEASE)
#define GET(_from)		__atomic_load_n(&(_from), __ATOMIC_ACQUIRE)

void hw_trace_add(struct hw_trace *trace, const char *unit, const char *format,
		  unsigned long long a0, unsigned long long a1, unsigned long long a2,
		  unsigned long long a3, unsigned long long a4, unsigned long long a5)
{
	struct hw_event *event;
	uint64_t number;

	if (!trace)
		return;
	number = __atomic_fetch_add(&trace->next, 1, __ATOMIC_ACQ_REL);
	event = &trace->events[number % trace->room];
	PUT(event->number, 0);
	PUT(event->unit, unit);
	PUT(event->format, format);
	PUT(event->args[0], a0);
	PUT(event->args[1], a1);
	PUT(event->args[2], a2);
	PUT(event->args[3], a3);
	PUT(event->args[4], a4);
	PUT(event->args[5], a5);
	PUT(event->number, number + 1);
}

uint64_t hw_trace_number(const struct hw_trace *trace)
{
	return GET(trace->next);
}

static bool read_event(const struct hw_trace *trace, uint64_t number, struct hw_event *copy)
{
	const struct hw_event *event = &trace->events[number % trace->room];

	if (GET(event->number) != number + 1)
		return false;
	copy->number = number;
	copy->unit = GET(event->unit);
	copy->format = GET(event->format);
	for (unsigned int i = 0; i < HW_TRACE_ARGS; i++)
		copy->args[i] = GET(event->args[i]);
	return GET(event->number) == number + 1;
}

static bool find_event(const struct hw_trace *trace, uint64_t number, struct hw_event *event)
{
	uint64_t next = GET(trace->next);

	if (next > trace->room && number < next - trace->room)
		number = next - trace->room;
	for (; number < next; number++)
		if (read_event(trace, number, event))
			return true;
	return false;
}

uint64_t hw_trace_read(const struct hw_trace *trace, uint64_t number, char *line, unsigned int size)
{
	struct hw_event event;
	int used;

	if (!find_event(trace, number, &event))
		return UINT64_MAX;
	used = snprintf(line, size, "%s: ", event.unit);
	if (used >= 0 && (unsigned int)used < size)
		snprintf(line + used, size - used, event.format, event.args[0], event.args[1],
			 event.args[2], event.args[3], event.args[4], event.args[5]);
	return event.number;
}
