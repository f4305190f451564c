// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands (48882, 2.4). COMPLETION_WAIT with a store is how the hypervisor learns that those
 * before it are done; a device that does not answer INVALIDATE_IOTLB_PAGES is an event, not a
 * failed wait (2.5.8), so events are read before a sync is believed.
 */
#include <errno.h>

#include "amdvi.h"
#include "core/fault.h"

#define BUFFER_BYTES (AMD_CMDBUF_ENTRIES * AMDVI_LOG_ENTRY_SIZE)
#define WAIT_BOUND 100000

int amd_queue_start(struct amd_iommu *iommu)
{
	struct hyp *hyp = iommu->hyp;

	iommu->cmdbuf = pages_alloc(&hyp->pages, BUFFER_BYTES);
	iommu->sync = pages_alloc(&hyp->pages, 4096);
	if (!iommu->cmdbuf || !iommu->sync)
		return -ENOMEM;
	mmio_write(hyp->platform, iommu->number, AMDVI_CMDBUF_BASE, 8,
		   iommu->cmdbuf | amdvi_put(AMD_CMDBUF_LEN, AMDVI_BASE_LEN));
	mmio_write(hyp->platform, iommu->number, AMDVI_CMDBUF_HEAD, 8, 0);
	mmio_write(hyp->platform, iommu->number, AMDVI_CMDBUF_TAIL, 8, 0);
	return 0;
}

static uint32_t head(struct amd_iommu *iommu)
{
	return mmio_read(iommu->hyp->platform, iommu->number, AMDVI_CMDBUF_HEAD, 8) &
	       AMDVI_HEAD_TAIL;
}

static uint32_t after(uint32_t offset)
{
	return (offset + AMDVI_LOG_ENTRY_SIZE) % BUFFER_BYTES;
}

void amd_queue_ring(struct amd_iommu *iommu)
{
	mmio_write(iommu->hyp->platform, iommu->number, AMDVI_CMDBUF_TAIL, 8, iommu->tail);
}

static bool has_room(void *arg)
{
	struct amd_iommu *iommu = arg;

	return after(iommu->tail) != head(iommu);
}

void amd_queue(struct amd_iommu *iommu, const uint64_t cmd[2])
{
	uint64_t *slot = pages_ptr(&iommu->hyp->pages, iommu->cmdbuf + iommu->tail);

	if (!has_room(iommu) &&
	    !FAULT("hyp.amdvi-queue-overruns", "commands are written over those not fetched yet")) {
		amd_queue_ring(iommu);
		if (platform_wait(iommu->hyp->platform, has_room, iommu, WAIT_BOUND)) {
			iommu->failed = true;
			return;
		}
	}
	__atomic_store_n(&slot[0], cmd[0], __ATOMIC_RELAXED);
	__atomic_store_n(&slot[1], cmd[1], __ATOMIC_RELEASE);
	iommu->tail = after(iommu->tail);
}

static bool synced(void *arg)
{
	struct amd_iommu *iommu = arg;
	uint64_t *sync = pages_ptr(&iommu->hyp->pages, iommu->sync);

	return __atomic_load_n(sync, __ATOMIC_ACQUIRE) == iommu->sync_value;
}

static int wait_for_commands(struct amd_iommu *iommu)
{
	uint64_t cmd[2];
	int rc;

	if (iommu->sync_value % 10 == 9 &&
	    FAULT("cost.amdvi-one-more-in-ten", "every tenth batch has a command for nothing")) {
		amdvi_cmd_invalidate_interrupt_table(cmd, 0);
		amd_queue(iommu, cmd);
	}
	amdvi_cmd_completion_wait(cmd, AMDVI_WAIT0_S, iommu->sync, ++iommu->sync_value);
	amd_queue(iommu, cmd);
	amd_queue_ring(iommu);
	if (FAULT("hyp.amdvi-believes-head", "commands that were fetched count as done"))
		return 0;
	rc = platform_wait(iommu->hyp->platform, synced, iommu, WAIT_BOUND);
	if (!rc && !iommu->failed)
		return 0;
	return -ETIMEDOUT;
}

/* The buffer stops at a command that it cannot run (2.5.5). Nothing behind it is kept. */
static bool restart(struct amd_iommu *iommu)
{
	struct platform *platform = iommu->hyp->platform;
	uint64_t status = mmio_read(platform, iommu->number, AMDVI_STATUS, 8);
	uint64_t control = mmio_read(platform, iommu->number, AMDVI_CONTROL, 8);

	if (status & AMDVI_STATUS_CMDBUF_RUN ||
	    FAULT("hyp.amdvi-no-restart", "a command buffer that stopped is left so"))
		return false;
	mmio_write(platform, iommu->number, AMDVI_CONTROL, 8, control & ~AMDVI_CONTROL_CMDBUF_EN);
	mmio_write(platform, iommu->number, AMDVI_CMDBUF_HEAD, 8, 0);
	iommu->tail = 0;
	amd_queue_ring(iommu);
	mmio_write(platform, iommu->number, AMDVI_CONTROL, 8, control | AMDVI_CONTROL_CMDBUF_EN);
	return true;
}

bool amd_fence_silent(struct amd_iommu *iommu)
{
	bool any = false;

	amd_each_device(amd_of(iommu->hyp), device) {
		if (!device->timed_out || amd_iommu_of(device) != iommu)
			continue;
		device->timed_out = false;
		any = true;
		if (!FAULT("hyp.amdvi-timeout-unfenced",
			   "a device that lost an invalidation keeps its ATC and goes on"))
			amd_fence(device);
	}
	return any;
}

int amd_sync(struct amd_iommu *iommu)
{
	bool nested = iommu->waiting;
	int rc;

	iommu->waiting = true;
	rc = wait_for_commands(iommu);
	iommu->waiting = nested;
	iommu->failed = false;
	amd_logs_read(iommu);
	iommu->halted = rc && restart(iommu);
	if (iommu->halted)
		rc = -EIO;
	if (amd_fence_silent(iommu) &&
	    !FAULT("hyp.amdvi-timeout-success", "an invalidation that timed out counts as done"))
		rc = -ETIMEDOUT;
	return rc;
}

int amd_sync_all(struct amd *amd)
{
	int rc = 0;

	amd_each_iommu(amd, iommu)
		rc = amd_sync(iommu) ?: rc;
	return rc;
}
