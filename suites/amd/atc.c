// SPDX-License-Identifier: GPL-2.0-only
/* Devices with an ATC: the order of invalidations, requests in flight, devices that misbehave. */
#include "vm_fixture.h"

NESTED_VARIANTS_ATS;
NESTED(rid_ats_gcr3_2_levels, DMA_NO_PASID, true, .glx = 1);
NESTED(hw_pasid_ats, 0x1a5, true, .hw = true);

static struct endpoint *endpoint_of(struct target *target, const struct vm_device *device)
{
	return ref_endpoint(target, device->number);
}

/* What went wrong, where software mode says it with an error and hardware mode with an event */
static bool is_fault(struct vm *vm, int rc)
{
	return rc == -ETIMEDOUT || (vmm_amdvi(vm)->config.hw && rc);
}

TEST_F(nested, both_caches_are_real)
{
	RULE("AMD-08");
	struct guest_amdvi_list pages = {}, iotlb = {};
	uint32_t pasid = pasid_of(&self->space);

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	guest_amdvi_pages(&pages, self->space.domain, pasid, self->iova, PAGE, true);
	ISSUE(&self->vm, &pages);
	STILL_REACHES(self->iova, self->page[0]);	/* the ATC has it yet */
	atc(&iotlb, self->device, pasid, self->iova, PAGE);
	ISSUE(&self->vm, &iotlb);
	REACHES(self->iova, self->page[1]);
}

/* The ATC first: it fetches the old translation again, and only the right order helps. */
TEST_F(nested, wrong_order_is_no_invalidation)
{
	RULE("NEST-04");
	struct guest_amdvi_list iotlb = {}, pages = {};
	uint32_t pasid = pasid_of(&self->space);

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	atc(&iotlb, self->device, pasid, self->iova, PAGE);
	ISSUE(&self->vm, &iotlb);
	STILL_REACHES(self->iova, self->page[0]);
	guest_amdvi_pages(&pages, self->space.domain, pasid, self->iova, PAGE, true);
	ISSUE(&self->vm, &pages);
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

struct moment {
	struct vm_device *device;
	struct vm_space *space;
	uint64_t iova;
	uint64_t seen;
	bool waited;
};

static void fetch_again(void *arg)
{
	struct moment *moment = arg;

	moment->seen = vm_read(moment->device, moment->space, moment->iova);
}

/* While the hypervisor waits, the device asks for the page again. */
TEST_F(nested, fetched_again_during_the_wait)
{
	RULE("AMD-08");
	NEEDS(&self->target, TARGET_WAITING);
	struct moment moment = { self->device, &self->space, self->iova };

	for (unsigned int i = 0; i < 3; i++) {
		MAP_THEN_REMAP(self->iova, self->page[i], self->page[i + 1]);
		self->target.ops->waiting(&self->target, fetch_again, &moment);
		INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
		EXPECT_TRUE(moment.seen == self->page[i] || moment.seen == self->page[i + 1]);
		REACHES(self->iova, self->page[i + 1]);
	}
}

/* The same when stage 2 changes: the IOTLB is clean before the ATC is told. */
TEST_F(nested, fetched_again_while_stage_2_is_unmapped)
{
	RULE("NEST-04");
	NEEDS(&self->target, TARGET_WAITING);
	struct moment moment = { self->device, &self->space, self->iova };

	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, WINDOW, PAGE);
	REACHES(self->iova, spare_name(&self->vm, 0));
	self->target.ops->waiting(&self->target, fetch_again, &moment);
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	EXPECT_TRUE(moment.seen == spare_name(&self->vm, 0) || moment.seen == VM_NOWHERE);
	REFUSED(self->iova);
}

static void finish_held(void *arg)
{
	struct moment *moment = arg;

	moment->waited = guest_amdvi_waited(guest_of(moment->device->vm));
	moment->seen = vm_read_finish(moment->device);
}

/* A translated request on its way: the device answers, and the guest's wait stores, after it. */
TEST_F(nested, waits_for_requests_in_flight)
{
	RULE("ATS-02");
	NEEDS(&self->target, TARGET_HELD | TARGET_WAITING);
	struct moment moment = { self->device, .waited = true };

	MAP(self->iova, self->page[0], PAGE);
	ASSERT_TRUE(vm_read_start(self->device, &self->space, self->iova));
	MAP(self->iova, self->page[1], PAGE);
	self->target.ops->waiting(&self->target, finish_held, &moment);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	EXPECT_FALSE(moment.waited);
	EXPECT_EQ(self->page[0], moment.seen);
	REACHES(self->iova, self->page[1]);
}

/* A translation completion that the invalidation overtakes does not get into the ATC. */
TEST_F(nested, translation_on_its_way)
{
	RULE("ATS-02");
	NEEDS(&self->target, TARGET_HELD);
	const struct target_ops *ops = self->target.ops;

	MAP(self->iova, self->page[0], PAGE);
	ASSERT_EQ(0, ops->prefetch_start(&self->target, self->device->number, variant->pasid,
					 self->iova, false));
	MAP(self->iova, self->page[1], PAGE);
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	ops->prefetch_finish(&self->target, self->device->number);
	REACHES(self->iova, self->page[1]);
}

TEST_F(nested, every_size_of_atc_range)
{
	RULE("AMD-04");
	struct guest_amdvi_list list;

	for (unsigned int shift = 13; shift < 39; shift += 2) {
		uint64_t first = self->iova & ~((1ULL << shift) - 1);
		uint64_t last = first + (1ULL << shift) - PAGE;

		MAP_THEN_REMAP(first, self->page[0], self->page[1]);
		MAP_THEN_REMAP(last, self->page[2], self->page[3]);
		list = (struct guest_amdvi_list){};
		guest_amdvi_pages(&list, self->space.domain, pasid_of(&self->space), 0, UINT64_MAX,
				  false);
		atc(&list, self->device, pasid_of(&self->space), first, 1ULL << shift);
		ISSUE(&self->vm, &list);
		REACHES(first, self->page[1]);
		REACHES(last, self->page[3]);
		UNMAP(first, PAGE);
		UNMAP(last, PAGE);
		EXPECT_EQ(0, vm_invalidate_space(&self->space));
	}
}

/* PASIDs in INVALIDATE_IOTLB_PAGES come in three pieces; each of them counts. */
TEST_F(nested, atc_entries_of_pasids)
{
	RULE("AMD-04");
	NEEDS(&self->target, TARGET_PASID);
	static const uint32_t pasids[] = { 1, 0xff, 0x100, 0x1ff };
	struct vm_space spaces[4];

	for (unsigned int i = 0; i < 4; i++) {
		ASSERT_EQ(0, vm_space_init(&self->vm, &spaces[i], pasids[i]));
		ASSERT_EQ(0, vm_attach(self->device, &spaces[i]));
		ASSERT_EQ(0, vm_map(&spaces[i], self->iova, self->page[i], PAGE, RW));
		EXPECT_DMA(self->device, &spaces[i], self->iova, self->page[i]);
	}
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t next = self->page[(i + 1) % 4];

		ASSERT_EQ(0, vm_map(&spaces[i], self->iova, next, PAGE, RW));
		EXPECT_STALE(self->device, &spaces[i], self->iova, self->page[i]);
		EXPECT_EQ(0, vm_invalidate(&spaces[i], self->iova, PAGE, VM_LEAF_ONLY));
		EXPECT_DMA(self->device, &spaces[i], self->iova, next);
	}
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT_EQ(0, vm_detach(self->device, &spaces[i]));
		vm_space_fini(&spaces[i]);
	}
}

/* More than a device can take at once */
TEST_F(nested, many_invalidations)
{
	RULE("ATS-06");
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space);

	for (unsigned int i = 0; i < 100; i++)
		MAP_THEN_REMAP(self->iova + i * PAGE, self->page[0], self->page[1]);
	guest_amdvi_pages(&list, self->space.domain, pasid, self->iova, 100 * PAGE, true);
	for (unsigned int i = 0; i < 100; i++)
		atc(&list, self->device, pasid, self->iova + i * PAGE, PAGE);
	ISSUE(&self->vm, &list);
	for (unsigned int i = 0; i < 100; i++)
		REACHES(self->iova + i * PAGE, self->page[1]);
}

TEST_F(nested, late_and_double_answers)
{
	RULE("ATS-01");
	NEEDS(&self->target, TARGET_REFERENCE);
	struct endpoint_behaviour *behaviour =
		endpoint_behaviour(endpoint_of(&self->target, self->device));

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t iova = self->iova + i * PAGE;

		behaviour->delay_steps = i ? 0 : 20;
		behaviour->complete_twice = i;
		MAP_THEN_REMAP(iova, self->page[0], self->page[1]);
		INVALIDATE(iova, PAGE, VM_LEAF_ONLY);
		REACHES(iova, self->page[1]);
	}
}

/*
 * A device that does not answer, or wrongly: the guest's wait does not store, nothing is reported
 * done, and the device is fenced off, ATC and all, until it is attached anew.
 */
static void silent_device(struct __test_metadata *_metadata, FIXTURE_DATA(nested) *self)
{
	int rc;

	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	rc = vm_invalidate(&self->space, self->iova, PAGE, VM_LEAF_ONLY);
	EXPECT_TRUE(is_fault(&self->vm, rc));
	EXPECT_FALSE(guest_amdvi_waited(guest_of(&self->vm)));
	REFUSED(self->iova);
}

TEST_F(nested, device_that_never_answers)
{
	RULE("NEST-07");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(endpoint_of(&self->target, self->device))->never_complete = true;
	silent_device(_metadata, self);
}

TEST_F(nested, device_that_loses_invalidations)
{
	RULE("NEST-07");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(endpoint_of(&self->target, self->device))->drop_invalidates = true;
	silent_device(_metadata, self);
}

TEST_F(nested, device_that_answers_with_a_wrong_itag)
{
	RULE("NEST-07");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(endpoint_of(&self->target, self->device))->wrong_itag = true;
	silent_device(_metadata, self);
}

TEST_F(nested, device_that_answers_too_few_times)
{
	RULE("ATS-01");
	NEEDS(&self->target, TARGET_REFERENCE);
	endpoint_behaviour(endpoint_of(&self->target, self->device))->short_count = true;
	silent_device(_metadata, self);
}

/* Stage 2 is the hypervisor's: it says that it failed, and what was unmapped is out of reach. */
TEST_F(nested, silent_device_while_stage_2_is_unmapped)
{
	RULE("NEST-07");
	NEEDS(&self->target, TARGET_REFERENCE);
	struct endpoint_behaviour *behaviour =
		endpoint_behaviour(endpoint_of(&self->target, self->device));

	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	MAP(self->iova, WINDOW, PAGE);
	REACHES(self->iova, spare_name(&self->vm, 0));
	behaviour->drop_invalidates = true;
	EXPECT_EQ(-ETIMEDOUT, window_unmap(&self->vm, 0));
	REFUSED(self->iova);
	behaviour->drop_invalidates = false;
	EXPECT_EQ(0, window_unmap(&self->vm, 0));
	EXPECT_EQ(0, self->target.ops->reset(&self->target, &self->vm.iommufd,
					     self->device->dev_id));
	REFUSED(self->iova);
	ASSERT_EQ(0, window_map(&self->vm, 0, 1));
	REACHES(self->iova, spare_name(&self->vm, 1));
}

/* The other device of the VM goes on. */
TEST_F(nested, one_silent_device_of_two)
{
	RULE("NEST-07");
	NEEDS(&self->target, TARGET_REFERENCE);
	struct vm_device *second;
	struct vm_space other;

	ADD_DEVICE(&self->vm, 1, true, &second);
	ASSERT_EQ(0, vm_space_init(&self->vm, &other, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(second, &other));
	ASSERT_EQ(0, window_map(&self->vm, 0, 0));
	ASSERT_EQ(0, vm_map(&other, self->iova, self->page[2], PAGE, RW));
	ASSERT_EQ(0, vm_map(&other, self->iova + PAGE, WINDOW, PAGE, RW));
	MAP(self->iova, WINDOW, PAGE);
	EXPECT_DMA(second, &other, self->iova + PAGE, spare_name(&self->vm, 0));
	REACHES(self->iova, spare_name(&self->vm, 0));
	endpoint_behaviour(endpoint_of(&self->target, self->device))->never_complete = true;
	EXPECT_EQ(-ETIMEDOUT, window_unmap(&self->vm, 0));
	REFUSED(self->iova);
	EXPECT_NO_DMA(second, &other, self->iova + PAGE);
	EXPECT_DMA(second, &other, self->iova, self->page[2]);
	vm_detach(second, &other);
	vm_space_fini(&other);
}

static void reset_function(void *arg)
{
	endpoint_flr(arg);
}

/* A function level reset in the middle: what was asked is never answered. */
TEST_F(nested, reset_with_invalidations_pending)
{
	RULE("ATS-08");
	NEEDS(&self->target, TARGET_REFERENCE | TARGET_WAITING);
	struct endpoint *endpoint = endpoint_of(&self->target, self->device);

	endpoint_behaviour(endpoint)->delay_steps = 10;
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	self->target.ops->waiting(&self->target, reset_function, endpoint);
	EXPECT_TRUE(is_fault(&self->vm, vm_invalidate(&self->space, self->iova, PAGE,
						      VM_LEAF_ONLY)));
	endpoint_bus_master(endpoint, true);
	endpoint_ats_enable(endpoint, true);	/* whatever the device does by itself */
	REFUSED(self->iova);
	endpoint_behaviour(endpoint)->delay_steps = 0;
	EXPECT_EQ(0, self->target.ops->reset(&self->target, &self->vm.iommufd,
					     self->device->dev_id));
	REACHES(self->iova, self->page[1]);
}

/* Attached again after a reset, with caches of before it */
TEST_F(nested, reset)
{
	RULE("ATS-08");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	EXPECT_EQ(0, self->target.ops->reset(&self->target, &self->vm.iommufd,
					     self->device->dev_id));
	INVALIDATE(self->iova, PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
}

/* ATS off: a translated request is refused, whatever address it has. */
TEST_F(nested, detached_device_sends_translated_requests)
{
	RULE("ATS-09");
	NEEDS(&self->target, TARGET_REFERENCE);
	uint64_t data, pa = VM_RAM_BASE;
	struct dma raw = { .op = DMA_READ, .address = DMA_RAW, .pasid = DMA_NO_PASID,
			   .len = 8, .data = &data };

	MAP(self->iova, self->page[0], PAGE);
	REACHES(self->iova, self->page[0]);
	raw.addr = pa = ref_machine(&self->target)->mem.base + (8ULL << 20);
	EXPECT_EQ(DMA_DONE, self->target.ops->dma(&self->target, 0, 2, &raw));	/* ATS trusts */
	EXPECT_EQ(0, vm_detach(self->device, &self->space));
	EXPECT_EQ(DMA_ABORTED, self->target.ops->dma(&self->target, 0, 2, &raw));
	REFUSED(self->iova);
}

/* A held translated request when the device is detached: it is over when detach returns. */
TEST_F(nested, detach_waits_for_requests_in_flight)
{
	RULE("ATS-02");
	NEEDS(&self->target, TARGET_HELD | TARGET_WAITING);
	struct moment moment = { self->device };

	MAP(self->iova, self->page[0], PAGE);
	ASSERT_TRUE(vm_read_start(self->device, &self->space, self->iova));
	self->target.ops->waiting(&self->target, finish_held, &moment);
	EXPECT_EQ(0, self->target.ops->detach(&self->target, &self->vm.iommufd,
					      self->device->dev_id, DMA_NO_PASID));
	EXPECT_EQ(self->page[0], moment.seen);
	REFUSED(self->iova);
}

NIT_TEST_MAIN
