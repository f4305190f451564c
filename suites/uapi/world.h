/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM with one of everything, for one call to be made in */
#ifndef NIT_UAPI_WORLD_H
#define NIT_UAPI_WORLD_H

#include <sys/mman.h>
#include <unistd.h>

#include "vm.h"

#define IOVA MOCK_APERTURE_START
#define IOVA_FREE (IOVA + 0x1000000)
#define BUF_PAGES 4
#define PASID 5
#define EVENT_DEPTH 4

/**
 * struct world - a VM with one of everything, for one call to be made in
 * @vm: its device is in the vIOMMU and attached to the nested HWPT
 * @buf: memory of the VM at IOVA; it is the file @mem_fd
 * @bare: a second device, without vDEVICE
 * @paging, @paging2: PASID-compatible HWPTs of the IOAS
 * @nested2: another nested HWPT of the vIOMMU
 * @faulting: a nested HWPT of the vIOMMU with @fault
 * @made, @made_fd: what the call under test returned; 0 and -1 for nothing
 * @map: vIOMMU page mapped by the call under test
 * @next_id: the lowest free id before the call, if @ids_are_reused
 * @target: what the call destroys, or needs beside the rest
 * @entries: entry_num as an invalidation left it
 * @info: a word that a query returned
 * @cookie, @event: of the fault and the event that were read last
 * @access: an in-kernel user of the IOAS, and @pin what it has pinned
 * @other: a VM of its own, with nothing in it yet
 */
struct world {
	struct vm vm;
	uint8_t *buf;
	int mem_fd;
	struct mock_device bare;
	uint32_t paging, paging2;
	uint32_t nested2, faulting;
	uint32_t fault, veventq;
	int fault_fd, veventq_fd;
	struct iommu_viommu_selftest viommu_data;
	uint32_t made;
	int made_fd;
	void *map;
	uint32_t next_id;
	bool ids_are_reused;
	uint32_t target;
	uint32_t entries;
	uint32_t info;
	uint32_t cookie;
	struct {
		struct iommufd_vevent_header header;
		struct iommu_viommu_event_selftest event;
	} event;
	int access;
	uint32_t pin;
	struct vm other;
};

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static size_t buf_size(void)
{
	return BUF_PAGES * page_size();
}

/* As long as iommufd gives the lowest free id (main.c:_iommufd_object_alloc), a leak shows. */
static uint32_t next_free_id(struct __test_metadata *_metadata, struct world *w)
{
	uint32_t id = ioas_alloc(&w->vm.iommufd);

	iommufd_destroy(&w->vm.iommufd, id);
	return id;
}

static uint32_t nested_of_viommu(struct __test_metadata *_metadata, struct world *w,
				 uint32_t flags)
{
	return mock_hwpt_alloc_nested(&w->vm.iommufd, w->vm.dev.idev_id, w->vm.viommu, flags,
				      w->fault, VM_IOTLB);
}

static void world_add_viommu(struct __test_metadata *_metadata, struct world *w)
{
	struct vm *vm = &w->vm;

	w->viommu_data.in_data = 0x1234;
	ASSERT_EQ(0, __viommu_alloc(&vm->iommufd, vm->dev.idev_id, vm->parent,
				    IOMMU_VIOMMU_TYPE_SELFTEST, &w->viommu_data,
				    sizeof(w->viommu_data), &vm->viommu));
	vm->vdevice = vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, VM_VIRT_ID);
	ASSERT_EQ(0, __veventq_alloc(&vm->iommufd, vm->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST,
				     EVENT_DEPTH, &w->veventq, &w->veventq_fd));
	ASSERT_EQ(0, __fault_queue_alloc(&vm->iommufd, &w->fault, &w->fault_fd));
	vm->nested = nested_of_viommu(_metadata, w, IOMMU_HWPT_ALLOC_PASID);
	w->nested2 = nested_of_viommu(_metadata, w, IOMMU_HWPT_ALLOC_PASID);
	w->faulting = nested_of_viommu(_metadata, w,
				       IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID);
}

static bool world_make(struct __test_metadata *_metadata, struct world *w)
{
	struct vm *vm = &w->vm;

	memset(w, 0, sizeof(*w));
	w->made_fd = -1;
	w->access = -1;
	if (!vm_open(_metadata, vm))
		return false;
	w->mem_fd = memfd_create("nit", MFD_CLOEXEC);
	ASSERT_LE(0, w->mem_fd);
	ASSERT_EQ(0, ftruncate(w->mem_fd, buf_size()));
	/* Shared, so that a fork does not copy it; touched, so that pinning faults nothing in. */
	w->buf = mmap(NULL, buf_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		      w->mem_fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)w->buf);
	ASSERT_EQ(0, __ioas_map(&vm->iommufd, vm->ioas, w->buf, buf_size(), IOVA,
				IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE));
	vm_add_device(_metadata, vm, MOCK_FLAGS_DEVICE_PASID);
	w->bare = mock_device_create(&vm->iommufd, vm->ioas, MOCK_FLAGS_DEVICE_PASID);
	vm->parent = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas,
				IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	w->paging = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas, IOMMU_HWPT_ALLOC_PASID);
	w->paging2 = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas, IOMMU_HWPT_ALLOC_PASID);
	world_add_viommu(_metadata, w);
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested);
	return true;
}

/* Everything can be destroyed: nothing holds a reference that it should not. */
static void world_destroy(struct __test_metadata *_metadata, struct world *w)
{
	struct vm *vm = &w->vm;

	iommufd_destroy(&vm->iommufd, vm->dev.stdev_id);
	iommufd_destroy(&vm->iommufd, w->bare.stdev_id);
	iommufd_destroy(&vm->iommufd, vm->nested);
	iommufd_destroy(&vm->iommufd, w->nested2);
	iommufd_destroy(&vm->iommufd, w->faulting);
	ASSERT_EQ(0, close(w->fault_fd));
	iommufd_destroy(&vm->iommufd, w->fault);
	ASSERT_EQ(0, close(w->veventq_fd));
	iommufd_destroy(&vm->iommufd, w->veventq);
	iommufd_destroy(&vm->iommufd, vm->viommu);
	iommufd_destroy(&vm->iommufd, vm->parent);
	iommufd_destroy(&vm->iommufd, w->paging);
	iommufd_destroy(&vm->iommufd, w->paging2);
	iommufd_destroy(&vm->iommufd, vm->ioas);
	EXPECT_EQ(0, __mock_check_refs(&vm->iommufd, w->buf, buf_size(), 0));
	iommufd_close(&vm->iommufd);
	munmap(w->buf, buf_size());
	close(w->mem_fd);
}

/*
 * After a failure that is none of memory, a user copy for instance, the state may be any:
 * let closing clean up.
 */
static void world_abandon(struct world *w)
{
	if (w->map)
		munmap(w->map, w->viommu_data.out_mmap_length);
	if (w->made_fd >= 0)
		close(w->made_fd);
	close(w->fault_fd);
	close(w->veventq_fd);
	iommufd_close(&w->vm.iommufd);
	munmap(w->buf, buf_size());
	close(w->mem_fd);
}

#endif /* NIT_UAPI_WORLD_H */
