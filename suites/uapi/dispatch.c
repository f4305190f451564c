// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every ioctl of iommufd has in common: the size rules, the argument's memory, unknown
 * numbers, reserved fields, flags, and ids. Driven by a table of valid calls; each refused call
 * is followed by the valid one, which shows that only the tested thing was wrong.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "command.h"
#include "state.h"

/*
 * The caller. An argument is put against the end of readable memory, so that every call also
 * shows that the kernel touches nothing past the size it was given.
 */
#define ARENA_SIZE 0x20000

struct caller {
	struct full_vm full;
	const struct command *command;
	union argument arg;
	struct state before;
	uint8_t *arena;
	uint8_t *end;
};

static int caller_ioctl(struct caller *caller, void *arg)
{
	return __iommufd_ioctl(&caller->full.vm.iommufd, caller->command->request, arg);
}

/* The call with the first @readable bytes of the argument, claiming @size; the rest is zeros. */
static int call_cut(struct caller *caller, union argument *arg, uint32_t size, uint32_t readable)
{
	uint8_t *at = caller->end - readable;
	uint32_t copied = readable < sizeof(*arg) ? readable : sizeof(*arg);
	int rc;

	arg->size = size;
	memset(at, 0, readable);
	memcpy(at, arg, copied);
	rc = caller_ioctl(caller, at);
	memcpy(arg, at, copied);
	return rc;
}

static int call_sized(struct caller *caller, union argument *arg, uint32_t size)
{
	return call_cut(caller, arg, size, size < sizeof(size) ? sizeof(size) : size);
}

static int call(struct caller *caller, union argument *arg)
{
	return call_sized(caller, arg, caller->command->size);
}

static void caller_undo(struct caller *caller, union argument *arg)
{
	if (caller->command->undo)
		caller->command->undo(&caller->full, arg);
}

static void caller_prepare(struct caller *caller)
{
	memset(&caller->arg, 0, sizeof(caller->arg));
	caller->command->prepare(&caller->full, &caller->arg);
}

static bool caller_setup(struct __test_metadata *_metadata, struct caller *caller,
			 const struct command *command)
{
	union argument arg;
	int rc;

	caller->command = command;
	if (!full_vm_setup(_metadata, &caller->full))
		return false;
	caller->arena = mmap(NULL, ARENA_SIZE + sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)caller->arena);
	caller->end = caller->arena + ARENA_SIZE;
	ASSERT_EQ(0, mprotect(caller->end, sysconf(_SC_PAGESIZE), PROT_NONE));

	caller_prepare(caller);
	arg = caller->arg;
	rc = call(caller, &arg);
	if (rc == -ENOTTY)
		SKIP(return false, "the kernel does not have this ioctl");
	if (rc == -EOPNOTSUPP && command->request == IOMMU_IOAS_NOIOMMU_GET_PA)
		SKIP(return false, "needs CONFIG_IOMMUFD_NOIOMMU");
	ASSERT_EQ(command->rc, rc);
	caller_undo(caller, &arg);
	caller_prepare(caller);
	caller->before = state_get(&caller->full.vm.iommufd);
	return true;
}

/* Nothing changed, and what was prepared is a valid call still: only the tested thing was wrong. */
static void expect_unchanged(struct __test_metadata *_metadata, struct caller *caller)
{
	EXPECT_STATE(&caller->full.vm.iommufd, &caller->before);
	EXPECT_EQ(caller->command->rc, call(caller, &caller->arg));
	caller_undo(caller, &caller->arg);
}

FIXTURE(command) {
	struct caller caller;
};

FIXTURE_VARIANT(command) {
	const struct command *command;
};

#define COMMAND_VARIANT(_name) \
	FIXTURE_VARIANT_ADD(command, _name) { .command = &_name##_command }

COMMAND_VARIANT(destroy);
COMMAND_VARIANT(ioas_alloc);
COMMAND_VARIANT(ioas_allow_iovas);
COMMAND_VARIANT(ioas_copy);
COMMAND_VARIANT(ioas_iova_ranges);
COMMAND_VARIANT(ioas_map);
COMMAND_VARIANT(ioas_map_file);
COMMAND_VARIANT(ioas_unmap);
COMMAND_VARIANT(ioas_change_process);
COMMAND_VARIANT(ioas_noiommu_get_pa);
COMMAND_VARIANT(option_get);
COMMAND_VARIANT(option_set);
COMMAND_VARIANT(vfio_ioas_set);
COMMAND_VARIANT(vfio_ioas_get);
COMMAND_VARIANT(vfio_ioas_clear);
COMMAND_VARIANT(hwpt_alloc);
COMMAND_VARIANT(hwpt_alloc_nested);
COMMAND_VARIANT(get_hw_info);
COMMAND_VARIANT(hwpt_set_dirty_tracking);
COMMAND_VARIANT(hwpt_get_dirty_bitmap);
COMMAND_VARIANT(hwpt_invalidate);
COMMAND_VARIANT(fault_queue_alloc);
COMMAND_VARIANT(viommu_alloc);
COMMAND_VARIANT(vdevice_alloc);
COMMAND_VARIANT(veventq_alloc);
COMMAND_VARIANT(hw_queue_alloc);

FIXTURE_SETUP(command)
{
	caller_setup(_metadata, &self->caller, variant->command);
}

FIXTURE_TEARDOWN(command)
{
	full_vm_teardown(_metadata, &self->caller.full);
}

TEST_F(command, size_below_the_first_struct_is_einval)
{
	RULE("UAPI-01");
	/* The nested variant differs from its plain one in the data, not in the sizes. */
	uint32_t min_size = variant->command == &hwpt_alloc_nested_command ?
		hwpt_alloc_command.min_size : variant->command->min_size;

	for (uint32_t size = 0; size < min_size; size++) {
		EXPECT_EQ(-EINVAL, call_sized(&self->caller, &self->caller.arg, size))
			check_note("size %u of %u", size, min_size);
	}
	expect_unchanged(_metadata, &self->caller);
}

TEST_F(command, older_size_works_and_reads_missing_fields_as_0)
{
	RULE("UAPI-02");
	struct caller *caller = &self->caller;

	for (uint32_t size = variant->command->min_size; size <= variant->command->size; size++) {
		EXPECT_EQ(variant->command->rc, call_sized(caller, &caller->arg, size))
			check_note("size %u of %u", size, variant->command->size);
		EXPECT_EQ(size, caller->arg.size);
		caller_undo(caller, &caller->arg);
		caller_prepare(caller);
	}
	expect_unchanged(_metadata, caller);
}

static bool all_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i])
			return false;
	return true;
}

TEST_F(command, newer_size_with_zero_tail_works)
{
	RULE("UAPI-03");
	const uint32_t tails[] = { 1, 2, 3, 4, 7, 8, 64, 4096, 65536 };
	struct caller *caller = &self->caller;

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		uint32_t size = variant->command->size + tails[i];

		EXPECT_EQ(variant->command->rc, call_sized(caller, &caller->arg, size))
			check_note("tail of %u", tails[i]);
		EXPECT_TRUE(all_zero(caller->end - tails[i], tails[i]));
		caller_undo(caller, &caller->arg);
		caller_prepare(caller);
	}
	expect_unchanged(_metadata, caller);
}

/* A call with one byte of a long zero tail set; the argument must come back as it was. */
static int call_with_tail(struct caller *caller, uint32_t tail, uint32_t position)
{
	uint32_t size = caller->command->size;
	uint8_t *at = caller->end - tail - size;
	int rc;

	caller->arg.size = size + tail;
	memset(at, 0, size + tail);
	memcpy(at, &caller->arg, size);
	at[size + position] = 0x80;
	rc = caller_ioctl(caller, at);
	return memcmp(at, &caller->arg, size) ? -ENOTRECOVERABLE : rc;
}

TEST_F(command, newer_size_with_nonzero_tail_is_e2big)
{
	RULE("UAPI-04");
	const uint32_t tails[] = { 1, 3, 8, 17, 4096 };
	struct caller *caller = &self->caller;

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++)
		for (uint32_t position = 0; position < tails[i];
		     position += position < 24 ? 1 : 509) {
			EXPECT_EQ(-E2BIG, call_with_tail(caller, tails[i], position))
				check_note("byte %u of a tail of %u", position, tails[i]);
		}
	EXPECT_EQ(-E2BIG, call_with_tail(caller, 4096, 4095));
	expect_unchanged(_metadata, caller);
}

TEST_F(command, unreadable_argument_is_efault)
{
	RULE("UAPI-05");
	struct caller *caller = &self->caller;
	uint32_t size = variant->command->size;
	union argument arg;

	EXPECT_EQ(-EFAULT, caller_ioctl(caller, NULL));
	EXPECT_EQ(-EFAULT, caller_ioctl(caller, caller->end));
	EXPECT_EQ(-EFAULT, caller_ioctl(caller, (void *)-(uintptr_t)sizeof(arg)));
	for (uint32_t readable = 1; readable < size; readable++) {
		arg = caller->arg;
		EXPECT_EQ(-EFAULT, call_cut(caller, &arg, size, readable))
			check_note("%u of %u bytes readable", readable, size);
	}
	arg = caller->arg;
	EXPECT_EQ(-EFAULT, call_cut(caller, &arg, size + 1, size));
	EXPECT_EQ(-EFAULT, call_cut(caller, &arg, size + 4096, size + 8));
	EXPECT_EQ(-EFAULT, call_cut(caller, &arg, UINT32_MAX, ARENA_SIZE));
	expect_unchanged(_metadata, caller);
}

/* The call with only the first @writable bytes of the argument in writable memory */
static int call_read_only(struct caller *caller, uint32_t writable)
{
	uint8_t *read_only = caller->end - sysconf(_SC_PAGESIZE);
	union argument arg = caller->arg;
	int rc;

	arg.size = caller->command->size;
	memcpy(read_only - writable, &arg, arg.size);
	mprotect(read_only, sysconf(_SC_PAGESIZE), PROT_READ);
	rc = caller_ioctl(caller, read_only - writable);
	mprotect(read_only, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE);
	return rc;
}

/*
 * What a mapping call or an option did stays done, nothing promises otherwise, and is undone here;
 * but no object may appear, and a new object must not have taken anything.
 */
TEST_F(command, unwritable_argument)
{
	RULE("UAPI-06");
	struct caller *caller = &self->caller;
	bool replies = variant->command->reply != REPLY_NONE;

	for (uint32_t writable = 0; writable < variant->command->size; writable += 4) {
		EXPECT_EQ(replies ? -EFAULT : variant->command->rc,
			  call_read_only(caller, writable))
			check_note("%u of %u bytes writable", writable, variant->command->size);
		if (variant->command->reply != REPLY_NEW_OBJECT) {
			caller_undo(caller, &caller->arg);
			caller_prepare(caller);
		}
		EXPECT_STATE(&caller->full.vm.iommufd, &caller->before);
	}
	expect_unchanged(_metadata, caller);
}

TEST_F(command, same_number_with_other_encoding_is_enotty)
{
	RULE("UAPI-07");
	struct caller *caller = &self->caller;
	const unsigned long nr = _IOC_NR(variant->command->request);
	const uint32_t size = variant->command->size;
	const unsigned long others[] = {
		_IOC(_IOC_READ, IOMMUFD_TYPE, nr, size),
		_IOC(_IOC_WRITE, IOMMUFD_TYPE, nr, size),
		_IOC(_IOC_READ | _IOC_WRITE, IOMMUFD_TYPE, nr, size),
		_IOC(_IOC_NONE, IOMMUFD_TYPE, nr, size),
		_IO(IOMMUFD_TYPE - 1, nr),
		_IO(IOMMUFD_TYPE + 1, nr),
		_IO(0, nr),
	};
	uint8_t *at = caller->end - size;

	caller->arg.size = size;
	memcpy(at, &caller->arg, size);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		EXPECT_EQ(-ENOTTY, __iommufd_ioctl(&caller->full.vm.iommufd, others[i], at))
			check_note("request %#lx", others[i]);
	}
	EXPECT_EQ(0, memcmp(at, &caller->arg, size));
	expect_unchanged(_metadata, caller);
}

/* Fields */

struct field {
	const struct command *command;
	uint32_t offset;
	uint32_t width;
	uint64_t known;		/* bits with a meaning */
};

#define FIELD(_call, _struct, _member, ...) \
	.field = { \
		.command = &_call##_command, .offset = offsetof(struct _struct, _member), \
		.width = sizeof(((struct _struct *)NULL)->_member), ##__VA_ARGS__ \
	}

/* Every bit without a meaning, alone, is refused and nothing happens. */
static void expect_unknown_bits_refused(struct __test_metadata *_metadata, struct caller *caller,
					const struct field *field)
{
	union argument arg;
	int rc;

	for (uint32_t bit = 0; bit < field->width * 8; bit++) {
		if (field->known & (1ULL << bit))
			continue;
		arg = caller->arg;
		arg.bytes[field->offset + bit / 8] |= 1 << bit % 8;
		rc = call(caller, &arg);
		EXPECT_EQ(-EOPNOTSUPP, rc)
			check_note("bit %u at offset %u", bit, field->offset);
		if (!rc) {
			caller_undo(caller, &arg);
			caller_prepare(caller);
		}
	}
	expect_unchanged(_metadata, caller);
}

FIXTURE(reserved) {
	struct caller caller;
};

FIXTURE_VARIANT(reserved) {
	struct field field;
};

#define RESERVED_VARIANT(_name, _call, _struct, _member) \
	FIXTURE_VARIANT_ADD(reserved, _name) { FIELD(_call, _struct, _member) }

RESERVED_VARIANT(ioas_allow_iovas, ioas_allow_iovas, iommu_ioas_allow_iovas, __reserved);
RESERVED_VARIANT(ioas_iova_ranges, ioas_iova_ranges, iommu_ioas_iova_ranges, __reserved);
RESERVED_VARIANT(ioas_map, ioas_map, iommu_ioas_map, __reserved);
RESERVED_VARIANT(ioas_change_process, ioas_change_process, iommu_ioas_change_process, __reserved);
RESERVED_VARIANT(ioas_noiommu_get_pa, ioas_noiommu_get_pa, iommu_ioas_noiommu_get_pa, __reserved);
RESERVED_VARIANT(option_get, option_get, iommu_option, __reserved);
RESERVED_VARIANT(option_set, option_set, iommu_option, __reserved);
RESERVED_VARIANT(vfio_ioas_set, vfio_ioas_set, iommu_vfio_ioas, __reserved);
RESERVED_VARIANT(vfio_ioas_get, vfio_ioas_get, iommu_vfio_ioas, __reserved);
RESERVED_VARIANT(vfio_ioas_clear, vfio_ioas_clear, iommu_vfio_ioas, __reserved);
RESERVED_VARIANT(hwpt_alloc, hwpt_alloc, iommu_hwpt_alloc, __reserved);
RESERVED_VARIANT(hwpt_alloc_2, hwpt_alloc, iommu_hwpt_alloc, __reserved2);
RESERVED_VARIANT(hwpt_alloc_nested, hwpt_alloc_nested, iommu_hwpt_alloc, __reserved);
RESERVED_VARIANT(hwpt_alloc_nested_2, hwpt_alloc_nested, iommu_hwpt_alloc, __reserved2);
RESERVED_VARIANT(get_hw_info, get_hw_info, iommu_hw_info, __reserved);
RESERVED_VARIANT(hwpt_set_dirty_tracking, hwpt_set_dirty_tracking, iommu_hwpt_set_dirty_tracking,
		 __reserved);
RESERVED_VARIANT(hwpt_get_dirty_bitmap, hwpt_get_dirty_bitmap, iommu_hwpt_get_dirty_bitmap,
		 __reserved);
RESERVED_VARIANT(hwpt_invalidate, hwpt_invalidate, iommu_hwpt_invalidate, __reserved);
RESERVED_VARIANT(viommu_alloc, viommu_alloc, iommu_viommu_alloc, __reserved);
RESERVED_VARIANT(veventq_alloc, veventq_alloc, iommu_veventq_alloc, __reserved);

FIXTURE_SETUP(reserved)
{
	caller_setup(_metadata, &self->caller, variant->field.command);
}

FIXTURE_TEARDOWN(reserved)
{
	full_vm_teardown(_metadata, &self->caller.full);
}

TEST_F(reserved, any_bit_is_eopnotsupp)
{
	RULE("UAPI-08");
	expect_unknown_bits_refused(_metadata, &self->caller, &variant->field);
}

FIXTURE(flags) {
	struct caller caller;
};

FIXTURE_VARIANT(flags) {
	struct field field;
};

#define FLAGS_VARIANT(_call, _struct, _known) \
	FIXTURE_VARIANT_ADD(flags, _call) { FIELD(_call, _struct, flags, .known = _known) }

#define MAP_FLAGS (IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)
#define HWPT_FLAGS (IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING | \
		    IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID)

FLAGS_VARIANT(ioas_alloc, iommu_ioas_alloc, 0);
/* The mock's kernel takes this bit of COPY for itself: main.c, iommufd_test_syz_conv_iova_id() */
FLAGS_VARIANT(ioas_copy, iommu_ioas_copy, MAP_FLAGS | MOCK_FLAGS_ACCESS_SYZ);
FLAGS_VARIANT(ioas_map, iommu_ioas_map, MAP_FLAGS);
FLAGS_VARIANT(ioas_map_file, iommu_ioas_map_file, MAP_FLAGS);
FLAGS_VARIANT(ioas_noiommu_get_pa, iommu_ioas_noiommu_get_pa, 0);
FLAGS_VARIANT(hwpt_alloc, iommu_hwpt_alloc, HWPT_FLAGS);
FLAGS_VARIANT(hwpt_alloc_nested, iommu_hwpt_alloc, HWPT_FLAGS);
FLAGS_VARIANT(get_hw_info, iommu_hw_info, IOMMU_HW_INFO_FLAG_INPUT_TYPE);
FLAGS_VARIANT(hwpt_set_dirty_tracking, iommu_hwpt_set_dirty_tracking,
	      IOMMU_HWPT_DIRTY_TRACKING_ENABLE);
FLAGS_VARIANT(hwpt_get_dirty_bitmap, iommu_hwpt_get_dirty_bitmap,
	      IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
FLAGS_VARIANT(fault_queue_alloc, iommu_fault_alloc, 0);
FLAGS_VARIANT(viommu_alloc, iommu_viommu_alloc, 0);
FLAGS_VARIANT(veventq_alloc, iommu_veventq_alloc, 0);
FLAGS_VARIANT(hw_queue_alloc, iommu_hw_queue_alloc, 0);

FIXTURE_SETUP(flags)
{
	caller_setup(_metadata, &self->caller, variant->field.command);
}

FIXTURE_TEARDOWN(flags)
{
	full_vm_teardown(_metadata, &self->caller.full);
}

TEST_F(flags, unknown_bit_is_eopnotsupp)
{
	RULE("UAPI-09");
	expect_unknown_bits_refused(_metadata, &self->caller, &variant->field);
}

/* Values of fields that name one of several things */

FIXTURE(value) {
	struct caller caller;
};

FIXTURE_VARIANT(value) {
	struct field field;
	uint32_t bad[6];	/* ends with the first 0 that is not the first */
};

#define VALUE_VARIANT(_name, _call, _struct, _member, ...) \
	FIXTURE_VARIANT_ADD(value, _name) { \
		FIELD(_call, _struct, _member), .bad = { __VA_ARGS__ } \
	}

VALUE_VARIANT(option_get_option_id, option_get, iommu_option, option_id, 2, 3, 0xffff, UINT32_MAX);
VALUE_VARIANT(option_set_option_id, option_set, iommu_option, option_id, 2, 3, 0xffff, UINT32_MAX);
VALUE_VARIANT(option_op, option_get, iommu_option, op, 2, 3, 0x8000, UINT16_MAX);
VALUE_VARIANT(vfio_ioas_op, vfio_ioas_get, iommu_vfio_ioas, op, 3, 4, 0x8000, UINT16_MAX);
VALUE_VARIANT(viommu_type, viommu_alloc, iommu_viommu_alloc, type, IOMMU_VIOMMU_TYPE_DEFAULT,
	      IOMMU_VIOMMU_TYPE_ARM_SMMUV3, IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV, 0x1234, UINT32_MAX);
VALUE_VARIANT(hw_queue_type, hw_queue_alloc, iommu_hw_queue_alloc, type,
	      IOMMU_HW_QUEUE_TYPE_DEFAULT, IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV, 0x1234, UINT32_MAX);
VALUE_VARIANT(veventq_default_type, veventq_alloc, iommu_veventq_alloc, type,
	      IOMMU_VEVENTQ_TYPE_DEFAULT);
VALUE_VARIANT(veventq_type, veventq_alloc, iommu_veventq_alloc, type, 0x1234, UINT32_MAX);

FIXTURE_SETUP(value)
{
	caller_setup(_metadata, &self->caller, variant->field.command);
}

FIXTURE_TEARDOWN(value)
{
	full_vm_teardown(_metadata, &self->caller.full);
}

static void field_set(union argument *arg, const struct field *field, uint32_t value)
{
	memcpy(arg->bytes + field->offset, &value, field->width);	/* little-endian */
}

TEST_F(value, one_that_nobody_knows_is_eopnotsupp)
{
	RULE("UAPI-09");
	struct caller *caller = &self->caller;

	for (size_t i = 0; i < ARRAY_SIZE(variant->bad) && (!i || variant->bad[i]); i++) {
		union argument arg = caller->arg;
		int rc;

		field_set(&arg, &variant->field, variant->bad[i]);
		rc = call(caller, &arg);
		EXPECT_EQ(-EOPNOTSUPP, rc)
			check_note("value %#x", variant->bad[i]);
		if (!rc)
			caller_undo(caller, &arg);
	}
	expect_unchanged(_metadata, caller);
}

/* Ids */

enum kind {
	KIND_IOAS,
	KIND_DEVICE,
	KIND_MOCK,	/* the mock's own object, of no type that the uAPI takes */
	KIND_PAGING,
	KIND_PARENT,
	KIND_AUTO,
	KIND_NESTED,
	KIND_VIOMMU,
	KIND_VDEVICE,
	KIND_FAULT,
	KIND_VEVENTQ,
	KIND_HW_QUEUE,
	KINDS
};

#define BIT(_nr) (1U << (_nr))
#define ANY_PAGING (BIT(KIND_PAGING) | BIT(KIND_PARENT) | BIT(KIND_AUTO))

static const char *const kind_name[KINDS] = {
	"IOAS", "device", "mock", "paging HWPT", "nest parent", "auto HWPT", "nested HWPT",
	"vIOMMU", "vDEVICE", "fault queue", "vEVENTQ", "HW queue",
};

static uint32_t id_of_kind(struct full_vm *full, enum kind kind)
{
	const uint32_t ids[KINDS] = {
		full->vm.ioas, full->vm.dev.idev_id, full->vm.dev.stdev_id, full->paging,
		full->vm.parent, full->vm.dev.hwpt_id, full->vm.nested, full->vm.viommu,
		full->vm.vdevice, full->fault, full->veventq, full->hw_queue,
	};

	return ids[kind];
}

FIXTURE(id) {
	struct caller caller;
};

FIXTURE_VARIANT(id) {
	struct field field;
	unsigned int takes;	/* BIT(enum kind) */
	int wrong;		/* what the id of any other kind gives */
};

#define ID_VARIANT(_name, _call, _struct, _member, _takes, _wrong) \
	FIXTURE_VARIANT_ADD(id, _name) { \
		FIELD(_call, _struct, _member), .takes = _takes, .wrong = _wrong \
	}

ID_VARIANT(ioas_allow_iovas, ioas_allow_iovas, iommu_ioas_allow_iovas, ioas_id, BIT(KIND_IOAS),
	   -ENOENT);
ID_VARIANT(ioas_copy_dst, ioas_copy, iommu_ioas_copy, dst_ioas_id, BIT(KIND_IOAS), -ENOENT);
ID_VARIANT(ioas_copy_src, ioas_copy, iommu_ioas_copy, src_ioas_id, BIT(KIND_IOAS), -ENOENT);
ID_VARIANT(ioas_iova_ranges, ioas_iova_ranges, iommu_ioas_iova_ranges, ioas_id, BIT(KIND_IOAS),
	   -ENOENT);
ID_VARIANT(ioas_map, ioas_map, iommu_ioas_map, ioas_id, BIT(KIND_IOAS), -ENOENT);
ID_VARIANT(ioas_map_file, ioas_map_file, iommu_ioas_map_file, ioas_id, BIT(KIND_IOAS), -ENOENT);
ID_VARIANT(ioas_unmap, ioas_unmap, iommu_ioas_unmap, ioas_id, BIT(KIND_IOAS), -ENOENT);
ID_VARIANT(option_get, option_get, iommu_option, object_id, BIT(KIND_IOAS), -ENOENT);
ID_VARIANT(option_set, option_set, iommu_option, object_id, BIT(KIND_IOAS), -ENOENT);
ID_VARIANT(vfio_ioas, vfio_ioas_set, iommu_vfio_ioas, ioas_id, BIT(KIND_IOAS), -ENOENT);
ID_VARIANT(hwpt_alloc_dev, hwpt_alloc, iommu_hwpt_alloc, dev_id, BIT(KIND_DEVICE), -ENOENT);
ID_VARIANT(hwpt_alloc_pt, hwpt_alloc, iommu_hwpt_alloc, pt_id,
	   BIT(KIND_IOAS) | ANY_PAGING | BIT(KIND_VIOMMU), -EINVAL);
ID_VARIANT(hwpt_alloc_nested_dev, hwpt_alloc_nested, iommu_hwpt_alloc, dev_id, BIT(KIND_DEVICE),
	   -ENOENT);
ID_VARIANT(hwpt_alloc_nested_pt, hwpt_alloc_nested, iommu_hwpt_alloc, pt_id,
	   BIT(KIND_IOAS) | ANY_PAGING | BIT(KIND_VIOMMU), -EINVAL);
ID_VARIANT(hwpt_alloc_nested_fault, hwpt_alloc_nested, iommu_hwpt_alloc, fault_id,
	   BIT(KIND_FAULT), -ENOENT);
ID_VARIANT(get_hw_info, get_hw_info, iommu_hw_info, dev_id, BIT(KIND_DEVICE), -ENOENT);
ID_VARIANT(hwpt_set_dirty_tracking, hwpt_set_dirty_tracking, iommu_hwpt_set_dirty_tracking, hwpt_id,
	   ANY_PAGING, -ENOENT);
ID_VARIANT(hwpt_get_dirty_bitmap, hwpt_get_dirty_bitmap, iommu_hwpt_get_dirty_bitmap, hwpt_id,
	   ANY_PAGING, -ENOENT);
ID_VARIANT(hwpt_invalidate, hwpt_invalidate, iommu_hwpt_invalidate, hwpt_id,
	   BIT(KIND_NESTED) | BIT(KIND_VIOMMU), -EINVAL);
ID_VARIANT(viommu_alloc_dev, viommu_alloc, iommu_viommu_alloc, dev_id, BIT(KIND_DEVICE), -ENOENT);
ID_VARIANT(viommu_alloc_hwpt, viommu_alloc, iommu_viommu_alloc, hwpt_id, ANY_PAGING, -ENOENT);
ID_VARIANT(vdevice_alloc_viommu, vdevice_alloc, iommu_vdevice_alloc, viommu_id, BIT(KIND_VIOMMU),
	   -ENOENT);
ID_VARIANT(vdevice_alloc_dev, vdevice_alloc, iommu_vdevice_alloc, dev_id, BIT(KIND_DEVICE),
	   -ENOENT);
ID_VARIANT(veventq_alloc, veventq_alloc, iommu_veventq_alloc, viommu_id, BIT(KIND_VIOMMU), -ENOENT);
ID_VARIANT(hw_queue_alloc, hw_queue_alloc, iommu_hw_queue_alloc, viommu_id, BIT(KIND_VIOMMU),
	   -ENOENT);

FIXTURE_SETUP(id)
{
	caller_setup(_metadata, &self->caller, variant->field.command);
}

FIXTURE_TEARDOWN(id)
{
	full_vm_teardown(_metadata, &self->caller.full);
}

/* The valid call but for this id */
static int call_with_id(struct caller *caller, const struct field *field, uint32_t id)
{
	union argument arg = caller->arg;

	field_set(&arg, field, id);
	return call(caller, &arg);
}

/* Make and destroy objects of several types; of a vDEVICE that went with its device too */
static int make_gone_ids(struct __test_metadata *_metadata, struct full_vm *full, uint32_t *gone)
{
	struct iommufd *iommufd = &full->vm.iommufd;
	uint32_t ioas = ioas_alloc(iommufd);
	struct mock_device dev = mock_device_create(iommufd, ioas, 0);
	uint32_t parent = hwpt_alloc(iommufd, dev.idev_id, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT);
	uint32_t viommu = mock_viommu_alloc(iommufd, dev.idev_id, parent);
	uint32_t nested = mock_hwpt_alloc_nested(iommufd, dev.idev_id, viommu, 0, 0, VM_IOTLB);
	uint32_t vdevice = vdevice_alloc(iommufd, viommu, dev.idev_id, SPARE_VIRT_ID);
	const uint32_t destroyed[] = { nested, dev.stdev_id, viommu, parent, ioas };
	int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(destroyed); i++) {
		iommufd_destroy(iommufd, destroyed[i]);
		gone[count++] = destroyed[i];
	}
	gone[count++] = dev.idev_id;
	gone[count++] = vdevice;
	return count;
}

TEST_F(id, of_nothing_is_enoent)
{
	RULE("UAPI-12");
	struct caller *caller = &self->caller;
	uint32_t ids[16] = {
		0, STATE_IDS, 1000, INT32_MAX, 1U << 31, UINT32_MAX - 1, UINT32_MAX,
	};
	int count = 7 + make_gone_ids(_metadata, &caller->full, ids + 7);

	caller->before = state_get(&caller->full.vm.iommufd);
	for (int i = 0; i < count; i++) {
		EXPECT_EQ(-ENOENT, call_with_id(caller, &variant->field, ids[i]))
			check_note("ids[%d]: %#x", i, ids[i]);
	}
	expect_unchanged(_metadata, caller);
}

TEST_F(id, of_another_type_is_refused)
{
	RULE("UAPI-13");
	struct caller *caller = &self->caller;

	for (enum kind kind = 0; kind < KINDS; kind++) {
		if (variant->takes & BIT(kind))
			continue;
		EXPECT_EQ(variant->wrong, call_with_id(caller, &variant->field,
						       id_of_kind(&caller->full, kind)))
			check_note("id of a %s", kind_name[kind]);
	}
	expect_unchanged(_metadata, caller);
}

/* Numbers */

static bool is_known_number(unsigned int nr)
{
	return (nr >= IOMMUFD_CMD_BASE && nr <= _IOC_NR(IOMMU_IOAS_NOIOMMU_GET_PA)) ||
	       nr == _IOC_NR(IOMMU_TEST_CMD) ||
	       /* the VFIO type 1 calls that VFIO compatibility has: vfio_compat.c */
	       (nr >= _IOC_NR(VFIO_GET_API_VERSION) && nr <= _IOC_NR(VFIO_SET_IOMMU)) ||
	       (nr >= _IOC_NR(VFIO_IOMMU_GET_INFO) && nr <= _IOC_NR(VFIO_IOMMU_UNMAP_DMA));
}

FIXTURE(number) {
	struct full_vm full;
};

FIXTURE_SETUP(number)
{
	full_vm_setup(_metadata, &self->full);
}

FIXTURE_TEARDOWN(number)
{
	full_vm_teardown(_metadata, &self->full);
}

TEST_F(number, unknown_is_enotty)
{
	RULE("UAPI-07");
	struct iommufd *iommufd = &self->full.vm.iommufd;
	struct state before = state_get(iommufd);
	uint32_t arg[64] = {};

	for (unsigned int nr = 0; nr < 256; nr++) {
		if (is_known_number(nr))
			continue;
		for (uint32_t size = 0; size <= sizeof(arg); size += sizeof(arg) / 4) {
			arg[0] = size;
			EXPECT_EQ(-ENOTTY, __iommufd_ioctl(iommufd, _IO(IOMMUFD_TYPE, nr), arg))
				check_note("number %#x, size %u", nr, size);
		}
	}
	EXPECT_STATE(iommufd, &before);
}

/* The few VFIO calls that an iommufd takes work on an IOAS set for them, else there is none. */
TEST_F(number, vfio_compatibility_needs_its_ioas)
{
	RULE("UAPI-07");
	struct iommufd *iommufd = &self->full.vm.iommufd;
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	struct iommu_vfio_ioas set = {
		.size = sizeof(set), .op = IOMMU_VFIO_IOAS_SET, .ioas_id = self->full.vm.ioas,
	};

	NEEDS_KERNEL(return, "VFIO compatibility");
	EXPECT_EQ(VFIO_API_VERSION, ioctl(iommufd->fd, VFIO_GET_API_VERSION));
	EXPECT_EQ(-ENODEV, __iommufd_ioctl(iommufd, VFIO_IOMMU_GET_INFO, &info));
	ASSERT_EQ(0, __iommufd_ioctl(iommufd, IOMMU_VFIO_IOAS, &set));
	EXPECT_EQ(0, __iommufd_ioctl(iommufd, VFIO_IOMMU_GET_INFO, &info));
	EXPECT_NE(0, info.flags & VFIO_IOMMU_INFO_PGSIZES);
	set.op = IOMMU_VFIO_IOAS_CLEAR;
	ASSERT_EQ(0, __iommufd_ioctl(iommufd, IOMMU_VFIO_IOAS, &set));
	EXPECT_EQ(-ENODEV, __iommufd_ioctl(iommufd, VFIO_IOMMU_GET_INFO, &info));
}

NIT_TEST_MAIN
