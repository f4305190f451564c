#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of what needs no kernel, on this machine: plain, and under each sanitizer.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
export NIT_SUITES=$ROOT/tests
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-unit.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

# unit_program NAME PROGRAM: its results become lines of ours
unit_program() {
	local line status=0

	timeout 300 "$2" >"$OUT/output" 2>&1 || status=$?
	while IFS= read -r line; do
		case $line in
		"not ok "*) tap_result 1 "$1.${line#not ok * }" "$(tail -n 30 "$OUT/output")" ;;
		*"# SKIP"*) tap_skip "$1.${line#ok * }" "see the program" ;;
		*) tap_result 0 "$1.${line#ok * }" ;;
		esac
	done < <(grep -aE '^(not )?ok [0-9]+ ' "$OUT/output")
	tap_result "$status" "$1.exit-status" "$status: $(tail -n 30 "$OUT/output")"
}

for sanitizer in "" address,undefined thread; do
	name=unit${sanitizer:+-${sanitizer%%,*}}
	if ! "$ROOT/run.sh" --build-programs "$OUT/$name" --suite unit \
		${sanitizer:+--sanitize "$sanitizer"} >"$OUT/build" 2>&1; then
		tap_result 1 "$name" "$(tail -n 30 "$OUT/build")"
		continue
	fi
	for program in "$OUT/$name"/unit/*; do
		unit_program "$name.${program##*/}" "$program"
	done
done
tap_end
