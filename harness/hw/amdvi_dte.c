// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache of device table entries, by DeviceID. A reader copies an entry and looks again whether
 * it changed meanwhile; who changes one holds the lock.
 */
#include <stdlib.h>

#include "amdvi_model.h"

/* Under dte_lock. The stores of the words may not be seen before CHANGING, nor after the end. */
static void slot_write(struct dte_slot *slot, const uint64_t dte[4])
{
	uint64_t version = (slot->state >> 2) + 1;

	__atomic_store_n(&slot->state, version << 2 | DTE_CHANGING, __ATOMIC_RELAXED);
	for (unsigned int i = 0; dte && i < 4; i++)
		__atomic_store_n(&slot->word[i], dte[i], __ATOMIC_RELEASE);
	__atomic_store_n(&slot->reported, false, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->state, version << 2 | (dte ? DTE_CACHED : 0), __ATOMIC_RELEASE);
}

/* Keep what was read, unless an entry was invalidated since @generation. */
static void dte_insert(struct amdvi *amdvi, uint16_t device_id, const uint64_t dte[4],
		       uint64_t generation)
{
	struct dte_slot *slot;

	pthread_mutex_lock(&amdvi->dte_lock);
	if (amdvi->dte_generation == generation) {
		slot = amdvi->dtes[device_id];
		if (!slot) {
			slot = calloc(1, sizeof(*slot));
			if (!slot)
				abort();
			__atomic_store_n(&amdvi->dtes[device_id], slot, __ATOMIC_RELEASE);
			if (device_id >= amdvi->dtes_end)
				amdvi->dtes_end = device_id + 1;
		}
		slot_write(slot, dte);
	}
	pthread_mutex_unlock(&amdvi->dte_lock);
}

/* 2.2.2, tables 7 to 9: what makes an entry illegal */
static bool dte_legal(struct amdvi *amdvi, const uint64_t dte[4])
{
	const struct amdvi_config *config = &amdvi->config;
	bool gt = config->gt && amdvi_control(amdvi) & AMDVI_CONTROL_GT_EN;

	if (!(dte[0] & AMDVI_DTE0_V))
		return true;
	if (dte[0] & AMDVI_DTE0_RESERVED || amdvi_get(dte[0], AMDVI_DTE0_HAD) == 2)
		return FAULT("amdvi.dte-reserved-ignored", "Reserved fields of a DTE go unchecked");
	if (!(dte[0] & AMDVI_DTE0_TV))
		return true;
	if (amdvi_get(dte[0], AMDVI_DTE0_MODE) > config->host_levels)
		return false;
	if (!(dte[0] & AMDVI_DTE0_GV))
		return true;
	return gt && amdvi_get(dte[0], AMDVI_DTE0_GLX) < config->gcr3_levels &&
	       amdvi_get(dte[2], AMDVI_DTE2_GPM) <= config->guest_levels - 4U &&
	       (!(dte[0] & AMDVI_DTE0_GIOV) || config->giosup);
}

enum dte_status amdvi_dte(struct amdvi *amdvi, uint16_t device_id, uint64_t dte[4])
{
	uint64_t devtab = __atomic_load_n(&amdvi->devtab, __ATOMIC_ACQUIRE);
	uint64_t size = (amdvi_get(devtab, AMDVI_DEVTAB_BASE_SIZE) + 1) << 12;
	uint64_t addr = (devtab & AMDVI_BASE_ADDR) + device_id * AMDVI_DTE_SIZE;
	uint64_t generation;

	if (amdvi_dte_cached(amdvi, device_id, dte, 4))
		return DTE_OK;
	generation = __atomic_load_n(&amdvi->dte_generation, __ATOMIC_SEQ_CST);
	if ((device_id + 1U) * AMDVI_DTE_SIZE > size &&
	    !FAULT("amdvi.devtab-size-ignored", "DTEs beyond the device table are read"))
		return DTE_ILLEGAL;
	for (unsigned int i = 0; i < 4; i++)
		if (hw_read64(amdvi->hw.mem, addr + i * 8, dte + i))
			return DTE_UNREADABLE;
	hw_count(amdvi->hw.counts.table_reads, 4);
	if (!dte_legal(amdvi, dte))
		return DTE_ILLEGAL;
	dte_insert(amdvi, device_id, dte, generation);
	return DTE_OK;
}

static size_t slot_remove(struct amdvi *amdvi, uint16_t device_id)
{
	struct dte_slot *slot = amdvi->dtes[device_id];

	if (!slot || !(slot->state & DTE_CACHED))
		return 0;
	slot_write(slot, NULL);
	return 1;
}

size_t amdvi_dte_remove(struct amdvi *amdvi, uint16_t device_id)
{
	size_t removed;

	pthread_mutex_lock(&amdvi->dte_lock);
	__atomic_fetch_add(&amdvi->dte_generation, 1, __ATOMIC_SEQ_CST);
	removed = slot_remove(amdvi, device_id);
	pthread_mutex_unlock(&amdvi->dte_lock);
	return removed;
}

size_t amdvi_dte_remove_all(struct amdvi *amdvi)
{
	size_t removed = 0;

	pthread_mutex_lock(&amdvi->dte_lock);
	__atomic_fetch_add(&amdvi->dte_generation, 1, __ATOMIC_SEQ_CST);
	for (unsigned int id = 0; id < amdvi->dtes_end; id++)
		removed += slot_remove(amdvi, id);
	pthread_mutex_unlock(&amdvi->dte_lock);
	return removed;
}

bool amdvi_dte_report(struct amdvi *amdvi, uint16_t device_id)
{
	struct dte_slot *slot = amdvi_dte_slot(amdvi, device_id);

	return !slot || !__atomic_exchange_n(&slot->reported, true, __ATOMIC_RELAXED);
}
