/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of this suite work on: an NVMe device that the kernel maps for, and beside it,
 * behind the same IOMMU, a VM that invalidates. docs/load.md
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
#define NO_NVME "needs an NVMe device that the kernel drives"
#define LOAD_SECONDS 1.0

/* How long each load goes on: `run.sh --duration` */
static inline double load_seconds(void)
{
	const char *seconds = getenv("NIT_LOAD_SECONDS");

	return seconds && atof(seconds) > 0 ? atof(seconds) : LOAD_SECONDS;
}

/** struct load - @device, @space: of @vm; @nested: what goes on in them */
struct load {
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	struct nvme nvme;
	struct nested nested;
};

/* Everything but the rounds: nested_start(). Without @load->device what it needs is not there. */
static inline void load_open(struct __test_metadata *_metadata, struct load *load,
			     const char *domain)
{
	int rc;

	TARGET_OPEN(&load->target, "arm", NULL);
	VM_OPEN(&load->vm, &load->target, &vm_arm, 0);
	rc = nvme_open(&load->nvme, domain);
	if (rc == -ENODEV)
		SKIP(return, NO_NVME);
	ASSERT_EQ(0, rc);
	ASSERT_EQ(0, vm_add_device(&load->vm, 0, false, &load->device));
	ASSERT_EQ(0, vm_space_init(&load->vm, &load->space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_attach(load->device, &load->space));
	load->nested.device = load->device;
	load->nested.space = &load->space;
	load->nested.iova = IOVA;
	load->nested.page[0] = vm_page(&load->vm);
	load->nested.page[1] = vm_page(&load->vm);
}

/* What went on beside the load: every DMA has followed, and there were some. */
static inline void load_end(struct __test_metadata *_metadata, struct load *load)
{
	struct nested *nested = &load->nested;

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

/* Also of a test that ended early, with the rounds still going on */
static inline void load_close(struct load *load)
{
	nested_stop(&load->nested);
	vm_space_fini(&load->space);
	vm_close(&load->vm);
	load->target.ops->close(&load->target);
}

#endif
