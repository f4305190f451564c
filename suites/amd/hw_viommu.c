// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware vIOMMU: guests' own command buffers and logs, id maps, teardown. Two guests whose
 * DeviceIDs, DomainIDs, PASIDs and addresses are all the same.
 */
#include "bench_guest.h"

#define GVA 0x0000712345678000ULL

static const uint16_t host_domain[] = { DOMAIN0, DOMAIN1 };
static const uint16_t parent_domain[] = { 0x1001, 0x1002 };

FIXTURE(viommu) {
	struct bench b;
	struct pgtable private;
	struct bench_guest guest[2];
	struct pgtable table[2];	/* of PASID1 */
	struct bench_viommu v[2];	/* GuestIDs 2 and 3 */
};

static int open_guest(struct bench *b, struct bench_guest *g, struct pgtable *table,
		      struct bench_viommu *v, unsigned int i)
{
	uint64_t dte[4];

	if (guest_open(g, b, i, 3, 12) || guest_process(g, table, 4, PASID1))
		return -ENOMEM;
	guest_dte(g, dte, host_domain[i], 4);
	dte[3] = AMDVI_DTE3_VIMU_EN | amdvi_put(GDEVICE, AMDVI_DTE3_GDEVICE_ID) |
		 amdvi_put(2 + i, AMDVI_DTE3_GUEST_ID);
	bench_dte(b, endpoint_rid(b->dev[i]), dte);
	viommu_open(v, g, 2 + i, parent_domain[i]);
	viommu_map_device(v, GDEVICE, endpoint_rid(b->dev[i]), true);
	viommu_map_domain(v, GDOMAIN, host_domain[i], true);
	return 0;
}

FIXTURE_SETUP(viommu)
{
	ASSERT_EQ(0, bench_open(&self->b, NULL));
	ASSERT_EQ(0, private_open(&self->b, &self->private));
	for (unsigned int i = 0; i < 2; i++)
		ASSERT_EQ(0, open_guest(&self->b, &self->guest[i], &self->table[i], &self->v[i],
					i));
}

FIXTURE_TEARDOWN(viommu)
{
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	guest_close(&self->guest[0]);
	guest_close(&self->guest[1]);
	bench_close(&self->b);
}

/* Guest @_i uses GVA as number 1 and changes it to number 2: a stale entry. */
#define FILL_AND_CHANGE(_i) do { \
	bench_map(&self->table[_i], GVA, guest_page(&self->guest[_i], 1), 12); \
	EXPECT_EQ(1, bench_read(&self->b, _i, PASID1, GVA)); \
	bench_map(&self->table[_i], GVA, guest_page(&self->guest[_i], 2), 12); \
	EXPECT_EQ(1, bench_read(&self->b, _i, PASID1, GVA)); \
} while (0)

/* ---- Ids go through the guest's own map ---- */

TEST_F(viommu, guest_invalidates_its_own_page)
{
	RULE("AMD-54");
	for (unsigned int i = 0; i < 2; i++) {
		FILL_AND_CHANGE(i);
		viommu_inv_pages(&self->v[i], GDOMAIN, PASID1, amdvi_inv_address(GVA, 12),
				 AMDVI_PAGES1_GN);
		EXPECT_TRUE(viommu_wait(&self->v[i]));
		EXPECT_EQ(2, bench_read(&self->b, i, PASID1, GVA)) TH_LOG("guest %u", i);
	}
}

/* Commands of both are under way together; each wait speaks for its own guest. */
TEST_F(viommu, guests_do_not_wait_for_each_other)
{
	RULE("AMD-54");
	FILL_AND_CHANGE(0);
	FILL_AND_CHANGE(1);
	viommu_inv_pages(&self->v[0], GDOMAIN, PASID1, amdvi_inv_address(GVA, 12),
			 AMDVI_PAGES1_GN);
	viommu_inv_pages(&self->v[1], GDOMAIN, PASID1, amdvi_inv_address(GVA, 12),
			 AMDVI_PAGES1_GN);
	EXPECT_TRUE(viommu_wait(&self->v[1]));
	EXPECT_EQ(2, bench_read(&self->b, 1, PASID1, GVA));
	EXPECT_EQ(0, *guest_word(&self->guest[0], self->v[0].store));
	EXPECT_TRUE(viommu_wait(&self->v[0]));
	EXPECT_EQ(2, bench_read(&self->b, 0, PASID1, GVA));
}

TEST_F(viommu, guest_invalidates_its_device)
{
	uint64_t command[2];

	RULE("AMD-54");
	bench_map(&self->table[0], GVA, guest_page(&self->guest[0], 1), 12);
	EXPECT_EQ(1, bench_read_ats(&self->b, 0, PASID1, GVA));
	bench_map(&self->table[0], GVA, guest_page(&self->guest[0], 2), 12);
	viommu_inv_pages(&self->v[0], GDOMAIN, PASID1, amdvi_inv_address(GVA, 12),
			 AMDVI_PAGES1_GN);
	amdvi_cmd_invalidate_iotlb_pages(command, GDEVICE, GDEVICE, 8, PASID1,
					 amdvi_inv_address(GVA, 12), AMDVI_PAGES1_GN);
	viommu_command(&self->v[0], command);
	EXPECT_TRUE(viommu_wait(&self->v[0]));
	EXPECT_EQ(2, bench_read_ats(&self->b, 0, PASID1, GVA));
}

TEST_F(viommu, guest_completes_its_page_request)
{
	struct hw_page_request request = {
		.has_pasid = true, .pasid = PASID1, .addr = GVA, .index = 4, .last = true,
		.access = HW_READ,
	};
	uint64_t command[2], *entry;

	RULE("AMD-54");
	EXPECT_EQ(0, endpoint_page_request(self->b.dev[1], &request));
	EXPECT_EQ(16, viommu_read(&self->v[1], AMDVI_PPRLOG_TAIL));
	entry = guest_word(&self->guest[1], self->v[1].pprlog);
	EXPECT_EQ(GDEVICE, amdvi_get(entry[0], AMDVI_PPRLOG0_DEVICE_ID));
	EXPECT_EQ(GVA, entry[1]);
	EXPECT_EQ(0, viommu_read(&self->v[0], AMDVI_PPRLOG_TAIL));
	EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_PPRLOG_TAIL));
	amdvi_cmd_complete_ppr_request(command, GDEVICE, true, PASID1, 4, AMDVI_PPR_SUCCESS);
	viommu_command(&self->v[1], command);
	bench_settle(&self->b);
	EXPECT_EQ(0, endpoint_prg_answer(self->b.dev[1], 4));
}

TEST_F(viommu, guest_invalidates_everything_it_has)
{
	uint64_t command[2];

	RULE("AMD-54");
	FILL_AND_CHANGE(0);
	*pgtable_entry(&self->table[0], GVA, 3) = 0;
	amdvi_cmd_invalidate_iommu_all(command);
	viommu_command(&self->v[0], command);
	EXPECT_TRUE(viommu_wait(&self->v[0]));
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, PASID1, GVA));
}

/* ---- Ids that are not in the map ---- */

/* struct unmapped - a command with an id that the guest does not have; the host does */
static const struct unmapped {
	const char *what;
	uint64_t command[2];
} unmapped[] = {
	{ "INVALIDATE_IOMMU_PAGES", { 3ULL << 60 | (uint64_t)DOMAIN1 << 32, AMDVI_INV_ALL_PAGES } },
	{ "INVALIDATE_DEVTAB_ENTRY", { 2ULL << 60 | BENCH_RID1, 0 } },
	{ "INVALIDATE_INTERRUPT_TABLE", { 5ULL << 60 | BENCH_RID1, 0 } },
	{ "INVALIDATE_IOTLB_PAGES", { 4ULL << 60 | (uint64_t)BENCH_RID1 << 32 | BENCH_RID1,
				      AMDVI_INV_ALL_PAGES } },
	{ "COMPLETE_PPR_REQUEST", { 7ULL << 60 | BENCH_RID1, 0 } },
};

TEST_F(viommu, unmapped_id_is_refused)
{
	uint64_t event[2], at;

	RULE("AMD-55");
	for (unsigned int i = 0; i < ARRAY_SIZE(unmapped); i++) {
		at = self->v[0].cmdbuf + self->v[0].tail;
		viommu_command(&self->v[0], unmapped[i].command);
		EXPECT_FALSE(viommu_wait(&self->v[0])) TH_LOG("%s", unmapped[i].what);
		EXPECT_EQ(AMDVI_ILLEGAL_COMMAND_ERROR, viommu_event(&self->v[0], event))
			TH_LOG("%s", unmapped[i].what);
		EXPECT_EQ(at, event[1]);
		EXPECT_EQ(0, viommu_event(&self->v[1], event));
		EXPECT_EQ(0, bench_event(&self->b, event));
		/* Nobody else's queue stands still for it. */
		EXPECT_TRUE(viommu_wait(&self->v[1]));
		EXPECT_TRUE(bench_wait(&self->b));
		viommu_queue(&self->v[0], AMDVI_VFCTRL_CMDBUF, self->v[0].cmdbuf, false);
		viommu_write(&self->v[0], AMDVI_CMDBUF_HEAD, self->v[0].tail);
		viommu_queue(&self->v[0], AMDVI_VFCTRL_CMDBUF, self->v[0].cmdbuf, true);
		EXPECT_TRUE(viommu_wait(&self->v[0]));
	}
}

/*
 * A guest names what belongs to the other, or to the host, by the host's own ids. Counts are
 * exact on reference hardware: nothing is removed, nothing sent.
 */
TEST_F(viommu, unmapped_id_touches_nothing)
{
	uint64_t removed, event[2];

	RULE("AMD-55");
	FILL_AND_CHANGE(1);
	for (unsigned int i = 0; i < ARRAY_SIZE(unmapped); i++) {
		removed = self->b.iommu->counts.removed + self->b.iommu->counts.ats_invalidates;
		viommu_command(&self->v[0], unmapped[i].command);
		EXPECT_FALSE(viommu_wait(&self->v[0]));
		EXPECT_EQ(removed, self->b.iommu->counts.removed +
				   self->b.iommu->counts.ats_invalidates)
			TH_LOG("%s", unmapped[i].what);
		EXPECT_EQ(AMDVI_ILLEGAL_COMMAND_ERROR, viommu_event(&self->v[0], event));
		viommu_queue(&self->v[0], AMDVI_VFCTRL_CMDBUF, self->v[0].cmdbuf, false);
		viommu_write(&self->v[0], AMDVI_CMDBUF_HEAD, self->v[0].tail);
		viommu_queue(&self->v[0], AMDVI_VFCTRL_CMDBUF, self->v[0].cmdbuf, true);
	}
}

/* A command that only the host may give. */
TEST_F(viommu, host_command_is_illegal)
{
	uint64_t command[2], event[2];

	RULE("AMD-55");
	amdvi_cmd_reset_vmmio(command, 3, true, false);
	viommu_command(&self->v[0], command);
	EXPECT_FALSE(viommu_wait(&self->v[0]));
	EXPECT_EQ(AMDVI_ILLEGAL_COMMAND_ERROR, viommu_event(&self->v[0], event));
	EXPECT_TRUE(viommu_wait(&self->v[1]));
}

/* ---- The maps are cached ---- */

/* Another host domain behind the guest's id: relied on only after the maps were invalidated. */
TEST_F(viommu, changed_map_needs_invalidation)
{
	uint64_t dte[4];

	RULE("AMD-56");
	FILL_AND_CHANGE(0);
	viommu_inv_pages(&self->v[0], GDOMAIN, PASID1, amdvi_inv_address(GVA, 12),
			 AMDVI_PAGES1_GN);
	EXPECT_TRUE(viommu_wait(&self->v[0]));
	/* The device gets DOMAIN2; the map of the guest follows. */
	guest_dte(&self->guest[0], dte, DOMAIN2, 4);
	bench_dte(&self->b, BENCH_RID0, dte);
	bench_inv_dte(&self->b, BENCH_RID0);
	viommu_map_domain(&self->v[0], GDOMAIN, DOMAIN2, true);
	bench_inv_pages(&self->b, PRIVATE_DOMAIN, 0,
			amdvi_inv_address(amdvi_domain_map_addr(2, GDOMAIN), 12), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	FILL_AND_CHANGE(0);
	viommu_inv_pages(&self->v[0], GDOMAIN, PASID1, amdvi_inv_address(GVA, 12),
			 AMDVI_PAGES1_GN);
	EXPECT_TRUE(viommu_wait(&self->v[0]));
	EXPECT_EQ(2, bench_read(&self->b, 0, PASID1, GVA));
}

TEST_F(viommu, unmapped_again)
{
	uint64_t event[2];

	RULE("AMD-56");
	viommu_inv_pages(&self->v[0], GDOMAIN, PASID1, amdvi_inv_address(GVA, 12),
			 AMDVI_PAGES1_GN);
	EXPECT_TRUE(viommu_wait(&self->v[0]));
	viommu_map_domain(&self->v[0], GDOMAIN, 0, false);
	bench_inv_pages(&self->b, PRIVATE_DOMAIN, 0,
			amdvi_inv_address(amdvi_domain_map_addr(2, GDOMAIN), 12), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	viommu_inv_pages(&self->v[0], GDOMAIN, PASID1, amdvi_inv_address(GVA, 12),
			 AMDVI_PAGES1_GN);
	EXPECT_FALSE(viommu_wait(&self->v[0]));
	EXPECT_EQ(AMDVI_ILLEGAL_COMMAND_ERROR, viommu_event(&self->v[0], event));
}

/* ---- The guest's memory ---- */

TEST_F(viommu, wait_stores_into_guest_memory)
{
	uint64_t gpa = guest_page(&self->guest[0], 0), command[2];

	RULE("AMD-57");
	amdvi_cmd_completion_wait(command, AMDVI_WAIT0_S, gpa + 8, 0x1122334455667788ULL);
	viommu_command(&self->v[0], command);
	bench_settle(&self->b);
	EXPECT_EQ(0x1122334455667788ULL, guest_word(&self->guest[0], gpa)[1]);
	EXPECT_EQ(0, guest_word(&self->guest[0], gpa)[0]);
}

/* The page with the store moves: after the host's invalidation the new place is written. */
TEST_F(viommu, store_follows_the_nest_parent)
{
	uint64_t gpa = guest_page(&self->guest[0], 0), place = bench_page(&self->b, 0), command[2];

	RULE("AMD-57");
	for (uint64_t data = 1; data <= 2; data++) {
		amdvi_cmd_completion_wait(command, AMDVI_WAIT0_S, gpa, data);
		viommu_command(&self->v[0], command);
		bench_settle(&self->b);
		bench_map(&self->guest[0].s2, gpa, place, 12);
		bench_inv_pages(&self->b, parent_domain[0], 0, amdvi_inv_address(gpa, 12), 0);
		EXPECT_TRUE(bench_wait(&self->b));
	}
	EXPECT_EQ(1, *guest_word(&self->guest[0], gpa));
	EXPECT_EQ(2, *bench_word(&self->b, place));
}

TEST_F(viommu, store_out_of_the_guest_memory)
{
	uint64_t command[2], event[2];

	RULE("AMD-57");
	amdvi_cmd_completion_wait(command, AMDVI_WAIT0_S, self->b.store, 77);
	viommu_command(&self->v[0], command);
	bench_settle(&self->b);
	EXPECT_EQ(AMDVI_COMMAND_HARDWARE_ERROR, viommu_event(&self->v[0], event));
	EXPECT_NE(77, *bench_word(&self->b, self->b.store));
	EXPECT_TRUE(viommu_wait(&self->v[1]));
}

/* A wait of the guest drains like one of the host. */
TEST_F(viommu, wait_drains_dma_in_flight)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .pasid = PASID1, .addr = GVA, .len = 8, .data = &data,
	};

	RULE("AMD-57");
	bench_map(&self->table[0], GVA, guest_page(&self->guest[0], 1), 12);
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->b.dev[0], 1, &dma));
	viommu_inv_pages(&self->v[0], GDOMAIN, PASID1, amdvi_inv_address(GVA, 12),
			 AMDVI_PAGES1_GN);
	EXPECT_FALSE(viommu_wait(&self->v[0]));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->b.dev[0], 1));
	bench_settle(&self->b);
	EXPECT_TRUE(viommu_waited(&self->v[0]));
}

/* A fault in the guest's tables is the guest's event, with the guest's name for the device. */
TEST_F(viommu, guest_fault_is_logged_to_the_guest)
{
	uint64_t event[2];

	RULE("AMD-57");
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, PASID1, GVA));
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, viommu_event(&self->v[0], event));
	EXPECT_EQ(GDEVICE, amdvi_get(event[0], AMDVI_EVENT0_DEVICE_ID));
	EXPECT_EQ(GVA, event[1]);
	EXPECT_NE(0, event[0] & AMDVI_EVENT0_GN);
	EXPECT_EQ(0, viommu_event(&self->v[1], event));
	EXPECT_EQ(0, bench_event(&self->b, event));
}

/* A fault in the nest parent is the host's. */
TEST_F(viommu, host_fault_is_logged_to_the_host)
{
	uint64_t event[2], gpa = guest_page(&self->guest[0], 1);

	RULE("AMD-57");
	bench_map(&self->table[0], GVA, gpa, 12);
	bench_unmap(&self->guest[0].s2, gpa, 12);
	EXPECT_EQ(BENCH_ABORTED, bench_read(&self->b, 0, PASID1, GVA));
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, bench_fault(&self->b, 0, event));
	EXPECT_EQ(gpa, event[1]);
	EXPECT_EQ(0, viommu_event(&self->v[0], event));
}

/* ---- Teardown ---- */

/* Stopped with a wait under way: it never stores, into memory that may be another's by now. */
TEST_F(viommu, stopped_guest_stores_no_more)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .pasid = PASID1, .addr = GVA, .len = 8, .data = &data,
	};

	RULE("AMD-58");
	bench_map(&self->table[0], GVA, guest_page(&self->guest[0], 1), 12);
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->b.dev[0], 1, &dma));
	EXPECT_FALSE(viommu_wait(&self->v[0]));
	viommu_queue(&self->v[0], AMDVI_VFCTRL_CMDBUF, self->v[0].cmdbuf, false);
	EXPECT_EQ(0, viommu_read(&self->v[0], AMDVI_STATUS) & AMDVI_STATUS_CMDBUF_RUN);
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->b.dev[0], 1));
	bench_settle(&self->b);
	EXPECT_FALSE(viommu_waited(&self->v[0]));
	/* Nor does the guest start anything by ringing its doorbell. */
	EXPECT_FALSE(viommu_wait(&self->v[0]));
	EXPECT_TRUE(viommu_wait(&self->v[1]));
}

TEST_F(viommu, reset_with_commands_pending)
{
	uint64_t command[2];

	RULE("AMD-58");
	endpoint_behaviour(self->b.dev[0])->never_complete = true;
	amdvi_cmd_invalidate_iotlb_pages(command, GDEVICE, GDEVICE, 8, PASID1,
					 amdvi_inv_address(GVA, 12), AMDVI_PAGES1_GN);
	viommu_command(&self->v[0], command);
	EXPECT_FALSE(viommu_wait(&self->v[0]));
	amdvi_cmd_reset_vmmio(command, 2, true, false);
	bench_command(&self->b, command);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(0, viommu_read(&self->v[0], AMDVI_CMDBUF_TAIL));
	EXPECT_EQ(0, viommu_read(&self->v[0], AMDVI_STATUS));
	self->b.iommu->ops->ats_complete(self->b.iommu, BENCH_RID0, UINT32_MAX, 1);
	bench_settle(&self->b);
	EXPECT_FALSE(viommu_waited(&self->v[0]));
	EXPECT_TRUE(viommu_wait(&self->v[1]));
}

/* A device of one guest that does not answer: that guest's waits hang, and nobody else's. */
TEST_F(viommu, silent_device_holds_up_its_own_guest)
{
	uint64_t command[2], event[2];

	RULE("AMD-58");
	bench_control(&self->b, AMDVI_CONTROL_INV_TIMEOUT,
		      amdvi_put(AMDVI_INV_TIMEOUT_10MS, AMDVI_CONTROL_INV_TIMEOUT));
	endpoint_behaviour(self->b.dev[0])->never_complete = true;
	amdvi_cmd_invalidate_iotlb_pages(command, GDEVICE, GDEVICE, 8, PASID1,
					 amdvi_inv_address(GVA, 12), AMDVI_PAGES1_GN);
	viommu_command(&self->v[0], command);
	viommu_start_wait(&self->v[0]);
	EXPECT_TRUE(viommu_wait(&self->v[1]));
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_FALSE(viommu_waited(&self->v[0]));
	EXPECT_EQ(AMDVI_IOTLB_INV_TIMEOUT, bench_fault(&self->b, 0, event));
	EXPECT_EQ(AMDVI_IOTLB_INV_TIMEOUT, viommu_event(&self->v[0], event));
	EXPECT_EQ(GDEVICE, amdvi_get(event[0], AMDVI_EVENT0_DEVICE_ID));
	EXPECT_EQ(0, viommu_event(&self->v[1], event));
}

NIT_TEST_MAIN
