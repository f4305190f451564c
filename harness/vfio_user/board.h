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

/** struct board_unit - an IOMMU: a slot of bus 0, and where firmware puts its registers */
struct board_unit {
	uint8_t slot;
	uint32_t base;
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

struct board;

/**
 * struct board_vendor - what differs by the kind of IOMMU
 * @class: of its PCI function
 * @create: the hardware; @describe: the capabilities of its function
 * @signature, @revision: of the ACPI table; @table: its bytes behind the header; their number
 */
struct board_vendor {
	uint32_t class;
	struct hw_iommu *(*create)(struct machine *machine, const struct board *board,
				   unsigned int unit);
	void (*describe)(struct function *function, const struct board_unit *unit);
	const char *signature;
	unsigned int revision;
	size_t (*table)(const struct board *board, uint8_t table[BOARD_TABLE]);
};

extern const struct board_vendor board_vtd, board_amdvi;

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
/** board_plan() - What guests/init does before any test: bus mastering of the IOMMUs */
void board_plan(const struct board *board, FILE *out);

#endif
