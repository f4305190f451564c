/* SPDX-License-Identifier: GPL-2.0-only */
/* The devices of the running machine that tests may use, and what they and their IOMMUs can do. */
#ifndef NIT_TARGET_DISCOVER_H
#define NIT_TARGET_DISCOVER_H

#include "dma/device.h"
#include "target.h"

/**
 * struct found - a device
 * @iommu: its IOMMU's name in /sys/class/iommu
 * @driver: who has it do DMA; NULL: nobody here knows how
 * @vendor: of its IOMMU, as target_open() has it; NULL: none of those
 * @has: enum target_need
 * @taken: the target has it already
 */
struct found {
	char bdf[PCI_BDF_SIZE];
	char iommu[64];
	const struct dma_driver *driver;
	const char *vendor;
	unsigned int has;
	bool taken;
};

/**
 * discover() - Up to @max devices behind an IOMMU that tests may use, the best kind of them first
 *
 * With NIT_DEVICE in the environment those that it names; whoever drives them is left alone. Else
 * all that harness/dma has a driver for, if they are free or vfio-pci's: that gets them.
 *
 * Return: how many
 */
unsigned int discover(struct found *found, unsigned int max);

/**
 * discover_abilities() - Fill in @found->vendor and ->has, by binding the device for a moment
 * Return: 0; what vfio_open() or GET_HW_INFO returned
 */
int discover_abilities(struct found *found);

#endif
