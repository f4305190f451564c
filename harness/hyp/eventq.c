// SPDX-License-Identifier: GPL-2.0-only
/* Virtual event queues: what happens to a vIOMMU's devices, for user space to read. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "file.h"
#include "object.h"

#define EVENT_MAX 64
#define DEPTH_MAX (1u << 19)	/* as the kernel has it */

/** struct event - @len: bytes of data behind the header; 0 for the header that says "lost" */
struct event {
	struct event *next;
	size_t len;
	struct {
		struct iommufd_vevent_header header;
		uint8_t data[EVENT_MAX];
	} record;
};

/**
 * struct veventq - the object behind a virtual event queue
 * @events: oldest first; @used: those with data, @depth at most
 * @sequence: of the next event
 */
struct veventq {
	struct hyp_object object;
	struct hyp_viommu *viommu;
	struct hyp_file file;
	uint32_t type;
	uint32_t depth;
	uint32_t used;
	uint32_t sequence;
	struct event *events;
};

static bool is_busy(struct hyp_object *object)
{
	return hyp_file_is_open(&hyp_container(object, struct veventq, object)->file);
}

static void drop_first(struct veventq *queue)
{
	struct event *event = queue->events;

	queue->events = event->next;
	if (event->len)
		queue->used--;
	free(event);
}

static void veventq_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct veventq *queue = hyp_container(object, struct veventq, object);

	while (queue->events)
		drop_first(queue);
	hyp_container(queue->viommu, struct hyp_viommu_object, viommu)->object.users--;
	hyp_file_fini(&queue->file);
	free(queue);
}

static struct veventq *find_veventq(struct hyp_viommu *viommu, uint32_t type)
{
	for (uint32_t id = 1; id < viommu->context->room; id++) {
		struct veventq *queue = hyp_object_get(viommu->context, id, HYP_VEVENTQ);

		if (queue && (queue->viommu == viommu ||
			      FAULT("hyp.events-of-all-viommus", "events reach another vIOMMU")) &&
		    queue->type == type)
			return queue;
	}
	return NULL;
}

/* Whole records only; one that cannot be delivered stays the first. */
static ssize_t veventq_read(struct hyp_file *file, uint64_t buf, size_t count)
{
	struct veventq *queue = hyp_container(file, struct veventq, file);
	size_t done = 0, size;
	int rc = 0;

	if (count < sizeof(struct iommufd_vevent_header))
		return -EINVAL;
	while (!rc && queue->events) {
		size = sizeof(queue->events->record.header) + queue->events->len;
		if (size > count - done) {
			rc = -EINVAL;
			break;
		}
		rc = hyp_copy_to_user(buf + done, &queue->events->record, size);
		if (rc && FAULT("hyp.failed-read-loses-event", "an event not delivered is gone"))
			drop_first(queue);
		if (!rc) {
			done += size;
			drop_first(queue);
		}
	}
	if (!queue->events)
		hyp_file_quiet(file);
	return done ?: rc;
}

static const struct hyp_file_ops veventq_ops = { .read = veventq_read };

/* "Must be defined in enum iommu_veventq_type", or by a vendor that is not in it */
static bool type_defined(const struct hyp_vendor_ops *vendor, uint32_t type)
{
	return type && (type <= IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV || type == vendor->veventq_type);
}

static int check_alloc(struct hyp_context *context, const struct iommu_veventq_alloc *cmd)
{
	if (cmd->flags || cmd->__reserved || !type_defined(context->hyp->vendor, cmd->type))
		return -EOPNOTSUPP;
	return !cmd->veventq_depth || cmd->veventq_depth > DEPTH_MAX ? -EINVAL : 0;
}

int hyp_veventq_alloc(struct hyp_context *context, void *arg)
{
	struct iommu_veventq_alloc *cmd = arg;
	struct hyp_viommu_object *viommu;
	struct veventq *queue;
	int users = -1, rc = check_alloc(context, cmd);

	if (rc)
		return rc;
	viommu = hyp_object_get(context, cmd->viommu_id, HYP_VIOMMU);
	if (!viommu)
		return -ENOENT;
	if (find_veventq(&viommu->viommu, cmd->type) &&
	    !FAULT("hyp.second-veventq-of-a-type", "a vIOMMU gets two event queues of one type"))
		return -EEXIST;
	queue = hyp_object_new(context, sizeof(*queue), HYP_VEVENTQ);
	if (!queue)
		return -ENOMEM;
	rc = hyp_file_init(&queue->file, context->hyp, &veventq_ops, &users);
	if (rc) {
		hyp_object_drop(context, queue);
		return rc;
	}
	queue->object.busy = is_busy;
	queue->object.is_held = true;
	queue->object.destroy = veventq_destroy;
	queue->viommu = &viommu->viommu;
	queue->type = cmd->type;
	queue->depth = cmd->veventq_depth;
	viommu->object.users++;
	cmd->out_veventq_id = queue->object.id;
	cmd->out_veventq_fd = users;
	return 0;
}

/* "Lost" is said by a header at the end only: an event after it makes it superfluous. */
static void append(struct veventq *queue, struct event *event)
{
	struct event **link = &queue->events;

	while (*link && !(!(*link)->next && !(*link)->len))
		link = &(*link)->next;
	if (*link && FAULT("hyp.lost-header-stays", "it stays before an event"))
		link = &(*link)->next;
	free(*link);
	*link = event;
	if (event->len)
		queue->used++;
	hyp_file_ring(&queue->file);
}

int hyp_report_event(struct hyp_viommu *viommu, uint32_t type, const void *data, size_t len)
{
	struct veventq *queue = find_veventq(viommu, type);
	struct event *event;

	if (!queue)
		return -EOPNOTSUPP;
	if (!len || len > EVENT_MAX)
		return -EINVAL;
	event = calloc(1, sizeof(*event));
	if (!event)
		return -ENOMEM;
	event->record.header.sequence = queue->sequence;
	queue->sequence = (queue->sequence + 1) & INT_MAX;
	if (queue->used == queue->depth) {
		if (FAULT("hyp.lost-events-untold", "events are lost, and nobody is told")) {
			free(event);
			return 0;
		}
		event->record.header.flags = IOMMU_VEVENTQ_FLAG_LOST_EVENTS;
	} else {
		event->len = len;
		memcpy(event->record.data, data, len);
	}
	append(queue, event);
	return 0;
}
