/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Typed calls over the structs of <linux/iommufd.h>.
 *
 * Who answers them is behind one ops table: the kernel (kernel.c), or later the reference
 * hypervisor. Every __call() returns 0 or -errno and touches its outputs only on success,
 * unless it says otherwise. core/test.h users get call() forms that assert from assert.h.
 */
#ifndef NIT_IOMMUFD_IOMMUFD_H
#define NIT_IOMMUFD_IOMMUFD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/iommufd.h>

struct iommufd;

/**
 * struct iommufd_ops - what stands behind the calls
 * @ioctl: one ioctl of the iommufd character device; 0 or -errno. @arg may be any address,
 *	   a bad one included.
 * @mmap: map @length bytes at @offset of the device; MAP_FAILED with errno set on error
 * @close: give everything back; called once
 *
 * Guarantees: calls from several threads at once are allowed.
 */
struct iommufd_ops {
	int (*ioctl)(struct iommufd *iommufd, unsigned long request, void *arg);
	void *(*mmap)(struct iommufd *iommufd, void *addr, size_t length, int prot, int flags,
		      off_t offset);
	void (*close)(struct iommufd *iommufd);
};

/**
 * struct iommufd - one open context
 * @ops: who answers
 * @fd: the open file; -1 where there is none
 * @priv: the ops' own
 */
struct iommufd {
	const struct iommufd_ops *ops;
	int fd;
	void *priv;
};

/** __iommufd_open() - Open /dev/iommu of the running kernel; -ENOENT where it has none */
int __iommufd_open(struct iommufd *iommufd);

/** iommufd_close() - Close the context; objects in it are destroyed by its owner */
void iommufd_close(struct iommufd *iommufd);

/** __iommufd_ioctl() - Any call with a struct of the caller's own, for the odd cases */
int __iommufd_ioctl(struct iommufd *iommufd, unsigned long request, void *arg);

/** __iommufd_mmap() - Map @length bytes at @offset, shared and writable, to *@addr */
int __iommufd_mmap(struct iommufd *iommufd, size_t length, off_t offset, void **addr);

int __iommufd_destroy(struct iommufd *iommufd, uint32_t id);

int __ioas_alloc(struct iommufd *iommufd, uint32_t *ioas_id);

/** __ioas_map() - Map @length bytes at @va to the fixed @iova; @flags: IOMMU_IOAS_MAP_* */
int __ioas_map(struct iommufd *iommufd, uint32_t ioas_id, void *va, uint64_t length,
	       uint64_t iova, uint32_t flags);

/** __ioas_unmap() - Unmap; bytes unmapped to *@unmapped unless it is NULL */
int __ioas_unmap(struct iommufd *iommufd, uint32_t ioas_id, uint64_t iova, uint64_t length,
		 uint64_t *unmapped);

/** __hwpt_alloc() - A kernel-managed page table of IOAS @pt_id; @flags: IOMMU_HWPT_ALLOC_* */
int __hwpt_alloc(struct iommufd *iommufd, uint32_t dev_id, uint32_t pt_id, uint32_t flags,
		 uint32_t *hwpt_id);

/**
 * __hwpt_alloc_data() - A page table with driver data
 * @pt_id: nest parent or vIOMMU for a nested one
 * @fault_id: used when @flags has IOMMU_HWPT_FAULT_ID_VALID
 */
int __hwpt_alloc_data(struct iommufd *iommufd, uint32_t dev_id, uint32_t pt_id, uint32_t flags,
		      uint32_t fault_id, uint32_t data_type, const void *data, uint32_t data_len,
		      uint32_t *hwpt_id);

/**
 * __hwpt_invalidate() - Invalidate caches of a nested HWPT or a vIOMMU
 * @target_id: either
 * @entry_num: in: entries in @entries; out, also on failure: entries that the kernel handled
 */
int __hwpt_invalidate(struct iommufd *iommufd, uint32_t target_id, uint32_t data_type,
		      const void *entries, uint32_t entry_len, uint32_t *entry_num);

/** __get_hw_info() - @data_len: in: bytes of @data; out: bytes the kernel has */
int __get_hw_info(struct iommufd *iommufd, uint32_t dev_id, uint32_t *data_type, void *data,
		  uint32_t *data_len, uint64_t *capabilities, uint8_t *max_pasid_log2);

int __hwpt_set_dirty_tracking(struct iommufd *iommufd, uint32_t hwpt_id, uint32_t flags);

/** __hwpt_get_dirty_bitmap() - One bit a @page_size of [@iova, @iova + @length) to @bitmap */
int __hwpt_get_dirty_bitmap(struct iommufd *iommufd, uint32_t hwpt_id, uint32_t flags,
			    uint64_t iova, uint64_t length, uint64_t page_size, void *bitmap);

/** __fault_queue_alloc() - The caller closes *@fd */
int __fault_queue_alloc(struct iommufd *iommufd, uint32_t *fault_id, int *fd);

/** __viommu_alloc() - @data: driver data of type @type, in and out; NULL with @data_len 0 */
int __viommu_alloc(struct iommufd *iommufd, uint32_t dev_id, uint32_t hwpt_id, uint32_t type,
		   void *data, uint32_t data_len, uint32_t *viommu_id);

int __vdevice_alloc(struct iommufd *iommufd, uint32_t viommu_id, uint32_t dev_id,
		    uint64_t virt_id, uint32_t *vdevice_id);

/** __veventq_alloc() - The caller closes *@fd */
int __veventq_alloc(struct iommufd *iommufd, uint32_t viommu_id, uint32_t type, uint32_t depth,
		    uint32_t *veventq_id, int *fd);

/** __hw_queue_alloc() - Queue memory is @length bytes at @iova of the nest parent's IOAS */
int __hw_queue_alloc(struct iommufd *iommufd, uint32_t viommu_id, uint32_t type, uint32_t index,
		     uint64_t iova, uint64_t length, uint32_t *hw_queue_id);

#endif
