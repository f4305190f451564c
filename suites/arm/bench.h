/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bench with a bare SMMUv3 on it: tables in memory, registers, endpoints, and nothing in between.
 * For what the hardware owes to whoever programs it, that no virtual machine can express.
 *
 * Tables are written descriptor by descriptor. Stage-1 tables and CDs of nested streams lie in IPA
 * space, BENCH_IPA above where they are in memory, and stage 2 maps all memory there.
 */
#ifndef NIT_SUITES_ARM_BENCH_H
#define NIT_SUITES_ARM_BENCH_H

#include <stdlib.h>

#include "core/pages.h"
#include "core/test.h"
#include "hw/machine.h"
#include "hw/smmuv3.h"
#include "spec/smmuv3.h"

#define BENCH_RAM	0x80000000ull
#define BENCH_RAM_SIZE	0x8000000ull
#define BENCH_IPA	0x100000000ull
#define BENCH_MSI	0x08090040ull
#define BENCH_FAULT	(~0ull)
#define BENCH_STALL	(~1ull)
#define BENCH_STEPS	3000

#define VA		0x40000000ull
#define HIGH_VA		0xffff800040000000ull

enum {
	SID = 0x18, OTHER_SID = 0x20, VMID = 0x105, OTHER_VMID = 0x205, ASID = 0x107,
	OTHER_ASID = 0x207, CMDQ_LOG2 = 8, EVENTQ_LOG2 = 4, PRIQ_LOG2 = 3, STRTAB_LOG2 = 9,
};

/** struct bench_table - a translation table; @s2: of stage 2; @ipa: it lies in IPA space */
struct bench_table {
	struct bench *bench;
	uint64_t root;
	uint8_t page_shift;
	uint8_t bits;
	int level;
	bool s2;
	bool ipa;
};

/** struct bench - @cd: a CD table for each of a few StreamIDs */
struct bench {
	struct machine *machine;
	struct hw_iommu *smmu;
	struct smmuv3_config config;
	struct pages pages;
	uint64_t strtab;
	uint64_t l1[2];
	uint64_t cmdq;
	uint64_t eventq;
	uint64_t priq;
	uint32_t prod;
	uint32_t event_cons;
	struct endpoint *dev;
	struct endpoint *other;
	struct bench_table s1;
	struct bench_table s2;
	unsigned int msis;
	uint64_t msi_addr;
	uint32_t msi_data;
};

enum bench_flags {
	MAP_RO = 1, MAP_GLOBAL = 2, MAP_NO_AF = 4, MAP_DBM = 8, MAP_PRIV_ONLY = 16, MAP_XN = 32,
	MAP_NONE = 64,
};

/** struct bench_stream - what an STE and its CD are to say */
struct bench_stream {
	unsigned int config;
	const struct bench_table *s1;
	const struct bench_table *high;	/* through TTB1 */
	const struct bench_table *s2;
	uint16_t asid;
	uint16_t vmid;
	uint8_t cdmax;
	uint8_t s1fmt;
	uint64_t ste1;			/* more bits of word 1: EATS, S1DSS, ... */
	uint64_t ste2;
	uint64_t cd0;
	uint64_t cds;			/* the CD table, as the SMMU is told; 0: a new one */
};

/* ---- Registers and memory ---- */

static inline uint64_t bench_read(struct bench *b, uint64_t reg, unsigned int size)
{
	return b->smmu->ops->mmio_read(b->smmu, reg, size);
}

static inline void bench_write(struct bench *b, uint64_t reg, unsigned int size, uint64_t value)
{
	b->smmu->ops->mmio_write(b->smmu, reg, size, value);
}

static inline uint64_t *bench_ptr(struct bench *b, uint64_t pa)
{
	return hw_ram(&b->machine->mem, pa, 8);
}

/* Memory written by us while hardware may read it */
static inline void bench_store(struct bench *b, uint64_t pa, uint64_t value)
{
	__atomic_store_n(bench_ptr(b, pa), value, __ATOMIC_RELEASE);
}

static inline uint64_t bench_load(struct bench *b, uint64_t pa)
{
	return __atomic_load_n(bench_ptr(b, pa), __ATOMIC_ACQUIRE);
}

/** bench_page() - A page of 64 KiB whose every 4 KiB begin with their own address */
static inline uint64_t bench_page(struct bench *b)
{
	uint64_t pa = pages_alloc(&b->pages, 0x10000);

	for (uint64_t i = 0; i < 0x10000; i += 0x1000)
		bench_store(b, pa + i, pa + i);
	return pa;
}

/* ---- Commands ---- */

static inline void bench_put(struct bench *b, const uint64_t c[2])
{
	uint64_t pa = b->cmdq + smmu_queue_index(b->prod, CMDQ_LOG2) * SMMU_CMD_SIZE;

	bench_store(b, pa, c[0]);
	bench_store(b, pa + 8, c[1]);
	b->prod = smmu_queue_next(b->prod, CMDQ_LOG2);
}

static inline void bench_ring(struct bench *b)
{
	bench_write(b, SMMU_CMDQ_PROD, 4, b->prod);
}

static inline void bench_issue(struct bench *b, const uint64_t c[2])
{
	bench_put(b, c);
	bench_ring(b);
}

static inline bool bench_consumed(struct bench *b)
{
	return smmu_queue_empty(bench_read(b, SMMU_CMDQ_CONS, 4), b->prod, CMDQ_LOG2);
}

/** bench_error() - The CERROR that stands in CONS while the queue has failed; 0: it has not */
static inline unsigned int bench_error(struct bench *b)
{
	uint64_t active = bench_read(b, SMMU_GERROR, 4) ^ bench_read(b, SMMU_GERRORN, 4);

	return active & SMMU_GERROR_CMDQ_ERR ?
	       smmu_get(SMMU_CMDQ_CONS_ERR, bench_read(b, SMMU_CMDQ_CONS, 4)) : 0;
}

/** bench_wait() - Let time pass until the queue is empty or has failed; true: it is empty */
static inline bool bench_wait(struct bench *b)
{
	for (unsigned int i = 0; i < BENCH_STEPS && !bench_error(b); i++) {
		if (smmu_queue_empty(bench_read(b, SMMU_CMDQ_CONS, 4), b->prod, CMDQ_LOG2))
			return true;
		machine_step(b->machine);
	}
	return false;
}

static inline void bench_put_sync(struct bench *b)
{
	uint64_t c[2];

	smmuv3_cmd_sync(c, CMD_SYNC_CS_NONE, 0, 0);
	bench_put(b, c);
}

static inline bool bench_sync(struct bench *b)
{
	bench_put_sync(b);
	bench_ring(b);
	return bench_wait(b);
}

/** bench_do() - A command and a CMD_SYNC; true: both are done */
static inline bool bench_do(struct bench *b, const uint64_t c[2])
{
	bench_put(b, c);
	return bench_sync(b);
}

/** bench_ack() - Take the failed commands back and acknowledge the error */
static inline void bench_ack(struct bench *b)
{
	b->prod = bench_read(b, SMMU_CMDQ_CONS, 4) & ((2u << CMDQ_LOG2) - 1);
	bench_ring(b);
	bench_write(b, SMMU_GERRORN, 4, bench_read(b, SMMU_GERROR, 4));
}

/** bench_refuses() - The CERROR that @c causes; the queue works again afterwards */
static inline unsigned int bench_refuses(struct bench *b, const uint64_t c[2])
{
	uint32_t at = b->prod;
	unsigned int error;

	bench_issue(b, c);
	error = bench_error(b);
	if (error && (bench_read(b, SMMU_CMDQ_CONS, 4) & ((2u << CMDQ_LOG2) - 1)) != at)
		return 0xff;
	if (error)
		bench_ack(b);
	return error;
}

/* ---- Translation tables ---- */

static inline unsigned int bench_shift(const struct bench_table *t, int level)
{
	return t->page_shift + (t->page_shift - 3) * (3 - level);
}

static inline uint64_t bench_table_size(const struct bench_table *t)
{
	unsigned int top = t->bits - bench_shift(t, t->level) + 3;

	return 1ull << (top > t->page_shift ? top : t->page_shift);
}

static inline struct bench_table bench_table(struct bench *b, unsigned int page_shift,
					     unsigned int bits, bool s2, bool ipa)
{
	struct bench_table t = {
		.bench = b, .page_shift = page_shift, .bits = bits, .s2 = s2, .ipa = ipa,
	};
	unsigned int stride = page_shift - 3;

	t.level = 4 - (int)((bits - page_shift + stride - 1) / stride);
	t.root = pages_alloc(&b->pages, bench_table_size(&t));
	return t;
}

static inline uint64_t bench_leaf(const struct bench_table *t, int level, uint64_t out,
				  unsigned int flags)
{
	uint64_t d = LPAE_VALID | out | (level == 3 ? LPAE_TABLE : 0);

	d |= flags & MAP_NO_AF ? 0 : LPAE_AF;
	d |= flags & MAP_DBM ? LPAE_DBM : 0;
	if (t->s2)
		return d | smmu_put(LPAE_MEMATTR, 0xf) | LPAE_S2AP_R |
		       (flags & MAP_XN ? SMMU_BIT(54) : 0) |
		       (flags & (MAP_RO | MAP_DBM) ? 0 : LPAE_S2AP_W);
	d |= flags & (MAP_RO | MAP_DBM) ? LPAE_AP_RO : 0;
	d |= flags & MAP_GLOBAL ? 0 : LPAE_NG;
	d |= flags & MAP_XN ? LPAE_UXN | LPAE_PXN : 0;
	return d | (flags & MAP_PRIV_ONLY ? 0 : LPAE_AP_USER);
}

/** bench_entry() - Where the descriptor for @addr at @level is, tables on the way made; a PA */
static inline uint64_t bench_entry(struct bench_table *t, uint64_t addr, int level)
{
	uint64_t table = t->root, entry = 0, next;

	for (int l = t->level; l <= level; l++) {
		unsigned int shift = bench_shift(t, l);
		unsigned int bits = l == t->level ? t->bits - shift : t->page_shift - 3u;

		entry = table + ((addr >> shift) & ((1ull << bits) - 1)) * 8;
		if (l == level)
			break;
		next = bench_load(t->bench, entry);
		if (!(next & LPAE_TABLE)) {
			next = pages_alloc(&t->bench->pages, 1ull << t->page_shift);
			next = (next + (t->ipa ? BENCH_IPA : 0)) | LPAE_VALID | LPAE_TABLE;
			bench_store(t->bench, entry, next);
		}
		table = (next & LPAE_ADDR) - (t->ipa ? BENCH_IPA : 0);
	}
	return entry;
}

/** bench_map() - One leaf of 2^@shift bytes, contiguous runs included; MAP_NONE unmaps */
static inline void bench_map(struct bench_table *t, uint64_t addr, uint64_t out,
			     unsigned int shift, unsigned int flags)
{
	int level = 3;
	unsigned int run;
	uint64_t contiguous;

	while (level > t->level && bench_shift(t, level - 1) <= shift)
		level--;
	run = 1u << (shift - bench_shift(t, level));
	contiguous = run > 1 ? LPAE_CONTIGUOUS : 0;
	for (unsigned int i = 0; i < run; i++) {
		uint64_t offset = (uint64_t)i << bench_shift(t, level);

		bench_store(t->bench, bench_entry(t, addr + offset, level), flags & MAP_NONE ? 0 :
			    bench_leaf(t, level, out + offset, flags) | contiguous);
	}
}

/* ---- Streams ---- */

static inline unsigned int bench_tg0(unsigned int page_shift)
{
	return page_shift == 12 ? SMMU_TG0_4K : page_shift == 14 ? SMMU_TG0_16K : SMMU_TG0_64K;
}

static inline unsigned int bench_tg1(unsigned int page_shift)
{
	return page_shift == 12 ? SMMU_TG1_4K : page_shift == 14 ? SMMU_TG1_16K : SMMU_TG1_64K;
}

static inline uint64_t bench_root(const struct bench_table *t)
{
	return t->root + (t->ipa ? BENCH_IPA : 0);
}

/** bench_ste() - Where the STE of @sid is: through the level-1 table if there is one */
static inline uint64_t bench_ste(struct bench *b, uint32_t sid)
{
	return (b->config.two_level ? b->l1[sid >> 8] + (sid & 0xff) * SMMU_STE_SIZE :
				      b->strtab + sid * SMMU_STE_SIZE);
}

/** bench_cd() - Write the CD at @pa */
static inline void bench_cd(struct bench *b, uint64_t pa, const struct bench_stream *s)
{
	uint64_t cd[SMMU_CD_WORDS] = {
		CD0_V | CD0_AA64 | CD0_A | CD0_R | smmu_put(CD0_ASID, s->asid) | s->cd0 |
		smmu_put(CD0_IPS, b->config.oas) | smmu_put(CD0_T0SZ, 64 - s->s1->bits) |
		smmu_put(CD0_TG0, bench_tg0(s->s1->page_shift)) | (s->high ? 0 : CD0_EPD1),
		bench_root(s->s1),
	};

	if (s->high) {
		cd[0] |= smmu_put(CD0_T1SZ, 64 - s->high->bits) |
			 smmu_put(CD0_TG1, bench_tg1(s->high->page_shift));
		cd[2] = bench_root(s->high);
	}
	for (unsigned int i = SMMU_CD_WORDS; i-- > 0;)
		bench_store(b, pa + i * 8, cd[i]);
}

/** bench_stream() - Write the CD and the STE of @sid; returns where the CD table is */
static inline uint64_t bench_stream(struct bench *b, uint32_t sid, const struct bench_stream *s)
{
	uint64_t ipa = s->config == STE_CONFIG_NESTED ? BENCH_IPA : 0;
	uint64_t cds = s->cds ? s->cds : pages_alloc(&b->pages, 0x10000) + ipa;
	uint64_t ste[SMMU_STE_WORDS] = {
		STE0_V | smmu_put(STE0_CONFIG, s->config),
		s->ste1 | smmu_put(STE1_SHCFG, STE_SHCFG_INCOMING),
		smmu_put(STE2_S2VMID, s->vmid) | s->ste2,
	};

	if (s->config & 1) {
		ste[0] |= cds | smmu_put(STE0_S1CDMAX, s->cdmax) |
			  smmu_put(STE0_S1FMT, s->s1fmt);
		if (!s->cds)
			bench_cd(b, cds - ipa, s);
	}
	if (s->config & 2) {
		unsigned int level = s->s2->level;

		ste[2] |= STE2_S2AA64 | STE2_S2R | smmu_put(STE2_S2PS, b->config.oas) |
			  smmu_put(STE2_S2T0SZ, 64 - s->s2->bits) |
			  smmu_put(STE2_S2TG, bench_tg0(s->s2->page_shift)) |
			  smmu_put(STE2_S2SL0, (s->s2->page_shift == 12 ? 2 : 3) - level);
		ste[3] = s->s2->root;
	}
	for (unsigned int i = SMMU_STE_WORDS; i-- > 0;)
		bench_store(b, bench_ste(b, sid) + i * 8, ste[i]);
	return cds;
}

/* ---- Devices ---- */

/** bench_dma_on() - What a read of 8 bytes by @engine sees; BENCH_FAULT, BENCH_STALL */
static inline uint64_t bench_dma_on(struct endpoint *dev, unsigned int engine, uint32_t pasid,
				    enum dma_address address, uint64_t addr)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .address = address, .pasid = pasid, .addr = addr, .len = 8,
		.data = &data,
	};
	enum dma_status status = endpoint_dma(dev, engine, &dma);

	return status == DMA_DONE ? data : status == DMA_STALLED ? BENCH_STALL : BENCH_FAULT;
}

static inline uint64_t bench_dma_as(struct endpoint *dev, uint32_t pasid, enum dma_address address,
				    uint64_t addr)
{
	return bench_dma_on(dev, 0, pasid, address, addr);
}

static inline uint64_t bench_dma(struct endpoint *dev, uint64_t addr)
{
	return bench_dma_as(dev, DMA_NO_PASID, DMA_PLAIN, addr);
}

static inline uint64_t bench_ats(struct endpoint *dev, uint64_t addr)
{
	return bench_dma_as(dev, DMA_NO_PASID, DMA_ATS, addr);
}

/** bench_dma_writes() - Does a write of one byte somewhere into the page get through? */
static inline bool bench_dma_writes(struct endpoint *dev, uint64_t addr)
{
	uint8_t data = 0x5a;
	struct dma dma = {
		.op = DMA_WRITE, .pasid = DMA_NO_PASID, .addr = addr + 0x100, .len = 1,
		.data = &data,
	};

	return endpoint_dma(dev, 0, &dma) == DMA_DONE;
}

/* ---- Events ---- */

/** bench_event() - The next event record; its number, or 0: there is none */
static inline unsigned int bench_event(struct bench *b, uint64_t words[4])
{
	uint32_t prod = bench_read(b, SMMU_EVENTQ_PROD, 4);
	uint64_t pa = b->eventq + smmu_queue_index(b->event_cons, EVENTQ_LOG2) * SMMU_EVENT_SIZE;

	if (smmu_queue_empty(prod, b->event_cons, EVENTQ_LOG2))
		return 0;
	for (unsigned int i = 0; i < 4; i++)
		words[i] = bench_load(b, pa + i * 8);
	b->event_cons = smmu_queue_next(b->event_cons, EVENTQ_LOG2);
	bench_write(b, SMMU_EVENTQ_CONS, 4, b->event_cons | (prod & SMMU_Q_OVFLG));
	return smmu_get(EVENT0_ID, words[0]);
}

static inline unsigned int bench_event_id(struct bench *b)
{
	uint64_t words[4];

	return bench_event(b, words);
}

/* ---- Set-up ---- */

static inline void bench_interrupt(void *arg, uint64_t addr, uint32_t data)
{
	struct bench *b = arg;

	b->msis++;
	b->msi_addr = addr;
	b->msi_data = data;
}

static inline void bench_strtab(struct bench *b)
{
	uint64_t l2;

	if (!b->config.two_level) {
		b->strtab = pages_alloc(&b->pages, SMMU_STE_SIZE << STRTAB_LOG2);
		bench_write(b, SMMU_STRTAB_BASE_CFG, 4,
			    smmu_put(SMMU_STRTAB_CFG_LOG2SIZE, STRTAB_LOG2));
	} else {
		b->strtab = pages_alloc(&b->pages, 4096);
		for (unsigned int i = 0; i < 2; i++) {
			l2 = b->l1[i] = pages_alloc(&b->pages, SMMU_STE_SIZE << 8);
			bench_store(b, b->strtab + i * 8, l2 | smmu_put(SMMU_L1STD_SPAN, 9));
		}
		bench_write(b, SMMU_STRTAB_BASE_CFG, 4,
			    smmu_put(SMMU_STRTAB_CFG_LOG2SIZE, STRTAB_LOG2) |
			    smmu_put(SMMU_STRTAB_CFG_SPLIT, 8) |
			    smmu_put(SMMU_STRTAB_CFG_FMT, SMMU_STRTAB_2LEVEL));
	}
	bench_write(b, SMMU_STRTAB_BASE, 8, b->strtab);
}

/** bench_start() - Queues and the stream table; everything enabled */
static inline void bench_start(struct bench *b)
{
	b->cmdq = pages_alloc(&b->pages, SMMU_CMD_SIZE << CMDQ_LOG2);
	b->eventq = pages_alloc(&b->pages, 4096);
	b->priq = pages_alloc(&b->pages, 4096);
	bench_strtab(b);
	bench_write(b, SMMU_CMDQ_BASE, 8, b->cmdq | CMDQ_LOG2);
	bench_write(b, SMMU_EVENTQ_BASE, 8, b->eventq | EVENTQ_LOG2);
	bench_write(b, SMMU_PRIQ_BASE, 8, b->priq | PRIQ_LOG2);
	bench_write(b, SMMU_CR2, 4, SMMU_CR2_RECINVSID);
	bench_write(b, SMMU_CR0, 4, SMMU_CR0_SMMUEN | SMMU_CR0_EVENTQEN | SMMU_CR0_CMDQEN |
		    SMMU_CR0_PRIQEN | SMMU_CR0_ATSCHK);
}

static inline struct endpoint *bench_endpoint(struct bench *b, uint16_t rid)
{
	struct endpoint_config config = {
		.rid = rid, .ats = true, .pri = true, .pasid = true, .global_invalidate = true,
		.atc_entries = 64,
	};
	struct endpoint *endpoint = endpoint_create(b->machine, b->smmu, &config);

	if (endpoint) {
		endpoint_bus_master(endpoint, true);
		endpoint_pasid_enable(endpoint, true);
	}
	return endpoint;
}

/** bench_setup() - A machine with one SMMU and two functions; NULL @config: smmuv3_config_full() */
static inline void bench_setup(struct bench *b, const struct smmuv3_config *config)
{
	memset(b, 0, sizeof(*b));
	b->config = config ? *config : smmuv3_config_full();
	b->machine = machine_create(BENCH_RAM, BENCH_RAM_SIZE, prng_seed());
	b->machine->interrupt = bench_interrupt;
	b->machine->interrupt_arg = b;
	b->smmu = smmuv3_create(b->machine, &b->config);
	pages_init(&b->pages, b->machine->mem.ram, BENCH_RAM, BENCH_RAM_SIZE);
	b->dev = bench_endpoint(b, SID);
	b->other = bench_endpoint(b, OTHER_SID);
	bench_start(b);
}

static inline void bench_teardown(struct bench *b)
{
	machine_destroy(b->machine);
	pages_fini(&b->pages);
}

/** bench_s2() - A stage 2 that maps all memory at BENCH_IPA, in blocks; no concatenation */
static inline struct bench_table bench_s2(struct bench *b, unsigned int page_shift)
{
	struct bench_table t = bench_table(b, page_shift, page_shift == 14 ? 40 : 44, true, false);
	unsigned int shift = bench_shift(&t, page_shift == 16 ? 3 : 2);

	for (uint64_t offset = 0; offset < BENCH_RAM_SIZE; offset += 1ull << shift)
		bench_map(&t, BENCH_IPA + BENCH_RAM + offset, BENCH_RAM + offset, shift, 0);
	return t;
}

/* ---- The usual streams ---- */

static inline struct bench_stream bench_stream_s1(struct bench *b)
{
	b->s1 = bench_table(b, 12, 48, false, false);
	return (struct bench_stream){
		.config = STE_CONFIG_S1, .s1 = &b->s1, .asid = ASID, .vmid = VMID,
	};
}

static inline struct bench_stream bench_stream_nested(struct bench *b)
{
	b->s2 = bench_s2(b, 12);
	b->s1 = bench_table(b, 12, 48, false, true);
	return (struct bench_stream){
		.config = STE_CONFIG_NESTED, .s1 = &b->s1, .s2 = &b->s2, .asid = ASID, .vmid = VMID,
	};
}

static inline struct bench_stream bench_stream_s2(struct bench *b)
{
	b->s2 = bench_s2(b, 12);
	return (struct bench_stream){ .config = STE_CONFIG_S2, .s2 = &b->s2, .vmid = VMID };
}

#endif
