// SPDX-License-Identifier: GPL-2.0-only
/* The platform that a reference machine in this process is. */
#include <errno.h>
#include <sched.h>

#include "hw/machine.h"
#include "platform.h"

static struct machine *machine_of(struct platform *platform)
{
	return platform->priv;
}

static uint64_t inprocess_mmio_read(struct platform *platform, unsigned int iommu,
				    uint64_t offset, unsigned int size)
{
	struct hw_iommu *unit = machine_of(platform)->iommus[iommu];

	return unit->ops->mmio_read(unit, offset, size);
}

static void inprocess_mmio_write(struct platform *platform, unsigned int iommu, uint64_t offset,
				 unsigned int size, uint64_t value)
{
	struct hw_iommu *unit = machine_of(platform)->iommus[iommu];

	unit->ops->mmio_write(unit, offset, size, value);
}

static bool inprocess_relax(struct platform *platform)
{
	void (*waiting)(void *arg) = platform->waiting;

	platform->waiting = NULL;
	if (waiting)
		waiting(platform->waiting_arg);
	return machine_step(machine_of(platform));
}

static int inprocess_ats_enable(struct platform *platform, uint16_t rid, bool on)
{
	struct endpoint *endpoint = machine_endpoint(machine_of(platform), rid);

	return endpoint ? endpoint_ats_enable(endpoint, on) : -ENODEV;
}

static int inprocess_pasid_enable(struct platform *platform, uint16_t rid, bool on)
{
	struct endpoint *endpoint = machine_endpoint(machine_of(platform), rid);

	return endpoint ? endpoint_pasid_enable(endpoint, on) : -ENODEV;
}

static int inprocess_pri_enable(struct platform *platform, uint16_t rid, bool on)
{
	struct endpoint *endpoint = machine_endpoint(machine_of(platform), rid);

	return endpoint ? endpoint_pri_enable(endpoint, on) : -ENODEV;
}

static int inprocess_flr(struct platform *platform, uint16_t rid)
{
	struct endpoint *endpoint = machine_endpoint(machine_of(platform), rid);

	if (!endpoint)
		return -ENODEV;
	endpoint_flr(endpoint);
	endpoint_bus_master(endpoint, true);
	return 0;
}

static const struct platform_ops inprocess_ops = {
	.mmio_read = inprocess_mmio_read,
	.mmio_write = inprocess_mmio_write,
	.relax = inprocess_relax,
	.ats_enable = inprocess_ats_enable,
	.pasid_enable = inprocess_pasid_enable,
	.pri_enable = inprocess_pri_enable,
	.flr = inprocess_flr,
};

static void deliver(void *arg, uint64_t addr, uint32_t data)
{
	struct platform *platform = arg;

	if (platform->interrupt)
		platform->interrupt(platform->interrupt_arg, addr, data);
}

static unsigned int iommu_number(const struct machine *machine, const struct endpoint *endpoint)
{
	unsigned int i = 0;

	while (machine->iommus[i] != endpoint_iommu(endpoint))
		i++;
	return i;
}

void platform_inprocess(struct platform *platform, struct machine *machine)
{
	*platform = (struct platform){
		.ops = &inprocess_ops, .ram = machine->mem.ram, .ram_base = machine->mem.base,
		.ram_size = machine->mem.size, .iommu_count = machine->iommu_count,
		.device_count = machine->endpoint_count, .priv = machine,
	};
	for (unsigned int i = 0; i < machine->iommu_count; i++)
		platform->caches_absent |= machine->iommus[i]->caches_absent;
	for (unsigned int i = 0; i < machine->endpoint_count; i++) {
		const struct endpoint_config *config = endpoint_config(machine->endpoints[i]);

		platform->devices[i] = (struct platform_device){
			.rid = config->rid,
			.iommu = iommu_number(machine, machine->endpoints[i]),
			.ats = config->ats, .pri = config->pri, .pasid = config->pasid,
			.ats_queue_depth = config->ats_queue_depth ?: 32,
		};
	}
	machine->interrupt = deliver;
	machine->interrupt_arg = platform;
}

int platform_wait(struct platform *platform, bool (*done)(void *arg), void *arg,
		  unsigned int bound)
{
	for (unsigned int i = 0; !done(arg); i++) {
		if (i % 1024 == 1023)
			sched_yield();	/* a DMA engine that holds us up may be a thread */
		/* At rest it never will be done; but what a test does meanwhile may change it. */
		bool more = platform->waiting || i < 2;

		more |= platform->ops->relax(platform);
		if (i == bound || !more)
			return done(arg) ? 0 : -ETIMEDOUT;
	}
	return 0;
}
