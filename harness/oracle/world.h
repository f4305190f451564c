/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM that random programs and stress runs live in, and the histories of everything that
 * translates in it. Small on purpose, so that operations meet: a few IOVAs in different tables, a
 * few pages, two devices, two address spaces for the RIDs and two for a PASID.
 */
#ifndef NIT_ORACLE_WORLD_H
#define NIT_ORACLE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "vmm/vm.h"

#define WORLD_DEVICES 2
#define WORLD_SPACES 4		/* 0, 1: of RIDs; 2, 3: of WORLD_PASID */
#define WORLD_PASID 7
#define WORLD_SLOTS 12		/* IOVAs */
#define WORLD_RAM_PAGES 8	/* guest pages that stage 2 never moves */
#define WORLD_WINDOWS 6		/* guest pages that it does */
#define WORLD_TARGETS (WORLD_RAM_PAGES + WORLD_WINDOWS)
#define WORLD_SPARES 8		/* host pages for the windows */
#define WORLD_RID 0
#define WORLD_BY_PASID 1

struct world;

/**
 * struct world_config - where it runs
 * @open: makes the target; 0 or -errno
 * @vendor: guest and VMM
 * @ats: devices use their ATC
 * @pasid: the devices have PASIDs too
 */
struct world_config {
	int (*open)(struct target *target, const void *arg);
	const void *arg;
	const struct vm_vendor *vendor;
	bool ats;
	bool pasid;
};

/** struct world_held - a DMA read between translation and memory access */
struct world_held {
	bool active;
	unsigned int which;
	unsigned int slot;
};

/**
 * struct world
 * @clock: time: counts changes; atomic
 * @attached: of (device, RID or PASID): the number of a space
 * @stage1: of (space, slot): the number of a target; flags PGTABLE_READ, PGTABLE_WRITE
 * @stage2: of a window: the number of a spare page
 * @ram: guest physical addresses
 * @what: of a failed check, for people
 */
struct world {
	const struct world_config *config;
	struct target target;
	struct vm vm;
	struct vm_device *devices[WORLD_DEVICES];
	struct vm_space spaces[WORLD_SPACES];
	_Atomic uint64_t clock;
	struct history attached[WORLD_DEVICES][2];
	struct history stage1[WORLD_SPACES][WORLD_SLOTS];
	struct history stage2[WORLD_WINDOWS];
	uint64_t ram[WORLD_RAM_PAGES];
	struct world_held held[WORLD_DEVICES];
	uint64_t tokens;
	unsigned long dmas;
	unsigned long stale;	/* old translations seen while they were allowed */
	char what[256];
};

/** world_open() - Devices attached to spaces 0 and 2, windows mapped, stage 1 empty; 0 or -errno */
int world_open(struct world *world, const struct world_config *config);
void world_close(struct world *world);

uint64_t world_iova(unsigned int slot);

/*
 * Operations. -errno of the VM's calls, which none should give; -EALREADY where there is nothing
 * to do. Those that invalidate finish held DMAs in the middle, while software waits.
 */
int world_map(struct world *world, unsigned int space, unsigned int slot, unsigned int target,
	      bool writable);
int world_unmap(struct world *world, unsigned int space, unsigned int slot);
/** world_invalidate() - After stage-1 changes of @slot alone, or of the whole space */
int world_invalidate(struct world *world, unsigned int space, unsigned int slot, bool leaf_only);
int world_invalidate_space(struct world *world, unsigned int space);
int world_s2_map(struct world *world, unsigned int window, unsigned int spare);
int world_s2_unmap(struct world *world, unsigned int window);
int world_attach(struct world *world, unsigned int device, unsigned int space);
int world_detach(struct world *world, unsigned int device, unsigned int which);
int world_reset(struct world *world, unsigned int device);

/* DMA, judged. False: it reached what it must not; world->what says what and what was allowed. */
bool world_read(struct world *world, unsigned int device, unsigned int which, unsigned int slot);
bool world_write(struct world *world, unsigned int device, unsigned int which, unsigned int slot);
bool world_hold(struct world *world, unsigned int device, unsigned int which, unsigned int slot);
bool world_finish(struct world *world, unsigned int device);

/**
 * world_allowed() - May a DMA within [@begin, @end] have reached the page called @seen?
 * @stale: set if that is only by an old translation. Any thread.
 */
bool world_allowed(struct world *world, unsigned int device, unsigned int which, unsigned int slot,
		   bool write, uint64_t begin, uint64_t end, uint64_t seen, bool *stale);

#endif
