/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bench for AMD-Vi hardware: a machine with one IOMMU and two devices, driven as the
 * specification says and by nothing else: registers, tables in memory, command buffer, logs.
 *
 * What a DMA reads tells where it went: every page that tests map holds a number of its own.
 */
#ifndef NIT_SUITES_AMD_BENCH_H
#define NIT_SUITES_AMD_BENCH_H

#include "core/test.h"
#include "hw/amdvi.h"
#include "pgtable/pgtable.h"
#include "spec/amdvi.h"

#define BENCH_RAM	0x80000000ULL
#define BENCH_RAM_SIZE	0x20000000ULL	/* 512 MiB, touched only where used */
#define BENCH_PAGES	0x08000000ULL	/* handed out from BENCH_RAM on */
#define BENCH_RING	4096		/* 256 entries: the shortest there is */
#define BENCH_STEPS	100000
#define BENCH_DEVICES	0x10000
#define BENCH_ABORTED	UINT64_MAX
#define BENCH_MSI	0xfee00000ULL

/* DeviceIDs that differ in bus and function; DomainIDs and PASIDs need all their bits, too. */
enum { BENCH_RID0 = 0x3508, BENCH_RID1 = 0x4a11 };
enum { DOMAIN0 = 0x5a01, DOMAIN1 = 0xa501, DOMAIN2 = 0x5aff };
enum { PASID0 = 0, PASID1 = 0x12345, PASID2 = 0x22345, PASID3 = 0x12346 };

/**
 * struct bench
 * @ram: pages for tables and rings, physical
 * @store: where COMPLETION_WAITs of bench_wait() store; @stored: what the last one stores
 * @interrupts: MSIs of the IOMMU so far
 */
struct bench {
	struct machine *machine;
	struct hw_iommu *iommu;
	struct endpoint *dev[2];
	struct pages ram;
	uint64_t devtab;
	uint64_t cmdbuf;
	uint64_t evtlog;
	uint64_t pprlog;
	uint64_t store;
	uint64_t stored;
	uint32_t tail;
	unsigned int interrupts;
};

/* ---- Registers and memory ---- */

static inline uint64_t bench_mmio(struct bench *b, uint64_t offset)
{
	return b->iommu->ops->mmio_read(b->iommu, offset, 8);
}

static inline void bench_set(struct bench *b, uint64_t offset, uint64_t value)
{
	b->iommu->ops->mmio_write(b->iommu, offset, 8, value);
}

static inline void bench_control(struct bench *b, uint64_t clear, uint64_t set)
{
	bench_set(b, AMDVI_CONTROL, (bench_mmio(b, AMDVI_CONTROL) & ~clear) | set);
}

/** bench_word() - The word at physical @pa */
static inline uint64_t *bench_word(struct bench *b, uint64_t pa)
{
	return (uint64_t *)(b->machine->mem.ram + (pa - BENCH_RAM));
}

/** bench_alloc() - A zeroed page, or a larger power of two, aligned to its size */
static inline uint64_t bench_alloc(struct bench *b, uint64_t size)
{
	return pages_alloc(&b->ram, size);
}

/** bench_page() - A page that holds @number */
static inline uint64_t bench_page(struct bench *b, uint64_t number)
{
	uint64_t pa = bench_alloc(b, 4096);

	*bench_word(b, pa) = number;
	return pa;
}

/* ---- Commands ---- */

static inline void bench_put(struct bench *b, const uint64_t command[2])
{
	bench_word(b, b->cmdbuf + b->tail)[0] = command[0];
	bench_word(b, b->cmdbuf + b->tail)[1] = command[1];
	b->tail = (b->tail + 16) % BENCH_RING;
}

static inline void bench_ring(struct bench *b)
{
	bench_set(b, AMDVI_CMDBUF_TAIL, b->tail);
}

/** bench_command() - One command into the buffer, and the doorbell; no wait */
static inline void bench_command(struct bench *b, const uint64_t command[2])
{
	bench_put(b, command);
	bench_ring(b);
}

/** bench_start_wait() - COMPLETION_WAIT with S; whether it is done says bench_waited() */
static inline void bench_start_wait(struct bench *b)
{
	uint64_t command[2];

	amdvi_cmd_completion_wait(command, AMDVI_WAIT0_S, b->store, ++b->stored);
	bench_command(b, command);
}

static inline bool bench_waited(struct bench *b)
{
	return *bench_word(b, b->store) == b->stored;
}

static inline bool bench_settle(struct bench *b)
{
	return machine_settle(b->machine, BENCH_STEPS);
}

/** bench_wait() - COMPLETION_WAIT; was it done when the machine came to rest? */
static inline bool bench_wait(struct bench *b)
{
	bench_start_wait(b);
	bench_settle(b);
	return bench_waited(b);
}

static inline void bench_inv_pages(struct bench *b, uint16_t domain, uint32_t pasid,
				   uint64_t address, uint64_t flags)
{
	uint64_t command[2];

	amdvi_cmd_invalidate_iommu_pages(command, domain, pasid, address, flags);
	bench_command(b, command);
}

static inline void bench_inv_dte(struct bench *b, uint16_t rid)
{
	uint64_t command[2];

	amdvi_cmd_invalidate_devtab_entry(command, rid);
	bench_command(b, command);
}

static inline void bench_inv_iotlb(struct bench *b, uint16_t rid, uint32_t pasid, uint64_t address,
				   uint64_t flags)
{
	uint64_t command[2];

	amdvi_cmd_invalidate_iotlb_pages(command, rid, rid, 8, pasid, address, flags);
	bench_command(b, command);
}

static inline void bench_inv_all(struct bench *b)
{
	uint64_t command[2];

	amdvi_cmd_invalidate_iommu_all(command);
	bench_command(b, command);
}

/* ---- Logs ---- */

static inline bool bench_pop(struct bench *b, uint64_t log, uint64_t head_register, uint64_t e[2])
{
	uint64_t head = bench_mmio(b, head_register);

	e[0] = 0;
	e[1] = 0;
	if (head == bench_mmio(b, head_register + 8))
		return false;
	e[0] = bench_word(b, log + head)[0];
	e[1] = bench_word(b, log + head)[1];
	bench_set(b, head_register, (head + 16) % BENCH_RING);
	return true;
}

/** bench_event() - Take the oldest event; its code, 0: there is none */
static inline unsigned int bench_event(struct bench *b, uint64_t e[2])
{
	return bench_pop(b, b->evtlog, AMDVI_EVTLOG_HEAD, e) ? amdvi_event_code(e) : 0;
}

static inline bool bench_ppr(struct bench *b, uint64_t e[2])
{
	return bench_pop(b, b->pprlog, AMDVI_PPRLOG_HEAD, e);
}

/** bench_fault() - Take the only event, which must be about device @dev; its code; 0: not so */
static inline unsigned int bench_fault(struct bench *b, unsigned int dev, uint64_t e[2])
{
	unsigned int code = bench_event(b, e);
	uint64_t more[2];

	return !bench_event(b, more) && amdvi_get(e[0], AMDVI_EVENT0_DEVICE_ID) ==
	       endpoint_rid(b->dev[dev]) ? code : 0;
}

/* ---- Tables ---- */

static inline void bench_dte(struct bench *b, uint16_t rid, const uint64_t dte[4])
{
	/* Valid last: hardware may look at any moment. */
	for (unsigned int i = 4; i--; )
		__atomic_store_n(bench_word(b, b->devtab + rid * AMDVI_DTE_SIZE) + i, dte[i],
				 __ATOMIC_RELEASE);
}

static inline void bench_host_dte(uint64_t dte[4], uint16_t domain, uint64_t root,
				  unsigned int mode)
{
	dte[0] = AMDVI_DTE0_V | AMDVI_DTE0_TV | AMDVI_DTE0_IR | AMDVI_DTE0_IW | root |
		 amdvi_put(mode, AMDVI_DTE0_MODE);
	dte[1] = domain | AMDVI_DTE1_I;
	dte[2] = 0;
	dte[3] = 0;
}

/** bench_host() - Device @dev on a new host table of @levels in @domain; -ENOMEM */
static inline int bench_host(struct bench *b, struct pgtable *table, unsigned int levels,
			     unsigned int dev, uint16_t domain)
{
	uint64_t dte[4];

	if (pgtable_init(table, &pgtable_amdv1, levels, 0, &b->ram))
		return -ENOMEM;
	bench_host_dte(dte, domain, table->root, levels);
	bench_dte(b, endpoint_rid(b->dev[dev]), dte);
	return 0;
}

/** bench_map() - One page of 2^@shift, read and write, overwriting what was there; A and D clear */
static inline void bench_map(struct pgtable *table, uint64_t iova, uint64_t out, unsigned int shift)
{
	pgtable_map(table, iova, out, 1ULL << shift,
		    PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER | PGTABLE_NO_ACCESSED |
		    PGTABLE_NO_DIRTY, shift);
}

static inline void bench_unmap(struct pgtable *table, uint64_t iova, unsigned int shift)
{
	pgtable_unmap(table, iova, 1ULL << shift, true);
}

/* ---- DMA ---- */

static inline enum dma_status bench_dma(struct bench *b, unsigned int dev, enum dma_op op,
					enum dma_address address, uint32_t pasid, uint64_t addr,
					uint64_t *data)
{
	struct dma dma = {
		.op = op, .address = address, .pasid = pasid, .addr = addr, .len = 8, .data = data,
	};

	return endpoint_dma(b->dev[dev], 0, &dma);
}

/** bench_read() - The number that device @dev reads at @addr, or BENCH_ABORTED */
static inline uint64_t bench_read(struct bench *b, unsigned int dev, uint32_t pasid, uint64_t addr)
{
	uint64_t data = 0;

	return bench_dma(b, dev, DMA_READ, DMA_PLAIN, pasid, addr, &data) == DMA_DONE ?
	       data : BENCH_ABORTED;
}

static inline uint64_t bench_read_ats(struct bench *b, unsigned int dev, uint32_t pasid,
				      uint64_t addr)
{
	uint64_t data = 0;

	return bench_dma(b, dev, DMA_READ, DMA_ATS, pasid, addr, &data) == DMA_DONE ?
	       data : BENCH_ABORTED;
}

static inline bool bench_write(struct bench *b, unsigned int dev, uint32_t pasid, uint64_t addr,
			       uint64_t data)
{
	return bench_dma(b, dev, DMA_WRITE, DMA_PLAIN, pasid, addr, &data) == DMA_DONE;
}

/* ---- Life ---- */

static inline void bench_interrupt(void *arg, uint64_t addr, uint32_t data)
{
	struct bench *b = arg;

	b->interrupts += addr == BENCH_MSI && data == 0x41;
}

static inline struct endpoint *bench_endpoint(struct bench *b, uint16_t rid)
{
	const struct endpoint_config config = {
		.rid = rid, .ats = true, .pri = true, .pasid = true, .ats_queue_depth = 8,
		.atc_entries = 256,
	};
	struct endpoint *endpoint = endpoint_create(b->machine, b->iommu, &config);

	if (endpoint) {
		endpoint_pasid_enable(endpoint, true);
		endpoint_ats_enable(endpoint, true);
		endpoint_pri_enable(endpoint, true);
	}
	return endpoint;
}

static inline void bench_start(struct bench *b)
{
	uint64_t length = amdvi_put(8, AMDVI_BASE_LEN), on;

	bench_set(b, AMDVI_DEVTAB_BASE,
		  b->devtab | (BENCH_DEVICES * AMDVI_DTE_SIZE / 4096 - 1));
	bench_set(b, AMDVI_CMDBUF_BASE, b->cmdbuf | length);
	bench_set(b, AMDVI_EVTLOG_BASE, b->evtlog | length);
	bench_set(b, AMDVI_PPRLOG_BASE, b->pprlog | length);
	b->iommu->ops->mmio_write(b->iommu, AMDVI_MSI_ADDR_LO, 4, BENCH_MSI);
	b->iommu->ops->mmio_write(b->iommu, AMDVI_MSI_DATA, 4, 0x41);
	on = AMDVI_CONTROL_EVT_LOG_EN | AMDVI_CONTROL_EVT_INT_EN | AMDVI_CONTROL_COMWAIT_INT_EN |
	     AMDVI_CONTROL_CMDBUF_EN | AMDVI_CONTROL_PPR_LOG_EN | AMDVI_CONTROL_PPR_INT_EN |
	     AMDVI_CONTROL_PPR_EN | AMDVI_CONTROL_GT_EN | AMDVI_CONTROL_GCR3TRP_MODE |
	     AMDVI_CONTROL_HAD_UPDATE | AMDVI_CONTROL_VIOMMU_EN | AMDVI_CONTROL_VCMD_EN |
	     AMDVI_CONTROL_GSTBUF_TRP_MODE;
	bench_set(b, AMDVI_CONTROL, on | AMDVI_CONTROL_IOMMU_EN);
}

/** bench_open() - A running machine; @config NULL: an IOMMU that can do everything; -ENOMEM */
static inline int bench_open(struct bench *b, const struct amdvi_config *config)
{
	*b = (struct bench){ .machine = machine_create(BENCH_RAM, BENCH_RAM_SIZE, prng_seed()) };
	if (!b->machine)
		return -ENOMEM;
	b->machine->interrupt = bench_interrupt;
	b->machine->interrupt_arg = b;
	b->iommu = amdvi_create(b->machine, config);
	pages_init(&b->ram, b->machine->mem.ram, BENCH_RAM, BENCH_PAGES);
	b->devtab = bench_alloc(b, BENCH_DEVICES * AMDVI_DTE_SIZE);
	b->cmdbuf = bench_alloc(b, BENCH_RING);
	b->evtlog = bench_alloc(b, BENCH_RING);
	b->pprlog = bench_alloc(b, BENCH_RING);
	b->store = bench_alloc(b, 4096);
	if (!b->iommu || !b->store)
		return -ENOMEM;
	b->dev[0] = bench_endpoint(b, BENCH_RID0);
	b->dev[1] = bench_endpoint(b, BENCH_RID1);
	bench_start(b);
	return b->dev[0] && b->dev[1] ? 0 : -ENOMEM;
}

static inline void bench_close(struct bench *b)
{
	machine_destroy(b->machine);
	pages_fini(&b->ram);
}

/** bench_explain() - What the hardware saw, for the reader of a failure */
static inline void bench_explain(struct bench *b)
{
	uint64_t number = hw_trace_number(b->machine->trace);
	char line[256];

	number = number > 40 ? number - 40 : 0;
	while ((number = hw_trace_read(b->machine->trace, number, line, sizeof(line))) !=
	       UINT64_MAX) {
		check_note("%s", line);
		number++;
	}
}

/** BENCH() - A fixture with a bench and nothing else; teardown explains a failure */
#define BENCH(_fixture, _config) \
	FIXTURE(_fixture) { struct bench b; }; \
	FIXTURE_SETUP(_fixture) { ASSERT_EQ(0, bench_open(&self->b, _config)); } \
	FIXTURE_TEARDOWN(_fixture) \
	{ \
		if (_metadata->exit_code == KSFT_FAIL) \
			bench_explain(&self->b); \
		bench_close(&self->b); \
	}

#endif
