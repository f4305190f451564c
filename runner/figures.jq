# SPDX-License-Identifier: GPL-2.0-only
# What tests measured, as people read it: the samples of all repeats of a test together.
include "statistics";

# Four significant digits at most, with no exponent: 1234567 reads 1235000, 0.01234 stays
def short:
	if . == null then "" elif . == 0 or (. == floor and fabs < 10000) then .
	else (fabs | log10 | floor) as $size
		| if $size >= 3 then (pow(10; $size - 3)) as $unit | . / $unit | round * $unit
		  else (pow(10; 3 - $size)) as $scale | . * $scale | round / $scale end end;

def scaled($steps):
	. as $value | ([$steps[] | select(.[0] <= ($value | fabs))][0] // $steps[-1]) as $step
	| "\($value / $step[0] | short) \($step[1])";

# A value with its unit, as one would say it: 39580000 of "ns" reads 39.58 ms. "1" is no unit.
def quantity($unit):
	if . == null then ""
	elif $unit == "ns" then scaled([[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]])
	elif $unit == "B/s" then scaled([[1e9, "GB/s"], [1e6, "MB/s"], [1e3, "kB/s"], [1, "B/s"]])
	elif $unit == "1" then "\(short)" else "\(short) \($unit | ltrimstr("1"))" end;

# So many tests can be read one after the other
def FEW: 24;

# Of results.json: an object for each test that measured something, with its figures
def measured:
	[.tests[] | select(.figures != [])] | group_by([.machine, .name])
	| map({
		name: .[0].name,
		machine: .[0].machine,
		figures: (([.[0].figures[].name]) as $order
			| [.[].figures[]] | group_by(.name)
			| map((.[0] | { name, unit, kind }) + ([.[].samples[]] | {
				samples: length,
				least: min,
				p25: percentile(0.25),
				median: median,
				p75: percentile(0.75),
				p99: percentile_seen(0.99),
				p999: percentile_seen(0.999),
				max: max
			}))
			| sort_by(.name as $name | $order | index($name)))
	});
