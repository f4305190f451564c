// SPDX-License-Identifier: GPL-2.0-only
/* The generator on liburing (harness/load/uring.h), in each way that a buffer gets to a device */
#include "fixture.h"
#include "generate.h"

/* Nothing of what was written may be lost, or come late. */
static void expect_all_right(struct __test_metadata *_metadata, struct load *beside,
			     enum uring_how how, unsigned int block)
{
	struct uring_load load = { .nvme = &beside->nvme, .how = how, .block = block };

	generate(_metadata, &load);
	load_end(_metadata, beside);
	EXPECT_EQ(0, load.wrong)
		check_note("%s", load.what);
	EXPECT_EQ(0, load.late)
		check_note("%s", load.what);
}

TEST_F(load, fixed)
{
	RULE("DMA-01");
	expect_all_right(_metadata, &self->load, URING_FIXED, variant->block);
}

TEST_F(load, fresh)
{
	RULE("DMA-01");
	expect_all_right(_metadata, &self->load, URING_FRESH, variant->block);
}

TEST_F(load, command)
{
	RULE("DMA-01");
	if (variant->block > self->load.nvme.command_max)
		SKIP(return, "the device takes no command of this size");
	expect_all_right(_metadata, &self->load, URING_PASSTHROUGH, variant->block);
}

NIT_TEST_MAIN
