/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reference hypervisor: iommufd's objects behind the same uapi structs, over a platform.
 *
 * This is the part that the three vendors share: contexts, objects, ids, their dependencies,
 * IOAS areas, devices and what they are attached to, events and faults. A vendor (vtd.c, amdvi.c,
 * smmuv3.c) turns that into tables and commands behind struct hyp_vendor_ops.
 *
 * One lock serialises all calls of one hypervisor; vendors need none. While a vendor waits for
 * hardware (platform_wait()) it stays held: what a test does meanwhile (platform->waiting) is DMA
 * and looking, not iommufd calls.
 */
#ifndef NIT_HYP_HYP_H
#define NIT_HYP_HYP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/iommufd.h>

#include "core/pages.h"
#include "platform.h"

#define HYP_NO_PASID UINT32_MAX
#define HYP_ATTACHMENTS 64

struct hyp;
struct hyp_context;
struct hyp_device;
struct hyp_fault_queue;

/**
 * struct hyp_domain - a page table that devices are attached to; first member of the vendor's own
 * @parent: the nest parent of a nested domain, else NULL
 * @viommu: what a nested domain was allocated on, or NULL
 * @flags: IOMMU_HWPT_ALLOC_*
 * @dirty_tracking: on (paging domains)
 * @attached: number of (device, PASID) that use it
 */
struct hyp_domain {
	struct hyp *hyp;
	struct hyp_domain *parent;
	struct hyp_viommu *viommu;
	struct hyp_fault_queue *faults;
	uint32_t flags;
	bool dirty_tracking;
	unsigned int attached;
};

/** struct hyp_attachment - what one (device, PASID) uses; @pasid is HYP_NO_PASID for the RID */
struct hyp_attachment {
	uint32_t pasid;
	uint32_t hwpt_id;
	struct hyp_domain *domain;
};

/**
 * struct hyp_device - a device of the platform
 * @id: iommufd device id while bound, else 0
 * @vdevice: its vDEVICE, or NULL
 * @priv: the vendor's
 */
struct hyp_device {
	struct hyp *hyp;
	const struct platform_device *pdev;
	struct hyp_context *context;
	uint32_t id;
	struct hyp_vdevice *vdevice;
	unsigned int attachment_count;
	struct hyp_attachment attachments[HYP_ATTACHMENTS];
	void *priv;
};

/** struct hyp_vdevice - a device in a vIOMMU under the guest's id @virt_id */
struct hyp_vdevice {
	struct hyp_viommu *viommu;
	struct hyp_device *device;
	uint64_t virt_id;
	uint32_t id;
	struct hyp_vdevice *next;
	void *priv;
};

/**
 * struct hyp_viommu - a virtual IOMMU
 * @iommu: number of the physical one
 * @vdevices: list of those in it
 * @mmio_length: bytes of guest-visible registers that the vendor serves, 0: none
 * @pages, @pages_offset, @pages_length: a file of memory that user space may map; length 0: none
 * @priv: the vendor's
 */
struct hyp_viommu {
	struct hyp *hyp;
	struct hyp_context *context;
	struct hyp_domain *parent;
	uint32_t id;
	uint32_t type;
	unsigned int iommu;
	struct hyp_vdevice *vdevices;
	uint64_t mmio_offset;
	uint64_t mmio_length;
	int pages;
	uint64_t pages_offset;
	uint64_t pages_length;
	void *priv;
};

/** struct hyp_hw_queue - a queue in guest memory that hardware reads; @pa: contiguous */
struct hyp_hw_queue {
	struct hyp_viommu *viommu;
	uint32_t id;
	uint32_t type;
	uint32_t index;
	uint64_t iova;
	uint64_t pa;
	uint64_t length;
	void *priv;
};

/**
 * struct hyp_dirty - receives dirty pages
 * @page: [@iova, +@len) was written since the last time
 */
struct hyp_dirty {
	void (*page)(struct hyp_dirty *dirty, uint64_t iova, uint64_t len);
};

/** struct hyp_geometry - IOVAs [@first, @last] in pages of @page bytes at least */
struct hyp_geometry {
	uint64_t first;
	uint64_t last;
	uint64_t page;
};

/**
 * struct hyp_vendor_ops - one vendor's logic. Functions return 0 or -errno; NULL: EOPNOTSUPP.
 * @veventq_type: of its own, beside those of enum iommu_veventq_type
 * @start: bring all IOMMUs up with every device blocked. @stop: the reverse.
 * @hw_info: vendor struct of IOMMU_GET_HW_INFO to @data (room for 256 bytes), length to *@len
 * @paging_alloc: @flags: IOMMU_HWPT_ALLOC_NEST_PARENT, _DIRTY_TRACKING, _PASID, checked here
 * @paging_data: user data for a paging domain, copied and zero-extended: is it acceptable?
 * @nested_alloc: on @parent, through @viommu unless NULL. @data: user data, already copied and
 *	zero-extended to @len bytes at least
 * @geometry: of a paging domain; NULL: every IOVA, 4096
 * @map: [@iova, +@len) to @pa, IOMMU_IOAS_MAP_READABLE | _WRITEABLE; what hardware caches of
 *	absent entries (CM, NpCache) is dropped
 * @unmap: returns when nothing uses the range any more, nested users and ATCs included
 * @frame: number of the page behind @iova, consecutive where memory is; NULL: as its pa says
 * @attach: to @domain in place of @old (NULL: blocked). A failure leaves @old in force.
 * @detach: to blocked
 * @invalidate: of the nested @domain, or of @viommu (the other is NULL). @entries: user memory of
 *	*@num entries of @entry_len bytes each, copied with hyp_copy_from_user(). *@num comes back
 *	as the number of entries whose effect is complete, on errors too.
 * @viommu_alloc: fills viommu->priv; @data in and out
 * @vdevice_add, @vdevice_remove: a vDEVICE comes, goes
 * @hw_queue_alloc, @hw_queue_free
 * @viommu_mmio: a guest's access to the registers that it would have mapped; write: @value in
 * @set_dirty, @read_dirty: dirty tracking of a paging domain; @flags: IOMMU_HWPT_GET_DIRTY_*
 * @interrupt: an MSI of an IOMMU arrived
 * @ioctl: an ioctl that is the vendor's own, under the lock; @arg is its user address
 * @service: before any ioctl of the context, under the lock
 * @page_response: software's answer to a page request; @code as PCIe has it
 */
struct hyp_vendor_ops {
	const char *name;
	uint32_t hw_info_type;
	uint32_t veventq_type;
	int (*start)(struct hyp *hyp);
	void (*stop)(struct hyp *hyp);
	int (*hw_info)(struct hyp_device *device, void *data, uint32_t *len);
	int (*paging_alloc)(struct hyp_device *device, uint32_t flags, struct hyp_domain **domain);
	int (*paging_data)(uint32_t type, const void *data, uint32_t len);
	int (*nested_alloc)(struct hyp_device *device, struct hyp_domain *parent,
			    struct hyp_viommu *viommu, uint32_t flags, uint32_t type,
			    const void *data, uint32_t len, struct hyp_domain **domain);
	void (*domain_free)(struct hyp_domain *domain);
	struct hyp_geometry (*geometry)(struct hyp_domain *domain);
	int (*map)(struct hyp_domain *domain, uint64_t iova, uint64_t pa, uint64_t len,
		   uint32_t prot);
	int (*unmap)(struct hyp_domain *domain, uint64_t iova, uint64_t len);
	uint64_t (*frame)(struct hyp_domain *domain, uint64_t iova);
	int (*attach)(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain,
		      struct hyp_domain *old);
	void (*detach)(struct hyp_device *device, uint32_t pasid, struct hyp_domain *old);
	int (*invalidate)(struct hyp_domain *domain, struct hyp_viommu *viommu, uint32_t type,
			  uint64_t entries, uint32_t entry_len, uint32_t *num);
	int (*viommu_alloc)(struct hyp_viommu *viommu, struct hyp_device *device, void *data,
			    uint32_t len);
	void (*viommu_free)(struct hyp_viommu *viommu);
	int (*vdevice_add)(struct hyp_vdevice *vdevice);
	void (*vdevice_remove)(struct hyp_vdevice *vdevice);
	int (*hw_queue_alloc)(struct hyp_hw_queue *queue);
	void (*hw_queue_free)(struct hyp_hw_queue *queue);
	int (*viommu_mmio)(struct hyp_viommu *viommu, uint64_t offset, unsigned int size,
			   bool write, uint64_t *value);
	int (*set_dirty)(struct hyp_domain *domain, bool on);
	int (*read_dirty)(struct hyp_domain *domain, uint64_t iova, uint64_t len, uint32_t flags,
			  struct hyp_dirty *dirty);
	void (*interrupt)(struct hyp *hyp, uint64_t addr, uint32_t data);
	int (*page_response)(struct hyp_device *device, uint32_t pasid, uint32_t group,
			     uint32_t code);
	int (*ioctl)(struct hyp_context *context, unsigned long request, uint64_t arg);
	void (*service)(struct hyp_context *context);
};

extern const struct hyp_vendor_ops hyp_vtd_ops, hyp_amdvi_ops, hyp_smmuv3_ops;

/**
 * struct hyp - one hypervisor on one platform
 * @pages: the hypervisor's own memory, for tables and queues: addresses are physical
 * @user: where the memory of user space (of VMMs) lies; the pointers there are user addresses
 * @contexts: list of the open ones
 * @priv: the vendor's
 */
struct hyp {
	struct platform *platform;
	const struct hyp_vendor_ops *vendor;
	pthread_mutex_t lock;
	struct pages pages;
	struct pages user;
	struct hyp_device devices[PLATFORM_DEVICES];
	struct hyp_context *contexts;
	void *priv;
};

struct iommufd;

/** hyp_create() - Take the platform over; half of its RAM is for user space. NULL: failed. */
struct hyp *hyp_create(struct platform *platform, const struct hyp_vendor_ops *vendor);
void hyp_destroy(struct hyp *hyp);

/** hyp_iommufd_open() - A new context, as open("/dev/iommu") gives; for harness/iommufd */
int hyp_iommufd_open(struct hyp *hyp, struct iommufd *iommufd);

/**
 * hyp_service() - Deliver interrupts, take the responses that user space wrote, let hardware come
 * to rest within @bound steps; true if it did
 */
bool hyp_service(struct hyp *hyp, unsigned int bound);

/** hyp_user_alloc() - Memory for a VMM: what mmap() would give; NULL: none left */
void *hyp_user_alloc(struct hyp *hyp, uint64_t size);
void hyp_user_free(struct hyp *hyp, void *va, uint64_t size);

/* What VFIO does for a device. All return 0 or -errno as the VFIO uAPI has them. */
int hyp_device_bind(struct iommufd *iommufd, uint16_t rid, uint32_t *dev_id);
void hyp_device_unbind(struct iommufd *iommufd, uint32_t dev_id);
/** hyp_device_attach() - @pasid: HYP_NO_PASID for the RID; replaces what is attached */
int hyp_device_attach(struct iommufd *iommufd, uint32_t dev_id, uint32_t pasid, uint32_t pt_id);
int hyp_device_detach(struct iommufd *iommufd, uint32_t dev_id, uint32_t pasid);
int hyp_device_reset(struct iommufd *iommufd, uint32_t dev_id);

/** hyp_viommu_mmio() - A guest's access to registers of its vIOMMU, at an mmap offset */
int hyp_viommu_mmio(struct iommufd *iommufd, uint64_t mmap_offset, uint64_t offset,
		    unsigned int size, bool write, uint64_t *value);

/* For vendors */

/** hyp_pages_alloc() - Memory that a vIOMMU shares with user space; it starts with @data */
int hyp_pages_alloc(struct hyp_viommu *viommu, unsigned int count, const void *data, size_t len);
void hyp_pages_free(struct hyp_viommu *viommu);

/** hyp_copy_from_user() - -EFAULT where the address is bad */
int hyp_copy_from_user(void *to, uint64_t from, size_t len);
int hyp_copy_to_user(uint64_t to, const void *from, size_t len);

/** hyp_device_by_rid() - NULL: no such device */
struct hyp_device *hyp_device_by_rid(struct hyp *hyp, uint16_t rid);
/** hyp_attachment() - What (device, PASID) uses; NULL: blocked */
struct hyp_attachment *hyp_attachment(struct hyp_device *device, uint32_t pasid);
/** hyp_vdevice_find() - NULL: @virt_id means nothing in @viommu */
struct hyp_vdevice *hyp_vdevice_find(struct hyp_viommu *viommu, uint64_t virt_id);
/** hyp_report_event() - For the vIOMMU's event queue of @type; -EOPNOTSUPP: it has none */
int hyp_report_event(struct hyp_viommu *viommu, uint32_t type, const void *data, size_t len);
/**
 * hyp_report_fault() - A page request for the fault queue of what (@device, @pasid) is attached to
 * Return: -EINVAL: nobody takes it; the vendor answers it with "invalid request" itself
 */
int hyp_report_fault(struct hyp_device *device, uint32_t pasid, uint64_t addr, uint32_t perm,
		     uint32_t group, bool last);

#endif
