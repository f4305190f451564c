/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which entries of a translation cache belong together: lists per (domain, space, kind), and lists
 * of those per domain. What lets a removal by tag find exactly what it removes.
 *
 * Entries, groups and domains are numbered from 1; 0 is none. Everything here is under the lock of
 * the cache.
 */
#ifndef NIT_HW_TLB_GROUPS_H
#define NIT_HW_TLB_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct tlb_link - an entry's place in the list of its group */
struct tlb_link {
	uint32_t group;
	uint32_t prev;
	uint32_t next;
};

/**
 * struct tlb_group - entries of one domain, space and kind
 * @shifts: bit n: an entry of 2^n bytes was added since the group was empty
 * @first: entry; @count: entries
 * @prev, @next: groups of the domain; @chain: of the hash, or of those that are free
 */
struct tlb_group {
	uint64_t shifts;
	uint32_t domain;
	uint32_t space;
	uint32_t kind;
	uint32_t first;
	uint32_t count;
	uint32_t prev;
	uint32_t next;
	uint32_t chain;
};

/** struct tlb_domain - @first: group; @prev, @next: all domains; @chain: of the hash, or free */
struct tlb_domain {
	uint32_t id;
	uint32_t first;
	uint32_t prev;
	uint32_t next;
	uint32_t chain;
};

/** struct tlb_pool - numbers to hand out: @free is a chain, @fresh was never handed out */
struct tlb_pool {
	uint32_t free;
	uint32_t fresh;
};

struct tlb_groups {
	unsigned int bits;
	struct tlb_group *group;
	uint32_t *group_hash;
	struct tlb_pool group_pool;
	struct tlb_domain *domain;
	uint32_t *domain_hash;
	struct tlb_pool domain_pool;
	uint32_t first_domain;
};

/** tlb_array() - Zeroed, for access at random: large ones in large pages where there are any */
void *tlb_array(size_t count, size_t size);

/** tlb_groups_init() - For up to 2^@bits entries; false: no memory, tlb_groups_fini() it */
bool tlb_groups_init(struct tlb_groups *groups, unsigned int bits);
void tlb_groups_fini(struct tlb_groups *groups);

/** tlb_groups_find() - The group of these tags, 0 if it has no entries */
uint32_t tlb_groups_find(const struct tlb_groups *groups, uint32_t domain, uint32_t space,
			 uint32_t kind);

/** tlb_groups_domain() - The record of domain @id, 0 if it has no entries */
uint32_t tlb_groups_domain(const struct tlb_groups *groups, uint32_t id);

/**
 * tlb_groups_add() - Put entry @index into its group, which is made if need be
 * @link: of entry i is at @links + i * @stride bytes
 */
void tlb_groups_add(struct tlb_groups *groups, void *links, size_t stride, uint32_t index,
		    uint32_t domain, uint32_t space, uint32_t kind, unsigned int shift);

/** tlb_groups_del() - Take entry @index out of its group; an empty group goes, and its domain */
void tlb_groups_del(struct tlb_groups *groups, void *links, size_t stride, uint32_t index);

#endif
