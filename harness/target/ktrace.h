/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own trace events of IOMMUs (Documentation/trace/events.rst), where the running
 * kernel has them: what its driver says it does, beside what hardware saw.
 *
 * NIT_TRACING in the environment is where tracefs is mounted, as a guest's init says; it is nobody
 * else's then. Without it nothing is traced.
 */
#ifndef NIT_TARGET_KTRACE_H
#define NIT_TARGET_KTRACE_H

#define KTRACE_LINES 12

/** struct ktrace - @fd: of trace_pipe, or -1: this kernel has no such events */
struct ktrace {
	int fd;
};

/** ktrace_open() - From here on they are recorded */
void ktrace_open(struct ktrace *ktrace);
void ktrace_close(struct ktrace *ktrace);

/** ktrace_read() - @add each of the newest KTRACE_LINES since the last call, the oldest first */
void ktrace_read(struct ktrace *ktrace, void (*add)(void *arg, const char *line), void *arg);

#endif
