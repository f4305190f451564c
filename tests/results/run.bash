#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The results pipeline, on what guests might have said: cases/NAME has plan.tsv and raw/*.log of a
# run, and what must come of it: outcomes, summary, status. `run.bash --update` writes these anew:
# read the difference before you believe it.
set -uo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
# shellcheck source=runner/results.bash
source "$ROOT/runner/results.bash"
# shellcheck source=runner/plots.bash
source "$ROOT/runner/plots.bash"
# shellcheck source=runner/report.bash
source "$ROOT/runner/report.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-results.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

readonly LOG=raw/x86_64-mock.1.1.log
readonly MANY=3000 MANY_SECONDS=3

# case_write NAME: a run's directory, as the runner leaves it, and its results
case_write() {
	local run=$OUT/$1

	cp -r "$HERE/cases/$1" "$run" && mkdir -p "$run/raw" || return
	cp "$HERE/environment.json" "$run/" || return
	# Bytes that no editor likes are kept as escapes.
	[[ ! -e $run/escaped ]] || unescape <"$run/escaped" >"$run/$LOG"
	results_write "$run" "$HERE"
}

unescape() {
	local line

	while IFS= read -r line; do
		printf '%b\n' "$line"
	done
}

# A line for each test: outcome, name, repeat, reason
outcomes() {
	jq -r '.tests[] | "\(.outcome) \(.name) \(.repeat) \(.reason)"
		+ if .unexpected_pass then " (unexpected pass)" else "" end' "$1/results.json"
}

summary() {
	results_summary "$1" | sed "s,$1,RUN_DIR,"
}

# report NAME: the page can be parsed, is on its own, and has every test that failed
report() {
	local page=$OUT/$1/report.html name

	report_write "$OUT/$1" "$HERE" && xmllint --noout "$page" || return
	! grep -oE '<(script|link|img)|(src|href)="[^#"]*"|url\(' "$page" || return
	jq -r '.tests[] | select(.outcome == "fail") | .name' "$OUT/$1/results.json" | while read -r name; do
		grep -qF "<b class=\"fail\">$name</b>" "$page" || { echo "not in the page: $name"; return 1; }
	done
}

# Where something was measured there is a plot; without gnuplot, a line that says why there is none.
plots() {
	local tools=$OUT/tools tool

	grep -q '<svg' "$OUT/all-pass/report.html" && ! grep -q '<svg' "$OUT/panic/report.html" || return
	mkdir "$tools" && for tool in jq cat cut sort; do
		ln -s "$(command -v "$tool")" "$tools/" || return
	done
	(PATH=$tools && hash -r && plots_write "$OUT/all-pass") | grep 'gnuplot is not installed'
}

status() {
	local status=0

	results_status "$1" || status=$?
	echo "$status: $(results_counts "$1")"
}

flakes() {
	results_flakes "$1"
}

rules() {
	results_rules "$1" "$HERE"
}

# expected NAME KIND: what the case must give, as it does
expected() {
	"$2" "$OUT/$1" >"$OUT/$1/$2" 2>&1
	[[ -z $UPDATE ]] || cp "$OUT/$1/$2" "$HERE/cases/$1/$2"
	diff -u "$HERE/cases/$1/$2" "$OUT/$1/$2"
}

# Every level must be TAP, and say of every test what results.json says.
ktap_agrees() {
	"$HERE/ktap.pl" <"$1/results.ktap" >"$1/ktap.leaves" || return
	jq -r 'any(.tests[]; .repeat > 1) as $repeated
		| .tests[]
		| (if $repeated then ".\(.repeat)" else "" end) as $repeat
		| "\(.outcome) \(.suite).\(.machine)\($repeat)/\(.program)/\(.test)"' \
		"$1/results.json" | sort | diff - <(sort "$1/ktap.leaves")
}

ktap_printable() {
	! LC_ALL=C grep -n $'[\001-\010\013-\037\177]' "$1/results.ktap"
}

junit_counts() {
	local path expected

	for path in "count(//testcase)=/testsuites/@tests" \
		"count(//failure)=/testsuites/@failures" \
		"count(//skipped)=sum(//testsuite/@skipped)"; do
		[[ $(xmllint --xpath "$path" "$1/junit.xml") == true ]] ||
			{ echo "not $path"; return 1; }
	done
	expected=$(jq '.tests | length' "$1/results.json")
	[[ $(xmllint --xpath "count(//testcase)" "$1/junit.xml") == "$expected" ]]
}

# What the README promises of results.json
json_form() {
	jq -e '
	def strings: type == "array" and all(.[]; type == "string");
	"./run.sh --target guest --arch x86_64 --suite uapi" as $replay
	| .format == 1 and (.environment.seed == "0x5eed1234") and (.run.name | type == "string")
	and ([.counts[]] | add) == (.tests | length)
	and all(.programs[]; (.checks | type == "number") and (.program | length > 0))
	and (.tests | length == (unique_by([.machine, .repeat, .name]) | length))
	and all(.tests[];
		(.name == "\(.suite).\(.program).\(.test)")
		and (.name | test("^[A-Za-z0-9_.-]+$"))
		and (.outcome | IN("pass", "fail", "skip", "known"))
		and (.outcome == "pass" or .reason != "")
		and (.duration_s >= 0) and (.arch == "x86_64")
		and ([.rules, .notes, .splat, .console, .output] | all(strings))
		and all(.figures[]; (.kind | IN("count", "time")) and (.samples | all(type == "number")))
		and all(.failures[]; (.line | type == "number")
			and ([.rule, .file, .expr, .expected, .observed] | strings))
		and (.replay | startswith($replay)))' "$1/results.json"
}

case_check() {
	local name=$1 run=$OUT/$1

	tap_check "$name-written" case_write "$name"
	tap_check "$name-outcomes" expected "$name" outcomes
	tap_check "$name-summary" expected "$name" summary
	tap_check "$name-report" report "$name"
	tap_check "$name-status" expected "$name" status
	tap_check "$name-json" json_form "$run"
	tap_check "$name-ktap" ktap_agrees "$run"
	tap_check "$name-ktap-printable" ktap_printable "$run"
	tap_check "$name-junit" xmllint --noout --schema "$HERE/junit.xsd" "$run/junit.xml"
	tap_check "$name-junit-counts" junit_counts "$run"
}

# field NAME CASE JQ: one fact of a case that the lists of outcomes do not show
field() {
	tap_check "$1" jq -e "$3" "$OUT/$2/results.json"
}

check_fields() {
	field rules-once all-pass '.tests[0].rules == ["UAPI-01", "UAPI-02"]'
	field duration all-pass '.tests[0].duration_s == 0.5'
	field checks-of-programs all-pass '[.programs[].checks] == [12, 3]'
	field figures-have-samples all-pass '.tests[0].figures == [
		{ name: "commands", unit: "commands", kind: "count", samples: [3] },
		{ name: "latency", unit: "ns", kind: "time", samples: [1500.250, 0.5, 2000, 1000] }]
		and .tests[1].figures == []'
	field fio-has-figures fio '.tests[0].figures[0] == {
		name: "verify_read_iops", unit: "1/s", kind: "time", samples: [1669.111654] }'
	field fio-cut-short-is-a-note fio '.tests[1].figures == [] and (.tests[1].notes[0] | test("fio"))'
	field figure-without-number-is-a-note all-pass '.tests[0].notes[1:] ==
		["not a figure: latency 1,,2 ns", "not a figure: latency fast ns"]'
	field other-output-is-kept fail-and-skip \
		'.tests[1].output[0] | test("Expected this to be that")'
	field splat-before-run-line splat \
		'.tests[1].splat | length == 3 and (.[2] | test("KASAN"))'
	field splat-stays-with-its-test splat '.tests[0].splat == [] and .tests[2].splat == []'
	field console-of-panic panic \
		'.tests[1].console | length == 2 and (.[0] | test("Kernel panic"))'
	field deviation-keeps-failure known '.tests[0]
		| .failure == "" and (.failures | length) == 1 and .deviation.rule == "UAPI-08"'
	field escapes-are-spelled-out garbage \
		'.tests[0].notes[0] | startswith("\\x1b[31mred\\x1b[0m ")'
	field death-outside-of-tests outside '.tests[3]
		| .console == ["the boot that failed"] and (.replay | test("--test") | not)'
	field unplanned-is-marked unexpected '[.tests[].planned] == [true, false, false]'
}

check_failures() {
	field failure-parts fail-and-skip '.tests[0].failures[0] == {
		rule: "UAPI-08", file: "dispatch.c", line: 355, expr: "-EOPNOTSUPP == rc",
		expected: "-95 (-EOPNOTSUPP)", observed: "0" }'
	field failure-expression-is-tricky fail-and-skip '.tests[0].failures[1]
		| .expr == "s[\": expected \"] != \"a\\b<&>\"" and .expected == "1"'
	field failure-without-form-is-kept fail-and-skip \
		'.tests[0].notes[0] == "of a form that nobody knows"'
	field replay fail-and-skip '.tests[0].replay
		== "./run.sh --target guest --arch x86_64 --suite uapi"
		+ " --test \u0027alpha.f.fails\u0027"
		+ " --seed 0x5eed1234 --kernel \u0027/src/my linux\u0027 --debug"'
}

# Colour is for terminals, and for those who want it.
check_colour() {
	[[ $(results_summary "$OUT/panic") != *$'\033'* ]] || { echo "colour in a file"; return 1; }
	command -v script >/dev/null || return 0
	colour_seen "" || { echo "no colour on a terminal"; return 1; }
	! colour_seen 1 || { echo "colour in spite of NO_COLOR"; return 1; }
}

colour_seen() {
	local command="source $ROOT/runner/results.bash; results_summary $OUT/panic" seen

	seen=$(NO_COLOR=$1 script -qec "bash -c '$command'" /dev/null </dev/null)
	[[ $seen == *$'\033[31m'* ]]
}

# A run of MANY tests, each with evidence, a third of them failing
many_write() {
	mkdir -p "$1/raw" && cp "$HERE/environment.json" "$1/" || return
	awk -v many="$MANY" -v log_file="$1/$LOG" '
	function failure(i)
	{
		return "UAPI-0" i % 9 ": a.c:1: a == b: expected 1, observed 2"
	}
	BEGIN {
		OFS = "\t"
		print "1.0 begin uapi.alpha" >log_file
		for (i = 1; i <= many; i++) {
			print "x86_64-mock", "x86_64", "uapi", "alpha", "f.t" i, 1
			print "1.1 out #  RUN           f.t" i " ..." >log_file
			print "1.1 out # rule UAPI-0" i % 9 >log_file
			if (i % 3 == 0)
				print "1.1 out # check failed: " failure(i) >log_file
			print "1.2 out " (i % 3 ? "" : "not ") "ok " i " f.t" i >log_file
		}
		print "9.9 end uapi.alpha 1" >log_file
		print "9.9 done" >log_file
	}' >"$1/plan.tsv"
}

# Processor time: what a busy machine takes beyond it is not ours.
check_many() {
	local TIMEFORMAT='%U %S' user system

	many_write "$OUT/many" || return
	{ time many_read 2>&3; } 2>"$OUT/many/time" 3>&2
	[[ $(results_counts "$OUT/many") == "2000 passed, 1000 failed, 0 skipped" ]] || return
	read -r user system <"$OUT/many/time"
	echo "$MANY tests took $user s + $system s"
	awk -v user="$user" -v more="$system" -v limit="$MANY_SECONDS" \
		'BEGIN { exit !(user + more < limit) }'
}

many_read() {
	results_write "$OUT/many" "$HERE" && results_summary "$OUT/many" >/dev/null
}

# A directory that cannot be written must not look like a result.
check_unwritable() {
	local run=$OUT/all-skipped

	rm "$run/results.json"
	mkdir "$run/results.json.part"
	! results_write "$run" "$HERE" 2>/dev/null && [[ ! -e $run/results.json ]]
}

# A run without environment, plan and deviations still has its results.
check_bare() {
	mkdir -p "$OUT/bare/raw" && cp "$OUT/all-pass/$LOG" "$OUT/bare/$LOG" || return
	results_write "$OUT/bare" "$OUT" && results_summary "$OUT/bare" &&
		[[ $(results_counts "$OUT/bare") == "3 passed, 0 failed, 0 skipped" ]] &&
		[[ $(jq -r '.tests[0].arch' "$OUT/bare/results.json") == x86_64 ]] &&
		xmllint --noout --schema "$HERE/junit.xsd" "$OUT/bare/junit.xml"
}

# Without results: the rules of a source tree and the tests that name them
check_rules_of_sources() {
	mkdir -p "$OUT/tree/suites/uapi" && cp "$HERE/rules.tsv" "$OUT/tree/" || return
	printf 'TEST(a)\n{\n\tRULE("UAPI-08");\n\tRULE("UAPI-08");\n}\nTEST_F(f, b)\n{\n%s' \
		$'\tRULE("UAPI-08");\n}\n' >"$OUT/tree/suites/uapi/x.c"
	results_rules "$OUT/tree" | grep -E '^UAPI-08 +2 tests +uapi +Reserved' &&
		results_rules "$OUT/tree" | grep -E '^UAPI-01 +0 tests'
}

# run_as DIR ARG...: run.sh on these runs, results in DIR; what it says in DIR.said
run_as() {
	local dir=$1

	shift
	"$ROOT/run.sh" "$@" --results "$dir" >"$dir.said" 2>&1
}

# agrees STATUS TEXT JQ: all-pass beside what JQ made of it on another machine
agrees() {
	local said status=0

	mkdir -p "$OUT/others" && jq ".tests |= map(.machine = \"other\") | $3" "$OUT/all-pass/results.json" \
		>"$OUT/others/results.json" || return
	said=$("$ROOT/run.sh" --agree "$OUT/all-pass" "$OUT/others" 2>&1) || status=$?
	[[ $status == "$1" && $said == *"$2"* ]] || { echo "status $status: $said"; return 1; }
}

# Verdicts of two machines side by side: a difference is one until deviations.tsv explains it.
check_agree() {
	agrees 0 'other, x86_64-mock: 3 tests ran on both, 3 agree, 0 differ' . &&
		agrees 1 'not explained' '.tests[0].outcome = "fail"' &&
		agrees 0 'a reason' '.tests[0] += { outcome: "known", reason: "a reason" }' &&
		agrees 0 '2 tests ran on both, 2 agree' '.tests[0].outcome = "skip"' &&
		agrees 0 'no test ran on two machines' '.tests[].outcome = "skip"'
}

# Two shards are one run; what does not fit together is said, and nothing is written.
# The same tests on two machines stand side by side, each with its own figures.
check_merge_machines() {
	local name

	for name in one two.example; do
		mkdir -p "$OUT/$name" && jq --arg name "$name" \
			'.environment.target = "ref" | .environment.host.name = $name' \
			"$OUT/all-pass/results.json" >"$OUT/$name/results.json" || return
	done
	run_as "$OUT/machines" --merge "$OUT/one" "$OUT/two.example" &&
		jq -e '(.tests | length) == 6 and ([.tests[].machine] | unique) ==
			["x86_64-mock-one", "x86_64-mock-two-example"]' "$OUT/machines/results.json" &&
		(($(grep -c "f.one.*\[x86_64-mock-" "$OUT/machines.said") == 2))
}

check_merge() {
	local status=0

	run_as "$OUT/merged" --merge "$OUT/all-pass" "$OUT/panic" || status=$?
	((status == 1)) && [[ $(results_counts "$OUT/merged") == "$(merged_counts)" ]] || return
	[[ -s $OUT/merged/report.html ]] && xmllint --noout "$OUT/merged/junit.xml" || return
	status=0
	run_as "$OUT/twice" --merge "$OUT/panic" "$OUT/panic" || status=$?
	((status == 2)) && grep -q 'two runs have the same test' "$OUT/twice.said" || return
	mkdir -p "$OUT/other" && jq '.environment.seed = "0x1"' "$OUT/panic/results.json" \
		>"$OUT/other/results.json" && status=0
	run_as "$OUT/mixed" --merge "$OUT/all-pass" "$OUT/other" || status=$?
	((status == 2)) && grep -q 'the runs differ in the seed' "$OUT/mixed.said"
}

# baseline NAME JQ: a baseline in a directory of its own, from one that is changed by JQ
baseline() {
	mkdir -p "$OUT/$1" && jq -n '{ format: 1, key: { cpu: "x", seed: "1" }, figures: [
		{ name: "n", machine: "m", unit: "commands", kind: "count", blocks: [[4], [4]] },
		{ name: "t", machine: "m", unit: "ns", kind: "time",
		  blocks: [range(4) | [range(10) + 100]] }] } | '"$2" >"$OUT/$1/baseline.json"
}

# compares STATUS TEXT JQ: base compared with one that JQ made of it
compares() {
	local status=0 said

	baseline base . && baseline changed "$3" || return
	said=$("$ROOT/run.sh" --compare "$OUT/base" "$OUT/changed" 2>&1) || status=$?
	printf '%s\n' "$said"
	((status == $1)) && grep -qF -- "$2" <<<"$said"
}

# What other runs of the same differ by is no difference; what is kept for another machine says nothing.
kept_says() {
	local number dir=$OUT/kept.$1

	mkdir "$dir" && for number in 1 2 3; do
		baseline "kept-run" ".key.cpu = \"$1\" | .date = $number
			| .figures[1].blocks |= map(map(. * (1 + $number / 10)))" &&
			mv "$OUT/kept-run/baseline.json" "$dir/$number.json" || return
	done
	baseline base . && baseline changed '.figures[1].blocks |= map(map(. * 1.15))' || return
	"$ROOT/run.sh" --compare "$OUT/base" "$OUT/changed" --baselines "$dir" | grep -F -- "$2"
}

# Of 999 samples there is no p99.9, of 99 no p99; of more, the one that so many do not exceed
check_percentiles() {
	jq -n -e -L "$ROOT/runner" 'include "figures";
		def of($n): { tests: [{ name: "t", machine: "m",
			figures: [{ name: "f", unit: "ns", kind: "time", samples: [range($n; 0; -1)] }] }] }
			| measured[0].figures[0] | [.median, .p99, .p999, .max];
		of(1000) == [500.5, 990, 999, 1000] and of(999) == [500, 990, null, 999]
		and of(100) == [50.5, 99, null, 100] and of(99) == [50, null, null, 99]'
}

# A comparison as a page; of what cannot be compared, too
check_compare_page() {
	local status=0

	baseline base . && baseline changed '.figures[0].blocks = [[5], [5]]' || return
	run_as "$OUT/page" --compare "$OUT/base" "$OUT/changed" || status=$?
	((status == 1)) && jq -e '.format == 1 and .figures[0].verdict == "rise"' "$OUT/page/compared.json" &&
		compared_page "$OUT/page" '>RISE</td><td>n \[m\]</td><td class="n">4</td><td class="n">5<' || return
	baseline changed '.key.seed = "2"' || return
	status=0
	run_as "$OUT/refused" --compare "$OUT/base" "$OUT/changed" || status=$?
	((status == 2)) && compared_page "$OUT/refused" 'Not comparable'
}

# compared_page DIR PATTERN
compared_page() {
	xmllint --noout "$1/report.html" && grep -qE -- "$2" "$1/report.html"
}

# A run that was compared has the same in its report, and a link to it; others have neither.
check_compared_report() {
	local run=$OUT/all-pass

	! grep -q '#comparison' "$run/report.html" && cp "$OUT/page/compared.json" "$run/" &&
		report_write "$run" "$HERE" && compared_page "$run" '<h2 id="comparison">.*>RISE<' &&
		grep -q 'href="#comparison"' "$run/report.html"
}

# Published: Mann and Whitney's test of 19 22 16 29 24 and 20 11 17 12 has U 17 of 20, p 0.1113
check_mann_whitney() {
	jq -n -e -L "$ROOT/runner" 'include "statistics";
		mann_whitney([19, 22, 16, 29, 24]; [20, 11, 17, 12])
		| .u == 17 and (.p - 0.111347 | fabs) < 0.000001'
}

check_compare() {
	tap_check compare-same compares 0 "2 figures: 1 same, 1 ~" .
	tap_check compare-rise compares 1 "RISE  n [m]: 4 -> 5 commands (+25 %)" '.figures[0].blocks = [[5], [5]]'
	tap_check compare-fall compares 0 "FALL  n [m]: 4 -> 3 commands (-25 %)" '.figures[0].blocks = [[3], [3]]'
	tap_check compare-gone compares 1 "GONE  n [m]" 'del(.figures[0])'
	tap_check compare-refuses compares 2 'seed: "1" and "2"' '.key.seed = "2"'
	tap_check compare-slower compares 0 "SLOWER  t [m]" '.figures[1].blocks |= map(map(. * 1.2))'
	tap_check compare-one-slow-block compares 0 "1 ~" '.figures[1].blocks[0] |= map(. * 3)'
	tap_check compare-small-change compares 0 "1 ~" '.figures[1].blocks |= map(map(. * 1.03))'
	tap_check compare-kept-runs-calibrate kept_says x "1 same, 1 ~"
	tap_check compare-kept-of-another-machine kept_says y "SLOWER  t [m]"
	tap_check compare-mann-whitney check_mann_whitney
	tap_check compare-page check_compare_page
	tap_check compare-in-report check_compared_report
}

merged_counts() {
	jq -rs 'map(.counts) | "\(map(.passed) | add) passed, \(map(.failed) | add) failed, "
		+ "\(map(.skipped + .known) | add) skipped"' "$OUT"/{all-pass,panic}/results.json
}

# Shards are disjoint, together the whole, and none does nearly all
check_shards() {
	local number

	# shellcheck source=runner/fleet.bash
	source "$ROOT/runner/fleet.bash"
	for ((number = 0; number < 60; number++)); do
		printf 'm\ta\ts\tp%d\tt%d\t1\n' $((number % 20)) "$number"
	done >"$OUT/plan"
	for number in 1 2 3; do
		cp "$OUT/plan" "$OUT/plan.$number" && fleet_shard "$OUT/plan.$number" "$number" 3 || return
		(($(wc -l <"$OUT/plan.$number") <= 21)) || return
	done
	sort "$OUT"/plan.[123] | cmp - <(sort "$OUT/plan")
}

# Every awk that may be a machine's awk gives the same.
check_awks() {
	local awk seen=0 name=fail-and-skip

	for awk in mawk gawk original-awk; do
		command -v "$awk" >/dev/null || continue
		awk() { command "$awk" "$@"; }
		results_json "$OUT/$name" "$HERE" | diff - "$OUT/$name/results.json" || return
		unset -f awk
		((++seen))
	done
	((seen))
}

main() {
	local dir

	UPDATE=
	[[ ${1-} != --update ]] || UPDATE=1
	for dir in "$HERE"/cases/*/; do
		case_check "$(basename "$dir")"
	done
	check_fields
	check_failures
	tap_check flakes expected repeat flakes
	tap_check rules expected fail-and-skip rules
	tap_check rules-of-sources check_rules_of_sources
	tap_check colour check_colour
	tap_check many-are-fast check_many
	tap_check unwritable-is-an-error check_unwritable
	tap_check bare-run check_bare
	tap_check awks-agree check_awks
	tap_check merge check_merge
	tap_check agree check_agree
	tap_check merge-machines check_merge_machines
	tap_check shards check_shards
	tap_check plots plots
	tap_check percentiles check_percentiles
	check_compare
	tap_end
}

main "$@"
