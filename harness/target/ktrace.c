// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ktrace.h"

#define LINE 160
#define AT_MOST (4 << 20)	/* bytes in one go: events that come faster than they are read */

/* Systems of events, of which a kernel has those that it was built with */
static const char * const systems[] = { "intel_iommu", "iommu" };

static int open_file(const char *file, int flags)
{
	const char *tracing = getenv("NIT_TRACING");
	char path[128];

	if (!tracing || !*tracing)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", tracing, file);
	return open(path, flags | O_CLOEXEC);
}

static bool put(const char *file, const char *text)
{
	int fd = open_file(file, O_WRONLY | O_TRUNC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, text, strlen(text)) > 0;
	close(fd);
	return done;
}

static bool enable(const char *text)
{
	bool any = false;
	char file[64];

	for (unsigned int i = 0; i < sizeof(systems) / sizeof(*systems); i++) {
		snprintf(file, sizeof(file), "events/%s/enable", systems[i]);
		any |= put(file, text);
	}
	return any;
}

void ktrace_open(struct ktrace *ktrace)
{
	ktrace->fd = -1;
	put("trace", "\n");	/* of the test before */
	put("trace_options", "nocontext-info");
	if (enable("1"))
		ktrace->fd = open_file("trace_pipe", O_RDONLY | O_NONBLOCK);
}

void ktrace_close(struct ktrace *ktrace)
{
	if (ktrace->fd < 0)
		return;
	enable("0");
	close(ktrace->fd);
	ktrace->fd = -1;
}

/** struct newest - a ring of lines; @len: of the one that is coming */
struct newest {
	char lines[KTRACE_LINES][LINE];
	unsigned int count;
	unsigned int len;
};

static void take(struct newest *newest, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char *line = newest->lines[newest->count % KTRACE_LINES];

		line[newest->len] = '\0';
		if (text[i] == '\n' && newest->len) {
			newest->count++;
			newest->len = 0;
		} else if (text[i] != '\n' && newest->len < LINE - 1) {
			line[newest->len++] = text[i];
		}
	}
}

void ktrace_read(struct ktrace *ktrace, void (*add)(void *arg, const char *line), void *arg)
{
	struct newest newest = {};
	char text[4096];
	size_t all = 0;
	ssize_t len;

	while (ktrace->fd >= 0 && all < AT_MOST &&
	       (len = read(ktrace->fd, text, sizeof(text))) > 0) {
		take(&newest, text, len);
		all += len;
	}
	for (unsigned int i = newest.count > KTRACE_LINES ? newest.count - KTRACE_LINES : 0;
	     i < newest.count; i++)
		add(arg, newest.lines[i % KTRACE_LINES]);
}
