// SPDX-License-Identifier: GPL-2.0-only
/* The reference AMD-Vi: making, resetting and stepping it, and what it sends to others. */
#include <stdio.h>
#include <stdlib.h>

#include "amdvi_model.h"

#define ENTRIES 4096

void amdvi_lock(struct amdvi *amdvi)
{
	pthread_mutex_lock(&amdvi->lock);
}

static void deliver(struct amdvi *amdvi, const struct amdvi_message *message)
{
	struct endpoint *endpoint = machine_endpoint(amdvi->hw.machine, message->rid);

	if (!endpoint)
		return;		/* nobody answers a message to nobody */
	if (message->prg)
		endpoint_prg_response(endpoint, message->has_pasid, message->pasid, message->index,
				      message->code);
	else
		endpoint_ats_invalidate(endpoint, &message->invalidate);
}

void amdvi_unlock(struct amdvi *amdvi)
{
	pthread_mutex_unlock(&amdvi->lock);
}

void amdvi_unlock_and_send(struct amdvi *amdvi)
{
	struct amdvi_message *messages = amdvi->outbox;
	size_t count = amdvi->outbox_count;

	if (!count) {
		pthread_mutex_unlock(&amdvi->lock);
		return;
	}
	amdvi->outbox = NULL;
	amdvi->outbox_count = 0;
	amdvi->outbox_room = 0;
	pthread_mutex_unlock(&amdvi->lock);
	for (size_t i = 0; i < count; i++)
		deliver(amdvi, messages + i);
	free(messages);
}

void *amdvi_grow(void *vector, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return vector;
	*room = *room ? *room * 2 : 16;
	vector = realloc(vector, *room * size);
	if (!vector)
		abort();
	return vector;
}

void amdvi_send(struct amdvi *amdvi, const struct amdvi_message *message)
{
	amdvi->outbox = amdvi_grow(amdvi->outbox, amdvi->outbox_count, &amdvi->outbox_room,
				   sizeof(*message));
	amdvi->outbox[amdvi->outbox_count++] = *message;
}

void amdvi_msi(struct amdvi *amdvi)
{
	hw_msi(amdvi->hw.mem, (uint64_t)amdvi->msi[1] << 32 | amdvi->msi[0], amdvi->msi[2]);
}

static bool amdvi_step(struct hw_iommu *iommu)
{
	struct amdvi *amdvi = amdvi_of(iommu);
	bool any, waiting;

	amdvi_lock(amdvi);
	amdvi->now++;
	any = amdvi_ats_step(amdvi, &waiting);
	any |= amdvi_unit_step(&amdvi->host);
	for (struct amdvi_unit *guest = amdvi->guests; guest; guest = guest->next)
		any |= amdvi_unit_step(guest);
	any |= amdvi->outbox_count;
	amdvi_unlock_and_send(amdvi);
	return any || waiting;
}

static bool amdvi_awaited(struct hw_iommu *iommu)
{
	struct amdvi *amdvi = amdvi_of(iommu);
	bool awaited;

	amdvi_lock(amdvi);
	awaited = amdvi->host.wait.active;
	for (struct amdvi_unit *guest = amdvi->guests; guest; guest = guest->next)
		awaited |= guest->wait.active;
	amdvi_unlock(amdvi);
	return awaited;
}

static void forget_all(struct amdvi *amdvi)
{
	amdvi_unit_stop(&amdvi->host, false);
	amdvi_guests_destroy(amdvi);
	amdvi->ats_count = 0;
	amdvi->outbox_count = 0;
	amdvi_invalidate_all(amdvi);
	amdvi_registers_reset(amdvi);
}

static void amdvi_reset(struct hw_iommu *iommu)
{
	struct amdvi *amdvi = amdvi_of(iommu);

	amdvi_lock(amdvi);
	forget_all(amdvi);
	amdvi_unlock(amdvi);
}

static void amdvi_destroy(struct hw_iommu *iommu)
{
	struct amdvi *amdvi = amdvi_of(iommu);

	amdvi_guests_destroy(amdvi);
	for (size_t i = 0; i < amdvi->dtes_end; i++)
		free(amdvi->dtes[i]);
	free(amdvi->host.pending);
	free(amdvi->ats);
	free(amdvi->outbox);
	tlb_destroy(amdvi->iotlb);
	tlb_destroy(amdvi->walks);
	tlb_destroy(amdvi->maps);
	pthread_mutex_destroy(&amdvi->lock);
	pthread_mutex_destroy(&amdvi->dte_lock);
	free(amdvi);
}

#define AMDVI_OPS(_mmio_size) { \
	.name = "amdvi", \
	.mmio_size = _mmio_size, \
	.mmio_read = amdvi_mmio_read, \
	.mmio_write = amdvi_mmio_write, \
	.translate = amdvi_translate, \
	.page_request = amdvi_page_request, \
	.ats_complete = amdvi_ats_complete, \
	.step = amdvi_step, \
	.awaited = amdvi_awaited, \
	.reset = amdvi_reset, \
	.destroy = amdvi_destroy, \
}

static const struct hw_iommu_ops ops = AMDVI_OPS(AMDVI_MMIO_SIZE);
static const struct hw_iommu_ops viommu_ops = AMDVI_OPS(AMDVI_VIOMMU_MMIO_SIZE);

void amdvi_features(const struct amdvi_config *config, uint64_t efr[2])
{
	efr[0] = (config->prefetch ? AMDVI_EFR_PREF_SUP : 0) |
	       (config->ppr ? AMDVI_EFR_PPR_SUP : 0) | (config->nx ? AMDVI_EFR_NX_SUP : 0) |
	       (config->gt ? AMDVI_EFR_GT_SUP : 0) | (config->ia ? AMDVI_EFR_IA_SUP : 0) |
	       amdvi_put(config->host_levels - 4, AMDVI_EFR_HATS) |
	       amdvi_put(config->guest_levels - 4, AMDVI_EFR_GATS) |
	       amdvi_put(config->gcr3_levels - 1, AMDVI_EFR_GLX_SUP) |
	       amdvi_put(config->pasid_bits - 1, AMDVI_EFR_PAS_MAX) |
	       AMDVI_EFR_US_SUP | AMDVI_EFR_MSICAP_MMIO_SUP |
	       (config->giosup ? AMDVI_EFR_GIO_SUP : 0) | (config->ha ? AMDVI_EFR_HA_SUP : 0) |
	       (config->hd ? AMDVI_EFR_HD_SUP : 0) |
	       (config->eph ? AMDVI_EFR_EPH_SUP : 0) |
	       (config->ga ? AMDVI_EFR_GA_SUP : 0) |
	       (config->viommu ? AMDVI_EFR_VIOMMU_SUP : 0);
	efr[1] = config->gcr3trp ? AMDVI_EFR2_GCR3TRP_MODE : 0;
}

static bool possible(const struct amdvi_config *config)
{
	return config->host_levels >= 4 && config->host_levels <= 6 &&
	       config->guest_levels >= 4 && config->guest_levels <= 5 &&
	       config->gcr3_levels >= 1 && config->gcr3_levels <= 3 &&
	       config->pasid_bits >= 1 && config->pasid_bits <= 20;
}

struct hw_iommu *amdvi_create(struct machine *machine, const struct amdvi_config *config)
{
	static const struct amdvi_config all = { AMDVI_CONFIG };
	struct amdvi *amdvi = calloc(1, sizeof(*amdvi));
	uint64_t efr[2];

	if (!config)
		config = &all;
	if (!amdvi || !possible(config)) {
		free(amdvi);
		return NULL;
	}
	amdvi->config = *config;
	amdvi->hw.caches_absent = config->np_cache;
	amdvi->hw.ops = config->viommu ? &viommu_ops : &ops;
	snprintf(amdvi->hw.unit, sizeof(amdvi->hw.unit), "amdvi%u", machine->iommu_count);
	pthread_mutex_init(&amdvi->lock, NULL);
	pthread_mutex_init(&amdvi->dte_lock, NULL);
	amdvi_features(config, efr);
	amdvi->efr = efr[0];
	amdvi->efr2 = efr[1];
	amdvi->host.amdvi = amdvi;
	amdvi->iotlb = tlb_create(config->iotlb_entries ?: ENTRIES, machine->seed);
	amdvi->walks = tlb_create(config->walk_entries ?: ENTRIES, machine->seed + 1);
	amdvi->maps = tlb_create(config->map_entries ?: ENTRIES, machine->seed + 2);
	amdvi_registers_reset(amdvi);
	if (!amdvi->iotlb || !amdvi->walks || !amdvi->maps ||
	    machine_add_iommu(machine, &amdvi->hw)) {
		amdvi_destroy(&amdvi->hw);
		return NULL;
	}
	return &amdvi->hw;
}

void amdvi_cached(struct hw_iommu *iommu, struct amdvi_cached *cached)
{
	struct amdvi *amdvi = amdvi_of(iommu);

	cached->translations = tlb_count(amdvi->iotlb);
	cached->walks = tlb_count(amdvi->walks);
	cached->maps = tlb_count(amdvi->maps);
}
