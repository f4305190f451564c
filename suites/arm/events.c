// SPDX-License-Identifier: GPL-2.0-only
/* What hardware reports, on its way to the guest, and the guest's answers on their way back. */
#include "arm.h"

FIXTURE(events)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t iova;
	uint64_t granule;
	uint64_t page[4];
};

FIXTURE_VARIANT(events)
{
	uint32_t pasid;
};

FIXTURE_VARIANT_ADD(events, rid) { .pasid = DMA_NO_PASID };
FIXTURE_VARIANT_ADD(events, pasid) { .pasid = 0x105 };

/* The VM has a fault queue; its device uses its ATC only where a test says so. */
FIXTURE_SETUP(events)
{
	const struct target_config config = {
		.needs = target_needs(false, variant->pasid),
	};

	TARGET_OPEN(&self->target, "arm", &config);
	VM_OPEN(&self->vm, &self->target, &vm_arm, 0);
	ASSERT_EQ(0, vmm_smmuv3_faults(&self->vm));
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, true, &self->device));
	ASSERT_EQ(0, vmm_smmuv3_events(self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, variant->pasid));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->iova = 0x7f1000000000;
	self->granule = VM_PAGE;
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(events)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define LIST() struct guest_smmuv3_list list = {}

/* A DMA read of the device, untranslated, that is refused, and reported by the time this returns */
#define PROVOKE(_iova) do { \
	self->device->ats = false; \
	REFUSED(_iova); \
	self->device->ats = true; \
	ASSERT_EQ(0, self->target.ops->service(&self->target)); \
} while (0)

#define EXPECT_EVENT(_event, _id) do { \
	ASSERT_EQ(0, vmm_smmuv3_await_event(self->device, _event)); \
	EXPECT_EQ(_id, smmu_get(EVENT0_ID, (_event)[0])); \
	EXPECT_EQ(self->device->rid, smmu_get(EVENT0_SID, (_event)[0])); \
} while (0)

#define EXPECT_NO_EVENT() do { \
	uint64_t none[4]; \
	EXPECT_EQ(-EAGAIN, vmm_smmuv3_next_event(self->device, none)); \
} while (0)

/* ---- Events: struct iommu_vevent_arm_smmuv3 ---- */

TEST_F(events, translation_fault_names_the_guests_device)
{
	uint64_t event[4];

	RULE("UAPI-68");
	PROVOKE(self->iova + 0x18);
	EXPECT_EVENT(event, EVENT_F_TRANSLATION);
	EXPECT_EQ(self->iova + 0x18, event[2]);
	EXPECT_EQ(self->space.pasid != DMA_NO_PASID, !!(event[0] & EVENT0_SSV));
	if (self->space.pasid != DMA_NO_PASID)
		EXPECT_EQ(self->space.pasid, smmu_get(EVENT0_SSID, event[0]));
	EXPECT_EQ(self->target.has & TARGET_READ ? EVENT1_RNW : 0, event[1] & EVENT1_RNW);
	EXPECT_NO_EVENT();
}

TEST_F(events, permission_fault)
{
	uint64_t event[4];

	RULE("UAPI-68");
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], VM_PAGE, PGTABLE_READ));
	PROVOKE(self->iova);
	EXPECT_EVENT(event, EVENT_F_PERMISSION);
}

TEST_F(events, address_size_fault)
{
	uint32_t ssid = self->space.pasid == DMA_NO_PASID ? 0 : self->space.pasid;
	uint64_t *cd = guest_smmuv3_cd(&vmm_smmuv3(&self->vm)->guest, self->device->rid, ssid);
	uint64_t event[4];
	LIST();

	RULE("UAPI-68");
	cd[0] &= ~CD0_IPS;	/* 32 bits */
	smmuv3_cmd_cfgi_cd_all(guest_smmuv3_next(&list), self->device->rid);
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	MAP(self->iova, 1ull << 32, VM_PAGE);
	PROVOKE(self->iova);
	EXPECT_EVENT(event, EVENT_F_ADDR_SIZE);
}

TEST_F(events, bad_context_descriptor)
{
	uint64_t event[4];

	RULE("UAPI-68");
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	PROVOKE(self->iova);
	EXPECT_EVENT(event, EVENT_C_BAD_CD);
}

TEST_F(events, bad_substream)
{
	struct vm_space beyond = self->space;
	uint64_t event[4];

	RULE("UAPI-68");
	NEEDS(&self->target, TARGET_PASID);
	beyond.pasid = 1u << GUEST_SMMUV3_SSIDS_LOG2;
	self->device->ats = false;
	EXPECT_NO_DMA(self->device, &beyond, self->iova);
	ASSERT_EQ(0, self->target.ops->service(&self->target));
	EXPECT_EVENT(event, EVENT_C_BAD_SUBSTREAMID);
}

/* A fault of stage 2 is the VMM's own affair: the guest's tables are right. */
TEST_F(events, stage2_fault_is_not_the_guests)
{
	RULE("SMMU-67");
	MAP(self->iova, 0x80000000, VM_PAGE);
	PROVOKE(self->iova);
	EXPECT_NO_EVENT();
}

/* An STE of the guest that aborts does so in silence (5.2 Config). */
TEST_F(events, abort_is_silent)
{
	LIST();

	RULE("SMMU-54");
	guest_smmuv3_config(&vmm_smmuv3(&self->vm)->guest, self->device->rid, STE_CONFIG_ABORT);
	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), self->device->rid, true);
	EXECUTE(&list);
	PROVOKE(self->iova);
	EXPECT_NO_EVENT();
}

/* ---- Page requests (PRI) ---- */

#define REQUEST(_iova, _group, _write) \
	ASSERT_EQ(0, self->target.ops->page_request(&self->target, 0, self->space.pasid, _iova, \
						    _group, _write))
#define ANSWER(_group) self->target.ops->page_answer(&self->target, 0, _group)

#define RESPOND(_sid, _group, _resp) do { \
	uint64_t *c = guest_smmuv3_next(&list); \
	smmuv3_cmd_pri_resp(c, _sid, _group, _resp); \
	if (self->space.pasid != DMA_NO_PASID) \
		smmuv3_cmd_ssid(c, self->space.pasid); \
	guest_smmuv3_sync(&list); \
	EXECUTE(&list); \
} while (0)

enum { SUCCESS = 0, INVALID = 1, FAILURE = 15 };	/* as PCIe has them (10.4.2.1) */

TEST_F(events, page_request_and_response)
{
	uint64_t record[2];
	LIST();

	RULE("SMMU-68");
	NEEDS(&self->target, TARGET_PRI);
	REQUEST(self->iova, 5, true);
	ASSERT_EQ(0, vmm_smmuv3_next_request(&self->vm, record));
	EXPECT_EQ(self->device->rid, smmu_get(PRI0_SID, record[0]));
	EXPECT_EQ(PRI0_LAST | PRI0_WRITE, record[0] & (PRI0_LAST | PRI0_WRITE));
	EXPECT_EQ(self->space.pasid != DMA_NO_PASID, !!(record[0] & PRI0_SSV));
	EXPECT_EQ(self->iova, record[1] & PRI1_ADDR);
	EXPECT_EQ(5, smmu_get(PRI1_PRGINDEX, record[1]));
	EXPECT_EQ(-EAGAIN, ANSWER(5));
	MAP(self->iova, self->page[0], VM_PAGE);
	RESPOND(self->device->rid, 5, CMD_PRI_RESP_SUCCESS);
	EXPECT_EQ(SUCCESS, ANSWER(5));
	REACHES(self->iova, self->page[0]);
}

TEST_F(events, page_request_refused)
{
	uint64_t record[2];
	LIST();

	RULE("SMMU-68");
	NEEDS(&self->target, TARGET_PRI);
	REQUEST(self->iova, 6, false);
	ASSERT_EQ(0, vmm_smmuv3_next_request(&self->vm, record));
	RESPOND(self->device->rid, 6, CMD_PRI_RESP_INVALID);
	EXPECT_EQ(INVALID, ANSWER(6));
	REFUSED(self->iova);
}

/* Several groups at once are answered in any order, each with its own answer. */
TEST_F(events, groups_answered_out_of_order)
{
	uint64_t record[2];
	LIST();

	RULE("SMMU-68");
	NEEDS(&self->target, TARGET_PRI);
	for (unsigned int group = 0; group < 4; group++) {
		REQUEST(self->iova + group * VM_PAGE, group, false);
		ASSERT_EQ(0, vmm_smmuv3_next_request(&self->vm, record));
	}
	for (unsigned int i = 0; i < 4; i++)
		RESPOND(self->device->rid, 3 - i, i % 2 ? CMD_PRI_RESP_INVALID :
							  CMD_PRI_RESP_SUCCESS);
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_EQ(i % 2 ? INVALID : SUCCESS, ANSWER(3 - i));
}

/* A response that names another device, or a group that nobody asked for, answers nothing. */
TEST_F(events, response_to_nobody)
{
	uint64_t record[2];
	LIST();

	RULE("SMMU-68");
	NEEDS(&self->target, TARGET_PRI);
	REQUEST(self->iova, 5, false);
	ASSERT_EQ(0, vmm_smmuv3_next_request(&self->vm, record));
	RESPOND(self->device->rid ^ 0x18, 5, CMD_PRI_RESP_SUCCESS);
	RESPOND(self->device->rid, 4, CMD_PRI_RESP_SUCCESS);
	EXPECT_EQ(-EAGAIN, ANSWER(5));
	RESPOND(self->device->rid, 5, CMD_PRI_RESP_SUCCESS);
	EXPECT_EQ(SUCCESS, ANSWER(5));
}

/* The guest's invalidation and its response cross: the device fetches what is new. */
TEST_F(events, invalidation_before_the_response)
{
	uint64_t record[2];
	LIST();

	RULE("NEST-01");
	NEEDS(&self->target, TARGET_PRI);
	MAP(self->iova, self->page[0], VM_PAGE);
	REACHES(self->iova, self->page[0]);
	REQUEST(self->iova, 7, true);
	ASSERT_EQ(0, vmm_smmuv3_next_request(&self->vm, record));
	MAP(self->iova, self->page[1], VM_PAGE);
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	RESPOND(self->device->rid, 7, CMD_PRI_RESP_SUCCESS);
	EXPECT_EQ(SUCCESS, ANSWER(7));
	REACHES(self->iova, self->page[1]);
}

TEST_F(events, response_before_the_invalidation)
{
	uint64_t record[2];
	LIST();

	RULE("NEST-01");
	NEEDS(&self->target, TARGET_PRI);
	MAP(self->iova, self->page[0], VM_PAGE);
	REACHES(self->iova, self->page[0]);
	REQUEST(self->iova, 7, true);
	ASSERT_EQ(0, vmm_smmuv3_next_request(&self->vm, record));
	MAP(self->iova, self->page[1], VM_PAGE);
	RESPOND(self->device->rid, 7, CMD_PRI_RESP_SUCCESS);
	STILL_REACHES(self->iova, self->page[0]);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
	EXPECT_EQ(SUCCESS, ANSWER(7));
}

/* Attaching elsewhere answers what was left open: a device must not wait for ever. */
TEST_F(events, attachment_ends_with_a_request_open)
{
	LIST();

	RULE("UAPI-73");
	NEEDS(&self->target, TARGET_PRI);
	REQUEST(self->iova, 8, false);
	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), self->device->rid, true);
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	EXPECT_EQ(INVALID, ANSWER(8));
}

/* ---- The stall model (3.12.2) ---- */

FIXTURE(stall)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t iova;
	uint64_t granule;
	uint64_t page[2];
	uint64_t data;
	struct dma dma;
};

FIXTURE_SETUP(stall)
{
	const struct target_config config = {
		.needs = TARGET_STALL,
	};

	TARGET_OPEN(&self->target, "arm", &config);
	VM_OPEN(&self->vm, &self->target, &vm_arm, 0);
	ASSERT_EQ(0, vmm_smmuv3_faults(&self->vm));
	vmm_smmuv3(&self->vm)->guest.cd_flags = CD0_S;
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, false, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->iova = 0x7f1000000000;
	self->granule = VM_PAGE;
	for (unsigned int i = 0; i < 2; i++)
		self->page[i] = vm_page(&self->vm);
	self->dma = (struct dma){
		.op = DMA_READ, .pasid = DMA_NO_PASID, .addr = self->iova, .len = 8,
		.data = &self->data,
	};
}

FIXTURE_TEARDOWN(stall)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define STALLED_ENGINE 3	/* none that vm_read() uses */

/* The DMA waits for the guest, who has it as an event record */
#define STALL(_event) do { \
	ASSERT_EQ(DMA_STALLED, \
		  self->target.ops->dma(&self->target, 0, STALLED_ENGINE, &self->dma)); \
	ASSERT_EQ(0, self->target.ops->service(&self->target)); \
	ASSERT_EQ(0, vmm_smmuv3_next_stall(&self->vm, _event)); \
	EXPECT_EQ(DMA_STALLED, self->target.ops->dma_finish(&self->target, 0, STALLED_ENGINE)); \
} while (0)

#define RESUME(_event, _retry) do { \
	smmuv3_cmd_resume(guest_smmuv3_next(&list), smmu_get(EVENT0_SID, (_event)[0]), \
			  smmu_get(EVENT1_STAG, (_event)[1]), _retry, true); \
	guest_smmuv3_sync(&list); \
	EXECUTE(&list); \
	ASSERT_EQ(0, self->target.ops->service(&self->target)); \
} while (0)

TEST_F(stall, retried)
{
	uint64_t event[4];
	LIST();

	RULE("SMMU-69");
	STALL(event);
	EXPECT_EQ(self->device->rid, smmu_get(EVENT0_SID, event[0]));
	EXPECT_EQ(self->iova, event[2]);
	MAP(self->iova, self->page[0], VM_PAGE);
	RESUME(event, true);
	EXPECT_EQ(DMA_DONE, self->target.ops->dma_finish(&self->target, 0, STALLED_ENGINE));
	EXPECT_EQ(self->page[0], self->data & 0x00ffffffffffffff);
}

TEST_F(stall, terminated)
{
	uint64_t event[4];
	LIST();

	RULE("SMMU-69");
	STALL(event);
	RESUME(event, false);
	EXPECT_EQ(DMA_ABORTED, self->target.ops->dma_finish(&self->target, 0, STALLED_ENGINE));
}

/* The guest changed its mind while the DMA waited: retried, it sees what is true then (4.7.1). */
TEST_F(stall, retried_after_an_invalidation)
{
	uint64_t event[4];
	LIST();

	RULE("SMMU-69");
	STALL(event);
	MAP(self->iova, self->page[0], VM_PAGE);
	REACHES(self->iova, self->page[0]);
	MAP(self->iova, self->page[1], VM_PAGE);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	RESUME(event, true);
	EXPECT_EQ(DMA_DONE, self->target.ops->dma_finish(&self->target, 0, STALLED_ENGINE));
	EXPECT_EQ(self->page[1], self->data & 0x00ffffffffffffff);
}

/* The attachment ends: nobody will ever answer, so the DMA is terminated. */
TEST_F(stall, attachment_ends)
{
	uint64_t event[4];
	LIST();

	RULE("UAPI-73");
	STALL(event);
	guest_smmuv3_config(&vmm_smmuv3(&self->vm)->guest, self->device->rid, STE_CONFIG_ABORT);
	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), self->device->rid, true);
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	ASSERT_EQ(0, self->target.ops->service(&self->target));
	EXPECT_EQ(DMA_ABORTED, self->target.ops->dma_finish(&self->target, 0, STALLED_ENGINE));
}

/* Detached for good: the same, by CMD_STALL_TERM */
TEST_F(stall, device_is_detached)
{
	RULE("SMMU-69");
	ASSERT_EQ(DMA_STALLED, self->target.ops->dma(&self->target, 0, STALLED_ENGINE, &self->dma));
	ASSERT_EQ(0, self->target.ops->service(&self->target));
	ASSERT_EQ(0, self->target.ops->detach(&self->target, &self->vm.iommufd,
					      self->device->dev_id, DMA_NO_PASID));
	ASSERT_EQ(0, self->target.ops->service(&self->target));
	EXPECT_EQ(DMA_ABORTED, self->target.ops->dma_finish(&self->target, 0, STALLED_ENGINE));
}

NIT_TEST_MAIN
