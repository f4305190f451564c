// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "stress_engine.h"

#define FIRST_ENGINE 2		/* the first two are the VM's own */
#define TOKEN (0xa6ULL << 56)
#define ENGINE_SHIFT 48		/* of the engine's number in a token */
#define SAMPLE 32		/* DMAs of which one is timed */
/* Who loses the processor in the middle of a DMA has everybody wait who drains: better here. */
#define YIELD 64
#define HOLD 64			/* DMAs of which one is held */
#define HELD_YIELDS 2
#define OP_REQUEST 3		/* in a trail, after the last of enum dma_op */
#define REQUESTED 0x10		/* no code of an answer */

/**
 * struct shot - one DMA: what was asked for, and what came of it; @seen: a write's token first
 * @access: when it went on after it was held; else as @begin
 */
struct shot {
	uint8_t slot;
	uint8_t place;
	uint8_t op;
	uint8_t address;
	uint8_t verdict;
	bool done;
	bool lost;	/* a write that was reported done reached no page, or the reverse */
	bool held;
	uint64_t begin;
	uint64_t access;
	uint64_t end;
	uint64_t seen;
};

static unsigned int device_of(const struct stress_engine *engine)
{
	return engine->number % engine->world->config->devices;
}

/* Each writes to a cache line of its own in every page. */
static unsigned int word_of(const struct stress_engine *engine)
{
	return 8 * (1 + engine->number);
}

/* Most DMA goes where tables change most; half of what an ATC may do is done without it, too. */
static void draw(struct stress_engine *engine, struct shot *shot)
{
	const struct world_config *config = engine->world->config;
	unsigned int has = engine->world->target.has;
	uint64_t bits = prng_next(&engine->prng);
	unsigned int op = bits >> 8 & 7;

	shot->slot = (bits >> 16 & UINT16_MAX) * (bits & 1 ? 3 : WORLD_SLOTS) >> 16;
	shot->place = (bits >> 32 & UINT16_MAX) * (1 + config->pasids) >> 16;
	shot->address = config->ats && bits >> 4 & 3 ? DMA_ATS : DMA_PLAIN;
	shot->held = has & TARGET_HELD && !((bits >> 48) % HOLD);
	shot->op = op < 6 && has & TARGET_READ ? DMA_READ :
		   op == 7 && has & TARGET_ATOMIC ? DMA_SWAP : DMA_WRITE;
}

/** struct between - a shot that waits between translation and memory access, in @engine */
struct between {
	struct stress_engine *engine;
	struct shot *shot;
};

/*
 * Others run meanwhile. Every invalidation that covers this DMA has to wait for it: so what it may
 * reach is decided when it goes on, not when it began.
 */
static void between(void *arg)
{
	struct between *between = arg;

	for (unsigned int i = 0; i < HELD_YIELDS; i++)
		sched_yield();
	between->shot->access = atomic_load_explicit(&between->engine->world->clock,
						     memory_order_acquire);
}

/* A read brings the stamp of its page back; a write leaves a token that no other write has. */
static void fire(struct stress_engine *engine, struct shot *shot)
{
	struct world *world = engine->world;
	uint64_t data = TOKEN | (uint64_t)engine->number << ENGINE_SHIFT | ++engine->token;
	struct between pause = { engine, shot };
	struct dma dma = {
		.op = shot->op, .address = shot->address, .pasid = world_pasid(shot->place),
		.addr = world->iovas[shot->slot], .len = sizeof(data), .data = &data,
	};

	if (shot->op != DMA_READ)
		dma.addr += sizeof(data) * word_of(engine);
	shot->seen = data;
	shot->begin = atomic_load_explicit(&world->clock, memory_order_acquire);
	shot->access = shot->begin;
	if (shot->held)
		dma.between = between, dma.arg = &pause;
	shot->done = world->target.ops->dma(&world->target, device_of(engine),
					    FIRST_ENGINE + engine->number, &dma) == DMA_DONE;
	shot->end = atomic_load_explicit(&world->clock, memory_order_acquire);
	if (shot->op == DMA_READ)
		shot->seen = shot->done ? vm_name(data) : VM_NOWHERE;
}

/* Most DMA reaches what the tables say now, and nothing has changed meanwhile. */
static void judge(struct stress_engine *engine, struct shot *shot)
{
	struct world *world = engine->world;
	unsigned int device = device_of(engine);
	bool write = shot->op != DMA_READ;
	uint64_t now = world_now(world, device, shot->place, shot->slot, write);

	if (write)
		shot->seen = world_find(world, shot->seen, word_of(engine),
					shot->done ? now : VM_NOWHERE);
	shot->lost = shot->done != (shot->seen != VM_NOWHERE);
	if (shot->lost)
		shot->verdict = WORLD_WRONG;
	else if (shot->seen == now &&
		 atomic_load_explicit(&world->clock, memory_order_acquire) == shot->end)
		shot->verdict = WORLD_NEW;
	else
		shot->verdict = world_judge(world, device, shot->place, shot->slot, write,
					    shot->done ? shot->access : shot->begin, shot->end,
					    shot->seen);
}

static void count(_Atomic unsigned long *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static void keep(struct stress_engine *engine, const struct shot *shot)
{
	trail_add(&engine->trail, shot->begin, shot->end,
		  shot->slot | shot->place << 8 | shot->op << 16 | shot->address << 20 |
		  shot->verdict << 24 | shot->lost << 28 | shot->held << 29, shot->seen);
	count(&engine->dmas);
	if (shot->verdict == WORLD_OLD)
		count(&engine->stale);
	if (shot->verdict == WORLD_LEAVING)
		count(&engine->leaving);
	if (shot->verdict == WORLD_UNKNOWN)
		count(&engine->unknown);
}

static void request_line(const struct stress_engine *engine, const struct trail_event *event,
			 char *line, size_t size)
{
	uint64_t word = event->word[0];
	int at = snprintf(line, size, "device %u asks for a page, %s, at %#llx", device_of(engine),
			  world_place(word >> 8 & 0xff),
			  (unsigned long long)engine->world->iovas[word & 0xff]);

	if (event->word[1] != REQUESTED)
		snprintf(line + at, size - at, ": answer %#llx",
			 (unsigned long long)event->word[1]);
}

void stress_engine_line(const void *arg, const struct trail_event *event, char *line, size_t size)
{
	static const char * const ops[] = { "read", "write", "swap" };
	static const char * const addresses[] = { "untranslated", "by the ATC" };
	static const char * const verdicts[] = {
		"WRONG", "right", "right in a change", "old, allowed", "too long ago",
	};
	const struct stress_engine *engine = arg;
	uint64_t word = event->word[0];
	char name[40];

	if ((word >> 16 & 3) == OP_REQUEST) {
		request_line(engine, event, line, size);
		return;
	}
	snprintf(line, size, "device %u %s%s %s, %s, at %#llx: %s %s: %s", device_of(engine),
		 word >> 29 & 1 ? "held " : "", ops[word >> 16 & 3],
		 addresses[word >> 20 & 1], world_place(word >> 8 & 0xff),
		 (unsigned long long)engine->world->iovas[word & 0xff],
		 word >> 28 & 1 ? "lost, found at" : "reached",
		 world_name(engine->world, event->word[1], name, sizeof(name)),
		 verdicts[word >> 24 & 7]);
}

static void stop_all(struct stress_engine *engine)
{
	atomic_store(&engine->failed, true);
	atomic_store(engine->stop, true);
}

static void fail(struct stress_engine *engine, const struct shot *shot)
{
	const struct trail *trail = &engine->trail;
	uint64_t now = world_now(engine->world, device_of(engine), shot->place, shot->slot,
				 shot->op != DMA_READ);
	char name[40];
	size_t at;

	stress_engine_line(engine, &trail->events[(trail->count - 1) % TRAIL_EVENTS], engine->what,
			   sizeof(engine->what));
	at = strlen(engine->what);
	snprintf(engine->what + at, sizeof(engine->what) - at, "; the tables say: %s",
		 world_name(engine->world, now, name, sizeof(name)));
	stop_all(engine);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* What it costs to look at the clock is nobody's time. */
static uint64_t clock_cost(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < 100; i++) {
		uint64_t begin = now_ns(), cost = now_ns() - begin;

		least = cost < least ? cost : least;
	}
	return least;
}

static uint64_t without(uint64_t ns, uint64_t cost)
{
	return ns > cost ? ns - cost : 0;
}

static void shoot(struct stress_engine *engine, struct shot *shot, bool timed)
{
	uint64_t begin = 0, middle = 0;

	if (timed)
		begin = now_ns();
	fire(engine, shot);
	if (timed)
		middle = now_ns();
	judge(engine, shot);
	if (timed) {
		engine->dma_ns += without(middle - begin, engine->clock_ns);
		engine->oracle_ns += without(now_ns() - middle, engine->clock_ns);
	}
	keep(engine, shot);
	if (shot->verdict == WORLD_WRONG)
		fail(engine, shot);
}

/* A request in the trail, or its answer: @code, REQUESTED if there is none */
static void keep_request(struct stress_engine *engine, unsigned int place, unsigned int slot,
			 unsigned int code)
{
	uint64_t now = atomic_load(&engine->world->clock);

	trail_add(&engine->trail, now, now, slot | place << 8 | OP_REQUEST << 16, code);
}

/* What was served is used at once; what a DMA did not find is asked for. */
static void ask_for_pages(struct stress_engine *engine, const struct shot *missed)
{
	const struct ledger_group *group;
	unsigned int code;

	group = stress_request_look(&engine->requests, &code);
	if (group)
		keep_request(engine, group->place, group->slot, code);
	if (engine->requests.wrong[0]) {
		memcpy(engine->what, engine->requests.wrong, sizeof(engine->requests.wrong));
		stop_all(engine);
	} else if (group && code == LEDGER_SUCCESS) {
		struct shot again = {
			.slot = group->slot, .place = group->place, .address = DMA_ATS,
			.op = group->write ? DMA_WRITE : DMA_READ,
		};

		shoot(engine, &again, false);
		if (again.done)
			count(&engine->paged);
	} else if (!missed->done && missed->address == DMA_ATS &&
		   stress_request_ask(&engine->requests, missed->place, missed->slot,
				      missed->op != DMA_READ)) {
		keep_request(engine, missed->place, missed->slot, REQUESTED);
	}
}

static void one(struct stress_engine *engine, bool timed)
{
	struct shot shot = {};

	draw(engine, &shot);
	shoot(engine, &shot, timed);
	if (engine->world->config->pri && !engine->failed)
		ask_for_pages(engine, &shot);
}

/* Each pause is answered, also one that comes before the end of the last was seen. */
static void wait_paused(struct stress_engine *engine)
{
	unsigned int pause;

	while ((pause = atomic_load(&engine->pause)) && !atomic_load(engine->stop)) {
		atomic_store(&engine->paused, pause);
		sched_yield();
	}
}

static void *engine_main(void *arg)
{
	struct stress_engine *engine = arg;
	struct timespec cpu;

	engine->clock_ns = clock_cost();
	for (unsigned long n = 0; !atomic_load_explicit(engine->stop, memory_order_relaxed); n++) {
		if (atomic_load_explicit(&engine->pause, memory_order_relaxed))
			wait_paused(engine);
		if (!(n % YIELD))
			sched_yield();
		one(engine, !(n % SAMPLE));
		if (!n)
			atomic_store(&engine->ready, true);
	}
	atomic_store(&engine->ready, true);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	engine->cpu_s = cpu.tv_sec + cpu.tv_nsec / 1e9;
	return NULL;
}

int stress_engine_start(struct stress_engine *engine, uint64_t seed)
{
	prng_init(&engine->prng, seed, 100 + engine->number);
	stress_request_init(&engine->requests, engine->world, engine->number);
	return -pthread_create(&engine->thread, NULL, engine_main, engine);
}

void stress_engine_pause(struct stress_engine *engine)
{
	unsigned int pause = atomic_load(&engine->paused) + 1;

	atomic_store(&engine->pause, pause);
	while (atomic_load(&engine->paused) != pause && !atomic_load(engine->stop))
		sched_yield();
}

void stress_engine_go_on(struct stress_engine *engine)
{
	atomic_store(&engine->pause, 0);
}
