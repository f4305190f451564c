/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one operation costs: a VM on reference hardware with every cache warm, exact counts of what
 * the operation did and of what it takes until all is warm again, and samples of how long it took.
 */
#ifndef NIT_SUITES_BENCH_MEASURE_H
#define NIT_SUITES_BENCH_MEASURE_H

#include <errno.h>
#include <stdlib.h>

#include "core/figure.h"
#include "target/ref.h"
#include "vmm/vm.h"

#define PAGE VM_PAGE
#define IOVA 0x7f1200000000
#define PAGES 256		/* mapped in each space */
#define WARM_PAGES 64		/* of them in the caches, where an operation needs no more */
#define SAMPLES 250		/* four runs of them have a p99.9 */

/**
 * struct bench - a VM whose devices all use the same spaces
 * @spaces: of the RIDs, and where a test adds it of PASID 1
 * @page: guest physical; what IOVA + n * PAGE of every space is mapped to
 */
struct bench {
	struct target target;
	struct vm vm;
	unsigned int space_count;
	struct vm_space spaces[2];
	unsigned int samples;
	uint64_t page[PAGES];
};

/** struct cost - struct hw_counts of a machine's IOMMUs, and entries in ATCs, summed */
struct cost {
	uint64_t commands, syncs, ats_invalidates;
	uint64_t walks, table_reads;
	uint64_t removed, over_removed, cached;
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

static inline struct cost cost_now(struct bench *bench)
{
	struct machine *machine = ref_machine(&bench->target);
	struct cost sum = {};

	for (unsigned int i = 0; i < machine->iommu_count; i++) {
		struct hw_counts *counts = &machine->iommus[i]->counts;

		sum.commands += counts->commands;
		sum.syncs += counts->syncs;
		sum.walks += counts->walks;
		sum.table_reads += counts->table_reads;
		sum.removed += counts->removed;
		sum.over_removed += counts->over_removed;
		sum.ats_invalidates += counts->ats_invalidates;
	}
	for (unsigned int i = 0; i < bench->vm.device_count; i++)
		sum.cached += endpoint_atc_count(ref_endpoint(&bench->target, i));
	return sum;
}

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

static inline int run_and_undo(struct bench *bench, const struct operation *operation,
			       struct cost *after, double *ns)
{
	uint64_t began = figure_now();
	int rc = operation->run(bench, operation);

	*ns = figure_now() - began;
	if (after)
		*after = cost_now(bench);
	return rc ?: operation->undo ? operation->undo(bench, operation) : 0;
}

/*
 * A miss of a page that the operation was about was needed; of another it was one too many, whoever
 * is to blame: a command that can say no less, the guest, the hypervisor, or the hardware.
 */
static inline int measure_counts(struct bench *bench, const struct operation *operation)
{
	struct cost before, after, cold, named, all;
	double ns;
	int rc;

	if (!warm_up(bench, operation->warm))
		return -EFAULT;
	before = cost_now(bench);
	rc = run_and_undo(bench, operation, &after, &ns);
	if (rc)
		return rc;
	cold = cost_now(bench);
	if (!read_pages(bench, operation->space, operation->first, operation->pages))
		return -EFAULT;
	named = cost_now(bench);
	if (!warm_up(bench, operation->warm))
		return -EFAULT;
	all = cost_now(bench);
	figure_count("commands", after.commands - before.commands, "commands");
	figure_count("syncs", after.syncs - before.syncs, "syncs");
	figure_count("ats_invalidates", after.ats_invalidates - before.ats_invalidates, "messages");
	figure_count("removed", after.removed - before.removed, "entries");
	figure_count("over_removed", after.over_removed - before.over_removed, "entries");
	figure_count("atc_removed", before.cached - after.cached, "entries");
	figure_count("needed", named.walks - cold.walks, "misses");
	figure_count("over", all.walks - named.walks, "misses");
	figure_count("table_reads", all.table_reads - cold.table_reads, "reads");
	return 0;
}

static inline unsigned int samples_of(const struct bench *bench, const struct operation *operation)
{
	unsigned int samples = bench->samples / (1 + operation->entries / 32);

	return samples > 2 ? samples : 2;
}

static inline int measure_times(struct bench *bench, const struct operation *operation)
{
	unsigned int count = samples_of(bench, operation);
	double ns[count], recovery[count];

	for (unsigned int i = 0; i < count; i++) {
		uint64_t began;
		int rc = warm_up(bench, operation->warm) ?
			 run_and_undo(bench, operation, NULL, &ns[i]) : -EFAULT;

		if (rc)
			return rc;
		began = figure_now();
		if (!warm_up(bench, operation->warm))
			return -EFAULT;
		recovery[i] = figure_now() - began;
	}
	figure_times("latency", ns, count, "ns");
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
