/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an invalidation costs. A vendor's program defines BENCH_VENDOR and BENCH_VM (its name, and
 * its struct vm_vendor) and includes this. docs/bench.md says what each figure means.
 *
 * Counts are of one operation on warm caches, the sum over all IOMMUs of the reference. Times are
 * samples of the same operation, NIT_BENCH_SAMPLES of them.
 */
#ifndef NIT_SUITES_BENCH_BENCH_H
#define NIT_SUITES_BENCH_BENCH_H

#include <stdlib.h>

#include "core/figure.h"
#include "core/test.h"
#include "target/ref.h"
#include "vmm/expect.h"

#define PAGE VM_PAGE
#define WARM_PAGES 64
#define RANGE_PAGES 16
#define SAMPLES 25
#define DMAS_PER_SAMPLE 2000
#define IOVA 0x7f1200000000
#define RW (PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER)
#define S2_RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

FIXTURE(bench)
{
	struct target target;
	struct vm vm;
	struct vm_space space;
	unsigned int samples;
	uint64_t page[WARM_PAGES];	/* guest physical */
};

FIXTURE_VARIANT(bench)
{
	unsigned int devices;
	unsigned int iommus;
	bool ats;
};

FIXTURE_VARIANT_ADD(bench, one_device) { .devices = 1, .iommus = 1 };
FIXTURE_VARIANT_ADD(bench, one_device_ats) { .devices = 1, .iommus = 1, .ats = true };
FIXTURE_VARIANT_ADD(bench, two_devices_ats) { .devices = 2, .iommus = 1, .ats = true };
FIXTURE_VARIANT_ADD(bench, two_iommus_ats) { .devices = 2, .iommus = 2, .ats = true };

FIXTURE_SETUP(bench)
{
	struct target_config config = {
		.needs = TARGET_REFERENCE, .devices = variant->devices, .iommus = variant->iommus,
	};
	const char *samples = getenv("NIT_BENCH_SAMPLES");
	struct vm_device *device;

	self->samples = samples && *samples ? strtoul(samples, NULL, 0) : SAMPLES;
	TARGET_OPEN(&self->target, BENCH_VENDOR, &config);
	VM_OPEN(&self->vm, &self->target, &BENCH_VM, 0);
	for (unsigned int i = 0; i < variant->devices; i++)
		ASSERT_EQ(0, vm_add_device(&self->vm, i, variant->ats, &device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	for (unsigned int i = 0; i < variant->devices; i++)
		ASSERT_EQ(0, vm_attach(&self->vm.devices[i], &self->space));
	for (unsigned int i = 0; i < WARM_PAGES; i++) {
		self->page[i] = vm_page(&self->vm);
		ASSERT_EQ(0, vm_map(&self->space, IOVA + i * PAGE, self->page[i], PAGE, RW));
	}
}

FIXTURE_TEARDOWN(bench)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

/** struct cost - struct hw_counts of a machine's IOMMUs, summed */
struct cost {
	uint64_t commands, syncs, walks, table_reads, removed, over_removed, ats_invalidates;
};

static inline struct cost cost_now(struct target *target)
{
	struct machine *machine = ref_machine(target);
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
	return sum;
}

static inline void cost_print(const struct cost *from, const struct cost *to)
{
	figure_count("commands", to->commands - from->commands, "commands");
	figure_count("syncs", to->syncs - from->syncs, "syncs");
	figure_count("ats_invalidates", to->ats_invalidates - from->ats_invalidates, "messages");
	figure_count("removed", to->removed - from->removed, "entries");
	figure_count("over_removed", to->over_removed - from->over_removed, "entries");
}

/* All devices read all pages, so that every cache has them. False: one reached a wrong page. */
static inline bool warm_up(struct _test_data_bench *self)
{
	bool good = true;

	for (unsigned int d = 0; d < self->vm.device_count; d++)
		for (unsigned int i = 0; i < WARM_PAGES; i++)
			good &= vm_read(&self->vm.devices[d], &self->space, IOVA + i * PAGE) ==
				self->page[i];
	return good;
}

/* @_operation, on warm caches: exactly what it costs, then how long it takes */
#define MEASURE(_operation) do { \
	struct cost cost_from, cost_to; \
	uint64_t began, ended; \
	ASSERT_TRUE(warm_up(self)); \
	cost_from = cost_now(&self->target); \
	ASSERT_EQ(0, _operation); \
	cost_to = cost_now(&self->target); \
	EXPECT_LT(cost_from.commands, cost_to.commands); \
	cost_print(&cost_from, &cost_to); \
	for (unsigned int sample = 0; sample < self->samples; sample++) { \
		ASSERT_TRUE(warm_up(self)); \
		began = figure_now(); \
		ASSERT_EQ(0, _operation); \
		ended = figure_now(); \
		figure_time("latency", ended - began, "ns"); \
	} \
} while (0)

TEST_F(bench, page)
{
	MEASURE(vm_invalidate(&self->space, IOVA, PAGE, VM_LEAF_ONLY));
}

TEST_F(bench, range)
{
	MEASURE(vm_invalidate(&self->space, IOVA + PAGE, RANGE_PAGES * PAGE, VM_LEAF_ONLY));
}

TEST_F(bench, space)
{
	MEASURE(vm_invalidate_space(&self->space));
}

/* One after the other, each complete before the next */
static int pages_one_by_one(struct vm_space *space, unsigned int count)
{
	int rc = 0;

	for (unsigned int i = 0; i < count && !rc; i++)
		rc = vm_invalidate(space, IOVA + i % WARM_PAGES * PAGE, PAGE, VM_LEAF_ONLY);
	return rc;
}

TEST_F(bench, pages_16)
{
	MEASURE(pages_one_by_one(&self->space, 16));
}

TEST_F(bench, pages_256)
{
	MEASURE(pages_one_by_one(&self->space, 256));
}

/* The VMM takes a page from under the guest, and gives it back. */
static int second_stage(struct vm *vm, uint64_t gpa)
{
	return vm_s2_unmap(vm, gpa, PAGE) ?:
	       vm_s2_map(vm, gpa, pages_ptr(&vm->mem, gpa), PAGE, S2_RW);
}

TEST_F(bench, second_stage_unmap)
{
	uint64_t gpa = self->page[0];

	/* The first unmap splits what was mapped as one. */
	if (vm_s2_unmap(&self->vm, VM_RAM_BASE, VM_RAM_SIZE))
		SKIP(return, "the VM's RAM is not one mapping");
	for (uint64_t at = 0; at < VM_RAM_SIZE; at += PAGE)
		ASSERT_EQ(0, vm_s2_map(&self->vm, VM_RAM_BASE + at,
				       pages_ptr(&self->vm.mem, VM_RAM_BASE + at), PAGE, S2_RW));
	MEASURE(second_stage(&self->vm, gpa));
}

/* After all is gone: walks and table reads until every page is warm again */
TEST_F(bench, recovery)
{
	struct cost from, to;

	ASSERT_TRUE(warm_up(self));
	ASSERT_EQ(0, vm_invalidate_space(&self->space));
	from = cost_now(&self->target);
	ASSERT_TRUE(warm_up(self));
	to = cost_now(&self->target);
	EXPECT_LT(from.walks, to.walks);
	figure_count("misses", to.walks - from.walks, "walks");
	figure_count("table_reads", to.table_reads - from.table_reads, "reads");
}

/* How many DMAs pass in a second where there is one page invalidation after @every of them */
static double dma_rate(struct _test_data_bench *self, unsigned int every)
{
	uint64_t began = figure_now(), reached = 0;

	for (unsigned int i = 0; i < DMAS_PER_SAMPLE; i++) {
		uint64_t page = i % WARM_PAGES;

		reached += vm_read(&self->vm.devices[0], &self->space, IOVA + page * PAGE) ==
			   self->page[page];
		if (every && i % every == every - 1 &&
		    vm_invalidate(&self->space, IOVA + page * PAGE, PAGE, VM_LEAF_ONLY))
			return 0;
	}
	return reached == DMAS_PER_SAMPLE ? reached * 1e9 / (figure_now() - began) : 0;
}

/* One engine and one invalidator take turns; the rates are sampled in turns, too. */
TEST_F(bench, interference)
{
	static const struct {
		const char *name;
		unsigned int every;
	} loads[] = {
		{ "idle", 0 }, { "every_1000", 1000 }, { "every_100", 100 }, { "every_10", 10 },
		{ "every_1", 1 },
	};
	double rate;

	for (unsigned int sample = 0; sample < (self->samples + 3) / 4; sample++)
		for (unsigned int i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
			rate = dma_rate(self, loads[i].every);
			ASSERT_TRUE(rate > 0);
			figure_time(loads[i].name, rate, "DMA/s");
		}
}

#endif
