/* SPDX-License-Identifier: GPL-2.0-only */
/* The target `ref`: reference hardware and reference hypervisor, in this process. */
#ifndef NIT_TARGET_REF_H
#define NIT_TARGET_REF_H

#include "hw/machine.h"
#include "hyp/hyp.h"
#include "target.h"

/**
 * struct ref_vendor - one vendor's hardware and hypervisor
 * @iommu_create: IOMMU number @index of a machine; @config: the vendor's own, or NULL
 */
struct ref_vendor {
	const char *name;
	struct hw_iommu *(*iommu_create)(struct machine *machine, unsigned int index,
					 const void *config);
	const struct hyp_vendor_ops *hyp;
};

extern const struct ref_vendor ref_intel, ref_amd, ref_arm;

/**
 * struct ref_config - the machine
 * @iommus, @devices: how many (0: 1 IOMMU, 2 devices); device n is behind IOMMU n % @iommus
 * @no_ats, @no_pri, @no_pasid: what the devices lack
 * @ats_queue_depth, @atc_entries: of the devices; 0: 32 and 4096
 * @iommu: the vendor's configuration of its IOMMUs, or NULL
 * @ram: bytes; 0: 256 MiB. A page of it costs nothing until it is touched.
 * @seed: 0: prng_seed()
 */
struct ref_config {
	unsigned int iommus;
	unsigned int devices;
	bool no_ats;
	bool no_pri;
	bool no_pasid;
	uint8_t ats_queue_depth;
	size_t atc_entries;
	const void *iommu;
	uint64_t ram;
	uint64_t seed;
};

/** ref_open() - Build the machine and start the hypervisor; 0 or -errno */
int ref_open(struct target *target, const struct ref_vendor *vendor,
	     const struct ref_config *config);

/* For tests of the reference itself, and for those that turn knobs */
struct machine *ref_machine(struct target *target);
struct hyp *ref_hyp(struct target *target);
struct endpoint *ref_endpoint(struct target *target, unsigned int device);

#endif
