// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "client_memory.h"

#define PAGE_MASK 4095ull

/* Memory that the client could truncate would end us with SIGBUS: only what is sealed is taken. */
static int map_file(struct client_file *file, int fd, const struct stat *st)
{
	int seals = fcntl(fd, F_GET_SEALS);
	int flags = fcntl(fd, F_GETFL);
	void *host;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPERM;
	file->write = (flags & O_ACCMODE) == O_RDWR;
	host = mmap(NULL, st->st_size, file->write ? PROT_READ | PROT_WRITE : PROT_READ,
		    MAP_SHARED, fd, 0);
	if (host == MAP_FAILED)
		return -errno;
	file->device = st->st_dev;
	file->inode = st->st_ino;
	file->host = host;
	file->size = st->st_size;
	return 0;
}

static int find_file(struct client_memory *memory, int fd, struct client_file **out)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) || st.st_size <= 0)
		return -EINVAL;
	for (unsigned int i = 0; i < memory->file_count; i++) {
		*out = &memory->files[i];
		if ((*out)->device == st.st_dev && (*out)->inode == st.st_ino)
			return 0;
	}
	if (memory->file_count == CLIENT_FILES)
		return -ENOSPC;
	*out = &memory->files[memory->file_count];
	rc = map_file(*out, fd, &st);
	if (!rc)
		memory->file_count++;
	return rc;
}

static bool overlaps(const struct client_memory *memory, uint64_t addr, uint64_t size)
{
	for (unsigned int i = 0; i < memory->range_count; i++) {
		const struct client_range *range = &memory->ranges[i];

		if (addr < range->addr + range->size && range->addr < addr + size)
			return true;
	}
	return false;
}

int client_memory_map(struct client_memory *memory, int fd, uint64_t offset, uint64_t addr,
		      uint64_t size, bool write)
{
	struct client_range range = { .addr = addr, .size = size };
	struct client_file *file;
	int rc;

	if (!size || (addr | size | offset) & PAGE_MASK || addr + size < addr)
		return -EINVAL;
	if (overlaps(memory, addr, size))
		return -EEXIST;
	if (memory->range_count == CLIENT_RANGES)
		return -ENOSPC;
	if (fd >= 0) {
		rc = find_file(memory, fd, &file);
		if (rc)
			return rc;
		if (offset > file->size || size > file->size - offset)
			return -EINVAL;
		range.host = file->host + offset;
		range.write = write && file->write;
	}
	memory->ranges[memory->range_count++] = range;
	return 0;
}

int client_memory_unmap(struct client_memory *memory, uint64_t addr, uint64_t size)
{
	uint64_t last = addr + (size - 1);
	unsigned int kept = 0;

	if (!size || last < addr)
		return -EINVAL;
	for (unsigned int i = 0; i < memory->range_count; i++) {
		uint64_t first = memory->ranges[i].addr, end = first + memory->ranges[i].size - 1;

		if (first <= last && addr <= end && (first < addr || end > last))
			return -EINVAL;
	}
	for (unsigned int i = 0; i < memory->range_count; i++)
		if (memory->ranges[i].addr < addr || memory->ranges[i].addr > last)
			memory->ranges[kept++] = memory->ranges[i];
	memory->range_count = kept;
	return 0;
}

void client_memory_clear(struct client_memory *memory)
{
	for (unsigned int i = 0; i < memory->file_count; i++)
		munmap(memory->files[i].host, memory->files[i].size);
	memory->file_count = 0;
	memory->range_count = 0;
}

void *client_memory_at(const struct client_memory *memory, uint64_t addr, size_t len, bool write)
{
	for (unsigned int i = 0; i < memory->range_count; i++) {
		const struct client_range *range = &memory->ranges[i];
		uint64_t offset = addr - range->addr;

		if (offset >= range->size)
			continue;
		return range->host && range->size - offset >= len && (range->write || !write) ?
		       range->host + offset : NULL;
	}
	return NULL;
}

const struct client_range *client_memory_largest(const struct client_memory *memory)
{
	const struct client_range *largest = NULL;

	for (unsigned int i = 0; i < memory->range_count; i++) {
		const struct client_range *range = &memory->ranges[i];

		if (range->host && range->write && (!largest || range->size > largest->size))
			largest = range;
	}
	return largest;
}
