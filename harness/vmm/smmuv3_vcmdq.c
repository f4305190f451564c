// SPDX-License-Identifier: GPL-2.0-only
/* Tegra241 command queues in guest memory, driven through page 0 of the guest's interface. */
#include <errno.h>

#include "core/fault.h"
#include "smmuv3.h"

#define WAIT_BOUND 10000

static uint64_t reg_offset(const struct vmm_smmuv3_vcmdq *queue, unsigned int reg)
{
	return CMDQV_LVCMDQ_PAGE0(0, queue->index) - CMDQV_VINTF_PAGE0(0) + reg;
}

uint32_t vmm_smmuv3_vcmdq_read(struct vmm_smmuv3_vcmdq *queue, unsigned int reg)
{
	struct target *target = queue->vm->target;
	uint64_t value = 0;

	target->ops->viommu_mmio(target, &queue->vm->iommufd, queue->viommu->mmio,
				 reg_offset(queue, reg), 4, false, &value);
	return value;
}

void vmm_smmuv3_vcmdq_write(struct vmm_smmuv3_vcmdq *queue, unsigned int reg, uint32_t value)
{
	struct target *target = queue->vm->target;
	uint64_t wide = value;

	target->ops->viommu_mmio(target, &queue->vm->iommufd, queue->viommu->mmio,
				 reg_offset(queue, reg), 4, true, &wide);
}

static bool wait_register(struct vmm_smmuv3_vcmdq *queue, unsigned int reg, uint32_t mask,
			  uint32_t value)
{
	for (unsigned int i = 0; i < WAIT_BOUND; i++) {
		if ((vmm_smmuv3_vcmdq_read(queue, reg) & mask) == value)
			return true;
		queue->vm->target->ops->service(queue->vm->target);
	}
	return false;
}

int vmm_smmuv3_vcmdq_open(struct vm_device *device, unsigned int index, unsigned int log2size,
			  struct vmm_smmuv3_vcmdq *queue)
{
	uint64_t size = (uint64_t)SMMU_CMD_SIZE << log2size;
	int rc;

	*queue = (struct vmm_smmuv3_vcmdq){
		.vm = device->vm, .viommu = vmm_smmuv3_viommu_of(device), .index = index,
		.log2size = log2size,
		.base = pages_alloc(&device->vm->mem, size < 4096 ? 4096 : size),
	};
	if (!queue->base)
		return -ENOMEM;
	rc = __hw_queue_alloc(&device->vm->iommufd, queue->viommu->id,
			      IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV, index, queue->base, size,
			      &queue->id);
	if (rc)
		return rc;
	vmm_smmuv3_vcmdq_write(queue, VCMDQ_CONFIG, VCMDQ_EN);
	return wait_register(queue, VCMDQ_STATUS, VCMDQ_EN, VCMDQ_EN) ? 0 : -ETIMEDOUT;
}

int vmm_smmuv3_vcmdq_close(struct vmm_smmuv3_vcmdq *queue)
{
	return __iommufd_destroy(&queue->vm->iommufd, queue->id);
}

void vmm_smmuv3_vcmdq_push(struct vmm_smmuv3_vcmdq *queue, const struct guest_smmuv3_list *list)
{
	for (unsigned int i = 0; i < list->count; i++) {
		uint64_t at = smmu_queue_index(queue->prod, queue->log2size);
		uint64_t *entry = pages_ptr(&queue->vm->mem, queue->base + at * SMMU_CMD_SIZE);

		__atomic_store_n(&entry[0], list->c[i][0], __ATOMIC_RELEASE);
		__atomic_store_n(&entry[1], list->c[i][1], __ATOMIC_RELEASE);
		queue->prod = smmu_queue_next(queue->prod, queue->log2size);
	}
	vmm_smmuv3_vcmdq_write(queue, VCMDQ_PROD, queue->prod);
}

int vmm_smmuv3_vcmdq_wait(struct vmm_smmuv3_vcmdq *queue, unsigned int *error)
{
	uint32_t mask = (2u << queue->log2size) - 1;

	for (unsigned int i = 0; i < WAIT_BOUND; i++) {
		uint32_t cons = vmm_smmuv3_vcmdq_read(queue, VCMDQ_CONS);
		uint32_t gerror = vmm_smmuv3_vcmdq_read(queue, VCMDQ_GERROR) ^
				  vmm_smmuv3_vcmdq_read(queue, VCMDQ_GERRORN);

		if (gerror & VCMDQ_GERROR_CMDQ_ERR) {
			if (error)
				*error = smmu_get(SMMU_CMDQ_CONS_ERR, cons);
			return -EIO;
		}
		if ((cons & mask) == (queue->prod & mask))
			return 0;
		queue->vm->target->ops->service(queue->vm->target);
	}
	return -ETIMEDOUT;
}
