// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page requests on their way from the device to the guest and its answers back: PRI, the
 * hypervisor's queue, iommufd's fault queue, the VMM, and a page response command.
 */
#include "intel.h"

#define IOVA 0x7f1200000000ull
#define GROUP 9

FIXTURE(page_request)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_device *second;
	struct vm_space space;
	uint64_t page[2];
};

FIXTURE_VARIANT(page_request)
{
	uint32_t pasid;
};

FIXTURE_VARIANT_ADD(page_request, rid) { .pasid = DMA_NO_PASID };
FIXTURE_VARIANT_ADD(page_request, pasid) { .pasid = 0x1005 };

FIXTURE_SETUP(page_request)
{
	TARGET_OPEN(&self->target, "intel", &(struct target_config){ .devices = 2 });
	VM_OPEN(&self->vm, &self->target, &vm_intel, 0);
	ASSERT_EQ(0, vmm_vtd_page_requests(&self->vm));
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, true, &self->device));
	ASSERT_EQ(0, vm_add_device(&self->vm, 1, true, &self->second));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	ASSERT_EQ(0, vm_attach(self->second, &self->space));
	self->page[0] = vm_page(&self->vm);
	self->page[1] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(page_request)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

static int ask(FIXTURE_DATA(page_request) *self, unsigned int device, unsigned int group,
	       bool write)
{
	return self->target.ops->page_request(&self->target, device, self->space.pasid, IOVA, group,
					      write);
}

static int answer(FIXTURE_DATA(page_request) *self, unsigned int device, unsigned int group)
{
	return self->target.ops->page_answer(&self->target, device, group);
}

/* The guest's answer to a request that it read */
static int respond(FIXTURE_DATA(page_request) *self, const uint64_t request[4], unsigned int code)
{
	struct guest_vtd_list list = {};

	vtd_inv_page_response(guest_vtd_next(&list), VTD_GET(VTD_PRQ_RID, request[0]),
			      request[0] & VTD_PRQ_PP, VTD_GET(VTD_PRQ_PASID, request[0]),
			      VTD_GET(VTD_PRQ_PRGI, request[1]), code);
	return vmm_vtd_execute(&self->vm, &list, NULL);
}

TEST_F(page_request, served)
{
	uint64_t request[4];

	RULE("VTD-48");
	REFUSED(IOVA);
	ASSERT_EQ(0, ask(self, 0, GROUP, false));
	ASSERT_EQ(0, vmm_vtd_next_request(&self->vm, request));
	EXPECT_EQ(-EAGAIN, answer(self, 0, GROUP));
	MAP(IOVA, self->page[0], PAGE);
	ASSERT_EQ(0, respond(self, request, VTD_RESPONSE_SUCCESS));
	EXPECT_EQ(VTD_RESPONSE_SUCCESS, answer(self, 0, GROUP));
	REACHES(IOVA, self->page[0]);
}

/* The guest sees its own ids, and what was asked for. */
TEST_F(page_request, as_the_guest_sees_it)
{
	bool has_pasid = variant->pasid != DMA_NO_PASID;
	uint64_t request[4];

	RULE("VTD-48");
	ASSERT_EQ(0, ask(self, 0, GROUP, true));
	ASSERT_EQ(0, vmm_vtd_next_request(&self->vm, request));
	EXPECT_EQ(VTD_PRQ_TYPE_PAGE, VTD_GET(VTD_PRQ_TYPE, request[0]));
	EXPECT_EQ(self->device->rid, VTD_GET(VTD_PRQ_RID, request[0]));
	EXPECT_EQ(has_pasid, !!(request[0] & VTD_PRQ_PP));
	EXPECT_EQ(has_pasid ? variant->pasid : 0, VTD_GET(VTD_PRQ_PASID, request[0]));
	EXPECT_EQ(GROUP, VTD_GET(VTD_PRQ_PRGI, request[1]));
	EXPECT_EQ(IOVA, request[1] & VTD_PRQ_ADDR);
	EXPECT_TRUE(request[1] & VTD_PRQ_LPIG);
	EXPECT_EQ(VTD_PRQ_W, request[1] & (VTD_PRQ_R | VTD_PRQ_W));
	EXPECT_EQ(-EAGAIN, vmm_vtd_next_request(&self->vm, request));
}

TEST_F(page_request, refused)
{
	uint64_t request[4];

	RULE("VTD-48");
	ASSERT_EQ(0, ask(self, 0, GROUP, false));
	ASSERT_EQ(0, vmm_vtd_next_request(&self->vm, request));
	ASSERT_EQ(0, respond(self, request, VTD_RESPONSE_INVALID));
	EXPECT_EQ(VTD_RESPONSE_INVALID, answer(self, 0, GROUP));
}

/* The same group of two devices: each answer goes to the device that asked. */
TEST_F(page_request, same_group_of_two_devices)
{
	uint64_t first[4], second[4];

	RULE("NEST-10");
	ASSERT_EQ(0, ask(self, 0, GROUP, false));
	ASSERT_EQ(0, ask(self, 1, GROUP, false));
	ASSERT_EQ(0, vmm_vtd_next_request(&self->vm, first));
	ASSERT_EQ(0, vmm_vtd_next_request(&self->vm, second));
	ASSERT_EQ(0, respond(self, second, VTD_RESPONSE_INVALID));
	EXPECT_EQ(VTD_RESPONSE_INVALID, answer(self, 1, GROUP));
	EXPECT_EQ(-EAGAIN, answer(self, 0, GROUP));
	ASSERT_EQ(0, respond(self, first, VTD_RESPONSE_SUCCESS));
	EXPECT_EQ(VTD_RESPONSE_SUCCESS, answer(self, 0, GROUP));
}

/* Many groups at once, answered in the reverse order, each as it deserves */
TEST_F(page_request, many_groups)
{
	uint64_t request[16][4];

	RULE("VTD-48");
	for (unsigned int i = 0; i < 16; i++)
		ASSERT_EQ(0, ask(self, 0, 16 + i, false));
	for (unsigned int i = 0; i < 16; i++)
		ASSERT_EQ(0, vmm_vtd_next_request(&self->vm, request[i]));
	for (unsigned int i = 16; i--;)
		ASSERT_EQ(0, respond(self, request[i], i % 2));
	for (unsigned int i = 0; i < 16; i++)
		EXPECT_EQ(i % 2, answer(self, 0, 16 + i));
}

/* Requests for what the device is not attached to concern nobody: the hypervisor answers them. */
TEST_F(page_request, for_nothing_that_is_attached)
{
	uint32_t other = variant->pasid == DMA_NO_PASID ? 0x77 : DMA_NO_PASID;
	uint64_t request[4];

	RULE("VTD-48");
	NEEDS(&self->target, TARGET_PRI);
	ASSERT_EQ(0, self->target.ops->page_request(&self->target, 0, other, IOVA, GROUP, false));
	EXPECT_EQ(VTD_RESPONSE_INVALID, answer(self, 0, GROUP));
	EXPECT_EQ(-EAGAIN, vmm_vtd_next_request(&self->vm, request));
}

/* What is attached without a fault queue cannot be asked: the hypervisor says no. */
TEST_F(page_request, without_a_fault_queue)
{
	struct vm_space other;

	RULE("VTD-48");
	vmm_vtd(&self->vm)->fault_id = 0;
	ASSERT_EQ(0, vm_space_init(&self->vm, &other, variant->pasid));
	ASSERT_EQ(0, vm_replace(self->device, &other, &self->space));
	ASSERT_EQ(0, ask(self, 0, GROUP, false));
	EXPECT_EQ(VTD_RESPONSE_INVALID, answer(self, 0, GROUP));
	ASSERT_EQ(0, vm_detach(self->device, &other));
	vm_space_fini(&other);
}

/* The attachment goes while a request is unanswered: the device is not left waiting. */
TEST_F(page_request, detached_before_the_answer)
{
	uint64_t request[4];

	RULE("VTD-48");
	ASSERT_EQ(0, ask(self, 0, GROUP, false));
	ASSERT_EQ(0, vmm_vtd_next_request(&self->vm, request));
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	EXPECT_EQ(VTD_RESPONSE_INVALID, answer(self, 0, GROUP));
	/* The guest's answer comes too late, and is no error. */
	ASSERT_EQ(0, respond(self, request, VTD_RESPONSE_SUCCESS));
}

/* The page comes, and its mapping is changed before the answer is on its way: both in one list. */
TEST_F(page_request, answer_and_invalidation_cross)
{
	struct guest_vtd_list list = {};
	uint64_t request[4];

	RULE("VTD-48");
	ASSERT_EQ(0, ask(self, 0, GROUP, false));
	ASSERT_EQ(0, vmm_vtd_next_request(&self->vm, request));
	MAP_THEN_REMAP(IOVA, self->page[0], self->page[1]);
	guest_vtd_invalidate(&list, self->space.domain, guest_pasid(&self->space), IOVA, PAGE,
			     true);
	vtd_inv_page_response(guest_vtd_next(&list), self->device->rid, request[0] & VTD_PRQ_PP,
			      VTD_GET(VTD_PRQ_PASID, request[0]), GROUP, VTD_RESPONSE_SUCCESS);
	EXECUTE(&list);
	EXPECT_EQ(VTD_RESPONSE_SUCCESS, answer(self, 0, GROUP));
	REACHES(IOVA, self->page[1]);
}

/* The device asks while the hypervisor waits for hardware: that must not be overlooked. */
static void ask_now(void *arg)
{
	FIXTURE_DATA(page_request) *self = arg;
	struct hw_page_request request = {
		.has_pasid = self->space.pasid != DMA_NO_PASID,
		.pasid = guest_pasid(&self->space), .addr = IOVA, .index = GROUP, .last = true,
		.access = HW_READ,
	};

	endpoint_page_request(ref_endpoint(&self->target, 0), &request);
}

TEST_F(page_request, asked_during_an_invalidation)
{
	uint64_t request[4];

	RULE("VTD-48");
	NEEDS(&self->target, TARGET_REFERENCE | TARGET_WAITING);
	self->target.ops->waiting(&self->target, ask_now, self);
	INVALIDATE(IOVA, PAGE, VM_LEAF_ONLY);
	ASSERT_EQ(0, vmm_vtd_next_request(&self->vm, request));
	ASSERT_EQ(0, respond(self, request, VTD_RESPONSE_SUCCESS));
	EXPECT_EQ(VTD_RESPONSE_SUCCESS, answer(self, 0, GROUP));
	ASSERT_EQ(0, ask(self, 0, GROUP + 1, false));
	EXPECT_EQ(0, vmm_vtd_next_request(&self->vm, request));
}

/* More requests than the hypervisor's queue holds, none of them looked at in between */
TEST_F(page_request, more_than_the_queue_holds)
{
	struct hw_page_request request = {
		.has_pasid = variant->pasid != DMA_NO_PASID,
		.pasid = variant->pasid != DMA_NO_PASID ? variant->pasid : 0,
		.addr = IOVA, .last = true, .access = HW_READ,
	};
	unsigned int answered = 0, queued = 0;
	uint64_t d[4];

	RULE("VTD-48");
	NEEDS(&self->target, TARGET_REFERENCE);
	for (request.index = 0; request.index < 180; request.index++)
		ASSERT_EQ(0, endpoint_page_request(ref_endpoint(&self->target, 0), &request));
	ASSERT_EQ(0, self->target.ops->service(&self->target));
	for (unsigned int i = 0; i < 180; i++)
		answered += answer(self, 0, i) == VTD_RESPONSE_SUCCESS;	/* retry: it got lost */
	while (!vmm_vtd_next_request(&self->vm, d)) {
		queued++;
		ASSERT_EQ(0, respond(self, d, VTD_RESPONSE_SUCCESS));
	}
	EXPECT_LT(0U, answered);
	EXPECT_LT(0U, queued);
	EXPECT_EQ(180U, answered + queued);
	/* The queue takes requests again. */
	ASSERT_EQ(0, ask(self, 0, GROUP, false));
	EXPECT_EQ(0, vmm_vtd_next_request(&self->vm, d));
}

NIT_TEST_MAIN
