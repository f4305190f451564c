/* SPDX-License-Identifier: GPL-2.0-only */
/* What sides of several programs do: move a device, destroy, close, look */
#ifndef NIT_UAPI_MOVES_H
#define NIT_UAPI_MOVES_H

#include <poll.h>
#include <unistd.h>

#include "duel.h"

#define EMPTY (-EAGAIN)		/* our name for a call that found nothing */

static inline void prepare_temp(struct __test_metadata *_metadata, struct arena *arena)
{
	struct vm *vm = &arena->vm;

	arena->temp = mock_device_create(&vm->iommufd, vm->ioas, MOCK_FLAGS_DEVICE_PASID);
	arena->temp_vdevice = vdevice_alloc(&vm->iommufd, vm->viommu, arena->temp.idev_id,
					    OTHER_VIRT_ID);
	arena->victim = new_nested(_metadata, arena, 0);
}

static inline void prepare_attached(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_temp(_metadata, arena);
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->victim);
}

static inline void prepare_pasid(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_temp(_metadata, arena);
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->nested2);
}

static inline void prepare_pasid_attached(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_pasid(_metadata, arena);
	ASSERT_EQ(0, __mock_pasid_attach(&arena->vm.iommufd, arena->temp.stdev_id, PASID,
					 arena->victim));
}

/* The same with a device that stays: its caches do not matter to a nested HWPT. */
static inline void prepare_dev_pasid(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->temp = arena->vm.dev;
	arena->victim = new_nested(_metadata, arena, 0);
}

static inline void prepare_dev(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_dev_pasid(_metadata, arena);
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->vm.ioas);
}

static inline int attach(struct arena *arena, struct prng *prng)
{
	return __mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->victim);
}

static inline int replace(struct arena *arena, struct prng *prng)
{
	return __mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->nested2);
}

static inline int detach(struct arena *arena, struct prng *prng)
{
	return __mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->vm.ioas);
}

static inline int pasid_attach(struct arena *arena, struct prng *prng)
{
	return __mock_pasid_attach(&arena->vm.iommufd, arena->temp.stdev_id, PASID,
				   arena->victim);
}

static inline int pasid_replace(struct arena *arena, struct prng *prng)
{
	return __mock_pasid_replace(&arena->vm.iommufd, arena->temp.stdev_id, PASID,
				    arena->nested2);
}

static inline int pasid_detach(struct arena *arena, struct prng *prng)
{
	return __mock_pasid_detach(&arena->vm.iommufd, arena->temp.stdev_id, PASID);
}

static inline int unbind(struct arena *arena, struct prng *prng)
{
	return __iommufd_destroy(&arena->vm.iommufd, arena->temp.stdev_id);
}

static inline int destroy_victim(struct arena *arena, struct prng *prng)
{
	return __iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

static inline void prepare_victim(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->victim = new_nested(_metadata, arena, 0);
}

static inline void prepare_viommu(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->victim = mock_viommu_alloc(&arena->vm.iommufd, arena->vm.dev.idev_id,
					  arena->vm.parent);
}

static inline void prepare_bare(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->temp = mock_device_create(&arena->vm.iommufd, arena->vm.ioas, 0);
}

static inline void prepare_vdevice(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_bare(_metadata, arena);
	arena->temp_vdevice = vdevice_alloc(&arena->vm.iommufd, arena->vm.viommu,
					    arena->temp.idev_id, OTHER_VIRT_ID);
}

static inline void destroy_winner(struct __test_metadata *_metadata, struct arena *arena,
				  const int *rc)
{
	expect_one_winner(_metadata, rc);
	iommufd_destroy(&arena->vm.iommufd, rc[0] ? arena->second : arena->first);
}

static inline void settle_nothing(struct __test_metadata *_metadata, struct arena *arena,
				  const int *rc)
{
}

static inline int close_victim(struct arena *arena, struct prng *prng)
{
	return close(arena->victim_fd) ? -errno : 0;
}

static inline int close_and_destroy_victim(struct arena *arena, struct prng *prng)
{
	close(arena->victim_fd);
	random_delay(prng);
	return destroy_victim(arena, prng);
}

/* Whoever was still in it is out by now. */
static inline void settle_busy(struct __test_metadata *_metadata, struct arena *arena,
			       const int *rc)
{
	if (rc[1]) {
		iommufd_destroy(&arena->vm.iommufd, arena->victim);
	}
}

static inline int poll_victim(struct arena *arena, int timeout)
{
	struct pollfd poll_fd = { .fd = arena->victim_fd, .events = POLLIN };
	int rc = poll(&poll_fd, 1, timeout);

	if (rc < 0)
		return -errno;
	if (poll_fd.revents & POLLNVAL)
		return -EBADF;
	return poll_fd.revents & POLLIN ? 0 : EMPTY;
}

static inline int poll_shortly(struct arena *arena, struct prng *prng)
{
	return poll_victim(arena, 1);
}

#define DESTROY_VICTIM { "destroy", destroy_victim, { 0, -EBUSY, END } }
#define CLOSE_DESTROY { "close and destroy", close_and_destroy_victim, { 0, -EBUSY, END } }
#define SURE(_act) { #_act, _act, { 0, END } }

#endif /* NIT_UAPI_MOVES_H */
