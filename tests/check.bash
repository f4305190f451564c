#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The project's own tests: tests/check.bash [NAME]...; each tests/NAME/run.bash prints TAP.
# Ends with "N passed, N failed, N skipped", and status 0 if and only if nothing failed.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=runner/say.bash
source "$ROOT/runner/say.bash"
# shellcheck source=runner/cache.bash
source "$ROOT/runner/cache.bash"
# shellcheck source=runner/table.bash
source "$ROOT/runner/table.bash"
# shellcheck source=runner/host.bash
source "$ROOT/runner/host.bash"
readonly ALL="lint results unit ref fuzz runner uapi"	# cheap ones first

# check_tap NAME STATUS FILE: prints "passed failed skipped" of one TAP stream
check_tap() {
	awk -v status="$2" '
	/^1\.\.[0-9]+/ { plan = substr($1, 4); planned = 1 }
	/^not ok .*# TODO/ { skipped++; seen++; next }
	/^not ok / { failed++; seen++; next }
	/^ok .*# (SKIP|TODO)/ { skipped++; seen++; next }
	/^ok / { passed++; seen++ }
	/^Bail out!/ { failed++ }
	END {
		# A test script that stops short has failed, however it looks.
		if (!planned || plan != seen + 0 || (status && !failed))
			failed++
		print passed + 0, failed + 0, skipped + 0
	}' "$3"
}

main() {
	local name names=("$@") passed=0 failed=0 skipped=0 counts started status out

	(($#)) || read -ra names <<<"$ALL"
	host_need jq=jq shellcheck=shellcheck xmllint=libxml2-utils git=git perl=perl TAP::Parser=perl
	out=$(mktemp -d "${TMPDIR:-/tmp}/nit-check.XXXXXX") || exit 2
	# shellcheck disable=SC2064 # now
	trap "rm -rf '$out'" EXIT
	for name in "${names[@]}"; do
		[[ -x $ROOT/tests/$name/run.bash ]] || {
			echo "check.bash: error: no tests/$name/run.bash; there are: $ALL" >&2
			exit 2
		}
	done
	for name in "${names[@]}"; do
		started=$SECONDS status=0
		echo "== $name"
		"$ROOT/tests/$name/run.bash" >"$out/$name" || status=$?
		grep -aE -A 12 '^not ok ' "$out/$name" | grep -vE '^ok |# TODO'
		read -ra counts < <(check_tap "$name" "$status" "$out/$name")
		printf '   %d passed, %d failed, %d skipped  (%d s)\n' "${counts[@]}" $((SECONDS - started))
		((passed += counts[0], failed += counts[1], skipped += counts[2]))
	done
	echo "$passed passed, $failed failed, $skipped skipped"
	((failed == 0))
}

main "$@"
