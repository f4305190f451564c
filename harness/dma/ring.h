/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software's side of the ring of an endpoint that nit-hw serves (spec/served.h): one descriptor at
 * a time, with a bound on how long it may take.
 */
#ifndef NIT_DMA_RING_H
#define NIT_DMA_RING_H

#include "core/dma.h"
#include "spec/served.h"

/**
 * struct dma_ring
 * @registers, @memory: BAR 0 and BAR 2
 * @doorbells: how often the device had to be woken
 */
struct dma_ring {
	volatile uint32_t *registers;
	uint8_t *memory;
	uint32_t tail;
	unsigned long doorbells;
};

/** dma_ring_open() - Take over the ring; -ENODEV: none that we know; -ETIMEDOUT: never idle */
int dma_ring_open(struct dma_ring *ring, volatile void *registers, void *memory);

/**
 * dma_ring_call() - Have @descriptor carried out
 * @in, @in_len: its data, @out, @out_len: where what comes back goes; NULL and 0: none
 * Return: 0 with the descriptor as the device left it; -ETIMEDOUT: it does not answer
 */
int dma_ring_call(struct dma_ring *ring, struct served_descriptor *descriptor, const void *in,
		  size_t in_len, void *out, size_t out_len);

#endif
