/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA engines of real and emulated devices, behind one table of operations: a driver for each kind
 * of device, in user space on top of VFIO, or
 * of an emulator that is driven from outside (harness/qtest).
 */
#ifndef NIT_DMA_DEVICE_H
#define NIT_DMA_DEVICE_H

#include "bar.h"
#include "core/counts.h"
#include "core/dma.h"
#include "core/knob.h"
#include "vfio/vfio.h"

struct dma_device;

/**
 * struct dma_driver - one kind of device. Functions return 0 or -errno unless they say otherwise;
 * an operation that is NULL is one that the device does not have.
 * @name: slug-safe
 * @probe: this driver is for a device with this id
 * @open: @device->vfio is bound, reset, and masters the bus; sets @device->priv
 * @close: gives @device->priv back; nothing of the device is used afterwards
 * @dma: one transfer on engine number @engine; what struct target_ops.dma promises
 * @probe_write: for devices that write what they like: write 4 bytes at @addr. Returns 0 whatever
 *	became of it; *@word: what was written, as the CPU reads it
 * @dma_start, @dma_finish: a transfer that is held between translation and memory access
 * @prefetch: fetch a translation into the ATC
 * @prefetch_start, @prefetch_finish: the same, with the IOMMU's answer held on its way; -ECANCELED:
 *	an invalidation overtook it
 * @page_request, @page_answer: PRI; the answer is the response code, -EAGAIN while there is none
 * @settle: wait until software has taken what the hardware queued for it; -ETIMEDOUT
 * @turn: a knob of the device, or of the IOMMU that it is behind; @calm: all of both as at first,
 *	and no moment is wanted
 * @want_moment: stop time in the next moment that software waits for an IOMMU? Time that is stopped
 *	goes on in either case, and in bounded time by itself. @moment: is it stopped?
 * @counts: of all IOMMUs of its machine, and of its own ATC
 * @mark, @event: what the hardware saw, where it says so: as in struct target_ops
 *
 * Guarantees: after @dma, @probe_write or @dma_finish returned, the transfer is over: it reached
 * memory, or it never will. Every function returns in bounded time. Where there is @want_moment,
 * all but @open and @close may be called from any thread.
 */
struct dma_driver {
	const char *name;
	bool (*probe)(const struct pci_id *id);
	int (*open)(struct dma_device *device);
	void (*close)(struct dma_device *device);
	enum dma_status (*dma)(struct dma_device *device, unsigned int engine, struct dma *dma);
	int (*probe_write)(struct dma_device *device, uint64_t addr, uint32_t *word);
	enum dma_status (*dma_start)(struct dma_device *device, unsigned int engine,
				     struct dma *dma);
	enum dma_status (*dma_finish)(struct dma_device *device, unsigned int engine);
	int (*prefetch)(struct dma_device *device, uint32_t pasid, uint64_t addr, bool write);
	int (*prefetch_start)(struct dma_device *device, uint32_t pasid, uint64_t addr, bool write);
	int (*prefetch_finish)(struct dma_device *device);
	int (*page_request)(struct dma_device *device, uint32_t pasid, uint64_t addr,
			    unsigned int group, bool write);
	int (*page_answer)(struct dma_device *device, unsigned int group);
	int (*settle)(struct dma_device *device);
	int (*turn)(struct dma_device *device, bool of_iommu, enum knob knob, uint64_t value);
	int (*calm)(struct dma_device *device);
	int (*want_moment)(struct dma_device *device, bool wanted);
	bool (*moment)(struct dma_device *device);
	int (*counts)(struct dma_device *device, struct counts *counts);
	uint64_t (*mark)(struct dma_device *device);
	uint64_t (*event)(struct dma_device *device, uint64_t number, char *line,
			  unsigned int size);
};

/**
 * struct dma_device - a device that is open
 * @vfio: NULL: it is reached otherwise, by @registers alone
 * @registers: BAR 0
 * @priv: its driver's
 */
struct dma_device {
	const struct dma_driver *driver;
	struct dma_bar registers;
	struct vfio_device *vfio;
	void *priv;
};

/** dma_driver_of() - The driver for a device with this id, NULL: there is none */
const struct dma_driver *dma_driver_of(const struct pci_id *id);
/** dma_driver_rank() - Where there are several kinds, tests use the lowest; of NULL: the highest */
unsigned int dma_driver_rank(const struct dma_driver *driver);

/** dma_open() - @vfio must stay until dma_close(); -ENODEV: no driver for it */
int dma_open(struct dma_device *device, struct vfio_device *vfio);
/** dma_open_bar() - The same for a device with @id that is reached through its BAR 0 alone */
int dma_open_bar(struct dma_device *device, const struct pci_id *id, const struct dma_bar *bar);
void dma_close(struct dma_device *device);

extern const struct dma_driver dma_served, dma_testdev;

#endif
