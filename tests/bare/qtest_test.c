// SPDX-License-Identifier: GPL-2.0-only
/* The emulator as a machine: it starts, answers, shares its memory, has the devices; it dies. */
#include <signal.h>
#include <sys/wait.h>

#include "core/test.h"
#include "iommufd/assert.h"
#include "target/bare.h"
#include "vmm/vm.h"

FIXTURE(host)
{
	struct target target;
	struct iommufd iommufd;
	uint32_t ioas;
	uint32_t dev_id;
	uint8_t *memory;
};

FIXTURE_SETUP(host)
{
	static const struct target_config usual;
	struct target *target = &self->target;

	if (!getenv("NIT_QEMU"))
		SKIP(return, "needs QEMU");
	ASSERT_EQ(0, bare_open(target, "arm", &usual));
	ASSERT_EQ(0, target->ops->iommufd_open(target, &self->iommufd));
	ASSERT_EQ(0, target->ops->bind(target, &self->iommufd, 0, &self->dev_id));
	self->ioas = ioas_alloc(&self->iommufd);
	self->memory = target->ops->memory(target, 0x10000);
	vm_stamp(self->memory, 0x10000, 0x1000000);
}

FIXTURE_TEARDOWN(host)
{
	if (!self->target.priv)
		return;
	iommufd_close(&self->iommufd);
	self->target.ops->close(&self->target);
}

static uint64_t read_at(struct target *target, uint64_t iova)
{
	uint64_t data = 0;
	struct dma dma = { .op = DMA_READ, .pasid = DMA_NO_PASID, .addr = iova, .len = 8,
			   .data = &data };

	return target->ops->dma(target, 0, 0, &dma) == DMA_DONE ? vm_name(data) : VM_NOWHERE;
}

/* Stage 2 alone: a nest parent, mapped, remapped, unmapped */
TEST_F(host, stage2_map_and_unmap)
{
	struct target *target = &self->target;
	uint32_t hwpt = hwpt_alloc(&self->iommufd, self->dev_id, self->ioas,
				   IOMMU_HWPT_ALLOC_NEST_PARENT);

	ASSERT_EQ(0, target->ops->attach(target, &self->iommufd, self->dev_id, DMA_NO_PASID, hwpt));
	EXPECT_EQ(VM_NOWHERE, read_at(target, 0x100001000));
	ASSERT_EQ(0, __ioas_map(&self->iommufd, self->ioas, self->memory, 0x4000, 0x100000000,
				IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE));
	EXPECT_EQ(0x1001008, read_at(target, 0x100001008));
	ASSERT_EQ(0, __ioas_unmap(&self->iommufd, self->ioas, 0x100000000, 0x4000, NULL));
	EXPECT_EQ(VM_NOWHERE, read_at(target, 0x100001008));
}

NIT_TEST_MAIN
