/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contexts and objects of the reference hypervisor; for its own files only.
 *
 * An object that another one needs counts it as a user: DESTROY is EBUSY until that one is gone.
 */
#ifndef NIT_HYP_OBJECT_H
#define NIT_HYP_OBJECT_H

#include "hyp.h"

enum hyp_type {
	HYP_ANY,
	HYP_DEVICE,
	HYP_IOAS,
	HYP_HWPT_PAGING,
	HYP_HWPT_NESTED,
	HYP_VIOMMU,
	HYP_VDEVICE,
	HYP_VEVENTQ,
	HYP_FAULT,
	HYP_HW_QUEUE,
	HYP_SELFTEST,	/* the mock's */
	HYP_SELFTEST_ACCESS,
	HYP_TOMBSTONE,	/* of a vDEVICE that went with its device */
	HYP_TYPES,
};

/**
 * struct hyp_object - first member of every object
 * @users: objects, attachments and areas that need this one
 * @busy: more reasons not to destroy it, or NULL
 * @is_held: @busy says that user space has something open of it
 * @destroy: takes it apart and frees it
 */
struct hyp_object {
	enum hyp_type type;
	uint32_t id;
	unsigned int users;
	bool (*busy)(struct hyp_object *object);
	bool is_held;
	void (*destroy)(struct hyp_context *context, struct hyp_object *object);
};

/**
 * struct hyp_context - one open iommufd
 * @objects: by id; [0] is never used
 * @vfio_ioas: id of the IOAS for VFIO's own calls, 0: none
 * @closed: user space has closed it, but not yet what else it has open of it
 * @process_accounting: IOMMU_OPTION_RLIMIT_MODE; says what user space wants, nothing is accounted
 */
struct hyp_context {
	struct hyp *hyp;
	struct hyp_object **objects;
	uint32_t room;
	uint32_t vfio_ioas;
	bool process_accounting;
	bool closed;
	struct hyp_context *next;
};

struct hyp_backing;

/**
 * struct hyp_area - one mapping of an IOAS
 * @locks: hardware queues that lie in it
 * @backing: the call of user space that its memory came with
 */
struct hyp_area {
	uint64_t iova;
	uint64_t len;
	uint64_t pa;
	uint32_t prot;
	unsigned int locks;
	struct hyp_backing *backing;
	struct hyp_area *next;
};

/** struct hyp_span - a range of IOVAs; @owner: who reserved it */
struct hyp_span {
	uint64_t first;
	uint64_t last;
	const void *owner;
	struct hyp_span *next;
};

/**
 * struct hyp_ioas - an address space
 * @areas: ascending
 * @hwpts: the paging domains that hold them
 * @allowed, @reserved: ascending; IOMMU_IOAS_ALLOW_IOVAS, and what devices cannot use
 * @alignment: of IOVAs and lengths, a power of two
 * @whole_pages: IOMMU_OPTION_HUGE_PAGES is off
 * @pinning: hardware queues and other users of whole pages
 */
struct hyp_ioas {
	struct hyp_object object;
	struct hyp_area *areas;
	struct hyp_hwpt *hwpts;
	struct hyp_span *allowed;
	struct hyp_span *reserved;
	uint64_t alignment;
	bool whole_pages;
	unsigned int pinning;
};

/**
 * struct hyp_hwpt - a page table object of either kind
 * @ioas: of a paging one
 * @holds: the object that a nested one was made on: its parent or its vIOMMU
 * @fault: its fault queue, or NULL
 * @automatic: made by attaching an IOAS; goes with its last user
 */
struct hyp_hwpt {
	struct hyp_object object;
	struct hyp_domain *domain;
	struct hyp_ioas *ioas;
	struct hyp_object *holds;
	struct hyp_object *fault;
	bool automatic;
	struct hyp_hwpt *next;
};

struct hyp_device_object {
	struct hyp_object object;
	struct hyp_device *device;
};

struct hyp_viommu_object {
	struct hyp_object object;
	struct hyp_viommu viommu;
	struct hyp_hwpt *parent;
};

struct hyp_vdevice_object {
	struct hyp_object object;
	struct hyp_vdevice vdevice;
};

#define hyp_container(_ptr, _type, _member) \
	((_type *)((char *)(_ptr) - offsetof(_type, _member)))

/** hyp_object_new() - Make @size bytes of an object and give it the lowest free id; NULL: ENOMEM */
void *hyp_object_new(struct hyp_context *context, size_t size, enum hyp_type type);
/** hyp_object_drop() - Take its id back and free it: for calls that fail after hyp_object_new() */
void hyp_object_drop(struct hyp_context *context, void *object);
/** hyp_object_get() - By id and type; NULL: there is none */
void *hyp_object_get(struct hyp_context *context, uint32_t id, enum hyp_type type);
/**
 * hyp_object_bury() - Destroy it, and never use its id again
 * So that user space, which does not know yet, destroys nothing else (IOMMUFD_OBJ_VDEVICE).
 */
void hyp_object_bury(struct hyp_context *context, uint32_t id);
/** hyp_object_destroy() - -ENOENT, -EBUSY */
int hyp_object_destroy(struct hyp_context *context, uint32_t id);
/** hyp_context_held() - User space has a file or mapped pages of it, which keep all of it alive */
bool hyp_context_held(const struct hyp_context *context);
/** hyp_contexts_reap() - Closed contexts that nothing holds any more go; with @all, all go */
void hyp_contexts_reap(struct hyp *hyp, bool all);
/** hyp_context_destroy() - Everything goes, dependants first */
void hyp_context_destroy(struct hyp_context *context);

/* One handler for each ioctl: @arg is the struct, copied in and zero-extended */
int hyp_ioas_alloc(struct hyp_context *context, void *arg);
int hyp_ioas_map(struct hyp_context *context, void *arg);
int hyp_ioas_unmap(struct hyp_context *context, void *arg);
int hyp_ioas_map_file(struct hyp_context *context, void *arg);
int hyp_ioas_copy(struct hyp_context *context, void *arg);
int hyp_ioas_iova_ranges(struct hyp_context *context, void *arg);
int hyp_ioas_allow_iovas(struct hyp_context *context, void *arg);
int hyp_ioas_change_process(struct hyp_context *context, void *arg);
int hyp_vfio_ioas(struct hyp_context *context, void *arg);
int hyp_option(struct hyp_context *context, void *arg);
int hyp_hwpt_alloc(struct hyp_context *context, void *arg);
int hyp_hwpt_invalidate(struct hyp_context *context, void *arg);
int hyp_hwpt_set_dirty(struct hyp_context *context, void *arg);
int hyp_hwpt_get_dirty(struct hyp_context *context, void *arg);
int hyp_get_hw_info(struct hyp_context *context, void *arg);
int hyp_fault_queue_alloc(struct hyp_context *context, void *arg);
int hyp_viommu_alloc(struct hyp_context *context, void *arg);
int hyp_vdevice_alloc(struct hyp_context *context, void *arg);
int hyp_veventq_alloc(struct hyp_context *context, void *arg);
int hyp_hw_queue_alloc(struct hyp_context *context, void *arg);

/** hyp_ioctl() - One ioctl of a context, as iommufd_fops_ioctl() has it; 0 or -errno */
int hyp_ioctl(struct hyp_context *context, unsigned long request, void *arg);

/** hyp_hwpt_for() - The page table that attaching @pt_id means: an automatic one for an IOAS */
int hyp_hwpt_for(struct hyp_context *context, struct hyp_device *device, uint32_t pt_id,
		 struct hyp_hwpt **hwpt);
/** hyp_hwpt_put() - One user less; an automatic one without users goes */
void hyp_hwpt_put(struct hyp_context *context, struct hyp_hwpt *hwpt);

/** hyp_ioas_fill(), hyp_ioas_remove() - A paging domain joins the IOAS with all areas, or leaves */
int hyp_ioas_fill(struct hyp_ioas *ioas, struct hyp_hwpt *hwpt);
void hyp_ioas_remove(struct hyp_ioas *ioas, struct hyp_hwpt *hwpt);
/** hyp_ioas_lock() - Memory of a paging HWPT's IOAS for hardware: contiguous at *@pa, or -errno */
int hyp_ioas_lock(struct hyp_hwpt *hwpt, uint64_t iova, uint64_t len, uint64_t *pa);
void hyp_ioas_unlock(struct hyp_ioas *ioas, uint64_t iova, uint64_t len);

/** hyp_ioas_area() - What is mapped at @iova, or NULL */
struct hyp_area *hyp_ioas_area(struct hyp_ioas *ioas, uint64_t iova);
/** hyp_ioas_has() - Something is mapped in [@iova, +@len) */
bool hyp_ioas_has(const struct hyp_ioas *ioas, uint64_t iova, uint64_t len);

/** hyp_iova_reserve() - Nobody may map [@first, @last] until @owner releases; -EADDRINUSE */
int hyp_iova_reserve(struct hyp_ioas *ioas, uint64_t first, uint64_t last, const void *owner);
void hyp_iova_release(struct hyp_ioas *ioas, const void *owner);
/** hyp_iova_align() - Take up what the users of the IOAS need; -EADDRINUSE: an area is finer */
int hyp_iova_align(struct hyp_ioas *ioas);
/** hyp_iova_check() - May [@iova, +@len) be mapped? */
int hyp_iova_check(const struct hyp_ioas *ioas, uint64_t iova, uint64_t len);
/** hyp_iova_choose() - An IOVA for memory at @addr; -ENOSPC */
int hyp_iova_choose(const struct hyp_ioas *ioas, uint64_t addr, uint64_t len, __u64 *iova);
void hyp_iova_fini(struct hyp_ioas *ioas);

/** hyp_geometry() - What the IOMMU of a paging domain can translate */
struct hyp_geometry hyp_geometry(struct hyp_domain *domain);

/** hyp_device_adopt() - Give a device that belongs to no context an id in this one */
int hyp_device_adopt(struct hyp_context *context, struct hyp_device *device);
/** hyp_device_release() - The reverse: detached, its vDEVICE gone, its id free */
void hyp_device_release(struct hyp_device *device);
/* As hyp_device_attach() and _detach(), for who holds the lock */
int hyp_device_attach_locked(struct hyp_context *context, struct hyp_device *device,
			     uint32_t pasid, uint32_t pt_id);
/** hyp_device_change_locked() - Attach what is detached (else -EBUSY), or replace (else -EINVAL) */
int hyp_device_change_locked(struct hyp_context *context, struct hyp_device *device,
			     uint32_t pasid, uint32_t pt_id, bool replace);
int hyp_device_detach_locked(struct hyp_device *device, uint32_t pasid);

/** hyp_pages_mapped() - User space has pages of the vIOMMU mapped */
bool hyp_pages_mapped(const struct hyp_viommu *viommu);
/** hyp_mmap() - mmap() of a context; MAP_FAILED with errno set */
void *hyp_mmap(struct hyp_context *context, void *addr, size_t length, int prot, int flags,
	       uint64_t offset);

/** hyp_vdevice_end() - The vDEVICE of a device that is unbound goes with it */
void hyp_vdevice_end(struct hyp_device *device);

/** hyp_faults_flush() - What the attachment left unanswered is answered: invalid request */
void hyp_faults_flush(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain);
/** hyp_faults_domain() - Connect a page table with its fault queue */
void hyp_faults_domain(struct hyp_domain *domain, struct hyp_object *fault);

/** hyp_user_pa() - Physical address of @len bytes of user memory at @va; -EFAULT */
int hyp_user_pa(struct hyp *hyp, uint64_t va, uint64_t len, uint64_t *pa);

#endif
