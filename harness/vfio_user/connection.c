// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "connection.h"

#define SEND_SECONDS 5	/* a client that takes no replies for so long is given up */

void connection_open(struct connection *connection, int fd)
{
	struct timeval bound = { .tv_sec = SEND_SECONDS };

	*connection = (struct connection){ .fd = fd };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
}

void connection_done(struct connection *connection)
{
	for (unsigned int i = 0; i < connection->fd_count; i++)
		if (connection->fds[i] >= 0)
			close(connection->fds[i]);
	connection->fd_count = 0;
	connection->have = 0;
}

void connection_close(struct connection *connection)
{
	if (connection->fd < 0)
		return;
	connection_done(connection);
	close(connection->fd);
	connection->fd = -1;
}

/* Files beyond what fits the control buffer are a protocol error; the kernel has closed those. */
static int take_files(struct connection *connection, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		const int *fds = (const int *)CMSG_DATA(c);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			if (connection->fd_count < WIRE_FDS)
				connection->fds[connection->fd_count++] = fds[i];
			else
				close(fds[i]);
		}
	}
	return msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
}

/*
 * Never more than is left of this message: files arrive with the bytes they were sent with, and
 * must not end up with another message.
 */
static int receive_some(struct connection *connection, size_t len)
{
	union {
		char space[CMSG_SPACE(WIRE_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { connection->message + connection->have, len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(connection->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
	if (!got)
		return -ECONNRESET;
	connection->have += got;
	return take_files(connection, &msg) ?: 1;
}

int connection_receive(struct connection *connection)
{
	const struct wire_header *header = (const void *)connection->message;
	size_t want = sizeof(*header);
	int rc;

	for (;;) {
		if (connection->have >= sizeof(*header)) {
			want = header->size;
			if (want < sizeof(*header) || want > WIRE_MESSAGE)
				return -EPROTO;
		}
		if (connection->have == want)
			return 1;
		rc = receive_some(connection, want - connection->have);
		if (rc <= 0)
			return rc;
	}
}

static int send_all(struct connection *connection, struct iovec *iov, unsigned int count, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = {
		.header = {
			.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		},
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = count };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	while (msg.msg_iovlen) {
		ssize_t sent = sendmsg(connection->fd, &msg, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
		while (msg.msg_iovlen && (size_t)sent >= msg.msg_iov->iov_len) {
			sent -= msg.msg_iov->iov_len;
			msg.msg_iov++;
			msg.msg_iovlen--;
		}
		if (msg.msg_iovlen) {
			msg.msg_iov->iov_base = (uint8_t *)msg.msg_iov->iov_base + sent;
			msg.msg_iov->iov_len -= sent;
		}
	}
	return 0;
}

int connection_reply(struct connection *connection, int error, const void *data, size_t len,
		     int fd)
{
	const struct wire_header *command = (const void *)connection->message;
	struct wire_header header = {
		.id = command->id, .command = command->command,
		.size = sizeof(header) + (error ? 0 : len),
		.flags = WIRE_REPLY | (error ? WIRE_ERROR : 0), .error = -error,
	};
	struct iovec iov[] = { { &header, sizeof(header) }, { (void *)data, len } };

	return send_all(connection, iov, !error && len ? 2 : 1, error ? -1 : fd);
}

int connection_dma_write(struct connection *connection, uint64_t addr, const void *data,
			 uint32_t len)
{
	struct wire_dma dma = { .addr = addr, .count = len };
	struct wire_header header = {
		.id = connection->next_id++, .command = WIRE_DMA_WRITE,
		.size = sizeof(header) + sizeof(dma) + len,
	};
	struct iovec iov[] = {
		{ &header, sizeof(header) }, { &dma, sizeof(dma) }, { (void *)data, len },
	};

	return connection->fd < 0 ? -ENOTCONN : send_all(connection, iov, 3, -1);
}
