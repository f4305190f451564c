# SPDX-License-Identifier: GPL-2.0-only
# What programs said, each after a line "#@ FAULT SUITE.PROGRAM.", as lines of the fault matrix:
# "fault<TAB>test<TAB>ok|not ok|slow|skip<TAB>the faults that it came to". A program that dies fails
# the test that was running; "slow" is a failure that took until a bound.

BEGIN { OFS = "\t" }

/^#@ / {
	died()
	fault = $2 == "-" ? "" : $2
	prefix = $3
	next
}
/^# +RUN / {
	name = $3
	slow = 0
	reached = ""
	split("", had)
	next
}
/# reached / {
	place = $0
	sub(/.*# reached /, "", place)
	if (!(place in had))
		reached = reached (reached == "" ? "" : " ") place
	had[place] = 1
	next
}
/terminated by timeout|terminated unexpectedly by signal (24|9)$/ { slow = 1 }
/^(not )?ok [0-9]+ / && name != "" {
	print fault, prefix name, !/^ok/ ? (slow ? "slow" : "not ok") : /# SKIP/ ? "skip" : "ok", reached
	name = ""
}
END { died() }

function died()
{
	if (name != "")
		print fault, prefix name, "slow", reached
	name = ""
}
