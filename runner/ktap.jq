# SPDX-License-Identifier: GPL-2.0-only
# results.json as KTAP: suite and machine / program / test. Diagnostics precede the result that they
# explain.

# Items by key, in the order in which the keys first turn up; group_by alone would sort them.
def runs_of(key):
	to_entries | map({ at: .key, name: (.value | key), item: .value })
	| group_by(.name) | sort_by(.[0].at)
	| map({ name: .[0].name, items: map(.item) });


# A description ends at "#", and so does a reason for some consumers.
def words: split("#") | join(" ") | split("\n") | join(" ");

def failure: "check failed: \(.rule): \(.file):\(.line): \(.expr):"
	+ " expected \(.expected), observed \(.observed)";

def diagnostics:
	(.rules[] | "rule \(.)"),
	(if .outcome == "fail" and .reason != "" then "reason: \(.reason)" else empty end),
	(.failures[] | failure),
	(if .outcome == "pass" or .outcome == "skip" then empty else .notes[] | "note: \(.)" end),
	(if .outcome == "fail" then .output[] else empty end),
	(.splat[] | "splat: \(.)"),
	(if .outcome == "fail" then .console[] | "console: \(.)" else empty end),
	(if .unexpected_pass then "unexpected pass: \(.deviation.reason // "expected to fail")"
	 else empty end),
	(if .outcome == "fail" then "replay: \(.replay)" else empty end);

def test_line($number):
	if .outcome == "pass" then "ok \($number) \(.test)"
	elif .outcome == "skip" then "ok \($number) \(.test) # SKIP \(.reason | words)"
	elif .outcome == "known" then "ok \($number) \(.test) # XFAIL \(.reason | words)"
	else "not ok \($number) \(.test)" end;

# What holds of all of a group's tests holds of the group.
def group_line($number; $name):
	if any(.[]; .outcome == "fail") then "not ok \($number) \($name)"
	elif all(.[]; .outcome == "skip") then "ok \($number) \($name) # SKIP all skipped"
	else "ok \($number) \($name)" end;

def numbered: to_entries[] | .value + { number: (.key + 1) };

def header: "KTAP version 1", "1..\(length)";

(.tests | any(.repeat > 1)) as $repeated
| .tests
| runs_of("\(.suite).\(.machine)" + if $repeated then ".\(.repeat)" else "" end)
| header, (numbered
	| (.items | runs_of(.program)
		| header, (numbered
			| (.items | "  " + header, (to_entries[] | (.key + 1) as $number | .value
				| "  " + (("# " + (diagnostics | words)), test_line($number)))),
			(.number as $number | .name as $name | .items | group_line($number; $name)))
		| "  " + .),
	(.number as $number | .name as $name | .items | group_line($number; $name)))
