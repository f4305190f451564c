/* SPDX-License-Identifier: GPL-2.0-only */
/* The machines of QEMU that have an IOMMU to be tested. */
#ifndef NIT_QTEST_BOARD_H
#define NIT_QTEST_BOARD_H

#include "machine.h"

/**
 * qtest_board() - The machine of @vendor ("arm", "intel", "amd") that has @iommus of them
 * @name: one of those that the vendor has; NULL: the first. Return: NULL: there is none
 */
const struct qtest_board *qtest_board(const char *vendor, const char *name, unsigned int iommus);

#endif
