/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixture `host`: no guest. Two devices, or one, on page tables of the hypervisor's own, which
 * translate the IOVAs of an IOAS to the memory of its user; what a VMM without a virtual IOMMU has.
 * Whoever includes this defines HOST_VENDOR, as target_open() knows it.
 */
#ifndef NIT_VMM_HOST_H
#define NIT_VMM_HOST_H

#include "expect.h"

#define MEMORY_SIZE (4ull << 20)
#define IOVA 0x40000000ull
#define NO_PASID DMA_NO_PASID

FIXTURE(host)
{
	struct target target;
	struct iommufd iommufd;
	uint32_t dev[2];	/* NEEDS_DEVICES() before the second is used */
	uint32_t ioas;
	bool ats;
	uint8_t *memory;	/* stamped with its own addresses */
};

/* @iommu: hardware of the variant's own, as struct target_config has it */
FIXTURE_VARIANT(host)
{
	bool ats;
	unsigned int iommus;
	const void *(*iommu)(void);
};

FIXTURE_VARIANT_ADD(host, plain) { .iommus = 1 };
FIXTURE_VARIANT_ADD(host, ats) { .iommus = 1, .ats = true };
FIXTURE_VARIANT_ADD(host, two_iommus_ats) { .iommus = 2, .ats = true };

FIXTURE_SETUP(host)
{
	const struct target_config config = {
		.iommus = variant->iommus, .needs = variant->ats ? TARGET_ATS : 0,
		.iommu = variant->iommu ? variant->iommu() : NULL,
	};
	struct target *target = &self->target;

	self->ats = variant->ats;
	TARGET_OPEN(target, HOST_VENDOR, &config);
	ASSERT_EQ(0, target->ops->iommufd_open(target, &self->iommufd));
	for (unsigned int i = 0; i < target->device_count; i++)
		ASSERT_EQ(0, target->ops->bind(target, &self->iommufd, i, &self->dev[i]));
	self->ioas = ioas_alloc(&self->iommufd);
	self->memory = target->ops->memory(target, MEMORY_SIZE);
	ASSERT_NE(NULL, self->memory);
	vm_stamp(self->memory, MEMORY_SIZE, (uintptr_t)self->memory);
}

FIXTURE_TEARDOWN(host)
{
	iommufd_close(&self->iommufd);
	self->target.ops->close(&self->target);
}

/* What the stamp at @page is called; and what a device reaches instead, if it reaches nothing */
#define NAME(_page) ((uintptr_t)self->memory + (_page) * VM_PAGE)

static inline uint64_t host_dma(FIXTURE_DATA(host) *self, unsigned int device, uint32_t pasid,
				uint64_t iova, enum dma_op op, uint64_t data)
{
	struct dma dma = {
		.op = op, .address = self->ats ? DMA_ATS : DMA_PLAIN, .pasid = pasid, .addr = iova,
		.len = 8, .data = &data,
	};

	if (self->target.ops->dma(&self->target, device, 0, &dma) != DMA_DONE)
		return VM_NOWHERE;
	return vm_name(data);
}

#define EXPECT_PAGE(_device, _pasid, _iova, _page) \
	EXPECT_EQ(NAME(_page), host_dma(self, _device, _pasid, _iova, DMA_READ, 0))
#define EXPECT_NONE(_device, _pasid, _iova) \
	EXPECT_EQ(VM_NOWHERE, host_dma(self, _device, _pasid, _iova, DMA_READ, 0))
#define WRITE(_device, _pasid, _iova) \
	ASSERT_NE(VM_NOWHERE, host_dma(self, _device, _pasid, _iova, DMA_WRITE, 1))

#define IOAS_MAP(_ioas, _iova, _page, _pages) \
	ASSERT_EQ(0, __ioas_map(&self->iommufd, _ioas, self->memory + (_page) * VM_PAGE, \
				(_pages) * VM_PAGE, _iova, \
				IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE))
#define IOAS_UNMAP(_ioas, _iova, _pages) \
	ASSERT_EQ(0, __ioas_unmap(&self->iommufd, _ioas, _iova, (_pages) * VM_PAGE, NULL))

#define ATTACH(_device, _pasid, _pt_id) \
	ASSERT_EQ(0, self->target.ops->attach(&self->target, &self->iommufd, self->dev[_device], \
					      _pasid, _pt_id))
#define DETACH(_device, _pasid) \
	ASSERT_EQ(0, self->target.ops->detach(&self->target, &self->iommufd, self->dev[_device], \
					      _pasid))
#define HWPT(_ioas, _flags) hwpt_alloc(&self->iommufd, self->dev[0], _ioas, _flags)

#endif
