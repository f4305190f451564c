// SPDX-License-Identifier: GPL-2.0-only
/*
 * The running kernel's /dev/iommu behind the iommufd ops table; with NIT_IOMMUFD=reference in the
 * environment, the reference hypervisor with its mock devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hyp/mock.h"
#include "iommufd.h"
#include "reference.h"

static int kernel_ioctl(struct iommufd *iommufd, unsigned long request, void *arg)
{
	return ioctl(iommufd->fd, request, arg) ? -errno : 0;
}

static void *kernel_mmap(struct iommufd *iommufd, void *addr, size_t length, int prot, int flags,
			 off_t offset)
{
	return mmap(addr, length, prot, flags, iommufd->fd, offset);
}

static void kernel_close(struct iommufd *iommufd)
{
	close(iommufd->fd);
	iommufd->fd = -1;
}

static const struct iommufd_ops kernel_ops = {
	.ioctl = kernel_ioctl,
	.mmap = kernel_mmap,
	.close = kernel_close,
};

bool iommufd_is_reference(void)
{
	const char *who = getenv("NIT_IOMMUFD");

	return who && !strcmp(who, "reference");
}

int __iommufd_open(struct iommufd *iommufd)
{
	if (iommufd_is_reference())
		return mock_iommufd_open(iommufd);
	iommufd->ops = &kernel_ops;
	iommufd->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	return iommufd->fd < 0 ? -errno : 0;
}
