// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware vIOMMU: hardware runs a guest's own command buffer. (Not in the published 48882;
 * spec/amdvi.h says where the layouts come from.)
 *
 * Each guest has an id, a page of doorbells, a control block, and two tables that put host ids for
 * its DeviceIDs and DomainIDs. The tables lie in the private address space of the IOMMU, which a v1
 * table behind its own device table entry makes. Guest memory is reached through the entry of a
 * "translate" DeviceID that no device has. Hardware caches the tables: an entry that changed is
 * relied on, and a host id that left is given out again, only after an invalidation.
 */
#include <errno.h>

#include "amdvi.h"
#include "core/fault.h"
#include "iommufd/amd_nested.h"

#define PRIV_PROT (PGTABLE_READ | PGTABLE_WRITE)
#define PRIV_REGION_SIZE (8ULL << 20)
#define LEN_MIN 4096ULL
#define LEN_MAX (512ULL << 10)

static struct amd_iommu *iommu_of(const struct amd_viommu *viommu)
{
	return &amd_of(viommu->viommu->hyp)->iommus[viommu->viommu->iommu];
}

static void control(const struct amd_viommu *viommu, uint64_t reg, uint64_t value)
{
	struct amd_iommu *iommu = iommu_of(viommu);

	mmio_write(iommu->hyp->platform, iommu->number, amdvi_vfctrl(viommu->gid) + reg, 8, value);
}

static int private_map(struct amd_iommu *iommu, uint64_t at, uint64_t size)
{
	uint64_t pa = pages_alloc(&iommu->hyp->pages, size);

	return pa ? pgtable_map(&iommu->private.pt, at, pa, size, PRIV_PROT, 0) : -ENOMEM;
}

static void private_unmap(struct amd_iommu *iommu, uint64_t at, uint64_t size)
{
	struct pgtable_leaf leaf;

	if (!pgtable_walk(&iommu->private.pt, at, &leaf))
		return;
	pgtable_unmap(&iommu->private.pt, at, size, true);
	amd_queue_pages(iommu, iommu->private.domid, HYP_NO_PASID, at, at + size - 1);
	amd_sync(iommu);
	pages_free(&iommu->hyp->pages, leaf.out, size);
}

static void private_put(struct amd_iommu *iommu)
{
	uint16_t own = AMDVI_IOMMU_DEVICE_ID(iommu->number);

	if (--iommu->private_users)
		return;
	amd_table_block(iommu, own);
	amd_flush_dte(iommu, own);
	private_unmap(iommu, AMDVI_PRIV_REGION, PRIV_REGION_SIZE);
	pgtable_fini(&iommu->private.pt);
	amd_domid_put(amd_of(iommu->hyp), iommu->private.domid, false);
}

static int private_get(struct amd_iommu *iommu)
{
	struct amd_domain *private = &iommu->private;
	uint64_t dte[4];
	int rc;

	if (iommu->private_users++)
		return 0;
	*private = (struct amd_domain){ .kind = AMD_HOST, .base.hyp = iommu->hyp };
	private->domid = amd_domid_get(amd_of(iommu->hyp));
	rc = private->domid ? pgtable_init(&private->pt, &pgtable_amdv1, AMD_HOST_LEVELS, 0,
					   &iommu->hyp->pages) : -ENOSPC;
	rc = rc ?: private_map(iommu, AMDVI_PRIV_REGION, PRIV_REGION_SIZE);
	if (rc) {
		private_put(iommu);
		return rc;
	}
	amd_host_dte(private, private->domid, dte);
	return amd_table_write(iommu, AMDVI_IOMMU_DEVICE_ID(iommu->number), dte);
}

static int lowest_free(uint64_t *used, unsigned int from)
{
	uint64_t free = ~*used & ~0ULL << from;
	int bit = free ? __builtin_ctzll(free) : -1;

	if (free)
		*used |= 1ULL << bit;
	return bit;
}

static uint64_t device_map(const struct amd_viommu *viommu)
{
	return AMDVI_PRIV_DEVICE_MAP + viommu->gid * AMDVI_PRIV_DEVICE_MAP_SIZE;
}

static uint64_t domain_map(const struct amd_viommu *viommu)
{
	return AMDVI_PRIV_DOMAIN_MAP + viommu->gid * AMDVI_PRIV_DOMAIN_MAP_SIZE;
}

int amd_vf_translate_write(struct amd_viommu *viommu)
{
	struct amd_domain *parent = amd_domain_of(viommu->viommu->parent);
	uint64_t dte[4];

	if (!viommu->gid)
		return 0;
	amd_host_dte(parent, parent->domid, dte);
	return amd_table_write(iommu_of(viommu), viommu->trans_id, dte);
}

static int open_guest(struct amd_viommu *viommu)
{
	struct amd_iommu *iommu = iommu_of(viommu);
	uint64_t cmd[2];
	int rc;

	rc = private_map(iommu, device_map(viommu), AMDVI_PRIV_DEVICE_MAP_SIZE);
	rc = rc ?: private_map(iommu, domain_map(viommu), AMDVI_PRIV_DOMAIN_MAP_SIZE);
	rc = rc ?: amd_vf_translate_write(viommu);
	if (rc)
		return rc;
	amdvi_cmd_reset_vmmio(cmd, viommu->gid, true, false);
	amd_queue(iommu, cmd);
	rc = amd_sync(iommu);
	control(viommu, AMDVI_VFCTRL_MISC, amdvi_put(viommu->trans_id, AMDVI_MISC_TRANSLATE_ID));
	return rc;
}

int amd_vf_alloc(struct amd_viommu *viommu)
{
	struct amd_iommu *iommu = iommu_of(viommu);
	struct amd *amd = amd_of(iommu->hyp);
	int gid, trans, rc;

	if (!(iommu->efr & AMDVI_EFR_VIOMMU_SUP))
		return -EOPNOTSUPP;
	gid = lowest_free(&iommu->gids, 1);
	trans = lowest_free(&amd->trans_ids, 0);
	if (gid < 0 || trans < 0)
		return -ENOSPC;
	viommu->gid = gid;
	viommu->trans_id = amd->first_trans_id + trans;
	rc = private_get(iommu);
	if (rc)
		return rc;
	rc = open_guest(viommu);
	if (rc)
		amd_vf_free(viommu);
	return rc;
}

/* The host ids first, then the way to guest memory, then what was the guest's in hardware. */
void amd_vf_free(struct amd_viommu *viommu)
{
	struct amd_iommu *iommu = iommu_of(viommu);
	uint64_t cmd[2];

	if (!viommu->gid)
		return;
	amdvi_cmd_reset_vmmio(cmd, viommu->gid, true, false);
	amd_queue(iommu, cmd);
	amd_sync(iommu);
	control(viommu, AMDVI_VFCTRL_MISC, 0);
	amd_table_block(iommu, viommu->trans_id);
	amd_flush_dte(iommu, viommu->trans_id);
	private_unmap(iommu, device_map(viommu), AMDVI_PRIV_DEVICE_MAP_SIZE);
	private_unmap(iommu, domain_map(viommu), AMDVI_PRIV_DOMAIN_MAP_SIZE);
	private_put(iommu);
	iommu->gids &= ~(1ULL << viommu->gid);
	amd_of(iommu->hyp)->trans_ids &=
		~(1ULL << (viommu->trans_id - amd_of(iommu->hyp)->first_trans_id));
	viommu->gid = 0;
}

static int map(struct amd_viommu *viommu, uint64_t reg, uint64_t at, uint16_t guest, int host)
{
	struct amd_iommu *iommu = iommu_of(viommu);

	control(viommu, reg, amdvi_map_entry(guest, host < 0 ? 0 : host, host >= 0));
	if (FAULT("hyp.amdvi-map-no-flush", "a changed mapping table entry is not invalidated"))
		return 0;
	amd_queue_pages(iommu, iommu->private.domid, HYP_NO_PASID, at, at);
	return amd_sync(iommu);
}

int amd_vf_map_device(struct amd_viommu *viommu, uint16_t guest, int host)
{
	if (!viommu->gid)
		return 0;
	if (FAULT("hyp.amdvi-device-map-stays", "a vDEVICE that goes stays in the table") &&
	    host < 0)
		return 0;
	if (FAULT("hyp.amdvi-device-map-identity", "the DeviceID table maps ids to themselves") &&
	    host >= 0)
		host = guest;
	return map(viommu, AMDVI_VFCTRL_DEVICE_MAP, amdvi_device_map_addr(viommu->gid, guest),
		   guest, host);
}

int amd_vf_map_domain(struct amd_viommu *viommu, uint16_t guest, int host)
{
	if (!viommu->gid)
		return 0;
	if (FAULT("hyp.amdvi-domain-map-stays", "a DomainID that goes stays in the table") &&
	    host < 0)
		return 0;
	return map(viommu, AMDVI_VFCTRL_DOMAIN_MAP, amdvi_domain_map_addr(viommu->gid, guest),
		   guest, host);
}

static uint64_t queue_reg(uint32_t type)
{
	static const uint64_t regs[] = {
		AMDVI_VFCTRL_CMDBUF, AMDVI_VFCTRL_EVTLOG, AMDVI_VFCTRL_PPRLOG,
	};

	return regs[type - IOMMU_HW_QUEUE_TYPE_AMD_CMD];
}

int amd_hw_queue_alloc(struct hyp_hw_queue *queue)
{
	struct amd_viommu *viommu = queue->viommu->priv;
	unsigned int bit = queue->type - IOMMU_HW_QUEUE_TYPE_AMD_CMD;
	uint64_t entries = queue->length / AMDVI_LOG_ENTRY_SIZE;

	if (!viommu->gid || queue->type < IOMMU_HW_QUEUE_TYPE_AMD_CMD ||
	    queue->type > IOMMU_HW_QUEUE_TYPE_AMD_PPR)
		return -EOPNOTSUPP;
	if (queue->index || queue->length & (queue->length - 1) || queue->length < LEN_MIN ||
	    queue->length > LEN_MAX || queue->iova & 4095)
		return -EINVAL;
	if (viommu->queues & 1u << bit)
		return -EEXIST;
	viommu->queues |= 1u << bit;
	control(viommu, queue_reg(queue->type), (queue->iova & AMDVI_BASE_ADDR) |
		amdvi_put(__builtin_ctzll(entries), AMDVI_BASE_LEN) | AMDVI_VQUEUE_RUN |
		AMDVI_VQUEUE_INT);
	return 0;
}

/* Hardware stops; what it was doing in guest memory is over when a sync is. */
void amd_hw_queue_free(struct hyp_hw_queue *queue)
{
	struct amd_viommu *viommu = queue->viommu->priv;

	viommu->queues &= ~(1u << (queue->type - IOMMU_HW_QUEUE_TYPE_AMD_CMD));
	if (FAULT("hyp.amdvi-queue-runs-on", "a queue that is destroyed goes on running"))
		return;
	control(viommu, queue_reg(queue->type), 0);
	amd_sync(iommu_of(viommu));
}

int amd_viommu_mmio(struct hyp_viommu *viommu, uint64_t offset, unsigned int size, bool write,
		    uint64_t *value)
{
	struct amd_viommu *of = viommu->priv;
	uint64_t at = amdvi_vf(of->gid) + offset;

	if ((size != 4 && size != 8) || offset & (size - 1))
		return -EINVAL;
	if (write)
		mmio_write(viommu->hyp->platform, viommu->iommu, at, size, *value);
	else
		*value = mmio_read(viommu->hyp->platform, viommu->iommu, at, size);
	return 0;
}
