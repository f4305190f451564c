// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware vIOMMU: queues that the guest owns, ids that hardware translates, and what happens
 * when the tables change, a guest errs, or everything is taken away with commands pending.
 */
#include <errno.h>

#include "amd.h"
#include "hw/amdvi.h"

FIXTURE(owned)
{
	struct target target;
	struct vm_vendor vendor;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t iova;
	uint64_t page[4];
};

static const struct vm_amd_config hw = { .hw = true };

FIXTURE_SETUP(owned)
{
	self->vendor = vm_amd;
	self->vendor.config = &hw;
	self->iova = 0x7f1200000000;
	TARGET_OPEN(&self->target, "amd", NULL);
	VM_OPEN(&self->vm, &self->target, &self->vendor, 0);
	ADD_DEVICE(&self->vm, 0, true, &self->device);
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(owned)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

static struct vmm_amdvi_iommu *iommu_of(struct vm *vm)
{
	return &vmm_amdvi(vm)->iommus[0];
}

/* Take the guest's command buffer away and give it back: it starts at its beginning again. */
static int restart(struct vm *vm)
{
	struct vmm_amdvi_iommu *iommu = iommu_of(vm);
	struct guest_amdvi *guest = guest_of(vm);
	int rc = __iommufd_destroy(&vm->iommufd, iommu->queues[0]);

	iommu->queues[0] = 0;
	guest->tail = 0;
	return rc ?: __hw_queue_alloc(&vm->iommufd, iommu->viommu_id, IOMMU_HW_QUEUE_TYPE_AMD_CMD,
				      0, guest->cmdbuf, GUEST_AMDVI_QUEUE_BYTES,
				      &iommu->queues[0]);
}

/* An event of the guest's own log */
#define EXPECT_EVENT(_vm, _code) do { \
	uint64_t event[2] = {}; \
	EXPECT_EQ(0, vmm_amdvi_next_event(_vm, event)); \
	EXPECT_EQ(_code, amdvi_event_code(event)); \
} while (0)

TEST_F(owned, queues_that_are_refused)
{
	RULE("AMD-70");
	struct iommufd *iommufd = &self->vm.iommufd;
	uint32_t viommu = self->device->viommu_id, id, type = IOMMU_HW_QUEUE_TYPE_AMD_CMD;
	uint64_t memory = pages_alloc(&self->vm.mem, 1 << 20);

	EXPECT_EQ(-EEXIST, __hw_queue_alloc(iommufd, viommu, type, 0, memory, 4096, &id));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, iommu_of(&self->vm)->queues[0]));
	iommu_of(&self->vm)->queues[0] = 0;
	EXPECT_EQ(-EINVAL, __hw_queue_alloc(iommufd, viommu, type, 1, memory, 4096, &id));
	EXPECT_EQ(-EINVAL, __hw_queue_alloc(iommufd, viommu, type, 0, memory, 2048, &id));
	EXPECT_EQ(-EINVAL, __hw_queue_alloc(iommufd, viommu, type, 0, memory, 12288, &id));
	EXPECT_EQ(-EINVAL, __hw_queue_alloc(iommufd, viommu, type, 0, memory, 1 << 20, &id));
	EXPECT_EQ(-EINVAL, __hw_queue_alloc(iommufd, viommu, type, 0, memory + 64, 4096, &id));
	EXPECT_EQ(-ENOENT, __hw_queue_alloc(iommufd, viommu, type, 0, WINDOW, 4096, &id));
	EXPECT_EQ(-EOPNOTSUPP, __hw_queue_alloc(iommufd, viommu, 1, 0, memory, 4096, &id));
	EXPECT_EQ(0, __hw_queue_alloc(iommufd, viommu, type, 0, memory, 512 << 10, &id));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, id));
}

/* Memory that hardware reads cannot be unmapped. */
TEST_F(owned, queue_memory_is_locked)
{
	RULE("AMD-70");
	EXPECT_EQ(-EBUSY, vm_s2_unmap(&self->vm, VM_RAM_BASE, VM_RAM_SIZE));
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
}

TEST_F(owned, viommus_that_are_refused)
{
	RULE("AMD-70");
	struct amdvi_config no_viommu = { AMDVI_CONFIG };
	struct target_config config = { .iommu = &no_viommu };
	struct iommu_viommu_amd data = { .flags = IOMMU_VIOMMU_AMD_HW };
	struct vm_device *device;
	struct target target;
	struct vm vm;
	uint32_t id;

	no_viommu.viommu = false;
	TARGET_OPEN(&target, "amd", &config);
	VM_OPEN(&vm, &target, &vm_amd, 0);
	ADD_DEVICE(&vm, 0, false, &device);
	EXPECT_EQ(-EOPNOTSUPP, __viommu_alloc(&vm.iommufd, device->dev_id, vm.parent,
					      IOMMU_VIOMMU_TYPE_AMD, &data, sizeof(data), &id));
	data.flags = 2;
	EXPECT_EQ(-EOPNOTSUPP, __viommu_alloc(&vm.iommufd, device->dev_id, vm.parent,
					      IOMMU_VIOMMU_TYPE_AMD, &data, sizeof(data), &id));
	EXPECT_EQ(-EINVAL, __viommu_alloc(&vm.iommufd, device->dev_id, vm.parent,
					  IOMMU_VIOMMU_TYPE_AMD, &data, 8, &id));
	EXPECT_EQ(-EOPNOTSUPP, __viommu_alloc(&vm.iommufd, device->dev_id, vm.parent, 1, NULL, 0,
					      &id));
	EXPECT_EQ(-EOPNOTSUPP, __hw_queue_alloc(&vm.iommufd, device->viommu_id,
						IOMMU_HW_QUEUE_TYPE_AMD_CMD, 0, VM_RAM_BASE, 4096,
						&id));
	EXPECT_EQ(0, __iommufd_destroy(&vm.iommufd, device->vdevice_id));
	device->vdevice_id = 0;
	EXPECT_EQ(-EINVAL, __vdevice_alloc(&vm.iommufd, device->viommu_id, device->dev_id,
					   0x10000, &id));
	vm_close(&vm);
	target.ops->close(&target);
}

/* COMPLETION_WAIT stores to guest physical memory, wherever that is now. */
TEST_F(owned, store_follows_the_second_stage)
{
	RULE("AMD-71");
	struct guest_amdvi *guest = guest_of(&self->vm);
	uint64_t *words[2] = { (uint64_t *)spare(&self->vm, 0), (uint64_t *)spare(&self->vm, 1) };
	struct guest_amdvi_list list;

	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_EQ(0, window_map(&self->vm, 0, i));
		list = (struct guest_amdvi_list){};
		amdvi_cmd_completion_wait(guest_amdvi_next(&list), AMDVI_WAIT0_S, WINDOW + 64,
					  0xabc0 + i);
		ISSUE(&self->vm, &list);
		EXPECT_EQ(0xabc0 + i, words[i][8]);
		EXPECT_EQ(0, window_unmap(&self->vm, 0));
	}
	EXPECT_EQ(0xabc0, words[0][8]);
	list = (struct guest_amdvi_list){};
	amdvi_cmd_completion_wait(guest_amdvi_next(&list), AMDVI_WAIT0_S, WINDOW + 64, 1);
	EXPECT_EQ(-ETIMEDOUT, vm_amd_run(&self->vm, &list));
	EXPECT_FALSE(guest_amdvi_waited(guest));
	EXPECT_EVENT(&self->vm, AMDVI_COMMAND_HARDWARE_ERROR);
	EXPECT_EQ(0xabc1, words[1][8]);
}

/* An id that is not in the guest's table is an error of that guest; its buffer stops there. */
TEST_F(owned, domain_that_is_not_in_the_table)
{
	RULE("AMD-55");
	struct guest_amdvi_list list = {};

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	guest_amdvi_pages(&list, 1 /* the host's own, not the guest's */ + self->space.domain, 0,
			  self->iova, PAGE, true);
	guest_amdvi_pages(&list, self->space.domain, 0, self->iova, PAGE, true);
	atc(&list, self->device, 0, self->iova, PAGE);
	EXPECT_EQ(-ETIMEDOUT, vm_amd_run(&self->vm, &list));
	EXPECT_EVENT(&self->vm, AMDVI_ILLEGAL_COMMAND_ERROR);
	STILL_REACHES(self->iova, self->page[0]);
	EXPECT_EQ(0, restart(&self->vm));
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

TEST_F(owned, device_that_is_not_in_the_table)
{
	RULE("AMD-55");
	struct guest_amdvi_list list = {};
	uint16_t real = self->target.devices[0].rid;

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	guest_amdvi_pages(&list, self->space.domain, 0, self->iova, PAGE, true);
	guest_amdvi_iotlb(&list, real, 0, self->iova, PAGE);	/* no id of the guest's */
	EXPECT_EQ(-ETIMEDOUT, vm_amd_run(&self->vm, &list));
	EXPECT_EVENT(&self->vm, AMDVI_ILLEGAL_COMMAND_ERROR);
	STILL_REACHES(self->iova, self->page[0]);
	EXPECT_EQ(0, restart(&self->vm));
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

/* A vDEVICE goes, and its name is given to another device: commands reach that one. */
TEST_F(owned, name_of_a_device_moves)
{
	RULE("AMD-73");
	struct iommufd *iommufd = &self->vm.iommufd;
	struct guest_amdvi_list list = {}, again = {};
	uint16_t name = self->device->rid;
	struct vm_device *second;
	struct vm_space space;

	ADD_DEVICE(&self->vm, 1, true, &second);
	ASSERT_EQ(0, vm_space_init(&self->vm, &space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(second, &space));
	ASSERT_EQ(0, vm_map(&space, self->iova, self->page[2], PAGE, RW));
	EXPECT_DMA(second, &space, self->iova, self->page[2]);
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);	/* the entry is cached */
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->device->vdevice_id));
	guest_amdvi_iotlb(&list, name, 0, self->iova, PAGE);
	EXPECT_EQ(-ETIMEDOUT, vm_amd_run(&self->vm, &list));
	EXPECT_EVENT(&self->vm, AMDVI_ILLEGAL_COMMAND_ERROR);
	EXPECT_EQ(0, restart(&self->vm));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, second->vdevice_id));
	ASSERT_EQ(0, __vdevice_alloc(iommufd, self->device->viommu_id, second->dev_id, name,
				     &second->vdevice_id));
	ASSERT_EQ(0, vm_map(&space, self->iova, self->page[3], PAGE, RW));
	EXPECT_STALE(second, &space, self->iova, self->page[2]);
	guest_amdvi_pages(&again, space.domain, 0, self->iova, PAGE, true);
	guest_amdvi_iotlb(&again, name, 0, self->iova, PAGE);
	ISSUE(&self->vm, &again);
	EXPECT_DMA(second, &space, self->iova, self->page[3]);
	self->device->vdevice_id = 0;
	vm_space_fini(&space);
}

/* The same for a DomainID that no nested page table has any more */
TEST_F(owned, domain_that_went)
{
	RULE("AMD-73");
	struct guest_amdvi_device *of = guest_amdvi_device(guest_of(&self->vm), self->device->rid);
	struct guest_amdvi_list list = {};
	uint16_t before = of->domain;

	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);	/* the entry is cached */
	of->domain = self->space.domain = 0x200;
	guest_amdvi_dte_set(guest_of(&self->vm), self->device->rid);
	EXPECT_EQ(0, vm_amd_dte_written(self->device));
	guest_amdvi_pages(&list, before, 0, self->iova, PAGE, true);
	EXPECT_EQ(-ETIMEDOUT, vm_amd_run(&self->vm, &list));
	EXPECT_EVENT(&self->vm, AMDVI_ILLEGAL_COMMAND_ERROR);
	EXPECT_EQ(0, restart(&self->vm));
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

/* A device keeps the guest's commands waiting; the queue is taken away; nothing happens later. */
TEST_F(owned, torn_down_with_commands_pending)
{
	RULE("AMD-74");
	NEEDS(&self->target, TARGET_REFERENCE);
	struct endpoint_behaviour *behaviour = endpoint_behaviour(ref_endpoint(&self->target, 0));
	struct guest_amdvi *guest = guest_of(&self->vm);
	struct guest_amdvi_list list = {};

	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	behaviour->delay_steps = 20;
	atc(&list, self->device, 0, self->iova, PAGE);
	amdvi_cmd_completion_wait(guest_amdvi_next(&list), AMDVI_WAIT0_S, WINDOW, 0x5555);
	guest_amdvi_write(guest, &list, 0, vm_amd_head(&self->vm));
	EXPECT_EQ(0, self->target.ops->viommu_mmio(&self->target, &self->vm.iommufd,
						   iommu_of(&self->vm)->doorbells,
						   AMDVI_VF_REGISTER(AMDVI_CMDBUF_TAIL), 8, true,
						   (uint64_t[]){ guest->tail }));
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, iommu_of(&self->vm)->queues[0]));
	iommu_of(&self->vm)->queues[0] = 0;
	vm_stamp(spare(&self->vm, 0), PAGE, (uintptr_t)spare(&self->vm, 0));
	self->target.ops->service(&self->target);
	EXPECT_EQ(spare_name(&self->vm, 0), vm_name(*(uint64_t *)spare(&self->vm, 0)));
	behaviour->delay_steps = 0;
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
}

/* A device that does not answer: the guest hears of it, and the hypervisor fences it. */
TEST_F(owned, silent_device)
{
	RULE("NEST-07");
	NEEDS(&self->target, TARGET_REFERENCE);
	uint64_t event[2] = {};

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	endpoint_behaviour(ref_endpoint(&self->target, 0))->never_complete = true;
	EXPECT_EQ(-ETIMEDOUT, vm_invalidate(&self->space, self->iova, PAGE, VM_LEAF_ONLY));
	EXPECT_FALSE(guest_amdvi_waited(guest_of(&self->vm)));
	EXPECT_EQ(0, vmm_amdvi_next_event(&self->vm, event));
	EXPECT_EQ(AMDVI_IOTLB_INV_TIMEOUT, amdvi_event_code(event));
	EXPECT_EQ(self->device->rid, amdvi_get(event[0], AMDVI_EVENT0_DEVICE_ID));
	REFUSED(self->iova);
}

/* Commands that are the hypervisor's own */
TEST_F(owned, commands_that_are_refused)
{
	RULE("AMD-55");
	static const unsigned int opcodes[] = {
		0, AMDVI_RESET_VMMIO, AMDVI_INSERT_GUEST_EVENT, 15,
	};

	for (unsigned int i = 0; i < 4; i++) {
		struct guest_amdvi_list list = {};

		guest_amdvi_next(&list)[0] = amdvi_put(opcodes[i], AMDVI_CMD0_OPCODE);
		EXPECT_EQ(-ETIMEDOUT, vm_amd_run(&self->vm, &list));
		EXPECT_FALSE(guest_amdvi_waited(guest_of(&self->vm)));
		EXPECT_EVENT(&self->vm, AMDVI_ILLEGAL_COMMAND_ERROR);
		EXPECT_EQ(0, restart(&self->vm));
	}
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

/* Guest ids are few: the next VM has that of the one that ended, and none of its names. */
TEST_F(owned, guest_id_used_again)
{
	RULE("AMD-73");
	struct guest_amdvi_list list = {};

	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	VM_OPEN(&self->vm, &self->target, &self->vendor, 0);
	ADD_DEVICE(&self->vm, 1, true, &self->device);
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	/* How the first VM called device 0 */
	guest_amdvi_devtab(&list, self->target.devices[1].rid);
	EXPECT_EQ(-ETIMEDOUT, vm_amd_run(&self->vm, &list));
	EXPECT_EVENT(&self->vm, AMDVI_ILLEGAL_COMMAND_ERROR);
}

/* The register page: heads and tails, of this guest only, and not beyond the page */
TEST_F(owned, register_page)
{
	RULE("AMD-71");
	const struct target_ops *ops = self->target.ops;
	uint64_t value = 0, doorbells = iommu_of(&self->vm)->doorbells;

	EXPECT_EQ(0, ops->viommu_mmio(&self->target, &self->vm.iommufd, doorbells,
				      AMDVI_VF_REGISTER(AMDVI_CMDBUF_TAIL), 8, false, &value));
	EXPECT_EQ(guest_of(&self->vm)->tail, value);
	EXPECT_EQ(0, ops->viommu_mmio(&self->target, &self->vm.iommufd, doorbells,
				      AMDVI_VF_REGISTER(AMDVI_CMDBUF_HEAD), 4, false, &value));
	EXPECT_EQ(guest_of(&self->vm)->tail, value);
	EXPECT_EQ(-ENXIO, ops->viommu_mmio(&self->target, &self->vm.iommufd, doorbells, 4096, 8,
					   false, &value));
	EXPECT_EQ(-ENXIO, ops->viommu_mmio(&self->target, &self->vm.iommufd, doorbells + 4096, 0,
					   8, false, &value));
}

/* D in the v1 table is for what hardware itself stores for a guest, too. */
TEST_F(owned, stores_of_hardware_are_dirty)
{
	RULE("AMD-60");
	struct guest_amdvi_list list;
	uint64_t bitmap;

	vm_space_fini(&self->space);
	vm_close(&self->vm);
	VM_OPEN(&self->vm, &self->target, &self->vendor, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	ADD_DEVICE(&self->vm, 0, true, &self->device);
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	ASSERT_EQ(0, __hwpt_set_dirty_tracking(&self->vm.iommufd, self->vm.parent,
					       IOMMU_HWPT_DIRTY_TRACKING_ENABLE));
	for (unsigned int i = 0; i < 3; i++) {
		list = (struct guest_amdvi_list){};
		amdvi_cmd_completion_wait(guest_amdvi_next(&list), AMDVI_WAIT0_S, WINDOW, i);
		ISSUE(&self->vm, &list);
		bitmap = 0;
		EXPECT_EQ(0, __hwpt_get_dirty_bitmap(&self->vm.iommufd, self->vm.parent, 0, WINDOW,
						     PAGE, PAGE, &bitmap));
		EXPECT_EQ(1, bitmap);
	}
}

NIT_TEST_MAIN
