// SPDX-License-Identifier: GPL-2.0-only
/*
 * Positive controls of this suite: data that change on their way are seen, those that change later
 * are seen, and so is a VM whose invalidations are left out.
 */
#include <time.h>

#include "generate.h"

#define ROUNDS 20
#define BOUND_MS 60000

static bool flipped;

static void flip(const struct uring_load *load, void *buffer, bool compared)
{
	if (compared || flipped)
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

/* No invalidation in any round: the new page is not seen, where the IOMMU has the old one. */
TEST(sees_a_missing_invalidation)
{
	static struct load load;

	RULE("NEST-01");
	load_open(_metadata, &load, "DMA");
	if (!load.device)
		return;
	load.nested.pace = NESTED_STORM;
	load.nested.batch = 0;
	ASSERT_EQ(0, nested_start(&load.nested));
	for (unsigned int ms = 0; ms < BOUND_MS && atomic_load(&load.nested.rounds) < ROUNDS; ms++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	nested_stop(&load.nested);
	EXPECT_LE(ROUNDS, atomic_load(&load.nested.rounds));
	EXPECT_LT(0, load.nested.violations);
	load_close(&load);
}

NIT_TEST_MAIN
