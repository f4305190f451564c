// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "core/check.h"
#include "dma/probe.h"
#include "qtest/platform.h"

#define BARE_RAM (256ull << 20)
#define BARE_STEPS 10

/** struct bare - what is behind a target of this kind */
struct bare {
	struct qtest_machine machine;
	struct platform platform;
	struct hyp *hyp;
	struct dma_memory memory;
	struct dma_device devices[TARGET_DEVICES];
	pthread_mutex_t dma_lock;
};

const struct bare_vendor bare_arm = { "arm", &qtest_arm, &hyp_smmuv3_ops };
const struct bare_vendor bare_intel = { "intel", &qtest_intel, &hyp_vtd_ops };
const struct bare_vendor bare_intel_first_stage = {
	"intel", &qtest_intel_first_stage, &hyp_vtd_ops,
};
const struct bare_vendor bare_amd = { "amd", &qtest_amd, &hyp_amdvi_ops };

static struct bare *bare_of(struct target *target)
{
	return target->priv;
}

struct qtest_machine *bare_machine(struct target *target)
{
	return &bare_of(target)->machine;
}

struct hyp *bare_hyp(struct target *target)
{
	return bare_of(target)->hyp;
}

static int bare_iommufd_open(struct target *target, struct iommufd *iommufd)
{
	return hyp_iommufd_open(bare_hyp(target), iommufd);
}

static void *bare_memory(struct target *target, uint64_t size)
{
	return hyp_user_alloc(bare_hyp(target), size);
}

static int bare_bind(struct target *target, struct iommufd *iommufd, unsigned int device,
		     uint32_t *dev_id)
{
	return hyp_device_bind(iommufd, target->devices[device].rid, dev_id);
}

static void bare_unbind(struct target *target, struct iommufd *iommufd, unsigned int device,
			uint32_t dev_id)
{
	hyp_device_unbind(iommufd, dev_id);
}

static int bare_attach(struct target *target, struct iommufd *iommufd, uint32_t dev_id,
		       uint32_t pasid, uint32_t pt_id)
{
	return hyp_device_attach(iommufd, dev_id, pasid, pt_id);
}

static int bare_detach(struct target *target, struct iommufd *iommufd, uint32_t dev_id,
		       uint32_t pasid)
{
	return hyp_device_detach(iommufd, dev_id, pasid);
}

static int bare_reset(struct target *target, struct iommufd *iommufd, uint32_t dev_id)
{
	return hyp_device_reset(iommufd, dev_id);
}

/* What the IOMMU has to report of a DMA is there when the DMA is over: as an MSI would be. */
static enum dma_status bare_dma(struct target *target, unsigned int device, unsigned int engine,
				struct dma *dma)
{
	struct bare *bare = bare_of(target);
	enum dma_status status = DMA_ABORTED;

	pthread_mutex_lock(&bare->dma_lock);
	if (dma->pasid == DMA_NO_PASID && dma->address == DMA_PLAIN)
		status = dma_probe(&bare->devices[device], &bare->memory, dma);
	pthread_mutex_unlock(&bare->dma_lock);
	bare->platform.interrupt(bare->platform.interrupt_arg, 0, 0);
	return status;
}

static void bare_waiting(struct target *target, void (*fn)(void *arg), void *arg)
{
	bare_of(target)->platform.waiting = fn;
	bare_of(target)->platform.waiting_arg = arg;
}

static int bare_service(struct target *target)
{
	return hyp_service(bare_hyp(target), BARE_STEPS) ? 0 : -ETIMEDOUT;
}

static void bare_close(struct target *target)
{
	struct bare *bare = bare_of(target);

	if (!bare)
		return;
	if (bare->hyp)
		hyp_destroy(bare->hyp);
	for (unsigned int i = 0; i < target->device_count; i++)
		dma_close(&bare->devices[i]);
	qtest_machine_stop(&bare->machine);
	pthread_mutex_destroy(&bare->dma_lock);
	free(bare);
	target->priv = NULL;
}

static const struct target_ops bare_ops = {
	.name = "bare",
	.iommufd_open = bare_iommufd_open,
	.memory = bare_memory,
	.bind = bare_bind,
	.unbind = bare_unbind,
	.attach = bare_attach,
	.detach = bare_detach,
	.reset = bare_reset,
	.dma = bare_dma,
	.waiting = bare_waiting,
	.service = bare_service,
	.close = bare_close,
};

/* As in the reference machine: bus 0, a slot for each */
static uint16_t rid_of(unsigned int device)
{
	return (device + 1) << 3;
}

static int find_device(struct target *target, unsigned int n)
{
	struct bare *bare = bare_of(target);
	uint16_t rid = rid_of(n);
	struct dma_bar bar;
	uint32_t word = qtest_config_read(&bare->machine, rid, 0, 4);
	struct pci_id id = {
		.vendor = word, .device = word >> 16,
		.class = qtest_config_read(&bare->machine, rid, 8, 4) >> 8,
	};

	target->devices[target->device_count++] = (struct target_device){ .rid = rid };
	bare->platform.devices[bare->platform.device_count++] =
		(struct platform_device){ .rid = rid, .ats_queue_depth = 32 };
	if (!qtest_device_bar(&bare->machine, rid, 0, &bar))
		return -ENODEV;
	qtest_device_enable(&bare->machine, rid);
	return dma_open_bar(&bare->devices[n], &id, &bar);
}

/* A slot for each */
static char *device_options(unsigned int devices)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (unsigned int i = 0; out && i < devices; i++)
		fprintf(out, "-device iommu-testdev,addr=%u ", rid_of(i) >> 3);
	if (out)
		fclose(out);
	return text;
}

static int start_machine(struct bare *bare, const struct qtest_board *board, const char *options)
{
	char log[2048];
	int rc;

	rc = qtest_machine_start(&bare->machine, board, getenv("NIT_QEMU"), BARE_RAM, options);
	if (rc) {
		qtest_log(&bare->machine.qtest, log, sizeof(log));
		check_note("QEMU: %s", log);
		return rc;
	}
	bare->memory = (struct dma_memory){
		bare->machine.ram, bare->machine.ram_size, bare->machine.ram_fd,
	};
	platform_qtest(&bare->platform, &bare->machine);
	return 0;
}

static int build(struct target *target, const struct bare_vendor *vendor, unsigned int devices)
{
	struct bare *bare = bare_of(target);
	char *options = device_options(devices);
	int rc = options ? start_machine(bare, vendor->board, options) : -ENOMEM;

	free(options);
	for (unsigned int i = 0; i < devices && !rc; i++)
		rc = find_device(target, i);
	if (rc)
		return rc;
	bare->hyp = hyp_create(&bare->platform, vendor->hyp);
	return bare->hyp ? 0 : -ENODEV;
}

int bare_open(struct target *target, const struct bare_vendor *vendor, unsigned int devices)
{
	struct bare *bare = calloc(1, sizeof(*bare));
	int rc;

	*target = (struct target){ .ops = &bare_ops, .priv = bare };
	if (!bare)
		return -ENOMEM;
	bare->machine.ram_fd = bare->machine.qtest.socket = bare->machine.qtest.log = -1;
	pthread_mutex_init(&bare->dma_lock, NULL);
	rc = getenv("NIT_QEMU") ? build(target, vendor, devices ?: 2) : -ENOENT;
	if (rc)
		bare_close(target);
	return rc;
}
