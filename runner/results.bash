# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the guests of a run said, as results for machines and people; results/README.md has the
# formats. Everything is made from RUN_DIR alone: environment.json, plan.tsv, raw/*.log.

RESULTS_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# results_write RUN_DIR ROOT: results.json, results.ktap, junit.xml
results_write() (
	set -o pipefail
	results_json "$1" "$2" >"$1/results.json.part" &&
		mv "$1/results.json.part" "$1/results.json" && results_derive "$1"
)

# results_derive RUN_DIR: results.ktap and junit.xml, from results.json
results_derive() (
	set -o pipefail
	jq -r -f "$RESULTS_LIB/ktap.jq" "$1/results.json" >"$1/results.ktap" &&
		jq -r -f "$RESULTS_LIB/junit.jq" "$1/results.json" | results_xml >"$1/junit.xml"
)

# XML 1.0 cannot say most control characters, U+FFFE and U+FFFF in any way.
results_xml() {
	LC_ALL=C sed 's/[\x01-\x08\x0b-\x1f]/?/g; s/\xef\xbf[\xbe\xbf]/?/g'
}

results_json() {
	local run=$1 environment=$1/environment.json plan=$1/plan.tsv deviations=$2/deviations.tsv

	[[ -s $environment ]] || environment=/dev/null
	[[ -e $plan ]] || plan=/dev/null
	[[ -e $deviations ]] || deviations=/dev/null
	results_streams "$run" |
		LC_ALL=C awk -f "$RESULTS_LIB/text.awk" -f "$RESULTS_LIB/outcome.awk" \
			-f "$RESULTS_LIB/stream.awk" \
			what=plan "$plan" what=kernels <(results_kernels "$environment") \
			what=deviations "$deviations" what=stream - |
		jq -n --arg run "$(basename "$run")" --slurpfile environment "$environment" \
			-f "$RESULTS_LIB/results.jq"
}

# What a deviation's second column is compared with: lines "arch<TAB>release" of the kernels that ran,
# and "machine<TAB>qemu-VERSION" of machines whose hardware is QEMU's
results_kernels() {
	jq -r '(.kernels // {} | to_entries[] | [.key, .value.release]),
		(.hardware // {} | to_entries[] | [.key, .value]) | @tsv' "$1"
}

# The raw logs in the order of their boots. A log is "MACHINE.REPEAT.BOOT.log".
results_streams() {
	local file name boot repeat

	find "$1/raw" -name '*.log' 2>/dev/null | sort -V | while IFS= read -r file; do
		name=$(basename "$file" .log)
		boot=${name##*.} name=${name%.*}
		repeat=${name##*.} name=${name%.*}
		printf '\001%s\t%s\t%s\n' "$name" "$repeat" "$boot"
		tr -d '\000\001\r' <"$file"
		echo	# the last line may have been cut short
	done
}

# results_summary RUN_DIR: what a person reads at the end of a run
results_summary() {
	local colour=

	[[ ! -t 1 || -n ${NO_COLOR-} ]] || colour=1
	jq -r --arg dir "${1%/}" --arg colour "$colour" --arg files "$(results_files "$1")" \
		-L "$RESULTS_LIB" -f "$RESULTS_LIB/summary.jq" "$1/results.json"
}

results_files() {
	local file files=

	for file in report.html results.{json,ktap} junit.xml environment.json console/ raw/ coverage/; do
		[[ ! -e $1/$file ]] || files+="  $file"
	done
	printf '%s' "${files#  }"
}

# results_counts RUN_DIR: "N passed, N failed, N skipped"
# A known deviation is neither pass nor failure: it counts as skipped.
results_counts() {
	jq -r '.counts
		| "\(.passed) passed, \(.failed) failed, \(.skipped + .known) skipped"' \
		"$1/results.json"
}

# results_status RUN_DIR: 0 passed, 1 a test failed, 2 no test ran, 4 all skipped
results_status() {
	local status

	status=$(jq '.counts as $n
		| if any(.tests[]; .ran) | not then 2
		  elif $n.failed > 0 then 1
		  elif $n.passed + $n.known > 0 then 0
		  else 4 end' "$1/results.json") || status=2
	return "$status"
}

# results_flakes RUN_DIR: how often each failing test failed, and how many tests were undecided
results_flakes() {
	jq -r -f "$RESULTS_LIB/flakes.jq" "$1/results.json"
}

# results_rules RUN_DIR: rule x machine coverage of a run.
# results_rules ROOT: the rules, and how many tests name them in the sources.
results_rules() {
	local rules=${2:-${ROOT:-$RESULTS_LIB/..}}/rules.tsv

	if [[ -e $1/results.json ]]; then
		[[ -e $rules ]] || rules=/dev/null
		jq -r --rawfile rules "$rules" -f "$RESULTS_LIB/rules.jq" "$1/results.json"
	else
		results_rules_named "$1"
	fi
}

results_rules_named() {
	local files=("$1"/suites/*/*.c)

	awk -v FS='\t' '
	FILENAME != rules_file {
		if (/^TEST(_F)?(_[A-Z]+)?\(/)
			++test
		if (!match($0, /RULE\("[A-Z]+-[0-9]+"\)/))
			next
		rule = substr($0, RSTART + 6, RLENGTH - 8)
		suite = FILENAME
		sub(/\/[^\/]*$/, "", suite)
		sub(/.*\//, "", suite)
		if (!((rule, test) in seen))
			tests[rule]++
		seen[rule, test] = 1
		if (!index(suites[rule] " ", " " suite " "))
			suites[rule] = suites[rule] " " suite
		next
	}
	/^(#|$)/ { next }
	{ printf "%-8s %3d tests %-12s %s\n", $1, tests[$1], suites[$1], $3 }
	' rules_file="$1/rules.tsv" "${files[@]}" "$1/rules.tsv"
}
