/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AMD-Vi: registers, tables, commands and logs as the AMD I/O Virtualization Technology (IOMMU)
 * Specification, 48882, lays them out. Section numbers are those of revision 3.x.
 *
 * Words are little endian 64-bit. Names are the specification's. What is not from the published
 * specification but from AMD's public vIOMMU development tree, or is nit's own reading, says so.
 */
#ifndef NIT_SPEC_AMDVI_H
#define NIT_SPEC_AMDVI_H

#include <stdbool.h>
#include <stdint.h>

#define AMDVI_BIT(_n) (1ULL << (_n))
#define AMDVI_MASK(_high, _low) ((~0ULL >> (63 - (_high))) & (~0ULL << (_low)))

/** amdvi_get(), amdvi_put() - A field of a word, by its mask */
static inline uint64_t amdvi_get(uint64_t word, uint64_t mask)
{
	return (word & mask) / (mask & -mask);
}

static inline uint64_t amdvi_put(uint64_t value, uint64_t mask)
{
	return value * (mask & -mask) & mask;
}

/* ---- 3.4: MMIO registers ---- */

#define AMDVI_DEVTAB_BASE	0x0000	/* 3.4.1 */
#define AMDVI_CMDBUF_BASE	0x0008	/* 3.4.2 */
#define AMDVI_EVTLOG_BASE	0x0010	/* 3.4.3 */
#define AMDVI_CONTROL		0x0018	/* 3.4.4 */
#define AMDVI_EXCL_BASE		0x0020	/* 3.4.5 */
#define AMDVI_EXCL_LIMIT	0x0028
#define AMDVI_EFR		0x0030	/* 3.4.7: Extended Feature Register */
#define AMDVI_PPRLOG_BASE	0x0038	/* 3.4.8 */
#define AMDVI_MSI_ADDR_LO	0x015c	/* 3.4.14: MSI, EFR[MsiCapMmioSup]; 4 bytes each */
#define AMDVI_MSI_ADDR_HI	0x0160
#define AMDVI_MSI_DATA		0x0164
#define AMDVI_EFR2		0x01a0	/* 3.4.21: Extended Feature 2 Register */
#define AMDVI_CMDBUF_HEAD	0x2000	/* 3.4.22 */
#define AMDVI_CMDBUF_TAIL	0x2008
#define AMDVI_EVTLOG_HEAD	0x2010
#define AMDVI_EVTLOG_TAIL	0x2018
#define AMDVI_STATUS		0x2020
#define AMDVI_PPRLOG_HEAD	0x2030
#define AMDVI_PPRLOG_TAIL	0x2038
#define AMDVI_MMIO_SIZE		0x80000

/* Device Table Base Address */
#define AMDVI_DEVTAB_BASE_SIZE	AMDVI_MASK(8, 0)	/* 4 KiB pages, minus one */
#define AMDVI_BASE_ADDR		AMDVI_MASK(51, 12)	/* of every base register */

/* Length of command buffer, event log and PPR log: 2^n entries of 16 bytes, n in 8..15 */
#define AMDVI_BASE_LEN		AMDVI_MASK(59, 56)
#define AMDVI_LOG_ENTRY_SIZE	16
#define AMDVI_HEAD_TAIL		AMDVI_MASK(18, 4)	/* byte offset of an entry */

/* IOMMU Control Register */
#define AMDVI_CONTROL_IOMMU_EN		AMDVI_BIT(0)
#define AMDVI_CONTROL_EVT_LOG_EN	AMDVI_BIT(2)
#define AMDVI_CONTROL_EVT_INT_EN	AMDVI_BIT(3)
#define AMDVI_CONTROL_COMWAIT_INT_EN	AMDVI_BIT(4)
#define AMDVI_CONTROL_INV_TIMEOUT	AMDVI_MASK(7, 5)	/* AMDVI_INV_TIMEOUT_* */
#define AMDVI_CONTROL_PASSPW		AMDVI_BIT(8)
#define AMDVI_CONTROL_RESPASSPW		AMDVI_BIT(9)
#define AMDVI_CONTROL_COHERENT		AMDVI_BIT(10)
#define AMDVI_CONTROL_ISOC		AMDVI_BIT(11)
#define AMDVI_CONTROL_CMDBUF_EN		AMDVI_BIT(12)
#define AMDVI_CONTROL_PPR_LOG_EN	AMDVI_BIT(13)
#define AMDVI_CONTROL_PPR_INT_EN	AMDVI_BIT(14)
#define AMDVI_CONTROL_PPR_EN		AMDVI_BIT(15)
#define AMDVI_CONTROL_GT_EN		AMDVI_BIT(16)
#define AMDVI_CONTROL_GA_EN		AMDVI_BIT(17)
#define AMDVI_CONTROL_PPR_AUTO_RSP_EN	AMDVI_BIT(39)
#define AMDVI_CONTROL_EPH_EN		AMDVI_BIT(45)
#define AMDVI_CONTROL_HAD_UPDATE	AMDVI_MASK(47, 46)	/* 3: set A and D in host tables */
#define AMDVI_CONTROL_GD_UPDATE_DIS	AMDVI_BIT(48)	/* never set D in guest tables */
#define AMDVI_CONTROL_XT_EN		AMDVI_BIT(50)
#define AMDVI_CONTROL_INTCAPXT_EN	AMDVI_BIT(51)
#define AMDVI_CONTROL_VCMD_EN		AMDVI_BIT(52)	/* process guests' command buffers */
#define AMDVI_CONTROL_VIOMMU_EN		AMDVI_BIT(53)
#define AMDVI_CONTROL_GA_UPDATE_DIS	AMDVI_BIT(54)	/* never set A in guest tables */
#define AMDVI_CONTROL_GCR3TRP_MODE	AMDVI_BIT(58)	/* DTE's GCR3 table pointer is a GPA */
#define AMDVI_CONTROL_GSTBUF_TRP_MODE	AMDVI_BIT(60)	/* bases of guests' buffers are GPAs */

enum amdvi_inv_timeout {
	AMDVI_INV_TIMEOUT_NONE, AMDVI_INV_TIMEOUT_1MS, AMDVI_INV_TIMEOUT_10MS,
	AMDVI_INV_TIMEOUT_100MS, AMDVI_INV_TIMEOUT_1S, AMDVI_INV_TIMEOUT_10S,
	AMDVI_INV_TIMEOUT_100S,
};

/* Extended Feature Register */
#define AMDVI_EFR_PREF_SUP	AMDVI_BIT(0)
#define AMDVI_EFR_PPR_SUP	AMDVI_BIT(1)
#define AMDVI_EFR_XT_SUP	AMDVI_BIT(2)
#define AMDVI_EFR_NX_SUP	AMDVI_BIT(3)
#define AMDVI_EFR_GT_SUP	AMDVI_BIT(4)
#define AMDVI_EFR_IA_SUP	AMDVI_BIT(6)	/* INVALIDATE_IOMMU_ALL */
#define AMDVI_EFR_GA_SUP	AMDVI_BIT(7)
#define AMDVI_EFR_HE_SUP	AMDVI_BIT(8)
#define AMDVI_EFR_PC_SUP	AMDVI_BIT(9)
#define AMDVI_EFR_HATS		AMDVI_MASK(11, 10)	/* 0, 1, 2: 4, 5, 6 levels of host table */
#define AMDVI_EFR_GATS		AMDVI_MASK(13, 12)	/* 0, 1: 4, 5 levels of guest table */
#define AMDVI_EFR_GLX_SUP	AMDVI_MASK(15, 14)	/* 0, 1, 2: up to 1, 2, 3 levels */
#define AMDVI_EFR_PAS_MAX	AMDVI_MASK(36, 32)	/* bits of a PASID, minus one */
#define AMDVI_EFR_US_SUP	AMDVI_BIT(37)
#define AMDVI_EFR_MSICAP_MMIO_SUP AMDVI_BIT(46)
#define AMDVI_EFR_GIO_SUP	AMDVI_BIT(48)
#define AMDVI_EFR_HA_SUP	AMDVI_BIT(49)
#define AMDVI_EFR_EPH_SUP	AMDVI_BIT(50)
#define AMDVI_EFR_HD_SUP	AMDVI_BIT(52)
#define AMDVI_EFR_INV_IOTLB_TYPE_SUP AMDVI_BIT(54)
#define AMDVI_EFR_VIOMMU_SUP	AMDVI_BIT(55)

/* Extended Feature 2 Register */
#define AMDVI_EFR2_GCR3TRP_MODE	AMDVI_BIT(3)

/* IOMMU Status Register; RW1C bits and read-only ones */
#define AMDVI_STATUS_EVT_OVERFLOW	AMDVI_BIT(0)	/* RW1C */
#define AMDVI_STATUS_EVT_INT		AMDVI_BIT(1)	/* RW1C */
#define AMDVI_STATUS_COMWAIT_INT	AMDVI_BIT(2)	/* RW1C */
#define AMDVI_STATUS_EVT_RUN		AMDVI_BIT(3)
#define AMDVI_STATUS_CMDBUF_RUN		AMDVI_BIT(4)
#define AMDVI_STATUS_PPR_OVERFLOW	AMDVI_BIT(5)	/* RW1C */
#define AMDVI_STATUS_PPR_INT		AMDVI_BIT(6)	/* RW1C */
#define AMDVI_STATUS_PPR_RUN		AMDVI_BIT(7)

/* ---- 2.2.2: Device Table Entry: 4 words; the fields of each ---- */

#define AMDVI_DTE_SIZE		32

#define AMDVI_DTE0_V		AMDVI_BIT(0)
#define AMDVI_DTE0_TV		AMDVI_BIT(1)
#define AMDVI_DTE0_HAD		AMDVI_MASK(8, 7)	/* 0: none, 1: A, 3: A and D */
#define AMDVI_DTE0_MODE		AMDVI_MASK(11, 9)	/* 0: GPA is SPA; 1..6: levels */
#define AMDVI_DTE0_HOST_ROOT	AMDVI_MASK(51, 12)
#define AMDVI_DTE0_PPR		AMDVI_BIT(52)
#define AMDVI_DTE0_GPRP		AMDVI_BIT(53)	/* PRG responses carry the PASID */
#define AMDVI_DTE0_GIOV		AMDVI_BIT(54)	/* requests without PASID use PASID 0 of GCR3 */
#define AMDVI_DTE0_GV		AMDVI_BIT(55)
#define AMDVI_DTE0_GLX		AMDVI_MASK(57, 56)	/* 0, 1, 2: 1, 2, 3 levels of GCR3 table */
#define AMDVI_DTE0_GCR3_14_12	AMDVI_MASK(60, 58)
#define AMDVI_DTE0_IR		AMDVI_BIT(61)
#define AMDVI_DTE0_IW		AMDVI_BIT(62)
#define AMDVI_DTE0_RESERVED	(AMDVI_MASK(6, 2) | AMDVI_BIT(63))

#define AMDVI_DTE1_DOMAIN_ID	AMDVI_MASK(15, 0)
#define AMDVI_DTE1_GCR3_30_15	AMDVI_MASK(31, 16)
#define AMDVI_DTE1_I		AMDVI_BIT(32)	/* IOTLB enable: ATS allowed */
#define AMDVI_DTE1_SE		AMDVI_BIT(33)	/* suppress IO_PAGE_FAULT events after the first */
#define AMDVI_DTE1_SA		AMDVI_BIT(34)	/* suppress all of them */
#define AMDVI_DTE1_IOCTL	AMDVI_MASK(36, 35)
#define AMDVI_DTE1_CACHE	AMDVI_BIT(37)	/* hint: do not cache translations */
#define AMDVI_DTE1_SD		AMDVI_BIT(38)
#define AMDVI_DTE1_EX		AMDVI_BIT(39)
#define AMDVI_DTE1_SYSMGT	AMDVI_MASK(41, 40)
#define AMDVI_DTE1_SATS		AMDVI_BIT(42)
#define AMDVI_DTE1_GCR3_51_31	AMDVI_MASK(63, 43)

#define AMDVI_DTE2_IV		AMDVI_BIT(0)
#define AMDVI_DTE2_INT_TAB_LEN	AMDVI_MASK(4, 1)
#define AMDVI_DTE2_IG		AMDVI_BIT(5)
#define AMDVI_DTE2_INT_ROOT	AMDVI_MASK(51, 6)
#define AMDVI_DTE2_GPM		AMDVI_MASK(55, 54)	/* GuestPagingMode: 0, 1: 4, 5 levels */

#define AMDVI_DTE3_VIMU_EN	AMDVI_BIT(15)	/* events go to the guest */
#define AMDVI_DTE3_GDEVICE_ID	AMDVI_MASK(31, 16)
#define AMDVI_DTE3_GUEST_ID	AMDVI_MASK(47, 32)

/** amdvi_dte_gcr3() - The GCR3 Table Root Pointer of a DTE */
static inline uint64_t amdvi_dte_gcr3(const uint64_t dte[4])
{
	return amdvi_get(dte[0], AMDVI_DTE0_GCR3_14_12) << 12 |
	       amdvi_get(dte[1], AMDVI_DTE1_GCR3_30_15) << 15 |
	       amdvi_get(dte[1], AMDVI_DTE1_GCR3_51_31) << 31;
}

/** amdvi_dte_set_gcr3() - The three pieces of the GCR3 Table Root Pointer; others are kept */
static inline void amdvi_dte_set_gcr3(uint64_t dte[4], uint64_t root)
{
	dte[0] &= ~AMDVI_DTE0_GCR3_14_12;
	dte[1] &= ~(AMDVI_DTE1_GCR3_30_15 | AMDVI_DTE1_GCR3_51_31);
	dte[0] |= amdvi_put(root >> 12, AMDVI_DTE0_GCR3_14_12);
	dte[1] |= amdvi_put(root >> 15, AMDVI_DTE1_GCR3_30_15) |
		  amdvi_put(root >> 31, AMDVI_DTE1_GCR3_51_31);
}

/* ---- 2.2.3: v1 ("host") page tables ---- */

#define AMDVI_PTE_PR		AMDVI_BIT(0)
#define AMDVI_PTE_A		AMDVI_BIT(5)
#define AMDVI_PTE_D		AMDVI_BIT(6)
#define AMDVI_PTE_NEXT_LEVEL	AMDVI_MASK(11, 9)	/* 0: PTE; 7: PTE, size in ADDR */
#define AMDVI_PTE_ADDR		AMDVI_MASK(51, 12)
#define AMDVI_PTE_U		AMDVI_BIT(59)	/* PTE: the U bit of ATS responses */
#define AMDVI_PTE_FC		AMDVI_BIT(60)	/* PTE: N of ATS responses, force coherent */
#define AMDVI_PTE_IR		AMDVI_BIT(61)
#define AMDVI_PTE_IW		AMDVI_BIT(62)

/* Level n is indexed by 9 address bits from here on, level 6 by 63:57 */
#define AMDVI_LEVEL_SHIFT(_level) (12 + 9 * ((_level) - 1))

/**
 * amdvi_pte_large() - A PTE with next level 7: the size is in the low bits of the address
 * (table 14): for a page of 2^@shift bytes, bits @shift-2 to 12 are 1 and bit @shift-1 is 0.
 * @shift: 13..51. The entry stands at the level whose entries are the largest not above 2^@shift
 * bytes, as often as fills the page.
 */
static inline uint64_t amdvi_pte_large(uint64_t addr, unsigned int shift)
{
	return (addr & ~((1ULL << shift) - 1)) | ((1ULL << (shift - 1)) - (1ULL << 12)) |
	       AMDVI_PTE_NEXT_LEVEL | AMDVI_PTE_PR;
}

/* ---- 2.2.6: GCR3 tables: PASIDs, 9 bits a level; levels count from the leaf, 1 ---- */

#define AMDVI_GCR3_V		AMDVI_BIT(0)
#define AMDVI_GCR3_ADDR		AMDVI_MASK(51, 12)	/* leaf: a guest's CR3; else: a table */

/* ---- 2.2.6: v2 ("guest") page tables: the x86_64 long mode format ---- */

#define AMDVI_GPTE_P		AMDVI_BIT(0)
#define AMDVI_GPTE_RW		AMDVI_BIT(1)
#define AMDVI_GPTE_US		AMDVI_BIT(2)
#define AMDVI_GPTE_PWT		AMDVI_BIT(3)
#define AMDVI_GPTE_PCD		AMDVI_BIT(4)
#define AMDVI_GPTE_A		AMDVI_BIT(5)
#define AMDVI_GPTE_D		AMDVI_BIT(6)
#define AMDVI_GPTE_PS		AMDVI_BIT(7)
#define AMDVI_GPTE_G		AMDVI_BIT(8)
#define AMDVI_GPTE_ADDR		AMDVI_MASK(51, 12)
#define AMDVI_GPTE_NX		AMDVI_BIT(63)

/* ---- 2.4: commands: 2 words ---- */

enum amdvi_opcode {
	AMDVI_COMPLETION_WAIT = 1,
	AMDVI_INVALIDATE_DEVTAB_ENTRY,
	AMDVI_INVALIDATE_IOMMU_PAGES,
	AMDVI_INVALIDATE_IOTLB_PAGES,
	AMDVI_INVALIDATE_INTERRUPT_TABLE,
	AMDVI_PREFETCH_IOMMU_PAGES,
	AMDVI_COMPLETE_PPR_REQUEST,
	AMDVI_INVALIDATE_IOMMU_ALL,
	AMDVI_INSERT_GUEST_EVENT,
	AMDVI_RESET_VMMIO,
};

#define AMDVI_CMD0_OPCODE	AMDVI_MASK(63, 60)
#define AMDVI_CMD0_DEVICE_ID	AMDVI_MASK(15, 0)	/* of all commands that have one */

/* 2.4.1: COMPLETION_WAIT; word 1 is the data to store */
#define AMDVI_WAIT0_S		AMDVI_BIT(0)
#define AMDVI_WAIT0_I		AMDVI_BIT(1)
#define AMDVI_WAIT0_F		AMDVI_BIT(2)
#define AMDVI_WAIT0_ADDR	AMDVI_MASK(51, 3)

/* 2.4.3: INVALIDATE_IOMMU_PAGES; S, GN and ADDR are shared with 2.4.4 and 2.4.6 */
#define AMDVI_PAGES0_PASID	AMDVI_MASK(19, 0)
#define AMDVI_PAGES0_DOMAIN_ID	AMDVI_MASK(47, 32)
#define AMDVI_PAGES1_S		AMDVI_BIT(0)
#define AMDVI_PAGES1_PDE	AMDVI_BIT(1)
#define AMDVI_PAGES1_GN		AMDVI_BIT(2)
#define AMDVI_PAGES1_ADDR	AMDVI_MASK(63, 12)

/* 2.4.4: INVALIDATE_IOTLB_PAGES; the PASID comes in three pieces */
#define AMDVI_IOTLB0_PASID_15_8	AMDVI_MASK(23, 16)
#define AMDVI_IOTLB0_MAX_PEND	AMDVI_MASK(31, 24)
#define AMDVI_IOTLB0_QUEUE_ID	AMDVI_MASK(47, 32)
#define AMDVI_IOTLB0_PASID_7_0	AMDVI_MASK(55, 48)
#define AMDVI_IOTLB0_PASID_19_16 AMDVI_MASK(59, 56)
#define AMDVI_IOTLB1_TYPE	AMDVI_MASK(5, 4)	/* EFR[InvIotlbTypeSup] */

/* 2.4.6: PREFETCH_IOMMU_PAGES, 2.4.7: COMPLETE_PPR_REQUEST */
#define AMDVI_PREF0_COUNT	AMDVI_MASK(31, 24)
#define AMDVI_PREF0_PASID	AMDVI_MASK(51, 32)	/* of COMPLETE_PPR_REQUEST, too */
#define AMDVI_PREF1_INVAL	AMDVI_BIT(4)	/* invalidate first */
#define AMDVI_PPR1_GN		AMDVI_BIT(2)
#define AMDVI_PPR1_TAG		AMDVI_MASK(40, 32)	/* PRG index */
#define AMDVI_PPR1_CODE		AMDVI_MASK(47, 44)	/* AMDVI_PPR_* */

/* RESET_VMMIO (vIOMMU) */
#define AMDVI_RESET0_GUEST_ID	AMDVI_MASK(15, 0)
#define AMDVI_RESET0_ALL	AMDVI_BIT(27)	/* every guest's */
#define AMDVI_RESET0_VCMD	AMDVI_BIT(31)	/* the command buffer state, too */

/* INSERT_GUEST_EVENT (vIOMMU); word 1 and DeviceID: nit's reading */
#define AMDVI_INSERT0_GUEST_ID	AMDVI_MASK(47, 32)

enum amdvi_ppr_code { AMDVI_PPR_SUCCESS = 0, AMDVI_PPR_INVALID = 1, AMDVI_PPR_FAILURE = 15 };

static inline void amdvi_cmd(uint64_t c[2], enum amdvi_opcode opcode, uint64_t c0, uint64_t c1)
{
	c[0] = c0 | amdvi_put(opcode, AMDVI_CMD0_OPCODE);
	c[1] = c1;
}

/* ADDR and S for every address; 2.4.3 */
#define AMDVI_INV_ALL_PAGES	(0x7ffffffffffff000ULL | AMDVI_PAGES1_S)

/**
 * amdvi_inv_address() - ADDR and S for 2^@shift bytes that @addr lies in (table 14)
 * @shift: 12: one page, S = 0; 13..52: S = 1 and the first 0 bit from bit 12 on, bit @shift-1,
 *	tells the size; more: AMDVI_INV_ALL_PAGES
 */
static inline uint64_t amdvi_inv_address(uint64_t addr, unsigned int shift)
{
	if (shift <= 12)
		return addr & AMDVI_PAGES1_ADDR;
	if (shift > 52)
		return AMDVI_INV_ALL_PAGES;
	return (addr & ~((1ULL << shift) - 1)) | ((1ULL << (shift - 1)) - (1ULL << 12)) |
	       AMDVI_PAGES1_S;
}

/** amdvi_cmd_completion_wait() - 2.4.1; @flags: AMDVI_WAIT0_S, _I, _F; @addr: 8-byte aligned */
static inline void amdvi_cmd_completion_wait(uint64_t c[2], uint64_t flags, uint64_t addr,
					     uint64_t data)
{
	amdvi_cmd(c, AMDVI_COMPLETION_WAIT, flags | (addr & AMDVI_WAIT0_ADDR), data);
}

/** amdvi_cmd_invalidate_devtab_entry() - 2.4.2 */
static inline void amdvi_cmd_invalidate_devtab_entry(uint64_t c[2], uint16_t device_id)
{
	amdvi_cmd(c, AMDVI_INVALIDATE_DEVTAB_ENTRY, device_id, 0);
}

/**
 * amdvi_cmd_invalidate_iommu_pages() - 2.4.3
 * @address: amdvi_inv_address(), or AMDVI_INV_ALL_PAGES
 * @flags: AMDVI_PAGES1_PDE, _GN; @pasid: 0 where GN is clear
 */
static inline void amdvi_cmd_invalidate_iommu_pages(uint64_t c[2], uint16_t domain_id,
						    uint32_t pasid, uint64_t address,
						    uint64_t flags)
{
	amdvi_cmd(c, AMDVI_INVALIDATE_IOMMU_PAGES,
		  amdvi_put(pasid, AMDVI_PAGES0_PASID) |
		  amdvi_put(domain_id, AMDVI_PAGES0_DOMAIN_ID), address | flags);
}

/**
 * amdvi_cmd_invalidate_iotlb_pages() - 2.4.4
 * @queue_id: the requester id of who shares the invalidation queue; else @device_id
 * @max_pend: invalidate queue depth of the device; 0 means 32 (PCIe), here 0..255
 * @address, @flags: as above, PDE is not there
 */
static inline void amdvi_cmd_invalidate_iotlb_pages(uint64_t c[2], uint16_t device_id,
						    uint16_t queue_id, uint8_t max_pend,
						    uint32_t pasid, uint64_t address,
						    uint64_t flags)
{
	amdvi_cmd(c, AMDVI_INVALIDATE_IOTLB_PAGES,
		  device_id | amdvi_put(queue_id, AMDVI_IOTLB0_QUEUE_ID) |
		  amdvi_put(max_pend, AMDVI_IOTLB0_MAX_PEND) |
		  amdvi_put(pasid, AMDVI_IOTLB0_PASID_7_0) |
		  amdvi_put(pasid >> 8, AMDVI_IOTLB0_PASID_15_8) |
		  amdvi_put(pasid >> 16, AMDVI_IOTLB0_PASID_19_16), address | flags);
}

static inline uint32_t amdvi_iotlb_pasid(uint64_t c0)
{
	return amdvi_get(c0, AMDVI_IOTLB0_PASID_7_0) |
	       amdvi_get(c0, AMDVI_IOTLB0_PASID_15_8) << 8 |
	       amdvi_get(c0, AMDVI_IOTLB0_PASID_19_16) << 16;
}

/** amdvi_cmd_invalidate_interrupt_table() - 2.4.5 */
static inline void amdvi_cmd_invalidate_interrupt_table(uint64_t c[2], uint16_t device_id)
{
	amdvi_cmd(c, AMDVI_INVALIDATE_INTERRUPT_TABLE, device_id, 0);
}

/** amdvi_cmd_prefetch_iommu_pages() - 2.4.6; @count pages; @flags: AMDVI_PAGES1_GN, _PREF1_INVAL */
static inline void amdvi_cmd_prefetch_iommu_pages(uint64_t c[2], uint16_t device_id,
						  uint8_t count, uint32_t pasid, uint64_t address,
						  uint64_t flags)
{
	amdvi_cmd(c, AMDVI_PREFETCH_IOMMU_PAGES,
		  device_id | amdvi_put(count, AMDVI_PREF0_COUNT) |
		  amdvi_put(pasid, AMDVI_PREF0_PASID), address | flags);
}

/** amdvi_cmd_complete_ppr_request() - 2.4.7; @gn: @pasid is valid */
static inline void amdvi_cmd_complete_ppr_request(uint64_t c[2], uint16_t device_id, bool gn,
						  uint32_t pasid, uint16_t tag,
						  enum amdvi_ppr_code code)
{
	amdvi_cmd(c, AMDVI_COMPLETE_PPR_REQUEST,
		  device_id | amdvi_put(pasid, AMDVI_PREF0_PASID),
		  (gn ? AMDVI_PPR1_GN : 0) | amdvi_put(tag, AMDVI_PPR1_TAG) |
		  amdvi_put(code, AMDVI_PPR1_CODE));
}

/** amdvi_cmd_invalidate_iommu_all() - 2.4.8; needs EFR[IASup] */
static inline void amdvi_cmd_invalidate_iommu_all(uint64_t c[2])
{
	amdvi_cmd(c, AMDVI_INVALIDATE_IOMMU_ALL, 0, 0);
}

/**
 * amdvi_cmd_reset_vmmio() - Reset a guest's VF registers: head and tail 0, not running
 * @vcmd: drop its pending commands as well; @all: of all guests
 */
static inline void amdvi_cmd_reset_vmmio(uint64_t c[2], uint16_t guest_id, bool vcmd, bool all)
{
	amdvi_cmd(c, AMDVI_RESET_VMMIO, guest_id | (vcmd ? AMDVI_RESET0_VCMD : 0) |
		  (all ? AMDVI_RESET0_ALL : 0), 0);
}

/* ---- 2.5: event log entries: 2 words ---- */

enum amdvi_event {
	AMDVI_ILLEGAL_DEV_TABLE_ENTRY = 1,
	AMDVI_IO_PAGE_FAULT,
	AMDVI_DEV_TAB_HARDWARE_ERROR,
	AMDVI_PAGE_TAB_HARDWARE_ERROR,
	AMDVI_ILLEGAL_COMMAND_ERROR,
	AMDVI_COMMAND_HARDWARE_ERROR,
	AMDVI_IOTLB_INV_TIMEOUT,
	AMDVI_INVALID_DEVICE_REQUEST,
	AMDVI_INVALID_PPR_REQUEST,
	AMDVI_EVENT_COUNTER_ZERO,
	AMDVI_GUEST_EVENT_FAULT,	/* vIOMMU: an entry could not be put into a guest's log */
	AMDVI_VIOMMU_HARDWARE_ERROR,	/* vIOMMU: its own tables or a guest's buffer */
};

#define AMDVI_EVENT0_DEVICE_ID	AMDVI_MASK(15, 0)
#define AMDVI_EVENT0_PASID_19_16 AMDVI_MASK(19, 16)
#define AMDVI_EVENT0_VNR	AMDVI_BIT(27)	/* vIOMMU: no room in the guest's log */
#define AMDVI_EVENT0_VEVENT	AMDVI_BIT(29)	/* while putting an event into a guest's log */
#define AMDVI_EVENT0_VPTR	AMDVI_BIT(30)	/* while moving a guest's pointer */
#define AMDVI_EVENT0_VCMD	AMDVI_BIT(31)	/* while reading a guest's command buffer */
#define AMDVI_EVENT0_PASID	AMDVI_MASK(47, 32)	/* PASID[15:0] if GN, else DomainID */
#define AMDVI_EVENT0_GN		AMDVI_BIT(48)
#define AMDVI_EVENT0_NX		AMDVI_BIT(49)	/* it was an execute request */
#define AMDVI_EVENT0_US		AMDVI_BIT(50)	/* user */
#define AMDVI_EVENT0_I		AMDVI_BIT(51)	/* interrupt request */
#define AMDVI_EVENT0_PR		AMDVI_BIT(52)	/* permission violation; else not present */
#define AMDVI_EVENT0_RW		AMDVI_BIT(53)	/* write */
#define AMDVI_EVENT0_PE		AMDVI_BIT(54)	/* permission */
#define AMDVI_EVENT0_RZ		AMDVI_BIT(55)	/* reserved bit not zero, or invalid level */
#define AMDVI_EVENT0_TR		AMDVI_BIT(56)	/* translation request of ATS */
#define AMDVI_EVENT0_TYPE	AMDVI_MASK(59, 57)	/* of hardware errors, invalid requests */
#define AMDVI_EVENT0_CODE	AMDVI_MASK(63, 60)

/* 2.5.6, 2.5.8: TYPE of hardware errors, and of INVALID_DEVICE_REQUEST (nit's reading) */
enum amdvi_event_type {
	AMDVI_TYPE_MASTER_ABORT = 1,	/* nothing at the address */
	AMDVI_TYPE_TARGET_ABORT = 2,
	AMDVI_TYPE_PRETRANSLATED = 1,	/* a translated request of a device that must not */
	AMDVI_TYPE_TRANSLATION_REQUEST = 3,	/* a translation request of one that must not */
};

static inline enum amdvi_event amdvi_event_code(const uint64_t e[2])
{
	return amdvi_get(e[0], AMDVI_EVENT0_CODE);
}

/* ---- 2.6: PPR log entries: 2 words; word 1 is the address ---- */

#define AMDVI_PAGE_SERVICE_REQUEST 1

#define AMDVI_PPRLOG0_DEVICE_ID	AMDVI_MASK(15, 0)
#define AMDVI_PPRLOG0_PASID_15_0 AMDVI_MASK(31, 16)
#define AMDVI_PPRLOG0_TAG	AMDVI_MASK(40, 32)	/* PRG index */
#define AMDVI_PPRLOG0_LAST	AMDVI_BIT(41)	/* last page of the group */
#define AMDVI_PPRLOG0_PASID_19_16 AMDVI_MASK(45, 42)
#define AMDVI_PPRLOG0_EXEC	AMDVI_BIT(49)
#define AMDVI_PPRLOG0_READ	AMDVI_BIT(50)
#define AMDVI_PPRLOG0_WRITE	AMDVI_BIT(53)
#define AMDVI_PPRLOG0_US	AMDVI_BIT(54)
#define AMDVI_PPRLOG0_RZ	AMDVI_BIT(55)
#define AMDVI_PPRLOG0_GN	AMDVI_BIT(56)
#define AMDVI_PPRLOG0_CODE	AMDVI_MASK(63, 60)

/* ---- Hardware vIOMMU (EFR[VIOMMUSup]); layouts of AMD's public development tree ---- */

/*
 * Two BARs, in a vendor specific capability of the IOMMU function. Reference hardware has no config
 * space: they are windows of its register space, at these offsets, always enabled.
 */
#define AMDVI_VSC_VF_BAR	0x08	/* low and high dword; bit 0: enabled */
#define AMDVI_VSC_VFCTRL_BAR	0x10
#define AMDVI_VF_WINDOW		0x10000000ULL	/* 256 MiB */
#define AMDVI_VFCTRL_WINDOW	0x20000000ULL	/* 4 MiB */
#define AMDVI_VIOMMU_MMIO_SIZE	0x20400000ULL
#define AMDVI_VF_SIZE		4096
#define AMDVI_VFCTRL_SIZE	64
#define AMDVI_GUEST_IDS		65536

/** amdvi_vf() - Offset of the VF page of @guest_id; registers as at 0x2000: CMDBUF_HEAD is first */
static inline uint64_t amdvi_vf(uint16_t guest_id)
{
	return AMDVI_VF_WINDOW + (uint64_t)guest_id * AMDVI_VF_SIZE;
}

/* In the VF page: offset of a host register & 0xfff. Heads and tails, AMDVI_STATUS. */
#define AMDVI_VF_REGISTER(_register) ((_register) & 0xfff)

/** amdvi_vfctrl() - Offset of the VF control block of @guest_id; only the hypervisor maps it */
static inline uint64_t amdvi_vfctrl(uint16_t guest_id)
{
	return AMDVI_VFCTRL_WINDOW + (uint64_t)guest_id * AMDVI_VFCTRL_SIZE;
}

#define AMDVI_VFCTRL_DEVICE_MAP	0x00	/* DID_MAP_CONTROL0: write an entry of the DeviceID map */
#define AMDVI_VFCTRL_DOMAIN_MAP	0x08	/* DID_MAP_CONTROL1: of the DomainID map */
#define AMDVI_VFCTRL_MISC	0x10
#define AMDVI_VFCTRL_CMDBUF	0x20
#define AMDVI_VFCTRL_EVTLOG	0x28
#define AMDVI_VFCTRL_PPRLOG	0x30

/*
 * DEVICE_MAP, DOMAIN_MAP; nit's reading: WRITE carries it out, VALID is the entry's valid bit
 * (clear: the guest's id is unmapped). Reads as 0.
 */
#define AMDVI_MAP_WRITE		AMDVI_BIT(0)
#define AMDVI_MAP_HOST_ID	AMDVI_MASK(29, 14)
#define AMDVI_MAP_GUEST_ID	AMDVI_MASK(61, 46)
#define AMDVI_MAP_VALID		AMDVI_BIT(63)

/* MISC: the DeviceID whose DTE leads to guest memory; 0: guest memory is out of reach */
#define AMDVI_MISC_TRANSLATE_ID	AMDVI_MASK(31, 16)

/*
 * CMDBUF, EVTLOG, PPRLOG: base and length as in the host's base registers. Base is a guest physical
 * address with CONTROL[GstBufTRPMode]; without it the buffer is in the private address space.
 * The other bits are nit's reading: RUN starts and stops the queue, INT sends its interrupts.
 */
#define AMDVI_VQUEUE_RUN	AMDVI_BIT(0)
#define AMDVI_VQUEUE_INT	AMDVI_BIT(1)	/* CMDBUF: for COMPLETION_WAIT with I */

/*
 * The IOMMU private address space: I/O virtual addresses of the IOMMU's own function, translated by
 * the DTE of its own DeviceID (v1 table). Entry of guest id g at base + g * size.
 */
#define AMDVI_PRIV_REGION	0x0000000000ULL	/* 8 MiB: the IOMMU's own use */
#define AMDVI_PRIV_CMD_DIRTY	0x0000400000ULL	/* command buffer dirty status, 8 KiB */
#define AMDVI_PRIV_DEVICE_MAP	0x1000000000ULL	/* DeviceID map: 16 bytes an entry */
#define AMDVI_PRIV_DEVICE_MAP_SIZE	0x100000ULL
#define AMDVI_PRIV_DOMAIN_MAP	0x2000000000ULL	/* DomainID map: 8 bytes an entry */
#define AMDVI_PRIV_DOMAIN_MAP_SIZE	0x80000ULL
#define AMDVI_PRIV_CMDBUF	0x2800000000ULL
#define AMDVI_PRIV_PPRLOG	0x3000000000ULL
#define AMDVI_PRIV_EVTLOG	0x4000000000ULL
#define AMDVI_PRIV_QUEUE_SIZE	0x80000ULL

/* An entry of either map, first word; nit's reading. The register writes it, hardware caches it. */
#define AMDVI_MAP_ENTRY_VALID	AMDVI_BIT(0)
#define AMDVI_MAP_ENTRY_HOST_ID	AMDVI_MASK(31, 16)

/*
 * Cached map entries belong to the DomainID of the IOMMU's own DTE and to their private address:
 * after a change, INVALIDATE_IOMMU_PAGES (GN = 0) for them, then COMPLETION_WAIT.
 */
static inline uint64_t amdvi_device_map_addr(uint16_t guest_id, uint16_t guest_device)
{
	return AMDVI_PRIV_DEVICE_MAP + guest_id * AMDVI_PRIV_DEVICE_MAP_SIZE + guest_device * 16;
}

static inline uint64_t amdvi_domain_map_addr(uint16_t guest_id, uint16_t guest_domain)
{
	return AMDVI_PRIV_DOMAIN_MAP + guest_id * AMDVI_PRIV_DOMAIN_MAP_SIZE + guest_domain * 8;
}

/** amdvi_map_entry() - What to write to DEVICE_MAP or DOMAIN_MAP */
static inline uint64_t amdvi_map_entry(uint16_t guest, uint16_t host, bool valid)
{
	return AMDVI_MAP_WRITE | amdvi_put(guest, AMDVI_MAP_GUEST_ID) |
	       amdvi_put(host, AMDVI_MAP_HOST_ID) | (valid ? AMDVI_MAP_VALID : 0);
}

/* The reference machine: DeviceID of IOMMU number _n itself, what ACPI IVRS would tell */
#define AMDVI_IOMMU_DEVICE_ID(_n) ((uint16_t)((_n) << 8 | 0x02))

#endif
