// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests that do to the guest what a broken kernel might. Each is the victim of one run of
 * tests/runner; those between them show that the runner goes on.
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "core/test.h"

#define FLOOD_LINES 60000
#define PIPE_LINES 12000		/* not more than a pipe holds: the test does not wait */
#define CONSOLE_BYTES 300000

/* The kernel's own crash test module: drivers/misc/lkdtm */
static void provoke(struct __test_metadata *_metadata, const char *crash)
{
	int fd = open("/sys/kernel/debug/provoke-crash/DIRECT", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		SKIP(return, "needs CONFIG_LKDTM");
	ASSERT_EQ(strlen(crash), write(fd, crash, strlen(crash)));
	close(fd);
}

static void set_knob(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		perror(path);
	close(fd);
}

TEST(passes_first)
{
	EXPECT_EQ(1, 1);
}

TEST(fails)
{
	RULE("UAPI-01");
	EXPECT_EQ(0, -22);
}

TEST(skips)
{
	SKIP(return, "needs nothing that there is");
}

TEST(warns)
{
	provoke(_metadata, "WARNING");
}

TEST(passes_after_warning)
{
	EXPECT_EQ(1, 1);
}

/* The port is behind when it ends: the panic that comes next must not be its own. */
TEST(talks_before_the_panic)
{
	for (int i = 0; i < PIPE_LINES; i++)
		printf("# x\n");
}

TEST(panics)
{
	provoke(_metadata, "PANIC");
}

TEST(oopses)
{
	provoke(_metadata, "EXCEPTION");
}

TEST(hangs_a_task)
{
	set_knob("/proc/sys/kernel/hung_task_timeout_secs", "2");
	set_knob("/proc/sys/kernel/hung_task_check_interval_secs", "1");
	provoke(_metadata, "HUNG_TASK");
}

TEST(hangs_silently)
{
	for (;;)
		pause();
}

TEST(powers_off)
{
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	reboot(LINUX_REBOOT_CMD_RESTART);
}

TEST(floods_console)
{
	static char line[1000];
	int fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int written = 0; written < CONSOLE_BYTES; written += sizeof(line))
		ASSERT_EQ(sizeof(line), write(fd, line, sizeof(line)));
	close(fd);
}

TEST(floods_port)
{
	for (int i = 0; i < FLOOD_LINES; i++)
		printf("# x\n");
}

TEST(eats_memory)
{
	for (;;) {
		char *memory = malloc(1 << 20);

		ASSERT_NE(NULL, memory);
		for (int page = 0; page < 1 << 20; page += 4096)
			memory[page] = 1;
	}
}

TEST(passes_last)
{
	EXPECT_EQ(1, 1);
}

NIT_TEST_MAIN
