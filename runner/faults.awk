# SPDX-License-Identifier: GPL-2.0-only
# The fault matrix. Reads, in this order,
#
#	what=programs	"suite<TAB>program<TAB>fault<TAB>the bug": which fault is in which program
#	what=faults	"fault<TAB>the bug"
#	what=tests	"suite.program.test"
#	what=matrix	"fault<TAB>test<TAB>ok|not ok|skip"; fault "": nothing planted
#	what=witness	"fault<TAB>test": the test is known to see the fault
#
# and prints what -v want says: lines of work "fault|suite|program|TEST TEST..." for "witness" and
# "toothless" (tests that saw no fault, under every fault), the names of "unseen" faults, the table
# to "cover" everything the next time, or a "report" (status 1: something is wrong).

what == "programs" { within[$1 "." $2, $3] = 1; next }
what == "faults" { order[++faults] = $1; bug[$1] = $2; next }
what == "tests" { test_order[++tests] = $1; known[$1] = 1; next }
what == "witness" {
	if ($1 in bug && $2 in known)
		ask($1, $2)
	next
}
what == "matrix" && $1 == "" {
	if ($3 == "not ok")
		unsound[$2] = 1
	if ($3 == "skip")
		skipped[$2] = 1
	next
}
what == "matrix" && $3 == "not ok" && !(($1, $2) in seen) {
	seen[$1, $2] = 1
	seen_by[$1] = seen_by[$1] (seen_by[$1] == "" ? "" : " ") $2
	weight[$1]++
	teeth[$2] = teeth[$2] (teeth[$2] == "" ? "" : " ") $1
}
END {
	if (want == "witness")
		work()
	else if (want == "unseen")
		unseen()
	else if (want == "toothless")
		toothless()
	else if (want == "cover")
		cover()
	else
		exit report()
}

# ask(): a line of work for this fault and this program gains a test
function ask(fault, test,    part, program, key)
{
	split(test, part, ".")
	program = part[1] "|" part[2]
	key = fault "|" program
	if (!(key in asked))
		asked_order[++asks] = key
	asked[key] = asked[key] " " substr(test, length(part[1] part[2]) + 3)
}

function work(    i)
{
	for (i = 1; i <= asks; i++)
		print asked_order[i] "|" substr(asked[asked_order[i]], 2)
}

function unseen(    i)
{
	for (i = 1; i <= faults; i++)
		if (seen_by[order[i]] == "")
			print order[i]
}

function needs_teeth(test)
{
	return !(test in teeth) && !(test in unsound) && !(test in skipped)
}

function toothless(    i, j, part)
{
	for (i = 1; i <= tests; i++) {
		split(test_order[i], part, ".")
		for (j = 1; j <= faults && needs_teeth(test_order[i]); j++)
			if ((part[1] "." part[2], order[j]) in within)
				ask(order[j], test_order[i])
	}
	work()
}

# For each test the fault that the fewest tests see; then for each fault that was not needed a test
function cover(    i, j, n, list, best)
{
	for (i = 1; i <= tests; i++) {
		n = split(teeth[test_order[i]], list, " ")
		if (!n)
			continue
		best = list[1]
		for (j = 2; j <= n; j++)
			if (weight[list[j]] < weight[best])
				best = list[j]
		used[best] = 1
		print best, test_order[i]
	}
	for (i = 1; i <= faults; i++) {
		if (order[i] in used || seen_by[order[i]] == "")
			continue
		split(seen_by[order[i]], list, " ")
		print order[i], list[1]
	}
}

function report(    i, caught, bad)
{
	for (i = 1; i <= faults; i++) {
		print "fault", order[i], bug[order[i]], seen_by[order[i]]
		if (seen_by[order[i]] != "")
			caught++
		else if (++bad)
			print "SURVIVED  " order[i] "  " bug[order[i]]
	}
	for (i = 1; i <= tests; i++) {
		if (test_order[i] in unsound && ++bad)
			print "FAILS WITHOUT A FAULT  " test_order[i]
		else if (needs_teeth(test_order[i]) && ++bad)
			print "NO TEETH  " test_order[i]
	}
	printf "%d of %d faults caught by %d tests, %d wrong\n", caught, faults, tests, bad
	return bad > 0
}
