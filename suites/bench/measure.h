/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one operation costs: a VM with every cache warm, exact counts of what the operation did and
 * of what it takes until all is warm again, where the hardware counts, and samples of how long it
 * took.
 */
#ifndef NIT_SUITES_BENCH_MEASURE_H
#define NIT_SUITES_BENCH_MEASURE_H

#include <errno.h>
#include <stdlib.h>

#include "core/figure.h"
#include "target/target.h"
#include "vmm/vm.h"

#define PAGE VM_PAGE
#define IOVA 0x7f1200000000
#define PAGES 256		/* mapped in each space */
#define WARM_PAGES 64		/* of them in the caches, where an operation needs no more */
#define SAMPLES 250		/* four runs of them have a p99.9 */
#define SAMPLES_IN_GUEST 50	/* whose CPU is emulated, mostly: times say little */
#define SAMPLES_LEAST 4		/* of large batches */
#define LARGE_BATCH 256

/**
 * struct bench - a VM whose devices all use the same spaces
 * @most_warm: pages of a space that are read; 1 where all memory is searched for a DMA
 * @spaces: of the RIDs, and where a test adds it of PASID 1
 * @page: guest physical; what IOVA + n * PAGE of every space is mapped to
 */
struct bench {
	struct target target;
	struct vm vm;
	unsigned int space_count;
	struct vm_space spaces[2];
	unsigned int most_warm;
	unsigned int samples;
	uint64_t page[PAGES];
};

/**
 * struct operation - what is measured; functions return 0 or -errno
 * @run: the operation; @undo: what puts back what it took away, not measured; NULL: nothing
 * @space, @first, @pages: @pages pages of @space from @first on are what it has to remove
 * @warm: pages of each space that are warm before
 * @entries: of one call; more of them are sampled less often
 */
struct operation {
	int (*run)(struct bench *bench, const struct operation *operation);
	int (*undo)(struct bench *bench, const struct operation *operation);
	struct vm_space *space;
	unsigned int first;
	unsigned int pages;
	unsigned int warm;
	unsigned int entries;
};

/* @device reads a page of @space; untranslated, and then by its ATC. Did it reach the right one? */
static inline bool read_page(struct bench *bench, unsigned int device, struct vm_space *space,
			     unsigned int page)
{
	bool ats = bench->vm.devices[device].ats, good = true;

	for (unsigned int by_atc = 0; by_atc <= ats; by_atc++) {
		uint64_t data = 0;
		struct dma dma = {
			.op = DMA_READ, .address = by_atc ? DMA_ATS : DMA_PLAIN,
			.pasid = space->pasid, .addr = IOVA + page * PAGE, .len = sizeof(data),
			.data = &data,
		};

		good &= bench->target.ops->dma(&bench->target, device, 0, &dma) == DMA_DONE &&
			vm_name(data) == bench->page[page];
	}
	return good;
}

static inline bool read_pages(struct bench *bench, struct vm_space *space, unsigned int first,
			      unsigned int count)
{
	bool good = true;

	count = count < bench->most_warm ? count : bench->most_warm;
	for (unsigned int d = 0; d < bench->vm.device_count; d++)
		for (unsigned int page = first; page < first + count; page++)
			good &= read_page(bench, d, space, page);
	return good;
}

/** warm_up() - All devices read @count pages of all spaces; false: one reached a wrong page */
static inline bool warm_up(struct bench *bench, unsigned int count)
{
	bool good = true;

	for (unsigned int i = 0; i < bench->space_count; i++)
		good &= read_pages(bench, &bench->spaces[i], 0, count);
	return good;
}

/**
 * struct took - what one operation took: nanoseconds of it all, and of the calls in it where the
 * target says so
 */
struct took {
	double ns;
	double call_ns;
};

static inline int counts_now(struct bench *bench, struct counts *counts)
{
	return bench->target.ops->counts(&bench->target, counts);
}

static inline uint64_t calls_now(struct bench *bench)
{
	return bench->target.ops->call_ns ? bench->target.ops->call_ns(&bench->target) : 0;
}

static inline int run_once(struct bench *bench, const struct operation *operation,
			   struct took *took)
{
	uint64_t calls = calls_now(bench), began = figure_now();
	int rc = operation->run(bench, operation);

	took->ns = figure_now() - began;
	took->call_ns = calls_now(bench) - calls;
	return rc;
}

static inline int undo(struct bench *bench, const struct operation *operation)
{
	return operation->undo ? operation->undo(bench, operation) : 0;
}

/* What the operation did itself; an ATC has no more than it had */
static inline void print_done(const struct counts *before, const struct counts *after)
{
	figure_count("commands", after->commands - before->commands, "commands");
	figure_count("syncs", after->syncs - before->syncs, "syncs");
	figure_count("ats_invalidates", after->ats_invalidates - before->ats_invalidates,
		     "messages");
	figure_count("removed", after->removed - before->removed, "entries");
	figure_count("over_removed", after->over_removed - before->over_removed, "entries");
	figure_count("atc_removed", before->cached - after->cached, "entries");
}

/*
 * A miss of a page that the operation was about was needed; of another it was one too many, whoever
 * is to blame: a command that can say no less, the guest, the hypervisor, or the hardware.
 */
static inline int count_misses(struct bench *bench, const struct operation *operation)
{
	struct counts cold, named, all;
	int rc = counts_now(bench, &cold);

	if (!rc && !read_pages(bench, operation->space, operation->first, operation->pages))
		rc = -EFAULT;
	rc = rc ?: counts_now(bench, &named);
	if (!rc && !warm_up(bench, operation->warm))
		rc = -EFAULT;
	rc = rc ?: counts_now(bench, &all);
	if (rc)
		return rc;
	figure_count("needed", named.walks - cold.walks, "misses");
	figure_count("over", all.walks - named.walks, "misses");
	figure_count("table_reads", all.table_reads - cold.table_reads, "reads");
	return 0;
}

/* @operation on warm caches, and what was counted right before and behind it */
static inline int run_counted(struct bench *bench, const struct operation *operation,
			      struct counts *before, struct counts *after)
{
	struct took took;
	int rc = warm_up(bench, operation->warm) ? counts_now(bench, before) : -EFAULT;

	rc = rc ?: run_once(bench, operation, &took);
	rc = rc ?: counts_now(bench, after);
	return rc ?: undo(bench, operation);
}

static inline int count_one(struct bench *bench, const struct operation *operation)
{
	struct counts before, after;
	int rc = run_counted(bench, operation, &before, &after);

	if (rc)
		return rc;
	print_done(&before, &after);
	return count_misses(bench, operation);
}

/* What only every tenth operation issues is not seen in one, unless that is a large batch. */
static inline int count_many(struct bench *bench, const struct operation *operation)
{
	uint64_t commands = 0, syncs = 0, messages = 0;

	if (operation->entries >= LARGE_BATCH)
		return 0;
	for (unsigned int i = 0; i < 20; i++) {
		struct counts before, after;
		int rc = run_counted(bench, operation, &before, &after);

		if (rc)
			return rc;
		commands += after.commands - before.commands;
		syncs += after.syncs - before.syncs;
		messages += after.ats_invalidates - before.ats_invalidates;
	}
	figure_count("commands_of_20", commands, "commands");
	figure_count("syncs_of_20", syncs, "syncs");
	figure_count("ats_invalidates_of_20", messages, "messages");
	return 0;
}

static inline int measure_counts(struct bench *bench, const struct operation *operation)
{
	if (target_lacks(&bench->target, TARGET_COUNTS))
		return 0;
	return count_one(bench, operation) ?: count_many(bench, operation);
}

static inline unsigned int samples_of(const struct bench *bench, const struct operation *operation)
{
	unsigned int samples = bench->samples / (1 + operation->entries / 32);

	return samples > SAMPLES_LEAST ? samples : SAMPLES_LEAST;
}

static inline int measure_times(struct bench *bench, const struct operation *operation)
{
	unsigned int count = samples_of(bench, operation);
	double latency[count], call[count], recovery[count];

	for (unsigned int i = 0; i < count; i++) {
		struct took took;
		uint64_t began;
		int rc = warm_up(bench, operation->warm) ? run_once(bench, operation, &took) :
			 -EFAULT;

		rc = rc ?: undo(bench, operation);
		if (rc)
			return rc;
		latency[i] = took.ns;
		call[i] = took.call_ns;
		began = figure_now();
		if (!warm_up(bench, operation->warm))
			return -EFAULT;
		recovery[i] = figure_now() - began;
	}
	if (bench->target.ops->call_ns)
		figure_costs("call", call, count);
	figure_times("latency", latency, count, "ns");
	if (!target_lacks(&bench->target, TARGET_COUNTS))
		figure_times("recovery", recovery, count, "ns");
	return 0;
}

/** measure() - Exactly what @operation costs on warm caches, then how long it takes */
static inline int measure(struct bench *bench, struct operation operation)
{
	operation.space = operation.space ?: &bench->spaces[0];
	operation.warm = operation.warm ?: WARM_PAGES;
	return measure_counts(bench, &operation) ?: measure_times(bench, &operation);
}

/** add_space() - One more space for all devices, with all pages mapped; 0 or -errno */
static inline int add_space(struct bench *bench, uint32_t pasid)
{
	struct vm_space *space = &bench->spaces[bench->space_count];
	int rc = vm_space_init(&bench->vm, space, pasid);

	if (rc)
		return rc;
	bench->space_count++;
	for (unsigned int i = 0; i < PAGES && !rc; i++)
		rc = vm_map(space, IOVA + i * PAGE, bench->page[i], PAGE,
			    PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER);
	for (unsigned int i = 0; i < bench->vm.device_count && !rc; i++)
		rc = vm_attach(&bench->vm.devices[i], space);
	return rc;
}

#endif
