/* SPDX-License-Identifier: GPL-2.0-only */
/* Unbinding while a call uses the device */
#ifndef NIT_UAPI_UNBIND_H
#define NIT_UAPI_UNBIND_H

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm.h"

#define LONG_CALL_SIZE (64UL << 20)	/* bytes for a call to clear, page fault by page fault */
#define GRACE_MS 10000			/* for an unbind that has nothing left to wait for */
#define LONG_CALL_MS 60000		/* bounds the call */

struct long_call {
	struct iommufd iommufd;
	struct mock_device device;
	uint32_t *buf;
	atomic_bool over;
	int report_fd;
};

/* GET_HW_INFO clears what the user's buffer has beyond the kernel's data, however much it is. */
static void *make_long_call(void *data)
{
	struct long_call *call = data;
	uint32_t type, len = LONG_CALL_SIZE;
	uint64_t capabilities;
	uint8_t width;

	__get_hw_info(&call->iommufd, call->device.idev_id, &type, call->buf, &len, &capabilities,
		      &width);
	atomic_store(&call->over, true);
	if (write(call->report_fd, "c", 1) != 1)
		_exit(1);
	return NULL;
}

/*
 * Reports 'c' when the call has returned, 'u' when the unbind has, 'x' when they did not meet.
 * A process of its own that nobody waits for: it may hang beyond the reach of signals.
 */
static void unbind_during_long_call(int report_fd)
{
	struct long_call call = { .report_fd = report_fd };
	struct iommu_test_hw_info *info;
	const char *end = "u";
	pthread_t thread;
	uint32_t ioas;

	call.buf = mmap(NULL, LONG_CALL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (call.buf == MAP_FAILED || __iommufd_open(&call.iommufd) ||
	    __ioas_alloc(&call.iommufd, &ioas) ||
	    __mock_device_create(&call.iommufd, ioas, 0, &call.device) ||
	    pthread_create(&thread, NULL, make_long_call, &call))
		_exit(1);
	/* The data comes before the clearing: when it is there, the call is in the midst of it. */
	info = (void *)call.buf;
	while (!*(volatile uint32_t *)&info->test_reg && !atomic_load(&call.over))
		sched_yield();
	if (atomic_load(&call.over))
		end = "x";
	if (__iommufd_destroy(&call.iommufd, call.device.stdev_id) ||
	    write(report_fd, end, 1) != 1)
		_exit(1);
	pthread_join(thread, NULL);
	_exit(0);
}

/* In a grandchild without our output, so that nobody waits for it either. Returns the pipe. */
static int start_unbind(void)
{
	int fds[2], null;
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid) {
		if (fork())
			_exit(0);
		setsid();
		close(fds[0]);
		null = open("/dev/null", O_RDWR);
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
			dup2(null, fd);
		unbind_during_long_call(fds[1]);
	}
	close(fds[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return fds[0];
}

/* The next report; '-' for none in time. */
static char wait_report(int fd, int timeout)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char report = '-';

	if (poll(&poll_fd, 1, timeout) == 1 && read(fd, &report, 1) != 1)
		report = '-';
	return report;
}

/* What the tests found out about the kernel; they are processes. */
static struct findings {
	bool unbind_known, unbind_in_time;
} *findings;

static void __attribute__((constructor)) share_findings(void)
{
	findings = mmap(NULL, sizeof(*findings), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* 'u' if an unbind ended soon after the call that it waited for, '-' if not, 'x' if none did. */
static char try_unbind(void)
{
	int fd = start_unbind();
	char first = wait_report(fd, LONG_CALL_MS), second = wait_report(fd, GRACE_MS);

	close(fd);
	findings->unbind_known = true;
	if (first == 'x' || second == 'x')
		return 'x';
	findings->unbind_in_time = first != '-' && second != '-';
	return findings->unbind_in_time ? 'u' : '-';
}

static bool unbind_is_in_time(void)
{
	if (!findings->unbind_known)
		try_unbind();
	return findings->unbind_in_time;
}

#endif /* NIT_UAPI_UNBIND_H */
