// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command queues (IHI 0070 3.5, 4.1, 4.7.3, 7.1): consumption, errors, and what CMD_SYNC waits for.
 *
 * A consumed command waits in the queue's pending list until a CMD_SYNC owes its effect. The
 * CMD_SYNC lets the classes happen one after the other, with a step of time between two of them;
 * then every request that was in flight has to leave; then it completes.
 */
#include "smmuv3_impl.h"

bool smmuv3_cmdq_failed(const struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq)
{
	if (cmdq != &smmu->cmdq)
		return smmuv3_cmdqv_failed(smmu, cmdq);
	return (reg_get(smmu->gerror) ^ smmu->gerrorn) & SMMU_GERROR_CMDQ_ERR;
}

static void fails(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, unsigned int error)
{
	smmu_trace(smmu, "queue %lld error %llu at %llu",
		   cmdq->vintf < 0 ? -1 : (long long)cmdq->index, error,
		   smmu_queue_index(cmdq->cons, cmdq->log2size));
	cmdq->error = error;
	if (cmdq == &smmu->cmdq)
		smmuv3_gerror(smmu, SMMU_GERROR_CMDQ_ERR);
	else
		smmuv3_cmdqv_error(smmu, cmdq);
}

/** smmuv3_cmdq_cons() - The CONS register: index, and the error of the command that it points to */
uint32_t smmuv3_cmdq_cons(const struct smmuv3_cmdq *cmdq)
{
	uint32_t cons = cmdq->cons;

	if (FAULT("smmuv3.cons-wrap-lost", "CONS is read without its wrap bit"))
		cons = smmu_queue_index(cons, cmdq->log2size);
	return cons | smmu_put(SMMU_CMDQ_CONS_ERR, cmdq->error);
}

static void advance(struct smmuv3_cmdq *cmdq)
{
	cmdq->cons = smmu_queue_next(cmdq->cons, cmdq->log2size);
}

/* ---- Effects ---- */

static void over_invalidate(struct smmuv3 *smmu)
{
	struct freedom *freedom = &smmu->iommu.freedom;
	struct tlb_match all = { 0 };

	if (freedom_take(freedom, freedom->over))
		hw_count(smmu->iommu.counts.over_removed,
			 tlb_remove(smmu->caches[freedom_draw(freedom) % CACHES], &all));
}

static void take_effect(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2],
			enum smmuv3_class class)
{
	smmuv3_command_do(smmu, cmdq, c);
	if (class == CLASS_NOW || class == CLASS_ATS)
		return;
	cmdq->drain = true;
	over_invalidate(smmu);
}

static void remember(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2],
		     enum smmuv3_class class)
{
	/* Nobody owes us a CMD_SYNC soon: the oldest happens now. */
	if (cmdq->pending_count == PENDING_COMMANDS) {
		take_effect(smmu, cmdq, cmdq->pending[0], cmdq->pending_class[0]);
		cmdq->class_count[cmdq->pending_class[0]]--;
		cmdq->pending_count--;
		memmove(cmdq->pending[0], cmdq->pending[1],
			cmdq->pending_count * sizeof(cmdq->pending[0]));
		memmove(&cmdq->pending_class[0], &cmdq->pending_class[1], cmdq->pending_count);
	}
	memcpy(cmdq->pending[cmdq->pending_count], c, sizeof(cmdq->pending[0]));
	cmdq->pending_class[cmdq->pending_count++] = class;
	cmdq->class_count[class]++;
}

/* A command that is no CMD_SYNC is consumed. */
static void consume(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	enum smmuv3_class class = smmuv3_command_class(c);
	struct freedom *freedom = &smmu->iommu.freedom;

	smmuv3_command_trace(smmu, cmdq, c);
	hw_count_alone(smmu->iommu.counts.commands, 1);
	advance(cmdq);
	if (class == CLASS_NOW || (class == CLASS_ATS && !freedom->reorder) ||
	    freedom_take(freedom, freedom->early))
		take_effect(smmu, cmdq, c, class);
	else
		remember(smmu, cmdq, c, class);
}

static void swap_pending(struct smmuv3_cmdq *cmdq, unsigned int a, unsigned int b)
{
	uint8_t class = cmdq->pending_class[a];
	uint64_t c[2];

	memcpy(c, cmdq->pending[a], sizeof(c));
	memcpy(cmdq->pending[a], cmdq->pending[b], sizeof(c));
	memcpy(cmdq->pending[b], c, sizeof(c));
	cmdq->pending_class[a] = cmdq->pending_class[b];
	cmdq->pending_class[b] = class;
}

/* Between two CMD_SYNCs commands have no order (4.7.3): any one will do. */
static void reorder(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq)
{
	struct freedom *freedom = &smmu->iommu.freedom;
	unsigned int i, j;
	uint8_t class;

	for (i = cmdq->pending_count; i > 1; i--)
		swap_pending(cmdq, i - 1, freedom_draw(freedom) % i);
	for (i = CLASSES; i > 1; i--) {
		j = freedom_draw(freedom) % i;
		class = cmdq->order[j];
		cmdq->order[j] = cmdq->order[i - 1];
		cmdq->order[i - 1] = class;
	}
}

/* Let all pending commands of @class happen; true if there were any */
static bool effect_of_class(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, enum smmuv3_class class)
{
	unsigned int kept = 0, count = cmdq->pending_count;

	if (!cmdq->class_count[class])
		return false;
	for (unsigned int i = 0; i < count; i++) {
		if (cmdq->pending_class[i] == class) {
			take_effect(smmu, cmdq, cmdq->pending[i], class);
			continue;
		}
		if (kept != i)
			swap_pending(cmdq, kept, i);
		kept++;
	}
	cmdq->pending_count = kept;
	cmdq->class_count[class] = 0;
	return true;
}

/* ---- CMD_SYNC ---- */

static void sync_begin(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq)
{
	struct freedom *freedom = &smmu->iommu.freedom;

	cmdq->sync = SYNC_EFFECTS;
	cmdq->phase = 0;
	for (unsigned int i = 0; i < CLASSES; i++)
		cmdq->order[i] = i;
	if (freedom_take(freedom, freedom->reorder))
		reorder(smmu, cmdq);
	cmdq->delay = 0;
	if (freedom_take(freedom, freedom->delay) && freedom->delay_steps)
		cmdq->delay = freedom_draw(freedom) % freedom->delay_steps + 1;
}

/* An ATS invalidation never completed: this CMD_SYNC cannot either (4.7.3, 3.9.1.4). */
static bool sync_timed_out(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq)
{
	if (!cmdq->ats_timed_out)
		return false;
	cmdq->ats_timed_out = false;
	if (FAULT("smmuv3.atc-timeout-is-done", "an ATS invalidation that times out is done"))
		return false;
	cmdq->sync = SYNC_NONE;
	fails(smmu, cmdq, SMMU_CERROR_ATC_INV_SYNC);
	if (FAULT("smmuv3.atc-error-consumes-sync", "CERROR_ATC_INV_SYNC consumes the CMD_SYNC"))
		advance(cmdq);
	return true;
}

/* Its own ATS invalidations; for the SMMU's own queue also those of queues that are off now */
static bool ats_outstanding(struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq)
{
	return cmdq->ats_outstanding ||
	       (cmdq == &smmu->cmdq && smmuv3_cmdqv_outstanding(smmu));
}

/* Time passes between two classes. True: all have happened */
static bool sync_effects(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq)
{
	bool any;

	while (cmdq->phase < CLASSES) {
		any = effect_of_class(smmu, cmdq, cmdq->order[cmdq->phase]);
		if (cmdq->order[cmdq->phase] == CLASS_ATS) {
			if (ats_outstanding(smmu, cmdq) &&
			    !FAULT("smmuv3.sync-not-waiting-for-atc",
				   "CMD_SYNC does not wait for ATS invalidations"))
				return false;
			if (sync_timed_out(smmu, cmdq))
				return false;
		}
		cmdq->phase++;
		if (any && cmdq->pending_count)
			return false;
	}
	return true;
}

static unsigned int drained_classes(const struct smmuv3 *smmu)
{
	/* Split-stage ATS: translated requests use stage 2 as well. */
	return INFLIGHT_UNTRANSLATED | (smmu->config.split_ats ? INFLIGHT_TRANSLATED : 0);
}

static void sync_complete(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	uint64_t addr = c[1] & CMD1_SYNC_MSIADDR;

	if (!FAULT("smmuv3.event-after-sync", "CMD_SYNC does not wait for event records"))
		smmuv3_event_flush(smmu);
	smmuv3_stall_retry(smmu);
	if (cmdq == &smmu->cmdq)
		smmuv3_cmdqv_flush(smmu);
	cmdq->sync = SYNC_NONE;
	cmdq->drain = false;
	smmuv3_command_trace(smmu, cmdq, c);
	hw_count_alone(smmu->iommu.counts.commands, 1);
	hw_count_alone(smmu->iommu.counts.syncs, 1);
	advance(cmdq);
	if (smmu_get(CMD0_SYNC_CS, c[0]) == CMD_SYNC_CS_IRQ && smmu->config.msi && addr)
		smmuv3_msi(smmu, addr, smmu_get(CMD0_SYNC_MSIDATA, c[0]));
}

/* Go on with a CMD_SYNC as far as it can; true: it has completed */
static bool sync_run(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	if (cmdq->sync == SYNC_NONE)
		sync_begin(smmu, cmdq);
	if (FAULT("smmuv3.sync-early", "CMD_SYNC completes before commands have their effect")) {
		sync_complete(smmu, cmdq, c);
		return true;
	}
	if (cmdq->sync == SYNC_EFFECTS) {
		if (!sync_effects(smmu, cmdq))
			return false;
		if (cmdq->drain)
			inflight_take(smmu->iommu.inflight, drained_classes(smmu), &cmdq->snapshot);
		cmdq->sync = SYNC_DRAIN;
	}
	if (cmdq->sync == SYNC_DRAIN) {
		if (cmdq->drain && FAULT("smmuv3.sync-awaits-later-dma",
					 "CMD_SYNC also waits for requests that come after it"))
			inflight_take(smmu->iommu.inflight, drained_classes(smmu), &cmdq->snapshot);
		if (cmdq->drain &&
		    !inflight_drained(smmu->iommu.inflight, &cmdq->snapshot) &&
		    !FAULT("smmuv3.sync-not-draining", "CMD_SYNC does not wait for DMA in flight"))
			return false;
		cmdq->sync = SYNC_DELAY;
	}
	if (cmdq->delay)
		return false;
	sync_complete(smmu, cmdq, c);
	return true;
}

/* ---- The queue ---- */

static bool queue_fetch(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, uint64_t c[2])
{
	uint64_t pa = cmdq->base +
		      (uint64_t)smmu_queue_index(cmdq->cons, cmdq->log2size) * SMMU_CMD_SIZE;

	return !hw_read64(smmu->iommu.mem, pa, &c[0]) && !hw_read64(smmu->iommu.mem, pa + 8, &c[1]);
}

/** smmuv3_cmdq_run() - Consume what there is, up to a CMD_SYNC that has to wait, or an error */
void smmuv3_cmdq_run(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq)
{
	unsigned int error;
	uint64_t c[2];

	while (cmdq->enabled && !smmuv3_cmdq_failed(smmu, cmdq) &&
	       !smmu_queue_empty(cmdq->prod, cmdq->cons, cmdq->log2size)) {
		if (!queue_fetch(smmu, cmdq, c)) {
			fails(smmu, cmdq, FAULT("smmuv3.abort-is-illegal",
						"a command that cannot be read is illegal") ?
			      SMMU_CERROR_ILL : SMMU_CERROR_ABT);
			return;
		}
		error = smmuv3_command_check(smmu, cmdq, c);
		if (error) {
			if (FAULT("smmuv3.illegal-skipped", "an illegal command is skipped"))
				advance(cmdq);
			fails(smmu, cmdq, error);
			return;
		}
		if ((c[0] & CMD0_OPCODE) != CMD_SYNC)
			consume(smmu, cmdq, c);
		else if (!sync_run(smmu, cmdq, c))
			return;
	}
}

/** smmuv3_cmdq_step() - A moment passes; true if a CMD_SYNC waits or anything was done */
bool smmuv3_cmdq_step(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq)
{
	uint32_t cons = cmdq->cons;

	if (cmdq->sync == SYNC_NONE)
		return false;
	if (cmdq->sync == SYNC_DELAY && cmdq->delay)
		cmdq->delay--;
	smmuv3_cmdq_run(smmu, cmdq);
	return cmdq->sync != SYNC_NONE || cmdq->cons != cons;
}

/** smmuv3_cmdq_enable() - Off: a CMD_SYNC in progress is given up; what was consumed stays owed */
void smmuv3_cmdq_enable(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, bool enabled)
{
	if (cmdq->enabled == enabled)
		return;
	cmdq->enabled = enabled;
	cmdq->sync = SYNC_NONE;
	if (enabled)
		smmuv3_cmdq_run(smmu, cmdq);
}

/** smmuv3_cmdq_flush() - What a queue that is off still owes happens; time-outs are forgotten */
void smmuv3_cmdq_flush(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq)
{
	for (unsigned int class = CLASS_ATS; class < CLASSES; class++)
		effect_of_class(smmu, cmdq, class);
	smmuv3_ats_orphan(smmu, cmdq);
}
