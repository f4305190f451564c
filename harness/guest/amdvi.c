// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "amdvi.h"

#define DEVTAB_BYTES (GUEST_AMDVI_DEVICE_IDS * AMDVI_DTE_SIZE)
#define DTE_BLOCKED (AMDVI_DTE0_V | AMDVI_DTE0_TV)

static uint64_t *words_at(const struct guest_amdvi *guest, uint64_t gpa)
{
	return pages_ptr(guest->mem, gpa);
}

static void put_word(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

int guest_amdvi_init(struct guest_amdvi *guest, struct pages *mem, unsigned int glx,
		     unsigned int levels)
{
	*guest = (struct guest_amdvi){
		.mem = mem, .glx = glx, .levels = levels, .next_domain = 1,
		.devtab = pages_alloc(mem, DEVTAB_BYTES),
		.cmdbuf = pages_alloc(mem, GUEST_AMDVI_QUEUE_BYTES),
		.evtlog = pages_alloc(mem, GUEST_AMDVI_QUEUE_BYTES),
		.pprlog = pages_alloc(mem, GUEST_AMDVI_QUEUE_BYTES),
		.sync = pages_alloc(mem, 4096),
	};
	if (!guest->devtab || !guest->cmdbuf || !guest->evtlog || !guest->pprlog || !guest->sync)
		return -ENOMEM;
	for (unsigned int id = 0; id < GUEST_AMDVI_DEVICE_IDS; id++)
		guest_amdvi_dte_block(guest, id);
	return 0;
}

int guest_amdvi_add_device(struct guest_amdvi *guest, uint16_t rid, bool ats, bool pri)
{
	uint64_t gcr3;

	if (guest->device_count == GUEST_AMDVI_DEVICES || rid >= GUEST_AMDVI_DEVICE_IDS)
		return -ENOSPC;
	gcr3 = pages_alloc(guest->mem, 4096);
	if (!gcr3)
		return -ENOMEM;
	guest->devices[guest->device_count++] = (struct guest_amdvi_device){
		.rid = rid, .domain = guest->next_domain++, .gcr3 = gcr3, .ats = ats, .pri = pri,
	};
	return 0;
}

struct guest_amdvi_device *guest_amdvi_device(struct guest_amdvi *guest, uint16_t rid)
{
	for (unsigned int i = 0; i < guest->device_count; i++)
		if (guest->devices[i].rid == rid)
			return &guest->devices[i];
	return NULL;
}

void guest_amdvi_share(struct guest_amdvi *guest, uint16_t rid, uint16_t other)
{
	struct guest_amdvi_device *device = guest_amdvi_device(guest, rid);
	struct guest_amdvi_device *with = guest_amdvi_device(guest, other);

	device->domain = with->domain;
	device->gcr3 = with->gcr3;
}

uint64_t *guest_amdvi_dte(struct guest_amdvi *guest, uint16_t rid)
{
	return words_at(guest, guest->devtab + rid * AMDVI_DTE_SIZE);
}

void guest_amdvi_dte_block(struct guest_amdvi *guest, uint16_t rid)
{
	uint64_t *dte = guest_amdvi_dte(guest, rid);

	put_word(&dte[0], DTE_BLOCKED);
	for (unsigned int i = 1; i < 4; i++)
		put_word(&dte[i], i == 1 && guest->quiet ? AMDVI_DTE1_SA : 0);
}

void guest_amdvi_dte_set(struct guest_amdvi *guest, uint16_t rid)
{
	const struct guest_amdvi_device *device = guest_amdvi_device(guest, rid);
	uint64_t *dte = guest_amdvi_dte(guest, rid), new[4] = {
		DTE_BLOCKED | AMDVI_DTE0_IR | AMDVI_DTE0_IW | AMDVI_DTE0_GV | AMDVI_DTE0_GIOV |
		amdvi_put(guest->glx, AMDVI_DTE0_GLX) | (device->pri ? AMDVI_DTE0_PPR : 0),
		amdvi_put(device->domain, AMDVI_DTE1_DOMAIN_ID) |
		(device->ats ? AMDVI_DTE1_I : 0) | (guest->quiet ? AMDVI_DTE1_SA : 0),
		amdvi_put(guest->levels - 4, AMDVI_DTE2_GPM),
	};

	amdvi_dte_set_gcr3(new, device->gcr3);
	for (unsigned int i = 4; i--;)
		put_word(&dte[i], new[i]);
}

uint64_t *guest_amdvi_gcr3_entry(struct guest_amdvi *guest, uint16_t rid, uint32_t pasid)
{
	uint64_t table = guest_amdvi_device(guest, rid)->gcr3;

	if (pasid >> 9 * (guest->glx + 1))
		return NULL;
	for (unsigned int level = guest->glx; level; level--) {
		uint64_t *entry = words_at(guest, table) + (pasid >> 9 * level & 511);

		if (!(*entry & AMDVI_GCR3_V)) {
			table = pages_alloc(guest->mem, 4096);
			if (!table)
				return NULL;
			put_word(entry, table | AMDVI_GCR3_V);
		}
		table = *entry & AMDVI_GCR3_ADDR;
	}
	return words_at(guest, table) + (pasid & 511);
}

uint64_t *guest_amdvi_next(struct guest_amdvi_list *list)
{
	static uint64_t lost[2];

	return list->count < GUEST_AMDVI_LIST ? list->c[list->count++] : lost;
}

static uint64_t block(uint64_t iova, uint64_t len)
{
	uint64_t last = len - 1 > UINT64_MAX - iova ? UINT64_MAX : iova + len - 1;
	uint64_t differ = (iova ^ last) >> 12;

	return amdvi_inv_address(iova, 12 + (differ ? 64 - __builtin_clzll(differ) : 0));
}

void guest_amdvi_pages(struct guest_amdvi_list *list, uint16_t domain, uint32_t pasid,
		       uint64_t iova, uint64_t len, bool leaf)
{
	amdvi_cmd_invalidate_iommu_pages(guest_amdvi_next(list), domain, pasid, block(iova, len),
					 AMDVI_PAGES1_GN | (leaf ? 0 : AMDVI_PAGES1_PDE));
}

void guest_amdvi_iotlb(struct guest_amdvi_list *list, uint16_t rid, uint32_t pasid, uint64_t iova,
		       uint64_t len)
{
	amdvi_cmd_invalidate_iotlb_pages(guest_amdvi_next(list), rid, rid, 32, pasid,
					 block(iova, len), pasid ? AMDVI_PAGES1_GN : 0);
}

void guest_amdvi_devtab(struct guest_amdvi_list *list, uint16_t rid)
{
	amdvi_cmd_invalidate_devtab_entry(guest_amdvi_next(list), rid);
}

void guest_amdvi_wait(struct guest_amdvi *guest, struct guest_amdvi_list *list)
{
	amdvi_cmd_completion_wait(guest_amdvi_next(list), AMDVI_WAIT0_S, guest->sync,
				  ++guest->sequence);
}

bool guest_amdvi_waited(const struct guest_amdvi *guest)
{
	return __atomic_load_n(words_at(guest, guest->sync), __ATOMIC_ACQUIRE) == guest->sequence;
}

unsigned int guest_amdvi_write(struct guest_amdvi *guest, const struct guest_amdvi_list *list,
			       unsigned int first, uint32_t head)
{
	unsigned int n = first;

	for (; n < list->count; n++) {
		uint32_t after = (guest->tail + AMDVI_LOG_ENTRY_SIZE) % GUEST_AMDVI_QUEUE_BYTES;
		uint64_t *slot = words_at(guest, guest->cmdbuf + guest->tail);

		if (after == head)
			break;
		put_word(&slot[0], list->c[n][0]);
		put_word(&slot[1], list->c[n][1]);
		guest->tail = after;
	}
	return n - first;
}

bool guest_amdvi_read_log(struct guest_amdvi *guest, uint64_t base, uint32_t *head, uint32_t tail,
			  uint64_t entry[2])
{
	const uint64_t *slot = words_at(guest, base + *head);

	if (*head == tail)
		return false;
	entry[0] = __atomic_load_n(&slot[0], __ATOMIC_ACQUIRE);
	entry[1] = __atomic_load_n(&slot[1], __ATOMIC_ACQUIRE);
	*head = (*head + AMDVI_LOG_ENTRY_SIZE) % GUEST_AMDVI_QUEUE_BYTES;
	return true;
}
