/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the two event files (vEVENTQ and FAULT) share: plain file calls that return
 * -errno, readiness, buffers that end at an unusable page, and a thread that waits in poll().
 */
#ifndef NIT_SUITES_UAPI_EVENTQ_H
#define NIT_SUITES_UAPI_EVENTQ_H

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "iommufd/event.h"
#include "state.h"
#include "vm.h"

#define WAIT_MS 30000		/* bound of every wait; nothing should ever take so long */
#define WOKEN_MS 5000		/* until a thread that was woken must have run */

/* Let others run for a moment, while looking for something that they do */
static inline void short_break(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}

static inline ssize_t fd_read(int fd, void *buf, size_t count)
{
	return iommufd_read(fd, buf, count);
}

static inline ssize_t fd_write(int fd, const void *buf, size_t count)
{
	return iommufd_write(fd, buf, count);
}

/* What poll() says about the file right now */
static inline int poll_now(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLPRI | POLLOUT };

	return poll(&pollfd, 1, 0) < 0 ? -errno : pollfd.revents;
}

/* The number that the next file opened would get: shows a leaked file */
static inline int next_fd(int any_fd)
{
	int fd = dup(any_fd);

	if (fd >= 0)
		close(fd);
	return fd;
}

/* @usable bytes of memory, followed by a page that cannot be accessed */
static inline void *edge_buffer(struct __test_metadata *_metadata, size_t usable)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mprotect(map + page, page, PROT_NONE));
	return map + page - usable;
}

/* A page of @data that can be read, not written */
static inline void *read_only_copy(struct __test_metadata *_metadata, const void *data,
				   size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, map);
	memcpy(map, data, size);
	ASSERT_EQ(0, mprotect(map, page, PROT_READ));
	return map;
}

/* From now on no file can be opened; the limit as it was comes back */
static inline struct rlimit exhaust_fds(struct __test_metadata *_metadata, int any_fd)
{
	struct rlimit old, none;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none = (struct rlimit){ .rlim_cur = next_fd(any_fd), .rlim_max = old.rlim_max };
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	return old;
}

/**
 * struct poller - a thread in poll() of one file
 * @hold: first wait until the file is not ready, or this is cleared
 * @ready: what poll() returned: 1, 0 on timeout
 */
struct poller {
	pthread_t thread;
	int fd;
	bool hold;
	pid_t tid;
	int ready;
	short revents;
	bool done;
};

static inline void *poller_run(void *arg)
{
	struct poller *poller = arg;
	struct pollfd pollfd = { .fd = poller->fd, .events = POLLIN };

	__atomic_store_n(&poller->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (__atomic_load_n(&poller->hold, __ATOMIC_ACQUIRE) && poll_now(poller->fd) & POLLIN)
		short_break();
	poller->ready = poll(&pollfd, 1, WAIT_MS);
	poller->revents = pollfd.revents;
	__atomic_store_n(&poller->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static inline bool thread_sleeps(pid_t tid)
{
	char path[64], line[256] = "", *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	state = strrchr(line, ')');
	return state && state[1] == ' ' && state[2] == 'S';
}

static inline int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/*
 * Start the thread and wait, not for ever, until it sleeps. Only then does what follows test
 * the wake-up; on a machine so slow that the bound is reached the test is weaker, not wrong.
 */
static inline void poller_start(struct __test_metadata *_metadata, struct poller *poller, int fd)
{
	int64_t end = now_ms() + 2000;
	pid_t tid;

	*poller = (struct poller){ .fd = fd };
	ASSERT_EQ(0, pthread_create(&poller->thread, NULL, poller_run, poller));
	do {
		sched_yield();
		tid = __atomic_load_n(&poller->tid, __ATOMIC_ACQUIRE);
	} while ((!tid || !thread_sleeps(tid)) && now_ms() < end);
}

/* Start the thread; it goes into poll() when somebody takes what is in the queue */
static inline void poller_hold(struct __test_metadata *_metadata, struct poller *poller, int fd)
{
	*poller = (struct poller){ .fd = fd, .hold = true };
	ASSERT_EQ(0, pthread_create(&poller->thread, NULL, poller_run, poller));
	while (!__atomic_load_n(&poller->tid, __ATOMIC_ACQUIRE))
		short_break();
}

static inline void poller_join(struct __test_metadata *_metadata, struct poller *poller)
{
	ASSERT_EQ(0, pthread_join(poller->thread, NULL));
}

/* Whether the thread is out of poll() by now, or soon; it has not to wait to go into it */
static inline bool poller_woke(struct poller *poller)
{
	int64_t end = now_ms() + WOKEN_MS;

	__atomic_store_n(&poller->hold, false, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&poller->done, __ATOMIC_ACQUIRE) && now_ms() < end)
		short_break();
	return __atomic_load_n(&poller->done, __ATOMIC_ACQUIRE);
}

/**
 * struct slow_read - a thread whose read() takes an event, is busy for long, and then fails
 * @map: holds the buffer: the end of a huge page that is not there yet, so that the kernel has to
 *	 clear all of it first, and behind it a page that cannot be written
 * @usable: bytes of the buffer in the huge page
 * @rc: what read() returned
 */
struct slow_read {
	pthread_t thread;
	int fd;
	size_t count;
	size_t usable;
	uint8_t *map;
	bool done;
	ssize_t rc;
};

#define HUGE_SIZE (2ul << 20)
#define SLOW_TRIES 10	/* to catch a read in the middle, where all must go well anyway */
#define SLOW_MANY 400	/* the same, where a try that does not catch it proves nothing, */
#define SLOW_MS 4000	/* or for so long */

/*
 * This thread and those that it starts share a CPU with the slow reads and come before them: when
 * one of them wakes up it stops a slow read wherever that is. Without the right to do so the
 * threads just take turns: fewer tries find the read in the middle.
 */
static inline void slow_read_outrank(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
	sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 });
}

static inline uint8_t *slow_read_end(struct slow_read *slow)
{
	return (uint8_t *)(((uintptr_t)slow->map + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1)) + HUGE_SIZE;
}

static inline void *slow_read_run(void *arg)
{
	struct slow_read *slow = arg;

	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){});
	slow->rc = fd_read(slow->fd, slow_read_end(slow) - slow->usable, slow->count);
	__atomic_store_n(&slow->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Start reading @count bytes into a buffer that fails after @usable */
static inline void slow_read_start(struct __test_metadata *_metadata, struct slow_read *slow,
				   int fd, size_t count, size_t usable)
{
	*slow = (struct slow_read){ .fd = fd, .count = count, .usable = usable };
	slow->map = mmap(NULL, 3 * HUGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)slow->map);
	ASSERT_EQ(0, mprotect(slow_read_end(slow) - HUGE_SIZE, HUGE_SIZE,
			      PROT_READ | PROT_WRITE));
	/* Without huge pages the read is not slow, and the test weaker, not wrong. */
	madvise(slow_read_end(slow) - HUGE_SIZE, HUGE_SIZE, MADV_HUGEPAGE);
	ASSERT_EQ(0, pthread_create(&slow->thread, NULL, slow_read_run, slow));
}

/* Until it holds what was the only thing in the queue, or is through already */
static inline void slow_read_catch(struct slow_read *slow)
{
	while (poll_now(slow->fd) & POLLIN && !__atomic_load_n(&slow->done, __ATOMIC_ACQUIRE))
		short_break();
}

static inline ssize_t slow_read_join(struct __test_metadata *_metadata, struct slow_read *slow)
{
	ASSERT_EQ(0, pthread_join(slow->thread, NULL));
	ASSERT_EQ(0, munmap(slow->map, 3 * HUGE_SIZE));
	return slow->rc;
}

/**
 * ring_rw() - One read or write at an offset; pread() and pwrite() refuse these files themselves
 * @opcode: IORING_OP_READ or IORING_OP_WRITE
 *
 * Return: as the file gave it; -ENOSYS where there is no io_uring
 */
static inline ssize_t ring_rw(int opcode, int fd, void *buf, uint32_t count, uint64_t offset)
{
	const int prot = PROT_READ | PROT_WRITE;
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 1, &params);
	size_t size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
	struct io_uring_sqe *sqe;
	ssize_t rc = -ENOSYS;
	char *rings;

	if (ring < 0)
		return -ENOSYS;
	size = size > sq_size ? size : sq_size;
	rings = mmap(NULL, size, prot, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), prot, MAP_SHARED, ring, IORING_OFF_SQES);
	if (rings != MAP_FAILED && sqe != MAP_FAILED &&
	    params.features & IORING_FEAT_SINGLE_MMAP) {
		*sqe = (struct io_uring_sqe){
			.opcode = opcode,
			.fd = fd,
			.off = offset,
			.addr = (uintptr_t)buf,
			.len = count,
		};
		*(uint32_t *)(rings + params.sq_off.array) = 0;
		__atomic_store_n((uint32_t *)(rings + params.sq_off.tail), 1, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1)
			rc = ((struct io_uring_cqe *)(rings + params.cq_off.cqes))->res;
	}
	if (rings != MAP_FAILED)
		munmap(rings, size);
	if (sqe != MAP_FAILED)
		munmap(sqe, sizeof(*sqe));
	close(ring);
	return rc;
}

#endif
