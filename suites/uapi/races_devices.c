// SPDX-License-Identifier: GPL-2.0-only
/* Races (duel.h): invalidation and vDEVICEs against everything that moves a device */

#include "moves.h"

/* ---- invalidation against everything that moves a device ---- */

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

/* Results of the invalidation when its object, or an object that it names, may be gone */
#define INVALIDATE_NESTED { "invalidate", invalidate_nested, { 0, END } }
#define INVALIDATE_VIOMMU { "invalidate", invalidate_viommu, { 0, END } }
#define INVALIDATE_GOING { "invalidate", invalidate_viommu, { 0, -EINVAL, END } }

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

DUEL(attach_last_unbind, "UAPI-25", prepare_own_table,
	{ { "attach", attach_to_ioas, { 0, EMPTY, END } }, SURE(unbind) }, settle_own_table,
	.patience = 3);

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

NIT_TEST_MAIN
