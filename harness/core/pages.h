/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A window of memory that is handed out in pages: the hypervisor's or a guest's own RAM.
 * Addresses are what hardware sees (PA, or GPA in a guest); pointers are what we use.
 */
#ifndef NIT_CORE_PAGES_H
#define NIT_CORE_PAGES_H

#include <stddef.h>
#include <stdint.h>

/** struct pages - @size bytes at host address @base, known to hardware as @addr */
struct pages {
	uint8_t *base;
	uint64_t addr;
	uint64_t size;
	uint64_t next;		/* offset of what was never handed out */
	struct pages_free *free;
	uint64_t used;		/* bytes handed out now: to find leaks */
};

/** pages_init() - The window must read as zero: only what comes back is cleared */
void pages_init(struct pages *pages, void *base, uint64_t addr, uint64_t size);
void pages_fini(struct pages *pages);

/**
 * pages_alloc() - @size zeroed bytes (a power of two >= 4096), aligned to their size
 * Return: the address, or 0: no memory (address 0 is never handed out)
 */
uint64_t pages_alloc(struct pages *pages, uint64_t size);
void pages_free(struct pages *pages, uint64_t addr, uint64_t size);

/** pages_ptr() - The host address of @addr, NULL if it is outside */
static inline void *pages_ptr(const struct pages *pages, uint64_t addr)
{
	return addr - pages->addr < pages->size ? pages->base + (addr - pages->addr) : NULL;
}

#endif
