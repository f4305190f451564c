#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A kernel goes in, a verdict comes out. `./run.sh --help` says how; README.md says more.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=runner/say.bash
source "$ROOT/runner/say.bash"
# shellcheck source=runner/cache.bash
source "$ROOT/runner/cache.bash"
# shellcheck source=runner/host.bash
source "$ROOT/runner/host.bash"
# shellcheck source=runner/table.bash
source "$ROOT/runner/table.bash"
# shellcheck source=runner/debian.bash
source "$ROOT/runner/debian.bash"
# shellcheck source=runner/qemu.bash
source "$ROOT/runner/qemu.bash"
# shellcheck source=runner/kernel.bash
source "$ROOT/runner/kernel.bash"
# shellcheck source=runner/load.bash
source "$ROOT/runner/load.bash"
# shellcheck source=runner/programs.bash
source "$ROOT/runner/programs.bash"
# shellcheck source=runner/hardware.bash
source "$ROOT/runner/hardware.bash"
# shellcheck source=runner/firmware.bash
source "$ROOT/runner/firmware.bash"
# shellcheck source=runner/guest.bash
source "$ROOT/runner/guest.bash"
# shellcheck source=runner/ref.bash
source "$ROOT/runner/ref.bash"
# shellcheck source=runner/bare.bash
source "$ROOT/runner/bare.bash"
# shellcheck source=runner/device.bash
source "$ROOT/runner/device.bash"
# shellcheck source=runner/plan.bash
source "$ROOT/runner/plan.bash"
# shellcheck source=runner/options.bash
source "$ROOT/runner/options.bash"
# shellcheck source=runner/results.bash
source "$ROOT/runner/results.bash"
# shellcheck source=runner/plots.bash
source "$ROOT/runner/plots.bash"
# shellcheck source=runner/report.bash
source "$ROOT/runner/report.bash"
# shellcheck source=runner/coverage.bash
source "$ROOT/runner/coverage.bash"
# shellcheck source=runner/faults.bash
source "$ROOT/runner/faults.bash"
# shellcheck source=runner/fleet.bash
source "$ROOT/runner/fleet.bash"
# shellcheck source=runner/mutants.bash
source "$ROOT/runner/mutants.bash"
# shellcheck source=runner/bench.bash
source "$ROOT/runner/bench.bash"
# shellcheck source=runner/verdict.bash
source "$ROOT/runner/verdict.bash"

main() {
	tables_read
	options_read "$@"
	[[ -n $OPT_PROGRAMS ]] || cache_open	# else nothing is fetched, and nothing is built
	[[ -z $OPT_CLEAN_CACHE ]] || { cache_clean; exit 0; }
	[[ -n $OPT_PROGRAMS ]] || cache_use
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/nit.XXXXXX") ||
		die "cannot make a temporary directory in ${TMPDIR:-/tmp}" "TMPDIR chooses another place"
	[[ $OPT_ACTION =~ ^(merge|agree|durations|compare)$ ]] || set_up
	case $OPT_ACTION in
	setup) ;;
	list) plan_list ;;
	rules) verdict_rules ;;
	install-kselftest) programs_install "$OPT_DESTDIR" ;;
	build-programs) programs_export "$OPT_DESTDIR" ;;
	run) run_tests ;;
	patched) mutant_patched "$@" ;;
	faults) faults_run ;;
	mutants) mutants_run ;;
	compare) bench_compare "${OPT_COMPARE[@]}" ;;
	merge) fleet_merge "${OPT_MERGE[@]}" ;;
	agree) fleet_agree "${OPT_MERGE[@]}" ;;
	durations) fleet_durations "${OPT_MERGE[-1]}" ;;
	esac
}

set_up() {
	[[ $OPT_TARGET != host || $OPT_ACTION != run ]] || device_check "${OPT_DEVICES[@]}"
	host_need jq=jq
	if [[ -n $OPT_PROGRAMS ]]; then
		programs_take "$OPT_PROGRAMS"
	else
		set_up_cached
	fi
	[[ $OPT_TARGET != host || $OPT_ACTION != run ]] || device_setup "${OPT_DEVICES[@]}"
	[[ -z $OPT_PROGRAMS ]] || programs_have "$OPT_PROGRAMS" "${OPT_SUITES[@]}"
}

set_up_cached() {
	local arch

	host_need setpriv=util-linux cpio=cpio flock=util-linux
	kernel_find "$OPT_KERNEL" "${OPT_ARCHES[@]}"
	[[ $OPT_ACTION != patched ]] || return 0	# the rest happens where it is applied
	for arch in "${OPT_ARCHES[@]}"; do
		programs_build "$arch" "${OPT_SUITES[@]}"
	done
	[[ -n ${PROGRAMS[$HOST_ARCH]-} ]] || programs_build "$HOST_ARCH" "${OPT_SUITES[@]}"
	[[ $OPT_TARGET != bare ]] || bare_setup
	[[ $OPT_ACTION == run || $OPT_ACTION == setup ]] && [[ $OPT_TARGET == guest ]] || return 0
	kernel_images "${OPT_ARCHES[@]}"
	qemu_setup "${OPT_ARCHES[@]}"
	hardware_setup "${OPT_ARCHES[@]}"
	for arch in "${OPT_ARCHES[@]}"; do
		ACCEL[$arch]=$(qemu_accel "$arch")
	done
}

run_tests() {
	[[ -z $OPT_BASELINE ]] || bench_find "$OPT_BASELINE" >/dev/null || exit
	plan_make "$WORK/plan.tsv"
	verdict_open
	cp "$WORK/plan.tsv" "$RUN_DIR/plan.tsv" || die "cannot write $RUN_DIR" "is there space?"
	plan_run "$RUN_DIR"
	verdict_write
	[[ -z $OPT_BENCH ]] || bench_save
	[[ -z $OPT_BASELINE ]] || bench_against
	verdict_status
}

# Whatever ends us: no process, no temporary directory, no half-made cache entry stays behind.
clean_up() {
	trap '' INT TERM HUP
	jobs_kill
	cache_abandon
	[[ -z ${WORK-} ]] || rm -rf "$WORK"
}

declare -A ACCEL=()
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
main "$@"
