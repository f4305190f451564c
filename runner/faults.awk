# SPDX-License-Identifier: GPL-2.0-only
# The fault matrix. Reads, in this order,
#
#	what=faults	"fault<TAB>the bug"
#	what=tests	"suite.program.test"
#	what=matrix	lines of faults-output.awk; fault "": nothing planted. Twice where something was
#			searched for; a test that failed either time fails.
#	what=witness	"fault<TAB>test": the test is known to see the fault
#
# and prints what -v want says: lines of work "fault|suite|program|TEST TEST..." for "witness" or a
# "search" (-v most=N: for each fault that nothing saw N tests that come to it, for each test that saw
# nothing N faults that it comes to), what is still "open", the table to "cover" everything the next
# time, or a "report" (status 1: something is wrong).

what == "faults" { fault[++faults] = $1; bug[$1] = $2; next }
what == "tests" { test[++tests] = $1; known[$1] = 1; next }
what == "witness" {
	if ($1 in bug && $2 in known)
		witness[++witnesses] = $0
	next
}
what == "matrix" && $1 == "" {
	if (result[$2] == "" || result[$2] == "ok")
		result[$2] = $3
	reached[$2] = $4
	next
}
what == "matrix" {
	tried[$1, $2] = 1
	if (result[$2] != "ok")
		next	# it fails anyway
	if ($3 != "not ok" && $3 != "slow" || ($1, $2) in seen)
		next
	seen[$1, $2] = $3
	seen_by[$1] = seen_by[$1] (seen_by[$1] == "" ? "" : " ") $2
	weight[$1]++
	sees[$2] = sees[$2] (sees[$2] == "" ? "" : " ") $1
}
END {
	if (want == "witness")
		try_again()
	else if (want == "search")
		search()
	else if (want == "open")
		open()
	else if (want == "cover")
		cover()
	else
		exit report()
}

# ask(): a line of work for this fault and this program gains a test
function ask(fault, test,    part, program, key)
{
	if ((fault, test) in tried)
		return 0
	tried[fault, test] = 1
	split(test, part, ".")
	program = part[1] "|" part[2]
	key = fault "|" program
	if (!(key in asked))
		asked_order[++asks] = key
	asked[key] = asked[key] " " substr(test, length(part[1] part[2]) + 3)
	return 1
}

function work(    i)
{
	for (i = 1; i <= asks; i++)
		print asked_order[i] "|" substr(asked[asked_order[i]], 2)
}

function try_again(    i, pair)
{
	for (i = 1; i <= witnesses; i++) {
		split(witness[i], pair, "\t")
		ask(pair[1], pair[2])
	}
	work()
}

# Whether a test must see a fault: not if it fails anyway, does not run here, or is the kernel's
function toothless(test)
{
	return test !~ /^uapi\./ && result[test] == "ok" && sees[test] == ""
}

# A test that comes to few faults is about them, and a fault that few tests come to is about these:
# such pairs first.
function search(    i, t, f, n, list, order)
{
	for (t = 1; t <= tests; t++)
		places[test[t]] = split(reached[test[t]], list, " ")
	sort_by(test, tests, places, order)
	for (i = 1; i <= tests; i++) {
		t = order[i]
		n = split(reached[t], list, " ")
		for (f = 1; f <= n; f++)
			visits[list[f]]++
		if (result[t] != "ok")
			continue
		for (f = 1; f <= n; f++)
			if (list[f] in bug && seen_by[list[f]] == "" && spent[list[f]] + 0 < most)
				spent[list[f]] += ask(list[f], t)
	}
	sort_by(fault, faults, visits, order)
	for (t = 1; t <= tests; t++) {
		if (!toothless(test[t]))
			continue
		split("", comes_to)
		n = split(reached[test[t]], list, " ")
		for (f = 1; f <= n; f++)
			comes_to[list[f]] = 1
		for (f = i = 1; f <= faults && i <= most; f++)
			if (order[f] in comes_to)
				i += ask(order[f], test[t])
	}
	work()
}

# sort_by(): names[1..n] into order[1..n], those with the smallest count first
function sort_by(names, n, count, order,    i, c, last, bucket, list, members, filled)
{
	split("", order)
	for (i = 1; i <= n; i++) {
		c = count[names[i]] + 0
		bucket[c] = bucket[c] " " names[i]
		last = c > last ? c : last
	}
	for (c = 0; c <= last; c++) {
		members = split(bucket[c], list, " ")
		for (i = 1; i <= members; i++)
			order[++filled] = list[i]
	}
}

function open(    i)
{
	for (i = 1; i <= faults; i++)
		if (seen_by[fault[i]] == "")
			print fault[i]
	for (i = 1; i <= tests; i++)
		if (toothless(test[i]))
			print test[i]
}

# What is known and still so. Then for each test the fault that the fewest tests see, rather one
# that takes no time; then for each fault that is still without a test one.
function cover(    i, j, n, list, pair, best)
{
	for (i = 1; i <= witnesses; i++) {
		split(witness[i], pair, "\t")
		if ((pair[1], pair[2]) in seen)
			choose(pair[1], pair[2])
	}
	for (i = 1; i <= tests; i++) {
		n = split(sees[test[i]], list, " ")
		if (!n || test[i] in has_fault)
			continue
		best = list[1]
		for (j = 2; j <= n; j++)
			if (cost(list[j], test[i]) < cost(best, test[i]))
				best = list[j]
		choose(best, test[i])
	}
	for (i = 1; i <= faults; i++) {
		n = split(seen_by[fault[i]], list, " ")
		if (!n || fault[i] in has_test)
			continue
		best = list[1]
		for (j = 2; j <= n && seen[fault[i], best] == "slow"; j++)
			best = list[j]
		choose(fault[i], best)
	}
}

function cost(fault, test)
{
	return weight[fault] + (seen[fault, test] == "slow" ? 1e6 : 0)
}

function choose(fault, test)
{
	print fault, test
	has_test[fault] = has_fault[test] = 1
}

function report(    i, j, n, list, caught, toothed, bad)
{
	for (i = 1; i <= tests; i++) {
		toothed += sees[test[i]] != ""
		n = split(reached[test[i]], list, " ")
		for (j = 1; j <= n; j++)
			visits[list[j]]++
	}
	for (i = 1; i <= faults; i++) {
		print "fault", fault[i], bug[fault[i]], seen_by[fault[i]]
		if (seen_by[fault[i]] != "")
			caught++
		else if (++bad)
			print "SURVIVED  " fault[i] "  " bug[fault[i]] "  (" visits[fault[i]] + 0 " tests come to it)"
	}
	for (i = 1; i <= tests; i++) {
		if (!(test[i] in result) && ++bad)
			print "DID NOT RUN  " test[i]
		else if (result[test[i]] ~ /not ok|slow/ && ++bad)
			print "FAILS WITHOUT A FAULT  " test[i]
		else if (toothless(test[i]) && ++bad)
			print "NO TEETH  " test[i]
	}
	printf "%d faults, %d caught, %d survive; %d tests, %d with a fault\n",
		faults, caught, faults - caught, tests, toothed
	return bad > 0
}
