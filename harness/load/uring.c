// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/nvme_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/figure.h"
#include "core/prng.h"
#include "uring.h"

#define STUCK_S 60		/* no request takes that long */
#define NVME_WRITE 0x01		/* NVM Command Set, "Opcodes for NVM Commands" */
#define NVME_READ 0x02
#define POISON 0xdb

/** struct content - what is in a block: where on the device, in bytes, and the how-many-th there */
struct content {
	uint64_t at;
	uint64_t generation;
};

/*
 * One request at a time: written from @out, then read into @in. @in keeps what was read, @kept,
 * until the next read: a write of the device's that comes late shows there.
 */
struct slot {
	uint64_t *out, *in;
	struct content now, kept;
	bool reading;
};

struct generator {
	struct uring_load *load;
	struct io_uring ring;
	struct slot *slots;
	uint8_t *memory;	/* of all buffers, out and in of each slot */
	size_t size;
	int fd;
	int nsid;
	unsigned int in_flight;
};

/* What word number @i of the block has to be */
static uint64_t word(const struct uring_load *load, const struct content *content, unsigned int i)
{
	struct prng prng = { load->seed ^ content->at << 20 ^ content->generation };

	prng.state += i * PRNG_STEP;
	return prng_next(&prng);
}

/* Is @buffer what @content says? The first word that is not is in the report. */
static bool same(struct uring_load *load, const uint64_t *buffer, const struct content *content,
		 const char *otherwise)
{
	for (unsigned int i = 0; i < load->block / sizeof(uint64_t); i++) {
		uint64_t want = word(load, content, i);

		if (buffer[i] == want)
			continue;
		if (!*load->what)
			snprintf(load->what, sizeof(load->what),
				 "%s: byte %#llx, generation %llu: expected %#llx, observed %#llx",
				 otherwise, (unsigned long long)content->at + i * sizeof(uint64_t),
				 (unsigned long long)content->generation, (unsigned long long)want,
				 (unsigned long long)buffer[i]);
		return false;
	}
	return true;
}

static void prepare_command(struct generator *generator, struct io_uring_sqe *sqe,
			    const struct slot *slot)
{
	const struct uring_load *load = generator->load;
	struct nvme_uring_cmd *command = (struct nvme_uring_cmd *)sqe->cmd;
	uint64_t sector = slot->now.at / load->nvme->sector;

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, generator->fd, NULL, 0, 0);
	sqe->cmd_op = NVME_URING_CMD_IO;
	*command = (struct nvme_uring_cmd){
		.opcode = slot->reading ? NVME_READ : NVME_WRITE,
		.nsid = generator->nsid,
		.addr = (uintptr_t)(slot->reading ? slot->in : slot->out),
		.data_len = load->block,
		.cdw10 = (uint32_t)sector, .cdw11 = sector >> 32,
		.cdw12 = load->block / load->nvme->sector - 1,
	};
}

static void prepare(struct generator *generator, struct slot *slot)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&generator->ring);
	unsigned int block = generator->load->block;
	int fd = generator->fd;

	if (generator->load->how == URING_PASSTHROUGH)
		prepare_command(generator, sqe, slot);
	else if (generator->load->how == URING_FRESH && slot->reading)
		io_uring_prep_read(sqe, fd, slot->in, block, slot->now.at);
	else if (generator->load->how == URING_FRESH)
		io_uring_prep_write(sqe, fd, slot->out, block, slot->now.at);
	else if (slot->reading)
		io_uring_prep_read_fixed(sqe, fd, slot->in, block, slot->now.at, 0);
	else
		io_uring_prep_write_fixed(sqe, fd, slot->out, block, slot->now.at, 0);
	io_uring_sqe_set_data(sqe, slot);
	generator->in_flight++;
}

static int fresh_buffers(const struct uring_load *load, struct slot *slot)
{
	void *memory = mmap(NULL, 2 * load->block, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	slot->out = memory;
	slot->in = slot->out + load->block / sizeof(uint64_t);
	return 0;
}

/* Each slot has every depth-th block of the device, and goes round in them. */
static int begin_write(struct generator *generator, struct slot *slot)
{
	struct uring_load *load = generator->load;
	uint64_t rounds = load->nvme->size / load->block / load->depth;
	uint64_t round = ++slot->now.generation % rounds;
	int rc = load->how == URING_FRESH ? fresh_buffers(load, slot) : 0;

	if (rc)
		return rc;
	slot->reading = false;
	slot->now.at = (round * load->depth + (slot - generator->slots)) * load->block;
	for (unsigned int i = 0; i < load->block / sizeof(uint64_t); i++)
		slot->out[i] = word(load, &slot->now, i);
	prepare(generator, slot);
	return 0;
}

static void begin_read(struct generator *generator, struct slot *slot)
{
	struct uring_load *load = generator->load;

	if (slot->kept.generation && load->how != URING_FRESH &&
	    !same(load, slot->in, &slot->kept, "written after its request had completed"))
		load->late++;
	memset(slot->in, POISON, load->block);
	slot->reading = true;
	prepare(generator, slot);
}

static void end_read(struct generator *generator, struct slot *slot)
{
	struct uring_load *load = generator->load;

	if (load->meddle)
		load->meddle(load, slot->in, false);
	if (!same(load, slot->in, &slot->now, "not what was written last"))
		load->wrong++;
	slot->kept = slot->now;
	if (load->meddle)
		load->meddle(load, slot->in, true);
	if (load->how == URING_FRESH)
		munmap(slot->out, 2 * load->block);
}

/* Of a passthrough command the result is NVMe's status, else how many bytes. */
static int completed(struct generator *generator, const struct io_uring_cqe *cqe, bool more)
{
	struct uring_load *load = generator->load;
	struct slot *slot = io_uring_cqe_get_data(cqe);
	int good = load->how == URING_PASSTHROUGH ? 0 : load->block;

	generator->in_flight--;
	if (cqe->res != good) {
		snprintf(load->what, sizeof(load->what), "%s of %u bytes at %#llx: %d",
			 slot->reading ? "read" : "write", load->block,
			 (unsigned long long)slot->now.at, cqe->res);
		return cqe->res < 0 ? cqe->res : -EIO;
	}
	load->requests++;
	load->bytes += load->block;
	if (!slot->reading) {
		begin_read(generator, slot);
		return 0;
	}
	end_read(generator, slot);
	return more ? begin_write(generator, slot) : 0;
}

static int run(struct generator *generator)
{
	struct uring_load *load = generator->load;
	uint64_t began = figure_now(), end = began + load->seconds * 1e9;
	struct __kernel_timespec stuck = { .tv_sec = STUCK_S };
	struct io_uring_cqe *cqe;
	int rc = 0;

	for (unsigned int i = 0; i < load->depth && !rc; i++)
		rc = begin_write(generator, &generator->slots[i]);
	while (!rc && generator->in_flight) {
		rc = io_uring_submit_and_wait_timeout(&generator->ring, &cqe, 1, &stuck, NULL);
		if (rc < 0)
			return rc == -ETIME ? -ETIMEDOUT : rc;
		for (rc = 0; !rc && !io_uring_peek_cqe(&generator->ring, &cqe);) {
			rc = completed(generator, cqe,
				       figure_now() < end || load->requests < load->least);
			io_uring_cqe_seen(&generator->ring, cqe);
		}
	}
	load->took_s = (figure_now() - began) / 1e9;
	return rc;
}

static int open_device(struct generator *generator)
{
	const struct uring_load *load = generator->load;

	if (load->how != URING_PASSTHROUGH) {
		generator->fd = open(load->nvme->block, O_RDWR | O_DIRECT | O_CLOEXEC);
		return generator->fd < 0 ? -errno : 0;
	}
	generator->fd = open(load->nvme->generic, O_RDWR | O_CLOEXEC);
	if (generator->fd < 0)
		return -errno;
	generator->nsid = ioctl(generator->fd, NVME_IOCTL_ID);
	return generator->nsid < 0 ? -errno : 0;
}

static int open_buffers(struct generator *generator)
{
	struct uring_load *load = generator->load;
	struct iovec all;

	generator->slots = calloc(load->depth, sizeof(*generator->slots));
	generator->size = 2ul * load->depth * load->block;
	generator->memory = mmap(NULL, generator->size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!generator->slots || generator->memory == MAP_FAILED)
		return -ENOMEM;
	for (unsigned int i = 0; i < load->depth; i++) {
		generator->slots[i].out = (void *)(generator->memory + 2ul * i * load->block);
		generator->slots[i].in = (void *)(generator->memory + (2ul * i + 1) * load->block);
	}
	all = (struct iovec){ generator->memory, generator->size };
	return load->how == URING_FIXED ? io_uring_register_buffers(&generator->ring, &all, 1) : 0;
}

int uring_load(struct uring_load *load)
{
	struct generator generator = { .load = load, .fd = -1, .memory = MAP_FAILED };
	unsigned int flags = load->how == URING_PASSTHROUGH ? IORING_SETUP_SQE128 |
		IORING_SETUP_CQE32 : 0;
	int rc = io_uring_queue_init(load->depth, &generator.ring, flags);

	if (rc)
		return rc;
	rc = open_device(&generator);
	rc = rc ?: open_buffers(&generator);
	rc = rc ?: run(&generator);
	/* Ends what is still in flight, before its buffers go. */
	io_uring_queue_exit(&generator.ring);
	if (generator.memory != MAP_FAILED)
		munmap(generator.memory, generator.size);
	if (generator.fd >= 0)
		close(generator.fd);
	free(generator.slots);
	return rc;
}
