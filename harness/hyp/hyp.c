// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "iommufd/iommufd.h"
#include "object.h"

static void interrupt(void *arg, uint64_t addr, uint32_t data)
{
	struct hyp *hyp = arg;

	if (hyp->vendor->interrupt)
		hyp->vendor->interrupt(hyp, addr, data);
}

struct hyp *hyp_create(struct platform *platform, const struct hyp_vendor_ops *vendor)
{
	struct hyp *hyp = calloc(1, sizeof(*hyp));
	uint64_t half = platform->ram_size / 2;

	if (!hyp)
		return NULL;
	hyp->platform = platform;
	hyp->vendor = vendor;
	pthread_mutex_init(&hyp->lock, NULL);
	pages_init(&hyp->pages, platform->ram, platform->ram_base, half);
	pages_init(&hyp->user, platform->ram + half, platform->ram_base + half, half);
	for (unsigned int i = 0; i < platform->device_count; i++) {
		hyp->devices[i].hyp = hyp;
		hyp->devices[i].pdev = &platform->devices[i];
	}
	platform->interrupt = interrupt;
	platform->interrupt_arg = hyp;
	if (vendor->start(hyp)) {
		hyp_destroy(hyp);
		return NULL;
	}
	return hyp;
}

void hyp_destroy(struct hyp *hyp)
{
	hyp_contexts_reap(hyp, true);
	hyp->vendor->stop(hyp);
	hyp->platform->interrupt = NULL;
	pages_fini(&hyp->pages);
	pages_fini(&hyp->user);
	pthread_mutex_destroy(&hyp->lock);
	free(hyp);
}

static int context_ioctl(struct iommufd *iommufd, unsigned long request, void *arg)
{
	return hyp_ioctl(iommufd->priv, request, arg);
}

static void *context_mmap(struct iommufd *iommufd, void *addr, size_t length, int prot, int flags,
			  off_t offset)
{
	return hyp_mmap(iommufd->priv, addr, length, prot, flags, offset);
}

/* What is still open of it keeps it: it goes when that is closed (hyp_contexts_reap()). */
static void context_close(struct iommufd *iommufd)
{
	struct hyp_context *context = iommufd->priv;
	struct hyp *hyp = context->hyp;

	pthread_mutex_lock(&hyp->lock);
	context->closed = true;
	hyp_contexts_reap(hyp, false);
	pthread_mutex_unlock(&hyp->lock);
	iommufd->priv = NULL;
}

static const struct iommufd_ops context_ops = {
	.ioctl = context_ioctl,
	.mmap = context_mmap,
	.close = context_close,
};

int hyp_iommufd_open(struct hyp *hyp, struct iommufd *iommufd)
{
	struct hyp_context *context = calloc(1, sizeof(*context));

	if (!context)
		return -ENOMEM;
	context->hyp = hyp;
	pthread_mutex_lock(&hyp->lock);
	context->next = hyp->contexts;
	hyp->contexts = context;
	pthread_mutex_unlock(&hyp->lock);
	*iommufd = (struct iommufd){ .ops = &context_ops, .fd = -1, .priv = context };
	return 0;
}

bool hyp_service(struct hyp *hyp, unsigned int bound)
{
	bool more = true;

	pthread_mutex_lock(&hyp->lock);
	hyp_contexts_reap(hyp, false);
	while (more && bound--)
		more = hyp->platform->ops->relax(hyp->platform);
	pthread_mutex_unlock(&hyp->lock);
	return !more;
}
