/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hardware ops table: all that the reference hypervisor knows of the machine it runs on.
 * In-process reference hardware (hyp/inprocess.c) or an emulator over qtest stand behind it.
 */
#ifndef NIT_HYP_PLATFORM_H
#define NIT_HYP_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#define PLATFORM_DEVICES 16
#define PLATFORM_WIRED 0	/* no address of an MSI */

struct platform;

/**
 * struct platform_ops
 * @mmio_read, @mmio_write: registers of IOMMU number @iommu; 4 or 8 bytes
 * @relax: called again and again while software waits; lets hardware go on, delivers interrupts.
 *	False: hardware is at rest and will do nothing more by itself.
 * @ats_enable, @pasid_enable, @pri_enable: PCI capabilities of a device; 0 or -errno
 * @flr: function level reset
 */
struct platform_ops {
	uint64_t (*mmio_read)(struct platform *platform, unsigned int iommu, uint64_t offset,
			      unsigned int size);
	void (*mmio_write)(struct platform *platform, unsigned int iommu, uint64_t offset,
			   unsigned int size, uint64_t value);
	bool (*relax)(struct platform *platform);
	int (*ats_enable)(struct platform *platform, uint16_t rid, bool on);
	int (*pasid_enable)(struct platform *platform, uint16_t rid, bool on);
	int (*pri_enable)(struct platform *platform, uint16_t rid, bool on);
	int (*flr)(struct platform *platform, uint16_t rid);
};

/** struct platform_device - a device, as firmware tables and config space tell */
struct platform_device {
	uint16_t rid;
	unsigned int iommu;
	bool ats;
	bool pri;
	bool pasid;
	bool no_dirty;			/* its IOMMU cannot track dirty pages */
	uint8_t ats_queue_depth;	/* 1..32 */
};

/**
 * struct platform
 * @ram, @ram_base, @ram_size: physical memory and where the CPU sees it
 * @caches_absent: an IOMMU has NpCache in its PCI capability (AMD-Vi)
 * @waiting: if set, called once by the next @relax, then forgotten: what a test does while the
 *	hypervisor waits for the hardware
 * @interrupt: set by the hypervisor: @data was written to @addr, or, with PLATFORM_WIRED, an IOMMU
 *	may have raised its wire
 */
struct platform {
	const struct platform_ops *ops;
	bool caches_absent;
	uint8_t *ram;
	uint64_t ram_base;
	uint64_t ram_size;
	unsigned int iommu_count;
	unsigned int device_count;
	struct platform_device devices[PLATFORM_DEVICES];
	void (*waiting)(void *arg);
	void *waiting_arg;
	void (*interrupt)(void *arg, uint64_t addr, uint32_t data);
	void *interrupt_arg;
	void *priv;
};

struct machine;

/** platform_inprocess() - The face of an in-process reference machine */
void platform_inprocess(struct platform *platform, struct machine *machine);

static inline uint64_t mmio_read(struct platform *platform, unsigned int iommu, uint64_t offset,
				 unsigned int size)
{
	return platform->ops->mmio_read(platform, iommu, offset, size);
}

static inline void mmio_write(struct platform *platform, unsigned int iommu, uint64_t offset,
			      unsigned int size, uint64_t value)
{
	platform->ops->mmio_write(platform, iommu, offset, size, value);
}

/** platform_wait() - Relax until @done(@arg), @bound times at most; 0 or -ETIMEDOUT */
int platform_wait(struct platform *platform, bool (*done)(void *arg), void *arg,
		  unsigned int bound);

#endif
