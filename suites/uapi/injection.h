/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations that fail, one after the other.
 *
 * /proc/thread-self/fail-nth makes the n-th fault-injection point that this thread passes fail
 * (Documentation/fault-injection/fault-injection.rst); with /proc/thread-self/make-it-fail, every
 * later allocation of the thread fails as well. Three injectors take part: failslab,
 * fail_page_alloc, and iommufd's own fail_iommufd, which fails look-ups and page pinning. Their
 * counters of remaining failures tell which one it was, hence which errno is right.
 */
#ifndef NIT_UAPI_INJECTION_H
#define NIT_UAPI_INJECTION_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "vm.h"

#define MANY_FAILURES "1000"	/* an end for what tries again while memory is short */

/* Who failed a call; the first in the order of the table below */
enum injector { SLAB, PAGE_ALLOC, IOMMUFD, NR_INJECTORS, OTHER = NR_INJECTORS, NOBODY };

static const struct {
	const char *name, *times;	/* @times: failures left; never runs out here */
} injectors[NR_INJECTORS] = {
	[SLAB] = { "slab", "/sys/kernel/debug/failslab/times" },
	[PAGE_ALLOC] = { "page", "/sys/kernel/debug/fail_page_alloc/times" },
	[IOMMUFD] = { "iommufd", "/sys/kernel/debug/fail_iommufd/times" },
};

/*
 * Which allocations may fail: the n-th of the thread, and all of a thread that asked for it. Their
 * old values are put back, the last one first: the machine may be somebody's.
 */
static struct knob {
	const char *path, *value;
	char old[32];
} knobs[] = {
	{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/failslab/times", MANY_FAILURES },
	{ "/sys/kernel/debug/failslab/verbose", "0" },
	{ "/sys/kernel/debug/failslab/task-filter", "Y" },
	{ "/sys/kernel/debug/failslab/probability", "100" },
	{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/fail_page_alloc/min-order", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/times", MANY_FAILURES },
	{ "/sys/kernel/debug/fail_page_alloc/verbose", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/task-filter", "Y" },
	{ "/sys/kernel/debug/fail_page_alloc/probability", "100" },
	{ "/sys/kernel/debug/fail_iommufd/times", MANY_FAILURES },
	{ "/sys/kernel/debug/fail_iommufd/verbose", "0" },
};

/**
 * struct injection - the state of one sweep over the points of a call
 * @nth_fd: /proc/thread-self/fail-nth
 * @all_fd: /proc/thread-self/make-it-fail
 * @stays: memory stays short from the n-th point on
 * @fired: how often each injector made a call fail, or succeed without what it asked for
 * @refused: injected failures that the call reported; the others it made do without
 */
struct injection {
	int nth_fd, all_fd;
	bool stays;
	unsigned int fired[NR_INJECTORS];
	unsigned int refused;
};

static long read_number(int fd)
{
	char text[32];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return -1;
	text[len] = '\0';
	return strtol(text, NULL, 0);
}

/* debugfs files cannot be read twice through one descriptor. */
static long read_number_at(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32] = "-1";

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtol(text, NULL, 0);
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool set_knob(struct knob *knob)
{
	int fd = open(knob->path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, knob->old, sizeof(knob->old) - 1);
	close(fd);
	if (len <= 0)
		return false;
	knob->old[strcspn(knob->old, "\n")] = '\0';
	return write_text(knob->path, knob->value);
}

static bool injection_start(struct injection *injection)
{
	*injection = (struct injection) { .nth_fd = -1, .all_fd = -1 };
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		if (!set_knob(&knobs[i]))
			return false;
	/* A thread's own number: other threads and processes are left alone. */
	injection->nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	injection->all_fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	return injection->nth_fd >= 0 && injection->all_fd >= 0;
}

static void injection_stop(struct injection *injection)
{
	for (size_t i = ARRAY_SIZE(knobs); i--;)
		if (knobs[i].old[0])
			write_text(knobs[i].path, knobs[i].old);
	if (injection->nth_fd > 0)
		close(injection->nth_fd);
	if (injection->all_fd > 0)
		close(injection->all_fd);
}

static void injection_arm(struct __test_metadata *_metadata, struct injection *injection,
			  unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	ASSERT_EQ(len, pwrite(injection->nth_fd, text, len, 0));
	if (injection->stays) {
		ASSERT_EQ(1, pwrite(injection->all_fd, "1", 1, 0));
	}
}

/* End it. Returns who failed something since injection_arm(); of several, the last of the table. */
static enum injector injection_disarm(struct __test_metadata *_metadata,
				      struct injection *injection)
{
	bool fired = read_number(injection->nth_fd) == 0;
	enum injector who = OTHER;

	/* Writing passes points too; what it says when it fails itself is of no interest. */
	while (injection->stays && pwrite(injection->all_fd, "0", 1, 0) != 1)
		;
	while (pwrite(injection->nth_fd, "0", 1, 0) != 1)
		;
	for (int i = 0; i < NR_INJECTORS; i++) {
		if (read_number_at(injectors[i].times) == strtol(MANY_FAILURES, NULL, 0))
			continue;
		ASSERT_EQ(true, write_text(injectors[i].times, MANY_FAILURES));
		who = i;
	}
	return fired ? who : NOBODY;
}

/* An allocator's failure is ENOMEM; iommufd's own look-ups and pinning have more. */
static void expect_injected_errno(struct __test_metadata *_metadata, enum injector who, int rc)
{
	if (who == IOMMUFD) {
		EXPECT_EQ(true, rc == -ENOENT || rc == -EINVAL || rc == -EFAULT || rc == -ENOMEM);
	} else {
		EXPECT_EQ(-ENOMEM, rc);
	}
}

#endif /* NIT_UAPI_INJECTION_H */
