// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tegra241 command queue virtualisation: command queues that a guest drives by itself.
 *
 * A VCMDQ is a command queue like the SMMU's own. It is allotted as logical VCMDQ of a virtual
 * interface (VINTF); a guest reaches it through the page of its interface. In an interface that is
 * not the hypervisor's (HYP_OWN == 0) few commands are legal, the VMID of a TLBI is the interface's
 * and the StreamID of a CMD_ATC_INV is looked up in SID_MATCH and replaced by SID_REPLACE.
 *
 * What the Linux driver does not show is decided here: a command that is not legal, a StreamID that
 * does not match, and a CMD_SYNC that signals are CERROR_ILL; the interrupt is a message.
 */
#include <stdlib.h>

#include "smmuv3_impl.h"

#define SIDS	16

struct vintf {
	uint32_t config;
	uint32_t sid_match[SIDS];
	uint32_t sid_replace[SIDS];
};

struct vcmdq {
	struct smmuv3_cmdq cmdq;
	uint64_t base;
	uint64_t cons_index_base;
	uint32_t alloc;
	uint32_t gerror;
	uint32_t gerrorn;
};

struct smmuv3_cmdqv {
	unsigned int vcmdq_count;
	unsigned int vintf_count;
	unsigned int sid_count;
	uint32_t config;
	uint32_t int_mask[2];
	struct vintf vintfs[64];
	struct vcmdq vcmdqs[];
};

static struct vcmdq *to_vcmdq(const struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq)
{
	return &smmu->cmdqv->vcmdqs[cmdq->index];
}

static unsigned int log2_lvcmdqs(const struct smmuv3 *smmu)
{
	return smmu->config.vcmdq_log2 - smmu->config.vintf_log2;
}

/* ---- Creation ---- */

size_t smmuv3_cmdqv_size(const struct smmuv3_config *config)
{
	return config->cmdqv ? CMDQV_SIZE(1u << config->vintf_log2) : 0;
}

int smmuv3_cmdqv_create(struct smmuv3 *smmu)
{
	const struct smmuv3_config *config = &smmu->config;
	unsigned int count = 1u << config->vcmdq_log2;

	if (!config->cmdqv)
		return 0;
	if (config->vcmdq_log2 > 7 || config->vintf_log2 > 6 || config->sid_log2 > 4 ||
	    config->vintf_log2 > config->vcmdq_log2)
		return -1;
	smmu->cmdqv = calloc(1, sizeof(*smmu->cmdqv) + count * sizeof(struct vcmdq));
	if (!smmu->cmdqv)
		return -1;
	smmu->cmdqv->vcmdq_count = count;
	smmu->cmdqv->vintf_count = 1u << config->vintf_log2;
	smmu->cmdqv->sid_count = 1u << config->sid_log2;
	smmuv3_cmdqv_reset(smmu);
	return 0;
}

void smmuv3_cmdqv_destroy(struct smmuv3 *smmu)
{
	free(smmu->cmdqv);
}

void smmuv3_cmdqv_reset(struct smmuv3 *smmu)
{
	struct smmuv3_cmdqv *cmdqv = smmu->cmdqv;

	if (!cmdqv)
		return;
	cmdqv->config = CMDQV_EN;
	memset(cmdqv->int_mask, 0, sizeof(cmdqv->int_mask));
	memset(cmdqv->vintfs, 0, sizeof(cmdqv->vintfs));
	for (unsigned int i = 0; i < cmdqv->vcmdq_count; i++) {
		smmuv3_ats_abandon(smmu, &cmdqv->vcmdqs[i].cmdq);
		memset(&cmdqv->vcmdqs[i], 0, sizeof(cmdqv->vcmdqs[i]));
		cmdqv->vcmdqs[i].cmdq.index = i;
	}
}

/* ---- What a queue is ---- */

bool smmuv3_cmdqv_failed(const struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq)
{
	const struct vcmdq *vcmdq = to_vcmdq(smmu, cmdq);

	return (vcmdq->gerror ^ vcmdq->gerrorn) & VCMDQ_GERROR_CMDQ_ERR;
}

static struct vintf *vintf_of(const struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq)
{
	return &smmu->cmdqv->vintfs[cmdq->vintf];
}

bool smmuv3_cmdqv_guest(const struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq, uint16_t *vmid)
{
	if (cmdq == &smmu->cmdq)
		return false;
	*vmid = smmu_get(VINTF_CONFIG_VMID, vintf_of(smmu, cmdq)->config);
	return !(vintf_of(smmu, cmdq)->config & VINTF_CONFIG_HYP_OWN);
}

int64_t smmuv3_cmdqv_sid(const struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq, uint32_t vsid)
{
	const struct vintf *vintf = vintf_of(smmu, cmdq);

	if (FAULT("smmuv3.vcmdq-sid-not-replaced", "a guest names physical StreamIDs in its queue"))
		return vsid;
	for (unsigned int i = 0; i < smmu->cmdqv->sid_count; i++) {
		bool enabled = vintf->sid_match[i] & VINTF_SID_MATCH_ENABLE;

		if (FAULT("smmuv3.vcmdq-disabled-match", "a SID_MATCH that is off matches too"))
			enabled = true;
		if (enabled && smmu_get(VINTF_SID_MATCH_VIRT_SID, vintf->sid_match[i]) == vsid)
			return vintf->sid_replace[i];
	}
	return -1;
}

/* ---- Errors and their maps ---- */

void smmuv3_cmdqv_error(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq)
{
	struct smmuv3_cmdqv *cmdqv = smmu->cmdqv;
	struct vcmdq *vcmdq = to_vcmdq(smmu, cmdq);

	vcmdq->gerror ^= VCMDQ_GERROR_CMDQ_ERR;
	if (!(cmdqv->int_mask[cmdq->vintf / 32] & 1u << cmdq->vintf % 32))
		smmuv3_msi(smmu, smmu->config.cmdqv_msi_addr, smmu->config.cmdqv_msi_data);
}

static uint32_t vcmdq_error_map(struct smmuv3 *smmu, unsigned int word)
{
	uint32_t map = 0;

	for (unsigned int i = word * 32; i < smmu->cmdqv->vcmdq_count && i < word * 32 + 32; i++)
		if (smmuv3_cmdqv_failed(smmu, &smmu->cmdqv->vcmdqs[i].cmdq))
			map |= 1u << i % 32;
	return map;
}

static uint32_t vintf_error_map(struct smmuv3 *smmu, unsigned int word)
{
	uint32_t map = 0;

	for (unsigned int i = 0; i < smmu->cmdqv->vcmdq_count; i++) {
		const struct vcmdq *vcmdq = &smmu->cmdqv->vcmdqs[i];
		unsigned int vintf = smmu_get(CMDQV_ALLOC_VINTF, vcmdq->alloc);

		if (vcmdq->alloc & CMDQV_ALLOC_ALLOCATED && vintf / 32 == word &&
		    smmuv3_cmdqv_failed(smmu, &vcmdq->cmdq))
			map |= 1u << vintf % 32;
	}
	return map;
}

static uint64_t lvcmdq_error_map(struct smmuv3 *smmu, unsigned int vintf, unsigned int word)
{
	uint64_t map = 0;

	for (unsigned int i = 0; i < smmu->cmdqv->vcmdq_count; i++) {
		const struct vcmdq *vcmdq = &smmu->cmdqv->vcmdqs[i];
		unsigned int lvcmdq = smmu_get(CMDQV_ALLOC_LVCMDQ, vcmdq->alloc);

		if (vcmdq->alloc & CMDQV_ALLOC_ALLOCATED && lvcmdq / 64 == word &&
		    smmu_get(CMDQV_ALLOC_VINTF, vcmdq->alloc) == vintf &&
		    smmuv3_cmdqv_failed(smmu, &vcmdq->cmdq))
			map |= 1ull << lvcmdq % 64;
	}
	return map;
}

/* ---- Queues ---- */

static bool allocated(const struct vcmdq *vcmdq)
{
	return vcmdq->alloc & CMDQV_ALLOC_ALLOCATED;
}

static void vcmdq_update(struct smmuv3 *smmu, struct vcmdq *vcmdq, bool enable)
{
	struct vintf *vintf = &smmu->cmdqv->vintfs[vcmdq->cmdq.vintf];
	unsigned int log2size = vcmdq->base & VCMDQ_BASE_LOG2SIZE;

	if (!allocated(vcmdq) || !(vintf->config & VINTF_CONFIG_EN) ||
	    !(smmu->cmdqv->config & CMDQV_EN))
		enable = false;
	if (enable && !vcmdq->cmdq.enabled) {
		vcmdq->cmdq.base = vcmdq->base & VCMDQ_BASE_ADDR;
		vcmdq->cmdq.log2size = log2size < smmu->config.cmdq_log2 ? log2size :
				       smmu->config.cmdq_log2;
	}
	smmuv3_cmdq_enable(smmu, &vcmdq->cmdq, enable);
}

static void vintf_update(struct smmuv3 *smmu, unsigned int index)
{
	for (unsigned int i = 0; i < smmu->cmdqv->vcmdq_count; i++) {
		struct vcmdq *vcmdq = &smmu->cmdqv->vcmdqs[i];

		if (vcmdq->cmdq.vintf == (int)index && vcmdq->cmdq.enabled)
			vcmdq_update(smmu, vcmdq, true);
	}
}

static void alloc_write(struct smmuv3 *smmu, struct vcmdq *vcmdq, uint32_t value)
{
	unsigned int vintf = smmu_get(CMDQV_ALLOC_VINTF, value);

	if (vintf >= smmu->cmdqv->vintf_count)
		return;
	vcmdq->alloc = value;
	vcmdq_update(smmu, vcmdq, false);
	vcmdq->cmdq.vintf = vintf;
}

bool smmuv3_cmdqv_step(struct smmuv3 *smmu)
{
	bool any = false;

	for (unsigned int i = 0; smmu->cmdqv && i < smmu->cmdqv->vcmdq_count; i++)
		any |= smmuv3_cmdq_step(smmu, &smmu->cmdqv->vcmdqs[i].cmdq);
	return any;
}

bool smmuv3_cmdqv_awaited(const struct smmuv3 *smmu)
{
	bool any = false;

	for (unsigned int i = 0; smmu->cmdqv && i < smmu->cmdqv->vcmdq_count; i++)
		any |= smmu->cmdqv->vcmdqs[i].cmdq.sync != SYNC_NONE;
	return any;
}

/* A CMD_SYNC of the SMMU's own queue settles what queues that are off have left behind. */
void smmuv3_cmdqv_flush(struct smmuv3 *smmu)
{
	for (unsigned int i = 0; smmu->cmdqv && i < smmu->cmdqv->vcmdq_count; i++)
		if (!smmu->cmdqv->vcmdqs[i].cmdq.enabled)
			smmuv3_cmdq_flush(smmu, &smmu->cmdqv->vcmdqs[i].cmdq);
}

/** smmuv3_cmdqv_outstanding() - Do queues that are off have ATS invalidations on their way? */
bool smmuv3_cmdqv_outstanding(const struct smmuv3 *smmu)
{
	for (unsigned int i = 0; smmu->cmdqv && i < smmu->cmdqv->vcmdq_count; i++)
		if (!smmu->cmdqv->vcmdqs[i].cmdq.enabled &&
		    smmu->cmdqv->vcmdqs[i].cmdq.ats_outstanding)
			return true;
	return false;
}

/* ---- Registers ---- */

static uint64_t vcmdq_page0_read(struct vcmdq *vcmdq, unsigned int reg)
{
	switch (reg) {
	case VCMDQ_CONS:
		return smmuv3_cmdq_cons(&vcmdq->cmdq);
	case VCMDQ_PROD:
		return vcmdq->cmdq.prod;
	case VCMDQ_CONFIG:
	case VCMDQ_STATUS:
		return vcmdq->cmdq.enabled ? VCMDQ_EN : 0;
	case VCMDQ_GERROR:
		return vcmdq->gerror;
	case VCMDQ_GERRORN:
		return vcmdq->gerrorn;
	default:
		return 0;
	}
}

static void vcmdq_page0_write(struct smmuv3 *smmu, struct vcmdq *vcmdq, unsigned int reg,
			      uint32_t value)
{
	switch (reg) {
	case VCMDQ_CONS:
		if (!vcmdq->cmdq.enabled)
			vcmdq->cmdq.cons = value & 0xfffff;
		break;
	case VCMDQ_PROD:
		vcmdq->cmdq.prod = value & 0xfffff;
		smmuv3_cmdq_run(smmu, &vcmdq->cmdq);
		break;
	case VCMDQ_CONFIG:
		vcmdq_update(smmu, vcmdq, value & VCMDQ_EN);
		break;
	case VCMDQ_GERRORN:
		vcmdq->gerrorn = value & VCMDQ_GERROR_CMDQ_ERR;
		smmuv3_cmdq_run(smmu, &vcmdq->cmdq);
		break;
	}
}

static uint64_t *vcmdq_page1(struct vcmdq *vcmdq, unsigned int reg)
{
	if (reg / 8 == VCMDQ_BASE / 8)
		return &vcmdq->base;
	return reg / 8 == VCMDQ_CONS_INDX_BASE / 8 ? &vcmdq->cons_index_base : NULL;
}

/* The VCMDQ behind an offset in either kind of page, with the register and which page it is */
static struct vcmdq *vcmdq_at(struct smmuv3 *smmu, uint64_t offset, unsigned int *reg,
			      unsigned int *page)
{
	struct smmuv3_cmdqv *cmdqv = smmu->cmdqv;
	unsigned int vintf, index;

	*reg = offset & 0x7f;
	index = (offset & 0xffff) / 0x80;
	if (offset < CMDQV_VINTF_PAGE0(0)) {
		*page = offset / 0x10000 - 1;
		return index < cmdqv->vcmdq_count ? &cmdqv->vcmdqs[index] : NULL;
	}
	offset -= CMDQV_VINTF_PAGE0(0);
	vintf = offset / 0x20000;
	*page = offset / 0x10000 & 1;
	if (index >> log2_lvcmdqs(smmu))
		return NULL;
	for (unsigned int i = 0; i < cmdqv->vcmdq_count; i++)
		if (allocated(&cmdqv->vcmdqs[i]) &&
		    smmu_get(CMDQV_ALLOC_VINTF, cmdqv->vcmdqs[i].alloc) == vintf &&
		    smmu_get(CMDQV_ALLOC_LVCMDQ, cmdqv->vcmdqs[i].alloc) == index)
			return &cmdqv->vcmdqs[i];
	return NULL;
}

static uint64_t vintf_read(struct smmuv3 *smmu, unsigned int index, unsigned int reg)
{
	struct vintf *vintf = &smmu->cmdqv->vintfs[index];

	if (reg == VINTF_CONFIG)
		return vintf->config;
	if (reg == VINTF_STATUS)
		return vintf->config & VINTF_CONFIG_EN ? VINTF_STATUS_ENABLED : 0;
	if (reg >= VINTF_SID_MATCH(0) && reg < VINTF_SID_MATCH(smmu->cmdqv->sid_count))
		return vintf->sid_match[(reg - VINTF_SID_MATCH(0)) / 4];
	if (reg >= VINTF_SID_REPLACE(0) && reg < VINTF_SID_REPLACE(smmu->cmdqv->sid_count))
		return vintf->sid_replace[(reg - VINTF_SID_REPLACE(0)) / 4];
	if (reg >= VINTF_LVCMDQ_ERR_MAP(0) && reg < VINTF_LVCMDQ_ERR_MAP(2))
		return lvcmdq_error_map(smmu, index, (reg - VINTF_LVCMDQ_ERR_MAP(0)) / 8) >>
		       (reg & 4 ? 32 : 0);
	return 0;
}

static void vintf_write(struct smmuv3 *smmu, unsigned int index, unsigned int reg, uint32_t value)
{
	struct vintf *vintf = &smmu->cmdqv->vintfs[index];

	if (reg == VINTF_CONFIG) {
		vintf->config = value & (VINTF_CONFIG_EN | VINTF_CONFIG_VMID |
					 VINTF_CONFIG_HYP_OWN);
		vintf_update(smmu, index);
	} else if (reg >= VINTF_SID_MATCH(0) && reg < VINTF_SID_MATCH(smmu->cmdqv->sid_count)) {
		vintf->sid_match[(reg - VINTF_SID_MATCH(0)) / 4] = value;
	} else if (reg >= VINTF_SID_REPLACE(0) &&
		   reg < VINTF_SID_REPLACE(smmu->cmdqv->sid_count)) {
		vintf->sid_replace[(reg - VINTF_SID_REPLACE(0)) / 4] = value;
	}
}

static uint64_t global_read(struct smmuv3 *smmu, uint64_t reg)
{
	struct smmuv3_cmdqv *cmdqv = smmu->cmdqv;

	if (reg == CMDQV_CONFIG || reg == CMDQV_STATUS)
		return cmdqv->config;
	if (reg == CMDQV_PARAM)
		return smmu_put(CMDQV_PARAM_VER, 1) |
		       smmu_put(CMDQV_PARAM_NUM_VCMDQ_LOG2, smmu->config.vcmdq_log2) |
		       smmu_put(CMDQV_PARAM_NUM_VINTF_LOG2, smmu->config.vintf_log2) |
		       smmu_put(CMDQV_PARAM_NUM_SID_LOG2, smmu->config.sid_log2);
	if (reg >= CMDQV_VINTF_ERR_MAP && reg < CMDQV_VINTF_ERR_MAP + 8)
		return vintf_error_map(smmu, (reg - CMDQV_VINTF_ERR_MAP) / 4);
	if (reg >= CMDQV_VINTF_INT_MASK && reg < CMDQV_VINTF_INT_MASK + 8)
		return cmdqv->int_mask[(reg - CMDQV_VINTF_INT_MASK) / 4];
	if (reg >= CMDQV_CMDQ_ERR_MAP(0) && reg < CMDQV_CMDQ_ERR_MAP(4))
		return vcmdq_error_map(smmu, (reg - CMDQV_CMDQ_ERR_MAP(0)) / 4);
	if (reg >= CMDQV_CMDQ_ALLOC(0) && reg < CMDQV_CMDQ_ALLOC(cmdqv->vcmdq_count))
		return cmdqv->vcmdqs[(reg - CMDQV_CMDQ_ALLOC(0)) / 4].alloc;
	return 0;
}

static void global_write(struct smmuv3 *smmu, uint64_t reg, uint32_t value)
{
	struct smmuv3_cmdqv *cmdqv = smmu->cmdqv;

	if (reg == CMDQV_CONFIG) {
		cmdqv->config = value & CMDQV_EN;
		for (unsigned int i = 0; i < cmdqv->vintf_count; i++)
			vintf_update(smmu, i);
	} else if (reg >= CMDQV_VINTF_INT_MASK && reg < CMDQV_VINTF_INT_MASK + 8) {
		cmdqv->int_mask[(reg - CMDQV_VINTF_INT_MASK) / 4] = value;
	} else if (reg >= CMDQV_CMDQ_ALLOC(0) && reg < CMDQV_CMDQ_ALLOC(cmdqv->vcmdq_count)) {
		alloc_write(smmu, &cmdqv->vcmdqs[(reg - CMDQV_CMDQ_ALLOC(0)) / 4], value);
	}
}

static uint64_t read32(struct smmuv3 *smmu, uint64_t offset)
{
	unsigned int reg, page, vintf = (offset - CMDQV_VINTF(0)) / 0x100;
	struct vcmdq *vcmdq;
	uint64_t *wide;

	if (offset < CMDQV_VINTF(0))
		return global_read(smmu, offset);
	if (offset < CMDQV_VCMDQ_PAGE0(0) && vintf >= smmu->cmdqv->vintf_count)
		return 0;
	if (offset < CMDQV_VCMDQ_PAGE0(0))
		return vintf_read(smmu, vintf, offset & 0xff);
	vcmdq = vcmdq_at(smmu, offset, &reg, &page);
	if (!vcmdq)
		return 0;
	if (!page)
		return vcmdq_page0_read(vcmdq, reg);
	wide = vcmdq_page1(vcmdq, reg);
	return wide ? *wide >> (reg & 4 ? 32 : 0) : 0;
}

static void write32(struct smmuv3 *smmu, uint64_t offset, uint32_t value)
{
	unsigned int reg, page, vintf = (offset - CMDQV_VINTF(0)) / 0x100;
	struct vcmdq *vcmdq;
	uint64_t *wide;

	if (offset < CMDQV_VINTF(0)) {
		global_write(smmu, offset, value);
	} else if (offset < CMDQV_VCMDQ_PAGE0(0)) {
		if (vintf < smmu->cmdqv->vintf_count)
			vintf_write(smmu, vintf, offset & 0xff, value);
	} else {
		vcmdq = vcmdq_at(smmu, offset, &reg, &page);
		if (vcmdq && !page) {
			vcmdq_page0_write(smmu, vcmdq, reg, value);
			return;
		}
		wide = vcmdq ? vcmdq_page1(vcmdq, reg) : NULL;
		if (wide && !vcmdq->cmdq.enabled)
			*wide = reg & 4 ? (uint64_t)value << 32 | (uint32_t)*wide :
					  (*wide & ~0xffffffffull) | value;
	}
}

uint64_t smmuv3_cmdqv_read(struct smmuv3 *smmu, uint64_t offset, unsigned int size)
{
	uint64_t value;

	if (!smmu->cmdqv)
		return 0;
	value = (uint32_t)read32(smmu, offset);
	return size == 8 ? value | read32(smmu, offset + 4) << 32 : value;
}

void smmuv3_cmdqv_write(struct smmuv3 *smmu, uint64_t offset, unsigned int size, uint64_t value)
{
	if (!smmu->cmdqv)
		return;
	write32(smmu, offset, value);
	if (size == 8)
		write32(smmu, offset + 4, value >> 32);
}
