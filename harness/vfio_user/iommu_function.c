// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "spec/served.h"

#include "iommu_function.h"

#define BAR0 0x10

static struct iommu_function *served_of(struct function *function)
{
	return function->priv;
}

static bool answers(const struct iommu_function *served, uint64_t offset, uint32_t len)
{
	return (len == 4 || len == 8) && !(offset % len) &&
	       offset < served->iommu->ops->mmio_size;
}

static int bar_read(struct function *function, unsigned int bar, uint64_t offset, void *data,
		    uint32_t len)
{
	struct iommu_function *served = served_of(function);
	uint64_t value;

	if (!answers(served, offset, len))
		return 0;
	value = served->iommu->ops->mmio_read(served->iommu, offset, len);
	memcpy(data, &value, len);
	return 0;
}

static int bar_write(struct function *function, unsigned int bar, uint64_t offset,
		     const void *data, uint32_t len)
{
	struct iommu_function *served = served_of(function);
	uint64_t value = 0;

	if (!answers(served, offset, len))
		return 0;
	memcpy(&value, data, len);
	served->iommu->ops->mmio_write(served->iommu, offset, len, value);
	return 0;
}

static void configured(struct function *function)
{
	struct iommu_function *served = served_of(function);
	uint32_t bar = config_get32(&function->config, BAR0) & ~0xfu;

	if (!(config_get16(&function->config, CONFIG_COMMAND) & CONFIG_COMMAND_MEMORY) ||
	    bar == served->base)
		return;
	fprintf(stderr, "%s: firmware has put the registers at %#x, the tables say %#llx\n",
		function->name, bar, (unsigned long long)served->base);
	served->misplaced = true;
}

static void reset(struct function *function)
{
	struct iommu_function *served = served_of(function);

	served->iommu->ops->reset(served->iommu);
}

static const struct function_ops ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.configured = configured,
	.reset = reset,
};

void iommu_function_init(struct iommu_function *served, const char *name, struct hw_iommu *iommu,
			 uint32_t class, uint64_t base, uint32_t bar,
			 pthread_rwlock_t *lock)
{
	*served = (struct iommu_function){ .iommu = iommu, .base = base };
	function_init(&served->function, name, &ops, served, lock);
	config_init(&served->function.config, SERVED_VENDOR, SERVED_IOMMU, class);
	config_bar(&served->function.config, 0, bar);
	served->function.bars[0].size = bar;
}
