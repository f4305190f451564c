// SPDX-License-Identifier: GPL-2.0-only
/* --sanitize fill does what it says: what nobody initialised is no zero. Without it, this fails. */
#include <stdlib.h>

#include "core/test.h"

#define BYTES 256

static bool all_zero(const volatile unsigned char *bytes)
{
	for (unsigned int i = 0; i < BYTES; i++)
		if (bytes[i])
			return false;
	return true;
}

static void __attribute__((noinline)) clear_stack(void)
{
	volatile unsigned char bytes[4 * BYTES];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = 0;
}

static bool __attribute__((noinline)) stack_is_zero(void)
{
	volatile unsigned char bytes[BYTES];	/* on purpose */

	return all_zero(bytes);
}

TEST(stack_and_heap_are_filled)
{
	unsigned char *heap;

	clear_stack();
	EXPECT_FALSE(stack_is_zero());
	heap = malloc(BYTES);
	ASSERT_NE(NULL, heap);
	EXPECT_FALSE(all_zero(heap));
	free(heap);
}

NIT_TEST_MAIN
