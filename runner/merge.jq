# SPDX-License-Identifier: GPL-2.0-only
# Several results.json (inputs) as one. Needs --arg run.

def counts: {
	passed: map(select(.outcome == "pass")) | length,
	known: map(select(.outcome == "known")) | length,
	failed: map(select(.outcome == "fail")) | length,
	skipped: map(select(.outcome == "skip")) | length
};

# What must be the same for results to stand side by side
def same($what; value):
	map(value) | unique
	| if length > 1 then error("the runs differ in \($what): \(map(tojson) | join(", "))") else .[0] end;

# What is not in a guest is named after the machine that it ran on, where there are several.
def with_hosts:
	map(.environment.host.name) as $names
	| if $names | unique | length == 1 then .
	  else map(if .environment.target == "guest" then . else
		(.environment.host.name // "unknown" | gsub("[^A-Za-z0-9-]"; "-")) as $name
		| (.tests[], .programs[]).machine |= "\(.)-\($name)" end) end;

[inputs] | with_hosts as $runs
| ($runs | same("the revision of nit"; .environment.nit)) as $nit
| ($runs | same("the seed"; .environment.seed)) as $seed
| ($runs | same("the target"; .environment.target)) as $target
| ($runs | same("their options"; .environment.options // {} | del(.device))) as $options
| ([$runs[].environment.kernels // {} | to_entries[]] | group_by(.key)
   | map({ (.[0].key): same("the kernel"; .value) }) | add // {}) as $kernels
| [$runs[].tests[]] as $tests
| ($tests | group_by([.machine, .name, .repeat]) | map(select(length > 1))
   | if . == [] then null
     else error("two runs have the same test: \(.[0][0].name) [\(.[0][0].machine)]") end) as $twice
| {
	format: 1,
	run: { name: $run, seed: $seed, command: ([$runs[].run.command] | join("; ")),
		seconds: ([$runs[].run.seconds // 0] | max) },
	environment: { nit: $nit, seed: $seed, target: $target, options: $options, kernels: $kernels,
		accel: ([$runs[].environment.accel // {}] | add),
		qemu: ([$runs[].environment.qemu] | unique | join(", ")),
		date: ([$runs[].environment.date] | min), runs: [$runs[].environment] },
	counts: ($tests | counts),
	programs: [$runs[].programs[]],
	tests: $tests
}
