// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coverage-guided fuzzing of the reference IOMMUs: command decoders, table walkers, registers, and
 * the endpoint in front of them. Whatever software and devices do, they must not crash, hang or
 * leak. Built with -DKIND=vtd, amdvi or smmuv3:
 *
 *	clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *		-D_GNU_SOURCE -DKIND=vtd -Iharness tests/fuzz/iommu_fuzz.c \
 *		harness/core/{check,fault,pages,prng}.c harness/hw/[a-z]*.c harness/pgtable/[a-z]*.c
 *	./a.out -max_total_time=60 -timeout=10
 *
 * With -DNIT_FUZZ_RANDOM it is a program of its own, for any compiler, that tries random inputs:
 *	./a.out RUNS [SEED]
 *
 * An input is a program: bytes that choose an operation and its arguments. It begins with a machine
 * in which nested translation works, tables in RAM and queues on, and may break all of that.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/pages.h"
#include "hw/amdvi.h"
#include "hw/machine.h"
#include "hw/smmuv3.h"
#include "hw/vtd.h"
#include "pgtable/pgtable.h"
#include "spec/amdvi.h"
#include "spec/smmuv3.h"
#include "spec/vtd.h"
#include "random.h"

enum { RAM = 4 << 20, ENGINES = 2, RID = 3, ENTRIES = 64, SETTLE = 100, OPERATIONS = 400 };

/* Where things are in RAM; page tables and data in what is left */
enum {
	DEVICES = 0x1000, CONTEXTS = 0x2000, PASIDS = 0x3000, PASID_TABLE = 0x4000,
	COMMANDS = 0x10000, EVENTS = 0x11000, REQUESTS = 0x12000, FREE = 0x100000, DATA = 0x300000,
};

#define IOVA 0x40000000ULL

struct fuzz {
	struct machine *machine;
	struct hw_iommu *iommu;
	struct endpoint *dev;
	struct pages pages;
	struct pgtable stage1;
	struct pgtable stage2;
	unsigned int tail;
	bool busy[ENGINES];
	struct dma dma[ENGINES];
	uint8_t data[ENGINES][8192];
};

/**
 * struct kind - what differs between the IOMMUs
 * @setup: tables and registers for nested translation of device RID
 * @command: put a command of up to 32 bytes into the queue
 */
struct kind {
	struct hw_iommu *(*create)(struct machine *machine);
	const struct pgtable_format *stage1, *stage2;
	void (*setup)(struct fuzz *fuzz);
	void (*command)(struct fuzz *fuzz, const uint64_t command[4]);
};

static void put(struct fuzz *fuzz, uint64_t pa, uint64_t value)
{
	if (hw_write64(&fuzz->machine->mem, pa, value))
		abort();
}

static void reg(struct fuzz *fuzz, uint64_t offset, unsigned int size, uint64_t value)
{
	fuzz->iommu->ops->mmio_write(fuzz->iommu, offset, size, value);
}

/* ---- VT-d ---- */

static struct hw_iommu *create_vtd(struct machine *machine)
{
	struct vtd_config config = vtd_config_full;

	config.iotlb_entries = config.paging_entries = config.config_entries = ENTRIES;
	config.ats_timeout = SETTLE / 2;
	return vtd_create(machine, &config);
}

static void setup_vtd(struct fuzz *fuzz)
{
	put(fuzz, DEVICES, CONTEXTS | VTD_ROOT_P);
	put(fuzz, CONTEXTS + 32 * RID, PASIDS | VTD_SM_CONTEXT_P | VTD_SM_CONTEXT_DTE |
	    VTD_SM_CONTEXT_PASIDE | VTD_SM_CONTEXT_PRE);
	put(fuzz, PASIDS, PASID_TABLE | VTD_PASIDDIR_P);
	for (unsigned int pasid = 0; pasid < 4; pasid++) {
		uint64_t entry = PASID_TABLE + 64 * pasid;

		put(fuzz, entry, fuzz->stage2.root | VTD_PASID_P | VTD_PUT(VTD_PASID_AW, 2) |
		    VTD_PUT(VTD_PASID_PGTT, VTD_PGTT_NESTED));
		put(fuzz, entry + 8, 1 + pasid / 2);
		put(fuzz, entry + 16, fuzz->stage1.root | VTD_PASID_SRE | VTD_PASID_WPE);
	}
	reg(fuzz, VTD_RTADDR_REG, 8, DEVICES | VTD_PUT(VTD_RTADDR_TTM, VTD_TTM_SCALABLE));
	reg(fuzz, VTD_GCMD_REG, 4, VTD_GCMD_SRTP);
	reg(fuzz, VTD_FEADDR_REG, 4, 0xfee00000);
	reg(fuzz, VTD_FECTL_REG, 4, 0);
	reg(fuzz, VTD_IQA_REG, 8, COMMANDS | VTD_IQA_DW);
	reg(fuzz, VTD_PQA_REG, 8, REQUESTS);
	reg(fuzz, VTD_GCMD_REG, 4, VTD_GCMD_QIE);
	reg(fuzz, VTD_GCMD_REG, 4, VTD_GCMD_QIE | VTD_GCMD_TE);
}

static void command_vtd(struct fuzz *fuzz, const uint64_t command[4])
{
	hw_write(&fuzz->machine->mem, COMMANDS + fuzz->tail, command, 32);
	fuzz->tail = (fuzz->tail + 32) % 4096;
	reg(fuzz, VTD_IQT_REG, 8, fuzz->tail);
}

/* ---- AMD-Vi ---- */

static struct hw_iommu *create_amdvi(struct machine *machine)
{
	static const struct amdvi_config config = {
		AMDVI_CONFIG, .iotlb_entries = ENTRIES, .walk_entries = ENTRIES,
		.map_entries = ENTRIES,
	};

	return amdvi_create(machine, &config);
}

static void setup_amdvi(struct fuzz *fuzz)
{
	uint64_t dte[4] = {
		fuzz->stage2.root | AMDVI_DTE0_V | AMDVI_DTE0_TV | AMDVI_DTE0_GV |
		AMDVI_DTE0_GIOV | AMDVI_DTE0_PPR | AMDVI_DTE0_IR | AMDVI_DTE0_IW |
		amdvi_put(4, AMDVI_DTE0_MODE),
		AMDVI_DTE1_I | 1,
	};

	amdvi_dte_set_gcr3(dte, PASIDS);
	for (unsigned int i = 0; i < 4; i++)
		put(fuzz, DEVICES + AMDVI_DTE_SIZE * RID + 8 * i, dte[i]);
	for (unsigned int pasid = 0; pasid < 4; pasid++)
		put(fuzz, PASIDS + 8 * pasid, fuzz->stage1.root | 1);
	reg(fuzz, AMDVI_DEVTAB_BASE, 8, DEVICES);
	reg(fuzz, AMDVI_CMDBUF_BASE, 8, COMMANDS | amdvi_put(8, AMDVI_BASE_LEN));
	reg(fuzz, AMDVI_EVTLOG_BASE, 8, EVENTS | amdvi_put(8, AMDVI_BASE_LEN));
	reg(fuzz, AMDVI_PPRLOG_BASE, 8, REQUESTS | amdvi_put(8, AMDVI_BASE_LEN));
	reg(fuzz, AMDVI_CONTROL, 8, AMDVI_CONTROL_IOMMU_EN | AMDVI_CONTROL_EVT_LOG_EN |
	    AMDVI_CONTROL_EVT_INT_EN | AMDVI_CONTROL_COMWAIT_INT_EN | AMDVI_CONTROL_CMDBUF_EN |
	    AMDVI_CONTROL_PPR_LOG_EN | AMDVI_CONTROL_PPR_EN | AMDVI_CONTROL_GT_EN |
	    amdvi_put(1, AMDVI_CONTROL_INV_TIMEOUT));
}

static void command_amdvi(struct fuzz *fuzz, const uint64_t command[4])
{
	hw_write(&fuzz->machine->mem, COMMANDS + fuzz->tail, command, 16);
	fuzz->tail = (fuzz->tail + 16) % 4096;
	reg(fuzz, AMDVI_CMDBUF_TAIL, 8, fuzz->tail);
}

/* ---- SMMUv3 ---- */

static struct hw_iommu *create_smmuv3(struct machine *machine)
{
	struct smmuv3_config config = smmuv3_config_full();

	config.entries = ENTRIES;
	config.atc_timeout = SETTLE / 2;
	config.cmdqv = true;
	return smmuv3_create(machine, &config);
}

static void setup_smmuv3(struct fuzz *fuzz)
{
	uint64_t ste = DEVICES + SMMU_STE_SIZE * RID;

	put(fuzz, ste, STE0_V | smmu_put(STE0_CONFIG, STE_CONFIG_NESTED) | CONTEXTS |
	    smmu_put(STE0_S1CDMAX, 2));
	put(fuzz, ste + 8, smmu_put(STE1_S1DSS, STE_S1DSS_SSID0) |
	    smmu_put(STE1_EATS, STE_EATS_FULL) | smmu_put(STE1_SHCFG, STE_SHCFG_INCOMING));
	put(fuzz, ste + 16, smmu_put(STE2_S2VMID, 1) | smmu_put(STE2_S2T0SZ, 16) |
	    smmu_put(STE2_S2SL0, 2) | smmu_put(STE2_S2PS, 5) | STE2_S2AA64 | STE2_S2R);
	put(fuzz, ste + 24, fuzz->stage2.root);
	for (unsigned int ssid = 0; ssid < 4; ssid++) {
		uint64_t cd = CONTEXTS + SMMU_CD_SIZE * ssid;

		put(fuzz, cd, CD0_V | CD0_AA64 | CD0_R | CD0_A | CD0_EPD1 |
		    smmu_put(CD0_T0SZ, 16) | smmu_put(CD0_IPS, 5) | smmu_put(CD0_ASID, 1 + ssid));
		put(fuzz, cd + 8, fuzz->stage1.root);
	}
	reg(fuzz, SMMU_STRTAB_BASE, 8, DEVICES);
	reg(fuzz, SMMU_STRTAB_BASE_CFG, 4, smmu_put(SMMU_STRTAB_CFG_LOG2SIZE, 5));
	reg(fuzz, SMMU_CMDQ_BASE, 8, COMMANDS | 8);
	reg(fuzz, SMMU_EVENTQ_BASE, 8, EVENTS | 7);
	reg(fuzz, SMMU_PRIQ_BASE, 8, REQUESTS | 8);
	reg(fuzz, SMMU_CR0, 4, SMMU_CR0_CMDQEN | SMMU_CR0_EVENTQEN | SMMU_CR0_PRIQEN);
	reg(fuzz, SMMU_CR0, 4, SMMU_CR0_CMDQEN | SMMU_CR0_EVENTQEN | SMMU_CR0_PRIQEN |
	    SMMU_CR0_SMMUEN);
}

static void command_smmuv3(struct fuzz *fuzz, const uint64_t command[4])
{
	hw_write(&fuzz->machine->mem, COMMANDS + fuzz->tail % 256 * 16, command, 16);
	fuzz->tail = (fuzz->tail + 1) % 512;
	reg(fuzz, SMMU_CMDQ_PROD, 4, fuzz->tail);
}

/* ---- The machine ---- */

static const struct kind vtd = {
	create_vtd, &pgtable_x86_64, &pgtable_vtdss, setup_vtd, command_vtd,
}, amdvi = {
	create_amdvi, &pgtable_x86_64, &pgtable_amdv1, setup_amdvi, command_amdvi,
}, smmuv3 = {
	create_smmuv3, &pgtable_lpae_s1_4k, &pgtable_lpae_s2_4k, setup_smmuv3, command_smmuv3,
};

#ifndef KIND
#define KIND vtd
#endif

static const struct kind * const kinds[] = { &vtd, &amdvi, &smmuv3 };
static const struct kind *kind = &KIND;

static void build(struct pgtable *pt, const struct pgtable_format *format, struct pages *pages)
{
	if (pgtable_init(pt, format, 4, 0, pages))
		abort();
}

static void map(struct pgtable *pt, uint64_t iova, uint64_t out, uint64_t len)
{
	if (pgtable_map(pt, iova, out, len, PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER, 0))
		abort();
}

static void plug(struct fuzz *fuzz)
{
	static const struct endpoint_config config = {
		.rid = RID, .ats = true, .pri = true, .pasid = true, .global_invalidate = true,
		.atc_entries = ENTRIES, .completions = 2,
	};

	fuzz->dev = endpoint_create(fuzz->machine, fuzz->iommu, &config);
	if (!fuzz->dev)
		abort();
	endpoint_ats_enable(fuzz->dev, true);
	endpoint_pasid_enable(fuzz->dev, true);
	endpoint_pri_enable(fuzz->dev, true);
}

/* Stage 2 is the identity of RAM; stage 1 has 16 pages and a large page behind them. */
static void start(struct fuzz *fuzz)
{
	*fuzz = (struct fuzz){ .machine = machine_create(0, RAM, 1) };
	if (!fuzz->machine)
		abort();
	fuzz->iommu = kind->create(fuzz->machine);
	if (!fuzz->iommu)
		abort();
	pages_init(&fuzz->pages, fuzz->machine->mem.ram + FREE, FREE, DATA - FREE);
	build(&fuzz->stage1, kind->stage1, &fuzz->pages);
	build(&fuzz->stage2, kind->stage2, &fuzz->pages);
	map(&fuzz->stage2, 0, 0, RAM);
	map(&fuzz->stage1, IOVA, DATA, 0x10000);
	map(&fuzz->stage1, IOVA + 0x200000, 0x200000, 0x200000);
	plug(fuzz);
	kind->setup(fuzz);
}

static void stop(struct fuzz *fuzz)
{
	for (unsigned int i = 0; i < ENGINES; i++)
		if (fuzz->busy[i])
			endpoint_dma_finish(fuzz->dev, i);
	machine_settle(fuzz->machine, SETTLE);
	pages_fini(&fuzz->pages);
	machine_destroy(fuzz->machine);
}

/* ---- Operations ---- */

struct input {
	const uint8_t *data;
	size_t left;
};

static uint64_t take(struct input *input, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes && input->left; i++, input->left--)
		value |= (uint64_t)*input->data++ << 8 * i;
	return value;
}

/* A word of a table: an address in RAM with the bits around it */
static uint64_t take_entry(struct input *input)
{
	uint64_t low = take(input, 2), page = take(input, 2);

	return (low & 0xfff) | (page % (RAM >> 12)) << 12 | (low >> 12) << 52 |
	       (page >> 12) << 60;
}

static uint64_t take_addr(struct input *input)
{
	uint64_t low = take(input, 2);

	switch (low >> 14) {
	case 0:
		return IOVA + (low & 0x3fff);
	case 1:
		return IOVA + 0x200000 + ((low & 0x3fff) << 7);
	case 2:
		return (low & 0x3fff) << 8;
	default:
		return take(input, 8);
	}
}

static uint32_t take_pasid(struct input *input)
{
	uint8_t byte = take(input, 1);

	return byte & 0x80 ? DMA_NO_PASID : byte & 0x40 ? take(input, 3) & 0xfffff : byte & 3;
}

static void op_ram(struct fuzz *fuzz, struct input *input)
{
	uint64_t pa = take(input, 3) % RAM & ~7ULL;

	put(fuzz, pa, take(input, 8));
}

/* The tables of devices, contexts and PASIDs are where it matters most. */
static void op_table(struct fuzz *fuzz, struct input *input)
{
	uint64_t pa = DEVICES + take(input, 2) % 0x4000;

	put(fuzz, pa & ~7ULL, take_entry(input));
}

static void op_page_table(struct fuzz *fuzz, struct input *input)
{
	uint64_t pa = FREE + take(input, 2) % 0x10000;

	put(fuzz, pa & ~7ULL, take_entry(input));
}

static void op_command(struct fuzz *fuzz, struct input *input)
{
	uint64_t command[4];

	command[0] = take(input, 8);
	command[1] = take(input, 8);
	command[2] = command[3] = 0;
	kind->command(fuzz, command);
}

static uint64_t take_register(struct fuzz *fuzz, struct input *input, unsigned int *size)
{
	uint8_t how = take(input, 1);
	uint64_t offset = how & 2 ? take(input, 4) : take(input, 1) << 2;

	*size = how & 1 ? 8 : 4;
	offset = offset % fuzz->iommu->ops->mmio_size & -(uint64_t)*size;
	return offset;
}

static void op_mmio_write(struct fuzz *fuzz, struct input *input)
{
	unsigned int size;
	uint64_t offset = take_register(fuzz, input, &size);

	reg(fuzz, offset, size, take(input, 1) & 1 ? take_entry(input) : take(input, size));
}

static void op_mmio_read(struct fuzz *fuzz, struct input *input)
{
	unsigned int size;
	uint64_t offset = take_register(fuzz, input, &size);

	fuzz->iommu->ops->mmio_read(fuzz->iommu, offset, size);
}

static struct dma *take_dma(struct fuzz *fuzz, struct input *input, unsigned int engine)
{
	uint8_t how = take(input, 1);
	struct dma *dma = &fuzz->dma[engine];

	*dma = (struct dma){
		.op = how % 3, .address = how / 3 % 3, .pasid = take_pasid(input),
		.addr = take_addr(input), .data = fuzz->data[engine],
		.exec = how & 0x40, .priv = how & 0x80,
	};
	dma->len = dma->op == DMA_SWAP ? 8 : how & 0x20 ? take(input, 2) % 8192 : 16;
	return dma;
}

static void note(struct fuzz *fuzz, unsigned int engine, enum dma_status status)
{
	fuzz->busy[engine] = status == DMA_HELD || status == DMA_STALLED;
}

static void op_dma(struct fuzz *fuzz, struct input *input)
{
	unsigned int engine = take(input, 1) % ENGINES;

	if (fuzz->busy[engine])
		note(fuzz, engine, endpoint_dma_finish(fuzz->dev, engine));
	else
		note(fuzz, engine, endpoint_dma(fuzz->dev, engine,
						take_dma(fuzz, input, engine)));
}

static void op_hold(struct fuzz *fuzz, struct input *input)
{
	unsigned int engine = take(input, 1) % ENGINES;

	if (!fuzz->busy[engine])
		note(fuzz, engine, endpoint_dma_start(fuzz->dev, engine,
						      take_dma(fuzz, input, engine)));
}

static void op_step(struct fuzz *fuzz, struct input *input)
{
	if (take(input, 1) & 1)
		machine_settle(fuzz->machine, SETTLE);
	else
		machine_step(fuzz->machine);
}

static void op_prefetch(struct fuzz *fuzz, struct input *input)
{
	uint8_t how = take(input, 1);

	if (how & 0x80)
		endpoint_prefetch_finish(fuzz->dev);
	else
		endpoint_prefetch_start(fuzz->dev, take_pasid(input), take_addr(input), how & 15);
}

static void op_page_request(struct fuzz *fuzz, struct input *input)
{
	uint32_t pasid = take_pasid(input);
	uint8_t how = take(input, 1);
	struct hw_page_request request = {
		.has_pasid = pasid != DMA_NO_PASID, .pasid = pasid & 0xfffff,
		.addr = take_addr(input) & ~0xfffULL, .index = how, .last = how & 1,
		.access = how >> 4,
	};

	endpoint_page_request(fuzz->dev, &request);
	endpoint_prg_answer(fuzz->dev, how);
}

/* What a device may do at any time, well behaved or not */
static void op_device(struct fuzz *fuzz, struct input *input)
{
	struct endpoint_behaviour *behaviour = endpoint_behaviour(fuzz->dev);
	uint8_t how = take(input, 1);

	switch (how & 7) {
	case 0:
		endpoint_flr(fuzz->dev);
		endpoint_bus_master(fuzz->dev, true);
		break;
	case 1:
		endpoint_ats_enable(fuzz->dev, how & 8);
		break;
	case 2:
		endpoint_pri_enable(fuzz->dev, how & 8);
		break;
	case 3:
		endpoint_pasid_enable(fuzz->dev, how & 8);
		break;
	case 4:
		fuzz->iommu->ops->ats_complete(fuzz->iommu, RID, take(input, 4), how >> 3 & 7);
		break;
	default:
		*behaviour = (struct endpoint_behaviour){
			.never_complete = (how & 0x38) == 0x08, .wrong_itag = (how & 0x38) == 0x10,
			.complete_twice = (how & 0x38) == 0x18, .short_count = (how & 0x38) == 0x20,
			.complete_first = (how & 0x38) == 0x28, .delay_steps = how >> 6,
		};
		break;
	}
}

static void op_freedom(struct fuzz *fuzz, struct input *input)
{
	struct freedom *freedoms[] = { &fuzz->iommu->freedom, endpoint_freedom(fuzz->dev) };
	uint8_t how = take(input, 1);

	for (unsigned int i = 0; i < 2; i++) {
		struct freedom *freedom = freedoms[i];

		freedom->evict = how & 1 ? 300 : 0;
		freedom->prefetch = how & 2 ? 300 : 0;
		freedom->early = how & 4 ? 300 : 0;
		freedom->reorder = how & 8 ? 300 : 0;
		freedom->over = how & 16 ? 300 : 0;
		freedom->delay = how & 32 ? 300 : 0;
		freedom->delay_steps = how & 32 ? 4 : 0;
		freedom->no_walk_cache = how & 64;
		freedom->small_pages = how & 128;
	}
}

static void op_reset(struct fuzz *fuzz, struct input *input)
{
	fuzz->iommu->ops->reset(fuzz->iommu);
	fuzz->tail = 0;
	if (take(input, 1) & 1)
		kind->setup(fuzz);
}

typedef void operation(struct fuzz *fuzz, struct input *input);

static operation * const operations[] = {
	op_ram, op_table, op_table, op_page_table, op_command, op_command, op_command,
	op_mmio_write, op_mmio_read, op_dma, op_dma, op_hold, op_step, op_prefetch,
	op_page_request, op_device, op_freedom, op_reset,
};

/* ---- Entry points ---- */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A machine that translates nothing from the start would make all of this a test of nothing. */
static void expect_translation(struct fuzz *fuzz, enum dma_address address, uint32_t pasid)
{
	uint64_t value = 0x1234 + pasid, found = 0;
	struct dma dma = {
		.op = DMA_WRITE, .address = address, .pasid = pasid, .addr = IOVA + 0x3008,
		.len = 8, .data = &value,
	};

	if (endpoint_dma(fuzz->dev, 0, &dma) != DMA_DONE ||
	    hw_read64(&fuzz->machine->mem, DATA + 0x3008, &found) || found != value) {
		fprintf(stderr, "%s: no nested translation: address %d pasid %#x\n",
			fuzz->iommu->ops->name, address, pasid);
		exit(1);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct fuzz fuzz;
	const struct kind *chosen = kind;

	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		kind = kinds[i];
		start(&fuzz);
		expect_translation(&fuzz, DMA_PLAIN, DMA_NO_PASID);
		expect_translation(&fuzz, DMA_PLAIN, 2);
		expect_translation(&fuzz, DMA_ATS, 3);
		stop(&fuzz);
	}
	kind = chosen;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz;
	struct input input = { data, size };

	start(&fuzz);
	for (unsigned int i = 0; i < OPERATIONS && input.left; i++)
		operations[take(&input, 1) % (sizeof(operations) / sizeof(operations[0]))](&fuzz,
											  &input);
	stop(&fuzz);
	return 0;
}

#ifdef NIT_FUZZ_RANDOM
static void choose(unsigned long run)
{
	kind = kinds[run % 3];
}

int main(int argc, char **argv)
{
	fuzz_random(argc, argv, choose);
	return 0;
}
#endif
