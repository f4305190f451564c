// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "figure.h"

#define LINE 64		/* samples on one: the runner keeps 2000 bytes of it */

void figure_count(const char *name, uint64_t value, const char *unit)
{
	printf("# figure %s %" PRIu64 " %s count\n", name, value, unit);
	fflush(stdout);
}

void figure_time(const char *name, double value, const char *unit)
{
	figure_times(name, &value, 1, unit);
}

void figure_times(const char *name, const double *values, unsigned int count, const char *unit)
{
	for (unsigned int i = 0; i < count; i++) {
		if (i % LINE == 0)
			printf("# figure %s ", name);
		printf("%.*f", values[i] == (int64_t)values[i] ? 0 : 3, values[i]);
		if (i % LINE == LINE - 1 || i == count - 1)
			printf(" %s time\n", unit);
		else
			printf(",");
	}
	fflush(stdout);
}

static bool clock_counts_instructions(void)
{
	const char *clock = getenv("NIT_CLOCK");

	return clock && !strcmp(clock, "instructions");
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void figure_costs(const char *name, double *ns, unsigned int count)
{
	char p95[80];

	if (!clock_counts_instructions()) {
		figure_times(name, ns, count, "ns");
		return;
	}
	qsort(ns, count, sizeof(*ns), by_size);
	snprintf(p95, sizeof(p95), "%s_p95", name);
	figure_count(name, ns[0], "instructions");
	figure_count(p95, ns[(count - 1) * 95 / 100], "instructions");
}

uint64_t figure_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}
