// SPDX-License-Identifier: GPL-2.0-only
/* IOMMU_OPTION: how locked memory is accounted, and whether pages are combined. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "state.h"
#include "vm.h"

#define USER_BASED 0
#define PROCESS_BASED 1
#define LIMIT_PAGES 4
#define LOCKED_PAGES 3		/* once is within the limit, twice is not */
#define STRANGER 61234		/* a user who has nothing locked */
#define UNTOUCHED 0x5a5a5a5a5a5a5a5aULL

static int option(struct iommufd *iommufd, uint32_t option_id, uint16_t op, uint32_t object_id,
		  uint64_t *value)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd), .option_id = option_id, .op = op, .object_id = object_id,
		.val64 = *value,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_OPTION, &cmd);

	*value = cmd.val64;
	return rc;
}

static int option_set(struct iommufd *iommufd, uint32_t option_id, uint32_t object_id,
		      uint64_t value)
{
	return option(iommufd, option_id, IOMMU_OPTION_OP_SET, object_id, &value);
}

/* The value; UNTOUCHED if the call fails or leaves it alone */
static uint64_t option_get(struct iommufd *iommufd, uint32_t option_id, uint32_t object_id)
{
	uint64_t value = UNTOUCHED;

	return option(iommufd, option_id, IOMMU_OPTION_OP_GET, object_id, &value) ? UNTOUCHED :
										    value;
}

/* Accounting mode of a context, to be chosen before there is anything in it */

FIXTURE(rlimit_mode) {
	struct iommufd iommufd;
};

FIXTURE_SETUP(rlimit_mode)
{
	if (__iommufd_open(&self->iommufd))
		SKIP(return, "needs /dev/iommu (CONFIG_IOMMUFD)");
}

FIXTURE_TEARDOWN(rlimit_mode)
{
	if (self->iommufd.fd >= 0)
		iommufd_close(&self->iommufd);
}

static int set_mode(struct iommufd *iommufd, uint64_t mode)
{
	return option_set(iommufd, IOMMU_OPTION_RLIMIT_MODE, 0, mode);
}

static uint64_t get_mode(struct iommufd *iommufd)
{
	return option_get(iommufd, IOMMU_OPTION_RLIMIT_MODE, 0);
}

TEST_F(rlimit_mode, default_is_user_based)
{
	RULE("UAPI-15");
	EXPECT_EQ(USER_BASED, get_mode(&self->iommufd));
}

TEST_F(rlimit_mode, can_be_set_both_ways)
{
	RULE("UAPI-15");
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(0, set_mode(&self->iommufd, PROCESS_BASED));
		EXPECT_EQ(PROCESS_BASED, get_mode(&self->iommufd));
		EXPECT_EQ(0, set_mode(&self->iommufd, PROCESS_BASED));
		EXPECT_EQ(PROCESS_BASED, get_mode(&self->iommufd));
		EXPECT_EQ(0, set_mode(&self->iommufd, USER_BASED));
		EXPECT_EQ(USER_BASED, get_mode(&self->iommufd));
	}
}

TEST_F(rlimit_mode, is_of_one_context)
{
	RULE("UAPI-15");
	struct iommufd other;

	ASSERT_EQ(0, __iommufd_open(&other));
	EXPECT_EQ(0, set_mode(&self->iommufd, PROCESS_BASED));
	EXPECT_EQ(USER_BASED, get_mode(&other));
	iommufd_close(&other);
}

TEST_F(rlimit_mode, other_values_are_einval)
{
	RULE("UAPI-15");
	const uint64_t bad[] = { 2, 3, 1ULL << 32, 1ULL << 63, (1ULL << 32) + 1, UINT64_MAX };

	EXPECT_EQ(0, set_mode(&self->iommufd, PROCESS_BASED));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, set_mode(&self->iommufd, bad[i]))
			check_note("value %#llx", (unsigned long long)bad[i]);
		EXPECT_EQ(PROCESS_BASED, get_mode(&self->iommufd));
	}
}

TEST_F(rlimit_mode, is_global_and_takes_no_object)
{
	RULE("UAPI-15");
	const uint32_t ids[] = { 1, 2, UINT32_MAX };
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		EXPECT_EQ(-EOPNOTSUPP, option_set(&self->iommufd, IOMMU_OPTION_RLIMIT_MODE, ids[i],
						  PROCESS_BASED))
			check_note("object_id %u", ids[i]);
		value = UNTOUCHED;
		EXPECT_EQ(-EOPNOTSUPP, option(&self->iommufd, IOMMU_OPTION_RLIMIT_MODE,
					      IOMMU_OPTION_OP_GET, ids[i], &value));
		EXPECT_EQ(UNTOUCHED, value);
	}
	EXPECT_EQ(USER_BASED, get_mode(&self->iommufd));
}

TEST_F(rlimit_mode, unknown_operation_is_eopnotsupp)
{
	RULE("UAPI-09");
	for (uint16_t op = 2; op; op <<= 1) {
		uint64_t value = PROCESS_BASED;

		EXPECT_EQ(-EOPNOTSUPP, option(&self->iommufd, IOMMU_OPTION_RLIMIT_MODE, op, 0,
					      &value))
			check_note("op %#x", op);
		EXPECT_EQ(PROCESS_BASED, value);
	}
	EXPECT_EQ(USER_BASED, get_mode(&self->iommufd));
}

/* What is accounted already cannot be moved: drivers/iommu/iommufd/ioas.c */
TEST_F(rlimit_mode, context_with_an_object_is_ebusy)
{
	RULE("UAPI-15");
	uint32_t ioas = ioas_alloc(&self->iommufd);

	EXPECT_EQ(-EBUSY, set_mode(&self->iommufd, PROCESS_BASED));
	EXPECT_EQ(-EBUSY, set_mode(&self->iommufd, USER_BASED));
	EXPECT_EQ(USER_BASED, get_mode(&self->iommufd));
	iommufd_destroy(&self->iommufd, ioas);
	EXPECT_EQ(0, set_mode(&self->iommufd, PROCESS_BASED));
	ioas = ioas_alloc(&self->iommufd);
	EXPECT_EQ(-EBUSY, set_mode(&self->iommufd, USER_BASED));
	EXPECT_EQ(PROCESS_BASED, get_mode(&self->iommufd));
}

static int drop_capability(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[capability / 32].effective &= ~(1U << capability % 32);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

TEST_F(rlimit_mode, setting_needs_privilege)
{
	RULE("UAPI-15");
	NEEDS_KERNEL(return, "privileges");
	ASSERT_EQ(0, set_mode(&self->iommufd, PROCESS_BASED));
	ASSERT_EQ(0, drop_capability(CAP_SYS_RESOURCE));
	EXPECT_EQ(-EPERM, set_mode(&self->iommufd, USER_BASED));
	EXPECT_EQ(-EPERM, set_mode(&self->iommufd, 2));
	EXPECT_EQ(PROCESS_BASED, get_mode(&self->iommufd));
}

/* VFIO's container accounts per process, each one: comment in main.c:iommufd_fops_open() */
TEST(vfio_container_is_process_based)
{
	RULE("UAPI-15");
	struct iommufd iommufd, other;

	NEEDS_KERNEL(return, "VFIO compatibility");
	if (__iommufd_open(&iommufd))
		SKIP(return, "needs /dev/iommu (CONFIG_IOMMUFD)");
	close(iommufd.fd);
	iommufd.fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (iommufd.fd < 0 || get_mode(&iommufd) == UNTOUCHED)
		SKIP(return, "needs CONFIG_IOMMUFD_VFIO_CONTAINER");
	EXPECT_EQ(PROCESS_BASED, get_mode(&iommufd));
	EXPECT_EQ(0, set_mode(&iommufd, USER_BASED));
	EXPECT_EQ(USER_BASED, get_mode(&iommufd));
	other = iommufd;
	other.fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(PROCESS_BASED, get_mode(&other));
	iommufd_close(&other);
	iommufd_close(&iommufd);
}

/* What the mode does: who shares RLIMIT_MEMLOCK with whom */

FIXTURE(locked_memory) {
	struct vm ours;
	struct vm theirs;	/* used by a child process, of the same user */
	void *memory;
	size_t page;
};

FIXTURE_VARIANT(locked_memory) {
	uint64_t mode;
};

FIXTURE_VARIANT_ADD(locked_memory, user_based) { .mode = USER_BASED };
FIXTURE_VARIANT_ADD(locked_memory, process_based) { .mode = PROCESS_BASED };

static bool open_with_mode(struct __test_metadata *_metadata, struct vm *vm, uint64_t mode)
{
	if (!vm_open(_metadata, vm))
		return false;
	iommufd_destroy(&vm->iommufd, vm->ioas);
	ASSERT_EQ(0, set_mode(&vm->iommufd, mode));
	vm->ioas = ioas_alloc(&vm->iommufd);
	vm_add_device(_metadata, vm, 0);
	return true;
}

FIXTURE_SETUP(locked_memory)
{
	struct rlimit limit;

	NEEDS_KERNEL(return, "accounting of locked memory");
	if (!open_with_mode(_metadata, &self->ours, variant->mode) ||
	    !open_with_mode(_metadata, &self->theirs, variant->mode))
		return;
	self->page = sysconf(_SC_PAGESIZE);
	self->memory = mmap(NULL, LOCKED_PAGES * self->page, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	limit.rlim_cur = limit.rlim_max = LIMIT_PAGES * self->page;
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, setresuid(STRANGER, STRANGER, STRANGER));	/* and so without capabilities */
}

FIXTURE_TEARDOWN(locked_memory)
{
	vm_close(&self->ours);
	vm_close(&self->theirs);
}

/* Map, and so lock, LOCKED_PAGES at the @nth place */
static int lock_pages(FIXTURE_DATA(locked_memory) *self, struct vm *vm, int nth)
{
	size_t length = LOCKED_PAGES * self->page;

	return __ioas_map(&vm->iommufd, vm->ioas, self->memory, length,
			  MOCK_APERTURE_START + nth * length, IOMMU_IOAS_MAP_READABLE);
}

TEST_F(locked_memory, limit_holds_for_one_process)
{
	RULE("UAPI-15");
	size_t length = LOCKED_PAGES * self->page;

	EXPECT_EQ(0, lock_pages(self, &self->ours, 0));
	EXPECT_EQ(-ENOMEM, lock_pages(self, &self->ours, 1));
	EXPECT_EQ(-ENOMEM, lock_pages(self, &self->theirs, 0));
	EXPECT_EQ(0, __ioas_unmap(&self->ours.iommufd, self->ours.ioas, MOCK_APERTURE_START, length,
				  NULL));
	EXPECT_EQ(0, lock_pages(self, &self->theirs, 0));
	EXPECT_EQ(-ENOMEM, lock_pages(self, &self->ours, 0));
}

TEST_F(locked_memory, processes_of_a_user_share_the_limit_if_user_based)
{
	RULE("UAPI-15");
	int status = -1;
	pid_t child;

	ASSERT_EQ(0, lock_pages(self, &self->ours, 0));
	child = fork();
	if (!child)
		_exit(-lock_pages(self, &self->theirs, 0));
	ASSERT_LT(0, child);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(variant->mode == USER_BASED ? ENOMEM : 0, WEXITSTATUS(status));
}

/* Mapping takes no memory before there is a page table; then making that is what fails. */
TEST_F(locked_memory, limit_holds_for_a_new_page_table)
{
	RULE("UAPI-15");
	struct iommufd *iommufd = &self->ours.iommufd;
	size_t length = LOCKED_PAGES * self->page;
	uint32_t dev = self->ours.dev.idev_id, hwpt;
	struct vm vm = { .iommufd = *iommufd, .ioas = ioas_alloc(iommufd) };
	struct state before;

	ASSERT_EQ(0, lock_pages(self, &vm, 0));
	ASSERT_EQ(0, lock_pages(self, &vm, 1));
	before = state_get(iommufd);
	EXPECT_EQ(-ENOMEM, __hwpt_alloc(iommufd, dev, vm.ioas, IOMMU_HWPT_ALLOC_NEST_PARENT,
					&hwpt));
	EXPECT_STATE(iommufd, &before);
	EXPECT_EQ(0, __mock_check_refs(iommufd, self->memory, length, 0));
	ASSERT_EQ(0, __ioas_unmap(iommufd, vm.ioas, MOCK_APERTURE_START, length, NULL));
	EXPECT_EQ(0, __hwpt_alloc(iommufd, dev, vm.ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, &hwpt));
	EXPECT_EQ(0, __mock_check_refs(iommufd, self->memory, length, 1));
}

/* Combining of pages, per IOAS */

FIXTURE(huge_pages) {
	struct vm vm;
	void *memory;
	size_t page;
};

FIXTURE_SETUP(huge_pages)
{
	if (!vm_open(_metadata, &self->vm))
		return;
	self->page = sysconf(_SC_PAGESIZE);
	self->memory = mmap(NULL, 4 * self->page, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
}

FIXTURE_TEARDOWN(huge_pages)
{
	vm_close(&self->vm);
}

static int set_huge(struct vm *vm, uint64_t value)
{
	return option_set(&vm->iommufd, IOMMU_OPTION_HUGE_PAGES, vm->ioas, value);
}

static uint64_t get_huge(struct vm *vm)
{
	return option_get(&vm->iommufd, IOMMU_OPTION_HUGE_PAGES, vm->ioas);
}

TEST_F(huge_pages, default_is_on)
{
	RULE("UAPI-15");
	EXPECT_EQ(1, get_huge(&self->vm));
}

TEST_F(huge_pages, can_be_set_both_ways)
{
	RULE("UAPI-15");
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(0, set_huge(&self->vm, 0));
		EXPECT_EQ(0, get_huge(&self->vm));
		EXPECT_EQ(0, set_huge(&self->vm, 0));
		EXPECT_EQ(0, get_huge(&self->vm));
		EXPECT_EQ(0, set_huge(&self->vm, 1));
		EXPECT_EQ(1, get_huge(&self->vm));
		EXPECT_EQ(0, set_huge(&self->vm, 1));
		EXPECT_EQ(1, get_huge(&self->vm));
	}
}

TEST_F(huge_pages, is_of_one_ioas)
{
	RULE("UAPI-15");
	uint32_t other = ioas_alloc(&self->vm.iommufd);

	EXPECT_EQ(0, set_huge(&self->vm, 0));
	EXPECT_EQ(1, option_get(&self->vm.iommufd, IOMMU_OPTION_HUGE_PAGES, other));
	EXPECT_EQ(0, get_huge(&self->vm));
}

TEST_F(huge_pages, other_values_are_einval)
{
	RULE("UAPI-15");
	const uint64_t bad[] = { 2, 3, 1ULL << 32, (1ULL << 32) + 1, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, set_huge(&self->vm, bad[i]))
			check_note("value %#llx", (unsigned long long)bad[i]);
		EXPECT_EQ(1, get_huge(&self->vm));
	}
}

/* drivers/iommu/iommufd/io_pagetable.c:iopt_disable_large_pages */
TEST_F(huge_pages, cannot_be_switched_off_under_mapped_pages)
{
	RULE("UAPI-15");
	vm_add_device(_metadata, &self->vm, 0);
	EXPECT_EQ(0, set_huge(&self->vm, 0));
	EXPECT_EQ(0, set_huge(&self->vm, 1));
	ASSERT_EQ(0, __ioas_map(&self->vm.iommufd, self->vm.ioas, self->memory, 2 * self->page,
				MOCK_APERTURE_START, IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(-EINVAL, set_huge(&self->vm, 0));
	EXPECT_EQ(1, get_huge(&self->vm));
	EXPECT_EQ(0, __mock_check_map(&self->vm.iommufd, self->vm.dev.hwpt_id, MOCK_APERTURE_START,
				      2 * self->page, self->memory));
	ASSERT_EQ(0, __ioas_unmap(&self->vm.iommufd, self->vm.ioas, MOCK_APERTURE_START,
				  2 * self->page, NULL));
	EXPECT_EQ(0, set_huge(&self->vm, 0));
}

TEST_F(huge_pages, cannot_be_switched_off_over_parts_of_pages)
{
	RULE("UAPI-15");
	ASSERT_EQ(0, __ioas_map(&self->vm.iommufd, self->vm.ioas, self->memory + 1, 10,
				MOCK_APERTURE_START + 1, IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(-EADDRINUSE, set_huge(&self->vm, 0));
	EXPECT_EQ(1, get_huge(&self->vm));
	ASSERT_EQ(0, __ioas_unmap(&self->vm.iommufd, self->vm.ioas, MOCK_APERTURE_START + 1, 10,
				  NULL));
	EXPECT_EQ(0, set_huge(&self->vm, 0));
}

static uint64_t iova_alignment(struct vm *vm)
{
	struct iommu_iova_range ranges[8];
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd), .ioas_id = vm->ioas, .num_iovas = ARRAY_SIZE(ranges),
		.allowed_iovas = (uintptr_t)ranges,
	};

	return __iommufd_ioctl(&vm->iommufd, IOMMU_IOAS_IOVA_RANGES, &cmd) ?
		0 : cmd.out_iova_alignment;
}

/* "Value 0 disables combining, everything is mapped to PAGE_SIZE": the alignment says so. */
TEST_F(huge_pages, off_makes_the_alignment_a_page)
{
	RULE("UAPI-15");
	EXPECT_EQ(1, iova_alignment(&self->vm));
	EXPECT_EQ(0, set_huge(&self->vm, 0));
	EXPECT_EQ(self->page, iova_alignment(&self->vm));
	EXPECT_EQ(-EINVAL, __ioas_map(&self->vm.iommufd, self->vm.ioas, self->memory + 1, 10,
				      MOCK_APERTURE_START + 1, IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(0, set_huge(&self->vm, 1));
	EXPECT_EQ(1, iova_alignment(&self->vm));
}

TEST_F(huge_pages, mappings_are_the_same_either_way)
{
	RULE("UAPI-15");
	for (uint64_t huge = 0; huge <= 1; huge++) {
		ASSERT_EQ(0, set_huge(&self->vm, huge));
		vm_add_device(_metadata, &self->vm, 0);
		ASSERT_EQ(0, __ioas_map(&self->vm.iommufd, self->vm.ioas, self->memory,
					4 * self->page, MOCK_APERTURE_START,
					IOMMU_IOAS_MAP_READABLE));
		EXPECT_EQ(0, __mock_check_map(&self->vm.iommufd, self->vm.dev.hwpt_id,
					      MOCK_APERTURE_START, 4 * self->page, self->memory));
		ASSERT_EQ(0, __ioas_unmap(&self->vm.iommufd, self->vm.ioas, MOCK_APERTURE_START,
					  4 * self->page, NULL));
		iommufd_destroy(&self->vm.iommufd, self->vm.dev.stdev_id);
	}
}

NIT_TEST_MAIN
