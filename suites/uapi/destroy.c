// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_DESTROY: which object holds which other one, in both directions; what becomes of ids; and
 * closing files in any order with everything alive.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include "full_vm.h"
#include "iommufd/event.h"
#include "state.h"

#define PASID 5
#define TRIES 3		/* a refused DESTROY must not wear the object down */

/**
 * struct pair - an object and one user of it
 * @vm: what both are made of
 * @object: cannot be destroyed while its user is there
 * @user: id of the user, if it is an object
 * @fd: of the object or of the user, or -1
 * @map: the user, if it is a memory mapping
 * @pasid_attached: the mock, unlike VFIO, leaves it to us to detach PASIDs before a close
 */
struct pair {
	struct vm vm;
	uint32_t object;
	uint32_t user;
	int fd;
	void *map;
	bool pasid_attached;
};

#define PASID_HWPT(_pair) \
	hwpt_alloc(&(_pair)->vm.iommufd, (_pair)->vm.dev.idev_id, (_pair)->vm.ioas, \
		   IOMMU_HWPT_ALLOC_PASID)

#define NESTED_ON(_pair, _pt_id, _flags, _fault) \
	mock_hwpt_alloc_nested(&(_pair)->vm.iommufd, (_pair)->vm.dev.idev_id, _pt_id, _flags, \
			       _fault, VM_IOTLB)

static void release_user_object(struct __test_metadata *_metadata, struct pair *pair)
{
	iommufd_destroy(&pair->vm.iommufd, pair->user);
}

static void release_fd(struct __test_metadata *_metadata, struct pair *pair)
{
	ASSERT_EQ(0, close(pair->fd));
	pair->fd = -1;
}

static void release_map(struct __test_metadata *_metadata, struct pair *pair)
{
	ASSERT_EQ(0, munmap(pair->map, 2 * sysconf(_SC_PAGESIZE)));
}

static void release_attachment(struct __test_metadata *_metadata, struct pair *pair)
{
	mock_device_replace(&pair->vm.iommufd, pair->vm.dev.stdev_id, pair->vm.ioas);
}

static void release_pasid(struct __test_metadata *_metadata, struct pair *pair)
{
	ASSERT_EQ(0, __mock_pasid_detach(&pair->vm.iommufd, pair->vm.dev.stdev_id, PASID));
	pair->pasid_attached = false;
}

/* Attach @object to the PASID; the RID must be on a page table with the PASID flag as well. */
static void attach_pasid(struct __test_metadata *_metadata, struct pair *pair)
{
	mock_device_replace(&pair->vm.iommufd, pair->vm.dev.stdev_id, PASID_HWPT(pair));
	ASSERT_EQ(0, __mock_pasid_attach(&pair->vm.iommufd, pair->vm.dev.stdev_id, PASID,
					 pair->object));
	pair->pasid_attached = true;
}

static void make_ioas_hwpt(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = ioas_alloc(&pair->vm.iommufd);
	pair->user = hwpt_alloc(&pair->vm.iommufd, pair->vm.dev.idev_id, pair->object, 0);
}

static void make_ioas_parent(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = ioas_alloc(&pair->vm.iommufd);
	pair->user = hwpt_alloc(&pair->vm.iommufd, pair->vm.dev.idev_id, pair->object,
				IOMMU_HWPT_ALLOC_NEST_PARENT);
}

static void make_ioas_device(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = ioas_alloc(&pair->vm.iommufd);
	pair->user = mock_device_create(&pair->vm.iommufd, pair->object, 0).stdev_id;
}

static void make_ioas_access(struct __test_metadata *_metadata, struct pair *pair)
{
	struct iommu_test_cmd cmd = { .size = sizeof(cmd), .op = IOMMU_TEST_OP_CREATE_ACCESS };

	pair->object = ioas_alloc(&pair->vm.iommufd);
	cmd.id = pair->object;
	ASSERT_EQ(0, __iommufd_ioctl(&pair->vm.iommufd, IOMMU_TEST_CMD, &cmd));
	pair->fd = cmd.create_access.out_access_fd;
}

static void make_hwpt_attachment(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = hwpt_alloc(&pair->vm.iommufd, pair->vm.dev.idev_id, pair->vm.ioas, 0);
	mock_device_replace(&pair->vm.iommufd, pair->vm.dev.stdev_id, pair->object);
}

static void make_hwpt_pasid(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = PASID_HWPT(pair);
	attach_pasid(_metadata, pair);
}

static void make_parent_attachment(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = pair->vm.parent;
	mock_device_replace(&pair->vm.iommufd, pair->vm.dev.stdev_id, pair->object);
}

static void make_parent_nested(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = pair->vm.parent;
	pair->user = NESTED_ON(pair, pair->object, 0, 0);
}

static void make_parent_viommu(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = pair->vm.parent;
	pair->user = mock_viommu_alloc(&pair->vm.iommufd, pair->vm.dev.idev_id, pair->object);
}

static void make_nested_attachment(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = NESTED_ON(pair, pair->vm.parent, 0, 0);
	mock_device_replace(&pair->vm.iommufd, pair->vm.dev.stdev_id, pair->object);
}

static void make_nested_pasid(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = NESTED_ON(pair, pair->vm.parent, IOMMU_HWPT_ALLOC_PASID, 0);
	attach_pasid(_metadata, pair);
}

static void make_viommu(struct __test_metadata *_metadata, struct pair *pair)
{
	pair->object = mock_viommu_alloc(&pair->vm.iommufd, pair->vm.dev.idev_id, pair->vm.parent);
}

static void make_viommu_nested(struct __test_metadata *_metadata, struct pair *pair)
{
	make_viommu(_metadata, pair);
	pair->user = NESTED_ON(pair, pair->object, 0, 0);
}

static void make_viommu_vdevice(struct __test_metadata *_metadata, struct pair *pair)
{
	make_viommu(_metadata, pair);
	pair->user = vdevice_alloc(&pair->vm.iommufd, pair->object, pair->vm.dev.idev_id,
				   VM_VIRT_ID);
}

static void make_viommu_veventq(struct __test_metadata *_metadata, struct pair *pair)
{
	int fd;

	make_viommu(_metadata, pair);
	ASSERT_EQ(0, __veventq_alloc(&pair->vm.iommufd, pair->object, IOMMU_VEVENTQ_TYPE_SELFTEST,
				     1, &pair->user, &fd));
	close(fd);
}

static uint32_t add_hw_queue(struct __test_metadata *_metadata, struct pair *pair,
			     uint32_t viommu, uint32_t index)
{
	return ASSERT_NEW_ID(__hw_queue_alloc(&pair->vm.iommufd, viommu,
					      IOMMU_HW_QUEUE_TYPE_SELFTEST, index,
					      MOCK_APERTURE_START, sysconf(_SC_PAGESIZE), &id));
}

static void add_queue_memory(struct __test_metadata *_metadata, struct pair *pair)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(0, __ioas_map(&pair->vm.iommufd, pair->vm.ioas, memory, page,
				MOCK_APERTURE_START,
				IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE));
}

static void make_viommu_hw_queue(struct __test_metadata *_metadata, struct pair *pair)
{
	make_viommu(_metadata, pair);
	add_queue_memory(_metadata, pair);
	pair->user = add_hw_queue(_metadata, pair, pair->object, 0);
}

static void make_hw_queue_next(struct __test_metadata *_metadata, struct pair *pair)
{
	make_viommu(_metadata, pair);
	add_queue_memory(_metadata, pair);
	pair->vm.viommu = pair->object;
	pair->object = add_hw_queue(_metadata, pair, pair->vm.viommu, 0);
	pair->user = add_hw_queue(_metadata, pair, pair->vm.viommu, 1);
}

static void make_viommu_map(struct __test_metadata *_metadata, struct pair *pair)
{
	struct iommu_viommu_selftest data = { .in_data = 1 };

	ASSERT_EQ(0, __viommu_alloc(&pair->vm.iommufd, pair->vm.dev.idev_id, pair->vm.parent,
				    IOMMU_VIOMMU_TYPE_SELFTEST, &data, sizeof(data),
				    &pair->object));
	ASSERT_EQ(0, __iommufd_mmap(&pair->vm.iommufd, data.out_mmap_length, data.out_mmap_offset,
				    &pair->map));
}

static void make_veventq_fd(struct __test_metadata *_metadata, struct pair *pair)
{
	make_viommu(_metadata, pair);
	ASSERT_EQ(0, __veventq_alloc(&pair->vm.iommufd, pair->object, IOMMU_VEVENTQ_TYPE_SELFTEST,
				     1, &pair->object, &pair->fd));
}

static void make_fault_fd(struct __test_metadata *_metadata, struct pair *pair)
{
	ASSERT_EQ(0, __fault_queue_alloc(&pair->vm.iommufd, &pair->object, &pair->fd));
}

static void make_fault(struct __test_metadata *_metadata, struct pair *pair)
{
	make_fault_fd(_metadata, pair);
	release_fd(_metadata, pair);
}

static void make_fault_hwpt(struct __test_metadata *_metadata, struct pair *pair)
{
	make_fault(_metadata, pair);
	ASSERT_EQ(0, __hwpt_alloc_data(&pair->vm.iommufd, pair->vm.dev.idev_id, pair->vm.ioas,
				       IOMMU_HWPT_FAULT_ID_VALID, pair->object,
				       IOMMU_HWPT_DATA_NONE, NULL, 0, &pair->user));
}

static void make_fault_nested(struct __test_metadata *_metadata, struct pair *pair)
{
	make_fault(_metadata, pair);
	pair->user = NESTED_ON(pair, pair->vm.parent, IOMMU_HWPT_FAULT_ID_VALID, pair->object);
}

static void make_fault_viommu_nested(struct __test_metadata *_metadata, struct pair *pair)
{
	make_viommu(_metadata, pair);
	pair->vm.viommu = pair->object;
	make_fault(_metadata, pair);
	pair->user = NESTED_ON(pair, pair->vm.viommu, IOMMU_HWPT_FAULT_ID_VALID, pair->object);
}

FIXTURE(pair) {
	struct pair pair;
	struct state before;
};

FIXTURE_VARIANT(pair) {
	void (*make)(struct __test_metadata *_metadata, struct pair *pair);
	void (*release)(struct __test_metadata *_metadata, struct pair *pair);
};

#define PAIR_VARIANT(_pair, _release) \
	FIXTURE_VARIANT_ADD(pair, _pair) { .make = make_##_pair, .release = release_##_release }

PAIR_VARIANT(ioas_hwpt, user_object);
PAIR_VARIANT(ioas_parent, user_object);
PAIR_VARIANT(ioas_device, user_object);
PAIR_VARIANT(ioas_access, fd);
PAIR_VARIANT(hwpt_attachment, attachment);
PAIR_VARIANT(hwpt_pasid, pasid);
PAIR_VARIANT(parent_attachment, attachment);
PAIR_VARIANT(parent_nested, user_object);
PAIR_VARIANT(parent_viommu, user_object);
PAIR_VARIANT(nested_attachment, attachment);
PAIR_VARIANT(nested_pasid, pasid);
PAIR_VARIANT(viommu_nested, user_object);
PAIR_VARIANT(viommu_vdevice, user_object);
PAIR_VARIANT(viommu_veventq, user_object);
PAIR_VARIANT(viommu_hw_queue, user_object);
PAIR_VARIANT(viommu_map, map);
PAIR_VARIANT(hw_queue_next, user_object);
PAIR_VARIANT(veventq_fd, fd);
PAIR_VARIANT(fault_fd, fd);
PAIR_VARIANT(fault_hwpt, user_object);
PAIR_VARIANT(fault_nested, user_object);
PAIR_VARIANT(fault_viommu_nested, user_object);

FIXTURE_SETUP(pair)
{
	struct vm *vm = &self->pair.vm;

	self->pair.fd = -1;
	if (!vm_open(_metadata, vm))
		return;
	vm_add_device(_metadata, vm, MOCK_FLAGS_DEVICE_PASID);
	vm->parent = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas,
				IOMMU_HWPT_ALLOC_NEST_PARENT);
	variant->make(_metadata, &self->pair);
	self->before = state_get(&vm->iommufd);
}

FIXTURE_TEARDOWN(pair)
{
	if (self->pair.pasid_attached)
		release_pasid(_metadata, &self->pair);
	if (self->pair.fd >= 0)
		close(self->pair.fd);
	vm_close(&self->pair.vm);
}

TEST_F(pair, used_object_is_ebusy_and_nothing_changes)
{
	RULE("UAPI-27");
	for (int i = 0; i < TRIES; i++) {
		EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->pair.vm.iommufd, self->pair.object));
		EXPECT_STATE(&self->pair.vm.iommufd, &self->before);
	}
}

TEST_F(pair, object_can_go_after_its_user)
{
	RULE("UAPI-27");
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->pair.vm.iommufd, self->pair.object));
	variant->release(_metadata, &self->pair);
	EXPECT_EQ(0, __iommufd_destroy(&self->pair.vm.iommufd, self->pair.object));
	EXPECT_FALSE(state_has(&self->pair.vm.iommufd, self->pair.object));
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&self->pair.vm.iommufd, self->pair.object));
}

/* Closing with the pair alive must work as well; a new context starts from nothing. */
TEST_F(pair, close_takes_both)
{
	RULE("UAPI-29");
	struct iommufd other;

	if (self->pair.pasid_attached)
		release_pasid(_metadata, &self->pair);
	iommufd_close(&self->pair.vm.iommufd);
	ASSERT_EQ(0, __iommufd_open(&other));
	EXPECT_FALSE(state_has(&other, self->pair.object));
	iommufd_close(&other);
}

/* Ids */

FIXTURE(id) {
	struct full_vm full;
};

FIXTURE_SETUP(id)
{
	full_vm_setup(_metadata, &self->full);
}

FIXTURE_TEARDOWN(id)
{
	full_vm_teardown(_metadata, &self->full);
}

TEST_F(id, id_of_nothing_is_enoent)
{
	RULE("UAPI-28");
	const uint32_t ids[] = { 0, 1000, INT32_MAX, 1U << 31, UINT32_MAX };
	struct state before = state_get(&self->full.vm.iommufd);

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		EXPECT_EQ(-ENOENT, __iommufd_destroy(&self->full.vm.iommufd, ids[i]))
			check_note("id %#x", ids[i]);
	}
	EXPECT_STATE(&self->full.vm.iommufd, &before);
}

TEST_F(id, devices_belong_to_their_driver)
{
	RULE("UAPI-27");
	struct iommufd *iommufd = &self->full.vm.iommufd;
	struct state before = state_get(iommufd);

	for (int i = 0; i < TRIES; i++) {
		EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->full.vm.dev.idev_id));
		EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->full.spare_dev.idev_id));
		EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->full.vm.dev.hwpt_id));
	}
	EXPECT_STATE(iommufd, &before);
}

TEST_F(id, all_objects_have_ids_of_their_own)
{
	RULE("UAPI-28");
	struct full_vm *full = &self->full;
	const uint32_t ids[] = {
		full->vm.ioas, full->vm.dev.stdev_id, full->vm.dev.idev_id, full->vm.dev.hwpt_id,
		full->vm.parent, full->vm.viommu, full->vm.vdevice, full->vm.nested,
		full->spare_dev.stdev_id, full->spare_dev.idev_id, full->spare_viommu,
		full->paging, full->fault, full->veventq, full->hw_queue,
	};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		EXPECT_NE(0, ids[i]);
		EXPECT_TRUE(state_has(&full->vm.iommufd, ids[i]));
		for (size_t j = 0; j < i; j++) {
			EXPECT_NE(ids[i], ids[j]);
		}
	}
}

/* An id may come back, but then it is the new object, with nothing of the old one. */
TEST_F(id, reused_id_is_the_new_object)
{
	RULE("UAPI-28");
	struct iommufd *iommufd = &self->full.vm.iommufd;
	uint32_t old, new, none = 0;

	old = mock_hwpt_alloc_nested(iommufd, self->full.vm.dev.idev_id, self->full.vm.parent, 0, 0,
				     VM_IOTLB);
	EXPECT_EQ(0, __hwpt_invalidate(iommufd, old, IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, NULL, 0,
				       &none));
	iommufd_destroy(iommufd, old);
	new = ioas_alloc(iommufd);
	EXPECT_EQ(new == old ? -EINVAL : -ENOENT,
		  __hwpt_invalidate(iommufd, old, IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, NULL, 0,
				    &none));
	EXPECT_EQ(-ENOENT, __mock_check_iotlb(iommufd, new, 0, VM_IOTLB));
	iommufd_destroy(iommufd, new);
}

TEST_F(id, ids_of_one_context_mean_nothing_in_another)
{
	RULE("UAPI-28");
	struct state before = state_get(&self->full.vm.iommufd);
	struct iommufd other;

	ASSERT_EQ(0, __iommufd_open(&other));
	for (uint32_t id = 0; id < STATE_IDS; id++) {
		EXPECT_EQ(-ENOENT, __iommufd_destroy(&other, id));
	}
	iommufd_close(&other);
	EXPECT_STATE(&self->full.vm.iommufd, &before);
}

TEST_F(id, destroyed_compatibility_ioas_is_forgotten)
{
	RULE("UAPI-28");
	struct iommufd *iommufd = &self->full.vm.iommufd;
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd), .op = IOMMU_VFIO_IOAS_SET, .ioas_id = ioas_alloc(iommufd),
	};
	uint32_t ioas = cmd.ioas_id;

	ASSERT_EQ(0, __iommufd_ioctl(iommufd, IOMMU_VFIO_IOAS, &cmd));
	cmd.op = IOMMU_VFIO_IOAS_GET;
	cmd.ioas_id = 0;
	ASSERT_EQ(0, __iommufd_ioctl(iommufd, IOMMU_VFIO_IOAS, &cmd));
	EXPECT_EQ(ioas, cmd.ioas_id);
	iommufd_destroy(iommufd, ioas);
	EXPECT_EQ(-ENODEV, __iommufd_ioctl(iommufd, IOMMU_VFIO_IOAS, &cmd));
}

TEST_F(id, accesses_belong_to_their_driver)
{
	RULE("UAPI-27");
	struct iommufd *iommufd = &self->full.vm.iommufd;
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd), .op = IOMMU_TEST_OP_CREATE_ACCESS, .id = self->full.vm.ioas,
	};
	struct state before = state_get(iommufd), with_access;
	uint32_t access = 0;

	ASSERT_EQ(0, __iommufd_ioctl(iommufd, IOMMU_TEST_CMD, &cmd));
	with_access = state_get(iommufd);
	while (access < STATE_IDS && before.probe[access] == with_access.probe[access])
		access++;
	ASSERT_GT(STATE_IDS, access);
	for (int i = 0; i < TRIES; i++) {
		EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, access));
	}
	EXPECT_STATE(iommufd, &with_access);
	close(cmd.create_access.out_access_fd);
	EXPECT_EQ(-ENOENT, __iommufd_destroy(iommufd, access));
	EXPECT_STATE(iommufd, &before);
}

/* vDEVICEs: nothing uses one, so it can always go; and its device may go first. */

FIXTURE(vdevice) {
	struct vm vm;
};

FIXTURE_SETUP(vdevice)
{
	vm_setup_viommu(_metadata, &self->vm);
}

FIXTURE_TEARDOWN(vdevice)
{
	vm_close(&self->vm);
}

/* Everything that is left can be destroyed: no reference was lost on the way. */
static void expect_rest_destroyable(struct __test_metadata *_metadata, struct vm *vm)
{
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->nested));
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->viommu));
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->parent));
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->ioas));
}

TEST_F(vdevice, goes_while_its_device_is_attached)
{
	RULE("UAPI-27");
	struct iommufd *iommufd = &self->vm.iommufd;

	mock_device_replace(iommufd, self->vm.dev.stdev_id, self->vm.nested);
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->vm.vdevice));
	EXPECT_EQ(-ENOENT, __iommufd_destroy(iommufd, self->vm.vdevice));
	EXPECT_EQ(0, __mock_pasid_check(iommufd, self->vm.dev.stdev_id, 0, self->vm.nested));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->vm.nested));
	iommufd_destroy(iommufd, self->vm.dev.stdev_id);
	expect_rest_destroyable(_metadata, &self->vm);
}

TEST_F(vdevice, is_gone_with_its_device)
{
	RULE("UAPI-28");
	struct iommufd *iommufd = &self->vm.iommufd;

	iommufd_destroy(iommufd, self->vm.dev.stdev_id);
	EXPECT_FALSE(state_has(iommufd, self->vm.dev.idev_id));
	EXPECT_FALSE(state_has(iommufd, self->vm.vdevice));
	for (int i = 0; i < TRIES; i++) {
		EXPECT_EQ(-ENOENT, __iommufd_destroy(iommufd, self->vm.vdevice));
	}
	expect_rest_destroyable(_metadata, &self->vm);
}

TEST_F(vdevice, is_gone_with_its_attached_device)
{
	RULE("UAPI-28");
	struct iommufd *iommufd = &self->vm.iommufd;

	mock_device_replace(iommufd, self->vm.dev.stdev_id, self->vm.nested);
	iommufd_destroy(iommufd, self->vm.dev.stdev_id);
	EXPECT_EQ(-ENOENT, __iommufd_destroy(iommufd, self->vm.vdevice));
	expect_rest_destroyable(_metadata, &self->vm);
}

TEST_F(vdevice, id_of_one_that_went_with_its_device_is_never_used_again)
{
	RULE("UAPI-28");
	struct iommufd *iommufd = &self->vm.iommufd;

	iommufd_destroy(iommufd, self->vm.dev.stdev_id);
	for (int i = 0; i < 100; i++) {
		EXPECT_NE(self->vm.vdevice, ioas_alloc(iommufd));
	}
	EXPECT_EQ(-ENOENT, __iommufd_destroy(iommufd, self->vm.vdevice));
}

TEST_F(vdevice, id_of_one_that_was_destroyed_first_leaves_nothing)
{
	RULE("UAPI-28");
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device dev;
	struct state before;
	uint32_t vdevice;

	iommufd_destroy(iommufd, self->vm.vdevice);
	before = state_get(iommufd);
	for (int i = 0; i < TRIES; i++) {
		dev = mock_device_create(iommufd, self->vm.ioas, 0);
		vdevice = vdevice_alloc(iommufd, self->vm.viommu, dev.idev_id, VM_VIRT_ID);
		iommufd_destroy(iommufd, vdevice);
		iommufd_destroy(iommufd, dev.stdev_id);
	}
	EXPECT_STATE(iommufd, &before);
}

/* Closing everything in any order */

enum { CLOSE_IOMMUFD, CLOSE_FAULT, CLOSE_VEVENTQ, CLOSE_MAP, CLOSERS };

struct closing {
	struct full_vm full;
	void *map;
	size_t map_length;
};

static bool closing_setup(struct __test_metadata *_metadata, struct closing *closing)
{
	struct iommu_viommu_selftest data = { .in_data = 1 };
	struct full_vm *full = &closing->full;
	uint32_t viommu;

	*closing = (struct closing){};
	if (!full_vm_setup(_metadata, full))
		return false;
	mock_device_replace(&full->vm.iommufd, full->vm.dev.stdev_id, full->vm.nested);
	ASSERT_EQ(0, __viommu_alloc(&full->vm.iommufd, full->vm.dev.idev_id, full->vm.parent,
				    IOMMU_VIOMMU_TYPE_SELFTEST, &data, sizeof(data), &viommu));
	closing->map_length = data.out_mmap_length;
	ASSERT_EQ(0, __iommufd_mmap(&full->vm.iommufd, data.out_mmap_length, data.out_mmap_offset,
				    &closing->map));
	return true;
}

static void close_one(struct closing *closing, int which)
{
	switch (which) {
	case CLOSE_IOMMUFD:
		iommufd_close(&closing->full.vm.iommufd);
		break;
	case CLOSE_FAULT:
		close(closing->full.fault_fd);
		break;
	case CLOSE_VEVENTQ:
		close(closing->full.veventq_fd);
		break;
	case CLOSE_MAP:
		munmap(closing->map, closing->map_length);
		break;
	}
}

/* Pages of the guest's memory are not pinned any more */
static void expect_unpinned(struct __test_metadata *_metadata, void *memory, size_t length)
{
	struct iommufd other;

	ASSERT_EQ(0, __iommufd_open(&other));
	EXPECT_EQ(0, __mock_check_refs(&other, memory, length, 0));
	iommufd_close(&other);
}

TEST(close_in_every_order)
{
	RULE("UAPI-29");
	struct closing closing;
	int order[CLOSERS];

	for (int code = 0; code < 256; code++) {
		unsigned int seen = 0;

		for (int i = 0; i < CLOSERS; i++) {
			order[i] = code >> 2 * i & 3;
			seen |= 1 << order[i];
		}
		if (seen != 0xf)
			continue;	/* no permutation */
		if (!closing_setup(_metadata, &closing))
			return;
		EXPECT_EQ(-EIO, __mock_check_refs(&closing.full.vm.iommufd, closing.full.memory,
						  closing.full.length, 0));
		for (int i = 0; i < CLOSERS; i++)
			close_one(&closing, order[i]);
		expect_unpinned(_metadata, closing.full.memory, closing.full.length);
		munmap(closing.full.memory, closing.full.length);
		close(closing.full.memfd);
	}
}

/* A queue keeps its context: with the iommufd closed it can be polled and read still. */
TEST(queues_outlive_the_iommufd_file)
{
	RULE("UAPI-29");
	struct closing closing;
	struct pollfd poll_fault = { .events = POLLIN }, poll_vevent = { .events = POLLIN };
	char buf[64];

	if (!closing_setup(_metadata, &closing))
		return;
	ASSERT_EQ(0, __mock_trigger_vevent(&closing.full.vm.iommufd,
					   closing.full.vm.dev.idev_id));
	close_one(&closing, CLOSE_IOMMUFD);
	close_one(&closing, CLOSE_MAP);
	poll_fault.fd = closing.full.fault_fd;
	poll_vevent.fd = closing.full.veventq_fd;
	EXPECT_EQ(0, poll(&poll_fault, 1, 0));
	EXPECT_EQ(1, poll(&poll_vevent, 1, 0));
	EXPECT_EQ(sizeof(struct iommufd_vevent_header) +
		  sizeof(struct iommu_viommu_event_selftest),
		  iommufd_read(closing.full.veventq_fd, buf, sizeof(buf)));
	EXPECT_EQ(0, poll(&poll_vevent, 1, 0));
	close_one(&closing, CLOSE_VEVENTQ);
	close_one(&closing, CLOSE_FAULT);
	expect_unpinned(_metadata, closing.full.memory, closing.full.length);
}

TEST(exit_with_everything_alive)
{
	RULE("UAPI-29");
	struct closing closing;
	struct iommufd other;
	int status = -1;
	pid_t child;

	NEEDS_KERNEL(return, "more than one process");
	if (!closing_setup(_metadata, &closing))
		return;
	/* The child is the last to hold everything. */
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	ASSERT_LT(0, child);
	for (int i = 0; i < CLOSERS; i++)
		close_one(&closing, i);
	ASSERT_EQ(0, __iommufd_open(&other));
	EXPECT_EQ(-EIO, __mock_check_refs(&other, closing.full.memory, closing.full.length, 0));
	iommufd_close(&other);
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	expect_unpinned(_metadata, closing.full.memory, closing.full.length);
}

/*
 * Destroying everything in random order, against a model of who uses whom: a used thing is EBUSY,
 * an unused one goes. Things are objects and the files of queues.
 */

enum thing {
	THING_IOAS,
	THING_DEVICE,		/* attached to the nested HWPT; its vDEVICE goes with it */
	THING_SPARE_DEVICE,	/* attached to the IOAS */
	THING_PARENT,
	THING_PAGING,
	THING_NESTED,
	THING_FAULTING,		/* a nested HWPT with the fault queue */
	THING_VIOMMU,
	THING_SPARE_VIOMMU,
	THING_VDEVICE,
	THING_FAULT,
	THING_FAULT_FD,
	THING_VEVENTQ,
	THING_VEVENTQ_FD,
	THING_HW_QUEUE,
	THINGS
};

#define BIT(_nr) (1U << (_nr))

static const unsigned int used_by[THINGS] = {
	[THING_IOAS] = BIT(THING_SPARE_DEVICE) | BIT(THING_PARENT) | BIT(THING_PAGING) |
		       BIT(THING_HW_QUEUE),
	[THING_PARENT] = BIT(THING_VIOMMU) | BIT(THING_SPARE_VIOMMU) | BIT(THING_FAULTING),
	[THING_NESTED] = BIT(THING_DEVICE),
	[THING_VIOMMU] = BIT(THING_NESTED) | BIT(THING_VDEVICE) | BIT(THING_VEVENTQ) |
			 BIT(THING_HW_QUEUE),
	[THING_FAULT] = BIT(THING_FAULTING) | BIT(THING_FAULT_FD),
	[THING_VEVENTQ] = BIT(THING_VEVENTQ_FD),
};

FIXTURE(random_order) {
	struct full_vm full;
	uint32_t faulting;
};

FIXTURE_VARIANT(random_order) {
	uint64_t stream;
};

FIXTURE_VARIANT_ADD(random_order, first) { .stream = 1 };
FIXTURE_VARIANT_ADD(random_order, second) { .stream = 2 };
FIXTURE_VARIANT_ADD(random_order, third) { .stream = 3 };
FIXTURE_VARIANT_ADD(random_order, fourth) { .stream = 4 };

FIXTURE_SETUP(random_order)
{
	struct full_vm *full = &self->full;

	if (!full_vm_setup(_metadata, full))
		return;
	mock_device_replace(&full->vm.iommufd, full->vm.dev.stdev_id, full->vm.nested);
	self->faulting = mock_hwpt_alloc_nested(&full->vm.iommufd, full->vm.dev.idev_id,
						full->vm.parent, IOMMU_HWPT_FAULT_ID_VALID,
						full->fault, VM_IOTLB);
}

FIXTURE_TEARDOWN(random_order)
{
	if (self->full.memory) {
		munmap(self->full.memory, self->full.length);
		close(self->full.memfd);
	}
	vm_close(&self->full.vm);
}

static int destroy_thing(FIXTURE_DATA(random_order) *self, enum thing thing)
{
	struct full_vm *full = &self->full;
	const uint32_t id[THINGS] = {
		full->vm.ioas, full->vm.dev.stdev_id, full->spare_dev.stdev_id, full->vm.parent,
		full->paging, full->vm.nested, self->faulting, full->vm.viommu,
		full->spare_viommu, full->vm.vdevice, full->fault, 0, full->veventq, 0,
		full->hw_queue,
	};

	if (thing == THING_FAULT_FD)
		return close(full->fault_fd);
	if (thing == THING_VEVENTQ_FD)
		return close(full->veventq_fd);
	return __iommufd_destroy(&full->vm.iommufd, id[thing]);
}

static void destroy_all(struct __test_metadata *_metadata, FIXTURE_DATA(random_order) *self,
			struct prng *prng)
{
	unsigned int alive = BIT(THINGS) - 1;

	while (alive) {
		enum thing thing = prng_below(prng, THINGS);
		int expected = used_by[thing] & alive ? -EBUSY : 0;

		if (!(alive & BIT(thing))) {
			if (thing == THING_FAULT_FD || thing == THING_VEVENTQ_FD)
				continue;
			expected = -ENOENT;
		}
		EXPECT_EQ(expected, destroy_thing(self, thing))
			check_note("thing %d with %#x alive", thing, alive);
		if (!expected)
			alive &= ~BIT(thing);
		if (thing == THING_DEVICE)
			alive &= ~BIT(THING_VDEVICE);
	}
}

TEST_F(random_order, used_is_ebusy_and_unused_goes)
{
	RULE("UAPI-27");
	struct prng prng;

	prng_init(&prng, prng_seed(), variant->stream);
	destroy_all(_metadata, self, &prng);
	if (!_metadata->exit_code)
		return;
	check_note("seed %#llx, stream %llu", (unsigned long long)prng_seed(),
		   (unsigned long long)variant->stream);
}

NIT_TEST_MAIN
