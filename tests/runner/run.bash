#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The runner's own tests: its options, its exit statuses, guests that misbehave, interrupts, full disks.
# Everything runs as a user would run it: through run.sh, on a real kernel in a real QEMU.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-runner.XXXXXX") || exit 2
trap 'umount "$OUT/small" 2>/dev/null; rm -rf "$OUT"' EXIT

PATIENCE=600	# seconds until a guest that says nothing has hung; calibrate finds what is enough

# run_nit [ARG]...: run.sh with the suites of this directory; output in $OUT/output, status in STATUS
run_nit() {
	STATUS=0
	NIT_SUITES=$ROOT/tests/runner/suites NIT_STALL=${STALL:-$PATIENCE} NIT_PORT_LIMIT=30000 \
		NIT_CONSOLE_LIMIT=200000 timeout 1800 "$ROOT/run.sh" "$@" >"$OUT/output" 2>&1 || STATUS=$?
}

# expect NAME STATUS TEXT: what the last run_nit should have ended with and said
expect() {
	local wrong=

	((STATUS == $2)) || wrong="exit status $STATUS, expected $2"
	grep -qF -- "$3" "$OUT/output" || wrong+=" no '$3' in its output"
	[[ -z $wrong ]]
	tap_result $? "$1" "$wrong: $(tail -n 20 "$OUT/output")"
}

# outcome NAME TEST OUTCOME [JQ]: what results.json says of a test of the misbehaving guest
outcome() {
	local seen

	seen=$(jq -r --arg name "$2" '.tests[] | select(.name == $name) | .outcome' "$OUT/results/results.json")
	if [[ $seen == "$3" && -n ${4-} ]]; then
		jq -e --arg name "$2" ".tests[] | select(.name == \$name) | $4" \
			"$OUT/results/results.json" >/dev/null || seen="$seen, but not $4"
	fi
	[[ $seen == "$3" ]]
	tap_result $? "$1" "$2: expected $3, observed ${seen:-nothing}: $(outcome_detail "$2")"
}

# outcome_detail TEST: why, and how long it took, for who reads a failure
outcome_detail() {
	jq -c --arg name "$1" ".tests[] | select(.name == \$name) | {reason, duration_s, splat}" \
		"$OUT/results/results.json" | head -c 1500
}

# How long a good guest takes bounds the wait for bad ones: more of it on a busy machine.
calibrate() {
	local started

	run_nit --arch x86_64 --suite misbehave --list
	started=$SECONDS
	run_nit --arch x86_64 --suite misbehave --test passes_first --results "$OUT/good"
	expect a-good-run-passes 0 "1 passed"
	PATIENCE=$((10 + 4 * (SECONDS - started)))
	# The harness ends a test after 120 s: it must not come before the runner.
	((PATIENCE <= 100)) || PATIENCE=100
}

test_options() {
	local option

	run_nit --help
	expect help-lists-options 0 "--clean-cache"
	run_nit --frobnicate
	expect unknown-option 2 "unknown option '--frobnicate'"
	run_nit --arch
	expect missing-value 2 "--arch needs a value"
	run_nit --arch mips
	expect unknown-arch 2 "expected one of: arm64 x86_64"
	run_nit --suite nosuch
	expect unknown-suite 2 "unknown 'nosuch'"
	run_nit --target moon
	expect unknown-target 2 "unknown 'moon'"
	run_nit --list=yes
	expect flag-with-value 2 "--list takes no value"
	for option in repeat=0 repeat=x jobs=0 timeout=-1 seed=0xg seed=99999999999999999999; do
		run_nit "--$option"
		expect "bad-number-${option/=/-}" 2 "--${option/=/ }: not a"
	done
	run_nit --suite misbehave --test 'no.such.*'
	expect test-glob-matches-nothing 2 "matches no test"
	run_nit --suite misbehave --list
	expect list 0 "misbehave.crash.global.passes_first"
}

test_kernel_paths() {
	run_nit --kernel "$OUT/nothing"
	expect kernel-does-not-exist 2 "no such file or directory"
	run_nit --kernel "$OUT"
	expect kernel-is-no-tree 2 "not a kernel source tree"
	head -c 5000000 /dev/urandom >"$OUT/noise"
	run_nit --kernel "$OUT/noise"
	expect kernel-is-noise 2 "neither an x86 bzImage nor an arm64 Image"
	mkdir -p "$OUT/old/drivers/iommu" && touch "$OUT/old/Kconfig" "$OUT/old/Makefile"
	run_nit --kernel "$OUT/old"
	expect kernel-without-iommufd 2 "has no iommufd test driver"
	image=$(find "${XDG_CACHE_HOME:-$HOME/.cache}/nit/build" \
		-path "*/x86_64-[0-9a-f]*/arch/x86/boot/bzImage" \
		! -path "*/x86_64-debug-*" ! -path "*/x86_64-coverage-*" -printf "%T@ %p\n" |
		sort -n | tail -n 1 | cut -d " " -f 2-)
	run_nit --kernel "$image" --arch arm64
	expect kernel-for-another-arch 2 "an image for x86_64"
	head -c 1000000 "$image" >"$OUT/truncated"
	run_nit --kernel "$OUT/truncated" --arch x86_64
	expect kernel-truncated 2 "truncated"
	cp "$image" "$OUT/corrupt"
	dd if=/dev/urandom of="$OUT/corrupt" bs=64K seek=4 count=20 conv=notrunc status=none
	run_nit --kernel "$OUT/corrupt" --arch x86_64 --suite misbehave --test passes_first \
		--results "$OUT/corrupt.results"
	expect kernel-corrupt 2 "the guest did not boot"
	run_nit --kernel "$image" --arch x86_64 --suite misbehave --test passes_first \
		--results "$OUT/image.results"
	expect kernel-image-as-it-is 0 "1 passed"
}

test_guests() {
	run_nit --arch x86_64 --suite misbehave --results "$OUT/results" --jobs 2
	expect a-bad-run-fails 1 "replay: ./run.sh"
	outcome passes misbehave.crash.global.passes_first pass
	outcome fails-with-evidence misbehave.crash.global.fails fail \
		'.failures[0] | .rule == "UAPI-01" and (.observed | test("-EINVAL"))'
	outcome skips misbehave.crash.global.skips skip '.reason == "needs nothing that there is"'
	outcome warning-fails-its-test misbehave.crash.global.warns fail \
		'.splat | tostring | test("WARNING")'
	outcome goes-on-after-warning misbehave.crash.global.passes_after_warning pass
	outcome panic-spares-the-test-before misbehave.crash.global.talks_before_the_panic pass
	outcome panic-fails-its-test misbehave.crash.global.panics fail \
		'(.reason + (.splat | tostring)) | test("panic")'
	outcome oops-fails-its-test misbehave.crash.global.oopses fail
	outcome hung-task-fails-its-test misbehave.crash.global.hangs_a_task fail \
		'.console | tostring | test("INFO: task")'
	outcome silent-hang-fails-its-test misbehave.crash.global.hangs_silently fail '.reason | test("hang")'
	outcome power-off-fails-its-test misbehave.crash.global.powers_off fail
	outcome console-flood-is-survived misbehave.crash.global.floods_console pass
	outcome port-flood-fails-its-test misbehave.crash.global.floods_port fail
	outcome out-of-memory-fails-its-test misbehave.crash.global.eats_memory fail
	outcome last-test-still-runs misbehave.crash.global.passes_last pass
	outcome exit-keeps-first misbehave.exits.global.passes pass
	outcome exit-fails-its-test misbehave.exits.global.kills_its_program fail
	outcome exit-fails-the-rest misbehave.exits.global.is_never_run fail
	find "$OUT/results/console" -size +210k | grep -q .
	tap_result $((! $?)) console-is-bounded "a console log is longer than its limit"
}

test_statuses() {
	run_nit --arch x86_64 --suite misbehave --test 'skips.global.skips' --results "$OUT/skipped"
	expect all-skipped-is-4 4 "1 skipped"
	run_nit --arch x86_64 --suite misbehave --test passes_first --results "$OUT/repeat" --repeat 3
	expect repeat-prints-flake-rate 0 "flake"
	run_nit --arch x86_64 --suite misbehave --test passes_first --results "$OUT/repeat"
	expect results-are-never-mixed 2 "not empty"
	STALL=$((2 * PATIENCE)) run_nit --arch x86_64 --suite misbehave --test hangs_silently \
		--timeout "$PATIENCE" --results "$OUT/slow"
	expect timeout-bounds-a-guest 1 "timeout"
}

# Nothing of an interrupted run may stay: its processes carry a mark in their environment.
test_interrupts() {
	local signal seconds pid mark left

	for signal in INT TERM HUP; do
		for seconds in 0.3 2 6; do
			mark=nit-mark-$signal-$seconds-$$
			mkdir -p "$OUT/tmp-$mark"
			set -m
			TMPDIR=$OUT/tmp-$mark NIT_MARK=$mark NIT_SUITES=$ROOT/tests/runner/suites \
				"$ROOT/run.sh" --arch x86_64 --suite misbehave --test hangs_silently \
				--results "$OUT/$mark" >/dev/null 2>&1 </dev/null &
			set +m
			pid=$!
			sleep "$seconds"	# the moment of the interrupt, not a synchronisation
			kill "-$signal" "$pid"
			wait "$pid" 2>/dev/null
			left=$(grep -alsz "NIT_MARK=$mark" /proc/[0-9]*/environ; ls "$OUT/tmp-$mark")
			[[ -z $left ]]
			tap_result $? "interrupt-$signal-after-$seconds" "left behind: $left"
		done
	done
}

test_full_disk() {
	mkdir -p "$OUT/small"
	if ! mount -t tmpfs -o size=600k nit-small "$OUT/small" 2>/dev/null; then
		tap_skip full-disk-results "needs root, to mount a small tmpfs"
		tap_skip full-disk-temporary "needs root, to mount a small tmpfs"
		return
	fi
	TMPDIR=$OUT/small run_nit --arch x86_64 --suite misbehave --test passes_first --results "$OUT/full"
	expect full-disk-temporary 2 "is there space?"
	head -c 595000 /dev/zero >"$OUT/small/filler"
	run_nit --arch x86_64 --suite misbehave --test passes_first --results "$OUT/small/results"
	expect full-disk-results 2 "is there space?"
	umount "$OUT/small"
}

# The kernel's own way to run it. Only "skips" is run: this is not a guest.
test_install() {
	run_nit --install-kselftest "$OUT/kselftest" --arch x86_64 --suite misbehave
	expect install-kselftest 0 "installed nit_misbehave for x86_64"
	grep -qx nit_misbehave:skips "$OUT/kselftest/kselftest-list.txt"
	tap_result $? install-lists-programs "$(cat "$OUT/kselftest/kselftest-list.txt")"
	"$OUT/kselftest/run_kselftest.sh" -t nit_misbehave:skips >"$OUT/output" 2>&1
	grep -qE '^ok 1 selftests: nit_misbehave: skips' "$OUT/output" &&
		grep -q '# SKIP needs nothing' "$OUT/output"
	tap_result $? install-runs "$(tail -n 20 "$OUT/output")"
}

# Set-up from nothing, without network and without packages: one clear error, what to do, no traces.
test_setup() {
	test_offline
	test_missing_package
	test_clean_cache
	test_two_runs
	test_half_made
	test_tables
}

test_offline() {
	XDG_CACHE_HOME=$OUT/empty NIT_MIRROR=http://127.0.0.1:9/debian run_nit --suite misbehave
	expect offline-names-the-remedy 2 "pass a source tree: ./run.sh --kernel DIR"
	[[ $(grep -c '^run.sh: error:' "$OUT/output") == 1 ]]
	tap_result $? offline-is-one-error "$(cat "$OUT/output")"
	XDG_CACHE_HOME=/proc/nowhere run_nit --suite misbehave
	expect cache-cannot-be-written 2 "set XDG_CACHE_HOME"
}

# A PATH with all that this machine has, but for jq and the means to get it
test_missing_package() {
	local dir tool

	mkdir "$OUT/bin"
	for dir in ${PATH//:/ }; do
		for tool in "$dir"/*; do
			[[ -e $OUT/bin/${tool##*/} ]] || ln -s "$tool" "$OUT/bin/" 2>/dev/null
		done
	done
	rm -f "$OUT/bin/jq" "$OUT/bin/apt-get"
	PATH=$OUT/bin run_nit --suite misbehave
	expect missing-package-is-named 2 "apt-get install jq"
}

test_clean_cache() {
	local cache=$OUT/cleaned/nit lock

	mkdir -p "$cache/locks"
	exec {lock}>>"$cache/locks/in-use"
	flock -s "$lock"
	XDG_CACHE_HOME=$OUT/cleaned run_nit --clean-cache
	expect clean-cache-waits-for-no-run 2 "another run is using"
	exec {lock}>&-
	XDG_CACHE_HOME=$OUT/cleaned run_nit --clean-cache
	expect clean-cache 0 "removed $cache"
	[[ ! -e $cache ]]
	tap_result $? clean-cache-removes-all "$(find "$cache" 2>&1)"
}

test_two_runs() {
	local pids=() number

	for number in 1 2; do
		NIT_SUITES=$ROOT/tests/runner/suites "$ROOT/run.sh" --arch x86_64 --suite misbehave \
			--test passes_first --results "$OUT/twice.$number" >"$OUT/twice.$number.output" 2>&1 &
		pids+=($!)
	done
	for number in 1 2; do
		wait "${pids[number - 1]}"
		tap_result $? "two-runs-at-once-$number" "$(tail -n 20 "$OUT/twice.$number.output")"
	done
}

# makes COMMAND...: a cache entry "thing" in $OUT/made, as any run would make it
makes() (
	export XDG_CACHE_HOME=$OUT/made
	# Whoever started us in the background had us ignore them.
	# shellcheck disable=SC2016 # words of the inner shell
	env --default-signal=INT,HUP bash -c '
		for part in say cache; do source "$0/runner/$part.bash"; done
		trap "jobs_kill; cache_abandon" EXIT
		trap "exit 130" INT
		cache_open
		cache_provide thing "a thing" "" "$@"' "$ROOT" "$@"
)

make_slowly() {
	echo >>"$MADE"
	sleep 0.3
	touch "$1/content"
}

make_without_end() {
	touch "$1/content"
	sleep 60
}
export -f make_slowly make_without_end

# Whoever comes second waits, and finds what the first made; who is interrupted leaves nothing.
test_half_made() {
	local pids=() pid tries

	export MADE=$OUT/made.count
	for _ in 1 2 3; do
		makes make_slowly >/dev/null 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || echo "$pid failed" >>"$MADE"
	done
	[[ $(wc -l <"$MADE") == 1 && -e $OUT/made/nit/thing/content ]]
	tap_result $? entry-is-made-once "$(cat "$MADE"; find "$OUT/made")"

	rm -rf "$OUT/made"
	set -m
	makes make_without_end >/dev/null 2>&1 &
	set +m
	pid=$!
	for ((tries = 0; tries < 400; tries++)); do
		[[ ! -e $OUT/made/nit/thing.part/content ]] || break
		sleep 0.05
	done
	kill -INT -- "-$pid"
	wait "$pid"
	[[ ! -e $OUT/made/nit/thing && ! -e $OUT/made/nit/thing.part ]]
	tap_result $? interrupted-entry-is-abandoned "$(find "$OUT/made")"
	! makes false >"$OUT/output" 2>&1 && grep -q "the whole log" "$OUT/output" &&
		[[ ! -e $OUT/made/nit/thing ]]
	tap_result $? failed-entry-names-its-log "$(cat "$OUT/output")"
}

# The tables of guests/, with a mistake in one
test_tables() {
	local tree=$OUT/tree machine line

	mkdir "$tree"
	cp -r "$ROOT"/{run.sh,runner,guests,suites} "$tree/"
	machine=$tree/guests/machines/x86_64-mock.machine
	sed -i 's/^memory/memroy/' "$machine"
	line=$(grep -n '^memroy' "$machine" | cut -d : -f 1)
	STATUS=0
	"$tree/run.sh" --list >"$OUT/output" 2>&1 || STATUS=$?
	expect table-unknown-key 2 "$machine:$line: unknown key 'memroy'"
	sed -i 's/^memroy = /memory /' "$machine"
	STATUS=0
	"$tree/run.sh" --list >"$OUT/output" 2>&1 || STATUS=$?
	expect table-bad-line 2 "is not a line of 'key = value'"
}

# complete WORD...: what completion offers for the last word
complete_words() (
	# shellcheck source=runner/completion.bash
	source "$ROOT/runner/completion.bash"
	COMP_WORDS=("$ROOT/run.sh" "$@") COMP_CWORD=$#
	_nit
	echo "${COMPREPLY[*]}"
)

test_completion() {
	tap_check completes-options grep -qw -- --clean-cache <(complete_words --cl)
	tap_check completes-arches grep -qx "arm64 x86_64" <(complete_words --arch "")
	tap_check completes-suites grep -qw uapi <(complete_words --suite u)
}

parts=(options setup kernel_paths guests statuses install completion interrupts full_disk)
(($# == 0)) || parts=("$@")
calibrate
for part in "${parts[@]}"; do
	"test_$part"
done
tap_end
