# SPDX-License-Identifier: GPL-2.0-only
# results.json, from the objects that stream.awk prints. Needs --slurpfile environment, --arg run.

def counts: {
	passed: map(select(.outcome == "pass")) | length,
	known: map(select(.outcome == "known")) | length,
	failed: map(select(.outcome == "fail")) | length,
	skipped: map(select(.outcome == "skip")) | length
};

# A word that a shell takes as it is stays readable.
def shell: if test("^[A-Za-z0-9_./:=+-]+$") then . else @sh end;

def replay($environment):
	"./run.sh --target \($environment.target // "guest" | shell) --arch \(.arch | shell)"
	+ " --suite \(.suite | shell)"
	+ (if .test != "outside_tests" then " --test \("\(.program).\(.test)" | @sh)"
		elif .program != "boot" then " --test \(.program | @sh)" else "" end)
	+ (if $environment.seed then " --seed \($environment.seed | tostring | shell)" else "" end)
	+ ($environment.options.kernel // "" | if . == "" then "" else " --kernel " + shell end)
	+ (if $environment.options.debug == true then " --debug" else "" end)
	+ ($environment.options.duration // "" | if . == "" then "" else " --stress --duration " + shell end)
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
| [$all[] | .test // empty | explained | .replay = replay($environment)] as $tests
| {
	format: 1,
	run: { name: $run, seed: $environment.seed, command: $environment.command,
		seconds: $environment.seconds },
	environment: $environment,
	counts: ($tests | counts),
	programs: [$all[] | .program // empty],
	tests: $tests
}
