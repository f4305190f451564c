/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine: RAM, IOMMUs, and devices behind them. No CPU: software is whoever calls.
 */
#ifndef NIT_HW_MACHINE_H
#define NIT_HW_MACHINE_H

#include "endpoint.h"
#include "iommu.h"

#define MACHINE_IOMMUS 4
#define MACHINE_ENDPOINTS 16
#define MACHINE_MSIS 256

/** struct machine_msi - an interrupt on its way to the CPU */
struct machine_msi {
	uint64_t addr;
	uint32_t data;
};

/**
 * struct machine
 * @mem: RAM at @mem.base; what is outside is nobody's
 * @interrupt: receives MSIs, from machine_settle() and machine_step() only; may use MMIO
 */
struct machine {
	struct hw_mem mem;
	struct hw_trace *trace;
	struct inflight inflight;
	uint64_t seed;
	unsigned int iommu_count;
	struct hw_iommu *iommus[MACHINE_IOMMUS];
	unsigned int endpoint_count;
	struct endpoint *endpoints[MACHINE_ENDPOINTS];
	void (*interrupt)(void *arg, uint64_t addr, uint32_t data);
	void *interrupt_arg;
	struct machine_msi msis[MACHINE_MSIS];
	unsigned int msi_head;
	unsigned int msi_tail;
	unsigned int msi_lost;
	int msi_lock;
};

/**
 * machine_create() - @ram_size bytes of zeroed RAM at @ram_base; NULL: no memory
 * With 0 bytes, memory is the caller's: it sets the window and the ops of @machine->mem, and takes
 * the window away again before machine_destroy().
 */
struct machine *machine_create(uint64_t ram_base, uint64_t ram_size, uint64_t seed);

/** machine_destroy() - With all IOMMUs and endpoints in it */
void machine_destroy(struct machine *machine);

/**
 * machine_add_iommu() - Called by each kind's create function, with ops and unit filled in;
 * fills in the rest of the common part. 0 or -ENOSPC.
 */
int machine_add_iommu(struct machine *machine, struct hw_iommu *iommu);
/** machine_add_endpoint() - Called by endpoint_create(); -EEXIST: RID in use, -ENOSPC */
int machine_add_endpoint(struct machine *machine, struct endpoint *endpoint);

/** machine_remove_endpoint() - Called by endpoint_destroy() */
void machine_remove_endpoint(struct machine *machine, struct endpoint *endpoint);

/** machine_endpoint() - By requester id; NULL: nobody there */
struct endpoint *machine_endpoint(struct machine *machine, uint16_t rid);

/** machine_step() - A moment passes for everything once; true if anything happened or still may */
bool machine_step(struct machine *machine);

/** machine_queue_msi() - struct hw_mem_ops' @msi: interrupts wait until machine_step() delivers */
void machine_queue_msi(struct hw_mem *mem, uint64_t pa, uint32_t data);
/** machine_has_msi() - Is one waiting? Any thread */
bool machine_has_msi(struct machine *machine);

/**
 * machine_settle() - Step until nothing happens any more, @bound steps at most
 * Return: true if it came to rest
 */
bool machine_settle(struct machine *machine, unsigned int bound);

#endif
