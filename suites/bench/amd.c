// SPDX-License-Identifier: GPL-2.0-only
/* What invalidations of AMD-Vi cost: bench.h */
#define BENCH_VENDOR "amd"
#define BENCH_VM vm_amd

#include "bench.h"
#include "iommufd/amd_nested.h"
#include "vmm/amdvi.h"

/* Commands for the devices behind one IOMMU, @count pages each; how many they are */
static unsigned int fill(struct bench *bench, unsigned int iommu, unsigned int count,
			 uint64_t (*commands)[2])
{
	struct vmm_amdvi *vmm = vmm_amdvi(&bench->vm);
	unsigned int n = 0;

	for (unsigned int d = 0; d < bench->vm.device_count; d++) {
		uint16_t rid = bench->vm.devices[d].rid;

		for (unsigned int i = 0; i < count && vmm->devices[d].iommu == iommu; i++)
			amdvi_cmd_invalidate_iommu_pages(
				commands[n++], guest_amdvi_device(&vmm->guest, rid)->domain, 0,
				amdvi_inv_address(batch_iova(i), 12), AMDVI_PAGES1_GN);
	}
	for (unsigned int d = 0; d < bench->vm.device_count; d++)
		for (unsigned int i = 0; i < count && bench->vm.devices[d].ats &&
					 vmm->devices[d].iommu == iommu; i++)
			amdvi_cmd_invalidate_iotlb_pages(
				commands[n++], bench->vm.devices[d].rid, bench->vm.devices[d].rid,
				0, 0, amdvi_inv_address(batch_iova(i), 12), 0);
	return n;
}

static int vendor_batch(struct bench *bench, unsigned int count)
{
	static uint64_t commands[BATCH_MAX * 2 * VM_DEVICES][2];
	struct vmm_amdvi *vmm = vmm_amdvi(&bench->vm);
	int rc = 0;

	for (unsigned int i = 0; i < VMM_AMDVI_IOMMUS && !rc; i++)
		if (vmm->iommus[i].viommu_id)
			rc = batch_call(bench, vmm->iommus[i].viommu_id,
					IOMMU_VIOMMU_INVALIDATE_DATA_AMD, commands,
					sizeof(commands[0]), fill(bench, i, count, commands));
	return rc;
}

static int vendor_atc(struct bench *bench, uint64_t iova)
{
	static struct guest_amdvi_list list;

	list.count = 0;
	for (unsigned int i = 0; i < bench->vm.device_count; i++)
		guest_amdvi_iotlb(&list, bench->vm.devices[i].rid, 0, iova, PAGE);
	return vm_amd_run(&bench->vm, &list);
}

NIT_TEST_MAIN
