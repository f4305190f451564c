/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Published bits against ours. Hardware, hypervisor and guest share harness/spec: a bit that is
 * wrong there is wrong on both sides, and no other test sees it. So what is expected here is
 * written as numbers, taken from the specifications and not from our headers.
 */
#ifndef NIT_TESTS_SPEC_VECTOR_H
#define NIT_TESTS_SPEC_VECTOR_H

#include <string.h>

#include "core/test.h"

/** struct spec_field - a mask of ours, and the bits of its word that the specification says */
struct spec_field {
	const char *name;
	uint64_t mask;
	unsigned int high;
	unsigned int low;
};

#define FIELD(_mask, _high, _low) { #_mask, _mask, _high, _low }

#define EXPECT_FIELDS(_fields) do { \
	for (size_t _i = 0; _i < ARRAY_SIZE(_fields); _i++) { \
		uint64_t _bits = (~0ull >> (63 - (_fields)[_i].high)) & \
				 (~0ull << (_fields)[_i].low); \
		EXPECT_EQ(_bits, (_fields)[_i].mask) { \
			check_note("%s", (_fields)[_i].name); \
		} \
	} \
} while (0)

/** struct spec_number - an opcode, type or code of ours, and what the specification says */
struct spec_number {
	const char *name;
	uint64_t ours;
	uint64_t published;
};

#define NUMBER(_name, _published) { #_name, _name, _published }

#define EXPECT_NUMBERS(_numbers) do { \
	for (size_t _i = 0; _i < ARRAY_SIZE(_numbers); _i++) { \
		EXPECT_EQ((_numbers)[_i].published, (_numbers)[_i].ours) { \
			check_note("%s", (_numbers)[_i].name); \
		} \
	} \
} while (0)

/*
 * ENCODES(encoder, (arguments), words...) - @encoder(c, arguments) makes these words, the first at
 * the lowest address, whatever was there before
 */
#define SPEC_REST(...) __VA_ARGS__
#define ENCODES(_encoder, _arguments, ...) do { \
	const uint64_t _want[] = { __VA_ARGS__ }; \
	uint64_t _made[ARRAY_SIZE(_want)]; \
	memset(_made, 0xa5, sizeof(_made)); \
	_encoder(_made, SPEC_REST _arguments); \
	for (size_t _i = 0; _i < ARRAY_SIZE(_want); _i++) { \
		EXPECT_EQ(_want[_i], _made[_i]) { \
			check_note("word %zu of " #_encoder #_arguments, _i); \
		} \
	} \
} while (0)

/* The same for encoders that take nothing but the place */
#define ENCODES_PLAIN(_encoder, ...) do { \
	const uint64_t _want[] = { __VA_ARGS__ }; \
	uint64_t _made[ARRAY_SIZE(_want)]; \
	memset(_made, 0xa5, sizeof(_made)); \
	_encoder(_made); \
	for (size_t _i = 0; _i < ARRAY_SIZE(_want); _i++) { \
		EXPECT_EQ(_want[_i], _made[_i]) { \
			check_note("word %zu of " #_encoder, _i); \
		} \
	} \
} while (0)

#endif
