/* SPDX-License-Identifier: GPL-2.0-only */
/* An NVMe device that the kernel's own driver has: its DMA is mapped by the kernel's DMA API. */
#ifndef NIT_LOAD_NVME_H
#define NIT_LOAD_NVME_H

#include <stdint.h>

#include "vfio/pci.h"

#define NVME_PATH 64

/**
 * struct nvme - namespace 1 of a controller
 * @block, @generic: its device files; @size: bytes; @sector: bytes of a logical block
 * @command_max: bytes that one command may transfer
 */
struct nvme {
	char bdf[PCI_BDF_SIZE];
	char block[NVME_PATH];
	char generic[NVME_PATH];
	uint64_t size;
	unsigned int sector;
	unsigned int command_max;
};

/**
 * nvme_open() - The first NVMe device of this machine, with its DMA translated as @domain says
 * @domain: "DMA": an unmap returns when the IOMMU has forgotten (iommu.strict=1); "DMA-FQ": in
 *	batches, later (lazy); "identity": not at all (passthrough). Linux,
 *	Documentation/ABI/testing/sysfs-kernel-iommu_groups
 *
 * The driver lets go of the device, and takes it again: all that was on it is closed before.
 *
 * Return: 0; -ENODEV: there is none; -ETIMEDOUT: it does not come back; -errno of the kernel's
 */
int nvme_open(struct nvme *nvme, const char *domain);

#endif
