// SPDX-License-Identifier: GPL-2.0-only
/*
 * One function behind a socket, and clients that are as wrong as they can be: every answer is an
 * error of the protocol or the end of the connection.
 */
#include <dirent.h>

#include "core/test.h"
#include "vfio_user/function.h"

#include "vfio_user_client.h"

enum { BAR_SIZE = 0x1000, FILE_SIZE = 0x10000, BUS = 0x40000000 };

FIXTURE(function) {
	pthread_rwlock_t lock;
	struct client_memory memory;
	struct function function;
	struct client client;
	unsigned int changes;
	unsigned int resets;
	uint8_t bar[BAR_SIZE];
	int file;
};

static FIXTURE_DATA(function) *fixture;

static int bar_read(struct function *function, unsigned int bar, uint64_t offset, void *data,
		    uint32_t len)
{
	memcpy(data, fixture->bar + offset, len);
	return 0;
}

static int bar_write(struct function *function, unsigned int bar, uint64_t offset,
		     const void *data, uint32_t len)
{
	memcpy(fixture->bar + offset, data, len);
	return 0;
}

static void configured(struct function *function)
{
}

static void reset(struct function *function)
{
	fixture->resets++;
}

static void memory_changed(void *arg)
{
	fixture->changes++;
}

static const struct function_ops ops = { bar_read, bar_write, configured, reset };

/* Send, let the function serve, read the answer. -ENOTCONN: it wants the client to go. */
static int call(FIXTURE_DATA(function) *self, uint16_t command, const void *data, size_t len,
		int fd)
{
	client_message(&self->client, command, data, len, fd);
	if (function_serve(&self->function))
		return -ENOTCONN;
	return client_receive(&self->client, MSG_DONTWAIT);
}

static int greet(FIXTURE_DATA(function) *self, uint16_t major)
{
	struct wire_version version = { .major = major };

	return call(self, WIRE_VERSION, &version, sizeof(version), -1);
}

static int map(FIXTURE_DATA(function) *self, int fd, uint64_t offset, uint64_t addr, uint64_t size)
{
	struct wire_dma_map message = {
		.argsz = sizeof(message), .flags = WIRE_MAP_READ | WIRE_MAP_WRITE,
		.offset = offset, .addr = addr, .size = size,
	};

	return call(self, WIRE_DMA_MAP, &message, sizeof(message), fd);
}

static int unmap(FIXTURE_DATA(function) *self, uint32_t flags, uint64_t addr, uint64_t size)
{
	struct wire_dma_unmap message = {
		.argsz = sizeof(message), .flags = flags, .addr = addr, .size = size,
	};

	return call(self, WIRE_DMA_UNMAP, &message, sizeof(message), -1);
}

static int access_region(FIXTURE_DATA(function) *self, uint16_t command, uint32_t region,
			 uint64_t offset, uint32_t count, uint64_t value, size_t len)
{
	struct {
		struct wire_access access;
		uint64_t value;
	} message = { { offset, region, count }, value };

	return call(self, command, &message, sizeof(message.access) + len, -1);
}

static int read_region(FIXTURE_DATA(function) *self, uint32_t region, uint64_t offset,
		       uint32_t count)
{
	return access_region(self, WIRE_REGION_READ, region, offset, count, 0, 0);
}

static uint32_t config32(FIXTURE_DATA(function) *self, uint64_t offset)
{
	uint32_t value = 0;

	if (!read_region(self, WIRE_CONFIG, offset, sizeof(value)))
		memcpy(&value, self->client.reply + sizeof(struct wire_access), sizeof(value));
	return value;
}

static int config_put(FIXTURE_DATA(function) *self, uint64_t offset, uint32_t value)
{
	return access_region(self, WIRE_REGION_WRITE, WIRE_CONFIG, offset, 4, value, 4);
}

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

FIXTURE_SETUP(function)
{
	int pair[2];

	fixture = self;
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pthread_rwlock_init(&self->lock, NULL);
	function_init(&self->function, "test", &ops, NULL, &self->lock);
	config_init(&self->function.config, 0x1234, 0x5678, 0xff0000);
	config_bar(&self->function.config, 0, BAR_SIZE);
	config_add_express(&self->function.config, true, true);
	config_add_msi(&self->function.config);
	config_add_ats(&self->function.config, 0);
	config_add_pri(&self->function.config);
	config_add_pasid(&self->function.config, 20);
	config_finish(&self->function.config);
	self->function.bars[0].size = BAR_SIZE;
	self->function.msi_count = 1;
	self->function.memory = &self->memory;
	self->function.memory_changed = memory_changed;
	self->client.fd = pair[0];
	self->file = client_memory(FILE_SIZE, false);
	ASSERT_EQ(0, function_connect(&self->function, pair[1]));
	ASSERT_EQ(0, greet(self, WIRE_MAJOR));
}

FIXTURE_TEARDOWN(function)
{
	function_disconnect(&self->function);
	EXPECT_EQ(0, self->memory.range_count);
	EXPECT_EQ(0, self->memory.file_count);
	close(self->client.fd);
	close(self->file);
}

/* ---- Framing ---- */

TEST_F(function, version_once_and_of_a_major_that_we_speak)
{
	struct wire_device_info info = { .argsz = sizeof(info) };

	EXPECT_EQ(-EINVAL, greet(self, WIRE_MAJOR));
	self->function.greeted = false;
	EXPECT_EQ(-EINVAL, call(self, WIRE_DEVICE_INFO, &info, sizeof(info), -1));
	EXPECT_EQ(-EINVAL, greet(self, WIRE_MAJOR + 1));
	EXPECT_EQ(0, greet(self, WIRE_MAJOR));
	EXPECT_EQ(0, call(self, WIRE_DEVICE_INFO, &info, sizeof(info), -1));
}

TEST_F(function, message_byte_by_byte)
{
	struct wire_header header = {
		.command = WIRE_DEVICE_INFO, .size = sizeof(header) + sizeof(uint32_t),
	};
	uint8_t bytes[sizeof(header) + sizeof(uint32_t)] = {};

	memcpy(bytes, &header, sizeof(header));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		EXPECT_EQ(-EAGAIN, client_receive(&self->client, MSG_DONTWAIT));
		client_send(&self->client, bytes + i, 1, NULL, 0);
		EXPECT_EQ(0, function_serve(&self->function));
	}
	EXPECT_EQ(0, client_receive(&self->client, MSG_DONTWAIT));
}

TEST_F(function, sizes_that_no_message_has)
{
	static const uint32_t sizes[] = { 0, 15, WIRE_MESSAGE + 1, 0x80000000, UINT32_MAX };

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct wire_header header = { .command = WIRE_DEVICE_RESET, .size = sizes[i] };
		int pair[2];

		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		function_disconnect(&self->function);
		ASSERT_EQ(0, function_connect(&self->function, pair[1]));
		close(self->client.fd);
		self->client.fd = pair[0];
		client_send(&self->client, &header, sizeof(header), NULL, 0);
		EXPECT_EQ(-EPROTO, function_serve(&self->function));
	}
}

TEST_F(function, client_that_leaves_in_a_message)
{
	struct wire_header header = { .command = WIRE_DMA_MAP, .size = 48 };

	client_send(&self->client, &header, sizeof(header), &self->file, 1);
	shutdown(self->client.fd, SHUT_RDWR);
	EXPECT_EQ(-ECONNRESET, function_serve(&self->function));
}

TEST_F(function, payloads_that_are_too_short)
{
	static const uint8_t zeros[64];

	for (uint16_t command = WIRE_DMA_MAP; command < WIRE_DEVICE_RESET; command++) {
		bool known = command != WIRE_REGION_IO_FDS && command != WIRE_DMA_READ &&
			     command != WIRE_DMA_WRITE;

		EXPECT_EQ(known ? -EINVAL : -EOPNOTSUPP, call(self, command, zeros, 3, -1)) {
			check_note("command %u", command);
		}
	}
	EXPECT_EQ(0, self->changes);
}

TEST_F(function, commands_that_nobody_knows)
{
	EXPECT_EQ(-EOPNOTSUPP, call(self, 0, NULL, 0, -1));
	EXPECT_EQ(-EOPNOTSUPP, call(self, WIRE_COMMANDS, NULL, 0, -1));
	EXPECT_EQ(-EOPNOTSUPP, call(self, UINT16_MAX, NULL, 0, -1));
	EXPECT_EQ(0, call(self, WIRE_DEVICE_RESET, NULL, 0, -1));
	EXPECT_EQ(1, self->resets);
}

TEST_F(function, answers_to_what_was_not_asked)
{
	struct wire_header header = {
		.command = WIRE_DMA_READ, .size = sizeof(header), .flags = WIRE_REPLY,
	};

	client_send(&self->client, &header, sizeof(header), NULL, 0);
	EXPECT_EQ(-EPROTO, function_serve(&self->function));
}

TEST_F(function, no_reply_is_none)
{
	struct wire_header header = {
		.command = WIRE_DEVICE_RESET, .size = sizeof(header), .flags = WIRE_NO_REPLY,
	};

	client_send(&self->client, &header, sizeof(header), NULL, 0);
	EXPECT_EQ(0, function_serve(&self->function));
	EXPECT_EQ(-EAGAIN, client_receive(&self->client, MSG_DONTWAIT));
	EXPECT_EQ(1, self->resets);
}

TEST_F(function, files_that_nobody_wants_are_closed)
{
	unsigned int before = open_files();
	int fds[WIRE_FDS];
	struct wire_header header = { .command = WIRE_DEVICE_RESET, .size = sizeof(header) };

	for (unsigned int i = 0; i < WIRE_FDS; i++)
		fds[i] = self->file;
	client_send(&self->client, &header, sizeof(header), fds, WIRE_FDS);
	EXPECT_EQ(0, function_serve(&self->function));
	EXPECT_EQ(0, client_receive(&self->client, MSG_DONTWAIT));
	EXPECT_EQ(before, open_files());
}

TEST_F(function, more_files_than_a_message_may_have)
{
	unsigned int before = open_files();
	int fds[WIRE_FDS + 8];
	struct wire_header header = { .command = WIRE_DEVICE_RESET, .size = sizeof(header) };

	for (unsigned int i = 0; i < WIRE_FDS + 8; i++)
		fds[i] = self->file;
	client_send(&self->client, &header, sizeof(header), fds, WIRE_FDS + 8);
	EXPECT_EQ(-EPROTO, function_serve(&self->function));
	function_disconnect(&self->function);
	EXPECT_EQ(before - 1, open_files());
}

/* ---- Regions and interrupts ---- */

TEST_F(function, accesses_outside_a_region)
{
	EXPECT_EQ(0, read_region(self, 0, BAR_SIZE - 8, 8));
	EXPECT_EQ(-EINVAL, read_region(self, 0, BAR_SIZE - 4, 8));
	EXPECT_EQ(-EINVAL, read_region(self, 0, BAR_SIZE, 1));
	EXPECT_EQ(-EINVAL, read_region(self, 0, UINT64_MAX, 2));
	EXPECT_EQ(-EINVAL, read_region(self, 0, 0, 0));
	EXPECT_EQ(-EINVAL, read_region(self, 0, 0, UINT32_MAX));
	EXPECT_EQ(-EINVAL, read_region(self, 1, 0, 4));
	EXPECT_EQ(-EINVAL, read_region(self, WIRE_ROM, 0, 4));
	EXPECT_EQ(-EINVAL, read_region(self, WIRE_REGIONS, 0, 4));
	EXPECT_EQ(-EINVAL, read_region(self, UINT32_MAX, 0, 4));
	EXPECT_EQ(0, read_region(self, WIRE_CONFIG, 0, CONFIG_SIZE));
	EXPECT_EQ(-EINVAL, read_region(self, WIRE_CONFIG, 1, CONFIG_SIZE));
}

TEST_F(function, write_with_less_data_than_it_says)
{
	EXPECT_EQ(0, access_region(self, WIRE_REGION_WRITE, 0, 8, 8, ~0ull, 8));
	EXPECT_EQ(-EINVAL, access_region(self, WIRE_REGION_WRITE, 0, 16, 8, ~0ull, 7));
	EXPECT_EQ(-EINVAL, access_region(self, WIRE_REGION_WRITE, 0, 16, BAR_SIZE - 16, 0, 8));
	EXPECT_EQ(0xff, self->bar[15]);
	EXPECT_EQ(0, self->bar[16]);
}

TEST_F(function, interrupts_that_there_are_not)
{
	static const struct wire_set_irqs wrong[] = {
		{ 20, WIRE_SET_EVENTFD | WIRE_SET_TRIGGER, WIRE_MSI, 0, 2 },
		{ 20, WIRE_SET_EVENTFD | WIRE_SET_TRIGGER, WIRE_MSI, 2, 0 },
		{ 20, WIRE_SET_EVENTFD | WIRE_SET_TRIGGER, WIRE_MSI, 1, UINT32_MAX },
		{ 20, WIRE_SET_EVENTFD | WIRE_SET_TRIGGER, WIRE_MSIX, 0, 1 },
		{ 20, WIRE_SET_EVENTFD | WIRE_SET_TRIGGER, WIRE_IRQS, 0, 0 },
		{ 20, WIRE_SET_EVENTFD, WIRE_MSI, 0, 1 },
	};
	struct wire_irq_info info = { .argsz = sizeof(info), .index = WIRE_IRQS };

	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		EXPECT_EQ(-EINVAL, call(self, WIRE_SET_IRQS, &wrong[i], sizeof(wrong[i]),
					self->file)) {
			check_note("number %u", i);
		}
	}
	EXPECT_EQ(-EINVAL, call(self, WIRE_IRQ_INFO, &info, sizeof(info), -1));
	EXPECT_EQ(-1, self->function.msi_fd);
}

/* ---- Configuration space ---- */

TEST_F(function, bar_tells_its_size)
{
	EXPECT_EQ(0, config_put(self, 0x10, UINT32_MAX));
	EXPECT_EQ(~(BAR_SIZE - 1u), config32(self, 0x10));
	EXPECT_EQ(0, config_put(self, 0x10, 0xfe600000));
	EXPECT_EQ(0xfe600000, config32(self, 0x10));
	EXPECT_EQ(0, config_put(self, 0x14, UINT32_MAX));
	EXPECT_EQ(0, config32(self, 0x14));
}

TEST_F(function, identity_cannot_be_written)
{
	EXPECT_EQ(0, config_put(self, 0, 0));
	EXPECT_EQ(0x56781234, config32(self, 0));
}

TEST_F(function, capabilities_are_a_list)
{
	static const uint8_t wanted[] = { 0x10, 0x05 };
	static const uint16_t extended[] = { 0x0f, 0x13, 0x1b };
	unsigned int at = config32(self, 0x34) & 0xff;

	for (unsigned int i = 0; i < sizeof(wanted); i++) {
		EXPECT_EQ(wanted[i], config32(self, at) & 0xff);
		at = config32(self, at) >> 8 & 0xff;
	}
	EXPECT_EQ(0, at);
	at = 0x100;
	for (unsigned int i = 0; i < sizeof(extended) / sizeof(extended[0]); i++) {
		EXPECT_EQ(extended[i], config32(self, at) & 0xffff);
		at = config32(self, at) >> 20;
	}
	EXPECT_EQ(0, at);
}

TEST_F(function, pri_stops_and_starts)
{
	struct config_space *config = &self->function.config;

	EXPECT_EQ(0x8100, config32(self, config->pri + 4) >> 16);
	EXPECT_EQ(0, config_put(self, config->pri + 4, 1));
	EXPECT_EQ(0x8000, config32(self, config->pri + 4) >> 16);
	EXPECT_TRUE(config_pri_on(config));
	EXPECT_EQ(0, config_put(self, config->pri + 4, 0));
	EXPECT_EQ(0x8100, config32(self, config->pri + 4) >> 16);
}

TEST_F(function, level_reset_turns_everything_off)
{
	struct config_space *config = &self->function.config;

	EXPECT_EQ(0, config_put(self, CONFIG_COMMAND, CONFIG_COMMAND_MASTER));
	EXPECT_EQ(0, config_put(self, config->ats + 4, 0x80000000));
	EXPECT_EQ(0, config_put(self, config->pasid + 4, 0x00010000));
	EXPECT_TRUE(config_bus_master(config));
	EXPECT_TRUE(config_ats_on(config));
	EXPECT_TRUE(config_pasid_on(config));
	EXPECT_EQ(0, config_put(self, config->express + 8, 0x8000));
	EXPECT_EQ(1, self->resets);
	EXPECT_FALSE(config_bus_master(config));
	EXPECT_FALSE(config_ats_on(config));
	EXPECT_FALSE(config_pasid_on(config));
	EXPECT_EQ(0, config32(self, config->express + 8) & 0x8000);
}

/* ---- Memory ---- */

TEST_F(function, memory_is_where_it_was_mapped)
{
	uint8_t *host;

	EXPECT_EQ(0, map(self, self->file, 0x1000, BUS, 0x2000));
	host = client_memory_at(&self->memory, BUS + 0x1ff8, 8, true);
	ASSERT_NE(NULL, host);
	*host = 0x5a;
	EXPECT_EQ(1, pread(self->file, self->client.reply, 1, 0x2ff8));
	EXPECT_EQ(0x5a, self->client.reply[0]);
	EXPECT_EQ(NULL, client_memory_at(&self->memory, BUS + 0x1ff9, 8, true));
	EXPECT_EQ(NULL, client_memory_at(&self->memory, BUS - 1, 1, true));
	EXPECT_EQ(0, unmap(self, 0, BUS, 0x2000));
	EXPECT_EQ(NULL, client_memory_at(&self->memory, BUS, 8, true));
	EXPECT_EQ(2, self->changes);
}

TEST_F(function, ranges_that_cannot_be)
{
	EXPECT_EQ(-EINVAL, map(self, self->file, 0, BUS, 0));
	EXPECT_EQ(-EINVAL, map(self, self->file, 0, BUS + 1, 0x1000));
	EXPECT_EQ(-EINVAL, map(self, self->file, 0, BUS, 0x1001));
	EXPECT_EQ(-EINVAL, map(self, self->file, 1, BUS, 0x1000));
	EXPECT_EQ(-EINVAL, map(self, self->file, 0, -0x1000ull, 0x2000));
	EXPECT_EQ(-EINVAL, map(self, self->file, 0, BUS, FILE_SIZE + 0x1000));
	EXPECT_EQ(-EINVAL, map(self, self->file, -0x1000ull, BUS, 0x1000));
	EXPECT_EQ(-EINVAL, map(self, self->client.fd, 0, BUS, 0x1000));
	EXPECT_EQ(0, self->memory.range_count);
}

TEST_F(function, memory_that_the_client_could_take_away)
{
	int loose = client_memory(FILE_SIZE, true);

	EXPECT_EQ(-EPERM, map(self, loose, 0, BUS, 0x1000));
	close(loose);
}

TEST_F(function, memory_without_a_file_is_not_reachable)
{
	EXPECT_EQ(0, map(self, -1, 0, BUS, 0x1000));
	EXPECT_EQ(NULL, client_memory_at(&self->memory, BUS, 8, false));
	EXPECT_EQ(NULL, client_memory_largest(&self->memory));
	EXPECT_EQ(-EEXIST, map(self, self->file, 0, BUS, 0x1000));
}

TEST_F(function, overlaps_and_parts)
{
	EXPECT_EQ(0, map(self, self->file, 0, BUS, 0x4000));
	EXPECT_EQ(-EEXIST, map(self, self->file, 0, BUS + 0x3000, 0x2000));
	EXPECT_EQ(-EEXIST, map(self, self->file, 0, BUS - 0x1000, 0x2000));
	EXPECT_EQ(-EINVAL, unmap(self, 0, BUS, 0x1000));
	EXPECT_EQ(-EINVAL, unmap(self, 0, BUS + 0x1000, UINT64_MAX));
	EXPECT_EQ(-EINVAL, unmap(self, 0, BUS, 0));
	EXPECT_EQ(-EINVAL, unmap(self, 4, BUS, 0x4000));
	EXPECT_EQ(1, self->memory.range_count);
	EXPECT_EQ(0, unmap(self, WIRE_UNMAP_ALL, 0, 0));
	EXPECT_EQ(0, self->memory.range_count);
}

TEST_F(function, more_ranges_than_there_is_room_for)
{
	for (unsigned int i = 0; i < CLIENT_RANGES; i++)
		ASSERT_EQ(0, map(self, self->file, 0, BUS + i * 0x1000ull, 0x1000));
	EXPECT_EQ(-ENOSPC, map(self, self->file, 0, BUS - 0x1000, 0x1000));
	EXPECT_EQ(1, self->memory.file_count);
}

TEST_F(function, more_files_than_there_is_room_for)
{
	for (unsigned int i = 0; i <= CLIENT_FILES; i++) {
		int file = client_memory(FILE_SIZE, false);

		EXPECT_EQ(i < CLIENT_FILES ? 0 : -ENOSPC,
			  map(self, file, 0, BUS + i * 0x1000ull, 0x1000)) {
			check_note("number %u", i);
		}
		close(file);
	}
}

NIT_TEST_MAIN
