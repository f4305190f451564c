// SPDX-License-Identifier: GPL-2.0-only
/* Positive controls on hardware that shows nothing old: what they saw has to be the new page. */
#include "core/test.h"
#include "target/assert.h"
#include "vmm/expect.h"
#include "vmm/vm.h"

#define IOVA 0x7f0000000000ull

FIXTURE(control)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t page[3];
};

FIXTURE_SETUP(control)
{
	TARGET_OPEN(&self->target, "intel", NULL);
	VM_OPEN(&self->vm, &self->target, &vm_intel, 0);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, false, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	for (int i = 0; i < 3; i++)
		self->page[i] = vm_page(&self->vm);
	ASSERT_EQ(0, vm_map(&self->space, IOVA, self->page[0], VM_PAGE,
			    PGTABLE_READ | PGTABLE_USER));
	self->target.has &= ~TARGET_REFERENCE;	/* as a kernel or an emulator is */
}

FIXTURE_TEARDOWN(control)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

/* Nothing was cached of page 1: the control sees page 0 in its place, and the test goes on. */
TEST_F(control, new_page_is_remembered_and_skips)
{
	EXPECT_STALE(self->device, &self->space, IOVA, self->page[1]);
	EXPECT_EQ(KSFT_SKIP, _metadata->exit_code);
	EXPECT_EQ(self->page[0], vm_control_saw(self->device, &self->space, IOVA, self->page[2]));
	EXPECT_DMA(self->device, &self->space, IOVA, self->page[0]);
	_metadata->exit_code = KSFT_PASS;
}

/* What EXPECT_DMA compares: a control that saw a third page is not what the DMA reaches. */
TEST_F(control, third_page_is_told_apart)
{
	vm_control(self->device, &self->space, IOVA, self->page[2]);
	EXPECT_NE(self->page[0], vm_control_saw(self->device, &self->space, IOVA, self->page[0]));
	EXPECT_EQ(self->page[0], vm_control_saw(self->device, &self->space, IOVA + VM_PAGE,
						self->page[0]));
}

TEST_F(control, is_forgotten_when_tables_change)
{
	vm_control(self->device, &self->space, IOVA, self->page[2]);
	vm_unmap(&self->space, IOVA, VM_PAGE);
	EXPECT_EQ(self->page[0], vm_control_saw(self->device, &self->space, IOVA, self->page[0]));
}

NIT_TEST_MAIN
