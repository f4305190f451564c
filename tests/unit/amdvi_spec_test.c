// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD-Vi's commands and tables, bit by bit, as published: AMD I/O Virtualization Technology (IOMMU)
 * Specification (48882), sections as cited; each was also compared with what Linux 7.3
 * (drivers/iommu/amd, drivers/iommu/generic_pt/fmt/amdv1.h) writes, as far as it writes it. The
 * hardware vIOMMU is not in the published specification: its layouts are not here.
 */
#include <sys/mman.h>

#include "guest/amdvi.h"
#include "pgtable/pgtable.h"
#include "spec_vector.h"

/* 2.4.1: opcode 1, S 0, I 1, F 2, store address 51:3; data */
TEST(completion_wait)
{
	ENCODES(amdvi_cmd_completion_wait,
		(AMDVI_WAIT0_S, 0x123456789abf, 0x0123456789abcdef),
		0x1000123456789ab9, 0x0123456789abcdef);
	ENCODES(amdvi_cmd_completion_wait, (AMDVI_WAIT0_I, 0, 0), 0x1000000000000002, 0);
	ENCODES(amdvi_cmd_completion_wait, (AMDVI_WAIT0_F, ~0ull, 1), 0x100ffffffffffffc, 1);
}

/* 2.4.2: opcode 2, DeviceID 15:0 */
TEST(invalidate_devtab_entry)
{
	ENCODES(amdvi_cmd_invalidate_devtab_entry, (0xabcd), 0x200000000000abcd, 0);
}

/* 2.4.3: opcode 3, PASID 19:0, DomainID 47:32; S 0, PDE 1, GN 2, address 63:12 */
TEST(invalidate_iommu_pages)
{
	ENCODES(amdvi_cmd_invalidate_iommu_pages,
		(0x1234, 0xabcde, 0x7000, AMDVI_PAGES1_GN | AMDVI_PAGES1_PDE),
		0x30001234000abcde, 0x0000000000007006);
	ENCODES(amdvi_cmd_invalidate_iommu_pages, (0xffff, 0, AMDVI_INV_ALL_PAGES, 0),
		0x3000ffff00000000, 0x7ffffffffffff001);
	ENCODES(amdvi_cmd_invalidate_iommu_pages,
		(1, 0, amdvi_inv_address(0xffff800040212345, 21), AMDVI_PAGES1_PDE),
		0x3000000100000000, 0xffff8000402ff003);
}

/*
 * 2.4.4: opcode 4, DeviceID 15:0, PASID[15:8] 23:16, MaxPend 31:24, QueueID 47:32, PASID[7:0]
 * 55:48, PASID[19:16] 59:56; S 0, GN 2, Type 5:4, address 63:12
 */
TEST(invalidate_iotlb_pages)
{
	ENCODES(amdvi_cmd_invalidate_iotlb_pages,
		(0xabcd, 0x5678, 0xef, 0x95432, 0x123456789000, AMDVI_PAGES1_GN),
		0x49325678ef54abcd, 0x0000123456789004);
	ENCODES(amdvi_cmd_invalidate_iotlb_pages, (1, 2, 32, 0, AMDVI_INV_ALL_PAGES, 0),
		0x4000000220000001, 0x7ffffffffffff001);
	EXPECT_EQ(0x95432u, amdvi_iotlb_pasid(0x49325678ef54abcdull));
	EXPECT_EQ(0xfffffu, amdvi_iotlb_pasid(0x0fff000000ff0000ull));
}

/* 2.4.5: opcode 5, DeviceID 15:0 */
TEST(invalidate_interrupt_table)
{
	ENCODES(amdvi_cmd_invalidate_interrupt_table, (0xabcd), 0x500000000000abcd, 0);
}

/* 2.4.6: opcode 6, DeviceID 15:0, PFCount 31:24, PASID 51:32; S 0, GN 2, Inval 4, address 63:12 */
TEST(prefetch_iommu_pages)
{
	ENCODES(amdvi_cmd_prefetch_iommu_pages,
		(0x1234, 0xef, 0xabcde, 0x7000, AMDVI_PAGES1_GN | AMDVI_PREF1_INVAL),
		0x600abcdeef001234, 0x0000000000007014);
}

/* 2.4.7: opcode 7, DeviceID 15:0, PASID 51:32; GN 2, PRG tag 40:32, code 47:44 */
TEST(complete_ppr_request)
{
	ENCODES(amdvi_cmd_complete_ppr_request, (0x1234, true, 0xabcde, 0x1ff, AMDVI_PPR_FAILURE),
		0x700abcde00001234, 0x0000f1ff00000004);
	ENCODES(amdvi_cmd_complete_ppr_request, (0x1234, false, 0, 0x155, AMDVI_PPR_INVALID),
		0x7000000000001234, 0x0000115500000000);
	ENCODES(amdvi_cmd_complete_ppr_request, (1, false, 0, 0, AMDVI_PPR_SUCCESS),
		0x7000000000000001, 0);
}

/* 2.4.8: opcode 8 */
TEST(invalidate_iommu_all)
{
	ENCODES_PLAIN(amdvi_cmd_invalidate_iommu_all, 0x8000000000000000, 0);
}

/* 2.4.3 with table 14: the lowest 0 from bit 12 up says the size, bit 51 at most. */
TEST(address_and_size)
{
	EXPECT_EQ(0x0000000000007000ull, amdvi_inv_address(0x7fff, 12));
	EXPECT_EQ(0x0000000000006001ull, amdvi_inv_address(0x7000, 13));
	EXPECT_EQ(0x0000000000005001ull, amdvi_inv_address(0x7000, 14));
	EXPECT_EQ(0x0000000040017001ull, amdvi_inv_address(0x40012345, 16));
	EXPECT_EQ(0x0007fffffffff001ull, amdvi_inv_address(0, 52));
	EXPECT_EQ(0x7ffffffffffff001ull, amdvi_inv_address(0, 53));
	EXPECT_EQ(0x7ffffffffffff001ull, AMDVI_INV_ALL_PAGES);
}

/* 2.4: in memory, little endian */
TEST(commands_are_little_endian)
{
	static const uint8_t want[16] = {
		0xcd, 0xab, 0x54, 0xef, 0x78, 0x56, 0x32, 0x49, 0x04, 0x90, 0x78, 0x56, 0x34, 0x12,
	};
	uint64_t c[2];

	amdvi_cmd_invalidate_iotlb_pages(c, 0xabcd, 0x5678, 0xef, 0x95432, 0x123456789000,
					 AMDVI_PAGES1_GN);
	EXPECT_EQ(0, memcmp(want, c, sizeof(want)));
}

TEST(fields_of_tables_and_logs)
{
	static const struct spec_field fields[] = {
		/* 2.2.2, table 7: the device table entry, bits of each quadword */
		FIELD(AMDVI_DTE0_V, 0, 0), FIELD(AMDVI_DTE0_TV, 1, 1),
		FIELD(AMDVI_DTE0_HAD, 8, 7), FIELD(AMDVI_DTE0_MODE, 11, 9),
		FIELD(AMDVI_DTE0_HOST_ROOT, 51, 12), FIELD(AMDVI_DTE0_PPR, 52, 52),
		FIELD(AMDVI_DTE0_GPRP, 53, 53), FIELD(AMDVI_DTE0_GIOV, 54, 54),
		FIELD(AMDVI_DTE0_GV, 55, 55), FIELD(AMDVI_DTE0_GLX, 57, 56),
		FIELD(AMDVI_DTE0_GCR3_14_12, 60, 58), FIELD(AMDVI_DTE0_IR, 61, 61),
		FIELD(AMDVI_DTE0_IW, 62, 62),
		FIELD(AMDVI_DTE1_DOMAIN_ID, 15, 0), FIELD(AMDVI_DTE1_GCR3_30_15, 31, 16),
		FIELD(AMDVI_DTE1_I, 32, 32), FIELD(AMDVI_DTE1_SE, 33, 33),
		FIELD(AMDVI_DTE1_SA, 34, 34), FIELD(AMDVI_DTE1_IOCTL, 36, 35),
		FIELD(AMDVI_DTE1_CACHE, 37, 37), FIELD(AMDVI_DTE1_SD, 38, 38),
		FIELD(AMDVI_DTE1_EX, 39, 39), FIELD(AMDVI_DTE1_SYSMGT, 41, 40),
		FIELD(AMDVI_DTE1_SATS, 42, 42), FIELD(AMDVI_DTE1_GCR3_51_31, 63, 43),
		FIELD(AMDVI_DTE2_IV, 0, 0), FIELD(AMDVI_DTE2_INT_TAB_LEN, 4, 1),
		FIELD(AMDVI_DTE2_IG, 5, 5), FIELD(AMDVI_DTE2_INT_ROOT, 51, 6),
		FIELD(AMDVI_DTE2_GPM, 55, 54),
		/* 2.2.3: host page table entries */
		FIELD(AMDVI_PTE_PR, 0, 0), FIELD(AMDVI_PTE_A, 5, 5), FIELD(AMDVI_PTE_D, 6, 6),
		FIELD(AMDVI_PTE_NEXT_LEVEL, 11, 9), FIELD(AMDVI_PTE_ADDR, 51, 12),
		FIELD(AMDVI_PTE_U, 59, 59), FIELD(AMDVI_PTE_FC, 60, 60),
		FIELD(AMDVI_PTE_IR, 61, 61), FIELD(AMDVI_PTE_IW, 62, 62),
		/* 2.2.6: GCR3 tables and guest page table entries */
		FIELD(AMDVI_GCR3_V, 0, 0), FIELD(AMDVI_GCR3_ADDR, 51, 12),
		FIELD(AMDVI_GPTE_P, 0, 0), FIELD(AMDVI_GPTE_RW, 1, 1),
		FIELD(AMDVI_GPTE_US, 2, 2), FIELD(AMDVI_GPTE_PWT, 3, 3),
		FIELD(AMDVI_GPTE_PCD, 4, 4), FIELD(AMDVI_GPTE_A, 5, 5),
		FIELD(AMDVI_GPTE_D, 6, 6), FIELD(AMDVI_GPTE_PS, 7, 7), FIELD(AMDVI_GPTE_G, 8, 8),
		FIELD(AMDVI_GPTE_ADDR, 51, 12), FIELD(AMDVI_GPTE_NX, 63, 63),
		/* 2.5: event log entries */
		FIELD(AMDVI_EVENT0_DEVICE_ID, 15, 0), FIELD(AMDVI_EVENT0_PASID_19_16, 19, 16),
		FIELD(AMDVI_EVENT0_PASID, 47, 32), FIELD(AMDVI_EVENT0_GN, 48, 48),
		FIELD(AMDVI_EVENT0_NX, 49, 49), FIELD(AMDVI_EVENT0_US, 50, 50),
		FIELD(AMDVI_EVENT0_I, 51, 51), FIELD(AMDVI_EVENT0_PR, 52, 52),
		FIELD(AMDVI_EVENT0_RW, 53, 53), FIELD(AMDVI_EVENT0_PE, 54, 54),
		FIELD(AMDVI_EVENT0_RZ, 55, 55), FIELD(AMDVI_EVENT0_TR, 56, 56),
		FIELD(AMDVI_EVENT0_TYPE, 59, 57), FIELD(AMDVI_EVENT0_CODE, 63, 60),
		/* 2.6: PPR log entries */
		FIELD(AMDVI_PPRLOG0_DEVICE_ID, 15, 0), FIELD(AMDVI_PPRLOG0_PASID_15_0, 31, 16),
		FIELD(AMDVI_PPRLOG0_TAG, 40, 32), FIELD(AMDVI_PPRLOG0_LAST, 41, 41),
		FIELD(AMDVI_PPRLOG0_PASID_19_16, 45, 42), FIELD(AMDVI_PPRLOG0_EXEC, 49, 49),
		FIELD(AMDVI_PPRLOG0_READ, 50, 50), FIELD(AMDVI_PPRLOG0_WRITE, 53, 53),
		FIELD(AMDVI_PPRLOG0_US, 54, 54), FIELD(AMDVI_PPRLOG0_RZ, 55, 55),
		FIELD(AMDVI_PPRLOG0_GN, 56, 56), FIELD(AMDVI_PPRLOG0_CODE, 63, 60),
	};

	EXPECT_FIELDS(fields);
}

TEST(codes)
{
	static const struct spec_number numbers[] = {
		/* 2.5: events */
		NUMBER(AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 1), NUMBER(AMDVI_IO_PAGE_FAULT, 2),
		NUMBER(AMDVI_DEV_TAB_HARDWARE_ERROR, 3), NUMBER(AMDVI_PAGE_TAB_HARDWARE_ERROR, 4),
		NUMBER(AMDVI_ILLEGAL_COMMAND_ERROR, 5), NUMBER(AMDVI_COMMAND_HARDWARE_ERROR, 6),
		NUMBER(AMDVI_IOTLB_INV_TIMEOUT, 7), NUMBER(AMDVI_INVALID_DEVICE_REQUEST, 8),
		NUMBER(AMDVI_INVALID_PPR_REQUEST, 9), NUMBER(AMDVI_EVENT_COUNTER_ZERO, 10),
		/* 2.6 */
		NUMBER(AMDVI_PAGE_SERVICE_REQUEST, 1),
	};

	EXPECT_NUMBERS(numbers);
}

/* 2.2.2: the root pointer is in three pieces. */
TEST(gcr3_root_of_a_device_table_entry)
{
	uint64_t dte[4] = { 0xe3ffffffffffffff, 0x000007ff0000ffff, 0, 0 };

	amdvi_dte_set_gcr3(dte, 0x000fedcba9876000);
	EXPECT_EQ(0xfbffffffffffffffull, dte[0]);
	EXPECT_EQ(0xfedcbfff530effffull, dte[1]);
	EXPECT_EQ(0x000fedcba9876000ull, amdvi_dte_gcr3(dte));
	amdvi_dte_set_gcr3(dte, 0);
	EXPECT_EQ(0xe3ffffffffffffffull, dte[0]);
	EXPECT_EQ(0x000007ff0000ffffull, dte[1]);
}

/* ---- Tables as the guest's driver writes them ---- */

TEST(device_table_and_gcr3_entries)
{
	struct guest_amdvi guest;
	struct pages pages;
	uint64_t *dte, *entry, gcr3;
	void *window = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	ASSERT_NE(MAP_FAILED, window);
	pages_init(&pages, window, 0x80000000, 1 << 20);
	ASSERT_EQ(0, guest_amdvi_init(&guest, &pages, 1, 5));
	ASSERT_EQ(0, guest_amdvi_add_device(&guest, 0x0123, true, true));
	guest_amdvi_device(&guest, 0x0123)->domain = 0xabcd;
	guest_amdvi_dte_set(&guest, 0x0123);
	dte = pages_ptr(&pages, guest.devtab + 0x0123 * 32);
	gcr3 = guest_amdvi_device(&guest, 0x0123)->gcr3;
	EXPECT_EQ(0x61d0000000000003ull | (gcr3 >> 12 & 7) << 58, dte[0]);
	EXPECT_EQ(0x000000010000abcdull | (gcr3 >> 15 & 0xffff) << 16 | gcr3 >> 31 << 43, dte[1]);
	EXPECT_EQ(0x0040000000000000ull, dte[2]);
	EXPECT_EQ(0u, dte[3]);

	/* Two levels: PASID[17:9], then PASID[8:0] */
	entry = guest_amdvi_gcr3_entry(&guest, 0x0123, 0x00a05);
	ASSERT_NE(NULL, entry);
	EXPECT_EQ(1u, ((uint64_t *)pages_ptr(&pages, gcr3))[5] & 0xfff);
	EXPECT_EQ(pages_ptr(&pages, (((uint64_t *)pages_ptr(&pages, gcr3))[5] & ~0xfffull) + 5 * 8),
		  entry);

	guest_amdvi_dte_block(&guest, 0x0123);
	EXPECT_EQ(3u, dte[0]);
	EXPECT_EQ(0u, dte[1] | dte[2] | dte[3]);
	pages_fini(&pages);
	munmap(window, 1 << 20);
}

/* ---- Page table entries as software writes them ---- */

#define LEAF(_level, _shift, _addr, _prot) pgtable_amdv1.leaf(NULL, _level, _shift, _addr, _prot)
#define RW (PGTABLE_READ | PGTABLE_WRITE)

/* 2.2.3, table 14: 7 in Next Level, and as many ones from bit 12 up as say the size */
TEST(host_page_table_entries)
{
	EXPECT_EQ(0x7000123456789061ull, LEAF(0, 12, 0x123456789000, RW));
	EXPECT_EQ(0x3000000000007061ull, LEAF(0, 12, 0x7000, PGTABLE_READ));
	EXPECT_EQ(0x5000000000007001ull,
		  LEAF(0, 12, 0x7000, PGTABLE_WRITE | PGTABLE_NO_ACCESSED | PGTABLE_NO_DIRTY));
	EXPECT_EQ(0x7000000040002e61ull, LEAF(0, 13, 0x40002000, RW));
	EXPECT_EQ(0x7000000040017e61ull, LEAF(0, 16, 0x40010000, RW));
	EXPECT_EQ(0x7000000040200061ull, LEAF(1, 21, 0x40200000, RW));
	EXPECT_EQ(0x70000000401ffe61ull, LEAF(1, 22, 0x40000000, RW));
	EXPECT_EQ(0x6000123456789201ull, pgtable_amdv1.table(NULL, 1, 0x123456789000));
	EXPECT_EQ(0x6000123456789a01ull, pgtable_amdv1.table(NULL, 5, 0x123456789000));
	EXPECT_EQ(0x0000000040017e01ull, amdvi_pte_large(0x40012345, 16));
	EXPECT_EQ(0x0000000040002e01ull, amdvi_pte_large(0x40003000, 13));
}

NIT_TEST_MAIN
