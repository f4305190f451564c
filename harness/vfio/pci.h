/* SPDX-License-Identifier: GPL-2.0-only */
/* What sysfs says of PCI devices, and giving one to vfio-pci. */
#ifndef NIT_VFIO_PCI_H
#define NIT_VFIO_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_BDF_SIZE 16		/* "0000:00:02.0" */
#define PCI_NO_PASID UINT32_MAX

/** struct pci_id - from config space; @class: base class, sub-class, interface */
struct pci_id {
	uint16_t vendor;
	uint16_t device;
	uint32_t class;
};

/** pci_devices() - The BDFs of all PCI devices, in order; returns how many of @max there are */
unsigned int pci_devices(char (*bdf)[PCI_BDF_SIZE], unsigned int max);

/** pci_identify() - 0 or -errno */
int pci_identify(const char *bdf, struct pci_id *id);

/** pci_sysfs_write() - Write @text to the file at @path; 0 or -errno, the kernel's reason */
int pci_sysfs_write(const char *path, const char *text);

/** pci_rid() - Bus, device and function of "0000:00:02.0" as a requester id */
uint16_t pci_rid(const char *bdf);

/** pci_has_extended() - Config space lists extended capability @id (PCIe 7.6.3) */
bool pci_has_extended(const char *bdf, uint16_t id);

/** pci_iommu() - The name of its IOMMU in /sys/class/iommu, or -ENODEV */
int pci_iommu(const char *bdf, char *name, size_t size);

/** pci_iommu_group() - The name of its IOMMU group, a number, or -ENOENT */
int pci_iommu_group(const char *bdf, char *name, size_t size);

/**
 * pci_give_to_vfio() - Have vfio-pci drive the device
 * Return: 0, also if it does already; -EBUSY: another driver has it; -ENODEV: there is no vfio-pci
 */
int pci_give_to_vfio(const char *bdf);

/** pci_vfio_path() - The device's file below /dev/vfio/devices; -ENODEV: vfio-pci has it not */
int pci_vfio_path(const char *bdf, char *path, size_t size);

#endif
