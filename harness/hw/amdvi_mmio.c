// SPDX-License-Identifier: GPL-2.0-only
/* The register space, 3.4. Accesses of 4 bytes see and change one half of a register. */
#include <string.h>

#include "amdvi_model.h"

#define WRITABLE_STATUS (AMDVI_STATUS_EVT_OVERFLOW | AMDVI_STATUS_EVT_INT | \
			 AMDVI_STATUS_COMWAIT_INT | AMDVI_STATUS_PPR_OVERFLOW | \
			 AMDVI_STATUS_PPR_INT)

static uint64_t merge(uint64_t old, uint64_t mask, uint64_t value)
{
	return (old & ~mask) | (value & mask);
}

/* ---- Heads, tails and status: a unit's page ---- */

/* Where a head or tail register lives, NULL: no such register */
static uint32_t *pointer_of(struct amdvi_unit *unit, uint64_t offset)
{
	switch (offset) {
	case AMDVI_VF_REGISTER(AMDVI_CMDBUF_HEAD):
		return &unit->cmd.head;
	case AMDVI_VF_REGISTER(AMDVI_CMDBUF_TAIL):
		return &unit->cmd.tail;
	case AMDVI_VF_REGISTER(AMDVI_EVTLOG_HEAD):
		return &unit->evt.head;
	case AMDVI_VF_REGISTER(AMDVI_EVTLOG_TAIL):
		return &unit->evt.tail;
	case AMDVI_VF_REGISTER(AMDVI_PPRLOG_HEAD):
		return &unit->ppr.head;
	case AMDVI_VF_REGISTER(AMDVI_PPRLOG_TAIL):
		return &unit->ppr.tail;
	default:
		return NULL;
	}
}

uint64_t amdvi_unit_read(struct amdvi_unit *unit, uint64_t offset)
{
	uint32_t *pointer = pointer_of(unit, offset);

	if (offset == AMDVI_VF_REGISTER(AMDVI_STATUS))
		return unit->status;
	return pointer ? *pointer : 0;
}

/* Heads of logs and tails of command buffers are software's; a halted buffer's head as well. */
static bool writable(struct amdvi_unit *unit, uint64_t offset)
{
	switch (offset) {
	case AMDVI_VF_REGISTER(AMDVI_CMDBUF_TAIL):
	case AMDVI_VF_REGISTER(AMDVI_EVTLOG_HEAD):
	case AMDVI_VF_REGISTER(AMDVI_PPRLOG_HEAD):
		return true;
	case AMDVI_VF_REGISTER(AMDVI_CMDBUF_HEAD):
		return !(unit->status & AMDVI_STATUS_CMDBUF_RUN);
	case AMDVI_VF_REGISTER(AMDVI_EVTLOG_TAIL):
		return !(unit->status & AMDVI_STATUS_EVT_RUN);
	case AMDVI_VF_REGISTER(AMDVI_PPRLOG_TAIL):
		return !(unit->status & AMDVI_STATUS_PPR_RUN);
	default:
		return false;
	}
}

static const struct amdvi_ring *ring_of(struct amdvi_unit *unit, const uint32_t *pointer)
{
	if (pointer == &unit->cmd.head || pointer == &unit->cmd.tail)
		return &unit->cmd;
	return pointer == &unit->evt.head || pointer == &unit->evt.tail ? &unit->evt : &unit->ppr;
}

void amdvi_unit_write(struct amdvi_unit *unit, uint64_t offset, uint64_t mask, uint64_t value)
{
	uint32_t *pointer = pointer_of(unit, offset);

	if (offset == AMDVI_VF_REGISTER(AMDVI_STATUS)) {
		unit->status &= ~(value & mask & WRITABLE_STATUS);
		return;
	}
	if (!pointer || !writable(unit, offset))
		return;
	*pointer = merge(*pointer, mask, value) & AMDVI_HEAD_TAIL &
		   (amdvi_ring_size(ring_of(unit, pointer)) - 1);
	if (offset == AMDVI_VF_REGISTER(AMDVI_CMDBUF_TAIL))
		amdvi_unit_run(unit);
}

/* ---- The host's registers ---- */

/* Lengths below 8 are reserved (3.4.2): such a ring cannot run. */
static bool ring_usable(const struct amdvi_ring *ring)
{
	return amdvi_get(ring->base, AMDVI_BASE_LEN) >= 8;
}

/*
 * A part runs from the moment that its enable bits are all set, until it stops for an error or one
 * of them is cleared.
 */
static void run_bit(struct amdvi_unit *host, uint64_t before, uint64_t after, uint64_t enable,
		    uint64_t bit, const struct amdvi_ring *ring)
{
	bool was_on = (before & enable) == enable, on = (after & enable) == enable;

	if (on && !was_on && ring_usable(ring))
		host->status |= bit;
	if (!on)
		host->status &= ~bit;
}

static void write_control(struct amdvi *amdvi, uint64_t value)
{
	struct amdvi_unit *host = &amdvi->host;
	uint64_t before = amdvi->control, on = AMDVI_CONTROL_IOMMU_EN;
	uint64_t commands = on | AMDVI_CONTROL_CMDBUF_EN;
	uint64_t requests = on | AMDVI_CONTROL_PPR_LOG_EN | AMDVI_CONTROL_PPR_EN;

	if (!amdvi->config.gcr3trp)
		value &= ~AMDVI_CONTROL_GCR3TRP_MODE;
	if (!amdvi->config.viommu)
		value &= ~(AMDVI_CONTROL_VIOMMU_EN | AMDVI_CONTROL_VCMD_EN |
			   AMDVI_CONTROL_GSTBUF_TRP_MODE);
	__atomic_store_n(&amdvi->control, value, __ATOMIC_RELEASE);
	amdvi_trace(amdvi, "control %#llx", value);
	if ((before & commands) == commands && (value & commands) != commands)
		amdvi_unit_stop(host, true);
	run_bit(host, before, value, commands, AMDVI_STATUS_CMDBUF_RUN, &host->cmd);
	run_bit(host, before, value, on | AMDVI_CONTROL_EVT_LOG_EN, AMDVI_STATUS_EVT_RUN,
		&host->evt);
	run_bit(host, before, value, requests, AMDVI_STATUS_PPR_RUN, &host->ppr);
	amdvi_unit_run(host);
	amdvi_guests_run(amdvi);
}

/* Writing a base register sets head and tail to 0 (3.4.2, 3.4.3, 3.4.8). */
static void write_base(struct amdvi_unit *host, struct amdvi_ring *ring, uint64_t run,
		       uint64_t value)
{
	if (host->status & run)
		return;
	*ring = (struct amdvi_ring){ .base = value & (AMDVI_BASE_ADDR | AMDVI_BASE_LEN) };
}

static uint64_t read_register(struct amdvi *amdvi, uint64_t offset)
{
	switch (offset) {
	case AMDVI_DEVTAB_BASE:
		return amdvi->devtab;
	case AMDVI_CMDBUF_BASE:
		return amdvi->host.cmd.base;
	case AMDVI_EVTLOG_BASE:
		return amdvi->host.evt.base;
	case AMDVI_PPRLOG_BASE:
		return amdvi->host.ppr.base;
	case AMDVI_CONTROL:
		return amdvi->control;
	case AMDVI_EXCL_BASE:
	case AMDVI_EXCL_LIMIT:
		return amdvi->excl[(offset - AMDVI_EXCL_BASE) / 8];
	case AMDVI_EFR:
		return amdvi->efr;
	case AMDVI_EFR2:
		return amdvi->efr2;
	case AMDVI_MSI_ADDR_LO & ~7ULL:
		return (uint64_t)amdvi->msi[0] << 32;
	case AMDVI_MSI_ADDR_HI & ~7ULL:
		return (uint64_t)amdvi->msi[2] << 32 | amdvi->msi[1];
	}
	if (offset >> 12 == AMDVI_CMDBUF_HEAD >> 12)
		return amdvi_unit_read(&amdvi->host, offset & 0xfff);
	return offset >= AMDVI_MMIO_SIZE ? amdvi_viommu_read(amdvi, offset) : 0;
}

static void write_register(struct amdvi *amdvi, uint64_t offset, uint64_t mask, uint64_t written)
{
	uint64_t value = ~mask ? merge(read_register(amdvi, offset), mask, written) : written;
	struct amdvi_unit *host = &amdvi->host;

	switch (offset) {
	case AMDVI_DEVTAB_BASE:
		__atomic_store_n(&amdvi->devtab, value & (AMDVI_BASE_ADDR | AMDVI_DEVTAB_BASE_SIZE),
				 __ATOMIC_RELEASE);
		break;
	case AMDVI_CMDBUF_BASE:
		write_base(host, &host->cmd, AMDVI_STATUS_CMDBUF_RUN, value);
		break;
	case AMDVI_EVTLOG_BASE:
		write_base(host, &host->evt, AMDVI_STATUS_EVT_RUN, value);
		break;
	case AMDVI_PPRLOG_BASE:
		write_base(host, &host->ppr, AMDVI_STATUS_PPR_RUN, value);
		break;
	case AMDVI_CONTROL:
		write_control(amdvi, value);
		break;
	case AMDVI_EXCL_BASE:
	case AMDVI_EXCL_LIMIT:
		amdvi->excl[(offset - AMDVI_EXCL_BASE) / 8] = value;
		break;
	case AMDVI_MSI_ADDR_LO & ~7ULL:
		amdvi->msi[0] = value >> 32;
		break;
	case AMDVI_MSI_ADDR_HI & ~7ULL:
		amdvi->msi[1] = value;
		amdvi->msi[2] = value >> 32;
		break;
	default:
		if (offset >> 12 == AMDVI_CMDBUF_HEAD >> 12)
			amdvi_unit_write(host, offset & 0xfff, mask, written);
		else if (offset >= AMDVI_MMIO_SIZE)
			amdvi_viommu_write(amdvi, offset, mask, written);
	}
}

static uint64_t half_mask(uint64_t offset, unsigned int size)
{
	return size == 8 ? ~0ULL : offset & 4 ? ~0ULL << 32 : 0xffffffffULL;
}

uint64_t amdvi_mmio_read(struct hw_iommu *iommu, uint64_t offset, unsigned int size)
{
	struct amdvi *amdvi = amdvi_of(iommu);
	uint64_t value;

	amdvi_lock(amdvi);
	value = read_register(amdvi, offset & ~7ULL);
	amdvi_unlock(amdvi);
	if (size == 8)
		return value;
	return offset & 4 ? value >> 32 : value & 0xffffffff;
}

void amdvi_mmio_write(struct hw_iommu *iommu, uint64_t offset, unsigned int size, uint64_t value)
{
	struct amdvi *amdvi = amdvi_of(iommu);

	if (size == 4 && offset & 4)
		value <<= 32;
	amdvi_lock(amdvi);
	write_register(amdvi, offset & ~7ULL, half_mask(offset, size), value);
	amdvi_unlock_and_send(amdvi);
}

void amdvi_registers_reset(struct amdvi *amdvi)
{
	/* 3.4: command buffer and log lengths come up as 8, 256 entries */
	const struct amdvi_ring empty = { .base = amdvi_put(8, AMDVI_BASE_LEN) };

	__atomic_store_n(&amdvi->control, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&amdvi->devtab, 0, __ATOMIC_RELEASE);
	memset(amdvi->msi, 0, sizeof(amdvi->msi));
	memset(amdvi->excl, 0, sizeof(amdvi->excl));
	amdvi->host.cmd = empty;
	amdvi->host.evt = empty;
	amdvi->host.ppr = empty;
	amdvi->host.status = 0;
}
