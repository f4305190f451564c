/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Named faults: bugs that somebody could really make, planted behind one test of a flag.
 *
 * A fault stands where it acts and nowhere else: `if (FAULT("vtd.piotlb-ignores-pasid", "..."))`.
 * The linker collects them, so a program lists exactly the faults that are in it. NIT_FAULT names
 * the ones to plant (usually one; separated by commas) when a program starts.
 */
#ifndef NIT_CORE_FAULT_H
#define NIT_CORE_FAULT_H

#include <stdbool.h>

/**
 * struct fault - a place where a bug can be planted
 * @name: "<part>.<what-it-does-wrong>", slug-safe; several places may share a name
 * @what: the bug in one line, as its commit message would have said it
 * @planted: set before main() by NIT_FAULT, or by fault_plant(); never while threads run
 * @hits: how often control came past while planted: 0 means that nothing exercised it
 */
struct fault {
	const char *name;
	const char *what;
	bool planted;
	unsigned long hits;
} __attribute__((aligned(32)));

#define FAULT(_name, _what) ({ \
	static struct fault fault_here \
		__attribute__((section("nit_faults"), used, aligned(32))) = { _name, _what }; \
	__builtin_expect(fault_here.planted, 0) && fault_hit(&fault_here); \
})

/** fault_hit() - Count one pass at a planted fault; returns true. Called by FAULT() only. */
bool fault_hit(struct fault *fault);

/** fault_plant() - Plant or remove all faults called @name; returns how many places there are */
unsigned int fault_plant(const char *name, bool planted);

/** fault_hits() - How often control came past the faults called @name since they were planted */
unsigned long fault_hits(const char *name);

/** fault_each() - Call @fn for every fault of the program, each name once, in no order */
void fault_each(void (*fn)(const struct fault *fault, void *arg), void *arg);

#endif
