/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that the hypervisor gives to user space: event queues.
 *
 * User space has one end of a pipe, so that poll(), dup(), close() and all
 * are the kernel's. What goes over it says only that there is something to read; the events stay
 * in the hypervisor's memory until iommufd_read() takes them (harness/iommufd/event.h).
 */
#ifndef NIT_HYP_FILE_H
#define NIT_HYP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct hyp;
struct hyp_file;

/** struct hyp_file_ops - under the hypervisor's lock; bytes or -errno. @write: NULL: -EINVAL */
struct hyp_file_ops {
	ssize_t (*read)(struct hyp_file *file, uint64_t buf, size_t count);
	ssize_t (*write)(struct hyp_file *file, uint64_t buf, size_t count);
};

/**
 * struct hyp_file - a file that user space has open
 * @bell: our end; @users: the number that user space's end had first
 * @inode: of user space's end, by which any number of it is found
 */
struct hyp_file {
	const struct hyp_file_ops *ops;
	struct hyp *hyp;
	int bell;
	int users;
	ino_t inode;
	struct hyp_file *next;
};

/** hyp_file_init() - Open it; the number for user space goes to *@users. 0 or -errno */
int hyp_file_init(struct hyp_file *file, struct hyp *hyp, const struct hyp_file_ops *ops,
		  int *users);
void hyp_file_fini(struct hyp_file *file);
/** hyp_file_is_open() - User space has not closed all of it yet */
bool hyp_file_is_open(const struct hyp_file *file);
/** hyp_file_ring() - There is one thing more to read */
void hyp_file_ring(struct hyp_file *file);
/** hyp_file_quiet() - There is nothing to read any more */
void hyp_file_quiet(struct hyp_file *file);

#endif
