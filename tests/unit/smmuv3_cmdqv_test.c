// SPDX-License-Identifier: GPL-2.0-only
/* Tegra241 command queue virtualisation in front of the reference SMMUv3; and threads */
#include <pthread.h>

#include "../../suites/arm/bench.h"

enum { VSID = 0x7, VINTF = 2, LOG2 = 6, QUEUE = 5, LVCMDQ = 1 };

FIXTURE(cmdqv) {
	struct bench b;
	struct bench_stream s;
	uint64_t page;
	uint64_t ring;		/* memory of the guest's queue */
	uint32_t prod;
};

static uint64_t cmdqv_read(struct bench *b, uint64_t reg)
{
	return bench_read(b, SMMUV3_CMDQV_OFFSET + reg, 4);
}

static void cmdqv_write(struct bench *b, uint64_t reg, uint32_t value)
{
	bench_write(b, SMMUV3_CMDQV_OFFSET + reg, 4, value);
}

static void guest_write(struct bench *b, unsigned int reg, uint32_t value)
{
	cmdqv_write(b, CMDQV_LVCMDQ_PAGE0(VINTF, LVCMDQ) + reg, value);
}

static uint32_t guest_read(struct bench *b, unsigned int reg)
{
	return cmdqv_read(b, CMDQV_LVCMDQ_PAGE0(VINTF, LVCMDQ) + reg);
}

/* What a hypervisor does for a guest of VMID; the guest then switches its queue on. */
static void vintf_setup(struct bench *b, uint64_t ring, uint32_t own)
{
	cmdqv_write(b, CMDQV_VINTF(VINTF) + VINTF_CONFIG,
		    smmu_put(VINTF_CONFIG_VMID, VMID) | VINTF_CONFIG_EN | own);
	cmdqv_write(b, CMDQV_VINTF(VINTF) + VINTF_SID_REPLACE(3), SID);
	cmdqv_write(b, CMDQV_VINTF(VINTF) + VINTF_SID_MATCH(3),
		    smmu_put(VINTF_SID_MATCH_VIRT_SID, VSID) | VINTF_SID_MATCH_ENABLE);
	cmdqv_write(b, CMDQV_CMDQ_ALLOC(QUEUE), CMDQV_ALLOC_ALLOCATED |
		    smmu_put(CMDQV_ALLOC_VINTF, VINTF) | smmu_put(CMDQV_ALLOC_LVCMDQ, LVCMDQ));
	bench_write(b, SMMUV3_CMDQV_OFFSET + CMDQV_VCMDQ_PAGE1(QUEUE) + VCMDQ_BASE, 8, ring | LOG2);
	guest_write(b, VCMDQ_CONFIG, VCMDQ_EN);
}

FIXTURE_SETUP(cmdqv)
{
	struct smmuv3_config config = smmuv3_config_full();
	struct bench *b = &self->b;

	config.cmdqv = true;
	config.vcmdq_log2 = 4;
	config.vintf_log2 = 2;
	config.sid_log2 = 4;
	config.atc_timeout = 50;
	config.cmdqv_msi_addr = BENCH_MSI;
	config.cmdqv_msi_data = 0x55;
	bench_setup(b, &config);
	self->s = bench_stream_nested(b);
	self->s.ste1 = smmu_put(STE1_EATS, STE_EATS_FULL);
	self->page = bench_page(b);
	bench_map(&b->s1, VA, BENCH_IPA + self->page, 12, 0);
	bench_stream(b, SID, &self->s);
	self->s.vmid = OTHER_VMID;
	bench_stream(b, OTHER_SID, &self->s);
	endpoint_ats_enable(b->dev, true);
	endpoint_ats_enable(b->other, true);
	self->ring = pages_alloc(&b->pages, 4096);
	self->prod = 0;
	vintf_setup(b, self->ring, 0);
}

FIXTURE_TEARDOWN(cmdqv)
{
	bench_teardown(&self->b);
}

/* The guest puts a command into its queue and rings */
static void guest_issue(FIXTURE_DATA(cmdqv) *self, const uint64_t c[2])
{
	uint64_t pa = self->ring + smmu_queue_index(self->prod, LOG2) * SMMU_CMD_SIZE;

	bench_store(&self->b, pa, c[0]);
	bench_store(&self->b, pa + 8, c[1]);
	self->prod = smmu_queue_next(self->prod, LOG2);
	guest_write(&self->b, VCMDQ_PROD, self->prod);
}

static bool guest_sync(FIXTURE_DATA(cmdqv) *self)
{
	uint64_t c[2];

	smmuv3_cmd_sync(c, CMD_SYNC_CS_NONE, 0, 0);
	guest_issue(self, c);
	for (unsigned int i = 0; i < BENCH_STEPS; i++) {
		if (smmu_queue_empty(guest_read(&self->b, VCMDQ_CONS), self->prod, LOG2))
			return true;
		if (guest_read(&self->b, VCMDQ_GERROR) != guest_read(&self->b, VCMDQ_GERRORN))
			return false;
		machine_step(self->b.machine);
	}
	return false;
}

static unsigned int guest_error(FIXTURE_DATA(cmdqv) *self)
{
	struct bench *b = &self->b;

	return guest_read(b, VCMDQ_GERROR) != guest_read(b, VCMDQ_GERRORN) ?
	       smmu_get(SMMU_CMDQ_CONS_ERR, guest_read(b, VCMDQ_CONS)) : 0;
}

TEST_F(cmdqv, parameters_and_two_ways_to_a_queue)
{
	struct bench *b = &self->b;
	uint64_t param = cmdqv_read(b, CMDQV_PARAM);

	EXPECT_EQ(4, smmu_get(CMDQV_PARAM_NUM_VCMDQ_LOG2, param));
	EXPECT_EQ(2, smmu_get(CMDQV_PARAM_NUM_VINTF_LOG2, param));
	EXPECT_EQ(VINTF_STATUS_ENABLED, cmdqv_read(b, CMDQV_VINTF(VINTF) + VINTF_STATUS));
	EXPECT_EQ(VCMDQ_EN, guest_read(b, VCMDQ_STATUS));
	EXPECT_EQ(VCMDQ_EN, cmdqv_read(b, CMDQV_VCMDQ_PAGE0(QUEUE) + VCMDQ_STATUS));
	EXPECT_EQ(0, cmdqv_read(b, CMDQV_LVCMDQ_PAGE0(VINTF, 0) + VCMDQ_STATUS));
	/* What is not enabled does not start. */
	cmdqv_write(b, CMDQV_VCMDQ_PAGE0(0) + VCMDQ_CONFIG, VCMDQ_EN);
	EXPECT_EQ(0, cmdqv_read(b, CMDQV_VCMDQ_PAGE0(0) + VCMDQ_STATUS));
}

TEST_F(cmdqv, a_guest_invalidates_its_own_vmid_only)
{
	struct bench *b = &self->b;
	uint64_t c[2];
	static const uint16_t named[] = { 0, OTHER_VMID, VMID };

	for (unsigned int i = 0; i < 3; i++) {
		bench_map(&b->s1, VA, BENCH_IPA + self->page, 12, 0);
		EXPECT_EQ(self->page, bench_dma(b->dev, VA));
		EXPECT_EQ(self->page, bench_dma(b->other, VA));
		bench_map(&b->s1, VA, 0, 12, MAP_NONE);
		smmuv3_cmd_tlbi_nh_va(c, named[i], ASID, VA, true);
		guest_issue(self, c);
		EXPECT_EQ(self->page, bench_dma(b->dev, VA));
		EXPECT_TRUE(guest_sync(self));
		EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
		EXPECT_EQ(self->page, bench_dma(b->other, VA));
		smmuv3_cmd_tlbi_nsnh_all(c);
		EXPECT_TRUE(bench_do(b, c));
	}
	smmuv3_cmd_tlbi_nh_asid(c, OTHER_VMID, ASID);
	bench_map(&b->s1, VA, BENCH_IPA + self->page, 12, 0);
	EXPECT_EQ(self->page, bench_dma(b->dev, VA));
	bench_map(&b->s1, VA, 0, 12, MAP_NONE);
	guest_issue(self, c);
	EXPECT_TRUE(guest_sync(self));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->dev, VA));
}

TEST_F(cmdqv, stream_ids_are_replaced)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	EXPECT_EQ(self->page, bench_ats(b->dev, VA));
	EXPECT_EQ(self->page, bench_ats(b->other, VA));
	smmuv3_cmd_atc_inv(c, VSID, VA, 0);
	guest_issue(self, c);
	EXPECT_TRUE(guest_sync(self));
	EXPECT_EQ(0, endpoint_atc_count(b->dev));
	EXPECT_EQ(1, endpoint_atc_count(b->other));
	/* A physical StreamID means nothing to a guest. */
	smmuv3_cmd_atc_inv(c, OTHER_SID, VA, 0);
	guest_issue(self, c);
	EXPECT_EQ(SMMU_CERROR_ILL, guest_error(self));
	machine_settle(b->machine, 10);
	EXPECT_EQ(1, endpoint_atc_count(b->other));
}

TEST_F(cmdqv, a_match_that_is_off_does_not_match)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	EXPECT_EQ(self->page, bench_ats(b->dev, VA));
	cmdqv_write(b, CMDQV_VINTF(VINTF) + VINTF_SID_MATCH(3),
		    smmu_put(VINTF_SID_MATCH_VIRT_SID, VSID));
	smmuv3_cmd_atc_inv(c, VSID, VA, 0);
	guest_issue(self, c);
	EXPECT_EQ(SMMU_CERROR_ILL, guest_error(self));
	EXPECT_EQ(1, endpoint_atc_count(b->dev));
}

TEST_F(cmdqv, other_commands_are_refused_and_the_error_is_mapped)
{
	struct bench *b = &self->b;
	static const enum smmu_opcode refused[] = {
		CMD_TLBI_NH_ALL, CMD_TLBI_NH_VAA, CMD_TLBI_NSNH_ALL, CMD_TLBI_S12_VMALL,
		CMD_TLBI_S2_IPA, CMD_TLBI_EL2_ALL, CMD_CFGI_STE, CMD_CFGI_STE_RANGE, CMD_CFGI_CD,
		CMD_CFGI_CD_ALL, CMD_PRI_RESP, CMD_RESUME, CMD_STALL_TERM, CMD_PREFETCH_CONFIG,
	};

	for (unsigned int i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		uint64_t c[2] = { refused[i], 0 };
		uint32_t at = self->prod;

		b->msis = 0;
		guest_issue(self, c);
		EXPECT_EQ(SMMU_CERROR_ILL, guest_error(self)) {
			TH_LOG("opcode %#x", refused[i]);
		}
		EXPECT_EQ(at, guest_read(b, VCMDQ_CONS) & 0xfffff);
		EXPECT_EQ(1u << VINTF, cmdqv_read(b, CMDQV_VINTF_ERR_MAP));
		EXPECT_EQ(1u << QUEUE, cmdqv_read(b, CMDQV_CMDQ_ERR_MAP(0)));
		EXPECT_EQ(1u << LVCMDQ,
			  cmdqv_read(b, CMDQV_VINTF(VINTF) + VINTF_LVCMDQ_ERR_MAP(0)));
		machine_settle(b->machine, 10);
		EXPECT_EQ(1, b->msis);
		EXPECT_EQ(0x55, b->msi_data);
		EXPECT_TRUE(bench_sync(b));	/* nobody else is stopped */
		self->prod = at;
		guest_write(b, VCMDQ_PROD, at);
		guest_write(b, VCMDQ_GERRORN, guest_read(b, VCMDQ_GERROR));
		EXPECT_EQ(0, cmdqv_read(b, CMDQV_VINTF_ERR_MAP));
		EXPECT_TRUE(guest_sync(self));
	}
}

TEST_F(cmdqv, a_sync_of_a_guest_signals_nothing)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	smmuv3_cmd_sync(c, CMD_SYNC_CS_IRQ, self->page, 1);
	guest_issue(self, c);
	EXPECT_EQ(SMMU_CERROR_ILL, guest_error(self));
	EXPECT_EQ(self->page, bench_load(b, self->page));
}

TEST_F(cmdqv, the_hypervisors_own_queue_takes_everything)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	guest_write(b, VCMDQ_CONFIG, 0);
	vintf_setup(b, self->ring, VINTF_CONFIG_HYP_OWN);
	EXPECT_EQ(self->page, bench_dma(b->other, VA));
	bench_map(&b->s1, VA, 0, 12, MAP_NONE);
	smmuv3_cmd_tlbi_nh_all(c, OTHER_VMID);
	guest_issue(self, c);
	EXPECT_TRUE(guest_sync(self));
	EXPECT_EQ(BENCH_FAULT, bench_dma(b->other, VA));
}

TEST_F(cmdqv, a_time_out_is_the_guests_own)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	endpoint_behaviour(b->dev)->never_complete = true;
	smmuv3_cmd_atc_inv(c, VSID, VA, 0);
	guest_issue(self, c);
	EXPECT_FALSE(guest_sync(self));
	EXPECT_EQ(SMMU_CERROR_ATC_INV_SYNC, guest_error(self));
	EXPECT_TRUE(bench_sync(b));
	EXPECT_EQ(0, bench_error(b));
	guest_write(b, VCMDQ_GERRORN, guest_read(b, VCMDQ_GERROR));
	EXPECT_EQ(self->prod, guest_read(b, VCMDQ_CONS) & 0xfffff);
}

/* What a guest left behind must not hit the next: a CMD_SYNC of the SMMU's own queue flushes it. */
TEST_F(cmdqv, teardown_with_invalidations_pending)
{
	struct bench *b = &self->b;
	uint64_t c[2];

	endpoint_behaviour(b->dev)->never_complete = true;
	smmuv3_cmd_atc_inv(c, VSID, VA, 0);
	guest_issue(self, c);
	guest_write(b, VCMDQ_CONFIG, 0);
	EXPECT_EQ(0, guest_read(b, VCMDQ_STATUS));
	EXPECT_TRUE(bench_sync(b));	/* waits for the time-out */
	guest_write(b, VCMDQ_PROD, 0);
	guest_write(b, VCMDQ_CONS, 0);
	self->prod = 0;
	guest_write(b, VCMDQ_CONFIG, VCMDQ_EN);
	EXPECT_TRUE(guest_sync(self));
	EXPECT_EQ(0, guest_error(self));
}

/* ---- Threads: DMA while tables change and are invalidated ---- */

struct racer {
	struct bench *b;
	struct endpoint *dev;
	uint64_t pages[2];
	bool stop;
	unsigned long wrong;
	unsigned long seen;
};

static void *race(void *arg)
{
	struct racer *racer = arg;

	uint64_t data;

	do {
		data = bench_dma_on(racer->dev, 1, DMA_NO_PASID, DMA_PLAIN, VA);
		racer->seen++;
		racer->wrong += data != racer->pages[0] && data != racer->pages[1];
	} while (!__atomic_load_n(&racer->stop, __ATOMIC_ACQUIRE));
	return NULL;
}

FIXTURE(threads) {
	struct bench b;
};

FIXTURE_SETUP(threads)
{
	bench_setup(&self->b, NULL);
}

FIXTURE_TEARDOWN(threads)
{
	bench_teardown(&self->b);
}

static void run_race(struct __test_metadata *_metadata, struct bench *b, struct bench_stream *s)
{
	struct racer racers[2] = { { .b = b, .dev = b->dev }, { .b = b, .dev = b->other } };
	uint64_t c[2], pages[2] = { bench_page(b), bench_page(b) };
	uint64_t base = s->s2 ? BENCH_IPA : 0, now;
	pthread_t threads[2];

	bench_map(&b->s1, VA, base + pages[0], 12, 0);
	bench_stream(b, SID, s);
	bench_stream(b, OTHER_SID, s);
	for (unsigned int i = 0; i < 2; i++) {
		memcpy(racers[i].pages, pages, sizeof(pages));
		pthread_create(&threads[i], NULL, race, &racers[i]);
	}
	for (unsigned int i = 0; i < 300; i++) {
		now = pages[i & 1];
		bench_map(&b->s1, VA, base + now, 12, 0);
		smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, VA, i & 2);
		bench_put(b, c);
		smmuv3_cmd_cfgi_ste(c, i & 4 ? SID : OTHER_SID, true);
		bench_put(b, c);
		ASSERT_TRUE(bench_sync(b));
		EXPECT_EQ(now, bench_dma(b->dev, VA));
	}
	for (unsigned int i = 0; i < 2; i++) {
		__atomic_store_n(&racers[i].stop, true, __ATOMIC_RELEASE);
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, racers[i].wrong);
		EXPECT_LT(0, racers[i].seen);
	}
}

TEST_F(threads, dma_sees_old_or_new_and_after_the_sync_only_new)
{
	struct bench_stream s = bench_stream_s1(&self->b);

	run_race(_metadata, &self->b, &s);
}

TEST_F(threads, nested)
{
	struct bench_stream s = bench_stream_nested(&self->b);

	run_race(_metadata, &self->b, &s);
}

NIT_TEST_MAIN
