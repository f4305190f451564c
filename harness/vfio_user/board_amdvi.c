// SPDX-License-Identifier: GPL-2.0-only
/* AMD-Vi on a board: the hardware, its capability block, and the IVRS table (48882, 5.2). */
#include <string.h>

#include "hw/amdvi.h"
#include "spec/amdvi.h"

#include "acpi.h"
#include "board.h"

#define IVINFO 0x00203001	/* EFRSup, 48 bits of guest and of physical addresses */
#define IVHD 0x11
#define IVHD_FLAGS 0xb0		/* IotlbSup, Coherent, PPRSup */
#define IVHD_SELECT 2
#define CAPABILITY 0x40

static struct amdvi_config config_of(const struct board *board, unsigned int unit)
{
	struct amdvi_config config = { AMDVI_CONFIG };

	config.device_id = board->units[unit].slot << 3;
	config.viommu = false;
	config.eph = true;
	config.ga = true;
	/* More than 16 bits of PASID is a BUG() of Linux 7.3. */
	config.pasid_bits = 16;
	config.gcr3_levels = 2;
	return config;
}

static struct hw_iommu *create(struct machine *machine, const struct board *board,
			       unsigned int unit)
{
	struct amdvi_config config = config_of(board, unit);

	return amdvi_create(machine, &config);
}

static void describe(struct function *function, const struct board_unit *unit)
{
	config_add_amd_iommu(&function->config, unit->base, false);
	config_add_msi(&function->config);
	config_add_express(&function->config, true, false);
	function->msi_count = 1;
}

static bool is_empty(struct hw_iommu *iommu, uint64_t head, uint64_t tail)
{
	return iommu->ops->mmio_read(iommu, head, 8) == iommu->ops->mmio_read(iommu, tail, 8);
}

static bool settled(struct hw_iommu *iommu)
{
	return is_empty(iommu, AMDVI_EVTLOG_HEAD, AMDVI_EVTLOG_TAIL) &&
	       is_empty(iommu, AMDVI_PPRLOG_HEAD, AMDVI_PPRLOG_TAIL);
}

static void put_device(struct acpi_table *table, uint16_t device_id)
{
	acpi_put(table, 1, IVHD_SELECT);
	acpi_put(table, 2, device_id);
	acpi_put(table, 1, 0);
}

/* With images of the features: Linux 7.3 finds HDSup nowhere else (amd_iommu_hd_support). */
static void put_ivhd(struct acpi_table *table, const struct board *board, unsigned int unit)
{
	const struct amdvi_config config = config_of(board, unit);
	size_t start = table->len;
	uint64_t efr[2];

	amdvi_features(&config, efr);
	acpi_put(table, 1, IVHD);
	acpi_put(table, 1, IVHD_FLAGS);
	acpi_put(table, 2, 0);
	acpi_put(table, 2, board->units[unit].slot << 3);
	acpi_put(table, 2, CAPABILITY);
	acpi_put(table, 8, board->units[unit].base);
	acpi_put(table, 4, 0);	/* segment, info */
	acpi_put(table, 4, 0);	/* attributes */
	acpi_put(table, 8, efr[0]);
	acpi_put(table, 8, efr[1]);
	for (unsigned int i = 0; i < board->endpoint_count; i++) {
		if (board->endpoints[i].port)
			put_device(table, board->endpoints[i].slot << 3);
		put_device(table, board_rid(board, i));
	}
	acpi_set16(table, start + 2, table->len - start);
}

static size_t table(const struct board *board, uint8_t bytes[BOARD_TABLE])
{
	struct acpi_table table = { .bytes = bytes, .size = BOARD_TABLE };

	acpi_put(&table, 4, IVINFO);
	acpi_put(&table, 8, 0);
	for (unsigned int i = 0; i < board->unit_count; i++)
		put_ivhd(&table, board, i);
	return table.len;
}

const struct board_vendor board_amdvi = {
	.class = 0x080600,
	.bar = IOMMU_FUNCTION_BAR,
	.msi_first = BOARD_PC_MSI_FIRST,
	.msi_last = BOARD_PC_MSI_LAST,
	.create = create,
	.describe = describe,
	.settled = settled,
	.options = board_acpi_options,
	.signature = "IVRS",
	.revision = 2,
	.table = table,
};
