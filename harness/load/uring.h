/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Load on an NVMe device by liburing: so many requests in flight, each written, read back into
 * another buffer, and compared. Every request is a map and an unmap of the kernel's DMA API.
 */
#ifndef NIT_LOAD_URING_H
#define NIT_LOAD_URING_H

#include <stdbool.h>
#include <stdint.h>

#include "nvme.h"

/**
 * enum uring_how - how buffers get to the device
 * @URING_FIXED: O_DIRECT on the block device, buffers registered with the ring once
 * @URING_FRESH: O_DIRECT, from memory that is mapped for the request and unmapped after it: the
 *	page goes back to the kernel, and whatever still writes to it hits somebody else
 * @URING_PASSTHROUGH: NVMe commands of our own, on the generic device
 */
enum uring_how { URING_FIXED, URING_FRESH, URING_PASSTHROUGH };

/**
 * struct uring_load
 * @depth: requests in flight; @block: bytes of each, a multiple of the device's sector
 * @seconds, @least: new requests are begun for so long, and until so many have completed
 * @meddle: NULL; a positive control: does harm before or after what was read is compared
 * @requests, @bytes: what was completed, in @took_s: the last requests end after @seconds
 * @wrong: requests whose data were not those written last
 * @late: buffers that changed after the request that they were for had completed
 * @what: of the first of these, or of an error
 */
struct uring_load {
	const struct nvme *nvme;
	enum uring_how how;
	unsigned int depth;
	unsigned int block;
	double seconds;
	uint64_t least;
	uint64_t seed;
	void (*meddle)(const struct uring_load *load, void *buffer, bool compared);
	uint64_t requests;
	uint64_t bytes;
	double took_s;
	uint64_t wrong;
	uint64_t late;
	char what[160];
};

/** uring_load() - Return: 0, also if data were wrong; -ETIMEDOUT: a request got stuck; -errno */
int uring_load(struct uring_load *load);

#endif
