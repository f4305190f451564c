// SPDX-License-Identifier: GPL-2.0-only
/* Random and concurrent programs, judged by the history of what was mapped and invalidated. */
#define RANDOM_VENDOR "intel"
#define RANDOM_VM vm_intel
#include "oracle/random_tests.h"

NIT_TEST_MAIN
