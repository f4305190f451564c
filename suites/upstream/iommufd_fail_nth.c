// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own selftest, from the source in use and unchanged, for comparison: same guest,
 * same results, same counting of checks and of coverage. Not part of the default run.
 */
#include "core/test.h"

#undef TEST_HARNESS_MAIN
#define TEST_HARNESS_MAIN NIT_TEST_MAIN
#include "tools/testing/selftests/iommu/iommufd_fail_nth.c"
