/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Without libFuzzer: NAME [RUNS [SEED]] gives a fuzzer's function random inputs. @chosen, if not
 * NULL, is called with the number of the input before each.
 */
#ifndef NIT_TESTS_FUZZ_RANDOM_H
#define NIT_TESTS_FUZZ_RANDOM_H

#include <stdio.h>
#include <stdlib.h>

#include "core/prng.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_random(int argc, char **argv, void (*chosen)(unsigned long run))
{
	unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
	struct prng prng;

	prng_init(&prng, argc > 2 ? strtoull(argv[2], NULL, 0) : prng_seed(), 0);
	LLVMFuzzerInitialize(&argc, &argv);
	for (unsigned long run = 0; run < runs; run++) {
		uint8_t data[2048];
		size_t size = prng_below(&prng, sizeof(data));

		for (size_t i = 0; i < size; i++)
			data[i] = prng_next(&prng);
		if (chosen)
			chosen(run);
		LLVMFuzzerTestOneInput(data, size);
	}
	printf("# %lu inputs\n", runs);
}

#endif
