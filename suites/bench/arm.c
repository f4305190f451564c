// SPDX-License-Identifier: GPL-2.0-only
/* What invalidations cost: bench.h */
#define BENCH_VENDOR "arm"
#define BENCH_VM vm_arm

#include "bench.h"

NIT_TEST_MAIN
