// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

/* Bounds of the section, made by the linker; both NULL in a program without faults. */
extern struct fault __start_nit_faults[] __attribute__((weak));
extern struct fault __stop_nit_faults[] __attribute__((weak));

/* NIT_FAULT_REACH: no bug acts, but each place of one is named when control first comes there. */
static bool reach_only;

/* Not by stdio, whose buffers a test takes with it when it dies. */
static bool say_reached(struct fault *fault)
{
	if (!__atomic_load_n(&fault->hits, __ATOMIC_RELAXED) &&
	    !__atomic_fetch_add(&fault->hits, 1, __ATOMIC_RELAXED))
		dprintf(STDERR_FILENO, "# reached %s\n", fault->name);
	return false;
}

bool fault_hit(struct fault *fault)
{
	if (reach_only)
		return say_reached(fault);
	__atomic_fetch_add(&fault->hits, 1, __ATOMIC_RELAXED);
	return true;
}

unsigned int fault_plant(const char *name, bool planted)
{
	unsigned int places = 0;

	for (struct fault *fault = __start_nit_faults; fault < __stop_nit_faults; fault++) {
		if (strcmp(fault->name, name))
			continue;
		fault->planted = planted;
		fault->hits = 0;
		places++;
	}
	return places;
}

/* A name that was already seen: FAULT() in two places, or in a header. */
static bool seen_before(const struct fault *fault)
{
	for (const struct fault *other = __start_nit_faults; other < fault; other++)
		if (!strcmp(other->name, fault->name))
			return true;
	return false;
}

void fault_each(void (*fn)(const struct fault *fault, void *arg), void *arg)
{
	for (struct fault *fault = __start_nit_faults; fault < __stop_nit_faults; fault++)
		if (!seen_before(fault))
			fn(fault, arg);
}

unsigned long fault_hits(const char *name)
{
	unsigned long hits = 0;

	for (struct fault *fault = __start_nit_faults; fault < __stop_nit_faults; fault++)
		if (!strcmp(fault->name, name))
			hits += __atomic_load_n(&fault->hits, __ATOMIC_RELAXED);
	return hits;
}

/* A program need not have the fault that a whole run plants, but nobody should take it so. */
__attribute__((constructor)) static void plant_from_environment(void)
{
	const char *names = getenv("NIT_FAULT");
	char *list, *name, *rest;
	struct fault *fault;

	reach_only = getenv("NIT_FAULT_REACH");
	for (fault = __start_nit_faults; reach_only && fault < __stop_nit_faults; fault++)
		fault->planted = true;
	if (!names || !*names)
		return;
	list = rest = strdup(names);
	while (list && (name = strsep(&rest, ",")))
		if (*name && !fault_plant(name, true))
			fprintf(stderr, "# fault %s: not in this program\n", name);
	free(list);
}
