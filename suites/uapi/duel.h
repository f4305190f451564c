/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pairs of calls at the same time.
 *
 * A duel is fought in rounds. A round sets up, lets two threads on two CPUs act at the same
 * moment, each after a random delay, and then settles: whatever the order was, both results must
 * be ones that some order of the two calls explains, and the state must be the one that the
 * results promise. The delays come from NIT_SEED. A duel lasts NIT_RACE_MS, so a slow kernel
 * makes fewer rounds, not a longer run. The sanitizers of a debug kernel see what results do not.
 *
 * How often each outcome occurred is printed, as evidence that the calls did meet; it depends on
 * the machine and is not checked.
 *
 * For a program that names its duels with DUEL() and includes this once.
 */
#ifndef NIT_UAPI_DUEL_H
#define NIT_UAPI_DUEL_H

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "unbind.h"
#include "vm.h"

#define DEFAULT_RACE_MS 200
#define RARE_RACE_MS 1000
#define MAX_ROUNDS 1000000
#define MIN_ROUNDS 20		/* however slow the machine */
#define MAX_DELAY_SHIFT 14	/* up to 2^14 turns of an empty loop: some calls long */
#define JITTER 64
#define MIN_STEP 16		/* of the aim, from one round to the next */
#define MAX_STEP 2048
#define MAX_LEAD (1 << 16)
#define MEETING_SPINS 20000

#define IOVA MOCK_APERTURE_START
#define BUF_PAGES 2
#define PASID 5
#define OTHER_VIRT_ID 0x20
#define EVENT_DEPTH 4
#define DEEP 64			/* events of a queue that is read for a while */

#define WON 0

/**
 * struct stream - what one reader of an event queue saw
 * @wrong: records that no report explains
 */
struct stream {
	uint32_t sequence[DEEP];
	int length;
	int wrong;
};

/**
 * struct arena - where a duel is fought
 * @vm: a VM with vIOMMU; its device is in it and attached to the nested HWPT
 * @nested2: another nested HWPT of the vIOMMU
 * @faulting: a third, with @fault
 * @temp, @temp2: devices made for one round
 * @other: another context
 * @victim, @victim_fd: the object of a round that is fought about
 * @first, @second: ids that the two calls made, with @first_fd, @second_fd
 * @entries: entry_num that the invalidation returned
 * @stream: by reader
 * @floor: the lowest id that is not the arena's own
 */
struct arena {
	struct vm vm;
	uint8_t *buf;
	uint32_t nested2, faulting, fault;
	int fault_fd;
	struct mock_device temp, temp2;
	struct iommufd other;
	uint32_t temp_vdevice;
	uint32_t victim;
	int victim_fd;
	struct iommu_viommu_selftest viommu_data;
	uint32_t first, second;
	int first_fd, second_fd;
	struct stream stream[2];
	uint32_t entries;
	uint32_t cookie;
	void *map;
	pid_t child;
	uint32_t floor;
};

#define MAX_RESULTS 8

/**
 * struct side - one of the two threads of a duel
 * @act: the call; 0 or -errno
 * @may: the results that some order of the two calls explains; ends with END
 */
struct side {
	const char *name;
	int (*act)(struct arena *arena, struct prng *prng);
	int may[6];
};

#define END 1

/**
 * struct duel - two calls at the same time
 * @prepare: before each round
 * @settle: after each round, with the two results; leaves the arena as @prepare found it
 * @releases: the second call fails while the first has not yet let go, not once it has taken hold
 * @unbinds: a call under way makes an unbind wait
 * @patience: how many times NIT_RACE_MS it lasts; 0 is once
 * @rare: takes more patience than a default run has, and would say nothing sure in one
 */
struct duel {
	const char *rule;
	void (*prepare)(struct __test_metadata *_metadata, struct arena *arena);
	struct side side[2];
	void (*settle)(struct __test_metadata *_metadata, struct arena *arena, const int *rc);
	bool releases;
	bool unbinds;
	int patience;
	bool rare;
};

/* ---- the referee ---- */

struct tally {
	int rc;
	unsigned long count;
};

/*
 * @meetings counts arrivals. Two make a meeting, where both sides go on at the same moment: one
 * before a round's calls, one after.
 */
struct ring {
	struct arena *arena;
	const struct duel *duel;
	atomic_uint meetings;
	bool over;
	bool aim;		/* this round: delays by @lead; else random ones */
	int lead;		/* turns that the first side waits longer; negative: the second */
	int step;		/* what the last round added to @lead */
	int rc[2];
	cpu_set_t cpus;
	struct prng prng[2];
	struct tally tally[2][MAX_RESULTS];
};

/* The @number-th of @cpus, around. A hint: without it the duel is fought all the same. */
static void pin_to_cpu(const cpu_set_t *cpus, int number)
{
	cpu_set_t set;
	int cpu = 0;

	if (!CPU_COUNT(cpus))
		return;
	for (number %= CPU_COUNT(cpus); number || !CPU_ISSET(cpu, cpus); cpu++)
		number -= CPU_ISSET(cpu, cpus);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void idle(uint64_t turns)
{
	while (turns--)
		__asm__ volatile("" ::: "memory");
}

/* Half of the time none, so that the other side's delay decides; short ones as often as long. */
static void random_delay(struct prng *prng)
{
	uint64_t turns = prng_below(prng, 1ULL << prng_below(prng, MAX_DELAY_SHIFT + 1));

	if (prng_below(prng, 2))
		return;
	idle(turns);
	if (!prng_below(prng, 8))
		sched_yield();
}

/* Where outcomes flip is where the calls meet: aim there, from what the last rounds showed. */
static void aimed_delay(struct ring *ring, int side)
{
	int lead = side ? -ring->lead : ring->lead;

	idle((lead > 0 ? lead : 0) + prng_below(&ring->prng[side], JITTER));
}

/* It wins some rounds and loses others, so its results tell who was first. */
static bool tells(const struct side *side)
{
	return side->may[0] == WON && side->may[1] != END;
}

static bool second_was_first(const struct ring *ring)
{
	return ring->rc[0] != WON || (ring->rc[1] != WON && ring->duel->releases);
}

static void take_aim(struct ring *ring)
{
	const struct duel *duel = ring->duel;
	int step = abs(ring->step);

	if (!tells(&duel->side[0]) && !tells(&duel->side[1]))
		return;
	/* Smaller steps while outcomes alternate, larger ones while they do not. */
	if (second_was_first(ring) == (ring->step < 0))
		step = step < MAX_STEP ? step * 2 : MAX_STEP;
	else
		step = step > MIN_STEP ? step / 2 : MIN_STEP;
	ring->step = second_was_first(ring) ? -step : step;
	ring->lead += ring->step;
	if (abs(ring->lead) > MAX_LEAD)
		ring->lead /= 2;
	ring->aim = prng_below(&ring->prng[0], 4);
}

/*
 * Spinning makes both leave at once; but only for a while, for on a busy host the other CPU may
 * not run before this one rests.
 */
static void meet(struct ring *ring)
{
	unsigned int arrived = atomic_fetch_add(&ring->meetings, 1) + 1;

	if (!(arrived % 2)) {
		syscall(SYS_futex, &ring->meetings, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		return;
	}
	for (int spins = 0; spins < MEETING_SPINS; spins++)
		if (atomic_load(&ring->meetings) != arrived)
			return;
	while (atomic_load(&ring->meetings) == arrived)
		syscall(SYS_futex, &ring->meetings, FUTEX_WAIT_PRIVATE, arrived, NULL, NULL, 0);
}

/* One side's part of a round; false when there are no more. */
static bool act(struct ring *ring, int side)
{
	meet(ring);
	if (ring->over)
		return false;
	if (ring->aim)
		aimed_delay(ring, side);
	else
		random_delay(&ring->prng[side]);
	ring->rc[side] = ring->duel->side[side].act(ring->arena, &ring->prng[side]);
	meet(ring);
	return true;
}

static void *second_side(void *data)
{
	struct ring *ring = data;

	pin_to_cpu(&ring->cpus, 1);
	while (act(ring, 1))
		;
	return NULL;
}

static bool may_be(const struct side *side, int rc)
{
	for (const int *may = side->may; *may != END; may++)
		if (*may == rc)
			return true;
	return false;
}

static void count_result(struct tally *tally, int rc)
{
	int i = 0;

	while (i < MAX_RESULTS - 1 && tally[i].count && tally[i].rc != rc)
		i++;
	tally[i].rc = rc;
	tally[i].count++;
}

static void report(struct ring *ring, unsigned int rounds)
{
	printf("# race %u rounds", rounds);
	for (int side = 0; side < 2; side++) {
		printf("; %s:", ring->duel->side[side].name);
		for (int i = 0; i < MAX_RESULTS && ring->tally[side][i].count; i++) {
			const struct tally *tally = &ring->tally[side][i];

			printf(" %s %lu", tally->rc ? errno_name(-tally->rc) : "ok",
			       tally->count);
		}
	}
	printf("\n");
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static long race_ms(void)
{
	const char *ms = getenv("NIT_RACE_MS");

	return ms && *ms ? strtol(ms, NULL, 0) : DEFAULT_RACE_MS;
}

static void fight_round(struct __test_metadata *_metadata, struct ring *ring)
{
	const struct duel *duel = ring->duel;

	if (duel->prepare)
		duel->prepare(_metadata, ring->arena);
	act(ring, 0);
	for (int side = 0; side < 2; side++) {
		count_result(ring->tally[side], ring->rc[side]);
		EXPECT_EQ(true, may_be(&duel->side[side], ring->rc[side]));
	}
	duel->settle(_metadata, ring->arena, ring->rc);
	take_aim(ring);
}

static void fight(struct __test_metadata *_metadata, struct arena *arena, const struct duel *duel)
{
	struct ring ring = { .arena = arena, .duel = duel, .step = MAX_STEP };
	unsigned int round;
	pthread_t thread;
	long end;

	prng_init(&ring.prng[0], prng_seed(), 0);
	prng_init(&ring.prng[1], prng_seed(), 1);
	CPU_ZERO(&ring.cpus);
	(void)sched_getaffinity(0, sizeof(ring.cpus), &ring.cpus);
	pin_to_cpu(&ring.cpus, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, second_side, &ring));
	end = now_ms() + race_ms() * (duel->patience ?: 1);
	for (round = 1; round < MAX_ROUNDS && _metadata->exit_code != KSFT_FAIL; round++) {
		if (round > MIN_ROUNDS && now_ms() >= end)
			break;
		fight_round(_metadata, &ring);
	}
	ring.over = true;
	act(&ring, 0);
	pthread_join(thread, NULL);
	report(&ring, round - 1);
	if (_metadata->exit_code == KSFT_FAIL)
		check_note("round %u: %s gave %d, %s gave %d; seed 0x%lx", round - 1,
			   duel->side[0].name, ring.rc[0], duel->side[1].name, ring.rc[1],
			   (unsigned long)prng_seed());
}

/* Exactly one of the two calls did its work. */
static void expect_one_winner(struct __test_metadata *_metadata, const int *rc)
{
	EXPECT_EQ(1, (rc[0] == WON) + (rc[1] == WON));
}

/* ---- the arena ---- */

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static size_t buf_size(void)
{
	return BUF_PAGES * page_size();
}

static uint32_t new_nested(struct __test_metadata *_metadata, struct arena *arena, uint32_t flags)
{
	return mock_hwpt_alloc_nested(&arena->vm.iommufd, arena->vm.dev.idev_id, arena->vm.viommu,
				      flags | IOMMU_HWPT_ALLOC_PASID, arena->fault, VM_IOTLB);
}

static void map_buf(struct __test_metadata *_metadata, struct arena *arena)
{
	ASSERT_EQ(0, __ioas_map(&arena->vm.iommufd, arena->vm.ioas, arena->buf, buf_size(), IOVA,
				IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE));
}

static bool arena_open(struct __test_metadata *_metadata, struct arena *arena)
{
	struct vm *vm = &arena->vm;

	memset(arena, 0, sizeof(*arena));
	if (!vm_open(_metadata, vm))
		return false;
	arena->buf = mmap(NULL, buf_size(), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)arena->buf);
	map_buf(_metadata, arena);
	vm_add_device(_metadata, vm, MOCK_FLAGS_DEVICE_PASID);
	vm->parent = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas,
				IOMMU_HWPT_ALLOC_NEST_PARENT);
	vm->viommu = mock_viommu_alloc(&vm->iommufd, vm->dev.idev_id, vm->parent);
	vm->vdevice = vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, VM_VIRT_ID);
	ASSERT_EQ(0, __fault_queue_alloc(&vm->iommufd, &arena->fault, &arena->fault_fd));
	vm->nested = new_nested(_metadata, arena, 0);
	arena->nested2 = new_nested(_metadata, arena, 0);
	arena->faulting = new_nested(_metadata, arena, IOMMU_HWPT_FAULT_ID_VALID);
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested);
	return true;
}

/* Everything can be destroyed: the duel left no reference behind. */
static void arena_close(struct __test_metadata *_metadata, struct arena *arena)
{
	struct vm *vm = &arena->vm;

	iommufd_destroy(&vm->iommufd, vm->dev.stdev_id);
	iommufd_destroy(&vm->iommufd, vm->nested);
	iommufd_destroy(&vm->iommufd, arena->nested2);
	iommufd_destroy(&vm->iommufd, arena->faulting);
	ASSERT_EQ(0, close(arena->fault_fd));
	iommufd_destroy(&vm->iommufd, arena->fault);
	iommufd_destroy(&vm->iommufd, vm->viommu);
	iommufd_destroy(&vm->iommufd, vm->parent);
	iommufd_destroy(&vm->iommufd, vm->ioas);
	EXPECT_EQ(0, __mock_check_refs(&vm->iommufd, arena->buf, buf_size(), 0));
	iommufd_close(&vm->iommufd);
}

FIXTURE(race)
{
	struct arena arena;
	bool ready;
};

FIXTURE_VARIANT(race)
{
	struct duel duel;
};

#define DUEL(_name, ...) FIXTURE_VARIANT_ADD(race, _name) { .duel = { __VA_ARGS__ } }

FIXTURE_SETUP(race)
{
	NEEDS_KERNEL(return, "races of the kernel");
	if (variant->duel.rare && race_ms() < RARE_RACE_MS)
		SKIP(return, "needs NIT_RACE_MS=1000 or more");
	self->ready = arena_open(_metadata, &self->arena);
	if (self->ready && variant->duel.unbinds && !unbind_is_in_time()) {
		self->ready = false;
		SKIP(return, "an unbind that waits takes a minute on this kernel");
	}
}

FIXTURE_TEARDOWN(race)
{
}

TEST_F(race, has_only_sequential_outcomes)
{
	if (!self->ready)
		return;
	RULE(variant->duel.rule);
	fight(_metadata, &self->arena, &variant->duel);
	if (_metadata->exit_code != KSFT_FAIL)
		arena_close(_metadata, &self->arena);
}

#endif /* NIT_UAPI_DUEL_H */
