// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices' own caches: invalidated after the IOTLB, waited for, and of devices that answer late,
 * wrongly, twice or never. The guest sends no device-TLB commands: the hypervisor makes its own.
 */
#include "intel.h"

FIXTURE(device_tlb)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	struct endpoint *endpoint;
	uint64_t iova;
	uint64_t page[4];
	unsigned int resets;
};

FIXTURE_VARIANT(device_tlb)
{
	uint32_t pasid;
	uint8_t depth;		/* Invalidate Queue Depth */
};

FIXTURE_VARIANT_ADD(device_tlb, rid) { .pasid = DMA_NO_PASID };
FIXTURE_VARIANT_ADD(device_tlb, pasid) { .pasid = 0x1005 };
FIXTURE_VARIANT_ADD(device_tlb, rid_depth_1) { .pasid = DMA_NO_PASID, .depth = 1 };
FIXTURE_VARIANT_ADD(device_tlb, pasid_depth_1) { .pasid = 0x1005, .depth = 1 };

FIXTURE_SETUP(device_tlb)
{
	const struct target_config config = {
		.ats_queue_depth = variant->depth, .needs = target_needs(true, variant->pasid),
		.iommu = &vtd_config_full, .any_iommu = true,	/* times out soon */
	};

	TARGET_OPEN(&self->target, "intel", &config);
	VM_OPEN(&self->vm, &self->target, &vm_intel, 0);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, true, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->endpoint = ref_endpoint(&self->target, 0);
	self->iova = 0x7f1200000000;
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(device_tlb)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

/* Only the IOTLB, in the guest's words; what an endpoint caches is the hypervisor's business */
static int invalidate(FIXTURE_DATA(device_tlb) *self, uint64_t iova, uint64_t len)
{
	struct guest_vtd *guest = &vmm_vtd(&self->vm)->guest;
	struct guest_vtd_list list = {};
	int rc;

	guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space), iova, len, true);
	guest_vtd_wait(guest, &list);
	rc = vmm_vtd_execute(&self->vm, &list, NULL);
	return rc || guest_vtd_waited(guest) ? rc : -ETIMEDOUT;
}

TEST_F(device_tlb, invalidated_with_the_iotlb)
{
	RULE("VTD-40");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	if (self->endpoint)
		EXPECT_NE(0, endpoint_atc_count(self->endpoint));
	EXPECT_EQ(0, invalidate(self, self->iova, PAGE));
	REACHES(self->iova, self->page[1]);
}

/* The moments that the order is for: the device fetches again whenever software has to wait. */
struct refetch {
	FIXTURE_DATA(device_tlb) *self;
	unsigned int times;
};

static void refetch_now(void *arg)
{
	struct refetch *refetch = arg;
	FIXTURE_DATA(device_tlb) *self = refetch->self;

	refetch->times += !self->target.ops->prefetch(&self->target, self->device->number,
						      self->space.pasid, self->iova, false);
	if (refetch->times < 16)
		self->target.ops->waiting(&self->target, refetch_now, arg);
}

TEST_F(device_tlb, fetched_again_between_iotlb_and_device)
{
	struct refetch moments = { self };

	RULE("VTD-09");
	NEEDS(&self->target, TARGET_WAITING);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	self->target.ops->waiting(&self->target, refetch_now, &moments);
	EXPECT_EQ(0, invalidate(self, self->iova, PAGE));
	EXPECT_LT(1U, moments.times);	/* control */
	self->target.ops->waiting(&self->target, NULL, NULL);
	REACHES(self->iova, self->page[1]);
}

/* Pages on both sides of an alignment: the message names a power of two that has them all. */
TEST_F(device_tlb, range_that_straddles)
{
	const uint64_t first = self->iova + SIZE_2M - PAGE;

	RULE("ATS-04");
	MAP_THEN_REMAP(first, self->page[0], self->page[1]);
	MAP_THEN_REMAP(first + PAGE, self->page[2], self->page[3]);
	EXPECT_EQ(0, invalidate(self, first, 2 * PAGE));
	REACHES(first, self->page[1]);
	REACHES(first + PAGE, self->page[3]);
}

/* A translation completion that is on its way when the invalidation overtakes it is discarded. */
TEST_F(device_tlb, completion_overtaken)
{
	const struct target_ops *ops = self->target.ops;

	RULE("ATS-02");
	NEEDS(&self->target, TARGET_HELD);
	MAP(self->iova, self->page[0], PAGE);
	ASSERT_EQ(0, ops->prefetch_start(&self->target, self->device->number, self->space.pasid,
					 self->iova, false));
	MAP(self->iova, self->page[1], PAGE);
	EXPECT_EQ(0, invalidate(self, self->iova, PAGE));
	EXPECT_EQ(-ECANCELED, ops->prefetch_finish(&self->target, self->device->number));
	REACHES(self->iova, self->page[1]);
}

/* A device that takes its time is waited for. */
TEST_F(device_tlb, late_answer)
{
	RULE("ATS-07");
	NEEDS(&self->target, TARGET_KNOBS);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	TURN(&self->target, self->device->number, KNOB_LATE_STEPS, 100);
	EXPECT_EQ(0, invalidate(self, self->iova, PAGE));
	REACHES(self->iova, self->page[1]);
}

/* More invalidations than the device may have pending: none gets lost. */
TEST_F(device_tlb, more_than_the_device_queues)
{
	struct guest_vtd_list list = {};
	const unsigned int pages = 100;

	RULE("ATS-06");
	NEEDS(&self->target, TARGET_KNOBS);
	TURN(&self->target, self->device->number, KNOB_LATE_STEPS, 1);
	for (unsigned int i = 0; i < pages; i++) {
		MAP_THEN_REMAP(self->iova + i * PAGE, self->page[0], self->page[1]);
		guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space),
				     self->iova + i * PAGE, PAGE, true);
	}
	EXECUTE(&list);
	for (unsigned int i = 0; i < pages; i++)
		REACHES(self->iova + i * PAGE, self->page[1]);
}

/* A second answer to the same request is nobody's: an error to note, no more. */
TEST_F(device_tlb, answers_twice)
{
	RULE("VTD-12");
	NEEDS(&self->target, TARGET_KNOBS);
	TURN(&self->target, self->device->number, KNOB_COMPLETE_TWICE, true);
	for (unsigned int i = 0; i < 4; i++) {
		MAP_THEN_REMAP(self->iova + i * PAGE, self->page[0], self->page[1]);
		EXPECT_EQ(0, invalidate(self, self->iova + i * PAGE, PAGE));
		REACHES(self->iova + i * PAGE, self->page[1]);
	}
}

/* What a device loses is asked for again, or reported: never just done. */
TEST_F(device_tlb, loses_invalidations)
{
	int rc;

	RULE("NEST-07");
	NEEDS(&self->target, TARGET_KNOBS);
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	TURN(&self->target, self->device->number, KNOB_LOSE_INVALIDATES, 2);
	rc = invalidate(self, self->iova, PAGE);
	if (rc) {
		EXPECT_EQ(-ETIMEDOUT, rc);
	} else {
		REACHES(self->iova, self->page[1]);
	}
}

/* ---- Devices that do not answer ---- */

/* Nobody is told that it was done, and the device is fenced: neither old nor new, nothing. */
static void expect_fenced(struct __test_metadata *_metadata, FIXTURE_DATA(device_tlb) *self,
			  uint64_t raw)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .address = DMA_RAW, .pasid = self->space.pasid, .addr = raw,
		.len = 8, .data = &data,
	};

	REFUSED(self->iova);
	self->device->ats = false;
	REFUSED(self->iova);
	self->device->ats = true;
	endpoint_ats_enable(self->endpoint, true);	/* a device that lies about its enables */
	EXPECT_EQ(DMA_ABORTED, self->target.ops->dma(&self->target, 0, 2, &dma));
}

/* Where in host memory the guest's page is */
static uint64_t host_address(FIXTURE_DATA(device_tlb) *self, uint64_t gpa)
{
	struct hw_mem *mem = &ref_machine(&self->target)->mem;

	return mem->base + ((uint8_t *)pages_ptr(&self->vm.mem, gpa) - mem->ram);
}

#define EXPECT_TIME_OUT_AND_FENCE() do { \
	uint64_t raw = host_address(self, self->page[0]); \
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]); \
	EXPECT_EQ(-ETIMEDOUT, invalidate(self, self->iova, PAGE)); \
	EXPECT_FALSE(guest_vtd_waited(&vmm_vtd(&self->vm)->guest)); \
	expect_fenced(_metadata, self, raw); \
} while (0)

TEST_F(device_tlb, never_answers)
{
	RULE("VTD-49");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(self->endpoint)->never_complete = true;
	EXPECT_TIME_OUT_AND_FENCE();
}

TEST_F(device_tlb, ignores_invalidations)
{
	RULE("VTD-49");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(self->endpoint)->drop_invalidates = true;
	EXPECT_TIME_OUT_AND_FENCE();
}

TEST_F(device_tlb, answers_with_another_itag)
{
	RULE("VTD-12");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(self->endpoint)->wrong_itag = true;
	EXPECT_TIME_OUT_AND_FENCE();
}

TEST_F(device_tlb, answers_too_few_times)
{
	RULE("ATS-01");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(self->endpoint)->short_count = true;
	EXPECT_TIME_OUT_AND_FENCE();
}

/* Attach another nested page table, in one call of the VMM */
static int replace_hwpt(FIXTURE_DATA(device_tlb) *self)
{
	struct iommu_hwpt_vtd_s1 data = { .pgtbl_addr = self->space.stage1.root, .addr_width = 48 };
	uint32_t id;
	int rc = __hwpt_alloc_data(&self->vm.iommufd, self->device->dev_id, self->vm.parent,
				   IOMMU_HWPT_ALLOC_PASID, 0, IOMMU_HWPT_DATA_VTD_S1, &data,
				   sizeof(data), &id);

	return rc ?: self->target.ops->attach(&self->target, &self->vm.iommufd,
					      self->device->dev_id, self->space.pasid, id);
}

/* An unmap that could not be done is not reported as done; the page is out of reach, though. */
TEST_F(device_tlb, unmap_of_a_device_that_never_answers)
{
	const uint64_t hot = 0x80000000;

	RULE("VTD-49");
	NEEDS(&self->target, TARGET_REFERENCE);
	ASSERT_EQ(0, vm_s2_map(&self->vm, hot, self->vm.spare, PAGE, S2_RW));
	MAP(self->iova, hot, PAGE);
	REACHES(self->iova, (uintptr_t)self->vm.spare);
	endpoint_behaviour(self->endpoint)->drop_invalidates = true;
	EXPECT_EQ(-ETIMEDOUT, vm_s2_unmap(&self->vm, hot, PAGE));
	REFUSED(self->iova);
	EXPECT_EQ(0, vm_s2_unmap(&self->vm, hot, PAGE));
}

/* What cannot be taken away properly is not replaced: the device is left with nothing. */
TEST_F(device_tlb, replacement_for_a_device_that_never_answers)
{
	RULE("VTD-49");
	NEEDS(&self->target, TARGET_REFERENCE);
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	endpoint_behaviour(self->endpoint)->drop_invalidates = true;
	EXPECT_EQ(-ETIMEDOUT, replace_hwpt(self));
	REFUSED(self->iova);
	endpoint_behaviour(self->endpoint)->drop_invalidates = false;
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	REACHES(self->iova, self->page[0]);
}

/* Reset behind the hypervisor's back, with the request taken and not answered: it never will be. */
static void reset_now(void *arg)
{
	FIXTURE_DATA(device_tlb) *self = arg;

	if (endpoint_atc_count(self->endpoint) && self->resets++ < 1)
		self->target.ops->waiting(&self->target, reset_now, self);
	else
		endpoint_flr(self->endpoint);
}

TEST_F(device_tlb, reset_with_an_invalidation_pending)
{
	RULE("ATS-08");
	NEEDS(&self->target, TARGET_REFERENCE | TARGET_WAITING);
	endpoint_behaviour(self->endpoint)->delay_steps = 50;
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	self->target.ops->waiting(&self->target, reset_now, self);
	EXPECT_EQ(-ETIMEDOUT, invalidate(self, self->iova, PAGE));
	REFUSED(self->iova);
	RESET();
	REACHES(self->iova, self->page[1]);
}

/* A reset makes a device of it again. */
TEST_F(device_tlb, fenced_until_reset)
{
	RULE("VTD-49");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(self->endpoint)->drop_invalidates = true;
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	EXPECT_EQ(-ETIMEDOUT, invalidate(self, self->iova, PAGE));
	REFUSED(self->iova);
	endpoint_behaviour(self->endpoint)->drop_invalidates = false;
	RESET();
	REACHES(self->iova, self->page[1]);
	MAP(self->iova, self->page[2], PAGE);
	STILL_REACHES(self->iova, self->page[1]);
	EXPECT_EQ(0, invalidate(self, self->iova, PAGE));
	REACHES(self->iova, self->page[2]);
}

/* So does taking it out of service and putting it in again: nothing of before is left. */
TEST_F(device_tlb, fenced_until_detached)
{
	RULE("VTD-49");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(self->endpoint)->drop_invalidates = true;
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	EXPECT_EQ(-ETIMEDOUT, invalidate(self, self->iova, PAGE));
	endpoint_behaviour(self->endpoint)->drop_invalidates = false;
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	REFUSED(self->iova);
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	REACHES(self->iova, self->page[1]);
}

/* ---- Two devices that share an address space ---- */

static int add_second(FIXTURE_DATA(device_tlb) *self, struct vm_device **second)
{
	int rc = vm_add_device(&self->vm, 1, true, second);

	return rc ?: vm_attach(*second, &self->space);
}

TEST_F(device_tlb, both_devices)
{
	struct vm_device *second;

	RULE("VTD-50");
	NEEDS_DEVICES(&self->target, 2);
	ASSERT_EQ(0, add_second(self, &second));
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	EXPECT_DMA(second, &self->space, self->iova, self->page[0]);
	MAP(self->iova, self->page[1], PAGE);
	STILL_REACHES(self->iova, self->page[0]);
	EXPECT_STALE(second, &self->space, self->iova, self->page[0]);
	EXPECT_EQ(0, invalidate(self, self->iova, PAGE));
	REACHES(self->iova, self->page[1]);
	EXPECT_DMA(second, &self->space, self->iova, self->page[1]);
}

/* One does not answer: the other is served, and its cache is clean all the same. */
TEST_F(device_tlb, one_of_two_never_answers)
{
	struct vm_device *second;

	RULE("NEST-07");
	NEEDS(&self->target, TARGET_REFERENCE);
	NEEDS_DEVICES(&self->target, 2);
	ASSERT_EQ(0, add_second(self, &second));
	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	EXPECT_DMA(second, &self->space, self->iova, self->page[0]);
	MAP(self->iova, self->page[1], PAGE);
	EXPECT_STALE(second, &self->space, self->iova, self->page[0]);
	endpoint_behaviour(self->endpoint)->drop_invalidates = true;
	EXPECT_EQ(-ETIMEDOUT, invalidate(self, self->iova, PAGE));
	REFUSED(self->iova);
	EXPECT_DMA(second, &self->space, self->iova, self->page[1]);
	MAP(self->iova, self->page[2], PAGE);
	EXPECT_STALE(second, &self->space, self->iova, self->page[1]);
	EXPECT_EQ(0, invalidate(self, self->iova, PAGE));
	EXPECT_DMA(second, &self->space, self->iova, self->page[2]);
}

NIT_TEST_MAIN
