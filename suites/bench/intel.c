// SPDX-License-Identifier: GPL-2.0-only
/* What invalidations cost: bench.h */
#define BENCH_VENDOR "intel"
#define BENCH_VM vm_intel

#include "bench.h"

NIT_TEST_MAIN
