# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# --faults: every bug that can be planted in the reference, planted in turn. Each must fail a test,
# each test must be failed by one, and with none planted nothing may fail.
#
# Planting every bug under every test takes long. So what is known is tried first: witness.tsv names
# for each fault tests that see it, and for each test a fault that it sees. Only what these leave
# open is then tried with everything, and a new table is written beside the results.

readonly FAULT_WITNESS=tests/ref/witness.tsv

# A fault may make a test or its software wait out a bound.
readonly FAULT_SECONDS=60	# of one program
readonly FAULT_TEST_SECONDS=10	# of one test
readonly FAULT_PROGRAMS=5	# random programs: each fault has a test of its own, too
readonly FAULT_MUTATIONS=16	# of a concurrent run

# faults_one FILE FAULT SUITE PROGRAM [TEST...]: one run of a program, or of some of its tests, as
# lines "fault<TAB>suite.program.test<TAB>ok|not ok|skip" added to FILE. A program that dies fails
# the test that was running.
faults_one() {
	local output=$1 fault=$2 suite=$3 program=$4 test names=()

	shift 4
	for test; do
		names+=(-r "$test")
	done
	NIT_SEED=$OPT_SEED NIT_FAULT=$fault NIT_TEST_TIMEOUT=$FAULT_TEST_SECONDS NIT_PROGRAM_SHRINK=0 \
		NIT_PROGRAMS=$FAULT_PROGRAMS NIT_STRESS_MUTATIONS=$FAULT_MUTATIONS \
		timeout -k 1 "$FAULT_SECONDS" "${PROGRAMS[$HOST_ARCH]}/$suite/$program" "${names[@]}" \
		</dev/null 2>/dev/null |
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

# faults_worker WORK JOB: every OPT_JOBS-th line "fault|suite|program|TEST TEST..." of WORK
faults_worker() {
	local work=$1 job=$2 number=0 fault suite program tests names

	while IFS='|' read -r fault suite program tests; do
		((number++ % OPT_JOBS == job)) || continue
		read -ra names <<<"$tests"
		faults_one "$work.$job" "$fault" "$suite" "$program" "${names[@]}"
	done <"$work"
}

# faults_work WORK: all of its lines; what came of them is added to $WORK/matrix
faults_work() {
	local work=$1 job pid

	for ((job = 0; job < OPT_JOBS; job++)); do
		: >"$work.$job"
		spawn faults_worker "$work" "$job"
	done
	for pid in "${!JOBS[@]}"; do
		reap "$pid"
	done
	cat "$work".[0-9]* >>"$WORK/matrix"
}

# faults_everywhere FAULT...: lines of work that plant each of them under all tests that it is in
faults_everywhere() {
	local fault

	for fault; do
		awk -F '\t' -v fault="$fault" '
			fault == "" || $3 == fault { program[$1 "|" $2] = 1 }
			END { for (name in program) print fault "|" name "|" }' "$WORK/planted" |
			LC_ALL=C sort
	done
}

# What there is: $WORK/planted ("suite, program, fault, the bug"), faults ("fault, the bug"), tests
faults_find() {
	local suite file

	for suite in "${OPT_SUITES[@]}"; do
		ref_runs "$suite" || die "--faults: suite $suite does not run on --target ref"
		for file in "${PROGRAMS[$HOST_ARCH]}/$suite"/*; do
			printf "%s\t%s\t\t\n" "$suite" "${file##*/}"
			"$file" --list-faults | sed "s/^/$suite\t${file##*/}\t/"
		done
	done >"$WORK/planted"
	cut -f 3- "$WORK/planted" | grep "^[^[:space:]]" | LC_ALL=C sort -u >"$WORK/faults"
	plan_tests | tr '\t' . >"$WORK/tests"
	: >"$WORK/matrix"
}

faults_run() {
	local unseen

	[[ $OPT_TEST == '*' ]] || die "--faults runs every test: drop --test"
	verdict_open
	faults_find
	faults_everywhere "" >"$WORK/work.none"
	faults_work "$WORK/work.none"
	faults_awk witness "$ROOT/$FAULT_WITNESS" >"$WORK/work.witness"
	faults_work "$WORK/work.witness"
	mapfile -t unseen < <(faults_awk unseen)
	faults_everywhere "${unseen[@]}" >"$WORK/work.unseen"
	faults_work "$WORK/work.unseen"
	faults_awk toothless >"$WORK/work.toothless"
	faults_work "$WORK/work.toothless"
	faults_report
}

# faults_awk WHAT [WITNESS]: see faults.awk
faults_awk() {
	local witness=${2:-/dev/null}

	[[ -e $witness ]] || witness=/dev/null
	awk -F '\t' -v OFS='\t' -v want="$1" -f "$ROOT/runner/faults.awk" what=programs "$WORK/planted" \
		what=faults "$WORK/faults" what=tests "$WORK/tests" \
		what=matrix "$WORK/matrix" what=witness "$witness"
}

# Writes faults.tsv ("fault, the bug, tests that saw it") and witness.tsv; says what is lacking
faults_report() {
	local status=0

	faults_awk report >"$WORK/report" || status=1
	printf 'fault\tthe bug\tseen by\n' >"$RUN_DIR/faults.tsv"
	sed -n 's/^fault\t//p' "$WORK/report" >>"$RUN_DIR/faults.tsv"
	faults_awk cover >"$RUN_DIR/witness.tsv"
	grep -v '^fault'$'\t' "$WORK/report"
	echo "$RUN_DIR/faults.tsv: every fault and tests that saw it; $((SECONDS - RUN_STARTED)) s"
	cmp -s "$RUN_DIR/witness.tsv" "$ROOT/$FAULT_WITNESS" ||
		echo "to make the next run faster: cp $RUN_DIR/witness.tsv $FAULT_WITNESS"
	exit "$status"
}
