// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "core/fault.h"
#include "object.h"

static struct hyp_object tombstone = { .type = HYP_TOMBSTONE };

void *hyp_object_new(struct hyp_context *context, size_t size, enum hyp_type type)
{
	struct hyp_object *object, **objects;
	uint32_t id = 1;

	while (id < context->room && context->objects[id])
		id++;
	if (id >= context->room) {
		uint32_t room = context->room ? 2 * context->room : 16;

		objects = realloc(context->objects, room * sizeof(*objects));
		if (!objects)
			return NULL;
		for (uint32_t i = context->room; i < room; i++)
			objects[i] = NULL;
		context->objects = objects;
		context->room = room;
		id = id ?: 1;
	}
	object = calloc(1, size);
	if (!object)
		return NULL;
	object->type = type;
	object->id = id;
	context->objects[id] = object;
	return object;
}

void hyp_object_drop(struct hyp_context *context, void *ptr)
{
	struct hyp_object *object = ptr;

	context->objects[object->id] = NULL;
	free(object);
}

void *hyp_object_get(struct hyp_context *context, uint32_t id, enum hyp_type type)
{
	struct hyp_object *object = id < context->room ? context->objects[id] : NULL;

	if (!object || object == &tombstone)
		return NULL;
	return type == HYP_ANY || object->type == type ? object : NULL;
}

/* Devices are VFIO's to unbind, not user space's to destroy. */
int hyp_object_destroy(struct hyp_context *context, uint32_t id)
{
	struct hyp_object *object = hyp_object_get(context, id, HYP_ANY);

	if (!object)
		return -ENOENT;
	if (object->users || object->type == HYP_DEVICE)
		return -EBUSY;
	if (object->busy && object->busy(object) &&
	    !FAULT("hyp.destroy-open-file", "an object goes while user space has it open"))
		return -EBUSY;
	context->objects[id] = NULL;
	object->destroy(context, object);
	return 0;
}

void hyp_object_bury(struct hyp_context *context, uint32_t id)
{
	if (!hyp_object_destroy(context, id) &&
	    !FAULT("hyp.vdevice-id-comes-back", "the id of one gone with its device is reused"))
		context->objects[id] = &tombstone;
}

bool hyp_context_held(const struct hyp_context *context)
{
	for (uint32_t id = 1; id < context->room; id++) {
		struct hyp_object *object = context->objects[id];

		if (object && object->is_held && object->busy(object))
			return true;
	}
	return false;
}

void hyp_contexts_reap(struct hyp *hyp, bool all)
{
	struct hyp_context **link = &hyp->contexts;

	while (*link) {
		struct hyp_context *context = *link;

		if (!all && (!context->closed || hyp_context_held(context))) {
			link = &context->next;
			continue;
		}
		*link = context->next;
		hyp_context_destroy(context);
	}
}

/* Devices first, since they detach; then whatever has no users, until nothing is left. */
void hyp_context_destroy(struct hyp_context *context)
{
	bool more = true;

	for (uint32_t id = 1; id < context->room; id++) {
		struct hyp_object *object = hyp_object_get(context, id, HYP_DEVICE);

		if (!object)
			continue;
		context->objects[id] = NULL;
		object->destroy(context, object);
	}
	while (more) {
		more = false;
		for (uint32_t id = 1; id < context->room; id++) {
			struct hyp_object *object = hyp_object_get(context, id, HYP_ANY);

			if (!object || object->users)
				continue;
			context->objects[id] = NULL;
			object->destroy(context, object);
			more = true;
		}
	}
	free(context->objects);
	free(context);
}
