// SPDX-License-Identifier: GPL-2.0-only
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
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "vm.h"

#ifndef DEFAULT_RACE_MS
#define DEFAULT_RACE_MS 200
#endif
#define RARE_RACE_MS 1000
#define MAX_ROUNDS 1000000
#define MIN_ROUNDS 20		/* however slow the machine */
#define MAX_DELAY_SHIFT 14	/* up to 2^14 turns of an empty loop: some calls long */
#define JITTER 64
#define MIN_STEP 16		/* of the aim, from one round to the next */
#define MAX_STEP 2048
#define MAX_LEAD (1 << 16)
#define MEETING_SPINS 20000
#define POLL_MS 30000		/* bounds a wait that should end at once */

#define IOVA MOCK_APERTURE_START
#define BUF_PAGES 2
#define PASID 5
#define OTHER_VIRT_ID 0x20
#define EVENT_DEPTH 4
#define MANY_PINS 32
#define BURST 8			/* events in a burst: more than the queue holds */
#define DEEP 64			/* events of a queue that is read for a while */

#define WON 0
#define EMPTY (-EAGAIN)		/* our name for a read that found nothing */

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

/* ---- invalidation against everything that moves a device ---- */

static void prepare_temp(struct __test_metadata *_metadata, struct arena *arena)
{
	struct vm *vm = &arena->vm;

	arena->temp = mock_device_create(&vm->iommufd, vm->ioas, MOCK_FLAGS_DEVICE_PASID);
	arena->temp_vdevice = vdevice_alloc(&vm->iommufd, vm->viommu, arena->temp.idev_id,
					    OTHER_VIRT_ID);
	arena->victim = new_nested(_metadata, arena, 0);
}

static void prepare_attached(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_temp(_metadata, arena);
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->victim);
}

static void prepare_pasid(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_temp(_metadata, arena);
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->nested2);
}

static void prepare_pasid_attached(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_pasid(_metadata, arena);
	ASSERT_EQ(0, __mock_pasid_attach(&arena->vm.iommufd, arena->temp.stdev_id, PASID,
					 arena->victim));
}

/* The same with a device that stays: its caches do not matter to a nested HWPT. */
static void prepare_dev_pasid(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->temp = arena->vm.dev;
	arena->victim = new_nested(_metadata, arena, 0);
}

static void prepare_dev(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_dev_pasid(_metadata, arena);
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->vm.ioas);
}

static void prepare_dev_attached(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_dev_pasid(_metadata, arena);
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->victim);
}

static void prepare_dev_pasid_attached(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_dev_pasid(_metadata, arena);
	ASSERT_EQ(0, __mock_pasid_attach(&arena->vm.iommufd, arena->temp.stdev_id, PASID,
					 arena->victim));
}

static int invalidate_nested(struct arena *arena, struct prng *prng)
{
	struct iommu_hwpt_invalidate_selftest entries[] = { { .iotlb_id = 0 }, { .iotlb_id = 1 } };

	arena->entries = ARRAY_SIZE(entries);
	return __hwpt_invalidate(&arena->vm.iommufd, arena->victim,
				 IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, entries, sizeof(entries[0]),
				 &arena->entries);
}

static int invalidate_viommu(struct arena *arena, struct prng *prng)
{
	struct iommu_viommu_invalidate_selftest entries[] = {
		{ .vdev_id = OTHER_VIRT_ID, .cache_id = 0 },
		{ .vdev_id = OTHER_VIRT_ID, .cache_id = 1 },
	};

	arena->entries = ARRAY_SIZE(entries);
	return __hwpt_invalidate(&arena->vm.iommufd, arena->vm.viommu,
				 IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, entries,
				 sizeof(entries[0]), &arena->entries);
}

static int attach(struct arena *arena, struct prng *prng)
{
	return __mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->victim);
}

static int replace(struct arena *arena, struct prng *prng)
{
	return __mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->nested2);
}

static int detach(struct arena *arena, struct prng *prng)
{
	return __mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->vm.ioas);
}

static int pasid_attach(struct arena *arena, struct prng *prng)
{
	return __mock_pasid_attach(&arena->vm.iommufd, arena->temp.stdev_id, PASID,
				   arena->victim);
}

static int pasid_replace(struct arena *arena, struct prng *prng)
{
	return __mock_pasid_replace(&arena->vm.iommufd, arena->temp.stdev_id, PASID,
				    arena->nested2);
}

static int pasid_detach(struct arena *arena, struct prng *prng)
{
	return __mock_pasid_detach(&arena->vm.iommufd, arena->temp.stdev_id, PASID);
}

static int unbind(struct arena *arena, struct prng *prng)
{
	return __iommufd_destroy(&arena->vm.iommufd, arena->temp.stdev_id);
}

static int destroy_victim(struct arena *arena, struct prng *prng)
{
	return __iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

/* entry_num is honest: words 0 to entry_num - 1 of the IOTLB are invalid, the others not. */
static void check_iotlb(struct __test_metadata *_metadata, struct arena *arena)
{
	for (uint32_t i = 0; i < MOCK_NESTED_DOMAIN_IOTLB_NUM; i++) {
		EXPECT_EQ(0, __mock_check_iotlb(&arena->vm.iommufd, arena->victim, i,
						i < arena->entries ? 0 : VM_IOTLB));
	}
}

static void check_cache(struct __test_metadata *_metadata, struct arena *arena)
{
	for (uint32_t i = 0; i < MOCK_DEV_CACHE_NUM; i++) {
		EXPECT_EQ(0, __mock_check_cache(&arena->vm.iommufd, arena->temp.idev_id, i,
						i < arena->entries ?
						0 : IOMMU_TEST_DEV_CACHE_DEFAULT));
	}
}

static void expect_entries(struct __test_metadata *_metadata, struct arena *arena, int rc)
{
	if (rc) {
		EXPECT_GT(2, arena->entries);
	} else {
		EXPECT_EQ(2, arena->entries);
	}
}

static void settle_nested(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	expect_entries(_metadata, arena, rc[0]);
	check_iotlb(_metadata, arena);
	ASSERT_EQ(0, __mock_pasid_detach(&arena->vm.iommufd, arena->temp.stdev_id, PASID));
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->vm.nested);
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

static void settle_viommu(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	expect_entries(_metadata, arena, rc[0]);
	check_cache(_metadata, arena);
	/* Unbinding detaches the RID only; detaching what is not attached is allowed. */
	ASSERT_EQ(0, __mock_pasid_detach(&arena->vm.iommufd, arena->temp.stdev_id, PASID));
	iommufd_destroy(&arena->vm.iommufd, arena->temp.stdev_id);
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

/* The device is gone, its caches with it; only the count is left to check. */
static void settle_unbound(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	expect_entries(_metadata, arena, rc[0]);
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&arena->vm.iommufd, arena->temp.idev_id));
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

static void settle_nested_unbound(struct __test_metadata *_metadata, struct arena *arena,
				  const int *rc)
{
	check_iotlb(_metadata, arena);
	settle_unbound(_metadata, arena, rc);
}

static void prepare_victim(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->victim = new_nested(_metadata, arena, 0);
}

static void settle_nested_destroyed(struct __test_metadata *_metadata, struct arena *arena,
				    const int *rc)
{
	EXPECT_EQ(rc[0] ? 0 : 2, arena->entries);
	if (!rc[1])
		return;
	/* Busy means that the invalidation was in it, and it has happened. */
	EXPECT_EQ(0, rc[0]);
	check_iotlb(_metadata, arena);
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

static void prepare_viommu(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->victim = mock_viommu_alloc(&arena->vm.iommufd, arena->vm.dev.idev_id,
					  arena->vm.parent);
}

/* The probing form: a vIOMMU without devices has nothing to invalidate. */
static int probe_victim(struct arena *arena, struct prng *prng)
{
	arena->entries = 0;
	return __hwpt_invalidate(&arena->vm.iommufd, arena->victim,
				 IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, NULL, 0, &arena->entries);
}

static void settle_viommu_destroyed(struct __test_metadata *_metadata, struct arena *arena,
				    const int *rc)
{
	EXPECT_EQ(0, arena->entries);
	if (!rc[1])
		return;
	EXPECT_EQ(0, rc[0]);
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

/* ---- vDEVICEs ---- */

static void prepare_bare(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->temp = mock_device_create(&arena->vm.iommufd, arena->vm.ioas, 0);
}

static void prepare_vdevice(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_bare(_metadata, arena);
	arena->temp_vdevice = vdevice_alloc(&arena->vm.iommufd, arena->vm.viommu,
					    arena->temp.idev_id, OTHER_VIRT_ID);
}

static int vdevice_destroy(struct arena *arena, struct prng *prng)
{
	return __iommufd_destroy(&arena->vm.iommufd, arena->temp_vdevice);
}

static int vdevice_alloc_first(struct arena *arena, struct prng *prng)
{
	arena->first = 0;
	return __vdevice_alloc(&arena->vm.iommufd, arena->vm.viommu, arena->temp.idev_id,
			       OTHER_VIRT_ID, &arena->first);
}

static int vdevice_alloc_same_device(struct arena *arena, struct prng *prng)
{
	arena->second = 0;
	return __vdevice_alloc(&arena->vm.iommufd, arena->vm.viommu, arena->temp.idev_id,
			       OTHER_VIRT_ID + 1, &arena->second);
}

static int vdevice_alloc_same_virt_id(struct arena *arena, struct prng *prng)
{
	arena->second = 0;
	return __vdevice_alloc(&arena->vm.iommufd, arena->vm.viommu, arena->temp2.idev_id,
			       OTHER_VIRT_ID, &arena->second);
}

static void settle_cache(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	expect_entries(_metadata, arena, rc[0]);
	check_cache(_metadata, arena);
	iommufd_destroy(&arena->vm.iommufd, arena->temp.stdev_id);
}

/* Destroyed by its user or with its device: either way the id and the virtual id are free. */
static void settle_vdevice_gone(struct __test_metadata *_metadata, struct arena *arena,
				const int *rc)
{
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&arena->vm.iommufd, arena->temp_vdevice));
}

static void settle_vdevice_alloc_unbind(struct __test_metadata *_metadata, struct arena *arena,
					const int *rc)
{
	if (!rc[0]) {
		EXPECT_EQ(-ENOENT, __iommufd_destroy(&arena->vm.iommufd, arena->first));
	}
}

static void prepare_two_bare(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_bare(_metadata, arena);
	arena->temp2 = mock_device_create(&arena->vm.iommufd, arena->vm.ioas, 0);
}

static void destroy_winner(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	expect_one_winner(_metadata, rc);
	iommufd_destroy(&arena->vm.iommufd, rc[0] ? arena->second : arena->first);
}

static void settle_same_device(struct __test_metadata *_metadata, struct arena *arena,
			       const int *rc)
{
	destroy_winner(_metadata, arena, rc);
	iommufd_destroy(&arena->vm.iommufd, arena->temp.stdev_id);
}

static void settle_same_virt_id(struct __test_metadata *_metadata, struct arena *arena,
				const int *rc)
{
	settle_same_device(_metadata, arena, rc);
	iommufd_destroy(&arena->vm.iommufd, arena->temp2.stdev_id);
}

static void settle_destroyed_twice(struct __test_metadata *_metadata, struct arena *arena,
				   const int *rc)
{
	expect_one_winner(_metadata, rc);
	iommufd_destroy(&arena->vm.iommufd, arena->temp.stdev_id);
}

static void settle_attach(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	iommufd_destroy(&arena->vm.iommufd, arena->temp.stdev_id);
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

/* ---- virtual events ---- */

static void prepare_queue_of(struct __test_metadata *_metadata, struct arena *arena,
			     uint32_t depth)
{
	ASSERT_EQ(0, __veventq_alloc(&arena->vm.iommufd, arena->vm.viommu,
				     IOMMU_VEVENTQ_TYPE_SELFTEST, depth, &arena->victim,
				     &arena->victim_fd));
	memset(arena->stream, 0, sizeof(arena->stream));
}

static void prepare_events(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_queue_of(_metadata, arena, EVENT_DEPTH);
}

static int report_event(struct arena *arena, struct prng *prng)
{
	return __mock_trigger_vevent(&arena->vm.iommufd, arena->vm.dev.idev_id);
}

static int report_burst(struct arena *arena, struct prng *prng)
{
	int rc = 0;

	for (int i = 0; i < BURST && !rc; i++) {
		random_delay(prng);
		rc = report_event(arena, prng);
	}
	return rc;
}

/* Read once and note the sequence numbers. Returns 0, EMPTY or -errno. */
static int read_events(struct arena *arena, struct stream *stream)
{
	struct iommufd_vevent_header header;
	struct iommu_viommu_event_selftest event;
	char buf[sizeof(header) + sizeof(event)];
	ssize_t len = read(arena->victim_fd, buf, sizeof(buf));
	ssize_t at = 0;

	if (len <= 0)
		return len ? -errno : EMPTY;
	while (at < len && stream->length < DEEP) {
		memcpy(&header, buf + at, sizeof(header));
		at += sizeof(header);
		stream->sequence[stream->length++] = header.sequence;
		if (header.flags & IOMMU_VEVENTQ_FLAG_LOST_EVENTS)
			continue;
		memcpy(&event, buf + at, sizeof(event));
		at += sizeof(event);
		stream->wrong += event.virt_id != VM_VIRT_ID;
	}
	stream->wrong += at != len;
	return 0;
}

static int read_many(struct arena *arena, struct stream *stream, struct prng *prng)
{
	int rc = 0;

	for (int i = 0; i < BURST && (!rc || rc == EMPTY); i++) {
		random_delay(prng);
		rc = read_events(arena, stream);
	}
	return rc == EMPTY ? 0 : rc;
}

static int read_first(struct arena *arena, struct prng *prng)
{
	return read_many(arena, &arena->stream[0], prng);
}

static int read_second(struct arena *arena, struct prng *prng)
{
	return read_many(arena, &arena->stream[1], prng);
}

static void check_stream(struct __test_metadata *_metadata, const struct stream *stream)
{
	EXPECT_EQ(0, stream->wrong);
	for (int i = 1; i < stream->length; i++) {
		EXPECT_LT(stream->sequence[i - 1], stream->sequence[i]);
	}
}

static void close_events(struct __test_metadata *_metadata, struct arena *arena)
{
	ASSERT_EQ(0, close(arena->victim_fd));
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

/* Nothing is lost without a word: the last record, an event or a loss, is the last report. */
static void settle_overflow(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	struct stream *stream = &arena->stream[1];

	while (!read_events(arena, stream))
		;
	check_stream(_metadata, stream);
	ASSERT_LT(0, stream->length);
	EXPECT_EQ(BURST - 1, stream->sequence[stream->length - 1]);
	close_events(_metadata, arena);
}

static void prepare_full_queue(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_events(_metadata, arena);
	for (int i = 0; i < EVENT_DEPTH; i++) {
		ASSERT_EQ(0, report_event(arena, NULL));
	}
}

static void prepare_deep_queue(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_queue_of(_metadata, arena, DEEP);
	for (int i = 0; i < DEEP; i++) {
		ASSERT_EQ(0, report_event(arena, NULL));
	}
}

/* Empty may only be for now: an event that does not fit is out of the queue for a moment. */
static int read_all(struct arena *arena, struct stream *stream)
{
	int rc = 0;

	for (int empty = 0; empty < 8 && (!rc || rc == EMPTY); empty += rc == EMPTY)
		rc = read_events(arena, stream);
	return rc == EMPTY ? 0 : rc;
}

static int read_all_first(struct arena *arena, struct prng *prng)
{
	return read_all(arena, &arena->stream[0]);
}

static int read_all_second(struct arena *arena, struct prng *prng)
{
	return read_all(arena, &arena->stream[1]);
}

/* Each event goes to one reader. */
static void settle_two_readers(struct __test_metadata *_metadata, struct arena *arena,
			       const int *rc)
{
	uint64_t seen = 0;

	while (!read_events(arena, &arena->stream[0]))
		;
	for (int reader = 0; reader < 2; reader++) {
		EXPECT_EQ(0, arena->stream[reader].wrong);
		for (int i = 0; i < arena->stream[reader].length; i++) {
			EXPECT_EQ(0, seen & (1ULL << arena->stream[reader].sequence[i]));
			seen |= 1ULL << arena->stream[reader].sequence[i];
		}
	}
	EXPECT_EQ(UINT64_MAX, seen);
	close_events(_metadata, arena);
}

/* And what one reader gets is in order. */
static void settle_readers_in_order(struct __test_metadata *_metadata, struct arena *arena,
				    const int *rc)
{
	check_stream(_metadata, &arena->stream[0]);
	check_stream(_metadata, &arena->stream[1]);
	close_events(_metadata, arena);
}

static void settle_events(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	close_events(_metadata, arena);
}

static void prepare_events_closed(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_events(_metadata, arena);
	ASSERT_EQ(0, close(arena->victim_fd));
}

static void settle_nothing(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
}

static int close_victim(struct arena *arena, struct prng *prng)
{
	return close(arena->victim_fd) ? -errno : 0;
}

static int close_and_destroy_victim(struct arena *arena, struct prng *prng)
{
	close(arena->victim_fd);
	random_delay(prng);
	return destroy_victim(arena, prng);
}

/* Whoever was still in it is out by now. */
static void settle_busy(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	if (rc[1]) {
		iommufd_destroy(&arena->vm.iommufd, arena->victim);
	}
}

static int poll_victim(struct arena *arena, int timeout)
{
	struct pollfd poll_fd = { .fd = arena->victim_fd, .events = POLLIN };
	int rc = poll(&poll_fd, 1, timeout);

	if (rc < 0)
		return -errno;
	if (poll_fd.revents & POLLNVAL)
		return -EBADF;
	return poll_fd.revents & POLLIN ? 0 : EMPTY;
}

static int poll_for_event(struct arena *arena, struct prng *prng)
{
	return poll_victim(arena, POLL_MS);
}

static int poll_shortly(struct arena *arena, struct prng *prng)
{
	return poll_victim(arena, 1);
}

static int veventq_alloc_first(struct arena *arena, struct prng *prng)
{
	return __veventq_alloc(&arena->vm.iommufd, arena->vm.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST,
			       EVENT_DEPTH, &arena->first, &arena->first_fd);
}

static int veventq_alloc_second(struct arena *arena, struct prng *prng)
{
	return __veventq_alloc(&arena->vm.iommufd, arena->vm.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST,
			       EVENT_DEPTH, &arena->second, &arena->second_fd);
}

static void settle_veventq_alloc(struct __test_metadata *_metadata, struct arena *arena,
				 const int *rc)
{
	ASSERT_EQ(0, close(rc[0] ? arena->second_fd : arena->first_fd));
	destroy_winner(_metadata, arena, rc);
}

/* ---- page faults ---- */

static int trigger_fault(struct arena *arena, struct prng *prng)
{
	return __mock_trigger_fault(&arena->vm.iommufd, arena->temp.idev_id, 0, 1,
				    IOMMU_PGFAULT_PERM_READ, 0x1000);
}

static int read_fault(struct arena *arena, struct prng *prng)
{
	struct iommu_hwpt_pgfault fault;
	ssize_t len = read(arena->fault_fd, &fault, sizeof(fault));

	if (len < 0)
		return -errno;
	if (!len)
		return EMPTY;
	arena->cookie = fault.cookie;
	return 0;
}

static int respond(struct arena *arena, struct prng *prng)
{
	struct iommu_hwpt_page_response response = {
		.cookie = arena->cookie,
		.code = IOMMUFD_PAGE_RESP_SUCCESS,
	};
	ssize_t len = write(arena->fault_fd, &response, sizeof(response));

	return len < 0 ? -errno : 0;
}

/* The device of the fault duels is vm.dev, unless it must go; @temp is whoever it is. */
static void prepare_faulting(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->temp = arena->vm.dev;
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->faulting);
}

static void prepare_fault(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_faulting(_metadata, arena);
	ASSERT_EQ(0, trigger_fault(arena, NULL));
}

static void prepare_fault_read(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_fault(_metadata, arena);
	ASSERT_EQ(0, read_fault(arena, NULL));
}

static void prepare_pasid_fault_read(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->temp = arena->vm.dev;
	ASSERT_EQ(0, __mock_pasid_attach(&arena->vm.iommufd, arena->temp.stdev_id, PASID,
					 arena->faulting));
	ASSERT_EQ(0, __mock_trigger_fault(&arena->vm.iommufd, arena->temp.idev_id, PASID, 1,
					  IOMMU_PGFAULT_PERM_READ, 0x1000));
	ASSERT_EQ(0, read_fault(arena, NULL));
}

static void prepare_fault_of_temp(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_vdevice(_metadata, arena);
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->faulting);
	ASSERT_EQ(0, trigger_fault(arena, NULL));
	ASSERT_EQ(0, read_fault(arena, NULL));
}

/* The fault was answered once, by us or by detaching, and none is left. */
static void settle_fault_of_temp(struct __test_metadata *_metadata, struct arena *arena,
				 const int *rc)
{
	EXPECT_EQ(EMPTY, read_fault(arena, NULL));
	EXPECT_EQ(-EINVAL, respond(arena, NULL));
}

static void settle_fault(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	settle_fault_of_temp(_metadata, arena, rc);
	mock_device_replace(&arena->vm.iommufd, arena->vm.dev.stdev_id, arena->vm.nested);
}

static void settle_pasid_fault(struct __test_metadata *_metadata, struct arena *arena,
			       const int *rc)
{
	settle_fault_of_temp(_metadata, arena, rc);
	ASSERT_EQ(0, pasid_detach(arena, NULL));
}

static void settle_one_response(struct __test_metadata *_metadata, struct arena *arena,
				const int *rc)
{
	expect_one_winner(_metadata, rc);
	settle_fault(_metadata, arena, rc);
}

static void prepare_fault_queue(struct __test_metadata *_metadata, struct arena *arena)
{
	ASSERT_EQ(0, __fault_queue_alloc(&arena->vm.iommufd, &arena->victim, &arena->victim_fd));
}

static void prepare_fault_queue_closed(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_fault_queue(_metadata, arena);
	ASSERT_EQ(0, close(arena->victim_fd));
}

static int alloc_with_fault(struct arena *arena, struct prng *prng)
{
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };

	return __hwpt_alloc_data(&arena->vm.iommufd, arena->vm.dev.idev_id, arena->vm.viommu,
				 IOMMU_HWPT_FAULT_ID_VALID, arena->victim,
				 IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data), &arena->first);
}

static void settle_alloc_with_fault(struct __test_metadata *_metadata, struct arena *arena,
				    const int *rc)
{
	expect_one_winner(_metadata, rc);
	if (rc[0])
		return;
	iommufd_destroy(&arena->vm.iommufd, arena->first);
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

/* ---- mappings of a vIOMMU ---- */

static void prepare_mappable(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->viommu_data.in_data = 0x1234;
	ASSERT_EQ(0, __viommu_alloc(&arena->vm.iommufd, arena->vm.dev.idev_id, arena->vm.parent,
				    IOMMU_VIOMMU_TYPE_SELFTEST, &arena->viommu_data,
				    sizeof(arena->viommu_data), &arena->victim));
	arena->map = MAP_FAILED;
}

static int map_victim(struct arena *arena, struct prng *prng)
{
	return __iommufd_mmap(&arena->vm.iommufd, arena->viommu_data.out_mmap_length,
			      arena->viommu_data.out_mmap_offset, &arena->map);
}

static int unmap_victim(struct arena *arena, struct prng *prng)
{
	return munmap(arena->map, arena->viommu_data.out_mmap_length) ? -errno : 0;
}

static void prepare_mapped(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_mappable(_metadata, arena);
	ASSERT_EQ(0, map_victim(arena, NULL));
}

/* A mapping never outlives its object, and an object that is mapped is not destroyed. */
static void settle_mapped(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	expect_one_winner(_metadata, rc);
	if (rc[0])
		return;
	EXPECT_EQ(0x1234, *(uint32_t *)arena->map);
	ASSERT_EQ(0, unmap_victim(arena, NULL));
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

static int fork_with_mapping(struct arena *arena, struct prng *prng)
{
	pid_t pid = fork();

	if (!pid) {
		random_delay(prng);
		_exit(0);
	}
	arena->child = pid;
	return pid < 0 ? -errno : 0;
}

static int unmap_and_destroy_victim(struct arena *arena, struct prng *prng)
{
	int rc = unmap_victim(arena, prng);

	return rc ?: destroy_victim(arena, prng);
}

static void settle_forked(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	ASSERT_EQ(arena->child, waitpid(arena->child, NULL, 0));
	settle_busy(_metadata, arena, rc);
}

/* ---- hardware queues ---- */

static int hw_queue_alloc(struct arena *arena, uint32_t viommu, uint32_t index, uint32_t *id)
{
	return __hw_queue_alloc(&arena->vm.iommufd, viommu, IOMMU_HW_QUEUE_TYPE_SELFTEST, index,
				IOVA, page_size(), id);
}

static int hw_queue_alloc_first(struct arena *arena, struct prng *prng)
{
	return hw_queue_alloc(arena, arena->vm.viommu, 0, &arena->first);
}

static int hw_queue_alloc_same(struct arena *arena, struct prng *prng)
{
	return hw_queue_alloc(arena, arena->vm.viommu, 0, &arena->second);
}

static int hw_queue_alloc_next(struct arena *arena, struct prng *prng)
{
	return hw_queue_alloc(arena, arena->second, 1, &arena->first);
}

static int unmap_buf(struct arena *arena, struct prng *prng)
{
	return __ioas_unmap(&arena->vm.iommufd, arena->vm.ioas, IOVA, buf_size(), NULL);
}

/* Memory that a queue uses is not unmapped, and a queue has memory. */
static void settle_queue_memory(struct __test_metadata *_metadata, struct arena *arena,
				const int *rc)
{
	expect_one_winner(_metadata, rc);
	if (rc[0]) {
		map_buf(_metadata, arena);
	} else {
		iommufd_destroy(&arena->vm.iommufd, arena->first);
	}
}

static void prepare_queue(struct __test_metadata *_metadata, struct arena *arena)
{
	ASSERT_EQ(0, hw_queue_alloc(arena, arena->vm.viommu, 0, &arena->victim));
}

static void settle_queue_gone(struct __test_metadata *_metadata, struct arena *arena,
			      const int *rc)
{
	if (rc[1]) {
		ASSERT_EQ(0, unmap_buf(arena, NULL));
	}
	map_buf(_metadata, arena);
}

/* ---- in-kernel users, and the page table that an IOAS makes by itself ---- */

/* An access that holds the memory so often that taking it back takes a while; and another one */
static void prepare_access(struct __test_metadata *_metadata, struct arena *arena)
{
	struct iommufd *iommufd = &arena->vm.iommufd;

	ASSERT_EQ(0, __access_create(iommufd, arena->vm.ioas, TAKES_PINS, &arena->victim_fd));
	ASSERT_EQ(0, __access_create(iommufd, arena->vm.ioas, TAKES_PINS, &arena->second_fd));
	for (int i = 0; i < MANY_PINS; i++)
		ASSERT_EQ(0, __access_pin(iommufd, arena->victim_fd, IOVA, buf_size(), arena->buf,
					  0, &arena->first));
}

static int access_pin(struct arena *arena, struct prng *prng)
{
	return __access_pin(&arena->vm.iommufd, arena->second_fd, IOVA, buf_size(), arena->buf, 0,
			    &arena->cookie);
}

static int access_read(struct arena *arena, struct prng *prng)
{
	uint8_t byte;

	return __access_rw(&arena->vm.iommufd, arena->victim_fd, IOVA, &byte, 1, 0);
}

static void settle_access_unmapped(struct __test_metadata *_metadata, struct arena *arena,
				   const int *rc)
{
	struct iommufd *iommufd = &arena->vm.iommufd;

	EXPECT_EQ(0, __mock_check_refs(iommufd, arena->buf, buf_size(), 0));
	EXPECT_EQ(-ENOENT, __access_unpin(iommufd, arena->victim_fd, arena->first));
	ASSERT_EQ(0, close(arena->second_fd));
	ASSERT_EQ(0, close(arena->victim_fd));
	map_buf(_metadata, arena);
}

static void prepare_access_and_two(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_access(_metadata, arena);
	ASSERT_EQ(0, close(arena->second_fd));
	arena->second_fd = dup(arena->victim_fd);
	arena->first = ioas_alloc(&arena->vm.iommufd);
	arena->second = ioas_alloc(&arena->vm.iommufd);
}

static int access_to_first(struct arena *arena, struct prng *prng)
{
	return __access_replace(&arena->vm.iommufd, arena->victim_fd, arena->first);
}

static int access_to_second(struct arena *arena, struct prng *prng)
{
	return __access_replace(&arena->vm.iommufd, arena->victim_fd, arena->second);
}

/* It uses one of the two, which the close lets go. */
static void settle_access_replaced(struct __test_metadata *_metadata, struct arena *arena,
				   const int *rc)
{
	struct iommufd *iommufd = &arena->vm.iommufd;
	bool first_gone = !__iommufd_destroy(iommufd, arena->first);
	bool second_gone = !__iommufd_destroy(iommufd, arena->second);

	EXPECT_EQ(true, rc[0] == WON || rc[1] == WON);
	EXPECT_EQ(1, first_gone + second_gone);
	EXPECT_EQ(0, __mock_check_refs(iommufd, arena->buf, buf_size(), 1));
	ASSERT_EQ(0, close(arena->second_fd));
	ASSERT_EQ(0, close(arena->victim_fd));
	iommufd_destroy(iommufd, first_gone ? arena->second : arena->first);
}

/* An IOAS whose own page table has one device only */
static void prepare_own_table(struct __test_metadata *_metadata, struct arena *arena)
{
	struct iommufd *iommufd = &arena->vm.iommufd;

	arena->victim = ioas_alloc(iommufd);
	ASSERT_EQ(0, __ioas_map(iommufd, arena->victim, arena->buf, buf_size(), IOVA,
				IOMMU_IOAS_MAP_READABLE));
	arena->temp = mock_device_create(iommufd, arena->victim, 0);
}

/* EMPTY: it found no table to share, and made one. */
static int attach_to_ioas(struct arena *arena, struct prng *prng)
{
	int rc = __mock_device_create(&arena->vm.iommufd, arena->victim, 0, &arena->temp2);

	return rc ?: arena->temp2.hwpt_id == arena->temp.hwpt_id ? WON : EMPTY;
}

static void settle_own_table(struct __test_metadata *_metadata, struct arena *arena,
			     const int *rc)
{
	struct iommufd *iommufd = &arena->vm.iommufd;

	EXPECT_EQ(0, __mock_check_map(iommufd, arena->temp2.hwpt_id, IOVA, buf_size(),
				      arena->buf));
	iommufd_destroy(iommufd, arena->temp2.stdev_id);
	EXPECT_EQ(-ENOENT, __iommufd_destroy(iommufd, arena->temp2.hwpt_id));
	iommufd_destroy(iommufd, arena->victim);
}

/* A vIOMMU of its own: the mock forgets to free index 1, selftest.c:mock_hw_queue_destroy(). */
static void prepare_queue_chain(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->second = mock_viommu_alloc(&arena->vm.iommufd, arena->vm.dev.idev_id,
					  arena->vm.parent);
	ASSERT_EQ(0, hw_queue_alloc(arena, arena->second, 0, &arena->victim));
}

/* A queue exists as long as the next one depends on it. */
static void settle_queue_chain(struct __test_metadata *_metadata, struct arena *arena,
			       const int *rc)
{
	expect_one_winner(_metadata, rc);
	if (!rc[0]) {
		iommufd_destroy(&arena->vm.iommufd, arena->first);
		iommufd_destroy(&arena->vm.iommufd, arena->victim);
	}
	iommufd_destroy(&arena->vm.iommufd, arena->second);
}

/* ---- making something in an object that is being destroyed ---- */

static void prepare_parent(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->victim = hwpt_alloc(&arena->vm.iommufd, arena->vm.dev.idev_id, arena->vm.ioas,
				   IOMMU_HWPT_ALLOC_NEST_PARENT);
}

static void prepare_viommu_and_bare(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_viommu(_metadata, arena);
	prepare_bare(_metadata, arena);
}

static int nested_alloc_in_victim(struct arena *arena, struct prng *prng)
{
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };

	return __hwpt_alloc_data(&arena->vm.iommufd, arena->vm.dev.idev_id, arena->victim, 0, 0,
				 IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data), &arena->first);
}

static int viommu_alloc_in_victim(struct arena *arena, struct prng *prng)
{
	return __viommu_alloc(&arena->vm.iommufd, arena->vm.dev.idev_id, arena->victim,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &arena->first);
}

static int vdevice_alloc_in_victim(struct arena *arena, struct prng *prng)
{
	return __vdevice_alloc(&arena->vm.iommufd, arena->victim, arena->temp.idev_id,
			       OTHER_VIRT_ID, &arena->first);
}

static int veventq_alloc_in_victim(struct arena *arena, struct prng *prng)
{
	return __veventq_alloc(&arena->vm.iommufd, arena->victim, IOMMU_VEVENTQ_TYPE_SELFTEST,
			       EVENT_DEPTH, &arena->first, &arena->first_fd);
}

static int hw_queue_alloc_in_victim(struct arena *arena, struct prng *prng)
{
	return hw_queue_alloc(arena, arena->victim, 0, &arena->first);
}

/* It was made and what it is in stays, or that went and it was not made. */
static void settle_child(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	expect_one_winner(_metadata, rc);
	if (rc[0])
		return;
	iommufd_destroy(&arena->vm.iommufd, arena->first);
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

static void settle_child_and_bare(struct __test_metadata *_metadata, struct arena *arena,
				  const int *rc)
{
	settle_child(_metadata, arena, rc);
	iommufd_destroy(&arena->vm.iommufd, arena->temp.stdev_id);
}

static void settle_veventq_child(struct __test_metadata *_metadata, struct arena *arena,
				 const int *rc)
{
	if (!rc[0])
		close(arena->first_fd);
	settle_child(_metadata, arena, rc);
}

static void prepare_attach_victim(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_victim(_metadata, arena);
	arena->temp = arena->vm.dev;
}

static void settle_attach_victim(struct __test_metadata *_metadata, struct arena *arena,
				 const int *rc)
{
	expect_one_winner(_metadata, rc);
	if (rc[0])
		return;
	mock_device_replace(&arena->vm.iommufd, arena->vm.dev.stdev_id, arena->vm.nested);
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

/* ---- the context ---- */

static void prepare_other(struct __test_metadata *_metadata, struct arena *arena)
{
	ASSERT_EQ(0, __iommufd_open(&arena->other));
}

static int other_ioas_alloc(struct arena *arena, struct prng *prng)
{
	return __ioas_alloc(&arena->other, &arena->first);
}

/* Not iommufd_close(): the other side reads the number that it would clear. */
static int other_close(struct arena *arena, struct prng *prng)
{
	return close(arena->other.fd) ? -errno : 0;
}

static void prepare_other_nested(struct __test_metadata *_metadata, struct arena *arena)
{
	uint32_t parent, ioas;

	prepare_other(_metadata, arena);
	ioas = ioas_alloc(&arena->other);
	arena->temp = mock_device_create(&arena->other, ioas, 0);
	parent = hwpt_alloc(&arena->other, arena->temp.idev_id, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT);
	arena->victim = mock_hwpt_alloc_nested(&arena->other, arena->temp.idev_id, parent, 0, 0,
					       VM_IOTLB);
	mock_device_replace(&arena->other, arena->temp.stdev_id, arena->victim);
}

static int other_invalidate(struct arena *arena, struct prng *prng)
{
	struct iommu_hwpt_invalidate_selftest entry = { .flags = IOMMU_TEST_INVALIDATE_FLAG_ALL };
	uint32_t entries = 1;

	return __hwpt_invalidate(&arena->other, arena->victim,
				 IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, &entry, sizeof(entry),
				 &entries);
}

#define GUESSES 8		/* ids that the two sides fight over */
#define GUESS_CALLS 6		/* calls of each side a round */

static void prepare_guess(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_bare(_metadata, arena);
	arena->first = ioas_alloc(&arena->vm.iommufd);
	iommufd_destroy(&arena->vm.iommufd, arena->first);
	if (!arena->floor)
		arena->floor = arena->first;
}

/* One random call on an id that the other side may be making or destroying. */
static int guess_once(struct arena *arena, struct prng *prng)
{
	struct iommufd *iommufd = &arena->vm.iommufd;
	uint32_t guess = arena->floor + prng_below(prng, GUESSES);
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };
	uint32_t dev = arena->vm.dev.idev_id, id, none = 0;

	switch (prng_below(prng, 8)) {
	case 0:
		return __hwpt_alloc(iommufd, dev, arena->vm.ioas, IOMMU_HWPT_ALLOC_NEST_PARENT,
				    &id);
	case 1:
		return __hwpt_alloc_data(iommufd, dev, guess, 0, 0, IOMMU_HWPT_DATA_SELFTEST,
					 &data, sizeof(data), &id);
	case 2:
		return __viommu_alloc(iommufd, dev, guess, IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
				      &id);
	case 3:
		return __vdevice_alloc(iommufd, guess, arena->temp.idev_id, OTHER_VIRT_ID, &id);
	case 4:
		return __hwpt_invalidate(iommufd, guess, IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
					 NULL, 0, &none);
	default:
		return __iommufd_destroy(iommufd, guess);
	}
}

static int guess_calls(struct arena *arena, struct prng *prng)
{
	int rc;

	for (int i = 0; i < GUESS_CALLS; i++) {
		random_delay(prng);
		rc = guess_once(arena, prng);
		if (rc && rc != -ENOENT && rc != -EINVAL && rc != -EBUSY && rc != -EEXIST)
			return rc;
	}
	return 0;
}

/* Leaves first; four passes are the deepest: vDEVICE or nested HWPT, vIOMMU, parent. */
static void settle_guess(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	uint32_t last = arena->floor + 2 * GUESS_CALLS;

	iommufd_destroy(&arena->vm.iommufd, arena->temp.stdev_id);
	for (int pass = 0; pass < 4; pass++)
		for (uint32_t id = arena->floor; id <= last; id++)
			__iommufd_destroy(&arena->vm.iommufd, id);
	for (uint32_t id = arena->floor; id <= last; id++) {
		EXPECT_EQ(-ENOENT, __iommufd_destroy(&arena->vm.iommufd, id));
	}
}

/* ---- unbinding while a call uses the device ---- */

#define LONG_CALL_SIZE (64UL << 20)	/* bytes for a call to clear, page fault by page fault */
#define GRACE_MS 10000			/* for an unbind that has nothing left to wait for */
#define LONG_CALL_MS 60000		/* bounds the call */

struct long_call {
	struct iommufd iommufd;
	struct mock_device device;
	uint32_t *buf;
	atomic_bool over;
	int report_fd;
};

/* GET_HW_INFO clears what the user's buffer has beyond the kernel's data, however much it is. */
static void *make_long_call(void *data)
{
	struct long_call *call = data;
	uint32_t type, len = LONG_CALL_SIZE;
	uint64_t capabilities;
	uint8_t width;

	__get_hw_info(&call->iommufd, call->device.idev_id, &type, call->buf, &len, &capabilities,
		      &width);
	atomic_store(&call->over, true);
	if (write(call->report_fd, "c", 1) != 1)
		_exit(1);
	return NULL;
}

/*
 * Reports 'c' when the call has returned, 'u' when the unbind has, 'x' when they did not meet.
 * A process of its own that nobody waits for: it may hang beyond the reach of signals.
 */
static void unbind_during_long_call(int report_fd)
{
	struct long_call call = { .report_fd = report_fd };
	struct iommu_test_hw_info *info;
	const char *end = "u";
	pthread_t thread;
	uint32_t ioas;

	call.buf = mmap(NULL, LONG_CALL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (call.buf == MAP_FAILED || __iommufd_open(&call.iommufd) ||
	    __ioas_alloc(&call.iommufd, &ioas) ||
	    __mock_device_create(&call.iommufd, ioas, 0, &call.device) ||
	    pthread_create(&thread, NULL, make_long_call, &call))
		_exit(1);
	/* The data comes before the clearing: when it is there, the call is in the midst of it. */
	info = (void *)call.buf;
	while (!*(volatile uint32_t *)&info->test_reg && !atomic_load(&call.over))
		sched_yield();
	if (atomic_load(&call.over))
		end = "x";
	if (__iommufd_destroy(&call.iommufd, call.device.stdev_id) ||
	    write(report_fd, end, 1) != 1)
		_exit(1);
	pthread_join(thread, NULL);
	_exit(0);
}

/* In a grandchild without our output, so that nobody waits for it either. Returns the pipe. */
static int start_unbind(void)
{
	int fds[2], null;
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid) {
		if (fork())
			_exit(0);
		setsid();
		close(fds[0]);
		null = open("/dev/null", O_RDWR);
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
			dup2(null, fd);
		unbind_during_long_call(fds[1]);
	}
	close(fds[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return fds[0];
}

/* The next report; '-' for none in time. */
static char wait_report(int fd, int timeout)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char report = '-';

	if (poll(&poll_fd, 1, timeout) == 1 && read(fd, &report, 1) != 1)
		report = '-';
	return report;
}

/* What the tests found out about the kernel; they are processes. */
static struct findings {
	bool unbind_known, unbind_in_time;
} *findings;

static void __attribute__((constructor)) share_findings(void)
{
	findings = mmap(NULL, sizeof(*findings), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* 'u' if an unbind ended soon after the call that it waited for, '-' if not, 'x' if none did. */
static char try_unbind(void)
{
	int fd = start_unbind();
	char first = wait_report(fd, LONG_CALL_MS), second = wait_report(fd, GRACE_MS);

	close(fd);
	findings->unbind_known = true;
	if (first == 'x' || second == 'x')
		return 'x';
	findings->unbind_in_time = first != '-' && second != '-';
	return findings->unbind_in_time ? 'u' : '-';
}

static bool unbind_is_in_time(void)
{
	if (!findings->unbind_known)
		try_unbind();
	return findings->unbind_in_time;
}

FIXTURE(unbind)
{
	bool ready;
};

FIXTURE_SETUP(unbind)
{
	struct vm vm = {};

	NEEDS_KERNEL(return, "races of the kernel");
	self->ready = vm_open(_metadata, &vm);
	vm_close(&vm);
}

FIXTURE_TEARDOWN(unbind)
{
}

TEST_F(unbind, waits_no_longer_than_the_call)
{
	char end = 'x';

	if (!self->ready)
		return;
	RULE("UAPI-96");
	for (int tries = 0; tries < 5 && end == 'x'; tries++)
		end = try_unbind();
	if (end == 'x')
		SKIP(return, "the unbind came after the call, not during it");
	EXPECT_EQ('u', end);
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

/* Results of the invalidation when its object, or an object that it names, may be gone */
#define INVALIDATE_NESTED { "invalidate", invalidate_nested, { 0, END } }
#define INVALIDATE_VIOMMU { "invalidate", invalidate_viommu, { 0, END } }
#define INVALIDATE_GOING { "invalidate", invalidate_viommu, { 0, -EINVAL, END } }
#define DESTROY_VICTIM { "destroy", destroy_victim, { 0, -EBUSY, END } }
#define CLOSE_DESTROY { "close and destroy", close_and_destroy_victim, { 0, -EBUSY, END } }
#define SURE(_act) { #_act, _act, { 0, END } }

DUEL(nested_invalidate_attach, "UAPI-90", prepare_dev,
	{ INVALIDATE_NESTED, SURE(attach) }, settle_nested);
DUEL(nested_invalidate_detach, "UAPI-90", prepare_dev_attached,
	{ INVALIDATE_NESTED, SURE(detach) }, settle_nested);
DUEL(nested_invalidate_replace, "UAPI-90", prepare_dev_attached,
	{ INVALIDATE_NESTED, SURE(replace) }, settle_nested);
DUEL(nested_invalidate_pasid_attach, "UAPI-90", prepare_dev_pasid,
	{ INVALIDATE_NESTED, SURE(pasid_attach) }, settle_nested);
DUEL(nested_invalidate_pasid_replace, "UAPI-90", prepare_dev_pasid_attached,
	{ INVALIDATE_NESTED, SURE(pasid_replace) }, settle_nested);
DUEL(nested_invalidate_pasid_detach, "UAPI-90", prepare_dev_pasid_attached,
	{ INVALIDATE_NESTED, SURE(pasid_detach) }, settle_nested);
DUEL(nested_invalidate_unbind, "UAPI-90", prepare_attached,
	{ INVALIDATE_NESTED, SURE(unbind) }, settle_nested_unbound);
DUEL(nested_invalidate_destroy, "UAPI-90", prepare_victim,
	{ { "invalidate", invalidate_nested, { 0, -ENOENT, END } }, DESTROY_VICTIM },
	settle_nested_destroyed);
DUEL(viommu_invalidate_attach, "UAPI-90", prepare_temp,
	{ INVALIDATE_VIOMMU, SURE(attach) }, settle_viommu);
DUEL(viommu_invalidate_detach, "UAPI-90", prepare_attached,
	{ INVALIDATE_VIOMMU, SURE(detach) }, settle_viommu);
DUEL(viommu_invalidate_replace, "UAPI-90", prepare_attached,
	{ INVALIDATE_VIOMMU, SURE(replace) }, settle_viommu);
DUEL(viommu_invalidate_pasid_attach, "UAPI-90", prepare_pasid,
	{ INVALIDATE_VIOMMU, SURE(pasid_attach) }, settle_viommu);
DUEL(viommu_invalidate_pasid_replace, "UAPI-90", prepare_pasid_attached,
	{ INVALIDATE_VIOMMU, SURE(pasid_replace) }, settle_viommu);
DUEL(viommu_invalidate_pasid_detach, "UAPI-90", prepare_pasid_attached,
	{ INVALIDATE_VIOMMU, SURE(pasid_detach) }, settle_viommu);
DUEL(viommu_invalidate_unbind, "UAPI-90", prepare_attached,
	{ INVALIDATE_GOING, SURE(unbind) }, settle_unbound);
DUEL(viommu_invalidate_destroy, "UAPI-90", prepare_viommu,
	{ { "invalidate", probe_victim, { 0, -ENOENT, END } }, DESTROY_VICTIM },
	settle_viommu_destroyed);

DUEL(vdevice_destroy_invalidate, "UAPI-91", prepare_vdevice,
	{ INVALIDATE_GOING, SURE(vdevice_destroy) }, settle_cache);
DUEL(vdevice_alloc_invalidate, "UAPI-91", prepare_bare,
	{ INVALIDATE_GOING, SURE(vdevice_alloc_first) }, settle_cache);
DUEL(vdevice_destroy_unbind, "UAPI-91", prepare_vdevice,
	{ { "destroy", vdevice_destroy, { 0, -ENOENT, -EBUSY, END } }, SURE(unbind) },
	settle_vdevice_gone, .unbinds = true);
DUEL(vdevice_alloc_unbind, "UAPI-91", prepare_bare,
	{ { "alloc", vdevice_alloc_first, { 0, -ENOENT, END } }, SURE(unbind) },
	settle_vdevice_alloc_unbind, .unbinds = true);
DUEL(vdevice_same_device, "UAPI-91", prepare_bare,
	{ { "alloc", vdevice_alloc_first, { 0, -EEXIST, END } },
	  { "alloc", vdevice_alloc_same_device, { 0, -EEXIST, END } } },
	settle_same_device);
DUEL(vdevice_same_virt_id, "UAPI-91", prepare_two_bare,
	{ { "alloc", vdevice_alloc_first, { 0, -EEXIST, END } },
	  { "alloc", vdevice_alloc_same_virt_id, { 0, -EEXIST, END } } },
	settle_same_virt_id);
DUEL(vdevice_destroy_twice, "UAPI-91", prepare_vdevice,
	{ { "destroy", vdevice_destroy, { 0, -ENOENT, END } },
	  { "destroy", vdevice_destroy, { 0, -ENOENT, END } } },
	settle_destroyed_twice);
DUEL(vdevice_destroy_attach, "UAPI-91", prepare_temp,
	{ { "attach", attach, { 0, -ENOENT, END } }, SURE(vdevice_destroy) }, settle_attach);

DUEL(veventq_overflow_read, "UAPI-92", prepare_events,
	{ SURE(report_burst), SURE(read_second) }, settle_overflow);
DUEL(veventq_two_readers, "UAPI-92", prepare_deep_queue,
	{ SURE(read_all_first), SURE(read_all_second) }, settle_two_readers);
/* On its own: 7.3 does not always keep this order, eventq.c:iommufd_veventq_fops_read(). */
DUEL(veventq_two_readers_order, "UAPI-92", prepare_deep_queue,
	{ SURE(read_all_first), SURE(read_all_second) }, settle_readers_in_order,
	.patience = 20, .rare = true);
DUEL(veventq_read_destroy, "UAPI-92", prepare_full_queue,
	{ SURE(read_first), { "destroy", destroy_victim, { -EBUSY, END } } }, settle_events);
DUEL(veventq_close_destroy, "UAPI-92", prepare_full_queue,
	{ SURE(close_victim), DESTROY_VICTIM }, settle_busy, .releases = true);
DUEL(veventq_report_destroy, "UAPI-92", prepare_events_closed,
	{ { "report", report_event, { 0, -EOPNOTSUPP, END } }, SURE(destroy_victim) },
	settle_nothing);
DUEL(veventq_alloc_twice, "UAPI-92", NULL,
	{ { "alloc", veventq_alloc_first, { 0, -EEXIST, END } },
	  { "alloc", veventq_alloc_second, { 0, -EEXIST, END } } },
	settle_veventq_alloc);
DUEL(veventq_poll_report, "UAPI-92", prepare_events,
	{ SURE(poll_for_event), SURE(report_event) }, settle_events);
DUEL(veventq_poll_destroy, "UAPI-92", prepare_events,
	{ { "poll", poll_shortly, { EMPTY, -EBADF, END } }, CLOSE_DESTROY }, settle_busy);

DUEL(fault_response_replace, "UAPI-93", prepare_fault_read,
	{ { "respond", respond, { 0, -EINVAL, END } }, SURE(replace) }, settle_fault);
DUEL(fault_response_detach, "UAPI-93", prepare_fault_read,
	{ { "respond", respond, { 0, -EINVAL, END } }, SURE(detach) }, settle_fault);
DUEL(fault_response_pasid_detach, "UAPI-93", prepare_pasid_fault_read,
	{ { "respond", respond, { 0, -EINVAL, END } }, SURE(pasid_detach) },
	settle_fault_of_temp);
DUEL(fault_response_pasid_replace, "UAPI-93", prepare_pasid_fault_read,
	{ { "respond", respond, { 0, -EINVAL, END } }, SURE(pasid_replace) },
	settle_pasid_fault);
DUEL(fault_response_unbind, "UAPI-93", prepare_fault_of_temp,
	{ { "respond", respond, { 0, -EINVAL, END } }, SURE(unbind) }, settle_fault_of_temp);
DUEL(fault_response_twice, "UAPI-93", prepare_fault_read,
	{ { "respond", respond, { 0, -EINVAL, END } },
	  { "respond", respond, { 0, -EINVAL, END } } },
	settle_one_response);
DUEL(fault_read_replace, "UAPI-93", prepare_fault,
	{ { "read", read_fault, { 0, EMPTY, END } }, SURE(replace) }, settle_fault);
DUEL(fault_trigger_replace, "UAPI-93", prepare_faulting,
	{ SURE(trigger_fault), SURE(replace) }, settle_fault);
DUEL(fault_poll_destroy, "UAPI-93", prepare_fault_queue,
	{ { "poll", poll_shortly, { EMPTY, -EBADF, END } }, CLOSE_DESTROY }, settle_busy);
DUEL(fault_close_destroy, "UAPI-93", prepare_fault_queue,
	{ SURE(close_victim), DESTROY_VICTIM }, settle_busy, .releases = true);
DUEL(fault_queue_alloc_destroy, "UAPI-93", prepare_fault_queue_closed,
	{ { "hwpt alloc", alloc_with_fault, { 0, -ENOENT, END } }, DESTROY_VICTIM },
	settle_alloc_with_fault);

DUEL(mmap_destroy, "UAPI-94", prepare_mappable,
	{ { "mmap", map_victim, { 0, -ENXIO, END } }, DESTROY_VICTIM }, settle_mapped);
DUEL(munmap_destroy, "UAPI-94", prepare_mapped,
	{ SURE(unmap_victim), DESTROY_VICTIM }, settle_busy, .releases = true);
DUEL(fork_destroy, "UAPI-94", prepare_mapped,
	{ SURE(fork_with_mapping),
	  { "munmap and destroy", unmap_and_destroy_victim, { 0, -EBUSY, END } } },
	settle_forked, .releases = true);

DUEL(hw_queue_alloc_unmap, "UAPI-95", NULL,
	{ { "alloc", hw_queue_alloc_first, { 0, -ENOENT, -EINVAL, END } },
	  { "unmap", unmap_buf, { 0, -EBUSY, END } } },
	settle_queue_memory);
DUEL(hw_queue_destroy_unmap, "UAPI-95", prepare_queue,
	{ SURE(destroy_victim), { "unmap", unmap_buf, { 0, -EBUSY, END } } },
	settle_queue_gone, .releases = true);
DUEL(hw_queue_same_index, "UAPI-95", NULL,
	{ { "alloc", hw_queue_alloc_first, { 0, -EEXIST, END } },
	  { "alloc", hw_queue_alloc_same, { 0, -EEXIST, END } } },
	destroy_winner);

DUEL(access_pin_unmap, "UAPI-101", prepare_access,
	{ { "pin", access_pin, { 0, -ENOENT, -EINVAL, END } }, SURE(unmap_buf) },
	settle_access_unmapped);
DUEL(access_read_unmap, "UAPI-101", prepare_access,
	{ { "read", access_read, { 0, -ENOENT, -EINVAL, END } }, SURE(unmap_buf) },
	settle_access_unmapped);
DUEL(access_pin_replace, "UAPI-102", prepare_access_and_two,
	{ { "pin", access_pin, { 0, -ENOENT, END } }, SURE(access_to_first) },
	settle_access_replaced);
DUEL(access_read_replace, "UAPI-102", prepare_access_and_two,
	{ { "read", access_read, { 0, -ENOENT, END } }, SURE(access_to_first) },
	settle_access_replaced);
/* Refused while the other one has let go of the old IOAS, and has not taken the new one. */
DUEL(access_replace_twice, "UAPI-102", prepare_access_and_two,
	{ { "replace", access_to_first, { 0, -ENOENT, -EBUSY, END } },
	  { "replace", access_to_second, { 0, -ENOENT, -EBUSY, END } } },
	settle_access_replaced);
DUEL(attach_last_unbind, "UAPI-25", prepare_own_table,
	{ { "attach", attach_to_ioas, { 0, EMPTY, END } }, SURE(unbind) }, settle_own_table,
	.patience = 3);

DUEL(close_ioas_alloc, "UAPI-96", prepare_other,
	{ { "ioas alloc", other_ioas_alloc, { 0, -EBADF, END } }, SURE(other_close) },
	settle_nothing);
DUEL(close_invalidate, "UAPI-96", prepare_other_nested,
	{ { "invalidate", other_invalidate, { 0, -EBADF, END } }, SURE(other_close) },
	settle_nothing);
DUEL(guessed_ids, "UAPI-96", prepare_guess,
	{ SURE(guess_calls), SURE(guess_calls) }, settle_guess);

DUEL(nested_alloc_parent_destroy, "UAPI-96", prepare_parent,
	{ { "alloc", nested_alloc_in_victim, { 0, -ENOENT, -EINVAL, END } }, DESTROY_VICTIM },
	settle_child);
DUEL(viommu_alloc_parent_destroy, "UAPI-96", prepare_parent,
	{ { "alloc", viommu_alloc_in_victim, { 0, -ENOENT, END } }, DESTROY_VICTIM },
	settle_child);
DUEL(nested_alloc_viommu_destroy, "UAPI-96", prepare_viommu,
	{ { "alloc", nested_alloc_in_victim, { 0, -ENOENT, -EINVAL, END } }, DESTROY_VICTIM },
	settle_child);
DUEL(vdevice_alloc_viommu_destroy, "UAPI-96", prepare_viommu_and_bare,
	{ { "alloc", vdevice_alloc_in_victim, { 0, -ENOENT, END } }, DESTROY_VICTIM },
	settle_child_and_bare);
DUEL(veventq_alloc_viommu_destroy, "UAPI-96", prepare_viommu,
	{ { "alloc", veventq_alloc_in_victim, { 0, -ENOENT, END } }, DESTROY_VICTIM },
	settle_veventq_child);
DUEL(hw_queue_alloc_viommu_destroy, "UAPI-96", prepare_viommu,
	{ { "alloc", hw_queue_alloc_in_victim, { 0, -ENOENT, END } }, DESTROY_VICTIM },
	settle_child);
DUEL(attach_destroy, "UAPI-96", prepare_attach_victim,
	{ { "attach", attach, { 0, -ENOENT, END } }, DESTROY_VICTIM }, settle_attach_victim);

/*
 * The last, for it ends the guest of a kernel that counts up a reference which may be 0, as 7.3
 * does in driver.c:_iommufd_object_depend(). Patient enough to find that.
 */
DUEL(hw_queue_depend_destroy, "UAPI-95", prepare_queue_chain,
	{ { "alloc next", hw_queue_alloc_next, { 0, -EIO, END } }, DESTROY_VICTIM },
	settle_queue_chain, .patience = 40);

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

NIT_TEST_MAIN
