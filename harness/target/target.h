/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What carries a test: reference hardware and hypervisor in process (ref.c), or a running kernel
 * and its devices (kernel.c). NIT_TARGET chooses: "ref", the default, or "kernel".
 *
 * A target gives an iommufd, memory for a VM, devices with DMA engines, and evidence.
 */
#ifndef NIT_TARGET_TARGET_H
#define NIT_TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/counts.h"
#include "core/dma.h"
#include "core/knob.h"
#include "iommufd/iommufd.h"

#define TARGET_DEVICES 8

struct target;

/**
 * struct target_ops. Functions return 0 or -errno unless they say otherwise; a NULL one is what
 * this target cannot do: tests skip.
 * @iommufd_open: a new context
 * @memory: @size bytes that a VMM can IOAS_MAP; NULL: none left
 * @bind, @unbind, @attach, @detach, @reset: VFIO's part; pasid DMA_NO_PASID is the RID
 * @dma: one DMA on @engine of device number @device
 * @dma_start, @dma_finish: the same, held between translation and memory access
 * @prefetch: have the device fetch a translation into its ATC
 * @prefetch_start, @prefetch_finish: the same, with the IOMMU's answer held on its way; -ECANCELED:
 *	an invalidation overtook it
 * @viommu_mmio: a guest's access to hardware registers that it owns
 * @waiting: call @fn once as soon as the hypervisor waits for hardware, which stands still then;
 *	NULL: never mind. @fn may be called on another thread, and call this again. It must be
 *	bounded: hardware goes on when it takes longer than a hypervisor has patience.
 * @turn: a knob of device number @device, or of the IOMMU that it is behind
 * @service: let hardware and hypervisor catch up: interrupts, page responses; -ETIMEDOUT
 * @page_request, @page_answer: PRI; the answer is the response code, -EAGAIN while there is none
 * @counts: what the hardware has counted, @cached of devices that are bound
 * @call_ns: how long calls of iommufd have taken together, by figure_now()
 * @mark: the number of the next event; @event: the next one from @number on, as a line;
 *	UINT64_MAX: no more
 */
struct target_ops {
	const char *name;
	int (*iommufd_open)(struct target *target, struct iommufd *iommufd);
	void *(*memory)(struct target *target, uint64_t size);
	int (*bind)(struct target *target, struct iommufd *iommufd, unsigned int device,
		    uint32_t *dev_id);
	void (*unbind)(struct target *target, struct iommufd *iommufd, unsigned int device,
		       uint32_t dev_id);
	int (*attach)(struct target *target, struct iommufd *iommufd, uint32_t dev_id,
		      uint32_t pasid, uint32_t pt_id);
	int (*detach)(struct target *target, struct iommufd *iommufd, uint32_t dev_id,
		      uint32_t pasid);
	int (*reset)(struct target *target, struct iommufd *iommufd, uint32_t dev_id);
	enum dma_status (*dma)(struct target *target, unsigned int device, unsigned int engine,
			       struct dma *dma);
	enum dma_status (*dma_start)(struct target *target, unsigned int device,
				     unsigned int engine, struct dma *dma);
	enum dma_status (*dma_finish)(struct target *target, unsigned int device,
				      unsigned int engine);
	int (*prefetch)(struct target *target, unsigned int device, uint32_t pasid, uint64_t addr,
			bool write);
	int (*prefetch_start)(struct target *target, unsigned int device, uint32_t pasid,
			      uint64_t addr, bool write);
	int (*prefetch_finish)(struct target *target, unsigned int device);
	int (*viommu_mmio)(struct target *target, struct iommufd *iommufd, uint64_t mmap_offset,
			   uint64_t offset, unsigned int size, bool write, uint64_t *value);
	void (*waiting)(struct target *target, void (*fn)(void *arg), void *arg);
	int (*turn)(struct target *target, unsigned int device, bool of_iommu, enum knob knob,
		    uint64_t value);
	int (*service)(struct target *target);
	int (*page_request)(struct target *target, unsigned int device, uint32_t pasid,
			    uint64_t addr, unsigned int group, bool write);
	int (*page_answer)(struct target *target, unsigned int device, unsigned int group);
	int (*counts)(struct target *target, struct counts *counts);
	uint64_t (*call_ns)(struct target *target);
	uint64_t (*mark)(struct target *target);
	uint64_t (*event)(struct target *target, uint64_t number, char *line, unsigned int size);
	void (*close)(struct target *target);
};

/** enum target_need - what a test cannot do without */
enum target_need {
	TARGET_ATS = 1 << 0,		/* devices with an ATC, IOMMUs that serve it */
	TARGET_PRI = 1 << 1,		/* page requests */
	TARGET_PASID = 1 << 2,		/* DMA with a PASID, IOMMUs that translate it */
	TARGET_STALL = 1 << 3,		/* an IOMMU that holds what faults */
	TARGET_HELD = 1 << 4,		/* DMA held after its translation; answers of the IOMMU */
	TARGET_READ = 1 << 5,		/* DMA that reads, also where it may not write */
	TARGET_ATOMIC = 1 << 6,		/* DMA_SWAP */
	TARGET_WAITING = 1 << 7,	/* @waiting of struct target_ops */
	TARGET_REFERENCE = 1 << 8,	/* ref_machine(), ref_endpoint(), ref_hyp(): its knobs */
	TARGET_DIRTY = 1 << 9,		/* IOMMUs that track dirty pages */
	TARGET_NEST = 1 << 10,		/* nested translation */
	TARGET_DMA = 1 << 11,		/* DMA at all; every test needs it but for @dma_optional */
	TARGET_KNOBS = 1 << 12,		/* @turn of struct target_ops: core/knob.h */
	TARGET_COUNTS = 1 << 13,		/* @counts of struct target_ops */
};

/**
 * struct target_config - the machine that a test wants. A running kernel's machine is what it is:
 * a test that wants another one skips.
 * @needs: enum target_need
 * @dma_optional: without DMA (TARGET_DMA) these tests still have something to say: what they see of
 *	translations they see by vmm/expect.h, which then leaves it out
 * @iommus, @devices: how many (0: 1 IOMMU, 2 devices, of a running kernel's machine at least 1:
 *	NEEDS_DEVICES()); device n is behind IOMMU n % @iommus
 * @no_ats, @no_pri, @no_pasid: what the devices lack
 * @ats_queue_depth, @atc_entries: of the devices; 0: 32 and 4096
 * @iommu: the vendor's configuration of its IOMMUs, or NULL
 * @any_iommu: where hardware is given any will do: @iommu only makes the reference's harder
 * @ram: bytes; 0: 256 MiB. A page of it costs nothing until it is touched.
 * @seed: 0: prng_seed()
 */
struct target_config {
	unsigned int needs;
	bool dma_optional;
	unsigned int iommus;
	unsigned int devices;
	bool no_ats;
	bool no_pri;
	bool no_pasid;
	uint8_t ats_queue_depth;
	size_t atc_entries;
	const void *iommu;
	bool any_iommu;
	uint64_t ram;
	uint64_t seed;
};

/** struct target_device - @rid: requester id; @iommu: number of its IOMMU */
struct target_device {
	uint16_t rid;
	unsigned int iommu;
	bool ats;
	bool pri;
	bool pasid;
};

/**
 * struct target
 * @has: enum target_need: what all of its devices and IOMMUs have
 * @lacks: why target_open() found that this target cannot do it, a constant; else NULL
 */
struct target {
	const struct target_ops *ops;
	unsigned int has;
	const char *lacks;
	unsigned int device_count;
	struct target_device devices[TARGET_DEVICES];
	void *priv;
};

/**
 * target_open() - What this run is about, for a test that needs @config (NULL: the usual)
 * @vendor: "intel", "amd" or "arm"
 * Return: 0; -EOPNOTSUPP with @target->lacks set: it cannot give that; -errno
 */
int target_open(struct target *target, const char *vendor, const struct target_config *config);

/* Why a test of more devices is skipped */
#define TARGET_FEWER_DEVICES "needs more devices than there are here"

/** target_lacks() - A constant that says what of @needs is not there; NULL: all is */
const char *target_lacks(const struct target *target, unsigned int needs);

#endif
