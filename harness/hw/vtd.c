// SPDX-License-Identifier: GPL-2.0-only
/* The unit as a whole: creation, the passing of time, reset. */
#include <stdio.h>
#include <stdlib.h>

#include "vtd_internal.h"

const struct vtd_config vtd_config_full = {
	.scalable = true,
	.first_stage = true,
	.second_stage = true,
	.nested = true,
	.pass_through = true,
	.five_level = true,
	.large_2m = true,
	.large_1g = true,
	.first_1g = true,
	.pasid_bits = 20,
	.ats = true,
	.prs = true,
	.pds = true,
	.dit = true,
	.srs = true,
	.ers = true,
	.eafs = true,
	.ssads = true,
	.smpwcs = true,
	.rps = true,
	.queue = true,
	.psi = true,
	.mamv = 18,
	.drain = true,
	.domain_bits = 16,
	.mgaw = 57,
	.haw = 52,
	.fault_records = 8,
	.iotlb_entries = 4096,
	.paging_entries = 4096,
	.config_entries = 4096,
	.ats_timeout = 200,
};

static bool makes_sense(const struct vtd_config *config)
{
	if (config->scalable && !config->first_stage && !config->second_stage &&
	    !config->pass_through)
		return false;
	if (config->nested && !(config->scalable && config->first_stage && config->second_stage))
		return false;
	if (config->pasid_bits > 20 || (config->pasid_bits && !config->scalable))
		return false;
	return config->domain_bits >= 4 && config->domain_bits <= 16 &&
	       !(config->domain_bits & 1) && config->mgaw >= 39 && config->mgaw <= 57 &&
	       config->haw >= 32 && config->haw <= 52 && config->mamv < 52 &&
	       config->fault_records >= 1 && config->fault_records <= 32;
}

static void vtd_reset(struct hw_iommu *iommu)
{
	struct vtd *vtd = to_vtd(iommu);

	pthread_mutex_lock(&vtd->lock);
	vtd_trace(vtd, "reset");
	atomic_store(&vtd->translating, false);
	atomic_store(&vtd->root, 0);
	atomic_fetch_add(&vtd->epoch, 1);
	vtd_queue_reset(vtd);
	vtd_ats_reset(vtd);
	vtd_invalidate_everything(vtd);
	vtd->iotlb_busy = false;
	pthread_mutex_lock(&vtd->fault_lock);
	vtd->fault_next = 0;
	vtd->response_count = 0;
	vtd_registers_reset(vtd);
	pthread_mutex_unlock(&vtd->fault_lock);
	pthread_mutex_unlock(&vtd->lock);
}

/* A moment: devices may time out, delays run down, the queue goes on. */
static bool vtd_step(struct hw_iommu *iommu)
{
	struct vtd *vtd = to_vtd(iommu);
	bool any;

	pthread_mutex_lock(&vtd->lock);
	any = vtd_prq_step(vtd);
	if (vtd_ats_step(vtd)) {
		vtd_queue_abort_waits(vtd);
		any = true;
	}
	vtd_registers_step(vtd);
	vtd_queue_step(vtd);
	any |= vtd_queue_run(vtd);
	any |= vtd_queue_busy(vtd);
	pthread_mutex_unlock(&vtd->lock);
	return any;
}

static bool vtd_awaited(struct hw_iommu *iommu)
{
	struct vtd *vtd = to_vtd(iommu);
	bool awaited;

	pthread_mutex_lock(&vtd->lock);
	awaited = vtd_queue_awaited(vtd) || vtd->iotlb_busy;
	pthread_mutex_unlock(&vtd->lock);
	return awaited;
}

static void vtd_destroy(struct hw_iommu *iommu)
{
	struct vtd *vtd = to_vtd(iommu);

	tlb_destroy(vtd->iotlb);
	tlb_destroy(vtd->paging);
	tlb_destroy(vtd->configs);
	free(vtd->snapshots);
	pthread_mutex_destroy(&vtd->lock);
	pthread_mutex_destroy(&vtd->fault_lock);
	pthread_mutex_destroy(&vtd->ats_lock);
	free(vtd);
}

static const struct hw_iommu_ops vtd_ops = {
	.name = "vtd",
	.mmio_size = VTD_MMIO_SIZE,
	.mmio_read = vtd_mmio_read,
	.mmio_write = vtd_mmio_write,
	.translate = vtd_translate,
	.page_request = vtd_page_request,
	.ats_complete = vtd_ats_complete,
	.step = vtd_step,
	.awaited = vtd_awaited,
	.reset = vtd_reset,
	.destroy = vtd_destroy,
};

struct hw_iommu *vtd_create(struct machine *machine, const struct vtd_config *config)
{
	struct vtd *vtd;

	if (!makes_sense(config))
		return NULL;
	vtd = aligned_alloc(64, (sizeof(*vtd) + 63) & ~63ull);
	if (!vtd)
		return NULL;
	memset(vtd, 0, sizeof(*vtd));
	vtd->config = *config;
	vtd->beyond_host = ~((1ull << config->haw) - 1);
	vtd->iotlb = tlb_create(config->iotlb_entries, machine->seed);
	vtd->paging = tlb_create(config->paging_entries, machine->seed + 1);
	vtd->configs = tlb_create(config->config_entries, machine->seed + 2);
	vtd->snapshots = calloc(VTD_HELD, sizeof(*vtd->snapshots));
	pthread_mutex_init(&vtd->lock, NULL);
	pthread_mutex_init(&vtd->fault_lock, NULL);
	pthread_mutex_init(&vtd->ats_lock, NULL);
	vtd->iommu.ops = &vtd_ops;
	snprintf(vtd->iommu.unit, sizeof(vtd->iommu.unit), "vtd%u", machine->iommu_count);
	if (!vtd->iotlb || !vtd->paging || !vtd->configs || !vtd->snapshots ||
	    machine_add_iommu(machine, &vtd->iommu)) {
		vtd_destroy(&vtd->iommu);
		return NULL;
	}
	vtd_reset(&vtd->iommu);
	return &vtd->iommu;
}
