// SPDX-License-Identifier: GPL-2.0-only
/*
 * An invalidation touches what it names and leaves everything else alone.
 *
 * On real hardware this must never be asserted: over-invalidation is legal there (DESIGN section
 * 4). The mock is different: iommufd_test.h says exactly which word an entry names, and nothing
 * but an entry ever empties a word. So a word lost here is a request that went to another object.
 */
#include <errno.h>

#include "cache.h"

#define ALL IOMMU_TEST_INVALIDATE_FLAG_ALL
#define PASID 0x55
#define OTHER_PASID 0x56

/* Two page tables, related as the variant says; then the same for two devices */
struct side {
	struct iommufd *iommufd;
	uint32_t viommu;
	uint32_t virt_id;
	struct mock_device dev;
	uint32_t hwpt;
};

enum relation {
	ONE_PARENT,	/* nested straight on one parent */
	TWO_PARENTS,
	ONE_VIOMMU,
	TWO_VIOMMUS,	/* of one parent */
	TWO_VIOMMUS_TWO_PARENTS,
	TWO_CONTEXTS,
};

FIXTURE(isolation) {
	struct vm vm;
	struct vm other_vm;
	struct side a;
	struct side b;
};

FIXTURE_VARIANT(isolation) {
	enum relation relation;
};

FIXTURE_VARIANT_ADD(isolation, one_parent) {
	.relation = ONE_PARENT,
};

FIXTURE_VARIANT_ADD(isolation, two_parents) {
	.relation = TWO_PARENTS,
};

FIXTURE_VARIANT_ADD(isolation, one_viommu) {
	.relation = ONE_VIOMMU,
};

FIXTURE_VARIANT_ADD(isolation, two_viommus) {
	.relation = TWO_VIOMMUS,
};

FIXTURE_VARIANT_ADD(isolation, two_viommus_two_parents) {
	.relation = TWO_VIOMMUS_TWO_PARENTS,
};

FIXTURE_VARIANT_ADD(isolation, two_contexts) {
	.relation = TWO_CONTEXTS,
};

/* @viommu 0: the page table goes straight on @parent */
static struct side side_make(struct __test_metadata *_metadata, struct vm *vm, uint32_t parent,
			     uint32_t viommu, uint32_t virt_id)
{
	struct side side = { .iommufd = &vm->iommufd, .viommu = viommu, .virt_id = virt_id };

	side.dev = mock_device_create(side.iommufd, vm->ioas, 0);
	if (viommu)
		vdevice_alloc(side.iommufd, viommu, side.dev.idev_id, virt_id);
	side.hwpt = mock_hwpt_alloc_nested(side.iommufd, side.dev.idev_id, viommu ?: parent, 0, 0,
					   VM_IOTLB);
	mock_device_replace(side.iommufd, side.dev.stdev_id, side.hwpt);
	return side;
}

FIXTURE_SETUP(isolation)
{
	enum relation relation = variant->relation;
	struct vm *vm = &self->vm, *other = vm;
	bool has_viommu = relation != ONE_PARENT && relation != TWO_PARENTS;
	uint32_t parent, viommu = 0, virt_id = 1;

	if (!vm_setup_parent(_metadata, vm))
		return;
	if (has_viommu)
		viommu = mock_viommu_alloc(&vm->iommufd, vm->dev.idev_id, vm->parent);
	self->a = side_make(_metadata, vm, vm->parent, viommu, virt_id);

	if (relation == TWO_CONTEXTS) {
		other = &self->other_vm;
		if (!vm_setup_parent(_metadata, other))
			return;
	}
	parent = other->parent;
	if (relation == TWO_PARENTS || relation == TWO_VIOMMUS_TWO_PARENTS)
		parent = hwpt_alloc(&other->iommufd, other->dev.idev_id, other->ioas,
				    IOMMU_HWPT_ALLOC_NEST_PARENT);
	/* The same virtual id, wherever that is possible */
	if (relation == ONE_VIOMMU)
		virt_id = 2;
	else if (has_viommu)
		viommu = mock_viommu_alloc(&other->iommufd, other->dev.idev_id, parent);
	self->b = side_make(_metadata, other, parent, viommu, virt_id);
}

FIXTURE_TEARDOWN(isolation)
{
	vm_close(&self->other_vm);
	vm_close(&self->vm);
}

static void expect_words(struct __test_metadata *_metadata, const struct side *side,
			 uint32_t iotlb, uint32_t cache)
{
	EXPECT_EQ(iotlb, iotlb_words(side->iommufd, side->hwpt));
	EXPECT_EQ(cache, device_words(side->iommufd, side->dev.idev_id));
}

TEST_F(isolation, one_iotlb_word)
{
	RULE("UAPI-40");
	for (uint32_t i = 0, left = CACHE_FULL; i < CACHE_WORDS; i++) {
		expect_words(_metadata, &self->a, left, CACHE_FULL);
		EXPECT_EQ(0, iotlb_invalidate(self->a.iommufd, self->a.hwpt, 0, i));
		left &= ~(1u << i);
		expect_words(_metadata, &self->a, left, CACHE_FULL);
		expect_words(_metadata, &self->b, CACHE_FULL, CACHE_FULL);
	}
}

TEST_F(isolation, all_iotlb_words)
{
	RULE("UAPI-40");
	expect_words(_metadata, &self->a, CACHE_FULL, CACHE_FULL);
	EXPECT_EQ(0, iotlb_invalidate(self->a.iommufd, self->a.hwpt, ALL, 0));
	expect_words(_metadata, &self->a, 0, CACHE_FULL);
	expect_words(_metadata, &self->b, CACHE_FULL, CACHE_FULL);

	EXPECT_EQ(0, iotlb_invalidate(self->b.iommufd, self->b.hwpt, ALL, 0));
	expect_words(_metadata, &self->b, 0, CACHE_FULL);
	expect_words(_metadata, &self->a, 0, CACHE_FULL);
}

TEST_F(isolation, one_cache_word)
{
	RULE("UAPI-41");
	if (!self->a.viommu)
		SKIP(return, "device caches are invalidated through a vIOMMU only");
	for (uint32_t i = 0, left = CACHE_FULL; i < CACHE_WORDS; i++) {
		expect_words(_metadata, &self->b, CACHE_FULL, left);
		EXPECT_EQ(0, device_invalidate(self->b.iommufd, self->b.viommu, 0,
					       self->b.virt_id, i));
		left &= ~(1u << i);
		expect_words(_metadata, &self->b, CACHE_FULL, left);
		expect_words(_metadata, &self->a, CACHE_FULL, CACHE_FULL);
	}
}

TEST_F(isolation, all_cache_words)
{
	RULE("UAPI-41");
	if (!self->a.viommu)
		SKIP(return, "device caches are invalidated through a vIOMMU only");
	expect_words(_metadata, &self->a, CACHE_FULL, CACHE_FULL);
	EXPECT_EQ(0, device_invalidate(self->a.iommufd, self->a.viommu, ALL, self->a.virt_id, 0));
	expect_words(_metadata, &self->a, CACHE_FULL, 0);
	expect_words(_metadata, &self->b, CACHE_FULL, CACHE_FULL);

	EXPECT_EQ(0, device_invalidate(self->b.iommufd, self->b.viommu, ALL, self->b.virt_id, 0));
	expect_words(_metadata, &self->b, CACHE_FULL, 0);
}

/* A failing array empties what is before its bad entry, and that of the named object only */
TEST_F(isolation, failing_array)
{
	RULE("UAPI-40");
	struct iommu_hwpt_invalidate_selftest entries[] = {
		{ .iotlb_id = 2 }, { .iotlb_id = CACHE_WORDS }, { .flags = ALL },
	};
	uint32_t num = ARRAY_SIZE(entries);

	EXPECT_EQ(-EINVAL, __hwpt_invalidate(self->a.iommufd, self->a.hwpt,
					     IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, entries,
					     sizeof(entries[0]), &num));
	EXPECT_EQ(1, num);
	expect_words(_metadata, &self->a, CACHE_FULL & ~(1u << 2), CACHE_FULL);
	expect_words(_metadata, &self->b, CACHE_FULL, CACHE_FULL);
}

/* The device is known by its virtual id to its own vIOMMU, and to no other */
TEST_F(isolation, virtual_id_of_the_other_viommu)
{
	RULE("UAPI-42");
	uint32_t only_b = 0x77;
	struct mock_device dev;

	if (!self->a.viommu)
		SKIP(return, "device caches are invalidated through a vIOMMU only");
	if (self->a.viommu == self->b.viommu && self->a.iommufd == self->b.iommufd)
		SKIP(return, "needs two vIOMMUs");
	dev = mock_device_create(self->b.iommufd, variant->relation == TWO_CONTEXTS ?
				 self->other_vm.ioas : self->vm.ioas, 0);
	vdevice_alloc(self->b.iommufd, self->b.viommu, dev.idev_id, only_b);
	EXPECT_EQ(-EINVAL, device_invalidate(self->a.iommufd, self->a.viommu, ALL, only_b, 0));
	EXPECT_EQ(CACHE_FULL, device_words(self->b.iommufd, dev.idev_id));
	EXPECT_EQ(0, device_invalidate(self->b.iommufd, self->b.viommu, ALL, only_b, 0));
	EXPECT_EQ(0, device_words(self->b.iommufd, dev.idev_id));
}

FIXTURE(vdevice_isolation) {
	struct vm vm;
};

FIXTURE_SETUP(vdevice_isolation)
{
	vm_setup_viommu(_metadata, &self->vm);
}

FIXTURE_TEARDOWN(vdevice_isolation)
{
	vm_close(&self->vm);
}

TEST_F(vdevice_isolation, destroyed_vdevice_is_out_of_reach)
{
	RULE("UAPI-42");
	struct vm *vm = &self->vm;

	EXPECT_EQ(0, device_invalidate(&vm->iommufd, vm->viommu, 0, VM_VIRT_ID, 0));
	EXPECT_EQ(CACHE_FULL & ~1u, device_words(&vm->iommufd, vm->dev.idev_id));
	iommufd_destroy(&vm->iommufd, vm->vdevice);
	EXPECT_EQ(-EINVAL, device_invalidate(&vm->iommufd, vm->viommu, ALL, VM_VIRT_ID, 0));
	EXPECT_EQ(CACHE_FULL & ~1u, device_words(&vm->iommufd, vm->dev.idev_id));
}

TEST_F(vdevice_isolation, virtual_id_given_to_another_device_is_only_its_own)
{
	RULE("UAPI-42");
	struct vm *vm = &self->vm;
	struct mock_device next = mock_device_create(&vm->iommufd, vm->ioas, 0);

	iommufd_destroy(&vm->iommufd, vm->vdevice);
	vdevice_alloc(&vm->iommufd, vm->viommu, next.idev_id, VM_VIRT_ID);
	EXPECT_EQ(0, device_invalidate(&vm->iommufd, vm->viommu, ALL, VM_VIRT_ID, 0));
	EXPECT_EQ(0, device_words(&vm->iommufd, next.idev_id));
	EXPECT_EQ(CACHE_FULL, device_words(&vm->iommufd, vm->dev.idev_id));
}

/* One array may name several devices of the vIOMMU, each entry is for its own */
TEST_F(vdevice_isolation, one_array_for_two_devices)
{
	RULE("UAPI-41");
	struct vm *vm = &self->vm;
	struct mock_device next = mock_device_create(&vm->iommufd, vm->ioas, 0);
	struct iommu_viommu_invalidate_selftest entries[] = {
		{ .vdev_id = VM_VIRT_ID, .cache_id = 1 }, { .vdev_id = 2, .cache_id = 3 },
	};
	uint32_t num = 2;

	vdevice_alloc(&vm->iommufd, vm->viommu, next.idev_id, 2);
	EXPECT_EQ(0, __hwpt_invalidate(&vm->iommufd, vm->viommu,
				       IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, entries,
				       sizeof(entries[0]), &num));
	EXPECT_EQ(2, num);
	EXPECT_EQ(CACHE_FULL & ~(1u << 1), device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_EQ(CACHE_FULL & ~(1u << 3), device_words(&vm->iommufd, next.idev_id));
}

FIXTURE(pasid_isolation) {
	struct vm vm;
	uint32_t rid;		/* paging, for PASIDs */
	uint32_t hwpt[3];	/* attached to PASID, to OTHER_PASID, to nothing */
};

FIXTURE_SETUP(pasid_isolation)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	struct vm *vm = &self->vm;

	if (!vm_open(_metadata, vm))
		return;
	vm_add_device(_metadata, vm, MOCK_FLAGS_DEVICE_PASID);
	vm->parent = hwpt_alloc(iommufd, vm->dev.idev_id, vm->ioas,
				IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_PASID);
	self->rid = hwpt_alloc(iommufd, vm->dev.idev_id, vm->ioas, IOMMU_HWPT_ALLOC_PASID);
	mock_device_replace(iommufd, vm->dev.stdev_id, self->rid);
	for (int i = 0; i < ARRAY_SIZE(self->hwpt); i++)
		self->hwpt[i] = mock_hwpt_alloc_nested(iommufd, vm->dev.idev_id, vm->parent,
						       IOMMU_HWPT_ALLOC_PASID, 0, VM_IOTLB);
	ASSERT_EQ(0, __mock_pasid_attach(iommufd, vm->dev.stdev_id, PASID, self->hwpt[0]));
	ASSERT_EQ(0, __mock_pasid_attach(iommufd, vm->dev.stdev_id, OTHER_PASID, self->hwpt[1]));
}

FIXTURE_TEARDOWN(pasid_isolation)
{
	if (self->hwpt[2]) {
		__mock_pasid_detach(&self->vm.iommufd, self->vm.dev.stdev_id, PASID);
		__mock_pasid_detach(&self->vm.iommufd, self->vm.dev.stdev_id, OTHER_PASID);
	}
	vm_close(&self->vm);
}

TEST_F(pasid_isolation, one_pasid_leaves_the_other)
{
	RULE("UAPI-43");
	struct iommufd *iommufd = &self->vm.iommufd;

	for (int i = 0; i < 3; i++)
		EXPECT_EQ(CACHE_FULL, iotlb_words(iommufd, self->hwpt[i]));
	EXPECT_EQ(0, iotlb_invalidate(iommufd, self->hwpt[0], ALL, 0));
	EXPECT_EQ(0, iotlb_words(iommufd, self->hwpt[0]));
	EXPECT_EQ(CACHE_FULL, iotlb_words(iommufd, self->hwpt[1]));
	EXPECT_EQ(CACHE_FULL, iotlb_words(iommufd, self->hwpt[2]));
	EXPECT_EQ(CACHE_FULL, device_words(iommufd, self->vm.dev.idev_id));
	EXPECT_EQ(0, __mock_pasid_check(iommufd, self->vm.dev.stdev_id, PASID, self->hwpt[0]));
}

TEST_F(pasid_isolation, one_word_of_one_pasid)
{
	RULE("UAPI-43");
	struct iommufd *iommufd = &self->vm.iommufd;

	EXPECT_EQ(0, iotlb_invalidate(iommufd, self->hwpt[1], 0, 2));
	EXPECT_EQ(CACHE_FULL, iotlb_words(iommufd, self->hwpt[0]));
	EXPECT_EQ(CACHE_FULL & ~(1u << 2), iotlb_words(iommufd, self->hwpt[1]));
	EXPECT_EQ(CACHE_FULL, iotlb_words(iommufd, self->hwpt[2]));
}

NIT_TEST_MAIN
