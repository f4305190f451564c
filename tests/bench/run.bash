#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Suite bench and its gate: two runs of one tree have the same counts, a planted cost is found.
# Counts only, and few samples. What the reference itself costs is not here: make bench.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-bench.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT
export NIT_BENCH_SAMPLES=1

# bench NAME ARG...: a short run, results in $OUT/NAME
bench() {
	local dir=$OUT/$1

	shift
	"$ROOT/run.sh" --bench --repeat 2 --test one_device_ats --results "$dir" "$@" >"$dir.output" 2>&1 ||
		{ tail -n 30 "$dir.output"; return 1; }
}

# compares STATUS PATTERN A B: what --compare says, and how it ends
compares() {
	local said status=0

	said=$("$ROOT/run.sh" --compare "$OUT/$3" "$OUT/$4" --baselines "$OUT/none" 2>&1) || status=$?
	printf '%s\n' "$said"
	((status == $1)) && grep -qE -- "$2" <<<"$said"
}

no_count_changed() {
	compares 0 "^[0-9]+ figures: " first second | tee "$OUT/same" &&
		! grep -E '^(RISE|FALL|GONE|NEW) ' "$OUT/same"
}

# finds FAULT PATTERN: planted, the gate closes, and the report says so
finds() {
	local said=$OUT/$1.output

	! bench "$1" --fault "$1" --baseline "$OUT/first" --baselines "$OUT/none" &&
		grep -E -- "$2" "$said" && jq -e '.counts.failed == 0' "$OUT/$1/results.json" &&
		grep -q '<h2 id="comparison">' "$OUT/$1/report.html" && grep -q '>RISE<' "$OUT/$1/report.html"
}

# DMA beside invalidations is plotted for each vendor: suites/bench and runner/plots.jq name the same figures.
every_vendor_is_plotted() {
	local vendor

	jq -r -L "$ROOT/runner" -f "$ROOT/runner/plots.jq" "$OUT/first/results.json" >"$OUT/points" || return
	for vendor in intel amd arm; do
		(($(grep -cE "^rate	bench\.$vendor	" "$OUT/points") == 4)) || { cat "$OUT/points"; return 1; }
	done
}

no_such_baseline() {
	! bench none --baseline nothing --baselines "$OUT/none" && grep "no baseline 'nothing'" "$OUT/none.output" &&
		[[ ! -e $OUT/none ]]
}

# Kernels in guests: VT-d that counts what reaches it, and an SMMUv3 behind a CPU whose instructions are counted.
# guest NAME ARG...: the first form of each there is in no time, twice over
guest() {
	local dir=$OUT/$1

	shift
	"$ROOT/run.sh" --bench --target guest --repeat 2 --results "$dir" "$@" >"$dir.output" 2>&1 ||
		{ tail -n 30 "$dir.output"; return 1; }
	jq -e '.counts.passed > 0' "$dir/results.json"
}

# has_figures NAME PATTERN: a figure of this name and unit was measured, and each boot says the same
has_figures() {
	jq -e --arg pattern "$2" '[.figures[] | select(.kind == "count")]
		| any(.[]; "\(.name) \(.unit)" | test($pattern)) and all(.[]; .blocks | unique | length == 1)' \
		"$OUT/$1/baseline.json" || { jq -c '.figures[]' "$OUT/$1/baseline.json"; return 1; }
}

# What was measured on one machine is not compared with another.
guests_are_not_the_reference() {
	compares 2 '^  (target|machines): ' first vtd
}

tap_check first-run bench first
tap_check second-run bench second
tap_check every-vendor-is-plotted every_vendor_is_plotted
tap_check no-count-changed no_count_changed
tap_check cost-of-vtd-is-found finds cost.vtd-syncs-twice '^RISE  bench\.intel\..*\.syncs '
tap_check cost-of-amdvi-is-found finds cost.amdvi-one-more-in-ten '^RISE  bench\.amd\..*\.commands '
tap_check no-such-baseline no_such_baseline
tap_check guest-vtd guest vtd --test one_device_ats.page
tap_check vtd-counts has_figures vtd 'page\.commands_of_20 commands'
tap_check guest-icount guest icount --arch arm64 --test one_device.page
tap_check icount-counts has_figures icount 'page\.call instructions'
tap_check guests-are-not-the-reference guests_are_not_the_reference
tap_end
