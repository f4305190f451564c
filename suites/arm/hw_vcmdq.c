// SPDX-License-Identifier: GPL-2.0-only
/*
 * A command queue that a guest owns (Tegra241 CMDQV), on bare hardware: whatever the guest writes,
 * it reaches its own VMID and its own StreamIDs only, and its errors are its own.
 */
#include "bench.h"

enum { VSID = 0x11, VINTF = 1, LOG2 = 5, QUEUE = 4, LVCMDQ = 0 };

FIXTURE(vcmdq) {
	struct bench b;
	uint64_t page;
	uint64_t ring;
	uint32_t prod;
};

static void cmdqv(struct bench *b, uint64_t reg, uint64_t value)
{
	bench_write(b, SMMUV3_CMDQV_OFFSET + reg, 4, value);
}

static uint32_t guest_read(struct bench *b, unsigned int reg)
{
	return bench_read(b, SMMUV3_CMDQV_OFFSET + CMDQV_LVCMDQ_PAGE0(VINTF, LVCMDQ) + reg, 4);
}

static void guest_write(struct bench *b, unsigned int reg, uint32_t value)
{
	cmdqv(b, CMDQV_LVCMDQ_PAGE0(VINTF, LVCMDQ) + reg, value);
}

static void give_queue(struct bench *b, uint64_t ring)
{
	cmdqv(b, CMDQV_VINTF(VINTF) + VINTF_CONFIG,
	      smmu_put(VINTF_CONFIG_VMID, VMID) | VINTF_CONFIG_EN);
	cmdqv(b, CMDQV_VINTF(VINTF) + VINTF_SID_REPLACE(0), SID);
	cmdqv(b, CMDQV_VINTF(VINTF) + VINTF_SID_MATCH(0),
	      smmu_put(VINTF_SID_MATCH_VIRT_SID, VSID) | VINTF_SID_MATCH_ENABLE);
	cmdqv(b, CMDQV_CMDQ_ALLOC(QUEUE), CMDQV_ALLOC_ALLOCATED |
	      smmu_put(CMDQV_ALLOC_VINTF, VINTF) | smmu_put(CMDQV_ALLOC_LVCMDQ, LVCMDQ));
	bench_write(b, SMMUV3_CMDQV_OFFSET + CMDQV_VCMDQ_PAGE1(QUEUE) + VCMDQ_BASE, 8, ring | LOG2);
	guest_write(b, VCMDQ_CONFIG, VCMDQ_EN);
}

FIXTURE_SETUP(vcmdq)
{
	struct smmuv3_config config = smmuv3_config_full();
	struct bench *b = &self->b;
	struct bench_stream s;

	config.cmdqv = true;
	config.vcmdq_log2 = 3;
	config.vintf_log2 = 1;
	config.sid_log2 = 2;
	config.atc_timeout = 50;
	bench_setup(b, &config);
	s = bench_stream_nested(b);
	s.ste1 = smmu_put(STE1_EATS, STE_EATS_FULL);
	self->page = bench_page(b);
	bench_map(&b->s1, VA, BENCH_IPA + self->page, 12, 0);
	bench_stream(b, SID, &s);
	s.vmid = OTHER_VMID;
	bench_stream(b, OTHER_SID, &s);
	endpoint_ats_enable(b->dev, true);
	endpoint_ats_enable(b->other, true);
	self->ring = pages_alloc(&b->pages, 4096);
	self->prod = 0;
	give_queue(b, self->ring);
}

FIXTURE_TEARDOWN(vcmdq)
{
	bench_teardown(&self->b);
}

static void guest_issue(FIXTURE_DATA(vcmdq) *self, const uint64_t c[2])
{
	uint64_t pa = self->ring + smmu_queue_index(self->prod, LOG2) * SMMU_CMD_SIZE;

	bench_store(&self->b, pa, c[0]);
	bench_store(&self->b, pa + 8, c[1]);
	self->prod = smmu_queue_next(self->prod, LOG2);
	guest_write(&self->b, VCMDQ_PROD, self->prod);
}

static bool guest_failed(FIXTURE_DATA(vcmdq) *self)
{
	return guest_read(&self->b, VCMDQ_GERROR) != guest_read(&self->b, VCMDQ_GERRORN);
}

static bool guest_do(FIXTURE_DATA(vcmdq) *self, const uint64_t c[2])
{
	uint64_t sync[2];

	smmuv3_cmd_sync(sync, CMD_SYNC_CS_NONE, 0, 0);
	guest_issue(self, c);
	guest_issue(self, sync);
	for (unsigned int i = 0; i < BENCH_STEPS && !guest_failed(self); i++) {
		if (smmu_queue_empty(guest_read(&self->b, VCMDQ_CONS), self->prod, LOG2))
			return true;
		machine_step(self->b.machine);
	}
	return false;
}

TEST_F(vcmdq, invalidates_its_own_vmid_whatever_it_names)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-11");
	for (unsigned int i = 0; i < 4; i++) {
		bench_map(&b->s1, VA, BENCH_IPA + self->page, 12, 0);
		EXPECT_EQ(self->page, bench_dma(b->dev, VA));
		bench_map(&b->s1, VA, 0, 12, MAP_NONE);
		EXPECT_EQ(self->page, bench_dma(b->dev, VA));
		if (i & 1)
			smmuv3_cmd_tlbi_nh_asid(c, i & 2 ? OTHER_VMID : 0, ASID);
		else
			smmuv3_cmd_tlbi_nh_va(c, i & 2 ? OTHER_VMID : 0, ASID, VA, true);
		EXPECT_TRUE(guest_do(self, c));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
	}
}

TEST_F(vcmdq, names_devices_by_their_virtual_streamid)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-11");
	EXPECT_EQ(self->page, bench_ats(b->dev, VA));
	bench_map(&b->s1, VA, 0, 12, MAP_NONE);
	smmuv3_cmd_tlbi_nh_va(c, 0, ASID, VA, true);
	EXPECT_TRUE(guest_do(self, c));
	EXPECT_EQ(self->page, bench_ats(b->dev, VA));
	smmuv3_cmd_atc_inv(c, VSID, VA, 0);
	EXPECT_TRUE(guest_do(self, c));
	EXPECT_EQ(BENCH_FAULT, bench_ats(b->dev, VA));
}

TEST_F(vcmdq, reaches_no_device_of_others)
{
	static const uint32_t foreign[] = { SID, OTHER_SID, 0, VSID + 1 };
	uint64_t c[2];

	RULE("SMMU-11");
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t at = self->prod;

		smmuv3_cmd_atc_inv(c, foreign[i], 0, CMD_ATC_SIZE_ALL);
		EXPECT_FALSE(guest_do(self, c));
		EXPECT_EQ(0u, __atomic_load_n(&self->b.smmu->counts.ats_invalidates,
					      __ATOMIC_RELAXED));
		self->prod = at;
		guest_write(&self->b, VCMDQ_PROD, at);
		guest_write(&self->b, VCMDQ_GERRORN, guest_read(&self->b, VCMDQ_GERROR));
	}
}

TEST_F(vcmdq, takes_no_command_of_the_hypervisor)
{
	static const enum smmu_opcode refused[] = {
		CMD_CFGI_STE, CMD_CFGI_STE_RANGE, CMD_CFGI_CD, CMD_TLBI_NSNH_ALL,
		CMD_TLBI_S12_VMALL, CMD_TLBI_S2_IPA, CMD_TLBI_EL2_ALL, CMD_RESUME, CMD_PRI_RESP,
	};
	struct bench *b = &self->b;

	RULE("SMMU-11");
	for (unsigned int i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		uint32_t at = self->prod;

		EXPECT_FALSE(guest_do(self, (uint64_t[2]){ refused[i] }));
		EXPECT_EQ(SMMU_CERROR_ILL, smmu_get(SMMU_CMDQ_CONS_ERR, guest_read(b, VCMDQ_CONS)));
		EXPECT_TRUE(bench_sync(b));
		self->prod = at;
		guest_write(b, VCMDQ_PROD, at);
		guest_write(b, VCMDQ_GERRORN, guest_read(b, VCMDQ_GERROR));
	}
}

TEST_F(vcmdq, a_time_out_stays_the_guests)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-04");
	endpoint_behaviour(b->dev)->never_complete = true;
	smmuv3_cmd_atc_inv(c, VSID, VA, 0);
	EXPECT_FALSE(guest_do(self, c));
	EXPECT_EQ(SMMU_CERROR_ATC_INV_SYNC,
		  smmu_get(SMMU_CMDQ_CONS_ERR, guest_read(b, VCMDQ_CONS)));
	EXPECT_TRUE(bench_sync(b));
}

/* Torn down with commands pending; the next owner of the queue starts clean. */
TEST_F(vcmdq, teardown_with_commands_pending)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	RULE("SMMU-11");
	endpoint_behaviour(b->dev)->never_complete = true;
	smmuv3_cmd_atc_inv(c, VSID, VA, 0);
	guest_issue(self, c);
	machine_settle(b->machine, 100);
	guest_write(b, VCMDQ_CONFIG, 0);
	EXPECT_TRUE(bench_sync(b));
	guest_write(b, VCMDQ_PROD, 0);
	guest_write(b, VCMDQ_CONS, 0);
	self->prod = 0;
	endpoint_behaviour(b->dev)->never_complete = false;
	give_queue(b, self->ring);
	smmuv3_cmd_tlbi_nh_asid(c, 0, ASID);
	EXPECT_TRUE(guest_do(self, c));
}

NIT_TEST_MAIN
