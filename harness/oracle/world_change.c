// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "world_parts.h"

#define WORLD_NOWHERE UINT32_MAX	/* no target */

static const struct {
	uint64_t iova;
	uint64_t len;
} ranges[WORLD_RANGES] = {
	{ 0x10000000, 2 * VM_PAGE }, { 0x10000000, 16 * VM_PAGE },
	{ 0x10200000, WORLD_BLOCK }, { 0x10000000, 2 * WORLD_BLOCK },
	{ 0x60000000, 2 * WORLD_BLOCK }, { 0x20000000, 2 * WORLD_BLOCK },
};

/* ---- operations that software waits in: what is held ends in the middle of them */

static void finish_held(void *arg)
{
	struct world *world = arg;

	for (unsigned int i = 0; i < world->config->devices; i++)
		if (!world_finish(world, i))
			return;
}

static void before_waiting(struct world *world)
{
	bool held = false;

	for (unsigned int i = 0; i < world->config->devices; i++)
		held |= world->held[i].active;
	if (!held)
		return;
	/* Where nobody tells of the wait, nobody can end it from within. */
	if (!(world->target.has & TARGET_WAITING))
		finish_held(world);
	else
		world->target.ops->waiting(&world->target, finish_held, world);
}

static int after_waiting(struct world *world, int rc)
{
	if (world->target.has & TARGET_WAITING)
		world->target.ops->waiting(&world->target, NULL, NULL);
	return world->what[0] ? -EBADMSG : rc;
}

static unsigned int prot_of(const struct world *world, bool writable)
{
	bool read_only = !writable && world->target.has & TARGET_READ;

	return PGTABLE_READ | PGTABLE_USER | (read_only ? 0 : PGTABLE_WRITE);
}

int world_map(struct world *world, unsigned int space, unsigned int slot, unsigned int target,
	      bool writable)
{
	unsigned int prot = prot_of(world, writable);
	struct history *history = &world->stage1[space][slot];
	int rc;

	history_change(history, target, prot, world_tick(world));
	rc = vm_map(&world->spaces[space], world->iovas[slot], world_target(world, target),
		    VM_PAGE, prot);
	history_changed(history, world_tick(world));
	return rc;
}

int world_unmap(struct world *world, unsigned int space, unsigned int slot)
{
	struct history *history = &world->stage1[space][slot];

	history_change(history, HISTORY_NONE, 0, world_tick(world));
	vm_unmap(&world->spaces[space], world->iovas[slot], VM_PAGE);
	history_changed(history, world_tick(world));
	return 0;
}

/* An invalidation of [@iova, +@len) of @space that began at @began is complete. */
static void invalidated(struct world *world, unsigned int space, uint64_t iova, uint64_t len,
			uint64_t began)
{
	uint64_t now = world_tick(world);

	for (unsigned int slot = 0; slot < WORLD_SLOTS; slot++)
		if (world->iovas[slot] - iova < len)
			history_invalidated(&world->stage1[space][slot], began, now);
}

static int invalidate(struct world *world, unsigned int space, uint64_t iova, uint64_t len,
		      unsigned int change)
{
	uint64_t began = world_tick(world);
	int rc;

	before_waiting(world);
	rc = vm_invalidate(&world->spaces[space], iova, len, change);
	if (!rc)
		invalidated(world, space, iova, len, began);
	return after_waiting(world, rc);
}

struct world_cover world_slot(const struct world *world, unsigned int space, unsigned int slot)
{
	return (struct world_cover){ space, world->iovas[slot], VM_PAGE };
}

struct world_cover world_range(unsigned int space, unsigned int range)
{
	return (struct world_cover){ space, ranges[range].iova, ranges[range].len };
}

int world_invalidate(struct world *world, unsigned int space, unsigned int slot, bool leaf_only)
{
	return invalidate(world, space, world->iovas[slot], VM_PAGE, leaf_only ? VM_LEAF_ONLY : 0);
}

int world_invalidate_range(struct world *world, unsigned int space, unsigned int range,
			   bool leaf_only)
{
	return invalidate(world, space, ranges[range].iova, ranges[range].len,
			  leaf_only ? VM_LEAF_ONLY : 0);
}

int world_invalidate_space(struct world *world, unsigned int space)
{
	uint64_t began = world_tick(world);
	int rc;

	before_waiting(world);
	rc = vm_invalidate_space(&world->spaces[space]);
	if (!rc)
		invalidated(world, space, 0, UINT64_MAX, began);
	return after_waiting(world, rc);
}

static struct vm_range as_range(struct world *world, const struct world_cover *cover)
{
	return (struct vm_range){ &world->spaces[cover->space], cover->iova, cover->len };
}

int world_invalidate_batch(struct world *world, const struct world_cover *covers,
			   unsigned int count)
{
	struct vm_range batch[VM_BATCH];
	uint64_t began = world_tick(world);
	int rc;

	for (unsigned int i = 0; i < count; i++)
		batch[i] = as_range(world, &covers[i]);
	before_waiting(world);
	rc = vm_invalidate_batch(&world->vm, batch, count, 0);
	for (unsigned int i = 0; !rc && i < count; i++)
		invalidated(world, covers[i].space, covers[i].iova, covers[i].len, began);
	return after_waiting(world, rc);
}

int world_invalidate_all(struct world *world)
{
	struct vm_space *spaces[WORLD_SPACES];
	uint64_t began = world_tick(world);
	int rc;

	for (unsigned int i = 0; i < world_spaces(world); i++)
		spaces[i] = &world->spaces[i];
	before_waiting(world);
	rc = vm_invalidate_all(&world->vm, spaces, world_spaces(world));
	for (unsigned int i = 0; !rc && i < world_spaces(world); i++)
		invalidated(world, i, 0, UINT64_MAX, began);
	return after_waiting(world, rc);
}

/* ---- page requests */

int world_service(struct world *world)
{
	return world->target.ops->service(&world->target);
}

int world_next_fault(struct world *world, struct vm_fault *fault)
{
	return world->config->vendor->next_fault(&world->vm, fault);
}

int world_answer(struct world *world, const struct vm_fault *fault, bool served,
		 const struct world_cover *also)
{
	uint64_t began = world_tick(world);
	struct vm_range range;
	int rc;

	if (also)
		range = as_range(world, also);
	before_waiting(world);
	rc = world->config->vendor->answer(&world->vm, fault, served, also ? &range : NULL);
	if (!rc && also)
		invalidated(world, also->space, also->iova, also->len, began);
	return after_waiting(world, rc);
}

/* ---- blocks of 2 MiB, of which three pages are looked at */

static void block_change(struct world *world, unsigned int space, unsigned int block,
			 unsigned int target, uint32_t flags)
{
	uint64_t now = world_tick(world);

	for (unsigned int i = 0; i < WORLD_PROBES; i++) {
		unsigned int slot = WORLD_PAGES + block * WORLD_PROBES + i;
		bool none = target == WORLD_NOWHERE;

		history_change(&world->stage1[space][slot], none ? HISTORY_NONE : target + i,
			       flags, now);
	}
}

/* Where a table is may be cached: it is used until the invalidation, what is not in it included. */
static void block_changed(struct world *world, unsigned int space, unsigned int block)
{
	uint64_t now = world_tick(world);

	for (unsigned int i = 0; i < WORLD_PROBES; i++)
		history_relinked(&world->stage1[space][WORLD_PAGES + block * WORLD_PROBES + i],
				 now);
}

/* Arm: a block and a table may not replace each other without an invalidation in between. */
static int break_block(struct world *world, unsigned int space, unsigned int block)
{
	block_change(world, space, block, WORLD_NOWHERE, 0);
	vm_unmap_tables(&world->spaces[space], world_blocks[block], WORLD_BLOCK);
	block_changed(world, space, block);
	return invalidate(world, space, world_blocks[block], WORLD_BLOCK, 0);
}

int world_block(struct world *world, unsigned int space, unsigned int block, unsigned int area,
		bool whole)
{
	enum world_block *state = &world->block[space][block];
	unsigned int prot = prot_of(world, true), target = WORLD_TARGETS + area * WORLD_PROBES;
	int rc = 0;

	if (*state != WORLD_EMPTY && world->config->vendor->break_before_make)
		rc = break_block(world, space, block);
	if (rc)
		return rc;
	/* A table is linked before it is filled: in between there is nothing. */
	if (!whole)
		block_change(world, space, block, WORLD_NOWHERE, 0);
	block_change(world, space, block, target, prot);
	rc = vm_map_leaves(&world->spaces[space], world_blocks[block], world->areas[area],
			   WORLD_BLOCK, prot, whole ? WORLD_BLOCK : VM_PAGE);
	block_changed(world, space, block);
	*state = whole ? WORLD_WHOLE : WORLD_SPLIT;
	return rc ?: invalidate(world, space, world_blocks[block], WORLD_BLOCK, 0);
}

/* ---- stage 2, attachments, resets */

int world_s2_map(struct world *world, unsigned int window, unsigned int spare)
{
	struct history *history = &world->stage2[window];
	int rc;

	history_change(history, spare, 0, world_tick(world));
	before_waiting(world);
	rc = vm_s2_map(&world->vm, world_windows[window], world_spare(world, spare), VM_PAGE,
		       IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE);
	history_changed(history, world_tick(world));
	return after_waiting(world, rc);
}

/* That a kernel breaks this promise is seen by a test of its own; here the VMM keeps it. */
static int drop_pasids(struct world *world)
{
	const struct world_config *config = world->config;
	int rc = 0;

	if (!config->vendor->stage2_leaves_pasids || !config->pasids || !config->ats ||
	    world->target.has & TARGET_REFERENCE)
		return 0;
	for (unsigned int i = 2; i < world_spaces(world) && !rc; i++)
		rc = vm_invalidate_space(&world->spaces[i]);
	return rc;
}

/* The call returns when nothing uses the page any more: its return is the completion. */
int world_s2_unmap(struct world *world, unsigned int window)
{
	struct history *history = &world->stage2[window];
	uint64_t now;
	int rc;

	history_change(history, HISTORY_NONE, 0, world_tick(world));
	before_waiting(world);
	rc = vm_s2_unmap(&world->vm, world_windows[window], VM_PAGE) ?: drop_pasids(world);
	now = world_tick(world);
	history_changed(history, now);
	if (!rc)
		history_invalidated(history, now, now);
	return after_waiting(world, rc);
}

static struct vm_space *attached_space(struct world *world, unsigned int device,
				       unsigned int place)
{
	struct history_view view;
	uint64_t now = atomic_load(&world->clock);

	history_view(&world->attached[device][place], now, now, &view);
	return view.values[0] == HISTORY_NONE ? NULL : &world->spaces[view.values[0]];
}

int world_attach(struct world *world, unsigned int device, unsigned int space)
{
	unsigned int place = space / 2;
	struct history *history = &world->attached[device][place];
	struct vm_space *old = attached_space(world, device, place);
	uint64_t now;
	int rc;

	if (old == &world->spaces[space])
		return -EALREADY;
	/* Replacing need not be hitless: in between, the device may be blocked. */
	history_change(history, HISTORY_NONE, 0, world_tick(world));
	history_change(history, space, 0, world_tick(world));
	before_waiting(world);
	rc = vm_replace(world->devices[device], &world->spaces[space], old);
	now = world_tick(world);
	history_changed(history, now);
	if (!rc)
		history_invalidated(history, now, now);
	return after_waiting(world, rc);
}

int world_detach(struct world *world, unsigned int device, unsigned int place)
{
	struct history *history = &world->attached[device][place];
	struct vm_space *old = attached_space(world, device, place);
	uint64_t now;
	int rc;

	if (!old)
		return -EALREADY;
	history_change(history, HISTORY_NONE, 0, world_tick(world));
	before_waiting(world);
	rc = vm_detach(world->devices[device], old);
	now = world_tick(world);
	history_changed(history, now);
	if (!rc)
		history_invalidated(history, now, now);
	return after_waiting(world, rc);
}

/* So is that it forgets at a reset what a device is under. */
static int tell_again(struct world *world, unsigned int device)
{
	const struct vm_vendor *vendor = world->config->vendor;

	if (!vendor->reset_done || world->target.has & TARGET_REFERENCE)
		return 0;
	return vendor->reset_done(world->devices[device]);
}

/* What the device did meanwhile is aborted, and need not be: it may come before or after. */
int world_reset(struct world *world, unsigned int device)
{
	struct history *up = &world->up[device];
	uint64_t now;
	int rc;

	if (!world->target.ops->reset)
		return -EALREADY;
	history_change(up, HISTORY_NONE, 0, world_tick(world));
	/* Of a real device the engines are out of reach meanwhile. */
	if (world->target.has & TARGET_REFERENCE)
		before_waiting(world);
	else
		finish_held(world);
	rc = world->target.ops->reset(&world->target, &world->vm.iommufd,
				      world->devices[device]->dev_id);
	rc = rc ?: tell_again(world, device);
	now = world_tick(world);
	history_change(up, 1, 0, now);
	history_changed(up, now);
	history_invalidated(up, now, now);
	return after_waiting(world, rc == -EOPNOTSUPP ? -EALREADY : rc);
}
