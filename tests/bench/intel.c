// SPDX-License-Identifier: GPL-2.0-only
/* VT-d in scalable mode, nested; what is measured: hardware.h */
#include "../../suites/intel/bench.h"

#include "hardware.h"

enum { DID = 7, OTHER_DID = 8 };

static void put_page(void *bench, uint64_t iova)
{
	uint64_t d[4];

	vtd_inv_piotlb(d, VTD_PAGE, DID, 0, iova, 0, true);
	push(bench, d);
}

static void put_tag(void *bench)
{
	uint64_t d[4];

	vtd_inv_piotlb(d, VTD_PASID, OTHER_DID, 0, 0, 0, false);
	push(bench, d);
}

static void put_all(void *bench)
{
	uint64_t d[4];

	vtd_inv_iotlb(d, VTD_DOMAIN, DID, 0, 0, false);
	push(bench, d);
}

static void sync_intel(void *bench)
{
	bench_must(sync_all(bench), "wait descriptor");
}

static void map_all(struct tree *first, uint64_t iova, uint64_t pages, const uint64_t *data)
{
	for (uint64_t i = 0; i < pages; i++)
		map_page(first, iova + i * 4096, data[i % DISTINCT] + BENCH_GUEST);
}

static void hardware_make(struct hardware *hw, uint64_t entries, uint64_t pages)
{
	struct vtd_config config = vtd_config_full;
	static uint64_t data[DISTINCT];
	struct tree second, first, other;
	struct bench *b;

	config.iotlb_entries = config.paging_entries = entries;
	b = bench_on(&config, true);
	second = new_tree(b, true, 4, NULL);
	for (unsigned int i = 0; i < DISTINCT; i++) {
		data[i] = new_table(b, 4096);
		map_page(&second, data[i] + BENCH_GUEST, data[i]);
	}
	first = new_tree(b, false, 4, &second);
	other = new_tree(b, false, 4, &second);
	map_all(&first, IOVA, pages, data);
	map_all(&other, IOVA_SPACE, SPACE, data);
	attach(b, bench_rids[0], 0, VTD_PGTT_NESTED, DID, &first, &second);
	attach(b, bench_rids[1], 0, VTD_PGTT_NESTED, OTHER_DID, &other, &second);
	*hw = (struct hardware){
		b->machine, b->iommu, bench_rids[0], bench_rids[1], pages, b,
		put_page, put_tag, put_all, sync_intel,
	};
}

static void hardware_free(struct hardware *hw)
{
	bench_off(hw->bench);
}
