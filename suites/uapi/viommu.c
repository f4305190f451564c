// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_VIOMMU_ALLOC: a slice of a physical IOMMU, made on a nesting parent, that serves in place
 * of that parent; the driver data that goes in and comes out; the pages that can be mapped, and
 * the mapping that holds the vIOMMU.
 *
 * The mock's driver data is an echo (iommufd_test.h): in_data comes back as out_data and as the
 * first word of two pages. Those pages are uncached, on arm64 as device memory, so they are
 * touched in aligned words only.
 *
 * The mock is a single physical IOMMU: a device and a parent of two IOMMUs cannot be had on it.
 */
#include <errno.h>
#include <sys/wait.h>

#include "attached.h"
#include "cache.h"

#define VIRT_ID 7
#define IN_DATA 0x12345678
#define MARK 0xfeedf00d
#define MAP_PAGES 2	/* of the mock */
#define OFFSETS 64	/* pages in which the mock's offsets are looked for */
#define SIZE ((uint32_t)sizeof(struct iommu_viommu_selftest))
#define SIZE_MIN ((uint32_t)offsetof(struct iommu_viommu_selftest, out_mmap_offset))

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* A new device can be put behind the vIOMMU, attached, and invalidated; afterwards it is gone. */
static void expect_usable(struct __test_metadata *_metadata, struct iommufd *iommufd,
			  uint32_t ioas, uint32_t viommu)
{
	struct mock_device dev = mock_device_create(iommufd, ioas, 0);
	uint32_t vdevice = vdevice_alloc(iommufd, viommu, dev.idev_id, VIRT_ID);
	uint32_t nested = mock_hwpt_alloc_nested(iommufd, dev.idev_id, viommu, 0, 0, VM_IOTLB);

	mock_device_replace(iommufd, dev.stdev_id, nested);
	EXPECT_EQ(nested, attached_hwpt(iommufd, dev.stdev_id, RID));
	EXPECT_EQ(CACHE_FULL, iotlb_words(iommufd, nested));
	EXPECT_EQ(0, iotlb_invalidate(iommufd, nested, 0, 1));
	EXPECT_EQ(CACHE_FULL & ~(1u << 1), iotlb_words(iommufd, nested));
	EXPECT_EQ(CACHE_FULL, device_words(iommufd, dev.idev_id));
	EXPECT_EQ(0, device_invalidate(iommufd, viommu, 0, VIRT_ID, 2));
	EXPECT_EQ(CACHE_FULL & ~(1u << 2), device_words(iommufd, dev.idev_id));
	iommufd_destroy(iommufd, vdevice);
	iommufd_destroy(iommufd, dev.stdev_id);
	iommufd_destroy(iommufd, nested);
}

static int alloc_on(struct vm *vm, uint32_t hwpt, uint32_t *viommu)
{
	return __viommu_alloc(&vm->iommufd, vm->dev.idev_id, hwpt, IOMMU_VIOMMU_TYPE_SELFTEST,
			      NULL, 0, viommu);
}

static int alloc_with_data(struct vm *vm, void *data, uint32_t length, uint32_t *viommu)
{
	return __viommu_alloc(&vm->iommufd, vm->dev.idev_id, vm->parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, data, length, viommu);
}

/* Up to a vIOMMU with pages that can be mapped: vm->viommu and *@data */
static bool setup_with_pages(struct __test_metadata *_metadata, struct vm *vm,
			     struct iommu_viommu_selftest *data)
{
	if (!vm_setup_parent(_metadata, vm))
		return false;
	data->in_data = IN_DATA;
	ASSERT_EQ(0, alloc_with_data(vm, data, SIZE, &vm->viommu));
	ASSERT_EQ(MAP_PAGES * page_size(), data->out_mmap_length);
	return true;
}

static volatile uint32_t *map_pages(struct __test_metadata *_metadata, struct vm *vm,
				    const struct iommu_viommu_selftest *data)
{
	void *map = NULL;

	ASSERT_EQ(0, __iommufd_mmap(&vm->iommufd, data->out_mmap_length, data->out_mmap_offset,
				    &map));
	return map;
}

static void unmap(struct __test_metadata *_metadata, volatile void *map, size_t length)
{
	ASSERT_EQ(0, munmap((void *)map, length));
}

/* Which HWPT it is made on */

FIXTURE(parent) {
	struct vm vm;
	uint32_t fault;
	int fault_fd;
	uint32_t hwpt;
	struct state before;
};

FIXTURE_VARIANT(parent) {
	uint32_t flags;
	int rc;
};

#define PARENT_VARIANT(_name, _flags, _rc) \
	FIXTURE_VARIANT_ADD(parent, _name) { .flags = _flags, .rc = _rc }

PARENT_VARIANT(plain, 0, -EINVAL);
PARENT_VARIANT(dirty, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, -EINVAL);
PARENT_VARIANT(pasid, IOMMU_HWPT_ALLOC_PASID, -EINVAL);
PARENT_VARIANT(fault, IOMMU_HWPT_FAULT_ID_VALID, -EINVAL);
PARENT_VARIANT(nest, IOMMU_HWPT_ALLOC_NEST_PARENT, 0);
PARENT_VARIANT(nest_dirty, IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0);
PARENT_VARIANT(nest_pasid, IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_PASID, 0);

FIXTURE_SETUP(parent)
{
	struct vm *vm = &self->vm;

	if (!vm_setup_parent(_metadata, vm))
		return;
	self->fault = fault_queue_alloc(&vm->iommufd, &self->fault_fd);
	ASSERT_EQ(0, __hwpt_alloc_data(&vm->iommufd, vm->dev.idev_id, vm->ioas, variant->flags,
				       self->fault, IOMMU_HWPT_DATA_NONE, NULL, 0, &self->hwpt));
	self->before = state_get(&vm->iommufd);
}

FIXTURE_TEARDOWN(parent)
{
	vm_close(&self->vm);
}

/* The other nesting parent is the control: the same call with it works. */
TEST_F(parent, must_be_a_nesting_parent)
{
	RULE("UAPI-45");
	struct vm *vm = &self->vm;
	uint32_t viommu, other;

	EXPECT_EQ(variant->rc, alloc_on(vm, self->hwpt, &viommu));
	if (variant->rc) {
		EXPECT_STATE(&vm->iommufd, &self->before);
	} else {
		expect_usable(_metadata, &vm->iommufd, vm->ioas, viommu);
		EXPECT_EQ(-EBUSY, __iommufd_destroy(&vm->iommufd, self->hwpt));
		iommufd_destroy(&vm->iommufd, viommu);
	}
	EXPECT_EQ(0, alloc_on(vm, vm->parent, &other));
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, self->hwpt));
}

/* Which device it is made for: any of the IOMMU, wherever that one is attached */

enum place { DETACHED, ON_IOAS, ON_OTHER_IOAS, ON_PARENT, ON_NESTED, ON_OTHER_VIOMMU };

FIXTURE(place) {
	struct vm vm;
	uint32_t hwpt;
};

FIXTURE_VARIANT(place) {
	enum place place;
};

FIXTURE_VARIANT_ADD(place, detached) { .place = DETACHED };
FIXTURE_VARIANT_ADD(place, on_ioas) { .place = ON_IOAS };
FIXTURE_VARIANT_ADD(place, on_other_ioas) { .place = ON_OTHER_IOAS };
FIXTURE_VARIANT_ADD(place, on_parent) { .place = ON_PARENT };
FIXTURE_VARIANT_ADD(place, on_nested) { .place = ON_NESTED };
FIXTURE_VARIANT_ADD(place, on_other_viommu) { .place = ON_OTHER_VIOMMU };

static uint32_t place_pt(struct __test_metadata *_metadata, struct vm *vm, enum place place)
{
	uint32_t viommu;

	switch (place) {
	case ON_OTHER_IOAS:
		return ioas_alloc(&vm->iommufd);
	case ON_PARENT:
		return vm->parent;
	case ON_NESTED:
		return mock_hwpt_alloc_nested(&vm->iommufd, vm->dev.idev_id, vm->parent, 0, 0,
					      VM_IOTLB);
	case ON_OTHER_VIOMMU:
		viommu = mock_viommu_alloc(&vm->iommufd, vm->dev.idev_id, vm->parent);
		vdevice_alloc(&vm->iommufd, viommu, vm->dev.idev_id, VIRT_ID);
		return mock_hwpt_alloc_nested(&vm->iommufd, vm->dev.idev_id, viommu, 0, 0,
					      VM_IOTLB);
	default:
		return vm->ioas;
	}
}

FIXTURE_SETUP(place)
{
	struct vm *vm = &self->vm;

	if (!vm_setup_parent(_metadata, vm))
		return;
	if (variant->place == DETACHED) {
		ASSERT_EQ(0, __mock_pasid_detach(&vm->iommufd, vm->dev.stdev_id, RID));
	} else {
		mock_device_replace(&vm->iommufd, vm->dev.stdev_id,
				    place_pt(_metadata, vm, variant->place));
	}
	self->hwpt = attached_hwpt(&vm->iommufd, vm->dev.stdev_id, RID);
}

FIXTURE_TEARDOWN(place)
{
	vm_close(&self->vm);
}

TEST_F(place, of_the_device_does_not_matter)
{
	RULE("UAPI-45");
	struct vm *vm = &self->vm;
	struct state before = state_get(&vm->iommufd);
	uint32_t viommu;

	EXPECT_EQ(variant->place == DETACHED, !self->hwpt);
	ASSERT_EQ(0, alloc_on(vm, vm->parent, &viommu));
	EXPECT_EQ(self->hwpt, attached_hwpt(&vm->iommufd, vm->dev.stdev_id, RID));
	expect_usable(_metadata, &vm->iommufd, vm->ioas, viommu);
	EXPECT_EQ(self->hwpt, attached_hwpt(&vm->iommufd, vm->dev.stdev_id, RID));
	iommufd_destroy(&vm->iommufd, viommu);
	EXPECT_STATE(&vm->iommufd, &before);
}

/* The device only names the IOMMU: the vIOMMU stays when it leaves. */

FIXTURE(leaving) {
	struct vm vm;
	struct iommu_viommu_selftest data;
	volatile uint32_t *map;
};

FIXTURE_VARIANT(leaving) {
	bool in_viommu;
	bool unbound;
};

FIXTURE_VARIANT_ADD(leaving, detached) { };
FIXTURE_VARIANT_ADD(leaving, unbound) { .unbound = true };
FIXTURE_VARIANT_ADD(leaving, unbound_with_its_vdevice) { .in_viommu = true, .unbound = true };

FIXTURE_SETUP(leaving)
{
	struct vm *vm = &self->vm;

	if (!setup_with_pages(_metadata, vm, &self->data))
		return;
	self->map = map_pages(_metadata, vm, &self->data);
	if (variant->in_viommu)
		vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, VM_VIRT_ID);
}

FIXTURE_TEARDOWN(leaving)
{
	vm_close(&self->vm);
}

TEST_F(leaving, device_leaves_its_viommu_behind)
{
	RULE("UAPI-46");
	struct vm *vm = &self->vm;

	if (variant->unbound) {
		iommufd_destroy(&vm->iommufd, vm->dev.stdev_id);
	} else {
		ASSERT_EQ(0, __mock_pasid_detach(&vm->iommufd, vm->dev.stdev_id, RID));
	}
	EXPECT_EQ(IN_DATA, self->map[0]);
	EXPECT_EQ(-EINVAL, device_invalidate(&vm->iommufd, vm->viommu, 0, VM_VIRT_ID, 0));
	expect_usable(_metadata, &vm->iommufd, vm->ioas, vm->viommu);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&vm->iommufd, vm->parent));
	unmap(_metadata, self->map, self->data.out_mmap_length);
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->viommu));
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->parent));
}

/* Several */

#define SEVERAL 8

FIXTURE(several) {
	struct vm vm;
	uint32_t parent[2];
	uint32_t viommu[SEVERAL];
};

FIXTURE_VARIANT(several) {
	int parents;
};

FIXTURE_VARIANT_ADD(several, one_parent) { .parents = 1 };
FIXTURE_VARIANT_ADD(several, two_parents) { .parents = 2 };

FIXTURE_SETUP(several)
{
	struct vm *vm = &self->vm;

	if (!vm_setup_parent(_metadata, vm))
		return;
	self->parent[0] = vm->parent;
	self->parent[1] = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas,
				     IOMMU_HWPT_ALLOC_NEST_PARENT);
	for (int i = 0; i < SEVERAL; i++)
		self->viommu[i] = mock_viommu_alloc(&vm->iommufd, vm->dev.idev_id,
						    self->parent[i % variant->parents]);
}

FIXTURE_TEARDOWN(several)
{
	vm_close(&self->vm);
}

TEST_F(several, destroying_one_leaves_the_others)
{
	RULE("UAPI-46");
	struct iommufd *iommufd = &self->vm.iommufd;

	for (int i = 0; i < SEVERAL; i++) {
		int gone = i * 3 % SEVERAL;	/* a permutation */

		expect_usable(_metadata, iommufd, self->vm.ioas, self->viommu[gone]);
		iommufd_destroy(iommufd, self->viommu[gone]);
		EXPECT_FALSE(state_has(iommufd, self->viommu[gone]));
		for (int j = i + 1; j < SEVERAL; j++)
			expect_usable(_metadata, iommufd, self->vm.ioas,
				      self->viommu[j * 3 % SEVERAL]);
	}
}

TEST_F(several, parent_is_busy_until_its_last_viommu_is_gone)
{
	RULE("UAPI-46");
	struct iommufd *iommufd = &self->vm.iommufd;

	for (int i = 0; i < SEVERAL; i++) {
		uint32_t parent = self->parent[i % variant->parents];

		EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, parent))
			check_note("vIOMMU %d of %d", i, SEVERAL);
		iommufd_destroy(iommufd, self->viommu[i]);
		if (i + variant->parents >= SEVERAL)
			EXPECT_EQ(0, __iommufd_destroy(iommufd, parent));
	}
}

/* Two contexts */

FIXTURE(contexts) {
	struct vm vm;
	struct vm other;
};

FIXTURE_SETUP(contexts)
{
	if (vm_setup_parent(_metadata, &self->vm))
		vm_setup_parent(_metadata, &self->other);
}

FIXTURE_TEARDOWN(contexts)
{
	vm_close(&self->other);
	vm_close(&self->vm);
}

TEST_F(contexts, parent_of_another_context_is_enoent)
{
	RULE("UAPI-45");
	struct vm *vm = &self->vm, *other = &self->other;
	uint32_t parent, viommu;

	do {
		parent = hwpt_alloc(&other->iommufd, other->dev.idev_id, other->ioas,
				    IOMMU_HWPT_ALLOC_NEST_PARENT);
	} while (state_has(&vm->iommufd, parent));
	EXPECT_EQ(0, alloc_on(other, parent, &viommu));
	EXPECT_EQ(-ENOENT, alloc_on(vm, parent, &viommu));
}

TEST_F(contexts, device_of_another_context_is_enoent)
{
	RULE("UAPI-45");
	struct vm *vm = &self->vm, *other = &self->other;
	uint32_t viommu;

	do {
		other->dev = mock_device_create(&other->iommufd, other->ioas, 0);
	} while (state_has(&vm->iommufd, other->dev.idev_id));
	EXPECT_EQ(0, alloc_on(other, other->parent, &viommu));
	vm->dev = other->dev;
	EXPECT_EQ(-ENOENT, alloc_on(vm, vm->parent, &viommu));
}

TEST_F(contexts, each_has_its_own_pages)
{
	RULE("UAPI-48");
	struct iommu_viommu_selftest data = { .in_data = IN_DATA }, other_data = { .in_data = 2 };
	volatile uint32_t *map, *other_map;
	void *none;

	ASSERT_EQ(0, alloc_with_data(&self->vm, &data, SIZE, &self->vm.viommu));
	EXPECT_EQ(-ENXIO, __iommufd_mmap(&self->other.iommufd, data.out_mmap_length,
					 data.out_mmap_offset, &none));
	map = map_pages(_metadata, &self->vm, &data);
	ASSERT_EQ(0, alloc_with_data(&self->other, &other_data, SIZE, &self->other.viommu));
	other_map = map_pages(_metadata, &self->other, &other_data);
	EXPECT_EQ(2, *other_map);
	*other_map = MARK;
	EXPECT_EQ(IN_DATA, *map);
	iommufd_close(&self->vm.iommufd);
	EXPECT_EQ(MARK, *other_map);
	EXPECT_EQ(IN_DATA, *map);
}

/* Driver data */

#define ROOM 256
#define FILL 0xa5

FIXTURE(data) {
	struct vm vm;
	uint8_t *edge;	/* between a page of plain memory and one whose access the test changes */
	struct state before;
};

FIXTURE_SETUP(data)
{
	uint8_t *memory;

	if (!vm_setup_parent(_metadata, &self->vm))
		return;
	memory = mmap(NULL, 2 * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)memory);
	memset(memory, FILL, 2 * page_size());
	self->edge = memory + page_size();
	self->before = state_get(&self->vm.iommufd);
}

/* Whatever the test made it has destroyed, or been refused. */
FIXTURE_TEARDOWN(data)
{
	if (self->edge && !_metadata->exit_code) {
		EXPECT_STATE(&self->vm.iommufd, &self->before);
		EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->vm.parent));
	}
	vm_close(&self->vm);
}

/* @at: a struct iommu_viommu_selftest, cut at or filled up to @length with 0 */
static void data_write(uint8_t *at, uint32_t length, uint32_t in_data)
{
	const struct iommu_viommu_selftest data = { .in_data = in_data, .out_data = ~in_data };

	memset(at, 0, length);
	memcpy(at, &data, length < SIZE ? length : SIZE);
}

/* Offsets at which the length of the mock's pages can be mapped */
static int mappable_offsets(struct iommufd *iommufd)
{
	size_t length = MAP_PAGES * page_size();
	int count = 0;
	void *map;

	for (off_t i = 0; i < OFFSETS; i++) {
		if (__iommufd_mmap(iommufd, length, i * page_size(), &map))
			continue;
		munmap(map, length);
		count++;
	}
	return count;
}

static void expect_nothing_made(struct __test_metadata *_metadata, FIXTURE_DATA(data) *self)
{
	EXPECT_STATE(&self->vm.iommufd, &self->before);
	EXPECT_EQ(0, mappable_offsets(&self->vm.iommufd));
}

/* The call that the refused ones differ from in one thing */
static void expect_good_data_works(struct __test_metadata *_metadata, FIXTURE_DATA(data) *self)
{
	struct iommu_viommu_selftest data = { .in_data = IN_DATA };
	uint32_t viommu;

	ASSERT_EQ(0, alloc_with_data(&self->vm, &data, SIZE, &viommu));
	EXPECT_EQ(IN_DATA, data.out_data);
	EXPECT_EQ(1, mappable_offsets(&self->vm.iommufd));
	iommufd_destroy(&self->vm.iommufd, viommu);
	expect_nothing_made(_metadata, self);
}

TEST_F(data, reaches_the_driver_and_comes_back)
{
	RULE("UAPI-47");
	const uint32_t values[] = { 0, 1, IN_DATA, UINT32_MAX };
	struct vm *vm = &self->vm;
	void *map;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct iommu_viommu_selftest data = {
			.in_data = values[i], .out_data = ~values[i],
		};

		ASSERT_EQ(0, alloc_with_data(vm, &data, SIZE, &vm->viommu));
		EXPECT_EQ(values[i], data.in_data);
		EXPECT_EQ(values[i], data.out_data);
		EXPECT_NE(0, data.out_mmap_offset);
		EXPECT_EQ(MAP_PAGES * page_size(), data.out_mmap_length);
		ASSERT_EQ(0, __iommufd_mmap(&vm->iommufd, data.out_mmap_length,
					    data.out_mmap_offset, &map));
		EXPECT_EQ(values[i], *(volatile uint32_t *)map);
		munmap(map, data.out_mmap_length);
		iommufd_destroy(&vm->iommufd, vm->viommu);
	}
}

/*
 * A program that knows only the first members gets those, one that knows more than the kernel is
 * refused; none has a byte written beside its data.
 */
TEST_F(data, length)
{
	RULE("UAPI-47");
	uint8_t *data = self->edge - ROOM / 2, expected[ROOM];
	const uint32_t answer[] = { IN_DATA, IN_DATA };
	uint32_t viommu;

	for (uint32_t length = 1; length <= 2 * SIZE; length++) {
		bool good = length >= SIZE_MIN && length <= SIZE;
		int rc;

		memset(data - ROOM / 2, FILL, ROOM);
		data_write(data, length, IN_DATA);
		memcpy(expected, data - ROOM / 2, ROOM);
		rc = alloc_with_data(&self->vm, data, length, &viommu);
		EXPECT_EQ(good ? 0 : -EINVAL, rc)
			check_note("data_len %u of %u", length, SIZE);
		if (!rc) {
			memcpy(expected + ROOM / 2, data, length);
			EXPECT_EQ(0, memcmp(data, answer, sizeof(answer)));
		}
		EXPECT_EQ(0, memcmp(expected, data - ROOM / 2, ROOM))
			check_note("data_len %u: a byte outside was written", length);
		if (!rc)
			iommufd_destroy(&self->vm.iommufd, viommu);
		expect_nothing_made(_metadata, self);
	}
	EXPECT_EQ(-EINVAL, alloc_with_data(&self->vm, data, UINT32_MAX, &viommu));
}

TEST_F(data, length_0_means_none)
{
	RULE("UAPI-47");
	void *const anywhere[] = { NULL, (void *)8, (void *)-8L, self->edge };
	uint32_t viommu;

	for (size_t i = 0; i < ARRAY_SIZE(anywhere); i++) {
		ASSERT_EQ(0, alloc_with_data(&self->vm, anywhere[i], 0, &viommu));
		EXPECT_EQ(0, mappable_offsets(&self->vm.iommufd));
		EXPECT_EQ(FILL, *self->edge);
		expect_usable(_metadata, &self->vm.iommufd, self->vm.ioas, viommu);
		iommufd_destroy(&self->vm.iommufd, viommu);
	}
}

TEST_F(data, unreadable_is_efault_and_makes_nothing)
{
	RULE("UAPI-47");
	uint32_t viommu;

	ASSERT_EQ(0, mprotect(self->edge, page_size(), PROT_NONE));
	EXPECT_EQ(-EFAULT, alloc_with_data(&self->vm, NULL, SIZE, &viommu));
	EXPECT_EQ(-EFAULT, alloc_with_data(&self->vm, (void *)-8L, SIZE, &viommu));
	for (uint32_t readable = 0; readable < SIZE; readable++) {
		data_write(self->edge - readable, readable, IN_DATA);
		EXPECT_EQ(-EFAULT, alloc_with_data(&self->vm, self->edge - readable, SIZE,
						   &viommu))
			check_note("%u of %u bytes readable", readable, SIZE);
		expect_nothing_made(_metadata, self);
	}
	data_write(self->edge - SIZE, SIZE, IN_DATA);
	ASSERT_EQ(0, alloc_with_data(&self->vm, self->edge - SIZE, SIZE, &viommu));
	iommufd_destroy(&self->vm.iommufd, viommu);
}

/* The driver has done everything by the time that its answer cannot be delivered. */
TEST_F(data, unwritable_is_efault_and_makes_nothing)
{
	RULE("UAPI-47");
	uint32_t viommu;

	for (uint32_t writable = 0; writable <= SIZE; writable++) {
		int rc;

		ASSERT_EQ(0, mprotect(self->edge, page_size(), PROT_READ | PROT_WRITE));
		data_write(self->edge - writable, SIZE, IN_DATA);
		ASSERT_EQ(0, mprotect(self->edge, page_size(), PROT_READ));
		rc = alloc_with_data(&self->vm, self->edge - writable, SIZE, &viommu);
		EXPECT_EQ(writable == SIZE ? 0 : -EFAULT, rc)
			check_note("%u of %u bytes writable", writable, SIZE);
		if (!rc)
			iommufd_destroy(&self->vm.iommufd, viommu);
		expect_nothing_made(_metadata, self);
	}
	expect_good_data_works(_metadata, self);
}

/* The data has been answered, then the id cannot be: what was answered must not work. */
TEST_F(data, of_a_call_that_cannot_be_answered_is_void)
{
	RULE("UAPI-47");
	struct iommu_viommu_selftest data = { .in_data = IN_DATA };
	struct iommu_viommu_alloc *cmd = (void *)self->edge;

	*cmd = (struct iommu_viommu_alloc){
		.size = sizeof(*cmd), .type = IOMMU_VIOMMU_TYPE_SELFTEST,
		.dev_id = self->vm.dev.idev_id, .hwpt_id = self->vm.parent,
		.data_len = SIZE, .data_uptr = (uintptr_t)&data,
	};
	ASSERT_EQ(0, mprotect(self->edge, page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, __iommufd_ioctl(&self->vm.iommufd, IOMMU_VIOMMU_ALLOC, cmd));
	expect_nothing_made(_metadata, self);
	ASSERT_EQ(0, mprotect(self->edge, page_size(), PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, __iommufd_ioctl(&self->vm.iommufd, IOMMU_VIOMMU_ALLOC, cmd));
	EXPECT_EQ(1, mappable_offsets(&self->vm.iommufd));
	iommufd_destroy(&self->vm.iommufd, cmd->out_viommu_id);
}

TEST_F(data, of_a_refused_call_is_left_alone)
{
	RULE("UAPI-47");
	struct vm *vm = &self->vm;
	const struct {
		uint32_t dev_id;
		uint32_t hwpt_id;
		uint32_t type;
		int rc;
	} refused[] = {
		{ vm->dev.idev_id, vm->dev.hwpt_id, IOMMU_VIOMMU_TYPE_SELFTEST, -EINVAL },
		{ vm->dev.idev_id, UINT32_MAX, IOMMU_VIOMMU_TYPE_SELFTEST, -ENOENT },
		{ UINT32_MAX, vm->parent, IOMMU_VIOMMU_TYPE_SELFTEST, -ENOENT },
		{ vm->dev.idev_id, vm->parent, IOMMU_VIOMMU_TYPE_SELFTEST - 1, -EOPNOTSUPP },
		{ vm->dev.idev_id, vm->parent, IOMMU_VIOMMU_TYPE_DEFAULT, -EOPNOTSUPP },
	};
	struct iommu_viommu_selftest data = { .in_data = IN_DATA }, same = data;
	uint32_t viommu;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		EXPECT_EQ(refused[i].rc, __viommu_alloc(&vm->iommufd, refused[i].dev_id,
							refused[i].hwpt_id, refused[i].type,
							&data, SIZE, &viommu))
			check_note("refused[%zu]", i);
		EXPECT_EQ(0, memcmp(&same, &data, SIZE));
		expect_nothing_made(_metadata, self);
	}
	expect_good_data_works(_metadata, self);
}

/* The pages of a vIOMMU */

FIXTURE(mapping) {
	struct vm vm;
	struct iommu_viommu_selftest data;
	size_t page;
	size_t length;
	volatile uint32_t *map;
};

/* The mock's pages with @in_data in the first word and nothing else */
static void expect_new_pages(struct __test_metadata *_metadata, volatile uint32_t *map,
			     size_t length, uint32_t in_data)
{
	unsigned int nonzero = 0;

	EXPECT_EQ(in_data, map[0]);
	for (size_t i = 1; i < length / sizeof(*map); i++)
		nonzero += map[i] != 0;
	EXPECT_EQ(0, nonzero);
}

FIXTURE_SETUP(mapping)
{
	if (!setup_with_pages(_metadata, &self->vm, &self->data))
		return;
	self->page = page_size();
	self->length = self->data.out_mmap_length;
	self->map = map_pages(_metadata, &self->vm, &self->data);
}

FIXTURE_TEARDOWN(mapping)
{
	vm_close(&self->vm);
}

TEST_F(mapping, shows_the_pages_and_nothing_left_in_them)
{
	RULE("UAPI-48");
	struct vm *vm = &self->vm;

	expect_new_pages(_metadata, self->map, self->length, IN_DATA);
	for (uint32_t round = 0; round < 16; round++) {
		for (size_t i = 0; i < self->length / sizeof(*self->map); i++)
			self->map[i] = MARK;
		unmap(_metadata, self->map, self->length);
		iommufd_destroy(&vm->iommufd, vm->viommu);
		self->data.in_data = round;
		ASSERT_EQ(0, alloc_with_data(vm, &self->data, SIZE, &vm->viommu));
		self->map = map_pages(_metadata, vm, &self->data);
		expect_new_pages(_metadata, self->map, self->length, round);
	}
}

TEST_F(mapping, all_mappings_show_the_same_pages)
{
	RULE("UAPI-48");
	volatile uint32_t *again = map_pages(_metadata, &self->vm, &self->data);
	size_t last = self->length / sizeof(*again) - 1;

	EXPECT_NE(self->map, again);
	self->map[1] = MARK;
	again[last] = MARK + 1;
	EXPECT_EQ(MARK, again[1]);
	EXPECT_EQ(MARK + 1, self->map[last]);
}

TEST_F(mapping, viommus_have_their_own_pages)
{
	RULE("UAPI-48");
	struct iommu_viommu_selftest data[4];
	volatile uint32_t *map[ARRAY_SIZE(data)];
	uint32_t viommu;

	for (uint32_t i = 0; i < ARRAY_SIZE(data); i++) {
		data[i] = (struct iommu_viommu_selftest){ .in_data = i };
		ASSERT_EQ(0, alloc_with_data(&self->vm, &data[i], SIZE, &viommu));
		map[i] = map_pages(_metadata, &self->vm, &data[i]);
		EXPECT_NE(self->data.out_mmap_offset, data[i].out_mmap_offset);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(data); i++) {
		expect_new_pages(_metadata, map[i], self->length, i);
		map[i][0] = MARK;
	}
	expect_new_pages(_metadata, self->map, self->length, IN_DATA);
}

TEST_F(mapping, may_be_read_only)
{
	RULE("UAPI-48");
	volatile uint32_t *map = self->vm.iommufd.ops->mmap(&self->vm.iommufd, NULL, self->length,
							    PROT_READ, MAP_SHARED,
							    self->data.out_mmap_offset);

	ASSERT_NE(MAP_FAILED, (void *)map);
	self->map[3] = MARK;
	EXPECT_EQ(MARK, map[3]);
}

/* mmap refuses it: nobody has to run code from pages that a guest or the hardware writes. */
TEST_F(mapping, cannot_be_made_executable_later)
{
	RULE("UAPI-48");
	NEEDS_KERNEL(return, "memory mappings of the kernel");
	EXPECT_EQ(0, mprotect((void *)self->map, self->length, PROT_READ));
	EXPECT_EQ(-1, mprotect((void *)self->map, self->length, PROT_READ | PROT_EXEC));
}

TEST_F(mapping, offset_ends_with_the_viommu)
{
	RULE("UAPI-48");
	struct vm *vm = &self->vm;
	void *map;

	unmap(_metadata, self->map, self->length);
	unmap(_metadata, map_pages(_metadata, vm, &self->data), self->length);
	iommufd_destroy(&vm->iommufd, vm->viommu);
	EXPECT_EQ(-ENXIO, __iommufd_mmap(&vm->iommufd, self->length, self->data.out_mmap_offset,
					 &map));
	EXPECT_EQ(0, mappable_offsets(&vm->iommufd));
}

/* Requests to map that differ in one thing from the good one */

FIXTURE(request) {
	struct vm vm;
	struct iommu_viommu_selftest data;
};

FIXTURE_VARIANT(request) {
	int first;		/* page, from the right one on */
	int pages;
	off_t far;
	int prot;
	int flags;
	int rc;
};

#define REQUEST_VARIANT(_name, _prot, _flags, _rc, ...) \
	FIXTURE_VARIANT_ADD(request, _name) { \
		.prot = _prot, .flags = _flags, .rc = _rc, __VA_ARGS__ \
	}

#define PLACE_VARIANT(_name, _first, _pages, ...) \
	REQUEST_VARIANT(_name, PROT_READ | PROT_WRITE, MAP_SHARED, -ENXIO, .first = _first, \
			.pages = _pages, __VA_ARGS__)

PLACE_VARIANT(first_page_only, 0, 1);
PLACE_VARIANT(second_page_only, 1, 1);
PLACE_VARIANT(from_second_page_on, 1, MAP_PAGES);
PLACE_VARIANT(one_page_more, 0, MAP_PAGES + 1);
PLACE_VARIANT(many_pages_more, 0, 1024);
PLACE_VARIANT(page_before, -1, MAP_PAGES);
PLACE_VARIANT(page_before_too, -1, MAP_PAGES + 1);
PLACE_VARIANT(pages_behind, MAP_PAGES, MAP_PAGES);
PLACE_VARIANT(bit_32_of_the_offset, 0, MAP_PAGES, .far = 1LL << 32);
PLACE_VARIANT(bit_44_of_the_offset, 0, MAP_PAGES, .far = 1LL << 44);
PLACE_VARIANT(bit_62_of_the_offset, 0, MAP_PAGES, .far = 1LL << 62);

#define WAY_VARIANT(_name, _prot, _flags, _rc) \
	REQUEST_VARIANT(_name, _prot, _flags, _rc, .pages = MAP_PAGES)

WAY_VARIANT(private, PROT_READ | PROT_WRITE, MAP_PRIVATE, -EINVAL);
WAY_VARIANT(private_read_only, PROT_READ, MAP_PRIVATE, -EINVAL);
WAY_VARIANT(executable, PROT_READ | PROT_EXEC, MAP_SHARED, -EPERM);

FIXTURE_SETUP(request)
{
	setup_with_pages(_metadata, &self->vm, &self->data);
}

FIXTURE_TEARDOWN(request)
{
	vm_close(&self->vm);
}

TEST_F(request, is_refused_and_holds_nothing)
{
	RULE("UAPI-48");
	struct iommufd *iommufd = &self->vm.iommufd;
	off_t offset = self->data.out_mmap_offset + variant->first * (off_t)page_size() +
		       variant->far;

	unmap(_metadata, map_pages(_metadata, &self->vm, &self->data), self->data.out_mmap_length);
	errno = 0;
	EXPECT_EQ(MAP_FAILED, iommufd->ops->mmap(iommufd, NULL, variant->pages * page_size(),
						 variant->prot, variant->flags, offset));
	EXPECT_EQ(variant->rc, -errno);
	unmap(_metadata, map_pages(_metadata, &self->vm, &self->data), self->data.out_mmap_length);
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->vm.viommu));
}

/* What holds a vIOMMU: every mapping and every part of one */

static void expect_held(struct __test_metadata *_metadata, struct vm *vm)
{
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&vm->iommufd, vm->viommu));
}

static void expect_free(struct __test_metadata *_metadata, struct vm *vm)
{
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->viommu));
	EXPECT_EQ(0, __iommufd_destroy(&vm->iommufd, vm->parent));
}

TEST_F(mapping, each_one_holds_the_viommu)
{
	RULE("UAPI-49");
	volatile uint32_t *map[4] = { self->map };

	for (size_t i = 1; i < ARRAY_SIZE(map); i++)
		map[i] = map_pages(_metadata, &self->vm, &self->data);
	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		expect_held(_metadata, &self->vm);
		EXPECT_EQ(IN_DATA, map[i][0]);
		unmap(_metadata, map[i], self->length);
	}
	expect_free(_metadata, &self->vm);
}

TEST_F(mapping, held_viommu_works_on)
{
	RULE("UAPI-49");
	for (int i = 0; i < 3; i++) {
		expect_held(_metadata, &self->vm);
		expect_usable(_metadata, &self->vm.iommufd, self->vm.ioas, self->vm.viommu);
	}
	unmap(_metadata, self->map, self->length);
	expect_free(_metadata, &self->vm);
}

/* Page @first goes, then the other */
static void unmap_by_page(struct __test_metadata *_metadata, FIXTURE_DATA(mapping) *self, int first)
{
	size_t words = self->page / sizeof(*self->map);

	self->map[0] = MARK;
	self->map[words] = MARK + 1;
	unmap(_metadata, self->map + first * words, self->page);
	expect_held(_metadata, &self->vm);
	EXPECT_EQ(MARK + !first, self->map[!first * words]);
	unmap(_metadata, self->map + !first * words, self->page);
	expect_free(_metadata, &self->vm);
}

TEST_F(mapping, its_second_part_holds_the_viommu)
{
	RULE("UAPI-49");
	unmap_by_page(_metadata, self, 0);
}

TEST_F(mapping, its_first_part_holds_the_viommu)
{
	RULE("UAPI-49");
	unmap_by_page(_metadata, self, 1);
}

TEST_F(mapping, inaccessible_part_holds_the_viommu)
{
	RULE("UAPI-49");
	size_t words = self->page / sizeof(*self->map);

	ASSERT_EQ(0, mprotect((void *)self->map, self->page, PROT_READ));
	expect_held(_metadata, &self->vm);
	ASSERT_EQ(0, mprotect((void *)(self->map + words), self->page, PROT_NONE));
	EXPECT_EQ(IN_DATA, self->map[0]);
	unmap(_metadata, self->map, self->page);
	expect_held(_metadata, &self->vm);
	unmap(_metadata, self->map + words, self->page);
	expect_free(_metadata, &self->vm);
}

TEST_F(mapping, moved_one_holds_the_viommu)
{
	RULE("UAPI-49");
	void *place = mmap(NULL, self->length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile uint32_t *moved;

	ASSERT_NE(MAP_FAILED, place);
	moved = mremap((void *)self->map, self->length, self->length,
		       MREMAP_MAYMOVE | MREMAP_FIXED, place);
	ASSERT_EQ(place, (void *)moved);
	expect_new_pages(_metadata, moved, self->length, IN_DATA);
	expect_held(_metadata, &self->vm);
	unmap(_metadata, moved, self->length);
	expect_free(_metadata, &self->vm);
}

TEST_F(mapping, shortened_one_holds_the_viommu)
{
	RULE("UAPI-49");
	ASSERT_EQ((void *)self->map, mremap((void *)self->map, self->length, self->page, 0));
	EXPECT_EQ(IN_DATA, self->map[0]);
	expect_held(_metadata, &self->vm);
	unmap(_metadata, self->map, self->page);
	expect_free(_metadata, &self->vm);
}

TEST_F(mapping, covered_one_holds_nothing)
{
	RULE("UAPI-49");
	expect_held(_metadata, &self->vm);
	EXPECT_EQ((void *)self->map, mmap((void *)self->map, self->length, PROT_READ,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(0, self->map[0]);
	expect_free(_metadata, &self->vm);
}

/*
 * Past the pages of the vIOMMU is memory of others. Shared memory of @length at @map answers the
 * same requests, and so tells that they are good ones.
 */
static int count_grown(void *map, size_t length)
{
	void *grown = mremap(map, length, 2 * length, MREMAP_MAYMOVE);
	void *twin;

	if (grown != MAP_FAILED)
		map = grown;
	twin = mremap(map, 0, length, MREMAP_MAYMOVE);
	return (grown != MAP_FAILED) + (twin != MAP_FAILED);
}

TEST_F(mapping, cannot_grow)
{
	RULE("UAPI-48");
	void *memory = mmap(NULL, self->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	NEEDS_KERNEL(return, "memory mappings of the kernel");
	ASSERT_NE(MAP_FAILED, memory);
	EXPECT_EQ(2, count_grown(memory, self->length));
	EXPECT_EQ(0, count_grown((void *)self->map, self->length));
	expect_new_pages(_metadata, self->map, self->length, IN_DATA);
	unmap(_metadata, self->map, self->length);
	expect_free(_metadata, &self->vm);
}

/* A process that has the mapping too, until its end of the pipe is closed */

/**
 * struct child - a forked process
 * @told: closing it lets the child end
 * @heard: the child says here, with one byte, that it has looked at the mapping
 */
struct child {
	pid_t pid;
	int told;
	int heard;
};

static void child_run(FIXTURE_DATA(mapping) *self, bool unmaps, int told, int heard)
{
	bool good = self->map[0] == IN_DATA;
	char byte = 0;

	self->map[1] = MARK;
	if (unmaps)
		good = !munmap((void *)self->map, self->length) && good;
	good = write(heard, &byte, 1) == 1 && good;
	good = read(told, &byte, 1) == 0 && good;
	_exit(!good);
}

static struct child child_start(struct __test_metadata *_metadata, FIXTURE_DATA(mapping) *self,
				bool unmaps)
{
	struct child child;
	int told[2], heard[2];
	char byte;

	ASSERT_EQ(0, pipe(told));
	ASSERT_EQ(0, pipe(heard));
	child.pid = fork();
	ASSERT_LE(0, child.pid);
	if (!child.pid) {
		close(told[1]);
		child_run(self, unmaps, told[0], heard[1]);
	}
	close(told[0]);
	close(heard[1]);
	child.told = told[1];
	child.heard = heard[0];
	ASSERT_EQ(1, read(child.heard, &byte, 1));
	return child;
}

static void child_end(struct __test_metadata *_metadata, struct child *child)
{
	int status = -1;

	close(child->told);
	ASSERT_EQ(child->pid, waitpid(child->pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(mapping, child_holds_the_viommu_until_it_ends)
{
	RULE("UAPI-49");
	struct child child = child_start(_metadata, self, false);

	NEEDS_KERNEL(return, "more than one process");
	EXPECT_EQ(MARK, self->map[1]);
	unmap(_metadata, self->map, self->length);
	expect_held(_metadata, &self->vm);
	child_end(_metadata, &child);
	expect_free(_metadata, &self->vm);
}

TEST_F(mapping, child_that_unmaps_holds_nothing)
{
	RULE("UAPI-49");
	struct child child = child_start(_metadata, self, true);

	NEEDS_KERNEL(return, "more than one process");
	EXPECT_EQ(IN_DATA, self->map[0]);
	expect_held(_metadata, &self->vm);
	unmap(_metadata, self->map, self->length);
	expect_free(_metadata, &self->vm);
	child_end(_metadata, &child);
}

TEST_F(mapping, parent_holds_the_viommu_after_its_child)
{
	RULE("UAPI-49");
	NEEDS_KERNEL(return, "more than one process");
	for (int i = 0; i < 3; i++) {
		struct child child = child_start(_metadata, self, i % 2);

		child_end(_metadata, &child);
		expect_held(_metadata, &self->vm);
		EXPECT_EQ(IN_DATA, self->map[0]);
	}
	unmap(_metadata, self->map, self->length);
	expect_free(_metadata, &self->vm);
}

/* The context stays for it as well: memory mapped in it is pinned until then. */
TEST_F(mapping, outlives_the_iommufd_file)
{
	RULE("UAPI-49");
	void *memory = mmap(NULL, self->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	struct iommufd other;

	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(0, __ioas_map(&self->vm.iommufd, self->vm.ioas, memory, self->page,
				MOCK_APERTURE_START, IOMMU_IOAS_MAP_READABLE));
	ASSERT_EQ(0, __iommufd_open(&other));
	iommufd_close(&self->vm.iommufd);
	expect_new_pages(_metadata, self->map, self->length, IN_DATA);
	self->map[5] = MARK;
	unmap(_metadata, self->map + self->page / sizeof(*self->map), self->page);
	EXPECT_EQ(MARK, self->map[5]);
	EXPECT_EQ(-EIO, __mock_check_refs(&other, memory, self->page, 0));
	unmap(_metadata, self->map, self->page);
	EXPECT_EQ(0, __mock_check_refs(&other, memory, self->page, 0));
	iommufd_close(&other);
}

NIT_TEST_MAIN
