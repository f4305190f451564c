// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "stress.h"
#include "stress_watch.h"
#include "target/ref.h"

#define OPEN_EVERY 4		/* steps after which engines get time to use the old entries */
#define OPEN_DMAS 8
#define CONTROL_MORE 100	/* times the mutations, at most, until a stale hit was seen */
#define CONTROL_LONGER 4	/* times the seconds */
#define PATIENCE_S 60
#define SAY_EVERY_S 60		/* a guest that says nothing for long has hung */

static double clock_s(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static bool stopped(const struct stress *stress)
{
	return atomic_load_explicit(&stress->stop, memory_order_relaxed);
}

/* ---- the mutator */

/*
 * A reset takes the ring of a served device away, with which a DMA would be lost: not meanwhile.
 * What a device asked for it forgets in a reset, too: then nobody asks.
 */
static int run_step(struct stress *stress, const struct step *step)
{
	const struct world *world = &stress->execution->world;
	bool gentle = !(world->target.has & TARGET_REFERENCE) || world->config->pri;
	unsigned int device;
	int rc;

	if (!gentle || !step_resets(step, &device))
		return step_run(stress->execution, step);
	for (unsigned int i = device; i < stress->engine_count; i += world->config->devices)
		stress_engine_pause(&stress->engines[i]);
	rc = step_run(stress->execution, step);
	for (unsigned int i = device; i < stress->engine_count; i += world->config->devices)
		stress_engine_go_on(&stress->engines[i]);
	return rc;
}

static int mutate(struct stress *stress, struct prng *prng)
{
	struct world *world = &stress->execution->world;
	uint64_t begin = atomic_load(&world->clock), word = 0;
	struct step step;
	int rc;

	step_draw(&step, prng, world->config->pri ? STEP_PAGING : STEP_STRESS,
		  world->config->devices);
	memcpy(&word, &step, sizeof(step));
	rc = run_step(stress, &step);
	trail_add(&stress->trail, begin, atomic_load(&world->clock), word, rc);
	stress->operations++;
	atomic_fetch_add(&stress->steps, 1);
	stress->invalidations += step_invalidates(&step);
	if (rc)
		step_line(&step, stress->what, sizeof(stress->what));
	return rc;
}

static void step_event(const void *arg, const struct trail_event *event, char *line, size_t size)
{
	struct step step;
	size_t at;

	memcpy(&step, &event->word[0], sizeof(step));
	step_line(&step, line, size);
	at = strlen(line);
	if (event->word[1])
		snprintf(line + at, size - at, ": %s", strerrorname_np(-(int)event->word[1]));
}

/*
 * The window between a change and its invalidation is open only if an engine runs in it. One is
 * enough: with fewer processors than threads another one may have to wait for this thread.
 */
static void let_engines_run(struct stress *stress)
{
	unsigned long until[STRESS_ENGINES];

	for (unsigned int i = 0; i < stress->engine_count; i++)
		until[i] = stress->engines[i].dmas + OPEN_DMAS;
	while (!stopped(stress)) {
		for (unsigned int i = 0; i < stress->engine_count; i++)
			if (stress->engines[i].dmas >= until[i])
				return;
		sched_yield();
	}
}

/* What shows that the window is open */
static unsigned long stale_hits(const struct stress *stress)
{
	bool plain = stress->execution->world.config->plain;
	unsigned long stale = 0;

	for (unsigned int i = 0; i < stress->engine_count; i++)
		stale += plain ? stress->engines[i].leaving : stress->engines[i].stale;
	return stale;
}

/* Page requests that were served, and used, and refused, some of them across an invalidation */
static bool requests_seen(const struct stress *stress)
{
	const struct pager *pager = &stress->execution->pager;
	unsigned long paged = 0;

	for (unsigned int i = 0; i < stress->engine_count; i++)
		paged += stress->engines[i].paged;
	return paged && pager->served && pager->refused && pager->with_invalidation;
}

/** struct progress - @window_end, @window_stale: of the window that is open; @say_at: next word */
struct progress {
	double begin;
	double window_end;
	unsigned long window_stale;
	double say_at;
};

static void say(const struct stress *stress, double seconds)
{
	unsigned long dmas = 0;

	for (unsigned int i = 0; i < stress->engine_count; i++)
		dmas += stress->engines[i].dmas;
	fprintf(stderr, "# stress: %.0f s, %lu operations, %lu DMAs, %lu of them old\n", seconds,
		stress->operations, dmas, stale_hits(stress));
}

/* The next one begins now: when the machine stood still for long, nobody could see anything. */
static void close_window(struct stress *stress, struct progress *progress, double now)
{
	unsigned long stale = stale_hits(stress);

	stress->windows++;
	stress->blind += stale == progress->window_stale;
	progress->window_stale = stale;
	progress->window_end = now + STRESS_WINDOW_S;
}

/* How the threads interleave is the machine's: until an engine came into an open window, go on. */
static bool has_enough(struct stress *stress, struct progress *progress)
{
	double now = clock_s(CLOCK_MONOTONIC), seconds = now - progress->begin;
	bool seen = stale_hits(stress) &&
		    (!stress->execution->world.config->pri || requests_seen(stress));

	if (stress->mutations)
		return stress->operations >= stress->mutations &&
		       (seen || stress->operations >= stress->mutations * CONTROL_MORE);
	if (now >= progress->say_at) {
		say(stress, seconds);
		progress->say_at += SAY_EVERY_S;
	}
	/* The last window takes what is left over. */
	if (now >= progress->window_end && seconds + STRESS_WINDOW_S <= stress->seconds)
		close_window(stress, progress, now);
	return seconds >= stress->seconds && (seen || seconds >= stress->seconds * CONTROL_LONGER);
}

static int mutate_all(struct stress *stress)
{
	double begin = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_THREAD_CPUTIME_ID);
	struct progress progress = { begin, begin + STRESS_WINDOW_S, 0, begin + SAY_EVERY_S };
	struct prng prng;
	int rc = 0;

	prng_init(&prng, stress->seed, 1);
	while (!rc && !stopped(stress) && !has_enough(stress, &progress)) {
		rc = mutate(stress, &prng);
		if (!(stress->operations % OPEN_EVERY))
			let_engines_run(stress);
	}
	if (!rc && !stopped(stress))
		close_window(stress, &progress, clock_s(CLOCK_MONOTONIC));
	stress->wall_s = clock_s(CLOCK_MONOTONIC) - begin;
	stress->mutator_s = clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
	return rc;
}

/* ---- the run */

static int start_engines(struct stress *stress)
{
	int rc = 0;

	for (unsigned int i = 0; !rc && i < stress->engine_count; i++) {
		stress->engines[i] = (struct stress_engine){
			.world = &stress->execution->world, .number = i, .stop = &stress->stop,
		};
		rc = stress_engine_start(&stress->engines[i], stress->seed);
		if (rc)
			stress->engine_count = i;
	}
	for (unsigned int i = 0; i < stress->engine_count; i++)
		while (!atomic_load(&stress->engines[i].ready))
			sched_yield();
	return rc;
}

static void collect(struct stress *stress)
{
	uint64_t dma_ns = 0, oracle_ns = 0;

	for (unsigned int i = 0; i < stress->engine_count; i++) {
		struct stress_engine *engine = &stress->engines[i];

		pthread_join(engine->thread, NULL);
		stress->dmas += engine->dmas;
		stress->stale += engine->stale;
		stress->leaving += engine->leaving;
		stress->unknown += engine->unknown;
		stress->violations += engine->failed;
		stress->dmas_per_s += engine->cpu_s > 0 ? engine->dmas / engine->cpu_s : 0;
		dma_ns += engine->dma_ns;
		oracle_ns += engine->oracle_ns;
		if (engine->failed && !stress->failed)
			memcpy(stress->what, engine->what, sizeof(stress->what));
		stress->failed |= engine->failed;
	}
	stress->oracle_share = dma_ns + oracle_ns ? 1.0 * oracle_ns / (dma_ns + oracle_ns) : 0;
}

/* Nobody asks any more: all is answered, and nothing was answered twice. */
static void end_requests(struct stress *stress)
{
	struct execution *execution = stress->execution;
	struct world *world = &execution->world;
	int rc = pager_drain(execution);

	if (rc)
		snprintf(stress->what, sizeof(stress->what), "page requests at the end: %.160s",
			 rc == -EBADMSG ? world->what : strerrorname_np(-rc));
	for (unsigned int i = 0; i < stress->engine_count; i++) {
		struct stress_requests *requests = &stress->engines[i].requests;

		stress_request_end(requests);
		if (!stress->what[0])
			memcpy(stress->what, requests->wrong, sizeof(requests->wrong));
	}
	for (unsigned int i = 0; i < world->config->devices; i++)
		stress->unexpected += endpoint_prg_unexpected(ref_endpoint(&world->target, i));
	if (stress->unexpected && !stress->what[0])
		snprintf(stress->what, sizeof(stress->what),
			 "%lu responses to page requests that nobody waited for",
			 stress->unexpected);
	stress->failed = stress->what[0];
}

int stress_run(struct stress *stress)
{
	char step[sizeof(stress->what)];
	struct stress_watch watch;
	int rc;

	if (!stress->engine_count || stress->engine_count > STRESS_ENGINES)
		return -EINVAL;
	rc = start_engines(stress);
	if (!rc)
		rc = stress_watch_start(&watch, stress, stress->patience_s ?: PATIENCE_S);
	if (!rc) {
		rc = mutate_all(stress);
		stress_watch_stop(&watch);
		stress->stuck = watch.stuck;
	}
	atomic_store(&stress->stop, true);
	collect(stress);
	if (stress->stuck) {
		snprintf(stress->what, sizeof(stress->what), "somebody waited for too long");
		stress->failed = true;
		return rc;
	}
	if (rc == -EBADMSG && !stress->violations) {
		memcpy(stress->what, stress->execution->world.what, sizeof(stress->what));
		stress->failed = true;
	} else if (rc && !stress->violations) {
		memcpy(step, stress->what, sizeof(step));
		snprintf(stress->what, sizeof(stress->what), "a call that must succeed: %.160s: %s",
			 step, strerrorname_np(-rc));
		stress->failed = true;
	}
	if (!stress->failed && stress->execution->world.config->pri)
		end_requests(stress);
	return rc;
}

void stress_explain(const struct stress *stress, unsigned int events)
{
	struct trail_actor actors[1 + STRESS_ENGINES] = {
		{ "mutator", &stress->trail, step_event, NULL },
	};

	for (unsigned int i = 0; i < stress->engine_count; i++) {
		struct trail_actor *actor = &actors[1 + i];

		snprintf(actor->name, sizeof(actor->name), "engine %hhu", (unsigned char)i);
		actor->trail = &stress->engines[i].trail;
		actor->line = stress_engine_line;
		actor->arg = &stress->engines[i];
	}
	trail_print(actors, 1 + stress->engine_count, events);
}
