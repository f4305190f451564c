# SPDX-License-Identifier: GPL-2.0-only
# Do machines agree? Of several results.json (inputs): the tests that ran on two machines or more, how
# many of each pair have the same verdict, and each difference with what explains it.

def ran: .outcome | IN("pass", "fail", "known");
# A deviation that is listed keeps its promise no more than one that is not.
def verdict: if .outcome == "pass" then "pass" else "fail" end;

# Of one machine: a test that was repeated failed if it ever did.
def by_machine:
	group_by(.machine) | map(sort_by(verdict)[0] | { machine, verdict: verdict,
		why: (if .outcome == "known" then .reason else null end) });

def pairs: . as $all | [range(length) as $i | range($i + 1; length) as $j | [$all[$i], $all[$j]]];

[inputs.tests[] | select(ran)] | group_by(.name)
| map({ name: .[0].name, by: by_machine } | select(.by | length > 1)) as $tests
| ($tests | map(select(.by | map(.verdict) | unique | length > 1))) as $differ
| {
	pairs: ([$tests[] | .by | pairs[] | { machines: map(.machine), same: (.[0].verdict == .[1].verdict) }]
		| group_by(.machines) | map({ machines: .[0].machines, tests: length,
			agree: (map(select(.same)) | length) })),
	differences: ($differ | map({ name,
		verdicts: (.by | map({ (.machine): .verdict }) | add),
		why: ([.by[].why | values] | unique),
		explained: (.by | all(.verdict == "pass" or .why)) }))
}
| if .pairs == [] then "no test ran on two machines"
  else
	(.pairs[] | "\(.machines | join(", ")): \(.tests) tests ran on both, \(.agree) agree, "
		+ "\(.tests - .agree) differ"),
	(.differences[] | "DIFFERS  \(.name)  "
		+ (.verdicts | to_entries | map("\(.key): \(.value)") | join(", ")),
		if .explained then .why[] | "    \(.)" else "    not explained by deviations.tsv" end)
  end
