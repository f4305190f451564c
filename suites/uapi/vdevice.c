// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_VDEVICE_ALLOC: a device gets a virtual id in a vIOMMU, one device one vIOMMU, one id one
 * device; what the id then means for requests, attachments and events; and how it ends, with
 * DESTROY or with the device.
 *
 * Whom a virtual id means is seen by the device caches that requests with it empty: cache.h.
 *
 * The mock is a single physical IOMMU, so a device behind another IOMMU than that of the vIOMMU
 * (EINVAL) cannot be had on it. Its requests and events name virtual ids of 32 bits.
 */
#include <errno.h>

#include "attached.h"
#include "cache.h"
#include "iommufd/event.h"

#define ALL IOMMU_TEST_INVALIDATE_FLAG_ALL
#define OTHER_VIRT_ID 0x11
#define WORDS_FROM(_first) (CACHE_FULL & ~((1u << (_first)) - 1))

/**
 * struct vdevices - a vIOMMU with vm.dev in it as VM_VIRT_ID; and more to put into it
 * @other: a device in no vIOMMU
 * @other_viommu: a vIOMMU of the same parent with nothing in it
 */
struct vdevices {
	struct vm vm;
	struct mock_device other;
	uint32_t other_viommu;
};

static bool vdevices_setup(struct __test_metadata *_metadata, struct vdevices *v)
{
	if (!vm_setup_viommu(_metadata, &v->vm))
		return false;
	v->other = mock_device_create(&v->vm.iommufd, v->vm.ioas, 0);
	v->other_viommu = mock_viommu_alloc(&v->vm.iommufd, v->vm.dev.idev_id, v->vm.parent);
	return true;
}

FIXTURE(vdevice) {
	struct vdevices v;
};

FIXTURE_SETUP(vdevice)
{
	vdevices_setup(_metadata, &self->v);
}

FIXTURE_TEARDOWN(vdevice)
{
	vm_close(&self->v.vm);
}

/* Device and virtual id are taken */

FIXTURE(taken) {
	struct vdevices v;
	uint32_t viommu;
	uint32_t dev;
};

FIXTURE_VARIANT(taken) {
	bool other_viommu;
	bool other_device;
	uint64_t virt_id;
};

FIXTURE_VARIANT_ADD(taken, device_and_id) {
	.virt_id = VM_VIRT_ID,
};

FIXTURE_VARIANT_ADD(taken, device) {
	.virt_id = OTHER_VIRT_ID,
};

FIXTURE_VARIANT_ADD(taken, device_in_another_viommu) {
	.other_viommu = true,
	.virt_id = OTHER_VIRT_ID,
};

FIXTURE_VARIANT_ADD(taken, device_in_another_viommu_as_the_same) {
	.other_viommu = true,
	.virt_id = VM_VIRT_ID,
};

FIXTURE_VARIANT_ADD(taken, id) {
	.other_device = true,
	.virt_id = VM_VIRT_ID,
};

FIXTURE_SETUP(taken)
{
	if (!vdevices_setup(_metadata, &self->v))
		return;
	self->viommu = variant->other_viommu ? self->v.other_viommu : self->v.vm.viommu;
	self->dev = variant->other_device ? self->v.other.idev_id : self->v.vm.dev.idev_id;
}

FIXTURE_TEARDOWN(taken)
{
	vm_close(&self->v.vm);
}

static int taken_alloc(FIXTURE_DATA(taken) *self, uint64_t virt_id, uint32_t *vdevice)
{
	return __vdevice_alloc(&self->v.vm.iommufd, self->viommu, self->dev, virt_id, vdevice);
}

/* The vDEVICE that was there before answers to its id as if nothing had been tried. */
TEST_F(taken, is_eexist_and_changes_nothing)
{
	RULE("UAPI-50");
	struct vm *vm = &self->v.vm;
	struct state before = state_get(&vm->iommufd);
	uint32_t vdevice;

	for (uint32_t word = 0; word < CACHE_WORDS; word++) {
		EXPECT_EQ(-EEXIST, taken_alloc(self, variant->virt_id, &vdevice));
		EXPECT_STATE(&vm->iommufd, &before);
		EXPECT_EQ(0, device_invalidate(&vm->iommufd, vm->viommu, 0, VM_VIRT_ID, word));
		EXPECT_EQ(WORDS_FROM(word + 1), device_words(&vm->iommufd, vm->dev.idev_id));
		EXPECT_EQ(CACHE_FULL, device_words(&vm->iommufd, self->v.other.idev_id));
		EXPECT_EQ(-EINVAL, device_invalidate(&vm->iommufd, vm->viommu, ALL, OTHER_VIRT_ID,
						     0));
		EXPECT_EQ(-EINVAL, device_invalidate(&vm->iommufd, self->v.other_viommu, ALL,
						     variant->virt_id, 0));
	}
}

TEST_F(taken, works_once_the_first_is_gone)
{
	RULE("UAPI-50");
	struct iommufd *iommufd = &self->v.vm.iommufd;
	uint32_t vdevice;

	EXPECT_EQ(-EEXIST, taken_alloc(self, variant->virt_id, &vdevice));
	iommufd_destroy(iommufd, self->v.vm.vdevice);
	ASSERT_EQ(0, taken_alloc(self, variant->virt_id, &vdevice));
	EXPECT_EQ(0, device_invalidate(iommufd, self->viommu, ALL, variant->virt_id, 0));
	EXPECT_EQ(0, device_words(iommufd, self->dev));
	iommufd_destroy(iommufd, vdevice);
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->v.other_viommu));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->v.vm.nested));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->v.vm.viommu));
}

/* A refused call holds neither the device nor the vIOMMU. */
TEST_F(taken, refused_one_holds_nothing)
{
	RULE("UAPI-50");
	struct iommufd *iommufd = &self->v.vm.iommufd;
	uint32_t vdevice;

	EXPECT_EQ(-EEXIST, taken_alloc(self, variant->virt_id, &vdevice));
	iommufd_destroy(iommufd, self->v.other.stdev_id);
	EXPECT_FALSE(state_has(iommufd, self->v.other.idev_id));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->v.other_viommu));
	iommufd_destroy(iommufd, self->v.vm.vdevice);
	iommufd_destroy(iommufd, self->v.vm.dev.stdev_id);
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->v.vm.nested));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->v.vm.viommu));
}

TEST_F(vdevice, device_refused_for_its_id_can_have_another)
{
	RULE("UAPI-50");
	struct vdevices *v = &self->v;
	struct iommufd *iommufd = &v->vm.iommufd;
	uint32_t vdevice;

	EXPECT_EQ(-EEXIST, __vdevice_alloc(iommufd, v->vm.viommu, v->other.idev_id, VM_VIRT_ID,
					   &vdevice));
	vdevice_alloc(iommufd, v->vm.viommu, v->other.idev_id, OTHER_VIRT_ID);
	EXPECT_EQ(0, device_invalidate(iommufd, v->vm.viommu, ALL, OTHER_VIRT_ID, 0));
	EXPECT_EQ(CACHE_FULL, device_words(iommufd, v->vm.dev.idev_id));
	EXPECT_EQ(0, device_words(iommufd, v->other.idev_id));
	EXPECT_EQ(0, device_invalidate(iommufd, v->vm.viommu, ALL, VM_VIRT_ID, 0));
	EXPECT_EQ(0, device_words(iommufd, v->vm.dev.idev_id));
}

/* Values of a virtual id */

#define EVENT_DEPTH 4

FIXTURE(value) {
	struct vm vm;
	struct mock_device other;
};

FIXTURE_VARIANT(value) {
	uint64_t virt_id;
};

#define VALUE_VARIANT(_name, _virt_id) \
	FIXTURE_VARIANT_ADD(value, _name) { .virt_id = _virt_id }

VALUE_VARIANT(0, 0);
VALUE_VARIANT(1, 1);
VALUE_VARIANT(u16_max, UINT16_MAX);
VALUE_VARIANT(bit_16, 1ULL << 16);
VALUE_VARIANT(bit_31, 1ULL << 31);
VALUE_VARIANT(u32_max, UINT32_MAX);
VALUE_VARIANT(bit_32, 1ULL << 32);
VALUE_VARIANT(bit_32_and_low_bits, (1ULL << 32) + 5);
VALUE_VARIANT(bit_63, 1ULL << 63);
VALUE_VARIANT(s64_max, INT64_MAX);
VALUE_VARIANT(u64_max_but_one, UINT64_MAX - 1);
VALUE_VARIANT(u64_max, UINT64_MAX);

/* Up to a vIOMMU with a nested HWPT, without devices */
static bool empty_viommu_setup(struct __test_metadata *_metadata, struct vm *vm)
{
	if (!vm_setup_parent(_metadata, vm))
		return false;
	vm->viommu = mock_viommu_alloc(&vm->iommufd, vm->dev.idev_id, vm->parent);
	vm->nested = mock_hwpt_alloc_nested(&vm->iommufd, vm->dev.idev_id, vm->viommu, 0, 0,
					    VM_IOTLB);
	return true;
}

FIXTURE_SETUP(value)
{
	if (empty_viommu_setup(_metadata, &self->vm))
		self->other = mock_device_create(&self->vm.iommufd, self->vm.ioas, 0);
}

FIXTURE_TEARDOWN(value)
{
	vm_close(&self->vm);
}

TEST_F(value, can_be_taken_attached_and_given_up)
{
	RULE("UAPI-51");
	struct vm *vm = &self->vm;
	uint32_t vdevice, second;

	ASSERT_EQ(0, __vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, variant->virt_id,
				     &vdevice));
	EXPECT_EQ(-EEXIST, __vdevice_alloc(&vm->iommufd, vm->viommu, self->other.idev_id,
					   variant->virt_id, &second));
	EXPECT_EQ(0, __mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested));
	EXPECT_EQ(vm->nested, attached_hwpt(&vm->iommufd, vm->dev.stdev_id, RID));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&vm->iommufd, vm->viommu));
	iommufd_destroy(&vm->iommufd, vdevice);
	vdevice_alloc(&vm->iommufd, vm->viommu, self->other.idev_id, variant->virt_id);
	EXPECT_EQ(0, __mock_device_replace(&vm->iommufd, self->other.stdev_id, vm->nested));
}

/* Not a value that differs in one bit, nor its own low half, if it is wider than a request */
TEST_F(value, means_no_other)
{
	RULE("UAPI-51");
	struct vm *vm = &self->vm;
	uint32_t low = variant->virt_id;
	bool wide = variant->virt_id != low;

	vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, variant->virt_id);
	for (int bit = 0; bit < 32; bit++) {
		EXPECT_EQ(-EINVAL, device_invalidate(&vm->iommufd, vm->viommu, ALL,
						     low ^ 1u << bit, 0))
			check_note("virtual id %#x", low ^ 1u << bit);
	}
	EXPECT_EQ(CACHE_FULL, device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_EQ(wide ? -EINVAL : 0, device_invalidate(&vm->iommufd, vm->viommu, 0, low, 0));
	EXPECT_EQ(wide ? CACHE_FULL : WORDS_FROM(1), device_words(&vm->iommufd, vm->dev.idev_id));
}

/* Neighbours in the vIOMMU: the values one below, one above, and equal in the low 32 bits */
TEST_F(value, is_apart_from_its_neighbours)
{
	RULE("UAPI-51");
	const uint64_t neighbour[] = {
		variant->virt_id - 1, variant->virt_id + 1, variant->virt_id ^ 1ULL << 32,
		variant->virt_id ^ 1ULL << 63,
	};
	struct mock_device dev[ARRAY_SIZE(neighbour)];
	struct vm *vm = &self->vm;

	vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, variant->virt_id);
	for (size_t i = 0; i < ARRAY_SIZE(dev); i++) {
		dev[i] = mock_device_create(&vm->iommufd, vm->ioas, 0);
		vdevice_alloc(&vm->iommufd, vm->viommu, dev[i].idev_id, neighbour[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(dev); i++) {
		bool wide = neighbour[i] > UINT32_MAX;

		if (!wide)
			EXPECT_EQ(0, device_invalidate(&vm->iommufd, vm->viommu, ALL,
						       neighbour[i], 0));
		EXPECT_EQ(wide ? CACHE_FULL : 0, device_words(&vm->iommufd, dev[i].idev_id));
		EXPECT_EQ(CACHE_FULL, device_words(&vm->iommufd, vm->dev.idev_id));
	}
}

/* An event of the mock: its virtual id; -errno if the device made none */
static int64_t event_virt_id(struct vm *vm, int fd)
{
	struct {
		struct iommufd_vevent_header header;
		struct iommu_viommu_event_selftest event;
	} record;
	int rc = __mock_trigger_vevent(&vm->iommufd, vm->dev.idev_id);

	if (rc)
		return rc;
	return iommufd_read(fd, &record, sizeof(record)) == sizeof(record) ?
	       record.event.virt_id : -EIO;
}

FIXTURE(event) {
	struct vm vm;
	int fd;
};

FIXTURE_VARIANT(event) {
	uint32_t virt_id;
};

#define EVENT_VARIANT(_name, _virt_id) \
	FIXTURE_VARIANT_ADD(event, _name) { .virt_id = _virt_id }

EVENT_VARIANT(0, 0);
EVENT_VARIANT(1, 1);
EVENT_VARIANT(u16_max, UINT16_MAX);
EVENT_VARIANT(bit_16, 1U << 16);
EVENT_VARIANT(bit_31, 1U << 31);
EVENT_VARIANT(u32_max, UINT32_MAX);

FIXTURE_SETUP(event)
{
	struct vm *vm = &self->vm;

	if (empty_viommu_setup(_metadata, vm))
		veventq_alloc(&vm->iommufd, vm->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, EVENT_DEPTH,
			      &self->fd);
}

FIXTURE_TEARDOWN(event)
{
	vm_close(&self->vm);
}

TEST_F(event, of_a_device_has_its_virtual_id)
{
	RULE("UAPI-51");
	struct vm *vm = &self->vm;

	vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, variant->virt_id);
	EXPECT_EQ(-ENOENT, event_virt_id(vm, self->fd));
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested);
	EXPECT_EQ((int64_t)variant->virt_id, event_virt_id(vm, self->fd));
}

/* Many */

#define MANY 64

enum pattern { CONSECUTIVE, DESCENDING, SPARSE, RANDOM };

FIXTURE(many) {
	struct vm vm;
	struct prng prng;
	struct mock_device dev[MANY];
	uint32_t virt_id[MANY];
	uint32_t vdevice[MANY];
	int order[MANY];	/* a permutation */
};

FIXTURE_VARIANT(many) {
	enum pattern pattern;
};

FIXTURE_VARIANT_ADD(many, consecutive) { .pattern = CONSECUTIVE };
FIXTURE_VARIANT_ADD(many, descending) { .pattern = DESCENDING };
FIXTURE_VARIANT_ADD(many, sparse) { .pattern = SPARSE };
FIXTURE_VARIANT_ADD(many, random) { .pattern = RANDOM };

static uint32_t pattern_virt_id(struct prng *prng, enum pattern pattern, uint32_t i)
{
	switch (pattern) {
	case CONSECUTIVE:
		return i;
	case DESCENDING:
		return UINT32_MAX - i;
	case SPARSE:
		return i << 26;
	default:
		/* in a part of its own, so that none is drawn twice */
		return i << 26 | prng_below(prng, 1 << 26);
	}
}

FIXTURE_SETUP(many)
{
	struct vm *vm = &self->vm;

	if (!vm_setup_parent(_metadata, vm))
		return;
	prng_init(&self->prng, prng_seed(), variant->pattern);
	vm->viommu = mock_viommu_alloc(&vm->iommufd, vm->dev.idev_id, vm->parent);
	for (int i = 0; i < MANY; i++) {
		int j = prng_below(&self->prng, i + 1);

		self->order[i] = self->order[j];
		self->order[j] = i;
		self->virt_id[i] = pattern_virt_id(&self->prng, variant->pattern, i);
		self->dev[i] = mock_device_create(&vm->iommufd, vm->ioas, 0);
		self->vdevice[i] = vdevice_alloc(&vm->iommufd, vm->viommu, self->dev[i].idev_id,
						 self->virt_id[i]);
	}
}

FIXTURE_TEARDOWN(many)
{
	vm_close(&self->vm);
}

static int many_invalidate(FIXTURE_DATA(many) *self, int i, uint32_t word)
{
	return device_invalidate(&self->vm.iommufd, self->vm.viommu, 0, self->virt_id[i], word);
}

TEST_F(many, each_is_reached_by_its_own_id_only)
{
	RULE("UAPI-51");
	bool done[MANY] = {};

	for (int i = 0; i < MANY; i++) {
		EXPECT_EQ(0, many_invalidate(self, self->order[i], 0));
		done[self->order[i]] = true;
		for (int j = 0; j < MANY; j++) {
			EXPECT_EQ(done[j] ? WORDS_FROM(1) : CACHE_FULL,
				  device_words(&self->vm.iommufd, self->dev[j].idev_id))
				check_note("device %d after %d requests", j, i + 1);
		}
	}
}

/* Half of those that go are destroyed, the others go with their device. */
TEST_F(many, those_that_go_leave_the_others)
{
	RULE("UAPI-52");
	struct iommufd *iommufd = &self->vm.iommufd;

	for (int gone = 0; gone < MANY; gone++) {
		int i = self->order[gone];

		iommufd_destroy(iommufd, gone % 2 ? self->vdevice[i] : self->dev[i].stdev_id);
		for (int j = 0; j < MANY; j++) {
			EXPECT_EQ(j <= gone ? -EINVAL : 0, many_invalidate(self, self->order[j], 0))
				check_note("virtual id %#x, %d gone",
					   self->virt_id[self->order[j]], gone + 1);
		}
	}
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->vm.viommu));
}

/* Life and death */

TEST_F(vdevice, destroyed_while_attached_can_be_made_again)
{
	RULE("UAPI-52");
	struct vm *vm = &self->v.vm;
	struct iommu_viommu_invalidate_selftest entry = { .flags = ALL, .vdev_id = VM_VIRT_ID };
	uint32_t num = 1;

	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested);
	iommufd_destroy(&vm->iommufd, vm->vdevice);
	EXPECT_EQ(-EINVAL, __hwpt_invalidate(&vm->iommufd, vm->viommu,
					     IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, &entry,
					     sizeof(entry), &num));
	EXPECT_EQ(0, num);
	EXPECT_EQ(vm->nested, attached_hwpt(&vm->iommufd, vm->dev.stdev_id, RID));
	EXPECT_EQ(0, iotlb_invalidate(&vm->iommufd, vm->nested, ALL, 0));
	EXPECT_EQ(0, iotlb_words(&vm->iommufd, vm->nested));

	vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, OTHER_VIRT_ID);
	EXPECT_EQ(-EINVAL, device_invalidate(&vm->iommufd, vm->viommu, ALL, VM_VIRT_ID, 0));
	EXPECT_EQ(CACHE_FULL, device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_EQ(0, device_invalidate(&vm->iommufd, vm->viommu, ALL, OTHER_VIRT_ID, 0));
	EXPECT_EQ(0, device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_EQ(vm->nested, attached_hwpt(&vm->iommufd, vm->dev.stdev_id, RID));
}

/* The attachment goes on as it was; what is attached from then on has the new id. */
TEST_F(vdevice, made_again_its_new_id_counts_from_the_next_attach)
{
	RULE("UAPI-51");
	struct vm *vm = &self->v.vm;
	uint32_t next = mock_hwpt_alloc_nested(&vm->iommufd, vm->dev.idev_id, vm->viommu, 0, 0,
					       VM_IOTLB);
	int fd;

	veventq_alloc(&vm->iommufd, vm->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, EVENT_DEPTH, &fd);
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested);
	EXPECT_EQ(VM_VIRT_ID, event_virt_id(vm, fd));
	iommufd_destroy(&vm->iommufd, vm->vdevice);
	vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, OTHER_VIRT_ID);
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, next);
	EXPECT_EQ(OTHER_VIRT_ID, event_virt_id(vm, fd));
}

TEST_F(vdevice, made_again_and_attached_from_elsewhere_it_has_its_new_id)
{
	RULE("UAPI-51");
	struct vm *vm = &self->v.vm;
	int fd;

	veventq_alloc(&vm->iommufd, vm->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, EVENT_DEPTH, &fd);
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested);
	EXPECT_EQ(VM_VIRT_ID, event_virt_id(vm, fd));
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->ioas);
	iommufd_destroy(&vm->iommufd, vm->vdevice);
	vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, OTHER_VIRT_ID);
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested);
	EXPECT_EQ(OTHER_VIRT_ID, event_virt_id(vm, fd));
}

/* A device without one, at first and again later. What is attached stays in all cases. */
TEST_F(vdevice, is_needed_to_attach)
{
	RULE("UAPI-52");
	struct vm *vm = &self->v.vm;
	struct iommufd *iommufd = &vm->iommufd;
	uint32_t stdev = self->v.other.stdev_id, vdevice, next;

	next = mock_hwpt_alloc_nested(iommufd, vm->dev.idev_id, vm->viommu, 0, 0, VM_IOTLB);
	EXPECT_EQ(-ENOENT, __mock_device_replace(iommufd, stdev, vm->nested));
	EXPECT_EQ(self->v.other.hwpt_id, attached_hwpt(iommufd, stdev, RID));
	vdevice = vdevice_alloc(iommufd, vm->viommu, self->v.other.idev_id, OTHER_VIRT_ID);
	EXPECT_EQ(0, __mock_device_replace(iommufd, stdev, vm->nested));
	EXPECT_EQ(0, __mock_device_replace(iommufd, stdev, next));
	iommufd_destroy(iommufd, vdevice);
	EXPECT_EQ(-ENOENT, __mock_device_replace(iommufd, stdev, vm->nested));
	EXPECT_EQ(next, attached_hwpt(iommufd, stdev, RID));
	EXPECT_EQ(0, __mock_device_replace(iommufd, stdev, vm->ioas));
	EXPECT_EQ(-ENOENT, __mock_device_replace(iommufd, stdev, next));
	vdevice_alloc(iommufd, vm->viommu, self->v.other.idev_id, OTHER_VIRT_ID);
	EXPECT_EQ(0, __mock_device_replace(iommufd, stdev, next));
}

TEST_F(vdevice, device_can_move_to_another_viommu)
{
	RULE("UAPI-52");
	struct vm *vm = &self->v.vm;

	iommufd_destroy(&vm->iommufd, vm->vdevice);
	vdevice_alloc(&vm->iommufd, self->v.other_viommu, vm->dev.idev_id, VM_VIRT_ID);
	EXPECT_EQ(-EINVAL, device_invalidate(&vm->iommufd, vm->viommu, ALL, VM_VIRT_ID, 0));
	EXPECT_EQ(-ENOENT, __mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested));
	EXPECT_EQ(CACHE_FULL, device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_EQ(0, device_invalidate(&vm->iommufd, self->v.other_viommu, ALL, VM_VIRT_ID, 0));
	EXPECT_EQ(0, device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->nested));
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->viommu));
}

TEST_F(vdevice, can_come_and_go_for_long)
{
	RULE("UAPI-52");
	struct vm *vm = &self->v.vm;
	struct state before = state_get(&vm->iommufd);

	for (uint64_t i = 0; i < 1000; i++) {
		uint32_t viommu = i % 2 ? vm->viommu : self->v.other_viommu;

		iommufd_destroy(&vm->iommufd, vdevice_alloc(&vm->iommufd, viommu,
							    self->v.other.idev_id,
							    OTHER_VIRT_ID + i / 4));
	}
	EXPECT_STATE(&vm->iommufd, &before);
	EXPECT_EQ(-EINVAL, device_invalidate(&vm->iommufd, vm->viommu, ALL, OTHER_VIRT_ID, 0));
	EXPECT_EQ(0, device_invalidate(&vm->iommufd, vm->viommu, ALL, VM_VIRT_ID, 0));
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, self->v.other_viommu));
}

/* The device goes first */

TEST_F(vdevice, unbind_leaves_that_of_another_device)
{
	RULE("UAPI-52");
	struct vm *vm = &self->v.vm;
	struct iommufd *iommufd = &vm->iommufd;
	uint32_t vdevice = vdevice_alloc(iommufd, vm->viommu, self->v.other.idev_id,
					 OTHER_VIRT_ID);

	mock_device_replace(iommufd, vm->dev.stdev_id, vm->nested);
	mock_device_replace(iommufd, self->v.other.stdev_id, vm->nested);
	EXPECT_EQ(0, device_invalidate(iommufd, vm->viommu, 0, VM_VIRT_ID, 0));
	iommufd_destroy(iommufd, vm->dev.stdev_id);
	EXPECT_EQ(-EINVAL, device_invalidate(iommufd, vm->viommu, 0, VM_VIRT_ID, 0));
	EXPECT_EQ(CACHE_FULL, device_words(iommufd, self->v.other.idev_id));
	EXPECT_EQ(vm->nested, attached_hwpt(iommufd, self->v.other.stdev_id, RID));
	EXPECT_EQ(0, device_invalidate(iommufd, vm->viommu, ALL, OTHER_VIRT_ID, 0));
	EXPECT_EQ(0, device_words(iommufd, self->v.other.idev_id));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, vm->viommu));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, vdevice));
}

/* What stands where the lost one stood, in memory or by number, is not in the vIOMMU. */
TEST_F(vdevice, device_bound_next_is_not_in_the_viommu)
{
	RULE("UAPI-52");
	struct vm *vm = &self->v.vm;
	struct iommufd *iommufd = &vm->iommufd;
	struct mock_device next;

	for (int round = 0; round < 8; round++) {
		iommufd_destroy(iommufd, vm->dev.stdev_id);
		next = mock_device_create(iommufd, vm->ioas, 0);
		EXPECT_EQ(-EINVAL, device_invalidate(iommufd, vm->viommu, ALL, VM_VIRT_ID, 0));
		EXPECT_EQ(CACHE_FULL, device_words(iommufd, next.idev_id));
		EXPECT_EQ(-ENOENT, __mock_device_replace(iommufd, next.stdev_id, vm->nested));
		vdevice_alloc(iommufd, vm->viommu, next.idev_id, VM_VIRT_ID);
		EXPECT_EQ(0, __mock_device_replace(iommufd, next.stdev_id, vm->nested));
		EXPECT_EQ(0, device_invalidate(iommufd, vm->viommu, ALL, VM_VIRT_ID, 0));
		EXPECT_EQ(0, device_words(iommufd, next.idev_id));
		vm->dev = next;
	}
}

#define LOST 20

/* Each round leaves an id that nobody gets any more, and a virtual id that can be used again. */
TEST_F(vdevice, lost_ids_stay_lost_and_virtual_ids_come_back)
{
	RULE("UAPI-52");
	struct vm *vm = &self->v.vm;
	struct iommufd *iommufd = &vm->iommufd;
	uint32_t lost[LOST] = { vm->vdevice };

	for (int i = 1; i < LOST; i++) {
		iommufd_destroy(iommufd, vm->dev.stdev_id);
		vm->dev = mock_device_create(iommufd, vm->ioas, 0);
		lost[i] = vdevice_alloc(iommufd, vm->viommu, vm->dev.idev_id, VM_VIRT_ID);
		for (int j = 0; j < i; j++) {
			EXPECT_NE(lost[j], lost[i]);
			EXPECT_NE(lost[j], vm->dev.idev_id);
			EXPECT_NE(lost[j], vm->dev.stdev_id);
			EXPECT_EQ(-ENOENT, __iommufd_destroy(iommufd, lost[j]));
		}
	}
	EXPECT_EQ(0, __iommufd_destroy(iommufd, lost[LOST - 1]));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, vm->nested));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, vm->viommu));
}

TEST_F(vdevice, viommu_of_lost_ones_only_is_free)
{
	RULE("UAPI-52");
	struct vm *vm = &self->v.vm;
	struct iommufd *iommufd = &vm->iommufd;

	iommufd_destroy(iommufd, vm->nested);
	vdevice_alloc(iommufd, vm->viommu, self->v.other.idev_id, OTHER_VIRT_ID);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, vm->viommu));
	iommufd_destroy(iommufd, vm->dev.stdev_id);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, vm->viommu));
	iommufd_destroy(iommufd, self->v.other.stdev_id);
	EXPECT_EQ(0, __iommufd_destroy(iommufd, vm->viommu));
}

/* Two contexts */

FIXTURE(contexts) {
	struct vm vm;
	struct vm other;
};

FIXTURE_SETUP(contexts)
{
	if (vm_setup_viommu(_metadata, &self->vm))
		vm_setup_viommu(_metadata, &self->other);
}

FIXTURE_TEARDOWN(contexts)
{
	vm_close(&self->other);
	vm_close(&self->vm);
}

TEST_F(contexts, device_of_another_is_enoent)
{
	RULE("UAPI-50");
	struct iommufd *iommufd = &self->other.iommufd;
	struct mock_device dev;
	uint32_t vdevice;

	do {
		dev = mock_device_create(iommufd, self->other.ioas, 0);
	} while (state_has(&self->vm.iommufd, dev.idev_id));
	EXPECT_EQ(-ENOENT, __vdevice_alloc(&self->vm.iommufd, self->vm.viommu, dev.idev_id,
					   OTHER_VIRT_ID, &vdevice));
	EXPECT_EQ(0, __vdevice_alloc(iommufd, self->other.viommu, dev.idev_id, OTHER_VIRT_ID,
				     &vdevice));
}

TEST_F(contexts, viommu_of_another_is_enoent)
{
	RULE("UAPI-50");
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device dev = mock_device_create(iommufd, self->vm.ioas, 0);
	struct vm *other = &self->other;
	uint32_t viommu, vdevice;

	do {
		viommu = mock_viommu_alloc(&other->iommufd, other->dev.idev_id, other->parent);
	} while (state_has(iommufd, viommu));
	EXPECT_EQ(-ENOENT, __vdevice_alloc(iommufd, viommu, dev.idev_id, OTHER_VIRT_ID, &vdevice));
	EXPECT_EQ(0, __vdevice_alloc(iommufd, self->vm.viommu, dev.idev_id, OTHER_VIRT_ID,
				     &vdevice));
}

/* The closed one had the same ids, virtual and real. */
TEST_F(contexts, closing_one_leaves_the_other)
{
	RULE("UAPI-52");
	struct vm *vm = &self->vm;

	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested);
	EXPECT_EQ(0, device_invalidate(&self->other.iommufd, self->other.viommu, ALL, VM_VIRT_ID,
				       0));
	iommufd_close(&self->other.iommufd);
	EXPECT_EQ(CACHE_FULL, device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_EQ(0, device_invalidate(&vm->iommufd, vm->viommu, ALL, VM_VIRT_ID, 0));
	EXPECT_EQ(0, device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->vdevice));
}

NIT_TEST_MAIN
