// SPDX-License-Identifier: GPL-2.0-only
/*
 * vIOMMUs, and the Tegra241 command queues (VCMDQ) that a guest may own (spec/smmuv3.h).
 *
 * A vIOMMU of the Tegra241 type has a virtual interface (VINTF) with HYP_OWN == 0: hardware lets
 * few commands through, forces the VMID, and replaces the StreamIDs that a vDEVICE entered. The
 * guest drives its queues through page 0 of the interface; where they lie in memory only the
 * hypervisor says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "smmuv3.h"

#define VINTFS_MAX 64
#define SIDS_MAX 16
#define VINTF_PAGE 0x10000

/** struct smmu_cmdqv - of one SMMU; @vintfs: whose each virtual interface is */
struct smmu_cmdqv {
	unsigned int vintf_count;
	unsigned int queues;	/* of each */
	unsigned int sids;	/* of each */
	struct smmu_vintf *vintfs[VINTFS_MAX];
};

/** struct smmu_vintf - a vIOMMU's interface; @devices: by StreamID pair; @lengths: by queue */
struct smmu_vintf {
	struct hyp_viommu *viommu;
	struct smmu *smmu;
	unsigned int number;
	struct hyp_vdevice *devices[SIDS_MAX];
	struct hyp_hw_queue *queues[128];
};

static uint32_t read32(struct smmu *smmu, uint64_t offset)
{
	return smmu_read(smmu, SMMUV3_CMDQV_OFFSET + offset);
}

static void write32(struct smmu *smmu, uint64_t offset, uint32_t value)
{
	smmu_write(smmu, SMMUV3_CMDQV_OFFSET + offset, value);
}

static int await(struct smmu *smmu, uint64_t offset, uint32_t mask, uint32_t value)
{
	return smmu_poll(smmu, SMMUV3_CMDQV_OFFSET + offset, mask, value);
}

int smmu_cmdqv_init(struct smmu *smmu)
{
	uint32_t param = read32(smmu, CMDQV_PARAM);
	struct smmu_cmdqv *cmdqv;

	if (!param || param == UINT32_MAX)
		return 0;	/* there is none */
	cmdqv = calloc(1, sizeof(*cmdqv));
	if (!cmdqv)
		return -ENOMEM;
	cmdqv->vintf_count = 1u << smmu_get(CMDQV_PARAM_NUM_VINTF_LOG2, param);
	cmdqv->queues = (1u << smmu_get(CMDQV_PARAM_NUM_VCMDQ_LOG2, param)) / cmdqv->vintf_count;
	cmdqv->sids = 1u << smmu_get(CMDQV_PARAM_NUM_SID_LOG2, param);
	if (cmdqv->sids > SIDS_MAX)
		cmdqv->sids = SIDS_MAX;
	smmu->cmdqv = cmdqv;
	write32(smmu, CMDQV_CONFIG, CMDQV_EN);
	return await(smmu, CMDQV_STATUS, CMDQV_EN, CMDQV_EN);
}

void smmu_cmdqv_fini(struct smmu *smmu)
{
	if (smmu->cmdqv)
		write32(smmu, CMDQV_CONFIG, 0);
	free(smmu->cmdqv);
	smmu->cmdqv = NULL;
}

static struct smmu *smmu_of(struct hyp_viommu *viommu)
{
	return &smmuv3_of(viommu->hyp)->units[viommu->iommu];
}

static int vintf_init(struct hyp_viommu *viommu, void *data)
{
	struct iommu_viommu_tegra241_cmdqv *out = data;
	struct smmu *smmu = smmu_of(viommu);
	uint32_t config = smmu_put(VINTF_CONFIG_VMID, smmu_domain(viommu->parent)->tag);
	struct smmu_vintf *vintf;
	unsigned int number = 0;

	while (number < smmu->cmdqv->vintf_count && smmu->cmdqv->vintfs[number])
		number++;
	if (number == smmu->cmdqv->vintf_count)
		return -ENOSPC;
	vintf = calloc(1, sizeof(*vintf));
	if (!vintf)
		return -ENOMEM;
	vintf->viommu = viommu;
	vintf->smmu = smmu;
	vintf->number = number;
	smmu->cmdqv->vintfs[number] = vintf;
	viommu->priv = vintf;
	if (FAULT("hyp.smmuv3-vintf-hyp-own", "a guest's interface has the hypervisor's rights"))
		config |= VINTF_CONFIG_HYP_OWN;
	if (FAULT("hyp.smmuv3-vintf-wrong-vmid", "a guest's interface has VMID 0"))
		config &= ~VINTF_CONFIG_VMID;
	write32(smmu, CMDQV_VINTF(number) + VINTF_CONFIG, config);
	write32(smmu, CMDQV_VINTF(number) + VINTF_CONFIG, config | VINTF_CONFIG_EN);
	viommu->mmio_length = VINTF_PAGE;
	out->out_vintf_mmap_offset = viommu->mmio_offset;
	out->out_vintf_mmap_length = viommu->mmio_length;
	return await(smmu, CMDQV_VINTF(number) + VINTF_STATUS, VINTF_STATUS_ENABLED,
		     VINTF_STATUS_ENABLED);
}

int smmu_viommu_alloc(struct hyp_viommu *viommu, struct hyp_device *device, void *data,
		      uint32_t len)
{
	if (smmu_domain(viommu->parent)->stage != SMMU_S2)
		return -EINVAL;
	switch (viommu->type) {
	case IOMMU_VIOMMU_TYPE_ARM_SMMUV3:
		return 0;
	case IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV:
		if (!smmu_of(viommu)->cmdqv)
			return -EOPNOTSUPP;
		if (len != sizeof(struct iommu_viommu_tegra241_cmdqv))
			return -EINVAL;
		return vintf_init(viommu, data);
	default:
		return -EOPNOTSUPP;
	}
}

void smmu_viommu_free(struct hyp_viommu *viommu)
{
	struct smmu_vintf *vintf = viommu->priv;

	if (!vintf)
		return;
	write32(vintf->smmu, CMDQV_VINTF(vintf->number) + VINTF_CONFIG, 0);
	await(vintf->smmu, CMDQV_VINTF(vintf->number) + VINTF_STATUS, VINTF_STATUS_ENABLED, 0);
	vintf->smmu->cmdqv->vintfs[vintf->number] = NULL;
	viommu->priv = NULL;
	free(vintf);
}

/* A pair is entered replacement first, and taken back match first: no moment with half of it. */
int smmu_vdevice_add(struct hyp_vdevice *vdevice)
{
	struct smmu_vintf *vintf = vdevice->viommu->priv;
	unsigned int slot = 0;
	uint64_t pairs;

	if (!vintf)
		return 0;
	if (vdevice->virt_id > VINTF_SID_MATCH_VIRT_SID >> 1)
		return -EINVAL;
	while (slot < vintf->smmu->cmdqv->sids && vintf->devices[slot])
		slot++;
	if (slot == vintf->smmu->cmdqv->sids)
		return -ENOSPC;
	vintf->devices[slot] = vdevice;
	pairs = CMDQV_VINTF(vintf->number);
	write32(vintf->smmu, pairs + VINTF_SID_REPLACE(slot), smmu_device(vdevice->device)->sid);
	write32(vintf->smmu, pairs + VINTF_SID_MATCH(slot),
		smmu_put(VINTF_SID_MATCH_VIRT_SID, vdevice->virt_id) | VINTF_SID_MATCH_ENABLE);
	return 0;
}

void smmu_vdevice_remove(struct hyp_vdevice *vdevice)
{
	struct smmu_vintf *vintf = vdevice->viommu->priv;

	for (unsigned int slot = 0; vintf && slot < vintf->smmu->cmdqv->sids; slot++) {
		uint64_t pairs = CMDQV_VINTF(vintf->number);

		if (vintf->devices[slot] != vdevice)
			continue;
		vintf->devices[slot] = NULL;
		if (FAULT("hyp.smmuv3-sid-match-stays", "a vDEVICE that is gone still matches"))
			continue;
		write32(vintf->smmu, pairs + VINTF_SID_MATCH(slot), 0);
		write32(vintf->smmu, pairs + VINTF_SID_REPLACE(slot), 0);
	}
}

/* Queues */

/* enum iommu_hw_queue_type: in ascending order, aligned to their size, a power of two */
static int check_queue(const struct smmu_vintf *vintf, const struct hyp_hw_queue *queue)
{
	uint64_t max = SMMU_CMD_SIZE << smmu_get(SMMU_IDR1_CMDQS, vintf->smmu->idr[1]);

	if (queue->index >= vintf->smmu->cmdqv->queues)
		return -EINVAL;
	if (vintf->queues[queue->index])
		return -EEXIST;
	if (queue->index && !vintf->queues[queue->index - 1] &&
	    !FAULT("hyp.smmuv3-vcmdq-any-order", "queues are made in any order"))
		return -EIO;
	if (queue->length < 32 || queue->length > max || queue->length & (queue->length - 1) ||
	    queue->pa & (queue->length - 1))
		return -EINVAL;
	return 0;
}

static unsigned int global_number(const struct smmu_vintf *vintf, unsigned int index)
{
	return vintf->number * vintf->smmu->cmdqv->queues + index;
}

int smmu_hw_queue_alloc(struct hyp_hw_queue *queue)
{
	struct smmu_vintf *vintf = queue->viommu->priv;
	unsigned int number, log2size;
	int rc;

	if (!vintf || queue->type != IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV)
		return -EOPNOTSUPP;
	rc = check_queue(vintf, queue);
	if (rc)
		return rc;
	number = global_number(vintf, queue->index);
	log2size = __builtin_ctzll(queue->length / SMMU_CMD_SIZE);
	write32(vintf->smmu, CMDQV_CMDQ_ALLOC(number),
		CMDQV_ALLOC_ALLOCATED | smmu_put(CMDQV_ALLOC_LVCMDQ, queue->index) |
		smmu_put(CMDQV_ALLOC_VINTF, vintf->number));
	smmu_write64(vintf->smmu, SMMUV3_CMDQV_OFFSET + CMDQV_VCMDQ_PAGE1(number) + VCMDQ_BASE,
		     (queue->pa & VCMDQ_BASE_ADDR) | smmu_put(VCMDQ_BASE_LOG2SIZE, log2size));
	vintf->queues[queue->index] = queue;
	return 0;
}

/*
 * What the queue still has to wait for, ATC_INV not yet answered, is waited for on the SMMU's own
 * queue; then its registers are as before, error acknowledged.
 */
void smmu_hw_queue_free(struct hyp_hw_queue *queue)
{
	struct smmu_vintf *vintf = queue->viommu->priv;
	struct smmu *smmu = vintf->smmu;
	uint64_t page0 = CMDQV_VCMDQ_PAGE0(global_number(vintf, queue->index));
	uint64_t page1 = CMDQV_VCMDQ_PAGE1(global_number(vintf, queue->index));

	vintf->queues[queue->index] = NULL;
	if (FAULT("hyp.smmuv3-vcmdq-stays-on", "a queue is given back while hardware reads it"))
		return;
	write32(smmu, page0 + VCMDQ_CONFIG, 0);
	await(smmu, page0 + VCMDQ_STATUS, VCMDQ_EN, 0);
	smmu_issue(smmu, NULL, 0, NULL);
	write32(smmu, page0 + VCMDQ_PROD, 0);
	write32(smmu, page0 + VCMDQ_CONS, 0);
	write32(smmu, page0 + VCMDQ_GERRORN, read32(smmu, page0 + VCMDQ_GERROR));
	smmu_write64(smmu, SMMUV3_CMDQV_OFFSET + page1 + VCMDQ_BASE, 0);
	write32(smmu, CMDQV_CMDQ_ALLOC(global_number(vintf, queue->index)), 0);
}

int smmu_viommu_mmio(struct hyp_viommu *viommu, uint64_t offset, unsigned int size, bool write,
		     uint64_t *value)
{
	struct smmu_vintf *vintf = viommu->priv;
	struct platform *platform = viommu->hyp->platform;
	uint64_t at;

	if (!vintf)
		return -EOPNOTSUPP;
	if ((size != 4 && size != 8) || offset % size)
		return -EINVAL;
	at = SMMUV3_CMDQV_OFFSET + CMDQV_VINTF_PAGE0(vintf->number) + offset;
	if (write)
		mmio_write(platform, vintf->smmu->number, at, size, *value);
	else
		*value = mmio_read(platform, vintf->smmu->number, at, size);
	return 0;
}

/* A guest's ATC_INV was not answered: whichever of its devices does not answer us is fenced. */
static void find_silent(struct smmu_vintf *vintf)
{
	for (struct hyp_vdevice *v = vintf->viommu->vdevices; v; v = v->next)
		if (smmu_device(v->device)->ats)
			smmu_flush_atc(smmu_device(v->device));
}

static bool timed_out(struct smmu_vintf *vintf, const uint64_t map[2])
{
	for (unsigned int i = 0; i < vintf->smmu->cmdqv->queues; i++) {
		uint64_t page0 = CMDQV_VCMDQ_PAGE0(global_number(vintf, i));

		if (map[i / 64] >> i % 64 & 1 &&
		    smmu_get(SMMU_CMDQ_CONS_ERR, read32(vintf->smmu, page0 + VCMDQ_CONS)) ==
		    SMMU_CERROR_ATC_INV_SYNC)
			return true;
	}
	return false;
}

void smmu_cmdqv_errors(struct smmu *smmu)
{
	for (unsigned int i = 0; smmu->cmdqv && i < smmu->cmdqv->vintf_count; i++) {
		struct smmu_vintf *vintf = smmu->cmdqv->vintfs[i];
		struct iommu_vevent_tegra241_cmdqv event;
		uint64_t map[2];

		if (!vintf)
			continue;
		for (unsigned int m = 0; m < 2; m++)
			event.lvcmdq_err_map[m] = map[m] =
				mmio_read(smmu->hyp->platform, smmu->number, SMMUV3_CMDQV_OFFSET +
					  CMDQV_VINTF(i) + VINTF_LVCMDQ_ERR_MAP(m), 8);
		if (!(map[0] | map[1]))
			continue;
		hyp_report_event(vintf->viommu, IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV, &event,
				 sizeof(event));
		if (timed_out(vintf, map))
			find_silent(vintf);
	}
}
