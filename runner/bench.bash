# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# --bench, --save-baseline, --compare: docs/bench.md.

bench_dir() {
	printf '%s' "${OPT_BASELINES:-${XDG_DATA_HOME:-$HOME/.local/share}/nit/baselines}"
}

# bench_baseline RUN_DIR: the baseline that a run is, as JSON
bench_baseline() {
	jq --arg bench "$(cat "$ROOT"/suites/bench/* | sha256sum | cut -c 1-16)" \
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
		die "--compare $1: no baseline there" "expected the name of one in $(bench_dir)," \
			"or a directory that ./run.sh --bench has written"
	printf '%s' "$file"
}

# bench_compare A B: exit status 0 no rise, 1 a count rose or a figure is gone, 2 not comparable
bench_compare() {
	local a b status=0

	a=$(bench_find "$1") || exit "$EXIT_USAGE"
	b=$(bench_find "$2") || exit "$EXIT_USAGE"
	jq -n -L "$RESULTS_LIB" --slurpfile a "$a" --slurpfile b "$b" \
		--slurpfile kept <(cat "$(bench_dir)"/*.json 2>/dev/null) -f "$RESULTS_LIB/compare.jq" \
		>"$WORK/compared.json" || die "cannot compare $a with $b"
	jq -r -f "$RESULTS_LIB/compared.jq" "$WORK/compared.json"
	jq -e 'has("refused") | not' "$WORK/compared.json" >/dev/null || exit "$EXIT_USAGE"
	jq -e 'any(.figures[]; .verdict == "rise" or .verdict == "gone") | not' "$WORK/compared.json" \
		>/dev/null || status=1
	exit "$status"
}
