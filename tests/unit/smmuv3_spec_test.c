// SPDX-License-Identifier: GPL-2.0-only
/*
 * SMMUv3's commands, tables and records, bit by bit, as published: Arm System Memory Management
 * Unit Architecture Specification (IHI 0070), translation tables Arm Architecture Reference Manual
 * (DDI 0487), sections as cited; each was also compared with what Linux 7.3
 * (drivers/iommu/arm/arm-smmu-v3, io-pgtable-arm.c) writes, as far as it writes it.
 */
#include <sys/mman.h>

#include "guest/smmuv3.h"
#include "pgtable/pgtable.h"
#include "spec_vector.h"

#define SID 0x89abcdef

/* 4.1.1 */
TEST(opcodes)
{
	static const struct spec_number numbers[] = {
		NUMBER(CMD_PREFETCH_CONFIG, 0x01), NUMBER(CMD_PREFETCH_ADDR, 0x02),
		NUMBER(CMD_CFGI_STE, 0x03), NUMBER(CMD_CFGI_STE_RANGE, 0x04),
		NUMBER(CMD_CFGI_CD, 0x05), NUMBER(CMD_CFGI_CD_ALL, 0x06),
		NUMBER(CMD_CFGI_VMS_PIDM, 0x07),
		NUMBER(CMD_TLBI_NH_ALL, 0x10), NUMBER(CMD_TLBI_NH_ASID, 0x11),
		NUMBER(CMD_TLBI_NH_VA, 0x12), NUMBER(CMD_TLBI_NH_VAA, 0x13),
		NUMBER(CMD_TLBI_EL3_ALL, 0x18), NUMBER(CMD_TLBI_EL3_VA, 0x1a),
		NUMBER(CMD_TLBI_EL2_ALL, 0x20), NUMBER(CMD_TLBI_EL2_ASID, 0x21),
		NUMBER(CMD_TLBI_EL2_VA, 0x22), NUMBER(CMD_TLBI_EL2_VAA, 0x23),
		NUMBER(CMD_TLBI_S12_VMALL, 0x28), NUMBER(CMD_TLBI_S2_IPA, 0x2a),
		NUMBER(CMD_TLBI_NSNH_ALL, 0x30), NUMBER(CMD_ATC_INV, 0x40),
		NUMBER(CMD_PRI_RESP, 0x41), NUMBER(CMD_RESUME, 0x44),
		NUMBER(CMD_STALL_TERM, 0x45), NUMBER(CMD_SYNC, 0x46),
	};

	EXPECT_NUMBERS(numbers);
}

/* 4.2.1, 4.2.2: StreamID 63:32; Size 68:64, Stride 73:69, Addr 127:76 */
TEST(cmd_prefetch)
{
	ENCODES(smmuv3_cmd_prefetch_config, (SID), 0x89abcdef00000001, 0);
	ENCODES(smmuv3_cmd_prefetch_addr, (SID, 0x123456789abc, 0x1f, 0),
		0x89abcdef00000002, 0x000012345678901f);
	ENCODES(smmuv3_cmd_prefetch_addr, (SID, 0, 0, 0x1f), 0x89abcdef00000002, 0x3e0);
}

/* 4.3.1 to 4.3.4, 4.3.6: SubstreamID 31:12, StreamID 63:32; Leaf 64, Range 68:64 */
TEST(configuration)
{
	ENCODES(smmuv3_cmd_cfgi_ste, (SID, true), 0x89abcdef00000003, 1);
	ENCODES(smmuv3_cmd_cfgi_ste, (SID, false), 0x89abcdef00000003, 0);
	ENCODES(smmuv3_cmd_cfgi_ste_range, (SID, 0x1e), 0x89abcdef00000004, 0x1e);
	ENCODES_PLAIN(smmuv3_cmd_cfgi_all, 0x0000000000000004, 0x1f);
	ENCODES(smmuv3_cmd_cfgi_cd, (SID, 0xabcde, true), 0x89abcdefabcde005, 1);
	ENCODES(smmuv3_cmd_cfgi_cd, (SID, 0xabcde, false), 0x89abcdefabcde005, 0);
	ENCODES(smmuv3_cmd_cfgi_cd_all, (SID), 0x89abcdef00000006, 0);
}

/* 4.4.2: VMID 47:32, ASID 63:48; Leaf 64, Address 127:76 */
TEST(tlbi_stage1)
{
	ENCODES(smmuv3_cmd_tlbi_nh_all, (0x1234), 0x0000123400000010, 0);
	ENCODES(smmuv3_cmd_tlbi_nh_asid, (0x1234, 0xabcd), 0xabcd123400000011, 0);
	ENCODES(smmuv3_cmd_tlbi_nh_va, (0x1234, 0xabcd, 0xffff123456789abc, true),
		0xabcd123400000012, 0xffff123456789001);
	ENCODES(smmuv3_cmd_tlbi_nh_va, (0x1234, 0xabcd, 0x7000, false),
		0xabcd123400000012, 0x0000000000007000);
	ENCODES(smmuv3_cmd_tlbi_nh_vaa, (0x1234, 0x7000, true),
		0x0000123400000013, 0x0000000000007001);
	ENCODES_PLAIN(smmuv3_cmd_tlbi_el2_all, 0x0000000000000020, 0);
	ENCODES(smmuv3_cmd_tlbi_el2_asid, (0xabcd), 0xabcd000000000021, 0);
	ENCODES(smmuv3_cmd_tlbi_el2_va, (0xabcd, 0x7000, true),
		0xabcd000000000022, 0x0000000000007001);
	ENCODES(smmuv3_cmd_tlbi_el2_vaa, (0x7000, false), 0x0000000000000023, 0x7000);
	ENCODES_PLAIN(smmuv3_cmd_tlbi_nsnh_all, 0x0000000000000030, 0);
}

/* 4.4.3: the address is an IPA, 119:76 */
TEST(tlbi_stage2)
{
	ENCODES(smmuv3_cmd_tlbi_s12_vmall, (0x1234), 0x0000123400000028, 0);
	ENCODES(smmuv3_cmd_tlbi_s2_ipa, (0x1234, ~0ull, true),
		0x000012340000002a, 0x00fffffffffff001);
}

/* 4.4.1.1: NUM 16:12, SCALE 25:20, TTL 73:72, TG 75:74 */
TEST(tlbi_range)
{
	static const struct {
		unsigned int num, scale, tg, ttl;
		uint64_t want[2];
	} ranges[] = {
		{ 31, 63, 3, 3, { 0xabcd123403f1f012, 0x0000000000007f01 } },
		{ 1, 0, 1, 0, { 0xabcd123400001012, 0x0000000000007401 } },
		{ 0, 1, 2, 0, { 0xabcd123400100012, 0x0000000000007801 } },
		{ 0, 0, 1, 2, { 0xabcd123400000012, 0x0000000000007601 } },
	};
	uint64_t c[2];

	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		smmuv3_cmd_tlbi_nh_va(c, 0x1234, 0xabcd, 0x7000, true);
		smmuv3_cmd_tlbi_range(c, ranges[i].num, ranges[i].scale, ranges[i].tg,
				      ranges[i].ttl);
		EXPECT_EQ(ranges[i].want[0], c[0]);
		EXPECT_EQ(ranges[i].want[1], c[1]);
	}
}

/* 4.5.1: Global 9, SSV 11, SubstreamID 31:12, StreamID 63:32; Size 69:64, Address 127:76 */
TEST(atc_inv)
{
	ENCODES(smmuv3_cmd_atc_inv, (SID, 0x40200fff, 9), 0x89abcdef00000040, 0x0000000040200009);
	ENCODES(smmuv3_cmd_atc_inv, (SID, 0, 52), 0x89abcdef00000040, 0x34);
	ENCODES(smmuv3_cmd_atc_inv_ssid, (SID, 0xabcde, false, 0x7000, 0),
		0x89abcdefabcde840, 0x0000000000007000);
	ENCODES(smmuv3_cmd_atc_inv_ssid, (SID, 0xabcde, true, 0x7000, 63),
		0x89abcdefabcdea40, 0x000000000000703f);
}

/* 4.5.2: as above; PRGIndex 72:64, Resp 77:76 (0 failure, 1 invalid request, 2 success) */
TEST(pri_resp)
{
	uint64_t c[2];

	ENCODES(smmuv3_cmd_pri_resp, (SID, 0x1ff, CMD_PRI_RESP_SUCCESS),
		0x89abcdef00000041, 0x21ff);
	ENCODES(smmuv3_cmd_pri_resp, (SID, 0x155, CMD_PRI_RESP_INVALID),
		0x89abcdef00000041, 0x1155);
	ENCODES(smmuv3_cmd_pri_resp, (SID, 0, CMD_PRI_RESP_FAILURE), 0x89abcdef00000041, 0);
	smmuv3_cmd_pri_resp(c, SID, 1, CMD_PRI_RESP_SUCCESS);
	smmuv3_cmd_ssid(c, 0xabcde);
	EXPECT_EQ(0x89abcdefabcde841ull, c[0]);
	EXPECT_EQ(0x2001u, c[1]);
}

/* 4.7.1, 4.7.2: Ac 12, Ab 13, StreamID 63:32; STAG 79:64 */
TEST(resume_and_stall_term)
{
	ENCODES(smmuv3_cmd_resume, (SID, 0xabcd, true, false), 0x89abcdef00001044, 0xabcd);
	ENCODES(smmuv3_cmd_resume, (SID, 1, false, true), 0x89abcdef00002044, 1);
	ENCODES(smmuv3_cmd_resume, (SID, 1, false, false), 0x89abcdef00000044, 1);
	ENCODES(smmuv3_cmd_stall_term, (SID), 0x89abcdef00000045, 0);
}

/* 4.7.3: CS 13:12, MSIData 63:32; MSIAddress[55:2] 119:66 */
TEST(cmd_sync)
{
	ENCODES(smmuv3_cmd_sync, (CMD_SYNC_CS_NONE, 0, 0), 0x0000000000000046, 0);
	ENCODES(smmuv3_cmd_sync, (CMD_SYNC_CS_IRQ, ~0ull, 0xdeadbeef),
		0xdeadbeef00001046, 0x00fffffffffffffc);
	ENCODES(smmuv3_cmd_sync, (CMD_SYNC_CS_SEV, 0, 0), 0x0000000000002046, 0);
}

/* 3.5: in memory, little endian */
TEST(commands_are_little_endian)
{
	static const uint8_t want[16] = {
		0x12, 0, 0, 0, 0x34, 0x12, 0xcd, 0xab,
		0x01, 0x90, 0x78, 0x56, 0x34, 0x12, 0xff, 0xff,
	};
	uint64_t c[2];

	smmuv3_cmd_tlbi_nh_va(c, 0x1234, 0xabcd, 0xffff123456789000, true);
	EXPECT_EQ(0, memcmp(want, c, sizeof(want)));
}

/* Bits of each 64-bit word: the specification's bit 93 of an STE is bit 29 of word 1. */
TEST(fields_of_tables_and_records)
{
	static const struct spec_field fields[] = {
		/* 5.1 */
		FIELD(SMMU_L1STD_SPAN, 4, 0), FIELD(SMMU_L1STD_L2PTR, 55, 6),
		/* 5.2: 0 to 63 */
		FIELD(STE0_V, 0, 0), FIELD(STE0_CONFIG, 3, 1), FIELD(STE0_S1FMT, 5, 4),
		FIELD(STE0_S1CONTEXTPTR, 55, 6), FIELD(STE0_S1CDMAX, 63, 59),
		/* 64 to 127: S1DSS 65:64, EATS 93:92, SHCFG 109:108 */
		FIELD(STE1_S1DSS, 1, 0), FIELD(STE1_S1CIR, 3, 2), FIELD(STE1_S1COR, 5, 4),
		FIELD(STE1_S1CSH, 7, 6), FIELD(STE1_CONT, 16, 13), FIELD(STE1_PPAR, 18, 18),
		FIELD(STE1_MEV, 19, 19), FIELD(STE1_S2FWB, 25, 25),
		FIELD(STE1_S1STALLD, 27, 27), FIELD(STE1_EATS, 29, 28),
		FIELD(STE1_STRW, 31, 30), FIELD(STE1_SHCFG, 45, 44),
		FIELD(STE1_PRIVCFG, 49, 48), FIELD(STE1_INSTCFG, 51, 50),
		/* 128 to 191: S2VMID 143:128, S2T0SZ 165:160, S2R 186 */
		FIELD(STE2_S2VMID, 15, 0), FIELD(STE2_S2T0SZ, 37, 32), FIELD(STE2_S2SL0, 39, 38),
		FIELD(STE2_S2IR0, 41, 40), FIELD(STE2_S2OR0, 43, 42), FIELD(STE2_S2SH0, 45, 44),
		FIELD(STE2_S2TG, 47, 46), FIELD(STE2_S2PS, 50, 48), FIELD(STE2_S2AA64, 51, 51),
		FIELD(STE2_S2ENDI, 52, 52), FIELD(STE2_S2AFFD, 53, 53),
		FIELD(STE2_S2PTW, 54, 54), FIELD(STE2_S2HD, 55, 55), FIELD(STE2_S2HA, 56, 56),
		FIELD(STE2_S2S, 57, 57), FIELD(STE2_S2R, 58, 58),
		/* 192 to 255: S2SL0_2 194, S2DS 195, S2TTB 247:196 */
		FIELD(STE3_S2SL0_2, 2, 2), FIELD(STE3_S2DS, 3, 3), FIELD(STE3_S2TTB, 55, 4),
		/* 5.3 */
		FIELD(SMMU_L1CD_V, 0, 0), FIELD(SMMU_L1CD_L2PTR, 55, 12),
		/* 5.4: 0 to 63 */
		FIELD(CD0_T0SZ, 5, 0), FIELD(CD0_TG0, 7, 6), FIELD(CD0_IR0, 9, 8),
		FIELD(CD0_OR0, 11, 10), FIELD(CD0_SH0, 13, 12), FIELD(CD0_EPD0, 14, 14),
		FIELD(CD0_ENDI, 15, 15), FIELD(CD0_T1SZ, 21, 16), FIELD(CD0_TG1, 23, 22),
		FIELD(CD0_IR1, 25, 24), FIELD(CD0_OR1, 27, 26), FIELD(CD0_SH1, 29, 28),
		FIELD(CD0_EPD1, 30, 30), FIELD(CD0_V, 31, 31), FIELD(CD0_IPS, 34, 32),
		FIELD(CD0_AFFD, 35, 35), FIELD(CD0_WXN, 36, 36), FIELD(CD0_UWXN, 37, 37),
		FIELD(CD0_TBI0, 38, 38), FIELD(CD0_TBI1, 39, 39), FIELD(CD0_PAN, 40, 40),
		FIELD(CD0_AA64, 41, 41), FIELD(CD0_HD, 42, 42), FIELD(CD0_HA, 43, 43),
		FIELD(CD0_S, 44, 44), FIELD(CD0_R, 45, 45), FIELD(CD0_A, 46, 46),
		FIELD(CD0_ASET, 47, 47), FIELD(CD0_ASID, 63, 48),
		/* HAD0 65, TTB0 119:68; HAD1 129, TTB1 183:132, DS 186; MAIR 255:192 */
		FIELD(CD1_HAD0, 1, 1), FIELD(CD1_TTB0, 55, 4), FIELD(CD2_HAD1, 1, 1),
		FIELD(CD2_TTB1, 55, 4), FIELD(CD2_DS, 58, 58), FIELD(CD3_MAIR, 63, 0),
		/* 7.3: STAG 79:64, Stall 95, PnU 97, InD 98, RnW 99, S2 103, CLASS 105:104 */
		FIELD(EVENT0_ID, 7, 0), FIELD(EVENT0_SSV, 11, 11), FIELD(EVENT0_SSID, 31, 12),
		FIELD(EVENT0_SID, 63, 32), FIELD(EVENT1_STAG, 15, 0), FIELD(EVENT1_STALL, 31, 31),
		FIELD(EVENT1_PNU, 33, 33), FIELD(EVENT1_IND, 34, 34), FIELD(EVENT1_RNW, 35, 35),
		FIELD(EVENT1_S2, 39, 39), FIELD(EVENT1_CLASS, 41, 40),
		FIELD(EVENT1_TTRNW, 44, 44), FIELD(EVENT2_INPUT_ADDR, 63, 0),
		FIELD(EVENT3_IPA, 55, 12), FIELD(EVENT3_FETCH_ADDR, 55, 3),
		/* 8: PRI queue records */
		FIELD(PRI0_SID, 31, 0), FIELD(PRI0_SSID, 51, 32), FIELD(PRI0_PRIV, 58, 58),
		FIELD(PRI0_EXEC, 59, 59), FIELD(PRI0_READ, 60, 60), FIELD(PRI0_WRITE, 61, 61),
		FIELD(PRI0_LAST, 62, 62), FIELD(PRI0_SSV, 63, 63),
		FIELD(PRI1_PRGINDEX, 8, 0), FIELD(PRI1_ADDR, 63, 12),
		/* DDI 0487 D8.3: translation table descriptors */
		FIELD(LPAE_VALID, 0, 0), FIELD(LPAE_TABLE, 1, 1), FIELD(LPAE_ATTRINDX, 4, 2),
		FIELD(LPAE_MEMATTR, 5, 2), FIELD(LPAE_AP_USER, 6, 6), FIELD(LPAE_AP_RO, 7, 7),
		FIELD(LPAE_S2AP_R, 6, 6), FIELD(LPAE_S2AP_W, 7, 7), FIELD(LPAE_SH, 9, 8),
		FIELD(LPAE_AF, 10, 10), FIELD(LPAE_NG, 11, 11), FIELD(LPAE_ADDR, 47, 12),
		FIELD(LPAE_DBM, 51, 51), FIELD(LPAE_CONTIGUOUS, 52, 52),
		FIELD(LPAE_PXN, 53, 53), FIELD(LPAE_UXN, 54, 54), FIELD(LPAE_S2_XN, 54, 53),
		FIELD(LPAE_PXNTABLE, 59, 59), FIELD(LPAE_UXNTABLE, 60, 60),
		FIELD(LPAE_APTABLE, 62, 61),
	};

	EXPECT_FIELDS(fields);
}

TEST(codes)
{
	static const struct spec_number numbers[] = {
		/* 5.2 */
		NUMBER(STE_CONFIG_ABORT, 0), NUMBER(STE_CONFIG_BYPASS, 4),
		NUMBER(STE_CONFIG_S1, 5), NUMBER(STE_CONFIG_S2, 6), NUMBER(STE_CONFIG_NESTED, 7),
		NUMBER(STE_S1FMT_LINEAR, 0), NUMBER(STE_S1FMT_4K, 1), NUMBER(STE_S1FMT_64K, 2),
		NUMBER(STE_S1DSS_TERMINATE, 0), NUMBER(STE_S1DSS_BYPASS, 1),
		NUMBER(STE_S1DSS_SSID0, 2), NUMBER(STE_EATS_NONE, 0), NUMBER(STE_EATS_FULL, 1),
		NUMBER(STE_EATS_SPLIT, 2), NUMBER(STE_STRW_EL1, 0), NUMBER(STE_STRW_EL2, 2),
		NUMBER(STE_SHCFG_INCOMING, 1),
		/* 5.2, 5.4: granules */
		NUMBER(SMMU_TG0_4K, 0), NUMBER(SMMU_TG0_64K, 1), NUMBER(SMMU_TG0_16K, 2),
		NUMBER(SMMU_TG1_16K, 1), NUMBER(SMMU_TG1_4K, 2), NUMBER(SMMU_TG1_64K, 3),
		/* 7.3 */
		NUMBER(EVENT_F_UUT, 0x01), NUMBER(EVENT_C_BAD_STREAMID, 0x02),
		NUMBER(EVENT_F_STE_FETCH, 0x03), NUMBER(EVENT_C_BAD_STE, 0x04),
		NUMBER(EVENT_F_BAD_ATS_TREQ, 0x05), NUMBER(EVENT_F_STREAM_DISABLED, 0x06),
		NUMBER(EVENT_F_TRANSL_FORBIDDEN, 0x07), NUMBER(EVENT_C_BAD_SUBSTREAMID, 0x08),
		NUMBER(EVENT_F_CD_FETCH, 0x09), NUMBER(EVENT_C_BAD_CD, 0x0a),
		NUMBER(EVENT_F_WALK_EABT, 0x0b), NUMBER(EVENT_F_TRANSLATION, 0x10),
		NUMBER(EVENT_F_ADDR_SIZE, 0x11), NUMBER(EVENT_F_ACCESS, 0x12),
		NUMBER(EVENT_F_PERMISSION, 0x13), NUMBER(EVENT_F_TLB_CONFLICT, 0x20),
		NUMBER(EVENT_F_CFG_CONFLICT, 0x21), NUMBER(EVENT_E_PAGE_REQUEST, 0x24),
		NUMBER(EVENT_F_VMS_FETCH, 0x25),
	};

	EXPECT_NUMBERS(numbers);
}

/* ---- Tables as the guest's driver writes them ---- */

TEST(stream_table_entry_and_context_descriptor)
{
	struct pgtable stage1 = { .root = 0x123456789000 };
	struct guest_smmuv3 guest;
	struct pages pages;
	uint64_t *ste, cd[8];
	void *window = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	ASSERT_NE(MAP_FAILED, window);
	pages_init(&pages, window, 0x80000000, 1 << 20);
	ASSERT_EQ(0, guest_smmuv3_init(&guest, &pages));
	guest.idr[1] = 10 << 6;		/* 6.3.2: SSIDSIZE 10:6 */
	guest.idr[5] = 5;		/* 6.3.6: OAS 48 bits */
	ASSERT_EQ(0, guest_smmuv3_stage1(&guest, 3, true));
	ste = pages_ptr(&pages, guest.strtab + 3 * 64);
	EXPECT_EQ(0x500000000000000bull, ste[0] & ~0x00ffffffffffffc0ull);
	EXPECT_EQ(0x00000000100000d6ull, ste[1]);
	for (unsigned int i = 2; i < 8; i++)
		EXPECT_EQ(0u, ste[i]);

	guest_smmuv3_cd_words(&guest, &stage1, 0x1234, cd);
	EXPECT_EQ(0x1234e20dc0003510ull, cd[0]);
	EXPECT_EQ(0x0000123456789000ull, cd[1]);
	EXPECT_EQ(0u, cd[2]);
	EXPECT_EQ(0xffu, cd[3]);
	for (unsigned int i = 4; i < 8; i++)
		EXPECT_EQ(0u, cd[i]);
	guest.page_shift = 14;
	guest.cd_flags = CD0_HA | CD0_HD;
	guest_smmuv3_cd_words(&guest, &stage1, 1, cd);
	EXPECT_EQ(0x0001ee05c0003590ull, cd[0]);
	guest.page_shift = 16;
	guest_smmuv3_cd_words(&guest, &stage1, 1, cd);
	EXPECT_EQ(0x0001ee05c0003550ull, cd[0]);
	guest_smmuv3_forget(&guest, 3);
	guest_smmuv3_fini(&guest);
	pages_fini(&pages);
	munmap(window, 1 << 20);
}

/* ---- Translation table descriptors as software writes them, DDI 0487 D8.3 ---- */

#define LEAF(_format, _level, _shift, _addr, _prot) \
	pgtable_lpae_##_format.leaf(&(struct pgtable){ .format = &pgtable_lpae_##_format }, \
				    _level, _shift, _addr, _prot)
#define RW (PGTABLE_READ | PGTABLE_WRITE)

TEST(stage1_descriptors)
{
	EXPECT_EQ(0x0060123456789f43ull,
		  LEAF(s1_4k, 0, 12, 0x123456789000, RW | PGTABLE_USER));
	EXPECT_EQ(0x0060000000007fc3ull,
		  LEAF(s1_4k, 0, 12, 0x7000, PGTABLE_READ | PGTABLE_USER));
	EXPECT_EQ(0x0000000040200701ull,
		  LEAF(s1_4k, 1, 21, 0x40200000, RW | PGTABLE_EXEC | PGTABLE_GLOBAL));
	EXPECT_EQ(0x0070000000010f43ull, LEAF(s1_4k, 0, 16, 0x10000, RW | PGTABLE_USER));
	EXPECT_EQ(0x0068000000007fc3ull,
		  LEAF(s1_4k, 0, 12, 0x7000, RW | PGTABLE_USER | PGTABLE_NO_DIRTY));
	EXPECT_EQ(0x0060000000007b43ull,
		  LEAF(s1_4k, 0, 12, 0x7000, RW | PGTABLE_USER | PGTABLE_NO_ACCESSED));
	EXPECT_EQ(0x0060000002000f41ull, LEAF(s1_16k, 1, 25, 0x2000000, RW | PGTABLE_USER));
	EXPECT_EQ(0x0060000000010f43ull, LEAF(s1_64k, 0, 16, 0x10000, RW | PGTABLE_USER));
	EXPECT_EQ(0x0000123456789003ull, pgtable_lpae_s1_4k.table(NULL, 1, 0x123456789000));
}

TEST(stage2_descriptors)
{
	EXPECT_EQ(0x00001234567897ffull, LEAF(s2_4k, 0, 12, 0x123456789000, RW));
	EXPECT_EQ(0x000000000000777full, LEAF(s2_4k, 0, 12, 0x7000, PGTABLE_READ));
	EXPECT_EQ(0x00000000402007fdull, LEAF(s2_4k, 1, 21, 0x40200000, RW));
	EXPECT_EQ(0x000800000000777full, LEAF(s2_4k, 0, 12, 0x7000, RW | PGTABLE_NO_DIRTY));
	EXPECT_EQ(0x0000123456789003ull, pgtable_lpae_s2_4k.table(NULL, 1, 0x123456789000));
}

/* D8.6.1: entries of a contiguous run, by granule and level */
TEST(contiguous_runs)
{
	static const struct {
		unsigned int page_shift, level, log2;
	} runs[] = {
		{ 12, 1, 4 }, { 12, 2, 4 }, { 12, 3, 4 }, { 14, 2, 5 }, { 14, 3, 7 }, { 16, 2, 5 },
		{ 16, 3, 5 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(runs); i++)
		EXPECT_EQ(runs[i].log2, lpae_contiguous(runs[i].page_shift, runs[i].level));
}

NIT_TEST_MAIN
