// SPDX-License-Identifier: GPL-2.0-only
/* What invalidations of SMMUv3 cost: bench.h */
#define BENCH_VENDOR "arm"
#define BENCH_VM vm_arm

#include "bench.h"
#include "vmm/smmuv3.h"

typedef uint64_t command[2];

static unsigned int fill_tlbi(struct bench *bench, unsigned int count, command *commands)
{
	for (unsigned int i = 0; i < count; i++)
		smmuv3_cmd_tlbi_nh_va(commands[i], 0, bench->spaces[0].domain, batch_iova(i), true);
	return count;
}

/* For the devices behind one SMMU */
static unsigned int fill_atc_inv(struct bench *bench, const struct vmm_smmuv3_viommu *viommu,
				 unsigned int count, command *commands)
{
	unsigned int n = 0;

	for (unsigned int d = 0; d < bench->vm.device_count; d++)
		for (unsigned int i = 0; i < count && bench->vm.devices[d].ats &&
					 vmm_smmuv3_viommu_of(&bench->vm.devices[d]) == viommu; i++)
			smmuv3_cmd_atc_inv(commands[n++], bench->vm.devices[d].rid, batch_iova(i),
					   0);
	return n;
}

static int call(struct bench *bench, const struct vmm_smmuv3_viommu *viommu,
		const command *commands, unsigned int count)
{
	return !count ? 0 : batch_call(bench, viommu->id, IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
				       commands, sizeof(commands[0]), count);
}

/* A call is complete when it returns: that stands for the CMD_SYNC before ATC_INV (4.5.1). */
static int vendor_batch(struct bench *bench, unsigned int count)
{
	static command commands[BATCH_MAX * VM_DEVICES];
	struct vmm_smmuv3 *vmm = vmm_smmuv3(&bench->vm);
	int rc = 0;

	for (unsigned int i = 0; i < vmm->viommu_count && !rc; i++) {
		const struct vmm_smmuv3_viommu *viommu = &vmm->viommus[i];

		rc = call(bench, viommu, commands, fill_tlbi(bench, count, commands));
		rc = rc ?: call(bench, viommu, commands,
				fill_atc_inv(bench, viommu, count, commands));
	}
	return rc;
}

static int vendor_atc(struct bench *bench, uint64_t iova)
{
	static struct guest_smmuv3_list list;

	list.count = 0;
	for (unsigned int i = 0; i < bench->vm.device_count; i++)
		guest_smmuv3_atc_inv(&list, bench->vm.devices[i].rid, DMA_NO_PASID, iova, PAGE);
	guest_smmuv3_sync(&list);
	return vmm_smmuv3_execute(&bench->vm, &list, NULL);
}

NIT_TEST_MAIN
