// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching, replacing and detaching the page table of a device.
 *
 * No ioctl of iommufd does this, drivers such as VFIO offer it; what iommufd promises is in
 * iommufd.rst and in the kernel-doc of iommufd_device_attach(), _replace() and _detach(). The
 * mock's operations are these three functions, with PASID 0 for the device itself.
 *
 * What the mock cannot show: a reserved region or an MSI window of a device, a device that forces
 * cache coherency, a group of several devices, one that cannot report page faults.
 */
#include <errno.h>
#include <sys/mman.h>

#include "attached.h"
#include "iommufd/event.h"

#define ATTACH IOMMU_TEST_OP_PASID_ATTACH
#define REPLACE IOMMU_TEST_OP_PASID_REPLACE
#define BELOW_APERTURE (MOCK_APERTURE_START / 2)
#define IOVA (MOCK_APERTURE_START + 0x100000ull)
#define MAP_FLAGS (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)
#define PAGES 4

enum kind {
	AUTO,		/* what the kernel makes for an IOAS */
	PAGING,
	DIRTY,		/* only for devices that track dirty pages */
	PARENT,
	NESTED,
	VIOMMU_NESTED,	/* only for devices in the vIOMMU */
	FAULT,
	OTHER_AUTO,	/* of another IOAS */
	OTHER_PAGING,
	KINDS,
};

static const char *const kind_names[KINDS] = {
	"IOAS", "paging", "paging with dirty tracking", "nest parent", "nested on the parent",
	"nested on the vIOMMU", "nested with faults", "other IOAS", "paging of the other IOAS",
};

/**
 * struct attach_vm - a VM with two IOASes and every kind of page table
 * @target: per kind, the id to attach to: of a HWPT, or of an IOAS for AUTO and OTHER_AUTO
 * @weak: a device without dirty tracking; in the vIOMMU, not in @other_viommu
 * @other_viommu: has no device
 * @stray: nested on @other_viommu
 */
struct attach_vm {
	struct vm vm;
	uint32_t other_ioas;
	uint32_t target[KINDS];
	struct mock_device weak;
	uint32_t weak_vdevice;
	uint32_t other_viommu;
	uint32_t stray;
	uint32_t fault;
	int fault_fd;
	uint32_t veventq;
	int veventq_fd;
	uint8_t *memory;
	size_t length;
};

static void alloc_targets(struct __test_metadata *_metadata, struct attach_vm *a)
{
	struct iommufd *iommufd = &a->vm.iommufd;
	uint32_t dev = a->vm.dev.idev_id;

	a->target[AUTO] = a->vm.ioas;
	a->target[PAGING] = hwpt_alloc(iommufd, dev, a->vm.ioas, 0);
	a->target[DIRTY] = hwpt_alloc(iommufd, dev, a->vm.ioas, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	a->target[PARENT] = a->vm.parent;
	a->target[NESTED] = mock_hwpt_alloc_nested(iommufd, dev, a->vm.parent, 0, 0, VM_IOTLB);
	a->target[VIOMMU_NESTED] = a->vm.nested;
	a->target[FAULT] = mock_hwpt_alloc_nested(iommufd, dev, a->vm.parent,
						  IOMMU_HWPT_FAULT_ID_VALID, a->fault, VM_IOTLB);
	a->target[OTHER_AUTO] = a->other_ioas;
	a->target[OTHER_PAGING] = hwpt_alloc(iommufd, dev, a->other_ioas, 0);
}

static bool attach_vm_setup(struct __test_metadata *_metadata, struct attach_vm *a)
{
	struct iommufd *iommufd = &a->vm.iommufd;

	a->fault_fd = -1;
	a->veventq_fd = -1;
	if (!vm_setup_viommu(_metadata, &a->vm))
		return false;
	a->length = PAGES * sysconf(_SC_PAGESIZE);
	a->memory = mmap(NULL, a->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			 0);
	ASSERT_NE(MAP_FAILED, (void *)a->memory);
	a->other_ioas = ioas_alloc(iommufd);
	a->fault = fault_queue_alloc(iommufd, &a->fault_fd);
	a->veventq = veventq_alloc(iommufd, a->vm.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 16,
				   &a->veventq_fd);
	a->weak = mock_device_create(iommufd, a->vm.ioas, MOCK_FLAGS_DEVICE_NO_DIRTY);
	a->weak_vdevice = vdevice_alloc(iommufd, a->vm.viommu, a->weak.idev_id, VM_VIRT_ID + 1);
	a->other_viommu = mock_viommu_alloc(iommufd, a->vm.dev.idev_id, a->vm.parent);
	a->stray = mock_hwpt_alloc_nested(iommufd, a->vm.dev.idev_id, a->other_viommu, 0, 0,
					  VM_IOTLB);
	alloc_targets(_metadata, a);
	return true;
}

/* Takes everything apart: an object that is still busy has a leaked reference. */
static void attach_vm_teardown(struct __test_metadata *_metadata, struct attach_vm *a)
{
	struct vm *vm = &a->vm;
	const uint32_t users_first[] = {
		a->weak.stdev_id, vm->dev.stdev_id, a->target[NESTED], a->target[VIOMMU_NESTED],
		a->target[FAULT], a->stray, a->target[PAGING], a->target[DIRTY],
		a->target[OTHER_PAGING], a->veventq, a->other_viommu, a->fault,
	};

	if (!vm->iommufd.ops)
		return;
	close(a->fault_fd);
	close(a->veventq_fd);
	for (size_t i = 0; !_metadata->exit_code && i < ARRAY_SIZE(users_first); i++) {
		int rc = __iommufd_destroy(&vm->iommufd, users_first[i]);

		/* -ENOENT: the test has destroyed it itself */
		EXPECT_TRUE(rc == 0 || rc == -ENOENT)
			check_note("destroying object %u at the end gives %d", users_first[i], rc);
	}
	vm_close(vm);
}

static uint32_t attached(struct attach_vm *a, const struct mock_device *dev)
{
	return attached_hwpt(&a->vm.iommufd, dev->stdev_id, RID);
}

static bool is_auto(enum kind kind)
{
	return kind == AUTO || kind == OTHER_AUTO;
}

/* Attach or replace; the HWPT now in use must be the named one, and be what the call says */
static void expect_change(struct __test_metadata *_metadata, struct attach_vm *a, uint32_t op,
			  const struct mock_device *dev, enum kind kind)
{
	uint32_t pt_id = a->target[kind];

	EXPECT_EQ(0, attach_call(&a->vm.iommufd, op, dev->stdev_id, RID, &pt_id))
		check_note("%s: %s", attach_op_name(op), kind_names[kind]);
	EXPECT_EQ(pt_id, attached(a, dev))
		check_note("%s: %s", attach_op_name(op), kind_names[kind]);
	EXPECT_EQ(is_auto(kind), pt_id != a->target[kind]);
}

static void detach(struct __test_metadata *_metadata, struct attach_vm *a,
		   const struct mock_device *dev)
{
	ASSERT_EQ(0, __mock_pasid_detach(&a->vm.iommufd, dev->stdev_id, RID));
	EXPECT_EQ(0u, attached(a, dev));
}

/* A device attached to each kind of page table */
FIXTURE(from) {
	struct attach_vm a;
	uint32_t hwpt;	/* what it is attached to */
};

FIXTURE_VARIANT(from) {
	enum kind kind;
};

FIXTURE_VARIANT_ADD(from, ioas) { .kind = AUTO };
FIXTURE_VARIANT_ADD(from, paging) { .kind = PAGING };
FIXTURE_VARIANT_ADD(from, dirty) { .kind = DIRTY };
FIXTURE_VARIANT_ADD(from, parent) { .kind = PARENT };
FIXTURE_VARIANT_ADD(from, nested) { .kind = NESTED };
FIXTURE_VARIANT_ADD(from, viommu_nested) { .kind = VIOMMU_NESTED };
FIXTURE_VARIANT_ADD(from, fault) { .kind = FAULT };
FIXTURE_VARIANT_ADD(from, other_ioas) { .kind = OTHER_AUTO };
FIXTURE_VARIANT_ADD(from, other_paging) { .kind = OTHER_PAGING };

FIXTURE_SETUP(from)
{
	if (!attach_vm_setup(_metadata, &self->a))
		return;
	detach(_metadata, &self->a, &self->a.vm.dev);
	expect_change(_metadata, &self->a, ATTACH, &self->a.vm.dev, variant->kind);
	self->hwpt = attached(&self->a, &self->a.vm.dev);
}

FIXTURE_TEARDOWN(from)
{
	attach_vm_teardown(_metadata, &self->a);
}

TEST_F(from, attached_page_table_is_busy_until_detach)
{
	struct iommufd *iommufd = &self->a.vm.iommufd;

	RULE("UAPI-75");
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->hwpt));
	detach(_metadata, &self->a, &self->a.vm.dev);
	if (is_auto(variant->kind) || variant->kind == PARENT)
		return;
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->hwpt));
}

TEST_F(from, attach_again_after_detach)
{
	RULE("UAPI-75");
	for (int i = 0; i < 3; i++) {
		detach(_metadata, &self->a, &self->a.vm.dev);
		expect_change(_metadata, &self->a, ATTACH, &self->a.vm.dev, variant->kind);
	}
}

TEST_F(from, detach_twice)
{
	RULE("UAPI-75");
	detach(_metadata, &self->a, &self->a.vm.dev);
	detach(_metadata, &self->a, &self->a.vm.dev);
	expect_change(_metadata, &self->a, ATTACH, &self->a.vm.dev, variant->kind);
}

TEST_F(from, replace_by_every_kind_and_back)
{
	RULE("UAPI-75");
	for (int to = 0; to < KINDS; to++) {
		expect_change(_metadata, &self->a, REPLACE, &self->a.vm.dev, to);
		expect_change(_metadata, &self->a, REPLACE, &self->a.vm.dev, variant->kind);
	}
}

TEST_F(from, replaced_page_table_is_free)
{
	enum kind to = variant->kind == PAGING ? OTHER_PAGING : PAGING;
	struct iommufd *iommufd = &self->a.vm.iommufd;

	RULE("UAPI-75");
	expect_change(_metadata, &self->a, REPLACE, &self->a.vm.dev, to);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->a.target[to]));
	if (is_auto(variant->kind) || variant->kind == PARENT)
		return;
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->hwpt));
	EXPECT_EQ(self->a.target[to], attached(&self->a, &self->a.vm.dev));
}

TEST_F(from, replace_by_itself)
{
	RULE("UAPI-75");
	for (int i = 0; i < 3; i++) {
		expect_change(_metadata, &self->a, REPLACE, &self->a.vm.dev, variant->kind);
		EXPECT_EQ(self->hwpt, attached(&self->a, &self->a.vm.dev));
	}
	detach(_metadata, &self->a, &self->a.vm.dev);
}

TEST_F(from, second_attach_is_refused)
{
	struct state before = state_get(&self->a.vm.iommufd);

	RULE("UAPI-77");
	for (int to = 0; to < KINDS; to++) {
		uint32_t pt_id = self->a.target[to];

		EXPECT_EQ(-EBUSY, attach_call(&self->a.vm.iommufd, ATTACH,
					      self->a.vm.dev.stdev_id, RID, &pt_id))
			check_note("attached to: %s", kind_names[to]);
		EXPECT_EQ(self->a.target[to], pt_id);
		EXPECT_EQ(self->hwpt, attached(&self->a, &self->a.vm.dev));
	}
	EXPECT_STATE(&self->a.vm.iommufd, &before);
}

TEST_F(from, replace_after_detach_is_refused)
{
	struct state before;

	RULE("UAPI-77");
	detach(_metadata, &self->a, &self->a.vm.dev);
	before = state_get(&self->a.vm.iommufd);
	for (int to = 0; to < KINDS; to++) {
		uint32_t pt_id = self->a.target[to];

		EXPECT_EQ(-EINVAL, attach_call(&self->a.vm.iommufd, REPLACE,
					       self->a.vm.dev.stdev_id, RID, &pt_id))
			check_note("replaced by: %s", kind_names[to]);
		EXPECT_EQ(0u, attached(&self->a, &self->a.vm.dev));
	}
	EXPECT_STATE(&self->a.vm.iommufd, &before);
}

/* Two devices on one page table: it is busy as long as one of them uses it. */
TEST_F(from, second_device_keeps_the_page_table)
{
	enum kind away = variant->kind == PAGING ? OTHER_PAGING : PAGING;
	struct attach_vm *a = &self->a;
	struct mock_device second = mock_device_create(&a->vm.iommufd, a->target[PAGING], 0);
	uint32_t vdevice = vdevice_alloc(&a->vm.iommufd, a->vm.viommu, second.idev_id, 99);

	RULE("UAPI-75");
	expect_change(_metadata, a, REPLACE, &second, variant->kind);
	EXPECT_EQ(self->hwpt, attached(a, &second));
	expect_change(_metadata, a, REPLACE, &a->vm.dev, away);
	EXPECT_EQ(self->hwpt, attached(a, &second));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&a->vm.iommufd, self->hwpt));
	expect_change(_metadata, a, REPLACE, &a->vm.dev, variant->kind);
	detach(_metadata, a, &second);
	EXPECT_EQ(self->hwpt, attached(a, &a->vm.dev));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&a->vm.iommufd, self->hwpt));
	iommufd_destroy(&a->vm.iommufd, vdevice);
	iommufd_destroy(&a->vm.iommufd, second.stdev_id);
}

/* The IOVAs that may be mapped, as IOMMU_IOAS_IOVA_RANGES tells */
#define MAX_RANGES 8

struct ranges {
	uint32_t count;
	uint64_t alignment;
	struct iommu_iova_range range[MAX_RANGES];
};

static int __ioas_ranges(struct iommufd *iommufd, uint32_t ioas_id, struct ranges *ranges)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id,
		.num_iovas = MAX_RANGES,
		.allowed_iovas = (uintptr_t)ranges->range,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_IOAS_IOVA_RANGES, &cmd);

	ranges->count = cmd.num_iovas;
	ranges->alignment = cmd.out_iova_alignment;
	return rc;
}

#define IOAS_RANGES(_iommufd, _ioas_id) ({ \
	struct ranges ranges_ = {}; \
	ASSERT_EQ(0, __ioas_ranges(_iommufd, _ioas_id, &ranges_)); \
	ranges_; \
})

static int __ioas_allow(struct iommufd *iommufd, uint32_t ioas_id, uint32_t count,
			const struct iommu_iova_range *allowed)
{
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id,
		.num_iovas = count,
		.allowed_iovas = (uintptr_t)allowed,
	};

	return __iommufd_ioctl(iommufd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

/* A page fault of the device reaches the queue of the FAULT page table. Takes it out. */
static bool fault_arrives(struct attach_vm *a, const struct mock_device *dev)
{
	struct iommu_hwpt_pgfault fault = {};

	__mock_trigger_fault(&a->vm.iommufd, dev->idev_id, RID, 1, IOMMU_PGFAULT_PERM_READ, IOVA);
	return iommufd_read(a->fault_fd, &fault, sizeof(fault)) == sizeof(fault) &&
	       fault.dev_id == dev->idev_id;
}

/* The vIOMMU's queue gets an event of the device. Takes it out. */
static bool vevent_arrives(struct attach_vm *a, const struct mock_device *dev)
{
	uint8_t event[sizeof(struct iommufd_vevent_header) +
		      sizeof(struct iommu_viommu_event_selftest)];
	bool reported = !__mock_trigger_vevent(&a->vm.iommufd, dev->idev_id);

	return iommufd_read(a->veventq_fd, event, sizeof(event)) == sizeof(event) && reported;
}

/* What a page table must bring with it works, and stops when it is replaced. */
FIXTURE(effect) {
	struct attach_vm a;
};

FIXTURE_SETUP(effect)
{
	attach_vm_setup(_metadata, &self->a);
}

FIXTURE_TEARDOWN(effect)
{
	attach_vm_teardown(_metadata, &self->a);
}

TEST_F(effect, page_faults_follow_the_attachment)
{
	struct mock_device *dev = &self->a.vm.dev;

	RULE("UAPI-75");
	for (int kind = 0; kind < KINDS; kind++) {
		expect_change(_metadata, &self->a, REPLACE, dev, kind);
		EXPECT_EQ(kind == FAULT, fault_arrives(&self->a, dev))
			check_note("attached to: %s", kind_names[kind]);
		EXPECT_FALSE(fault_arrives(&self->a, &self->a.weak));
	}
	expect_change(_metadata, &self->a, REPLACE, dev, FAULT);
	EXPECT_TRUE(fault_arrives(&self->a, dev));
	detach(_metadata, &self->a, dev);
	EXPECT_FALSE(fault_arrives(&self->a, dev));
}

TEST_F(effect, events_follow_the_attachment)
{
	struct mock_device *dev = &self->a.vm.dev;

	RULE("UAPI-75");
	for (int kind = 0; kind < KINDS; kind++) {
		expect_change(_metadata, &self->a, REPLACE, dev, kind);
		EXPECT_EQ(kind == VIOMMU_NESTED, vevent_arrives(&self->a, dev))
			check_note("attached to: %s", kind_names[kind]);
		EXPECT_FALSE(vevent_arrives(&self->a, &self->a.weak));
	}
	expect_change(_metadata, &self->a, REPLACE, dev, VIOMMU_NESTED);
	EXPECT_TRUE(vevent_arrives(&self->a, dev));
	detach(_metadata, &self->a, dev);
	EXPECT_FALSE(vevent_arrives(&self->a, dev));
}

/* Let the device fault; the cookie with which to answer */
static uint32_t take_fault(struct __test_metadata *_metadata, struct attach_vm *a,
			   const struct mock_device *dev)
{
	struct iommu_hwpt_pgfault fault = {};

	ASSERT_EQ(0, __mock_trigger_fault(&a->vm.iommufd, dev->idev_id, RID, 1,
					  IOMMU_PGFAULT_PERM_READ, IOVA));
	ASSERT_EQ(sizeof(fault), iommufd_read(a->fault_fd, &fault, sizeof(fault)));
	return fault.cookie;
}

static bool can_answer(struct attach_vm *a, uint32_t cookie)
{
	const struct iommu_hwpt_page_response response = {
		.cookie = cookie, .code = IOMMUFD_PAGE_RESP_SUCCESS,
	};

	return iommufd_write(a->fault_fd, &response, sizeof(response)) == sizeof(response);
}

/* A fault taken before a failed replace waits for its answer, one not yet taken is still there. */
TEST_F(effect, failed_replace_leaves_page_faults_unanswered)
{
	struct attach_vm *a = &self->a;
	const uint32_t refused[] = { a->target[DIRTY], a->stray, a->vm.viommu, UINT32_MAX };
	struct iommu_hwpt_pgfault fault = {};

	RULE("UAPI-76");
	expect_change(_metadata, a, REPLACE, &a->weak, FAULT);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		uint32_t cookie = take_fault(_metadata, a, &a->weak);

		ASSERT_EQ(0, __mock_trigger_fault(&a->vm.iommufd, a->weak.idev_id, RID, 2,
						  IOMMU_PGFAULT_PERM_READ, IOVA));
		EXPECT_NE(0, __mock_device_replace(&a->vm.iommufd, a->weak.stdev_id, refused[i]));
		EXPECT_TRUE(can_answer(a, cookie))
			check_note("refused target %zu", i);
		EXPECT_FALSE(can_answer(a, cookie));
		EXPECT_EQ(sizeof(fault), iommufd_read(a->fault_fd, &fault, sizeof(fault)));
		EXPECT_EQ(2u, fault.grpid);
		EXPECT_TRUE(can_answer(a, fault.cookie));
	}
	/* Control: one that succeeds does answer. */
	uint32_t cookie = take_fault(_metadata, a, &a->weak);

	expect_change(_metadata, a, REPLACE, &a->weak, PAGING);
	EXPECT_FALSE(can_answer(a, cookie));
}

/* Every paging HWPT has the mappings of its IOAS, those from before and from after the attach. */
TEST_F(effect, page_tables_have_the_mappings_of_their_ioas)
{
	struct attach_vm *a = &self->a;
	struct iommufd *iommufd = &a->vm.iommufd;
	uint64_t page = sysconf(_SC_PAGESIZE);

	RULE("UAPI-75");
	ASSERT_EQ(0, __ioas_map(iommufd, a->vm.ioas, a->memory, page, IOVA, MAP_FLAGS));
	for (int kind = 0; kind < KINDS; kind++) {
		bool same_ioas = kind == AUTO || kind == PAGING || kind == DIRTY || kind == PARENT;
		int expected = same_ioas ? 0 : -EINVAL;
		uint32_t hwpt;

		if (kind == NESTED || kind == VIOMMU_NESTED || kind == FAULT)
			continue;
		expect_change(_metadata, a, REPLACE, &a->vm.dev, kind);
		hwpt = attached(a, &a->vm.dev);
		EXPECT_EQ(expected, __mock_check_map(iommufd, hwpt, IOVA, page, a->memory))
			check_note("mapped before, attached to: %s", kind_names[kind]);
		ASSERT_EQ(0, __ioas_map(iommufd, a->vm.ioas, a->memory + page, page, IOVA + page,
					MAP_FLAGS));
		EXPECT_EQ(expected, __mock_check_map(iommufd, hwpt, IOVA, 2 * page, a->memory))
			check_note("mapped after, attached to: %s", kind_names[kind]);
		ASSERT_EQ(0, __ioas_unmap(iommufd, a->vm.ioas, IOVA + page, page, NULL));
		EXPECT_EQ(-EINVAL, __mock_check_map(iommufd, hwpt, IOVA + page, page,
						    a->memory + page));
	}
}

/* Invalidating is about the page table, not about what is attached: nothing else loses entries. */
TEST_F(effect, attach_changes_no_cache)
{
	struct attach_vm *a = &self->a;

	RULE("UAPI-75");
	for (int from = 0; from < KINDS; from++) {
		for (int to = 0; to < KINDS; to++) {
			expect_change(_metadata, a, REPLACE, &a->vm.dev, from);
			expect_change(_metadata, a, REPLACE, &a->vm.dev, to);
		}
	}
	for (int i = 0; i < MOCK_NESTED_DOMAIN_IOTLB_NUM; i++) {
		EXPECT_EQ(0, __mock_check_iotlb(&a->vm.iommufd, a->target[NESTED], i, VM_IOTLB));
		EXPECT_EQ(0, __mock_check_iotlb(&a->vm.iommufd, a->target[FAULT], i, VM_IOTLB));
	}
}

/*
 * Every way in which the mock refuses a target that exists, tried on the weak device
 */
enum refusal {
	NEEDS_DIRTY,	/* device without dirty tracking, page table with it */
	NO_VDEVICE,	/* nested on a vIOMMU that the device is not in */
	LOW_MAPPING,	/* IOAS with a mapping outside of what the IOMMU can translate */
	ODD_MAPPING,	/* IOAS with a mapping finer than the IOMMU's page */
	LOW_ALLOWED,	/* IOAS that must not lose an IOVA that the IOMMU cannot translate */
	REFUSALS,
};

static const struct {
	const char *name;
	int error;
} refusals[REFUSALS] = {
	[NEEDS_DIRTY] = { "dirty tracking wanted", -EINVAL },
	[NO_VDEVICE] = { "no vDEVICE", -ENOENT },
	[LOW_MAPPING] = { "mapping below the aperture", -EADDRINUSE },
	[ODD_MAPPING] = { "mapping of odd alignment", -EADDRINUSE },
	[LOW_ALLOWED] = { "allowed IOVA below the aperture", -EADDRINUSE },
};

FIXTURE(refused) {
	struct attach_vm a;
	uint32_t target[REFUSALS];
	uint32_t hwpt;
	uint32_t op;	/* replace, or attach where the device is detached */
};

FIXTURE_VARIANT(refused) {
	enum kind kind;	/* KINDS: detached */
};

FIXTURE_VARIANT_ADD(refused, detached) { .kind = KINDS };
FIXTURE_VARIANT_ADD(refused, ioas) { .kind = AUTO };
FIXTURE_VARIANT_ADD(refused, paging) { .kind = PAGING };
FIXTURE_VARIANT_ADD(refused, parent) { .kind = PARENT };
FIXTURE_VARIANT_ADD(refused, nested) { .kind = NESTED };
FIXTURE_VARIANT_ADD(refused, viommu_nested) { .kind = VIOMMU_NESTED };
FIXTURE_VARIANT_ADD(refused, fault) { .kind = FAULT };
FIXTURE_VARIANT_ADD(refused, other_ioas) { .kind = OTHER_AUTO };

static void refused_targets(struct __test_metadata *_metadata, struct attach_vm *a,
			    uint32_t *target)
{
	const struct iommu_iova_range low = { BELOW_APERTURE, BELOW_APERTURE + 0xffff };
	struct iommufd *iommufd = &a->vm.iommufd;
	uint64_t page = sysconf(_SC_PAGESIZE);

	target[NEEDS_DIRTY] = a->target[DIRTY];
	target[NO_VDEVICE] = a->stray;
	target[LOW_MAPPING] = ioas_alloc(iommufd);
	ASSERT_EQ(0, __ioas_map(iommufd, target[LOW_MAPPING], a->memory, page, BELOW_APERTURE,
				MAP_FLAGS));
	target[ODD_MAPPING] = ioas_alloc(iommufd);
	ASSERT_EQ(0, __ioas_map(iommufd, target[ODD_MAPPING], a->memory, page, IOVA + 512,
				MAP_FLAGS));
	target[LOW_ALLOWED] = ioas_alloc(iommufd);
	ASSERT_EQ(0, __ioas_allow(iommufd, target[LOW_ALLOWED], 1, &low));
}

FIXTURE_SETUP(refused)
{
	struct attach_vm *a = &self->a;

	if (!attach_vm_setup(_metadata, a))
		return;
	refused_targets(_metadata, a, self->target);
	ASSERT_EQ(0, __ioas_map(&a->vm.iommufd, a->vm.ioas, a->memory, a->length, IOVA,
				MAP_FLAGS));
	self->op = variant->kind == KINDS ? ATTACH : REPLACE;
	if (variant->kind == KINDS)
		detach(_metadata, a, &a->weak);
	else
		expect_change(_metadata, a, REPLACE, &a->weak, variant->kind);
	self->hwpt = attached(a, &a->weak);
}

FIXTURE_TEARDOWN(refused)
{
	attach_vm_teardown(_metadata, &self->a);
}

static int try_target(FIXTURE_DATA(refused) *self, uint32_t *pt_id)
{
	return attach_call(&self->a.vm.iommufd, self->op, self->a.weak.stdev_id, RID, pt_id);
}

TEST_F(refused, attachment_and_objects_are_as_before)
{
	RULE("UAPI-76");
	for (int why = 0; why < REFUSALS; why++) {
		struct state before = state_get(&self->a.vm.iommufd);
		uint32_t pt_id = self->target[why];

		EXPECT_EQ(refusals[why].error, try_target(self, &pt_id))
			check_note("%s: %s", attach_op_name(self->op), refusals[why].name);
		EXPECT_EQ(self->target[why], pt_id);
		EXPECT_EQ(self->hwpt, attached(&self->a, &self->a.weak))
			check_note("%s: %s", attach_op_name(self->op), refusals[why].name);
		EXPECT_STATE(&self->a.vm.iommufd, &before);
	}
}

TEST_F(refused, iova_ranges_are_as_before)
{
	struct iommufd *iommufd = &self->a.vm.iommufd;

	RULE("UAPI-76");
	for (int why = 0; why < REFUSALS; why++) {
		bool is_ioas = why == LOW_MAPPING || why == ODD_MAPPING || why == LOW_ALLOWED;
		uint32_t ioas[] = { self->a.vm.ioas, self->a.other_ioas,
				    is_ioas ? self->target[why] : self->a.vm.ioas };
		struct ranges before[ARRAY_SIZE(ioas)], after;
		uint32_t pt_id = self->target[why];

		for (size_t i = 0; i < ARRAY_SIZE(ioas); i++)
			before[i] = IOAS_RANGES(iommufd, ioas[i]);
		EXPECT_EQ(refusals[why].error, try_target(self, &pt_id));
		for (size_t i = 0; i < ARRAY_SIZE(ioas); i++) {
			after = IOAS_RANGES(iommufd, ioas[i]);
			EXPECT_EQ(0, memcmp(&before[i], &after, sizeof(after)))
				check_note("IOAS %u after: %s", ioas[i], refusals[why].name);
		}
	}
}

TEST_F(refused, translation_faults_and_events_are_as_before)
{
	struct attach_vm *a = &self->a;

	RULE("UAPI-76");
	for (int why = 0; why < REFUSALS; why++) {
		uint32_t pt_id = self->target[why];

		EXPECT_EQ(refusals[why].error, try_target(self, &pt_id));
		EXPECT_EQ(variant->kind == FAULT, fault_arrives(a, &a->weak))
			check_note("page fault after: %s", refusals[why].name);
		EXPECT_EQ(variant->kind == VIOMMU_NESTED, vevent_arrives(a, &a->weak))
			check_note("event after: %s", refusals[why].name);
		EXPECT_EQ(0, __mock_check_map(&a->vm.iommufd, a->vm.parent, IOVA, a->length,
					      a->memory))
			check_note("mapping of the parent after: %s", refusals[why].name);
		if (variant->kind != AUTO)
			continue;
		EXPECT_EQ(0, __mock_check_map(&a->vm.iommufd, self->hwpt, IOVA, a->length,
					      a->memory))
			check_note("mapping after: %s", refusals[why].name);
	}
}

TEST_F(refused, page_table_in_use_is_still_busy_the_other_is_free)
{
	struct iommufd *iommufd = &self->a.vm.iommufd;

	RULE("UAPI-76");
	for (int why = 0; why < REFUSALS; why++) {
		uint32_t pt_id = self->target[why];

		EXPECT_EQ(refusals[why].error, try_target(self, &pt_id));
		EXPECT_EQ(0, __iommufd_destroy(iommufd, self->target[why]))
			check_note("destroying what was refused: %s", refusals[why].name);
	}
	if (variant->kind == KINDS)
		return;
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->hwpt));
	EXPECT_EQ(self->hwpt, attached(&self->a, &self->a.weak));
}

TEST_F(refused, a_good_target_works_afterwards)
{
	RULE("UAPI-76");
	for (int to = 0; to < KINDS; to++) {
		if (to == DIRTY)
			continue;
		for (int why = 0; why < REFUSALS; why++) {
			uint32_t pt_id = self->target[why];

			EXPECT_EQ(refusals[why].error, try_target(self, &pt_id));
		}
		expect_change(_metadata, &self->a, self->op, &self->a.weak, to);
		self->op = REPLACE;
	}
}

TEST_F(refused, works_once_the_reason_is_gone)
{
	struct attach_vm *a = &self->a;
	struct iommufd *iommufd = &a->vm.iommufd;
	uint64_t page = sysconf(_SC_PAGESIZE);

	RULE("UAPI-76");
	ASSERT_EQ(0, __ioas_unmap(iommufd, self->target[LOW_MAPPING], BELOW_APERTURE, page, NULL));
	ASSERT_EQ(0, __ioas_unmap(iommufd, self->target[ODD_MAPPING], IOVA + 512, page, NULL));
	ASSERT_EQ(0, __ioas_allow(iommufd, self->target[LOW_ALLOWED], 0, NULL));
	iommufd_destroy(iommufd, a->weak_vdevice);
	vdevice_alloc(iommufd, a->other_viommu, a->weak.idev_id, VM_VIRT_ID);
	for (int why = NO_VDEVICE; why < REFUSALS; why++) {
		uint32_t pt_id = self->target[why];

		EXPECT_EQ(0, try_target(self, &pt_id))
			check_note("%s: %s", attach_op_name(self->op), refusals[why].name);
		EXPECT_EQ(pt_id, attached(a, &a->weak));
		self->op = REPLACE;
	}
}

TEST_F(refused, objects_that_are_no_page_tables)
{
	struct attach_vm *a = &self->a;
	const struct {
		const char *name;
		uint32_t id;
		int error;
	} targets[] = {
		{ "0", 0, -ENOENT },
		{ "an id never given", 100000, -ENOENT },
		{ "the highest id", UINT32_MAX, -ENOENT },
		{ "a destroyed HWPT", a->target[OTHER_PAGING], -ENOENT },
		{ "the device", a->weak.idev_id, -EINVAL },
		{ "a test object", a->weak.stdev_id, -EINVAL },
		{ "a vIOMMU", a->vm.viommu, -EINVAL },
		{ "a vDEVICE", a->vm.vdevice, -EINVAL },
		{ "a vEVENTQ", a->veventq, -EINVAL },
		{ "a fault queue", a->fault, -EINVAL },
	};
	struct state before;

	RULE("UAPI-77");
	iommufd_destroy(&a->vm.iommufd, a->target[OTHER_PAGING]);
	before = state_get(&a->vm.iommufd);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		uint32_t pt_id = targets[i].id;

		EXPECT_EQ(targets[i].error, try_target(self, &pt_id))
			check_note("%s: %s", attach_op_name(self->op), targets[i].name);
		EXPECT_EQ(self->hwpt, attached(a, &a->weak));
	}
	EXPECT_STATE(&a->vm.iommufd, &before);
}

/* Binding a device and attaching it at once: when that fails there is no device. */
TEST_F(refused, new_device_does_not_stay)
{
	struct attach_vm *a = &self->a;

	RULE("UAPI-76");
	for (int why = 0; why < REFUSALS; why++) {
		struct state before = state_get(&a->vm.iommufd);
		struct mock_device none = {};

		EXPECT_EQ(refusals[why].error,
			  __mock_device_create(&a->vm.iommufd, self->target[why],
					       MOCK_FLAGS_DEVICE_NO_DIRTY, &none))
			check_note("%s", refusals[why].name);
		EXPECT_STATE(&a->vm.iommufd, &before);
		EXPECT_EQ(self->hwpt, attached(a, &a->weak));
	}
}

/* The page tables that the kernel makes for an IOAS by itself */
FIXTURE(auto_hwpt) {
	struct vm vm;
};

FIXTURE_SETUP(auto_hwpt)
{
	vm_open(_metadata, &self->vm);
}

FIXTURE_TEARDOWN(auto_hwpt)
{
	vm_close(&self->vm);
}

TEST_F(auto_hwpt, is_shared_and_goes_with_its_last_device)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device first, second;

	RULE("UAPI-75");
	first = mock_device_create(iommufd, self->vm.ioas, 0);
	second = mock_device_create(iommufd, self->vm.ioas, MOCK_FLAGS_DEVICE_NO_DIRTY);
	EXPECT_EQ(first.hwpt_id, second.hwpt_id);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, first.hwpt_id));
	iommufd_destroy(iommufd, first.stdev_id);
	EXPECT_TRUE(state_has(iommufd, second.hwpt_id));
	EXPECT_EQ(second.hwpt_id, attached_hwpt(iommufd, second.stdev_id, RID));
	iommufd_destroy(iommufd, second.stdev_id);
	EXPECT_FALSE(state_has(iommufd, second.hwpt_id));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->vm.ioas));
}

TEST_F(auto_hwpt, goes_when_its_device_is_attached_elsewhere)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device dev = mock_device_create(iommufd, self->vm.ioas, 0);
	uint32_t other = ioas_alloc(iommufd);

	RULE("UAPI-75");
	EXPECT_EQ(dev.hwpt_id, attached_hwpt(iommufd, dev.stdev_id, RID));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->vm.ioas));
	mock_device_replace(iommufd, dev.stdev_id, other);
	EXPECT_FALSE(state_has(iommufd, dev.hwpt_id));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->vm.ioas));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, other));
}

TEST_F(auto_hwpt, is_never_one_that_user_space_made)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device dev = mock_device_create(iommufd, self->vm.ioas, 0);
	uint32_t made = hwpt_alloc(iommufd, dev.idev_id, self->vm.ioas, 0);
	uint32_t pt_id = self->vm.ioas;

	RULE("UAPI-75");
	mock_device_replace(iommufd, dev.stdev_id, made);
	EXPECT_EQ(made, attached_hwpt(iommufd, dev.stdev_id, RID));
	EXPECT_EQ(0, attach_call(iommufd, REPLACE, dev.stdev_id, RID, &pt_id));
	EXPECT_NE(made, pt_id);
	EXPECT_NE(self->vm.ioas, pt_id);
	EXPECT_EQ(pt_id, attached_hwpt(iommufd, dev.stdev_id, RID));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, made));
}

/* Its id is a HWPT's like any other, so it can be named. */
TEST_F(auto_hwpt, can_be_attached_by_its_id)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device first, second;
	uint32_t other = ioas_alloc(iommufd);

	RULE("UAPI-75");
	first = mock_device_create(iommufd, self->vm.ioas, 0);
	second = mock_device_create(iommufd, other, 0);
	EXPECT_NE(first.hwpt_id, second.hwpt_id);
	mock_device_replace(iommufd, second.stdev_id, first.hwpt_id);
	EXPECT_EQ(first.hwpt_id, attached_hwpt(iommufd, second.stdev_id, RID));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, other));
	iommufd_destroy(iommufd, first.stdev_id);
	EXPECT_TRUE(state_has(iommufd, first.hwpt_id));
	EXPECT_EQ(0, __mock_pasid_detach(iommufd, second.stdev_id, RID));
	EXPECT_FALSE(state_has(iommufd, first.hwpt_id));
}

/* IOVA ranges of an IOAS with attached devices */
FIXTURE(ranges) {
	struct vm vm;
	uint8_t *memory;
	uint64_t page;
};

FIXTURE_SETUP(ranges)
{
	if (!vm_open(_metadata, &self->vm))
		return;
	self->page = sysconf(_SC_PAGESIZE);
	self->memory = mmap(NULL, self->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->memory);
}

FIXTURE_TEARDOWN(ranges)
{
	vm_close(&self->vm);
}

/* The IOAS has one range, and it is this one. */
static void expect_one_range(struct __test_metadata *_metadata, struct vm *vm, uint64_t start,
			     uint64_t last)
{
	struct ranges ranges = IOAS_RANGES(&vm->iommufd, vm->ioas);

	EXPECT_EQ(1u, ranges.count);
	EXPECT_EQ(start, ranges.range[0].start);
	EXPECT_EQ(last, ranges.range[0].last);
}

static int map_page(FIXTURE_DATA(ranges) *self, uint64_t iova)
{
	return __ioas_map(&self->vm.iommufd, self->vm.ioas, self->memory, self->page, iova,
			  MAP_FLAGS);
}

TEST_F(ranges, narrow_with_the_first_device_and_widen_with_the_last)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device first, second;

	RULE("UAPI-78");
	expect_one_range(_metadata, &self->vm, 0, UINT64_MAX);
	first = mock_device_create(iommufd, self->vm.ioas, 0);
	expect_one_range(_metadata, &self->vm, MOCK_APERTURE_START, MOCK_APERTURE_LAST);
	second = mock_device_create(iommufd, self->vm.ioas, 0);
	expect_one_range(_metadata, &self->vm, MOCK_APERTURE_START, MOCK_APERTURE_LAST);
	EXPECT_EQ(0, __mock_pasid_detach(iommufd, first.stdev_id, RID));
	expect_one_range(_metadata, &self->vm, MOCK_APERTURE_START, MOCK_APERTURE_LAST);
	EXPECT_EQ(0, __mock_pasid_detach(iommufd, second.stdev_id, RID));
	expect_one_range(_metadata, &self->vm, 0, UINT64_MAX);
}

TEST_F(ranges, alignment_follows_the_devices)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device dev;

	RULE("UAPI-78");
	EXPECT_EQ(1ull, IOAS_RANGES(iommufd, self->vm.ioas).alignment);
	dev = mock_device_create(iommufd, self->vm.ioas, 0);
	EXPECT_EQ((uint64_t)MOCK_PAGE_SIZE, IOAS_RANGES(iommufd, self->vm.ioas).alignment);
	EXPECT_EQ(-EINVAL, map_page(self, IOVA + 512));
	EXPECT_EQ(0, map_page(self, IOVA + MOCK_PAGE_SIZE));
	EXPECT_EQ(0, __ioas_unmap(iommufd, self->vm.ioas, IOVA + MOCK_PAGE_SIZE, self->page, NULL));
	EXPECT_EQ(0, __mock_pasid_detach(iommufd, dev.stdev_id, RID));
	EXPECT_EQ(1ull, IOAS_RANGES(iommufd, self->vm.ioas).alignment);
	EXPECT_EQ(0, map_page(self, IOVA + 512));
}

TEST_F(ranges, nothing_can_be_mapped_outside)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	const uint64_t outside[] = {
		0, MOCK_APERTURE_START - self->page, MOCK_APERTURE_START - self->page / 2,
		MOCK_APERTURE_LAST + 1ull, MOCK_APERTURE_LAST + 1ull - self->page / 2,
	};
	struct mock_device dev = mock_device_create(iommufd, self->vm.ioas, 0);

	RULE("UAPI-78");
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		EXPECT_EQ(-EINVAL, map_page(self, outside[i]))
			check_note("IOVA %#llx", (unsigned long long)outside[i]);
	}
	EXPECT_EQ(0, map_page(self, MOCK_APERTURE_START));
	EXPECT_EQ(0, map_page(self, MOCK_APERTURE_LAST + 1ull - self->page));
	ASSERT_EQ(0, __ioas_unmap(iommufd, self->vm.ioas, 0, UINT64_MAX, NULL));
	EXPECT_EQ(0, __mock_pasid_detach(iommufd, dev.stdev_id, RID));
	EXPECT_EQ(0, map_page(self, 0));
	EXPECT_EQ(0, map_page(self, MOCK_APERTURE_LAST + 1ull));
}

/* Through a nested page table the device still uses the IOVAs of the parent's IOAS. */
TEST_F(ranges, stay_narrow_while_a_nested_page_table_is_attached)
{
	struct vm *vm = &self->vm;

	RULE("UAPI-78");
	vm_add_device(_metadata, vm, 0);
	vm->parent = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas,
				IOMMU_HWPT_ALLOC_NEST_PARENT);
	vm->nested = mock_hwpt_alloc_nested(&vm->iommufd, vm->dev.idev_id, vm->parent, 0, 0,
					    VM_IOTLB);
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested);
	expect_one_range(_metadata, vm, MOCK_APERTURE_START, MOCK_APERTURE_LAST);
	EXPECT_EQ(0, __mock_pasid_detach(&vm->iommufd, vm->dev.stdev_id, RID));
	iommufd_destroy(&vm->iommufd, vm->nested);
	iommufd_destroy(&vm->iommufd, vm->parent);
	expect_one_range(_metadata, vm, 0, UINT64_MAX);
}

TEST_F(ranges, too_small_an_array_is_emsgsize)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd), .ioas_id = self->vm.ioas,
	};
	struct iommu_iova_range range[3] = {};

	RULE("UAPI-78");
	vm_add_device(_metadata, &self->vm, 0);
	ASSERT_EQ(0, __mock_add_reserved(&self->vm.iommufd, self->vm.ioas, IOVA, self->page));
	cmd.allowed_iovas = (uintptr_t)range;
	for (uint32_t room = 0; room < 2; room++) {
		memset(range, 0, sizeof(range));
		cmd.num_iovas = room;
		EXPECT_EQ(-EMSGSIZE, __iommufd_ioctl(&self->vm.iommufd, IOMMU_IOAS_IOVA_RANGES,
						     &cmd));
		EXPECT_EQ(2u, cmd.num_iovas);
		EXPECT_EQ(room ? MOCK_APERTURE_START : 0, range[0].start);
		EXPECT_EQ(room ? IOVA - 1 : 0, range[0].last);
		EXPECT_EQ(0ull, range[1].last);
	}
	for (uint32_t room = 2; room <= 3; room++) {
		cmd.num_iovas = room;
		EXPECT_EQ(0, __iommufd_ioctl(&self->vm.iommufd, IOMMU_IOAS_IOVA_RANGES, &cmd));
		EXPECT_EQ(2u, cmd.num_iovas);
		EXPECT_EQ(IOVA + self->page, range[1].start);
		EXPECT_EQ(MOCK_APERTURE_LAST, range[1].last);
		EXPECT_EQ(0ull, range[2].last);
	}
}

TEST_F(ranges, allowed_list_within_the_ranges_lets_devices_in)
{
	const struct iommu_iova_range inside = { IOVA, IOVA + 0xfffff };
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device dev;

	RULE("UAPI-78");
	ASSERT_EQ(0, __ioas_allow(iommufd, self->vm.ioas, 1, &inside));
	dev = mock_device_create(iommufd, self->vm.ioas, 0);
	expect_one_range(_metadata, &self->vm, MOCK_APERTURE_START, MOCK_APERTURE_LAST);
	EXPECT_EQ(-EADDRINUSE, __mock_add_reserved(iommufd, self->vm.ioas, IOVA, self->page));
	expect_one_range(_metadata, &self->vm, MOCK_APERTURE_START, MOCK_APERTURE_LAST);
	iommufd_destroy(iommufd, dev.stdev_id);
}

TEST_F(ranges, allowed_list_wider_than_the_ranges_is_refused)
{
	const struct iommu_iova_range inside = { IOVA, IOVA + 0xfffff };
	const struct iommu_iova_range wide[] = {
		{ IOVA, IOVA + 0xfffff },
		{ MOCK_APERTURE_START - self->page, MOCK_APERTURE_START - 1ull },
	};
	struct iommufd *iommufd = &self->vm.iommufd;

	RULE("UAPI-78");
	vm_add_device(_metadata, &self->vm, 0);
	ASSERT_EQ(0, __ioas_allow(iommufd, self->vm.ioas, 1, &inside));
	EXPECT_EQ(-EADDRINUSE, __ioas_allow(iommufd, self->vm.ioas, 1, &wide[1]));
	EXPECT_EQ(-EADDRINUSE, __ioas_allow(iommufd, self->vm.ioas, 2, wide));
	/* The old list is still there. */
	EXPECT_EQ(-EADDRINUSE, __mock_add_reserved(iommufd, self->vm.ioas, IOVA, self->page));
	ASSERT_EQ(0, __ioas_allow(iommufd, self->vm.ioas, 0, NULL));
	EXPECT_EQ(0, __mock_add_reserved(iommufd, self->vm.ioas, IOVA, self->page));
}

TEST_F(ranges, kernel_chosen_iovas_are_in_the_ranges_and_the_allowed_list)
{
	const struct iommu_iova_range allowed = { IOVA, IOVA + 2 * self->page - 1 };
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd), .flags = MAP_FLAGS, .ioas_id = self->vm.ioas,
		.user_va = (uintptr_t)self->memory, .length = self->page,
	};
	struct iommufd *iommufd = &self->vm.iommufd;

	RULE("UAPI-78");
	vm_add_device(_metadata, &self->vm, 0);
	ASSERT_EQ(0, __iommufd_ioctl(iommufd, IOMMU_IOAS_MAP, &cmd));
	EXPECT_LE(MOCK_APERTURE_START, cmd.iova);
	EXPECT_GE(MOCK_APERTURE_LAST, cmd.iova + self->page - 1);
	ASSERT_EQ(0, __ioas_unmap(iommufd, self->vm.ioas, 0, UINT64_MAX, NULL));
	ASSERT_EQ(0, __ioas_allow(iommufd, self->vm.ioas, 1, &allowed));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, __iommufd_ioctl(iommufd, IOMMU_IOAS_MAP, &cmd));
		EXPECT_LE(allowed.start, cmd.iova);
		EXPECT_GE(allowed.last, cmd.iova + self->page - 1);
	}
	EXPECT_EQ(-ENOSPC, __iommufd_ioctl(iommufd, IOMMU_IOAS_MAP, &cmd));
}

NIT_TEST_MAIN
