/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers of a device, however they are reached: through VFIO, or an emulator's qtest. */
#ifndef NIT_DMA_BAR_H
#define NIT_DMA_BAR_H

#include <stdint.h>

/**
 * struct dma_bar - BAR @number of a device
 * @read, @write: 4 or 8 bytes, naturally aligned, one access
 * @priv, @base: of whoever reaches it
 */
struct dma_bar {
	uint64_t (*read)(const struct dma_bar *bar, uint64_t at, unsigned int size);
	void (*write)(const struct dma_bar *bar, uint64_t at, unsigned int size, uint64_t value);
	unsigned int number;
	void *priv;
	uint64_t base;
};

static inline uint32_t dma_bar_read32(const struct dma_bar *bar, uint64_t at)
{
	return bar->read(bar, at, 4);
}

static inline void dma_bar_write32(const struct dma_bar *bar, uint64_t at, uint32_t value)
{
	bar->write(bar, at, 4, value);
}

#endif
