// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "function.h"

#define MESSAGES_AT_ONCE 64	/* then the others have their turn */

static const char version_capabilities[] =
	"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":4096}}";

/**
 * struct request - a command being answered
 * @data, @len: what came behind the header; @reply, @reply_len, @reply_fd: what goes back
 */
struct request {
	const uint8_t *data;
	size_t len;
	_Alignas(8) uint8_t reply[WIRE_MESSAGE];
	size_t reply_len;
	int reply_fd;
};

static void answer(struct request *request, const void *data, size_t len)
{
	memcpy(request->reply + request->reply_len, data, len);
	request->reply_len += len;
}

/* Files that came with the message: taken, they are the caller's. */
static int take_fd(struct function *function, unsigned int index)
{
	struct connection *connection = &function->connection;
	int fd = index < connection->fd_count ? connection->fds[index] : -1;

	if (fd >= 0)
		connection->fds[index] = -1;
	return fd;
}

/* ---- Version, memory ---- */

static int version(struct function *function, struct request *request)
{
	const struct wire_version *theirs = (const void *)request->data;
	struct wire_version ours = { WIRE_MAJOR, WIRE_MINOR };

	if (function->greeted || theirs->major != WIRE_MAJOR)
		return -EINVAL;
	function->greeted = true;
	answer(request, &ours, sizeof(ours));
	answer(request, version_capabilities, sizeof(version_capabilities));
	return 0;
}

static int dma_map(struct function *function, struct request *request)
{
	const struct wire_dma_map *map = (const void *)request->data;
	const struct connection *connection = &function->connection;
	int rc;

	if (!(map->flags & WIRE_MAP_READ) || connection->fd_count > 1)
		return -EINVAL;
	if (!function->memory)
		return 0;
	rc = client_memory_map(function->memory, connection->fd_count ? connection->fds[0] : -1,
			       map->offset, map->addr, map->size, map->flags & WIRE_MAP_WRITE);
	function->memory_changed(function->memory_arg);
	return rc;
}

static int dma_unmap(struct function *function, struct request *request)
{
	const struct wire_dma_unmap *unmap = (const void *)request->data;
	int rc = 0;

	if (unmap->flags & ~WIRE_UNMAP_ALL)
		return -EINVAL;
	if (function->memory) {
		rc = unmap->flags & WIRE_UNMAP_ALL ?
		     client_memory_unmap(function->memory, 0, UINT64_MAX) :
		     client_memory_unmap(function->memory, unmap->addr, unmap->size);
		function->memory_changed(function->memory_arg);
	}
	answer(request, unmap, sizeof(*unmap));
	return rc;
}

/* ---- What the function has ---- */

static int device_info(struct function *function, struct request *request)
{
	const struct wire_device_info info = {
		.argsz = sizeof(info), .flags = WIRE_DEVICE_RESETS | WIRE_DEVICE_PCI,
		.regions = WIRE_REGIONS, .irqs = WIRE_IRQS,
	};

	answer(request, &info, sizeof(info));
	return 0;
}

static uint64_t region_size(const struct function *function, uint32_t index)
{
	if (index < WIRE_BARS)
		return function->bars[index].size;
	return index == WIRE_CONFIG ? CONFIG_SIZE : 0;
}

static int region_info(struct function *function, struct request *request)
{
	const struct wire_region_info *asked = (const void *)request->data;
	struct wire_region_info info = { .argsz = sizeof(info), .index = asked->index };

	if (asked->index >= WIRE_REGIONS)
		return -EINVAL;
	info.size = region_size(function, asked->index);
	if (info.size)
		info.flags = WIRE_REGION_READS | WIRE_REGION_WRITES;
	if (asked->index < WIRE_BARS && info.size && function->bars[asked->index].fd >= 0) {
		info.flags |= WIRE_REGION_MMAP;
		request->reply_fd = function->bars[asked->index].fd;
	}
	answer(request, &info, sizeof(info));
	return 0;
}

/* ---- Interrupts ---- */

static unsigned int irq_count(const struct function *function, uint32_t index)
{
	return index == WIRE_MSI ? function->msi_count : 0;
}

static int irq_info(struct function *function, struct request *request)
{
	const struct wire_irq_info *asked = (const void *)request->data;
	struct wire_irq_info info = {
		.argsz = sizeof(info), .flags = WIRE_IRQ_EVENTFD | WIRE_IRQ_NORESIZE,
		.index = asked->index, .count = irq_count(function, asked->index),
	};

	if (asked->index >= WIRE_IRQS)
		return -EINVAL;
	answer(request, &info, sizeof(info));
	return 0;
}

static void set_msi(struct function *function, int fd)
{
	if (function->msi_fd >= 0)
		close(function->msi_fd);
	function->msi_fd = fd;
}

static int set_irqs(struct function *function, struct request *request)
{
	const struct wire_set_irqs *set = (const void *)request->data;

	if (set->index >= WIRE_IRQS || !(set->flags & WIRE_SET_TRIGGER))
		return -EINVAL;
	if (set->start > irq_count(function, set->index) ||
	    set->count > irq_count(function, set->index) - set->start)
		return -EINVAL;
	if (set->flags & WIRE_SET_EVENTFD && set->count)
		set_msi(function, take_fd(function, 0));
	else if (set->flags & WIRE_SET_NONE && !set->count)
		set_msi(function, -1);
	else if (set->flags & WIRE_SET_NONE)
		function_interrupt(function);
	else if (set->count)
		return -EOPNOTSUPP;
	return 0;
}

void function_interrupt(struct function *function)
{
	const uint64_t one = 1;

	/* Full means that as many are pending as there can be. */
	if (function->msi_fd >= 0 && write(function->msi_fd, &one, sizeof(one)) < 0 &&
	    errno != EAGAIN)
		fprintf(stderr, "%s: an MSI is lost: %s\n", function->name, strerror(errno));
}

/* ---- Accesses ---- */

static bool is_inside(const struct function *function, const struct wire_access *access)
{
	uint64_t size = access->region < WIRE_REGIONS ? region_size(function, access->region) : 0;

	return access->count && access->count <= WIRE_DATA && access->offset < size &&
	       access->count <= size - access->offset;
}

static int region_read(struct function *function, struct request *request)
{
	const struct wire_access *access = (const void *)request->data;
	uint8_t data[WIRE_DATA] = {};
	int rc;

	if (!is_inside(function, access))
		return -EINVAL;
	if (access->region == WIRE_CONFIG)
		rc = config_read(&function->config, access->offset, data, access->count);
	else
		rc = function->ops->bar_read(function, access->region, access->offset, data,
					     access->count);
	answer(request, access, sizeof(*access));
	answer(request, data, access->count);
	return rc;
}

static int region_write(struct function *function, struct request *request)
{
	const struct wire_access *access = (const void *)request->data;
	const uint8_t *data = request->data + sizeof(*access);
	int rc;

	if (!is_inside(function, access) || request->len - sizeof(*access) < access->count)
		return -EINVAL;
	answer(request, access, sizeof(*access));
	if (access->region != WIRE_CONFIG)
		return function->ops->bar_write(function, access->region, access->offset, data,
						access->count);
	rc = config_write(&function->config, access->offset, data, access->count);
	if (config_take_flr(&function->config)) {
		config_reset(&function->config);
		function->ops->reset(function);
	}
	function->ops->configured(function);
	return rc;
}

static int device_reset(struct function *function, struct request *request)
{
	config_reset(&function->config);
	function->ops->reset(function);
	function->ops->configured(function);
	return 0;
}

/* ---- Messages ---- */

/** struct command - @least: bytes behind the header; @exclusive: with the lock for writing */
static const struct command {
	int (*handle)(struct function *function, struct request *request);
	size_t least;
	bool exclusive;
} commands[WIRE_COMMANDS] = {
	[WIRE_VERSION] = { version, sizeof(struct wire_version) },
	[WIRE_DMA_MAP] = { dma_map, sizeof(struct wire_dma_map), true },
	[WIRE_DMA_UNMAP] = { dma_unmap, sizeof(struct wire_dma_unmap), true },
	[WIRE_DEVICE_INFO] = { device_info, sizeof(uint32_t) },
	[WIRE_REGION_INFO] = { region_info, sizeof(struct wire_region_info) },
	[WIRE_IRQ_INFO] = { irq_info, sizeof(struct wire_irq_info) },
	[WIRE_SET_IRQS] = { set_irqs, sizeof(struct wire_set_irqs) },
	[WIRE_REGION_READ] = { region_read, sizeof(struct wire_access) },
	[WIRE_REGION_WRITE] = { region_write, sizeof(struct wire_access) },
	[WIRE_DEVICE_RESET] = { device_reset, 0 },
};

static int handle(struct function *function, const struct wire_header *header,
		  struct request *request)
{
	const struct command *command;
	int rc;

	if (header->command >= WIRE_COMMANDS || !commands[header->command].handle)
		return -EOPNOTSUPP;
	command = &commands[header->command];
	if (request->len < command->least ||
	    (!function->greeted && header->command != WIRE_VERSION))
		return -EINVAL;
	if (command->exclusive)
		pthread_rwlock_wrlock(function->lock);
	else
		pthread_rwlock_rdlock(function->lock);
	rc = command->handle(function, request);
	pthread_rwlock_unlock(function->lock);
	return rc;
}

/* A reply is to a write of an MSI, the only command that we send, and which nobody waits for. */
static int replied(const struct function *function, const struct wire_header *header)
{
	if (header->flags & WIRE_ERROR)
		fprintf(stderr, "%s: the client refused an MSI (%s): is bus mastering off?\n",
			function->name, strerror(header->error));
	return header->command == WIRE_DMA_WRITE ? 0 : -EPROTO;
}

static int dispatch(struct function *function)
{
	struct connection *connection = &function->connection;
	const struct wire_header *header = (const void *)connection->message;
	struct request request = {
		.data = connection->message + sizeof(*header),
		.len = header->size - sizeof(*header), .reply_fd = -1,
	};
	int rc;

	if ((header->flags & WIRE_TYPE) == WIRE_REPLY)
		return replied(function, header);
	if (header->flags & WIRE_TYPE)
		return -EPROTO;
	rc = handle(function, header, &request);
	if (header->flags & WIRE_NO_REPLY)
		return 0;
	return connection_reply(connection, rc, request.reply, request.reply_len,
				request.reply_fd);
}

int function_serve(struct function *function)
{
	for (unsigned int n = 0; n < MESSAGES_AT_ONCE; n++) {
		int rc = connection_receive(&function->connection);

		if (rc <= 0)
			return rc;
		rc = dispatch(function);
		connection_done(&function->connection);
		if (rc)
			return rc;
	}
	return 0;
}

void function_init(struct function *function, const char *name, const struct function_ops *ops,
		   void *priv, pthread_rwlock_t *lock)
{
	*function = (struct function){
		.ops = ops, .priv = priv, .lock = lock, .msi_fd = -1, .connection.fd = -1,
	};
	snprintf(function->name, sizeof(function->name), "%s", name);
	for (unsigned int i = 0; i < WIRE_BARS; i++)
		function->bars[i].fd = -1;
}

int function_connect(struct function *function, int fd)
{
	if (function->connection.fd >= 0)
		return -EBUSY;
	connection_open(&function->connection, fd);
	function->greeted = false;
	return 0;
}

void function_disconnect(struct function *function)
{
	if (function->connection.fd < 0)
		return;
	connection_close(&function->connection);
	set_msi(function, -1);
	pthread_rwlock_wrlock(function->lock);
	if (function->memory) {
		client_memory_unmap(function->memory, 0, UINT64_MAX);
		function->memory_changed(function->memory_arg);
		client_memory_clear(function->memory);
	}
	config_reset(&function->config);
	function->ops->reset(function);
	function->ops->configured(function);
	pthread_rwlock_unlock(function->lock);
}
