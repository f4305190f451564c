/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA of devices that only write, and write what they like (struct dma_driver.probe_write): where
 * the word appears is where the translation leads, seen in memory.
 *
 * Translation keeps the offset in a page. So it is one word at that offset in some page, and of all
 * pages of the memory it is the one that has changed.
 */
#ifndef NIT_DMA_PROBE_H
#define NIT_DMA_PROBE_H

#include "device.h"

#define PROBE_PAGE 4096u

/**
 * struct dma_memory - all memory that a device might reach
 * @fd: the file that it is: pages that were never touched are holes of it, and stay holes;
 *	-1: it is none, and has no holes
 */
struct dma_memory {
	uint8_t *base;
	uint64_t size;
	int fd;
};

/**
 * dma_probe() - Have @device do @dma, in any page of @memory
 *
 * A write puts its data where the word appeared; a read takes what was there, and leaves it there:
 * it needs the permission to write. Return: DMA_DONE; DMA_ABORTED: some page was not reached
 */
enum dma_status dma_probe(struct dma_device *device, const struct dma_memory *memory,
			  struct dma *dma);

#endif
