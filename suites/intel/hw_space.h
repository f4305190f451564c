/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One address space on the bench, of any translation type, to fill caches from and to change
 * under them. Tests of different types differ in their variant only.
 */
#ifndef NIT_SUITES_INTEL_HW_SPACE_H
#define NIT_SUITES_INTEL_HW_SPACE_H

#include "bench.h"

#define IOVA	0x4040200000ull		/* 2 MiB aligned, below 2^39 */
#define GPA	(1ull << 40)		/* nested: where data pages are; tables are elsewhere */
#define WINDOW	(16ull << 12)		/* what is mapped at IOVA and at GPA */

enum space_type {
	SPACE_LEGACY,		/* second stage, legacy mode */
	SPACE_SECOND,
	SPACE_FIRST,
	SPACE_NESTED,		/* what changes is the first stage */
	SPACE_NESTED_HOST,	/* what changes is the second stage */
};

/**
 * struct space - 16 pages at IOVA, which lead to @before; @after has as many to change to
 */
struct space {
	struct bench *b;
	enum space_type type;
	unsigned int dev;
	uint16_t did;
	uint32_t pasid;
	struct tree first, second;
	uint64_t before, after;
};

static inline bool is_first(const struct space *s)
{
	return s->type >= SPACE_FIRST;
}

static inline bool is_nested(const struct space *s)
{
	return s->type >= SPACE_NESTED;
}

/** changing() - The tree that changes are made in, and where in it IOVA is */
static inline struct tree *changing(struct space *s)
{
	return s->type == SPACE_FIRST || s->type == SPACE_NESTED ? &s->first : &s->second;
}

static inline uint64_t place(const struct space *s)
{
	return s->type == SPACE_NESTED_HOST ? GPA : IOVA;
}

static inline void space_attach(struct space *s, unsigned int dev, uint32_t pasid)
{
	unsigned int pgtt = is_nested(s) ? VTD_PGTT_NESTED :
			    is_first(s) ? VTD_PGTT_FIRST_STAGE : VTD_PGTT_SECOND_STAGE;

	if (s->type == SPACE_LEGACY)
		legacy_attach(s->b, bench_rids[dev], VTD_TT_ALL, s->did, &s->second);
	else
		attach(s->b, bench_rids[dev], pasid == DMA_NO_PASID ? 0 : pasid, pgtt, s->did,
		       is_first(s) ? &s->first : NULL, &s->second);
}

/* The guest address of a host page, where the first stage leads to guest addresses. */
static inline uint64_t named(const struct space *s, uint64_t page)
{
	return is_nested(s) ? page + BENCH_GUEST : page;
}

static inline void space_map(struct space *s)
{
	for (uint64_t offset = 0; offset < WINDOW; offset += 4096) {
		if (is_nested(s)) {
			map_page(&s->second, named(s, s->before + offset), s->before + offset);
			map_page(&s->second, named(s, s->after + offset), s->after + offset);
			map_page(&s->second, GPA + offset, s->before + offset);
		}
		if (s->type == SPACE_NESTED_HOST)
			map_page(&s->first, IOVA + offset, GPA + offset);
		else
			map_page(changing(s), IOVA + offset, named(s, s->before + offset));
	}
}

/** space_on() - On a bench of @config, attached to device 0 */
static inline void space_on(struct space *s, const struct vtd_config *config,
			    enum space_type type, uint16_t did, uint32_t pasid)
{
	*s = (struct space){ .type = type, .did = did, .pasid = pasid };
	s->b = bench_on(config, type != SPACE_LEGACY);
	s->second = new_tree(s->b, true, 4, NULL);
	s->first = new_tree(s->b, false, 4, is_nested(s) ? &s->second : NULL);
	s->before = new_data(s->b, WINDOW);
	s->after = new_data(s->b, WINDOW);
	space_map(s);
	space_attach(s, 0, pasid);
}

static inline uint64_t space_reach(struct space *s, uint64_t offset)
{
	return reach(s->b, s->dev, s->pasid, IOVA + offset);
}

/** space_change() - One page leads elsewhere: a last-level entry changes */
static inline void space_change(struct space *s, uint64_t offset)
{
	uint64_t page = s->after + offset;

	map_page(changing(s), place(s) + offset,
		 s->type == SPACE_NESTED ? named(s, page) : page);
}

/** space_change_table() - All pages lead elsewhere: an entry at @level points to a new table */
static inline void space_change_table(struct space *s, unsigned int level)
{
	struct tree *tree = changing(s);

	*entry(tree, place(s), level) = 0;
	for (uint64_t offset = 0; offset < WINDOW; offset += 4096)
		space_change(s, offset);
}

/* What a change of one page or of a table did, and that caches do not know of it yet. */
#define EXPECT_OLD(_space, _offset) \
	EXPECT_EQ((_space)->before + (_offset), space_reach(_space, _offset))
#define EXPECT_NEW(_space, _offset) \
	EXPECT_EQ((_space)->after + (_offset), space_reach(_space, _offset))

#endif
