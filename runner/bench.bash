# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# --bench, --save-baseline, --baseline, --compare: docs/bench.md.

bench_dir() {
	printf '%s' "${OPT_BASELINES:-${XDG_DATA_HOME:-$HOME/.local/share}/nit/baselines}"
}

# bench_sources: prints what measures: the suite; for a kernel in a guest all that is not the kernel, too
bench_sources() {
	local dirs=("$ROOT/suites/bench")

	[[ $OPT_TARGET != guest ]] || dirs+=("$ROOT/harness" "$ROOT/guests/init")
	find "${dirs[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 cat
}

# bench_machines RUN_DIR: "NAME<TAB>HASH" of the machines of a run, whose definitions are what they are
bench_machines() {
	local machine arch

	cut -f 1,2 "$1/plan.tsv" | sort -u | while IFS=$'\t' read -r machine arch; do
		printf '%s\t' "$machine"
		cat "$ROOT/guests/arch/$arch.arch" "$ROOT/guests/machines/$machine.machine" 2>/dev/null | cache_key
		echo
	done
}

# bench_baseline RUN_DIR: the baseline that a run is, as JSON
bench_baseline() {
	jq --arg bench "$(bench_sources | cache_key)" --rawfile machines <(bench_machines "$1") \
		-f "$RESULTS_LIB/baseline.jq" "$1/results.json"
}

# Only of a run in which nothing failed. What cannot be replaced whole is not replaced.
bench_save() {
	local dir file=$RUN_DIR/baseline.json

	bench_baseline "$RUN_DIR" >"$file" || die "cannot write $file" "is there space?"
	[[ -n $OPT_SAVE_BASELINE ]] || return 0
	jq -e '.counts.failed == 0 and any(.tests[].figures[]; true)' "$RUN_DIR/results.json" >/dev/null ||
		die "--save-baseline $OPT_SAVE_BASELINE: not saved, the run is not good"
	dir=$(bench_dir)
	mkdir -p "$dir" && cp "$file" "$dir/.$OPT_SAVE_BASELINE.$$" &&
		mv "$dir/.$OPT_SAVE_BASELINE.$$" "$dir/$OPT_SAVE_BASELINE.json" ||
		die "cannot write $dir" "--baselines chooses another directory"
	say "baseline $OPT_SAVE_BASELINE: $dir/$OPT_SAVE_BASELINE.json"
}

# bench_find NAME: the file of a baseline; NAME is of a saved one, or a directory of results
bench_find() {
	local file

	file=$(bench_dir)/$1.json
	[[ ! -d $1 ]] || file=$1/baseline.json
	jq -e '.format == 1 and .key and .figures' "$file" >/dev/null 2>&1 ||
		die "no baseline '$1'" "expected the name of one in $(bench_dir)," \
			"or a directory that ./run.sh --bench has written"
	printf '%s' "$file"
}

# bench_compared NAME_A A NAME_B B: what the files A and B differ by, as JSON: compare.jq
bench_compared() {
	jq -n -L "$RESULTS_LIB" --arg name_a "$1" --slurpfile a "$2" --arg name_b "$3" --slurpfile b "$4" \
		--slurpfile kept <(cat "$(bench_dir)"/*.json 2>/dev/null) -f "$RESULTS_LIB/compare.jq"
}

# bench_verdict COMPARED: says it; status 0 no rise, 1 a count rose or a figure is gone, 2 not comparable
bench_verdict() {
	jq -r -f "$RESULTS_LIB/compared.jq" "$1"
	jq -e 'has("refused") | not' "$1" >/dev/null || return "$EXIT_USAGE"
	jq -e 'any(.figures[]; .verdict == "rise" or .verdict == "gone") | not' "$1" >/dev/null
}

# bench_compare A B: exit status as of bench_verdict; with --results the same as a page
bench_compare() {
	local a b compared=$WORK/compared.json

	a=$(bench_find "$1") || exit "$EXIT_USAGE"
	b=$(bench_find "$2") || exit "$EXIT_USAGE"
	bench_compared "$1" "$a" "$2" "$b" >"$compared" || die "cannot compare $a with $b"
	if [[ -n $OPT_RESULTS ]]; then
		verdict_open
		cp "$compared" "$RUN_DIR/compared.json" && report_compared "$RUN_DIR" ||
			die "cannot write $RUN_DIR" "is there space?"
		say "$RUN_DIR: report.html  compared.json"
	fi
	bench_verdict "$compared"
	exit
}

# bench_against: --baseline: this run against it, also in its report; does not return where it got worse
bench_against() {
	local file compared=$RUN_DIR/compared.json

	file=$(bench_find "$OPT_BASELINE") || exit "$EXIT_USAGE"
	bench_compared "$OPT_BASELINE" "$file" "$(basename "$RUN_DIR")" "$RUN_DIR/baseline.json" >"$compared" &&
		report_write "$RUN_DIR" "$ROOT" || die "cannot compare with $file"
	say "compared with $OPT_BASELINE:"
	bench_verdict "$compared" || exit
}
