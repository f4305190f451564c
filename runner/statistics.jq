# SPDX-License-Identifier: GPL-2.0-only
# What a sample list says. Sorted or not; never empty.

def mean: add / length;
def median: sort | if length % 2 == 1 then .[(length - 1) / 2] else (.[length / 2 - 1] + .[length / 2]) / 2 end;

# The smallest sample that at least the share $p of all do not exceed
def percentile($p): sort | .[([($p * length | ceil) - 1, 0] | max)];

# The same where at least one sample is beyond it: 100 of them have a p99, 1000 a p99.9; else null
def percentile_seen($p): if length * (1 - $p) > 1 - 1e-6 then percentile($p) else null end;

# [low, high] of the median, 95 %: the order statistics of the binomial's normal approximation
def median_interval:
	sort | length as $n | (0.98 * ($n | sqrt)) as $half
	| [.[[($n / 2 - $half | floor), 0] | max], .[[($n / 2 + $half | ceil), $n - 1] | min]];

# Ranks from 1, ties share the mean of theirs: of [[value, who]...] sorted, [who, rank] each; and the ties' sizes
def ranked:
	group_by(.[0])
	| reduce .[] as $tie ({ next: 1, ranks: [], ties: [] };
		($tie | length) as $n
		| .next as $first
		| .ranks += [$tie[] | [.[1], $first + ($n - 1) / 2]]
		| .ties += [$n] | .next += $n);

# P(Z > z) of the standard normal distribution (Abramowitz and Stegun 26.2.17; error < 7.5e-8)
def normal_tail:
	if . < 0 then 1 - (-. | normal_tail) else
	. as $z | (1 / (1 + 0.2316419 * $z)) as $t
	| ((-$z * $z / 2) | exp) / ((2 * 3.141592653589793) | sqrt)
	* ($t * (0.319381530 + $t * (-0.356563782 + $t * (1.781477937 + $t * (-1.821255978 + $t * 1.330274429)))))
	end;

# Mann and Whitney's test of two sample lists: { u: of $a, z, p: two-sided }; normal approximation with
# corrections for ties and continuity
def mann_whitney($a; $b):
	($a | length) as $n | ($b | length) as $m
	| ([($a[] | [., "a"]), ($b[] | [., "b"])] | ranked) as $r
	| ([$r.ranks[] | select(.[0] == "a") | .[1]] | add) as $sum
	| ($sum - $n * ($n + 1) / 2) as $u
	| ($n + $m) as $all
	| ($n * $m / 12 * ($all + 1 - ([$r.ties[] | . * . * . - .] | add) / ($all * ($all - 1)))) as $variance
	| if $variance <= 0 then { u: $u, z: 0, p: 1 }
	  else (([(($u - $n * $m / 2) | fabs) - 0.5, 0] | max) / ($variance | sqrt)) as $z
	  | { u: $u, z: $z, p: (2 * ($z | normal_tail)) } end;

# How far blocks of the same measurement, made at different times, are apart, as a share of their middle:
# the machine's own A/A spread
def spread: map(median) | if length < 2 or median == 0 then 0 else (max - min) / median end;
