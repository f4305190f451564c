/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reference Intel VT-d: DMA remapping in legacy and scalable mode, queued and register-based
 * invalidation, fault recording, page requests, ATS (D51397, revision 5.x).
 *
 * Interrupt remapping is not modelled: interrupt entry cache invalidations are accepted, ordered
 * and counted, and have nothing to remove. The G bit of first-stage entries is ignored.
 */
#ifndef NIT_HW_VTD_H
#define NIT_HW_VTD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hw_iommu;
struct machine;

/**
 * struct vtd_config - what CAP_REG and ECAP_REG say, and sizes that no register tells
 * @scalable, @first_stage, @second_stage, @nested, @pass_through: SMTS, FSTS, SSTS, NEST, PT
 * @five_level: FS5LP, and 57 bits of second stage
 * @large_2m, @large_1g: second-stage large pages; @first_1g: FS1GP (2M is always there)
 * @pasid_bits: 0: no requests with PASID
 * @ats, @prs, @pds, @dit: device TLBs, page requests, their draining, throttling by PFSID
 * @srs, @ers, @eafs, @ssads, @smpwcs, @rps: SRS, ERS, EAFS, SSADS, SMPWCS, RPS with RPRIVS
 * @queue: queued invalidation; register-based invalidation is always there
 * @psi, @mamv: page-selective IOTLB invalidation and its largest address mask
 * @caching_mode: CM: entries that are not present are cached as well
 * @drain: DRD and DWD
 * @domain_bits: 4 to 16, even; @mgaw, @haw: width of guest and host addresses
 * @fault_records: fault recording registers, 1 to 32
 * @iotlb_entries, @paging_entries, @config_entries: capacity of the IOTLB, of the paging-structure
 *	caches, and of the context and PASID cache; powers of two
 * @ats_timeout: machine steps until a device that does not answer an invalidation is given up
 */
struct vtd_config {
	bool scalable;
	bool first_stage;
	bool second_stage;
	bool nested;
	bool pass_through;
	bool five_level;
	bool large_2m;
	bool large_1g;
	bool first_1g;
	uint8_t pasid_bits;
	bool ats;
	bool prs;
	bool pds;
	bool dit;
	bool srs;
	bool ers;
	bool eafs;
	bool ssads;
	bool smpwcs;
	bool rps;
	bool queue;
	bool psi;
	uint8_t mamv;
	bool caching_mode;
	bool drain;
	uint8_t domain_bits;
	uint8_t mgaw;
	uint8_t haw;
	uint8_t fault_records;
	size_t iotlb_entries;
	size_t paging_entries;
	size_t config_entries;
	unsigned int ats_timeout;
};

/* Everything there is, caches of 4096 entries: to copy and change */
extern const struct vtd_config vtd_config_full;

/* Where the registers lie whose place CAP_REG and ECAP_REG tell */
#define VTD_FRCD_OFFSET		0x400
#define VTD_IVA_OFFSET		0x600
#define VTD_IOTLB_OFFSET	(VTD_IVA_OFFSET + 8)

/** vtd_create() - A VT-d unit in @machine; NULL: no memory, or @config makes no sense */
struct hw_iommu *vtd_create(struct machine *machine, const struct vtd_config *config);

#endif
