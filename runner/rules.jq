# SPDX-License-Identifier: GPL-2.0-only
# Rule x machine: of the tests that stand for a rule there, how many kept it. Needs --rawfile rules.

def left($n): . + (" " * ([$n - length, 0] | max) // "");

def kept: "\(map(select(.outcome == "pass")) | length)/\(length)";

($rules | split("\n") | map(select(test("^(#|$)") | not) | split("\t"))) as $listed
| (reduce $listed[] as $line ({}; .[$line[0]] = $line[2])) as $sentence
| ([.tests[].machine] | unique) as $machines
| (reduce .tests[] as $test ({}; reduce ($test.rules | unique)[] as $rule (.;
	.[$rule][$test.machine] += [$test]))) as $tests
| (($listed | map(.[0])) + ($tests | keys) | unique) as $rules
| ([$machines[] | [length + 2, 9] | max]) as $widths
| "rule      " + ([$machines, $widths] | transpose | map(.[1] as $n | .[0] | left($n)) | add // ""),
  ($rules[] as $rule
   | ($rule | left(10))
     + ([$machines, $widths] | transpose
        | map(.[1] as $n | $tests[$rule][.[0]] | (if . then kept else "-" end) | left($n))
        | add // "")
     + ($sentence[$rule] // "not in rules.tsv")),
  "\($tests | keys | length) of \($rules | length) rules have a test in this run"
