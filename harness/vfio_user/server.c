// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "listener.h"
#include "server.h"

#define SETTLE_STEPS 64
#define STEP_NS 1000000		/* when the machine waits for something: time passes in steps */
#define QUEUE_DEPTH 32
#define ATC_ENTRIES 4096
#define TRACE_BYTES (64 << 20)
#define PATIENCE_MS 60000	/* for the first client */

/* ---- Memory and interrupts of the machine ---- */

static bool is_msi(const struct server *server, uint64_t pa)
{
	const struct board_vendor *vendor = server->board->vendor;

	return pa >= vendor->msi_first && pa <= vendor->msi_last;
}

static int memory_read(struct hw_mem *mem, uint64_t pa, void *buf, size_t len)
{
	struct server *server = mem->arg;
	const void *host = client_memory_at(&server->memory, pa, len, false);

	if (!host)
		return -EFAULT;
	memcpy(buf, host, len);
	return 0;
}

static int memory_write(struct hw_mem *mem, uint64_t pa, const void *buf, size_t len)
{
	struct server *server = mem->arg;
	void *host = client_memory_at(&server->memory, pa, len, true);
	uint32_t data;

	if (is_msi(server, pa) && len == sizeof(data)) {
		memcpy(&data, buf, sizeof(data));
		machine_queue_msi(mem, pa, data);
		return 0;
	}
	if (!host)
		return -EFAULT;
	memcpy(host, buf, len);
	return 0;
}

static const struct hw_mem_ops memory_ops = {
	.read = memory_read,
	.write = memory_write,
	.msi = machine_queue_msi,
};

/* What hardware reaches without a call is the largest range: almost all of a guest's memory. */
static void memory_changed(void *arg)
{
	struct server *server = arg;
	const struct client_range *window = client_memory_largest(&server->memory);
	struct hw_mem *mem = &server->machine->mem;

	mem->ram = window ? window->host : NULL;
	mem->base = window ? window->addr : 0;
	mem->size = window ? window->size : 0;
}

/* An AMD IOMMU interrupts by its PCI MSI, and leaves address and data to that. */
static void interrupt(void *arg, uint64_t addr, uint32_t data)
{
	struct server *server = arg;
	struct function *function = &server->units[0].function;

	if (!is_msi(server, addr))
		function_interrupt(function);
	else if (connection_dma_write(&function->connection, addr, &data, sizeof(data)))
		fprintf(stderr, "%s: an MSI could not be sent\n", function->name);
}

static void machine_work(void *arg)
{
	struct server *server = arg;
	const uint64_t one = 1;

	while (write(server->kick, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* ---- Opening ---- */

static int add_function(struct server *server, struct function *function, const char *dir)
{
	int fd = listen_at(dir, function->name);

	if (fd < 0)
		return fd;
	server->listeners[server->function_count] = fd;
	server->functions[server->function_count++] = function;
	return 0;
}

static int open_unit(struct server *server, unsigned int index, const char *dir)
{
	const struct board *board = server->board;
	struct iommu_function *served = &server->units[index];
	struct hw_iommu *iommu = board->vendor->create(server->machine, board, index);
	char name[20];

	if (!iommu)
		return -ENOMEM;
	snprintf(name, sizeof(name), "unit%u", index);
	iommu_function_init(served, name, iommu, board->vendor->class, board->units[index].base,
			    board->vendor->bar, &server->lock);
	board->vendor->describe(&served->function, &board->units[index]);
	config_finish(&served->function.config);
	if (!index) {
		served->function.memory = &server->memory;
		served->function.memory_changed = memory_changed;
		served->function.memory_arg = server;
	}
	return add_function(server, &served->function, dir);
}

static int open_endpoint(struct server *server, unsigned int index, const char *dir)
{
	const struct board_endpoint *wanted = &server->board->endpoints[index];
	struct endpoint_config config = {
		.rid = board_rid(server->board, index), .ats = wanted->ats, .pri = wanted->pri,
		.pasid = wanted->pasid, .ats_queue_depth = QUEUE_DEPTH,
		.global_invalidate = true, .atc_entries = ATC_ENTRIES,
		.answers_while_off = server->board->vendor->answers_while_off,
	};
	struct endpoint *endpoint = endpoint_create(server->machine,
						    server->machine->iommus[wanted->unit],
						    &config);
	char name[20];
	struct endpoint_place place = {
		.name = name, .number = index, .unit = wanted->unit,
		.integrated = !wanted->port,
		.msi_translated = server->board->vendor->msi_translated,
		.settled = server->board->vendor->settled, .moment = &server->moment,
	};
	int rc;

	if (!endpoint)
		return -ENOMEM;
	snprintf(name, sizeof(name), "endpoint%u", index);
	rc = endpoint_function_open(&server->endpoints[index], server->machine, endpoint, &place,
				    &server->lock, machine_work, server);
	return rc ?: add_function(server, &server->endpoints[index].function, dir);
}

int server_open(struct server *server, const struct board *board, const char *dir, uint64_t seed)
{
	int rc = 0;

	memset(server, 0, sizeof(*server));
	server->board = board;
	pthread_rwlock_init(&server->lock, NULL);
	server->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	server->machine = machine_create(0, 0, seed);
	if (server->kick < 0 || !server->machine)
		return -ENOMEM;
	server->machine->mem.ops = &memory_ops;
	server->machine->mem.arg = server;
	server->machine->interrupt = interrupt;
	server->machine->interrupt_arg = server;
	for (unsigned int i = 0; !rc && i < board->unit_count; i++)
		rc = open_unit(server, i, dir);
	for (unsigned int i = 0; !rc && i < board->endpoint_count; i++)
		rc = open_endpoint(server, i, dir);
	return rc;
}

void server_close(struct server *server)
{
	for (unsigned int i = 0; i < server->function_count; i++)
		close(server->listeners[i]);
	for (unsigned int i = 0; i < server->board->endpoint_count; i++)
		if (server->endpoints[i].endpoint)
			endpoint_function_close(&server->endpoints[i]);
	for (unsigned int i = 0; i < server->board->unit_count; i++)
		if (server->units[i].iommu)
			function_disconnect(&server->units[i].function);
	machine_destroy(server->machine);
	client_memory_clear(&server->memory);
	close(server->kick);
	pthread_rwlock_destroy(&server->lock);
}

/* ---- Running ---- */

static void write_trace(struct server *server)
{
	char line[256];

	while (server->trace && ftell(server->trace) < TRACE_BYTES) {
		uint64_t number = hw_trace_read(server->machine->trace, server->traced, line,
						sizeof(line));

		if (number == UINT64_MAX)
			return;
		if (number != server->traced)
			fprintf(server->trace, "... %llu events are lost\n",
				(unsigned long long)(number - server->traced));
		fprintf(server->trace, "%llu %s\n", (unsigned long long)number, line);
		server->traced = number + 1;
	}
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/*
 * Whatever arrives may give the machine something to do, which it does at once. What is not done
 * then (a device that answers late, a request in flight) takes time, and time is counted in steps.
 */
static void advance(struct server *server, bool work)
{
	uint64_t now = now_ns();

	if (!work && (!server->busy || now - server->stepped < STEP_NS))
		return;
	pthread_rwlock_rdlock(&server->lock);
	server->busy = !moment_settle(&server->moment, server->machine, work ? SETTLE_STEPS : 1,
				      now);
	pthread_rwlock_unlock(&server->lock);
	server->stepped = now;
	write_trace(server);
}

static void take_client(struct server *server, unsigned int index)
{
	int fd = accept4(server->listeners[index], NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && function_connect(server->functions[index], fd))
		close(fd);
}

static void serve_client(struct server *server, unsigned int index)
{
	struct function *function = server->functions[index];
	int rc = function_serve(function);

	if (!rc)
		return;
	if (rc != -ECONNRESET)
		fprintf(stderr, "%s: disconnected: %s\n", function->name, strerror(-rc));
	function_disconnect(function);
}

static bool any_client(const struct server *server)
{
	for (unsigned int i = 0; i < server->function_count; i++)
		if (server->functions[i]->connection.fd >= 0)
			return true;
	return false;
}

static bool misplaced(const struct server *server)
{
	for (unsigned int i = 0; i < server->board->unit_count; i++)
		if (server->units[i].misplaced)
			return true;
	return false;
}

/* Clients first, then who wants to become one, then the kick. */
static void fill(const struct server *server, struct pollfd *fds)
{
	unsigned int count = server->function_count;

	for (unsigned int i = 0; i < count; i++) {
		fds[i] = (struct pollfd){ server->functions[i]->connection.fd, POLLIN };
		fds[count + i] = (struct pollfd){ server->listeners[i], POLLIN };
	}
	fds[2 * count] = (struct pollfd){ server->kick, POLLIN };
}

static bool serve(struct server *server, const struct pollfd *fds)
{
	unsigned int count = server->function_count;
	bool work = false;
	uint64_t kicks;

	for (unsigned int i = 0; i < count; i++) {
		if (fds[i].fd >= 0 && fds[i].revents) {
			serve_client(server, i);
			work = true;
		}
		if (fds[count + i].revents)
			take_client(server, i);
	}
	if (fds[2 * count].revents)
		work |= read(server->kick, &kicks, sizeof(kicks)) > 0;
	return work;
}

int server_turn(struct server *server, int timeout_ms)
{
	struct pollfd fds[2 * SERVER_FUNCTIONS + 1];
	int ready;

	fill(server, fds);
	ready = poll(fds, 2 * server->function_count + 1, server->busy ? 1 : timeout_ms);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	advance(server, serve(server, fds));
	return ready;
}

int server_run(struct server *server)
{
	int rc = server_turn(server, PATIENCE_MS);

	if (rc <= 0)
		return rc ?: -ETIMEDOUT;
	while (rc >= 0 && !misplaced(server) && any_client(server))
		rc = server_turn(server, -1);
	return misplaced(server) ? -EADDRNOTAVAIL : rc < 0 ? rc : 0;
}
