# SPDX-License-Identifier: GPL-2.0-only
# From results.json the baseline that is kept: what was measured, and what it holds for.
# Needs --arg bench: hash of the sources of the suite.

.environment as $environment
| {
	format: 1,
	key: {
		cpu: $environment.host.cpu,
		cpus: $environment.host.cpus,
		target: $environment.target,
		kernel: ($environment.kernels | map_values("\(.release) \(.config_hash)")),
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
