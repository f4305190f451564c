/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What firmware would do where a guest has none: write registers before the CPUs run. QEMU is
 * started stopped (-S), executes accesses that we send it over qtest, and is then told to go on.
 */
#ifndef NIT_VFIO_USER_FIRMWARE_H
#define NIT_VFIO_USER_FIRMWARE_H

#include <pthread.h>
#include <stdio.h>

#include "board.h"

/**
 * struct firmware
 * @listeners, @clients: the sockets that QEMU connects to, and its connections
 * @rc: what became of it, once @thread has ended
 */
struct firmware {
	const struct board *board;
	enum { FIRMWARE_QTEST, FIRMWARE_MONITOR, FIRMWARE_SOCKETS } sockets;
	int listeners[FIRMWARE_SOCKETS];
	int clients[FIRMWARE_SOCKETS];
	pthread_t thread;
	int rc;
};

/** firmware_options() - QEMU's options for it, one a line, for sockets in @dir */
void firmware_options(const char *dir, FILE *out);

/** firmware_start() - Listen in @dir, start the thread; 0 or -errno. Boards without: nothing */
int firmware_start(struct firmware *firmware, const struct board *board, const char *dir);

/** firmware_end() - After QEMU has gone. 0, or -errno: it was not what the guest needed */
int firmware_end(struct firmware *firmware);

#endif
