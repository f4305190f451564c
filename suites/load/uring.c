// SPDX-License-Identifier: GPL-2.0-only
/* The generator on liburing (harness/load/uring.h), in each way that a buffer gets to a device */
#include "load.h"
#include "load/uring.h"

#define DEPTH 16

static void generate(struct __test_metadata *_metadata, struct uring_load *load)
{
	load->depth = DEPTH;
	load->seconds = load_seconds();
	load->seed = prng_seed();
	EXPECT_EQ(0, uring_load(load))
		check_note("%s", load->what);
	figure_time("requests", load->requests, "1");
	figure_time("requests_per_s", load->requests / load->took_s, "1/s");
	figure_time("bytes_per_s", load->bytes / load->took_s, "B/s");
}

/* Nothing of what was written may be lost, or come late. */
static void expect_all_right(struct __test_metadata *_metadata, struct _test_data_load *self,
			     enum uring_how how, unsigned int block)
{
	struct uring_load load = { .nvme = &self->nvme, .how = how, .block = block };

	generate(_metadata, &load);
	load_end(_metadata, self);
	EXPECT_LE(2 * DEPTH, load.requests);
	EXPECT_EQ(0, load.wrong)
		check_note("%s", load.what);
	EXPECT_EQ(0, load.late)
		check_note("%s", load.what);
}

TEST_F(load, fixed)
{
	RULE("DMA-01");
	expect_all_right(_metadata, self, URING_FIXED, variant->block);
}

TEST_F(load, fresh)
{
	RULE("DMA-01");
	expect_all_right(_metadata, self, URING_FRESH, variant->block);
}

TEST_F(load, command)
{
	RULE("DMA-01");
	if (variant->block > self->nvme.command_max)
		SKIP(return, "the device takes no command of this size");
	expect_all_right(_metadata, self, URING_PASSTHROUGH, variant->block);
}

/* Positive controls: data that change on their way are seen, and so are those that change later. */
static bool flipped;

static void flip(const struct uring_load *load, void *buffer, bool compared)
{
	if (compared || flipped || load->requests < 10 * DEPTH)
		return;
	((uint8_t *)buffer)[load->block - 1] ^= 1;
	flipped = true;
}

static void flip_later(const struct uring_load *load, void *buffer, bool compared)
{
	if (compared)
		flip(load, buffer, false);
}

static void generate_and(struct __test_metadata *_metadata, struct uring_load *load)
{
	static struct nvme nvme;
	int rc = nvme_open(&nvme, "DMA");

	if (rc == -ENODEV)
		SKIP(return, NO_NVME);
	ASSERT_EQ(0, rc);
	load->nvme = &nvme;
	generate(_metadata, load);
}

TEST(sees_wrong_data)
{
	struct uring_load load = { .how = URING_FIXED, .block = 4 << 10, .meddle = flip };

	RULE("DMA-01");
	generate_and(_metadata, &load);
	EXPECT_EQ(1, load.wrong);
}

TEST(sees_late_writes)
{
	struct uring_load load = { .how = URING_FIXED, .block = 4 << 10, .meddle = flip_later };

	RULE("DMA-01");
	generate_and(_metadata, &load);
	EXPECT_EQ(0, load.wrong);
	EXPECT_EQ(1, load.late);
}

NIT_TEST_MAIN
