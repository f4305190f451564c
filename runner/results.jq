# SPDX-License-Identifier: GPL-2.0-only
# results.json, from the objects that stream.awk prints. Needs --slurpfile environment, --arg run.

def counts: {
	passed: map(select(.outcome == "pass")) | length,
	known: map(select(.outcome == "known")) | length,
	failed: map(select(.outcome == "fail")) | length,
	skipped: map(select(.outcome == "skip")) | length
};

# fio reports in JSON. What it says of a job is figures of the test that ran it; a report that did not arrive whole
# has none.
def fio_figures:
	def figure($name; $unit): { name: $name, unit: $unit, kind: "time", samples: [.] };
	fromjson? | .jobs[]? | .jobname as $job
	| to_entries[] | select(.key | IN("read", "write")) | select(.value.total_ios > 0)
	| "\($job)_\(.key)" as $name | .value
	| (.iops | figure("\($name)_iops"; "1/s")),
	  (.bw_bytes | figure("\($name)_bandwidth"; "B/s")),
	  ({ "50.000000": "p50", "99.000000": "p99", "99.900000": "p999" } as $known
		| .clat_ns.percentile // {} | to_entries[] | select($known[.key])
		| $known[.key] as $p | .value | figure("\($name)_\($p)"; "ns")),
	  (.clat_ns.max | figure("\($name)_max"; "ns"));

def with_fio:
	(.fio // [] | add) as $report | del(.fio)
	| if $report == null then . else [$report | fio_figures] as $figures | .figures += $figures
		| if $figures == [] then .notes += ["no figures: the report of fio did not arrive whole"] else . end
	  end;

# A word that a shell takes as it is stays readable.
def shell: if test("^[A-Za-z0-9_./:=+-]+$") then . else @sh end;

def replay($environment):
	"./run.sh --target \($environment.target // "guest" | shell) --arch \(.arch | shell)"
	+ " --suite \(.suite | shell)"
	+ (if .test != "outside_tests" then " --test \("\(.program).\(.test)" | @sh)"
		elif .program != "boot" then " --test \(.program | @sh)" else "" end)
	+ ($environment.options.device // "" | if . == "" then "" else " --device " + shell end)
	+ ($environment.programs // "" | if . == "" then "" else " --programs " + shell end)
	+ (if $environment.seed then " --seed \($environment.seed | tostring | shell)" else "" end)
	+ ($environment.options.kernel // "" | if . == "" then "" else " --kernel " + shell end)
	+ (if $environment.options.debug == true then " --debug" else "" end)
	+ (if $environment.options.stress == true then " --stress" else "" end)
	+ ($environment.options.duration // "" | if . == "" then "" else " --duration " + shell end)
	+ ($environment.options.fault // "" | if . == "" then "" else " --fault " + shell end);

def explained:
	if .deviation and .outcome == "known" then
		.failure = .reason | .reason = "known deviation: " + .deviation.reason
	elif .outcome == "fail" and .reason == "" then
		.reason = ((.failures[0] | values
				| "\(.expr): expected \(.expected), observed \(.observed)")
			// (.output[0] // "failed" | ltrimstr("# ")))
	else . end;

($environment[0] // {}) as $environment
| [inputs] as $all
| [$all[] | .test // empty | explained | with_fio | .replay = replay($environment)] as $tests
| {
	format: 1,
	run: { name: $run, seed: $environment.seed, command: $environment.command,
		seconds: $environment.seconds },
	environment: $environment,
	counts: ($tests | counts),
	programs: [$all[] | .program // empty],
	tests: $tests
}
