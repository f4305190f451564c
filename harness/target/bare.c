// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "hypervised.h"
#include "core/check.h"
#include "dma/probe.h"
#include "hw_info.h"
#include "journal.h"
#include "qtest/board.h"
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
	struct journal journal;
};

static const struct {
	const char *vendor;
	const struct hyp_vendor_ops *ops;
} hypervisors[] = {
	{ "arm", &hyp_smmuv3_ops }, { "intel", &hyp_vtd_ops }, { "amd", &hyp_amdvi_ops },
};

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

/* What the IOMMU has to report of a DMA is there when the DMA is over: as an MSI would be. */
static enum dma_status bare_dma(struct target *target, unsigned int device, unsigned int engine,
				struct dma *dma)
{
	struct bare *bare = bare_of(target);
	enum dma_status status = DMA_ABORTED;

	pthread_mutex_lock(&bare->dma_lock);
	if (dma->pasid == DMA_NO_PASID && dma->address == DMA_PLAIN)
		status = dma_probe(&bare->devices[device], &bare->memory, dma);
	journal_dma(&bare->journal, device, dma, status);
	pthread_mutex_unlock(&bare->dma_lock);
	bare->platform.interrupt(bare->platform.interrupt_arg, PLATFORM_WIRED, 0);
	return status;
}

static int bare_service(struct target *target)
{
	return hyp_service(bare_hyp(target), BARE_STEPS) ? 0 : -ETIMEDOUT;
}

static uint64_t bare_mark(struct target *target)
{
	return journal_mark(&bare_of(target)->journal);
}

static uint64_t bare_event(struct target *target, uint64_t number, char *line, unsigned int size)
{
	return journal_read(&bare_of(target)->journal, number, line, size);
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
	.bind = hypervised_bind,
	.unbind = hypervised_unbind,
	.attach = hypervised_attach,
	.detach = hypervised_detach,
	.reset = hypervised_reset,
	.dma = bare_dma,
	.service = bare_service,
	.mark = bare_mark,
	.event = bare_event,
	.close = bare_close,
};

/*
 * A slot for each, behind that of the host bridge and one that AMD-Vi's own function takes; a root
 * port has one slot, with functions.
 */
static uint16_t rid_of(const struct qtest_board *board, unsigned int device)
{
	unsigned int bus = device % board->iommu_count;
	uint8_t devfn = board->buses[bus].bridge ? device / board->iommu_count : (device + 2) << 3;

	return board->buses[bus].number << 8 | devfn;
}

static int add_device(struct target *target, unsigned int n)
{
	struct bare *bare = bare_of(target);
	unsigned int iommu = n % bare->machine.board->iommu_count;
	uint16_t rid = rid_of(bare->machine.board, n);
	struct dma_bar bar;
	uint32_t word = qtest_config_read(&bare->machine, rid, 0, 4);
	struct pci_id id = {
		.vendor = word, .device = word >> 16,
		.class = qtest_config_read(&bare->machine, rid, 8, 4) >> 8,
	};

	target->devices[target->device_count++] = (struct target_device){
		.rid = rid, .iommu = iommu,
	};
	bare->platform.devices[bare->platform.device_count++] =
		(struct platform_device){
			.rid = rid, .iommu = iommu, .ats_queue_depth = 32,
		};
	if (!qtest_device_bar(&bare->machine, rid, 0, &bar))
		return -ENODEV;
	qtest_device_enable(&bare->machine, rid);
	return dma_open_bar(&bare->devices[n], &id, &bar);
}

static char *device_options(const struct qtest_board *board, unsigned int devices)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (unsigned int i = 0; out && i < devices; i++)
		fprintf(out, "-device iommu-testdev,bus=%s,addr=%x.%x,multifunction=on ",
			board->buses[i % board->iommu_count].name, rid_of(board, i) >> 3 & 31,
			rid_of(board, i) & 7);
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

static int build(struct target *target, const struct qtest_board *board,
		 const struct hyp_vendor_ops *ops, unsigned int devices)
{
	struct bare *bare = bare_of(target);
	char *options = device_options(board, devices);
	int rc = options ? start_machine(bare, board, options) : -ENOMEM;

	free(options);
	for (unsigned int i = 0; i < devices && !rc; i++)
		rc = add_device(target, i);
	if (rc)
		return rc;
	bare->hyp = hyp_create(&bare->platform, ops);
	return bare->hyp ? 0 : -ENODEV;
}

static bool wants_other_hardware(const struct target_config *config)
{
	return (config->iommu && !config->any_iommu) || config->no_ats || config->no_pri ||
	       config->no_pasid || config->ats_queue_depth || config->atc_entries || config->ram;
}

/* What the emulator's IOMMU is there for is in its registers, once it runs. */
static int look_at_hardware(struct target *target, unsigned int needs)
{
	struct hyp *hyp = bare_hyp(target);
	uint64_t info[256 / 8] = {};
	uint32_t len;

	if (hyp->vendor->hw_info(&hyp->devices[0], info, &len))
		return -EIO;
	target->has |= hw_info_has(hyp->vendor->hw_info_type, info);
	target->lacks = target_lacks(target, needs);
	return target->lacks ? -EOPNOTSUPP : 0;
}

static int open_machine(struct target *target, const char *vendor,
			const struct target_config *config)
{
	const struct qtest_board *board = qtest_board(vendor, getenv("NIT_BOARD"),
						      config->iommus ?: 1);
	unsigned int i = 0;

	target->lacks = target_lacks(target, config->needs & ~HW_INFO_NEEDS);
	if (wants_other_hardware(config))
		target->lacks = "needs hardware of the test's own making";
	else if (!board)
		target->lacks = "needs more IOMMUs than there are here";
	if (target->lacks)
		return -EOPNOTSUPP;
	while (strcmp(hypervisors[i].vendor, vendor))
		i++;
	return build(target, board, hypervisors[i].ops, config->devices ?: 2) ?:
	       look_at_hardware(target, config->needs);
}

int bare_open(struct target *target, const char *vendor, const struct target_config *config)
{
	struct bare *bare = calloc(1, sizeof(*bare));
	int rc;

	*target = (struct target){ .ops = &bare_ops, .priv = bare };
	target->has = TARGET_DMA;	/* iommu-testdev: no ATC, no PASID, no PRI */
	if (!bare)
		return -ENOMEM;
	bare->machine.ram_fd = bare->machine.qtest.socket = bare->machine.qtest.log = -1;
	bare->journal.kmsg = bare->journal.ktrace.fd = -1;
	pthread_mutex_init(&bare->dma_lock, NULL);
	rc = getenv("NIT_QEMU") ? open_machine(target, vendor, config) : -ENOENT;
	if (rc)
		bare_close(target);
	return rc;
}
