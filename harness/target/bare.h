/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The target `bare`: the reference hypervisor on an emulator's IOMMU, driven over qtest. No kernel,
 * no firmware, no guest code: devices, and who programs them.
 *
 * NIT_QEMU is the command of the emulator for the vendor's machine, words separated by spaces.
 */
#ifndef NIT_TARGET_BARE_H
#define NIT_TARGET_BARE_H

#include "hyp/hyp.h"
#include "qtest/board.h"
#include "target.h"

/** struct bare_vendor - a machine and the hypervisor for it */
struct bare_vendor {
	const char *name;
	const struct qtest_board *board;
	const struct hyp_vendor_ops *hyp;
};

extern const struct bare_vendor bare_arm, bare_intel, bare_intel_first_stage, bare_amd;

/**
 * bare_open() - Start the emulator with @devices DMA devices (0: 2), and the hypervisor on it
 * Return: 0; -ENOENT: no NIT_QEMU; -ENODEV: it does not start, has no such devices, or its IOMMU
 * is not one that the hypervisor can use
 */
int bare_open(struct target *target, const struct bare_vendor *vendor, unsigned int devices);

/* For tests of the target itself */
struct qtest_machine *bare_machine(struct target *target);
struct hyp *bare_hyp(struct target *target);

#endif
