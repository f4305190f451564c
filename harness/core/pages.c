// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "pages.h"

#define PAGE_SHIFT 12
#define ORDERS (64 - PAGE_SHIFT)

/*
 * What was handed out and came back, a stack of offsets per size. Kept outside of the window:
 * hardware that still uses a freed page must find what it held, not our links.
 */
struct pages_free {
	struct {
		uint64_t *offset;
		size_t count;
		size_t room;
	} order[ORDERS];
};

void pages_init(struct pages *pages, void *base, uint64_t addr, uint64_t size)
{
	*pages = (struct pages){ .base = base, .addr = addr, .size = size };
}

void pages_fini(struct pages *pages)
{
	for (unsigned int order = 0; pages->free && order < ORDERS; order++)
		free(pages->free->order[order].offset);
	free(pages->free);
	*pages = (struct pages){};
}

static unsigned int order_of(uint64_t size)
{
	return __builtin_ctzll(size) - PAGE_SHIFT;
}

/* Without memory for the note the pages are lost, which hurts nobody but their window. */
static void put(struct pages *pages, uint64_t offset, unsigned int order)
{
	if (!pages->free)
		pages->free = calloc(1, sizeof(*pages->free));
	if (!pages->free)
		return;
	if (pages->free->order[order].count == pages->free->order[order].room) {
		size_t room = pages->free->order[order].room * 2 + 16;
		uint64_t *grown = realloc(pages->free->order[order].offset,
					  room * sizeof(*grown));

		if (!grown)
			return;
		pages->free->order[order].offset = grown;
		pages->free->order[order].room = room;
	}
	pages->free->order[order].offset[pages->free->order[order].count++] = offset;
}

/* A free block of at least @order; what is left of a larger one goes back in halves. */
static uint64_t get(struct pages *pages, unsigned int order)
{
	for (unsigned int from = order; pages->free && from < ORDERS; from++) {
		uint64_t offset;

		if (!pages->free->order[from].count)
			continue;
		offset = pages->free->order[from].offset[--pages->free->order[from].count];
		while (from-- > order)
			put(pages, offset + (1ULL << (from + PAGE_SHIFT)), from);
		return offset;
	}
	return UINT64_MAX;
}

/* From what was never handed out; pieces skipped for alignment become free blocks. */
static uint64_t carve(struct pages *pages, uint64_t size)
{
	uint64_t addr = pages->addr + pages->next, offset;

	if (!addr)
		addr = 1ULL << PAGE_SHIFT;	/* address 0 means no memory */
	addr = (addr + (1ULL << PAGE_SHIFT) - 1) >> PAGE_SHIFT << PAGE_SHIFT;
	for (;;) {
		offset = addr - pages->addr;
		if (offset > pages->size || pages->size - offset < size)
			return UINT64_MAX;
		if (!(addr & (size - 1)))
			break;
		put(pages, offset, order_of(addr & -addr));
		addr += addr & -addr;
		pages->next = addr - pages->addr;
	}
	pages->next = offset + size;
	return offset;
}

/* Hardware may still read here through an old translation: no torn words. */
static void clear(uint64_t *words, uint64_t size)
{
	for (uint64_t i = 0; i < size / sizeof(*words); i++)
		__atomic_store_n(words + i, 0, __ATOMIC_RELAXED);
}

/* What was never handed out is zero, and stays untouched: most of a VM's memory is never used. */
uint64_t pages_alloc(struct pages *pages, uint64_t size)
{
	uint64_t offset;

	if (size < 1ULL << PAGE_SHIFT || size & (size - 1))
		return 0;
	offset = get(pages, order_of(size));
	if (offset != UINT64_MAX)
		clear((uint64_t *)(pages->base + offset), size);
	else
		offset = carve(pages, size);
	if (offset == UINT64_MAX)
		return 0;
	pages->used += size;
	return pages->addr + offset;
}

void pages_free(struct pages *pages, uint64_t addr, uint64_t size)
{
	put(pages, addr - pages->addr, order_of(size));
	pages->used -= size;
}
