/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM that random programs and stress runs live in, and the histories of everything that
 * translates in it. Small on purpose, so that operations meet: a few IOVAs in different tables, a
 * few pages, two devices or four, two address spaces for the RIDs and two for a PASID.
 */
#ifndef NIT_ORACLE_WORLD_H
#define NIT_ORACLE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "ledger.h"
#include "vmm/vm.h"

#define WORLD_DEVICES LEDGER_DEVICES	/* at most */
#define WORLD_PASIDS 2
#define WORLD_PLACES (1 + WORLD_PASIDS)	/* that a device has: RID, PASIDs */
#define WORLD_SPACES (2 * WORLD_PLACES)	/* 0, 1: of RIDs; 2, 3: of the first PASID; ... */
#define WORLD_PAGES 12		/* slots that are pages by themselves */
#define WORLD_BLOCKS 2		/* of 2 MiB: mapped as one, or as 512 pages */
#define WORLD_PROBES 3		/* pages of a block that are slots: the first ones, the last */
#define WORLD_SLOTS (WORLD_PAGES + WORLD_BLOCKS * WORLD_PROBES)	/* IOVAs */
#define WORLD_RANGES 6		/* what one invalidation may be about */
#define WORLD_AREAS 2		/* of 2 MiB of guest RAM: what blocks are mapped to */
#define WORLD_RAM_PAGES 8	/* guest pages that stage 2 never moves */
#define WORLD_WINDOWS 6		/* guest pages that it does */
#define WORLD_TARGETS (WORLD_RAM_PAGES + WORLD_WINDOWS)
#define WORLD_SPARES 8		/* host pages for the windows */
#define WORLD_RID 0
#define WORLD_BY_PASID 1	/* and up: the place number n is PASID number n - 1 */

struct world;

/**
 * struct world_config - where it runs
 * @open: makes the target; 0 or -errno
 * @vendor: guest and VMM
 * @devices: 1..WORLD_DEVICES
 * @ats: devices use their ATC
 * @pasids: how many PASIDs the devices use besides their RIDs, 0..WORLD_PASIDS
 * @pri: the guest hears of page requests (struct ledger)
 * @plain: no stage 1: devices see guest physical addresses (vm_plain), which the slots are
 */
struct world_config {
	int (*open)(struct target *target, const void *arg);
	const void *arg;
	const struct vm_vendor *vendor;
	unsigned int devices;
	bool ats;
	unsigned int pasids;
	bool pri;
	bool plain;
};

/** struct world_held - a DMA read between translation and memory access */
struct world_held {
	bool active;
	unsigned int place;
	unsigned int slot;
};

/**
 * struct world
 * @clock: time: counts changes; atomic
 * @attached: of (device, place): the number of a space
 * @stage1: of (space, slot): the number of a target; flags PGTABLE_READ, PGTABLE_WRITE
 * @stage2: of a window: the number of a spare page
 * @up: of a device: 1; HISTORY_NONE while it is reset
 * @block: of (space, block): how it is mapped now
 * @iovas: of the slots
 * @ram: guest physical addresses, of areas those of all probes
 * @ledger: of page requests
 * @what: of a failed check, for people
 */
struct world {
	const struct world_config *config;
	struct target target;
	struct vm vm;
	struct vm_device *devices[WORLD_DEVICES];
	struct vm_space spaces[WORLD_SPACES];
	_Atomic uint64_t clock;
	uint64_t iovas[WORLD_SLOTS];
	struct history attached[WORLD_DEVICES][WORLD_PLACES];
	struct history stage1[WORLD_SPACES][WORLD_SLOTS];
	struct history stage2[WORLD_WINDOWS];
	struct history up[WORLD_DEVICES];
	enum world_block {
		WORLD_EMPTY, WORLD_WHOLE, WORLD_SPLIT,
	} block[WORLD_SPACES][WORLD_BLOCKS];
	uint64_t ram[WORLD_RAM_PAGES];
	uint64_t areas[WORLD_AREAS];
	struct world_held held[WORLD_DEVICES];
	struct ledger ledger;
	uint64_t tokens;
	unsigned long dmas;
	unsigned long stale;	/* old translations seen while they were allowed */
	char what[256];
};

/** world_open() - Devices attached to spaces 0 and 2, windows mapped, stage 1 empty; 0 or -errno */
int world_open(struct world *world, const struct world_config *config);
void world_close(struct world *world);

/** world_pasid() - The PASID of place number @place, or DMA_NO_PASID */
uint32_t world_pasid(unsigned int place);
/** world_place() - What a place is called */
const char *world_place(unsigned int place);
/** world_spaces() - How many spaces this world has */
unsigned int world_spaces(const struct world *world);

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
/** world_invalidate_range() - Of range number @range, by one command where the vendor has ranges */
int world_invalidate_range(struct world *world, unsigned int space, unsigned int range,
			   bool leaf_only);
/** struct world_cover - what an invalidation is about */
struct world_cover {
	unsigned int space;
	uint64_t iova;
	uint64_t len;
};

/** world_slot(), world_range() - A page, a range by its number */
struct world_cover world_slot(const struct world *world, unsigned int space, unsigned int slot);
struct world_cover world_range(unsigned int space, unsigned int range);
/** world_invalidate_batch() - All of @covers, at most VM_BATCH, in one submission */
int world_invalidate_batch(struct world *world, const struct world_cover *covers,
			   unsigned int count);
/** world_invalidate_all() - The command that names no address space */
int world_invalidate_all(struct world *world);
/**
 * world_block() - Map block number @block to area number @area, as one leaf or as pages; complete
 * when it returns, its invalidation included
 */
int world_block(struct world *world, unsigned int space, unsigned int block, unsigned int area,
		bool whole);
int world_s2_map(struct world *world, unsigned int window, unsigned int spare);
int world_s2_unmap(struct world *world, unsigned int window);
int world_attach(struct world *world, unsigned int device, unsigned int space);
int world_detach(struct world *world, unsigned int device, unsigned int place);
int world_reset(struct world *world, unsigned int device);

/** world_service() - Hardware and hypervisor hand on what they have */
int world_service(struct world *world);
/** world_next_fault() - The next page request that the guest has not read; -EAGAIN */
int world_next_fault(struct world *world, struct vm_fault *fault);
/** world_answer() - The guest's answer; with an invalidation of @also in front, unless NULL */
int world_answer(struct world *world, const struct vm_fault *fault, bool served,
		 const struct world_cover *also);

/* DMA, judged. False: it reached what it must not; world->what says what and what was allowed. */
bool world_read(struct world *world, unsigned int device, unsigned int place, unsigned int slot);
bool world_write(struct world *world, unsigned int device, unsigned int place, unsigned int slot);
bool world_hold(struct world *world, unsigned int device, unsigned int place, unsigned int slot);
bool world_finish(struct world *world, unsigned int device);

/** world_name() - A page as people call it; @buf may be used for that */
const char *world_name(const struct world *world, uint64_t seen, char *buf, size_t size);

/** world_find() - The page whose word number @word is @token: @likely, or another; or VM_NOWHERE */
uint64_t world_find(const struct world *world, uint64_t token, unsigned int word,
		    uint64_t likely);

/**
 * world_now() - The page that a DMA reaches by what the tables say now. Any thread; who sees the
 * clock unchanged around it knows that it was so at that time.
 */
uint64_t world_now(const struct world *world, unsigned int device, unsigned int place,
		   unsigned int slot, bool write);

/**
 * enum world_verdict - what a DMA reached
 * @WORLD_WRONG: what it may not have reached
 * @WORLD_NEW: what the tables said at some time of it
 * @WORLD_LEAVING: what a call that was under way when it began takes away, or gives in its place
 * @WORLD_OLD: what was taken away before it ended, but not invalidated
 * @WORLD_UNKNOWN: it began so long ago that the history is forgotten
 */
enum world_verdict { WORLD_WRONG, WORLD_NEW, WORLD_LEAVING, WORLD_OLD, WORLD_UNKNOWN };

/** world_judge() - Of a DMA within [@begin, @end] that reached the page @seen. Any thread. */
enum world_verdict world_judge(struct world *world, unsigned int device, unsigned int place,
			       unsigned int slot, bool write, uint64_t begin, uint64_t end,
			       uint64_t seen);

#endif
