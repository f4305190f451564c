/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct target_ops.waiting on a running kernel: a thread that asks hardware for the moment in
 * which the kernel waits for it, and acts then. The kernel may wait with interrupts off, so the two
 * have a processor each.
 */
#ifndef NIT_TARGET_WATCH_H
#define NIT_TARGET_WATCH_H

#include <pthread.h>

#include "dma/device.h"

/**
 * struct watch
 * @asked: whoever wants @lock while the thread looks again and again
 * @fn, @arg: what to call in the next moment; @calling: it is being called
 */
struct watch {
	struct dma_device *device;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic bool asked;
	bool started;
	bool end;
	bool calling;
	void (*fn)(void *arg);
	void *arg;
};

/** watch_possible() - Are there two processors for this process? */
bool watch_possible(void);

void watch_init(struct watch *watch);

/**
 * watch_want() - Call @fn once in the next moment, as @device tells it; NULL: never mind
 *
 * May be called from @fn. Returns 0 or -errno; from elsewhere, when no @fn of before is running.
 */
int watch_want(struct watch *watch, struct dma_device *device, void (*fn)(void *arg), void *arg);

/** watch_stop() - End the thread: before the device is closed */
void watch_stop(struct watch *watch);

#endif
