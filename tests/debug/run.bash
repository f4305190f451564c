#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# By name only, as its kernel takes longer to build than the others together: the uAPI suite's races on the debug
# kernel (KASAN, lockdep); and that a leak, which nothing but kmemleak sees, is a failure.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-debug.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

suite_as_tap debug --suite uapi --arch x86_64 --debug --test 'races*'

leak_is_a_failure() {
	local patch=$ROOT/tests/mutants/iommufd/veventq-read-leaks.patch

	! "$ROOT/run.sh" --results "$OUT/leak" --suite uapi --test 'veventq.veventq.*' --arch x86_64 \
		--debug --patch "$patch" >"$OUT/leak.output" 2>&1 || { cat "$OUT/leak.output"; return 1; }
	jq -e '[.tests[] | select(.outcome == "fail" and (.reason | test("kmemleak")))] | length == 1' \
		"$OUT/leak/results.json" || { cat "$OUT/leak.output"; return 1; }
}
tap_check a-leak-is-a-failure leak_is_a_failure
tap_end
