// SPDX-License-Identifier: GPL-2.0-only
/* Concurrent DMA while everything changes, for as long as one likes: oracle/stress_tests.h */
#define STRESS_VENDOR "arm"
#define STRESS_VM vm_arm

#include "oracle/stress_tests.h"

NIT_TEST_MAIN
