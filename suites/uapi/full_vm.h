/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM with one object of every type that the uAPI can make, for the tests that go through all
 * types. Taken apart object by object at the end: each DESTROY must succeed, so a reference that
 * a test leaked makes it fail.
 */
#ifndef NIT_SUITES_UAPI_FULL_VM_H
#define NIT_SUITES_UAPI_FULL_VM_H

#include <sys/mman.h>
#include <unistd.h>

#include "vm.h"

#define FULL_VM_IOVA MOCK_APERTURE_START
#define FULL_VM_PAGES 4
#define FULL_VM_VEVENTQ_DEPTH 4

/**
 * struct full_vm - every object
 * @vm: IOAS, device, nesting parent, vIOMMU, vDEVICE, nested HWPT
 * @spare_dev: a second device without a vDEVICE
 * @spare_viommu: a second vIOMMU with nothing in it
 * @paging: a HWPT that tracks dirty pages and is no nesting parent
 * @memfd: FULL_VM_PAGES pages, mapped at FULL_VM_IOVA of the IOAS and in this process at @memory
 */
struct full_vm {
	struct vm vm;
	struct mock_device spare_dev;
	uint32_t spare_viommu;
	uint32_t paging;
	uint32_t fault;
	int fault_fd;
	uint32_t veventq;
	int veventq_fd;
	uint32_t hw_queue;
	int memfd;
	void *memory;
	size_t length;
};

static inline int __ioas_map_file(struct iommufd *iommufd, uint32_t ioas_id, int fd,
				  uint64_t length, uint64_t iova)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas_id,
		.fd = fd,
		.length = length,
		.iova = iova,
	};

	return __iommufd_ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &cmd);
}

/* Guest memory; a file, so that IOAS_CHANGE_PROCESS accepts it */
static inline void full_vm_add_memory(struct __test_metadata *_metadata, struct full_vm *full)
{
	full->length = FULL_VM_PAGES * sysconf(_SC_PAGESIZE);
	full->memfd = memfd_create("guest-memory", MFD_CLOEXEC);
	ASSERT_LE(0, full->memfd);
	ASSERT_EQ(0, ftruncate(full->memfd, full->length));
	full->memory = mmap(NULL, full->length, PROT_READ | PROT_WRITE, MAP_SHARED, full->memfd, 0);
	ASSERT_NE(MAP_FAILED, full->memory);
	ASSERT_EQ(0, __ioas_map_file(&full->vm.iommufd, full->vm.ioas, full->memfd, full->length,
				     FULL_VM_IOVA));
}

static inline bool full_vm_setup(struct __test_metadata *_metadata, struct full_vm *full)
{
	struct iommufd *iommufd = &full->vm.iommufd;

	if (!vm_setup_viommu(_metadata, &full->vm))
		return false;
	full_vm_add_memory(_metadata, full);
	full->spare_dev = mock_device_create(iommufd, full->vm.ioas, 0);
	full->spare_viommu = mock_viommu_alloc(iommufd, full->vm.dev.idev_id, full->vm.parent);
	full->paging = hwpt_alloc(iommufd, full->vm.dev.idev_id, full->vm.ioas,
				  IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	ASSERT_EQ(0, __fault_queue_alloc(iommufd, &full->fault, &full->fault_fd));
	ASSERT_EQ(0, __veventq_alloc(iommufd, full->vm.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST,
				     FULL_VM_VEVENTQ_DEPTH, &full->veventq, &full->veventq_fd));
	ASSERT_EQ(0, __hw_queue_alloc(iommufd, full->vm.viommu, IOMMU_HW_QUEUE_TYPE_SELFTEST, 0,
				      FULL_VM_IOVA, sysconf(_SC_PAGESIZE), &full->hw_queue));
	return true;
}

/* Users first. With a failed test behind it the ids may be gone: then just close. */
static inline void full_vm_teardown(struct __test_metadata *_metadata, struct full_vm *full)
{
	struct vm *vm = &full->vm;
	const uint32_t users_first[] = {
		full->hw_queue, full->veventq, full->fault, vm->nested, vm->vdevice,
		full->spare_viommu, vm->viommu, vm->parent, full->paging,
		full->spare_dev.stdev_id, vm->dev.stdev_id, vm->ioas,
	};

	if (!full->hw_queue)
		return vm_close(vm);
	close(full->fault_fd);
	close(full->veventq_fd);
	munmap(full->memory, full->length);
	close(full->memfd);
	for (size_t i = 0; !_metadata->exit_code && i < ARRAY_SIZE(users_first); i++) {
		EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, users_first[i]))
			check_note("object %zu of the teardown order, id %u", i, users_first[i]);
	}
	vm_close(vm);
}

#endif
