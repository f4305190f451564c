/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machines that nit-hw serves. One table says which functions there are and where; the
 * hardware, QEMU's options and the ACPI tables are all made from it.
 */
#ifndef NIT_VFIO_USER_BOARD_H
#define NIT_VFIO_USER_BOARD_H

#include <stdio.h>

#include "hw/machine.h"

#include "iommu_function.h"

#define BOARD_UNITS 2
#define BOARD_ENDPOINTS 6
#define BOARD_TABLE 512		/* bytes of an ACPI table without its header */
#define BOARD_ACCESSES 16
/* Behind the last unit of a VT-d board, and left free: for a device that is not of nit-hw */
#define BOARD_FOREIGN_SLOT 0x16

/* The interrupt address range of a PC, and of the BARs of units */
#define BOARD_PC_MSI_FIRST 0xfee00000ull
#define BOARD_PC_MSI_LAST 0xfeefffffull
#define SMMUV3_FUNCTION_BAR 0x200000u	/* with the CMDQV's registers behind its own */

/**
 * struct board_unit - an IOMMU: a slot of bus 0 (SMMUv3: of a bus that the guest does not know),
 * and where firmware puts its registers
 * @cmdqv: an SMMUv3 with Tegra241 command queue virtualisation
 * @no_nest: VT-d that does not nest (ECAP.NEST clear)
 * @caching_mode: VT-d that caches what is not present as well (CAP.CM)
 */
struct board_unit {
	uint8_t slot;
	uint32_t base;
	bool cmdqv;
	bool caching_mode;
	bool no_nest;
};

/**
 * struct board_endpoint
 * @slot: of bus 0: the endpoint's own, or with @port that of the root port above it
 * @unit: number of its IOMMU
 */
struct board_endpoint {
	uint8_t slot;
	bool port;
	uint8_t unit;
	bool ats;
	bool pri;
	bool pasid;
};

/** struct board_access - a register of 32 bits that is written, or @read and found to be @value */
struct board_access {
	uint64_t addr;
	uint32_t value;
	bool read;
};

struct board;

/**
 * struct board_vendor - what differs by the kind of IOMMU
 * @class: of its PCI function; @bar: bytes of its BAR 0
 * @msi_first, @msi_last: writes to these addresses are interrupts
 * @msi_translated: an endpoint's MSI is a write that its IOMMU translates; else QEMU sends it
 * @answers_while_off: what its endpoints do (hw/endpoint.h); Linux asks them before it turns ATS on
 * @create: the hardware; @describe: the capabilities of its function
 * @options: QEMU's, one a line, for machine, tables and units; sockets and tables are in @dir
 * @settled: has software taken what this IOMMU queued for it? NULL: not known
 * @signature, @revision: of the ACPI table; @table: its bytes behind the header; their number
 * @devicetree: or an addition to QEMU's device tree, as source; NULL: none
 * @accesses: what has to be written before the CPUs run, and read back; their number. NULL: nothing
 */
struct board_vendor {
	uint32_t class;
	uint32_t bar;
	uint64_t msi_first;
	uint64_t msi_last;
	bool msi_translated;
	bool answers_while_off;
	struct hw_iommu *(*create)(struct machine *machine, const struct board *board,
				   unsigned int unit);
	void (*describe)(struct function *function, const struct board_unit *unit);
	bool (*settled)(struct hw_iommu *iommu);
	void (*options)(const struct board *board, const char *dir, FILE *out);
	const char *signature;
	unsigned int revision;
	size_t (*table)(const struct board *board, uint8_t table[BOARD_TABLE]);
	void (*devicetree)(const struct board *board, FILE *out);
	unsigned int (*accesses)(const struct board *board,
				 struct board_access accesses[BOARD_ACCESSES]);
};

extern const struct board_vendor board_vtd, board_amdvi, board_smmuv3;

struct board {
	const char *name;
	const struct board_vendor *vendor;
	unsigned int unit_count;
	struct board_unit units[BOARD_UNITS];
	unsigned int endpoint_count;
	struct board_endpoint endpoints[BOARD_ENDPOINTS];
};

/** board_find() - By name; NULL: there is none */
const struct board *board_find(const char *name);
/** board_at() - Number @index, NULL: there are fewer */
const struct board *board_at(unsigned int index);

/** board_rid() - Requester id: firmware numbers the buses behind root ports from 1 on */
uint16_t board_rid(const struct board *board, unsigned int endpoint);

/** board_options() - QEMU's options, one a line, for sockets and table in @dir */
void board_options(const struct board *board, const char *dir, unsigned int memory_mib,
		   FILE *out);
/** board_acpi_options() - The options of a PC: machine, ACPI table, units on bus 0 */
void board_acpi_options(const struct board *board, const char *dir, FILE *out);
/** board_function_option() - That of one function behind @socket */
void board_function_option(FILE *out, const char *dir, const char *socket, const char *bus,
			   unsigned int slot);
/** board_plan() - What guests/init does before any test: bus mastering of the IOMMUs */
void board_plan(const struct board *board, FILE *out);

#endif
