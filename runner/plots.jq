# SPDX-License-Identifier: GPL-2.0-only
# Of results.json the points of its plots, a line each: what, program, label, values. Needs -L runner.
#	latency: label of the test; least, first quartile, median, third quartile, p99 (of fewer than 100
#		samples the most)
#	rate: label of the devices; invalidations a second, DMAs a second beside them
include "figures";

def parts: .name | split(".");

measured[]
| parts[0:2] as $program | parts[3:] as $test | .figures[]
| if .name == "latency" then
	["latency", ($program | join(".")), ($test | join(".")), .least, .p25, .median, .p75, .p99 // .max]
  elif .name | test("^every_[0-9]+$") then
	["rate", ($program | join(".")), $test[0], .median / (.name | ltrimstr("every_") | tonumber), .median]
  else empty end
| @tsv
