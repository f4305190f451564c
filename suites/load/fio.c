// SPDX-License-Identifier: GPL-2.0-only
/*
 * fio, as it is, on its jobs (suites/bench/NAME.fio), in a guest that has both: /usr/bin/fio and
 * /nit/jobs. What it reports goes to the results as it is; runner/fio.jq makes figures of it.
 */
#include <ctype.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#define FIO "/usr/bin/fio"
#define JOBS "/nit/jobs/"
#define REPORT "/tmp/fio.json"

/* fio expands variables of the environment in a job. */
static void fio_exec(const struct nvme *nvme, const char *job, unsigned int block, double seconds)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), JOBS "%s.fio", job);
	snprintf(text, sizeof(text), "%.0f", seconds * 1000);
	setenv("DEVICE", nvme->block, 1);
	setenv("MILLISECONDS", text, 1);
	snprintf(text, sizeof(text), "%u", block);
	setenv("BLOCK", text, 1);
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

static void run(struct __test_metadata *_metadata, struct load *beside, const char *job,
		unsigned int block)
{
	FILE *report;
	int status;
	pid_t pid;

	if (access(FIO, X_OK))
		SKIP(return, "needs fio in the guest");
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		fio_exec(&beside->nvme, job, block, load_seconds());
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	load_end(_metadata, beside);
	report = fopen(REPORT, "re");
	ASSERT_NE(NULL, report);
	print_report(report);
	fclose(report);
}

TEST_F(load, verify)
{
	RULE("DMA-01");
	run(_metadata, &self->load, "verify", variant->block);
}

TEST_F(load, rate)
{
	RULE("DMA-01");
	run(_metadata, &self->load, "rate", variant->block);
}

NIT_TEST_MAIN
