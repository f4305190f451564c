// SPDX-License-Identifier: GPL-2.0-only
/* IOAS: what is mapped where, kept for every paging domain that hangs on it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/fault.h"
#include "object.h"

#define PROT_FLAGS (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)
#define MAP_FLAGS (IOMMU_IOAS_MAP_FIXED_IOVA | PROT_FLAGS)
#define PAGE 4096ULL

/**
 * struct hyp_backing - what one call of user space mapped; areas that are copies of it share it
 * @file: it is our own mapping of a file, of @len bytes at @at
 * @writable: user space may let devices write to it
 */
struct hyp_backing {
	unsigned int users;
	bool file;
	bool writable;
	void *at;
	uint64_t len;
};

static void backing_put(struct hyp_backing *backing)
{
	if (--backing->users)
		return;
	if (backing->file)
		munmap(backing->at, backing->len);
	free(backing);
}

static void area_free(struct hyp_area *area)
{
	backing_put(area->backing);
	free(area);
}

static void ioas_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct hyp_ioas *ioas = hyp_container(object, struct hyp_ioas, object);

	while (ioas->areas) {
		struct hyp_area *area = ioas->areas;

		ioas->areas = area->next;
		area_free(area);
	}
	hyp_iova_fini(ioas);
	if (context->vfio_ioas == object->id)
		context->vfio_ioas = 0;
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
	ioas->alignment = 1;
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

struct hyp_area *hyp_ioas_area(struct hyp_ioas *ioas, uint64_t iova)
{
	struct hyp_area *area = *find(ioas, iova);

	return area && area->iova <= iova ? area : NULL;
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

static int check_flags(uint32_t flags)
{
	if (flags & ~MAP_FLAGS)
		return -EOPNOTSUPP;
	return flags & PROT_FLAGS ? 0 : -EINVAL;
}

/* Put [@pa, +@len) of @backing at *@iova, or where it fits unless @flags has FIXED_IOVA */
static int area_add(struct hyp_ioas *ioas, struct hyp_backing *backing, uint64_t pa, uint64_t len,
		    uint32_t flags, __u64 *iova)
{
	struct hyp_area *area, **link;
	int rc;

	if (flags & IOMMU_IOAS_MAP_FIXED_IOVA)
		rc = hyp_iova_check(ioas, *iova, len);
	else
		rc = hyp_iova_choose(ioas, pa, len, iova);
	if (rc)
		return rc;
	if (pa & (ioas->alignment - 1) & (PAGE - 1))
		return -EINVAL;
	if (flags & IOMMU_IOAS_MAP_WRITEABLE && !backing->writable)
		return -EPERM;
	area = malloc(sizeof(*area));
	if (!area)
		return -ENOMEM;
	*area = (struct hyp_area){ .iova = *iova, .len = len, .pa = pa, .prot = flags & PROT_FLAGS,
				   .backing = backing };
	rc = map_everywhere(ioas, area);
	if (rc) {
		free(area);
		return rc;
	}
	backing->users++;
	link = find(ioas, area->iova);
	area->next = *link;
	*link = area;
	return 0;
}

/* Where hardware does not answer the area stays: its memory may still be used. */
static int area_remove(struct hyp_ioas *ioas, struct hyp_area **link)
{
	struct hyp_area *area = *link;
	int rc = unmap_everywhere(ioas, area);

	if (rc)
		return rc;
	*link = area->next;
	area_free(area);
	return 0;
}

static struct hyp_backing *backing_new(bool writable)
{
	struct hyp_backing *backing = calloc(1, sizeof(*backing));

	if (backing)
		*backing = (struct hyp_backing){ .users = 1, .writable = writable };
	return backing;
}

int hyp_ioas_map(struct hyp_context *context, void *arg)
{
	struct iommu_ioas_map *cmd = arg;
	struct hyp_backing *backing;
	struct hyp_ioas *ioas;
	uint64_t pa;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->flags & ~MAP_FLAGS)
		return -EOPNOTSUPP;
	if (cmd->iova == UINT64_MAX || cmd->length == UINT64_MAX)
		return -EOVERFLOW;
	rc = check_flags(cmd->flags);
	if (rc)
		return rc;
	ioas = hyp_object_get(context, cmd->ioas_id, HYP_IOAS);
	if (!ioas)
		return -ENOENT;
	if (!cmd->length)
		return -EINVAL;
	rc = hyp_user_pa(context->hyp, cmd->user_va, cmd->length, &pa);
	if (rc)
		return rc;
	backing = backing_new(cmd->flags & IOMMU_IOAS_MAP_WRITEABLE);
	if (!backing)
		return -ENOMEM;
	rc = area_add(ioas, backing, pa, cmd->length, cmd->flags, &cmd->iova);
	backing_put(backing);
	return rc;
}

/* The file's pages as a mapping of our own */
static int backing_of_file(int fd, uint64_t start, uint64_t len, bool writable,
			   struct hyp_backing **out)
{
	uint64_t skip = start & (PAGE - 1);
	struct hyp_backing *backing;
	struct stat stat;

	if (fstat(fd, &stat))
		return -EBADF;
	if (!len || start + len < start || stat.st_size < start + len)
		return -EINVAL;
	backing = backing_new(writable);
	if (!backing)
		return -ENOMEM;
	backing->len = len + skip;
	backing->at = mmap(NULL, backing->len, writable ? PROT_READ | PROT_WRITE : PROT_READ,
			   MAP_SHARED, fd, start - skip);
	if (backing->at == MAP_FAILED) {
		free(backing);
		return -EINVAL;
	}
	backing->file = true;
	*out = backing;
	return 0;
}

/* Where physical addresses are user addresses only: elsewhere a VMM's memory is no file. */
int hyp_ioas_map_file(struct hyp_context *context, void *arg)
{
	struct iommu_ioas_map_file *cmd = arg;
	struct hyp_backing *backing;
	struct hyp_ioas *ioas;
	uint64_t pa;
	int rc;

	if (cmd->flags & ~MAP_FLAGS)
		return -EOPNOTSUPP;
	if (cmd->iova == UINT64_MAX || cmd->length == UINT64_MAX)
		return -EOVERFLOW;
	rc = check_flags(cmd->flags);
	if (rc)
		return rc;
	ioas = hyp_object_get(context, cmd->ioas_id, HYP_IOAS);
	if (!ioas)
		return -ENOENT;
	rc = backing_of_file(cmd->fd, cmd->start, cmd->length,
			     cmd->flags & IOMMU_IOAS_MAP_WRITEABLE, &backing);
	if (rc)
		return rc;
	rc = hyp_user_pa(context->hyp, (uintptr_t)backing->at, backing->len, &pa);
	rc = rc ?: area_add(ioas, backing, pa + (cmd->start & (PAGE - 1)), cmd->length, cmd->flags,
			    &cmd->iova);
	backing_put(backing);
	return rc;
}

/* Areas that cover [@iova, +@len) without a hole, the first one; NULL: they do not */
static struct hyp_area *covering(struct hyp_ioas *ioas, uint64_t iova, uint64_t len)
{
	struct hyp_area *first = *find(ioas, iova), *area = first;
	uint64_t last = iova + len - 1;

	while (area && area->iova <= iova) {
		if (area->iova + area->len - 1 >= last)
			return first;
		iova = area->iova + area->len;
		area = area->next;
	}
	return NULL;
}

/* One area in the destination for each part of an area in the source; all or none. */
static int copy_areas(struct hyp_ioas *dst, struct hyp_area *area, uint64_t src, uint64_t len,
		      uint32_t flags, uint64_t iova)
{
	uint64_t done = 0;
	int rc = 0;

	while (done < len && !rc) {
		uint64_t skip = src + done - area->iova;
		uint64_t part = area->len - skip < len - done ? area->len - skip : len - done;
		struct hyp_area *next = area->next;
		__u64 at = iova + done;

		rc = area_add(dst, area->backing, area->pa + skip, part,
			      flags | IOMMU_IOAS_MAP_FIXED_IOVA, &at);
		if (!rc)
			done += part;
		area = next;
	}
	while (rc && done) {
		struct hyp_area **link = find(dst, iova);

		done -= (*link)->len;
		iova += (*link)->len;
		if (area_remove(dst, link))
			break;
	}
	return rc;
}

int hyp_ioas_copy(struct hyp_context *context, void *arg)
{
	struct iommu_ioas_copy *cmd = arg;
	struct hyp_ioas *src, *dst;
	struct hyp_area *area;
	int rc;

	if (cmd->flags & ~MAP_FLAGS)
		return -EOPNOTSUPP;
	if (cmd->length == UINT64_MAX || cmd->dst_iova == UINT64_MAX)
		return -EOVERFLOW;
	rc = check_flags(cmd->flags);
	if (rc)
		return rc;
	src = hyp_object_get(context, cmd->src_ioas_id, HYP_IOAS);
	dst = hyp_object_get(context, cmd->dst_ioas_id, HYP_IOAS);
	if (!src || !dst)
		return -ENOENT;
	if (!cmd->length)
		return -EINVAL;
	if (cmd->src_iova + cmd->length - 1 < cmd->src_iova)
		return -EOVERFLOW;
	area = covering(src, cmd->src_iova, cmd->length);
	if (!area)
		return -ENOENT;
	if (cmd->flags & IOMMU_IOAS_MAP_FIXED_IOVA)
		rc = hyp_iova_check(dst, cmd->dst_iova, cmd->length);
	else
		rc = hyp_iova_choose(dst, area->pa + cmd->src_iova - area->iova, cmd->length,
				     &cmd->dst_iova);
	return rc ?: copy_areas(dst, area, cmd->src_iova, cmd->length, cmd->flags, cmd->dst_iova);
}

/*
 * Whole areas only, as the uAPI has it; what is locked for a hardware queue stays. @length comes
 * back as the bytes unmapped, of a refused call too.
 */
int hyp_ioas_unmap(struct hyp_context *context, void *arg)
{
	struct iommu_ioas_unmap *cmd = arg;
	struct hyp_ioas *ioas = hyp_object_get(context, cmd->ioas_id, HYP_IOAS);
	bool all = !cmd->iova && cmd->length == UINT64_MAX;
	uint64_t last = all ? UINT64_MAX : cmd->iova + cmd->length - 1, len = cmd->length;
	struct hyp_area **link, *area;
	int rc;

	if (!ioas)
		return -ENOENT;
	if (!all && (cmd->iova == UINT64_MAX || len == UINT64_MAX))
		return -EOVERFLOW;
	if (!len)
		return -EINVAL;
	if (last < cmd->iova)
		return -EOVERFLOW;
	cmd->length = 0;
	for (link = find(ioas, cmd->iova); (area = *link) && area->iova <= last;) {
		if (area->iova < cmd->iova || area->iova + area->len - 1 > last)
			return -ENOENT;
		if (area->locks && !FAULT("hyp.unmap-under-a-hardware-queue",
					  "memory that a queue of hardware lies in is unmapped"))
			return -EBUSY;
		len = area->len;
		rc = area_remove(ioas, link);
		if (rc)
			return rc;
		cmd->length += len;
	}
	return cmd->length || all ? 0 : -ENOENT;
}

/* Memory of files can go to another process with its file, nothing else can. */
int hyp_ioas_change_process(struct hyp_context *context, void *arg)
{
	const struct iommu_ioas_change_process *cmd = arg;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	for (uint32_t id = 1; id < context->room; id++) {
		struct hyp_ioas *ioas = hyp_object_get(context, id, HYP_IOAS);

		for (struct hyp_area *area = ioas ? ioas->areas : NULL; area; area = area->next)
			if (!area->backing->file)
				return -EINVAL;
	}
	return 0;
}

int hyp_vfio_ioas(struct hyp_context *context, void *arg)
{
	struct iommu_vfio_ioas *cmd = arg;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	switch (cmd->op) {
	case IOMMU_VFIO_IOAS_GET:
		cmd->ioas_id = context->vfio_ioas;
		return context->vfio_ioas ? 0 : -ENODEV;
	case IOMMU_VFIO_IOAS_SET:
		if (!hyp_object_get(context, cmd->ioas_id, HYP_IOAS))
			return -ENOENT;
		context->vfio_ioas = cmd->ioas_id;
		return 0;
	case IOMMU_VFIO_IOAS_CLEAR:
		context->vfio_ioas = 0;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

int hyp_ioas_fill(struct hyp_ioas *ioas, struct hyp_hwpt *hwpt)
{
	const struct hyp_vendor_ops *vendor = hwpt->domain->hyp->vendor;
	const struct hyp_geometry geometry = hyp_geometry(hwpt->domain);
	int rc = 0;

	if (geometry.first)
		rc = hyp_iova_reserve(ioas, 0, geometry.first - 1, hwpt);
	if (!rc && geometry.last != UINT64_MAX)
		rc = hyp_iova_reserve(ioas, geometry.last + 1, UINT64_MAX, hwpt);
	hwpt->next = ioas->hwpts;
	ioas->hwpts = hwpt;
	rc = rc ?: hyp_iova_align(ioas);
	for (struct hyp_area *area = ioas->areas; area && !rc; area = area->next)
		rc = vendor->map(hwpt->domain, area->iova, area->pa, area->len, area->prot);
	if (rc) {
		ioas->hwpts = hwpt->next;
		hyp_iova_release(ioas, hwpt);
		hyp_iova_align(ioas);
		return rc;
	}
	hwpt->ioas = ioas;
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
	if (!FAULT("hyp.reserved-iovas-stay", "the IOVAs of a page table that went stay narrow"))
		hyp_iova_release(ioas, hwpt);
	hyp_iova_align(ioas);
}

static void lock_areas(struct hyp_ioas *ioas, uint64_t iova, uint64_t len, int by)
{
	struct hyp_area *area;

	for (area = *find(ioas, iova); area && area->iova <= iova + len - 1; area = area->next)
		area->locks += by;
}

/* Every page of [@iova, +@len) is mapped and readable, and lies behind the one before. */
static int check_contiguous(struct hyp_hwpt *hwpt, uint64_t iova, uint64_t len)
{
	const struct hyp_vendor_ops *vendor = hwpt->domain->hyp->vendor;
	uint64_t at = iova & -PAGE, last = iova + len - 1, before = 0;

	do {
		const struct hyp_area *area = *find(hwpt->ioas, at);
		uint64_t frame;

		if (!area || area->iova > at)
			return -ENOENT;
		if (!(area->prot & IOMMU_IOAS_MAP_READABLE))
			return -EPERM;
		frame = vendor->frame ? vendor->frame(hwpt->domain, at) :
					(area->pa + (at - area->iova)) / PAGE;
		if (at > iova && frame != before + 1 &&
		    !FAULT("hyp.queue-memory-scattered", "a queue's pages need not be consecutive"))
			return -EFAULT;
		before = frame;
		at += PAGE;
	} while (at - 1 < last);
	return 0;
}

int hyp_ioas_lock(struct hyp_hwpt *hwpt, uint64_t iova, uint64_t len, uint64_t *pa)
{
	struct hyp_area *area = *find(hwpt->ioas, iova);
	int rc;

	hwpt->ioas->pinning++;
	rc = hyp_iova_align(hwpt->ioas) ?: check_contiguous(hwpt, iova, len);
	if (rc) {
		hwpt->ioas->pinning--;
		hyp_iova_align(hwpt->ioas);
		return rc;
	}
	*pa = area->pa + (iova - area->iova);
	lock_areas(hwpt->ioas, iova, len, 1);
	return 0;
}

void hyp_ioas_unlock(struct hyp_ioas *ioas, uint64_t iova, uint64_t len)
{
	lock_areas(ioas, iova, len, -1);
	ioas->pinning--;
	hyp_iova_align(ioas);
}
