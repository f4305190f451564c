/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory that hardware reaches: physical addresses, little endian, coherent.
 *
 * RAM is one window at a host address, because walking page tables is most of what an IOMMU does.
 * What lies outside the window goes to the host's callbacks (vfio-user: DMA_READ and DMA_WRITE
 * messages), or is an error where there are none: as a read of nothing on a bus.
 * All accesses of 8 aligned bytes are single-copy atomic: page table entries never tear.
 */
#ifndef NIT_HW_MEM_H
#define NIT_HW_MEM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hw_mem;

/**
 * struct hw_mem_ops - memory outside the window, and interrupts
 * @read, @write: @len bytes at @pa; 0, or -EFAULT where nothing answers
 * @cas64: compare and swap; 0 with the old value in *@old, or -EFAULT
 * @msi: a message was written to the interrupt address range. Never calls back into hardware:
 *	 who receives interrupts delivers them later (machine_settle()).
 */
struct hw_mem_ops {
	int (*read)(struct hw_mem *mem, uint64_t pa, void *buf, size_t len);
	int (*write)(struct hw_mem *mem, uint64_t pa, const void *buf, size_t len);
	int (*cas64)(struct hw_mem *mem, uint64_t pa, uint64_t expected, uint64_t desired,
		     uint64_t *old);
	void (*msi)(struct hw_mem *mem, uint64_t pa, uint32_t data);
};

/**
 * struct hw_mem - a view of physical memory
 * @ram: host address of the window; @base, @size: its physical range
 * @arg: for the ops
 */
struct hw_mem {
	const struct hw_mem_ops *ops;
	uint8_t *ram;
	uint64_t base;
	uint64_t size;
	void *arg;
};

/** hw_ram() - The host address of @len bytes at @pa, or NULL where they are not all RAM */
static inline void *hw_ram(const struct hw_mem *mem, uint64_t pa, size_t len)
{
	uint64_t offset = pa - mem->base;

	return offset < mem->size && mem->size - offset >= len ? mem->ram + offset : NULL;
}

static inline int hw_read64(struct hw_mem *mem, uint64_t pa, uint64_t *value)
{
	const uint64_t *ram = hw_ram(mem, pa, 8);

	if (__builtin_expect(ram && !(pa & 7), 1)) {
		*value = __atomic_load_n(ram, __ATOMIC_ACQUIRE);
		return 0;
	}
	return mem->ops->read ? mem->ops->read(mem, pa, value, 8) : -EFAULT;
}

static inline int hw_write64(struct hw_mem *mem, uint64_t pa, uint64_t value)
{
	uint64_t *ram = hw_ram(mem, pa, 8);

	if (__builtin_expect(ram && !(pa & 7), 1)) {
		__atomic_store_n(ram, value, __ATOMIC_RELEASE);
		return 0;
	}
	return mem->ops->write ? mem->ops->write(mem, pa, &value, 8) : -EFAULT;
}

static inline int hw_write32(struct hw_mem *mem, uint64_t pa, uint32_t value)
{
	uint32_t *ram = hw_ram(mem, pa, 4);

	if (__builtin_expect(ram && !(pa & 3), 1)) {
		__atomic_store_n(ram, value, __ATOMIC_RELEASE);
		return 0;
	}
	return mem->ops->write ? mem->ops->write(mem, pa, &value, 4) : -EFAULT;
}

/** hw_cas64() - Swap @expected for @desired; 0 with the value found in *@old, or -EFAULT */
static inline int hw_cas64(struct hw_mem *mem, uint64_t pa, uint64_t expected, uint64_t desired,
			   uint64_t *old)
{
	uint64_t *ram = hw_ram(mem, pa, 8);

	if (__builtin_expect(ram && !(pa & 7), 1)) {
		__atomic_compare_exchange_n(ram, &expected, desired, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE);
		*old = expected;
		return 0;
	}
	return mem->ops->cas64 ? mem->ops->cas64(mem, pa, expected, desired, old) : -EFAULT;
}

/** hw_read(), hw_write() - Any @len bytes; word by word where aligned. 0 or -EFAULT. */
int hw_read(struct hw_mem *mem, uint64_t pa, void *buf, size_t len);
int hw_write(struct hw_mem *mem, uint64_t pa, const void *buf, size_t len);

/** hw_msi() - Send a message signalled interrupt */
static inline void hw_msi(struct hw_mem *mem, uint64_t pa, uint32_t data)
{
	if (mem->ops->msi)
		mem->ops->msi(mem, pa, data);
}

#endif
