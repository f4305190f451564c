/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixture `load`: an NVMe device that the kernel maps for in one of its three ways, and beside it,
 * behind the same IOMMU, a VM that invalidates at one of three paces; requests of one of three
 * sizes. docs/load.md
 */
#ifndef NIT_SUITES_LOAD_LOAD_H
#define NIT_SUITES_LOAD_LOAD_H

#include <stdlib.h>

#define NIT_TEST_TIMEOUT 1000000	/* NIT_TEST_TIMEOUT in the environment is the bound */

#include "core/figure.h"
#include "load/nested.h"
#include "load/nvme.h"
#include "target/assert.h"
#include "vmm/expect.h"

#define IOVA 0x7f1400000000
#define BATCH 16
#define NO_NVME "needs an NVMe device that the kernel drives"
#define LOAD_SECONDS 1.0

/* How long each load goes on: `run.sh --duration` */
static inline double load_seconds(void)
{
	const char *seconds = getenv("NIT_LOAD_SECONDS");

	return seconds && atof(seconds) > 0 ? atof(seconds) : LOAD_SECONDS;
}

FIXTURE(load)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	struct nvme nvme;
	struct nested nested;
};

FIXTURE_VARIANT(load)
{
	const char *domain;
	enum nested_pace pace;
	unsigned int block;
};

#define LOAD_BLOCK(_name, _domain, _pace, _size, _block) \
	FIXTURE_VARIANT_ADD(load, _name ## _ ## _size) \
	{ .domain = _domain, .pace = _pace, .block = _block }

#define LOAD(_how, _domain, _name, _pace) \
	LOAD_BLOCK(_how ## _ ## _name, _domain, _pace, 4k, 4 << 10); \
	LOAD_BLOCK(_how ## _ ## _name, _domain, _pace, 64k, 64 << 10); \
	LOAD_BLOCK(_how ## _ ## _name, _domain, _pace, 1m, 1 << 20)

LOAD(strict, "DMA", idle, NESTED_IDLE);
LOAD(strict, "DMA", steady, NESTED_STEADY);
LOAD(strict, "DMA", storm, NESTED_STORM);
LOAD(lazy, "DMA-FQ", idle, NESTED_IDLE);
LOAD(lazy, "DMA-FQ", steady, NESTED_STEADY);
LOAD(lazy, "DMA-FQ", storm, NESTED_STORM);
LOAD(passthrough, "identity", idle, NESTED_IDLE);
LOAD(passthrough, "identity", steady, NESTED_STEADY);
LOAD(passthrough, "identity", storm, NESTED_STORM);

FIXTURE_SETUP(load)
{
	int rc;

	TARGET_OPEN(&self->target, "arm", NULL);
	VM_OPEN(&self->vm, &self->target, &vm_arm, 0);
	rc = nvme_open(&self->nvme, variant->domain);
	if (rc == -ENODEV)
		SKIP(return, NO_NVME);
	ASSERT_EQ(0, rc);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, false, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	self->nested.device = self->device;
	self->nested.space = &self->space;
	self->nested.iova = IOVA;
	self->nested.pace = variant->pace;
	self->nested.batch = variant->pace == NESTED_STORM ? BATCH : 1;
	self->nested.page[0] = vm_page(&self->vm);
	self->nested.page[1] = vm_page(&self->vm);
	ASSERT_EQ(0, nested_start(&self->nested));
}

/* What went on beside the load: every DMA has followed, and there were some. */
static inline void load_end(struct __test_metadata *_metadata, struct _test_data_load *self)
{
	struct nested *nested = &self->nested;

	nested_stop(nested);
	EXPECT_EQ(0, nested->error);
	EXPECT_EQ(0, nested->violations)
		check_note("%s", nested->what);
	if (nested->pace == NESTED_IDLE)
		return;
	EXPECT_LT(0, nested->rounds);
	if (!nested->stale && !_metadata->exit_code)
		SKIP(, "the IOMMU here does not show an old translation");
	figure_time("rounds_per_s", nested->rounds / nested->seconds, "1/s");
	figure_time("invalidations", nested->invalidations, "1");
	figure_time("invalidations_per_s", nested->invalidations / nested->seconds, "1/s");
	figure_time("stale_before_completion", nested->stale, "1");
	figure_time("violations", nested->violations, "1");
	figure_time("invalidation_p50", nested_percentile(nested, 0.5), "ns");
	figure_time("invalidation_p99", nested_percentile(nested, 0.99), "ns");
	figure_time("invalidation_p999", nested_percentile(nested, 0.999), "ns");
	figure_time("invalidation_max", nested_percentile(nested, 1), "ns");
}

FIXTURE_TEARDOWN(load)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#endif
