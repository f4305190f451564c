// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "kernel.h"
#include "ref.h"

static const struct ref_vendor * const vendors[] = { &ref_intel, &ref_amd, &ref_arm };

static int open_ref(struct target *target, const char *vendor, const struct target_config *config)
{
	for (unsigned int i = 0; i < sizeof(vendors) / sizeof(*vendors); i++)
		if (!strcmp(vendors[i]->name, vendor))
			return ref_open(target, vendors[i], config);
	return -EINVAL;
}

int target_open(struct target *target, const char *vendor, const struct target_config *config)
{
	static const struct target_config usual;
	const char *kind = getenv("NIT_TARGET");

	*target = (struct target){};
	config = config ?: &usual;
	if (!kind || !*kind || !strcmp(kind, "ref"))
		return open_ref(target, vendor, config);
	if (!strcmp(kind, "bare"))
		return bare_open(target, vendor, config);
	if (!strcmp(kind, "kernel"))
		return kernel_open(target, vendor, config);
	return -EINVAL;
}

/* Constant, because whoever reads results counts them */
static const char * const lacking[] = {
	"no device here has an ATC",
	"no device here makes page requests",
	"no device here uses PASIDs",
	"the IOMMU here does not stall",
	"no device here holds a DMA in flight",
	"no device here reads memory",
	"no device here does atomic operations",
	"nobody here says when the hypervisor waits",
	"turns knobs of the reference hardware or hypervisor",
	"the IOMMU here does not track dirty pages",
	"the IOMMU here does not nest",
	"no driver in harness/dma for a device here: its DMA is not seen",
	"the hardware here has no knobs that a test could turn",
	"nobody here counts what the hardware does",
};

const char *target_lacks(const struct target *target, unsigned int needs)
{
	unsigned int missing = needs & ~target->has;

	return missing ? lacking[__builtin_ctz(missing)] : NULL;
}
