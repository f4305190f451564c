// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <unistd.h>

#include "event.h"
#include "hyp/user_file.h"

ssize_t iommufd_read(int fd, void *buf, size_t count)
{
	ssize_t rc;

	if (hyp_file_read(fd, buf, count, &rc))
		return rc;
	rc = read(fd, buf, count);
	return rc < 0 ? -errno : rc;
}

ssize_t iommufd_write(int fd, const void *buf, size_t count)
{
	ssize_t rc;

	if (hyp_file_write(fd, buf, count, &rc))
		return rc;
	rc = write(fd, buf, count);
	return rc < 0 ? -errno : rc;
}
