// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's iommu-testdev (docs/specs/iommu-testdev.rst of QEMU): one DMA write of a pattern through
 * the IOMMU, done by the time that the read of a trigger register returns. It never reads, and
 * ignores the bus master bit. Registers of 32 bits in BAR 0.
 */
#include "device.h"

enum {
	TESTDEV_TRIGGER = 0x00,		/* a read of it does what is armed */
	TESTDEV_ADDR_LOW = 0x04,
	TESTDEV_ADDR_HIGH = 0x08,
	TESTDEV_LEN = 0x0c,
	TESTDEV_RESULT = 0x10,
	TESTDEV_DOORBELL = 0x14,
	TESTDEV_ATTRIBUTES = 0x18,
};

#define TESTDEV_ARM 1
#define TESTDEV_NONSECURE (1 << 1 | 1 << 3)	/* security space 1, and it is valid */
#define TESTDEV_PATTERN 0x12345678

static bool testdev_probe(const struct pci_id *id)
{
	return id->vendor == 0x1b36 && id->device == 0x0005 && id->class == 0x00ff00;
}

static void set(struct dma_device *device, unsigned int reg, uint32_t value)
{
	dma_bar_write32(&device->registers, reg, value);
}

/* What RESULT says is the device's opinion; memory is the evidence, so nobody asks for it. */
static int testdev_probe_write(struct dma_device *device, uint64_t addr, uint32_t *word)
{
	*word = TESTDEV_PATTERN;
	set(device, TESTDEV_ADDR_LOW, addr);
	set(device, TESTDEV_ADDR_HIGH, addr >> 32);
	set(device, TESTDEV_LEN, sizeof(*word));
	set(device, TESTDEV_ATTRIBUTES, TESTDEV_NONSECURE);
	set(device, TESTDEV_DOORBELL, TESTDEV_ARM);
	dma_bar_read32(&device->registers, TESTDEV_TRIGGER);
	return 0;
}

const struct dma_driver dma_testdev = {
	.name = "iommu-testdev",
	.probe = testdev_probe,
	.probe_write = testdev_probe_write,
};
