#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Stress in short: it passes, plain and under sanitizers; with a planted bug it fails, and says what
# every actor did last; its options.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-stress.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

# stress_fault VENDOR VARIANT FAULT: a short run with that bug fails, and its trail ends in a wrong DMA
stress_fault() {
	local dir=$OUT/$3

	"$ROOT/run.sh" --stress --duration 3 --suite "$1" --test "stress.$2.*" --fault "$3" --results "$dir" \
		>"$dir.output" 2>&1
	(($? == 1)) && jq -e '.tests[0] | .outcome == "fail" and
		(.notes[0] | test("WRONG; the tables say")) and
		any(.notes[]; test("^clock [0-9]+-[0-9]+ mutator: ")) and
		any(.notes[]; test("^clock [0-9]+-[0-9]+ engine 0: ")) and
		any(.notes[]; test("^clock [0-9]+-[0-9]+ engine [01]: .*: WRONG$")) and
		(.replay | test("--stress --duration 3") and test("--fault") and test("--seed"))' \
		"$dir/results.json" >/dev/null
	tap_result $? "$1-$2-$3" "$(tail -n 30 "$dir.output")"
}

# stress_request_fault VENDOR VARIANT FAULT TEXT: with that bug a page request goes wrong; TEXT says how
stress_request_fault() {
	local dir=$OUT/$1-$3

	"$ROOT/run.sh" --stress --duration 3 --suite "$1" --test "stress.$2.*" --fault "$3" --results "$dir" \
		>"$dir.output" 2>&1
	(($? == 1)) && jq -e --arg text "$4" '.tests[0] | .outcome == "fail" and (.notes[0] | test($text)) and
		any(.notes[]; test("^clock [0-9]+-[0-9]+ mutator: ")) and
		any(.notes[]; test("^clock [0-9]+-[0-9]+ engine [0-3]: "))' \
		"$dir/results.json" >/dev/null
	tap_result $? "$1-$2-$3" "$(tail -n 30 "$dir.output")"
}

# stress_refused NAME TEXT ARG...: run.sh ends with 2 and says why
stress_refused() {
	local name=$1 text=$2 output status=0

	shift 2
	output=$("$ROOT/run.sh" "$@" 2>&1) || status=$?
	((status == 2)) && grep -qF -- "$text" <<<"$output"
	tap_result $? "$name" "exit status $status: $output"
}

# What a run without a bug shows of itself
stress_figures() {
	jq -e '[.tests[] | select(.outcome == "pass") | .figures | map({ (.name): .samples[0] }) | add |
		.dmas_per_cpu_s > 0 and .violations == 0 and .windows_without_stale == 0] |
		length > 0 and all' "$OUT/stress/results.json"
}

suite_as_tap stress --stress --duration 1
tap_check figures stress_figures
suite_as_tap stress-guest --stress --target guest --suite intel --duration 3 --test 'stress.stage2_ats.*'
suite_as_tap stress-asan --stress --duration 1 --sanitize address,undefined --test 'stress.pasids_ats_free.*'
suite_as_tap stress-tsan --stress --duration 1 --sanitize thread --test 'stress.pasids_ats.*'
suite_as_tap stress-pri-tsan --stress --duration 1 --sanitize thread --test 'stress.rid_pri.*'
stress_fault intel pasids vtd.piotlb-ignores-pasid
stress_fault intel pasids_ats endpoint.atc-ignores-pasid
stress_fault amd pasids_ats endpoint.drains-first-engine-only
stress_fault arm rid smmuv3.sync-not-draining
stress_fault arm rid smmuv3.nh-all-other-vmid
stress_fault amd rid amdvi.wait-before-drain
stress_fault amd stage2_ats hyp.amdvi-unmap-forgets-atc
stress_fault amd stage2 hyp.amdvi-blocked-keeps-domain
stress_request_fault intel rid_pri hyp.vtd-prq-lost-while-waiting "LOST: no answer came"
stress_request_fault intel rid_pri hyp.detach-ends-faults-of-all "refused, which nobody had reason to"
stress_request_fault intel pasids_pri_free vmm.vtd-response-ignores-source "served, which the guest did not say"
stress_request_fault amd rid_pri amdvi.ppr-last "LOST: no answer came"
stress_request_fault arm rid_pri hyp.smmuv3-response-as-pcie-has-it "refused, which nobody had reason to"
stress_refused duration-without-stress "--duration goes with --stress" --duration 5
stress_refused duration-not-a-number "not a number from 1 to" --stress --duration 1h
stress_refused stress-with-faults "--stress runs, or lists" --stress --faults
stress_refused stress-of-no-vendor "matches no test" --stress --suite uapi
tap_end
