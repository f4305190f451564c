// SPDX-License-Identifier: GPL-2.0-only
/* Events and page requests: to the right guest, under its names; and the guest's answers. */
#include "amd.h"
#include "iommufd/event.h"

FIXTURE(reports)
{
	struct target target;
	struct vm_vendor vendor;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t iova;
};

FIXTURE_VARIANT(reports)
{
	uint32_t pasid;
	bool ats;
	struct vm_amd_config config;
};

FIXTURE_VARIANT_ADD(reports, rid) { .pasid = DMA_NO_PASID, .ats = true, .config.events = true };
FIXTURE_VARIANT_ADD(reports, pasid) {
	.pasid = 0x22345, .ats = true, .config = { .events = true, .glx = 1 },
};
FIXTURE_VARIANT_ADD(reports, hw_rid) {
	.pasid = DMA_NO_PASID, .ats = true, .config = { .events = true, .hw = true },
};
FIXTURE_VARIANT_ADD(reports, hw_pasid) {
	.pasid = 0x22345, .ats = true, .config = { .events = true, .glx = 1, .hw = true },
};

FIXTURE_SETUP(reports)
{
	const struct target_config config = { .needs = target_needs(variant->ats, variant->pasid) };

	self->vendor = vm_amd;
	self->vendor.config = &variant->config;
	self->iova = 0x7f1200000000;
	TARGET_OPEN(&self->target, "amd", &config);
	VM_OPEN(&self->vm, &self->target, &self->vendor, 0);
	ADD_DEVICE(&self->vm, 0, variant->ats, &self->device);
	if (!(self->target.has & TARGET_REFERENCE))
		SKIP(return, "no events of AMD guests in this kernel");
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
}

FIXTURE_TEARDOWN(reports)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

static uint32_t event_pasid(const uint64_t event[2])
{
	return amdvi_get(event[0], AMDVI_EVENT0_PASID) |
	       amdvi_get(event[0], AMDVI_EVENT0_PASID_19_16) << 16;
}

/* Untranslated requests are what is logged; ATS tells the device instead. */
static bool plain_read(FIXTURE_DATA(reports) *self, uint64_t iova)
{
	struct vm_device plain = *self->device;

	plain.ats = false;
	return vm_read(&plain, &self->space, iova) != VM_NOWHERE;
}

TEST_F(reports, fault_in_the_guests_table)
{
	RULE("AMD-68");
	uint64_t event[2];

	EXPECT_EQ(-EAGAIN, vmm_amdvi_next_event(&self->vm, event));
	EXPECT_FALSE(plain_read(self, self->iova + 0x5008));
	ASSERT_EQ(0, vmm_amdvi_next_event(&self->vm, event));
	EXPECT_EQ(AMDVI_IO_PAGE_FAULT, amdvi_event_code(event));
	EXPECT_EQ(self->device->rid, amdvi_get(event[0], AMDVI_EVENT0_DEVICE_ID));
	EXPECT_TRUE(event[0] & AMDVI_EVENT0_GN);
	EXPECT_EQ(pasid_of(&self->space), event_pasid(event));
	EXPECT_EQ(self->iova + 0x5008, event[1]);
	EXPECT_EQ(-EAGAIN, vmm_amdvi_next_event(&self->vm, event));
}

/* Guest physical memory that is not there is no fault that the guest's driver could mend. */
TEST_F(reports, fault_below_the_guest_is_not_its_business)
{
	RULE("AMD-68");
	uint64_t event[2];

	ASSERT_EQ(0, vm_map(&self->space, self->iova, WINDOW, PAGE, RW));
	EXPECT_FALSE(plain_read(self, self->iova));
	EXPECT_EQ(-EAGAIN, vmm_amdvi_next_event(&self->vm, event));
}

TEST_F(reports, faults_the_guest_asked_not_to_hear_of)
{
	RULE("AMD-68");
	struct guest_amdvi_list list = {};
	uint64_t event[2];

	guest_amdvi_dte(guest_of(&self->vm), self->device->rid)[1] |= AMDVI_DTE1_SA;
	EXPECT_EQ(0, vm_amd_dte_written(self->device));
	guest_amdvi_devtab(&list, self->device->rid);
	ISSUE(&self->vm, &list);
	EXPECT_FALSE(plain_read(self, self->iova));
	EXPECT_EQ(-EAGAIN, vmm_amdvi_next_event(&self->vm, event));
}

TEST_F(reports, many_faults_in_order)
{
	RULE("AMD-68");
	uint64_t event[2];

	for (unsigned int i = 0; i < 300; i++) {
		EXPECT_FALSE(plain_read(self, self->iova + i * PAGE));
		ASSERT_EQ(0, vmm_amdvi_next_event(&self->vm, event));
		EXPECT_EQ(self->iova + i * PAGE, event[1]);
	}
}

/* What a device of one VM does is nothing that another VM hears of. */
TEST_F(reports, faults_of_another_vm)
{
	RULE("NEST-10");
	struct vm_device *device;
	struct vm_space space;
	uint64_t event[2];
	struct vm other;

	VM_OPEN(&other, &self->target, &self->vendor, 0);
	ADD_DEVICE(&other, 1, false, &device);
	ASSERT_EQ(0, vm_space_init(&other, &space, variant->pasid));
	ASSERT_EQ(0, vm_attach(device, &space));
	EXPECT_FALSE(plain_read(self, self->iova));
	EXPECT_EQ(-EAGAIN, vmm_amdvi_next_event(&other, event));
	EXPECT_EQ(0, vmm_amdvi_next_event(&self->vm, event));
	EXPECT_EQ(VM_NOWHERE, vm_read(device, &space, self->iova));
	EXPECT_EQ(-EAGAIN, vmm_amdvi_next_event(&self->vm, event));
	EXPECT_EQ(0, vmm_amdvi_next_event(&other, event));
	EXPECT_EQ(device->rid, amdvi_get(event[0], AMDVI_EVENT0_DEVICE_ID));
	vm_space_fini(&space);
	vm_close(&other);
}

#define REQUEST(_group, _offset) \
	ASSERT_EQ(0, self->target.ops->page_request(&self->target, 0, variant->pasid, \
						    self->iova + (_offset), _group, true))
#define ANSWER(_group) self->target.ops->page_answer(&self->target, 0, _group)

static int respond(FIXTURE_DATA(reports) *self, unsigned int group, enum amdvi_ppr_code code)
{
	struct guest_amdvi_list list = {};
	uint32_t pasid = pasid_of(&self->space);

	amdvi_cmd_complete_ppr_request(guest_amdvi_next(&list), self->device->rid, pasid != 0,
				       pasid, group, code);
	return vm_amd_run(&self->vm, &list);
}

TEST_F(reports, page_request)
{
	RULE("AMD-69");
	NEEDS(&self->target, TARGET_PRI);
	uint64_t request[2], page = vm_page(&self->vm);

	REQUEST(7, 0x3000);
	ASSERT_EQ(0, vmm_amdvi_next_request(&self->vm, request));
	EXPECT_EQ(self->device->rid, amdvi_get(request[0], AMDVI_PPRLOG0_DEVICE_ID));
	EXPECT_EQ(7, amdvi_get(request[0], AMDVI_PPRLOG0_TAG));
	EXPECT_EQ(pasid_of(&self->space),
		  amdvi_get(request[0], AMDVI_PPRLOG0_PASID_15_0) |
		  amdvi_get(request[0], AMDVI_PPRLOG0_PASID_19_16) << 16);
	EXPECT_EQ(variant->pasid != DMA_NO_PASID, !!(request[0] & AMDVI_PPRLOG0_GN));
	EXPECT_TRUE(request[0] & AMDVI_PPRLOG0_LAST);
	EXPECT_TRUE(request[0] & AMDVI_PPRLOG0_WRITE);
	EXPECT_EQ(self->iova + 0x3000, request[1]);
	EXPECT_EQ(-EAGAIN, ANSWER(7));
	ASSERT_EQ(0, vm_map(&self->space, self->iova + 0x3000, page, PAGE, RW));
	EXPECT_EQ(0, respond(self, 7, AMDVI_PPR_SUCCESS));
	EXPECT_EQ(AMDVI_PPR_SUCCESS, ANSWER(7));
	EXPECT_DMA(self->device, &self->space, self->iova + 0x3000, page);
}

TEST_F(reports, page_request_that_fails)
{
	RULE("AMD-69");
	NEEDS(&self->target, TARGET_PRI);
	uint64_t request[2];

	REQUEST(9, 0);
	ASSERT_EQ(0, vmm_amdvi_next_request(&self->vm, request));
	EXPECT_EQ(0, respond(self, 9, AMDVI_PPR_INVALID));
	EXPECT_EQ(AMDVI_PPR_INVALID, ANSWER(9));
}

/* Groups are answered by their own index, in any order. */
TEST_F(reports, page_requests_answered_out_of_order)
{
	RULE("AMD-69");
	NEEDS(&self->target, TARGET_PRI);
	uint64_t request[2];

	for (unsigned int group = 1; group < 4; group++) {
		REQUEST(group, group * PAGE);
		ASSERT_EQ(0, vmm_amdvi_next_request(&self->vm, request));
	}
	EXPECT_EQ(0, respond(self, 2, AMDVI_PPR_INVALID));
	EXPECT_EQ(0, respond(self, 3, AMDVI_PPR_SUCCESS));
	EXPECT_EQ(AMDVI_PPR_INVALID, ANSWER(2));
	EXPECT_EQ(AMDVI_PPR_SUCCESS, ANSWER(3));
	EXPECT_EQ(-EAGAIN, ANSWER(1));
	EXPECT_EQ(0, respond(self, 1, AMDVI_PPR_SUCCESS));
	EXPECT_EQ(AMDVI_PPR_SUCCESS, ANSWER(1));
}

/* A request and an invalidation of the same page cross: neither loses the other. */
TEST_F(reports, request_and_invalidation_cross)
{
	RULE("AMD-69");
	NEEDS(&self->target, TARGET_PRI);
	uint64_t request[2], pages[2] = { vm_page(&self->vm), vm_page(&self->vm) };

	ASSERT_EQ(0, vm_map(&self->space, self->iova, pages[0], PAGE, RO));
	EXPECT_DMA(self->device, &self->space, self->iova, pages[0]);
	REQUEST(5, 0);
	vm_unmap(&self->space, self->iova, PAGE);
	EXPECT_EQ(0, vm_invalidate(&self->space, self->iova, PAGE, VM_LEAF_ONLY));
	EXPECT_EQ(-EAGAIN, ANSWER(5));
	EXPECT_NO_DMA(self->device, &self->space, self->iova);
	ASSERT_EQ(0, vmm_amdvi_next_request(&self->vm, request));
	ASSERT_EQ(0, vm_map(&self->space, self->iova, pages[1], PAGE, RW));
	EXPECT_EQ(0, respond(self, 5, AMDVI_PPR_SUCCESS));
	EXPECT_EQ(AMDVI_PPR_SUCCESS, ANSWER(5));
	EXPECT_DMA(self->device, &self->space, self->iova, pages[1]);
}

FIXTURE(paging_requests)
{
	struct target target;
	struct iommufd iommufd;
	uint32_t dev_id;
	uint32_t ioas;
};

FIXTURE_SETUP(paging_requests)
{
	const struct target_config config = { .needs = TARGET_PRI | TARGET_PASID };

	TARGET_OPEN(&self->target, "amd", &config);
	ASSERT_EQ(0, self->target.ops->iommufd_open(&self->target, &self->iommufd));
	ASSERT_EQ(0, __ioas_alloc(&self->iommufd, &self->ioas));
	ASSERT_EQ(0, self->target.ops->bind(&self->target, &self->iommufd, 0, &self->dev_id));
}

FIXTURE_TEARDOWN(paging_requests)
{
	iommufd_close(&self->iommufd);
	self->target.ops->close(&self->target);
}

/* A PASID with nobody to take its requests, beside a RID that has somebody */
TEST_F(paging_requests, request_that_nobody_takes)
{
	RULE("AMD-69");
	NEEDS(&self->target, TARGET_PRI);
	uint32_t fault_id, with, without;
	struct iommu_hwpt_pgfault fault;
	int fd;

	ASSERT_EQ(0, __fault_queue_alloc(&self->iommufd, &fault_id, &fd));
	ASSERT_EQ(0, __hwpt_alloc_data(&self->iommufd, self->dev_id, self->ioas,
				       IOMMU_HWPT_ALLOC_PASID | IOMMU_HWPT_FAULT_ID_VALID,
				       fault_id, IOMMU_HWPT_DATA_NONE, NULL, 0, &with));
	ASSERT_EQ(0, __hwpt_alloc(&self->iommufd, self->dev_id, self->ioas,
				  IOMMU_HWPT_ALLOC_PASID, &without));
	ASSERT_EQ(0, self->target.ops->attach(&self->target, &self->iommufd, self->dev_id,
					      DMA_NO_PASID, with));
	ASSERT_EQ(0, self->target.ops->attach(&self->target, &self->iommufd, self->dev_id, 5,
					      without));
	ASSERT_EQ(0, self->target.ops->page_request(&self->target, 0, DMA_NO_PASID, 0x1000, 3,
						    false));
	EXPECT_EQ(sizeof(fault), iommufd_read(fd, &fault, sizeof(fault)));
	EXPECT_EQ(0x1000, fault.addr);
	EXPECT_EQ(3, fault.grpid);
	EXPECT_EQ(-EAGAIN, self->target.ops->page_answer(&self->target, 0, 3));
	ASSERT_EQ(0, self->target.ops->page_request(&self->target, 0, 5, 0x2000, 4, false));
	EXPECT_EQ(AMDVI_PPR_INVALID, self->target.ops->page_answer(&self->target, 0, 4));
	EXPECT_EQ(0, self->target.ops->detach(&self->target, &self->iommufd, self->dev_id, 5));
	close(fd);
}

/* What is unanswered at detach is answered then. */
TEST_F(paging_requests, detach_answers)
{
	RULE("AMD-69");
	NEEDS(&self->target, TARGET_PRI);
	uint32_t fault_id, hwpt;
	int fd;

	ASSERT_EQ(0, __fault_queue_alloc(&self->iommufd, &fault_id, &fd));
	ASSERT_EQ(0, __hwpt_alloc_data(&self->iommufd, self->dev_id, self->ioas,
				       IOMMU_HWPT_FAULT_ID_VALID, fault_id, IOMMU_HWPT_DATA_NONE,
				       NULL, 0, &hwpt));
	ASSERT_EQ(0, self->target.ops->attach(&self->target, &self->iommufd, self->dev_id,
					      DMA_NO_PASID, hwpt));
	ASSERT_EQ(0, self->target.ops->page_request(&self->target, 0, DMA_NO_PASID, 0x1000, 3,
						    false));
	EXPECT_EQ(-EAGAIN, self->target.ops->page_answer(&self->target, 0, 3));
	EXPECT_EQ(0, self->target.ops->detach(&self->target, &self->iommufd, self->dev_id,
					      DMA_NO_PASID));
	EXPECT_EQ(AMDVI_PPR_INVALID, self->target.ops->page_answer(&self->target, 0, 3));
	close(fd);
}

NIT_TEST_MAIN
