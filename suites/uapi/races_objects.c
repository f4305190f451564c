// SPDX-License-Identifier: GPL-2.0-only
/* Races (duel.h): mappings, hardware queues, in-kernel users, and whole objects and contexts */

#include <fcntl.h>
#include <sys/wait.h>

#include "access.h"
#include "moves.h"

#define MANY_PINS 32

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

NIT_TEST_MAIN
