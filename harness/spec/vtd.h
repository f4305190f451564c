/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Intel VT-d: registers, tables and descriptors, as the architecture specification lays them out
 * (Intel Virtualization Technology for Directed I/O, D51397, revision 5.x).
 *
 * Sections: 9 translation structures, 6.5.2 invalidation queue, 7.3 page requests, 7.1.3 fault
 * reasons, 11.4 registers. Names are the specification's; a field is a mask, read with VTD_GET()
 * and written with VTD_PUT(). No policy here.
 */
#ifndef NIT_SPEC_VTD_H
#define NIT_SPEC_VTD_H

#include <stdbool.h>
#include <stdint.h>

#define VTD_BIT(_n)		(1ull << (_n))
#define VTD_BITS(_high, _low)	((~0ull >> (63 - (_high))) & (~0ull << (_low)))
#define VTD_GET(_mask, _value)	(((uint64_t)(_value) & (_mask)) / ((_mask) & -(_mask)))
#define VTD_PUT(_mask, _value)	(((uint64_t)(_value) * ((_mask) & -(_mask))) & (_mask))

#define VTD_PAGE_SHIFT_4K	12
#define VTD_ADDR_4K		VTD_BITS(63, 12)	/* page aligned pointer */

/* ---- Registers, 11.4 ---- */

enum vtd_reg {
	VTD_VER_REG = 0x00,
	VTD_CAP_REG = 0x08,
	VTD_ECAP_REG = 0x10,
	VTD_GCMD_REG = 0x18,
	VTD_GSTS_REG = 0x1c,
	VTD_RTADDR_REG = 0x20,
	VTD_CCMD_REG = 0x28,
	VTD_FSTS_REG = 0x34,
	VTD_FECTL_REG = 0x38,
	VTD_FEDATA_REG = 0x3c,
	VTD_FEADDR_REG = 0x40,
	VTD_FEUADDR_REG = 0x44,
	VTD_PMEN_REG = 0x64,
	VTD_IQH_REG = 0x80,
	VTD_IQT_REG = 0x88,
	VTD_IQA_REG = 0x90,
	VTD_ICS_REG = 0x9c,
	VTD_IECTL_REG = 0xa0,
	VTD_IEDATA_REG = 0xa4,
	VTD_IEADDR_REG = 0xa8,
	VTD_IEUADDR_REG = 0xac,
	VTD_IQERCD_REG = 0xb0,
	VTD_IRTA_REG = 0xb8,
	VTD_PQH_REG = 0xc0,
	VTD_PQT_REG = 0xc8,
	VTD_PQA_REG = 0xd0,
	VTD_PRS_REG = 0xdc,
	VTD_PECTL_REG = 0xe0,
	VTD_PEDATA_REG = 0xe4,
	VTD_PEADDR_REG = 0xe8,
	VTD_PEUADDR_REG = 0xec,
};

/* CAP_REG, 11.4.2 */
#define VTD_CAP_ND		VTD_BITS(2, 0)	/* 2^(4+2*ND) domain-ids */
#define VTD_CAP_CM		VTD_BIT(7)
#define VTD_CAP_SAGAW		VTD_BITS(12, 8)
#define VTD_CAP_SAGAW_39	VTD_BIT(9)	/* 3-level second stage */
#define VTD_CAP_SAGAW_48	VTD_BIT(10)
#define VTD_CAP_SAGAW_57	VTD_BIT(11)
#define VTD_CAP_MGAW		VTD_BITS(21, 16)	/* width minus 1 */
#define VTD_CAP_ZLR		VTD_BIT(22)
#define VTD_CAP_FRO		VTD_BITS(33, 24)	/* fault records at 16 * FRO */
#define VTD_CAP_SSLPS		VTD_BITS(37, 34)
#define VTD_CAP_SSLPS_2M	VTD_BIT(34)
#define VTD_CAP_SSLPS_1G	VTD_BIT(35)
#define VTD_CAP_PSI		VTD_BIT(39)
#define VTD_CAP_NFR		VTD_BITS(47, 40)	/* number minus 1 */
#define VTD_CAP_MAMV		VTD_BITS(53, 48)
#define VTD_CAP_DWD		VTD_BIT(54)
#define VTD_CAP_DRD		VTD_BIT(55)
#define VTD_CAP_FS1GP		VTD_BIT(56)
#define VTD_CAP_FS5LP		VTD_BIT(60)
#define VTD_CAP_ESIRTPS		VTD_BIT(62)
#define VTD_CAP_ESRTPS		VTD_BIT(63)

/* ECAP_REG, 11.4.3 */
#define VTD_ECAP_C		VTD_BIT(0)
#define VTD_ECAP_QI		VTD_BIT(1)
#define VTD_ECAP_DT		VTD_BIT(2)
#define VTD_ECAP_IR		VTD_BIT(3)
#define VTD_ECAP_PT		VTD_BIT(6)
#define VTD_ECAP_SC		VTD_BIT(7)
#define VTD_ECAP_IRO		VTD_BITS(17, 8)		/* IVA_REG at 16 * IRO */
#define VTD_ECAP_MHMV		VTD_BITS(23, 20)
#define VTD_ECAP_NEST		VTD_BIT(26)
#define VTD_ECAP_PRS		VTD_BIT(29)
#define VTD_ECAP_ERS		VTD_BIT(30)
#define VTD_ECAP_SRS		VTD_BIT(31)
#define VTD_ECAP_NWFS		VTD_BIT(33)
#define VTD_ECAP_EAFS		VTD_BIT(34)
#define VTD_ECAP_PSS		VTD_BITS(39, 35)	/* PASID bits minus 1 */
#define VTD_ECAP_PASID		VTD_BIT(40)
#define VTD_ECAP_DIT		VTD_BIT(41)
#define VTD_ECAP_PDS		VTD_BIT(42)
#define VTD_ECAP_SMTS		VTD_BIT(43)
#define VTD_ECAP_SSADS		VTD_BIT(45)
#define VTD_ECAP_SSTS		VTD_BIT(46)
#define VTD_ECAP_FSTS		VTD_BIT(47)
#define VTD_ECAP_SMPWCS		VTD_BIT(48)
#define VTD_ECAP_RPS		VTD_BIT(49)
#define VTD_ECAP_RPRIVS		VTD_BIT(53)

/* GCMD_REG and GSTS_REG, 11.4.4: the same bits */
#define VTD_GCMD_CFI		VTD_BIT(23)
#define VTD_GCMD_SIRTP		VTD_BIT(24)
#define VTD_GCMD_IRE		VTD_BIT(25)
#define VTD_GCMD_QIE		VTD_BIT(26)
#define VTD_GCMD_WBF		VTD_BIT(27)
#define VTD_GCMD_SRTP		VTD_BIT(30)
#define VTD_GCMD_TE		VTD_BIT(31)

/* RTADDR_REG, 11.4.5 */
#define VTD_RTADDR_TTM		VTD_BITS(11, 10)
enum vtd_ttm { VTD_TTM_LEGACY = 0, VTD_TTM_SCALABLE = 1, VTD_TTM_ABORT = 3 };

/* CCMD_REG, 11.4.6.1 */
#define VTD_CCMD_DID		VTD_BITS(15, 0)
#define VTD_CCMD_SID		VTD_BITS(31, 16)
#define VTD_CCMD_FM		VTD_BITS(33, 32)
#define VTD_CCMD_CAIG		VTD_BITS(60, 59)
#define VTD_CCMD_CIRG		VTD_BITS(62, 61)
#define VTD_CCMD_ICC		VTD_BIT(63)

/* IVA_REG and IOTLB_REG, 11.4.6.2, 11.4.6.3 */
#define VTD_IVA_AM		VTD_BITS(5, 0)
#define VTD_IVA_IH		VTD_BIT(6)
#define VTD_IOTLB_DID		VTD_BITS(47, 32)
#define VTD_IOTLB_DW		VTD_BIT(48)
#define VTD_IOTLB_DR		VTD_BIT(49)
#define VTD_IOTLB_IAIG		VTD_BITS(58, 57)
#define VTD_IOTLB_IIRG		VTD_BITS(61, 60)
#define VTD_IOTLB_IVT		VTD_BIT(63)

/* Granularities of CIRG, IIRG and of the context-cache and IOTLB descriptors */
enum vtd_granularity {
	VTD_GLOBAL = 1,
	VTD_DOMAIN = 2,
	VTD_DEVICE = 3,		/* context cache */
	VTD_PAGE = 3,		/* IOTLB, PASID-based IOTLB */
	VTD_PASID = 2,		/* PASID-based IOTLB: all of a PASID */
};

/* Granularities of the PASID-cache descriptor, 6.5.2.2 */
enum vtd_pc_granularity { VTD_PC_DOMAIN = 0, VTD_PC_PASID = 1, VTD_PC_GLOBAL = 3 };

/* FSTS_REG, 11.4.7.1 */
#define VTD_FSTS_PFO		VTD_BIT(0)
#define VTD_FSTS_PPF		VTD_BIT(1)
#define VTD_FSTS_IQE		VTD_BIT(4)
#define VTD_FSTS_ICE		VTD_BIT(5)
#define VTD_FSTS_ITE		VTD_BIT(6)
#define VTD_FSTS_FRI		VTD_BITS(15, 8)

/* FECTL_REG, IECTL_REG, PECTL_REG; ICS_REG; PRS_REG */
#define VTD_ECTL_IP		VTD_BIT(30)
#define VTD_ECTL_IM		VTD_BIT(31)
#define VTD_ICS_IWC		VTD_BIT(0)
#define VTD_PRS_PPR		VTD_BIT(0)
#define VTD_PRS_PRO		VTD_BIT(1)

/* Fault recording registers, 11.4.7.6: 128 bits each; the high half */
#define VTD_FRCD_SID		VTD_BITS(15, 0)
#define VTD_FRCD_PRIV		VTD_BIT(29)
#define VTD_FRCD_EXE		VTD_BIT(30)
#define VTD_FRCD_PP		VTD_BIT(31)
#define VTD_FRCD_FR		VTD_BITS(39, 32)
#define VTD_FRCD_PV		VTD_BITS(59, 40)
#define VTD_FRCD_AT		VTD_BITS(61, 60)
#define VTD_FRCD_T		VTD_BIT(62)	/* 1: read, atomic or page request */
#define VTD_FRCD_F		VTD_BIT(63)

/* IQH_REG, IQT_REG, IQA_REG, 11.4.9: QH and QT are byte offsets */
#define VTD_IQ_OFFSET		VTD_BITS(18, 4)
#define VTD_IQA_QS		VTD_BITS(2, 0)	/* 2^QS pages */
#define VTD_IQA_DW		VTD_BIT(11)	/* 256-bit descriptors */

/* IQERCD_REG, 11.4.9.9 */
#define VTD_IQERCD_IQEI		VTD_BITS(3, 0)
#define VTD_IQERCD_ITESID	VTD_BITS(47, 32)
#define VTD_IQERCD_ICESID	VTD_BITS(63, 48)
enum vtd_iqei {
	VTD_IQEI_NONE = 0,
	VTD_IQEI_TAIL = 1,	/* invalid tail pointer */
	VTD_IQEI_FETCH = 2,
	VTD_IQEI_TYPE = 3,
	VTD_IQEI_RESERVED = 4,
	VTD_IQEI_WIDTH = 5,	/* IQA_REG.DW is not supported */
	VTD_IQEI_ALIGN = 6,	/* tail not aligned to the descriptor width */
	VTD_IQEI_TTM = 7,
};

/* PQA_REG, PQH_REG, PQT_REG, 11.4.11 */
#define VTD_PQA_PQS		VTD_BITS(2, 0)	/* 2^PQS pages */
#define VTD_PQ_OFFSET		VTD_BITS(18, 5)

/* ---- Translation structures, 9 ---- */

/* Root entry, 9.1, 9.2: 16 bytes by bus; scalable mode has a lower and an upper half by devfn */
#define VTD_ROOT_P		VTD_BIT(0)
#define VTD_ROOT_CTP		VTD_ADDR_4K

/* Context entry of legacy mode, 9.3: 16 bytes by devfn */
#define VTD_CONTEXT_P		VTD_BIT(0)
#define VTD_CONTEXT_FPD		VTD_BIT(1)
#define VTD_CONTEXT_TT		VTD_BITS(3, 2)
#define VTD_CONTEXT_SSPTPTR	VTD_ADDR_4K
#define VTD_CONTEXT_AW		VTD_BITS(2, 0)	/* second quadword: levels minus 2 */
#define VTD_CONTEXT_DID		VTD_BITS(23, 8)	/* second quadword */
enum vtd_tt { VTD_TT_UNTRANSLATED = 0, VTD_TT_ALL = 1, VTD_TT_PASS_THROUGH = 2 };

/* Context entry of scalable mode, 9.4: 32 bytes by the low 7 bits of devfn */
#define VTD_SM_CONTEXT_P	VTD_BIT(0)
#define VTD_SM_CONTEXT_FPD	VTD_BIT(1)
#define VTD_SM_CONTEXT_DTE	VTD_BIT(2)
#define VTD_SM_CONTEXT_PASIDE	VTD_BIT(3)
#define VTD_SM_CONTEXT_PRE	VTD_BIT(4)
#define VTD_SM_CONTEXT_PDTS	VTD_BITS(11, 9)	/* 2^(PDTS+7) directory entries */
#define VTD_SM_CONTEXT_PASIDDIRPTR VTD_ADDR_4K
#define VTD_SM_CONTEXT_RID_PASID VTD_BITS(19, 0)	/* second quadword */
#define VTD_SM_CONTEXT_RID_PRIV	VTD_BIT(20)		/* second quadword */

/* PASID directory entry, 9.5: 8 bytes by PASID[19:6] */
#define VTD_PASIDDIR_P		VTD_BIT(0)
#define VTD_PASIDDIR_FPD	VTD_BIT(1)
#define VTD_PASIDDIR_SMPTBLPTR	VTD_ADDR_4K

/* PASID table entry, 9.6: 64 bytes by PASID[5:0]; quadword 0 */
#define VTD_PASID_P		VTD_BIT(0)
#define VTD_PASID_FPD		VTD_BIT(1)
#define VTD_PASID_AW		VTD_BITS(4, 2)	/* second stage: levels minus 2 */
#define VTD_PASID_PGTT		VTD_BITS(8, 6)
#define VTD_PASID_SSADE		VTD_BIT(9)
#define VTD_PASID_SSPTPTR	VTD_ADDR_4K
/* quadword 1 */
#define VTD_PASID_DID		VTD_BITS(15, 0)
#define VTD_PASID_PWSNP		VTD_BIT(23)
#define VTD_PASID_PGSNP		VTD_BIT(24)
/* quadword 2 */
#define VTD_PASID_SRE		VTD_BIT(0)
#define VTD_PASID_ERE		VTD_BIT(1)
#define VTD_PASID_FSPM		VTD_BITS(3, 2)	/* first stage: levels minus 4 */
#define VTD_PASID_WPE		VTD_BIT(4)
#define VTD_PASID_NXE		VTD_BIT(5)
#define VTD_PASID_SMEP		VTD_BIT(6)
#define VTD_PASID_EAFE		VTD_BIT(7)
#define VTD_PASID_FSPTPTR	VTD_ADDR_4K

enum vtd_pgtt {
	VTD_PGTT_FIRST_STAGE = 1,
	VTD_PGTT_SECOND_STAGE = 2,
	VTD_PGTT_NESTED = 3,
	VTD_PGTT_PASS_THROUGH = 4,
};

/* First-stage paging entry, 9.7: x86-64's own */
#define VTD_FS_P		VTD_BIT(0)
#define VTD_FS_RW		VTD_BIT(1)
#define VTD_FS_US		VTD_BIT(2)
#define VTD_FS_A		VTD_BIT(5)
#define VTD_FS_D		VTD_BIT(6)
#define VTD_FS_PS		VTD_BIT(7)
#define VTD_FS_G		VTD_BIT(8)
#define VTD_FS_EA		VTD_BIT(10)
#define VTD_FS_ADDR		VTD_BITS(51, 12)
#define VTD_FS_XD		VTD_BIT(63)

/* Second-stage paging entry, 9.8: present if it has R or W */
#define VTD_SS_R		VTD_BIT(0)
#define VTD_SS_W		VTD_BIT(1)
#define VTD_SS_PS		VTD_BIT(7)
#define VTD_SS_A		VTD_BIT(8)
#define VTD_SS_D		VTD_BIT(9)
#define VTD_SS_SNP		VTD_BIT(11)
#define VTD_SS_ADDR		VTD_BITS(51, 12)

/* The range of interrupt messages, 3.14: never translated */
#define VTD_INTERRUPT_FIRST	0xfee00000ull
#define VTD_INTERRUPT_LAST	0xfeefffffull

/* ---- Fault reasons, 7.1.3: legacy mode 0x01.., scalable mode 0x30.. ---- */

enum vtd_fault {
	VTD_FAULT_LRT_2_NOT_PRESENT = 0x01,	/* root entry */
	VTD_FAULT_LCT_2_NOT_PRESENT = 0x02,	/* context entry */
	VTD_FAULT_LCT_4_INVALID = 0x03,
	VTD_FAULT_LGN_1_BEYOND_WIDTH = 0x04,
	VTD_FAULT_LGN_2_WRITE = 0x05,
	VTD_FAULT_LGN_3_READ = 0x06,
	VTD_FAULT_LSS_1_ACCESS = 0x07,		/* second-stage entry cannot be read */
	VTD_FAULT_LRT_1_ACCESS = 0x08,
	VTD_FAULT_LCT_1_ACCESS = 0x09,
	VTD_FAULT_LRT_3_RESERVED = 0x0a,
	VTD_FAULT_LCT_3_RESERVED = 0x0b,
	VTD_FAULT_LSS_2_RESERVED = 0x0c,
	VTD_FAULT_LCT_5_BLOCKED = 0x0d,		/* TT blocks translation and translated requests */
	VTD_FAULT_LGN_4_INTERRUPT = 0x0e,
	VTD_FAULT_RTA_1_TTM = 0x30,		/* TTM is reserved */
	VTD_FAULT_RTA_2_PASID = 0x31,		/* request with PASID in legacy mode */
	VTD_FAULT_RTA_3_PAGE_GROUP = 0x32,	/* page group request in legacy mode */
	VTD_FAULT_SRT_1_ACCESS = 0x38,
	VTD_FAULT_SRT_2_NOT_PRESENT = 0x39,
	VTD_FAULT_SRT_3_RESERVED = 0x3a,
	VTD_FAULT_SCT_1_ACCESS = 0x40,
	VTD_FAULT_SCT_2_NOT_PRESENT = 0x41,
	VTD_FAULT_SCT_3_RESERVED = 0x42,
	VTD_FAULT_SCT_4_INVALID = 0x43,
	VTD_FAULT_SCT_5_DTE = 0x44,
	VTD_FAULT_SCT_6_PASIDE = 0x45,
	VTD_FAULT_SCT_7_PASID_SIZE = 0x46,
	VTD_FAULT_SCT_8_PRE = 0x47,
	VTD_FAULT_SCT_9_RID_PASID = 0x48,
	VTD_FAULT_SPD_1_ACCESS = 0x50,
	VTD_FAULT_SPD_2_NOT_PRESENT = 0x51,
	VTD_FAULT_SPD_3_RESERVED = 0x52,
	VTD_FAULT_SPT_1_ACCESS = 0x58,
	VTD_FAULT_SPT_2_NOT_PRESENT = 0x59,
	VTD_FAULT_SPT_3_RESERVED = 0x5a,
	VTD_FAULT_SPT_4_INVALID = 0x5b,
	VTD_FAULT_SPT_5_ERE = 0x5c,
	VTD_FAULT_SPT_6_SRE = 0x5d,
	VTD_FAULT_SFS_1_ACCESS = 0x70,
	VTD_FAULT_SFS_2_NOT_PRESENT = 0x71,
	VTD_FAULT_SFS_3_RESERVED = 0x72,
	VTD_FAULT_SFS_4_ROOT_ACCESS = 0x73,
	VTD_FAULT_SFS_5_BEYOND_WIDTH = 0x74,	/* nested: table beyond the second stage */
	VTD_FAULT_SFS_6_ROOT_READ = 0x75,	/* nested: the top table is not readable */
	VTD_FAULT_SFS_7_READ = 0x76,		/* nested: ... a lower table */
	VTD_FAULT_SFS_8_WRITE = 0x77,		/* nested: ... to set A or D in a table */
	VTD_FAULT_SSS_1_ACCESS = 0x78,
	VTD_FAULT_SSS_2_NOT_PRESENT = 0x79,
	VTD_FAULT_SSS_3_RESERVED = 0x7a,
	VTD_FAULT_SSS_4_ROOT_ACCESS = 0x7b,
	VTD_FAULT_SSS_5_NO_SNOOP = 0x7c,
	VTD_FAULT_SGN_1_CANONICAL = 0x80,
	VTD_FAULT_SGN_2_USER = 0x81,
	VTD_FAULT_SGN_3_EXECUTE = 0x82,
	VTD_FAULT_SGN_4_BEYOND_HOST = 0x83,
	VTD_FAULT_SGN_5_BEYOND_WIDTH = 0x84,
	VTD_FAULT_SGN_6_WRITE = 0x85,
	VTD_FAULT_SGN_7_READ = 0x86,
	VTD_FAULT_SGN_8_INTERRUPT = 0x87,
	VTD_FAULT_SFS_9_NO_SNOOP = 0x90,
	VTD_FAULT_SFS_10_ATOMIC = 0x91,
};

/* ---- Invalidation descriptors, 6.5.2: 2 or 4 quadwords, the upper 2 reserved ---- */

enum vtd_inv_type {
	VTD_INV_CONTEXT = 1,
	VTD_INV_IOTLB = 2,
	VTD_INV_DEVTLB = 3,
	VTD_INV_IEC = 4,
	VTD_INV_WAIT = 5,
	VTD_INV_PIOTLB = 6,
	VTD_INV_PASID_CACHE = 7,
	VTD_INV_PDEVTLB = 8,
	VTD_INV_PAGE_RESPONSE = 9,
};

/* The type is split: bits 11:9 above bits 3:0 */
#define VTD_INV_TYPE(_d0)	((unsigned int)(((_d0) & 0xf) | ((_d0) >> 5 & 0x70)))

#define VTD_INV_G		VTD_BITS(5, 4)
#define VTD_INV_DID		VTD_BITS(31, 16)	/* context, PASID cache, IOTLB, PIOTLB */
#define VTD_INV_PASID		VTD_BITS(51, 32)	/* PASID cache, PIOTLB, PDEVTLB, response */
#define VTD_INV_ADDR		VTD_ADDR_4K		/* second quadword, all that have one */
#define VTD_INV_AM		VTD_BITS(5, 0)		/* second quadword, IOTLB and PIOTLB */
#define VTD_INV_IH		VTD_BIT(6)		/* second quadword, IOTLB and PIOTLB */
#define VTD_INV_PFSID_LOW	VTD_BITS(15, 12)	/* DEVTLB, PDEVTLB */
#define VTD_INV_PFSID_HIGH	VTD_BITS(63, 52)
#define VTD_INV_CONTEXT_SID	VTD_BITS(47, 32)
#define VTD_INV_CONTEXT_FM	VTD_BITS(49, 48)
#define VTD_INV_IOTLB_DW	VTD_BIT(6)
#define VTD_INV_IOTLB_DR	VTD_BIT(7)
#define VTD_INV_DEVTLB_MIP	VTD_BITS(20, 16)
#define VTD_INV_DEVTLB_SID	VTD_BITS(47, 32)
#define VTD_INV_DEVTLB_S	VTD_BIT(0)		/* second quadword */
#define VTD_INV_PDEVTLB_MIP	VTD_BITS(8, 4)
#define VTD_INV_PDEVTLB_SID	VTD_BITS(31, 16)
#define VTD_INV_PDEVTLB_G	VTD_BIT(0)		/* second quadword */
#define VTD_INV_PDEVTLB_S	VTD_BIT(11)		/* second quadword */
#define VTD_INV_IEC_G		VTD_BIT(4)		/* 1: index-selective */
#define VTD_INV_IEC_IM		VTD_BITS(31, 27)
#define VTD_INV_IEC_IIDX	VTD_BITS(47, 32)
#define VTD_INV_WAIT_IF		VTD_BIT(4)
#define VTD_INV_WAIT_SW		VTD_BIT(5)
#define VTD_INV_WAIT_FN		VTD_BIT(6)
#define VTD_INV_WAIT_PD		VTD_BIT(7)
#define VTD_INV_WAIT_DATA	VTD_BITS(63, 32)
#define VTD_INV_WAIT_ADDR	VTD_BITS(63, 2)		/* second quadword */
#define VTD_INV_RESPONSE_PP	VTD_BIT(4)
#define VTD_INV_RESPONSE_RC	VTD_BITS(15, 12)
#define VTD_INV_RESPONSE_RID	VTD_BITS(31, 16)
#define VTD_INV_RESPONSE_PRGI	VTD_BITS(11, 3)		/* second quadword */
enum vtd_response {
	VTD_RESPONSE_SUCCESS = 0,
	VTD_RESPONSE_INVALID = 1,
	VTD_RESPONSE_FAILURE = 15,
};

static inline void vtd_inv_set(uint64_t d[4], uint64_t d0, uint64_t d1)
{
	d[0] = d0;
	d[1] = d1;
	d[2] = 0;
	d[3] = 0;
}

/** vtd_inv_context() - @granularity VTD_GLOBAL, VTD_DOMAIN, VTD_DEVICE; @fm masks function bits */
static inline void vtd_inv_context(uint64_t d[4], unsigned int granularity, uint16_t did,
				   uint16_t sid, unsigned int fm)
{
	vtd_inv_set(d, VTD_INV_CONTEXT | VTD_PUT(VTD_INV_G, granularity) |
		    VTD_PUT(VTD_INV_DID, did) | VTD_PUT(VTD_INV_CONTEXT_SID, sid) |
		    VTD_PUT(VTD_INV_CONTEXT_FM, fm), 0);
}

/** vtd_inv_pasid_cache() - @granularity VTD_PC_DOMAIN, VTD_PC_PASID or VTD_PC_GLOBAL */
static inline void vtd_inv_pasid_cache(uint64_t d[4], unsigned int granularity, uint16_t did,
				       uint32_t pasid)
{
	vtd_inv_set(d, VTD_INV_PASID_CACHE | VTD_PUT(VTD_INV_G, granularity) |
		    VTD_PUT(VTD_INV_DID, did) | VTD_PUT(VTD_INV_PASID, pasid), 0);
}

/**
 * vtd_inv_iotlb() - @granularity VTD_GLOBAL, VTD_DOMAIN or VTD_PAGE
 * @am: 2^@am pages at @addr; @ih: no paging-structure entry was changed. Drains reads and writes.
 */
static inline void vtd_inv_iotlb(uint64_t d[4], unsigned int granularity, uint16_t did,
				 uint64_t addr, unsigned int am, bool ih)
{
	vtd_inv_set(d, VTD_INV_IOTLB | VTD_PUT(VTD_INV_G, granularity) |
		    VTD_PUT(VTD_INV_DID, did) | VTD_INV_IOTLB_DW | VTD_INV_IOTLB_DR,
		    (addr & VTD_INV_ADDR) | VTD_PUT(VTD_INV_AM, am) | VTD_PUT(VTD_INV_IH, ih));
}

/** vtd_inv_piotlb() - @granularity VTD_PASID or VTD_PAGE */
static inline void vtd_inv_piotlb(uint64_t d[4], unsigned int granularity, uint16_t did,
				  uint32_t pasid, uint64_t addr, unsigned int am, bool ih)
{
	vtd_inv_set(d, VTD_INV_PIOTLB | VTD_PUT(VTD_INV_G, granularity) |
		    VTD_PUT(VTD_INV_DID, did) | VTD_PUT(VTD_INV_PASID, pasid),
		    (addr & VTD_INV_ADDR) | VTD_PUT(VTD_INV_AM, am) | VTD_PUT(VTD_INV_IH, ih));
}

/**
 * vtd_inv_range() - The ATS range of 2^@order pages at @addr, without the S bit
 * The lowest clear bit above bit 11 says how large it is (6.5.2.5); @order 52: the whole space.
 */
static inline uint64_t vtd_inv_range(uint64_t addr, unsigned int order)
{
	uint64_t below = order ? (1ull << (order + 11)) - 1 : 0;

	return ((addr & ~(below << 1 | 1)) | below) & VTD_INV_ADDR;
}

/**
 * vtd_inv_devtlb() - 2^@order pages at @addr in the ATC of @sid; @order 52: everything
 * @mip: invalidations that may be pending at the device; 0 means 32
 */
static inline void vtd_inv_devtlb(uint64_t d[4], uint16_t sid, uint16_t pfsid, unsigned int mip,
				  uint64_t addr, unsigned int order)
{
	vtd_inv_set(d, VTD_INV_DEVTLB | VTD_PUT(VTD_INV_DEVTLB_SID, sid) |
		    VTD_PUT(VTD_INV_DEVTLB_MIP, mip) | VTD_PUT(VTD_INV_PFSID_LOW, pfsid) |
		    VTD_PUT(VTD_INV_PFSID_HIGH, pfsid >> 4),
		    vtd_inv_range(addr, order) | (order ? VTD_INV_DEVTLB_S : 0));
}

/** vtd_inv_pdevtlb() - The same for one PASID, or for @global entries of all */
static inline void vtd_inv_pdevtlb(uint64_t d[4], uint16_t sid, uint16_t pfsid, unsigned int mip,
				   uint32_t pasid, bool global, uint64_t addr, unsigned int order)
{
	vtd_inv_set(d, VTD_INV_PDEVTLB | VTD_PUT(VTD_INV_PDEVTLB_SID, sid) |
		    VTD_PUT(VTD_INV_PDEVTLB_MIP, mip) | VTD_PUT(VTD_INV_PFSID_LOW, pfsid) |
		    VTD_PUT(VTD_INV_PFSID_HIGH, pfsid >> 4) | VTD_PUT(VTD_INV_PASID, pasid),
		    vtd_inv_range(addr, order) | (order ? VTD_INV_PDEVTLB_S : 0) |
		    VTD_PUT(VTD_INV_PDEVTLB_G, global));
}

/** vtd_inv_iec() - Interrupt entry cache: all, or 2^@mask entries at @index */
static inline void vtd_inv_iec(uint64_t d[4], bool selective, uint16_t index, unsigned int mask)
{
	vtd_inv_set(d, VTD_INV_IEC | VTD_PUT(VTD_INV_IEC_G, selective) |
		    VTD_PUT(VTD_INV_IEC_IM, mask) | VTD_PUT(VTD_INV_IEC_IIDX, index), 0);
}

/** vtd_inv_wait() - @flags of VTD_INV_WAIT_*; @data goes to @addr with VTD_INV_WAIT_SW */
static inline void vtd_inv_wait(uint64_t d[4], uint64_t flags, uint64_t addr, uint32_t data)
{
	vtd_inv_set(d, VTD_INV_WAIT | flags | VTD_PUT(VTD_INV_WAIT_DATA, data),
		    addr & VTD_INV_WAIT_ADDR);
}

/** vtd_inv_page_response() - Page group response, 7.5.1; @code of enum vtd_response */
static inline void vtd_inv_page_response(uint64_t d[4], uint16_t rid, bool has_pasid,
					 uint32_t pasid, unsigned int index, unsigned int code)
{
	vtd_inv_set(d, VTD_INV_PAGE_RESPONSE | VTD_PUT(VTD_INV_RESPONSE_PP, has_pasid) |
		    VTD_PUT(VTD_INV_RESPONSE_RC, code) | VTD_PUT(VTD_INV_RESPONSE_RID, rid) |
		    VTD_PUT(VTD_INV_PASID, has_pasid ? pasid : 0),
		    VTD_PUT(VTD_INV_RESPONSE_PRGI, index));
}

/* ---- Page request descriptor, 7.4.1: 32 bytes ---- */

#define VTD_PRQ_TYPE		VTD_BITS(7, 0)
#define VTD_PRQ_TYPE_PAGE	1
#define VTD_PRQ_PP		VTD_BIT(8)
#define VTD_PRQ_RID		VTD_BITS(31, 16)
#define VTD_PRQ_PASID		VTD_BITS(51, 32)
#define VTD_PRQ_EXE		VTD_BIT(52)
#define VTD_PRQ_PRIV		VTD_BIT(53)
#define VTD_PRQ_R		VTD_BIT(0)		/* second quadword */
#define VTD_PRQ_W		VTD_BIT(1)
#define VTD_PRQ_LPIG		VTD_BIT(2)
#define VTD_PRQ_PRGI		VTD_BITS(11, 3)
#define VTD_PRQ_ADDR		VTD_ADDR_4K

#endif
