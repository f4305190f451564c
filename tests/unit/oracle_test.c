// SPDX-License-Identifier: GPL-2.0-only
/* The history oracle: which versions a DMA may use. Times are the test's own. */
#include "core/test.h"
#include "oracle/history.h"

static bool may_use(const struct history *history, uint64_t begin, uint64_t end, uint64_t value)
{
	struct history_view view;

	if (!history_view(history, begin, end, &view))
		return true;
	for (unsigned int i = 0; i < view.count; i++)
		if (view.values[i] == value)
			return true;
	return false;
}

/* 1 until 10..11, then 2; nothing invalidated yet */
static void change_at_10(struct history *history)
{
	history_init(history, 1, 0);
	history_change(history, 2, 0, 10);
	history_changed(history, 11);
}

TEST(before_the_change_only_the_old_one)
{
	RULE("NEST-02");
	static struct history history;

	change_at_10(&history);
	EXPECT_TRUE(may_use(&history, 5, 9, 1));
	EXPECT_FALSE(may_use(&history, 5, 9, 2));
	EXPECT_FALSE(may_use(&history, 5, 9, 3));
}

TEST(before_completion_old_or_new_never_a_third)
{
	RULE("NEST-02");
	static struct history history;

	change_at_10(&history);
	EXPECT_TRUE(may_use(&history, 20, 21, 1));
	EXPECT_TRUE(may_use(&history, 20, 21, 2));
	EXPECT_FALSE(may_use(&history, 20, 21, 3));
}

TEST(after_completion_only_the_new_one)
{
	RULE("NEST-01");
	static struct history history;

	change_at_10(&history);
	EXPECT_TRUE(history_invalidated(&history, 12, 15));
	EXPECT_TRUE(may_use(&history, 14, 14, 1));
	EXPECT_FALSE(may_use(&history, 15, 15, 1));
	EXPECT_TRUE(may_use(&history, 15, 15, 2));
}

TEST(dma_that_began_before_completion_may_use_the_old_one)
{
	RULE("NEST-02");
	static struct history history;

	change_at_10(&history);
	history_invalidated(&history, 12, 15);
	EXPECT_TRUE(may_use(&history, 14, 20, 1));
}

TEST(invalidation_that_began_before_the_change_does_not_count)
{
	RULE("NEST-02");
	static struct history history;

	change_at_10(&history);
	EXPECT_FALSE(history_invalidated(&history, 9, 15));
	EXPECT_FALSE(history_invalidated(&history, 10, 15));
	EXPECT_TRUE(may_use(&history, 20, 20, 1));
}

TEST(what_was_not_there_is_not_cached)
{
	RULE("NEST-02");
	static struct history history;

	history_init(&history, HISTORY_NONE, 0);
	history_change(&history, 1, 0, 10);
	history_changed(&history, 11);
	EXPECT_TRUE(may_use(&history, 10, 10, HISTORY_NONE));
	EXPECT_FALSE(may_use(&history, 11, 11, HISTORY_NONE));
}

TEST(versions_in_between_are_usable_until_invalidated)
{
	RULE("NEST-02");
	static struct history history;

	change_at_10(&history);
	history_change(&history, 3, 0, 20);
	history_changed(&history, 21);
	for (uint64_t value = 1; value <= 3; value++)
		EXPECT_TRUE(may_use(&history, 30, 30, value));
	history_invalidated(&history, 15, 31);
	EXPECT_FALSE(may_use(&history, 31, 31, 1));
	EXPECT_TRUE(may_use(&history, 31, 31, 2));
	history_invalidated(&history, 22, 32);
	EXPECT_FALSE(may_use(&history, 32, 32, 2));
}

TEST(forgotten_versions_are_said_to_be_unknown)
{
	RULE("NEST-02");
	static struct history history;
	struct history_view view;

	history_init(&history, 0, 0);
	for (uint64_t i = 1; i <= HISTORY_VERSIONS; i++) {
		history_change(&history, i, 0, 10 * i);
		history_changed(&history, 10 * i + 1);
		history_invalidated(&history, 10 * i + 2, 10 * i + 3);
	}
	EXPECT_TRUE(history_view(&history, 1000, 1000, &view));
	EXPECT_TRUE(history_view(&history, 13, 20, &view));
	EXPECT_FALSE(history_view(&history, 12, 20, &view));
}

NIT_TEST_MAIN
