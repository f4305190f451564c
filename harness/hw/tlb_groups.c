// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <sys/mman.h>

#include "tlb_groups.h"

#define LARGE_PAGE (2UL << 20)

void *tlb_array(size_t count, size_t size)
{
	char *array = calloc(count, size), *large;

	if (array && count * size >= 2 * LARGE_PAGE) {
		large = array + (-(uintptr_t)array & (LARGE_PAGE - 1));
		madvise(large, (array + count * size - large) & -LARGE_PAGE, MADV_HUGEPAGE);
	}
	return array;
}

bool tlb_groups_init(struct tlb_groups *groups, unsigned int bits)
{
	size_t count = (size_t)1 << bits;

	*groups = (struct tlb_groups){ .bits = bits };
	groups->group = tlb_array(count + 1, sizeof(groups->group[0]));
	groups->group_hash = tlb_array(count, sizeof(groups->group_hash[0]));
	groups->domain = tlb_array(count + 1, sizeof(groups->domain[0]));
	groups->domain_hash = tlb_array(count, sizeof(groups->domain_hash[0]));
	return groups->group && groups->group_hash && groups->domain && groups->domain_hash;
}

void tlb_groups_fini(struct tlb_groups *groups)
{
	free(groups->group);
	free(groups->group_hash);
	free(groups->domain);
	free(groups->domain_hash);
}

static uint32_t hash(const struct tlb_groups *groups, uint64_t tags, uint64_t kind)
{
	uint64_t h = tags * 0x9e3779b97f4a7c15ULL + kind * 0xc2b2ae3d27d4eb4fULL;

	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ULL;
	return groups->bits ? h >> (64 - groups->bits) : 0;
}

static uint32_t *group_chain(const struct tlb_groups *groups, uint32_t domain, uint32_t space,
			     uint32_t kind)
{
	return &groups->group_hash[hash(groups, (uint64_t)domain << 32 | space, kind)];
}

static uint32_t *domain_chain(const struct tlb_groups *groups, uint32_t id)
{
	return &groups->domain_hash[hash(groups, id, 0)];
}

uint32_t tlb_groups_find(const struct tlb_groups *groups, uint32_t domain, uint32_t space,
			 uint32_t kind)
{
	uint32_t at = *group_chain(groups, domain, space, kind);

	for (; at; at = groups->group[at].chain) {
		const struct tlb_group *group = &groups->group[at];

		if (group->space == space && group->kind == kind &&
		    groups->domain[group->domain].id == domain)
			break;
	}
	return at;
}

uint32_t tlb_groups_domain(const struct tlb_groups *groups, uint32_t id)
{
	uint32_t at = *domain_chain(groups, id);

	while (at && groups->domain[at].id != id)
		at = groups->domain[at].chain;
	return at;
}

/* ---- Making and unmaking ---- */

static void unchain_group(struct tlb_groups *groups, uint32_t at)
{
	struct tlb_group *group = &groups->group[at];
	uint32_t *link = group_chain(groups, groups->domain[group->domain].id, group->space,
				     group->kind);

	while (*link != at)
		link = &groups->group[*link].chain;
	*link = group->chain;
	group->chain = groups->group_pool.free;
	groups->group_pool.free = at;
}

static void unchain_domain(struct tlb_groups *groups, uint32_t at)
{
	struct tlb_domain *domain = &groups->domain[at];
	uint32_t *link = domain_chain(groups, domain->id);

	while (*link != at)
		link = &groups->domain[*link].chain;
	*link = domain->chain;
	domain->chain = groups->domain_pool.free;
	groups->domain_pool.free = at;
}

static uint32_t new_domain(struct tlb_groups *groups, uint32_t id)
{
	uint32_t at = groups->domain_pool.free, *link = domain_chain(groups, id);

	if (at)
		groups->domain_pool.free = groups->domain[at].chain;
	else
		at = ++groups->domain_pool.fresh;
	groups->domain[at] = (struct tlb_domain){
		.id = id, .next = groups->first_domain, .chain = *link,
	};
	*link = at;
	groups->domain[groups->first_domain].prev = at;
	groups->first_domain = at;
	return at;
}

static uint32_t new_group(struct tlb_groups *groups, uint32_t id, uint32_t space, uint32_t kind)
{
	uint32_t at = groups->group_pool.free, *link = group_chain(groups, id, space, kind);
	uint32_t domain = tlb_groups_domain(groups, id);

	if (at)
		groups->group_pool.free = groups->group[at].chain;
	else
		at = ++groups->group_pool.fresh;
	if (!domain)
		domain = new_domain(groups, id);
	groups->group[at] = (struct tlb_group){
		.domain = domain, .space = space, .kind = kind,
		.next = groups->domain[domain].first, .chain = *link,
	};
	*link = at;
	groups->group[groups->domain[domain].first].prev = at;
	groups->domain[domain].first = at;
	return at;
}

static void drop_domain(struct tlb_groups *groups, uint32_t at)
{
	struct tlb_domain *domain = &groups->domain[at];

	groups->domain[domain->next].prev = domain->prev;
	if (domain->prev)
		groups->domain[domain->prev].next = domain->next;
	else
		groups->first_domain = domain->next;
	unchain_domain(groups, at);
}

static void drop_group(struct tlb_groups *groups, uint32_t at)
{
	struct tlb_group *group = &groups->group[at];
	struct tlb_domain *domain = &groups->domain[group->domain];

	groups->group[group->next].prev = group->prev;
	if (group->prev)
		groups->group[group->prev].next = group->next;
	else
		domain->first = group->next;
	unchain_group(groups, at);
	if (!domain->first)
		drop_domain(groups, group->domain);
}

/* ---- Entries ---- */

static struct tlb_link *link_of(void *links, size_t stride, uint32_t index)
{
	return (struct tlb_link *)((char *)links + index * stride);
}

void tlb_groups_add(struct tlb_groups *groups, void *links, size_t stride, uint32_t index,
		    uint32_t domain, uint32_t space, uint32_t kind, unsigned int shift)
{
	uint32_t at = tlb_groups_find(groups, domain, space, kind);
	struct tlb_group *group;

	if (!at)
		at = new_group(groups, domain, space, kind);
	group = &groups->group[at];
	*link_of(links, stride, index) = (struct tlb_link){ .group = at, .next = group->first };
	if (group->first)
		link_of(links, stride, group->first)->prev = index;
	group->first = index;
	group->count++;
	group->shifts |= 1ULL << shift;
}

void tlb_groups_del(struct tlb_groups *groups, void *links, size_t stride, uint32_t index)
{
	const struct tlb_link *link = link_of(links, stride, index);
	struct tlb_group *group = &groups->group[link->group];

	if (link->next)
		link_of(links, stride, link->next)->prev = link->prev;
	if (link->prev)
		link_of(links, stride, link->prev)->next = link->next;
	else
		group->first = link->next;
	if (!--group->count)
		drop_group(groups, link->group);
}
