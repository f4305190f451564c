/* SPDX-License-Identifier: GPL-2.0-only */
/* Guests on the bench: their memory behind a host table, GCR3 and page tables in it, a vIOMMU. */
#ifndef NIT_SUITES_AMD_BENCH_GUEST_H
#define NIT_SUITES_AMD_BENCH_GUEST_H

#include "bench.h"

#define GUEST_RAM	0x40000000ULL	/* guest physical; the same for every guest */
#define GUEST_RAM_SIZE	0x01000000ULL	/* 16 MiB */

/**
 * struct bench_guest
 * @memory: guest physical pages
 * @spa: where its memory lies
 * @s2: the host table that says so, the nest parent
 * @gcr3: GCR3 table, guest physical, with @gcr3_levels
 */
struct bench_guest {
	struct bench *b;
	struct pages memory;
	uint64_t spa;
	struct pgtable s2;
	uint64_t gcr3;
	unsigned int gcr3_levels;
};

static inline uint64_t *guest_word(struct bench_guest *g, uint64_t gpa)
{
	return pages_ptr(&g->memory, gpa);
}

static inline uint64_t guest_page(struct bench_guest *g, uint64_t number)
{
	uint64_t gpa = pages_alloc(&g->memory, 4096);

	*guest_word(g, gpa) = number;
	return gpa;
}

/** guest_remap() - Move a page of guest memory to a new place in memory that holds @number */
static inline void guest_remap(struct bench_guest *g, uint64_t gpa, uint64_t number)
{
	bench_map(&g->s2, gpa, bench_page(g->b, number), 12);
}

/** guest_set_gcr3() - PASID @pasid translates by the table at @root; 0: not at all */
static inline void guest_set_gcr3(struct bench_guest *g, uint32_t pasid, uint64_t root)
{
	uint64_t table = g->gcr3, *entry;

	for (unsigned int level = g->gcr3_levels; ; level--) {
		entry = guest_word(g, table) + (pasid >> 9 * (level - 1) & 0x1ff);
		if (level == 1)
			break;
		if (!*entry)
			*entry = pages_alloc(&g->memory, 4096) | AMDVI_GCR3_V;
		table = *entry & AMDVI_GCR3_ADDR;
	}
	*entry = root ? root | AMDVI_GCR3_V : 0;
}

/** guest_open() - Guest number @index with all its memory, in pages of 2^@shift; -ENOMEM */
static inline int guest_open(struct bench_guest *g, struct bench *b, unsigned int index,
			     unsigned int gcr3_levels, unsigned int shift)
{
	*g = (struct bench_guest){ .b = b, .gcr3_levels = gcr3_levels };
	g->spa = BENCH_RAM + BENCH_PAGES + index * GUEST_RAM_SIZE;
	pages_init(&g->memory, bench_word(b, g->spa), GUEST_RAM, GUEST_RAM_SIZE);
	if (pgtable_init(&g->s2, &pgtable_amdv1, 4, 0, &b->ram))
		return -ENOMEM;
	for (uint64_t offset = 0; offset < GUEST_RAM_SIZE; offset += 1ULL << shift)
		bench_map(&g->s2, GUEST_RAM + offset, g->spa + offset, shift);
	g->gcr3 = pages_alloc(&g->memory, 4096);
	return g->gcr3 ? 0 : -ENOMEM;
}

static inline void guest_close(struct bench_guest *g)
{
	pages_fini(&g->memory);
}

/** guest_dte() - The DTE of a device of the guest, its translations tagged with @domain */
static inline void guest_dte(struct bench_guest *g, uint64_t dte[4], uint16_t domain,
			     unsigned int levels)
{
	bench_host_dte(dte, domain, g->s2.root, 4);
	dte[0] |= AMDVI_DTE0_GV | AMDVI_DTE0_GIOV | AMDVI_DTE0_PPR |
		  amdvi_put(g->gcr3_levels - 1, AMDVI_DTE0_GLX);
	dte[2] = amdvi_put(levels - 4, AMDVI_DTE2_GPM);
	amdvi_dte_set_gcr3(dte, g->gcr3);
}

/** guest_process() - A new guest page table of @levels for @pasid; -ENOMEM */
static inline int guest_process(struct bench_guest *g, struct pgtable *s1, unsigned int levels,
				uint32_t pasid)
{
	if (pgtable_init(s1, &pgtable_x86_64, levels, 0, &g->memory))
		return -ENOMEM;
	guest_set_gcr3(g, pasid, s1->root);
	return 0;
}

/** guest_attach() - Give device @dev to the guest */
static inline void guest_attach(struct bench_guest *g, unsigned int dev, uint16_t domain,
				unsigned int levels)
{
	uint64_t dte[4];

	guest_dte(g, dte, domain, levels);
	bench_dte(g->b, endpoint_rid(g->b->dev[dev]), dte);
}

/* ---- The hardware vIOMMU ---- */

#define PRIVATE_DOMAIN 0x7e57

/**
 * struct bench_viommu - a guest's own command buffer and logs, in its memory
 * @store: where its COMPLETION_WAITs store
 */
struct bench_viommu {
	struct bench_guest *g;
	uint16_t id;
	uint16_t translate_id;
	uint64_t cmdbuf;
	uint64_t evtlog;
	uint64_t pprlog;
	uint64_t store;
	uint64_t stored;
	uint32_t tail;
};

/* Guests' ids of the tests */
enum { GDEVICE = 0x0018, GDOMAIN = 0x0007 };

/** private_open() - The IOMMU's private address space: maps for guest ids below 4; its table */
static inline int private_open(struct bench *b, struct pgtable *table)
{
	uint64_t dte[4];

	if (pgtable_init(table, &pgtable_amdv1, 4, 0, &b->ram))
		return -ENOMEM;
	for (unsigned int id = 0; id < 4; id++) {
		pgtable_map(table, amdvi_device_map_addr(id, 0),
			    bench_alloc(b, AMDVI_PRIV_DEVICE_MAP_SIZE), AMDVI_PRIV_DEVICE_MAP_SIZE,
			    PGTABLE_READ | PGTABLE_WRITE, 0);
		pgtable_map(table, amdvi_domain_map_addr(id, 0),
			    bench_alloc(b, AMDVI_PRIV_DOMAIN_MAP_SIZE), AMDVI_PRIV_DOMAIN_MAP_SIZE,
			    PGTABLE_READ | PGTABLE_WRITE, 0);
	}
	bench_host_dte(dte, PRIVATE_DOMAIN, table->root, 4);
	bench_dte(b, AMDVI_IOMMU_DEVICE_ID(0), dte);
	return 0;
}

static inline void viommu_map_device(struct bench_viommu *v, uint16_t guest, uint16_t host,
				     bool valid)
{
	bench_set(v->g->b, amdvi_vfctrl(v->id) + AMDVI_VFCTRL_DEVICE_MAP,
		  amdvi_map_entry(guest, host, valid));
}

static inline void viommu_map_domain(struct bench_viommu *v, uint16_t guest, uint16_t host,
				     bool valid)
{
	bench_set(v->g->b, amdvi_vfctrl(v->id) + AMDVI_VFCTRL_DOMAIN_MAP,
		  amdvi_map_entry(guest, host, valid));
}

static inline uint64_t viommu_read(struct bench_viommu *v, uint64_t reg)
{
	return bench_mmio(v->g->b, amdvi_vf(v->id) + AMDVI_VF_REGISTER(reg));
}

static inline void viommu_write(struct bench_viommu *v, uint64_t reg, uint64_t value)
{
	bench_set(v->g->b, amdvi_vf(v->id) + AMDVI_VF_REGISTER(reg), value);
}

static inline void viommu_queue(struct bench_viommu *v, uint64_t reg, uint64_t base, bool run)
{
	bench_set(v->g->b, amdvi_vfctrl(v->id) + reg, base | amdvi_put(8, AMDVI_BASE_LEN) |
		  (run ? AMDVI_VQUEUE_RUN | AMDVI_VQUEUE_INT : 0));
}

/** viommu_open() - vIOMMU @id of the guest, running; @domain: tag of the guest's own memory */
static inline void viommu_open(struct bench_viommu *v, struct bench_guest *g, uint16_t id,
			       uint16_t domain)
{
	uint64_t dte[4];

	*v = (struct bench_viommu){ .g = g, .id = id, .translate_id = 0xff00 + id };
	v->cmdbuf = pages_alloc(&g->memory, BENCH_RING);
	v->evtlog = pages_alloc(&g->memory, BENCH_RING);
	v->pprlog = pages_alloc(&g->memory, BENCH_RING);
	v->store = pages_alloc(&g->memory, 4096);
	bench_host_dte(dte, domain, g->s2.root, 4);
	bench_dte(g->b, v->translate_id, dte);
	bench_set(g->b, amdvi_vfctrl(id) + AMDVI_VFCTRL_MISC,
		  amdvi_put(v->translate_id, AMDVI_MISC_TRANSLATE_ID));
	viommu_queue(v, AMDVI_VFCTRL_CMDBUF, v->cmdbuf, true);
	viommu_queue(v, AMDVI_VFCTRL_EVTLOG, v->evtlog, true);
	viommu_queue(v, AMDVI_VFCTRL_PPRLOG, v->pprlog, true);
}

static inline void viommu_command(struct bench_viommu *v, const uint64_t command[2])
{
	guest_word(v->g, v->cmdbuf + v->tail)[0] = command[0];
	guest_word(v->g, v->cmdbuf + v->tail)[1] = command[1];
	v->tail = (v->tail + 16) % BENCH_RING;
	viommu_write(v, AMDVI_CMDBUF_TAIL, v->tail);
}

static inline void viommu_start_wait(struct bench_viommu *v)
{
	uint64_t command[2];

	amdvi_cmd_completion_wait(command, AMDVI_WAIT0_S, v->store, ++v->stored);
	viommu_command(v, command);
}

static inline bool viommu_waited(struct bench_viommu *v)
{
	return *guest_word(v->g, v->store) == v->stored;
}

static inline bool viommu_wait(struct bench_viommu *v)
{
	viommu_start_wait(v);
	bench_settle(v->g->b);
	return viommu_waited(v);
}

static inline void viommu_inv_pages(struct bench_viommu *v, uint16_t domain, uint32_t pasid,
				    uint64_t address, uint64_t flags)
{
	uint64_t command[2];

	amdvi_cmd_invalidate_iommu_pages(command, domain, pasid, address, flags);
	viommu_command(v, command);
}

/** viommu_event() - The oldest event of the guest's log; its code, 0: none */
static inline unsigned int viommu_event(struct bench_viommu *v, uint64_t e[2])
{
	uint64_t head = viommu_read(v, AMDVI_EVTLOG_HEAD);

	e[0] = 0;
	e[1] = 0;
	if (head == viommu_read(v, AMDVI_EVTLOG_TAIL))
		return 0;
	e[0] = guest_word(v->g, v->evtlog + head)[0];
	e[1] = guest_word(v->g, v->evtlog + head)[1];
	viommu_write(v, AMDVI_EVTLOG_HEAD, (head + 16) % BENCH_RING);
	return amdvi_event_code(e);
}

#endif
