// SPDX-License-Identifier: GPL-2.0-only
/* Lists of commands: completion, order, progress, errors, and the calls that they become. */
#include <errno.h>
#include <string.h>

#include "hw/amdvi.h"
#include "vm_fixture.h"

NESTED(rid_ats, DMA_NO_PASID, true);
NESTED(pasid_ats, 0x1a5, true);
NESTED(rid_ats_by_domain, DMA_NO_PASID, true, .by_domain = true);

/* The guest's commands go to the vIOMMU as they are; *@num comes back as the number done. */
static int call(struct vm *vm, uint32_t target, const uint64_t (*cmds)[2], uint32_t *num)
{
	return __hwpt_invalidate(&vm->iommufd, target, IOMMU_VIOMMU_INVALIDATE_DATA_AMD, cmds,
				 sizeof(cmds[0]), num);
}

static void pages_command(FIXTURE_DATA(nested) *self, uint64_t cmd[2], uint64_t iova)
{
	amdvi_cmd_invalidate_iommu_pages(cmd, self->space.domain, pasid_of(&self->space),
					 amdvi_inv_address(iova, 12), AMDVI_PAGES1_GN);
}

static void iotlb_command(FIXTURE_DATA(nested) *self, uint64_t cmd[2], uint64_t iova)
{
	uint32_t pasid = pasid_of(&self->space);

	amdvi_cmd_invalidate_iotlb_pages(cmd, self->device->rid, self->device->rid, 32, pasid,
					 amdvi_inv_address(iova, 12),
					 pasid ? AMDVI_PAGES1_GN : 0);
}

struct look {
	struct vm *vm;
	bool stored;
};

static void look_at_store(void *arg)
{
	struct look *look = arg;

	look->stored = guest_amdvi_waited(guest_of(look->vm));
}

/* The guest's COMPLETION_WAIT does not store while the hypervisor still waits for hardware. */
TEST_F(nested, wait_is_never_early)
{
	RULE("AMD-05");
	NEEDS(&self->target, TARGET_WAITING);
	struct look look = { &self->vm, true };

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	self->target.ops->waiting(&self->target, look_at_store, &look);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	EXPECT_FALSE(look.stored);
	EXPECT_TRUE(guest_amdvi_waited(guest_of(&self->vm)));
	REACHES(self->iova, self->page[1]);
}

/* Several waits in one list, with commands before and behind each */
TEST_F(nested, waits_in_the_middle)
{
	RULE("AMD-05");
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space);

	for (unsigned int i = 0; i < 3; i++)
		MAP_THEN_REMAP(self->iova + i * PAGE, self->page[0], self->page[1]);
	for (unsigned int i = 0; i < 3; i++) {
		guest_amdvi_pages(&list, self->space.domain, pasid, self->iova + i * PAGE, PAGE,
				  true);
		guest_amdvi_wait(guest_of(&self->vm), &list);
		atc(&list, self->device, pasid, self->iova + i * PAGE, PAGE);
		guest_amdvi_wait(guest_of(&self->vm), &list);
	}
	ISSUE(&self->vm, &list);
	for (unsigned int i = 0; i < 3; i++)
		REACHES(self->iova + i * PAGE, self->page[1]);
}

TEST_F(nested, wait_stores_all_of_its_data)
{
	RULE("AMD-05");
	struct guest_amdvi_list list = {};
	uint64_t gpa = pages_alloc(&self->vm.mem, PAGE), *at = pages_ptr(&self->vm.mem, gpa);

	amdvi_cmd_completion_wait(guest_amdvi_next(&list), AMDVI_WAIT0_S, gpa + 0xff8,
				  0x123456789abcdef0);
	amdvi_cmd_completion_wait(guest_amdvi_next(&list), 0, gpa, 1);	/* S clear: no store */
	ISSUE(&self->vm, &list);
	EXPECT_EQ(0x123456789abcdef0, at[511]);
	EXPECT_EQ(0, at[0]);
}

/* More commands than the guest's buffer and than one of the hypervisor's batches hold */
TEST_F(nested, more_commands_than_a_buffer)
{
	RULE("AMD-05");
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space);

	for (unsigned int i = 0; i < 280; i++)
		MAP_THEN_REMAP(self->iova + i * PAGE, self->page[0], self->page[1]);
	for (unsigned int i = 0; i < 280; i++) {
		guest_amdvi_pages(&list, self->space.domain, pasid, self->iova + i * PAGE, PAGE,
				  true);
		atc(&list, self->device, pasid, self->iova + i * PAGE, PAGE);
	}
	ISSUE(&self->vm, &list);
	for (unsigned int i = 0; i < 280; i++)
		REACHES(self->iova + i * PAGE, self->page[1]);
}

/* Round the end of the guest's buffer, again and again */
TEST_F(nested, buffer_wraps)
{
	RULE("AMD-05");
	MAP(self->iova, self->page[0], PAGE);
	for (unsigned int i = 0; i < 200; i++) {
		REACHES(self->iova, self->page[i % 4]);
		MAP(self->iova, self->page[(i + 1) % 4], PAGE);
		INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	}
}

TEST_F(nested, progress_is_effect)
{
	RULE("NEST-05");
	uint64_t cmds[6][2];
	uint32_t num = 6;

	for (unsigned int i = 0; i < 3; i++) {
		MAP_THEN_REMAP(self->iova + i * PAGE, self->page[0], self->page[1]);
		pages_command(self, cmds[2 * i], self->iova + i * PAGE);
		iotlb_command(self, cmds[2 * i + 1], self->iova + i * PAGE);
	}
	cmds[4][0] = amdvi_put(AMDVI_COMPLETION_WAIT, AMDVI_CMD0_OPCODE);	/* the VMM's */
	EXPECT_EQ(-EIO, call(&self->vm, self->device->viommu_id, cmds, &num));
	EXPECT_EQ(4, num);
	REACHES(self->iova, self->page[1]);
	REACHES(self->iova + PAGE, self->page[1]);
	STILL_REACHES(self->iova + 2 * PAGE, self->page[0]);
}

/* The guest sees the same: its head stands at the bad command, what is behind did not happen. */
TEST_F(nested, bad_command_of_a_guest)
{
	RULE("NEST-05");
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space), begin = guest_of(&self->vm)->tail;
	uint64_t event[2];

	for (unsigned int i = 0; i < 2; i++)
		MAP_THEN_REMAP(self->iova + i * PAGE, self->page[0], self->page[1]);
	guest_amdvi_pages(&list, self->space.domain, pasid, self->iova, PAGE, true);
	atc(&list, self->device, pasid, self->iova, PAGE);
	guest_amdvi_next(&list)[0] = amdvi_put(15, AMDVI_CMD0_OPCODE);
	guest_amdvi_pages(&list, self->space.domain, pasid, self->iova + PAGE, PAGE, true);
	atc(&list, self->device, pasid, self->iova + PAGE, PAGE);
	EXPECT_NE(0, vm_amd_run(&self->vm, &list));
	EXPECT_FALSE(guest_amdvi_waited(guest_of(&self->vm)));
	EXPECT_EQ(begin + 2 * AMDVI_LOG_ENTRY_SIZE, vm_amd_head(&self->vm));
	EXPECT_EQ(0, vmm_amdvi_next_event(&self->vm, event));
	EXPECT_EQ(AMDVI_ILLEGAL_COMMAND_ERROR, amdvi_event_code(event));
	REACHES(self->iova, self->page[1]);
	STILL_REACHES(self->iova + PAGE, self->page[0]);
}

/* The same where it is the hypervisor that refuses a command, or gives up on a device */
TEST_F(nested, head_stands_at_what_failed)
{
	RULE("NEST-05");
	NEEDS(&self->target, TARGET_REFERENCE);
	struct guest_amdvi *guest = guest_of(&self->vm);
	struct guest_amdvi_list list = {}, silent = {};
	uint32_t pasid = pasid_of(&self->space), begin = guest->tail;

	guest_amdvi_pages(&list, self->space.domain, pasid, self->iova, PAGE, true);
	guest_amdvi_pages(&list, self->space.domain, pasid, self->iova, PAGE, true);
	list.c[1][0] |= AMDVI_BIT(20);
	guest_amdvi_pages(&list, self->space.domain, pasid, self->iova, PAGE, true);
	EXPECT_NE(0, vm_amd_run(&self->vm, &list));
	EXPECT_EQ(begin + AMDVI_LOG_ENTRY_SIZE, vm_amd_head(&self->vm));
	vmm_amdvi(&self->vm)->stopped = false;
	guest->tail = begin = vm_amd_head(&self->vm);
	endpoint_behaviour(ref_endpoint(&self->target, 0))->drop_invalidates = true;
	guest_amdvi_pages(&silent, self->space.domain, pasid, self->iova, PAGE, true);
	atc(&silent, self->device, pasid, self->iova, PAGE);
	guest_amdvi_pages(&silent, self->space.domain, pasid, self->iova, PAGE, true);
	EXPECT_EQ(-ETIMEDOUT, vm_amd_run(&self->vm, &silent));
	EXPECT_EQ(begin + AMDVI_LOG_ENTRY_SIZE, vm_amd_head(&self->vm));
}

/* A device that does not answer: what was before it in the list is done, and is counted. */
TEST_F(nested, progress_at_a_time_out)
{
	RULE("NEST-05");
	NEEDS(&self->target, TARGET_REFERENCE);
	uint64_t cmds[3][2];
	uint32_t num = 3;

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	endpoint_behaviour(ref_endpoint(&self->target, 0))->drop_invalidates = true;
	pages_command(self, cmds[0], self->iova);
	iotlb_command(self, cmds[1], self->iova);
	pages_command(self, cmds[2], self->iova + PAGE);
	EXPECT_EQ(-ETIMEDOUT, call(&self->vm, self->device->viommu_id, cmds, &num));
	EXPECT_EQ(1, num);
	REFUSED(self->iova);
	num = 1;
	EXPECT_EQ(-ETIMEDOUT, call(&self->vm, self->device->viommu_id, cmds + 1, &num));
	EXPECT_EQ(0, num);
}

TEST_F(nested, what_the_viommu_refuses)
{
	RULE("AMD-64");
	static const uint64_t bad[][2] = {
		{ 0, 0 },
		{ 0x1000000000000000, 0 },				/* COMPLETION_WAIT */
		{ 0x2000000000010000, 0 },				/* reserved bits */
		{ 0x2000000000000000, 1 },
		{ 0x3000000000100000, 4 },
		{ 0x3000000000000000, 8 },
		{ 0x3000000000000001, 0 },				/* PASID without GN */
		{ 0x4000000000000000, 2 },
		{ 0x7000000000000000, 0 },				/* COMPLETE_PPR_REQUEST */
		{ 0x8000000000000001, 0 },
		{ 0x9000000000000000, 0 },				/* the hypervisor's */
		{ 0xa000000000000000, 0 },
		{ 0xf000000000000000, 0 },
	};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint32_t num = 1;

		EXPECT_EQ(-EIO, call(&self->vm, self->device->viommu_id, &bad[i], &num));
		EXPECT_EQ(0, num);
	}
}

TEST_F(nested, ids_that_mean_nothing)
{
	RULE("AMD-64");
	uint64_t cmd[2];
	uint32_t num = 1;

	amdvi_cmd_invalidate_iommu_pages(cmd, 0x1234, 0, AMDVI_INV_ALL_PAGES, AMDVI_PAGES1_GN);
	EXPECT_EQ(0, call(&self->vm, self->device->viommu_id, &cmd, &num));
	EXPECT_EQ(1, num);
	amdvi_cmd_invalidate_iotlb_pages(cmd, 0x3e7, 0x3e7, 32, 0, AMDVI_INV_ALL_PAGES, 0);
	EXPECT_EQ(-ENOENT, call(&self->vm, self->device->viommu_id, &cmd, &num));
	EXPECT_EQ(0, num);
	num = 1;
	amdvi_cmd_invalidate_devtab_entry(cmd, 0x3e7);
	EXPECT_EQ(-ENOENT, call(&self->vm, self->device->viommu_id, &cmd, &num));
	EXPECT_EQ(0, num);
}

/* A nested page table takes commands about its own DomainID, as any of the group does. */
TEST_F(nested, to_a_nested_page_table)
{
	RULE("AMD-63");
	uint64_t pages[2], iotlb[2], other[2];
	uint32_t num = 1;

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	pages_command(self, pages, self->iova);
	iotlb_command(self, iotlb, self->iova);
	amdvi_cmd_invalidate_iommu_pages(other, self->space.domain + 1, 0, AMDVI_INV_ALL_PAGES, 0);
	EXPECT_EQ(-EINVAL, call(&self->vm, self->space.hwpt_id, &iotlb, &num));
	EXPECT_EQ(0, num);
	num = 1;
	EXPECT_EQ(-EINVAL, call(&self->vm, self->space.hwpt_id, &other, &num));
	num = 1;
	EXPECT_EQ(0, call(&self->vm, self->space.hwpt_id, &pages, &num));
	EXPECT_EQ(1, num);
	EXPECT_EQ(0, call(&self->vm, self->device->viommu_id, &iotlb, &num));
	REACHES(self->iova, self->page[1]);
}

/* Entries of another length, and of another type; memory that is not there */
TEST_F(nested, the_form_of_the_call)
{
	RULE("AMD-64");
	struct iommufd *iommufd = &self->vm.iommufd;
	uint64_t longer[2][4] = {};
	uint32_t num = 0, viommu = self->device->viommu_id;

	EXPECT_EQ(0, __hwpt_invalidate(iommufd, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_AMD, NULL, 0,
				       &num));
	EXPECT_EQ(-EINVAL, __hwpt_invalidate(iommufd, viommu, 1, NULL, 0, &num));
	pages_command(self, longer[0], self->iova);
	pages_command(self, longer[1], self->iova);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	num = 2;
	EXPECT_EQ(0, __hwpt_invalidate(iommufd, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_AMD, longer,
				       32, &num));
	EXPECT_EQ(2, num);
	longer[1][3] = 1;
	EXPECT_EQ(-E2BIG, __hwpt_invalidate(iommufd, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_AMD,
					    longer, 32, &num));
	EXPECT_EQ(1, num);
	EXPECT_EQ(-EINVAL, __hwpt_invalidate(iommufd, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_AMD,
					     longer, 8, &num));
	num = 1;
	EXPECT_EQ(-EFAULT, __hwpt_invalidate(iommufd, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_AMD,
					     (void *)16, 16, &num));
	EXPECT_EQ(0, num);
}

/* What a guest may not say about its devices */
TEST_F(nested, device_table_entries_that_are_refused)
{
	RULE("AMD-65");
	static const struct { unsigned int word; uint64_t set; int rc; } bad[] = {
		{ 0, 1ULL << 9, -EINVAL },			/* Mode: host tables of its own */
		{ 0, 1ULL << 12, -EINVAL },
		{ 0, AMDVI_DTE0_HAD, -EINVAL },
		{ 0, AMDVI_BIT(63), -EINVAL },
		{ 0, AMDVI_DTE0_GLX, -EINVAL },			/* 3 */
		{ 1, AMDVI_DTE1_SYSMGT, -EINVAL },
		{ 2, AMDVI_DTE2_IV, -EINVAL },			/* interrupts are not its own */
		{ 2, AMDVI_DTE2_GPM, -EINVAL },			/* 3 */
		{ 3, 1, -EINVAL },
		{ 3, AMDVI_DTE3_VIMU_EN, -EINVAL },
	};
	const uint64_t *good = guest_amdvi_dte(guest_of(&self->vm), self->device->rid);
	uint32_t id;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct iommu_hwpt_amd_guest data;

		memcpy(data.dte, good, sizeof(data.dte));
		data.dte[bad[i].word] |= bad[i].set;
		EXPECT_EQ(bad[i].rc, __hwpt_alloc_data(&self->vm.iommufd, self->device->dev_id,
						       self->device->viommu_id, 0, 0,
						       IOMMU_HWPT_DATA_AMD_GUEST, &data,
						       sizeof(data), &id));
	}
}

/* Events and commands about a device need its name: without one it is not attached. */
TEST_F(nested, device_without_a_name)
{
	RULE("AMD-65");
	const struct target_ops *ops = self->target.ops;
	uint32_t dev_id = self->device->dev_id;

	MAP(self->iova, self->page[0], PAGE);
	ASSERT_EQ(0, ops->attach(&self->target, &self->vm.iommufd, dev_id, DMA_NO_PASID,
				 self->vm.parent));
	ASSERT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->device->vdevice_id));
	EXPECT_EQ(-ENOENT, ops->attach(&self->target, &self->vm.iommufd, dev_id, DMA_NO_PASID,
				       self->space.hwpt_id));
	REFUSED(self->iova);
	ASSERT_EQ(0, __vdevice_alloc(&self->vm.iommufd, self->device->viommu_id, dev_id,
				     self->device->rid, &self->device->vdevice_id));
	ASSERT_EQ(0, ops->attach(&self->target, &self->vm.iommufd, dev_id, DMA_NO_PASID,
				 self->space.hwpt_id));
	REACHES(self->iova, self->page[0]);
}

/* Commands that ask for nothing here, between others */
TEST_F(nested, commands_without_effect)
{
	RULE("AMD-64");
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space);

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	amdvi_cmd_invalidate_interrupt_table(guest_amdvi_next(&list), self->device->rid);
	amdvi_cmd_prefetch_iommu_pages(guest_amdvi_next(&list), self->device->rid, 1, pasid,
				       self->iova, pasid ? AMDVI_PAGES1_GN : 0);
	guest_amdvi_devtab(&list, self->device->rid);
	guest_amdvi_pages(&list, self->space.domain, pasid, self->iova, PAGE, true);
	amdvi_cmd_invalidate_interrupt_table(guest_amdvi_next(&list), self->device->rid);
	atc(&list, self->device, pasid, self->iova, PAGE);
	ISSUE(&self->vm, &list);
	REACHES(self->iova, self->page[1]);
}

static struct hw_iommu *iommu_of(struct target *target)
{
	return ref_machine(target)->iommus[0];
}

/* The hypervisor's own buffer stops: the call that finds it fails, and the next one works. */
TEST_F(nested, command_buffer_that_stopped)
{
	RULE("NEST-05");
	NEEDS(&self->target, TARGET_REFERENCE);
	struct hw_iommu *iommu = iommu_of(&self->target);
	uint64_t base = iommu->ops->mmio_read(iommu, AMDVI_CMDBUF_BASE, 8) & AMDVI_BASE_ADDR;
	uint64_t tail = iommu->ops->mmio_read(iommu, AMDVI_CMDBUF_TAIL, 8);
	uint64_t *command = hw_ram(iommu->mem, base + tail, 16);

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	command[0] = ~0ULL;
	iommu->ops->mmio_write(iommu, AMDVI_CMDBUF_TAIL, 8, (tail + 16) % 4096);
	EXPECT_EQ(-EIO, vm_invalidate(&self->space, self->iova, PAGE, VM_LEAF_ONLY));
	EXPECT_FALSE(guest_amdvi_waited(guest_of(&self->vm)));
	STILL_REACHES(self->iova, self->page[0]);
	vmm_amdvi(&self->vm)->stopped = false;
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

TEST_F(nested, what_the_hardware_is)
{
	RULE("AMD-64");
	struct iommu_hw_info_amd info = {};
	uint32_t type, len = sizeof(info);
	uint64_t capabilities;
	uint8_t pasid_bits;

	EXPECT_EQ(0, __get_hw_info(&self->vm.iommufd, self->device->dev_id, &type, &info, &len,
				   &capabilities, &pasid_bits));
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_AMD, type);
	EXPECT_EQ(sizeof(info), len);
	EXPECT_TRUE(info.efr & AMDVI_EFR_GT_SUP && info.efr & AMDVI_EFR_GIO_SUP);
	EXPECT_TRUE(info.efr2 & AMDVI_EFR2_GCR3TRP_MODE);
}

/* An IOMMU that stops its command buffer when a device does not answer in time */
FIXTURE(halting)
{
	struct target target;
	struct vm vm;
	struct vm_device *devices[2];
	struct vm_space spaces[2];
	uint64_t iova;
};

FIXTURE_SETUP(halting)
{
	struct amdvi_config amdvi = { AMDVI_CONFIG };
	struct target_config config = { .iommu = &amdvi };

	amdvi.timeout_halts = true;
	self->iova = 0x7f1200000000;
	TARGET_OPEN(&self->target, "amd", &config);
	VM_OPEN(&self->vm, &self->target, &vm_amd, 0);
	for (unsigned int i = 0; i < 2; i++) {
		ADD_DEVICE(&self->vm, i, true, &self->devices[i]);
		ASSERT_EQ(0, vm_space_init(&self->vm, &self->spaces[i], DMA_NO_PASID));
		ASSERT_EQ(0, vm_attach(self->devices[i], &self->spaces[i]));
		ASSERT_EQ(0, window_map(&self->vm, i, i));
		ASSERT_EQ(0, vm_map(&self->spaces[i], self->iova, WINDOW + i * PAGE, PAGE, RW));
		EXPECT_DMA(self->devices[i], &self->spaces[i], self->iova,
			   spare_name(&self->vm, i));
	}
}

FIXTURE_TEARDOWN(halting)
{
	for (unsigned int i = 0; i < 2; i++)
		vm_space_fini(&self->spaces[i]);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

TEST_F(halting, silent_device)
{
	RULE("NEST-07");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(ref_endpoint(&self->target, 0))->drop_invalidates = true;
	EXPECT_EQ(-ETIMEDOUT, vm_invalidate(&self->spaces[0], self->iova, PAGE, 0));
	EXPECT_FALSE(guest_amdvi_waited(guest_of(&self->vm)));
	EXPECT_NO_DMA(self->devices[0], &self->spaces[0], self->iova);
	EXPECT_EQ(0, window_unmap(&self->vm, 1));
	EXPECT_NO_DMA(self->devices[1], &self->spaces[1], self->iova);
	ASSERT_EQ(0, window_map(&self->vm, 1, 2));
	EXPECT_DMA(self->devices[1], &self->spaces[1], self->iova, spare_name(&self->vm, 2));
}

TEST_F(halting, silent_device_while_stage_2_is_unmapped)
{
	RULE("NEST-07");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(ref_endpoint(&self->target, 0))->drop_invalidates = true;
	EXPECT_EQ(-ETIMEDOUT, window_unmap(&self->vm, 1));
	EXPECT_NO_DMA(self->devices[0], &self->spaces[0], self->iova);
	EXPECT_EQ(0, window_unmap(&self->vm, 1));
	EXPECT_NO_DMA(self->devices[1], &self->spaces[1], self->iova);
}

NIT_TEST_MAIN
