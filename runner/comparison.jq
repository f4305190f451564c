# SPDX-License-Identifier: GPL-2.0-only
# What compare.jq found, as a section of a page.
include "figures";
include "page";

# What a person looks at first
def worst: ["rise", "gone", "slower", "new", "fall", "faster", "~", "same"];
def colour: if IN("rise", "gone") then "fail" elif IN("slower") then "known" elif IN("fall", "faster") then "pass"
	else "" end;

def percent: if . == null then "" else "\(if . > 0 then "+" else "" end)\(. * 1000 | round / 10) %" end;
def between: if . == null then "" else "\(.[0] | short) to \(.[1] | short)" end;

def comparison_row:
	(.verdict as $verdict | $verdict | ascii_upcase | text | element("td"; "id \($verdict | colour)"))
	+ ("\(.name) [\(.machine)]" | text | cell)
	+ ([(.a | short), (.b | short), (.change | percent)] | map(number) | add)
	+ (.unit | id)
	+ ([(.interval_a | between), (.interval_b | between), (.least | percent)] | map(number) | add) | row;

def comparison_table:
	map(comparison_row)
	| table(["", "figure", "A#", "B#", "change#", "unit", "A, 95 %#", "B, 95 %#", "noise#"]);

def comparison_side($name): "\($name): \(.name), \(.date), nit \(.nit)" | text | element("li"; "");

def comparison_counts($by):
	[worst[] | select($by[.]) | "\($by[.] | length) \(if . == "~" then "within noise" else . end)"]
	| join(", ");

def comparison_tables($by):
	([worst[:-2][] | $by[.] // [] | .[]]
		| if . == [] then "<p>No difference.</p>" else comparison_table end)
	+ if $by["~"] then $by["~"] | comparison_table | fold("times within the noise") else "" end;

def comparison_body:
	if .refused then
		"<p class=\"fail\">Not comparable:</p>"
		+ (.refused | map(text | element("li"; "")) | add | element("ul"; ""))
	else
		(.figures | group_by(.verdict) | map({ (.[0].verdict): . }) | add // {}) as $by
		| "<p>\(.figures | length) figures: \(comparison_counts($by) | text). "
		+ "A count that rises, or is gone, fails; a time never does.</p>" + comparison_tables($by)
	end;

def comparison:
	(([.a | comparison_side("A")] + [.b | comparison_side("B")]) | add | element("ul"; "")) + comparison_body
	| section("comparison"; "Comparison with a baseline");
