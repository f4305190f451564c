// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server of reference hardware against clients and guests that nobody wrote: messages, files,
 * registers and descriptors, right in form or not. Nothing may crash it, and it must go on serving.
 *
 * For libFuzzer and by itself as iommu_fuzz.c says, whose sources it needs, and
 * harness/vfio_user/[a-z]*.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vfio_user/server.h"

#include "../unit/vfio_user_client.h"
#include "random.h"

enum { MEMORY = 1 << 20, OPERATIONS = 64 };

/** struct input - what is left of the bytes; past their end all is 0 */
struct input {
	const uint8_t *data;
	size_t size;
};

static const struct board *board;
static char dir[] = "/tmp/nit-vfio-user.XXXXXX";
static int memory_file;

static uint64_t take(struct input *input, size_t bytes)
{
	uint64_t value = 0;

	for (; bytes--; value = value << 8 | (input->size ? *input->data++ : 0))
		if (input->size)
			input->size--;
	return value;
}

/* Numbers that mean something, or are next to one that does */
static uint64_t number(struct input *input)
{
	static const uint64_t known[] = {
		0, 1, 2, 4, 8, 0x100, 0xfff, 0x1000, 0x80000, 0xfffff, 0x100000, 0xfee00000,
		0x7fffffff, 0x80000000, 0xffffffff, 1ull << 63, UINT64_MAX, 0x88, 0x18, 0x1000,
	};
	uint8_t how = take(input, 1);

	if (how < 64)
		return known[how % (sizeof(known) / sizeof(known[0]))] + how / 20 - 1;
	return how < 128 ? how - 64 : take(input, how & 7);
}

/* ---- Operations ---- */

static void raw(struct server *server, struct client *client, struct input *input)
{
	uint8_t bytes[64];
	size_t len = take(input, 1) % sizeof(bytes);

	for (size_t i = 0; i < len; i++)
		bytes[i] = take(input, 1);
	client_send(client, bytes, len, &memory_file, take(input, 1) & 1);
}

static void command(struct server *server, struct client *client, struct input *input)
{
	uint64_t words[8];
	uint16_t what = take(input, 1) % (WIRE_COMMANDS + 2);

	for (unsigned int i = 0; i < 8; i++)
		words[i] = number(input);
	client_message(client, what, words, number(input) % sizeof(words),
		       take(input, 1) & 1 ? memory_file : -1);
}

static void map_memory(struct server *server, struct client *client, struct input *input)
{
	struct wire_dma_map map = {
		.argsz = sizeof(map), .flags = take(input, 1) & 3, .offset = number(input) << 12,
		.addr = number(input) << 12, .size = number(input) << 12,
	};

	client_message(client, WIRE_DMA_MAP, &map, sizeof(map), memory_file);
}

static void write_region(struct server *server, struct client *client, struct input *input)
{
	struct {
		struct wire_access access;
		uint64_t value;
	} message = {
		{ .region = take(input, 1) & 7, .count = 4 << (take(input, 1) & 1) },
	};

	message.access.offset = number(input) & ~3ull;
	message.value = number(input);
	client_message(client, WIRE_REGION_WRITE, &message, sizeof(message), -1);
}

static void post(struct server *server, struct client *client, struct input *input)
{
	struct endpoint_function *served = &server->endpoints[take(input, 1) & 1];
	struct served_ring *ring = (struct served_ring *)served->ring.memory;
	uint32_t slot = ring->tail % SERVED_SLOTS;
	struct served_descriptor descriptor = {
		.op = take(input, 1) % 16, .engine = number(input), .pasid = number(input),
		.kind = take(input, 1) & 3, .address = take(input, 1) & 3,
		.addr = number(input), .value = number(input), .len = number(input),
		.flags = take(input, 1),
	};

	memcpy(served->ring.memory + SERVED_DESCRIPTORS + slot * sizeof(descriptor), &descriptor,
	       sizeof(descriptor));
	__atomic_store_n(&ring->tail, ring->tail + (take(input, 1) < 250 ? 1 : number(input)),
			 __ATOMIC_RELEASE);
	ring_doorbell(&served->ring);
}

static void leave(struct server *server, struct client *client, struct input *input)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

static void (* const operations[])(struct server *server, struct client *client,
				   struct input *input) = {
	raw, command, command, map_memory, write_region, write_region, post, post, leave,
};

/* ---- One input ---- */

/* As a client that has agreed on the version, which random bytes rarely do */
static void arrive(struct function *function, struct client *client)
{
	struct wire_version version = {};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		abort();
	function_disconnect(function);
	if (function_connect(function, pair[1]))
		abort();
	*client = (struct client){ .fd = pair[0] };
	client_message(client, WIRE_VERSION, &version, sizeof(version), -1);
}

/* Take what has been said, so that nobody waits for room. */
static void listen_to(struct client *client)
{
	char bytes[4096];

	while (client->fd >= 0 && recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	board = board_find("vtd");
	memory_file = client_memory(MEMORY, false);
	/* The server's complaints; a sanitizer's go to the file descriptor. */
	stderr = fopen("/dev/null", "w");
	if (!mkdtemp(dir) || memory_file < 0 || !stderr)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct server server;
	struct input input = { data, size };
	struct client clients[2];
	char path[64];

	if (server_open(&server, board, dir, 1))
		abort();
	for (unsigned int i = 0; i < 2; i++)
		arrive(server.functions[i * board->unit_count], &clients[i]);
	for (unsigned int n = 0; input.size && n < OPERATIONS; n++) {
		unsigned int who = take(&input, 1) & 1;

		if (clients[who].fd < 0)
			arrive(server.functions[who * board->unit_count], &clients[who]);
		operations[take(&input, 1) % (sizeof(operations) / sizeof(operations[0]))](
			&server, &clients[who], &input);
		if (server_turn(&server, 0) < 0)
			abort();
		listen_to(&clients[who]);
	}
	for (unsigned int i = 0; i < 2; i++)
		leave(&server, &clients[i], &input);
	for (unsigned int i = 0; i < server.function_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, server.functions[i]->name);
		unlink(path);
	}
	server_close(&server);
	return 0;
}

#ifdef NIT_FUZZ_RANDOM
int main(int argc, char **argv)
{
	fuzz_random(argc, argv, NULL);
	rmdir(dir);
	return 0;
}
#endif
