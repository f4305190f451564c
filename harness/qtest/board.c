// SPDX-License-Identifier: GPL-2.0-only
#include "board.h"

#define MIB (1ull << 20)

/* Addresses: QEMU, hw/arm/virt.c, base_memmap and extended_memmap. A device tree is in RAM. */
const struct qtest_board qtest_arm = {
	.name = "virt",
	.options = "-machine virt,iommu=smmuv3,memory-backend=ram -cpu cortex-a57",
	.ram = 1024 * MIB,
	.taken = 256 * MIB,
	.iommu_count = 1,
	.iommus = { 0x09050000 },
	.ecam = 0x4010000000,
	.bars = 0x10000000,
};

/* Below 1 MiB there are holes and ROMs. Registers: Q35_HOST_BRIDGE_IOMMU_ADDR */
#define Q35 .ram = 0, .taken = 256 * MIB, .bars = 0xe0000000

const struct qtest_board qtest_intel = {
	.name = "q35-vtd",
	.options = "-machine q35,kernel-irqchip=off,memory-backend=ram "
		   "-device intel-iommu,intremap=off,scalable-mode=on",
	.iommu_count = 1,
	.iommus = { 0xfed90000 },
	Q35,
};

const struct qtest_board qtest_intel_first_stage = {
	.name = "q35-vtd-first-stage",
	.options = "-machine q35,kernel-irqchip=off,memory-backend=ram "
		   "-device intel-iommu,intremap=off,scalable-mode=on,fsts=on",
	.iommu_count = 1,
	.iommus = { 0xfed90000 },
	Q35,
};

const struct qtest_board qtest_amd = {
	.name = "q35-amdvi",
	.options = "-machine q35,kernel-irqchip=off,memory-backend=ram "
		   "-device amd-iommu,dma-remap=on",
	.iommu_count = 1,
	.iommus = { 0xfed80000 },
	Q35,
};
