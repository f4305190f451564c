/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The target `kernel`: the running kernel, its IOMMUs, and devices that vfio-pci drives.
 *
 * NIT_DEVICE names the devices, as BDFs with commas in between, and nothing is done to the machine
 * but what tests do to these; without it they are all that harness/dma has a driver for, and given
 * to vfio-pci.
 */
#ifndef NIT_TARGET_KERNEL_H
#define NIT_TARGET_KERNEL_H

#include "target.h"

/** kernel_open() - target_open() of this target */
int kernel_open(struct target *target, const char *vendor, const struct target_config *config);

#endif
