/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test of translations says: this DMA reaches that page. For tests and fixtures (where
 * struct __test_metadata *_metadata is in scope). A failure prints what the hardware last saw.
 */
#ifndef NIT_VMM_EXPECT_H
#define NIT_VMM_EXPECT_H

#include "core/test.h"
#include "iommufd/assert.h"
#include "target/assert.h"
#include "vm.h"

#define VM_EVIDENCE_LINES 36

/** VM_OPEN() - vm_open() that must succeed; a skip where the hardware does not nest */
#define VM_OPEN(_vm, _target, _vendor, _parent_flags) do { \
	NEEDS(_target, TARGET_NEST); \
	ASSERT_EQ(0, vm_open(_vm, _target, _vendor, _parent_flags)); \
} while (0)

/*
 * Nobody can have the devices here do DMA (struct target_config.dma_optional): the test goes on,
 * must keep all its other promises, and counts as skipped.
 */
#define VM_UNSEEN(_target) ({ \
	const char *unseen_why = target_lacks(_target, TARGET_DMA); \
	if (unseen_why && !_metadata->exit_code) \
		SKIP(, "%s", unseen_why); \
	unseen_why; \
})

/**
 * EXPECT_DMA() - @_device reaches the page at guest physical @_page through @_iova of @_space
 *
 * A control that saw something else than the old page before (EXPECT_STALE) must have seen this.
 */
#define EXPECT_DMA(_device, _space, _iova, _page) do { \
	if (VM_UNSEEN((_device)->vm->target)) \
		break; \
	EXPECT_EQ((uint64_t)(_page), vm_read(_device, _space, _iova)) \
		vm_evidence((_device)->vm, 0, VM_EVIDENCE_LINES); \
	EXPECT_EQ((uint64_t)(_page), vm_control_saw(_device, _space, _iova, _page)) \
		vm_evidence((_device)->vm, 0, VM_EVIDENCE_LINES); \
} while (0)

/**
 * EXPECT_STALE() - Positive control: the old page @_page is still reached; the caches are real
 *
 * The reference keeps all that it may. Other hardware need not: a test that saw nothing old there
 * goes on, must keep all its promises, and counts as skipped.
 */
#define EXPECT_STALE(_device, _space, _iova, _page) do { \
	struct target *stale_target = (_device)->vm->target; \
	if (VM_UNSEEN(stale_target)) \
		break; \
	uint64_t stale_seen = vm_read(_device, _space, _iova); \
	if (!(stale_target->has & TARGET_REFERENCE) && stale_seen != (uint64_t)(_page)) { \
		vm_control(_device, _space, _iova, stale_seen); \
		if (!_metadata->exit_code) \
			SKIP(, "the IOMMU here does not show an old translation"); \
		break; \
	} \
	EXPECT_EQ((uint64_t)(_page), stale_seen) \
		vm_evidence((_device)->vm, 0, VM_EVIDENCE_LINES); \
} while (0)

/** EXPECT_NO_DMA() - @_iova of @_space is refused */
#define EXPECT_NO_DMA(_device, _space, _iova) \
	EXPECT_DMA(_device, _space, _iova, VM_NOWHERE)

#endif
