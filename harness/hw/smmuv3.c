// SPDX-License-Identifier: GPL-2.0-only
/* Creation of a reference SMMUv3, and its registers (IHI 0070 chapter 6) */
#include <stdio.h>
#include <stdlib.h>

#include "smmuv3_impl.h"

struct smmuv3_config smmuv3_config_full(void)
{
	return (struct smmuv3_config){
		.s1p = true, .s2p = true, .asid16 = true, .vmid16 = true, .ats = true,
		.pri = true, .hyp = true, .msi = true, .sev = true, .two_level = true,
		.cd_two_level = true, .ril = true, .fwb = true, .httu = SMMU_HTTU_DIRTY,
		.stall_model = SMMU_STALL_BOTH, .bbml = 2, .sid_bits = 16, .ssid_bits = 20,
		.granules = SMMUV3_4K | SMMUV3_16K | SMMUV3_64K, .oas = 5,
		.cmdq_log2 = 19, .eventq_log2 = 19, .priq_log2 = 19, .entries = 4096,
		.atc_timeout = 1000,
	};
}

/* ---- ID registers, 6.3.1 to 6.3.6 ---- */

static void set_idr(struct smmuv3 *smmu)
{
	const struct smmuv3_config *c = &smmu->config;

	smmu->idr[0] = (c->s2p ? SMMU_IDR0_S2P : 0) | (c->s1p ? SMMU_IDR0_S1P : 0) |
		smmu_put(SMMU_IDR0_TTF, SMMU_TTF_AARCH64) | SMMU_IDR0_COHACC |
		smmu_put(SMMU_IDR0_HTTU, c->httu) | (c->hyp ? SMMU_IDR0_HYP : 0) |
		(c->ats ? SMMU_IDR0_ATS : 0) |
		(c->ats && !c->split_ats ? SMMU_IDR0_NS1ATS : 0) |
		(c->asid16 ? SMMU_IDR0_ASID16 : 0) | (c->msi ? SMMU_IDR0_MSI : 0) |
		(c->sev ? SMMU_IDR0_SEV : 0) | (c->pri ? SMMU_IDR0_PRI : 0) |
		(c->vmid16 ? SMMU_IDR0_VMID16 : 0) | (c->cd_two_level ? SMMU_IDR0_CD2L : 0) |
		smmu_put(SMMU_IDR0_TTENDIAN, SMMU_TTENDIAN_LITTLE) |
		smmu_put(SMMU_IDR0_STALL_MODEL, c->stall_model) | SMMU_IDR0_TERM_MODEL |
		smmu_put(SMMU_IDR0_ST_LEVEL, c->two_level);
	smmu->idr[1] = smmu_put(SMMU_IDR1_SIDSIZE, c->sid_bits) |
		smmu_put(SMMU_IDR1_SSIDSIZE, c->ssid_bits) |
		smmu_put(SMMU_IDR1_PRIQS, c->priq_log2) |
		smmu_put(SMMU_IDR1_EVENTQS, c->eventq_log2) |
		smmu_put(SMMU_IDR1_CMDQS, c->cmdq_log2) | SMMU_IDR1_ATTR_PERMS_OVR;
	smmu->idr[3] = (c->pps ? SMMU_IDR3_PPS : 0) | (c->fwb ? SMMU_IDR3_FWB : 0) |
		(c->ril ? SMMU_IDR3_RIL : 0) | smmu_put(SMMU_IDR3_BBML, c->bbml) | SMMU_IDR3_HAD;
	smmu->idr[5] = smmu_put(SMMU_IDR5_OAS, c->oas) |
		(c->granules & SMMUV3_4K ? SMMU_IDR5_GRAN4K : 0) |
		(c->granules & SMMUV3_16K ? SMMU_IDR5_GRAN16K : 0) |
		(c->granules & SMMUV3_64K ? SMMU_IDR5_GRAN64K : 0) |
		(c->ds ? SMMU_IDR5_DS : 0) | smmu_put(SMMU_IDR5_VAX, c->vax) |
		smmu_put(SMMU_IDR5_STALL_MAX, c->stall_model == SMMU_STALL_NEVER ? 0 : STALLS);
}

/* ---- Control ---- */

/* 6.3.9: what is off stays as it is, but for requests that wait for software's answer. */
static void cr0_write(struct smmuv3 *smmu, uint32_t value)
{
	uint32_t mask = SMMU_CR0_SMMUEN | SMMU_CR0_EVENTQEN | SMMU_CR0_CMDQEN |
			(smmu->config.pri ? SMMU_CR0_PRIQEN : 0) |
			(smmu->config.ats ? SMMU_CR0_ATSCHK : 0);
	uint32_t was = smmu->cr0;

	value &= mask;
	smmu_trace(smmu, "cr0 %#llx", value);
	if (was & ~value & SMMU_CR0_EVENTQEN)
		smmuv3_event_flush(smmu);
	pthread_mutex_lock(&smmu->output_lock);
	reg_set(smmu->cr0, value);
	pthread_mutex_unlock(&smmu->output_lock);
	if (was & ~value & SMMU_CR0_SMMUEN)
		smmuv3_stall_term(smmu, 0, true);
	if (~was & value & SMMU_CR0_EVENTQEN)
		smmuv3_stall_record(smmu);
	smmuv3_cmdq_enable(smmu, &smmu->cmdq, value & SMMU_CR0_CMDQEN);
}

static void gerrorn_write(struct smmuv3 *smmu, uint32_t value)
{
	pthread_mutex_lock(&smmu->output_lock);
	smmu->gerrorn = value & SMMU_GERROR_ALL;
	pthread_mutex_unlock(&smmu->output_lock);
	smmuv3_stall_record(smmu);
	smmuv3_cmdq_run(smmu, &smmu->cmdq);
}

static uint8_t queue_log2(uint64_t base, unsigned int most)
{
	unsigned int log2size = smmu_get(SMMU_Q_BASE_LOG2SIZE, base);

	return log2size < most ? log2size : most;
}

static uint64_t queue_base(uint64_t base, unsigned int log2size, unsigned int entry)
{
	return base & SMMU_Q_BASE_ADDR & ~(((uint64_t)entry << log2size) - 1);
}

static void output_base_write(struct smmuv3 *smmu, struct smmuv3_queue *queue, uint64_t base,
			      unsigned int most, unsigned int entry)
{
	pthread_mutex_lock(&smmu->output_lock);
	queue->log2size = queue_log2(base, most);
	queue->base = queue_base(base, queue->log2size, entry);
	pthread_mutex_unlock(&smmu->output_lock);
}

static void output_index_write(struct smmuv3 *smmu, uint32_t *index, uint32_t value)
{
	pthread_mutex_lock(&smmu->output_lock);
	*index = value & (SMMU_Q_OVFLG | 0xfffff);
	pthread_mutex_unlock(&smmu->output_lock);
	smmuv3_stall_record(smmu);
}

static uint32_t output_index_read(struct smmuv3 *smmu, const uint32_t *index)
{
	uint32_t value;

	pthread_mutex_lock(&smmu->output_lock);
	value = *index;
	pthread_mutex_unlock(&smmu->output_lock);
	return value;
}

/* ---- 64-bit registers, of which halves may be accessed ---- */

static uint64_t *wide_register(struct smmuv3 *smmu, uint64_t offset)
{
	switch (offset & ~7ull) {
	case SMMU_GERROR_IRQ_CFG0:
		return &smmu->gerror_msi.addr;
	case SMMU_STRTAB_BASE:
		return &smmu->strtab_base;
	case SMMU_CMDQ_BASE:
		return &smmu->cmdq_base;
	case SMMU_EVENTQ_BASE:
		return &smmu->eventq_base;
	case SMMU_PRIQ_BASE:
		return &smmu->priq_base;
	case SMMU_EVENTQ_IRQ_CFG0:
		return &smmu->eventq_msi.addr;
	case SMMU_PRIQ_IRQ_CFG0:
		return &smmu->priq_msi.addr;
	default:
		return NULL;
	}
}

static void wide_written(struct smmuv3 *smmu, uint64_t offset, uint64_t value)
{
	const struct smmuv3_config *config = &smmu->config;

	switch (offset & ~7ull) {
	case SMMU_CMDQ_BASE:
		smmu->cmdq.log2size = queue_log2(value, config->cmdq_log2);
		smmu->cmdq.base = queue_base(value, smmu->cmdq.log2size, SMMU_CMD_SIZE);
		break;
	case SMMU_EVENTQ_BASE:
		output_base_write(smmu, &smmu->eventq, value, config->eventq_log2,
				  SMMU_EVENT_SIZE);
		break;
	case SMMU_PRIQ_BASE:
		output_base_write(smmu, &smmu->priq, value, config->priq_log2,
				  SMMU_PAGE_REQUEST_SIZE);
		break;
	case SMMU_GERROR_IRQ_CFG0:
	case SMMU_EVENTQ_IRQ_CFG0:
	case SMMU_PRIQ_IRQ_CFG0:
		*wide_register(smmu, offset) = value & SMMU_MSI_ADDR;
		break;
	}
}

/* ---- 32-bit registers ---- */

static uint32_t narrow_read(struct smmuv3 *smmu, uint64_t offset)
{
	switch (offset) {
	case SMMU_IDR0:
	case SMMU_IDR1:
	case SMMU_IDR2:
	case SMMU_IDR3:
	case SMMU_IDR4:
	case SMMU_IDR5:
		return smmu->idr[offset / 4];
	case SMMU_AIDR:
		return SMMUV3_AIDR;
	case SMMU_CR0:
	case SMMU_CR0ACK:
		return smmu->cr0;
	case SMMU_CR1:
		return smmu->cr1;
	case SMMU_CR2:
		return smmu->cr2;
	case SMMU_GBPA:
		return smmu->gbpa;
	case SMMU_IRQ_CTRL:
	case SMMU_IRQ_CTRLACK:
		return smmu->irq_ctrl;
	case SMMU_GERROR:
		return reg_get(smmu->gerror);
	case SMMU_GERRORN:
		return smmu->gerrorn;
	case SMMU_GERROR_IRQ_CFG1:
		return smmu->gerror_msi.data;
	case SMMU_GERROR_IRQ_CFG2:
		return smmu->gerror_msi.attributes;
	case SMMU_STRTAB_BASE_CFG:
		return smmu->strtab_cfg;
	case SMMU_CMDQ_PROD:
		return smmu->cmdq.prod;
	case SMMU_CMDQ_CONS:
		return smmuv3_cmdq_cons(&smmu->cmdq);
	case SMMU_EVENTQ_PROD:
		return output_index_read(smmu, &smmu->eventq.prod);
	case SMMU_EVENTQ_CONS:
		return output_index_read(smmu, &smmu->eventq.cons);
	case SMMU_EVENTQ_IRQ_CFG1:
		return smmu->eventq_msi.data;
	case SMMU_EVENTQ_IRQ_CFG2:
		return smmu->eventq_msi.attributes;
	case SMMU_PRIQ_PROD:
		return output_index_read(smmu, &smmu->priq.prod);
	case SMMU_PRIQ_CONS:
		return output_index_read(smmu, &smmu->priq.cons);
	case SMMU_PRIQ_IRQ_CFG1:
		return smmu->priq_msi.data;
	case SMMU_PRIQ_IRQ_CFG2:
		return smmu->priq_msi.attributes;
	default:
		return 0;
	}
}

static void narrow_write(struct smmuv3 *smmu, uint64_t offset, uint32_t value)
{
	uint32_t mask;

	switch (offset) {
	case SMMU_CR0:
		cr0_write(smmu, value);
		break;
	case SMMU_CR1:
		smmu->cr1 = value & SMMU_BITS(11, 0);
		break;
	case SMMU_CR2:
		mask = SMMU_CR2_RECINVSID | SMMU_CR2_PTM | SMMU_CR2_REC_CFG_ATS |
		       (smmu->config.hyp ? SMMU_CR2_E2H : 0);
		reg_set(smmu->cr2, value & mask);
		break;
	case SMMU_GBPA:
		if (value & SMMU_GBPA_UPDATE)
			reg_set(smmu->gbpa, value & ~SMMU_GBPA_UPDATE);
		break;
	case SMMU_IRQ_CTRL:
		reg_set(smmu->irq_ctrl, value & SMMU_BITS(2, 0));
		break;
	case SMMU_GERRORN:
		gerrorn_write(smmu, value);
		break;
	case SMMU_GERROR_IRQ_CFG1:
		smmu->gerror_msi.data = value;
		break;
	case SMMU_GERROR_IRQ_CFG2:
		smmu->gerror_msi.attributes = value;
		break;
	case SMMU_STRTAB_BASE_CFG:
		reg_set(smmu->strtab_cfg, value);
		break;
	case SMMU_CMDQ_PROD:
		smmu->cmdq.prod = value & 0xfffff;
		smmuv3_cmdq_run(smmu, &smmu->cmdq);
		break;
	case SMMU_CMDQ_CONS:
		if (!smmu->cmdq.enabled)
			smmu->cmdq.cons = value & 0xfffff;
		break;
	case SMMU_EVENTQ_PROD:
		output_index_write(smmu, &smmu->eventq.prod, value);
		break;
	case SMMU_EVENTQ_CONS:
		output_index_write(smmu, &smmu->eventq.cons, value);
		break;
	case SMMU_EVENTQ_IRQ_CFG1:
		smmu->eventq_msi.data = value;
		break;
	case SMMU_EVENTQ_IRQ_CFG2:
		smmu->eventq_msi.attributes = value;
		break;
	case SMMU_PRIQ_PROD:
		output_index_write(smmu, &smmu->priq.prod, value);
		break;
	case SMMU_PRIQ_CONS:
		output_index_write(smmu, &smmu->priq.cons, value);
		break;
	case SMMU_PRIQ_IRQ_CFG1:
		smmu->priq_msi.data = value;
		break;
	case SMMU_PRIQ_IRQ_CFG2:
		smmu->priq_msi.attributes = value;
		break;
	}
}

static uint64_t mmio_read(struct hw_iommu *iommu, uint64_t offset, unsigned int size)
{
	struct smmuv3 *smmu = to_smmuv3(iommu);
	uint64_t *wide, value;

	pthread_mutex_lock(&smmu->lock);
	wide = offset < SMMU_REGISTERS_SIZE ? wide_register(smmu, offset) : NULL;
	if (offset >= SMMUV3_CMDQV_OFFSET)
		value = smmuv3_cmdqv_read(smmu, offset - SMMUV3_CMDQV_OFFSET, size);
	else if (wide)
		value = size == 8 ? *wide : (uint32_t)(*wide >> (offset & 4 ? 32 : 0));
	else
		value = narrow_read(smmu, offset) |
			(size == 8 ? (uint64_t)narrow_read(smmu, offset + 4) << 32 : 0);
	pthread_mutex_unlock(&smmu->lock);
	return value;
}

static void register_write(struct smmuv3 *smmu, uint64_t offset, unsigned int size,
			   uint64_t value)
{
	uint64_t *wide = wide_register(smmu, offset), whole = value;

	if (!wide) {
		narrow_write(smmu, offset, value);
		if (size == 8)
			narrow_write(smmu, offset + 4, value >> 32);
		return;
	}
	if (size == 4)
		whole = offset & 4 ? value << 32 | (uint32_t)*wide :
				     (*wide & ~0xffffffffull) | (uint32_t)value;
	reg_set(*wide, whole);
	wide_written(smmu, offset, whole);
}

static void mmio_write(struct hw_iommu *iommu, uint64_t offset, unsigned int size, uint64_t value)
{
	struct smmuv3 *smmu = to_smmuv3(iommu);

	pthread_mutex_lock(&smmu->lock);
	if (offset >= SMMUV3_CMDQV_OFFSET)
		smmuv3_cmdqv_write(smmu, offset - SMMUV3_CMDQV_OFFSET, size, value);
	else if (offset < SMMU_REGISTERS_SIZE)
		register_write(smmu, offset, size, value);
	pthread_mutex_unlock(&smmu->lock);
}

/* ---- Time, reset, creation ---- */

static bool step(struct hw_iommu *iommu)
{
	struct smmuv3 *smmu = to_smmuv3(iommu);
	bool any;

	pthread_mutex_lock(&smmu->lock);
	any = smmuv3_output_step(smmu);
	any |= smmuv3_ats_step(smmu);
	any |= smmuv3_cmdq_step(smmu, &smmu->cmdq);
	any |= smmuv3_cmdqv_step(smmu);
	pthread_mutex_unlock(&smmu->lock);
	return any;
}

static bool awaited(struct hw_iommu *iommu)
{
	struct smmuv3 *smmu = to_smmuv3(iommu);
	bool awaited;

	pthread_mutex_lock(&smmu->lock);
	awaited = smmu->cmdq.sync != SYNC_NONE || smmuv3_cmdqv_awaited(smmu);
	pthread_mutex_unlock(&smmu->lock);
	return awaited;
}

static void reset(struct hw_iommu *iommu)
{
	struct smmuv3 *smmu = to_smmuv3(iommu);
	struct tlb_match all = { 0 };

	pthread_mutex_lock(&smmu->lock);
	cr0_write(smmu, 0);
	smmuv3_ats_abandon(smmu, &smmu->cmdq);
	smmuv3_cmdqv_reset(smmu);
	memset(&smmu->cmdq, 0, sizeof(smmu->cmdq));
	smmu->cmdq.vintf = -1;
	smmuv3_config_reset(smmu);
	for (unsigned int i = 0; i < CACHES; i++)
		tlb_remove(smmu->caches[i], &all);
	pthread_mutex_lock(&smmu->output_lock);
	smmu->cr1 = smmu->irq_ctrl = 0;
	reg_set(smmu->cr2, 0);
	reg_set(smmu->gbpa, 0);
	smmu->gerror = smmu->gerrorn = 0;
	reg_set(smmu->strtab_base, 0);
	reg_set(smmu->strtab_cfg, 0);
	smmu->cmdq_base = smmu->eventq_base = smmu->priq_base = 0;
	memset(&smmu->eventq, 0, sizeof(smmu->eventq));
	memset(&smmu->priq, 0, sizeof(smmu->priq));
	smmu->late_count = smmu->response_count = 0;
	pthread_mutex_unlock(&smmu->output_lock);
	pthread_mutex_unlock(&smmu->lock);
}

static void destroy(struct hw_iommu *iommu)
{
	struct smmuv3 *smmu = to_smmuv3(iommu);

	smmuv3_config_reset(smmu);
	smmuv3_cmdqv_destroy(smmu);
	for (unsigned int i = 0; i < CACHES; i++)
		tlb_destroy(smmu->caches[i]);
	free(smmu->slot_array);
	free(smmu->versions);
	free(smmu->streams);
	pthread_mutex_destroy(&smmu->lock);
	pthread_mutex_destroy(&smmu->config_lock);
	pthread_mutex_destroy(&smmu->output_lock);
	free(smmu);
}

static const struct hw_iommu_ops ops = {
	.name = "smmuv3",
	.mmio_size = SMMUV3_CMDQV_OFFSET + CMDQV_SIZE(64),
	.mmio_read = mmio_read,
	.mmio_write = mmio_write,
	.translate = smmuv3_translate,
	.page_request = smmuv3_page_request,
	.ats_complete = smmuv3_ats_complete,
	.step = step,
	.awaited = awaited,
	.reset = reset,
	.destroy = destroy,
};

static bool create_caches(struct smmuv3 *smmu, uint64_t seed)
{
	size_t sids = 1u << smmu->config.sid_bits;
	bool good = true;

	for (unsigned int i = 0; i < CACHES; i++) {
		smmu->caches[i] = tlb_create(smmu->config.entries, seed + i);
		good &= smmu->caches[i] != NULL;
	}
	smmu->slot_array = calloc(CONTEXT_SLOTS + 1, sizeof(*smmu->slots));
	smmu->slots = (void *)(((uintptr_t)smmu->slot_array + 63) & ~63ull);
	smmu->versions = calloc(sids, sizeof(*smmu->versions));
	smmu->streams = calloc(sids, sizeof(struct smmuv3_stream *));
	return good && smmu->slot_array && smmu->versions && smmu->streams &&
	       !smmuv3_cmdqv_create(smmu);
}

struct hw_iommu *smmuv3_create(struct machine *machine, const struct smmuv3_config *config)
{
	struct smmuv3 *smmu;

	if (!config->sid_bits || config->sid_bits > 16 || config->ssid_bits > 20)
		return NULL;
	smmu = calloc(1, sizeof(*smmu));
	if (!smmu)
		return NULL;
	smmu->config = *config;
	smmu->iommu.ops = &ops;
	snprintf(smmu->iommu.unit, sizeof(smmu->iommu.unit), "smmuv3-%u", machine->iommu_count);
	pthread_mutex_init(&smmu->lock, NULL);
	pthread_mutex_init(&smmu->config_lock, NULL);
	pthread_mutex_init(&smmu->output_lock, NULL);
	set_idr(smmu);
	if (!create_caches(smmu, machine->seed) || machine_add_iommu(machine, &smmu->iommu)) {
		destroy(&smmu->iommu);
		return NULL;
	}
	reset(&smmu->iommu);
	return &smmu->iommu;
}
