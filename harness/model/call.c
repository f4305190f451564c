// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"

#define UNKNOWN_ID 0x7ffff000	/* ids are small, lowest free first, and below 2^31 */

/* ---- Text: one table says which arguments each op has, in print and in parse ---- */

enum field_kind {
	FIELD_REF,
	FIELD_NUMBER,
	FIELD_ENTRIES,	/* has the name of the layout */
};

struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;
};

#define REF(_name) { #_name, FIELD_REF, offsetof(struct call, _name) }
#define NUMBER(_name, _member) { _name, FIELD_NUMBER, offsetof(struct call, _member) }
#define ENTRIES { "entries", FIELD_ENTRIES }

enum { FIELDS = 8 };

static const struct field fields[OP_COUNT][FIELDS] = {
	[OP_DEVICE_CREATE] = { REF(pt), NUMBER("flags", flags) },
	[OP_DEVICE_ATTACH] = { REF(dev), REF(pt) },
	[OP_HWPT_ALLOC] = { REF(dev), REF(pt), NUMBER("flags", flags), NUMBER("type", type),
			    NUMBER("data_len", data_len), NUMBER("value", value), REF(fault) },
	[OP_HWPT_INVALIDATE] = { REF(pt), NUMBER("type", type), NUMBER("num", entry_num),
				 NUMBER("len", entry_len), NUMBER("unreadable", unreadable),
				 ENTRIES },
	[OP_VIOMMU_ALLOC] = { REF(dev), REF(pt), NUMBER("type", type) },
	[OP_VDEVICE_ALLOC] = { REF(dev), REF(pt), NUMBER("virt_id", virt_id) },
	[OP_VEVENTQ_ALLOC] = { REF(pt), NUMBER("type", type), NUMBER("depth", value) },
	[OP_CLOSE] = { REF(pt) },
	[OP_DESTROY] = { REF(pt) },
};

static const char * const layouts[] = {
	[LAYOUT_NULL] = "null",
	[LAYOUT_HWPT] = "hwpt",
	[LAYOUT_VIOMMU] = "viommu",
};

unsigned int call_words(enum call_layout layout)
{
	return layout == LAYOUT_HWPT ? 2 : layout == LAYOUT_VIOMMU ? 3 : 0;
}

static const char *member_name(uint8_t member)
{
	static const char * const names[REPLY_IDS] = { "", ".device", ".hwpt" };

	return names[member];
}

struct text {
	char *at;
	size_t room;
};

static void put(struct text *text, const char *format, ...)
{
	va_list ap;
	int length;

	va_start(ap, format);
	length = vsnprintf(text->at, text->room, format, ap);
	va_end(ap);
	if (length >= text->room)
		length = text->room ? text->room - 1 : 0;
	text->at += length;
	text->room -= length;
}

static void put_ref(struct text *text, const struct call_ref *ref)
{
	if (ref->kind == REF_TAG)
		put(text, "t%u%s", ref->tag, member_name(ref->member));
	else
		put(text, ref->kind == REF_ZERO ? "0" : "unknown");
}

static unsigned int entries_shown(const struct call *call)
{
	return call->entry_num < CALL_ENTRIES ? call->entry_num : CALL_ENTRIES;
}

static bool has_tail(const struct call *call)
{
	return call->entry_len > call_words(call->layout) * sizeof(uint32_t);
}

static void put_entries(struct text *text, const struct call *call)
{
	put(text, "%s", layouts[call->layout]);
	if (call->layout == LAYOUT_NULL)
		return;
	for (unsigned int n = 0; n < entries_shown(call); n++) {
		put(text, " {");
		for (unsigned int i = 0; i < call_words(call->layout); i++)
			put(text, "%s%#x", i ? ", " : "", call->entry[n][i]);
		if (has_tail(call))
			put(text, ", %#x", call->entry[n][CALL_WORDS - 1]);
		put(text, "}");
	}
}

/* Arguments that are 0 are left out; but who reads a call looks for its objects. */
static bool is_shown(const struct call *call, const struct field *field)
{
	if (field->kind == FIELD_NUMBER)
		return *(const uint32_t *)((const char *)call + field->offset);
	return field->offset != offsetof(struct call, fault) || call->fault.kind != REF_ZERO ||
	       field->kind == FIELD_ENTRIES;
}

int call_print(const struct call *call, char *line, size_t size)
{
	struct text text = { line, size };
	const char *separator = "";

	put(&text, "t%u = %s(", call->tag, request_op_name(call->op));
	for (int i = 0; i < FIELDS && fields[call->op][i].name; i++) {
		const struct field *field = &fields[call->op][i];
		const void *member = (const char *)call + field->offset;

		if (!is_shown(call, field))
			continue;
		put(&text, "%s.%s = ", separator, field->name);
		separator = ", ";
		if (field->kind == FIELD_REF)
			put_ref(&text, member);
		else if (field->kind == FIELD_NUMBER)
			put(&text, "%#x", *(const uint32_t *)member);
		else
			put_entries(&text, call);
	}
	put(&text, ");");
	return text.at - line;
}

static void skip_space(const char **at)
{
	while (**at == ' ' || **at == '\t' || **at == ',')
		++*at;
}

/* Skip @word if it is next */
static bool take(const char **at, const char *word)
{
	skip_space(at);
	if (strncmp(*at, word, strlen(word)))
		return false;
	*at += strlen(word);
	return true;
}

static bool take_number(const char **at, uint32_t *number)
{
	unsigned long value;
	char *end;

	skip_space(at);
	errno = 0;
	value = strtoul(*at, &end, 0);
	if (end == *at || errno || value > UINT32_MAX || **at == '-')
		return false;
	*at = end;
	*number = value;
	return true;
}

static bool take_tag(const char **at, uint16_t *tag)
{
	uint32_t number;

	if (!take(at, "t") || !take_number(at, &number) || number >= CALL_TAGS)
		return false;
	*tag = number;
	return true;
}

static bool take_ref(const char **at, struct call_ref *ref)
{
	*ref = (struct call_ref){ .kind = REF_UNKNOWN };
	if (take(at, "unknown"))
		return true;
	ref->kind = REF_TAG;
	if (take_tag(at, &ref->tag)) {
		for (uint8_t i = 1; i < REPLY_IDS; i++)
			if (take(at, member_name(i)))
				ref->member = i;
		return true;
	}
	ref->kind = REF_ZERO;
	return take(at, "0");
}

static bool take_entries(const char **at, struct call *call)
{
	enum call_layout layout = LAYOUT_NULL;

	while (!take(at, layouts[layout]))
		if (++layout > LAYOUT_VIOMMU)
			return false;
	call->layout = layout;
	for (unsigned int n = 0; take(at, "{"); n++) {
		if (n == CALL_ENTRIES)
			return false;
		for (unsigned int i = 0; i < call_words(layout); i++)
			if (!take_number(at, &call->entry[n][i]))
				return false;
		if (!take(at, "}") &&
		    (!take_number(at, &call->entry[n][CALL_WORDS - 1]) || !take(at, "}")))
			return false;
	}
	return true;
}

static bool take_field(const char **at, struct call *call)
{
	for (int i = 0; i < FIELDS && fields[call->op][i].name; i++) {
		const struct field *field = &fields[call->op][i];
		void *member = (char *)call + field->offset;
		const char *start = *at;

		if (!take(at, field->name) || !take(at, "=")) {
			*at = start;
			continue;
		}
		if (field->kind == FIELD_REF)
			return take_ref(at, member);
		if (field->kind == FIELD_NUMBER)
			return take_number(at, member);
		return take_entries(at, call);
	}
	return false;
}

bool call_parse(const char *line, struct call *call)
{
	const char *at = line;
	int op = 0;

	*call = (struct call){};
	if (!take_tag(&at, &call->tag) || !take(&at, "="))
		return false;
	skip_space(&at);
	while (strncmp(at, request_op_name(op), strcspn(at, "(")) ||
	       strlen(request_op_name(op)) != strcspn(at, "("))
		if (++op == OP_COUNT)
			return false;
	call->op = op;
	at += strcspn(at, "(");
	if (!take(&at, "("))
		return false;
	while (take(&at, "."))
		if (!take_field(&at, call))
			return false;
	return take(&at, ")") && take(&at, ";");
}

/* ---- From symbols to ids ---- */

void call_ids_init(struct call_ids *ids)
{
	memset(ids, 0, sizeof(*ids));
	for (int i = 0; i < CALL_TAGS; i++)
		ids->fd[i] = -1;
}

void call_ids_store(struct call_ids *ids, const struct call *call, const struct reply *reply)
{
	if (call->op == OP_CLOSE && call->pt.kind == REF_TAG)
		ids->fd[call->pt.tag] = -1;
	if (reply->rc)
		return;
	memcpy(ids->id[call->tag], reply->id, sizeof(reply->id));
	ids->fd[call->tag] = reply->fd;
}

int call_memory_init(struct call_memory *memory)
{
	size_t page = sysconf(_SC_PAGESIZE);

	memory->size = page;
	memory->page = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	if (memory->page == MAP_FAILED)
		return -errno;
	return mprotect(memory->page + page, page, PROT_NONE) ? -errno : 0;
}

void call_memory_free(struct call_memory *memory)
{
	munmap(memory->page, 2 * memory->size);
}

static uint32_t ref_id(const struct call_ref *ref, const struct call_ids *ids)
{
	if (ref->kind == REF_ZERO)
		return 0;
	if (ref->kind == REF_UNKNOWN || !ids->id[ref->tag][ref->member])
		return UNKNOWN_ID;
	return ids->id[ref->tag][ref->member];
}

/* The array ends where the readable memory does, so that reading too much is seen. */
static void lay_out(const struct call *call, struct call_memory *memory, struct request *request)
{
	uint32_t word[CALL_ENTRY_LEN_MAX / sizeof(uint32_t)];
	uint32_t len = call->entry_len < CALL_ENTRY_LEN_MAX ? call->entry_len :
							      CALL_ENTRY_LEN_MAX;
	uint32_t count = entries_shown(call);
	uint8_t *at;

	count -= call->unreadable < count ? call->unreadable : count;
	at = memory->page + memory->size - count * len;
	request->data = at;
	request->data_size = count * len;
	for (uint32_t n = 0; n < count; n++, at += len) {
		for (unsigned int i = 0; i < CALL_ENTRY_LEN_MAX / sizeof(uint32_t); i++)
			word[i] = call->entry[n][i < call_words(call->layout) ? i :
									       CALL_WORDS - 1];
		memcpy(at, word, len);
	}
}

void call_request(const struct call *call, const struct call_ids *ids, struct call_memory *memory,
		  struct request *request)
{
	*request = (struct request){
		.op = call->op,
		.dev_id = ref_id(&call->dev, ids),
		.pt_id = ref_id(&call->pt, ids),
		.fault_id = ref_id(&call->fault, ids),
		.flags = call->flags,
		.type = call->type,
		.data_len = call->data_len,
		.value = call->value,
		.virt_id = call->virt_id,
		.entry_num = call->entry_num,
		.entry_len = call->entry_len,
		.fd = call->op == OP_CLOSE && call->pt.kind == REF_TAG ?
			ids->fd[call->pt.tag] : -1,
	};
	if (call->op == OP_HWPT_INVALIDATE && call->layout != LAYOUT_NULL)
		lay_out(call, memory, request);
}
