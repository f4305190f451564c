// SPDX-License-Identifier: GPL-2.0-only
/* SMMUv3, nested with 4 KiB granules; what is measured: hardware.h */
#include "../../suites/arm/bench.h"

#include "hardware.h"

/** struct arm - @s1 and @other: stage 1 of the two streams, under one VMID */
struct arm {
	struct bench b;
	struct bench_table s2;
	struct bench_table s1;
	struct bench_table other;
};

static void put_page(void *bench, uint64_t iova)
{
	struct arm *arm = bench;
	uint64_t c[2];

	smmuv3_cmd_tlbi_nh_va(c, VMID, ASID, iova, true);
	bench_put(&arm->b, c);
}

static void put_tag(void *bench)
{
	struct arm *arm = bench;
	uint64_t c[2];

	smmuv3_cmd_tlbi_nh_asid(c, VMID, OTHER_ASID);
	bench_put(&arm->b, c);
}

static void put_all(void *bench)
{
	struct arm *arm = bench;
	uint64_t c[2];

	smmuv3_cmd_tlbi_s12_vmall(c, VMID);
	bench_put(&arm->b, c);
}

static void sync_arm(void *bench)
{
	struct arm *arm = bench;

	bench_must(bench_sync(&arm->b), "CMD_SYNC");
}

static void map_all(struct bench_table *s1, uint64_t iova, uint64_t pages, uint64_t data)
{
	for (uint64_t i = 0; i < pages; i++)
		bench_map(s1, iova + i * 4096, data + i % DISTINCT * 4096 + BENCH_IPA, 12, 0);
}

static void hardware_make(struct hardware *hw, uint64_t entries, uint64_t pages)
{
	struct smmuv3_config config = smmuv3_config_full();
	struct arm *arm = calloc(1, sizeof(*arm));
	struct bench_stream stream = {
		.config = STE_CONFIG_NESTED, .s1 = &arm->s1, .s2 = &arm->s2, .asid = ASID,
		.vmid = VMID,
	};
	uint64_t data;

	config.entries = entries;
	bench_setup(&arm->b, &config);
	arm->s2 = bench_table(&arm->b, 12, 44, true, false);
	for (uint64_t i = 0; i < BENCH_RAM_SIZE; i += 4096)
		bench_map(&arm->s2, BENCH_IPA + BENCH_RAM + i, BENCH_RAM + i, 12, 0);
	data = pages_alloc(&arm->b.pages, DISTINCT * 4096);
	arm->s1 = bench_table(&arm->b, 12, 48, false, true);
	arm->other = bench_table(&arm->b, 12, 48, false, true);
	map_all(&arm->s1, IOVA, pages, data);
	map_all(&arm->other, IOVA_SPACE, SPACE, data);
	bench_stream(&arm->b, SID, &stream);
	stream.s1 = &arm->other;
	stream.asid = OTHER_ASID;
	bench_stream(&arm->b, OTHER_SID, &stream);
	*hw = (struct hardware){
		arm->b.machine, arm->b.smmu, SID, OTHER_SID, pages, arm,
		put_page, put_tag, put_all, sync_arm,
	};
}

static void hardware_free(struct hardware *hw)
{
	struct arm *arm = hw->bench;

	bench_teardown(&arm->b);
	free(arm);
}
