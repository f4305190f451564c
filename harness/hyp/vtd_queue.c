// SPDX-License-Identifier: GPL-2.0-only
/* VT-d invalidation queue: submission, sync, errors (D51397, 6.5.2, 6.5.2.11). */
#include <errno.h>

#include "core/fault.h"
#include "vtd.h"

#define QUEUE_BYTES 4096	/* QS = 0: 128 descriptors of 32 bytes, 256 of 16 */

int vtd_queue_init(struct vtd_iommu *iommu)
{
	struct pages *pages = &iommu->vtd->hyp->pages;
	struct vtd_queue *queue = &iommu->queue;

	queue->pa = pages_alloc(pages, QUEUE_BYTES);
	queue->status_pa = pages_alloc(pages, 4096);
	if (!queue->pa || !queue->status_pa)
		return -ENOMEM;
	queue->ring = pages_ptr(pages, queue->pa);
	queue->status = pages_ptr(pages, queue->status_pa);
	queue->words = iommu->legacy ? 2 : 4;
	queue->entries = QUEUE_BYTES / 8 / queue->words;
	vtd_write(iommu, VTD_IQT_REG, 8, 0);
	vtd_write(iommu, VTD_IQA_REG, 8, queue->pa | (iommu->legacy ? 0 : VTD_IQA_DW));
	return 0;
}

void vtd_queue_fini(struct vtd_iommu *iommu)
{
	struct pages *pages = &iommu->vtd->hyp->pages;

	if (iommu->queue.pa)
		pages_free(pages, iommu->queue.pa, QUEUE_BYTES);
	if (iommu->queue.status_pa)
		pages_free(pages, iommu->queue.status_pa, 4096);
}

static void put_at(struct vtd_queue *queue, unsigned int place, const uint64_t d[4])
{
	uint64_t *words = &queue->ring[place % queue->entries * queue->words];

	for (unsigned int i = 0; i < queue->words; i++)
		__atomic_store_n(&words[i], d[i], __ATOMIC_RELAXED);
}

static void put(struct vtd_queue *queue, const uint64_t d[4])
{
	put_at(queue, queue->tail, d);
	queue->tail = (queue->tail + 1) % queue->entries;
}

static bool complete(const struct vtd_queue *queue)
{
	return __atomic_load_n(queue->status, __ATOMIC_ACQUIRE) == queue->sequence;
}

#define QUEUE_ERRORS (VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)

static bool complete_or_error(void *arg)
{
	struct vtd_iommu *iommu = arg;

	return complete(&iommu->queue) || vtd_read(iommu, VTD_FSTS_REG, 4) & QUEUE_ERRORS;
}

static struct vtd_device *target(struct vtd_iommu *iommu, const uint64_t d[4])
{
	struct hyp_device *device = NULL;

	if (VTD_INV_TYPE(d[0]) == VTD_INV_DEVTLB)
		device = hyp_device_by_rid(iommu->vtd->hyp, VTD_GET(VTD_INV_DEVTLB_SID, d[0]));
	else if (VTD_INV_TYPE(d[0]) == VTD_INV_PDEVTLB)
		device = hyp_device_by_rid(iommu->vtd->hyp, VTD_GET(VTD_INV_PDEVTLB_SID, d[0]));
	return device ? vtd_device(device) : NULL;
}

/*
 * The descriptor at the head is refused and stops the queue (6.5.2.10). A wait that does nothing
 * takes its place, so that the queue goes on; what it should have done did not happen.
 */
static int queue_error(struct vtd_iommu *iommu)
{
	unsigned int at = VTD_GET(VTD_IQ_OFFSET, vtd_read(iommu, VTD_IQH_REG, 8)) * 2;
	uint64_t nothing[4];

	vtd_inv_wait(nothing, VTD_INV_WAIT_SW, iommu->queue.status_pa + 8, 0);
	put_at(&iommu->queue, at / iommu->queue.words, nothing);
	vtd_write(iommu, VTD_FSTS_REG, 4, VTD_FSTS_IQE);
	return -EIO;
}

/*
 * A device did not answer in time: hardware dropped all waits that were pending (6.5.2.11), and no
 * invalidation of the batch can be relied on. Fence the culprit; without a name, all it may be.
 */
static int time_out(struct vtd_iommu *iommu, const uint64_t (*descriptors)[4], unsigned int count)
{
	uint16_t culprit = VTD_GET(VTD_IQERCD_ITESID, vtd_read(iommu, VTD_IQERCD_REG, 8));
	bool known = false;

	vtd_write(iommu, VTD_FSTS_REG, 4, VTD_FSTS_ITE);
	for (unsigned int i = 0; i < count; i++) {
		struct vtd_device *device = target(iommu, descriptors[i]);

		known |= device && device->base->pdev->rid == culprit;
	}
	for (unsigned int i = 0; i < count; i++) {
		struct vtd_device *device = target(iommu, descriptors[i]);

		if (device && (!known || device->base->pdev->rid == culprit))
			vtd_fence(device);
	}
	return -ETIMEDOUT;
}

/* One attempt; descriptors for devices that were fenced meanwhile are left out */
static int attempt(struct vtd_iommu *iommu, const uint64_t (*descriptors)[4], unsigned int count,
		   uint64_t wait_flags)
{
	struct platform *platform = iommu->vtd->hyp->platform;
	struct vtd_queue *queue = &iommu->queue;
	uint64_t wait[4];
	uint32_t errors;
	int rc = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct vtd_device *device = target(iommu, descriptors[i]);

		if (!device || !device->fenced)
			put(queue, descriptors[i]);
	}
	queue->sequence++;
	vtd_inv_wait(wait, VTD_INV_WAIT_SW | wait_flags, queue->status_pa, queue->sequence);
	put(queue, wait);
	vtd_write(iommu, VTD_IQT_REG, 8, (uint64_t)queue->tail * queue->words * 8);
	if (FAULT("hyp.vtd-no-wait", "the queue is given work, but nobody waits until it is done"))
		return 0;
	for (unsigned int tries = 0; !complete(queue); tries++) {
		/* Not at rest after all that time, or refusing all there is: it will stay so. */
		if (tries > queue->entries ||
		    platform_wait(platform, complete_or_error, iommu, VTD_WAIT_BOUND)) {
			iommu->dead = tries > queue->entries || platform->ops->relax(platform);
			return -EIO;
		}
		errors = vtd_read(iommu, VTD_FSTS_REG, 4);
		/* A completion nobody waits for changes nothing: the real one is still missing. */
		if (errors & VTD_FSTS_ICE)
			vtd_write(iommu, VTD_FSTS_REG, 4, VTD_FSTS_ICE);
		if (errors & VTD_FSTS_IQE)
			rc = queue_error(iommu);
		if (errors & VTD_FSTS_ITE)
			return time_out(iommu, descriptors, count);
	}
	return rc;
}

int vtd_submit(struct vtd_iommu *iommu, const uint64_t (*descriptors)[4], unsigned int count,
	       uint64_t wait_flags)
{
	bool outer = !iommu->submitting;
	int rc, first_rc;

	if (iommu->dead)
		return -EIO;
	iommu->submitting = true;
	first_rc = rc = attempt(iommu, descriptors, count, wait_flags);
	/*
	 * The others' invalidations must be done. What hardware had fetched for the fenced device
	 * may go on timing out, at worst one by one.
	 */
	for (unsigned int i = 0; rc == -ETIMEDOUT && i < 2 * VTD_BATCH; i++)
		rc = attempt(iommu, descriptors, count, wait_flags);
	if (outer)
		iommu->submitting = false;
	if (outer && iommu->prq_pending &&
	    !FAULT("hyp.vtd-prq-lost-while-waiting",
		   "page requests that arrive during an invalidation are not looked at"))
		vtd_prq_service(iommu);
	if (first_rc == -ETIMEDOUT &&
	    FAULT("hyp.vtd-time-out-is-success", "a time-out is retried, then forgotten"))
		return 0;
	return first_rc ?: rc;
}
