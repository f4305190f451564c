// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first and only permanent process of a guest: runs test programs and reports on a port of
 * its own.
 *
 * /nit/plan in the initramfs says what to do, a directive a line:
 *
 *	port ttyS1			where the results go
 *	env NIT_SEED=0x5eed1234		an environment variable for every program
 *	run NAME /nit/bin/x -r y	run a program; its standard output and error go to the port
 *	write FILE TEXT			write to a file, for instance in sysfs
 *	poke FILE OFFSET HEX		write one byte at an offset, as to configuration space
 *	send NAME DIR			send the files below DIR, as hexadecimal text
 *
 * Every line on the port starts with the uptime in seconds and a word that says what it is:
 *
 *	boot KEY=VALUE			what this kernel is
 *	begin NAME | end NAME STATUS	around a program; STATUS as a shell would give it
 *	out TEXT			a line that the program printed
 *	splat TEXT			the kernel complained; of the test whose result follows
 *	file NAME PATH HEX		a piece of a file
 *	done				end of plan, and of the search for leaks
 *
 * A program has a file descriptor, NIT_HEARD, that says when its "RUN" lines are on the port. It
 * waits for that, so that what comes next cannot be taken for the doing of the test before.
 *
 * After a splat the kernel is not to be trusted: the result of the running test is still
 * reported, then the guest reboots and the runner goes on with the next test in a fresh one.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PLAN "/nit/plan"
#define MAX_ARGS 2048
#define MAX_SPLAT_LINES 120
#define FILE_CHUNK 1024
#define KMEMLEAK "/sys/kernel/debug/kmemleak"
#define TRACING "/sys/kernel/tracing"
#define KMEMLEAK_AGE 6	/* s; it does not speak of what was allocated in the last 5 */
#define KMEMLEAK_SCANS 2	/* the first only notes what new objects contain */

static FILE *port;
static FILE *plan;
static int kmsg = -1;
static int heard[2] = { -1, -1 };	/* a byte for each "RUN" that is on the port */
static bool splat_seen;

/* The console is what remains when the port cannot be used. */
static void __attribute__((noreturn)) give_up(const char *what)
{
	printf("nit-init: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	sync();
	reboot(LINUX_REBOOT_CMD_RESTART);
	_exit(1);
}

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	struct timespec now;
	va_list ap;

	clock_gettime(CLOCK_BOOTTIME, &now);
	fprintf(port, "%ld.%06ld ", (long)now.tv_sec, now.tv_nsec / 1000);
	va_start(ap, format);
	vfprintf(port, format, ap);
	va_end(ap);
	fputc('\n', port);
	fflush(port);
}

static void mount_all(void)
{
	static const struct {
		const char *type, *dir;
	} mounts[] = {
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "devtmpfs", "/dev" },
		{ "tmpfs", "/tmp" },
		{ "debugfs", "/sys/kernel/debug" },
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		mkdir(mounts[i].dir, 0755);
		/* Each is optional: a test that needs it skips with its own reason. */
		mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0, NULL);
	}
	symlink("/proc/self/fd", "/dev/fd");
	if (!mount("tracefs", TRACING, "tracefs", 0, NULL))
		setenv("NIT_TRACING", TRACING, 1);	/* harness/target/ktrace.h */
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		printf("nit-init: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* "FILE OFFSET HEX" */
static void poke(char *args)
{
	const char *path = strtok(args, " "), *offset = strtok(NULL, " "), *hex = strtok(NULL, " ");
	int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	unsigned char byte;

	if (fd < 0 || !offset || !hex)
		return;
	byte = strtoul(hex, NULL, 16);
	if (pwrite(fd, &byte, 1, strtol(offset, NULL, 0)) != 1)
		printf("nit-init: %s: %s\n", path, strerror(errno));
	close(fd);
}

static void set_kernel_knobs(void)
{
	write_file("/proc/sys/kernel/printk_ratelimit", "0");
	write_file("/proc/sys/kernel/hung_task_warnings", "-1");
	/* Injected failures are wanted here; their stack dumps are not. */
	write_file("/sys/kernel/debug/failslab/verbose", "0");
	write_file("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	write_file("/sys/kernel/debug/fail_iommufd/verbose", "0");
}

static void open_port(const char *name)
{
	struct termios raw;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		give_up(path);
	if (!tcgetattr(fd, &raw)) {
		cfmakeraw(&raw);
		tcsetattr(fd, TCSANOW, &raw);
	}
	port = fdopen(fd, "w");
	if (!port)
		give_up(path);
}

static void report_boot(void)
{
	struct utsname uts;

	if (!uname(&uts)) {
		say("boot release=%s", uts.release);
		say("boot arch=%s", uts.machine);
		say("boot version=%s", uts.version);
	}
	say("boot iommufd=%s", access("/dev/iommu", F_OK) ? "no" : "yes");
	say("boot gcov=%s", access("/sys/kernel/debug/gcov", F_OK) ? "no" : "yes");
}

/* What marks a complaint of the kernel's in its log. */
static bool is_splat(const char *text)
{
	static const char * const marks[] = {
		"BUG: ", "WARNING: ", "kernel BUG at", "Oops", "general protection fault",
		"UBSAN: ", "KASAN: ", "KFENCE: ", "ODEBUG: ", "refcount_t: ",
		"INFO: possible ", "INFO: trying to register", "INFO: task ", "INFO: rcu_",
		"rcu: INFO:", "possible circular locking", "possible recursive locking",
		"suspicious RCU usage", "inconsistent lock state", "bad unlock balance",
		"Internal error", "Unable to handle kernel", "Kernel panic",
		"Time out waiting for iommufd object",
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (strstr(text, marks[i]))
			return true;
	return false;
}

/*
 * Read what the kernel logged since the last call. /dev/kmsg gives one record a read:
 * "priority,sequence,time,flags;text\n" and continuation lines that start with a space.
 */
static void drain_kmsg(bool report)
{
	char record[8192];
	int lines = 0;
	ssize_t len;

	while (kmsg >= 0) {
		char *text;

		len = read(kmsg, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)	/* overwritten before it was read; go on */
			continue;
		if (len <= 0)
			return;
		record[len] = '\0';
		text = strchr(record, ';');
		if (!text || !report)
			continue;
		text++;
		text[strcspn(text, "\n")] = '\0';
		if (!lines && !is_splat(text))
			continue;
		splat_seen = true;
		if (lines++ < MAX_SPLAT_LINES)
			say("splat %s", text);
	}
}

static bool is_result(const char *line)
{
	return !strncmp(line, "ok ", 3) || !strncmp(line, "not ok ", 7);
}

static void mark_console(const char *line)
{
	char mark[300];
	int len = snprintf(mark, sizeof(mark), "<5>nit: %.200s\n", line);
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, mark, len) < 0)
		printf("nit-init: kmsg: %s\n", strerror(errno));
	close(fd);
}

static void __attribute__((noreturn)) restart(void)
{
	fflush(port);
	tcdrain(fileno(port));
	sync();
	reboot(LINUX_REBOOT_CMD_RESTART);
	give_up("reboot");
}

static void follow(char *line);

/* The next line of the plan, or NULL at its end */
static char *next_directive(void)
{
	static char *line;
	static size_t size;
	ssize_t len = getline(&line, &size, plan);

	if (len > 0 && line[len - 1] == '\n')
		line[len - 1] = '\0';
	return len < 0 ? NULL : line;
}

/* What was to be sent at the end is worth having of a guest that ends early, too. */
static void __attribute__((noreturn)) restart_early(void)
{
	char *line;

	while ((line = next_directive()))
		if (!strncmp(line, "send ", 5))
			follow(line);
	restart();
}

static void handle_line(const char *line)
{
	const char *run = strstr(line, " RUN ");

	if (line[0] == '#' && run) {
		drain_kmsg(true);
		mark_console(run + 1 + strspn(run + 1, "RUN "));
	}
	if (is_result(line)) {
		drain_kmsg(true);
		say("out %s", line);
		if (splat_seen)
			restart_early();
		return;
	}
	say("out %s", line);
	if (line[0] == '#' && run) {
		/* What a panic finds in the serial port's buffer is lost. */
		tcdrain(fileno(port));
		if (write(heard[1], "", 1) < 0 && errno != EAGAIN && errno != EPIPE)
			give_up("cannot answer a test program");
	}
}

static void copy_output(int fd)
{
	FILE *out = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while (out && (len = getline(&line, &size, out)) >= 0) {
		if (len && line[len - 1] == '\n')
			line[len - 1] = '\0';
		handle_line(line);
	}
	free(line);
	if (out)
		fclose(out);
}

static void run_program(char *args)
{
	static char *argv[MAX_ARGS];
	const char *name = strtok(args, " ");
	int status, argc = 0, pipefd[2];
	char *arg, number[12];
	pid_t pid;

	while (argc < MAX_ARGS - 1 && (arg = strtok(NULL, " ")))
		argv[argc++] = arg;
	argv[argc] = NULL;
	if (!argc || pipe(pipefd) || pipe2(heard, O_NONBLOCK))
		give_up("bad run directive");
	fcntl(heard[0], F_SETFL, 0);
	snprintf(number, sizeof(number), "%d", heard[0]);
	setenv("NIT_HEARD", number, 1);

	drain_kmsg(false);
	say("begin %s", name);
	pid = fork();
	if (!pid) {
		setsid();
		dup2(pipefd[1], STDOUT_FILENO);
		dup2(pipefd[1], STDERR_FILENO);
		close(pipefd[0]);
		close(pipefd[1]);
		close(heard[1]);
		execv(argv[0], argv);
		fprintf(stderr, "nit-init: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(pipefd[1]);
	close(heard[0]);
	copy_output(pipefd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(heard[1]);
	drain_kmsg(true);
	say("end %s %d", name, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	if (splat_seen)
		restart_early();
}

static void send_file(const char *name, const char *path)
{
	unsigned char data[FILE_CHUNK];
	char hex[2 * FILE_CHUNK + 1];
	FILE *file = fopen(path, "r");
	size_t len;

	if (!file)
		return;
	while ((len = fread(data, 1, sizeof(data), file)) > 0) {
		for (size_t i = 0; i < len; i++)
			snprintf(hex + 2 * i, 3, "%02x", data[i]);
		say("file %s %s %s", name, path, hex);
	}
	fclose(file);
}

static void send_tree(const char *name, const char *dir)
{
	struct dirent *entry;
	DIR *stream = opendir(dir);

	while (stream && (entry = readdir(stream))) {
		char path[4096];
		struct stat st;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (lstat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode))
			send_tree(name, path);
		else if (S_ISREG(st.st_mode))
			send_file(name, path);
	}
	if (stream)
		closedir(stream);
}

static void follow(char *line)
{
	char *rest = strchr(line, ' ');

	if (!rest)
		return;
	*rest++ = '\0';
	if (!strcmp(line, "port")) {
		open_port(rest);
		report_boot();
	} else if (!strcmp(line, "env")) {
		putenv(strdup(rest));
	} else if (!strcmp(line, "run")) {
		run_program(rest);
	} else if (!strcmp(line, "poke")) {
		poke(rest);
	} else if (!strcmp(line, "write")) {
		char *text = strchr(rest, ' ');

		if (text) {
			*text++ = '\0';
			write_file(rest, text);
		}
	} else if (!strcmp(line, "send")) {
		char *dir = strchr(rest, ' ');

		if (dir) {
			*dir++ = '\0';
			send_tree(rest, dir);
		}
	} else {
		printf("nit-init: unknown directive '%s'\n", line);
	}
}

/* What the kernel allocated in this boot and lost track of; a debug kernel knows. */
static void report_leaks(void)
{
	char line[512];
	int lines = 0;
	FILE *leaks;

	if (access(KMEMLEAK, W_OK))
		return;
	sleep(KMEMLEAK_AGE);
	for (int i = 0; i < KMEMLEAK_SCANS; i++)
		write_file(KMEMLEAK, "scan");
	leaks = fopen(KMEMLEAK, "r");
	while (leaks && fgets(line, sizeof(line), leaks) && lines++ < MAX_SPLAT_LINES) {
		line[strcspn(line, "\n")] = 0;
		say("splat kmemleak%s: %s", lines == 1 ? " (of all that this boot ran)" : "", line);
	}
	if (leaks)
		fclose(leaks);
}

int main(void)
{
	char *line;

	mount_all();
	setenv("PATH", "/bin:/nit/bin", 1);
	setenv("HOME", "/tmp", 1);
	set_kernel_knobs();
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	drain_kmsg(false);

	plan = fopen(PLAN, "re");
	if (!plan)
		give_up(PLAN);
	while ((line = next_directive()))
		if (*line && *line != '#')
			follow(line);
	if (!port)
		give_up("the plan names no port");
	report_leaks();
	say("done");
	restart();
}
