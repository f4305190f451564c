// SPDX-License-Identifier: GPL-2.0-only
/* User memory: any address may be bad, and a VMM's guest RAM has a physical address. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "object.h"

/*
 * The kernel looks at the addresses for us: a bad one is an error and no signal. Kernels without
 * CONFIG_CROSS_MEMORY_ATTACH do that through a pipe.
 */
static int copy_through_pipe(void *to, const void *from, size_t len)
{
	size_t done = 0;
	int ends[2];

	if (pipe(ends))
		return -errno;
	while (done < len) {
		size_t part = len - done < PIPE_BUF ? len - done : PIPE_BUF;

		if (write(ends[1], (const char *)from + done, part) != (ssize_t)part ||
		    read(ends[0], (char *)to + done, part) != (ssize_t)part)
			break;
		done += part;
	}
	close(ends[0]);
	close(ends[1]);
	return done == len ? 0 : -EFAULT;
}

int hyp_copy_from_user(void *to, uint64_t from, size_t len)
{
	struct iovec local = { to, len }, remote = { (void *)(uintptr_t)from, len };
	ssize_t copied;

	if (!len)
		return 0;
	copied = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	if (copied < 0 && errno == ENOSYS)
		return copy_through_pipe(to, remote.iov_base, len);
	return copied == (ssize_t)len ? 0 : -EFAULT;
}

int hyp_copy_to_user(uint64_t to, const void *from, size_t len)
{
	struct iovec local = { (void *)from, len }, remote = { (void *)(uintptr_t)to, len };
	ssize_t copied;

	if (!len)
		return 0;
	copied = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	if (copied < 0 && errno == ENOSYS)
		return copy_through_pipe(remote.iov_base, from, len);
	return copied == (ssize_t)len ? 0 : -EFAULT;
}

int hyp_user_pa(struct hyp *hyp, uint64_t va, uint64_t len, uint64_t *pa)
{
	uint64_t offset = va - (uintptr_t)hyp->user.base;

	if (offset >= hyp->user.size || hyp->user.size - offset < len)
		return -EFAULT;
	*pa = hyp->user.addr + offset;
	return 0;
}

static uint64_t power_of_two(uint64_t size)
{
	uint64_t power = 4096;

	while (power < size)
		power <<= 1;
	return power;
}

void *hyp_user_alloc(struct hyp *hyp, uint64_t size)
{
	uint64_t addr;

	pthread_mutex_lock(&hyp->lock);
	addr = pages_alloc(&hyp->user, power_of_two(size));
	pthread_mutex_unlock(&hyp->lock);
	return addr ? pages_ptr(&hyp->user, addr) : NULL;
}

void hyp_user_free(struct hyp *hyp, void *va, uint64_t size)
{
	uint64_t pa;

	if (hyp_user_pa(hyp, (uintptr_t)va, size, &pa))
		return;
	pthread_mutex_lock(&hyp->lock);
	pages_free(&hyp->user, pa, power_of_two(size));
	pthread_mutex_unlock(&hyp->lock);
}
