/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small model of the nesting uAPI as include/uapi/linux/iommufd.h and iommufd.rst promise it,
 * over the mock driver: which objects there are, what keeps them alive, what the mock's caches
 * hold, and which replies a call may get in that state.
 *
 * The documentation gives no order of checks, so a call with several mistakes may be refused
 * for any of them. It says nothing of the numbers of new ids but that they name one object each,
 * so the model takes the ids that the reply brings and checks that they were free.
 */
#ifndef NIT_MODEL_MODEL_H
#define NIT_MODEL_MODEL_H

#include <stdbool.h>

#include "answer.h"
#include "iommufd/mock.h"
#include "request.h"

enum model_type {
	MODEL_FREE,	/* the slot is unused */
	MODEL_IOAS,
	MODEL_PAGING,
	MODEL_NESTED,
	MODEL_VIOMMU,
	MODEL_VDEVICE,
	MODEL_VEVENTQ,
	MODEL_FAULT,
	MODEL_DEVICE,
	MODEL_MOCK,	/* the mock's own object, which owns a device */
	MODEL_TOMBSTONE, /* an id that is lost until the iommufd closes; no object */
	MODEL_TYPES,
};

enum { MODEL_WORDS = MOCK_NESTED_DOMAIN_IOTLB_NUM };
_Static_assert(MODEL_WORDS == (int)MOCK_DEV_CACHE_NUM, "one size for both caches");

/**
 * struct model_object - one object
 * @type: MODEL_FREE for a free slot
 * @id: as user space knows it
 * @base: what it was built on: the IOAS or nest parent or vIOMMU of a HWPT, the nest parent of a
 *	  vIOMMU, the vIOMMU of a vDEVICE or vEVENTQ, the device of a mock object
 * @fault: the fault queue of a HWPT, or NULL
 * @device: the device of a vDEVICE
 * @attached: the HWPT of a device
 * @nest_parent: HWPT_PAGING that may be one
 * @automatic: HWPT_PAGING that the kernel made at an attach, and that goes with its last device
 * @dirty: HWPT_PAGING that tracks dirty pages
 * @no_dirty: device that cannot
 * @event_type: of a vEVENTQ
 * @virt_id: of a vDEVICE
 * @fd: the open file of an event queue, else -1
 * @word: the mock's IOTLB of a nested HWPT, the cache of a device
 */
struct model_object {
	enum model_type type;
	uint32_t id;
	struct model_object *base;
	struct model_object *fault;
	struct model_object *device;
	struct model_object *attached;
	bool nest_parent;
	bool automatic;
	bool dirty;
	bool no_dirty;
	uint32_t event_type;
	uint64_t virt_id;
	int fd;
	uint32_t word[MODEL_WORDS];
};

enum { MODEL_OBJECTS = 256 };

/** enum model_fault - plausible bugs, to see that the comparison finds them */
enum model_fault {
	MODEL_FAULT_NONE,
	MODEL_FAULT_INVALIDATE_ALL_MISSES_LAST,
	MODEL_FAULT_INVALIDATE_HITS_NEIGHBOUR,
	MODEL_FAULT_INVALIDATE_HITS_OTHER_DEVICE,
	MODEL_FAULT_BAD_ENTRY_SKIPPED,
	MODEL_FAULT_ENTRY_NUM_OFF_BY_ONE,
	MODEL_FAULT_ENTRY_NUM_KEPT_ON_ERROR,
	MODEL_FAULT_DESTROY_IGNORES_USERS,
	MODEL_FAULT_DESTROY_LEAKS,
	MODEL_FAULT_FAULT_QUEUE_NOT_HELD,
	MODEL_FAULT_VIRT_ID_SHARED,
	MODEL_FAULT_VDEVICE_TWICE,
	MODEL_FAULT_VEVENTQ_TWICE,
	MODEL_FAULT_NESTED_ON_PLAIN,
	MODEL_FAULT_ATTACH_NEEDS_NO_VDEVICE,
	MODEL_FAULT_FAILED_ATTACH_DETACHES,
	MODEL_FAULT_FAILED_ALLOC_LEAKS,
	MODEL_FAULT_TOMBSTONE_REUSED,
	MODEL_FAULT_ID_NOT_UNIQUE,
	MODEL_FAULT_STALE_ID_LIVES,
	MODEL_FAULT_COUNT,
};

/**
 * struct model - one iommufd
 * @objects: the objects; pointers to them are good until they are destroyed
 * @end: slots from here on were never used
 * @fault: the bug that this copy has
 */
struct model {
	struct model_object objects[MODEL_OBJECTS];
	unsigned int end;
	enum model_fault fault;
};

void model_init(struct model *model, enum model_fault fault);

/** model_expect() - The replies that @request may get now */
void model_expect(const struct model *model, const struct request *request,
		  struct answer *answer);

/** enum model_verdict - what is wrong with a reply */
enum model_verdict {
	MODEL_RIGHT,
	MODEL_WRONG_RC,
	MODEL_WRONG_OUTPUT,	/* ids or entry_num */
};

/**
 * model_apply() - Check @reply and move on to the state after it
 * @why: buffer for the reason of a mismatch, one line
 *
 * After a mismatch the model is of no more use.
 */
enum model_verdict model_apply(struct model *model, const struct request *request,
			       const struct reply *reply, char *why, size_t size);

/**
 * model_reply() - Answer @request as a kernel would, and move on
 *
 * New ids are the lowest free ones. Files are the caller's business: @reply->fd, where the op
 * makes a file, is taken as it is.
 */
void model_reply(struct model *model, const struct request *request, struct reply *reply);

/** model_find() - The object of @id, or NULL */
struct model_object *model_find(const struct model *model, uint32_t id);

/** model_probe() - How an empty HWPT_INVALIDATE of @id is answered, which tells if @id exists */
int model_probe(const struct model *model, uint32_t id);

/** model_room() - How many more objects fit; a call makes at most REPLY_IDS */
unsigned int model_room(const struct model *model);

/** model_fault_name() - "destroy-ignores-users"; NULL for a number that is no fault */
const char *model_fault_name(enum model_fault fault);

/** model_fault_parse() - The fault of that name; none for NULL and ""; else MODEL_FAULT_COUNT */
enum model_fault model_fault_parse(const char *name);

#endif
