// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <string.h>

#include "board.h"

#define MIB (1ull << 20)

/* QEMU, hw/arm/virt.c: base_memmap, extended_memmap; SMMUs of -device are on the platform bus. */
#define VIRT \
	.vendor = "arm", .ram = 1024 * MIB, .taken = 256 * MIB, .ecam = 0x4010000000, \
	.bars = 0x10000000

/* Below 1 MiB there are holes and ROMs. Registers: Q35_HOST_BRIDGE_IOMMU_ADDR; AMD alike */
#define Q35 \
	.taken = 256 * MIB, .bars = 0xe0000000, .iommu_count = 1, .buses = { { "pcie.0", 0 } }
#define Q35_OPTIONS "-machine q35,kernel-irqchip=off,memory-backend=ram "

static const struct qtest_board boards[] = {
	{
		VIRT, .name = "virt", .iommu_count = 1, .iommus = { 0x09050000 },
		.buses = { { "pcie.0", 0 } },
		.options = "-machine virt,iommu=smmuv3,memory-backend=ram -cpu cortex-a57",
	},
	{
		VIRT, .name = "virt", .iommu_count = 2, .iommus = { 0x0c000000, 0x0c020000 },
		.buses = { { "pcie.0", 0 }, { "behind", 3, .bridge = 2 << 8 } },
		.options = "-machine virt,memory-backend=ram -cpu cortex-a57 "
			   "-device pxb-pcie,id=second,bus=pcie.0,bus_nr=2,addr=16 "
			   "-device arm-smmuv3,primary-bus=pcie.0,stage=nested "
			   "-device arm-smmuv3,primary-bus=second,stage=nested "
			   "-device pcie-root-port,id=behind,bus=second,addr=0,chassis=1",
	},
	{
		Q35, .vendor = "intel", .name = "q35-vtd", .iommus = { 0xfed90000 },
		.options = Q35_OPTIONS "-device intel-iommu,intremap=off,scalable-mode=on",
	},
	{
		Q35, .vendor = "intel", .name = "q35-vtd-first-stage", .iommus = { 0xfed90000 },
		.options = Q35_OPTIONS "-device intel-iommu,intremap=off,scalable-mode=on,fsts=on",
	},
	{
		Q35, .vendor = "intel", .name = "q35-vtd-legacy", .iommus = { 0xfed90000 },
		.options = Q35_OPTIONS "-device intel-iommu,intremap=off",
	},
	{
		Q35, .vendor = "amd", .name = "q35-amdvi", .iommus = { 0xfed80000 },
		.options = Q35_OPTIONS "-device amd-iommu,dma-remap=on",
	},
};

const struct qtest_board *qtest_board(const char *vendor, const char *name, unsigned int iommus)
{
	for (unsigned int i = 0; i < sizeof(boards) / sizeof(*boards); i++)
		if (!strcmp(boards[i].vendor, vendor) && boards[i].iommu_count == iommus &&
		    (!name || !*name || !strcmp(boards[i].name, name)))
			return &boards[i];
	return NULL;
}
