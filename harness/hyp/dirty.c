// SPDX-License-Identifier: GPL-2.0-only
/* Dirty tracking: on and off, and the user's bitmap of a range. */
#include <errno.h>

#include "core/fault.h"
#include "object.h"

#define PAGE 4096ULL

static int trackable(struct hyp_context *context, uint32_t id, struct hyp_hwpt **hwpt)
{
	*hwpt = hyp_object_get(context, id, HYP_HWPT_PAGING);
	if (!*hwpt)
		return -ENOENT;
	if (!((*hwpt)->domain->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) ||
	    !context->hyp->vendor->set_dirty)
		return -EOPNOTSUPP;
	return 0;
}

int hyp_hwpt_set_dirty(struct hyp_context *context, void *arg)
{
	struct iommu_hwpt_set_dirty_tracking *cmd = arg;
	bool on = cmd->flags & IOMMU_HWPT_DIRTY_TRACKING_ENABLE;
	struct hyp_hwpt *hwpt;
	int rc;

	if (cmd->flags & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE || cmd->__reserved)
		return -EOPNOTSUPP;
	rc = trackable(context, cmd->hwpt_id, &hwpt);
	rc = rc ?: context->hyp->vendor->set_dirty(hwpt->domain, on);
	if (!rc)
		hwpt->domain->dirty_tracking = on;
	return rc;
}

/** struct bitmap - the user's bitmap of a range, as a receiver of dirty pages */
struct bitmap {
	struct hyp_dirty dirty;
	uint64_t iova;
	uint64_t length;
	uint64_t page_size;
	uint64_t data;
	int error;
};

/* Bits are added to a byte, and no other byte is touched. */
static int add_bits(uint64_t at, uint8_t bits)
{
	uint8_t byte;

	if (hyp_copy_from_user(&byte, at, 1))
		return -EFAULT;
	byte |= bits;
	return hyp_copy_to_user(at, &byte, 1);
}

static void bitmap_page(struct hyp_dirty *dirty, uint64_t iova, uint64_t len)
{
	struct bitmap *bitmap = hyp_container(dirty, struct bitmap, dirty);
	uint64_t first = iova > bitmap->iova ? iova - bitmap->iova : 0;
	uint64_t last = iova + len - 1 - bitmap->iova;

	if (last >= bitmap->length)
		last = bitmap->length - 1;
	first /= bitmap->page_size;
	last /= bitmap->page_size;
	while (first <= last && !bitmap->error) {
		unsigned int bit = first % 8, count = 8 - bit;

		if (last - first < count)
			count = last - first + 1;
		bitmap->error = add_bits(bitmap->data + first / 8, ((1u << count) - 1) << bit);
		first += count;
	}
}

/* What would be told there must not be cleared before it is sure that it can be told. */
static int check_writable(const struct bitmap *bitmap)
{
	uint64_t bytes = (bitmap->length / bitmap->page_size + 7) / 8, at = bitmap->data;

	if (FAULT("hyp.dirty-bitmap-unwritable", "dirty bits are lost to a bad bitmap"))
		return 0;
	for (; bytes; bytes -= bytes < PAGE ? bytes : PAGE) {
		at = bitmap->data + bytes - 1;
		if (add_bits(at, 0))
			return -EFAULT;
	}
	return add_bits(bitmap->data, 0);
}

static int check_range(const struct hyp_ioas *ioas, const struct iommu_hwpt_get_dirty_bitmap *cmd)
{
	uint64_t size = cmd->page_size;

	if (!cmd->length || !size || size & (size - 1))
		return -EINVAL;
	if (cmd->iova + cmd->length - 1 < cmd->iova)
		return -EOVERFLOW;
	if ((cmd->iova | cmd->length) & (size - 1) ||
	    (cmd->iova | cmd->length) & (ioas->alignment - 1))
		return -EINVAL;
	return hyp_ioas_has(ioas, cmd->iova, cmd->length) ? 0 : -ENOENT;
}

int hyp_hwpt_get_dirty(struct hyp_context *context, void *arg)
{
	struct iommu_hwpt_get_dirty_bitmap *cmd = arg;
	struct bitmap bitmap = {
		.dirty.page = bitmap_page, .iova = cmd->iova, .length = cmd->length,
		.page_size = cmd->page_size, .data = cmd->data,
	};
	struct hyp_hwpt *hwpt;
	int rc;

	if (cmd->flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR || cmd->__reserved)
		return -EOPNOTSUPP;
	rc = trackable(context, cmd->hwpt_id, &hwpt);
	rc = rc ?: check_range(hwpt->ioas, cmd);
	rc = rc ?: check_writable(&bitmap);
	if (rc || !hwpt->domain->dirty_tracking)
		return rc;
	rc = context->hyp->vendor->read_dirty(hwpt->domain, cmd->iova, cmd->length, cmd->flags,
					      &bitmap.dirty);
	return rc ?: bitmap.error;
}
