/* SPDX-License-Identifier: GPL-2.0-only */
/* The replies that a call may get: what is wrong with it, and the errnos allowed for that. */
#ifndef NIT_MODEL_ANSWER_H
#define NIT_MODEL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** enum answer_mistake - what may be wrong with a call; answer.c has errnos and sources */
enum answer_mistake {
	NO_OBJECT,
	NO_PT,
	PT_TYPE,
	FLAGS,
	DATA_LEN,
	DATA_TYPE,
	NOT_NEST_PARENT,
	ARRAY,
	TARGET_TYPE,
	ENTRY_TYPE,
	ENTRY_UNREADABLE,
	ENTRY_TAIL,
	ENTRY_LEN,
	ENTRY_FLAGS,
	ENTRY_FIELD,
	VIOMMU_TYPE,
	IS_THERE,
	EVENT_DEPTH,
	EVENT_TYPE,
	EVENT_TYPE_UNDEFINED,
	ATTACH_NO_PT,
	ATTACH_DIRTY,
	ATTACH_NO_VDEVICE,
	DEVICE_FLAGS,
	IN_USE,
};

enum { ANSWER_ERRNOS = 16 };

/**
 * struct answer - the replies that a call may get; all zero: it must succeed
 * @must_fail: 0 is not among them
 * @errnos: how many of @errno_of
 * @errno_of: positive errnos that are allowed
 * @done_min: OP_HWPT_INVALIDATE that fails: the least entry_num
 * @done_max: the greatest
 */
struct answer {
	bool must_fail;
	unsigned int errnos;
	int errno_of[ANSWER_ERRNOS];
	uint32_t done_min;
	uint32_t done_max;
};

/** answer_mistake() - The call makes this mistake, too; it may be refused for any that it makes */
void answer_mistake(struct answer *answer, enum answer_mistake what);

/** answer_allows() - Whether @rc, 0 or -errno, is among the replies */
bool answer_allows(const struct answer *answer, int rc);

/** answer_say() - "expected -EBUSY, observed 0" */
void answer_say(const struct answer *answer, int rc, char *why, size_t size);

#endif
