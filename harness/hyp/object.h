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
	HYP_SELFTEST,	/* mock.c only */
	HYP_TOMBSTONE,	/* of a vDEVICE that went with its device */
	HYP_TYPES,
};

/**
 * struct hyp_object - first member of every object
 * @users: objects, attachments and areas that need this one
 * @busy: more reasons not to destroy it, or NULL
 * @destroy: takes it apart and frees it
 */
struct hyp_object {
	enum hyp_type type;
	uint32_t id;
	unsigned int users;
	bool (*busy)(struct hyp_object *object);
	void (*destroy)(struct hyp_context *context, struct hyp_object *object);
};

/**
 * struct hyp_context - one open iommufd
 * @objects: by id; [0] is never used
 */
struct hyp_context {
	struct hyp *hyp;
	struct hyp_object **objects;
	uint32_t room;
	struct hyp_context *next;
};

/**
 * struct hyp_area - one mapping of an IOAS
 * @locks: hardware queues that lie in it
 */
struct hyp_area {
	uint64_t iova;
	uint64_t len;
	uint64_t pa;
	uint32_t prot;
	unsigned int locks;
	struct hyp_area *next;
};

/** struct hyp_ioas - @areas ascending; @hwpts: the paging domains that hold them */
struct hyp_ioas {
	struct hyp_object object;
	struct hyp_area *areas;
	struct hyp_hwpt *hwpts;
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
/** hyp_context_destroy() - Everything goes, dependants first */
void hyp_context_destroy(struct hyp_context *context);

/* One handler for each ioctl: @arg is the struct, copied in and zero-extended */
int hyp_ioas_alloc(struct hyp_context *context, void *arg);
int hyp_ioas_map(struct hyp_context *context, void *arg);
int hyp_ioas_unmap(struct hyp_context *context, void *arg);
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
/** hyp_ioas_lock() - The areas of [@iova, +@len) for hardware: contiguous at *@pa, else -errno */
int hyp_ioas_lock(struct hyp_ioas *ioas, uint64_t iova, uint64_t len, uint64_t *pa);
void hyp_ioas_unlock(struct hyp_ioas *ioas, uint64_t iova, uint64_t len);

/** hyp_device_adopt() - Give a device that belongs to no context an id in this one */
int hyp_device_adopt(struct hyp_context *context, struct hyp_device *device);
/** hyp_device_release() - The reverse: detached, its vDEVICE gone, its id free */
void hyp_device_release(struct hyp_device *device);
/* As hyp_device_attach() and _detach(), for who holds the lock */
int hyp_device_attach_locked(struct hyp_context *context, struct hyp_device *device,
			     uint32_t pasid, uint32_t pt_id);
int hyp_device_detach_locked(struct hyp_device *device, uint32_t pasid);

/** hyp_vdevice_end() - The vDEVICE of a device that is unbound goes with it */
void hyp_vdevice_end(struct hyp_device *device);

/** hyp_faults_flush() - What the attachment left unanswered is answered: invalid request */
void hyp_faults_flush(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain);
/** hyp_faults_service() - Take the responses that user space wrote, in all contexts */
void hyp_faults_service(struct hyp *hyp);
/** hyp_faults_domain() - Connect a page table with its fault queue */
void hyp_faults_domain(struct hyp_domain *domain, struct hyp_object *fault);

/** hyp_user_pa() - Physical address of @len bytes of user memory at @va; -EFAULT */
int hyp_user_pa(struct hyp *hyp, uint64_t va, uint64_t len, uint64_t *pa);

#endif
