// SPDX-License-Identifier: GPL-2.0-only
/* A program that ends in the middle of its tests, as a crash of the harness itself would. */
#include "core/test.h"

TEST(passes)
{
	EXPECT_EQ(1, 1);
}

TEST(kills_its_program)
{
	kill(getppid(), SIGKILL);
}

TEST(is_never_run)
{
	EXPECT_EQ(1, 1);
}

NIT_TEST_MAIN
