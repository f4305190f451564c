// SPDX-License-Identifier: GPL-2.0-only
/*
 * fio, as it is, on its jobs (suites/bench/NAME.fio), in a guest that has both: /usr/bin/fio and
 * /nit/jobs. What it reports goes to the results as it is; runner/fio.jq makes figures of it.
 */
#include <ctype.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

#define FIO "/usr/bin/fio"
#define JOBS "/nit/jobs/"
#define REPORT "/tmp/fio.json"

/* fio expands variables of the environment in a job. */
static void fio_exec(const struct nvme *nvme, const char *job, const char *block, double seconds)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), JOBS "%s.fio", job);
	snprintf(text, sizeof(text), "%.0f", seconds * 1000);
	setenv("DEVICE", nvme->block, 1);
	setenv("BLOCK", block, 1);
	setenv("MILLISECONDS", text, 1);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)prng_seed());
	setenv("SEED", text, 1);
	execl(FIO, "fio", "--output-format=json", "--output=" REPORT, path, (char *)NULL);
	_exit(127);
}

/* The report on one line: a line of the port is what arrives whole, or not at all. */
static void print_report(FILE *report)
{
	char line[4096];

	printf("# fio ");
	while (fgets(line, sizeof(line), report)) {
		const char *text = line;

		while (isspace((unsigned char)*text))
			text++;
		line[strcspn(line, "\n")] = 0;
		fputs(text, stdout);
	}
	putchar('\n');
	fflush(stdout);
}

static void run(struct __test_metadata *_metadata, struct _test_data_load *self, const char *job,
		const char *block)
{
	FILE *report;
	int status;
	pid_t pid;

	if (access(FIO, X_OK))
		SKIP(return, "needs fio in the guest");
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		fio_exec(&self->nvme, job, block, load_seconds());
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	load_end(_metadata, self);
	report = fopen(REPORT, "re");
	ASSERT_NE(NULL, report);
	print_report(report);
	fclose(report);
}

TEST_F(load, verify_4k)
{
	RULE("DMA-01");
	run(_metadata, self, "verify", "4k");
}

TEST_F(load, verify_64k)
{
	RULE("DMA-01");
	run(_metadata, self, "verify", "64k");
}

TEST_F(load, verify_1m)
{
	RULE("DMA-01");
	run(_metadata, self, "verify", "1m");
}

TEST_F(load, rate_4k)
{
	RULE("DMA-01");
	run(_metadata, self, "rate", "4k");
}

TEST_F(load, rate_64k)
{
	RULE("DMA-01");
	run(_metadata, self, "rate", "64k");
}

TEST_F(load, rate_1m)
{
	RULE("DMA-01");
	run(_metadata, self, "rate", "1m");
}

NIT_TEST_MAIN
