// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware.h"
#include "listener.h"

#define PATIENCE_MS 60000
#define LINE 128

static const char * const names[FIRMWARE_SOCKETS] = { "qtest", "monitor" };

void firmware_options(const char *dir, FILE *out)
{
	fprintf(out, "-S\n-qtest\nunix:%s/%s\n-qtest-log\nnone\n-monitor\nunix:%s/%s\n", dir,
		names[FIRMWARE_QTEST], dir, names[FIRMWARE_MONITOR]);
}

static int wait_readable(int fd)
{
	struct pollfd pollfd = { fd, POLLIN };
	int rc = poll(&pollfd, 1, PATIENCE_MS);

	return rc > 0 ? 0 : rc < 0 ? -errno : -ETIMEDOUT;
}

static int take_client(struct firmware *firmware, unsigned int which)
{
	int rc = wait_readable(firmware->listeners[which]);

	if (rc)
		return rc;
	firmware->clients[which] = accept4(firmware->listeners[which], NULL, NULL, SOCK_CLOEXEC);
	return firmware->clients[which] < 0 ? -errno : 0;
}

static int send_line(int fd, const char *line)
{
	size_t len = strlen(line);

	return send(fd, line, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EPIPE;
}

static int receive_line(int fd, char line[LINE])
{
	size_t len = 0;

	while (len < LINE - 1) {
		int rc = wait_readable(fd);

		if (rc)
			return rc;
		if (read(fd, line + len, 1) != 1)
			return -EPIPE;
		if (line[len] == '\n')
			break;
		len++;
	}
	line[len] = '\0';
	return 0;
}

/* An access is a line, and so is its answer: "OK", with the value that was read. */
static int carry_out(int qtest, const struct board_access *access)
{
	char line[LINE], good[LINE];
	int rc;

	if (access->read) {
		snprintf(line, LINE, "readl %#llx\n", (unsigned long long)access->addr);
		snprintf(good, LINE, "OK 0x%016x", access->value);
	} else {
		snprintf(line, LINE, "writel %#llx %#x\n", (unsigned long long)access->addr,
			 access->value);
		snprintf(good, LINE, "OK");
	}
	rc = send_line(qtest, line);
	rc = rc ?: receive_line(qtest, line);
	if (rc || !strcmp(line, good))
		return rc;
	fprintf(stderr, "firmware: access of %#llx: '%s' instead of '%s'\n",
		(unsigned long long)access->addr, line, good);
	return -EADDRNOTAVAIL;
}

static int carry_all_out(struct firmware *firmware)
{
	struct board_access accesses[BOARD_ACCESSES];
	unsigned int count = firmware->board->vendor->accesses(firmware->board, accesses);
	int rc = 0;

	for (unsigned int i = 0; !rc && i < count; i++)
		rc = carry_out(firmware->clients[FIRMWARE_QTEST], &accesses[i]);
	return rc;
}

/* A guest whose firmware has failed does not begin: its QEMU is told to go. */
static void *run(void *arg)
{
	struct firmware *firmware = arg;
	int rc = take_client(firmware, FIRMWARE_QTEST), told;

	rc = rc ?: take_client(firmware, FIRMWARE_MONITOR);
	rc = rc ?: carry_all_out(firmware);
	told = send_line(firmware->clients[FIRMWARE_MONITOR], rc ? "quit\n" : "cont\n");
	firmware->rc = rc ?: told;
	return NULL;
}

int firmware_start(struct firmware *firmware, const struct board *board, const char *dir)
{
	*firmware = (struct firmware){ .board = board };
	if (!board->vendor->accesses)
		return 0;
	for (unsigned int i = 0; i < FIRMWARE_SOCKETS; i++) {
		firmware->clients[i] = -1;
		firmware->listeners[i] = listen_at(dir, names[i]);
		if (firmware->listeners[i] < 0)
			return firmware->listeners[i];
	}
	return -pthread_create(&firmware->thread, NULL, run, firmware);
}

int firmware_end(struct firmware *firmware)
{
	if (!firmware->board || !firmware->thread)
		return 0;
	for (unsigned int i = 0; i < FIRMWARE_SOCKETS; i++)
		shutdown(firmware->listeners[i], SHUT_RDWR);
	pthread_join(firmware->thread, NULL);
	for (unsigned int i = 0; i < FIRMWARE_SOCKETS; i++) {
		close(firmware->listeners[i]);
		if (firmware->clients[i] >= 0)
			close(firmware->clients[i]);
	}
	if (firmware->rc)
		fprintf(stderr, "firmware: %s\n", strerror(-firmware->rc));
	return firmware->rc;
}
