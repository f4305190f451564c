/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One PCI device of the running kernel through its VFIO character device (<linux/vfio.h>;
 * Documentation/driver-api/vfio.rst). Calls return 0 or -errno.
 */
#ifndef NIT_VFIO_VFIO_H
#define NIT_VFIO_VFIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pci.h"

#define VFIO_BARS 6

/** struct vfio_bar - @map: mapped, or NULL: reached with read and write at @offset of the file */
struct vfio_bar {
	uint64_t size;
	uint64_t offset;
	volatile void *map;
};

/**
 * struct vfio_device - a device that is bound to an iommufd
 * @fd: its character device, or -1
 * @dev_id: its id in the iommufd
 */
struct vfio_device {
	int fd;
	uint32_t dev_id;
	uint64_t config_offset;
	struct vfio_bar bars[VFIO_BARS];
	struct pci_id id;
};

/**
 * vfio_open() - Open the device at @bdf, bind it to @iommufd, and map its BARs
 *
 * The device has just been reset, if it can be; it decodes memory and masters the bus. Its DMA is
 * blocked until something is attached.
 *
 * Return: 0; -ENODEV: it is not bound to vfio-pci (pci_give_to_vfio()); what a call returned
 */
int vfio_open(struct vfio_device *device, const char *bdf, int iommufd);

/** vfio_close() - Unmap and close: the kernel detaches and unbinds what is left */
void vfio_close(struct vfio_device *device);

/** vfio_attach(), vfio_detach() - @pasid: PCI_NO_PASID is the RID; attached already: replaced */
int vfio_attach(struct vfio_device *device, uint32_t pasid, uint32_t pt_id);
int vfio_detach(struct vfio_device *device, uint32_t pasid);

/** vfio_reset() - VFIO_DEVICE_RESET, on again; -EOPNOTSUPP: there is no way to reset it */
int vfio_reset(struct vfio_device *device);

/** vfio_config_read(), vfio_config_write() - @len bytes of config space, as the kernel shows it */
int vfio_config_read(struct vfio_device *device, unsigned int at, void *data, size_t len);
int vfio_config_write(struct vfio_device *device, unsigned int at, const void *data, size_t len);

/* Registers: naturally aligned, one access each. A register that is not there reads as all ones. */
uint32_t vfio_read32(struct vfio_device *device, unsigned int bar, uint64_t at);
void vfio_write32(struct vfio_device *device, unsigned int bar, uint64_t at, uint32_t value);
uint64_t vfio_read64(struct vfio_device *device, unsigned int bar, uint64_t at);
void vfio_write64(struct vfio_device *device, unsigned int bar, uint64_t at, uint64_t value);

#endif
