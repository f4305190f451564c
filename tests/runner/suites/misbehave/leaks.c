// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a debug kernel takes for a leak. No kernel leaks on demand, but kmemleak can be told not to
 * look at stacks: then it reports what only a stack points to, as the list that poll() allocates
 * for many files while it sleeps. The report is a real one, and must become a failure.
 */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "core/test.h"

#define FILES 64	/* more than poll() has room for on its stack */

/* A process that outlives its test and program, asleep in poll() */
static void sleep_in_poll(void)
{
	struct pollfd files[FILES];

	setsid();
	for (int i = 0; i < FILES; i++)
		files[i].fd = -1;
	for (int fd = 0; fd < FILES; fd++)
		close(fd);
	poll(files, FILES, -1);
	_exit(0);
}

TEST(passes_first)
{
	EXPECT_EQ(1, 1);
}

TEST(leaks)
{
	int fd = open("/sys/kernel/debug/kmemleak", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		SKIP(return, "needs CONFIG_DEBUG_KMEMLEAK");
	ASSERT_EQ(9, write(fd, "stack=off", 9));
	close(fd);
	if (!fork())
		sleep_in_poll();
}

NIT_TEST_MAIN
