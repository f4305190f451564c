# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# --faults: every bug that can be planted in the reference, planted in turn. Each must fail a test,
# each test must be failed by one, and with none planted nothing may fail. Tests of suites/uapi are the
# kernel's: they see bugs of the reference hypervisor's objects, but need none.
#
# 1. Every test runs with nothing planted.
# 2. What is known is tried: witness.tsv names for each fault tests that see it, and for each test a
#    fault that it sees.
# 3. What this leaves open, a fault unseen or a test that sees none, is searched for. All tests run once
#    more and say which places of faults they come to: only these can make them fail. Then a few of the
#    tests that come to the fault are tried, or faults that the test comes to; at last all of them.
#    A new witness.tsv is written beside the results.

readonly FAULT_WITNESS=tests/ref/witness.tsv

# A fault may make a test or its software wait out a bound. Processor time is what a busy machine
# does not change, so that is bounded first.
readonly FAULT_CPU_SECONDS=5	# of one test
readonly FAULT_TEST_SECONDS=60	# of one test
readonly FAULT_SECONDS=300	# of one program
readonly FAULT_PROGRAMS=5	# random programs: each fault has a test of its own, too

# faults_one FAULT SUITE PROGRAM [TEST...]: what a program says, or some of its tests
faults_one() {
	local fault=$1 suite=$2 program=$3 test names=()

	shift 3
	for test; do
		names+=(-r "$test")
	done
	printf '\n#@ %s %s.%s.\n' "${fault:--}" "$suite" "$program"
	(
		ulimit -c 0
		[[ -z $fault ]] || ulimit -t "$FAULT_CPU_SECONDS"
		NIT_IOMMUFD=reference NIT_SEED=$OPT_SEED NIT_FAULT=$fault NIT_TEST_TIMEOUT=$FAULT_TEST_SECONDS \
			NIT_PROGRAM_SHRINK=0 NIT_PROGRAMS=$FAULT_PROGRAMS \
			exec timeout -k 1 "$FAULT_SECONDS" "${PROGRAMS[$HOST_ARCH]}/$suite/$program" "${names[@]}"
	) </dev/null 2>&1
}

# faults_worker WORK JOB: every OPT_JOBS-th line "fault|suite|program|TEST TEST..." of WORK
faults_worker() {
	local work=$1 job=$2 number=0 fault suite program tests names

	while IFS='|' read -r fault suite program tests; do
		((number++ % OPT_JOBS == job)) || continue
		read -ra names <<<"$tests"
		faults_one "$fault" "$suite" "$program" "${names[@]}"
	done <"$work" | awk -f "$ROOT/runner/faults-output.awk" >"$work.$job"
}

# faults_work WHAT <WORK: runs it; what came of it is added to $WORK/matrix
faults_work() {
	local work=$WORK/work.$1 job pid

	cat >"$work"
	for ((job = 0; job < OPT_JOBS; job++)); do
		spawn faults_worker "$work" "$job"
	done
	for pid in "${!JOBS[@]}"; do
		reap "$pid"
	done
	cat "$work".[0-9]* >>"$WORK/matrix"
}

# What there is: $WORK/faults ("fault, the bug"), tests, and none: work that plants nothing. Only programs
# with tests that are planned: a stress test runs for a time, and sees what it sees by chance.
faults_find() {
	local suite program

	for suite in "${OPT_SUITES[@]}"; do
		ref_runs "$suite" || die "--faults: suite $suite does not run on --target ref"
	done
	plan_tests >"$WORK/planned"
	tr '\t' . <"$WORK/planned" >"$WORK/tests"
	cut -f 1,2 "$WORK/planned" | LC_ALL=C sort -u | while IFS=$'\t' read -r suite program; do
		printf '|%s|%s|\n' "$suite" "$program" >>"$WORK/none"
		"${PROGRAMS[$HOST_ARCH]}/$suite/$program" --list-faults
	done | grep -v '^cost\.' | LC_ALL=C sort -u >"$WORK/faults"	# those cost only time: for --bench
	: >"$WORK/matrix"
}

faults_run() {
	[[ $OPT_TEST == '*' ]] || die "--faults runs every test: drop --test"
	verdict_open
	faults_find
	faults_work none <"$WORK/none"
	faults_work witness < <(faults_awk witness)
	faults_awk open >"$WORK/open"
	[[ ! -s $WORK/open ]] || faults_search
	faults_report
}

faults_search() {
	local most

	NIT_FAULT_REACH=1 faults_work reach <"$WORK/none"
	for most in 4 16 64 1000000; do
		faults_awk search "$most" >"$WORK/search"
		[[ -s $WORK/search ]] || break
		faults_say
		faults_work search <"$WORK/search"
	done
}

# What is not known: faults without a test that sees them, tests without a fault
faults_say() {
	local names

	mapfile -t names < <(faults_awk open)
	say "==> $FAULT_WITNESS does not say who sees, or what is seen by; searching:"
	printf '    %s\n' "${names[@]:0:20}" >&2
	((${#names[@]} <= 20)) || say "    and $((${#names[@]} - 20)) more"
}

# faults_awk WHAT [MOST]: see faults.awk
faults_awk() {
	local witness=$ROOT/$FAULT_WITNESS

	[[ -e $witness ]] || witness=/dev/null
	awk -F '\t' -v OFS='\t' -v want="$1" -v most="${2-}" -f "$ROOT/runner/faults.awk" \
		what=faults "$WORK/faults" what=tests "$WORK/tests" \
		what=matrix "$WORK/matrix" what=witness "$witness"
}

# Writes faults.tsv ("fault, the bug, tests that saw it") and witness.tsv; says what is lacking
faults_report() {
	local status=0

	faults_awk report >"$WORK/report" || status=1
	printf 'fault\tthe bug\tseen by\n' >"$RUN_DIR/faults.tsv"
	sed -n 's/^fault\t//p' "$WORK/report" >>"$RUN_DIR/faults.tsv"
	faults_awk cover | LC_ALL=C sort >"$RUN_DIR/witness.tsv"
	grep -v '^fault'$'\t' "$WORK/report"
	echo "$RUN_DIR/faults.tsv: every fault and tests that saw it; $((SECONDS - RUN_STARTED)) s"
	cmp -s "$RUN_DIR/witness.tsv" "$ROOT/$FAULT_WITNESS" ||
		echo "$FAULT_WITNESS is out of date; to refresh it: cp $RUN_DIR/witness.tsv $FAULT_WITNESS"
	exit "$status"
}
