/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One virtual machine: guest memory under a nest parent, devices, and guest address spaces.
 *
 * What the vendors share. How a guest describes an address space to its IOMMU, which commands it
 * issues and what the VMM makes of them is behind struct vm_vendor (vmm/vtd.c, amdvi.c, smmuv3.c);
 * tests that are about one vendor's commands use that vendor's own header.
 */
#ifndef NIT_VMM_VM_H
#define NIT_VMM_VM_H

#include "core/pages.h"
#include "pgtable/pgtable.h"
#include "target/target.h"

#define VM_DEVICES 4
#define VM_RAM_BASE 0x40000000ULL	/* guest physical */
#define VM_RAM_SIZE (32ULL << 20)
#define VM_SPARE_PAGES 64		/* of the VMM, not mapped in the guest: for remapping */
#define VM_PAGE 4096ULL
#define VM_BATCH 8			/* ranges of one vm_invalidate_batch() */
#define VM_NOWHERE UINT64_MAX		/* what a DMA that was aborted reached */

struct vm;
struct vm_device;
struct vm_space;

enum vm_change {
	VM_LEAF_ONLY = 1,	/* only last-level entries changed: the guest may say so */
};

/** struct vm_range - addresses of an address space */
struct vm_range {
	struct vm_space *space;
	uint64_t iova;
	uint64_t len;
};

/** struct vm_fault - a page request as the guest reads it; @device: its own */
struct vm_fault {
	struct vm_device *device;
	uint32_t pasid;
	uint64_t iova;
	unsigned int group;
	bool write;
};

/**
 * struct vm_vendor - a vendor's guest and VMM. Functions return 0 or -errno.
 * @config: the vendor's own, for copies of a vendor that a test wants otherwise; NULL: as usual
 * @pasid_flags: IOMMU_HWPT_ALLOC_* of a nest parent whose users are attached PASID by PASID
 * @guest_init, @guest_fini: the guest's IOMMU tables, before any device is added
 * @device_add: the guest's entry for a device, and what the VMM makes for it (vIOMMU, vDEVICE)
 * @space_init: the stage-1 table and ids of an address space; vm, pasid and format are set
 * @attach: the guest points (@device, space->pasid) to @space and tells its IOMMU; the VMM
 *	attaches. In place of @old, if that is not NULL. @detach: the reverse.
 * @invalidate: the guest issues what its architecture asks for after a change of stage 1 in
 *	[@iova, +@len): IOTLB, then ATC of each device of the space, with the syncs in between;
 *	the VMM carries it out. @change: enum vm_change
 * @invalidate_space: the same for the whole address space
 * @stage2_leaves_pasids: kernels leave in ATCs what was asked for with a PASID when stage 2 changes
 *	(deviations.tsv, NEST-08): a VMM that cannot live with it invalidates itself
 * @invalidate_batch: the same for @count ranges, at most VM_BATCH, all in one submission
 * @invalidate_all: by the command that names no address space, after changes of @spaces
 * @break_before_make: a table and a block may not replace each other without an invalidation
 * @page_requests: nested page tables report page requests; before any device is added
 * @next_fault: the next one that the guest has not read; -EAGAIN: there is none
 * @answer: the guest's response, behind the invalidation of @also in one submission; NULL: alone
 * @reset_done: kernels forget at a reset that a device is under its nest parent (deviations.tsv,
 *	NEST-08): a VMM that cannot live with it tells them again; NULL: none does
 */
struct vm_vendor {
	const char *name;
	uint32_t pasid_flags;
	const void *config;
	int (*guest_init)(struct vm *vm);
	void (*guest_fini)(struct vm *vm);
	int (*device_add)(struct vm_device *device);
	void (*device_remove)(struct vm_device *device);
	int (*space_init)(struct vm_space *space);
	void (*space_fini)(struct vm_space *space);
	int (*attach)(struct vm_device *device, struct vm_space *space, struct vm_space *old);
	int (*detach)(struct vm_device *device, struct vm_space *space);
	int (*invalidate)(struct vm_space *space, uint64_t iova, uint64_t len,
			  unsigned int change);
	int (*invalidate_space)(struct vm_space *space);
	bool stage2_leaves_pasids;
	int (*invalidate_batch)(struct vm *vm, const struct vm_range *ranges, unsigned int count,
				unsigned int change);
	int (*invalidate_all)(struct vm *vm, struct vm_space * const *spaces, unsigned int count);
	bool break_before_make;
	int (*page_requests)(struct vm *vm);
	int (*next_fault)(struct vm *vm, struct vm_fault *fault);
	int (*answer)(struct vm *vm, const struct vm_fault *fault, bool served,
		      const struct vm_range *also);
	int (*reset_done)(struct vm_device *device);
};

extern const struct vm_vendor vm_intel, vm_amd, vm_arm;
/* A VM without a virtual IOMMU: its devices use guest physical addresses, stage 2 alone is left. */
extern const struct vm_vendor vm_plain;

/** struct vm_control - what a positive control saw in place of the old page */
struct vm_control {
	const struct vm_space *space;
	uint64_t iova;
	uint64_t seen;
};

/**
 * struct vm_device - a device given to the VM
 * @number: of the target's device; @rid: the guest's id of it (vRID)
 * @ats: its DMA goes through its ATC
 * @parent: the nest parent that it is under
 * @held, @held_data: the DMA that is held, if one is
 * @control: the last one that saw nothing old, until tables change again; space NULL: none
 */
struct vm_device {
	struct vm *vm;
	unsigned int number;
	uint16_t rid;
	uint32_t dev_id;
	bool ats;
	uint32_t parent;
	uint32_t viommu_id;
	uint32_t vdevice_id;
	struct dma held;
	uint64_t held_data;
	struct vm_control control;
	void *priv;
};

/**
 * struct vm_space - a guest address space: one stage-1 table
 * @pasid: what it is attached with; DMA_NO_PASID: the RID's own
 * @domain: the guest's tag: vDomainID or ASID
 * @hwpt_id: the nested HWPT, where one belongs to a space
 */
struct vm_space {
	struct vm *vm;
	struct pgtable stage1;
	uint32_t pasid;
	uint32_t domain;
	uint32_t hwpt_id;
	unsigned int device_count;
	struct vm_device *devices[VM_DEVICES];
	void *priv;
};

/**
 * struct vm
 * @parent: nest parent HWPT of @ioas, made with @parent_flags for the first device; devices that
 *	cannot share it have others (struct vm_device)
 * @mem: guest RAM: addresses are guest physical, pointers the VMM's
 * @spare: VM_SPARE_PAGES pages of the VMM's that the guest does not see
 * @priv: the vendor's
 */
struct vm {
	const struct vm_vendor *vendor;
	struct target *target;
	struct iommufd iommufd;
	uint32_t ioas;
	uint32_t parent;
	uint32_t parent_flags;
	struct pages mem;
	uint8_t *spare;
	unsigned int device_count;
	struct vm_device devices[VM_DEVICES];
	void *priv;
};

/**
 * vm_open() - A VM with RAM and no devices; the nest parent is made with the first device
 * @parent_flags: IOMMU_HWPT_ALLOC_* of the nest parent, besides _NEST_PARENT
 */
int vm_open(struct vm *vm, struct target *target, const struct vm_vendor *vendor,
	    uint32_t parent_flags);
void vm_close(struct vm *vm);

/** vm_add_device() - Give the guest the target's device @number, attached; -ENODEV: none */
int vm_add_device(struct vm *vm, unsigned int number, bool ats, struct vm_device **device);

/** vm_space_init() - An empty address space in the format that the vendor prefers */
int vm_space_init(struct vm *vm, struct vm_space *space, uint32_t pasid);
void vm_space_fini(struct vm_space *space);
int vm_attach(struct vm_device *device, struct vm_space *space);
int vm_replace(struct vm_device *device, struct vm_space *space, struct vm_space *old);
int vm_detach(struct vm_device *device, struct vm_space *space);

/* Guest memory. Pages know who they are: each holds a stamp that a DMA read brings back. */

/** vm_page() - A stamped page of guest RAM; its guest physical address, or 0 */
uint64_t vm_page(struct vm *vm);
/** vm_pages() - @len bytes (a power of two) of stamped guest RAM, aligned to their size */
uint64_t vm_pages(struct vm *vm, uint64_t len);
/** vm_stamp() - Write stamps to @len bytes at @va, of the page that is called @name (an address) */
void vm_stamp(void *va, uint64_t len, uint64_t name);

/** vm_name() - What a word brought back by DMA says: the name in a stamp, else the word itself */
uint64_t vm_name(uint64_t data);

/** vm_map() - Map stage 1: [@iova, +@len) to guest physical @gpa. Invalidates nothing. */
int vm_map(struct vm_space *space, uint64_t iova, uint64_t gpa, uint64_t len, unsigned int prot);
/** vm_map_leaves() - The same with leaves of at most @size bytes, a power of two */
int vm_map_leaves(struct vm_space *space, uint64_t iova, uint64_t gpa, uint64_t len,
		  unsigned int prot, uint64_t size);
void vm_unmap(struct vm_space *space, uint64_t iova, uint64_t len);
/** vm_unmap_tables() - The same with the tables below, which are given back */
void vm_unmap_tables(struct vm_space *space, uint64_t iova, uint64_t len);

/** vm_s2_map(), vm_s2_unmap() - Stage 2: IOAS_MAP of user memory at @va, IOAS_UNMAP */
int vm_s2_map(struct vm *vm, uint64_t gpa, void *va, uint64_t len, uint32_t flags);
int vm_s2_unmap(struct vm *vm, uint64_t gpa, uint64_t len);

/**
 * vm_read() - DMA read of 8 bytes at @iova of @space by @device
 * Return: the name of the page that it reached, with the offset in it; VM_NOWHERE: aborted.
 * A value that is no stamp comes back as it is.
 */
uint64_t vm_read(struct vm_device *device, struct vm_space *space, uint64_t iova);
/** vm_write() - DMA write of @value; true if it was not aborted */
bool vm_write(struct vm_device *device, struct vm_space *space, uint64_t iova, uint64_t value);

/** vm_read_start(), vm_read_finish() - The same, held in between; false: aborted */
bool vm_read_start(struct vm_device *device, struct vm_space *space, uint64_t iova);
uint64_t vm_read_finish(struct vm_device *device);
bool vm_write_start(struct vm_device *device, struct vm_space *space, uint64_t iova,
		    uint64_t value);
bool vm_write_finish(struct vm_device *device);

/** vm_invalidate() - Guest and VMM do what the architecture asks for after a stage-1 change */
int vm_invalidate(struct vm_space *space, uint64_t iova, uint64_t len, unsigned int change);
int vm_invalidate_space(struct vm_space *space);
int vm_invalidate_batch(struct vm *vm, const struct vm_range *ranges, unsigned int count,
			unsigned int change);
int vm_invalidate_all(struct vm *vm, struct vm_space * const *spaces, unsigned int count);

/**
 * vm_control() - A control saw @seen at @iova of @space, not the old page: it has to be the new one
 * vm_control_saw() - What it saw; @otherwise, where there was no such control
 */
void vm_control(struct vm_device *device, const struct vm_space *space, uint64_t iova,
		uint64_t seen);
uint64_t vm_control_saw(const struct vm_device *device, const struct vm_space *space,
			uint64_t iova, uint64_t otherwise);

/** vm_device_of() - The device that the guest calls @rid; NULL: none */
struct vm_device *vm_device_of(struct vm *vm, uint16_t rid);

/** vm_evidence() - What the hardware saw since @mark as notes of the test: last @lines lines */
void vm_evidence(struct vm *vm, uint64_t mark, unsigned int lines);

#endif
