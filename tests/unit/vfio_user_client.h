/* SPDX-License-Identifier: GPL-2.0-only */
/* A vfio-user client for tests: says what it is told to, right or wrong, and reads the answers. */
#ifndef NIT_TESTS_UNIT_VFIO_USER_CLIENT_H
#define NIT_TESTS_UNIT_VFIO_USER_CLIENT_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vfio_user/wire.h"

/** struct client - @reply, @reply_len: what came behind the header of the last reply */
struct client {
	int fd;
	uint16_t id;
	struct wire_header header;
	_Alignas(8) uint8_t reply[WIRE_MESSAGE];
	size_t reply_len;
};

/** client_send() - Bytes and files as they are */
static inline void client_send(struct client *client, const void *bytes, size_t len,
			       const int *fds, unsigned int fd_count)
{
	union {
		char space[CMSG_SPACE(32 * sizeof(int))];
		struct cmsghdr header;
	} control = { .header = {
		.cmsg_len = CMSG_LEN(fd_count * sizeof(int)), .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec iov = { (void *)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd_count) {
		memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	if (sendmsg(client->fd, &msg, MSG_NOSIGNAL) < 0)
		client->header.error = errno;
}

/** client_message() - A well-framed command; a file comes with it unless @fd is -1 */
static inline void client_message(struct client *client, uint16_t command, const void *data,
				  size_t len, int fd)
{
	_Alignas(8) uint8_t message[WIRE_MESSAGE];
	struct wire_header header = {
		.id = client->id++, .command = command, .size = sizeof(header) + len,
	};

	memcpy(message, &header, sizeof(header));
	if (len)
		memcpy(message + sizeof(header), data, len);
	client_send(client, message, header.size, &fd, fd >= 0);
}

/** client_receive() - A reply; 0, -errno that it carries, -EAGAIN: none came, -EPROTO: nonsense */
static inline int client_receive(struct client *client, int flags)
{
	ssize_t got = recv(client->fd, &client->header, sizeof(client->header), flags);

	client->reply_len = 0;
	if (got < 0)
		return -errno;
	if (got != sizeof(client->header) || client->header.size < sizeof(client->header) ||
	    client->header.size > WIRE_MESSAGE)
		return got ? -EPROTO : -ECONNRESET;
	while (client->reply_len < client->header.size - sizeof(client->header)) {
		got = recv(client->fd, client->reply + client->reply_len,
			   client->header.size - sizeof(client->header) - client->reply_len, 0);
		if (got <= 0)
			return -EPROTO;
		client->reply_len += got;
	}
	return client->header.flags & WIRE_ERROR ? -(int)client->header.error : 0;
}

/** client_memory() - A file of @size bytes, sealed as QEMU's are unless @loose */
static inline int client_memory(size_t size, bool loose)
{
	int fd = memfd_create("client", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && !ftruncate(fd, size) && !loose)
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	return fd;
}

#endif
