// SPDX-License-Identifier: GPL-2.0-only
/* Commands, 2.4: which are legal, which have an order, and what each removes. */
#include "amdvi_model.h"

/**
 * struct command_kind - one opcode
 * @format: device, both words, guest (-1: the host)
 * @reserved: bits that must be 0
 * @needs: bits of the extended feature register without which it is illegal
 * @host: the host's command buffer only
 * @at_once: takes effect when fetched: no invalidation, and nobody waits for it
 */
struct command_kind {
	const char *format;	/* for the trace */
	uint64_t reserved[2];
	uint64_t needs;
	bool host;
	bool at_once;
	enum command_status (*apply)(struct amdvi_unit *unit, const struct amdvi_command *command);
};

static uint16_t device_of(const struct amdvi_command *command)
{
	return amdvi_get(command->word[0], AMDVI_CMD0_DEVICE_ID);
}

/* The host's id for one in a command: a guest's goes through its map. */
static enum command_status host_id(struct amdvi_unit *unit, unsigned int kind, uint16_t id,
				   uint16_t *host)
{
	int error = 0;

	*host = id;
	if (unit->guest)
		error = amdvi_map(unit, kind, id, host);
	return !error ? COMMAND_OK : error == -EFAULT ? COMMAND_UNREADABLE : COMMAND_ILLEGAL;
}

/*
 * ---- Removing ----
 *
 * What leads to something goes before what it leads to: else a walk that begins in between finds
 * the one still there, and caches the other again.
 */

struct range {
	uint64_t first;
	uint64_t last;
};

/* 2.4.3, table 14: with S, the first 0 bit of the address from bit 12 on tells the size. */
static struct range decode_range(uint64_t word)
{
	unsigned int shift = 12;
	uint64_t first;

	if (word & AMDVI_PAGES1_S &&
	    !FAULT("amdvi.size-ignored", "INVALIDATE_IOMMU_PAGES removes one page in spite of S"))
		shift = __builtin_ctzll(~(word >> 12)) + 13;
	if (shift > 13 && FAULT("amdvi.size-one-bit-off", "S: half the size that is encoded"))
		shift--;
	if (shift > 52 &&
	    FAULT("amdvi.whole-space-missed", "The encoding of the whole space means 4 PiB"))
		shift = 52;
	if (shift > 52)
		return (struct range){ 0, UINT64_MAX };
	first = word & ~((1ULL << shift) - 1);
	return (struct range){ first, first | ((1ULL << shift) - 1) };
}

static void count_removed(struct amdvi *amdvi, size_t removed)
{
	hw_count_alone(amdvi->hw.counts.removed, removed);
}

/* The freedom to remove more: whole domains. */
static void over(struct amdvi *amdvi, uint16_t domain)
{
	struct tlb_match match = { .by = TLB_BY_DOMAIN, .domain = domain };

	if (!freedom_take(&amdvi->hw.freedom, amdvi->hw.freedom.over))
		return;
	hw_count_alone(amdvi->hw.counts.over_removed, tlb_remove(amdvi->walks, &match));
	hw_count_alone(amdvi->hw.counts.over_removed, tlb_remove(amdvi->iotlb, &match));
}

/* Private addresses that a cached map entry came from lie outside the range? */
static bool outside(const struct tlb_entry *entry, const void *arg)
{
	const struct range *range = arg;
	uint16_t id = entry->addr >> 12;
	uint64_t addr = entry->kind == KIND_DEVICE_MAP ? amdvi_device_map_addr(entry->space, id) :
			amdvi_domain_map_addr(entry->space, id);

	return addr < range->first || addr > range->last;
}

static size_t remove_maps(struct amdvi *amdvi, uint16_t domain, const struct range *range)
{
	if (!amdvi->config.viommu ||
	    FAULT("amdvi.maps-stay", "Cached entries of the guests' id maps are never invalidated"))
		return 0;
	return tlb_remove(amdvi->maps, &(struct tlb_match){
		.by = TLB_BY_DOMAIN, .domain = domain, .keep = outside, .arg = range,
	});
}

/* GN = 0: the address is a GPA. What goes by it to an SPA on behalf of a guest has none: 2.4.3 */
static size_t remove_host(struct amdvi *amdvi, uint16_t domain, const struct range *range, bool pde)
{
	struct tlb_match match = {
		.by = TLB_BY_DOMAIN | TLB_BY_ADDR, .domain = domain,
		.first = range->first, .last = range->last, .kinds = KINDS_HOST_DIR,
	};
	size_t removed = 0;

	if (pde && !FAULT("amdvi.host-pde-ignored", "PDE has no effect on host directories"))
		removed += tlb_remove(amdvi->walks, &match);
	match.kinds = 1U << KIND_HOST;
	removed += tlb_remove(amdvi->iotlb, &match);
	match.by = TLB_BY_DOMAIN;
	match.kinds = 1U << KIND_GUEST;
	if (!FAULT("amdvi.nested-stays", "GN = 0 does not remove what guests' pages became of it"))
		removed += tlb_remove(amdvi->iotlb, &match);
	return removed + remove_maps(amdvi, domain, range);
}

static size_t remove_guest_directories(struct amdvi *amdvi, struct tlb_match *match)
{
	unsigned int pages = match->by;
	size_t removed = 0;

	match->by &= ~TLB_BY_ADDR;
	match->kinds = 1U << KIND_GCR3;
	if (!FAULT("amdvi.gcr3-stays", "A cached GCR3 entry is never invalidated"))
		removed += tlb_remove(amdvi->walks, match);
	match->by = pages;
	match->kinds = KINDS_GUEST_DIR;
	if (!FAULT("amdvi.guest-pde-ignored", "PDE has no effect on guest directories"))
		removed += tlb_remove(amdvi->walks, match);
	return removed;
}

/* GN = 1: the address is a GVA of one PASID. The GCR3 entry is above all directories. */
static size_t remove_guest(struct amdvi *amdvi, uint16_t domain, uint32_t pasid,
			   const struct range *range, bool pde)
{
	struct tlb_match match = {
		.by = TLB_BY_DOMAIN | TLB_BY_SPACE | TLB_BY_ADDR, .domain = domain,
		.space = pasid, .first = range->first, .last = range->last,
	};
	size_t removed = pde ? remove_guest_directories(amdvi, &match) : 0;

	match.kinds = 1U << KIND_GUEST;
	return removed + tlb_remove(amdvi->iotlb, &match);
}

static enum command_status apply_pages(struct amdvi_unit *unit,
				       const struct amdvi_command *command)
{
	struct amdvi *amdvi = unit->amdvi;
	struct range range = decode_range(command->word[1]);
	uint32_t pasid = amdvi_get(command->word[0], AMDVI_PAGES0_PASID);
	bool pde = command->word[1] & AMDVI_PAGES1_PDE;
	bool gn = command->word[1] & AMDVI_PAGES1_GN;
	enum command_status status;
	uint16_t domain;

	status = host_id(unit, KIND_DOMAIN_MAP,
			 amdvi_get(command->word[0], AMDVI_PAGES0_DOMAIN_ID), &domain);
	if (status)
		return status;
	if (FAULT("amdvi.domain-truncated", "INVALIDATE_IOMMU_PAGES looks at 8 bits of DomainID"))
		domain &= 0xff;
	if (FAULT("amdvi.pages-pasid-truncated", "INVALIDATE_IOMMU_PAGES: PASID[19:16] is lost"))
		pasid &= 0xffff;
	if (FAULT("amdvi.pages-pasid-ignored", "INVALIDATE_IOMMU_PAGES always means PASID 0"))
		pasid = 0;
	if (FAULT("amdvi.gn-ignored", "INVALIDATE_IOMMU_PAGES removes host pages in spite of GN"))
		gn = false;
	if (gn)
		count_removed(amdvi, remove_guest(amdvi, domain, pasid, &range, pde));
	else
		count_removed(amdvi, remove_host(amdvi, domain, &range, pde));
	over(amdvi, domain);
	return COMMAND_OK;
}

static enum command_status apply_devtab(struct amdvi_unit *unit,
					const struct amdvi_command *command)
{
	uint16_t device;
	enum command_status status = host_id(unit, KIND_DEVICE_MAP, device_of(command), &device);

	if (status)
		return status;
	if (FAULT("amdvi.devtab-bus-ignored", "INVALIDATE_DEVTAB_ENTRY looks at bus 0 only"))
		device &= 0xff;
	if (!FAULT("amdvi.devtab-stays", "INVALIDATE_DEVTAB_ENTRY has no effect"))
		count_removed(unit->amdvi, amdvi_dte_remove(unit->amdvi, device));
	return COMMAND_OK;
}

static enum command_status apply_iotlb(struct amdvi_unit *unit,
				       const struct amdvi_command *command)
{
	uint16_t queue = amdvi_get(command->word[0], AMDVI_IOTLB0_QUEUE_ID), device;
	enum command_status status = host_id(unit, KIND_DEVICE_MAP, device_of(command), &device);

	if (FAULT("amdvi.iotlb-queue-is-device", "INVALIDATE_IOTLB_PAGES goes to QueueID"))
		device = queue;
	if (!status)
		status = host_id(unit, KIND_DEVICE_MAP, queue, &queue);
	if (!status)
		amdvi_ats_invalidate(unit, command, device, queue);
	return status;
}

/* Interrupt remapping is not there, so none of its table is cached. */
static enum command_status apply_interrupt_table(struct amdvi_unit *unit,
						 const struct amdvi_command *command)
{
	uint16_t device;

	if (FAULT("amdvi.interrupt-table-refused", "INVALIDATE_INTERRUPT_TABLE is an error"))
		return COMMAND_ILLEGAL;
	return host_id(unit, KIND_DEVICE_MAP, device_of(command), &device);
}

/* 2.4.6: a hint; Invalidate-first is not one. */
static enum command_status apply_prefetch(struct amdvi_unit *unit,
					  const struct amdvi_command *command)
{
	struct amdvi *amdvi = unit->amdvi;
	struct range range = decode_range(command->word[1]);
	uint32_t pasid = amdvi_get(command->word[0], AMDVI_PREF0_PASID);
	bool gn = command->word[1] & AMDVI_PAGES1_GN;
	uint64_t dte[4], size = range.last - range.first + 1;
	enum command_status status;
	uint16_t device;

	status = host_id(unit, KIND_DEVICE_MAP, device_of(command), &device);
	if (status || !size || amdvi_dte(amdvi, device, dte))
		return status;
	for (unsigned int i = 0; i < amdvi_get(command->word[0], AMDVI_PREF0_COUNT); i++) {
		uint16_t domain = amdvi_get(dte[1], AMDVI_DTE1_DOMAIN_ID);

		if (command->word[1] & AMDVI_PREF1_INVAL &&
		    !FAULT("amdvi.prefetch-keeps", "PREFETCH_IOMMU_PAGES ignores Inval"))
			count_removed(amdvi, gn ?
				      remove_guest(amdvi, domain, pasid, &range, false) :
				      remove_host(amdvi, domain, &range, false));
		amdvi_prefetch(amdvi, device, gn, pasid, range.first);
		range.first += size;
		range.last += size;
	}
	return COMMAND_OK;
}

/* 2.4.7: the tag is not checked; the device knows its own groups. */
static enum command_status apply_complete_ppr(struct amdvi_unit *unit,
					      const struct amdvi_command *command)
{
	bool gn = command->word[1] & AMDVI_PPR1_GN;
	enum command_status status;
	uint16_t device;

	status = host_id(unit, KIND_DEVICE_MAP, device_of(command), &device);
	if (status)
		return status;
	amdvi_send(unit->amdvi, &(struct amdvi_message){
		.rid = device, .prg = true, .has_pasid = gn,
		.pasid = gn ? amdvi_get(command->word[0], AMDVI_PREF0_PASID) : 0,
		.index = amdvi_get(command->word[1], AMDVI_PPR1_TAG),
		.code = FAULT("amdvi.ppr-always-success", "Every page request is said to be served")
			? AMDVI_PPR_SUCCESS : amdvi_get(command->word[1], AMDVI_PPR1_CODE),
	});
	return COMMAND_OK;
}

void amdvi_invalidate_all(struct amdvi *amdvi)
{
	struct tlb_match all = { 0 };
	size_t removed = tlb_remove(amdvi->maps, &all);

	if (!FAULT("amdvi.all-keeps-dtes", "INVALIDATE_IOMMU_ALL forgets the device table"))
		removed += amdvi_dte_remove_all(amdvi);
	if (!FAULT("amdvi.all-keeps-walks", "INVALIDATE_IOMMU_ALL forgets the directories"))
		removed += tlb_remove(amdvi->walks, &all);
	removed += tlb_remove(amdvi->iotlb, &all);
	count_removed(amdvi, removed);
}

/* A guest's all is what its maps lead to. */
static void invalidate_all_of(struct amdvi_unit *unit)
{
	struct amdvi *amdvi = unit->amdvi;
	uint16_t host;

	for (unsigned int id = 0; id < 65536; id++)
		if (!amdvi_map(unit, KIND_DEVICE_MAP, id, &host))
			count_removed(amdvi, amdvi_dte_remove(amdvi, host));
	for (unsigned int id = 0; id < 65536; id++) {
		struct tlb_match domain = { .by = TLB_BY_DOMAIN };

		if (amdvi_map(unit, KIND_DOMAIN_MAP, id, &host))
			continue;
		domain.domain = host;
		count_removed(amdvi, tlb_remove(amdvi->walks, &domain));
		count_removed(amdvi, tlb_remove(amdvi->iotlb, &domain));
	}
}

static enum command_status apply_all(struct amdvi_unit *unit, const struct amdvi_command *command)
{
	if (unit->guest &&
	    !FAULT("amdvi.guest-all-missed", "A guest's INVALIDATE_IOMMU_ALL has no effect"))
		invalidate_all_of(unit);
	else if (!unit->guest)
		amdvi_invalidate_all(unit->amdvi);
	return COMMAND_OK;
}

static enum command_status apply_reset_vmmio(struct amdvi_unit *unit,
					     const struct amdvi_command *command)
{
	amdvi_reset_vmmio(unit->amdvi, amdvi_get(command->word[0], AMDVI_RESET0_GUEST_ID),
			  command->word[0] & AMDVI_RESET0_VCMD,
			  command->word[0] & AMDVI_RESET0_ALL);
	return COMMAND_OK;
}

/* ---- The opcodes ---- */

#define OPCODE AMDVI_CMD0_OPCODE
#define ALL_ONES (~0ULL)
#define ALLOWED(_mask) (ALL_ONES & ~((_mask) | OPCODE))

#define NAMED(_name) _name ": device %#llx, %#llx %#llx, guest %lld"

static const struct command_kind kinds[16] = {
	[AMDVI_COMPLETION_WAIT] = { NAMED("COMPLETION_WAIT"), { AMDVI_MASK(59, 52), 0 } },
	[AMDVI_INVALIDATE_DEVTAB_ENTRY] = {
		NAMED("INVALIDATE_DEVTAB_ENTRY"), { ALLOWED(AMDVI_CMD0_DEVICE_ID), ALL_ONES },
		.apply = apply_devtab,
	},
	[AMDVI_INVALIDATE_IOMMU_PAGES] = {
		NAMED("INVALIDATE_IOMMU_PAGES"),
		{ ALLOWED(AMDVI_PAGES0_PASID | AMDVI_PAGES0_DOMAIN_ID), AMDVI_MASK(11, 3) },
		.apply = apply_pages,
	},
	[AMDVI_INVALIDATE_IOTLB_PAGES] = {
		NAMED("INVALIDATE_IOTLB_PAGES"), { 0, AMDVI_MASK(11, 3) | AMDVI_BIT(1) },
		.apply = apply_iotlb,
	},
	[AMDVI_INVALIDATE_INTERRUPT_TABLE] = {
		NAMED("INVALIDATE_INTERRUPT_TABLE"), { ALLOWED(AMDVI_CMD0_DEVICE_ID), ALL_ONES },
		.apply = apply_interrupt_table,
	},
	[AMDVI_PREFETCH_IOMMU_PAGES] = {
		NAMED("PREFETCH_IOMMU_PAGES"),
		{ ALLOWED(AMDVI_CMD0_DEVICE_ID | AMDVI_PREF0_COUNT | AMDVI_PREF0_PASID),
		  AMDVI_MASK(11, 5) | AMDVI_BIT(3) | AMDVI_BIT(1) },
		.needs = AMDVI_EFR_PREF_SUP, .apply = apply_prefetch,
	},
	[AMDVI_COMPLETE_PPR_REQUEST] = {
		NAMED("COMPLETE_PPR_REQUEST"), { ALLOWED(AMDVI_CMD0_DEVICE_ID | AMDVI_PREF0_PASID),
		ALL_ONES & ~(AMDVI_PPR1_GN | AMDVI_PPR1_TAG | AMDVI_PPR1_CODE) },
		.needs = AMDVI_EFR_PPR_SUP, .at_once = true, .apply = apply_complete_ppr,
	},
	[AMDVI_INVALIDATE_IOMMU_ALL] = {
		NAMED("INVALIDATE_IOMMU_ALL"), { ALLOWED(0), ALL_ONES },
		.needs = AMDVI_EFR_IA_SUP, .apply = apply_all,
	},
	[AMDVI_RESET_VMMIO] = {
		NAMED("RESET_VMMIO"),
		{ ALLOWED(AMDVI_RESET0_GUEST_ID | AMDVI_RESET0_ALL | AMDVI_RESET0_VCMD), ALL_ONES },
		.needs = AMDVI_EFR_VIOMMU_SUP, .host = true, .at_once = true,
		.apply = apply_reset_vmmio,
	},
};

static unsigned int opcode_of(const struct amdvi_command *command)
{
	return amdvi_get(command->word[0], AMDVI_CMD0_OPCODE);
}

bool amdvi_command_legal(struct amdvi_unit *unit, const struct amdvi_command *command)
{
	const struct command_kind *kind = kinds + opcode_of(command);

	if (!kind->format || (kind->host && unit->guest) ||
	    (kind->needs & unit->amdvi->efr) != kind->needs)
		return false;
	if (FAULT("amdvi.reserved-unchecked", "Reserved bits of commands are ignored"))
		return true;
	return !(command->word[0] & kind->reserved[0]) && !(command->word[1] & kind->reserved[1]);
}

bool amdvi_command_at_once(const struct amdvi_command *command)
{
	if (opcode_of(command) == AMDVI_INVALIDATE_IOTLB_PAGES &&
	    FAULT("amdvi.iotlb-before-pages", "INVALIDATE_IOTLB_PAGES overtakes page commands"))
		return true;
	return kinds[opcode_of(command)].at_once;
}

/*
 * 2.4: device table entries before pages and interrupt tables, both before the devices' IOTLBs. All
 * and prefetch keep their place.
 */
bool amdvi_command_ordered(const struct amdvi_command *first, const struct amdvi_command *second)
{
	static const unsigned int rank[16] = {
		[AMDVI_INVALIDATE_DEVTAB_ENTRY] = 1, [AMDVI_INVALIDATE_IOMMU_PAGES] = 2,
		[AMDVI_INVALIDATE_INTERRUPT_TABLE] = 2, [AMDVI_INVALIDATE_IOTLB_PAGES] = 3,
	};
	unsigned int a = rank[opcode_of(first)], b = rank[opcode_of(second)];

	return !a || !b || a < b;
}

enum command_status amdvi_command_apply(struct amdvi_unit *unit,
					const struct amdvi_command *command)
{
	return kinds[opcode_of(command)].apply(unit, command);
}

void amdvi_command_trace(struct amdvi_unit *unit, const struct amdvi_command *command)
{
	struct amdvi *amdvi = unit->amdvi;
	uint64_t w0 = command->word[0], w1 = command->word[1];
	unsigned long long guest = unit->guest ? unit->guest_id : -1ULL;

	switch (opcode_of(command)) {
	case AMDVI_COMPLETION_WAIT:
		amdvi_trace(amdvi, "COMPLETION_WAIT s %llu i %llu f %llu addr %#llx guest %lld",
			    w0 & 1, w0 >> 1 & 1, w0 >> 2 & 1, w0 & AMDVI_WAIT0_ADDR, guest);
		break;
	case AMDVI_INVALIDATE_IOMMU_PAGES:
		amdvi_trace(amdvi, "INVALIDATE_IOMMU_PAGES domain %#llx pasid %#llx addr %#llx "
			    "pde %llu gn %llu guest %lld",
			    amdvi_get(w0, AMDVI_PAGES0_DOMAIN_ID),
			    amdvi_get(w0, AMDVI_PAGES0_PASID), w1 & ~6ULL, w1 >> 1 & 1, w1 >> 2 & 1,
			    guest);
		break;
	case AMDVI_INVALIDATE_IOTLB_PAGES:
		amdvi_trace(amdvi, "INVALIDATE_IOTLB_PAGES device %#llx queue %#llx pasid %#llx "
			    "addr %#llx gn %llu guest %lld",
			    device_of(command), amdvi_get(w0, AMDVI_IOTLB0_QUEUE_ID),
			    amdvi_iotlb_pasid(w0), w1 & ~6ULL, w1 >> 2 & 1, guest);
		break;
	default:
		amdvi_trace(amdvi, kinds[opcode_of(command)].format,
			    device_of(command), w0, w1, guest);
	}
}
