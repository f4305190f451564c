// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

#define WORD 4u

/** struct probe - the word at @offset of each page that was there before, in order */
struct probe {
	const struct dma_memory *memory;
	unsigned int offset;
	unsigned int count;
	unsigned int size;
	struct probe_word {
		uint64_t page;
		uint32_t value;
	} *words;
};

/* The next page from *@page on that is there; @end: of the run of pages that *@page is in */
static bool next_page(const struct dma_memory *memory, uint64_t *page, uint64_t *end)
{
	off_t at;

	if (memory->fd < 0)
		*end = memory->size;
	if (*page < *end)
		return true;
	if (memory->fd < 0)
		return false;
	at = lseek(memory->fd, *page, SEEK_DATA);
	if (at < 0 || (uint64_t)at >= memory->size)
		return false;
	*page = at;
	*end = lseek(memory->fd, at, SEEK_HOLE);
	return true;
}

static uint32_t *word_of(const struct probe *probe, uint64_t page)
{
	return (uint32_t *)(probe->memory->base + page + probe->offset);
}

static bool remember(struct probe *probe, uint64_t page)
{
	if (probe->count == probe->size) {
		unsigned int size = probe->size * 2 + 512;
		void *words = realloc(probe->words, size * sizeof(*probe->words));

		if (!words)
			return false;
		probe->words = words;
		probe->size = size;
	}
	probe->words[probe->count++] = (struct probe_word){
		page, __atomic_load_n(word_of(probe, page), __ATOMIC_ACQUIRE),
	};
	return true;
}

static bool begin(struct probe *probe)
{
	for (uint64_t page = 0, end = 0; next_page(probe->memory, &page, &end); page += PROBE_PAGE)
		if (!remember(probe, page))
			return false;
	return true;
}

/* The word that has become @value, in *@old what it was. The IOMMU writes to its queues, too. */
static uint32_t *find(const struct probe *probe, uint32_t value, uint32_t *old)
{
	unsigned int i = 0;

	for (uint64_t page = 0, end = 0; next_page(probe->memory, &page, &end);
	     page += PROBE_PAGE) {
		uint32_t now = __atomic_load_n(word_of(probe, page), __ATOMIC_ACQUIRE);

		while (i < probe->count && probe->words[i].page < page)
			i++;
		*old = i < probe->count && probe->words[i].page == page ? probe->words[i].value : 0;
		if (now == value && now != *old)
			return word_of(probe, page);
	}
	return NULL;
}

/* Where the device reaches @addr, with what was there put back; NULL: nowhere */
static uint8_t *reached(struct dma_device *device, const struct dma_memory *memory, uint64_t addr)
{
	uint64_t skew = addr % WORD;
	struct probe probe = { .memory = memory, .offset = (addr - skew) % PROBE_PAGE };
	uint32_t value, old, *word = NULL;

	if (begin(&probe) && !device->driver->probe_write(device, addr - skew, &value))
		word = find(&probe, value, &old);
	if (word)
		__atomic_store_n(word, old, __ATOMIC_RELEASE);
	free(probe.words);
	return word ? (uint8_t *)word + skew : NULL;
}

enum dma_status dma_probe(struct dma_device *device, const struct dma_memory *memory,
			  struct dma *dma)
{
	for (size_t done = 0, len; done < dma->len; done += len) {
		uint8_t *data = (uint8_t *)dma->data + done, *at;

		len = PROBE_PAGE - (dma->addr + done) % PROBE_PAGE;
		if (len > dma->len - done)
			len = dma->len - done;
		at = reached(device, memory, dma->addr + done);
		if (!at)
			return DMA_ABORTED;
		if (dma->op == DMA_READ)
			memcpy(data, at, len);
		else
			memcpy(at, data, len);
	}
	return DMA_DONE;
}
