// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "platform.h"

static struct qtest_machine *machine_of(struct platform *platform)
{
	return platform->priv;
}

static uint64_t iommu_read(struct platform *platform, unsigned int iommu, uint64_t offset,
			   unsigned int size)
{
	struct qtest_machine *machine = machine_of(platform);

	return qtest_read(&machine->qtest, machine->board->iommus[iommu] + offset, size);
}

static void iommu_write(struct platform *platform, unsigned int iommu, uint64_t offset,
			unsigned int size, uint64_t value)
{
	struct qtest_machine *machine = machine_of(platform);

	qtest_write(&machine->qtest, machine->board->iommus[iommu] + offset, size, value);
}

static bool relax(struct platform *platform)
{
	void (*waiting)(void *arg) = platform->waiting;

	platform->waiting = NULL;
	if (waiting)
		waiting(platform->waiting_arg);
	if (platform->interrupt)
		platform->interrupt(platform->interrupt_arg, PLATFORM_WIRED, 0);
	return false;
}

/* No device of QEMU has ATS, PASID or PRI towards these IOMMUs. */
static int no_such_capability(struct platform *platform, uint16_t rid, bool on)
{
	return on ? -ENODEV : 0;
}

#define PCI_CAP_EXPRESS 0x10
#define PCI_EXPRESS_CONTROL 8
#define PCI_EXPRESS_FLR 0x8000

/* Devices that cannot be reset have nothing that would have to be forgotten. */
static int flr(struct platform *platform, uint16_t rid)
{
	struct qtest_machine *machine = machine_of(platform);
	unsigned int express = qtest_capability(machine, rid, PCI_CAP_EXPRESS);

	if (express)
		qtest_config_write(machine, rid, express + PCI_EXPRESS_CONTROL, 2,
				   PCI_EXPRESS_FLR);
	return 0;
}

static const struct platform_ops qtest_ops = {
	.mmio_read = iommu_read,
	.mmio_write = iommu_write,
	.relax = relax,
	.ats_enable = no_such_capability,
	.pasid_enable = no_such_capability,
	.pri_enable = no_such_capability,
	.flr = flr,
};

void platform_qtest(struct platform *platform, struct qtest_machine *machine)
{
	const struct qtest_board *board = machine->board;

	*platform = (struct platform){
		.ops = &qtest_ops, .ram = machine->ram + board->taken,
		.ram_base = board->ram + board->taken, .ram_size = machine->ram_size - board->taken,
		.iommu_count = board->iommu_count, .priv = machine,
	};
}
