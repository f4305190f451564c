#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The uAPI suite on the default kernel of both architectures, and its races on the debug kernel.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-uapi.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

# suite_as_tap NAME ARG...: one run of run.sh; its tests become lines of ours
suite_as_tap() {
	local dir=$OUT/$1 status=0 line

	shift
	"$ROOT/run.sh" --results "$dir" "$@" >"$dir.output" 2>&1 || status=$?
	if [[ ! -s $dir/results.json ]] || ((status == 2)); then
		tap_result 1 "run.sh $*" "$(tail -n 30 "$dir.output")"
		return
	fi
	while IFS= read -r line; do
		((++TAP_COUNT))
		[[ $line != "not ok"* || $line == *"# TODO"* ]] || ((++TAP_FAILED))
		printf '%s\n' "${line/\%/$TAP_COUNT}"
	done < <(jq -r '.tests[] | (.machine + "." + .name) as $name |
		if .outcome == "pass" then "ok % \($name)"
		elif .outcome == "skip" then "ok % \($name) # SKIP \(.reason)"
		elif .outcome == "known" then "not ok % \($name) # TODO \(.reason)"
		else "not ok % \($name)" end' "$dir/results.json")
	((status == 0)) || sed 's/^/# /' "$dir.output"
}

suite_as_tap both --suite uapi --arch x86_64,arm64
suite_as_tap debug --suite uapi --arch x86_64 --debug --test 'races'
tap_end
