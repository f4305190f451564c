/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration space of a PCIe function: bytes, and which of their bits software may change.
 * Sizing a BAR needs no more than that: the bits below its size cannot be set.
 * Names are those of the PCI Local Bus and PCI Express Base specifications.
 */
#ifndef NIT_VFIO_USER_CONFIG_SPACE_H
#define NIT_VFIO_USER_CONFIG_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_SIZE 4096u

#define CONFIG_COMMAND 0x04
#define CONFIG_COMMAND_MEMORY 0x0002
#define CONFIG_COMMAND_MASTER 0x0004

/**
 * struct config_space
 * @writable: bits that keep what is written; @clearable: bits that a written 1 clears
 * @msi, @express, @ats, @pri, @pasid: where these capabilities are, 0: nowhere
 */
struct config_space {
	uint8_t value[CONFIG_SIZE];
	uint8_t writable[CONFIG_SIZE];
	uint8_t clearable[CONFIG_SIZE];
	uint8_t initial[CONFIG_SIZE];
	unsigned int next;	/* free place for a capability */
	unsigned int last;	/* whose link is the last */
	unsigned int extended_next;
	unsigned int extended_last;
	unsigned int msi;
	unsigned int express;
	unsigned int ats;
	unsigned int pri;
	unsigned int pasid;
};

/** config_init() - A function of type 0; @class: the 24 bits of the class code */
void config_init(struct config_space *config, uint16_t vendor, uint16_t device, uint32_t class);

/** config_bar() - A 32-bit memory BAR of @size bytes, a power of two of at least 16 */
void config_bar(struct config_space *config, unsigned int index, uint32_t size);

/** config_add_express() - PCI Express, with FLR where @flr; @integrated: in the root complex */
void config_add_express(struct config_space *config, bool integrated, bool flr);
/** config_add_msi() - MSI with one vector and 64 bits of address */
void config_add_msi(struct config_space *config);
/** config_add_amd_iommu() - The AMD IOMMU's capability block (48882, 3.3); registers at @base */
void config_add_amd_iommu(struct config_space *config, uint64_t base, bool np_cache);
/** config_add_ats() - ATS, and what goes with it; @queue_depth: Invalidate Queue Depth */
void config_add_ats(struct config_space *config, unsigned int queue_depth);
void config_add_pri(struct config_space *config);
void config_add_pasid(struct config_space *config, unsigned int width);

/** config_finish() - What is there now is what a reset restores */
void config_finish(struct config_space *config);
void config_reset(struct config_space *config);

/** config_read(), config_write() - 0; -EINVAL: outside */
int config_read(const struct config_space *config, uint64_t offset, void *data, size_t len);
int config_write(struct config_space *config, uint64_t offset, const void *data, size_t len);

uint16_t config_get16(const struct config_space *config, unsigned int offset);
uint32_t config_get32(const struct config_space *config, unsigned int offset);

/* What software has turned on */
bool config_bus_master(const struct config_space *config);
bool config_ats_on(const struct config_space *config);
bool config_pri_on(const struct config_space *config);
bool config_pasid_on(const struct config_space *config);
/** config_msi() - Is MSI on? Then its address and data */
bool config_msi(const struct config_space *config, uint64_t *addr, uint32_t *data);
/** config_take_flr() - Has a function level reset been asked for since the last call? */
bool config_take_flr(struct config_space *config);

#endif
