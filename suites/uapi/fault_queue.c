// SPDX-License-Identifier: GPL-2.0-only
/*
 * FAULT: the queue on which page faults of devices reach user space, which answers them.
 *
 * IOMMU_TEST_OP_TRIGGER_IOPF makes one fault of a mock device, always the last of its group. The
 * mock does not show what answer a device got; what can be seen is the queue and which cookies
 * still stand for a fault: an answer to one that does not is EINVAL.
 */
#include "eventq.h"

#define PASID 0x123
#define OTHER_PASID 0x124
#define ADDR 0xfeed0000ull
#define FAULT_SIZE ((ssize_t)sizeof(struct iommu_hwpt_pgfault))
#define ANSWER_SIZE ((ssize_t)sizeof(struct iommu_hwpt_page_response))
#define MAX_FAULTS 16

/* Page _n of device _dev_id faults; PASID 0 is none. _n is also the group, to tell them apart. */
#define FAULT_PASID(_dev_id, _pasid, _n) \
	ASSERT_EQ(0, __mock_trigger_fault(&self->vm.iommufd, _dev_id, _pasid, _n, \
					  IOMMU_PGFAULT_PERM_READ, ADDR + (_n) * 4096ull))
#define PAGE_FAULT(_dev_id, _n) FAULT_PASID(_dev_id, 0, _n)

/* Read exactly _count faults; they are groups _first, _first + 1, ...; cookies to _cookies */
#define READ_FAULTS(_fd, _first, _count, _cookies) do { \
	struct iommu_hwpt_pgfault read_[MAX_FAULTS] = {}; \
	uint32_t *cookies_ = (_cookies); \
	ASSERT_GE(MAX_FAULTS, _count); \
	ASSERT_EQ((_count) * FAULT_SIZE, fd_read(_fd, read_, (_count) * FAULT_SIZE)); \
	for (int i_ = 0; i_ < (_count); i_++) { \
		EXPECT_EQ((uint32_t)((_first) + i_), read_[i_].grpid); \
		cookies_[i_] = read_[i_].cookie; \
	} \
} while (0)

#define EXPECT_NO_FAULT(_fd) do { \
	struct iommu_hwpt_pgfault none_; \
	EXPECT_EQ(POLLOUT, poll_now(_fd)); \
	EXPECT_EQ(0, fd_read(_fd, &none_, sizeof(none_))); \
} while (0)

static ssize_t answer(int fd, uint32_t cookie, uint32_t code)
{
	struct iommu_hwpt_page_response response = { .cookie = cookie, .code = code };

	return fd_write(fd, &response, sizeof(response));
}

/* Whether the cookie stands for a fault; the only way to know is to answer it. */
#define EXPECT_ANSWERABLE(_fd, _cookie) \
	EXPECT_EQ(ANSWER_SIZE, answer(_fd, _cookie, IOMMUFD_PAGE_RESP_SUCCESS))
#define EXPECT_GONE(_fd, _cookie) \
	EXPECT_EQ(-EINVAL, answer(_fd, _cookie, IOMMUFD_PAGE_RESP_SUCCESS))

/* What a page table that reports faults is made on */
enum base {
	ON_IOAS,
	ON_PARENT,
	ON_VIOMMU,
};

/* A fault-reporting page table of @dev on @base */
static uint32_t fault_hwpt_alloc(struct __test_metadata *_metadata, struct vm *vm,
				 enum base base, uint32_t idev_id, uint32_t fault_id)
{
	if (base == ON_IOAS)
		return ASSERT_NEW_ID(__hwpt_alloc_data(&vm->iommufd, idev_id, vm->ioas,
						       IOMMU_HWPT_FAULT_ID_VALID, fault_id,
						       IOMMU_HWPT_DATA_NONE, NULL, 0, &id));
	return mock_hwpt_alloc_nested(&vm->iommufd, idev_id,
				      base == ON_PARENT ? vm->parent : vm->viommu,
				      IOMMU_HWPT_FAULT_ID_VALID, fault_id, VM_IOTLB);
}

/* One device attached to a page table that reports its faults to @fd */
FIXTURE(faults) {
	struct vm vm;
	uint32_t fault;
	int fd;
	uint32_t hwpt;
};

FIXTURE_VARIANT(faults) {
	enum base base;
};

FIXTURE_VARIANT_ADD(faults, ioas) { .base = ON_IOAS };
FIXTURE_VARIANT_ADD(faults, parent) { .base = ON_PARENT };
FIXTURE_VARIANT_ADD(faults, viommu) { .base = ON_VIOMMU };

FIXTURE_SETUP(faults)
{
	self->fd = -1;
	if (!vm_setup_viommu(_metadata, &self->vm))
		return;
	self->fault = fault_queue_alloc(&self->vm.iommufd, &self->fd);
	self->hwpt = fault_hwpt_alloc(_metadata, &self->vm, variant->base,
				      self->vm.dev.idev_id, self->fault);
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->hwpt);
}

FIXTURE_TEARDOWN(faults)
{
	if (self->fd >= 0)
		close(self->fd);
	vm_close(&self->vm);
}

TEST_F(faults, reaches_the_queue_and_is_answered)
{
	struct iommu_hwpt_pgfault fault = {};

	RULE("UAPI-70");
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	EXPECT_EQ(FAULT_SIZE, fd_read(self->fd, &fault, sizeof(fault)));
	EXPECT_EQ((uint32_t)IOMMU_PGFAULT_FLAGS_LAST_PAGE, fault.flags);
	EXPECT_EQ(self->vm.dev.idev_id, fault.dev_id);
	EXPECT_EQ(1u, fault.grpid);
	EXPECT_EQ((uint32_t)IOMMU_PGFAULT_PERM_READ, fault.perm);
	EXPECT_EQ(ADDR + 4096, fault.addr);
	EXPECT_EQ(0u, fault.length);
	EXPECT_EQ(0u, fault.__reserved);
	RULE("UAPI-72");
	EXPECT_ANSWERABLE(self->fd, fault.cookie);
	EXPECT_GONE(self->fd, fault.cookie);
	EXPECT_NO_FAULT(self->fd);
}

TEST_F(faults, first_in_first_out)
{
	uint32_t cookies[8];

	RULE("UAPI-71");
	for (int i = 0; i < 8; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	READ_FAULTS(self->fd, 0, 3, cookies);
	READ_FAULTS(self->fd, 3, 5, cookies + 3);
	EXPECT_NO_FAULT(self->fd);
}

TEST_F(faults, outstanding_ones_have_cookies_of_their_own)
{
	uint32_t cookies[MAX_FAULTS];

	RULE("UAPI-70");
	for (int i = 0; i < MAX_FAULTS; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	READ_FAULTS(self->fd, 0, MAX_FAULTS, cookies);
	for (int i = 0; i < MAX_FAULTS; i++)
		for (int k = 0; k < i; k++)
			ASSERT_NE(cookies[k], cookies[i]);
	for (int i = MAX_FAULTS - 1; i >= 0; i--)	/* and are answered in any order */
		EXPECT_ANSWERABLE(self->fd, cookies[i]);
}

/* One answer code after the other; INVALID answers as well as SUCCESS does. */
TEST_F(faults, each_answer_code_answers_once)
{
	uint32_t cookies[2];

	RULE("UAPI-72");
	PAGE_FAULT(self->vm.dev.idev_id, 0);
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	READ_FAULTS(self->fd, 0, 2, cookies);
	EXPECT_EQ(ANSWER_SIZE, answer(self->fd, cookies[0], IOMMUFD_PAGE_RESP_INVALID));
	EXPECT_EQ(ANSWER_SIZE, answer(self->fd, cookies[1], IOMMUFD_PAGE_RESP_SUCCESS));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(-EINVAL, answer(self->fd, cookies[i], IOMMUFD_PAGE_RESP_SUCCESS));
		EXPECT_EQ(-EINVAL, answer(self->fd, cookies[i], IOMMUFD_PAGE_RESP_INVALID));
	}
}

/* Before it is read a fault has no cookie that an answer could name. */
TEST_F(faults, unread_cannot_be_answered)
{
	uint32_t cookies[2];

	RULE("UAPI-72");
	PAGE_FAULT(self->vm.dev.idev_id, 0);
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	for (uint32_t guess = 0; guess < 8; guess++)
		EXPECT_GONE(self->fd, guess);
	READ_FAULTS(self->fd, 0, 2, cookies);
	EXPECT_ANSWERABLE(self->fd, cookies[0]);
	EXPECT_ANSWERABLE(self->fd, cookies[1]);
}

TEST_F(faults, answer_to_another_queue_is_refused)
{
	uint32_t cookies[3];
	int other_fd = -1;

	RULE("UAPI-72");
	fault_queue_alloc(&self->vm.iommufd, &other_fd);
	for (int i = 0; i < 3; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	READ_FAULTS(self->fd, 0, 3, cookies);
	for (int i = 0; i < 3; i++)
		EXPECT_GONE(other_fd, cookies[i]);
	for (int i = 0; i < 3; i++)
		EXPECT_ANSWERABLE(self->fd, cookies[i]);
	close(other_fd);
}

TEST_F(faults, hwpt_stays_while_attached_and_outstanding)
{
	uint32_t cookie;

	RULE("UAPI-73");
	PAGE_FAULT(self->vm.dev.idev_id, 0);
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	READ_FAULTS(self->fd, 0, 1, &cookie);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->hwpt));
	EXPECT_ANSWERABLE(self->fd, cookie);
	READ_FAULTS(self->fd, 1, 1, &cookie);
	EXPECT_ANSWERABLE(self->fd, cookie);
}

/* The queue goes last: after its file, and after the page tables that report to it. */
TEST_F(faults, queue_stays_while_open_or_used)
{
	uint32_t cookie;

	RULE("UAPI-69");
	PAGE_FAULT(self->vm.dev.idev_id, 0);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->fault));
	READ_FAULTS(self->fd, 0, 1, &cookie);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->fault));
	EXPECT_ANSWERABLE(self->fd, cookie);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->fault));
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->vm.ioas);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->fault));
	iommufd_destroy(&self->vm.iommufd, self->hwpt);
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->fault));
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&self->vm.iommufd, self->fault));
}

TEST_F(faults, queue_of_two_hwpts_waits_for_both)
{
	uint32_t second = fault_hwpt_alloc(_metadata, &self->vm, variant->base,
					   self->vm.dev.idev_id, self->fault);

	RULE("UAPI-69");
	close(self->fd);
	self->fd = -1;
	iommufd_destroy(&self->vm.iommufd, second);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->fault));
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->vm.ioas);
	iommufd_destroy(&self->vm.iommufd, self->hwpt);
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->fault));
}

/* Nobody can read or answer any more; the faults end with the attachment. */
TEST_F(faults, closed_file_leaves_them_to_the_detach)
{
	uint32_t cookies[2];

	RULE("UAPI-73");
	for (int i = 0; i < 4; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	READ_FAULTS(self->fd, 0, 2, cookies);
	close(self->fd);
	self->fd = -1;
	PAGE_FAULT(self->vm.dev.idev_id, 4);
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->vm.ioas);
	iommufd_destroy(&self->vm.iommufd, self->hwpt);
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, self->fault));
}

TEST_F(faults, file_works_on_after_the_iommufd_is_closed)
{
	uint32_t cookies[3];

	RULE("UAPI-62");
	for (int i = 0; i < 3; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	READ_FAULTS(self->fd, 0, 1, cookies);
	iommufd_close(&self->vm.iommufd);
	self->vm.iommufd.ops = NULL;
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	READ_FAULTS(self->fd, 1, 1, cookies + 1);
	EXPECT_ANSWERABLE(self->fd, cookies[0]);
	EXPECT_ANSWERABLE(self->fd, cookies[1]);
	/* One is still unread when the last file goes. */
}

TEST_F(faults, everything_closed_with_faults_in_every_state)
{
	uint32_t cookies[2];

	RULE("UAPI-73");
	for (int i = 0; i < 4; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	READ_FAULTS(self->fd, 0, 2, cookies);
	EXPECT_ANSWERABLE(self->fd, cookies[0]);
	iommufd_close(&self->vm.iommufd);
	self->vm.iommufd.ops = NULL;
	EXPECT_EQ(0, close(self->fd));
	self->fd = -1;

	/* The kernel took it all apart without a complaint, and is as good as new. */
	ASSERT_EQ(0, __iommufd_open(&self->vm.iommufd));
	self->vm.ioas = ioas_alloc(&self->vm.iommufd);
	vm_add_device(_metadata, &self->vm, 0);
}

/* Faults of a device whose page table reports none are refused without anybody's help. */
TEST_F(faults, of_a_device_elsewhere_do_not_appear)
{
	struct mock_device stranger = mock_device_create(&self->vm.iommufd, self->vm.ioas, 0);
	uint32_t cookie;

	RULE("UAPI-74");
	PAGE_FAULT(stranger.idev_id, 7);
	EXPECT_NO_FAULT(self->fd);
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	PAGE_FAULT(stranger.idev_id, 8);
	READ_FAULTS(self->fd, 1, 1, &cookie);
	EXPECT_NO_FAULT(self->fd);
}

TEST_F(faults, appear_only_while_attached)
{
	uint32_t cookie;

	RULE("UAPI-74");
	for (int round = 0; round < 3; round++) {
		PAGE_FAULT(self->vm.dev.idev_id, round);
		READ_FAULTS(self->fd, round, 1, &cookie);
		EXPECT_ANSWERABLE(self->fd, cookie);
		mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->vm.ioas);
		PAGE_FAULT(self->vm.dev.idev_id, 100);
		EXPECT_NO_FAULT(self->fd);
		mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->hwpt);
		EXPECT_NO_FAULT(self->fd);
	}
}

/* The field is "valid only if" the flag is set: without it the queue stays out of it. */
TEST_F(faults, id_without_the_flag_is_ignored)
{
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };
	bool nested = variant->base != ON_IOAS;
	uint32_t pt_id = variant->base == ON_IOAS ? self->vm.ioas :
			 variant->base == ON_PARENT ? self->vm.parent : self->vm.viommu;

	RULE("UAPI-69");
	for (int i = 0; i < 2; i++) {
		uint32_t fault_id = i ? self->fault : 0x7fffffff;
		uint32_t plain = ASSERT_NEW_ID(__hwpt_alloc_data(
			&self->vm.iommufd, self->vm.dev.idev_id, pt_id, 0, fault_id,
			nested ? IOMMU_HWPT_DATA_SELFTEST : IOMMU_HWPT_DATA_NONE,
			nested ? &data : NULL, nested ? sizeof(data) : 0, &id));

		mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, plain);
		PAGE_FAULT(self->vm.dev.idev_id, 1);
		EXPECT_NO_FAULT(self->fd);
	}
}

TEST_F(faults, poll_follows_the_unread_ones)
{
	uint32_t cookie;

	RULE("UAPI-67");
	EXPECT_EQ(POLLOUT, poll_now(self->fd));	/* an answer never has to wait */
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	PAGE_FAULT(self->vm.dev.idev_id, 2);
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	READ_FAULTS(self->fd, 1, 1, &cookie);
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_ANSWERABLE(self->fd, cookie);
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	READ_FAULTS(self->fd, 2, 1, &cookie);
	EXPECT_EQ(POLLOUT, poll_now(self->fd));
}

TEST_F(faults, epoll_edge_on_each)
{
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET }, seen;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	RULE("UAPI-67");
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &edge));
	EXPECT_EQ(0, epoll_wait(epoll, &seen, 1, 0));
	for (int i = 0; i < 3; i++) {
		PAGE_FAULT(self->vm.dev.idev_id, i);
		EXPECT_EQ(1, epoll_wait(epoll, &seen, 1, WAIT_MS));
		EXPECT_EQ((uint32_t)EPOLLIN, seen.events);
		EXPECT_EQ(0, epoll_wait(epoll, &seen, 1, 0));
	}
	close(epoll);
}

TEST_F(faults, fault_wakes_a_sleeping_poll)
{
	struct poller poller;
	uint32_t cookie;

	RULE("UAPI-67");
	poller_start(_metadata, &poller, self->fd);
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	poller_join(_metadata, &poller);
	EXPECT_EQ(1, poller.ready);
	EXPECT_EQ(POLLIN, poller.revents);
	READ_FAULTS(self->fd, 1, 1, &cookie);
}

TEST_F(faults, empty_read_never_blocks)
{
	struct iommu_hwpt_pgfault fault;

	RULE("UAPI-71");
	EXPECT_EQ(0, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, fd_read(self->fd, &fault, sizeof(fault)));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(0, fd_read(self->fd, &fault, sizeof(fault)));
}

#define SHARED_FAULTS 300

struct taker {
	pthread_t thread;
	int fd;
	uint32_t count;
	uint32_t refused;
	uint32_t group[SHARED_FAULTS];
};

/* Read one, answer it, until there is none */
static void *taker_run(void *arg)
{
	struct iommu_hwpt_pgfault fault;
	struct taker *taker = arg;

	while (taker->count < SHARED_FAULTS &&
	       fd_read(taker->fd, &fault, sizeof(fault)) == FAULT_SIZE) {
		taker->group[taker->count++] = fault.grpid;
		taker->refused += answer(taker->fd, fault.cookie,
					 IOMMUFD_PAGE_RESP_SUCCESS) != ANSWER_SIZE;
	}
	return NULL;
}

TEST_F(faults, two_readers_get_each_once)
{
	struct taker takers[2] = {};
	uint8_t seen[SHARED_FAULTS] = {};

	RULE("UAPI-71");
	for (int i = 0; i < SHARED_FAULTS; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	for (int i = 0; i < 2; i++) {
		takers[i].fd = self->fd;
		ASSERT_EQ(0, pthread_create(&takers[i].thread, NULL, taker_run, &takers[i]));
	}
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(takers[i].thread, NULL));
		EXPECT_EQ(0u, takers[i].refused);
		for (uint32_t n = 0; n < takers[i].count; n++) {
			ASSERT_GT(SHARED_FAULTS, takers[i].group[n]);
			seen[takers[i].group[n]]++;
		}
	}
	for (int i = 0; i < SHARED_FAULTS; i++) {
		EXPECT_EQ(1, seen[i])
			check_note("fault %d was read %d times", i, seen[i]);
	}
	EXPECT_NO_FAULT(self->fd);
}

/* How an attachment to the fault-reporting page table ends */
enum ending {
	BY_IOAS,		/* the page table of the IOAS, which reports no faults */
	BY_PLAIN,		/* a like page table without a queue */
	BY_SAME_QUEUE,
	BY_OTHER_QUEUE,
	BY_DESTROY,		/* of the device */
};

FIXTURE(detach) {
	struct vm vm;
	uint32_t fault;
	int fd;
	uint32_t hwpt;
	uint32_t other_fault;
	int other_fd;
	struct mock_device second;
};

FIXTURE_VARIANT(detach) {
	enum base base;
	enum ending ending;
};

#define DETACH(_name, _base, _ending) \
	FIXTURE_VARIANT_ADD(detach, _name) { .base = _base, .ending = _ending }

DETACH(ioas_by_ioas, ON_IOAS, BY_IOAS);
DETACH(ioas_by_plain, ON_IOAS, BY_PLAIN);
DETACH(ioas_by_same_queue, ON_IOAS, BY_SAME_QUEUE);
DETACH(ioas_by_other_queue, ON_IOAS, BY_OTHER_QUEUE);
DETACH(ioas_by_destroy, ON_IOAS, BY_DESTROY);
DETACH(parent_by_ioas, ON_PARENT, BY_IOAS);
DETACH(parent_by_plain, ON_PARENT, BY_PLAIN);
DETACH(parent_by_same_queue, ON_PARENT, BY_SAME_QUEUE);
DETACH(parent_by_other_queue, ON_PARENT, BY_OTHER_QUEUE);
DETACH(parent_by_destroy, ON_PARENT, BY_DESTROY);
DETACH(viommu_by_ioas, ON_VIOMMU, BY_IOAS);
DETACH(viommu_by_plain, ON_VIOMMU, BY_PLAIN);
DETACH(viommu_by_same_queue, ON_VIOMMU, BY_SAME_QUEUE);
DETACH(viommu_by_other_queue, ON_VIOMMU, BY_OTHER_QUEUE);
DETACH(viommu_by_destroy, ON_VIOMMU, BY_DESTROY);

FIXTURE_SETUP(detach)
{
	struct iommufd *iommufd = &self->vm.iommufd;

	self->fd = -1;
	self->other_fd = -1;
	if (!vm_setup_viommu(_metadata, &self->vm))
		return;
	self->fault = fault_queue_alloc(iommufd, &self->fd);
	self->other_fault = fault_queue_alloc(iommufd, &self->other_fd);
	self->hwpt = fault_hwpt_alloc(_metadata, &self->vm, variant->base,
				      self->vm.dev.idev_id, self->fault);
	self->second = mock_device_create(iommufd, self->vm.ioas, 0);
	vdevice_alloc(iommufd, self->vm.viommu, self->second.idev_id, VM_VIRT_ID + 1);
	mock_device_replace(iommufd, self->vm.dev.stdev_id, self->hwpt);
	mock_device_replace(iommufd, self->second.stdev_id, self->hwpt);
}

FIXTURE_TEARDOWN(detach)
{
	if (self->fd >= 0)
		close(self->fd);
	if (self->other_fd >= 0)
		close(self->other_fd);
	vm_close(&self->vm);
}

/* End the attachment of vm.dev; returns the queue that gets its faults then, or -1 */
static int end_attachment(struct __test_metadata *_metadata, FIXTURE_DATA(detach) *self,
			  const FIXTURE_VARIANT(detach) *variant)
{
	uint32_t dev_id = self->vm.dev.idev_id, pt_id = 0;
	int fd = -1;

	switch (variant->ending) {
	case BY_DESTROY:
		iommufd_destroy(&self->vm.iommufd, self->vm.dev.stdev_id);
		return -1;
	case BY_IOAS:
		pt_id = self->vm.ioas;
		break;
	case BY_PLAIN:
		pt_id = variant->base == ON_IOAS ?
			hwpt_alloc(&self->vm.iommufd, dev_id, self->vm.ioas, 0) : self->vm.nested;
		break;
	case BY_SAME_QUEUE:
		pt_id = fault_hwpt_alloc(_metadata, &self->vm, variant->base, dev_id, self->fault);
		fd = self->fd;
		break;
	case BY_OTHER_QUEUE:
		pt_id = fault_hwpt_alloc(_metadata, &self->vm, variant->base, dev_id,
					 self->other_fault);
		fd = self->other_fd;
		break;
	}
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, pt_id);
	return fd;
}

TEST_F(detach, ends_read_and_unread_faults)
{
	uint32_t cookies[3];

	RULE("UAPI-73");
	for (int i = 0; i < 6; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	READ_FAULTS(self->fd, 0, 3, cookies);
	EXPECT_ANSWERABLE(self->fd, cookies[1]);	/* control: the others would be, too */
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	end_attachment(_metadata, self, variant);
	EXPECT_NO_FAULT(self->fd);
	EXPECT_NO_FAULT(self->other_fd);
	for (int i = 0; i < 3; i++)
		EXPECT_GONE(self->fd, cookies[i]);
}

TEST_F(detach, sends_later_faults_where_the_device_is_then)
{
	uint32_t cookies[2];
	int fd;

	RULE("UAPI-74");
	PAGE_FAULT(self->vm.dev.idev_id, 0);
	READ_FAULTS(self->fd, 0, 1, cookies);
	fd = end_attachment(_metadata, self, variant);
	if (variant->ending == BY_DESTROY) {
		EXPECT_EQ(-ENOENT, __mock_trigger_fault(&self->vm.iommufd, self->vm.dev.idev_id,
							0, 1, IOMMU_PGFAULT_PERM_READ, ADDR));
		return;
	}
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	if (fd >= 0) {
		READ_FAULTS(fd, 1, 1, cookies + 1);
		EXPECT_ANSWERABLE(fd, cookies[1]);
	}
	EXPECT_NO_FAULT(self->fd);
	EXPECT_NO_FAULT(self->other_fd);
}

/* Read and unread ones of two devices, in turn; only those of the first end. */
TEST_F(detach, leaves_the_faults_of_another_device)
{
	struct iommu_hwpt_pgfault faults[8] = {};

	RULE("UAPI-73");
	for (int i = 0; i < 8; i++)
		PAGE_FAULT(i % 2 ? self->second.idev_id : self->vm.dev.idev_id, i);
	EXPECT_EQ(4 * FAULT_SIZE, fd_read(self->fd, faults, 4 * FAULT_SIZE));
	end_attachment(_metadata, self, variant);
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
	EXPECT_EQ(2 * FAULT_SIZE, fd_read(self->fd, faults + 4, 4 * FAULT_SIZE));
	for (int i = 4; i < 6; i++) {
		EXPECT_EQ(self->second.idev_id, faults[i].dev_id);
		EXPECT_EQ((uint32_t)(2 * i - 3), faults[i].grpid);	/* 5 and 7 */
		EXPECT_ANSWERABLE(self->fd, faults[i].cookie);
	}
	for (int i = 1; i < 4; i += 2)
		EXPECT_ANSWERABLE(self->fd, faults[i].cookie);
	EXPECT_NO_FAULT(self->fd);
}

TEST_F(detach, after_everything_was_answered)
{
	uint32_t cookie;

	RULE("UAPI-73");
	PAGE_FAULT(self->vm.dev.idev_id, 0);
	READ_FAULTS(self->fd, 0, 1, &cookie);
	EXPECT_ANSWERABLE(self->fd, cookie);
	end_attachment(_metadata, self, variant);
	EXPECT_NO_FAULT(self->fd);
	EXPECT_GONE(self->fd, cookie);
	if (variant->ending != BY_SAME_QUEUE && variant->ending != BY_OTHER_QUEUE) {
		PAGE_FAULT(self->second.idev_id, 1);
		READ_FAULTS(self->fd, 1, 1, &cookie);
	}
}

/* To itself: no attachment ends, so no fault does. */
TEST_F(faults, replace_by_the_same_hwpt_keeps_them)
{
	uint32_t cookies[2];

	RULE("UAPI-73");
	PAGE_FAULT(self->vm.dev.idev_id, 0);
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	READ_FAULTS(self->fd, 0, 1, cookies);
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->hwpt);
	READ_FAULTS(self->fd, 1, 1, cookies + 1);
	EXPECT_ANSWERABLE(self->fd, cookies[0]);
	EXPECT_ANSWERABLE(self->fd, cookies[1]);
}

TEST_F(faults, refused_replace_keeps_them)
{
	struct mock_device stranger = mock_device_create(&self->vm.iommufd, self->vm.ioas, 0);
	uint32_t viommu = mock_viommu_alloc(&self->vm.iommufd, stranger.idev_id, self->vm.parent);
	uint32_t elsewhere = mock_hwpt_alloc_nested(&self->vm.iommufd, stranger.idev_id, viommu, 0,
						    0, VM_IOTLB);
	uint32_t cookies[3];

	RULE("UAPI-73");
	PAGE_FAULT(self->vm.dev.idev_id, 0);
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	READ_FAULTS(self->fd, 0, 1, cookies);
	/* no such object; not a page table; the driver: no vDEVICE in that vIOMMU */
	EXPECT_EQ(-ENOENT, __mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id,
						 0x7fffffff));
	EXPECT_EQ(-EINVAL, __mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id,
						 self->fault));
	EXPECT_EQ(-ENOENT, __mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id,
						 elsewhere));
	PAGE_FAULT(self->vm.dev.idev_id, 2);
	READ_FAULTS(self->fd, 1, 2, cookies + 1);
	for (int i = 0; i < 3; i++)
		EXPECT_ANSWERABLE(self->fd, cookies[i]);
}

/* A queue with a device on a page table of the IOAS: for what does not depend on the table */
FIXTURE(queue) {
	struct vm vm;
	uint32_t fault;
	int fd;
	uint32_t hwpt;
};

FIXTURE_SETUP(queue)
{
	self->fd = -1;
	if (!vm_setup_viommu(_metadata, &self->vm))
		return;
	self->fault = fault_queue_alloc(&self->vm.iommufd, &self->fd);
	self->hwpt = fault_hwpt_alloc(_metadata, &self->vm, ON_IOAS, self->vm.dev.idev_id,
				      self->fault);
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, self->hwpt);
}

FIXTURE_TEARDOWN(queue)
{
	if (self->fd >= 0)
		close(self->fd);
	vm_close(&self->vm);
}

TEST_F(queue, alloc_with_a_flag_is_refused)
{
	struct state before = state_get(&self->vm.iommufd);

	RULE("UAPI-69");
	for (int bit = 0; bit < 32; bit++) {
		struct iommu_fault_alloc cmd = { .size = sizeof(cmd), .flags = 1u << bit };
		const struct iommu_fault_alloc sent = cmd;

		EXPECT_EQ(-EOPNOTSUPP,
			  __iommufd_ioctl(&self->vm.iommufd, IOMMU_FAULT_QUEUE_ALLOC, &cmd))
			check_note("flag bit %d", bit);
		EXPECT_EQ(0, memcmp(&sent, &cmd, sizeof(cmd)));
	}
	EXPECT_STATE(&self->vm.iommufd, &before);
}

TEST_F(queue, alloc_with_unwritable_struct_makes_nothing)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	void *read_only = read_only_copy(_metadata, &cmd, sizeof(cmd));
	struct state before = state_get(&self->vm.iommufd);

	RULE("UAPI-69");
	EXPECT_EQ(-EFAULT, __iommufd_ioctl(&self->vm.iommufd, IOMMU_FAULT_QUEUE_ALLOC, read_only));
	EXPECT_STATE(&self->vm.iommufd, &before);
}

TEST_F(queue, alloc_without_a_free_fd_makes_nothing)
{
	struct state before = state_get(&self->vm.iommufd);
	struct rlimit limit = exhaust_fds(_metadata, self->vm.iommufd.fd);
	uint32_t id;
	int fd;

	RULE("UAPI-69");
	EXPECT_EQ(-EMFILE, __fault_queue_alloc(&self->vm.iommufd, &id, &fd));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_STATE(&self->vm.iommufd, &before);
}

TEST_F(queue, any_number_of_queues)
{
	uint32_t id[8];
	int fd[8];

	RULE("UAPI-69");
	for (int i = 0; i < 8; i++) {
		id[i] = fault_queue_alloc(&self->vm.iommufd, &fd[i]);
		for (int k = 0; k < i; k++) {
			EXPECT_NE(id[k], id[i]);
			EXPECT_NE(fd[k], fd[i]);
		}
	}
	for (int i = 0; i < 8; i++) {
		EXPECT_NO_FAULT(fd[i]);
		close(fd[i]);
		EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, id[i]));
	}
}

TEST_F(queue, fd_is_closed_on_exec)
{
	RULE("UAPI-62");
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

TEST_F(queue, fd_has_no_position)
{
	struct iommu_hwpt_page_response response = {};
	struct iommu_hwpt_pgfault fault;
	uint32_t cookie;

	RULE("UAPI-62");
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pread(self->fd, &fault, sizeof(fault), 0));
	EXPECT_EQ(ESPIPE, errno);
	READ_FAULTS(self->fd, 1, 1, &cookie);
	response.cookie = cookie;
	EXPECT_EQ(-1, pwrite(self->fd, &response, sizeof(response), 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_ANSWERABLE(self->fd, cookie);
}

TEST_F(queue, fd_is_no_iommufd)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	RULE("UAPI-62");
	EXPECT_EQ(-1, ioctl(self->fd, IOMMU_IOAS_ALLOC, &cmd));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(ENODEV, errno);
}

TEST_F(queue, duplicated_file_keeps_it)
{
	int copy = dup(self->fd);
	uint32_t cookie;

	RULE("UAPI-62");
	ASSERT_LE(0, copy);
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	READ_FAULTS(self->fd, 1, 1, &cookie);
	close(self->fd);
	self->fd = copy;
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&self->vm.iommufd, self->fault));
	EXPECT_ANSWERABLE(copy, cookie);
}

TEST_F(queue, gets_faults_of_a_device_made_attached_to_its_hwpt)
{
	struct mock_device second = mock_device_create(&self->vm.iommufd, self->hwpt, 0);
	struct iommu_hwpt_pgfault fault = {};

	RULE("UAPI-74");
	PAGE_FAULT(second.idev_id, 1);
	EXPECT_EQ(FAULT_SIZE, fd_read(self->fd, &fault, sizeof(fault)));
	EXPECT_EQ(second.idev_id, fault.dev_id);
	EXPECT_ANSWERABLE(self->fd, fault.cookie);
}

/* With io_uring a call can name an offset even so. */
TEST_F(queue, read_or_write_at_an_offset_is_refused)
{
	struct iommu_hwpt_page_response response = {};
	struct iommu_hwpt_pgfault fault = {};
	ssize_t rc;

	RULE("UAPI-62");
	NEEDS_KERNEL(return, "files of the kernel");
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	rc = ring_rw(IORING_OP_READ, self->fd, &fault, FAULT_SIZE, FAULT_SIZE);
	if (rc == -ENOSYS)
		SKIP(return, "needs io_uring (CONFIG_IO_URING)");
	EXPECT_EQ(-ESPIPE, rc);
	EXPECT_EQ(FAULT_SIZE, ring_rw(IORING_OP_READ, self->fd, &fault, FAULT_SIZE, 0));
	response.cookie = fault.cookie;
	EXPECT_EQ(-ESPIPE, ring_rw(IORING_OP_WRITE, self->fd, &response, ANSWER_SIZE, ANSWER_SIZE));
	EXPECT_EQ(ANSWER_SIZE, ring_rw(IORING_OP_WRITE, self->fd, &response, ANSWER_SIZE, 0));
	EXPECT_GONE(self->fd, fault.cookie);
}

/* What a failing reader puts back is there to be read: who waits for it must wake up. */
TEST_F(queue, fault_put_back_by_a_failing_reader_wakes_a_sleeping_poll)
{
	struct slow_read slow;
	int64_t end;
	struct poller poller;
	uint32_t cookies[2];

	RULE("UAPI-67");
	slow_read_outrank();
	end = now_ms() + SLOW_MS;
	for (int i = 0; i < SLOW_MANY && now_ms() < end &&
	     !_metadata->exit_code; i++) {
		PAGE_FAULT(self->vm.dev.idev_id, 1);
		poller_hold(_metadata, &poller, self->fd);
		slow_read_start(_metadata, &slow, self->fd, FAULT_SIZE, FAULT_SIZE - 1);
		EXPECT_EQ(-EFAULT, slow_read_join(_metadata, &slow));
		EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd));
		EXPECT_EQ(true, poller_woke(&poller))
			check_note("try %d: a fault is there, poll() sleeps", i);
		PAGE_FAULT(self->vm.dev.idev_id, 2);		/* this does wake it */
		poller_join(_metadata, &poller);
		READ_FAULTS(self->fd, 1, 2, cookies);
		EXPECT_ANSWERABLE(self->fd, cookies[0]);
		EXPECT_ANSWERABLE(self->fd, cookies[1]);
	}
}

/* A fault that comes while a reader holds another goes behind the one that is put back. */
TEST_F(queue, fault_put_back_by_a_failing_reader_is_still_the_first)
{
	struct slow_read slow;
	uint32_t cookies[2];

	RULE("UAPI-66");
	slow_read_outrank();
	for (int i = 0; i < SLOW_TRIES && !_metadata->exit_code; i++) {
		PAGE_FAULT(self->vm.dev.idev_id, 1);
		slow_read_start(_metadata, &slow, self->fd, FAULT_SIZE, FAULT_SIZE - 1);
		slow_read_catch(&slow);
		PAGE_FAULT(self->vm.dev.idev_id, 2);
		READ_FAULTS(self->fd, 1, 1, cookies);
		EXPECT_EQ(-EFAULT, slow_read_join(_metadata, &slow));
		READ_FAULTS(self->fd, 2, 1, cookies + 1);
		EXPECT_ANSWERABLE(self->fd, cookies[0]);
		EXPECT_ANSWERABLE(self->fd, cookies[1]);
	}
}

/* What a refused HWPT_ALLOC names as its fault queue */
enum named {
	ID_ZERO,
	ID_UNKNOWN,
	ID_DESTROYED,
	ID_IOAS,
	ID_DEVICE,
	ID_PARENT,
	ID_VIOMMU,
	ID_VEVENTQ,
	ID_OTHER_CONTEXT,
	ID_KINDS,
};

static const char *const named_names[ID_KINDS] = {
	"zero", "unknown", "destroyed", "IOAS", "device", "parent", "vIOMMU", "vEVENTQ",
	"a queue of another iommufd",
};

/* An id that names no queue of this iommufd; @other is a second iommufd */
static uint32_t named_id(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self,
			 struct iommufd *other, enum named named)
{
	uint32_t id = 0;
	int fd = -1;

	switch (named) {
	case ID_DESTROYED:
		id = fault_queue_alloc(&self->vm.iommufd, &fd);
		close(fd);
		iommufd_destroy(&self->vm.iommufd, id);
		return id;
	case ID_IOAS: return self->vm.ioas;
	case ID_DEVICE: return self->vm.dev.idev_id;
	case ID_PARENT: return self->vm.parent;
	case ID_VIOMMU: return self->vm.viommu;
	case ID_VEVENTQ:
		id = veventq_alloc(&self->vm.iommufd, self->vm.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST,
				   1, &fd);
		return id;
	case ID_OTHER_CONTEXT:
		for (int i = 0; i < 100; i++)	/* until it is an id that is not used here */
			id = ioas_alloc(other);
		id = fault_queue_alloc(other, &fd);
		close(fd);
		return id;
	case ID_UNKNOWN: return 0x7fffffff;
	default: return 0;
	}
}

static int try_fault_hwpt(FIXTURE_DATA(faults) *self, enum base base, uint32_t fault_id,
			  uint32_t data_type, uint32_t *hwpt)
{
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };
	uint32_t pt_id = base == ON_IOAS ? self->vm.ioas :
			 base == ON_PARENT ? self->vm.parent : self->vm.viommu;
	bool none = data_type == IOMMU_HWPT_DATA_NONE;

	return __hwpt_alloc_data(&self->vm.iommufd, self->vm.dev.idev_id, pt_id,
				 IOMMU_HWPT_FAULT_ID_VALID, fault_id, data_type,
				 none ? NULL : &data, none ? 0 : sizeof(data), hwpt);
}

TEST_F(faults, hwpt_with_an_id_that_is_no_queue_is_refused)
{
	uint32_t type = variant->base == ON_IOAS ? IOMMU_HWPT_DATA_NONE : IOMMU_HWPT_DATA_SELFTEST;
	struct iommufd other = {};
	uint32_t hwpt = 0;

	RULE("UAPI-69");
	ASSERT_EQ(0, __iommufd_open(&other));
	for (int named = 0; named < ID_KINDS; named++) {
		uint32_t fault_id = named_id(_metadata, self, &other, named);
		struct state before = state_get(&self->vm.iommufd);

		EXPECT_EQ(-ENOENT, try_fault_hwpt(self, variant->base, fault_id, type, &hwpt))
			check_note("fault_id: %s (%u)", named_names[named], fault_id);
		EXPECT_STATE(&self->vm.iommufd, &before);
	}
	EXPECT_EQ(0, try_fault_hwpt(self, variant->base, self->fault, type, &hwpt));
	iommufd_close(&other);
}

/* Refused for another reason, it must not have taken the queue. */
TEST_F(faults, refused_hwpt_does_not_use_the_queue)
{
	uint32_t hwpt, spare;
	int fd = -1;

	RULE("UAPI-69");
	spare = fault_queue_alloc(&self->vm.iommufd, &fd);
	EXPECT_EQ(-EOPNOTSUPP, try_fault_hwpt(self, variant->base, spare, IOMMU_HWPT_DATA_VTD_S1,
					      &hwpt));
	close(fd);
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, spare));
}

TEST_F(faults, hwpt_alloc_with_unwritable_struct_does_not_use_the_queue)
{
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_FAULT_ID_VALID,
		.dev_id = self->vm.dev.idev_id,
		.pt_id = variant->base == ON_PARENT ? self->vm.parent : self->vm.viommu,
		.data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	struct state before;
	int fd = -1;

	RULE("UAPI-69");
	if (variant->base == ON_IOAS) {
		cmd.pt_id = self->vm.ioas;
		cmd.data_type = IOMMU_HWPT_DATA_NONE;
		cmd.data_len = 0;
	}
	cmd.fault_id = fault_queue_alloc(&self->vm.iommufd, &fd);
	before = state_get(&self->vm.iommufd);
	EXPECT_EQ(-EFAULT, __iommufd_ioctl(&self->vm.iommufd, IOMMU_HWPT_ALLOC,
					   read_only_copy(_metadata, &cmd, sizeof(cmd))));
	EXPECT_STATE(&self->vm.iommufd, &before);
	close(fd);
	EXPECT_EQ(0, __iommufd_destroy(&self->vm.iommufd, cmd.fault_id));
}

/* Every field of a fault comes out as the device put it in. */
FIXTURE(message) {
	struct vm vm;
	int fd;
};

FIXTURE_VARIANT(message) {
	uint32_t pasid;
	uint32_t grpid;
	uint32_t perm;
	uint64_t addr;
};

FIXTURE_VARIANT_ADD(message, zeros) {};
FIXTURE_VARIANT_ADD(message, read) { .perm = IOMMU_PGFAULT_PERM_READ };
FIXTURE_VARIANT_ADD(message, write) { .perm = IOMMU_PGFAULT_PERM_WRITE };
FIXTURE_VARIANT_ADD(message, exec) { .perm = IOMMU_PGFAULT_PERM_EXEC };
FIXTURE_VARIANT_ADD(message, priv) { .perm = IOMMU_PGFAULT_PERM_PRIV };
FIXTURE_VARIANT_ADD(message, all_perms) { .perm = 0xf };
FIXTURE_VARIANT_ADD(message, group_max) { .grpid = 0x1ff };	/* PCIe: 9 bits */
FIXTURE_VARIANT_ADD(message, addr_low) { .addr = 0x1000 };
FIXTURE_VARIANT_ADD(message, addr_high) { .addr = 0xfffffffffffff000ull };
FIXTURE_VARIANT_ADD(message, addr_all_ones) { .addr = UINT64_MAX };
FIXTURE_VARIANT_ADD(message, pasid_1) { .pasid = 1 };
FIXTURE_VARIANT_ADD(message, pasid_max) { .pasid = (1u << MOCK_PASID_WIDTH) - 1 };
FIXTURE_VARIANT_ADD(message, everything) {
	.pasid = PASID, .grpid = 0x155, .perm = IOMMU_PGFAULT_PERM_WRITE |
	IOMMU_PGFAULT_PERM_PRIV, .addr = 0x123456789abcd000ull };

FIXTURE_SETUP(message)
{
	uint32_t fault, hwpt;

	self->fd = -1;
	if (!vm_setup_parent(_metadata, &self->vm))
		return;
	fault = fault_queue_alloc(&self->vm.iommufd, &self->fd);
	hwpt = fault_hwpt_alloc(_metadata, &self->vm, ON_PARENT, self->vm.dev.idev_id, fault);
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, hwpt);
}

FIXTURE_TEARDOWN(message)
{
	if (self->fd >= 0)
		close(self->fd);
	vm_close(&self->vm);
}

TEST_F(message, says_what_the_device_said)
{
	struct iommu_hwpt_pgfault fault;

	RULE("UAPI-70");
	memset(&fault, 0xa5, sizeof(fault));
	ASSERT_EQ(0, __mock_trigger_fault(&self->vm.iommufd, self->vm.dev.idev_id, variant->pasid,
					  variant->grpid, variant->perm, variant->addr));
	ASSERT_EQ(FAULT_SIZE, fd_read(self->fd, &fault, sizeof(fault)));
	EXPECT_EQ(IOMMU_PGFAULT_FLAGS_LAST_PAGE |
		  (variant->pasid ? IOMMU_PGFAULT_FLAGS_PASID_VALID : 0), fault.flags);
	EXPECT_EQ(self->vm.dev.idev_id, fault.dev_id);
	EXPECT_EQ(variant->pasid, fault.pasid);
	EXPECT_EQ(variant->grpid, fault.grpid);
	EXPECT_EQ(variant->perm, fault.perm);
	EXPECT_EQ(variant->addr, fault.addr);
	EXPECT_EQ(0u, fault.__reserved);
	EXPECT_EQ(0u, fault.length);
	EXPECT_ANSWERABLE(self->fd, fault.cookie);
}

/* Two groups with one number, as two PASIDs of a device may have, are two faults. */
TEST_F(message, equal_ones_are_two_faults)
{
	struct iommu_hwpt_pgfault fault[2] = {};

	RULE("UAPI-70");
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, __mock_trigger_fault(&self->vm.iommufd, self->vm.dev.idev_id,
						  variant->pasid, variant->grpid, variant->perm,
						  variant->addr));
	ASSERT_EQ(2 * FAULT_SIZE, fd_read(self->fd, fault, sizeof(fault)));
	EXPECT_NE(fault[0].cookie, fault[1].cookie);
	EXPECT_ANSWERABLE(self->fd, fault[1].cookie);
	EXPECT_ANSWERABLE(self->fd, fault[0].cookie);
}

/* How much one read() of @count bytes returns of three faults */
FIXTURE(read_size) {
	struct vm vm;
	uint32_t fault;
	int fd;
};

FIXTURE_VARIANT(read_size) {
	size_t count;
	ssize_t returned;
	ssize_t of_empty;
};

#define READ_SIZE(_count, _returned, _of_empty) \
	FIXTURE_VARIANT_ADD(read_size, b##_count) { \
		.count = _count, .returned = _returned, .of_empty = _of_empty }

READ_SIZE(0, -EINVAL, 0);
READ_SIZE(1, -ESPIPE, -ESPIPE);
READ_SIZE(39, -ESPIPE, -ESPIPE);
READ_SIZE(40, 40, 0);
READ_SIZE(41, -ESPIPE, -ESPIPE);
READ_SIZE(60, -ESPIPE, -ESPIPE);
READ_SIZE(79, -ESPIPE, -ESPIPE);
READ_SIZE(80, 80, 0);
READ_SIZE(120, 120, 0);
READ_SIZE(160, 120, 0);
READ_SIZE(4000, 120, 0);
READ_SIZE(4096, -ESPIPE, -ESPIPE);

FIXTURE_SETUP(read_size)
{
	uint32_t hwpt;

	self->fd = -1;
	if (!vm_setup_parent(_metadata, &self->vm))
		return;
	self->fault = fault_queue_alloc(&self->vm.iommufd, &self->fd);
	hwpt = fault_hwpt_alloc(_metadata, &self->vm, ON_IOAS, self->vm.dev.idev_id, self->fault);
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, hwpt);
}

FIXTURE_TEARDOWN(read_size)
{
	if (self->fd >= 0)
		close(self->fd);
	vm_close(&self->vm);
}

TEST_F(read_size, returns_whole_faults_only)
{
	uint8_t buf[4096 + 1];
	const struct iommu_hwpt_pgfault *faults = (void *)buf;
	ssize_t got = variant->returned < 0 ? 0 : variant->returned;
	uint32_t cookies[3];

	RULE("UAPI-71");
	memset(buf, 0xa5, sizeof(buf));
	for (int i = 0; i < 3; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	EXPECT_EQ(variant->returned, fd_read(self->fd, buf, variant->count));
	for (size_t i = got; i < sizeof(buf); i++)
		ASSERT_EQ(0xa5, buf[i]);
	for (int i = 0; i < got / FAULT_SIZE; i++) {
		EXPECT_EQ((uint32_t)i, faults[i].grpid);
		EXPECT_ANSWERABLE(self->fd, faults[i].cookie);
	}
	for (int i = got / FAULT_SIZE; i < 3; i++)
		READ_FAULTS(self->fd, i, 1, cookies + i);
	EXPECT_NO_FAULT(self->fd);
}

TEST_F(read_size, of_an_empty_queue)
{
	uint8_t buf[4096];

	RULE("UAPI-71");
	EXPECT_EQ(variant->of_empty, fd_read(self->fd, buf, variant->count));
}

TEST_F(queue, vectors_are_read_and_written_one_by_one)
{
	struct iommu_hwpt_pgfault faults[2] = {};
	struct iommu_hwpt_page_response answers[2] = {};
	struct iovec in[] = { { &faults[0], FAULT_SIZE }, { &faults[1], FAULT_SIZE } };
	struct iovec out[] = { { &answers[0], ANSWER_SIZE }, { &answers[1], ANSWER_SIZE } };

	RULE("UAPI-71");
	NEEDS_KERNEL(return, "files of the kernel");
	PAGE_FAULT(self->vm.dev.idev_id, 0);
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	EXPECT_EQ(2 * FAULT_SIZE, readv(self->fd, in, 2));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ((uint32_t)i, faults[i].grpid);
		answers[i].cookie = faults[i].cookie;
	}
	EXPECT_EQ(2 * ANSWER_SIZE, writev(self->fd, out, 2));
	EXPECT_GONE(self->fd, answers[0].cookie);
	EXPECT_GONE(self->fd, answers[1].cookie);
}

/* A buffer that ends @usable bytes on; three faults, 120 bytes asked for */
FIXTURE(unwritable) {
	struct vm vm;
	uint32_t fault;
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
UNWRITABLE(4, -EFAULT);
UNWRITABLE(36, -EFAULT);	/* all but the cookie */
UNWRITABLE(39, -EFAULT);
UNWRITABLE(40, 40);
UNWRITABLE(79, 40);
UNWRITABLE(80, 80);
UNWRITABLE(119, 80);
UNWRITABLE(120, 120);

FIXTURE_SETUP(unwritable)
{
	uint32_t hwpt;

	self->fd = -1;
	if (!vm_setup_parent(_metadata, &self->vm))
		return;
	self->fault = fault_queue_alloc(&self->vm.iommufd, &self->fd);
	hwpt = fault_hwpt_alloc(_metadata, &self->vm, ON_IOAS, self->vm.dev.idev_id, self->fault);
	mock_device_replace(&self->vm.iommufd, self->vm.dev.stdev_id, hwpt);
}

FIXTURE_TEARDOWN(unwritable)
{
	if (self->fd >= 0)
		close(self->fd);
	vm_close(&self->vm);
}

TEST_F(unwritable, buffer_loses_no_fault)
{
	uint8_t *buf = edge_buffer(_metadata, variant->usable);	/* not aligned to anything */
	int got = variant->returned < 0 ? 0 : variant->returned / FAULT_SIZE;
	uint32_t cookies[3] = {};

	RULE("UAPI-66");
	for (int i = 0; i < 3; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	EXPECT_EQ(variant->returned, fd_read(self->fd, buf, 3 * FAULT_SIZE));
	for (int i = 0; i < got; i++) {
		memcpy(&cookies[i], buf + i * FAULT_SIZE +
		       offsetof(struct iommu_hwpt_pgfault, cookie), sizeof(cookies[i]));
		EXPECT_ANSWERABLE(self->fd, cookies[i]);
	}
	EXPECT_EQ(got < 3 ? POLLIN | POLLOUT : POLLOUT, poll_now(self->fd));

	/* What was not returned is as if it had never been tried: no cookie answers it. */
	for (uint32_t guess = 0; guess < 8; guess++)
		EXPECT_GONE(self->fd, guess);
	for (int i = got; i < 3; i++) {
		READ_FAULTS(self->fd, i, 1, cookies + i);
		EXPECT_ANSWERABLE(self->fd, cookies[i]);
	}
	EXPECT_NO_FAULT(self->fd);
}

/* Answers whose size is no multiple of one are refused as a whole. */
TEST_F(queue, odd_sized_writes_answer_nothing)
{
	static const size_t sizes[] = { 1, 4, 7, 9, 12, 15, 17, 4095 };
	struct iommu_hwpt_page_response answers[512] = {};
	uint32_t cookies[2];

	RULE("UAPI-72");
	PAGE_FAULT(self->vm.dev.idev_id, 0);
	PAGE_FAULT(self->vm.dev.idev_id, 1);
	READ_FAULTS(self->fd, 0, 2, cookies);
	answers[0].cookie = cookies[0];
	answers[1].cookie = cookies[1];
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-ESPIPE, fd_write(self->fd, answers, sizes[i]))
			check_note("write of %zu bytes", sizes[i]);
	}
	EXPECT_EQ(0, fd_write(self->fd, answers, 0));
	EXPECT_EQ(2 * ANSWER_SIZE, fd_write(self->fd, answers, 2 * ANSWER_SIZE));
}

/* Four answers in one write, of which the one at @position is bad */
enum bad {
	BAD_CODE_NEXT,
	BAD_CODE_ALL_ONES,
	BAD_COOKIE_0,
	BAD_COOKIE_UNKNOWN,
	BAD_COOKIE_ANSWERED,	/* earlier, or at position 0: by an earlier write */
	BAD_COOKIE_OTHER_QUEUE,
	BAD_PAGE,
};

FIXTURE(bad_answer) {
	struct vm vm;
	int fd;
	int other_fd;
	uint32_t cookies[5];
	uint32_t other_cookies[8];
};

FIXTURE_VARIANT(bad_answer) {
	enum bad bad;
	int position;
	int error;
};

#define BAD_ANSWER(_name, _bad, _position, _error) \
	FIXTURE_VARIANT_ADD(bad_answer, _name##_at_##_position) { \
		.bad = _bad, .position = _position, .error = _error }
#define BAD_ANSWERS(_name, _bad, _error) \
	BAD_ANSWER(_name, _bad, 0, _error); \
	BAD_ANSWER(_name, _bad, 1, _error); \
	BAD_ANSWER(_name, _bad, 2, _error); \
	BAD_ANSWER(_name, _bad, 3, _error)

BAD_ANSWERS(code_2, BAD_CODE_NEXT, -EINVAL);
BAD_ANSWERS(code_all_ones, BAD_CODE_ALL_ONES, -EINVAL);
BAD_ANSWERS(cookie_0, BAD_COOKIE_0, -EINVAL);
BAD_ANSWERS(cookie_unknown, BAD_COOKIE_UNKNOWN, -EINVAL);
BAD_ANSWERS(cookie_answered, BAD_COOKIE_ANSWERED, -EINVAL);
BAD_ANSWERS(cookie_of_another_queue, BAD_COOKIE_OTHER_QUEUE, -EINVAL);
BAD_ANSWERS(page, BAD_PAGE, -EFAULT);

/* Four faults outstanding here, and more in another queue, so that it has cookies of its own */
FIXTURE_SETUP(bad_answer)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device other;
	uint32_t fault, hwpt;

	self->fd = -1;
	self->other_fd = -1;
	if (!vm_setup_parent(_metadata, &self->vm))
		return;
	fault = fault_queue_alloc(iommufd, &self->fd);
	hwpt = fault_hwpt_alloc(_metadata, &self->vm, ON_IOAS, self->vm.dev.idev_id, fault);
	mock_device_replace(iommufd, self->vm.dev.stdev_id, hwpt);

	other = mock_device_create(iommufd, self->vm.ioas, 0);
	fault = fault_queue_alloc(iommufd, &self->other_fd);
	hwpt = fault_hwpt_alloc(_metadata, &self->vm, ON_IOAS, other.idev_id, fault);
	mock_device_replace(iommufd, other.stdev_id, hwpt);

	for (int i = 0; i < 5; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	READ_FAULTS(self->fd, 0, 5, self->cookies);
	EXPECT_ANSWERABLE(self->fd, self->cookies[4]);
	for (int i = 0; i < 8; i++)
		PAGE_FAULT(other.idev_id, i);
	READ_FAULTS(self->other_fd, 0, 8, self->other_cookies);
}

FIXTURE_TEARDOWN(bad_answer)
{
	if (self->fd >= 0)
		close(self->fd);
	if (self->other_fd >= 0)
		close(self->other_fd);
	vm_close(&self->vm);
}

static bool outstanding_here(const FIXTURE_DATA(bad_answer) *self, uint32_t cookie)
{
	for (int i = 0; i < 4; i++)
		if (self->cookies[i] == cookie)
			return true;
	return false;
}

/* A cookie that stands for a fault of the other queue and for none of this one */
static uint32_t cookie_of_other(const FIXTURE_DATA(bad_answer) *self)
{
	for (int i = 0; i < 8; i++)
		if (!outstanding_here(self, self->other_cookies[i]))
			return self->other_cookies[i];
	return 0;
}

static void spoil(const FIXTURE_DATA(bad_answer) *self, enum bad bad, int position,
		  struct iommu_hwpt_page_response *answers)
{
	struct iommu_hwpt_page_response *one = &answers[position];

	switch (bad) {
	case BAD_CODE_NEXT: one->code = IOMMUFD_PAGE_RESP_INVALID + 1; break;
	case BAD_CODE_ALL_ONES: one->code = UINT32_MAX; break;
	case BAD_COOKIE_0: one->cookie = 0; break;
	case BAD_COOKIE_UNKNOWN: one->cookie = 0x7fffffff; break;
	case BAD_COOKIE_ANSWERED: one->cookie = self->cookies[position ? position - 1 : 4]; break;
	case BAD_COOKIE_OTHER_QUEUE: one->cookie = cookie_of_other(self); break;
	case BAD_PAGE: break;
	}
}

TEST_F(bad_answer, stops_the_write_there)
{
	int position = variant->position;
	struct iommu_hwpt_page_response answers[4], *sent;

	RULE("UAPI-72");
	for (int i = 0; i < 4; i++)
		answers[i] = (struct iommu_hwpt_page_response){ .cookie = self->cookies[i] };
	spoil(self, variant->bad, position, answers);
	if (variant->bad == BAD_COOKIE_OTHER_QUEUE) {
		ASSERT_NE(0u, answers[position].cookie);
	}
	sent = edge_buffer(_metadata, variant->bad == BAD_PAGE ? position * ANSWER_SIZE :
								  4 * ANSWER_SIZE);
	memcpy(sent, answers, variant->bad == BAD_PAGE ? position * ANSWER_SIZE :
							  4 * ANSWER_SIZE);

	EXPECT_EQ(position ? position * ANSWER_SIZE : variant->error,
		  fd_write(self->fd, sent, 4 * ANSWER_SIZE));

	/* The ones before are answered, the bad one and those behind it are not. */
	for (int i = 0; i < position; i++)
		EXPECT_GONE(self->fd, self->cookies[i]);
	for (int i = position; i < 4; i++)
		EXPECT_ANSWERABLE(self->fd, self->cookies[i]);
	for (int i = 0; i < 8; i++)
		EXPECT_ANSWERABLE(self->other_fd, self->other_cookies[i]);
}

TEST_F(queue, many_answers_in_one_write)
{
	struct iommu_hwpt_page_response answers[MAX_FAULTS] = {};
	uint32_t cookies[MAX_FAULTS];

	RULE("UAPI-72");
	for (int i = 0; i < MAX_FAULTS; i++)
		PAGE_FAULT(self->vm.dev.idev_id, i);
	READ_FAULTS(self->fd, 0, MAX_FAULTS, cookies);
	for (int i = 0; i < MAX_FAULTS; i++) {
		answers[i].cookie = cookies[MAX_FAULTS - 1 - i];
		answers[i].code = i % 2;
	}
	EXPECT_EQ((ssize_t)sizeof(answers), fd_write(self->fd, answers, sizeof(answers)));
	for (int i = 0; i < MAX_FAULTS; i++)
		EXPECT_GONE(self->fd, cookies[i]);
}

/*
 * A device with PASIDs. Its page table (of no PASID) reports to rid_fd; PASID is attached to one
 * that reports to pasid_fd. The mock says that the guest owns the PASID table, as SMMUv3 does.
 */
FIXTURE(pasid) {
	struct vm vm;
	struct mock_device dev;
	uint32_t rid_fault;
	int rid_fd;
	uint32_t rid_hwpt;
	uint32_t pasid_fault;
	int pasid_fd;
	uint32_t pasid_hwpt;
};

FIXTURE_VARIANT(pasid) {
	enum base rid;
	enum base pasid;
};

FIXTURE_VARIANT_ADD(pasid, nested_rid_nested_pasid) { .rid = ON_PARENT, .pasid = ON_PARENT };
FIXTURE_VARIANT_ADD(pasid, nested_rid_ioas_pasid) { .rid = ON_PARENT, .pasid = ON_IOAS };
FIXTURE_VARIANT_ADD(pasid, ioas_rid_nested_pasid) { .rid = ON_IOAS, .pasid = ON_PARENT };
FIXTURE_VARIANT_ADD(pasid, ioas_rid_ioas_pasid) { .rid = ON_IOAS, .pasid = ON_IOAS };

/* Usable with PASIDs; with a queue if @fault_id is not 0 */
static uint32_t pasid_hwpt_alloc(struct __test_metadata *_metadata, struct vm *vm,
				 enum base base, uint32_t idev_id, uint32_t fault_id)
{
	uint32_t flags = IOMMU_HWPT_ALLOC_PASID | (fault_id ? IOMMU_HWPT_FAULT_ID_VALID : 0);

	if (base == ON_IOAS)
		return ASSERT_NEW_ID(__hwpt_alloc_data(&vm->iommufd, idev_id, vm->ioas, flags,
						       fault_id, IOMMU_HWPT_DATA_NONE, NULL, 0,
						       &id));
	return mock_hwpt_alloc_nested(&vm->iommufd, idev_id, vm->parent, flags, fault_id,
				      VM_IOTLB);
}

FIXTURE_SETUP(pasid)
{
	struct iommufd *iommufd = &self->vm.iommufd;

	self->rid_fd = -1;
	self->pasid_fd = -1;
	if (!vm_setup_parent(_metadata, &self->vm))
		return;
	self->dev = mock_device_create(iommufd, self->vm.ioas, MOCK_FLAGS_DEVICE_PASID);
	self->rid_fault = fault_queue_alloc(iommufd, &self->rid_fd);
	self->pasid_fault = fault_queue_alloc(iommufd, &self->pasid_fd);
	self->rid_hwpt = pasid_hwpt_alloc(_metadata, &self->vm, variant->rid, self->dev.idev_id,
					  self->rid_fault);
	self->pasid_hwpt = pasid_hwpt_alloc(_metadata, &self->vm, variant->pasid,
					    self->dev.idev_id, self->pasid_fault);
	mock_device_replace(iommufd, self->dev.stdev_id, self->rid_hwpt);
	ASSERT_EQ(0, __mock_pasid_attach(iommufd, self->dev.stdev_id, PASID, self->pasid_hwpt));
}

/* The mock does not detach PASIDs of a device that goes. */
FIXTURE_TEARDOWN(pasid)
{
	if (self->vm.iommufd.ops) {
		__mock_pasid_detach(&self->vm.iommufd, self->dev.stdev_id, PASID);
		__mock_pasid_detach(&self->vm.iommufd, self->dev.stdev_id, OTHER_PASID);
		__mock_pasid_detach(&self->vm.iommufd, self->dev.stdev_id,
				    IOMMU_TEST_PASID_RESERVED);
	}
	if (self->rid_fd >= 0)
		close(self->rid_fd);
	if (self->pasid_fd >= 0)
		close(self->pasid_fd);
	vm_close(&self->vm);
}

/* One fault, with the PASID it should name */
#define READ_PASID_FAULT(_fd, _pasid, _n, _cookie) do { \
	struct iommu_hwpt_pgfault read_ = {}; \
	ASSERT_EQ(FAULT_SIZE, fd_read(_fd, &read_, sizeof(read_))); \
	EXPECT_EQ((uint32_t)(_pasid), read_.pasid); \
	EXPECT_EQ((_pasid) ? (uint32_t)IOMMU_PGFAULT_FLAGS_PASID_VALID : 0, \
		  read_.flags & IOMMU_PGFAULT_FLAGS_PASID_VALID); \
	EXPECT_EQ((uint32_t)(_n), read_.grpid); \
	EXPECT_EQ(self->dev.idev_id, read_.dev_id); \
	*(_cookie) = read_.cookie; \
} while (0)

TEST_F(pasid, fault_goes_to_the_queue_of_its_hwpt)
{
	uint32_t cookie;

	RULE("UAPI-74");
	FAULT_PASID(self->dev.idev_id, PASID, 1);
	EXPECT_NO_FAULT(self->rid_fd);
	READ_PASID_FAULT(self->pasid_fd, PASID, 1, &cookie);
	EXPECT_ANSWERABLE(self->pasid_fd, cookie);
	PAGE_FAULT(self->dev.idev_id, 2);
	EXPECT_NO_FAULT(self->pasid_fd);
	READ_PASID_FAULT(self->rid_fd, 0, 2, &cookie);
	EXPECT_ANSWERABLE(self->rid_fd, cookie);
}

/* A PASID that is the guest's own: behind the nested page table, if that is what there is. */
TEST_F(pasid, fault_of_one_not_attached_goes_to_the_nested_hwpt)
{
	uint32_t cookie;

	RULE("UAPI-74");
	FAULT_PASID(self->dev.idev_id, OTHER_PASID, 1);
	EXPECT_NO_FAULT(self->pasid_fd);
	if (variant->rid != ON_IOAS) {
		READ_PASID_FAULT(self->rid_fd, OTHER_PASID, 1, &cookie);
		EXPECT_ANSWERABLE(self->rid_fd, cookie);
	}
	EXPECT_NO_FAULT(self->rid_fd);
}

TEST_F(pasid, fault_of_one_without_queue_goes_nowhere)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	uint32_t plain = pasid_hwpt_alloc(_metadata, &self->vm, variant->pasid, self->dev.idev_id,
					  0);

	RULE("UAPI-74");
	ASSERT_EQ(0, __mock_pasid_attach(iommufd, self->dev.stdev_id, OTHER_PASID, plain));
	FAULT_PASID(self->dev.idev_id, OTHER_PASID, 1);
	EXPECT_NO_FAULT(self->rid_fd);
	EXPECT_NO_FAULT(self->pasid_fd);
}

TEST_F(pasid, detach_ends_only_its_faults)
{
	uint32_t pasid_cookie, rid_cookie, other_cookie;

	RULE("UAPI-73");
	ASSERT_EQ(0, __mock_pasid_attach(&self->vm.iommufd, self->dev.stdev_id, OTHER_PASID,
					 self->pasid_hwpt));
	FAULT_PASID(self->dev.idev_id, PASID, 1);
	FAULT_PASID(self->dev.idev_id, OTHER_PASID, 2);
	FAULT_PASID(self->dev.idev_id, PASID, 3);
	FAULT_PASID(self->dev.idev_id, OTHER_PASID, 4);
	PAGE_FAULT(self->dev.idev_id, 5);
	READ_PASID_FAULT(self->pasid_fd, PASID, 1, &pasid_cookie);
	READ_PASID_FAULT(self->pasid_fd, OTHER_PASID, 2, &other_cookie);
	READ_PASID_FAULT(self->rid_fd, 0, 5, &rid_cookie);

	ASSERT_EQ(0, __mock_pasid_detach(&self->vm.iommufd, self->dev.stdev_id, PASID));
	EXPECT_GONE(self->pasid_fd, pasid_cookie);
	EXPECT_ANSWERABLE(self->pasid_fd, other_cookie);
	EXPECT_ANSWERABLE(self->rid_fd, rid_cookie);
	READ_PASID_FAULT(self->pasid_fd, OTHER_PASID, 4, &other_cookie);
	EXPECT_ANSWERABLE(self->pasid_fd, other_cookie);
	EXPECT_NO_FAULT(self->pasid_fd);
}

TEST_F(pasid, replace_ends_its_faults)
{
	uint32_t next = pasid_hwpt_alloc(_metadata, &self->vm, variant->pasid, self->dev.idev_id,
					 self->rid_fault);
	uint32_t cookie;

	RULE("UAPI-73");
	FAULT_PASID(self->dev.idev_id, PASID, 1);
	FAULT_PASID(self->dev.idev_id, PASID, 2);
	READ_PASID_FAULT(self->pasid_fd, PASID, 1, &cookie);
	ASSERT_EQ(0, __mock_pasid_replace(&self->vm.iommufd, self->dev.stdev_id, PASID, next));
	EXPECT_NO_FAULT(self->pasid_fd);
	EXPECT_GONE(self->pasid_fd, cookie);
	RULE("UAPI-74");
	FAULT_PASID(self->dev.idev_id, PASID, 3);
	EXPECT_NO_FAULT(self->pasid_fd);
	READ_PASID_FAULT(self->rid_fd, PASID, 3, &cookie);
	EXPECT_ANSWERABLE(self->rid_fd, cookie);
}

TEST_F(pasid, replace_by_one_without_queue_and_back)
{
	uint32_t plain = pasid_hwpt_alloc(_metadata, &self->vm, variant->pasid, self->dev.idev_id,
					  0);
	uint32_t cookie;

	RULE("UAPI-74");
	for (int i = 0; i < 3; i++) {
		FAULT_PASID(self->dev.idev_id, PASID, i);
		ASSERT_EQ(0, __mock_pasid_replace(&self->vm.iommufd, self->dev.stdev_id, PASID,
						  plain));
		FAULT_PASID(self->dev.idev_id, PASID, 100);
		EXPECT_NO_FAULT(self->pasid_fd);
		EXPECT_NO_FAULT(self->rid_fd);
		ASSERT_EQ(0, __mock_pasid_replace(&self->vm.iommufd, self->dev.stdev_id, PASID,
						  self->pasid_hwpt));
	}
	FAULT_PASID(self->dev.idev_id, PASID, 7);
	READ_PASID_FAULT(self->pasid_fd, PASID, 7, &cookie);
}

/* The page table of no PASID goes: with it the faults it took for the guest's PASIDs. */
TEST_F(pasid, rid_replace_leaves_the_attached_pasid_alone)
{
	uint32_t next = pasid_hwpt_alloc(_metadata, &self->vm, variant->rid, self->dev.idev_id, 0);
	uint32_t rid_cookie, pasid_cookie;

	RULE("UAPI-73");
	PAGE_FAULT(self->dev.idev_id, 1);
	FAULT_PASID(self->dev.idev_id, OTHER_PASID, 2);
	FAULT_PASID(self->dev.idev_id, PASID, 3);
	FAULT_PASID(self->dev.idev_id, PASID, 4);
	READ_PASID_FAULT(self->rid_fd, 0, 1, &rid_cookie);
	READ_PASID_FAULT(self->pasid_fd, PASID, 3, &pasid_cookie);
	mock_device_replace(&self->vm.iommufd, self->dev.stdev_id, next);
	EXPECT_NO_FAULT(self->rid_fd);
	EXPECT_GONE(self->rid_fd, rid_cookie);
	EXPECT_ANSWERABLE(self->pasid_fd, pasid_cookie);
	READ_PASID_FAULT(self->pasid_fd, PASID, 4, &pasid_cookie);
	EXPECT_ANSWERABLE(self->pasid_fd, pasid_cookie);
}

TEST_F(pasid, one_hwpt_for_both_keeps_their_faults_apart)
{
	uint32_t cookies[3];

	RULE("UAPI-73");
	mock_device_replace(&self->vm.iommufd, self->dev.stdev_id, self->pasid_hwpt);
	PAGE_FAULT(self->dev.idev_id, 1);
	FAULT_PASID(self->dev.idev_id, PASID, 2);
	PAGE_FAULT(self->dev.idev_id, 3);
	READ_PASID_FAULT(self->pasid_fd, 0, 1, &cookies[0]);
	READ_PASID_FAULT(self->pasid_fd, PASID, 2, &cookies[1]);
	ASSERT_EQ(0, __mock_pasid_detach(&self->vm.iommufd, self->dev.stdev_id, PASID));
	EXPECT_GONE(self->pasid_fd, cookies[1]);
	EXPECT_ANSWERABLE(self->pasid_fd, cookies[0]);
	READ_PASID_FAULT(self->pasid_fd, 0, 3, &cookies[2]);
	EXPECT_ANSWERABLE(self->pasid_fd, cookies[2]);
}

/* The mock fails every second attach call of this PASID: a replace that the driver refuses. */
TEST_F(pasid, replace_refused_by_the_driver_keeps_them)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	uint32_t next = pasid_hwpt_alloc(_metadata, &self->vm, variant->pasid, self->dev.idev_id,
					 self->rid_fault);
	uint32_t cookies[3], pasid = IOMMU_TEST_PASID_RESERVED;

	RULE("UAPI-73");
	ASSERT_EQ(0, __mock_pasid_attach(iommufd, self->dev.stdev_id, pasid, self->pasid_hwpt));
	FAULT_PASID(self->dev.idev_id, pasid, 1);
	FAULT_PASID(self->dev.idev_id, pasid, 2);
	READ_PASID_FAULT(self->pasid_fd, pasid, 1, &cookies[0]);
	EXPECT_EQ(-ENOMEM, __mock_pasid_replace(iommufd, self->dev.stdev_id, pasid, next));
	EXPECT_EQ(0, __mock_pasid_check(iommufd, self->dev.stdev_id, pasid, self->pasid_hwpt));
	FAULT_PASID(self->dev.idev_id, pasid, 3);
	READ_PASID_FAULT(self->pasid_fd, pasid, 2, &cookies[1]);
	READ_PASID_FAULT(self->pasid_fd, pasid, 3, &cookies[2]);
	for (int i = 0; i < 3; i++)
		EXPECT_ANSWERABLE(self->pasid_fd, cookies[i]);
	EXPECT_NO_FAULT(self->rid_fd);
}

TEST_F(pasid, hwpt_and_queue_stay_while_a_pasid_uses_them)
{
	struct iommufd *iommufd = &self->vm.iommufd;

	RULE("UAPI-69");
	FAULT_PASID(self->dev.idev_id, PASID, 1);
	close(self->pasid_fd);
	self->pasid_fd = -1;
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->pasid_hwpt));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->pasid_fault));
	ASSERT_EQ(0, __mock_pasid_detach(iommufd, self->dev.stdev_id, PASID));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->pasid_hwpt));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->pasid_fault));
}

NIT_TEST_MAIN
