// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "ring.h"

#define BOUND_S 20	/* a loaded host, emulated CPUs */
#define LOOKS 1000	/* between two looks at the clock */

static struct served_ring *shared(struct dma_ring *ring)
{
	return (struct served_ring *)ring->memory;
}

static bool is_idle(struct dma_ring *ring)
{
	return __atomic_load_n(&shared(ring)->head, __ATOMIC_ACQUIRE) == ring->tail;
}

static int wait_idle(struct dma_ring *ring)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		for (unsigned int i = 0; i < LOOKS; i++)
			if (is_idle(ring))
				return 0;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > BOUND_S)
			return -ETIMEDOUT;
		sched_yield();
	}
}

static void ring_doorbell(struct dma_ring *ring)
{
	ring->registers[SERVED_DOORBELL / sizeof(*ring->registers)] = 1;
	ring->doorbells++;
}

int dma_ring_open(struct dma_ring *ring, volatile void *registers, void *memory)
{
	volatile uint32_t *regs = registers;

	*ring = (struct dma_ring){ .registers = regs, .memory = memory };
	if (regs[SERVED_MAGIC / sizeof(*regs)] != SERVED_MAGIC_VALUE ||
	    regs[SERVED_VERSION / sizeof(*regs)] != SERVED_VERSION_VALUE)
		return -ENODEV;
	ring->tail = __atomic_load_n(&shared(ring)->tail, __ATOMIC_ACQUIRE);
	if (!is_idle(ring))
		ring_doorbell(ring);
	return wait_idle(ring);
}

int dma_ring_call(struct dma_ring *ring, struct served_descriptor *descriptor, const void *in,
		  size_t in_len, void *out, size_t out_len)
{
	uint32_t slot = ring->tail % SERVED_SLOTS;
	uint8_t *at = ring->memory + SERVED_DESCRIPTORS + slot * sizeof(*descriptor);
	uint8_t *data = ring->memory + SERVED_DATA + slot * SERVED_DATA_SIZE;
	int rc;

	if (in_len > SERVED_DATA_SIZE || out_len > SERVED_DATA_SIZE)
		return -EINVAL;
	memcpy(at, descriptor, sizeof(*descriptor));
	if (in_len)
		memcpy(data, in, in_len);
	__atomic_store_n(&shared(ring)->tail, ++ring->tail, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&shared(ring)->asleep, __ATOMIC_SEQ_CST))
		ring_doorbell(ring);
	rc = wait_idle(ring);
	if (rc)
		return rc;
	memcpy(descriptor, at, sizeof(*descriptor));
	if (out_len)
		memcpy(out, data, out_len);
	return 0;
}
