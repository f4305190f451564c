// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "device.h"

/* The most able first (dma_driver_rank()) */
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

unsigned int dma_driver_rank(const struct dma_driver *driver)
{
	unsigned int i = 0;

	while (i < sizeof(drivers) / sizeof(*drivers) && drivers[i] != driver)
		i++;
	return i;
}

static int open_with(struct dma_device *device, const struct dma_driver *driver)
{
	int rc = !driver ? -ENODEV : driver->open ? driver->open(device) : 0;

	if (!rc)
		device->driver = driver;
	return rc;
}

static uint64_t vfio_bar_read(const struct dma_bar *bar, uint64_t at, unsigned int size)
{
	return size == 8 ? vfio_read64(bar->priv, bar->number, at) :
			   vfio_read32(bar->priv, bar->number, at);
}

static void vfio_bar_write(const struct dma_bar *bar, uint64_t at, unsigned int size,
			   uint64_t value)
{
	if (size == 8)
		vfio_write64(bar->priv, bar->number, at, value);
	else
		vfio_write32(bar->priv, bar->number, at, value);
}

int dma_open(struct dma_device *device, struct vfio_device *vfio)
{
	*device = (struct dma_device){
		.vfio = vfio,
		.registers = { .read = vfio_bar_read, .write = vfio_bar_write, .priv = vfio },
	};
	return open_with(device, dma_driver_of(&vfio->id));
}

int dma_open_bar(struct dma_device *device, const struct pci_id *id, const struct dma_bar *bar)
{
	*device = (struct dma_device){ .registers = *bar };
	return open_with(device, dma_driver_of(id));
}

void dma_close(struct dma_device *device)
{
	if (device->driver && device->driver->close)
		device->driver->close(device);
	*device = (struct dma_device){};
}
