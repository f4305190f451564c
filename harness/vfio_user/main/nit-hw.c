// SPDX-License-Identifier: GPL-2.0-only
/*
 * Serves a machine of reference hardware to QEMU:
 *
 *	nit-hw --board NAME --dir DIR [--memory MIB] [--trace FILE]
 *
 * DIR gets the sockets, the ACPI table (acpi), what guests/init has to do (plan), and last, when
 * all is ready, QEMU's options, one a line (options). It ends with its last client. NIT_SEED and
 * NIT_FAULT as for a test program. --list prints the boards.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "core/prng.h"
#include "vfio_user/server.h"

#define MEMORY_MIB 512
#define MEMORY_MOST 2048	/* above, firmware moves the registers */

static void list(void)
{
	for (unsigned int i = 0; board_at(i); i++)
		printf("%s\n", board_at(i)->name);
}

static FILE *create(const char *dir, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return fopen(path, "we");
}

static int write_table(const struct board *board, const char *dir)
{
	uint8_t table[BOARD_TABLE];
	size_t len = board->vendor->table(board, table);
	FILE *file = create(dir, "acpi");

	if (!file || fwrite(table, 1, len, file) != len || fclose(file))
		return -errno;
	return 0;
}

static int write_plan(const struct board *board, const char *dir)
{
	FILE *file = create(dir, "plan");

	if (!file)
		return -errno;
	board_plan(board, file);
	return fclose(file) ? -errno : 0;
}

/* Under another name first: whoever waits for them finds them whole. */
static int write_options(const struct board *board, const char *dir, unsigned int memory)
{
	char from[4096], to[4096];
	FILE *file = create(dir, "options.part");

	if (!file)
		return -errno;
	board_options(board, dir, memory, file);
	if (fclose(file))
		return -errno;
	snprintf(from, sizeof(from), "%s/options.part", dir);
	snprintf(to, sizeof(to), "%s/options", dir);
	return rename(from, to) ? -errno : 0;
}

static int open_trace(struct server *server, const char *path)
{
	server->trace = path ? fopen(path, "we") : NULL;
	return path && !server->trace ? -errno : 0;
}

static int run(struct server *server, const struct board *board, const char *dir,
	       unsigned int memory, const char *trace)
{
	int rc = server_open(server, board, dir, prng_seed());

	rc = rc ?: open_trace(server, trace);
	rc = rc ?: write_table(board, dir);
	rc = rc ?: write_plan(board, dir);
	rc = rc ?: write_options(board, dir, memory);
	return rc ?: server_run(server);
}

static int usage(void)
{
	fprintf(stderr, "usage: nit-hw --board NAME --dir DIR [--memory MIB] [--trace FILE]\n"
		"       nit-hw --list\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "board", required_argument, NULL, 'b' },
		{ "dir", required_argument, NULL, 'd' },
		{ "memory", required_argument, NULL, 'm' },
		{ "trace", required_argument, NULL, 't' },
		{ "list", no_argument, NULL, 'l' },
		{},
	};
	static struct server server;
	const struct board *board = NULL;
	const char *dir = NULL, *trace = NULL;
	unsigned int memory = MEMORY_MIB;
	int option, rc;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'b')
			board = board_find(optarg);
		else if (option == 'd')
			dir = optarg;
		else if (option == 'm')
			memory = atoi(optarg);
		else if (option == 't')
			trace = optarg;
		else if (option == 'l')
			return list(), 0;
		else
			return usage();
	}
	if (!board || !dir || memory < 64 || memory > MEMORY_MOST)
		return usage();
	rc = run(&server, board, dir, memory, trace);
	if (rc)
		fprintf(stderr, "nit-hw: %s: %s\n", board->name, strerror(-rc));
	server_close(&server);
	return rc ? 1 : 0;
}
