# SPDX-License-Identifier: GPL-2.0-only
# results.json as a person reads it. Needs -L runner, --arg dir, files, colour ("" for none).
include "figures";

def left($n): . + (" " * ([$n - length, 0] | max) // "");
def right($n): (" " * ([$n - length, 0] | max) // "") + .;
def paint($code): if $colour == "" then . else "\u001b[\($code)m\(.)\u001b[0m" end;
def red: paint("31");
def green: paint("32");
def yellow: paint("33");
def count($outcome): map(select(.outcome == $outcome)) | length;
def groups(key): group_by(key) | sort_by(-length);

# The whole of a long text is in results.json and deviations.tsv.
def cut($n): if length > $n then .[0:$n - 3] + "..." else . end;

# 97.4 reads 1:37
def clock: floor | "\(. / 60 | floor):\(. % 60 | tostring | if length < 2 then "0" + . else . end)";

def cell($outcome; $word):
	count($outcome) as $n
	| "\($n | tostring | right(6)) \($word)"
	| if $n == 0 then . elif $outcome == "fail" then red elif $outcome == "pass" then green
	  else yellow end;

def cells: cell("pass"; "passed") + cell("known"; "known") + cell("fail"; "failed")
	+ cell("skip"; "skipped");

def header:
	.environment as $e
	| ([$e.kernels // {} | to_entries[] | .value.release // empty] | unique) as $releases
	| "nit" + (if $releases == [] then "" else "  linux \($releases | join(", "))" end)
	+ (if ($e.qemu // "") != "" then "  qemu \($e.qemu)" else "" end)
	+ (if $e.seed then "  seed \($e.seed)" else "" end);

def rows:
	.environment as $e | .programs as $programs
	| (.tests | group_by([.suite, .machine])) as $rows
	| ($rows | map(.[0].suite | length) | max // 0) as $suite_width
	| ($rows | map(.[0].machine | length) | max // 0) as $machine_width
	| $rows[]
	| .[0] as $first
	| [$programs[] | select(.suite == $first.suite and .machine == $first.machine)] as $ran
	| "  \($first.suite | left($suite_width))  \($e.target // "guest")"
	  + " \($first.machine | left($machine_width))"
	  + " \($e.accel[$first.arch] // "" | left(4)) \(cells)"
	  + "\([$ran[].checks] | add // 0 | tostring | right(9)) checks"
	  + "\([$ran[].duration_s] | add // 0 | clock | right(7))";

def failure_lines:
	"\(.file):\(.line): \(.expr)" + (if .times > 1 then "  (\(.times) times)" else "" end),
	"    expected \(.expected), observed \(.observed)";

# The same check may fail again and again in a loop.
def distinct:
	.failures | to_entries | group_by(.value) | sort_by(.[0].key)
	| map(.[0].value + { times: length });

# What results.jq makes the reason of a test that gives no other
def failure_reason: "\(.expr): expected \(.expected), observed \(.observed)";

# A loop may fail a thousand times; the first and their number say as much.
def failures:
	distinct as $distinct
	| ($distinct[0:3][] | failure_lines),
	  ($distinct | length | if . > 3 then "... and \(. - 3) more failed checks" else empty end);

def rule_names: [.failures[].rule | select(. != "-")] | unique
	| if length == 0 then "" else "  " + join(" ") end;

def first_complaint:
	first(.console[] | select(test("panic|BUG|Oops|WARNING|Unable to handle")));

def evidence:
	(if .failures != [] and .reason == (.failures[0] | failure_reason) then empty
	 else .reason end),
	failures,
	(.reason as $reason | if .failures == [] then .output[0:3][] | ltrimstr("# ")
		| select(. != $reason) else empty end),
	(.notes[0:3][] | "note: \(.)"),
	(if .splat != [] and (.reason | startswith("splat:") | not) then "splat: \(.splat[0])"
	 else empty end),
	(.splat | length
	 | if . > 1 then "(\(.) lines of the kernel's report are in results.json)" else empty end),
	(if .splat == [] then first_complaint | "console: \(.)" else empty end),
	"replay: \(.replay)";

def failed_once($runs):
	"\("FAIL" | red)  \(.name)  [\(.machine)]\(rule_names)" + $runs, (evidence | "      " + .);

# The repeats of a test fail together or not, but are one failure to look into.
def failed:
	([.tests[].repeat] | max // 1) as $repeats
	| [.tests[] | select(.outcome == "fail" and .ran)] | group_by([.machine, .name])[]
	| (if $repeats > 1 then "  (\(length) of \($repeats) runs)" else "" end) as $runs
	| .[0] | failed_once($runs);

def not_run:
	[.tests[] | select(.outcome == "fail" and (.ran | not))]
	| group_by([.machine, .suite, .program, .reason])[]
	| "\("FAIL" | red)  \(.[0] | "\(.suite).\(.program)  [\(.machine)]")  \(length) planned,"
		+ " \(.[0].reason)",
	  ("      " + ([.[0:3][].test] | join(", ")) + if length > 3 then ", ..." else "" end),
	  (.[0] | "      replay: \(.replay)");

def known:
	[.tests[] | select(.outcome == "known")] | groups([.deviation.rule, .reason])[]
	| "\("KNOWN" | yellow)  \(length)  \(.[0].deviation.rule // "the harness expects it")"
		+ "  \(.[0] | .deviation.reason // .reason | cut(88))";

def skipped:
	[.tests[] | select(.outcome == "skip")] | groups(.reason)[]
	| "\("SKIP" | yellow)  \(length)  \(.[0].reason)";

# A count is the same each time, and so is what was measured once. It may be its own unit.
def once: .least == .max;
def once_words: "\(.name) " + (.unit as $unit | .name as $name | .median
	| quantity(if $unit == $name then "1" else $unit end));

# Of a rate where it lies; of the rest the worst, too. Of too few samples there is no percentile.
def time_words:
	.unit as $unit
	| "\(.name | left(17))  p50 \(.median | quantity($unit))"
	+ if .unit | endswith("/s") then "  \(.least | quantity($unit)) to \(.max | quantity($unit))"
	  else ([["p99", .p99], ["p99.9", .p999], ["max", .max]] | map(select(.[1] != null)
		| "  \(.[0]) \(.[1] | quantity($unit))") | add) end
	+ "  (\(.samples) samples)";

def figures:
	measured
	| if length > FEW then "\("FIGURES" | green)  \(length) tests measured something: report.html, results.json"
	  else .[] | "\("FIGURES" | green)  \(.name)  [\(.machine)]",
		([.figures[] | select(once) | once_words]
			| if . == [] then empty else "      " + join(", ") end),
		(.figures[] | select(once | not) | "      " + time_words) end;

def unplanned:
	[.tests[] | select((.planned | not) and .test != "outside_tests")]
	| if . == [] then empty
	  else "\("UNPLANNED" | yellow)  \(length)  \([.[0:3][].name] | join(", "))"
		+ if length > 3 then ", ..." else "" end end;

def unexpected:
	.tests[] | select(.unexpected_pass)
	| "\("UNEXPECTED PASS" | yellow)  \(.name)  [\(.machine)]"
		+ "  \(.deviation.reason // "expected to fail")";

def total:
	(.counts | "\(.passed) passed, \(.failed) failed, \(.skipped) skipped, \(.known) known")
	+ if .run.seconds then " in \(.run.seconds | clock)" else "" end;

header, rows, figures, failed, not_run, known, skipped, unexpected, unplanned, total,
"\($dir): \($files)"
