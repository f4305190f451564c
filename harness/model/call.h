/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One call of a sequence, in symbols: an object is named by the call that made it, so that the
 * same call means the same after other calls are taken out, and whatever ids the kernel gives.
 *
 * As text a call is one line of C-like code, which can be read back:
 *
 *	t3 = hwpt_alloc(.dev = t1.device, .pt = t2, .type = 0xdead, .data_len = 0x8, .value = 0x5);
 *	t4 = hwpt_invalidate(.pt = t3, .type = 0xdeadbeef, .num = 0x1, .len = 0x8,
 *			     .entries = hwpt {0x1, 0});
 *
 * (all in one line). What is not there is 0.
 */
#ifndef NIT_MODEL_CALL_H
#define NIT_MODEL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

enum { CALL_TAGS = 1024, CALL_ENTRIES = 6, CALL_WORDS = 4, CALL_ENTRY_LEN_MAX = 64 };

/** enum call_ref_kind - what id an argument is */
enum call_ref_kind {
	REF_ZERO,	/* 0 */
	REF_UNKNOWN,	/* an id that was never given */
	REF_TAG,	/* what a call of the sequence made, alive or dead */
};

/**
 * struct call_ref - an argument that is an id
 * @kind: what it is
 * @tag: REF_TAG: the call. If the call is not in the sequence, or failed, the id is REF_UNKNOWN's
 * @member: which of the call's REPLY_IDS
 */
struct call_ref {
	enum call_ref_kind kind;
	uint16_t tag;
	uint8_t member;
};

/** enum call_layout - what the entries of an invalidation are */
enum call_layout {
	LAYOUT_NULL,	/* no array */
	LAYOUT_HWPT,	/* struct iommu_hwpt_invalidate_selftest: flags, iotlb_id */
	LAYOUT_VIOMMU,	/* struct iommu_viommu_invalidate_selftest: flags, vdev_id, cache_id */
};

/**
 * struct call - one call; each op uses some of the fields
 * @tag: its name; ascending in a sequence
 * @unreadable: how many of the entries, from the end, are in memory that cannot be read
 * @entry: the words of each entry; the last word fills what entry_len leaves after the struct
 */
struct call {
	enum request_op op;
	uint16_t tag;
	struct call_ref dev;
	struct call_ref pt;
	struct call_ref fault;
	uint32_t flags;
	uint32_t type;
	uint32_t data_len;
	uint32_t value;
	uint32_t virt_id;
	uint32_t entry_num;
	uint32_t entry_len;
	uint32_t unreadable;
	enum call_layout layout;
	uint32_t entry[CALL_ENTRIES][CALL_WORDS];
};

/** struct call_ids - the ids and files that the calls so far gave, by tag */
struct call_ids {
	uint32_t id[CALL_TAGS][REPLY_IDS];
	int fd[CALL_TAGS];
};

void call_ids_init(struct call_ids *ids);

/** call_ids_store() - Note what @call gave, or that its file is now closed */
void call_ids_store(struct call_ids *ids, const struct call *call, const struct reply *reply);

/** struct call_memory - where entries of an invalidation lie: right before a page that faults */
struct call_memory {
	uint8_t *page;
	size_t size;
};

int call_memory_init(struct call_memory *memory);
void call_memory_free(struct call_memory *memory);

/** call_request() - The request that @call is, given @ids; its data is in @memory */
void call_request(const struct call *call, const struct call_ids *ids, struct call_memory *memory,
		  struct request *request);

/** call_print() - The line, without newline. Return: its length */
int call_print(const struct call *call, char *line, size_t size);

/** call_parse() - The opposite. Return: false if @line is no call */
bool call_parse(const char *line, struct call *call);

/** call_words() - Words of one entry of @layout, without the tail */
unsigned int call_words(enum call_layout layout);

#endif
