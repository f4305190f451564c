// SPDX-License-Identifier: GPL-2.0-only
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "engine.h"
#include "machine.h"

#define TRACE_EVENTS 4096

static struct machine *machine_of(struct hw_mem *mem)
{
	return (struct machine *)((char *)mem - offsetof(struct machine, mem));
}

/* Held for a few instructions only. */
static void msi_lock(struct machine *machine)
{
	while (__atomic_exchange_n(&machine->msi_lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void msi_unlock(struct machine *machine)
{
	__atomic_store_n(&machine->msi_lock, 0, __ATOMIC_RELEASE);
}

/* Interrupts wait here until the software side takes them: hardware calls nobody. */
void machine_queue_msi(struct hw_mem *mem, uint64_t pa, uint32_t data)
{
	struct machine *machine = machine_of(mem);

	msi_lock(machine);
	if (machine->msi_tail - machine->msi_head == MACHINE_MSIS)
		machine->msi_lost++;
	else
		machine->msis[machine->msi_tail++ % MACHINE_MSIS] =
			(struct machine_msi){ pa, data };
	msi_unlock(machine);
}

bool machine_has_msi(struct machine *machine)
{
	bool any;

	msi_lock(machine);
	any = machine->msi_head != machine->msi_tail;
	msi_unlock(machine);
	return any;
}

static bool next_msi(struct machine *machine, struct machine_msi *msi)
{
	bool found;

	msi_lock(machine);
	found = machine->msi_head != machine->msi_tail;
	if (found)
		*msi = machine->msis[machine->msi_head++ % MACHINE_MSIS];
	msi_unlock(machine);
	return found;
}

static bool deliver_msis(struct machine *machine)
{
	struct machine_msi msi;
	bool any = false;

	while (next_msi(machine, &msi)) {
		any = true;
		hw_trace(machine->trace, "cpu", "msi %#llx data %#llx", msi.addr, msi.data);
		if (machine->interrupt)
			machine->interrupt(machine->interrupt_arg, msi.addr, msi.data);
	}
	return any;
}

static const struct hw_mem_ops ram_ops = { .msi = machine_queue_msi };

struct machine *machine_create(uint64_t ram_base, uint64_t ram_size, uint64_t seed)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	void *ram = NULL;

	if (!machine)
		return NULL;
	machine->trace = hw_trace_create(TRACE_EVENTS);
	if (ram_size)
		ram = mmap(NULL, ram_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!machine->trace || ram == MAP_FAILED) {
		hw_trace_destroy(machine->trace);
		free(machine);
		return NULL;
	}
	machine->mem = (struct hw_mem){
		.ops = &ram_ops, .ram = ram, .base = ram_base, .size = ram_size,
	};
	machine->seed = seed;
	return machine;
}

void machine_destroy(struct machine *machine)
{
	if (!machine)
		return;
	while (machine->endpoint_count)
		endpoint_destroy(machine->endpoints[machine->endpoint_count - 1]);
	while (machine->iommu_count) {
		struct hw_iommu *iommu = machine->iommus[--machine->iommu_count];

		iommu->ops->destroy(iommu);
	}
	if (machine->mem.size)
		munmap(machine->mem.ram, machine->mem.size);
	hw_trace_destroy(machine->trace);
	free(machine);
}

int machine_add_iommu(struct machine *machine, struct hw_iommu *iommu)
{
	if (machine->iommu_count == MACHINE_IOMMUS)
		return -ENOSPC;
	iommu->machine = machine;
	iommu->mem = &machine->mem;
	iommu->trace = machine->trace;
	iommu->inflight = &machine->inflight;
	freedom_seed(&iommu->freedom, machine->seed, machine->iommu_count);
	machine->iommus[machine->iommu_count++] = iommu;
	return 0;
}

int machine_add_endpoint(struct machine *machine, struct endpoint *endpoint)
{
	if (machine_endpoint(machine, endpoint_rid(endpoint)))
		return -EEXIST;
	if (machine->endpoint_count == MACHINE_ENDPOINTS)
		return -ENOSPC;
	machine->endpoints[machine->endpoint_count++] = endpoint;
	return 0;
}

void machine_remove_endpoint(struct machine *machine, struct endpoint *endpoint)
{
	for (unsigned int i = 0; i < machine->endpoint_count; i++) {
		if (machine->endpoints[i] != endpoint)
			continue;
		machine->endpoints[i] = machine->endpoints[--machine->endpoint_count];
		return;
	}
}

struct endpoint *machine_endpoint(struct machine *machine, uint16_t rid)
{
	for (unsigned int i = 0; i < machine->endpoint_count; i++)
		if (endpoint_rid(machine->endpoints[i]) == rid)
			return machine->endpoints[i];
	return NULL;
}

/*
 * Time is counted in steps, so a DMA that another thread is in the middle of takes none: a device
 * is not late because its thread was not scheduled.
 */
bool machine_step(struct machine *machine)
{
	bool any = false;

	for (unsigned int i = 0; i < machine->endpoint_count; i++)
		engines_wait(machine->endpoints[i]);
	for (unsigned int i = 0; i < machine->iommu_count; i++)
		any |= machine->iommus[i]->ops->step(machine->iommus[i]);
	for (unsigned int i = 0; i < machine->endpoint_count; i++)
		any |= endpoint_step(machine->endpoints[i]);
	any |= deliver_msis(machine);
	return any;
}

bool machine_settle(struct machine *machine, unsigned int bound)
{
	while (bound--)
		if (!machine_step(machine))
			return true;
	return false;
}
