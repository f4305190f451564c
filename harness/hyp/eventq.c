// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault queues and virtual event queues: files that user space reads, and writes responses to.
 *
 * Each file is one end of a local socket that keeps packets apart: an event, or a whole group of
 * faults, is one packet. So a read gives one of them, and an empty queue is EAGAIN, not 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/fault.h"
#include "object.h"

#define DEPTH_MAX (1u << 19)
#define GROUP_MAX 16
#define RESPONSE_INVALID 1	/* PRG response code: Invalid Request (PCIe 10.4.2.1) */

/** struct pending - a group of page requests that user space has to answer */
struct pending {
	uint32_t cookie;
	struct hyp_device *device;
	struct hyp_domain *domain;
	uint32_t pasid;
	uint32_t group;
	struct pending *next;
};

/**
 * struct hyp_fault_queue - the object behind a fault queue
 * @file: our end of the socket
 * @group, @group_len: faults of a group whose last one has not come yet
 */
struct hyp_fault_queue {
	struct hyp_object object;
	int file;
	uint32_t next_cookie;
	struct pending *pending;
	struct iommu_hwpt_pgfault group[GROUP_MAX];
	unsigned int group_len;
};

/**
 * struct veventq - @sizes: what each unread packet takes in the socket, oldest first
 * @sequence: of the next event
 */
struct veventq {
	struct hyp_object object;
	struct hyp_viommu *viommu;
	uint32_t type;
	uint32_t depth;
	int file;
	int *sizes;
	uint32_t used;
	uint32_t sequence;
};

static int open_pair(int *ours, int *users)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -errno;
	*ours = pair[0];
	*users = pair[1];
	return 0;
}

static bool still_open(int file)
{
	struct pollfd poll_file = { .fd = file };

	return poll(&poll_file, 1, 0) <= 0 || !(poll_file.revents & POLLHUP);
}

static bool fault_queue_busy(struct hyp_object *object)
{
	return still_open(hyp_container(object, struct hyp_fault_queue, object)->file);
}

static void fault_queue_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct hyp_fault_queue *queue = hyp_container(object, struct hyp_fault_queue, object);

	while (queue->pending) {
		struct pending *pending = queue->pending;

		queue->pending = pending->next;
		free(pending);
	}
	close(queue->file);
	free(queue);
}

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
	rc = open_pair(&queue->file, &users);
	if (rc) {
		hyp_object_drop(context, queue);
		return rc;
	}
	queue->object.busy = fault_queue_busy;
	queue->object.destroy = fault_queue_destroy;
	queue->next_cookie = 1;
	cmd->out_fault_id = queue->object.id;
	cmd->out_fault_fd = users;
	return 0;
}

void hyp_faults_domain(struct hyp_domain *domain, struct hyp_object *fault)
{
	domain->faults = hyp_container(fault, struct hyp_fault_queue, object);
}

static int deliver_group(struct hyp_fault_queue *queue, struct hyp_device *device,
			 struct hyp_domain *domain, uint32_t pasid, uint32_t group)
{
	struct pending *pending = malloc(sizeof(*pending));
	size_t len = queue->group_len * sizeof(queue->group[0]);

	if (!pending)
		return -ENOMEM;
	*pending = (struct pending){ queue->next_cookie++, device, domain, pasid, group,
				     queue->pending };
	for (unsigned int i = 0; i < queue->group_len; i++)
		queue->group[i].cookie = pending->cookie;
	queue->group_len = 0;
	if (send(queue->file, queue->group, len, MSG_NOSIGNAL) != (ssize_t)len) {
		free(pending);
		return -EINVAL;
	}
	queue->pending = pending;
	return 0;
}

int hyp_report_fault(struct hyp_device *device, uint32_t pasid, uint64_t addr, uint32_t perm,
		     uint32_t group, bool last)
{
	struct hyp_attachment *attachment = hyp_attachment(device, pasid);
	struct hyp_fault_queue *queue;
	struct iommu_hwpt_pgfault *fault;

	/* Where PASIDs are the guest's own (Arm, AMD), what the RID is attached to has them all. */
	if (!attachment)
		attachment = hyp_attachment(device, HYP_NO_PASID);
	queue = attachment ? attachment->domain->faults : NULL;
	if (!queue || queue->group_len == GROUP_MAX)
		return -EINVAL;
	fault = &queue->group[queue->group_len++];
	*fault = (struct iommu_hwpt_pgfault){
		.flags = (pasid != HYP_NO_PASID ? IOMMU_PGFAULT_FLAGS_PASID_VALID : 0) |
			 (last ? IOMMU_PGFAULT_FLAGS_LAST_PAGE : 0),
		.dev_id = device->id,
		.pasid = pasid != HYP_NO_PASID ? pasid : 0,
		.grpid = group,
		.perm = perm,
		.addr = addr,
	};
	return last ? deliver_group(queue, device, attachment->domain, pasid, group) : 0;
}

static struct pending *take_pending(struct hyp_fault_queue *queue, uint32_t cookie)
{
	struct pending **link = &queue->pending, *pending;

	while (*link && (*link)->cookie != cookie)
		link = &(*link)->next;
	pending = *link;
	if (pending)
		*link = pending->next;
	return pending;
}

/* Groups of an attachment that ends: the device must not wait for an answer for ever. */
void hyp_faults_flush(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain)
{
	struct pending **link;

	if (!domain->faults ||
	    FAULT("hyp.detach-forgets-faults", "page requests are not answered at detach"))
		return;
	for (link = &domain->faults->pending; *link;) {
		struct pending *pending = *link;

		if (pending->device != device || pending->domain != domain ||
		    (pasid != HYP_NO_PASID && pending->pasid != pasid)) {
			link = &pending->next;
			continue;
		}
		*link = pending->next;
		device->hyp->vendor->page_response(device, pending->pasid, pending->group,
						   RESPONSE_INVALID);
		free(pending);
	}
}

static void take_responses(struct hyp *hyp, struct hyp_fault_queue *queue)
{
	struct iommu_hwpt_page_response responses[64];
	ssize_t len;

	while ((len = recv(queue->file, responses, sizeof(responses), MSG_DONTWAIT)) > 0) {
		for (size_t i = 0; i < len / sizeof(responses[0]); i++) {
			struct pending *pending = take_pending(queue, responses[i].cookie);

			if (!pending)
				continue;
			hyp->vendor->page_response(pending->device, pending->pasid, pending->group,
						   responses[i].code);
			free(pending);
		}
	}
}

void hyp_faults_service(struct hyp *hyp)
{
	for (struct hyp_context *context = hyp->contexts; context; context = context->next) {
		for (uint32_t id = 1; id < context->room; id++) {
			struct hyp_fault_queue *queue = hyp_object_get(context, id, HYP_FAULT);

			if (queue)
				take_responses(hyp, queue);
		}
	}
}

static bool veventq_busy(struct hyp_object *object)
{
	return still_open(hyp_container(object, struct veventq, object)->file);
}

static void veventq_destroy(struct hyp_context *context, struct hyp_object *object)
{
	struct veventq *queue = hyp_container(object, struct veventq, object);

	hyp_container(queue->viommu, struct hyp_viommu_object, viommu)->object.users--;
	close(queue->file);
	free(queue->sizes);
	free(queue);
}

static struct veventq *find_veventq(struct hyp_viommu *viommu, uint32_t type)
{
	for (uint32_t id = 1; id < viommu->context->room; id++) {
		struct veventq *queue = hyp_object_get(viommu->context, id, HYP_VEVENTQ);

		if (queue && queue->viommu == viommu && queue->type == type)
			return queue;
	}
	return NULL;
}

int hyp_veventq_alloc(struct hyp_context *context, void *arg)
{
	struct iommu_veventq_alloc *cmd = arg;
	struct hyp_viommu_object *viommu;
	struct veventq *queue;
	int rc, users = -1;

	if (cmd->flags || cmd->__reserved || cmd->type == IOMMU_VEVENTQ_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!cmd->veventq_depth || cmd->veventq_depth > DEPTH_MAX)
		return -EINVAL;
	viommu = hyp_object_get(context, cmd->viommu_id, HYP_VIOMMU);
	if (!viommu)
		return -ENOENT;
	if (find_veventq(&viommu->viommu, cmd->type))
		return -EEXIST;
	queue = hyp_object_new(context, sizeof(*queue), HYP_VEVENTQ);
	if (!queue)
		return -ENOMEM;
	queue->sizes = calloc(cmd->veventq_depth, sizeof(*queue->sizes));
	rc = queue->sizes ? open_pair(&queue->file, &users) : -ENOMEM;
	if (rc) {
		free(queue->sizes);
		hyp_object_drop(context, queue);
		return rc;
	}
	queue->object.busy = veventq_busy;
	queue->object.destroy = veventq_destroy;
	queue->viommu = &viommu->viommu;
	queue->type = cmd->type;
	queue->depth = cmd->veventq_depth;
	viommu->object.users++;
	cmd->out_veventq_id = queue->object.id;
	cmd->out_veventq_fd = users;
	return 0;
}

/* Forget the packets that the reader has taken: what the socket still holds are the last ones. */
static void count_unread(struct veventq *queue, int *held)
{
	int sum = 0;
	uint32_t unread = 0;

	if (ioctl(queue->file, SIOCOUTQ, held))
		*held = 0;
	while (unread < queue->used && sum < *held)
		sum += queue->sizes[queue->used - ++unread];
	memmove(queue->sizes, queue->sizes + queue->used - unread,
		unread * sizeof(queue->sizes[0]));
	queue->used = unread;
}

int hyp_report_event(struct hyp_viommu *viommu, uint32_t type, const void *data, size_t len)
{
	struct veventq *queue = find_veventq(viommu, type);
	uint8_t packet[256];
	struct iommufd_vevent_header header = {};
	int before, after;

	if (!queue)
		return -EOPNOTSUPP;
	if (len > sizeof(packet) - sizeof(header))
		return -EINVAL;
	header.sequence = queue->sequence++;
	count_unread(queue, &before);
	if (queue->used == queue->depth) {
		/* The header alone, beyond the depth, says that events are missing from here on. */
		header.flags = IOMMU_VEVENTQ_FLAG_LOST_EVENTS;
		return send(queue->file, &header, sizeof(header), MSG_NOSIGNAL) < 0 ? -errno : 0;
	}
	memcpy(packet, &header, sizeof(header));
	memcpy(packet + sizeof(header), data, len);
	if (send(queue->file, packet, sizeof(header) + len, MSG_NOSIGNAL) < 0)
		return -errno;
	if (ioctl(queue->file, SIOCOUTQ, &after))
		after = before;
	queue->sizes[queue->used++] = after - before;
	return 0;
}
