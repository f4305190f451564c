// SPDX-License-Identifier: GPL-2.0-only
/* IOAS: what is mapped where, kept for every paging domain that hangs on it. */
#include <errno.h>
#include <stdlib.h>

#include "core/fault.h"
#include "object.h"

#define MAP_FLAGS (IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)
#define PAGE_MASK 4095ULL

static void ioas_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct hyp_ioas *ioas = hyp_container(object, struct hyp_ioas, object);

	while (ioas->areas) {
		struct hyp_area *area = ioas->areas;

		ioas->areas = area->next;
		free(area);
	}
	free(ioas);
}

int hyp_ioas_alloc(struct hyp_context *context, void *arg)
{
	struct iommu_ioas_alloc *cmd = arg;
	struct hyp_ioas *ioas;

	if (cmd->flags)
		return -EOPNOTSUPP;
	ioas = hyp_object_new(context, sizeof(*ioas), HYP_IOAS);
	if (!ioas)
		return -ENOMEM;
	ioas->object.destroy = ioas_destroy;
	cmd->out_ioas_id = ioas->object.id;
	return 0;
}

/* Where an area at @iova belongs in the list; *@link is the first area that ends after it */
static struct hyp_area **find(struct hyp_ioas *ioas, uint64_t iova)
{
	struct hyp_area **link = &ioas->areas;

	while (*link && (*link)->iova + (*link)->len - 1 < iova)
		link = &(*link)->next;
	return link;
}

static int map_everywhere(struct hyp_ioas *ioas, const struct hyp_area *area)
{
	struct hyp_hwpt *hwpt, *done;
	int rc = 0;

	for (hwpt = ioas->hwpts; hwpt && !rc; hwpt = hwpt->next)
		rc = hwpt->domain->hyp->vendor->map(hwpt->domain, area->iova, area->pa, area->len,
						    area->prot);
	if (!rc)
		return 0;
	for (done = ioas->hwpts; done != hwpt; done = done->next)
		done->domain->hyp->vendor->unmap(done->domain, area->iova, area->len);
	return rc;
}

static int unmap_everywhere(struct hyp_ioas *ioas, const struct hyp_area *area)
{
	int rc = 0;

	for (struct hyp_hwpt *hwpt = ioas->hwpts; hwpt; hwpt = hwpt->next)
		rc = hwpt->domain->hyp->vendor->unmap(hwpt->domain, area->iova, area->len) ?: rc;
	return rc;
}

int hyp_ioas_map(struct hyp_context *context, void *arg)
{
	struct iommu_ioas_map *cmd = arg;
	struct hyp_area area = { .iova = cmd->iova, .len = cmd->length }, **link, *copy;
	struct hyp_ioas *ioas;
	int rc;

	/* Choosing IOVAs is no part of what the reference is for. */
	if (cmd->flags & ~MAP_FLAGS || cmd->__reserved || !(cmd->flags & IOMMU_IOAS_MAP_FIXED_IOVA))
		return -EOPNOTSUPP;
	ioas = hyp_object_get(context, cmd->ioas_id, HYP_IOAS);
	if (!ioas)
		return -ENOENT;
	if (!cmd->length || (cmd->iova | cmd->length | cmd->user_va) & PAGE_MASK)
		return -EINVAL;
	if (cmd->iova + cmd->length - 1 < cmd->iova)
		return -EOVERFLOW;
	rc = hyp_user_pa(context->hyp, cmd->user_va, cmd->length, &area.pa);
	if (rc)
		return rc;
	area.prot = cmd->flags & (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE);
	link = find(ioas, area.iova);
	if (*link && (*link)->iova <= area.iova + area.len - 1)
		return -EEXIST;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	rc = map_everywhere(ioas, &area);
	if (rc) {
		free(copy);
		return rc;
	}
	*copy = area;
	copy->next = *link;
	*link = copy;
	return 0;
}

/* Whole areas only, as the uAPI has it; what is locked for a hardware queue stays. */
int hyp_ioas_unmap(struct hyp_context *context, void *arg)
{
	struct iommu_ioas_unmap *cmd = arg;
	struct hyp_ioas *ioas = hyp_object_get(context, cmd->ioas_id, HYP_IOAS);
	bool all = !cmd->iova && cmd->length == UINT64_MAX;
	uint64_t last = all ? UINT64_MAX : cmd->iova + cmd->length - 1, unmapped = 0;
	struct hyp_area **link, *area;
	int rc;

	if (!ioas)
		return -ENOENT;
	if (!cmd->length)
		return -EINVAL;
	if (last < cmd->iova)
		return -EOVERFLOW;
	for (link = find(ioas, cmd->iova); (area = *link) && area->iova <= last;) {
		if (area->iova < cmd->iova || area->iova + area->len - 1 > last)
			return -EINVAL;
		if (area->locks && !FAULT("hyp.unmap-under-a-hardware-queue",
					  "memory that a queue of hardware lies in is unmapped"))
			return -EBUSY;
		rc = unmap_everywhere(ioas, area);
		if (rc)
			return rc;
		unmapped += area->len;
		*link = area->next;
		free(area);
	}
	cmd->length = unmapped;
	return unmapped || all ? 0 : -ENOENT;
}

int hyp_ioas_fill(struct hyp_ioas *ioas, struct hyp_hwpt *hwpt)
{
	const struct hyp_vendor_ops *vendor = hwpt->domain->hyp->vendor;

	for (struct hyp_area *area = ioas->areas; area; area = area->next) {
		int rc = vendor->map(hwpt->domain, area->iova, area->pa, area->len, area->prot);

		if (rc)
			return rc;
	}
	hwpt->ioas = ioas;
	hwpt->next = ioas->hwpts;
	ioas->hwpts = hwpt;
	ioas->object.users++;
	return 0;
}

void hyp_ioas_remove(struct hyp_ioas *ioas, struct hyp_hwpt *hwpt)
{
	struct hyp_hwpt **link = &ioas->hwpts;

	while (*link && *link != hwpt)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = hwpt->next;
	ioas->object.users--;
}

static void lock_areas(struct hyp_ioas *ioas, uint64_t iova, uint64_t len, int by)
{
	struct hyp_area *area;

	for (area = *find(ioas, iova); area && area->iova <= iova + len - 1; area = area->next)
		area->locks += by;
}

int hyp_ioas_lock(struct hyp_ioas *ioas, uint64_t iova, uint64_t len, uint64_t *pa)
{
	struct hyp_area *area = *find(ioas, iova);
	uint64_t at = iova, last = iova + len - 1;

	for (; at - 1 != last; area = area->next) {
		if (!area || area->iova > at)
			return -ENOENT;
		if (!(area->prot & IOMMU_IOAS_MAP_READABLE))
			return -EPERM;
		if (at == iova)
			*pa = area->pa + (at - area->iova);
		else if (area->pa != *pa + (at - iova))
			return -EFAULT;
		at = area->iova + area->len - 1 < last ? area->iova + area->len : last + 1;
	}
	lock_areas(ioas, iova, len, 1);
	return 0;
}

void hyp_ioas_unlock(struct hyp_ioas *ioas, uint64_t iova, uint64_t len)
{
	lock_areas(ioas, iova, len, -1);
}
