// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stalled requests (IHI 0070 3.12.2, 4.7.1, 4.7.2). A request's STAG is its place in the table and,
 * for the endpoint, its token. A stall whose record the event queue cannot take waits for it; it is
 * not lost.
 */
#include "smmuv3_impl.h"

static void record(struct smmuv3 *smmu, unsigned int stag)
{
	struct smmuv3_stall *stall = &smmu->stalls[stag];
	uint64_t words[4];

	memcpy(words, stall->event, sizeof(words));
	words[1] |= EVENT1_STALL | smmu_put(EVENT1_STAG, stag);
	stall->recorded = smmuv3_event_write(smmu, words);
}

/* A later stall for the same page, access and privilege of one that still stands (3.12.2.1) */
static bool duplicate(const struct smmuv3 *smmu, uint16_t sid, const uint64_t words[4])
{
	for (unsigned int i = 0; i < STALLS; i++) {
		const struct smmuv3_stall *stall = &smmu->stalls[i];

		if (stall->used && !stall->suppressed && stall->sid == sid &&
		    stall->event[0] == words[0] && stall->event[1] == words[1] &&
		    stall->event[2] >> 12 == words[2] >> 12)
			return true;
	}
	return false;
}

int smmuv3_stall(struct smmuv3 *smmu, uint16_t sid, const uint64_t words[4])
{
	int stag = -1;

	pthread_mutex_lock(&smmu->output_lock);
	for (int i = 0; i < STALLS && stag < 0; i++)
		if (!smmu->stalls[i].used)
			stag = i;
	if (stag >= 0) {
		struct smmuv3_stall *stall = &smmu->stalls[stag];

		stall->sid = sid;
		stall->recorded = false;
		stall->suppressed = duplicate(smmu, sid, words);
		memcpy(stall->event, words, sizeof(stall->event));
		stall->used = true;
		__atomic_fetch_add(&smmu->stall_count, 1, __ATOMIC_ACQ_REL);
		if (!stall->suppressed)
			record(smmu, stag);
		smmu_trace(smmu, "stall sid %#llx stag %llu recorded %llu", sid, stag,
			   stall->recorded);
	}
	pthread_mutex_unlock(&smmu->output_lock);
	return stag;
}

/* Under @lock: the endpoint goes on, with none of our locks that a translation takes held. */
static void release(struct smmuv3 *smmu, unsigned int stag, bool retry)
{
	struct endpoint *endpoint;
	uint16_t sid;

	pthread_mutex_lock(&smmu->output_lock);
	sid = smmu->stalls[stag].sid;
	smmu->stalls[stag].used = false;
	__atomic_fetch_sub(&smmu->stall_count, 1, __ATOMIC_ACQ_REL);
	pthread_mutex_unlock(&smmu->output_lock);
	smmu_trace(smmu, "stall stag %llu ends, retry %llu", stag, retry);
	endpoint = machine_endpoint(smmu->iommu.machine, sid);
	if (endpoint)
		endpoint_resume(endpoint, stag, retry);
}

static bool in_use(struct smmuv3 *smmu, unsigned int stag, struct smmuv3_stall *stall)
{
	pthread_mutex_lock(&smmu->output_lock);
	*stall = smmu->stalls[stag];
	pthread_mutex_unlock(&smmu->output_lock);
	return stall->used;
}

static bool any_stalled(const struct smmuv3 *smmu)
{
	return reg_get(smmu->stall_count);
}

/* Those that were suppressed in favour of this one are retried (3.12.2.1). */
static void release_suppressed(struct smmuv3 *smmu, const struct smmuv3_stall *first)
{
	struct smmuv3_stall stall;

	for (unsigned int i = 0; i < STALLS && any_stalled(smmu); i++)
		if (in_use(smmu, i, &stall) && stall.suppressed && stall.sid == first->sid &&
		    stall.event[2] >> 12 == first->event[2] >> 12)
			release(smmu, i, true);
}

/** smmuv3_resume() - CMD_RESUME: only if the STAG belongs to that StreamID */
void smmuv3_resume(struct smmuv3 *smmu, const uint64_t c[2])
{
	unsigned int stag = smmu_get(CMD1_RESUME_STAG, c[1]);
	bool retry = c[0] & CMD0_RESUME_RETRY;
	struct smmuv3_stall stall;

	if (stag >= STALLS || !in_use(smmu, stag, &stall) || !stall.recorded)
		return;
	if (stall.sid != smmu_get(CMD0_SID, c[0]) &&
	    !FAULT("smmuv3.resume-any-sid", "CMD_RESUME does not compare the StreamID"))
		return;
	if (FAULT("smmuv3.resume-inverted", "CMD_RESUME takes retry for terminate"))
		retry = !retry;
	release(smmu, stag, retry);
	release_suppressed(smmu, &stall);
}

/** smmuv3_stall_term() - CMD_STALL_TERM of a StreamID, or of @all: translation is switched off */
void smmuv3_stall_term(struct smmuv3 *smmu, uint32_t sid, bool all)
{
	struct smmuv3_stall stall;

	if (!any_stalled(smmu) ||
	    FAULT("smmuv3.stall-term-ignored", "CMD_STALL_TERM does nothing"))
		return;
	for (unsigned int i = 0; i < STALLS; i++)
		if (in_use(smmu, i, &stall) && (all || stall.sid == sid))
			release(smmu, i, false);
}

void smmuv3_stall_record(struct smmuv3 *smmu)
{
	pthread_mutex_lock(&smmu->output_lock);
	for (unsigned int i = 0; i < STALLS && any_stalled(smmu); i++)
		if (smmu->stalls[i].used && !smmu->stalls[i].recorded &&
		    !smmu->stalls[i].suppressed)
			record(smmu, i);
	pthread_mutex_unlock(&smmu->output_lock);
}

void smmuv3_stall_retry(struct smmuv3 *smmu)
{
	struct smmuv3_stall stall;

	for (unsigned int i = 0; i < STALLS && any_stalled(smmu); i++)
		if (in_use(smmu, i, &stall) && !stall.recorded && !stall.suppressed)
			release(smmu, i, true);
}
