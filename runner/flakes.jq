# SPDX-License-Identifier: GPL-2.0-only
# How often each test failed over the repeats of a run, and how many tests could not decide.

def left($n): . + (" " * ([$n - length, 0] | max) // "");
def right($n): (" " * ([$n - length, 0] | max) // "") + .;
def percent($n):
	if $n == 0 then "0.0"
	else . * 1000 / $n | round | "\(. / 10 | floor).\(. % 10)" end;

[ .tests | group_by([.machine, .name])[]
  | { name: .[0].name, machine: .[0].machine, runs: length,
      failed: map(select(.outcome == "fail")) | length,
      outcomes: map(.outcome) | unique | length } ] as $tests
| ($tests | map(select(.failed > 0))) as $failing
| ($tests | map(select(.outcomes > 1)) | length) as $flaky
| ($failing | map(.name | length) | max // 0) as $width
| ($tests | map(.runs) | add // 0) as $runs
| (if $failing == [] then empty else "failure rates" end),
  ($failing | sort_by(-.failed / .runs)[]
   | "  \(.name | left($width))  \(.machine)  \("\(.failed)/\(.runs)" | right(7))"
     + "  \(.runs as $n | .failed | percent($n) | right(5)) %"
     + if .outcomes > 1 then "  flaky" else "" end),
  "flake rate: \($flaky) of \($tests | length) tests (\($flaky | percent($tests | length)) %)"
  + " had different outcomes; \($failing | map(.failed) | add // 0) of \($runs) runs failed"
