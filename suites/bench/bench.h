/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an invalidation costs: by form, by batch, by devices and IOMMUs, and beside DMA. A vendor's
 * program defines BENCH_VENDOR and BENCH_VM (its name, and its struct vm_vendor), the functions
 * below, and includes this. docs/bench.md says what each figure means.
 */
#ifndef NIT_SUITES_BENCH_BENCH_H
#define NIT_SUITES_BENCH_BENCH_H

#include "core/test.h"
#include "measure.h"
#include "vmm/expect.h"

#define RANGE_PAGES 16
#define BATCH_MAX 4096	/* entry_num has 32 bits; this fills each queue of the reference 16 times */
#define S2_RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

/**
 * vendor_batch() - Invalidate @count pages of the first space, last level only, and in the devices:
 * one call for each vIOMMU, or nested page table (two, where something has to be in between)
 * vendor_atc() - What a guest does to invalidate a page in the devices, and nowhere else
 */
static int vendor_batch(struct bench *bench, unsigned int count);
static int vendor_atc(struct bench *bench, uint64_t iova);

/** batch_iova() - The page that entry @n of a batch names; they repeat */
static inline uint64_t batch_iova(unsigned int n)
{
	return IOVA + n % PAGES * PAGE;
}

/** batch_call() - All of @entries in one call, or it is -EIO */
static inline int batch_call(struct bench *bench, uint32_t id, uint32_t type, const void *entries,
			     uint32_t len, unsigned int count)
{
	uint32_t handled = count;
	int rc = __hwpt_invalidate(&bench->vm.iommufd, id, type, entries, len, &handled);

	return rc ?: handled == count ? 0 : -EIO;
}

FIXTURE(bench)
{
	struct bench bench;
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
		.needs = variant->ats ? TARGET_ATS : 0, .no_ats = !variant->ats,
		.devices = variant->devices, .iommus = variant->iommus,
	};
	const char *samples = getenv("NIT_BENCH_SAMPLES");
	struct bench *bench = &self->bench;
	struct vm_device *device;

	TARGET_OPEN(&bench->target, BENCH_VENDOR, &config);
	bench->samples = bench->target.ops->call_ns ? SAMPLES_IN_GUEST : SAMPLES;
	if (samples && *samples)
		bench->samples = strtoul(samples, NULL, 0);
	bench->most_warm = bench->target.has & TARGET_READ ? PAGES : 1;
	VM_OPEN(&bench->vm, &bench->target, &BENCH_VM,
		bench->target.has & TARGET_PASID ? BENCH_VM.pasid_flags : 0);
	for (unsigned int i = 0; i < variant->devices; i++)
		ASSERT_EQ(0, vm_add_device(&bench->vm, i, variant->ats, &device));
	for (unsigned int i = 0; i < PAGES; i++)
		bench->page[i] = vm_page(&bench->vm);
	ASSERT_EQ(0, add_space(bench, DMA_NO_PASID));
}

FIXTURE_TEARDOWN(bench)
{
	while (self->bench.space_count)
		vm_space_fini(&self->bench.spaces[--self->bench.space_count]);
	vm_close(&self->bench.vm);
	self->bench.target.ops->close(&self->bench.target);
}

/* ---- Forms ---- */

static int run_range(struct bench *bench, const struct operation *operation)
{
	return vm_invalidate(operation->space, IOVA + operation->first * PAGE,
			     operation->pages * PAGE, VM_LEAF_ONLY);
}

TEST_F(bench, page)
{
	EXPECT_EQ(0, measure(&self->bench, (struct operation){ run_range, .pages = 1 }));
}

TEST_F(bench, range)
{
	EXPECT_EQ(0, measure(&self->bench, (struct operation){ run_range, .pages = RANGE_PAGES }));
}

/* From the second page on: what takes only aligned powers of two has to take more. */
TEST_F(bench, range_unaligned)
{
	EXPECT_EQ(0, measure(&self->bench, (struct operation){
		run_range, .first = 1, .pages = RANGE_PAGES,
	}));
}

static int run_space(struct bench *bench, const struct operation *operation)
{
	return vm_invalidate_space(operation->space);
}

/* By DomainID and PASID, or by ASID; a space that another PASID has stands by. */
TEST_F(bench, pasid)
{
	NEEDS(&self->bench.target, TARGET_PASID);
	ASSERT_EQ(0, add_space(&self->bench, 1));
	EXPECT_EQ(0, measure(&self->bench, (struct operation){
		run_space, .space = &self->bench.spaces[1], .pages = WARM_PAGES,
	}));
}

static int run_all(struct bench *bench, const struct operation *operation)
{
	struct vm_space *spaces[] = { operation->space };

	return vm_invalidate_all(&bench->vm, spaces, 1);
}

/* The figures until all is warm again are what a guest pays for having asked for everything. */
TEST_F(bench, all)
{
	EXPECT_EQ(0, measure(&self->bench, (struct operation){ run_all, .pages = WARM_PAGES }));
}

static int run_atc(struct bench *bench, const struct operation *operation)
{
	return vendor_atc(bench, IOVA);
}

TEST_F(bench, atc)
{
	if (!variant->ats)
		SKIP(return, "a device without ATC");
	EXPECT_EQ(0, measure(&self->bench, (struct operation){ run_atc }));
}

/* ---- Batches ---- */

static int run_batch(struct bench *bench, const struct operation *operation)
{
	return vendor_batch(bench, operation->entries);
}

static int measure_batch(struct bench *bench, unsigned int entries)
{
	unsigned int pages = entries < PAGES ? entries : PAGES;

	return measure(bench, (struct operation){
		run_batch, .pages = pages, .warm = pages > WARM_PAGES ? pages : WARM_PAGES,
		.entries = entries,
	});
}

TEST_F(bench, batch_1)
{
	EXPECT_EQ(0, measure_batch(&self->bench, 1));
}

TEST_F(bench, batch_16)
{
	EXPECT_EQ(0, measure_batch(&self->bench, 16));
}

TEST_F(bench, batch_256)
{
	EXPECT_EQ(0, measure_batch(&self->bench, 256));
}

TEST_F(bench, batch_max)
{
	EXPECT_EQ(0, measure_batch(&self->bench, BATCH_MAX));
}

/* ---- Stage 2 ---- */

static int unmap_stage2(struct bench *bench, const struct operation *operation)
{
	return vm_s2_unmap(&bench->vm, bench->page[0], PAGE);
}

static int map_stage2(struct bench *bench, const struct operation *operation)
{
	return vm_s2_map(&bench->vm, bench->page[0], pages_ptr(&bench->vm.mem, bench->page[0]),
			 PAGE, S2_RW);
}

/* RAM is one mapping, which cannot be unmapped in part: now the page is one of its own. */
static int split_stage2(struct bench *bench)
{
	uint64_t ends[] = {
		VM_RAM_BASE, bench->page[0], bench->page[0] + PAGE, VM_RAM_BASE + VM_RAM_SIZE,
	};
	int rc = vm_s2_unmap(&bench->vm, VM_RAM_BASE, VM_RAM_SIZE);

	for (unsigned int i = 0; i < 3 && !rc; i++)
		if (ends[i] < ends[i + 1])
			rc = vm_s2_map(&bench->vm, ends[i], pages_ptr(&bench->vm.mem, ends[i]),
				       ends[i + 1] - ends[i], S2_RW);
	return rc;
}

/* The VMM takes a page from under the guest: which guest addresses lead there nobody knows. */
TEST_F(bench, stage2_unmap)
{
	ASSERT_EQ(0, split_stage2(&self->bench));
	EXPECT_EQ(0, measure(&self->bench,
			     (struct operation){ unmap_stage2, map_stage2, .pages = 1 }));
}

TEST_F(bench, stage2_unmap_pasid)
{
	NEEDS(&self->bench.target, TARGET_PASID);
	ASSERT_EQ(0, add_space(&self->bench, 1));
	ASSERT_EQ(0, split_stage2(&self->bench));
	EXPECT_EQ(0, measure(&self->bench,
			     (struct operation){ unmap_stage2, map_stage2, .pages = 1 }));
}

#include "interference.h"

#endif
