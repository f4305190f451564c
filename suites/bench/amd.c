// SPDX-License-Identifier: GPL-2.0-only
/* What invalidations cost: bench.h */
#define BENCH_VENDOR "amd"
#define BENCH_VM vm_amd

#include "bench.h"

NIT_TEST_MAIN
