/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nit-hw: the functions of a board on UNIX sockets, one thread for their messages and for the
 * machine, and one for the ring of each endpoint.
 */
#ifndef NIT_VFIO_USER_SERVER_H
#define NIT_VFIO_USER_SERVER_H

#include <stdio.h>

#include "board.h"
#include "endpoint_function.h"

#define SERVER_FUNCTIONS (BOARD_UNITS + BOARD_ENDPOINTS)

/**
 * struct server
 * @lock: see struct function; @memory: the client's, as the first IOMMU's function knows it
 * @functions, @listeners: all functions, and the sockets that their clients connect to
 * @kick: eventfd: the machine has work
 * @moment: see moment.h
 * @busy, @stepped: the machine waits for something, and when it last made a step
 * @trace, @traced: the file that gets the hardware's trace, and the next event to write
 */
struct server {
	const struct board *board;
	pthread_rwlock_t lock;
	struct client_memory memory;
	struct machine *machine;
	struct iommu_function units[BOARD_UNITS];
	struct endpoint_function endpoints[BOARD_ENDPOINTS];
	unsigned int function_count;
	struct function *functions[SERVER_FUNCTIONS];
	int listeners[SERVER_FUNCTIONS];
	int kick;
	struct moment moment;
	bool busy;
	uint64_t stepped;
	FILE *trace;
	uint64_t traced;
};

/** server_open() - Hardware, and sockets in @dir named unit0, endpoint0, ...; 0 or -errno */
int server_open(struct server *server, const struct board *board, const char *dir, uint64_t seed);
void server_close(struct server *server);

/** server_turn() - Wait for clients so long at most, serve them once; how many, or -errno */
int server_turn(struct server *server, int timeout_ms);

/** server_run() - Until all clients have gone again; 0, or -errno: the board is not as it should */
int server_run(struct server *server);

#endif
