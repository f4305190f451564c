# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# --faults: every bug that can be planted in the reference, planted in turn. Each must fail a test,
# each test must be failed by one, and with none planted nothing may fail.

# faults_one FAULT SUITE PROGRAM FILE: one run, as lines "fault<TAB>suite.program.test<TAB>ok|not ok|skip"
# added to FILE. A program that dies fails the test that was running.
faults_one() {
	local fault=$1 suite=$2 program=$3 output=$4

	NIT_SEED=$OPT_SEED NIT_FAULT=$fault NIT_TEST_TIMEOUT=$FAULT_TEST_SECONDS NIT_PROGRAM_SHRINK=0 \
		timeout -k 1 "$FAULT_SECONDS" "${PROGRAMS[$HOST_ARCH]}/$suite/$program" </dev/null 2>/dev/null |
	awk -v fault="$fault" -v prefix="$suite.$program." -v OFS='\t' '
		/^# +RUN / { name = $3 }
		/^(not )?ok [0-9]+ / {
			result = /^ok/ ? (/# SKIP/ ? "skip" : "ok") : "not ok"
			sub(/^(not )?ok [0-9]+ (- )?/, "")
			sub(/ # .*/, "")
			print fault, prefix $0, result
			name = ""
		}
		END { if (name != "") print fault, prefix name, "not ok" }' >>"$output"
}

# A fault may make a test or its software wait out a bound.
readonly FAULT_SECONDS=60	# of one program
readonly FAULT_TEST_SECONDS=10	# of one test

# faults_of SUITE: the names of all faults in its programs, each once
faults_of() {
	local program

	for program in "${PROGRAMS[$HOST_ARCH]}/$1"/*; do
		"$program" --list-faults
	done | LC_ALL=C sort -u
}

# faults_suite SUITE JOB: faults number JOB, JOB + OPT_JOBS, ... of a suite, "" (none) among them
faults_suite() {
	local suite=$1 job=$2 fault number=0 program

	while IFS=$'\t' read -r fault _; do
		((number++ % OPT_JOBS == job)) || continue
		for program in "${PROGRAMS[$HOST_ARCH]}/$suite"/*; do
			faults_one "$fault" "$suite" "${program##*/}" "$WORK/faults.$suite.$job"
		done
	done < <(printf '\n'; cat "$WORK/faults.$suite")
}

faults_run() {
	local suite job pid

	[[ $OPT_TEST == '*' ]] || die "--faults runs every test: drop --test"
	verdict_open
	for suite in "${OPT_SUITES[@]}"; do
		ref_runs "$suite" || die "--faults: suite $suite does not run on --target ref"
		faults_of "$suite" >"$WORK/faults.$suite"
		for ((job = 0; job < OPT_JOBS; job++)); do
			: >"$WORK/faults.$suite.$job"
			spawn faults_suite "$suite" "$job"
		done
		for pid in "${!JOBS[@]}"; do
			reap "$pid"
		done
	done
	faults_report
}

# Writes faults.tsv ("fault, the bug, tests that saw it") and says what the matrix lacks
faults_report() {
	local suite status=0

	for suite in "${OPT_SUITES[@]}"; do
		cat "$WORK/faults.$suite" >>"$WORK/faults"
		cat "$WORK/faults.$suite".[0-9]* >>"$WORK/matrix"
	done
	awk -F '\t' -v OFS='\t' -f "$ROOT/runner/faults.awk" what=faults <(LC_ALL=C sort -u "$WORK/faults") \
		what=matrix "$WORK/matrix" >"$WORK/report" || status=1
	printf 'fault\tthe bug\tseen by\n' >"$RUN_DIR/faults.tsv"
	sed -n 's/^fault\t//p' "$WORK/report" >>"$RUN_DIR/faults.tsv"
	grep -v '^fault'$'\t' "$WORK/report"
	echo "$RUN_DIR/faults.tsv: every fault and the tests that saw it; $((SECONDS - RUN_STARTED)) s"
	exit "$status"
}
