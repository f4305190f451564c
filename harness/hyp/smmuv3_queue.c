// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command queue: submission, CMD_SYNC, what is done about errors (4.7.3, 4.8, 7.1).
 *
 * Every submission ends with a CMD_SYNC and waits for it, so there is at most one on its way; a
 * list that does not fit goes in parts, each with a CMD_SYNC of its own.
 */
#include <errno.h>

#include "core/fault.h"
#include "smmuv3.h"

#define ABORTS_MAX 4	/* command fetches that may fail in a row */

int smmu_queue_init(struct smmu *smmu, struct smmu_queue *queue, uint64_t base_register,
		    unsigned int log2size, unsigned int entry_size)
{
	uint64_t size = (uint64_t)entry_size << log2size;

	queue->log2size = log2size;
	queue->base = pages_alloc(&smmu->hyp->pages, size < 4096 ? 4096 : size);
	if (!queue->base)
		return -ENOMEM;
	smmu_write64(smmu, base_register,
		     SMMU_Q_BASE_RWA | queue->base | smmu_put(SMMU_Q_BASE_LOG2SIZE, log2size));
	return 0;
}

struct poll {
	struct smmu *smmu;
	uint64_t offset;
	uint32_t mask;
	uint32_t value;
};

static bool poll_done(void *arg)
{
	struct poll *poll = arg;

	return (smmu_read(poll->smmu, poll->offset) & poll->mask) == poll->value;
}

int smmu_poll(struct smmu *smmu, uint64_t offset, uint32_t mask, uint32_t value)
{
	struct poll poll = { smmu, offset, mask, value };

	return platform_wait(smmu->hyp->platform, poll_done, &poll, SMMU_WAIT_BOUND);
}

static uint64_t *entry(struct smmu *smmu, uint32_t pointer)
{
	uint64_t index = smmu_queue_index(pointer, smmu->cmdq.log2size);

	return pages_ptr(&smmu->hyp->pages, smmu->cmdq.base + index * SMMU_CMD_SIZE);
}

static void put(struct smmu *smmu, const uint64_t cmd[2])
{
	uint64_t *words = entry(smmu, smmu->cmdq.prod);

	smmu_store(&words[0], cmd[0]);
	smmu_store(&words[1], cmd[1]);
	smmu->cmdq.prod = smmu_queue_next(smmu->cmdq.prod, smmu->cmdq.log2size);
	smmu->pushed++;
}

static void put_sync(struct smmu *smmu)
{
	uint64_t sync[2];

	smmuv3_cmd_sync(sync, CMD_SYNC_CS_NONE, 0, 0);
	put(smmu, sync);
}

static bool errored(struct smmu *smmu)
{
	return (smmu_read(smmu, SMMU_GERROR) ^ smmu_read(smmu, SMMU_GERRORN)) &
	       SMMU_GERROR_CMDQ_ERR;
}

/* How many of all commands ever pushed the SMMU has consumed */
static uint64_t consumed(struct smmu *smmu)
{
	uint32_t mask = (2u << smmu->cmdq.log2size) - 1;

	smmu->cmdq.cons = smmu_read(smmu, SMMU_CMDQ_CONS);
	return smmu->pushed - ((smmu->cmdq.prod - smmu->cmdq.cons) & mask);
}

struct wait {
	struct smmu *smmu;
	uint64_t target;
};

static bool settled(void *arg)
{
	struct wait *wait = arg;

	return errored(wait->smmu) || consumed(wait->smmu) >= wait->target;
}

/* A command that is refused stays in the way: a CMD_SYNC goes in its place. */
static int recover(struct smmu *smmu)
{
	uint64_t at = consumed(smmu) + 1, sync[2], *words = entry(smmu, smmu->cmdq.cons);

	switch (smmu_get(SMMU_CMDQ_CONS_ERR, smmu->cmdq.cons)) {
	case SMMU_CERROR_ILL:
		if (!smmu->illegal)
			smmu->illegal = at;
		smmuv3_cmd_sync(sync, CMD_SYNC_CS_NONE, 0, 0);
		smmu_store(&words[0], sync[0]);
		smmu_store(&words[1], sync[1]);
		break;
	case SMMU_CERROR_ATC_INV_SYNC:
		smmu->lost = at;
		break;
	default:
		if (++smmu->aborts > ABORTS_MAX)
			return -EIO;
		break;
	}
	smmu_write(smmu, SMMU_GERRORN, smmu_read(smmu, SMMU_GERRORN) ^ SMMU_GERROR_CMDQ_ERR);
	return 0;
}

static int wait_for(struct smmu *smmu, uint64_t target)
{
	struct wait wait = { smmu, target };
	int rc;

	smmu->aborts = 0;
	smmu_write(smmu, SMMU_CMDQ_PROD, smmu->cmdq.prod);
	if (FAULT("hyp.smmuv3-sync-is-not-awaited", "a submission returns before its CMD_SYNC"))
		return 0;
	do {
		rc = platform_wait(smmu->hyp->platform, settled, &wait, SMMU_WAIT_BOUND);
		if (!rc && errored(smmu))
			rc = recover(smmu);
	} while (!rc && consumed(smmu) < target);
	return rc;
}

/*
 * One part of a list, with room for it and its CMD_SYNC in the queue. A refused command does not
 * keep the ones behind it from being carried out; they are not counted all the same.
 */
static int issue_part(struct smmu *smmu, const uint64_t (*cmds)[2], unsigned int n,
		      unsigned int *done)
{
	uint64_t before = smmu->pushed;
	int rc;

	smmu->illegal = 0;
	smmu->lost = 0;
	for (unsigned int i = 0; i < n; i++)
		put(smmu, cmds[i]);
	put_sync(smmu);
	rc = wait_for(smmu, smmu->pushed);
	*done = rc ? 0 : n;
	if (rc)
		return rc;
	if (smmu->illegal && !FAULT("hyp.smmuv3-illegal-is-done", "a refused command is counted")) {
		*done = smmu->illegal - before - 1;
		return -EIO;
	}
	if (smmu->lost && !FAULT("hyp.smmuv3-atc-timeout-is-done",
				 "CERROR_ATC_INV_SYNC is acknowledged and forgotten"))
		return -ETIMEDOUT;
	return 0;
}

static bool is_atc_inv(const uint64_t cmd[2])
{
	return smmu_get(CMD0_OPCODE, cmd[0]) == CMD_ATC_INV;
}

/*
 * Some device did not answer (3.9.1.4); the SMMU does not say which. Each device of the list is
 * asked again on its own: who answers now is done, who does not is fenced.
 */
static int find_culprits(struct smmu *smmu, const uint64_t (*cmds)[2], unsigned int n,
			 unsigned int *done)
{
	unsigned int ignored;
	int rc = 0;

	*done = n;
	for (unsigned int i = 0; i < n; i++) {
		uint16_t sid = smmu_get(CMD0_SID, cmds[i][0]);
		struct hyp_device *device;

		if (!is_atc_inv(cmds[i]))
			continue;
		device = hyp_device_by_rid(smmu->hyp, sid);
		if (!device || !smmu_device(device))
			continue;
		if (!smmu_device(device)->fenced && issue_part(smmu, &cmds[i], 1, &ignored))
			smmu_fence(smmu_device(device));
		if (smmu_device(device)->fenced && !rc) {
			rc = -ETIMEDOUT;
			*done = i;
		}
	}
	return rc;
}

int smmu_issue(struct smmu *smmu, const uint64_t (*cmds)[2], unsigned int n, unsigned int *done)
{
	unsigned int part_max = (1u << smmu->cmdq.log2size) - 1, total = 0;
	int rc = 0;

	smmu->busy++;
	do {
		unsigned int part = n < part_max ? n : part_max, part_done;

		rc = issue_part(smmu, cmds, part, &part_done);
		if (rc == -ETIMEDOUT && smmu->lost)
			rc = find_culprits(smmu, cmds, part, &part_done);
		total += part_done;
		cmds += part;
		n -= part;
		if (n && FAULT("hyp.smmuv3-first-part-only", "the rest of a long list is lost")) {
			total += n;
			break;
		}
	} while (n && !rc);
	smmu->busy--;
	if (done)
		*done = total;
	if (!smmu->busy && smmu->pending) {
		smmu->pending = false;
		smmu_events(smmu);
	}
	return rc;
}

int smmu_issue_one(struct smmu *smmu, const uint64_t cmd[2])
{
	return smmu_issue(smmu, (const uint64_t (*)[2])cmd, 1, NULL);
}
