/* SPDX-License-Identifier: GPL-2.0-only */
/* Who watches a stress run: an actor that gets nothing done is named, and where it waits. */
#ifndef NIT_ORACLE_STRESS_WATCH_H
#define NIT_ORACLE_STRESS_WATCH_H

#include "stress.h"

#define WATCH_ACTORS (1 + STRESS_ENGINES)

/**
 * struct stress_watch - @patience_s: how long an actor may take for one step
 * @stuck: it took longer; the run is told to stop, and its threads are in notes of the test
 */
struct stress_watch {
	struct stress *stress;
	double patience_s;
	bool stuck;
	_Atomic bool end;
	pthread_t thread;
	unsigned long seen[WATCH_ACTORS];
	double since[WATCH_ACTORS];
};

/** stress_watch_start() - Return: 0 or -errno */
int stress_watch_start(struct stress_watch *watch, struct stress *stress, double patience_s);
void stress_watch_stop(struct stress_watch *watch);

#endif
