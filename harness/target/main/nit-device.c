// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the devices that NIT_DEVICE names can do, a line each, with tabs in between:
 *
 *	BDF IOMMU VENDOR DRIVER ABILITIES
 *
 * IOMMU: its name in /sys/class/iommu; VENDOR: of it, by GET_HW_INFO: a suite, or "-"; DRIVER: who
 * of harness/dma has the device do DMA, or "-"; ABILITIES: with commas in between, or "-". Each
 * device is opened and bound for a moment; nothing of the machine is changed. Ends with 1, and says
 * why, where a device cannot be had; with 2 where none is named.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/discover.h"

static const char * const abilities[] = {
	"ats", "pri", "pasid", "stall", "held", "read", "atomic", NULL, NULL, "dirty", "nest",
	"dma",
};

static void print(const struct found *found)
{
	const char *comma = "";

	printf("%s\t%s\t%s\t%s\t", found->bdf, found->iommu, found->vendor ?: "-",
	       found->driver ? found->driver->name : "-");
	for (unsigned int i = 0; i < sizeof(abilities) / sizeof(*abilities); i++) {
		if (!abilities[i] || !(found->has & 1u << i))
			continue;
		printf("%s%s", comma, abilities[i]);
		comma = ",";
	}
	printf("%s\n", *comma ? "" : "-");
}

/* What the calls that open and bind a device mean by an error (drivers/vfio, iommufd) */
static const char *why(int error)
{
	switch (error) {
	case EBUSY:
	case EINVAL:
		return "another process has it open, or a device of its IOMMU group is in use";
	case EPERM:
		return "interrupts are not remapped here, so that its MSIs are not safe: the kernel"
			" allows it with iommufd.allow_unsafe_interrupts=1 only";
	case EACCES:
		return "no permission for /dev/iommu or its file in /dev/vfio/devices";
	case ENOENT:
		return "no /dev/iommu, or no file for it in /dev/vfio/devices";
	default:
		return strerror(error);
	}
}

int main(void)
{
	struct found found[TARGET_DEVICES];
	const char *named = getenv("NIT_DEVICE");
	unsigned int count;

	if (!named || !*named) {	/* else all that are free would be given to vfio-pci */
		fprintf(stderr, "nit-device: NIT_DEVICE names no device\n");
		return 2;
	}
	count = discover(found, TARGET_DEVICES);
	for (unsigned int i = 0; i < count; i++) {
		int rc = discover_abilities(&found[i]);

		if (rc) {
			fprintf(stderr, "%s cannot be had: %s\n", found[i].bdf, why(-rc));
			return 1;
		}
		print(&found[i]);
	}
	return 0;
}
