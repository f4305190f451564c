/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An endpoint of harness/hw as a PCI function: the configuration space turns its enables, the ring
 * (ring.h) takes its work, and requests.c carries that out on the ring's thread.
 */
#ifndef NIT_VFIO_USER_ENDPOINT_FUNCTION_H
#define NIT_VFIO_USER_ENDPOINT_FUNCTION_H

#include "hw/machine.h"

#include "function.h"
#include "moment.h"
#include "ring.h"

#define HOLD_MS 800	/* then it goes on by itself: before an SMMU's driver gives up, after 1 s */

/**
 * struct engine_work - what an engine does, while it is held or stalled as well
 * @pending: it is, until @until_ns at the latest; @ended: with this status, which nobody has taken
 */
struct engine_work {
	bool pending;
	uint64_t until_ns;
	bool ended;
	enum dma_status status;
	struct dma dma;
	uint8_t data[SERVED_DATA_SIZE];
};

/**
 * struct endpoint_function
 * @number, @unit: of the endpoint and of its IOMMU in the machine
 * @machine_work: called from the ring's thread: there may be something for the machine to do
 * @moment: of the machine
 * @msi, @msi_data: an MSI that is sent as a write of the endpoint; @msi_translated: all are
 * @was_reset: atomic; engines are to forget what they had
 * @on: what the configuration space turned on last
 */
struct endpoint_function {
	struct function function;
	struct endpoint *endpoint;
	struct machine *machine;
	unsigned int number;
	unsigned int unit;
	struct ring ring;
	void (*machine_work)(void *arg);
	void *work_arg;
	struct moment *moment;
	struct dma msi;
	uint32_t msi_data;
	bool msi_translated;
	bool (*settled)(struct hw_iommu *iommu);
	bool was_reset;
	struct {
		bool bus_master;
		bool ats;
		bool pri;
		bool pasid;
	} on;
	struct engine_work engines[SERVED_ENGINES];
};

/**
 * struct endpoint_place - where an endpoint is
 * @integrated: on the root bus; @msi_translated, @settled: see struct board_vendor
 * @moment: of the machine
 */
struct endpoint_place {
	const char *name;
	unsigned int number;
	unsigned int unit;
	bool integrated;
	bool msi_translated;
	bool (*settled)(struct hw_iommu *iommu);
	struct moment *moment;
};

/** endpoint_function_open() - Serve @endpoint of @machine; 0 or -errno */
int endpoint_function_open(struct endpoint_function *served, struct machine *machine,
			   struct endpoint *endpoint, const struct endpoint_place *place,
			   pthread_rwlock_t *lock, void (*machine_work)(void *arg), void *arg);
void endpoint_function_close(struct endpoint_function *served);

/* Carries out descriptors (requests.c) */
extern const struct ring_ops endpoint_requests;

#endif
