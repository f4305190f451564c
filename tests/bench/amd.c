// SPDX-License-Identifier: GPL-2.0-only
/* AMD-Vi, v2 guest tables on v1 host tables; what is measured: hardware.h */
#include "../../suites/amd/bench_guest.h"

#include "hardware.h"

/** struct amd - @g, @h: guests of one device each */
struct amd {
	struct bench b;
	struct bench_guest g;
	struct bench_guest h;
	struct pgtable s1;
	struct pgtable other;
};

static void put_page(void *bench, uint64_t iova)
{
	struct amd *amd = bench;
	uint64_t command[2];

	amdvi_cmd_invalidate_iommu_pages(command, DOMAIN0, PASID0, amdvi_inv_address(iova, 12),
					 AMDVI_PAGES1_GN);
	bench_put(&amd->b, command);
}

static void put_tag(void *bench)
{
	struct amd *amd = bench;
	uint64_t command[2];

	amdvi_cmd_invalidate_iommu_pages(command, DOMAIN1, PASID0, AMDVI_INV_ALL_PAGES,
					 AMDVI_PAGES1_GN | AMDVI_PAGES1_PDE);
	bench_put(&amd->b, command);
}

static void put_all(void *bench)
{
	struct amd *amd = bench;
	uint64_t command[2];

	amdvi_cmd_invalidate_iommu_pages(command, DOMAIN0, PASID0, AMDVI_INV_ALL_PAGES,
					 AMDVI_PAGES1_GN | AMDVI_PAGES1_PDE);
	bench_put(&amd->b, command);
	amdvi_cmd_invalidate_iommu_pages(command, DOMAIN0, 0, AMDVI_INV_ALL_PAGES,
					 AMDVI_PAGES1_PDE);
	bench_put(&amd->b, command);
}

static void sync_amd(void *bench)
{
	struct amd *amd = bench;

	bench_start_wait(&amd->b);
	for (unsigned int i = 0; i < BENCH_STEPS && !bench_waited(&amd->b); i++)
		machine_step(amd->b.machine);
	bench_must(bench_waited(&amd->b), "COMPLETION_WAIT");
}

static void open_guest(struct amd *amd, struct bench_guest *g, struct pgtable *s1, uint64_t iova,
		       uint64_t pages, unsigned int dev, uint16_t domain)
{
	static uint64_t data[DISTINCT];
	uint64_t distinct = pages < DISTINCT ? pages : DISTINCT;

	bench_must(!guest_open(g, &amd->b, dev, 1, 12), "guest_open");
	bench_must(!guest_process(g, s1, 4, PASID0), "guest_process");
	if (distinct > DISTINCT / 2)
		distinct = DISTINCT / 2;	/* its memory is 16 MiB, tables included */
	for (uint64_t i = 0; i < distinct; i++)
		data[i] = pages_alloc(&g->memory, 4096);
	for (uint64_t i = 0; i < pages; i++)
		bench_map(s1, iova + i * 4096, data[i % distinct], 12);
	guest_attach(g, dev, domain, 4);
}

static void hardware_make(struct hardware *hw, uint64_t entries, uint64_t pages)
{
	struct amdvi_config config = {
		AMDVI_CONFIG, .iotlb_entries = entries, .walk_entries = entries,
	};
	struct amd *amd = calloc(1, sizeof(*amd));

	bench_must(!bench_open(&amd->b, &config), "bench_open");
	open_guest(amd, &amd->g, &amd->s1, IOVA, pages, 0, DOMAIN0);
	open_guest(amd, &amd->h, &amd->other, IOVA_SPACE, SPACE, 1, DOMAIN1);
	*hw = (struct hardware){
		amd->b.machine, amd->b.iommu, BENCH_RID0, BENCH_RID1, pages, amd,
		put_page, put_tag, put_all, sync_amd,
	};
}

static void hardware_free(struct hardware *hw)
{
	struct amd *amd = hw->bench;

	guest_close(&amd->g);
	guest_close(&amd->h);
	bench_close(&amd->b);
	free(amd);
}
