#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The running kernel on hardware that nit-hw serves: a few tests of each vendor, and teeth: with a
# fault planted in the hardware, the same tests under the same kernel fail.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-served.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

# A fault of harness/hw, and the test that must see it
readonly FAULTS=(
	"vtd.iotlb-page-leaves-nested second_stage.nested.rid.unmap"
	"vtd.piotlb-ignores-pasid first_stage.nested.pasid.remapped_page"
)

# fault_is_seen FAULT TEST: fails with the fault, which is in the hardware only: the kernel is as it is
fault_is_seen() {
	local status=0

	NIT_FAULT=$1 "$ROOT/run.sh" --target guest --arch x86_64 --suite intel --test "$2" \
		--results "$OUT/$1" || status=$?
	((status == 1)) || { echo "run.sh ended with $status"; return 1; }
}

suite_as_tap intel --target guest --arch x86_64 --suite intel --test "*_stage.nested.rid*.remapped_page"
suite_as_tap intel-s2 --target guest --arch x86_64 --suite intel --test "second_stage.nested.rid*.unmap"
suite_as_tap amd --target guest --arch x86_64 --suite amd --test parent
for line in "${FAULTS[@]}"; do
	read -r fault test <<<"$line"
	tap_check "$fault" fault_is_seen "$fault" "$test"
done
tap_end
