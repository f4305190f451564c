/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What software sees of an endpoint that nit-hw serves: a PCI function with a ring of descriptors
 * in shared memory. Reading and writing the ring leaves the guest nowhere, so that a DMA costs no
 * exit; a write to the doorbell is one, and is needed only while the device sleeps.
 *
 *	BAR 0	registers of 32 bits, enum served_register
 *	BAR 2	struct served_ring, descriptors and data, at the offsets below
 *
 * Software writes descriptor @tail % SERVED_SLOTS and its data, then increments @tail. The device
 * carries descriptors out in order, writes result and data, then increments @head. Little endian.
 */
#ifndef NIT_SPEC_SERVED_H
#define NIT_SPEC_SERVED_H

#include <stdint.h>

/* Of the range that the PCI id assignments of QEMU leave to experiments */
#define SERVED_VENDOR 0x1af4
#define SERVED_ENDPOINT 0x10f1
#define SERVED_IOMMU 0x10f0
#define SERVED_ENDPOINT_CLASS 0xff0000

enum served_register {
	SERVED_MAGIC = 0x00,		/* read: SERVED_MAGIC_VALUE */
	SERVED_VERSION = 0x04,		/* read: SERVED_VERSION_VALUE */
	SERVED_DOORBELL = 0x08,		/* write: look at the ring */
	SERVED_NUMBER = 0x0c,		/* read: of the endpoint in its machine */
	SERVED_UNIT = 0x10,		/* read: number of its IOMMU */
	SERVED_INTERRUPT = 0x14,	/* write: raise the MSI */
};

#define SERVED_MAGIC_VALUE 0x3174696e
#define SERVED_VERSION_VALUE 2
#define SERVED_REGISTERS_SIZE 0x1000u

#define SERVED_SLOTS 64u
#define SERVED_DATA_SIZE 4096u		/* of a slot */
#define SERVED_DESCRIPTORS 0x1000u
#define SERVED_DATA 0x2000u
#define SERVED_MEMORY_SIZE 0x80000u
#define SERVED_ENGINES 8u
#define SERVED_LINE 256u		/* bytes of an event, with the 0 at its end */

/** struct served_ring - @asleep: the device waits for the doorbell */
struct served_ring {
	uint32_t tail;
	uint32_t head;
	uint32_t asleep;
};

/*
 * What a descriptor asks for. @engine, @pasid, @address and the numbers in them are those of
 * core/dma.h, knobs those of core/knob.h; DMA_NO_PASID is no PASID.
 */
enum served_op {
	SERVED_DMA = 1,		/* @len bytes at @addr; result: enum dma_status */
	SERVED_DMA_START,	/* the same, held between translation and memory access */
	SERVED_DMA_FINISH,	/* of @engine; data: what was read */
	SERVED_PREFETCH,	/* @kind: DMA_READ or DMA_WRITE */
	SERVED_PREFETCH_START,	/* the same, with the answer held on its way */
	SERVED_PREFETCH_FINISH,
	SERVED_PAGE_REQUEST,	/* PRI; @value: group, @kind: as above */
	SERVED_PAGE_ANSWER,	/* PRI; @value: group; result: response code or -EAGAIN */
	SERVED_SETTLED,		/* result: 0: software took what IOMMUs queued; -EAGAIN */
	SERVED_MARK,		/* @value: the number that the next event gets */
	SERVED_EVENT,		/* @value: number; out: the number found, data: its line */
	SERVED_FAULT,		/* data: name of a fault; @value: planted? result: places */
	SERVED_FAULT_HITS,	/* data: name; @value: how often control came past */
	SERVED_KNOB,		/* @engine: enum knob, @addr: enum served_whose, @value */
	SERVED_CALM,		/* @addr: enum served_whose: all its knobs at 0 */
	SERVED_MOMENT,		/* @value: stop time when software waits for an IOMMU next? */
	SERVED_STOPPED,		/* result: 0: time is stopped; -EAGAIN: it is not */
	SERVED_COUNT,		/* @engine: enum served_count, @addr: number of an IOMMU */
};

/* Whose knob: the endpoint's own, or its IOMMU's */
enum served_whose {
	SERVED_SELF,
	SERVED_ITS_IOMMU,
};

/* Counters of an IOMMU (hw/iommu.h), and one of the endpoint itself, whatever @addr is */
enum served_count {
	SERVED_COMMANDS,
	SERVED_SYNCS,
	SERVED_WALKS,
	SERVED_TABLE_READS,
	SERVED_REMOVED,
	SERVED_OVER_REMOVED,
	SERVED_ATS_INVALIDATES,
	SERVED_FAULTS,
	SERVED_COUNTS,
	SERVED_CACHED = SERVED_COUNTS,	/* entries in its ATC */
};

#define SERVED_EXEC 1u
#define SERVED_PRIV 2u

/**
 * struct served_descriptor
 * @op: enum served_op; @kind: enum dma_op; @address: enum dma_address; @flags: SERVED_EXEC, _PRIV
 * @result: written by the device: 0, a status, or -errno
 */
struct served_descriptor {
	uint32_t op;
	uint32_t engine;
	uint32_t pasid;
	uint16_t kind;
	uint16_t address;
	uint64_t addr;
	uint64_t value;
	uint32_t len;
	uint32_t flags;
	int32_t result;
	uint32_t reserved[5];
};

_Static_assert(sizeof(struct served_descriptor) == 64, "a descriptor is 64 bytes");

#endif
