// SPDX-License-Identifier: GPL-2.0-only
/*
 * vEVENTQ: the queue on which a vIOMMU reports events of its devices to user space.
 *
 * The mock's events carry the virtual id of the device, so a record is 8 bytes of header and 4
 * of data. IOMMU_TEST_OP_TRIGGER_VEVENT makes one event of a device.
 */
#include "eventq.h"

#define OTHER_VIRT_ID 0x20
#define MAX_DEPTH (1u << 19)

struct record {
	struct iommufd_vevent_header header;
	struct iommu_viommu_event_selftest data;
};

#define HEADER_SIZE ((ssize_t)sizeof(struct iommufd_vevent_header))
#define RECORD_SIZE ((ssize_t)sizeof(struct record))

_Static_assert(sizeof(struct record) == sizeof(struct iommufd_vevent_header) +
	       sizeof(struct iommu_viommu_event_selftest), "records are packed");

/* Make _count events of device _dev_id */
#define TRIGGER(_dev_id, _count) do { \
	for (int i_ = 0; i_ < (_count); i_++) \
		ASSERT_EQ(0, __mock_trigger_vevent(&self->vm.iommufd, _dev_id)); \
} while (0)

/* One record in memory is event _sequence of device _virt_id */
#define EXPECT_RECORD(_record, _sequence, _virt_id) do { \
	const struct record *record_ = (_record); \
	EXPECT_EQ(0u, record_->header.flags); \
	EXPECT_EQ((uint32_t)(_sequence), record_->header.sequence); \
	EXPECT_EQ((uint32_t)(_virt_id), record_->data.virt_id); \
} while (0)

/* The next event in the file is _sequence of device _virt_id */
#define EXPECT_EVENT(_fd, _sequence, _virt_id) do { \
	struct record read_ = {}; \
	EXPECT_EQ(RECORD_SIZE, fd_read(_fd, &read_, sizeof(read_))); \
	EXPECT_RECORD(&read_, _sequence, _virt_id); \
} while (0)

/* The next thing in the file is the bare header that says events were lost at the tail */
#define EXPECT_LOST(_fd, _sequence) do { \
	struct record read_ = {}; \
	EXPECT_EQ(HEADER_SIZE, fd_read(_fd, &read_, sizeof(read_))); \
	EXPECT_EQ((uint32_t)IOMMU_VEVENTQ_FLAG_LOST_EVENTS, read_.header.flags); \
	EXPECT_EQ((uint32_t)(_sequence), read_.header.sequence); \
} while (0)

#define EXPECT_EMPTY(_fd) do { \
	struct record read_ = {}; \
	EXPECT_EQ(0, poll_now(_fd)); \
	EXPECT_EQ(0, fd_read(_fd, &read_, sizeof(read_))); \
} while (0)

/* A vIOMMU with one device attached through it; tests open queues of the depth they need */
FIXTURE(veventq) {
	struct vm vm;
	uint32_t id;
	int fd;
};

FIXTURE_SETUP(veventq)
{
	self->fd = -1;
	if (!vm_setup_viommu(_metadata, &self->vm))
		return;
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->vm.nested);
}

FIXTURE_TEARDOWN(veventq)
{
	if (self->fd >= 0)
		close(self->fd);
	vm_close(&self->vm);
}

#define OPEN_QUEUE(_depth) \
	(self->id = veventq_alloc(&self->vm.iommufd, self->vm.viommu, \
				  IOMMU_VEVENTQ_TYPE_SELFTEST, _depth, &self->fd))

TEST_F(veventq, first_event_has_sequence_0_and_the_virtual_id)
{
	RULE("UAPI-63");
	OPEN_QUEUE(4);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
}

TEST_F(veventq, lost_header_at_the_tail)
{
	RULE("UAPI-64");
	OPEN_QUEUE(1);
	TRIGGER(self->vm.dev.idev_id, 2);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_LOST(self->fd, 1);
	EXPECT_EMPTY(self->fd);
}

/* What a refused VEVENTQ_ALLOC names as its vIOMMU */
enum named {
	THE_VIOMMU,
	ID_ZERO,
	ID_UNKNOWN,
	ID_DESTROYED,
	ID_IOAS,
	ID_DEVICE,
	ID_PARENT,
	ID_NESTED,
	ID_VDEVICE,
	ID_VEVENTQ,
};

FIXTURE(refused) {
	struct vm vm;
	uint32_t other_viommu;
	uint32_t other_queue;
	int other_fd;
};

FIXTURE_VARIANT(refused) {
	uint32_t flags;
	uint32_t reserved;
	uint32_t type;
	uint32_t depth;
	enum named named;
	int error;
};

#define REFUSED(_name, ...) \
	FIXTURE_VARIANT_ADD(refused, _name) { \
		.type = IOMMU_VEVENTQ_TYPE_SELFTEST, .depth = 1, __VA_ARGS__ }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
REFUSED(flag_0, .flags = 1, .error = -EOPNOTSUPP);
REFUSED(flag_31, .flags = 1u << 31, .error = -EOPNOTSUPP);
REFUSED(reserved, .reserved = 1, .error = -EOPNOTSUPP);
REFUSED(type_default, .type = IOMMU_VEVENTQ_TYPE_DEFAULT, .error = -EOPNOTSUPP);
REFUSED(depth_0, .depth = 0, .error = -EINVAL);
/* The bound is the kernel's own choice: drivers/iommu/iommufd/eventq.c:VEVENTQ_MAX_DEPTH */
REFUSED(depth_above_max, .depth = MAX_DEPTH + 1, .error = -EINVAL);
REFUSED(depth_all_ones, .depth = UINT32_MAX, .error = -EINVAL);
REFUSED(viommu_0, .named = ID_ZERO, .error = -ENOENT);
REFUSED(viommu_unknown, .named = ID_UNKNOWN, .error = -ENOENT);
REFUSED(viommu_destroyed, .named = ID_DESTROYED, .error = -ENOENT);
REFUSED(viommu_is_ioas, .named = ID_IOAS, .error = -ENOENT);
REFUSED(viommu_is_device, .named = ID_DEVICE, .error = -ENOENT);
REFUSED(viommu_is_parent, .named = ID_PARENT, .error = -ENOENT);
REFUSED(viommu_is_nested, .named = ID_NESTED, .error = -ENOENT);
REFUSED(viommu_is_vdevice, .named = ID_VDEVICE, .error = -ENOENT);
REFUSED(viommu_is_veventq, .named = ID_VEVENTQ, .error = -ENOENT);
#pragma GCC diagnostic pop

FIXTURE_SETUP(refused)
{
	self->other_fd = -1;
	if (!vm_setup_viommu(_metadata, &self->vm))
		return;
	self->other_viommu = mock_viommu_alloc(&self->vm.iommufd, self->vm.dev.idev_id,
					       self->vm.parent);
	self->other_queue = veventq_alloc(&self->vm.iommufd, self->other_viommu,
					  IOMMU_VEVENTQ_TYPE_SELFTEST, 1, &self->other_fd);
}

FIXTURE_TEARDOWN(refused)
{
	if (self->other_fd >= 0)
		close(self->other_fd);
	vm_close(&self->vm);
}

static uint32_t destroyed_id(struct __test_metadata *_metadata, struct iommufd *iommufd)
{
	uint32_t ioas_id = ioas_alloc(iommufd);

	iommufd_destroy(iommufd, ioas_id);
	return ioas_id;
}

static uint32_t named_id(struct __test_metadata *_metadata, FIXTURE_DATA(refused) *self,
			 enum named named)
{
	switch (named) {
	case THE_VIOMMU: return self->vm.viommu;
	case ID_ZERO: return 0;
	case ID_UNKNOWN: return 0x7fffffff;
	case ID_DESTROYED: return destroyed_id(_metadata, &self->vm.iommufd);
	case ID_IOAS: return self->vm.ioas;
	case ID_DEVICE: return self->vm.dev.idev_id;
	case ID_PARENT: return self->vm.parent;
	case ID_NESTED: return self->vm.nested;
	case ID_VDEVICE: return self->vm.vdevice;
	case ID_VEVENTQ: return self->other_queue;
	}
	return 0;
}

TEST_F(refused, with_its_errno_and_nothing_changed)
{
	struct iommu_veventq_alloc cmd = {
		.size = sizeof(cmd),
		.flags = variant->flags,
		.viommu_id = named_id(_metadata, self, variant->named),
		.type = variant->type,
		.veventq_depth = variant->depth,
		.__reserved = variant->reserved,
	};
	const struct iommu_veventq_alloc sent = cmd;
	struct state before = state_get(&self->vm.iommufd);

	RULE("UAPI-60");
	EXPECT_EQ(variant->error, __iommufd_ioctl(&self->vm.iommufd, IOMMU_VEVENTQ_ALLOC, &cmd));
	EXPECT_EQ(0, memcmp(&sent, &cmd, sizeof(cmd)));
	EXPECT_STATE(&self->vm.iommufd, &before);

	/* Control: the same with nothing wrong is accepted, so it was refused for the one fault. */
	cmd.flags = 0;
	cmd.__reserved = 0;
	cmd.viommu_id = self->vm.viommu;
	cmd.type = IOMMU_VEVENTQ_TYPE_SELFTEST;
	cmd.veventq_depth = 1;
	EXPECT_EQ(0, __iommufd_ioctl(&self->vm.iommufd, IOMMU_VEVENTQ_ALLOC, &cmd));
	EXPECT_NE(0u, cmd.out_veventq_id);
	EXPECT_EQ(0, close(cmd.out_veventq_fd));
}

TEST_F(veventq, alloc_with_unwritable_struct_makes_nothing)
{
	struct iommu_veventq_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = self->vm.viommu,
		.type = IOMMU_VEVENTQ_TYPE_SELFTEST,
		.veventq_depth = 1,
	};
	void *read_only = read_only_copy(_metadata, &cmd, sizeof(cmd));
	struct state before = state_get(&self->vm.iommufd);

	RULE("UAPI-60");
	EXPECT_EQ(-EFAULT, __iommufd_ioctl(&self->vm.iommufd, IOMMU_VEVENTQ_ALLOC, read_only));
	EXPECT_STATE(&self->vm.iommufd, &before);
	OPEN_QUEUE(1);	/* EEXIST if half a queue were left */
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
}

TEST_F(veventq, alloc_without_a_free_fd_makes_nothing)
{
	struct state before = state_get(&self->vm.iommufd);
	struct rlimit limit = exhaust_fds(_metadata, self->vm.iommufd.fd);

	RULE("UAPI-60");
	EXPECT_EQ(-EMFILE, __veventq_alloc(&self->vm.iommufd, self->vm.viommu,
					   IOMMU_VEVENTQ_TYPE_SELFTEST, 1, &self->id, &self->fd));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_STATE(&self->vm.iommufd, &before);
	OPEN_QUEUE(1);
}

FIXTURE(depth) {
	struct vm vm;
	uint32_t id;
	int fd;
};

FIXTURE_VARIANT(depth) {
	uint32_t depth;
};

FIXTURE_VARIANT_ADD(depth, d1) { .depth = 1 };
FIXTURE_VARIANT_ADD(depth, d2) { .depth = 2 };
FIXTURE_VARIANT_ADD(depth, d3) { .depth = 3 };
FIXTURE_VARIANT_ADD(depth, d64) { .depth = 64 };

FIXTURE_SETUP(depth)
{
	self->fd = -1;
	if (!vm_setup_viommu(_metadata, &self->vm))
		return;
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->vm.nested);
	OPEN_QUEUE(variant->depth);
}

FIXTURE_TEARDOWN(depth)
{
	if (self->fd >= 0)
		close(self->fd);
	vm_close(&self->vm);
}

TEST_F(depth, holds_as_many_events_as_it_says)
{
	RULE("UAPI-64");
	TRIGGER(self->vm.dev.idev_id, variant->depth);
	for (uint32_t i = 0; i < variant->depth; i++)
		EXPECT_EVENT(self->fd, i, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
}

TEST_F(depth, one_event_more_is_lost_and_noted_at_the_tail)
{
	RULE("UAPI-64");
	TRIGGER(self->vm.dev.idev_id, variant->depth + 1);
	for (uint32_t i = 0; i < variant->depth; i++)
		EXPECT_EVENT(self->fd, i, VM_VIRT_ID);
	EXPECT_LOST(self->fd, variant->depth);
	EXPECT_EMPTY(self->fd);
}

/* One header, whatever the number lost: its sequence moves on with each of them. */
TEST_F(depth, many_lost_events_make_one_header)
{
	RULE("UAPI-64");
	TRIGGER(self->vm.dev.idev_id, variant->depth + 5);
	for (uint32_t i = 0; i < variant->depth; i++)
		EXPECT_EVENT(self->fd, i, VM_VIRT_ID);
	EXPECT_LOST(self->fd, variant->depth + 4);
	EXPECT_EMPTY(self->fd);
}

TEST_F(depth, after_the_header_events_go_on_without_a_gap)
{
	struct record records[variant->depth + 1];

	RULE("UAPI-64");
	TRIGGER(self->vm.dev.idev_id, variant->depth + 3);
	EXPECT_EQ(variant->depth * RECORD_SIZE + HEADER_SIZE,
		  fd_read(self->fd, records, sizeof(records)));
	EXPECT_EMPTY(self->fd);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, variant->depth + 3, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
}

/* A following event says it all by its sequence: then there is no header. */
TEST_F(depth, room_made_after_a_loss_replaces_the_header_by_a_gap)
{
	RULE("UAPI-64");
	TRIGGER(self->vm.dev.idev_id, variant->depth + 2);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	TRIGGER(self->vm.dev.idev_id, 1);
	for (uint32_t i = 1; i < variant->depth; i++)
		EXPECT_EVENT(self->fd, i, VM_VIRT_ID);
	EXPECT_EVENT(self->fd, variant->depth + 2, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
}

TEST_F(depth, overflow_again_and_again)
{
	uint32_t sequence = 0;

	RULE("UAPI-64");
	for (int round = 0; round < 10; round++) {
		TRIGGER(self->vm.dev.idev_id, variant->depth + 1 + round);
		for (uint32_t i = 0; i < variant->depth; i++)
			EXPECT_EVENT(self->fd, sequence + i, VM_VIRT_ID);
		sequence += variant->depth + 1 + round;
		EXPECT_LOST(self->fd, sequence - 1);
		EXPECT_EMPTY(self->fd);
	}
}

/* The lost-events header takes no place of an event. */
TEST_F(depth, full_again_after_reading_all_but_the_header)
{
	struct record records[variant->depth];

	RULE("UAPI-64");
	TRIGGER(self->vm.dev.idev_id, variant->depth + 1);
	EXPECT_EQ(variant->depth * RECORD_SIZE, fd_read(self->fd, records, sizeof(records)));
	TRIGGER(self->vm.dev.idev_id, variant->depth);
	for (uint32_t i = 0; i < variant->depth; i++)
		EXPECT_EVENT(self->fd, variant->depth + 1 + i, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
}

TEST_F(veventq, maximum_depth_is_accepted)
{
	RULE("UAPI-60");
	OPEN_QUEUE(MAX_DEPTH);
	TRIGGER(self->vm.dev.idev_id, 2000);
	for (uint32_t i = 0; i < 2000; i++)
		EXPECT_EVENT(self->fd, i, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
}

TEST_F(veventq, second_of_a_type_is_refused)
{
	struct state before;
	uint32_t id;
	int fd;

	RULE("UAPI-61");
	OPEN_QUEUE(2);
	TRIGGER(self->vm.dev.idev_id, 1);
	before = state_get(&self->vm.iommufd);
	EXPECT_EQ(-EEXIST, __veventq_alloc(&self->vm.iommufd, self->vm.viommu,
					   IOMMU_VEVENTQ_TYPE_SELFTEST, 1, &id, &fd));
	EXPECT_STATE(&self->vm.iommufd, &before);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_EVENT(self->fd, 1, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
}

TEST_F(veventq, two_viommus_have_one_each)
{
	uint32_t viommu = mock_viommu_alloc(&self->vm.iommufd, self->vm.dev.idev_id,
					    self->vm.parent);
	int fd = -1;

	RULE("UAPI-61");
	OPEN_QUEUE(1);
	veventq_alloc(&self->vm.iommufd, viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 1, &fd);
	EXPECT_NE(self->fd, fd);
	close(fd);
}

TEST_F(veventq, one_of_each_type)
{
	uint32_t id;
	int fd = -1, rc;

	RULE("UAPI-61");
	OPEN_QUEUE(2);
	rc = __veventq_alloc(&self->vm.iommufd, self->vm.viommu, IOMMU_VEVENTQ_TYPE_ARM_SMMUV3, 2,
			     &id, &fd);
	if (rc == -EOPNOTSUPP)
		SKIP(return, "the mock has one vEVENTQ type");
	EXPECT_EQ(0, rc);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EMPTY(fd);	/* nor does it get events of the other type */
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_EQ(0, close(fd));
	iommufd_destroy(&self->vm.iommufd, id);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 1, VM_VIRT_ID);
}

/* The second queue starts afresh: what the first held, and its sequence, are gone. */
TEST_F(veventq, destroyed_one_can_be_replaced)
{
	RULE("UAPI-61");
	OPEN_QUEUE(1);
	TRIGGER(self->vm.dev.idev_id, 2);
	close(self->fd);
	iommufd_destroy(&self->vm.iommufd, self->id);
	OPEN_QUEUE(1);
	EXPECT_EMPTY(self->fd);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
}

/* The queue is the object, not the file: closing alone does not free the type. */
TEST_F(veventq, closed_but_not_destroyed_one_still_counts)
{
	uint32_t id;
	int fd;

	RULE("UAPI-61");
	OPEN_QUEUE(1);
	close(self->fd);
	self->fd = -1;
	TRIGGER(self->vm.dev.idev_id, 3);
	EXPECT_EQ(-EEXIST, __veventq_alloc(&self->vm.iommufd, self->vm.viommu,
					   IOMMU_VEVENTQ_TYPE_SELFTEST, 1, &id, &fd));
	iommufd_destroy(&self->vm.iommufd, self->id);
	OPEN_QUEUE(1);
}

FIXTURE(undefined_type) {
	struct vm vm;
};

FIXTURE_VARIANT(undefined_type) {
	uint32_t type;
};

FIXTURE_VARIANT_ADD(undefined_type, next) { .type = IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV + 1 };
FIXTURE_VARIANT_ADD(undefined_type, x1234) { .type = 0x1234 };
FIXTURE_VARIANT_ADD(undefined_type, all_ones) { .type = UINT32_MAX };

FIXTURE_SETUP(undefined_type)
{
	vm_setup_viommu(_metadata, &self->vm);
}

FIXTURE_TEARDOWN(undefined_type)
{
	vm_close(&self->vm);
}

TEST_F(undefined_type, is_refused)
{
	uint32_t id;
	int fd = -1;

	RULE("UAPI-60");
	EXPECT_EQ(-EOPNOTSUPP, __veventq_alloc(&self->vm.iommufd, self->vm.viommu, variant->type,
					       1, &id, &fd));
	if (fd >= 0)
		close(fd);
}

TEST_F(veventq, fd_is_closed_on_exec)
{
	RULE("UAPI-62");
	OPEN_QUEUE(1);
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

TEST_F(veventq, fd_has_no_position)
{
	struct record record;

	RULE("UAPI-62");
	OPEN_QUEUE(1);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pread(self->fd, &record, sizeof(record), 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pread(self->fd, &record, sizeof(record), 4));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
}

/* With io_uring a read can name an offset even so. */
TEST_F(veventq, read_at_an_offset_is_refused)
{
	struct record record = {};
	ssize_t rc;

	RULE("UAPI-62");
	NEEDS_KERNEL(return, "files of the kernel");
	OPEN_QUEUE(1);
	TRIGGER(self->vm.dev.idev_id, 1);
	rc = ring_rw(IORING_OP_READ, self->fd, &record, sizeof(record), HEADER_SIZE);
	if (rc == -ENOSYS)
		SKIP(return, "needs io_uring (CONFIG_IO_URING)");
	EXPECT_EQ(-ESPIPE, rc);
	EXPECT_EQ(RECORD_SIZE,
		  ring_rw(IORING_OP_READ, self->fd, &record, sizeof(record), 0));
	EXPECT_RECORD(&record, 0, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
}

TEST_F(veventq, fd_takes_no_write)
{
	struct record record = { .header.sequence = 7 };

	RULE("UAPI-62");
	OPEN_QUEUE(2);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EQ(-EINVAL, fd_write(self->fd, &record, sizeof(record)));
	EXPECT_EQ(-EINVAL, fd_write(self->fd, &record, 0));
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
}

TEST_F(veventq, fd_is_no_iommufd)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	RULE("UAPI-62");
	OPEN_QUEUE(1);
	EXPECT_EQ(-1, ioctl(self->fd, IOMMU_IOAS_ALLOC, &cmd));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(ENODEV, errno);
}

/* Blocking or not, a read returns at once with nothing: readers are meant to poll. */
TEST_F(veventq, empty_read_never_blocks)
{
	struct record record;

	RULE("UAPI-65");
	OPEN_QUEUE(1);
	EXPECT_EQ(0, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, fd_read(self->fd, &record, sizeof(record)));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(0, fd_read(self->fd, &record, sizeof(record)));
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
}

TEST_F(veventq, destroy_needs_the_file_closed)
{
	RULE("UAPI-62");
	OPEN_QUEUE(1);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->id));
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_LOST(self->fd, 1);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->id));
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&self->vm.iommufd, self->id));
}

TEST_F(veventq, duplicated_file_keeps_it)
{
	int copy;

	RULE("UAPI-62");
	OPEN_QUEUE(1);
	copy = dup(self->fd);
	ASSERT_LE(0, copy);
	close(self->fd);
	self->fd = copy;
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->id));
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(copy, 0, VM_VIRT_ID);
}

TEST_F(veventq, destroy_with_events_waiting)
{
	RULE("UAPI-62");
	OPEN_QUEUE(2);
	TRIGGER(self->vm.dev.idev_id, 5);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->id));
	EXPECT_EQ(-EOPNOTSUPP, __mock_trigger_vevent(&self->vm.iommufd, self->vm.dev.idev_id));
}

TEST_F(veventq, file_works_on_after_the_iommufd_is_closed)
{
	RULE("UAPI-62");
	OPEN_QUEUE(2);
	TRIGGER(self->vm.dev.idev_id, 3);
	iommufd_close(&self->vm.iommufd);
	self->vm.iommufd.ops = NULL;
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_EVENT(self->fd, 1, VM_VIRT_ID);
	EXPECT_LOST(self->fd, 2);
	EXPECT_EMPTY(self->fd);
}

TEST_F(veventq, viommu_stays_while_it_has_a_queue)
{
	uint32_t viommu = mock_viommu_alloc(&self->vm.iommufd, self->vm.dev.idev_id,
					    self->vm.parent);

	RULE("UAPI-62");
	self->id = veventq_alloc(&self->vm.iommufd, viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 1,
				 &self->fd);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, viommu));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, viommu));
	iommufd_destroy(&self->vm.iommufd, self->id);
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, viommu));
}

/* How much one read() returns for a buffer of @count bytes, with two events and a lost header */
FIXTURE(read_size) {
	struct vm vm;
	uint32_t id;
	int fd;
};

FIXTURE_VARIANT(read_size) {
	size_t count;
	ssize_t returned;
};

#define READ_SIZE(_count, _returned) \
	FIXTURE_VARIANT_ADD(read_size, b##_count) { .count = _count, .returned = _returned }

READ_SIZE(0, -EINVAL);		/* less than a header */
READ_SIZE(1, -EINVAL);
READ_SIZE(7, -EINVAL);
READ_SIZE(8, -EINVAL);		/* a header, but the first event has data */
READ_SIZE(11, -EINVAL);
READ_SIZE(12, 12);		/* one event */
READ_SIZE(13, 12);
READ_SIZE(18, 12);		/* one and a half */
READ_SIZE(20, 12);		/* one and the header of the second */
READ_SIZE(23, 12);
READ_SIZE(24, 24);		/* two */
READ_SIZE(31, 24);		/* not quite the header of lost events */
READ_SIZE(32, 32);		/* everything */
READ_SIZE(33, 32);
READ_SIZE(4096, 32);

FIXTURE_SETUP(read_size)
{
	self->fd = -1;
	if (!vm_setup_viommu(_metadata, &self->vm))
		return;
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->vm.nested);
	OPEN_QUEUE(2);
}

FIXTURE_TEARDOWN(read_size)
{
	if (self->fd >= 0)
		close(self->fd);
	vm_close(&self->vm);
}

TEST_F(read_size, returns_whole_records_only)
{
	uint8_t first[4096 + 1], rest[32];
	ssize_t got, left;

	RULE("UAPI-65");
	memset(first, 0xa5, sizeof(first));
	TRIGGER(self->vm.dev.idev_id, 3);
	EXPECT_EQ(variant->returned, fd_read(self->fd, first, variant->count));
	got = variant->returned < 0 ? 0 : variant->returned;
	for (size_t i = got; i < sizeof(first); i++)
		ASSERT_EQ(0xa5, first[i]);

	/* What was not returned is still there, in order. */
	left = fd_read(self->fd, rest, sizeof(rest));
	EXPECT_EQ(2 * RECORD_SIZE + HEADER_SIZE, got + left);
	memcpy(first + got, rest, left);
	EXPECT_RECORD((struct record *)first, 0, VM_VIRT_ID);
	EXPECT_RECORD((struct record *)first + 1, 1, VM_VIRT_ID);
	EXPECT_EQ((uint32_t)IOMMU_VEVENTQ_FLAG_LOST_EVENTS,
		  ((struct record *)first)[2].header.flags);
	EXPECT_EMPTY(self->fd);
}

TEST_F(read_size, of_an_empty_queue)
{
	uint8_t buf[4096];

	RULE("UAPI-65");
	EXPECT_EQ(variant->count < sizeof(struct iommufd_vevent_header) ? -EINVAL : 0,
		  fd_read(self->fd, buf, variant->count));
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
}

TEST_F(read_size, when_only_the_lost_header_is_left)
{
	uint8_t buf[4096];
	struct record events[2];
	bool fits = variant->count >= sizeof(struct iommufd_vevent_header);

	RULE("UAPI-65");
	TRIGGER(self->vm.dev.idev_id, 3);
	ASSERT_EQ(2 * RECORD_SIZE, fd_read(self->fd, events, sizeof(events)));
	EXPECT_EQ(fits ? HEADER_SIZE : -EINVAL, fd_read(self->fd, buf, variant->count));
	if (!fits)
		EXPECT_LOST(self->fd, 2);
	EXPECT_EMPTY(self->fd);
}

TEST_F(veventq, vectors_are_read_one_by_one)
{
	struct record first = {}, second = {};
	struct iovec iov[] = { { &first, sizeof(first) }, { &second, sizeof(second) } };

	RULE("UAPI-65");
	NEEDS_KERNEL(return, "files of the kernel");
	OPEN_QUEUE(4);
	TRIGGER(self->vm.dev.idev_id, 3);
	EXPECT_EQ(2 * RECORD_SIZE, readv(self->fd, iov, 2));
	EXPECT_RECORD(&first, 0, VM_VIRT_ID);
	EXPECT_RECORD(&second, 1, VM_VIRT_ID);
	EXPECT_EVENT(self->fd, 2, VM_VIRT_ID);
}

/* Buffers whose first bytes are good: the read stops there and keeps the rest for the next. */
FIXTURE(unwritable) {
	struct vm vm;
	uint32_t id;
	int fd;
};

FIXTURE_VARIANT(unwritable) {
	size_t usable;
	ssize_t returned;
};

#define UNWRITABLE(_usable, _returned) \
	FIXTURE_VARIANT_ADD(unwritable, after_##_usable) { \
		.usable = _usable, .returned = _returned }

UNWRITABLE(0, -EFAULT);
UNWRITABLE(4, -EFAULT);		/* within the header */
UNWRITABLE(8, -EFAULT);		/* between header and data */
UNWRITABLE(11, -EFAULT);
UNWRITABLE(12, 12);		/* the second event */
UNWRITABLE(20, 12);
UNWRITABLE(24, 24);		/* the lost header */
UNWRITABLE(28, 24);
UNWRITABLE(32, 32);		/* nothing: the page is just not needed */

FIXTURE_SETUP(unwritable)
{
	self->fd = -1;
	if (!vm_setup_viommu(_metadata, &self->vm))
		return;
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->vm.nested);
	OPEN_QUEUE(2);
}

FIXTURE_TEARDOWN(unwritable)
{
	if (self->fd >= 0)
		close(self->fd);
	vm_close(&self->vm);
}

TEST_F(unwritable, buffer_loses_no_event)
{
	void *buf = edge_buffer(_metadata, variant->usable);
	ssize_t got = variant->returned < 0 ? 0 : variant->returned;

	RULE("UAPI-66");
	TRIGGER(self->vm.dev.idev_id, 3);
	EXPECT_EQ(variant->returned, fd_read(self->fd, buf, 64));
	for (uint32_t i = got / RECORD_SIZE; i < 2; i++)
		EXPECT_EVENT(self->fd, i, VM_VIRT_ID);
	if (got < 2 * RECORD_SIZE + HEADER_SIZE)
		EXPECT_LOST(self->fd, 2);
	EXPECT_EMPTY(self->fd);
}

/* An event put back still takes its place: the queue is as full as before. */
TEST_F(unwritable, buffer_makes_no_room)
{
	void *buf = edge_buffer(_metadata, variant->usable);
	ssize_t events = variant->returned < 0 ? 0 : variant->returned / RECORD_SIZE;

	RULE("UAPI-66");
	TRIGGER(self->vm.dev.idev_id, 2);
	EXPECT_EQ(events ? events * RECORD_SIZE : -EFAULT,
		  fd_read(self->fd, buf, 2 * sizeof(struct record)));
	TRIGGER(self->vm.dev.idev_id, 3);
	for (uint32_t i = events; i < 2 + events; i++)
		EXPECT_EVENT(self->fd, i, VM_VIRT_ID);
	if (events < 3)
		EXPECT_LOST(self->fd, 4);
	EXPECT_EMPTY(self->fd);
}

TEST_F(veventq, unwritable_buffer_keeps_the_lost_header)
{
	void *buf = edge_buffer(_metadata, 4);

	RULE("UAPI-66");
	OPEN_QUEUE(1);
	TRIGGER(self->vm.dev.idev_id, 2);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-EFAULT, fd_read(self->fd, buf, sizeof(struct record)));
		EXPECT_EQ(POLLIN, poll_now(self->fd));
	}
	EXPECT_LOST(self->fd, 1);
	EXPECT_EMPTY(self->fd);
}

TEST_F(veventq, poll_says_when_there_is_something)
{
	struct record record;

	RULE("UAPI-67");
	OPEN_QUEUE(1);
	EXPECT_EQ(0, poll_now(self->fd));
	TRIGGER(self->vm.dev.idev_id, 2);
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_EQ(POLLIN, poll_now(self->fd));	/* the lost header */
	EXPECT_EQ(HEADER_SIZE, fd_read(self->fd, &record, sizeof(record)));
	EXPECT_EQ(0, poll_now(self->fd));
}

TEST_F(veventq, failed_read_leaves_it_ready)
{
	struct record record;

	RULE("UAPI-67");
	OPEN_QUEUE(1);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EQ(-EINVAL, fd_read(self->fd, &record, HEADER_SIZE));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_EQ(-EFAULT, fd_read(self->fd, edge_buffer(_metadata, 0), sizeof(record)));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
}

TEST_F(veventq, select_agrees)
{
	struct timeval now = {};
	fd_set in, out;

	RULE("UAPI-67");
	OPEN_QUEUE(1);
	for (int events = 0; events < 2; events++) {
		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_SET(self->fd, &in);
		FD_SET(self->fd, &out);
		EXPECT_EQ(events, select(self->fd + 1, &in, &out, NULL, &now));
		EXPECT_EQ(events, FD_ISSET(self->fd, &in));
		EXPECT_EQ(0, FD_ISSET(self->fd, &out));
		TRIGGER(self->vm.dev.idev_id, 1);
	}
}

TEST_F(veventq, epoll_level_and_edge)
{
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET }, level = { .events = EPOLLIN };
	struct epoll_event seen;
	int edges = epoll_create1(EPOLL_CLOEXEC), levels = epoll_create1(EPOLL_CLOEXEC);

	RULE("UAPI-67");
	OPEN_QUEUE(1);
	ASSERT_EQ(0, epoll_ctl(edges, EPOLL_CTL_ADD, self->fd, &edge));
	ASSERT_EQ(0, epoll_ctl(levels, EPOLL_CTL_ADD, self->fd, &level));
	EXPECT_EQ(0, epoll_wait(edges, &seen, 1, 0));
	EXPECT_EQ(0, epoll_wait(levels, &seen, 1, 0));

	/* Each of them wakes: an event, the loss of one, the loss of another. */
	for (int i = 0; i < 3; i++) {
		TRIGGER(self->vm.dev.idev_id, 1);
		EXPECT_EQ(1, epoll_wait(edges, &seen, 1, WAIT_MS));
		EXPECT_EQ((uint32_t)EPOLLIN, seen.events);
		EXPECT_EQ(0, epoll_wait(edges, &seen, 1, 0));
		EXPECT_EQ(1, epoll_wait(levels, &seen, 1, 0));
		EXPECT_EQ(1, epoll_wait(levels, &seen, 1, 0));
	}
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_LOST(self->fd, 2);
	EXPECT_EQ(0, epoll_wait(levels, &seen, 1, 0));
	close(edges);
	close(levels);
}

TEST_F(veventq, event_wakes_a_sleeping_poll)
{
	struct poller poller;

	RULE("UAPI-67");
	OPEN_QUEUE(1);
	poller_start(_metadata, &poller, self->fd);
	TRIGGER(self->vm.dev.idev_id, 1);
	poller_join(_metadata, &poller);
	EXPECT_EQ(1, poller.ready);
	EXPECT_EQ(POLLIN, poller.revents);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
}

/* Two devices in one vIOMMU, a third in another; the same virtual id in both */
FIXTURE(isolation) {
	struct vm vm;
	uint32_t id;
	int fd;
	struct mock_device second;
	struct mock_device stranger;
	uint32_t other_viommu;
	int other_fd;
};

FIXTURE_SETUP(isolation)
{
	struct iommufd *iommufd = &self->vm.iommufd;

	self->fd = -1;
	self->other_fd = -1;
	if (!vm_setup_viommu(_metadata, &self->vm))
		return;
	mock_device_replace(iommufd, self->vm.dev.stdev_id, self->vm.nested);
	self->second = mock_device_create(iommufd, self->vm.ioas, 0);
	vdevice_alloc(iommufd, self->vm.viommu, self->second.idev_id, OTHER_VIRT_ID);
	mock_device_replace(iommufd, self->second.stdev_id, self->vm.nested);
	OPEN_QUEUE(4);

	self->stranger = mock_device_create(iommufd, self->vm.ioas, 0);
	self->other_viommu = mock_viommu_alloc(iommufd, self->stranger.idev_id, self->vm.parent);
	vdevice_alloc(iommufd, self->other_viommu, self->stranger.idev_id, VM_VIRT_ID);
	mock_device_replace(iommufd, self->stranger.stdev_id,
			    mock_hwpt_alloc_nested(iommufd, self->stranger.idev_id,
						   self->other_viommu, 0, 0, VM_IOTLB));
	veventq_alloc(iommufd, self->other_viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 2,
		      &self->other_fd);
}

FIXTURE_TEARDOWN(isolation)
{
	if (self->fd >= 0)
		close(self->fd);
	if (self->other_fd >= 0)
		close(self->other_fd);
	vm_close(&self->vm);
}

TEST_F(isolation, events_of_two_devices_share_one_order)
{
	RULE("UAPI-68");
	TRIGGER(self->vm.dev.idev_id, 1);
	TRIGGER(self->second.idev_id, 2);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_EVENT(self->fd, 1, OTHER_VIRT_ID);
	EXPECT_EVENT(self->fd, 2, OTHER_VIRT_ID);
	EXPECT_EVENT(self->fd, 3, VM_VIRT_ID);
	EXPECT_EMPTY(self->other_fd);
}

TEST_F(isolation, events_stay_in_their_viommu)
{
	RULE("UAPI-68");
	TRIGGER(self->stranger.idev_id, 1);
	EXPECT_EMPTY(self->fd);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->other_fd, 0, VM_VIRT_ID);
	EXPECT_EMPTY(self->other_fd);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
}

TEST_F(isolation, overflow_stays_in_its_viommu)
{
	RULE("UAPI-68");
	TRIGGER(self->vm.dev.idev_id, 1);
	TRIGGER(self->stranger.idev_id, 10);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_EVENT(self->fd, 1, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
	EXPECT_EVENT(self->other_fd, 0, VM_VIRT_ID);
	EXPECT_EVENT(self->other_fd, 1, VM_VIRT_ID);
	EXPECT_LOST(self->other_fd, 9);
}

TEST_F(isolation, device_moved_to_the_ioas_reports_nothing)
{
	RULE("UAPI-68");
	TRIGGER(self->vm.dev.idev_id, 1);
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->vm.ioas);
	EXPECT_EQ(-ENOENT, __mock_trigger_vevent(&self->vm.iommufd, self->vm.dev.idev_id));
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
	EXPECT_EMPTY(self->fd);
	EXPECT_EMPTY(self->other_fd);
}

TEST_F(isolation, events_outlive_the_device_that_made_them)
{
	RULE("UAPI-68");
	TRIGGER(self->second.idev_id, 2);
	iommufd_destroy(&self->vm.iommufd, self->second.stdev_id);
	EXPECT_EVENT(self->fd, 0, OTHER_VIRT_ID);
	EXPECT_EVENT(self->fd, 1, OTHER_VIRT_ID);
	EXPECT_EMPTY(self->fd);
}

TEST_F(isolation, destroying_one_queue_leaves_the_other)
{
	RULE("UAPI-68");
	TRIGGER(self->stranger.idev_id, 1);
	TRIGGER(self->vm.dev.idev_id, 2);
	close(self->fd);
	self->fd = -1;
	iommufd_destroy(&self->vm.iommufd, self->id);
	TRIGGER(self->stranger.idev_id, 1);
	EXPECT_EVENT(self->other_fd, 0, VM_VIRT_ID);
	EXPECT_EVENT(self->other_fd, 1, VM_VIRT_ID);
	EXPECT_EMPTY(self->other_fd);
}

/*
 * "To receive a virtual event for a device, a vDEVICE must be allocated": destroyed, there is no
 * virtual id any more that an event could name. A new one may even belong to another device.
 */
TEST_F(isolation, destroyed_vdevice_reports_nothing)
{
	RULE("UAPI-68");
	iommufd_destroy(&self->vm.iommufd, self->vm.vdevice);
	__mock_trigger_vevent(&self->vm.iommufd, self->vm.dev.idev_id);
	EXPECT_EMPTY(self->fd);
}

TEST_F(isolation, virtual_id_given_to_another_device_is_only_its_own)
{
	struct mock_device heir = mock_device_create(&self->vm.iommufd, self->vm.ioas, 0);

	RULE("UAPI-68");
	iommufd_destroy(&self->vm.iommufd, self->vm.vdevice);
	vdevice_alloc(&self->vm.iommufd, self->vm.viommu, heir.idev_id, VM_VIRT_ID);
	__mock_trigger_vevent(&self->vm.iommufd, self->vm.dev.idev_id);
	EXPECT_EMPTY(self->fd);
	mock_device_replace(&self->vm.iommufd, heir.stdev_id, self->vm.nested);
	TRIGGER(heir.idev_id, 1);
	EXPECT_EQ(POLLIN, poll_now(self->fd));
}

TEST_F(veventq, event_without_a_queue_is_not_kept)
{
	RULE("UAPI-68");
	EXPECT_EQ(-EOPNOTSUPP, __mock_trigger_vevent(&self->vm.iommufd, self->vm.dev.idev_id));
	OPEN_QUEUE(1);
	EXPECT_EMPTY(self->fd);
	TRIGGER(self->vm.dev.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, VM_VIRT_ID);
}

/* A virtual id that the vIOMMU never knew: the device has no vDEVICE, or is not attached. */
TEST_F(veventq, device_unknown_to_the_viommu_reports_nothing)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device unknown = mock_device_create(iommufd, self->vm.ioas, 0);

	RULE("UAPI-68");
	OPEN_QUEUE(4);
	EXPECT_EQ(-ENOENT, __mock_device_replace(iommufd, unknown.stdev_id, self->vm.nested));
	EXPECT_EQ(-ENOENT, __mock_trigger_vevent(iommufd, unknown.idev_id));
	vdevice_alloc(iommufd, self->vm.viommu, unknown.idev_id, OTHER_VIRT_ID);
	EXPECT_EQ(-ENOENT, __mock_trigger_vevent(iommufd, unknown.idev_id));
	EXPECT_EMPTY(self->fd);
	mock_device_replace(iommufd, unknown.stdev_id, self->vm.nested);
	TRIGGER(unknown.idev_id, 1);
	EXPECT_EVENT(self->fd, 0, OTHER_VIRT_ID);
}

/**
 * struct account - what one reader of a queue can tell of the events made
 * @next: sequence expected next
 * @lost: events that the gaps and the lost-events headers tell of
 */
struct account {
	uint32_t next;
	uint32_t received;
	uint32_t lost;
	uint32_t backwards;
};

/* "If two adjacent sequence indexes has a delta larger than 1, delta - 1 vEVENTs has lost" */
static void account_header(struct account *account, const struct iommufd_vevent_header *header)
{
	if (header->sequence < account->next)
		account->backwards++;
	account->lost += header->sequence - account->next;
	if (header->flags & IOMMU_VEVENTQ_FLAG_LOST_EVENTS)
		account->lost++;
	else
		account->received++;
	account->next = header->sequence + 1;
}

/* Read with buffers of a few records until nothing is left */
static ssize_t account_drain(struct account *account, int fd)
{
	uint8_t buf[5 * sizeof(struct record)];
	struct iommufd_vevent_header header;
	ssize_t size;

	while ((size = fd_read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < size;) {
			memcpy(&header, buf + at, sizeof(header));
			account_header(account, &header);
			at += header.flags ? HEADER_SIZE : RECORD_SIZE;
		}
	}
	return size;
}

TEST_F(depth, every_event_is_delivered_or_accounted_for)
{
	struct account account = {};
	uint32_t made = 0;
	struct prng prng;

	RULE("UAPI-64");
	prng_init(&prng, prng_seed(), variant->depth);
	for (int round = 0; round < 50; round++) {
		uint32_t burst = prng_below(&prng, variant->depth * 3);

		TRIGGER(self->vm.dev.idev_id, burst);
		made += burst;
		EXPECT_EQ(0, account_drain(&account, self->fd));
		EXPECT_EQ(made, account.received + account.lost);
	}
	EXPECT_EQ(0u, account.backwards);
	EXPECT_LT(0u, account.received);
	EXPECT_LT(0u, account.lost);
}

struct reader {
	pthread_t thread;
	int fd;
	bool stop;
	ssize_t rc;
	struct account account;
};

static void *reader_run(void *arg)
{
	struct reader *reader = arg;
	bool last;

	do {
		last = __atomic_load_n(&reader->stop, __ATOMIC_ACQUIRE);
		reader->rc = account_drain(&reader->account, reader->fd);
	} while (!last && !reader->rc);
	return NULL;
}

TEST_F(depth, every_event_is_accounted_for_while_they_come)
{
	const uint32_t made = 1000;
	struct reader reader = { .fd = self->fd };

	RULE("UAPI-64");
	ASSERT_EQ(0, pthread_create(&reader.thread, NULL, reader_run, &reader));
	TRIGGER(self->vm.dev.idev_id, made);
	__atomic_store_n(&reader.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(reader.thread, NULL));
	EXPECT_EQ(0, reader.rc);
	EXPECT_EQ(0u, reader.account.backwards);
	EXPECT_EQ(made, reader.account.received + reader.account.lost);
	EXPECT_LE(variant->depth, reader.account.received);
}

#define SHARED_EVENTS 512

struct taker {
	pthread_t thread;
	int fd;
	uint32_t count;
	uint32_t sequence[SHARED_EVENTS];
};

/* Read one event a call, until there is none */
static void *taker_run(void *arg)
{
	struct taker *taker = arg;
	struct record record;

	while (taker->count < SHARED_EVENTS &&
	       fd_read(taker->fd, &record, sizeof(record)) == RECORD_SIZE)
		taker->sequence[taker->count++] = record.header.sequence;
	return NULL;
}

TEST_F(veventq, two_readers_get_each_event_once)
{
	struct taker takers[2] = {};
	uint8_t seen[SHARED_EVENTS] = {};

	RULE("UAPI-65");
	OPEN_QUEUE(SHARED_EVENTS);
	TRIGGER(self->vm.dev.idev_id, SHARED_EVENTS);
	for (int i = 0; i < 2; i++) {
		takers[i].fd = self->fd;
		ASSERT_EQ(0, pthread_create(&takers[i].thread, NULL, taker_run, &takers[i]));
	}
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(takers[i].thread, NULL));
		for (uint32_t n = 0; n < takers[i].count; n++) {
			ASSERT_GT(SHARED_EVENTS, takers[i].sequence[n]);
			seen[takers[i].sequence[n]]++;
		}
	}
	for (int i = 0; i < SHARED_EVENTS; i++) {
		EXPECT_EQ(1, seen[i])
			check_note("event %d was read %d times", i, seen[i]);
	}
	EXPECT_EMPTY(self->fd);
}

/*
 * "[...] this sequence index is expected to be monotonic to the sequence index of the previous
 * vEVENT." One reader takes an event and fails; another must not see the order change. Tried
 * until the second event comes while the first is held; a queue in order never shows it.
 */
TEST_F(veventq, failing_reader_does_not_reorder_events_for_another)
{
	struct record first = {}, second = {};
	struct slow_read slow;
	int64_t end;

	RULE("UAPI-63");
	OPEN_QUEUE(4);
	slow_read_outrank();
	end = now_ms() + SLOW_MS;
	for (int i = 0; i < SLOW_MANY && now_ms() < end &&
	     !_metadata->exit_code; i++) {
		TRIGGER(self->vm.dev.idev_id, 1);
		slow_read_start(_metadata, &slow, self->fd, sizeof(first), HEADER_SIZE);
		slow_read_catch(&slow);
		TRIGGER(self->vm.dev.idev_id, 1);
		ASSERT_EQ(RECORD_SIZE, fd_read(self->fd, &first, sizeof(first)));
		EXPECT_EQ(-EFAULT, slow_read_join(_metadata, &slow));
		ASSERT_EQ(RECORD_SIZE, fd_read(self->fd, &second, sizeof(second)));
		EXPECT_LT(first.header.sequence, second.header.sequence)
			check_note("try %d", i);
		EXPECT_EMPTY(self->fd);
	}
}

/* What a failing reader puts back is there to be read: who waits for it must wake up. */
TEST_F(veventq, event_put_back_by_a_failing_reader_wakes_a_sleeping_poll)
{
	struct slow_read slow;
	int64_t end;
	struct poller poller;

	RULE("UAPI-67");
	OPEN_QUEUE(4);
	slow_read_outrank();
	end = now_ms() + SLOW_MS;
	for (int i = 0; i < SLOW_MANY && now_ms() < end &&
	     !_metadata->exit_code; i++) {
		TRIGGER(self->vm.dev.idev_id, 1);
		poller_hold(_metadata, &poller, self->fd);
		slow_read_start(_metadata, &slow, self->fd, sizeof(struct record), HEADER_SIZE);
		EXPECT_EQ(-EFAULT, slow_read_join(_metadata, &slow));
		EXPECT_EQ(POLLIN, poll_now(self->fd));
		EXPECT_EQ(true, poller_woke(&poller))
			check_note("try %d: an event is there, poll() sleeps", i);
		TRIGGER(self->vm.dev.idev_id, 1);	/* this does wake it */
		poller_join(_metadata, &poller);
		EXPECT_EVENT(self->fd, 2 * i, VM_VIRT_ID);
		EXPECT_EVENT(self->fd, 2 * i + 1, VM_VIRT_ID);
	}
}

/* The queue counts an event as waiting until it is really read. */
TEST_F(veventq, event_held_by_a_failing_reader_takes_its_place)
{
	struct slow_read slow;

	RULE("UAPI-66");
	OPEN_QUEUE(1);
	slow_read_outrank();
	for (int i = 0; i < SLOW_TRIES && !_metadata->exit_code; i++) {
		TRIGGER(self->vm.dev.idev_id, 1);
		slow_read_start(_metadata, &slow, self->fd, sizeof(struct record), HEADER_SIZE);
		slow_read_catch(&slow);
		TRIGGER(self->vm.dev.idev_id, 2);
		EXPECT_EQ(-EFAULT, slow_read_join(_metadata, &slow));
		EXPECT_EVENT(self->fd, 3 * i, VM_VIRT_ID);
		EXPECT_LOST(self->fd, 3 * i + 2);
		EXPECT_EMPTY(self->fd);
	}
}

/* The lost-events header that a reader fails to take says nothing once an event follows. */
TEST_F(veventq, header_held_by_a_failing_reader_gives_way_to_an_event)
{
	struct slow_read slow;

	RULE("UAPI-64");
	OPEN_QUEUE(1);
	slow_read_outrank();
	for (int i = 0; i < SLOW_TRIES && !_metadata->exit_code; i++) {
		TRIGGER(self->vm.dev.idev_id, 2);
		EXPECT_EVENT(self->fd, 3 * i, VM_VIRT_ID);
		slow_read_start(_metadata, &slow, self->fd, sizeof(struct record), 4);
		slow_read_catch(&slow);
		TRIGGER(self->vm.dev.idev_id, 1);
		EXPECT_EQ(-EFAULT, slow_read_join(_metadata, &slow));
		EXPECT_EVENT(self->fd, 3 * i + 2, VM_VIRT_ID);
		EXPECT_EMPTY(self->fd);
	}
}

/**
 * struct model - what the queue should hold
 * @waiting: sequences of the events, oldest first
 * @lost: the lost-events header is at the tail, with sequence @lost_sequence
 */
struct model {
	uint32_t depth;
	uint32_t sequence;
	uint32_t waiting[64];
	uint32_t count;
	bool lost;
	uint32_t lost_sequence;
};

static void model_event(struct model *model)
{
	model->lost = model->count == model->depth;
	if (model->lost)
		model->lost_sequence = model->sequence;
	else
		model->waiting[model->count++] = model->sequence;
	model->sequence++;
}

/* What read() of @count bytes into a buffer of @usable ones returns, and what it puts there */
static ssize_t model_read(struct model *model, size_t count, size_t usable, uint8_t *out)
{
	uint32_t taken = 0;
	size_t done = 0;
	ssize_t rc = 0;

	if (count < sizeof(struct iommufd_vevent_header))
		return -EINVAL;
	while (taken < model->count || model->lost) {
		struct record record = { .data.virt_id = VM_VIRT_ID };
		size_t size = taken < model->count ? RECORD_SIZE : HEADER_SIZE;

		if (size > count - done || size > usable - done) {
			rc = size > count - done ? -EINVAL : -EFAULT;
			break;
		}
		record.header.flags = taken < model->count ? 0 : IOMMU_VEVENTQ_FLAG_LOST_EVENTS;
		record.header.sequence = taken < model->count ? model->waiting[taken] :
								model->lost_sequence;
		memcpy(out + done, &record, size);
		done += size;
		if (taken < model->count)
			taken++;
		else
			model->lost = false;
	}
	model->count -= taken;
	memmove(model->waiting, model->waiting + taken, model->count * sizeof(*model->waiting));
	return done ? done : rc;
}

/* Random events and reads, half of the reads into a buffer that ends too early */
TEST_F(depth, behaves_as_its_model)
{
	const size_t most = 100;
	uint8_t *edge = edge_buffer(_metadata, most), want[100];
	struct model model = { .depth = variant->depth };
	struct prng prng;

	RULE("UAPI-65");
	prng_init(&prng, prng_seed(), 100 + variant->depth);
	for (int step = 0; step < 1500 && !_metadata->exit_code; step++) {
		size_t count = prng_below(&prng, most), usable = prng_below(&prng, 2 * most);
		ssize_t rc;

		if (prng_below(&prng, 2)) {
			TRIGGER(self->vm.dev.idev_id, 1);
			model_event(&model);
			continue;
		}
		usable = usable > count ? count : usable;
		rc = model_read(&model, count, usable, want);
		EXPECT_EQ(rc, fd_read(self->fd, edge + most - usable, count))
			check_note("step %d: read %zu bytes, %zu writable", step, count, usable);
		EXPECT_EQ(0, rc > 0 ? memcmp(want, edge + most - usable, rc) : 0)
			check_note("step %d: %zd bytes differ", step, rc);
		EXPECT_EQ(model.count || model.lost ? POLLIN : 0, poll_now(self->fd));
	}
}

NIT_TEST_MAIN
