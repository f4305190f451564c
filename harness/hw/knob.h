/* SPDX-License-Identifier: GPL-2.0-only */
/* Knobs by their number (core/knob.h), for whoever cannot name a field. */
#ifndef NIT_HW_KNOB_H
#define NIT_HW_KNOB_H

#include "core/knob.h"

#include "endpoint.h"

/**
 * hw_turn() - Turn a knob of @endpoint, or of the IOMMU that it is behind (@of_iommu)
 * Return: 0; -EINVAL: there is none such, or @value is not one of its values. A flag is 0 or 1.
 */
int hw_turn(struct endpoint *endpoint, bool of_iommu, enum knob knob, uint64_t value);

/** hw_calm() - All its knobs as they were at first, but for what is drawn next */
void hw_calm(struct endpoint *endpoint, bool of_iommu);

#endif
