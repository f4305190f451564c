// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the reference IOMMUs cost, nested 4-level on 4-level (SMMUv3: as its guest has it), with
 * caches of 4096 entries and 2048 pages in them: ns of processor time per operation, the least of
 * several rounds. For reading, not for judging: build with -O2.
 *
 *	hit		a translation that is cached, configuration look-up included
 *	walk		a translation that is not, without walk caches
 *	walk-cached	the same with walk caches
 *	invalidate	one page by the whole stack: guest command, VMM, iommufd, hypervisor, queue,
 *			sync; then the walk
 *	two threads	hits of two threads, as times one thread's rate
 *
 * The RISC-V reference model on such a machine, with caches of 2 entries: hit 45, walk 740,
 * invalidate with fence and walk (no stack above it) 839.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/prng.h"
#include "target/ref.h"
#include "vmm/vm.h"

enum { PAGES = 2048, ROUNDS = 7, HITS = 1 << 18, WALKS = 1 << 15, INVALIDATIONS = 1 << 10 };

#define IOVA 0x10000000ULL

struct bench {
	struct target target;
	struct vm vm;
	struct vm_space space;
	struct hw_iommu *iommu;
	uint16_t rid;
};

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "%s failed: %d\n", what, rc);
	exit(1);
}

static void translate(struct bench *bench, unsigned int page)
{
	const struct hw_request request = {
		.type = HW_UNTRANSLATED, .rid = bench->rid, .addr = IOVA + page * VM_PAGE,
		.access = HW_READ,
	};
	struct hw_translation translation;

	if (bench->iommu->ops->translate(bench->iommu, &request, &translation) != HW_OK)
		must(-1, "translate");
}

static void translate_many(struct bench *bench, unsigned int count)
{
	struct prng prng;

	prng_init(&prng, 1, 1);
	for (unsigned int i = 0; i < count; i++)
		translate(bench, prng_next(&prng) % PAGES);
}

static void invalidate_many(struct bench *bench, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		must(vm_invalidate(&bench->space, IOVA + i % PAGES * VM_PAGE, VM_PAGE,
				   VM_LEAF_ONLY), "invalidate");
		translate(bench, i % PAGES);
	}
}

static double cost(struct bench *bench, void (*run)(struct bench *bench, unsigned int count),
		   unsigned int count)
{
	double best = 1e18;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		double start = now(CLOCK_THREAD_CPUTIME_ID);

		run(bench, count);
		start = (now(CLOCK_THREAD_CPUTIME_ID) - start) / count;
		best = start < best ? start : best;
	}
	return best;
}

static void *hits(void *bench)
{
	translate_many(bench, HITS);
	return NULL;
}

/* How many times faster two threads are than one, by the wall clock: needs two idle CPUs */
static double scaling(struct bench *bench)
{
	double best = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		double one = now(CLOCK_MONOTONIC), two;
		pthread_t thread;

		hits(bench);
		one = now(CLOCK_MONOTONIC) - one;
		two = now(CLOCK_MONOTONIC);
		must(pthread_create(&thread, NULL, hits, bench), "pthread_create");
		hits(bench);
		pthread_join(thread, NULL);
		two = now(CLOCK_MONOTONIC) - two;
		best = 2 * one / two > best ? 2 * one / two : best;
	}
	return best;
}

static void set_up(struct bench *bench, const struct ref_vendor *ref,
		   const struct vm_vendor *vendor)
{
	struct vm_device *device;
	uint64_t memory;

	must(ref_open(&bench->target, ref, NULL), "ref_open");
	must(vm_open(&bench->vm, &bench->target, vendor, 0), "vm_open");
	must(vm_add_device(&bench->vm, 0, false, &device), "vm_add_device");
	must(vm_space_init(&bench->vm, &bench->space, DMA_NO_PASID), "vm_space_init");
	must(vm_attach(device, &bench->space), "vm_attach");
	memory = pages_alloc(&bench->vm.mem, PAGES * VM_PAGE);
	/* In 4 KiB leaves: large ones would be few entries. */
	must(pgtable_map(&bench->space.stage1, IOVA, memory, PAGES * VM_PAGE,
			 PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER, 12), "pgtable_map");
	bench->iommu = ref_machine(&bench->target)->iommus[0];
	bench->rid = bench->target.devices[0].rid;
}

static void measure(const struct ref_vendor *ref, const struct vm_vendor *vendor)
{
	struct bench bench = {};
	double hit, walk, walk_cached, invalidate;

	set_up(&bench, ref, vendor);
	hit = cost(&bench, translate_many, HITS);
	invalidate = cost(&bench, invalidate_many, INVALIDATIONS);
	bench.iommu->freedom.evict = 1000;
	walk_cached = cost(&bench, translate_many, WALKS);
	bench.iommu->freedom.no_walk_cache = true;
	walk = cost(&bench, translate_many, WALKS);
	bench.iommu->freedom.evict = 0;
	printf("%-8s %8.1f %8.1f %12.1f %12.1f %12.2f\n", ref->name, hit, walk, walk_cached,
	       invalidate, scaling(&bench));
	vm_space_fini(&bench.space);
	vm_close(&bench.vm);
	bench.target.ops->close(&bench.target);
}

int main(void)
{
	printf("%-8s %8s %8s %12s %12s %12s\n", "ns", "hit", "walk", "walk-cached", "invalidate",
	       "two threads");
	measure(&ref_intel, &vm_intel);
	measure(&ref_amd, &vm_amd);
	measure(&ref_arm, &vm_arm);
	return 0;
}
