// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices' own caches (ATC): what the guest says of them is forwarded, in the guest's order, and
 * waited for; of devices that answer late, wrongly, twice or never.
 */
#include "arm.h"

FIXTURE(atc)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	struct endpoint *endpoint;
	uint64_t iova;
	uint64_t granule;
	uint64_t page[4];
};

FIXTURE_VARIANT(atc)
{
	uint32_t pasid;
	uint8_t depth;		/* Invalidate Queue Depth */
};

FIXTURE_VARIANT_ADD(atc, rid) { .pasid = DMA_NO_PASID };
FIXTURE_VARIANT_ADD(atc, pasid) { .pasid = 0x105 };
FIXTURE_VARIANT_ADD(atc, rid_depth_1) { .pasid = DMA_NO_PASID, .depth = 1 };
FIXTURE_VARIANT_ADD(atc, pasid_depth_1) { .pasid = 0x105, .depth = 1 };

FIXTURE_SETUP(atc)
{
	const struct target_config config = {
		.ats_queue_depth = variant->depth, .needs = target_needs(true, variant->pasid),
	};

	TARGET_OPEN(&self->target, "arm", &config);
	VM_OPEN(&self->vm, &self->target, &vm_arm, 0);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, true, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->endpoint = ref_endpoint(&self->target, 0);
	self->iova = 0x7f1000000000;
	self->granule = VM_PAGE;
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(atc)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define LIST() struct guest_smmuv3_list list = {}
#define TLBI(_iova, _len) \
	guest_smmuv3_tlbi(&vmm_smmuv3(&self->vm)->guest, &list, self->space.domain, _iova, _len, \
			  true)
#define ATC_INV(_iova, _len) \
	guest_smmuv3_atc_inv(&list, self->device->rid, self->space.pasid, _iova, _len)
#define SYNC() guest_smmuv3_sync(&list)

/* ---- Order ---- */

/* The TLB alone is not enough: the device has its own copy. */
TEST_F(atc, tlbi_leaves_the_atc_alone)
{
	LIST();

	RULE("SMMU-03");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	TLBI(self->iova, VM_PAGE);
	SYNC();
	EXECUTE(&list);
	STILL_REACHES(self->iova, self->page[0]);
	ATC_INV(self->iova, VM_PAGE);
	SYNC();
	EXECUTE(&list);
	REACHES(self->iova, self->page[1]);
}

/* Nor is the ATC alone: it asks the SMMU again, which knows the old translation. */
TEST_F(atc, atc_inv_leaves_the_tlb_alone)
{
	LIST();

	RULE("SMMU-03");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	ATC_INV(self->iova, VM_PAGE);
	SYNC();
	EXECUTE(&list);
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

/** struct refetch - what a device does in the moment between the two: it fetches again */
struct refetch {
	FIXTURE_DATA(atc) *self;
	bool done;
};

static void refetch(void *arg)
{
	struct refetch *moment = arg;
	FIXTURE_DATA(atc) *self = moment->self;

	moment->done = !self->target.ops->prefetch(&self->target, self->device->number,
						   self->space.pasid, self->iova, false);
}

/* In every moment that software waits, and once more in the next one */
static void refetch_always(void *arg)
{
	struct refetch *moment = arg;

	refetch(arg);
	moment->self->target.ops->waiting(&moment->self->target, refetch_always, arg);
}

/* With a CMD_SYNC between them, what it fetches then is new already. */
TEST_F(atc, fetched_again_between_tlbi_and_atc_inv)
{
	struct refetch moment = { self };

	RULE("SMMU-03");
	NEEDS(&self->target, TARGET_WAITING);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	self->target.ops->waiting(&self->target, refetch_always, &moment);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	self->target.ops->waiting(&self->target, NULL, NULL);
	EXPECT_TRUE(moment.done);	/* control */
	REACHES(self->iova, self->page[1]);
}

/* The hypervisor does the same for stage 2, where no guest can. */
TEST_F(atc, fetched_again_during_a_stage2_unmap)
{
	const uint64_t hot = 0x80000000;
	struct refetch moment = { self };

	RULE("NEST-04");
	NEEDS(&self->target, TARGET_WAITING);
	ASSERT_EQ(0, vm_s2_map(&self->vm, hot, self->vm.spare, VM_PAGE, S2_RW));
	MAP(self->iova, hot, VM_PAGE);
	REACHES(self->iova, (uintptr_t)self->vm.spare);
	self->target.ops->waiting(&self->target, refetch_always, &moment);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, hot, VM_PAGE));
	self->target.ops->waiting(&self->target, NULL, NULL);
	REFUSED(self->iova);
}

/* A translation completion that is on its way when the invalidation overtakes it is discarded. */
TEST_F(atc, completion_overtaken)
{
	const struct target_ops *ops = self->target.ops;

	RULE("ATS-02");
	NEEDS(&self->target, TARGET_HELD);
	MAP(self->iova, self->page[0], VM_PAGE);
	ASSERT_EQ(0, ops->prefetch_start(&self->target, self->device->number, self->space.pasid,
					 self->iova, false));
	MAP(self->iova, self->page[1], VM_PAGE);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	EXPECT_EQ(-ECANCELED, ops->prefetch_finish(&self->target, self->device->number));
	REACHES(self->iova, self->page[1]);
}

/* The write was translated with the old page: it has landed when the guest hears of the end. */
static void finish_write(void *arg)
{
	vm_write_finish(arg);
}

TEST_F(atc, translated_write_drained)
{
	uint64_t *word = (uint64_t *)pages_ptr(&self->vm.mem, self->page[0]) + 1;

	RULE("ATS-02");
	NEEDS(&self->target, TARGET_HELD | TARGET_WAITING);
	MAP(self->iova, self->page[0], VM_PAGE);
	REACHES(self->iova, self->page[0]);
	ASSERT_TRUE(vm_write_start(self->device, &self->space, self->iova + 8, 0x1234));
	MAP(self->iova, self->page[1], VM_PAGE);
	self->target.ops->waiting(&self->target, finish_write, self->device);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	EXPECT_EQ(0x1234, *word);
}

TEST_F(atc, untranslated_write_drained)
{
	uint64_t *word = (uint64_t *)pages_ptr(&self->vm.mem, self->page[0]) + 1;

	RULE("SMMU-02");
	NEEDS(&self->target, TARGET_HELD | TARGET_WAITING);
	self->device->ats = false;	/* a request that does not use the ATC */
	MAP(self->iova, self->page[0], VM_PAGE);
	ASSERT_TRUE(vm_write_start(self->device, &self->space, self->iova + 8, 0x1234));
	MAP(self->iova, self->page[1], VM_PAGE);
	self->target.ops->waiting(&self->target, finish_write, self->device);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	EXPECT_EQ(0x1234, *word);
	REACHES(self->iova, self->page[1]);
}

/* ---- Ranges and tags of CMD_ATC_INV (4.5.1) ---- */

TEST_F(atc, range_ends_where_size_says)
{
	LIST();

	RULE("SMMU-55");
	for (unsigned int size = 0; size < 20; size += 3) {
		uint64_t iova = self->iova + size * (1ull << 32), len = VM_PAGE << size;

		MAP_THEN_REMAP(iova, self->page[0], self->page[1]);
		MAP_THEN_REMAP(iova + len, self->page[2], self->page[3]);
		TLBI(iova, VM_PAGE);
		TLBI(iova + len, VM_PAGE);
		SYNC();
		ATC_INV(iova, len);
		SYNC();
		EXECUTE(&list);
		REACHES(iova, self->page[1]);
		STILL_REACHES(iova + len, self->page[2]);
		ATC_INV(iova, 2 * len);
		SYNC();
		EXECUTE(&list);
		REACHES(iova + len, self->page[3]);
	}
}

/* The address is aligned to the size: any page of the range names it. */
TEST_F(atc, address_is_aligned_by_hardware)
{
	LIST();
	uint64_t *c;

	RULE("SMMU-55");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	TLBI(self->iova, VM_PAGE);
	SYNC();
	c = guest_smmuv3_next(&list);
	smmuv3_cmd_atc_inv(c, self->device->rid, self->iova + 5 * VM_PAGE, 3);
	if (self->space.pasid != DMA_NO_PASID)
		smmuv3_cmd_ssid(c, self->space.pasid);
	SYNC();
	EXECUTE(&list);
	REACHES(self->iova, self->page[1]);
}

TEST_F(atc, whole_address_space)
{
	LIST();

	RULE("SMMU-05");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	MAP_THEN_REMAP(0x1000, self->page[2], self->page[3]);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->space.domain);
	SYNC();
	ATC_INV(0, UINT64_MAX);
	EXPECT_EQ(CMD_ATC_SIZE_ALL, smmu_get(CMD1_ATC_SIZE, list.c[list.count - 1][1]));
	SYNC();
	EXECUTE(&list);
	REACHES(self->iova, self->page[1]);
	REACHES(0x1000, self->page[3]);
}

/* Entries with and without a PASID are strangers to each other. */
TEST_F(atc, pasid_is_part_of_the_tag)
{
	uint32_t others[] = { DMA_NO_PASID, 0x105, 0x106 };
	LIST();

	RULE("ATS-10");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	TLBI(self->iova, VM_PAGE);
	SYNC();
	for (unsigned int i = 0; i < 3; i++)
		if (others[i] != self->space.pasid)
			guest_smmuv3_atc_inv(&list, self->device->rid, others[i], 0, UINT64_MAX);
	SYNC();
	EXECUTE(&list);
	STILL_REACHES(self->iova, self->page[0]);
	ATC_INV(self->iova, VM_PAGE);
	SYNC();
	EXECUTE(&list);
	REACHES(self->iova, self->page[1]);
}

/* Global == 1 is every PASID, whichever one is written beside it; not what has none. */
TEST_F(atc, global_is_every_pasid)
{
	LIST();

	RULE("SMMU-05");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	TLBI(self->iova, VM_PAGE);
	SYNC();
	smmuv3_cmd_atc_inv_ssid(guest_smmuv3_next(&list), self->device->rid, 9, true, self->iova,
				0);
	SYNC();
	EXECUTE(&list);
	if (self->space.pasid == DMA_NO_PASID)
		STILL_REACHES(self->iova, self->page[0]);
	else
		REACHES(self->iova, self->page[1]);
}

/* ---- Devices that are slow, or wrong ---- */

TEST_F(atc, late_answer)
{
	RULE("ATS-07");
	NEEDS(&self->target, TARGET_KNOBS);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	TURN(&self->target, self->device->number, KNOB_LATE_STEPS, 100);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

/* More invalidations than the device may have pending: none gets lost. */
TEST_F(atc, more_than_the_device_queues)
{
	const unsigned int pages = 100;
	LIST();

	RULE("ATS-01");
	NEEDS(&self->target, TARGET_KNOBS);
	TURN(&self->target, self->device->number, KNOB_LATE_STEPS, 1);
	for (unsigned int i = 0; i < pages; i++)
		MAP_THEN_REMAP(self->iova + i * VM_PAGE, self->page[0], self->page[1]);
	TLBI(self->iova, pages * VM_PAGE);
	SYNC();
	for (unsigned int i = 0; i < pages; i++)
		ATC_INV(self->iova + i * VM_PAGE, VM_PAGE);
	SYNC();
	EXECUTE(&list);
	for (unsigned int i = 0; i < pages; i++)
		REACHES(self->iova + i * VM_PAGE, self->page[1]);
}

/* A second answer to the same request is nobody's: an error to note, no more. */
TEST_F(atc, answers_twice)
{
	RULE("ATS-01");
	NEEDS(&self->target, TARGET_KNOBS);
	TURN(&self->target, self->device->number, KNOB_COMPLETE_TWICE, true);
	for (unsigned int i = 0; i < 4; i++) {
		MAP_THEN_REMAP(self->iova + i * VM_PAGE, self->page[0], self->page[1]);
		INVALIDATE(self->iova + i * VM_PAGE, VM_PAGE, VM_LEAF_ONLY);
		REACHES(self->iova + i * VM_PAGE, self->page[1]);
	}
}

/* What a device loses is asked for again, or reported: never just done. */
TEST_F(atc, loses_invalidations)
{
	int rc;

	RULE("NEST-07");
	NEEDS(&self->target, TARGET_KNOBS);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	TURN(&self->target, self->device->number, KNOB_LOSE_INVALIDATES, 2);
	rc = vm_invalidate(&self->space, self->iova, VM_PAGE, VM_LEAF_ONLY);
	if (rc) {
		EXPECT_EQ(-ETIMEDOUT, rc);
	} else {
		REACHES(self->iova, self->page[1]);
	}
}

/* ---- Devices that do not answer (3.9.1.4) ---- */

/* Where in host memory the guest's page is */
static uint64_t host_address(FIXTURE_DATA(atc) *self, uint64_t gpa)
{
	struct hw_mem *mem = &ref_machine(&self->target)->mem;

	return mem->base + ((uint8_t *)pages_ptr(&self->vm.mem, gpa) - mem->ram);
}

/* Fenced: neither old nor new, nothing; not even for a device that lies about its enables. */
static void expect_fenced(struct __test_metadata *_metadata, FIXTURE_DATA(atc) *self)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .address = DMA_RAW, .pasid = self->space.pasid,
		.addr = host_address(self, self->page[0]), .len = 8, .data = &data,
	};

	REFUSED(self->iova);
	self->device->ats = false;
	REFUSED(self->iova);
	self->device->ats = true;
	endpoint_ats_enable(self->endpoint, true);
	EXPECT_EQ(DMA_ABORTED, self->target.ops->dma(&self->target, 0, 2, &dma));
}

/* Nothing is reported as done that was not, and the device is fenced. */
#define EXPECT_TIME_OUT_AND_FENCE() do { \
	unsigned int done; \
	LIST(); \
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]); \
	TLBI(self->iova, VM_PAGE); \
	SYNC(); \
	ATC_INV(self->iova, VM_PAGE); \
	SYNC(); \
	EXPECT_EQ(-ETIMEDOUT, vmm_smmuv3_execute(&self->vm, &list, &done)); \
	EXPECT_EQ(2, done);	/* TLBI and CMD_SYNC */ \
	expect_fenced(_metadata, self); \
} while (0)

TEST_F(atc, never_answers)
{
	RULE("SMMU-04");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(self->endpoint)->never_complete = true;
	EXPECT_TIME_OUT_AND_FENCE();
}

TEST_F(atc, ignores_invalidations)
{
	RULE("SMMU-04");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(self->endpoint)->drop_invalidates = true;
	EXPECT_TIME_OUT_AND_FENCE();
}

TEST_F(atc, answers_with_another_itag)
{
	RULE("ATS-01");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(self->endpoint)->wrong_itag = true;
	EXPECT_TIME_OUT_AND_FENCE();
}

/* An unmap that could not be done is not reported as done; the page is out of reach anyway. */
TEST_F(atc, unmap_of_a_device_that_never_answers)
{
	const uint64_t hot = 0x80000000;

	RULE("NEST-07");
	NEEDS(&self->target, TARGET_KNOBS);
	ASSERT_EQ(0, vm_s2_map(&self->vm, hot, self->vm.spare, VM_PAGE, S2_RW));
	MAP(self->iova, hot, VM_PAGE);
	REACHES(self->iova, (uintptr_t)self->vm.spare);
	TURN(&self->target, self->device->number, KNOB_DROP_INVALIDATES, true);
	EXPECT_EQ(-ETIMEDOUT, vm_s2_unmap(&self->vm, hot, VM_PAGE));
	REFUSED(self->iova);
	EXPECT_EQ(0, vm_s2_unmap(&self->vm, hot, VM_PAGE));
}

/* A reset makes a device of it again, with an ATC that holds nothing. */
TEST_F(atc, fenced_until_reset)
{
	RULE("SMMU-56");
	NEEDS(&self->target, TARGET_KNOBS);
	TURN(&self->target, self->device->number, KNOB_DROP_INVALIDATES, true);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	EXPECT_EQ(-ETIMEDOUT, vm_invalidate(&self->space, self->iova, VM_PAGE, VM_LEAF_ONLY));
	REFUSED(self->iova);
	TURN(&self->target, self->device->number, KNOB_DROP_INVALIDATES, false);
	ASSERT_EQ(0, self->target.ops->reset(&self->target, &self->vm.iommufd,
					     self->device->dev_id));
	REACHES(self->iova, self->page[1]);
	MAP(self->iova, self->page[2], VM_PAGE);
	STILL_REACHES(self->iova, self->page[1]);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[2]);
}

/* A late answer to a request that was given up is nobody's; the next request is its own. */
TEST_F(atc, answers_after_the_time_out)
{
	RULE("ATS-01");
	NEEDS(&self->target, TARGET_KNOBS);
	TURN(&self->target, self->device->number, KNOB_LATE_STEPS, 5000);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	EXPECT_EQ(-ETIMEDOUT, vm_invalidate(&self->space, self->iova, VM_PAGE, VM_LEAF_ONLY));
	REFUSED(self->iova);
	TURN(&self->target, self->device->number, KNOB_LATE_STEPS, 0);
	ASSERT_EQ(0, self->target.ops->service(&self->target));
	ASSERT_EQ(0, self->target.ops->reset(&self->target, &self->vm.iommufd,
					     self->device->dev_id));
	MAP_THEN_REMAP(self->iova, self->page[1], self->page[2]);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[2]);
}

/* A device that is reset, or loses ATS, with an invalidation pending has nothing left to forget. */
static void reset_device(void *arg)
{
	FIXTURE_DATA(atc) *self = arg;

	endpoint_behaviour(self->endpoint)->drop_invalidates = false;
	endpoint_flr(self->endpoint);
}

TEST_F(atc, reset_with_an_invalidation_pending)
{
	RULE("ATS-08");
	NEEDS(&self->target, TARGET_REFERENCE | TARGET_WAITING);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	endpoint_behaviour(self->endpoint)->drop_invalidates = true;
	self->target.ops->waiting(&self->target, reset_device, self);
	EXPECT_EQ(-ETIMEDOUT, vm_invalidate(&self->space, self->iova, VM_PAGE, VM_LEAF_ONLY));
	endpoint_bus_master(self->endpoint, true);
	REFUSED(self->iova);
	ASSERT_EQ(0, self->target.ops->reset(&self->target, &self->vm.iommufd,
					     self->device->dev_id));
	REACHES(self->iova, self->page[1]);
}

TEST_F(atc, reset_forgets_the_atc)
{
	RULE("ATS-08");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	ASSERT_EQ(0, self->target.ops->reset(&self->target, &self->vm.iommufd,
					     self->device->dev_id));
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

/* ---- ATS on and off (STE.EATS) ---- */

/* The guest takes EATS away: nothing that the ATC held is used any more, or asked for. */
TEST_F(atc, switched_off_and_on_by_the_guest)
{
	struct guest_smmuv3 *guest = &vmm_smmuv3(&self->vm)->guest;
	uint64_t *ste = guest_smmuv3_ste(guest, self->device->rid);
	LIST();

	RULE("SMMU-57");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	ste[1] &= ~STE1_EATS;
	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), self->device->rid, true);
	TLBI(self->iova, VM_PAGE);
	SYNC();
	EXECUTE(&list);
	REFUSED(self->iova);	/* by way of the ATC */
	self->device->ats = false;
	REACHES(self->iova, self->page[1]);
	ste[1] |= smmu_put(STE1_EATS, STE_EATS_FULL);
	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), self->device->rid, true);
	SYNC();
	EXECUTE(&list);
	self->device->ats = true;
	REACHES(self->iova, self->page[1]);
}

/* An ATC_INV for a device with ATS off has nothing to do, and nobody who would answer. */
TEST_F(atc, invalidation_while_ats_is_off)
{
	struct guest_smmuv3 *guest = &vmm_smmuv3(&self->vm)->guest;
	LIST();

	RULE("ATS-09");
	NEEDS(&self->target, TARGET_REFERENCE);
	guest_smmuv3_ste(guest, self->device->rid)[1] &= ~STE1_EATS;
	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), self->device->rid, true);
	SYNC();
	endpoint_behaviour(self->endpoint)->drop_invalidates = true;
	ATC_INV(self->iova, VM_PAGE);
	SYNC();
	EXECUTE(&list);
	self->device->ats = false;
	MAP(self->iova, self->page[0], VM_PAGE);
	REACHES(self->iova, self->page[0]);
}

/* ---- Two devices that share an address space ---- */

#define ADD_SECOND(_second) do { \
	NEEDS_DEVICES(&self->target, 2); \
	ASSERT_EQ(0, vm_add_device(&self->vm, 1, true, &(_second))); \
	ASSERT_EQ(0, vm_attach(_second, &self->space)); \
} while (0)

TEST_F(atc, both_devices)
{
	struct vm_device *second;

	RULE("SMMU-58");
	ADD_SECOND(second);
	MAP(self->iova, self->page[0], VM_PAGE);
	REACHES(self->iova, self->page[0]);
	EXPECT_DMA(second, &self->space, self->iova, self->page[0]);
	MAP(self->iova, self->page[1], VM_PAGE);
	STILL_REACHES(self->iova, self->page[0]);
	EXPECT_STALE(second, &self->space, self->iova, self->page[0]);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
	EXPECT_DMA(second, &self->space, self->iova, self->page[1]);
}

TEST_F(atc, unmap_of_stage2_reaches_both_devices)
{
	const uint64_t hot = 0x80000000;
	struct vm_device *second;

	RULE("NEST-08");
	ADD_SECOND(second);
	ASSERT_EQ(0, vm_s2_map(&self->vm, hot, self->vm.spare, VM_PAGE, S2_RW));
	MAP(self->iova, hot, VM_PAGE);
	REACHES(self->iova, (uintptr_t)self->vm.spare);
	EXPECT_DMA(second, &self->space, self->iova, (uintptr_t)self->vm.spare);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, hot, VM_PAGE));
	REFUSED(self->iova);
	EXPECT_NO_DMA(second, &self->space, self->iova);
}

/* One does not answer: the other is served, and its cache is clean all the same. */
TEST_F(atc, one_of_two_never_answers)
{
	struct vm_device *second;

	RULE("SMMU-04");
	NEEDS(&self->target, TARGET_KNOBS);
	ADD_SECOND(second);
	MAP(self->iova, self->page[0], VM_PAGE);
	REACHES(self->iova, self->page[0]);
	EXPECT_DMA(second, &self->space, self->iova, self->page[0]);
	MAP(self->iova, self->page[1], VM_PAGE);
	EXPECT_STALE(second, &self->space, self->iova, self->page[0]);
	TURN(&self->target, self->device->number, KNOB_DROP_INVALIDATES, true);
	EXPECT_EQ(-ETIMEDOUT, vm_invalidate(&self->space, self->iova, VM_PAGE, VM_LEAF_ONLY));
	REFUSED(self->iova);
	EXPECT_DMA(second, &self->space, self->iova, self->page[1]);
	MAP(self->iova, self->page[2], VM_PAGE);
	EXPECT_STALE(second, &self->space, self->iova, self->page[1]);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	EXPECT_DMA(second, &self->space, self->iova, self->page[2]);
}

NIT_TEST_MAIN
