// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command buffers, 2.4: fetching, holding back, and COMPLETION_WAIT.
 *
 * A fetched command lies in the pending list until a COMPLETION_WAIT behind it obliges it to take
 * effect: that is as late as the specification lets it.
 */
#include <stdlib.h>

#include "amdvi_model.h"

static bool is_wait(const struct amdvi_command *command)
{
	return amdvi_get(command->word[0], AMDVI_CMD0_OPCODE) == AMDVI_COMPLETION_WAIT;
}

/* ---- Errors: the buffer halts at the command (2.4, 2.5.5, 2.5.6) ---- */

void amdvi_unit_error(struct amdvi_unit *unit, enum amdvi_event event, uint64_t flags,
		      uint64_t addr)
{
	amdvi_log_event(unit, flags | amdvi_put(event, AMDVI_EVENT0_CODE), addr);
	if (!FAULT("amdvi.error-goes-on", "The command buffer does not halt at an error"))
		unit->status &= ~AMDVI_STATUS_CMDBUF_RUN;
}

/* Software corrects the command and starts again there: nothing behind it has happened. */
static void halt_at(struct amdvi_unit *unit, const struct amdvi_command *command,
		    enum command_status status)
{
	uint64_t type = amdvi_put(AMDVI_TYPE_MASTER_ABORT, AMDVI_EVENT0_TYPE);

	if (status == COMMAND_ILLEGAL)
		amdvi_unit_error(unit, AMDVI_ILLEGAL_COMMAND_ERROR, 0, command->addr);
	else
		amdvi_unit_error(unit, AMDVI_COMMAND_HARDWARE_ERROR, type, command->addr);
	if (!(unit->status & AMDVI_STATUS_CMDBUF_RUN))
		unit->cmd.head = command->addr - (unit->cmd.base & AMDVI_BASE_ADDR);
}

/* ---- Effects ---- */

/* Commands without order between them change places (2.4: independent commands). */
static void shuffle(struct amdvi_unit *unit)
{
	struct freedom *freedom = &unit->amdvi->hw.freedom;
	struct amdvi_command *pending = unit->pending, other;

	for (size_t round = 0; round < unit->pending_count; round++) {
		for (size_t i = 1; i < unit->pending_count; i++) {
			if (amdvi_command_ordered(pending + i - 1, pending + i) ||
			    !freedom_take(freedom, freedom->reorder))
				continue;
			other = pending[i];
			pending[i] = pending[i - 1];
			pending[i - 1] = other;
		}
	}
}

static void apply_older(struct amdvi_unit *unit, size_t from, uint64_t order)
{
	for (size_t i = from; i < unit->pending_count; i++)
		if (unit->pending[i].order < order)
			amdvi_command_apply(unit, unit->pending + i);
}

/* False: one was in error. All before it have taken effect; those behind it are fetched again. */
static bool apply_pending(struct amdvi_unit *unit)
{
	bool good = true;

	if (unit->amdvi->hw.freedom.reorder)
		shuffle(unit);
	for (size_t i = 0; good && i < unit->pending_count; i++) {
		struct amdvi_command *command = unit->pending + i;
		enum command_status status = amdvi_command_apply(unit, command);

		if (!status)
			continue;
		halt_at(unit, command, status);
		good = unit->status & AMDVI_STATUS_CMDBUF_RUN;
		if (!good)
			apply_older(unit, i + 1, command->order);
	}
	unit->pending_count = 0;
	return good;
}

static void hold_back(struct amdvi_unit *unit, const struct amdvi_command *command)
{
	unit->pending = amdvi_grow(unit->pending, unit->pending_count, &unit->pending_room,
				   sizeof(*command));
	unit->pending[unit->pending_count++] = *command;
}

/* ---- COMPLETION_WAIT ---- */

static void begin_wait(struct amdvi_unit *unit, const struct amdvi_command *command)
{
	struct freedom *freedom = &unit->amdvi->hw.freedom;
	struct amdvi_wait *wait = &unit->wait;
	bool flush = command->word[0] & AMDVI_WAIT0_F;

	if (!FAULT("amdvi.wait-without-effect", "COMPLETION_WAIT does not carry out the rest") &&
	    !apply_pending(unit))
		return;
	if (FAULT("amdvi.wait-f-ignored", "COMPLETION_WAIT with F lets later commands start"))
		flush = false;
	wait->active = true;
	wait->ahead = !flush && freedom_take(freedom, freedom->reorder);
	wait->command = *command;
	wait->ready = unit->amdvi->now;
	if (freedom_take(freedom, freedom->delay) && freedom->delay_steps)
		wait->ready += 1 + freedom_draw(freedom) % freedom->delay_steps;
	/* 2.4.11: requests that may have used what was just removed */
	inflight_take(unit->amdvi->hw.inflight, INFLIGHT_UNTRANSLATED, &wait->inflight);
}

static bool wait_is_over(struct amdvi_unit *unit)
{
	struct amdvi_wait *wait = &unit->wait;

	if (amdvi_ats_busy(unit, wait->command.order) &&
	    !FAULT("amdvi.wait-before-ats", "COMPLETION_WAIT does not wait for devices' IOTLBs"))
		return false;
	if (!inflight_drained(unit->amdvi->hw.inflight, &wait->inflight) &&
	    !FAULT("amdvi.wait-before-drain", "COMPLETION_WAIT does not wait for DMA in flight"))
		return false;
	return unit->amdvi->now >= wait->ready;
}

static bool store(struct amdvi_unit *unit, const struct amdvi_command *command)
{
	uint64_t pa;

	if (!(command->word[0] & AMDVI_WAIT0_S) &&
	    !FAULT("amdvi.store-without-s", "COMPLETION_WAIT stores with S clear"))
		return true;
	if (amdvi_unit_pa(unit, command->word[0] & AMDVI_WAIT0_ADDR, HW_WRITE, &pa))
		return false;
	if (FAULT("amdvi.store-truncated", "COMPLETION_WAIT stores 32 bits"))
		return !hw_write32(unit->amdvi->hw.mem, pa, command->word[1]);
	return !hw_write64(unit->amdvi->hw.mem, pa, command->word[1]);
}

static void end_wait(struct amdvi_unit *unit)
{
	struct amdvi *amdvi = unit->amdvi;
	struct amdvi_command command = unit->wait.command;
	bool clear = !(unit->status & AMDVI_STATUS_COMWAIT_INT);

	unit->wait.active = false;
	if (!store(unit, &command)) {
		halt_at(unit, &command, COMMAND_UNREADABLE);
		return;
	}
	hw_count_alone(amdvi->hw.counts.syncs, 1);
	amdvi_trace(amdvi, "COMPLETION_WAIT done: %#llx at %#llx, guest %lld", command.word[1],
		    command.word[0] & AMDVI_WAIT0_ADDR, unit->guest ? unit->guest_id : -1LL);
	if (!(command.word[0] & AMDVI_WAIT0_I) ||
	    FAULT("amdvi.wait-no-interrupt", "COMPLETION_WAIT with I sets no status"))
		return;
	unit->status |= AMDVI_STATUS_COMWAIT_INT;
	if (clear && (unit->guest ? unit->control[0] & AMDVI_VQUEUE_INT :
		      amdvi->control & AMDVI_CONTROL_COMWAIT_INT_EN))
		amdvi_msi(amdvi);
}

/* ---- Fetching ---- */

static bool read_command(struct amdvi_unit *unit, struct amdvi_command *command)
{
	struct hw_mem *mem = unit->amdvi->hw.mem;
	uint64_t pa;

	command->addr = (unit->cmd.base & AMDVI_BASE_ADDR) + unit->cmd.head;
	command->order = unit->fetched + 1;
	if (!amdvi_unit_pa(unit, command->addr, HW_READ, &pa) &&
	    !hw_read64(mem, pa, command->word) && !hw_read64(mem, pa + 8, command->word + 1))
		return true;
	amdvi_unit_error(unit, AMDVI_COMMAND_HARDWARE_ERROR,
			 amdvi_put(AMDVI_TYPE_MASTER_ABORT, AMDVI_EVENT0_TYPE) |
			 (unit->guest ? AMDVI_EVENT0_VCMD : 0), command->addr);
	return false;
}

static bool fetch(struct amdvi_unit *unit)
{
	struct freedom *freedom = &unit->amdvi->hw.freedom;
	struct amdvi_command command;
	enum command_status status;

	if (unit->cmd.head == unit->cmd.tail || !read_command(unit, &command))
		return false;
	if (unit->wait.active && is_wait(&command))
		return false;	/* one at a time */
	if (!amdvi_command_legal(unit, &command)) {
		halt_at(unit, &command, COMMAND_ILLEGAL);
		if (FAULT("amdvi.error-loses-older", "An illegal command takes older ones with it"))
			unit->pending_count = 0;
		if (!(unit->status & AMDVI_STATUS_CMDBUF_RUN))
			return false;
		unit->cmd.head = amdvi_ring_next(&unit->cmd, unit->cmd.head);
		return true;
	}
	unit->fetched++;
	unit->cmd.head = amdvi_ring_next(&unit->cmd, unit->cmd.head);
	hw_count_alone(unit->amdvi->hw.counts.commands, 1);
	amdvi_command_trace(unit, &command);
	if (is_wait(&command)) {
		begin_wait(unit, &command);
	} else if (amdvi_command_at_once(&command)) {
		status = amdvi_command_apply(unit, &command);
		if (status)
			halt_at(unit, &command, status);
	} else {
		hold_back(unit, &command);
		if (freedom_take(freedom, freedom->early))
			apply_pending(unit);
	}
	return true;
}

static bool may_fetch(struct amdvi_unit *unit)
{
	uint64_t on = AMDVI_CONTROL_VIOMMU_EN | AMDVI_CONTROL_VCMD_EN;

	if (!(unit->status & AMDVI_STATUS_CMDBUF_RUN))
		return false;
	if (unit->guest && (unit->amdvi->control & on) != on)
		return false;
	return !unit->wait.active || unit->wait.ahead;
}

bool amdvi_unit_run(struct amdvi_unit *unit)
{
	bool any = false;

	for (;;) {
		if (unit->wait.active && wait_is_over(unit))
			end_wait(unit);
		else if (!may_fetch(unit) || !fetch(unit))
			return any;
		any = true;
	}
}

bool amdvi_unit_step(struct amdvi_unit *unit)
{
	bool any = amdvi_unit_run(unit);

	/* Requests in flight may be over any moment; devices that answer are others' steps. */
	return any || (unit->wait.active && !amdvi_ats_busy(unit, unit->wait.command.order));
}

void amdvi_unit_stop(struct amdvi_unit *unit, bool finish)
{
	unit->status &= ~AMDVI_STATUS_CMDBUF_RUN;
	if (unit->guest &&
	    FAULT("amdvi.stop-keeps-wait", "A stopped guest's COMPLETION_WAIT still stores"))
		return;
	unit->wait.active = false;
	amdvi_ats_forget(unit);
	if (finish &&
	    !FAULT("amdvi.restart-loses", "What was fetched before the switch-off is lost"))
		apply_pending(unit);
	unit->pending_count = 0;
}
