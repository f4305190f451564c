/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arm SMMUv3 as its specification has it: registers, tables, descriptors, commands, records.
 *
 * Source: Arm System Memory Management Unit Architecture Specification, IHI 0070 (sections are
 * cited as "4.4.2"), and Arm ARM DDI 0487 D8.3 for translation table descriptors. Bits are
 * numbered within 64-bit words: the specification's bit 93 of an STE is bit 29 of word 1.
 *
 * The NVIDIA Tegra241 command queue virtualisation block has no public specification; its layout
 * is what the Linux driver drives (drivers/iommu/arm/arm-smmu-v3/tegra241-cmdqv.c, 7.3).
 */
#ifndef NIT_SPEC_SMMUV3_H
#define NIT_SPEC_SMMUV3_H

#include <stdbool.h>
#include <stdint.h>

#define SMMU_BIT(_n)		(1ull << (_n))
#define SMMU_BITS(_hi, _lo)	((~0ull >> (63 - (_hi))) & (~0ull << (_lo)))

/** smmu_get() - The field @mask of @word */
static inline uint64_t smmu_get(uint64_t mask, uint64_t word)
{
	return (word & mask) / (mask & -mask);
}

/** smmu_put() - @value as the field @mask of a word; bits that do not fit are dropped */
static inline uint64_t smmu_put(uint64_t mask, uint64_t value)
{
	return (value * (mask & -mask)) & mask;
}

/* Registers, 6.2 and 6.3: page 0, and page 1 for what consumers of the output queues write. */

#define SMMU_IDR0			0x00	/* 6.3.1 */
#define  SMMU_IDR0_S2P			SMMU_BIT(0)
#define  SMMU_IDR0_S1P			SMMU_BIT(1)
#define  SMMU_IDR0_TTF			SMMU_BITS(3, 2)
#define   SMMU_TTF_AARCH32		1
#define   SMMU_TTF_AARCH64		2
#define  SMMU_IDR0_COHACC		SMMU_BIT(4)
#define  SMMU_IDR0_BTM			SMMU_BIT(5)
#define  SMMU_IDR0_HTTU			SMMU_BITS(7, 6)
#define   SMMU_HTTU_NONE		0
#define   SMMU_HTTU_ACCESS		1
#define   SMMU_HTTU_DIRTY		2
#define  SMMU_IDR0_DORMHINT		SMMU_BIT(8)
#define  SMMU_IDR0_HYP			SMMU_BIT(9)
#define  SMMU_IDR0_ATS			SMMU_BIT(10)
#define  SMMU_IDR0_NS1ATS		SMMU_BIT(11)
#define  SMMU_IDR0_ASID16		SMMU_BIT(12)
#define  SMMU_IDR0_MSI			SMMU_BIT(13)
#define  SMMU_IDR0_SEV			SMMU_BIT(14)
#define  SMMU_IDR0_ATOS			SMMU_BIT(15)
#define  SMMU_IDR0_PRI			SMMU_BIT(16)
#define  SMMU_IDR0_VMW			SMMU_BIT(17)
#define  SMMU_IDR0_VMID16		SMMU_BIT(18)
#define  SMMU_IDR0_CD2L			SMMU_BIT(19)
#define  SMMU_IDR0_VATOS		SMMU_BIT(20)
#define  SMMU_IDR0_TTENDIAN		SMMU_BITS(22, 21)
#define   SMMU_TTENDIAN_LITTLE		2
#define  SMMU_IDR0_ATSRECERR		SMMU_BIT(23)
#define  SMMU_IDR0_STALL_MODEL		SMMU_BITS(25, 24)
#define   SMMU_STALL_BOTH		0	/* stall and terminate */
#define   SMMU_STALL_NEVER		1
#define   SMMU_STALL_ALWAYS		2
#define  SMMU_IDR0_TERM_MODEL		SMMU_BIT(26)
#define  SMMU_IDR0_ST_LEVEL		SMMU_BITS(28, 27)

#define SMMU_IDR1			0x04	/* 6.3.2 */
#define  SMMU_IDR1_SIDSIZE		SMMU_BITS(5, 0)
#define  SMMU_IDR1_SSIDSIZE		SMMU_BITS(10, 6)
#define  SMMU_IDR1_PRIQS		SMMU_BITS(15, 11)
#define  SMMU_IDR1_EVENTQS		SMMU_BITS(20, 16)
#define  SMMU_IDR1_CMDQS		SMMU_BITS(25, 21)
#define  SMMU_IDR1_ATTR_PERMS_OVR	SMMU_BIT(26)
#define  SMMU_IDR1_ATTR_TYPES_OVR	SMMU_BIT(27)
#define  SMMU_IDR1_REL			SMMU_BIT(28)
#define  SMMU_IDR1_QUEUES_PRESET	SMMU_BIT(29)
#define  SMMU_IDR1_TABLES_PRESET	SMMU_BIT(30)
#define  SMMU_IDR1_ECMDQ		SMMU_BIT(31)

#define SMMU_IDR2			0x08	/* 6.3.3 */

#define SMMU_IDR3			0x0c	/* 6.3.4 */
#define  SMMU_IDR3_HAD			SMMU_BIT(2)
#define  SMMU_IDR3_PBHA			SMMU_BIT(3)
#define  SMMU_IDR3_XNX			SMMU_BIT(4)
#define  SMMU_IDR3_PPS			SMMU_BIT(5)
#define  SMMU_IDR3_MPAM			SMMU_BIT(7)
#define  SMMU_IDR3_FWB			SMMU_BIT(8)
#define  SMMU_IDR3_STT			SMMU_BIT(9)
#define  SMMU_IDR3_RIL			SMMU_BIT(10)
#define  SMMU_IDR3_BBML			SMMU_BITS(12, 11)

#define SMMU_IDR4			0x10	/* 6.3.5 */

#define SMMU_IDR5			0x14	/* 6.3.6 */
#define  SMMU_IDR5_OAS			SMMU_BITS(2, 0)	/* index of smmu_address_bits[] */
#define  SMMU_IDR5_GRAN4K		SMMU_BIT(4)
#define  SMMU_IDR5_GRAN16K		SMMU_BIT(5)
#define  SMMU_IDR5_GRAN64K		SMMU_BIT(6)
#define  SMMU_IDR5_DS			SMMU_BIT(7)
#define  SMMU_IDR5_VAX			SMMU_BITS(11, 10)
#define  SMMU_IDR5_STALL_MAX		SMMU_BITS(31, 16)

/** smmu_address_bits[] - What OAS, IPS and S2PS encode */
static const uint8_t smmu_address_bits[8] = { 32, 36, 40, 42, 44, 48, 52, 52 };

#define SMMU_IIDR			0x18
#define SMMU_AIDR			0x1c

#define SMMU_CR0			0x20	/* 6.3.9 */
#define SMMU_CR0ACK			0x24
#define  SMMU_CR0_SMMUEN		SMMU_BIT(0)
#define  SMMU_CR0_PRIQEN		SMMU_BIT(1)
#define  SMMU_CR0_EVENTQEN		SMMU_BIT(2)
#define  SMMU_CR0_CMDQEN		SMMU_BIT(3)
#define  SMMU_CR0_ATSCHK		SMMU_BIT(4)
#define  SMMU_CR0_VMW			SMMU_BITS(8, 6)

#define SMMU_CR1			0x28	/* 6.3.11: attributes of table and queue accesses */

#define SMMU_CR2			0x2c	/* 6.3.12 */
#define  SMMU_CR2_E2H			SMMU_BIT(0)
#define  SMMU_CR2_RECINVSID		SMMU_BIT(1)
#define  SMMU_CR2_PTM			SMMU_BIT(2)
#define  SMMU_CR2_REC_CFG_ATS		SMMU_BIT(3)

#define SMMU_STATUSR			0x40
#define SMMU_GBPA			0x44	/* 6.3.14 */
#define  SMMU_GBPA_ABORT		SMMU_BIT(20)
#define  SMMU_GBPA_UPDATE		SMMU_BIT(31)

#define SMMU_IRQ_CTRL			0x50	/* 6.3.17 */
#define SMMU_IRQ_CTRLACK		0x54
#define  SMMU_IRQ_CTRL_GERROR		SMMU_BIT(0)
#define  SMMU_IRQ_CTRL_PRIQ		SMMU_BIT(1)
#define  SMMU_IRQ_CTRL_EVENTQ		SMMU_BIT(2)

#define SMMU_GERROR			0x60	/* 6.3.19, 7.5; active where not as GERRORN */
#define SMMU_GERRORN			0x64
#define  SMMU_GERROR_CMDQ_ERR		SMMU_BIT(0)
#define  SMMU_GERROR_EVENTQ_ABT_ERR	SMMU_BIT(2)
#define  SMMU_GERROR_PRIQ_ABT_ERR	SMMU_BIT(3)
#define  SMMU_GERROR_MSI_CMDQ_ABT_ERR	SMMU_BIT(4)
#define  SMMU_GERROR_MSI_EVENTQ_ABT_ERR	SMMU_BIT(5)
#define  SMMU_GERROR_MSI_PRIQ_ABT_ERR	SMMU_BIT(6)
#define  SMMU_GERROR_MSI_GERROR_ABT_ERR	SMMU_BIT(7)
#define  SMMU_GERROR_SFM_ERR		SMMU_BIT(8)
#define  SMMU_GERROR_ALL		0x1fdull

/* MSI configuration: CFG0 is the address (0: no MSI), CFG1 the data, CFG2 the attributes. */
#define SMMU_GERROR_IRQ_CFG0		0x68
#define SMMU_GERROR_IRQ_CFG1		0x70
#define SMMU_GERROR_IRQ_CFG2		0x74
#define SMMU_EVENTQ_IRQ_CFG0		0xb0
#define SMMU_EVENTQ_IRQ_CFG1		0xb8
#define SMMU_EVENTQ_IRQ_CFG2		0xbc
#define SMMU_PRIQ_IRQ_CFG0		0xd0
#define SMMU_PRIQ_IRQ_CFG1		0xd8
#define SMMU_PRIQ_IRQ_CFG2		0xdc
#define  SMMU_PRIQ_IRQ_CFG2_LO		SMMU_BIT(31)	/* only the last request of a group */
#define  SMMU_MSI_ADDR			SMMU_BITS(55, 2)

#define SMMU_STRTAB_BASE		0x80	/* 6.3.24 */
#define  SMMU_STRTAB_BASE_ADDR		SMMU_BITS(55, 6)
#define  SMMU_STRTAB_BASE_RA		SMMU_BIT(62)
#define SMMU_STRTAB_BASE_CFG		0x88	/* 6.3.25 */
#define  SMMU_STRTAB_CFG_LOG2SIZE	SMMU_BITS(5, 0)
#define  SMMU_STRTAB_CFG_SPLIT		SMMU_BITS(10, 6)	/* 6, 8 or 10 */
#define  SMMU_STRTAB_CFG_FMT		SMMU_BITS(17, 16)
#define   SMMU_STRTAB_LINEAR		0
#define   SMMU_STRTAB_2LEVEL		1

/* Queues, 3.5: base and size; indices with a wrap bit above the index bits, then OVFLG. */
#define SMMU_CMDQ_BASE			0x90	/* 6.3.26 */
#define SMMU_CMDQ_PROD			0x98
#define SMMU_CMDQ_CONS			0x9c
#define SMMU_EVENTQ_BASE		0xa0	/* 6.3.29 */
#define SMMU_EVENTQ_PROD		0x100a8
#define SMMU_EVENTQ_CONS		0x100ac
#define SMMU_PRIQ_BASE			0xc0	/* 6.3.33 */
#define SMMU_PRIQ_PROD			0x100c8
#define SMMU_PRIQ_CONS			0x100cc
#define  SMMU_Q_BASE_LOG2SIZE		SMMU_BITS(4, 0)
#define  SMMU_Q_BASE_ADDR		SMMU_BITS(55, 5)
#define  SMMU_Q_BASE_RWA		SMMU_BIT(62)
#define  SMMU_Q_OVFLG			SMMU_BIT(31)	/* of PROD; OVACKFLG of CONS */
#define  SMMU_CMDQ_CONS_ERR		SMMU_BITS(30, 24)	/* 7.1 */
#define   SMMU_CERROR_NONE		0
#define   SMMU_CERROR_ILL		1
#define   SMMU_CERROR_ABT		2
#define   SMMU_CERROR_ATC_INV_SYNC	3

#define SMMU_CMD_SIZE			16	/* bytes of an entry */
#define SMMU_EVENT_SIZE			32
#define SMMU_PAGE_REQUEST_SIZE		16

#define SMMU_REGISTERS_SIZE		0x20000

/** smmu_queue_index() - Of a PROD or CONS value in a queue of 2^@log2size entries */
static inline uint32_t smmu_queue_index(uint32_t pointer, unsigned int log2size)
{
	return pointer & ((1u << log2size) - 1);
}

/** smmu_queue_next() - The pointer (index and wrap bit) after @pointer; other bits are dropped */
static inline uint32_t smmu_queue_next(uint32_t pointer, unsigned int log2size)
{
	return (pointer + 1) & ((2u << log2size) - 1);
}

static inline bool smmu_queue_empty(uint32_t prod, uint32_t cons, unsigned int log2size)
{
	return !((prod ^ cons) & ((2u << log2size) - 1));
}

static inline bool smmu_queue_full(uint32_t prod, uint32_t cons, unsigned int log2size)
{
	return ((prod ^ cons) & ((2u << log2size) - 1)) == 1u << log2size;
}

/* Stream table, 5.1 and 5.2 */

#define SMMU_L1STD_SPAN			SMMU_BITS(4, 0)	/* 0: none; n: 2^(n-1) STEs */
#define SMMU_L1STD_L2PTR		SMMU_BITS(55, 6)

#define SMMU_STE_WORDS			8
#define SMMU_STE_SIZE			64

#define STE0_V				SMMU_BIT(0)
#define STE0_CONFIG			SMMU_BITS(3, 1)
#define  STE_CONFIG_ABORT		0
#define  STE_CONFIG_BYPASS		4
#define  STE_CONFIG_S1			5
#define  STE_CONFIG_S2			6
#define  STE_CONFIG_NESTED		7	/* stage 1 on stage 2 */
#define STE0_S1FMT			SMMU_BITS(5, 4)
#define  STE_S1FMT_LINEAR		0
#define  STE_S1FMT_4K			1	/* 2 levels, 64 CDs in a level-2 table */
#define  STE_S1FMT_64K			2	/* 2 levels, 1024 CDs in a level-2 table */
#define STE0_S1CONTEXTPTR		SMMU_BITS(55, 6)
#define STE0_S1CDMAX			SMMU_BITS(63, 59)

#define STE1_S1DSS			SMMU_BITS(1, 0)
#define  STE_S1DSS_TERMINATE		0
#define  STE_S1DSS_BYPASS		1
#define  STE_S1DSS_SSID0		2
#define STE1_S1CIR			SMMU_BITS(3, 2)
#define STE1_S1COR			SMMU_BITS(5, 4)
#define STE1_S1CSH			SMMU_BITS(7, 6)
#define STE1_CONT			SMMU_BITS(16, 13)
#define STE1_PPAR			SMMU_BIT(18)
#define STE1_MEV			SMMU_BIT(19)
#define STE1_S2FWB			SMMU_BIT(25)
#define STE1_S1STALLD			SMMU_BIT(27)
#define STE1_EATS			SMMU_BITS(29, 28)
#define  STE_EATS_NONE			0
#define  STE_EATS_FULL			1
#define  STE_EATS_SPLIT			2	/* the endpoint caches IPAs */
#define STE1_STRW			SMMU_BITS(31, 30)
#define  STE_STRW_EL1			0
#define  STE_STRW_EL2			2
#define STE1_SHCFG			SMMU_BITS(45, 44)
#define  STE_SHCFG_INCOMING		1
#define STE1_PRIVCFG			SMMU_BITS(49, 48)	/* 2 user, 3 privileged */
#define STE1_INSTCFG			SMMU_BITS(51, 50)	/* 2 data, 3 instruction */

#define STE2_S2VMID			SMMU_BITS(15, 0)
#define STE2_S2T0SZ			SMMU_BITS(37, 32)
#define STE2_S2SL0			SMMU_BITS(39, 38)
#define STE2_S2IR0			SMMU_BITS(41, 40)
#define STE2_S2OR0			SMMU_BITS(43, 42)
#define STE2_S2SH0			SMMU_BITS(45, 44)
#define STE2_S2TG			SMMU_BITS(47, 46)	/* SMMU_TG0_* */
#define STE2_S2PS			SMMU_BITS(50, 48)
#define STE2_S2AA64			SMMU_BIT(51)
#define STE2_S2ENDI			SMMU_BIT(52)
#define STE2_S2AFFD			SMMU_BIT(53)
#define STE2_S2PTW			SMMU_BIT(54)
#define STE2_S2HD			SMMU_BIT(55)
#define STE2_S2HA			SMMU_BIT(56)
#define STE2_S2S			SMMU_BIT(57)
#define STE2_S2R			SMMU_BIT(58)

#define STE3_S2SL0_2			SMMU_BIT(2)
#define STE3_S2DS			SMMU_BIT(3)
#define STE3_S2TTB			SMMU_BITS(55, 4)

/* Granules: stage-1 TTB0 and stage 2 encode alike, TTB1 otherwise (5.4 TG0, TG1). */
#define SMMU_TG0_4K			0
#define SMMU_TG0_64K			1
#define SMMU_TG0_16K			2
#define SMMU_TG1_16K			1
#define SMMU_TG1_4K			2
#define SMMU_TG1_64K			3

/* Context descriptors, 5.3 and 5.4 */

#define SMMU_L1CD_V			SMMU_BIT(0)
#define SMMU_L1CD_L2PTR			SMMU_BITS(55, 12)

#define SMMU_CD_WORDS			8
#define SMMU_CD_SIZE			64

#define CD0_T0SZ			SMMU_BITS(5, 0)
#define CD0_TG0				SMMU_BITS(7, 6)
#define CD0_IR0				SMMU_BITS(9, 8)
#define CD0_OR0				SMMU_BITS(11, 10)
#define CD0_SH0				SMMU_BITS(13, 12)
#define CD0_EPD0			SMMU_BIT(14)
#define CD0_ENDI			SMMU_BIT(15)
#define CD0_T1SZ			SMMU_BITS(21, 16)
#define CD0_TG1				SMMU_BITS(23, 22)
#define CD0_IR1				SMMU_BITS(25, 24)
#define CD0_OR1				SMMU_BITS(27, 26)
#define CD0_SH1				SMMU_BITS(29, 28)
#define CD0_EPD1			SMMU_BIT(30)
#define CD0_V				SMMU_BIT(31)
#define CD0_IPS				SMMU_BITS(34, 32)
#define CD0_AFFD			SMMU_BIT(35)
#define CD0_WXN				SMMU_BIT(36)
#define CD0_UWXN			SMMU_BIT(37)
#define CD0_TBI0			SMMU_BIT(38)
#define CD0_TBI1			SMMU_BIT(39)
#define CD0_PAN				SMMU_BIT(40)
#define CD0_AA64			SMMU_BIT(41)
#define CD0_HD				SMMU_BIT(42)
#define CD0_HA				SMMU_BIT(43)
#define CD0_S				SMMU_BIT(44)
#define CD0_R				SMMU_BIT(45)
#define CD0_A				SMMU_BIT(46)
#define CD0_ASET			SMMU_BIT(47)
#define CD0_ASID			SMMU_BITS(63, 48)

#define CD1_HAD0			SMMU_BIT(1)
#define CD1_TTB0			SMMU_BITS(55, 4)

#define CD2_HAD1			SMMU_BIT(1)
#define CD2_TTB1			SMMU_BITS(55, 4)
#define CD2_DS				SMMU_BIT(58)

#define CD3_MAIR			SMMU_BITS(63, 0)

/* VMSAv8-64 descriptors (DDI 0487 D8.3). Levels as the architecture numbers them: 3 is a page. */

#define LPAE_VALID			SMMU_BIT(0)
#define LPAE_TABLE			SMMU_BIT(1)	/* level 0..2: no block; level 3: page */
#define LPAE_ADDR			SMMU_BITS(47, 12)
#define LPAE_ATTRINDX			SMMU_BITS(4, 2)	/* stage 1 */
#define LPAE_MEMATTR			SMMU_BITS(5, 2)	/* stage 2 */
#define LPAE_S1_AP			SMMU_BITS(7, 6)
#define  LPAE_AP_USER			SMMU_BIT(6)	/* AP[1]: unprivileged access */
#define  LPAE_AP_RO			SMMU_BIT(7)	/* AP[2]: read-only */
#define LPAE_S2AP			SMMU_BITS(7, 6)
#define  LPAE_S2AP_R			SMMU_BIT(6)
#define  LPAE_S2AP_W			SMMU_BIT(7)
#define LPAE_SH				SMMU_BITS(9, 8)
#define LPAE_AF				SMMU_BIT(10)
#define LPAE_NG				SMMU_BIT(11)	/* stage 1: not global */
#define LPAE_DBM			SMMU_BIT(51)
#define LPAE_CONTIGUOUS			SMMU_BIT(52)
#define LPAE_PXN			SMMU_BIT(53)	/* stage 1 */
#define LPAE_UXN			SMMU_BIT(54)	/* stage 1 */
#define LPAE_S2_XN			SMMU_BITS(54, 53)
#define LPAE_PXNTABLE			SMMU_BIT(59)	/* of table descriptors, stage 1 */
#define LPAE_UXNTABLE			SMMU_BIT(60)
#define LPAE_APTABLE			SMMU_BITS(62, 61)
#define  LPAE_APTABLE_NO_USER		SMMU_BIT(61)
#define  LPAE_APTABLE_RO		SMMU_BIT(62)

/** lpae_contiguous() - log2 of the entries of a contiguous run (D8.6.1); 0: none at @level */
static inline unsigned int lpae_contiguous(unsigned int page_shift, unsigned int level)
{
	switch (page_shift) {
	case 12:
		return level ? 4 : 0;
	case 14:
		return level == 3 ? 7 : level == 2 ? 5 : 0;
	default:
		return level >= 2 ? 5 : 0;
	}
}

/* Commands, chapter 4: c[0] and c[1] are the two words of an entry. */

enum smmu_opcode {
	CMD_PREFETCH_CONFIG = 0x01,
	CMD_PREFETCH_ADDR = 0x02,
	CMD_CFGI_STE = 0x03,
	CMD_CFGI_STE_RANGE = 0x04,	/* CMD_CFGI_ALL: Range 31 */
	CMD_CFGI_CD = 0x05,
	CMD_CFGI_CD_ALL = 0x06,
	CMD_CFGI_VMS_PIDM = 0x07,
	CMD_TLBI_NH_ALL = 0x10,
	CMD_TLBI_NH_ASID = 0x11,
	CMD_TLBI_NH_VA = 0x12,
	CMD_TLBI_NH_VAA = 0x13,
	CMD_TLBI_EL3_ALL = 0x18,
	CMD_TLBI_EL3_VA = 0x1a,
	CMD_TLBI_EL2_ALL = 0x20,
	CMD_TLBI_EL2_ASID = 0x21,
	CMD_TLBI_EL2_VA = 0x22,
	CMD_TLBI_EL2_VAA = 0x23,
	CMD_TLBI_S12_VMALL = 0x28,
	CMD_TLBI_S2_IPA = 0x2a,
	CMD_TLBI_NSNH_ALL = 0x30,
	CMD_ATC_INV = 0x40,
	CMD_PRI_RESP = 0x41,
	CMD_RESUME = 0x44,
	CMD_STALL_TERM = 0x45,
	CMD_SYNC = 0x46,
};

#define CMD0_OPCODE			SMMU_BITS(7, 0)
#define CMD0_SSEC			SMMU_BIT(10)
#define CMD0_SSV			SMMU_BIT(11)
#define CMD0_SSID			SMMU_BITS(31, 12)
#define CMD0_SID			SMMU_BITS(63, 32)
#define CMD1_LEAF			SMMU_BIT(0)
#define CMD1_ADDR			SMMU_BITS(63, 12)

#define CMD1_PREFETCH_SIZE		SMMU_BITS(4, 0)
#define CMD1_PREFETCH_STRIDE		SMMU_BITS(9, 5)

#define CMD1_CFGI_RANGE			SMMU_BITS(4, 0)
#define  CMD_CFGI_RANGE_ALL		31

#define CMD0_TLBI_NUM			SMMU_BITS(16, 12)
#define CMD0_TLBI_SCALE			SMMU_BITS(25, 20)	/* bit 25 only with IDR5.DS */
#define CMD0_TLBI_VMID			SMMU_BITS(47, 32)
#define CMD0_TLBI_ASID			SMMU_BITS(63, 48)
#define CMD1_TLBI_TTL			SMMU_BITS(9, 8)
#define CMD1_TLBI_TG			SMMU_BITS(11, 10)
#define  CMD_TLBI_TG_ANY		0	/* no range, no level hint */
#define  CMD_TLBI_TG_4K			1
#define  CMD_TLBI_TG_16K		2
#define  CMD_TLBI_TG_64K		3
#define CMD1_TLBI_IPA			SMMU_BITS(55, 12)

#define CMD0_ATC_GLOBAL			SMMU_BIT(9)
#define CMD1_ATC_SIZE			SMMU_BITS(5, 0)	/* 2^size pages of 4 KiB */
#define  CMD_ATC_SIZE_ALL		52

#define CMD1_PRI_PRGINDEX		SMMU_BITS(8, 0)
#define CMD1_PRI_RESP			SMMU_BITS(13, 12)
#define  CMD_PRI_RESP_FAILURE		0
#define  CMD_PRI_RESP_INVALID		1
#define  CMD_PRI_RESP_SUCCESS		2

#define CMD0_RESUME_RETRY		SMMU_BIT(12)	/* Ac */
#define CMD0_RESUME_ABORT		SMMU_BIT(13)	/* Ab */
#define CMD1_RESUME_STAG		SMMU_BITS(15, 0)

#define CMD0_SYNC_CS			SMMU_BITS(13, 12)
#define  CMD_SYNC_CS_NONE		0
#define  CMD_SYNC_CS_IRQ		1
#define  CMD_SYNC_CS_SEV		2
#define CMD0_SYNC_MSH			SMMU_BITS(23, 22)
#define CMD0_SYNC_MSIATTR		SMMU_BITS(27, 24)
#define CMD0_SYNC_MSIDATA		SMMU_BITS(63, 32)
#define CMD1_SYNC_MSIADDR		SMMU_BITS(55, 2)

/* Event records, 7.3: four words. What is not named is zero or implementation defined. */

enum smmu_event {
	EVENT_F_UUT = 0x01,
	EVENT_C_BAD_STREAMID = 0x02,
	EVENT_F_STE_FETCH = 0x03,
	EVENT_C_BAD_STE = 0x04,
	EVENT_F_BAD_ATS_TREQ = 0x05,
	EVENT_F_STREAM_DISABLED = 0x06,
	EVENT_F_TRANSL_FORBIDDEN = 0x07,
	EVENT_C_BAD_SUBSTREAMID = 0x08,
	EVENT_F_CD_FETCH = 0x09,
	EVENT_C_BAD_CD = 0x0a,
	EVENT_F_WALK_EABT = 0x0b,
	EVENT_F_TRANSLATION = 0x10,
	EVENT_F_ADDR_SIZE = 0x11,
	EVENT_F_ACCESS = 0x12,
	EVENT_F_PERMISSION = 0x13,
	EVENT_F_TLB_CONFLICT = 0x20,
	EVENT_F_CFG_CONFLICT = 0x21,
	EVENT_E_PAGE_REQUEST = 0x24,
	EVENT_F_VMS_FETCH = 0x25,
};

#define EVENT0_ID			SMMU_BITS(7, 0)
#define EVENT0_SSV			SMMU_BIT(11)
#define EVENT0_SSID			SMMU_BITS(31, 12)
#define EVENT0_SID			SMMU_BITS(63, 32)
#define EVENT1_STAG			SMMU_BITS(15, 0)
#define EVENT1_STALL			SMMU_BIT(31)
#define EVENT1_PNU			SMMU_BIT(33)
#define EVENT1_IND			SMMU_BIT(34)
#define EVENT1_RNW			SMMU_BIT(35)
#define EVENT1_S2			SMMU_BIT(39)
#define EVENT1_CLASS			SMMU_BITS(41, 40)
#define  EVENT_CLASS_CD			0
#define  EVENT_CLASS_TTD		1
#define  EVENT_CLASS_IN			2
#define EVENT1_TTRNW			SMMU_BIT(44)
#define EVENT2_INPUT_ADDR		SMMU_BITS(63, 0)
#define EVENT3_IPA			SMMU_BITS(55, 12)
#define EVENT3_FETCH_ADDR		SMMU_BITS(55, 3)

/* PRI queue records, chapter 8: two words */

#define PRI0_SID			SMMU_BITS(31, 0)
#define PRI0_SSID			SMMU_BITS(51, 32)
#define PRI0_PRIV			SMMU_BIT(58)
#define PRI0_EXEC			SMMU_BIT(59)
#define PRI0_READ			SMMU_BIT(60)
#define PRI0_WRITE			SMMU_BIT(61)
#define PRI0_LAST			SMMU_BIT(62)
#define PRI0_SSV			SMMU_BIT(63)
#define PRI1_PRGINDEX			SMMU_BITS(8, 0)
#define PRI1_ADDR			SMMU_BITS(63, 12)

/* Command encoders. Each fills both words; what a form has no use for is zero. */

static inline void smmuv3_cmd(uint64_t c[2], enum smmu_opcode opcode)
{
	c[0] = opcode;
	c[1] = 0;
}

static inline void smmuv3_cmd_sid(uint64_t c[2], enum smmu_opcode opcode, uint32_t sid)
{
	c[0] = opcode | smmu_put(CMD0_SID, sid);
	c[1] = 0;
}

static inline void smmuv3_cmd_ssid(uint64_t c[2], uint32_t ssid)
{
	c[0] |= CMD0_SSV | smmu_put(CMD0_SSID, ssid);
}

static inline void smmuv3_cmd_prefetch_config(uint64_t c[2], uint32_t sid)
{
	smmuv3_cmd_sid(c, CMD_PREFETCH_CONFIG, sid);
}

static inline void smmuv3_cmd_prefetch_addr(uint64_t c[2], uint32_t sid, uint64_t addr,
					    unsigned int size, unsigned int stride)
{
	smmuv3_cmd_sid(c, CMD_PREFETCH_ADDR, sid);
	c[1] = (addr & CMD1_ADDR) | smmu_put(CMD1_PREFETCH_SIZE, size) |
	       smmu_put(CMD1_PREFETCH_STRIDE, stride);
}

static inline void smmuv3_cmd_cfgi_ste(uint64_t c[2], uint32_t sid, bool leaf)
{
	smmuv3_cmd_sid(c, CMD_CFGI_STE, sid);
	c[1] = leaf ? CMD1_LEAF : 0;
}

/** smmuv3_cmd_cfgi_ste_range() - 2^(@range + 1) StreamIDs, aligned (4.3.2) */
static inline void smmuv3_cmd_cfgi_ste_range(uint64_t c[2], uint32_t sid, unsigned int range)
{
	smmuv3_cmd_sid(c, CMD_CFGI_STE_RANGE, sid);
	c[1] = smmu_put(CMD1_CFGI_RANGE, range);
}

static inline void smmuv3_cmd_cfgi_all(uint64_t c[2])
{
	smmuv3_cmd_cfgi_ste_range(c, 0, CMD_CFGI_RANGE_ALL);
}

/** smmuv3_cmd_cfgi_cd() - The CD at index @ssid (4.3.3); there is no SSV in this command */
static inline void smmuv3_cmd_cfgi_cd(uint64_t c[2], uint32_t sid, uint32_t ssid, bool leaf)
{
	smmuv3_cmd_sid(c, CMD_CFGI_CD, sid);
	c[0] |= smmu_put(CMD0_SSID, ssid);
	c[1] = leaf ? CMD1_LEAF : 0;
}

static inline void smmuv3_cmd_cfgi_cd_all(uint64_t c[2], uint32_t sid)
{
	smmuv3_cmd_sid(c, CMD_CFGI_CD_ALL, sid);
}

/** smmuv3_cmd_tlbi() - Any CMD_TLBI_*: what the form has no use for must be 0 */
static inline void smmuv3_cmd_tlbi(uint64_t c[2], enum smmu_opcode opcode, uint16_t vmid,
				   uint16_t asid, uint64_t addr, bool leaf)
{
	c[0] = opcode | smmu_put(CMD0_TLBI_VMID, vmid) | smmu_put(CMD0_TLBI_ASID, asid);
	c[1] = (addr & CMD1_ADDR) | (leaf ? CMD1_LEAF : 0);
}

/**
 * smmuv3_cmd_tlbi_range() - Make a range of a TLBI by address (4.4.1.1, needs IDR3.RIL)
 * @num, @scale: (@num + 1) * 2^@scale granules; all of @num, @scale and @ttl 0 is reserved
 * @tg: CMD_TLBI_TG_*
 * @ttl: level of the leaf entries to hit; 0: any
 */
static inline void smmuv3_cmd_tlbi_range(uint64_t c[2], unsigned int num, unsigned int scale,
					 unsigned int tg, unsigned int ttl)
{
	c[0] |= smmu_put(CMD0_TLBI_NUM, num) | smmu_put(CMD0_TLBI_SCALE, scale);
	c[1] |= smmu_put(CMD1_TLBI_TG, tg) | smmu_put(CMD1_TLBI_TTL, ttl);
}

static inline void smmuv3_cmd_tlbi_nh_all(uint64_t c[2], uint16_t vmid)
{
	smmuv3_cmd_tlbi(c, CMD_TLBI_NH_ALL, vmid, 0, 0, false);
}

static inline void smmuv3_cmd_tlbi_nh_asid(uint64_t c[2], uint16_t vmid, uint16_t asid)
{
	smmuv3_cmd_tlbi(c, CMD_TLBI_NH_ASID, vmid, asid, 0, false);
}

static inline void smmuv3_cmd_tlbi_nh_va(uint64_t c[2], uint16_t vmid, uint16_t asid,
					 uint64_t addr, bool leaf)
{
	smmuv3_cmd_tlbi(c, CMD_TLBI_NH_VA, vmid, asid, addr, leaf);
}

static inline void smmuv3_cmd_tlbi_nh_vaa(uint64_t c[2], uint16_t vmid, uint64_t addr, bool leaf)
{
	smmuv3_cmd_tlbi(c, CMD_TLBI_NH_VAA, vmid, 0, addr, leaf);
}

static inline void smmuv3_cmd_tlbi_el2_all(uint64_t c[2])
{
	smmuv3_cmd(c, CMD_TLBI_EL2_ALL);
}

static inline void smmuv3_cmd_tlbi_el2_asid(uint64_t c[2], uint16_t asid)
{
	smmuv3_cmd_tlbi(c, CMD_TLBI_EL2_ASID, 0, asid, 0, false);
}

static inline void smmuv3_cmd_tlbi_el2_va(uint64_t c[2], uint16_t asid, uint64_t addr, bool leaf)
{
	smmuv3_cmd_tlbi(c, CMD_TLBI_EL2_VA, 0, asid, addr, leaf);
}

static inline void smmuv3_cmd_tlbi_el2_vaa(uint64_t c[2], uint64_t addr, bool leaf)
{
	smmuv3_cmd_tlbi(c, CMD_TLBI_EL2_VAA, 0, 0, addr, leaf);
}

static inline void smmuv3_cmd_tlbi_s12_vmall(uint64_t c[2], uint16_t vmid)
{
	smmuv3_cmd_tlbi(c, CMD_TLBI_S12_VMALL, vmid, 0, 0, false);
}

static inline void smmuv3_cmd_tlbi_s2_ipa(uint64_t c[2], uint16_t vmid, uint64_t ipa, bool leaf)
{
	smmuv3_cmd_tlbi(c, CMD_TLBI_S2_IPA, vmid, 0, ipa & CMD1_TLBI_IPA, leaf);
}

static inline void smmuv3_cmd_tlbi_nsnh_all(uint64_t c[2])
{
	smmuv3_cmd(c, CMD_TLBI_NSNH_ALL);
}

/** smmuv3_cmd_atc_inv() - 2^@size pages of 4 KiB at @addr; CMD_ATC_SIZE_ALL: everything (4.5.1) */
static inline void smmuv3_cmd_atc_inv(uint64_t c[2], uint32_t sid, uint64_t addr,
				      unsigned int size)
{
	smmuv3_cmd_sid(c, CMD_ATC_INV, sid);
	c[1] = (addr & CMD1_ADDR) | smmu_put(CMD1_ATC_SIZE, size);
}

/** smmuv3_cmd_atc_inv_ssid() - The same with a PASID; @global: Global Invalidate */
static inline void smmuv3_cmd_atc_inv_ssid(uint64_t c[2], uint32_t sid, uint32_t ssid,
					   bool global, uint64_t addr, unsigned int size)
{
	smmuv3_cmd_atc_inv(c, sid, addr, size);
	smmuv3_cmd_ssid(c, ssid);
	c[0] |= global ? CMD0_ATC_GLOBAL : 0;
}

static inline void smmuv3_cmd_pri_resp(uint64_t c[2], uint32_t sid, uint16_t index,
				       unsigned int resp)
{
	smmuv3_cmd_sid(c, CMD_PRI_RESP, sid);
	c[1] = smmu_put(CMD1_PRI_PRGINDEX, index) | smmu_put(CMD1_PRI_RESP, resp);
}

static inline void smmuv3_cmd_resume(uint64_t c[2], uint32_t sid, uint16_t stag, bool retry,
				     bool abort)
{
	smmuv3_cmd_sid(c, CMD_RESUME, sid);
	c[0] |= (retry ? CMD0_RESUME_RETRY : 0) | (abort ? CMD0_RESUME_ABORT : 0);
	c[1] = stag;
}

static inline void smmuv3_cmd_stall_term(uint64_t c[2], uint32_t sid)
{
	smmuv3_cmd_sid(c, CMD_STALL_TERM, sid);
}

/** smmuv3_cmd_sync() - @cs: CMD_SYNC_CS_*; an MSI goes out with _IRQ and @msi_addr != 0 */
static inline void smmuv3_cmd_sync(uint64_t c[2], unsigned int cs, uint64_t msi_addr,
				   uint32_t msi_data)
{
	smmuv3_cmd(c, CMD_SYNC);
	c[0] |= smmu_put(CMD0_SYNC_CS, cs) | smmu_put(CMD0_SYNC_MSIDATA, msi_data);
	c[1] = msi_addr & CMD1_SYNC_MSIADDR;
}

/*
 * Tegra241 CMDQ-Virtualization. Offsets from the beginning of its own register block, which this
 * project's machines put at SMMUV3_CMDQV_OFFSET of the SMMU's registers.
 *
 * Global VCMDQs are allotted to virtual interfaces (VINTF) as logical VCMDQs; a guest is given the
 * page VINTF_PAGE0 of its interface. With HYP_OWN == 0 a VINTF's queues take few commands, force
 * the VINTF's VMID, and replace StreamIDs that match an enabled SID_MATCH by its SID_REPLACE.
 */
#define SMMUV3_CMDQV_OFFSET		0x100000

#define CMDQV_CONFIG			0x0000
#define CMDQV_STATUS			0x0008
#define  CMDQV_EN			SMMU_BIT(0)
#define CMDQV_PARAM			0x0004
#define  CMDQV_PARAM_VER		SMMU_BITS(3, 0)
#define  CMDQV_PARAM_NUM_VCMDQ_LOG2	SMMU_BITS(7, 4)
#define  CMDQV_PARAM_NUM_VINTF_LOG2	SMMU_BITS(11, 8)
#define  CMDQV_PARAM_NUM_SID_LOG2	SMMU_BITS(15, 12)	/* SID pairs of a VINTF */
#define CMDQV_VINTF_ERR_MAP		0x0014	/* 2 words of 32 bits */
#define CMDQV_VINTF_INT_MASK		0x001c	/* 2 words of 32 bits */
#define CMDQV_CMDQ_ERR_MAP(_m)		(0x0024 + 4 * (_m))	/* 4 words of 32 bits */
#define CMDQV_CMDQ_ALLOC(_q)		(0x0200 + 4 * (_q))
#define  CMDQV_ALLOC_ALLOCATED		SMMU_BIT(0)
#define  CMDQV_ALLOC_LVCMDQ		SMMU_BITS(7, 1)
#define  CMDQV_ALLOC_VINTF		SMMU_BITS(20, 15)

#define CMDQV_VINTF(_v)			(0x1000 + 0x100 * (_v))
#define  VINTF_CONFIG			0x00
#define   VINTF_CONFIG_EN		SMMU_BIT(0)
#define   VINTF_CONFIG_VMID		SMMU_BITS(16, 1)
#define   VINTF_CONFIG_HYP_OWN		SMMU_BIT(17)
#define  VINTF_STATUS			0x04
#define   VINTF_STATUS_ENABLED		SMMU_BIT(0)
#define   VINTF_STATUS_STATUS		SMMU_BITS(3, 1)
#define  VINTF_SID_MATCH(_s)		(0x40 + 4 * (_s))
#define   VINTF_SID_MATCH_ENABLE	SMMU_BIT(0)
#define   VINTF_SID_MATCH_VIRT_SID	SMMU_BITS(20, 1)
#define  VINTF_SID_REPLACE(_s)		(0x80 + 4 * (_s))
#define  VINTF_LVCMDQ_ERR_MAP(_m)	(0xc0 + 8 * (_m))	/* 2 words of 64 bits */

#define CMDQV_VCMDQ_PAGE0(_q)		(0x10000 + 0x80 * (_q))
#define  VCMDQ_CONS			0x00
#define  VCMDQ_PROD			0x04
#define  VCMDQ_CONFIG			0x08
#define  VCMDQ_STATUS			0x0c
#define   VCMDQ_EN			SMMU_BIT(0)
#define  VCMDQ_GERROR			0x10
#define  VCMDQ_GERRORN			0x14
#define   VCMDQ_GERROR_CMDQ_ERR		SMMU_BIT(0)
#define CMDQV_VCMDQ_PAGE1(_q)		(0x20000 + 0x80 * (_q))
#define  VCMDQ_BASE			0x00	/* 64 bits: address, log2 of the size */
#define   VCMDQ_BASE_ADDR		SMMU_BITS(47, 5)
#define   VCMDQ_BASE_LOG2SIZE		SMMU_BITS(4, 0)
#define  VCMDQ_CONS_INDX_BASE		0x08

/* The same registers of logical VCMDQ _l, as a guest sees them */
#define CMDQV_VINTF_PAGE0(_v)		(0x30000 + 0x20000 * (_v))
#define CMDQV_VINTF_PAGE1(_v)		(CMDQV_VINTF_PAGE0(_v) + 0x10000)
#define CMDQV_LVCMDQ_PAGE0(_v, _l)	(CMDQV_VINTF_PAGE0(_v) + 0x80 * (_l))
#define CMDQV_LVCMDQ_PAGE1(_v, _l)	(CMDQV_VINTF_PAGE1(_v) + 0x80 * (_l))

#define CMDQV_SIZE(_vintfs)		CMDQV_VINTF_PAGE0(_vintfs)

#endif
