// SPDX-License-Identifier: GPL-2.0-only
/*
 * Serves a machine of reference hardware to QEMU:
 *
 *	nit-hw --board NAME --dir DIR [--memory MIB] [--trace FILE]
 *
 * DIR gets the sockets, the ACPI table (acpi) or an addition to the device tree (devicetree),
 * QEMU's options, one a line (options), and what guests/init has to do (plan); then it prints
 * "ready". It ends with its last client. NIT_SEED and NIT_FAULT as for a test program. --list
 * prints the boards.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "core/prng.h"
#include "vfio_user/firmware.h"
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
	const struct board_vendor *vendor = board->vendor;
	FILE *file = create(dir, vendor->table ? "acpi" : "devicetree");
	uint8_t table[BOARD_TABLE];

	if (!file)
		return -errno;
	if (vendor->table)
		fwrite(table, 1, vendor->table(board, table), file);
	else
		vendor->devicetree(board, file);
	return fclose(file) ? -EIO : 0;
}

static int write_files(const struct board *board, const char *dir, unsigned int memory)
{
	FILE *options = create(dir, "options"), *plan = create(dir, "plan");

	if (!options || !plan)
		return -errno;
	board_options(board, dir, memory, options);
	board_plan(board, plan);
	return fclose(options) | fclose(plan) ? -EIO : write_table(board, dir);
}

static int open_trace(struct server *server, const char *path)
{
	server->trace = path ? fopen(path, "we") : NULL;
	return path && !server->trace ? -errno : 0;
}

static int run(struct server *server, const struct board *board, const char *dir,
	       unsigned int memory, const char *trace)
{
	struct firmware firmware = {};
	int rc = server_open(server, board, dir, prng_seed()), ended;

	rc = rc ?: firmware_start(&firmware, board, dir);
	rc = rc ?: open_trace(server, trace);
	rc = rc ?: write_files(board, dir, memory);
	if (!rc) {
		puts("ready");
		fflush(stdout);
		rc = server_run(server);
	}
	ended = firmware_end(&firmware);
	return rc ?: ended;
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
