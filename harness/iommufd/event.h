/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * read() and write() of event files, whoever opened them: the kernel, or the reference hypervisor,
 * which has its events in this process. Everything else that files can do is the kernel's.
 */
#ifndef NIT_IOMMUFD_EVENT_H
#define NIT_IOMMUFD_EVENT_H

#include <stddef.h>
#include <sys/types.h>

/** iommufd_read() - Bytes, 0 if the queue is empty, or -errno */
ssize_t iommufd_read(int fd, void *buf, size_t count);
/** iommufd_write() - Bytes taken, or -errno */
ssize_t iommufd_write(int fd, const void *buf, size_t count);

#endif
