// SPDX-License-Identifier: GPL-2.0-only
/* How fast a target goes, round by round: oracle/rate_tests.h */
#define RATE_VENDOR "amd"
#define RATE_VM vm_amd

#include "oracle/rate_tests.h"

NIT_TEST_MAIN
