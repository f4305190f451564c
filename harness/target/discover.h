/* SPDX-License-Identifier: GPL-2.0-only */
/* The devices of the running machine that tests may use, and what they and their IOMMUs can do. */
#ifndef NIT_TARGET_DISCOVER_H
#define NIT_TARGET_DISCOVER_H

#include "dma/device.h"
#include "target.h"

/**
 * struct found - a device
 * @iommu: its IOMMU's name in /sys/class/iommu
 * @has: enum target_need
 */
struct found {
	char bdf[PCI_BDF_SIZE];
	char iommu[64];
	const struct dma_driver *driver;
	unsigned int has;
};

/**
 * discover() - Up to @max devices that vfio-pci drives and harness/dma has a driver for, the best
 * kind of them first
 *
 * With NIT_DEVICE in the environment those that it names; their driver is left alone. Else all
 * that are free or vfio-pci's: they are given to vfio-pci.
 *
 * Return: how many
 */
unsigned int discover(struct found *found, unsigned int max);

/**
 * discover_abilities() - Fill in @found->has, by binding the device for a moment
 * @vendor: as target_open() has it
 * Return: 0; -ENXIO: the IOMMU is of another make; -errno
 */
int discover_abilities(struct found *found, const char *vendor);

#endif
