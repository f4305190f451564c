// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "world.h"

/* In two tables of one directory, and in another directory */
static const uint64_t iovas[WORLD_SLOTS] = {
	0x10000000, 0x10001000, 0x10002000, 0x101ff000, 0x10200000, 0x10201000,
	0x10202000, 0x103ff000, 0x60000000, 0x60001000, 0x60200000, 0x601ff000,
};

/* Guest pages outside the VM's RAM, in two tables of stage 2 */
static const uint64_t windows[WORLD_WINDOWS] = {
	0x80000000, 0x80001000, 0x801ff000, 0x80200000, 0x80201000, 0x80202000,
};

#define TOKEN (0xa5ULL << 56)

uint64_t world_iova(unsigned int slot)
{
	return iovas[slot];
}

static uint64_t tick(struct world *world)
{
	return atomic_fetch_add(&world->clock, 1) + 1;
}

static uint8_t *spare_page(struct world *world, unsigned int spare)
{
	return world->vm.spare + spare * VM_PAGE;
}

static int world_init(struct world *world)
{
	for (unsigned int i = 0; i < WORLD_RAM_PAGES; i++) {
		world->ram[i] = vm_page(&world->vm);
		if (!world->ram[i])
			return -ENOMEM;
	}
	for (unsigned int i = 0; i < WORLD_SPACES; i++) {
		int rc;

		if (i >= 2 && !world->config->pasid)
			break;
		rc = vm_space_init(&world->vm, &world->spaces[i],
				   i < 2 ? DMA_NO_PASID : WORLD_PASID);
		if (rc)
			return rc;
		for (unsigned int slot = 0; slot < WORLD_SLOTS; slot++)
			history_init(&world->stage1[i][slot], HISTORY_NONE, 0);
	}
	for (unsigned int i = 0; i < WORLD_WINDOWS; i++)
		history_init(&world->stage2[i], HISTORY_NONE, 0);
	return 0;
}

static int world_start(struct world *world)
{
	int rc = world_init(world);

	for (unsigned int i = 0; !rc && i < WORLD_DEVICES; i++) {
		history_init(&world->attached[i][WORLD_RID], HISTORY_NONE, 0);
		history_init(&world->attached[i][WORLD_BY_PASID], HISTORY_NONE, 0);
		rc = world_attach(world, i, 0);
		if (!rc && world->config->pasid)
			rc = world_attach(world, i, 2);
	}
	for (unsigned int i = 0; !rc && i < WORLD_WINDOWS; i++)
		rc = world_s2_map(world, i, i);
	return rc;
}

int world_open(struct world *world, const struct world_config *config)
{
	int rc;

	*world = (struct world){ .config = config, .clock = 1 };
	rc = config->open(&world->target, config->arg);
	if (rc)
		return rc;
	rc = vm_open(&world->vm, &world->target, config->vendor,
		     config->pasid ? config->vendor->pasid_flags : 0);
	for (unsigned int i = 0; !rc && i < WORLD_DEVICES; i++)
		rc = vm_add_device(&world->vm, i, config->ats, &world->devices[i]);
	rc = rc ?: world_start(world);
	if (rc)
		world_close(world);
	return rc;
}

void world_close(struct world *world)
{
	for (unsigned int i = 0; i < WORLD_DEVICES; i++) {
		if (!world->devices[i])
			continue;
		world_finish(world, i);
		if (world->config->pasid)
			world_detach(world, i, WORLD_BY_PASID);
		world_detach(world, i, WORLD_RID);
	}
	for (unsigned int i = 0; i < WORLD_SPACES; i++)
		vm_space_fini(&world->spaces[i]);
	vm_close(&world->vm);
	if (world->target.ops)
		world->target.ops->close(&world->target);
}

/* ---- what may be reached */

/* A page by its name, or VM_NOWHERE: is it @seen? */
struct question {
	uint64_t seen;
	bool write;
	bool yes;
	bool yes_now;
};

static void answer(struct question *question, uint64_t name, uint32_t flags, bool current)
{
	if (question->write && name != VM_NOWHERE && !(flags & PGTABLE_WRITE))
		name = VM_NOWHERE;
	if (name != question->seen)
		return;
	question->yes = true;
	question->yes_now |= current;
}

static bool ask_stage2(struct world *world, struct question *question, unsigned int target,
		       uint32_t flags, bool current, uint64_t begin, uint64_t end)
{
	struct history_view view;
	bool certain;

	if (target < WORLD_RAM_PAGES) {
		answer(question, world->ram[target], flags, current);
		return true;
	}
	certain = history_view(&world->stage2[target - WORLD_RAM_PAGES], begin, end, &view);
	for (unsigned int i = 0; i < view.count; i++)
		answer(question, view.values[i] == HISTORY_NONE ? VM_NOWHERE :
		       (uintptr_t)spare_page(world, view.values[i]), flags,
		       current && view.current[i]);
	return certain;
}

static bool ask_stage1(struct world *world, struct question *question, unsigned int space,
		       unsigned int slot, bool current, uint64_t begin, uint64_t end)
{
	struct history_view view;
	bool certain = history_view(&world->stage1[space][slot], begin, end, &view);

	for (unsigned int i = 0; i < view.count; i++) {
		bool now = current && view.current[i];

		if (view.values[i] == HISTORY_NONE)
			answer(question, VM_NOWHERE, 0, now);
		else
			certain &= ask_stage2(world, question, view.values[i], view.flags[i], now,
					      begin, end);
	}
	return certain;
}

bool world_allowed(struct world *world, unsigned int device, unsigned int which, unsigned int slot,
		   bool write, uint64_t begin, uint64_t end, uint64_t seen, bool *stale)
{
	struct question question = { .seen = seen, .write = write };
	struct history_view view;
	bool certain = history_view(&world->attached[device][which], begin, end, &view);

	for (unsigned int i = 0; i < view.count; i++) {
		if (view.values[i] == HISTORY_NONE)
			answer(&question, VM_NOWHERE, 0, view.current[i]);
		else
			certain &= ask_stage1(world, &question, view.values[i], slot,
					      view.current[i], begin, end);
	}
	*stale = question.yes && !question.yes_now;
	return question.yes || !certain;
}

/* ---- DMA */

static const char *page_name(struct world *world, uint64_t seen, char *buf, size_t size)
{
	if (seen == VM_NOWHERE)
		return "nowhere";
	for (unsigned int i = 0; i < WORLD_RAM_PAGES; i++)
		if (seen == world->ram[i])
			snprintf(buf, size, "page %u", i);
	if (seen - (uintptr_t)world->vm.spare < WORLD_SPARES * VM_PAGE)
		snprintf(buf, size, "spare page %u",
			 (unsigned int)((seen - (uintptr_t)world->vm.spare) / VM_PAGE));
	return buf;
}

static bool judge(struct world *world, unsigned int device, unsigned int which, unsigned int slot,
		  bool write, uint64_t begin, uint64_t seen)
{
	char name[40];
	bool stale;

	world->dmas++;
	snprintf(name, sizeof(name), "%#llx", (unsigned long long)seen);
	if (world_allowed(world, device, which, slot, write, begin, atomic_load(&world->clock),
			  seen, &stale)) {
		world->stale += stale;
		return true;
	}
	snprintf(world->what, sizeof(world->what),
		 "%s of device %u by %s at %#llx reached %s, which was not allowed any more",
		 write ? "write" : "read", device, which == WORLD_RID ? "RID" : "PASID",
		 (unsigned long long)iovas[slot], page_name(world, seen, name, sizeof(name)));
	return false;
}

/* The PASID is what the DMA carries; which space that means is for the IOMMU to know. */
static struct vm_space *space_of(struct world *world, unsigned int which)
{
	return &world->spaces[which == WORLD_RID ? 0 : 2];
}

bool world_read(struct world *world, unsigned int device, unsigned int which, unsigned int slot)
{
	uint64_t begin = atomic_load(&world->clock);
	uint64_t seen = vm_read(world->devices[device], space_of(world, which), iovas[slot]);

	return judge(world, device, which, slot, false, begin, seen);
}

/* Where a token landed: the name of the page; its stamp is put back */
static uint64_t find_token(struct world *world, uint64_t token, unsigned int word)
{
	uint64_t found = VM_NOWHERE;

	for (unsigned int i = 0; i < WORLD_RAM_PAGES + WORLD_SPARES; i++) {
		uint64_t name = i < WORLD_RAM_PAGES ? world->ram[i] :
				(uintptr_t)spare_page(world, i - WORLD_RAM_PAGES);
		uint64_t *page = i < WORLD_RAM_PAGES ? pages_ptr(&world->vm.mem, name) :
				 (uint64_t *)(uintptr_t)name;

		if (__atomic_load_n(&page[word], __ATOMIC_RELAXED) != token)
			continue;
		found = name;
		vm_stamp(page, VM_PAGE, name);
	}
	return found;
}

bool world_write(struct world *world, unsigned int device, unsigned int which, unsigned int slot)
{
	uint64_t begin = atomic_load(&world->clock), token = TOKEN | ++world->tokens;
	unsigned int word = 1 + device;
	bool done = vm_write(world->devices[device], space_of(world, which),
			     iovas[slot] + 8 * word, token);
	uint64_t found = find_token(world, token, word);

	if (done != (found != VM_NOWHERE)) {
		snprintf(world->what, sizeof(world->what), "write of device %u at %#llx %s", device,
			 (unsigned long long)iovas[slot],
			 done ? "was done and reached no page" : "was aborted and reached a page");
		return false;
	}
	return judge(world, device, which, slot, true, begin, found);
}

bool world_hold(struct world *world, unsigned int device, unsigned int which, unsigned int slot)
{
	struct world_held *held = &world->held[device];
	uint64_t begin = atomic_load(&world->clock);

	if (held->active || !(world->target.has & TARGET_HELD))
		return true;
	if (!vm_read_start(world->devices[device], space_of(world, which), iovas[slot]))
		return judge(world, device, which, slot, false, begin, VM_NOWHERE);
	*held = (struct world_held){ true, which, slot };
	return true;
}

/* The memory access happens now: what counts is what may be used now, not at translation. */
bool world_finish(struct world *world, unsigned int device)
{
	struct world_held *held = &world->held[device];

	if (!held->active)
		return true;
	held->active = false;
	return judge(world, device, held->which, held->slot, false, atomic_load(&world->clock),
		     vm_read_finish(world->devices[device]));
}

static void finish_held(void *arg)
{
	struct world *world = arg;

	for (unsigned int i = 0; i < WORLD_DEVICES; i++)
		if (!world_finish(world, i))
			return;
}

/* ---- operations that software waits in: what is held ends in the middle of them */

static void before_waiting(struct world *world)
{
	bool held = false;

	for (unsigned int i = 0; i < WORLD_DEVICES; i++)
		held |= world->held[i].active;
	if (!held)
		return;
	/* Where nobody tells of the wait, nobody can end it from within. */
	if (!world->target.ops->waiting)
		finish_held(world);
	else
		world->target.ops->waiting(&world->target, finish_held, world);
}

static int after_waiting(struct world *world, int rc)
{
	if (world->target.ops->waiting)
		world->target.ops->waiting(&world->target, NULL, NULL);
	return world->what[0] ? -EBADMSG : rc;
}

static uint64_t target_gpa(struct world *world, unsigned int target)
{
	return target < WORLD_RAM_PAGES ? world->ram[target] : windows[target - WORLD_RAM_PAGES];
}

int world_map(struct world *world, unsigned int space, unsigned int slot, unsigned int target,
	      bool writable)
{
	bool read_only = !writable && world->target.has & TARGET_READ;
	unsigned int prot = PGTABLE_READ | PGTABLE_USER | (read_only ? 0 : PGTABLE_WRITE);
	struct history *history = &world->stage1[space][slot];
	int rc;

	history_change(history, target, prot, tick(world));
	rc = vm_map(&world->spaces[space], iovas[slot], target_gpa(world, target), VM_PAGE, prot);
	history_changed(history, tick(world));
	return rc;
}

int world_unmap(struct world *world, unsigned int space, unsigned int slot)
{
	struct history *history = &world->stage1[space][slot];

	history_change(history, HISTORY_NONE, 0, tick(world));
	vm_unmap(&world->spaces[space], iovas[slot], VM_PAGE);
	history_changed(history, tick(world));
	return 0;
}

int world_invalidate(struct world *world, unsigned int space, unsigned int slot, bool leaf_only)
{
	uint64_t began = tick(world);
	int rc;

	before_waiting(world);
	rc = vm_invalidate(&world->spaces[space], iovas[slot], VM_PAGE,
			   leaf_only ? VM_LEAF_ONLY : 0);
	if (!rc)
		history_invalidated(&world->stage1[space][slot], began, tick(world));
	return after_waiting(world, rc);
}

int world_invalidate_space(struct world *world, unsigned int space)
{
	uint64_t began = tick(world), now;
	int rc;

	before_waiting(world);
	rc = vm_invalidate_space(&world->spaces[space]);
	now = tick(world);
	for (unsigned int slot = 0; !rc && slot < WORLD_SLOTS; slot++)
		history_invalidated(&world->stage1[space][slot], began, now);
	return after_waiting(world, rc);
}

int world_s2_map(struct world *world, unsigned int window, unsigned int spare)
{
	struct history *history = &world->stage2[window];
	int rc;

	history_change(history, spare, 0, tick(world));
	before_waiting(world);
	rc = vm_s2_map(&world->vm, windows[window], spare_page(world, spare), VM_PAGE,
		       IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE);
	history_changed(history, tick(world));
	return after_waiting(world, rc);
}

/* That a kernel breaks this promise is seen by a test of its own; here the VMM keeps it. */
static int drop_pasids(struct world *world)
{
	const struct world_config *config = world->config;
	int rc = 0;

	if (!config->vendor->stage2_leaves_pasids || !config->pasid || !config->ats ||
	    world->target.has & TARGET_REFERENCE)
		return 0;
	for (unsigned int i = 2; i < WORLD_SPACES && !rc; i++)
		rc = vm_invalidate_space(&world->spaces[i]);
	return rc;
}

/* The call returns when nothing uses the page any more: its return is the completion. */
int world_s2_unmap(struct world *world, unsigned int window)
{
	struct history *history = &world->stage2[window];
	uint64_t now;
	int rc;

	history_change(history, HISTORY_NONE, 0, tick(world));
	before_waiting(world);
	rc = vm_s2_unmap(&world->vm, windows[window], VM_PAGE) ?: drop_pasids(world);
	now = tick(world);
	history_changed(history, now);
	if (!rc)
		history_invalidated(history, now, now);
	return after_waiting(world, rc);
}

static struct vm_space *attached_space(struct world *world, unsigned int device,
				       unsigned int which)
{
	struct history_view view;
	uint64_t now = atomic_load(&world->clock);

	history_view(&world->attached[device][which], now, now, &view);
	return view.values[0] == HISTORY_NONE ? NULL : &world->spaces[view.values[0]];
}

int world_attach(struct world *world, unsigned int device, unsigned int space)
{
	unsigned int which = space < 2 ? WORLD_RID : WORLD_BY_PASID;
	struct history *history = &world->attached[device][which];
	struct vm_space *old = attached_space(world, device, which);
	uint64_t now;
	int rc;

	if (old == &world->spaces[space])
		return -EALREADY;
	/* Replacing need not be hitless: in between, the device may be blocked. */
	history_change(history, HISTORY_NONE, 0, tick(world));
	history_change(history, space, 0, tick(world));
	before_waiting(world);
	rc = vm_replace(world->devices[device], &world->spaces[space], old);
	now = tick(world);
	history_changed(history, now);
	if (!rc)
		history_invalidated(history, now, now);
	return after_waiting(world, rc);
}

int world_detach(struct world *world, unsigned int device, unsigned int which)
{
	struct history *history = &world->attached[device][which];
	struct vm_space *old = attached_space(world, device, which);
	uint64_t now;
	int rc;

	if (!old)
		return -EALREADY;
	history_change(history, HISTORY_NONE, 0, tick(world));
	before_waiting(world);
	rc = vm_detach(world->devices[device], old);
	now = tick(world);
	history_changed(history, now);
	if (!rc)
		history_invalidated(history, now, now);
	return after_waiting(world, rc);
}

int world_reset(struct world *world, unsigned int device)
{
	int rc;

	if (!world->target.ops->reset)
		return -EALREADY;
	before_waiting(world);
	rc = world->target.ops->reset(&world->target, &world->vm.iommufd,
				      world->devices[device]->dev_id);
	return after_waiting(world, rc == -EOPNOTSUPP ? -EALREADY : rc);
}
