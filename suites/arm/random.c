// SPDX-License-Identifier: GPL-2.0-only
/* Random programs and concurrent DMA, judged by the history oracle: oracle/random_tests.h */
#define RANDOM_VENDOR "arm"
#define RANDOM_VM vm_arm

#include "oracle/random_tests.h"

NIT_TEST_MAIN
