/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's side of a ring (spec/served.h): shared memory, and a thread that carries
 * descriptors out. What comes from there is the guest's, and may change at any moment: it is
 * copied, then looked at. The thread looks for a while before it sleeps, so that a busy ring
 * needs no doorbell.
 */
#ifndef NIT_VFIO_USER_RING_H
#define NIT_VFIO_USER_RING_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "spec/served.h"

/**
 * struct ring_ops - called on the ring's thread
 * @carry_out: one descriptor, a copy, with the data of its slot (in shared memory)
 * @expire: before it sleeps: end what has lasted too long; ms until something will have, -1: never
 */
struct ring_ops {
	void (*carry_out)(void *arg, struct served_descriptor *descriptor, uint8_t *data);
	int (*expire)(void *arg);
};

/**
 * struct ring
 * @fd, @memory: the shared memory, SERVED_MEMORY_SIZE bytes
 * @head: ours; what the shared memory says is for the guest
 */
struct ring {
	int fd;
	uint8_t *memory;
	uint32_t head;
	sem_t doorbell;
	pthread_t thread;
	bool stop;
	const struct ring_ops *ops;
	void *arg;
};

/** ring_open() - Create the memory, start the thread; 0 or -errno */
int ring_open(struct ring *ring, const struct ring_ops *ops, void *arg);
void ring_close(struct ring *ring);

/** ring_doorbell() - There is work; any thread */
void ring_doorbell(struct ring *ring);

#endif
