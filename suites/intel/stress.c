// SPDX-License-Identifier: GPL-2.0-only
/* Concurrent DMA while everything changes, for as long as one likes: oracle/stress_tests.h */
#define STRESS_VENDOR "intel"
#define STRESS_VM vm_intel

#include "oracle/stress_tests.h"

NIT_TEST_MAIN
