// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "twin.h"

enum { TWIN_FILES = 64, TWIN_DATA = 4096 };

/**
 * struct twin - one open twin
 * @fd: the ends of pipes that user space has as the files of event queues; -1: none
 * @kept: the other ends: they hang up when user space has closed its own
 * @data: the entries of the current HWPT_INVALIDATE
 */
struct twin {
	struct model model;
	int fd[TWIN_FILES];
	int kept[TWIN_FILES];
	uint8_t data[TWIN_DATA];
};

static int file_open(struct twin *twin, int slot, struct reply *reply)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	twin->kept[slot] = ends[0];
	twin->fd[slot] = reply->fd = ends[1];
	return 0;
}

static void file_forget(struct twin *twin, int slot)
{
	close(twin->kept[slot]);
	twin->fd[slot] = -1;
}

/* A kernel is told when a file is closed; the twin looks, before every call. */
static void see_closed_files(struct twin *twin)
{
	for (int slot = 0; slot < TWIN_FILES; slot++) {
		struct pollfd poll_fd = { .fd = twin->kept[slot] };
		struct request request = { .op = OP_CLOSE, .fd = twin->fd[slot] };
		struct reply reply = {};

		if (twin->fd[slot] < 0 || poll(&poll_fd, 1, 0) != 1)
			continue;
		model_reply(&twin->model, &request, &reply);
		file_forget(twin, slot);
	}
}

/* A new event queue gets a file, if the call succeeds. */
static void answer_with_file(struct twin *twin, const struct request *request,
			     struct reply *reply)
{
	int slot = 0, fd;

	while (slot < TWIN_FILES && twin->fd[slot] >= 0)
		slot++;
	reply->rc = slot < TWIN_FILES ? file_open(twin, slot, reply) : -EMFILE;
	if (reply->rc)
		return;
	fd = reply->fd;
	model_reply(&twin->model, request, reply);
	if (reply->rc) {
		close(fd);
		file_forget(twin, slot);
	}
}

static int answer(struct twin *twin, const struct request *request, struct reply *reply)
{
	*reply = (struct reply){ .fd = -1 };
	if (model_room(&twin->model) < REPLY_IDS)
		return reply->rc = -ENOMEM;
	see_closed_files(twin);
	if (request->op == OP_VEVENTQ_ALLOC || request->op == OP_FAULT_QUEUE_ALLOC)
		answer_with_file(twin, request, reply);
	else
		model_reply(&twin->model, request, reply);
	return reply->rc;
}

/* Return: how many of the @size bytes at @from can be read; they are in twin->data */
static size_t copy_from_user(struct twin *twin, const uint8_t *from, size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE), done = 0;
	int ends[2];

	if (size > TWIN_DATA)
		size = TWIN_DATA;
	if (pipe2(ends, O_CLOEXEC))
		return 0;
	/* Where a load would be a SIGSEGV, write() fails; at most up to a page boundary at once. */
	while (done < size) {
		size_t chunk = page - (uintptr_t)(from + done) % page;

		if (chunk > size - done)
			chunk = size - done;
		if (write(ends[1], from + done, chunk) != (ssize_t)chunk ||
		    read(ends[0], twin->data + done, chunk) != (ssize_t)chunk)
			break;
		done += chunk;
	}
	close(ends[0]);
	close(ends[1]);
	return done;
}

static int twin_hwpt_alloc(struct twin *twin, struct iommu_hwpt_alloc *cmd)
{
	const struct iommu_hwpt_selftest *data = (void *)(uintptr_t)cmd->data_uptr;
	struct request request = {
		.op = OP_HWPT_ALLOC,
		.dev_id = cmd->dev_id,
		.pt_id = cmd->pt_id,
		.fault_id = cmd->fault_id,
		.flags = cmd->flags,
		.type = cmd->data_type,
		.data_len = cmd->data_len,
		.value = data ? data->iotlb : 0,
	};
	struct reply reply;

	if (!answer(twin, &request, &reply))
		cmd->out_hwpt_id = reply.id[0];
	return reply.rc;
}

static int twin_hwpt_invalidate(struct twin *twin, struct iommu_hwpt_invalidate *cmd)
{
	struct request request = {
		.op = OP_HWPT_INVALIDATE,
		.pt_id = cmd->hwpt_id,
		.type = cmd->data_type,
		.entry_num = cmd->entry_num,
		.entry_len = cmd->entry_len,
	};
	struct reply reply;

	if (cmd->data_uptr) {
		request.data = twin->data;
		request.data_size = copy_from_user(twin, (void *)(uintptr_t)cmd->data_uptr,
						   (size_t)cmd->entry_num * cmd->entry_len);
	}
	answer(twin, &request, &reply);
	cmd->entry_num = reply.entry_num;
	return reply.rc;
}

static int twin_viommu_alloc(struct twin *twin, struct iommu_viommu_alloc *cmd)
{
	struct request request = {
		.op = OP_VIOMMU_ALLOC,
		.dev_id = cmd->dev_id,
		.pt_id = cmd->hwpt_id,
		.type = cmd->type,
	};
	struct reply reply;

	if (!answer(twin, &request, &reply))
		cmd->out_viommu_id = reply.id[0];
	return reply.rc;
}

static int twin_vdevice_alloc(struct twin *twin, struct iommu_vdevice_alloc *cmd)
{
	struct request request = {
		.op = OP_VDEVICE_ALLOC,
		.dev_id = cmd->dev_id,
		.pt_id = cmd->viommu_id,
		.virt_id = cmd->virt_id,
	};
	struct reply reply;

	if (!answer(twin, &request, &reply))
		cmd->out_vdevice_id = reply.id[0];
	return reply.rc;
}

static int twin_veventq_alloc(struct twin *twin, struct iommu_veventq_alloc *cmd)
{
	struct request request = {
		.op = OP_VEVENTQ_ALLOC,
		.pt_id = cmd->viommu_id,
		.type = cmd->type,
		.value = cmd->veventq_depth,
	};
	struct reply reply;

	if (!answer(twin, &request, &reply)) {
		cmd->out_veventq_id = reply.id[0];
		cmd->out_veventq_fd = reply.fd;
	}
	return reply.rc;
}

static int twin_fault_queue_alloc(struct twin *twin, struct iommu_fault_alloc *cmd)
{
	struct request request = { .op = OP_FAULT_QUEUE_ALLOC };
	struct reply reply;

	if (!answer(twin, &request, &reply)) {
		cmd->out_fault_id = reply.id[0];
		cmd->out_fault_fd = reply.fd;
	}
	return reply.rc;
}

static int twin_ioas_alloc(struct twin *twin, struct iommu_ioas_alloc *cmd)
{
	struct request request = { .op = OP_IOAS_ALLOC };
	struct reply reply;

	if (!answer(twin, &request, &reply))
		cmd->out_ioas_id = reply.id[0];
	return reply.rc;
}

static int twin_destroy(struct twin *twin, struct iommu_destroy *cmd)
{
	struct request request = { .op = OP_DESTROY, .pt_id = cmd->id };
	struct reply reply;

	return answer(twin, &request, &reply);
}

static int twin_device_create(struct twin *twin, struct iommu_test_cmd *cmd)
{
	struct request request = {
		.op = OP_DEVICE_CREATE,
		.pt_id = cmd->id,
		.flags = cmd->mock_domain_flags.dev_flags,
	};
	struct reply reply;

	if (answer(twin, &request, &reply))
		return reply.rc;
	cmd->mock_domain_flags.out_stdev_id = reply.id[0];
	cmd->mock_domain_flags.out_idev_id = reply.id[1];
	cmd->mock_domain_flags.out_hwpt_id = reply.id[2];
	return 0;
}

static int twin_device_attach(struct twin *twin, struct iommu_test_cmd *cmd)
{
	struct request request = {
		.op = OP_DEVICE_ATTACH,
		.dev_id = cmd->id,
		.pt_id = cmd->mock_domain_replace.pt_id,
	};
	struct reply reply;

	if (!answer(twin, &request, &reply))
		cmd->mock_domain_replace.pt_id = reply.id[0];
	return reply.rc;
}

static int check_word(struct twin *twin, uint32_t id, enum model_type type, uint32_t index,
		      uint32_t value)
{
	const struct model_object *object = model_find(&twin->model, id);

	if (!object || object->type != type)
		return -ENOENT;
	return index < MODEL_WORDS && object->word[index] == value ? 0 : -EINVAL;
}

static int twin_test(struct twin *twin, struct iommu_test_cmd *cmd)
{
	switch (cmd->op) {
	case IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS:
		return twin_device_create(twin, cmd);
	case IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE:
		return twin_device_attach(twin, cmd);
	case IOMMU_TEST_OP_MD_CHECK_IOTLB:
		return check_word(twin, cmd->id, MODEL_NESTED, cmd->check_iotlb.id,
				  cmd->check_iotlb.iotlb);
	case IOMMU_TEST_OP_DEV_CHECK_CACHE:
		return check_word(twin, cmd->id, MODEL_DEVICE, cmd->check_dev_cache.id,
				  cmd->check_dev_cache.cache);
	}
	return -EOPNOTSUPP;
}

static int twin_ioctl(struct iommufd *iommufd, unsigned long request, void *arg)
{
	struct twin *twin = iommufd->priv;

	switch (request) {
	case IOMMU_DESTROY:
		return twin_destroy(twin, arg);
	case IOMMU_IOAS_ALLOC:
		return twin_ioas_alloc(twin, arg);
	case IOMMU_HWPT_ALLOC:
		return twin_hwpt_alloc(twin, arg);
	case IOMMU_HWPT_INVALIDATE:
		return twin_hwpt_invalidate(twin, arg);
	case IOMMU_VIOMMU_ALLOC:
		return twin_viommu_alloc(twin, arg);
	case IOMMU_VDEVICE_ALLOC:
		return twin_vdevice_alloc(twin, arg);
	case IOMMU_VEVENTQ_ALLOC:
		return twin_veventq_alloc(twin, arg);
	case IOMMU_FAULT_QUEUE_ALLOC:
		return twin_fault_queue_alloc(twin, arg);
	case IOMMU_TEST_CMD:
		return twin_test(twin, arg);
	}
	return -ENOTTY;
}

static void *twin_mmap(struct iommufd *iommufd, void *addr, size_t length, int prot, int flags,
		       off_t offset)
{
	errno = ENXIO;
	return MAP_FAILED;
}

static void twin_close(struct iommufd *iommufd)
{
	struct twin *twin = iommufd->priv;

	for (int slot = 0; slot < TWIN_FILES; slot++)
		if (twin->fd[slot] >= 0)
			file_forget(twin, slot);
	free(twin);
	iommufd->priv = NULL;
}

static const struct iommufd_ops twin_ops = {
	.ioctl = twin_ioctl,
	.mmap = twin_mmap,
	.close = twin_close,
};

int __twin_open(struct iommufd *iommufd, enum model_fault fault)
{
	struct twin *twin = calloc(1, sizeof(*twin));

	if (!twin)
		return -ENOMEM;
	model_init(&twin->model, fault);
	for (int slot = 0; slot < TWIN_FILES; slot++)
		twin->fd[slot] = -1;
	iommufd->ops = &twin_ops;
	iommufd->fd = -1;
	iommufd->priv = twin;
	return 0;
}
