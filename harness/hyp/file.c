// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "hyp.h"
#include "user_file.h"

/* All of this process; under their lock, which comes after any hypervisor's */
static struct {
	pthread_mutex_t lock;
	struct hyp_file *first;
} files = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The same pipe, for who may write, too, and so polls POLLOUT */
static int reopen_writable(int fd)
{
	char path[32];
	int writable;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	writable = open(path, O_RDWR | O_CLOEXEC);
	close(fd);
	return writable;
}

/* A pipe: ours never blocks, and tells when user space has closed all of its own. */
static int open_ends(bool writable, int *ours, int *users)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	*users = writable ? reopen_writable(ends[0]) : ends[0];
	*ours = ends[1];
	if (*users >= 0 && !fcntl(ends[1], F_SETFL, O_NONBLOCK))
		return 0;
	close(ends[1]);
	return -errno;
}

int hyp_file_init(struct hyp_file *file, struct hyp *hyp, const struct hyp_file_ops *ops,
		  int *users)
{
	int rc = open_ends(ops->write, &file->bell, users);
	struct stat stat;

	if (rc)
		return rc;
	fstat(*users, &stat);
	file->ops = ops;
	file->hyp = hyp;
	file->users = *users;
	file->inode = stat.st_ino;
	pthread_mutex_lock(&files.lock);
	file->next = files.first;
	files.first = file;
	pthread_mutex_unlock(&files.lock);
	return 0;
}

void hyp_file_fini(struct hyp_file *file)
{
	struct hyp_file **link = &files.first;

	pthread_mutex_lock(&files.lock);
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	pthread_mutex_unlock(&files.lock);
	close(file->bell);
}

bool hyp_file_is_open(const struct hyp_file *file)
{
	struct pollfd poll_bell = { .fd = file->bell };

	return poll(&poll_bell, 1, 0) <= 0 || !(poll_bell.revents & (POLLHUP | POLLERR));
}

/* One byte for each thing, so that who waits for a change (EPOLLET) sees one; a full one is seen */
void hyp_file_ring(struct hyp_file *file)
{
	ssize_t rung;

	if (!hyp_file_is_open(file))
		return;	/* would be SIGPIPE */
	do
		rung = write(file->bell, "", 1);
	while (rung < 0 && errno == EINTR);
}

static bool is_users_end(const struct hyp_file *file, int fd)
{
	struct stat stat;

	return fd != file->bell && !fstat(fd, &stat) && stat.st_ino == file->inode &&
	       S_ISFIFO(stat.st_mode);
}

/* A number of user space's end: the first one, or what it has been duplicated to; -1: closed */
static int users_end(const struct hyp_file *file)
{
	struct dirent *entry;
	int fd = file->users;
	DIR *numbers;

	if (is_users_end(file, fd))
		return fd;
	numbers = opendir("/proc/self/fd");
	fd = -1;
	while (numbers && fd < 0 && (entry = readdir(numbers)))
		if (entry->d_name[0] != '.' && is_users_end(file, atoi(entry->d_name)))
			fd = atoi(entry->d_name);
	if (numbers)
		closedir(numbers);
	return fd;
}

void hyp_file_quiet(struct hyp_file *file)
{
	struct pollfd end = { .fd = users_end(file), .events = POLLIN };
	char bytes[4096];

	while (end.fd >= 0 && poll(&end, 1, 0) == 1 && end.revents & POLLIN &&
	       read(end.fd, bytes, sizeof(bytes)) > 0)
		;
}

/* The file behind the number; NULL: not one of ours */
static struct hyp_file *find(int fd)
{
	struct hyp_file *file = NULL;

	pthread_mutex_lock(&files.lock);
	if (files.first)
		for (file = files.first; file && !is_users_end(file, fd); file = file->next)
			;
	pthread_mutex_unlock(&files.lock);
	return file;
}

static bool call(int fd, uint64_t buf, size_t count, bool write, ssize_t *rc)
{
	struct hyp_file *file = find(fd);
	struct hyp *hyp;

	if (!file)
		return false;
	hyp = file->hyp;
	pthread_mutex_lock(&hyp->lock);
	if (write)
		*rc = file->ops->write ? file->ops->write(file, buf, count) : -EINVAL;
	else
		*rc = file->ops->read(file, buf, count);
	pthread_mutex_unlock(&hyp->lock);
	return true;
}

bool hyp_file_read(int fd, void *buf, size_t count, ssize_t *rc)
{
	return call(fd, (uintptr_t)buf, count, false, rc);
}

bool hyp_file_write(int fd, const void *buf, size_t count, ssize_t *rc)
{
	return call(fd, (uintptr_t)buf, count, true, rc);
}
