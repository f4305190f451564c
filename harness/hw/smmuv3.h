/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A reference Arm SMMUv3 (IHI 0070), Non-secure, AArch64 tables, with the Tegra241 command queue
 * virtualisation in front of it where so configured.
 *
 * It keeps everything it may: structures that are not valid are cached too (3.21.3), a command
 * takes effect only when a CMD_SYNC obliges it to. What has no order between two CMD_SYNCs happens
 * in the order that hides least: ATS invalidations first, then stage 1, stage 2, configuration,
 * and time passes in between. StreamID is the requester id.
 */
#ifndef NIT_HW_SMMUV3_H
#define NIT_HW_SMMUV3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMMUV3_AIDR 2		/* SMMUv3.2 */

struct hw_iommu;
struct machine;

enum smmuv3_granule {
	SMMUV3_4K = 1,
	SMMUV3_16K = 2,
	SMMUV3_64K = 4,
};

/**
 * struct smmuv3_config - what the ID registers say, and sizes
 * @split_ats: split-stage ATS (IDR0.NS1ATS == 0)
 * @httu: SMMU_HTTU_*; @stall_model: SMMU_STALL_*; @bbml: IDR3.BBML
 * @sid_bits: 1..16; @ssid_bits: 0..20
 * @granules: of enum smmuv3_granule; @oas: IDR5.OAS
 * @vax: 52-bit input addresses with 64 KiB granules (IDR5.VAX)
 * @lenient: reserved fields of commands are ignored, not CERROR_ILL (4.1.5 allows both)
 * @cmdq_log2, @eventq_log2, @priq_log2: largest queues
 * @entries: of each translation cache; a power of two
 * @atc_timeout: steps that an ATS invalidation may take
 * @vcmdq_log2, @vintf_log2, @sid_log2: of the CMDQV, that exists if @cmdqv
 * @cmdqv_msi_addr, @cmdqv_msi_data: where its wired interrupt goes to
 */
struct smmuv3_config {
	bool s1p;
	bool s2p;
	bool asid16;
	bool vmid16;
	bool ats;
	bool split_ats;
	bool pri;
	bool pps;
	bool hyp;
	bool msi;
	bool sev;
	bool two_level;
	bool cd_two_level;
	bool ril;
	bool ds;
	bool vax;
	bool fwb;
	bool lenient;
	uint8_t httu;
	uint8_t stall_model;
	uint8_t bbml;
	uint8_t sid_bits;
	uint8_t ssid_bits;
	uint8_t granules;
	uint8_t oas;
	uint8_t cmdq_log2;
	uint8_t eventq_log2;
	uint8_t priq_log2;
	size_t entries;
	unsigned int atc_timeout;
	bool cmdqv;
	uint8_t vcmdq_log2;
	uint8_t vintf_log2;
	uint8_t sid_log2;
	uint64_t cmdqv_msi_addr;
	uint32_t cmdqv_msi_data;
};

/** smmuv3_config_full() - Everything on, 48-bit addresses, 4096 entries; a place to start from */
struct smmuv3_config smmuv3_config_full(void);

/** smmuv3_create() - A new one in @machine, that destroys it; NULL: no memory, no place */
struct hw_iommu *smmuv3_create(struct machine *machine, const struct smmuv3_config *config);

#endif
