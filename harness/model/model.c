// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model.h"

#define ENTRY_NUM_MAX (1u << 19)	/* hw_pagetable.c:IOMMU_HWPT_INVALIDATE_ENTRY_NUM_MAX */
#define VEVENTQ_DEPTH_MAX (1u << 19)	/* eventq.c:VEVENTQ_MAX_DEPTH */

/* ---- Objects ---- */

void model_init(struct model *model, enum model_fault fault)
{
	memset(model, 0, sizeof(*model));
	model->fault = fault;
}

#define for_each_object(_model, _object) \
	for (struct model_object *_object = (struct model_object *)(_model)->objects; \
	     _object < (_model)->objects + (_model)->end; _object++) \
		if (_object->type != MODEL_FREE)

/* The object or tombstone of @id */
static struct model_object *find_any(const struct model *model, uint32_t id)
{
	for_each_object(model, object)
		if (id && object->id == id)
			return object;
	return NULL;
}

struct model_object *model_find(const struct model *model, uint32_t id)
{
	struct model_object *object = find_any(model, id);

	return object && object->type != MODEL_TOMBSTONE ? object : NULL;
}

static struct model_object *find(const struct model *model, uint32_t id, enum model_type type)
{
	struct model_object *object = model_find(model, id);

	return object && object->type == type ? object : NULL;
}

static struct model_object *vdevice_of(const struct model *model,
				       const struct model_object *device)
{
	for_each_object(model, object)
		if (object->type == MODEL_VDEVICE && object->device == device)
			return object;
	return NULL;
}

static struct model_object *vdevice_at(const struct model *model,
				       const struct model_object *viommu, uint64_t virt_id)
{
	for_each_object(model, object)
		if (object->type == MODEL_VDEVICE && object->base == viommu &&
		    object->virt_id == virt_id)
			return object;
	return NULL;
}

static bool has_veventq(const struct model *model, const struct model_object *viommu,
			uint32_t type)
{
	for_each_object(model, object)
		if (object->type == MODEL_VEVENTQ && object->base == viommu &&
		    object->event_type == type)
			return true;
	return false;
}

/*
 * What keeps @object from being destroyed. That a nested HWPT of a vIOMMU also needs the nest
 * parent follows: it holds the vIOMMU, which holds the parent. A vDEVICE does not hold its device.
 */
static unsigned int users(const struct model *model, const struct model_object *object)
{
	unsigned int count = object->fd >= 0;

	for_each_object(model, other) {
		count += other->base == object;
		count += other->attached == object;
		if (model->fault != MODEL_FAULT_FAULT_QUEUE_NOT_HELD)
			count += other->fault == object;
	}
	return count;
}

static void forget(struct model_object *object)
{
	memset(object, 0, sizeof(*object));
	object->fd = -1;
}

/* After a device has left @hwpt: the HWPT that came with an attach goes with the last device. */
static void release(struct model *model, struct model_object *hwpt)
{
	if (hwpt && hwpt->automatic && !users(model, hwpt))
		forget(hwpt);
}

unsigned int model_room(const struct model *model)
{
	unsigned int room = MODEL_OBJECTS;

	for_each_object(model, object)
		room--;
	return room;
}

int model_probe(const struct model *model, uint32_t id)
{
	const struct model_object *object = model_find(model, id);

	if (!object)
		return -ENOENT;
	return object->type == MODEL_NESTED || object->type == MODEL_VIOMMU ? 0 : -EINVAL;
}

/* ---- HWPT_INVALIDATE: reading and judging entries ---- */

struct entry {
	uint32_t flags;
	uint32_t index;
	const struct model_object *target;	/* whose words; NULL: the entry names none */
};

/* Like copy_struct_from_user(). Return: 0, or the mistake in *@what with 1 */
static int entry_copy(const struct request *request, uint32_t n, void *entry, size_t size,
		      enum answer_mistake *what)
{
	uint64_t start = (uint64_t)n * request->entry_len;
	size_t length = request->entry_len < size ? request->entry_len : size;

	memset(entry, 0, size);
	*what = ENTRY_UNREADABLE;
	if (start + request->entry_len > request->data_size)
		return 1;
	*what = ENTRY_TAIL;
	for (size_t i = size; i < request->entry_len; i++)
		if (request->data[start + i])
			return 1;
	memcpy(entry, request->data + start, length);
	return 0;
}

static size_t entry_size(const struct model_object *target)
{
	return target->type == MODEL_NESTED ? sizeof(struct iommu_hwpt_invalidate_selftest) :
					      sizeof(struct iommu_viommu_invalidate_selftest);
}

static int entry_read(const struct model *model, const struct request *request,
		      const struct model_object *target, uint32_t n, struct entry *entry,
		      enum answer_mistake *what)
{
	struct iommu_viommu_invalidate_selftest viommu;
	struct iommu_hwpt_invalidate_selftest hwpt;

	if (target->type == MODEL_NESTED) {
		if (entry_copy(request, n, &hwpt, sizeof(hwpt), what))
			return 1;
		*entry = (struct entry){ hwpt.flags, hwpt.iotlb_id, target };
		return 0;
	}
	if (entry_copy(request, n, &viommu, sizeof(viommu), what))
		return 1;
	*entry = (struct entry){ viommu.flags, viommu.cache_id };
	target = vdevice_at(model, target, viommu.vdev_id);
	if (target)
		entry->target = target->device;
	return 0;
}

/* Return: whether the entry can be executed */
static bool entry_judge(const struct entry *entry, struct answer *answer)
{
	bool good = true;

	if (entry->flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL) {
		answer_mistake(answer, ENTRY_FLAGS);
		good = false;
	}
	if (entry->index >= MODEL_WORDS || !entry->target) {
		answer_mistake(answer, ENTRY_FIELD);
		good = false;
	}
	return good;
}

/*
 * Entries before the first bad one are executed and counted, and no later one is. An entry that
 * cannot be copied may also fail the whole array, as some drivers copy all entries first.
 */
static void expect_entries(const struct model *model, const struct request *request,
			   const struct model_object *target, struct answer *answer)
{
	bool copied = true, good = true;
	enum answer_mistake what;
	struct entry entry;

	for (uint32_t n = 0; n < request->entry_num; n++) {
		bool was_good = good;

		if (entry_read(model, request, target, n, &entry, &what)) {
			answer_mistake(answer, what);
			copied = good = false;
		} else if (good) {
			good = entry_judge(&entry, answer);
		}
		if (was_good)
			answer->done_max = n + good;
		if (!copied && what == ENTRY_UNREADABLE)
			break;
	}
	answer->done_min = copied ? answer->done_max : 0;
	if (request->entry_num && request->entry_len != entry_size(target)) {
		answer_mistake(answer, ENTRY_LEN);
		answer->done_min = 0;
	}
}

static void expect_invalidate(const struct model *model, const struct request *request,
			      struct answer *answer)
{
	const struct model_object *target = model_find(model, request->pt_id);

	if (request->entry_num &&
	    (!request->data || !request->entry_len ||
	     request->entry_len > (uint32_t)sysconf(_SC_PAGESIZE) ||
	     request->entry_num > ENTRY_NUM_MAX))
		answer_mistake(answer, ARRAY);
	if (!target)
		answer_mistake(answer, NO_OBJECT);
	else if (target->type != MODEL_NESTED && target->type != MODEL_VIOMMU)
		answer_mistake(answer, TARGET_TYPE);
	else if (request->type != IOMMU_HWPT_INVALIDATE_DATA_SELFTEST)
		answer_mistake(answer, ENTRY_TYPE);
	if (!answer->must_fail)
		expect_entries(model, request, target, answer);
}

static void entry_apply(struct model *model, const struct entry *entry)
{
	uint32_t *word = ((struct model_object *)entry->target)->word;

	if (!(entry->flags & IOMMU_TEST_INVALIDATE_FLAG_ALL)) {
		word[entry->index] = 0;
		if (model->fault == MODEL_FAULT_INVALIDATE_HITS_NEIGHBOUR)
			word[entry->index ^ 1] = 0;
	} else {
		for (int i = 0; i < MODEL_WORDS; i++)
			if (i < MODEL_WORDS - 1 ||
			    model->fault != MODEL_FAULT_INVALIDATE_ALL_MISSES_LAST)
				word[i] = 0;
	}
	if (model->fault == MODEL_FAULT_INVALIDATE_HITS_OTHER_DEVICE &&
	    entry->target->type == MODEL_DEVICE)
		for_each_object(model, object)
			if (object->type == MODEL_DEVICE)
				object->word[entry->index] = 0;
}

static void apply_invalidate(struct model *model, const struct request *request, uint32_t done)
{
	const struct model_object *target = model_find(model, request->pt_id);
	struct answer ignored = {};
	enum answer_mistake what;
	struct entry entry;

	for (uint32_t n = 0; n < done; n++)
		if (!entry_read(model, request, target, n, &entry, &what))
			entry_apply(model, &entry);
	if (model->fault != MODEL_FAULT_BAD_ENTRY_SKIPPED || !target ||
	    request->entry_num > ENTRY_NUM_MAX)
		return;
	for (uint32_t n = done; n < request->entry_num; n++)
		if (!entry_read(model, request, target, n, &entry, &what) &&
		    entry_judge(&entry, &ignored))
			entry_apply(model, &entry);
}

/* ---- HWPT_ALLOC ---- */

static void expect_hwpt_data(const struct request *request, bool nested,
			     struct answer *answer)
{
	if (!request->data_len != (request->type == IOMMU_HWPT_DATA_NONE))
		answer_mistake(answer, DATA_LEN);
	if (request->type != IOMMU_HWPT_DATA_SELFTEST &&
	    (nested || request->type != IOMMU_HWPT_DATA_NONE))
		answer_mistake(answer, DATA_TYPE);
	if (request->type == IOMMU_HWPT_DATA_SELFTEST &&
	    request->data_len < sizeof(uint32_t))
		answer_mistake(answer, DATA_LEN);
}

static void expect_hwpt_paging(const struct request *request, const struct model_object *device,
			       struct answer *answer)
{
	const uint32_t known = IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
			       IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID;
	const uint32_t conflict = IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_FAULT_ID_VALID;

	if ((request->flags & ~known) || (request->flags & conflict) == conflict ||
	    ((request->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) && device && device->no_dirty))
		answer_mistake(answer, FLAGS);
	expect_hwpt_data(request, false, answer);
}

static void expect_hwpt_nested(const struct model *model, const struct request *request,
			       const struct model_object *base, struct answer *answer)
{
	if (request->flags & ~(IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID))
		answer_mistake(answer, FLAGS);
	if (base->type == MODEL_PAGING && !base->nest_parent &&
	    model->fault != MODEL_FAULT_NESTED_ON_PLAIN)
		answer_mistake(answer, NOT_NEST_PARENT);
	expect_hwpt_data(request, true, answer);
}

static void expect_hwpt_alloc(const struct model *model, const struct request *request,
			      struct answer *answer)
{
	const struct model_object *device = find(model, request->dev_id, MODEL_DEVICE);
	const struct model_object *base = model_find(model, request->pt_id);

	if (!device)
		answer_mistake(answer, NO_OBJECT);
	if ((request->flags & IOMMU_HWPT_FAULT_ID_VALID) &&
	    !find(model, request->fault_id, MODEL_FAULT))
		answer_mistake(answer, NO_OBJECT);
	if (!base) {
		answer_mistake(answer, NO_PT);
		expect_hwpt_data(request, request->data_len, answer);
	} else if (base->type == MODEL_IOAS) {
		expect_hwpt_paging(request, device, answer);
	} else if (base->type == MODEL_PAGING || base->type == MODEL_VIOMMU) {
		expect_hwpt_nested(model, request, base, answer);
	} else {
		answer_mistake(answer, PT_TYPE);
		expect_hwpt_data(request, request->data_len, answer);
	}
}

/* ---- The other calls ---- */

/* @device: NULL for one that is new with this call */
static void expect_attach(const struct model *model, const struct request *request,
			  const struct model_object *device, bool no_dirty,
			  struct answer *answer)
{
	const struct model_object *hwpt = model_find(model, request->pt_id), *vdevice;

	if (!hwpt) {
		answer_mistake(answer, device ? NO_OBJECT : ATTACH_NO_PT);
		return;
	}
	if (hwpt->type != MODEL_IOAS && hwpt->type != MODEL_PAGING && hwpt->type != MODEL_NESTED) {
		answer_mistake(answer, PT_TYPE);
		return;
	}
	if (device && device->attached == hwpt)
		return;
	if (hwpt->dirty && no_dirty)
		answer_mistake(answer, ATTACH_DIRTY);
	if (hwpt->type == MODEL_NESTED && hwpt->base->type == MODEL_VIOMMU &&
	    model->fault != MODEL_FAULT_ATTACH_NEEDS_NO_VDEVICE) {
		vdevice = device ? vdevice_of(model, device) : NULL;
		if (!vdevice || vdevice->base != hwpt->base)
			answer_mistake(answer, ATTACH_NO_VDEVICE);
	}
}

static void expect_device_create(const struct model *model, const struct request *request,
				 struct answer *answer)
{
	if (request->flags & ~(MOCK_FLAGS_DEVICE_NO_DIRTY | MOCK_FLAGS_DEVICE_PASID))
		answer_mistake(answer, DEVICE_FLAGS);
	expect_attach(model, request, NULL, request->flags & MOCK_FLAGS_DEVICE_NO_DIRTY, answer);
}

static void expect_device_attach(const struct model *model, const struct request *request,
				 struct answer *answer)
{
	const struct model_object *mock = find(model, request->dev_id, MODEL_MOCK);

	if (mock)
		expect_attach(model, request, mock->base, mock->base->no_dirty, answer);
	else
		answer_mistake(answer, NO_OBJECT);
}

static void expect_viommu_alloc(const struct model *model, const struct request *request,
				struct answer *answer)
{
	const struct model_object *parent = find(model, request->pt_id, MODEL_PAGING);

	if (request->type != IOMMU_VIOMMU_TYPE_SELFTEST)
		answer_mistake(answer, VIOMMU_TYPE);
	if (!find(model, request->dev_id, MODEL_DEVICE) || !parent)
		answer_mistake(answer, NO_OBJECT);
	if (parent && !parent->nest_parent)
		answer_mistake(answer, NOT_NEST_PARENT);
}

static void expect_vdevice_alloc(const struct model *model, const struct request *request,
				 struct answer *answer)
{
	const struct model_object *viommu = find(model, request->pt_id, MODEL_VIOMMU);
	const struct model_object *device = find(model, request->dev_id, MODEL_DEVICE);

	if (!viommu || !device)
		answer_mistake(answer, NO_OBJECT);
	if (device && vdevice_of(model, device) && model->fault != MODEL_FAULT_VDEVICE_TWICE)
		answer_mistake(answer, IS_THERE);
	if (viommu && vdevice_at(model, viommu, request->virt_id) &&
	    model->fault != MODEL_FAULT_VIRT_ID_SHARED)
		answer_mistake(answer, IS_THERE);
}

static void expect_veventq_alloc(const struct model *model, const struct request *request,
				 struct answer *answer)
{
	const struct model_object *viommu = find(model, request->pt_id, MODEL_VIOMMU);

	if (request->type == IOMMU_VEVENTQ_TYPE_DEFAULT)
		answer_mistake(answer, EVENT_TYPE);
	else if (request->type != IOMMU_VEVENTQ_TYPE_SELFTEST)
		answer_mistake(answer, EVENT_TYPE_UNDEFINED);
	if (!request->value || request->value > VEVENTQ_DEPTH_MAX)
		answer_mistake(answer, EVENT_DEPTH);
	if (!viommu)
		answer_mistake(answer, NO_OBJECT);
	else if (has_veventq(model, viommu, request->type) &&
		 model->fault != MODEL_FAULT_VEVENTQ_TWICE)
		answer_mistake(answer, IS_THERE);
}

static void expect_destroy(const struct model *model, const struct request *request,
			   struct answer *answer)
{
	const struct model_object *object = model_find(model, request->pt_id);

	if (!object)
		answer_mistake(answer, NO_OBJECT);
	else if (users(model, object) && (model->fault != MODEL_FAULT_DESTROY_IGNORES_USERS ||
					  object->type == MODEL_DEVICE))
		answer_mistake(answer, IN_USE);
}

void model_expect(const struct model *model, const struct request *request,
		  struct answer *answer)
{
	*answer = (struct answer){};

	switch (request->op) {
	case OP_IOAS_ALLOC:
	case OP_FAULT_QUEUE_ALLOC:
	case OP_CLOSE:
	case OP_COUNT:
		break;
	case OP_DEVICE_CREATE:
		expect_device_create(model, request, answer);
		break;
	case OP_DEVICE_ATTACH:
		expect_device_attach(model, request, answer);
		break;
	case OP_HWPT_ALLOC:
		expect_hwpt_alloc(model, request, answer);
		break;
	case OP_HWPT_INVALIDATE:
		expect_invalidate(model, request, answer);
		break;
	case OP_VIOMMU_ALLOC:
		expect_viommu_alloc(model, request, answer);
		break;
	case OP_VDEVICE_ALLOC:
		expect_vdevice_alloc(model, request, answer);
		break;
	case OP_VEVENTQ_ALLOC:
		expect_veventq_alloc(model, request, answer);
		break;
	case OP_DESTROY:
		expect_destroy(model, request, answer);
		break;
	}
}

/* ---- The state after a call ---- */

static uint32_t free_id(const struct model *model, uint32_t after)
{
	const struct model_object *object;
	uint32_t id = after;

	do
		object = find_any(model, ++id);
	while (object && !(model->fault == MODEL_FAULT_ID_NOT_UNIQUE &&
			   object->type == MODEL_VDEVICE));
	return id;
}

static struct model_object *add(struct model *model, enum model_type type, uint32_t id)
{
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++) {
		if (model->objects[i].type != MODEL_FREE)
			continue;
		if (i >= model->end)
			model->end = i + 1;
		model->objects[i] = (struct model_object){ .type = type, .id = id, .fd = -1 };
		return &model->objects[i];
	}
	return NULL;
}

static struct model_object *attach_target(struct model *model, uint32_t pt_id, uint32_t hwpt_id)
{
	struct model_object *pt = model_find(model, pt_id), *hwpt;

	if (pt->type != MODEL_IOAS)
		return pt;
	hwpt = model_find(model, hwpt_id);
	if (hwpt)
		return hwpt;
	hwpt = add(model, MODEL_PAGING, hwpt_id);
	hwpt->automatic = true;
	hwpt->base = pt;
	return hwpt;
}

static void apply_device_create(struct model *model, const struct request *request,
				const struct reply *reply)
{
	struct model_object *mock = add(model, MODEL_MOCK, reply->id[0]);
	struct model_object *device = add(model, MODEL_DEVICE, reply->id[1]);

	mock->base = device;
	device->no_dirty = request->flags & MOCK_FLAGS_DEVICE_NO_DIRTY;
	device->attached = attach_target(model, request->pt_id, reply->id[2]);
	for (int i = 0; i < MODEL_WORDS; i++)
		device->word[i] = IOMMU_TEST_DEV_CACHE_DEFAULT;
}

static void apply_device_attach(struct model *model, const struct request *request,
				const struct reply *reply)
{
	struct model_object *device = model_find(model, request->dev_id)->base;
	struct model_object *old = device->attached;

	device->attached = attach_target(model, request->pt_id, reply->id[0]);
	release(model, old);
}

static void apply_hwpt_alloc(struct model *model, const struct request *request, uint32_t id)
{
	struct model_object *base = model_find(model, request->pt_id);
	struct model_object *hwpt = add(model, MODEL_PAGING, id);

	hwpt->base = base;
	if (request->flags & IOMMU_HWPT_FAULT_ID_VALID)
		hwpt->fault = model_find(model, request->fault_id);
	if (base->type == MODEL_IOAS) {
		hwpt->nest_parent = request->flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
		hwpt->dirty = request->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
		return;
	}
	hwpt->type = MODEL_NESTED;
	for (int i = 0; i < MODEL_WORDS; i++)
		hwpt->word[i] = request->value;
}

static void apply_vdevice_alloc(struct model *model, const struct request *request, uint32_t id)
{
	struct model_object *vdevice = add(model, MODEL_VDEVICE, id);

	vdevice->base = model_find(model, request->pt_id);
	vdevice->device = model_find(model, request->dev_id);
	vdevice->virt_id = request->virt_id;
}

/*
 * uapi struct iommu_vdevice_alloc: a vDEVICE that is left when its device goes is destroyed, and
 * "its vdevice_id would be permanently leaked (unremovable & unreusable) until iommu fd closed".
 */
static void destroy_mock(struct model *model, struct model_object *mock)
{
	struct model_object *device = mock->base, *hwpt = device->attached;
	struct model_object *vdevice = vdevice_of(model, device);

	if (vdevice) {
		uint32_t id = vdevice->id;

		forget(vdevice);
		if (model->fault != MODEL_FAULT_TOMBSTONE_REUSED) {
			vdevice->type = MODEL_TOMBSTONE;
			vdevice->id = id;
		}
	}
	forget(device);
	forget(mock);
	release(model, hwpt);
}

static void apply_destroy(struct model *model, struct model_object *object)
{
	if (model->fault == MODEL_FAULT_STALE_ID_LIVES)
		return;
	if (object->type == MODEL_MOCK) {
		destroy_mock(model, object);
	} else if (model->fault == MODEL_FAULT_DESTROY_LEAKS) {
		/* No longer an object, but what it was built on stays in use. */
		object->type = MODEL_TOMBSTONE;
		object->id = 0;
	} else {
		forget(object);
	}
}

static void apply_close(struct model *model, int fd)
{
	for_each_object(model, object)
		if (fd >= 0 && object->fd == fd)
			object->fd = -1;
}

static void apply(struct model *model, const struct request *request, const struct reply *reply)
{
	struct model_object *object;

	if (request->op == OP_HWPT_INVALIDATE)
		apply_invalidate(model, request, reply->entry_num);
	if (reply->rc)
		return;
	switch (request->op) {
	case OP_IOAS_ALLOC:
		add(model, MODEL_IOAS, reply->id[0]);
		break;
	case OP_DEVICE_CREATE:
		apply_device_create(model, request, reply);
		break;
	case OP_DEVICE_ATTACH:
		apply_device_attach(model, request, reply);
		break;
	case OP_HWPT_ALLOC:
		apply_hwpt_alloc(model, request, reply->id[0]);
		break;
	case OP_VIOMMU_ALLOC:
		object = add(model, MODEL_VIOMMU, reply->id[0]);
		object->base = model_find(model, request->pt_id);
		break;
	case OP_VDEVICE_ALLOC:
		apply_vdevice_alloc(model, request, reply->id[0]);
		break;
	case OP_VEVENTQ_ALLOC:
		object = add(model, MODEL_VEVENTQ, reply->id[0]);
		object->base = model_find(model, request->pt_id);
		object->event_type = request->type;
		object->fd = reply->fd;
		break;
	case OP_FAULT_QUEUE_ALLOC:
		object = add(model, MODEL_FAULT, reply->id[0]);
		object->fd = reply->fd;
		break;
	case OP_DESTROY:
		apply_destroy(model, model_find(model, request->pt_id));
		break;
	case OP_CLOSE:
		apply_close(model, request->fd);
		break;
	case OP_HWPT_INVALIDATE:
	case OP_COUNT:
		break;
	}
}

/* ---- Bugs (enum model_fault) that show only in the reply, or after a call that failed ---- */

static void misreport(const struct model *model, const struct request *request,
		      struct reply *reply)
{
	if (request->op != OP_HWPT_INVALIDATE || !reply->rc)
		return;
	if (model->fault == MODEL_FAULT_ENTRY_NUM_OFF_BY_ONE && reply->entry_num)
		reply->entry_num--;
	if (model->fault == MODEL_FAULT_ENTRY_NUM_KEPT_ON_ERROR)
		reply->entry_num = request->entry_num;
}

static void misapply(struct model *model, const struct request *request,
		     const struct reply *reply)
{
	const struct model_object *mock = find(model, request->dev_id, MODEL_MOCK);

	if (!reply->rc)
		return;
	if (model->fault == MODEL_FAULT_FAILED_ATTACH_DETACHES &&
	    request->op == OP_DEVICE_ATTACH && mock)
		mock->base->attached = NULL;
	if (model->fault == MODEL_FAULT_FAILED_ALLOC_LEAKS && request->op == OP_HWPT_ALLOC)
		add(model, MODEL_FAULT, free_id(model, 0));
}

/* ---- Judging a reply ---- */

/* New ids are free ones: not 0, nobody's, no tombstone's, and different from each other. */
static bool id_is_new(const struct model *model, const struct reply *reply, unsigned int n,
		      char *why, size_t size)
{
	const struct model_object *object = find_any(model, reply->id[n]);
	bool again = false;

	for (unsigned int i = 0; i < n; i++)
		again |= reply->id[i] == reply->id[n];
	if (reply->id[n] && !object && !again)
		return true;
	snprintf(why, size, "expected a fresh id, observed %u, which is %s", reply->id[n],
		 !reply->id[n] ? "none" : again ? "there twice" :
		 object->type == MODEL_TOMBSTONE ? "lost until the iommufd is closed" :
		 "the id of another object");
	return false;
}

/* An attach answers with the HWPT: the one named, or an automatic one of the IOAS named. */
static bool hwpt_is_right(const struct model *model, const struct request *request,
			  const struct reply *reply, unsigned int n, char *why, size_t size)
{
	const struct model_object *pt = model_find(model, request->pt_id);
	const struct model_object *hwpt = model_find(model, reply->id[n]);

	if (pt->type == MODEL_IOAS && !hwpt)
		return id_is_new(model, reply, n, why, size);
	if (hwpt == pt || (hwpt && hwpt->automatic && hwpt->base == pt))
		return true;
	snprintf(why, size, "expected a HWPT of object %u, observed id %u", request->pt_id,
		 reply->id[n]);
	return false;
}

static bool ids_are_right(const struct model *model, const struct request *request,
			  const struct reply *reply, char *why, size_t size)
{
	switch (request->op) {
	case OP_DEVICE_CREATE:
		return id_is_new(model, reply, 0, why, size) &&
		       id_is_new(model, reply, 1, why, size) &&
		       hwpt_is_right(model, request, reply, 2, why, size);
	case OP_DEVICE_ATTACH:
		return hwpt_is_right(model, request, reply, 0, why, size);
	case OP_HWPT_INVALIDATE:
	case OP_CLOSE:
	case OP_DESTROY:
		return true;
	default:
		return id_is_new(model, reply, 0, why, size);
	}
}

static bool entry_num_is_right(const struct request *request, const struct reply *reply,
			       const struct answer *answer, char *why, size_t size)
{
	uint32_t least = reply->rc ? answer->done_min : request->entry_num;
	uint32_t most = reply->rc ? answer->done_max : request->entry_num;

	if (request->op != OP_HWPT_INVALIDATE ||
	    (reply->entry_num >= least && reply->entry_num <= most))
		return true;
	if (least == most)
		snprintf(why, size, "expected entry_num %u, observed %u", least,
			 reply->entry_num);
	else
		snprintf(why, size, "expected entry_num %u to %u, observed %u", least, most,
			 reply->entry_num);
	return false;
}

enum model_verdict model_apply(struct model *model, const struct request *request,
			       const struct reply *reply, char *why, size_t size)
{
	struct reply reported = *reply;
	struct answer answer;

	misreport(model, request, &reported);
	model_expect(model, request, &answer);
	if (!answer_allows(&answer, reported.rc)) {
		answer_say(&answer, reported.rc, why, size);
		return MODEL_WRONG_RC;
	}
	if (!entry_num_is_right(request, &reported, &answer, why, size) ||
	    (!reported.rc && !ids_are_right(model, request, &reported, why, size)))
		return MODEL_WRONG_OUTPUT;
	apply(model, request, reply);
	misapply(model, request, reply);
	return MODEL_RIGHT;
}

/* ---- Being the kernel ---- */

/* The HWPT that an attach to @pt_id finds or makes */
static uint32_t attach_id(const struct model *model, uint32_t pt_id, uint32_t after)
{
	const struct model_object *pt = model_find(model, pt_id);

	if (pt->type != MODEL_IOAS)
		return pt_id;
	for_each_object(model, object)
		if (object->automatic && object->base == pt)
			return object->id;
	return free_id(model, after);
}

static void choose_ids(const struct model *model, const struct request *request,
		       struct reply *reply)
{
	switch (request->op) {
	case OP_DEVICE_CREATE:
		reply->id[0] = free_id(model, 0);
		reply->id[1] = free_id(model, reply->id[0]);
		reply->id[2] = attach_id(model, request->pt_id, reply->id[1]);
		break;
	case OP_DEVICE_ATTACH:
		reply->id[0] = attach_id(model, request->pt_id, 0);
		break;
	case OP_HWPT_INVALIDATE:
	case OP_CLOSE:
	case OP_DESTROY:
		break;
	default:
		reply->id[0] = free_id(model, 0);
		break;
	}
}

void model_reply(struct model *model, const struct request *request, struct reply *reply)
{
	struct answer answer;

	model_expect(model, request, &answer);
	reply->rc = answer.must_fail ? -answer.errno_of[0] : 0;
	reply->entry_num = reply->rc ? answer.done_max : request->entry_num;
	if (!reply->rc)
		choose_ids(model, request, reply);
	apply(model, request, reply);
	misapply(model, request, reply);
	misreport(model, request, reply);
}

static const char * const fault_names[MODEL_FAULT_COUNT] = {
	[MODEL_FAULT_NONE] = "none",
	[MODEL_FAULT_INVALIDATE_ALL_MISSES_LAST] = "invalidate-all-misses-last",
	[MODEL_FAULT_INVALIDATE_HITS_NEIGHBOUR] = "invalidate-hits-neighbour",
	[MODEL_FAULT_INVALIDATE_HITS_OTHER_DEVICE] = "invalidate-hits-other-device",
	[MODEL_FAULT_BAD_ENTRY_SKIPPED] = "bad-entry-skipped",
	[MODEL_FAULT_ENTRY_NUM_OFF_BY_ONE] = "entry-num-off-by-one",
	[MODEL_FAULT_ENTRY_NUM_KEPT_ON_ERROR] = "entry-num-kept-on-error",
	[MODEL_FAULT_DESTROY_IGNORES_USERS] = "destroy-ignores-users",
	[MODEL_FAULT_DESTROY_LEAKS] = "destroy-leaks",
	[MODEL_FAULT_FAULT_QUEUE_NOT_HELD] = "fault-queue-not-held",
	[MODEL_FAULT_VIRT_ID_SHARED] = "virt-id-shared",
	[MODEL_FAULT_VDEVICE_TWICE] = "vdevice-twice",
	[MODEL_FAULT_VEVENTQ_TWICE] = "veventq-twice",
	[MODEL_FAULT_NESTED_ON_PLAIN] = "nested-on-plain",
	[MODEL_FAULT_ATTACH_NEEDS_NO_VDEVICE] = "attach-needs-no-vdevice",
	[MODEL_FAULT_FAILED_ATTACH_DETACHES] = "failed-attach-detaches",
	[MODEL_FAULT_FAILED_ALLOC_LEAKS] = "failed-alloc-leaks",
	[MODEL_FAULT_TOMBSTONE_REUSED] = "tombstone-reused",
	[MODEL_FAULT_ID_NOT_UNIQUE] = "id-not-unique",
	[MODEL_FAULT_STALE_ID_LIVES] = "stale-id-lives",
};

const char *model_fault_name(enum model_fault fault)
{
	return fault < MODEL_FAULT_COUNT ? fault_names[fault] : NULL;
}

enum model_fault model_fault_parse(const char *name)
{
	int fault = 0;

	if (!name || !*name)
		return MODEL_FAULT_NONE;
	while (fault < MODEL_FAULT_COUNT && strcmp(fault_names[fault], name))
		fault++;
	return fault;
}
