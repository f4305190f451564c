#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The default kernel on Arm: some of the suite on QEMU's own SMMUv3 and on the one that nit-hw serves
# (what only the latter has is skipped on the former); and teeth: a bug in the hardware is seen.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-guest.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

# A fault of harness/hw, and the test that must see it: the kernel is as it is
readonly FAULT=smmuv3.nh-asid-ignored
readonly FAULT_TEST=tlbi.nested.rid_ats.nh_asid_takes_every_address

arm() {
	"$ROOT/run.sh" --target guest --arch arm64 --suite arm "$@"
}

fault_is_seen() {
	local status=0

	NIT_FAULT=$FAULT arm --test "$FAULT_TEST" --results "$OUT/fault" || status=$?
	((status == 1)) || { echo "run.sh ended with $status"; return 1; }
}

# On both machines something has passed: neither was lost, nor skips all.
both_machines() {
	local machine

	for machine in arm64-smmuv3 arm64-served; do
		jq -e --arg machine "$machine" \
			'any(.tests[]; .machine == $machine and .outcome == "pass")' "$OUT/$1/results.json" ||
			{ echo "$machine: nothing passed"; return 1; }
	done
}

suite_as_tap stage1 --target guest --arch arm64 --suite arm --test "stage1.nested.*.remapped_page"
suite_as_tap stage2 --target guest --arch arm64 --suite arm --test "stage2.nested.rid*.unmap"
suite_as_tap atc --target guest --arch arm64 --suite arm --test "machines.rid_ats"
tap_check both-machines-stage1 both_machines stage1
tap_check both-machines-stage2 both_machines stage2
tap_check "$FAULT" fault_is_seen
tap_end
