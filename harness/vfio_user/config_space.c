// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "config_space.h"

#define STATUS 0x06
#define STATUS_CAPABILITIES 0x10
#define STATUS_READY 0x01	/* Immediate Readiness: software need not wait after a reset */
#define CLASS 0x08
#define BAR0 0x10
#define SUBSYSTEM 0x2c
#define CAPABILITIES 0x34
#define FIRST 0x40
#define EXTENDED_FIRST 0x100

#define ID_MSI 0x05
#define ID_AMD_IOMMU 0x0f
#define ID_EXPRESS 0x10
#define ID_ATS 0x0f
#define ID_PRI 0x13
#define ID_PASID 0x1b

#define EXPRESS_FLAGS 0x02
#define EXPRESS_DEVCAP 0x04
#define EXPRESS_DEVCTL 0x08
#define EXPRESS_DEVCTL_FLR 0x8000
#define EXPRESS_LNKCAP 0x0c
#define EXPRESS_LNKSTA 0x12
#define EXPRESS_DEVCAP2 0x24
#define EXPRESS_DEVCTL2 0x28
#define ATS_CONTROL 0x06
#define ATS_ENABLE 0x8000
#define PRI_CONTROL 0x04
#define PRI_ENABLE 0x0001
#define PRI_STATUS 0x06
#define PRI_STOPPED 0x0100
#define PASID_CONTROL 0x06
#define MSI_CONTROL 0x02
#define MSI_ENABLE 0x0001
#define MSI_ADDRESS 0x04
#define MSI_DATA 0x0c
#define PASID_ENABLE 0x0001

static void put(uint8_t *bytes, unsigned int offset, unsigned int size, uint32_t value)
{
	memcpy(bytes + offset, &value, size);
}

uint16_t config_get16(const struct config_space *config, unsigned int offset)
{
	uint16_t value;

	memcpy(&value, config->value + offset, sizeof(value));
	return value;
}

uint32_t config_get32(const struct config_space *config, unsigned int offset)
{
	uint32_t value;

	memcpy(&value, config->value + offset, sizeof(value));
	return value;
}

void config_init(struct config_space *config, uint16_t vendor, uint16_t device, uint32_t class)
{
	memset(config, 0, sizeof(*config));
	put(config->value, 0, 4, vendor | (uint32_t)device << 16);
	put(config->value, CLASS, 4, class << 8);
	put(config->value, SUBSYSTEM, 4, vendor | (uint32_t)device << 16);
	put(config->writable, CONFIG_COMMAND, 2,
	    CONFIG_COMMAND_MEMORY | CONFIG_COMMAND_MASTER | 0x0400);
	put(config->writable, 0x0c, 1, 0xff);
	put(config->writable, 0x3c, 1, 0xff);
	config->next = FIRST;
	config->last = CAPABILITIES - 1;
	config->extended_next = EXTENDED_FIRST;
}

void config_bar(struct config_space *config, unsigned int index, uint32_t size)
{
	put(config->writable, BAR0 + 4 * index, 4, ~(size - 1));
}

/* ---- Capabilities ---- */

static unsigned int add(struct config_space *config, uint8_t id, unsigned int size)
{
	unsigned int at = config->next;

	put(config->value, STATUS, 2, STATUS_CAPABILITIES | STATUS_READY);
	config->value[config->last + 1] = at;
	config->value[at] = id;
	config->last = at;
	config->next = (at + size + 3) & ~3u;
	return at;
}

static unsigned int add_extended(struct config_space *config, uint16_t id, unsigned int size)
{
	unsigned int at = config->extended_next, before = config->extended_last;

	if (before)
		put(config->value, before, 4, config_get32(config, before) | at << 20);
	put(config->value, at, 4, id | 1u << 16);
	config->extended_last = at;
	config->extended_next = at + size;
	return at;
}

void config_add_express(struct config_space *config, bool integrated, bool flr)
{
	unsigned int at = add(config, ID_EXPRESS, 0x3c);

	config->express = at;
	put(config->value, at + EXPRESS_FLAGS, 2, 2 | (integrated ? 9 : 0) << 4);
	put(config->value, at + EXPRESS_DEVCAP, 4, 1u << 15 | (flr ? 1u << 28 : 0));
	put(config->writable, at + EXPRESS_DEVCTL, 2, 0x7fff | (flr ? EXPRESS_DEVCTL_FLR : 0));
	if (!integrated) {	/* a link of one lane, 2.5 GT/s */
		put(config->value, at + EXPRESS_LNKCAP, 4, 0x11);
		put(config->value, at + EXPRESS_LNKSTA, 2, 0x11);
	}
	/* End-End TLP prefixes: a PASID is one. */
	put(config->value, at + EXPRESS_DEVCAP2, 4, 1u << 21);
	put(config->writable, at + EXPRESS_DEVCTL2, 2, 0xffff);
}

void config_add_msi(struct config_space *config)
{
	unsigned int at = add(config, ID_MSI, 0x0e);

	config->msi = at;
	put(config->value, at + 2, 2, 0x0080);
	put(config->writable, at + 2, 2, 0x0071);
	put(config->writable, at + 4, 4, ~3u);
	put(config->writable, at + 8, 4, ~0u);
	put(config->writable, at + 12, 2, 0xffff);
}

void config_add_amd_iommu(struct config_space *config, uint64_t base, bool np_cache)
{
	unsigned int at = add(config, ID_AMD_IOMMU, 0x18);

	/* Type 3, revision 1, IotlbSup, EFRSup */
	put(config->value, at + 2, 2, 3 | 1 << 3 | 1 << 8 | np_cache << 10 | 1 << 11);
	put(config->value, at + 4, 4, (uint32_t)base | 1);
	put(config->value, at + 8, 4, base >> 32);
}

void config_add_ats(struct config_space *config, unsigned int queue_depth)
{
	unsigned int at = add_extended(config, ID_ATS, 8);

	config->ats = at;
	/* Page Aligned Request, Global Invalidate Supported */
	put(config->value, at + 4, 2, (queue_depth & 0x1f) | 0x60);
	put(config->writable, at + ATS_CONTROL, 2, ATS_ENABLE | 0x1f);
}

void config_add_pri(struct config_space *config)
{
	unsigned int at = add_extended(config, ID_PRI, 0x10);

	config->pri = at;
	put(config->writable, at + PRI_CONTROL, 2, PRI_ENABLE);
	/* Stopped; PRG Response PASID Required */
	put(config->value, at + PRI_STATUS, 2, PRI_STOPPED | 0x8000);
	put(config->clearable, at + PRI_STATUS, 2, 0x0003);
	put(config->value, at + 8, 4, 512);
	put(config->writable, at + 12, 4, ~0u);
}

void config_add_pasid(struct config_space *config, unsigned int width)
{
	unsigned int at = add_extended(config, ID_PASID, 8);

	config->pasid = at;
	/* Execute Permission and Privileged Mode supported */
	put(config->value, at + 4, 2, 0x0006 | width << 8);
	put(config->writable, at + PASID_CONTROL, 2, PASID_ENABLE | 0x0006);
}

void config_finish(struct config_space *config)
{
	memcpy(config->initial, config->value, CONFIG_SIZE);
}

void config_reset(struct config_space *config)
{
	memcpy(config->value, config->initial, CONFIG_SIZE);
}

/* ---- Accesses ---- */

static bool outside(uint64_t offset, size_t len)
{
	return offset >= CONFIG_SIZE || len > CONFIG_SIZE - offset;
}

int config_read(const struct config_space *config, uint64_t offset, void *data, size_t len)
{
	if (outside(offset, len))
		return -EINVAL;
	memcpy(data, config->value + offset, len);
	return 0;
}

/* Nothing is ever outstanding when PRI is turned off: it has stopped at once (PCIe 7.8.9). */
static void update_pri(struct config_space *config)
{
	unsigned int status = config->pri + PRI_STATUS;
	uint16_t value = config_get16(config, status) & ~PRI_STOPPED;

	if (config->pri)
		put(config->value, status, 2, value | (config_pri_on(config) ? 0 : PRI_STOPPED));
}

int config_write(struct config_space *config, uint64_t offset, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	if (outside(offset, len))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		uint8_t *value = &config->value[offset + i];
		uint8_t mask = config->writable[offset + i];

		*value = (*value & ~mask) | (bytes[i] & mask);
		*value &= ~(bytes[i] & config->clearable[offset + i]);
	}
	update_pri(config);
	return 0;
}

/* ---- What is on ---- */

static bool is_on(const struct config_space *config, unsigned int capability, unsigned int offset,
		  uint16_t bit)
{
	return capability && config_get16(config, capability + offset) & bit;
}

bool config_bus_master(const struct config_space *config)
{
	return config_get16(config, CONFIG_COMMAND) & CONFIG_COMMAND_MASTER;
}

bool config_ats_on(const struct config_space *config)
{
	return is_on(config, config->ats, ATS_CONTROL, ATS_ENABLE);
}

bool config_pri_on(const struct config_space *config)
{
	return is_on(config, config->pri, PRI_CONTROL, PRI_ENABLE);
}

bool config_pasid_on(const struct config_space *config)
{
	return is_on(config, config->pasid, PASID_CONTROL, PASID_ENABLE);
}

bool config_msi(const struct config_space *config, uint64_t *addr, uint32_t *data)
{
	*addr = config_get32(config, config->msi + MSI_ADDRESS) |
		(uint64_t)config_get32(config, config->msi + MSI_ADDRESS + 4) << 32;
	*data = config_get16(config, config->msi + MSI_DATA);
	return is_on(config, config->msi, MSI_CONTROL, MSI_ENABLE);
}

bool config_take_flr(struct config_space *config)
{
	unsigned int control = config->express + EXPRESS_DEVCTL;
	uint16_t value;

	if (!is_on(config, config->express, EXPRESS_DEVCTL, EXPRESS_DEVCTL_FLR))
		return false;
	value = config_get16(config, control) & ~EXPRESS_DEVCTL_FLR;
	put(config->value, control, 2, value);
	return true;
}
