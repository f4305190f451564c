// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching page tables to PASIDs of a device.
 *
 * No ioctl of iommufd does this, drivers such as VFIO offer it; what iommufd promises is in the
 * description of IOMMU_HWPT_ALLOC_PASID and in the kernel-doc of iommufd_device_attach(),
 * _replace() and _detach(). The mock's operations are these three functions.
 */
#include <errno.h>

#include "attached.h"
#include "iommufd/event.h"

#define PASID 0x123
#define OTHER_PASID 0x124
#define THIRD_PASID 0x125
#define FAKE_ERROR_PASID IOMMU_TEST_PASID_RESERVED

/* Every PASID a test attaches is detached at the end: a device must not go while one is */
static const uint32_t used_pasids[] = {
	PASID, OTHER_PASID, THIRD_PASID, FAKE_ERROR_PASID, 1, (1u << MOCK_PASID_WIDTH) - 1,
};

enum kind {
	PAGING,
	OTHER_PAGING,
	PARENT,
	NESTED,
	VIOMMU_NESTED,
	FAULT_PAGING,
	FAULT_NESTED,
	KINDS,		/* all of them fit for PASIDs */
};

static const char *const kind_names[KINDS] = {
	"paging", "other paging", "nest parent", "nested on the parent", "nested on the vIOMMU",
	"paging with faults", "nested with faults",
};

/* Page tables that were not made for PASIDs */
enum plain {
	PLAIN_PAGING,
	PLAIN_PARENT,
	PLAIN_NESTED,
	PLAIN_VIOMMU_NESTED,
	PLAIN_IOAS,
	PLAINS,
};

static const char *const plain_names[PLAINS] = {
	"paging", "nest parent", "nested on the parent", "nested on the vIOMMU", "IOAS",
};

/**
 * struct pasid_vm - a VM with a device that has PASIDs
 * @rid: what the device itself is attached to, made for PASIDs
 */
struct pasid_vm {
	struct vm vm;
	uint32_t rid;
	uint32_t hwpt[KINDS];
	uint32_t plain[PLAINS];
	uint32_t fault;
	int fault_fd;
};

static void alloc_for_pasids(struct __test_metadata *_metadata, struct pasid_vm *self)
{
	const uint32_t with_faults = IOMMU_HWPT_ALLOC_PASID | IOMMU_HWPT_FAULT_ID_VALID;
	struct iommufd *iommufd = &self->vm.iommufd;
	uint32_t dev = self->vm.dev.idev_id;

	self->rid = hwpt_alloc(iommufd, dev, self->vm.ioas, IOMMU_HWPT_ALLOC_PASID);
	self->hwpt[PAGING] = hwpt_alloc(iommufd, dev, self->vm.ioas, IOMMU_HWPT_ALLOC_PASID);
	self->hwpt[OTHER_PAGING] = hwpt_alloc(iommufd, dev, self->vm.ioas, IOMMU_HWPT_ALLOC_PASID);
	self->hwpt[PARENT] = self->vm.parent;
	self->hwpt[NESTED] = mock_hwpt_alloc_nested(iommufd, dev, self->vm.parent,
						    IOMMU_HWPT_ALLOC_PASID, 0, VM_IOTLB);
	self->hwpt[VIOMMU_NESTED] = mock_hwpt_alloc_nested(iommufd, dev, self->vm.viommu,
							   IOMMU_HWPT_ALLOC_PASID, 0, VM_IOTLB);
	self->hwpt[FAULT_PAGING] =
		ASSERT_NEW_ID(__hwpt_alloc_data(iommufd, dev, self->vm.ioas, with_faults,
						self->fault, IOMMU_HWPT_DATA_NONE, NULL, 0, &id));
	self->hwpt[FAULT_NESTED] = mock_hwpt_alloc_nested(iommufd, dev, self->vm.parent,
							  with_faults, self->fault, VM_IOTLB);
}

static void alloc_plain(struct __test_metadata *_metadata, struct pasid_vm *self)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	uint32_t dev = self->vm.dev.idev_id;

	self->plain[PLAIN_PAGING] = hwpt_alloc(iommufd, dev, self->vm.ioas, 0);
	self->plain[PLAIN_PARENT] = hwpt_alloc(iommufd, dev, self->vm.ioas,
					       IOMMU_HWPT_ALLOC_NEST_PARENT);
	self->plain[PLAIN_NESTED] = mock_hwpt_alloc_nested(iommufd, dev, self->vm.parent, 0, 0,
							   VM_IOTLB);
	self->plain[PLAIN_VIOMMU_NESTED] = mock_hwpt_alloc_nested(iommufd, dev, self->vm.viommu,
								  0, 0, VM_IOTLB);
	self->plain[PLAIN_IOAS] = self->vm.ioas;
}

static bool pasid_vm_setup(struct __test_metadata *_metadata, struct pasid_vm *self)
{
	struct vm *vm = &self->vm;

	self->fault_fd = -1;
	if (!vm_open(_metadata, vm))
		return false;
	vm_add_device(_metadata, vm, MOCK_FLAGS_DEVICE_PASID);
	vm->parent = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas,
				IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_PASID);
	vm->viommu = mock_viommu_alloc(&vm->iommufd, vm->dev.idev_id, vm->parent);
	vm->vdevice = vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, VM_VIRT_ID);
	self->fault = fault_queue_alloc(&vm->iommufd, &self->fault_fd);
	alloc_for_pasids(_metadata, self);
	alloc_plain(_metadata, self);
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, self->rid);
	return true;
}

/* Every page table must be free once nothing is attached: a leaked reference keeps it busy. */
static void pasid_vm_teardown(struct __test_metadata *_metadata, struct pasid_vm *self)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	const uint32_t nested[] = {
		self->hwpt[NESTED], self->hwpt[VIOMMU_NESTED], self->hwpt[FAULT_NESTED],
		self->plain[PLAIN_NESTED], self->plain[PLAIN_VIOMMU_NESTED],
		self->hwpt[PAGING], self->hwpt[OTHER_PAGING], self->hwpt[FAULT_PAGING], self->rid,
		self->plain[PLAIN_PAGING], self->plain[PLAIN_PARENT],
		self->vm.vdevice, self->vm.viommu, self->vm.parent,
	};

	if (!self->vm.iommufd.ops)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(used_pasids); i++)
		__mock_pasid_detach(iommufd, self->vm.dev.stdev_id, used_pasids[i]);
	__mock_pasid_detach(iommufd, self->vm.dev.stdev_id, RID);
	for (size_t i = 0; !_metadata->exit_code && i < ARRAY_SIZE(nested); i++) {
		int rc = __iommufd_destroy(iommufd, nested[i]);

		/* -ENOENT: the test has destroyed it itself */
		EXPECT_TRUE(rc == 0 || rc == -ENOENT)
			check_note("destroying object %u at the end gives %d", nested[i], rc);
	}
	if (self->fault_fd >= 0)
		close(self->fault_fd);
	vm_close(&self->vm);
}

static uint32_t attached(struct pasid_vm *self, uint32_t pasid)
{
	return attached_hwpt(&self->vm.iommufd, self->vm.dev.stdev_id, pasid);
}

static int pasid_attach(struct pasid_vm *self, uint32_t pasid, uint32_t pt_id)
{
	return __mock_pasid_attach(&self->vm.iommufd, self->vm.dev.stdev_id, pasid, pt_id);
}

static int pasid_replace(struct pasid_vm *self, uint32_t pasid, uint32_t pt_id)
{
	return __mock_pasid_replace(&self->vm.iommufd, self->vm.dev.stdev_id, pasid, pt_id);
}

static int pasid_detach(struct pasid_vm *self, uint32_t pasid)
{
	return __mock_pasid_detach(&self->vm.iommufd, self->vm.dev.stdev_id, pasid);
}

/* The kinds of page table, one test each */
FIXTURE(kind) {
	struct pasid_vm p;
	uint32_t hwpt;
};

FIXTURE_VARIANT(kind) {
	enum kind kind;
};

FIXTURE_VARIANT_ADD(kind, paging) { .kind = PAGING };
FIXTURE_VARIANT_ADD(kind, parent) { .kind = PARENT };
FIXTURE_VARIANT_ADD(kind, nested) { .kind = NESTED };
FIXTURE_VARIANT_ADD(kind, viommu_nested) { .kind = VIOMMU_NESTED };
FIXTURE_VARIANT_ADD(kind, fault_paging) { .kind = FAULT_PAGING };
FIXTURE_VARIANT_ADD(kind, fault_nested) { .kind = FAULT_NESTED };

FIXTURE_SETUP(kind)
{
	if (pasid_vm_setup(_metadata, &self->p))
		self->hwpt = self->p.hwpt[variant->kind];
}

FIXTURE_TEARDOWN(kind)
{
	pasid_vm_teardown(_metadata, &self->p);
}

TEST_F(kind, attach_and_detach)
{
	RULE("UAPI-79");
	EXPECT_EQ(0u, attached(&self->p, PASID));
	EXPECT_EQ(0, pasid_attach(&self->p, PASID, self->hwpt));
	EXPECT_EQ(self->hwpt, attached(&self->p, PASID));
	EXPECT_EQ(self->p.rid, attached(&self->p, RID));
	EXPECT_EQ(0u, attached(&self->p, OTHER_PASID));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->p.vm.iommufd, self->hwpt));
	EXPECT_EQ(0, pasid_detach(&self->p, PASID));
	EXPECT_EQ(0u, attached(&self->p, PASID));
	EXPECT_EQ(self->p.rid, attached(&self->p, RID));
}

TEST_F(kind, attach_again_after_detach)
{
	RULE("UAPI-79");
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, pasid_attach(&self->p, PASID, self->hwpt));
		EXPECT_EQ(self->hwpt, attached(&self->p, PASID));
		EXPECT_EQ(0, pasid_detach(&self->p, PASID));
		EXPECT_EQ(0u, attached(&self->p, PASID));
	}
}

TEST_F(kind, replace_by_every_kind_and_back)
{
	RULE("UAPI-79");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->hwpt));
	for (int to = 0; to < KINDS; to++) {
		EXPECT_EQ(0, pasid_replace(&self->p, PASID, self->p.hwpt[to]))
			check_note("replaced by: %s", kind_names[to]);
		EXPECT_EQ(self->p.hwpt[to], attached(&self->p, PASID));
		EXPECT_EQ(0, pasid_replace(&self->p, PASID, self->hwpt))
			check_note("replaced back from: %s", kind_names[to]);
		EXPECT_EQ(self->hwpt, attached(&self->p, PASID));
	}
	EXPECT_EQ(self->p.rid, attached(&self->p, RID));
}

TEST_F(kind, replaced_one_is_free)
{
	uint32_t to = self->p.hwpt[OTHER_PAGING];

	RULE("UAPI-79");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->hwpt));
	ASSERT_EQ(0, pasid_replace(&self->p, PASID, to));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->p.vm.iommufd, to));
	if (variant->kind != PARENT) {	/* has nested ones on it */
		EXPECT_EQ(0, __iommufd_destroy(&self->p.vm.iommufd, self->hwpt));
	}
	EXPECT_EQ(to, attached(&self->p, PASID));
}

TEST_F(kind, replace_by_itself)
{
	RULE("UAPI-79");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->hwpt));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, pasid_replace(&self->p, PASID, self->hwpt));
		EXPECT_EQ(self->hwpt, attached(&self->p, PASID));
	}
	/* One detach is enough: the tear-down finds a reference too many. */
	EXPECT_EQ(0, pasid_detach(&self->p, PASID));
	EXPECT_EQ(0u, attached(&self->p, PASID));
}

TEST_F(kind, second_attach_is_refused)
{
	RULE("UAPI-77");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->hwpt));
	for (int to = 0; to < KINDS; to++) {
		EXPECT_EQ(-EBUSY, pasid_attach(&self->p, PASID, self->p.hwpt[to]))
			check_note("attached to: %s", kind_names[to]);
		EXPECT_EQ(self->hwpt, attached(&self->p, PASID));
	}
	EXPECT_EQ(0, pasid_detach(&self->p, PASID));
	EXPECT_EQ(0u, attached(&self->p, PASID));
}

TEST_F(kind, replace_without_attach_is_refused)
{
	RULE("UAPI-77");
	EXPECT_EQ(-EINVAL, pasid_replace(&self->p, PASID, self->hwpt));
	EXPECT_EQ(0u, attached(&self->p, PASID));
	ASSERT_EQ(0, pasid_attach(&self->p, OTHER_PASID, self->hwpt));
	EXPECT_EQ(-EINVAL, pasid_replace(&self->p, PASID, self->hwpt));
	EXPECT_EQ(0u, attached(&self->p, PASID));
	EXPECT_EQ(self->hwpt, attached(&self->p, OTHER_PASID));
	EXPECT_EQ(0, pasid_attach(&self->p, PASID, self->hwpt));
}

TEST_F(kind, one_page_table_on_many_pasids)
{
	const uint32_t pasids[] = { PASID, OTHER_PASID, THIRD_PASID };

	RULE("UAPI-79");
	for (size_t i = 0; i < ARRAY_SIZE(pasids); i++) {
		EXPECT_EQ(0, pasid_attach(&self->p, pasids[i], self->hwpt));
	}
	for (size_t i = 0; i < ARRAY_SIZE(pasids); i++) {
		EXPECT_EQ(self->hwpt, attached(&self->p, pasids[i]));
		EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->p.vm.iommufd, self->hwpt));
		EXPECT_EQ(0, pasid_detach(&self->p, pasids[i]));
		EXPECT_EQ(0u, attached(&self->p, pasids[i]));
	}
}

TEST_F(kind, same_page_table_on_pasid_and_device)
{
	RULE("UAPI-79");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->hwpt));
	EXPECT_EQ(0, pasid_replace(&self->p, RID, self->hwpt));
	EXPECT_EQ(self->hwpt, attached(&self->p, RID));
	EXPECT_EQ(0, pasid_detach(&self->p, PASID));
	EXPECT_EQ(self->hwpt, attached(&self->p, RID));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->p.vm.iommufd, self->hwpt));
}

/* Neither the device nor another PASID is touched, whatever happens to one. */
TEST_F(kind, pasids_do_not_disturb_each_other)
{
	RULE("UAPI-79");
	ASSERT_EQ(0, pasid_attach(&self->p, OTHER_PASID, self->p.hwpt[OTHER_PAGING]));
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->hwpt));
	EXPECT_EQ(self->p.hwpt[OTHER_PAGING], attached(&self->p, OTHER_PASID));
	ASSERT_EQ(0, pasid_replace(&self->p, PASID, self->p.rid));
	EXPECT_EQ(self->p.hwpt[OTHER_PAGING], attached(&self->p, OTHER_PASID));
	ASSERT_EQ(0, pasid_replace(&self->p, OTHER_PASID, self->hwpt));
	EXPECT_EQ(self->p.rid, attached(&self->p, PASID));
	ASSERT_EQ(0, pasid_detach(&self->p, OTHER_PASID));
	EXPECT_EQ(self->p.rid, attached(&self->p, PASID));
	EXPECT_EQ(self->p.rid, attached(&self->p, RID));
}

/* What must be refused, and that it changes nothing */
FIXTURE(pasid) {
	struct pasid_vm p;
};

FIXTURE_SETUP(pasid)
{
	pasid_vm_setup(_metadata, &self->p);
}

FIXTURE_TEARDOWN(pasid)
{
	pasid_vm_teardown(_metadata, &self->p);
}

TEST_F(pasid, attach_needs_a_page_table_for_pasids)
{
	struct state before = state_get(&self->p.vm.iommufd);

	RULE("UAPI-80");
	for (int i = 0; i < PLAINS; i++) {
		EXPECT_EQ(-EINVAL, pasid_attach(&self->p, PASID, self->p.plain[i]))
			check_note("attached to: %s", plain_names[i]);
		EXPECT_EQ(0u, attached(&self->p, PASID));
	}
	EXPECT_STATE(&self->p.vm.iommufd, &before);
	EXPECT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
}

TEST_F(pasid, replace_needs_a_page_table_for_pasids)
{
	struct state before;

	RULE("UAPI-80");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
	before = state_get(&self->p.vm.iommufd);
	for (int i = 0; i < PLAINS; i++) {
		EXPECT_EQ(-EINVAL, pasid_replace(&self->p, PASID, self->p.plain[i]))
			check_note("replaced by: %s", plain_names[i]);
		EXPECT_EQ(self->p.hwpt[NESTED], attached(&self->p, PASID));
		EXPECT_EQ(self->p.rid, attached(&self->p, RID));
	}
	EXPECT_STATE(&self->p.vm.iommufd, &before);
	EXPECT_EQ(0, pasid_replace(&self->p, PASID, self->p.hwpt[PAGING]));
}

/* An IOAS has no page table for PASIDs, whether another device brought one along or not. */
TEST_F(pasid, ioas_in_use_is_refused_too)
{
	struct iommufd *iommufd = &self->p.vm.iommufd;
	struct mock_device other = mock_device_create(iommufd, self->p.vm.ioas, 0);
	struct state before = state_get(iommufd);

	RULE("UAPI-80");
	EXPECT_EQ(-EINVAL, pasid_attach(&self->p, PASID, self->p.vm.ioas));
	EXPECT_EQ(-EINVAL, pasid_attach(&self->p, PASID, other.hwpt_id));
	EXPECT_EQ(0u, attached(&self->p, PASID));
	EXPECT_STATE(iommufd, &before);
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
	EXPECT_EQ(-EINVAL, pasid_replace(&self->p, PASID, self->p.vm.ioas));
	EXPECT_EQ(-EINVAL, pasid_replace(&self->p, RID, self->p.vm.ioas));
	EXPECT_EQ(self->p.hwpt[NESTED], attached(&self->p, PASID));
	EXPECT_EQ(self->p.rid, attached(&self->p, RID));
	EXPECT_EQ(other.hwpt_id, attached_hwpt(iommufd, other.stdev_id, RID));
	EXPECT_STATE(iommufd, &before);
	iommufd_destroy(iommufd, other.stdev_id);
}

/* "Any domain attached to the non-PASID part of the device must also be flagged" */
TEST_F(pasid, plain_page_table_of_the_device_blocks_pasids)
{
	RULE("UAPI-80");
	for (int i = 0; i < PLAINS; i++) {
		uint32_t plain;

		mock_device_replace(&self->p.vm.iommufd, self->p.vm.dev.stdev_id,
				    self->p.plain[i]);
		plain = attached(&self->p, RID);
		for (int kind = 0; kind < KINDS; kind++) {
			EXPECT_EQ(-EINVAL, pasid_attach(&self->p, PASID, self->p.hwpt[kind]))
				check_note("device on: %s, PASID on: %s", plain_names[i],
					   kind_names[kind]);
		}
		EXPECT_EQ(0u, attached(&self->p, PASID));
		EXPECT_EQ(plain, attached(&self->p, RID));
		mock_device_replace(&self->p.vm.iommufd, self->p.vm.dev.stdev_id, self->p.rid);
		EXPECT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
		EXPECT_EQ(0, pasid_detach(&self->p, PASID));
	}
}

TEST_F(pasid, attached_pasid_keeps_the_device_off_plain_page_tables)
{
	struct state before;

	RULE("UAPI-80");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
	before = state_get(&self->p.vm.iommufd);
	for (int i = 0; i < PLAINS; i++) {
		EXPECT_EQ(-EINVAL, __mock_device_replace(&self->p.vm.iommufd,
							 self->p.vm.dev.stdev_id,
							 self->p.plain[i]))
			check_note("device replaced by: %s", plain_names[i]);
		EXPECT_EQ(self->p.rid, attached(&self->p, RID));
		EXPECT_EQ(self->p.hwpt[NESTED], attached(&self->p, PASID));
	}
	EXPECT_STATE(&self->p.vm.iommufd, &before);
	for (int kind = 0; kind < KINDS; kind++) {
		EXPECT_EQ(0, __mock_device_replace(&self->p.vm.iommufd, self->p.vm.dev.stdev_id,
						   self->p.hwpt[kind]))
			check_note("device replaced by: %s", kind_names[kind]);
		EXPECT_EQ(self->p.hwpt[kind], attached(&self->p, RID));
	}
}

TEST_F(pasid, last_detached_pasid_frees_the_device_for_plain_page_tables)
{
	uint32_t plain = self->p.plain[PLAIN_PAGING];

	RULE("UAPI-80");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
	ASSERT_EQ(0, pasid_attach(&self->p, OTHER_PASID, self->p.hwpt[NESTED]));
	EXPECT_EQ(-EINVAL, pasid_replace(&self->p, RID, plain));
	ASSERT_EQ(0, pasid_detach(&self->p, PASID));
	EXPECT_EQ(-EINVAL, pasid_replace(&self->p, RID, plain));
	ASSERT_EQ(0, pasid_detach(&self->p, OTHER_PASID));
	EXPECT_EQ(0, pasid_replace(&self->p, RID, plain));
	EXPECT_EQ(plain, attached(&self->p, RID));
}

TEST_F(pasid, device_itself_need_not_be_attached)
{
	struct state before;

	RULE("UAPI-80");
	ASSERT_EQ(0, pasid_detach(&self->p, RID));
	EXPECT_EQ(0u, attached(&self->p, RID));
	EXPECT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
	EXPECT_EQ(0, pasid_replace(&self->p, PASID, self->p.hwpt[PAGING]));
	before = state_get(&self->p.vm.iommufd);
	for (int i = 0; i < PLAINS; i++) {
		EXPECT_EQ(-EINVAL, pasid_attach(&self->p, RID, self->p.plain[i]))
			check_note("device attached to: %s", plain_names[i]);
		EXPECT_EQ(0u, attached(&self->p, RID));
	}
	EXPECT_STATE(&self->p.vm.iommufd, &before);
	EXPECT_EQ(self->p.hwpt[PAGING], attached(&self->p, PASID));
	EXPECT_EQ(0, pasid_attach(&self->p, RID, self->p.rid));
	EXPECT_EQ(self->p.rid, attached(&self->p, RID));
}

/* The width is what IOMMU_GET_HW_INFO says. */
TEST_F(pasid, highest_pasid_is_the_last_that_works)
{
	struct iommu_test_hw_info info;
	uint32_t type, length = sizeof(info);
	uint64_t capabilities;
	uint8_t log2 = 0;

	RULE("UAPI-81");
	ASSERT_EQ(0, __get_hw_info(&self->p.vm.iommufd, self->p.vm.dev.idev_id, &type, &info,
				   &length, &capabilities, &log2));
	EXPECT_EQ(MOCK_PASID_WIDTH, log2);
	const uint32_t good[] = { 1, (1u << log2) - 1 };
	const uint32_t bad[] = {
		1u << log2, (1u << log2) + 1, 1u << 31, UINT32_MAX - 1, UINT32_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(0, pasid_attach(&self->p, good[i], self->p.hwpt[NESTED]))
			check_note("PASID %#x", good[i]);
		EXPECT_EQ(self->p.hwpt[NESTED], attached(&self->p, good[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, pasid_attach(&self->p, bad[i], self->p.hwpt[NESTED]))
			check_note("PASID %#x", bad[i]);
		EXPECT_EQ(-EINVAL, pasid_replace(&self->p, bad[i], self->p.hwpt[NESTED]));
		EXPECT_EQ(0u, attached(&self->p, bad[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(self->p.hwpt[NESTED], attached(&self->p, good[i]));
	}
}

TEST_F(pasid, device_without_pasids_takes_none)
{
	struct iommufd *iommufd = &self->p.vm.iommufd;
	struct mock_device plain = mock_device_create(iommufd, self->p.rid, 0);
	struct iommu_test_hw_info info;
	uint32_t type, length = sizeof(info);
	uint64_t capabilities;
	uint8_t log2 = 0xff;

	RULE("UAPI-81");
	ASSERT_EQ(0, __get_hw_info(iommufd, plain.idev_id, &type, &info, &length, &capabilities,
				   &log2));
	EXPECT_EQ(0, log2);
	for (int kind = 0; kind < KINDS; kind++) {
		EXPECT_EQ(-EINVAL, __mock_pasid_attach(iommufd, plain.stdev_id, 1,
						       self->p.hwpt[kind]))
			check_note("attached to: %s", kind_names[kind]);
		EXPECT_EQ(0u, attached_hwpt(iommufd, plain.stdev_id, 1));
	}
	EXPECT_EQ(self->p.rid, attached_hwpt(iommufd, plain.stdev_id, RID));
	iommufd_destroy(iommufd, plain.stdev_id);
}

/* Ids that no page table has; both calls, with the PASID attached and not */
TEST_F(pasid, wrong_target_is_refused)
{
	struct iommufd *iommufd = &self->p.vm.iommufd;
	uint32_t gone = hwpt_alloc(iommufd, self->p.vm.dev.idev_id, self->p.vm.ioas,
				   IOMMU_HWPT_ALLOC_PASID);
	const struct {
		const char *name;
		uint32_t id;
		int error;
	} targets[] = {
		{ "0", 0, -ENOENT },
		{ "an id never given", 100000, -ENOENT },
		{ "the highest id", UINT32_MAX, -ENOENT },
		{ "a destroyed page table", gone, -ENOENT },
		{ "a device", self->p.vm.dev.idev_id, -EINVAL },
		{ "a test object", self->p.vm.dev.stdev_id, -EINVAL },
		{ "a vIOMMU", self->p.vm.viommu, -EINVAL },
		{ "a vDEVICE", self->p.vm.vdevice, -EINVAL },
		{ "a fault queue", self->p.fault, -EINVAL },
	};
	struct state before;

	RULE("UAPI-77");
	iommufd_destroy(iommufd, gone);
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
	before = state_get(iommufd);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		EXPECT_EQ(targets[i].error, pasid_attach(&self->p, OTHER_PASID, targets[i].id))
			check_note("attached to: %s", targets[i].name);
		EXPECT_EQ(targets[i].error, pasid_replace(&self->p, PASID, targets[i].id))
			check_note("replaced by: %s", targets[i].name);
		EXPECT_EQ(self->p.hwpt[NESTED], attached(&self->p, PASID));
		EXPECT_EQ(0u, attached(&self->p, OTHER_PASID));
	}
	EXPECT_STATE(iommufd, &before);
}

/* iommufd_device_detach() returns nothing: there is nothing that could fail. */
TEST_F(pasid, detach_of_what_is_not_attached_changes_nothing)
{
	struct state before;

	RULE("UAPI-77");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
	before = state_get(&self->p.vm.iommufd);
	EXPECT_EQ(0, pasid_detach(&self->p, OTHER_PASID));
	EXPECT_EQ(0, pasid_detach(&self->p, UINT32_MAX));
	EXPECT_EQ(self->p.hwpt[NESTED], attached(&self->p, PASID));
	EXPECT_EQ(self->p.rid, attached(&self->p, RID));
	EXPECT_STATE(&self->p.vm.iommufd, &before);
	EXPECT_EQ(0, pasid_detach(&self->p, PASID));
	EXPECT_EQ(0, pasid_detach(&self->p, PASID));
	EXPECT_EQ(0u, attached(&self->p, PASID));
}

/*
 * The mock fails every second change of this PASID: drivers/iommu/iommufd/selftest.c:
 * mock_domain_set_dev_pasid_nop. "If it fails then no change is made to the attachment."
 */
TEST_F(pasid, replace_that_the_driver_fails_changes_nothing)
{
	for (int from = 0; from < KINDS; from++) {
		for (int to = 0; to < KINDS; to++) {
			struct state before;

			if (from == to)
				continue;
			RULE("UAPI-76");
			ASSERT_EQ(0, pasid_attach(&self->p, FAKE_ERROR_PASID,
						  self->p.hwpt[from]));
			before = state_get(&self->p.vm.iommufd);
			EXPECT_EQ(-ENOMEM, pasid_replace(&self->p, FAKE_ERROR_PASID,
							 self->p.hwpt[to]))
				check_note("from %s to %s", kind_names[from], kind_names[to]);
			EXPECT_EQ(self->p.hwpt[from], attached(&self->p, FAKE_ERROR_PASID));
			EXPECT_EQ(self->p.rid, attached(&self->p, RID));
			EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->p.vm.iommufd,
							    self->p.hwpt[from]));
			EXPECT_STATE(&self->p.vm.iommufd, &before);
			ASSERT_EQ(0, pasid_detach(&self->p, FAKE_ERROR_PASID));
		}
	}
}

TEST_F(pasid, page_table_of_a_failed_replace_is_free)
{
	RULE("UAPI-76");
	ASSERT_EQ(0, pasid_attach(&self->p, FAKE_ERROR_PASID, self->p.hwpt[PAGING]));
	ASSERT_EQ(-ENOMEM, pasid_replace(&self->p, FAKE_ERROR_PASID, self->p.hwpt[NESTED]));
	EXPECT_EQ(0, __iommufd_destroy(&self->p.vm.iommufd, self->p.hwpt[NESTED]));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->p.vm.iommufd, self->p.hwpt[PAGING]));
	EXPECT_EQ(0, pasid_replace(&self->p, FAKE_ERROR_PASID, self->p.hwpt[OTHER_PAGING]));
	EXPECT_EQ(self->p.hwpt[OTHER_PAGING], attached(&self->p, FAKE_ERROR_PASID));
	EXPECT_EQ(0, __iommufd_destroy(&self->p.vm.iommufd, self->p.hwpt[PAGING]));
}

/* Page faults of @pasid that wait in the queue; takes them out */
static int faults_waiting(struct pasid_vm *self, uint32_t pasid)
{
	struct iommu_hwpt_pgfault fault[8];
	ssize_t length = iommufd_read(self->fault_fd, fault, sizeof(fault));
	int count = 0;

	for (size_t i = 0; length > 0 && i < length / sizeof(fault[0]); i++)
		count += fault[i].pasid == pasid;
	return count;
}

static bool fault_arrives(struct pasid_vm *self, uint32_t pasid)
{
	faults_waiting(self, pasid);
	if (__mock_trigger_fault(&self->vm.iommufd, self->vm.dev.idev_id, pasid, 1,
				 IOMMU_PGFAULT_PERM_READ, 0x1000))
		return false;
	return faults_waiting(self, pasid) == 1;
}

/* Page faults go where the PASID is attached, before and after a replace that failed. */
TEST_F(pasid, faults_follow_the_attachment)
{
	RULE("UAPI-75");
	ASSERT_EQ(0, pasid_attach(&self->p, FAKE_ERROR_PASID, self->p.hwpt[FAULT_NESTED]));
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[PAGING]));
	EXPECT_TRUE(fault_arrives(&self->p, FAKE_ERROR_PASID));
	EXPECT_FALSE(fault_arrives(&self->p, PASID));
	EXPECT_FALSE(fault_arrives(&self->p, RID));
	RULE("UAPI-76");
	ASSERT_EQ(-ENOMEM, pasid_replace(&self->p, FAKE_ERROR_PASID, self->p.hwpt[PAGING]));
	EXPECT_TRUE(fault_arrives(&self->p, FAKE_ERROR_PASID));
	EXPECT_EQ(-EINVAL, pasid_replace(&self->p, FAKE_ERROR_PASID, self->p.plain[PLAIN_NESTED]));
	EXPECT_TRUE(fault_arrives(&self->p, FAKE_ERROR_PASID));
	RULE("UAPI-75");
	ASSERT_EQ(0, pasid_replace(&self->p, FAKE_ERROR_PASID, self->p.hwpt[PAGING]));
	EXPECT_FALSE(fault_arrives(&self->p, FAKE_ERROR_PASID));
	ASSERT_EQ(0, pasid_replace(&self->p, PASID, self->p.hwpt[FAULT_PAGING]));
	EXPECT_TRUE(fault_arrives(&self->p, PASID));
	ASSERT_EQ(0, pasid_detach(&self->p, PASID));
	EXPECT_FALSE(fault_arrives(&self->p, PASID));
}

/* A failed replace answers no page fault, neither of the PASID nor of another. */
TEST_F(pasid, failed_replace_leaves_page_faults_unanswered)
{
	struct iommu_hwpt_page_response answer = { .code = IOMMUFD_PAGE_RESP_SUCCESS };
	struct iommu_hwpt_pgfault fault = {};
	struct iommufd *iommufd = &self->p.vm.iommufd;

	RULE("UAPI-76");
	ASSERT_EQ(0, pasid_attach(&self->p, FAKE_ERROR_PASID, self->p.hwpt[FAULT_NESTED]));
	ASSERT_EQ(0, __mock_trigger_fault(iommufd, self->p.vm.dev.idev_id, FAKE_ERROR_PASID, 1,
					  IOMMU_PGFAULT_PERM_READ, 0x1000));
	ASSERT_EQ(sizeof(fault), iommufd_read(self->p.fault_fd, &fault, sizeof(fault)));
	EXPECT_EQ(FAKE_ERROR_PASID, fault.pasid);
	ASSERT_EQ(-ENOMEM, pasid_replace(&self->p, FAKE_ERROR_PASID, self->p.hwpt[FAULT_PAGING]));
	answer.cookie = fault.cookie;
	EXPECT_EQ(sizeof(answer), iommufd_write(self->p.fault_fd, &answer, sizeof(answer)));
	EXPECT_EQ(-EINVAL, iommufd_write(self->p.fault_fd, &answer, sizeof(answer)));
	EXPECT_TRUE(fault_arrives(&self->p, FAKE_ERROR_PASID));
}

TEST_F(pasid, failed_replace_to_faults_brings_none)
{
	RULE("UAPI-76");
	ASSERT_EQ(0, pasid_attach(&self->p, FAKE_ERROR_PASID, self->p.hwpt[NESTED]));
	ASSERT_EQ(-ENOMEM, pasid_replace(&self->p, FAKE_ERROR_PASID, self->p.hwpt[FAULT_NESTED]));
	EXPECT_FALSE(fault_arrives(&self->p, FAKE_ERROR_PASID));
	EXPECT_EQ(0, __iommufd_destroy(&self->p.vm.iommufd, self->p.hwpt[FAULT_NESTED]));
	EXPECT_EQ(0, pasid_replace(&self->p, FAKE_ERROR_PASID, self->p.hwpt[FAULT_PAGING]));
	EXPECT_TRUE(fault_arrives(&self->p, FAKE_ERROR_PASID));
}

/* Invalidation works on the page table, through whatever it is attached. */
TEST_F(pasid, invalidation_reaches_only_the_named_page_table)
{
	struct iommu_hwpt_invalidate_selftest all = { .flags = IOMMU_TEST_INVALIDATE_FLAG_ALL };
	struct iommufd *iommufd = &self->p.vm.iommufd;
	uint32_t one = 1;

	RULE("UAPI-79");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
	ASSERT_EQ(0, pasid_attach(&self->p, OTHER_PASID, self->p.hwpt[FAULT_NESTED]));
	EXPECT_EQ(0, __mock_check_iotlb(iommufd, self->p.hwpt[NESTED], 0, VM_IOTLB));
	EXPECT_EQ(0, __hwpt_invalidate(iommufd, self->p.hwpt[NESTED],
				       IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, &all, sizeof(all),
				       &one));
	EXPECT_EQ(0, __mock_check_iotlb(iommufd, self->p.hwpt[NESTED], 0, 0));
	EXPECT_EQ(0, __mock_check_iotlb(iommufd, self->p.hwpt[FAULT_NESTED], 0, VM_IOTLB));
}

TEST_F(pasid, devices_do_not_share_pasids)
{
	struct iommufd *iommufd = &self->p.vm.iommufd;
	struct mock_device other = mock_device_create(iommufd, self->p.rid,
						      MOCK_FLAGS_DEVICE_PASID);

	RULE("UAPI-79");
	ASSERT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
	EXPECT_EQ(0u, attached_hwpt(iommufd, other.stdev_id, PASID));
	EXPECT_EQ(-EINVAL, __mock_pasid_replace(iommufd, other.stdev_id, PASID,
						self->p.hwpt[PAGING]));
	EXPECT_EQ(0, __mock_pasid_attach(iommufd, other.stdev_id, PASID, self->p.hwpt[PAGING]));
	EXPECT_EQ(self->p.hwpt[NESTED], attached(&self->p, PASID));
	EXPECT_EQ(self->p.hwpt[PAGING], attached_hwpt(iommufd, other.stdev_id, PASID));
	EXPECT_EQ(0, pasid_detach(&self->p, PASID));
	EXPECT_EQ(self->p.hwpt[PAGING], attached_hwpt(iommufd, other.stdev_id, PASID));
	EXPECT_EQ(0, __mock_pasid_detach(iommufd, other.stdev_id, PASID));
	iommufd_destroy(iommufd, other.stdev_id);
}

/* The plain page tables of one device do not restrict another. */
TEST_F(pasid, compatibility_is_per_device)
{
	struct iommufd *iommufd = &self->p.vm.iommufd;
	struct mock_device other = mock_device_create(iommufd, self->p.plain[PLAIN_PAGING],
						      MOCK_FLAGS_DEVICE_PASID);

	RULE("UAPI-80");
	EXPECT_EQ(-EINVAL, __mock_pasid_attach(iommufd, other.stdev_id, PASID,
					       self->p.hwpt[NESTED]));
	EXPECT_EQ(0, pasid_attach(&self->p, PASID, self->p.hwpt[NESTED]));
	EXPECT_EQ(0, __mock_device_replace(iommufd, other.stdev_id,
					   self->p.plain[PLAIN_PARENT]));
	EXPECT_EQ(self->p.hwpt[NESTED], attached(&self->p, PASID));
	iommufd_destroy(iommufd, other.stdev_id);
}

NIT_TEST_MAIN
