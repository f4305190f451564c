/* SPDX-License-Identifier: GPL-2.0-only */
/* The machines of QEMU that have an IOMMU to be tested. */
#ifndef NIT_QTEST_BOARD_H
#define NIT_QTEST_BOARD_H

#include "machine.h"

extern const struct qtest_board qtest_arm, qtest_intel, qtest_intel_first_stage, qtest_amd;

#endif
