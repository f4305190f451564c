// SPDX-License-Identifier: GPL-2.0-only
/* Arm SMMUv3: bringing SMMUs up and down, interrupts, and the vendor's table of operations. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "smmuv3.h"

#define MSI_ADDR	0x08020040ULL	/* outside of all RAM; the data is the number of the SMMU */
#define CMDQ_LOG2	8
#define EVENTQ_LOG2	7
#define PRIQ_LOG2	7

static unsigned int queue_size(const struct smmu *smmu, uint64_t field, unsigned int wanted)
{
	unsigned int max = smmu_get(field, smmu->idr[1]);

	return max < wanted ? max : wanted;
}

static int queues_init(struct smmu *smmu)
{
	int rc;

	rc = smmu_queue_init(smmu, &smmu->cmdq, SMMU_CMDQ_BASE,
			     queue_size(smmu, SMMU_IDR1_CMDQS, CMDQ_LOG2), SMMU_CMD_SIZE);
	rc = rc ?: smmu_queue_init(smmu, &smmu->eventq, SMMU_EVENTQ_BASE,
				   queue_size(smmu, SMMU_IDR1_EVENTQS, EVENTQ_LOG2),
				   SMMU_EVENT_SIZE);
	if (!rc && smmu->idr[0] & SMMU_IDR0_PRI)
		rc = smmu_queue_init(smmu, &smmu->priq, SMMU_PRIQ_BASE,
				     queue_size(smmu, SMMU_IDR1_PRIQS, PRIQ_LOG2),
				     SMMU_PAGE_REQUEST_SIZE);
	return rc ?: smmu->cmdq.log2size ? rc : -EIO;	/* a command and its CMD_SYNC must fit */
}

static int set_cr0(struct smmu *smmu, uint32_t cr0)
{
	smmu_write(smmu, SMMU_CR0, cr0);
	return smmu_poll(smmu, SMMU_CR0ACK, ~0u, cr0);
}

static int interrupts_on(struct smmu *smmu)
{
	uint32_t irqs = SMMU_IRQ_CTRL_GERROR | SMMU_IRQ_CTRL_EVENTQ;

	if (!(smmu->idr[0] & SMMU_IDR0_MSI))
		return 0;
	smmu_write64(smmu, SMMU_GERROR_IRQ_CFG0, MSI_ADDR);
	smmu_write(smmu, SMMU_GERROR_IRQ_CFG1, smmu->number);
	smmu_write64(smmu, SMMU_EVENTQ_IRQ_CFG0, MSI_ADDR);
	smmu_write(smmu, SMMU_EVENTQ_IRQ_CFG1, smmu->number);
	if (smmu->idr[0] & SMMU_IDR0_PRI) {
		smmu_write64(smmu, SMMU_PRIQ_IRQ_CFG0, MSI_ADDR);
		smmu_write(smmu, SMMU_PRIQ_IRQ_CFG1, smmu->number);
		irqs |= SMMU_IRQ_CTRL_PRIQ;
	}
	smmu_write(smmu, SMMU_IRQ_CTRL, irqs);
	return smmu_poll(smmu, SMMU_IRQ_CTRLACK, ~0u, irqs);
}

/* Nothing that was cached before us may survive (3.21.3, 6.3.9). */
static int forget_everything(struct smmu *smmu)
{
	uint64_t cmds[3][2];
	unsigned int n = 2;

	smmuv3_cmd_cfgi_all(cmds[0]);
	smmuv3_cmd_tlbi_nsnh_all(cmds[1]);
	if (smmu->idr[0] & SMMU_IDR0_HYP)
		smmuv3_cmd_tlbi_el2_all(cmds[n++]);
	return smmu_issue(smmu, (const uint64_t (*)[2])cmds, n, NULL);
}

static int smmu_start(struct smmu *smmu)
{
	uint32_t cr0 = SMMU_CR0_CMDQEN;
	int rc;

	for (unsigned int i = 0; i < 6; i++)
		smmu->idr[i] = smmu_read(smmu, SMMU_IDR0 + 4 * i);
	smmu->iidr = smmu_read(smmu, SMMU_IIDR);
	smmu->aidr = smmu_read(smmu, SMMU_AIDR);
	rc = set_cr0(smmu, 0);
	rc = rc ?: queues_init(smmu) ?: smmu_tables_init(smmu);
	if (rc)
		return rc;
	smmu_write(smmu, SMMU_CR2, SMMU_CR2_PTM | SMMU_CR2_RECINVSID);
	rc = set_cr0(smmu, cr0) ?: forget_everything(smmu) ?: interrupts_on(smmu);
	cr0 |= SMMU_CR0_EVENTQEN;
	if (smmu->idr[0] & SMMU_IDR0_PRI)
		cr0 |= SMMU_CR0_PRIQEN;
	if (smmu->idr[0] & SMMU_IDR0_ATS)
		cr0 |= SMMU_CR0_ATSCHK;
	rc = rc ?: set_cr0(smmu, cr0) ?: set_cr0(smmu, cr0 | SMMU_CR0_SMMUEN);
	return rc ?: smmu_cmdqv_init(smmu);
}

static int devices_init(struct hyp *hyp)
{
	struct smmuv3 *smmuv3 = hyp->priv;
	int rc = 0;

	for (unsigned int i = 0; i < hyp->platform->device_count && !rc; i++) {
		struct smmu_device *device = calloc(1, sizeof(*device));

		if (!device)
			return -ENOMEM;
		device->smmu = &smmuv3->units[hyp->devices[i].pdev->iommu];
		device->hyp = &hyp->devices[i];
		device->sid = hyp->devices[i].pdev->rid;
		hyp->devices[i].priv = device;
		rc = smmu_block(device);
	}
	return rc;
}

static int start(struct hyp *hyp)
{
	struct smmuv3 *smmuv3 = calloc(1, sizeof(*smmuv3));
	uint32_t features = ~0u;
	int rc = 0;

	if (!smmuv3)
		return -ENOMEM;
	hyp->priv = smmuv3;
	if (hyp->platform->iommu_count > SMMU_UNITS)
		return -ENOSPC;
	smmuv3->count = hyp->platform->iommu_count;
	for (unsigned int i = 0; i < smmuv3->count; i++) {
		smmuv3->units[i].hyp = hyp;
		smmuv3->units[i].number = i;
	}
	for (unsigned int i = 0; i < smmuv3->count && !rc; i++) {
		rc = smmu_start(&smmuv3->units[i]);
		features &= smmuv3->units[i].idr[0];
	}
	smmuv3->vmids.limit = features & SMMU_IDR0_VMID16 ? 1 << 16 : 1 << 8;
	smmuv3->asids.limit = features & SMMU_IDR0_ASID16 ? 1 << 16 : 1 << 8;
	return rc ?: devices_init(hyp);
}

static void stop(struct hyp *hyp)
{
	struct smmuv3 *smmuv3 = hyp->priv;

	for (unsigned int i = 0; smmuv3 && i < hyp->platform->device_count; i++)
		if (smmu_device(&hyp->devices[i]))
			smmu_block(smmu_device(&hyp->devices[i]));
	for (unsigned int i = 0; smmuv3 && i < smmuv3->count; i++) {
		smmu_cmdqv_fini(&smmuv3->units[i]);
		smmu_write(&smmuv3->units[i], SMMU_IRQ_CTRL, 0);
		set_cr0(&smmuv3->units[i], 0);
	}
	/* Not before all is quiet: events name devices. */
	for (unsigned int i = 0; i < hyp->platform->device_count; i++) {
		free(hyp->devices[i].priv);
		hyp->devices[i].priv = NULL;
	}
	free(smmuv3);
	hyp->priv = NULL;
}

static int hw_info(struct hyp_device *device, void *data, uint32_t *len)
{
	const struct smmu *smmu = smmu_device(device)->smmu;
	struct iommu_hw_info_arm_smmuv3 info = { .iidr = smmu->iidr, .aidr = smmu->aidr };

	memcpy(info.idr, smmu->idr, sizeof(info.idr));
	memcpy(data, &info, sizeof(info));
	*len = sizeof(info);
	return 0;
}

/* What comes in the middle of a submission is looked at when that is over. */
static void interrupt(struct hyp *hyp, uint64_t addr, uint32_t data)
{
	struct smmuv3 *smmuv3 = hyp->priv;

	for (unsigned int i = 0; smmuv3 && i < smmuv3->count; i++) {
		struct smmu *smmu = &smmuv3->units[i];

		if (addr == MSI_ADDR && data != i)
			continue;
		smmu->cmdqv_error |= addr != MSI_ADDR;	/* the CMDQV's is wired by firmware */
		if (smmu->busy)
			smmu->pending = true;
		else
			smmu_events(smmu);
	}
}

const struct hyp_vendor_ops hyp_smmuv3_ops = {
	.name = "smmuv3",
	.hw_info_type = IOMMU_HW_INFO_TYPE_ARM_SMMUV3,
	.start = start,
	.stop = stop,
	.hw_info = hw_info,
	.paging_alloc = smmu_paging_alloc,
	.nested_alloc = smmu_nested_alloc,
	.domain_free = smmu_domain_free,
	.map = smmu_map,
	.unmap = smmu_unmap,
	.attach = smmu_attach,
	.detach = smmu_detach,
	.invalidate = smmu_invalidate,
	.viommu_alloc = smmu_viommu_alloc,
	.viommu_free = smmu_viommu_free,
	.vdevice_add = smmu_vdevice_add,
	.vdevice_remove = smmu_vdevice_remove,
	.hw_queue_alloc = smmu_hw_queue_alloc,
	.hw_queue_free = smmu_hw_queue_free,
	.viommu_mmio = smmu_viommu_mmio,
	.set_dirty = smmu_set_dirty,
	.read_dirty = smmu_read_dirty,
	.interrupt = interrupt,
	.page_response = smmu_page_response,
};
