/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reference AMD-Vi: an IOMMU as the AMD I/O Virtualization Technology (IOMMU) Specification,
 * 48882, describes it, with nested translation and the hardware vIOMMU.
 *
 * Minimal: a command removes what the specification obliges it to and nothing else. Adversarial:
 * every level is cached, and with all freedoms at 0 a command takes effect no earlier than a
 * COMPLETION_WAIT behind it obliges to (2.4.1, 2.4.11).
 *
 * Left out: interrupt remapping and guest virtual APIC (INVALIDATE_INTERRUPT_TABLE is accepted and
 * finds nothing cached), device table segments, dual logs, exclusion ranges, SEV-SNP.
 */
#ifndef NIT_HW_AMDVI_H
#define NIT_HW_AMDVI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"

/**
 * struct amdvi_config - what this IOMMU can do; AMDVI_CONFIG has it all
 * @device_id: of the IOMMU's own function
 * @prefetch, @ppr, @nx, @gt, @ia, @giosup, @ha, @hd: the bits of the extended feature register
 * @eph: EPHSup, without which Linux turns on neither ATS nor PRI; EPHEn changes nothing here
 * @ga: GASup: Linux 7.3 believes firmware's copy of the features only with it; interrupts are not
 *	remapped here, GAEn changes nothing
 * @gcr3trp: EFR2[GCR3TRPMode]: a GCR3 table may lie in guest physical memory
 * @viommu: the hardware vIOMMU, with the VF and VF control windows
 * @np_cache: not-present translations are cached, too (capability header, NpCache)
 * @timeout_halts: an IOTLB invalidation time-out halts the command buffer. Else the IOMMU logs
 *	IOTLB_INV_TIMEOUT and goes on with the commands behind it: the event is all that tells.
 * @host_levels: 4 to 6; @guest_levels: 4 or 5; @gcr3_levels: 1 to 3; @pasid_bits: 1 to 20
 * @iotlb_entries, @walk_entries, @map_entries: capacities, powers of two; 0: 4096
 */
struct amdvi_config {
	uint16_t device_id;
	bool prefetch;
	bool ppr;
	bool nx;
	bool gt;
	bool ia;
	bool giosup;
	bool ha;
	bool hd;
	bool eph;
	bool ga;
	bool gcr3trp;
	bool viommu;
	bool np_cache;
	bool timeout_halts;
	uint8_t host_levels;
	uint8_t guest_levels;
	uint8_t gcr3_levels;
	uint8_t pasid_bits;
	size_t iotlb_entries;
	size_t walk_entries;
	size_t map_entries;
};

#define AMDVI_CONFIG \
	.device_id = 0x0002, .prefetch = true, .ppr = true, .nx = true, .gt = true, .ia = true, \
	.giosup = true, .ha = true, .hd = true, .gcr3trp = true, .viommu = true, \
	.host_levels = 6, .guest_levels = 5, .gcr3_levels = 3, .pasid_bits = 20

/* Steps of machine_step() until an IOTLB invalidation times out, by CONTROL[InvTimeOut] of 1..6 */
#define AMDVI_TIMEOUT_STEPS(_inv_timeout) (8u << (_inv_timeout))

/**
 * amdvi_create() - A new IOMMU in @machine, which owns it
 * @config: NULL: AMDVI_CONFIG
 * Return: NULL: no memory, no room in the machine, or no such configuration
 */
struct hw_iommu *amdvi_create(struct machine *machine, const struct amdvi_config *config);

/** amdvi_features() - The Extended Feature registers (3.4.7, 3.4.21) of such an IOMMU */
void amdvi_features(const struct amdvi_config *config, uint64_t efr[2]);

/** struct amdvi_cached - entries in the caches now; evidence for traces, no test depends on it */
struct amdvi_cached {
	size_t translations;
	size_t walks;
	size_t maps;
};

void amdvi_cached(struct hw_iommu *iommu, struct amdvi_cached *cached);

#endif
