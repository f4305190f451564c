// SPDX-License-Identifier: GPL-2.0-only
/* VT-d on a board: the hardware, and the DMAR table (VT-d specification, 8). */
#include <string.h>

#include "hw/vtd.h"
#include "spec/vtd.h"

#include "acpi.h"
#include "board.h"

#define DRHD 0
#define ATSR 2
#define ATSR_ALL_PORTS 1
#define SCOPE_ENDPOINT 1
#define SCOPE_BRIDGE 2
#define TIMEOUT_STEPS 500

static struct hw_iommu *create(struct machine *machine, const struct board *board,
			       unsigned int unit)
{
	struct vtd_config config = vtd_config_full;

	config.ats_timeout = TIMEOUT_STEPS;
	config.caching_mode = board->units[unit].caching_mode;
	config.nested = !board->units[unit].no_nest;
	return vtd_create(machine, &config);
}

/* Its interrupts are not those of PCI: software writes their address and data to registers. */
static void describe(struct function *function, const struct board_unit *unit)
{
	config_add_express(&function->config, true, false);
}

/* Page requests are the one queue that software empties. */
static bool settled(struct hw_iommu *iommu)
{
	return iommu->ops->mmio_read(iommu, VTD_PQH_REG, 8) ==
	       iommu->ops->mmio_read(iommu, VTD_PQT_REG, 8);
}

static void put_scope(struct acpi_table *table, unsigned int type, unsigned int slot)
{
	acpi_put(table, 1, type);
	acpi_put(table, 1, 8);
	acpi_put(table, 4, 0);	/* reserved, enumeration id, start bus 0 */
	acpi_put(table, 1, slot);
	acpi_put(table, 1, 0);
}

static void put_scopes(struct acpi_table *table, const struct board *board, unsigned int unit)
{
	for (unsigned int i = 0; i < board->endpoint_count; i++) {
		const struct board_endpoint *endpoint = &board->endpoints[i];

		if (endpoint->unit == unit)
			put_scope(table, endpoint->port ? SCOPE_BRIDGE : SCOPE_ENDPOINT,
				  endpoint->slot);
	}
	if (unit == board->unit_count - 1)
		put_scope(table, SCOPE_ENDPOINT, BOARD_FOREIGN_SLOT);
}

static void put_drhd(struct acpi_table *table, const struct board *board, unsigned int unit)
{
	size_t start = table->len;

	acpi_put(table, 2, DRHD);
	acpi_put(table, 2, 0);
	acpi_put(table, 2, 0);	/* flags, size: one page */
	acpi_put(table, 2, 0);	/* segment */
	acpi_put(table, 8, board->units[unit].base);
	put_scopes(table, board, unit);
	acpi_set16(table, start + 2, table->len - start);
}

static size_t table(const struct board *board, uint8_t bytes[BOARD_TABLE])
{
	struct acpi_table table = { .bytes = bytes, .size = BOARD_TABLE };

	acpi_put(&table, 1, vtd_config_full.haw - 1);
	acpi_put(&table, 1, 0);	/* no interrupt remapping */
	acpi_put(&table, 8, 0);
	acpi_put(&table, 2, 0);
	for (unsigned int i = 0; i < board->unit_count; i++)
		put_drhd(&table, board, i);
	acpi_put(&table, 2, ATSR);
	acpi_put(&table, 2, 8);
	acpi_put(&table, 4, ATSR_ALL_PORTS);
	return table.len;
}

const struct board_vendor board_vtd = {
	.class = 0x088000,
	.bar = IOMMU_FUNCTION_BAR,
	.msi_first = BOARD_PC_MSI_FIRST,
	.msi_last = BOARD_PC_MSI_LAST,
	.create = create,
	.describe = describe,
	.settled = settled,
	.options = board_acpi_options,
	.signature = "DMAR",
	.revision = 1,
	.table = table,
};
