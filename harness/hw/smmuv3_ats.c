// SPDX-License-Identifier: GPL-2.0-only
/*
 * ATS invalidations on their way (IHI 0070 3.9.1, 4.5.1; PCIe 10.3): a CMD_ATC_INV becomes an
 * Invalidate Request with an ITag of its own, and is done when the endpoint has sent as many
 * completions as their CC field says.
 */
#include "smmuv3_impl.h"

static struct smmuv3_ats *free_slot(struct smmuv3 *smmu)
{
	for (unsigned int i = 0; i < ATS_SLOTS; i++)
		if (!smmu->ats[i].used)
			return &smmu->ats[i];
	return NULL;
}

static void finish(struct smmuv3 *smmu, struct smmuv3_ats *ats, bool timed_out)
{
	if (ats->cmdq) {
		ats->cmdq->ats_outstanding--;
		ats->cmdq->ats_timed_out |= timed_out;
	}
	/* A late completion of a request that timed out is nobody's: the ITag is free again. */
	if (ats->sent)
		smmu->itags[ats->rid] &= ~(1u << ats->itag);
	ats->used = false;
}

/* Send it, if the function has an ITag left; else later */
static void send(struct smmuv3 *smmu, struct smmuv3_ats *ats)
{
	uint32_t busy = smmu->itags[ats->rid];
	struct endpoint *endpoint;

	if (busy == UINT32_MAX)
		return;
	endpoint = machine_endpoint(smmu->iommu.machine, ats->rid);
	/* Nobody there: Unsupported Request, that completes it without error (3.9.1.5). */
	if (!endpoint) {
		finish(smmu, ats, false);
		return;
	}
	ats->itag = __builtin_ctz(~busy);
	ats->sent = true;
	ats->age = 0;
	ats->request.itag = ats->itag;
	smmu->itags[ats->rid] |= 1u << ats->itag;
	hw_count(smmu->iommu.counts.ats_invalidates, 1);
	smmu_trace(smmu, "ats invalidate rid %#llx itag %llu pasid %#llx %#llx to %#llx", ats->rid,
		   ats->itag, ats->request.has_pasid ? ats->request.pasid : ~0u,
		   ats->request.first, ats->request.last);
	endpoint_ats_invalidate(endpoint, &ats->request);
}

static struct hw_ats_invalidate decode(const uint64_t c[2])
{
	unsigned int size = smmu_get(CMD1_ATC_SIZE, c[1]);
	uint64_t span = size >= CMD_ATC_SIZE_ALL ? ~0ull : (4096ull << size) - 1;
	struct hw_ats_invalidate request = {
		.has_pasid = c[0] & CMD0_SSV,
		.pasid = c[0] & CMD0_SSV ? smmu_get(CMD0_SSID, c[0]) : 0,
		.global = c[0] & CMD0_SSV && c[0] & CMD0_ATC_GLOBAL,
	};

	if (FAULT("smmuv3.atc-size-off-by-one", "CMD_ATC_INV sends half of its span") && size &&
	    size < CMD_ATC_SIZE_ALL)
		span >>= 1;
	if (FAULT("smmuv3.atc-pasid-lost", "CMD_ATC_INV is sent without its PASID"))
		request.has_pasid = false;
	if (FAULT("smmuv3.atc-global-lost", "CMD_ATC_INV is sent without its global flag"))
		request.global = false;
	request.first = c[1] & CMD1_ADDR & ~span;
	request.last = request.first | span;
	return request;
}

/** smmuv3_ats_invalidate() - CMD_ATC_INV */
void smmuv3_ats_invalidate(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	uint32_t sid = smmu_get(CMD0_SID, c[0]);
	struct smmuv3_ats *ats;

	if (sid >> smmu->config.sid_bits ||
	    (!(smmu->cr0 & SMMU_CR0_SMMUEN) &&
	     !FAULT("smmuv3.atc-inv-while-off", "CMD_ATC_INV goes out while SMMUEN is 0")))
		return;
	ats = free_slot(smmu);
	if (!ats) {
		/* Nothing may be lost: who cannot be told counts as one that never answers. */
		cmdq->ats_timed_out = true;
		return;
	}
	*ats = (struct smmuv3_ats){
		.used = true, .rid = sid, .cmdq = cmdq, .request = decode(c),
	};
	cmdq->ats_outstanding++;
	send(smmu, ats);
}

/** smmuv3_ats_complete() - An Invalidate Completion: the ITags in @itags, @count of them in all */
void smmuv3_ats_complete(struct hw_iommu *iommu, uint16_t rid, uint32_t itags, unsigned int count)
{
	struct smmuv3 *smmu = to_smmuv3(iommu);
	unsigned int expected = count ? count : 8;
	struct smmuv3_ats *ats;

	pthread_mutex_lock(&smmu->lock);
	for (unsigned int i = 0; i < ATS_SLOTS; i++) {
		ats = &smmu->ats[i];
		if (!ats->used || !ats->sent || ats->rid != rid || !(itags & 1u << ats->itag))
			continue;
		itags &= ~(1u << ats->itag);
		if (++ats->got < expected &&
		    !FAULT("smmuv3.atc-first-completion", "one completion is enough for any CC"))
			continue;
		smmu_trace(smmu, "ats completed rid %#llx itag %llu", rid, ats->itag);
		finish(smmu, ats, false);
	}
	if (itags)
		smmu_trace(smmu, "ats unexpected completion rid %#llx itags %#llx", rid, itags);
	pthread_mutex_unlock(&smmu->lock);
}

/** smmuv3_ats_step() - Time passes: what waits for an ITag is sent, what is too old is given up */
bool smmuv3_ats_step(struct smmuv3 *smmu)
{
	bool any = false;

	for (unsigned int i = 0; i < ATS_SLOTS; i++) {
		struct smmuv3_ats *ats = &smmu->ats[i];

		if (!ats->used)
			continue;
		any = true;
		if (!ats->sent) {
			send(smmu, ats);
		} else if (++ats->age > smmu->config.atc_timeout) {
			smmu_trace(smmu, "ats timed out rid %#llx itag %llu", ats->rid, ats->itag);
			finish(smmu, ats, true);
		}
	}
	return any;
}

/** smmuv3_ats_orphan() - @cmdq waits no more for what it has sent, that stays on its way */
void smmuv3_ats_orphan(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq)
{
	for (unsigned int i = 0; i < ATS_SLOTS; i++)
		if (smmu->ats[i].used && smmu->ats[i].cmdq == cmdq)
			smmu->ats[i].cmdq = NULL;
	cmdq->ats_outstanding = 0;
	if (!FAULT("smmuv3.vcmdq-inherits-timeout", "the next owner of a queue gets its time-outs"))
		cmdq->ats_timed_out = false;
}

/** smmuv3_ats_abandon() - A reset: nobody waits any more */
void smmuv3_ats_abandon(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq)
{
	for (unsigned int i = 0; i < ATS_SLOTS; i++)
		if (smmu->ats[i].used && smmu->ats[i].cmdq == cmdq)
			finish(smmu, &smmu->ats[i], false);
	cmdq->ats_outstanding = 0;
	cmdq->ats_timed_out = false;
}
