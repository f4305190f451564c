// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "world_parts.h"

/* In two tables of one directory, and in another directory */
static const uint64_t iovas[WORLD_PAGES] = {
	0x10000000, 0x10001000, 0x10002000, 0x101ff000, 0x10200000, 0x10201000,
	0x10202000, 0x103ff000, 0x60000000, 0x60001000, 0x60200000, 0x601ff000,
};

const uint64_t world_blocks[WORLD_BLOCKS] = { 0x20000000, 0x20200000 };
static const uint64_t probes[WORLD_PROBES] = { 0, VM_PAGE, WORLD_BLOCK - VM_PAGE };

static const uint32_t pasids[WORLD_PASIDS] = { 7, 9 };

/* Guest pages outside the VM's RAM, in two tables of stage 2 */
const uint64_t world_windows[WORLD_WINDOWS] = {
	0x80000000, 0x80001000, 0x801ff000, 0x80200000, 0x80201000, 0x80202000,
};

#define TOKEN (0xa5ULL << 56)

uint32_t world_pasid(unsigned int place)
{
	return place == WORLD_RID ? DMA_NO_PASID : pasids[place - WORLD_BY_PASID];
}

unsigned int world_spaces(const struct world *world)
{
	return 2 * (1 + world->config->pasids);
}

const char *world_place(unsigned int place)
{
	static const char * const names[WORLD_PLACES] = { "RID", "PASID 7", "PASID 9" };

	return names[place];
}

uint64_t world_target(const struct world *world, unsigned int target)
{
	unsigned int probe = target - WORLD_TARGETS;

	if (target < WORLD_RAM_PAGES)
		return world->ram[target];
	if (target < WORLD_TARGETS)
		return world_windows[target - WORLD_RAM_PAGES];
	return world->areas[probe / WORLD_PROBES] + probes[probe % WORLD_PROBES];
}

static int make_ram(struct world *world)
{
	for (unsigned int i = 0; i < WORLD_RAM_PAGES; i++) {
		world->ram[i] = vm_page(&world->vm);
		if (!world->ram[i])
			return -ENOMEM;
	}
	for (unsigned int i = 0; i < WORLD_AREAS && !world->config->plain; i++) {
		world->areas[i] = vm_pages(&world->vm, WORLD_BLOCK);
		if (!world->areas[i])
			return -ENOMEM;
	}
	return 0;
}

/* Without stage 1 a slot is its target: windows first. */
static unsigned int plain_target(unsigned int slot)
{
	return slot < WORLD_WINDOWS ? WORLD_RAM_PAGES + slot : slot % WORLD_RAM_PAGES;
}

static void make_slots(struct world *world)
{
	for (unsigned int slot = 0; slot < WORLD_SLOTS; slot++) {
		unsigned int probe = slot - WORLD_PAGES;

		if (world->config->plain)
			world->iovas[slot] = world_target(world, plain_target(slot));
		else if (slot < WORLD_PAGES)
			world->iovas[slot] = iovas[slot];
		else
			world->iovas[slot] = world_blocks[probe / WORLD_PROBES] +
					     probes[probe % WORLD_PROBES];
	}
}

static int make_space(struct world *world, unsigned int space)
{
	for (unsigned int slot = 0; slot < WORLD_SLOTS; slot++) {
		if (world->config->plain)
			history_init(&world->stage1[space][slot], plain_target(slot),
				     PGTABLE_READ | PGTABLE_WRITE);
		else
			history_init(&world->stage1[space][slot], HISTORY_NONE, 0);
	}
	return vm_space_init(&world->vm, &world->spaces[space], world_pasid(space / 2));
}

static int world_init(struct world *world)
{
	int rc = make_ram(world);

	make_slots(world);
	for (unsigned int i = 0; !rc && i < world_spaces(world); i++)
		rc = make_space(world, i);
	for (unsigned int i = 0; i < WORLD_WINDOWS; i++)
		history_init(&world->stage2[i], HISTORY_NONE, 0);
	return rc;
}

static int world_start(struct world *world)
{
	int rc = world_init(world);

	for (unsigned int i = 0; !rc && i < world->config->devices; i++) {
		history_init(&world->up[i], 1, 0);
		for (unsigned int place = 0; place < WORLD_PLACES; place++)
			history_init(&world->attached[i][place], HISTORY_NONE, 0);
		for (unsigned int place = 0; !rc && place <= world->config->pasids; place++)
			rc = world_attach(world, i, 2 * place);
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
		     config->pasids ? config->vendor->pasid_flags : 0);
	if (!rc && config->pri)
		rc = config->vendor->page_requests(&world->vm);
	for (unsigned int i = 0; !rc && i < config->devices; i++)
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
		for (unsigned int place = WORLD_PLACES; place--;)
			world_detach(world, i, place);
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
	bool yes_newest;
};

/** struct standing - of the versions that lead to a page: see struct history_view */
struct standing {
	bool current;
	bool newest;
};

static struct standing standing(const struct history_view *view, unsigned int i,
				struct standing above)
{
	return (struct standing){
		view->current[i] && above.current, view->newest[i] && above.newest,
	};
}

static void answer(struct question *question, uint64_t name, uint32_t flags,
		   struct standing standing)
{
	if (question->write && name != VM_NOWHERE && !(flags & PGTABLE_WRITE))
		name = VM_NOWHERE;
	if (name != question->seen)
		return;
	question->yes = true;
	question->yes_now |= standing.current;
	question->yes_newest |= standing.newest;
}

static bool ask_stage2(struct world *world, struct question *question, unsigned int target,
		       uint32_t flags, struct standing above, uint64_t begin,
		       uint64_t end)
{
	struct history_view view;
	bool certain;

	if (target < WORLD_RAM_PAGES || target >= WORLD_TARGETS) {
		answer(question, world_target(world, target), flags, above);
		return true;
	}
	certain = history_view(&world->stage2[target - WORLD_RAM_PAGES], begin, end, &view);
	for (unsigned int i = 0; i < view.count; i++)
		answer(question, view.values[i] == HISTORY_NONE ? VM_NOWHERE :
		       (uintptr_t)world_spare(world, view.values[i]), flags,
		       standing(&view, i, above));
	return certain;
}

static bool ask_stage1(struct world *world, struct question *question, unsigned int space,
		       unsigned int slot, struct standing above, uint64_t begin, uint64_t end)
{
	struct history_view view;
	bool certain = history_view(&world->stage1[space][slot], begin, end, &view);

	for (unsigned int i = 0; i < view.count; i++) {
		struct standing now = standing(&view, i, above);

		if (view.values[i] == HISTORY_NONE)
			answer(question, VM_NOWHERE, 0, now);
		else
			certain &= ask_stage2(world, question, view.values[i], view.flags[i], now,
					      begin, end);
	}
	return certain;
}

uint64_t world_now(const struct world *world, unsigned int device, unsigned int place,
		   unsigned int slot, bool write)
{
	uint32_t flags;
	uint64_t space = history_newest(&world->attached[device][place], &flags), target, spare;

	if (space == HISTORY_NONE)
		return VM_NOWHERE;
	target = history_newest(&world->stage1[space][slot], &flags);
	if (target == HISTORY_NONE || (write && !(flags & PGTABLE_WRITE)))
		return VM_NOWHERE;
	if (target < WORLD_RAM_PAGES || target >= WORLD_TARGETS)
		return world_target(world, target);
	spare = history_newest(&world->stage2[target - WORLD_RAM_PAGES], &flags);
	return spare == HISTORY_NONE ? VM_NOWHERE : (uintptr_t)world_spare(world, spare);
}

/* What a device does while it is reset is aborted. */
static bool was_reset(struct world *world, unsigned int device, uint64_t begin, uint64_t end)
{
	struct history_view view;

	if (!history_view(&world->up[device], begin, end, &view))
		return true;
	for (unsigned int i = 0; i < view.count; i++)
		if (view.values[i] == HISTORY_NONE)
			return true;
	return false;
}

enum world_verdict world_judge(struct world *world, unsigned int device, unsigned int place,
			       unsigned int slot, bool write, uint64_t begin, uint64_t end,
			       uint64_t seen)
{
	const struct standing top = { true, true };
	struct question question = { .seen = seen, .write = write };
	struct history_view view;
	bool certain = history_view(&world->attached[device][place], begin, end, &view);

	for (unsigned int i = 0; i < view.count; i++) {
		if (view.values[i] == HISTORY_NONE)
			answer(&question, VM_NOWHERE, 0, standing(&view, i, top));
		else
			certain &= ask_stage1(world, &question, view.values[i], slot,
					      standing(&view, i, top), begin, end);
	}
	if (question.yes)
		return question.yes_newest ? WORLD_NEW : question.yes_now ? WORLD_LEAVING :
		       WORLD_OLD;
	if (seen == VM_NOWHERE && was_reset(world, device, begin, end))
		return WORLD_NEW;
	return certain ? WORLD_WRONG : WORLD_UNKNOWN;
}

/* ---- DMA */

const char *world_name(const struct world *world, uint64_t seen, char *buf, size_t size)
{
	uint64_t spare = (seen - (uintptr_t)world->vm.spare) / VM_PAGE;

	if (seen == VM_NOWHERE)
		return "nowhere";
	snprintf(buf, size, "%#llx", (unsigned long long)seen);
	for (unsigned int i = 0; i < WORLD_RAM_PAGES; i++)
		if (seen == world->ram[i])
			snprintf(buf, size, "page %u", i);
	for (unsigned int i = 0; i < WORLD_AREAS * WORLD_PROBES && world->areas[0]; i++)
		if (seen == world_target(world, WORLD_TARGETS + i))
			snprintf(buf, size, "page %#llx of area %u",
				 (unsigned long long)probes[i % WORLD_PROBES], i / WORLD_PROBES);
	if (spare < WORLD_SPARES)
		snprintf(buf, size, "spare page %llu", (unsigned long long)spare);
	return buf;
}

static bool judge(struct world *world, unsigned int device, unsigned int place, unsigned int slot,
		  bool write, uint64_t begin, uint64_t seen)
{
	enum world_verdict verdict = world_judge(world, device, place, slot, write, begin,
						 atomic_load(&world->clock), seen);
	char name[40];

	world->dmas++;
	world->stale += verdict == WORLD_OLD;
	if (verdict != WORLD_WRONG)
		return true;
	snprintf(world->what, sizeof(world->what),
		 "%s of device %u by %s at %#llx reached %s, which was not allowed any more",
		 write ? "write" : "read", device, world_place(place),
		 (unsigned long long)world->iovas[slot],
		 world_name(world, seen, name, sizeof(name)));
	return false;
}

/* The PASID is what the DMA carries; place space that means is for the IOMMU to know. */
static struct vm_space *space_of(struct world *world, unsigned int place)
{
	return &world->spaces[2 * place];
}

bool world_read(struct world *world, unsigned int device, unsigned int place, unsigned int slot)
{
	uint64_t begin = atomic_load(&world->clock);
	uint64_t seen = vm_read(world->devices[device], space_of(world, place), world->iovas[slot]);

	return judge(world, device, place, slot, false, begin, seen);
}

/* The pages that DMA of this world may reach: a name, and where the CPU sees it */
#define PAGES (WORLD_RAM_PAGES + WORLD_SPARES + WORLD_AREAS * WORLD_PROBES)

static uint64_t page_number(const struct world *world, unsigned int number)
{
	if (number < WORLD_RAM_PAGES)
		return world->ram[number];
	number -= WORLD_RAM_PAGES;
	if (number < WORLD_SPARES)
		return (uintptr_t)world_spare(world, number);
	return world_target(world, WORLD_TARGETS + number - WORLD_SPARES);
}

static uint64_t *page_at(const struct world *world, uint64_t name)
{
	return pages_ptr(&world->vm.mem, name) ?: (uint64_t *)(uintptr_t)name;
}

static bool holds(const struct world *world, uint64_t name, unsigned int word, uint64_t token)
{
	return __atomic_load_n(&page_at(world, name)[word], __ATOMIC_RELAXED) == token;
}

uint64_t world_find(const struct world *world, uint64_t token, unsigned int word, uint64_t likely)
{
	unsigned int pages = world->config->plain ? WORLD_RAM_PAGES + WORLD_SPARES : PAGES;

	if (likely != VM_NOWHERE && holds(world, likely, word, token))
		return likely;
	for (unsigned int i = 0; i < pages; i++)
		if (holds(world, page_number(world, i), word, token))
			return page_number(world, i);
	return VM_NOWHERE;
}

/* Where a token landed: the name of the page; its stamp is put back */
static uint64_t find_token(struct world *world, uint64_t token, unsigned int word)
{
	uint64_t found = world_find(world, token, word, VM_NOWHERE);

	if (found != VM_NOWHERE)
		vm_stamp(page_at(world, found), VM_PAGE, found);
	return found;
}

bool world_write(struct world *world, unsigned int device, unsigned int place, unsigned int slot)
{
	uint64_t begin = atomic_load(&world->clock), token = TOKEN | ++world->tokens;
	unsigned int word = 1 + device;
	bool done = vm_write(world->devices[device], space_of(world, place),
			     world->iovas[slot] + 8 * word, token);
	uint64_t found = find_token(world, token, word);

	if (done != (found != VM_NOWHERE)) {
		snprintf(world->what, sizeof(world->what), "write of device %u at %#llx %s", device,
			 (unsigned long long)world->iovas[slot],
			 done ? "was done and reached no page" : "was aborted and reached a page");
		return false;
	}
	return judge(world, device, place, slot, true, begin, found);
}

bool world_hold(struct world *world, unsigned int device, unsigned int place, unsigned int slot)
{
	struct world_held *held = &world->held[device];
	uint64_t begin = atomic_load(&world->clock);

	if (held->active || !(world->target.has & TARGET_HELD))
		return true;
	if (!vm_read_start(world->devices[device], space_of(world, place), world->iovas[slot]))
		return judge(world, device, place, slot, false, begin, VM_NOWHERE);
	*held = (struct world_held){ true, place, slot };
	return true;
}

/* The memory access happens now: what counts is what may be used now, not at translation. */
bool world_finish(struct world *world, unsigned int device)
{
	struct world_held *held = &world->held[device];

	if (!held->active)
		return true;
	held->active = false;
	return judge(world, device, held->place, held->slot, false, atomic_load(&world->clock),
		     vm_read_finish(world->devices[device]));
}
