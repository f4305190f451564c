// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_HWPT_ALLOC: page tables that the kernel manages, nesting parents, and nested ones, from a
 * parent or a vIOMMU. What is refused, and that what is made has the properties asked for.
 */
#include <errno.h>

#include "full_vm.h"
#include "state.h"

#define ALL_FLAGS (IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING | \
		   IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID)
#define NESTED_FLAGS (IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID)
#define DATA_SIZE sizeof(struct iommu_hwpt_selftest)
#define DATA_MIN sizeof(uint32_t)	/* up to @iotlb */
#define DATA_BUFFER 64
#define PASID 5
#define LOW_IOVA 0x10000	/* outside of the mock's aperture */

/* Data that ends where memory ends */
struct data {
	uint8_t *end;
};

static void data_setup(struct __test_metadata *_metadata, struct data *data)
{
	size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)map);
	ASSERT_EQ(0, mprotect(map + page, page, PROT_NONE));
	data->end = map + page;
}

/* @length bytes: a struct iommu_hwpt_selftest, cut or followed by zeros */
static uint8_t *data_of(struct data *data, uint32_t length, uint32_t iotlb, uint32_t table)
{
	struct iommu_hwpt_selftest contents = { .iotlb = iotlb, .pagetable_type = table };
	uint8_t *at = data->end - length;

	memset(at, 0, length);
	memcpy(at, &contents, length < sizeof(contents) ? length : sizeof(contents));
	return at;
}

static bool is_pt(struct iommufd *iommufd, uint32_t stdev_id, uint32_t hwpt)
{
	return !__mock_pasid_check(iommufd, stdev_id, 0, hwpt);
}

/* Page tables of an IOAS, on devices that can do more or less */

FIXTURE(paging) {
	struct vm vm;
	struct data data;
	struct state before;
	uint32_t fault;
	int fault_fd;
	void *memory;
};

FIXTURE_VARIANT(paging) {
	uint32_t device_flags;
};

FIXTURE_VARIANT_ADD(paging, plain_device) { };
FIXTURE_VARIANT_ADD(paging, no_dirty_device) { .device_flags = MOCK_FLAGS_DEVICE_NO_DIRTY };
FIXTURE_VARIANT_ADD(paging, pasid_device) { .device_flags = MOCK_FLAGS_DEVICE_PASID };

FIXTURE_SETUP(paging)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (!vm_open(_metadata, &self->vm))
		return;
	vm_add_device(_metadata, &self->vm, variant->device_flags);
	data_setup(_metadata, &self->data);
	ASSERT_EQ(0, __fault_queue_alloc(&self->vm.iommufd, &self->fault, &self->fault_fd));
	self->memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(0, __ioas_map(&self->vm.iommufd, self->vm.ioas, self->memory, page,
				MOCK_APERTURE_START,
				IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE));
	self->before = state_get(&self->vm.iommufd);
}

/* Whatever the test made it has destroyed, or been refused. */
FIXTURE_TEARDOWN(paging)
{
	if (self->memory && !_metadata->exit_code) {
		EXPECT_STATE(&self->vm.iommufd, &self->before);
		close(self->fault_fd);
		EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->fault));
		EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->vm.dev.stdev_id));
		EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->vm.ioas));
	}
	vm_close(&self->vm);
}

static int paging_alloc(FIXTURE_DATA(paging) *self, uint32_t flags, uint32_t *hwpt)
{
	return __hwpt_alloc_data(&self->vm.iommufd, self->vm.dev.idev_id, self->vm.ioas, flags,
				 flags & IOMMU_HWPT_FAULT_ID_VALID ? self->fault : 0,
				 IOMMU_HWPT_DATA_NONE, NULL, 0, hwpt);
}

static int paging_alloc_data(FIXTURE_DATA(paging) *self, uint32_t flags, uint32_t type,
			     const void *data, uint32_t length, uint32_t *hwpt)
{
	return __hwpt_alloc_data(&self->vm.iommufd, self->vm.dev.idev_id, self->vm.ioas, flags, 0,
				 type, data, length, hwpt);
}

TEST_F(paging, every_combination_of_flags)
{
	RULE("UAPI-17");
	bool dirty = !(variant->device_flags & MOCK_FLAGS_DEVICE_NO_DIRTY);
	uint32_t hwpt;

	for (uint32_t flags = 0; flags <= ALL_FLAGS; flags++) {
		bool refused = ((flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) && !dirty) ||
			       ((flags & IOMMU_HWPT_ALLOC_NEST_PARENT) &&
				(flags & IOMMU_HWPT_FAULT_ID_VALID));
		int rc = paging_alloc(self, flags, &hwpt);

		EXPECT_EQ(refused ? -EOPNOTSUPP : 0, rc)
			check_note("flags %#x", flags);
		if (!rc)
			iommufd_destroy(&self->vm.iommufd, hwpt);
		EXPECT_STATE(&self->vm.iommufd, &self->before);
	}
}

TEST_F(paging, has_the_mappings_of_the_ioas)
{
	RULE("UAPI-17");
	size_t page = sysconf(_SC_PAGESIZE);
	uint32_t hwpt;

	ASSERT_EQ(0, paging_alloc(self, 0, &hwpt));
	EXPECT_EQ(0, __mock_check_map(&self->vm.iommufd, hwpt, MOCK_APERTURE_START, page,
				      self->memory));
	EXPECT_EQ(-EINVAL, __mock_check_map(&self->vm.iommufd, hwpt, MOCK_APERTURE_START + page,
					    page, self->memory));
	ASSERT_EQ(0, __ioas_map(&self->vm.iommufd, self->vm.ioas, self->memory, page,
				MOCK_APERTURE_START + page, IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(0, __mock_check_map(&self->vm.iommufd, hwpt, MOCK_APERTURE_START + page, page,
				      self->memory));
	iommufd_destroy(&self->vm.iommufd, hwpt);
}

TEST_F(paging, nests_exactly_if_nest_parent_was_asked_for)
{
	RULE("UAPI-18");
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };

	for (uint32_t flags = 0; flags <= ALL_FLAGS; flags++) {
		bool parent = flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
		uint32_t hwpt, nested;

		if (paging_alloc(self, flags, &hwpt))
			continue;
		EXPECT_EQ(parent ? 0 : -EINVAL,
			  __hwpt_alloc_data(&self->vm.iommufd, self->vm.dev.idev_id, hwpt, 0, 0,
					    IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data), &nested))
			check_note("flags %#x", flags);
		if (parent)
			iommufd_destroy(&self->vm.iommufd, nested);
		iommufd_destroy(&self->vm.iommufd, hwpt);
	}
}

TEST_F(paging, tracks_dirty_pages_exactly_if_asked_for)
{
	RULE("UAPI-19");
	for (uint32_t flags = 0; flags <= ALL_FLAGS; flags++) {
		bool dirty = flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
		uint32_t hwpt;

		if (paging_alloc(self, flags, &hwpt))
			continue;
		EXPECT_EQ(dirty ? 0 : -EOPNOTSUPP,
			  __hwpt_set_dirty_tracking(&self->vm.iommufd, hwpt,
						    IOMMU_HWPT_DIRTY_TRACKING_ENABLE))
			check_note("flags %#x", flags);
		iommufd_destroy(&self->vm.iommufd, hwpt);
	}
}

/* "Dirty tracking support for device IOMMU is enforced on device attachment" */
TEST_F(paging, dirty_tracking_is_enforced_on_attach)
{
	RULE("UAPI-19");
	bool dirty = !(variant->device_flags & MOCK_FLAGS_DEVICE_NO_DIRTY);
	struct mock_device other = mock_device_create(&self->vm.iommufd, self->vm.ioas, 0);
	uint32_t hwpt = hwpt_alloc(&self->vm.iommufd, other.idev_id, self->vm.ioas,
				   IOMMU_HWPT_ALLOC_DIRTY_TRACKING);

	EXPECT_EQ(dirty ? 0 : -EINVAL,
		  __mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, hwpt));
	EXPECT_TRUE(is_pt(&self->vm.iommufd, self->vm.dev.stdev_id,
			  dirty ? hwpt : self->vm.dev.hwpt_id));
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->vm.ioas);
	iommufd_destroy(&self->vm.iommufd, hwpt);
	iommufd_destroy(&self->vm.iommufd, other.stdev_id);
	self->before = state_get(&self->vm.iommufd);	/* the IOAS may have a new auto domain */
}

TEST_F(paging, pasid_attach_needs_the_pasid_flag)
{
	RULE("UAPI-20");
	struct iommufd *iommufd = &self->vm.iommufd;
	uint32_t flagged, plain, stdev = self->vm.dev.stdev_id;
	bool pasids = variant->device_flags & MOCK_FLAGS_DEVICE_PASID;

	ASSERT_EQ(0, paging_alloc(self, IOMMU_HWPT_ALLOC_PASID, &flagged));
	ASSERT_EQ(0, paging_alloc(self, 0, &plain));
	EXPECT_EQ(-EINVAL, __mock_pasid_attach(iommufd, stdev, PASID, flagged));
	mock_device_replace(iommufd, stdev, flagged);
	EXPECT_EQ(-EINVAL, __mock_pasid_attach(iommufd, stdev, PASID, plain));
	/* And the device must have PASIDs. */
	EXPECT_EQ(pasids ? 0 : -EINVAL, __mock_pasid_attach(iommufd, stdev, PASID, flagged));
	EXPECT_EQ(0, __mock_pasid_check(iommufd, stdev, PASID, pasids ? flagged : 0));
	if (pasids)
		EXPECT_EQ(0, __mock_pasid_detach(iommufd, stdev, PASID));
	mock_device_replace(iommufd, stdev, self->vm.ioas);
	iommufd_destroy(iommufd, flagged);
	iommufd_destroy(iommufd, plain);
	self->before = state_get(iommufd);
}

TEST_F(paging, fault_queue_of_a_page_table_is_in_use)
{
	RULE("UAPI-21");
	uint32_t fault, hwpt;
	int fd;

	ASSERT_EQ(0, __fault_queue_alloc(&self->vm.iommufd, &fault, &fd));
	close(fd);
	ASSERT_EQ(0, __hwpt_alloc_data(&self->vm.iommufd, self->vm.dev.idev_id, self->vm.ioas,
				       IOMMU_HWPT_FAULT_ID_VALID, fault, IOMMU_HWPT_DATA_NONE,
				       NULL, 0, &hwpt));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, fault));
	iommufd_destroy(&self->vm.iommufd, hwpt);
	iommufd_destroy(&self->vm.iommufd, fault);
}

TEST_F(paging, fault_id_counts_only_with_its_flag)
{
	RULE("UAPI-21");
	const uint32_t bad[] = { 0, UINT32_MAX, self->vm.ioas, self->vm.dev.idev_id };
	uint32_t hwpt;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-ENOENT, __hwpt_alloc_data(&self->vm.iommufd, self->vm.dev.idev_id,
						     self->vm.ioas, IOMMU_HWPT_FAULT_ID_VALID,
						     bad[i], IOMMU_HWPT_DATA_NONE, NULL, 0, &hwpt))
			check_note("fault_id %u", bad[i]);
		EXPECT_STATE(&self->vm.iommufd, &self->before);
		ASSERT_EQ(0, __hwpt_alloc_data(&self->vm.iommufd, self->vm.dev.idev_id,
					       self->vm.ioas, 0, bad[i], IOMMU_HWPT_DATA_NONE,
					       NULL, 0, &hwpt));
		iommufd_destroy(&self->vm.iommufd, hwpt);
	}
}

/* The mock's own type is the one kind of driver data that a page table of an IOAS takes. */
TEST_F(paging, mock_page_table_formats)
{
	RULE("UAPI-22");
	const int expected[] = {
		[MOCK_IOMMUPT_DEFAULT] = 0, [MOCK_IOMMUPT_HUGE] = 0, [2] = -EOPNOTSUPP,
	};
	uint32_t hwpt;

	for (uint32_t flags = 0; flags <= 1; flags++)	/* without and with NEST_PARENT */
		for (uint32_t table = 0; table < ARRAY_SIZE(expected); table++) {
			int rc = paging_alloc_data(self, flags, IOMMU_HWPT_DATA_SELFTEST,
						   data_of(&self->data, DATA_SIZE, 0, table),
						   DATA_SIZE, &hwpt);

			EXPECT_EQ(expected[table], rc)
				check_note("format %u, flags %u", table, flags);
			if (rc)
				continue;
			EXPECT_EQ(0, __mock_check_map(&self->vm.iommufd, hwpt,
						      MOCK_APERTURE_START, sysconf(_SC_PAGESIZE),
						      self->memory));
			iommufd_destroy(&self->vm.iommufd, hwpt);
		}
}

TEST_F(paging, data_of_another_type_is_eopnotsupp)
{
	RULE("UAPI-22");
	const uint32_t types[] = {
		IOMMU_HWPT_DATA_VTD_S1, IOMMU_HWPT_DATA_ARM_SMMUV3, IOMMU_HWPT_DATA_AMD_GUEST, 4,
		0xdeae, UINT32_MAX,
	};
	uint8_t *data = data_of(&self->data, DATA_SIZE, 0, 0);
	uint32_t hwpt;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		EXPECT_EQ(-EOPNOTSUPP,
			  paging_alloc_data(self, 0, types[i], data, DATA_SIZE, &hwpt))
			check_note("type %#x", types[i]);
		EXPECT_STATE(&self->vm.iommufd, &self->before);
	}
	ASSERT_EQ(0, paging_alloc_data(self, 0, IOMMU_HWPT_DATA_SELFTEST, data, DATA_SIZE, &hwpt));
	iommufd_destroy(&self->vm.iommufd, hwpt);
}

TEST_F(paging, type_and_length_come_together)
{
	RULE("UAPI-23");
	uint8_t *data = data_of(&self->data, DATA_SIZE, 0, 0);
	uint32_t hwpt;

	EXPECT_EQ(-EINVAL, paging_alloc_data(self, 0, IOMMU_HWPT_DATA_NONE, data, DATA_SIZE,
					     &hwpt));
	EXPECT_EQ(-EINVAL, paging_alloc_data(self, 0, IOMMU_HWPT_DATA_NONE, NULL, 1, &hwpt));
	EXPECT_EQ(-EINVAL, paging_alloc_data(self, 0, IOMMU_HWPT_DATA_SELFTEST, data, 0, &hwpt));
	EXPECT_EQ(-EINVAL, paging_alloc_data(self, 0, IOMMU_HWPT_DATA_VTD_S1, NULL, 0, &hwpt));
}

TEST_F(paging, mapping_outside_of_the_aperture_is_eaddrinuse)
{
	RULE("UAPI-24");
	uint32_t ioas = ioas_alloc(&self->vm.iommufd), hwpt;
	size_t page = sysconf(_SC_PAGESIZE);
	struct state before;

	ASSERT_EQ(0, __ioas_map(&self->vm.iommufd, ioas, self->memory, page, LOW_IOVA,
				IOMMU_IOAS_MAP_READABLE));
	before = state_get(&self->vm.iommufd);
	EXPECT_EQ(-EADDRINUSE, __hwpt_alloc(&self->vm.iommufd, self->vm.dev.idev_id, ioas,
					    IOMMU_HWPT_ALLOC_NEST_PARENT, &hwpt));
	EXPECT_EQ(-EADDRINUSE, __hwpt_alloc(&self->vm.iommufd, self->vm.dev.idev_id, ioas, 0,
					    &hwpt));
	EXPECT_STATE(&self->vm.iommufd, &before);
	ASSERT_EQ(0, __ioas_unmap(&self->vm.iommufd, ioas, LOW_IOVA, page, NULL));
	ASSERT_EQ(0, __hwpt_alloc(&self->vm.iommufd, self->vm.dev.idev_id, ioas, 0, &hwpt));
	iommufd_destroy(&self->vm.iommufd, hwpt);
	/* With the page table gone the aperture is gone too. */
	EXPECT_EQ(0, __ioas_map(&self->vm.iommufd, ioas, self->memory, page, LOW_IOVA,
				IOMMU_IOAS_MAP_READABLE));
	iommufd_destroy(&self->vm.iommufd, ioas);
}

TEST_F(paging, part_of_a_page_mapped_is_eaddrinuse)
{
	RULE("UAPI-24");
	uint32_t ioas = ioas_alloc(&self->vm.iommufd), hwpt;
	struct state before;

	ASSERT_EQ(0, __ioas_map(&self->vm.iommufd, ioas, self->memory + 1, 10,
				MOCK_APERTURE_START + 1, IOMMU_IOAS_MAP_READABLE));
	before = state_get(&self->vm.iommufd);
	EXPECT_EQ(-EADDRINUSE, __hwpt_alloc(&self->vm.iommufd, self->vm.dev.idev_id, ioas, 0,
					    &hwpt));
	EXPECT_STATE(&self->vm.iommufd, &before);
	ASSERT_EQ(0, __ioas_unmap(&self->vm.iommufd, ioas, MOCK_APERTURE_START + 1, 10, NULL));
	EXPECT_EQ(0, __hwpt_alloc(&self->vm.iommufd, self->vm.dev.idev_id, ioas, 0, &hwpt));
	iommufd_destroy(&self->vm.iommufd, hwpt);
	iommufd_destroy(&self->vm.iommufd, ioas);
}

/* A page table takes the memory of all mappings. One of two is gone: the other is let go again. */
TEST_F(paging, memory_that_is_gone_is_efault)
{
	RULE("UAPI-06");
	struct iommufd *iommufd = &self->vm.iommufd;
	uint32_t ioas = ioas_alloc(iommufd), hwpt;
	size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);
	struct state before;

	ASSERT_NE(MAP_FAILED, (void *)memory);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, __ioas_map(iommufd, ioas, memory + i * page, page,
					MOCK_APERTURE_START + i * page, IOMMU_IOAS_MAP_READABLE));
	}
	ASSERT_EQ(0, munmap(memory + page, page));
	before = state_get(iommufd);
	EXPECT_EQ(-EFAULT, __hwpt_alloc(iommufd, self->vm.dev.idev_id, ioas,
					IOMMU_HWPT_ALLOC_NEST_PARENT, &hwpt));
	EXPECT_STATE(iommufd, &before);
	EXPECT_EQ(0, __mock_check_refs(iommufd, memory, page, 0));
	ASSERT_EQ(0, __ioas_unmap(iommufd, ioas, MOCK_APERTURE_START + page, page, NULL));
	EXPECT_EQ(0, __hwpt_alloc(iommufd, self->vm.dev.idev_id, ioas, 0, &hwpt));
	EXPECT_EQ(0, __mock_check_refs(iommufd, memory, page, 1));
	iommufd_destroy(iommufd, hwpt);
	iommufd_destroy(iommufd, ioas);
}

TEST_F(paging, allowed_iovas_outside_of_the_aperture_refuse_the_page_table)
{
	RULE("UAPI-24");
	struct iommu_iova_range range = { .start = LOW_IOVA, .last = LOW_IOVA + 0xffff };
	uint32_t ioas = ioas_alloc(&self->vm.iommufd), hwpt;
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd), .ioas_id = ioas, .num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};

	ASSERT_EQ(0, __iommufd_ioctl(&self->vm.iommufd, IOMMU_IOAS_ALLOW_IOVAS, &cmd));
	EXPECT_EQ(-EADDRINUSE, __hwpt_alloc(&self->vm.iommufd, self->vm.dev.idev_id, ioas, 0,
					    &hwpt));
	cmd.num_iovas = 0;
	ASSERT_EQ(0, __iommufd_ioctl(&self->vm.iommufd, IOMMU_IOAS_ALLOW_IOVAS, &cmd));
	EXPECT_EQ(0, __hwpt_alloc(&self->vm.iommufd, self->vm.dev.idev_id, ioas, 0, &hwpt));
	iommufd_destroy(&self->vm.iommufd, hwpt);
	iommufd_destroy(&self->vm.iommufd, ioas);
}

/* Page tables that an attach makes by itself */

FIXTURE(automatic) {
	struct vm vm;
};

FIXTURE_SETUP(automatic)
{
	if (vm_open(_metadata, &self->vm))
		vm_add_device(_metadata, &self->vm, 0);
}

FIXTURE_TEARDOWN(automatic)
{
	vm_close(&self->vm);
}

TEST_F(automatic, devices_of_an_ioas_share_one)
{
	RULE("UAPI-25");
	struct mock_device second = mock_device_create(&self->vm.iommufd, self->vm.ioas, 0);

	EXPECT_NE(self->vm.ioas, self->vm.dev.hwpt_id);
	EXPECT_EQ(self->vm.dev.hwpt_id, second.hwpt_id);
	EXPECT_TRUE(is_pt(&self->vm.iommufd, second.stdev_id, self->vm.dev.hwpt_id));
}

TEST_F(automatic, goes_with_the_last_device)
{
	RULE("UAPI-25");
	struct mock_device second = mock_device_create(&self->vm.iommufd, self->vm.ioas, 0);

	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->vm.dev.hwpt_id));
	iommufd_destroy(&self->vm.iommufd, self->vm.dev.stdev_id);
	EXPECT_TRUE(state_has(&self->vm.iommufd, second.hwpt_id));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, second.hwpt_id));
	iommufd_destroy(&self->vm.iommufd, second.stdev_id);
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&self->vm.iommufd, second.hwpt_id));
	iommufd_destroy(&self->vm.iommufd, self->vm.ioas);
}

TEST_F(automatic, one_per_ioas)
{
	RULE("UAPI-25");
	uint32_t other_ioas = ioas_alloc(&self->vm.iommufd);
	struct mock_device second = mock_device_create(&self->vm.iommufd, other_ioas, 0);

	EXPECT_NE(self->vm.dev.hwpt_id, second.hwpt_id);
}

TEST_F(automatic, is_no_nesting_parent)
{
	RULE("UAPI-18");
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };
	uint32_t id;

	EXPECT_EQ(-EINVAL, __hwpt_alloc_data(&self->vm.iommufd, self->vm.dev.idev_id,
					     self->vm.dev.hwpt_id, 0, 0, IOMMU_HWPT_DATA_SELFTEST,
					     &data, sizeof(data), &id));
	EXPECT_EQ(-EINVAL, __viommu_alloc(&self->vm.iommufd, self->vm.dev.idev_id,
					  self->vm.dev.hwpt_id, IOMMU_VIOMMU_TYPE_SELFTEST, NULL,
					  0, &id));
}

TEST_F(automatic, explicit_page_table_is_not_used_for_it)
{
	RULE("UAPI-25");
	uint32_t hwpt = hwpt_alloc(&self->vm.iommufd, self->vm.dev.idev_id, self->vm.ioas, 0);
	struct mock_device second = mock_device_create(&self->vm.iommufd, self->vm.ioas, 0);

	EXPECT_EQ(self->vm.dev.hwpt_id, second.hwpt_id);
	iommufd_destroy(&self->vm.iommufd, hwpt);
}

/* Nested page tables, from a parent and from a vIOMMU */

FIXTURE(nested) {
	struct full_vm full;
	struct data data;
	struct state before;
	uint32_t on;
	bool ready;
};

FIXTURE_VARIANT(nested) {
	bool on_viommu;
};

FIXTURE_VARIANT_ADD(nested, on_parent) { .on_viommu = false };
FIXTURE_VARIANT_ADD(nested, on_viommu) { .on_viommu = true };

FIXTURE_SETUP(nested)
{
	if (!full_vm_setup(_metadata, &self->full))
		return;
	data_setup(_metadata, &self->data);
	self->on = variant->on_viommu ? self->full.vm.viommu : self->full.vm.parent;
	self->before = state_get(&self->full.vm.iommufd);
	self->ready = true;
}

FIXTURE_TEARDOWN(nested)
{
	if (self->ready && !_metadata->exit_code)
		EXPECT_STATE(&self->full.vm.iommufd, &self->before);
	full_vm_teardown(_metadata, &self->full);
}

static int nested_alloc(FIXTURE_DATA(nested) *self, uint32_t flags, uint32_t type,
			const void *data, uint32_t length, uint32_t *hwpt)
{
	return __hwpt_alloc_data(&self->full.vm.iommufd, self->full.vm.dev.idev_id, self->on, flags,
				 flags & IOMMU_HWPT_FAULT_ID_VALID ? self->full.fault : 0, type,
				 data, length, hwpt);
}

TEST_F(nested, every_combination_of_flags)
{
	RULE("UAPI-17");
	uint8_t *data = data_of(&self->data, DATA_SIZE, VM_IOTLB, 0);
	uint32_t hwpt;

	for (uint32_t flags = 0; flags <= ALL_FLAGS; flags++) {
		int rc = nested_alloc(self, flags, IOMMU_HWPT_DATA_SELFTEST, data, DATA_SIZE,
				      &hwpt);

		EXPECT_EQ(flags & ~NESTED_FLAGS ? -EOPNOTSUPP : 0, rc)
			check_note("flags %#x", flags);
		if (!rc)
			iommufd_destroy(&self->full.vm.iommufd, hwpt);
		EXPECT_STATE(&self->full.vm.iommufd, &self->before);
	}
}

TEST_F(nested, driver_gets_the_data)
{
	RULE("UAPI-22");
	const uint32_t values[] = { 0, 1, 0x12345678, UINT32_MAX };
	uint32_t hwpt;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		ASSERT_EQ(0, nested_alloc(self, 0, IOMMU_HWPT_DATA_SELFTEST,
					  data_of(&self->data, DATA_SIZE, values[i], 0), DATA_SIZE,
					  &hwpt));
		for (uint32_t word = 0; word < MOCK_NESTED_DOMAIN_IOTLB_NUM; word++) {
			EXPECT_EQ(0, __mock_check_iotlb(&self->full.vm.iommufd, hwpt, word,
							values[i]));
			EXPECT_EQ(-EINVAL, __mock_check_iotlb(&self->full.vm.iommufd, hwpt, word,
							      values[i] + 1));
		}
		iommufd_destroy(&self->full.vm.iommufd, hwpt);
	}
}

TEST_F(nested, data_length)
{
	RULE("UAPI-23");
	uint32_t hwpt;

	for (uint32_t length = 1; length <= DATA_BUFFER; length++) {
		bool good = length >= DATA_MIN && length <= DATA_SIZE;
		int rc = nested_alloc(self, 0, IOMMU_HWPT_DATA_SELFTEST,
				      data_of(&self->data, length, VM_IOTLB, 0), length, &hwpt);

		EXPECT_EQ(good ? 0 : -EINVAL, rc)
			check_note("data_len %u of %zu", length, DATA_SIZE);
		if (rc)
			continue;
		EXPECT_EQ(0, __mock_check_iotlb(&self->full.vm.iommufd, hwpt, 0, VM_IOTLB));
		iommufd_destroy(&self->full.vm.iommufd, hwpt);
	}
	EXPECT_EQ(-EINVAL, nested_alloc(self, 0, IOMMU_HWPT_DATA_SELFTEST, self->data.end - 64,
					UINT32_MAX, &hwpt));
}

TEST_F(nested, longer_data_with_nonzero_tail_is_refused)
{
	RULE("UAPI-23");
	uint32_t hwpt;

	for (uint32_t length = DATA_SIZE + 1; length <= DATA_SIZE + 16; length++) {
		uint8_t *data = data_of(&self->data, length, VM_IOTLB, 0);

		data[length - 1] = 1;
		EXPECT_EQ(-EINVAL, nested_alloc(self, 0, IOMMU_HWPT_DATA_SELFTEST, data, length,
						&hwpt))
			check_note("data_len %u of %zu", length, DATA_SIZE);
	}
}

TEST_F(nested, unreadable_data_is_efault)
{
	RULE("UAPI-23");
	uint32_t hwpt;

	EXPECT_EQ(-EFAULT, nested_alloc(self, 0, IOMMU_HWPT_DATA_SELFTEST, NULL, DATA_SIZE, &hwpt));
	for (uint32_t readable = 0; readable < DATA_SIZE; readable++) {
		EXPECT_EQ(-EFAULT, nested_alloc(self, 0, IOMMU_HWPT_DATA_SELFTEST,
						self->data.end - readable, DATA_SIZE, &hwpt));
	}
	EXPECT_EQ(-EFAULT, nested_alloc(self, 0, IOMMU_HWPT_DATA_SELFTEST, (void *)-8L, DATA_SIZE,
					&hwpt));
	EXPECT_STATE(&self->full.vm.iommufd, &self->before);
}

TEST_F(nested, data_of_another_type_is_eopnotsupp)
{
	RULE("UAPI-22");
	const uint32_t types[] = {
		IOMMU_HWPT_DATA_VTD_S1, IOMMU_HWPT_DATA_ARM_SMMUV3, IOMMU_HWPT_DATA_AMD_GUEST, 4,
		0xdeae, UINT32_MAX,
	};
	uint8_t *data = data_of(&self->data, DATA_SIZE, VM_IOTLB, 0);
	uint32_t hwpt;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		EXPECT_EQ(-EOPNOTSUPP, nested_alloc(self, 0, types[i], data, DATA_SIZE, &hwpt))
			check_note("type %#x", types[i]);
	}
}

TEST_F(nested, needs_data)
{
	RULE("UAPI-23");
	uint8_t *data = data_of(&self->data, DATA_SIZE, VM_IOTLB, 0);
	uint32_t hwpt;

	EXPECT_EQ(-EOPNOTSUPP, nested_alloc(self, 0, IOMMU_HWPT_DATA_NONE, NULL, 0, &hwpt));
	EXPECT_EQ(-EINVAL, nested_alloc(self, 0, IOMMU_HWPT_DATA_NONE, data, DATA_SIZE, &hwpt));
	EXPECT_EQ(-EINVAL, nested_alloc(self, 0, IOMMU_HWPT_DATA_SELFTEST, data, 0, &hwpt));
}

TEST_F(nested, many_on_one)
{
	RULE("UAPI-26");
	uint32_t hwpt[16];

	for (uint32_t i = 0; i < ARRAY_SIZE(hwpt); i++)
		hwpt[i] = mock_hwpt_alloc_nested(&self->full.vm.iommufd, self->full.vm.dev.idev_id,
						 self->on, 0, 0, i);
	for (uint32_t i = 0; i < ARRAY_SIZE(hwpt); i++) {
		EXPECT_EQ(0, __mock_check_iotlb(&self->full.vm.iommufd, hwpt[i], 0, i));
		iommufd_destroy(&self->full.vm.iommufd, hwpt[i]);
	}
}

/* For a device that will use it later, as a VMM does before the guest enables the device */
TEST_F(nested, for_another_device_of_the_same_iommu)
{
	RULE("UAPI-26");
	uint32_t hwpt = mock_hwpt_alloc_nested(&self->full.vm.iommufd, self->full.spare_dev.idev_id,
					       self->on, 0, 0, VM_IOTLB);

	iommufd_destroy(&self->full.vm.iommufd, hwpt);
}

TEST_F(nested, fault_id_must_be_a_fault_queue)
{
	RULE("UAPI-21");
	const uint32_t bad[] = {
		0, UINT32_MAX, self->full.vm.ioas, self->full.vm.nested, self->full.veventq,
	};
	uint8_t *data = data_of(&self->data, DATA_SIZE, VM_IOTLB, 0);
	uint32_t hwpt;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-ENOENT, __hwpt_alloc_data(&self->full.vm.iommufd,
						     self->full.vm.dev.idev_id, self->on,
						     IOMMU_HWPT_FAULT_ID_VALID, bad[i],
						     IOMMU_HWPT_DATA_SELFTEST, data, DATA_SIZE,
						     &hwpt))
			check_note("fault_id %u", bad[i]);
		EXPECT_STATE(&self->full.vm.iommufd, &self->before);
	}
}

/* Objects that nothing can be nested on */

FIXTURE(wrong_pt) {
	struct full_vm full;
};

FIXTURE_SETUP(wrong_pt)
{
	full_vm_setup(_metadata, &self->full);
}

FIXTURE_TEARDOWN(wrong_pt)
{
	full_vm_teardown(_metadata, &self->full);
}

static int alloc_nested_on(struct full_vm *full, uint32_t pt_id)
{
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };
	uint32_t hwpt;

	return __hwpt_alloc_data(&full->vm.iommufd, full->vm.dev.idev_id, pt_id, 0, 0,
				 IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data), &hwpt);
}

TEST_F(wrong_pt, nested_on_nested_is_einval)
{
	RULE("UAPI-18");
	struct full_vm *full = &self->full;
	uint32_t on_parent = mock_hwpt_alloc_nested(&full->vm.iommufd, full->vm.dev.idev_id,
						    full->vm.parent, 0, 0, VM_IOTLB);

	EXPECT_EQ(-EINVAL, alloc_nested_on(full, full->vm.nested));
	EXPECT_EQ(-EINVAL, alloc_nested_on(full, on_parent));
	iommufd_destroy(&full->vm.iommufd, on_parent);
}

TEST_F(wrong_pt, nested_on_anything_else_is_einval)
{
	RULE("UAPI-18");
	struct full_vm *full = &self->full;
	const uint32_t wrong[] = {
		full->paging, full->vm.dev.hwpt_id, full->vm.dev.idev_id, full->vm.dev.stdev_id,
		full->vm.vdevice, full->fault, full->veventq, full->hw_queue,
	};
	struct state before = state_get(&full->vm.iommufd);

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EINVAL, alloc_nested_on(full, wrong[i]))
			check_note("wrong[%zu], id %u", i, wrong[i]);
		EXPECT_STATE(&full->vm.iommufd, &before);
	}
}

/* A nested page table is user-managed: without data nothing can be made, whatever the object */
TEST_F(wrong_pt, page_table_of_anything_but_an_ioas_is_refused)
{
	RULE("UAPI-18");
	struct full_vm *full = &self->full;
	const struct {
		uint32_t pt_id;
		int rc;
	} wrong[] = {
		{ full->vm.nested, -EINVAL }, { full->vm.dev.idev_id, -EINVAL },
		{ full->vm.vdevice, -EINVAL }, { full->fault, -EINVAL },
		{ full->veventq, -EINVAL }, { full->hw_queue, -EINVAL },
		{ full->vm.parent, -EOPNOTSUPP }, { full->paging, -EOPNOTSUPP },
		{ full->vm.viommu, -EOPNOTSUPP },
	};
	struct state before = state_get(&full->vm.iommufd);
	uint32_t hwpt;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(wrong[i].rc, __hwpt_alloc(&full->vm.iommufd, full->vm.dev.idev_id,
						    wrong[i].pt_id, 0, &hwpt))
			check_note("wrong[%zu], id %u", i, wrong[i].pt_id);
		EXPECT_STATE(&full->vm.iommufd, &before);
	}
}

/* The struct grew twice: driver data, then the fault queue. Programs of each age must work. */

FIXTURE(age) {
	struct full_vm full;
	struct iommu_hwpt_selftest data;
	struct iommu_hwpt_alloc cmd;
};

FIXTURE_SETUP(age)
{
	if (!full_vm_setup(_metadata, &self->full))
		return;
	self->data.iotlb = VM_IOTLB;
	self->cmd = (struct iommu_hwpt_alloc){
		.flags = IOMMU_HWPT_FAULT_ID_VALID,
		.dev_id = self->full.vm.dev.idev_id,
		.data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = sizeof(self->data),
		.data_uptr = (uintptr_t)&self->data,
		.fault_id = self->full.fault,
	};
}

FIXTURE_TEARDOWN(age)
{
	full_vm_teardown(_metadata, &self->full);
}

/* The call of a program whose struct ends before the field at offset @size */
static int alloc_of_age(FIXTURE_DATA(age) *self, uint32_t size, uint32_t pt_id)
{
	int rc;

	self->cmd.size = size;
	self->cmd.pt_id = pt_id;
	self->cmd.out_hwpt_id = 0;
	rc = __iommufd_ioctl(&self->full.vm.iommufd, IOMMU_HWPT_ALLOC, &self->cmd);
	if (!rc)
		__iommufd_destroy(&self->full.vm.iommufd, self->cmd.out_hwpt_id);
	return rc;
}

TEST_F(age, before_fault_id_there_is_no_fault_queue)
{
	RULE("UAPI-02");
	const uint32_t size = offsetof(struct iommu_hwpt_alloc, fault_id);
	const uint32_t targets[] = { self->full.vm.parent, self->full.vm.viommu };

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		self->cmd.flags = IOMMU_HWPT_FAULT_ID_VALID;
		EXPECT_EQ(-ENOENT, alloc_of_age(self, size, targets[i]));
		EXPECT_EQ(0, alloc_of_age(self, sizeof(self->cmd), targets[i]));
		self->cmd.flags = 0;
		EXPECT_EQ(0, alloc_of_age(self, size, targets[i]));
	}
}

TEST_F(age, before_data_there_is_no_nested_page_table)
{
	RULE("UAPI-02");
	const uint32_t size = offsetof(struct iommu_hwpt_alloc, data_type);

	self->cmd.flags = 0;
	EXPECT_EQ(-EOPNOTSUPP, alloc_of_age(self, size, self->full.vm.parent));
	EXPECT_EQ(-EOPNOTSUPP, alloc_of_age(self, size, self->full.vm.viommu));
	EXPECT_EQ(0, alloc_of_age(self, size, self->full.vm.ioas));
	self->cmd.flags = IOMMU_HWPT_ALLOC_NEST_PARENT;
	EXPECT_EQ(0, alloc_of_age(self, size, self->full.vm.ioas));
}

/* Attaching to an IOAS allocates as well, and must leave nothing behind where it is refused. */
TEST_F(automatic, refused_attach_leaves_nothing)
{
	RULE("UAPI-24");
	struct iommufd *iommufd = &self->vm.iommufd;
	uint32_t low = ioas_alloc(iommufd);
	size_t page = sysconf(_SC_PAGESIZE);
	void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct mock_device device;
	struct state before;

	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(0, __ioas_map(iommufd, low, memory, page, LOW_IOVA, IOMMU_IOAS_MAP_READABLE));
	before = state_get(iommufd);
	EXPECT_EQ(-EADDRINUSE, __mock_device_create(iommufd, low, 0, &device));
	EXPECT_EQ(-EADDRINUSE, __mock_device_replace(iommufd, self->vm.dev.stdev_id, low));
	EXPECT_STATE(iommufd, &before);
	EXPECT_TRUE(is_pt(iommufd, self->vm.dev.stdev_id, self->vm.dev.hwpt_id));
	ASSERT_EQ(0, __ioas_unmap(iommufd, low, LOW_IOVA, page, NULL));
	EXPECT_EQ(0, __mock_device_create(iommufd, low, 0, &device));
}

/* All page tables of an IOAS follow it, a parent under a nested one as well as the automatic. */
TEST_F(automatic, parent_in_use_follows_the_ioas)
{
	RULE("UAPI-17");
	struct iommufd *iommufd = &self->vm.iommufd;
	size_t page = sysconf(_SC_PAGESIZE);
	void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct mock_device second = mock_device_create(iommufd, self->vm.ioas, 0);
	uint32_t parent = hwpt_alloc(iommufd, self->vm.dev.idev_id, self->vm.ioas,
				     IOMMU_HWPT_ALLOC_NEST_PARENT);
	const uint32_t followers[] = { parent, second.hwpt_id };

	ASSERT_NE(MAP_FAILED, memory);
	mock_device_replace(iommufd, self->vm.dev.stdev_id,
			    mock_hwpt_alloc_nested(iommufd, self->vm.dev.idev_id, parent, 0, 0,
						   VM_IOTLB));
	ASSERT_EQ(0, __ioas_map(iommufd, self->vm.ioas, memory, page, MOCK_APERTURE_START,
				IOMMU_IOAS_MAP_READABLE));
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++) {
		EXPECT_EQ(0, __mock_check_map(iommufd, followers[i], MOCK_APERTURE_START, page,
					      memory));
	}
	ASSERT_EQ(0, __ioas_unmap(iommufd, self->vm.ioas, MOCK_APERTURE_START, page, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++) {
		EXPECT_EQ(-EINVAL, __mock_check_map(iommufd, followers[i], MOCK_APERTURE_START,
						    page, memory));
	}
}

NIT_TEST_MAIN
