/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own kselftest harness, with checks that name their rule.
 *
 * kselftest_harness.h comes from the kernel source in use. This header changes two things of it:
 * its one reporting primitive, so that a failed EXPECT_* or ASSERT_* prints rule, expression,
 * expected, observed and errno name (core/check.h); and main(), which can also list the tests.
 * A test program is one file that includes this header and ends with NIT_TEST_MAIN.
 */
#ifndef NIT_CORE_TEST_H
#define NIT_CORE_TEST_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"

#include "check.h"
#include "fault.h"
#include "prng.h"

/* How long the port may take for a line, on a machine with other work */
#define NIT_HEARD_MS 60000

/* A bound for tests that never end; emulated machines are slow, debug kernels on them slower. */
#ifndef NIT_TEST_TIMEOUT
#define NIT_TEST_TIMEOUT 120
#endif
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT NIT_TEST_TIMEOUT

/** RULE() - the following checks of this test stand for rule @id of rules.tsv */
#define RULE(id) check_rule(id)

#undef __EXPECT
#define __EXPECT(_expected, _expected_str, _seen, _seen_str, _t, _assert) do { \
	__typeof__(_expected) __exp = (_expected); \
	__typeof__(_seen) __seen = (_seen); \
	check_count(); \
	if (!(__exp _t __seen)) { \
		check_failed(&(struct check){ \
			.file = __FILE__, .line = __LINE__, .op = #_t, \
			.expected_expr = _expected_str, .observed_expr = _seen_str, \
			.expected = (uintmax_t)__exp, .observed = (uintmax_t)__seen, \
			.expected_signed = is_signed_var(__exp), \
			.observed_signed = is_signed_var(__seen), \
		}); \
		_metadata->exit_code = KSFT_FAIL; \
		_metadata->trigger = 1; \
	} \
} while (0); OPTIONAL_HANDLER(_assert)

/*
 * One name a line, as the results spell it. A fixture without variants has one unnamed variant.
 */
static inline int nit_list_tests(void)
{
	struct __fixture_variant_metadata unnamed = { .name = "" }, *variant;
	struct __fixture_metadata *fixture;
	struct __test_metadata *test;

	for (fixture = __fixture_list; fixture; fixture = fixture->next)
		for (variant = fixture->variant ?: &unnamed; variant; variant = variant->next)
			for (test = fixture->tests; test; test = test->next)
				printf("%s%s%s.%s\n", fixture->name, variant->name[0] ? "." : "",
				       variant->name, test->name);
	return 0;
}

static inline void nit_die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static pid_t nit_harness;	/* the process that prints "RUN", and forks each test */

/*
 * NIT_TEST_TIMEOUT in the environment: seconds that no test may exceed, whatever it asked for; and
 * a harness that is killed takes its tests with it, which are processes in groups of their own.
 */
static inline void nit_bound_tests(void)
{
	const char *limit = getenv("NIT_TEST_TIMEOUT");
	struct __fixture_metadata *fixture;
	struct __test_metadata *test;

	if (!limit || atoi(limit) <= 0)
		return;
	pthread_atfork(NULL, NULL, nit_die_with_parent);
	for (fixture = __fixture_list; fixture; fixture = fixture->next)
		for (test = fixture->tests; test; test = test->next)
			if (test->timeout > atoi(limit))
				test->timeout = atoi(limit);
}

/*
 * NIT_HEARD in the environment: a file descriptor from which a byte comes when the line " RUN ..."
 * has arrived. A test that takes the machine down may not begin before: its victim would be the
 * test whose result was still on its way. Tests fork, too, but wait for nobody. A program that
 * inherits the descriptor, but is not listened to, goes on after a while.
 */
static inline void nit_wait_until_heard(void)
{
	const char *heard = getenv("NIT_HEARD");
	struct pollfd answer = { .fd = heard ? atoi(heard) : -1, .events = POLLIN };
	char byte;

	if (heard && getpid() == nit_harness && poll(&answer, 1, NIT_HEARD_MS) == 1 &&
	    read(answer.fd, &byte, 1) < 0)
		perror("NIT_HEARD");
}

static inline void nit_report_before_tests(void)
{
	nit_harness = getpid();
	pthread_atfork(nit_wait_until_heard, NULL, NULL);
}

static inline void nit_list_fault(const struct fault *fault, void *arg)
{
	printf("%s\t%s\n", fault->name, fault->what);
}

/** NIT_TEST_MAIN - instead of TEST_HARNESS_MAIN; "--list-tests", "--list-faults" print the names */
#define NIT_TEST_MAIN \
	int main(int argc, char **argv) \
	{ \
		if (argc == 2 && !strcmp(argv[1], "--list-tests")) \
			return nit_list_tests(); \
		if (argc == 2 && !strcmp(argv[1], "--list-faults")) { \
			fault_each(nit_list_fault, NULL); \
			return 0; \
		} \
		nit_bound_tests(); \
		nit_report_before_tests(); \
		check_begin(); \
		return test_harness_run(argc, argv); \
	}

#endif
