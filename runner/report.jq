# SPDX-License-Identifier: GPL-2.0-only
# results.json as a page: self-contained, no script, no network. Needs --rawfile rules, css, faults,
# mutants, compared (JSON; "" where there are none), plots (SVG), and -L runner.
include "figures";
include "page";
include "comparison";

def count($outcome): map(select(.outcome == $outcome)) | length;
def counts: count("pass"), count("known"), count("fail"), count("skip");
def lines: split("\n") | map(select(. != "" and (startswith("#") | not)) | split("\t"));
def clock: floor | "\(. / 60 | floor):\(. % 60 | tostring | if length < 2 then "0" + . else . end)";

def total:
	.counts
	| "<p class=\"total\"><span class=\"\(if .failed > 0 then "fail" else "pass" end)\">\(.passed) passed,"
	  + " \(.failed) failed</span>, \(.known) known, \(.skipped) skipped</p>";

def summary:
	.programs as $programs
	| [.tests | group_by([.suite, .machine])[]
	   | .[0] as $first
	   | [$programs[] | select(.suite == $first.suite and .machine == $first.machine)] as $ran
	   | ([$first.suite, $first.machine] | map(id) | add)
	     + ([counts | number] | add)
	     + ([$ran[].checks] | add // 0 | number)
	     + ([$ran[].duration_s] | add // 0 | clock | number) | row]
	| table(["suite", "machine", "passed#", "known#", "failed#", "skipped#", "checks#", "time#"])
	| section("summary"; "Summary");

def failure:
	"\(.file):\(.line): \(.expr)\n    expected \(.expected), observed \(.observed)"
	+ (if .rule != "-" then "  (\(.rule))" else "" end);

def fold_lines($title): if . == [] then "" else "<pre>" + (map(text) | join("\n")) + "</pre>" | fold($title) end;

def failed_one:
	"<article><b class=\"fail\">\(.name | text)</b> [\(.machine | text)] \(.rules | unique | join(" ") | text)"
	+ "<p>\(.reason | text)</p>"
	+ (.failures | map(failure) | unique | fold_lines("checks that failed (\(length))"))
	+ (.notes | fold_lines("evidence")) + (.splat | fold_lines("the kernel's report"))
	+ (.console | fold_lines("end of the console")) + (.output | fold_lines("other output"))
	+ "<p>replay: \(.replay | code)</p></article>";

def failures:
	[.tests[] | select(.outcome == "fail")]
	| (if . == [] then "<p>None.</p>" else map(failed_one) | add end)
	| section("failures"; "Failures");

def grouped($outcome; key; why): [.tests[] | select(.outcome == $outcome)] | group_by(key) | sort_by(-length)
	| map((length | number) + (.[0] | why)
	      + ((.[0] | .deviation.reason // .reason | text)
		 + (map("\(.name) [\(.machine)]") | unique | fold_lines("which")) | cell) | row);

def deviations:
	grouped("known"; [.deviation.rule, .deviation.reason];
		(.deviation.rule // "-" | id))
	| if . == [] then "<p>None.</p>" else table(["tests#", "rule", "reason"]) end
	| section("deviations"; "Known deviations");

def skips:
	grouped("skip"; .reason; "")
	| if . == [] then "<p>None.</p>" else table(["tests#", "reason"]) end
	| section("skips"; "Skipped: not shown by this run");

# How many kept the rule, in the colour of the worst
def rule_cell:
	if . == null then "–" | cell
	else . as $tests
		| (if any($tests[]; .outcome == "fail") then "fail"
		   elif all($tests[]; .outcome == "pass") then "pass" else "known" end) as $class
		| "\($tests | count("pass"))/\($tests | length)" | element("td"; "n \($class)") end;

def coverage:
	($rules | lines | map({ (.[0]): .[2] }) | add // {}) as $sentence
	| ([.tests[].machine] | unique) as $machines
	| (reduce .tests[] as $test ({}; reduce ($test.rules | unique)[] as $rule (.;
		.[$rule][$test.machine] += [$test]))) as $tests
	| ($sentence + $tests | keys)
	| (map(select($tests[.])) | length) as $seen
	| "<p>\($seen) of \(length) rules have a test in this run. A cell says how many of a rule's tests"
	  + " passed; a dash, that none ran there.</p>"
	  + (map(. as $rule
		| id + ([$machines[] | $tests[$rule][.] | rule_cell] | add // "")
		+ ($sentence[$rule] // "not in rules.tsv" | text | cell) | row)
	     | table(["rule"] + ($machines | map(. + "#")) + ["what it says"]))
	| section("rules"; "Rules");

# Of a count that was the same each time, once is enough; of too few samples there is no percentile.
def figure_row:
	.unit as $unit
	| (.name | id) + (if .least == .max then [(.median | quantity($unit)), "", "", ""]
		else [.median, .p99, .p999, .max | quantity($unit)] end | map(number) | add)
		+ (.samples | number) | row;

def figures_table:
	map(("<th colspan=\"6\">\("\(.name) [\(.machine)]" | text | gsub("[.]"; ".<wbr/>"))</th>" | row)
		+ (.figures | map(figure_row) | add))
	| table(["figure", "p50#", "p99#", "p99.9#", "max#", "samples#"]);

def figures:
	measured
	| if . == [] then "" else
		(if length > FEW then group_by([.machine, (.name | split(".")[0:2])])
			| map((.[0] | "\(.name | split(".")[0:2] | join(".")) [\(.machine)]") as $program
				| figures_table | fold($program | text)) | add
		 else figures_table end)
		| $plots + . | section("figures"; "Figures") end;

def matrix($tsv; $id; $title; $columns):
	if $tsv == "" then "" else
	($tsv | lines[1:] | map(map(text | cell) | add | row) | table($columns)) | section($id; $title) end;

def compared: if $compared == "" then "" else $compared | fromjson | comparison end;

def environment:
	[.environment | to_entries[] | (.key | text | cell) + (.value | tojson | code | cell) | row]
	| table(["", ""]) | section("environment"; "Environment");

.run.name as $name
| "<p>\(.run.name | text), \(.environment.date // "" | text):"
+ " \(.run.command // "" | code)</p>" + total
+ "<nav>" + (["summary", "failures", "deviations"] + (if $compared == "" then [] else ["comparison"] end)
	+ (if any(.tests[]; .figures != []) then ["figures"] else [] end)
	+ ["rules", "skips", "environment"]
	| map("<a href=\"#\(.)\">\(.)</a>") | join(" ")) + "</nav>"
+ summary + failures + deviations + compared + figures + coverage
+ matrix($faults; "faults"; "Planted faults"; ["fault", "the bug", "seen by"])
+ matrix($mutants; "mutants"; "Mutants"; ["mutant", "verdict", "killed by", "seconds"])
+ skips + environment
| page($name; $css)
