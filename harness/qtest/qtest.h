/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An emulator under qtest: a QEMU that runs no code of a guest, only devices, and does what it is
 * told over a socket, a line at a time (QEMU: docs/devel/testing/qtest.rst).
 *
 * Nothing here waits for ever: an emulator that does not answer in time is killed; from then on
 * reads return ones, as those of a device that is gone.
 */
#ifndef NIT_QTEST_QTEST_H
#define NIT_QTEST_QTEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct qtest - one emulator
 * @socket: its end of the protocol; -1: it is gone
 * @log: what it wrote to its standard error
 * @buffer, @held: bytes read and not yet used
 */
struct qtest {
	pthread_mutex_t lock;
	pid_t pid;
	int socket;
	int log;
	char buffer[1024];
	unsigned int held;
};

/** QTEST_FD - the first file descriptor that QEMU inherits: it opens /dev/fd/3, /dev/fd/4, ... */
#define QTEST_FD 3

/**
 * qtest_start() - Start @command (words separated by spaces) with @options, likewise
 * @fds, @fd_count: file descriptors that it inherits, as QTEST_FD and up
 *
 * It dies with the calling thread. Return: 0, or -ENODEV: it does not start; see qtest_log().
 */
int qtest_start(struct qtest *qtest, const char *command, const char *options, const int *fds,
		unsigned int fd_count);
void qtest_stop(struct qtest *qtest);

static inline bool qtest_alive(const struct qtest *qtest)
{
	return qtest->socket >= 0;
}

/** qtest_log() - The beginning of what QEMU had to say, a string of at most @size bytes */
void qtest_log(struct qtest *qtest, char *text, unsigned int size);

/** qtest_read(), qtest_write() - A CPU's access of 1, 2, 4 or 8 bytes at physical address @addr */
uint64_t qtest_read(struct qtest *qtest, uint64_t addr, unsigned int size);
void qtest_write(struct qtest *qtest, uint64_t addr, unsigned int size, uint64_t value);

/** qtest_in(), qtest_out() - The same at an I/O port (x86); 1, 2 or 4 bytes */
uint32_t qtest_in(struct qtest *qtest, uint16_t port, unsigned int size);
void qtest_out(struct qtest *qtest, uint16_t port, unsigned int size, uint32_t value);

/** qtest_clock_step() - Let @ns of virtual time pass, and what is due in it happen */
void qtest_clock_step(struct qtest *qtest, uint64_t ns);

#endif
