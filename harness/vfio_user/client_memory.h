/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The client's memory, as its DMA_MAP messages describe it: ranges of bus addresses in files that
 * we map, each file once. What comes without a file is known and not reachable.
 */
#ifndef NIT_VFIO_USER_CLIENT_MEMORY_H
#define NIT_VFIO_USER_CLIENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_RANGES 256
#define CLIENT_FILES 16

/** struct client_range - @host: NULL: not reachable */
struct client_range {
	uint64_t addr;
	uint64_t size;
	uint8_t *host;
	bool write;
};

struct client_file {
	uint64_t device;
	uint64_t inode;
	uint8_t *host;
	uint64_t size;
	bool write;
};

/** struct client_memory - changed by one thread while nobody looks: the caller locks */
struct client_memory {
	struct client_range ranges[CLIENT_RANGES];
	unsigned int range_count;
	struct client_file files[CLIENT_FILES];
	unsigned int file_count;
};

/**
 * client_memory_map() - A range of @fd (-1: no file) at @offset appears at @addr
 * Return: 0; -EINVAL: not whole pages, wraps, or not all in the file; -EEXIST: overlaps;
 * -EPERM: the client could shrink the file under us; -ENOSPC; what mmap() said
 */
int client_memory_map(struct client_memory *memory, int fd, uint64_t offset, uint64_t addr,
		      uint64_t size, bool write);

/** client_memory_unmap() - All ranges within [@addr, +@size); -EINVAL: one lies partly in it */
int client_memory_unmap(struct client_memory *memory, uint64_t addr, uint64_t size);

/** client_memory_clear() - Forget everything */
void client_memory_clear(struct client_memory *memory);

/** client_memory_at() - The host address of @len bytes at @addr; NULL: not all reachable */
void *client_memory_at(const struct client_memory *memory, uint64_t addr, size_t len, bool write);

/** client_memory_largest() - The largest range that is readable and writable; NULL: none */
const struct client_range *client_memory_largest(const struct client_memory *memory);

#endif
