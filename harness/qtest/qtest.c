// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qtest.h"

#define WORDS_MAX 128
#define ANSWER_MS 60000		/* an emulator on a busy machine, the start of it included */
#define FDS_MAX 8
#define FD_PARKED 64		/* where nothing is in the way of QTEST_FD and up */

/* -qtest-log none: it would echo every line to its standard error. */
static const char always[] =
	"-accel qtest -qtest stdio -qtest-log none -display none -nodefaults -no-user-config";

static unsigned int split(char *text, char **words, unsigned int count)
{
	char *rest = NULL;

	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (count < WORDS_MAX - 1)
			words[count++] = word;
	words[count] = NULL;
	return count;
}

/* In the child: 0 and 1 are the protocol, 2 the log, @fds follow; nothing else is inherited. */
static void become(char **words, int protocol, int log, const int *fds, unsigned int fd_count)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	protocol = fcntl(protocol, F_DUPFD, FD_PARKED);
	log = fcntl(log, F_DUPFD, FD_PARKED);
	for (unsigned int i = 0; i < fd_count; i++) {
		int parked = fcntl(fds[i], F_DUPFD, FD_PARKED);

		dup2(parked, FD_PARKED + FDS_MAX + i);
	}
	dup2(protocol, 0);
	dup2(protocol, 1);
	dup2(log, 2);
	for (unsigned int i = 0; i < fd_count; i++)
		dup2(FD_PARKED + FDS_MAX + i, QTEST_FD + i);
	close_range(QTEST_FD + fd_count, ~0u, 0);
	execvp(words[0], words);
	_exit(127);
}

static void end(struct qtest *qtest)
{
	if (qtest->socket >= 0)
		close(qtest->socket);
	qtest->socket = -1;
	if (qtest->pid > 0) {
		kill(qtest->pid, SIGKILL);
		waitpid(qtest->pid, NULL, 0);
	}
	qtest->pid = 0;
}

void qtest_stop(struct qtest *qtest)
{
	end(qtest);
	if (qtest->log >= 0)
		close(qtest->log);
	qtest->log = -1;
	pthread_mutex_destroy(&qtest->lock);
}

void qtest_log(struct qtest *qtest, char *text, unsigned int size)
{
	ssize_t len = pread(qtest->log, text, size - 1, 0);

	text[len > 0 ? len : 0] = 0;
}

/* A line from the emulator into @line, without its end; false: there is none in time */
static bool receive(struct qtest *qtest, char *line, unsigned int size)
{
	char *end_of_line;

	while (!(end_of_line = memchr(qtest->buffer, '\n', qtest->held))) {
		struct pollfd ready = { .fd = qtest->socket, .events = POLLIN };
		ssize_t len;

		if (qtest->held == sizeof(qtest->buffer) || poll(&ready, 1, ANSWER_MS) <= 0)
			return false;
		len = recv(qtest->socket, qtest->buffer + qtest->held,
			   sizeof(qtest->buffer) - qtest->held, 0);
		if (len <= 0)
			return false;
		qtest->held += len;
	}
	*end_of_line = 0;
	snprintf(line, size, "%.*s", (int)size - 1, qtest->buffer);
	qtest->held -= end_of_line + 1 - qtest->buffer;
	memmove(qtest->buffer, end_of_line + 1, qtest->held);
	return true;
}

/* Send a command; its answer's value. Lines about interrupts may come before the answer. */
static uint64_t tell(struct qtest *qtest, const char *format, ...)
{
	char line[128];
	uint64_t value = UINT64_MAX;
	bool done = false;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	pthread_mutex_lock(&qtest->lock);
	if (qtest->socket >= 0 && send(qtest->socket, line, len, MSG_NOSIGNAL) == len)
		while (!done && receive(qtest, line, sizeof(line)) && strncmp(line, "FAIL", 4) &&
		       strncmp(line, "ERR", 3))
			done = !strncmp(line, "OK", 2);
	if (done)
		value = strtoull(line + 2, NULL, 0);
	else
		end(qtest);
	pthread_mutex_unlock(&qtest->lock);
	return value;
}

int qtest_start(struct qtest *qtest, const char *command, const char *options, const int *fds,
		unsigned int fd_count)
{
	char *text = NULL, *words[WORDS_MAX];
	int ends[2];

	*qtest = (struct qtest){ .socket = -1, .log = -1 };
	pthread_mutex_init(&qtest->lock, NULL);
	if (fd_count > FDS_MAX || asprintf(&text, "%s %s %s", command, always, options) < 0)
		return -ENOMEM;
	qtest->log = memfd_create("qemu-log", MFD_CLOEXEC);
	if (!split(text, words, 0) || qtest->log < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		free(text);
		return -ENODEV;
	}
	qtest->pid = fork();
	if (!qtest->pid)
		become(words, ends[1], qtest->log, fds, fd_count);
	close(ends[1]);
	free(text);
	qtest->socket = ends[0];
	tell(qtest, "endianness\n");	/* the first answer comes when the machine is complete */
	return qtest_alive(qtest) ? 0 : -ENODEV;
}

static char letter(unsigned int size)
{
	return size == 1 ? 'b' : size == 2 ? 'w' : size == 4 ? 'l' : 'q';
}

static uint64_t mask(unsigned int size)
{
	return size == 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
}

uint64_t qtest_read(struct qtest *qtest, uint64_t addr, unsigned int size)
{
	return tell(qtest, "read%c 0x%jx\n", letter(size), (uintmax_t)addr) & mask(size);
}

void qtest_write(struct qtest *qtest, uint64_t addr, unsigned int size, uint64_t value)
{
	tell(qtest, "write%c 0x%jx 0x%jx\n", letter(size), (uintmax_t)addr,
		(uintmax_t)(value & mask(size)));
}

uint32_t qtest_in(struct qtest *qtest, uint16_t port, unsigned int size)
{
	return tell(qtest, "in%c 0x%x\n", letter(size), port) & mask(size);
}

void qtest_out(struct qtest *qtest, uint16_t port, unsigned int size, uint32_t value)
{
	tell(qtest, "out%c 0x%x 0x%x\n", letter(size), port,
		(unsigned int)(value & mask(size)));
}

void qtest_clock_step(struct qtest *qtest, uint64_t ns)
{
	tell(qtest, "clock_step %ju\n", (uintmax_t)ns);
}
