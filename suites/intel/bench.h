/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bench for VT-d hardware: a machine with one unit and three functions, and software that does
 * exactly what a test says: no hypervisor between the test and registers, tables and descriptors.
 *
 * Data pages are stamped with their own address, so that a DMA read tells where it went. Guest
 * physical addresses (nested translation) are host addresses plus BENCH_GUEST.
 */
#ifndef NIT_SUITES_INTEL_BENCH_H
#define NIT_SUITES_INTEL_BENCH_H

#include <stdlib.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/pages.h"
#include "core/test.h"
#include "hw/endpoint.h"
#include "hw/machine.h"
#include "hw/vtd.h"
#include "spec/vtd.h"

#define BENCH_RAM	0x10000000ull
#define BENCH_RAM_SIZE	(64ull << 20)
#define BENCH_GUEST	0x2000000000ull
#define BENCH_STEPS	600
#define BENCH_DEVICES	3
#define NOWHERE		UINT64_MAX
#define QUEUE_PAGES	1	/* log2 */

/* Two functions of one device in the upper half of bus 0, and one on bus 1 */
static const uint16_t bench_rids[BENCH_DEVICES] = { 0x0088, 0x0089, 0x0100 };

struct bench {
	struct machine *machine;
	struct hw_iommu *iommu;
	struct endpoint *dev[BENCH_DEVICES];
	struct pages pages;
	bool scalable;
	uint64_t root;
	uint64_t queue;
	uint64_t tail;
	bool wide;
	uint64_t status;	/* page of status words */
	uint32_t waits;
	bool threads;		/* DMA goes on elsewhere */
	unsigned int msis;
	uint64_t msi_addr;
	uint32_t msi_data;
};

/* ---- Memory ---- */

static inline uint64_t *at(struct bench *b, uint64_t pa)
{
	return pages_ptr(&b->pages, pa);
}

static inline void put(struct bench *b, uint64_t pa, uint64_t value)
{
	__atomic_store_n(at(b, pa), value, __ATOMIC_RELEASE);
}

static inline uint64_t new_table(struct bench *b, uint64_t size)
{
	uint64_t pa = pages_alloc(&b->pages, size);

	if (!pa)
		abort();
	return pa;
}

/** new_data() - @size bytes, every 4 KiB of them stamped with their address */
static inline uint64_t new_data(struct bench *b, uint64_t size)
{
	uint64_t pa = new_table(b, size);

	for (uint64_t offset = 0; offset < size; offset += 4096)
		put(b, pa + offset, pa + offset);
	return pa;
}

/* ---- Registers ---- */

static inline uint64_t reg(struct bench *b, unsigned int offset, unsigned int size)
{
	return b->iommu->ops->mmio_read(b->iommu, offset, size);
}

static inline void set_reg(struct bench *b, unsigned int offset, unsigned int size, uint64_t value)
{
	b->iommu->ops->mmio_write(b->iommu, offset, size, value);
}

static inline void command(struct bench *b, uint32_t set, uint32_t clear)
{
	uint32_t levels = VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_IRE;

	set_reg(b, VTD_GCMD_REG, 4, ((reg(b, VTD_GSTS_REG, 4) & levels) | set) & ~clear);
}

static inline void bench_interrupt(void *arg, uint64_t addr, uint32_t data)
{
	struct bench *b = arg;

	b->msis++;
	b->msi_addr = addr;
	b->msi_data = data;
}

/** unmask() - Let an event interrupt through: @control is FECTL, IECTL or PECTL */
static inline void unmask(struct bench *b, unsigned int control, uint32_t data)
{
	set_reg(b, control + 4, 4, data);
	set_reg(b, control + 8, 4, 0xfee01000);
	set_reg(b, control, 4, 0);
}

static inline bool settle(struct bench *b)
{
	return machine_settle(b->machine, BENCH_STEPS);
}

/* ---- Life ---- */

static inline void queue_on(struct bench *b, bool wide)
{
	b->wide = wide;
	b->tail = 0;
	set_reg(b, VTD_IQT_REG, 8, 0);
	set_reg(b, VTD_IQA_REG, 8, b->queue | QUEUE_PAGES | (wide ? VTD_IQA_DW : 0));
	command(b, VTD_GCMD_QIE, 0);
}

static inline void set_root(struct bench *b, unsigned int ttm)
{
	set_reg(b, VTD_RTADDR_REG, 8, b->root | VTD_PUT(VTD_RTADDR_TTM, ttm));
	command(b, VTD_GCMD_SRTP, 0);
}

/**
 * bench_on_classes() - A machine of @config, with an empty root table, translating
 * @classes: Traffic Classes of the devices: they answer an invalidation once for each
 */
static inline struct bench *bench_on_classes(const struct vtd_config *config, bool scalable,
					     unsigned int classes)
{
	struct endpoint_config endpoint = {
		.ats = config->ats, .pri = config->prs, .pasid = config->pasid_bits > 0,
		.global_invalidate = true, .atc_entries = 64, .completions = classes,
	};
	struct bench *b = calloc(1, sizeof(*b));

	b->machine = machine_create(BENCH_RAM, BENCH_RAM_SIZE, prng_seed());
	b->machine->interrupt = bench_interrupt;
	b->machine->interrupt_arg = b;
	pages_init(&b->pages, b->machine->mem.ram, BENCH_RAM, BENCH_RAM_SIZE);
	b->iommu = vtd_create(b->machine, config);
	if (!b->iommu)
		abort();
	for (unsigned int i = 0; i < BENCH_DEVICES; i++) {
		endpoint.rid = bench_rids[i];
		b->dev[i] = endpoint_create(b->machine, b->iommu, &endpoint);
		endpoint_bus_master(b->dev[i], true);
		endpoint_pasid_enable(b->dev[i], true);
	}
	b->scalable = scalable;
	b->root = new_table(b, 4096);
	b->queue = new_table(b, 4096 << QUEUE_PAGES);
	b->status = new_table(b, 4096);
	set_root(b, scalable ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY);
	if (config->queue)
		queue_on(b, scalable);
	command(b, VTD_GCMD_TE, 0);
	return b;
}

static inline struct bench *bench_on(const struct vtd_config *config, bool scalable)
{
	return bench_on_classes(config, scalable, 1);
}

static inline void bench_off(struct bench *b)
{
	machine_destroy(b->machine);
	pages_fini(&b->pages);
	free(b);
}

/* ---- Page tables ---- */

/** struct tree - @host: the second stage under a nested first stage */
struct tree {
	struct bench *b;
	bool second;
	unsigned int levels;
	uint64_t root;
	struct tree *host;
};

static inline void map(struct tree *tree, uint64_t addr, uint64_t out, unsigned int level,
		       uint64_t flags);

/* A table, as its tree names it: by guest physical address under nested translation */
static inline uint64_t tree_table(struct tree *tree)
{
	uint64_t pa = new_table(tree->b, 4096);

	if (!tree->host)
		return pa;
	map(tree->host, pa + BENCH_GUEST, pa, 1, VTD_SS_R | VTD_SS_W);
	return pa + BENCH_GUEST;
}

static inline struct tree new_tree(struct bench *b, bool second, unsigned int levels,
				   struct tree *host)
{
	struct tree tree = { b, second, levels, 0, host };

	tree.root = tree_table(&tree);
	return tree;
}

/** entry() - Where the entry for @addr at @level is; tables above it are made as needed */
static inline uint64_t *entry(struct tree *tree, uint64_t addr, unsigned int level)
{
	uint64_t link = tree->second ? VTD_SS_R | VTD_SS_W :
			VTD_FS_P | VTD_FS_RW | VTD_FS_US | VTD_FS_A;
	uint64_t table = tree->root;

	for (unsigned int l = tree->levels; ; l--) {
		uint64_t pa = (tree->host ? table - BENCH_GUEST : table) +
			      (addr >> (12 + 9 * (l - 1)) & 511) * 8;

		if (l == level)
			return at(tree->b, pa);
		if (!*at(tree->b, pa))
			put(tree->b, pa, tree_table(tree) | link);
		table = *at(tree->b, pa) & VTD_FS_ADDR;
	}
}

/** map() - One leaf at @level: 1 is 4 KiB, 2 is 2 MiB, 3 is 1 GiB; @flags: all of them but PS */
static inline void map(struct tree *tree, uint64_t addr, uint64_t out, unsigned int level,
		       uint64_t flags)
{
	__atomic_store_n(entry(tree, addr, level), out | flags | (level > 1 ? VTD_FS_PS : 0),
			 __ATOMIC_RELEASE);
}

#define FS_LEAF (VTD_FS_P | VTD_FS_RW | VTD_FS_US | VTD_FS_A | VTD_FS_D)
#define SS_LEAF (VTD_SS_R | VTD_SS_W)

/** map_page() - 4 KiB with every permission */
static inline void map_page(struct tree *tree, uint64_t addr, uint64_t out)
{
	map(tree, addr, out, 1, tree->second ? SS_LEAF : FS_LEAF);
}

/* ---- Root, context and PASID tables ---- */

static inline uint64_t child(struct bench *b, uint64_t pa, uint64_t mask, uint64_t size,
			     uint64_t flags)
{
	if (!*at(b, pa))
		put(b, pa, new_table(b, size) | flags);
	return *at(b, pa) & mask;
}

/** legacy_context() - Where the context entry of @rid is */
static inline uint64_t legacy_context(struct bench *b, uint16_t rid)
{
	return child(b, b->root + (rid >> 8) * 16, VTD_ADDR_4K, 4096, VTD_ROOT_P) +
	       (rid & 0xff) * 16;
}

static inline void legacy_attach(struct bench *b, uint16_t rid, unsigned int tt, uint16_t did,
				 const struct tree *second)
{
	uint64_t pa = legacy_context(b, rid);

	put(b, pa + 8, VTD_PUT(VTD_CONTEXT_DID, did) |
		       VTD_PUT(VTD_CONTEXT_AW, second ? second->levels - 2 : 2));
	put(b, pa, (second ? second->root : 0) | VTD_PUT(VTD_CONTEXT_TT, tt) | VTD_CONTEXT_P);
}

static inline uint64_t scalable_context(struct bench *b, uint16_t rid)
{
	return child(b, b->root + (rid >> 8) * 16 + (rid & 0x80 ? 8 : 0), VTD_ADDR_4K, 4096,
		     VTD_ROOT_P) + (rid & 0x7f) * 32;
}

/** pasid_entry() - Where the PASID table entry is; tables on the way are made as needed */
static inline uint64_t pasid_entry(struct bench *b, uint16_t rid, uint32_t pasid)
{
	uint64_t directory = child(b, scalable_context(b, rid), VTD_ADDR_4K, 1 << 17,
				   VTD_PUT(VTD_SM_CONTEXT_PDTS, 7) | VTD_SM_CONTEXT_P |
				   VTD_SM_CONTEXT_DTE | VTD_SM_CONTEXT_PASIDE |
				   VTD_SM_CONTEXT_PRE);

	return child(b, directory + (pasid >> 6) * 8, VTD_ADDR_4K, 4096, VTD_PASIDDIR_P) +
	       (pasid & 63) * 64;
}

/**
 * attach() - Point (@rid, @pasid) to an address space
 * @first, @second: NULL where @pgtt needs none; @flags0, @flags2: more of quadwords 0 and 2
 */
static inline void attach_flags(struct bench *b, uint16_t rid, uint32_t pasid, unsigned int pgtt,
				uint16_t did, const struct tree *first, const struct tree *second,
				uint64_t flags0, uint64_t flags2)
{
	uint64_t pa = pasid_entry(b, rid, pasid);

	put(b, pa, 0);
	put(b, pa + 8, did);
	put(b, pa + 16, flags2 | (first ? first->root |
		VTD_PUT(VTD_PASID_FSPM, first->levels - 4) : 0));
	put(b, pa, flags0 | VTD_PUT(VTD_PASID_PGTT, pgtt) | VTD_PASID_P | (second ? second->root |
		VTD_PUT(VTD_PASID_AW, second->levels - 2) : 0));
}

static inline void attach(struct bench *b, uint16_t rid, uint32_t pasid, unsigned int pgtt,
			  uint16_t did, const struct tree *first, const struct tree *second)
{
	attach_flags(b, rid, pasid, pgtt, did, first, second, 0, 0);
}

/* ---- Descriptors ---- */

/** push() - Write a descriptor behind the last one, without telling the hardware */
static inline void push(struct bench *b, const uint64_t d[4])
{
	unsigned int width = b->wide ? 32 : 16;

	memcpy(at(b, b->queue + b->tail), d, width);
	b->tail = (b->tail + width) % (4096 << QUEUE_PAGES);
}

static inline void ring(struct bench *b)
{
	set_reg(b, VTD_IQT_REG, 8, b->tail);
}

static inline uint32_t *status_word(struct bench *b, unsigned int n)
{
	return (uint32_t *)at(b, b->status) + n;
}

/** push_wait() - A wait that writes a new number to status word @n; returns the number */
static inline uint32_t push_wait(struct bench *b, uint64_t flags, unsigned int n)
{
	uint64_t d[4];

	vtd_inv_wait(d, VTD_INV_WAIT_SW | flags, b->status + n * 4, ++b->waits + 0x51a70000);
	push(b, d);
	return b->waits + 0x51a70000;
}

static inline bool written(struct bench *b, unsigned int n, uint32_t number)
{
	return __atomic_load_n(status_word(b, n), __ATOMIC_ACQUIRE) == number;
}

/** sync() - Let the hardware do all that was pushed; false: not within the bound */
static inline bool sync_all(struct bench *b)
{
	uint32_t number = push_wait(b, 0, 0);

	ring(b);
	for (unsigned int i = 0; i < BENCH_STEPS && !written(b, 0, number); i++) {
		machine_step(b->machine);
		if (b->threads && !written(b, 0, number))
			usleep(300);	/* lets them run; they end the wait, not this */
	}
	return written(b, 0, number);
}

/** issue() - One descriptor, and wait for it */
static inline bool issue(struct bench *b, const uint64_t d[4])
{
	push(b, d);
	return sync_all(b);
}

/* One of each in its coarsest form */
static inline bool invalidate_all(struct bench *b)
{
	uint64_t d[4];

	vtd_inv_context(d, VTD_GLOBAL, 0, 0, 0);
	push(b, d);
	if (b->scalable) {
		vtd_inv_pasid_cache(d, VTD_PC_GLOBAL, 0, 0);
		push(b, d);
	}
	vtd_inv_iotlb(d, VTD_GLOBAL, 0, 0, 0, false);
	return issue(b, d);
}

/* ---- DMA ---- */

/** reach() - Read 8 bytes: the address of the page that was reached, or NOWHERE */
static inline uint64_t reach_how(struct bench *b, unsigned int dev, uint32_t pasid, uint64_t addr,
				 enum dma_address how)
{
	uint64_t stamp = 0;
	struct dma dma = {
		.op = DMA_READ, .address = how, .pasid = pasid, .addr = addr, .len = 8,
		.data = &stamp,
	};

	return endpoint_dma(b->dev[dev], 0, &dma) == DMA_DONE ? stamp : NOWHERE;
}

static inline uint64_t reach(struct bench *b, unsigned int dev, uint32_t pasid, uint64_t addr)
{
	return reach_how(b, dev, pasid, addr, DMA_PLAIN);
}

/** store() - Write the page's own stamp again; true if the write was let through */
static inline bool store(struct bench *b, unsigned int dev, uint32_t pasid, uint64_t addr,
			 uint64_t stamp)
{
	struct dma dma = {
		.op = DMA_WRITE, .pasid = pasid, .addr = addr, .len = 8, .data = &stamp,
	};

	return endpoint_dma(b->dev[dev], 0, &dma) == DMA_DONE;
}

/* ---- Faults ---- */

/** fault_reason() - Of fault record @n, which is then free again; 0: none there */
static inline unsigned int fault_reason(struct bench *b, unsigned int n)
{
	uint64_t high = reg(b, VTD_FRCD_OFFSET + 16 * n + 8, 8);

	if (!(high & VTD_FRCD_F))
		return 0;
	set_reg(b, VTD_FRCD_OFFSET + 16 * n + 8, 8, VTD_FRCD_F);
	return VTD_GET(VTD_FRCD_FR, high);
}

/** last_fault() - Of all records, which are then free; 0 if there is none */
static inline unsigned int last_fault(struct bench *b)
{
	unsigned int count = VTD_GET(VTD_CAP_NFR, reg(b, VTD_CAP_REG, 8)) + 1, found = 0;

	for (unsigned int n = 0; n < count; n++)
		found = fault_reason(b, n) ?: found;
	set_reg(b, VTD_FSTS_REG, 4, VTD_FSTS_PFO);
	return found;
}

#endif
