// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which IOVAs of an IOAS may be mapped: those that no device and no page table reserves, in units
 * of the largest page that all of them can do; and which the hypervisor chooses for user space.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/fault.h"
#include "object.h"

#define PAGE 4096ULL

static const struct hyp_span *meets(const struct hyp_span *span, uint64_t first, uint64_t last)
{
	while (span && (span->last < first || span->first > last))
		span = span->next;
	return span;
}

static const struct hyp_area *area_in(const struct hyp_ioas *ioas, uint64_t first, uint64_t last)
{
	const struct hyp_area *area = ioas->areas;

	while (area && (area->iova + area->len - 1 < first || area->iova > last))
		area = area->next;
	return area;
}

bool hyp_ioas_has(const struct hyp_ioas *ioas, uint64_t iova, uint64_t len)
{
	return area_in(ioas, iova, iova + len - 1);
}

static void free_spans(struct hyp_span *span)
{
	while (span) {
		struct hyp_span *next = span->next;

		free(span);
		span = next;
	}
}

static int add_span(struct hyp_span **list, uint64_t first, uint64_t last, const void *owner)
{
	struct hyp_span *span = malloc(sizeof(*span));

	if (!span)
		return -ENOMEM;
	while (*list && (*list)->first < first)
		list = &(*list)->next;
	*span = (struct hyp_span){ first, last, owner, *list };
	*list = span;
	return 0;
}

void hyp_iova_fini(struct hyp_ioas *ioas)
{
	free_spans(ioas->allowed);
	free_spans(ioas->reserved);
}

int hyp_iova_reserve(struct hyp_ioas *ioas, uint64_t first, uint64_t last, const void *owner)
{
	if (area_in(ioas, first, last) &&
	    !FAULT("hyp.reserve-over-mappings", "a device is attached over what it cannot map"))
		return -EADDRINUSE;
	if (meets(ioas->allowed, first, last) &&
	    !FAULT("hyp.reserve-over-allowed", "IOVAs that user space asked to keep are reserved"))
		return -EADDRINUSE;
	return add_span(&ioas->reserved, first, last, owner);
}

void hyp_iova_release(struct hyp_ioas *ioas, const void *owner)
{
	struct hyp_span **link = &ioas->reserved;

	while (*link) {
		struct hyp_span *span = *link;

		if (span->owner != owner) {
			link = &span->next;
			continue;
		}
		*link = span->next;
		free(span);
	}
}

/* IOMMU_OPTION_HUGE_PAGES: without combining, whole pages only. */
static uint64_t wanted_alignment(const struct hyp_ioas *ioas)
{
	uint64_t wanted = ioas->whole_pages ? PAGE : 1;

	for (const struct hyp_hwpt *hwpt = ioas->hwpts; hwpt; hwpt = hwpt->next)
		if (hyp_geometry(hwpt->domain).page > wanted)
			wanted = hyp_geometry(hwpt->domain).page;
	return ioas->pinning && wanted < PAGE ? PAGE : wanted;
}

int hyp_iova_align(struct hyp_ioas *ioas)
{
	uint64_t wanted = wanted_alignment(ioas);

	for (const struct hyp_area *area = ioas->areas; area; area = area->next)
		if ((area->iova | area->len | area->pa) & (wanted - 1))
			return -EADDRINUSE;
	ioas->alignment = wanted;
	return 0;
}

int hyp_iova_check(const struct hyp_ioas *ioas, uint64_t iova, uint64_t len)
{
	if (!len || (iova | len) & (ioas->alignment - 1))
		return -EINVAL;
	if (iova + len - 1 < iova)
		return -EOVERFLOW;
	if (meets(ioas->reserved, iova, iova + len - 1) &&
	    !FAULT("hyp.map-reserved-iova", "IOVAs that no device can use are mapped"))
		return -EINVAL;
	if (area_in(ioas, iova, iova + len - 1))
		return -EEXIST;
	return 0;
}

/* The first IOVA at @from or after where the area fits; false: what is in the way ends at *@next */
static bool fits(const struct hyp_ioas *ioas, uint64_t iova, uint64_t len, uint64_t *next)
{
	const struct hyp_area *area = area_in(ioas, iova, iova + len - 1);
	const struct hyp_span *span = meets(ioas->reserved, iova, iova + len - 1);

	if (area)
		*next = area->iova + area->len;
	else if (span)
		*next = span->last + 1;
	return !area && !span;
}

static uint64_t place(const struct hyp_ioas *ioas, uint64_t first, uint64_t last, uint64_t len,
		      uint64_t step, uint64_t offset)
{
	uint64_t iova = ((first + step - 1) & -step) + offset, next;

	while (iova >= first && iova <= last && last - iova >= len - 1) {
		if (fits(ioas, iova, len, &next))
			return iova;
		if (next < iova)
			break;
		iova = ((next + step - 1) & -step) + offset;
	}
	return 0;
}

int hyp_iova_choose(const struct hyp_ioas *ioas, uint64_t addr, uint64_t len, __u64 *iova)
{
	uint64_t step = ioas->alignment > PAGE ? ioas->alignment : PAGE;
	uint64_t offset = addr & (PAGE - 1);
	const struct hyp_span *span;

	if (!len)
		return -EINVAL;
	if ((len | offset) & (ioas->alignment - 1))
		return -EINVAL;
	*iova = 0;
	if (!ioas->allowed || FAULT("hyp.chosen-iova-ignores-allowed",
				    "an IOVA is chosen that is not in the allowed list"))
		*iova = place(ioas, PAGE, UINT64_MAX - PAGE, len, step, offset);
	else
		for (span = ioas->allowed; span && !*iova; span = span->next)
			*iova = place(ioas, span->first, span->last, len, step, offset);
	return *iova ? 0 : -ENOSPC;
}

/** struct range_reply - the user's array of ranges, being filled */
struct range_reply {
	struct iommu_ioas_iova_ranges *cmd;
	uint32_t room;
};

static int give_range(struct range_reply *reply, uint64_t first, uint64_t last)
{
	const struct iommu_iova_range range = { first, last };
	uint32_t index = reply->cmd->num_iovas++;

	if (index >= reply->room)
		return 0;
	return hyp_copy_to_user(reply->cmd->allowed_iovas + index * sizeof(range), &range,
				sizeof(range));
}

int hyp_ioas_iova_ranges(struct hyp_context *context, void *arg)
{
	struct iommu_ioas_iova_ranges *cmd = arg;
	struct range_reply reply = { cmd, cmd->num_iovas };
	const struct hyp_span *span;
	struct hyp_ioas *ioas;
	uint64_t from = 0;
	int rc = 0;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	ioas = hyp_object_get(context, cmd->ioas_id, HYP_IOAS);
	if (!ioas)
		return -ENOENT;
	cmd->num_iovas = 0;
	cmd->out_iova_alignment = ioas->alignment;
	for (span = ioas->reserved; span && !rc; span = span->next) {
		if (span->first > from)
			rc = give_range(&reply, from, span->first - 1);
		if (span->last == UINT64_MAX)
			break;
		if (span->last >= from)
			from = span->last + 1;
	}
	if (!span && !rc)
		rc = give_range(&reply, from, UINT64_MAX);
	return rc ?: cmd->num_iovas > reply.room ? -EMSGSIZE : 0;
}

/* The user's list, checked against itself and against what is reserved */
static int load_allowed(const struct iommu_ioas_allow_iovas *cmd, struct hyp_span **list)
{
	struct iommu_iova_range range;
	int rc = 0;

	for (uint32_t i = 0; i < cmd->num_iovas && !rc; i++) {
		rc = hyp_copy_from_user(&range, cmd->allowed_iovas + i * sizeof(range),
					sizeof(range));
		if (!rc && (range.start >= range.last || meets(*list, range.start, range.last)))
			rc = -EINVAL;
		rc = rc ?: add_span(list, range.start, range.last, NULL);
	}
	return rc;
}

int hyp_ioas_allow_iovas(struct hyp_context *context, void *arg)
{
	struct iommu_ioas_allow_iovas *cmd = arg;
	struct hyp_span *list = NULL, *span;
	struct hyp_ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	ioas = hyp_object_get(context, cmd->ioas_id, HYP_IOAS);
	if (!ioas)
		return -ENOENT;
	rc = load_allowed(cmd, &list);
	for (span = list; span && !rc; span = span->next)
		if (meets(ioas->reserved, span->first, span->last))
			rc = -EADDRINUSE;
	if (rc) {
		free_spans(list);
		return rc;
	}
	free_spans(ioas->allowed);
	ioas->allowed = list;
	return 0;
}
