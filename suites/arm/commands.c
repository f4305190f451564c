// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_HWPT_INVALIDATE of a vIOMMU: which of a guest's commands are let through, in which form,
 * and that as many are reported as handled as are.
 */
#include "arm.h"

#define SMALL_QUEUE 5	/* log2: 32 commands of the hypervisor at a time */

FIXTURE(commands)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t iova;
	uint64_t granule;
	uint64_t page[4];
	uint32_t sid;
	uint16_t asid;
};

FIXTURE_SETUP(commands)
{
	struct smmuv3_config smmu = smmuv3_config_full();
	const struct target_config config = {
		.iommu = &smmu, .any_iommu = true, .dma_optional = true,
	};

	smmu.cmdq_log2 = SMALL_QUEUE;
	smmu.ds = false;
	TARGET_OPEN(&self->target, "arm", &config);
	VM_OPEN(&self->vm, &self->target, &vm_arm, 0);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, true, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->iova = 0x7f1000000000;
	self->granule = VM_PAGE;
	self->sid = self->device->rid;
	self->asid = self->space.domain;
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(commands)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define TYPE IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3

/* Hand @_n commands to the vIOMMU; *@_handled is how many it says it has handled */
#define INVOKE(_cmds, _n, _handled) ({ \
	*(_handled) = _n; \
	__hwpt_invalidate(&self->vm.iommufd, self->device->viommu_id, TYPE, _cmds, 16, _handled); \
})

#define EXPECT_ACCEPTED(...) do { \
	const uint64_t cmd[2] = { __VA_ARGS__ }; \
	uint32_t handled; \
	EXPECT_EQ(0, INVOKE(cmd, 1, &handled)); \
	EXPECT_EQ(1, handled); \
} while (0)

#define EXPECT_REFUSED(...) do { \
	const uint64_t cmd[2] = { __VA_ARGS__ }; \
	uint32_t handled; \
	EXPECT_EQ(-EIO, INVOKE(cmd, 1, &handled)); \
	EXPECT_EQ(0, handled); \
} while (0)

#define SID(_sid) smmu_put(CMD0_SID, _sid)
#define ASID(_asid) smmu_put(CMD0_TLBI_ASID, _asid)
#define VMID(_vmid) smmu_put(CMD0_TLBI_VMID, _vmid)

/* ---- Which ---- */

TEST_F(commands, eight_opcodes_are_let_through)
{
	RULE("SMMU-76");
	EXPECT_ACCEPTED(CMD_TLBI_NSNH_ALL, 0);
	EXPECT_ACCEPTED(CMD_TLBI_NH_ALL, 0);
	EXPECT_ACCEPTED(CMD_TLBI_NH_ASID | ASID(self->asid), 0);
	EXPECT_ACCEPTED(CMD_TLBI_NH_VA | ASID(self->asid), self->iova | CMD1_LEAF);
	EXPECT_ACCEPTED(CMD_TLBI_NH_VAA, self->iova);
	EXPECT_ACCEPTED(CMD_CFGI_CD | SID(self->sid), CMD1_LEAF);
	EXPECT_ACCEPTED(CMD_CFGI_CD_ALL | SID(self->sid), 0);
	if (self->device->ats)
		EXPECT_ACCEPTED(CMD_ATC_INV | SID(self->sid), CMD_ATC_SIZE_ALL);
}

TEST_F(commands, no_other_opcode_is)
{
	static const uint8_t allowed[] = {
		CMD_TLBI_NSNH_ALL, CMD_TLBI_NH_ALL, CMD_TLBI_NH_ASID, CMD_TLBI_NH_VA,
		CMD_TLBI_NH_VAA, CMD_CFGI_CD, CMD_CFGI_CD_ALL, CMD_ATC_INV,
	};

	RULE("SMMU-76");
	for (unsigned int opcode = 0; opcode < 256; opcode++)
		if (!memchr(allowed, opcode, sizeof(allowed)))
			EXPECT_REFUSED(opcode | SID(self->sid), 0);
}

/* Each bit that is none of a command's fields makes it one that is refused. */
TEST_F(commands, reserved_bits_are_refused)
{
	static const struct { uint8_t opcode; uint64_t fields[2]; } forms[] = {
		{ CMD_TLBI_NSNH_ALL, { 0, 0 } },
		{ CMD_TLBI_NH_ALL, { CMD0_TLBI_VMID, 0 } },
		{ CMD_TLBI_NH_ASID, { CMD0_TLBI_VMID | CMD0_TLBI_ASID, 0 } },
		{ CMD_TLBI_NH_VAA, { CMD0_TLBI_VMID | CMD0_TLBI_NUM | SMMU_BITS(24, 20),
				     CMD1_LEAF | CMD1_ADDR | CMD1_TLBI_TG | CMD1_TLBI_TTL } },
		{ CMD_CFGI_CD, { CMD0_SID | CMD0_SSID, CMD1_LEAF } },
		{ CMD_CFGI_CD_ALL, { CMD0_SID, 0 } },
		{ CMD_ATC_INV, { CMD0_SID | CMD0_SSID | CMD0_SSV | CMD0_ATC_GLOBAL,
				 CMD1_ADDR | CMD1_ATC_SIZE } },
	};

	RULE("SMMU-62");
	for (unsigned int i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		uint64_t opcode = forms[i].opcode |
				  (forms[i].fields[0] & CMD0_SSID ? SID(self->sid) : 0);

		for (unsigned int bit = 8; bit < 64; bit++)
			if (!(forms[i].fields[0] >> bit & 1))
				EXPECT_REFUSED(opcode | 1ull << bit, 0);
		for (unsigned int bit = 0; bit < 64; bit++)
			if (!(forms[i].fields[1] >> bit & 1))
				EXPECT_REFUSED(opcode, 1ull << bit);
	}
}

TEST_F(commands, reserved_ranges_are_refused)
{
	uint64_t va = CMD_TLBI_NH_VA | ASID(self->asid);
	const uint64_t num = smmu_put(CMD0_TLBI_NUM, 1), scale = smmu_put(CMD0_TLBI_SCALE, 1);
	const uint64_t tg = smmu_put(CMD1_TLBI_TG, CMD_TLBI_TG_4K);
	const uint64_t ttl = smmu_put(CMD1_TLBI_TTL, 3);

	RULE("SMMU-06");
	EXPECT_ACCEPTED(va | num, tg);
	EXPECT_ACCEPTED(va | scale, tg);
	EXPECT_ACCEPTED(va, tg | ttl);
	EXPECT_REFUSED(va, tg);			/* a granule, and nothing to do with it */
	EXPECT_REFUSED(va | num, 0);		/* a range of no granule */
	EXPECT_REFUSED(va | scale, 0);
	EXPECT_REFUSED(va, ttl);
	EXPECT_REFUSED(va, smmu_put(CMD1_TLBI_TG, CMD_TLBI_TG_16K) | smmu_put(CMD1_TLBI_TTL, 1));
	EXPECT_REFUSED(va | smmu_put(CMD0_TLBI_SCALE, 32), tg);	/* needs IDR5.DS */
}

TEST_F(commands, sizes_beyond_everything_are_refused)
{
	RULE("SMMU-05");
	NEEDS(&self->target, TARGET_ATS);
	EXPECT_ACCEPTED(CMD_ATC_INV | SID(self->sid), CMD_ATC_SIZE_ALL);
	for (unsigned int size = CMD_ATC_SIZE_ALL + 1; size < 64; size++)
		EXPECT_REFUSED(CMD_ATC_INV | SID(self->sid), size);
}

TEST_F(commands, unknown_stream_is_refused)
{
	uint32_t real = self->target.devices[0].rid;

	RULE("SMMU-75");
	ASSERT_NE(real, self->sid);
	EXPECT_REFUSED(CMD_CFGI_CD | SID(real), CMD1_LEAF);
	EXPECT_REFUSED(CMD_CFGI_CD_ALL | SID(real), 0);
	EXPECT_REFUSED(CMD_ATC_INV | SID(real), CMD_ATC_SIZE_ALL);
	EXPECT_REFUSED(CMD_ATC_INV | SID(self->sid | 0x10000), CMD_ATC_SIZE_ALL);
}

/* ---- The call ---- */

TEST_F(commands, empty_list)
{
	uint32_t num = 0;

	RULE("UAPI-30");
	EXPECT_EQ(0, __hwpt_invalidate(&self->vm.iommufd, self->device->viommu_id, TYPE, NULL, 0,
				       &num));
	EXPECT_EQ(-EOPNOTSUPP,
		  __hwpt_invalidate(&self->vm.iommufd, self->device->viommu_id,
				    IOMMU_HWPT_INVALIDATE_DATA_VTD_S1, NULL, 0, &num));
}

/* The nested page table is the guest's CD table: what invalidates is the vIOMMU. */
TEST_F(commands, nested_page_table_takes_none)
{
	uint32_t hwpt = vmm_smmuv3(&self->vm)->streams[0].hwpt_id, num = 1;
	const uint64_t cmd[2] = { CMD_TLBI_NH_ALL, 0 };

	RULE("SMMU-63");
	EXPECT_EQ(-EOPNOTSUPP, __hwpt_invalidate(&self->vm.iommufd, hwpt, TYPE, cmd, 16, &num));
	EXPECT_EQ(0, num);
}

TEST_F(commands, entries_of_other_lengths)
{
	uint64_t cmd[4] = { CMD_TLBI_NH_ASID | ASID(self->asid), 0, 0, 0 };
	uint32_t num = 1;

	RULE("UAPI-34");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	cmd[3] = 1ull << 63;
	EXPECT_EQ(-E2BIG, __hwpt_invalidate(&self->vm.iommufd, self->device->viommu_id, TYPE, cmd,
					    32, &num));
	EXPECT_EQ(0, num);
	FLUSH_ATC();
	STILL_REACHES(self->iova, self->page[0]);
	cmd[3] = 0;
	num = 1;
	EXPECT_EQ(0, __hwpt_invalidate(&self->vm.iommufd, self->device->viommu_id, TYPE, cmd, 32,
				       &num));
	FLUSH_ATC();
	REACHES(self->iova, self->page[1]);
}

/* ---- Progress equals effect ---- */

/* @_n pages, each cached with an old translation, and a TLBI for each */
#define STALE_PAGES(_n, _cmds) do { \
	for (unsigned int i = 0; i < (_n); i++) { \
		MAP_THEN_REMAP(self->iova + i * VM_PAGE, self->page[0], self->page[1]); \
		smmuv3_cmd_tlbi_nh_va((_cmds)[i], 0, self->asid, self->iova + i * VM_PAGE, true); \
	} \
} while (0)

TEST_F(commands, list_longer_than_the_queue)
{
	enum { N = 3 * (1 << SMALL_QUEUE) + 5 };
	uint64_t cmds[N][2];
	uint32_t handled;

	RULE("NEST-05");
	self->device->ats = false;
	STALE_PAGES(N, cmds);
	EXPECT_EQ(0, INVOKE(cmds, N, &handled));
	EXPECT_EQ(N, handled);
	for (unsigned int i = 0; i < N; i++)
		REACHES(self->iova + i * VM_PAGE, self->page[1]);
}

/* A list that just fits with its CMD_SYNC, and one that just does not */
TEST_F(commands, list_as_long_as_the_queue)
{
	uint64_t cmds[1 << SMALL_QUEUE][2];
	uint32_t handled;

	RULE("NEST-05");
	self->device->ats = false;
	for (unsigned int n = (1 << SMALL_QUEUE) - 2; n <= 1 << SMALL_QUEUE; n++) {
		STALE_PAGES(n, cmds);
		EXPECT_EQ(0, INVOKE(cmds, n, &handled));
		EXPECT_EQ(n, handled);
		for (unsigned int i = 0; i < n; i++)
			REACHES(self->iova + i * VM_PAGE, self->page[1]);
		ASSERT_EQ(0, vm_invalidate_space(&self->space));
	}
}

/* Up to the bad one all are done and counted; the bad one is not, and its error is the answer. */
TEST_F(commands, bad_entry_in_the_middle)
{
	enum { N = 48 };
	uint64_t cmds[N][2];
	uint32_t handled;

	RULE("NEST-05");
	self->device->ats = false;
	for (unsigned int bad = 0; bad < N; bad += 11) {
		STALE_PAGES(N, cmds);
		smmuv3_cmd_tlbi_s12_vmall(cmds[bad], 1);
		EXPECT_EQ(-EIO, INVOKE(cmds, N, &handled));
		EXPECT_EQ(bad, handled);
		for (unsigned int i = 0; i < handled; i++)
			REACHES(self->iova + i * VM_PAGE, self->page[1]);
		STILL_REACHES(self->iova + bad * VM_PAGE, self->page[0]);
		ASSERT_EQ(0, vm_invalidate_space(&self->space));
	}
}

/* The VMM's side of it: CONS stands at the command that was refused, what is before it is done. */
TEST_F(commands, guest_sees_how_far_it_came)
{
	struct guest_smmuv3_list list = {};
	unsigned int done;

	RULE("SMMU-12");
	self->device->ats = false;
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	MAP_THEN_REMAP(self->iova + VM_PAGE, self->page[2], self->page[3]);
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, self->asid, self->iova, true);
	guest_smmuv3_sync(&list);
	smmuv3_cmd_tlbi_el2_all(guest_smmuv3_next(&list));
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, self->asid, self->iova + VM_PAGE, true);
	guest_smmuv3_sync(&list);
	EXPECT_EQ(-EIO, vmm_smmuv3_execute(&self->vm, &list, &done));
	EXPECT_EQ(2, done);
	REACHES(self->iova, self->page[1]);
	STILL_REACHES(self->iova + VM_PAGE, self->page[2]);
}

/* The device did not answer the second of three: one is done, and the list says so. */
TEST_F(commands, time_out_in_the_middle)
{
	const uint64_t cmds[3][2] = {
		{ CMD_TLBI_NH_ASID | ASID(self->asid), 0 },
		{ CMD_ATC_INV | SID(self->sid), CMD_ATC_SIZE_ALL },
		{ CMD_TLBI_NH_ALL, 0 },
	};
	uint32_t handled;

	RULE("SMMU-04");
	NEEDS(&self->target, TARGET_KNOBS);
	MAP(self->iova, self->page[0], VM_PAGE);
	REACHES(self->iova, self->page[0]);
	TURN(&self->target, 0, KNOB_NEVER_COMPLETE, true);
	EXPECT_EQ(-ETIMEDOUT, INVOKE(cmds, 3, &handled));
	EXPECT_EQ(1, handled);
	REFUSED(self->iova);
}

/*
 * The hypervisor's own queue stops at a command that it never wrote (7.1): what stands at CONS is
 * spoilt while it waits. The caller hears of it; the queue goes on; the next caller is served.
 */
static void spoil_queue(void *arg)
{
	FIXTURE_DATA(commands) *self = arg;
	struct hw_iommu *smmu = ref_machine(&self->target)->iommus[0];
	uint64_t base = smmu->ops->mmio_read(smmu, SMMU_CMDQ_BASE, 8);
	uint32_t cons = smmu->ops->mmio_read(smmu, SMMU_CMDQ_CONS, 4);
	unsigned int log2size = smmu_get(SMMU_Q_BASE_LOG2SIZE, base);

	hw_write64(smmu->mem, (base & SMMU_Q_BASE_ADDR) +
		   smmu_queue_index(cons, log2size) * SMMU_CMD_SIZE, 0xff);
	vm_write_finish(self->device);
}

TEST_F(commands, queue_error_is_repaired)
{
	const uint64_t cmd[2] = { CMD_TLBI_NH_ASID | ASID(self->asid), 0 };
	uint32_t handled;

	RULE("SMMU-12");
	NEEDS(&self->target, TARGET_REFERENCE | TARGET_WAITING);
	self->device->ats = false;
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	ASSERT_TRUE(vm_write_start(self->device, &self->space, self->iova + 8, 1));
	self->target.ops->waiting(&self->target, spoil_queue, self);
	EXPECT_EQ(-EIO, INVOKE(cmd, 1, &handled));
	EXPECT_EQ(1, handled);
	REACHES(self->iova, self->page[1]);
	MAP(self->iova, self->page[2], VM_PAGE);
	STILL_REACHES(self->iova, self->page[1]);
	EXPECT_ACCEPTED(CMD_TLBI_NH_ASID | ASID(self->asid), 0);
	REACHES(self->iova, self->page[2]);
}

/* CMD_SYNC waits for a request that was translated before: never early. */
static void finish_write(void *arg)
{
	vm_write_finish(arg);
}

TEST_F(commands, completion_waits_for_a_write_in_flight)
{
	static const uint8_t opcodes[] = { CMD_TLBI_NH_ALL, CMD_TLBI_NSNH_ALL };
	uint32_t handled;

	RULE("NEST-01");
	NEEDS(&self->target, TARGET_HELD | TARGET_WAITING);
	self->device->ats = false;
	for (unsigned int i = 0; i < 2; i++) {
		const uint64_t cmd[2] = { opcodes[i], 0 };
		uint64_t *word = (uint64_t *)pages_ptr(&self->vm.mem, self->page[i]) + 1;

		MAP(self->iova, self->page[i], VM_PAGE);
		ASSERT_TRUE(vm_write_start(self->device, &self->space, self->iova + 8, 0x1234));
		MAP(self->iova, self->page[i + 1], VM_PAGE);
		self->target.ops->waiting(&self->target, finish_write, self->device);
		EXPECT_EQ(0, INVOKE(cmd, 1, &handled));
		EXPECT_EQ(0x1234, *word);
	}
}

/* A change of a CD is complete when no request uses the old one any more (3.21.3). */
TEST_F(commands, cfgi_cd_waits_for_a_write_in_flight)
{
	const uint64_t cmd[2] = { CMD_CFGI_CD | SID(self->sid), CMD1_LEAF };
	uint64_t *word = (uint64_t *)pages_ptr(&self->vm.mem, self->page[0]) + 1;
	uint32_t handled;

	RULE("NEST-01");
	NEEDS(&self->target, TARGET_HELD | TARGET_WAITING);
	self->device->ats = false;
	MAP(self->iova, self->page[0], VM_PAGE);
	ASSERT_TRUE(vm_write_start(self->device, &self->space, self->iova + 8, 0x1234));
	guest_smmuv3_cd(&vmm_smmuv3(&self->vm)->guest, self->sid, 0)[0] &= ~CD0_V;
	self->target.ops->waiting(&self->target, finish_write, self->device);
	EXPECT_EQ(0, INVOKE(cmd, 1, &handled));
	EXPECT_EQ(0x1234, *word);
	REFUSED(self->iova);
}

NIT_TEST_MAIN
