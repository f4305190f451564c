#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# By name only (a kernel is built): what suites/amd skips on Linux 7.3, which nests nothing on AMD-Vi, is
# tested on a kernel that does. guests/kernel/patches/amd-nested.patch makes one.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-nested.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

# Of every program with nested tests something has passed; invalidation is stage1 and stage2.
nested_tests_are_real() {
	jq -e '[.tests[] | select(.outcome == "pass") | .program] | unique |
		contains(["atc", "command", "isolation", "random", "stage1", "stage2", "table"])' \
		"$OUT/patched/results.json"
}

suite_as_tap patched --arch x86_64 --suite amd --patch "$ROOT/guests/kernel/patches/amd-nested.patch"
tap_check nested-tests-are-real nested_tests_are_real
tap_end
