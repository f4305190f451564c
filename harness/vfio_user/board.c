// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "board.h"

#define BASE 0xfe600000u
#define BASE_WITHOUT_PORTS 0xfe900000u	/* where firmware puts them on a board without bridges */
#define SMMUV3_BASE 0x3e000000u

#define FULL(_slot, _unit) \
	{ .slot = _slot, .unit = _unit, .ats = true, .pri = true, .pasid = true }

static const struct board boards[] = {
	{
		.name = "vtd",
		.vendor = &board_vtd,
		.unit_count = 2,
		.units = { { 0x10, BASE }, { 0x14, BASE + IOMMU_FUNCTION_BAR } },
		.endpoint_count = 4,
		.endpoints = {
			FULL(0x11, 0),
			FULL(0x12, 0),
			FULL(0x15, 1),
			{ .slot = 0x13, .port = true, .ats = true, .pri = true, .pasid = true },
		},
	}, {
		.name = "vtd-cm",
		.vendor = &board_vtd,
		.unit_count = 1,
		.units = { { 0x10, BASE, .caching_mode = true } },
		.endpoint_count = 3,
		.endpoints = {
			FULL(0x11, 0),
			FULL(0x12, 0),
			{ .slot = 0x13, .port = true, .ats = true, .pri = true, .pasid = true },
		},
	}, {
		.name = "vtd-no-ats",
		.vendor = &board_vtd,
		.unit_count = 1,
		.units = { { 0x10, BASE_WITHOUT_PORTS } },
		.endpoint_count = 2,
		.endpoints = { { .slot = 0x11 }, { .slot = 0x12 } },
	}, {
		.name = "vtd-no-nest",
		.vendor = &board_vtd,
		.unit_count = 1,
		.units = { { 0x10, BASE_WITHOUT_PORTS, .no_nest = true } },
		.endpoint_count = 2,
		.endpoints = { FULL(0x11, 0), FULL(0x12, 0) },
	}, {
		.name = "amdvi",
		.vendor = &board_amdvi,
		.unit_count = 1,
		.units = { { 0x10, BASE } },
		.endpoint_count = 3,
		.endpoints = {
			/*
			 * Not with PASID: Linux 7.3 turns it on for domains with v2 page
			 * tables only, and GET_HW_INFO warns where it is off.
			 */
			{ .slot = 0x11, .ats = true, .pri = true },
			{ .slot = 0x12, .ats = true, .pri = true },
			{ .slot = 0x13, .port = true, .ats = true, .pri = true },
		},
	}, {
		.name = "smmuv3",
		.vendor = &board_smmuv3,
		.unit_count = 2,
		.units = { { 0, SMMUV3_BASE }, { 1, SMMUV3_BASE + SMMUV3_FUNCTION_BAR } },
		.endpoint_count = 4,
		.endpoints = {
			FULL(0x11, 0),
			FULL(0x12, 0),
			FULL(0x15, 1),
			{ .slot = 0x13, .port = true, .ats = true, .pri = true, .pasid = true },
		},
	}, {
		.name = "smmuv3-cmdqv",
		.vendor = &board_smmuv3,
		.unit_count = 1,
		.units = { { 0, SMMUV3_BASE, .cmdqv = true } },
		.endpoint_count = 2,
		.endpoints = { FULL(0x11, 0), FULL(0x12, 0) },
	},
};

const struct board *board_at(unsigned int index)
{
	return index < sizeof(boards) / sizeof(boards[0]) ? &boards[index] : NULL;
}

const struct board *board_find(const char *name)
{
	for (unsigned int i = 0; board_at(i); i++)
		if (!strcmp(boards[i].name, name))
			return &boards[i];
	return NULL;
}

uint16_t board_rid(const struct board *board, unsigned int endpoint)
{
	unsigned int bus = 1;

	if (!board->endpoints[endpoint].port)
		return board->endpoints[endpoint].slot << 3;
	for (unsigned int i = 0; i < board->endpoint_count; i++)
		bus += board->endpoints[i].port &&
		       board->endpoints[i].slot < board->endpoints[endpoint].slot;
	return bus << 8;
}

/*
 * Posted writes of different functions would overtake each other: an invalidation a DMA that was
 * started before it.
 */
void board_function_option(FILE *out, const char *dir, const char *socket, const char *bus,
			   unsigned int slot)
{
	fprintf(out, "-device\n{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\","
		"\"path\":\"%s/%s\"},\"bus\":\"%s\",\"addr\":\"%x\","
		"\"x-no-posted-writes\":true}\n", dir, socket, bus, slot);
}

/* What q35 has beside our functions is not wanted, and would move their addresses. */
void board_acpi_options(const struct board *board, const char *dir, FILE *out)
{
	char socket[20];

	fprintf(out, "-machine\nsata=off,smbus=off,usb=off,hpet=off,vmport=off\n"
		"-acpitable\nsig=%s,rev=%u,oem_id=NIT,oem_table_id=NITHW,oem_rev=1,data=%s/acpi\n",
		board->vendor->signature, board->vendor->revision, dir);
	for (unsigned int i = 0; i < board->unit_count; i++) {
		snprintf(socket, sizeof(socket), "unit%u", i);
		board_function_option(out, dir, socket, "pcie.0", board->units[i].slot);
	}
}

void board_options(const struct board *board, const char *dir, unsigned int memory_mib, FILE *out)
{
	char socket[20], bus[20];

	fprintf(out, "-machine\nmemory-backend=ram\n"
		"-object\nmemory-backend-memfd,id=ram,size=%uM,share=on\n", memory_mib);
	board->vendor->options(board, dir, out);
	for (unsigned int i = 0; i < board->endpoint_count; i++) {
		const struct board_endpoint *endpoint = &board->endpoints[i];

		snprintf(socket, sizeof(socket), "endpoint%u", i);
		snprintf(bus, sizeof(bus), endpoint->port ? "port%u" : "pcie.0", i);
		if (endpoint->port)
			fprintf(out, "-device\npcie-root-port,id=%s,bus=pcie.0,addr=%x,chassis=%u,"
				"slot=%u\n", bus, endpoint->slot, i + 1, i + 1);
		board_function_option(out, dir, socket, bus, endpoint->port ? 0 : endpoint->slot);
	}
}

/* VT-d's own MSIs are writes to memory, for which its function needs bus mastering. */
void board_plan(const struct board *board, FILE *out)
{
	if (board->vendor->accesses)
		return;
	for (unsigned int i = 0; i < board->unit_count; i++)
		fprintf(out, "poke /sys/bus/pci/devices/0000:00:%02x.0/config %u %02x\n",
			board->units[i].slot, CONFIG_COMMAND,
			CONFIG_COMMAND_MEMORY | CONFIG_COMMAND_MASTER);
}
