// SPDX-License-Identifier: GPL-2.0-only
/* A program whose every test skips. */
#include "core/test.h"

TEST(skips)
{
	SKIP(return, "needs nothing that there is");
}

NIT_TEST_MAIN
