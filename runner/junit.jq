# SPDX-License-Identifier: GPL-2.0-only
# results.json as JUnit XML, in the dialect that Jenkins reads (tests/results/junit.xsd)

def xml: tostring | @html;

def failure:
	"\(.rule): \(.file):\(.line): \(.expr): expected \(.expected), observed \(.observed)";

def evidence:
	[ (.failures[] | failure), (.notes[] | "note: \(.)"), .output[],
	  (.splat[] | "splat: \(.)"), (.console[] | "console: \(.)"), "replay: \(.replay)" ]
	| join("\n");

# What went wrong, in a word that consumers can sort by
def kind:
	(.reason | split(":")[0]) as $word
	| if "check not_run splat panic hang timeout exit flood disk garbled" | split(" ")
		| index($word | split(" ") | join("_")) then $word else "check" end;

def verdict:
	if .outcome == "fail" then
		"<failure type=\"\(kind | xml)\" message=\"\(.reason | xml)\">"
		+ "\(evidence | xml)</failure>"
	elif .outcome == "pass" then empty
	else "<skipped message=\"\(.reason | xml)\"/>" end;

def testcase:
	"    <testcase classname=\"\("\(.suite).\(.program)" | xml)\" name=\"\(.test | xml)\""
	+ " time=\"\(.duration_s)\">",
	(verdict | "      " + .),
	"    </testcase>";

def count(condition): map(select(condition)) | length;

def milliseconds: . * 1000 | round | . / 1000;

def totals:
	"tests=\"\(length)\" failures=\"\(count(.outcome == "fail"))\" errors=\"0\"";

def properties($environment; $arch):
	"    <properties>",
	({ seed: $environment.seed, nit: $environment.nit, qemu: $environment.qemu,
	   kernel: $environment.kernels[$arch].release, accel: $environment.accel[$arch] }
	 | to_entries[] | select(.value != null)
	 | "      <property name=\"\(.key)\" value=\"\(.value | xml)\"/>"),
	"    </properties>";

def testsuite($environment):
	"  <testsuite name=\"\(.[0] | "\(.suite).\(.machine).\(.repeat)" | xml)\" \(totals)"
	+ " skipped=\"\(count(.outcome == "skip" or .outcome == "known"))\""
	+ " time=\"\(map(.duration_s) | add | milliseconds)\">",
	properties($environment; .[0].arch),
	(.[] | testcase),
	"  </testsuite>";

.environment as $environment
| "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
  "<testsuites name=\"nit\" \(.tests | totals)>",
  (.tests | group_by([.suite, .machine, .repeat])[] | testsuite($environment)),
  "</testsuites>"
