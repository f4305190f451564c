#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The target `bare`: QEMU as a machine under qtest; of each suite a selection on QEMU's IOMMUs; and that
# the same tests see a hypervisor there which forgets an invalidation.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-bare.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

# forgets SUITE TEST FAULT: with FAULT in the hypervisor TEST fails on every machine, by the old page
forgets() {
	local dir=$OUT/$3 status=0

	"$ROOT/run.sh" --results "$dir" --target bare --suite "$1" --test "$2" --fault "$3" >"$dir.output" 2>&1 ||
		status=$?
	((status == 1)) && jq -e '.counts | .failed > 0 and .passed == 0' "$dir/results.json" ||
		{ tail -n 30 "$dir.output"; return 1; }
}

NIT_SUITES=$ROOT/tests suite_as_tap self --target bare --suite bare
suite_as_tap arm --target bare --suite arm --test 'nested.rid.unmap*'
suite_as_tap arm-paging --target bare --suite arm --test paging.host.plain
suite_as_tap arm-two --target bare --suite arm --test machines.rid
suite_as_tap intel --target bare --suite intel --test paging.host.plain
suite_as_tap intel-refusals --target bare --suite intel --test refusals
suite_as_tap amd --target bare --suite amd --test paging.paging.v1
tap_check arm-forgets forgets arm stage2.nested.rid.unmap hyp.smmuv3-s2-unmap-forgets-nested
tap_check intel-forgets forgets intel paging.host.plain.unmap hyp.vtd-unmap-no-flush
tap_check amd-forgets forgets amd paging.paging.v1.unmapped hyp.amdvi-unmap-no-flush
tap_end
