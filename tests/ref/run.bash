#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The vendor suites on reference hardware and hypervisor: plain, under sanitizers, and with every
# fault planted in turn.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-ref.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

suite_as_tap ref --target ref
suite_as_tap ref-asan --target ref --sanitize address,undefined
suite_as_tap ref-tsan --target ref --sanitize thread
if "$ROOT/run.sh" --faults --results "$OUT/faults" >"$OUT/faults.output" 2>&1; then
	tap_result 0 fault-matrix
else
	tap_result 1 fault-matrix "$(tail -n 40 "$OUT/faults.output")"
fi
tap_end
