// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>

#include "watch.h"

/* The @index-th of the processors that this process may use; -1: there are fewer */
static int processor(unsigned int index)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && !index--)
			return cpu;
	return -1;
}

bool watch_possible(void)
{
	return processor(1) >= 0;
}

static int stay_on(pthread_t thread, int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return -pthread_setaffinity_np(thread, sizeof(one), &one);
}

static void act(struct watch *watch)
{
	void (*fn)(void *arg) = watch->fn;
	void *arg = watch->arg;

	watch->fn = NULL;
	watch->calling = true;
	pthread_mutex_unlock(&watch->lock);
	fn(arg);
	pthread_mutex_lock(&watch->lock);
	watch->calling = false;
	watch->device->driver->want_moment(watch->device, watch->fn);
	pthread_cond_broadcast(&watch->changed);
}

/* Let whoever asks have the lock. */
static void give_way(struct watch *watch)
{
	pthread_mutex_unlock(&watch->lock);
	do {
		sched_yield();
	} while (watch->asked);
	pthread_mutex_lock(&watch->lock);
}

static void *watch_main(void *arg)
{
	struct watch *watch = arg;

	pthread_mutex_lock(&watch->lock);
	while (!watch->end) {
		if (!watch->fn)
			pthread_cond_wait(&watch->changed, &watch->lock);
		else if (watch->device->driver->moment(watch->device))
			act(watch);
		else
			give_way(watch);
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

void watch_init(struct watch *watch)
{
	*watch = (struct watch){};
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->changed, NULL);
}

static void lock(struct watch *watch)
{
	watch->asked = true;
	pthread_mutex_lock(&watch->lock);
	watch->asked = false;
}

static int start(struct watch *watch)
{
	int first = processor(0), second = processor(1), rc;

	if (second < 0)
		return -ENODEV;
	rc = -pthread_create(&watch->thread, NULL, watch_main, watch);
	watch->started = !rc;
	return rc ?: stay_on(pthread_self(), first) ?: stay_on(watch->thread, second);
}

int watch_want(struct watch *watch, struct dma_device *device, void (*fn)(void *arg), void *arg)
{
	bool inside = watch->started && pthread_equal(pthread_self(), watch->thread);
	int rc = 0;
	bool tell;

	lock(watch);
	while (!inside && watch->calling)
		pthread_cond_wait(&watch->changed, &watch->lock);
	tell = !inside && (fn || watch->fn);	/* else act() does, when this moment is over */
	watch->device = device;
	if (fn && !watch->started)
		rc = start(watch);
	watch->fn = rc ? NULL : fn;
	watch->arg = arg;
	if (tell)
		rc = rc ?: device->driver->want_moment(device, fn);
	pthread_cond_broadcast(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
	return rc;
}

void watch_stop(struct watch *watch)
{
	if (watch->started) {
		lock(watch);
		watch->end = true;
		pthread_cond_broadcast(&watch->changed);
		pthread_mutex_unlock(&watch->lock);
		pthread_join(watch->thread, NULL);
		if (watch->fn)
			watch->device->driver->want_moment(watch->device, false);
	}
	watch->started = watch->end = false;
	watch->fn = NULL;
}
