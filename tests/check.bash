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

# They run side by side: first what takes longest, lest it end last and alone. One more than there are
# CPUs, for guests and their runners also wait. By name only: debug, nested.
readonly ALL="uapi ref served guest host load runner unit faults stress bare bench lint results fuzz"
readonly SLOTS=$(($(nproc) + 1))

# check_tap STATUS FILE: prints "passed failed skipped" of one TAP stream
check_tap() {
	awk -v status="$1" '
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
	}' "$2"
}

# check_run NAME: leaves its TAP, status, and times in $OUT/NAME{,.status,.time}
check_run() {
	local status=0 TIMEFORMAT='%R %U %S'

	{ time "$ROOT/tests/$1/run.bash" >"$OUT/$1" 2>&3 || status=$?; } 3>&2 2>"$OUT/$1.time"
	echo "$status" >"$OUT/$1.status"
}

# check_report NAME: what failed, and how many; adds to PASSED, FAILED, SKIPPED
check_report() {
	local name=$1 counts times

	echo "== $name"
	grep -aE -A 12 '^not ok ' "$OUT/$name" | grep -vE '^ok |# TODO|^--$'
	read -ra counts < <(check_tap "$(cat "$OUT/$name.status" || echo killed)" "$OUT/$name")
	read -ra times <"$OUT/$name.time"
	printf '   %d passed, %d failed, %d skipped  (%.0f s; processor %.0f s + %.0f s)\n' \
		"${counts[@]}" "${times[@]}"
	((PASSED += counts[0], FAILED += counts[1], SKIPPED += counts[2]))
}

# Wait for one of the groups, whichever ends first
check_reap() {
	local pid

	wait -n -p pid "${!NAME_OF[@]}"
	unset "JOBS[$pid]"
	check_report "${NAME_OF[$pid]}"
	unset "NAME_OF[$pid]"
}

main() {
	local name names=("$@")

	(($#)) || read -ra names <<<"$ALL"
	host_need jq=jq gnuplot=gnuplot-nox shellcheck=shellcheck xmllint=libxml2-utils git=git perl=perl \
		TAP::Parser=perl YAML::PP=libyaml-pp-perl
	for name in "${names[@]}"; do
		[[ -x $ROOT/tests/$name/run.bash ]] || {
			echo "check.bash: error: no tests/$name/run.bash; there are: $ALL" >&2
			exit 2
		}
	done
	OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-check.XXXXXX") || exit 2
	for name in "${names[@]}"; do
		((${#NAME_OF[@]} < SLOTS)) || check_reap
		spawn check_run "$name"
		NAME_OF[$SPAWNED]=$name
	done
	while ((${#NAME_OF[@]})); do
		check_reap
	done
	echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	((FAILED == 0))
}

clean_up() {
	trap '' INT TERM HUP
	jobs_kill
	[[ -z $OUT ]] || rm -rf "$OUT"
}

declare -A NAME_OF=()	# of the running groups, by process id
PASSED=0 FAILED=0 SKIPPED=0 OUT=
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
main "$@"
