# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Which tests run on which machine, and the running of all of them.

# plan_tests: prints "suite<TAB>program<TAB>test" for what --suite and --test select
plan_tests() {
	local suite hardware=

	# Tests of hardware itself (hw_* of a vendor's suite) drive the reference's: harness/hw
	[[ $OPT_TARGET == ref || $OPT_ACTION != run ]] || hardware=hw_
	for suite in "${OPT_SUITES[@]}"; do
		programs_list "$suite" || exit
	done | awk -F '\t' -v hardware="$hardware" -v stress="$OPT_STRESS" \
		'($2 == "stress") == (stress != "") &&
		(hardware == "" || $1 == "uapi" || index($2, hardware) != 1)' |
		plan_match "$OPT_TEST"
}

# A glob matches a run of whole dot-separated parts of suite.program.fixture.variant.test.
plan_match() {
	local glob=$1 suite program test

	while IFS=$'\t' read -r suite program test; do
		# shellcheck disable=SC2053 # a pattern
		[[ .$suite.$program.$test. != *.$glob.* ]] ||
			printf '%s\t%s\t%s\n' "$suite" "$program" "$test"
	done
}

# plan_make FILE: "machine<TAB>arch<TAB>suite<TAB>program<TAB>test<TAB>repeat"
plan_make() {
	local arch suite machine

	plan_tests >"$WORK/tests" || exit "$EXIT_USAGE"
	[[ -s $WORK/tests ]] || die "--test '$OPT_TEST' matches no test" "./run.sh --list shows them"
	for arch in "${OPT_ARCHES[@]}"; do
		for suite in "${OPT_SUITES[@]}"; do
			for machine in $(plan_machines "$suite" "$arch"); do
				plan_machine "$machine" "$arch" "$suite"
			done
		done
	done >"$1"
	[[ -s $1 ]] || die "--target $OPT_TARGET has no machine that runs ${OPT_SUITES[*]} on ${OPT_ARCHES[*]}" \
		"see guests/machines/; --target ref runs ${SUITES_OF[ref]}"
	[[ -z $OPT_SHARD ]] || fleet_shard "$1" "${OPT_SHARD%/*}" "${OPT_SHARD#*/}"
	[[ -s $1 ]] || die "--shard $OPT_SHARD: nothing is left for it" "there are fewer programs than shards"
}

# plan_machines SUITE ARCH: the machines of the target that this suite runs on
plan_machines() {
	if [[ $OPT_TARGET == guest ]]; then
		machines_for "$1" "$2"
	elif [[ $OPT_TARGET == bare ]]; then
		echo "${BARE_MACHINES[$1]-}"
	elif [[ $OPT_TARGET == host ]]; then
		echo "$HOST_MACHINE"
	elif ref_runs "$1"; then
		echo "$REF_MACHINE"
	fi
}

# plan_programs MACHINE SUITE: the suite's programs that this machine runs; none: all of them. A word
# SUITE/PROGRAM is about that suite alone, the others about suites without such words.
plan_programs() {
	local word own=() others=()

	for word in ${MACHINE[$1.programs]-}; do
		case $word in
		"$2"/*) own+=("${word#*/}") ;;
		*/*) ;;
		*) others+=("$word") ;;
		esac
	done
	((${#own[@]})) || own=("${others[@]}")
	printf '%s' "${own[*]}"
}

# Tests of hardware itself (hw_*) have no use for a kernel that stands before it.
plan_machine() {
	local repeat

	for ((repeat = 1; repeat <= OPT_REPEAT; repeat++)); do
		awk -F '\t' -v OFS='\t' -v machine="$1" -v arch="$2" -v suite="$3" -v repeat="$repeat" \
			-v target="${MACHINE[$1.target]-}" -v programs=" $(plan_programs "$1" "$3") " \
			'$1 == suite && !(target == "kernel" && $2 ~ /^hw_/) &&
			(programs ~ /^ *$/ || index(programs, " " $2 " ")) {
				print machine, arch, $1, $2, $3, repeat
			}' "$WORK/tests"
	done
}

plan_list() {
	plan_tests | tr '\t' .
}

# plan_run DIR: all guests (or what the target has instead), OPT_JOBS at a time
plan_run() {
	local dir=$1 machine repeat shard started=0 total shards

	PLAN_BROKEN=
	mkdir -p "$dir/raw" "$dir/console" || die "cannot write $dir"
	# A machine with one program only takes no CPU from those that have many.
	total=$(cut -f 1,3,4,6 "$WORK/plan.tsv" | sort -u | cut -f 1,4 | uniq -d | wc -l)
	((total)) || total=1
	shards=$((total < OPT_JOBS ? (OPT_JOBS + total - 1) / total : 1))
	while IFS=$'\t' read -r machine repeat; do
		for ((shard = 0; shard < shards; shard++)); do
			((++started))
			plan_shard "$machine" "$repeat" "$shard" "$shards" >"$WORK/shard.$started"
			[[ -s $WORK/shard.$started ]] || continue
			((${#JOBS[@]} < OPT_JOBS)) || plan_reap
			spawn "${OPT_TARGET}_run" "$machine" "$repeat" "$WORK/shard.$started" "$dir" $((shard * 1000))
		done
	done < <(cut -f 1,6 "$WORK/plan.tsv" | sort -u)
	while ((${#JOBS[@]})); do
		plan_reap
	done
	[[ -z $PLAN_BROKEN ]] || die "a guest could not be run; what is known so far is in $dir"
}

# plan_shard MACHINE REPEAT SHARD SHARDS: every SHARDS-th program of this machine
plan_shard() {
	awk -F '\t' -v OFS='\t' -v machine="$1" -v repeat="$2" -v shard="$3" -v shards="$4" '
	$1 == machine && $6 == repeat {
		if (!(($3, $4) in nth))
			nth[$3, $4] = n++
		if (nth[$3, $4] % shards == shard)
			print $3, $4, $5
	}' "$WORK/plan.tsv"
}

# Wait for one of the guests, whichever ends first
plan_reap() {
	local pid

	if [[ -t 2 ]]; then
		plan_watch
	else
		wait -n -p pid "${!JOBS[@]}" || PLAN_BROKEN=1
		unset "JOBS[$pid]"
	fi
}

# The same, with a live counter of results
plan_watch() {
	local pid results

	while :; do
		for pid in "${!JOBS[@]}"; do
			kill -0 "$pid" 2>/dev/null || { reap "$pid" || PLAN_BROKEN=1; printf '\r\033[K' >&2; return; }
		done
		results=$(cat "$RUN_DIR"/raw/*.log 2>/dev/null | grep -acE ' out (not )?ok [0-9]')
		printf '\r==> %d of %d tests  %d s ' "$results" "$(wc -l <"$WORK/plan.tsv")" \
			$((SECONDS - RUN_STARTED)) >&2
		sleep 0.5
	done
}
