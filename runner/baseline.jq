# SPDX-License-Identifier: GPL-2.0-only
# From results.json the baseline that is kept: what was measured, and what it holds for.
# Needs --arg bench: hash of the sources that measure, machines: lines "NAME<TAB>HASH".

.environment as $environment
| {
	format: 1,
	key: {
		cpu: $environment.host.cpu,
		cpus: $environment.host.cpus,
		target: $environment.target,
		machines: ($machines | split("\n") | map(select(. != "") / "\t" | { (.[0]): .[1] }) | add),
		kernel: ($environment.kernels | map_values("\(.release) \(.config_hash)")),
		accel: $environment.accel,
		qemu: $environment.qemu,
		seed: $environment.seed,
		bench: $bench
	},
	nit: $environment.nit,
	date: $environment.date,
	figures: ([.tests[] | .machine as $machine | .name as $test | .repeat as $repeat | .figures[]
		| { name: "\($test).\(.name)", machine: $machine, unit, kind, repeat: $repeat, samples }]
		| group_by([.machine, .name])
		| map((.[0] | { name, machine, unit, kind }) + { blocks: (sort_by(.repeat) | map(.samples)) }))
}
