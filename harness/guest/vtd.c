// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "vtd.h"

#define PAGE_BYTES	4096
#define WHOLE_ORDER	52

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* The table that @entry points to, made on first use; NULL: no memory */
static uint64_t *table_of(struct guest_vtd *guest, uint64_t *entry)
{
	if (!*entry) {
		uint64_t gpa = pages_alloc(guest->mem, PAGE_BYTES);

		if (!gpa)
			return NULL;
		store(entry, gpa | VTD_ROOT_P);
	}
	return pages_ptr(guest->mem, *entry & VTD_ADDR_4K);
}

int guest_vtd_init(struct guest_vtd *guest, struct pages *mem)
{
	*guest = (struct guest_vtd){ .mem = mem, .levels = 4, .next_did = 1 };
	guest->root = pages_alloc(mem, PAGE_BYTES);
	guest->status = pages_alloc(mem, PAGE_BYTES);
	return guest->root && guest->status ? 0 : -ENOMEM;
}

void guest_vtd_fini(struct guest_vtd *guest)
{
	*guest = (struct guest_vtd){};
}

static uint64_t *context_slot(struct guest_vtd *guest, uint16_t rid)
{
	uint64_t *root = pages_ptr(guest->mem, guest->root);
	uint64_t *table = table_of(guest, &root[(rid >> 8) * 2 + (rid >> 7 & 1)]);

	return table ? &table[(rid & 0x7f) * 4] : NULL;
}

uint64_t *guest_vtd_context(struct guest_vtd *guest, uint16_t rid)
{
	uint64_t *context = context_slot(guest, rid);

	return context && context[0] & VTD_SM_CONTEXT_P ? context : NULL;
}

int guest_vtd_add_device(struct guest_vtd *guest, uint16_t rid, bool ats, bool pri)
{
	uint64_t *context = context_slot(guest, rid), dir = pages_alloc(guest->mem, PAGE_BYTES);

	if (!context || !dir)
		return -ENOMEM;
	store(&context[1], 0);		/* RID_PASID 0 */
	store(&context[0], dir | VTD_SM_CONTEXT_P | VTD_SM_CONTEXT_PASIDE |
	      (ats ? VTD_SM_CONTEXT_DTE : 0) | (pri ? VTD_SM_CONTEXT_PRE : 0));
	return 0;
}

uint64_t *guest_vtd_pasid_entry(struct guest_vtd *guest, uint16_t rid, uint32_t pasid)
{
	uint64_t *context = guest_vtd_context(guest, rid), *dir, *table;

	if (!context || pasid >= GUEST_VTD_PASIDS)
		return NULL;
	dir = pages_ptr(guest->mem, context[0] & VTD_SM_CONTEXT_PASIDDIRPTR);
	table = table_of(guest, &dir[pasid >> 6]);
	return table ? &table[(pasid & 63) * 8] : NULL;
}

void guest_vtd_pasid_set(struct guest_vtd *guest, uint64_t *entry, enum vtd_pgtt pgtt,
			 uint16_t did, uint64_t root)
{
	store(&entry[1], VTD_PUT(VTD_PASID_DID, did));
	store(&entry[2], root | guest->entry_flags | VTD_PUT(VTD_PASID_FSPM, guest->levels - 4));
	store(&entry[0], VTD_PASID_P | VTD_PUT(VTD_PASID_PGTT, pgtt));
}

void guest_vtd_pasid_clear(uint64_t *entry)
{
	store(&entry[0], 0);
}

uint64_t *guest_vtd_next(struct guest_vtd_list *list)
{
	if (list->count == GUEST_VTD_LIST)
		abort();	/* a test that puts more into its queue than there is room */
	return list->d[list->count++];
}

/* log2 of the pages of the smallest aligned range that covers [@iova, +@len) */
static unsigned int covering_order(uint64_t iova, uint64_t len)
{
	uint64_t differ = (iova ^ (iova + (len - 1))) / PAGE_BYTES;

	return differ ? 64 - __builtin_clzll(differ) : 0;
}

void guest_vtd_invalidate(struct guest_vtd_list *list, uint16_t did, uint32_t pasid, uint64_t iova,
			  uint64_t len, bool leaf)
{
	unsigned int order = covering_order(iova, len);

	if (order >= WHOLE_ORDER)
		vtd_inv_piotlb(guest_vtd_next(list), VTD_PASID, did, pasid, 0, 0, false);
	else
		vtd_inv_piotlb(guest_vtd_next(list), VTD_PAGE, did, pasid, iova, order, leaf);
}

void guest_vtd_invalidate_atc(struct guest_vtd_list *list, uint16_t rid, uint32_t pasid,
			      uint64_t iova, uint64_t len)
{
	unsigned int order = covering_order(iova, len);

	if (pasid)
		vtd_inv_pdevtlb(guest_vtd_next(list), rid, 0, 0, pasid, false, iova, order);
	else
		vtd_inv_devtlb(guest_vtd_next(list), rid, 0, 0, iova, order);
}

void guest_vtd_invalidate_entry(struct guest_vtd_list *list, uint16_t did, uint32_t pasid)
{
	vtd_inv_pasid_cache(guest_vtd_next(list), VTD_PC_PASID, did, pasid);
	vtd_inv_piotlb(guest_vtd_next(list), VTD_PASID, did, pasid, 0, 0, false);
}

void guest_vtd_wait(struct guest_vtd *guest, struct guest_vtd_list *list)
{
	vtd_inv_wait(guest_vtd_next(list), VTD_INV_WAIT_SW, guest->status, ++guest->sequence);
}

bool guest_vtd_waited(const struct guest_vtd *guest)
{
	const uint32_t *status = pages_ptr(guest->mem, guest->status);

	return __atomic_load_n(status, __ATOMIC_ACQUIRE) == guest->sequence;
}
