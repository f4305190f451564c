// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command queues in hardware that a guest owns (IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV): no hypervisor
 * between the guest's commands and the SMMU, and yet nothing of another VM within reach.
 */
#include "arm.h"
#include "iommufd/event.h"

#define LOG2 4			/* queues of 16 commands */

FIXTURE(vcmdq)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	struct vmm_smmuv3_vcmdq queue;
	struct vm other;
	struct vm_device *other_device;
	struct vm_space other_space;
	struct vmm_smmuv3_vcmdq other_queue;
	uint64_t iova;
	uint64_t granule;
	uint64_t page[4];
};

FIXTURE_VARIANT(vcmdq)
{
	bool ats;
};

FIXTURE_VARIANT_ADD(vcmdq, plain) {};
FIXTURE_VARIANT_ADD(vcmdq, ats) { .ats = true };

static void open_vm(struct __test_metadata *_metadata, struct target *target, struct vm *vm,
		    unsigned int number, bool ats, struct vm_device **device,
		    struct vm_space *space, struct vmm_smmuv3_vcmdq *queue)
{
	int rc;

	VM_OPEN(vm, target, &vm_arm, 0);
	vmm_smmuv3(vm)->type = IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV;
	rc = vm_add_device(vm, number, ats, device);
	if (rc == -EOPNOTSUPP && !(target->has & TARGET_REFERENCE))
		SKIP(return, "the IOMMU here has no command queues for guests");
	ASSERT_EQ(0, rc);
	ASSERT_EQ(0, vm_space_init(vm, space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(*device, space));
	ASSERT_EQ(0, vmm_smmuv3_vcmdq_open(*device, 0, LOG2, queue));
}

FIXTURE_SETUP(vcmdq)
{
	struct smmuv3_config smmu = smmuv3_config_full();
	const struct target_config config = {
		.iommu = &smmu, .any_iommu = true, .needs = variant->ats ? TARGET_ATS : 0,
		.devices = 2,
	};

	smmu.cmdqv = true;
	smmu.vcmdq_log2 = 3;
	smmu.vintf_log2 = 1;
	smmu.sid_log2 = 2;
	smmu.cmdqv_msi_addr = 0x08020080;
	TARGET_OPEN(&self->target, "arm", &config);
	open_vm(_metadata, &self->target, &self->vm, 0, variant->ats, &self->device, &self->space,
		&self->queue);
	if (!self->queue.id)
		return;
	open_vm(_metadata, &self->target, &self->other, 1, variant->ats, &self->other_device,
		&self->other_space, &self->other_queue);
	self->iova = 0x7f1000000000;
	self->granule = VM_PAGE;
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(vcmdq)
{
	vm_space_fini(&self->space);
	vm_space_fini(&self->other_space);
	vm_close(&self->other);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define LIST() struct guest_smmuv3_list list = {}
#define ASID (self->space.domain)

/* Push the list, wait until it is consumed */
#define QUEUE() do { \
	vmm_smmuv3_vcmdq_push(&self->queue, &list); \
	list.count = 0; \
	ASSERT_EQ(0, vmm_smmuv3_vcmdq_wait(&self->queue, NULL)); \
} while (0)

#define QUEUE_ATC_INV() do { \
	if (self->device->ats) \
		guest_smmuv3_atc_inv(&list, self->device->rid, DMA_NO_PASID, 0, UINT64_MAX); \
	guest_smmuv3_sync(&list); \
	QUEUE(); \
} while (0)

TEST_F(vcmdq, nh_va)
{
	LIST();

	RULE("SMMU-70");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, ASID, self->iova + VM_PAGE, true);
	guest_smmuv3_sync(&list);
	QUEUE();
	QUEUE_ATC_INV();
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, ASID, self->iova, true);
	guest_smmuv3_sync(&list);
	QUEUE();
	QUEUE_ATC_INV();
	REACHES(self->iova, self->page[1]);
}

TEST_F(vcmdq, nh_asid)
{
	LIST();

	RULE("SMMU-70");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, ASID);
	guest_smmuv3_sync(&list);
	QUEUE();
	QUEUE_ATC_INV();
	REACHES(self->iova, self->page[1]);
}

/* More commands than entries: the indices wrap. */
TEST_F(vcmdq, queue_wraps)
{
	LIST();

	RULE("SMMU-12");
	for (unsigned int i = 0; i < 3 << LOG2; i++) {
		MAP_THEN_REMAP(self->iova, self->page[i % 2], self->page[(i + 1) % 2]);
		smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, ASID, self->iova, true);
		guest_smmuv3_sync(&list);
		QUEUE();
		QUEUE_ATC_INV();
		REACHES(self->iova, self->page[(i + 1) % 2]);
	}
}

/* What only the hypervisor may decide goes by way of the vIOMMU, as without a queue. */
TEST_F(vcmdq, other_commands_go_to_the_vmm)
{
	RULE("SMMU-70");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	ASSERT_EQ(0, vm_invalidate_space(&self->space));
	REACHES(self->iova, self->page[1]);
}

/* ---- The filter ---- */

#define EXPECT_ILLEGAL() do { \
	unsigned int error = 0; \
	guest_smmuv3_sync(&list); \
	vmm_smmuv3_vcmdq_push(&self->queue, &list); \
	list.count = 0; \
	EXPECT_EQ(-EIO, vmm_smmuv3_vcmdq_wait(&self->queue, &error)); \
	EXPECT_EQ(SMMU_CERROR_ILL, error); \
} while (0)

/* Take the bad commands back: PROD to where CONS stands (7.1), then acknowledge */
static void recover(struct vmm_smmuv3_vcmdq *queue)
{
	queue->prod = vmm_smmuv3_vcmdq_read(queue, VCMDQ_CONS) & ((2u << LOG2) - 1);
	vmm_smmuv3_vcmdq_write(queue, VCMDQ_PROD, queue->prod);
	vmm_smmuv3_vcmdq_write(queue, VCMDQ_GERRORN, vmm_smmuv3_vcmdq_read(queue, VCMDQ_GERROR));
}

TEST_F(vcmdq, few_commands_are_let_through)
{
	static const uint8_t opcodes[] = {
		CMD_CFGI_STE, CMD_CFGI_STE_RANGE, CMD_CFGI_CD, CMD_CFGI_CD_ALL, CMD_TLBI_EL2_ALL,
		CMD_TLBI_S12_VMALL, CMD_TLBI_S2_IPA, CMD_TLBI_NSNH_ALL, CMD_PRI_RESP, CMD_RESUME,
	};
	LIST();

	RULE("SMMU-71");
	MAP(self->iova, self->page[0], VM_PAGE);
	for (unsigned int i = 0; i < sizeof(opcodes); i++) {
		smmuv3_cmd_sid(guest_smmuv3_next(&list), opcodes[i], self->device->rid);
		EXPECT_ILLEGAL();
		recover(&self->queue);
	}
	REACHES(self->iova, self->page[0]);
	MAP(self->iova, self->page[1], VM_PAGE);
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, ASID);
	guest_smmuv3_sync(&list);
	QUEUE();
	QUEUE_ATC_INV();
	REACHES(self->iova, self->page[1]);
}

TEST_F(vcmdq, unknown_stream_is_refused)
{
	LIST();

	RULE("SMMU-71");
	smmuv3_cmd_atc_inv(guest_smmuv3_next(&list), self->target.devices[0].rid, 0,
			   CMD_ATC_SIZE_ALL);
	EXPECT_ILLEGAL();
}

/* The error is told to the VMM, who owns the interrupt: struct iommu_vevent_tegra241_cmdqv */
TEST_F(vcmdq, error_is_an_event)
{
	struct {
		struct iommufd_vevent_header header;
		struct iommu_vevent_tegra241_cmdqv data;
	} event = {};
	ssize_t size;
	uint32_t id;
	LIST();
	int fd;

	RULE("SMMU-71");
	ASSERT_EQ(0, __veventq_alloc(&self->vm.iommufd, self->device->viommu_id,
				     IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV, 8, &id, &fd));
	smmuv3_cmd_cfgi_all(guest_smmuv3_next(&list));
	EXPECT_ILLEGAL();
	ASSERT_EQ(0, self->target.ops->service(&self->target));
	size = iommufd_read(fd, &event, sizeof(event));
	close(fd);
	if (!size && !(self->target.has & TARGET_REFERENCE))
		SKIP(return, "command queues have no interrupt here to report errors by");
	EXPECT_EQ(sizeof(event), size);
	EXPECT_EQ(1, event.data.lvcmdq_err_map[0]);
	EXPECT_EQ(0, event.data.lvcmdq_err_map[1]);
}

/* ---- Two VMs ---- */

#define OTHER_REACHES(_page) \
	EXPECT_DMA(self->other_device, &self->other_space, self->iova, _page)
#define OTHER_STALE(_old, _new) do { \
	ASSERT_EQ(0, vm_map(&self->other_space, self->iova, _old, VM_PAGE, RW)); \
	OTHER_REACHES(_old); \
	ASSERT_EQ(0, vm_map(&self->other_space, self->iova, _new, VM_PAGE, RW)); \
	OTHER_REACHES(_old); \
} while (0)

/* That the other's entry stays shows that the command reached its own VM alone (isolation.c). */
TEST_F(vcmdq, vmid_is_that_of_the_interface)
{
	uint64_t old = vm_page(&self->other), new = vm_page(&self->other);
	LIST();

	RULE("SMMU-72");
	for (unsigned int vmid = 0; vmid < 4; vmid++) {
		ASSERT_EQ(0, vm_invalidate_space(&self->space));
		ASSERT_EQ(0, vm_invalidate_space(&self->other_space));
		MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
		OTHER_STALE(old, new);
		smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), vmid, ASID);
		guest_smmuv3_sync(&list);
		QUEUE();
		QUEUE_ATC_INV();
		REACHES(self->iova, self->page[1]);
		OTHER_REACHES(old);
	}
}

/* One guest's queue stands still; the other's goes on. */
TEST_F(vcmdq, error_stops_one_queue)
{
	uint64_t old = vm_page(&self->other), new = vm_page(&self->other);
	LIST();

	RULE("NEST-06");
	OTHER_STALE(old, new);
	smmuv3_cmd_cfgi_all(guest_smmuv3_next(&list));
	EXPECT_ILLEGAL();
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->other_space.domain);
	guest_smmuv3_sync(&list);
	if (self->other_device->ats)
		guest_smmuv3_atc_inv(&list, self->other_device->rid, DMA_NO_PASID, 0, UINT64_MAX);
	guest_smmuv3_sync(&list);
	vmm_smmuv3_vcmdq_push(&self->other_queue, &list);
	ASSERT_EQ(0, vmm_smmuv3_vcmdq_wait(&self->other_queue, NULL));
	OTHER_REACHES(new);
}

/* A device that does not answer stops its guest's queue; if it has an ATC it is fenced as well. */
TEST_F(vcmdq, device_that_does_not_answer)
{
	unsigned int error = 0;
	LIST();

	RULE("SMMU-04");
	NEEDS(&self->target, TARGET_REFERENCE);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	endpoint_behaviour(ref_endpoint(&self->target, 0))->drop_invalidates = true;
	smmuv3_cmd_atc_inv(guest_smmuv3_next(&list), self->device->rid, 0, CMD_ATC_SIZE_ALL);
	guest_smmuv3_sync(&list);
	vmm_smmuv3_vcmdq_push(&self->queue, &list);
	EXPECT_EQ(-EIO, vmm_smmuv3_vcmdq_wait(&self->queue, &error));
	EXPECT_EQ(SMMU_CERROR_ATC_INV_SYNC, error);
	ASSERT_EQ(0, self->target.ops->service(&self->target));
	EXPECT_DMA(self->device, &self->space, self->iova,
		   self->device->ats ? VM_NOWHERE : self->page[0]);
}

/* ---- Allocation: enum iommu_hw_queue_type ---- */

static int alloc(FIXTURE_DATA(vcmdq) *self, unsigned int index, uint64_t iova, uint64_t length,
		 uint32_t *id)
{
	return __hw_queue_alloc(&self->vm.iommufd, self->device->viommu_id,
				IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV, index, iova, length, id);
}

TEST_F(vcmdq, allocation_rules)
{
	uint64_t memory = vm_pages(&self->vm, 16 * VM_PAGE);
	uint32_t id, id2;

	RULE("UAPI-54");
	EXPECT_EQ(-EEXIST, alloc(self, 0, memory, 4096, &id));
	EXPECT_EQ(-EIO, alloc(self, 2, memory, 4096, &id));
	EXPECT_EQ(-EINVAL, alloc(self, 4, memory, 4096, &id));	/* 8 queues, 2 interfaces */
	EXPECT_EQ(-EINVAL, alloc(self, 1, memory, 16, &id));
	EXPECT_EQ(-EINVAL, alloc(self, 1, memory, 2048 + 1024, &id));
	EXPECT_EQ(-EINVAL, alloc(self, 1, memory + 1024, 2048, &id));
	EXPECT_EQ(-ENOENT, alloc(self, 1, 0x10000, 4096, &id));
	EXPECT_EQ(0, alloc(self, 1, memory, 4096, &id));
	EXPECT_EQ(0, alloc(self, 2, memory + 4096, 32, &id2));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, id));
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, id2));
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, id));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->device->viommu_id));
}

/* While hardware reads the queue, its memory stays where it is. */
TEST_F(vcmdq, memory_is_pinned)
{
	RULE("UAPI-57");
	EXPECT_EQ(-EBUSY, vm_s2_unmap(&self->vm, VM_RAM_BASE, VM_RAM_SIZE));
	EXPECT_EQ(0, vmm_smmuv3_vcmdq_close(&self->queue));
	EXPECT_EQ(0, vm_s2_unmap(&self->vm, VM_RAM_BASE, VM_RAM_SIZE));
}

/* Given back with commands pending: nothing reads the memory any more; the next owner is new. */
TEST_F(vcmdq, closed_with_commands_pending)
{
	uint64_t *memory = pages_ptr(&self->vm.mem, self->queue.base);
	LIST();

	RULE("SMMU-73");
	NEEDS(&self->target, TARGET_REFERENCE);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	endpoint_behaviour(ref_endpoint(&self->target, 0))->delay_steps = 50;
	guest_smmuv3_atc_inv(&list, self->device->rid, DMA_NO_PASID, 0, UINT64_MAX);
	guest_smmuv3_sync(&list);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, ASID);
	guest_smmuv3_sync(&list);
	vmm_smmuv3_vcmdq_push(&self->queue, &list);
	EXPECT_EQ(0, vmm_smmuv3_vcmdq_close(&self->queue));
	memset(memory, 0xff, VM_PAGE);
	ASSERT_EQ(0, self->target.ops->service(&self->target));
	ASSERT_EQ(0, vmm_smmuv3_vcmdq_open(self->device, 0, LOG2, &self->queue));
	EXPECT_EQ(0, vmm_smmuv3_vcmdq_read(&self->queue, VCMDQ_CONS));
	list.count = 0;
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, ASID);
	guest_smmuv3_sync(&list);
	QUEUE();
	QUEUE_ATC_INV();
	REACHES(self->iova, self->page[1]);
}

/* A device that has left the VM is not reached by its old name. */
TEST_F(vcmdq, vdevice_destroyed)
{
	LIST();

	RULE("SMMU-64");
	ASSERT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->device->vdevice_id));
	smmuv3_cmd_atc_inv(guest_smmuv3_next(&list), self->device->rid, 0, CMD_ATC_SIZE_ALL);
	EXPECT_ILLEGAL();
}

/* The interface of a VM that has ended serves the next, with that one's VMID. */
TEST_F(vcmdq, interface_used_again)
{
	LIST();

	RULE("NEST-09");
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	open_vm(_metadata, &self->target, &self->vm, 0, self->other_device->ats, &self->device,
		&self->space, &self->queue);
	self->page[0] = vm_page(&self->vm);
	self->page[1] = vm_page(&self->vm);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, ASID);
	guest_smmuv3_sync(&list);
	QUEUE();
	QUEUE_ATC_INV();
	REACHES(self->iova, self->page[1]);
}

NIT_TEST_MAIN
