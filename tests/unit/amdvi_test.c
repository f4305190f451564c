// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference AMD-Vi as a model: it removes exactly what it must, uses exactly the freedoms that
 * it was given, and keeps its promises when translation and invalidation race. What the
 * specification asks of any hardware is tested by suites/amd/hw_*.c.
 */
#include <pthread.h>
#include <sched.h>

#include "../../suites/amd/bench_guest.h"

#define IOVA 0x0000123456000000ULL

/* ---- Encodings, byte by byte ---- */

TEST(commands_as_published)
{
	uint64_t c[2];

	amdvi_cmd_completion_wait(c, AMDVI_WAIT0_S | AMDVI_WAIT0_F, 0x000789abcdef0128ULL,
				  0xfedcba9876543210ULL);
	EXPECT_EQ(0x100789abcdef012dULL, c[0]);
	EXPECT_EQ(0xfedcba9876543210ULL, c[1]);
	amdvi_cmd_invalidate_devtab_entry(c, 0xabcd);
	EXPECT_EQ(0x200000000000abcdULL, c[0]);
	EXPECT_EQ(0, c[1]);
	amdvi_cmd_invalidate_iommu_pages(c, 0x1234, 0xabcde, 0x7000, AMDVI_PAGES1_GN);
	EXPECT_EQ(0x30001234000abcdeULL, c[0]);
	EXPECT_EQ(0x7004ULL, c[1]);
	amdvi_cmd_invalidate_iotlb_pages(c, 0x1234, 0x5678, 0x9a, 0xabcde, 0x7000,
					 AMDVI_PAGES1_GN);
	EXPECT_EQ(0x4ade56789abc1234ULL, c[0]);
	EXPECT_EQ(0xabcdeU, amdvi_iotlb_pasid(c[0]));
	EXPECT_EQ(0x7004ULL, c[1]);
	amdvi_cmd_invalidate_interrupt_table(c, 0x1234);
	EXPECT_EQ(0x5000000000001234ULL, c[0]);
	amdvi_cmd_prefetch_iommu_pages(c, 0x1234, 0x56, 0xabcde, 0x7000, AMDVI_PREF1_INVAL);
	EXPECT_EQ(0x600abcde56001234ULL, c[0]);
	EXPECT_EQ(0x7010ULL, c[1]);
	amdvi_cmd_complete_ppr_request(c, 0x1234, true, 0xabcde, 0x1ff, AMDVI_PPR_FAILURE);
	EXPECT_EQ(0x700abcde00001234ULL, c[0]);
	EXPECT_EQ(0x0000f1ff00000004ULL, c[1]);
	amdvi_cmd_invalidate_iommu_all(c);
	EXPECT_EQ(0x8000000000000000ULL, c[0]);
}

TEST(sizes_as_in_table_14)
{
	EXPECT_EQ(0x0000000000012000ULL, amdvi_inv_address(0x12345, 12));
	EXPECT_EQ(0x0000000000012001ULL, amdvi_inv_address(0x12345, 13));
	EXPECT_EQ(0x00000000000ff001ULL, amdvi_inv_address(0x12345, 21));
	EXPECT_EQ(0x000000001ffff001ULL, amdvi_inv_address(0x12345, 30));
	EXPECT_EQ(0x0007fffffffff001ULL, amdvi_inv_address(0x12345, 52));
	EXPECT_EQ(0x7ffffffffffff001ULL, amdvi_inv_address(0x12345, 53));
	/* A page of 4 MiB at level 2, as the table has it */
	EXPECT_EQ(0x8000000005ffe01ULL, 0x800000000000000ULL | amdvi_pte_large(0x400000, 22));
}

TEST(gcr3_pointer_comes_in_pieces)
{
	uint64_t dte[4] = { 0x83ffffffffffffffULL, 0x000007ff0000ffffULL };

	amdvi_dte_set_gcr3(dte, 0x000a5a5a5a5a5000ULL);
	EXPECT_EQ(0x000a5a5a5a5a5000ULL, amdvi_dte_gcr3(dte));
	EXPECT_EQ(0x83ffffffffffffffULL, dte[0] & 0x83ffffffffffffffULL);
	EXPECT_EQ(0x000007ff0000ffffULL, dte[1] & 0x000007ff0000ffffULL);
}

/* ---- What is removed, exactly ---- */

/* Device 0 in a guest, device 1 on a host table; 64 pages of each are cached. */
FIXTURE(exact) {
	struct bench b;
	struct bench_guest guest;
	struct pgtable table[2];	/* of PASID1 and PASID2 */
	struct pgtable host;
	uint64_t removed;
};

enum { CACHED = 64 };

FIXTURE_SETUP(exact)
{
	ASSERT_EQ(0, bench_open(&self->b, NULL));
	ASSERT_EQ(0, guest_open(&self->guest, &self->b, 0, 3, 21));
	guest_attach(&self->guest, 0, DOMAIN0, 4);
	ASSERT_EQ(0, guest_process(&self->guest, &self->table[0], 4, PASID1));
	ASSERT_EQ(0, guest_process(&self->guest, &self->table[1], 4, PASID2));
	ASSERT_EQ(0, bench_host(&self->b, &self->host, 4, 1, DOMAIN1));
	for (unsigned int i = 0; i < CACHED; i++) {
		for (unsigned int t = 0; t < 2; t++)
			bench_map(&self->table[t], IOVA + i * 0x1000,
				  guest_page(&self->guest, i), 12);
		bench_map(&self->host, IOVA + i * 0x1000, bench_page(&self->b, i), 12);
		EXPECT_EQ(i, bench_read(&self->b, 0, PASID1, IOVA + i * 0x1000));
		EXPECT_EQ(i, bench_read(&self->b, 0, PASID2, IOVA + i * 0x1000));
		EXPECT_EQ(i, bench_read(&self->b, 1, DMA_NO_PASID, IOVA + i * 0x1000));
	}
	self->removed = self->b.iommu->counts.removed;
}

FIXTURE_TEARDOWN(exact)
{
	EXPECT_EQ(0, self->b.iommu->counts.over_removed);
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	guest_close(&self->guest);
	bench_close(&self->b);
}

#define EXPECT_REMOVED(_count, _command) do { \
	_command; \
	EXPECT_TRUE(bench_wait(&self->b)); \
	EXPECT_EQ(_count, self->b.iommu->counts.removed - self->removed); \
	self->removed = self->b.iommu->counts.removed; \
} while (0)

TEST_F(exact, host_pages)
{
	struct bench *b = &self->b;

	EXPECT_REMOVED(1, bench_inv_pages(b, DOMAIN1, 0, amdvi_inv_address(IOVA, 12), 0));
	EXPECT_REMOVED(0, bench_inv_pages(b, DOMAIN1, 0, amdvi_inv_address(IOVA, 12), 0));
	EXPECT_REMOVED(15, bench_inv_pages(b, DOMAIN1, 0, amdvi_inv_address(IOVA, 16), 0));
	EXPECT_REMOVED(0, bench_inv_pages(b, DOMAIN2, 0, AMDVI_INV_ALL_PAGES,
					  AMDVI_PAGES1_PDE));
	EXPECT_REMOVED(0, bench_inv_pages(b, DOMAIN1, 0, AMDVI_INV_ALL_PAGES, AMDVI_PAGES1_GN));
	EXPECT_REMOVED(48, bench_inv_pages(b, DOMAIN1, 0, AMDVI_INV_ALL_PAGES, 0));
	/* One directory entry of each level: 2, 3 and 4 */
	EXPECT_REMOVED(3, bench_inv_pages(b, DOMAIN1, 0, amdvi_inv_address(IOVA, 12),
					  AMDVI_PAGES1_PDE));
}

TEST_F(exact, guest_pages)
{
	struct bench *b = &self->b;
	uint64_t gn = AMDVI_PAGES1_GN, pde = AMDVI_PAGES1_PDE;

	EXPECT_REMOVED(1, bench_inv_pages(b, DOMAIN0, PASID1, amdvi_inv_address(IOVA, 12), gn));
	EXPECT_REMOVED(15, bench_inv_pages(b, DOMAIN0, PASID1, amdvi_inv_address(IOVA, 16), gn));
	EXPECT_REMOVED(0, bench_inv_pages(b, DOMAIN0, PASID3, AMDVI_INV_ALL_PAGES, gn | pde));
	EXPECT_REMOVED(0, bench_inv_pages(b, DOMAIN1, PASID1, AMDVI_INV_ALL_PAGES, gn | pde));
	EXPECT_REMOVED(48, bench_inv_pages(b, DOMAIN0, PASID1, AMDVI_INV_ALL_PAGES, gn));
	/* Three directories and the GCR3 entry */
	EXPECT_REMOVED(4, bench_inv_pages(b, DOMAIN0, PASID1, amdvi_inv_address(IOVA, 12),
					  gn | pde));
	/* GN = 0 where nothing is mapped: what is left of both PASIDs */
	EXPECT_REMOVED(64, bench_inv_pages(b, DOMAIN0, 0, amdvi_inv_address(0x1000, 12), 0));
	EXPECT_REMOVED(0, bench_inv_pages(b, DOMAIN0, 0, amdvi_inv_address(0x1000, 12), 0));
}

TEST_F(exact, device_table)
{
	EXPECT_REMOVED(1, bench_inv_dte(&self->b, BENCH_RID0));
	EXPECT_REMOVED(0, bench_inv_dte(&self->b, BENCH_RID0));
	EXPECT_REMOVED(0, bench_inv_dte(&self->b, BENCH_RID1 & 0xff));
	EXPECT_REMOVED(1, bench_inv_dte(&self->b, BENCH_RID1));
}

TEST_F(exact, all)
{
	struct amdvi_cached cached;

	amdvi_cached(self->b.iommu, &cached);
	EXPECT_REMOVED(cached.translations + cached.walks + cached.maps + 2,
		       bench_inv_all(&self->b));
	amdvi_cached(self->b.iommu, &cached);
	EXPECT_EQ(0, cached.translations + cached.walks + cached.maps);
}

TEST_F(exact, commands_and_syncs_are_counted)
{
	bench_inv_dte(&self->b, BENCH_RID0);
	bench_inv_iotlb(&self->b, BENCH_RID0, 0, AMDVI_INV_ALL_PAGES, 0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(3, self->b.iommu->counts.commands);
	EXPECT_EQ(1, self->b.iommu->counts.syncs);
	EXPECT_EQ(1, self->b.iommu->counts.ats_invalidates);
	EXPECT_EQ(0, self->b.iommu->counts.faults);
}

/* ---- What a walk costs ---- */

static const struct { unsigned int host, guest, reads; } walks[] = {
	{ 4, 4, 24 }, { 4, 5, 29 }, { 3, 4, 19 }, { 1, 4, 9 },
};

BENCH(cost, NULL)

TEST_F(cost, table_reads_of_nested_walks)
{
	struct pgtable s2, s1;
	struct pages memory;
	uint64_t gcr3, before, dte[4];

	self->b.iommu->freedom.no_walk_cache = true;
	bench_control(&self->b, AMDVI_CONTROL_GCR3TRP_MODE, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(walks); i++) {
		/* Guest memory from 0, so that low host tables reach it */
		uint64_t spa = bench_alloc(&self->b, 0x100000);

		pages_init(&memory, bench_word(&self->b, spa), 0x1000, 0xff000);
		ASSERT_EQ(0, pgtable_init(&s2, &pgtable_amdv1, walks[i].host, 0, &self->b.ram));
		for (uint64_t gpa = 0x1000; gpa < 0x100000; gpa += 0x1000)
			bench_map(&s2, gpa, spa + gpa - 0x1000, 12);
		ASSERT_EQ(0, pgtable_init(&s1, &pgtable_x86_64, walks[i].guest, 0, &memory));
		pgtable_map(&s1, IOVA, pages_alloc(&memory, 4096), 4096,
			    PGTABLE_READ | PGTABLE_USER, 12);
		gcr3 = bench_alloc(&self->b, 4096);
		bench_word(&self->b, gcr3)[1] = s1.root | AMDVI_GCR3_V;
		bench_host_dte(dte, DOMAIN0, s2.root, walks[i].host);
		dte[0] |= AMDVI_DTE0_GV;
		dte[2] = amdvi_put(walks[i].guest - 4, AMDVI_DTE2_GPM);
		amdvi_dte_set_gcr3(dte, gcr3);
		bench_dte(&self->b, BENCH_RID0, dte);
		bench_inv_all(&self->b);
		EXPECT_TRUE(bench_wait(&self->b));
		bench_read(&self->b, 0, 2, IOVA);	/* a fault that fetches the DTE */
		before = self->b.iommu->counts.table_reads;
		EXPECT_EQ(0, bench_read(&self->b, 0, 1, IOVA));
		EXPECT_EQ(1 + walks[i].reads, self->b.iommu->counts.table_reads - before)
			TH_LOG("%u on %u levels", walks[i].guest, walks[i].host);
		pages_fini(&memory);
	}
}

TEST_F(cost, hits_read_no_table)
{
	struct pgtable table;
	uint64_t reads;

	ASSERT_EQ(0, bench_host(&self->b, &table, 4, 0, DOMAIN0));
	bench_map(&table, IOVA, bench_page(&self->b, 1), 12);
	bench_map(&table, IOVA + 0x1000, bench_page(&self->b, 2), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	reads = self->b.iommu->counts.table_reads;
	for (unsigned int i = 0; i < 100; i++)
		EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(reads, self->b.iommu->counts.table_reads);
	/* From the lowest directory that is cached: one read */
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA + 0x1000));
	EXPECT_EQ(reads + 1, self->b.iommu->counts.table_reads);
}

/* ---- Freedoms ---- */

FIXTURE(freedom) {
	struct bench b;
	struct pgtable table;
	struct freedom *freedom;
};

FIXTURE_SETUP(freedom)
{
	ASSERT_EQ(0, bench_open(&self->b, NULL));
	ASSERT_EQ(0, bench_host(&self->b, &self->table, 4, 0, DOMAIN0));
	self->freedom = &self->b.iommu->freedom;
	bench_map(&self->table, IOVA, bench_page(&self->b, 1), 12);
	bench_map(&self->table, IOVA + 0x1000, bench_page(&self->b, 1), 12);
}

FIXTURE_TEARDOWN(freedom)
{
	if (_metadata->exit_code == KSFT_FAIL)
		bench_explain(&self->b);
	bench_close(&self->b);
}

static void change(struct bench *b, struct pgtable *table)
{
	bench_map(table, IOVA, bench_page(b, 2), 12);
	bench_map(table, IOVA + 0x1000, bench_page(b, 2), 12);
}

TEST_F(freedom, none_waits_until_it_must)
{
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	change(&self->b, &self->table);
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	bench_settle(&self->b);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(self->b.tail, bench_mmio(&self->b, AMDVI_CMDBUF_HEAD));
}

TEST_F(freedom, early)
{
	self->freedom->early = 1000;
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	change(&self->b, &self->table);
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

TEST_F(freedom, evict)
{
	self->freedom->evict = 1000;
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	change(&self->b, &self->table);
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
}

TEST_F(freedom, prefetch)
{
	self->freedom->prefetch = 1000;
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	change(&self->b, &self->table);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA + 0x1000));
}

TEST_F(freedom, over)
{
	self->freedom->over = 1000;
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA + 0x1000));
	change(&self->b, &self->table);
	bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12), 0);
	EXPECT_TRUE(bench_wait(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, IOVA + 0x1000));
	EXPECT_EQ(1, self->b.iommu->counts.removed);
	EXPECT_EQ(4, self->b.iommu->counts.over_removed);	/* a page, three directories */
}

TEST_F(freedom, delay)
{
	self->freedom->delay = 1000;
	self->freedom->delay_steps = 10;
	bench_start_wait(&self->b);
	EXPECT_FALSE(bench_waited(&self->b));
	bench_settle(&self->b);
	EXPECT_TRUE(bench_waited(&self->b));
}

TEST_F(freedom, small_pages)
{
	uint64_t out = bench_alloc(&self->b, 0x200000), iova = IOVA + 0x40000000;
	uint64_t walks;

	self->freedom->small_pages = true;
	bench_map(&self->table, iova, out, 21);
	EXPECT_EQ(0, bench_read(&self->b, 0, DMA_NO_PASID, iova));
	walks = self->b.iommu->counts.walks;
	EXPECT_EQ(0, bench_read(&self->b, 0, DMA_NO_PASID, iova));
	EXPECT_EQ(walks, self->b.iommu->counts.walks);
	EXPECT_EQ(0, bench_read(&self->b, 0, DMA_NO_PASID, iova + 0x3000));
	EXPECT_EQ(walks + 1, self->b.iommu->counts.walks);
}

/* With every freedom at once, and many commands in one batch, a wait keeps its promise. */
TEST_F(freedom, all_at_once)
{
	struct prng prng;

	*self->freedom = (struct freedom){
		.evict = 100, .prefetch = 200, .early = 200, .reorder = 500, .over = 100,
		.delay = 300, .delay_steps = 6,
	};
	freedom_seed(self->freedom, prng_seed(), 1);
	prng_init(&prng, prng_seed(), 2);
	for (uint64_t round = 1; round < 500; round++) {
		uint64_t first = prng_below(&prng, 16), count = 1 + prng_below(&prng, 8);

		for (uint64_t i = first; i < first + count; i++) {
			uint64_t iova = IOVA + i * 0x1000;

			bench_read(&self->b, 0, DMA_NO_PASID, iova);
			bench_map(&self->table, iova, bench_page(&self->b, round), 12);
			bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(iova, 12),
					prng_below(&prng, 2) ? AMDVI_PAGES1_PDE : 0);
			bench_inv_iotlb(&self->b, BENCH_RID0, 0, amdvi_inv_address(iova, 12), 0);
			bench_read_ats(&self->b, 0, DMA_NO_PASID, iova);
		}
		ASSERT_TRUE(bench_wait(&self->b));
		for (uint64_t i = first; i < first + count; i++) {
			ASSERT_EQ(round, bench_read(&self->b, 0, DMA_NO_PASID, IOVA + i * 0x1000));
			ASSERT_EQ(round, bench_read_ats(&self->b, 0, DMA_NO_PASID,
							IOVA + i * 0x1000));
		}
	}
}

/* Equal seeds, equal histories. */
TEST_F(freedom, replays)
{
	uint64_t seen[2][3];

	for (unsigned int run = 0; run < 2; run++) {
		struct hw_counts *counts = &self->b.iommu->counts;
		uint64_t before[] = { counts->walks, counts->removed, counts->over_removed };

		*self->freedom = (struct freedom){ .evict = 300, .over = 300, .early = 300 };
		freedom_seed(self->freedom, 7, 7);
		for (unsigned int i = 0; i < 200; i++) {
			bench_read(&self->b, 0, DMA_NO_PASID, IOVA + (i & 1) * 0x1000);
			if (i % 3 == 0)
				bench_inv_pages(&self->b, DOMAIN0, 0, amdvi_inv_address(IOVA, 12),
						0);
		}
		bench_inv_all(&self->b);
		bench_wait(&self->b);
		seen[run][0] = counts->walks - before[0];
		seen[run][1] = counts->removed - before[1];
		seen[run][2] = counts->over_removed - before[2];
	}
	EXPECT_EQ(seen[0][0], seen[1][0]);
	EXPECT_EQ(seen[0][1], seen[1][1]);
	EXPECT_EQ(seen[0][2], seen[1][2]);
}

/* ---- Registers ---- */

BENCH(registers, NULL)

TEST_F(registers, halves)
{
	const struct hw_iommu_ops *ops = self->b.iommu->ops;

	bench_set(&self->b, AMDVI_EXCL_BASE, 0x1122334455667788ULL);
	EXPECT_EQ(0x55667788, ops->mmio_read(self->b.iommu, AMDVI_EXCL_BASE, 4));
	EXPECT_EQ(0x11223344, ops->mmio_read(self->b.iommu, AMDVI_EXCL_BASE + 4, 4));
	ops->mmio_write(self->b.iommu, AMDVI_EXCL_BASE + 4, 4, 0xaabbccdd);
	EXPECT_EQ(0xaabbccdd55667788ULL, bench_mmio(&self->b, AMDVI_EXCL_BASE));
	/* A doorbell of 4 bytes works as one of 8. */
	bench_put(&self->b, (uint64_t[]){ 0x8000000000000000ULL, 0 });
	ops->mmio_write(self->b.iommu, AMDVI_CMDBUF_TAIL, 4, self->b.tail);
	EXPECT_EQ(self->b.tail, bench_mmio(&self->b, AMDVI_CMDBUF_HEAD));
}

TEST_F(registers, features_say_what_is_there)
{
	uint64_t efr = bench_mmio(&self->b, AMDVI_EFR);

	EXPECT_EQ(2, amdvi_get(efr, AMDVI_EFR_HATS));
	EXPECT_EQ(1, amdvi_get(efr, AMDVI_EFR_GATS));
	EXPECT_EQ(2, amdvi_get(efr, AMDVI_EFR_GLX_SUP));
	EXPECT_EQ(19, amdvi_get(efr, AMDVI_EFR_PAS_MAX));
	EXPECT_NE(0, efr & AMDVI_EFR_VIOMMU_SUP);
	EXPECT_NE(0, bench_mmio(&self->b, AMDVI_EFR2) & AMDVI_EFR2_GCR3TRP_MODE);
	bench_set(&self->b, AMDVI_EFR, 0);
	EXPECT_EQ(efr, bench_mmio(&self->b, AMDVI_EFR));
}

TEST_F(registers, impossible_configurations)
{
	struct amdvi_config config = { AMDVI_CONFIG };

	config.host_levels = 7;
	EXPECT_EQ(NULL, amdvi_create(self->b.machine, &config));
	config.host_levels = 4;
	config.guest_levels = 3;
	EXPECT_EQ(NULL, amdvi_create(self->b.machine, &config));
	config.guest_levels = 4;
	config.pasid_bits = 21;
	EXPECT_EQ(NULL, amdvi_create(self->b.machine, &config));
}

TEST_F(registers, reset_is_like_new)
{
	struct amdvi_cached cached;
	struct pgtable table;
	uint64_t page = bench_page(&self->b, 7);

	ASSERT_EQ(0, bench_host(&self->b, &table, 4, 0, DOMAIN0));
	bench_map(&table, IOVA, bench_page(&self->b, 1), 12);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, IOVA));
	bench_inv_all(&self->b);
	self->b.iommu->ops->reset(self->b.iommu);
	amdvi_cached(self->b.iommu, &cached);
	EXPECT_EQ(0, cached.translations + cached.walks);
	EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_CONTROL));
	EXPECT_EQ(0, bench_mmio(&self->b, AMDVI_STATUS));
	EXPECT_EQ(7, bench_read(&self->b, 0, DMA_NO_PASID, page));
	self->b.tail = 0;
	bench_start(&self->b);
	EXPECT_TRUE(bench_wait(&self->b));
}

/* ---- Invalidation in the middle of a walk ---- */

/*
 * What is read last lies outside of RAM: the machine asks us for its contents, and we take the time
 * to change it, invalidate and wait, before we tell what it was.
 */
static struct race {
	struct bench *b;
	uint64_t addr;
	uint64_t words[4];
	uint64_t last;		/* the word that is read last */
	void (*meanwhile)(struct bench *b);
} race;

static int read_and_race(struct hw_mem *mem, uint64_t pa, void *buf, size_t len)
{
	void (*meanwhile)(struct bench *b) = race.meanwhile;
	uint64_t word = (pa - race.addr) / 8;

	if (word > race.last || len != 8)
		return -EFAULT;
	memcpy(buf, &race.words[word], 8);
	if (word == race.last && meanwhile) {
		race.meanwhile = NULL;
		meanwhile(race.b);
	}
	return 0;
}

static void start_race(struct bench *b, uint64_t addr, const uint64_t *words, uint64_t last,
		       void (*meanwhile)(struct bench *b))
{
	static struct hw_mem_ops ops;

	ops = *b->machine->mem.ops;
	ops.read = read_and_race;
	b->machine->mem.ops = &ops;
	race = (struct race){ .b = b, .addr = addr, .last = last, .meanwhile = meanwhile };
	memcpy(race.words, words, (last + 1) * 8);
}

#define FAR_AWAY 0x2000000000ULL

BENCH(race, NULL)

static uint64_t leaf(uint64_t pa)
{
	return pa | AMDVI_PTE_PR | AMDVI_PTE_IR | AMDVI_PTE_IW;
}

static void change_page(struct bench *b)
{
	race.words[0] = leaf(bench_page(b, 2));
	bench_inv_pages(b, DOMAIN0, 0, amdvi_inv_address(0x5000, 12), 0);
	bench_start_wait(b);
}

/* The walk read the old page before the invalidation: it may use it, and nobody after it. */
TEST_F(race, page_read_before_invalidation)
{
	uint64_t dte[4], entry = leaf(bench_page(&self->b, 1));

	bench_host_dte(dte, DOMAIN0, FAR_AWAY, 1);
	bench_dte(&self->b, BENCH_RID0, dte);
	start_race(&self->b, FAR_AWAY + 5 * 8, &entry, 0, change_page);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, 0x5000));
	bench_settle(&self->b);
	EXPECT_TRUE(bench_waited(&self->b));
	EXPECT_EQ(2, bench_read(&self->b, 0, DMA_NO_PASID, 0x5000));
}

/* While the walker is on its way with what it read, no wait is over. */
static bool waited_in_flight;

static void change_and_step(struct bench *b)
{
	change_page(b);
	/* Not machine_step(): it lets devices finish what they are at, which is us. */
	for (unsigned int i = 0; i < 10; i++)
		b->iommu->ops->step(b->iommu);
	waited_in_flight = bench_waited(b);
}

TEST_F(race, wait_is_not_over_while_a_walk_goes_on)
{
	uint64_t dte[4], entry = leaf(bench_page(&self->b, 1));

	bench_host_dte(dte, DOMAIN0, FAR_AWAY, 1);
	bench_dte(&self->b, BENCH_RID0, dte);
	start_race(&self->b, FAR_AWAY + 5 * 8, &entry, 0, change_and_step);
	EXPECT_EQ(1, bench_read(&self->b, 0, DMA_NO_PASID, 0x5000));
	EXPECT_FALSE(waited_in_flight);
	bench_settle(&self->b);
	EXPECT_TRUE(bench_waited(&self->b));
}

static void change_device(struct bench *b)
{
	race.words[0] = 0;
	bench_inv_dte(b, 0);
	bench_start_wait(b);
}

/* Device 00:00.0, whose entry is the first: blocked when it was read, no longer when it is used. */
TEST_F(race, dte_read_before_invalidation)
{
	struct hw_request request = { .rid = 0, .addr = self->b.store, .access = HW_READ };
	const struct hw_iommu_ops *ops = self->b.iommu->ops;
	uint64_t blocked[4] = { AMDVI_DTE0_V };
	struct hw_translation translation;

	start_race(&self->b, FAR_AWAY, blocked, 3, change_device);
	bench_set(&self->b, AMDVI_DEVTAB_BASE, FAR_AWAY);
	ops->translate(self->b.iommu, &request, &translation);
	EXPECT_TRUE(bench_waited(&self->b));
	EXPECT_EQ(HW_OK, ops->translate(self->b.iommu, &request, &translation));
}

/* ---- Threads ---- */

enum { POISON = 0xdead, ROUNDS = 2000, READERS = 2 };

struct reader {
	struct bench *b;
	unsigned int engine;
	bool *stop;
	uint64_t tries;
	uint64_t poisoned;
};

static void *read_all_the_time(void *arg)
{
	struct reader *reader = arg;

	while (!__atomic_load_n(reader->stop, __ATOMIC_RELAXED)) {
		uint64_t data = 0;
		struct dma dma = {
			.op = DMA_READ, .pasid = PASID1, .addr = IOVA, .len = 8, .data = &data,
		};

		if (endpoint_dma(reader->b->dev[0], reader->engine, &dma) == DMA_DONE)
			reader->poisoned += data == POISON;
		__atomic_fetch_add(&reader->tries, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The page alone, or the directory above all others; removed by what that takes, or by all. */
static void change_in_some_way(struct bench *b, struct bench_guest *guest, struct pgtable *table,
			       uint64_t page, unsigned int round)
{
	static struct pgtable other[2];
	struct pgtable *next = &other[round & 1];
	uint64_t address = amdvi_inv_address(IOVA, 12), flags = AMDVI_PAGES1_GN | AMDVI_PAGES1_PDE;

	if (!next->root)
		pgtable_init(next, &pgtable_x86_64, 4, 0, &guest->memory);
	if (round % 8 < 4) {
		bench_map(table, IOVA, page, 12);
		bench_inv_pages(b, DOMAIN0, PASID1, address, AMDVI_PAGES1_GN);
		return;
	}
	bench_map(next, IOVA, page, 12);
	__atomic_store_n(pgtable_entry(table, IOVA, 3), *pgtable_entry(next, IOVA, 3),
			 __ATOMIC_RELEASE);
	if (round & 2)
		bench_inv_all(b);
	else
		bench_inv_pages(b, DOMAIN0, PASID1, address, flags);
}

/*
 * Two engines read while the page behind their address changes again and again. After each wait the
 * old page is poisoned: who reads poison used a translation after it was reported to be gone.
 */
TEST_F(race, threads)
{
	struct bench *b = &self->b;
	struct reader readers[READERS];
	struct bench_guest guest;
	struct pgtable table;
	uint64_t page[2];
	pthread_t thread[READERS];
	bool stop = false;

	ASSERT_EQ(0, guest_open(&guest, b, 0, 3, 12));
	guest_attach(&guest, 0, DOMAIN0, 4);
	ASSERT_EQ(0, guest_process(&guest, &table, 4, PASID1));
	page[0] = guest_page(&guest, 1);
	page[1] = guest_page(&guest, 1);
	hw_trace_dma(b->machine->trace, false);
	bench_map(&table, IOVA, page[0], 12);
	for (unsigned int i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ b, 1 + i, &stop };
		pthread_create(&thread[i], NULL, read_all_the_time, &readers[i]);
		while (!__atomic_load_n(&readers[i].tries, __ATOMIC_RELAXED))
			sched_yield();
	}
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		__atomic_store_n(guest_word(&guest, page[round & 1]), round, __ATOMIC_RELEASE);
		change_in_some_way(b, &guest, &table, page[round & 1], round);
		bench_start_wait(b);
		for (unsigned int i = 0; !bench_waited(b) && i < BENCH_STEPS; i++)
			machine_step(b->machine);
		EXPECT_TRUE(bench_waited(b));
		if (!bench_waited(b))
			break;
		__atomic_store_n(guest_word(&guest, page[!(round & 1)]), POISON, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < READERS; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, readers[i].poisoned);
	}
	guest_close(&guest);
}

NIT_TEST_MAIN
