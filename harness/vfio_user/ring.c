// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"

#define LOOK_NS 50000	/* as long as a doorbell costs, about */

static struct served_ring *shared(struct ring *ring)
{
	return (struct served_ring *)ring->memory;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* More than there are slots is nonsense: nothing is carried out until it makes sense again. */
static bool has_work(struct ring *ring)
{
	uint32_t posted = __atomic_load_n(&shared(ring)->tail, __ATOMIC_ACQUIRE) - ring->head;

	return posted && posted <= SERVED_SLOTS;
}

static void carry_out_next(struct ring *ring)
{
	uint32_t slot = ring->head % SERVED_SLOTS;
	uint8_t *at = ring->memory + SERVED_DESCRIPTORS + slot * sizeof(struct served_descriptor);
	struct served_descriptor descriptor;

	memcpy(&descriptor, at, sizeof(descriptor));
	ring->ops->carry_out(ring->arg, &descriptor, ring->memory + SERVED_DATA +
			     slot * SERVED_DATA_SIZE);
	memcpy(at, &descriptor, sizeof(descriptor));
	ring->head++;
	__atomic_store_n(&shared(ring)->head, ring->head, __ATOMIC_RELEASE);
}

static void wait_doorbell(struct ring *ring, int timeout_ms)
{
	struct timespec until;

	if (timeout_ms < 0) {
		sem_wait(&ring->doorbell);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	sem_timedwait(&ring->doorbell, &until);
}

/* Who posts writes the tail, then reads @asleep; we write that, then read the tail. */
static void sleep_for_work(struct ring *ring)
{
	__atomic_store_n(&shared(ring)->asleep, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!has_work(ring))
		wait_doorbell(ring, ring->ops->expire(ring->arg));
	__atomic_store_n(&shared(ring)->asleep, 0, __ATOMIC_SEQ_CST);
}

static void *work(void *arg)
{
	struct ring *ring = arg;
	uint64_t idle_since = now_ns();

	while (!__atomic_load_n(&ring->stop, __ATOMIC_ACQUIRE)) {
		if (has_work(ring)) {
			carry_out_next(ring);
			idle_since = now_ns();
		} else if (now_ns() - idle_since > LOOK_NS) {
			sleep_for_work(ring);
			idle_since = now_ns();
		}
	}
	return NULL;
}

static int create_memory(struct ring *ring)
{
	ring->fd = memfd_create("nit-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ring->fd < 0)
		return -errno;
	if (ftruncate(ring->fd, SERVED_MEMORY_SIZE) ||
	    fcntl(ring->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	ring->memory = mmap(NULL, SERVED_MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    ring->fd, 0);
	return ring->memory == MAP_FAILED ? -errno : 0;
}

int ring_open(struct ring *ring, const struct ring_ops *ops, void *arg)
{
	int rc;

	*ring = (struct ring){ .ops = ops, .arg = arg };
	sem_init(&ring->doorbell, 0, 0);
	rc = create_memory(ring);
	return rc ?: -pthread_create(&ring->thread, NULL, work, ring);
}

void ring_doorbell(struct ring *ring)
{
	int value;

	/* One that was not taken yet is enough. */
	if (!sem_getvalue(&ring->doorbell, &value) && !value)
		sem_post(&ring->doorbell);
}

void ring_close(struct ring *ring)
{
	__atomic_store_n(&ring->stop, true, __ATOMIC_RELEASE);
	ring_doorbell(ring);
	pthread_join(ring->thread, NULL);
	munmap(ring->memory, SERVED_MEMORY_SIZE);
	close(ring->fd);
	sem_destroy(&ring->doorbell);
}
