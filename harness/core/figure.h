/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test measured: figures in results.json, in what a run says at its end, in report.html and
 * in baselines (docs/bench.md).
 *
 * A figure has a name, a unit, and samples. A test may give a name again: one more sample.
 */
#ifndef NIT_CORE_FIGURE_H
#define NIT_CORE_FIGURE_H

#include <stdint.h>

/**
 * figure_count() - A number that the same work gives every time: commands, table reads
 * @name: letters, digits, "_", "." and "-"; unique in the test
 * @unit: one word, for instance "commands"
 */
void figure_count(const char *name, uint64_t value, const char *unit);

/** figure_time() - A number that the machine and its load have a part in: @value in @unit */
void figure_time(const char *name, double value, const char *unit);
/** figure_times() - @count samples of it, at least one, on one line */
void figure_times(const char *name, const double *values, unsigned int count, const char *unit);

/**
 * figure_costs() - @count samples of what the same work took by figure_now(), in ns; sorts them
 *
 * Where the clock counts instructions (NIT_CLOCK=instructions) these are counts: the least, as
 * @name, and what one in twenty reaches, as @name_p95: work that is not done each time. The timer
 * interrupt hits fewer. Elsewhere it is figure_times().
 */
void figure_costs(const char *name, double *ns, unsigned int count);

/** figure_now() - Nanoseconds of a clock that only goes on */
uint64_t figure_now(void);

#endif
