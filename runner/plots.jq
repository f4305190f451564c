# SPDX-License-Identifier: GPL-2.0-only
# Of results.json the points of its plots, a line each: what, program, label, values. Needs -L runner.
#	latency: label of the test; least, first quartile, median, third quartile, p99 (of fewer than 100
#		samples the most)
#	rate: label of the devices; invalidations a second, DMAs a second beside them
include "figures";

def parts: .name | split(".");

measured[]
| parts[0:2] as $program | parts[3:] as $test
| (.figures | map(select(.name | startswith("rate_")) | { (.name[5:]): .median }) | add // {}) as $rates
| .figures[]
| if .name == "latency" then
	["latency", ($program | join(".")), ($test | join(".")), .least, .p25, .median, .p75, .p99 // .max]
  elif .name | startswith("dma_") and $rates[.[4:]] != null then
	["rate", ($program | join(".")), $test[0], $rates[.name[4:]], .median]
  else empty end
| @tsv
