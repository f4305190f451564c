// SPDX-License-Identifier: GPL-2.0-only
/* An endpoint of reference hardware that nit-hw serves (spec/served.h), by its ring. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "device.h"
#include "ring.h"

#define REGISTERS_BAR 0
#define MEMORY_BAR 2
#define SETTLE_S 20	/* a loaded host, emulated CPUs */

/** struct served - @lock: of the ring; @held: by engine, what dma_finish() ends */
struct served {
	pthread_mutex_t lock;
	struct dma_ring ring;
	struct dma *held[SERVED_ENGINES];
};

static int ring_call(struct dma_device *device, struct served_descriptor *descriptor,
		     const void *in, size_t in_len, void *out, size_t out_len)
{
	struct served *served = device->priv;
	int rc;

	pthread_mutex_lock(&served->lock);
	rc = dma_ring_call(&served->ring, descriptor, in, in_len, out, out_len);
	pthread_mutex_unlock(&served->lock);
	return rc;
}

static bool served_probe(const struct pci_id *id)
{
	return id->vendor == SERVED_VENDOR && id->device == SERVED_ENDPOINT;
}

static int served_open(struct dma_device *device)
{
	const struct vfio_bar *bars = device->vfio ? device->vfio->bars : NULL;
	struct served *served;
	int rc;

	if (!bars || !bars[REGISTERS_BAR].map || !bars[MEMORY_BAR].map)
		return -ENXIO;
	served = calloc(1, sizeof(*served));
	if (!served)
		return -ENOMEM;
	pthread_mutex_init(&served->lock, NULL);
	rc = dma_ring_open(&served->ring, bars[REGISTERS_BAR].map,
			   (void *)bars[MEMORY_BAR].map);
	if (rc)
		free(served);
	else
		device->priv = served;
	return rc;
}

static void served_close(struct dma_device *device)
{
	struct served *served = device->priv;

	pthread_mutex_destroy(&served->lock);
	free(served);
	device->priv = NULL;
}

static struct served_descriptor descriptor_of(enum served_op op, unsigned int engine,
					      const struct dma *dma)
{
	return (struct served_descriptor){
		.op = op, .engine = engine, .pasid = dma->pasid, .kind = dma->op,
		.address = dma->address, .addr = dma->addr, .len = dma->len,
		.flags = (dma->exec ? SERVED_EXEC : 0) | (dma->priv ? SERVED_PRIV : 0),
	};
}

/* What the device refuses altogether, and what it does not answer, has not reached memory. */
static enum dma_status status_of(int rc, const struct served_descriptor *descriptor)
{
	return rc || descriptor->result < 0 ? DMA_ABORTED : (enum dma_status)descriptor->result;
}

static enum dma_status transfer(struct dma_device *device, enum served_op op,
				unsigned int engine, struct dma *dma)
{
	struct served_descriptor descriptor = descriptor_of(op, engine, dma);
	int rc = ring_call(device, &descriptor, dma->data, dma->op == DMA_READ ? 0 : dma->len,
			   dma->data, dma->op == DMA_WRITE ? 0 : dma->len);

	return status_of(rc, &descriptor);
}

/* More than fits a slot goes in pieces. */
static enum dma_status served_dma(struct dma_device *device, unsigned int engine, struct dma *dma)
{
	enum dma_status status = DMA_DONE;
	struct dma piece = *dma;

	for (size_t done = 0; status == DMA_DONE && done < dma->len; done += piece.len) {
		piece.addr = dma->addr + done;
		piece.data = (uint8_t *)dma->data + done;
		piece.len = dma->len - done < SERVED_DATA_SIZE ? dma->len - done :
								 SERVED_DATA_SIZE;
		status = transfer(device, SERVED_DMA, engine, &piece);
	}
	return status;
}

static enum dma_status served_dma_start(struct dma_device *device, unsigned int engine,
					struct dma *dma)
{
	struct served *served = device->priv;
	struct served_descriptor descriptor = descriptor_of(SERVED_DMA_START, engine, dma);
	int rc;

	if (engine >= SERVED_ENGINES)
		return DMA_ABORTED;
	rc = ring_call(device, &descriptor, dma->data, dma->op == DMA_READ ? 0 : dma->len, NULL, 0);
	served->held[engine] = dma;
	return status_of(rc, &descriptor);
}

static enum dma_status served_dma_finish(struct dma_device *device, unsigned int engine)
{
	struct served *served = device->priv;
	struct served_descriptor descriptor = { .op = SERVED_DMA_FINISH, .engine = engine };
	struct dma *dma = engine < SERVED_ENGINES ? served->held[engine] : NULL;
	int rc;

	if (!dma)
		return DMA_ABORTED;
	rc = ring_call(device, &descriptor, NULL, 0, dma->data,
		       dma->op == DMA_WRITE ? 0 : dma->len);
	return status_of(rc, &descriptor);
}

/* A descriptor whose result is all there is to know */
static int call(struct dma_device *device, struct served_descriptor *descriptor)
{
	int rc = ring_call(device, descriptor, NULL, 0, NULL, 0);

	return rc ?: descriptor->result;
}

static int fetch(struct dma_device *device, enum served_op op, uint32_t pasid, uint64_t addr,
		 bool write)
{
	struct served_descriptor descriptor = {
		.op = op, .pasid = pasid, .addr = addr, .kind = write ? DMA_WRITE : DMA_READ,
	};

	return call(device, &descriptor);
}

static int served_prefetch(struct dma_device *device, uint32_t pasid, uint64_t addr, bool write)
{
	return fetch(device, SERVED_PREFETCH, pasid, addr, write);
}

static int served_prefetch_start(struct dma_device *device, uint32_t pasid, uint64_t addr,
				 bool write)
{
	return fetch(device, SERVED_PREFETCH_START, pasid, addr, write);
}

static int served_prefetch_finish(struct dma_device *device)
{
	struct served_descriptor descriptor = { .op = SERVED_PREFETCH_FINISH };

	return call(device, &descriptor);
}

static int served_page_request(struct dma_device *device, uint32_t pasid, uint64_t addr,
			       unsigned int group, bool write)
{
	struct served_descriptor descriptor = {
		.op = SERVED_PAGE_REQUEST, .pasid = pasid, .addr = addr, .value = group,
		.kind = write ? DMA_WRITE : DMA_READ,
	};

	return call(device, &descriptor);
}

static int served_page_answer(struct dma_device *device, unsigned int group)
{
	struct served_descriptor descriptor = { .op = SERVED_PAGE_ANSWER, .value = group };

	return call(device, &descriptor);
}

static int served_settle(struct dma_device *device)
{
	struct served_descriptor descriptor = { .op = SERVED_SETTLED };
	time_t until = time(NULL) + SETTLE_S;
	int rc;

	while ((rc = call(device, &descriptor)) == -EAGAIN && time(NULL) < until)
		sched_yield();
	return rc == -EAGAIN ? -ETIMEDOUT : rc;
}

static int served_turn(struct dma_device *device, bool of_iommu, enum knob knob, uint64_t value)
{
	struct served_descriptor descriptor = {
		.op = SERVED_KNOB, .engine = knob, .value = value,
		.addr = of_iommu ? SERVED_ITS_IOMMU : SERVED_SELF,
	};

	return call(device, &descriptor);
}

static int served_calm(struct dma_device *device)
{
	struct served_descriptor self = { .op = SERVED_CALM, .addr = SERVED_SELF };
	struct served_descriptor iommu = { .op = SERVED_CALM, .addr = SERVED_ITS_IOMMU };
	struct served_descriptor moment = { .op = SERVED_MOMENT };

	return call(device, &self) ?: call(device, &iommu) ?: call(device, &moment);
}

static int served_want_moment(struct dma_device *device, bool wanted)
{
	struct served_descriptor descriptor = { .op = SERVED_MOMENT, .value = wanted };

	return call(device, &descriptor);
}

static bool served_moment(struct dma_device *device)
{
	struct served_descriptor descriptor = { .op = SERVED_STOPPED };

	return !call(device, &descriptor);
}

static int count(struct dma_device *device, enum served_count which, uint64_t whose, uint64_t *sum)
{
	struct served_descriptor descriptor = {
		.op = SERVED_COUNT, .engine = which, .addr = whose,
	};
	int rc = call(device, &descriptor);

	if (!rc)
		*sum += descriptor.value;
	return rc;
}

/* IOMMUs have numbers from 0 on: the first that is refused is not there. */
static int served_counts(struct dma_device *device, struct counts *counts)
{
	const struct {
		enum served_count which;
		uint64_t *sum;
	} counters[] = {
		{ SERVED_COMMANDS, &counts->commands },
		{ SERVED_SYNCS, &counts->syncs },
		{ SERVED_ATS_INVALIDATES, &counts->ats_invalidates },
		{ SERVED_WALKS, &counts->walks },
		{ SERVED_TABLE_READS, &counts->table_reads },
		{ SERVED_REMOVED, &counts->removed },
		{ SERVED_OVER_REMOVED, &counts->over_removed },
	};
	int rc = 0;

	*counts = (struct counts){};
	for (unsigned int i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		uint64_t iommu = 0;

		do
			rc = count(device, counters[i].which, iommu, counters[i].sum);
		while (!rc && ++iommu);
		if (rc != -EINVAL || !iommu)
			return rc;
	}
	return count(device, SERVED_CACHED, 0, &counts->cached);
}

static uint64_t served_mark(struct dma_device *device)
{
	struct served_descriptor descriptor = { .op = SERVED_MARK };

	return call(device, &descriptor) ? UINT64_MAX : descriptor.value;
}

static uint64_t served_event(struct dma_device *device, uint64_t number, char *line,
			     unsigned int size)
{
	struct served_descriptor descriptor = { .op = SERVED_EVENT, .value = number };
	int rc = ring_call(device, &descriptor, NULL, 0, line,
			   size < SERVED_LINE ? size : SERVED_LINE);

	line[size - 1] = '\0';
	return rc ? UINT64_MAX : descriptor.value;
}

const struct dma_driver dma_served = {
	.name = "served",
	.probe = served_probe,
	.open = served_open,
	.close = served_close,
	.dma = served_dma,
	.dma_start = served_dma_start,
	.dma_finish = served_dma_finish,
	.prefetch = served_prefetch,
	.prefetch_start = served_prefetch_start,
	.prefetch_finish = served_prefetch_finish,
	.page_request = served_page_request,
	.page_answer = served_page_answer,
	.settle = served_settle,
	.turn = served_turn,
	.calm = served_calm,
	.want_moment = served_want_moment,
	.moment = served_moment,
	.counts = served_counts,
	.mark = served_mark,
	.event = served_event,
};
