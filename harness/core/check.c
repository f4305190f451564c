// SPDX-License-Identifier: GPL-2.0-only
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifdef NIT_FILL
#include <malloc.h>
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

#define LAST_ERRNO 4095

static const char *current_rule = "-";
static unsigned long *checks;	/* shared with the processes that the harness forks */
static pid_t counter_owner;

const char *errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "?";
}

void check_rule(const char *id)
{
	current_rule = id;
	fprintf(stderr, "# rule %s\n", id);
}

void check_count(void)
{
	if (checks)
		__atomic_fetch_add(checks, 1, __ATOMIC_RELAXED);
}

/* -22 reads "-22 (-EINVAL)"; unsigned numbers above 9 also in hexadecimal. */
static const char *format_value(char *buf, size_t size, uintmax_t value, bool is_signed)
{
	intmax_t number = (intmax_t)value;

	if (is_signed && number < 0 && number >= -LAST_ERRNO)
		snprintf(buf, size, "%jd (-%s)", number, errno_name((int)-number));
	else if (is_signed)
		snprintf(buf, size, "%jd", number);
	else if (value > 9)
		snprintf(buf, size, "%ju (0x%jx)", value, value);
	else
		snprintf(buf, size, "%ju", value);
	return buf;
}

void check_failed(const struct check *check)
{
	const char *file = strrchr(check->file, '/');
	char expected[64], observed[64];

	format_value(expected, sizeof(expected), check->expected, check->expected_signed);
	format_value(observed, sizeof(observed), check->observed, check->observed_signed);
	fprintf(stderr, "# check failed: %s: %s:%d: %s %s %s: expected %s, observed %s\n",
		current_rule, file ? file + 1 : check->file, check->line, check->expected_expr,
		check->op, check->observed_expr, expected, observed);
}

void check_note(const char *format, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	fprintf(stderr, "# note: %s\n", line);
}

static void print_total(void)
{
	if (getpid() == counter_owner)
		printf("# checks %lu\n", *checks);
}

void check_begin(void)
{
#ifdef NIT_FILL
	mallopt(M_PERTURB, NIT_FILL);	/* as MALLOC_PERTURB_, and in guests too */
#endif
	checks = mmap(NULL, sizeof(*checks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (checks == MAP_FAILED) {
		perror("nit: shared check counter");
		exit(1);
	}
	counter_owner = getpid();
	atexit(print_total);
}
