# SPDX-License-Identifier: GPL-2.0-only
# What tests measured, as people read it: the samples of all repeats of a test together.
include "statistics";

# Four significant digits at most, with no exponent: 1234567 reads 1235000, 0.01234 stays
def short:
	if . == null then "" elif . == 0 or (. == floor and fabs < 10000) then .
	else (fabs | log10 | floor) as $size
		| if $size >= 3 then (pow(10; $size - 3)) as $unit | . / $unit | round * $unit
		  else (pow(10; 3 - $size)) as $scale | . * $scale | round / $scale end end;

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
