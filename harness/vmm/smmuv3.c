// SPDX-License-Identifier: GPL-2.0-only
/* SMMUv3 as the vendor of a VM: the guest's driver, and the virtual SMMU that it drives. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/fault.h"
#include "smmuv3.h"

static uint32_t guest_ssid(const struct vm_space *space)
{
	return space->pasid == DMA_NO_PASID ? 0 : space->pasid;
}

/* The guest rings its doorbell and waits for the CMD_SYNC at the end. */
static int run(struct vm *vm, struct guest_smmuv3_list *list)
{
	unsigned int done;
	int rc;

	guest_smmuv3_sync(list);
	rc = vmm_smmuv3_execute(vm, list, &done);
	list->count = 0;
	return rc;
}

static int arm_guest_init(struct vm *vm)
{
	struct vmm_smmuv3 *vmm = calloc(1, sizeof(*vmm));
	int rc;

	if (!vmm)
		return -ENOMEM;
	vm->priv = vmm;
	vmm->vm = vm;
	vmm->type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3;
	vmm->fault_fd = -1;
	rc = guest_smmuv3_init(&vmm->guest, &vm->mem);
	vmm->strtab = vmm->guest.strtab;
	return rc;
}

static void arm_guest_fini(struct vm *vm)
{
	struct vmm_smmuv3 *vmm = vmm_smmuv3(vm);

	if (!vmm)
		return;
	for (unsigned int i = 0; i < vmm->viommu_count; i++)
		if (vmm->viommus[i].events >= 0)
			close(vmm->viommus[i].events);
	if (vmm->fault_fd >= 0)
		close(vmm->fault_fd);
	guest_smmuv3_fini(&vmm->guest);
	free(vmm);
	vm->priv = NULL;
}

/* What struct iommu_hw_info_arm_smmuv3 lets a VMM look at; ATS is the device's to say. */
static int read_features(struct vm_device *device)
{
	struct vmm_smmuv3 *vmm = vmm_smmuv3(device->vm);
	struct iommu_hw_info_arm_smmuv3 info = {};
	uint32_t type, len = sizeof(info);
	uint64_t capabilities;
	uint8_t pasid;
	int rc;

	rc = __get_hw_info(&device->vm->iommufd, device->dev_id, &type, &info, &len, &capabilities,
			   &pasid);
	if (rc || type != IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
		return rc ?: -ENODEV;
	for (unsigned int i = 0; i < 6; i++)
		vmm->guest.idr[i] = info.idr[i];
	return 0;
}

static int find_viommu(struct vm_device *device, struct vmm_smmuv3_viommu **out)
{
	struct vmm_smmuv3 *vmm = vmm_smmuv3(device->vm);
	unsigned int iommu = device->vm->target->devices[device->number].iommu;
	struct vmm_smmuv3_viommu *viommu;
	struct iommu_viommu_tegra241_cmdqv data = {};
	bool tegra = vmm->type == IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV;
	int rc;

	for (unsigned int i = 0; i < vmm->viommu_count; i++) {
		*out = &vmm->viommus[i];
		if ((*out)->iommu == iommu)
			return 0;
	}
	if (vmm->viommu_count == VMM_SMMUV3_VIOMMUS)
		return -ENOSPC;
	viommu = &vmm->viommus[vmm->viommu_count];
	*viommu = (struct vmm_smmuv3_viommu){ .iommu = iommu, .events = -1 };
	rc = __viommu_alloc(&device->vm->iommufd, device->dev_id, device->parent, vmm->type,
			    tegra ? &data : NULL, tegra ? sizeof(data) : 0, &viommu->id);
	if (rc)
		return rc;
	viommu->mmio = data.out_vintf_mmap_offset;
	vmm->viommu_count++;
	*out = viommu;
	return 0;
}

/* The vDEVICE before anything is attached through the vIOMMU; an STE that aborts, at first. */
static int arm_device_add(struct vm_device *device)
{
	struct vmm_smmuv3 *vmm = vmm_smmuv3(device->vm);
	struct vmm_smmuv3_viommu *viommu;
	struct guest_smmuv3_list list = {};
	uint16_t rid = device->rid;
	int rc;

	if (!guest_smmuv3_ste(&vmm->guest, rid))
		return -EINVAL;
	rc = read_features(device) ?: find_viommu(device, &viommu);
	if (rc)
		return rc;
	if (FAULT("vmm.smmuv3-real-sid", "the vDEVICE has the real id, not the guest's"))
		rid = device->vm->target->devices[device->number].rid;
	rc = __vdevice_alloc(&device->vm->iommufd, viommu->id, device->dev_id, rid,
			     &device->vdevice_id);
	if (rc)
		return rc;
	device->viommu_id = viommu->id;
	guest_smmuv3_config(&vmm->guest, device->rid, STE_CONFIG_ABORT);
	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), device->rid, true);
	return run(device->vm, &list);
}

static void arm_device_remove(struct vm_device *device)
{
	vmm_smmuv3_remove(device);
	guest_smmuv3_forget(&vmm_smmuv3(device->vm)->guest, device->rid);
}

static const struct pgtable_format *format(const struct guest_smmuv3 *guest)
{
	return guest->page_shift == 12 ? &pgtable_lpae_s1_4k :
	       guest->page_shift == 14 ? &pgtable_lpae_s1_16k : &pgtable_lpae_s1_64k;
}

static int arm_space_init(struct vm_space *space)
{
	struct guest_smmuv3 *guest = &vmm_smmuv3(space->vm)->guest;
	const struct pgtable_format *f = format(guest);
	unsigned int levels = 1;

	while (f->page_shift + levels * f->index_bits < guest->va_bits)
		levels++;
	space->domain = guest->next_asid++;
	return pgtable_init(&space->stage1, f, levels, 0, &space->vm->mem);
}

static void arm_space_fini(struct vm_space *space)
{
	pgtable_fini(&space->stage1);
}

static void cfgi_cd(struct guest_smmuv3_list *list, const struct vm_device *device, uint32_t ssid)
{
	/* Leaf == 0: the level-1 entry may be new. */
	smmuv3_cmd_cfgi_cd(guest_smmuv3_next(list), device->rid, ssid, false);
}

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Take a CD out (3.21.3.1), then what the device still has of it */
static int clear_cd(struct vm_device *device, struct vm_space *space)
{
	struct guest_smmuv3 *guest = &vmm_smmuv3(device->vm)->guest;
	uint64_t *cd = guest_smmuv3_cd(guest, device->rid, guest_ssid(space));
	struct guest_smmuv3_list list = {};

	if (!cd)
		return -ENOENT;
	store(&cd[0], cd[0] & ~CD0_V);
	cfgi_cd(&list, device, guest_ssid(space));
	guest_smmuv3_sync(&list);
	if (device->ats)
		guest_smmuv3_atc_inv(&list, device->rid, space->pasid, 0, UINT64_MAX);
	return run(device->vm, &list);
}

static int write_cd(struct vm_device *device, struct vm_space *space)
{
	struct guest_smmuv3 *guest = &vmm_smmuv3(device->vm)->guest;
	uint64_t *now = guest_smmuv3_cd(guest, device->rid, guest_ssid(space)), cd[SMMU_CD_WORDS];
	struct guest_smmuv3_list list = {};
	int rc;

	if (!now)
		return -ENOMEM;
	guest_smmuv3_cd_words(guest, &space->stage1, space->domain, cd);
	for (unsigned int i = 1; i < SMMU_CD_WORDS; i++)
		store(&now[i], cd[i]);
	cfgi_cd(&list, device, guest_ssid(space));
	rc = run(device->vm, &list);
	store(&now[0], cd[0]);
	cfgi_cd(&list, device, guest_ssid(space));
	return rc ?: run(device->vm, &list);
}

static int cfgi_ste(struct vm_device *device)
{
	struct guest_smmuv3_list list = {};

	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), device->rid, true);
	return run(device->vm, &list);
}

static bool translates(const struct guest_smmuv3 *guest, uint32_t sid)
{
	return smmu_get(STE0_CONFIG, guest_smmuv3_ste(guest, sid)[0]) == STE_CONFIG_S1;
}

static int arm_attach(struct vm_device *device, struct vm_space *space, struct vm_space *old)
{
	struct guest_smmuv3 *guest = &vmm_smmuv3(device->vm)->guest;
	int rc = old ? clear_cd(device, old) : 0;

	if (!rc && !translates(guest, device->rid)) {
		rc = guest_smmuv3_stage1(guest, device->rid, device->ats);
		rc = rc ?: cfgi_ste(device);
	}
	return rc ?: write_cd(device, space);
}

static int arm_detach(struct vm_device *device, struct vm_space *space)
{
	return clear_cd(device, space);
}

static void atc_inv(struct guest_smmuv3_list *list, const struct vm_space *space, uint64_t iova,
		    uint64_t len)
{
	for (unsigned int i = 0; i < space->device_count; i++)
		if (space->devices[i]->ats)
			guest_smmuv3_atc_inv(list, space->devices[i]->rid, space->pasid, iova, len);
}

/* The example of 4.5.1: TLBI, CMD_SYNC, ATC_INV, CMD_SYNC */
static void list_ranges(struct vm *vm, struct guest_smmuv3_list *list,
			const struct vm_range *ranges, unsigned int count, unsigned int change)
{
	struct guest_smmuv3 *guest = &vmm_smmuv3(vm)->guest;

	for (const struct vm_range *r = ranges; r < ranges + count; r++)
		guest_smmuv3_tlbi(guest, list, r->space->domain, r->iova, r->len,
				  change & VM_LEAF_ONLY);
	guest_smmuv3_sync(list);
	for (const struct vm_range *r = ranges; r < ranges + count; r++)
		atc_inv(list, r->space, r->iova, r->len);
}

static int arm_invalidate_batch(struct vm *vm, const struct vm_range *ranges, unsigned int count,
				unsigned int change)
{
	struct guest_smmuv3_list list = {};

	list_ranges(vm, &list, ranges, count, change);
	return run(vm, &list);
}

static int arm_invalidate(struct vm_space *space, uint64_t iova, uint64_t len, unsigned int change)
{
	return arm_invalidate_batch(space->vm, &(struct vm_range){ space, iova, len }, 1, change);
}

static int arm_invalidate_all(struct vm *vm, struct vm_space * const *spaces, unsigned int count)
{
	struct guest_smmuv3_list list = {};

	smmuv3_cmd_tlbi_nh_all(guest_smmuv3_next(&list), 0);
	guest_smmuv3_sync(&list);
	for (unsigned int i = 0; i < count; i++)
		atc_inv(&list, spaces[i], 0, UINT64_MAX);
	return run(vm, &list);
}

static int arm_invalidate_space(struct vm_space *space)
{
	struct guest_smmuv3_list list = {};

	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, space->domain);
	guest_smmuv3_sync(&list);
	atc_inv(&list, space, 0, UINT64_MAX);
	return run(space->vm, &list);
}

static int arm_next_fault(struct vm *vm, struct vm_fault *fault)
{
	uint64_t record[2];
	int rc = vmm_smmuv3_next_request(vm, record);

	if (rc)
		return rc;
	*fault = (struct vm_fault){
		.device = vm_device_of(vm, smmu_get(PRI0_SID, record[0])),
		.pasid = record[0] & PRI0_SSV ? smmu_get(PRI0_SSID, record[0]) : DMA_NO_PASID,
		.iova = record[1] & PRI1_ADDR, .group = smmu_get(PRI1_PRGINDEX, record[1]),
		.write = record[0] & PRI0_WRITE,
	};
	return 0;
}

static int arm_answer(struct vm *vm, const struct vm_fault *fault, bool served,
		      const struct vm_range *also)
{
	struct guest_smmuv3_list list = {};

	if (also)
		list_ranges(vm, &list, also, 1, 0);
	smmuv3_cmd_pri_resp(guest_smmuv3_next(&list), fault->device->rid, fault->group,
			    served ? CMD_PRI_RESP_SUCCESS : CMD_PRI_RESP_INVALID);
	if (fault->pasid != DMA_NO_PASID)
		smmuv3_cmd_ssid(list.c[list.count - 1], fault->pasid);
	return run(vm, &list);
}

const struct vm_vendor vm_arm = {
	.name = "arm",
	.guest_init = arm_guest_init,
	.guest_fini = arm_guest_fini,
	.device_add = arm_device_add,
	.device_remove = arm_device_remove,
	.space_init = arm_space_init,
	.space_fini = arm_space_fini,
	.attach = arm_attach,
	.detach = arm_detach,
	.invalidate = arm_invalidate,
	.invalidate_space = arm_invalidate_space,
	.stage2_leaves_pasids = true,
	.invalidate_batch = arm_invalidate_batch,
	.invalidate_all = arm_invalidate_all,
	.page_requests = vmm_smmuv3_faults,
	.next_fault = arm_next_fault,
	.answer = arm_answer,
	.break_before_make = true,
};
