// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "endpoint_function.h"

#define REGISTERS_BAR 0
#define MEMORY_BAR 2
#define PASID_WIDTH 20

static struct endpoint_function *served_of(struct function *function)
{
	return function->priv;
}

static uint32_t register_value(const struct endpoint_function *served, uint64_t offset)
{
	switch (offset) {
	case SERVED_MAGIC:
		return SERVED_MAGIC_VALUE;
	case SERVED_VERSION:
		return SERVED_VERSION_VALUE;
	case SERVED_NUMBER:
		return served->number;
	case SERVED_UNIT:
		return served->unit;
	default:
		return 0;
	}
}

static int bar_read(struct function *function, unsigned int bar, uint64_t offset, void *data,
		    uint32_t len)
{
	struct endpoint_function *served = served_of(function);

	if (bar == MEMORY_BAR) {
		memcpy(data, served->ring.memory + offset, len);
	} else if (len == sizeof(uint32_t) && !(offset % sizeof(uint32_t))) {
		uint32_t value = register_value(served, offset);

		memcpy(data, &value, sizeof(value));
	}
	return 0;
}

/* Through the IOMMU, as a device does it. One that stalls there is retried with the next. */
static void send_msi(struct endpoint_function *served)
{
	uint64_t addr;

	endpoint_dma_finish(served->endpoint, ENDPOINT_MSI_ENGINE);
	if (!config_msi(&served->function.config, &addr, &served->msi_data))
		return;
	served->msi = (struct dma){
		.op = DMA_WRITE, .pasid = DMA_NO_PASID, .addr = addr,
		.len = sizeof(served->msi_data), .data = &served->msi_data,
	};
	endpoint_dma(served->endpoint, ENDPOINT_MSI_ENGINE, &served->msi);
}

static int bar_write(struct function *function, unsigned int bar, uint64_t offset,
		     const void *data, uint32_t len)
{
	struct endpoint_function *served = served_of(function);

	if (bar == MEMORY_BAR)
		memcpy(served->ring.memory + offset, data, len);
	else if (offset == SERVED_DOORBELL)
		ring_doorbell(&served->ring);
	else if (offset == SERVED_INTERRUPT && served->msi_translated)
		send_msi(served);
	else if (offset == SERVED_INTERRUPT)
		function_interrupt(function);
	return 0;
}

static void turn(struct endpoint *endpoint, bool *on, bool wanted,
		 int (*enable)(struct endpoint *endpoint, bool on))
{
	if (*on != wanted)
		enable(endpoint, wanted);
	*on = wanted;
}

static void configured(struct function *function)
{
	struct endpoint_function *served = served_of(function);
	const struct config_space *config = &function->config;

	if (served->on.bus_master != config_bus_master(config))
		endpoint_bus_master(served->endpoint, config_bus_master(config));
	served->on.bus_master = config_bus_master(config);
	turn(served->endpoint, &served->on.pasid, config_pasid_on(config), endpoint_pasid_enable);
	turn(served->endpoint, &served->on.ats, config_ats_on(config), endpoint_ats_enable);
	turn(served->endpoint, &served->on.pri, config_pri_on(config), endpoint_pri_enable);
}

static void reset(struct function *function)
{
	struct endpoint_function *served = served_of(function);

	endpoint_flr(served->endpoint);
	memset(&served->on, 0, sizeof(served->on));
	__atomic_store_n(&served->was_reset, true, __ATOMIC_SEQ_CST);
	served->machine_work(served->work_arg);
}

static const struct function_ops ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.configured = configured,
	.reset = reset,
};

static void describe(struct function *function, const struct endpoint_config *endpoint,
		     bool integrated)
{
	struct config_space *config = &function->config;

	config_init(config, SERVED_VENDOR, SERVED_ENDPOINT, SERVED_ENDPOINT_CLASS);
	config_bar(config, REGISTERS_BAR, SERVED_REGISTERS_SIZE);
	config_bar(config, MEMORY_BAR, SERVED_MEMORY_SIZE);
	config_add_express(config, integrated, true);
	config_add_msi(config);
	if (endpoint->ats)
		config_add_ats(config, endpoint->ats_queue_depth);
	if (endpoint->pri)
		config_add_pri(config);
	if (endpoint->pasid)
		config_add_pasid(config, PASID_WIDTH);
	config_finish(config);
	function->msi_count = 1;
	function->bars[REGISTERS_BAR].size = SERVED_REGISTERS_SIZE;
	function->bars[MEMORY_BAR].size = SERVED_MEMORY_SIZE;
}

int endpoint_function_open(struct endpoint_function *served, struct machine *machine,
			   struct endpoint *endpoint, const struct endpoint_place *place,
			   pthread_rwlock_t *lock, void (*machine_work)(void *arg), void *arg)
{
	int rc;

	*served = (struct endpoint_function){
		.endpoint = endpoint, .machine = machine, .number = place->number,
		.unit = place->unit,
		.msi_translated = place->msi_translated, .settled = place->settled,
		.machine_work = machine_work, .work_arg = arg, .moment = place->moment,
	};
	function_init(&served->function, place->name, &ops, served, lock);
	describe(&served->function, endpoint_config(endpoint), place->integrated);
	endpoint_bus_master(endpoint, false);
	rc = ring_open(&served->ring, &endpoint_requests, served);
	served->function.bars[MEMORY_BAR].fd = served->ring.fd;
	return rc;
}

void endpoint_function_close(struct endpoint_function *served)
{
	ring_close(&served->ring);
	function_disconnect(&served->function);
}
