/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vfio-user protocol, version 0.0, as its specification lays messages out (QEMU's
 * docs/interop/vfio-user.rst): a header, then what the command has. Little endian.
 */
#ifndef NIT_VFIO_USER_WIRE_H
#define NIT_VFIO_USER_WIRE_H

#include <stdint.h>

#define WIRE_MAJOR 0
#define WIRE_MINOR 0
#define WIRE_FDS 8		/* of one message */
#define WIRE_DATA 4096u		/* bytes of one access */
#define WIRE_MESSAGE (WIRE_DATA + 512u)

enum wire_command {
	WIRE_VERSION = 1,
	WIRE_DMA_MAP,
	WIRE_DMA_UNMAP,
	WIRE_DEVICE_INFO,
	WIRE_REGION_INFO,
	WIRE_REGION_IO_FDS,
	WIRE_IRQ_INFO,
	WIRE_SET_IRQS,
	WIRE_REGION_READ,
	WIRE_REGION_WRITE,
	WIRE_DMA_READ,
	WIRE_DMA_WRITE,
	WIRE_DEVICE_RESET,
	WIRE_COMMANDS,
};

/* Header flags */
#define WIRE_TYPE 0xfu		/* 0: a command */
#define WIRE_REPLY 0x1u
#define WIRE_NO_REPLY 0x10u
#define WIRE_ERROR 0x20u

/** struct wire_header - @size: of the whole message; @error: errno of a reply with WIRE_ERROR */
struct wire_header {
	uint16_t id;
	uint16_t command;
	uint32_t size;
	uint32_t flags;
	uint32_t error;
};

/** struct wire_version - followed by capabilities as a JSON string */
struct wire_version {
	uint16_t major;
	uint16_t minor;
};

#define WIRE_MAP_READ 1u
#define WIRE_MAP_WRITE 2u

/** struct wire_dma_map - @offset: in the file that comes with the message, if one does */
struct wire_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset;
	uint64_t addr;
	uint64_t size;
};

#define WIRE_UNMAP_ALL 2u

struct wire_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t addr;
	uint64_t size;
};

#define WIRE_DEVICE_RESETS 1u
#define WIRE_DEVICE_PCI 2u

struct wire_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t regions;
	uint32_t irqs;
};

enum wire_region {
	WIRE_BARS = 6,
	WIRE_ROM = 6,
	WIRE_CONFIG = 7,
	WIRE_VGA = 8,
	WIRE_REGIONS,
};

#define WIRE_REGION_READS 1u
#define WIRE_REGION_WRITES 2u
#define WIRE_REGION_MMAP 4u

/** struct wire_region_info - with WIRE_REGION_MMAP the reply carries a file; @offset: in that */
struct wire_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t capabilities;
	uint64_t size;
	uint64_t offset;
};

enum wire_irq {
	WIRE_INTX,
	WIRE_MSI,
	WIRE_MSIX,
	WIRE_ERR,
	WIRE_REQ,
	WIRE_IRQS,
};

#define WIRE_IRQ_EVENTFD 1u
#define WIRE_IRQ_NORESIZE 8u

struct wire_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

#define WIRE_SET_NONE 1u
#define WIRE_SET_BOOL 2u
#define WIRE_SET_EVENTFD 4u
#define WIRE_SET_TRIGGER 32u

struct wire_set_irqs {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};

/** struct wire_access - REGION_READ and _WRITE; a write, and the reply to a read: data follows */
struct wire_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

/** struct wire_dma - DMA_READ and DMA_WRITE, server to client; data follows as above */
struct wire_dma {
	uint64_t addr;
	uint64_t count;
};

#endif
