// SPDX-License-Identifier: GPL-2.0-only
/* Concurrent DMA while everything changes, for as long as one likes: oracle/stress_tests.h */
#define STRESS_VENDOR "amd"
#define STRESS_VM vm_amd

#include "oracle/stress_tests.h"

NIT_TEST_MAIN
