#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# suites/load on the default kernel: fio and liburing on NVMe, in each way that the kernel maps for it, beside a
# storm of nested invalidations. Complete: ./run.sh --suite load --arch arm64
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-load.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

# has_figures RUN NAME...: each was measured, and is more than 0
has_figures() {
	local run=$1 name

	shift
	for name; do
		jq -e --arg name "$name" 'any(.tests[].figures[]; .name == $name and .samples[0] > 0)' \
			"$OUT/$run/results.json" >/dev/null || { echo "no figure $name"; return 1; }
	done
}

# refused TEXT ARG...: exit status 2, and this in what is said
refused() {
	local said status=0 text=$1

	shift
	said=$("$ROOT/run.sh" "$@" 2>&1) || status=$?
	((status == 2)) && grep -qF -- "$text" <<<"$said" || { echo "status $status: $said"; return 1; }
}

replays() {
	jq -e '.tests[0].replay | test("--suite load") and test("--duration 1") and (test("--stress") | not)' \
		"$OUT/storm/results.json"
}

suite_as_tap storm --suite load --arch arm64 --duration 1 --test '*_storm_4k'
suite_as_tap control --suite load --arch arm64 --test 'control'
tap_check fio-has-figures has_figures storm verify_write_iops verify_read_p99 rate_read_bandwidth rate_write_max
tap_check liburing-has-figures has_figures storm requests_per_s bytes_per_s
tap_check nested-has-figures has_figures storm invalidations_per_s invalidation_p99 stale_before_completion
tap_check replay replays
tap_check no-machine refused "has no machine that runs load on x86_64" --suite load --arch x86_64
tap_end
