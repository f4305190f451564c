// SPDX-License-Identifier: GPL-2.0-only
/* IOMMU_GET_HW_INFO: what a VMM reads before it builds a virtual IOMMU. */
#include <errno.h>
#include <sys/mman.h>

#include "state.h"
#include "vm.h"

#define FILL 0xa5	/* what a buffer holds before the call */
#define INFO_SIZE sizeof(struct iommu_test_hw_info)
#define BUFFER_SIZE 256

/* The mock has no PCI devices, so ATS cannot be used, PASID permissions are not reported. */
#define MOCK_CAPABILITIES (IOMMU_HW_CAP_DIRTY_TRACKING | IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED)

FIXTURE(hw_info) {
	struct vm vm;
	struct iommu_hw_info cmd;
	struct state before;
	uint8_t *buffer;	/* ends where memory ends */
	uint8_t *end;
};

FIXTURE_SETUP(hw_info)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (!vm_setup_parent(_metadata, &self->vm))
		return;
	self->end = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);
	ASSERT_NE(MAP_FAILED, (void *)self->end);
	self->end += page;
	ASSERT_EQ(0, mprotect(self->end, page, PROT_NONE));
	self->buffer = self->end - BUFFER_SIZE;
	memset(self->buffer, FILL, BUFFER_SIZE);
	self->cmd = (struct iommu_hw_info){
		.size = sizeof(self->cmd), .dev_id = self->vm.dev.idev_id,
		.data_len = INFO_SIZE, .data_uptr = (uintptr_t)self->buffer,
	};
	self->before = state_get(&self->vm.iommufd);
}

FIXTURE_TEARDOWN(hw_info)
{
	if (self->buffer)
		EXPECT_STATE(&self->vm.iommufd, &self->before);
	vm_close(&self->vm);
}

static int get_hw_info(FIXTURE_DATA(hw_info) *self)
{
	return __iommufd_ioctl(&self->vm.iommufd, IOMMU_GET_HW_INFO, &self->cmd);
}

/* Bytes [@from, @to) of the buffer all hold @value */
static bool buffer_holds(FIXTURE_DATA(hw_info) *self, size_t from, size_t to, uint8_t value)
{
	for (size_t i = from; i < to; i++) {
		if (self->buffer[i] == value)
			continue;
		check_note("buffer[%zu] is %#x, not %#x", i, self->buffer[i], value);
		return false;
	}
	return true;
}

TEST_F(hw_info, exact_buffer_has_type_length_and_data)
{
	RULE("UAPI-10");
	struct iommu_test_hw_info *info = (void *)self->buffer;

	ASSERT_EQ(0, get_hw_info(self));
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, self->cmd.out_data_type);
	EXPECT_EQ(INFO_SIZE, self->cmd.data_len);
	EXPECT_EQ(0, info->flags);
	EXPECT_EQ(IOMMU_HW_INFO_SELFTEST_REGVAL, info->test_reg);
	EXPECT_TRUE(buffer_holds(self, INFO_SIZE, BUFFER_SIZE, FILL));
	EXPECT_EQ(sizeof(self->cmd), self->cmd.size);
	EXPECT_EQ(self->vm.dev.idev_id, self->cmd.dev_id);
	EXPECT_EQ((uintptr_t)self->buffer, self->cmd.data_uptr);
}

TEST_F(hw_info, longer_buffer_has_its_tail_zeroed)
{
	RULE("UAPI-11");
	struct iommu_test_hw_info *info = (void *)self->buffer;

	for (uint32_t length = INFO_SIZE; length <= BUFFER_SIZE; length++) {
		memset(self->buffer, FILL, BUFFER_SIZE);
		self->cmd.data_len = length;
		ASSERT_EQ(0, get_hw_info(self));
		EXPECT_EQ(INFO_SIZE, self->cmd.data_len);
		EXPECT_EQ(IOMMU_HW_INFO_SELFTEST_REGVAL, info->test_reg);
		EXPECT_TRUE(buffer_holds(self, INFO_SIZE, length, 0));
		EXPECT_TRUE(buffer_holds(self, length, BUFFER_SIZE, FILL));
	}
}

TEST_F(hw_info, shorter_buffer_is_filled_as_far_as_it_goes)
{
	RULE("UAPI-10");
	const struct iommu_test_hw_info full = { .test_reg = IOMMU_HW_INFO_SELFTEST_REGVAL };

	for (uint32_t length = 0; length < INFO_SIZE; length++) {
		memset(self->buffer, FILL, BUFFER_SIZE);
		self->cmd.data_len = length;
		ASSERT_EQ(0, get_hw_info(self));
		EXPECT_EQ(INFO_SIZE, self->cmd.data_len)
			check_note("buffer of %u bytes", length);
		EXPECT_EQ(0, memcmp(&full, self->buffer, length));
		EXPECT_TRUE(buffer_holds(self, length, BUFFER_SIZE, FILL));
		EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, self->cmd.out_data_type);
	}
}

TEST_F(hw_info, no_buffer_tells_type_length_and_capabilities)
{
	RULE("UAPI-10");
	const uint64_t pointers[] = { 0, (uintptr_t)self->end, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(pointers); i++) {
		self->cmd.data_len = 0;
		self->cmd.data_uptr = pointers[i];
		self->cmd.out_data_type = 0;
		self->cmd.out_capabilities = 0;
		EXPECT_EQ(0, get_hw_info(self));
		EXPECT_EQ(INFO_SIZE, self->cmd.data_len);
		EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, self->cmd.out_data_type);
		EXPECT_EQ(MOCK_CAPABILITIES, self->cmd.out_capabilities);
	}
}

TEST_F(hw_info, bad_buffer_is_efault)
{
	RULE("UAPI-05");
	struct iommu_hw_info cmd = self->cmd;
	const struct {
		uint64_t uptr;
		uint32_t length;
	} bad[] = {
		{ 0, INFO_SIZE },
		{ (uintptr_t)self->end, INFO_SIZE },
		{ (uintptr_t)self->end, 1 },
		{ (uintptr_t)self->end - 4, INFO_SIZE },		/* data does not fit */
		{ (uintptr_t)self->end - INFO_SIZE, INFO_SIZE + 1 },	/* tail does not fit */
		{ (uintptr_t)self->end - BUFFER_SIZE, UINT32_MAX },
		{ UINT64_MAX - 3, INFO_SIZE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		self->cmd = cmd;
		self->cmd.data_uptr = bad[i].uptr;
		self->cmd.data_len = bad[i].length;
		EXPECT_EQ(-EFAULT, get_hw_info(self))
			check_note("%u bytes at %#llx", bad[i].length,
				   (unsigned long long)bad[i].uptr);
		EXPECT_EQ(bad[i].length, self->cmd.data_len);
		EXPECT_EQ(0, self->cmd.out_capabilities);
	}
	self->cmd = cmd;
	EXPECT_EQ(0, get_hw_info(self));
}

TEST_F(hw_info, read_only_buffer_is_efault)
{
	RULE("UAPI-05");
	size_t page = sysconf(_SC_PAGESIZE);

	ASSERT_EQ(0, mprotect(self->end - page, page, PROT_READ));
	EXPECT_EQ(-EFAULT, get_hw_info(self));
	self->cmd.data_len = 0;
	EXPECT_EQ(0, get_hw_info(self));
	ASSERT_EQ(0, mprotect(self->end - page, page, PROT_READ | PROT_WRITE));
	self->cmd.data_len = INFO_SIZE;
	EXPECT_EQ(0, get_hw_info(self));
}

TEST_F(hw_info, input_type_without_its_flag_is_ignored)
{
	RULE("UAPI-14");
	const uint32_t types[] = {
		IOMMU_HW_INFO_TYPE_DEFAULT, IOMMU_HW_INFO_TYPE_INTEL_VTD, IOMMU_HW_INFO_TYPE_AMD,
		IOMMU_HW_INFO_TYPE_SELFTEST, 0x1234, UINT32_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		self->cmd.in_data_type = types[i];
		EXPECT_EQ(0, get_hw_info(self))
			check_note("type %#x", types[i]);
		EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, self->cmd.out_data_type);
	}
}

TEST_F(hw_info, input_type_of_this_iommu_is_answered)
{
	RULE("UAPI-14");
	const uint32_t types[] = { IOMMU_HW_INFO_TYPE_DEFAULT, IOMMU_HW_INFO_TYPE_SELFTEST };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		memset(self->buffer, FILL, BUFFER_SIZE);
		self->cmd.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE;
		self->cmd.in_data_type = types[i];
		EXPECT_EQ(0, get_hw_info(self))
			check_note("type %#x", types[i]);
		EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, self->cmd.out_data_type);
		EXPECT_EQ(IOMMU_HW_INFO_SELFTEST_REGVAL,
			  ((struct iommu_test_hw_info *)self->buffer)->test_reg);
	}
}

TEST_F(hw_info, input_type_of_another_iommu_is_eopnotsupp)
{
	RULE("UAPI-14");
	const uint32_t types[] = {
		IOMMU_HW_INFO_TYPE_INTEL_VTD, IOMMU_HW_INFO_TYPE_ARM_SMMUV3,
		IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV, IOMMU_HW_INFO_TYPE_AMD, 5, UINT32_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		self->cmd.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE;
		self->cmd.in_data_type = types[i];
		EXPECT_EQ(-EOPNOTSUPP, get_hw_info(self))
			check_note("type %#x", types[i]);
		EXPECT_EQ(types[i], self->cmd.in_data_type);
		EXPECT_TRUE(buffer_holds(self, 0, BUFFER_SIZE, FILL));
	}
	self->cmd.in_data_type = IOMMU_HW_INFO_TYPE_SELFTEST;
	EXPECT_EQ(0, get_hw_info(self));
}

TEST_F(hw_info, refused_call_leaves_the_buffer_alone)
{
	RULE("UAPI-06");
	struct iommu_hw_info cmd = self->cmd;

	self->cmd.flags = 2;
	EXPECT_EQ(-EOPNOTSUPP, get_hw_info(self));
	self->cmd = cmd;
	self->cmd.__reserved[2] = 1;
	EXPECT_EQ(-EOPNOTSUPP, get_hw_info(self));
	self->cmd = cmd;
	self->cmd.dev_id = self->vm.ioas;
	EXPECT_EQ(-ENOENT, get_hw_info(self));
	EXPECT_TRUE(buffer_holds(self, 0, BUFFER_SIZE, FILL));
	self->cmd = cmd;
	EXPECT_EQ(0, get_hw_info(self));
}

/* Devices: what the device and its IOMMU can do differs per device. */

FIXTURE(device) {
	struct vm vm;
};

FIXTURE_VARIANT(device) {
	uint32_t flags;
	uint64_t capabilities;
	uint8_t max_pasid_log2;
};

FIXTURE_VARIANT_ADD(device, plain) {
	.capabilities = MOCK_CAPABILITIES,
};

FIXTURE_VARIANT_ADD(device, no_dirty_tracking) {
	.flags = MOCK_FLAGS_DEVICE_NO_DIRTY,
	.capabilities = IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED,
};

FIXTURE_VARIANT_ADD(device, pasid) {
	.flags = MOCK_FLAGS_DEVICE_PASID,
	.capabilities = MOCK_CAPABILITIES,
	.max_pasid_log2 = MOCK_PASID_WIDTH,
};

FIXTURE_VARIANT_ADD(device, pasid_no_dirty_tracking) {
	.flags = MOCK_FLAGS_DEVICE_PASID | MOCK_FLAGS_DEVICE_NO_DIRTY,
	.capabilities = IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED,
	.max_pasid_log2 = MOCK_PASID_WIDTH,
};

FIXTURE_SETUP(device)
{
	if (vm_open(_metadata, &self->vm))
		vm_add_device(_metadata, &self->vm, variant->flags);
}

FIXTURE_TEARDOWN(device)
{
	vm_close(&self->vm);
}

TEST_F(device, capabilities_and_pasid_width)
{
	RULE("UAPI-16");
	struct iommu_test_hw_info info = {};
	uint32_t type = 0, length = sizeof(info);
	uint64_t capabilities = UINT64_MAX;
	uint8_t max_pasid_log2 = UINT8_MAX;

	ASSERT_EQ(0, __get_hw_info(&self->vm.iommufd, self->vm.dev.idev_id, &type, &info, &length,
				   &capabilities, &max_pasid_log2));
	EXPECT_EQ(variant->capabilities, capabilities);
	EXPECT_EQ(variant->max_pasid_log2, max_pasid_log2);
	EXPECT_EQ(IOMMU_HW_INFO_SELFTEST_REGVAL, info.test_reg);
}

/* "If available, it means the following APIs are supported": and if not, they are not. */
TEST_F(device, dirty_tracking_capability_is_true)
{
	RULE("UAPI-16");
	bool tracks = variant->capabilities & IOMMU_HW_CAP_DIRTY_TRACKING;
	uint32_t hwpt = 0;

	EXPECT_EQ(tracks ? 0 : -EOPNOTSUPP,
		  __hwpt_alloc(&self->vm.iommufd, self->vm.dev.idev_id, self->vm.ioas,
			       IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &hwpt));
	if (tracks)
		EXPECT_EQ(0, __hwpt_set_dirty_tracking(&self->vm.iommufd, hwpt,
						       IOMMU_HWPT_DIRTY_TRACKING_ENABLE));
}

TEST_F(device, device_that_is_gone_is_enoent)
{
	RULE("UAPI-12");
	uint32_t type, length = 0;
	uint64_t capabilities;
	uint8_t max_pasid_log2;

	iommufd_destroy(&self->vm.iommufd, self->vm.dev.stdev_id);
	EXPECT_EQ(-ENOENT, __get_hw_info(&self->vm.iommufd, self->vm.dev.idev_id, &type, NULL,
					 &length, &capabilities, &max_pasid_log2));
}

/* An older program's struct ends before out_capabilities, which must not be written past it. */
TEST_F(device, older_struct_gets_no_capabilities)
{
	RULE("UAPI-02");
	struct iommu_hw_info cmd = {
		.size = offsetof(struct iommu_hw_info, out_capabilities),
		.dev_id = self->vm.dev.idev_id,
		.out_capabilities = UINT64_MAX,
	};

	EXPECT_EQ(0, __iommufd_ioctl(&self->vm.iommufd, IOMMU_GET_HW_INFO, &cmd));
	EXPECT_EQ(UINT64_MAX, cmd.out_capabilities);
	EXPECT_EQ(variant->max_pasid_log2, cmd.out_max_pasid_log2);
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, cmd.out_data_type);
}

NIT_TEST_MAIN
