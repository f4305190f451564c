/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model as its own kernel: an iommufd whose ioctls a second copy of the model answers, with
 * or without a planted bug. It lets generator, executor, comparison and shrinking be tested
 * without a kernel.
 */
#ifndef NIT_MODEL_TWIN_H
#define NIT_MODEL_TWIN_H

#include "model.h"

/** __twin_open() - Open one; @fault: the bug it has */
int __twin_open(struct iommufd *iommufd, enum model_fault fault);

#endif
