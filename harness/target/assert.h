/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What fixtures and tests say of the target, where struct __test_metadata *_metadata is in scope.
 * What a target cannot give is a skip with a constant reason.
 */
#ifndef NIT_TARGET_ASSERT_H
#define NIT_TARGET_ASSERT_H

#include "core/test.h"
#include "target.h"

/** TARGET_OPEN() - target_open() that must succeed, or skip: in a set-up, or a test */
#define TARGET_OPEN(_target, _vendor, _config) do { \
	int open_rc = target_open(_target, _vendor, _config); \
	if ((_target)->lacks) \
		SKIP(return, "%s", (_target)->lacks); \
	ASSERT_EQ(0, open_rc); \
} while (0)

/** NEEDS() - This test cannot do without @_needs (enum target_need) */
#define NEEDS(_target, _needs) do { \
	const char *needs_lacking = target_lacks(_target, _needs); \
	if (needs_lacking) \
		SKIP(return, "%s", needs_lacking); \
} while (0)

/** NEEDS_DEVICES() - This test cannot do without @_count devices */
#define NEEDS_DEVICES(_target, _count) do { \
	if ((_target)->device_count < (_count)) \
		SKIP(return, "%s", TARGET_FEWER_DEVICES); \
} while (0)

/** TURN() - Turn a knob of device number @_device; TURN_IOMMU(): of the IOMMU that it is behind */
#define TURN(_target, _device, _knob, _value) \
	ASSERT_EQ(0, (_target)->ops->turn(_target, _device, false, _knob, _value))
#define TURN_IOMMU(_target, _device, _knob, _value) \
	ASSERT_EQ(0, (_target)->ops->turn(_target, _device, true, _knob, _value))

/** target_needs() - What a device with or without ATC and PASID needs */
static inline unsigned int target_needs(bool ats, uint32_t pasid)
{
	return (ats ? TARGET_ATS : 0) | (pasid != DMA_NO_PASID ? TARGET_PASID : 0);
}

#endif
