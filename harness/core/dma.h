/* SPDX-License-Identifier: GPL-2.0-only */
/* One DMA transfer, as whoever asks for it and whoever does it both describe it. */
#ifndef NIT_CORE_DMA_H
#define NIT_CORE_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DMA_NO_PASID UINT32_MAX

enum dma_op {
	DMA_READ,	/* memory to @data */
	DMA_WRITE,	/* @data to memory */
	DMA_SWAP,	/* atomic: 8 bytes of @data go to memory, what was there comes back */
};

enum dma_address {
	DMA_PLAIN,	/* untranslated request */
	DMA_ATS,	/* through the ATC; aborted while ATS is off */
	DMA_RAW,	/* a translated request with @addr as it is: what a hostile device does */
};

/**
 * struct dma - one transfer
 * @pasid: DMA_NO_PASID for none
 * @addr, @len: bytes; may cross pages
 * @between: NULL, or what is called, with @arg, after each translation and before its memory
 *	access; only of TARGET_HELD. Unlike a DMA that is held, time does not go on meanwhile: a
 *	device that is slow in answering for it is not late.
 */
struct dma {
	enum dma_op op;
	enum dma_address address;
	uint32_t pasid;
	uint64_t addr;
	size_t len;
	void *data;
	bool exec;
	bool priv;
	void (*between)(void *arg);
	void *arg;
};

enum dma_status {
	DMA_DONE,
	DMA_ABORTED,	/* the IOMMU, or nothing at the address, refused */
	DMA_HELD,	/* translated, memory not yet accessed */
	DMA_STALLED,	/* the IOMMU holds it until software answers */
};

#endif
