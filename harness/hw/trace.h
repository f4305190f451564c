/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hardware saw and did, in order: a ring of the last events, formatted only when read.
 *
 * Every command, sync, translation, fault and completion is an event. Evidence for a failed test,
 * and (through the counters) the exact cost of an operation.
 */
#ifndef NIT_HW_TRACE_H
#define NIT_HW_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#define HW_TRACE_ARGS 6

/**
 * struct hw_event - one event
 * @unit: who: "vtd0", "dev 00:03.0"; a string that lives as long as the trace
 * @format: printf format, every argument a uint64_t (%llu, %#llx); a string literal
 */
struct hw_event {
	uint64_t number;
	const char *unit;
	const char *format;
	unsigned long long args[HW_TRACE_ARGS];
};

struct hw_trace;

/** hw_trace_create() - Room for the last @events events; NULL: no memory */
struct hw_trace *hw_trace_create(unsigned int events);
void hw_trace_destroy(struct hw_trace *trace);

/** hw_trace_dma() - Should translations and DMA be recorded too? Off makes them faster. */
void hw_trace_dma(struct hw_trace *trace, bool on);
bool hw_trace_wants_dma(const struct hw_trace *trace);

/** hw_trace_add() - Record an event; @trace may be NULL. Any thread. */
void hw_trace_add(struct hw_trace *trace, const char *unit, const char *format,
		  unsigned long long a0, unsigned long long a1, unsigned long long a2,
		  unsigned long long a3, unsigned long long a4, unsigned long long a5);

/* hw_trace(trace, unit, format, up to six numbers) */
#define hw_trace(...) HW_TRACE_PAD(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define HW_TRACE_PAD(_trace, _unit, _format, _0, _1, _2, _3, _4, _5, ...) \
	hw_trace_add(_trace, _unit, _format, _0, _1, _2, _3, _4, _5)

/** hw_trace_number() - The number that the next event gets; a mark to read from */
uint64_t hw_trace_number(const struct hw_trace *trace);

/**
 * hw_trace_read() - Format the event @number or the first after it that is still there
 * Return: the number of the event, with its line ("vtd0: piotlb did 2 pasid 0 ...") in @line;
 * UINT64_MAX if there is none.
 */
uint64_t hw_trace_read(const struct hw_trace *trace, uint64_t number, char *line,
		       unsigned int size);

#endif
