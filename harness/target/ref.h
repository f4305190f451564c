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

/** ref_open() - Build the machine and start the hypervisor; 0 or -errno */
int ref_open(struct target *target, const struct ref_vendor *vendor,
	     const struct target_config *config);

/* For tests of the reference itself, and those that turn knobs. NULL on another target. */
struct machine *ref_machine(struct target *target);
struct hyp *ref_hyp(struct target *target);
struct endpoint *ref_endpoint(struct target *target, unsigned int device);

#endif
