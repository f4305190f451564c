/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a check says when it fails, the rule it stands for, and how many checks there were.
 * Knows nothing of the test harness: core/test.h connects the two.
 */
#ifndef NIT_CORE_CHECK_H
#define NIT_CORE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/** struct check - one comparison that came out wrong */
struct check {
	const char *file;
	int line;
	const char *expected_expr;
	const char *observed_expr;
	const char *op;		/* how the two should have compared: "==", "<", ... */
	uintmax_t expected;
	uintmax_t observed;
	bool expected_signed;
	bool observed_signed;
};

/**
 * check_rule() - Name the rule that the following checks of this process stand for
 * @id: a line of rules.tsv, for instance "UAPI-17"
 *
 * Also prints it, so that the results say which rules a test covered.
 */
void check_rule(const char *id);

/** check_count() - Count one check made; the count is shared by all processes of the program */
void check_count(void);

/** check_failed() - Print a failed check: rule, place, expression, expected, observed */
void check_failed(const struct check *check);

/** check_note() - Print a line of evidence for the reader of a failure */
void check_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** check_begin() - Start counting; print the totals when the calling process exits */
void check_begin(void);

/** errno_name() - "EINVAL" for EINVAL; "?" for a number that is no errno */
const char *errno_name(int error);

#endif
