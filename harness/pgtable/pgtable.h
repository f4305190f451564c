/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Radix page tables of every format, built by software: a guest's stage 1, a hypervisor's stage 2.
 *
 * The walk is generic; a format says how an entry looks. Levels count from the leaf: level 0
 * entries map the smallest page. Entries are written with single stores, so that hardware may walk
 * at any moment. Nothing here invalidates anything.
 */
#ifndef NIT_PGTABLE_PGTABLE_H
#define NIT_PGTABLE_PGTABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/pages.h"

enum pgtable_prot {
	PGTABLE_READ = 1,
	PGTABLE_WRITE = 2,
	PGTABLE_EXEC = 4,
	PGTABLE_USER = 8,	/* unprivileged access allowed, where the format has it */
	PGTABLE_GLOBAL = 16,
	PGTABLE_NO_ACCESSED = 32,	/* leave the accessed/dirty bits for hardware to set */
	PGTABLE_NO_DIRTY = 64,
	PGTABLE_NO_EXEC = 128,	/* where executable is the rule: x86_64 */
};

enum pgtable_kind { PGTABLE_NONE, PGTABLE_TABLE, PGTABLE_LEAF };

struct pgtable;

/**
 * struct pgtable_format - how entries look
 * @page_shift: log2 of the smallest page; @index_bits: entries of a table are 2^@index_bits
 * @root_bits: extra index bits of the top level (concatenated tables); 0 mostly
 * @max_levels: levels of the deepest tree
 * @leaf_shifts: bit n: a leaf of 2^n bytes exists, contiguous runs included
 * @run_advances: each entry of a run holds the address of its own part (Arm), so that @addr of
 *	@leaf is that part's; else all hold the beginning (AMD)
 * @table: the entry at @level that points to the next table at @addr
 * @leaf: the entry at @level for a leaf of 2^@shift bytes, of which @addr is the beginning; leaves
 *	larger than one entry of their level are written as a run of such entries
 * @kind: of @entry at @level
 * @next: the table that a PGTABLE_TABLE entry points to
 * @out: the beginning of the leaf; @shift: log2 of its size; @prot: its permissions
 */
struct pgtable_format {
	const char *name;
	uint8_t page_shift;
	uint8_t index_bits;
	uint8_t max_levels;
	uint64_t leaf_shifts;
	bool run_advances;
	uint64_t (*table)(const struct pgtable *pt, unsigned int level, uint64_t addr);
	uint64_t (*leaf)(const struct pgtable *pt, unsigned int level, unsigned int shift,
			 uint64_t addr, unsigned int prot);
	enum pgtable_kind (*kind)(const struct pgtable *pt, unsigned int level, uint64_t entry);
	uint64_t (*next)(const struct pgtable *pt, unsigned int level, uint64_t entry);
	uint64_t (*out)(const struct pgtable *pt, unsigned int level, uint64_t entry);
	unsigned int (*shift)(const struct pgtable *pt, unsigned int level, uint64_t entry);
	unsigned int (*prot)(const struct pgtable *pt, unsigned int level, uint64_t entry);
};

/**
 * struct pgtable - one tree
 * @levels: of this tree; @root_bits: extra index bits at the top (concatenated tables, Arm stage 2)
 */
struct pgtable {
	const struct pgtable_format *format;
	struct pages *pages;
	uint64_t root;
	unsigned int levels;
	unsigned int root_bits;
};

/* x86_64: VT-d first stage, AMD v2; vtdss: VT-d second stage; amdv1: AMD host tables;
 * lpae_s1/s2 with 4, 16 and 64 KiB granules: Arm stage 1 and 2 */
extern const struct pgtable_format pgtable_x86_64, pgtable_vtdss, pgtable_amdv1;
extern const struct pgtable_format pgtable_lpae_s1_4k, pgtable_lpae_s1_16k, pgtable_lpae_s1_64k;
extern const struct pgtable_format pgtable_lpae_s2_4k, pgtable_lpae_s2_16k, pgtable_lpae_s2_64k;

/** pgtable_init() - An empty tree of @levels in @pages; -ENOMEM, -EINVAL */
int pgtable_init(struct pgtable *pt, const struct pgtable_format *format, unsigned int levels,
		 unsigned int root_bits, struct pages *pages);
/** pgtable_fini() - Frees all tables */
void pgtable_fini(struct pgtable *pt);

/**
 * pgtable_map() - Map [@iova, +@len) to [@out, +@len) with the largest leaves that fit
 * @max_shift: no leaf larger than 2^@max_shift; 0: no limit. What was mapped is overwritten;
 *	a leaf in the way of a table is replaced by it, and a table in the way of a leaf is freed.
 *	A leaf that is overwritten in part goes whole.
 * Return: 0; -EINVAL (alignment, range); -ENOMEM, -EFAULT (an entry points outside of @pt->pages):
 *	what comes before is mapped
 */
int pgtable_map(struct pgtable *pt, uint64_t iova, uint64_t out, uint64_t len, unsigned int prot,
		unsigned int max_shift);

/**
 * pgtable_unmap() - Unmap [@iova, +@len). A leaf that only partly lies in it goes whole.
 * @keep_tables: tables that become empty stay linked; else they are unlinked and freed
 */
void pgtable_unmap(struct pgtable *pt, uint64_t iova, uint64_t len, bool keep_tables);

/** pgtable_entry() - The entry for @iova at @level, or NULL where the tree does not reach so far */
uint64_t *pgtable_entry(struct pgtable *pt, uint64_t iova, unsigned int level);

/** struct pgtable_leaf - what software's own walk found */
struct pgtable_leaf {
	uint64_t out;		/* of the address asked for */
	unsigned int level;
	unsigned int shift;
	unsigned int prot;
};

/** pgtable_walk() - Software's walk; false: not mapped */
bool pgtable_walk(const struct pgtable *pt, uint64_t iova, struct pgtable_leaf *leaf);

#endif
