# SPDX-License-Identifier: GPL-2.0-only
# Baseline $b against baseline $a: an object for each figure that says something. docs/bench.md
# Needs -n, -L runner, --arg name_a, name_b, --slurpfile a, b, and kept: what is kept beside them, of which
# that with the same key says how far runs on this machine are apart. Prints
#	{ format: 1, a: { name, nit, date }, b: the same, and
#	  refused: [what differs], or figures: [{ name, machine, kind, unit, a, b, change, verdict }] }
# and of a time least, which is no change yet, and interval_a, interval_b, of the medians.
include "statistics";

def LEAST: 0.05;	# a change below this is no difference, whatever the samples say
def SPREADS: 3;		# nor one below so many times the machine's own spread
def SURE: 0.01;

def index_by_name: map({ ("\(.machine) \(.name)"): . }) | add // {};
def higher_is_better: .unit | endswith("/s");

def refused($a; $b):
	[($a + $b | keys[]) | select($a[.] != $b[.]) | "\(.): \($a[.] | tojson) and \($b[.] | tojson)"];

def change($from; $to): if $from == $to then 0 elif $from == 0 then null else ($to - $from) / $from end;

def counted($a; $b):
	($a.blocks | add | mean) as $from | ($b.blocks | add | mean) as $to
	| { a: $from, b: $to, change: change($from; $to),
	    verdict: (if $to == $from then "same" elif $to > $from then "rise" else "fall" end) };

# Every block of the one is beyond every block of the other: a run that was disturbed for a while is not.
def separate($a; $b):
	($a | map(median)) as $a | ($b | map(median)) as $b
	| ($a | max) < ($b | min) or ($b | max) < ($a | min);

# The largest change between other runs of the same, of which there are the samples, a list for each
def apart: map(median) | if length < 3 or min == 0 then 0 else (max - min) / min end;

def timed($a; $b; $others):
	($a.blocks | add) as $all_a | ($b.blocks | add) as $all_b
	| ($all_a | median) as $from | ($all_b | median) as $to
	| ([LEAST, SPREADS * ([$a, $b] | map(.blocks | spread) | max), ($others | apart)] | max) as $least
	| (change($from; $to) // 0) as $change
	| { a: $from, b: $to, change: $change, least: $least,
	    interval_a: ($all_a | median_interval), interval_b: ($all_b | median_interval),
	    verdict: (if ($change | fabs) <= $least or (separate($a.blocks; $b.blocks) | not)
			or mann_whitney($all_a; $all_b).p >= SURE then "~"
		      elif ($to > $from) == ($a | higher_is_better) then "faster" else "slower" end) };

def compared($a; $b; $others):
	if $a == null then { verdict: "new", b: ($b.blocks | add | median) }
	elif $b == null then { verdict: "gone", a: ($a.blocks | add | median) }
	elif [$a.kind, $a.unit] != [$b.kind, $b.unit] then { verdict: "gone", a: ($a.blocks | add | median) }
	elif $a.kind == "count" then counted($a; $b) else timed($a; $b; $others) end;

$a[0] as $a | $b[0] as $b
| refused($a.key; $b.key) as $refused
| { format: 1, a: ($a | { name: $name_a, nit, date }), b: ($b | { name: $name_b, nit, date }) }
  + if $refused != [] then { refused: $refused }
  else ($a.figures | index_by_name) as $old | ($b.figures | index_by_name) as $new
  | [$kept[] | select(.key == $a.key and .date != $a.date and .date != $b.date)
	| .figures | map(select(.kind == "time")) | index_by_name] as $runs
  | { figures: [($old + $new | keys[]) as $name
	| (($new[$name] // $old[$name]) | { name, machine, kind, unit }) + compared($old[$name]; $new[$name];
		[$runs[][$name] | values | .blocks | add])] }
  end
