// SPDX-License-Identifier: GPL-2.0-only
/* Random programs and concurrent DMA, judged by the history oracle: oracle/random_tests.h */
#define RANDOM_VENDOR "amd"
#define RANDOM_VM vm_amd

#include "oracle/random_tests.h"

NIT_TEST_MAIN
