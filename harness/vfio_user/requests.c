// SPDX-License-Identifier: GPL-2.0-only
/* What the descriptors of an endpoint ask for, carried out on the thread of its ring. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/fault.h"
#include "hw/knob.h"

#include "endpoint_function.h"

#define NAME_SIZE 128

/** struct order - a descriptor, and the data of its slot, which is the guest's to change */
struct order {
	struct served_descriptor *d;
	uint8_t *data;
};

/* ---- DMA ---- */

static bool makes_sense(const struct served_descriptor *d)
{
	return d->engine < SERVED_ENGINES && d->kind <= DMA_SWAP && d->address <= DMA_RAW &&
	       d->len <= SERVED_DATA_SIZE;
}

static struct engine_work *prepare(struct endpoint_function *served, struct order *order)
{
	struct served_descriptor *d = order->d;
	struct engine_work *work;

	if (!makes_sense(d) || served->engines[d->engine].pending)
		return NULL;
	work = &served->engines[d->engine];
	work->ended = false;
	work->dma = (struct dma){
		.op = d->kind, .address = d->address, .pasid = d->pasid, .addr = d->addr,
		.len = d->len, .data = work->data, .exec = d->flags & SERVED_EXEC,
		.priv = d->flags & SERVED_PRIV,
	};
	memcpy(work->data, order->data, d->len);
	return work;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static int finished(struct engine_work *work, struct order *order, enum dma_status status)
{
	work->pending = status == DMA_HELD || status == DMA_STALLED;
	work->until_ns = now_ns() + HOLD_MS * 1000000ull;
	if (status == DMA_DONE && work->dma.op != DMA_WRITE)
		memcpy(order->data, work->data, work->dma.len);
	return status;
}

static int dma(struct endpoint_function *served, struct order *order)
{
	struct engine_work *work = prepare(served, order);

	return work ? finished(work, order, endpoint_dma(served->endpoint, order->d->engine,
							 &work->dma)) : -EINVAL;
}

static int dma_start(struct endpoint_function *served, struct order *order)
{
	struct engine_work *work = prepare(served, order);

	return work ? finished(work, order, endpoint_dma_start(served->endpoint, order->d->engine,
							       &work->dma)) : -EINVAL;
}

static int dma_finish(struct endpoint_function *served, struct order *order)
{
	unsigned int engine = order->d->engine;
	struct engine_work *work;

	if (engine >= SERVED_ENGINES)
		return -EINVAL;
	work = &served->engines[engine];
	if (work->pending)
		return finished(work, order, endpoint_dma_finish(served->endpoint, engine));
	if (!work->ended)
		return DMA_ABORTED;
	work->ended = false;
	return finished(work, order, work->status);
}

static void end(struct endpoint_function *served, unsigned int engine)
{
	struct engine_work *work = &served->engines[engine];

	hw_trace(served->machine->trace, "nit-hw", "engine %llu goes on by itself", engine);
	pthread_rwlock_rdlock(served->function.lock);
	work->status = endpoint_dma_finish(served->endpoint, engine);
	pthread_rwlock_unlock(served->function.lock);
	work->pending = work->status == DMA_STALLED;	/* for software to answer, whenever */
	work->ended = !work->pending;
	work->until_ns += HOLD_MS * 1000000ull;
	served->machine_work(served->work_arg);
}

static int expire(void *arg)
{
	struct endpoint_function *served = arg;
	uint64_t now = now_ns(), next = UINT64_MAX;

	for (unsigned int i = 0; i < SERVED_ENGINES; i++) {
		struct engine_work *work = &served->engines[i];

		if (work->pending && work->until_ns <= now)
			end(served, i);
		else if (work->pending && work->until_ns < next)
			next = work->until_ns;
	}
	return next == UINT64_MAX ? -1 : (int)((next - now) / 1000000 + 1);
}

static uint8_t access_of(const struct served_descriptor *d)
{
	return d->kind == DMA_READ ? HW_READ : HW_READ | HW_WRITE;
}

static int prefetch(struct endpoint_function *served, struct order *order)
{
	const struct served_descriptor *d = order->d;

	return endpoint_prefetch(served->endpoint, d->pasid, d->addr, access_of(d));
}

static int prefetch_start(struct endpoint_function *served, struct order *order)
{
	const struct served_descriptor *d = order->d;

	return endpoint_prefetch_start(served->endpoint, d->pasid, d->addr, access_of(d));
}

static int prefetch_finish(struct endpoint_function *served, struct order *order)
{
	return endpoint_prefetch_finish(served->endpoint);
}

/* ---- PRI ---- */

static int page_request(struct endpoint_function *served, struct order *order)
{
	const struct served_descriptor *d = order->d;
	struct hw_page_request request = {
		.has_pasid = d->pasid != DMA_NO_PASID,
		.pasid = d->pasid != DMA_NO_PASID ? d->pasid : 0,
		.addr = d->addr, .index = d->value, .last = true,
		.access = d->kind == DMA_READ ? HW_READ : HW_WRITE,
	};

	return endpoint_page_request(served->endpoint, &request);
}

static int page_answer(struct endpoint_function *served, struct order *order)
{
	return endpoint_prg_answer(served->endpoint, order->d->value);
}

static int settled(struct endpoint_function *served, struct order *order)
{
	struct machine *machine = served->machine;

	if (machine_has_msi(machine))
		return -EAGAIN;
	for (unsigned int i = 0; served->settled && i < machine->iommu_count; i++)
		if (!served->settled(machine->iommus[i]))
			return -EAGAIN;
	return 0;
}

/* ---- Evidence ---- */

static int mark(struct endpoint_function *served, struct order *order)
{
	order->d->value = hw_trace_number(served->machine->trace);
	return 0;
}

static int event(struct endpoint_function *served, struct order *order)
{
	char line[SERVED_LINE] = "";

	order->d->value = hw_trace_read(served->machine->trace, order->d->value, line,
					sizeof(line));
	memcpy(order->data, line, sizeof(line));
	return 0;
}

static int count(struct endpoint_function *served, struct order *order)
{
	static const size_t counters[SERVED_COUNTS] = {
		[SERVED_COMMANDS] = offsetof(struct hw_counts, commands),
		[SERVED_SYNCS] = offsetof(struct hw_counts, syncs),
		[SERVED_WALKS] = offsetof(struct hw_counts, walks),
		[SERVED_TABLE_READS] = offsetof(struct hw_counts, table_reads),
		[SERVED_REMOVED] = offsetof(struct hw_counts, removed),
		[SERVED_OVER_REMOVED] = offsetof(struct hw_counts, over_removed),
		[SERVED_ATS_INVALIDATES] = offsetof(struct hw_counts, ats_invalidates),
		[SERVED_FAULTS] = offsetof(struct hw_counts, faults),
	};
	struct served_descriptor *d = order->d;
	const char *counts;

	if (d->engine == SERVED_CACHED) {
		d->value = endpoint_atc_count(served->endpoint);
		return 0;
	}
	if (d->engine >= SERVED_COUNTS || d->addr >= served->machine->iommu_count)
		return -EINVAL;
	counts = (const char *)&served->machine->iommus[d->addr]->counts;
	d->value = atomic_load((const _Atomic uint64_t *)(counts + counters[d->engine]));
	return 0;
}

/* ---- Faults and knobs ---- */

static void name_of(const struct order *order, char name[NAME_SIZE])
{
	memcpy(name, order->data, NAME_SIZE);
	name[NAME_SIZE - 1] = '\0';
}

static int plant(struct endpoint_function *served, struct order *order)
{
	char name[NAME_SIZE];

	name_of(order, name);
	hw_trace(served->machine->trace, "nit-hw", "fault planted %llu", order->d->value);
	return fault_plant(name, order->d->value);
}

static int hits(struct endpoint_function *served, struct order *order)
{
	char name[NAME_SIZE];

	name_of(order, name);
	order->d->value = fault_hits(name);
	return 0;
}

/* A device has one IOMMU above it, whose knobs are within its reach. */
static int turn_knob(struct endpoint_function *served, struct order *order)
{
	const struct served_descriptor *d = order->d;

	if (d->addr > SERVED_ITS_IOMMU)
		return -EINVAL;
	return hw_turn(served->endpoint, d->addr == SERVED_ITS_IOMMU, d->engine, d->value);
}

static int calm(struct endpoint_function *served, struct order *order)
{
	if (order->d->addr > SERVED_ITS_IOMMU)
		return -EINVAL;
	hw_calm(served->endpoint, order->d->addr == SERVED_ITS_IOMMU);
	return 0;
}

/* ---- Time ---- */

static int want_moment(struct endpoint_function *served, struct order *order)
{
	moment_want(served->moment, order->d->value);
	return 0;
}

static int stopped(struct endpoint_function *served, struct order *order)
{
	return moment_is_now(served->moment) ? 0 : -EAGAIN;
}

/* ---- All of them ---- */

/** struct request_kind - @exclusive: nothing else may run meanwhile; @work: the machine has some */
static const struct request_kind {
	int (*carry_out)(struct endpoint_function *served, struct order *order);
	bool exclusive;
	bool work;
} kinds[] = {
	[SERVED_DMA] = { dma },
	[SERVED_DMA_START] = { dma_start },
	[SERVED_DMA_FINISH] = { dma_finish, .work = true },
	[SERVED_PREFETCH] = { prefetch },
	[SERVED_PREFETCH_START] = { prefetch_start },
	[SERVED_PREFETCH_FINISH] = { prefetch_finish },
	[SERVED_PAGE_REQUEST] = { page_request, .work = true },
	[SERVED_PAGE_ANSWER] = { page_answer },
	[SERVED_SETTLED] = { settled },
	[SERVED_MARK] = { mark },
	[SERVED_EVENT] = { event },
	[SERVED_FAULT] = { plant, .exclusive = true },
	[SERVED_FAULT_HITS] = { hits },
	[SERVED_KNOB] = { turn_knob, .exclusive = true },
	[SERVED_CALM] = { calm, .exclusive = true },
	[SERVED_MOMENT] = { want_moment, .work = true },
	[SERVED_STOPPED] = { stopped },
	[SERVED_COUNT] = { count },
};

/* What engines held or had stalled before a reset is aborted, and they are free again. */
static void forget_engines(struct endpoint_function *served)
{
	for (unsigned int i = 0; i < SERVED_ENGINES; i++) {
		if (served->engines[i].pending)
			endpoint_dma_finish(served->endpoint, i);
		served->engines[i].pending = false;
		served->engines[i].ended = false;
	}
}

static void carry_out(void *arg, struct served_descriptor *d, uint8_t *data)
{
	struct endpoint_function *served = arg;
	struct order order = { d, data };
	const struct request_kind *kind;

	if (d->op >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[d->op].carry_out) {
		d->result = -EOPNOTSUPP;
		return;
	}
	kind = &kinds[d->op];
	if (kind->exclusive)
		pthread_rwlock_wrlock(served->function.lock);
	else
		pthread_rwlock_rdlock(served->function.lock);
	if (__atomic_exchange_n(&served->was_reset, false, __ATOMIC_SEQ_CST))
		forget_engines(served);
	d->result = kind->carry_out(served, &order);
	pthread_rwlock_unlock(served->function.lock);
	if (kind->work || machine_has_msi(served->machine))
		served->machine_work(served->work_arg);
}

const struct ring_ops endpoint_requests = {
	.carry_out = carry_out,
	.expire = expire,
};
