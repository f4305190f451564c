// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "figure.h"

void figure_count(const char *name, uint64_t value, const char *unit)
{
	printf("# figure %s %" PRIu64 " %s count\n", name, value, unit);
	fflush(stdout);
}

void figure_time(const char *name, double value, const char *unit)
{
	printf("# figure %s %.3f %s time\n", name, value, unit);
	fflush(stdout);
}

uint64_t figure_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}
