/* SPDX-License-Identifier: GPL-2.0-only */
/* read() and write() of the files that the reference hypervisor opened; for harness/iommufd */
#ifndef NIT_HYP_USER_FILE_H
#define NIT_HYP_USER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** hyp_file_read() - False: @fd is no such file. Bytes or -errno go to *@rc. */
bool hyp_file_read(int fd, void *buf, size_t count, ssize_t *rc);
bool hyp_file_write(int fd, const void *buf, size_t count, ssize_t *rc);

#endif
