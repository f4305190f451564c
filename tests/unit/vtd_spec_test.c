// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d's descriptors and tables, bit by bit, as published: Intel Virtualization Technology for
 * Directed I/O (D51397), sections as cited; each was also compared with what Linux 7.3
 * (drivers/iommu/intel) writes, as far as it writes it.
 */
#include <sys/mman.h>

#include "guest/vtd.h"
#include "pgtable/pgtable.h"
#include "spec_vector.h"

/* 6.5.2: 256 bits each, of which the upper 128 are reserved; 128-bit queues take the lower half. */
#define DESCRIPTOR(_encoder, _arguments, _low, _high) \
	ENCODES(_encoder, _arguments, _low, _high, 0, 0)

/* 6.5.2.1: type 1, G 5:4, DID 31:16, SID 47:32, FM 49:48 */
TEST(context_cache)
{
	DESCRIPTOR(vtd_inv_context, (VTD_GLOBAL, 0, 0, 0), 0x0000000000000011, 0);
	DESCRIPTOR(vtd_inv_context, (VTD_DOMAIN, 0x1234, 0, 0), 0x0000000012340021, 0);
	DESCRIPTOR(vtd_inv_context, (VTD_DEVICE, 0x1234, 0xabcd, 3), 0x0003abcd12340031, 0);
}

/* 6.5.2.2: type 7, G 5:4 (0 domain, 1 PASID, 3 global), DID 31:16, PASID 51:32 */
TEST(pasid_cache)
{
	DESCRIPTOR(vtd_inv_pasid_cache, (VTD_PC_DOMAIN, 0x1234, 0), 0x0000000012340007, 0);
	DESCRIPTOR(vtd_inv_pasid_cache, (VTD_PC_PASID, 0x1234, 0xabcde), 0x000abcde12340017, 0);
	DESCRIPTOR(vtd_inv_pasid_cache, (VTD_PC_GLOBAL, 0, 0), 0x0000000000000037, 0);
}

/* 6.5.2.3: type 2, G 5:4, DW 6, DR 7, DID 31:16; AM 5:0, IH 6, ADDR 63:12 */
TEST(iotlb)
{
	DESCRIPTOR(vtd_inv_iotlb, (VTD_GLOBAL, 0, 0, 0, false), 0x00000000000000d2, 0);
	DESCRIPTOR(vtd_inv_iotlb, (VTD_DOMAIN, 0xffff, 0, 0, false), 0x00000000ffff00e2, 0);
	DESCRIPTOR(vtd_inv_iotlb, (VTD_PAGE, 0x8001, 0x123456789000, 9, true),
		   0x00000000800100f2, 0x0000123456789049);
	DESCRIPTOR(vtd_inv_iotlb, (VTD_PAGE, 1, ~0ull, 0x3f, false),
		   0x00000000000100f2, 0xfffffffffffff03f);
}

/* 6.5.2.4: type 6, G 5:4 (2 PASID, 3 page), DID 31:16, PASID 51:32; AM 5:0, IH 6, ADDR 63:12 */
TEST(pasid_based_iotlb)
{
	DESCRIPTOR(vtd_inv_piotlb, (VTD_PASID, 0x1234, 0xfffff, 0, 0, false),
		   0x000fffff12340026, 0);
	DESCRIPTOR(vtd_inv_piotlb, (VTD_PAGE, 0x1234, 0xabcde, 0x123456789000, 5, true),
		   0x000abcde12340036, 0x0000123456789045);
	DESCRIPTOR(vtd_inv_piotlb, (VTD_PAGE, 1, 0, 0xffff800000000fff, 0x3f, false),
		   0x0000000000010036, 0xffff80000000003f);
}

/* 6.5.2.5: type 3, PFSID 15:12 and 63:52, MIP 20:16, SID 47:32; S 0, ADDR 63:12 */
TEST(device_tlb)
{
	DESCRIPTOR(vtd_inv_devtlb, (0xabcd, 0x5678, 0x1f, 0x7000, 0),
		   0x5670abcd001f8003, 0x0000000000007000);
	DESCRIPTOR(vtd_inv_devtlb, (0xabcd, 0, 0, 0x7000, 1),
		   0x0000abcd00000003, 0x0000000000006001);
	DESCRIPTOR(vtd_inv_devtlb, (0, 0xf00f, 0, 0x40212345, 9),
		   0xf00000000000f003, 0x00000000402ff001);
	DESCRIPTOR(vtd_inv_devtlb, (1, 0, 0, 0x123456789000, 52),
		   0x0000000100000003, 0x7ffffffffffff001);
}

/* 6.5.2.6: type 8, MIP 8:4, PFSID 15:12 and 63:52, SID 31:16, PASID 51:32; G 0, S 11, ADDR 63:12 */
TEST(pasid_based_device_tlb)
{
	DESCRIPTOR(vtd_inv_pdevtlb, (0xabcd, 0x5678, 0x1f, 0xf5a5a, true, 0x9000, 0),
		   0x567f5a5aabcd81f8, 0x0000000000009001);
	DESCRIPTOR(vtd_inv_pdevtlb, (0xabcd, 0, 0, 1, false, 0x40212345, 9),
		   0x00000001abcd0008, 0x00000000402ff800);
	DESCRIPTOR(vtd_inv_pdevtlb, (1, 0, 0, 0, true, 0, 52),
		   0x0000000000010008, 0x7ffffffffffff801);
}

/* 6.5.2.7: type 4, G 4, IM 31:27, IIDX 47:32 */
TEST(interrupt_entry_cache)
{
	DESCRIPTOR(vtd_inv_iec, (false, 0, 0), 0x0000000000000004, 0);
	DESCRIPTOR(vtd_inv_iec, (true, 0x1234, 0x1f), 0x00001234f8000014, 0);
}

/* 6.5.2.8: type 5, IF 4, SW 5, FN 6, PD 7, status data 63:32; status address 63:2 */
TEST(invalidation_wait)
{
	DESCRIPTOR(vtd_inv_wait, (VTD_INV_WAIT_SW, 0x123456780ff7, 0xdeadbeef),
		   0xdeadbeef00000025, 0x0000123456780ff4);
	DESCRIPTOR(vtd_inv_wait, (VTD_INV_WAIT_IF, 0, 0), 0x0000000000000015, 0);
	DESCRIPTOR(vtd_inv_wait, (VTD_INV_WAIT_FN, 0, 0), 0x0000000000000045, 0);
	DESCRIPTOR(vtd_inv_wait, (VTD_INV_WAIT_PD, 0, 0), 0x0000000000000085, 0);
}

/* 7.5.1: type 9, PASID present 4, code 15:12, RID 31:16, PASID 51:32; PRG index 11:3 */
TEST(page_group_response)
{
	DESCRIPTOR(vtd_inv_page_response, (0xabcd, true, 0x54321, 0x1ff, VTD_RESPONSE_FAILURE),
		   0x00054321abcdf019, 0x0000000000000ff8);
	DESCRIPTOR(vtd_inv_page_response, (0xabcd, false, 0x54321, 5, VTD_RESPONSE_INVALID),
		   0x00000000abcd1009, 0x0000000000000028);
	DESCRIPTOR(vtd_inv_page_response, (1, false, 0, 0, VTD_RESPONSE_SUCCESS),
		   0x0000000000010009, 0);
}

/* 6.5.2: in memory, little endian: a wait descriptor as 16 bytes */
TEST(descriptors_are_little_endian)
{
	static const uint8_t want[16] = {
		0x25, 0, 0, 0, 0xef, 0xbe, 0xad, 0xde, 0xf4, 0x0f, 0x78, 0x56, 0x34, 0x12, 0, 0,
	};
	uint64_t d[4];

	vtd_inv_wait(d, VTD_INV_WAIT_SW, 0x123456780ff4, 0xdeadbeef);
	EXPECT_EQ(0, memcmp(want, d, sizeof(want)));
}

/* 6.5.2: bits 11:9 of the type stand above bits 3:0. */
TEST(type_is_in_two_pieces)
{
	EXPECT_EQ(0x09u, VTD_INV_TYPE(0x0000000000000009ull));
	EXPECT_EQ(0x11u, VTD_INV_TYPE(0x0000000000000201ull));
	EXPECT_EQ(0x7fu, VTD_INV_TYPE(0xffffffffffffffffull));
	EXPECT_EQ(0x00u, VTD_INV_TYPE(0xfffffffffffff1f0ull));
}

TEST(fields_of_tables)
{
	static const struct spec_field fields[] = {
		/* 9.1, 9.2: root entries */
		FIELD(VTD_ROOT_P, 0, 0), FIELD(VTD_ROOT_CTP, 63, 12),
		/* 9.3: context entry of legacy mode, low and high quadword */
		FIELD(VTD_CONTEXT_P, 0, 0), FIELD(VTD_CONTEXT_FPD, 1, 1),
		FIELD(VTD_CONTEXT_TT, 3, 2), FIELD(VTD_CONTEXT_SSPTPTR, 63, 12),
		FIELD(VTD_CONTEXT_AW, 2, 0), FIELD(VTD_CONTEXT_DID, 23, 8),
		/* 9.4: context entry of scalable mode; bits 83:64 and 84 */
		FIELD(VTD_SM_CONTEXT_P, 0, 0), FIELD(VTD_SM_CONTEXT_FPD, 1, 1),
		FIELD(VTD_SM_CONTEXT_DTE, 2, 2), FIELD(VTD_SM_CONTEXT_PASIDE, 3, 3),
		FIELD(VTD_SM_CONTEXT_PRE, 4, 4), FIELD(VTD_SM_CONTEXT_PDTS, 11, 9),
		FIELD(VTD_SM_CONTEXT_PASIDDIRPTR, 63, 12),
		FIELD(VTD_SM_CONTEXT_RID_PASID, 19, 0), FIELD(VTD_SM_CONTEXT_RID_PRIV, 20, 20),
		/* 9.5: PASID directory entry */
		FIELD(VTD_PASIDDIR_P, 0, 0), FIELD(VTD_PASIDDIR_FPD, 1, 1),
		FIELD(VTD_PASIDDIR_SMPTBLPTR, 63, 12),
		/* 9.6: PASID table entry; bits 79:64, 87, 88; 128 to 135, 191:140 */
		FIELD(VTD_PASID_P, 0, 0), FIELD(VTD_PASID_FPD, 1, 1), FIELD(VTD_PASID_AW, 4, 2),
		FIELD(VTD_PASID_PGTT, 8, 6), FIELD(VTD_PASID_SSADE, 9, 9),
		FIELD(VTD_PASID_SSPTPTR, 63, 12), FIELD(VTD_PASID_DID, 15, 0),
		FIELD(VTD_PASID_PWSNP, 23, 23), FIELD(VTD_PASID_PGSNP, 24, 24),
		FIELD(VTD_PASID_SRE, 0, 0), FIELD(VTD_PASID_ERE, 1, 1),
		FIELD(VTD_PASID_FSPM, 3, 2), FIELD(VTD_PASID_WPE, 4, 4),
		FIELD(VTD_PASID_NXE, 5, 5), FIELD(VTD_PASID_SMEP, 6, 6),
		FIELD(VTD_PASID_EAFE, 7, 7), FIELD(VTD_PASID_FSPTPTR, 63, 12),
		/* 9.7: first-stage paging entries */
		FIELD(VTD_FS_P, 0, 0), FIELD(VTD_FS_RW, 1, 1), FIELD(VTD_FS_US, 2, 2),
		FIELD(VTD_FS_A, 5, 5), FIELD(VTD_FS_D, 6, 6), FIELD(VTD_FS_PS, 7, 7),
		FIELD(VTD_FS_G, 8, 8), FIELD(VTD_FS_EA, 10, 10), FIELD(VTD_FS_ADDR, 51, 12),
		FIELD(VTD_FS_XD, 63, 63),
		/* 9.8: second-stage paging entries */
		FIELD(VTD_SS_R, 0, 0), FIELD(VTD_SS_W, 1, 1), FIELD(VTD_SS_PS, 7, 7),
		FIELD(VTD_SS_A, 8, 8), FIELD(VTD_SS_D, 9, 9), FIELD(VTD_SS_SNP, 11, 11),
		FIELD(VTD_SS_ADDR, 51, 12),
		/* 7.4.1: page request descriptor, low and high quadword */
		FIELD(VTD_PRQ_TYPE, 7, 0), FIELD(VTD_PRQ_PP, 8, 8), FIELD(VTD_PRQ_RID, 31, 16),
		FIELD(VTD_PRQ_PASID, 51, 32), FIELD(VTD_PRQ_EXE, 52, 52),
		FIELD(VTD_PRQ_PRIV, 53, 53), FIELD(VTD_PRQ_R, 0, 0), FIELD(VTD_PRQ_W, 1, 1),
		FIELD(VTD_PRQ_LPIG, 2, 2), FIELD(VTD_PRQ_PRGI, 11, 3),
		FIELD(VTD_PRQ_ADDR, 63, 12),
		/* 11.4.7.6: fault recording register, high quadword */
		FIELD(VTD_FRCD_SID, 15, 0), FIELD(VTD_FRCD_PRIV, 29, 29),
		FIELD(VTD_FRCD_EXE, 30, 30), FIELD(VTD_FRCD_PP, 31, 31),
		FIELD(VTD_FRCD_FR, 39, 32), FIELD(VTD_FRCD_PV, 59, 40),
		FIELD(VTD_FRCD_AT, 61, 60), FIELD(VTD_FRCD_T, 62, 62), FIELD(VTD_FRCD_F, 63, 63),
	};

	EXPECT_FIELDS(fields);
}

TEST(codes)
{
	static const struct spec_number numbers[] = {
		/* 9.3, 9.6: translation types */
		NUMBER(VTD_TT_UNTRANSLATED, 0), NUMBER(VTD_TT_ALL, 1),
		NUMBER(VTD_TT_PASS_THROUGH, 2),
		NUMBER(VTD_PGTT_FIRST_STAGE, 1), NUMBER(VTD_PGTT_SECOND_STAGE, 2),
		NUMBER(VTD_PGTT_NESTED, 3), NUMBER(VTD_PGTT_PASS_THROUGH, 4),
		/* 11.4.5: translation table modes */
		NUMBER(VTD_TTM_LEGACY, 0), NUMBER(VTD_TTM_SCALABLE, 1), NUMBER(VTD_TTM_ABORT, 3),
		/* 7.4.1: type of a page request */
		NUMBER(VTD_PRQ_TYPE_PAGE, 1),
	};

	EXPECT_NUMBERS(numbers);
}

/* ---- Tables as the guest's driver writes them ---- */

FIXTURE(guest) {
	void *window;
	struct pages pages;
	struct guest_vtd vtd;
};

FIXTURE_SETUP(guest)
{
	self->window = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	ASSERT_NE(MAP_FAILED, self->window);
	pages_init(&self->pages, self->window, 0x80000000, 1 << 20);
	ASSERT_EQ(0, guest_vtd_init(&self->vtd, &self->pages));
}

FIXTURE_TEARDOWN(guest)
{
	guest_vtd_fini(&self->vtd);
	pages_fini(&self->pages);
	munmap(self->window, 1 << 20);
}

/* 9.2: 16 bytes a bus, the upper 8 for devices 16 to 31; 9.4: 32 bytes a function */
TEST_F(guest, root_and_context_entries)
{
	const uint64_t *root = pages_ptr(&self->pages, self->vtd.root), *context;

	ASSERT_EQ(0, guest_vtd_add_device(&self->vtd, 0x0385, true, true));
	context = guest_vtd_context(&self->vtd, 0x0385);
	EXPECT_EQ(0u, root[3 * 2]);
	EXPECT_EQ(1u, root[3 * 2 + 1] & 0xfff);
	EXPECT_EQ(pages_ptr(&self->pages, (root[3 * 2 + 1] & ~0xfffull) + 5 * 32), context);
	EXPECT_EQ(0x1du, context[0] & 0xfff);	/* P, DTE, PASIDE, PRE */
	EXPECT_EQ(0u, context[1] | context[2] | context[3]);
}

/* 9.5: 8 bytes by PASID[19:6]; 9.6: 64 bytes by PASID[5:0] */
TEST_F(guest, pasid_entry)
{
	uint64_t *entry, *directory;

	self->vtd.levels = 5;
	self->vtd.entry_flags = VTD_PASID_SRE | VTD_PASID_WPE | VTD_PASID_EAFE;
	ASSERT_EQ(0, guest_vtd_add_device(&self->vtd, 0x0100, false, false));
	entry = guest_vtd_pasid_entry(&self->vtd, 0x0100, 0x1043);
	directory = pages_ptr(&self->pages, guest_vtd_context(&self->vtd, 0x0100)[0] & ~0xfffull);
	guest_vtd_pasid_set(&self->vtd, entry, VTD_PGTT_FIRST_STAGE, 0xabcd, 0x123456789000);
	EXPECT_EQ(pages_ptr(&self->pages, (directory[0x41] & ~0xfffull) + 3 * 64), entry);
	EXPECT_EQ(1u, directory[0x41] & 0xfff);
	EXPECT_EQ(0x0000000000000041ull, entry[0]);
	EXPECT_EQ(0x000000000000abcdull, entry[1]);
	EXPECT_EQ(0x0000123456789095ull, entry[2]);
	for (unsigned int i = 3; i < 8; i++)
		EXPECT_EQ(0u, entry[i]);
}

/* ---- Paging entries as software writes them ---- */

#define LEAF(_format, _level, _shift, _addr, _prot) \
	pgtable_##_format.leaf(&(struct pgtable){ .format = &pgtable_##_format }, _level, _shift, \
			       _addr, _prot)
#define RW (PGTABLE_READ | PGTABLE_WRITE)

/* 9.7 */
TEST(first_stage_entries)
{
	EXPECT_EQ(0x0000123456789067ull,
		  LEAF(x86_64, 0, 12, 0x123456789000, RW | PGTABLE_USER));
	EXPECT_EQ(0x8000000000007121ull,
		  LEAF(x86_64, 0, 12, 0x7000, PGTABLE_READ | PGTABLE_GLOBAL | PGTABLE_NO_EXEC));
	EXPECT_EQ(0x00000000402000e7ull, LEAF(x86_64, 1, 21, 0x40200000, RW | PGTABLE_USER));
	EXPECT_EQ(0x0000000040000087ull,
		  LEAF(x86_64, 2, 30, 0x40000000,
		       RW | PGTABLE_USER | PGTABLE_NO_ACCESSED | PGTABLE_NO_DIRTY));
	EXPECT_EQ(0x0000123456789027ull, pgtable_x86_64.table(NULL, 1, 0x123456789000));
}

/* 9.8 */
TEST(second_stage_entries)
{
	EXPECT_EQ(0x0000123456789303ull, LEAF(vtdss, 0, 12, 0x123456789000, RW));
	EXPECT_EQ(0x0000000000007101ull, LEAF(vtdss, 0, 12, 0x7000, PGTABLE_READ));
	EXPECT_EQ(0x0000000040200383ull, LEAF(vtdss, 1, 21, 0x40200000, RW));
	EXPECT_EQ(0x0000000040000083ull,
		  LEAF(vtdss, 2, 30, 0x40000000, RW | PGTABLE_NO_ACCESSED | PGTABLE_NO_DIRTY));
	EXPECT_EQ(0x0000123456789003ull, pgtable_vtdss.table(NULL, 1, 0x123456789000));
}

NIT_TEST_MAIN
