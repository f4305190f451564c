// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <unistd.h>

#include "core/prng.h"
#include "generator.h"

enum {
	VIRT_IDS = 16,		/* few, so that they collide */
	CROWD = 32,		/* objects from which on destroying is preferred */
	FIRST_FD = 1000,	/* files of the generator's model are only numbers */
};

/**
 * struct generator - a sequence in the making
 * @careful: make no mistakes now
 * @model: the state as it would be on a kernel that gives the lowest free ids
 * @target: what the current invalidation is for
 */
struct generator {
	struct prng prng;
	bool careful;
	struct model model;
	const struct model_object *target;
	struct call_ids ids;
	struct call_memory memory;
	uint16_t tag;
};

static uint32_t below(struct generator *gen, uint32_t limit)
{
	return prng_below(&gen->prng, limit);
}

/* True in @percent of 100 cases; for mistakes, so never while careful */
static bool err(struct generator *gen, uint32_t percent)
{
	bool yes = below(gen, 100) < percent;

	return yes && !gen->careful;
}

static bool chance(struct generator *gen, uint32_t percent)
{
	return below(gen, 100) < percent;
}

typedef bool (*wanted_fn)(const struct generator *gen, const struct model_object *object);

/* A random object that @wanted takes, or NULL */
static const struct model_object *pick_object(struct generator *gen, wanted_fn wanted)
{
	const struct model_object *found = NULL;
	uint32_t seen = 0;

	for (unsigned int i = 0; i < gen->model.end; i++) {
		const struct model_object *object = &gen->model.objects[i];

		if (object->type == MODEL_FREE || object->type == MODEL_TOMBSTONE ||
		    !wanted(gen, object))
			continue;
		if (!below(gen, ++seen))
			found = object;
	}
	return found;
}

/* The last call that told the id of @object */
static struct call_ref ref_of(const struct generator *gen, const struct model_object *object)
{
	for (int tag = gen->tag - 1; tag >= 0; tag--)
		for (uint8_t member = 0; member < REPLY_IDS; member++)
			if (gen->ids.id[tag][member] == object->id)
				return (struct call_ref){ REF_TAG, tag, member };
	return (struct call_ref){ REF_UNKNOWN };
}

static bool any(const struct generator *gen, const struct model_object *object)
{
	return true;
}

/* Something that some call made, most often dead by now */
static struct call_ref pick_old(struct generator *gen)
{
	struct call_ref ref = { REF_TAG, gen->tag ? below(gen, gen->tag) : 0, below(gen, 3) };

	if (!gen->ids.id[ref.tag][ref.member])
		ref.member = 0;
	return ref;
}

/* Usually an object that @wanted takes; sometimes another, a dead one, or none */
static struct call_ref pick(struct generator *gen, wanted_fn wanted)
{
	const struct model_object *object;

	if (err(gen, 2))
		return (struct call_ref){ chance(gen, 50) ? REF_ZERO : REF_UNKNOWN };
	if (err(gen, 4))
		return pick_old(gen);
	object = pick_object(gen, err(gen, 4) ? any : wanted);
	return object ? ref_of(gen, object) : (struct call_ref){ REF_UNKNOWN };
}

static bool is_ioas(const struct generator *gen, const struct model_object *object)
{
	return object->type == MODEL_IOAS;
}

static bool is_device(const struct generator *gen, const struct model_object *object)
{
	return object->type == MODEL_DEVICE;
}

static bool is_bare_device(const struct generator *gen, const struct model_object *object)
{
	for (unsigned int i = 0; i < gen->model.end; i++)
		if (gen->model.objects[i].type == MODEL_VDEVICE &&
		    gen->model.objects[i].device == object)
			return false;
	return object->type == MODEL_DEVICE;
}

static bool is_mock(const struct generator *gen, const struct model_object *object)
{
	return object->type == MODEL_MOCK;
}

static bool is_paging(const struct generator *gen, const struct model_object *object)
{
	return object->type == MODEL_PAGING;
}

static bool is_parent(const struct generator *gen, const struct model_object *object)
{
	return object->type == MODEL_PAGING && object->nest_parent;
}

static bool is_nested(const struct generator *gen, const struct model_object *object)
{
	return object->type == MODEL_NESTED;
}

static bool is_viommu(const struct generator *gen, const struct model_object *object)
{
	return object->type == MODEL_VIOMMU;
}

static bool is_populated_viommu(const struct generator *gen, const struct model_object *object)
{
	for (unsigned int i = 0; i < gen->model.end; i++)
		if (gen->model.objects[i].type == MODEL_VDEVICE &&
		    gen->model.objects[i].base == object)
			return true;
	return false;
}

static bool is_quiet_viommu(const struct generator *gen, const struct model_object *object)
{
	for (unsigned int i = 0; i < gen->model.end; i++)
		if (gen->model.objects[i].type == MODEL_VEVENTQ &&
		    gen->model.objects[i].base == object)
			return false;
	return object->type == MODEL_VIOMMU;
}

static bool is_fault(const struct generator *gen, const struct model_object *object)
{
	return object->type == MODEL_FAULT;
}

static bool is_open(const struct generator *gen, const struct model_object *object)
{
	return object->fd >= 0;
}

static void make_device_create(struct generator *gen, struct call *call)
{
	wanted_fn where[] = { is_ioas, is_ioas, is_ioas, is_paging, is_nested };

	call->pt = pick(gen, where[gen->careful ? 0 : below(gen, 5)]);
	if (chance(gen, 15))
		call->flags = MOCK_FLAGS_DEVICE_NO_DIRTY;
	if (err(gen, 3))
		call->flags |= 1u << below(gen, 32);
}

static void make_device_attach(struct generator *gen, struct call *call)
{
	wanted_fn where[] = { is_ioas, is_paging, is_nested, is_nested };

	call->dev = pick(gen, is_mock);
	call->pt = pick(gen, where[below(gen, 4)]);
}

static void make_hwpt_paging(struct generator *gen, struct call *call)
{
	call->pt = pick(gen, is_ioas);
	if (gen->careful || chance(gen, 50))
		call->flags |= IOMMU_HWPT_ALLOC_NEST_PARENT;
	else if (chance(gen, 25))
		call->flags |= IOMMU_HWPT_FAULT_ID_VALID;
	if (err(gen, 15))
		call->flags |= IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	if (err(gen, 3))
		call->type = below(gen, 5);
	if (err(gen, 2))
		call->data_len = 4;
}

static void make_hwpt_nested(struct generator *gen, struct call *call, bool on_viommu)
{
	call->pt = pick(gen, on_viommu ? is_viommu : err(gen, 8) ? is_paging : is_parent);
	call->type = IOMMU_HWPT_DATA_SELFTEST;
	call->data_len = chance(gen, 80) ? sizeof(struct iommu_hwpt_selftest) : sizeof(uint32_t);
	call->value = 1 + below(gen, 0xffff);
	if (err(gen, 12))
		call->flags |= IOMMU_HWPT_FAULT_ID_VALID;
	if (err(gen, 3))
		call->type = below(gen, 5);
	if (err(gen, 3))
		call->data_len = below(gen, 4);
}

static void make_hwpt_alloc(struct generator *gen, struct call *call)
{
	uint32_t kind = below(gen, 10);

	call->dev = pick(gen, is_device);
	if (kind < 3 || !pick_object(gen, is_parent))
		make_hwpt_paging(gen, call);
	else
		make_hwpt_nested(gen, call, kind < 7 && pick_object(gen, is_viommu));
	if (err(gen, 8))
		call->flags |= IOMMU_HWPT_ALLOC_PASID;
	if (err(gen, 3))
		call->flags |= 1u << below(gen, 32);
	if ((call->flags & IOMMU_HWPT_FAULT_ID_VALID) || err(gen, 3))
		call->fault = pick(gen, is_fault);
}

static bool is_vdevice_of_target(const struct generator *gen, const struct model_object *object)
{
	return object->type == MODEL_VDEVICE && object->base == gen->target;
}

static void make_entry(struct generator *gen, struct call *call, uint32_t *word)
{
	const struct model_object *vdevice;
	unsigned int words = call_words(call->layout);

	word[0] = chance(gen, 25) ? IOMMU_TEST_INVALIDATE_FLAG_ALL : 0;
	if (err(gen, 2))
		word[0] |= 1u << below(gen, 32);
	if (words > 2) {
		vdevice = pick_object(gen, is_vdevice_of_target);
		word[1] = vdevice && !err(gen, 3) ? vdevice->virt_id : below(gen, VIRT_IDS);
	}
	word[words - 1] = err(gen, 2) ? below(gen, 2) ? MODEL_WORDS : ~0u :
					below(gen, MODEL_WORDS);
}

static void make_entries(struct generator *gen, struct call *call)
{
	static const uint32_t strange_len[] = { 0, 4, 8, 12, 16, 24, 64 };

	call->entry_num = err(gen, 6) ? 0 : 1 + below(gen, CALL_ENTRIES);
	call->entry_len = call_words(call->layout) * sizeof(uint32_t);
	if (err(gen, 6))
		call->entry_len = strange_len[below(gen, 7)];
	if (err(gen, 2))
		call->entry_len = (uint32_t)sysconf(_SC_PAGESIZE) + 1;
	for (int n = 0; n < CALL_ENTRIES; n++) {
		make_entry(gen, call, call->entry[n]);
		if (chance(gen, 40))
			call->entry[n][CALL_WORDS - 1] = below(gen, 256);
	}
	if (err(gen, 4))
		call->unreadable = 1 + below(gen, CALL_ENTRIES);
	if (err(gen, 2))
		call->entry_num = (1u << 19) + 1;
}

static void make_hwpt_invalidate(struct generator *gen, struct call *call)
{
	bool viommu = chance(gen, 50) || !pick_object(gen, is_nested);

	call->pt = pick(gen, !viommu ? is_nested : err(gen, 5) ? is_viommu : is_populated_viommu);
	gen->target = model_find(&gen->model, gen->ids.id[call->pt.tag][call->pt.member]);
	call->type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST;
	if (err(gen, 4))
		call->type = chance(gen, 50) ? IOMMU_HWPT_INVALIDATE_DATA_SELFTEST_INVALID : 0;
	if (err(gen, 4))
		viommu = !viommu;
	call->layout = viommu ? LAYOUT_VIOMMU : LAYOUT_HWPT;
	make_entries(gen, call);
	if (err(gen, 2))
		call->layout = LAYOUT_NULL;
}

static void make_viommu_alloc(struct generator *gen, struct call *call)
{
	call->dev = pick(gen, is_device);
	call->pt = pick(gen, err(gen, 8) ? is_paging : is_parent);
	call->type = err(gen, 6) ? below(gen, 4) : IOMMU_VIOMMU_TYPE_SELFTEST;
}

static void make_vdevice_alloc(struct generator *gen, struct call *call)
{
	bool again = err(gen, 15) || !pick_object(gen, is_bare_device);

	call->dev = pick(gen, again ? is_device : is_bare_device);
	call->pt = pick(gen, is_viommu);
	call->virt_id = below(gen, VIRT_IDS);
}

static void make_veventq_alloc(struct generator *gen, struct call *call)
{
	call->pt = pick(gen, err(gen, 15) ? is_viommu : is_quiet_viommu);
	call->type = IOMMU_VEVENTQ_TYPE_SELFTEST;
	call->value = 1 + below(gen, 8);
	if (err(gen, 15))
		call->type = chance(gen, 30) ? 0 : 0x1230 + below(gen, 2);
	if (err(gen, 8))
		call->value = chance(gen, 50) ? 0 : (1u << 19) + 1;
}

static bool is_unused(const struct generator *gen, const struct model_object *object)
{
	struct request request = { .op = OP_DESTROY, .pt_id = object->id };
	struct answer answer;

	model_expect(&gen->model, &request, &answer);
	return !answer.must_fail;
}

static void make_destroy(struct generator *gen, struct call *call)
{
	call->pt = pick(gen, chance(gen, 35) ? is_unused : any);
}

static void make_call(struct generator *gen, struct call *call)
{
	switch (call->op) {
	case OP_DEVICE_CREATE:
		make_device_create(gen, call);
		break;
	case OP_DEVICE_ATTACH:
		make_device_attach(gen, call);
		break;
	case OP_HWPT_ALLOC:
		make_hwpt_alloc(gen, call);
		break;
	case OP_HWPT_INVALIDATE:
		make_hwpt_invalidate(gen, call);
		break;
	case OP_VIOMMU_ALLOC:
		make_viommu_alloc(gen, call);
		break;
	case OP_VDEVICE_ALLOC:
		make_vdevice_alloc(gen, call);
		break;
	case OP_VEVENTQ_ALLOC:
		make_veventq_alloc(gen, call);
		break;
	case OP_CLOSE:
		call->pt = pick(gen, is_open);
		break;
	case OP_DESTROY:
		make_destroy(gen, call);
		break;
	case OP_IOAS_ALLOC:
	case OP_FAULT_QUEUE_ALLOC:
	case OP_COUNT:
		break;
	}
}

static bool is_invalidatable(const struct generator *gen, const struct model_object *object)
{
	return is_nested(gen, object) || is_populated_viommu(gen, object);
}

static enum request_op choose_any_op(struct generator *gen)
{
	static const uint8_t weight[OP_COUNT] = {
		[OP_IOAS_ALLOC] = 2, [OP_DEVICE_CREATE] = 9, [OP_DEVICE_ATTACH] = 12,
		[OP_HWPT_ALLOC] = 15, [OP_HWPT_INVALIDATE] = 28, [OP_VIOMMU_ALLOC] = 5,
		[OP_VDEVICE_ALLOC] = 8, [OP_VEVENTQ_ALLOC] = 4, [OP_FAULT_QUEUE_ALLOC] = 2,
		[OP_CLOSE] = 4, [OP_DESTROY] = 11,
	};
	uint32_t at = below(gen, 100);
	int op = 0;

	while (at >= weight[op])
		at -= weight[op++];
	return op;
}

/* What is usually a good idea now: nothing is destroyed that there is not, and so on. */
static enum request_op choose_op(struct generator *gen)
{
	static const wanted_fn needs[OP_COUNT] = {
		[OP_IOAS_ALLOC] = NULL, [OP_DEVICE_CREATE] = is_ioas,
		[OP_DEVICE_ATTACH] = is_mock, [OP_HWPT_ALLOC] = is_device,
		[OP_HWPT_INVALIDATE] = is_invalidatable, [OP_VIOMMU_ALLOC] = is_parent,
		[OP_VDEVICE_ALLOC] = is_viommu, [OP_VEVENTQ_ALLOC] = is_quiet_viommu,
		[OP_FAULT_QUEUE_ALLOC] = NULL, [OP_CLOSE] = is_open, [OP_DESTROY] = any,
	};
	enum request_op op;

	if (model_room(&gen->model) < MODEL_OBJECTS - CROWD && chance(gen, 50))
		return OP_DESTROY;
	do
		op = choose_any_op(gen);
	while (needs[op] && !pick_object(gen, needs[op]) && !chance(gen, 10));
	return op;
}

/* Most sequences start with what a VMM does first; all after that has something to work on. */
static enum request_op start_op(uint16_t step)
{
	static const enum request_op ops[] = {
		OP_IOAS_ALLOC, OP_DEVICE_CREATE, OP_HWPT_ALLOC, OP_VIOMMU_ALLOC,
		OP_VDEVICE_ALLOC, OP_HWPT_ALLOC, OP_DEVICE_ATTACH,
	};

	return step < sizeof(ops) / sizeof(ops[0]) ? ops[step] : OP_COUNT;
}

void sequence_generate(struct sequence *sequence, uint64_t seed, uint64_t stream,
		       unsigned int steps)
{
	struct generator *gen = calloc(1, sizeof(*gen));
	struct request request;
	uint32_t careful;

	if (!gen || call_memory_init(&gen->memory))
		abort();
	prng_init(&gen->prng, seed, stream);
	model_init(&gen->model, MODEL_FAULT_NONE);
	call_ids_init(&gen->ids);
	careful = 2 + below(gen, 6);
	sequence->count = steps < CALL_TAGS ? steps : CALL_TAGS;
	for (gen->tag = 0; gen->tag < sequence->count; gen->tag++) {
		struct call *call = &sequence->call[gen->tag];
		struct reply reply = { .fd = -1 };

		gen->careful = gen->tag < careful;
		*call = (struct call){ .tag = gen->tag };
		call->op = gen->careful ? start_op(gen->tag) : choose_op(gen);
		make_call(gen, call);
		if (call->op == OP_VEVENTQ_ALLOC || call->op == OP_FAULT_QUEUE_ALLOC)
			reply.fd = FIRST_FD + gen->tag;
		call_request(call, &gen->ids, &gen->memory, &request);
		model_reply(&gen->model, &request, &reply);
		call_ids_store(&gen->ids, call, &reply);
	}
	call_memory_free(&gen->memory);
	free(gen);
}
