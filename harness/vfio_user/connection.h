/* SPDX-License-Identifier: GPL-2.0-only */
/* One client on a UNIX socket: whole messages in, with the files that came with them, and out. */
#ifndef NIT_VFIO_USER_CONNECTION_H
#define NIT_VFIO_USER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "wire.h"

/**
 * struct connection
 * @fd: the socket, -1: nobody is there
 * @message, @have: what has arrived of the message being received
 * @fds, @fd_count: the files that came with it
 * @next_id: of the next command of our own
 */
struct connection {
	int fd;
	_Alignas(8) uint8_t message[WIRE_MESSAGE];
	size_t have;
	int fds[WIRE_FDS];
	unsigned int fd_count;
	uint16_t next_id;
};

/** connection_open() - Take over the connected socket @fd */
void connection_open(struct connection *connection, int fd);
void connection_close(struct connection *connection);

/**
 * connection_receive() - Go on receiving, without waiting
 * Return: 1: a whole message is there, until connection_done(); 0: not yet; -EPROTO: the client
 * breaks the protocol's framing; -ECONNRESET: it is gone
 */
int connection_receive(struct connection *connection);

/** connection_done() - Forget the message; files that nobody took (-1 in @fds) are closed */
void connection_done(struct connection *connection);

/** connection_reply() - Answer the message: @len bytes of @data, or the error -@error. 0, -errno */
int connection_reply(struct connection *connection, int error, const void *data, size_t len,
		     int fd);

/** connection_dma_write() - Ask the client to write to its memory; its reply is for the caller */
int connection_dma_write(struct connection *connection, uint64_t addr, const void *data,
			 uint32_t len);

#endif
