// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "hw/knob.h"
#include "hyp/platform.h"
#include "hypervised.h"
#include "ref.h"

#define REF_RAM_BASE (1ULL << 32)
#define REF_RAM (256ULL << 20)
#define REF_STEPS 10000

/** struct ref - what is behind a target of this kind */
struct ref {
	struct machine *machine;
	struct platform platform;
	struct hyp *hyp;
};

static const struct target_ops ref_ops;

static struct ref *ref_of(struct target *target)
{
	return target->priv;
}

struct machine *ref_machine(struct target *target)
{
	return target->ops == &ref_ops ? ref_of(target)->machine : NULL;
}

struct hyp *ref_hyp(struct target *target)
{
	return target->ops == &ref_ops ? ref_of(target)->hyp : NULL;
}

struct endpoint *ref_endpoint(struct target *target, unsigned int device)
{
	struct machine *machine = ref_machine(target);

	return machine ? machine->endpoints[device] : NULL;
}

static int ref_iommufd_open(struct target *target, struct iommufd *iommufd)
{
	return hyp_iommufd_open(ref_hyp(target), iommufd);
}

static void *ref_memory(struct target *target, uint64_t size)
{
	return hyp_user_alloc(ref_hyp(target), size);
}

static enum dma_status ref_dma(struct target *target, unsigned int device, unsigned int engine,
			       struct dma *dma)
{
	return endpoint_dma(ref_endpoint(target, device), engine, dma);
}

static enum dma_status ref_dma_start(struct target *target, unsigned int device,
				     unsigned int engine, struct dma *dma)
{
	return endpoint_dma_start(ref_endpoint(target, device), engine, dma);
}

static enum dma_status ref_dma_finish(struct target *target, unsigned int device,
				      unsigned int engine)
{
	return endpoint_dma_finish(ref_endpoint(target, device), engine);
}

static int ref_prefetch(struct target *target, unsigned int device, uint32_t pasid, uint64_t addr,
			bool write)
{
	return endpoint_prefetch(ref_endpoint(target, device), pasid, addr,
				 write ? HW_READ | HW_WRITE : HW_READ);
}

static int ref_prefetch_start(struct target *target, unsigned int device, uint32_t pasid,
			      uint64_t addr, bool write)
{
	return endpoint_prefetch_start(ref_endpoint(target, device), pasid, addr,
				       write ? HW_READ | HW_WRITE : HW_READ);
}

static int ref_prefetch_finish(struct target *target, unsigned int device)
{
	return endpoint_prefetch_finish(ref_endpoint(target, device));
}

static int ref_turn(struct target *target, unsigned int device, bool of_iommu, enum knob knob,
		    uint64_t value)
{
	return hw_turn(ref_endpoint(target, device), of_iommu, knob, value);
}

static void ref_waiting(struct target *target, void (*fn)(void *arg), void *arg)
{
	ref_of(target)->platform.waiting = fn;
	ref_of(target)->platform.waiting_arg = arg;
}

static int ref_service(struct target *target)
{
	return hyp_service(ref_hyp(target), REF_STEPS) ? 0 : -ETIMEDOUT;
}

static int ref_page_request(struct target *target, unsigned int device, uint32_t pasid,
			    uint64_t addr, unsigned int group, bool write)
{
	struct hw_page_request request = {
		.rid = target->devices[device].rid, .has_pasid = pasid != DMA_NO_PASID,
		.pasid = pasid != DMA_NO_PASID ? pasid : 0, .addr = addr, .index = group,
		.last = true, .access = write ? HW_WRITE : HW_READ,
	};
	int rc = endpoint_page_request(ref_endpoint(target, device), &request);

	return rc ?: ref_service(target);
}

static int ref_page_answer(struct target *target, unsigned int device, unsigned int group)
{
	int rc = ref_service(target);

	return rc ?: endpoint_prg_answer(ref_endpoint(target, device), group);
}

static int ref_counts(struct target *target, struct counts *counts)
{
	struct machine *machine = ref_machine(target);

	*counts = (struct counts){};
	for (unsigned int i = 0; i < machine->iommu_count; i++) {
		struct hw_counts *hw = &machine->iommus[i]->counts;

		counts->commands += hw->commands;
		counts->syncs += hw->syncs;
		counts->ats_invalidates += hw->ats_invalidates;
		counts->walks += hw->walks;
		counts->table_reads += hw->table_reads;
		counts->removed += hw->removed;
		counts->over_removed += hw->over_removed;
	}
	for (unsigned int i = 0; i < target->device_count; i++)
		counts->cached += endpoint_atc_count(ref_endpoint(target, i));
	return 0;
}

static uint64_t ref_mark(struct target *target)
{
	return hw_trace_number(ref_machine(target)->trace);
}

static uint64_t ref_event(struct target *target, uint64_t number, char *line, unsigned int size)
{
	return hw_trace_read(ref_machine(target)->trace, number, line, size);
}

static void ref_close(struct target *target)
{
	struct ref *ref = ref_of(target);

	if (!ref)
		return;
	if (ref->hyp)
		hyp_destroy(ref->hyp);
	if (ref->machine)
		machine_destroy(ref->machine);
	free(ref);
	target->priv = NULL;
}

static const struct target_ops ref_ops = {
	.name = "ref",
	.iommufd_open = ref_iommufd_open,
	.memory = ref_memory,
	.bind = hypervised_bind,
	.unbind = hypervised_unbind,
	.attach = hypervised_attach,
	.detach = hypervised_detach,
	.reset = hypervised_reset,
	.dma = ref_dma,
	.dma_start = ref_dma_start,
	.dma_finish = ref_dma_finish,
	.prefetch = ref_prefetch,
	.prefetch_start = ref_prefetch_start,
	.prefetch_finish = ref_prefetch_finish,
	.viommu_mmio = hypervised_viommu_mmio,
	.waiting = ref_waiting,
	.turn = ref_turn,
	.service = ref_service,
	.page_request = ref_page_request,
	.page_answer = ref_page_answer,
	.counts = ref_counts,
	.mark = ref_mark,
	.event = ref_event,
	.close = ref_close,
};

static int build_devices(struct target *target, struct machine *machine,
			 const struct target_config *config, unsigned int iommus)
{
	unsigned int devices = config->devices ?: 2;

	for (unsigned int i = 0; i < devices; i++) {
		struct endpoint_config endpoint = {
			.rid = (i + 1) << 3,	/* bus 0, a slot for each */
			.ats = !config->no_ats, .pri = !config->no_pri, .pasid = !config->no_pasid,
			.ats_queue_depth = config->ats_queue_depth,
			.global_invalidate = true,
			.atc_entries = config->atc_entries ?: 4096,
		};
		struct endpoint *device =
			endpoint_create(machine, machine->iommus[i % iommus], &endpoint);

		if (!device)
			return -ENOMEM;
		endpoint_bus_master(device, true);
		target->devices[target->device_count++] = (struct target_device){
			.rid = endpoint.rid, .iommu = i % iommus, .ats = endpoint.ats,
			.pri = endpoint.pri, .pasid = endpoint.pasid,
		};
	}
	return 0;
}

static int build(struct target *target, const struct ref_vendor *vendor,
		 const struct target_config *config)
{
	struct ref *ref = ref_of(target);
	unsigned int iommus = config->iommus ?: 1;

	ref->machine = machine_create(REF_RAM_BASE, config->ram ?: REF_RAM,
				      config->seed ?: prng_seed());
	if (!ref->machine)
		return -ENOMEM;
	for (unsigned int i = 0; i < iommus; i++)
		if (!vendor->iommu_create(ref->machine, i, config->iommu))
			return -ENOMEM;
	if (build_devices(target, ref->machine, config, iommus))
		return -ENOMEM;
	platform_inprocess(&ref->platform, ref->machine);
	ref->hyp = hyp_create(&ref->platform, vendor->hyp);
	return ref->hyp ? 0 : -EIO;
}

int ref_open(struct target *target, const struct ref_vendor *vendor,
	     const struct target_config *config)
{
	static const struct target_config defaults;
	struct ref *ref = calloc(1, sizeof(*ref));
	int rc;

	*target = (struct target){ .ops = &ref_ops, .has = ~0u, .priv = ref };
	if (!ref)
		return -ENOMEM;
	config = config ?: &defaults;
	rc = build(target, vendor, config);
	if (rc)
		ref_close(target);
	return rc;
}
