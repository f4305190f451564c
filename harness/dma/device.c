// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "device.h"

/* The best first: where a machine has several kinds, tests run on the first. */
static const struct dma_driver * const drivers[] = {
	&dma_served,
	&dma_testdev,
};

const struct dma_driver *dma_driver_of(const struct pci_id *id)
{
	for (unsigned int i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (drivers[i]->probe(id))
			return drivers[i];
	return NULL;
}

int dma_open(struct dma_device *device, struct vfio_device *vfio)
{
	const struct dma_driver *driver = dma_driver_of(&vfio->id);
	int rc;

	*device = (struct dma_device){};
	if (!driver)
		return -ENODEV;
	device->vfio = vfio;
	rc = driver->open ? driver->open(device) : 0;
	if (!rc)
		device->driver = driver;
	return rc;
}

void dma_close(struct dma_device *device)
{
	if (device->driver && device->driver->close)
		device->driver->close(device);
	*device = (struct dma_device){};
}
