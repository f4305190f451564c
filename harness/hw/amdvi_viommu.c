// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware vIOMMU: what a guest owns (its VF page, its buffers in its own memory), what the
 * hypervisor owns (VF control block, id maps in the IOMMU's private address space).
 */
#include <stdlib.h>

#include "amdvi_model.h"

struct amdvi_unit *amdvi_guest(struct amdvi *amdvi, uint16_t guest_id, bool create)
{
	struct amdvi_unit *guest;

	for (guest = amdvi->guests; guest; guest = guest->next)
		if (guest->guest_id == guest_id)
			return guest;
	if (!create)
		return NULL;
	guest = calloc(1, sizeof(*guest));
	if (!guest)
		abort();
	guest->amdvi = amdvi;
	guest->guest = true;
	guest->guest_id = guest_id;
	guest->next = amdvi->guests;
	amdvi->guests = guest;
	return guest;
}

void amdvi_guests_destroy(struct amdvi *amdvi)
{
	struct amdvi_unit *guest;

	while ((guest = amdvi->guests)) {
		amdvi->guests = guest->next;
		free(guest->pending);
		free(guest);
	}
}

void amdvi_guests_run(struct amdvi *amdvi)
{
	for (struct amdvi_unit *guest = amdvi->guests; guest; guest = guest->next)
		amdvi_unit_run(guest);
}

/* ---- Memory ---- */

static int private_pa(struct amdvi *amdvi, uint64_t addr, uint8_t access, uint64_t *pa)
{
	return amdvi_translate_internal(amdvi, amdvi->config.device_id, addr, access, pa) ?
	       0 : -EFAULT;
}

int amdvi_unit_pa(struct amdvi_unit *unit, uint64_t addr, uint8_t access, uint64_t *pa)
{
	*pa = addr;
	if (!unit->guest || FAULT("amdvi.guest-physical", "A guest's addresses are not translated"))
		return 0;
	if (!(unit->amdvi->control & AMDVI_CONTROL_GSTBUF_TRP_MODE) && addr >= AMDVI_PRIV_CMDBUF)
		return private_pa(unit->amdvi, addr, access, pa);
	if (!unit->translate_id)
		return -EFAULT;
	return amdvi_translate_internal(unit->amdvi, unit->translate_id, addr, access, pa) ?
	       0 : -EFAULT;
}

/* ---- The id maps ---- */

static uint64_t map_addr(unsigned int kind, uint16_t guest_id, uint16_t id)
{
	if (FAULT("amdvi.map-of-another", "Ids are looked up in the map of GuestID & ~1"))
		guest_id &= ~1;
	return kind == KIND_DEVICE_MAP ? amdvi_device_map_addr(guest_id, id) :
	       amdvi_domain_map_addr(guest_id, id);
}

/* DomainID of the IOMMU's own DTE: what its private translations and map entries are tagged with */
static bool private_domain(struct amdvi *amdvi, uint16_t *domain)
{
	uint64_t dte[4];

	if (amdvi_dte(amdvi, amdvi->config.device_id, dte))
		return false;
	*domain = amdvi_get(dte[1], AMDVI_DTE1_DOMAIN_ID);
	return true;
}

static int unmapped(uint16_t guest, uint16_t *host)
{
	*host = guest;
	return FAULT("amdvi.unmapped-passes", "A guest's unmapped id is taken for the host's") ?
	       0 : -ENOENT;
}

/* Entries stay until they are invalidated, whatever the hypervisor writes to its maps meanwhile. */
int amdvi_map(struct amdvi_unit *unit, unsigned int kind, uint16_t guest, uint16_t *host)
{
	struct amdvi *amdvi = unit->amdvi;
	struct tlb_entry cached = {
		.space = unit->guest_id, .addr = (uint64_t)guest << 12, .shift = 12, .kind = kind,
	};
	uint64_t generation = tlb_generation(amdvi->maps), pa, entry;
	uint16_t domain;

	if (FAULT("amdvi.map-cache-shared", "Cached map entries are not tagged with the GuestID"))
		cached.space = 0;
	if (!private_domain(amdvi, &domain))
		return -EFAULT;
	cached.domain = domain;
	if (tlb_lookup(amdvi->maps, domain, cached.space, kind, cached.addr, &cached)) {
		*host = cached.out;
		return 0;
	}
	if (private_pa(amdvi, map_addr(kind, unit->guest_id, guest), HW_READ, &pa) ||
	    hw_read64(amdvi->hw.mem, pa, &entry))
		return -EFAULT;
	hw_count(amdvi->hw.counts.table_reads, 1);
	if (!(entry & AMDVI_MAP_ENTRY_VALID))
		return unmapped(guest, host);
	*host = amdvi_get(entry, AMDVI_MAP_ENTRY_HOST_ID);
	cached.out = *host;
	tlb_insert(amdvi->maps, &cached, generation);
	return 0;
}

static void write_map(struct amdvi *amdvi, uint16_t guest_id, unsigned int kind, uint64_t value)
{
	uint16_t guest = amdvi_get(value, AMDVI_MAP_GUEST_ID);
	uint16_t host = amdvi_get(value, AMDVI_MAP_HOST_ID);
	bool valid = value & AMDVI_MAP_VALID;
	uint64_t pa;

	if (!(value & AMDVI_MAP_WRITE))
		return;
	amdvi_trace(amdvi, "guest %llu: map kind %llu: %#llx is %#llx, valid %llu", guest_id, kind,
		    guest, host, valid);
	if (!private_pa(amdvi, map_addr(kind, guest_id, guest), HW_WRITE, &pa) &&
	    !hw_write64(amdvi->hw.mem, pa, valid ? AMDVI_MAP_ENTRY_VALID |
			amdvi_put(host, AMDVI_MAP_ENTRY_HOST_ID) : 0))
		return;
	amdvi_log_event(&amdvi->host,
			amdvi_put(AMDVI_VIOMMU_HARDWARE_ERROR, AMDVI_EVENT0_CODE) |
			amdvi->config.device_id, map_addr(kind, guest_id, guest));
}

/* ---- VF control block ---- */

static struct amdvi_ring *queue_ring(struct amdvi_unit *guest, unsigned int queue)
{
	return queue == 0 ? &guest->cmd : queue == 1 ? &guest->evt : &guest->ppr;
}

static void write_queue(struct amdvi_unit *guest, unsigned int queue, uint64_t value)
{
	static const uint64_t run[] = {
		AMDVI_STATUS_CMDBUF_RUN, AMDVI_STATUS_EVT_RUN, AMDVI_STATUS_PPR_RUN,
	};
	struct amdvi_ring *ring = queue_ring(guest, queue);
	uint64_t base = value & (AMDVI_BASE_ADDR | AMDVI_BASE_LEN);
	bool was_on = guest->control[queue] & AMDVI_VQUEUE_RUN;

	amdvi_trace(guest->amdvi, "guest %llu: queue %llu control %#llx", guest->guest_id, queue,
		    value);
	if (was_on && !(value & AMDVI_VQUEUE_RUN)) {
		if (queue == 0)
			amdvi_unit_stop(guest, false);
		guest->status &= ~run[queue];
	}
	guest->control[queue] = value;
	if (base != ring->base && !(guest->status & run[queue]))
		*ring = (struct amdvi_ring){ .base = base };
	if (!was_on && value & AMDVI_VQUEUE_RUN && amdvi_get(base, AMDVI_BASE_LEN) >= 8)
		guest->status |= run[queue];
	if (queue == 0)
		amdvi_unit_run(guest);
}

static void write_control_block(struct amdvi *amdvi, uint16_t guest_id, uint64_t offset,
				uint64_t value)
{
	struct amdvi_unit *guest = amdvi_guest(amdvi, guest_id, true);

	switch (offset) {
	case AMDVI_VFCTRL_DEVICE_MAP:
		write_map(amdvi, guest_id, KIND_DEVICE_MAP, value);
		break;
	case AMDVI_VFCTRL_DOMAIN_MAP:
		write_map(amdvi, guest_id, KIND_DOMAIN_MAP, value);
		break;
	case AMDVI_VFCTRL_MISC:
		guest->translate_id = amdvi_get(value, AMDVI_MISC_TRANSLATE_ID);
		amdvi_trace(amdvi, "guest %llu: memory through the DTE of %#llx", guest_id,
			    guest->translate_id);
		break;
	case AMDVI_VFCTRL_CMDBUF:
	case AMDVI_VFCTRL_EVTLOG:
	case AMDVI_VFCTRL_PPRLOG:
		write_queue(guest, (offset - AMDVI_VFCTRL_CMDBUF) / 8, value);
		break;
	}
}

static uint64_t read_control_block(struct amdvi_unit *guest, uint64_t offset)
{
	switch (offset) {
	case AMDVI_VFCTRL_MISC:
		return amdvi_put(guest->translate_id, AMDVI_MISC_TRANSLATE_ID);
	case AMDVI_VFCTRL_CMDBUF:
	case AMDVI_VFCTRL_EVTLOG:
	case AMDVI_VFCTRL_PPRLOG:
		return guest->control[(offset - AMDVI_VFCTRL_CMDBUF) / 8];
	default:
		return 0;
	}
}

/* ---- The two windows ---- */

static bool in_vf(uint64_t offset)
{
	return offset - AMDVI_VF_WINDOW < (uint64_t)AMDVI_GUEST_IDS * AMDVI_VF_SIZE;
}

static bool in_vfctrl(uint64_t offset)
{
	return offset - AMDVI_VFCTRL_WINDOW < (uint64_t)AMDVI_GUEST_IDS * AMDVI_VFCTRL_SIZE;
}

uint64_t amdvi_viommu_read(struct amdvi *amdvi, uint64_t offset)
{
	struct amdvi_unit *guest;

	if (!amdvi->config.viommu)
		return 0;
	if (in_vf(offset)) {
		guest = amdvi_guest(amdvi, (offset - AMDVI_VF_WINDOW) / AMDVI_VF_SIZE, false);
		return guest ? amdvi_unit_read(guest, offset % AMDVI_VF_SIZE) : 0;
	}
	if (!in_vfctrl(offset))
		return 0;
	guest = amdvi_guest(amdvi, (offset - AMDVI_VFCTRL_WINDOW) / AMDVI_VFCTRL_SIZE, false);
	return guest ? read_control_block(guest, offset % AMDVI_VFCTRL_SIZE) : 0;
}

void amdvi_viommu_write(struct amdvi *amdvi, uint64_t offset, uint64_t mask, uint64_t value)
{
	struct amdvi_unit *guest;
	uint16_t id;

	if (!amdvi->config.viommu || !(amdvi->control & AMDVI_CONTROL_VIOMMU_EN))
		return;
	if (in_vf(offset)) {
		id = (offset - AMDVI_VF_WINDOW) / AMDVI_VF_SIZE;
		guest = amdvi_guest(amdvi, id, false);
		if (guest)
			amdvi_unit_write(guest, offset % AMDVI_VF_SIZE, mask, value);
	} else if (in_vfctrl(offset)) {
		id = (offset - AMDVI_VFCTRL_WINDOW) / AMDVI_VFCTRL_SIZE;
		value = (amdvi_viommu_read(amdvi, offset) & ~mask) | (value & mask);
		write_control_block(amdvi, id, offset % AMDVI_VFCTRL_SIZE, value);
	}
}

static void reset(struct amdvi_unit *guest, bool vcmd)
{
	if (vcmd)
		amdvi_unit_stop(guest, false);
	guest->status &= vcmd ? 0 : AMDVI_STATUS_CMDBUF_RUN;
	if (vcmd)
		guest->control[0] = 0;
	guest->control[1] = 0;
	guest->control[2] = 0;
	if (vcmd)
		guest->cmd = (struct amdvi_ring){ 0 };
	guest->evt = (struct amdvi_ring){ 0 };
	guest->ppr = (struct amdvi_ring){ 0 };
}

void amdvi_reset_vmmio(struct amdvi *amdvi, uint16_t guest_id, bool vcmd, bool all)
{
	for (struct amdvi_unit *guest = amdvi->guests; guest; guest = guest->next)
		if (all || guest->guest_id == guest_id)
			reset(guest, vcmd);
}
