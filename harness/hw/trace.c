// SPDX-License-Identifier: GPL-2.0-only
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "trace.h"

/** struct hw_trace - @next: number of the next event; event n is in slot n % @room */
struct hw_trace {
	pthread_mutex_t lock;
	bool dma;
	unsigned int room;
	uint64_t next;
	struct hw_event events[];
};

struct hw_trace *hw_trace_create(unsigned int events)
{
	struct hw_trace *trace = calloc(1, sizeof(*trace) + events * sizeof(trace->events[0]));

	if (!trace)
		return NULL;
	pthread_mutex_init(&trace->lock, NULL);
	trace->room = events;
	trace->dma = true;
	return trace;
}

void hw_trace_destroy(struct hw_trace *trace)
{
	if (trace)
		pthread_mutex_destroy(&trace->lock);
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

void hw_trace_add(struct hw_trace *trace, const char *unit, const char *format,
		  unsigned long long a0, unsigned long long a1, unsigned long long a2,
		  unsigned long long a3, unsigned long long a4, unsigned long long a5)
{
	if (!trace)
		return;
	pthread_mutex_lock(&trace->lock);
	trace->events[trace->next % trace->room] = (struct hw_event){
		.number = trace->next, .unit = unit, .format = format,
		.args = { a0, a1, a2, a3, a4, a5 },
	};
	trace->next++;
	pthread_mutex_unlock(&trace->lock);
}

uint64_t hw_trace_number(const struct hw_trace *trace)
{
	struct hw_trace *locked = (struct hw_trace *)trace;
	uint64_t number;

	pthread_mutex_lock(&locked->lock);
	number = trace->next;
	pthread_mutex_unlock(&locked->lock);
	return number;
}

static bool find_event(struct hw_trace *trace, uint64_t number, struct hw_event *event)
{
	bool found;

	pthread_mutex_lock(&trace->lock);
	if (trace->next > trace->room && number < trace->next - trace->room)
		number = trace->next - trace->room;
	found = number < trace->next;
	if (found)
		*event = trace->events[number % trace->room];
	pthread_mutex_unlock(&trace->lock);
	return found;
}

uint64_t hw_trace_read(const struct hw_trace *trace, uint64_t number, char *line, unsigned int size)
{
	struct hw_event event;
	int used;

	if (!find_event((struct hw_trace *)trace, number, &event))
		return UINT64_MAX;
	used = snprintf(line, size, "%s: ", event.unit);
	if (used >= 0 && (unsigned int)used < size)
		snprintf(line + used, size - used, event.format, event.args[0], event.args[1],
			 event.args[2], event.args[3], event.args[4], event.args[5]);
	return event.number;
}
