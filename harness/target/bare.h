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

/**
 * bare_open() - target_open() of this target
 *
 * NIT_BOARD in the environment chooses a machine of harness/qtest/board.c by its name, if it is one
 * of this vendor. Return also -ENOENT: no NIT_QEMU; -ENODEV: it does not start, or its IOMMU is not
 * one that the hypervisor can use
 */
int bare_open(struct target *target, const char *vendor, const struct target_config *config);

/* For tests of the target itself */
struct qtest_machine *bare_machine(struct target *target);
struct hyp *bare_hyp(struct target *target);

#endif
