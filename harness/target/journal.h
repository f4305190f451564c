/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test asked of the kernel and of devices, as lines: the evidence of a target that cannot
 * look into its hardware. The newest JOURNAL_LINES are kept.
 */
#ifndef NIT_TARGET_JOURNAL_H
#define NIT_TARGET_JOURNAL_H

#include <stdint.h>

#include "core/dma.h"
#include "ktrace.h"

#define JOURNAL_LINES 64
#define JOURNAL_LINE 160

/**
 * struct journal - @count: lines ever added
 * @kmsg: the kernel's log from here on, or -1; @ktrace: its trace events
 */
struct journal {
	uint64_t count;
	int kmsg;
	struct ktrace ktrace;
	char lines[JOURNAL_LINES][JOURNAL_LINE];
};

void journal_open(struct journal *journal);
void journal_close(struct journal *journal);

void journal_add(struct journal *journal, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** journal_ioctl() - An iommufd call that came back with @rc; @done: entries handled */
void journal_ioctl(struct journal *journal, unsigned long request, const void *arg, int rc);

/** journal_dma() - A DMA of device number @device, and what became of it */
void journal_dma(struct journal *journal, unsigned int device, const struct dma *dma,
		 enum dma_status status);

/** journal_mark(), journal_read() - As struct target_ops has them */
uint64_t journal_mark(struct journal *journal);
uint64_t journal_read(struct journal *journal, uint64_t number, char *line, unsigned int size);

#endif
