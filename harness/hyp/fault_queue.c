// SPDX-License-Identifier: GPL-2.0-only
/* Fault queues: page requests in groups, read by user space and answered by what it writes. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/fault.h"
#include "file.h"
#include "object.h"

#define GROUP_MAX 16
#define FAULT_SIZE sizeof(struct iommu_hwpt_pgfault)
#define ANSWER_SIZE sizeof(struct iommu_hwpt_page_response)

/**
 * struct group - a group of page requests that user space has to answer
 * @cookie: what the answer names it by; 0: not read yet
 * @domain, @via: what it came through: the page table, and the PASID that is attached to it
 */
struct group {
	uint32_t cookie;
	struct hyp_device *device;
	struct hyp_domain *domain;
	uint32_t via;
	uint32_t pasid;
	uint32_t id;
	unsigned int count;
	struct iommu_hwpt_pgfault faults[GROUP_MAX];
	struct group *next;
};

/**
 * struct hyp_fault_queue - the object behind a fault queue
 * @groups: oldest first, read ones and unread
 * @open: a group whose last fault has not come yet, or NULL
 */
struct hyp_fault_queue {
	struct hyp_object object;
	struct hyp_file file;
	struct group *groups;
	struct group *open;
};

static bool is_busy(struct hyp_object *object)
{
	return hyp_file_is_open(&hyp_container(object, struct hyp_fault_queue, object)->file);
}

static void fault_queue_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct hyp_fault_queue *queue = hyp_container(object, struct hyp_fault_queue, object);

	while (queue->groups) {
		struct group *group = queue->groups;

		queue->groups = group->next;
		free(group);
	}
	free(queue->open);
	hyp_file_fini(&queue->file);
	free(queue);
}

static struct group **first_unread(struct hyp_fault_queue *queue)
{
	struct group **link = &queue->groups;

	while (*link && (*link)->cookie)
		link = &(*link)->next;
	return link;
}

static void quiet_if_all_read(struct hyp_fault_queue *queue)
{
	if (!*first_unread(queue))
		hyp_file_quiet(&queue->file);
}

static bool cookie_taken(const struct hyp_fault_queue *queue, uint32_t cookie)
{
	const struct group *group = queue->groups;

	while (group && group->cookie != cookie)
		group = group->next;
	return group;
}

static uint32_t free_cookie(const struct hyp_fault_queue *queue)
{
	uint32_t cookie = 1;

	if (FAULT("hyp.fault-cookies-alike", "two unanswered faults have one cookie"))
		return cookie;
	while (cookie_taken(queue, cookie))
		cookie++;
	return cookie;
}

/* One group to @at: whole, or not at all and still unread */
static int read_group(struct hyp_fault_queue *queue, struct group *group, uint64_t at)
{
	const uint32_t cookie = free_cookie(queue);

	for (unsigned int i = 0; i < group->count; i++)
		group->faults[i].cookie = cookie;
	if (hyp_copy_to_user(at, group->faults, group->count * FAULT_SIZE))
		return -EFAULT;
	group->cookie = cookie;
	return 0;
}

static ssize_t fault_read(struct hyp_file *file, uint64_t buf, size_t count)
{
	struct hyp_fault_queue *queue = hyp_container(file, struct hyp_fault_queue, file);
	struct group *group;
	size_t done = 0;
	int rc = 0;

	if (count % FAULT_SIZE)
		return -ESPIPE;
	while (!rc && (group = *first_unread(queue))) {
		if (group->count * FAULT_SIZE > count - done) {
			rc = -EINVAL;
			break;
		}
		rc = read_group(queue, group, buf + done);
		if (!rc)
			done += group->count * FAULT_SIZE;
	}
	quiet_if_all_read(queue);
	return done ?: rc;
}

static int answer(struct hyp *hyp, struct hyp_fault_queue *queue, uint32_t cookie, uint32_t code)
{
	struct group **link = &queue->groups, *group;

	if (code != IOMMUFD_PAGE_RESP_SUCCESS && code != IOMMUFD_PAGE_RESP_INVALID)
		return -EINVAL;
	while (*link && (*link)->cookie != cookie)
		link = &(*link)->next;
	group = *link;
	if (!group || !cookie)
		return -EINVAL;
	hyp->vendor->page_response(group->device, group->pasid, group->id, code);
	if (FAULT("hyp.fault-answered-twice", "an answered fault can be answered again"))
		return 0;
	*link = group->next;
	free(group);
	return 0;
}

static ssize_t fault_write(struct hyp_file *file, uint64_t buf, size_t count)
{
	struct hyp_fault_queue *queue = hyp_container(file, struct hyp_fault_queue, file);
	struct iommu_hwpt_page_response response;
	size_t done = 0;
	int rc = 0;

	if (count % ANSWER_SIZE)
		return -ESPIPE;
	while (done < count && !rc) {
		rc = hyp_copy_from_user(&response, buf + done, sizeof(response));
		rc = rc ?: answer(file->hyp, queue, response.cookie, response.code);
		if (!rc)
			done += ANSWER_SIZE;
	}
	return done ?: rc;
}

static const struct hyp_file_ops fault_ops = { .read = fault_read, .write = fault_write };

int hyp_fault_queue_alloc(struct hyp_context *context, void *arg)
{
	struct iommu_fault_alloc *cmd = arg;
	struct hyp_fault_queue *queue;
	int rc, users = -1;

	if (cmd->flags)
		return -EOPNOTSUPP;
	queue = hyp_object_new(context, sizeof(*queue), HYP_FAULT);
	if (!queue)
		return -ENOMEM;
	rc = hyp_file_init(&queue->file, context->hyp, &fault_ops, &users);
	if (rc) {
		hyp_object_drop(context, queue);
		return rc;
	}
	queue->object.busy = is_busy;
	queue->object.is_held = true;
	queue->object.destroy = fault_queue_destroy;
	cmd->out_fault_id = queue->object.id;
	cmd->out_fault_fd = users;
	return 0;
}

void hyp_faults_domain(struct hyp_domain *domain, struct hyp_object *fault)
{
	domain->faults = hyp_container(fault, struct hyp_fault_queue, object);
}

/*
 * Whose queue a page request goes to. Where PASIDs are the guest's own, the nested page table of
 * the RID has them all.
 */
static struct hyp_attachment *route(struct hyp_device *device, uint32_t pasid)
{
	struct hyp_attachment *attachment = hyp_attachment(device, pasid);

	if (attachment)
		return attachment;
	attachment = hyp_attachment(device, HYP_NO_PASID);
	if (attachment && !attachment->domain->parent &&
	    !FAULT("hyp.pasid-fault-to-rid", "a PASID that is not attached faults as the RID's"))
		return NULL;
	return attachment;
}

static void deliver(struct hyp_fault_queue *queue)
{
	struct group **link = &queue->groups;

	while (*link && !FAULT("hyp.faults-last-in-first-out", "faults are read youngest first"))
		link = &(*link)->next;
	queue->open->next = *link;
	*link = queue->open;
	queue->open = NULL;
	hyp_file_ring(&queue->file);
}

int hyp_report_fault(struct hyp_device *device, uint32_t pasid, uint64_t addr, uint32_t perm,
		     uint32_t group, bool last)
{
	struct hyp_attachment *attachment = route(device, pasid);
	struct hyp_fault_queue *queue = attachment ? attachment->domain->faults : NULL;

	if (!queue)
		return -EINVAL;
	if (!queue->open)
		queue->open = calloc(1, sizeof(*queue->open));
	if (!queue->open)
		return -ENOMEM;
	if (queue->open->count == GROUP_MAX)
		return -EINVAL;
	queue->open->device = device;
	queue->open->domain = attachment->domain;
	queue->open->via = attachment->pasid;
	queue->open->pasid = pasid;
	queue->open->id = group;
	queue->open->faults[queue->open->count++] = (struct iommu_hwpt_pgfault){
		.flags = (pasid != HYP_NO_PASID ? IOMMU_PGFAULT_FLAGS_PASID_VALID : 0) |
			 (last ? IOMMU_PGFAULT_FLAGS_LAST_PAGE : 0),
		.dev_id = device->id,
		.pasid = pasid != HYP_NO_PASID ? pasid : 0,
		.grpid = group,
		.perm = perm,
		.addr = addr,
	};
	if (last)
		deliver(queue);
	return 0;
}

/* Groups of an attachment that ends: the device must not wait for an answer for ever. */
void hyp_faults_flush(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain)
{
	struct group **link;

	if (!domain->faults ||
	    FAULT("hyp.detach-forgets-faults", "page requests are not answered at detach"))
		return;
	for (link = &domain->faults->groups; *link;) {
		struct group *group = *link;

		if ((group->device != device &&
		     !FAULT("hyp.detach-ends-faults-of-all", "a detach ends those of others")) ||
		    group->domain != domain || group->via != pasid) {
			link = &group->next;
			continue;
		}
		*link = group->next;
		device->hyp->vendor->page_response(group->device, group->pasid, group->id,
						   IOMMUFD_PAGE_RESP_INVALID);
		free(group);
	}
	quiet_if_all_read(domain->faults);
}
