// SPDX-License-Identifier: GPL-2.0-only
/* What invalidations of VT-d cost: bench.h */
#define BENCH_VENDOR "intel"
#define BENCH_VM vm_intel

#include "bench.h"
#include "vmm/vtd.h"

/* Entries of the nested page table; the hypervisor itself sees to the devices. */
static int vendor_batch(struct bench *bench, unsigned int count)
{
	static struct iommu_hwpt_vtd_s1_invalidate entries[BATCH_MAX];

	for (unsigned int i = 0; i < count; i++)
		entries[i] = (struct iommu_hwpt_vtd_s1_invalidate){
			.addr = batch_iova(i), .npages = 1, .flags = IOMMU_VTD_INV_FLAGS_LEAF,
		};
	return batch_call(bench, bench->spaces[0].hwpt_id, IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
			  entries, sizeof(entries[0]), count);
}

/* There is nothing to hand down: that no command comes of it is what the counts say. */
static int vendor_atc(struct bench *bench, uint64_t iova)
{
	struct guest_vtd *guest = &vmm_vtd(&bench->vm)->guest;
	static struct guest_vtd_list list;

	list.count = 0;
	for (unsigned int i = 0; i < bench->vm.device_count; i++)
		guest_vtd_invalidate_atc(&list, bench->vm.devices[i].rid, 0, iova, PAGE);
	guest_vtd_wait(guest, &list);
	return vmm_vtd_execute(&bench->vm, &list, NULL) ?: guest_vtd_waited(guest) ? 0 : -EIO;
}

NIT_TEST_MAIN
