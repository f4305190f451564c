/* SPDX-License-Identifier: GPL-2.0-only */
/* The bytes of an ACPI table behind its header, which QEMU's -acpitable writes. */
#ifndef NIT_VFIO_USER_ACPI_H
#define NIT_VFIO_USER_ACPI_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct acpi_table {
	uint8_t *bytes;
	size_t size;
	size_t len;
};

/* A board that does not fit is a bug in the table of boards. */
static inline void acpi_put(struct acpi_table *table, size_t size, uint64_t value)
{
	if (size > sizeof(value) || table->size - table->len < size)
		abort();
	memcpy(table->bytes + table->len, &value, size);
	table->len += size;
}

static inline void acpi_set16(struct acpi_table *table, size_t at, uint16_t value)
{
	memcpy(table->bytes + at, &value, sizeof(value));
}

#endif
